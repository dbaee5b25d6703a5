//! One winner for each transition, no lost trip, generations that only grow, a manual override that stands.

use crate::common::{NOW, POLICY, Row, SECOND, changes, job, model, race};
use fuseboard_core::fuse::Effect;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::transition::Transition;

const LAST_STRAW: Policy = Policy { threshold: 1, ..POLICY };

/// R03: when n processes fail at once and n failures open the fuse, one of them opens it: never two, never none.
#[test]
fn the_last_of_n_failers_opens_the_fuse_once() {
    model(|| {
        let policy = Policy { threshold: 3, ..POLICY };
        let row = Row::in_state(State::Closed, 4);
        let permit = row.permit(&policy, NOW);
        let effects = race(&row, [1, 2, 3].map(|i| job(move |row: &Row| row.fuse().failed(&policy, permit, NOW + i))));
        assert_eq!(1, changes(&effects), "{effects:?}");
        assert_eq!(2, effects.iter().filter(|effect| **effect == Effect::Counted).count(), "{effects:?}");
        assert_eq!(State::Open, row.fuse().word().state());
        assert_eq!(0, row.run());
    });
}

/// R03, R09: of two failures that could each be the last straw, one opens the fuse; the other neither opens it a second
/// time nor counts in the new generation.
#[test]
fn the_failure_behind_the_last_straw_is_late() {
    model(|| {
        let row = Row::in_state(State::Closed, 2);
        let permit = row.permit(&POLICY, NOW);
        row.fuse().failed(&POLICY, permit, NOW);
        let effects = race(&row, [1, 2].map(|i| job(move |row: &Row| row.fuse().failed(&POLICY, permit, NOW + i))));
        assert_eq!(1, changes(&effects), "{effects:?}");
        assert!(effects.contains(&Effect::Late), "{effects:?}");
        assert_eq!((State::Open, 0), (row.fuse().word().state(), row.run()));
    });
}

/// R09: a failure whose call was admitted before a reset is not in the window after it.
#[test]
fn a_failure_of_an_older_generation_stays_out_of_the_new_window() {
    model(|| {
        let row = Row::in_state(State::Closed, 2);
        let permit = row.permit(&POLICY, NOW);
        row.fuse().failed(&POLICY, permit, NOW);
        let jobs = [
            job(move |row: &Row| Ok(row.fuse().failed(&LAST_STRAW, permit, NOW + 1))),
            job(|row: &Row| Err(row.fuse().command(State::Closed, || NOW + 1))),
        ];
        let [Ok(effect), Err(Some(reset))] = race(&row, jobs) else { panic!("a failure and a reset") };
        let tripped = matches!(effect, Effect::Changed(_));
        assert!(tripped || effect == Effect::Late, "{effect:?}");
        let from = if tripped { State::Open } else { State::Closed };
        assert_eq!((from, State::Closed), (reset.from, reset.to));
        assert_eq!((State::Closed, reset.generation), (row.fuse().word().state(), row.fuse().word().generation()));
        assert_eq!(0, row.run());
    });
}

/// R09: a success whose call was admitted before the fuse opened does not close it.
#[test]
fn a_success_of_an_older_generation_closes_nothing() {
    model(|| {
        let row = Row::in_state(State::HalfOpen, 2);
        let permit = row.permit(&POLICY, NOW);
        let jobs = [
            job(move |row: &Row| Ok(row.fuse().succeeded(&POLICY, permit, NOW + 1))),
            job(|row: &Row| Err(row.fuse().set(State::Open, NOW + 1))),
        ];
        let [Ok(effect), Err(Some(opened))] = race(&row, jobs) else { panic!("a success and an opening") };
        let closed = matches!(effect, Effect::Changed(_));
        assert!(closed || effect == Effect::Late, "{effect:?}");
        assert_eq!(if closed { State::Closed } else { State::HalfOpen }, opened.from);
        assert_eq!((State::Open, opened.generation), (row.fuse().word().state(), row.fuse().word().generation()));
    });
}

/// R09: each transition begins a later generation than all before it, whatever the clocks of those that make them.
#[test]
fn generations_strictly_grow() {
    model(|| {
        let row = Row::in_state(State::Closed, 2);
        let permit = row.permit(&LAST_STRAW, NOW);
        let jobs = [
            job(move |row: &Row| match row.fuse().failed(&LAST_STRAW, permit, NOW + SECOND) {
                Effect::Changed(tripped) => Some(tripped),
                _ => None,
            }),
            job(|row: &Row| row.fuse().set(State::HalfOpen, NOW)),
            job(|row: &Row| row.fuse().set(State::Closed, NOW - SECOND)),
        ];
        let mut made: Vec<Transition> = race(&row, jobs).into_iter().flatten().collect();
        made.sort_by_key(|transition| transition.generation);
        let mut before = (State::Closed, permit.generation);
        for transition in made {
            assert_eq!(before.0, transition.from);
            assert!(before.1 < transition.generation, "{before:?} then {transition:?}");
            before = (transition.to, transition.generation);
        }
        assert_eq!(before, (row.fuse().word().state(), row.fuse().word().generation()));
    });
}

/// R12: isolating stands against a failure that trips and against a raw closing at the same time.
#[test]
fn isolating_stands_against_a_trip_and_a_raw_close() {
    model(|| {
        let row = Row::in_state(State::Closed, 2);
        let permit = row.permit(&LAST_STRAW, NOW);
        race(
            &row,
            [
                job(move |row: &Row| _ = row.fuse().failed(&LAST_STRAW, permit, NOW + 2)),
                job(|row: &Row| _ = row.fuse().set(State::Closed, NOW + 1)),
                job(|row: &Row| _ = row.fuse().command(State::Isolated, || NOW)),
            ],
        );
        assert_eq!(State::Isolated, row.fuse().word().state());
        assert_eq!(None, row.fuse().admit(&POLICY, NOW + 60 * SECOND).verdict.ok());
    });
}

/// R12: isolating stands against a probe that closes the fuse and a call that asks for one at the same time.
#[test]
fn isolating_stands_against_a_close() {
    model(|| {
        let row = Row::in_state(State::HalfOpen, 2);
        let permit = row.permit(&POLICY, NOW);
        race(
            &row,
            [
                job(move |row: &Row| _ = row.fuse().succeeded(&POLICY, permit, NOW + 2)),
                job(|row: &Row| _ = row.fuse().admit(&POLICY, NOW + 1)),
                job(|row: &Row| _ = row.fuse().command(State::Isolated, || NOW)),
            ],
        );
        assert_eq!(State::Isolated, row.fuse().word().state());
        assert_eq!(None, row.fuse().set(State::Closed, NOW + 3));
    });
}
