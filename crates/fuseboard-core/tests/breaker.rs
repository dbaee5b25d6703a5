//! A breaker at work on words in plain memory and on a clock that only the test moves: no table, no operating system. So
//! would a replay of recorded calls use it.
#![cfg(not(fuseboard_loom))]

#[path = "common/book.rs"]
mod book;
#[path = "common/slots.rs"]
mod slots;

use std::cell::Cell;

use book::{Book, PID, SLOT};
use fuseboard_core::admission::{Admission, Rejection};
use fuseboard_core::breaker::{Breaker, Outcome};
use fuseboard_core::counters::{COUNTERS, Counter, Stripe, totals};
use fuseboard_core::fuse::{Effect, Permit};
use fuseboard_core::journal::{About, Record};
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::Rate;
use fuseboard_core::rate::{RateCount, RateKind};
use fuseboard_core::state::State;
use fuseboard_core::transition::Cause;
use slots::Slots;

const SECOND: u64 = 1_000_000;
/// When each test begins.
const BEGIN: u64 = 1_000 * SECOND;
/// How long a call takes.
const TOOK: u64 = SECOND / 2;
const POLICY: Policy =
    Policy { threshold: 3, window_us: 60 * SECOND, reset_us: 30 * SECOND, probe_us: 20 * SECOND, ..Policy::DEFAULT };
/// Half of at least two calls take a second.
const TIMED: Policy = Policy {
    rates: [None, None, Some(Rate { span: 60 * SECOND, bad_ppm: 500_000, min_calls: 2, slow_us: SECOND }), None],
    ..POLICY
};

/// Hints of processes.
const MINE: u64 = 1;
const DEAD: u64 = 2;

/// A fuse in plain memory, a line of counters, and a clock.
struct Bench {
    book: Book,
    line: Stripe,
    now_us: Cell<u64>,
}

fn nothing() -> About {
    About::NOTHING
}

impl Bench {
    fn new() -> Self {
        Self { book: Book::new(8, 64), line: Stripe::new(), now_us: Cell::new(BEGIN) }
    }

    fn breaker(&self) -> Breaker<'_> {
        Breaker::new(self.book.fuse(), &self.line)
    }

    fn advance(&self, us: u64) {
        self.now_us.set(self.now_us.get() + us);
    }

    fn admit_as(&self, hint: u64) -> Admission {
        self.breaker().admit(&POLICY, || self.now_us.get(), hint, |hint| hint == DEAD)
    }

    fn permit(&self) -> Permit {
        self.admit_as(MINE).verdict.expect("it is admitted")
    }

    fn settle(&self, policy: &Policy, permit: Permit, outcome: Outcome) -> Effect {
        self.settle_about(policy, permit, outcome, b"")
    }

    fn settle_about(&self, policy: &Policy, permit: Permit, outcome: Outcome, class: &[u8]) -> Effect {
        let took_us = |ended_us| ended_us - (self.now_us.get() - TOOK);
        let about = || About::new(class);
        self.breaker().settle(policy, Some(permit), outcome, took_us, || self.now_us.get(), about)
    }

    /// A whole call, of an exception of this class where it fails; why it was rejected, if it was.
    fn call(&self, outcome: Outcome, class: &[u8]) -> Result<Effect, Rejection> {
        let permit = self.admit_as(MINE).verdict?;
        self.advance(TOOK);
        Ok(self.settle_about(&POLICY, permit, outcome, if outcome.is_failure() { class } else { b"" }))
    }

    fn open(&self) {
        let permit = self.permit();
        let Effect::Changed(_) =
            self.settle(&POLICY, permit, Outcome::FailureWithDemand { demands: true, asked_us: 0 })
        else {
            panic!("it demands")
        };
    }

    fn counted(&self) -> [u64; COUNTERS] {
        totals(std::slice::from_ref(&self.line))
    }
}

/// So many of each; all others are 0.
fn counts(of: &[(Counter, u64)]) -> [u64; COUNTERS] {
    let mut all = [0; COUNTERS];
    of.iter().for_each(|(counter, number)| all[*counter as usize] = *number);
    all
}

