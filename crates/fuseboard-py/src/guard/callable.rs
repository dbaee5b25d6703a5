//! The type `fuseboard._core.Guard`.

use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::ptr;

use fuseboard_core::word::Word;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::breaker::{Breaker, admit, finish};
use crate::fuse::{Fuse, Held};

/// An instance, laid out for the interpreter. `breaker` and `function` are set before anybody sees it.
#[repr(C)]
struct Guard {
    base: ffi::PyObject,
    vectorcall: ffi::vectorcallfunc,
    breaker: *mut ffi::PyObject,
    function: *mut ffi::PyObject,
    dict: *mut ffi::PyObject,
    weakrefs: *mut ffi::PyObject,
}

#[allow(clashing_extern_declarations)]
unsafe extern "C" {
    // Part of CPython's API since 3.0, not declared by pyo3-ffi.
    fn PyMethod_New(function: *mut ffi::PyObject, instance: *mut ffi::PyObject) -> *mut ffi::PyObject;
}

/// A guard of `function` by `breaker`.
pub(crate) fn new_guard(breaker: &Bound<'_, Breaker>, function: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let py = breaker.py();
    let class = guard_type(py)?.as_type_ptr();
    // SAFETY: `class` is a heap type made below with `Guard`'s size and the collector's flag; its allocator returns a
    // zeroed instance that the collector does not track before it is filled in.
    unsafe {
        let instance = ffi::PyType_GenericAlloc(class, 0).cast::<Guard>();
        if instance.is_null() {
            return Err(PyErr::fetch(py));
        }
        (*instance).vectorcall = vectorcall;
        (*instance).breaker = breaker.clone().into_ptr();
        (*instance).function = function.clone().into_ptr();
        Ok(Bound::from_owned_ptr(py, instance.cast()).unbind())
    }
}

/// The call. Hot: everything up to the first `return` of a result is the closed path.
///
/// The function is called from here and from nowhere deeper: when the interpreter ends, it ends a daemon thread in the
/// middle of the function by unwinding its stack, which must not meet a frame of ours that catches or cleans up.
unsafe extern "C" fn vectorcall(
    this: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    nargsf: usize,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with the lock held and with a guard, whose fields stay as they were made for as
    // long as it lives, which the caller sees to; the arguments are handed on as they came.
    unsafe {
        let guard = &*this.cast::<Guard>();
        let function = guard.function;
        let call = match ffi::PyVectorcall_Function(function) {
            // Straight to the function, without the checks of a result that the interpreter will make of ours.
            Some(call) => call,
            None => ffi::PyObject_Vectorcall,
        };
        match begin(guard.breaker) {
            Beginning::Closed(fuse, word) => {
                let result = call(function, args, nargsf, kwnames);
                if !result.is_null() && plain(fuse, word, result) {
                    return result;
                }
                end_closed(guard.breaker, fuse, word, result)
            }
            Beginning::Held(held) => {
                let result = call(function, args, nargsf, kwnames);
                end_held(guard.breaker, held, result)
            }
            Beginning::Unguarded => call(function, args, nargsf, kwnames),
            Beginning::Rejected => ptr::null_mut(),
        }
    }
}

/// How a call begins. Plain values and owned pointers: nothing that is cleaned up if the thread ends in the call.
enum Beginning {
    /// The fuse is closed: an owned reference to it, and its word.
    Closed(*mut ffi::PyObject, Word),
    /// A permit, from `Box::into_raw`.
    Held(*mut Held),
    /// Our own fault, or the interpreter is going away: the call goes on as if there were no breaker.
    Unguarded,
    /// An exception is set.
    Rejected,
}

/// # Safety
/// The interpreter lock is held and `breaker` is a live breaker.
#[inline(always)]
unsafe fn begin(breaker: *mut ffi::PyObject) -> Beginning {
    // SAFETY: as the caller says.
    unsafe {
        let py = Python::assume_attached();
        let link = &Bound::ref_from_ptr(py, &breaker).cast_unchecked::<Breaker>().get().link;
        if let Some(fuse) = link.get(py) {
            let word = fuse.get().word();
            if word.is_closed() {
                return Beginning::Closed(fuse.into_ptr(), word);
            }
        }
        ask(breaker)
    }
}

