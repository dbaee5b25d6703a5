//! `JournalCursor`: a place in a store's journal.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fuseboard_shm::journal_cursor::{JournalCursor as TableCursor, Read};
use fuseboard_shm::saved_cursor::SavedCursor;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::errors::wrong_type;
use crate::convert::package::shown;
use crate::convert::rows::{Row, row};
use crate::table::opened::Opened;
use crate::table::store::Store;

/// What a cursor has read up to now, of each table of the store.
struct Position {
    /// The open tables that it reads. It goes on to what the store opens after them when all of this was taken.
    opened: Py<Opened>,
    tables: Vec<TableCursor>,
    /// How many records the journals had dropped that it has left.
    lost_before: u64,
    /// What was read and is not taken yet, with its place in the main table's journal, if it has one.
    fresh: VecDeque<(Row, Option<Read>)>,
    /// Records whose fuse has no readable name: the fuse was removed since, or the name is damaged.
    nameless: u64,
    /// The place in the main table's journal behind all that was taken.
    cursor: SavedCursor,
    /// Where to go on, in the journal of a table that the store has not opened yet.
    since: Option<SavedCursor>,
    is_resumed: bool,
}

impl Position {
    fn new(opened: &Bound<'_, Opened>, begin: &Begin) -> Self {
        let views = opened.get().views();
        let mut tables: Vec<_> =
            views.map(if *begin == Begin::Now { TableCursor::from_now } else { TableCursor::from_oldest }).collect();
        let (since, resumed) = match begin {
            Begin::At(cursor) => (Some(cursor.clone()), TableCursor::resumed(opened.get().view(), cursor)),
            _ => (None, None),
        };
        let is_resumed = resumed.is_some();
        if let Some(cursor) = resumed {
            tables[0] = cursor;
        }
        Self {
            cursor: tables[0].cursor(opened.get().view()),
            opened: opened.clone().unbind(),
            tables,
            lost_before: 0,
            fresh: VecDeque::new(),
            nameless: 0,
            since,
            is_resumed,
        }
    }

    /// Reads what is new, unless something that was read is still to be taken.
    fn poll(&mut self, py: Python<'_>) {
        self.read(true);
        while self.fresh.is_empty()
            && let Some(next) = self.opened.get().next(py)
        {
            // It does not wait for a process that is writing there: nobody looks there again.
            self.read(false);
            if self.fresh.is_empty() {
                self.go_on_in(next);
                self.read(true);
            }
        }
    }

    /// Goes on in what the store has open now: at the place where it was to go on, if that is in there; else at the place
    /// where the store came to it.
    fn go_on_in(&mut self, next: Bound<'_, Opened>) {
        self.lost_before = self.table_losses();
        self.tables = next.get().cursors_from_here();
        let resumed = self.since.as_ref().and_then(|since| TableCursor::resumed(next.get().view(), since));
        if let Some(cursor) = resumed {
            self.tables = vec![cursor];
            self.is_resumed = true;
        }
        self.opened = next.unbind();
        self.stand();
    }

    /// All that was read was taken, so this is its place.
    fn stand(&mut self) {
        self.cursor = self.tables[0].cursor(self.opened.get().view());
    }

    /// Reads what is new in its tables, unless something that was read is still to be taken.
    fn read(&mut self, waits: bool) {
        if !self.fresh.is_empty() {
            return;
        }
        self.stand();
        for (index, view) in self.opened.get().views().enumerate() {
            // A table for what overflows was made meanwhile: all records there are new.
            if index == self.tables.len() {
                self.tables.push(TableCursor::from_oldest(view));
            }
            for read in self.tables[index].read(view, waits) {
                match row(view, &read.record) {
                    Some(row) => self.fresh.push_back((row, (index == 0).then_some(read))),
                    None => self.nameless += 1,
                }
            }
        }
        if self.fresh.is_empty() {
            self.stand();
        }
    }

    fn take(&mut self) -> Option<Row> {
        let (row, read) = self.fresh.pop_front()?;
        if let Some(read) = read {
            self.cursor.pass(&read.record, read.number);
        }
        Some(row)
    }

    /// Records that were gone before they were read, also in the tables that it has left.
    fn table_losses(&self) -> u64 {
        self.tables.iter().fold(self.lost_before, |lost, table| lost.saturating_add(table.lost()))
    }
}

/// Where a cursor begins.
#[derive(PartialEq)]
enum Begin {
    Now,
    Oldest,
    At(SavedCursor),
}

/// The word for the oldest record that the journal still holds.
const OLDEST: &str = "oldest";

impl Begin {
    fn of(since: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(since) = since else { return Ok(Self::Now) };
        let demand =
            "since must be None (from now on), \"oldest\" (all that the journal holds) or the cursor of a stream";
        let Ok(text) = since.cast::<PyString>() else {
            return Err(wrong_type(demand, since));
        };
        let begin = text.to_str().ok().and_then(|text| match text {
            OLDEST => Some(Self::Oldest),
            cursor => cursor.parse().ok().map(Self::At),
        });
        match begin {
            Some(begin) => Ok(begin),
            None => Err(PyValueError::new_err(format!("{demand}, got {}", shown(since.py(), (since,))?))),
        }
    }
}

/// A place in a store's journal. It gives each transition once, and those of one fuse in their order.
#[pyclass(frozen, module = "fuseboard._core")]
pub struct JournalCursor {
    /// Held for a moment, and never while Python code runs or the thread detaches. So with the interpreter lock nobody waits
    /// for it, and without it nobody waits long. Before a fork the interpreter stops its threads, and none stops while it has
    /// this, so no child finds it locked. A thread that waited detached would get it while it is stopped.
    position: Mutex<Position>,
}

impl JournalCursor {
    fn position(&self) -> MutexGuard<'_, Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl JournalCursor {
    #[new]
    #[pyo3(signature = (store, since=None))]
    fn new(store: &Bound<'_, Store>, since: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let begin = Begin::of(since)?;
        let opened = store.get().opened(store.py());
        Ok(Self { position: Mutex::new(Position::new(&opened, &begin)) })
    }

    /// Reads what is new, unless something that was read is still to be taken.
    fn poll(&self, store: &Bound<'_, Store>) -> PyResult<()> {
        Store::up_to_date(store)?;
        self.position().poll(store.py());
        Ok(())
    }

    /// The oldest transition that was read and not taken; None if there is none.
    fn peek(&self) -> Option<Row> {
        self.position().fresh.front().map(|(row, _)| row.clone())
    }

    /// Takes that transition, and returns it; None if there is none.
    fn take(&self) -> Option<Row> {
        self.position().take()
    }

    /// The place behind what was taken, as text. Another cursor can go on there.
    #[getter]
    fn cursor(&self) -> String {
        self.position().cursor.to_string()
    }

    /// Whether it goes on at the place that it was given.
    #[getter]
    fn is_resumed(&self) -> bool {
        self.position().is_resumed
    }

    /// How many records were lost before they were read: dropped by the journal, or their fuse was removed.
    #[getter]
    fn lost(&self) -> u64 {
        let position = self.position();
        position.nameless.saturating_add(position.table_losses())
    }
}
