//! Other processes: this test binary again, in another role.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const ROLE: &str = "FUSEBOARD_ANY_BYTES_ROLE";
const FOLDER: &str = "FUSEBOARD_ANY_BYTES_FOLDER";

/// Starts a process that runs only the test `entry`, which finds `role` and `folder` by [`role`].
pub fn start(entry: &str, role: &str, folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("the test binary"));
    command.args(["--exact", "--ignored", "--nocapture", "--test-threads=1", entry]);
    command.env(ROLE, role).env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("a process")
}

/// Runs such a process to its end.
pub fn run(entry: &str, role: &str, folder: &Path) -> Output {
    start(entry, role, folder).wait_with_output().expect("its end")
}

/// The role and folder of this process; `None` in a test run by hand.
pub fn role() -> Option<(String, PathBuf)> {
    Some((std::env::var(ROLE).ok()?, std::env::var_os(FOLDER)?.into()))
}

/// Everything that a process has said, for the message of a failed check.
pub fn said(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{out}\n{err}", output.status)
}
