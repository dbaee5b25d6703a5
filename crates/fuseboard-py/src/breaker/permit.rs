//! `Permit`: the right to make one call, as a Python object.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::prelude::*;

use crate::table::fuse::{FastSuccess, Fuse, PermitInner};

// No freelist: PyO3 makes one when it is first needed, under a lock that a forked child may find taken.
/// The right to make one call.
#[pyclass(frozen, weakref, module = "fuseboard._core")]
pub struct Permit {
    /// None where the call goes on unguarded.
    inner: Option<PermitInner>,
    settled: AtomicBool,
    /// The address of the generator's frame that runs the call; 0 for none. See [`crate::breaker::nesting`].
    pub(crate) generator: AtomicUsize,
}

impl Permit {
    pub(crate) fn new(inner: Option<PermitInner>) -> Self {
        Self { inner, settled: AtomicBool::new(false), generator: AtomicUsize::new(0) }
    }

    /// Whether one such permit may serve many calls.
    pub(crate) fn serves_many(&self) -> bool {
        self.inner.as_ref().is_some_and(PermitInner::serves_many)
    }

    /// Whether its call is a probe, or passed a ramp.
    pub(crate) fn tests_the_fuse(&self) -> bool {
        self.inner.as_ref().is_some_and(PermitInner::tests_the_fuse)
    }

    /// Whether its call is still to end in this process, and its outcome will count then.
    pub(crate) fn is_under_way(&self) -> bool {
        !self.is_settled() && self.inner.as_ref().is_some_and(PermitInner::is_valid)
    }

    /// Whether it is of this fuse, whichever breaker asked for it.
    pub(crate) fn is_of(&self, fuse: &Fuse) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.is_of(fuse))
    }

    /// Whether it is a closed permit that this fuse would give now.
    #[inline(always)]
    pub(crate) fn admits(&self, fuse: &Fuse) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.admits(fuse))
    }

    /// Counts a success that changes nothing else, of a call that found the fuse closed; whether it was one. If not, the
    /// permit is still to be settled.
    #[inline(always)]
    pub(crate) fn fast_success(&self) -> bool {
        let Some(inner) = &self.inner else { return false };
        let counted = inner.fast_success(|| self.is_settled());
        if counted == FastSuccess::OfOne {
            self.settled.store(true, Ordering::Relaxed);
        }
        counted != FastSuccess::No
    }

    /// The permit's one outcome is the first caller's. A permit that serves many calls has one for each.
    pub(crate) fn take(&self) -> Option<&PermitInner> {
        (self.serves_many() || !self.settled.swap(true, Ordering::Relaxed)).then_some(self.inner.as_ref()).flatten()
    }
}

impl Drop for Permit {
    /// Nobody settled it: Ctrl-C came just after it was given, or its owner was thrown away. Its lease goes back.
    fn drop(&mut self) {
        self.cancel();
    }
}

#[pymethods]
impl Permit {
    /// Gives the permit back, unless it was settled. Nothing is counted.
    fn cancel(&self) {
        if let Some(inner) = self.take()
            && !inner.is_closed()
        {
            inner.cancel();
        }
    }

    /// Whether it was settled; False for a permit that many calls of a closed fuse share.
    #[getter]
    fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Relaxed)
    }

    /// Stops the clock by which a rate of slow calls judges the call. The first stop counts.
    fn stop_clock(&self) {
        if let Some(inner) = &self.inner {
            inner.stop_clock();
        }
    }

    /// Whether the call is a probe.
    #[getter]
    fn is_probe(&self) -> bool {
        self.inner.as_ref().is_some_and(PermitInner::is_probe)
    }
}
