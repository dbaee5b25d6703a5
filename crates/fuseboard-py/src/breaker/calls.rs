//! What the calls of a breaker ask and say: for a permit, and how they ended. What an exception means, and who hears of a
//! transition, is the Python class's to say.

use std::sync::atomic::Ordering;

use fuseboard_core::fuse::{Rejection, Transition};
use fuseboard_core::journal::About;
use fuseboard_core::state::State;
use fuseboard_shm::handle::Outcome;
use pyo3::exceptions::{PyBaseException, PyKeyboardInterrupt, PySystemExit, PyTypeError};
use pyo3::prelude::*;

use crate::breaker::class::Breaker;
use crate::breaker::nesting;
use crate::breaker::verdict::Verdict;
use crate::guard::running_frame;
use crate::interpreter::interned;
use crate::interpreter::python_code::ask_python;
use crate::table::fuse::{Fuse, Permit, PermitInner};
use crate::table::journal_cursor::made_here;

/// Asks for a permit, marked for the context that runs if it is a probe's, or on a ramp. Without one the call goes on unguarded:
/// the fuse cannot be had, by a fault of ours, or the call is inside another one of the same fuse.
pub(crate) fn obtain<'py>(slf: &Bound<'py, Breaker>) -> PyResult<Bound<'py, Permit>> {
    let permit = Bound::new(slf.py(), Permit::new(admit(slf)?))?;
    if permit.get().marks()
        && let Err(fault) = nesting::enter(&permit, running_frame(slf.py()))
    {
        report(slf, fault);
    }
    Ok(permit)
}

/// What a permit holds, for whoever says how its call ended. Only the first to ask gets it.
pub(crate) fn take<'a>(slf: &Bound<'_, Breaker>, permit: &'a Bound<'_, Permit>) -> Option<&'a PermitInner> {
    let held = permit.get().take()?;
    if !held.is_closed()
        && let Err(fault) = nesting::leave(permit)
    {
        report(slf, fault);
    }
    Some(held)
}

/// Whether the call is inside another one of the same fuse.
pub(crate) fn is_inside(slf: &Bound<'_, Breaker>, fuse: &Fuse) -> bool {
    nesting::is_inside(slf.py(), fuse).unwrap_or_else(|fault| {
        report(slf, fault);
        false
    })
}

/// Asks for a permit. `Ok(None)` as for [`obtain`].
pub(crate) fn admit(slf: &Bound<'_, Breaker>) -> PyResult<Option<PermitInner>> {
    let (fuse, admission) = loop {
        let fuse = match linked_or_resolved(slf) {
            Ok(fuse) => fuse,
            Err(fault) => {
                report(slf, fault);
                return Ok(None);
            }
        };
        let word = fuse.get().word();
        let is_closed = fuse.get().is_closed(word);
        if !is_closed && is_inside(slf, fuse.get()) {
            return Ok(None);
        }
        if is_closed {
            return Ok(Some(PermitInner::closed(&fuse, word, fuse.get().began_us())));
        }
        // Not on the closed path: it asks for the time.
        if fuse.get().is_to_be_looked_up() {
            slf.get().unlink(&fuse);
            continue;
        }
        let admission = fuse.get().admit();
        if !matches!(admission.verdict, Err(Rejection { state: State::Vacant, .. })) {
            break (fuse, admission);
        }
        // It was removed. The name has another slot by now, or takes one.
        slf.get().unlink(&fuse);
    };
    if let Some(transition) = admission.transition {
        tell(slf, transition, About::NOTHING);
    }
    match admission.verdict {
        Ok(permit) => Ok(Some(PermitInner::new(&fuse, permit))),
        Err(rejection) => {
            if slf.get().is_shadow.load(Ordering::Relaxed) {
                return Ok(None);
            }
            Err(PyErr::from_value(rejected(slf, fuse.get(), rejection)?))
        }
    }
}

/// The exception of a rejection, of the breaker's own classes where it has some. If one of those cannot be made it is ours.
pub(crate) fn rejected<'py>(
    slf: &Bound<'py, Breaker>,
    fuse: &Fuse,
    rejection: Rejection,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, state) = (slf.py(), rejection.state);
    if let Some(errors) = slf.get().errors.get(py) {
        match fuse.rejected(rejection, &errors.get_item(usize::from(state == State::Isolated))?) {
            Ok(error) => return Ok(error),
            Err(fault) => report(slf, fault),
        }
    }
    fuse.rejected(rejection, &interned::rejection_class(py, state)?)
}

pub(crate) fn linked_or_resolved<'py>(slf: &Bound<'py, Breaker>) -> PyResult<Bound<'py, Fuse>> {
    if let Some(fuse) = slf.get().link.get(slf.py()) {
        return Ok(fuse);
    }
    Ok(ask_python(slf, interned::resolve(slf.py()), ())?.cast_into::<Fuse>()?)
}

/// Reports how a call ended: without an error, or with this one.
pub(crate) fn settle(slf: &Bound<'_, Breaker>, held: &PermitInner, error: Option<&Bound<'_, PyBaseException>>) {
    let outcome = error.map_or(Outcome::Success, |error| classify(slf, error));
    conclude(slf, held, outcome, error);
}

/// Reports that a call returned this value, which may be a failure all the same.
pub(crate) fn returned(slf: &Bound<'_, Breaker>, held: &PermitInner, value: &Bound<'_, PyAny>) {
    if !slf.get().judges() {
        return conclude(slf, held, Outcome::Success, None);
    }
    let verdict = judged(slf, ask_python(slf, interned::failure_if(slf.py()), (value,)));
    conclude_by(slf, held, &verdict);
}

