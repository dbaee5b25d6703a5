//! Real processes that are killed at any moment leave a table that the others go on with at once.
//!
//! The children are this very program, run again for the one test `child`, with the work in an environment variable.
mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Dice, Folder, POLICY, SECOND};
use fuseboard_core::layout::Geometry;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::time::HORIZON_US;
use fuseboard_shm::clock::{Clock, ManualClock};
use fuseboard_shm::handle::{Outcome, Ticket};
use fuseboard_shm::open;
use fuseboard_shm::store::{Slot, Store};

/// How long each storm lasts, at most.
const STORM: Duration = Duration::from_secs(4);
/// Failures that a child records, if it is left to; all children's together fit into the log.
const FAILURES: usize = 600;
const CHILDREN: usize = 3;
/// Breaks and probes as often as it can.
const NERVOUS: Policy = Policy { threshold: 2, reset_us: 200, success_threshold: 2, ..POLICY };

fn store(folder: &Path, clock: Clock) -> Store {
    let geometry = Geometry::for_capacity(512, 2048).expect("numbers in range");
    Store::new(open::open("shop", Some(folder), geometry, clock).expect("a table"))
}

fn slot(store: &Store, name: &str) -> Slot {
    let slot = store.resolve(name).expect("there is room");
    assert!(!slot.overflowed(), "there is room in the table itself");
    slot
}

fn fail(slot: &Slot) -> u32 {
    slot.fuse().record_failure(HORIZON_US, slot.now_us())
}

/// A child that is killed when it is dropped.
struct Killed(Child);

impl Killed {
    fn start(work: &str, folder: &Path, seed: u64) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "child", "--test-threads=1"]).stdout(Stdio::null());
        command.env("FUSEBOARD_WORK", work).env("FUSEBOARD_FOLDER", folder).env("FUSEBOARD_SEED", seed.to_string());
        Self(command.spawn().expect("a child"))
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// What the children run; does nothing in the parent.
#[test]
fn child() {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let (folder, seed) = (variable("FUSEBOARD_FOLDER"), variable("FUSEBOARD_SEED"));
    let dice = || Dice::new(seed.parse().expect("a number"));
    match variable("FUSEBOARD_WORK").as_str() {
        "" => {}
        "create" => create(Path::new(&folder), &seed),
        round => hammer(Path::new(&folder), round, &seed, dice()),
    }
}

/// Makes tables, one after the other.
fn create(folder: &Path, seed: &str) {
    let geometry = Geometry::for_capacity(1, 2).expect("numbers in range");
    for number in 0..500 {
        drop(open::open(&format!("{seed}-{number}"), Some(folder), geometry, Clock::System));
    }
}

/// Records failures and writes down the count of each; between them uses one breaker and takes new slots.
fn hammer(folder: &Path, round: &str, seed: &str, mut dice: Dice) {
    let store = store(folder, Clock::System);
    let counted = slot(&store, &format!("counted {round}"));
    let mut counts = File::create(folder.join(format!("counts-{round}-{seed}"))).expect("our own folder");
    let breaker = slot(&store, &format!("breaker {round}")).pin();
    for step in 0..FAILURES {
        counts.write_all(&fail(&counted).to_ne_bytes()).expect("our own file");
        for _ in 0..dice.below(100) {
            let Ok(permit) = breaker.admit(&NERVOUS).verdict else { continue };
            let outcome = [Outcome::Success, Outcome::Failure, Outcome::Ignored][dice.below(3) as usize];
            breaker.settle(&NERVOUS, &Ticket::new(permit), outcome);
        }
        slot(&store, &format!("new {}", step % 200));
    }
}

/// The counts that the children of a round wrote down.
fn counts_of(folder: &Path, round: usize) -> Vec<u32> {
    let mut counts = Vec::new();
    for entry in fs::read_dir(folder).expect("our own folder") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("counts-{round}-"))) {
            let bytes = fs::read(&path).expect("our own file");
            counts.extend(bytes.as_chunks().0.iter().map(|count| u32::from_ne_bytes(*count)));
            fs::remove_file(path).expect("our own file");
        }
    }
    counts
}

/// Starts children, kills all but the first at a random moment and lets that one finish.
fn storm(folder: &Path, round: usize, dice: &mut Dice) {
    let mut children: Vec<_> =
        (0..CHILDREN as u64).map(|seed| Killed::start(&round.to_string(), folder, dice.roll() | seed)).collect();
    let started = || fs::read_dir(folder).expect("our own folder").count() > CHILDREN;
    while !started() {
        thread::yield_now();
    }
    for victim in children.drain(1..) {
        thread::sleep(Duration::from_micros(dice.below(2_000)));
        drop(victim);
    }
    assert!(children[0].0.wait().expect("our own child").success(), "the survivor ends well");
}

