//! Map, unmap, and the single cast from bytes to atomics.

use std::ffi::c_void;
use std::io;
use std::ops::Deref;
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

use crate::system::{self, FileId};

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

/// A stretch of memory, mapped until it is dropped.
///
/// One that may only be read is seen through the same atomics. Of those only loads are made, which is `View`'s to
/// see to. An atomic load of eight bytes is one plain instruction on every processor that we build for, also with
/// Acquire, and needs no page that can be written to.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<c_void>,
    len: usize,
    file: Option<FileId>,
}

// SAFETY: the memory is only ever seen as `Shared` types, which are atomics, and it is unmapped only with the last owner.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Memory that shows the first `len` bytes of a file.
    ///
    /// # Safety
    /// The memory was mapped with this length, nobody else unmaps it, and what others do to it are atomic accesses.
    #[cfg(shares_tables)]
    pub(crate) const unsafe fn showing(base: NonNull<c_void>, len: usize, file: FileId) -> Self {
        Self { base, len, file: Some(file) }
    }

    /// Zeroes that belong to this process alone; a forked child gets a copy of its own.
    pub(crate) fn anonymous(len: usize) -> io::Result<Self> {
        Ok(Self { base: system::map(len)?, len, file: None })
    }

    /// Which file it shows; `None` of memory that is no file's.
    pub(crate) const fn file(&self) -> Option<FileId> {
        self.file
    }

    /// Whether `path` certainly leads to another file than the mapped one, or to none.
    pub(crate) fn is_gone_from(&self, path: &Path) -> bool {
        system::leads_elsewhere(path, self.file)
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
        // SAFETY: the range was mapped by us and every reference into it borrowed `self`, so none is left.
        unsafe { system::unmap(self.base, self.len) };
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
