//! `Leader`: this process as one that may lead for a purpose; `Unexported`: what was not exported yet.

use fuseboard_core::exported::{EXPORTED, ExportDelta};
use fuseboard_shm::leading::Candidate;
use fuseboard_shm::store::Slot;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::table::opened::Opened;
use crate::table::store::Store;

/// This process as one that may lead; see ``fuseboard.Leader``.
#[pyclass(frozen, module = "fuseboard._core")]
pub struct Leader {
    store: Py<Store>,
    purpose: String,
    lease_us: u64,
}

impl Leader {
    /// Does `act` with the candidate for the table that the store has open.
    fn of<T>(&self, opened: &Bound<'_, Opened>, act: impl FnOnce(Candidate<'_>) -> T) -> PyResult<T> {
        let tables = Store::to_write(self.store.bind(opened.py()), opened)?;
        let candidate = Candidate::new(tables.table(), &self.purpose).ok_or_else(|| self.no_room())?;
        Ok(act(candidate))
    }

    fn no_room(&self) -> PyErr {
        PyValueError::new_err(format!(
            "purpose must be one that the store knows, got {:?}; a store knows at most {} purposes for as long as its table \
             exists, so use one of them, or another store",
            self.purpose,
            fuseboard_core::leader::PURPOSES
        ))
    }
}

#[pymethods]
impl Leader {
    #[new]
    fn new(store: &Bound<'_, Store>, purpose: String, lease_us: u64) -> PyResult<Self> {
        let this = Self { store: store.clone().unbind(), purpose, lease_us };
        let opened = Store::up_to_date(store)?;
        let is_possible = Candidate::is_possible(Store::to_write(store, &opened)?.table(), &this.purpose);
        if is_possible { Ok(this) } else { Err(this.no_room()) }
    }

    /// Takes or keeps the lead. Returns the term, or None, and what was wrong with the lock, if anything.
    fn lead(&self, py: Python<'_>) -> PyResult<(Option<u64>, Option<String>)> {
        self.of(&Store::up_to_date(self.store.bind(py))?, |candidate| {
            let term = candidate.lead(self.lease_us);
            (term, candidate.fault())
        })
    }

    /// The term in which this process leads now; None if it does not lead.
    fn term(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        self.of(&self.store.get().opened(py), |candidate| candidate.term())
    }

    /// Gives up the lead.
    fn resign(&self, py: Python<'_>) -> PyResult<()> {
        self.of(&self.store.get().opened(py), |candidate| candidate.resign())
    }

    /// The process that leads now.
    fn pid(&self, py: Python<'_>) -> PyResult<Option<u32>> {
        self.of(&self.store.get().opened(py), |candidate| candidate.pid())
    }

    /// The counters of the table's fuses that were not exported yet; None if this process does not lead now.
    fn unexported(&self, py: Python<'_>) -> PyResult<Option<Unexported>> {
        let opened = self.store.get().opened(py);
        if self.of(&opened, |candidate| candidate.term())?.is_none() {
            return Ok(None);
        }
        // Of fuses that live in one process each, nobody could export those of the other processes.
        let slots = Store::to_write(self.store.bind(py), &opened)?.slots();
        let unexported = |slot: Slot| {
            let delta = slot.unexported()?;
            Some((slot.name()?, delta, slot))
        };
        Ok(Some(Unexported(slots.into_iter().filter(|slot| !slot.overflowed()).filter_map(unexported).collect())))
    }
}

/// Counters that were not exported when they were read.
#[pyclass(frozen, module = "fuseboard._core")]
pub struct Unexported(Vec<(String, ExportDelta, Slot)>);

#[pymethods]
impl Unexported {
    /// Each fuse with something new: its name, and its counters in their order, slow calls last.
    fn rows(&self) -> Vec<(&str, [u64; EXPORTED])> {
        self.0.iter().map(|(name, delta, _)| (name.as_str(), delta.fresh)).collect()
    }

    /// Notes that they were exported.
    fn note(&self) {
        for (_, delta, slot) in &self.0 {
            slot.note_exported(delta);
        }
    }
}
