//! Death at every step under a policy that has everything: rates, growing open times, probes that may fail, a longest stay
//! half-open, a ramp, and calls that demand.

use fuseboard_core::fuse::Call;
use fuseboard_core::fuse::{Effect, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::Rate;
use fuseboard_core::rate::{RATE_WINDOWS, RateCount, RateKind};
use fuseboard_core::state::State;

use super::{Bench, NOW, SECOND, at_every_point};

const MINUTE: u64 = 60 * SECOND;
/// Bad calls of a rate window that open the fuse.
const BAD: u32 = 3;
/// Seven of ten, of at least three calls of a minute or of the last fourteen: three of three, three of four, not two of three.
const fn rate(span: u64) -> Option<Rate> {
    Some(Rate { span, bad_ppm: 700_000, min_calls: BAD, slow_us: SECOND })
}
const fn policy(rates: [Option<Rate>; RATE_WINDOWS]) -> Policy {
    Policy {
        threshold: 0,
        reset_us: 5 * SECOND,
        multiplier_permille: 2_000,
        longest_us: 40 * SECOND,
        probes: 2,
        success_threshold: 1,
        probe_failures: 2,
        half_open_us: 20 * SECOND,
        ramp_us: 10 * SECOND,
        ramp_from_ppm: 300_000,
        probe_us: 5 * SECOND,
        rates,
        ..Policy::DEFAULT
    }
}
const IN_TIME: Policy = policy([rate(MINUTE), None, rate(MINUTE), None]);
const OF_CALLS: Policy = policy([None, rate(14), None, rate(14)]);

const FAILED: Call = Call { failed: true, took_us: 0, demands: false, asked_us: 0 };
const SLOW: Call = Call { failed: false, took_us: SECOND, demands: false, asked_us: 0 };
const DEMANDING: Call = Call { failed: true, took_us: 0, demands: true, asked_us: 30 * SECOND };

impl Bench {
    /// A call that is made and ends at `now`.
    fn call(&self, call: Call, now: u64) -> Effect {
        let permit = self.fuse().admit(self.policy, now).verdict.expect("it is admitted");
        self.fuse().settle(self.policy, permit, call, || now)
    }

    fn closed(policy: &'static Policy, ended: &[Call]) -> Self {
        let mut bench = Self::under(policy);
        ended.iter().for_each(|call| assert_eq!(Effect::Counted, bench.call(*call, NOW)));
        bench.admit(NOW);
        bench
    }

    /// Half-open since six seconds after `opened`, after so many failed probes, with another probe's permit.
    fn half_open(opened: u64, failed: usize) -> Self {
        let mut bench = Self::under(&IN_TIME);
        bench.call(DEMANDING, opened - 30 * SECOND);
        (0..failed).for_each(|_| assert_eq!(Effect::Counted, bench.call(FAILED, opened + 6 * SECOND)));
        bench.admit(opened + 6 * SECOND);
        assert_eq!(State::HalfOpen, bench.fuse().word().state());
        bench
    }

    /// Open since `opened`, by probes that failed.
    fn reopened(opened: u64) -> Self {
        let bench = Self::half_open(opened - 6 * SECOND, 1);
        bench.fuse().settle(bench.policy, bench.permit.expect("a probe's"), FAILED, || opened);
        bench
    }

    /// Ramping since six seconds after `opened`, with a call's permit.
    fn ramping(opened: u64, ended: &[Call]) -> Self {
        let mut bench = Self::half_open(opened, 0);
        let since = opened + 6 * SECOND;
        bench.fuse().settle(bench.policy, bench.permit.expect("a probe's"), Call::default(), || since);
        assert_eq!(State::Ramping, bench.fuse().word().state());
        let permit = Permit { generation: bench.fuse().word().generation(), lease: None };
        ended.iter().for_each(|call| _ = bench.fuse().settle(bench.policy, permit, *call, || since));
        bench.permit = Some(permit);
        bench
    }
}

/// Where operations begin: closed with a rate that is one call short, and each step of the way back.
pub fn beginnings() -> Vec<(&'static str, fn() -> Bench)> {
    vec![
        ("measured in time", || Bench::closed(&IN_TIME, &[FAILED])),
        ("one failure short in time", || Bench::closed(&IN_TIME, &[FAILED, FAILED])),
        ("one failure short of calls", || Bench::closed(&OF_CALLS, &[FAILED, FAILED])),
        ("one slow call short in time", || Bench::closed(&IN_TIME, &[SLOW, SLOW])),
        ("one slow call short of calls", || Bench::closed(&OF_CALLS, &[SLOW, SLOW])),
        ("open for longer", || Bench::reopened(NOW + 25 * SECOND)),
        ("open for longer, its time up", || Bench::reopened(NOW + 19 * SECOND)),
        ("half-open under a policy", || Bench::half_open(NOW + 24 * SECOND, 0)),
        ("half-open, one failed probe", || Bench::half_open(NOW + 24 * SECOND, 1)),
        ("half-open for too long", || Bench::half_open(NOW, 1)),
        ("ramping", || Bench::ramping(NOW + 20 * SECOND, &[])),
        ("ramping, one failure short", || Bench::ramping(NOW + 20 * SECOND, &[FAILED, FAILED])),
        ("at the end of the ramp", || Bench::ramping(NOW + 10 * SECOND, &[])),
    ]
}

/// What a policy adds to the operations.
pub fn operations() -> Vec<(&'static str, fn(&Bench, u64))> {
    fn ended(bench: &Bench, call: Call, now: u64) {
        if let Some(permit) = bench.permit {
            bench.fuse().settle(bench.policy, permit, call, || now);
        }
    }
    vec![
        ("ended well", |bench, now| ended(bench, Call::default(), now)),
        ("ended badly", |bench, now| ended(bench, FAILED, now)),
        ("ended slowly", |bench, now| ended(bench, SLOW, now)),
        ("ended demanding", |bench, now| ended(bench, DEMANDING, now)),
    ]
}

const ASKED: u64 = NOW + 31 * SECOND;

impl Bench {
    fn counts(&self) -> [RateCount; RATE_WINDOWS] {
        RateKind::ALL.map(|kind| self.fuse().rate_count(self.policy, kind, || ASKED).unwrap_or_default())
    }

    /// How long a call is told to wait.
    fn wait(&self) -> Option<u64> {
        self.fuse().would_admit(self.policy, ASKED, |_| false).err()?.retry_after_us
    }
}

/// What a policy keeps beside the word is as before the operation or as after it, or short by what dies between the two: a
/// failed probe of the count of failed probes, a time that was asked for, a call in one of the rate windows.
#[test]
fn what_a_policy_keeps_is_as_before_or_as_after_or_one_step_short() {
    let points = at_every_point(|place, begin, run, bench| {
        let (before, after) = (begin(), begin());
        run(&after, ASKED);
        let failed_probes = [&before, &after].map(|it| it.fuse().read().failed_probes);
        assert!(
            failed_probes.contains(&bench.fuse().read().failed_probes),
            "{place}: a failed_probes that is none of {failed_probes:?}"
        );
        if bench.seen() == before.seen() {
            for (is, was) in bench.counts().into_iter().zip(before.counts()) {
                let [calls, bad] = [is.calls.wrapping_sub(was.calls), is.bad.wrapping_sub(was.bad)];
                assert!(bad <= calls && calls <= 1, "{place}: {is:?} after {was:?}");
            }
        } else if bench.fuse().word().state() == State::Open {
            // Without what was left behind the swap it stays open for a shorter time, and never for a longer one.
            assert!(bench.wait() <= after.wait(), "{place}: {:?} of {:?}", bench.wait(), after.wait());
            assert!(bench.wait() >= Some(bench.policy.reset_us), "{place}: {:?}", bench.wait());
        }
    });
    assert!(points > 400, "{points} points");
}

/// The death of the call that was to trip costs its own count and no more: the next bad one trips.
#[test]
fn the_next_bad_call_trips_by_a_rate() {
    at_every_point(|place, begin, _, bench| {
        let short = begin().counts().iter().any(|count| count.bad == BAD - 1);
        let counts = bench.fuse().word() == begin().fuse().word() && bench.fuse().word().state().counts();
        if short && counts {
            let permit = Permit { generation: bench.fuse().word().generation(), lease: None };
            let bad = Call { took_us: SECOND, ..FAILED };
            let effect = bench.fuse().settle(bench.policy, permit, bad, || ASKED);
            assert!(matches!(effect, Effect::Changed(_)), "{place}: {effect:?}, {:?}", bench.counts());
        }
    });
}

/// The death of a failing probe costs its own count and no more: with two failed probes allowed, the next but one opens the
/// fuse at the latest, and with one failed before it the next.
#[test]
fn the_last_failed_probe_allowed_reopens() {
    at_every_point(|place, begin, _, bench| {
        let is_due = begin().fuse().word().generation() + 20 * SECOND <= ASKED;
        if bench.fuse().word().state() != State::HalfOpen || bench.policy.probe_failures != 2 || is_due {
            return;
        }
        // Leases of the dead run out meanwhile, the longest stay does not.
        let later = ASKED + 6 * SECOND;
        let left = if place.contains("one failed probe") && begin().seen() == bench.seen() { 1 } else { 2 };
        let opened =
            (0..left).any(|_| matches!(bench.call(FAILED, later), Effect::Changed(made) if made.to == State::Open));
        assert!(opened, "{place}: still {:?} after {left} failed probes", bench.fuse().word().state());
    });
}

/// A probe's demand is one step, whatever the counts: it has opened the fuse, or nothing has happened.
#[test]
fn a_probes_demand_opens_or_has_not_happened() {
    let points = std::cell::Cell::new(0);
    at_every_point(|place, begin, run, bench| {
        if !place.starts_with("ended demanding, half-open") {
            return;
        }
        let whole = begin();
        run(&whole, ASKED);
        let state = whole.fuse().word().state();
        assert_eq!((State::Open, Some(30 * SECOND)), (state, whole.wait()), "{place}");
        assert!(bench.fuse().word() == begin().fuse().word() || bench.fuse().word().state() == State::Open, "{place}");
        assert_eq!(begin().fuse().read().failures, bench.fuse().read().failures, "{place}");
        points.set(points.get() + 1);
    });
    assert!(points.get() > 5, "{} points", points.get());
}

/// One ramp goes on for all: about its share of the calls passes, whoever died while asking; at its end all pass.
#[test]
fn a_ramp_goes_on() {
    at_every_point(|place, begin, _, bench| {
        if begin().fuse().word() != bench.fuse().word() || bench.fuse().word().state() != State::Ramping {
            return;
        }
        let since = bench.fuse().word().generation();
        let passing = |now| (0..100).filter(|_| bench.fuse().admit(bench.policy, now).verdict.is_ok()).count();
        let half = passing(since + 5 * SECOND);
        assert!(half.abs_diff(65) <= 2, "{place}: {half} of 100 pass in the middle of a ramp from 30 %");
        assert_eq!(100, passing(since + 10 * SECOND), "{place}");
        assert_eq!(State::Closed, bench.fuse().word().state(), "{place}");
    });
}
