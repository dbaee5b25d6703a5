//! Many real threads on one table at once, each doing every operation; what they were told must fit together.
//!
//! Loom tries every order of a few steps; this tries a few orders of very many steps, with the real clock and the real
//! atomics. It is also what ThreadSanitizer watches under `make tsan`. The threads share nothing of the test's own while
//! they run: a lock there would order what the table alone has to order.
mod common;
#[path = "threads/observed.rs"]
mod observed;
#[cfg(fuseboard_tsan)]
#[path = "threads/race.rs"]
mod race;

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use common::{Dice, Folder, POLICY, small};
use fuseboard_core::counters::{COUNTERS, Counter, totals};
use fuseboard_core::fuse::Effect;
use fuseboard_core::journal::About;
use fuseboard_core::layout::Geometry;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::time::HORIZON_US;
use fuseboard_core::transition::Cause;
use fuseboard_core::transition::Transition;
use fuseboard_core::word::Word;
use fuseboard_shm::clock::Clock;
use fuseboard_shm::handle::{Handle, Outcome, ProcessPermit};
use fuseboard_shm::store::{Slot, Store};
use fuseboard_shm::table::Table;
use observed::{Change, Observed};

const THREADS: usize = 8;
const STEPS: usize = 20_000;
/// How often threads claim the same names in a new table.
const ROUNDS: usize = 20;
/// The last one is also used by the raw operations of the store.
const FUSES: [&str; 3] = ["one", "two", "raw"];
/// What overflows lies behind a lock of the standard library's, which ThreadSanitizer cannot see into where that library was
/// built without it: there, names that fit.
const NAMES: usize = if cfg!(fuseboard_tsan) { 4 } else { 64 };
/// Opens and closes as often as it can.
const NERVOUS: Policy = Policy { threshold: 3, reset_us: 200, probes: 2, success_threshold: 2, ..POLICY };

