//! A storm of kills: forked processes that do nothing but operations on one table, and hundreds of SIGKILLs per second.
//!
//! `FUSEBOARD_STORM_SECONDS` makes it longer. What Python's storm (`tests/processes/test_kill.py`) shows of whole workers,
//! this shows of bare operations, of which far more are under way when a kill comes.
#[path = "common/chronicle.rs"]
mod chronicle;
mod common;

use std::collections::{BTreeSet, VecDeque};
use std::ptr;
use std::time::{Duration, Instant};

use chronicle::Chronicle;
use common::{Dice, Folder, POLICY, SECOND};
use fuseboard_core::counters::{Counter, totals};
use fuseboard_core::journal::{About, Record};
use fuseboard_core::layout::Geometry;
use fuseboard_core::overrides::Override;
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::Rate;
use fuseboard_core::state::State;
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::time::HORIZON_US;
use fuseboard_shm::clock::Clock;
use fuseboard_shm::handle::{Handle, Outcome, ProcessPermit};
use fuseboard_shm::journal_cursor::JournalCursor;
use fuseboard_shm::open;
use fuseboard_shm::store::Store;

const CREW: usize = 4;
const DYING: usize = 32;
/// Breaks and probes as often as it can. A policy that has everything, and is never at rest.
const NERVOUS: Policy = Policy {
    threshold: 2,
    reset_us: 200,
    multiplier_permille: 1_500,
    longest_us: 1_000,
    jitter_ppm: 100_000,
    success_threshold: 2,
    probe_failures: 2,
    half_open_us: 5_000,
    ramp_us: 300,
    ramp_from_ppm: 300_000,
    probe_us: 1_000,
    rates: [
        Some(Rate { span: SECOND, bad_ppm: 300_000, min_calls: 4, slow_us: 0 }),
        Some(Rate { span: 14, bad_ppm: 500_000, min_calls: 3, slow_us: 0 }),
        None,
        None,
    ],
    ..POLICY
};
/// Names that processes claim while others die at it. They fit into the table beside the fuses.
const NAMES: u64 = 4_000;
const SEED: u64 = 0x4a11;
/// How often a long storm says how far it is.
const WORD_EVERY: Duration = Duration::from_secs(10);
/// By how much a stamp may lead the clock.
const LEADS_US: u64 = 10_000;

/// What all processes of the test write down, in memory that outlives each of them.
#[repr(C)]
struct Ledger {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Counted by look-and-store, as a control.
    racy: AtomicU64,
    operations: AtomicU64,
    /// What the reader has read: records that follow one another, and those that were missing.
    links: AtomicU64,
    missing: AtomicU64,
    stop: AtomicU64,
}

fn ledger() -> &'static Ledger {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping of zeroes, which are a valid ledger; never unmapped; every access is atomic.
    unsafe {
        let page = libc::mmap(ptr::null_mut(), size_of::<Ledger>(), protection, flags, -1, 0);
        assert_ne!(libc::MAP_FAILED, page, "memory to share");
        &*page.cast::<Ledger>()
    }
}

/// What a process works on.
struct Site {
    store: Store,
    steady: Handle,
    nervous: Handle,
    wild: Handle,
}

impl Site {
    fn open(folder: &Folder) -> Self {
        let geometry = Geometry::for_capacity(4_096, 4).expect("numbers in range");
        let store = Store::new(open::open("shop", Some(&folder.0), geometry, Clock::System).expect("a table"));
        let pin = |name| store.resolve(name).expect("there is room").pin();
        Self { steady: pin("steady"), nervous: pin("nervous"), wild: pin("wild"), store }
    }

