//! From a fuse's name to its slot: an open-addressing table of keyed 128-bit fingerprints that is only ever added to.
//!
//! A slot is taken by one compare-and-swap of its first key word from 0: the claim is the publication (rule T03). The
//! second key word may then be filled by anybody whose first word matches. If two names share a first word, the one that
//! fills the second word has the slot and the other goes on to the next; so a claimant that dies in between leaves a slot
//! that its own name, or such a rare twin, completes later.
//!
//! The probe sequence is double hashing (Knuth, TAOCP 3, 6.4): a start and an odd stride from the two words, so that
//! it visits every slot of a table whose size is a power of two. It is capped at [`PROBES`], which bounds a look-up in
//! a full table. Nothing is ever removed, so all processes agree on where a name's sequence ends.

use crate::sync::{AtomicU64, Ordering};

/// Longest probe sequence. A table of up to this many slots can be filled to the last one.
pub const PROBES: usize = 1024;
/// Longest name in bytes of UTF-8.
pub const NAME_MAX: usize = 200;
const NAME_WORDS: usize = 26;

/// A keyed fingerprint of a name; neither word is 0, which means "free" or "not filled yet".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    low: u64,
    high: u64,
}

impl Fingerprint {
    /// A fingerprint of a 128-bit hash.
    #[must_use]
    pub const fn new(low: u64, high: u64) -> Self {
        Self { low: if low == 0 { 1 } else { low }, high: if high == 0 { 1 } else { high } }
    }
}

/// The key of a slot.
#[repr(C)]
pub struct Key {
    low: AtomicU64,
    high: AtomicU64,
}

impl Key {
    /// A free key.
    #[must_use]
    pub fn new() -> Self {
        Self { low: AtomicU64::new(0), high: AtomicU64::new(0) }
    }

    /// The fingerprint, once both words are there.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let low = self.low.load(Ordering::Acquire);
        let high = self.high.load(Ordering::Acquire);
        (low != 0 && high != 0).then_some(Fingerprint { low, high })
    }

    /// Whether the slot is this fingerprint's; makes it so if it can be and `claim` is set. `Err` ends the search.
    fn resolve(&self, print: Fingerprint, claim: bool) -> Result<bool, NotThere> {
        let mut low = self.low.load(Ordering::Acquire);
        if low == 0 {
            if !claim {
                return Err(NotThere);
            }
            low = swapped(&self.low, print.low);
        }
        if low != print.low {
            return Ok(false);
        }
        let mut high = self.high.load(Ordering::Acquire);
        if high == 0 {
            if !claim {
                return Ok(false);
            }
            high = swapped(&self.high, print.high);
        }
        Ok(high == print.high)
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

struct NotThere;

/// Puts `value` where 0 stands and returns what stands there then.
fn swapped(word: &AtomicU64, value: u64) -> u64 {
    match word.compare_exchange(0, value, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => value,
        Err(other) => other,
    }
}

/// The slot of a fingerprint among `keys` (a power of two of them); takes a free one if there is none and `claim` is
/// set. `None` if there is none, or none could be had within [`PROBES`] steps.
#[must_use]
pub fn locate(keys: &[Key], print: Fingerprint, claim: bool) -> Option<usize> {
    let mask = keys.len() - 1;
    let stride = print.high as usize | 1;
    let mut slot = print.low as usize & mask;
    for _ in 0..keys.len().min(PROBES) {
        match keys[slot].resolve(print, claim) {
            Ok(true) => return Some(slot),
            Ok(false) => slot = slot.wrapping_add(stride) & mask,
            Err(NotThere) => return None,
        }
    }
    None
}

/// A slot's name: its length in the first byte, then up to [`NAME_MAX`] bytes of UTF-8, then zeroes.
///
/// Whoever takes a slot, or comes to use it, writes the name if anything else stands there; all write the same bytes, and
/// the first word last, so a half-written one has none and is completed by the next. A reader checks what it read against
/// the slot's fingerprint.
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

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_half_filled_key_is_nobodys_until_somebody_fills_it() {
        let (name, twin) = (Fingerprint::new(5, 1), Fingerprint::new(5, 3));
        let key = Key { low: AtomicU64::new(5), high: AtomicU64::new(0) };
        assert_eq!(None, key.fingerprint());
        assert!(matches!(key.resolve(name, false), Ok(false)));
        assert!(matches!(key.resolve(twin, true), Ok(true)));
        assert!(matches!(key.resolve(name, true), Ok(false)));
        assert_eq!(Some(twin), key.fingerprint());
        assert_eq!(None, Key { low: AtomicU64::new(0), high: AtomicU64::new(1) }.fingerprint());
    }
}
