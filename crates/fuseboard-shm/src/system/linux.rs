//! What only Linux has: a clock through suspend, pid namespaces, and a list of who has a file mapped.

use std::ffi::OsStr;
use std::fs::{DirEntry, read, read_dir};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::time::ClockId;

/// Runs through suspend.
pub(super) const CLOCK: ClockId = ClockId::Boottime;

/// The number of this process's pid namespace. The kernel gives out the lowest free number, so only among very many
/// namespaces do two agree in their low bits.
pub(crate) fn pid_namespace() -> Option<u64> {
    rustix::fs::stat("/proc/self/ns/pid").ok().map(|stat| stat.st_ino)
}

/// The other processes of this user that have a removed file of this path mapped. This reads the mappings of each
/// process and takes about as long as `lsof`, so only the process that makes a table asks. If `/proc` is missing, hides
/// other processes (`hidepid`), or is of another pid namespace, nobody is found.
pub(crate) fn users_of_a_removed(path: &Path) -> Vec<u32> {
    let (me, own) = (rustix::process::geteuid().as_raw(), std::process::id());
    let is_user = |process: &DirEntry| {
        process.metadata().is_ok_and(|meta| meta.uid() == me)
            && read(process.path().join("maps")).is_ok_and(|maps| has_removed(&maps, path.as_os_str()))
    };
    let pid_of = |process: DirEntry| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        (pid != own && is_user(&process)).then_some(pid)
    };
    let mut users: Vec<_> = read_dir("/proc").into_iter().flatten().flatten().filter_map(pid_of).collect();
    users.sort_unstable();
    users
}

fn has_removed(maps: &[u8], path: &OsStr) -> bool {
    let end = [b" ", path.as_encoded_bytes(), b" (deleted)"].concat();
    maps.split(|byte| *byte == b'\n').any(|line| line.ends_with(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_file_is_told_from_its_like() {
        let line = |path| format!("7f2c000-7f2d000 rw-s 00000000 00:1a 4242                     {path}\n");
        let has = |path| has_removed((line("/lib/c.so") + &line(path)).as_bytes(), OsStr::new("/shm/shop"));
        assert_eq!([true, false, false], ["/shm/shop (deleted)", "/shm/shop", "/shm/bookshop"].map(has));
        assert_eq!([false, false], ["/run/shm/shop (deleted)", "/shm/shop (deleted) (deleted)"].map(has));
    }
}
