//! How far back the breakers of a fuse look: what a failure must be older than to mean nothing to any of them.
//!
//! Settings are not shared (rule R15), but whether a fuse can be given back must be known by whoever finds the table full. So
//! of the longest window that a breaker came with the **reach** is kept, as a power of two of microseconds, in the upper 8 bits
//! of the word that counts the changes of settings. It only grows while a tenancy lasts. 0, which is what raw operations leave,
//! is a reach that nobody knows, and counts as the longest.

use crate::fuse::Fuse;
use crate::policy::Policy;
use crate::rate::Measure;
use crate::sync::Ordering;
use crate::time::{HORIZON_US, age};
use crate::word::Word;

const SHIFT: u32 = 56;
const COUNT_MASK: u64 = (1 << SHIFT) - 1;

/// How often settings changed, of the word.
pub(crate) const fn changes_of(word: u64) -> u64 {
    word & COUNT_MASK
}

/// The reach of the word, in microseconds. Any bits are one.
const fn reach_us(word: u64) -> u64 {
    match word >> SHIFT {
        0 => HORIZON_US,
        power if power < u64::BITS as u64 && 1 << power < HORIZON_US => 1 << power,
        _ => HORIZON_US,
    }
}

/// The word once a breaker has come with this reach.
const fn raised(word: u64, reach_us: u64) -> u64 {
    let power = reach_us.next_power_of_two().trailing_zeros() as u64;
    let (before, power) = (word >> SHIFT, if power > 0 { power } else { 1 });
    (if power > before { power } else { before }) << SHIFT | changes_of(word)
}

impl Policy {
    /// How far back it looks, in microseconds: at most as far as anybody may.
    #[must_use]
    pub fn reach_us(&self) -> u64 {
        let of_rate = |(measure, rate): (Measure, crate::policy::Rate)| {
            // A call counts for up to a seventh longer. Of the last calls each counts for as long as no other comes.
            if measure.is_of_calls() { HORIZON_US } else { rate.span.saturating_add(rate.span / 7) }
        };
        let window_us = if self.threshold > 0 { self.window_us } else { 0 };
        self.measured().map(of_rate).fold(window_us, u64::max).clamp(1, HORIZON_US)
    }
}

impl Fuse<'_> {
    /// Notes how far back a breaker looks that comes to the fuse ([`Policy::reach_us`]).
    pub fn note_reach(self, reach_us: u64) {
        self.change_word(|seen| raised(seen, reach_us.min(HORIZON_US)));
    }

    /// Takes the count of changes away. The breakers stay, and look as far back as they did.
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

    /// Whether no failure of the window that `seen` holds means anything to any breaker of the fuse any more.
    pub(crate) fn is_out_of_reach(self, seen: Word, now_us: u64) -> bool {
        let is_out_of = |reach_us| age(now_us, self.log.last(seen.head()).stamp()) > reach_us;
        !seen.is_dirty() || is_out_of(reach_us(self.cell.settings_changes.load(Ordering::Relaxed)))
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;
    use crate::policy::Rate;
    use crate::rate::METERS;

    const SECOND: u64 = 1_000_000;

    /// The bits live in files that processes of other builds read.
    #[test]
    fn a_reach_is_the_next_power_of_two_and_only_grows() {
        let word = raised(5, 10 * SECOND);
        assert_eq!((24 << 56 | 5, 1 << 24), (word, reach_us(word)));
        assert_eq!(word, raised(word, SECOND));
        assert_eq!(1 << 25, reach_us(raised(word, (1 << 24) + 1)));
        assert_eq!((1 << 24, 2), (reach_us(raised(word, 1 << 24)), reach_us(raised(0, 1))));
        assert_eq!(COUNT_MASK | 24 << 56, raised(COUNT_MASK, 10 * SECOND));
    }

    #[test]
    fn any_bits_are_a_reach_of_at_most_seven_days() {
        assert!((0..=u64::MAX >> SHIFT).all(|power| (1..=HORIZON_US).contains(&reach_us(power << SHIFT))));
        for unknown in [0, 40, 41, 63, 64, 255] {
            assert_eq!(HORIZON_US, reach_us(unknown << SHIFT), "{unknown}");
        }
        assert_eq!(HORIZON_US, reach_us(raised(0, HORIZON_US)));
    }

    #[test]
    fn the_longest_of_a_policys_windows_counts() {
        let rate = |span| Some(Rate { span, bad_ppm: 1, min_calls: 1, slow_us: 0 });
        let with = |rates: [Option<Rate>; METERS]| Policy { rates, ..Policy::DEFAULT };
        assert_eq!(10 * SECOND, Policy::DEFAULT.reach_us());
        assert_eq!(HORIZON_US, Policy { window_us: u64::MAX, ..Policy::DEFAULT }.reach_us());
        assert_eq!(80 * SECOND, with([rate(70 * SECOND), None, rate(7 * SECOND), None]).reach_us());
        assert_eq!(10 * SECOND, with([None, None, rate(7 * SECOND), None]).reach_us());
        assert_eq!(HORIZON_US, with([None, rate(1), None, None]).reach_us());
        assert_eq!(8, Policy { threshold: 0, ..with([rate(7), None, None, None]) }.reach_us());
    }
}
