//! `Store`: the contract by name.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fuseboard_core::journal::About;
use fuseboard_core::layout::Geometry;
use fuseboard_core::word::Word;
use fuseboard_shm::clock::Clock as TableClock;
use fuseboard_shm::open::{find, open};
use fuseboard_shm::reader::Reader;
use fuseboard_shm::store::{Slot, Store as Tables};
use fuseboard_shm::table::Table;
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::guard::ask_python;
use crate::listing::{Listing, Recent};
use crate::names;
use crate::python::{fuse_name, open_error, seconds, state_of_code};
use crate::reader::{Made, Row, made_here, row, written_down};
use crate::values::{Clock, FuseSnapshot, FuseState};

/// A table of fuses; see ``fuseboard.Store``.
#[pyclass(frozen, subclass, weakref, module = "fuseboard._core")]
pub struct Store {
    pub(crate) tables: Tables,
    told_full: AtomicBool,
    listing: Listing,
    recent: Recent,
}

impl Store {
    /// The slot of a name, which is checked; takes one if it has none. The first that finds the table full is told of.
    pub(crate) fn slot(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>) -> PyResult<Slot> {
        let this = slf.get();
        let found = this.tables.resolve(fuse_name(name)?);
        let slot = found.ok_or_else(|| PyMemoryError::new_err("no memory for another table of fuses"))?;
        if slot.overflowed() && !this.told_full.swap(true, Ordering::Relaxed) {
            ask_python(slf, names::full(slf.py()), (name,))?;
        }
        Ok(slot)
    }

    /// What `act` does with the fuse of a name. Where it says by `None` that the fuse was given back just now, the name is
    /// looked up again.
    fn act<T>(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>, act: impl Fn(&Slot) -> Option<T>) -> PyResult<T> {
        loop {
            if let Some(done) = act(&Self::slot(slf, name)?) {
                return Ok(done);
            }
        }
    }

    /// The records that the journals hold; None for one whose fuse has no readable name any more.
    fn records(&self) -> Vec<Option<Row>> {
        let of_table = |table: Arc<Table>| {
            let records = Reader::from_oldest(&table).read_all(&table);
            records.iter().map(|record| row(&table, record)).collect::<Vec<_>>()
        };
        self.tables.all().into_iter().flat_map(of_table).collect()
    }

    /// Slots with their names; a slot that somebody is just taking has none yet.
    fn named(&self) -> impl Iterator<Item = (String, Slot)> {
        self.tables.slots().into_iter().filter_map(|slot| Some((slot.name()?, slot)))
    }
}

#[pymethods]
impl Store {
    #[new]
    #[pyo3(signature = (name, folder, fuses, failures, clock=None, *, make=true))]
    fn new(
        py: Python<'_>,
        name: Option<&str>,
        folder: Option<PathBuf>,
        fuses: usize,
        failures: usize,
        clock: Option<&Bound<'_, Clock>>,
        make: bool,
    ) -> PyResult<Self> {
        let geometry = Geometry::for_capacity(fuses, failures)
            .ok_or_else(|| PyValueError::new_err(format!("no table of {fuses} fuses and {failures} failures")))?;
        let clock = clock.map_or(TableClock::System, |clock| TableClock::Manual(clock.get().0.clone()));
        let table = match name {
            Some(name) => py
                .detach(|| {
                    if make {
                        open(name, folder.as_deref(), geometry, clock)
                    } else {
                        find(name, folder.as_deref(), clock)
                    }
                })
                .map_err(|error| open_error(py, name, &error))?,
            None => Table::private(geometry, clock).map_err(|error| PyMemoryError::new_err(error.to_string()))?,
        };
        Ok(Self {
            tables: Tables::new(table),
            told_full: AtomicBool::new(false),
            listing: Listing::default(),
            recent: Recent::default(),
        })
    }

    #[getter]
    fn _path(&self) -> Option<OsString> {
        self.tables.table().path().map(|path| path.as_os_str().to_owned())
    }

    /// Whether the file of a host's table was removed: processes that open it from now on share nothing with it.
    #[getter]
    fn is_removed(&self) -> bool {
        self.tables.table().is_removed()
    }

    /// Fuses there is room for, a power of two.
    #[getter]
    fn fuse_capacity(&self) -> usize {
        self.tables.table().geometry().slots()
    }

    /// Failures of a fuse that are counted exactly, a power of two.
    #[getter]
    fn failure_capacity(&self) -> usize {
        self.tables.table().geometry().log_len()
    }

    /// Size of the table, allocated up front.
    #[getter]
    fn size_bytes(&self) -> usize {
        self.tables.table().geometry().bytes()
    }

    /// Fuses that found no room in the table and live in this process alone (rule T12).
    #[getter]
    fn overflowed(&self) -> usize {
        self.tables.overflowed()
    }

