//! The guard: a native callable in front of a function, and behind the Python function that callers see. The binding's only unsafe code is in this module.
//!
//! A guarded call costs, while the fuse is closed, one load before and one load and one counter after; arguments are
//! handed on as they came (vectorcall, PEP 590), so nothing is packed. The type is made by hand because PyO3's
//! classes take their arguments in a tuple.

mod block;
mod bound_calls;
mod callable;
mod class;
mod entry;

pub(crate) use block::add_methods;
pub(crate) use bound_calls::bound_calls;
pub(crate) use callable::new_guard;
pub(crate) use entry::enter_directly;

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// Whether a result is a call that has only begun: a coroutine, a generator, an asynchronous generator, anything else that
/// can be awaited, or a context manager that contextlib has made of a generator.
#[inline(always)]
pub(crate) fn has_only_begun(value: &Bound<'_, PyAny>) -> bool {
    let class = value.get_type_ptr();
    // SAFETY: the class of a live object; its table of asynchronous methods lives as long as it, or is null.
    let Some(methods) = (unsafe { (*class).tp_as_async.as_ref() }) else { return false };
    // All three have such a table, which most results' classes do not, though of a generator's it is only half filled.
    class == &raw mut ffi::PyGen_Type
        || class == &raw mut ffi::PyAsyncGen_Type
        || methods.am_await.is_some()
        || crate::interpreter::interned::types(value.py())
            .managers
            .iter()
            .any(|manager| manager.as_ptr() == class.cast())
}

/// The types that are made by hand.
pub(crate) struct Types {
    guard: Py<PyType>,
    block: Py<PyType>,
    /// Of contextlib: what its decorators make, and the code that enters one.
    managers: [Py<PyType>; 2],
    enters: [Py<PyAny>; 2],
}

impl Types {
    pub(crate) fn make(py: Python<'_>) -> PyResult<Self> {
        let contextlib = py.import("contextlib")?;
        let manager = |name| PyResult::Ok(contextlib.getattr(name)?.cast_into()?.unbind());
        let managers = [manager("_GeneratorContextManager")?, manager("_AsyncGeneratorContextManager")?];
        let code = |of: &Py<PyType>, method| PyResult::Ok(of.bind(py).getattr(method)?.getattr("__code__")?.unbind());
        let enters = [code(&managers[0], "__enter__")?, code(&managers[1], "__aenter__")?];
        Ok(Self { guard: class::make_guard_type(py)?, block: block::make_block_type(py)?, managers, enters })
    }

    /// Whether it is the code by which contextlib enters a block.
    pub(crate) fn enters_blocks(&self, code: &Bound<'_, PyAny>) -> bool {
        self.enters.iter().any(|enters| enters.is(code))
    }

    fn guard(&self, py: Python<'_>) -> *mut ffi::PyTypeObject {
        self.guard.bind(py).as_type_ptr()
    }

    fn block(&self, py: Python<'_>) -> *mut ffi::PyTypeObject {
        self.block.bind(py).as_type_ptr()
    }
}

const REFUSED: &str = "fuseboard cannot be used in a sub-interpreter: its calls would hang there. Use the main interpreter: \
    under Apache's mod_wsgi set `WSGIApplicationGroup %{GLOBAL}`; elsewhere use threads or processes";

/// An error in a sub-interpreter: PyO3 attaches threads to the main one, by a lock that may be held already.
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

/// How many references there are to an object.
pub(crate) fn references(object: &Py<PyAny>) -> ffi::Py_ssize_t {
    // SAFETY: `object` is a reference to a live object; reading its count needs no more.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

/// The Python frame that is running: the same for the beginning and the end of a `with` block, and no other block's
/// while that one runs. None where no Python code runs.
pub(crate) fn running_frame(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    // SAFETY: the interpreter is attached (`py`); the result is borrowed, or null.
    unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyEval_GetFrame().cast()) }
}
