//! Rates in one thread, against a plain list of the calls. Races at them are the models' (`models/rates.rs`).
#![cfg(not(fuseboard_loom))]

use fuseboard_core::fuse::Call;
use fuseboard_core::fuse::{Cell, Effect, Fuse, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::Rate;
use fuseboard_core::rate::{RATE_WINDOWS, RateCount, RateKind, RateWindow};
use fuseboard_core::state::State;
use fuseboard_core::sync::AtomicU64;
use fuseboard_core::transition::Cause;
use proptest::prelude::*;

const NOW: u64 = 1_000_000_000;
const SECOND: u64 = 1_000_000;

struct Bench {
    cell: Cell,
    log: [AtomicU64; 8],
    rate_windows: [RateWindow; RATE_WINDOWS],
}

impl Bench {
    fn new() -> Self {
        Self {
            cell: Cell::new(),
            log: [0; 8].map(AtomicU64::new),
            rate_windows: [(); RATE_WINDOWS].map(|()| RateWindow::new()),
        }
    }

    fn fuse(&self) -> Fuse<'_> {
        Fuse::new(&self.cell, &self.log).with_rate_windows(&self.rate_windows)
    }

    fn permit(&self, policy: &Policy, now_us: u64) -> Permit {
        self.fuse().admit(policy, now_us).verdict.expect("it is admitted")
    }

    /// A call that ends as it begins, or after its time.
    fn call(&self, policy: &Policy, now_us: u64, call: Call) -> Effect {
        self.fuse().settle(policy, self.permit(policy, now_us), call, || now_us)
    }

    fn rate_count(&self, policy: &Policy, kind: RateKind, now_us: u64) -> RateCount {
        self.fuse().rate_count(policy, kind, || now_us).expect("the policy has that rate")
    }
}

fn failed() -> Call {
    Call { failed: true, ..Call::default() }
}

fn slow(took_us: u64) -> Call {
    Call { took_us, ..Call::default() }
}

/// Only this rate, no count.
fn only(kind: RateKind, rate: Rate) -> Policy {
    let mut rates = [None; RATE_WINDOWS];
    rates[kind as usize] = Some(rate);
    Policy { threshold: 0, rates, ..Policy::DEFAULT }
}

const HALF_OF_FOUR: Rate = Rate { span: 10 * SECOND, bad_ppm: 500_000, min_calls: 4, slow_us: SECOND };

/// Too few calls never trip, all of them bad; the one that makes them enough does, if it is bad itself.
#[test]
fn a_rate_is_judged_by_enough_calls_when_a_bad_one_ends() {
    for (kind, bad) in [
        (RateKind::FailuresInTime, failed()),
        (RateKind::FailuresOfCalls, failed()),
        (RateKind::SlowInTime, slow(SECOND)),
        (RateKind::SlowOfCalls, slow(SECOND)),
    ] {
        let (bench, policy) = (Bench::new(), only(kind, HALF_OF_FOUR));
        (0..3).for_each(|_| assert_eq!(Effect::Counted, bench.call(&policy, NOW, bad)));
        assert_eq!(Effect::Counted, bench.call(&policy, NOW, Call::default()), "a good call asks nothing");
        let Effect::Changed(made) = bench.call(&policy, NOW, bad) else { panic!("{kind:?} does not trip") };
        assert_eq!((State::Closed, State::Open), (made.from, made.to));
    }
}

/// The rate itself is enough, and one call less is not.
#[test]
fn the_rate_that_trips_is_reached_exactly() {
    for (good, trips) in [(4, true), (5, false)] {
        let (bench, policy) = (Bench::new(), only(RateKind::FailuresInTime, HALF_OF_FOUR));
        (0..good).for_each(|_| _ = bench.call(&policy, NOW, Call::default()));
        (0..3).for_each(|_| _ = bench.call(&policy, NOW, failed()));
        let last = bench.call(&policy, NOW, failed());
        assert_eq!(trips, matches!(last, Effect::Changed(_)), "4 of {}", good + 4);
    }
}

