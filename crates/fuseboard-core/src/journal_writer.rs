//! How the transitions of a fuse get into the journal (rule T14): each at least once, in their order, even if the
//! process that made one is killed.
//!
//! Three words of a fuse take part. The **fuse word** says which generation the fuse is in. The **journaled** word
//! holds the last generation that stands in the journal, and its state. The **note** says what causes a generation. Its
//! maker, the process that changes the state, writes it before the generation begins.
//!
//! * `announce` runs before the swap of the fuse word. It first completes the journal, because a process that ends a
//!   generation must make sure that the journal has it. So the records of one fuse stand in their order, and the state
//!   before a transition is always the state that was journaled last.
//! * `write_down` runs after the swap. If its process is killed in between, the record is missing until the next
//!   transition, or until the next call that a closed fuse does not let pass at once. A reader does not write the
//!   record, but gets it from the fuse (`unjournaled`).
//!
//! **The race that looks wrong and is not.** Two processes write their notes and then swap; the note that stands last
//! may be the loser's. Then the tag of the note, low bits of a generation, does not fit, and the cause reads as
//! unknown. Only if both generations would have begun in the same microsecond does the journal show the loser's cause
//! and process. The state and the generation are right in any case, because they come from the fuse word.

use crate::cell::Cell;
use crate::journal::{About, Journal, Record};
use crate::state::State;
use crate::sync::Ordering;
use crate::time::{STAMP_BITS, age, is_far_ahead};
use crate::transition::{Cause, Transition};
use crate::word::Word;

/// How long other processes wait before they write a transition down: its maker knows more about it.
const PATIENCE_US: u64 = 10_000;

const PID_BITS: u32 = 22;
const PID_MASK: u64 = (1 << PID_BITS) - 1;
const CAUSE_SHIFT: u32 = 24;
const TAG_SHIFT: u32 = 40;
const GENERATION_SHIFT: u32 = u64::BITS - STAMP_BITS;

/// What causes a generation: the low 24 bits of its stamp as a tag, the cause, and the process.
#[derive(Clone, Copy)]
struct Note(u64);

impl Note {
    fn new(next: Word, cause: Cause, pid: u32) -> Self {
        Self(next.generation() << TAG_SHIFT | (cause as u64) << CAUSE_SHIFT | u64::from(pid) & PID_MASK)
    }

    /// The cause and the process of the generation that `seen` is in, if the note of `cell` belongs to it.
    fn of(cell: &Cell, seen: Word) -> (Cause, u32) {
        let note = cell.note.load(Ordering::Acquire);
        if note >> TAG_SHIFT != seen.generation() << TAG_SHIFT >> TAG_SHIFT {
            return (Cause::Unknown, 0);
        }
        (Cause::from_code((note >> CAUSE_SHIFT) as u8), (note & PID_MASK) as u32)
    }
}

/// The generation that was journaled last, and the state in it. Zeroes are a fuse never seen.
#[derive(Clone, Copy)]
struct Journaled(u64);

impl Journaled {
    fn new(generation: u64, state: State) -> Self {
        Self(generation << GENERATION_SHIFT | state as u64)
    }

    fn of(cell: &Cell) -> Self {
        Self(cell.journaled.load(Ordering::Acquire))
    }

    fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }

    fn state(self) -> State {
        State::from_code((self.0 & 0b111) as u8).visible()
    }
}

/// What a record says beside its states: cause, process and texts.
type Known = (Cause, u32, About);

/// Where the transitions of one fuse are written down, and by which process.
#[derive(Clone, Copy)]
pub struct JournalWriter<'a> {
    /// The journal of the fuse's table.
    pub journal: Journal<'a>,
    /// The fuse's slot in that table.
    pub slot: u32,
    /// This process, for people; 0 if it has no number that means anything to them.
    pub pid: u32,
}

