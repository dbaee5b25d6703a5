//! The fuse word: one 64-bit word that holds the whole truth about a fuse.
//!
//! ```text
//!  63                                            16 15            4  3  2   0
//! +------------------------------------------------+---------------+---+-----+
//! | stamp: 48 bits, microseconds                   | head: 12 bits | d | st. |
//! +------------------------------------------------+---------------+---+-----+
//! ```
//!
//! * **state** (3 bits): see [`State`].
//! * **dirty** (1 bit): the window holds at least one failure. To clear the window, this bit is flipped (rule T06).
//! * **head** (12 bits): the index in the failure log at which the next failure will be counted, modulo 4,096.
//! * **stamp** (48 bits): when this state began. Each transition makes it strictly larger, so it is also the
//!   **generation** of the fuse. This is a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014):
//!   physical time, pushed forward by one if it has not grown.
//!
//! State, time, generation and the position of the window share one word. So "the fifth failure opens the fuse" is one
//! compare-and-swap. There is no instant at which the failure is counted and the fuse is not open yet, so no crash can
//! fall into it. And a failure of an older generation cannot get into a newer window.

use crate::state::State;
use crate::time::{STAMP_BITS, is_far_ahead, not_before};

const STATE_MASK: u64 = 0b111;
const DIRTY: u64 = 1 << 3;
const HEAD_SHIFT: u32 = 4;
const HEAD_BITS: u32 = 12;
const HEAD_MASK: u64 = (1 << HEAD_BITS) - 1;
const STAMP_SHIFT: u32 = HEAD_SHIFT + HEAD_BITS;

/// Largest number of entries in a failure log: half of what `head` can tell apart.
pub const LOG_MAX: usize = 1 << (HEAD_BITS - 1);

const _: () = assert!(STAMP_SHIFT + STAMP_BITS == u64::BITS);

/// A fuse word. Its methods take it apart. Any 64 bits are a valid word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word(pub u64);

impl Word {
    pub(crate) const fn new(stamp: u64, head: u64, dirty: bool, state: State) -> Self {
        let dirty = if dirty { DIRTY } else { 0 };
        Self(stamp << STAMP_SHIFT | (head & HEAD_MASK) << HEAD_SHIFT | dirty | state as u64)
    }

    /// The state in force.
    #[must_use]
    pub const fn state(self) -> State {
        State::from_code((self.0 & STATE_MASK) as u8)
    }

    /// Whether the fuse is closed: the only question on the closed path (rule T04).
    #[must_use]
    #[inline(always)]
    pub const fn is_closed(self) -> bool {
        self.0 & STATE_MASK == State::Closed as u64
    }

    /// Whether the window holds a failure.
    #[must_use]
    pub const fn is_dirty(self) -> bool {
        self.0 & DIRTY != 0
    }

    pub(crate) const fn head(self) -> u64 {
        self.0 >> HEAD_SHIFT & HEAD_MASK
    }

    /// When the state began, in microseconds; strictly larger after each transition.
    #[must_use]
    #[inline(always)]
    pub const fn generation(self) -> u64 {
        self.0 >> STAMP_SHIFT
    }

    /// The word after a transition to `state` at `now_us`: a later generation and an empty window.
    pub(crate) const fn moved_to(self, state: State, now_us: u64) -> Self {
        Self::new(not_before(now_us, self.generation() + 1), self.head(), false, state)
    }

    /// The word after one more failure in the same generation.
    pub(crate) const fn counted(self) -> Self {
        Self::new(self.generation(), self.head() + 1, true, self.state())
    }

    /// The word, without its stamp if that is far ahead. Such a stamp is damage, and a manual override need not be
    /// later.
    pub(crate) const fn mended(self, now_us: u64) -> Self {
        if is_far_ahead(now_us, self.generation()) {
            Self::new(0, self.head(), self.is_dirty(), self.state())
        } else {
            self
        }
    }

    /// Whether a reset would find nothing to take away.
    pub(crate) const fn is_forgotten(self, now_us: u64) -> bool {
        !self.state().is_seen() && !self.is_dirty() && !is_far_ahead(now_us, self.generation())
    }

    /// State and generation, without the window.
    #[must_use]
    #[inline(always)]
    pub const fn era(self) -> u64 {
        self.0 & !(HEAD_MASK << HEAD_SHIFT | DIRTY)
    }

    /// The word with an empty window, in the same generation.
    pub(crate) const fn cleared(self) -> Self {
        Self(self.0 & !DIRTY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{HORIZON_US, STAMP_MAX};

    #[test]
    fn fields_do_not_overlap() {
        let word = Word::new(STAMP_MAX, HEAD_MASK, true, State::Disabled);
        assert_eq!(
            (STAMP_MAX, HEAD_MASK, true, State::Disabled),
            (word.generation(), word.head(), word.is_dirty(), word.state())
        );
        assert_eq!(Word(0), Word::new(0, 0, false, State::Unseen));
    }

    #[test]
    fn only_a_closed_fuse_is_closed() {
        let words = (0..8).map(|code| Word::new(7, 3, true, State::from_code(code)));
        assert_eq!(vec![State::Closed], words.filter(|word| word.is_closed()).map(Word::state).collect::<Vec<_>>());
    }

    #[test]
    fn a_log_has_half_the_entries_that_a_head_tells_apart() {
        assert_eq!((2_048, 4_095), (LOG_MAX, HEAD_MASK));
    }

    #[test]
    fn head_wraps_without_touching_the_stamp() {
        let word = Word::new(7, HEAD_MASK, true, State::Closed).counted();
        assert_eq!((7, 0), (word.generation(), word.head()));
    }

    #[test]
    fn a_transition_always_makes_a_later_generation() {
        let word = Word::new(100, 3, true, State::Closed);
        assert_eq!(101, word.moved_to(State::Open, 100).generation());
        assert_eq!(101, word.moved_to(State::Open, 5).generation());
        assert_eq!(500, word.moved_to(State::Open, 500).generation());
        assert!(!word.moved_to(State::Open, 500).is_dirty());
    }

    #[test]
    fn a_damaged_stamp_in_the_far_future_heals_at_the_next_transition() {
        let word = Word::new(STAMP_MAX, 0, false, State::Open);
        assert_eq!(9, word.moved_to(State::Closed, 9).generation());
        assert_eq!(
            9 + HORIZON_US,
            Word::new(8 + HORIZON_US, 0, false, State::Open).moved_to(State::Closed, 9).generation()
        );
    }
}
