//! Judging a call that has ended by every rule of a policy: count, rates, and what the call itself demands.
//!
//! A rate is looked at when a bad call ends, as a count is: good calls are counted in the rate windows and ask nothing. A rate
//! over calls knows at the count itself whether this call reaches it ([`crate::rate`]). That the last straw of a rate over a
//! time is not missed follows from the order of each bad call's steps: it counts itself in the rate windows, adds 0 to
//! the fuse word, and only then sums up. Of two that end at once one adds its 0 behind the other's, and so sums up what
//! that one had counted. (A swap of the word for itself would not do: it does not notice another such swap before it.)

use crate::fuse::{Effect, Fuse, Permit};
use crate::journal::Cause;
use crate::policy::{Policy, Rate};
use crate::rate::{RATE_WINDOWS, RateCount, RateKind};
use crate::state::State;
use crate::sync::Ordering;

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Whether it failed.
    pub failed: bool,
    /// How long it took, in microseconds; 0 where no rule asks.
    pub took_us: u64,
    /// Whether the fuse is to open at once, whatever the counts. Only a failed call's word counts.
    pub demands: bool,
    /// How long the fuse is to stay open if this call opens it, in microseconds; 0 for as long as the policy says.
    pub asked_us: u64,
}

/// The rates over calls that a bad call reached when it was counted, by the codes of [`RateKind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached([bool; RATE_WINDOWS]);

impl Call {
    /// What it is to be called that this call, as a probe, opens the fuse.
    pub(crate) const fn probe_cause(self) -> Cause {
        match self {
            Self { demands: true, .. } => Cause::Demanded,
            Self { failed: true, .. } => Cause::ProbeFailed,
            Self { .. } => Cause::ProbeSlow,
        }
    }

    /// Whether it is one of the bad ones of a rate.
    const fn is_bad(self, (kind, rate): (RateKind, Rate)) -> bool {
        if kind.is_of_slow() { self.took_us >= rate.slow_us } else { self.failed }
    }
}

impl Fuse<'_> {
    /// Reports how a call ended, to be judged by all rules of the policy (rules R03, R04, R07 to R09). A slow probe is a
    /// failed one.
    pub fn ended(self, policy: &Policy, permit: Permit, call: Call, now_us: impl Fn() -> u64) -> Effect {
        let reached = self.count_in_rates(policy, permit, call, None, &now_us);
        self.judge(policy, permit, call, reached, now_us)
    }

    /// The second half of [`Self::ended`]: what a call means that the rate windows have counted.
    pub fn judge(
        self,
        policy: &Policy,
        permit: Permit,
        call: Call,
        counted: Reached,
        now_us: impl Fn() -> u64,
    ) -> Effect {
        let slow = policy.is_slow(call.took_us);
        if (call.failed || slow) && policy.has_rates() {
            // AcqRel: hands our count on to those who come behind, and theirs to us.
            self.cell.word.fetch_add(0, Ordering::AcqRel);
        }
        let reached = || self.reached(policy, permit.generation, call, counted, &now_us);
        let call = Call { demands: call.failed && call.demands, ..call };
        if call.demands {
            self.fail(policy, permit, call, now_us(), || Some(Cause::Demanded))
        } else if call.failed || slow && permit.lease.is_some() {
            self.fail(policy, permit, call, now_us(), reached)
        } else if slow {
            self.succeed_slowly(policy, permit, now_us(), reached)
        } else {
            self.succeeded(policy, permit, now_us())
        }
    }

    /// Counts a call in the rate windows that the policy asks for, unless its generation is over. The clock is asked when it
    /// ended, unless that is known. The rates over calls that it reaches, as a bad one.
    pub fn count_in_rates(
        self,
        policy: &Policy,
        permit: Permit,
        call: Call,
        ended_us: Option<u64>,
        now_us: impl Fn() -> u64,
    ) -> Reached {
        let mut reached = Reached::default();
        let Some(rate_windows) = self.rate_windows.filter(|_| policy.has_rates()) else { return reached };
        let is_current = || {
            let word = self.word();
            word.state().counts() && word.generation() == permit.generation
        };
        if !is_current() {
            return reached;
        }
        for (kind, rate) in policy.active_rates() {
            let (window, bad) = (&rate_windows[kind as usize], call.is_bad((kind, rate)));
            if kind.is_of_calls() {
                let count = window.add_next(rate, permit.generation, bad, is_current);
                reached.0[kind as usize] = bad && count.is_some_and(|count| rate.is_reached(count));
            } else {
                let ended_us = ended_us.unwrap_or_else(&now_us);
                window.count(rate, permit.generation, bad, ended_us, &now_us, is_current);
            }
        }
        reached
    }

    /// The rate that the calls of a generation have reached, if there is one, of those that this one was bad for.
    fn reached(
        self,
        policy: &Policy,
        generation: u64,
        call: Call,
        counted: Reached,
        now_us: impl Fn() -> u64,
    ) -> Option<Cause> {
        let is_reached_in_time = |kind, rate| rate_is_reached(self, kind, rate, generation, &now_us);
        let reached = |&(kind, rate): &(RateKind, _)| {
            if kind.is_of_calls() { counted.0[kind as usize] } else { is_reached_in_time(kind, rate) }
        };
        policy.active_rates().filter(|measured| call.is_bad(*measured)).find(reached).map(|(kind, _)| cause_of(kind))
    }

    /// Counts a slow call. Not on a line of its own for each process: who counts one has waited longer for the call.
    pub(crate) fn count_slow(self) {
        self.cell.slow.fetch_add(1, Ordering::Relaxed);
    }

    /// What the calls within a rate's span were, in the state that the fuse is in now.
    #[must_use]
    pub fn rate_count(self, policy: &Policy, kind: RateKind, now_us: impl Fn() -> u64) -> Option<RateCount> {
        let (rate, rate_windows) = (policy.rates[kind as usize]?, self.rate_windows?);
        Some(rate_windows[kind as usize].rate_count(kind, rate, self.word().generation(), now_us))
    }

    /// Reports a success that was too slow, of a call that was no probe.
    fn succeed_slowly(
        self,
        policy: &Policy,
        permit: Permit,
        now_us: u64,
        reached: impl Fn() -> Option<Cause>,
    ) -> Effect {
        loop {
            let seen = self.word();
            if seen.generation() != permit.generation {
                return Effect::Late;
            }
            if !seen.state().counts() {
                return Effect::Counted;
            }
            if let Some(cause) = reached() {
                match self.change(seen, seen.moved_to(State::Open, now_us), cause) {
                    Some(made) => {
                        self.opened(policy, seen, made, 0);
                        return Effect::Changed(made);
                    }
                    None => continue,
                }
            }
            if !(seen.is_dirty() && policy.clear_on_success) || self.swap(seen, seen.cleared()) {
                return Effect::Counted;
            }
        }
    }
}

fn rate_is_reached(fuse: Fuse<'_>, kind: RateKind, rate: Rate, generation: u64, now_us: impl Fn() -> u64) -> bool {
    fuse.rate_windows.is_some_and(|rate_windows| {
        rate.is_reached(rate_windows[kind as usize].rate_count(kind, rate, generation, now_us))
    })
}

const fn cause_of(kind: RateKind) -> Cause {
    match kind {
        RateKind::FailuresInTime => Cause::FailureRate,
        RateKind::FailuresOfCalls => Cause::FailureRateOfCalls,
        RateKind::SlowInTime => Cause::SlowRate,
        RateKind::SlowOfCalls => Cause::SlowRateOfCalls,
    }
}
