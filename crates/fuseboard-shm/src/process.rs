//! What the system says of processes, where it says it: on Linux in /proc. Elsewhere, or where /proc is missing, hides
//! others' processes or is another pid namespace's, it says nothing, and nothing is concluded from that.

#[cfg(target_os = "linux")]
pub(crate) use linux::{namespace, own_start, start_of, tick, users_of_a_removed};

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::fs::{DirEntry, File, read, read_dir};
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    use rustix::time::{ClockId, clock_gettime};

    use crate::hint::Start;

    /// Where the time that a process started stands behind its name in /proc/PID/stat, whose 22nd field it is.
    const START: usize = 22 - 3;
    /// More than a line of it has.
    const LINE: usize = 1024;

    /// The number of this process's pid namespace. The kernel gives out the lowest that is free, so namespaces that live at
    /// once have different ones, and low bits of them agree only among very many.
    pub(crate) fn namespace() -> Option<u64> {
        rustix::fs::stat("/proc/self/ns/pid").ok().map(|stat| stat.st_ino)
    }

    /// When this process started; `None` unless /proc is of its own pid namespace, for then others' pids there are not what
    /// they are here.
    pub(crate) fn own_start() -> Option<Start> {
        let status = read("/proc/self/status").ok()?;
        if is_of_one_namespace(&status) { start_in(File::open("/proc/self/stat").ok()?) } else { None }
    }

    /// When the process of this pid started, by a /proc of our own pid namespace.
    pub(crate) fn start_of(pid: u32) -> Option<Start> {
        start_in(File::open(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The time in steps of 64 milliseconds, by a clock that costs next to nothing.
    pub(crate) fn tick() -> u64 {
        let now = clock_gettime(ClockId::MonotonicCoarse);
        tick_of(now.tv_sec.cast_unsigned(), now.tv_nsec.cast_unsigned())
    }

    /// The other processes of this user that have a file of this path mapped that was removed. It reads what the system says of
    /// each process's mappings, which takes about as long as `lsof`: only for whoever makes a table. Who is hidden from us
    /// (`hidepid`, another pid namespace), or sees the path under another name, is not among them.
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

    const fn tick_of(seconds: u64, nanoseconds: u64) -> u64 {
        (seconds * 1_000 + nanoseconds / 1_000_000) >> 6
    }

    /// Whether /proc knows the process by one pid only: it names those of all namespaces from its own down to the process's.
    fn is_of_one_namespace(status: &[u8]) -> bool {
        let pids = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"));
        pids.is_some_and(|pids| pids.split(u8::is_ascii_whitespace).filter(|pid| !pid.is_empty()).count() == 1)
    }

    fn start_in(mut stat: impl Read) -> Option<Start> {
        let mut line = [0; LINE];
        let len = stat.read(&mut line).ok()?;
        // The name is in parentheses, and may have any bytes, these too.
        let name_end = line[..len].iter().rposition(|byte| *byte == b')')?;
        let fields = std::str::from_utf8(&line[name_end + 1..len]).ok()?;
        fields.split_ascii_whitespace().nth(START)?.parse().ok().map(Start::at)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const REST: &str = " S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 999 888 18446744073709551615\n";

        #[test]
        fn the_start_stands_behind_a_name_of_any_bytes() {
            for name in [&b"python"[..], b") R 1 2 (", b"a b\xff)\n", b""] {
                let line = [b"7 (", name, b")", REST.as_bytes()].concat();
                assert_eq!(Some(Start::at(4711)), start_in(&line[..]), "{name:?}");
            }
        }

        #[test]
        fn a_line_that_is_none_says_nothing() {
            let cut = REST.find("4711").expect("it is there");
            let lines = ["", "7 (python", ")", ") S 1 7 7 0", "7 (x) S 1 7 7 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 x 9"];
            for line in lines.into_iter().map(str::to_owned).chain([format!("7 (x){}", &REST[..cut])]) {
                assert_eq!(None, start_in(line.as_bytes()), "{line}");
            }
        }

        #[test]
        fn a_removed_file_is_told_from_its_like() {
            let line = |path| format!("7f2c000-7f2d000 rw-s 00000000 00:1a 4242                     {path}\n");
            let has = |path| has_removed((line("/lib/c.so") + &line(path)).as_bytes(), OsStr::new("/shm/shop"));
            assert_eq!([true, false, false], ["/shm/shop (deleted)", "/shm/shop", "/shm/bookshop"].map(has));
            assert_eq!([false, false], ["/run/shm/shop (deleted)", "/shm/shop (deleted) (deleted)"].map(has));
        }

        #[test]
        fn a_tick_is_64_milliseconds() {
            let ticks = [(0, 63_999_999), (0, 64_000_000), (1, 23_999_999), (1, 24_000_000), (64, 0)];
            assert_eq!([0, 1, 15, 16, 1_000], ticks.map(|(seconds, nanoseconds)| tick_of(seconds, nanoseconds)));
        }

        #[test]
        fn one_pid_is_of_one_namespace() {
            let told =
                |line: &str| is_of_one_namespace(format!("Name:\tx\nNStgid:\t7\t8\n{line}NSsid:\t7\n").as_bytes());
            assert_eq!([true, false, false], ["NSpid:\t7\n", "NSpid:\t7\t2\n", ""].map(told));
        }

        #[test]
        fn a_process_that_is_there_has_started() {
            assert_eq!(own_start(), start_of(std::process::id()));
            assert_eq!(None, start_of(u32::MAX));
        }
    }
}

/// Other systems have one for all.
#[cfg(not(target_os = "linux"))]
pub(crate) fn namespace() -> Option<u64> {
    Some(u64::MAX)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn own_start() -> Option<crate::hint::Start> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn start_of(_: u32) -> Option<crate::hint::Start> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn tick() -> u64 {
    0
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn users_of_a_removed(_: &std::path::Path) -> Vec<u32> {
    Vec::new()
}
