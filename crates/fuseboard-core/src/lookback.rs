//! What breakers leave at a fuse about their settings: how far back they look, and how often the settings changed.
//!
//! Settings are not shared (rule R15). But a process that finds the table full must know whether a fuse can be removed.
//! So the longest window of any breaker of the fuse is kept as its **lookback**, in microseconds, in the upper 40 bits
//! of the word that counts the changes of settings. During a claim it only grows. 0, which raw operations leave, means
//! that nobody knows the lookback: it counts as the longest.

use crate::fuse::Fuse;
use crate::log::Entry;
use crate::policy::Policy;
use crate::rate::{Rate, RateKind};
use crate::sync::Ordering;
use crate::time::{HORIZON_US, age};
use crate::word::Word;

const SHIFT: u32 = 24;
const COUNT_MASK: u64 = (1 << SHIFT) - 1;
const _: () = assert!(HORIZON_US << SHIFT >> SHIFT == HORIZON_US, "a lookback has room for any setting");

/// How often the settings changed.
pub(crate) const fn changes_of(word: u64) -> u64 {
    word & COUNT_MASK
}

/// The word after one more change of settings. It counts to 16,777,215.
const fn changed(word: u64) -> u64 {
    if changes_of(word) < COUNT_MASK { word + 1 } else { word }
}

/// The lookback of the word, in microseconds. Any bits are one.
const fn lookback_us(word: u64) -> u64 {
    match word >> SHIFT {
        reach @ 1..=HORIZON_US => reach,
        _ => HORIZON_US,
    }
}

/// The word after a breaker with this lookback has come.
const fn raised(word: u64, lookback_us: u64) -> u64 {
    let reach = if lookback_us > 0 { lookback_us } else { 1 };
    if reach > word >> SHIFT { reach << SHIFT | changes_of(word) } else { word }
}

impl Policy {
    /// How far back it looks, in microseconds: at most as far as anybody may.
    #[must_use]
    pub fn lookback_us(&self) -> u64 {
        let of_rate = |(kind, rate): (RateKind, Rate)| {
            // A call counts for up to a seventh longer. Of the last calls each counts for as long as no other comes.
            if kind.is_of_calls() { HORIZON_US } else { rate.span.saturating_add(rate.span / 7) }
        };
        let window_us = if self.threshold > 0 { self.window_us } else { 0 };
        self.active_rates().map(of_rate).fold(window_us, u64::max).clamp(1, HORIZON_US)
    }
}

