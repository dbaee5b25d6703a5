//! What is made once for the process: names of methods, types, classes of exceptions.
//!
//! All of it at the import, by [`make_ready`]. Made when it is first needed it would be made under a lock that PyO3 takes
//! without the interpreter's: a child that is forked just then, by another thread, finds it taken, and waits for ever.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

macro_rules! names {
    ($($name:ident = $text:literal,)*) => {
        $(pub(crate) fn $name(py: Python<'_>) -> &Bound<'_, PyString> {
            intern!(py, $text)
        })*

        fn make_names(py: Python<'_>) {
            $(_ = $name(py);)*
        }
    };
}

names! {
    resolve = "_resolve",
    failure_if = "_failure_if",
    is_failure = "_is_failure",
    transitioned = "_transitioned",
    voided = "_voided",
    report = "_report",
    follow = "_follow",
    full = "_full",
    enter = "_enter",
    exit = "_exit",
    aenter = "_aenter",
    aexit = "_aexit",
    settle = "_settle",
    admit = "_admit",
    returned = "_returned",
    fall_back = "_fall_back",
}

/// Makes all that is made once.
#[pyfunction]
pub(crate) fn make_ready(py: Python<'_>) -> PyResult<()> {
    make_names(py);
    crate::guard::make_types(py)?;
    crate::ready::Ready::shared(py)?;
    crate::python::import_classes(py)
}
