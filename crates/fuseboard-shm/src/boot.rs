//! Which boot of which host this is, as far as clocks and shared memory go (rule T09).

use std::hash::Hasher;
#[cfg(target_os = "linux")]
use std::path::Path;

use siphasher::sip::SipHasher13;

use crate::error::{Kind, OpenError};

/// A number for this boot of this host and, on Linux, this time namespace, whose clocks may run apart from others'.
///
/// # Errors
/// An [`OpenError`] where it cannot be told: a guess could make two tables of one, and nobody would see it.
pub(crate) fn identity() -> Result<u64, OpenError> {
    let mut hash = SipHasher13::new();
    hash.write(&session()?);
    hash.write(&time_namespace()?);
    Ok(hash.finish())
}

#[cfg(target_os = "linux")]
fn session() -> Result<Vec<u8>, OpenError> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let id = std::fs::read(path).map_err(|error| unknown(path, &error))?;
    if id.is_empty() { Err(OpenError::new(Kind::System, path, "is empty")) } else { Ok(id) }
}

#[cfg(target_os = "linux")]
fn time_namespace() -> Result<Vec<u8>, OpenError> {
    let path = Path::new("/proc/self/ns/time");
    match std::fs::read_link(path) {
        Ok(name) => Ok(name.into_os_string().into_encoded_bytes()),
        // A kernel without time namespaces.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(unknown(path, &error)),
    }
}

#[cfg(target_os = "linux")]
fn unknown(path: &Path, error: &std::io::Error) -> OpenError {
    let found = format!("cannot tell which boot of this host it is, so which table is shared: {error}");
    OpenError::new(Kind::System, path, found)
}

#[cfg(target_os = "macos")]
fn session() -> Result<Vec<u8>, OpenError> {
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
        return Err(OpenError::new(Kind::System, "kern.bootsessionuuid", "cannot tell which boot of this host it is"));
    }
    uuid.truncate(len);
    Ok(uuid)
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "as on Linux")]
fn time_namespace() -> Result<Vec<u8>, OpenError> {
    Ok(Vec::new())
}
