//! Bytes that change under one's hands: a process scribbles over the table while others run the whole contract on it.
//!
//! What scribbled keys and names cost: a fuse whose key is lost gets another slot when its name is next resolved, in the
//! table or, once no slot can be had, in a table of that process's own; a name is lost until it is written again. What
//! they never cost: an answer, its range, its end in bounded time, and a sound fuse after a reset.

use std::fs::File;
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fuseboard_core::layout::Geometry;
use fuseboard_core::state::State;
use fuseboard_core::sync::Ordering;
use fuseboard_shm::clock::{Clock, ManualClock};
use fuseboard_shm::error::Kind;
use fuseboard_shm::store::Store;

use crate::checks::file::{Bed, Raw};
use crate::checks::input::{Input, Random};
use crate::checks::sound::counts_exactly;
use crate::checks::store::{check_keys, is_sound_again};
use crate::checks::table::{Contract, FRESH, NAMES, name};
use crate::child;
use crate::replay::{bed, number};
use crate::watchdog::{HUNG, Watchdog};

const TABLE: &str = "live";
/// A hang guard, in time on a core: hundreds of times what the longest operation takes without optimisation.
const BOUND: Duration = Duration::from_secs(1);
/// What a Rust test binary exits with when a test fails.
const FAILED: i32 = 101;
/// One at a time: each takes both cores.
static TURN: Mutex<()> = Mutex::new(());

/// How long each scribbling lasts: three seconds, or `ANY_BYTES_SECONDS`.
fn duration() -> Duration {
    Duration::from_secs(number("ANY_BYTES_SECONDS", 3))
}

fn geometry() -> Geometry {
    Geometry::for_capacity(64, 16).expect("in range")
}

/// A table, its words, and the contract on it in this process, by a clock that follows the host's until a check moves it.
struct Scene {
    bed: Bed,
    raw: Raw,
    clock: Arc<ManualClock>,
    contract: Contract,
}

impl Scene {
    fn new(name: &str) -> Self {
        let bed = bed(name);
        let raw = bed.lay(TABLE, geometry());
        let clock = Arc::new(ManualClock::new(Clock::System.now_us()));
        let table = bed.open(TABLE, Clock::Manual(Arc::clone(&clock))).expect("a sound table");
        Self { bed, raw, clock, contract: Contract::new(Store::new(table)) }
    }

    /// Starts a process in a role of this module and waits until it has the table open.
    fn start(&self, entry: &str, role: &str) -> Child {
        let process = child::start(entry, role, self.bed.folder());
        let ready = self.bed.folder().join(role);
        let end = Instant::now() + Duration::from_secs(60);
        while !ready.exists() {
            assert!(Instant::now() < end, "{role} does not begin");
            thread::sleep(Duration::from_millis(5));
        }
        process
    }

    /// Runs the contract here and in a child while the scribbler is at it; ends with the scribbler dead.
    fn play(&mut self, scribbler: &str) {
        let worker = self.start("live::worker", "worker");
        let scribbler = self.start("live::scribbler", scribbler);
        let clock = Arc::clone(&self.clock);
        let follow = || clock.advance(Clock::System.now_us().saturating_sub(clock.now_us()));
        let here = work(&mut self.contract, 1, follow);
        end(scribbler);
        let there = worker.wait_with_output().expect("the worker's end");
        assert!(there.status.success(), "{}", child::said(&there));
        // What the worker wrote last is not ahead of us.
        follow();
        eprintln!("here: {here}; {}", String::from_utf8_lossy(&there.stderr).trim());
        let scribbled = self.raw.words()[512..].iter().filter(|word| word.load(Ordering::Relaxed) != 0).count();
        assert!(scribbled > self.raw.words().len() / 4, "only {scribbled} words were scribbled on");
    }

    /// Everything that a reset promises, of every name and of some new ones.
    fn is_mended(&mut self) {
        check_keys(self.contract.store(), &self.raw);
        let looked_at = is_sound_again(&mut self.contract, &self.raw, &self.clock, 0..NAMES + FRESH);
        assert!(looked_at >= 8, "only {looked_at} fuses could be looked at");
        for number in 0..200 {
            let slot = self.contract.store().resolve(&format!("later-{number}")).expect("there is always a slot");
            slot.fuse().forget(|| slot.now_us());
            assert_eq!(1, slot.fuse().record_failure(1, slot.now_us()));
        }
    }
}

/// Kills a scribbler, which must have been at it until now.
fn end(mut scribbler: Child) {
    scribbler.kill().expect("a process of ours");
    let output = scribbler.wait_with_output().expect("its end");
    assert_eq!(Some(libc::SIGKILL), output.status.signal(), "ended by itself: {}", child::said(&output));
}

/// Runs the contract for a while; says how much of it, and how long the longest operation took.
fn work(contract: &mut Contract, seed: u64, tick: impl Fn()) -> String {
    let (mut watchdog, mut random, mut operations) = (Watchdog::new(), Random(seed), 0_u64);
    let end = Instant::now() + duration();
    while Instant::now() < end {
        let bytes = random.bytes(4096);
        let mut input = Input::new(&bytes);
        while !input.is_empty() {
            tick();
            contract.step(&mut input, |operation| watchdog.about_to(operation));
            operations += 1;
        }
    }
    watchdog.about_to("end");
    let (doing, time) = watchdog.longest();
    assert!(*time < BOUND, "{doing} took {time:?} of a core");
    format!("{operations} operations, the longest took {time:?} of a core: {doing}")
}

