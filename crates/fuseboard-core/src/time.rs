//! Stamps: microseconds of the host's clock in 48 bits, and how to compare them safely (rule R14).
//!
//! The clock is an argument everywhere. Two processes read it at slightly different moments, a process may be stopped
//! between reading and using it, and a damaged file may hold anything. So no stamp is trusted to lie in the past. A
//! stamp in the future counts as now if it is within [`HORIZON_US`]. Beyond that, no sound process can have written it,
//! and it counts as long gone.

/// Bits of a stamp.
pub const STAMP_BITS: u32 = 48;
/// The largest stamp: 8.9 years of host uptime.
pub const STAMP_MAX: u64 = (1 << STAMP_BITS) - 1;
/// The longest time any setting may span: seven days. Also how far in the future a stamp may be and still be believed.
pub const HORIZON_US: u64 = 7 * 24 * 60 * 60 * 1_000_000;

/// How far ahead of the clock a stamp may be and survive a manual override or a reset. A sound process leaves no stamp
/// that is more than a moment ahead of a clock that is read after it.
pub const AHEAD_US: u64 = 60 * 1_000_000;

/// How far a stamp may lead the clock, because several transitions within one microsecond push it by one each (see
/// [`crate::word`]). Times that begin with a stamp are over this much early, so that time which has passed is always
/// enough.
pub const LEAD_US: u64 = 100;

/// `now`, or `floor` if it is later and believable. Keeps stamps from going back.
#[must_use]
pub const fn not_before(now_us: u64, floor_us: u64) -> u64 {
    let now = if now_us < STAMP_MAX { now_us } else { STAMP_MAX };
    if floor_us > now && floor_us - now <= HORIZON_US && floor_us <= STAMP_MAX { floor_us } else { now }
}

/// How long ago `stamp` was: 0 for a believable future, `u64::MAX` for an unbelievable one.
#[must_use]
pub const fn age(now_us: u64, stamp_us: u64) -> u64 {
    if stamp_us <= now_us {
        now_us - stamp_us
    } else if stamp_us - now_us <= HORIZON_US {
        0
    } else {
        u64::MAX
    }
}

/// Whether a stamp is so far ahead that an override or a reset takes it for damage. Decisions still believe it.
#[must_use]
pub const fn is_far_ahead(now_us: u64, stamp_us: u64) -> bool {
    stamp_us > now_us.saturating_add(AHEAD_US)
}

/// What is left until `deadline`, if it lies in the future and no farther than any setting allows.
#[must_use]
pub const fn remaining(now_us: u64, deadline_us: u64) -> Option<u64> {
    if deadline_us > now_us && deadline_us - now_us <= HORIZON_US { Some(deadline_us - now_us) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes of two builds that decide by the same table must agree on these.
    #[test]
    fn the_spans_are_seven_days_and_a_minute() {
        assert_eq!((604_800_000_000, 60_000_000), (HORIZON_US, AHEAD_US));
    }

    #[test]
    fn a_stamp_never_goes_back_within_the_horizon() {
        assert_eq!(7, not_before(7, 5));
        assert_eq!(9, not_before(7, 9));
        assert_eq!(7, not_before(7, 8 + HORIZON_US));
        assert_eq!(STAMP_MAX, not_before(u64::MAX, 0));
        assert_eq!(STAMP_MAX, not_before(STAMP_MAX, STAMP_MAX + 1));
    }

    #[test]
    fn a_future_stamp_is_now_or_unbelievable() {
        assert_eq!(2, age(7, 5));
        assert_eq!(0, age(7, 9));
        assert_eq!(0, age(7, 7 + HORIZON_US));
        assert_eq!(u64::MAX, age(7, 8 + HORIZON_US));
    }

    #[test]
    fn a_deadline_beyond_any_setting_is_expired() {
        assert_eq!(Some(1), remaining(7, 8));
        assert_eq!(None, remaining(7, 7));
        assert_eq!(Some(HORIZON_US), remaining(7, 7 + HORIZON_US));
        assert_eq!(None, remaining(7, 8 + HORIZON_US));
    }
}
