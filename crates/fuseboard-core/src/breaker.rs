//! A breaker at work: it asks a fuse for a permit, reports how the call ended, and counts both.
//!
//! Live calls, a replay of recorded calls and a simulated fleet run this same code. So the time, and what only the
//! operating system knows about other processes, are arguments.
//!
//! Each step is counted after it happened, on the line of counters that the caller chooses. A process that is killed in
//! between leaves a counter one too low, never too high (rule T07).
//!
//! An example: three calls fail and a fourth comes too early, on a clock of its own.
//!
//! ```
//! use std::cell::Cell as Clock;
//!
//! use fuseboard_core::breaker::{Breaker, Outcome};
//! use fuseboard_core::counters::Stripe;
//! use fuseboard_core::fuse::{Cell, Fuse};
//! use fuseboard_core::journal::About;
//! use fuseboard_core::policy::Policy;
//! use fuseboard_core::state::State;
//! use fuseboard_core::sync::AtomicU64;
//!
//! const SECOND: u64 = 1_000_000;
//! let policy = Policy { threshold: 3, ..Policy::DEFAULT }.in_range(256);
//! let (cell, stripe) = (Cell::new(), Stripe::new());
//! let log: Vec<AtomicU64> = (0..256).map(|_| AtomicU64::new(0)).collect();
//! let fuse = Fuse::new(&cell, &log); // also: `with_journal_writer`, `with_rate_windows`
//! let breaker = Breaker::new(fuse, &stripe);
//!
//! let clock = Clock::new(1_000 * SECOND);
//! let now_us = || clock.get();
//! for _ in 0..3 {
//!     let admission = breaker.admit(&policy, now_us, 0, |_| false);
//!     let (permit, began_us) = (admission.verdict.ok(), now_us());
//!     clock.set(began_us + SECOND / 2);
//!     let took_us = |ended_us| ended_us - began_us;
//!     let about = || About::new(b"TimeoutError"); // for the journal, if this call changes the state
//!     breaker.settle(&policy, permit, Outcome::Failure, took_us, now_us, about);
//! }
//! assert_eq!(State::Open, fuse.word().state());
//! let rejection = breaker.admit(&policy, now_us, 0, |_| false).verdict.expect_err("it is open");
//! assert_eq!(Some(30 * SECOND), rejection.retry_after_us);
//! ```

use crate::admission::{Admission, Rejection};
use crate::cell::Cell;
use crate::counters::{Counter, Stripe};
use crate::fuse::{Call, Effect, Fuse, Permit};
use crate::journal::About;
use crate::policy::Policy;
use crate::state::State;
use crate::word::Word;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Success,
    /// It failed.
    Failure,
    /// It failed, and asks something of the fuse.
    FailureWithDemand {
        /// Whether the fuse is to open at once.
        demands: bool,
        /// How long the fuse is to stay open if this call opens it, in microseconds; 0 for as long as the policy says.
        asked_us: u64,
    },
    /// It says nothing about the service (rule R10).
    Ignored,
}

impl Outcome {
    /// Whether the call failed.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failure | Self::FailureWithDemand { .. })
    }

    const fn counter(self) -> Counter {
        match self {
            Self::Success => Counter::Successes,
            Self::Failure | Self::FailureWithDemand { .. } => Counter::Failures,
            Self::Ignored => Counter::Ignored,
        }
    }

    const fn of_a_call(self, took_us: u64) -> Call {
        let (demands, asked_us) = match self {
            Self::FailureWithDemand { demands, asked_us } => (demands, asked_us),
            _ => (false, 0),
        };
        Call { failed: self.is_failure(), took_us, demands, asked_us }
    }
}

/// What a success through a closed fuse needs, and no more (rule T04). It is two references; a [`Breaker`] is ten
/// words.
#[derive(Clone, Copy, Debug)]
pub struct FastPath<'a> {
    /// The fuse's shared words.
    pub cell: &'a Cell,
    /// The line to count on.
    pub stripe: &'a Stripe,
}

impl FastPath<'_> {
    /// Counts a success that changes nothing else: the fuse is as it was when the call was admitted, closed with an
    /// empty window. Whether it was such a success; if not, [`Breaker::settle`] it.
    #[must_use]
    #[inline(always)]
    pub fn fast_success(self, admitted: Word) -> bool {
        self.count_if(self.cell.load() == admitted && !admitted.is_dirty())
    }

    /// The same for a permit, which does not say whether the window was empty when the call was admitted.
    #[must_use]
    #[inline(always)]
    pub fn fast_success_of(self, permit: Permit) -> bool {
        let word = self.cell.load();
        self.count_if(word.is_closed() && !word.is_dirty() && word.generation() == permit.generation)
    }

    #[inline(always)]
    fn count_if(self, changes_nothing: bool) -> bool {
        if changes_nothing {
            self.stripe.add(Counter::Successes);
        }
        changes_nothing
    }
}

/// A fuse, and the line of counters that this caller adds to. Free to copy. Every method may be called by any process
/// at any time.
#[derive(Clone, Copy)]
pub struct Breaker<'a> {
    fuse: Fuse<'a>,
    stripe: &'a Stripe,
}

impl<'a> Breaker<'a> {
    /// A breaker of a fuse that counts on this line.
    #[must_use]
    #[inline]
    pub const fn new(fuse: Fuse<'a>, stripe: &'a Stripe) -> Self {
        Self { fuse, stripe }
    }

