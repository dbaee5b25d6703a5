//! Every operation on one fuse, at any time and with any settings: no answer leaves its range.

use fuseboard_core::admission::{Admission, Rejection};
use fuseboard_core::fuse::Call;
use fuseboard_core::fuse::{Effect, Fuse, Permit};
use fuseboard_core::lease::{Lease, SEATS};
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::Rate;
use fuseboard_core::rate::RateKind;
use fuseboard_core::state::State;
use fuseboard_core::time::{HORIZON_US, LEAD_US, STAMP_MAX, age, is_far_ahead};
use fuseboard_core::transition::Transition;
use fuseboard_core::word::Word;

use super::input::Input;
use super::journal::TELLING_WRITES;
use super::steps::bounded;

/// More shared writes than any operation on a fuse makes while nobody else writes; it may tell of two transitions.
pub const WRITES: u32 = 32 + 2 * TELLING_WRITES;
/// The same of a manual override, which takes away what damage left.
pub fn mending_writes(log_len: usize) -> u32 {
    WRITES + 1 + SEATS as u32 + log_len as u32
}
/// Every state there is.
pub const STATES: [State; 7] =
    [State::Unseen, State::Closed, State::Open, State::HalfOpen, State::Isolated, State::Disabled, State::Ramping];
const PERMITS: usize = 8;

/// A fuse under test, with some of the permits that it gave and some that it did not.
pub struct Driver<'a> {
    fuse: Fuse<'a>,
    log_len: u32,
    permits: Vec<Permit>,
}

impl<'a> Driver<'a> {
    /// A fuse with a log of `log_len` entries, which nobody else writes to.
    pub fn new(fuse: Fuse<'a>, log_len: usize) -> Self {
        Self { fuse, log_len: log_len as u32, permits: Vec::new() }
    }

    /// One operation, chosen by `input`, at `now`.
    pub fn step(&mut self, input: &mut Input<'_>, now: u64) {
        match input.choice(13) {
            0 => self.admit(input, now),
            1..=3 => self.settle(input, now),
            4 => self.record_failure(input, now),
            5 => self.record_success(now),
            6 => self.move_to(input, now),
            7 => check_snapshot(self.fuse, self.log_len),
            8 => self.sign(input),
            9 => self.reclaim(input),
            10 => _ = bounded(WRITES, || self.fuse.note_settings(input.word().max(1))),
            11 => self.look(input, now),
            _ => self.forge(input),
        }
    }

    fn keep(&mut self, permit: Permit) {
        if self.permits.len() == PERMITS {
            self.permits.remove(0);
        }
        self.permits.push(permit);
    }

    fn permit(&self, input: &mut Input<'_>) -> Permit {
        let none = Permit { generation: self.fuse.word().generation(), lease: None };
        self.permits.get(input.choice(PERMITS)).copied().unwrap_or(none)
    }

    /// A permit that no fuse ever gave.
    fn forge(&mut self, input: &mut Input<'_>) {
        let lease = (input.choice(2) == 0).then(|| Lease { seat: input.word() as u32, word: input.word() });
        let generation = if input.choice(2) == 0 { self.fuse.word().generation() } else { input.word() };
        self.keep(Permit { generation, lease });
    }

    fn admit(&mut self, input: &mut Input<'_>, now: u64) {
        let policy = policy(input, self.log_len);
        let before = self.fuse.word();
        let admission = bounded(WRITES, || self.fuse.admit(&policy, now));
        check_admission(&admission, &policy);
        let is_removed = matches!(admission.verdict, Err(Rejection { state: State::Vacant, .. }));
        assert!(!is_removed, "a fuse without a claim is always there");
        if let Some(transition) = admission.transition {
            check_transition(self.fuse, before, transition, now);
        }
        if let Ok(permit) = admission.verdict {
            assert_eq!(self.fuse.word().generation(), permit.generation, "a permit is of the generation that gave it");
            self.keep(permit);
        }
    }

    fn settle(&mut self, input: &mut Input<'_>, now: u64) {
        let (policy, permit) = (policy(input, self.log_len), self.permit(input));
        let before = self.fuse.word();
        let effect = bounded(WRITES, || match input.choice(5) {
            0 => self.fuse.succeeded(&policy, permit, now),
            1 => self.fuse.failed(&policy, permit, now),
            2 | 3 => self.fuse.settle(&policy, permit, call(input), || now),
            _ => self.fuse.cancel(permit),
        });
        match effect {
            Effect::Changed(transition) => {
                assert!(may_follow(transition.from, transition.to), "{transition:?}");
                check_transition(self.fuse, before, transition, now);
            }
            Effect::Late => assert_eq!(before, self.fuse.word(), "a late outcome changes nothing (R09)"),
            Effect::Counted => assert_eq!(before.state(), self.fuse.word().state()),
        }
    }

