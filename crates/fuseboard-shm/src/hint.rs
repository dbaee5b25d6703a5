//! What a process says of itself beside a probe's lease, in one number; the one place that knows its bits.
//!
//! ```text
//!  47                 28 27       22 21                    0
//! +---------------------+-----------+-----------------------+
//! | pid namespace: 20   | start: 6  | pid: 22               |
//! +---------------------+-----------+-----------------------+
//! ```
//!
//! * **pid**: Linux's largest has 22 bits. 0 is nobody's.
//! * **start**: when the process started, in clock ticks since the boot, modulo 63, and 1 more; 0 where that is not known.
//! * **pid namespace**: the low bits of its number.
//!
//! Any bits are a hint of somebody.

use fuseboard_core::lease::HINT_BITS;

const PID_BITS: u32 = 22;
const START_BITS: u32 = 6;
const START_SHIFT: u32 = PID_BITS;
const NAMESPACE_SHIFT: u32 = START_SHIFT + START_BITS;
const PID_MASK: u64 = (1 << PID_BITS) - 1;
const START_MASK: u64 = (1 << START_BITS) - 1;
const NAMESPACE_MASK: u64 = (1 << (HINT_BITS - NAMESPACE_SHIFT)) - 1;

/// Some process, as well as 48 bits can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hint(pub(crate) u64);

/// When a process started, as far as a hint tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start(u64);

impl Hint {
    /// The process that nobody is.
    pub(crate) const NOBODY: Self = Self(0);

    pub(crate) fn new(pid: u32, start: Option<Start>, namespace: u64) -> Self {
        let start = start.map_or(0, |start| start.0);
        let namespace = namespace & NAMESPACE_MASK;
        Self(namespace << NAMESPACE_SHIFT | start << START_SHIFT | u64::from(pid) & PID_MASK)
    }

    pub(crate) const fn pid(self) -> u32 {
        (self.0 & PID_MASK) as u32
    }

    /// `None` where it was not known.
    pub(crate) fn start(self) -> Option<Start> {
        Some(Start(self.0 >> START_SHIFT & START_MASK)).filter(|start| start.0 != 0)
    }

    pub(crate) const fn namespace(self) -> u64 {
        self.0 >> NAMESPACE_SHIFT & NAMESPACE_MASK
    }
}

impl Start {
    /// Of so many clock ticks behind the boot. Two that differ are told apart unless by a multiple of 63.
    pub(crate) const fn at(ticks: u64) -> Self {
        Self(ticks % START_MASK + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hints lie in files, beside the leases of processes of perhaps another build.
    #[test]
    fn a_hint_is_a_pid_below_a_start_below_a_namespace() {
        let hint = Hint::new(0x7f_ffff, Some(Start::at(2 * 63 + 1)), u64::MAX);
        assert_eq!(0xffff_f0bf_ffff, hint.0);
        assert_eq!((0x3f_ffff, Some(Start(2)), 0xf_ffff), (hint.pid(), hint.start(), hint.namespace()));
        assert_eq!((Hint(7 << 28 | 5), None), (Hint::new(5, None, 7), Hint::new(5, None, 7).start()));
    }

    #[test]
    fn a_known_start_is_never_an_unknown_one() {
        assert_eq!((1..=63).collect::<Vec<_>>(), (0..63).map(|ticks| Start::at(ticks).0).collect::<Vec<_>>());
        assert_eq!(Start::at(0), Start::at(63));
    }
}
