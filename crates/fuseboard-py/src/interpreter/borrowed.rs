//! Objects that somebody else keeps alive.

use std::hint;

use pyo3::Borrowed;
use pyo3::ffi;
use pyo3::prelude::*;

/// An object that the interpreter, or one of ours, has handed over without a reference.
///
/// # Safety
/// A live object, which somebody keeps alive for as long as the result is used.
#[inline(always)]
pub(crate) unsafe fn borrowed<'a, 'py>(py: Python<'py>, object: *mut ffi::PyObject) -> Borrowed<'a, 'py, PyAny> {
    // SAFETY: as the caller says. Without the hint PyO3 would test for null at each call.
    unsafe {
        hint::assert_unchecked(!object.is_null());
        Borrowed::from_ptr(py, object)
    }
}
