//! The table that somebody asks for, and where its file is.

use std::path::PathBuf;

use fuseboard_core::layout::VERSION;

use super::boot;
use super::store_dir::StoreDir;
use crate::clock::Clock;
use crate::error::{Kind, OpenError};

/// A table's folder and file. The file's name carries layout version and boot, so a table of another version or boot is
/// another file and never replaced while somebody uses it.
pub(super) struct TableSpec<'a> {
    pub(super) dir: StoreDir,
    /// The file's name in the folder, and its whole path.
    pub(super) file: String,
    pub(super) path: PathBuf,
    pub(super) boot: u64,
    pub(super) clock: &'a Clock,
}

impl<'a> TableSpec<'a> {
    pub(super) fn new(name: &str, dir: StoreDir, clock: &'a Clock) -> Result<Self, OpenError> {
        let boot = boot::identity(&dir)?;
        let file = format!("{name}.v{VERSION}.{boot:016x}");
        let path = dir.path.join(&file);
        Ok(Self { dir, file, path, boot, clock })
    }

    /// An error about this table's file.
    pub(super) fn error(&self, kind: Kind, found: impl Into<String>) -> OpenError {
        OpenError::new(kind, &self.path, found)
    }
}
