//! Primitives of the interpreter, which know no fuse.

pub(crate) mod completed_awaitable;
pub(crate) mod context_variable;
pub(crate) mod interned;
pub(crate) mod link;
pub(crate) mod python_code;
