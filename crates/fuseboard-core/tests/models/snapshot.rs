//! Reading a table beside those who write: what a snapshot tells is of one claim, no older than what it has told, and
//! what was counted is there.

use std::sync::Arc;

use crate::common::{NOW, Row, SECOND, job, model, race};
use crate::slots::{AFTER_QUARANTINE, NAME, OTHER, Slots};
use fuseboard_core::counters::{Counter, Stripe, totals};
use fuseboard_core::state::State;

/// R28: a snapshot of a fuse that is removed, whose slot is another name's then and used, has nothing of that one.
#[test]
fn a_snapshot_is_of_one_claim() {
    model(|| {
        let slots = Arc::new(Slots::new(2));
        let claim = slots.claim(OTHER, NOW);
        slots.fuse(claim).record_success(NOW);
        let jobs = [
            job(move |slots: &Slots| slots.fuse(claim).snapshot(&[], NOW)),
            job(move |slots: &Slots| {
                assert!(slots.remove(claim, NOW));
                let next = slots.claim(NAME, AFTER_QUARANTINE);
                assert_eq!((claim.slot, 1), (next.slot, slots.fuse(next).record_failure(SECOND, AFTER_QUARANTINE)));
                None
            }),
        ];
        let [seen, _] = race(&slots, jobs);
        if let Some((cell, _)) = seen {
            assert_eq!((State::Closed, NOW, 0), (cell.word.state(), cell.word.generation(), cell.failures));
        }
        assert_eq!(None, slots.fuse(claim).snapshot(&[], NOW));
    });
}

/// Fuses are read one after the other, and what is told of each is no older than what was told of those before: who sees the
/// second of two fuses opened does not miss the first.
#[test]
fn a_snapshot_misses_nothing_that_came_before_what_it_tells() {
    model(|| {
        let rows = Arc::new([(); 2].map(|()| Row::in_state(State::Closed, 2)));
        let jobs = [
            job(move |rows: &[Arc<Row>; 2]| {
                (0..2).for_each(|i| _ = rows[i].fuse().set(State::Open, NOW));
                Vec::new()
            }),
            job(|rows: &[Arc<Row>; 2]| {
                let read = |i: usize| rows[i].fuse().snapshot(&[], NOW).expect("it is there").0;
                [1, 0].map(read).to_vec()
            }),
        ];
        let [_, seen] = race(&rows, jobs);
        let states: Vec<_> = seen.iter().map(|cell| cell.word.state()).collect();
        assert_ne!(vec![State::Open, State::Closed], states);
        assert!(seen.iter().all(|cell| (cell.failures, cell.last_failure_us) == (0, None)), "{seen:?}");
    });
}

/// T07: calls that are counted at once in one line are all counted, and a total read meanwhile is of some of them.
#[test]
fn no_count_is_lost() {
    model(|| {
        let line = Arc::new([Stripe::new()]);
        let add = || {
            job(|line: &[Stripe; 1]| {
                line[0].add(Counter::Successes);
                totals(line)[Counter::Successes as usize]
            })
        };
        let look = job(|line: &[Stripe; 1]| totals(line)[Counter::Successes as usize]);
        let [one, other, seen] = race(&line, [add(), add(), look]);
        assert!((1..=2).contains(&one) && (1..=2).contains(&other) && seen <= 2, "{one}, {other}, {seen}");
        assert_eq!(2, totals(&*line)[Counter::Successes as usize]);
    });
}
