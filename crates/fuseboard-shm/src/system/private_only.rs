//! A system on which processes share no tables. Each has tables of its own, in its own memory and on its own clock.
//!
//! All of this is the standard library's. It is written for Windows; a system that forks may use it too, because a
//! forked child has a copy of its parent's tables, and nobody else can see that copy.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::c_void;
use std::io;
use std::path::Path;
use std::ptr::NonNull;
use std::time::Instant;

use super::file_id::FileId;

/// What the sections of a table are aligned to.
const PAGE: usize = 4096;
/// What the clock shows at first: 30 days, so that a fuse which looks back for days does not look behind its beginning.
const FIRST_US: u64 = 30 * 24 * 3_600 * 1_000_000;

#[allow(clippy::disallowed_types, reason = "`at_fork` fills it, which the binding calls at its import")]
static FIRST: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();

/// Microseconds on the clock of this process. Whether it runs through suspend is the system's affair; on Windows it
/// does.
pub(crate) fn now_us() -> u64 {
    let run_us = FIRST.get_or_init(Instant::now).elapsed().as_micros();
    FIRST_US.saturating_add(u64::try_from(run_us).unwrap_or(u64::MAX))
}

/// Zeroes that belong to this process alone.
pub(crate) fn map(len: usize) -> io::Result<NonNull<c_void>> {
    assert!(len > 0, "some memory");
    let layout = Layout::from_size_align(len, PAGE).map_err(|_| io::ErrorKind::OutOfMemory)?;
    // SAFETY: the layout has a size, as was just checked.
    let base = unsafe { alloc_zeroed(layout) };
    NonNull::new(base.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Gives memory back.
///
/// # Safety
/// It is from [`map`], of this length, and nothing refers to it any more.
pub(crate) unsafe fn unmap(base: NonNull<c_void>, len: usize) {
    let layout = Layout::from_size_align(len, PAGE).expect("it was one in map");
    // SAFETY: the caller's word; the layout is the one that it was allocated with.
    unsafe { dealloc(base.as_ptr().cast(), layout) };
}

/// A forked child, where there is one, goes on with its copy of a table as its parent would, and is told nothing.
pub(crate) fn at_fork(_: extern "C" fn()) -> bool {
    _ = now_us();
    true
}

/// No process of another has a lease in a table of this one, so nobody asks who is dead.
pub(crate) fn pid_namespace() -> Option<u64> {
    None
}

/// Whatever cannot be found out counts as alive.
pub(crate) fn is_free(_: u32) -> bool {
    false
}

/// No table has a file here.
pub(crate) fn leads_elsewhere(_: &Path, _: Option<FileId>) -> bool {
    false
}

/// No table has a file here, so nobody uses a removed one.
pub(crate) fn users_of_a_removed(_: &Path) -> Vec<u32> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A private table begins as zeroes and on a page, and can be written to its end.
    #[test]
    fn memory_is_zeroes_on_a_page() {
        let len = 3 * PAGE;
        let base = map(len).expect("there is memory");
        assert_eq!(0, base.addr().get() % PAGE);
        // SAFETY: `len` zeroes, which are valid bytes, that nobody else has; they are not used after `unmap`.
        unsafe {
            let bytes = std::slice::from_raw_parts_mut(base.as_ptr().cast::<u8>(), len);
            assert!(bytes.iter().all(|byte| *byte == 0));
            bytes.fill(1);
            unmap(base, len);
        }
    }

    /// More than there are addresses for is an error, as for any table that is too large.
    #[test]
    fn too_much_memory_is_an_error() {
        let found = [isize::MAX as usize, isize::MAX as usize - PAGE].map(|len| map(len).map_err(|error| error.kind()));
        assert_eq!([Err(io::ErrorKind::OutOfMemory); 2], found);
    }

    /// R14: it runs, and leaves room to look back.
    #[test]
    fn the_clock_runs_and_has_a_past() {
        let before_us = now_us();
        while now_us() == before_us {}
        assert!(before_us >= FIRST_US && now_us() > before_us);
    }
}
