//! Calls of a guard. They come from the code of the Python function in front of it, or straight from the interpreter
//! (`entry`).

use std::ptr;

use fuseboard_core::word::Word;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::breaker::calls::{obtain, settle_call, take};
use crate::breaker::class::Breaker;
use crate::breaker::permit::Permit;
use crate::convert::package;
use crate::guard::class::{Guard, guard_class};
use crate::interpreter::borrowed::borrowed;
use crate::interpreter::contextlib::has_only_begun;
use crate::interpreter::kept::Kept;
use crate::table::fuse::{Fuse, PermitInner};

/// A native callable that guards a plain function. A rejected call gets what the fallback returns.
#[pyfunction]
#[pyo3(signature = (breaker, function, fallback=None))]
pub(crate) fn guard(
    breaker: &Bound<'_, Breaker>,
    function: &Bound<'_, PyAny>,
    fallback: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<PyAny>> {
    let py = breaker.py();
    let class = guard_class(py);
    // SAFETY: `class` is a heap type made with `Guard`'s size and the collector's flag; its allocator returns a zeroed
    // instance, which the collector does not look at before it is filled in, as nothing runs between.
    unsafe {
        let instance = ffi::PyType_GenericAlloc(class, 0).cast::<Guard>();
        if instance.is_null() {
            return Err(PyErr::fetch(py));
        }
        (*instance).vectorcall = if breaker.get().judges_results() { call::<true> } else { call::<false> };
        (*instance).breaker = breaker.clone().into_ptr();
        (*instance).function = function.clone().into_ptr();
        (*instance).fallback = fallback.map_or(ptr::null_mut(), |fallback| fallback.clone().into_ptr());
        Ok(Bound::from_owned_ptr(py, instance.cast()).unbind())
    }
}

unsafe extern "C" fn call<const JUDGED: bool>(
    this: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    nargsf: usize,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with the lock held and with a guard, which its caller keeps alive; the arguments
    // are those of a vectorcall, and are handed on as they came. A guard's fields stay as they were made for as long as it
    // lives.
    unsafe {
        let guard = &*this.cast::<Guard>();
        if let Some(closed) = begin(guard.breaker) {
            return closed_call::<JUDGED>(guard, closed, args, nargsf, kwnames);
        }
        let function = guard.function;
        match ask(guard.breaker) {
            Asked::Permitted(permit) => {
                let result = ffi::PyObject_Vectorcall(function, args, nargsf, kwnames);
                end_permitted(guard, permit, result)
            }
            Asked::Unguarded => ffi::PyObject_Vectorcall(function, args, nargsf, kwnames),
            Asked::Rejected if guard.fallback.is_null() => ptr::null_mut(),
            Asked::Rejected => fall_back(guard, args, nargsf, kwnames),
        }
    }
}

/// A call that began while the fuse was closed. It has no destructor that would run if the thread ends in the call (see
/// [`closed_call`]).
pub(super) struct Closed {
    fuse: Kept,
    word: Word,
    /// When the call began, if that matters.
    began_us: u64,
}

/// How a call begins if the fuse is not known to be closed. It has no destructor, like [`Closed`].
enum Asked {
    /// An owned reference to a permit.
    Permitted(*mut ffi::PyObject),
    /// The interpreter is going away: the call goes on as if there were no breaker.
    Unguarded,
    /// An exception is set.
    Rejected,
}

/// Begins a call, if the fuse is known to be closed.
///
/// # Safety
/// The interpreter lock is held and `breaker` is a live breaker.
#[inline(always)]
pub(super) unsafe fn begin(breaker: *mut ffi::PyObject) -> Option<Closed> {
    // SAFETY: as the caller says.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: as the caller says.
    let breaker = unsafe { borrowed(py, breaker).cast_unchecked::<Breaker>() };
    let kept = breaker.get().link.keep(py)?;
    // SAFETY: the link leads to a fuse, which is kept until it is given back.
    let fuse = unsafe { borrowed(py, kept.object()).cast_unchecked::<Fuse>() };
    fuse.get().expect_success();
    let word = fuse.get().word();
    if !fuse.get().is_closed(word) {
        // SAFETY: not used again.
        unsafe { kept.give_back() };
        return None;
    }
    let began_us = fuse.get().began_us();
    Some(Closed { fuse: kept, word, began_us })
}

/// The call while the fuse is closed. Hot: everything up to the first `return` is the closed path. `JUDGED` is true for a
/// breaker that judges results too. It is a constant, so other breakers do not have to test it.
///
/// The function is called from here and from nowhere deeper: when the interpreter ends, it ends a daemon thread in the
/// middle of the function by unwinding its stack, which must not meet a frame of ours that catches or cleans up.
///
/// # Safety
/// The interpreter lock is held; the guard lives to the end of this; the arguments are those of a vectorcall.
#[inline(always)]
pub(super) unsafe fn closed_call<const JUDGED: bool>(
    guard: &Guard,
    closed: Closed,
    args: *const *mut ffi::PyObject,
    nargsf: usize,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as the caller says; a guard's function lives as long as it; the arguments are handed on as they came.
    unsafe {
        let function = guard.function;
        let call = match ffi::PyVectorcall_Function(function) {
            // Straight to the function, without the checks of a result that the interpreter will make of ours.
            Some(call) => call,
            None => ffi::PyObject_Vectorcall,
        };
        let result = call(function, args, nargsf, kwnames);
        if !JUDGED && !result.is_null() && is_fast_success(&closed, result) {
            return result;
        }
        end_closed(guard, closed, result)
    }
}

/// Whether this result ends a closed call that changes nothing. If so, the call is counted, and the fuse is given back.
///
/// # Safety
/// The interpreter lock is held; `result` is a live object; where this is true, `closed` is not used again.
#[inline(always)]
unsafe fn is_fast_success(closed: &Closed, result: *mut ffi::PyObject) -> bool {
    // SAFETY: as the caller says; `closed` keeps a fuse.
    unsafe {
        let py = Python::assume_attached();
        let fuse = borrowed(py, closed.fuse.object()).cast_unchecked::<Fuse>();
        let is_counted =
            !has_only_begun(&borrowed(py, result)) && fuse.get().fast_success(closed.word, closed.began_us);
        if is_counted {
            closed.fuse.give_back();
        }
        is_counted
    }
}

/// Asks for a permit where the fuse is not known to be closed.
///
/// # Safety
/// As for [`begin`].
#[cold]
#[inline(never)]
unsafe fn ask(breaker: *mut ffi::PyObject) -> Asked {
    // The thread is attached already, but PyO3 does not know it, and would put off every release of a reference. Attaching
    // fails when the interpreter is going away.
    let asked = Python::try_attach(|py| {
        // SAFETY: a live breaker, says the caller.
        let breaker = unsafe { Bound::from_borrowed_ptr(py, breaker).cast_into_unchecked::<Breaker>() };
        match obtain(&breaker) {
            Ok(permit) => Asked::Permitted(permit.into_ptr()),
            Err(error) => {
                error.restore(py);
                Asked::Rejected
            }
        }
    });
    asked.unwrap_or(Asked::Unguarded)
}

/// Settles a closed call that was not a fast success.
///
/// # Safety
/// As for [`begin`]; `result` is an owned reference, or null with an exception set.
#[cold]
#[inline(never)]
unsafe fn end_closed(guard: &Guard, closed: Closed, result: *mut ffi::PyObject) -> *mut ffi::PyObject {
    let ended = Python::try_attach(|py| {
        // SAFETY: a fuse, given up here.
        let fuse = unsafe { closed.fuse.into_bound(py).cast_into_unchecked::<Fuse>() };
        // SAFETY: as the caller says.
        unsafe { end(py, guard, PermitInner::closed(&fuse, closed.word, closed.began_us), result) }
    });
    ended.unwrap_or(result)
}

/// What the fallback makes of the exception that is set.
///
/// # Safety
/// As for [`begin`]; the guard has a fallback, an exception is set, and the arguments are those of the vectorcall.
#[cold]
#[inline(never)]
unsafe fn fall_back(
    guard: &Guard,
    args: *const *mut ffi::PyObject,
    nargsf: usize,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let got = Python::try_attach(|py| {
        let rejection = PyErr::fetch(py);
        // SAFETY: a live fallback, says the caller.
        let fallback = unsafe { Bound::from_borrowed_ptr(py, guard.fallback) };
        // SAFETY: as the caller says.
        let got = unsafe { pack(py, args, nargsf, kwnames) }
            .and_then(|(args, kwargs)| package::fall_back(py, (fallback, rejection.into_value(py), args, kwargs)));
        got.map_or_else(
            |error| {
                error.restore(py);
                ptr::null_mut()
            },
            Bound::into_ptr,
        )
    });
    got.unwrap_or(ptr::null_mut())
}

/// The arguments of a vectorcall as a tuple and a dict.
///
/// # Safety
/// The arguments are those of a vectorcall under way.
unsafe fn pack<'py>(
    py: Python<'py>,
    args: *const *mut ffi::PyObject,
    nargsf: usize,
    kwnames: *mut ffi::PyObject,
) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
    // SAFETY: by the protocol (PEP 590) `args` points to the positional arguments and, behind them, one for each of the
    // names in the tuple `kwnames`, which may be null; all are live objects.
    let (positional, names, named) = unsafe {
        let count = ffi::PyVectorcall_NARGS(nargsf).cast_unsigned();
        let argument = |index: usize| Bound::from_borrowed_ptr(py, *args.add(index));
        let names = Bound::from_borrowed_ptr_or_opt(py, kwnames).map(|names| names.cast_into_unchecked::<PyTuple>());
        let named = (count..count + names.as_ref().map_or(0, PyTupleMethods::len)).map(argument).collect::<Vec<_>>();
        ((0..count).map(argument).collect::<Vec<_>>(), names, named)
    };
    let kwargs = PyDict::new(py);
    for (name, value) in names.iter().flatten().zip(named) {
        kwargs.set_item(name, value)?;
    }
    Ok((PyTuple::new(py, positional)?, kwargs))
}

