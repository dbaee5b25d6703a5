//! The way from a Python function to the guard in its closure.
//!
//! For a plain function `@breaker` returns a real function, whose code calls the guard and does nothing else. From CPython
//! 3.12 on a function may have an entry of its own that does what its code does. So calls come straight here, with their
//! arguments as they came, and no frame is made. Some calls run the code nevertheless: in 3.13 those of a guarded
//! `__init__`, and in 3.11 all calls.
//!
//! The entry serves only the closed path. If the fuse is not known to be closed, the code runs: its parameters refuse wrong
//! arguments before the fuse is asked. The guard would reject such a call, or give it a probe's permit.
//!
//! If somebody changes the code or the defaults of the function or of the guarded one, the code would do something else
//! than the entry. Then the code runs.

use pyo3::prelude::*;
use pyo3::types::PyFunction;

/// Sends calls of a function straight to a guard while its fuse is closed, from CPython 3.12 on.
///
/// The function's code calls the guard, which is in the only cell of its closure, and does nothing else. ``is_exact``
/// says that the function has the same parameters as the guarded one; otherwise it takes any arguments. If somebody
/// changes its code or its defaults, its code runs instead.
///
/// Raises:
///     TypeError: ``front`` is not a function, or ``guard`` is not a guard that was just made.
#[pyfunction]
#[allow(unused_variables, reason = "before CPython 3.12 there is no entry to set")]
pub(crate) fn enter_directly(front: &Bound<'_, PyFunction>, guard: &Bound<'_, PyAny>, is_exact: bool) -> PyResult<()> {
    #[cfg(Py_3_12)]
    direct::set(front, guard, is_exact)?;
    Ok(())
}

