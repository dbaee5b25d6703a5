//! Calls of Python code from Rust: what the package has handed in, and so a user's predicate or listener.
//!
//! Until CPython 3.14 an interpreter that ends also ends its daemon threads: one that asks for the interpreter lock again
//! is ended on the spot, by unwinding its stack. Our frames, and PyO3's, must not be unwound like that: the process would
//! abort. So a thread that is ended in Python code that was called from here stays here for good, as all threads do since
//! 3.14. Nobody waits for it, and it does not hold the lock.

use std::ptr;

use pyo3::BoundObject;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

unsafe extern "C-unwind" {
    // As pyo3-ffi has it, but for the ABI, by which the compiler expects the unwinding. Not to be called as that has it
    // anywhere: of two declarations of one symbol the linker may keep the other.
    fn PyObject_CallObject(callable: *mut ffi::PyObject, arguments: *mut ffi::PyObject) -> *mut ffi::PyObject;
}

/// Calls what is Python code, or may lead to it.
pub(crate) fn call_python<'py, A>(callable: &Bound<'py, PyAny>, arguments: A) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple>,
{
    let py = callable.py();
    let arguments = arguments.into_pyobject(py).map_err(Into::into)?.into_bound();
    let stay = Stay;
    // SAFETY: both are live objects, the second a tuple; the result is owned, or null with an exception set.
    let result = unsafe {
        let result = PyObject_CallObject(callable.as_ptr(), arguments.as_ptr());
        Bound::from_owned_ptr_or_err(py, result)
    };
    std::mem::forget(stay);
    result
}

/// Calls the method of that name; its `self` stands before the arguments. It also works while the interpreter is going away,
/// when PyO3 may attach nothing any more.
///
/// # Safety
/// The arguments are live objects.
#[cold]
#[inline(never)]
pub(crate) unsafe fn call_method(name: &Bound<'_, PyString>, arguments: &[*mut ffi::PyObject]) -> *mut ffi::PyObject {
    // SAFETY: live objects, says the caller; the lock is held, as `name` shows.
    unsafe { ffi::PyObject_VectorcallMethod(name.as_ptr(), arguments.as_ptr(), arguments.len(), ptr::null_mut()) }
}

/// It is dropped only where the stack is unwound, and keeps the thread there.
struct Stay;

impl Drop for Stay {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}