/// Settles a call that was given a permit.
///
/// # Safety
/// As for [`end_closed`]; `permit` is an owned reference to a permit, and not used again.
#[cold]
#[inline(never)]
unsafe fn end_permitted(guard: &Guard, permit: *mut ffi::PyObject, result: *mut ffi::PyObject) -> *mut ffi::PyObject {
    let ended = Python::try_attach(|py| {
        // SAFETY: an owned reference, given up here; the guard's breaker is live.
        let (breaker, permit) = unsafe {
            let breaker = Bound::from_borrowed_ptr(py, guard.breaker).cast_into_unchecked::<Breaker>();
            (breaker, Bound::from_owned_ptr(py, permit).cast_into_unchecked::<Permit>())
        };
        match take(&breaker, &permit) {
            // SAFETY: as the caller says.
            Some(inner) => unsafe { end(py, guard, inner.again(py), result) },
            // Unguarded.
            None => result,
        }
    });
    ended.unwrap_or(result)
}

/// # Safety
/// `result` is an owned reference, or null with an exception set.
unsafe fn end(py: Python<'_>, guard: &Guard, inner: PermitInner, result: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: a guard's fields are live; the result as the caller says.
    let (breaker, function, result) = unsafe {
        let breaker = Bound::from_borrowed_ptr(py, guard.breaker).cast_into_unchecked::<Breaker>();
        (breaker, Bound::from_borrowed_ptr(py, guard.function), Bound::from_owned_ptr_or_err(py, result))
    };
    match settle_call(&breaker, &function, inner, result) {
        Ok(value) => value.into_ptr(),
        Err(error) => {
            error.restore(py);
            ptr::null_mut()
        }
    }
}
