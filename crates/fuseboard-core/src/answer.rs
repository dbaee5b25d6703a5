//! What a fuse answers: permits, rejections, transitions.

use crate::journal::Cause;
use crate::lease::Lease;
use crate::state::State;
use crate::word::Word;

/// The right to make one call, good for outcomes of the generation it was given in (rule R09).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The generation of the fuse when the call was admitted.
    pub generation: u64,
    /// The lease that a probe holds.
    pub lease: Option<Lease>,
}

impl Permit {
    /// A permit of the word's generation, without a lease.
    pub(crate) const fn of(seen: Word) -> Self {
        Self { generation: seen.generation(), lease: None }
    }
}

/// Why a call may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The state that rejected it.
    pub state: State,
    /// Microseconds until a call may be admitted; `None` while an operator isolates the fuse.
    pub retry_after_us: Option<u64>,
}

/// A change of state that this very operation made: nobody else on the host is told of it (rule R03).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// The generation that began: its stamp in microseconds.
    pub generation: u64,
    /// What brought it about.
    pub cause: Cause,
}

/// The answer to a call that asks to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The permit, or why there is none.
    pub verdict: Result<Permit, Rejection>,
    /// Open to half-open, if this call made it.
    pub transition: Option<Transition>,
}

/// What an outcome did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It counted, and the state stays.
    Counted,
    /// It counted, and changed the state.
    Changed(Transition),
    /// Its permit was of an older generation or its lease had been taken over: nothing changed (rule R09).
    Late,
}
