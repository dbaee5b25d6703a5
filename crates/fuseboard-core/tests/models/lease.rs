//! A probe's seat has one holder, is taken over once, and outcomes of those that lost it change nothing.

use crate::common::{NOW, POLICY, Row, SECOND, changes, job, model, race};
use fuseboard_core::admission::Admission;
use fuseboard_core::fuse::{Effect, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;

/// When a lease taken at [`NOW`] has expired.
const EXPIRED: u64 = NOW + POLICY.probe_us;
/// When a fuse that opened at [`EXPIRED`] or before lets a probe through.
const RESET: u64 = EXPIRED + POLICY.reset_us + SECOND;

/// Hints of owners.
const DEAD: u64 = 1;
const ALIVE: u64 = 2;

fn permits(admissions: &[Admission]) -> Vec<Permit> {
    admissions.iter().filter_map(|admission| admission.verdict.ok()).collect()
}

/// R06: of the calls that ask at once for the one seat, one gets it.
#[test]
fn one_seat_goes_to_one_call() {
    model(|| {
        let row = Row::in_state(State::HalfOpen, 2);
        let admissions = race(&row, [1, 2, 3].map(|i| job(move |row: &Row| row.fuse().admit(&POLICY, NOW + i))));
        assert_eq!(1, permits(&admissions).len(), "{admissions:?}");
    });
}

/// R06: two seats go to two of three calls, one each.
#[test]
fn two_seats_go_to_two_calls() {
    model(|| {
        let policy = Policy { probes: 2, ..POLICY };
        let row = Row::in_state(State::HalfOpen, 2);
        let admissions = race(&row, [1, 2, 3].map(|i| job(move |row: &Row| row.fuse().admit(&policy, NOW + i))));
        let mut seats: Vec<_> = permits(&admissions).iter().filter_map(|permit| permit.lease).map(|l| l.seat).collect();
        seats.sort_unstable();
        assert_eq!(vec![0, 1], seats);
    });
}

/// R11: of the calls that find an expired lease, one takes it over; what its old holder reports is late.
#[test]
fn an_expired_lease_is_taken_over_once() {
    model(|| {
        let row = Row::in_state(State::HalfOpen, 2);
        let old = row.permit(&POLICY, NOW);
        let admissions = race(&row, [0, 1, 2].map(|i| job(move |row: &Row| row.fuse().admit(&POLICY, EXPIRED + i))));
        assert_eq!(1, permits(&admissions).len(), "{admissions:?}");
        let late = [
            row.fuse().cancel(old),
            row.fuse().succeeded(&POLICY, old, EXPIRED + 3),
            row.fuse().failed(&POLICY, old, EXPIRED + 3),
        ];
        assert_eq!([Effect::Late; 3], late);
        assert_eq!(State::HalfOpen, row.fuse().word().state());
    });
}

/// R10, R11: an old holder that releases its permit while the lease is taken over frees no seat of the new holder's.
#[test]
fn releasing_a_lost_lease_frees_nobody_elses_seat() {
    model(|| {
        let row = Row::in_state(State::HalfOpen, 2);
        let old = row.permit(&POLICY, NOW);
        let jobs = [
            job(|row: &Row| row.fuse().admit(&POLICY, EXPIRED).verdict.ok()),
            job(|row: &Row| row.fuse().admit(&POLICY, EXPIRED + 1).verdict.ok()),
            job(move |row: &Row| {
                row.fuse().cancel(old);
                None
            }),
        ];
        let given = race(&row, jobs).into_iter().flatten().count();
        // None where both callers saw the old lease and it was released under their hands.
        assert!(given <= 1, "{given} permits for one seat");
        assert_eq!(1 - given, usize::from(row.fuse().admit(&POLICY, EXPIRED + 2).verdict.is_ok()));
    });
}

/// R11: the lease of an owner that is gone is freed once, and only that: whoever has the seat by then keeps it.
#[test]
fn reclaiming_a_dead_owners_lease_frees_nobody_elses_seat() {
    model(|| {
        let row = Row::in_state(State::HalfOpen, 2);
        let dead = row.permit(&POLICY, NOW);
        row.fuse().sign(dead.lease.expect("a probe's lease"), DEAD);
        let reclaim_and_admit = |now| {
            job(move |row: &Row| {
                row.fuse().reclaim(|hint| hint == DEAD);
                let permit = row.fuse().admit(&POLICY, now).verdict.ok()?;
                row.fuse().sign(permit.lease?, ALIVE);
                Some(permit)
            })
        };
        let given = race(&row, [reclaim_and_admit(NOW + 1), reclaim_and_admit(NOW + 2)]);
        let mut given = given.into_iter().flatten();
        let permit = given.next().expect("the seat is free for somebody");
        assert_eq!(None, given.next());
        assert!(!row.fuse().reclaim(|hint| hint == DEAD));
        assert_eq!(Effect::Late, row.fuse().cancel(dead));
        assert_eq!(1, changes(&[row.fuse().succeeded(&POLICY, permit, NOW + 3)]));
    });
}

/// R06: of the calls that ask when the reset timeout has passed, one moves the fuse to half-open and one gets a permit.
#[test]
fn one_call_begins_to_probe() {
    model(|| {
        let row = Row::in_state(State::Open, 2);
        let admissions = race(&row, [0, 1].map(|i| job(move |row: &Row| row.fuse().admit(&POLICY, RESET + i))));
        assert_eq!(1, admissions.iter().filter(|admission| admission.transition.is_some()).count());
        assert_eq!(1, permits(&admissions).len(), "{admissions:?}");
        assert_eq!(State::HalfOpen, row.fuse().word().state());
    });
}

/// R06, R07: while a probe succeeds, no other call gets its seat: it is rejected, or passes the closed fuse.
#[test]
fn a_call_beside_a_succeeding_probe_is_no_second_probe() {
    model(|| {
        let row = Row::in_state(State::HalfOpen, 2);
        let probe = row.permit(&POLICY, NOW);
        let jobs = [
            job(move |row: &Row| Ok(row.fuse().succeeded(&POLICY, probe, NOW + 1))),
            job(|row: &Row| Err(row.fuse().admit(&POLICY, NOW + 1))),
        ];
        let [Ok(effect), Err(admission)] = race(&row, jobs) else { panic!("a success and an admission") };
        assert_eq!(1, changes(&[effect]));
        assert_eq!(None, admission.verdict.ok().and_then(|permit| permit.lease));
        assert_eq!(State::Closed, row.fuse().word().state());
    });
}

/// R08: while a probe fails, no other call passes.
#[test]
fn a_call_beside_a_failing_probe_is_rejected() {
    model(|| {
        let row = Row::in_state(State::HalfOpen, 2);
        let probe = row.permit(&POLICY, NOW);
        let jobs = [
            job(move |row: &Row| Ok(row.fuse().failed(&POLICY, probe, NOW + 1))),
            job(|row: &Row| Err(row.fuse().admit(&POLICY, NOW + 1))),
        ];
        let [Ok(effect), Err(admission)] = race(&row, jobs) else { panic!("a failure and an admission") };
        assert_eq!(1, changes(&[effect]));
        assert_eq!(None, admission.verdict.ok());
        assert_eq!(State::Open, row.fuse().word().state());
    });
}

/// R07: two probes that succeed at once, where two are needed, close the fuse once.
#[test]
fn the_last_success_needed_closes_the_fuse_once() {
    model(|| {
        let policy = Policy { probes: 2, success_threshold: 2, ..POLICY };
        let row = Row::in_state(State::HalfOpen, 2);
        let probes = [row.permit(&policy, NOW), row.permit(&policy, NOW)];
        let effects =
            race(&row, probes.map(|probe| job(move |row: &Row| row.fuse().succeeded(&policy, probe, NOW + 1))));
        assert_eq!(1, changes(&effects), "{effects:?}");
        assert_eq!(1, effects.iter().filter(|effect| **effect == Effect::Counted).count(), "{effects:?}");
        assert_eq!(State::Closed, row.fuse().word().state());
    });
}

/// R07, R08: of a success and a failure of two probes at once, the first decides and the other is late.
#[test]
fn the_first_of_two_outcomes_decides() {
    model(|| {
        let policy = Policy { probes: 2, ..POLICY };
        let row = Row::in_state(State::HalfOpen, 2);
        let [good, bad] = [row.permit(&policy, NOW), row.permit(&policy, NOW)];
        let jobs = [
            job(move |row: &Row| row.fuse().succeeded(&policy, good, NOW + 1)),
            job(move |row: &Row| row.fuse().failed(&policy, bad, NOW + 1)),
        ];
        let effects = race(&row, jobs);
        let state = match effects {
            [Effect::Changed(_), Effect::Late] => State::Closed,
            [Effect::Late, Effect::Changed(_)] => State::Open,
            _ => panic!("{effects:?}"),
        };
        assert_eq!(state, row.fuse().word().state());
    });
}

/// R06, R09: a call that was stopped in an older half-open state does not take the seat of a probe of a newer one.
#[test]
fn a_call_stopped_in_an_older_generation_takes_no_newer_seat() {
    model(|| {
        let row = Row::in_state(State::HalfOpen, 2);
        let first = row.permit(&POLICY, NOW);
        let jobs = [
            job(|row: &Row| _ = row.fuse().admit(&POLICY, NOW + 1)),
            job(move |row: &Row| {
                assert_eq!(1, changes(&[row.fuse().failed(&POLICY, first, NOW + 1)]));
                if let Ok(second) = row.fuse().admit(&POLICY, RESET).verdict {
                    row.fuse().record_failure(SECOND, RESET);
                    assert_eq!(None, row.fuse().admit(&POLICY, RESET + 1).verdict.ok(), "a second permit");
                    assert_eq!(1, changes(&[row.fuse().succeeded(&POLICY, second, RESET + 2)]), "a lost lease");
                }
            }),
        ];
        race(&row, jobs);
    });
}

/// R07, R09: a success that was stopped while it was counted in an older half-open state takes nothing from the count
/// of a newer one.
#[test]
fn a_success_stopped_in_an_older_generation_takes_no_newer_count() {
    model(|| {
        let policy = Policy { probes: 2, success_threshold: 2, ..POLICY };
        let row = Row::in_state(State::HalfOpen, 2);
        let [good, bad] = [row.permit(&policy, NOW), row.permit(&policy, NOW)];
        let probe = move |row: &Row| {
            let probe = row.permit(&policy, RESET);
            row.fuse().succeeded(&policy, probe, RESET)
        };
        let jobs = [
            job(move |row: &Row| _ = row.fuse().succeeded(&policy, good, NOW + 1)),
            job(move |row: &Row| {
                assert_eq!(1, changes(&[row.fuse().failed(&policy, bad, NOW + 1)]));
                assert_eq!([0, 1], [probe(row), probe(row)].map(|effect| changes(&[effect])));
            }),
        ];
        race(&row, jobs);
        assert_eq!(State::Closed, row.fuse().word().state());
    });
}

/// R06: a call is refused only while a permit is out, not because an older generation's is released just then.
#[test]
fn a_seat_that_is_free_is_not_refused() {
    model(|| {
        let row = Row::in_state(State::HalfOpen, 2);
        let old = row.permit(&POLICY, NOW);
        row.fuse().set(State::HalfOpen, NOW + 1);
        let admissions = race(
            &row,
            [
                job(move |row: &Row| {
                    row.fuse().cancel(old);
                    None
                }),
                job(|row: &Row| Some(row.fuse().admit(&POLICY, NOW + 2))),
            ],
        );
        let admission = admissions.into_iter().flatten().next().expect("one call asks");
        assert!(admission.verdict.is_ok(), "{admission:?}");
    });
}
