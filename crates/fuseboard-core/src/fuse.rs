//! One fuse: the operations of the store's contract and of the breaker, all of them on the fuse word.
//!
//! Every operation reads the fuse word, computes the word that should follow, and swaps it in; if the word changed
//! meanwhile it begins again. The swap is the moment at which the operation happens, so operations on one fuse are
//! linearizable and a crash leaves a fuse either before an operation or after it. Nothing waits for anybody.
//!
//! * reading and admitting while closed: one acquire load (rule T04);
//! * success with an empty window: one load; with failures in it: a swap that flips the dirty bit (rule T06);
//! * failure: an attempt in the log, then a swap that counts it and, if it is the last straw, opens the fuse;
//! * open to half-open, half-open to closed or open, and every `set_*`: a swap to a later generation.
//!
//! Acquire on each load and AcqRel on each swap of the fuse word order one thing: the entries of the failure log that
//! the word's head counts. Leases and the count of successful probes are separate words that belong to a generation.

pub use crate::admission::{Admission, Effect, Permit, Rejection, Transition};
pub use crate::cell::Cell;
use crate::journal::Cause;
use crate::journal_writer::JournalWriter;
use crate::key::{Key, Owner};
use crate::lease::{FAILURES, Lease, SUCCESSES, Seats};
use crate::log::{Entry, Log};
use crate::outcome::Call;
use crate::policy::Policy;
use crate::rate::{RATE_WINDOWS, RateWindow};
use crate::state::State;
use crate::sync::{AtomicU64, Ordering};
use crate::time::{LEAD_US, age};
use crate::word::Word;

/// A fuse: its cell and its failure log. Free to copy; every method may be called by any process at any time.
#[derive(Clone, Copy)]
pub struct Fuse<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) log: Log<'a>,
    pub(crate) writer: Option<JournalWriter<'a>>,
    pub(crate) rate_windows: Option<&'a [RateWindow; RATE_WINDOWS]>,
    pub(crate) claim: Option<(&'a Key, Owner)>,
}

impl<'a> Fuse<'a> {
    /// The fuse of a cell and its log, whose transitions nobody writes down.
    ///
    /// # Panics
    /// If the log's length is not a power of two from 2 to [`crate::word::LOG_MAX`].
    #[must_use]
    pub fn new(cell: &'a Cell, log: &'a [AtomicU64]) -> Self {
        assert!(
            log.len().is_power_of_two() && (2..=crate::word::LOG_MAX).contains(&log.len()),
            "log length {}",
            log.len()
        );
        Self { cell, log: Log(log), writer: None, rate_windows: None, claim: None }
    }

    /// The fuse, with rate windows for the rates of its policies.
    #[must_use]
    pub const fn with_rate_windows(self, rate_windows: &'a [RateWindow; RATE_WINDOWS]) -> Self {
        Self { rate_windows: Some(rate_windows), ..self }
    }

    /// The fuse word, in one acquire load: state, time and generation that belong together.
    #[must_use]
    #[inline(always)]
    pub fn word(self) -> Word {
        self.cell.load()
    }

