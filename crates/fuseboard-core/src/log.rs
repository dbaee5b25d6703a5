//! The failure log: a ring of stamps, one word each. The head in the fuse word says how many of them count.
//!
//! **Words.** The entry of index `h` is entry `h mod len`. It is *counted* once the head has moved past `h`; before
//! that it is an *attempt*. An entry carries its **stamp** and its **run**: how many failures, with this one, the
//! window has seen since it was last cleared.
//!
//! **Appending** takes two steps. First an attempt is put into the entry of `head` with a compare-and-swap. Then the
//! fuse word is swapped for one whose head is one further and, if this failure trips, whose state is open. Only the
//! second step counts. A writer that is killed before it has recorded nothing. A writer that is killed after it has
//! recorded the failure, and tripped if it had to. The next writer puts its own attempt over a dead writer's.
//!
//! **The race that looks wrong and is not.** B reads A's attempt for index `h`; A counts it; then B's compare-and-swap
//! replaces the entry, which now counts, with B's attempt for the same index. Nothing is lost. A's failure stays
//! counted. B's swap of the fuse word fails, and B goes on to `h + 1`. The stamp that now stands at `h` is B's. It is
//! never earlier than A's, and B read its clock while A's operation was under way, so it is a right stamp for A's
//! failure too.
//!
//! **The race that must not happen.** B reads the fuse word, is stopped for a whole lap of the ring, and then writes
//! over an entry that counts. So B reads the entry first, then checks that the fuse word is unchanged, and only then
//! swaps the entry. If the ring was lapped before the check, the fuse word differs. If it is lapped after the check,
//! the entry differs and the swap fails.
//!
//! Within a run, stamps go back by no more than the clocks of racing writers differ, which is nothing on one host. So
//! "how many of the last `n` are within the window" is a binary search, and "are there `threshold` of them" is one look
//! at the entry `threshold - 1` back.

use crate::sync::{AtomicU64, Ordering};
use crate::time::{STAMP_BITS, is_far_ahead, not_before};
use crate::word::Word;

/// A stamp that stands in the entry, and is ahead of ours by less than this, may be a rival's attempt.
const NEAR_US: u64 = 1_000_000;
const RUN_SHIFT: u32 = STAMP_BITS;
const STAMP_MASK: u64 = (1 << STAMP_BITS) - 1;

/// One entry of the log: any 64 bits are a valid one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry(u64);

impl Entry {
    const fn new(stamp: u64, run: u16) -> Self {
        Self((run as u64) << RUN_SHIFT | (stamp & STAMP_MASK))
    }

    pub(crate) const fn stamp(self) -> u64 {
        self.0 & STAMP_MASK
    }

    pub(crate) const fn run(self) -> u16 {
        (self.0 >> RUN_SHIFT) as u16
    }
}

/// A fuse's ring of entries. Its length is a power of two, at most [`crate::word::LOG_MAX`].
#[derive(Clone, Copy)]
pub(crate) struct Log<'a>(pub(crate) &'a [AtomicU64]);

