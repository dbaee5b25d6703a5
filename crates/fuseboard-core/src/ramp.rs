//! The ramp: after the probes have succeeded, a growing share of the calls passes, until all do (rule R26).
//!
//! One ramp serves the whole host. The share follows from the time since the state began. Calls are numbered, in the
//! word that counts probes while the fuse is half-open. The golden ratio spreads the numbers evenly, so of any few
//! calls in a row about the share passes.

use crate::cell::Cell;
use crate::lease::{next_number, number_after};
use crate::policy::{MILLION, Policy};
use crate::time::{LEAD_US, age};
use crate::word::Word;

/// The fraction of the golden ratio, as a part of 2^32.
const GOLDEN: u32 = 0x9e37_79b9;

impl Policy {
    /// How many of 2^32 calls pass, this long after the ramp began.
    fn share(&self, age_us: u64) -> u64 {
        let from = u128::from(self.ramp_from_ppm);
        let ppm =
            from + u128::from(MILLION).saturating_sub(from) * u128::from(age_us) / u128::from(self.ramp_us.max(1));
        ((ppm << 32) / u128::from(MILLION)) as u64
    }
}

impl Cell {
    /// Whether a call passes while the fuse is ramping: if not, what is left of the ramp. `None` if the ramp is over,
    /// or somebody else has ended it.
    pub(crate) fn climb(&self, seen: Word, policy: &Policy, now_us: u64) -> Option<Result<(), u64>> {
        let generation = seen.generation();
        if left_us(seen, policy, now_us) <= LEAD_US {
            return None;
        }
        let number = next_number(&self.progress, generation, || self.load().generation() == generation)?;
        Some(passes(seen, policy, now_us, number))
    }

    /// What [`Self::climb`] would answer, without taking a number.
    pub(crate) fn would_climb(&self, seen: Word, policy: &Policy, now_us: u64) -> Result<(), u64> {
        passes(seen, policy, now_us, number_after(&self.progress, seen.generation()))
    }
}

/// What is left of the ramp, in microseconds.
fn left_us(seen: Word, policy: &Policy, now_us: u64) -> u64 {
    policy.ramp_us.saturating_sub(age(now_us, seen.generation()))
}

/// Whether the call with this number passes: if not, what is left of the ramp.
fn passes(seen: Word, policy: &Policy, now_us: u64, number: u64) -> Result<(), u64> {
    let left = left_us(seen, policy, now_us);
    // 2^32 times the fraction of (the number times the golden ratio): evenly spread from 0 to 2^32.
    if left <= LEAD_US || u64::from((number as u32).wrapping_mul(GOLDEN)) < policy.share(policy.ramp_us - left) {
        return Ok(());
    }
    Err(left)
}
