//! Time: whole microseconds in Rust, seconds in Python.

/// Seconds of a stamp or a length.
#[allow(clippy::cast_precision_loss, reason = "48 bits fit a double")]
pub(crate) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