    /// Puts `next` in the place of `seen`; says whether it was still there.
    pub(crate) fn swap(self, seen: Word, next: Word) -> bool {
        self.cell.word.compare_exchange(seen.0, next.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Puts `next`, of a later generation, in the place of `seen`; the transition, if this call made it.
    pub(crate) fn change(self, seen: Word, next: Word, cause: Cause) -> Option<Transition> {
        self.announce(seen, next, cause);
        let (from, to) = (seen.state().visible(), next.state().visible());
        self.swap(seen, next).then(|| Transition { from, to, generation: next.generation(), cause })
    }

    /// Swaps `seen` for the state `to`; the transition, if this call made it.
    fn transit(self, seen: Word, to: State, now_us: u64, cause: Cause) -> Option<Transition> {
        self.change(seen, seen.moved_to(to, now_us), cause)
    }

    pub(crate) fn seats(&self) -> Seats<'a> {
        Seats { leases: &self.cell.seats, hints: &self.cell.hints }
    }

    /// Says who holds a probe's lease, in [`crate::lease::HINT_BITS`] bits of the caller's choice, for [`Self::reclaim`].
    pub fn sign(self, lease: Lease, hint: u64) {
        self.seats().sign(lease, hint);
    }

    /// Frees the leases whose signers `is_gone` says are gone for good (rule R11); whether there were any.
    pub fn reclaim(self, is_gone: impl Fn(u64) -> bool) -> bool {
        self.seats().reclaim(is_gone)
    }

    /// Asks to make a call (rules R01, R02, R05, R06, R12). A permit must be answered by exactly one of
    /// [`Self::succeeded`], [`Self::failed`] and [`Self::released`]. One call makes at most one transition, so that it has
    /// at most one event. A rejection by [`State::Vacant`] is none: the fuse was removed, and its name must be looked up again.
    pub fn admit(self, policy: &Policy, now_us: u64) -> Admission {
        let mut transition = None;
        let verdict = loop {
            let Some(seen) = self.mine() else {
                break Err(Rejection::new(State::Vacant, None));
            };
            self.journal_late(seen, now_us);
            match seen.state() {
                State::Closed => break Ok(Permit::of(seen)),
                State::Isolated | State::Disabled if transition.is_none() && !self.is_overridden(seen, now_us) => {
                    transition = self.end_override(seen, now_us);
                }
                State::Disabled => break Ok(Permit::of(seen)),
                State::Unseen | State::Vacant => _ = self.transit(seen, State::Closed, now_us, Cause::Unknown),
                State::Isolated => {
                    break Err(Rejection::new(State::Isolated, self.override_left(seen, now_us)));
                }
                State::Open => {
                    let left = self.open_us(seen, policy).saturating_sub(age(now_us, seen.generation()));
                    if left > LEAD_US || transition.is_some() {
                        break Err(Rejection::new(State::Open, Some(left)));
                    }
                    transition = self.transit(seen, State::HalfOpen, now_us, Cause::ResetTimeout);
                }
                State::Ramping => match self.climb(seen, policy, now_us) {
                    Some(verdict) => break verdict,
                    None if transition.is_some() && self.word() == seen => break Ok(Permit::of(seen)),
                    None => {
                        transition = transition.or_else(|| self.transit(seen, State::Closed, now_us, Cause::Ramped))
                    }
                },
                State::HalfOpen if transition.is_none() && policy.is_overstayed(seen, now_us) => {
                    transition = self.overstay(seen, policy, now_us);
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

    /// Opens a fuse that was half-open for too long.
    fn overstay(self, seen: Word, policy: &Policy, now_us: u64) -> Option<Transition> {
        let made = self.transit(seen, State::Open, now_us, Cause::HalfOpenTimeout)?;
        self.opened(policy, seen, made, 0);
        Some(made)
    }

    /// Takes a probe's permit; `Ok(None)` if the generation ended, or somebody else took or freed the seat, meanwhile.
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

    /// Reports that the call succeeded (rules R04, R07, R09).
    pub fn succeeded(self, policy: &Policy, permit: Permit, now_us: u64) -> Effect {
        let mut counted = false;
        loop {
            let seen = self.word();
            if seen.generation() != permit.generation {
                return Effect::Late;
            }
            match seen.state() {
                state if state.counts() && seen.is_dirty() && policy.clear_on_success => {
                    if self.swap(seen, seen.cleared()) {
                        return Effect::Counted;
                    }
                }
                State::HalfOpen => {
                    if !counted {
                        match self.count_probe(policy, permit) {
                            Some(true) => counted = true,
                            Some(false) => return Effect::Counted,
                            None => return Effect::Late,
                        }
                    }
                    let to = if policy.ramp_us > 0 { State::Ramping } else { State::Closed };
                    if let Some(transition) = self.transit(seen, to, now_us, Cause::ProbesSucceeded) {
                        return Effect::Changed(transition);
                    }
                }
                _ => return Effect::Counted,
            }
        }
    }

    /// Counts a successful probe: whether it is the last one needed; `None` if its lease was taken over.
    fn count_probe(self, policy: &Policy, permit: Permit) -> Option<bool> {
        let lease = permit.lease.filter(|lease| self.seats().holds(*lease))?;
        let is_current = || self.word().generation() == permit.generation;
        let enough = policy.success_threshold <= 1
            || SUCCESSES.add(&self.cell.progress, permit.generation, is_current)? >= policy.success_threshold;
        if !enough {
            self.seats().release(lease);
        }
        Some(enough)
    }

    /// Reports that the call failed (rules R03, R08, R09).
    pub fn failed(self, policy: &Policy, permit: Permit, now_us: u64) -> Effect {
        self.fail(policy, permit, Call { failed: true, ..Call::default() }, now_us, || None)
    }

    /// [`Self::failed`], of a call that may say more. There may be another reason to open a closed fuse: it is asked behind
    /// each look at the word.
    pub(crate) fn fail(
        self,
        policy: &Policy,
        permit: Permit,
        call: Call,
        now_us: u64,
        other: impl Fn() -> Option<Cause>,
    ) -> Effect {
        let mut counted = false;
        loop {
            let seen = self.word();
            if seen.generation() != permit.generation {
                return Effect::Late;
            }
            let effect = match seen.state() {
                state if state.counts() => {
                    let reaches = |entry| self.log.reaches(seen.head(), entry, policy.threshold, policy.window_us);
                    let trips = |entry| if reaches(entry) { Some(Cause::Threshold) } else { other() };
                    self.append(seen, now_us, trips).map(|(_, effect)| effect)
                }
                State::HalfOpen if !counted => match self.count_failed_probe(policy, permit, call.demands) {
                    Some(true) => {
                        counted = true;
                        continue;
                    }
                    Some(false) => return Effect::Counted,
                    None => return Effect::Late,
                },
                State::HalfOpen => self.transit(seen, State::Open, now_us, call.probe_cause()).map(Effect::Changed),
                _ => return Effect::Counted,
            };
            if let Some(Effect::Changed(made)) = effect {
                self.opened(policy, seen, made, call.asked_us);
            }
            if let Some(effect) = effect {
                return effect;
            }
        }
    }

    /// Counts a failed probe: whether it is the last one allowed, or `demands` that it be; `None` if its lease was taken over.
    fn count_failed_probe(self, policy: &Policy, permit: Permit, demands: bool) -> Option<bool> {
        let lease = permit.lease.filter(|lease| self.seats().holds(*lease))?;
        let is_current = || self.word().generation() == permit.generation;
        let enough = demands
            || policy.probe_failures <= 1
            || FAILURES.add(&self.cell.progress, permit.generation, is_current)? >= policy.probe_failures;
        if !enough {
            self.seats().release(lease);
        }
        Some(enough)
    }

    /// Whether a permit's call is within its time: the fuse is in the permit's generation, and a probe holds a lease whose
    /// deadline is to come.
    #[must_use]
    pub fn is_valid(self, permit: Permit, now_us: u64) -> bool {
        let is_held = |lease: Lease| self.seats().holds(lease) && lease.time_left(now_us).is_some();
        self.word().generation() == permit.generation && permit.lease.is_none_or(is_held)
    }

    /// Gives a permit back without an outcome (rule R10). Says whether it still meant anything.
    pub fn released(self, permit: Permit) -> Effect {
        match permit.lease {
            Some(lease) if !self.seats().release(lease) => Effect::Late,
            _ if self.word().generation() != permit.generation => Effect::Late,
            _ => Effect::Counted,
        }
    }

    /// One attempt to count a failure and, if `trips` has a cause for its entry, to open the fuse in the same swap.
    /// The entry and what it did; `None` if the fuse moved on.
    pub(crate) fn append(
        self,
        seen: Word,
        now_us: u64,
        trips: impl FnOnce(Entry) -> Option<Cause>,
    ) -> Option<(Entry, Effect)> {
        let entry = self.log.attempt(&self.cell.word, seen, now_us)?;
        if let Some(cause) = trips(entry) {
            let next = seen.counted().moved_to(State::Open, now_us);
            return Some((entry, Effect::Changed(self.change(seen, next, cause)?)));
        }
        self.swap(seen, seen.counted()).then_some((entry, Effect::Counted))
    }
}
