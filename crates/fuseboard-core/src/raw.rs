//! The raw operations of the store's contract: they record and set, and never decide (rule R13).

use crate::counters::{COUNTERS, Stripe, totals};
use crate::fuse::{Fuse, Transition};
use crate::journal::Cause;
use crate::log::Entry;
use crate::lookback::changes_of;
use crate::rate::RateWindow;
use crate::state::State;
use crate::sync::Ordering;
use crate::time::HORIZON_US;
use crate::word::Word;

/// How often a reader looks again for a last failure that belongs to the word it read.
pub const READ_TRIES: usize = 16;

/// A plain copy of what stands in a fuse's cell, taken from one reading of its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellSnapshot {
    /// The fuse word: state and generation.
    pub word: Word,
    /// Failures since the window was last cleared or the state last changed, at most the log's length. Of any age, or those
    /// that are within the longest window of a breaker ([`Fuse::snapshot`]).
    pub failures: u32,
    /// Stamp of the latest failure since then, of any age, in microseconds.
    pub last_failure_us: Option<u64>,
    /// How often a breaker came with other settings than the one before it.
    pub settings_changes: u64,
    /// Calls that were slow by the policy of their breaker.
    pub slow: u64,
    /// When the manual override that it is in ends, in microseconds of the clock; `None` if it is endless, or there is none.
    pub until_us: Option<u64>,
    /// NameHash of the settings that a breaker last came with, 0 for none.
    pub settings: u64,
    /// Failed probes in a row, as they stood when the fuse last opened: what it was closed since then is taken off when it
    /// opens next.
    pub failed_probes: u32,
}

