//! Types that are made by hand, for what PyO3's classes cannot do: calls by vectorcall, and descriptors.

use std::ffi::{CStr, c_int, c_ulong, c_void};
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// A type that Python code can neither change nor make instances of.
pub(crate) fn make_type(
    py: Python<'_>,
    name: &'static CStr,
    size: usize,
    more_flags: c_ulong,
    slots: &mut [ffi::PyType_Slot],
) -> PyResult<Py<PyType>> {
    let flags =
        ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_IMMUTABLETYPE | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION | more_flags;
    let mut spec = ffi::PyType_Spec {
        name: name.as_ptr(),
        basicsize: c_int::try_from(size).expect("a small struct"),
        itemsize: 0,
        flags: u32::try_from(flags).expect("flags have 32 bits"),
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the slots' functions have the signatures their slots ask for, and all lists end with a zeroed entry. What the
    // type keeps pointers to lives for ever (see where they are made); the rest is copied.
    let class = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec)) }?;
    Ok(class.cast_into::<PyType>()?.unbind())
}

pub(crate) const fn slot(slot: c_int, pfunc: *mut c_void) -> ffi::PyType_Slot {
    ffi::PyType_Slot { slot, pfunc }
}

pub(crate) fn offset_member(name: &'static CStr, offset: usize) -> ffi::PyMemberDef {
    ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: offset.cast_signed(),
        flags: ffi::Py_READONLY,
        doc: ptr::null(),
    }
}

/// Shows the garbage collector an instance's type, and what the instance refers to: null or live objects.
///
/// # Safety
/// Called in a type's `tp_traverse`, with its arguments.
#[inline(always)]
pub(crate) unsafe fn visit_instance<const N: usize>(
    this: *mut ffi::PyObject,
    references: [*mut ffi::PyObject; N],
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: as the caller says.
    unsafe {
        let class = ffi::Py_TYPE(this).cast();
        for object in [class].into_iter().chain(references).filter(|object| !object.is_null()) {
            let stop = visit(object, arg);
            if stop != 0 {
                return stop;
            }
        }
        0
    }
}

/// Gives back what an instance refers to (owned references, or null), and its memory.
///
/// # Safety
/// Nobody refers to the instance, and the collector does not know it any more. The thread is attached.
#[inline(always)]
pub(crate) unsafe fn free_instance<const N: usize>(this: *mut ffi::PyObject, references: [*mut ffi::PyObject; N]) {
    // SAFETY: as the caller says.
    unsafe {
        let class = ffi::Py_TYPE(this);
        for object in references {
            ffi::Py_XDECREF(object);
        }
        ffi::PyObject_GC_Del(this.cast());
        // An instance of a heap type owns a reference to it.
        ffi::Py_DECREF(class.cast());
    }
}
