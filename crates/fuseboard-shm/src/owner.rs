//! Who this process is: a random token, fresh after fork; and whether another process is certainly dead.
//!
//! The token marks the permits a process took, so that a forked child cannot use its parent's, and it chooses the line of
//! counters the process adds to, so that workers forked from one parent do not share one.
//!
//! No pid decides who owns what (rule T01). A pid is only a [`Hint`] beside a probe's lease: where the hint's process is gone
//! the lease need not run to its deadline (rule R11). "Gone" must be certain, so a hint names the pid namespace too, and when
//! the process started: whoever has its pid now and started at another time is another process. What cannot be found
//! out counts as alive.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fuseboard_core::counters::STRIPES;
use fuseboard_core::lease::HINT_BITS;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::hint::Hint;
use crate::process;

/// Beside a hint that was found out, for that may be 0.
const ASKED: u64 = 1 << HINT_BITS;

static TOKEN: AtomicUsize = AtomicUsize::new(0);
#[allow(clippy::disallowed_types, reason = "this process's own, so not part of the protocol")]
type Own = std::sync::atomic::AtomicU64;
/// What [`hint`] found out, and that it was asked: a process stays in the pid namespace it was made in. 0 until it is asked,
/// and after fork.
static HINT: Own = Own::new(0);
/// Whether this process was forked and nobody has taken note of it.
static IS_NEW_CHILD: AtomicBool = AtomicBool::new(false);
/// Others whose starts were looked at, and when; a place for each pid modulo their number.
static SEEN: [Own; 8] = [const { Own::new(0) }; 8];
#[allow(clippy::disallowed_types, reason = "the binding fills it at its import, by `register`")]
static REGISTER: std::sync::Once = std::sync::Once::new();

/// A random word from the operating system.
///
/// # Panics
/// If the operating system has no randomness to give, which no supported one does after its start.
#[must_use]
pub fn random_u64() -> u64 {
    getrandom::u64().expect("the operating system gives random bytes")
}

fn renew() {
    // Runs in a forked child between fork and whatever comes next, perhaps forked from a process with many threads: so
    // no lock and no allocation, and no panic either. Without randomness the address of a local and the parent's token
    // still make another token.
    let local = 0_u8;
    let token = getrandom::u64().map_or_else(|_| (&raw const local).addr() ^ token().rotate_left(17), |r| r as usize);
    TOKEN.store(token, Ordering::Relaxed);
    HINT.store(0, Ordering::Relaxed);
}

extern "C" fn begin_as_a_child() {
    renew();
    IS_NEW_CHILD.store(true, Ordering::Relaxed);
}

/// Whether this process was forked and nobody has taken note of it: an interpreter does not see each fork, but this does.
#[must_use]
pub fn is_new_child() -> bool {
    IS_NEW_CHILD.load(Ordering::Relaxed)
}

/// The same; the caller takes note of it.
#[must_use]
pub fn take_note_of_a_fork() -> bool {
    is_new_child() && IS_NEW_CHILD.swap(false, Ordering::Relaxed)
}

/// Makes this process's token and sees to it that children make their own. Called when a table is opened; a program with
/// threads that fork calls it before it has them, because a child forked in the middle of it would wait for ever.
pub fn register() {
    REGISTER.call_once(|| {
        renew();
        // SAFETY: `begin_as_a_child` is an `extern "C" fn()` that lives as long as the process (Python never unloads an
        // extension module) and does nothing that is forbidden in a child forked from a process with threads.
        let refused = unsafe { libc::pthread_atfork(None, None, Some(begin_as_a_child)) };
        // Refused only for want of memory; then children keep their parent's token, which costs speed and the guard
        // against a child that finishes its parent's probe.
        debug_assert_eq!(0, refused);
    });
}

/// This process as a hint for others. [`Hint::NOBODY`] where no pid namespace can be named.
#[must_use]
pub(crate) fn hint() -> u64 {
    let known = HINT.load(Ordering::Relaxed);
    if known != 0 {
        return known & !ASKED;
    }
    let of = |namespace| Hint::new(std::process::id(), process::own_start(), namespace);
    let Hint(hint) = process::namespace().map_or(Hint::NOBODY, of);
    HINT.store(hint | ASKED, Ordering::Relaxed);
    hint
}

/// This process's number, for people.
#[must_use]
pub fn pid() -> u32 {
    let known = Hint(hint()).pid();
    if known == 0 { std::process::id() } else { known }
}

