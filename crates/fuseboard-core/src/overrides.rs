//! Manual overrides: isolate, disable, and back (rule R12). Who made one, and why, stands in the table for people.

use crate::fuse::Fuse;
use crate::journal::{About, SECOND_MAX};
use crate::sealed::{Sealed, text_of, text_words};
use crate::state::State;
use crate::time::{HORIZON_US, STAMP_BITS};
use crate::transition::{Cause, Transition};
use crate::word::Word;

/// Longest `who`, the name of the person or program that makes an override, in bytes of UTF-8.
pub const WHO_MAX: usize = WHO_WORDS * 8 - 1;
/// Longest reason, in bytes of UTF-8.
pub const WHY_MAX: usize = WHY_WORDS * 8 - 1;

const WHO_WORDS: usize = if cfg!(fuseboard_loom) { 1 } else { 5 };
const WHY_WORDS: usize = if cfg!(fuseboard_loom) { 1 } else { 14 };
const WORDS: usize = WHO_WORDS + WHY_WORDS;
const _: () = assert!(cfg!(fuseboard_loom) || SECOND_MAX >= WHY_MAX, "the journal has room for a reason");

/// What somebody wants a fuse to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override<'a> {
    /// The state that the fuse is to be in: isolated, disabled, or closed, which ends an override.
    pub state: State,
    /// How long the override lasts, in microseconds, at most [`HORIZON_US`]; 0 for no end.
    pub for_us: u64,
    /// Who makes it; empty if that is not said. At most [`WHO_MAX`] bytes.
    pub who: &'a str,
    /// Why; empty if that is not said. At most [`WHY_MAX`] bytes.
    pub why: &'a str,
}

impl Override<'_> {
    /// An override without an end, a name or a reason.
    #[must_use]
    pub const fn new(state: State) -> Self {
        Self { state, for_us: 0, who: "", why: "" }
    }

    /// When the override ends that this transition began, in microseconds of the clock; 0 for never.
    #[must_use]
    pub const fn until_us(&self, made: &Transition) -> u64 {
        if self.for_us > 0 && self.state.is_overridden() { made.generation + self.for_us } else { 0 }
    }

    /// What the journal says about it.
    #[must_use]
    pub fn about(&self) -> About {
        About::pair(self.who.as_bytes(), self.why.as_bytes())
    }
}

/// Most notes in a table. In a table with more slots, some slots share a note, and the later override's note stands.
pub const OVERRIDE_NOTES_MAX: usize = 1 << OVERRIDE_NOTES_BITS;
const OVERRIDE_NOTES_BITS: u32 = 10;

/// Who made an override and why. Any bytes are a valid note.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct OverrideNote(Sealed<WORDS>);

/// The note of one slot, among those of a table. Free to copy.
#[derive(Clone, Copy)]
pub struct OverrideNotes<'a> {
    note: &'a OverrideNote,
    slot: usize,
}

impl<'a> OverrideNotes<'a> {
    /// The note of a slot among these, a power of two of them.
    #[must_use]
    pub fn new(notes: &'a [OverrideNote], slot: usize) -> Self {
        Self { note: &notes[slot & (notes.len() - 1)], slot }
    }

    /// Tells the overrides apart that share a note: the generation, and the upper bits of the slot.
    const fn tag(self, generation: u64) -> u64 {
        generation << (u64::BITS - STAMP_BITS) | (self.slot >> OVERRIDE_NOTES_BITS) as u64
    }

    /// Writes down who made the override of a generation and why, unless that override is over: a later one's note may
    /// stand there.
    pub fn note(self, generation: u64, manual: &Override<'_>, is_current: impl Fn() -> bool) {
        if manual.who.is_empty() && manual.why.is_empty() {
            return;
        }
        let (who, why): ([u64; WHO_WORDS], [u64; WHY_WORDS]) = (text_words(manual.who), text_words(manual.why));
        let mut words = [0; WORDS];
        words[..WHO_WORDS].copy_from_slice(&who);
        words[WHO_WORDS..].copy_from_slice(&why);
        let seen = self.note.0.seen();
        // Asked after the look: the write then fails only if another override is being noted at this moment.
        if is_current() {
            _ = self.note.0.write(seen, self.tag(generation), &words);
        }
    }

    /// Who made the override of a generation, and why; `None` for what was not said, or is not there whole.
    #[must_use]
    pub fn read(self, generation: u64) -> [Option<String>; 2] {
        let Some(words) = self.note.0.read(self.tag(generation)) else { return [None, None] };
        [text_of(&words[..WHO_WORDS]), text_of(&words[WHO_WORDS..])]
    }
}