    /// Asks without taking anything.
    fn look(&self, input: &mut Input<'_>, now: u64) {
        let policy = policy(input, self.log_len);
        let verdict = bounded(0, || self.fuse.would_admit(&policy, now, |_| false));
        if let Err(rejection) = verdict {
            check_rejection(rejection, &policy);
        }
        for kind in RateKind::ALL {
            let count = bounded(0, || self.fuse.rate_count(&policy, kind, || now)).unwrap_or_default();
            assert!(count.bad <= count.calls, "{count:?}");
        }
    }

    fn record_failure(&self, input: &mut Input<'_>, now: u64) {
        let (before, window) = (self.fuse.word(), input.word());
        let count = bounded(WRITES, || self.fuse.record_failure(window, now));
        assert!((1..=self.log_len).contains(&count), "{count} failures in a log of {}", self.log_len);
        let after = self.fuse.word();
        assert!(after.is_dirty());
        assert_eq!(before.state().visible(), after.state(), "recording decides nothing (R13)");
    }

    fn record_success(&self, now: u64) {
        let before = self.fuse.word();
        bounded(WRITES, || self.fuse.record_success(now));
        let after = self.fuse.word();
        assert!(!after.is_dirty());
        assert_eq!(before.state().visible(), after.state(), "recording decides nothing (R13)");
    }

    fn move_to(&self, input: &mut Input<'_>, now: u64) {
        let (before, state) = (self.fuse.word(), STATES[input.choice(STATES.len())]);
        let mending = mending_writes(self.log_len as usize);
        let forgotten = !before.state().is_seen() && !before.is_dirty();
        let (refused, transition) = match input.choice(3) {
            0 => (self.is_held(before, now), bounded(WRITES, || self.fuse.set(state, now))),
            1 => (false, bounded(mending, || self.fuse.command(state, || now))),
            _ => (forgotten && !is_far_ahead(now, before.generation()), bounded(mending, || self.fuse.forget(|| now))),
        };
        assert_eq!(refused, transition.is_none(), "{before:?}");
        match transition {
            Some(made) if is_far_ahead(now, before.generation()) && made.generation == now.clamp(1, STAMP_MAX) => {}
            Some(made) => check_transition(self.fuse, before, made, now),
            None => assert_eq!(before, self.fuse.word()),
        }
    }

    /// R12: whether a manual override stands, whose time is not over.
    fn is_held(&self, word: Word, now: u64) -> bool {
        let override_lasts_us = self.fuse.until_us(word).map(|until_us| until_us - word.generation());
        word.state().is_overridden()
            && override_lasts_us
                .is_none_or(|override_lasts_us| override_lasts_us > age(now, word.generation()).saturating_add(LEAD_US))
    }

    fn sign(&self, input: &mut Input<'_>) {
        if let Some(lease) = self.permit(input).lease {
            bounded(1, || self.fuse.sign(lease, input.word()));
        }
    }

    fn reclaim(&self, input: &mut Input<'_>) {
        let before = self.fuse.word();
        let gone = input.word();
        bounded(SEATS as u32, || self.fuse.reclaim(|hint| hint & gone == 0));
        assert_eq!(before, self.fuse.word(), "taking a seat back changes no state");
    }
}

/// Any settings, brought into range or, one time in four, not.
pub fn policy(input: &mut Input<'_>, log_len: u32) -> Policy {
    let wild = input.choice(4) == 0;
    let rates = input.byte();
    let mut number = || if wild { input.word() } else { input.short() << (input.choice(3) * 8) };
    let mut rate =
        || Rate { span: number(), bad_ppm: number() as u32, min_calls: number() as u32 % 64, slow_us: number() };
    let policy = Policy {
        rates: std::array::from_fn(|i| (rates >> i & 1 != 0).then(&mut rate)),
        threshold: number() as u32,
        window_us: number(),
        reset_us: number(),
        multiplier_permille: number() as u32,
        longest_us: number(),
        jitter_ppm: number() as u32,
        probes: number() as u32,
        success_threshold: number() as u32,
        probe_failures: number() as u32,
        half_open_us: number(),
        ramp_us: number(),
        ramp_from_ppm: number() as u32,
        probe_us: number(),
        clear_on_success: rates >> 7 == 0,
    };
    if wild { policy } else { policy.in_range(log_len as usize) }
}

