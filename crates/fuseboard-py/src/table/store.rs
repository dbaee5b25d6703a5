//! `Store`: the contract by name.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use fuseboard_core::fuse::Fuse;
use fuseboard_core::journal::About;
use fuseboard_core::layout::Geometry;
use fuseboard_core::overrides::Override;
use fuseboard_core::transition::Transition;
use fuseboard_core::word::Word;
use fuseboard_shm::clock::Clock as TableClock;
use fuseboard_shm::open::{find, look, open};
use fuseboard_shm::owner::is_new_child;
use fuseboard_shm::store::{Slot, Store as Tables};
use fuseboard_shm::table::Table;
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::errors::{store_open_error, store_read_only_error};
use crate::convert::fuse_name::fuse_name;
use crate::convert::numbers::items;
use crate::convert::package;
use crate::convert::rows::{Made, Row, made_here, row_here};
use crate::convert::states::state_of_code;
use crate::convert::time::seconds;
use crate::convert::values::{Clock, FuseSnapshot, FuseState};
use crate::interpreter::link::Link;
use crate::table::opened::Opened;
use crate::table::state_cache::StateCache;

/// A table of fuses; see ``fuseboard.Store``.
#[pyclass(frozen, subclass, weakref, module = "fuseboard._core")]
pub struct Store {
    /// Replaced when the store goes on to another table.
    opened: Link<Opened>,
}

impl Store {
    /// What the store has open now.
    pub(crate) fn opened<'py>(&self, py: Python<'py>) -> Bound<'py, Opened> {
        self.opened.get(py).expect("it has always something open")
    }

    /// The same, after the store has looked whether to go on to another table, at most once a second.
    pub(crate) fn up_to_date<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Opened>> {
        let opened = slf.get().opened(slf.py());
        if is_new_child() {
            package::look_around(slf.py(), (slf,))?;
        }
        if !opened.get().view().is_to_look(false) {
            return Ok(opened);
        }
        package::search(slf.py(), (slf,))?;
        Ok(slf.get().opened(slf.py()))
    }

    /// The open tables, for writing.
    pub(crate) fn to_write<'a>(slf: &Bound<'_, Self>, opened: &'a Bound<'_, Opened>) -> PyResult<&'a Tables> {
        opened.get().tables().ok_or_else(|| store_read_only_error(slf))
    }

    /// The slot of a name, which is checked; takes one if the name has none. The first name that finds the table full is
    /// reported.
    pub(crate) fn slot(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>) -> PyResult<Slot> {
        let opened = slf.get().opened(slf.py());
        let found = Self::to_write(slf, &opened)?.resolve(fuse_name(name)?);
        let slot = found.ok_or_else(|| PyMemoryError::new_err("there is no memory for another table of fuses"))?;
        if slot.overflowed() && !opened.get().reported_full.swap(true, Ordering::Relaxed) {
            package::is_full(slf.py(), (slf, name))?;
        }
        Ok(slot)
    }

    /// Does `act` with the fuse of a name. `None` says that the fuse was just removed: then the name is looked up again.
    fn act<T>(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>, act: impl Fn(&Slot) -> Option<T>) -> PyResult<T> {
        Self::to_write(slf, &Self::up_to_date(slf)?)?;
        loop {
            if let Some(done) = act(&Self::slot(slf, name)?) {
                return Ok(done);
            }
        }
    }
}

#[pymethods]
impl Store {
    #[new]
    #[allow(clippy::too_many_arguments, reason = "all that a table is made with")]
    #[pyo3(signature = (name, folder, fuses, failures, clock=None, *, make=true, writable=true, stopgap=None))]
    fn new(
        py: Python<'_>,
        name: Option<&str>,
        folder: Option<PathBuf>,
        fuses: usize,
        failures: usize,
        clock: Option<&Bound<'_, Clock>>,
        make: bool,
        writable: bool,
        stopgap: Option<bool>,
    ) -> PyResult<Self> {
        let geometry = Geometry::for_capacity(fuses, failures)
            .ok_or_else(|| PyValueError::new_err(format!("no table of {fuses} fuses and {failures} failures")))?;
        let clock = clock.map_or(TableClock::System, |clock| TableClock::Manual(clock.get().0.clone()));
        let tables = |table| Opened::new(Tables::new(table));
        let opened = match name {
            Some(name) => py
                .detach(|| match (make, writable) {
                    (true, _) => open(name, folder.as_deref(), geometry, clock).map(tables),
                    (false, true) => find(name, folder.as_deref(), clock).map(tables),
                    (false, false) => look(name, folder.as_deref(), clock).map(Opened::to_read),
                })
                .map_err(|error| store_open_error(py, name, &error))?,
            None => {
                let made = match stopgap {
                    Some(looks) => Table::stopgap(geometry, clock, looks),
                    None => Table::private(geometry, clock),
                };
                made.map(tables).map_err(|error| PyMemoryError::new_err(error.to_string()))?
            }
        };
        let this = Self { opened: Link::default() };
        this.opened.set(py, Some(Bound::new(py, opened)?));
        Ok(this)
    }

