//! One fuse: its word, and what the end of a call does to it. [`crate::admission`] has what comes before a call.
//!
//! Every operation reads the fuse word, computes the word that should follow, and swaps it in. If the word changed in
//! between, it starts again. The swap is the moment at which the operation happens. So operations on one fuse are
//! linearizable, a crash leaves a fuse either before an operation or after it, and nobody waits for anybody.
//!
//! | operation | cost |
//! |---|---|
//! | admit a call while closed | one acquire load (rule T04) |
//! | a success with an empty window | one load |
//! | a success that clears the window | one swap, which flips the dirty bit (rule T06) |
//! | a failure | an attempt in the log, then one swap that counts it and, if it is the last one needed, opens the fuse |
//! | any other transition | one swap, to a later generation |
//!
//! Acquire on each load and AcqRel on each swap of the fuse word order the entries of the failure log that the word's
//! head counts. Leases and the counts of probes are separate words, each tagged with its generation.
//!
//! **Rates** are looked at when a bad call ends, as the count of failures is. Good calls are only counted. A rate over
//! calls knows from the count itself whether this call reaches it ([`crate::rate`]). A rate over a time must not miss
//! its last bad call when two end at once, so each bad call takes three steps in this order: it counts itself, it adds
//! 0 to the fuse word, and it sums up. Of two bad calls, one adds its 0 after the other, and therefore sees what the
//! other has counted. (To swap the word for itself would not do: such a swap does not notice another one before it.)

pub use crate::cell::Cell;
use crate::journal::{About, Record};
use crate::journal_writer::{self, JournalWriter};
use crate::key::{Key, Owner};
use crate::lease::{FAILURES, Lease, SUCCESSES, Seats};
use crate::log::{Entry, Log};
use crate::policy::Policy;
use crate::rate::{RATE_WINDOWS, Rate, RateCount, RateKind, RateWindow};
use crate::state::State;
use crate::sync::{AtomicU64, Ordering};
use crate::transition::Cause;
pub use crate::transition::Transition;
use crate::word::{LOG_MAX, Word};

/// A fuse: its cell, its failure log, and what a table has beside them. Free to copy. Every method may be called by any
/// process at any time.
#[derive(Clone, Copy)]
pub struct Fuse<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) log: Log<'a>,
    pub(crate) rate_windows: Option<&'a [RateWindow; RATE_WINDOWS]>,
    pub(crate) writer: Option<JournalWriter<'a>>,
    pub(crate) claim: Option<(&'a Key, Owner)>,
}

/// The right to make one call. Its outcome counts only in the generation in which it was given (rule R09).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The generation of the fuse when the call was admitted.
    pub generation: u64,
    /// The lease of a probe; `None` for any other call.
    pub lease: Option<Lease>,
}

impl Permit {
    /// A permit of the word's generation, without a lease.
    pub(crate) const fn of(seen: Word) -> Self {
        Self { generation: seen.generation(), lease: None }
    }
}

/// What an outcome did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It was in time, and the state stays.
    Counted,
    /// It was in time, and changed the state.
    Changed(Transition),
    /// Its permit was of an older generation, or its lease had been taken over: nothing changed (rule R09).
    Late,
}

/// How a call ended, with all that a policy may ask about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Whether it failed.
    pub failed: bool,
    /// How long it took, in microseconds; 0 if no rule asks.
    pub took_us: u64,
    /// Whether the fuse is to open at once, whatever the counts. Only failed calls can demand this.
    pub demands: bool,
    /// How long the fuse is to stay open if this call opens it, in microseconds; 0 for as long as the policy says.
    pub asked_us: u64,
}

impl Call {
    /// Why the fuse opens if this call, a probe, opens it.
    const fn probe_cause(self) -> Cause {
        match self {
            Self { demands: true, .. } => Cause::Demanded,
            Self { failed: true, .. } => Cause::ProbeFailed,
            Self { .. } => Cause::ProbeSlow,
        }
    }

    /// Whether it is a bad call of this rate.
    const fn is_bad(self, (kind, rate): (RateKind, Rate)) -> bool {
        if kind.is_of_slow() { self.took_us >= rate.slow_us } else { self.failed }
    }
}

/// The rates over calls that a bad call reached when it was counted, by the codes of [`RateKind`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached([bool; RATE_WINDOWS]);

/// What a fuse is made of, and its word.
impl<'a> Fuse<'a> {
    /// The fuse of a cell and a log, with no journal, no rates and no claim.
    ///
    /// # Panics
    /// If the log's length is not a power of two from 2 to [`LOG_MAX`].
    #[must_use]
    pub fn new(cell: &'a Cell, log: &'a [AtomicU64]) -> Self {
        assert!(log.len().is_power_of_two() && (2..=LOG_MAX).contains(&log.len()), "log length {}", log.len());
        Self { cell, log: Log(log), rate_windows: None, writer: None, claim: None }
    }

