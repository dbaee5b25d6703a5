//! Who this process is: a random token, which is new after every fork; and whether another process is certainly dead.
//!
//! The token marks the permits that a process took, so a forked child cannot use its parent's. It also chooses the line
//! of counters that the process adds to, so workers forked from one parent do not share a line.
//!
//! No pid decides who owns what (rule T01). A pid is only a **hint** beside a probe's lease: if no process has this pid
//! any more, the next call takes the lease over before its deadline (rule R11). A pid means something only within its
//! pid namespace, so a hint carries both. Whatever cannot be found out counts as alive, and so does a process that was
//! given a dead one's pid: then the lease runs to its deadline.
//!
//! ```text
//!  47                         22 21                    0
//! +-----------------------------+-----------------------+
//! | pid namespace: 26           | pid: 22               |
//! +-----------------------------+-----------------------+
//! ```

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fuseboard_core::counters::STRIPES;
use fuseboard_core::lease::HINT_BITS;

use crate::system::{self, pid_namespace};

/// Linux's largest pid has 22 bits. 0 is nobody's.
const PID_BITS: u32 = 22;
const PID_MASK: u64 = (1 << PID_BITS) - 1;
/// Marks a hint that was found out, which may be 0.
const ASKED: u64 = 1 << HINT_BITS;

static TOKEN: AtomicUsize = AtomicUsize::new(0);
#[allow(clippy::disallowed_types, reason = "this process's own, so not part of the protocol")]
type Own = std::sync::atomic::AtomicU64;
/// What [`hint`] found out: a process stays in the pid namespace in which it was made. 0 until it is asked, and after
/// fork.
static HINT: Own = Own::new(0);
/// Whether this process was forked and nobody has taken note of it.
static IS_NEW_CHILD: AtomicBool = AtomicBool::new(false);
#[allow(clippy::disallowed_types, reason = "the binding fills it at its import, by `register`")]
static REGISTER: std::sync::Once = std::sync::Once::new();

/// A random word from the operating system.
///
/// # Panics
/// If the operating system has no randomness to give. No supported one fails so after its start.
#[must_use]
pub fn random_u64() -> u64 {
    getrandom::u64().expect("the operating system gives random bytes")
}

fn renew() {
    // Runs in a forked child, between fork and whatever comes next, and the parent may have had many threads: so no
    // lock, no allocation and no panic. Without randomness, the address of a local and the parent's token make another
    // token.
    let local = 0_u8;
    let token = getrandom::u64().map_or_else(|_| (&raw const local).addr() ^ token().rotate_left(17), |r| r as usize);
    TOKEN.store(token, Ordering::Relaxed);
    HINT.store(0, Ordering::Relaxed);
}

extern "C" fn begin_as_a_child() {
    renew();
    IS_NEW_CHILD.store(true, Ordering::Relaxed);
}

/// Whether this process was forked and nobody has taken note of it. An interpreter does not see every fork, but this
/// does.
#[must_use]
pub fn is_new_child() -> bool {
    IS_NEW_CHILD.load(Ordering::Relaxed)
}

/// The same; the caller takes note of it.
#[must_use]
pub fn take_note_of_a_fork() -> bool {
    is_new_child() && IS_NEW_CHILD.swap(false, Ordering::Relaxed)
}

/// Makes this process's token, and makes sure that forked children make their own. Called when a table is opened. A
/// program with threads that fork must call it before it has them: a child forked in the middle of it would wait for
/// ever.
pub fn register() {
    REGISTER.call_once(|| {
        renew();
        // `begin_as_a_child` does nothing that is forbidden in a child forked from a process with threads.
        let is_taken = system::at_fork(begin_as_a_child);
        // Refused only if there is no memory. Then children keep their parent's token: they share its line of counters,
        // and may finish its probe.
        debug_assert!(is_taken);
    });
}

/// This process as a hint for others; 0 if its pid namespace cannot be named.
#[must_use]
pub(crate) fn hint() -> u64 {
    let known = HINT.load(Ordering::Relaxed);
    if known != 0 {
        return known & !ASKED;
    }
    let hint = pid_namespace().map_or(0, |namespace| hint_of(std::process::id(), namespace));
    HINT.store(hint | ASKED, Ordering::Relaxed);
    hint
}

fn hint_of(pid: u32, namespace: u64) -> u64 {
    (namespace << PID_BITS | u64::from(pid) & PID_MASK) & (ASKED - 1)
}

/// This process's number, for people.
#[must_use]
pub fn pid() -> u32 {
    let known = (hint() & PID_MASK) as u32;
    if known == 0 { std::process::id() } else { known }
}

/// Whether the process of a hint is certainly dead: it had a pid in our pid namespace, and no process has that pid now.
#[must_use]
pub(crate) fn is_gone(theirs: u64) -> bool {
    let ours = hint();
    let is_of_our_namespace = ours != 0 && ours >> PID_BITS == theirs >> PID_BITS;
    is_of_our_namespace && system::is_free((theirs & PID_MASK) as u32)
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

#[cfg(all(test, shares_tables, target_os = "linux"))]
mod tests {
    use super::*;

    /// Hints lie in files, beside the leases of processes of perhaps another build.
    #[test]
    fn a_hint_is_a_pid_below_a_namespace() {
        assert_eq!(0xffff_ffff_ffff, hint_of(0x7f_ffff, u64::MAX));
        assert_eq!(7 << 22 | 5, hint_of(5, 7));
    }

    #[test]
    fn the_hint_of_this_process_does_not_change() {
        let namespace = rustix::fs::stat("/proc/self/ns/pid").expect("a name of it").st_ino;
        assert_eq!([hint_of(std::process::id(), namespace); 2], [hint(), hint()]);
        assert_eq!(std::process::id(), pid());
    }

    /// R11: only a process of our namespace whose pid nobody has is certainly dead.
    #[test]
    fn a_process_is_gone_if_nobody_has_its_pid() {
        let (own, pid) = (hint(), std::process::id());
        let namespace = own >> PID_BITS;
        let is_free = |pid: &u32| !std::path::Path::new(&format!("/proc/{pid}")).exists();
        let nobody = (1..1 << PID_BITS).rev().find(is_free).expect("a pid that nobody has");
        for (theirs, gone) in [
            (own, false),
            (hint_of(pid, namespace + 1), false),
            (hint_of(nobody, namespace), true),
            (hint_of(nobody, namespace + 1), false),
            (hint_of(0, namespace), false),
        ] {
            assert_eq!(gone, is_gone(theirs), "{theirs:x} for {own:x}");
        }
    }
}
