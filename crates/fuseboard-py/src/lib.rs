//! The binding: converts, raises, calls. It makes no decisions. The core decides, and the package says what an exception
//! means.
//!
//! Each folder uses the folders above it in this table, and no other:
//!
//! | folder | holds |
//! |---|---|
//! | `interpreter` | primitives that know no fuse: links, context variables, frames, calls of Python code, types made by hand |
//! | `convert` | between Rust's values and Python's: states, numbers, rows, errors; what the package hands in |
//! | `table` | `Store` and what it has open, `Fuse` and the permits it gives, the journal's cursor, leaders |
//! | `breaker` | `Breaker` and `Permit`: how calls begin and end, nested calls, `with` blocks |
//! | `guard` | the native callable in front of a function, and its way in; the halves of a `with` statement |
//!
//! A call that fails goes this way: `guard/callable` calls the function, `breaker/calls` says how it ended, and
//! `table/fuse` settles it in the table.
//!
//! Only `interpreter` and `guard` have unsafe code.
#![deny(unsafe_code)]

mod breaker;
mod convert;
#[allow(unsafe_code, reason = "vectorcall, descriptors and entries of functions have no safe interface")]
mod guard;
#[allow(unsafe_code, reason = "borrowed references, context variables and types made by hand have no safe interface")]
mod interpreter;
mod table;

use pyo3::prelude::*;

/// The compiled part of Fuseboard. Its manual is the stub `_core.pyi`.
// Nothing here needs the interpreter lock: what it would protect is in `interpreter::hazard`, and in the section about free
// threading of docs/explanation/design.md. `make free-threaded` runs the tests and a stress of eight threads without it.
#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    // First of all: classes that a sub-interpreter made would be the main interpreter's too.
    interpreter::process::refuse_sub_interpreter(py)?;
    // Before anybody can fork in the middle of it; neither I/O nor a thread.
    fuseboard_shm::owner::register();
    make_what_is_made_once(module)?;
    module.add_class::<breaker::class::Breaker>()?;
    module.add_class::<breaker::permit::Permit>()?;
    module.add_class::<convert::values::Clock>()?;
    module.add_class::<convert::values::FuseSnapshot>()?;
    module.add_class::<convert::values::FuseState>()?;
    module.add_class::<interpreter::completed_awaitable::CompletedAwaitable>()?;
    module.add_class::<table::fuse::Fuse>()?;
    module.add_class::<table::journal_cursor::JournalCursor>()?;
    module.add_class::<table::leader::Leader>()?;
    module.add_class::<table::leader::Unexported>()?;
    module.add_class::<table::store::Store>()?;
    module.add_function(wrap_pyfunction!(convert::fuse_name::check_name, module)?)?;
    module.add_function(wrap_pyfunction!(convert::numbers::settings_hash, module)?)?;
    module.add_function(wrap_pyfunction!(convert::package::first, module)?)?;
    module.add_function(wrap_pyfunction!(convert::package::install, module)?)?;
    module.add_function(wrap_pyfunction!(guard::entry::enter_directly, module)?)?;
    module.add_function(wrap_pyfunction!(table::store::take_note_of_a_fork, module)?)?;
    Ok(())
}

fn make_what_is_made_once(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    interpreter::interned::make(py);
    interpreter::contextlib::make(py)?;
    interpreter::completed_awaitable::make(py)?;
    convert::package::make(py);
    breaker::blocks::make(py)?;
    breaker::nesting::make(py)?;
    let guard = wrap_pyfunction!(guard::callable::guard, module)?;
    module.add_function(guard.clone())?;
    guard::class::make(py, guard.into_any().unbind())?;
    let async_guard = wrap_pyfunction!(guard::async_guard::async_guard, module)?;
    module.add_function(async_guard.clone())?;
    guard::async_guard::make(py, async_guard.into_any().unbind())?;
    guard::block::make(py)?;
    // Classes that Python does not see are made here too.
    py.get_type::<convert::package::Package>();
    py.get_type::<table::opened::Opened>();
    Ok(())
}
