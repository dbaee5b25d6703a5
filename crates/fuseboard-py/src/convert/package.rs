//! The Python package, as the binding knows it: what the package hands in at its import.
//!
//! The binding imports nothing. The package calls [`install`] once, with one object that has an attribute for each name
//! below. The stub describes that object as the protocol `Package`, so a type checker finds a method that was renamed.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::interpreter::at_import::AtImport;
use crate::interpreter::link::Link;
use crate::interpreter::python_code::call_python;

static BORDER: AtImport<Border> = AtImport::new();

/// Where the binding meets the package: what it was given, and what must outlive an import.
struct Border {
    /// Replaced when the package is imported anew.
    package: Link<Package>,
    first_classes: Py<PyDict>,
}

/// Makes room for what the package hands in later. Called by the module's init.
pub(crate) fn make(py: Python<'_>) {
    BORDER.set(py, Border { package: Link::default(), first_classes: PyDict::new(py).unbind() });
}

macro_rules! package {
    (values { $($value:ident,)* } functions { $($(#[$about:meta])* $function:ident,)* }) => {
        /// Not for Python to see. It is a Python object because a [`Link`] leads to one.
        #[pyclass(frozen, module = "fuseboard._core")]
        pub struct Package {
            $($value: Py<PyAny>,)*
            $($function: Py<PyAny>,)*
        }

        impl Package {
            fn of(handed_in: &Bound<'_, PyAny>) -> PyResult<Self> {
                Ok(Self {
                    $($value: handed_in.getattr(stringify!($value))?.unbind(),)*
                    $($function: handed_in.getattr(stringify!($function))?.unbind(),)*
                })
            }
        }

        $(fn $value(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
            Ok(installed(py)?.get().$value.bind(py).clone())
        })*

        $($(#[$about])*
        pub(crate) fn $function<'py, A>(py: Python<'py>, arguments: A) -> PyResult<Bound<'py, PyAny>>
        where
            A: IntoPyObject<'py, Target = PyTuple>,
        {
            call_python(installed(py)?.get().$function.bind(py), arguments)
        })*
    };
}

package! {
    values {
        states,
        open_error,
        isolated_error,
    }
    functions {
        /// A value for a message, shortened.
        shown,
        /// The error of a table that cannot be opened.
        store_open_error,
        /// The error of a store that only reads.
        store_read_only_error,
        /// The fuse of a breaker, for calls.
        resolve,
        /// The fuse of a breaker, for code that only looks.
        look,
        /// What an exception means.
        judge,
        /// What a result means.
        judge_result,
        /// Whether an exception is the function's own, and not of its wrong arguments.
        has_begun,
        /// Guards what a call returned that has only begun.
        follow,
        /// What a rejected call gets.
        fall_back,
        /// A breaker's call has made a transition.
        transitioned,
        /// A block of a breaker ended by hand where none had begun.
        block_lost,
        /// Takes a fault that must not reach a breaker's caller.
        report,
        /// A store looks for the host's table.
        search,
        /// A store looks around in a child that was just forked.
        look_around,
        /// A store's table is full.
        is_full,
    }
}

fn border(py: Python<'_>) -> &Border {
    BORDER.get(py)
}

fn installed(py: Python<'_>) -> PyResult<Bound<'_, Package>> {
    border(py).package.get(py).ok_or_else(|| {
        PyRuntimeError::new_err("fuseboard._core is of no use by itself: import fuseboard, which tells it what to call")
    })
}

/// Hands in what the compiled part calls of the package. A package that is imported anew hands in its own.
///
/// Raises:
///     AttributeError: something is missing.
#[pyfunction]
pub(crate) fn install(package: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = package.py();
    let package = Bound::new(py, Package::of(package)?)?;
    border(py).package.set(py, Some(package));
    Ok(())
}

/// A class decorator. Returns the first class of this name in this process.
///
/// So a module that is reloaded, or imported again, keeps the classes that people have imported.
#[pyfunction]
pub(crate) fn first<'py>(cls: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    let (classes, name) = (border(cls.py()).first_classes.bind(cls.py()), cls.fully_qualified_name()?);
    // One step: two threads may import the package anew at the same time.
    classes.call_method1("setdefault", (name, cls))
}

/// The members of `fuseboard.State`, in the order of their codes, which begin with 1.
pub(crate) fn state_members(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    states(py)
}

/// The class of a rejection: `CircuitOpenError`, or the one of a manual override.
pub(crate) fn rejection_class(py: Python<'_>, is_isolated: bool) -> PyResult<Bound<'_, PyAny>> {
    if is_isolated { isolated_error(py) } else { open_error(py) }
}
