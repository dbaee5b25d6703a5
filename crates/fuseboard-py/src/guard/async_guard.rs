//! The type `fuseboard._core.AsyncGuard`: what a guarded coroutine function calls before and after it awaits the function
//! inside.
//!
//! The code of a guarded coroutine function is Python (`_breaker/signatures.py`), because only the interpreter makes
//! coroutines. The two steps that each call makes are **operators**, which the interpreter hands on without the protocol of a
//! call: `~guard` asks for a permit, and `guard[permit] = value` settles it with a result. `python -m bench.instructions`
//! counts what an awaited call takes.

use std::ffi::{c_int, c_void};
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::breaker::class::Breaker;
use crate::breaker::permit::Permit;
use crate::interpreter::at_import::AtImport;
use crate::interpreter::borrowed::borrowed;
use crate::interpreter::interned;
use crate::interpreter::python_code::call_method;
use crate::interpreter::types::{free_instance, make_type, slot, visit_instance};
use crate::table::fuse::PermitInner;

unsafe extern "C" {
    // Part of CPython's API since 3.11, not declared by every pyo3-ffi.
    fn PyErr_GetHandledException() -> *mut ffi::PyObject;
}

/// An instance, laid out for the interpreter. It is never changed, so threads may share it.
#[repr(C)]
struct AsyncGuard {
    base: ffi::PyObject,
    /// An owned reference.
    breaker: *mut ffi::PyObject,
}

static ASYNC_GUARD: AtImport<AsyncGuardClass> = AtImport::new();

struct AsyncGuardClass {
    class: Py<PyType>,
    /// The module's function that makes one.
    make: Py<PyAny>,
}

/// What guards the calls of a coroutine function, from the code that awaits it.
#[pyfunction]
pub(crate) fn async_guard(breaker: &Bound<'_, Breaker>) -> PyResult<Py<PyAny>> {
    let py = breaker.py();
    let class = ASYNC_GUARD.get(py).class.bind(py).as_type_ptr();
    // SAFETY: a type made for `AsyncGuard`; the collector does not look at it before it is filled in, as nothing runs
    // between.
    unsafe {
        let instance = ffi::PyType_GenericAlloc(class, 0).cast::<AsyncGuard>();
        let guard = Bound::from_owned_ptr_or_err(py, instance.cast())?;
        (*instance).breaker = breaker.clone().into_ptr();
        Ok(guard.unbind())
    }
}

/// Makes the type. Called by the module's init. `make` is the module's function that makes a guard.
pub(crate) fn make(py: Python<'_>, make: Py<PyAny>) -> PyResult<()> {
    let class =
        make_type(py, c"fuseboard._core.AsyncGuard", size_of::<AsyncGuard>(), ffi::Py_TPFLAGS_HAVE_GC, &mut slots())?;
    ASYNC_GUARD.set(py, AsyncGuardClass { class, make });
    Ok(())
}

/// Asks for a permit: an owned reference, or null with an exception set.
///
/// # Safety
/// A live breaker; the thread is attached.
#[inline(always)]
pub(super) unsafe fn ask(breaker: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: as the caller says. Between the look at the links and the new reference nothing runs.
    unsafe {
        let py = Python::assume_attached();
        let links = borrowed(py, breaker).cast_unchecked::<Breaker>();
        let links = links.get();
        if let Some(fuse) = links.link.peek(py) {
            fuse.get().expect_success();
            if let Some(last) = links.closed.peek(py)
                && last.get().admits(fuse.get())
            {
                return ffi::Py_NewRef(last.as_ptr());
            }
            // A reference of the permit's own, before its allocation, which may run other code.
            if let Some(inner) = PermitInner::of_a_rate(&fuse)
                && let Ok(permit) = Bound::new(py, Permit::new(Some(inner)))
            {
                return permit.into_ptr();
            }
        }
        call_method(interned::admit(py), &[breaker])
    }
}

/// `~guard`
unsafe extern "C" fn invert(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with a guard, whose breaker is live, and with the thread attached.
    unsafe { ask((*this.cast::<AsyncGuard>()).breaker) }
}

/// The same as a method.
unsafe extern "C" fn admit(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: as above.
    unsafe { ask((*this.cast::<AsyncGuard>()).breaker) }
}

