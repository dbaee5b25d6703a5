//! The states of a fuse and their codes, which live in files and dashboards: never renumber them.

/// What a fuse does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Never used, or forgotten by `reset_all`. Behaves as [`State::Closed`] and is shown as such, without a time.
    Unseen = 0,
    /// Calls pass; failures are counted.
    Closed = 1,
    /// Calls are rejected until the open time is over.
    Open = 2,
    /// A few calls pass as probes; the rest are rejected.
    HalfOpen = 3,
    /// A manual override rejects every call (rule R12).
    Isolated = 4,
    /// A manual override admits every call (rule R12).
    Disabled = 5,
    /// The probes have succeeded; a growing share of the calls passes, and failures are counted.
    Ramping = 6,
    /// Removed: the slot belongs to no name, or is about to (rule R28). Nobody has a permit of this generation.
    Vacant = 7,
}

impl State {
    /// The state of a code. Any three bits are a state (rule T10).
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Closed,
            2 => Self::Open,
            3 => Self::HalfOpen,
            4 => Self::Isolated,
            5 => Self::Disabled,
            6 => Self::Ramping,
            7 => Self::Vacant,
            _ => Self::Unseen,
        }
    }

    /// The state as callers see it: a fuse never seen, or removed, is closed (rule R01).
    #[must_use]
    pub const fn visible(self) -> Self {
        if self.is_seen() { self } else { Self::Closed }
    }

    /// Whether there is anything to show of the fuse.
    #[must_use]
    pub const fn is_seen(self) -> bool {
        !matches!(self, Self::Unseen | Self::Vacant)
    }

    /// Whether outcomes of calls are counted towards opening the fuse.
    #[must_use]
    pub const fn counts(self) -> bool {
        matches!(self, Self::Closed | Self::Ramping)
    }

    /// Whether the change from this state to that one is an event. One manual override after another is: it has another
    /// end and other reasons.
    #[must_use]
    pub fn is_event(self, to: Self) -> bool {
        self != to || to.is_overridden()
    }

    /// Whether it is a manual override, which stands against every automatic transition (rule R12).
    #[must_use]
    pub const fn is_overridden(self) -> bool {
        matches!(self, Self::Isolated | Self::Disabled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_fixed() {
        let codes = [
            (0, State::Unseen),
            (1, State::Closed),
            (2, State::Open),
            (3, State::HalfOpen),
            (4, State::Isolated),
            (5, State::Disabled),
            (6, State::Ramping),
            (7, State::Vacant),
        ];
        for (code, state) in codes {
            assert_eq!(code, state as u8);
            assert_eq!(state, State::from_code(code));
        }
    }
}
