//! The states that were read last, as Python objects, kept for the next time. Names and states are immutable, and most of
//! them are the same then. So a list of a hundred thousand fuses makes new objects only for the fuses that changed.

use std::sync::{Mutex, PoisonError};

use fuseboard_core::directory::Owner;
use fuseboard_shm::table::View;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::convert::values::FuseState;
use crate::interpreter::link::Link;

/// How many states are kept that were asked for by name.
const RECENT: usize = 64;

/// One slot, as it was listed.
struct Entry {
    owner: Owner,
    state: FuseState,
    name: Py<PyString>,
}

/// The list that was made last.
struct StateList {
    entries: Vec<Option<Entry>>,
    states: Py<PyDict>,
}

/// What was listed of a table's fuses last; nothing until somebody asks for a list.
#[derive(Default)]
pub(crate) struct StateCache(Mutex<Option<StateList>>);

impl StateCache {
    /// The states of a table's fuses by name, in a dict of the caller's own.
    pub(crate) fn list<'py>(&self, table: &View, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        // Taken out, because objects are made and dropped below, which runs other code. A caller that comes meanwhile
        // begins anew.
        let mut list = self.swap(None).unwrap_or_else(|| StateList::nothing(table, py));
        if !list.refresh(table, py)? {
            list = StateList::nothing(table, py);
            list.refresh(table, py)?;
        }
        // Copying a dict takes a fraction of the time that filling one takes.
        let states = list.states.bind(py).copy();
        drop(self.swap(Some(list)));
        states
    }

    fn swap(&self, next: Option<StateList>) -> Option<StateList> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), next)
    }
}

impl StateList {
    fn nothing(table: &View, py: Python<'_>) -> Self {
        let entries = std::iter::repeat_with(|| None).take(table.geometry().slots()).collect();
        Self { entries, states: PyDict::new(py).unbind() }
    }

    /// Brings the list up to date. False if a listed fuse is gone, or its slot belongs to another one.
    fn refresh(&mut self, table: &View, py: Python<'_>) -> PyResult<bool> {
        let states = self.states.bind(py);
        let mut found = 0;
        for (claim, word) in table.used_claims() {
            let (state, kept) = (FuseState::of_word(word), &mut self.entries[claim.slot]);
            match kept {
                Some(entry) if entry.owner != claim.owner => return Ok(false),
                Some(entry) if entry.state == state => {}
                Some(entry) => {
                    entry.state = state;
                    states.set_item(&entry.name, Py::new(py, state)?)?;
                }
                None => {
                    // A fuse whose name is not complete yet is not listed.
                    let Some(name) = table.name_of(claim) else { continue };
                    let name = PyString::new(py, &name).unbind();
                    states.set_item(&name, Py::new(py, state)?)?;
                    *kept = Some(Entry { owner: claim.owner, state, name });
                }
            }
            found += 1;
        }
        Ok(found == states.len())
    }
}

/// States that were read last, by slot.
pub(crate) struct Recent([Link<FuseState>; RECENT]);

impl Default for Recent {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Link::default()))
    }
}

impl Recent {
    /// The state as an object: the last one, if it is equal.
    pub(crate) fn state<'py>(&self, py: Python<'py>, slot: usize, state: FuseState) -> PyResult<Bound<'py, FuseState>> {
        last_or_new(py, &self.0[slot % RECENT], state)
    }
}

/// The state as an object: the last one, if it is equal.
#[inline]
pub(crate) fn last_or_new<'py>(
    py: Python<'py>,
    last: &Link<FuseState>,
    state: FuseState,
) -> PyResult<Bound<'py, FuseState>> {
    if let Some(last) = last.get(py)
        && *last.get() == state
    {
        return Ok(last);
    }
    let new = Bound::new(py, state)?;
    last.set(py, Some(new.clone()));
    Ok(new)
}
