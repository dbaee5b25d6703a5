//! Who this process is, without pids (rule T01): a random token, fresh after fork.
//!
//! The token marks the permits a process took, so that a forked child cannot use its parent's, and it chooses the line of
//! counters the process adds to, so that workers forked from one parent do not share one.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use fuseboard_core::counters::STRIPES;

static TOKEN: AtomicUsize = AtomicUsize::new(0);
static REGISTER: Once = Once::new();

/// A random word from the operating system.
///
/// # Panics
/// If the operating system has no randomness to give, which no supported one does after its start.
#[must_use]
pub fn random_u64() -> u64 {
    getrandom::u64().expect("the operating system gives random bytes")
}

extern "C" fn renew() {
    // Runs in a forked child between fork and whatever comes next, perhaps forked from a process with many threads: so
    // no lock and no allocation, and no panic either. Without randomness the address of a local and the parent's token
    // still make another token.
    let local = 0_u8;
    let token = getrandom::u64().map_or_else(|_| (&raw const local).addr() ^ token().rotate_left(17), |r| r as usize);
    TOKEN.store(token, Ordering::Relaxed);
}

/// Makes this process's token and sees to it that children make their own. Called when a store is opened.
pub(crate) fn register() {
    REGISTER.call_once(|| {
        renew();
        // SAFETY: `renew` is an `extern "C" fn()` that lives as long as the process (Python never unloads an extension
        // module) and does nothing that is forbidden in a child forked from a process with threads.
        let refused = unsafe { libc::pthread_atfork(None, None, Some(renew)) };
        // Refused only for want of memory; then children keep their parent's token, which costs speed and the guard
        // against a child that finishes its parent's probe.
        debug_assert_eq!(0, refused);
    });
}

/// This process's token.
#[must_use]
#[inline(always)]
pub fn token() -> usize {
    TOKEN.load(Ordering::Relaxed)
}

/// The line of counters that this process adds to.
#[must_use]
#[inline(always)]
pub fn stripe() -> usize {
    token() % STRIPES
}
