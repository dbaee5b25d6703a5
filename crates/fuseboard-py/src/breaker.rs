//! `Breaker`: admits calls and settles them. The Python class on top says what an exception means, what a rejection
//! looks like and who hears of a transition.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fuseboard_core::fuse::Transition;
use fuseboard_shm::handle::Outcome;
use pyo3::exceptions::{PyBaseException, PyKeyboardInterrupt, PyStopIteration};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::fuse::{Fuse, Held, Permit};
use crate::guard::{Link, ask_python, new_guard, references, running_frame};
use crate::python::seconds;

/// A permit of a `with` block. The first of a frame keeps the frame, so that no other gets its address.
struct Block {
    frame: Option<Py<PyAny>>,
    held: Option<Held>,
}

/// Blocks by the address of the frame they run in, and how many the frame had entered before.
type Entered = HashMap<(usize, u32), Block>;

#[pyclass(frozen, subclass, weakref, module = "fuseboard._core")]
pub struct Breaker {
    pub(crate) link: Link<Fuse>,
    /// The permit of the last call that found the fuse closed. Such permits differ only by fuse and generation, so one
    /// does for many calls.
    closed: Link<Permit>,
    entered: Mutex<Entered>,
}

#[pymethods]
impl Breaker {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self { link: Link::default(), closed: Link::default(), entered: Mutex::default() }
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
            slf.get().remember(frame, held);
        }
        Ok(())
    }

    fn __exit__(
        slf: &Bound<'_, Self>,
        _class: &Bound<'_, PyAny>,
        error: Option<Bound<'_, PyBaseException>>,
        _traceback: &Bound<'_, PyAny>,
    ) -> bool {
        let block = running_frame(slf.py()).and_then(|frame| slf.get().recall(&frame));
        if let Some(held) = block.and_then(|block| block.held) {
            settle(slf, &held, error.as_ref());
        }
        false
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Not while somebody holds it: the collector may run in the middle of an insertion.
        let entered = self.entered.try_lock();
        entered.iter().flat_map(|entered| entered.values()).try_for_each(|block| visit.call(&block.frame))
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

impl Breaker {
    /// Held for a few instructions that call nobody, so never across a fork of the thread that holds it.
    fn entered(&self) -> MutexGuard<'_, Entered> {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a permit for the `with` block of a frame. A breaker is one object for all threads, tasks and generators, and
    /// what tells their blocks apart is the frame that runs them.
    fn remember(&self, frame: Bound<'_, PyAny>, held: Option<Held>) {
        let mut entered = self.entered();
        let address = frame.as_ptr().addr();
        let depth = depth(&entered, address);
        let frame = (depth == 0).then(|| frame.unbind());
        entered.insert((address, depth), Block { frame, held });
    }

    /// The innermost block of a frame. If it has none, the block was entered from a frame that has ended, as an
    /// `ExitStack` does it.
    fn recall(&self, frame: &Bound<'_, PyAny>) -> Option<Block> {
        let mut entered = self.entered();
        let address = frame.as_ptr().addr();
        match depth(&entered, address) {
            0 => recall_ended(&mut entered),
            depth => entered.remove(&(address, depth - 1)),
        }
    }
}

/// A block whose frame has ended: any of them, if their permits are alike. If they are not, nobody can tell whose this one
/// is; then all of them are void and their outcomes change nothing (rule R09), and a probe among them runs to its
/// deadline. A frame that only we refer to has ended; one that runs or waits is referred to by the interpreter too.
fn recall_ended(entered: &mut Entered) -> Option<Block> {
    let frame_of = |key: &(usize, u32)| entered.get(&(key.0, 0)).and_then(|first| first.frame.as_ref());
    let ended: Vec<_> =
        entered.keys().filter(|key| frame_of(key).is_some_and(|it| references(it) == 1)).copied().collect();
    // A frame that is kept by a traceback does not look ended; where there is but one block, it is this one all the same.
    let only = (entered.len() == 1).then(|| entered.keys().next().copied()).flatten();
    let (frame, _) = ended.first().copied().or(only)?;
    // The last block of the frame: the first one keeps it, and with it the address.
    let key = (frame, depth(entered, frame).saturating_sub(1));
    let alike = |a: &Option<Held>, b: &Option<Held>| a.as_ref().zip(b.as_ref()).is_some_and(|(a, b)| a.is_like(b));
    if !ended.iter().all(|other| *other == key || alike(&entered[&key].held, &entered[other].held)) {
        for key in &ended {
            if let Some(block) = entered.get_mut(key) {
                block.held = None;
            }
        }
    }
    entered.remove(&key)
}

/// How many blocks a frame has entered.
fn depth(entered: &Entered, frame: usize) -> u32 {
    (0..).find(|depth| !entered.contains_key(&(frame, *depth))).unwrap_or(u32::MAX)
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
    } else {
        fault.write_unraisable(py, Some(slf.as_any()));
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