/// Whether a result ends a closed call that changes nothing; then it is counted and the fuse's reference given back.
///
/// # Safety
/// The interpreter lock is held; `fuse` is an owned reference to a fuse; `result` is a live object.
#[inline(always)]
unsafe fn plain(fuse: *mut ffi::PyObject, word: Word, result: *mut ffi::PyObject) -> bool {
    // SAFETY: as the caller says.
    unsafe {
        let py = Python::assume_attached();
        let link = Bound::ref_from_ptr(py, &fuse).cast_unchecked::<Fuse>();
        let plain = !super::has_only_begun(Bound::ref_from_ptr(py, &result)) && link.get().plain_success(word);
        if plain {
            ffi::Py_DECREF(fuse);
        }
        plain
    }
}

/// Asks for a permit where the fuse is not known to be closed.
///
/// # Safety
/// As for [`begin`].
#[cold]
#[inline(never)]
unsafe fn ask(breaker: *mut ffi::PyObject) -> Beginning {
    // Attached already; this tells PyO3 so, which else would put off every release of a reference. It refuses when the
    // interpreter is going away.
    let beginning = Python::try_attach(|py| {
        // SAFETY: a live breaker, says the caller.
        let breaker = unsafe { Bound::from_borrowed_ptr(py, breaker).cast_into_unchecked::<Breaker>() };
        match admit(&breaker) {
            Ok(Some(held)) => Beginning::Held(Box::into_raw(Box::new(held))),
            Ok(None) => Beginning::Unguarded,
            Err(error) => {
                error.restore(py);
                Beginning::Rejected
            }
        }
    });
    beginning.unwrap_or(Beginning::Unguarded)
}

/// Settles a closed call that is not plain.
///
/// # Safety
/// As for [`begin`]; `fuse` is an owned reference to a fuse, `result` an owned reference or null with an exception set.
#[cold]
#[inline(never)]
unsafe fn end_closed(
    breaker: *mut ffi::PyObject,
    fuse: *mut ffi::PyObject,
    word: Word,
    result: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let ended = Python::try_attach(|py| {
        // SAFETY: an owned reference to a fuse, says the caller.
        let fuse = unsafe { Bound::from_owned_ptr(py, fuse).cast_into_unchecked::<Fuse>() };
        // SAFETY: as the caller says.
        unsafe { end(py, breaker, Held::closed(&fuse, word), result) }
    });
    ended.unwrap_or(result)
}

/// Settles a call that was given a permit.
///
/// # Safety
/// As for [`end_closed`]; `held` is from `Box::into_raw` and not used again.
#[cold]
#[inline(never)]
unsafe fn end_held(breaker: *mut ffi::PyObject, held: *mut Held, result: *mut ffi::PyObject) -> *mut ffi::PyObject {
    let ended = Python::try_attach(|py| {
        // SAFETY: the box is given up by the caller.
        let held = unsafe { Box::from_raw(held) };
        // SAFETY: as the caller says.
        unsafe { end(py, breaker, *held, result) }
    });
    ended.unwrap_or(result)
}

/// # Safety
/// `breaker` is a live breaker, `result` an owned reference or null with an exception set.
unsafe fn end(
    py: Python<'_>,
    breaker: *mut ffi::PyObject,
    held: Held,
    result: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as the caller says.
    let (breaker, result) = unsafe {
        let breaker = Bound::from_borrowed_ptr(py, breaker).cast_into_unchecked::<Breaker>();
        (breaker, Bound::from_owned_ptr_or_err(py, result))
    };
    match finish(&breaker, held, result) {
        Ok(value) => value.into_ptr(),
        Err(error) => {
            error.restore(py);
            ptr::null_mut()
        }
    }
}

/// As a method: bound to the instance it is looked up on; on the class, the guard itself.
unsafe extern "C" fn descr_get(
    this: *mut ffi::PyObject,
    instance: *mut ffi::PyObject,
    _class: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: both are live objects, or `instance` is null or None.
    unsafe {
        if instance.is_null() || instance == ffi::Py_None() {
            return ffi::Py_NewRef(this);
        }
        PyMethod_New(this, instance)
    }
}

unsafe extern "C" fn repr(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called with a guard; both fields are live objects and `%R` takes any.
    unsafe {
        let guard = &*this.cast::<Guard>();
        ffi::PyUnicode_FromFormat(c"<guarded %R by %R>".as_ptr(), guard.function, guard.breaker)
    }
}

/// Pickled by name, as functions are, so that a guarded function can be sent to a pool of processes.
unsafe extern "C" fn reduce(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called with a live object.
    unsafe { ffi::PyObject_GetAttrString(this, c"__qualname__".as_ptr()) }
}