    /// The fuse, with windows for the rates of its policies.
    #[must_use]
    pub const fn with_rate_windows(self, rate_windows: &'a [RateWindow; RATE_WINDOWS]) -> Self {
        Self { rate_windows: Some(rate_windows), ..self }
    }

    /// The fuse, with its transitions written into a journal.
    #[must_use]
    pub const fn with_journal_writer(self, writer: JournalWriter<'a>) -> Self {
        Self { writer: Some(writer), ..self }
    }

    /// The fuse, as long as `owner` stands in its key. Once it does not, the fuse was removed: operations do nothing
    /// and say so.
    #[must_use]
    pub const fn with_claim(self, key: &'a Key, owner: Owner) -> Self {
        Self { claim: Some((key, owner)), ..self }
    }

    /// The fuse word, in one acquire load: state, time and generation that belong together.
    #[must_use]
    #[inline(always)]
    pub fn word(self) -> Word {
        self.cell.load()
    }

    /// The fuse word; `None` if the fuse was removed. The key is read after the word: if it still has our owner, the
    /// word is of this claim. A fuse made without a claim cannot be removed.
    #[must_use]
    pub fn mine(self) -> Option<Word> {
        let seen = self.word();
        let Some((key, owner)) = self.claim else { return Some(seen) };
        (seen.state() != State::Vacant && key.owner() == owner).then_some(seen)
    }

    /// Puts `next` in the place of `seen`; whether `seen` was still there.
    pub(crate) fn swap(self, seen: Word, next: Word) -> bool {
        self.cell.word.compare_exchange(seen.0, next.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Puts `next`, of a later generation, in the place of `seen`; the transition, if this call made it.
    pub(crate) fn change(self, seen: Word, next: Word, cause: Cause) -> Option<Transition> {
        if let Some(writer) = self.writer {
            writer.announce(self.cell, seen, next, cause);
        }
        let (from, to) = (seen.state().visible(), next.state().visible());
        self.swap(seen, next).then(|| Transition { from, to, generation: next.generation(), cause })
    }

    /// Changes `seen` to the state `to`; the transition, if this call made it.
    pub(crate) fn transit(self, seen: Word, to: State, now_us: u64, cause: Cause) -> Option<Transition> {
        self.change(seen, seen.moved_to(to, now_us), cause)
    }

    /// Changes to the state `to`, and tries until it succeeds. `before` may first mend the word that was read; `None`
    /// from it means that nothing is to be changed. Nothing is changed in a removed fuse either. The clock is read
    /// after each look at the word.
    pub(crate) fn go_to(
        self,
        to: impl Fn(Word) -> State,
        cause: Cause,
        now_us: impl Fn() -> u64,
        mut before: impl FnMut(Word, u64) -> Option<Word>,
    ) -> Option<Transition> {
        loop {
            let seen = self.mine()?;
            let now_us = now_us();
            let next = before(seen, now_us)?.moved_to(to(seen), now_us);
            if let Some(transition) = self.change(seen, next, cause) {
                return Some(transition);
            }
        }
    }

    /// One attempt to count a failure and, if `trips` names a cause for its entry, to open the fuse in the same swap.
    /// The entry and what it did; `None` if the fuse changed in between.
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

    pub(crate) fn seats(&self) -> Seats<'a> {
        Seats { leases: &self.cell.seats, hints: &self.cell.hints }
    }
}

/// The journal.
impl Fuse<'_> {
    /// Writes down a transition that this process has just made, with what it knows about it. If the process dies
    /// before, another one writes it down.
    pub fn write_down(self, transition: Transition, about: About) {
        if let Some(writer) = self.writer {
            writer.write_down(self.cell, transition, about);
        }
    }

    /// Makes sure that the journal has the last transition of the fuse.
    pub fn catch_up(self) {
        if let Some(writer) = self.writer {
            writer.complete(self.cell, self.word());
        }
    }

    /// What [`Self::catch_up`] would write, for readers. The slot is the fuse's. A transition that was made before this
    /// call is in its answer, or in the journal if the journal is read after it.
    #[must_use]
    pub fn unjournaled(self, slot: u32) -> Option<Record> {
        journal_writer::unjournaled(self.cell, slot)
    }
}

