use super::*;
use crate::sync::AtomicU64;
use crate::time::{AHEAD_US, HORIZON_US};
use crate::transition::Cause;

const SECOND: u64 = 1_000_000;

fn policy(reset_us: u64, multiplier_permille: u32, longest_us: u64) -> Policy {
    Policy { reset_us, multiplier_permille, longest_us, ..Policy::DEFAULT }
}

fn policies() -> impl Iterator<Item = Policy> {
    let spans = [(SECOND, 300 * SECOND), (1_000, HORIZON_US), (30 * SECOND, 30 * SECOND)];
    let multipliers = [1_000, 1_001, 1_100, 1_500, 2_000, 10_000, 100_000, 1_000_000];
    multipliers.into_iter().flat_map(move |by| spans.map(|(reset_us, longest_us)| policy(reset_us, by, longest_us)))
}

#[test]
fn open_times_are_those_of_plain_multiplication() {
    for policy in policies() {
        let mut plain = policy.reset_us as f64;
        for failed_probes in 0..20_000 {
            let (open_us, expected) = (policy.open_us(failed_probes) as f64, plain.min(policy.cap_us() as f64));
            assert!(
                (open_us - expected).abs() <= 0.51 + expected * 1e-9,
                "{open_us}, {expected}: {policy:?}, {failed_probes}"
            );
            plain *= f64::from(policy.multiplier_permille) / 1e3;
        }
    }
    let tenths = policy(30 * SECOND, 1_100, 300 * SECOND);
    assert_eq!(
        [30_000_000, 33_000_000, 36_300_000, 39_930_000],
        [0, 1, 2, 3].map(|failed_probes| tenths.open_us(failed_probes))
    );
}

/// To the microsecond, also where the time is long enough for the last of a power's bits to show.
#[test]
fn a_long_time_grows_without_losing_a_microsecond() {
    let hours = policy(3_600 * SECOND, 1_100, HORIZON_US);
    assert_eq!(
        [3_960_000_000, 4_356_000_000, 4_791_600_000],
        [1, 2, 3].map(|failed_probes| hours.open_us(failed_probes))
    );
}

/// A multiplier that is hardly one reaches the longest time all the same, and a count of failed probes beyond any is no
/// trouble.
#[test]
fn growth_ends_at_the_longest_time_only() {
    for policy in policies().filter(|policy| policy.multiplier_permille > 1_000) {
        assert_eq!(
            [policy.cap_us(); 2],
            [FAILED_PROBES_MAX, u64::MAX].map(|failed_probes| policy.open_us(failed_probes)),
            "{policy:?}"
        );
    }
    assert_eq!(SECOND, policy(SECOND, 1_000, HORIZON_US).open_us(u64::MAX));
}

/// Each open time spent closed removes one failed probe, from the longest down.
#[test]
fn a_count_falls_by_one_for_each_full_open_time() {
    for policy in policies() {
        for failed_probes in [0, 1, 2, 10, 100] {
            let mut paid_us = 0;
            for left in (0..failed_probes).rev() {
                paid_us += policy.open_us(left + 1);
                let both = [paid_us - 1, paid_us].map(|closed_us| policy.decayed(failed_probes, closed_us));
                assert_eq!([left + 1, left], both, "{policy:?}, {failed_probes}");
            }
            assert_eq!(0, policy.decayed(failed_probes, u64::MAX));
        }
    }
}

#[test]
fn the_longest_open_times_are_taken_back_first() {
    let policy = policy(10 * SECOND, 2_000, 60 * SECOND);
    for (closed, left) in [(0, 6), (59, 6), (60, 5), (239, 3), (240, 2), (279, 2), (280, 1), (299, 1), (300, 0)] {
        assert_eq!(left, policy.decayed(6, closed * SECOND), "{closed} s");
    }
    assert_eq!(FAILED_PROBES_MAX - 1, policy.decayed(u64::MAX, 60 * SECOND));
}

fn opened(at_us: u64) -> Transition {
    Transition { from: State::Closed, to: State::Open, generation: at_us, cause: Cause::Threshold }
}

/// A process that was stopped before it wrote its count finds the count of a later transition.
#[test]
fn a_late_count_takes_no_later_ones_place() {
    let cell = Cell::new();
    let [early, late] = [1_000, 2_000].map(opened);
    let left = |made, count| {
        cell.write_failed_probes(cell.failed_probes.load(Ordering::Acquire), made, count);
        cell.failed_probes()
    };
    assert_eq!([3, 3, 3], [left(late, 3), left(early, 2), left(late, 4)]);
}

/// A later transition that did not change the count has written nothing, so the late failed probe counts.
#[test]
fn a_late_count_counts_where_a_later_one_changed_nothing() {
    let cell = Cell::new();
    let [early, late] = [1_000, 2_000].map(opened);
    let before = cell.failed_probes.load(Ordering::Acquire);
    cell.write_failed_probes(before, late, 0);
    cell.write_failed_probes(before, early, 1);
    assert_eq!(1, cell.failed_probes());
}

/// What is written is the generation of the change, or a later one, whose count stays. A generation far ahead is
/// damage.
#[test]
fn a_count_is_forgotten_unless_it_is_of_a_later_generation() {
    const NOW: u64 = 1_000_000_000;
    let word = |generation: u64, count: u64| generation << 16 | count;
    let left = |seen: u64| {
        let cell = Cell { failed_probes: AtomicU64::new(seen), ..Cell::new() };
        cell.forget_failed_probes(NOW);
        cell.failed_probes.load(Ordering::Relaxed)
    };
    for forgotten in [0, word(NOW - 1, 7), word(NOW, 7), word(NOW + AHEAD_US + 1, 7)] {
        assert_eq!(word(NOW, 0), left(forgotten), "{forgotten:x}");
    }
    for later in [word(NOW + 1, 7), word(NOW + AHEAD_US, 7)] {
        assert_eq!(later, left(later));
    }
}
