//! Links from one Python object to another, which may be replaced while calls are under way.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::Borrowed;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

/// A reference to a `T`, or none yet. It is read and replaced only with the interpreter lock held.
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
        let object = self.0.load(Ordering::Relaxed);
        if object.is_null() {
            return None;
        }
        // SAFETY: the link owns a reference to a `T` (only `set` writes it), and nobody replaces it while this thread
        // holds the interpreter lock (`py`).
        Some(unsafe { Bound::from_borrowed_ptr(py, object).cast_into_unchecked() })
    }

    /// The object itself, without counting a reference.
    ///
    /// # Safety
    /// While the result is used, the link is not replaced and no Python code runs, which could replace it.
    #[inline(always)]
    pub(crate) unsafe fn peek<'a>(&'a self, py: Python<'a>) -> Option<Borrowed<'a, 'a, T>> {
        let object = self.0.load(Ordering::Relaxed);
        // SAFETY: null, or a `T` that the link owns (only `set` writes it), and goes on to, says the caller.
        unsafe { Some(Borrowed::from_ptr_or_opt(py, object)?.cast_unchecked()) }
    }

    /// Replaces the object.
    pub(crate) fn set(&self, py: Python<'_>, object: Option<Bound<'_, T>>) {
        let next = object.map_or(std::ptr::null_mut(), Bound::into_ptr);
        let before = self.0.swap(next, Ordering::Relaxed);
        // SAFETY: the link owned this reference, if there was one, and no longer holds it.
        drop(unsafe { Bound::from_owned_ptr_or_opt(py, before) });
    }

    /// Shows the garbage collector the object.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: a `Py` is a pointer that is not null, and this one is owned by the link; nobody replaces it while the
        // collector runs.
        let object: &Option<Py<T>> = unsafe { &*self.0.as_ptr().cast() };
        visit.call(object)
    }
}

/// An object that is left for the next caller. Being left does not keep it alive.
#[derive(Default)]
pub struct Left(AtomicPtr<ffi::PyObject>);

impl Left {
    /// Leaves an object, in place of the one before. The object must call [`Self::forget`] before it goes.
    #[inline(always)]
    pub(crate) fn leave(&self, object: *mut ffi::PyObject) {
        self.0.store(object, Ordering::Relaxed);
    }

    /// Takes what was left last, or null. Nobody else gets it.
    #[inline(always)]
    pub(crate) fn take(&self) -> *mut ffi::PyObject {
        self.0.swap(ptr::null_mut(), Ordering::Relaxed)
    }

    /// Takes the object back, if it is still left here.
    #[inline(always)]
    pub(crate) fn forget(&self, object: *mut ffi::PyObject) {
        _ = self.0.compare_exchange(object, ptr::null_mut(), Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl<T> Drop for Link<T> {
    fn drop(&mut self) {
        let object = *self.0.get_mut();
        if !object.is_null() {
            Python::attach(|py| {
                // SAFETY: the link owns this reference and is going away.
                drop(unsafe { Bound::from_owned_ptr(py, object) });
            });
        }
    }
}
