//! Death at every step of a breaker at work: what is counted has happened (rule T07).

use fuseboard_core::breaker::{Breaker, Outcome};
use fuseboard_core::counters::{COUNTERS, Counter, totals};
use fuseboard_core::fuse::Permit;
use fuseboard_core::journal::About;
use fuseboard_core::lease::SEATS;
use fuseboard_core::state::State;
use fuseboard_core::sync::crash::abandon_after;

use super::{Bench, NOW, POLICY, SECOND, at_every_point};

/// Hints of processes.
const DEAD: u64 = 1;
const ALIVE: u64 = 2;
const ASKED: u64 = NOW + 31 * SECOND;

impl Bench {
    fn breaker(&self) -> Breaker<'_> {
        Breaker::new(self.fuse(), &self.line)
    }

    fn settle(&self, outcome: Outcome, now: u64) {
        let Some(permit) = self.permit else { return };
        let about = || About::new(b"TimeoutError");
        self.breaker().settle(self.policy, Some(permit), outcome, |_| SECOND, || now, about);
    }

    fn counted(&self) -> [u64; COUNTERS] {
        totals(std::slice::from_ref(&self.line))
    }

    /// Seats that a call could take at once, or behind a dead prober. Takes them.
    fn take_free_seats(&self) -> usize {
        self.fuse().reclaim(|hint| hint == DEAD);
        let admit = || self.fuse().admit(self.policy, ASKED).verdict.ok();
        (0..SEATS).map_while(|_| admit()?.lease).count()
    }
}

/// Half-open, all seats taken by probers that are dead by now.
pub fn beginnings() -> Vec<(&'static str, fn() -> Bench)> {
    vec![("half-open, dead probers", || {
        let mut bench = Bench::new();
        bench.fuse().set(State::HalfOpen, ASKED - SECOND);
        for _ in 0..POLICY.probes {
            bench.admit(ASKED - SECOND);
            let lease = bench.permit.and_then(|permit| permit.lease).expect("a seat");
            bench.fuse().sign(lease, DEAD);
        }
        bench
    })]
}

/// What live calls do.
pub fn operations() -> Vec<(&'static str, fn(&Bench, u64))> {
    vec![
        ("breaker admits", |bench, now| {
            _ = bench.breaker().admit(bench.policy, || now, ALIVE, |hint| hint == DEAD);
        }),
        ("breaker settles a success", |bench, now| bench.settle(Outcome::Success, now)),
        ("breaker settles a failure", |bench, now| bench.settle(Outcome::Failure, now)),
        ("breaker settles a demand", |bench, now| {
            bench.settle(Outcome::FailureWithDemand { demands: true, asked_us: 30 * SECOND }, now);
        }),
        ("breaker settles an ignored call", |bench, now| bench.settle(Outcome::Ignored, now)),
    ]
}

/// Fails unless whatever was counted has happened: the fuse is as it is behind the whole operation.
fn is_no_more_than_happened(place: &str, begin: fn() -> Bench, run: fn(&Bench, u64), bench: &Bench) {
    let (before, after) = (begin(), begin());
    run(&after, ASKED);
    let (counted, most) = (bench.counted(), after.counted());
    assert!(counted.iter().zip(most).all(|(is, most)| *is <= most), "{place}: {counted:?} of {most:?}");
    if counted != [0; COUNTERS] {
        assert_eq!(after.seen(), bench.seen(), "{place}: counted, yet not so: {counted:?}");
    }
    let probes = counted[Counter::Probes as usize];
    let [before, now] = [&before, bench].map(Bench::take_free_seats);
    assert!(probes == 0 || now < before, "{place}: counted, yet no seat is taken: {now} of {before} are free");
}

/// T07: whoever dies leaves a counter short, and none is ever more than what happened.
#[test]
fn no_counter_is_more_than_what_happened() {
    let points = std::cell::Cell::new(0);
    at_every_point(|place, begin, run, bench| {
        if place.starts_with("breaker") {
            is_no_more_than_happened(place, begin, run, bench);
            points.set(points.get() + 1);
        }
    });
    assert!(points.get() > 200, "{} points", points.get());
}

/// Negative control: a count before the step that it tells of is caught.
#[test]
#[should_panic(expected = "counted, yet not so")]
fn a_count_before_its_step_is_caught() {
    fn begin() -> Bench {
        let mut bench = Bench::new();
        bench.admit(NOW);
        bench
    }
    fn run(bench: &Bench, now: u64) {
        bench.line.add(Counter::Failures);
        let permit = Permit { generation: bench.fuse().word().generation(), lease: None };
        bench.fuse().failed(&POLICY, permit, now);
    }
    for point in 0.. {
        let bench = begin();
        let died = abandon_after(point, || run(&bench, ASKED));
        is_no_more_than_happened(&format!("before write {point}"), begin, run, &bench);
        if !died {
            return;
        }
    }
}
