//! The ramp: after the probes have succeeded, a share of the calls that grows to all of them, one ramp for the whole host.
//!
//! The share follows from the time since the fuse went into this state. Calls are numbered, in the word that counts the
//! probes' successes while half-open, and spread by the golden ratio, so that of any few calls in a row about the share
//! passes.

use crate::fuse::{Fuse, Permit, Rejection};
use crate::lease::{next_number, number_after};
use crate::policy::{MILLION, Policy};
use crate::time::{LEAD_US, age};
use crate::word::Word;

/// The fraction of the golden ratio, of 2^32.
const GOLDEN: u32 = 0x9e37_79b9;

impl Policy {
    /// How many of 2^32 calls pass so long after the ramp began.
    fn share(&self, age_us: u64) -> u64 {
        let from = u128::from(self.ramp_from_ppm);
        let ppm =
            from + u128::from(MILLION).saturating_sub(from) * u128::from(age_us) / u128::from(self.ramp_us.max(1));
        ((ppm << 32) / u128::from(MILLION)) as u64
    }
}

impl Fuse<'_> {
    /// Whether a call passes while ramping; `None` if the ramp is over, or somebody else has ended it.
    pub(crate) fn climb(self, seen: Word, policy: &Policy, now_us: u64) -> Option<Result<Permit, Rejection>> {
        let generation = seen.generation();
        if left_of(seen, policy, now_us) <= LEAD_US {
            return None;
        }
        let number = next_number(&self.cell.progress, generation, || self.word().generation() == generation)?;
        Some(verdict(seen, policy, now_us, number))
    }

    /// What [`Self::climb`] would say, without taking a number.
    pub(crate) fn would_climb(self, seen: Word, policy: &Policy, now_us: u64) -> Result<(), Rejection> {
        let number = number_after(&self.cell.progress, seen.generation());
        verdict(seen, policy, now_us, number).map(|_| ())
    }
}

/// What is left of the ramp, in microseconds.
fn left_of(seen: Word, policy: &Policy, now_us: u64) -> u64 {
    policy.ramp_us.saturating_sub(age(now_us, seen.generation()))
}

/// Whether the call of this number passes.
fn verdict(seen: Word, policy: &Policy, now_us: u64, number: u64) -> Result<Permit, Rejection> {
    let left = left_of(seen, policy, now_us);
    // 2^32 times the fraction of the number times the golden ratio: evenly spread over all of them.
    if left <= LEAD_US || u64::from((number as u32).wrapping_mul(GOLDEN)) < policy.share(policy.ramp_us - left) {
        return Ok(Permit::of(seen));
    }
    Err(Rejection::ramping(left))
}
