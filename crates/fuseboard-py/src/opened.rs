//! What a store has open: its tables, and what is kept of them. A store that finds the host's table (again) has another one
//! open from then on, and this one leads to it.

use std::sync::atomic::AtomicBool;

use fuseboard_shm::reader::Reader;
use fuseboard_shm::store::{Slot, Store as Tables};
use fuseboard_shm::table::Table;
use pyo3::prelude::*;

use crate::guard::Link;
use crate::listing::{Listing, Recent};
use crate::reader::{Row, row};

/// Not Python's to see: a Python object because links are to such.
#[pyclass(frozen, module = "fuseboard._core")]
pub struct Opened {
    pub(crate) tables: Tables,
    pub(crate) told_full: AtomicBool,
    pub(crate) listing: Listing,
    pub(crate) recent: Recent,
    /// What the store has open after this.
    next: Link<Opened>,
    /// The end of the main table's journal when the store came to it from another one: its readers go on there.
    joined: Option<Reader>,
}

impl Opened {
    pub(crate) fn new(tables: Tables) -> Self {
        let (told_full, listing, recent) = (AtomicBool::new(false), Listing::default(), Recent::default());
        Self { tables, told_full, listing, recent, next: Link::default(), joined: None }
    }

    /// The same tables, for a store that comes to them from others.
    pub(crate) fn joined(&self) -> Self {
        Self { joined: Some(Reader::from_now(self.tables.table())), ..Self::new(self.tables.clone()) }
    }

    /// Leads to what the store has open from now on.
    pub(crate) fn lead_to(&self, next: &Bound<'_, Self>) {
        self.next.set(next.py(), Some(next.clone()));
    }

    /// What the store has open after this, if it has left this.
    pub(crate) fn next<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Self>> {
        self.next.get(py)
    }

    /// Where those who have read another journal up to here go on in this one.
    pub(crate) fn readers_go_on(&self) -> Vec<Reader> {
        self.joined.iter().cloned().collect()
    }

    /// The main table.
    pub(crate) fn table(&self) -> &Table {
        self.tables.table()
    }

    /// The records that the journals hold; None for one whose fuse has no readable name any more.
    pub(crate) fn records(&self) -> Vec<Option<Row>> {
        let of_table = |table: std::sync::Arc<Table>| {
            let records = Reader::from_oldest(&table).read_all(&table);
            records.iter().map(|record| row(&table, record)).collect::<Vec<_>>()
        };
        self.tables.all().into_iter().flat_map(of_table).collect()
    }

    /// Slots with their names; a slot that somebody is just taking has none yet.
    pub(crate) fn named(&self) -> impl Iterator<Item = (String, Slot)> {
        self.tables.slots().into_iter().filter_map(|slot| Some((slot.name()?, slot)))
    }
}
