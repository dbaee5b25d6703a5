//! Calls inside of calls: of two guards of one fuse around one call the inner one steps aside.
//!
//! A probe's permit that has a guard of the same fuse inside would be refused by itself: its seat is the only one. So a
//! permit **marks** the context that its call runs in, and a guard that finds the mark of its own fuse there lets its call
//! pass, counts nothing, and leaves the outcome to the permit.
//!
//! The mark is a context variable (`contextvars`): each thread, task and greenlet has its own value, and what is started
//! inside the call with a copy of its context is inside too. Copies outlive the call, so a mark is not believed but asked:
//! it is a weak reference to the permit, and counts as long as that is neither settled nor late.
//!
//! A generator waits in the middle of its call while its caller does other things, in the same context. So what a generator
//! frame runs is inside only where that frame is on the stack; but for generators that contextlib makes a block of, where it
//! is the caller that runs the block.
//!
//! While a fuse is closed nothing is marked, and nobody looks: to the closed path of a native guard that would cost as much as all
//! of it, and a permit's block that overlaps another, or is never left, would hide failures. Each guard is a call of its own then.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyWeakrefReference};

use crate::guard::running_frame;
use crate::interpreter::interned;
use crate::table::fuse::{Fuse, Permit};

/// The permits whose calls this context is inside of, as far as they still count.
fn marks(py: Python<'_>) -> PyResult<Vec<(Bound<'_, PyAny>, Bound<'_, Permit>)>> {
    let Some(marks) = interned::inside(py).get(py)? else { return Ok(Vec::new()) };
    Ok(marks.cast_into::<PyTuple>()?.iter().filter_map(under_way).collect())
}

fn under_way(mark: Bound<'_, PyAny>) -> Option<(Bound<'_, PyAny>, Bound<'_, Permit>)> {
    let permit = mark.cast::<PyWeakrefReference>().ok()?.upgrade_as::<Permit>().ok()??;
    permit.get().is_under_way().then_some((mark, permit))
}

/// Marks the context that runs as inside the call of a permit, which this frame runs.
pub(crate) fn enter<'py>(permit: &Bound<'py, Permit>, frame: Option<Bound<'py, PyAny>>) -> PyResult<()> {
    let py = permit.py();
    let generator = frame.map_or(Ok(None), generator_of)?;
    permit.get().frame.store(generator.map_or(0, |frame| frame.as_ptr().addr()), Ordering::Relaxed);
    let mut marks = others(permit)?;
    marks.push(PyWeakrefReference::new(permit)?.into_any());
    interned::inside(py).set(PyTuple::new(py, marks)?.as_any())
}

/// Takes the mark away, where the context that runs has it: a call may end in another one.
pub(crate) fn leave(permit: &Bound<'_, Permit>) -> PyResult<()> {
    let py = permit.py();
    if interned::inside(py).get(py)?.is_some() {
        interned::inside(py).set(PyTuple::new(py, others(permit)?)?.as_any())?;
    }
    Ok(())
}

fn others<'py>(permit: &Bound<'py, Permit>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let is_other = |(mark, marking): (_, Bound<'py, Permit>)| (!marking.is(permit)).then_some(mark);
    Ok(marks(permit.py())?.into_iter().filter_map(is_other).collect())
}

/// Whether the context that runs is inside a call of this fuse.
pub(crate) fn is_inside(py: Python<'_>, fuse: &Fuse) -> PyResult<bool> {
    for (_, permit) in marks(py)? {
        if permit.get().is_of(fuse) && is_on_the_stack(py, permit.get().frame.load(Ordering::Relaxed))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Flags of code objects (`inspect.CO_GENERATOR` and so on): a generator that its caller runs by steps, synchronous or
/// not; and one that is awaited, which is a coroutine.
const BY_STEPS: u32 = 0x20 | 0x200;
const AWAITED: u32 = 0x100;

/// The frame, if it is of a generator that its caller runs by steps.
fn generator_of(frame: Bound<'_, PyAny>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let (py, first) = (frame.py(), frame.clone());
    let mut next = Some(frame);
    // By way of all that hand on to each other by "yield from".
    while let Some(frame) = next {
        let code = frame.getattr(interned::f_code(py))?;
        let flags: u32 = code.getattr(interned::co_flags(py))?.extract()?;
        if flags & BY_STEPS == 0 || flags & AWAITED != 0 {
            let is_by_steps = !frame.is(&first) && !interned::types(py).enters_blocks(&code);
            return Ok(is_by_steps.then_some(first));
        }
        next = back(&frame)?;
    }
    Ok(Some(first))
}

/// Whether a frame is on the stack that runs; 0 is on each.
fn is_on_the_stack(py: Python<'_>, address: usize) -> PyResult<bool> {
    let mut next = running_frame(py);
    while let Some(frame) = next.filter(|_| address != 0) {
        if frame.as_ptr().addr() == address {
            return Ok(true);
        }
        next = back(&frame)?;
    }
    Ok(address == 0)
}

fn back<'py>(frame: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let back = frame.getattr(interned::f_back(frame.py()))?;
    Ok((!back.is_none()).then_some(back))
}
