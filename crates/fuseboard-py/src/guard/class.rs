//! The type `fuseboard._core.Guard`: what the interpreter asks of it besides calls.

use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::interpreter::at_import::AtImport;
use crate::interpreter::types::{free_instance, make_type, offset_member, slot, visit_instance};

/// An instance, laid out for the interpreter. All but the last two is set before anybody sees it, these once by `entry`.
#[repr(C)]
pub(super) struct Guard {
    base: ffi::PyObject,
    pub(super) vectorcall: ffi::vectorcallfunc,
    pub(super) breaker: *mut ffi::PyObject,
    pub(super) function: *mut ffi::PyObject,
    /// What a rejected call gets, or null for the rejection.
    pub(super) fallback: *mut ffi::PyObject,
    /// The code of the Python function in front of it whose calls come straight here, or null.
    pub(super) code: *mut ffi::PyObject,
    /// Whether that function has the parameters of the guarded one, and so its defaults.
    pub(super) is_exact: bool,
}

impl Guard {
    /// What it refers to: owned references, or null.
    const fn references(&self) -> [*mut ffi::PyObject; 4] {
        [self.breaker, self.function, self.fallback, self.code]
    }
}

unsafe extern "C" fn repr(this: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called with a guard; both fields are live objects and `%R` takes any.
    unsafe {
        let guard = &*this.cast::<Guard>();
        ffi::PyUnicode_FromFormat(c"<guard of %R by %R>".as_ptr(), guard.function, guard.breaker)
    }
}

/// Pickled by value, beside a function that is: as the breaker, the function and the fallback that it is made of.
unsafe extern "C" fn reduce(this: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called with a guard; its fields are live objects, or null for no fallback.
    unsafe {
        let guard = &*this.cast::<Guard>();
        let make = GUARD.get(Python::assume_attached()).make.as_ptr();
        let fallback = if guard.fallback.is_null() { ffi::Py_None() } else { guard.fallback };
        ffi::Py_BuildValue(c"O(OOO)".as_ptr(), make, guard.breaker, guard.function, fallback)
    }
}

unsafe extern "C" fn traverse(this: *mut ffi::PyObject, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: called by the collector with a guard; its fields are null or live.
    unsafe { visit_instance(this, (*this.cast::<Guard>()).references(), visit, arg) }
}

unsafe extern "C" fn clear(_: *mut ffi::PyObject) -> c_int {
    // Nothing: a guard that is called once more by other garbage still works. A cycle through it goes through the function
    // in front of it, the guarded one or the breaker, and these let go of what they refer to.
    0
}

unsafe extern "C" fn dealloc(this: *mut ffi::PyObject) {
    // SAFETY: called once, with a guard that nobody refers to.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        // Another thread may just have found it in a closure (`entry`).
        #[cfg(Py_GIL_DISABLED)]
        if !(*this.cast::<Guard>()).code.is_null() {
            return crate::interpreter::hazard::retire(this, free);
        }
        free(this);
    }
}

/// # Safety
/// Called once, with a guard that nobody refers to, and that the collector does not know any more.
unsafe fn free(this: *mut ffi::PyObject) {
    // SAFETY: as the caller says.
    unsafe { free_instance(this, (*this.cast::<Guard>()).references()) }
}

static GUARD: AtImport<GuardClass> = AtImport::new();

struct GuardClass {
    class: Py<PyType>,
    /// The module's function that makes a guard.
    make: Py<PyAny>,
}

/// Makes the type. Called by the module's init. `make` is the module's function that makes a guard.
pub(crate) fn make(py: Python<'_>, make: Py<PyAny>) -> PyResult<()> {
    let flags = ffi::Py_TPFLAGS_HAVE_GC | ffi::Py_TPFLAGS_HAVE_VECTORCALL;
    let class = make_type(py, c"fuseboard._core.Guard", size_of::<Guard>(), flags, &mut slots())?;
    GUARD.set(py, GuardClass { class, make });
    Ok(())
}

pub(super) fn guard_class(py: Python<'_>) -> *mut ffi::PyTypeObject {
    GUARD.get(py).class.bind(py).as_type_ptr()
}

fn slots() -> [ffi::PyType_Slot; 8] {
    // The interpreter keeps pointers into these lists for as long as the type lives: for ever.
    [
        slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void),
        slot(ffi::Py_tp_repr, repr as *mut c_void),
        slot(ffi::Py_tp_traverse, traverse as *mut c_void),
        slot(ffi::Py_tp_clear, clear as *mut c_void),
        slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
        slot(ffi::Py_tp_members, Box::leak(Box::new(members())).as_mut_ptr().cast()),
        slot(ffi::Py_tp_methods, Box::leak(Box::new(methods())).as_mut_ptr().cast()),
        slot(0, ptr::null_mut()),
    ]
}

fn members() -> [ffi::PyMemberDef; 2] {
    [offset_member(c"__vectorcalloffset__", offset_of!(Guard, vectorcall)), ffi::PyMemberDef::default()]
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
