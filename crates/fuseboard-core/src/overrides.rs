//! Manual overrides: how long they last, and what was said of them (rule R12).
//!
//! An override begins by a swap of the fuse word, and is endless then. Behind the swap its maker writes down how long it
//! **lasts**: microseconds from the generation on (40 bits), and the low 24 bits of that generation. So a maker that is killed in
//! between leaves it endless, never shorter; and a time of another generation is none. The first call behind its end makes an
//! isolated fuse half-open and a disabled one closed.
//!
//! Last, who made it and why are written down for people ([`crate::sealed`], with the generation as the tag).

use crate::fuse::{Fuse, Transition};
use crate::journal::{About, Cause};
use crate::sealed::{Sealed, text_of, text_words};
use crate::state::State;
use crate::sync::Ordering;
use crate::time::{HORIZON_US, LEAD_US, STAMP_BITS, age};
use crate::word::Word;

/// Longest name of whoever made an override, in bytes of UTF-8.
pub const WHO_MAX: usize = WHO_WORDS * 8 - 1;
/// Longest reason, in bytes of UTF-8.
pub const WHY_MAX: usize = WHY_WORDS * 8 - 1;

const WHO_WORDS: usize = if cfg!(fuseboard_loom) { 1 } else { 5 };
const WHY_WORDS: usize = if cfg!(fuseboard_loom) { 1 } else { 14 };
const WORDS: usize = WHO_WORDS + WHY_WORDS;

const MARK_BITS: u32 = 24;
const MARK_MASK: u64 = (1 << MARK_BITS) - 1;
const _: () =
    assert!(HORIZON_US << MARK_BITS >> MARK_BITS == HORIZON_US, "a time has room for any that may be asked for");

/// What an operator says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override<'a> {
    /// The state that the fuse is to be in: isolated, disabled, or closed, which ends an override.
    pub state: State,
    /// How long the override lasts, in microseconds, at most [`HORIZON_US`]; 0 for until somebody ends it.
    pub for_us: u64,
    /// Who says so; empty if that is not said. At most [`WHO_MAX`] bytes.
    pub who: &'a str,
    /// Why; empty if that is not said. At most [`WHY_MAX`] bytes.
    pub why: &'a str,
}

impl Override<'_> {
    /// An order of which nothing more is said.
    #[must_use]
    pub const fn new(state: State) -> Self {
        Self { state, for_us: 0, who: "", why: "" }
    }

    /// When the override that it began ends, in microseconds of the clock; 0 for never.
    #[must_use]
    pub const fn until_us(&self, made: &Transition) -> u64 {
        if self.for_us > 0 && self.state.is_held() { made.generation + self.for_us } else { 0 }
    }

    /// What the journal says of it.
    #[must_use]
    pub fn about(&self) -> About {
        About::pair(self.who.as_bytes(), self.why.as_bytes())
    }
}

/// Most places for what was said. Where a table has more slots, some share one: then the later override's words stand there.
pub const OVERRIDE_NOTES_MAX: usize = 1 << OVERRIDE_NOTES_BITS;
const OVERRIDE_NOTES_BITS: u32 = 10;

/// A place for what was said of an override. Any bytes are a valid one.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct OverrideNote(Sealed<WORDS>);

/// The place of one slot. Free to copy.
#[derive(Clone, Copy)]
pub struct OverrideNotes<'a> {
    place: &'a OverrideNote,
    slot: usize,
}

impl<'a> OverrideNotes<'a> {
    /// The place of a slot among these, a power of two of them.
    #[must_use]
    pub fn new(places: &'a [OverrideNote], slot: usize) -> Self {
        Self { place: &places[slot & (places.len() - 1)], slot }
    }

    /// What tells the overrides apart that share a place: the generation, and the slot's upper bits.
    const fn tag(self, generation: u64) -> u64 {
        generation << (u64::BITS - STAMP_BITS) | (self.slot >> OVERRIDE_NOTES_BITS) as u64
    }

    /// Writes down what was said of the override that began with a generation, unless that is over by now: a later operator's
    /// words may stand there.
    pub fn note(self, generation: u64, order: &Override<'_>, is_current: impl Fn() -> bool) {
        if order.who.is_empty() && order.why.is_empty() {
            return;
        }
        let (who, why): ([u64; WHO_WORDS], [u64; WHY_WORDS]) = (text_words(order.who), text_words(order.why));
        let mut words = [0; WORDS];
        words[..WHO_WORDS].copy_from_slice(&who);
        words[WHO_WORDS..].copy_from_slice(&why);
        let seen = self.place.0.seen();
        // Asked behind the look. Lost only to another operator's, who writes at this very moment.
        if is_current() {
            _ = self.place.0.write(seen, self.tag(generation), &words);
        }
    }

