//! Values of the Python package, and checks that answer with its errors.

use fuseboard_core::state::State;
use fuseboard_shm::error::OpenError;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::interpreter::interned::{read_only_class, shown, state_member, store_open_error};
use crate::table::store::Store;

/// The state that a member of `fuseboard.State` stands for.
pub(crate) fn state_of_member(member: &Bound<'_, PyAny>) -> PyResult<State> {
    for code in [State::Closed, State::Open, State::HalfOpen, State::Isolated, State::Disabled, State::Ramping] {
        if state_member(member.py(), code)?.is(member) {
            return Ok(code);
        }
    }
    Err(wrong_type("state must be a State", member))
}

/// A `TypeError` that shows the value, shortened, unless its own repr fails.
pub(crate) fn wrong_type(demand: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let kind = value.get_type().name().map_or_else(|_| "another type".to_owned(), |name| name.to_string());
    match shown(value) {
        Ok(shown) => PyTypeError::new_err(format!("{demand}, got {kind}: {shown}")),
        Err(error) => error,
    }
}

/// The state of a member's code.
pub(crate) fn state_of_code(code: u8) -> PyResult<State> {
    let state = State::from_code(code);
    if state as u8 == code && state.is_seen() {
        return Ok(state);
    }
    Err(PyValueError::new_err(format!("code must be that of a State, got {code}")))
}

/// `fuseboard.errors.StoreOpenError` for a table that cannot be had.
pub(crate) fn open_error(py: Python<'_>, store: &str, error: &OpenError) -> PyErr {
    match store_open_error(py) {
        Ok(class) => {
            // With whatever bytes it has, as Python takes names of files.
            let path = error.path.clone().into_os_string();
            let told = (store.to_owned(), path, error.kind.word(), error.found.clone(), error.is_transient);
            PyErr::from_type(class, told)
        }
        Err(error) => error,
    }
}

/// `fuseboard.errors.StoreReadOnlyError` for a store that only reads.
pub(crate) fn read_only_error(store: &Bound<'_, Store>) -> PyErr {
    let told = store.getattr("name").and_then(|name| Ok((read_only_class(store.py())?, name.unbind())));
    told.map_or_else(|error| error, |(class, name)| PyErr::from_type(class, (name,)))
}

/// Checks a fuse's name: 1 to 200 bytes of UTF-8.
pub(crate) fn fuse_name<'a>(name: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    use fuseboard_core::directory::NAME_MAX;
    let Ok(text) = name.cast::<PyString>() else {
        return Err(wrong_type("fuse name must be a str", name));
    };
    let text = text.to_str().map_err(|_| {
        PyValueError::new_err(format!("fuse name must be valid Unicode, got {text:?} with a lone surrogate"))
    })?;
    if (1..=NAME_MAX).contains(&text.len()) {
        return Ok(text);
    }
    let shown: String = text.chars().take(40).collect();
    Err(PyValueError::new_err(format!(
        "fuse name must have 1 to {NAME_MAX} bytes of UTF-8, got {}: {shown:?}{}",
        text.len(),
        if shown.len() < text.len() { "..." } else { "" }
    )))
}

/// Checks a fuse's name: 1 to 200 bytes of UTF-8.
///
/// Raises:
///     TypeError: it is not a str.
///     ValueError: it is empty, too long, or not valid Unicode.
#[pyfunction]
pub(crate) fn check_name(name: &Bound<'_, PyAny>) -> PyResult<()> {
    fuse_name(name).map(|_| ())
}

/// Whether this process was forked, and the interpreter has not been told, since this was last asked.
#[pyfunction]
pub(crate) fn take_note_of_a_fork() -> bool {
    fuseboard_shm::owner::take_note_of_a_fork()
}

/// Seconds of a stamp.
#[allow(clippy::cast_precision_loss, reason = "48 bits fit a double")]
pub(crate) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
