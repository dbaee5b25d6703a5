//! How a fuse comes back: growing open times, jitter, probes that may fail, the longest stay half-open, the ramp.
#![cfg(not(fuseboard_loom))]

use fuseboard_core::admission::Rejection;
use fuseboard_core::fuse::Call;
use fuseboard_core::fuse::{Cell, Effect, Fuse, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::sync::AtomicU64;
use fuseboard_core::transition::Cause;
use fuseboard_core::transition::Transition;

const NOW: u64 = 1_000_000_000;
const SECOND: u64 = 1_000_000;
const FAILED: Call = Call { failed: true, took_us: 0, demands: false, asked_us: 0 };
/// One failure opens, for ten seconds at first, twice as long after each failed probe, but a minute at most.
const GROWING: Policy = Policy {
    threshold: 1,
    reset_us: 10 * SECOND,
    multiplier_permille: 2_000,
    longest_us: 60 * SECOND,
    ..Policy::DEFAULT
};

struct Bench {
    cell: Cell,
    log: [AtomicU64; 8],
    now: u64,
}

impl Bench {
    fn new() -> Self {
        Self { cell: Cell::new(), log: [0; 8].map(AtomicU64::new), now: NOW }
    }

    fn fuse(&self) -> Fuse<'_> {
        Fuse::new(&self.cell, &self.log)
    }

    fn state(&self) -> State {
        self.fuse().word().state()
    }

    fn permit(&self, policy: &Policy) -> Permit {
        self.fuse().admit(policy, self.now).verdict.expect("it is admitted")
    }

    fn end(&self, policy: &Policy, call: Call) -> Effect {
        self.fuse().settle(policy, self.permit(policy), call, || self.now)
    }

    fn rejection(&self, policy: &Policy) -> Rejection {
        self.fuse().admit(policy, self.now).verdict.expect_err("it is rejected")
    }

    /// How long the open fuse stays so; then it is that much later.
    fn wait(&mut self, policy: &Policy) -> u64 {
        let Rejection { state, retry_after_us, lease_us } = self.rejection(policy);
        let left = retry_after_us.expect("a time to wait for");
        assert_eq!((State::Open, None), (state, lease_us));
        self.now += left;
        left
    }
}

fn made(effect: Effect) -> Transition {
    let Effect::Changed(made) = effect else { panic!("no transition: {effect:?}") };
    made
}

/// Each failed probe doubles the open time, up to the longest; a fuse that closes keeps its count of failed probes for a while.
#[test]
fn open_times_grow_with_each_failed_probe() {
    let mut bench = Bench::new();
    bench.end(&GROWING, FAILED);
    for seconds in [10, 20, 40, 60, 60] {
        assert_eq!(seconds * SECOND, bench.wait(&GROWING));
        assert_eq!(Cause::ProbeFailed, made(bench.end(&GROWING, FAILED)).cause);
    }
}

/// While the fuse is closed the count of failed probes falls by one for each open time that passes, from the longest down.
#[test]
fn a_count_of_failed_probes_decays_while_the_fuse_is_healthy() {
    for (healthy, seconds) in [(0, 40), (39, 40), (41, 20), (59, 20), (61, 10), (100_000, 10)] {
        let mut bench = Bench::new();
        bench.end(&GROWING, FAILED);
        for _ in 0..2 {
            bench.wait(&GROWING);
            bench.end(&GROWING, FAILED);
        }
        bench.wait(&GROWING);
        assert_eq!(State::Closed, made(bench.end(&GROWING, Call::default())).to);
        bench.now += healthy * SECOND;
        bench.end(&GROWING, FAILED);
        assert_eq!(seconds * SECOND, bench.wait(&GROWING), "after {healthy} s");
    }
}

