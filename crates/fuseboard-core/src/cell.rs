//! The shared words of one fuse, as they lie in a file.

use crate::lease::SEATS;
use crate::sync::{AtomicU64, Ordering};
use crate::word::Word;

/// The shared words of one fuse. All fields are atomics, so any bytes are a valid cell (rule T10); zeroes are a fuse
/// never seen.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Cell {
    /// The fuse word.
    pub word: AtomicU64,
    /// Probes of a generation that succeeded, and that failed; while ramping, how many calls asked.
    pub(crate) progress: AtomicU64,
    /// NameHash of the settings that a breaker last came with, 0 for none (rule R15). No decision reads it.
    pub(crate) settings: AtomicU64,
    /// How often a breaker came with other settings than the one before it, and how far the furthest of them looks back: see
    /// [`crate::lookback`].
    pub(crate) settings_changes: AtomicU64,
    /// The generation up to which the journal knows of this fuse, and the state in that.
    pub(crate) journaled: AtomicU64,
    /// What brought about the generation that begins next, or began last.
    pub(crate) note: AtomicU64,
    /// Failed probes in a row, and the generation that began with the last of them.
    pub(crate) failed_probes: AtomicU64,
    /// Until when the call that opened the fuse asked to be left alone, and a mark of its generation.
    pub(crate) asked: AtomicU64,
    pub(crate) seats: [AtomicU64; SEATS],
    pub(crate) hints: [AtomicU64; SEATS],
    /// For how long the manual override lasts that began with a generation, and a mark of that: see [`crate::overrides`].
    pub(crate) override_end: AtomicU64,
    /// Calls that were slow by the policy of their breaker. Not striped: who counts one has waited longer for the call.
    pub(crate) slow: AtomicU64,
    pub(crate) reserved: [AtomicU64; 6],
    pub(crate) fleet: Fleet,
}

/// What a fleet's agent says of a fuse. Room for it: nothing reads it yet.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Fleet {
    /// Until when the fleet holds the fuse, so that no call of this host makes it half-open.
    pub(crate) hold: AtomicU64,
    /// The generation of the fleet's last verdict.
    pub(crate) verdict: AtomicU64,
    /// The generation of the fleet's last manual override.
    pub(crate) order: AtomicU64,
    pub(crate) reserved: [AtomicU64; 5],
}

impl Cell {
    /// A cell of a fuse never seen.
    #[must_use]
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            word: zero(),
            progress: zero(),
            settings: zero(),
            settings_changes: zero(),
            journaled: zero(),
            note: zero(),
            failed_probes: zero(),
            asked: zero(),
            seats: std::array::from_fn(|_| zero()),
            hints: std::array::from_fn(|_| zero()),
            override_end: zero(),
            slow: zero(),
            reserved: std::array::from_fn(|_| zero()),
            fleet: Fleet { hold: zero(), verdict: zero(), order: zero(), reserved: std::array::from_fn(|_| zero()) },
        }
    }
}

impl Cell {
    /// The fuse word, in one acquire load (rule T04). It orders the failure log's entries that its head counts.
    #[must_use]
    #[inline(always)]
    pub fn load(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }
}

impl Default for Cell {
    fn default() -> Self {
        Self::new()
    }
}
