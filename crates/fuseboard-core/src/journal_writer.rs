//! Writing transitions down: what a fuse adds to the journal, and what it adds for those who could not.
//!
//! Three words of a fuse take part. The fuse word says which generation it is in; **told** is the generation up to which
//! the journal knows of it, and the state in that; the **note** says what brings a generation about, and is put down
//! before the generation begins. Whoever ends a generation first sees to it that the journal knows of it, if its maker has
//! not come to that. So the records of one fuse stand in the journal in their order, the state before a transition is always
//! the one told last, and a transition whose maker was killed right behind it is missing only until somebody asks.
//!
//! A note is only a hint: of several who are about to end one generation, the one whose note stands last need not be the
//! one whose swap succeeds. Then the cause is not known; or, where both would have begun the generation of one microsecond,
//! who tells it for its maker takes the rival's cause and process for the maker's.

use crate::fuse::{Fuse, Transition};
use crate::journal::{About, Cause, Journal, Record};
use crate::state::State;
use crate::sync::Ordering;
use crate::time::{STAMP_BITS, age, is_far_ahead};
use crate::word::Word;

/// Where a fuse's transitions are written down, and by whom.
#[derive(Clone, Copy)]
pub struct JournalWriter<'a> {
    /// The journal of the fuse's table.
    pub journal: Journal<'a>,
    /// The fuse's slot there.
    pub slot: u32,
    /// This process, for people; 0 if it has no number that means anything to them.
    pub pid: u32,
}

/// How long those whom a fuse turns away leave it to a transition's maker to write it down: he knows more about it.
const PATIENCE_US: u64 = 10_000;

const PID_BITS: u32 = 22;
const PID_MASK: u64 = (1 << PID_BITS) - 1;
const CAUSE_SHIFT: u32 = 24;
const TAG_SHIFT: u32 = 40;
const JOURNALED_SHIFT: u32 = u64::BITS - STAMP_BITS;

/// What brings a generation about: the low 24 bits of its stamp, the cause, and the process.
#[derive(Clone, Copy)]
struct Note(u64);

impl Note {
    fn new(next: Word, cause: Cause, pid: u32) -> Self {
        Self(next.generation() << TAG_SHIFT | (cause as u64) << CAUSE_SHIFT | u64::from(pid) & PID_MASK)
    }

    /// The note, if it is of the generation that `word` is in.
    fn of(self, word: Word) -> Option<Self> {
        (self.0 >> TAG_SHIFT == word.generation() << TAG_SHIFT >> TAG_SHIFT).then_some(self)
    }

    fn cause(self) -> Cause {
        Cause::from_code((self.0 >> CAUSE_SHIFT) as u8)
    }

    fn pid(self) -> u32 {
        (self.0 & PID_MASK) as u32
    }
}

/// A generation and the state in it. Zeroes are a fuse never seen.
#[derive(Clone, Copy)]
struct Journaled(u64);

impl Journaled {
    fn new(generation: u64, state: State) -> Self {
        Self(generation << JOURNALED_SHIFT | state as u64)
    }

    fn generation(self) -> u64 {
        self.0 >> JOURNALED_SHIFT
    }

    fn state(self) -> State {
        State::from_code((self.0 & 0b111) as u8).visible()
    }
}

impl<'a> Fuse<'a> {
    /// The fuse, with its transitions written down.
    #[must_use]
    pub const fn with_journal_writer(self, writer: JournalWriter<'a>) -> Self {
        Self { writer: Some(writer), ..self }
    }

    /// Writes down a transition that this process made, which it has not done before; with what it knows of it. Nothing
    /// is lost if it never comes to it.
    pub fn write_down(self, transition: Transition, about: About) {
        let Some(writer) = self.writer else { return };
        let Transition { to, generation, cause, .. } = transition;
        self.tell(writer, to, generation, (cause, writer.pid, about));
    }

    /// Writes down the transition that the fuse made last, unless it is.
    pub fn catch_up(self) {
        self.see_journaled(self.word());
    }

    /// What [`Self::catch_up`] would write down, for those who only read: nothing is changed. The slot is the fuse's.
    ///
    /// Whoever sees a generation unjournaled finds all before it in the journal, and a transition that was made before this look is
    /// in its answer or in the journal, which is to be read behind it.
    #[must_use]
    pub fn unjournaled(self, slot: u32) -> Option<Record> {
        // The word in front of what is told. Nobody ends a generation unjournaled, so what is told is the one before, or this one.
        let seen = self.word();
        let (cause, pid) = self.noted(seen);
        let told = self.journaled();
        let is_news = told.generation() < seen.generation();
        let known = (cause, pid, About::NOTHING);
        self.record_of(slot, told, (seen.state().visible(), seen.generation()), known).filter(|_| is_news)
    }

