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

/// The call. Hot: everything up to the first `return` is the closed path.
unsafe extern "C" fn vectorcall(
    this: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    nargsf: usize,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls this with the lock held and with a guard, whose fields stay as they were made for as
    // long as it lives, which the caller sees to; the arguments are handed on as they came.
    unsafe {
        let py = Python::assume_attached();
        let guard = &*this.cast::<Guard>();
        let call = || match ffi::PyVectorcall_Function(guard.function) {
            // Straight to the function, without the checks of a result that the interpreter will make of ours.
            Some(function) => function(guard.function, args, nargsf, kwnames),
            None => ffi::PyObject_Vectorcall(guard.function, args, nargsf, kwnames),
        };
        let breaker = Bound::ref_from_ptr(py, &guard.breaker).cast_unchecked::<Breaker>();
        let Some(fuse) = breaker.get().link.get(py) else { return slow(guard.breaker, None, call) };
        let word = fuse.get().word();
        if !word.is_closed() {
            return slow(guard.breaker, None, call);
        }
        let result = call();
        if !result.is_null() {
            let value = Bound::ref_from_ptr(py, &result);
            if !super::has_only_begun(value) && fuse.get().plain_success(word) {
                return result;
            }
        }
        slow(guard.breaker, Some((fuse, word)), || result)
    }
}

/// Everything but the closed path: asks for a permit if the call was not `admitted` yet, calls, settles.
///
/// # Safety
/// `breaker` is a live breaker, and `call` returns a new reference, or null with an exception set.
#[cold]
#[inline(never)]
unsafe fn slow(
    breaker: *mut ffi::PyObject,
    admitted: Option<(Bound<'_, Fuse>, Word)>,
    call: impl FnOnce() -> *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // Attached already; this tells PyO3 so, which else would put off every release of a reference.
    Python::attach(|py| {
        // SAFETY: a live breaker, says the caller.
        let breaker = unsafe { Bound::from_borrowed_ptr(py, breaker).cast_into_unchecked::<Breaker>() };
        let held = match admitted {
            Some((fuse, word)) => Ok(Some(Held::closed(&fuse, word))),
            None => admit(&breaker),
        };
        let result = held.and_then(|held| {
            // SAFETY: an owned reference, or null with an exception set, says the caller.
            finish(&breaker, held, unsafe { Bound::from_owned_ptr_or_err(py, call()) })
        });
        match result {
            Ok(value) => value.into_ptr(),
            Err(error) => {
                error.restore(py);
                ptr::null_mut()
            }
        }
    })
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
        | ffi::Py_TPFLAGS_IMMUTABLETYPE;
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
