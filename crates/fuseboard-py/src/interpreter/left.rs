//! What one look-up of a thread leaves for its next one.

use std::cell::Cell;
use std::ptr;

use pyo3::ffi;

/// An object that a thread leaves for its own next look-up. Other code may run between the two, so each thread has a place
/// of its own, which keeps the object alive. With the interpreter lock, a thread that ends leaks what is left there.
#[derive(Default)]
pub struct OwnedLeft;

impl OwnedLeft {
    /// Leaves an object, in place of the one before.
    ///
    /// # Safety
    /// A live object, or null. The thread is attached.
    #[inline(always)]
    pub(crate) unsafe fn leave(&self, object: *mut ffi::PyObject) {
        // SAFETY: as the caller says; what was left before is an owned reference.
        unsafe { ffi::Py_XDECREF(in_place(|place| place.replace(ffi::Py_XNewRef(object)))) };
    }

    /// Takes what this thread has left last, as an owned reference, or null.
    #[inline(always)]
    pub(crate) fn take(&self) -> *mut ffi::PyObject {
        in_place(|place| place.replace(ptr::null_mut()))
    }

    /// Takes the object back, if this thread has left it.
    ///
    /// # Safety
    /// A live object, of which the caller has a reference. The thread is attached.
    #[inline(always)]
    pub(crate) unsafe fn forget(&self, object: *mut ffi::PyObject) {
        if in_place(Cell::get) == object {
            in_place(|place| place.set(ptr::null_mut()));
            // SAFETY: the place owned this reference; the caller has another one.
            unsafe { ffi::Py_DECREF(object) };
        }
    }
}

pub(crate) use imp::Left;
use imp::in_place;

#[cfg(not(Py_GIL_DISABLED))]
mod imp {
    use std::cell::Cell;
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering};

    use pyo3::ffi;

    thread_local! {
        /// An owned reference, or null.
        static PLACE: Cell<*mut ffi::PyObject> = const { Cell::new(ptr::null_mut()) };
    }

    #[inline(always)]
    pub(super) fn in_place<R>(look: impl FnOnce(&Cell<*mut ffi::PyObject>) -> R) -> R {
        PLACE.with(look)
    }

    /// The same for two look-ups with nothing in between. The interpreter lock keeps other threads out, so the place lies in
    /// its owner, and being left does not keep the object alive.
    #[derive(Default)]
    pub struct Left(AtomicPtr<ffi::PyObject>);

    impl Left {
        /// Leaves an object, in place of the one before. The object must call [`Self::forget`] before it goes.
        ///
        /// # Safety
        /// A live object, or null.
        #[inline(always)]
        pub(crate) unsafe fn leave(&self, object: *mut ffi::PyObject) {
            self.0.store(object, Ordering::Relaxed);
        }

        /// Takes what was left last, as an owned reference, or null. Nobody else gets it.
        #[inline(always)]
        pub(crate) fn take(&self) -> *mut ffi::PyObject {
            let object = self.0.swap(ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: null, or alive: it would have called `forget` otherwise.
            unsafe { ffi::Py_XNewRef(object) }
        }

        /// Takes the object back, if it is still left here.
        ///
        /// # Safety
        /// A live object, of which the caller has a reference, or which is going away.
        #[inline(always)]
        pub(crate) unsafe fn forget(&self, object: *mut ffi::PyObject) {
            _ = self.0.compare_exchange(object, ptr::null_mut(), Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

#[cfg(Py_GIL_DISABLED)]
mod imp {
    use std::cell::Cell;

    use pyo3::ffi;

    use crate::interpreter::hazard::Record;

    #[inline(always)]
    pub(super) fn in_place<R>(look: impl FnOnce(&Cell<*mut ffi::PyObject>) -> R) -> R {
        look(&Record::mine().left)
    }

    /// Other threads come in between.
    pub(crate) type Left = super::OwnedLeft;
}
