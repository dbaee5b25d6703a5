//! Random operations on one fuse against a plain machine of the rules, and on any bits at all.
#![cfg(not(fuseboard_loom))]

#[path = "machine/any_bits.rs"]
mod any_bits;
#[path = "machine/reference.rs"]
mod reference;

use fuseboard_core::fuse::{Cell, Fuse, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::sync::AtomicU64;
use proptest::prelude::*;

use reference::{PlainPermit, Reference};

const LOG_LEN: usize = 16;
/// The step of time: odd, so that generations rarely agree in their low bits. Windows and timeouts lie between steps.
const STEP: u64 = 10_007;
const HALF: u64 = STEP / 2;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Wait(u64),
    Admit(u64),
    Succeed(usize),
    Fail(usize),
    Release(usize),
    Die(u64),
    RecordFailure(u64),
    RecordSuccess,
    Set(State),
    Command(State),
    Forget,
}

/// Four times as many cases as usual, or as `PROPTEST_CASES` says; nothing is written beside the sources.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: 4 * usual.cases, failure_persistence: None, ..usual }
}

fn states() -> impl Strategy<Value = State> {
    prop::sample::select(vec![State::Closed, State::Open, State::HalfOpen, State::Isolated, State::Disabled])
}

fn operations() -> impl Strategy<Value = Operation> {
    use Operation::{Admit, Command, Die, Fail, Forget, RecordFailure, RecordSuccess, Release, Set, Succeed, Wait};
    prop_oneof![
        4 => (0..8_u64).prop_map(Wait),
        1 => (0..100_u64).prop_map(Wait),
        8 => (1..3_u64).prop_map(Admit),
        4 => any::<usize>().prop_map(Succeed),
        6 => any::<usize>().prop_map(Fail),
        1 => any::<usize>().prop_map(Release),
        1 => (1..3_u64).prop_map(Die),
        2 => (0..20_u64).prop_map(RecordFailure),
        1 => Just(RecordSuccess),
        2 => prop::sample::select(vec![State::Closed, State::Open, State::HalfOpen]).prop_map(Set),
        1 => states().prop_map(Command),
        1 => Just(Forget),
    ]
}

fn policies() -> impl Strategy<Value = Policy> {
    let steps = |range: std::ops::Range<u64>| range.prop_map(|steps| steps * STEP + HALF);
    (1..6_u32, steps(0..30), steps(0..30), 1..4_u32, 1..4_u32, steps(0..30), any::<bool>()).prop_map(
        |(threshold, window_us, reset_us, probes, success_threshold, probe_us, clear_on_success)| {
            let policy = Policy {
                threshold,
                window_us,
                reset_us,
                probes,
                success_threshold,
                probe_us,
                clear_on_success,
                ..Policy::DEFAULT
            };
            assert_eq!(policy, policy.in_range(LOG_LEN));
            policy
        },
    )
}

/// The shipped fuse and the reference, side by side, and the permits that are out.
struct Pair<'a> {
    fuse: Fuse<'a>,
    reference: Reference,
    permits: Vec<(Permit, PlainPermit)>,
    now: u64,
}

