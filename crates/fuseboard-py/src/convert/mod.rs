//! Between Rust's values and Python's.

pub(crate) mod errors;
pub(crate) mod numbers;
pub(crate) mod values;