    fn work(&self, ledger: &Ledger, mut dice: Dice) {
        while ledger.stop.load(Ordering::Relaxed) == 0 {
            self.account(ledger);
            for _ in 0..dice.below(20) {
                self.operate(&mut dice);
                ledger.operations.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// One call of which all processes together keep account.
    fn account(&self, ledger: &Ledger) {
        ledger.begun.fetch_add(1, Ordering::Relaxed);
        let looked = ledger.racy.load(Ordering::Relaxed);
        let permit = self.steady.admit(&POLICY).verdict.expect("closed");
        self.steady.settle(&POLICY, &ProcessPermit::new(permit), Outcome::Success, || About::NOTHING);
        ledger.racy.store(looked + 1, Ordering::Relaxed);
        ledger.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads the journal through it all, in both ways.
    fn watch(&self, ledger: &Ledger) {
        let (table, mut chronicle, mut reader) =
            (self.store.table(), Chronicle::default(), JournalCursor::from_now(self.store.table()));
        while ledger.stop.load(Ordering::Relaxed) == 0 {
            chronicle.read(table.journal(), || self.latest_us());
            assert!(chronicle.faults.is_empty(), "{:?}", chronicle.faults);
            chronicle.journaled.clear();
            let journaled = reader.poll(table);
            assert!(
                journaled.iter().all(|record| record.generation <= self.latest_us() && record.from.is_event(record.to)),
                "{journaled:?}"
            );
            ledger.links.store(chronicle.links, Ordering::Relaxed);
            ledger.missing.store(chronicle.missing, Ordering::Relaxed);
        }
    }

    /// The latest stamp there can be: changes within a microsecond push it ahead of the clock.
    fn latest_us(&self) -> u64 {
        self.wild.now_us() + LEADS_US
    }

    fn operate(&self, dice: &mut Dice) {
        let now = || self.wild.now_us();
        let fuse = self.wild.fuse();
        let with_demand = Outcome::FailureWithDemand { demands: dice.below(2) == 0, asked_us: 400 };
        let outcome = [Outcome::Success, Outcome::Success, Outcome::Failure, Outcome::Ignored, with_demand]
            [dice.below(5) as usize];
        match dice.below(80) {
            0 => _ = fuse.record_failure(HORIZON_US, now()),
            1 => _ = fuse.record_success(now()),
            2 => _ = fuse.set([State::Open, State::HalfOpen, State::Closed][dice.below(3) as usize], now()),
            3 => _ = fuse.command([State::Isolated, State::Disabled, State::Closed][dice.below(3) as usize], now),
            4 => _ = fuse.forget(now),
            8 => {
                let state = [State::Isolated, State::Disabled][dice.below(2) as usize];
                let order =
                    Override { for_us: 300 * dice.below(3), who: "storm", why: "a storm", ..Override::new(state) };
                _ = self.wild.apply_override(&order);
            }
            9 => _ = self.wild.admit(&NERVOUS),
            5 => _ = fuse.read(),
            6 => _ = self.store.resolve(["steady", "nervous", "wild", "other"][dice.below(4) as usize]),
            7 => _ = self.store.resolve(&name(dice.below(NAMES))),
            _ => {
                if let Ok(permit) = self.nervous.admit(&NERVOUS).verdict {
                    let about = || About::new(b"Storm");
                    self.nervous.settle(&NERVOUS, &ProcessPermit::new(permit), outcome, about);
                }
            }
        }
    }
}

/// A forked process that works until it is killed or told to stop.
fn start(site: &Site, ledger: &Ledger, dice: Dice) -> libc::pid_t {
    start_to(|| site.work(ledger, dice))
}

fn start_to(work: impl FnOnce()) -> libc::pid_t {
    // SAFETY: the child works on atomics, takes no lock that another thread of this process may hold (glibc's allocator
    // is usable after fork), and ends by `_exit`. The alarm ends one that hangs.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0, "a child");
        if child == 0 {
            libc::alarm(600);
            // So that the killer gets its turn at once, however busy they are.
            libc::nice(5);
            let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            libc::_exit(i32::from(worked.is_err()));
        }
        child
    }
}

/// Waits for the end of a child of ours; its status.
fn bury(child: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: our own child, and `status` outlives the call.
    assert_eq!(child, unsafe { libc::waitpid(child, &raw mut status, 0) });
    status
}

/// Kills and replaces until the end; how many were killed. One that is killed dies when it gets its turn: nobody waits for
/// that, unless [`DYING`] are about to.
fn rage(site: &Site, ledger: &Ledger, crew: &mut [libc::pid_t], end: Instant) -> u64 {
    let (mut dice, mut kills, mut dying) = (Dice::new(SEED), 0, VecDeque::new());
    let mut next_word = Instant::now() + WORD_EVERY;
    while Instant::now() < end || !dying.is_empty() {
        if Instant::now() > next_word {
            next_word += WORD_EVERY;
            eprintln!("kill_storm: {kills} kills, {} s to go", end.saturating_duration_since(Instant::now()).as_secs());
        }
        if Instant::now() < end {
            let victim = &mut crew[dice.below(CREW as u64) as usize];
            std::thread::sleep(Duration::from_micros(dice.below(1_000)));
            // SAFETY: a child of ours that is not buried yet.
            unsafe { libc::kill(*victim, libc::SIGKILL) };
            dying.push_back(std::mem::replace(victim, start(site, ledger, Dice::new(dice.roll()))));
            kills += 1;
        }
        if dying.len() > DYING || Instant::now() >= end {
            let next = dying.pop_front().expect("somebody is dying");
            assert_eq!(libc::SIGKILL, bury(next), "nobody ended by itself");
        }
    }
    kills
}

/// Whether a count of calls fits what was begun and what was ended, where each kill may have cost one.
fn fits(counted: u64, ledger: &Ledger, kills: u64) -> bool {
    let (begun, ended) = (ledger.begun.load(Ordering::Relaxed), ledger.ended.load(Ordering::Relaxed));
    (ended..=begun).contains(&counted) && begun - ended <= kills
}

/// A fuse that was in the middle of it all works as ever, once every lease has run out.
fn check_fuse(handle: &Handle) {
    let word = handle.word();
    assert!(word.generation() < handle.now_us() + SECOND, "{word:?}");
    handle.fuse().command(State::Closed, || handle.now_us());
    let permit = handle.admit(&NERVOUS).verdict.expect("closed");
    (0..2).for_each(|_| _ = handle.settle(&NERVOUS, &ProcessPermit::new(permit), Outcome::Failure, || About::NOTHING));
    assert_eq!(State::Open, handle.word().state());
    while handle.admit(&NERVOUS).verdict.is_err() {
        std::thread::sleep(Duration::from_micros(NERVOUS.reset_us));
    }
}

/// What the journal tells when all is over: each fuse's chain up to its state, to whoever reads it number by number and by a
/// [`Reader`] alike. What stands in the ring, number by number.
fn check_journal(site: &Site) -> Vec<Option<Record>> {
    let (table, mut chronicle) = (site.store.table(), Chronicle::default());
    site.store.slots().iter().for_each(|slot| slot.fuse().catch_up());
    chronicle.read(table.journal(), || site.latest_us());
    table.taken().for_each(|slot| chronicle.ends_in(slot as u32, table.fuse(slot).word().state().visible()));
    assert!(chronicle.faults.is_empty(), "{:?}", chronicle.faults);
    assert_eq!(
        chronicle.journaled,
        JournalCursor::from_oldest(table).read_all(table),
        "a reader drops what was journaled before"
    );
    eprintln!("journal: {} of {} records hang together in the end", chronicle.links, chronicle.journaled.len());
    assert!(2 * chronicle.links > chronicle.journaled.len() as u64, "{chronicle:?}");
    table.journal().span().map(|number| table.journal().read(number)).collect()
}

/// A name that is claimed in the storm.
fn name(number: u64) -> String {
    format!("name {number}")
}

/// T03: a name that a process died claiming is completed by whoever asks for it next, and each name has one slot.
fn check_names(site: &Site) {
    for name in (0..NAMES).map(name) {
        let slot = site.store.resolve(&name).expect("there is room");
        assert_eq!((false, Some(name)), (slot.overflowed(), slot.name()));
    }
    let names: Vec<_> = site.store.slots().iter().map(|slot| slot.name().expect("a slot in use has a name")).collect();
    assert!(is_one_slot_each(&names), "a name has two slots");
    assert!(!is_one_slot_each(&[names.as_slice(), &names[..1]].concat()), "control: a name that has two");
}

fn is_one_slot_each(names: &[String]) -> bool {
    names.len() == names.iter().collect::<BTreeSet<_>>().len()
}

/// Whether the journal's check finds fault with what is told.
fn is_faulted(journaled: &[Option<Record>]) -> bool {
    let mut chronicle = Chronicle::default();
    for (number, record) in (0..).zip(journaled) {
        chronicle.take(number, *record, u64::MAX);
    }
    !chronicle.faults.is_empty()
}

/// Control: a record that is left out, where no number is without one, is seen; so is one that tells another state.
fn check_control(journaled: &[Option<Record>]) {
    assert!(!is_faulted(journaled));
    let follows = |pair: &[Option<Record>]| {
        let [Some(before), Some(after)] = pair else { return false };
        before.slot == after.slot && before.generation < after.generation
    };
    let is_in_a_chain = |at: usize| journaled[at - 3..at + 3].windows(2).all(follows);
    // Of two overrides of one state, one behind the other, either could be left out.
    let changes = |at: usize| journaled[at].is_some_and(|record| record.from != record.to);
    let at = (3..journaled.len() - 3)
        .find(|at| is_in_a_chain(*at) && changes(*at))
        .expect("a fuse that changes all the time");
    let left_out: Vec<_> = [&journaled[..at], &journaled[at + 1..]].concat();
    assert!(is_faulted(&left_out), "control: a record left out");
    let mut wrong = journaled.to_vec();
    let other = |state| if state == State::Disabled { State::Isolated } else { State::Disabled };
    wrong[at] = wrong[at].map(|record| Record { to: other(record.to), ..record });
    assert!(is_faulted(&wrong), "control: a wrong state");
}

/// T01, T02, T07: however many processes die in the middle of whatever they do, the survivors go on, every call is
/// accounted for, and every fuse works.
#[test]
fn a_storm_of_kills_damages_nothing() {
    let seconds = std::env::var("FUSEBOARD_STORM_SECONDS").map_or(1.5, |text| text.parse().expect("seconds"));
    let folder = Folder::new();
    let (site, ledger) = (Site::open(&folder), ledger());
    let crew = |number: usize| start(&site, ledger, Dice::new(SEED + number as u64));
    let (survivor, mut crew): (_, Vec<_>) = (crew(CREW), (0..CREW).map(crew).collect());
    let reader = start_to(|| site.watch(ledger));
    let kills = rage(&site, ledger, &mut crew, Instant::now() + Duration::from_secs_f64(seconds));
    ledger.stop.store(1, Ordering::Relaxed);
    let ends = crew.into_iter().chain([survivor, reader]).map(bury).collect::<Vec<_>>();
    assert_eq!(vec![0; CREW + 2], ends, "whoever was not killed ends well when journaled to");
    let operations = ledger.operations.load(Ordering::Relaxed);
    eprintln!("kill_storm: {kills} kills, {operations} operations in {seconds} s");
    let [links, missing] = [&ledger.links, &ledger.missing].map(|count| count.load(Ordering::Relaxed));
    eprintln!("journal: {links} records read that hang together, {missing} missed or not there");
    assert!(links > 0, "a reader that always comes too late sees nothing");
    check_control(&check_journal(&site));
    let counted = totals(site.store.resolve("steady").expect("there").stripes())[Counter::Successes as usize];
    assert!(fits(counted, ledger, kills), "{counted} calls counted");
    assert!(!fits(ledger.racy.load(Ordering::Relaxed), ledger, kills), "control: look-and-store loses calls");
    assert!(kills as f64 >= 20.0 * seconds, "{kills} kills are no storm");
    check_names(&site);
    check_fuse(&site.nervous);
    check_fuse(&site.wild);
}
