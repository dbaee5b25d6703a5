//! The name of a slot, for people.

use crate::sync::{AtomicU64, Ordering};

/// Longest name in bytes of UTF-8.
pub const NAME_MAX: usize = 200;
const NAME_WORDS: usize = 26;

/// A slot's name: its length in the first byte, then up to [`NAME_MAX`] bytes of UTF-8, then zeroes.
///
/// Each process that takes a slot, or comes to use it, writes the name unless it stands there; all write the same bytes,
/// and the first word last, so a half-written one has none and is completed by the next. A reader checks what it read
/// against the slot's hash.
#[repr(C)]
pub struct Name([AtomicU64; NAME_WORDS]);

impl Name {
    /// An empty name.
    #[must_use]
    pub fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Writes a name of 1 to [`NAME_MAX`] bytes; longer ones are cut.
    pub fn write(&self, name: &[u8]) {
        let len = name.len().min(NAME_MAX);
        let mut bytes = [0_u8; NAME_WORDS * 8];
        bytes[0] = len as u8;
        bytes[1..=len].copy_from_slice(&name[..len]);
        for (word, bytes) in self.0.iter().zip(bytes.as_chunks().0).rev() {
            // Release: the first word, which holds the length, comes last.
            word.store(u64::from_le_bytes(*bytes), Ordering::Release);
        }
    }

    /// The bytes that stand there now, whole or not.
    #[must_use]
    pub fn read(&self) -> NameBytes {
        let mut bytes = [0_u8; NAME_WORDS * 8];
        for (word, bytes) in self.0.iter().zip(bytes.as_chunks_mut().0) {
            *bytes = word.load(Ordering::Relaxed).to_le_bytes();
        }
        NameBytes(bytes)
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::new()
    }
}

/// A copy of a name.
pub struct NameBytes([u8; NAME_WORDS * 8]);

impl NameBytes {
    /// The name's bytes; the length is brought into range, whatever stood there (rule T10).
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0[1..=usize::from(self.0[0]).min(NAME_MAX)]
    }
}
