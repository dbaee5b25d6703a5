//! How a place for a reference is read while another thread may replace what is in it.
//!
//! With the interpreter lock, nobody replaces it while another thread reads it. Without it, a reader says by a hazard pointer
//! what it is about to use ([`crate::interpreter::hazard`]).

pub(crate) use imp::{Kept, briefly, lane, replace};

#[cfg(not(Py_GIL_DISABLED))]
mod imp {
    use std::sync::atomic::{AtomicPtr, Ordering};

    use pyo3::ffi;
    use pyo3::prelude::*;

    /// A number that few other threads have that run at this instant: with the interpreter lock, one thread runs.
    #[inline(always)]
    pub(crate) const fn lane() -> usize {
        0
    }

    /// Looks at what a place has, or at null. No Python code may run meanwhile.
    #[inline(always)]
    pub(crate) fn briefly<R>(place: &AtomicPtr<ffi::PyObject>, look: impl FnOnce(*mut ffi::PyObject) -> R) -> R {
        look(place.load(Ordering::Relaxed))
    }

    /// Puts an object or null into a place, and gives back the reference that was there.
    ///
    /// # Safety
    /// The place owns its reference, and takes over that of `next`. The thread is attached.
    pub(crate) unsafe fn replace(place: &AtomicPtr<ffi::PyObject>, next: *mut ffi::PyObject) {
        // SAFETY: as the caller says.
        unsafe { ffi::Py_XDECREF(place.swap(next, Ordering::Relaxed)) };
    }

    /// What a place had, kept alive for the length of a call: an owned reference. It has no destructor that would run if the
    /// thread ends in the call; [`Self::give_back`] or [`Self::into_bound`] must be called, by the same thread.
    pub(crate) struct Kept(*mut ffi::PyObject);

    impl Kept {
        /// # Safety
        /// A place that owns its reference. The thread is attached.
        #[inline(always)]
        pub(crate) unsafe fn of(place: &AtomicPtr<ffi::PyObject>) -> Option<Self> {
            let object = place.load(Ordering::Relaxed);
            if object.is_null() {
                return None;
            }
            // SAFETY: as the caller says.
            unsafe { ffi::Py_INCREF(object) };
            Some(Self(object))
        }

        /// The object, which lives until it is given back.
        #[inline(always)]
        pub(crate) const fn object(&self) -> *mut ffi::PyObject {
            self.0
        }

        /// Lets go of the object.
        ///
        /// # Safety
        /// Called once, by the thread that has kept it, while it is attached.
        #[inline(always)]
        pub(crate) unsafe fn give_back(&self) {
            // SAFETY: as the caller says.
            unsafe { ffi::Py_DECREF(self.0) };
        }

        /// The object, as the caller's own reference.
        ///
        /// # Safety
        /// As for [`Self::give_back`], instead of it.
        pub(crate) unsafe fn into_bound(self, py: Python<'_>) -> Bound<'_, PyAny> {
            // SAFETY: as the caller says.
            unsafe { Bound::from_owned_ptr(py, self.0) }
        }
    }
}

#[cfg(Py_GIL_DISABLED)]
mod imp {
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering};

    use pyo3::ffi;
    use pyo3::prelude::*;

    use crate::interpreter::hazard::{Protected, Record, retire};

    #[inline(always)]
    pub(crate) fn lane() -> usize {
        Record::mine().lane
    }

    #[inline(always)]
    pub(crate) fn briefly<R>(place: &AtomicPtr<ffi::PyObject>, look: impl FnOnce(*mut ffi::PyObject) -> R) -> R {
        let Some(protected) = Protected::briefly(place) else { return look(ptr::null_mut()) };
        let result = look(protected.object);
        protected.give_back();
        result
    }

    pub(crate) unsafe fn replace(place: &AtomicPtr<ffi::PyObject>, next: *mut ffi::PyObject) {
        unsafe fn drop_reference(object: *mut ffi::PyObject) {
            // SAFETY: the place owned it.
            unsafe { ffi::Py_DECREF(object) };
        }
        let before = place.swap(next, Ordering::SeqCst);
        if !before.is_null() {
            // SAFETY: the place no longer has it, and the thread is attached, says the caller.
            unsafe { retire(before, drop_reference) };
        }
    }

    /// What a place had, kept alive for the length of a call, in a slot of the thread: so threads that call at the same time
    /// write nothing that they share. Where no slot is free it is an owned reference.
    pub(crate) struct Kept {
        object: *mut ffi::PyObject,
        protected: Option<Protected>,
    }

    impl Kept {
        #[inline(always)]
        pub(crate) unsafe fn of(place: &AtomicPtr<ffi::PyObject>) -> Option<Self> {
            match Protected::of(place) {
                Ok(protected) => {
                    protected.map(|protected| Self { object: protected.object, protected: Some(protected) })
                }
                // SAFETY: as the caller says.
                Err(_) => unsafe { Self::counted(place) },
            }
        }

        #[cold]
        #[inline(never)]
        unsafe fn counted(place: &AtomicPtr<ffi::PyObject>) -> Option<Self> {
            // SAFETY: null, or alive because it is protected meanwhile.
            let object = briefly(place, |object| unsafe { ffi::Py_XNewRef(object) });
            (!object.is_null()).then_some(Self { object, protected: None })
        }

        #[inline(always)]
        pub(crate) const fn object(&self) -> *mut ffi::PyObject {
            self.object
        }

        #[inline(always)]
        pub(crate) unsafe fn give_back(&self) {
            match self.protected {
                Some(protected) => protected.give_back(),
                // SAFETY: an owned reference; the caller says the rest.
                None => unsafe { ffi::Py_DECREF(self.object) },
            }
        }

        pub(crate) unsafe fn into_bound(self, py: Python<'_>) -> Bound<'_, PyAny> {
            // SAFETY: alive until it is given back.
            unsafe {
                let object = Bound::from_borrowed_ptr(py, self.object);
                self.give_back();
                object
            }
        }
    }
}
