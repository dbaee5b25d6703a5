//! Map, unmap, and the single cast from bytes to atomics.

use std::ffi::c_void;
use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use fuseboard_core::counters::{STRIPES, Stripe};
use fuseboard_core::directory::Key;
use fuseboard_core::exported::Exported;
use fuseboard_core::fuse::Cell;
use fuseboard_core::journal::{Head, RingSlot};
use fuseboard_core::layout::{Header, Texts};
use fuseboard_core::leader::Leader;
use fuseboard_core::overrides::OverrideNote;
use fuseboard_core::rate::{RATE_WINDOWS, RateWindow};
use fuseboard_core::settings::Set;
use fuseboard_core::sync::AtomicU64;
use rustix::fs::{Stat, fstat, lstat};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

/// A type that may stand in a mapping that other processes write to.
///
/// # Safety
/// Every byte of it belongs to an [`AtomicU64`], so any bytes are a valid value and any access is a data-race-free one.
pub(crate) unsafe trait Shared {}

// SAFETY: made of nothing but atomics, by its definition.
unsafe impl Shared for AtomicU64 {}
// SAFETY: `repr(C)`, nine words and an array of words that fill its page, all atomics.
unsafe impl Shared for Header {}
// SAFETY: `repr(C)`, four atomics.
unsafe impl Shared for Key {}
// SAFETY: `repr(C)`, forty atomics that fill its 320 bytes.
unsafe impl Shared for Cell {}
// SAFETY: `repr(C)`, a name and a maker that fill its 272 bytes, each `repr(C)` and atomics alone.
unsafe impl Shared for Texts {}
// SAFETY: `repr(C)`, eight atomics that fill its 64 bytes.
unsafe impl Shared for Stripe {}
// SAFETY: an array of the same.
unsafe impl Shared for [Stripe; STRIPES] {}
// SAFETY: an array of `repr(C)`, sixteen atomics each that fill its 128 bytes.
unsafe impl Shared for [RateWindow; RATE_WINDOWS] {}
// SAFETY: `repr(C)`, sixteen atomics that fill its 128 bytes.
unsafe impl Shared for Head {}
// SAFETY: `repr(C)`, an atomic and an array of atomics.
unsafe impl Shared for RingSlot {}
// SAFETY: `repr(transparent)`, nine atomics.
unsafe impl Shared for Exported {}
// SAFETY: `repr(transparent)` over `repr(C)`, twenty atomics that fill its 160 bytes.
unsafe impl Shared for OverrideNote {}
// SAFETY: `repr(transparent)` over `repr(C)`, thirty-two atomics that fill its 256 bytes.
unsafe impl Shared for Set {}
// SAFETY: `repr(C)`, eight atomics that fill its 64 bytes.
unsafe impl Shared for Leader {}

/// What may be done to a file's mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
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

/// A stretch of memory, mapped until it is dropped.
///
/// One that is [`Access::Read`] is seen through the same atomics. Of those only loads are made, which is `View`'s to
/// see to. An atomic load of eight bytes is one plain instruction on every processor that we build for, also with
/// Acquire, and needs no page that can be written to.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<c_void>,
    len: usize,
    /// Device and number of the file.
    file: Option<(u64, u64)>,
}

// SAFETY: the memory is only ever seen as `Shared` types, which are atomics, and it is unmapped only with the last owner.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// The first `len` bytes of a file, shared with every process that maps them.
    pub(crate) fn of_file(file: BorrowedFd<'_>, len: usize, access: Access) -> Result<Self, Errno> {
        let identity = identity(&fstat(file)?);
        // SAFETY: a null hint lets the kernel choose the address, so no existing memory is replaced.
        let base = unsafe { mmap(std::ptr::null_mut(), len, access.protection(), MapFlags::SHARED, file, 0) }?;
        Ok(Self { base: NonNull::new(base).ok_or(Errno::NOMEM)?, len, file: Some(identity) })
    }

    /// Zeroes that belong to this process alone; a forked child gets a copy of its own.
    pub(crate) fn anonymous(len: usize) -> Result<Self, Errno> {
        // SAFETY: as above.
        let base = unsafe { mmap_anonymous(std::ptr::null_mut(), len, Access::Write.protection(), MapFlags::PRIVATE) }?;
        Ok(Self { base: NonNull::new(base).ok_or(Errno::NOMEM)?, len, file: None })
    }

    /// Device and number of the file; `None` of memory that is no file's.
    pub(crate) const fn file(&self) -> Option<(u64, u64)> {
        self.file
    }

    /// Whether `path` certainly leads to another file than the mapped one, or to none.
    pub(crate) fn is_gone_from(&self, path: &Path) -> bool {
        match lstat(path) {
            Ok(stat) => self.file != Some(identity(&stat)),
            Err(error) => error == Errno::NOENT,
        }
    }

    /// `count` values of `T` from byte `offset` on.
    ///
    /// # Panics
    /// If they do not lie within the mapping, or not on `T`'s boundary.
    pub(crate) fn section<T: Shared>(&self, offset: usize, count: usize) -> &[T] {
        let bytes = count.checked_mul(size_of::<T>()).expect("a section's size fits");
        assert!(offset.checked_add(bytes).is_some_and(|end| end <= self.len), "a section within the mapping");
        assert!(offset.is_multiple_of(align_of::<T>()), "a section on its boundary");
        // SAFETY: the range lies within the mapping (checked above), which starts on a page, so it is aligned; the
        // mapping lives as long as `self`; and `T: Shared` says that any bytes are valid and that others may write
        // them.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().byte_add(offset).cast::<T>(), count) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by us and every reference into it borrowed `self`, so none is left. An error
        // could only mean that the range is not mapped, which leaves nothing to do.
        _ = unsafe { munmap(self.base.as_ptr(), self.len) };
    }
}

/// A reference into a mapping, together with a share in the mapping: what the hot path follows instead of computing
/// offsets.
#[derive(Debug)]
pub(crate) struct Pinned<T: ?Sized> {
    target: NonNull<T>,
    _mapping: Arc<Mapping>,
}

// SAFETY: `target` is a shared reference in all but its lifetime, so it may go where `&T` may go.
unsafe impl<T: ?Sized + Sync> Send for Pinned<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for Pinned<T> {}

impl<T: ?Sized> Pinned<T> {
    /// Pins what `choose` returns of the mapping.
    pub(crate) fn new(mapping: &Arc<Mapping>, choose: impl FnOnce(&Mapping) -> &T) -> Self {
        Self { target: NonNull::from(choose(mapping)), _mapping: Arc::clone(mapping) }
    }
}

impl<T: ?Sized> Deref for Pinned<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: made from a reference that borrowed the mapping, which lives as long as our share in it.
        unsafe { self.target.as_ref() }
    }
}

#[allow(clippy::unnecessary_cast, reason = "the numbers' types differ between systems")]
pub(crate) fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use fuseboard_core::sync::Ordering;

    use super::*;

    /// How a child ends that adds 0 to the first word of a file that is mapped so: the signal, or 0.
    fn ends_by(access: Access) -> i32 {
        let path = std::env::temp_dir().join(format!("fuseboard-mapping-{}-{access:?}", std::process::id()));
        std::fs::write(&path, [0; 4096]).expect("a file of our own");
        let file = std::fs::File::options().read(true).write(true).open(&path).expect("the same");
        std::fs::remove_file(&path).expect("the same");
        let mapping = Mapping::of_file(file.as_fd(), 4096, access).expect("it can be mapped");
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