impl Fuse<'_> {
    /// Records a failure in whatever state the fuse is and returns how many there are within `window_us`, this one
    /// included, since the window was last cleared or the state last changed. Saturates at the log's length; 0 if
    /// the fuse was removed, and nothing was recorded.
    /// Cost: two swaps and a binary search, whatever the count.
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

    /// Records a success in whatever state the fuse is: clears the window and changes no state. (PhoenixMicro's
    /// `record_success` closes an open fuse; that is one of the races mended here.) Says whether it did; not if the fuse was
    /// removed.
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

    /// Puts the fuse into `state` with an empty window and a later generation. An operator's hold
    /// ([`State::Isolated`], [`State::Disabled`]) stands against it (rule R12): then nothing changes and the answer is
    /// `None`, as it is if the fuse was removed.
    pub fn set(self, state: State, now_us: u64) -> Option<Transition> {
        let mut from = Word(0);
        let unless_held = |seen: Word, now_us| {
            from = seen;
            (!self.is_overridden(seen, now_us)).then_some(seen)
        };
        let made = self.go_to(|_| state, Cause::Set, || now_us, unless_held)?;
        self.opened_raw(from, made);
        Some(made)
    }

    /// Puts the fuse into `state` whatever it is in: a manual override (rule R12). It mends what damage left, so the clock is
    /// asked behind each look at the fuse: what a look finds far ahead of it can only be damage, wherever this process is
    /// stopped meanwhile. `None` if the fuse was removed.
    pub fn command(self, state: State, now_us: impl Fn() -> u64) -> Option<Transition> {
        self.mending(&now_us, || {
            self.go_to(|_| state, Cause::Operator, &now_us, |seen, now_us| Some(seen.mended(now_us)))
        })
    }

    /// Closes the fuse and forgets it, as if never seen, in a later generation. It mends what damage left, as
    /// [`Self::command`] does; a fuse never seen stays untouched otherwise, and one that was removed stays so.
    pub fn forget(self, now_us: impl Fn() -> u64) -> Option<Transition> {
        self.forget_changes();
        self.cell.slow.clear_if(|| true);
        let unless_forgotten = |seen: Word, now_us| (!seen.is_forgotten(now_us)).then(|| seen.mended(now_us));
        let to = |seen: Word| if seen.state() == State::Vacant { State::Vacant } else { State::Unseen };
        self.mending(&now_us, || self.go_to(to, Cause::Forgotten, &now_us, unless_forgotten))
    }

    /// Puts the fuse into the state `to` as if it had been what `before` makes of its word; not at all where that is nothing.
    fn go_to(
        self,
        to: impl Fn(Word) -> State,
        cause: Cause,
        now_us: impl Fn() -> u64,
        mut before: impl FnMut(Word, u64) -> Option<Word>,
    ) -> Option<Transition> {
        loop {
            let seen = self.mine()?;
            let now_us = now_us();
            let next = before(seen, now_us)?.moved_to(to(seen), now_us);
            if let Some(transition) = self.change(seen, next, cause) {
                return Some(transition);
            }
        }
    }

    /// Makes a `change` that ends the generation, and takes away what would outlive it: failures that lie far ahead,
    /// leases and outcomes of probes, and what makes open times longer. A sound fuse has none that still mean anything; damaged ones may be of a generation
    /// to come. What is taken away was read before the change, so nothing of the new generation is.
    fn mending(self, now_us: impl Fn() -> u64, change: impl FnOnce() -> Option<Transition>) -> Option<Transition> {
        self.log.drop_far_ahead(&now_us);
        self.mend_journaled(now_us);
        self.rate_windows.into_iter().flatten().for_each(RateWindow::mend);
        let words = [&self.cell.progress, &self.cell.asked, &self.cell.override_end]
            .map(|word| (word, word.load(Ordering::Acquire)));
        let held = self.seats().held();
        let made = change();
        if made.is_none() && self.mine().is_none() {
            return None;
        }
        self.seats().free(held);
        for (word, seen) in words {
            if seen != 0 {
                _ = word.compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        self.cell.forget_failed_probes(made.map_or_else(|| self.word().generation(), |made| made.generation));
        made
    }

    /// A plain copy for people and dashboards. State and generation are always of one instant; the failures are of the
    /// same instant unless the fuse changed at each of [`READ_TRIES`] looks.
    #[must_use]
    pub fn read(self) -> CellSnapshot {
        self.read_counting(|_, _, failures| failures)
    }

    /// [`Self::read`], where of the failures, of which the last is given, only those stand that are still to be counted.
    fn read_counting(self, still: impl Fn(Word, Entry, u32) -> u32) -> CellSnapshot {
        let look = |word: Word| {
            let last = self.log.last(word.head());
            let failures = if word.is_dirty() { u64::from(last.run()).min(self.log.len()) as u32 } else { 0 };
            (word, last, failures, if failures > 0 { still(word, last, failures) } else { 0 })
        };
        let (mut word, mut last, mut failures, mut counted) = look(self.word());
        for _ in 0..READ_TRIES {
            let now = self.word();
            if now == word {
                break;
            }
            (word, last, failures, counted) = look(now);
        }
        CellSnapshot {
            word,
            failures: counted,
            last_failure_us: (failures > 0).then_some(last.stamp()),
            settings_changes: changes_of(self.cell.settings_changes.load(Ordering::Relaxed)),
            slow: self.cell.slow.load(Ordering::Relaxed),
            until_us: self.until_us(word),
            settings: self.cell.settings.load(Ordering::Relaxed),
            failed_probes: self.failed_probes() as u32,
        }
    }

    /// [`Self::read`] of the failures that mean something to a breaker at this time, and the totals of what was counted in the
    /// fuse's lines; `None` of a fuse never seen, and of one that was removed before all was read.
    #[must_use]
    pub fn snapshot(self, stripes: &[Stripe], now_us: u64) -> Option<(CellSnapshot, [u64; COUNTERS])> {
        let reading = self.read_counting(|word, last, _| self.within_lookback(word, last, now_us));
        let totals = totals(stripes);
        // Asked behind all that was read: else some of it may be the next claim's.
        (reading.word.state().is_seen() && self.mine().is_some()).then_some((reading, totals))
    }

    /// Notes the settings hash (not 0) of the settings a breaker comes with; that of the one before, if it had others (R15).
    pub fn note_settings(self, settings_hash: u64) -> Option<u64> {
        let before = self.cell.settings.swap(settings_hash, Ordering::Relaxed);
        let other = (before != 0 && before != settings_hash).then_some(before);
        if other.is_some() {
            self.note_change();
        }
        other
    }

    /// Notes the same of a breaker that came before, and was made anew since: it changes nothing.
    pub fn show_settings(self, settings_hash: u64) {
        self.cell.settings.store(settings_hash, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;
    use crate::fuse::Cell;
    use crate::sync::AtomicU64;
    use crate::time::AHEAD_US;

    /// A stop between two looks is no damage, however long it was: generations do not go back.
    #[test]
    fn a_reset_that_was_stopped_for_long_comes_behind_what_happened_meanwhile() {
        let (cell, log) = (Cell::new(), [0; 2].map(AtomicU64::new));
        let fuse = Fuse::new(&cell, &log);
        let (before_us, after_us) = (7 * AHEAD_US, 9 * AHEAD_US);
        fuse.set(State::Open, before_us);
        let clock = std::cell::Cell::new(before_us);
        let stopped = || {
            let read = clock.replace(after_us);
            if read == before_us {
                fuse.set(State::HalfOpen, after_us);
            }
            read
        };
        fuse.command(State::Closed, stopped);
        assert!(fuse.word().generation() > after_us, "{:?}", fuse.word());
    }

    /// Damage may have left a count of failed probes where nothing else stands: it is taken away although no transition is made.
    #[test]
    fn a_reset_of_a_fuse_never_seen_forgets_what_damage_left() {
        let (cell, log) = (Cell::new(), [AtomicU64::new(0), AtomicU64::new(0)]);
        cell.failed_probes.store(7, Ordering::Relaxed);
        assert_eq!((None, 0), (Fuse::new(&cell, &log).forget(|| 9), cell.failed_probes.load(Ordering::Relaxed)));
    }

    #[test]
    fn an_operators_word_takes_away_successes_of_a_generation_to_come() {
        let (cell, log) = (Cell::new(), [AtomicU64::new(0), AtomicU64::new(0)]);
        cell.progress.store(u64::MAX, Ordering::Relaxed);
        Fuse::new(&cell, &log).command(State::Closed, || 7);
        assert_eq!(0, cell.progress.load(Ordering::Relaxed));
    }
}
