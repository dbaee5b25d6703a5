//! Before a call: the permit, or the rejection.

use crate::fuse::{Fuse, Permit};
use crate::lease::Lease;
use crate::policy::Policy;
use crate::state::State;
use crate::time::{LEAD_US, age};
use crate::transition::{Cause, Transition};
use crate::word::Word;

/// Why a call may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The state that rejected it.
    pub state: State,
    /// In how many microseconds to ask again; `None` while the fuse is isolated without an end. While it is open, this
    /// is the rest of the open time. While it is half-open or ramping nobody knows, and this is a guess: see
    /// `beside_probes` and `ramping`.
    pub retry_after_us: Option<u64>,
    /// Microseconds until the first of the probes' leases ends; `None` in other states.
    pub lease_us: Option<u64>,
}

/// A fuse whose probes are all under way asks the next call to come again this many times in an open time.
const RETRIES_IN_AN_OPEN_TIME: u64 = 10;

impl Rejection {
    /// A rejection by a state without leases.
    #[must_use]
    pub const fn new(state: State, retry_after_us: Option<u64>) -> Self {
        Self { state, retry_after_us, lease_us: None }
    }

    /// A rejection because all probes are under way. A probe usually takes a small part of its lease. So the caller
    /// asks again after a tenth of the open time: soon after a quick probe, and not too often during a slow one.
    pub(crate) fn beside_probes(policy: &Policy, lease_us: u64) -> Self {
        let retry_us = (policy.reset_us / RETRIES_IN_AN_OPEN_TIME).max(1).min(lease_us);
        Self { lease_us: Some(lease_us), ..Self::new(State::HalfOpen, Some(retry_us)) }
    }

    /// A rejection with this much of the ramp left. After half of it, more than half of all calls pass. If all rejected
    /// callers waited for the end of the ramp, they would all come at the same moment.
    pub(crate) const fn ramping(left_us: u64) -> Self {
        Self::new(State::Ramping, Some(left_us.div_ceil(2)))
    }
}

/// The answer to a call that asks to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The permit, or why there is none.
    pub verdict: Result<Permit, Rejection>,
    /// The transition that this call made, if it made one.
    pub transition: Option<Transition>,
}

impl Fuse<'_> {
    /// Asks to make a call (rules R01, R02, R05, R06, R12). A permit must be answered by exactly one of
    /// [`Self::succeeded`], [`Self::failed`], [`Self::settle`] and [`Self::cancel`]. One call makes at most one
    /// transition, so it has at most one event. A rejection by [`State::Vacant`] means that the fuse was removed, and
    /// its name must be looked up again.
    pub fn admit(self, policy: &Policy, now_us: u64) -> Admission {
        let mut transition = None;
        let verdict = loop {
            let Some(seen) = self.mine() else {
                break Err(Rejection::new(State::Vacant, None));
            };
            if let Some(writer) = self.writer {
                writer.complete_late(self.cell, seen, now_us);
            }
            match seen.state() {
                State::Closed => break Ok(Permit::of(seen)),
                State::Isolated | State::Disabled if transition.is_none() && !self.cell.is_overridden(seen, now_us) => {
                    let to = if seen.state() == State::Isolated { State::HalfOpen } else { State::Closed };
                    transition = self.transit(seen, to, now_us, Cause::OverrideEnded);
                }
                State::Disabled => break Ok(Permit::of(seen)),
                State::Unseen | State::Vacant => _ = self.transit(seen, State::Closed, now_us, Cause::Unknown),
                State::Isolated => {
                    break Err(Rejection::new(State::Isolated, self.cell.override_left_us(seen, now_us)));
                }
                State::Open => {
                    let left = self.cell.open_us(seen, policy).saturating_sub(age(now_us, seen.generation()));
                    // A stamp may lead the clock by so much; time that has passed must be enough.
                    if left > LEAD_US || transition.is_some() {
                        break Err(Rejection::new(State::Open, Some(left)));
                    }
                    transition = self.transit(seen, State::HalfOpen, now_us, Cause::ResetTimeout);
                }
                State::Ramping => match self.cell.climb(seen, policy, now_us) {
                    Some(Ok(())) => break Ok(Permit::of(seen)),
                    Some(Err(left)) => break Err(Rejection::ramping(left)),
                    None if transition.is_some() && self.word() == seen => break Ok(Permit::of(seen)),
                    None => {
                        transition = transition.or_else(|| self.transit(seen, State::Closed, now_us, Cause::Ramped))
                    }
                },
                State::HalfOpen if transition.is_none() && policy.is_overstayed(seen, now_us) => {
                    transition = self.open_again(seen, policy, now_us);
                }
                State::HalfOpen => match self.probe(seen, policy, now_us) {
                    Ok(Some(permit)) => break Ok(permit),
                    Ok(None) => {}
                    Err(left) => break Err(Rejection::beside_probes(policy, left)),
                },
            }
        };
        Admission { verdict, transition }
    }

    /// Opens a fuse that was half-open for too long (rule R25).
    fn open_again(self, seen: Word, policy: &Policy, now_us: u64) -> Option<Transition> {
        let made = self.transit(seen, State::Open, now_us, Cause::HalfOpenTimeout)?;
        self.cell.opened(policy, seen, made, 0);
        Some(made)
    }

    /// Takes a probe's permit. If no seat is free, says how long until one is. `Ok(None)` if the generation ended in
    /// between, or somebody else took or freed the seat.
    fn probe(self, seen: Word, policy: &Policy, now_us: u64) -> Result<Option<Permit>, u64> {
        let generation = seen.generation();
        let is_current = || self.word().generation() == generation;
        let Some(lease) = self.seats().take(generation, policy.probes, policy.probe_us, now_us, is_current)? else {
            return Ok(None);
        };
        if is_current() {
            return Ok(Some(Permit { generation, lease: Some(lease) }));
        }
        self.seats().release(lease);
        Ok(None)
    }

    /// Writes down who the prober is, in [`crate::lease::HINT_BITS`] bits of the caller's choice. [`Self::reclaim`]
    /// reads them.
    pub fn sign(self, lease: Lease, hint: u64) {
        self.seats().sign(lease, hint);
    }

    /// Frees the seats whose probers are certainly dead, as `is_gone` says of their hints (rule R11). Returns whether
    /// there were any.
    pub fn reclaim(self, is_gone: impl Fn(u64) -> bool) -> bool {
        self.seats().reclaim(is_gone)
    }

    /// Whether an outcome of this permit would still count: the fuse is in the permit's generation, and a probe's lease
    /// has time left.
    #[must_use]
    pub fn is_valid(self, permit: Permit, now_us: u64) -> bool {
        let has_time = |lease: Lease| self.seats().holds(lease) && lease.time_left(now_us).is_some();
        self.word().generation() == permit.generation && permit.lease.is_none_or(has_time)
    }
}
