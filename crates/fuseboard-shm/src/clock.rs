//! Time for decisions: microseconds on a clock that all processes of one boot share (rule R14).
//!
//! On Linux this is `CLOCK_BOOTTIME`, which runs through suspend; on macOS `CLOCK_MONOTONIC`, which does there. The wall
//! clock is never asked.

use std::sync::Arc;

use fuseboard_core::sync::{AtomicU64, Ordering};
use rustix::time::{ClockId, clock_gettime};

#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Where a table's stamps come from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The host's clock.
    #[default]
    System,
    /// A clock that stands still until a test moves it. Lives in one process.
    Manual(Arc<ManualClock>),
}

impl Clock {
    /// Microseconds now.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        match self {
            Self::System => {
                let now = clock_gettime(CLOCK);
                now.tv_sec.cast_unsigned() * 1_000_000 + now.tv_nsec.cast_unsigned() / 1_000
            }
            Self::Manual(clock) => clock.now_us(),
        }
    }
}

/// A clock that a test moves.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `now_us`.
    #[must_use]
    pub fn new(now_us: u64) -> Self {
        Self(AtomicU64::new(now_us))
    }

    /// Microseconds it shows.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Moves it forward.
    pub fn advance(&self, by_us: u64) {
        self.0.fetch_add(by_us, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// R14: the host's clock shows the whole microseconds of the time since its boot.
    #[test]
    fn the_hosts_clock_counts_microseconds() {
        let since_boot = || Duration::try_from(clock_gettime(CLOCK)).expect("after the boot").as_micros();
        let (before, now_us, after) = (since_boot(), u128::from(Clock::System.now_us()), since_boot());
        assert!((before..=after).contains(&now_us), "{before} <= {now_us} <= {after}");
    }
}
