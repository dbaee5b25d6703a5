//! A store in one thread: its slots, what overflows from its table, and what a handle counts of the calls it admits.
mod common;

use std::sync::Arc;

use common::{Folder, POLICY, SECOND, small};
use fuseboard_core::counters::{COUNTERS, totals};
use fuseboard_core::fuse::Effect;
use fuseboard_core::journal::About;
use fuseboard_core::layout::Geometry;
use fuseboard_core::state::State;
use fuseboard_core::transition::Cause;
use fuseboard_core::transition::Transition;
use fuseboard_shm::clock::{Clock, ManualClock};
use fuseboard_shm::handle::{Handle, Outcome, ProcessPermit};
use fuseboard_shm::owner;
use fuseboard_shm::store::Store;
use fuseboard_shm::table::Table;

const NOW: u64 = 1_000_000_000;

/// A store with room for four fuses, and the clock that the test moves.
fn store() -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(NOW));
    let table = Table::private(small(), Clock::Manual(Arc::clone(&clock))).expect("there is memory");
    (Store::new(table), clock)
}

/// The store's table, and those for what overflowed.
fn tables(store: &Store) -> impl Iterator<Item = &Table> {
    std::iter::once(store.table()).chain(store.overflow())
}

fn pinned(store: &Store, name: &str) -> Handle {
    store.resolve(name).expect("there is memory").pin()
}

/// What was counted for `db`: successes, failures, ignored, rejections, late, probes, trips, closes.
fn counted(store: &Store) -> [u64; COUNTERS] {
    totals(store.find("db").expect("it was used").stripes())
}

fn permit(handle: &Handle) -> ProcessPermit {
    ProcessPermit::new(handle.admit(&POLICY).verdict.expect("it is admitted"))
}

fn changed(effect: Effect) -> Transition {
    let Effect::Changed(transition) = effect else { panic!("no transition: {effect:?}") };
    transition
}

/// T07: each call is counted as what became of it, from the first to a trip, a rejection, a probe and a close.
#[test]
fn each_call_is_counted_as_what_became_of_it() {
    let (store, clock) = store();
    let handle = pinned(&store, "db");
    assert_eq!(Effect::Counted, handle.settle(&POLICY, &permit(&handle), Outcome::Success, || About::NOTHING));
    assert_eq!(Effect::Counted, handle.settle(&POLICY, &permit(&handle), Outcome::Ignored, || About::NOTHING));
    let late = permit(&handle);
    assert!(!late.is_probe());
    assert_eq!(handle.word().generation(), late.generation());
    for _ in 1..POLICY.threshold {
        assert_eq!(Effect::Counted, handle.settle(&POLICY, &permit(&handle), Outcome::Failure, || About::NOTHING));
    }
    let trip = changed(handle.settle(&POLICY, &permit(&handle), Outcome::Failure, || About::NOTHING));
    assert_eq!((State::Closed, State::Open, Cause::Threshold), (trip.from, trip.to, trip.cause));
    assert_eq!([1, 3, 1, 0, 0, 0, 1, 0], counted(&store));
    assert_eq!(Effect::Late, handle.settle(&POLICY, &late, Outcome::Success, || About::NOTHING));
    assert!(handle.admit(&POLICY).verdict.is_err());
    assert_eq!([2, 3, 1, 1, 1, 0, 1, 0], counted(&store));
    clock.advance(POLICY.reset_us);
    let probe = permit(&handle);
    assert!(probe.is_probe() && handle.admit(&POLICY).verdict.is_err());
    let close = changed(handle.settle(&POLICY, &probe, Outcome::Success, || About::NOTHING));
    assert_eq!((State::HalfOpen, State::Closed, Cause::ProbesSucceeded), (close.from, close.to, close.cause));
    assert_eq!([3, 3, 1, 2, 1, 1, 1, 1], counted(&store));
}

