//! The methods of `Breaker`. Those of its `with` blocks are in [`crate::guard::block`].

use std::sync::atomic::Ordering;

use pyo3::exceptions::PyBaseException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::breaker::calls::{
    admit_alone, begin_block, end_block, is_inside, obtain, rejected, settle, settle_as, settle_result, take,
};
use crate::breaker::class::Breaker;
use crate::breaker::nesting;
use crate::breaker::permit::Permit;
use crate::breaker::verdict::Verdict;
use crate::convert::package;
use crate::convert::states::state_member;
use crate::interpreter::completed_awaitable::{CompletedAwaitable, completed_awaitable};
use crate::interpreter::frames::running_frame;
use crate::table::fuse::Fuse;

#[pymethods]
impl Breaker {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    fn _link(slf: &Bound<'_, Self>, fuse: Option<Bound<'_, Fuse>>) {
        slf.get().link_to(slf.py(), fuse);
    }

    fn _look_at(&self, fuse: Bound<'_, Fuse>) {
        self.look_at(fuse);
    }

    fn _linked<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, Fuse>> {
        let fuse = slf.get().known(slf.py())?;
        if fuse.get().is_removed() || fuse.get().is_to_be_looked_up() {
            slf.get().unlink(&fuse);
            return None;
        }
        Some(fuse)
    }

    /// The fuse's state now. An open fuse stays open until the first call after its open time (R06).
    #[getter]
    fn state<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        loop {
            let fuse = match slf.get().known(slf.py()) {
                Some(fuse) => fuse,
                None => package::look(slf.py(), (slf,))?.cast_into::<Fuse>()?,
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
        rejection.map(|rejection| rejected(slf, fuse.get(), &rejection)).transpose()
    }

    fn _judge_results(&self) {
        self.judge_results();
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

    fn _permit(slf: &Bound<'_, Self>) -> PyResult<Permit> {
        admit_alone(slf)
    }

    #[pyo3(signature = (permit, frame=None))]
    fn _mark<'py>(
        slf: &Bound<'py, Self>,
        permit: &Bound<'py, Permit>,
        frame: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Permit>> {
        if permit.get().tests_the_fuse() {
            nesting::enter(permit, frame.or_else(|| running_frame(slf.py())))?;
        }
        Ok(permit.clone())
    }

    #[pyo3(signature = (permit, error=None))]
    fn _settle(slf: &Bound<'_, Self>, permit: &Bound<'_, Permit>, error: Option<Bound<'_, PyBaseException>>) {
        if let Some(inner) = take(slf, permit) {
            settle(slf, inner, error.as_ref());
        }
    }

    fn _settle_result(slf: &Bound<'_, Self>, permit: &Bound<'_, Permit>, value: &Bound<'_, PyAny>) {
        if let Some(inner) = take(slf, permit) {
            settle_result(slf, inner, value);
        }
    }

    fn _settle_as(slf: &Bound<'_, Self>, permit: &Bound<'_, Permit>, verdict: Verdict<'_>) {
        if let Some(inner) = take(slf, permit) {
            settle_as(slf, inner, &verdict);
        }
    }

    fn _enter(slf: &Bound<'_, Self>) -> PyResult<()> {
        begin_block(slf)
    }

    fn _exit(
        slf: &Bound<'_, Self>,
        _class: &Bound<'_, PyAny>,
        error: Option<Bound<'_, PyBaseException>>,
        _traceback: &Bound<'_, PyAny>,
    ) -> bool {
        end_block(slf, error.as_ref());
        false
    }

    fn _aenter<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, CompletedAwaitable>> {
        Self::_enter(slf)?;
        Ok(completed_awaitable(slf.py()))
    }

    fn _aexit<'py>(
        slf: &Bound<'py, Self>,
        class: &Bound<'py, PyAny>,
        error: Option<Bound<'py, PyBaseException>>,
        traceback: &Bound<'py, PyAny>,
    ) -> Bound<'py, CompletedAwaitable> {
        Self::_exit(slf, class, error, traceback);
        completed_awaitable(slf.py())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.meanings.traverse(&visit)?;
        self.errors.traverse(&visit)
    }
}
