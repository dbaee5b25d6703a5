//! `Reader`: a place in a store's journal; and transitions as Python takes them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fuseboard_core::fuse::{Fuse, Transition};
use fuseboard_core::journal::{About, Record};
use fuseboard_shm::owner;
use fuseboard_shm::reader::Reader as TableReader;
use fuseboard_shm::table::View;
use pyo3::prelude::*;

use crate::opened::Opened;
use crate::store::Store;

/// A transition without its fuse: codes of the states before and after, generation, code of the cause, process, when a manual
/// override ends, in microseconds or 0 for never, and two texts: the name of an exception's class, or who made it and why.
pub(crate) type Made = (u8, u8, u64, u8, u32, u64, String, String);
/// The same with the fuse before it.
pub(crate) type Row = (String, u8, u8, u64, u8, u32, u64, String, String);

/// A transition that this process made.
pub(crate) fn made_here(transition: Transition, until_us: u64, about: About) -> Made {
    let (Transition { from, to, generation, cause }, [first, second]) = (transition, texts(about));
    (from.visible() as u8, to.visible() as u8, generation, cause as u8, owner::pid(), until_us, first, second)
}

/// The same of a named fuse.
pub(crate) fn row_here(name: String, made: Made) -> Row {
    let (from, to, generation, cause, pid, until_us, first, second) = made;
    (name, from, to, generation, cause, pid, until_us, first, second)
}

/// Writes down a transition that was made by hand.
pub(crate) fn written_down(fuse: Fuse<'_>, made: Option<Transition>) -> Option<Made> {
    let made = made?;
    fuse.write_down(made, About::NOTHING);
    Some(made_here(made, 0, About::NOTHING))
}

/// A record of the journal, if its fuse's name can be read, and the fuse has not been given back since.
pub(crate) fn row(view: &View, record: &Record) -> Option<Row> {
    let Record { from, to, generation, cause, pid, until_us, about, .. } = *record;
    let (name, [first, second]) = (view.name_then(record.slot as usize, generation)?, texts(about));
    let (from, to) = (from.visible() as u8, to.visible() as u8);
    Some((name, from, to, generation, cause as u8, pid, until_us, first, second))
}

fn texts(about: About) -> [String; 2] {
    about.texts().map(|text| String::from_utf8_lossy(&text).into_owned())
}

/// What a reader has read up to now, of each table of the store.
struct Place {
    /// What of the store's it reads: it goes on to what the store has open after that only when it has read this to its end.
    opened: Py<Opened>,
    tables: Vec<TableReader>,
    /// What the journals that it has left had dropped.
    lost_before: u64,
    /// What was read and is not taken yet.
    fresh: VecDeque<Row>,
    /// Records whose fuse has no readable name: it was given back since, or damaged.
    nameless: u64,
}

impl Place {
    /// Reads what is new, unless something is waiting to be taken off.
    fn poll(&mut self, py: Python<'_>) {
        if !self.fresh.is_empty() {
            return;
        }
        let mut rows = self.read(py, TableReader::poll);
        while let Some(next) = self.opened.get().next(py) {
            // Nobody is waited for who is writing there: nobody looks there again.
            rows.extend(self.read(py, TableReader::read_all));
            self.lost_before = self.lost();
            self.tables = next.get().readers_go_on();
            self.opened = next.unbind();
            rows.extend(self.read(py, TableReader::poll));
        }
        rows.sort_by_key(|row| row.3);
        self.fresh.extend(rows);
    }

    /// What is new in the tables that it is at.
    fn read(&mut self, py: Python<'_>, read: fn(&mut TableReader, &View) -> Vec<Record>) -> Vec<Row> {
        let opened = self.opened.bind(py).clone();
        let mut rows = Vec::new();
        for (index, view) in opened.get().views().enumerate() {
            // A table for what overflows that was made meanwhile: all that stands there is new.
            if index == self.tables.len() {
                self.tables.push(TableReader::from_oldest(view));
            }
            for record in read(&mut self.tables[index], view) {
                match row(view, &record) {
                    Some(row) => rows.push(row),
                    None => self.nameless += 1,
                }
            }
        }
        rows
    }

    /// Records that were gone before they were read, of journals that it has left too.
    fn lost(&self) -> u64 {
        self.tables.iter().fold(self.lost_before, |lost, table| lost.saturating_add(table.lost()))
    }
}

/// A place in a store's journal: each transition once, those of one fuse in their order.
#[pyclass(frozen, module = "fuseboard._core")]
pub struct Reader {
    /// Held for a moment and never while the interpreter runs, so that nobody waits for it and no child finds it locked.
    place: Mutex<Place>,
}

impl Reader {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Reader {
    #[new]
    #[pyo3(signature = (store, *, from_oldest=false))]
    fn new(store: &Bound<'_, Store>, from_oldest: bool) -> Self {
        let begin = if from_oldest { TableReader::from_oldest } else { TableReader::from_now };
        let opened = store.get().opened(store.py());
        let tables = opened.get().views().map(begin).collect();
        let place = Place { opened: opened.unbind(), tables, lost_before: 0, fresh: VecDeque::new(), nameless: 0 };
        Self { place: Mutex::new(place) }
    }

    /// Reads what is new, unless something is waiting to be taken off.
    fn poll(&self, store: &Bound<'_, Store>) -> PyResult<()> {
        Store::up_to_date(store)?;
        self.place().poll(store.py());
        Ok(())
    }

    /// The oldest that was read, if any.
    fn peek(&self) -> Option<Row> {
        self.place().fresh.front().cloned()
    }

    /// Takes it off.
    fn pop(&self) {
        self.place().fresh.pop_front();
    }

    /// How many records the journal had dropped, or their fuse had been given back, before they were read.
    #[getter]
    fn lost(&self) -> u64 {
        let place = self.place();
        place.nameless.saturating_add(place.lost())
    }
}
