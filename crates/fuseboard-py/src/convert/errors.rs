//! The package's errors, made of what Rust knows.

use fuseboard_core::admission::Rejection;
use fuseboard_shm::error::OpenError;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::convert::package;
use crate::convert::time::seconds;
use crate::interpreter::python_code::call_python;

/// A `TypeError` that shows the value, shortened, whatever the value's own repr does.
pub(crate) fn wrong_type(demand: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let kind = value.get_type().name().map_or_else(|_| "another type".to_owned(), |name| name.to_string());
    match package::shown(value.py(), (value,)) {
        Ok(shown) => PyTypeError::new_err(format!("{demand}, got {kind}: {shown}")),
        Err(error) => error,
    }
}

/// `StoreOpenError` for a table that cannot be opened.
pub(crate) fn store_open_error(py: Python<'_>, store: &str, error: &OpenError) -> PyErr {
    // With the bytes that the path has, as Python takes names of files.
    let path = error.path.clone().into_os_string();
    let about = (store, path, error.kind.word(), error.found.as_str(), error.is_transient);
    package::store_open_error(py, about).map_or_else(|error| error, PyErr::from_value)
}

/// `StoreReadOnlyError` for a store that only reads.
pub(crate) fn store_read_only_error(store: &Bound<'_, PyAny>) -> PyErr {
    package::store_read_only_error(store.py(), (store,)).map_or_else(|error| error, PyErr::from_value)
}

/// A rejection by the fuse of this name, as an exception of this class.
pub(crate) fn rejection_error<'py>(
    class: &Bound<'py, PyAny>,
    fuse: &Py<PyAny>,
    state: Bound<'py, PyAny>,
    rejection: &Rejection,
) -> PyResult<Bound<'py, PyAny>> {
    let retry_after = rejection.retry_after_us.map(seconds);
    match rejection.lease_us {
        None => call_python(class, (fuse, state, retry_after)),
        Some(lease_us) => call_python(class, (fuse, state, retry_after, seconds(lease_us))),
    }
}