impl Fuse<'_> {
    /// Applies an override in any state, and writes it down; `None` if the fuse was removed.
    pub fn apply_override(
        self,
        manual: &Override<'_>,
        notes: OverrideNotes<'_>,
        now_us: impl Fn() -> u64,
    ) -> Option<Transition> {
        let made = self.command(manual.state, now_us)?;
        if manual.state.is_overridden() {
            if manual.for_us > 0 {
                self.cell.limit_override(made.generation, manual.for_us.min(HORIZON_US));
            }
            notes.note(made.generation, manual, || self.word().generation() == made.generation);
        }
        self.write_down(made, manual.about());
        Some(made)
    }

    /// The transition of an override: puts the fuse into `state`, whatever state it is in, and takes away what damage
    /// left. `None` if the fuse was removed.
    pub fn command(self, state: State, now_us: impl Fn() -> u64) -> Option<Transition> {
        self.mending(&now_us, || {
            self.go_to(|_| state, Cause::Manual, &now_us, |seen, now_us| Some(seen.mended(now_us)))
        })
    }

    /// When the override of this word ends, in microseconds of the clock; `None` if it is endless or there is none.
    #[must_use]
    pub fn until_us(self, seen: Word) -> Option<u64> {
        self.cell.override_until_us(seen)
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;
    use crate::fuse::Cell;
    use crate::policy::Policy;
    use crate::sync::{AtomicU64, Ordering};
    use crate::time::AHEAD_US;

    const SECOND: u64 = 1_000_000;
    const NOW: u64 = 1_000 * SECOND;

    struct Bench {
        cell: Cell,
        log: [AtomicU64; 2],
        notes: [OverrideNote; 1],
    }

    impl Bench {
        fn new() -> Self {
            Self { cell: Cell::new(), log: [0; 2].map(AtomicU64::new), notes: [OverrideNote::default()] }
        }

        fn fuse(&self) -> Fuse<'_> {
            Fuse::new(&self.cell, &self.log)
        }

        fn apply(&self, state: State, for_us: u64, now_us: u64) -> Transition {
            let manual = Override { for_us, who: "alice", why: "drill", ..Override::new(state) };
            self.fuse()
                .apply_override(&manual, OverrideNotes::new(&self.notes, 0), || now_us)
                .expect("it is nobody's else")
        }

        /// What a call is answered at a time: whether it passes, in how long to come again, and the state behind it.
        fn call(&self, now_us: u64) -> (bool, Option<u64>, State) {
            let verdict = self.fuse().admit(&Policy::DEFAULT, now_us).verdict;
            let retry_us = verdict.err().and_then(|rejection| rejection.retry_after_us);
            (verdict.is_ok(), retry_us, self.fuse().word().state())
        }
    }

    #[test]
    fn an_isolation_says_what_is_left_and_the_first_call_behind_it_is_a_probe() {
        let bench = Bench::new();
        bench.apply(State::Isolated, 10 * SECOND, NOW);
        assert_eq!(Some(NOW + 10 * SECOND), bench.fuse().until_us(bench.fuse().word()));
        assert_eq!((false, Some(3 * SECOND), State::Isolated), bench.call(NOW + 7 * SECOND));
        assert_eq!(Ok(()), bench.fuse().would_admit(&Policy::DEFAULT, NOW + 10 * SECOND, |_| false));
        let admission = bench.fuse().admit(&Policy::DEFAULT, NOW + 10 * SECOND);
        assert!(admission.verdict.is_ok_and(|permit| permit.lease.is_some()));
        let made = admission.transition.map(|made| (made.from, made.to, made.cause));
        assert_eq!(Some((State::Isolated, State::HalfOpen, Cause::OverrideEnded)), made);
    }

    #[test]
    fn a_fuse_disabled_for_a_time_is_closed_by_the_first_call_behind_it() {
        let bench = Bench::new();
        bench.apply(State::Disabled, 10 * SECOND, NOW);
        assert_eq!((true, None, State::Disabled), bench.call(NOW + 9 * SECOND));
        assert_eq!((true, None, State::Closed), bench.call(NOW + 10 * SECOND));
    }

    /// R12: the last one counts, also one without an end.
    #[test]
    fn the_last_override_counts_whether_it_has_an_end_or_not() {
        let bench = Bench::new();
        bench.apply(State::Isolated, 10 * SECOND, NOW);
        bench.apply(State::Isolated, 0, NOW + SECOND);
        assert_eq!((false, None, State::Isolated), bench.call(NOW + 3_600 * SECOND));
        bench.apply(State::Isolated, 20 * SECOND, NOW + 3_600 * SECOND);
        assert_eq!((false, Some(20 * SECOND), State::Isolated), bench.call(NOW + 3_600 * SECOND));
        bench.apply(State::Closed, 0, NOW + 3_601 * SECOND);
        assert_eq!((true, None, State::Closed), bench.call(NOW + 3_601 * SECOND));
    }

    /// A time of damage, or of another generation, ends nothing.
    #[test]
    fn a_time_that_is_not_this_overrides_is_none() {
        let bench = Bench::new();
        let made = bench.apply(State::Isolated, 0, NOW);
        for lasts in [0, HORIZON_US + 1, (1 << 40) - 1] {
            bench.cell.override_end.store(lasts << 24 | made.generation & 0xff_ffff, Ordering::Relaxed);
            assert_eq!((false, None, State::Isolated), bench.call(NOW + 2 * HORIZON_US), "{lasts}");
        }
        bench.cell.override_end.store(SECOND << 24 | (made.generation + 1) & 0xff_ffff, Ordering::Relaxed);
        assert_eq!((false, None, State::Isolated), bench.call(NOW + 2 * SECOND));
        bench.cell.override_end.store(HORIZON_US << 24 | made.generation & 0xff_ffff, Ordering::Relaxed);
        assert_eq!((true, None, State::HalfOpen), bench.call(NOW + HORIZON_US));
    }

    /// A process that was stopped before it wrote its time down finds a later override.
    #[test]
    fn a_late_time_takes_no_later_overrides_place() {
        let bench = Bench::new();
        let early = bench.fuse().command(State::Isolated, || NOW).expect("nobody else's");
        bench.apply(State::Isolated, 60 * SECOND, NOW + SECOND);
        bench.cell.limit_override(early.generation, SECOND);
        assert_eq!((false, Some(60 * SECOND), State::Isolated), bench.call(NOW + SECOND));
    }

    /// A raw operation is no call; but a hold whose time is over stands against nothing any more.
    #[test]
    fn a_raw_operation_passes_a_hold_whose_time_is_over() {
        let bench = Bench::new();
        bench.apply(State::Isolated, 10 * SECOND, NOW);
        assert_eq!(None, bench.fuse().set(State::Open, NOW + 9 * SECOND));
        assert!(bench.fuse().set(State::Open, NOW + 10 * SECOND).is_some());
    }

    #[test]
    fn a_note_is_of_its_generation_and_bounded() {
        let words: [OverrideNote; 2] = Default::default();
        let (notes, other) = (OverrideNotes::new(&words, 1), OverrideNotes::new(&words, 1 + OVERRIDE_NOTES_MAX));
        let long = Override { who: &"w".repeat(99), why: &"y".repeat(999), ..Override::new(State::Isolated) };
        notes.note(7, &long, || true);
        assert_eq!([Some("w".repeat(WHO_MAX)), Some("y".repeat(WHY_MAX))], notes.read(7));
        notes.note(8, &Override { why: "drill", ..Override::new(State::Disabled) }, || true);
        notes.note(7, &long, || false);
        assert_eq!(([None, None], [None, Some("drill".to_owned())]), (notes.read(7), notes.read(8)));
        notes.note(9, &Override::new(State::Disabled), || true);
        assert_eq!([None, None], notes.read(9));
        other.note(8, &Override { why: "fire", ..Override::new(State::Disabled) }, || true);
        assert_eq!(([None, None], [None, Some("fire".to_owned())]), (notes.read(8), other.read(8)), "a note shared");
        assert_eq!((39, 111), (WHO_MAX, WHY_MAX));
    }

    /// A stop between two looks is no damage, however long it was: generations do not go back.
    #[test]
    fn a_reset_that_was_stopped_for_long_comes_behind_what_happened_meanwhile() {
        let (cell, log) = (Cell::new(), [0; 2].map(AtomicU64::new));
        let fuse = Fuse::new(&cell, &log);
        let (before_us, after_us) = (7 * AHEAD_US, 9 * AHEAD_US);
        fuse.set(State::Open, before_us);
        let clock = std::cell::Cell::new(before_us);
        let stopped = || {
            let read = clock.replace(after_us);
            if read == before_us {
                fuse.set(State::HalfOpen, after_us);
            }
            read
        };
        fuse.command(State::Closed, stopped);
        assert!(fuse.word().generation() > after_us, "{:?}", fuse.word());
    }

    #[test]
    fn an_override_takes_away_successes_of_a_generation_to_come() {
        let (cell, log) = (Cell::new(), [AtomicU64::new(0), AtomicU64::new(0)]);
        cell.progress.store(u64::MAX, Ordering::Relaxed);
        Fuse::new(&cell, &log).command(State::Closed, || 7);
        assert_eq!(0, cell.progress.load(Ordering::Relaxed));
    }
}
