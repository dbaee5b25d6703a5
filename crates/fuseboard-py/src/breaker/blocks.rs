//! Blocks that begin and end by two calls with nothing between them to keep the permit: `breaker.__enter__()` and
//! `breaker.__exit__(...)`, as a class that wraps a breaker calls them.
//!
//! Their permits wait in a context variable (`contextvars`), so each thread, task and greenlet has its own. An end takes the
//! permit of the latest block of its breaker in the running context. That is right for blocks that end in the reverse order
//! in which they began, in the same thread or task.
//!
//! A `with` statement and an `ExitStack` need none of this ([`crate::guard::block`]).

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::breaker::class::Breaker;
use crate::breaker::permit::Permit;
use crate::interpreter::at_import::AtImport;
use crate::interpreter::context_variable::ContextVar;

/// A tuple of the blocks of this context, the latest last: each is a tuple of the breaker and the permit.
static BLOCKS: AtImport<ContextVar> = AtImport::new();

/// Makes the variable. Called by the module's init.
pub(crate) fn make(py: Python<'_>) -> PyResult<()> {
    BLOCKS.set(py, ContextVar::new(py, c"fuseboard_blocks")?);
    Ok(())
}

/// Keeps the permit of a block that begins.
pub(crate) fn enter(breaker: &Bound<'_, Breaker>, permit: Permit) -> PyResult<()> {
    let py = breaker.py();
    let mut blocks = blocks(py)?;
    blocks.push((breaker, Bound::new(py, permit)?).into_pyobject(py)?.into_any());
    BLOCKS.get(py).set(PyTuple::new(py, blocks)?.as_any())
}

/// The permit of the breaker's latest block in this context, which ends. None if there is none.
pub(crate) fn leave<'py>(breaker: &Bound<'py, Breaker>) -> PyResult<Option<Bound<'py, Permit>>> {
    let py = breaker.py();
    let mut blocks = blocks(py)?;
    for index in (0..blocks.len()).rev() {
        let block = blocks[index].cast::<PyTuple>()?;
        if block.get_item(0)?.is(breaker) {
            let permit = block.get_item(1)?.cast_into::<Permit>()?;
            blocks.remove(index);
            BLOCKS.get(py).set(PyTuple::new(py, blocks)?.as_any())?;
            return Ok(Some(permit));
        }
    }
    Ok(None)
}

fn blocks(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    let Some(blocks) = BLOCKS.get(py).get(py)? else { return Ok(Vec::new()) };
    Ok(blocks.cast_into::<PyTuple>()?.iter().collect())
}
