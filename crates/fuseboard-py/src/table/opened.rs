//! What a store has open: its tables, and what is cached of them. A store that finds the host's table later opens that
//! one in place of this one, and this one leads to it.

use std::sync::atomic::{AtomicBool, Ordering};

use fuseboard_core::directory::SlotClaim;
use fuseboard_core::policy::Policy;
use fuseboard_core::word::Word;
use fuseboard_shm::journal_cursor::JournalCursor;
use fuseboard_shm::store::Store as Tables;
use fuseboard_shm::table::View;
use pyo3::prelude::*;

use crate::convert::rows::{Row, row};
use crate::interpreter::link::Link;
use crate::table::state_cache::{Recent, StateCache};

/// Not for Python to see. It is a Python object because a [`Link`] leads to one.
#[pyclass(frozen, module = "fuseboard._core")]
pub struct Opened {
    /// The main table, for reading.
    view: View,
    /// The same table and those for what overflows, for writing; None in a store that only reads.
    tables: Option<Tables>,
    pub(crate) reported_full: AtomicBool,
    pub(crate) state_cache: StateCache,
    pub(crate) recent: Recent,
    /// What the store has open after this.
    next: Link<Opened>,
    is_left: AtomicBool,
    /// The end of the main table's journal when the store came to it from another one: its cursors go on there.
    joined: Option<JournalCursor>,
}

impl Opened {
    pub(crate) fn new(tables: Tables) -> Self {
        Self::of(View::clone(tables.table()), Some(tables))
    }

    pub(crate) fn to_read(view: View) -> Self {
        Self::of(view, None)
    }

    fn of(view: View, tables: Option<Tables>) -> Self {
        let (reported_full, state_cache, recent) = (AtomicBool::new(false), StateCache::default(), Recent::default());
        Self {
            view,
            tables,
            reported_full,
            state_cache,
            recent,
            next: Link::default(),
            is_left: AtomicBool::new(false),
            joined: None,
        }
    }

    /// The same tables, for a store that comes to them from others. Cursors of a store that takes part in calls begin at the
    /// end of this journal, because the makers of the earlier records have announced them. A store that only reads
    /// takes part in nothing, so its cursors begin at the oldest record.
    pub(crate) fn joined(&self) -> Self {
        let begin = if self.tables.is_some() { JournalCursor::from_now } else { JournalCursor::from_oldest };
        Self { joined: Some(begin(&self.view)), ..Self::of(self.view.clone(), self.tables.clone()) }
    }

    /// Whether the caller is the one who leads the store from here to another table. Of threads that come at once, one is.
    pub(crate) fn leave(&self) -> bool {
        !self.is_left.swap(true, Ordering::AcqRel)
    }

    /// Leads to what the store has open from now on.
    pub(crate) fn lead_to(&self, next: &Bound<'_, Self>) {
        self.next.set(next.py(), Some(next.clone()));
    }

    /// What the store has open after this, if it has left this.
    pub(crate) fn next<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Self>> {
        self.next.get(py)
    }

    /// Where a reader that comes from another journal goes on in this one.
    pub(crate) fn cursors_from_here(&self) -> Vec<JournalCursor> {
        self.joined.iter().cloned().collect()
    }

    /// The main table.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// The main table, then those for what overflowed.
    pub(crate) fn views(&self) -> impl Iterator<Item = &View> {
        let overflow = self.tables.iter().flat_map(|tables| tables.overflow().map(|table| &**table));
        std::iter::once(&self.view).chain(overflow)
    }

    /// The fuse word of a name, and its slot; `None` if it has none, or has just given it back.
    pub(crate) fn word(&self, name: &str) -> Option<(usize, Word)> {
        let (view, claim) = self.views().find_map(|view| Some((view, view.find(name)?)))?;
        Some((claim.slot, view.word(claim)?))
    }

    /// The settings that a breaker of a name's fuse last came with, if they are known.
    pub(crate) fn settings(&self, name: &str) -> Option<Policy> {
        let (view, claim) = self.views().find_map(|view| Some((view, view.find(name)?)))?;
        let (snapshot, _) = view.snapshot(claim, view.clock().now_us())?;
        view.settings(snapshot.settings)
    }

    /// What may be written to, unless the store only reads.
    pub(crate) fn tables(&self) -> Option<&Tables> {
        self.tables.as_ref()
    }

    /// The records that the journals hold; None for one whose fuse has no readable name any more.
    pub(crate) fn records(&self) -> Vec<Option<Row>> {
        let of_view = |view| {
            let records = JournalCursor::from_oldest(view).read_all(view);
            records.iter().map(|record| row(view, record)).collect::<Vec<_>>()
        };
        self.views().flat_map(of_view).collect()
    }

    /// Claims with their names, and whether their fuse overflowed; one that somebody is just taking has no name yet.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&View, SlotClaim, String, bool)> {
        self.views().enumerate().flat_map(|(number, view)| {
            let named = move |claim| Some((view, claim, view.name_of(claim)?, number > 0));
            view.claims().filter_map(named)
        })
    }
}