/// A slow success is slow and no failure, a slow failure is both, a quick failure is not slow.
#[test]
fn slow_and_failed_are_told_apart() {
    let bench = Bench::new();
    let mut policy = only(RateKind::FailuresInTime, HALF_OF_FOUR);
    policy.rates[RateKind::SlowInTime as usize] = Some(Rate { min_calls: 100, ..HALF_OF_FOUR });
    policy.rates[RateKind::FailuresInTime as usize] = Some(Rate { min_calls: 100, ..HALF_OF_FOUR });
    for call in [slow(SECOND), slow(SECOND - 1), failed(), Call { took_us: SECOND, ..failed() }] {
        bench.call(&policy, NOW, call);
    }
    assert_eq!(RateCount { calls: 4, bad: 2 }, bench.rate_count(&policy, RateKind::FailuresInTime, NOW));
    assert_eq!(RateCount { calls: 4, bad: 2 }, bench.rate_count(&policy, RateKind::SlowInTime, NOW));
}

/// Each rate is asked when a call ends that is bad by it: a success never opens a fuse by the rate of failures, however slow it
/// is, nor a failure by the rate of slow calls, however many there are.
#[test]
fn a_rate_is_not_asked_about_calls_that_are_good_by_it() {
    let bench = Bench::new();
    let mut policy = only(RateKind::FailuresInTime, Rate { min_calls: 3, ..HALF_OF_FOUR });
    policy.rates[RateKind::SlowInTime as usize] = Some(Rate { min_calls: 4, ..HALF_OF_FOUR });
    (0..2).for_each(|_| assert_eq!(Effect::Counted, bench.call(&policy, NOW, failed())));
    assert_eq!(Effect::Counted, bench.call(&policy, NOW, slow(SECOND)));
    let Effect::Changed(made) = bench.call(&policy, NOW, failed()) else { panic!("a trip") };
    assert_eq!(Cause::FailureRate, made.cause);

    bench.fuse().command(State::Closed, || NOW);
    policy.rates[RateKind::FailuresInTime as usize] = None;
    for call in [slow(SECOND), slow(SECOND), slow(0), failed()] {
        assert_eq!(Effect::Counted, bench.call(&policy, NOW, call));
    }
    let Effect::Changed(made) = bench.call(&policy, NOW, slow(SECOND)) else { panic!("a trip") };
    assert_eq!(Cause::SlowRate, made.cause);
}

/// A slow probe keeps the fuse from closing.
#[test]
fn a_slow_probe_is_a_failed_one() {
    let (bench, policy) = (Bench::new(), only(RateKind::SlowInTime, HALF_OF_FOUR));
    bench.fuse().set(State::Open, NOW);
    let later = NOW + policy.reset_us;
    let Effect::Changed(made) = bench.call(&policy, later, slow(SECOND)) else { panic!("a probe decides") };
    assert_eq!((State::Open, Cause::ProbeSlow), (made.to, made.cause));
    let failed_too = Call { failed: true, ..slow(SECOND) };
    let Effect::Changed(made) = bench.call(&policy, later + policy.reset_us, failed_too) else { panic!("it decides") };
    assert_eq!((State::Open, Cause::ProbeFailed), (made.to, made.cause));
}

/// A call asks only the rates that it was bad for: a quick failure does not open by slow ones, nor a slow success by failures.
#[test]
fn a_call_that_was_not_bad_for_a_rate_does_not_trip_by_it() {
    for (kinds, bad, other) in [
        ([RateKind::SlowInTime, RateKind::SlowOfCalls], slow(SECOND), failed()),
        ([RateKind::FailuresInTime, RateKind::FailuresOfCalls], failed(), slow(SECOND)),
    ] {
        for kind in kinds {
            let (bench, mut policy) = (Bench::new(), only(kind, HALF_OF_FOUR));
            let timed = Rate { min_calls: 100, ..HALF_OF_FOUR };
            policy.rates[kind as usize ^ 2] = Some(timed);
            (0..3).for_each(|_| assert_eq!(Effect::Counted, bench.call(&policy, NOW, bad)));
            assert_eq!(Effect::Counted, bench.call(&policy, NOW, other), "{kind:?}");
            assert!(matches!(bench.call(&policy, NOW, bad), Effect::Changed(_)), "{kind:?}");
        }
    }
}

