//! What is made once for the process: names of methods, types made by hand, and what the Python package hands in.
//!
//! All of it at the import; this is the only module that may hold a once-cell (clippy forbids them elsewhere). A once-cell
//! that is filled when it is first needed is filled under a lock that does not belong to the interpreter: a child that
//! another thread forks just then finds it taken, and waits for ever. Here nothing is filled but by [`make`], while the
//! import holds the module's import lock, and by [`hand_in`], which swaps a pointer.

#![allow(clippy::disallowed_types, reason = "filled at the import, by `set`, which never waits")]

use fuseboard_core::state::State;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::interpreter::completed_awaitable::CompletedAwaitable;
use crate::interpreter::context_variable::ContextVar;
use crate::interpreter::link::Link;

static MADE: PyOnceLock<Made> = PyOnceLock::new();

struct Made {
    names: Names,
    types: crate::guard::Types,
    ready: Py<CompletedAwaitable>,
    inside: ContextVar,
    handed: Link<PyTuple>,
    first: Py<PyDict>,
}

/// Makes all that the binding makes once. Called by the module's init.
pub(crate) fn make(py: Python<'_>) -> PyResult<()> {
    let types = crate::guard::Types::make(py)?;
    let made = Made {
        names: Names::make(py),
        types,
        ready: Py::new(py, CompletedAwaitable)?,
        inside: ContextVar::new(py, c"fuseboard_inside")?,
        handed: Link::default(),
        first: PyDict::new(py).unbind(),
    };
    // An interpreter that imports the module again, after it was dropped from `sys.modules`, goes on with the first.
    _ = MADE.set(py, made);
    Ok(())
}

fn made(py: Python<'_>) -> &Made {
    MADE.get(py).expect("the module's init has made it")
}

macro_rules! names {
    ($($name:ident = $text:literal,)*) => {
        struct Names {
            $($name: Py<PyString>,)*
        }

        impl Names {
            fn make(py: Python<'_>) -> Self {
                Self { $($name: PyString::intern(py, $text).unbind(),)* }
            }
        }

        $(pub(crate) fn $name(py: Python<'_>) -> &Bound<'_, PyString> {
            made(py).names.$name.bind(py)
        })*
    };
}

names! {
    resolve = "_resolve",
    look = "_look",
    failure_if = "_failure_if",
    has_begun = "_has_begun",
    judge = "_judge",
    transitioned = "_transitioned",
    voided = "_voided",
    report = "_report",
    follow = "_follow",
    full = "_full",
    search = "_search",
    look_around = "_look_around",
    enter = "_enter",
    exit = "_exit",
    aenter = "_aenter",
    aexit = "_aexit",
    settle = "_settle",
    admit = "_admit",
    returned = "_returned",
    fall_back = "_fall_back",
    f_code = "f_code",
    f_back = "f_back",
    co_flags = "co_flags",
}

/// The types that are made by hand.
#[inline]
pub(crate) fn types(py: Python<'_>) -> &crate::guard::Types {
    &made(py).types
}

/// What `async with` awaits: it has nothing to remember, so one serves everybody.
#[inline]
pub(crate) fn ready(py: Python<'_>) -> Bound<'_, CompletedAwaitable> {
    made(py).ready.bind(py).clone()
}

/// The permits whose calls the context that runs is inside of.
pub(crate) fn inside(py: Python<'_>) -> &ContextVar {
    &made(py).inside
}

/// Hands in what the compiled part uses of the package, at the import. States are in the order of their codes.
#[pyfunction]
pub(crate) fn hand_in<'py>(
    states: &Bound<'py, PyTuple>,
    open_error: &Bound<'py, PyType>,
    isolated_error: &Bound<'py, PyType>,
    store_error: &Bound<'py, PyType>,
    read_only_error: &Bound<'py, PyType>,
    shown: &Bound<'py, PyAny>,
) -> PyResult<()> {
    // Again, by a package that is imported anew: from then on its own are used.
    let py = states.py();
    for code in 1..=STATES {
        states.get_item(code - 1)?;
    }
    let classes = [open_error, isolated_error, store_error, read_only_error].map(|class| class.as_any());
    let items = states.iter().take(STATES).chain(classes.into_iter().chain([shown]).cloned()).collect::<Vec<_>>();
    made(py).handed.set(py, Some(PyTuple::new(py, items)?));
    Ok(())
}

/// A class decorator: the first class of this name that came here in this process.
///
/// So a module that is reloaded, or imported anew, goes on with the classes that people have imported.
#[pyfunction]
pub(crate) fn first<'py>(cls: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    let (classes, name) = (made(cls.py()).first.bind(cls.py()), cls.fully_qualified_name()?);
    if let Some(first) = classes.get_item(&name)? {
        return Ok(first);
    }
    classes.set_item(name, cls)?;
    Ok(cls.clone().into_any())
}

/// How many states Python knows.
const STATES: usize = 6;

fn handed(py: Python<'_>, index: usize) -> PyResult<Bound<'_, PyAny>> {
    made(py).handed.get(py).expect("the package hands in at its import").get_item(index)
}

/// The member of `fuseboard.State` for a state. A fuse never seen is closed.
pub(crate) fn state_member(py: Python<'_>, state: State) -> PyResult<Bound<'_, PyAny>> {
    handed(py, (state.visible() as usize).max(1) - 1)
}

/// The class of a rejection: `CircuitOpenError`, or the one of a manual override.
pub(crate) fn rejection_class(py: Python<'_>, state: State) -> PyResult<Bound<'_, PyAny>> {
    handed(py, STATES + usize::from(state == State::Isolated))
}

/// `StoreOpenError`.
pub(crate) fn store_open_error(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    Ok(handed(py, STATES + 2)?.cast_into()?)
}

/// `StoreReadOnlyError`.
pub(crate) fn read_only_class(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    Ok(handed(py, STATES + 3)?.cast_into()?)
}

/// A value for a message, shortened, whatever its own repr does.
pub(crate) fn shown<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    crate::interpreter::python_code::call_python(&handed(value.py(), STATES + 4)?, (value,))
}
