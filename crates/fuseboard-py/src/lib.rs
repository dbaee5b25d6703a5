//! The binding: converts, raises, calls. It makes no decisions; those are the core's, and in Python the package's.
//!
//! | module | holds |
//! |---|---|
//! | `store` | `Store`: the contract by name |
//! | `opened` | what a store has open, one after another |
//! | `fuse` | `Fuse`: a name's slot with one breaker's numbers; `Permit` |
//! | `breaker` | `Breaker`: what is kept for a breaker, and its methods |
//! | `call` | what calls ask and say: admits and settles them |
//! | `verdict` | what the Python class says of a call's end, and what of that is remembered |
//! | `ready` | `CompletedAwaitable`: what `async with` awaits |
//! | `blocks` | the permits of `with` blocks |
//! | `guard` | the native callable, and the binding's only unsafe code |
//! | `leader` | `Leader` and `Unexported`: who leads for a purpose, and what was not exported yet |
//! | `state_cache` | names and states that were read last, kept for the next time |
//! | `names` | what is made once for the process, at the import; what the Python package hands in |
//! | `values` | `FuseState`, `FuseSnapshot`, `Clock` |
//! | `reader` | `JournalCursor`: a place in the journal; transitions as Python takes them |
//! | `python` | checks that answer with the package's errors |
#![deny(unsafe_code)]

mod breaker;
mod convert;
#[allow(unsafe_code, reason = "vectorcall, descriptors and frames have no safe interface")]
mod guard;
#[allow(unsafe_code, reason = "references, context variables and calls of Python code, as the guard needs them")]
mod interpreter;
mod table;

use pyo3::prelude::*;

/// The compiled part of Fuseboard. Its manual is the stub `_core.pyi`.
// The links from breakers to fuses are swapped under the interpreter lock, so the module asks for it.
#[pymodule(gil_used = true)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // First of all: classes that a sub-interpreter made would be the main interpreter's too.
    guard::refuse_sub_interpreter(module.py())?;
    // Before anybody can fork in the middle of it; neither I/O nor a thread.
    fuseboard_shm::owner::register();
    interpreter::interned::make(module.py())?;
    module.add_class::<breaker::class::Breaker>()?;
    module.add_class::<table::fuse::Fuse>()?;
    module.add_class::<table::fuse::Permit>()?;
    module.add_class::<table::leader::Leader>()?;
    module.add_class::<table::leader::Unexported>()?;
    module.add_class::<table::journal_cursor::JournalCursor>()?;
    module.add_class::<interpreter::completed_awaitable::CompletedAwaitable>()?;
    module.add_class::<table::store::Store>()?;
    // Made like the others, but nobody's to see.
    module.py().get_type::<table::opened::Opened>();
    module.add_class::<convert::values::Clock>()?;
    module.add_class::<convert::values::FuseSnapshot>()?;
    module.add_class::<convert::values::FuseState>()?;
    module.add_function(wrap_pyfunction!(table::fuse::fingerprint, module)?)?;
    module.add_function(wrap_pyfunction!(interpreter::interned::first, module)?)?;
    module.add_function(wrap_pyfunction!(guard::enter_directly, module)?)?;
    module.add_function(wrap_pyfunction!(interpreter::interned::hand_in, module)?)?;
    module.add_function(wrap_pyfunction!(convert::errors::check_name, module)?)?;
    module.add_function(wrap_pyfunction!(convert::errors::take_note_of_a_fork, module)?)?;
    guard::add_methods(module.py())
}
