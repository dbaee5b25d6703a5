//! A plain copy of a fuse, for people and dashboards.

use crate::counters::{COUNTERS, Stripe, totals};
use crate::fuse::Fuse;
use crate::log::Entry;
use crate::lookback::changes_of;
use crate::sync::Ordering;
use crate::word::Word;

/// How often a reader looks again for a last failure that belongs to the word it read.
pub const READ_TRIES: usize = 16;

/// What stands in a fuse's cell, by one reading of its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellSnapshot {
    /// The fuse word: state and generation.
    pub word: Word,
    /// Failures since the window was last cleared or the state last changed, at most the log's length. [`Fuse::read`]
    /// counts them all, [`Fuse::snapshot`] those within the longest window of a breaker.
    pub failures: u32,
    /// Stamp of the latest of those failures, of any age, in microseconds.
    pub last_failure_us: Option<u64>,
    /// How often a breaker came with other settings than the breaker before it.
    pub settings_changes: u64,
    /// Calls that were slow by their breaker's policy.
    pub slow: u64,
    /// When the manual override ends, in microseconds of the clock; `None` if it is endless, or there is none.
    pub until_us: Option<u64>,
    /// Hash of the settings of the breaker that came last, 0 for none.
    pub settings: u64,
    /// The backoff count when the fuse last opened. The time that the fuse was closed since then reduces it when the
    /// fuse opens next.
    pub failed_probes: u32,
}

impl Fuse<'_> {
    /// State and generation are always of one instant. So are the failures, unless the fuse changed at each of
    /// [`READ_TRIES`] looks.
    #[must_use]
    pub fn read(self) -> CellSnapshot {
        self.read_counting(|_, _, failures| failures)
    }

    /// [`Self::read`], where `still` says how many of the failures count: it gets the word, the last failure and their
    /// number.
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
            until_us: self.cell.override_until_us(word),
            settings: self.cell.settings.load(Ordering::Relaxed),
            failed_probes: self.cell.failed_probes() as u32,
        }
    }

    /// [`Self::read`] with the failures that still mean something to a breaker, and the totals of the fuse's counters.
    /// `None` for a fuse never seen, and for one that was removed before all was read.
    #[must_use]
    pub fn snapshot(self, stripes: &[Stripe], now_us: u64) -> Option<(CellSnapshot, [u64; COUNTERS])> {
        let read = self.read_counting(|word, last, _| self.within_lookback(word, last, now_us));
        let totals = totals(stripes);
        // Asked after all was read: otherwise some of it may belong to the next claim.
        (read.word.state().is_seen() && self.mine().is_some()).then_some((read, totals))
    }
}
