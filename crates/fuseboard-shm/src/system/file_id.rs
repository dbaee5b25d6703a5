//! A file's identity.

/// Which file it is, whatever its names are: its device and its number there.
pub(crate) type FileId = (u64, u64);