/// Reports how a call ended that raised nothing, as the Python class or the caller says it.
pub(crate) fn conclude_by(slf: &Bound<'_, Breaker>, held: &PermitInner, verdict: &Verdict<'_>) {
    conclude_as(slf, held, verdict.outcome(), || match (class_of(verdict.error.as_ref()), &verdict.label) {
        (None, Some(label)) => About::new(label.as_bytes()),
        (class, _) => class.unwrap_or(About::NOTHING),
    });
}

fn conclude(
    slf: &Bound<'_, Breaker>,
    held: &PermitInner,
    outcome: Outcome,
    error: Option<&Bound<'_, PyBaseException>>,
) {
    // An exception that is an answer has brought nothing about that a success would not have.
    let error = error.filter(|_| outcome != Outcome::Success);
    conclude_as(slf, held, outcome, || class_of(error).unwrap_or(About::NOTHING));
}

/// Settles a call; a transition that it makes is written down and told, with what brought it about.
fn conclude_as(slf: &Bound<'_, Breaker>, held: &PermitInner, outcome: Outcome, about: impl FnOnce() -> About) {
    if let Some(transition) = held.settle(outcome) {
        let about = about();
        held.write_down(transition, about);
        tell(slf, transition, about);
    }
}

fn class_of(error: Option<&Bound<'_, PyBaseException>>) -> Option<About> {
    let name = error?.get_type().qualname().ok()?;
    Some(About::new(name.to_string().as_bytes()))
}

/// What an exception means, by the Python class.
fn classify(slf: &Bound<'_, Breaker>, error: &Bound<'_, PyBaseException>) -> Outcome {
    let (class, meanings) = (error.get_type(), &slf.get().meanings);
    if let Some(outcome) = meanings.of(&class) {
        return outcome;
    }
    let verdict = judged(slf, ask_python(slf, interned::judge(slf.py()), (error,)));
    if verdict.by_class {
        meanings.remember(verdict.outcome(), class);
    }
    verdict.outcome()
}

/// What the Python class says. If it cannot say, by a fault of its own, the call has failed.
fn judged<'py>(slf: &Bound<'py, Breaker>, told: PyResult<Bound<'py, PyAny>>) -> Verdict<'py> {
    told.and_then(|told| told.extract()).unwrap_or_else(|fault| {
        report(slf, fault);
        Verdict::failed()
    })
}

/// Tells the Python class of a transition that this call made. Nothing it does can change the call.
fn tell(slf: &Bound<'_, Breaker>, transition: Transition, about: About) {
    if let Err(fault) = ask_python(slf, interned::transitioned(slf.py()), made_here(transition, 0, about)) {
        report(slf, fault);
    }
}

/// Tells the Python class that nobody can say whose the outcomes of some blocks are.
pub(crate) fn tell_voided(slf: &Bound<'_, Breaker>) {
    if let Err(fault) = ask_python(slf, interned::voided(slf.py()), ()) {
        report(slf, fault);
    }
}

/// Reports a fault of ours, or of code called on our account, without letting it into the user's call. Ctrl-C is neither:
/// it comes again as soon as the call is over.
fn report(slf: &Bound<'_, Breaker>, fault: PyErr) {
    let py = slf.py();
    if fault.is_instance_of::<PyKeyboardInterrupt>(py) {
        crate::guard::interrupt_again(py);
    } else if let Err(another) = ask_python(slf, interned::report(py), (fault.into_value(py),)) {
        another.write_unraisable(py, Some(slf.as_any()));
    }
}

/// Settles a call that has returned or raised. What it returned is handed on unchanged, unless the call has only begun:
/// a coroutine or a generator is guarded anew, while it runs; other awaitables cannot be (rule R17).
pub(crate) fn finish<'py>(
    slf: &Bound<'py, Breaker>,
    function: &Bound<'py, PyAny>,
    held: PermitInner,
    result: PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    match result {
        Ok(value) if crate::guard::has_only_begun(&value) => {
            ask_python(slf, interned::follow(py), (value, Permit::new(Some(held))))
        }
        Ok(value) => {
            returned(slf, &held, &value);
            Ok(value)
        }
        Err(error) => {
            if has_begun(slf, function, &error) {
                show_traceback(py, &error);
                settle(slf, &held, Some(error.value(py)));
            } else {
                conclude(slf, &held, Outcome::Ignored, None);
            }
            Err(error)
        }
    }
}

/// Whether the exception is the function's. One that says that the arguments are wrong is not: no call has begun, so it says
/// nothing of the service.
fn has_begun(slf: &Bound<'_, Breaker>, function: &Bound<'_, PyAny>, error: &PyErr) -> bool {
    let py = slf.py();
    if !error.is_instance_of::<PyTypeError>(py) {
        return true;
    }
    let told = ask_python(slf, interned::has_begun(py), (function, error.traceback(py)));
    told.and_then(|told| told.is_truthy()).unwrap_or_else(|fault| {
        report(slf, fault);
        true
    })
}

/// Gives an exit its traceback, in which stands why the process ends. Before CPython 3.12 an exception that nobody has caught
/// yet does not have it.
fn show_traceback(py: Python<'_>, error: &PyErr) {
    if error.is_instance_of::<PySystemExit>(py)
        && let Some(traceback) = error.traceback(py)
    {
        // It fails for what is no traceback.
        _ = error.value(py).setattr("__traceback__", traceback);
    }
}
