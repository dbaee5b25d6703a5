//! How open times grow with a count of failed probes of failed probes, and how a healthy time takes it back.
//!
//! A power of the multiplier is computed by squaring, so it costs the same whatever the count of failed probes; in integers, for all processes
//! must agree to the microsecond. Numbers are fixed-point with [`BITS`] bits behind the point. Powers saturate at [`MOST`]:
//! more than the longest time is of the shortest, and few enough bits that no product runs over.

use crate::policy::Policy;

/// What the count of failed probes's bits can count.
pub(crate) const FAILED_PROBES_MAX: u64 = u16::MAX as u64;
const BITS: u32 = 33;
const ONE: u128 = 1 << BITS;
/// Seven days are 604,800,000 times a millisecond, which are the longest and the shortest time that settings allow.
const MOST: u128 = ONE << 30;

/// `base` to the power of `exponent`, or [`MOST`] if that is more.
const fn power(base: u128, mut exponent: u64) -> u128 {
    let (mut square, mut product) = (base, ONE);
    while exponent > 0 {
        if exponent & 1 == 1 {
            product = times(product, square);
        }
        square = times(square, square);
        exponent >>= 1;
    }
    product
}

const fn times(a: u128, b: u128) -> u128 {
    let product = (a * b + ONE / 2) >> BITS;
    if product < MOST { product } else { MOST }
}

const fn rounded(fixed: u128) -> u128 {
    (fixed + ONE / 2) >> BITS
}

impl Policy {
    const fn base(&self) -> u128 {
        ((self.multiplier_permille as u128) * ONE + 500) / 1_000
    }

    /// The longest open time without jitter.
    const fn cap_us(&self) -> u64 {
        if self.longest_us > self.reset_us { self.longest_us } else { self.reset_us }
    }

    /// How long a fuse stays open after so many failed probes in a row, without jitter.
    #[must_use]
    pub fn open_us(&self, failed_probes: u64) -> u64 {
        let time = rounded(u128::from(self.reset_us) * power(self.base(), failed_probes));
        u64::try_from(time).unwrap_or(u64::MAX).min(self.cap_us())
    }

    /// A count of failed probes, less one for each open time that the fuse was closed, from the longest down.
    pub(crate) fn decayed(&self, failed_probes: u64, closed_us: u64) -> u64 {
        let failed_probes = failed_probes.min(FAILED_PROBES_MAX);
        // After so many failed probes the open times still grow; after more they are the longest.
        let grown = least(1, failed_probes + 1, |failed_probes| self.open_us(failed_probes) >= self.cap_us()) - 1;
        let paid_us = |left: u64| {
            let longest = u128::from(failed_probes - left.clamp(grown, failed_probes));
            longest * u128::from(self.cap_us()) + self.growing_us(left.min(grown), grown)
        };
        least(0, failed_probes, |left| paid_us(left) <= u128::from(closed_us))
    }

    /// The open times after each of `from + 1` to `to` failed probes, in all: a geometric series.
    fn growing_us(&self, from: u64, to: u64) -> u128 {
        let (reset_us, multiplier) = (u128::from(self.reset_us), u128::from(self.multiplier_permille));
        if multiplier <= 1_000 {
            return u128::from(to - from) * reset_us;
        }
        let grown = power(self.base(), to) - power(self.base(), from);
        rounded(reset_us * grown * multiplier / (multiplier - 1_000))
    }
}

/// The least number from `from` to `to` of which it is true, as it is of all greater ones; `to` if it is true of none.
fn least(mut from: u64, mut to: u64, is_true: impl Fn(u64) -> bool) -> u64 {
    while from < to {
        let middle = from.midpoint(to);
        if is_true(middle) { to = middle } else { from = middle + 1 }
    }
    to
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;
    use crate::time::HORIZON_US;

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
                    (open_us - expected).abs() <= 0.51 + expected * 1e-5,
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

    /// A multiplier that is hardly one reaches the longest time all the same, and a count of failed probes beyond any is no trouble.
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

    /// Step by step and by closed forms, but for the rounding of the one and the other.
    #[test]
    fn a_count_of_failed_probes_is_taken_back_one_open_time_after_the_other() {
        for policy in policies().filter(|policy| policy.reset_us >= SECOND) {
            for failed_probes in [0, 1, 2, 10, 100, 5_000] {
                let (mut paid_us, mut left) = (0, failed_probes);
                while left > 0 {
                    paid_us += policy.open_us(left);
                    let near = paid_us / 100_000 + failed_probes;
                    let told =
                        [paid_us - near, paid_us + near].map(|closed_us| policy.decayed(failed_probes, closed_us));
                    assert!(told[0] >= left - 1 && told[1] < left, "{told:?}: {policy:?}, {left} of {failed_probes}");
                    assert!(told[0] >= left || policy.open_us(left) < 2 * near, "{told:?}: {policy:?}, {left}");
                    left -= 1;
                }
                assert_eq!(0, policy.decayed(failed_probes, u64::MAX));
            }
        }
    }

    /// By closed forms: whole seconds are exact.
    #[test]
    fn times_without_a_fraction_are_taken_back_exactly() {
        let policy = policy(10 * SECOND, 2_000, 60 * SECOND);
        for (closed, left) in [(0, 6), (59, 6), (60, 5), (239, 3), (240, 2), (279, 2), (280, 1), (299, 1), (300, 0)] {
            assert_eq!(left, policy.decayed(6, closed * SECOND), "{closed} s");
        }
        assert_eq!(FAILED_PROBES_MAX - 1, policy.decayed(u64::MAX, 60 * SECOND));
    }
}
