//! Who this process is: a random token, fresh after fork; and whether another process is certainly dead.
//!
//! The token marks the permits a process took, so that a forked child cannot use its parent's, and it chooses the line of
//! counters the process adds to, so that workers forked from one parent do not share one.
//!
//! No pid decides who owns what (rule T01). A pid is only a hint beside a probe's lease: where the hint's process is gone the
//! lease need not run to its deadline (rule R11). "Gone" must be certain, so a hint names the pid namespace too, and a pid
//! that was given to another process counts as alive.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use fuseboard_core::counters::STRIPES;
use fuseboard_core::lease::HINT_BITS;
use rustix::io::Errno;
use rustix::process::{Pid, getpid, test_kill_process};

const PID_BITS: u32 = 22;
const PID_MASK: u64 = (1 << PID_BITS) - 1;
const NAMESPACE_MASK: u64 = (1 << (HINT_BITS - PID_BITS)) - 1;
/// Beside a hint that was found out, for that may be 0.
const ASKED: u64 = 1 << HINT_BITS;

static TOKEN: AtomicUsize = AtomicUsize::new(0);
/// What [`hint`] found out, and that it was asked: a process stays in the pid namespace it was made in. 0 until it is asked,
/// and after fork.
#[allow(clippy::disallowed_types, reason = "this process's own, so not part of the protocol")]
static HINT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
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
    HINT.store(0, Ordering::Relaxed);
}

/// Makes this process's token and sees to it that children make their own. Called when a table is opened; a program with
/// threads that fork calls it before it has them, because a child forked in the middle of it would wait for ever.
pub fn register() {
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

/// This process as a hint for others: its pid (22 bits, Linux's largest) and its pid namespace (26 bits). 0, whose pid is
/// nobody's, where no namespace can be named.
#[must_use]
pub(crate) fn hint() -> u64 {
    let known = HINT.load(Ordering::Relaxed);
    if known != 0 {
        return known & !ASKED;
    }
    let pid = u64::from(getpid().as_raw_nonzero().get().cast_unsigned());
    let hint = pid_namespace().map_or(0, |namespace| namespace << PID_BITS | pid & PID_MASK);
    HINT.store(hint | ASKED, Ordering::Relaxed);
    hint
}

/// This process's number, for people.
#[must_use]
pub fn pid() -> u32 {
    let known = hint() & PID_MASK;
    if known == 0 { std::process::id() } else { known as u32 }
}

/// Whether the process of a hint is certainly gone: it had a pid in our namespace, and nobody has it now.
#[must_use]
pub(crate) fn is_gone(theirs: u64) -> bool {
    let Some(pid) = Pid::from_raw((theirs & PID_MASK) as i32) else { return false };
    let ours = hint();
    ours != 0 && ours >> PID_BITS == theirs >> PID_BITS && test_kill_process(pid) == Err(Errno::SRCH)
}

/// The low bits of the pid namespace's number. The kernel counts the numbers up, so two namespaces that live at once do
/// not share them.
#[cfg(target_os = "linux")]
fn pid_namespace() -> Option<u64> {
    rustix::fs::stat("/proc/self/ns/pid").ok().map(|stat| stat.st_ino & NAMESPACE_MASK)
}

/// Other systems have one for all.
#[cfg(not(target_os = "linux"))]
fn pid_namespace() -> Option<u64> {
    Some(NAMESPACE_MASK)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Hints lie in files, beside the leases of processes of perhaps another build.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_hint_is_a_pid_below_the_low_bits_of_a_namespace() {
        let namespace = rustix::fs::stat("/proc/self/ns/pid").expect("a name of it").st_ino;
        let expected = u64::from(std::process::id()) | (namespace % (1 << 26)) << 22;
        assert_eq!([expected; 2], [hint(), hint()]);
    }
}