/// However many probes it takes, a small multiplier reaches the longest time.
#[test]
fn a_small_multiplier_reaches_the_longest_time() {
    let policy = Policy { multiplier_permille: 1_010, ..GROWING };
    let mut bench = Bench::new();
    bench.end(&policy, FAILED);
    let times: Vec<_> = (0..200)
        .map(|_| {
            let waited = bench.wait(&policy);
            bench.end(&policy, FAILED);
            waited
        })
        .collect();
    assert!(times.is_sorted() && times[..180].windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    assert_eq!((10_100_000, 60 * SECOND, 200), (times[1], times[199], bench.fuse().read().failed_probes));
}

/// The raw operation has no policy to tell open times by: it takes one failed probe back for each five minutes.
#[test]
fn a_count_of_failed_probes_decays_where_a_fuse_is_set_open_too() {
    for (healthy, seconds) in [(0, 40), (299, 40), (301, 20), (601, 10)] {
        let mut bench = Bench::new();
        bench.end(&GROWING, FAILED);
        for _ in 0..2 {
            bench.wait(&GROWING);
            bench.end(&GROWING, FAILED);
        }
        bench.wait(&GROWING);
        bench.end(&GROWING, Call::default());
        bench.now += healthy * SECOND;
        bench.fuse().set(State::Open, bench.now);
        assert_eq!(seconds * SECOND, bench.wait(&GROWING), "after {healthy} s");
        bench.permit(&GROWING);
        bench.now += 1_000 * SECOND;
        bench.fuse().set(State::Open, bench.now);
        assert_eq!(seconds * SECOND, bench.wait(&GROWING), "not while half-open");
    }
}

/// An operator's reset forgets the count of failed probes.
#[test]
fn a_reset_begins_again_with_the_shortest_time() {
    let mut bench = Bench::new();
    bench.end(&GROWING, FAILED);
    bench.wait(&GROWING);
    bench.end(&GROWING, FAILED);
    bench.fuse().command(State::Closed, || bench.now);
    bench.end(&GROWING, FAILED);
    assert_eq!(10 * SECOND, bench.wait(&GROWING));
}

/// The jitter is the same for whoever asks, another one for each opening, and within its bounds.
#[test]
fn jitter_spreads_open_times_within_its_bounds() {
    let policy = Policy { multiplier_permille: 1_000, jitter_ppm: 200_000, ..GROWING };
    let mut bench = Bench::new();
    bench.end(&policy, FAILED);
    let mut times = Vec::new();
    for _ in 0..100 {
        assert_eq!(bench.rejection(&policy), bench.rejection(&policy));
        times.push(bench.wait(&policy));
        bench.end(&policy, FAILED);
    }
    assert!(times.iter().all(|time| (8 * SECOND..=12 * SECOND).contains(time)), "{times:?}");
    assert!(times.iter().any(|time| *time < 9 * SECOND) && times.iter().any(|time| *time > 11 * SECOND), "{times:?}");
}

/// The call that opens the fuse may say for how long, within the policy's bounds; the next opening is as ever.
#[test]
fn a_call_may_ask_for_an_open_time() {
    for (asked, seconds) in [(30, 30), (3, 10), (1_000, 60)] {
        let mut bench = Bench::new();
        bench.end(&GROWING, Call { asked_us: asked * SECOND, ..FAILED });
        assert_eq!(seconds * SECOND, bench.wait(&GROWING), "asked for {asked} s");
        bench.end(&GROWING, FAILED);
        assert_eq!(20 * SECOND, bench.wait(&GROWING));
    }
}

/// Of the probes so many may fail; the last one allowed opens the fuse again, and another half-open state begins at zero.
#[test]
fn probes_may_fail_as_often_as_the_policy_allows() {
    let policy = Policy { probes: 2, success_threshold: 3, probe_failures: 2, ..GROWING };
    let mut bench = Bench::new();
    bench.end(&policy, FAILED);
    for _ in 0..2 {
        bench.wait(&policy);
        assert_eq!(Effect::Counted, bench.end(&policy, FAILED));
        assert_eq!(Effect::Counted, bench.end(&policy, Call::default()));
        assert_eq!(Cause::ProbeFailed, made(bench.end(&policy, FAILED)).cause);
    }
    bench.wait(&policy);
    bench.end(&policy, FAILED);
    (0..2).for_each(|_| assert_eq!(Effect::Counted, bench.end(&policy, Call::default())));
    assert_eq!(State::Closed, made(bench.end(&policy, Call::default())).to);
}

/// A probe that demands it opens the fuse, however many may fail, for as long as it asks; not one whose lease was taken over.
#[test]
fn a_probe_may_demand_that_the_fuse_opens() {
    let policy = Policy { probe_failures: 5, probe_us: SECOND, ..GROWING };
    let demanding = Call { demands: true, asked_us: 50 * SECOND, ..FAILED };
    let mut bench = Bench::new();
    bench.end(&policy, FAILED);
    bench.wait(&policy);
    let slow = bench.permit(&policy);
    bench.now += SECOND;
    let probe = bench.permit(&policy);
    assert_eq!(Effect::Late, bench.fuse().settle(&policy, slow, demanding, || bench.now));
    let made = made(bench.fuse().settle(&policy, probe, demanding, || bench.now));
    assert_eq!((State::HalfOpen, State::Open, Cause::Demanded), (made.from, made.to, made.cause));
    assert_eq!(50 * SECOND, bench.wait(&policy));
    bench.end(&policy, FAILED);
    assert_eq!(State::HalfOpen, bench.state(), "others are allowed to fail");
}

/// Who comes to a fuse that was half-open for too long finds it open; outcomes of its probes are late.
#[test]
fn a_fuse_is_half_open_for_no_longer_than_it_may() {
    let policy = Policy { half_open_us: 5 * SECOND, ..GROWING };
    let mut bench = Bench::new();
    bench.end(&policy, FAILED);
    bench.wait(&policy);
    let probe = bench.permit(&policy);
    bench.now += 5 * SECOND - 1;
    assert_eq!(State::HalfOpen, bench.rejection(&policy).state);
    bench.now += 1;
    let admission = bench.fuse().admit(&policy, bench.now);
    let transition = admission.transition.expect("it opens");
    assert_eq!((State::Open, Cause::HalfOpenTimeout), (transition.to, transition.cause));
    assert_eq!(Some(20 * SECOND), admission.verdict.expect_err("open").retry_after_us);
    assert_eq!(Effect::Late, bench.fuse().settle(&policy, probe, Call::default(), || bench.now));
}

const RAMPED: Policy = Policy { ramp_us: 100 * SECOND, ramp_from_ppm: 100_000, ..GROWING };

impl Bench {
    fn ramping(policy: &Policy) -> Self {
        let mut bench = Self::new();
        bench.end(policy, FAILED);
        bench.wait(policy);
        assert_eq!(State::Ramping, made(bench.end(policy, Call::default())).to);
        bench
    }

    /// How many of a thousand calls pass.
    fn passing(&self, policy: &Policy) -> usize {
        (0..1_000).filter(|_| self.fuse().admit(policy, self.now).verdict.is_ok()).count()
    }
}

/// The share of calls that pass grows evenly from the first to all; then the fuse is closed.
#[test]
fn a_ramp_admits_a_growing_share() {
    let mut bench = Bench::ramping(&RAMPED);
    for percent in [10, 37, 55, 91] {
        bench.now = bench.fuse().word().generation() + (percent - 10) * 10 * SECOND / 9;
        let passing = bench.passing(&RAMPED);
        assert!(passing.abs_diff(percent as usize * 10) <= 10, "{passing} of 1,000 at {percent} %");
        assert_eq!(State::Ramping, bench.state());
    }
    bench.now = bench.fuse().word().generation() + 100 * SECOND;
    let made = bench.fuse().admit(&RAMPED, bench.now).transition.expect("the ramp is over");
    assert_eq!((State::Ramping, State::Closed, Cause::Ramped), (made.from, made.to, made.cause));
    assert_eq!(1_000, bench.passing(&RAMPED));
}

/// R26: whoever is rejected is told to come when half of what is left is over. So those who are rejected one after the other
/// come back one after the other, and not all at the end.
#[test]
fn a_call_beside_a_ramp_is_told_a_time_at_which_to_try() {
    let policy = Policy { ramp_from_ppm: 0, ..RAMPED };
    let mut bench = Bench::ramping(&policy);
    let began = bench.fuse().word().generation();
    for (later, wait) in [(0, 50 * SECOND), (20 * SECOND, 40 * SECOND), (90 * SECOND - 1, 5 * SECOND + 1)] {
        bench.now = began + later;
        let told = (0..100).find_map(|_| bench.fuse().admit(&policy, bench.now).verdict.err());
        assert_eq!(Some(Rejection::new(State::Ramping, Some(wait))), told);
    }
}

/// Failures count while ramping, and open the fuse again; successes clear them.
#[test]
fn a_ramping_fuse_trips_as_a_closed_one_does() {
    let policy = Policy { threshold: 2, ramp_from_ppm: 1_000_000, ..RAMPED };
    let opens = Policy { threshold: 1, ..policy };
    let bench = Bench::ramping(&opens);
    assert_eq!(Effect::Counted, bench.end(&policy, FAILED));
    assert_eq!(Effect::Counted, bench.end(&policy, Call::default()));
    assert_eq!(Effect::Counted, bench.end(&policy, FAILED));
    let made = made(bench.end(&policy, FAILED));
    assert_eq!((State::Ramping, State::Open, Cause::Threshold), (made.from, made.to, made.cause));
}

/// A process without a ramp, of a fuse that another one ramps up, closes it.
#[test]
fn a_policy_without_a_ramp_ends_another_ones() {
    let bench = Bench::ramping(&RAMPED);
    assert!(bench.fuse().admit(&GROWING, bench.now).verdict.is_ok());
    assert_eq!(State::Closed, bench.state());
}

/// Who looks is told what who asks is told.
#[test]
fn a_look_says_what_a_ramp_would() {
    let mut bench = Bench::ramping(&RAMPED);
    bench.now += 30 * SECOND;
    for _ in 0..100 {
        let told = bench.fuse().would_admit(&RAMPED, bench.now, |_| false);
        assert_eq!(told.err(), bench.fuse().admit(&RAMPED, bench.now).verdict.err());
    }
}

/// R25: a look at a fuse that was half-open for too long says what a call would find: open, for as long as one failed probe
/// more makes it.
#[test]
fn a_look_finds_a_fuse_open_that_was_half_open_for_too_long() {
    let mut bench = Bench::new();
    let policy = Policy { half_open_us: 20 * SECOND, probes: 2, ..GROWING };
    bench.end(&policy, FAILED);
    bench.wait(&policy);
    bench.end(&policy, FAILED);
    assert_eq!(20 * SECOND, bench.wait(&policy));
    bench.permit(&policy);
    let look = |now| bench.fuse().would_admit(&policy, now, |_| false).map_err(|no| (no.state, no.retry_after_us));
    assert_eq!(Ok(()), look(bench.fuse().word().generation() + 20 * SECOND - 1));
    assert_eq!(Err((State::Open, Some(40 * SECOND))), look(bench.fuse().word().generation() + 20 * SECOND));
}

/// R23: processes of two builds agree on the jitter of a generation.
#[test]
fn the_jitter_of_a_generation_is_fixed() {
    let policy = Policy { jitter_ppm: 500_000, ..GROWING };
    let times = [NOW, 2 * NOW + 7, 0x1234_5678_9abc].map(|now| {
        let mut bench = Bench::new();
        bench.now = now;
        bench.fuse().set(State::Open, now);
        bench.wait(&policy)
    });
    assert_eq!([8_421_454, 13_524_790, 10_132_976], times);
}
