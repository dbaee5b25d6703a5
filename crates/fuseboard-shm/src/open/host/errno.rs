//! What a system call that failed means for who wants to open a table.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::error::{Kind, OpenError};

impl OpenError {
    /// The same error of a cause that may pass by itself.
    pub(super) fn transient(self, is_transient: bool) -> Self {
        Self { is_transient, ..self }
    }

    /// The error for a failed system call on `path`.
    pub(super) fn system(doing: &str, path: impl Into<PathBuf>, error: Errno) -> Self {
        let kind = match error {
            Errno::NOSPC | Errno::DQUOT => Kind::Full,
            _ => Kind::System,
        };
        Self::new(kind, path, format!("{doing}: {}", io::Error::from(error))).transient(is_transient(error))
    }
}

/// Whether what a system call failed of may be over a moment later, without anybody's doing.
pub(super) fn is_transient(error: Errno) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_done_where_and_what_the_system_said() {
        let error = OpenError::system("cannot map the table", "/a/shop", Errno::NOMEM);
        let said = io::Error::from(Errno::NOMEM);
        assert_eq!(format!("/a/shop: cannot map the table: {said}"), error.to_string());
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
