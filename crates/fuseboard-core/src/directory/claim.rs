//! Whose a fuse is: removing an idle one, and knowing that one was removed.
//!
//! A slot has one claim after the other. A **claim** ends by one swap of the fuse word, from an idle word to
//! [`State::Vacant`] in a later generation: the word decides, as it decides all else, so what an operation on the fuse has
//! done or will do falls before the end or behind it. What is under way in the claim is of an older generation from then on,
//! and late. The key is made gone only behind that, and the word becomes a fuse never seen only while the next claim's
//! claim stands. Generations grow through all of it, so nothing of a claim can be taken for the next one's.
//!
//! **Stale handles.** Whoever holds on to a slot checks, *behind* each look at the word, that the key is what it was. If it
//! is, the word that was looked at is of the claim, or of its end; and if that word is swapped then, no other
//! claim was in between. So the check needs no step of its own in the swap.

use crate::directory::QUARANTINE_US;
use crate::fuse::Fuse;
use crate::journal::Cause;
use crate::key::{Key, Owner};
use crate::state::State;
use crate::time::{HORIZON_US, age};
use crate::word::Word;

/// How long a fuse must have been closed for each failed probe in a row until it counts as idle, in microseconds, and seven days
/// at most: longer than it takes by most policies until that makes no open time longer. Whose policy it is, nobody here knows.
pub const FAILED_PROBE_US: u64 = 60 * QUARANTINE_US;

impl<'a> Fuse<'a> {
    /// The fuse, for as long as this stands in its key. Then operations do nothing and say so.
    #[must_use]
    pub const fn with_claim(self, key: &'a Key, owner: Owner) -> Self {
        Self { claim: Some((key, owner)), ..self }
    }

    /// The fuse word, if the fuse is the claim's still. Of a fuse without a claim in any case.
    #[must_use]
    pub fn mine(self) -> Option<Word> {
        let seen = self.word();
        let Some((key, owner)) = self.claim else { return Some(seen) };
        (seen.state() != State::Vacant && key.owner() == owner).then_some(seen)
    }

    /// Ends the claim if the fuse is idle: closed or never seen, no failure that a breaker of it looks back to, no failed
    /// probes that make its open times longer. Outcomes of calls that are under way are late. Says whether it did.
    pub fn vacate(self, now_us: u64) -> bool {
        loop {
            let Some(seen) = self.mine().filter(|seen| self.is_idle(*seen, now_us)) else { return false };
            if self.change(seen, seen.moved_to(State::Vacant, now_us), Cause::Unknown).is_some() {
                return true;
            }
        }
    }

    /// Whether it could be removed just now.
    #[must_use]
    pub fn is_idle_now(self, now_us: u64) -> bool {
        self.mine().is_some_and(|seen| self.is_idle(seen, now_us))
    }

    /// Whether nothing would be forgotten with the fuse.
    pub(crate) fn is_idle(self, seen: Word, now_us: u64) -> bool {
        let is_closed = matches!(seen.state(), State::Unseen | State::Closed);
        let spared_us = (self.failed_probes() * FAILED_PROBE_US).min(HORIZON_US);
        is_closed && age(now_us, seen.generation()) >= spared_us && self.is_beyond_lookback(seen, now_us)
    }
}
