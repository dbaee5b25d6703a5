//! Broken protocols that the harness must catch.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::null_mut;

use fuseboard_core::state::State;
use fuseboard_core::sync::{AtomicU64, Ordering};

use crate::bench::{Folder, POLICY};
use crate::creation::{Creation, Ground, table_in};
use crate::operation::Operation;
use crate::sweep::{Moment, Subject};
use crate::tracer::Child;

/// How often the next process asks for the lock before it is said to wait for ever.
const PATIENCE: usize = 10_000;

/// A trip in two steps: count, then open.
pub const TWO_STEP_TRIP: Operation = Operation {
    name: "trip in two steps",
    prepare: |_| None,
    run: |bench, _| {
        if bench.fuse().record_failure(POLICY.window_us, bench.now()) >= POLICY.threshold {
            bench.fuse().set(State::Open, bench.now());
        }
    },
    may_leave: &[],
};

/// A table that has its name before it has its bytes.
pub fn creation_in_place() -> Creation {
    let folder = Folder::new();
    let sound = table_in(&folder.0).expect("a sound table");
    let bytes = fs::read(sound.path().expect("a host's table")).expect("its bytes");
    let in_place = move |_: &Path, file: &Path| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).expect("a file");
        file.write_all(&bytes).expect("room");
    };
    Creation::by(Ground::Folder, Box::new(in_place))
}

/// A number behind a lock: 1 is taken, work, 0 is free.
pub struct Lock {
    words: &'static [AtomicU64; 2],
}

impl Lock {
    pub fn new() -> Self {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a null hint lets the kernel choose the address, so no existing memory is replaced.
        let page = unsafe { libc::mmap(null_mut(), 4096, protection, flags, -1, 0) };
        assert_ne!(libc::MAP_FAILED, page, "{}", std::io::Error::last_os_error());
        // SAFETY: a page of zeroes that is never unmapped, on its boundary, and only ever seen as atomics.
        Self { words: unsafe { &*page.cast::<[AtomicU64; 2]>() } }
    }

    fn is_taken(&self) -> bool {
        self.words[0].compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn work(&self, patience: usize) -> bool {
        let taken = (0..patience).any(|_| self.is_taken());
        if taken {
            self.words[1].store(self.words[1].load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            self.words[0].store(0, Ordering::Release);
        }
        taken
    }
}

impl Subject for Lock {
    fn label(&self) -> String {
        "work under a lock".to_owned()
    }

    fn begin(&mut self) {
        self.words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }

    fn fork(&self) -> Child {
        Child::fork(|| (), |()| _ = self.work(usize::MAX))
    }

    fn shared(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect()
    }

    fn judge(&mut self, _: Moment) -> Result<&'static str, String> {
        if self.work(PATIENCE) { Ok("goes on") } else { Err("waits for ever".to_owned()) }
    }
}
