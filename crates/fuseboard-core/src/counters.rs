//! Counters of calls, kept for the whole host and striped so that they cost nanoseconds.
//!
//! Each fuse has [`STRIPES`] lines of eight counters. A process adds to the line that its token chooses. Two processes
//! on one line are slower, never wrong. Counters only go up (rule T07), each by one atomic addition, so a kill loses
//! nothing that was counted. A total is the sum over the lines. It is not of one instant, but never less than what was
//! counted before the reading began.

use crate::sync::{AtomicU64, Ordering};

/// Lines per fuse.
pub const STRIPES: usize = 8;

/// What is counted. The codes are positions in the file: never renumber them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    /// Calls that succeeded.
    Successes = 0,
    /// Calls that failed.
    Failures = 1,
    /// Calls whose outcome counted neither way (rule R10).
    Ignored = 2,
    /// Calls that were rejected.
    Rejections = 3,
    /// Outcomes of an older generation (rule R09), also counted as what they were.
    Late = 4,
    /// Calls admitted as probes.
    Probes = 5,
    /// Outcomes that opened the fuse.
    Trips = 6,
    /// Outcomes of probes that closed the fuse, or began its ramp.
    Closes = 7,
}

/// Number of counters in a line.
pub const COUNTERS: usize = 8;

/// One cache line of counters.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Stripe(pub(crate) [AtomicU64; COUNTERS]);

impl Stripe {
    /// A line of zeroes.
    #[must_use]
    pub fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Adds one.
    #[inline(always)]
    pub fn add(&self, counter: Counter) {
        // Relaxed: counters order nothing.
        self.0[counter as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Default for Stripe {
    fn default() -> Self {
        Self::new()
    }
}

/// The sums over a fuse's lines, in the order of [`Counter`]; they wrap at 2^64.
#[must_use]
pub fn totals(stripes: &[Stripe]) -> [u64; COUNTERS] {
    let sum = |i: usize| stripes.iter().fold(0_u64, |sum, s| sum.wrapping_add(s.0[i].load(Ordering::Relaxed)));
    std::array::from_fn(sum)
}

/// Sets counters to 0. `may` is asked after each counter was read; what it refuses stays.
pub(crate) fn clear_if(stripes: &[Stripe], may: impl Fn() -> bool) {
    stripes.iter().flat_map(|stripe| &stripe.0).for_each(|counter| counter.clear_if(&may));
}

/// Sets every counter to 0, one by one. What others count in between may survive or not.
pub fn clear(stripes: &[Stripe]) {
    stripes.iter().flat_map(|stripe| &stripe.0).for_each(|counter| counter.store(0, Ordering::Relaxed));
}
