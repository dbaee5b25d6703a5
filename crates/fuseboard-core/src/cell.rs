//! The shared words of one fuse, as they lie in a file.

use crate::lease::SEATS;
use crate::sync::{AtomicU64, Ordering};
use crate::word::Word;

/// The shared words of one fuse. All fields are atomics, so any bytes are a valid cell (rule T10). Zeroes are a fuse
/// never seen.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Cell {
    /// The fuse word.
    pub word: AtomicU64,
    /// The generation, with the number of probes that succeeded and that failed in it; while ramping, with the number
    /// of calls that asked.
    pub(crate) progress: AtomicU64,
    /// Hash of the settings of the breaker that came last, 0 for none (rule R15). No decision reads it.
    pub(crate) settings: AtomicU64,
    /// How far back the breakers look, and how often their settings changed: see `lookback`.
    pub(crate) settings_changes: AtomicU64,
    /// The last generation that stands in the journal, and its state.
    pub(crate) journaled: AtomicU64,
    /// The cause of the last transition, or of one that a process is about to make: see `journal_writer`.
    pub(crate) note: AtomicU64,
    /// The backoff count, and the generation in which it was written: see `open_time`.
    pub(crate) failed_probes: AtomicU64,
    /// Until when the call that opened the fuse asked it to stay open, and a tag of its generation.
    pub(crate) asked: AtomicU64,
    /// Leases of probes.
    pub(crate) seats: [AtomicU64; SEATS],
    /// Who the probers are.
    pub(crate) hints: [AtomicU64; SEATS],
    /// How long a manual override lasts, and a tag of its generation: see `override_end`.
    pub(crate) override_end: AtomicU64,
    /// Calls that were slow by their breaker's policy. Not striped: a slow call has waited longer than this takes.
    pub(crate) slow: AtomicU64,
    pub(crate) reserved: [AtomicU64; 6],
    pub(crate) fleet: Fleet,
}

/// Room for what a fleet's agent says about a fuse. Nothing reads it yet.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Fleet {
    /// Until when the fleet keeps the fuse open, so that no call of this host makes it half-open.
    pub(crate) hold: AtomicU64,
    /// The generation of the fleet's last verdict.
    pub(crate) verdict: AtomicU64,
    /// The generation of the fleet's last manual override.
    pub(crate) manual_override: AtomicU64,
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
            fleet: Fleet {
                hold: zero(),
                verdict: zero(),
                manual_override: zero(),
                reserved: std::array::from_fn(|_| zero()),
            },
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
