//! `with breaker:` and `async with breaker:`, also by an `ExitStack`.
//!
//! **How a block's end finds its permit.** A breaker is one object for all threads, tasks and generators, so the permit
//! cannot lie there. But the interpreter looks up both methods of a `with` statement before it calls either, and nothing
//! runs between the two look-ups. Each look-up may give another object. So the first gives a fresh [`Block`], which is left
//! at the breaker for an instant, and the second gives the same block. Called without arguments it is the beginning, with
//! three it is the end, and the permit lies in it. Nothing is searched for, and nothing shared.
//!
//! An `ExitStack` looks both methods up in the class, one after the other, and hands them the breaker. From Python 3.15 on
//! it finds our descriptors in the class and calls their `__get__`, which a `with` statement does not: that gives the
//! class's method, bound to the breaker. Both work the same way, with a block that is left in the thread's own place
//! ([`LEFT`]): between the two calls of `__get__` Python code runs, and so may other threads. The permit of such a block is
//! one that no other call shares, and marks nothing: a stack may hand the block on (`pop_all`), and nobody knows which
//! calls are inside it then.
//!
//! **What looks wrong and is not.** Code may look up one method alone and call it, as a class does that wraps a breaker.
//! Such a look-up finds no other half, or leaves a block that nobody takes. Then the permit waits in
//! [`crate::breaker::blocks`]. A block that another look-up has left is replaced by the next first method, never taken by
//! it: only a second method takes.

use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use crate::breaker::class::Breaker;
use crate::breaker::permit::Permit;
use crate::guard::async_guard::ask;
use crate::interpreter::at_import::AtImport;
use crate::interpreter::borrowed::borrowed;
use crate::interpreter::completed_awaitable::completed_awaitable;
use crate::interpreter::interned;
use crate::interpreter::left::OwnedLeft;
use crate::interpreter::python_code::call_method;
use crate::interpreter::types::{free_instance, make_type, offset_member, slot, visit_instance};

unsafe extern "C" {
    // Part of CPython's API, not declared by pyo3-ffi.
    fn PyMethod_New(function: *mut ffi::PyObject, instance: *mut ffi::PyObject) -> *mut ffi::PyObject;
}

/// Both methods of one statement, laid out for the interpreter.
#[repr(C)]
pub(crate) struct Block {
    base: ffi::PyObject,
    vectorcall: ffi::vectorcallfunc,
    /// Null, until it begins, in a block of the class: an owned reference, which stays.
    breaker: AtomicPtr<ffi::PyObject>,
    /// The permit, from the beginning of the block to its end: an owned reference.
    permit: Seat,
    /// Whether it was looked up in the class, so that its calls name the breaker.
    is_of_the_class: bool,
    waits: bool,
    /// Whether both methods have it.
    paired: AtomicBool,
}

/// A place for one owned reference, or null. Several threads may call one block at the same time, though no `with`
/// statement does; each reference that was put in is taken out once.
struct Seat(AtomicPtr<ffi::PyObject>);

impl Seat {
    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// Whether the reference was put in; it stays the caller's otherwise.
    #[inline(always)]
    fn put(&self, object: *mut ffi::PyObject) -> bool {
        if cfg!(Py_GIL_DISABLED) {
            return self.0.compare_exchange(ptr::null_mut(), object, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        }
        // With the interpreter lock nobody comes in between.
        let is_empty = self.is_empty();
        if is_empty {
            self.0.store(object, Ordering::Relaxed);
        }
        is_empty
    }

    #[inline(always)]
    fn take(&self) -> *mut ffi::PyObject {
        if cfg!(Py_GIL_DISABLED) {
            return self.0.swap(ptr::null_mut(), Ordering::AcqRel);
        }
        let object = self.0.load(Ordering::Relaxed);
        self.0.store(ptr::null_mut(), Ordering::Relaxed);
        object
    }
}

impl Block {
    /// Borrowed, or null.
    #[inline(always)]
    fn breaker(&self) -> *mut ffi::PyObject {
        self.breaker.load(Ordering::Acquire)
    }

