//! Forgetting a fuse beside every other operation: generations do not go back, and late outcomes are dropped.

use std::sync::Arc;

use crate::common::{NOW, POLICY, Row, SECOND, job, model, race};
use fuseboard_core::fuse::Effect;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;

const LAST_STRAW: Policy = Policy { threshold: 1, ..POLICY };

/// Forgets the fuse beside `other`; what `other` answers. The generation must have grown past the one before.
fn forget_beside<T: Send + std::fmt::Debug + 'static>(
    row: &Arc<Row>,
    other: impl FnOnce(&Row) -> T + Send + 'static,
) -> T {
    let before = row.fuse().word().generation();
    let jobs = [
        job(move |row: &Row| Some(other(row))),
        job(move |row: &Row| {
            // A clock that is behind: the generation grows all the same.
            assert!(row.fuse().forget(|| NOW - SECOND).is_some(), "the fuse was there to be forgotten");
            None
        }),
    ];
    let [answer, _] = race(row, jobs);
    assert!(before < row.fuse().word().generation(), "the generation went back");
    answer.expect("the other job answers")
}

/// R09: a failure is before the forgetting and forgotten, or behind it and late: the fuse is closed and empty.
#[test]
fn a_failure_beside_it_is_forgotten_or_late() {
    model(|| {
        let row = Row::in_state(State::Closed, 2);
        let permit = row.permit(&LAST_STRAW, NOW);
        let effect = forget_beside(&row, move |row| row.fuse().failed(&LAST_STRAW, permit, NOW + 1));
        assert!(matches!(effect, Effect::Changed(_) | Effect::Late), "{effect:?}");
        assert_eq!((State::Unseen, 0), (row.fuse().word().state(), row.run()));
        assert_eq!(Effect::Late, row.fuse().failed(&LAST_STRAW, permit, NOW + 2));
    });
}

/// R09: the same of a probe's success: it cannot bring the fuse back.
#[test]
fn a_success_beside_it_brings_nothing_back() {
    model(|| {
        let row = Row::in_state(State::HalfOpen, 2);
        let probe = row.permit(&POLICY, NOW);
        let effect = forget_beside(&row, move |row| row.fuse().succeeded(&POLICY, probe, NOW + 1));
        assert!(matches!(effect, Effect::Changed(_) | Effect::Late), "{effect:?}");
        assert_eq!(State::Unseen, row.fuse().word().state());
        assert_eq!(Effect::Late, row.fuse().cancel(probe));
    });
}

/// R01, R02: a call beside it is admitted, and its outcome counts only if it was admitted behind the forgetting.
#[test]
fn a_call_beside_it_is_admitted_before_or_behind_it() {
    model(|| {
        let row = Row::in_state(State::Closed, 2);
        let permit = forget_beside(&row, |row| row.permit(&POLICY, NOW - SECOND));
        let current = row.fuse().word().generation() == permit.generation;
        assert_eq!(if current { State::Closed } else { State::Unseen }, row.fuse().word().state());
        let expected = if current { (Effect::Counted, 1) } else { (Effect::Late, 0) };
        assert_eq!(expected, (row.fuse().failed(&POLICY, permit, NOW), row.run()));
    });
}

/// R06: a probe taken beside it is nobody's obstacle: the forgotten fuse is closed and its seats are free.
#[test]
fn a_probe_beside_it_leaves_no_seat_taken() {
    model(|| {
        let row = Row::in_state(State::HalfOpen, 2);
        let admission = forget_beside(&row, |row| row.fuse().admit(&POLICY, NOW + 1));
        let late = admission.verdict.map(|permit| permit.lease.map(|_| row.fuse().failed(&POLICY, permit, NOW + 2)));
        assert!(matches!(late, Ok(None | Some(Effect::Late))), "{late:?}");
        row.fuse().set(State::HalfOpen, NOW + 3);
        assert!(row.permit(&POLICY, NOW + 3).lease.is_some());
    });
}

/// T06: a raw failure or success beside it leaves a closed fuse that holds at most that one failure.
#[test]
fn raw_records_beside_it_belong_to_one_side() {
    model(|| {
        let row = Row::in_state(State::Closed, 4);
        row.fuse().record_failure(SECOND, NOW);
        let count = forget_beside(&row, |row| row.fuse().record_failure(SECOND, NOW + 1));
        let expected = if count == 1 { (State::Closed, 1) } else { (State::Unseen, 0) };
        assert_eq!(expected, (row.fuse().word().state(), row.run()), "count {count}");
    });
}

/// R12: an operator's hold beside it is in force or forgotten, never half of each, and one of two forgets does it.
#[test]
fn a_hold_beside_it_is_in_force_or_forgotten() {
    model(|| {
        let row = Row::in_state(State::Open, 2);
        let jobs = [
            job(|row: &Row| row.fuse().command(State::Isolated, || NOW + 1)),
            job(|row: &Row| row.fuse().forget(|| NOW + 1)),
            job(|row: &Row| row.fuse().forget(|| NOW + 1)),
        ];
        let [hold, first, second] = race(&row, jobs);
        let hold = hold.expect("a manual override is always heard");
        let forgotten = [first, second].into_iter().flatten();
        let latest = forgotten
            .map(|forget| (forget.generation, State::Unseen))
            .chain([(hold.generation, State::Isolated)])
            .max_by_key(|t| t.0);
        assert_eq!(latest, Some((row.fuse().word().generation(), row.fuse().word().state())));
    });
}
