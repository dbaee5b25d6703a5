//! `Breaker`: admits calls and settles them. The Python class on top says what an exception means, what a rejection
//! looks like and who hears of a transition.

use std::sync::atomic::{AtomicBool, Ordering};

use fuseboard_core::fuse::{Rejection, Transition};
use fuseboard_core::journal::About;
use fuseboard_core::state::State;
use fuseboard_shm::handle::Outcome;
use pyo3::exceptions::{PyBaseException, PyKeyboardInterrupt};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::blocks::Blocks;
use crate::fuse::{Fuse, Held, Permit};
use crate::guard::{Left, Link, ask_python, bound_calls, new_guard, running_frame};
use crate::python::state_member;
use crate::reader::made_here;
use crate::ready::Ready;

// What a closed call needs comes first, beside the object's count of references.
#[pyclass(frozen, subclass, weakref, module = "fuseboard._core")]
#[repr(C)]
pub struct Breaker {
    pub(crate) link: Link<Fuse>,
    /// The permit of the last call that found the fuse closed. Such permits differ only by fuse and generation, so one
    /// does for many calls.
    pub(crate) closed: Link<Permit>,
    blocks: Blocks,
    /// A block of which one method has been looked up, and the other is about to be.
    pub(crate) block: Left,
    /// Whether results are asked about too (`failure_if`).
    judges: AtomicBool,
    /// Whether nobody is rejected.
    is_shadow: AtomicBool,
    /// The class of the last exception whose class alone made it a failure, so that it need not be asked about again.
    failing: Link<PyType>,
}

#[pymethods]
impl Breaker {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            link: Link::default(),
            closed: Link::default(),
            blocks: Blocks::default(),
            block: Left::default(),
            judges: AtomicBool::new(false),
            is_shadow: AtomicBool::new(false),
            failing: Link::default(),
        }
    }

    fn _link(slf: &Bound<'_, Self>, fuse: Option<Bound<'_, Fuse>>) {
        slf.get().link.set(slf.py(), fuse);
        slf.get().closed.set(slf.py(), None);
    }

    fn _linked<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, Fuse>> {
        let fuse = slf.get().link.get(slf.py())?;
        if fuse.get().is_given_back() || fuse.get().is_to_be_looked_up() {
            slf.get().unlink(&fuse);
            return None;
        }
        Some(fuse)
    }

    /// The fuse's state now. An open fuse stays open until a call asks to pass after the reset timeout (R06).
    #[getter]
    fn state<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        loop {
            let fuse = linked_or_resolved(slf)?;
            if let Some(word) = fuse.get().mine() {
                return state_member(slf.py(), word.state());
            }
            slf.get().unlink(&fuse);
        }
    }

    fn _reject_nobody(&self) {
        self.is_shadow.store(true, Ordering::Relaxed);
    }

    fn _judge_results(&self) {
        self.judges.store(true, Ordering::Relaxed);
    }

    #[pyo3(signature = (function, fallback=None))]
    fn _guard(
        slf: &Bound<'_, Self>,
        function: &Bound<'_, PyAny>,
        fallback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        new_guard(slf, function, fallback)
    }

    fn _admit<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Permit>> {
        let (py, breaker) = (slf.py(), slf.get());
        if let (Some(fuse), Some(last)) = (breaker.link.get(py), breaker.closed.get(py))
            && last.get().admits(fuse.get())
        {
            return Ok(last);
        }
        let permit = Bound::new(py, Permit::new(admit(slf)?))?;
        if permit.get().serves_many() {
            breaker.closed.set(py, Some(permit.clone()));
        }
        Ok(permit)
    }

    fn _returned(slf: &Bound<'_, Self>, permit: &Bound<'_, Permit>, value: &Bound<'_, PyAny>) {
        if let Some(held) = permit.get().take() {
            returned(slf, held, value);
        }
    }

    /// The same two, for those who make them often.
    fn _calls<'py>(slf: &Bound<'py, Self>) -> PyResult<[Bound<'py, PyAny>; 2]> {
        bound_calls(slf)
    }

    fn _permit(slf: &Bound<'_, Self>) -> PyResult<Permit> {
        Ok(Permit::new(admit(slf)?.map(Held::alone)))
    }

    #[pyo3(signature = (permit, error=None))]
    fn _settle(slf: &Bound<'_, Self>, permit: &Bound<'_, Permit>, error: Option<Bound<'_, PyBaseException>>) {
        if let Some(held) = permit.get().take() {
            settle(slf, held, error.as_ref());
        }
    }

    #[pyo3(signature = (permit, failed, error=None))]
    fn _conclude(
        slf: &Bound<'_, Self>,
        permit: &Bound<'_, Permit>,
        failed: Option<bool>,
        error: Option<Bound<'_, PyBaseException>>,
    ) {
        if let Some(held) = permit.get().take() {
            let outcome = match failed {
                Some(true) => Outcome::Failure,
                Some(false) => Outcome::Success,
                None => Outcome::Ignored,
            };
            conclude(slf, held, outcome, error.as_ref());
        }
    }

    /// Ends a call that says nothing about the service.
    #[allow(clippy::unused_self, reason = "a permit is settled by its breaker")]
    fn _ignore(&self, permit: &Bound<'_, Permit>) {
        // Ignored calls change no state.
        _ = permit.get().take().and_then(|held| held.settle(Outcome::Ignored));
    }

    fn _enter(slf: &Bound<'_, Self>) -> PyResult<()> {
        let held = admit(slf)?;
        if let Some(frame) = running_frame(slf.py()) {
            slf.get().blocks.enter(frame, held);
        }
        Ok(())
    }

    fn _exit(
        slf: &Bound<'_, Self>,
        _class: &Bound<'_, PyAny>,
        error: Option<Bound<'_, PyBaseException>>,
        _traceback: &Bound<'_, PyAny>,
    ) -> bool {
        let voided = || tell_voided(slf);
        if let Some(held) = running_frame(slf.py()).and_then(|frame| slf.get().blocks.leave(&frame, voided)) {
            settle(slf, &held, error.as_ref());
        }
        false
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.failing.traverse(&visit)?;
        self.blocks.traverse(&visit)
    }

    fn _aenter<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Ready>> {
        Self::_enter(slf)?;
        Ready::shared(slf.py())
    }

    fn _aexit<'py>(
        slf: &Bound<'py, Self>,
        class: &Bound<'py, PyAny>,
        error: Option<Bound<'py, PyBaseException>>,
        traceback: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Ready>> {
        Self::_exit(slf, class, error, traceback);
        Ready::shared(slf.py())
    }
}

