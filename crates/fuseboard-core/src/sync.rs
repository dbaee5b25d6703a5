//! The only module that names an atomic type of a library's.
//!
//! Everything shared is an [`AtomicU64`] of this module: over the standard library's in a shipped build, over loom's
//! under `--cfg fuseboard_loom`, so the code that is model-checked is the code that is shipped. It is a type of our own
//! so that a linter can tell it from the library's, and so that every shared write of the protocol passes through here.

#[cfg(not(fuseboard_loom))]
#[allow(clippy::disallowed_types, reason = "the one place that chooses the type")]
type Inner = core::sync::atomic::AtomicU64;
#[cfg(fuseboard_loom)]
type Inner = loom::sync::atomic::AtomicU64;

pub use core::sync::atomic::Ordering;

#[cfg(fuseboard_loom)]
loom::lazy_static! {
    static ref STEPS: Inner = Inner::new(0);
}

/// Makes loom try every order of all accesses. Of the accesses to one word it remembers only the last, so a thread's
/// own load in front of its swap hides from it that other threads' loads may stand between the two. One word that every
/// access touches leaves nothing to hide; Relaxed, so that it orders nothing.
#[inline(always)]
fn step() {
    #[cfg(fuseboard_loom)]
    STEPS.fetch_add(0, Ordering::Relaxed);
}

#[cfg(not(fuseboard_crash))]
#[inline(always)]
const fn before_write() {}
#[cfg(fuseboard_crash)]
use crash::before_write;

/// Stopping an operation for good before any of its shared writes, for the tests of what a crash leaves (`--cfg
/// fuseboard_crash`). A panic stands for the death: what it unwinds through holds nothing shared.
#[cfg(fuseboard_crash)]
pub mod crash {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    thread_local! {
        static WRITES_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    struct Died;

    pub(super) fn before_write() {
        match WRITES_LEFT.get() {
            Some(0) => resume_unwind(Box::new(Died)),
            left => WRITES_LEFT.set(left.map(|left| left - 1)),
        }
    }

    /// Runs `operation` until it is about to make its shared write number `writes` (from 0) and abandons it there;
    /// whether it got that far. Otherwise it has run to its end.
    pub fn abandon_after(writes: u32, operation: impl FnOnce()) -> bool {
        WRITES_LEFT.set(Some(writes));
        let end = catch_unwind(AssertUnwindSafe(operation));
        WRITES_LEFT.set(None);
        match end {
            Ok(()) => false,
            Err(cause) if cause.is::<Died>() => true,
            Err(cause) => resume_unwind(cause),
        }
    }
}

/// A shared 64-bit word. In memory it is exactly that; any bits are valid.
#[repr(transparent)]
#[derive(Debug)]
pub struct AtomicU64(Inner);

impl AtomicU64 {
    /// A word with a value.
    #[must_use]
    pub fn new(value: u64) -> Self {
        Self(Inner::new(value))
    }

    /// Reads the word.
    #[must_use]
    #[inline(always)]
    pub fn load(&self, order: Ordering) -> u64 {
        step();
        self.0.load(order)
    }

    /// Writes the word.
    #[inline(always)]
    pub fn store(&self, value: u64, order: Ordering) {
        before_write();
        step();
        self.0.store(value, order);
    }

    /// Writes the word and returns what stood there.
    #[inline(always)]
    pub fn swap(&self, value: u64, order: Ordering) -> u64 {
        before_write();
        step();
        self.0.swap(value, order)
    }

    /// Adds to the word, wrapping, and returns what stood there.
    #[inline(always)]
    pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        before_write();
        step();
        self.0.fetch_add(value, order)
    }

    /// Writes `value` where less stands, and returns what stood there.
    #[inline(always)]
    pub fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
        before_write();
        step();
        self.0.fetch_max(value, order)
    }

    /// Writes 0 if what was read stands there still, and `may` says, behind the reading, that it may be taken away.
    pub(crate) fn clear_if(&self, may: impl FnOnce() -> bool) {
        let seen = self.load(Ordering::Acquire);
        if seen != 0 && may() {
            _ = self.compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Writes `new` where `current` stands.
    ///
    /// # Errors
    /// What stands there, if it is something else.
    #[inline(always)]
    pub fn compare_exchange(&self, current: u64, new: u64, success: Ordering, failure: Ordering) -> Result<u64, u64> {
        before_write();
        step();
        self.0.compare_exchange(current, new, success, failure)
    }
}
