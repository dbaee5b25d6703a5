//! When a manual override ends (rule R12).
//!
//! An override begins with a swap of the fuse word, and has no end at that moment. Then its maker writes into a second
//! word how long it lasts: microseconds since its generation (40 bits), and a tag, which is the low 24 bits of that
//! generation. A maker that is killed in between leaves an endless override, never a shorter one. A time with another
//! tag belongs to another override and means nothing.

use crate::cell::Cell;
use crate::sync::Ordering;
use crate::time::{HORIZON_US, LEAD_US, age};
use crate::word::Word;

const TAG_BITS: u32 = 24;
const TAG_MASK: u64 = (1 << TAG_BITS) - 1;
const _: () = assert!(HORIZON_US << TAG_BITS >> TAG_BITS == HORIZON_US, "there is room for the longest override");

impl Cell {
    /// Writes down how long the override of a generation lasts, unless that override is over.
    pub(crate) fn limit_override(&self, generation: u64, for_us: u64) {
        let next = for_us << TAG_BITS | generation & TAG_MASK;
        loop {
            let seen = self.override_end.load(Ordering::Acquire);
            // Read the fuse word after `seen`: if a later override writes its end after this check, the swap fails.
            if self.load().generation() != generation {
                return;
            }
            if self.override_end.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    /// How long the override that began with a generation lasts, in microseconds; `None` if it is endless.
    fn override_lasts_us(&self, generation: u64) -> Option<u64> {
        let word = self.override_end.load(Ordering::Acquire);
        let is_its_own = word & TAG_MASK == generation & TAG_MASK;
        // A longer time than anybody can ask for is damage. An override that ends too early is worse than one that
        // stays.
        Some(word >> TAG_BITS).filter(|for_us| is_its_own && (1..=HORIZON_US).contains(for_us))
    }

    /// When the override of this word ends, in microseconds of the clock; `None` if it is endless or there is none.
    pub(crate) fn override_until_us(&self, seen: Word) -> Option<u64> {
        let lasts_us = self.override_lasts_us(seen.generation()).filter(|_| seen.state().is_overridden())?;
        Some(seen.generation() + lasts_us)
    }

    /// What is left of the override of this word, in microseconds; `None` if it is endless. It ends [`LEAD_US`] early,
    /// as an open time does.
    pub(crate) fn override_left_us(&self, seen: Word, now_us: u64) -> Option<u64> {
        Some(self.override_lasts_us(seen.generation())?.saturating_sub(age(now_us, seen.generation())))
    }

    /// Whether this word is a manual override whose time is not over.
    pub(crate) fn is_overridden(&self, seen: Word, now_us: u64) -> bool {
        seen.state().is_overridden() && self.override_left_us(seen, now_us).is_none_or(|left| left > LEAD_US)
    }
}
