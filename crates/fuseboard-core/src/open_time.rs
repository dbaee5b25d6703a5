//! How long an open fuse stays open (rules R23 and R24).
//!
//! **The backoff count** says by how many steps the open time has grown; the code calls it `failed_probes`. Reopening
//! from half-open adds 1. Each full open time spent closed removes 1. A manual override sets it to 0. The open time is
//! the policy's, multiplied once for each step of the count, up to the longest.
//!
//! **A time that a call asked for**, such as a server's `Retry-After`, replaces that open time in one generation. Its
//! word carries the low bits of that generation as a tag.
//!
//! The maker of a transition writes both words after the swap that opens the fuse. A maker that is killed in between
//! leaves them as they were: the count is one short or not yet reduced, or the request is lost. The open time is off by
//! what was not written, and never endless.
//!
//! **Jitter** is a hash of the generation. So all processes of a host agree on it without talking, and hosts differ.
//!
//! Processes must agree to the microsecond. The arithmetic is multiplication of `f64` alone, which IEEE 754 defines to
//! the last bit.

use crate::cell::Cell;
use crate::policy::{MILLION, Policy};
use crate::state::State;
use crate::sync::Ordering;
use crate::time::{HORIZON_US, STAMP_BITS, STAMP_MAX, age, is_far_ahead};
use crate::transition::Transition;
use crate::word::Word;

/// The largest backoff count.
const FAILED_PROBES_MAX: u64 = u16::MAX as u64;
const LOW_BITS: u32 = u64::BITS - STAMP_BITS;
const LOW_MASK: u64 = (1 << LOW_BITS) - 1;

impl Policy {
    /// The longest open time without jitter.
    fn cap_us(&self) -> u64 {
        self.longest_us.max(self.reset_us)
    }

    /// How long a fuse stays open with this backoff count, without jitter.
    #[must_use]
    pub fn open_us(&self, failed_probes: u64) -> u64 {
        let time = self.reset_us as f64 * power(f64::from(self.multiplier_permille) / 1_000.0, failed_probes);
        // Saturates: more than fits is more than the longest.
        ((time + 0.5) as u64).min(self.cap_us())
    }

    /// The backoff count after the fuse was closed for this long: each full open time removes 1.
    fn decayed(&self, failed_probes: u64, mut closed_us: u64) -> u64 {
        let mut left = failed_probes.min(FAILED_PROBES_MAX);
        while left > 0 {
            let Some(rest_us) = closed_us.checked_sub(self.open_us(left)) else { break };
            closed_us = rest_us;
            left -= 1;
        }
        left
    }

    /// A time that is up to the jitter shorter or longer, the same in all processes of a host for this generation; at
    /// most [`HORIZON_US`].
    fn jittered(&self, time: u64, generation: u64) -> u64 {
        let most = (u128::from(time) * u128::from(self.jitter_ppm.min(MILLION)) / u128::from(MILLION)) as u64;
        // The finaliser of SplitMix64.
        let mixed = (generation ^ generation >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (time - most).saturating_add((mixed ^ mixed >> 31) % most.saturating_mul(2).saturating_add(1)).min(HORIZON_US)
    }
}

/// A power by squaring. The same bits on every machine, which [`f64::powi`] does not promise.
fn power(base: f64, mut exponent: u64) -> f64 {
    let (mut square, mut product) = (base, 1.0);
    while exponent > 0 {
        if exponent & 1 == 1 {
            product *= square;
        }
        square *= square;
        exponent >>= 1;
    }
    product
}

impl Cell {
    /// How long the open fuse of this word stays open in all.
    pub(crate) fn open_us(&self, seen: Word, policy: &Policy) -> u64 {
        let asked = self.asked.load(Ordering::Acquire);
        let until = asked >> LOW_BITS;
        if asked & LOW_MASK == seen.generation() & LOW_MASK && until > seen.generation() {
            return (until - seen.generation()).clamp(policy.reset_us, policy.cap_us());
        }
        policy.jittered(policy.open_us(self.failed_probes()), seen.generation())
    }

    /// The backoff count.
    pub(crate) fn failed_probes(&self) -> u64 {
        self.failed_probes.load(Ordering::Acquire) & LOW_MASK
    }

    /// Writes down what a transition from `seen` to open means for open times: the backoff count, and the time that the
    /// call asked for, 0 if it did not.
    pub fn opened(&self, policy: &Policy, seen: Word, made: Transition, asked_us: u64) {
        let before = self.failed_probes.load(Ordering::Acquire);
        let count = match seen.state() {
            State::HalfOpen => (before & LOW_MASK).saturating_add(1).min(FAILED_PROBES_MAX),
            _ => policy.decayed(before & LOW_MASK, age(made.generation, seen.generation())),
        };
        self.write_failed_probes(before, made, count);
        if asked_us > 0 {
            let until = (made.generation + asked_us.min(HORIZON_US)).min(STAMP_MAX);
            let before = self.asked.load(Ordering::Acquire);
            if self.load().generation() == made.generation {
                let next = until << LOW_BITS | made.generation & LOW_MASK;
                _ = self.asked.compare_exchange(before, next, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
    }

    /// The same for a raw operation. It has no policy, so it removes 1 for each longest open time of the default
    /// policy.
    pub(crate) fn opened_raw(&self, seen: Word, made: Transition) {
        if made.to == State::Open && seen.state().counts() {
            let before = self.failed_probes.load(Ordering::Acquire);
            let closed_us = age(made.generation, seen.generation());
            let count = (before & LOW_MASK).saturating_sub(closed_us / Policy::DEFAULT.longest_us);
            self.write_failed_probes(before, made, count);
        }
    }

    /// Writes the count, unless the maker of a later transition has written one.
    fn write_failed_probes(&self, before: u64, made: Transition, count: u64) {
        if count != before & LOW_MASK && before >> LOW_BITS < made.generation {
            let next = made.generation << LOW_BITS | count;
            _ = self.failed_probes.compare_exchange(before, next, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Sets the backoff count to 0, at a change into this generation. The generation is written in any case: a caller
    /// whose probe failed before the change may be about to write its count, and must find that it is too late.
    pub(crate) fn forget_failed_probes(&self, generation: u64) {
        let next = generation << LOW_BITS;
        loop {
            let seen = self.failed_probes.load(Ordering::Acquire);
            let written = seen >> LOW_BITS;
            let is_later = written > generation && !is_far_ahead(generation, written);
            let is_done = seen == next || is_later;
            if is_done || self.failed_probes.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests;