/// Whether the process of a hint is certainly gone: it had a pid in our namespace, and nobody has it now, or another.
#[must_use]
pub(crate) fn is_gone(theirs: u64) -> bool {
    let (ours, theirs) = (Hint(hint()), Hint(theirs));
    let Some(pid) = Pid::from_raw(theirs.pid().cast_signed()) else { return false };
    ours != Hint::NOBODY
        && ours.namespace() == theirs.namespace()
        && (test_kill_process(pid) == Err(Errno::SRCH) || has_lost_its_pid(ours, theirs))
}

/// Whether the process that has the pid of `theirs` started at another time. To look costs more than all else of a
/// refused call, so who was found alive is taken to be so for the rest of a [`process::tick`]: the system gives out all other
/// pids before it comes back to one.
fn has_lost_its_pid(ours: Hint, theirs: Hint) -> bool {
    // Who does not know its own start has no /proc of its own namespace.
    let (Some(_), Some(expected)) = (ours.start(), theirs.start()) else { return false };
    let (place, seen) = (&SEEN[theirs.pid() as usize % SEEN.len()], process::tick() << HINT_BITS | theirs.0);
    if place.load(Ordering::Relaxed) == seen {
        return false;
    }
    let start = process::start_of(theirs.pid());
    if start == Some(expected) {
        place.store(seen, Ordering::Relaxed);
    }
    start.is_some_and(|start| start != expected)
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::hint::Start;

    #[test]
    fn a_hint_is_of_this_process_and_does_not_change() {
        let namespace = rustix::fs::stat("/proc/self/ns/pid").expect("a name of it").st_ino;
        let expected = Hint::new(std::process::id(), process::own_start(), namespace);
        assert_eq!([expected.0; 2], [hint(), hint()]);
        assert_eq!(std::process::id(), pid());
    }

    /// R11: certainly gone is only whoever was of our namespace and whose pid nobody has, or a process of another start.
    #[test]
    fn a_process_is_gone_if_nobody_has_its_pid_or_another() {
        let (pid, own) = (std::process::id(), Hint(hint()));
        let start = own.start().expect("a /proc of our own");
        let others = (0..63).map(Start::at).filter(|other| *other != start);
        let nobody = (1..1 << 22).rev().find(|pid| process::start_of(*pid).is_none()).expect("a pid that nobody has");
        for (theirs, gone) in [
            (own, false),
            (Hint::new(pid, None, own.namespace()), false),
            (Hint::new(nobody, Some(start), own.namespace()), true),
            (Hint::new(nobody, None, own.namespace()), true),
            (Hint::new(nobody, None, own.namespace() + 1), false),
            (Hint::new(0, Some(start), own.namespace()), false),
        ]
        .into_iter()
        .chain(others.clone().map(|other| (Hint::new(pid, Some(other), own.namespace()), true)))
        .chain(others.map(|other| (Hint::new(pid, Some(other), own.namespace() + 1), false)))
        {
            // Whatever was seen before.
            assert_eq!([gone; 2], [is_gone(theirs.0), is_gone(theirs.0)], "{theirs:?} of {own:?}");
        }
    }

    /// R11: who was found alive is looked at again in another tick.
    #[test]
    fn what_was_seen_in_another_tick_counts_no_more() {
        let own = Hint(hint());
        let another = own.start().map(|_| Start::at(own.0 >> 22 & 63));
        let theirs = Hint::new(own.pid(), another, own.namespace());
        let ticks = [0, 1].map(|tick| tick << HINT_BITS | theirs.0);
        for (place, seen) in ticks.map(|seen| (&SEEN[own.pid() as usize % SEEN.len()], seen)) {
            // Once in an hour it is such a tick.
            if (2..1 << 16).contains(&(process::tick() & 0xffff)) {
                place.store(seen, Ordering::Relaxed);
                assert!(is_gone(theirs.0), "{seen:#x}");
            }
        }
    }

    /// R11: without a /proc that is our namespace's, what it says of a pid counts for nothing.
    #[test]
    fn who_does_not_know_its_own_start_asks_for_nobodys() {
        let own = Hint(hint());
        let other = Hint::new(own.pid(), Some(Start::at(own.0 >> 22 & 63)), own.namespace());
        let unknown = Hint::new(own.pid(), None, own.namespace());
        assert_eq!([true, false], [own, unknown].map(|ours| has_lost_its_pid(ours, other)));
    }
}
