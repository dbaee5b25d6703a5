//! The bound on the shared writes of one operation (no loop goes on without another process's change).

/// Runs `operation`, which must not make more than `writes` shared writes. Counted only in a build with `--cfg
/// fuseboard_crash` (as the fuzz targets are); elsewhere the clock of whoever runs the check has to do.
#[cfg(fuseboard_crash)]
pub fn bounded<T>(writes: u32, operation: impl FnOnce() -> T) -> T {
    let mut answer = None;
    let endless = fuseboard_core::sync::crash::abandon_after(writes, || answer = Some(operation()));
    assert!(!endless, "an operation made more than {writes} shared writes");
    answer.expect("it ran to its end")
}

/// Runs `operation`; see the other form.
#[cfg(not(fuseboard_crash))]
pub fn bounded<T>(_writes: u32, operation: impl FnOnce() -> T) -> T {
    operation()
}
