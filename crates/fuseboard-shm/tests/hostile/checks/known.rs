//! What is known not to hold yet. `findings.rs` shows each by a test of its own, ignored until it is mended; then its line
//! here goes too.

/// F6: the key of the empty name gives out an empty name.
pub const EMPTY_NAME: bool = true;
