//! A file in memory.

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use rustix::fs::fstat;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap};

use crate::mapping::Mapping;
use crate::system::identity;

/// What may be done to a file's mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Loads, and nothing else: a store ends the process with SIGSEGV.
    Read,
    /// All.
    Write,
}

impl Access {
    fn protection(self) -> ProtFlags {
        match self {
            Self::Read => ProtFlags::READ,
            Self::Write => ProtFlags::READ | ProtFlags::WRITE,
        }
    }
}

/// The first `len` bytes of a file, shared with every process that maps them.
pub(super) fn of_file(file: BorrowedFd<'_>, len: usize, access: Access) -> Result<Mapping, Errno> {
    let identity = identity(&fstat(file)?);
    // SAFETY: a null hint lets the kernel choose the address, so no existing memory is replaced.
    let base = unsafe { mmap(std::ptr::null_mut(), len, access.protection(), MapFlags::SHARED, file, 0) }?;
    let base = NonNull::new(base).ok_or(Errno::NOMEM)?;
    // SAFETY: it was mapped just now. Others who map the file are Fuseboard's too, and trusted as the crate says.
    Ok(unsafe { Mapping::showing(base, len, identity) })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use fuseboard_core::sync::{AtomicU64, Ordering};

    use super::*;

    /// How a child ends that adds 0 to the first word of a file that is mapped so: the signal, or 0.
    fn ends_by(access: Access) -> i32 {
        let path = std::env::temp_dir().join(format!("fuseboard-mapping-{}-{access:?}", std::process::id()));
        std::fs::write(&path, [0; 4096]).expect("a file of our own");
        let file = std::fs::File::options().read(true).write(true).open(&path).expect("the same");
        std::fs::remove_file(&path).expect("the same");
        let mapping = of_file(file.as_fd(), 4096, access).expect("it can be mapped");
        assert_eq!(0, mapping.section::<AtomicU64>(0, 1)[0].load(Ordering::Acquire));
        let mut status = 0;
        // SAFETY: the child makes one atomic operation and ends by `_exit`; it takes no lock and allocates nothing. `status`
        // outlives the wait for it.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                mapping.section::<AtomicU64>(0, 1)[0].fetch_add(0, Ordering::AcqRel);
                libc::_exit(0);
            }
            assert_eq!(child, libc::waitpid(child, &raw mut status, 0));
        }
        libc::WTERMSIG(status)
    }

    /// What only reads a table is checked by the processor: so a test that runs it would see a write, even one of the
    /// same value.
    #[test]
    fn a_write_to_what_is_mapped_for_reading_ends_the_process() {
        assert_eq!([libc::SIGSEGV, 0], [Access::Read, Access::Write].map(ends_by));
    }
}
