//! What a fuse answers: permits, rejections, transitions.

use crate::journal::Cause;
use crate::lease::Lease;
use crate::policy::Policy;
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
    /// In how many microseconds to ask again; `None` while an operator isolates the fuse. While open it is what is left of
    /// the open time. While half-open or ramping nobody knows, and it is a guess: see [`Self::beside_probes`] and
    /// [`Self::ramping`].
    pub retry_after_us: Option<u64>,
    /// Microseconds until the first of the probes' leases ends, whatever becomes of the probe; `None` in other states.
    pub lease_us: Option<u64>,
}

impl Rejection {
    /// Of a state without leases.
    #[must_use]
    pub const fn new(state: State, retry_after_us: Option<u64>) -> Self {
        Self { state, retry_after_us, lease_us: None }
    }

    /// Of a call that finds all probes out. A probe takes as long as a call, mostly a small part of its lease. So whoever
    /// is rejected asks again after a tenth of the time that an open fuse makes him wait: soon where the probe is prompt,
    /// and ten times in an open time, not busily, where it hangs.
    pub(crate) fn beside_probes(policy: &Policy, lease_us: u64) -> Self {
        let retry_us = (policy.reset_us / ASKED_IN_AN_OPEN_TIME).max(1).min(lease_us);
        Self { lease_us: Some(lease_us), ..Self::new(State::HalfOpen, Some(retry_us)) }
    }

    /// Of a call that finds so much of the ramp left. After half of that more than half of all calls pass. All who were
    /// told to come when the ramp ends would come at one moment; so they come at as many as they were rejected at.
    pub(crate) const fn ramping(left_us: u64) -> Self {
        Self::new(State::Ramping, Some(left_us.div_ceil(2)))
    }
}

/// How often a call asks in the time that a fuse stays open, where a probe is under way for as long.
const ASKED_IN_AN_OPEN_TIME: u64 = 10;

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
