//! The binding: converts, raises, calls. It makes no decisions; those are the core's, and in Python the package's.
//!
//! | module | holds |
//! |---|---|
//! | `store` | `Store`: the contract by name |
//! | `fuse` | `Fuse`: a name's slot with one breaker's numbers; `Permit` |
//! | `breaker` | `Breaker`: what is kept for a breaker, and its methods |
//! | `call` | what calls ask and say: admits and settles them |
//! | `ready` | `Ready`: what `async with` awaits |
//! | `blocks` | the permits of `with` blocks |
//! | `guard` | the native callable, and the binding's only unsafe code |
//! | `listing` | names and states that were read last, kept for the next time |
//! | `names` | what is made once for the process, at the import |
//! | `values` | `FuseState`, `FuseSnapshot`, `Clock` |
//! | `reader` | `Reader`: a place in the journal; transitions as Python takes them |
//! | `python` | what the binding uses of the Python package: the enum of states, the errors |
#![deny(unsafe_code)]

mod blocks;
mod breaker;
mod call;
mod fuse;
#[allow(unsafe_code, reason = "vectorcall, descriptors and frames have no safe interface")]
mod guard;
mod listing;
mod names;
mod numbers;
mod python;
mod reader;
mod ready;
mod store;
mod values;

use pyo3::prelude::*;

/// The compiled part of Fuseboard. Its manual is the stub `_core.pyi`.
// The links from breakers to fuses are swapped under the interpreter lock, so the module asks for it.
#[pymodule(gil_used = true)]
mod _core {
    use pyo3::prelude::*;

    /// Before anybody can fork in the middle of it; neither I/O nor a thread.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        fuseboard_shm::owner::register();
        crate::guard::add_methods(module.py())
    }

    #[pymodule_export]
    use crate::breaker::Breaker;
    #[pymodule_export]
    use crate::fuse::{Fuse, Permit, fingerprint};
    #[pymodule_export]
    use crate::names::make_ready;
    #[pymodule_export]
    use crate::python::check_name;
    #[pymodule_export]
    use crate::reader::Reader;
    #[pymodule_export]
    use crate::ready::Ready;
    #[pymodule_export]
    use crate::store::Store;
    #[pymodule_export]
    use crate::values::{Clock, FuseSnapshot, FuseState};
}