impl Breaker {
    /// Lets go of a fuse whose name is to be looked up again, unless the breaker has another one already.
    fn unlink(&self, fuse: &Bound<'_, Fuse>) {
        let py = fuse.py();
        if self.link.get(py).is_some_and(|linked| linked.is(fuse)) {
            self.link.set(py, None);
            self.closed.set(py, None);
        }
    }

    /// Whether results are asked about too.
    pub(crate) fn judges(&self) -> bool {
        self.judges.load(Ordering::Relaxed)
    }
}

/// Asks for a permit; `Ok(None)` if the fuse cannot be had, by a fault of ours: then the call goes on unguarded.
pub(crate) fn admit(slf: &Bound<'_, Breaker>) -> PyResult<Option<Held>> {
    let py = slf.py();
    let (fuse, admission) = loop {
        let fuse = match linked_or_resolved(slf) {
            Ok(fuse) => fuse,
            Err(fault) => {
                report(slf, fault);
                return Ok(None);
            }
        };
        if fuse.get().is_to_be_looked_up() {
            slf.get().unlink(&fuse);
            continue;
        }
        let word = fuse.get().word();
        if fuse.get().is_closed(word) {
            return Ok(Some(Held::closed(&fuse, word, fuse.get().began_us())));
        }
        let admission = fuse.get().admit();
        if !matches!(admission.verdict, Err(Rejection { state: State::Vacant, .. })) {
            break (fuse, admission);
        }
        // It was given back. The name has another slot by now, or takes one.
        slf.get().unlink(&fuse);
    };
    if let Some(transition) = admission.transition {
        tell(slf, transition, About::NOTHING);
    }
    match admission.verdict {
        Ok(permit) => Ok(Some(Held::new(&fuse, permit))),
        Err(rejection) => {
            if slf.get().is_shadow.load(Ordering::Relaxed) {
                return Ok(None);
            }
            Err(PyErr::from_value(fuse.get().rejected(py, rejection)?))
        }
    }
}

fn linked_or_resolved<'py>(slf: &Bound<'py, Breaker>) -> PyResult<Bound<'py, Fuse>> {
    if let Some(fuse) = slf.get().link.get(slf.py()) {
        return Ok(fuse);
    }
    Ok(ask_python(slf, intern!(slf.py(), "_resolve"), ())?.cast_into::<Fuse>()?)
}