unsafe extern "C" fn traverse(this: *mut ffi::PyObject, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: called by the collector with a guard; its fields are null or live.
    unsafe {
        let guard = &*this.cast::<Guard>();
        let class = ffi::Py_TYPE(this).cast();
        for object in [class, guard.breaker, guard.function, guard.dict] {
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
    // SAFETY: called by the collector with a guard that only garbage refers to. The attributes alone can close a cycle,
    // so the breaker and the function stay, and a guard that is called once more by other garbage still works.
    unsafe {
        let guard = &mut *this.cast::<Guard>();
        ffi::Py_XDECREF(std::mem::replace(&mut guard.dict, ptr::null_mut()));
    }
    0
}

unsafe extern "C" fn dealloc(this: *mut ffi::PyObject) {
    // SAFETY: called once, with a guard that nobody refers to.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        let class = ffi::Py_TYPE(this);
        let guard = &mut *this.cast::<Guard>();
        if !guard.weakrefs.is_null() {
            ffi::PyObject_ClearWeakRefs(this);
        }
        for object in [guard.breaker, guard.function, guard.dict] {
            ffi::Py_XDECREF(object);
        }
        ffi::PyObject_GC_Del(this.cast());
        // An instance of a heap type owns a reference to it.
        ffi::Py_DECREF(class.cast());
    }
}

fn guard_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    Ok(TYPE.get_or_try_init(py, || make_type(py))?.bind(py))
}

fn make_type(py: Python<'_>) -> PyResult<Py<PyType>> {
    let mut slots = slots();
    let flags = ffi::Py_TPFLAGS_DEFAULT
        | ffi::Py_TPFLAGS_HAVE_GC
        | ffi::Py_TPFLAGS_HAVE_VECTORCALL
        | ffi::Py_TPFLAGS_METHOD_DESCRIPTOR
        | ffi::Py_TPFLAGS_IMMUTABLETYPE
        | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    let mut spec = ffi::PyType_Spec {
        name: c"fuseboard._core.Guard".as_ptr(),
        basicsize: c_int::try_from(size_of::<Guard>()).expect("a small struct"),
        itemsize: 0,
        flags: u32::try_from(flags).expect("flags have 32 bits"),
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the slots' functions have the signatures their slots ask for, and all lists end with a zeroed entry. What the
    // type keeps pointers to lives for ever (see `slots`); the rest is copied.
    let class = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec)) }?;
    Ok(class.cast_into::<PyType>()?.unbind())
}

fn slots() -> [ffi::PyType_Slot; 10] {
    let slot = |slot, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    // The interpreter keeps pointers into these lists for as long as the type lives: for ever.
    [
        slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void),
        slot(ffi::Py_tp_descr_get, descr_get as *mut c_void),
        slot(ffi::Py_tp_repr, repr as *mut c_void),
        slot(ffi::Py_tp_traverse, traverse as *mut c_void),
        slot(ffi::Py_tp_clear, clear as *mut c_void),
        slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
        slot(ffi::Py_tp_members, Box::leak(Box::new(members())).as_mut_ptr().cast()),
        slot(ffi::Py_tp_methods, Box::leak(Box::new(methods())).as_mut_ptr().cast()),
        slot(ffi::Py_tp_getset, Box::leak(Box::new(attributes())).as_mut_ptr().cast()),
        slot(0, ptr::null_mut()),
    ]
}

fn members() -> [ffi::PyMemberDef; 4] {
    [
        offset_member(c"__vectorcalloffset__", offset_of!(Guard, vectorcall)),
        offset_member(c"__dictoffset__", offset_of!(Guard, dict)),
        offset_member(c"__weaklistoffset__", offset_of!(Guard, weakrefs)),
        ffi::PyMemberDef::default(),
    ]
}

fn methods() -> [ffi::PyMethodDef; 2] {
    let reduce = ffi::PyMethodDef {
        ml_name: c"__reduce__".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: reduce },
        ml_flags: ffi::METH_NOARGS,
        ml_doc: ptr::null(),
    };
    [reduce, ffi::PyMethodDef::zeroed()]
}

fn attributes() -> [ffi::PyGetSetDef; 2] {
    let dict = ffi::PyGetSetDef {
        name: c"__dict__".as_ptr(),
        get: Some(ffi::PyObject_GenericGetDict),
        set: Some(ffi::PyObject_GenericSetDict),
        ..ffi::PyGetSetDef::default()
    };
    [dict, ffi::PyGetSetDef::default()]
}

fn offset_member(name: &'static std::ffi::CStr, offset: usize) -> ffi::PyMemberDef {
    ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: offset.cast_signed(),
        flags: ffi::Py_READONLY,
        doc: ptr::null(),
    }
}
