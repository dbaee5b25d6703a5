//! What the binding uses of the Python package, imported at first use.

use fuseboard_core::state::State;
use fuseboard_shm::error::OpenError;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};

/// The member of `fuseboard.State` for a state.
pub(crate) fn state_member<'py>(py: Python<'py>, state: State) -> PyResult<Bound<'py, PyAny>> {
    static MEMBERS: PyOnceLock<Vec<Py<PyAny>>> = PyOnceLock::new();
    let members = MEMBERS.get_or_try_init(py, || -> PyResult<_> {
        let class = py.import("fuseboard._state")?.getattr("State")?;
        let names = ["CLOSED", "CLOSED", "OPEN", "HALF_OPEN", "ISOLATED", "DISABLED", "RAMPING"];
        names.iter().map(|name| Ok(class.getattr(name)?.unbind())).collect()
    })?;
    Ok(members[state as usize].bind(py).clone())
}

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
fn wrong_type(demand: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let shown = value.py().import("fuseboard._checks").and_then(|module| module.call_method1("shown", (value,)));
    let kind = value.get_type().name().map_or_else(|_| "another type".to_owned(), |name| name.to_string());
    match shown {
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
            let path = error.path.display().to_string();
            PyErr::from_type(class.clone(), (store.to_owned(), path, error.kind.word(), error.found.clone()))
        }
        Err(error) => error,
    }
}

fn store_open_error(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "fuseboard.errors", "StoreOpenError")
}

/// The class of a rejection: `CircuitOpenError`, or the one of an operator's word.
pub(crate) fn rejection_class(py: Python<'_>, state: State) -> PyResult<&Bound<'_, PyAny>> {
    static OPEN: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static ISOLATED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let (class, name) =
        if state == State::Isolated { (&ISOLATED, "CircuitIsolatedError") } else { (&OPEN, "CircuitOpenError") };
    class.import(py, "fuseboard.errors", name).map(Bound::as_any)
}

/// Finds the classes that are used of the package. When the interpreter ends, it is too late to import them.
pub(crate) fn import_classes(py: Python<'_>) -> PyResult<()> {
    for state in [State::Open, State::Isolated] {
        state_member(py, state)?;
        rejection_class(py, state)?;
    }
    store_open_error(py).map(|_| ())
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

#[pyfunction]
pub(crate) fn check_name(name: &Bound<'_, PyAny>) -> PyResult<()> {
    fuse_name(name).map(|_| ())
}

/// Seconds of a stamp.
#[allow(clippy::cast_precision_loss, reason = "48 bits fit a double")]
pub(crate) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
