//! Why a host's table cannot be had: one kind per reaction a caller can have.

use std::fmt;
use std::path::PathBuf;

/// What the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The folder is not private to this user: mend or choose another.
    Folder,
    /// The folder belongs to another user: run as that user, or choose another folder.
    Owner,
    /// There is no table, and none was to be made: start the program that makes it.
    Missing,
    /// The file is not a sound table of this user's: remove it.
    Foreign,
    /// The file is of another layout version: use one version of the library.
    Version,
    /// No room for the table: free some, or ask for a smaller one.
    Full,
    /// The operating system refused: see the message.
    System,
    /// This platform has no shared tables.
    Unsupported,
}

impl Kind {
    /// The word by which Python knows the kind.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Owner => "owner",
            Self::Missing => "missing",
            Self::Foreign => "foreign",
            Self::Version => "version",
            Self::Full => "full",
            Self::System => "system",
            Self::Unsupported => "unsupported",
        }
    }
}

/// A host's table could not be opened or made.
#[derive(Clone, Debug)]
pub struct OpenError {
    /// What the caller can do about it.
    pub kind: Kind,
    /// The folder or file in question.
    pub path: PathBuf,
    /// What was found, and what was expected.
    pub found: String,
    /// Whether the cause may pass by itself, such as a want of descriptors, memory or room.
    pub is_transient: bool,
}

impl OpenError {
    pub(crate) fn new(kind: Kind, path: impl Into<PathBuf>, found: impl Into<String>) -> Self {
        Self { kind, path: path.into(), found: found.into(), is_transient: false }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.found)
    }
}

impl std::error::Error for OpenError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's errors use these words, and programs match on them: never change one.
    #[test]
    fn the_words_of_the_kinds_are_fixed() {
        let kinds = [Kind::Folder, Kind::Owner, Kind::Missing, Kind::Foreign];
        assert_eq!(["folder", "owner", "missing", "foreign"], kinds.map(Kind::word));
        let kinds = [Kind::Version, Kind::Full, Kind::System, Kind::Unsupported];
        assert_eq!(["version", "full", "system", "unsupported"], kinds.map(Kind::word));
    }
}
