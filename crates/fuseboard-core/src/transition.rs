//! A change of a fuse's state, and its cause. The codes of causes live in files: never renumber them.

use crate::state::State;

/// A change of state. Only the operation that made it returns it, so it is one event on the host (rule R03).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// The generation that began: its stamp in microseconds.
    pub generation: u64,
    /// Why it happened.
    pub cause: Cause,
}

/// Why a transition happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cause {
    /// Not known: the process that made the transition died before it wrote the cause down, or a rival's note replaced
    /// it.
    Unknown = 0,
    /// The failures within the window reached the policy's threshold.
    Threshold = 1,
    /// The open time was over, and a call asked to pass.
    ResetTimeout = 2,
    /// As many probes failed as open the fuse again.
    ProbeFailed = 3,
    /// As many probes succeeded as the policy asks for.
    ProbesSucceeded = 4,
    /// A raw `set_open`, `set_half_open` or `set_closed`.
    Set = 5,
    /// A manual override, or its end by hand: isolate, disable or reset.
    Manual = 6,
    /// `reset_all`.
    ResetAll = 7,
    /// Too many calls within a time failed.
    FailureRate = 8,
    /// Too many of the last calls failed.
    FailureRateOfCalls = 9,
    /// Too many calls within a time were slow.
    SlowRate = 10,
    /// Too many of the last calls were slow.
    SlowRateOfCalls = 11,
    /// A failed call demanded it.
    Demanded = 12,
    /// The fuse was half-open for as long as it may be.
    HalfOpenTimeout = 13,
    /// The ramp was over, and a call asked to pass.
    Ramped = 14,
    /// A probe was too slow.
    ProbeSlow = 15,
    /// The time of a manual override was over, and a call asked to pass.
    OverrideEnded = 16,
}

impl Cause {
    /// The cause of a code. Unused codes read as [`Cause::Unknown`] (rule T10).
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Threshold,
            2 => Self::ResetTimeout,
            3 => Self::ProbeFailed,
            4 => Self::ProbesSucceeded,
            5 => Self::Set,
            6 => Self::Manual,
            7 => Self::ResetAll,
            8 => Self::FailureRate,
            9 => Self::FailureRateOfCalls,
            10 => Self::SlowRate,
            11 => Self::SlowRateOfCalls,
            12 => Self::Demanded,
            13 => Self::HalfOpenTimeout,
            14 => Self::Ramped,
            15 => Self::ProbeSlow,
            16 => Self::OverrideEnded,
            _ => Self::Unknown,
        }
    }
}
