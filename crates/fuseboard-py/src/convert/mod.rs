//! Between Rust's values and Python's, both ways.

pub(crate) mod errors;
pub(crate) mod fuse_name;
pub(crate) mod numbers;
pub(crate) mod package;
pub(crate) mod rows;
pub(crate) mod states;
pub(crate) mod time;
pub(crate) mod values;
