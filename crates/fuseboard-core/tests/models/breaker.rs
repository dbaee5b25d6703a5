//! Two processes that come by the breaker, as live calls do: each counts on a line of its own what it was told, and the
//! lines agree with the fuse and with the journal.

use std::sync::Arc;

use crate::book::Book;
use crate::common::{NOW, POLICY, SECOND, job, model, race};
use fuseboard_core::admission::Admission;
use fuseboard_core::breaker::{Breaker, Outcome};
use fuseboard_core::counters::{Counter, Stripe, totals};
use fuseboard_core::fuse::Effect;
use fuseboard_core::journal::About;
use fuseboard_core::state::State;

/// Hints of processes.
const DEAD: u64 = 1;
const ALIVE: u64 = 2;

/// A fuse with its journal, and a line of counters for each process.
struct Host {
    book: Book,
    lines: [Stripe; 2],
}

impl Host {
    fn in_state(state: State) -> Arc<Self> {
        let host = Self { book: Book::new(2, 4), lines: [(); 2].map(|()| Stripe::new()) };
        let made = host.book.fuse().set(state, NOW).expect("nothing holds a new fuse");
        host.book.fuse().write_down(made, About::NOTHING);
        Arc::new(host)
    }

    fn process(&self, line: usize) -> Breaker<'_> {
        Breaker::new(self.book.fuse(), &self.lines[line])
    }

    fn admit(&self, line: usize, hint: u64, now_us: u64) -> Admission {
        self.process(line).admit(&POLICY, || now_us, hint, |hint| hint == DEAD)
    }

    /// A whole call that fails; `None` if it was rejected.
    fn fail(&self, line: usize, now_us: u64) -> Option<Effect> {
        let permit = self.admit(line, ALIVE, now_us).verdict.ok()?;
        Some(self.process(line).settle(&POLICY, Some(permit), Outcome::Failure, |_| 0, || now_us, || About::NOTHING))
    }

    fn counted<const N: usize>(&self, counters: [Counter; N]) -> [u64; N] {
        let totals = totals(&self.lines);
        counters.map(|counter| totals[counter as usize])
    }
}

/// R03, R09: one failure short of a trip, two calls fail at once. One of them trips; the other one is late if it was
/// admitted before, and rejected if not; and so they are counted and told.
#[test]
fn a_trip_beside_another_call_is_counted_and_told_once() {
    model(|| {
        let host = Host::in_state(State::Closed);
        host.fail(0, NOW + 1);
        let effects = race(&host, [0, 1].map(|line| job(move |host: &Host| host.fail(line, NOW + 2 + line as u64))));
        let of = |effect: fn(&Option<Effect>) -> bool| effects.iter().filter(|it| effect(it)).count() as u64;
        let late = of(|effect| *effect == Some(Effect::Late));
        let rejected = of(Option::is_none);
        assert_eq!(1, late + rejected, "{effects:?}");
        let counters = [Counter::Trips, Counter::Failures, Counter::Late, Counter::Rejections];
        assert_eq!([1, 2 + late, late, rejected], host.counted(counters), "{effects:?}");
        let journaled: Vec<_> = host.book.journaled().iter().map(|record| record.to).collect();
        assert_eq!([State::Open].as_slice(), journaled);
    });
}

/// R11: of two processes that find a dead prober's seat one takes it over; the other one is rejected, and so it is counted.
#[test]
fn a_dead_probers_seat_goes_to_one_process() {
    model(|| {
        let host = Host::in_state(State::HalfOpen);
        let dead = host.admit(0, DEAD, NOW).verdict.expect("a probe");
        let ask = |line| job(move |host: &Host| host.admit(line, ALIVE, NOW + SECOND).verdict.ok());
        let mut given = race(&host, [ask(0), ask(1)]).into_iter().flatten();
        let permit = given.next().expect("the seat is free for one of them");
        assert_eq!(None, given.next());
        assert_eq!([2, 1], host.counted([Counter::Probes, Counter::Rejections]));
        let succeed = |permit| {
            let now_us = || NOW + SECOND;
            host.process(0).settle(&POLICY, Some(permit), Outcome::Success, |_| 0, now_us, || About::NOTHING)
        };
        assert_eq!(Effect::Late, succeed(dead));
        assert!(matches!(succeed(permit), Effect::Changed(made) if made.to == State::Closed));
        assert_eq!([1, 1, 2], host.counted([Counter::Closes, Counter::Late, Counter::Successes]));
    });
}
