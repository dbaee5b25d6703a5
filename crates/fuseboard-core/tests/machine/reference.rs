//! The rules of a fuse as a plain sequential machine: what `docs/reference/state-machine.md` says, in the simplest words
//! that can be run. It knows of no words, heads or rings; only of the log's length, where counts stop.

use fuseboard_core::admission::Rejection;
use fuseboard_core::fuse::{Effect, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::time::LEAD_US;
use fuseboard_core::transition::Cause;
use fuseboard_core::transition::Transition;

/// A lease as its holder and the seat know it. Generations are told apart by 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainLease {
    tag: u64,
    deadline: u64,
}

/// What a call was given: the generation and, for a probe, its seat and lease.
#[derive(Clone, Copy, Debug)]
pub struct PlainPermit {
    pub generation: u64,
    pub probe: Option<(usize, PlainLease)>,
}

impl PlainPermit {
    /// Whether a permit of the shipped code's says the same.
    pub fn is_like(&self, permit: &Permit) -> bool {
        let seat = permit.lease.map(|lease| lease.seat as usize);
        self.generation == permit.generation && self.probe.map(|(seat, _)| seat) == seat
    }
}

/// A fuse.
#[derive(Debug)]
pub struct Reference {
    pub state: State,
    /// When the state began; one more than the last time where the clock did not move.
    pub since: u64,
    /// When the failures of the window were, of any age.
    pub failures: Vec<u64>,
    pub log_len: usize,
    successes: u32,
    seats: [Option<(PlainLease, u64)>; 8],
}

impl Reference {
    pub fn new(log_len: usize) -> Self {
        Self { state: State::Unseen, since: 0, failures: Vec::new(), log_len, successes: 0, seats: [None; 8] }
    }

    /// R09: a change of state begins a later generation, with an empty window and no probe counted.
    fn go_to(&mut self, to: State, cause: Cause, now: u64) -> Transition {
        let from = self.state.visible();
        self.since = now.max(self.since + 1);
        self.state = to;
        self.failures.clear();
        self.successes = 0;
        Transition { from, to: to.visible(), generation: self.since, cause }
    }

    /// R01: a fuse never seen is closed.
    fn see(&mut self, now: u64) {
        if self.state == State::Unseen {
            self.go_to(State::Closed, Cause::Unknown, now);
        }
    }

    fn tag(&self) -> u64 {
        self.since % (1 << 16)
    }

    /// R02, R05, R06, R12; what the shipped code should answer, and the permit if it is a permit.
    pub fn admit(
        &mut self,
        policy: &Policy,
        owner: u64,
        now: u64,
    ) -> (Result<PlainPermit, Rejection>, Option<Transition>) {
        self.see(now);
        let mut transition = None;
        if self.state == State::Open {
            // R14: a stamp in the future counts as now.
            let left = (self.since.min(now) + policy.reset_us).saturating_sub(now);
            if left > LEAD_US {
                return (Err(Rejection::new(State::Open, Some(left))), None);
            }
            transition = Some(self.go_to(State::HalfOpen, Cause::ResetTimeout, now));
        }
        let verdict = match self.state {
            State::Isolated => Err(Rejection::new(State::Isolated, None)),
            State::HalfOpen => self.probe(policy, owner, now),
            _ => Ok(PlainPermit { generation: self.since, probe: None }),
        };
        (verdict, transition)
    }

    fn probe(&mut self, policy: &Policy, owner: u64, now: u64) -> Result<PlainPermit, Rejection> {
        let tag = self.tag();
        let taken = |seat: &Option<(PlainLease, u64)>| {
            let (lease, _) = (*seat)?;
            (lease.tag == tag && lease.deadline > now).then(|| lease.deadline - now)
        };
        let left: Vec<_> = self.seats[..policy.probes as usize].iter().map(taken).collect();
        let Some(free) = left.iter().position(Option::is_none) else {
            let lease_us = left.into_iter().flatten().min().min(Some(policy.probe_us));
            let retry_after_us = lease_us.min(Some((policy.reset_us / 10).max(1)));
            return Err(Rejection { state: State::HalfOpen, retry_after_us, lease_us });
        };
        let lease = PlainLease { tag, deadline: now + policy.probe_us };
        self.seats[free] = Some((lease, owner));
        Ok(PlainPermit { generation: self.since, probe: Some((free, lease)) })
    }

