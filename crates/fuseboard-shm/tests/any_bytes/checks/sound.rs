//! A fuse after a reset: exact counts, a trip, a probe, a close (rules R02 to R09).

use fuseboard_core::admission::Rejection;
use fuseboard_core::fuse::Call;
use fuseboard_core::fuse::{Effect, Fuse, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::Rate;
use fuseboard_core::rate::{RATE_WINDOWS, RateCount, RateKind};
use fuseboard_core::state::State;
use fuseboard_core::word::LOG_MAX;

use super::fuse::{WRITES, mending_writes};
use super::steps::bounded;

/// One second.
pub const SECOND: u64 = 1_000_000;
const WINDOW: u64 = 10 * SECOND;
/// How much later rates are asked about: not a time to which a program moves its clock.
pub const UNUSUAL_US: u64 = 7_654_321;
/// Calls of which a rate is asked.
const MIN_CALLS: u32 = 3;

/// What the cycle asks of a fuse with a log of `log_len` entries.
pub fn policy(log_len: usize) -> Policy {
    Policy {
        threshold: log_len.min(3) as u32,
        window_us: WINDOW,
        reset_us: 30 * SECOND,
        probes: 1,
        success_threshold: 2,
        probe_us: 5 * SECOND,
        clear_on_success: true,
        ..Policy::DEFAULT
    }
}

/// The fuse is sound again, after a reset as after a manual override.
pub fn sound_again(fuse: Fuse<'_>, log_len: usize, now: u64) {
    let mending = mending_writes(log_len);
    bounded(mending, || fuse.forget(|| now));
    assert!(!fuse.word().state().is_seen());
    counts_exactly(fuse, log_len, now);
    bounded(mending, || fuse.forget(|| now));
    goes_through_a_cycle(fuse, log_len, now);
    bounded(mending, || fuse.command(State::Closed, || now));
    counts_exactly(fuse, log_len, now + 60 * SECOND);
    bounded(mending, || fuse.command(State::Closed, || now + 60 * SECOND));
    goes_through_a_cycle(fuse, log_len, now + 60 * SECOND);
}

/// One, two, and with the third bad call a trip, by each rate: whatever stood in the rate windows counts no more. At a time at which
/// no generation has begun yet: one that begins twice, as where damage went ahead and a reset back, finds its calls again.
pub fn measures_exactly(fuse: Fuse<'_>, now: u64) {
    for kind in RateKind::ALL {
        let policy = policy_of(kind);
        bounded(mending_writes(LOG_MAX), || fuse.command(State::Closed, || now));
        if fuse.rate_count(&policy, kind, || now).is_none() {
            return; // a fuse without rate_windows
        }
        let bad = Call { failed: true, took_us: SECOND, ..Call::default() };
        for expected in 1..=MIN_CALLS {
            let permit = admitted(fuse, &policy, now);
            let effect = bounded(WRITES, || fuse.settle(&policy, permit, bad, || now));
            assert_eq!(expected == MIN_CALLS, matches!(effect, Effect::Changed(_)), "{kind:?}, call {expected}");
            let count = fuse.rate_count(&policy, kind, || now);
            assert!(expected == MIN_CALLS || count == Some(RateCount { calls: expected, bad: expected }), "{count:?}");
        }
    }
}

/// All of three calls, of the last fourteen or within a minute, and nothing else.
fn policy_of(kind: RateKind) -> Policy {
    let of_calls = matches!(kind, RateKind::FailuresOfCalls | RateKind::SlowOfCalls);
    let span = if of_calls { 14 } else { 60 * SECOND };
    let mut rates = [None; RATE_WINDOWS];
    rates[kind as usize] = Some(Rate { span, bad_ppm: 1_000_000, min_calls: MIN_CALLS, slow_us: SECOND });
    Policy { threshold: 0, rates, ..policy(2) }
}

/// One, two, three, up to the log's length; and one again after a success.
pub fn counts_exactly(fuse: Fuse<'_>, log_len: usize, now: u64) {
    for expected in 1..log_len as u32 + 2 {
        let count = bounded(WRITES, || fuse.record_failure(WINDOW, now + u64::from(expected)));
        assert_eq!(expected.min(log_len as u32), count);
    }
    assert_eq!(log_len as u32, fuse.read().failures);
    bounded(WRITES, || fuse.record_success(now));
    assert_eq!(1, bounded(WRITES, || fuse.record_failure(WINDOW, now)));
}

/// Trip, reject, probe, close.
pub fn goes_through_a_cycle(fuse: Fuse<'_>, log_len: usize, now: u64) {
    let policy = policy(log_len);
    let old = trips(fuse, &policy, now);
    assert_eq!(Effect::Late, bounded(WRITES, || fuse.succeeded(&policy, old, now)));
    let answer = bounded(WRITES, || fuse.admit(&policy, now)).verdict;
    let Err(Rejection { state: State::Open, retry_after_us: Some(wait), .. }) = answer else { panic!("{answer:?}") };
    assert!((policy.reset_us - SECOND..=policy.reset_us).contains(&wait), "{wait}");
    probes(fuse, &policy, now + policy.reset_us);
    let reading = fuse.read();
    assert_eq!((State::Closed, 0, None), (reading.word.state(), reading.failures, reading.last_failure_us));
}

/// The failure that reaches the threshold opens the fuse, and none before it.
fn trips(fuse: Fuse<'_>, policy: &Policy, now: u64) -> Permit {
    let mut permit = admitted(fuse, policy, now);
    for left in (0..policy.threshold).rev() {
        assert_eq!(None, permit.lease);
        let effect = bounded(WRITES, || fuse.failed(policy, permit, now));
        match effect {
            Effect::Counted if left > 0 => permit = admitted(fuse, policy, now),
            Effect::Changed(made) if left == 0 => assert_eq!((State::Closed, State::Open), (made.from, made.to)),
            other => panic!("{other:?} with {left} failures left"),
        }
    }
    permit
}

/// One probe at a time, and the second success closes.
fn probes(fuse: Fuse<'_>, policy: &Policy, now: u64) {
    let first = admitted(fuse, policy, now);
    assert!(first.lease.is_some());
    let answer = bounded(WRITES, || fuse.admit(policy, now)).verdict;
    assert!(matches!(answer, Err(Rejection { state: State::HalfOpen, .. })), "{answer:?}");
    assert_eq!(Effect::Counted, bounded(WRITES, || fuse.succeeded(policy, first, now)));
    let second = admitted(fuse, policy, now);
    let effect = bounded(WRITES, || fuse.succeeded(policy, second, now));
    let Effect::Changed(made) = effect else { panic!("{effect:?}") };
    assert_eq!((State::HalfOpen, State::Closed), (made.from, made.to));
}

fn admitted(fuse: Fuse<'_>, policy: &Policy, now: u64) -> Permit {
    bounded(WRITES, || fuse.admit(policy, now)).verdict.expect("a call is admitted")
}
