//! `CompletedAwaitable`: what `async with` awaits.

use pyo3::exceptions::{PyBaseException, PyStopIteration};
use pyo3::prelude::*;

/// A coroutine that is ready at once, with None.
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

    // The rest of a coroutine's methods, so that it is one to whoever drives it by hand, and to type checkers.

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
