//! Some slots of a table as values: keys, cells, logs.
#![allow(dead_code, reason = "each test takes the part it needs")]

use fuseboard_core::directory::{Directory, Key, NameHash, QUARANTINE_US, SlotClaim};
use fuseboard_core::fuse::{Cell, Fuse};
use fuseboard_core::sync::AtomicU64;

/// Three names whose sequences begin in the same slot and go on in the same order, and one with the first's first word.
pub const NAME: NameHash = NameHash::new(5, 1);
pub const OTHER: NameHash = NameHash::new(9, 1);
pub const THIRD: NameHash = NameHash::new(13, 1);
pub const TWIN: NameHash = NameHash::new(5, 5);

/// When something is removed in these tests, in microseconds, and when its slot may be claimed.
pub const NOW: u64 = 1_000_000;
pub const AFTER_QUARANTINE: u64 = NOW + 2 * QUARANTINE_US;

pub struct Slots {
    pub keys: Vec<Key>,
    pub cells: Vec<Cell>,
    logs: Vec<[AtomicU64; 2]>,
}

impl Slots {
    /// So many free slots, a power of two.
    pub fn new(count: usize) -> Self {
        Self {
            keys: (0..count).map(|_| Key::new()).collect(),
            cells: (0..count).map(|_| Cell::new()).collect(),
            logs: (0..count).map(|_| [0; 2].map(AtomicU64::new)).collect(),
        }
    }

    pub fn directory(&self) -> Directory<'_> {
        Directory::new(&self.keys).with_fuses(&self.cells, &[])
    }

    pub fn claim(&self, name: NameHash, now_us: u64) -> SlotClaim {
        self.directory().claim(name, || now_us).expect("there is room")
    }

    /// The fuse of a slot, whosever it is.
    pub fn bare(&self, slot: usize) -> Fuse<'_> {
        Fuse::new(&self.cells[slot], &self.logs[slot])
    }

    pub fn fuse(&self, claim: SlotClaim) -> Fuse<'_> {
        self.bare(claim.slot).with_claim(&self.keys[claim.slot], claim.owner)
    }

    pub fn remove(&self, claim: SlotClaim, now_us: u64) -> bool {
        let ended = self.fuse(claim).vacate(now_us);
        self.directory().end(claim);
        ended
    }

    /// The slots that are a name's now.
    pub fn of(&self, name: NameHash) -> Vec<usize> {
        let is_of = |slot: &usize| self.keys[*slot].name_hash() == Some(name);
        (0..self.keys.len()).filter(is_of).filter(|slot| self.directory().claim_of(*slot).is_some()).collect()
    }
}