    #[getter]
    fn _is_writable(&self, py: Python<'_>) -> bool {
        self.opened(py).get().tables().is_some()
    }

    fn _is_to_look(&self, py: Python<'_>, at_once: bool) -> bool {
        self.opened(py).get().view().is_to_look(at_once)
    }

    fn _go_over(&self, to: &Bound<'_, Self>) -> PyResult<Option<Vec<Row>>> {
        let py = to.py();
        let (old, found) = (self.opened(py), to.get().opened(py));
        let is_lost = old.get().view().path().is_none() || old.get().view().is_removed();
        let new = Bound::new(py, found.get().joined())?;
        // Another thread may have been faster.
        if !is_lost || !old.get().leave() {
            return Ok(None);
        }
        old.get().lead_to(&new);
        self.opened.set(py, Some(new.clone()));
        let carried = match (old.get().tables(), new.get().tables()) {
            (Some(old), Some(new)) => old.leave_for(new),
            _ => {
                old.get().view().leave();
                Vec::new()
            }
        };
        let row = |(slot, made): (Slot, Transition)| {
            let note = slot.override_note(made.generation).map(Option::unwrap_or_default);
            let about = About::pair(note[0].as_bytes(), note[1].as_bytes());
            let until_us = slot.fuse().until_us(slot.fuse().word()).unwrap_or(0);
            Some(row_here(slot.name()?, made_here(made, until_us, about)))
        };
        Ok(Some(carried.into_iter().filter_map(row).collect()))
    }

    #[getter]
    fn _former_users(&self, py: Python<'_>) -> Vec<u32> {
        let opened = self.opened(py).unbind();
        py.detach(|| opened.get().tables().map(|tables| tables.table().former_users()).unwrap_or_default())
    }

    #[getter]
    fn _path(&self, py: Python<'_>) -> Option<OsString> {
        self.opened(py).get().view().path().map(|path| path.as_os_str().to_owned())
    }

    /// Whether the file of the host's table was removed. Processes that open the store now use another table.
    #[getter]
    fn is_removed(&self, py: Python<'_>) -> bool {
        self.opened(py).get().view().is_removed()
    }

    /// How many fuses there is room for: a power of two.
    #[getter]
    fn fuse_capacity(&self, py: Python<'_>) -> usize {
        self.opened(py).get().view().geometry().slots()
    }

    /// How many failures of a fuse are counted exactly: a power of two.
    #[getter]
    fn failure_capacity(&self, py: Python<'_>) -> usize {
        self.opened(py).get().view().geometry().log_len()
    }

    /// Size of the table in bytes. All of it is allocated when the table is made.
    #[getter]
    fn size_bytes(&self, py: Python<'_>) -> usize {
        self.opened(py).get().view().geometry().bytes()
    }

    /// How many fuses found no room in the table and live only in this process (rule T12).
    #[getter]
    fn overflowed(&self, py: Python<'_>) -> usize {
        self.opened(py).get().tables().map_or(0, Tables::overflowed)
    }

    /// Seconds on the store's clock: the host's, which goes on during suspend and is not the time of day.
    fn now(&self, py: Python<'_>) -> f64 {
        seconds(self.opened(py).get().view().clock().now_us())
    }

    /// The state of a fuse and when it began, in one atomic read. Creates nothing.
    fn state<'py>(slf: &Bound<'py, Self>, fuse: &Bound<'py, PyAny>) -> PyResult<Bound<'py, FuseState>> {
        let mut opened = slf.get().opened(slf.py());
        // One load, where the host's table is open: no clock.
        if opened.get().view().is_stopgap() {
            opened = Self::up_to_date(slf)?;
        }
        let (slot, word) = opened.get().word(fuse_name(fuse)?).unwrap_or((0, Word(0)));
        opened.get().recent.state(fuse.py(), slot, FuseState::of_word(word))
    }

    fn _record_failure_us(slf: &Bound<'_, Self>, fuse: &Bound<'_, PyAny>, window_us: u64) -> PyResult<u32> {
        Self::act(slf, fuse, |slot| {
            Some(slot.fuse().record_failure(window_us, slot.now_us())).filter(|count| *count > 0)
        })
    }

    /// Records a success, which clears the window of failures. The state stays: an open fuse stays open.
    fn record_success(slf: &Bound<'_, Self>, fuse: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::act(slf, fuse, |slot| slot.fuse().record_success(slot.now_us()).then_some(()))
    }