/// After a call.
impl Fuse<'_> {
    /// Reports how a call ended, by all rules of the policy (rules R03, R04, R07 to R09, R19 to R22). A slow probe is a
    /// failed one.
    pub fn settle(self, policy: &Policy, permit: Permit, call: Call, now_us: impl Fn() -> u64) -> Effect {
        let reached = self.count_in_rates(policy, permit, call, None, &now_us);
        self.settle_counted(policy, permit, call, reached, now_us)
    }

    /// The first half of [`Self::settle`]: counts a call in the rate windows of the policy, unless its generation is
    /// over. Returns the rates over calls that it reaches as a bad call. `ended_us` is when the call ended; `None` to
    /// ask the clock if it matters.
    pub fn count_in_rates(
        self,
        policy: &Policy,
        permit: Permit,
        call: Call,
        ended_us: Option<u64>,
        now_us: impl Fn() -> u64,
    ) -> Reached {
        let mut reached = Reached::default();
        let Some(windows) = self.rate_windows.filter(|_| policy.has_rates()) else { return reached };
        let is_current = || {
            let word = self.word();
            word.state().counts() && word.generation() == permit.generation
        };
        if !is_current() {
            return reached;
        }
        for (kind, rate) in policy.active_rates() {
            let (window, bad) = (&windows[kind as usize], call.is_bad((kind, rate)));
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

    /// The second half of [`Self::settle`]: what the call means, once it is counted in the rate windows.
    pub fn settle_counted(
        self,
        policy: &Policy,
        permit: Permit,
        call: Call,
        counted: Reached,
        now_us: impl Fn() -> u64,
    ) -> Effect {
        let slow = policy.is_slow(call.took_us);
        if (call.failed || slow) && policy.has_rates() {
            // AcqRel: publishes our count to those who come after us, and theirs to us.
            self.cell.word.fetch_add(0, Ordering::AcqRel);
        }
        let reached = || self.reached_rate(policy, permit.generation, call, counted, &now_us);
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

    /// The rate that the calls of a generation have reached, if any, among those for which this call was bad.
    fn reached_rate(
        self,
        policy: &Policy,
        generation: u64,
        call: Call,
        counted: Reached,
        now_us: impl Fn() -> u64,
    ) -> Option<Cause> {
        let is_reached = |&(kind, rate): &(RateKind, Rate)| {
            if kind.is_of_calls() {
                return counted.0[kind as usize];
            }
            let window = self.rate_windows.map(|windows| &windows[kind as usize]);
            window.is_some_and(|window| rate.is_reached(window.rate_count(kind, rate, generation, &now_us)))
        };
        policy.active_rates().filter(|rate| call.is_bad(*rate)).find(is_reached).map(|(kind, _)| cause_of(kind))
    }

    /// Reports that a call failed (rules R03, R08, R09).
    pub fn failed(self, policy: &Policy, permit: Permit, now_us: u64) -> Effect {
        self.fail(policy, permit, Call { failed: true, ..Call::default() }, now_us, || None)
    }

    /// [`Self::failed`], with all that the call says. `other` is another reason to open a closed fuse; it is asked
    /// after each look at the word.
    fn fail(
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
                self.cell.opened(policy, seen, made, call.asked_us);
            }
            if let Some(effect) = effect {
                return effect;
            }
        }
    }

    /// Counts a failed probe: whether it is the last one allowed, or `demands` to be; `None` if its lease was taken
    /// over.
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

    /// Reports that a call succeeded (rules R04, R07, R09).
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
                        match self.count_successful_probe(policy, permit) {
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
    fn count_successful_probe(self, policy: &Policy, permit: Permit) -> Option<bool> {
        let lease = permit.lease.filter(|lease| self.seats().holds(*lease))?;
        let is_current = || self.word().generation() == permit.generation;
        let enough = policy.success_threshold <= 1
            || SUCCESSES.add(&self.cell.progress, permit.generation, is_current)? >= policy.success_threshold;
        if !enough {
            self.seats().release(lease);
        }
        Some(enough)
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
                match self.transit(seen, State::Open, now_us, cause) {
                    Some(made) => {
                        self.cell.opened(policy, seen, made, 0);
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

    /// Takes a permit back without an outcome (rule R10). [`Effect::Late`] if its generation or its lease had ended.
    pub fn cancel(self, permit: Permit) -> Effect {
        match permit.lease {
            Some(lease) if !self.seats().release(lease) => Effect::Late,
            _ if self.word().generation() != permit.generation => Effect::Late,
            _ => Effect::Counted,
        }
    }

    /// Counts a slow call. All processes share one counter: next to a slow call, waiting for its cache line is nothing.
    pub(crate) fn count_slow(self) {
        self.cell.slow.fetch_add(1, Ordering::Relaxed);
    }

    /// What a rate of the policy has counted in the state that the fuse is in now; `None` if the policy has no such
    /// rate.
    #[must_use]
    pub fn rate_count(self, policy: &Policy, kind: RateKind, now_us: impl Fn() -> u64) -> Option<RateCount> {
        let (rate, windows) = (policy.rates[kind as usize]?, self.rate_windows?);
        Some(windows[kind as usize].rate_count(kind, rate, self.word().generation(), now_us))
    }
}

const fn cause_of(kind: RateKind) -> Cause {
    match kind {
        RateKind::FailuresInTime => Cause::FailureRate,
        RateKind::FailuresOfCalls => Cause::FailureRateOfCalls,
        RateKind::SlowInTime => Cause::SlowRate,
        RateKind::SlowOfCalls => Cause::SlowRateOfCalls,
    }
}
