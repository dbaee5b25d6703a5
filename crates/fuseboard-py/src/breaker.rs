//! `Breaker`: admits calls and settles them. The Python class on top says what an exception means, what a rejection
//! looks like and who hears of a transition.

use fuseboard_core::fuse::Transition;
use fuseboard_shm::handle::Outcome;
use pyo3::exceptions::{PyBaseException, PyKeyboardInterrupt, PyStopIteration};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::blocks::Blocks;
use crate::fuse::{Fuse, Held, Permit};
use crate::guard::{Link, ask_python, new_guard, running_frame};
use crate::python::seconds;

#[pyclass(frozen, subclass, weakref, module = "fuseboard._core")]
pub struct Breaker {
    pub(crate) link: Link<Fuse>,
    /// The permit of the last call that found the fuse closed. Such permits differ only by fuse and generation, so one
    /// does for many calls.
    closed: Link<Permit>,
    blocks: Blocks,
}

#[pymethods]
impl Breaker {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { link: Link::default(), closed: Link::default(), blocks: Blocks::default() }
    }

    fn _link(slf: &Bound<'_, Self>, fuse: Option<Bound<'_, Fuse>>) {
        slf.get().link.set(slf.py(), fuse);
        slf.get().closed.set(slf.py(), None);
    }

    fn _linked<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, Fuse>> {
        slf.get().link.get(slf.py())
    }

    fn _guard(slf: &Bound<'_, Self>, function: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        new_guard(slf, function)
    }

    fn _admit<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Permit>> {
        let py = slf.py();
        let breaker = slf.get();
        if let (Some(fuse), Some(last)) = (breaker.link.get(py), breaker.closed.get(py))
            && last.get().admits(&fuse)
        {
            return Ok(last);
        }
        let permit = Bound::new(py, Permit::new(admit(slf)?))?;
        if permit.get().is_closed() {
            breaker.closed.set(py, Some(permit.clone()));
        }
        Ok(permit)
    }

    #[pyo3(signature = (permit, error=None))]
    fn _settle(slf: &Bound<'_, Self>, permit: &Bound<'_, Permit>, error: Option<Bound<'_, PyBaseException>>) {
        if let Some(held) = permit.get().take() {
            settle(slf, held, error.as_ref());
        }
    }

    /// Ends a call that says nothing about the service.
    #[allow(clippy::unused_self, reason = "a permit is settled by its breaker")]
    fn _ignore(&self, permit: &Bound<'_, Permit>) {
        // Ignored calls change no state.
        _ = permit.get().take().and_then(|held| held.settle(Outcome::Ignored));
    }

    fn __enter__(slf: &Bound<'_, Self>) -> PyResult<()> {
        let held = admit(slf)?;
        if let Some(frame) = running_frame(slf.py()) {
            slf.get().blocks.enter(frame, held);
        }
        Ok(())
    }

    fn __exit__(
        slf: &Bound<'_, Self>,
        _class: &Bound<'_, PyAny>,
        error: Option<Bound<'_, PyBaseException>>,
        _traceback: &Bound<'_, PyAny>,
    ) -> bool {
        if let Some(held) = running_frame(slf.py()).and_then(|frame| slf.get().blocks.leave(&frame)) {
            settle(slf, &held, error.as_ref());
        }
        false
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.blocks.traverse(&visit)
    }

    fn __aenter__(slf: &Bound<'_, Self>) -> PyResult<Ready> {
        Self::__enter__(slf).map(|()| Ready)
    }

    fn __aexit__(
        slf: &Bound<'_, Self>,
        class: &Bound<'_, PyAny>,
        error: Option<Bound<'_, PyBaseException>>,
        traceback: &Bound<'_, PyAny>,
    ) -> Ready {
        Self::__exit__(slf, class, error, traceback);
        Ready
    }
}

/// Asks for a permit; `Ok(None)` if the fuse cannot be had, by a fault of ours: then the call goes on unguarded.
pub(crate) fn admit(slf: &Bound<'_, Breaker>) -> PyResult<Option<Held>> {
    let py = slf.py();
    let fuse = match slf.get().link.get(py) {
        Some(fuse) => fuse,
        None => match resolve(slf) {
            Ok(fuse) => fuse,
            Err(fault) => {
                report(slf, fault);
                return Ok(None);
            }
        },
    };
    let word = fuse.get().word();
    if word.is_closed() {
        return Ok(Some(Held::closed(&fuse, word)));
    }
    let admission = fuse.get().admit();
    if let Some(transition) = admission.transition {
        tell(slf, transition, None);
    }
    match admission.verdict {
        Ok(permit) => Ok(Some(Held::new(&fuse, permit))),
        Err(rejection) => {
            let retry_after = rejection.retry_after_us.map(seconds);
            let error = ask_python(slf, intern!(py, "_reject"), (rejection.state as u8, retry_after))?;
            Err(PyErr::from_value(error))
        }
    }
}