/// Ten calls at their seconds: three failures open the fuse, a failed probe opens it again, the next one closes it.
#[test]
fn ten_calls_are_replayed() {
    let bench = Bench::new();
    let calls = [
        (0, Outcome::Success, Ok(None)),
        (1, Outcome::Failure, Ok(None)),
        (2, Outcome::Failure, Ok(None)),
        (3, Outcome::Failure, Ok(Some(State::Open))),
        (4, Outcome::Success, Err(Some(29 * SECOND + TOOK))),
        (33, Outcome::Success, Err(Some(TOOK))),
        (34, Outcome::Failure, Ok(Some(State::Open))),
        (40, Outcome::Success, Err(Some(24 * SECOND + TOOK))),
        (65, Outcome::Success, Ok(Some(State::Closed))),
        (66, Outcome::Ignored, Ok(None)),
    ];
    for (second, outcome, expected) in calls {
        bench.now_us.set(BEGIN + second * SECOND);
        let told = bench.call(outcome, b"TimeoutError").map_err(|rejection| rejection.retry_after_us);
        let changed = told.map(|effect| match effect {
            Effect::Changed(made) => Some(made.to),
            Effect::Counted => None,
            Effect::Late => panic!("nothing is late at second {second}"),
        });
        assert_eq!(expected, changed, "at second {second}");
    }
    let counted = counts(&[
        (Counter::Successes, 2),
        (Counter::Failures, 4),
        (Counter::Ignored, 1),
        (Counter::Rejections, 3),
        (Counter::Probes, 2),
        (Counter::Trips, 2),
        (Counter::Closes, 1),
    ]);
    assert_eq!(counted, bench.counted());
    let failed = About::new(b"TimeoutError");
    let (closed, open, half) = (State::Closed, State::Open, State::HalfOpen);
    let record = |at_us, from, to, cause, about| Record {
        slot: SLOT,
        generation: BEGIN + at_us,
        from,
        to,
        cause,
        pid: PID,
        until_us: 0,
        about,
    };
    let journal = [
        record(3 * SECOND + TOOK, closed, open, Cause::Threshold, failed),
        record(34 * SECOND, open, half, Cause::ResetTimeout, About::NOTHING),
        record(34 * SECOND + TOOK, half, open, Cause::ProbeFailed, failed),
        record(65 * SECOND, open, half, Cause::ResetTimeout, About::NOTHING),
        record(65 * SECOND + TOOK, half, closed, Cause::ProbesSucceeded, About::NOTHING),
    ];
    assert_eq!(journal.as_slice(), bench.book.read());
}

/// R09: an outcome of an older generation is counted as what it was, and as late; also without a permit, as in a forked
/// child of the process that took it.
#[test]
fn a_late_outcome_is_counted_twice() {
    let bench = Bench::new();
    let old = bench.permit();
    bench.open();
    assert_eq!(Effect::Late, bench.settle(&POLICY, old, Outcome::Success));
    let none = bench.breaker().settle(&POLICY, None, Outcome::Ignored, |_| 0, || bench.now_us.get(), nothing);
    assert_eq!(Effect::Late, none);
    let both = [(Counter::Successes, 1), (Counter::Ignored, 1), (Counter::Late, 2)];
    let before = [(Counter::Failures, 1), (Counter::Trips, 1)];
    assert_eq!(counts(&[both.as_slice(), &before].concat()), bench.counted());
}

/// R11: the seat of a prober that is gone is free at once; that of one that lives is not.
#[test]
fn a_dead_probers_seat_is_taken_over() {
    for (prober, is_admitted) in [(DEAD, true), (MINE, false)] {
        let bench = Bench::new();
        bench.open();
        bench.advance(POLICY.reset_us);
        let first = bench.admit_as(prober).verdict.expect("a probe");
        bench.advance(1);
        assert_eq!(is_admitted, bench.admit_as(MINE).verdict.is_ok());
        let late = bench.settle(&POLICY, first, Outcome::Ignored) == Effect::Late;
        assert_eq!(is_admitted, late, "whoever lost its seat has nothing to give back");
        let [probes, rejections] = [Counter::Probes, Counter::Rejections].map(|it| bench.counted()[it as usize]);
        assert_eq!([1 + u64::from(is_admitted), u64::from(!is_admitted)], [probes, rejections]);
    }
}

