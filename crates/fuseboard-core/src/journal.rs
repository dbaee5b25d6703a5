//! The journal: a ring of records of transitions. Any process writes it, and it is readable after every process is dead
//! (rule T14).
//!
//! **Appending.** A writer takes a number, writes the words of the record into the ring slot of that number, and writes
//! the check word last. The check word is a hash of the other words and of the number. A record is there if its check
//! word fits. So a writer that is killed leaves a hole, and one that is stopped for a whole lap can at most spoil a
//! later record. Neither passes for a record.
//!
//! How the transitions of a fuse get here, each at least once and in their order, is in [`crate::journal_writer`]. Two
//! processes may write the same record, so a reader drops a record that is not later than what it has read of that
//! fuse.

use std::ops::Range;

use crate::sealed::check_of;
use crate::state::State;
use crate::sync::{AtomicU64, Ordering};
use crate::time::STAMP_MAX;
use crate::transition::Cause;

/// Records in the ring, a power of two.
pub const RECORDS: usize = 2048;
/// Longest first text of a record, in bytes.
pub const FIRST_MAX: usize = if cfg!(fuseboard_loom) { 6 } else { 95 };
/// Longest second text.
pub const SECOND_MAX: usize = ABOUT_BYTES - 2 - FIRST_MAX;

const ABOUT_WORDS: usize = if cfg!(fuseboard_loom) { 1 } else { 27 };
const ABOUT_BYTES: usize = ABOUT_WORDS * 8;
/// The last word is reserved.
const BODY: usize = 4 + ABOUT_WORDS;

/// Two texts about a transition: the name of an exception's class, or who made a manual override and why. Longer texts
/// are cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct About([u64; ABOUT_WORDS]);

impl About {
    /// Nothing more to say.
    pub const NOTHING: Self = Self([0; ABOUT_WORDS]);

    /// One text, of up to [`FIRST_MAX`] bytes.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        Self::pair(text, b"")
    }

    /// Two texts, of up to [`FIRST_MAX`] and [`SECOND_MAX`] bytes.
    #[must_use]
    pub fn pair(first: &[u8], second: &[u8]) -> Self {
        let (first, second) = (&first[..first.len().min(FIRST_MAX)], &second[..second.len().min(SECOND_MAX)]);
        let lengths = [first.len() as u8, second.len() as u8];
        let mut words = [0; ABOUT_WORDS];
        for (i, byte) in lengths.iter().chain(first).chain(second).enumerate() {
            words[i / 8] |= u64::from(*byte) << (i % 8 * 8);
        }
        Self(words)
    }

    /// The bytes of both texts. Their lengths are brought into range, whatever stood there (rule T10).
    #[must_use]
    pub fn texts(self) -> [Vec<u8>; 2] {
        let bytes: Vec<u8> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        let first = usize::from(bytes[0]).min(FIRST_MAX);
        let second = usize::from(bytes[1]).min(SECOND_MAX);
        [bytes[2..2 + first].to_vec(), bytes[2 + first..2 + first + second].to_vec()]
    }
}

impl std::fmt::Debug for About {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.texts().map(|text| String::from_utf8_lossy(&text).into_owned()))
    }
}

/// One transition, as it stands in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The slot of the fuse.
    pub slot: u32,
    /// The generation that began: its stamp in microseconds.
    pub generation: u64,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why it happened.
    pub cause: Cause,
    /// The process that made it, for people; 0 if not known.
    pub pid: u32,
    /// When a manual override ends, in microseconds of the clock; 0 for never, and for other transitions.
    pub until_us: u64,
    /// More about it.
    pub about: About,
}

impl Record {
    fn to_words(self) -> [u64; BODY] {
        let mut words = [0; BODY];
        words[0] = self.generation << 16 | (self.from as u64) << 12 | (self.to as u64) << 8 | self.cause as u64;
        words[1] = u64::from(self.pid) << 32 | u64::from(self.slot);
        words[2] = self.until_us;
        words[3..3 + ABOUT_WORDS].copy_from_slice(&self.about.0);
        words
    }