    fn holds(&self, permit: &PlainPermit) -> bool {
        permit.probe.is_some_and(|(seat, lease)| self.seats[seat].is_some_and(|(taken, _)| taken == lease))
    }

    fn is_late(&self, permit: &PlainPermit) -> bool {
        permit.generation != self.since || self.state == State::HalfOpen && !self.holds(permit)
    }

    /// R04, R07, R09.
    pub fn succeeded(&mut self, policy: &Policy, permit: &PlainPermit, now: u64) -> Effect {
        match self.state {
            _ if self.is_late(permit) => Effect::Late,
            State::HalfOpen => {
                self.successes += 1;
                if self.successes >= policy.success_threshold {
                    return Effect::Changed(self.go_to(State::Closed, Cause::ProbesSucceeded, now));
                }
                self.seats[permit.probe.expect("a probe").0] = None;
                Effect::Counted
            }
            State::Closed if policy.clear_on_success => {
                self.failures.clear();
                Effect::Counted
            }
            _ => Effect::Counted,
        }
    }

    /// R03, R08, R09.
    pub fn failed(&mut self, policy: &Policy, permit: &PlainPermit, now: u64) -> Effect {
        match self.state {
            _ if self.is_late(permit) => Effect::Late,
            State::HalfOpen => Effect::Changed(self.go_to(State::Open, Cause::ProbeFailed, now)),
            State::Closed => {
                let count = self.add(policy.window_us, now);
                if count < policy.threshold as usize {
                    return Effect::Counted;
                }
                Effect::Changed(self.go_to(State::Open, Cause::Threshold, now))
            }
            _ => Effect::Counted,
        }
    }

    /// R10.
    pub fn cancel(&mut self, permit: &PlainPermit) -> Effect {
        let held = self.holds(permit);
        if let Some((seat, _)) = permit.probe.filter(|_| held) {
            self.seats[seat] = None;
        }
        if permit.generation != self.since || permit.probe.is_some() && !held { Effect::Late } else { Effect::Counted }
    }

    /// R11: frees the seats of an owner that is gone; whether it had any.
    pub fn reclaim(&mut self, owner: u64) -> bool {
        let gone = self.seats.iter_mut().filter(|seat| seat.is_some_and(|(_, of)| of == owner));
        gone.map(|seat| *seat = None).count() > 0
    }

    /// Adds a failure; how many there are within the window.
    fn add(&mut self, window: u64, now: u64) -> usize {
        let stamp = now.max(self.since);
        self.failures.push(stamp);
        self.failures.iter().filter(|failure| **failure + window >= stamp).count()
    }

    /// R13.
    pub fn record_failure(&mut self, window: u64, now: u64) -> u32 {
        self.see(now);
        self.add(window, now).min(self.log_len) as u32
    }

    /// R13.
    pub fn record_success(&mut self, now: u64) {
        self.see(now);
        self.failures.clear();
    }

    /// R12.
    pub fn set(&mut self, to: State, now: u64) -> Option<Transition> {
        let held = [State::Isolated, State::Disabled].contains(&self.state);
        (!held).then(|| self.go_to(to, Cause::Set, now))
    }

    /// R12.
    pub fn command(&mut self, to: State, now: u64) -> Transition {
        self.seats = [None; 8];
        self.go_to(to, Cause::Manual, now)
    }

    pub fn forget(&mut self, now: u64) -> Option<Transition> {
        self.seats = [None; 8];
        (self.state != State::Unseen).then(|| self.go_to(State::Unseen, Cause::ResetAll, now))
    }
}