/// A cold start and an idle hour have nothing to judge by; nor does a fuse that closes again.
#[test]
fn nothing_stale_counts() {
    let (bench, policy) = (Bench::new(), only(RateKind::FailuresInTime, HALF_OF_FOUR));
    (0..3).for_each(|_| _ = bench.call(&policy, NOW, failed()));
    let hour = NOW + 3_600 * SECOND;
    assert_eq!(RateCount::default(), bench.rate_count(&policy, RateKind::FailuresInTime, hour));
    (0..3).for_each(|_| assert_eq!(Effect::Counted, bench.call(&policy, hour, failed())));
    bench.fuse().command(State::Closed, || hour);
    assert_eq!(RateCount::default(), bench.rate_count(&policy, RateKind::FailuresInTime, hour));
    (0..3).for_each(|_| assert_eq!(Effect::Counted, bench.call(&policy, hour, failed())));
}

/// What a call demands is done at once, whatever the counts.
#[test]
fn a_failed_call_may_demand_that_the_fuse_opens() {
    let (bench, policy) = (Bench::new(), Policy::DEFAULT);
    let Effect::Changed(made) = bench.call(&policy, NOW, Call { demands: true, ..failed() }) else { panic!("a trip") };
    assert_eq!((State::Open, Cause::Demanded), (made.to, made.cause));
    let bench = Bench::new();
    let good = Call { demands: true, ..Call::default() };
    assert_eq!((Effect::Counted, State::Closed), (bench.call(&policy, NOW, good), bench.fuse().word().state()));
}

/// A bucket that is full is halved, and the rate stays what it was.
#[test]
fn more_calls_than_a_bucket_holds_keep_their_rate() {
    let (bench, policy) = (Bench::new(), only(RateKind::FailuresInTime, Rate { min_calls: u32::MAX, ..HALF_OF_FOUR }));
    let permit = bench.permit(&policy, NOW);
    for number in 0..600_000 {
        let call = Call { failed: number % 4 == 0, ..Call::default() };
        bench.fuse().count_in_rates(&policy, permit, call, None, || NOW);
    }
    let RateCount { calls, bad } = bench.rate_count(&policy, RateKind::FailuresInTime, NOW);
    assert!((100_000..(1 << 18)).contains(&calls), "{calls}");
    assert!(calls.abs_diff(4 * bad) <= 8, "{bad} of {calls}");
}

/// A call counts for the span and up to a seventh longer, by time and by number, whatever the span.
#[test]
fn a_call_counts_for_the_span_and_little_longer() {
    let steps = prop::collection::vec((0..40_000_u64, any::<bool>()), 1..200);
    let spans = prop_oneof![1..40_u64, 1..1_000_000_u64];
    proptest!(|(steps in steps, span in spans, of_calls in any::<bool>())| {
        let kind = if of_calls { RateKind::FailuresOfCalls } else { RateKind::FailuresInTime };
        let (bench, rate) = (Bench::new(), Rate { span, min_calls: u32::MAX, ..HALF_OF_FOUR });
        let policy = only(kind, rate);
        let permit = bench.permit(&policy, NOW);
        let (mut now, mut calls) = (NOW, Vec::new());
        for (step, failed) in steps {
            now += step;
            bench.fuse().count_in_rates(&policy, permit, Call { failed, ..Call::default() }, None, || now);
            calls.push((if of_calls { calls.len() as u64 } else { now }, failed));
        }
        let end = if of_calls { calls.len() as u64 } else { now };
        let within = |span: u64| {
            let kept: Vec<_> = calls.iter().filter(|call| call.0 + span >= end).collect();
            (kept.len() as u32, kept.iter().filter(|call| call.1).count() as u32)
        };
        let (least, most) = (within(span), within(span + span.div_ceil(7)));
        let RateCount { calls, bad } = bench.rate_count(&policy, kind, now);
        prop_assert!(least.0 <= calls && calls <= most.0, "{calls} calls of {least:?} to {most:?}");
        prop_assert!(least.1 <= bad && bad <= most.1, "{bad} failures of {least:?} to {most:?}");
    });
}

