//! What was read of fuses last, kept for the next time: names and states are immutable values, and most of them are the
//! same then. So a list of a hundred thousand fuses makes new objects only for those that changed.

use std::sync::{Mutex, PoisonError};

use fuseboard_core::directory::Owner;
use fuseboard_shm::table::View;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::convert::values::FuseState;
use crate::interpreter::link::Link;

/// How many states by name are kept.
const RECENT: usize = 64;

/// What was listed of one slot.
struct Entry {
    owner: Owner,
    state: FuseState,
    name: Py<PyString>,
}

/// What was listed last.
struct Listed {
    entries: Vec<Option<Entry>>,
    states: Py<PyDict>,
}

/// What was listed of a table's fuses last; nothing until somebody asks for a list.
#[derive(Default)]
pub(crate) struct StateCache(Mutex<Option<Listed>>);

impl StateCache {
    /// The states of a table's fuses by name, in a dict of the caller's own.
    pub(crate) fn list<'py>(&self, table: &View, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        // Taken out, for objects are made and let go below, which runs other code: who comes meanwhile begins anew.
        let mut listed = self.swap(None).unwrap_or_else(|| Listed::nothing(table, py));
        if !listed.refresh(table, py)? {
            listed = Listed::nothing(table, py);
            listed.refresh(table, py)?;
        }
        // To copy a dict takes a fraction of what it takes to fill one.
        let states = listed.states.bind(py).copy();
        drop(self.swap(Some(listed)));
        states
    }

    fn swap(&self, next: Option<Listed>) -> Option<Listed> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), next)
    }
}

impl Listed {
    fn nothing(table: &View, py: Python<'_>) -> Self {
        let entries = std::iter::repeat_with(|| None).take(table.geometry().slots()).collect();
        Self { entries, states: PyDict::new(py).unbind() }
    }

    /// Brings it up to date; not where a fuse that was listed is there no more, or its slot another's.
    fn refresh(&mut self, table: &View, py: Python<'_>) -> PyResult<bool> {
        let states = self.states.bind(py);
        let mut found = 0;
        for (tenancy, word) in table.used_claims() {
            let (state, place) = (FuseState::of_word(word), &mut self.entries[tenancy.slot]);
            match place {
                Some(entry) if entry.owner != tenancy.owner => return Ok(false),
                Some(entry) if entry.state == state => {}
                Some(entry) => {
                    entry.state = state;
                    states.set_item(&entry.name, Py::new(py, state)?)?;
                }
                None => {
                    // One whose name does not stand there whole is not listed.
                    let Some(name) = table.name_of(tenancy) else { continue };
                    let name = PyString::new(py, &name).unbind();
                    states.set_item(&name, Py::new(py, state)?)?;
                    *place = Some(Entry { owner: tenancy.owner, state, name });
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
    /// The state as an object: the one that was given out last, if that says the same.
    pub(crate) fn state<'py>(&self, py: Python<'py>, slot: usize, state: FuseState) -> PyResult<Bound<'py, FuseState>> {
        last_or_new(py, &self.0[slot % RECENT], state)
    }
}

/// The state as an object: the last one, if that says the same.
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
