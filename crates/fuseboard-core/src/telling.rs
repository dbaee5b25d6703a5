//! Writing transitions down: what a fuse adds to the journal, and what it adds for those who could not.
//!
//! Three words of a fuse take part. The fuse word says which generation it is in; **told** is the generation up to which
//! the journal knows of it; the **note** says what brought a generation about, and is put down before the generation
//! begins. Whoever ends a generation first sees to it that the journal knows of it, from the note if its maker has not
//! come to it. So the records of one fuse stand in the journal in their order, and a transition whose maker was killed
//! right behind it is missing only until somebody asks.

use crate::fuse::{Fuse, Transition};
use crate::journal::{About, Cause, Journal, Record};
use crate::state::State;
use crate::sync::Ordering;
use crate::time::{age, is_far_ahead};
use crate::word::Word;

/// Where a fuse's transitions are written down, and by whom.
#[derive(Clone, Copy)]
pub struct Scribe<'a> {
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
const TAG_SHIFT: u32 = 40;

/// What brings a generation about: the low 24 bits of its stamp, the state before, the cause, and the process.
#[derive(Clone, Copy)]
struct Note(u64);

impl Note {
    fn new(seen: Word, next: Word, cause: Cause, pid: u32) -> Self {
        let (from, pid) = (seen.state() as u64, u64::from(pid) & PID_MASK);
        Self(next.generation() << TAG_SHIFT | from << 32 | (cause as u64) << 24 | pid)
    }

    /// The note, if it is of the generation that `word` is in.
    fn of(self, word: Word) -> Option<Self> {
        (self.0 >> TAG_SHIFT == word.generation() << TAG_SHIFT >> TAG_SHIFT).then_some(self)
    }

    fn from(self) -> State {
        State::from_code((self.0 >> 32 & 0b111) as u8)
    }

    fn cause(self) -> Cause {
        Cause::from_code((self.0 >> 24) as u8)
    }

    fn pid(self) -> u32 {
        (self.0 & PID_MASK) as u32
    }
}

impl<'a> Fuse<'a> {
    /// The fuse, with its transitions written down.
    #[must_use]
    pub const fn with_scribe(self, scribe: Scribe<'a>) -> Self {
        Self { scribe: Some(scribe), ..self }
    }

    /// Writes down a transition that this process made, which it has not done before; with what it knows of it. Nothing
    /// is lost if it never comes to it.
    pub fn write_down(self, transition: Transition, about: About) {
        let Some(scribe) = self.scribe else { return };
        let Transition { from, to, generation, cause } = transition;
        self.tell(generation, Record { slot: scribe.slot, generation, from, to, cause, pid: scribe.pid, about });
    }

    /// Writes down the transition that the fuse made last, unless it is.
    pub fn catch_up(self) {
        self.see_told(self.word());
    }

    /// Writes down the transition to `seen` if its maker has had time enough.
    pub(crate) fn tell_late(self, seen: Word, now_us: u64) {
        if age(now_us, seen.generation()) >= PATIENCE_US {
            self.see_told(seen);
        }
    }

    /// What is done before `seen` is swapped for a word of a later generation.
    pub(crate) fn announce(self, seen: Word, next: Word, cause: Cause) {
        let Some(scribe) = self.scribe else { return };
        self.see_told(seen);
        // Release: the swap that follows hands it on; before that it is of a generation that nobody sees.
        self.cell.note.store(Note::new(seen, next, cause, scribe.pid).0, Ordering::Release);
    }

    /// Sees to it that the journal knows of the generation of `seen`.
    pub(crate) fn see_told(self, seen: Word) {
        let Some(scribe) = self.scribe else { return };
        if self.cell.told.load(Ordering::Acquire) >= seen.generation() {
            return;
        }
        let note = Note(self.cell.note.load(Ordering::Acquire)).of(seen);
        let (from, cause, pid) =
            note.map_or((State::Unseen, Cause::Unknown, 0), |note| (note.from(), note.cause(), note.pid()));
        let (to, generation) = (seen.state().visible(), seen.generation());
        let from = from.visible();
        self.tell(generation, Record { slot: scribe.slot, generation, from, to, cause, pid, about: About::NOTHING });
    }

    /// Writes a record down unless somebody has, and moves `told` on.
    fn tell(self, generation: u64, record: Record) {
        let Some(scribe) = self.scribe else { return };
        let told = self.cell.told.load(Ordering::Acquire);
        if told >= generation {
            return;
        }
        // A fuse that was never seen is closed: that it is used is no event, nor that it is reset while closed.
        if record.from != record.to {
            scribe.journal.append(record);
        }
        // AcqRel: whoever sees it told sees the ticket taken. Lost only to somebody who told as much, or more.
        _ = self.cell.told.compare_exchange(told, generation, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Takes away what damage left, so that later transitions are told.
    pub(crate) fn mend_told(self, now_us: impl Fn() -> u64) {
        let told = self.cell.told.load(Ordering::Acquire);
        if is_far_ahead(now_us(), told) {
            _ = self.cell.told.compare_exchange(told, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }
}
