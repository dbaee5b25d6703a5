//! The interpreter as a whole: which one this is, and its signals.

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

const REFUSED: &str = "fuseboard cannot be used in a sub-interpreter, because its calls would hang there. Use the main \
    interpreter (with mod_wsgi of Apache, set `WSGIApplicationGroup %{GLOBAL}`), or use threads or processes";

/// Raises in a sub-interpreter. PyO3 attaches threads to the main interpreter, by a lock that may be taken there.
pub(crate) fn refuse_sub_interpreter(_py: Python<'_>) -> PyResult<()> {
    // SAFETY: the interpreter is attached; both answers are pointers that are compared and not followed.
    let is_main = unsafe { ffi::PyInterpreterState_Get() == ffi::PyInterpreterState_Main() };
    if is_main { Ok(()) } else { Err(PyImportError::new_err(REFUSED)) }
}

/// Makes Ctrl-C come again.
pub(crate) fn interrupt_again(_py: Python<'_>) {
    // SAFETY: the interpreter is attached; this only notes that the signal has come.
    unsafe { ffi::PyErr_SetInterrupt() };
}
