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

use crate::lease::{Lease, SEATS, Seats, count_success};
use crate::log::{Entry, Log};
use crate::policy::Policy;
use crate::state::State;
use crate::sync::{AtomicU64, Ordering};
use crate::time::{LEAD_US, age};
use crate::word::Word;

/// The shared words of one fuse. All fields are atomics, so any bytes are a valid cell (rule T10); zeroes are a fuse
/// never seen.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Cell {
    /// The fuse word.
    pub word: AtomicU64,
    /// Successful probes of a generation.
    pub(crate) progress: AtomicU64,
    /// Fingerprint of the settings that a breaker last came with, 0 for none (rule R15). No decision reads it.
    pub(crate) settings: AtomicU64,
    /// How often a breaker came with other settings than the one before it.
    pub(crate) settings_changes: AtomicU64,
    reserved: [AtomicU64; 4],
    pub(crate) seats: [AtomicU64; SEATS],
    pub(crate) hints: [AtomicU64; SEATS],
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
            reserved: std::array::from_fn(|_| zero()),
            seats: std::array::from_fn(|_| zero()),
            hints: std::array::from_fn(|_| zero()),
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

/// The right to make one call, good for outcomes of the generation it was given in (rule R09).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The generation of the fuse when the call was admitted.
    pub generation: u64,
    /// The lease that a probe holds.
    pub lease: Option<Lease>,
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

/// A fuse: its cell and its failure log. Free to copy; every method may be called by any process at any time.
#[derive(Clone, Copy)]
pub struct Fuse<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) log: Log<'a>,
}

impl<'a> Fuse<'a> {
    /// The fuse of a cell and its log.
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
        Self { cell, log: Log(log) }
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

    /// Swaps `seen` for the state `to`; the transition, if this call made it.
    pub(crate) fn transit(self, seen: Word, to: State, now_us: u64) -> Option<Transition> {
        let next = seen.moved_to(to, now_us);
        self.swap(seen, next).then(|| transition(seen, next))
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
    /// [`Self::succeeded`], [`Self::failed`] and [`Self::released`].
    pub fn admit(self, policy: &Policy, now_us: u64) -> Admission {
        let mut transition = None;
        let verdict = loop {
            let seen = self.word();
            match seen.state() {
                State::Closed | State::Disabled => break Ok(Permit { generation: seen.generation(), lease: None }),
                State::Unseen => _ = self.swap(seen, seen.moved_to(State::Closed, now_us)),
                State::Isolated => break Err(Rejection { state: State::Isolated, retry_after_us: None }),
                State::Open => {
                    let left = policy.reset_us.saturating_sub(age(now_us, seen.generation()));
                    // One call makes at most one transition, so that it has at most one event.
                    if left > LEAD_US || transition.is_some() {
                        break Err(Rejection { state: State::Open, retry_after_us: Some(left) });
                    }
                    transition = self.transit(seen, State::HalfOpen, now_us);
                }
                State::HalfOpen => match self.probe(seen, policy, now_us) {
                    Ok(Some(permit)) => break Ok(permit),
                    Ok(None) => {}
                    Err(left) => break Err(Rejection { state: State::HalfOpen, retry_after_us: Some(left) }),
                },
            }
        };
        Admission { verdict, transition }
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
        self.seats().give_back(lease);
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
                State::Closed if seen.is_dirty() && policy.clear_on_success => {
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
                    if let Some(transition) = self.transit(seen, State::Closed, now_us) {
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
            || count_success(&self.cell.progress, permit.generation, is_current)? >= policy.success_threshold;
        if !enough {
            self.seats().give_back(lease);
        }
        Some(enough)
    }

    /// Reports that the call failed (rules R03, R08, R09).
    pub fn failed(self, policy: &Policy, permit: Permit, now_us: u64) -> Effect {
        loop {
            let seen = self.word();
            if seen.generation() != permit.generation {
                return Effect::Late;
            }
            match seen.state() {
                State::Closed => {
                    let trips = |entry| self.log.reaches(seen.head(), entry, policy.threshold, policy.window_us);
                    if let Some((_, next)) = self.append(seen, now_us, trips) {
                        return if next.state() == seen.state() {
                            Effect::Counted
                        } else {
                            Effect::Changed(transition(seen, next))
                        };
                    }
                }
                State::HalfOpen => {
                    if !permit.lease.is_some_and(|lease| self.seats().holds(lease)) {
                        return Effect::Late;
                    }
                    if let Some(transition) = self.transit(seen, State::Open, now_us) {
                        return Effect::Changed(transition);
                    }
                }
                _ => return Effect::Counted,
            }
        }
    }

    /// Gives a permit back without an outcome (rule R10). Says whether it still meant anything.
    pub fn released(self, permit: Permit) -> Effect {
        match permit.lease {
            Some(lease) if !self.seats().give_back(lease) => Effect::Late,
            _ if self.word().generation() != permit.generation => Effect::Late,
            _ => Effect::Counted,
        }
    }

    /// One attempt to count a failure and, if `trips` says so of its entry, to open the fuse in the same swap.
    /// The entry and the new word; `None` if the fuse moved on.
    pub(crate) fn append(self, seen: Word, now_us: u64, trips: impl FnOnce(Entry) -> bool) -> Option<(Entry, Word)> {
        let entry = self.log.attempt(&self.cell.word, seen, now_us)?;
        let next = if trips(entry) { seen.counted().moved_to(State::Open, now_us) } else { seen.counted() };
        self.swap(seen, next).then_some((entry, next))
    }
}

pub(crate) fn transition(seen: Word, next: Word) -> Transition {
    Transition { from: seen.state().visible(), to: next.state(), generation: next.generation() }
}
