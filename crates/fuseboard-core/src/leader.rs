//! One leader a host for a purpose: room for their leases.

use crate::sync::AtomicU64;

/// Purposes that a table has room for.
pub const PURPOSES: usize = 8;

/// The lease of one purpose. Any bytes are a valid one; zeroes are one that nobody has.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Leader(pub(crate) [AtomicU64; 8]);

impl Leader {
    /// A lease that nobody has.
    #[must_use]
    pub fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Default for Leader {
    fn default() -> Self {
        Self::new()
    }
}