/// How a call ended: any way, mostly in a time that some policy calls slow and another does not.
pub fn call(input: &mut Input<'_>) -> Call {
    let how = input.byte();
    let mut time = || if how & 4 == 0 { 0 } else { input.word() >> (how >> 4 << 2) };
    Call { failed: how & 1 != 0, demands: how & 2 != 0, took_us: time(), asked_us: time() }
}

/// The answer to a call, whoever else writes: a seat that exists, and a wait no longer than the settings allow.
pub fn check_admission(admission: &Admission, policy: &Policy) {
    if let Some(Transition { from, to, generation, .. }) = admission.transition {
        let of_an_admission = matches!(
            (from, to),
            (State::Open, State::HalfOpen)
                | (State::HalfOpen, State::Open)
                | (State::Ramping | State::Disabled, State::Closed)
                | (State::Isolated, State::HalfOpen)
        );
        assert!(of_an_admission && generation <= STAMP_MAX, "{:?}", admission.transition);
    }
    match admission.verdict {
        Ok(Permit { generation, lease }) => {
            assert!(generation <= STAMP_MAX);
            assert!(lease.is_none_or(|lease| lease.seat < policy.probes && (lease.seat as usize) < SEATS), "{lease:?}");
        }
        Err(rejection) => check_rejection(rejection, policy),
    }
}

fn check_rejection(rejection: Rejection, policy: &Policy) {
    let longest = match rejection.state {
        // Vacant: the slot was removed, by damage.
        State::Vacant => return assert_eq!((None, None), (rejection.retry_after_us, rejection.lease_us)),
        State::Isolated if rejection.retry_after_us.is_none() => return assert_eq!(None, rejection.lease_us),
        State::Isolated => HORIZON_US,
        // Jitter may double it.
        State::Open => policy.reset_us.max(policy.longest_us).saturating_mul(2),
        State::HalfOpen => policy.probe_us,
        State::Ramping => policy.ramp_us,
        other => panic!("{other:?} rejects nobody"),
    };
    let wait = rejection.retry_after_us.expect("a time to wait for");
    assert!(wait <= longest, "{wait} of {longest}");
    assert_eq!(rejection.state == State::HalfOpen, rejection.lease_us.is_some());
    assert!(rejection.lease_us.is_none_or(|lease| (wait..=policy.probe_us).contains(&lease)), "{rejection:?}");
    assert!(*policy != policy.in_range(usize::MAX) || wait <= HORIZON_US, "{wait} is more than seven days");
}

/// What people see of a fuse, whoever else writes.
pub fn check_snapshot(fuse: Fuse<'_>, log_len: u32) {
    let cell = fuse.read();
    assert!(cell.failures <= log_len, "{} failures in a log of {log_len}", cell.failures);
    assert_eq!(cell.failures > 0, cell.last_failure_us.is_some());
    assert!(cell.last_failure_us.is_none_or(|stamp| stamp <= STAMP_MAX));
    assert!(cell.word.generation() <= STAMP_MAX);
}

/// The changes of state that the breaker's rules make by themselves.
pub fn may_follow(from: State, to: State) -> bool {
    matches!(
        (from, to),
        (State::Closed | State::HalfOpen | State::Ramping, State::Open)
            | (State::Open, State::HalfOpen)
            | (State::HalfOpen, State::Closed | State::Ramping)
            | (State::Ramping, State::Closed)
    )
}

/// A change that was just made, with nobody else writing: it is in force, with an empty window, in a later generation. Only
/// a stamp that no sound process can have written is taken back, to `now`.
fn check_transition(fuse: Fuse<'_>, before: Word, made: Transition, now: u64) {
    let after = fuse.word();
    assert_eq!((made.to, made.generation), (after.state().visible(), after.generation()));
    assert_eq!(before.state().visible(), made.from);
    assert!(!after.is_dirty());
    let now = now.min(STAMP_MAX);
    let unbelievable = before.generation() >= now.saturating_add(HORIZON_US) || before.generation() == STAMP_MAX;
    assert!(made.generation > before.generation() || unbelievable && made.generation == now, "{before:?} {made:?}");
}
