//! Some slots of a table as values: keys, cells, logs.
#![allow(dead_code, reason = "each test takes the part it needs")]

use fuseboard_core::directory::{Directory, Fingerprint, Key, REST_US, Tenancy};
use fuseboard_core::fuse::{Cell, Fuse};
use fuseboard_core::sync::AtomicU64;

/// Three names whose sequences begin in the same slot and go on in the same order, and one with the first's first word.
pub const NAME: Fingerprint = Fingerprint::new(5, 1);
pub const OTHER: Fingerprint = Fingerprint::new(9, 1);
pub const THIRD: Fingerprint = Fingerprint::new(13, 1);
pub const TWIN: Fingerprint = Fingerprint::new(5, 5);

/// When something is removed in these tests, in microseconds, and when its slot may be claimed.
pub const NOW: u64 = 1_000_000;
pub const RESTED: u64 = NOW + 2 * REST_US;

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

    pub fn claim(&self, name: Fingerprint, now_us: u64) -> Tenancy {
        self.directory().claim(name, || now_us).expect("there is room")
    }

    /// The fuse of a slot, whosever it is.
    pub fn bare(&self, slot: usize) -> Fuse<'_> {
        Fuse::new(&self.cells[slot], &self.logs[slot])
    }

    pub fn fuse(&self, tenancy: Tenancy) -> Fuse<'_> {
        self.bare(tenancy.slot).with_tenure(&self.keys[tenancy.slot], tenancy.owner)
    }

    pub fn remove(&self, tenancy: Tenancy, now_us: u64) -> bool {
        let ended = self.fuse(tenancy).vacate(now_us);
        self.directory().end(tenancy);
        ended
    }

    /// The slots that are a name's now.
    pub fn of(&self, name: Fingerprint) -> Vec<usize> {
        let is_of = |slot: &usize| self.keys[*slot].fingerprint() == Some(name);
        (0..self.keys.len()).filter(is_of).filter(|slot| self.directory().tenancy(*slot).is_some()).collect()
    }
}
