//! A name's claim to a slot, and how it ends.
//!
//! A slot has one claim after another. A claim ends with one swap of the fuse word, from an idle word to
//! [`State::Vacant`] in a later generation. The fuse word decides this as it decides everything else, so each operation
//! on the fuse comes before the end or after it. Calls that are under way are of an older generation from then on, and
//! their outcomes are late. Only after that does the key become *gone*. The word becomes that of a fuse never seen only
//! while the next claim stands in the key. Generations grow through all of it, so nothing that belongs to one claim
//! fits the next one.
//!
//! **Stale handles.** A handle of a slot reads the key *after* each read of the word ([`Fuse::mine`]). If the
//! key still stands, the word is of this claim, or of its end. If a swap of that word succeeds, no other claim came in
//! between. So the check needs no step of its own in the swap.

use crate::cell::Cell;
use crate::fuse::Fuse;
use crate::key::{Key, Owner};
use crate::state::State;
use crate::time::{HORIZON_US, age};
use crate::transition::Cause;
use crate::word::Word;

/// How long a slot belongs to nobody after its fuse was removed, in microseconds.
pub const QUARANTINE_US: u64 = 60_000_000;

/// How long a fuse must have been closed for each failed probe in a row until it is idle, in microseconds; seven days
/// in all at most. By most policies the probes have stopped making open times longer by then. Nobody here knows whose
/// policy it is.
pub const FAILED_PROBE_US: u64 = 60 * QUARANTINE_US;

/// A name's right to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotClaim {
    /// The slot.
    pub slot: usize,
    /// What stands in its key as long as the claim lasts.
    pub owner: Owner,
}

impl SlotClaim {
    /// The fuse word, unless the claim is over.
    #[must_use]
    pub fn word(self, keys: &[Key], cells: &[Cell]) -> Option<Word> {
        let word = cells.get(self.slot)?.load();
        // The key after the word: if it still stands, the word is of this claim.
        let is_over = word.state() == State::Vacant || keys.get(self.slot)?.owner() != self.owner;
        (!is_over).then_some(word)
    }
}

impl Fuse<'_> {
    /// Ends the claim if the fuse is idle (rule R28); whether it did. Outcomes of calls that are under way are late.
    pub fn vacate(self, now_us: u64) -> bool {
        loop {
            let Some(seen) = self.mine().filter(|seen| self.is_idle(*seen, now_us)) else { return false };
            if self.change(seen, seen.moved_to(State::Vacant, now_us), Cause::Unknown).is_some() {
                return true;
            }
        }
    }

    /// Whether the fuse could be removed at this moment.
    #[must_use]
    pub fn is_idle_now(self, now_us: u64) -> bool {
        self.mine().is_some_and(|seen| self.is_idle(seen, now_us))
    }

    /// Whether nothing would be forgotten with the fuse: it is closed or never seen, no breaker of it looks back to a
    /// failure, and no failed probes make its open times longer.
    pub(crate) fn is_idle(self, seen: Word, now_us: u64) -> bool {
        let is_closed = matches!(seen.state(), State::Unseen | State::Closed);
        let spared_us = (self.cell.failed_probes() * FAILED_PROBE_US).min(HORIZON_US);
        is_closed && age(now_us, seen.generation()) >= spared_us && self.is_beyond_lookback(seen, now_us)
    }
}
