//! Which boot of which host this is, as far as clocks and shared memory go (rule T09).
//!
//! It stands in the names of tables, so all processes that share one must come to the same answer, whatever the system
//! lets them read. A file in memory (tmpfs) is gone with its boot, so there the answer is the same for every boot, and
//! nobody needs to know which one it is: services with `ProcSubset=pid`, for whom systemd hides /proc/sys, share it
//! with all others. Only a table on a disk needs the boot's own number.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

#[cfg(target_os = "linux")]
use super::linux as system;
#[cfg(target_os = "macos")]
use super::macos as system;
use super::store_dir::StoreDir;
use crate::error::OpenError;

/// A number for this boot of this host, as far as that matters in this folder, and on Linux for this time namespace,
/// whose clocks may run apart from others'.
///
/// # Errors
/// An [`OpenError`] if it is not known. A guess could make two tables of one, and nobody would notice.
pub(super) fn identity(dir: &StoreDir) -> Result<u64, OpenError> {
    let mut hash = SipHasher13::new();
    hash.write(&system::session(dir)?);
    hash.write(&system::time_namespace()?);
    Ok(hash.finish())
}
