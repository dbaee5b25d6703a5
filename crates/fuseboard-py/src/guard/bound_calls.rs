//! The two calls that a guarded coroutine makes: for a permit, and to say what it returned.
//!
//! Functions of the interpreter's own kind, bound to a breaker. A method of a PyO3 class would be reached through its
//! general trampoline, which takes longer than what is done here.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;

use crate::breaker::class::Breaker;
use crate::breaker::permit::Permit;
use crate::interpreter::borrowed::borrowed;
use crate::interpreter::interned;
use crate::interpreter::python_code::call_method;
use crate::table::fuse::PermitInner;

/// A function, as the interpreter wants it described. It keeps the pointer for as long as the function lives.
struct Method(ffi::PyMethodDef);

// SAFETY: never written; what its pointers point to is static.
unsafe impl Sync for Method {}

// By these names a breaker has methods that do the same, which a pickled function finds.
static ADMIT: Method = Method(ffi::PyMethodDef {
    ml_name: c"_admit".as_ptr(),
    ml_meth: ffi::PyMethodDefPointer { PyCFunction: call_admit },
    ml_flags: ffi::METH_NOARGS,
    ml_doc: c"Asks for a permit.".as_ptr(),
});
static SETTLE_RESULT: Method = Method(ffi::PyMethodDef {
    ml_name: c"_settle_result".as_ptr(),
    ml_meth: ffi::PyMethodDefPointer { PyCFunctionFast: call_settle_result },
    ml_flags: ffi::METH_FASTCALL,
    ml_doc: c"Settles the call of a permit, which returned this value.".as_ptr(),
});

/// A breaker's ``_admit`` and ``_settle_result`` as functions that cost less, for code that calls them often.
#[pyfunction]
pub(crate) fn bound_calls<'py>(breaker: &Bound<'py, Breaker>) -> PyResult<[Bound<'py, PyAny>; 2]> {
    Ok([bound(breaker, &ADMIT)?, bound(breaker, &SETTLE_RESULT)?])
}

fn bound<'py>(breaker: &Bound<'py, Breaker>, method: &'static Method) -> PyResult<Bound<'py, PyAny>> {
    let definition = (&raw const method.0).cast_mut();
    // SAFETY: the definition is static and is not written to; the breaker is a live object, to which the function takes a
    // reference of its own. No module.
    unsafe {
        let function = ffi::PyCMethod_New(definition, breaker.as_ptr(), ptr::null_mut(), ptr::null_mut());
        Bound::from_owned_ptr_or_err(breaker.py(), function)
    }
}

pub(super) unsafe extern "C" fn call_admit(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with the lock held and with the breaker that the function is bound to. Between the
    // look at the links and the new reference nothing runs.
    unsafe {
        let py = Python::assume_attached();
        let breaker = borrowed(py, this).cast_unchecked::<Breaker>();
        let breaker = breaker.get();
        if let Some(fuse) = breaker.link.peek(py) {
            fuse.get().expect_success();
            if let Some(last) = breaker.closed.peek(py)
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
        call_method(interned::admit(py), &[this])
    }
}

unsafe extern "C" fn call_settle_result(
    this: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with the lock held, with the breaker that the function is bound to, and with as
    // many live objects as it says.
    unsafe {
        let py = Python::assume_attached();
        let breaker = borrowed(py, this).cast_unchecked::<Breaker>();
        if count == 2
            && let Ok(permit) = borrowed(py, *args).cast_exact::<Permit>()
            && !breaker.get().judges_results()
            && permit.get().fast_success()
        {
            return ffi::Py_NewRef(ffi::Py_None());
        }
        // Too many or too few arguments are the method's to refuse.
        let arguments = std::slice::from_raw_parts(args, count.cast_unsigned());
        call_method(interned::settle_result(py), &[&[this], arguments].concat())
    }
}