/// T07: a process counts on the line that its token chooses.
#[test]
fn a_process_counts_on_its_own_line() {
    let (store, _) = store();
    let handle = pinned(&store, "db");
    handle.settle(&POLICY, &permit(&handle), Outcome::Ignored, || About::NOTHING);
    let slot = store.find("db").expect("it was used");
    assert_eq!(1, totals(&slot.stripes()[owner::stripe()..][..1])[2]);
}

/// R04: a success while the window holds a failure clears it; one while it is empty is counted without a change.
#[test]
fn a_fast_success_is_one_that_changes_nothing() {
    let (store, _) = store();
    let handle = pinned(&store, "db");
    handle.fuse().record_success(NOW);
    let clean = handle.word();
    assert!(handle.fast_success(clean, 0));
    assert_eq!([1, 0, 0, 0, 0, 0, 0, 0], counted(&store));
    handle.settle(&POLICY, &permit(&handle), Outcome::Failure, || About::NOTHING);
    let dirty = handle.word();
    assert!(!handle.fast_success(clean, 0), "a failure came in between");
    assert!(!handle.fast_success(dirty, 0), "there is a window to clear");
    handle.settle(&POLICY, &permit(&handle), Outcome::Success, || About::NOTHING);
    assert!(!handle.word().is_dirty());
    assert_eq!([2, 1, 0, 0, 0, 0, 0, 0], counted(&store));
}

/// R09: a success of an older generation is late, although the fuse is closed with an empty window again.
#[test]
fn a_success_of_an_older_generation_is_late() {
    let (store, _) = store();
    let handle = pinned(&store, "db");
    let old = permit(&handle);
    handle.fuse().set(State::Open, NOW);
    handle.fuse().set(State::Closed, NOW);
    assert_eq!(Effect::Late, handle.settle(&POLICY, &old, Outcome::Success, || About::NOTHING));
    assert_eq!([1, 0, 0, 0, 1, 0, 0, 0], counted(&store));
}

/// R10: a probe that is cancelled gives its permit back at once, and is counted as no outcome.
#[test]
fn a_cancelled_probe_lets_the_next_call_through() {
    let (store, _) = store();
    let handle = pinned(&store, "db");
    handle.fuse().set(State::HalfOpen, NOW);
    let probe = permit(&handle);
    assert!(handle.admit(&POLICY).verdict.is_err());
    handle.cancel(&probe);
    assert!(permit(&handle).is_probe());
    assert_eq!([0, 0, 0, 1, 0, 2, 0, 0], counted(&store));
}

/// T14: the first call after the reset timeout makes the fuse half-open, and writes that down itself, at once.
#[test]
fn the_call_that_makes_a_fuse_half_open_writes_it_down() {
    let (store, clock) = store();
    let handle = pinned(&store, "db");
    handle.fuse().set(State::Open, NOW);
    clock.advance(POLICY.reset_us);
    handle.admit(&POLICY).verdict.expect("its time is up");
    let written: Vec<_> = (0..2).filter_map(|number| store.table().journal().read(number)).collect();
    let told: Vec<_> = written.iter().map(|it| (it.to, it.cause, it.pid)).collect();
    let pid = std::process::id();
    assert_eq!(vec![(State::Open, Cause::Set, pid), (State::HalfOpen, Cause::ResetTimeout, pid)], told);
}

/// T12: what does not fit into the table is found again, in this process; nothing else is found, and each says where it lies.
#[test]
fn what_overflows_is_found_again() {
    let (store, _) = store();
    let names: Vec<_> = (0..11).map(|number| format!("fuse {number}")).collect();
    assert!(names.iter().all(|name| store.find(name).is_none()));
    let mut slots = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let slot = store.resolve(name).expect("there is memory");
        let overflows = number >= 4;
        assert_eq!((overflows, overflows), (slot.overflowed(), slot.pin().overflowed()));
        assert_eq!(number.saturating_sub(3), store.overflowed());
        slot.fuse().set(State::Open, NOW + number as u64);
        slots.push(slot);
    }
    assert_eq!((4, NOW), (slots[9].pin().log_len(), slots[9].now_us()));
    for (number, name) in names.iter().enumerate() {
        for slot in [store.find(name).expect("it has a slot"), store.resolve(name).expect("it has a slot")] {
            assert_eq!((NOW + number as u64, Some(name.clone())), (slot.fuse().word().generation(), slot.name()));
        }
    }
    let mut listed: Vec<_> =
        store.slots().iter().map(|slot| (slot.name().expect("whole"), slot.overflowed())).collect();
    listed.sort_unstable_by_key(|(name, _)| names.iter().position(|it| it == name));
    assert_eq!(names.iter().cloned().zip((0..11).map(|n| n >= 4)).collect::<Vec<_>>(), listed);
    assert!(store.find("stranger").is_none());
}