/// `guard[permit] = value`
unsafe extern "C" fn set_item(
    this: *mut ffi::PyObject,
    permit: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> c_int {
    // SAFETY: the interpreter calls this with a guard, a live object, and another one or null, with the thread attached.
    unsafe {
        let py = Python::assume_attached();
        let breaker = (*this.cast::<AsyncGuard>()).breaker;
        if value.is_null() {
            ffi::PyErr_SetString(ffi::PyExc_TypeError, c"a permit cannot be deleted".as_ptr());
            return -1;
        }
        if let Ok(permit) = borrowed(py, permit).cast_exact::<Permit>()
            && !borrowed(py, breaker).cast_unchecked::<Breaker>().get().judges_results()
            && permit.get().fast_success()
        {
            return 0;
        }
        let settled = call_method(interned::settle_result(py), &[breaker, permit, value]);
        if settled.is_null() {
            return -1;
        }
        ffi::Py_DECREF(settled);
        0
    }
}

/// Settles a call with the exception that is being handled. The code that calls this need not have a name for it, nor for
/// `BaseException`, which the function's globals may have for something else.
unsafe extern "C" fn raised(this: *mut ffi::PyObject, permit: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: as above; the exception is an owned reference, or null if none is being handled.
    unsafe {
        let py = Python::assume_attached();
        let error = PyErr_GetHandledException();
        if error.is_null() {
            ffi::PyErr_SetString(ffi::PyExc_RuntimeError, c"no exception is being handled".as_ptr());
            return error;
        }
        let settled = call_method(interned::settle(py), &[(*this.cast::<AsyncGuard>()).breaker, permit, error]);
        ffi::Py_DECREF(error);
        settled
    }
}

unsafe extern "C" fn repr(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called with a guard; its breaker is a live object, and `%R` takes any.
    unsafe { ffi::PyUnicode_FromFormat(c"<guard of coroutines by %R>".as_ptr(), (*this.cast::<AsyncGuard>()).breaker) }
}

/// Pickled by value, beside a function that is: as the breaker that it is made of.
unsafe extern "C" fn reduce(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called with a guard and with the thread attached; its breaker is a live object.
    unsafe {
        let make = ASYNC_GUARD.get(Python::assume_attached()).make.as_ptr();
        ffi::Py_BuildValue(c"O(O)".as_ptr(), make, (*this.cast::<AsyncGuard>()).breaker)
    }
}

unsafe extern "C" fn traverse(this: *mut ffi::PyObject, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: called by the collector with a guard, whose breaker is live, or null if it was not filled in.
    unsafe { visit_instance(this, [(*this.cast::<AsyncGuard>()).breaker], visit, arg) }
}

unsafe extern "C" fn clear(_: *mut ffi::PyObject) -> c_int {
    // Nothing, as in a guard of plain functions: what other garbage still calls works.
    0
}

unsafe extern "C" fn dealloc(this: *mut ffi::PyObject) {
    // SAFETY: called once, with a guard that nobody refers to.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        free_instance(this, [(*this.cast::<AsyncGuard>()).breaker]);
    }
}

fn slots() -> [ffi::PyType_Slot; 8] {
    [
        slot(ffi::Py_nb_invert, invert as *mut c_void),
        slot(ffi::Py_mp_ass_subscript, set_item as *mut c_void),
        slot(ffi::Py_tp_repr, repr as *mut c_void),
        slot(ffi::Py_tp_traverse, traverse as *mut c_void),
        slot(ffi::Py_tp_clear, clear as *mut c_void),
        slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
        // The interpreter keeps pointers into this list for as long as the type lives: for ever.
        slot(ffi::Py_tp_methods, Box::leak(Box::new(methods())).as_mut_ptr().cast()),
        slot(0, ptr::null_mut()),
    ]
}

fn methods() -> [ffi::PyMethodDef; 4] {
    let method = |name: &'static std::ffi::CStr, function, flags| ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: function },
        ml_flags: flags,
        ml_doc: ptr::null(),
    };
    [
        method(c"admit", admit, ffi::METH_NOARGS),
        method(c"raised", raised, ffi::METH_O),
        method(c"__reduce__", reduce, ffi::METH_NOARGS),
        ffi::PyMethodDef::zeroed(),
    ]
}
