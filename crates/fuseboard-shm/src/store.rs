//! A store: a table, process-local tables for what does not fit into it (rule T12), and slots that outlive look-ups.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuseboard_core::counters::Stripe;
use fuseboard_core::fuse::{Fuse, Transition};
use fuseboard_core::layout::Geometry;

use crate::handle::Handle;
use crate::table::Table;

/// Most slots of a table for what overflows; there are as many such tables as it takes.
const OVERFLOW_SLOTS: usize = 1024;

/// A table and what overflows from it.
#[derive(Debug)]
pub struct Store {
    table: Arc<Table>,
    /// Tables of this process for fuses that found the main one full. The lock is held for look-ups here only, which
    /// never happen while there is room; never while anybody else's code runs.
    overflow: Mutex<Vec<Arc<Table>>>,
}

impl Store {
    /// A store on a table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table: Arc::new(table), overflow: Mutex::default() }
    }

    /// The main table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The slot of a name, if it has one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Slot> {
        if let Some(slot) = Slot::located(&self.table, name, false, false) {
            return Some(slot);
        }
        self.overflow().iter().find_map(|table| Slot::located(table, name, false, true))
    }

    /// The slot of a name; takes one if it has none. Falls back to a table of this process's own when the store's is
    /// full; `None` only if there is no memory for that either.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<Slot> {
        if let Some(slot) = Slot::located(&self.table, name, true, false) {
            return Some(slot);
        }
        let mut overflow = self.overflow();
        if let Some(slot) = overflow.iter().find_map(|table| Slot::located(table, name, true, true)) {
            return Some(slot);
        }
        // No larger than need be: the store's own may be more than this process can have twice.
        let geometry = self.table.geometry();
        let geometry = Geometry::for_capacity(geometry.slots().min(OVERFLOW_SLOTS), geometry.log_len())?;
        let table = Arc::new(Table::private(geometry, self.table.clock().clone()).ok()?);
        overflow.push(Arc::clone(&table));
        Slot::located(&table, name, true, true)
    }

    fn overflow(&self) -> MutexGuard<'_, Vec<Arc<Table>>> {
        self.overflow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many fuses live in this process alone because the table was full.
    #[must_use]
    pub fn overflowed(&self) -> usize {
        self.overflow().iter().map(|table| table.taken().count()).sum()
    }

    /// Every slot that is taken, of all tables.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        let mut slots = Slot::all(&self.table, false);
        for table in self.overflow().iter() {
            slots.extend(Slot::all(table, true));
        }
        slots
    }

    /// The main table, then those for what overflowed.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Table>> {
        std::iter::once(&self.table).chain(self.overflow().iter()).map(Arc::clone).collect()
    }

    /// Closes and forgets every fuse; their counters begin again at 0. It mends what damage left.
    pub fn forget_all(&self) {
        self.forget_all_telling(|_, _, _| ());
    }

    /// The same; `made` is told of each transition, with the table and the slot.
    pub fn forget_all_telling(&self, mut made: impl FnMut(&Table, usize, Transition)) {
        for table in self.all() {
            table.forget_all(&mut made);
        }
    }
}

/// A slot of a table, which it keeps mapped.
#[derive(Clone, Debug)]
pub struct Slot {
    table: Arc<Table>,
    index: usize,
    overflowed: bool,
}

impl Slot {
    fn located(table: &Arc<Table>, name: &str, claim: bool, overflowed: bool) -> Option<Self> {
        let index = table.locate(name, claim)?;
        Some(Self { table: Arc::clone(table), index, overflowed })
    }

    fn all(table: &Arc<Table>, overflowed: bool) -> Vec<Self> {
        table.taken().map(|index| Self { table: Arc::clone(table), index, overflowed }).collect()
    }

    /// Whether the fuse lives in this process alone because the store's table was full.
    #[must_use]
    pub const fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// The slot with its shared words at hand.
    #[must_use]
    pub fn pin(&self) -> Handle {
        Handle::new(Arc::clone(&self.table), self.index, self.overflowed)
    }

    /// The fuse.
    #[must_use]
    pub fn fuse(&self) -> Fuse<'_> {
        self.table.fuse(self.index)
    }

    /// Its lines of counters, one of them this process's.
    #[must_use]
    pub fn stripes(&self) -> &[Stripe] {
        self.table.stripes(self.index)
    }

    /// The name, if it stands there whole.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.table.name(self.index)
    }

    /// Microseconds on the table's clock.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.table.clock().now_us()
    }
}