    /// Whether a block of the class is this breaker's. A block is the first one's that begins it.
    ///
    /// # Safety
    /// A live breaker; the thread is attached.
    unsafe fn becomes(&self, breaker: *mut ffi::PyObject) -> bool {
        // SAFETY: as the caller says; a reference of the block's own, given back where the block has a breaker already.
        unsafe {
            ffi::Py_INCREF(breaker);
            match self.breaker.compare_exchange(ptr::null_mut(), breaker, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => true,
                Err(before) => {
                    ffi::Py_DECREF(breaker);
                    before == breaker
                }
            }
        }
    }
}

/// A block whose beginning this thread has looked up in the class, and whose end it is about to look up.
static LEFT: OwnedLeft = OwnedLeft;

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
    let get = ffi::PyMethodDef {
        ml_name: c"__get__".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFast: get },
        // In place of the `__get__` that the type would have by itself, which calls `look_up`.
        ml_flags: ffi::METH_FASTCALL | ffi::METH_COEXIST,
        ml_doc: ptr::null(),
    };
    // The interpreter keeps pointers into this list for as long as the type lives: for ever.
    let methods = Box::leak(Box::new([get, ffi::PyMethodDef::zeroed()]));
    let mut slots = [
        slot(ffi::Py_tp_descr_get, look_up as *mut c_void),
        slot(ffi::Py_tp_methods, methods.as_mut_ptr().cast()),
        slot(0, ptr::null_mut()),
    ];
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

/// Looks a method up, of a breaker or of the class: a block that is called.
unsafe extern "C" fn look_up(
    this: *mut ffi::PyObject,
    breaker: *mut ffi::PyObject,
    _class: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with a method of ours, with an instance of the class that it stands in or null, and
    // with that class or one below; the lock is held.
    unsafe {
        let py = Python::assume_attached();
        let method = &*this.cast::<Method>();
        if breaker.is_null() || breaker == ffi::Py_None() {
            return look_up_in_class(py, method);
        }
        let owner = borrowed(py, breaker);
        if !owner.is_instance_of::<Breaker>() {
            return refuse_stranger();
        }
        let owner = owner.cast_unchecked::<Breaker>();
        let left = &owner.get().block;
        if method.begins == BEGINS_FIRST {
            let block = new_block(py, breaker, method.waits);
            left.leave(block.cast());
            return block.cast();
        }
        let block = left.take().cast::<Block>();
        if !block.is_null() {
            // Without the interpreter lock the thread may have left it for another breaker, or for the class.
            let is_its_own = cfg!(not(Py_GIL_DISABLED)) || (*block).breaker() == breaker;
            if is_its_own && (*block).waits == method.waits {
                (*block).paired.store(true, Ordering::Relaxed);
                return block.cast();
            }
            ffi::Py_DECREF(block.cast());
        }
        new_block(py, breaker, method.waits).cast()
    }
}

/// The same in the class, whose methods are called with a breaker.
///
/// # Safety
/// The interpreter lock is held.
unsafe fn look_up_in_class(py: Python<'_>, method: &Method) -> *mut ffi::PyObject {
    // SAFETY: what was left is a live block, of which a reference comes with it.
    unsafe {
        let left = LEFT.take().cast::<Block>();
        if !left.is_null() && !method.begins && (*left).waits == method.waits && (*left).is_of_the_class {
            (*left).paired.store(true, Ordering::Relaxed);
            return left.cast();
        }
        ffi::Py_XDECREF(left.cast());
        let block = new_block(py, ptr::null_mut(), method.waits);
        if !block.is_null() {
            (*block).is_of_the_class = true;
            if method.begins {
                LEFT.leave(block.cast());
            }
        }
        block.cast()
    }
}

/// `__get__` of a method, called by its name, as an `ExitStack` does from Python 3.15 on. The interpreter itself calls
/// [`look_up`].
unsafe extern "C" fn get(
    this: *mut ffi::PyObject,
    args: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with the thread attached, with a method of ours, and with so many live objects.
    unsafe {
        let py = Python::assume_attached();
        if !(1..=2).contains(&count) {
            ffi::PyErr_SetString(ffi::PyExc_TypeError, c"__get__ takes an instance and its class".as_ptr());
            return ptr::null_mut();
        }
        let instance = *args;
        if instance != ffi::Py_None() && !borrowed(py, instance).is_instance_of::<Breaker>() {
            return refuse_stranger();
        }
        let block = look_up_in_class(py, &*this.cast::<Method>());
        if block.is_null() || instance == ffi::Py_None() {
            return block;
        }
        let bound = PyMethod_New(block, instance);
        ffi::Py_DECREF(block);
        bound
    }
}