#[cfg(Py_3_12)]
mod direct {
    use std::mem::transmute;
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering};

    use pyo3::exceptions::PyTypeError;
    use pyo3::ffi;
    use pyo3::prelude::*;
    use pyo3::types::PyFunction;

    use crate::breaker::class::Breaker;
    use crate::guard::callable::{begin, closed_call};
    use crate::guard::class::{Guard, guard_class};
    #[cfg(Py_GIL_DISABLED)]
    use crate::interpreter::hazard::Protected;

    unsafe extern "C" {
        // Part of CPython's API since 3.12, not declared by pyo3-ffi.
        fn PyFunction_SetVectorcall(function: *mut ffi::PyFunctionObject, vectorcall: ffi::vectorcallfunc);
    }

    /// A cell of a closure, as CPython lays it out (`PyCellObject`, which not every pyo3-ffi declares).
    #[repr(C)]
    struct Cell {
        base: ffi::PyObject,
        content: *mut ffi::PyObject,
    }

    /// The entry that functions have by themselves, which runs their code: the same for all of them.
    static BY_CODE: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());
    /// The type of guards, for a look that costs nothing.
    static GUARD: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

    pub(super) fn set(front: &Bound<'_, PyFunction>, guard: &Bound<'_, PyAny>, is_exact: bool) -> PyResult<()> {
        let class = guard_class(front.py());
        // SAFETY: both are live objects; the one is a function (PyO3 has looked), the other, once looked at, a guard whose
        // code nobody has set yet, and its breaker is one.
        unsafe {
            let function = front.as_ptr().cast::<ffi::PyFunctionObject>();
            let instance = guard.as_ptr().cast::<Guard>();
            if guard.get_type_ptr() != class || !(*instance).code.is_null() {
                return Err(PyTypeError::new_err("guard must be a fresh guard"));
            }
            if is_exact && ffi::PyFunction_Check((*instance).function) == 0 {
                return Err(PyTypeError::new_err("an exact function stands in front of a function"));
            }
            let Some(by_code) = (*function).vectorcall else { return Ok(()) };
            GUARD.store(class, Ordering::Relaxed);
            BY_CODE.store(by_code as *mut (), Ordering::Relaxed);
            (*instance).code = ffi::Py_NewRef((*function).func_code);
            (*instance).is_exact = is_exact;
            let breaker = Bound::from_borrowed_ptr(front.py(), (*instance).breaker).cast_into_unchecked::<Breaker>();
            PyFunction_SetVectorcall(
                function,
                if breaker.get().judges_results() { enter::<true> } else { enter::<false> },
            );
        }
        Ok(())
    }

    unsafe extern "C" fn enter<const JUDGED: bool>(
        this: *mut ffi::PyObject,
        args: *const *mut ffi::PyObject,
        nargsf: usize,
        kwnames: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        // SAFETY: the interpreter calls this with a function that `set` was given, which its caller keeps alive. The guard is
        // kept alive here: somebody may put another one into the cell meanwhile.
        unsafe {
            if let Some(found) = Found::of(this.cast()) {
                if let Some(closed) = begin((*found.guard).breaker) {
                    found.keep();
                    let result = closed_call::<JUDGED>(&*found.guard, closed, args, nargsf, kwnames);
                    found.give_back();
                    return result;
                }
                found.leave();
            }
            let by_code: ffi::vectorcallfunc = transmute(BY_CODE.load(Ordering::Relaxed));
            by_code(this, args, nargsf, kwnames)
        }
    }

    /// The guard that a function's code would call. With the interpreter lock it is kept alive by a reference, if it is to
    /// be kept; without it, by a hazard pointer from the moment when it was found ([`crate::interpreter::hazard`]).
    struct Found {
        guard: *mut Guard,
        #[cfg(Py_GIL_DISABLED)]
        protected: Protected,
    }

    #[cfg(not(Py_GIL_DISABLED))]
    impl Found {
        /// # Safety
        /// A cell, with the lock held.
        #[inline(always)]
        unsafe fn in_cell(cell: *mut Cell) -> Option<Self> {
            // SAFETY: what a cell contains is null or a live object.
            unsafe {
                let guard = (*cell).content;
                let is_guard = !guard.is_null() && ffi::Py_TYPE(guard) == GUARD.load(Ordering::Relaxed);
                is_guard.then_some(Self { guard: guard.cast() })
            }
        }

        #[inline(always)]
        unsafe fn keep(&self) {
            // SAFETY: nothing has run since it was found.
            unsafe { ffi::Py_INCREF(self.guard.cast()) };
        }

        #[inline(always)]
        unsafe fn give_back(&self) {
            // SAFETY: it was kept.
            unsafe { ffi::Py_DECREF(self.guard.cast()) };
        }

        #[inline(always)]
        #[allow(clippy::unused_self, reason = "there is something to do without the interpreter lock")]
        unsafe fn leave(&self) {}
    }

    #[cfg(Py_GIL_DISABLED)]
    impl Found {
        /// # Safety
        /// A cell. This thread is attached.
        #[inline(always)]
        unsafe fn in_cell(cell: *mut Cell) -> Option<Self> {
            // SAFETY: a cell's field is aligned, and changes by whole words.
            let place = unsafe { AtomicPtr::from_ptr(&raw mut (*cell).content) };
            let protected = Protected::of(place).ok().flatten()?;
            // A guard in a slot stays: whoever drops its last reference looks at the slots first. What is no guard may be
            // gone by now. But the memory of an object can be read until this thread detaches: the interpreter's own looks
            // into dicts and lists need that too (PEP 703). If the memory became a guard meanwhile, the last look tells
            // whether that is the one in the cell.
            // SAFETY: see above.
            let class = unsafe { AtomicPtr::from_ptr(&raw mut (*protected.object).ob_type) }.load(Ordering::Acquire);
            if class == GUARD.load(Ordering::Relaxed) && place.load(Ordering::SeqCst) == protected.object {
                return Some(Self { guard: protected.object.cast(), protected });
            }
            protected.give_back();
            None
        }

        #[inline(always)]
        #[allow(clippy::unused_self, reason = "there is something to do with the interpreter lock")]
        unsafe fn keep(&self) {}

        #[inline(always)]
        unsafe fn give_back(&self) {
            self.protected.give_back();
        }

        #[inline(always)]
        unsafe fn leave(&self) {
            self.protected.give_back();
        }
    }

    impl Found {
        /// The guard of a function, if to call it is all that the function's code would do.
        ///
        /// # Safety
        /// A live function that `set` was given. This thread is attached.
        #[inline(always)]
        unsafe fn of(front: *mut ffi::PyFunctionObject) -> Option<Self> {
            // SAFETY: a function's closure is null or a tuple of cells, as many as its code has free variables, whose number
            // cannot change: so there is one. An exact one guards a function (`set` has looked). Code and defaults are only
            // compared, never followed.
            unsafe {
                if (*front).func_closure.is_null() {
                    return None;
                }
                let cell = ffi::PyTuple_GET_ITEM((*front).func_closure, 0).cast::<Cell>();
                let found = Self::in_cell(cell)?;
                let guard = found.guard;
                let is_as_made = read(&raw mut (*front).func_code) == (*guard).code
                    && if (*guard).is_exact {
                        let function = (*guard).function.cast::<ffi::PyFunctionObject>();
                        read(&raw mut (*front).func_defaults) == read(&raw mut (*function).func_defaults)
                            && read(&raw mut (*front).func_kwdefaults) == read(&raw mut (*function).func_kwdefaults)
                    } else {
                        has_no_defaults(front)
                    };
                if is_as_made {
                    return Some(found);
                }
                found.leave();
                None
            }
        }
    }

    /// Whether nobody has given defaults to a function that takes anything. Out of the way of exact ones.
    ///
    /// # Safety
    /// A live function.
    #[cold]
    unsafe fn has_no_defaults(front: *mut ffi::PyFunctionObject) -> bool {
        // SAFETY: fields of a live object.
        unsafe { read(&raw mut (*front).func_defaults).is_null() && read(&raw mut (*front).func_kwdefaults).is_null() }
    }

    /// A field that another thread may just be setting.
    ///
    /// # Safety
    /// A field of a live object.
    #[inline(always)]
    unsafe fn read(field: *mut *mut ffi::PyObject) -> *mut ffi::PyObject {
        if cfg!(Py_GIL_DISABLED) {
            // SAFETY: an aligned word, says the caller.
            return unsafe { AtomicPtr::from_ptr(field) }.load(Ordering::Relaxed);
        }
        // With the interpreter lock nobody sets it now. The compiler compares a plain word where it lies: one instruction less.
        // SAFETY: as above.
        unsafe { *field }
    }
}
