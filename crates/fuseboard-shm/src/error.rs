//! Why a host's table cannot be had: one kind per reaction a caller can have.

use std::fmt;
use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

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

    /// The same error of a cause that may pass by itself.
    pub(crate) fn transient(self, is_transient: bool) -> Self {
        Self { is_transient, ..self }
    }

    /// The error for a failed system call on `path`.
    pub(crate) fn system(doing: &str, path: impl Into<PathBuf>, error: Errno) -> Self {
        let kind = match error {
            Errno::NOSPC | Errno::DQUOT => Kind::Full,
            _ => Kind::System,
        };
        Self::new(kind, path, format!("{doing}: {}", io::Error::from(error))).transient(is_transient(error))
    }
}

/// Whether what a system call failed of may be over a moment later, without anybody's doing.
pub(crate) fn is_transient(error: Errno) -> bool {
    matches!(
        error,
        Errno::MFILE
            | Errno::NFILE
            | Errno::NOMEM
            | Errno::NOBUFS
            | Errno::NOSPC
            | Errno::DQUOT
            | Errno::INTR
            | Errno::AGAIN
            | Errno::BUSY
    )
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

    #[test]
    fn an_error_says_what_was_done_where_and_what_the_system_said() {
        let error = OpenError::system("cannot map the table", "/a/shop", Errno::NOMEM);
        assert_eq!("/a/shop: cannot map the table: Cannot allocate memory (os error 12)", error.to_string());
    }

    /// Want of descriptors, memory or room passes; what somebody has to mend does not.
    #[test]
    fn a_shortage_passes_and_a_refusal_does_not() {
        let passes = |error| OpenError::system("cannot map the table", "/a/shop", error).is_transient;
        let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOSPC, Errno::DQUOT, Errno::AGAIN];
        assert_eq!([true; 6], shortages.map(passes));
        assert_eq!([false; 4], [Errno::ACCESS, Errno::PERM, Errno::ROFS, Errno::NOENT].map(passes));
        assert!(!OpenError::new(Kind::Foreign, "/a/shop", "is a pipe").is_transient);
    }
}
