//! What the standard library's `contextlib` makes of generators, and results that are calls which have only begun.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::interpreter::at_import::AtImport;

static CONTEXTLIB: AtImport<Contextlib> = AtImport::new();

struct Contextlib {
    /// The classes of what its decorators make.
    managers: [Py<PyType>; 2],
    /// The code by which these enter a block.
    enters: [Py<PyAny>; 2],
}

/// Looks the classes up. Called by the module's init.
pub(crate) fn make(py: Python<'_>) -> PyResult<()> {
    let module = py.import("contextlib")?;
    let manager = |name| PyResult::Ok(module.getattr(name)?.cast_into()?.unbind());
    let managers = [manager("_GeneratorContextManager")?, manager("_AsyncGeneratorContextManager")?];
    let code = |class: &Py<PyType>, method| PyResult::Ok(class.bind(py).getattr(method)?.getattr("__code__")?.unbind());
    let enters = [code(&managers[0], "__enter__")?, code(&managers[1], "__aenter__")?];
    CONTEXTLIB.set(py, Contextlib { managers, enters });
    Ok(())
}

/// Whether contextlib enters a block by this code.
pub(crate) fn enters_blocks(code: &Bound<'_, PyAny>) -> bool {
    CONTEXTLIB.get(code.py()).enters.iter().any(|enters| enters.is(code))
}

/// Whether a result is a call that has only begun: a coroutine, a generator, an asynchronous generator, anything else that
/// can be awaited, or a context manager that contextlib has made of a generator.
#[inline(always)]
pub(crate) fn has_only_begun(value: &Bound<'_, PyAny>) -> bool {
    let class = value.get_type_ptr();
    // SAFETY: the class of a live object; its table of asynchronous methods lives as long as the class, or is null.
    let Some(methods) = (unsafe { (*class).tp_as_async.as_ref() }) else { return false };
    // All of them have such a table, which the classes of most results do not; a generator's is only half filled.
    class == &raw mut ffi::PyGen_Type
        || class == &raw mut ffi::PyAsyncGen_Type
        || methods.am_await.is_some()
        || CONTEXTLIB.get(value.py()).managers.iter().any(|manager| manager.as_ptr() == class.cast())
}
