//! The store, what it has open, and its fuses.

pub(crate) mod fuse;
pub(crate) mod journal_cursor;
pub(crate) mod leader;
pub(crate) mod opened;
pub(crate) mod state_cache;
pub(crate) mod store;
