//! No failure is lost, none counts twice, and stamps never go back, also where the ring is lapped.

use crate::common::{NOW, POLICY, Row, SECOND, job, model, race};
use fuseboard_core::fuse::Effect;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;

const WINDOW: u64 = 10 * SECOND;

/// T05: n failures at once are told the counts 1 to n, each of them once.
#[test]
fn each_failure_gets_a_count_of_its_own() {
    model(|| {
        let row = Row::in_state(State::Closed, 4);
        let mut counts =
            race(&row, [1, 2, 3].map(|i| job(move |row: &Row| row.fuse().record_failure(WINDOW, NOW + i))));
        counts.sort_unstable();
        assert_eq!([1, 2, 3], counts);
        assert_eq!((3, 3), (row.fuse().read().failures, row.run()));
    });
}

/// T05: the same where the ring holds fewer failures than there are; counts stop at its length, the run does not.
#[test]
fn no_failure_is_lost_where_the_ring_is_lapped() {
    model(|| {
        let row = Row::in_state(State::Closed, 2);
        row.fuse().record_failure(WINDOW, NOW);
        let counts = race(&row, [1, 2].map(|i| job(move |row: &Row| row.fuse().record_failure(WINDOW, NOW + i))));
        assert_eq!([2, 2], counts);
        assert_eq!(3, row.run());
    });
}

/// T05: a writer that is stopped for a whole lap of the ring damages nothing that counts.
#[test]
fn a_writer_stopped_for_a_lap_damages_nothing() {
    model(|| {
        let row = Row::in_state(State::Closed, 2);
        row.fuse().record_failure(WINDOW, NOW);
        race(
            &row,
            [
                job(|row: &Row| _ = row.fuse().record_failure(WINDOW, NOW + 1)),
                job(|row: &Row| (2..5).for_each(|i| _ = row.fuse().record_failure(WINDOW, NOW + i))),
            ],
        );
        assert_eq!(5, row.run());
    });
}

/// R14: no failure gets a stamp before one that was counted when it began, although the clocks are apart.
#[test]
fn no_stamp_is_before_an_earlier_failure() {
    model(|| {
        let row = Row::in_state(State::Closed, 4);
        row.fuse().record_failure(WINDOW, NOW + 40);
        let clocks = [NOW + 30, NOW + 10];
        race(&row, clocks.map(|now| job(move |row: &Row| row.fuse().record_failure(WINDOW, now))));
        let entries = row.entries();
        assert_eq!(3, entries.len());
        assert!(entries.iter().all(|(_, stamp)| (NOW + 40..=NOW + 43).contains(stamp)), "{entries:?}");
    });
}

/// T02: a reader sees the failures and the last stamp that belong to the word it read, also where the ring is lapped.
#[test]
fn a_reader_sees_what_was_counted_together() {
    model(|| {
        let row = Row::in_state(State::Closed, 2);
        let look = |row: &Row| {
            let cell = row.fuse().read();
            let counted = Row::head_of(cell.word);
            assert_eq!(
                (counted.min(2) as u32, (counted > 0).then_some(NOW + counted)),
                (cell.failures, cell.last_failure_us)
            );
            counted
        };
        let jobs = [
            job(|row: &Row| (1..=3).for_each(|i| _ = row.fuse().record_failure(WINDOW, NOW + i))),
            job(move |row: &Row| assert!(look(row) <= look(row))),
        ];
        race(&row, jobs);
        assert_eq!(3, look(&row));
    });
}

/// R04, T06: a failure beside a raw success is before it and gone, or behind it and the first of a new window.
#[test]
fn a_clearing_success_is_before_or_behind_a_failure() {
    model(|| {
        let row = Row::in_state(State::Closed, 4);
        (0..2).for_each(|_| _ = row.fuse().record_failure(WINDOW, NOW));
        let jobs = [
            job(|row: &Row| row.fuse().record_failure(WINDOW, NOW + 1)),
            job(|row: &Row| {
                row.fuse().record_success(NOW + 1);
                0
            }),
        ];
        let [count, _] = race(&row, jobs);
        assert!([(3, 0), (1, 1)].contains(&(count, row.run())), "count {count}, run {}", row.run());
    });
}

/// R03, R04: the last straw beside a breaker's success trips or is the first of a new window; with two failures beside
/// it, at most one trips, and what is left is what came behind the success.
#[test]
fn a_success_is_before_or_behind_the_last_straw() {
    model(|| {
        let row = Row::in_state(State::Closed, 2);
        let permit = row.permit(&POLICY, NOW);
        row.fuse().failed(&POLICY, permit, NOW);
        let failed = |row: &Row, permit| row.fuse().failed(&POLICY, permit, NOW + 1);
        let jobs = [
            job(move |row: &Row| failed(row, permit)),
            job(move |row: &Row| row.fuse().succeeded(&POLICY, permit, NOW + 1)),
        ];
        let [failure, success] = race(&row, jobs);
        match failure {
            // The success came first, or it came too late.
            Effect::Changed(_) => {
                assert_eq!((State::Open, 0, Effect::Late), (row.fuse().word().state(), row.run(), success))
            }
            _ => assert_eq!((State::Closed, 1, Effect::Counted), (row.fuse().word().state(), row.run(), success)),
        }
    });
}

/// T05: a failure that is being recorded while the window is cleared and filled again for a lap stays out of its way,
/// even where the clock stands still and all stamps are equal.
#[test]
fn a_writer_stopped_while_the_window_is_cleared_damages_nothing() {
    model(|| {
        let row = Row::in_state(State::Closed, 2);
        let clear_and_fail = |row: &Row| {
            row.fuse().record_success(NOW);
            row.fuse().record_failure(WINDOW, NOW)
        };
        (0..2).for_each(|_| _ = clear_and_fail(&row));
        let jobs = [job(|row: &Row| row.fuse().record_failure(WINDOW, NOW)), job(clear_and_fail)];
        let [count, other] = race(&row, jobs);
        // The failure is before the success, between it and the other failure, or behind both.
        let allowed = [(2, 1, 1), (1, 2, 2), (2, 1, 2)];
        assert!(allowed.contains(&(count, other, row.run())), "counts {count} and {other}, run {}", row.run());
    });
}

/// R15: two breakers with other thresholds on one fuse: the lower one trips it, once.
#[test]
fn each_breaker_decides_by_its_own_threshold() {
    model(|| {
        let lax = Policy { threshold: 4, ..POLICY };
        let row = Row::in_state(State::Closed, 4);
        let permit = row.permit(&POLICY, NOW);
        let jobs = [lax, POLICY].map(|policy| job(move |row: &Row| row.fuse().failed(&policy, permit, NOW)));
        let [lax, strict] = race(&row, jobs);
        let expected = if strict == Effect::Counted { (State::Closed, 2) } else { (State::Open, 0) };
        assert_eq!(Effect::Counted, lax);
        assert_eq!(expected, (row.fuse().word().state(), row.run()));
    });
}
