//! Time for decisions: microseconds on a clock that all processes of one boot share (rule R14).
//!
//! On Linux this is `CLOCK_BOOTTIME`, which runs through suspend; on macOS `CLOCK_MONOTONIC`, which does there. Where
//! processes share no tables, each has a clock of its own. The wall clock is never asked.

use std::sync::Arc;

use fuseboard_core::sync::{AtomicU64, Ordering};

use crate::system::now_us as host_us;

/// Where a table's stamps come from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The host's clock.
    #[default]
    System,
    /// A clock that a test stops and moves. Lives in one process.
    Manual(Arc<ManualClock>),
}

impl Clock {
    /// Microseconds now.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        match self {
            Self::System => host_us(),
            Self::Manual(clock) => clock.now_us(),
        }
    }
}

/// A clock that a test moves. It stands still, or runs with the host's clock and ahead of it by as much as it was
/// moved.
///
/// By itself it never goes back, because stamps that it wrote stand in tables, and time that is behind them has not
/// passed.
#[derive(Debug)]
pub struct ManualClock {
    /// Microseconds it shows while it stands; [`RUNS`] while it runs.
    stands_us: AtomicU64,
    /// Microseconds that it is ahead of the host's clock while it runs.
    ahead_us: AtomicU64,
}

const RUNS: u64 = u64::MAX;
const SECOND_US: u64 = 1_000_000;

impl ManualClock {
    /// A clock that stands at `now_us`.
    #[must_use]
    pub fn new(now_us: u64) -> Self {
        Self { stands_us: AtomicU64::new(now_us), ahead_us: AtomicU64::new(0) }
    }

    /// A clock that runs with the host's.
    #[must_use]
    pub fn running() -> Self {
        Self::new(RUNS)
    }

    /// Microseconds it shows.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        match self.stands_us.load(Ordering::Acquire) {
            RUNS => host_us().saturating_add(self.ahead_us.load(Ordering::Relaxed)),
            stands_us => stands_us,
        }
    }

    /// Moves it forward.
    pub fn advance(&self, by_us: u64) {
        loop {
            let stands_us = self.stands_us.load(Ordering::Acquire);
            if stands_us == RUNS {
                self.ahead_us.fetch_add(by_us, Ordering::Relaxed);
                return;
            }
            let moved_us = stands_us.saturating_add(by_us).min(RUNS - 1);
            if self.stands_us.compare_exchange(stands_us, moved_us, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return;
            }
        }
    }

    /// Lets it stand at `now_us`. At an earlier time only for who puts the table back to what it was then, too.
    pub fn set(&self, now_us: u64) {
        self.stands_us.store(now_us, Ordering::Release);
    }

    /// Lets it stand, at the next whole second: of that, whole seconds are easily added. Nothing if it stands.
    pub fn stop(&self) {
        let second_us = self.now_us().next_multiple_of(SECOND_US);
        _ = self.stands_us.compare_exchange(RUNS, second_us, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Lets it run from where it stands, or from the host's time if that is later. Nothing if it runs.
    pub fn run(&self) {
        let stands_us = self.stands_us.load(Ordering::Acquire);
        if stands_us != RUNS {
            self.ahead_us.store(stands_us.saturating_sub(host_us()), Ordering::Relaxed);
            self.stands_us.store(RUNS, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that stands shows what it showed, and moves by as much as it is told.
    #[test]
    fn a_clock_that_stands_is_moved_by_hand() {
        let clock = ManualClock::new(5);
        clock.advance(2);
        assert_eq!(7, clock.now_us());
        clock.advance(u64::MAX);
        assert_eq!(RUNS - 1, clock.now_us(), "it does not begin to run");
        clock.set(5);
        assert_eq!(5, clock.now_us());
    }

    /// One that runs goes with the host's, and ahead of it by as much as it was moved.
    #[test]
    fn a_clock_that_runs_is_ahead_by_as_much_as_it_was_moved() {
        let clock = ManualClock::running();
        for ahead_us in [0, 3_000_000] {
            clock.advance(ahead_us);
            let (before, now_us, after) = (host_us(), clock.now_us(), host_us());
            assert!((before + ahead_us..=after + ahead_us).contains(&now_us), "{before} {now_us} {after}");
        }
    }

    /// It stops at a whole second, goes on from there, and never goes back, however often it is stopped and moved.
    #[test]
    fn a_clock_never_goes_back() {
        let clock = ManualClock::running();
        for _ in 0..3 {
            let running_us = clock.now_us();
            clock.stop();
            let standing_us = clock.now_us();
            assert!(standing_us >= running_us);
            assert!(standing_us.is_multiple_of(SECOND_US));
            clock.advance(30 * SECOND_US);
            clock.stop();
            assert_eq!(standing_us + 30 * SECOND_US, clock.now_us(), "it stood already");
            clock.run();
            clock.run();
            assert!(clock.now_us() >= standing_us + 30 * SECOND_US);
        }
    }

    /// What it was moved by is forgotten as soon as the host's clock is there too.
    #[test]
    fn a_clock_that_was_behind_runs_with_the_hosts() {
        let clock = ManualClock::new(0);
        clock.run();
        assert_eq!(0, clock.ahead_us.load(Ordering::Relaxed));
        assert!(clock.now_us() > 0);
    }
}
