//! `with breaker:` and `async with breaker:`.
//!
//! **How a block's end finds its permit.** A breaker is one object for all threads, tasks and generators, so the permit
//! cannot lie there. But the interpreter looks up both methods of a `with` statement before it calls either, with nothing
//! in between, and each look-up may give another object. So the first gives a fresh [`Block`], which is left at the breaker
//! for an instant, and the second gives the same one: called without arguments it is the beginning, with three the end, and
//! the permit lies in it. Nothing is searched for, and nothing shared.
//!
//! **What looks wrong and is not.** Somebody may look up one method alone, and call it: an `ExitStack`, or code that enters
//! a breaker by hand. Such a look-up finds no other half, or leaves one that nobody takes and that goes with its last
//! reference. Then the permit is kept by frame ([`crate::breaker::blocks`]): slower, and right. A block that is left at the breaker
//! by somebody else's look-up alone is replaced by the next one, never taken by it, because only a second method takes.

use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use crate::breaker::class::Breaker;
use crate::breaker::permit::Permit;
use crate::guard::bound_calls::call_admit;
use crate::interpreter::at_import::AtImport;
use crate::interpreter::completed_awaitable::completed_awaitable;
use crate::interpreter::interned;
use crate::interpreter::python_code::call_method;
use crate::interpreter::types::{make_type, offset_member, slot};

/// Both methods of one statement, laid out for the interpreter.
#[repr(C)]
pub(crate) struct Block {
    base: ffi::PyObject,
    vectorcall: ffi::vectorcallfunc,
    breaker: *mut ffi::PyObject,
    /// The permit, from the beginning of the block to its end.
    permit: *mut ffi::PyObject,
    waits: bool,
    /// Whether both methods have it.
    paired: bool,
}

/// One of the four methods, as it stands in the class.
#[repr(C)]
struct Method {
    base: ffi::PyObject,
    /// Of `async with`.
    waits: bool,
    begins: bool,
}

/// Makes the type of blocks, and puts the four methods into the breaker's class. Called by the module's init.
pub(crate) fn make(py: Python<'_>) -> PyResult<()> {
    BLOCK.set(py, make_block_type(py)?);
    let (class, kind) = (py.get_type::<Breaker>(), method_type(py)?);
    for (name, waits, begins) in
        [("__enter__", false, true), ("__exit__", false, false), ("__aenter__", true, true), ("__aexit__", true, false)]
    {
        class.setattr(name, method(kind.bind(py), waits, begins)?)?;
    }
    Ok(())
}

fn method_type(py: Python<'_>) -> PyResult<Py<PyType>> {
    let mut slots = [slot(ffi::Py_tp_descr_get, look_up as *mut c_void), slot(0, ptr::null_mut())];
    make_type(py, c"fuseboard._core.BlockMethod", size_of::<Method>(), 0, &mut slots)
}

fn method<'py>(class: &Bound<'py, PyType>, waits: bool, begins: bool) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    // SAFETY: a type made for `Method`; what the allocator returns is zeroed, which is a valid one.
    unsafe {
        let instance = ffi::PyType_GenericAlloc(class.as_type_ptr(), 0).cast::<Method>();
        let method = Bound::from_owned_ptr_or_err(py, instance.cast())?;
        (*instance).waits = waits;
        (*instance).begins = begins;
        Ok(method)
    }
}

/// Looks a method up: of a breaker a block that is called, of the class the method that keeps permits by frame.
unsafe extern "C" fn look_up(
    this: *mut ffi::PyObject,
    breaker: *mut ffi::PyObject,
    class: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with a method of ours, with an instance of the class that it stands in or null, and
    // with that class or one below; the lock is held.
    unsafe {
        let py = Python::assume_attached();
        let method = &*this.cast::<Method>();
        if breaker.is_null() || breaker == ffi::Py_None() {
            return ffi::PyObject_GetAttr(class, by_frame(py, method.waits, method.begins).as_ptr());
        }
        // Nothing keeps Python code from putting our methods into a class of its own.
        if !Bound::ref_from_ptr(py, &breaker).is_instance_of::<Breaker>() {
            ffi::PyErr_SetString(ffi::PyExc_TypeError, c"the method of a block is a breaker's".as_ptr());
            return ptr::null_mut();
        }
        let left = &Bound::ref_from_ptr(py, &breaker).cast_unchecked::<Breaker>().get().block;
        if method.begins == BEGINS_FIRST {
            let block = new_block(py, breaker, method.waits);
            left.leave(block);
            return block;
        }
        let block = left.take().cast::<Block>();
        if block.is_null() || (*block).waits != method.waits {
            return new_block(py, breaker, method.waits);
        }
        (*block).paired = true;
        ffi::Py_NewRef(block.cast())
    }
}

/// Which of the two methods a `with` statement looks up first: the beginning, and from Python 3.14 the end.
const BEGINS_FIRST: bool = cfg!(not(Py_3_14));