/// R09, R11: a permit is valid in its generation, a probe's as long as it has its seat and its time. To ask changes nothing.
#[test]
fn a_permit_is_valid_until_its_generation_or_its_lease_ends() {
    let bench = Bench::new();
    let is_valid = |permit| bench.book.fuse().is_valid(permit, bench.now_us.get());
    let plain = bench.permit();
    bench.advance(POLICY.probe_us);
    assert!(is_valid(plain));
    bench.open();
    assert!(!is_valid(plain));
    bench.advance(POLICY.reset_us);
    let probe = bench.admit_as(DEAD).verdict.expect("a probe");
    assert!(is_valid(probe));
    bench.advance(POLICY.probe_us - 1);
    assert!(is_valid(probe));
    bench.advance(1);
    assert!(!is_valid(probe), "its time is over, though nobody has its seat");
    let next = bench.permit();
    assert_eq!([false, true], [probe, next].map(is_valid));
    bench.breaker().cancel(next);
    assert!(!is_valid(next));
    let last = bench.admit_as(DEAD).verdict.expect("a probe");
    bench.advance(1);
    assert!(is_valid(last));
    let heir = bench.permit();
    assert_eq!([false, true], [last, heir].map(is_valid), "a dead prober's seat");
}

/// A permit that is given back was never taken, but for its probe.
#[test]
fn what_is_cancelled_is_not_counted() {
    let bench = Bench::new();
    bench.open();
    bench.advance(POLICY.reset_us);
    (0..3).for_each(|_| bench.breaker().cancel(bench.permit()));
    let counted = counts(&[(Counter::Failures, 1), (Counter::Trips, 1), (Counter::Probes, 3)]);
    assert_eq!(counted, bench.counted());
}

/// R28: once a fuse is removed, nothing is counted: its counters are another name's.
#[test]
fn nothing_is_counted_for_the_next_claim() {
    let slots = Slots::new(4);
    let claim = slots.claim(slots::NAME, slots::NOW);
    let line = Stripe::new();
    let breaker = Breaker::new(slots.fuse(claim), &line);
    let admit = || breaker.admit(&POLICY, || slots::NOW, MINE, |_| false).verdict;
    let permit = admit().expect("closed");
    assert!(slots.remove(claim, slots::NOW));
    assert_eq!(Some(State::Vacant), admit().err().map(|rejection| rejection.state));
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
        assert_eq!(Effect::Late, breaker.settle(&POLICY, Some(permit), outcome, |_| 0, || slots::NOW, nothing));
    }
    assert_eq!([0; COUNTERS], totals(&[line]));
}

/// How long a call took is asked for only under a policy that judges by it.
#[test]
fn only_a_rate_of_slow_calls_asks_how_long_it_took() {
    for (policy, asks) in [(&POLICY, 0), (&TIMED, 3)] {
        let bench = Bench::new();
        let asked = Cell::new(0);
        for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
            let took_us = |ended_us: u64| {
                asked.set(asked.get() + 1);
                assert_eq!(BEGIN, ended_us);
                0
            };
            let now_us = || bench.now_us.get();
            bench.breaker().settle(policy, Some(bench.permit()), outcome, took_us, now_us, nothing);
        }
        assert_eq!(asks, asked.get());
    }
}

/// A success that is not slow is measured and counted at once; a slow one is left to be settled, and then opens the fuse.
#[test]
fn a_measured_success_is_one_that_is_not_slow() {
    let bench = Bench::new();
    let permit = bench.permit();
    let word = bench.book.fuse().word();
    let now_us = || bench.now_us.get();
    let measured = |took_us| {
        [
            bench.breaker().rated_success(&TIMED, word, |_| took_us, now_us),
            bench.breaker().rated_success_of(&TIMED, permit, |_| took_us, now_us),
        ]
    };
    assert_eq!([false; 2], measured(SECOND));
    assert_eq!([0; COUNTERS], bench.counted());
    assert_eq!([true; 2], measured(SECOND - 1));
    assert_eq!(counts(&[(Counter::Successes, 2)]), bench.counted());
    let count = || bench.book.fuse().rate_count(&TIMED, RateKind::SlowInTime, now_us);
    assert_eq!(Some(RateCount { calls: 2, bad: 0 }), count());
    let slow = || bench.breaker().settle(&TIMED, Some(permit), Outcome::Success, |_| SECOND, now_us, nothing);
    assert_eq!(Effect::Counted, slow());
    let Effect::Changed(made) = slow() else { panic!("half of four calls were slow") };
    assert_eq!((State::Open, Cause::SlowRate), (made.to, made.cause));
    assert_eq!(counts(&[(Counter::Successes, 4), (Counter::Trips, 1)]), bench.counted());
}
