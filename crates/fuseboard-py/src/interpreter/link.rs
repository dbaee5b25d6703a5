//! Links from one Python object to another, which may be replaced while calls are under way.

use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::AtomicPtr;

use pyo3::Borrowed;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::interpreter::borrowed::borrowed;
use crate::interpreter::kept::{Kept, briefly, replace};

/// A reference to a `T`, or none yet.
pub struct Link<T>(AtomicPtr<ffi::PyObject>, PhantomData<Py<T>>);

impl<T> Default for Link<T> {
    fn default() -> Self {
        Self(AtomicPtr::default(), PhantomData)
    }
}

impl<T> Link<T> {
    /// The object, as the caller's own reference: it stays alive if the link is replaced.
    #[inline(always)]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Option<Bound<'py, T>> {
        briefly(&self.0, |object| {
            // SAFETY: null, or a `T` that lives at this moment: the link owns a reference to it (only `set` writes it).
            unsafe { Some(Bound::from_borrowed_ptr_or_opt(py, object)?.cast_into_unchecked()) }
        })
    }

    /// The object, for a call that is about to begin.
    #[inline(always)]
    pub(crate) fn keep(&self, _py: Python<'_>) -> Option<Kept> {
        // SAFETY: the link owns its reference; the thread is attached (`_py`).
        unsafe { Kept::of(&self.0) }
    }

    /// The object itself, without counting a reference.
    ///
    /// # Safety
    /// While the result is used, no Python code runs, which could replace the link.
    #[inline(always)]
    pub(crate) unsafe fn peek<'a>(&'a self, py: Python<'a>) -> Option<Peeked<'a, T>> {
        #[cfg(not(Py_GIL_DISABLED))]
        let object = ptr::NonNull::new(self.0.load(std::sync::atomic::Ordering::Relaxed))?.as_ptr();
        #[cfg(Py_GIL_DISABLED)]
        let kept = self.keep(py)?;
        #[cfg(Py_GIL_DISABLED)]
        let object = kept.object();
        // SAFETY: a `T` that the link owns (only `set` writes it), and goes on to, says the caller, or that is kept.
        let object = unsafe { borrowed(py, object).cast_unchecked() };
        Some(Peeked {
            object,
            #[cfg(Py_GIL_DISABLED)]
            kept,
        })
    }

    /// Replaces the object.
    pub(crate) fn set(&self, _py: Python<'_>, object: Option<Bound<'_, T>>) {
        let next = object.map_or(ptr::null_mut(), Bound::into_ptr);
        // SAFETY: the link owns its reference; the thread is attached (`_py`).
        unsafe { replace(&self.0, next) };
    }

    /// Shows the garbage collector the object.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        briefly(&self.0, |object| {
            // SAFETY: a `Py` is a pointer that is not null, and this one is owned by the link.
            let object: &Option<Py<T>> = unsafe { &*(&raw const object).cast() };
            visit.call(object)
        })
    }
}

impl<T> Drop for Link<T> {
    fn drop(&mut self) {
        let object = *self.0.get_mut();
        if !object.is_null() {
            Python::attach(|py| {
                // SAFETY: the link owns this reference and is going away. Who protects its object keeps its owner alive.
                drop(unsafe { Bound::from_owned_ptr(py, object) });
            });
        }
    }
}

/// What a link had a moment ago, alive until this goes.
pub(crate) struct Peeked<'a, T> {
    object: Borrowed<'a, 'a, T>,
    #[cfg(Py_GIL_DISABLED)]
    kept: Kept,
}

impl<'a, T> Deref for Peeked<'a, T> {
    type Target = Bound<'a, T>;

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        &self.object
    }
}

#[cfg(Py_GIL_DISABLED)]
impl<T> Drop for Peeked<'_, T> {
    fn drop(&mut self) {
        // SAFETY: kept by this thread, which is attached for as long as this lives.
        unsafe { self.kept.give_back() };
    }
}
