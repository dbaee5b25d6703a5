//! What a system gets on which processes share no tables: an error that says so.

use std::env::consts::OS;
use std::path::Path;

use fuseboard_core::layout::Geometry;

use crate::clock::Clock;
use crate::error::{Kind, OpenError};
use crate::table::{Table, View};

/// Opens no table.
///
/// # Errors
/// An [`OpenError`] of [`Kind::Unsupported`].
pub fn open(_: &str, folder: Option<&Path>, _: Geometry, _: Clock) -> Result<Table, OpenError> {
    Err(refusal(folder))
}

/// Opens no table.
///
/// # Errors
/// As [`open`].
pub fn find(_: &str, folder: Option<&Path>, _: Clock) -> Result<Table, OpenError> {
    Err(refusal(folder))
}

/// Opens no table.
///
/// # Errors
/// As [`open`].
pub fn look(_: &str, folder: Option<&Path>, _: Clock) -> Result<View, OpenError> {
    Err(refusal(folder))
}

fn refusal(folder: Option<&Path>) -> OpenError {
    let found =
        format!("this build for {OS} has no tables that processes share (builds for Linux and macOS have them)");
    OpenError::new(Kind::Unsupported, folder.unwrap_or(Path::new("")), found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each way to open a table says that the system has none, and nothing that may pass by itself.
    #[test]
    fn each_way_to_open_a_table_is_refused() {
        let geometry = Geometry::for_capacity(1, 1).expect("in range");
        let errors = [
            open("shop", None, geometry, Clock::System).map(|_| ()),
            find("shop", None, Clock::System).map(|_| ()),
            look("shop", Some(Path::new("/a")), Clock::System).map(|_| ()),
        ];
        for (error, path) in errors.into_iter().zip(["", "", "/a"]) {
            let error = error.expect_err("no table");
            assert_eq!((Kind::Unsupported, Path::new(path), false), (error.kind, &*error.path, error.is_transient));
            assert!(error.found.contains(OS), "{error}");
        }
    }
}