/// T05: the counts of all that was recorded are there once each; of a killed child's the last may be missing, because it
/// was killed before it could write it down.
fn check_counts(counts: &[u32], total: u32) {
    let distinct: BTreeSet<_> = counts.iter().copied().collect();
    assert_eq!(counts.len(), distinct.len(), "a count was given twice");
    assert!(distinct.iter().all(|count| (1..=total).contains(count)), "{total} in all, {:?}", distinct.last());
    let missing = total as usize - distinct.len();
    assert!(missing < CHILDREN, "{missing} of {total} are missing");
}

/// R11: nobody is left, so a call is admitted at once or, where a child died between taking a probe's permit and signing
/// it, when the lease has run out. Then the breaker works as ever.
fn check_breaker(folder: &Path, round: usize) {
    let name = format!("breaker {round}");
    let breaker = slot(&store(folder, Clock::System), &name);
    let word = breaker.fuse().word();
    assert!([State::Closed, State::Open, State::HalfOpen].contains(&word.state()), "{word:?}");
    assert!(word.generation() < breaker.now_us() + SECOND, "{word:?}");
    let later = Clock::Manual(Arc::new(ManualClock::new(breaker.now_us() + NERVOUS.probe_us + NERVOUS.reset_us)));
    let breaker = slot(&store(folder, later), &name).pin();
    let permit = breaker.admit(&NERVOUS).verdict.expect("nobody holds it up");
    breaker.settle(&NERVOUS, &Ticket::new(permit), Outcome::Ignored);
    breaker.fuse().command(State::Closed, || breaker.now_us());
    let permit = breaker.admit(&NERVOUS).verdict.expect("closed");
    (0..2).for_each(|_| _ = breaker.settle(&NERVOUS, &Ticket::new(permit), Outcome::Failure));
    assert_eq!(State::Open, breaker.word().state());
}

/// T03: a name that a child died claiming is completed by whoever asks for it next, in a slot of its own.
fn check_names(folder: &Path) {
    let store = store(folder, Clock::System);
    let names: Vec<_> = (0..200).map(|number| format!("new {number}")).collect();
    for name in &names {
        assert_eq!(Some(name), slot(&store, name).name().as_ref());
    }
    let listed: Vec<_> = store.slots().iter().filter_map(Slot::name).collect();
    let distinct: BTreeSet<_> = listed.iter().collect();
    assert_eq!(listed.len(), distinct.len(), "a name has two slots");
    assert_eq!(store.slots().len(), listed.len(), "a slot has no name");
}

/// T01, T02: processes killed at random moments, over and over, in one table: no failure of the survivors' is lost or
/// counted twice, and the breaker and the directory work for those who come after.
#[test]
fn a_storm_of_kills_damages_nothing() {
    let folder = Folder::new();
    let (mut dice, end) = (Dice::new(0x5eed), Instant::now() + STORM);
    let mut cut_short = 0;
    for round in (0..100).take_while(|_| Instant::now() < end) {
        storm(&folder.0, round, &mut dice);
        let counted = slot(&store(&folder.0, Clock::System), &format!("counted {round}"));
        let counts = counts_of(&folder.0, round);
        check_counts(&counts, fail(&counted) - 1);
        cut_short += usize::from(counts.len() < CHILDREN * FAILURES);
        check_breaker(&folder.0, round);
        check_names(&folder.0);
    }
    assert!(cut_short > 0, "no child was killed at its work");
}

/// T08: processes killed while they make tables leave whole tables or nothing.
#[test]
fn killed_creators_leave_whole_tables_or_nothing() {
    let (mut dice, end) = (Dice::new(0xc4ea7e), Instant::now() + STORM / 2);
    while Instant::now() < end {
        let folder = Folder::new();
        let creator = Killed::start("create", &folder.0, 1);
        while folder.names().is_empty() {
            thread::yield_now();
        }
        thread::sleep(Duration::from_micros(dice.below(3_000)));
        drop(creator);
        for file in folder.names() {
            let name = file.split('.').next().expect("a first part");
            let table = folder.open(name).expect("a whole table");
            assert_eq!(Some(folder.0.join(&file).as_path()), table.path(), "no other file than tables");
        }
    }
}
