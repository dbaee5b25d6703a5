//! What the tests of the table share: a folder of their own in shared memory, and a small table in it.
#![allow(dead_code, reason = "each file takes the part it needs")]

use std::ffi::{CStr, CString};
use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write, pipe};
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use fuseboard_core::layout::Geometry;
use fuseboard_core::policy::Policy;
use fuseboard_shm::clock::Clock;
use fuseboard_shm::error::OpenError;
use fuseboard_shm::open;
use fuseboard_shm::table::Table;

/// One second.
pub const SECOND: u64 = 1_000_000;
/// What most tests ask of a fuse.
pub const POLICY: Policy = Policy {
    threshold: 3,
    window_us: 10 * SECOND,
    reset_us: 30 * SECOND,
    probes: 1,
    success_threshold: 1,
    probe_us: 5 * SECOND,
    clear_on_success: true,
    ..Policy::DEFAULT
};

static MADE: AtomicUsize = AtomicUsize::new(0);

/// A private folder that is removed in the end, with all that lies in it.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let shm = Path::new("/dev/shm");
        Self::within(&if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() })
    }

    /// One that outlives a boot; `None` where the system has no disk for us.
    pub fn on_a_disk() -> Option<Self> {
        let folder = Self::within(Path::new(env!("CARGO_TARGET_TMPDIR")));
        let found = rustix::fs::statfs(&folder.0).expect("our own folder").f_type;
        (u32::try_from(found) != Ok(0x0102_1994)).then_some(folder)
    }

    fn within(base: &Path) -> Self {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = base.join(format!("fuseboard-test-{}-{number}", process::id()));
        DirBuilder::new().mode(0o700).create(&path).expect("a folder that nobody has");
        Self(path)
    }

    /// The names in it, in order.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("a readable folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name")).collect();
        names.sort_unstable();
        names
    }

    /// Opens the table `name` in it, or makes a small one.
    pub fn open(&self, name: &str) -> Result<Table, OpenError> {
        open::open(name, Some(&self.0), small(), Clock::System)
    }

    /// The table `name`, which can be had.
    pub fn table(&self, name: &str) -> Table {
        self.open(name).expect("a table")
    }

    /// Where the table `shop` lies, or would.
    pub fn shop(&self) -> PathBuf {
        let elsewhere = Self::new();
        let table = elsewhere.table("shop");
        self.0.join(table.path().and_then(Path::file_name).expect("a file's name"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("a folder of ours");
    }
}

/// Says that something cannot be tested here, where the test harness does not swallow it; in CI, where the proof must be
/// made, fails.
pub fn cannot(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "{reason}");
    _ = writeln!(io::stderr(), "not tested: {reason}");
}

/// Runs `work` in a forked child and waits for its end; what it returned.
pub fn in_child(work: impl FnOnce() -> u64) -> u64 {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    // SAFETY: the child runs `work`, which takes no lock that another thread of this process may hold (glibc's allocator
    // is usable after fork), and ends by `_exit`, so nothing of the harness runs twice.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "a child");
    if child == 0 {
        // SAFETY: both take numbers only. The alarm ends a child that hangs.
        unsafe { libc::alarm(60) };
        let told =
            catch_unwind(AssertUnwindSafe(work)).is_ok_and(|answer| writer.write_all(&answer.to_ne_bytes()).is_ok());
        // SAFETY: takes a number only.
        unsafe { libc::_exit(i32::from(!told)) };
    }
    drop(writer);
    let (mut answer, mut status) = ([0; 8], 0);
    let read = reader.read_exact(&mut answer);
    // SAFETY: `child` is our own child and `status` outlives the call.
    assert_eq!(child, unsafe { libc::waitpid(child, &raw mut status, 0) });
    assert_eq!((true, 0), (read.is_ok(), status), "the child ended well");
    u64::from_ne_bytes(answer)
}

/// Mounts an empty file system of 1 MiB over a folder, for this thread alone; `false` if it may not. Only root may.
pub fn mount_over(folder: &Path) -> bool {
    let target = CString::new(folder.as_os_str().as_encoded_bytes()).expect("a plain path");
    let mount = |kind: &CStr, on: &CStr, flags, options: &CStr| {
        // SAFETY: all arguments are C strings that outlive the call.
        unsafe { libc::mount(kind.as_ptr(), on.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) == 0 }
    };
    // SAFETY: takes numbers only; gives this thread its own view of what is mounted, which ends with the thread.
    let apart = unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0;
    apart
        && mount(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE, c"")
        && mount(c"tmpfs", &target, libc::MS_NOSUID, c"size=1m,mode=0700")
}

/// Four slots, four failures each.
pub fn small() -> Geometry {
    Geometry::for_capacity(4, 4).expect("numbers in range")
}

/// Random numbers that a seed repeats (xorshift64*, Vigna 2016).
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
}
