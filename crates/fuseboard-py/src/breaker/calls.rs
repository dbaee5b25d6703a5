//! How the calls of a breaker begin and end: a call asks for a permit, and its end is settled. The package says what an
//! exception means, and hears of each transition.

use std::sync::atomic::Ordering;

use fuseboard_core::admission::Rejection;
use fuseboard_core::journal::About;
use fuseboard_core::state::State;
use fuseboard_core::transition::Transition;
use fuseboard_shm::handle::Outcome;
use pyo3::exceptions::{PyBaseException, PyKeyboardInterrupt, PySystemExit, PyTypeError};
use pyo3::prelude::*;

use crate::breaker::blocks;
use crate::breaker::class::Breaker;
use crate::breaker::nesting;
use crate::breaker::permit::Permit;
use crate::breaker::verdict::Verdict;
use crate::convert::package;
use crate::convert::rows::made_here;
use crate::interpreter::contextlib::has_only_begun;
use crate::interpreter::frames::running_frame;
use crate::interpreter::process::interrupt_again;
use crate::table::fuse::{Fuse, PermitInner};

/// Asks for a permit. If the call is a probe, or passes a ramp, the running context is marked. A permit without an inner
/// one lets the call go on unguarded: a fault of ours kept us from the fuse, or the call is inside another one of the same
/// fuse.
pub(crate) fn obtain<'py>(slf: &Bound<'py, Breaker>) -> PyResult<Bound<'py, Permit>> {
    let permit = Bound::new(slf.py(), Permit::new(admit(slf)?))?;
    if permit.get().tests_the_fuse()
        && let Err(fault) = nesting::enter(&permit, running_frame(slf.py()))
    {
        report(slf, fault);
    }
    Ok(permit)
}

/// The inner permit, for the caller that settles it. Only the first caller gets it.
pub(crate) fn take<'a>(slf: &Bound<'_, Breaker>, permit: &'a Bound<'_, Permit>) -> Option<&'a PermitInner> {
    let inner = permit.get().take()?;
    if !inner.is_closed()
        && let Err(fault) = nesting::leave(permit)
    {
        report(slf, fault);
    }
    Some(inner)
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
        announce(slf, transition, About::NOTHING);
    }
    match admission.verdict {
        Ok(permit) => Ok(Some(PermitInner::new(&fuse, permit))),
        Err(_) if slf.get().is_shadow.load(Ordering::Relaxed) => Ok(None),
        Err(rejection) => Err(PyErr::from_value(rejected(slf, fuse.get(), &rejection)?)),
    }
}

/// Asks for a permit that no other call shares, and marks nothing.
pub(crate) fn admit_alone(slf: &Bound<'_, Breaker>) -> PyResult<Permit> {
    Ok(Permit::new(admit(slf)?.map(PermitInner::alone)))
}

/// Begins a block whose end is called by hand.
pub(crate) fn begin_block(slf: &Bound<'_, Breaker>) -> PyResult<()> {
    let permit = admit_alone(slf)?;
    blocks::enter(slf, permit).or_else(|fault| {
        report(slf, fault);
        Ok(())
    })
}

/// Ends a block by hand.
pub(crate) fn end_block(slf: &Bound<'_, Breaker>, error: Option<&Bound<'_, PyBaseException>>) {
    match blocks::leave(slf) {
        Ok(Some(permit)) => {
            if let Some(inner) = take(slf, &permit) {
                settle(slf, inner, error);
            }
        }
        Ok(None) => report_lost_block(slf),
        Err(fault) => report(slf, fault),
    }
}

/// The exception of a rejection. Its class is the breaker's own, if it has one that can be made, and otherwise ours.
pub(crate) fn rejected<'py>(
    slf: &Bound<'py, Breaker>,
    fuse: &Fuse,
    rejection: &Rejection,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, is_isolated) = (slf.py(), rejection.state == State::Isolated);
    if let Some(errors) = slf.get().errors.get(py) {
        match fuse.rejected(rejection, &errors.get_item(usize::from(is_isolated))?) {
            Ok(error) => return Ok(error),
            Err(fault) => report(slf, fault),
        }
    }
    fuse.rejected(rejection, &package::rejection_class(py, is_isolated)?)
}

fn linked_or_resolved<'py>(slf: &Bound<'py, Breaker>) -> PyResult<Bound<'py, Fuse>> {
    match slf.get().link.get(slf.py()) {
        Some(fuse) => Ok(fuse),
        None => Ok(package::resolve(slf.py(), (slf,))?.cast_into::<Fuse>()?),
    }
}

/// Settles a call that has returned or raised. A result is handed on unchanged. But if the call has only begun, because it
/// returned a coroutine or a generator, that is guarded while it runs; other awaitables cannot be (rule R17).
pub(crate) fn settle_call<'py>(
    slf: &Bound<'py, Breaker>,
    function: &Bound<'py, PyAny>,
    inner: PermitInner,
    result: PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    match result {
        Ok(value) if has_only_begun(&value) => package::follow(py, (slf, value, Permit::new(Some(inner)))),
        Ok(value) => {
            settle_result(slf, &inner, &value);
            Ok(value)
        }
        Err(error) => {
            if has_begun(slf, function, &error) {
                show_traceback(py, &error);
                settle(slf, &inner, Some(error.value(py)));
            } else {
                settle_outcome(slf, &inner, Outcome::Ignored, || About::NOTHING);
            }
            Err(error)
        }
    }
}

