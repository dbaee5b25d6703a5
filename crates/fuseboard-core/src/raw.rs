//! The raw operations of the store: they record and set, and never decide (rule R13).

use crate::fuse::Fuse;
use crate::log::Entry;
use crate::state::State;
use crate::time::HORIZON_US;
use crate::transition::{Cause, Transition};
use crate::word::Word;

impl Fuse<'_> {
    /// Records a failure in any state. The number of failures within `window_us`, this one included, since the window
    /// was last cleared or the state last changed; at most the log's length. 0 if the fuse was removed: then nothing
    /// was recorded. Cost: two swaps and a binary search, whatever the count.
    pub fn record_failure(self, window_us: u64, now_us: u64) -> u32 {
        let window_us = window_us.min(HORIZON_US);
        loop {
            let Some(seen) = self.mine() else { return 0 };
            if !seen.state().is_seen() {
                _ = self.change(seen, seen.moved_to(State::Closed, now_us), Cause::Unknown);
                continue;
            }
            let mut count = 0;
            let count_it = |entry: Entry| {
                count = self.log.count(seen.head(), entry, entry.stamp().saturating_sub(window_us));
                None
            };
            if self.append(seen, now_us, count_it).is_some() {
                return count;
            }
        }
    }

    /// Records a success in any state: clears the window and changes no state. (In PhoenixMicro, `record_success`
    /// closes an open fuse. That race is mended here.) Whether it did; not if the fuse was removed.
    pub fn record_success(self, now_us: u64) -> bool {
        loop {
            let Some(seen) = self.mine() else { return false };
            let is_done = match seen.state() {
                State::Unseen | State::Vacant => {
                    self.change(seen, seen.moved_to(State::Closed, now_us), Cause::Unknown).is_some()
                }
                _ if seen.is_dirty() => self.swap(seen, seen.cleared()),
                _ => true,
            };
            if is_done {
                return true;
            }
        }
    }

    /// Puts the fuse into `state` with an empty window and a later generation. `None`, and nothing changes, during a
    /// manual override (rule R12), and if the fuse was removed.
    pub fn set(self, state: State, now_us: u64) -> Option<Transition> {
        let mut from = Word(0);
        let unless_overridden = |seen: Word, now_us| {
            from = seen;
            (!self.cell.is_overridden(seen, now_us)).then_some(seen)
        };
        let made = self.go_to(|_| state, Cause::Set, || now_us, unless_overridden)?;
        self.cell.opened_raw(from, made);
        Some(made)
    }

    /// Closes the fuse and forgets it, as if it had never been seen, in a later generation. Takes away what damage
    /// left. A fuse never seen gets no transition, and one that was removed stays removed.
    pub fn forget(self, now_us: impl Fn() -> u64) -> Option<Transition> {
        self.forget_changes();
        self.cell.slow.clear_if(|| true);
        let unless_forgotten = |seen: Word, now_us| (!seen.is_forgotten(now_us)).then(|| seen.mended(now_us));
        let to = |seen: Word| if seen.state() == State::Vacant { State::Vacant } else { State::Unseen };
        self.mending(&now_us, || self.go_to(to, Cause::ResetAll, &now_us, unless_forgotten))
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;
    use crate::fuse::Cell;
    use crate::sync::{AtomicU64, Ordering};

    /// Damage may have left a backoff count and nothing else: it is taken away although no transition is made.
    #[test]
    fn a_reset_of_a_fuse_never_seen_forgets_what_damage_left() {
        let (cell, log) = (Cell::new(), [AtomicU64::new(0), AtomicU64::new(0)]);
        cell.failed_probes.store(7, Ordering::Relaxed);
        assert_eq!((None, 0), (Fuse::new(&cell, &log).forget(|| 9), cell.failed_probes.load(Ordering::Relaxed)));
    }
}
