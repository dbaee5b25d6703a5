//! The link from a breaker to its fuse, which may be replaced while calls are under way.

use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;

use crate::fuse::Fuse;

/// A reference to a fuse, or none yet. Read and replaced only with the interpreter lock held.
#[derive(Default)]
pub struct Link(AtomicPtr<ffi::PyObject>);

impl Link {
    /// The fuse, as a reference of the caller's own: it stays alive if the link is replaced.
    #[inline(always)]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Fuse>> {
        let fuse = self.0.load(Ordering::Relaxed);
        if fuse.is_null() {
            return None;
        }
        // SAFETY: the link owns a reference to a `Fuse` (only `set` writes it), and nobody replaces it while this
        // thread holds the interpreter lock (`py`).
        Some(unsafe { Bound::from_borrowed_ptr(py, fuse).cast_into_unchecked() })
    }

    /// Replaces the fuse.
    pub(crate) fn set(&self, py: Python<'_>, fuse: Option<Bound<'_, Fuse>>) {
        let next = fuse.map_or(std::ptr::null_mut(), Bound::into_ptr);
        let before = self.0.swap(next, Ordering::Relaxed);
        // SAFETY: the link owned this reference, if there was one, and no longer holds it.
        drop(unsafe { Bound::from_owned_ptr_or_opt(py, before) });
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let fuse = *self.0.get_mut();
        if !fuse.is_null() {
            Python::attach(|py| {
                // SAFETY: the link owns this reference and is going away.
                drop(unsafe { Bound::from_owned_ptr(py, fuse) });
            });
        }
    }
}