impl Fuse<'_> {
    /// Notes how far back a breaker that comes to the fuse looks ([`Policy::lookback_us`]).
    pub fn note_lookback(self, lookback_us: u64) {
        self.change_word(|seen| raised(seen, lookback_us.min(HORIZON_US)));
    }

    /// Notes the hash (not 0) of the settings that a breaker comes with. The hash of the breaker before it, if it had
    /// others (rule R15).
    pub fn note_settings(self, settings_hash: u64) -> Option<u64> {
        let before = self.cell.settings.swap(settings_hash, Ordering::Relaxed);
        let other = (before != 0 && before != settings_hash).then_some(before);
        if other.is_some() {
            self.change_word(changed);
        }
        other
    }

    /// Notes the same for a breaker that came before and was made again since: it changes nothing.
    pub fn show_settings(self, settings_hash: u64) {
        self.cell.settings.store(settings_hash, Ordering::Relaxed);
    }

    /// Sets the count of changes to 0. The breakers stay, and so does their lookback.
    pub(crate) fn forget_changes(self) {
        self.change_word(|seen| seen & !COUNT_MASK);
    }

    fn change_word(self, change: impl Fn(u64) -> u64) {
        let word = &self.cell.settings_changes;
        let mut seen = word.load(Ordering::Relaxed);
        while change(seen) != seen {
            match word.compare_exchange(seen, change(seen), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Whether no failure of this word's window means anything to any breaker of the fuse any more.
    pub(crate) fn is_beyond_lookback(self, seen: Word, now_us: u64) -> bool {
        !seen.is_dirty() || age(now_us, self.log.last(seen.head()).stamp()) > self.lookback_us()
    }

    /// How many failures of this word's window, of which `last` is the latest, mean something to a breaker of the fuse;
    /// at most the log's length. Cost: a binary search, whatever the count.
    pub(crate) fn within_lookback(self, seen: Word, last: Entry, now_us: u64) -> u32 {
        let lookback_us = self.lookback_us();
        if !seen.is_dirty() || age(now_us, last.stamp()) > lookback_us {
            return 0;
        }
        self.log.count(seen.head().wrapping_sub(1), last, now_us.saturating_sub(lookback_us))
    }

    fn lookback_us(self) -> u64 {
        lookback_us(self.cell.settings_changes.load(Ordering::Relaxed))
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;
    use crate::fuse::Cell;
    use crate::rate::RATE_WINDOWS;
    use crate::sync::AtomicU64;

    const SECOND: u64 = 1_000_000;

    /// The bits live in files that processes of other builds read.
    #[test]
    fn a_lookback_is_kept_to_the_microsecond_and_only_grows() {
        let word = raised(5, 10 * SECOND);
        assert_eq!((10_000_000 << 24 | 5, 10 * SECOND), (word, lookback_us(word)));
        assert_eq!([word; 2], [SECOND, 10 * SECOND].map(|lookback_us| raised(word, lookback_us)));
        assert_eq!((10 * SECOND + 1, 1), (lookback_us(raised(word, 10 * SECOND + 1)), lookback_us(raised(0, 0))));
        assert_eq!(COUNT_MASK | 10_000_000 << 24, raised(COUNT_MASK, 10 * SECOND));
    }

    /// A count that is full runs into no reach.
    #[test]
    fn changes_are_counted_up_to_what_there_is_room_for() {
        let word = raised(COUNT_MASK - 1, 10 * SECOND);
        assert_eq!((COUNT_MASK, 10 * SECOND), (changes_of(changed(word)), lookback_us(changed(word))));
        assert_eq!(changed(word), changed(changed(word)));
    }

    #[test]
    fn any_bits_are_a_lookback_of_at_most_seven_days() {
        for unknown in [0, HORIZON_US + 1, u64::MAX >> SHIFT] {
            assert_eq!(HORIZON_US, lookback_us(unknown << SHIFT), "{unknown}");
        }
        assert_eq!([1, HORIZON_US], [1, HORIZON_US].map(|reach| lookback_us(reach << SHIFT)));
        assert_eq!(HORIZON_US, lookback_us(raised(0, HORIZON_US)));
    }

    /// Those that are exactly as old as the window count, as they do for a breaker; and none behind a success.
    #[test]
    fn failures_of_the_window_that_are_young_enough_are_counted() {
        let (cell, log) = (Cell::new(), [0; 4].map(AtomicU64::new));
        let fuse = Fuse::new(&cell, &log);
        let within = |now_us| fuse.within_lookback(fuse.word(), fuse.log.last(fuse.word().head()), now_us);
        for at in [10, 11, 12, 13, 20, 20] {
            fuse.record_failure(SECOND, at * SECOND);
        }
        assert_eq!(
            [4, 2],
            [20 * SECOND, 20 * SECOND + HORIZON_US].map(within),
            "nobody has said how far back he looks"
        );
        fuse.note_lookback(8 * SECOND);
        let at = [20 * SECOND, 20 * SECOND + 1, 21 * SECOND, 21 * SECOND + 1, 28 * SECOND, 28 * SECOND + 1];
        assert_eq!([4, 3, 3, 2, 2, 0], at.map(within));
        assert!(fuse.record_success(20 * SECOND));
        assert_eq!(0, within(20 * SECOND));
    }

    #[test]
    fn the_longest_of_a_policys_windows_counts() {
        let rate = |span| Some(Rate { span, bad_ppm: 1, min_calls: 1, slow_us: 0 });
        let with = |rates: [Option<Rate>; RATE_WINDOWS]| Policy { rates, ..Policy::DEFAULT };
        assert_eq!(10 * SECOND, Policy::DEFAULT.lookback_us());
        assert_eq!(HORIZON_US, Policy { window_us: u64::MAX, ..Policy::DEFAULT }.lookback_us());
        assert_eq!(80 * SECOND, with([rate(70 * SECOND), None, rate(7 * SECOND), None]).lookback_us());
        assert_eq!(10 * SECOND, with([None, None, rate(7 * SECOND), None]).lookback_us());
        assert_eq!(HORIZON_US, with([None, rate(1), None, None]).lookback_us());
        assert_eq!(8, Policy { threshold: 0, ..with([rate(7), None, None, None]) }.lookback_us());
    }
}