/// Reports how a call ended: without an error, or with this one.
pub(crate) fn settle(slf: &Bound<'_, Breaker>, held: &Held, error: Option<&Bound<'_, PyBaseException>>) {
    let outcome = error.map_or(Outcome::Success, |error| classify(slf, error));
    conclude(slf, held, outcome, error);
}

/// Reports that a call returned this value, which may be a failure all the same.
fn returned(slf: &Bound<'_, Breaker>, held: &Held, value: &Bound<'_, PyAny>) {
    let (outcome, error) = if slf.get().judges() { judge(slf, value) } else { (Outcome::Success, None) };
    conclude(slf, held, outcome, error.as_ref());
}

/// What a result means, by the Python class; and the exception that it stands for, if there is one. If the class cannot say, by
/// a fault of its own, the call has failed.
fn judge<'py>(slf: &Bound<'py, Breaker>, value: &Bound<'py, PyAny>) -> (Outcome, Option<Bound<'py, PyBaseException>>) {
    let told = ask_python(slf, intern!(slf.py(), "_failure_if"), (value,));
    if let Some((asked_us, error)) = told.as_ref().ok().and_then(|told| told.extract().ok()) {
        return (Outcome::Telling { demands: true, asked_us }, Some(error));
    }
    (if is_truthy(slf, told) { Outcome::Failure } else { Outcome::Success }, None)
}

fn conclude(slf: &Bound<'_, Breaker>, held: &Held, outcome: Outcome, error: Option<&Bound<'_, PyBaseException>>) {
    if let Some(transition) = held.settle(outcome) {
        let class = error.and_then(|error| error.get_type().qualname().ok());
        let about = class.map_or(About::NOTHING, |name| About::new(name.to_string().as_bytes()));
        held.write_down(transition, about);
        tell(slf, transition, about);
    }
}

/// What an exception means, by the Python class.
fn classify(slf: &Bound<'_, Breaker>, error: &Bound<'_, PyBaseException>) -> Outcome {
    let (py, class) = (slf.py(), error.get_type());
    if slf.get().failing.get(py).is_some_and(|failing| failing.is(&class)) {
        return Outcome::Failure;
    }
    let told = ask_python(slf, intern!(py, "_is_failure"), (error,));
    if told.as_ref().is_ok_and(|told| told.is(&class)) {
        slf.get().failing.set(py, Some(class));
        return Outcome::Failure;
    }
    if let Some((demands, asked_us)) = told.as_ref().ok().and_then(|told| told.extract::<(bool, u64)>().ok()) {
        return Outcome::Telling { demands, asked_us };
    }
    if is_truthy(slf, told) { Outcome::Failure } else { Outcome::Ignored }
}

/// Whether the Python class says so. If it cannot say, by a fault of its own, the call has failed.
fn is_truthy<'py>(slf: &Bound<'py, Breaker>, answer: PyResult<Bound<'py, PyAny>>) -> bool {
    answer.and_then(|answer| answer.is_truthy()).unwrap_or_else(|fault| {
        report(slf, fault);
        true
    })
}

/// Tells the Python class of a transition that this call made. Nothing it does can change the call.
fn tell(slf: &Bound<'_, Breaker>, transition: Transition, about: About) {
    if let Err(fault) = ask_python(slf, intern!(slf.py(), "_transitioned"), made_here(transition, about)) {
        report(slf, fault);
    }
}

/// Tells the Python class that nobody can say whose the outcomes of some blocks are.
fn tell_voided(slf: &Bound<'_, Breaker>) {
    if let Err(fault) = ask_python(slf, intern!(slf.py(), "_voided"), ()) {
        report(slf, fault);
    }
}

/// Reports a fault of ours, or of code called on our account, without letting it into the user's call. Ctrl-C is neither:
/// it comes again as soon as the call is over.
fn report(slf: &Bound<'_, Breaker>, fault: PyErr) {
    let py = slf.py();
    if fault.is_instance_of::<PyKeyboardInterrupt>(py) {
        crate::guard::interrupt_again(py);
    } else if let Err(another) = ask_python(slf, intern!(py, "_report"), (fault.into_value(py),)) {
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
            returned(slf, &held, &value);
            Ok(value)
        }
        Err(error) => {
            settle(slf, &held, Some(error.value(py)));
            Err(error)
        }
    }
}
