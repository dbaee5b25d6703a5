//! What one process asks of a fuse. Settings are not shared (rule R15): each decision takes the caller's own.

use crate::lease::SEATS;
use crate::time::HORIZON_US;

/// The numbers of a breaker's settings, brought into range: no value of any field makes a decision unsound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Failures within the window that open the fuse; 1 up to the log's capacity.
    pub threshold: u32,
    /// How long a failure counts, in microseconds.
    pub window_us: u64,
    /// How long the fuse stays open before a probe, in microseconds.
    pub reset_us: u64,
    /// Probes at once while half-open; 1 to [`SEATS`].
    pub probes: u32,
    /// Successful probes that close the fuse; 1 to 65,535.
    pub success_threshold: u32,
    /// How long a probe may hold its lease, in microseconds.
    pub probe_us: u64,
    /// Whether a success while closed clears the window (rule R04).
    pub clear_on_success: bool,
}

impl Policy {
    /// The same policy with every number in range for a log of `log_len` entries. Settings are refused with a message
    /// long before this; here it only keeps a stray number from making a decision unsound.
    #[must_use]
    pub fn in_range(self, log_len: usize) -> Self {
        let log_len = u32::try_from(log_len).unwrap_or(u32::MAX);
        Self {
            threshold: self.threshold.clamp(1, log_len.max(1)),
            window_us: self.window_us.clamp(1, HORIZON_US),
            reset_us: self.reset_us.clamp(1, HORIZON_US),
            probes: self.probes.clamp(1, SEATS as u32),
            success_threshold: self.success_threshold.clamp(1, u32::from(u16::MAX)),
            probe_us: self.probe_us.clamp(1, HORIZON_US),
            clear_on_success: self.clear_on_success,
        }
    }
}
