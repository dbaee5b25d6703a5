//! Calls inside of calls. Of two guards of one fuse around one call the inner one steps aside.
//!
//! A probe's permit takes the fuse's only seat, so a guard of the same fuse inside the probe would be rejected. Therefore
//! a permit **marks** the context in which its call runs. A guard that finds the mark of its own fuse lets its call pass,
//! counts nothing, and leaves the outcome to the permit.
//!
//! The mark is a context variable (`contextvars`). Each thread, task and greenlet has its own value. What is started
//! inside the call with a copy of its context is inside too. Copies outlive the call, so a guard asks the mark: it is a weak
//! reference to the permit, and counts until the permit is settled or late.
//!
//! A generator waits in the middle of its call while its caller does other things in the same context. So what a
//! generator's frame runs is inside only while that frame is on the stack. The generators that contextlib makes blocks of
//! are an exception: there the caller runs the block.
//!
//! While a fuse is closed nothing is marked, and nobody looks. Both would double the cost of a native guard's closed path,
//! and a permit's block that overlaps another one, or is never left, would hide failures. Each guard counts for itself then.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyWeakrefReference};

use crate::breaker::permit::Permit;
use crate::interpreter::at_import::AtImport;
use crate::interpreter::context_variable::ContextVar;
use crate::interpreter::frames::{as_generator, is_on_the_stack};
use crate::table::fuse::Fuse;

/// A tuple of the marks of the permits whose calls the running context is inside of.
static MARKS: AtImport<ContextVar> = AtImport::new();

/// Makes the variable. Called by the module's init.
pub(crate) fn make(py: Python<'_>) -> PyResult<()> {
    MARKS.set(py, ContextVar::new(py, c"fuseboard_inside")?);
    Ok(())
}

/// The marks of this context that still count, with their permits.
fn marks(py: Python<'_>) -> PyResult<Vec<(Bound<'_, PyAny>, Bound<'_, Permit>)>> {
    let Some(marks) = MARKS.get(py).get(py)? else { return Ok(Vec::new()) };
    Ok(marks.cast_into::<PyTuple>()?.iter().filter_map(under_way).collect())
}

fn under_way(mark: Bound<'_, PyAny>) -> Option<(Bound<'_, PyAny>, Bound<'_, Permit>)> {
    let permit = mark.cast::<PyWeakrefReference>().ok()?.upgrade_as::<Permit>().ok()??;
    permit.get().is_under_way().then_some((mark, permit))
}

/// Marks the running context as inside the call of a permit, which this frame runs.
pub(crate) fn enter<'py>(permit: &Bound<'py, Permit>, frame: Option<Bound<'py, PyAny>>) -> PyResult<()> {
    let py = permit.py();
    let generator = frame.map_or(Ok(None), as_generator)?;
    permit.get().generator.store(generator.map_or(0, |frame| frame.as_ptr().addr()), Ordering::Relaxed);
    let mut marks = others(permit)?;
    marks.push(PyWeakrefReference::new(permit)?.into_any());
    MARKS.get(py).set(PyTuple::new(py, marks)?.as_any())
}

/// Takes the mark away, if the running context has it. A call may end in another context.
pub(crate) fn leave(permit: &Bound<'_, Permit>) -> PyResult<()> {
    let py = permit.py();
    if MARKS.get(py).get(py)?.is_some() {
        MARKS.get(py).set(PyTuple::new(py, others(permit)?)?.as_any())?;
    }
    Ok(())
}

fn others<'py>(permit: &Bound<'py, Permit>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let is_other = |(mark, marking): (_, Bound<'py, Permit>)| (!marking.is(permit)).then_some(mark);
    Ok(marks(permit.py())?.into_iter().filter_map(is_other).collect())
}

/// Whether the running context is inside a call of this fuse.
pub(crate) fn is_inside(py: Python<'_>, fuse: &Fuse) -> PyResult<bool> {
    for (_, permit) in marks(py)? {
        if permit.get().is_of(fuse) {
            let generator = permit.get().generator.load(Ordering::Relaxed);
            if generator == 0 || is_on_the_stack(py, generator)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
