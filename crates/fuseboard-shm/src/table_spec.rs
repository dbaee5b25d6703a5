//! The table that somebody asks for, and where its file is.

use std::path::PathBuf;

use fuseboard_core::layout::VERSION;

use crate::boot;
use crate::clock::Clock;
use crate::error::{Kind, OpenError};
use crate::store_dir::StoreDir;

/// A table's folder and file. The file's name carries layout version and boot, so a table of another version or boot is
/// another file and never replaced while somebody uses it.
pub(crate) struct TableSpec<'a> {
    pub(crate) dir: StoreDir,
    /// The file's name in the folder, and its whole path.
    pub(crate) file: String,
    pub(crate) path: PathBuf,
    pub(crate) boot: u64,
    pub(crate) clock: &'a Clock,
}

impl<'a> TableSpec<'a> {
    pub(crate) fn new(name: &str, dir: StoreDir, clock: &'a Clock) -> Result<Self, OpenError> {
        let boot = boot::identity(&dir)?;
        let file = format!("{name}.v{VERSION}.{boot:016x}");
        let path = dir.path.join(&file);
        Ok(Self { dir, file, path, boot, clock })
    }

    /// An error about this table's file.
    pub(crate) fn error(&self, kind: Kind, found: impl Into<String>) -> OpenError {
        OpenError::new(kind, &self.path, found)
    }
}