    fn from_words(words: &[u64; BODY]) -> Self {
        let state = |shift: u32| State::from_code((words[0] >> shift & 0b111) as u8);
        let mut about = About::NOTHING;
        about.0.copy_from_slice(&words[3..3 + ABOUT_WORDS]);
        Self {
            slot: words[1] as u32,
            generation: words[0] >> 16 & STAMP_MAX,
            from: state(12),
            to: state(8),
            cause: Cause::from_code(words[0] as u8),
            pid: (words[1] >> 32) as u32,
            until_us: words[2],
            about,
        }
    }
}

/// The place of one record. Any bytes are a valid one; zeroes are an empty one.
#[repr(C)]
#[derive(Debug)]
pub struct RingSlot {
    check: AtomicU64,
    body: [AtomicU64; BODY],
}

impl RingSlot {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { check: AtomicU64::new(0), body: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Default for RingSlot {
    fn default() -> Self {
        Self::new()
    }
}

/// The words of the journal beside the ring.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Head {
    /// The next number.
    next: AtomicU64,
    reserved: [AtomicU64; 15],
}

impl Head {
    /// The head of an empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self { next: AtomicU64::new(0), reserved: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Default for Head {
    fn default() -> Self {
        Self::new()
    }
}

/// The journal of a table. Free to copy; every method may be called by any process at any time.
#[derive(Clone, Copy)]
pub struct Journal<'a> {
    head: &'a Head,
    ring: &'a [RingSlot],
}

impl<'a> Journal<'a> {
    /// The journal in these words.
    ///
    /// # Panics
    /// If the length of the ring is not a power of two.
    #[must_use]
    pub fn new(head: &'a Head, ring: &'a [RingSlot]) -> Self {
        assert!(ring.len().is_power_of_two(), "{} ring slots", ring.len());
        Self { head, ring }
    }

    /// The number that the next record will have: how many were ever begun.
    #[must_use]
    pub fn next(self) -> u64 {
        // Acquire: a process that sees that a number was taken sees what its writer had seen of the fuse.
        self.head.next.load(Ordering::Acquire)
    }

    /// The oldest number whose record may still be there.
    #[must_use]
    pub fn oldest(self) -> u64 {
        self.span().start
    }

    /// The numbers whose records may still be there.
    #[must_use]
    pub fn span(self) -> Range<u64> {
        let next = self.next();
        next.saturating_sub(self.ring.len() as u64)..next
    }

    /// Appends a record.
    pub fn append(self, record: Record) {
        let number = self.head.next.fetch_add(1, Ordering::AcqRel);
        let (slot, words) = (self.ring_slot(number), record.to_words());
        for (word, value) in slot.body.iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
        // Release: a reader that sees the check word sees these words, or later words that do not fit it.
        slot.check.store(check_of(number, &words), Ordering::Release);
    }

    /// Takes away what damage left in the head: a number so large that nobody can have taken it. Otherwise the numbers
    /// would overflow, and readers would not find the earlier records.
    pub fn mend(self) {
        let next = self.next();
        if next > u64::MAX / 2 {
            // Fails only if somebody takes a number at this moment, or mends.
            _ = self.head.next.compare_exchange(next, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// The record of a number; `None` for a hole, a half-written record, and one that a later lap has overwritten.
    #[must_use]
    pub fn read(self, number: u64) -> Option<Record> {
        let slot = self.ring_slot(number);
        let check = slot.check.load(Ordering::Acquire);
        let words = std::array::from_fn(|i| slot.body[i].load(Ordering::Relaxed));
        (check == check_of(number, &words)).then(|| Record::from_words(&words))
    }

    fn ring_slot(&self, number: u64) -> &'a RingSlot {
        &self.ring[number as usize & (self.ring.len() - 1)]
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests;
