//! Which processes still use a table whose file was removed, as far as the system says it: on Linux in `/proc`.
//!
//! If `/proc` is missing, hides other processes (`hidepid`), or is of another pid namespace, nobody is found.

#[cfg(target_os = "linux")]
pub(crate) use linux::users_of_a_removed;

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::fs::{DirEntry, read, read_dir};
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    /// The other processes of this user that have a removed file of this path mapped. This reads the mappings of each
    /// process and takes about as long as `lsof`, so only the process that makes a table asks.
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
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn users_of_a_removed(_: &std::path::Path) -> Vec<u32> {
    Vec::new()
}
