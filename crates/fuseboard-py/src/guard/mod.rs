//! The guard: a native callable in front of a function, and behind the Python function that callers see.
//!
//! While the fuse is closed a guarded call costs one load before it, and one load and one counter after it. Arguments are
//! handed on as they came (vectorcall, PEP 590), so nothing is packed. The types are made by hand, because PyO3's classes
//! take their arguments in a tuple.

pub(crate) mod async_guard;
pub(crate) mod block;
pub(crate) mod callable;
pub(crate) mod class;
pub(crate) mod entry;
