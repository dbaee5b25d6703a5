//! Names of fuses: 1 to 200 bytes of UTF-8.

use fuseboard_core::directory::NAME_MAX;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::errors::wrong_type;

/// The text of a checked name.
pub(crate) fn fuse_name<'a>(name: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    let Ok(text) = name.cast::<PyString>() else {
        return Err(wrong_type("fuse name must be a str", name));
    };
    let text = text.to_str().map_err(|_| {
        PyValueError::new_err(format!("fuse name must be valid Unicode, got {text:?}, which has a lone surrogate"))
    })?;
    if (1..=NAME_MAX).contains(&text.len()) {
        return Ok(text);
    }
    let shown: String = text.chars().take(40).collect();
    Err(PyValueError::new_err(format!(
        "fuse name must have 1 to {NAME_MAX} bytes of UTF-8, got {} bytes: {shown:?}{}",
        text.len(),
        if shown.len() < text.len() { "..." } else { "" }
    )))
}

/// Checks a fuse's name: 1 to 200 bytes of UTF-8.
///
/// Raises:
///     TypeError: the name is not a str.
///     ValueError: the name is empty, too long, or not valid Unicode.
#[pyfunction]
pub(crate) fn check_name(name: &Bound<'_, PyAny>) -> PyResult<()> {
    fuse_name(name).map(|_| ())
}