impl Pair<'_> {
    fn permit(&mut self, choice: usize) -> Option<(Permit, PlainPermit)> {
        (!self.permits.is_empty()).then(|| self.permits.swap_remove(choice % self.permits.len()))
    }

    fn admit(&mut self, policy: &Policy, owner: u64) {
        let (expected, transition) = self.reference.admit(policy, owner, self.now);
        let told = self.fuse.would_admit(policy, self.now, |_| false);
        let admission = self.fuse.admit(policy, self.now);
        assert_eq!(told.err(), admission.verdict.err(), "who looks is told what who asks is told");
        assert_eq!(transition, admission.transition);
        match (expected, admission.verdict) {
            (Ok(plain), Ok(permit)) => {
                assert!(plain.is_like(&permit), "{plain:?} and {permit:?}");
                if let Some(lease) = permit.lease {
                    self.fuse.sign(lease, owner);
                }
                self.permits.push((permit, plain));
            }
            (expected, found) => assert_eq!(expected.err(), found.err()),
        }
    }

    fn step(&mut self, operation: Operation, policy: &Policy) {
        let (fuse, now) = (self.fuse, self.now);
        match operation {
            Operation::Wait(steps) => self.now += steps * STEP,
            Operation::Admit(owner) => self.admit(policy, owner),
            Operation::Succeed(choice) => {
                let Some((permit, plain)) = self.permit(choice) else { return };
                assert_eq!(self.reference.succeeded(policy, &plain, now), fuse.succeeded(policy, permit, now));
            }
            Operation::Fail(choice) => {
                let Some((permit, plain)) = self.permit(choice) else { return };
                assert_eq!(self.reference.failed(policy, &plain, now), fuse.failed(policy, permit, now));
            }
            Operation::Die(owner) => {
                let told = fuse.would_admit(policy, now, |hint| hint == owner);
                assert_eq!(self.reference.reclaim(owner), fuse.reclaim(|hint| hint == owner));
                assert_eq!(told, fuse.would_admit(policy, now, |_| false), "a dead prober's seat is as good as free");
            }
            Operation::Release(choice) => {
                let Some((permit, plain)) = self.permit(choice) else { return };
                assert_eq!(self.reference.cancel(&plain), fuse.cancel(permit));
            }
            raw => self.raw_step(raw),
        }
    }

    fn raw_step(&mut self, operation: Operation) {
        let (fuse, now) = (self.fuse, self.now);
        match operation {
            Operation::RecordFailure(steps) => {
                let window = steps * STEP + HALF;
                assert_eq!(self.reference.record_failure(window, now), fuse.record_failure(window, now));
            }
            Operation::RecordSuccess => {
                self.reference.record_success(now);
                fuse.record_success(now);
            }
            Operation::Set(state) => assert_eq!(self.reference.set(state, now), fuse.set(state, now)),
            Operation::Command(state) => {
                assert_eq!(Some(self.reference.command(state, now)), fuse.command(state, || now))
            }
            _ => assert_eq!(self.reference.forget(now), fuse.forget(|| now)),
        }
    }

    /// What a reader sees. Where the clock stands still for a lap of the ring, stamps may run a little ahead of it.
    fn check(&self) {
        let (cell, reference) = (self.fuse.read(), &self.reference);
        assert_eq!((reference.state, reference.since), (cell.word.state(), cell.word.generation()));
        assert_eq!(reference.failures.len().min(LOG_LEN), cell.failures as usize);
        let ahead = cell.last_failure_us.zip(reference.failures.last().copied()).map(|(is, was)| is - was);
        assert_eq!(reference.failures.is_empty(), ahead.is_none());
        assert!(ahead.is_none_or(|ahead| ahead < HALF), "{ahead:?}");
    }
}

proptest! {
    #![proptest_config(config())]

    /// R01 to R13: two breakers with settings of their own (R15) on one fuse do what the plain machine does, at each step
    /// of any sequence of operations.
    #[test]
    fn a_fuse_does_what_the_plain_machine_does(
        policies in [policies(), policies()],
        operations in prop::collection::vec((any::<bool>(), operations()), 1..120),
    ) {
        let cell = Cell::new();
        let log: Vec<AtomicU64> = (0..LOG_LEN).map(|_| AtomicU64::new(0)).collect();
        let fuse = Fuse::new(&cell, &log);
        let mut pair = Pair { fuse, reference: Reference::new(LOG_LEN), permits: Vec::new(), now: 100 * STEP };
        for (breaker, operation) in operations {
            pair.step(operation, &policies[usize::from(breaker)]);
            pair.check();
        }
    }
}

/// R03, R13: the window's edge belongs to the window: a failure exactly as old as it still counts, an older one does not.
#[test]
fn a_failure_as_old_as_the_window_counts() {
    for (age, expected) in [(10, 2), (11, 1)] {
        let cell = Cell::new();
        let log: Vec<AtomicU64> = (0..2).map(|_| AtomicU64::new(0)).collect();
        let fuse = Fuse::new(&cell, &log);
        fuse.record_failure(10, 1_000);
        assert_eq!(expected, fuse.record_failure(10, 1_000 + age));
    }
}
