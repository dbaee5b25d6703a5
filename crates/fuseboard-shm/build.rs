//! Tells the sources whether this system can share a table between processes: `cfg(shares_tables)`.
//!
//! Linux and macOS can. `--cfg fuseboard_private_only` builds for one of these as if it could not, so that what other
//! systems get can be run and tested there.

use std::env::var;

fn main() {
    let is_known = var("CARGO_CFG_TARGET_OS").is_ok_and(|system| ["linux", "macos"].contains(&system.as_str()));
    emit("cargo::rustc-check-cfg=cfg(shares_tables)");
    if is_known && var("CARGO_CFG_FUSEBOARD_PRIVATE_ONLY").is_err() {
        emit("cargo::rustc-cfg=shares_tables");
    }
}

#[allow(clippy::print_stdout, reason = "cargo reads it there")]
fn emit(line: &str) {
    println!("{line}");
}