    /// Seconds on the store's clock: the host's, which runs through suspend and is not the time of day.
    fn now(&self) -> f64 {
        seconds(self.tables.table().clock().now_us())
    }

    /// The state of a fuse and since when, in one atomic reading. Creates nothing.
    fn state<'py>(&self, fuse: &Bound<'py, PyAny>) -> PyResult<Bound<'py, FuseState>> {
        let (slot, word) = self.tables.word(fuse_name(fuse)?).unwrap_or((0, Word(0)));
        self.recent.state(fuse.py(), slot, FuseState::of_word(word))
    }

    fn _record_failure_us(slf: &Bound<'_, Self>, fuse: &Bound<'_, PyAny>, window_us: u64) -> PyResult<u32> {
        Self::act(slf, fuse, |slot| {
            Some(slot.fuse().record_failure(window_us, slot.now_us())).filter(|count| *count > 0)
        })
    }

    /// Records a success: clears the window of failures. Changes no state; an open fuse stays open.
    fn record_success(slf: &Bound<'_, Self>, fuse: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::act(slf, fuse, |slot| slot.fuse().record_success(slot.now_us()).then_some(()))
    }

    /// Gives the fuse's place in the table back, if it is idle; whether it did (rule R28).
    ///
    /// Idle is a fuse that is closed and whose window holds no failure that a breaker of it still counts, by the
    /// longest window of any, seven days at most. One that is open, half-open, ramping, isolated or disabled stays;
    /// so does, for an hour for each failed probe in a row, one whose probes have failed. Counters
    /// and times go with the fuse, and outcomes of its calls that are under way count no more. Breakers go on: at their
    /// next call the name has a new place. The old one is another name's to take a minute later.
    ///
    /// For names that will not come again, such as a tenant that left. A full table takes idle places back by itself.
    /// Safe from any thread and process, also beside calls.
    ///
    /// Raises:
    ///     TypeError, ValueError: it is no name of a fuse.
    fn give_back(&self, fuse: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.tables.give_back(fuse_name(fuse)?))
    }

    fn _set_state(slf: &Bound<'_, Self>, fuse: &Bound<'_, PyAny>, code: u8) -> PyResult<Option<Made>> {
        let state = state_of_code(code)?;
        Self::act(slf, fuse, |slot| {
            let made = slot.fuse().set(state, slot.now_us());
            // Nothing is made of a fuse that an operator holds, either.
            (made.is_some() || slot.is_mine()).then(|| written_down(slot.fuse(), made))
        })
    }

    fn _command_state(slf: &Bound<'_, Self>, fuse: &Bound<'_, PyAny>, code: u8) -> PyResult<Option<Made>> {
        let state = state_of_code(code)?;
        Self::act(slf, fuse, |slot| {
            let made = slot.fuse().command(state, || slot.now_us())?;
            Some(written_down(slot.fuse(), Some(made)))
        })
    }

    /// The fuses that have been used, by name, in no particular order. Safe while others write.
    fn all_states<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let states = self.listing.list(self.tables.table(), py)?;
        for table in self.tables.all().iter().skip(1) {
            // Few, and of this process alone.
            states.update(Listing::default().list(table, py)?.as_mapping())?;
        }
        Ok(states)
    }

    /// What each fuse that has been used has been through, by name. Safe while others write.
    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let snapshots = PyDict::new(py);
        let now_us = self.tables.table().clock().now_us();
        for (name, slot) in self.named() {
            if let Some((reading, totals)) = slot.fuse().snapshot(slot.stripes(), now_us) {
                let local = self.tables.table().path().is_none() || slot.overflowed();
                let snapshot = FuseSnapshot::new(name.clone(), &reading, &totals, local);
                snapshots.set_item(name, snapshot)?;
            }
        }
        Ok(snapshots)
    }

    fn _journal(&self) -> Vec<Row> {
        self.tables.all().iter().for_each(|table| table.catch_up());
        let mut rows: Vec<_> = self.records().into_iter().flatten().collect();
        rows.sort_by_key(|row| row.3);
        rows
    }

    /// How many records the journal does not tell any more.
    ///
    /// It has dropped them to make room for later ones, or their fuse was given back and has no name any more.
    #[getter]
    fn journal_dropped(&self) -> u64 {
        let nameless = self.records().iter().filter(|row| row.is_none()).count() as u64;
        self.tables.all().iter().fold(nameless, |dropped, table| dropped.saturating_add(table.journal().oldest()))
    }

    fn _reset_all(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        self.tables.forget_all_telling(|table, slot, transition| {
            let Some(name) = table.name(slot) else { return };
            let (from, to, generation, cause, pid, about) = made_here(transition, About::NOTHING);
            rows.push((name, from, to, generation, cause, pid, about));
        });
        rows
    }
}