    /// Removes a fuse from the table, if it is idle. Returns whether it was removed (rule R28).
    ///
    /// A fuse is idle if it is closed and has no failure in its window; that is the longest window of all its breakers,
    /// at most seven days. If its open time had grown, it must also have been closed for one hour for each such step.
    /// A fuse that is open, half-open, ramping, isolated or disabled is not idle.
    ///
    /// Counters and times are lost with the fuse, and calls that are under way no longer count. Breakers of the fuse go
    /// on: at their next call the name gets a new slot. Another name can take the old slot one minute later.
    ///
    /// Use it for names that will not come back, such as a customer who left. A full table removes idle fuses by
    /// itself. Safe from any thread and process, also while calls are made.
    ///
    /// Raises:
    ///     TypeError, ValueError: the name is not a valid name of a fuse.
    fn remove(slf: &Bound<'_, Self>, fuse: &Bound<'_, PyAny>) -> PyResult<bool> {
        let name = fuse_name(fuse)?;
        let opened = Self::up_to_date(slf)?;
        Ok(Self::to_write(slf, &opened)?.remove(name))
    }

    fn _set_state(slf: &Bound<'_, Self>, fuse: &Bound<'_, PyAny>, code: u8) -> PyResult<Option<Made>> {
        let state = state_of_code(code)?;
        Self::act(slf, fuse, |slot| {
            let made = slot.fuse().set(state, slot.now_us());
            // A fuse with a manual override stays as it is, too.
            (made.is_some() || slot.is_mine()).then(|| written_down(slot.fuse(), made))
        })
    }

    fn _apply_override(
        slf: &Bound<'_, Self>,
        fuse: &Bound<'_, PyAny>,
        code: u8,
        for_us: u64,
        who: &str,
        why: &str,
    ) -> PyResult<Option<Made>> {
        let order = Override { state: state_of_code(code)?, for_us, who, why };
        let is_shared = slf.get().opened(slf.py()).get().view().path().is_some();
        let obey = |slot: &Slot| {
            if is_shared && slot.overflowed() { Some(None) } else { slot.apply_override(&order).map(Some) }
        };
        let made = Self::act(slf, fuse, obey)?;
        Ok(made.map(|made| made_here(made, order.until_us(&made), order.about())))
    }

    fn _settings<'py>(slf: &Bound<'py, Self>, fuse: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let name = fuse_name(fuse)?;
        let opened = Self::up_to_date(slf)?;
        opened.get().settings(name).map(|policy| items(slf.py(), &policy)).transpose()
    }

    /// The states of all fuses that were used, by name, in no particular order. Safe while others write.
    fn all_states<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let (py, opened) = (slf.py(), Self::up_to_date(slf)?);
        let states = opened.get().state_cache.list(opened.get().view(), py)?;
        for view in opened.get().views().skip(1) {
            // Few, and of this process alone.
            states.update(StateCache::default().list(view, py)?.as_mapping())?;
        }
        Ok(states)
    }

    /// A snapshot of each fuse that was used, by name. Safe while others write.
    fn snapshot<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let opened = Self::up_to_date(slf)?;
        let snapshots = PyDict::new(slf.py());
        let now_us = opened.get().view().clock().now_us();
        for (view, claim, name, overflowed) in opened.get().named() {
            if let Some((cell, totals)) = view.snapshot(claim, now_us) {
                let note = view.override_note(claim.slot, cell.word.generation());
                let local = view.path().is_none() || overflowed;
                let snapshot = FuseSnapshot::new(name.clone(), &cell, &totals, local, view.maker(claim), note);
                snapshots.set_item(name, snapshot)?;
            }
        }
        Ok(snapshots)
    }

    fn _journal(slf: &Bound<'_, Self>) -> PyResult<Vec<Row>> {
        let opened = Self::up_to_date(slf)?;
        let mut rows: Vec<_> = opened.get().records().into_iter().flatten().collect();
        rows.sort_by_key(|row| row.3);
        Ok(rows)
    }

    /// How many records the journal has lost.
    ///
    /// They were dropped to make room for later ones, or their fuse was removed and no longer has a name.
    #[getter]
    fn journal_dropped(&self, py: Python<'_>) -> u64 {
        let opened = self.opened(py).unbind();
        let nameless = opened.get().records().iter().filter(|row| row.is_none()).count() as u64;
        opened.get().views().fold(nameless, |dropped, view| dropped.saturating_add(view.numbers().start))
    }

    fn _reset_all(slf: &Bound<'_, Self>) -> PyResult<Vec<Row>> {
        let mut rows = Vec::new();
        let opened = Self::up_to_date(slf)?;
        Self::to_write(slf, &opened)?.forget_all_with(|table, slot, transition| {
            rows.extend(table.name(slot).map(|name| row_here(name, made_here(transition, 0, About::NOTHING))));
        });
        Ok(rows)
    }
}

/// Writes a transition into the journal that a raw operation made.
fn written_down(fuse: Fuse<'_>, made: Option<Transition>) -> Option<Made> {
    let made = made?;
    fuse.write_down(made, About::NOTHING);
    Some(made_here(made, 0, About::NOTHING))
}

/// Whether this process was forked without telling the interpreter. True once for each such fork.
#[pyfunction]
pub(crate) fn take_note_of_a_fork() -> bool {
    fuseboard_shm::owner::take_note_of_a_fork()
}
