//! Linux and macOS, what is alike on both.

use std::ffi::c_void;
use std::io;
use std::path::Path;
use std::ptr::NonNull;

use rustix::fs::{Mode, Stat, lstat};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use rustix::process::{Pid, geteuid, test_kill_process};
use rustix::time::clock_gettime;

use super::file_id::FileId;
#[cfg(target_os = "linux")]
use super::linux::CLOCK;
#[cfg(target_os = "macos")]
use super::macos::CLOCK;

/// Microseconds on a clock that all processes of one boot share, and that runs through suspend.
pub(crate) fn now_us() -> u64 {
    let now = clock_gettime(CLOCK);
    now.tv_sec.cast_unsigned() * 1_000_000 + now.tv_nsec.cast_unsigned() / 1_000
}

/// Zeroes that belong to this process alone; a forked child gets a copy of its own.
pub(crate) fn map(len: usize) -> io::Result<NonNull<c_void>> {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a null hint lets the kernel choose the address, so no existing memory is replaced.
    let base = unsafe { mmap_anonymous(std::ptr::null_mut(), len, protection, MapFlags::PRIVATE) }?;
    NonNull::new(base).ok_or_else(|| Errno::NOMEM.into())
}

/// Gives memory back.
///
/// # Safety
/// It was mapped with this length, by [`map`] or of a file, and nothing refers to it any more.
pub(crate) unsafe fn unmap(base: NonNull<c_void>, len: usize) {
    // SAFETY: the caller's word. An error could only mean that the range is not mapped, which leaves nothing to do.
    _ = unsafe { munmap(base.as_ptr(), len) };
}

/// Makes sure that each forked child calls `begin`, whoever forks it. Says whether the system has taken it.
pub(crate) fn at_fork(begin: extern "C" fn()) -> bool {
    // SAFETY: a function that lives as long as the process (Python never unloads an extension module). Whether it may
    // run in a child that was forked from a process with threads is the caller's word.
    let refused = unsafe { libc::pthread_atfork(None, None, Some(begin)) };
    refused == 0
}

/// Whether no process has this pid.
pub(crate) fn is_free(pid: u32) -> bool {
    Pid::from_raw(pid.cast_signed()).is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// Whether `path` certainly leads to another file than this, or to none.
pub(crate) fn leads_elsewhere(path: &Path, file: Option<FileId>) -> bool {
    match lstat(path) {
        Ok(stat) => file != Some(identity(&stat)),
        Err(error) => error == Errno::NOENT,
    }
}

/// Which file it is.
#[allow(clippy::unnecessary_cast, reason = "the numbers' types differ between systems")]
pub(crate) fn identity(stat: &Stat) -> FileId {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// What is wrong with an owner or mode: it must be this user's, who alone has access.
pub(crate) fn ownership_fault(stat: &Stat, wanted: Mode) -> Option<String> {
    let me = geteuid().as_raw();
    if stat.st_uid != me {
        return Some(format!("belongs to user {}, not to user {me}", stat.st_uid));
    }
    let mode = Mode::from_raw_mode(stat.st_mode) & (Mode::RWXU | Mode::RWXG | Mode::RWXO);
    let (found, wanted) = (mode.as_raw_mode(), wanted.as_raw_mode());
    (found != wanted).then(|| format!("has mode {found:04o}; it must be {wanted:04o}, so that others have no access"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// R14: the host's clock shows the whole microseconds of the time since its boot.
    #[test]
    fn the_hosts_clock_counts_microseconds() {
        let since_boot = || Duration::try_from(clock_gettime(CLOCK)).expect("after the boot").as_micros();
        let (before, now_us, after) = (since_boot(), u128::from(now_us()), since_boot());
        assert!((before..=after).contains(&now_us), "{before} <= {now_us} <= {after}");
    }
}