    const fn fast_path(&self) -> FastPath<'a> {
        FastPath { cell: self.fuse.cell, stripe: self.stripe }
    }

    /// Asks to make a call, counts the answer, and writes a transition down.
    ///
    /// A probe signs its seat with `hint`: [`crate::lease::HINT_BITS`] bits that say who it is. A call that finds all
    /// seats taken asks `is_gone` about their hints, and a seat whose prober is certainly dead is free at once (rule
    /// R11).
    ///
    /// A rejection by [`State::Vacant`] is not counted: the fuse was removed, and its name must be looked up again.
    #[must_use]
    pub fn admit(
        self,
        policy: &Policy,
        now_us: impl Fn() -> u64,
        hint: u64,
        is_gone: impl Fn(u64) -> bool,
    ) -> Admission {
        let mut admission = self.fuse.admit(policy, now_us());
        // A call makes at most one transition, and the generation that it begins has no seats to reclaim.
        if admission.transition.is_none() && is_beside_probes(&admission) && self.fuse.reclaim(is_gone) {
            admission = self.fuse.admit(policy, now_us());
        }
        if let Some(transition) = admission.transition {
            self.fuse.write_down(transition, About::NOTHING);
        }
        match &admission.verdict {
            Ok(Permit { lease: Some(lease), .. }) => {
                self.fuse.sign(*lease, hint);
                self.stripe.add(Counter::Probes);
            }
            // Removed: this is no rejection.
            Ok(_) | Err(Rejection { state: State::Vacant, .. }) => {}
            Err(_) => self.stripe.add(Counter::Rejections),
        }
        admission
    }

    /// Reports how a call ended, counts it, and writes a transition down. Without a valid permit the outcome is late.
    ///
    /// `took_us` is asked only if it matters how long a call takes: it gets the time at which the call ends, and says
    /// how long the call took. `about` is asked only about a transition: what the journal is to say of it.
    pub fn settle(
        self,
        policy: &Policy,
        permit: Option<Permit>,
        outcome: Outcome,
        took_us: impl FnOnce(u64) -> u64,
        now_us: impl Fn() -> u64,
        about: impl FnOnce() -> About,
    ) -> Effect {
        let is_fast = |permit| self.fast_path().fast_success_of(permit);
        if outcome == Outcome::Success && !policy.has_rates() && permit.is_some_and(is_fast) {
            return Effect::Counted;
        }
        let call = outcome.of_a_call(if policy.is_timed() { took_us(now_us()) } else { 0 });
        let effect = match (permit, outcome) {
            (None, _) => Effect::Late,
            (Some(permit), Outcome::Ignored) => self.fuse.cancel(permit),
            (Some(permit), _) => self.fuse.settle(policy, permit, call, now_us),
        };
        // After the fuse was removed, these counters belong to the next claim.
        if effect != Effect::Late || self.fuse.mine().is_some() {
            self.count(outcome, effect);
            // All slow calls come here, because the fast paths leave them out.
            if outcome != Outcome::Ignored && policy.is_slow(call.took_us) {
                self.fuse.count_slow();
            }
        }
        if let Effect::Changed(transition) = effect {
            self.fuse.write_down(transition, about());
        }
        effect
    }

    fn count(self, outcome: Outcome, effect: Effect) {
        self.stripe.add(outcome.counter());
        match effect {
            Effect::Late => self.stripe.add(Counter::Late),
            Effect::Changed(transition) if transition.to == State::Open => self.stripe.add(Counter::Trips),
            Effect::Changed(_) => self.stripe.add(Counter::Closes),
            Effect::Counted => {}
        }
    }

    /// Takes a permit back as if it had never been given: nothing is counted.
    pub fn cancel(self, permit: Permit) {
        self.fuse.cancel(permit);
    }

    /// [`FastPath::fast_success`] under a policy with rates.
    #[must_use]
    #[inline]
    pub fn rated_success(
        self,
        policy: &Policy,
        admitted: Word,
        took_us: impl FnOnce(u64) -> u64,
        now_us: impl Fn() -> u64,
    ) -> bool {
        let permit = Permit { generation: admitted.generation(), lease: None };
        self.rated(policy, permit, took_us, now_us, || self.fast_path().fast_success(admitted))
    }

    /// [`FastPath::fast_success_of`] under a policy with rates.
    #[must_use]
    #[inline]
    pub fn rated_success_of(
        self,
        policy: &Policy,
        permit: Permit,
        took_us: impl FnOnce(u64) -> u64,
        now_us: impl Fn() -> u64,
    ) -> bool {
        self.rated(policy, permit, took_us, now_us, || self.fast_path().fast_success_of(permit))
    }

    #[inline(always)]
    fn rated(
        self,
        policy: &Policy,
        permit: Permit,
        took_us: impl FnOnce(u64) -> u64,
        now_us: impl Fn() -> u64,
        is_fast: impl FnOnce() -> bool,
    ) -> bool {
        let ended_us = policy.is_timed().then(&now_us);
        let took_us = ended_us.map_or(0, took_us);
        let fast = !policy.is_slow(took_us) && is_fast();
        if fast {
            // A good call reaches no rate, so the answer does not matter.
            _ = self.fuse.count_in_rates(policy, permit, Call { took_us, ..Call::default() }, ended_us, now_us);
        }
        fast
    }
}

fn is_beside_probes(admission: &Admission) -> bool {
    matches!(admission.verdict, Err(Rejection { state: State::HalfOpen, .. }))
}
