//! A shared table in a private folder, a clock that stands still, and one fuse in a chosen state.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fuseboard_core::directory::QUARANTINE_US;
use fuseboard_core::fuse::Fuse;
use fuseboard_core::journal::About;
use fuseboard_core::layout::Geometry;
use fuseboard_core::overrides::Override;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_shm::clock::{Clock, ManualClock};
use fuseboard_shm::handle::{Handle, Outcome, ProcessPermit};
use fuseboard_shm::open::open;
use fuseboard_shm::store::{Slot, Store};
use fuseboard_shm::table::Table;

use crate::tracer::Child;

/// More records than an operation, and whoever comes after it, write.
const FEW: usize = 31;
pub const SECOND: u64 = 1_000_000;
pub const START: u64 = 1_000 * SECOND;
/// The store under test.
pub const STORE: &str = "shop";
/// The fuse under test; long enough to be written in several words.
pub const NAME: &str = "payments to the bank of the western harbour";
pub const POLICY: Policy = Policy {
    threshold: 3,
    window_us: 10 * SECOND,
    reset_us: 30 * SECOND,
    // Whatever other policies left there: no longer.
    longest_us: 30 * SECOND,
    probes: 2,
    success_threshold: 2,
    probe_us: 5 * SECOND,
    clear_on_success: true,
    ..Policy::DEFAULT
};

/// The smallest table that holds what the tests put into it.
pub fn geometry() -> Geometry {
    Geometry::for_capacity(8, 4).expect("in range")
}

/// A new private folder, in shared memory where there is some; removed when it is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        Self(parent.join(format!("fuseboard-single-step-{}-{number:04}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// The table, its store, and the fuse's shared words.
pub struct Bench {
    pub store: Store,
    pub handle: Handle,
    clock: Arc<ManualClock>,
    file: File,
    /// The file before it held any name.
    empty: Vec<u8>,
    folder: PathBuf,
}

impl Bench {
    /// The table in a folder, which is made where there is none.
    pub fn new(folder: &Path) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let store = Store::new(mapped(folder, &clock));
        let path = store.table().path().expect("a host's table");
        let file = OpenOptions::new().read(true).write(true).open(path).expect("the table's file");
        let empty = image_of(&file);
        let handle = store.resolve(NAME).expect("room").pin();
        Self { store, handle, clock, file, empty, folder: folder.to_owned() }
    }

    /// The name's slot, or a new one.
    pub fn slot(&self) -> Slot {
        self.store.resolve(NAME).expect("room")
    }

    /// The fuse.
    pub fn fuse(&self) -> Fuse<'_> {
        self.handle.fuse()
    }

    /// A store on a mapping of its own, as a process that comes later has it.
    pub fn opened_anew(&self) -> Store {
        Store::new(mapped(&self.folder, &self.clock))
    }

    /// All of the table that an operation can reach.
    pub fn image(&self) -> Vec<u8> {
        image_of(&self.file)
    }

    /// Puts an image and a time in place.
    pub fn restore(&self, image: &[u8], now_us: u64) {
        self.file.write_all_at(image, 0).expect("a table in memory");
        self.set_clock(now_us);
    }

    /// An empty table at the start of time.
    pub fn clear(&self) {
        self.restore(&self.empty, START);
    }

    /// Moves the clock, also back.
    pub fn set_clock(&self, now_us: u64) {
        self.clock.set(now_us);
    }

    /// The time.
    pub fn now(&self) -> u64 {
        self.clock.now_us()
    }

    /// A permit for a call.
    pub fn permit(&self) -> ProcessPermit {
        ProcessPermit::new(self.handle.admit(&POLICY).verdict.expect("admitted"))
    }

    /// Calls that end like this, one after the other.
    pub fn calls(&self, outcome: Outcome, count: usize) {
        for _ in 0..count {
            self.handle.settle(&POLICY, &self.permit(), outcome, || About::NOTHING);
        }
    }
}

fn mapped(folder: &Path, clock: &Arc<ManualClock>) -> Table {
    open(STORE, Some(folder), geometry(), Clock::Manual(Arc::clone(clock))).expect("a table in a private folder")
}

fn image_of(file: &File) -> Vec<u8> {
    // Of the journal its head and the first records: it is empty when an operation begins.
    let mut image = vec![0; geometry().sections().journal + 128 + FEW * 256];
    file.read_exact_at(&mut image, 0).expect("the whole table");
    image
}

/// The state of the fuse that an operation begins from.
pub struct Beginning(pub &'static str, pub fn(&Bench));

pub const UNKNOWN: Beginning = Beginning("no such name", |_| ());
pub const NEVER: Beginning = Beginning("never seen", |bench| _ = bench.store.resolve(NAME));
pub const REMOVED: Beginning = Beginning("removed", |bench| {
    CLOSED.1(bench);
    assert!(bench.store.remove(NAME));
    bench.set_clock(bench.now() + 2 * QUARANTINE_US);
});
pub const CLOSED: Beginning = Beginning("closed", |bench| {
    NEVER.1(bench);
    bench.calls(Outcome::Success, 1);
});
pub const DIRTY: Beginning = Beginning("closed, one failure", |bench| {
    CLOSED.1(bench);
    bench.calls(Outcome::Failure, 1);
    bench.set_clock(START + SECOND);
});
pub const BRINK: Beginning = Beginning("about to trip", |bench| {
    DIRTY.1(bench);
    bench.calls(Outcome::Failure, 1);
});
pub const OPEN: Beginning = Beginning("open", |bench| {
    BRINK.1(bench);
    bench.calls(Outcome::Failure, 1);
});
pub const EXPIRED: Beginning = Beginning("open, its time up", |bench| {
    OPEN.1(bench);
    bench.set_clock(START + 32 * SECOND);
});
/// One of the two seats is this process's, for as long as its lease runs.
pub const HALF_OPEN: Beginning = Beginning("half-open, one seat free", |bench| {
    EXPIRED.1(bench);
    bench.permit();
});
pub const HALF_CLOSED: Beginning = Beginning("half-open, one good probe", |bench| {
    EXPIRED.1(bench);
    bench.calls(Outcome::Success, 1);
});
pub const DEAD_PROBER: Beginning = Beginning("half-open, one seat a dead prober's", |bench| {
    HALF_OPEN.1(bench);
    Child::fork(|| bench.permit(), |_| ()).kill();
    bench.set_clock(START + 33 * SECOND);
});
pub const ISOLATED: Beginning = Beginning("isolated", |bench| {
    DIRTY.1(bench);
    bench.fuse().command(State::Isolated, || bench.now());
});
pub const OVERRIDDEN: Beginning = Beginning("isolated for a time that is over", |bench| {
    DIRTY.1(bench);
    _ = bench.handle.apply_override(&Override { for_us: SECOND, who: "bob", ..Override::new(State::Isolated) });
    bench.set_clock(bench.now() + 2 * SECOND);
});
pub const DISABLED: Beginning = Beginning("disabled", |bench| {
    DIRTY.1(bench);
    bench.fuse().command(State::Disabled, || bench.now());
});
pub const FORGOTTEN: Beginning = Beginning("forgotten", |bench| {
    BRINK.1(bench);
    bench.fuse().forget(|| bench.now());
});