    /// The record of a transition from what is told. A fuse that was never seen is closed: that it is used is no event, nor
    /// that it is reset while closed.
    fn record_of(
        self,
        slot: u32,
        told: Journaled,
        (to, generation): (State, u64),
        (cause, pid, about): (Cause, u32, About),
    ) -> Option<Record> {
        let from = told.state();
        from.is_event(to).then(|| {
            let until_us = self.until_us(Word::new(generation, 0, false, to)).unwrap_or(0);
            Record { slot, generation, from, to, cause, pid, until_us, about }
        })
    }

    /// Writes down the transition to `seen` if its maker has had time enough.
    pub(crate) fn journal_late(self, seen: Word, now_us: u64) {
        if age(now_us, seen.generation()) >= PATIENCE_US {
            self.see_journaled(seen);
        }
    }

    /// What is done before `seen` is swapped for a word of a later generation.
    pub(crate) fn announce(self, seen: Word, next: Word, cause: Cause) {
        let Some(writer) = self.writer else { return };
        // Only what damage left is later than what comes behind it; that is nothing to tell.
        if next.generation() > seen.generation() {
            self.see_journaled(seen);
        }
        // Release: the swap that follows hands it on; before that it is of a generation that nobody sees.
        self.cell.note.store(Note::new(next, cause, writer.pid).0, Ordering::Release);
    }

    /// Sees to it that the journal knows of the generation of `seen`.
    pub(crate) fn see_journaled(self, seen: Word) {
        let Some(writer) = self.writer else { return };
        if self.journaled().generation() >= seen.generation() {
            return;
        }
        let (cause, pid) = self.noted(seen);
        self.tell(writer, seen.state().visible(), seen.generation(), (cause, pid, About::NOTHING));
    }

    /// What the note says of the generation of `seen`, if it is that one's: the cause, and the process.
    fn noted(self, seen: Word) -> (Cause, u32) {
        let note = Note(self.cell.note.load(Ordering::Acquire)).of(seen);
        note.map_or((Cause::Unknown, 0), |note| (note.cause(), note.pid()))
    }

    fn journaled(self) -> Journaled {
        Journaled(self.cell.journaled.load(Ordering::Acquire))
    }

    /// Writes the transition to a generation down unless somebody has, and moves `told` on. Nobody ends a generation that
    /// is not told, so what is told is the generation before.
    fn tell(self, writer: JournalWriter<'_>, to: State, generation: u64, known: (Cause, u32, About)) {
        let told = self.journaled();
        if told.generation() >= generation {
            return;
        }
        if let Some(record) = self.record_of(writer.slot, told, (to, generation), known) {
            writer.journal.append(record);
        }
        // AcqRel: whoever sees it told sees the number taken. Lost only to somebody who told as much, or more.
        let now = Journaled::new(generation, to);
        _ = self.cell.journaled.compare_exchange(told.0, now.0, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Takes away what damage left, so that later transitions are told: what is far ahead, what the fuse has not come to
    /// yet, and another state than it is in.
    pub(crate) fn mend_journaled(self, now_us: impl Fn() -> u64) {
        let told = self.journaled();
        // Read behind what is told, so that in a sound fuse it is of no earlier generation.
        let word = self.word();
        let is_at_odds = told.generation() == word.generation() && told.state() != word.state().visible();
        if is_at_odds || told.generation() > word.generation() || is_far_ahead(now_us(), told.generation()) {
            _ = self.cell.journaled.compare_exchange(told.0, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;
    use crate::fuse::Cell;
    use crate::journal::{Head, RingSlot};
    use crate::sync::AtomicU64;

    /// T14: a close whose maker was killed behind it is told, although a rival's note stands over its own.
    #[test]
    fn a_close_under_a_rivals_note_is_told() {
        let (cell, log) = (Cell::new(), [0; 2].map(AtomicU64::new));
        let (head, places) = (Head::new(), [(); 4].map(|()| RingSlot::new()));
        let writer = JournalWriter { journal: Journal::new(&head, &places), slot: 0, pid: 7 };
        let fuse = Fuse::new(&cell, &log).with_journal_writer(writer);
        fuse.set(State::HalfOpen, 1_000);
        fuse.catch_up();
        let seen = fuse.word();
        let (closed, opened) = (seen.moved_to(State::Closed, 2_000), seen.moved_to(State::Open, 2_001));
        fuse.announce(seen, closed, Cause::ProbesSucceeded);
        fuse.announce(seen, opened, Cause::ProbeFailed);
        assert!(fuse.swap(seen, closed));
        fuse.catch_up();
        let told = writer.journal.read(1).map(|record| (record.from, record.to, record.generation));
        assert_eq!(Some((State::HalfOpen, State::Closed, 2_000)), told);
    }
}