/// Settles a call that ended with this exception, or without one.
pub(crate) fn settle(slf: &Bound<'_, Breaker>, inner: &PermitInner, error: Option<&Bound<'_, PyBaseException>>) {
    let outcome = error.map_or(Outcome::Success, |error| classify(slf, error));
    // An exception that counts as a success changes no more than a success does, so the journal does not name it.
    let error = error.filter(|_| outcome != Outcome::Success);
    settle_outcome(slf, inner, outcome, || class_of(error).unwrap_or(About::NOTHING));
}

/// Settles a call that returned this value, which may be a failure all the same.
pub(crate) fn settle_result(slf: &Bound<'_, Breaker>, inner: &PermitInner, value: &Bound<'_, PyAny>) {
    if !slf.get().judges_results() {
        return settle(slf, inner, None);
    }
    let verdict = judged(slf, package::judge_result(slf.py(), (slf, value)));
    settle_as(slf, inner, &verdict);
}

/// Settles a call that raised nothing, as the package or the caller says.
pub(crate) fn settle_as(slf: &Bound<'_, Breaker>, inner: &PermitInner, verdict: &Verdict<'_>) {
    settle_outcome(slf, inner, verdict.outcome(), || match (class_of(verdict.error.as_ref()), &verdict.label) {
        (None, Some(label)) => About::new(label.as_bytes()),
        (class, _) => class.unwrap_or(About::NOTHING),
    });
}

/// Settles a call with this outcome. If that makes a transition, writes it into the journal and announces it, with what
/// brought it about.
fn settle_outcome(slf: &Bound<'_, Breaker>, inner: &PermitInner, outcome: Outcome, about: impl FnOnce() -> About) {
    let mut said = None;
    if let Some(transition) = inner.settle(outcome, || *said.insert(about())) {
        announce(slf, transition, said.unwrap_or(About::NOTHING));
    }
}

fn class_of(error: Option<&Bound<'_, PyBaseException>>) -> Option<About> {
    let name = error?.get_type().qualname().ok()?;
    Some(About::new(name.to_string().as_bytes()))
}

/// What an exception means.
fn classify(slf: &Bound<'_, Breaker>, error: &Bound<'_, PyBaseException>) -> Outcome {
    let (class, meanings) = (error.get_type(), &slf.get().meanings);
    if let Some(outcome) = meanings.of(&class) {
        return outcome;
    }
    let verdict = judged(slf, package::judge(slf.py(), (slf, error)));
    if verdict.by_class {
        meanings.remember(verdict.outcome(), class);
    }
    verdict.outcome()
}

/// The package's verdict. If there is none, because of a fault of its own or of a user's predicate, the call has failed.
fn judged<'py>(slf: &Bound<'py, Breaker>, verdict: PyResult<Bound<'py, PyAny>>) -> Verdict<'py> {
    verdict.and_then(|verdict| verdict.extract()).unwrap_or_else(|fault| {
        report(slf, fault);
        Verdict::failed()
    })
}

/// Whether the function has begun. An exception about wrong arguments comes before it: then there was no call, and nothing
/// is said about the service.
fn has_begun(slf: &Bound<'_, Breaker>, function: &Bound<'_, PyAny>, error: &PyErr) -> bool {
    let py = slf.py();
    if !error.is_instance_of::<PyTypeError>(py) {
        return true;
    }
    let answer = package::has_begun(py, (function, error.traceback(py)));
    answer.and_then(|answer| answer.is_truthy()).unwrap_or_else(|fault| {
        report(slf, fault);
        true
    })
}

/// Gives an exit its traceback, which shows why the process ends. Before CPython 3.12 an exception that nobody has caught
/// yet has none.
fn show_traceback(py: Python<'_>, error: &PyErr) {
    if error.is_instance_of::<PySystemExit>(py)
        && let Some(traceback) = error.traceback(py)
    {
        // It fails for what is no traceback.
        _ = error.value(py).setattr("__traceback__", traceback);
    }
}

/// Announces a transition that a call of this breaker made. Nothing that happens there can change the call.
fn announce(slf: &Bound<'_, Breaker>, transition: Transition, about: About) {
    if let Err(fault) = package::transitioned(slf.py(), (slf, made_here(transition, 0, about))) {
        report(slf, fault);
    }
}

/// Reports that a block was ended by hand although none had begun. Its outcome counts for nothing.
fn report_lost_block(slf: &Bound<'_, Breaker>) {
    if let Err(fault) = package::block_lost(slf.py(), (slf,)) {
        report(slf, fault);
    }
}

/// Reports a fault of ours, or of code that we called, and keeps it out of the user's call. Ctrl-C is neither: it comes
/// again as soon as the call is over.
fn report(slf: &Bound<'_, Breaker>, fault: PyErr) {
    let py = slf.py();
    if fault.is_instance_of::<PyKeyboardInterrupt>(py) {
        interrupt_again(py);
    } else if let Err(another) = package::report(py, (slf, fault.into_value(py))) {
        another.write_unraisable(py, Some(slf.as_any()));
    }
}
