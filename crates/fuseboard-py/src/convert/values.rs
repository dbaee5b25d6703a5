//! Values that Python gets: `FuseState`, `FuseSnapshot`, `Clock`.

use std::sync::Arc;

use fuseboard_core::counters::{COUNTERS, Counter};
use fuseboard_core::snapshot::CellSnapshot;
use fuseboard_core::state::State;
use fuseboard_core::word::Word;
use fuseboard_shm::clock::ManualClock;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::convert::states::{state_member, state_of_member};
use crate::convert::time::seconds;

/// A fuse's state and when it began, read at one instant. Immutable, hashable; it pickles and works in ``match``.
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

    /// The state.
    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        state_member(py, State::from_code(self.state))
    }

    /// When the state began, in seconds of ``store.now()``; None for a fuse that was never used.
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

/// The state and the counters of a fuse. Immutable; two are equal if all their attributes are.
///
/// State and generation are read at one instant. Counters cover the whole host and only go up, until ``reset_all``.
/// Each includes everything that was counted before the snapshot began.
#[pyclass(frozen, eq, get_all, module = "fuseboard._core")]
#[derive(PartialEq)]
pub struct FuseSnapshot {
    /// The fuse.
    name: String,
    /// The state.
    state: StateCode,
    /// When the state began, in seconds of ``store.now()``.
    since: Option<f64>,
    /// A number that grows with each change of state.
    generation: u64,
    /// Failures in the window, which is the longest window of all breakers of this fuse.
    ///
    /// They are counted since the last success or change of state, up to ``failure_capacity``. Before a breaker has
    /// made a call, the window is seven days.
    window_failures: u32,
    /// When the latest failure happened, in seconds of ``store.now()``, also if it is older than the window.
    ///
    /// None if there was no failure since the last success or change of state, so a fuse that has just opened has None.
    last_failure: Option<f64>,
    /// Calls that succeeded.
    successes: u64,
    /// Calls that failed.
    failures: u64,
    /// Calls that were ignored: neither successes nor failures (rule R10).
    ignored: u64,
    /// Calls that were rejected.
    rejections: u64,
    /// Outcomes of calls from an older generation (rule R09). They are also in the counter of their outcome.
    late_outcomes: u64,
    /// Calls admitted as probes.
    probes: u64,
    /// How often a failure opened the fuse: trips and failed probes. The journal's transitions show which.
    trips: u64,
    /// How often probes closed the fuse, or began its ramp.
    closes: u64,
    /// How often a breaker came with other settings than the breaker before it (rule R15).
    settings_changes: u64,
    /// The steps by which the open time had grown when the fuse last opened; see ``multiplier``.
    ///
    /// Time that the fuse was closed since then is subtracted when it opens next. Just after the fuse opens, this may
    /// still be the number from before.
    failed_probes: u32,
    /// Calls that were slow by the policy of their breaker. 0 if no policy measures the time of calls.
    slow: u64,
    /// When the manual override ends by itself, in seconds of ``store.now()``; None without an end or override.
    until: Option<f64>,
    /// Who made the manual override of this fuse; None if nobody is named, or there is no override.
    who: Option<String>,
    /// Why the override was made; None as for ``who``.
    why: Option<String>,
    /// Whether the fuse lives only in this process.
    is_local: bool,
    /// The module whose breaker was the first to make calls on this fuse, such as ``shop.payments``.
    ///
    /// A name longer than 55 bytes is shortened and ends in a hash. None if no breaker has made calls, or if that
    /// breaker was made outside of a module: in an interactive shell, by ``python -c``, in a notebook.
    module: Option<String>,
}

impl FuseSnapshot {
    pub(crate) fn new(
        name: String,
        cell: &CellSnapshot,
        totals: &[u64; COUNTERS],
        is_local: bool,
        module: Option<String>,
        [who, why]: [Option<String>; 2],
    ) -> Self {
        let total = |counter: Counter| totals[counter as usize];
        Self {
            name,
            state: StateCode(cell.word.state()),
            since: FuseState::of_word(cell.word).since(),
            generation: cell.word.generation(),
            window_failures: cell.failures,
            last_failure: cell.last_failure_us.map(seconds),
            successes: total(Counter::Successes),
            failures: total(Counter::Failures),
            ignored: total(Counter::Ignored),
            rejections: total(Counter::Rejections),
            late_outcomes: total(Counter::Late),
            probes: total(Counter::Probes),
            trips: total(Counter::Trips),
            closes: total(Counter::Closes),
            settings_changes: cell.settings_changes,
            failed_probes: cell.failed_probes,
            slow: cell.slow,
            until: cell.until_us.map(seconds),
            who,
            why,
            is_local,
            module,
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

/// A clock that a test moves. It never goes back. It belongs to one process: a forked child gets a copy.
#[pyclass(frozen, subclass, module = "fuseboard._core")]
pub struct Clock(pub(crate) Arc<ManualClock>);

#[pymethods]
impl Clock {
    #[new]
    fn new(now_us: Option<u64>) -> Self {
        Self(Arc::new(now_us.map_or_else(ManualClock::running, ManualClock::new)))
    }

    /// What it shows, in microseconds.
    #[getter]
    fn now_us(&self) -> u64 {
        self.0.now_us()
    }

    /// Moves it forward.
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