fn resolve<'py>(slf: &Bound<'py, Breaker>) -> PyResult<Bound<'py, Fuse>> {
    Ok(ask_python(slf, intern!(slf.py(), "_resolve"), ())?.cast_into::<Fuse>()?)
}

/// Reports how a call ended: without an error, or with this one.
pub(crate) fn settle(slf: &Bound<'_, Breaker>, held: &Held, error: Option<&Bound<'_, PyBaseException>>) {
    let outcome = error.map_or(Outcome::Success, |error| classify(slf, error));
    if let Some(transition) = held.settle(outcome) {
        let class = error.and_then(|error| error.get_type().qualname().ok());
        held.write_down(transition, &class.map(|name| name.to_string()).unwrap_or_default());
        tell(slf, transition, error);
    }
}

/// What an exception means, by the Python class. If it cannot say, by a fault of its own, the call has failed.
fn classify(slf: &Bound<'_, Breaker>, error: &Bound<'_, PyBaseException>) -> Outcome {
    let py = slf.py();
    match ask_python(slf, intern!(py, "_is_failure"), (error,)).and_then(|answer| answer.is_truthy()) {
        Ok(true) => Outcome::Failure,
        Ok(false) => Outcome::Ignored,
        Err(fault) => {
            report(slf, fault);
            Outcome::Failure
        }
    }
}

/// Tells the Python class of a transition that this call made. Nothing it does can change the call.
fn tell(slf: &Bound<'_, Breaker>, transition: Transition, error: Option<&Bound<'_, PyBaseException>>) {
    let py = slf.py();
    let (from, to) = (transition.from as u8, transition.to as u8);
    let told = ask_python(slf, intern!(py, "_transitioned"), (from, to, transition.generation, error));
    if let Err(fault) = told {
        report(slf, fault);
    }
}

/// Reports a fault of ours, or of code called on our account, without letting it into the user's call. Ctrl-C is neither:
/// it comes again as soon as the call is over.
fn report(slf: &Bound<'_, Breaker>, fault: PyErr) {
    let py = slf.py();
    if fault.is_instance_of::<PyKeyboardInterrupt>(py) {
        crate::guard::interrupt_again(py);
    } else if let Err(another) = ask_python(slf, intern!(py, "_report"), (fault.value(py),)) {
        another.write_unraisable(py, Some(slf.as_any()));
    }
}

/// Settles a call that has returned or raised. What it returned is handed on unchanged, unless the call has only begun:
/// a coroutine or a generator is guarded anew, while it runs; other awaitables cannot be (rule R17).
pub(crate) fn finish<'py>(
    slf: &Bound<'py, Breaker>,
    held: Held,
    result: PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    match result {
        Ok(value) if crate::guard::has_only_begun(&value) => {
            ask_python(slf, intern!(py, "_follow"), (value, Permit::new(Some(held))))
        }
        Ok(value) => {
            settle(slf, &held, None);
            Ok(value)
        }
        Err(error) => {
            settle(slf, &held, Some(error.value(py)));
            Err(error)
        }
    }
}

/// A coroutine that is ready at once, with None: entering and leaving a breaker never waits.
#[pyclass(frozen, module = "fuseboard._core")]
pub struct Ready;

#[pymethods]
impl Ready {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[allow(clippy::unused_self, reason = "the iterator protocol's signature")]
    fn __next__(&self) -> Option<Py<PyAny>> {
        None
    }

    // The rest of a coroutine's methods, so that it is one to whoever drives it by hand, and to type checkers.

    #[allow(clippy::unused_self, reason = "the coroutine protocol's signature")]
    fn send(&self, _value: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(PyStopIteration::new_err(()))
    }

    #[allow(clippy::unused_self, reason = "the coroutine protocol's signature")]
    #[pyo3(signature = (error, /))]
    fn throw(&self, error: Bound<'_, PyBaseException>) -> PyResult<()> {
        Err(PyErr::from_value(error.into_any()))
    }

    #[allow(clippy::unused_self, reason = "the coroutine protocol's signature")]
    fn close(&self) {}
}
