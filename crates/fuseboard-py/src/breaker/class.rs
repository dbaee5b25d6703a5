//! `Breaker`: the class that the Python class on top is made of.

use std::sync::atomic::{AtomicBool, Ordering};

use fuseboard_shm::handle::Outcome;
use pyo3::exceptions::PyBaseException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::breaker::blocks::Blocks;
use crate::breaker::calls::{admit, conclude_by, is_inside, obtain, rejected, returned, settle, take, tell_voided};
use crate::breaker::verdict::{Meanings, Verdict};
use crate::guard::{bound_calls, new_guard, running_frame};
use crate::interpreter::completed_awaitable::CompletedAwaitable;
use crate::interpreter::interned::{self, state_member};
use crate::interpreter::link::{Left, Link};
use crate::interpreter::python_code::ask_python;
use crate::table::fuse::{Fuse, Permit, PermitInner};

// What a closed call needs comes first, beside the object's count of references.
/// Admits calls and settles them.
///
/// A subclass provides ``_resolve``, ``_look``, ``_judge``, ``_failure_if`` where it judges results,
/// ``_fall_back`` where it guards with fallbacks, ``_transitioned``, ``_follow``, ``_voided`` and ``_report``, which is
/// told what the others raise by mistake. None of that reaches the caller, but for what a fallback raises. ``_judge``,
/// asked of exceptions, and ``_failure_if`` answer with a ``fuseboard._breaker.classify.Verdict``.
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
    /// The fuse as whoever only looks at it has found it; calls begin with a link of their own, and say by which settings.
    looked_at: Link<Fuse>,
    /// Whether nobody is rejected.
    pub(crate) is_shadow: AtomicBool,
    /// The classes of its rejections, by an open fuse and by an isolated one, where they are not ours.
    pub(crate) errors: Link<PyTuple>,
    /// What the classes of the latest exceptions mean.
    pub(crate) meanings: Meanings,
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
            looked_at: Link::default(),
            is_shadow: AtomicBool::new(false),
            errors: Link::default(),
            meanings: Meanings::default(),
        }
    }

    fn _link(slf: &Bound<'_, Self>, fuse: Option<Bound<'_, Fuse>>) {
        slf.get().looked_at.set(slf.py(), None);
        slf.get().link.set(slf.py(), fuse);
        slf.get().closed.set(slf.py(), None);
    }

    fn _look_at(slf: &Bound<'_, Self>, fuse: Bound<'_, Fuse>) {
        slf.get().looked_at.set(slf.py(), Some(fuse));
    }

    fn _linked<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, Fuse>> {
        let fuse = slf.get().known(slf.py())?;
        if fuse.get().is_removed() || fuse.get().is_to_be_looked_up() {
            slf.get().unlink(&fuse);
            return None;
        }
        Some(fuse)
    }

    /// The fuse's state now. An open fuse stays open until a call asks to pass after the reset timeout (R06).
    #[getter]
    fn state<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        loop {
            let fuse = match slf.get().known(slf.py()) {
                Some(fuse) => fuse,
                None => ask_python(slf, interned::look(slf.py()), ())?.cast_into::<Fuse>()?,
            };
            if let Some(word) = fuse.get().mine()
                && !(fuse.get().has_moved() && fuse.get().is_to_be_looked_up())
            {
                return state_member(slf.py(), word.state());
            }
            slf.get().unlink(&fuse);
        }
    }

    fn _reject_nobody(&self) {
        self.is_shadow.store(true, Ordering::Relaxed);
    }

    fn _reject_with(&self, errors: Bound<'_, PyTuple>) {
        self.errors.set(errors.py(), Some(errors));
    }

    fn _would_reject<'py>(slf: &Bound<'py, Self>, fuse: &Bound<'py, Fuse>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let rejection = fuse.get().would_reject().filter(|_| !is_inside(slf, fuse.get()));
        rejection.map(|rejection| rejected(slf, fuse.get(), rejection)).transpose()
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
        let permit = obtain(slf)?;
        if permit.get().serves_many() {
            breaker.closed.set(py, Some(permit.clone()));
        }
        Ok(permit)
    }

    fn _returned(slf: &Bound<'_, Self>, permit: &Bound<'_, Permit>, value: &Bound<'_, PyAny>) {
        if let Some(held) = take(slf, permit) {
            returned(slf, held, value);
        }
    }

    /// The same two, for those who make them often.
    fn _calls<'py>(slf: &Bound<'py, Self>) -> PyResult<[Bound<'py, PyAny>; 2]> {
        bound_calls(slf)
    }

    fn _permit(slf: &Bound<'_, Self>) -> PyResult<Permit> {
        Ok(Permit::new(admit(slf)?.map(PermitInner::alone)))
    }

    #[pyo3(signature = (permit, error=None))]
    fn _settle(slf: &Bound<'_, Self>, permit: &Bound<'_, Permit>, error: Option<Bound<'_, PyBaseException>>) {
        if let Some(held) = take(slf, permit) {
            settle(slf, held, error.as_ref());
        }
    }

    fn _conclude(slf: &Bound<'_, Self>, permit: &Bound<'_, Permit>, verdict: Verdict<'_>) {
        if let Some(held) = take(slf, permit) {
            conclude_by(slf, held, &verdict);
        }
    }

    /// Ends a call that says nothing about the service.
    fn _ignore(slf: &Bound<'_, Self>, permit: &Bound<'_, Permit>) {
        // Ignored calls change no state.
        _ = take(slf, permit).and_then(|held| held.settle(Outcome::Ignored));
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
        self.meanings.traverse(&visit)?;
        self.errors.traverse(&visit)?;
        self.blocks.traverse(&visit)
    }

    fn _aenter<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, CompletedAwaitable>> {
        Self::_enter(slf)?;
        Ok(interned::ready(slf.py()))
    }

    fn _aexit<'py>(
        slf: &Bound<'py, Self>,
        class: &Bound<'py, PyAny>,
        error: Option<Bound<'py, PyBaseException>>,
        traceback: &Bound<'py, PyAny>,
    ) -> Bound<'py, CompletedAwaitable> {
        Self::_exit(slf, class, error, traceback);
        interned::ready(slf.py())
    }
}

impl Breaker {
    /// The fuse that calls go by, or at least somebody has looked at.
    fn known<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Fuse>> {
        self.link.get(py).or_else(|| self.looked_at.get(py))
    }

    /// Lets go of a fuse whose name is to be looked up again, unless the breaker has another one already.
    pub(crate) fn unlink(&self, fuse: &Bound<'_, Fuse>) {
        let py = fuse.py();
        if self.link.get(py).is_some_and(|linked| linked.is(fuse)) {
            self.link.set(py, None);
            self.closed.set(py, None);
        }
        if self.looked_at.get(py).is_some_and(|looked_at| looked_at.is(fuse)) {
            self.looked_at.set(py, None);
        }
    }

    /// Whether results are asked about too.
    pub(crate) fn judges(&self) -> bool {
        self.judges.load(Ordering::Relaxed)
    }
}