impl JournalWriter<'_> {
    /// Runs before `seen` is swapped for `next`, a word of a later generation: completes the journal up to `seen`, and
    /// notes the cause of `next`.
    pub(crate) fn announce(self, cell: &Cell, seen: Word, next: Word, cause: Cause) {
        // Only damage makes `seen` later than `next`, and damage is no transition to write down.
        if next.generation() > seen.generation() {
            self.complete(cell, seen);
        }
        // Release: the swap that follows publishes the note. Before the swap nobody looks for this generation.
        cell.note.store(Note::new(next, cause, self.pid).0, Ordering::Release);
    }

    /// Writes down a transition that this process has just made, with what it knows about it.
    pub(crate) fn write_down(self, cell: &Cell, made: Transition, about: About) {
        self.write(cell, made.to, made.generation, (made.cause, self.pid, about));
    }

    /// Makes sure that the journal has the generation of `seen`.
    pub(crate) fn complete(self, cell: &Cell, seen: Word) {
        if Journaled::of(cell).generation() < seen.generation() {
            let (cause, pid) = Note::of(cell, seen);
            self.write(cell, seen.state().visible(), seen.generation(), (cause, pid, About::NOTHING));
        }
    }

    /// [`Self::complete`], if the maker of the transition has had time enough.
    pub(crate) fn complete_late(self, cell: &Cell, seen: Word, now_us: u64) {
        if age(now_us, seen.generation()) >= PATIENCE_US {
            self.complete(cell, seen);
        }
    }

    /// Appends the transition to this generation, unless it is journaled, and moves the journaled word on. Nobody ends
    /// a generation before it is journaled, so what is journaled now is the generation before.
    fn write(self, cell: &Cell, to: State, generation: u64, known: Known) {
        let journaled = Journaled::of(cell);
        if journaled.generation() >= generation {
            return;
        }
        if let Some(record) = record_of(cell, self.slot, journaled, (to, generation), known) {
            self.journal.append(record);
        }
        // AcqRel: a process that sees the new value sees that a number of the journal was taken. The swap fails only if
        // another process has journaled this generation, or a later one.
        let next = Journaled::new(generation, to);
        _ = cell.journaled.compare_exchange(journaled.0, next.0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// The record of a transition; `None` for a change that is no event. The first use of a fuse is none, nor is a reset of
/// a closed one, because a fuse never seen is closed.
fn record_of(
    cell: &Cell,
    slot: u32,
    before: Journaled,
    (to, generation): (State, u64),
    (cause, pid, about): Known,
) -> Option<Record> {
    let from = before.state();
    from.is_event(to).then(|| {
        let until_us = cell.override_until_us(Word::new(generation, 0, false, to)).unwrap_or(0);
        Record { slot, generation, from, to, cause, pid, until_us, about }
    })
}

/// What [`JournalWriter::complete`] would write, for readers: nothing is changed.
///
/// A transition that was made before this call is in its answer, or in the journal if the journal is read after it. If
/// the answer is a record, all earlier transitions of the fuse are in the journal.
pub(crate) fn unjournaled(cell: &Cell, slot: u32) -> Option<Record> {
    // The fuse word first: nobody ends a generation before it is journaled, so the journaled word is then of this
    // generation or of the one before.
    let seen = cell.load();
    let (cause, pid) = Note::of(cell, seen);
    let journaled = Journaled::of(cell);
    let is_news = journaled.generation() < seen.generation();
    let known = (cause, pid, About::NOTHING);
    record_of(cell, slot, journaled, (seen.state().visible(), seen.generation()), known).filter(|_| is_news)
}

/// Removes what damage left in the journaled word, so that later transitions are journaled: a generation far ahead, one
/// that the fuse has not come to, or another state than the fuse is in.
pub(crate) fn mend(cell: &Cell, now_us: impl Fn() -> u64) {
    let journaled = Journaled::of(cell);
    // Read after the journaled word, so in a sound fuse it is of no earlier generation.
    let word = cell.load();
    let is_at_odds = journaled.generation() == word.generation() && journaled.state() != word.state().visible();
    if is_at_odds || journaled.generation() > word.generation() || is_far_ahead(now_us(), journaled.generation()) {
        _ = cell.journaled.compare_exchange(journaled.0, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;
    use crate::journal::{Head, RingSlot};

    /// T14: a close whose maker was killed right after it gets into the journal, although a rival's note replaced its
    /// own.
    #[test]
    fn a_close_under_a_rivals_note_is_journaled() {
        let cell = Cell::new();
        let (head, ring) = (Head::new(), [(); 4].map(|()| RingSlot::new()));
        let writer = JournalWriter { journal: Journal::new(&head, &ring), slot: 0, pid: 7 };
        let half_open = Word::new(1_000, 0, false, State::HalfOpen);
        let (closed, opened) = (half_open.moved_to(State::Closed, 2_000), half_open.moved_to(State::Open, 2_001));
        writer.complete(&cell, half_open);
        writer.announce(&cell, half_open, closed, Cause::ProbesSucceeded);
        writer.announce(&cell, half_open, opened, Cause::ProbeFailed);
        cell.word.store(closed.0, Ordering::Relaxed);
        writer.complete(&cell, cell.load());
        let journaled = writer.journal.read(1).map(|record| (record.from, record.to, record.generation));
        assert_eq!(Some((State::HalfOpen, State::Closed, 2_000)), journaled);
    }
}
