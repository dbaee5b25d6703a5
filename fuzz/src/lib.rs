//! What the fuzz targets share: the checks of `crates/fuseboard-shm/tests/any_bytes/checks`, and a folder for tables.

use std::path::PathBuf;

use checks::file::{Bed, Raw};

#[path = "../../crates/fuseboard-shm/tests/any_bytes/checks/mod.rs"]
pub mod checks;

thread_local! {
    static BED: (Bed, Vec<Raw>) = {
        let parent = std::env::var_os("FUSEBOARD_FUZZ_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let bed = Bed::new(&parent, "fuzz");
        let tables = checks::entry::tables(&bed);
        (bed, tables)
    };
}

/// Runs `check` with this process's folder below `$FUSEBOARD_FUZZ_DIR` and the tables in it.
pub fn on_bed<T>(check: impl FnOnce(&Bed, &[Raw]) -> T) -> T {
    BED.with(|(bed, tables)| check(bed, tables))
}