/// Runs `work` in many threads that begin at once; what each returned.
fn at_once<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(THREADS);
    let run = |number| {
        start.wait();
        work(number)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || run(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

/// One thread at one fuse.
struct Caller<'a> {
    handle: &'a Handle,
    permits: Vec<ProcessPermit>,
    observed: Observed,
    last_seen: u64,
    raw: bool,
}

impl<'a> Caller<'a> {
    fn new(handle: &'a Handle, raw: bool) -> Self {
        Self { handle, permits: Vec::new(), observed: Observed::default(), last_seen: 0, raw }
    }

    fn step(&mut self, dice: &mut Dice) {
        match dice.below(100) {
            0..50 => self.admit(),
            50..90 => self.settle(dice.below(8)),
            90..97 => self.look(),
            97..99 if self.raw => self.record(dice.below(3)),
            97..99 => self.settle(dice.below(8)),
            _ if dice.below(10) == 0 => self.command(dice.below(8)),
            _ => {}
        }
    }

    fn admit(&mut self) {
        let admission = self.handle.admit(&NERVOUS);
        self.observed.changed(admission.transition, None);
        let Ok(permit) = admission.verdict else { return self.observed.count(Counter::Rejections) };
        let permit = ProcessPermit::new(permit);
        if permit.is_probe() {
            self.observed.count(Counter::Probes);
        }
        self.permits.push(permit);
    }

    fn settle(&mut self, choice: u64) {
        let (outcome, counter) = match choice {
            0..3 => (Outcome::Success, Counter::Successes),
            3..7 => (Outcome::Failure, Counter::Failures),
            _ => (Outcome::Ignored, Counter::Ignored),
        };
        let Some(permit) = (!self.permits.is_empty()).then(|| self.permits.remove(0)) else { return };
        self.observed.count(counter);
        let generation = permit.generation();
        match self.handle.settle(&NERVOUS, &permit, outcome, || About::NOTHING) {
            Effect::Late => self.observed.count(Counter::Late),
            Effect::Changed(change) => {
                self.observed.count(if change.to == State::Open { Counter::Trips } else { Counter::Closes });
                self.observed.changed(Some(change), Some(generation));
            }
            Effect::Counted if outcome == Outcome::Failure => {
                *self.observed.failures.entry(generation).or_default() += 1;
            }
            Effect::Counted if outcome == Outcome::Success && permit.is_probe() => {
                *self.observed.probes.entry(generation).or_default() += 1;
            }
            Effect::Counted => {}
        }
    }

    /// R09: for one reader generations do not go back, and what it reads belongs together.
    fn look(&mut self) {
        let reading = self.handle.fuse().read();
        let generation = reading.word.generation();
        assert!(self.last_seen <= generation, "{} after {}", generation, self.last_seen);
        assert_eq!(reading.failures > 0, reading.last_failure_us.is_some());
        assert!(reading.failures as usize <= self.handle.log_len());
        self.last_seen = generation;
        self.observed.seen.push((generation, reading.word.state()));
    }

    fn record(&mut self, choice: u64) {
        let (fuse, now_us) = (self.handle.fuse(), self.handle.now_us());
        if choice == 0 {
            _ = fuse.record_success(now_us);
            return;
        }
        let count = fuse.record_failure(HORIZON_US, now_us);
        assert!((1..=self.handle.log_len()).contains(&(count as usize)), "{count}");
    }

    fn command(&mut self, choice: u64) {
        let (fuse, now_us) = (self.handle.fuse(), || self.handle.now_us());
        self.observed.changed(
            match choice {
                0 => fuse.command(State::Isolated, now_us),
                1 => fuse.command(State::Disabled, now_us),
                2 => fuse.set(State::Open, now_us()),
                3 => fuse.set(State::HalfOpen, now_us()),
                4 => fuse.forget(now_us),
                _ => fuse.command(State::Closed, now_us),
            },
            None,
        );
    }

    fn into_told(mut self) -> Observed {
        while !self.permits.is_empty() {
            self.settle(7);
        }
        self.observed
    }
}

/// Every operation, on all fuses in turn; what the thread was told of each.
fn use_fuses(store: &Store, number: usize) -> Vec<Observed> {
    let mut dice = Dice::new(0xd1ce << 8 | number as u64);
    let handles = FUSES.map(|name| store.resolve(name).expect("there is room").pin());
    let mut callers: Vec<_> = handles.iter().map(|handle| Caller::new(handle, false)).collect();
    callers.last_mut().expect("a raw one").raw = true;
    for _ in 0..STEPS {
        callers[dice.below(FUSES.len() as u64) as usize].step(&mut dice);
    }
    callers.into_iter().map(Caller::into_told).collect()
}

/// All that was told must fit together, and with what is left.
fn check(store: &Store, reports: Vec<Vec<Observed>>) {
    let mut all: Vec<_> = FUSES.iter().map(|_| Observed::default()).collect();
    for report in reports {
        all.iter_mut().zip(report).for_each(|(sum, observed)| sum.merge(observed));
    }
    for (mut observed, name) in all.into_iter().zip(FUSES) {
        let slot = store.find(name).expect("it was used");
        let faults = observed.faults(&NERVOUS, slot.fuse().word(), name == "raw");
        assert!(faults.is_empty(), "{name}: {} faults, such as {:#?}", faults.len(), &faults[..faults.len().min(5)]);
        assert_eq!(observed.counters, totals(slot.stripes()), "{name}");
        assert!(observed.counters.iter().all(|count| *count > 0), "something never happened: {:?}", observed.counters);
    }
}

fn private() -> Store {
    Store::new(Table::private(small(), Clock::System).expect("memory"))
}

/// R03, R07, R09, T05, T07: threads that share one mapping.
#[test]
fn what_threads_on_one_table_are_told_fits_together() {
    let store = private();
    let reports = at_once(|number| use_fuses(&store, number));
    check(&store, reports);
}

/// The same where each thread has a mapping of its own of a host's table, as processes have.
#[test]
fn what_threads_with_mappings_of_their_own_are_told_fits_together() {
    let folder = Folder::new();
    let open = || Store::new(folder.table("shop"));
    let reports = at_once(|number| use_fuses(&open(), number));
    check(&open(), reports);
}

/// T03, T12: one name has one slot, and no failure is lost, also where most of the names overflow from the table.
#[test]
fn names_that_threads_claim_at_once_have_one_slot_each() {
    let names: Vec<_> = (0..NAMES).map(|number| format!("fuse {number}")).collect();
    for _ in 0..ROUNDS {
        let store = private();
        at_once(|_| {
            for name in &names {
                let slot = store.resolve(name).expect("there is memory");
                slot.fuse().record_failure(HORIZON_US, slot.now_us());
                assert!(store.slots().iter().filter_map(Slot::name).all(|name| names.contains(&name)));
            }
        });
        let slots = store.slots();
        let listed: BTreeSet<_> = slots.iter().filter_map(Slot::name).collect();
        assert_eq!((names.len(), names.len()), (slots.len(), listed.len()));
        assert_eq!(names.len() - small().slots(), store.overflowed());
        let failures = |slot: &Slot| slot.fuse().read().failures as usize;
        assert!(slots.iter().all(|slot| failures(slot) == THREADS.min(small().log_len())));
    }
}

/// T05: raw failures of threads are told the counts 1 to n, each once; on fuse after fuse, so that the threads do meet.
#[test]
fn each_failure_of_many_threads_gets_a_count_of_its_own() {
    let geometry = Geometry::for_capacity(128, 2048).expect("numbers in range");
    let store = Store::new(Table::private(geometry, Clock::System).expect("memory"));
    let count = |round: usize| {
        let slot = store.resolve(&format!("fuse {round}")).expect("there is room");
        let each = 2048 / THREADS;
        (0..each).map(|_| slot.fuse().record_failure(HORIZON_US, slot.now_us())).collect::<Vec<_>>()
    };
    let observed = at_once(|_| (0..128).map(count).collect::<Vec<_>>());
    for round in 0..128 {
        let counts: BTreeSet<_> = observed.iter().flat_map(|observed| &observed[round]).copied().collect();
        assert_eq!(2048, counts.len(), "a count was given twice");
        assert_eq!((Some(&1), Some(&2048)), (counts.first(), counts.last()));
    }
}

/// `reset_all` beside everything else: no thread stumbles, and a last one leaves every fuse closed, empty and at 0.
#[test]
fn forgetting_everything_beside_everything_disturbs_nobody() {
    let store = private();
    at_once(|number| match number {
        0 => (0..STEPS / 20).for_each(|_| store.forget_all()),
        _ => _ = use_fuses(&store, number),
    });
    store.forget_all();
    for name in FUSES {
        let slot = store.find(name).expect("it was used");
        assert_eq!((State::Unseen, 0), (slot.fuse().word().state(), slot.fuse().read().failures));
        assert_eq!([0; COUNTERS], totals(slot.stripes()));
    }
}

/// Control: the checks above see a change told twice, one told to nobody, one by an outcome of another generation, one
/// without its failures, and a look at what never was.
#[test]
fn histories_that_do_not_fit_are_found_out() {
    let trip = Transition { from: State::Closed, to: State::Open, generation: 10, cause: Cause::Threshold };
    let probe = Transition { from: State::Open, to: State::HalfOpen, generation: 20, cause: Cause::ResetTimeout };
    let observed = |changes: &[(Transition, Option<u64>)], seen: &[(u64, State)], failures: u32| Observed {
        changes: changes.iter().map(|(transition, of)| Change { transition: *transition, by_permit_of: *of }).collect(),
        seen: seen.to_vec(),
        failures: [(5, failures)].into(),
        ..Observed::default()
    };
    let faults = |mut observed: Observed, last: State| observed.faults(&NERVOUS, Word(last as u64), false).len();
    let (tripped, probed) = ((trip, Some(5)), (probe, None));
    assert_eq!(0, faults(observed(&[probed, tripped], &[(20, State::HalfOpen)], 2), State::HalfOpen));
    assert_ne!(0, faults(observed(&[tripped, tripped], &[], 2), State::Open), "told twice");
    assert_ne!(0, faults(observed(&[probed], &[], 2), State::HalfOpen), "told to nobody");
    assert_ne!(0, faults(observed(&[tripped], &[], 2), State::HalfOpen), "not what is left");
    assert_ne!(0, faults(observed(&[tripped, (probe, Some(5))], &[], 2), State::HalfOpen), "of another generation");
    assert_ne!(0, faults(observed(&[tripped], &[], 1), State::Open), "a failure too few");
    assert_ne!(0, faults(observed(&[tripped], &[(10, State::HalfOpen)], 2), State::Open), "never was");
}