    /// Who made the override that began with a generation, and why; `None` for what was not said, or does not stand there whole.
    #[must_use]
    pub fn read(self, generation: u64) -> [Option<String>; 2] {
        let Some(words) = self.place.0.read(self.tag(generation)) else { return [None, None] };
        [text_of(&words[..WHO_WORDS]), text_of(&words[WHO_WORDS..])]
    }
}

impl Fuse<'_> {
    /// Does what an operator says, whatever state the fuse is in, and writes it down; `None` if the fuse was removed.
    pub fn apply_override(
        self,
        order: &Override<'_>,
        said: OverrideNotes<'_>,
        now_us: impl Fn() -> u64,
    ) -> Option<Transition> {
        let made = self.command(order.state, now_us)?;
        if order.state.is_held() {
            if order.for_us > 0 {
                self.limit(made.generation, order.for_us.min(HORIZON_US));
            }
            said.note(made.generation, order, || self.word().generation() == made.generation);
        }
        self.write_down(made, order.about());
        Some(made)
    }

    /// Writes down how long the override of a generation lasts, unless that is over.
    fn limit(self, generation: u64, for_us: u64) {
        let next = for_us << MARK_BITS | generation & MARK_MASK;
        loop {
            let seen = self.cell.override_end.load(Ordering::Acquire);
            // Asked behind the look: what a later override has written since is seen by the swap.
            if self.word().generation() != generation {
                return;
            }
            if self.cell.override_end.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    /// How long the override lasts that began with a generation, in microseconds; `None` if nobody has said so.
    fn override_lasts_us(self, generation: u64) -> Option<u64> {
        let lasts = self.cell.override_end.load(Ordering::Acquire);
        let is_its_own = lasts & MARK_MASK == generation & MARK_MASK;
        // A longer time than may be asked for is damage's, and an override that ends too early is worse than one that stays.
        Some(lasts >> MARK_BITS).filter(|for_us| is_its_own && (1..=HORIZON_US).contains(for_us))
    }

    /// When the override of this word ends, in microseconds of the clock; `None` if it is endless, or the fuse has none.
    #[must_use]
    pub fn until_us(self, seen: Word) -> Option<u64> {
        let override_lasts_us = self.override_lasts_us(seen.generation()).filter(|_| seen.state().is_held())?;
        Some(seen.generation() + override_lasts_us)
    }

    /// What is left of the override of this word, in microseconds; `None` if it is endless. Its time is up [`LEAD_US`] early, as that
    /// of an open fuse is.
    pub(crate) fn override_left(self, seen: Word, now_us: u64) -> Option<u64> {
        Some(self.override_lasts_us(seen.generation())?.saturating_sub(age(now_us, seen.generation())))
    }

    /// Whether an operator holds the fuse in the state of this word, and the time for that is not over.
    pub(crate) fn is_overridden(self, seen: Word, now_us: u64) -> bool {
        seen.state().is_held() && self.override_left(seen, now_us).is_none_or(|left| left > LEAD_US)
    }

    /// Ends the override of this word, whose time is over; the transition, if this call made it.
    pub(crate) fn end_override(self, seen: Word, now_us: u64) -> Option<Transition> {
        let to = if seen.state() == State::Isolated { State::HalfOpen } else { State::Closed };
        self.change(seen, seen.moved_to(to, now_us), Cause::OverrideEnded)
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;
    use crate::fuse::Cell;
    use crate::policy::Policy;
    use crate::sync::AtomicU64;

    const SECOND: u64 = 1_000_000;
    const NOW: u64 = 1_000 * SECOND;

    struct Bench {
        cell: Cell,
        log: [AtomicU64; 2],
        said: [OverrideNote; 1],
    }

    impl Bench {
        fn new() -> Self {
            Self { cell: Cell::new(), log: [0; 2].map(AtomicU64::new), said: [OverrideNote::default()] }
        }

        fn fuse(&self) -> Fuse<'_> {
            Fuse::new(&self.cell, &self.log)
        }

        fn order(&self, state: State, for_us: u64, now_us: u64) -> Transition {
            let order = Override { for_us, who: "alice", why: "drill", ..Override::new(state) };
            self.fuse()
                .apply_override(&order, OverrideNotes::new(&self.said, 0), || now_us)
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
        bench.order(State::Isolated, 10 * SECOND, NOW);
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
        bench.order(State::Disabled, 10 * SECOND, NOW);
        assert_eq!((true, None, State::Disabled), bench.call(NOW + 9 * SECOND));
        assert_eq!((true, None, State::Closed), bench.call(NOW + 10 * SECOND));
    }

    /// R12: the last one counts, also one without an end.
    #[test]
    fn the_last_override_counts_whether_it_has_an_end_or_not() {
        let bench = Bench::new();
        bench.order(State::Isolated, 10 * SECOND, NOW);
        bench.order(State::Isolated, 0, NOW + SECOND);
        assert_eq!((false, None, State::Isolated), bench.call(NOW + 3_600 * SECOND));
        bench.order(State::Isolated, 20 * SECOND, NOW + 3_600 * SECOND);
        assert_eq!((false, Some(20 * SECOND), State::Isolated), bench.call(NOW + 3_600 * SECOND));
        bench.order(State::Closed, 0, NOW + 3_601 * SECOND);
        assert_eq!((true, None, State::Closed), bench.call(NOW + 3_601 * SECOND));
    }

    /// A time of damage, or of another generation, ends nothing.
    #[test]
    fn a_time_that_is_not_this_overrides_is_none() {
        let bench = Bench::new();
        let made = bench.order(State::Isolated, 0, NOW);
        for lasts in [0, HORIZON_US + 1, (1 << 40) - 1] {
            bench.cell.override_end.store(lasts << MARK_BITS | made.generation & MARK_MASK, Ordering::Relaxed);
            assert_eq!((false, None, State::Isolated), bench.call(NOW + 2 * HORIZON_US), "{lasts}");
        }
        bench.cell.override_end.store(SECOND << MARK_BITS | (made.generation + 1) & MARK_MASK, Ordering::Relaxed);
        assert_eq!((false, None, State::Isolated), bench.call(NOW + 2 * SECOND));
        bench.cell.override_end.store(HORIZON_US << MARK_BITS | made.generation & MARK_MASK, Ordering::Relaxed);
        assert_eq!((true, None, State::HalfOpen), bench.call(NOW + HORIZON_US));
    }

    /// Whoever was stopped before it wrote its time down finds that a later override stands there.
    #[test]
    fn a_late_time_takes_no_later_overrides_place() {
        let bench = Bench::new();
        let early = bench.fuse().command(State::Isolated, || NOW).expect("nobody else's");
        bench.order(State::Isolated, 60 * SECOND, NOW + SECOND);
        bench.fuse().limit(early.generation, SECOND);
        assert_eq!((false, Some(60 * SECOND), State::Isolated), bench.call(NOW + SECOND));
    }

    /// A raw operation is no call; but a hold whose time is over stands against nothing any more.
    #[test]
    fn a_raw_operation_passes_a_hold_whose_time_is_over() {
        let bench = Bench::new();
        bench.order(State::Isolated, 10 * SECOND, NOW);
        assert_eq!(None, bench.fuse().set(State::Open, NOW + 9 * SECOND));
        assert!(bench.fuse().set(State::Open, NOW + 10 * SECOND).is_some());
    }

    #[test]
    fn what_was_said_is_of_its_generation_and_bounded() {
        let places: [OverrideNote; 2] = Default::default();
        let (said, other) = (OverrideNotes::new(&places, 1), OverrideNotes::new(&places, 1 + OVERRIDE_NOTES_MAX));
        let long = Override { who: &"w".repeat(99), why: &"y".repeat(999), ..Override::new(State::Isolated) };
        said.note(7, &long, || true);
        assert_eq!([Some("w".repeat(WHO_MAX)), Some("y".repeat(WHY_MAX))], said.read(7));
        said.note(8, &Override { why: "drill", ..Override::new(State::Disabled) }, || true);
        said.note(7, &long, || false);
        assert_eq!(([None, None], [None, Some("drill".to_owned())]), (said.read(7), said.read(8)));
        said.note(9, &Override::new(State::Disabled), || true);
        assert_eq!([None, None], said.read(9));
        other.note(8, &Override { why: "fire", ..Override::new(State::Disabled) }, || true);
        assert_eq!(([None, None], [None, Some("fire".to_owned())]), (said.read(8), other.read(8)), "a place shared");
        assert_eq!((39, 111), (WHO_MAX, WHY_MAX));
    }
}
