//! What one look-up of a thread leaves for its next one.

use pyo3::ffi;

/// An object that is left for the next caller. Nothing runs between the two look-ups.
///
/// With the interpreter lock it lies in its owner, and being left does not keep it alive: no other thread comes in between.
/// Without it, other threads do, so each thread has a place of its own, which owns a reference.
#[derive(Default)]
pub struct Left(#[cfg(not(Py_GIL_DISABLED))] std::sync::atomic::AtomicPtr<ffi::PyObject>);

/// The same without an owner, and with Python code between the two look-ups. So each thread has a place of its own, which
/// keeps the object alive. A thread that ends leaks what is left there.
#[cfg(not(Py_GIL_DISABLED))]
pub(crate) struct OwnedLeft;
#[cfg(Py_GIL_DISABLED)]
pub(crate) type OwnedLeft = Left;

#[cfg(not(Py_GIL_DISABLED))]
mod with_the_lock {
    use std::cell::Cell;
    use std::ptr;
    use std::sync::atomic::Ordering;

    use super::{Left, OwnedLeft, ffi};

    thread_local! {
        /// An owned reference, or null.
        static PLACE: Cell<*mut ffi::PyObject> = const { Cell::new(ptr::null_mut()) };
    }

    impl OwnedLeft {
        pub(crate) const fn new() -> Self {
            Self
        }

        /// Leaves an object, in place of the one before.
        ///
        /// # Safety
        /// A live object, or null. The thread is attached.
        pub(crate) unsafe fn leave(&self, object: *mut ffi::PyObject) {
            // SAFETY: as the caller says; what was left before is an owned reference.
            unsafe { ffi::Py_XDECREF(PLACE.replace(ffi::Py_XNewRef(object))) };
        }

        /// Takes what this thread has left last, as an owned reference, or null.
        pub(crate) fn take(&self) -> *mut ffi::PyObject {
            PLACE.replace(ptr::null_mut())
        }

        /// Takes the object back, if this thread has left it.
        ///
        /// # Safety
        /// A live object, of which the caller has a reference. The thread is attached.
        pub(crate) unsafe fn forget(&self, object: *mut ffi::PyObject) {
            if PLACE.get() == object {
                PLACE.set(ptr::null_mut());
                // SAFETY: the place owned this reference; the caller has another one.
                unsafe { ffi::Py_DECREF(object) };
            }
        }
    }

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
mod without {
    use std::ptr;

    use super::{Left, ffi};
    use crate::interpreter::hazard::Record;

    impl Left {
        pub(crate) const fn new() -> Self {
            Self()
        }

        /// Leaves an object, in place of the one before.
        ///
        /// # Safety
        /// A live object, or null. The thread is attached.
        #[inline(always)]
        pub(crate) unsafe fn leave(&self, object: *mut ffi::PyObject) {
            // SAFETY: as the caller says; what was left before is an owned reference.
            unsafe { ffi::Py_XDECREF(Record::mine().left.replace(ffi::Py_XNewRef(object))) };
        }

        /// Takes what this thread has left last, as an owned reference, or null.
        #[inline(always)]
        pub(crate) fn take(&self) -> *mut ffi::PyObject {
            Record::mine().left.replace(ptr::null_mut())
        }

        /// Takes the object back, if this thread has left it.
        ///
        /// # Safety
        /// A live object, of which the caller has a reference. The thread is attached.
        #[inline(always)]
        pub(crate) unsafe fn forget(&self, object: *mut ffi::PyObject) {
            let left = &Record::mine().left;
            if left.get() == object {
                left.set(ptr::null_mut());
                // SAFETY: the place owned this reference; the caller has another one.
                unsafe { ffi::Py_DECREF(object) };
            }
        }
    }
}
