//! Primitives of the interpreter. Nothing here knows what a fuse is.

pub(crate) mod at_import;
pub(crate) mod borrowed;
pub(crate) mod completed_awaitable;
pub(crate) mod context_variable;
pub(crate) mod contextlib;
pub(crate) mod frames;
#[cfg(Py_GIL_DISABLED)]
pub(crate) mod hazard;
pub(crate) mod interned;
pub(crate) mod kept;
pub(crate) mod left;
pub(crate) mod link;
pub(crate) mod process;
pub(crate) mod python_code;
pub(crate) mod types;
