//! A context variable (`contextvars`): each task, greenlet and thread has its own value.

use std::ffi::CStr;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;

/// A `contextvars.ContextVar` without a default.
pub(crate) struct ContextVar(Py<PyAny>);

impl ContextVar {
    pub(crate) fn new(py: Python<'_>, name: &'static CStr) -> PyResult<Self> {
        // SAFETY: the interpreter is attached; no default; the result is owned, or null with an exception set.
        let variable =
            unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContextVar_New(name.as_ptr(), ptr::null_mut()))? };
        Ok(Self(variable.unbind()))
    }

    /// Its value in the running context; `None` where it was never set.
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut value = ptr::null_mut();
        // SAFETY: the interpreter is attached, and this is a context variable; `value` becomes an owned reference or null.
        unsafe {
            if ffi::PyContextVar_Get(self.0.as_ptr(), ptr::null_mut(), &raw mut value) < 0 {
                return Err(PyErr::fetch(py));
            }
            Ok(Bound::from_owned_ptr_or_opt(py, value))
        }
    }

    /// Sets it in the running context.
    pub(crate) fn set(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        // SAFETY: as above; the token, by which it could be set back, is an owned reference that nobody needs.
        unsafe {
            Bound::from_owned_ptr_or_err(value.py(), ffi::PyContextVar_Set(self.0.as_ptr(), value.as_ptr())).map(drop)
        }
    }
}
