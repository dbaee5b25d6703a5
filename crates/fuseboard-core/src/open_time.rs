//! How long an open fuse stays open: longer with each failed probe, for a time a server asked for, never twice the same.
//!
//! Two words take part, both written behind the swap that opens the fuse, by whoever made it; killed in between it leaves
//! the time that would have been without it, which is shorter. **Failed probes** counts the failed probes in a row. It falls by
//! one for each open time that the fuse then stays closed. **Asked** is the time that the call which opened the fuse asked
//! for, such as a server's `Retry-After`; it is good for the generation it is marked with.
//!
//! The jitter is a hash of the generation, so that all processes of a host agree on it without a word, and hosts do not.

use crate::backoff::FAILED_PROBES_MAX;
use crate::fuse::{Fuse, Transition};
use crate::policy::{MILLION, Policy};
use crate::state::State;
use crate::sync::Ordering;
use crate::time::{HORIZON_US, STAMP_BITS, STAMP_MAX, age};
use crate::word::Word;

const LOW_BITS: u32 = u64::BITS - STAMP_BITS;
const LOW_MASK: u64 = (1 << LOW_BITS) - 1;

impl Policy {
    /// A time that is the same in all processes of a host for this generation, up to the jitter shorter or longer; never
    /// beyond what is believed of a clock.
    fn jittered(&self, time: u64, generation: u64) -> u64 {
        let most = (u128::from(time) * u128::from(self.jitter_ppm.min(MILLION)) / u128::from(MILLION)) as u64;
        // The finaliser of SplitMix64.
        let mixed = (generation ^ generation >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (time - most).saturating_add((mixed ^ mixed >> 31) % most.saturating_mul(2).saturating_add(1)).min(HORIZON_US)
    }
}

impl Fuse<'_> {
    /// How long the open fuse of this word stays open in all.
    pub(crate) fn open_us(self, seen: Word, policy: &Policy) -> u64 {
        let asked = self.cell.asked.load(Ordering::Acquire);
        let until = asked >> LOW_BITS;
        if asked & LOW_MASK == seen.generation() & LOW_MASK && until > seen.generation() {
            return (until - seen.generation()).clamp(policy.reset_us, policy.longest_us.max(policy.reset_us));
        }
        policy.jittered(policy.open_us(self.failed_probes()), seen.generation())
    }

    pub(crate) fn failed_probes(self) -> u64 {
        self.cell.failed_probes.load(Ordering::Acquire) & LOW_MASK
    }

    /// What the raw operation that opened the fuse leaves: it has no policy of which open times it could take one back, so it
    /// takes the longest that most policies have.
    pub(crate) fn opened_raw(self, seen: Word, made: Transition) {
        if made.to == State::Open && seen.state().counts() {
            let before = self.cell.failed_probes.load(Ordering::Acquire);
            let closed_us = age(made.generation, seen.generation());
            self.leave_failed_probes(
                before,
                made,
                (before & LOW_MASK).saturating_sub(closed_us / Policy::DEFAULT.longest_us),
            );
        }
    }

    /// Not over what the maker of a later transition has written.
    fn leave_failed_probes(self, before: u64, made: Transition, failed_probes: u64) {
        if failed_probes != before & LOW_MASK && before >> LOW_BITS < made.generation {
            let next = made.generation << LOW_BITS | failed_probes;
            _ = self.cell.failed_probes.compare_exchange(before, next, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// What the maker of a transition from `seen` to open leaves for those who come: how often probes failed, and how long
    /// it was asked to wait, 0 if it was not.
    pub fn opened(self, policy: &Policy, seen: Word, made: Transition, asked_us: u64) {
        let before = self.cell.failed_probes.load(Ordering::Acquire);
        let failed_probes = match seen.state() {
            State::HalfOpen => (before & LOW_MASK).saturating_add(1).min(FAILED_PROBES_MAX),
            _ => policy.decayed(before & LOW_MASK, age(made.generation, seen.generation())),
        };
        self.leave_failed_probes(before, made, failed_probes);
        if asked_us > 0 {
            let until = (made.generation + asked_us.min(HORIZON_US)).min(STAMP_MAX);
            let before = self.cell.asked.load(Ordering::Acquire);
            if self.word().generation() == made.generation {
                let next = until << LOW_BITS | made.generation & LOW_MASK;
                _ = self.cell.asked.compare_exchange(before, next, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;
    use crate::fuse::Cell;
    use crate::sync::AtomicU64;

    /// Whoever was stopped before it wrote down a count of failed probes finds that a later transition's stands there.
    #[test]
    fn a_late_count_of_failed_probes_takes_no_later_ones_place() {
        let (cell, log) = (Cell::new(), [0; 2].map(AtomicU64::new));
        let fuse = Fuse::new(&cell, &log);
        let [early, late] = [1_000, 2_000].map(|now_us| fuse.set(State::Open, now_us).expect("nothing holds it"));
        let left = |made, failed_probes| {
            fuse.leave_failed_probes(cell.failed_probes.load(Ordering::Acquire), made, failed_probes);
            fuse.failed_probes()
        };
        assert_eq!([3, 3, 3], [left(late, 3), left(early, 2), left(late, 4)]);
    }

    /// A later transition that left the count of failed probes as it was has written nothing that the late one could spoil: its failed probe
    /// counts.
    #[test]
    fn a_late_count_of_failed_probes_counts_where_a_later_one_changed_nothing() {
        let (cell, log) = (Cell::new(), [0; 2].map(AtomicU64::new));
        let fuse = Fuse::new(&cell, &log);
        let [early, late] = [1_000, 2_000].map(|now_us| fuse.set(State::Open, now_us).expect("nothing holds it"));
        let before = cell.failed_probes.load(Ordering::Acquire);
        fuse.leave_failed_probes(before, late, 0);
        fuse.leave_failed_probes(before, early, 1);
        assert_eq!(1, fuse.failed_probes());
    }
}
