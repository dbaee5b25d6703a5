//! `Breaker`: what is kept for a breaker. Its methods are in [`crate::breaker::methods`].

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::breaker::permit::Permit;
use crate::breaker::verdict::Meanings;
use crate::interpreter::left::Left;
use crate::interpreter::link::Link;
use crate::table::fuse::Fuse;

// What a closed call needs comes first, beside the object's count of references.
/// Admits calls and settles them.
///
/// What a breaker leaves to the package, such as what an exception means, it asks what was handed in by ``install``.
/// Faults of that go to ``Package.report``, and never reach a breaker's caller.
#[pyclass(frozen, subclass, weakref, module = "fuseboard._core")]
#[repr(C)]
#[derive(Default)]
pub struct Breaker {
    /// The fuse that calls go by.
    pub(crate) link: Link<Fuse>,
    /// The permit of the last call that found the fuse closed. Such permits differ only by fuse and generation, so one
    /// serves many calls.
    pub(crate) closed: Link<Permit>,
    /// A block of which one method has been looked up, and the other is about to be.
    pub(crate) block: Left,
    judges_results: AtomicBool,
    /// The fuse as code that only looks has found it. Calls begin with a link of their own, and say by which settings.
    looked_at: Link<Fuse>,
    /// Whether nobody is rejected.
    pub(crate) is_shadow: AtomicBool,
    /// The classes of its rejections, by an open fuse and by an isolated one, where they are not ours.
    pub(crate) errors: Link<PyTuple>,
    /// What the classes of the latest exceptions mean.
    pub(crate) meanings: Meanings,
}

impl Breaker {
    /// The fuse that calls go by, or else the one that code has looked at.
    pub(crate) fn known<'py>(&self, py: Python<'py>) -> Option<Bound<'py, Fuse>> {
        self.link.get(py).or_else(|| self.looked_at.get(py))
    }

    /// Makes calls go by this fuse; by None, by whatever is found at the next call.
    pub(crate) fn link_to(&self, py: Python<'_>, fuse: Option<Bound<'_, Fuse>>) {
        self.looked_at.set(py, None);
        self.link.set(py, fuse);
        self.closed.set(py, None);
    }

    pub(crate) fn look_at(&self, fuse: Bound<'_, Fuse>) {
        self.looked_at.set(fuse.py(), Some(fuse));
    }

    /// Lets go of a fuse whose name is to be looked up again, unless the breaker has another one already.
    pub(crate) fn unlink(&self, fuse: &Bound<'_, Fuse>) {
        let py = fuse.py();
        if self.link.get(py).is_some_and(|linked| linked.is(fuse)) {
            self.link.set(py, None);
            self.closed.set(py, None);
        }
        if self.looked_at.get(py).is_some_and(|looked_at| looked_at.is(fuse)) {
            self.looked_at.set(py, None);
        }
    }

    pub(crate) fn judge_results(&self) {
        self.judges_results.store(true, Ordering::Relaxed);
    }

    /// Whether results are asked about too (`failure_if`).
    pub(crate) fn judges_results(&self) -> bool {
        self.judges_results.load(Ordering::Relaxed)
    }
}