/// Nothing keeps Python code from putting our methods into a class of its own.
///
/// # Safety
/// The thread is attached.
#[cold]
unsafe fn refuse_stranger() -> *mut ffi::PyObject {
    // SAFETY: as the caller says.
    unsafe { ffi::PyErr_SetString(ffi::PyExc_TypeError, c"the method of a block is a breaker's".as_ptr()) };
    ptr::null_mut()
}

/// Which of the two methods a `with` statement looks up first: the beginning, and from Python 3.14 on the end. An
/// `ExitStack` looks up the beginning first in every version of Python.
const BEGINS_FIRST: bool = cfg!(not(Py_3_14));

/// The method that does the same for a block whose other half is called by hand.
fn by_hand(py: Python<'_>, waits: bool, begins: bool) -> &Bound<'_, PyString> {
    match (waits, begins) {
        (false, true) => interned::enter(py),
        (false, false) => interned::exit(py),
        (true, true) => interned::aenter(py),
        (true, false) => interned::aexit(py),
    }
}

/// # Safety
/// `breaker` is a live breaker, or null.
unsafe fn new_block(py: Python<'_>, breaker: *mut ffi::PyObject, waits: bool) -> *mut Block {
    let class = BLOCK.get(py).bind(py).as_type_ptr();
    // SAFETY: a type made for `Block`; the collector does not look at it before it is filled in, as nothing runs between.
    unsafe {
        let block = ffi::PyType_GenericAlloc(class, 0).cast::<Block>();
        if !block.is_null() {
            (*block).vectorcall = call;
            (*block).breaker.store(ffi::Py_XNewRef(breaker), Ordering::Relaxed);
            (*block).waits = waits;
        }
        block
    }
}

/// Without arguments the beginning, else the end. A block of the class has the breaker before its arguments.
unsafe extern "C" fn call(
    this: *mut ffi::PyObject,
    mut args: *const *mut ffi::PyObject,
    nargsf: usize,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with the lock held and with a block, which its caller keeps alive; `args` points to
    // so many live objects.
    unsafe {
        let py = Python::assume_attached();
        let block = this.cast::<Block>();
        let mut count = ffi::PyVectorcall_NARGS(nargsf).cast_unsigned();
        if !kwnames.is_null() {
            ffi::PyErr_SetString(ffi::PyExc_TypeError, c"the methods of a block take no keyword arguments".as_ptr());
            return ptr::null_mut();
        }
        let mut breaker = (*block).breaker();
        if (*block).is_of_the_class {
            if count == 0 || !borrowed(py, *args).is_instance_of::<Breaker>() {
                return refuse_stranger();
            }
            breaker = *args;
            (args, count) = (args.add(1), count - 1);
        }
        if (*block).paired.load(Ordering::Relaxed) {
            if count == 0 && (*block).permit.is_empty() && (!(*block).is_of_the_class || (*block).becomes(breaker)) {
                return begin(py, block, breaker);
            }
            if count == 3 && (*block).breaker() == breaker {
                let permit = (*block).permit.take();
                if !permit.is_null() {
                    return end(py, block, permit, *args.add(1));
                }
            }
        }
        // By hand, or by mistake, which the method refuses. Nobody is to take the other half any more.
        forget(py, block, breaker);
        let arguments = if count == 0 { &[] } else { std::slice::from_raw_parts(args, count) };
        call_method(by_hand(py, (*block).waits, count == 0), &[&[breaker], arguments].concat())
    }
}

/// A block of the class is bound to an instance as a function is, where somebody keeps it in a class of their own.
unsafe extern "C" fn bind(
    this: *mut ffi::PyObject,
    instance: *mut ffi::PyObject,
    _class: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with the lock held, with a block, and with an instance or null.
    unsafe {
        if instance.is_null() || !(*this.cast::<Block>()).is_of_the_class {
            return ffi::Py_NewRef(this);
        }
        PyMethod_New(this, instance)
    }
}

/// Leaves a block no more.
///
/// # Safety
/// `block` is a live block, of which the caller has a reference, and `breaker` a live breaker.
unsafe fn forget(py: Python<'_>, block: *mut Block, breaker: *mut ffi::PyObject) {
    // SAFETY: as the caller says.
    unsafe {
        borrowed(py, breaker).cast_unchecked::<Breaker>().get().block.forget(block.cast());
        LEFT.forget(block.cast());
    }
}

/// # Safety
/// `block` is a live block that holds no permit, and `breaker` a live breaker, the block's own if it has one.
#[inline(always)]
unsafe fn begin(py: Python<'_>, block: *mut Block, breaker: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the breaker lives as long as this call; the permit is an owned reference, or null with an exception set.
    unsafe {
        let permit = if (*block).is_of_the_class { begin_in_class(py, breaker) } else { ask(breaker) };
        if permit.is_null() {
            return ptr::null_mut();
        }
        if !(*block).permit.put(permit) {
            // Somebody else has begun the same block meanwhile. This permit goes back, and the call is one by hand.
            ffi::Py_DECREF(permit);
            return call_method(by_hand(py, (*block).waits, true), &[breaker]);
        }
        answer(py, (*block).waits, ffi::Py_None())
    }
}

/// # Safety
/// A live breaker.
#[cold]
#[inline(never)]
unsafe fn begin_in_class(py: Python<'_>, breaker: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the caller says the same.
    unsafe { call_method(interned::permit(py), &[breaker]) }
}

/// # Safety
/// `block` is a live block; `permit` was its own reference, and is given up here; `error` is what ended it, or None.
#[inline(always)]
unsafe fn end(
    py: Python<'_>,
    block: *mut Block,
    permit: *mut ffi::PyObject,
    error: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as the caller says; the permit and the breaker live to the end of this.
    unsafe {
        let permit = Bound::from_owned_ptr(py, permit);
        let is_counted = error == ffi::Py_None() && permit.cast_unchecked::<Permit>().get().fast_success();
        if !is_counted {
            let settled = call_method(interned::settle(py), &[(*block).breaker(), permit.as_ptr(), error]);
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
        visit_instance(this, [block.breaker(), block.permit.0.load(Ordering::Relaxed)], visit, arg)
    }
}

unsafe extern "C" fn clear(this: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the collector with a block that only garbage refers to. A permit that goes gives its lease back. The
    // breaker stays, for other garbage may call the block once more; it can close no cycle without a frame that is garbage
    // too, and that lets go of the block.
    unsafe {
        ffi::Py_XDECREF((*this.cast::<Block>()).permit.take());
    }
    0
}

unsafe extern "C" fn dealloc(this: *mut ffi::PyObject) {
    // SAFETY: called once, with a block that nobody refers to, and with the lock held.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        let block = &*this.cast::<Block>();
        let breaker = block.breaker();
        // Without the interpreter lock a block that is left cannot go: being left keeps it alive.
        if cfg!(not(Py_GIL_DISABLED)) && !block.is_of_the_class && !breaker.is_null() {
            let py = Python::assume_attached();
            borrowed(py, breaker).cast_unchecked::<Breaker>().get().block.forget(this);
        }
        free_instance(this, [block.permit.take(), breaker]);
    }
}

static BLOCK: AtImport<Py<PyType>> = AtImport::new();

fn make_block_type(py: Python<'_>) -> PyResult<Py<PyType>> {
    // The interpreter keeps pointers into this list for as long as the type lives: for ever.
    let members = [offset_member(c"__vectorcalloffset__", offset_of!(Block, vectorcall)), ffi::PyMemberDef::default()];
    let mut slots = [
        slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void),
        slot(ffi::Py_tp_descr_get, bind as *mut c_void),
        slot(ffi::Py_tp_traverse, traverse as *mut c_void),
        slot(ffi::Py_tp_clear, clear as *mut c_void),
        slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
        slot(ffi::Py_tp_members, Box::leak(Box::new(members)).as_mut_ptr().cast()),
        slot(0, ptr::null_mut()),
    ];
    let flags = ffi::Py_TPFLAGS_HAVE_GC | ffi::Py_TPFLAGS_HAVE_VECTORCALL;
    make_type(py, c"fuseboard._core.Block", size_of::<Block>(), flags, &mut slots)
}
