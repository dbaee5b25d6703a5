//! Rates: the last bad call trips, whoever ends beside it, and a bucket that is over is never put in a current one's place.

use std::sync::Arc;

use crate::common::{NOW, POLICY, Row, changes, job, model, race};
use fuseboard_core::fuse::Call;
use fuseboard_core::fuse::{Effect, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::Rate;
use fuseboard_core::rate::{RATE_WINDOWS, RateCount, RateKind};
use fuseboard_core::state::State;
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::transition::Cause;

const FAILED: Call = Call { failed: true, took_us: 0, demands: false, asked_us: 0 };
const GOOD: Call = Call { failed: false, took_us: 0, demands: false, asked_us: 0 };
const SLOW: Call = Call { failed: false, took_us: 9, demands: false, asked_us: 0 };

/// Half of at least two calls, of the last two or within 28 microseconds, and nothing else.
const fn policy(kind: RateKind) -> Policy {
    let span = if matches!(kind, RateKind::FailuresOfCalls | RateKind::SlowOfCalls) { 2 } else { 28 };
    let mut rates = [None; RATE_WINDOWS];
    rates[kind as usize] = Some(Rate { span, bad_ppm: 1_000_000, min_calls: 2, slow_us: 9 });
    Policy { threshold: 0, rates, ..POLICY }
}

fn end(row: &Row, policy: &Policy, permit: Permit, call: Call, now_us: u64) -> Effect {
    row.with_rates().settle(policy, permit, call, || now_us)
}

fn closed() -> (Arc<Row>, Permit) {
    let row = Row::in_state(State::Closed, 2);
    let permit = row.permit(&POLICY, NOW);
    (row, permit)
}

/// A clock that two threads read: whoever reads it behind another reads no less.
struct Clocked {
    row: Arc<Row>,
    clock: AtomicU64,
}

/// R03: of two bad calls that end at once, one is the last and trips; exactly one. Each reading of the clock moves it on, so
/// that the calls fall into one bucket or into two.
fn the_last_bad_call_trips(kind: RateKind, bad: Call) {
    model(move || {
        let (row, permit) = closed();
        let shared = Arc::new(Clocked { row, clock: AtomicU64::new(NOW) });
        let end = move |it: &Clocked| {
            let now_us = || it.clock.fetch_add(1, Ordering::Relaxed);
            it.row.with_rates().settle(&policy(kind), permit, bad, now_us)
        };
        let effects = race(&shared, [job(end), job(end)]);
        assert_eq!(1, changes(&effects), "{effects:?}");
        assert_eq!(State::Open, shared.row.fuse().word().state());
    });
}

#[test]
fn the_last_of_two_failures_within_a_time_trips() {
    the_last_bad_call_trips(RateKind::FailuresInTime, FAILED);
}

#[test]
fn the_last_of_two_failed_calls_trips() {
    the_last_bad_call_trips(RateKind::FailuresOfCalls, FAILED);
}

#[test]
fn the_last_of_two_slow_calls_within_a_time_trips() {
    the_last_bad_call_trips(RateKind::SlowInTime, SLOW);
}

#[test]
fn the_last_of_two_slow_calls_trips() {
    the_last_bad_call_trips(RateKind::SlowOfCalls, SLOW);
}

/// R19: in whatever order the three end, the last two that were counted by some call were bad, so one of them trips; also where
/// the good one is counted between a bad one's count and its trip.
#[test]
fn a_good_call_that_ends_at_once_hides_no_rate_over_calls() {
    model(|| {
        let (row, permit) = closed();
        let policy = policy(RateKind::FailuresOfCalls);
        assert_eq!(Effect::Counted, end(&row, &policy, permit, FAILED, NOW));
        let good_and_bad = job(move |row: &Row| {
            end(row, &policy, permit, GOOD, NOW);
            end(row, &policy, permit, FAILED, NOW)
        });
        let effects = race(&row, [job(move |row: &Row| end(row, &policy, permit, FAILED, NOW)), good_and_bad]);
        assert_eq!(1, changes(&effects), "{effects:?}");
        assert_eq!(State::Open, row.fuse().word().state());
    });
}

/// Calls that end at once are all counted, good and bad.
#[test]
fn no_call_is_lost_from_a_bucket() {
    model(|| {
        let (row, permit) = closed();
        let policy = Policy { rates: policy(RateKind::FailuresInTime).rates, ..POLICY };
        race(&row, [GOOD, FAILED, GOOD].map(|call| job(move |row: &Row| end(row, &policy, permit, call, NOW))));
        let count = row.with_rates().rate_count(&policy, RateKind::FailuresInTime, || NOW);
        assert_eq!(Some(RateCount { calls: 3, bad: 1 }), count);
    });
}

/// A call that is stopped until its generation is over, and the fuse counts again, takes nothing of the new one's away.
#[test]
fn a_call_of_an_older_generation_replaces_no_bucket() {
    model(|| {
        let (row, permit) = closed();
        let policy = policy(RateKind::FailuresInTime);
        let later = job(move |row: &Row| {
            row.fuse().command(State::Closed, || NOW);
            let permit = row.permit(&policy, NOW);
            end(row, &policy, permit, FAILED, NOW)
        });
        race(&row, [job(move |row: &Row| end(row, &policy, permit, FAILED, NOW)), later]);
        let count = row.with_rates().rate_count(&policy, RateKind::FailuresInTime, || NOW);
        assert_eq!(Some(RateCount { calls: 1, bad: 1 }), count);
    });
}

/// A trip by a rate says which.
#[test]
fn a_trip_names_its_rate() {
    for (kind, call, cause) in [
        (RateKind::FailuresInTime, FAILED, Cause::FailureRate),
        (RateKind::FailuresOfCalls, FAILED, Cause::FailureRateOfCalls),
        (RateKind::SlowInTime, SLOW, Cause::SlowRate),
        (RateKind::SlowOfCalls, SLOW, Cause::SlowRateOfCalls),
    ] {
        crate::common::model(move || {
            let (row, permit) = closed();
            assert_eq!(Effect::Counted, end(&row, &policy(kind), permit, call, NOW));
            let Effect::Changed(made) = end(&row, &policy(kind), permit, call, NOW) else { panic!("{kind:?}") };
            assert_eq!((State::Closed, State::Open, cause), (made.from, made.to, made.cause));
        });
    }
}
