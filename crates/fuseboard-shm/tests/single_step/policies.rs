//! What is done to a fuse under a policy that has everything: a rate, growing open times, probes that may fail, a longest stay
//! half-open, a ramp, and calls that demand (rules R19 to R26).

use std::hint::black_box;

use fuseboard_core::journal::About;
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::Rate;
use fuseboard_core::state::State;
use fuseboard_shm::handle::{Outcome, ProcessPermit};

use crate::bench::{BRINK, Beginning, Bench, CLOSED, EXPIRED, HALF_OPEN, POLICY, SECOND};
use crate::operation::Operation;
use crate::operations::Planned;
use crate::seen::{NO_SEAT, RATED, SHORT, UNCOUNTED, UNSIGNED};

/// Bad calls of the rate that open the fuse.
const BAD: u32 = 3;
pub const STRICT: Policy = Policy {
    threshold: 0,
    multiplier_permille: 2_000,
    longest_us: 300 * SECOND,
    success_threshold: 1,
    probe_failures: 2,
    half_open_us: 60 * SECOND,
    ramp_us: 10 * SECOND,
    ramp_from_ppm: 300_000,
    rates: [
        Some(Rate { span: 60 * SECOND, bad_ppm: 700_000, min_calls: BAD, slow_us: 0 }),
        Some(Rate { span: 14, bad_ppm: 700_000, min_calls: BAD, slow_us: 0 }),
        None,
        None,
    ],
    ..POLICY
};
const DEMAND: Outcome = Outcome::FailureWithDemand { demands: true, asked_us: 200 * SECOND };

fn ended(bench: &Bench, outcome: Outcome) {
    bench.handle.settle(&STRICT, &admitted(bench), outcome, || About::NOTHING);
}

fn admitted(bench: &Bench) -> ProcessPermit {
    ProcessPermit::new(bench.handle.admit(&STRICT).verdict.expect("admitted"))
}

const RATE_BRINK: Beginning = Beginning("one bad call short of a rate", |bench| {
    CLOSED.1(bench);
    (1..BAD).for_each(|_| ended(bench, Outcome::Failure));
});
const LAST_PROBE: Beginning = Beginning("half-open, one failed probe", |bench| {
    EXPIRED.1(bench);
    ended(bench, Outcome::Failure);
});
const OVERSTAYED: Beginning = Beginning("half-open for too long", |bench| {
    HALF_OPEN.1(bench);
    bench.set_clock(bench.now() + STRICT.half_open_us);
});
const ON_RAMP: Beginning = Beginning("on the ramp", |bench| {
    EXPIRED.1(bench);
    ended(bench, Outcome::Success);
    bench.set_clock(bench.now() + 9 * SECOND);
});
const RAMPED: Beginning = Beginning("at the ramp's end", |bench| {
    ON_RAMP.1(bench);
    bench.set_clock(bench.now() + 2 * SECOND);
});

const fn settled(
    name: &'static str,
    run: fn(&Bench, Option<ProcessPermit>),
    may_leave: &'static [&'static str],
) -> Operation {
    Operation { name, prepare: |bench| Some(admitted(bench)), run, may_leave }
}

fn settle(bench: &Bench, permit: Option<ProcessPermit>, outcome: Outcome) {
    if let Some(permit) = permit {
        black_box(bench.handle.settle(&STRICT, &permit, outcome, || About::NOTHING));
    }
}

/// What a breaker with such a policy does with every call.
pub const POLICIES: &[Planned] = &[
    (
        Operation {
            name: "admit strictly",
            prepare: |_| None,
            run: |bench, _| _ = black_box(bench.handle.admit(&STRICT)),
            may_leave: &[NO_SEAT, UNSIGNED, UNCOUNTED, SHORT],
        },
        &[CLOSED, EXPIRED, HALF_OPEN, OVERSTAYED, ON_RAMP, RAMPED],
    ),
    (
        settled("settle a strict success", |bench, permit| settle(bench, permit, Outcome::Success), &[UNCOUNTED]),
        &[CLOSED, RATE_BRINK, LAST_PROBE, ON_RAMP],
    ),
    (
        settled(
            "settle a strict failure",
            |bench, permit| settle(bench, permit, Outcome::Failure),
            &[UNCOUNTED, SHORT, RATED],
        ),
        &[CLOSED, RATE_BRINK, LAST_PROBE, ON_RAMP],
    ),
    (
        settled("settle a demand", |bench, permit| settle(bench, permit, DEMAND), &[UNCOUNTED, SHORT, RATED]),
        &[BRINK, LAST_PROBE, ON_RAMP],
    ),
];

/// How long a strict caller would have to wait for an open fuse, in microseconds; 0 of others.
pub fn open_us(bench: &Bench) -> u64 {
    let verdict = bench.slot().pin().would_admit(&STRICT);
    let left = verdict.err().filter(|rejection| rejection.state == State::Open).and_then(|it| it.retry_after_us);
    left.unwrap_or(0)
}

/// How many strict calls in a row must fail to open a fuse that is closed, or was never seen.
pub fn bad_to_trip(bench: &Bench) -> u32 {
    let handle = bench.slot().pin();
    let is_closed = || matches!(handle.word().state(), State::Unseen | State::Closed);
    let fail = |_: &u32| {
        let admission = handle.admit(&STRICT);
        handle.settle(&STRICT, &ProcessPermit::new(admission.verdict.expect("closed")), Outcome::Failure, || {
            About::NOTHING
        });
    };
    (0..10).take_while(|_| is_closed()).inspect(fail).count() as u32
}