/// T12: what overflows from a large table lies in small ones of 1,024 slots, from a small one in such as it is.
#[test]
fn overflow_is_no_larger_than_need_be() {
    for (slots, expected) in [(2, 2), (2_048, 1_024)] {
        let geometry = Geometry::of(slots, 2).expect("in range");
        let store = Store::new(Table::private(geometry, Clock::System).expect("there is memory"));
        (0..=slots).for_each(|number| _ = store.resolve(&number.to_string()));
        let sizes: Vec<_> = tables(&store).map(|table| table.geometry().slots()).collect();
        // A large table may send a name on before its last slot is taken: it looks at a thousand of them at most.
        assert_eq!([slots, expected].as_slice(), sizes);
    }
}

/// T12: as many names as a table was asked to have room for find it, also in one that is longer than a look-up goes.
#[test]
fn as_many_names_find_room_as_were_asked_for() {
    for fuses in [1_024, 1_792, 2_048, 65_536] {
        let geometry = Geometry::for_capacity(fuses, 2).expect("in range");
        let table = Table::private(geometry, Clock::System).expect("there is memory");
        assert_eq!(None, (0..fuses).find(|number| table.locate(&number.to_string(), true).is_none()));
    }
}

/// `reset_all`: every fuse, of what overflows too, is closed and forgotten with its counters, and the journal says so.
#[test]
fn all_is_forgotten_together() {
    let (store, _) = store();
    let names: Vec<_> = (0..6).map(|number| format!("fuse {number}")).collect();
    for name in &names {
        let handle = pinned(&store, name);
        handle.fuse().set(State::Open, NOW);
        assert!(handle.admit(&POLICY).verdict.is_err());
        assert_eq!(1, totals(store.resolve(name).expect("it has one").stripes())[3]);
    }
    store.forget_all();
    for name in &names {
        let slot = store.find(name).expect("nobody removed it");
        assert_eq!((State::Unseen, [0; COUNTERS]), (slot.fuse().word().state(), totals(slot.stripes())));
    }
    let told: Vec<_> = tables(&store)
        .map(|table| {
            let read = (0..table.journal().next()).filter_map(|number| table.journal().read(number));
            read.filter(|record| record.cause == Cause::ResetAll).count()
        })
        .collect();
    assert_eq!(vec![4, 2], told);
}

/// Two tables of one host: what one mapping takes, writes and claims, another finds, each fuse with words of its own.
#[test]
fn each_fuse_of_a_table_has_words_of_its_own() {
    let folder = Folder::new();
    let (one, other) = (Store::new(folder.table("shop")), Store::new(folder.table("shop")));
    let names = ["a", "b", "c", "d"];
    for (number, name) in (1..).zip(names) {
        let handle = pinned(&one, name);
        (0..number).for_each(|_| _ = handle.fuse().record_failure(60 * SECOND, handle.now_us()));
        (0..number).for_each(|_| _ = handle.settle(&POLICY, &permit(&handle), Outcome::Ignored, || About::NOTHING));
    }
    for (number, name) in (1..).zip(names) {
        let slot = other.find(name).expect("the other claimed it");
        assert_eq!((number, u64::from(number)), (slot.fuse().read().failures, totals(slot.stripes())[2]));
        assert_eq!(Some(name.to_owned()), slot.name());
    }
    assert_eq!(vec![0, 1, 2, 3], other.table().taken().collect::<Vec<_>>());
}
