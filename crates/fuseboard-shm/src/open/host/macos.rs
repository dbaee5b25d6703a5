//! Files of tables, with what macOS has and has not.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::Mode;
use rustix::io::Errno;

use super::store_dir::StoreDir;
use crate::error::{Kind, OpenError};

/// Not to be had: each file has a name, so a table is made under a random one.
pub(super) fn nameless_draft(_: BorrowedFd<'_>, _: Mode) -> Result<OwnedFd, Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Not asked for, because there is no such draft.
pub(super) fn name_draft(_: BorrowedFd<'_>, _: BorrowedFd<'_>, _: &str) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// The boot of this host.
pub(super) fn session(_: &StoreDir) -> Result<Vec<u8>, OpenError> {
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

/// All processes go by one clock.
#[allow(clippy::unnecessary_wraps, reason = "as on Linux")]
pub(super) fn time_namespace() -> Result<Vec<u8>, OpenError> {
    Ok(Vec::new())
}
