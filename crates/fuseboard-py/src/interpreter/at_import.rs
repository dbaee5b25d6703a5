//! What is made once for the process, at the import.
//!
//! This is the only file with a once-cell; clippy forbids them elsewhere. A cell that is filled at its first use is filled
//! under a lock that does not belong to the interpreter. A child that another thread forks at that moment finds the lock
//! taken, and waits for ever. An [`AtImport`] is filled by the module's init, while the import holds the module's import
//! lock. Reading it never waits.

#![allow(clippy::disallowed_types, reason = "filled at the import, by `set`, which never waits")]

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// A value that the module's init makes.
pub(crate) struct AtImport<T>(PyOnceLock<T>);

impl<T> AtImport<T> {
    pub(crate) const fn new() -> Self {
        Self(PyOnceLock::new())
    }

    /// Keeps the first value. A program may import the module again, after it dropped it from `sys.modules`.
    pub(crate) fn set(&self, py: Python<'_>, value: T) {
        _ = self.0.set(py, value);
    }

    #[inline]
    pub(crate) fn get(&self, py: Python<'_>) -> &T {
        self.0.get(py).expect("the module's init has made it")
    }
}