impl Log<'_> {
    pub(crate) fn len(self) -> u64 {
        self.0.len() as u64
    }

    fn place(&self, index: u64) -> &AtomicU64 {
        &self.0[index as usize & (self.0.len() - 1)]
    }

    /// The entry `back` before `index`. Relaxed: the fuse word has published what is counted.
    pub(crate) fn entry(self, index: u64, back: u64) -> Entry {
        Entry(self.place(index.wrapping_sub(back)).load(Ordering::Relaxed))
    }

    /// The last counted entry. Acquire, for a reader that reads the fuse word again after it.
    pub(crate) fn last(self, head: u64) -> Entry {
        Entry(self.place(head.wrapping_sub(1)).load(Ordering::Acquire))
    }

    /// Writes an attempt for the head of `seen`, the value of `word`. `None` if the fuse changed in between.
    pub(crate) fn attempt(self, word: &AtomicU64, seen: Word, now_us: u64) -> Option<Entry> {
        // Acquire on both entries: the writer of an entry of a later lap had seen a later fuse word, and so do we
        // below.
        let previous = self.last(seen.head());
        let place = self.place(seen.head());
        let found = Entry(place.load(Ordering::Acquire));
        if word.load(Ordering::Acquire) != seen.0 {
            return None;
        }
        let mine = next_entry(seen, previous, found, now_us);
        // Release on the entry: a process that reads the entry sees the fuse word that we saw (see the line above).
        place.compare_exchange(found.0, mine.0, Ordering::AcqRel, Ordering::Relaxed).ok().map(|_| mine)
    }

    /// Takes away the entries that are farther ahead than any sound process writes them. The caller clears the window
    /// in which they may count.
    pub(crate) fn drop_far_ahead(self, now_us: impl Fn() -> u64) {
        let began_us = now_us();
        for place in self.0 {
            let found = Entry(place.load(Ordering::Acquire));
            // The clock again, after the look: we may have been stopped for long in between.
            if is_far_ahead(began_us, found.stamp()) && is_far_ahead(now_us(), found.stamp()) {
                _ = place.compare_exchange(found.0, 0, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
    }

    /// Whether the last `n` failures, the attempt `last` at `head` included, lie within `window_us` of it. Never for an
    /// `n` of 0, which is a policy without a threshold.
    pub(crate) fn reaches(self, head: u64, last: Entry, n: u32, window_us: u64) -> bool {
        let oldest = last.stamp().saturating_sub(window_us);
        n > 0 && u32::from(last.run()) >= n && (n == 1 || self.entry(head, u64::from(n) - 1).stamp() >= oldest)
    }

    /// How many failures of the window, the entry `last` at `head` included, have a stamp of `oldest` or later; at most
    /// the log's length. A binary search over the entries of this run.
    pub(crate) fn count(self, head: u64, last: Entry, oldest: u64) -> u32 {
        let (mut known, mut beyond) = (0, u64::from(last.run()).min(self.len()));
        while known + 1 < beyond {
            let middle = known.midpoint(beyond);
            if self.entry(head, middle).stamp() >= oldest { known = middle } else { beyond = middle }
        }
        known as u32 + 1
    }
}

/// The attempt after `previous`: its run is one longer, and its stamp is not before any that may stand at this index.
fn next_entry(seen: Word, previous: Entry, found: Entry, now_us: u64) -> Entry {
    let mut stamp = not_before(now_us, seen.generation());
    let mut run = 1;
    if seen.is_dirty() {
        run = previous.run().saturating_add(1);
        stamp = not_before(stamp, previous.stamp());
    }
    let ahead = found.stamp().checked_sub(stamp);
    if found.run() == run || ahead.is_some_and(|ahead| ahead < NEAR_US) {
        // Perhaps a rival's attempt for this same index, perhaps even counted by now: never make it older. And never
        // write again what stood there, even if the clock stands still: a writer that was stopped for a lap would take
        // it for what it had read, and replace it.
        stamp = not_before(stamp, found.stamp() + 1);
    }
    Entry::new(stamp, run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

    /// What stood in the place never becomes older and is never put down again, if it may be a rival's attempt for the
    /// same index: one of the same run, or one near ahead. What is of an older lap is no floor.
    #[test]
    fn an_attempt_is_later_than_what_may_be_a_rivals() {
        let seen = Word::new(100, 0, true, State::Closed);
        let previous = Entry::new(1_000, 4);
        for (found, stamp) in [
            (Entry::new(2_000, 5), 2_001),
            (Entry::new(1_999, 5), 2_000),
            (Entry::new(2_000 + NEAR_US, 5), 2_001 + NEAR_US),
            (Entry::new(2_000, 9), 2_001),
            (Entry::new(1_999, 9), 2_000),
            (Entry::new(2_000 + NEAR_US - 1, 9), 2_000 + NEAR_US),
            (Entry::new(2_000 + NEAR_US, 9), 2_000),
            (Entry::new(2_001 + NEAR_US, 9), 2_000),
        ] {
            assert_eq!(Entry::new(stamp, 5), next_entry(seen, previous, found, 2_000), "{found:?}");
        }
    }
}
