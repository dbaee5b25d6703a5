//! No lock: where processes share no tables, no table has a path, and nobody asks for one.

use std::io;
use std::path::Path;

/// Never had.
#[derive(Debug)]
pub(super) enum Lock {}

impl Lock {
    /// Not to be had.
    pub(super) fn get(_: &Path) -> io::Result<Option<Self>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
