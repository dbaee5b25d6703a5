//! Files of tables, with what only Linux has.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, fstatfs, linkat, openat};
use rustix::io::{Errno, retry_on_intr};

use super::errno::is_transient;
use super::store_dir::StoreDir;
use crate::error::{Kind, OpenError};

/// What `statfs` says of a tmpfs (linux/magic.h).
const TMPFS: u32 = 0x0102_1994;

/// A file in the folder that has no name yet.
pub(super) fn nameless_draft(folder: BorrowedFd<'_>, access: Mode) -> Result<OwnedFd, Errno> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    retry_on_intr(|| openat(folder, ".", flags, access))
}

/// Gives such a file its name, unless another file has it.
pub(super) fn name_draft(draft: BorrowedFd<'_>, folder: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    let nameless = PathBuf::from(format!("/proc/self/fd/{}", draft.as_raw_fd()));
    linkat(CWD, nameless, folder, name, AtFlags::SYMLINK_FOLLOW)
}

/// The boot of this host, as far as it matters in this folder.
pub(super) fn session(dir: &StoreDir) -> Result<Vec<u8>, OpenError> {
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
fn is_in_memory(dir: &StoreDir) -> Result<bool, OpenError> {
    let failed = |error| OpenError::system("cannot examine the folder", &dir.path, error);
    let found = retry_on_intr(|| fstatfs(&dir.folder)).map_err(failed)?;
    Ok(u32::try_from(found.f_type) == Ok(TMPFS))
}

/// The time namespace, whose clocks may run apart from others'.
pub(super) fn time_namespace() -> Result<Vec<u8>, OpenError> {
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

fn unknown(path: &Path, what: &str, error: &std::io::Error) -> OpenError {
    let found = format!("cannot find out {what}, so it is unclear which table to share: {error}");
    let errno = Errno::from_io_error(error);
    OpenError::new(Kind::System, path, found).transient(errno.is_some_and(is_transient))
}
