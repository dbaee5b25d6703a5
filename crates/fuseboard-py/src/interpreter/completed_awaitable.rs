//! `CompletedAwaitable`: what the methods of `async with` return.

use pyo3::exceptions::{PyBaseException, PyStopIteration};
use pyo3::prelude::*;

use crate::interpreter::at_import::AtImport;

/// It remembers nothing, so one object serves every call.
static THE_ONE: AtImport<Py<CompletedAwaitable>> = AtImport::new();

/// Makes the object. Called by the module's init.
pub(crate) fn make(py: Python<'_>) -> PyResult<()> {
    THE_ONE.set(py, Py::new(py, CompletedAwaitable)?);
    Ok(())
}

/// The object to await.
#[inline]
pub(crate) fn completed_awaitable(py: Python<'_>) -> Bound<'_, CompletedAwaitable> {
    THE_ONE.get(py).bind(py).clone()
}

/// A coroutine that has ended already. Awaiting it gives None.
#[pyclass(frozen, module = "fuseboard._core")]
pub struct CompletedAwaitable;

#[pymethods]
impl CompletedAwaitable {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[allow(clippy::unused_self, reason = "the iterator protocol's signature")]
    fn __next__(&self) -> Option<Py<PyAny>> {
        None
    }

    // The other methods of a coroutine, for code that drives it by hand and for type checkers.

    #[allow(clippy::unused_self, reason = "the coroutine protocol's signature")]
    fn send(&self, _value: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(PyStopIteration::new_err(()))
    }

    #[allow(clippy::unused_self, reason = "the coroutine protocol's signature")]
    #[pyo3(signature = (error, /))]
    fn throw(&self, error: Bound<'_, PyBaseException>) -> PyResult<()> {
        Err(PyErr::from_value(error.into_any()))
    }

    #[allow(clippy::unused_self, reason = "the coroutine protocol's signature")]
    fn close(&self) {}
}