/// The method that does the same, and keeps the permit by frame.
fn by_frame(py: Python<'_>, waits: bool, begins: bool) -> &Bound<'_, PyString> {
    match (waits, begins) {
        (false, true) => interned::enter(py),
        (false, false) => interned::exit(py),
        (true, true) => interned::aenter(py),
        (true, false) => interned::aexit(py),
    }
}

/// # Safety
/// `breaker` is a live breaker.
unsafe fn new_block(py: Python<'_>, breaker: *mut ffi::PyObject, waits: bool) -> *mut ffi::PyObject {
    let class = BLOCK.get(py).bind(py).as_type_ptr();
    // SAFETY: a type made for `Block`; the collector does not look at it before it is filled in, as nothing runs between.
    unsafe {
        let block = ffi::PyType_GenericAlloc(class, 0).cast::<Block>();
        if !block.is_null() {
            (*block).vectorcall = call;
            (*block).breaker = ffi::Py_NewRef(breaker);
            (*block).waits = waits;
        }
        block.cast()
    }
}

/// Without arguments the beginning, else the end.
unsafe extern "C" fn call(
    this: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    nargsf: usize,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with the lock held and with a block, which its caller keeps alive; `args` points to
    // so many live objects.
    unsafe {
        let py = Python::assume_attached();
        let block = this.cast::<Block>();
        let count = ffi::PyVectorcall_NARGS(nargsf).cast_unsigned();
        if !kwnames.is_null() {
            ffi::PyErr_SetString(ffi::PyExc_TypeError, c"the methods of a block take no keyword arguments".as_ptr());
            return ptr::null_mut();
        }
        if (*block).paired {
            if count == 0 && (*block).permit.is_null() {
                return begin(py, block);
            }
            if count == 3 && !(*block).permit.is_null() {
                return end(py, block, *args.add(1));
            }
        }
        // By hand, or by mistake, which the method refuses. Nobody is to take the other half any more.
        Bound::ref_from_ptr(py, &(*block).breaker).cast_unchecked::<Breaker>().get().block.forget(this);
        let arguments = if count == 0 { &[] } else { std::slice::from_raw_parts(args, count) };
        call_method(by_frame(py, (*block).waits, count == 0), &[&[(*block).breaker], arguments].concat())
    }
}

/// # Safety
/// `block` is a live block that holds no permit.
#[inline(always)]
unsafe fn begin(py: Python<'_>, block: *mut Block) -> *mut ffi::PyObject {
    // SAFETY: its breaker lives as long as it; the permit is an owned reference, or null with an exception set.
    unsafe {
        (*block).permit = call_admit((*block).breaker, ptr::null_mut());
        if (*block).permit.is_null() { ptr::null_mut() } else { answer(py, (*block).waits, ffi::Py_None()) }
    }
}

/// # Safety
/// `block` is a live block that holds a permit; `error` is what ended it, or None.
#[inline(always)]
unsafe fn end(py: Python<'_>, block: *mut Block, error: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the permit is the block's own reference, given up here; it and the breaker live to the end of this.
    unsafe {
        let permit = Bound::from_owned_ptr(py, std::mem::replace(&mut (*block).permit, ptr::null_mut()));
        let is_plain = error == ffi::Py_None() && permit.cast_unchecked::<Permit>().get().fast_success();
        if !is_plain {
            let settled = call_method(interned::settle(py), &[(*block).breaker, permit.as_ptr(), error]);
            if settled.is_null() {
                return settled;
            }
            ffi::Py_DECREF(settled);
        }
        answer(py, (*block).waits, ffi::Py_False())
    }
}

/// What a method returns, or what is awaited in its place.
///
/// # Safety
/// `at_once` is a live object.
#[inline(always)]
unsafe fn answer(py: Python<'_>, waits: bool, at_once: *mut ffi::PyObject) -> *mut ffi::PyObject {
    if waits {
        return completed_awaitable(py).into_ptr();
    }
    // SAFETY: a live object, says the caller.
    unsafe { ffi::Py_NewRef(at_once) }
}

unsafe extern "C" fn traverse(this: *mut ffi::PyObject, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: called by the collector with a block; its fields are null or live.
    unsafe {
        let block = &*this.cast::<Block>();
        for object in [ffi::Py_TYPE(this).cast(), block.breaker, block.permit] {
            if !object.is_null() {
                let stop = visit(object, arg);
                if stop != 0 {
                    return stop;
                }
            }
        }
        0
    }
}

unsafe extern "C" fn clear(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the collector with a block that only garbage refers to. A permit that goes gives its lease back. The
    // breaker stays, for other garbage may call the block once more; it can close no cycle without a frame that is garbage
    // too, and that lets go of the block.
    unsafe {
        let block = &mut *this.cast::<Block>();
        ffi::Py_XDECREF(std::mem::replace(&mut block.permit, ptr::null_mut()));
    }
    0
}

unsafe extern "C" fn dealloc(this: *mut ffi::PyObject) {
    // SAFETY: called once, with a block that nobody refers to, and with the lock held.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        let (class, block) = (ffi::Py_TYPE(this), &mut *this.cast::<Block>());
        if !block.breaker.is_null() {
            let py = Python::assume_attached();
            Bound::ref_from_ptr(py, &block.breaker).cast_unchecked::<Breaker>().get().block.forget(this);
        }
        ffi::Py_XDECREF(block.permit);
        ffi::Py_XDECREF(block.breaker);
        ffi::PyObject_GC_Del(this.cast());
        // An instance of a heap type owns a reference to it.
        ffi::Py_DECREF(class.cast());
    }
}

static BLOCK: AtImport<Py<PyType>> = AtImport::new();

fn make_block_type(py: Python<'_>) -> PyResult<Py<PyType>> {
    // The interpreter keeps pointers into this list for as long as the type lives: for ever.
    let members = [offset_member(c"__vectorcalloffset__", offset_of!(Block, vectorcall)), ffi::PyMemberDef::default()];
    let mut slots = [
        slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void),
        slot(ffi::Py_tp_traverse, traverse as *mut c_void),
        slot(ffi::Py_tp_clear, clear as *mut c_void),
        slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
        slot(ffi::Py_tp_members, Box::leak(Box::new(members)).as_mut_ptr().cast()),
        slot(0, ptr::null_mut()),
    ];
    let flags = ffi::Py_TPFLAGS_HAVE_GC | ffi::Py_TPFLAGS_HAVE_VECTORCALL;
    make_type(py, c"fuseboard._core.Block", size_of::<Block>(), flags, &mut slots)
}
