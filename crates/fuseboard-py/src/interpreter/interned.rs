//! Names of attributes, made once as Python strings.

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::interpreter::at_import::AtImport;

static NAMES: AtImport<Names> = AtImport::new();

macro_rules! names {
    ($($name:ident = $text:literal,)*) => {
        struct Names {
            $($name: Py<PyString>,)*
        }

        /// Makes them. Called by the module's init.
        pub(crate) fn make(py: Python<'_>) {
            NAMES.set(py, Names { $($name: PyString::intern(py, $text).unbind(),)* });
        }

        $(pub(crate) fn $name(py: Python<'_>) -> &Bound<'_, PyString> {
            NAMES.get(py).$name.bind(py)
        })*
    };
}

names! {
    // Methods of the binding's own `Breaker`.
    admit = "_admit",
    settle = "_settle",
    settle_result = "_settle_result",
    permit = "_permit",
    enter = "_enter",
    exit = "_exit",
    aenter = "_aenter",
    aexit = "_aexit",
    // Frames and code objects.
    f_code = "f_code",
    f_back = "f_back",
    co_flags = "co_flags",
}
