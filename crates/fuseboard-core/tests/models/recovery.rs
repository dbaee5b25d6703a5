//! The way back: a ramp counts each call and ends once, and a fuse is half-open for too long only once.

use crate::common::{NOW, POLICY, Row, SECOND, job, model, race};
use fuseboard_core::admission::Admission;
use fuseboard_core::fuse::{Effect, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;

/// A ramp of ten seconds from a half, and twenty seconds half-open.
const RETURNING: Policy = Policy {
    threshold: 1,
    ramp_us: 10 * SECOND,
    ramp_from_ppm: 500_000,
    half_open_us: 20 * SECOND,
    longest_us: 30 * SECOND,
    ..POLICY
};

fn two_ask(state: State, now_us: u64) -> ([Admission; 2], State) {
    let row = Row::in_state(state, 2);
    let ask = || job(move |row: &Row| row.fuse().admit(&RETURNING, now_us));
    let admissions = race(&row, [ask(), ask()]);
    (admissions, row.fuse().word().state())
}

fn passed(admissions: [Admission; 2]) -> usize {
    admissions.iter().filter(|admission| admission.verdict.is_ok()).count()
}

fn transitions(admissions: [Admission; 2]) -> usize {
    admissions.iter().filter(|admission| admission.transition.is_some()).count()
}

/// Of two calls that ask at once at the beginning of a ramp from a half one passes: each has a number of its own.
#[test]
fn two_calls_of_a_ramp_have_two_numbers() {
    model(|| {
        let (admissions, state) = two_ask(State::Ramping, NOW);
        assert_eq!((1, 0, State::Ramping), (passed(admissions), transitions(admissions), state), "{admissions:?}");
    });
}

/// Of two calls that come behind a ramp one ends it, and both pass.
#[test]
fn a_ramp_ends_once() {
    model(|| {
        let (admissions, state) = two_ask(State::Ramping, NOW + RETURNING.ramp_us);
        assert_eq!((2, 1, State::Closed), (passed(admissions), transitions(admissions), state), "{admissions:?}");
    });
}

/// A call makes one transition at most. One that made the fuse half-open, and then meets the ramp that another's probe began,
/// passes where its own policy has no ramp, and leaves the ramp's end to others.
#[test]
fn a_call_passes_a_ramp_that_began_behind_its_own_transition() {
    model(|| {
        let row = Row::in_state(State::Open, 2);
        let due = NOW + POLICY.reset_us;
        let probe = move |row: &Row| {
            let admission = row.fuse().admit(&RETURNING, due);
            admission.verdict.iter().for_each(|permit| _ = row.fuse().succeeded(&RETURNING, *permit, due));
            admission
        };
        let [asked, probed] = race(&row, [job(move |row: &Row| row.fuse().admit(&POLICY, due)), job(probe)]);
        let word = row.fuse().word();
        if let Ok(permit) = asked.verdict {
            assert_eq!(word.generation(), permit.generation, "{asked:?}, {probed:?}");
        }
        let is_probing = word.state() == State::HalfOpen;
        assert_eq!(probed.verdict.is_err(), is_probing, "{asked:?}, {probed:?}");
        let made = asked.transition.map(|made| made.to);
        let expected =
            if probed.transition.is_some() { [None, Some(State::Closed)] } else { [Some(State::HalfOpen); 2] };
        assert!(expected.contains(&made), "{asked:?}, {probed:?}");
    });
}

/// Of two calls that come to a fuse that was half-open for too long one opens it, and none passes.
#[test]
fn a_fuse_that_was_half_open_for_too_long_opens_once() {
    model(|| {
        let (admissions, state) = two_ask(State::HalfOpen, NOW + RETURNING.half_open_us);
        assert_eq!((0, 1, State::Open), (passed(admissions), transitions(admissions), state), "{admissions:?}");
    });
}

/// R09: the last straw of a ramp, beside its end, trips before it or is late; the other call passes behind the end alone.
#[test]
fn a_last_straw_beside_the_end_of_a_ramp_is_before_it_or_late() {
    model(|| {
        let row = Row::in_state(State::Ramping, 2);
        let permit = Permit { generation: row.fuse().word().generation(), lease: None };
        let later = NOW + RETURNING.ramp_us;
        let jobs = [
            job(move |row: &Row| Ok(row.fuse().failed(&RETURNING, permit, later))),
            job(move |row: &Row| Err(row.fuse().admit(&RETURNING, later))),
        ];
        let [Ok(effect), Err(admission)] = race(&row, jobs) else { panic!("a failure and a call") };
        let state = row.fuse().word().state();
        match effect {
            Effect::Changed(_) => assert_eq!((State::Open, None), (state, admission.transition), "{admission:?}"),
            Effect::Late => assert!(state == State::Closed && admission.verdict.is_ok(), "{state:?}, {admission:?}"),
            Effect::Counted => panic!("counted, yet no trip"),
        }
    });
}
