//! Python frames: which one runs, and which of them are generators.

use pyo3::ffi;
use pyo3::prelude::*;

use crate::interpreter::contextlib::enters_blocks;
use crate::interpreter::interned;

/// The Python frame that runs now. None where no Python code runs.
pub(crate) fn running_frame(py: Python<'_>) -> Option<Bound<'_, PyAny>> {
    // SAFETY: the interpreter is attached (`py`); the result is borrowed, or null.
    unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyEval_GetFrame().cast()) }
}

/// Flags of code objects (`inspect.CO_GENERATOR`, `CO_ASYNC_GENERATOR`): a generator, which its caller runs step by step.
const BY_STEPS: u32 = 0x20 | 0x200;
/// `inspect.CO_ITERABLE_COROUTINE`: a generator that is awaited, and so is a coroutine.
const AWAITED: u32 = 0x100;

/// The frame, if it is a generator's that its caller runs step by step. The generator of a contextlib block is not: there
/// the caller runs the block.
pub(crate) fn as_generator(frame: Bound<'_, PyAny>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let (py, first) = (frame.py(), frame.clone());
    let mut next = Some(frame);
    // Generators may run each other by "yield from"; what counts is who runs the outermost one.
    while let Some(frame) = next {
        let code = frame.getattr(interned::f_code(py))?;
        let flags: u32 = code.getattr(interned::co_flags(py))?.extract()?;
        if flags & BY_STEPS == 0 || flags & AWAITED != 0 {
            let is_by_steps = !frame.is(&first) && !enters_blocks(&code);
            return Ok(is_by_steps.then_some(first));
        }
        next = caller(&frame)?;
    }
    Ok(Some(first))
}

/// Whether the frame at this address is on the stack that runs.
pub(crate) fn is_on_the_stack(py: Python<'_>, address: usize) -> PyResult<bool> {
    let mut next = running_frame(py);
    while let Some(frame) = next {
        if frame.as_ptr().addr() == address {
            return Ok(true);
        }
        next = caller(&frame)?;
    }
    Ok(false)
}

fn caller<'py>(frame: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let caller = frame.getattr(interned::f_back(frame.py()))?;
    Ok((!caller.is_none()).then_some(caller))
}
