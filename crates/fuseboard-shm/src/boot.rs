//! Which boot of which host this is, as far as clocks and shared memory go (rule T09).
//!
//! It stands in the names of tables, so all processes that share one must come to the same answer, whatever the system
//! lets them read. A file in memory (tmpfs) is gone with its boot, so there the answer is the same for every boot, and
//! nobody needs to know which one it is: services with `ProcSubset=pid`, for whom systemd hides /proc/sys, share it
//! with all others. Only a table on a disk needs the boot's own number.

use std::hash::Hasher;
#[cfg(target_os = "linux")]
use std::path::Path;

use siphasher::sip::SipHasher13;

use crate::error::{Kind, OpenError, is_transient};
use crate::store_dir::StoreDir;

/// What `statfs` says of a tmpfs (linux/magic.h).
#[cfg(target_os = "linux")]
const TMPFS: u32 = 0x0102_1994;

/// A number for this boot of this host, as far as that matters in this folder, and on Linux for this time namespace,
/// whose clocks may run apart from others'.
///
/// # Errors
/// An [`OpenError`] if it is not known. A guess could make two tables of one, and nobody would notice.
pub(crate) fn identity(dir: &StoreDir) -> Result<u64, OpenError> {
    let mut hash = SipHasher13::new();
    hash.write(&session(dir)?);
    hash.write(&time_namespace()?);
    Ok(hash.finish())
}

#[cfg(target_os = "linux")]
fn session(dir: &StoreDir) -> Result<Vec<u8>, OpenError> {
    if is_in_memory(dir)? {
        return Ok(b"in memory".to_vec());
    }
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let id = std::fs::read(path).map_err(|error| {
        unknown(path, "the boot of this host (for a folder in memory, such as /dev/shm, it is not needed)", &error)
    })?;
    if id.is_empty() { Err(OpenError::new(Kind::System, path, "is empty")) } else { Ok(id) }
}

/// Whether what lies in the folder is gone after a boot.
#[cfg(target_os = "linux")]
fn is_in_memory(dir: &StoreDir) -> Result<bool, OpenError> {
    let failed = |error| OpenError::system("cannot examine the folder", &dir.path, error);
    let found = rustix::io::retry_on_intr(|| rustix::fs::fstatfs(&dir.folder)).map_err(failed)?;
    Ok(u32::try_from(found.f_type) == Ok(TMPFS))
}

#[cfg(target_os = "linux")]
fn time_namespace() -> Result<Vec<u8>, OpenError> {
    let path = Path::new("/proc/self/ns/time");
    match std::fs::read_link(path) {
        Ok(name) => Ok(name.into_os_string().into_encoded_bytes()),
        // A kernel without time namespaces; but where there is no /proc at all nobody can tell.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && Path::new("/proc/self/ns").exists() => {
            Ok(Vec::new())
        }
        Err(error) => Err(unknown(path, "the time namespace", &error)),
    }
}

#[cfg(target_os = "linux")]
fn unknown(path: &Path, what: &str, error: &std::io::Error) -> OpenError {
    let found = format!("cannot find out {what}, so it is unclear which table to share: {error}");
    let errno = rustix::io::Errno::from_io_error(error);
    OpenError::new(Kind::System, path, found).transient(errno.is_some_and(is_transient))
}

#[cfg(target_os = "macos")]
fn session(_: &StoreDir) -> Result<Vec<u8>, OpenError> {
    let mut uuid = vec![0_u8; 64];
    let mut len = uuid.len();
    // SAFETY: the name is a C string, and `uuid` and `len` describe a buffer that outlives the call.
    let failed = unsafe {
        libc::sysctlbyname(
            c"kern.bootsessionuuid".as_ptr(),
            uuid.as_mut_ptr().cast(),
            &raw mut len,
            std::ptr::null_mut(),
            0,
        )
    };
    if failed != 0 {
        return Err(OpenError::new(Kind::System, "kern.bootsessionuuid", "cannot find out the boot of this host"));
    }
    uuid.truncate(len);
    Ok(uuid)
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "as on Linux")]
fn time_namespace() -> Result<Vec<u8>, OpenError> {
    Ok(Vec::new())
}