/// T10: a table that changes at random behind its header answers in range and in bounded time; once that ends, a reset
/// makes it sound, for every process.
#[test]
fn scribbling_behind_the_header_harms_nobody() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut scene = Scene::new("behind");
    scene.play("scribbler");
    scene.is_mended();
    let shared = |name: &String| scene.contract.store().find(name).is_some_and(|slot| !slot.overflowed());
    let name = (0..NAMES).map(name).find(shared).expect("a fuse that is in the table");
    let slot = scene.contract.store().find(&name).expect("found here");
    slot.fuse().command(State::Open, || scene.clock.now_us());
    let other = bed_store(scene.bed.folder());
    assert_eq!(State::Open, other.find(&name).expect("found by who opens it now").fuse().word().state());
}

/// T10: the header is not read again once a table is open; who opens it later gets a clean error.
#[test]
fn scribbling_over_the_header_harms_nobody() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut scene = Scene::new("header");
    scene.play("scribbler-over-all");
    scene.is_mended();
    let error = scene.bed.open(TABLE, Clock::System).expect_err("its header is random");
    assert!(matches!(error.kind, Kind::Foreign | Kind::Version), "{error}");
}

/// Control: a worker that trusts a length, and one that waits for a word, do not survive the same scribbling; and without
/// a reset a scribbled table does not count exactly.
#[test]
fn what_trusts_the_table_is_noticed() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let scene = Scene::new("control");
    let scribbler = scene.start("live::scribbler", "scribbler");
    for (role, end) in [("trusting-worker", FAILED), ("waiting-worker", HUNG)] {
        let output = child::run("live::worker", role, scene.bed.folder());
        assert_eq!(Some(end), output.status.code(), "{role}: {}", child::said(&output));
    }
    end(scribbler);
    let table = scene.contract.store().table();
    let counts = |slot: usize| counts_exactly(table.fuse(slot), geometry().log_len(), scene.clock.now_us());
    let unsound = |slot: &usize| catch_unwind(AssertUnwindSafe(|| counts(*slot))).is_err();
    let unsound = (0..geometry().slots()).filter(unsound).count();
    assert!(unsound > 0, "a scribbled table counts as exactly without a reset");
}

fn table_path(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file").path());
    let live = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("live.v"));
    files.into_iter().find(live).expect("the table")
}

fn bed_store(folder: &Path) -> Store {
    let table = fuseboard_shm::open::open(TABLE, Some(folder), geometry(), Clock::System);
    Store::new(table.expect("a sound table"))
}

/// Says that this process has what it needs.
fn is_ready(folder: &Path, role: &str) {
    File::create(folder.join(role)).expect("a file in our folder");
}

#[test]
#[ignore = "a role of another test's child"]
fn worker() {
    let Some((role, folder)) = child::role() else { return };
    let mut contract = Contract::new(bed_store(&folder));
    let raw = Raw::map(&table_path(&folder), geometry());
    is_ready(&folder, &role);
    match role.as_str() {
        "worker" => eprintln!("there: {}", work(&mut contract, 2, || {})),
        "trusting-worker" => trust(&raw),
        _ => wait_for(&raw),
    }
}

/// A reader of names that believes their length.
fn trust(raw: &Raw) {
    let end = Instant::now() + duration();
    while Instant::now() < end {
        for slot in 0..geometry().slots() {
            let words = raw.name(slot).iter().map(|word| word.load(Ordering::Relaxed).to_le_bytes());
            let name = words.collect::<Vec<_>>().concat();
            std::hint::black_box(&name[1..=usize::from(name[0])]);
        }
    }
}

/// An operation that goes on until a word is what it was.
fn wait_for(raw: &Raw) {
    let mut watchdog = Watchdog::with_limit(Duration::from_millis(300));
    watchdog.about_to("wait for a word");
    while raw.cell(0)[0].load(Ordering::Acquire) != 0x5eed_5eed_5eed_5eed {}
}

#[test]
#[ignore = "a role of another test's child"]
fn scribbler() {
    let Some((role, folder)) = child::role() else { return };
    let raw = Raw::map(&table_path(&folder), geometry());
    let all = raw.words();
    let journal = geometry().sections().journal / 8;
    let behind = if role == "scribbler-over-all" { 0 } else { 512 };
    let (mut random, now) = (Random(3), Clock::System.now_us());
    is_ready(&folder, &role);
    let end = Instant::now() + 10 * duration() + Duration::from_secs(120);
    while Instant::now() < end {
        scribble(&mut random, now, |random| &all[behind + random.below(journal - behind)], 0..100_000);
        scribble(&mut random, now, |random| &all[journal + random.below(all.len() - journal)], 0..10_000);
        scribble(&mut random, now, |random| &raw.cell(random.below(geometry().slots()))[0], 0..50_000);
    }
}

/// Writes zeroes, words with a time of the last hours (seldom of the next), and any words.
fn scribble<'a>(
    random: &mut Random,
    now: u64,
    place: impl Fn(&mut Random) -> &'a fuseboard_core::sync::AtomicU64,
    times: Range<u32>,
) {
    for _ in times {
        let distance = random.word() % (1 << 33);
        let stamp = if random.below(64) == 0 { now + distance } else { now.saturating_sub(distance) };
        let value = match random.below(8) {
            0..=2 => 0,
            3 | 4 => stamp << 16 | random.word() & 0xffff,
            5 => random.word() << 48 | stamp,
            _ => random.word(),
        };
        place(random).store(value, Ordering::Release);
    }
}