/// R09: a late call is counted in no rate window, nor is a probe; neither takes a number of a rate over calls.
#[test]
fn calls_that_do_not_count_move_no_window() {
    let bench = Bench::new();
    let rate = Rate { span: 1, min_calls: 2, ..HALF_OF_FOUR };
    let policy = only(RateKind::FailuresOfCalls, rate);
    let old = bench.permit(&policy, NOW);
    bench.fuse().command(State::Closed, || NOW + 1);
    bench.call(&policy, NOW + 2, failed());
    assert_eq!(Effect::Late, bench.fuse().settle(&policy, old, failed(), || NOW + 2));
    assert_eq!(RateCount { calls: 1, bad: 1 }, bench.rate_count(&policy, RateKind::FailuresOfCalls, NOW + 2));
    bench.fuse().command(State::HalfOpen, || NOW + 3);
    let probe = bench.permit(&policy, NOW + 3);
    let enough = Policy { probe_failures: 2, ..policy };
    assert_eq!(Effect::Counted, bench.fuse().settle(&enough, probe, failed(), || NOW + 3));
    assert_eq!(RateCount::default(), bench.rate_count(&policy, RateKind::FailuresOfCalls, NOW + 3));
}

/// R04, R20: a slow success that opens nothing clears the window of failures, unless the policy keeps it; and where there
/// are none it leaves the fuse as it is.
#[test]
fn a_slow_success_is_a_success() {
    for (clear_on_success, left) in [(true, 0), (false, 1)] {
        let bench = Bench::new();
        let policy = Policy { clear_on_success, ..only(RateKind::SlowInTime, HALF_OF_FOUR) };
        bench.call(&policy, NOW, failed());
        assert_eq!(Effect::Counted, bench.call(&policy, NOW, slow(SECOND)));
        assert_eq!(left, bench.fuse().read().failures);
        let before = bench.fuse().word();
        assert_eq!(Effect::Counted, bench.call(&policy, NOW, slow(SECOND)));
        assert_eq!(before, bench.fuse().word());
    }
}

/// R09: a slow success of an older generation is late; one of a disabled fuse counts for nothing.
#[test]
fn a_slow_success_counts_in_its_own_generation() {
    let bench = Bench::new();
    let policy = only(RateKind::SlowInTime, Rate { min_calls: 1, ..HALF_OF_FOUR });
    let old = bench.permit(&policy, NOW);
    bench.fuse().command(State::Disabled, || NOW);
    assert_eq!(Effect::Late, bench.fuse().settle(&policy, old, slow(SECOND), || NOW));
    assert_eq!(Effect::Counted, bench.call(&policy, NOW, slow(SECOND)));
    assert_eq!(State::Disabled, bench.fuse().word().state());
}

#[test]
fn a_policy_has_rates_if_it_has_any() {
    let has = RateKind::ALL.map(|kind| only(kind, HALF_OF_FOUR).has_rates());
    assert_eq!(([true; RATE_WINDOWS], false), (has, Policy::DEFAULT.has_rates()));
}

/// How long a call takes matters where slow calls are counted, and nowhere else.
#[test]
fn only_rates_of_slow_calls_need_a_clock() {
    let timed = RateKind::ALL.map(|kind| only(kind, HALF_OF_FOUR).is_timed());
    assert_eq!(([false, false, true, true], false), (timed, Policy::DEFAULT.is_timed()));
    let slow = |took_us| RateKind::ALL.map(|kind| only(kind, HALF_OF_FOUR).is_slow(took_us));
    assert_eq!(([false, false, true, true], [false; RATE_WINDOWS]), (slow(SECOND), slow(SECOND - 1)));
}
