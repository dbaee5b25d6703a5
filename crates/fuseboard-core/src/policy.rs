//! What one process asks of a fuse. Settings are not shared (rule R15): each decision uses the caller's own.

use crate::lease::{FAILURES_MAX, SEATS, SUCCESSES_MAX};
pub(crate) use crate::rate::MILLION;
use crate::rate::{RATE_WINDOWS, Rate, RateKind};
use crate::time::{HORIZON_US, age};
use crate::word::Word;

/// The numbers of a breaker's settings. Brought into range, no value of any field makes a decision unsound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Failures within the window that open the fuse; up to the log's capacity; 0 for no such rule.
    pub threshold: u32,
    /// How long a failure counts, in microseconds; `u64::MAX` for ever.
    pub window_us: u64,
    /// The open time, in microseconds.
    pub reset_us: u64,
    /// The factor by which the open time grows when the fuse reopens from half-open, in thousandths; from 1,000.
    pub multiplier_permille: u32,
    /// The longest open time that backoff or a call's request can lead to, in microseconds.
    pub longest_us: u64,
    /// How many millionths the open time may be shorter or longer.
    pub jitter_ppm: u32,
    /// Probes at once while half-open; 1 to [`SEATS`].
    pub probes: u32,
    /// Successful probes that close the fuse; 1 to [`SUCCESSES_MAX`].
    pub success_threshold: u32,
    /// Failed probes that open it again; 1 to [`FAILURES_MAX`].
    pub probe_failures: u32,
    /// How long the fuse may stay half-open, in microseconds; 0 for as long as it takes.
    pub half_open_us: u64,
    /// How long the ramp takes after the probes have succeeded, in microseconds; 0 for no ramp.
    pub ramp_us: u64,
    /// How many of a million calls pass at the beginning of the ramp.
    pub ramp_from_ppm: u32,
    /// How long a probe's lease lasts, in microseconds.
    pub probe_us: u64,
    /// Whether a success while closed clears the window (rule R04).
    pub clear_on_success: bool,
    /// The rates that open the fuse, by the codes of [`RateKind`].
    pub rates: [Option<Rate>; RATE_WINDOWS],
}

impl Policy {
    /// The settings of a breaker that was given none: five failures within ten seconds, open for half a minute, one
    /// probe.
    pub const DEFAULT: Self = Self {
        threshold: 5,
        window_us: 10_000_000,
        reset_us: 30_000_000,
        multiplier_permille: 1_000,
        longest_us: 300_000_000,
        jitter_ppm: 0,
        probes: 1,
        success_threshold: 1,
        probe_failures: 1,
        half_open_us: 0,
        ramp_us: 0,
        ramp_from_ppm: 0,
        probe_us: 30_000_000,
        clear_on_success: true,
        rates: [None; RATE_WINDOWS],
    };

    /// The same policy with every number in range for a log of `log_len` entries. Python refuses bad settings with a
    /// message long before this. Here it only keeps a stray number from making a decision unsound.
    #[must_use]
    pub fn in_range(self, log_len: usize) -> Self {
        let log_len = u32::try_from(log_len).unwrap_or(u32::MAX);
        Self {
            threshold: self.threshold.min(log_len),
            window_us: self.window_us.max(1),
            reset_us: self.reset_us.clamp(1, HORIZON_US),
            multiplier_permille: self.multiplier_permille.clamp(1_000, MILLION),
            longest_us: self.longest_us.clamp(1, HORIZON_US),
            jitter_ppm: self.jitter_ppm.min(MILLION),
            probes: self.probes.clamp(1, SEATS as u32),
            success_threshold: self.success_threshold.clamp(1, SUCCESSES_MAX),
            probe_failures: self.probe_failures.clamp(1, FAILURES_MAX),
            half_open_us: self.half_open_us.min(HORIZON_US),
            ramp_us: self.ramp_us.min(HORIZON_US),
            ramp_from_ppm: self.ramp_from_ppm.min(MILLION),
            probe_us: self.probe_us.clamp(1, HORIZON_US),
            clear_on_success: self.clear_on_success,
            rates: self.rates.map(|rate| rate.map(Rate::in_range)),
        }
    }

    /// Whether the fuse was half-open for as long as it may be.
    pub(crate) fn is_overstayed(&self, seen: Word, now_us: u64) -> bool {
        self.half_open_us > 0 && age(now_us, seen.generation()) >= self.half_open_us
    }

    /// The rates that the policy has, with their kinds.
    pub(crate) fn active_rates(&self) -> impl Iterator<Item = (RateKind, Rate)> {
        RateKind::ALL.into_iter().zip(self.rates).filter_map(|(kind, rate)| Some((kind, rate?)))
    }

    /// Whether the policy has any rate.
    #[must_use]
    pub fn has_rates(&self) -> bool {
        self.rates != [None; RATE_WINDOWS]
    }

    /// Whether it matters how long a call takes.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.active_rates().any(|(kind, _)| kind.is_of_slow())
    }

    /// Whether a call that took so long is slow by any of the rates.
    #[must_use]
    pub fn is_slow(&self, took_us: u64) -> bool {
        self.active_rates().any(|(kind, rate)| kind.is_of_slow() && took_us >= rate.slow_us)
    }
}
