//! A record lock of a file that is opened for nothing else.

use std::io;
use std::mem::forget;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, FlockOperation, Mode, OFlags, fchmod, fcntl_lock, fstat, openat, stat};
use rustix::io::{Errno, retry_on_intr};

use crate::system::{FileId, identity, ownership_fault};

/// How often to look again after somebody removed the lock's file just then.
const TRIES: usize = 4;

/// The lock. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Lock {
    fd: Option<OwnedFd>,
    file: FileId,
}

impl Lock {
    /// The lock, `None` if another process has it.
    pub(super) fn get(path: &Path) -> io::Result<Option<Self>> {
        for _ in 0..TRIES {
            let fd = open(path)?;
            match fcntl_lock(&fd, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::AGAIN | Errno::ACCESS) => return Ok(None),
                other => other?,
            }
            let file = identity(&fstat(&fd)?);
            // Removed just now: others lock another file.
            if stat(path).is_ok_and(|stat| identity(&stat) == file) {
                return Ok(Some(Self { fd: Some(fd), file }));
            }
        }
        Err(Errno::BUSY.into())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // If somebody has closed the descriptor, its number may be another file's by now, and is not ours to close.
        let fd = self.fd.take();
        if fd.as_ref().is_some_and(|fd| fstat(fd).is_ok_and(|stat| identity(&stat) != self.file)) {
            forget(fd);
        }
    }
}

/// The lock's file, which is made if it is not there: a regular file of this user's that nobody else has access to.
fn open(path: &Path) -> Result<OwnedFd, Errno> {
    let access = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = retry_on_intr(|| openat(CWD, path, flags, access))?;
    let stat = fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    if ownership_fault(&stat, access).is_some() {
        // Whatever the umask took away.
        fchmod(&fd, access)?;
    }
    Ok(fd)
}
