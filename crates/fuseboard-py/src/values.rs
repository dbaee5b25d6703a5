//! Plain values handed to Python.

use std::sync::Arc;

use fuseboard_core::contract::Reading;
use fuseboard_core::counters::{COUNTERS, Counter};
use fuseboard_core::state::State;
use fuseboard_core::word::Word;
use fuseboard_shm::clock::ManualClock;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::names::state_member;
use crate::python::{seconds, state_of_member};

/// A fuse's state and since when (seconds of `store.now()`, None if never seen), of one instant.
#[pyclass(frozen, eq, hash, module = "fuseboard._core")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FuseState {
    state: u8,
    since_us: Option<u64>,
}

impl FuseState {
    pub(crate) fn of_word(word: Word) -> Self {
        let state = word.state();
        Self { state: state.visible() as u8, since_us: state.is_seen().then(|| word.generation()) }
    }
}

#[pymethods]
impl FuseState {
    #[new]
    #[pyo3(signature = (state, since=None))]
    fn new(state: &Bound<'_, PyAny>, since: Option<f64>) -> PyResult<Self> {
        #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "checked to be in range")]
        let since_us = match since {
            None => None,
            Some(since) if (0.0..1e9).contains(&since) => Some((since * 1e6).round() as u64),
            Some(since) => {
                return Err(PyValueError::new_err(format!("since must be seconds from 0 up to 1e9, got {since}")));
            }
        };
        Ok(Self { state: state_of_member(state)? as u8, since_us })
    }

    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("state", "since")
    }

    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        state_member(py, State::from_code(self.state))
    }

    #[getter]
    fn since(&self) -> Option<f64> {
        self.since_us.map(seconds)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let since = self.since().map_or_else(|| "None".to_owned(), |since| format!("{since:?}"));
        Ok(format!("FuseState(state={}, since={since})", self.state(py)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let this = slf.get();
        let arguments = (this.state(slf.py())?, this.since()).into_pyobject(slf.py())?;
        Ok((slf.get_type().into_any(), arguments))
    }
}

/// A state that Python sees as a member of `fuseboard.State`.
#[derive(Clone, Copy, PartialEq)]
struct StateCode(State);

impl<'py> IntoPyObject<'py> for StateCode {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        state_member(py, self.0)
    }
}

/// What a fuse has been through: its state, and the whole host's counters.
#[pyclass(frozen, eq, get_all, module = "fuseboard._core")]
#[derive(PartialEq)]
pub struct FuseSnapshot {
    name: String,
    state: StateCode,
    since: Option<f64>,
    generation: u64,
    window_failures: u32,
    last_failure: Option<f64>,
    successes: u64,
    failures: u64,
    ignored: u64,
    rejections: u64,
    late: u64,
    probes: u64,
    trips: u64,
    closes: u64,
    settings_changes: u64,
    streak: u32,
    local: bool,
}

impl FuseSnapshot {
    pub(crate) fn new(name: String, reading: &Reading, totals: &[u64; COUNTERS], local: bool) -> Self {
        let total = |counter: Counter| totals[counter as usize];
        Self {
            name,
            state: StateCode(reading.word.state()),
            since: FuseState::of_word(reading.word).since(),
            generation: reading.word.generation(),
            window_failures: reading.failures,
            last_failure: reading.last_failure_us.map(seconds),
            successes: total(Counter::Successes),
            failures: total(Counter::Failures),
            ignored: total(Counter::Ignored),
            rejections: total(Counter::Rejections),
            late: total(Counter::Late),
            probes: total(Counter::Probes),
            trips: total(Counter::Trips),
            closes: total(Counter::Closes),
            settings_changes: reading.settings_changes,
            streak: reading.streak,
            local,
        }
    }
}

#[pymethods]
impl FuseSnapshot {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let state = state_member(py, self.state.0)?;
        Ok(format!(
            "FuseSnapshot(name={:?}, state={state}, successes={}, failures={}, rejections={})",
            self.name, self.successes, self.failures, self.rejections
        ))
    }
}

/// A clock that a test moves.
#[pyclass(frozen, subclass, module = "fuseboard._core")]
pub struct Clock(pub(crate) Arc<ManualClock>);

#[pymethods]
impl Clock {
    #[new]
    fn new(now_us: Option<u64>) -> Self {
        Self(Arc::new(now_us.map_or_else(ManualClock::running, ManualClock::new)))
    }

    #[getter]
    fn now_us(&self) -> u64 {
        self.0.now_us()
    }

    fn advance_us(&self, by_us: u64) {
        self.0.advance(by_us);
    }

    fn _stop(&self) {
        self.0.stop();
    }

    fn _run(&self) {
        self.0.run();
    }
}
