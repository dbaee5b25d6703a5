//! What only macOS has.

use std::path::Path;

use rustix::time::ClockId;

/// Runs through suspend, unlike Linux's of this name.
pub(super) const CLOCK: ClockId = ClockId::Monotonic;

/// All processes are in one.
pub(crate) fn pid_namespace() -> Option<u64> {
    Some(u64::MAX)
}

/// Nobody is found: the system does not list mappings to other processes.
pub(crate) fn users_of_a_removed(_: &Path) -> Vec<u32> {
    Vec::new()
}
