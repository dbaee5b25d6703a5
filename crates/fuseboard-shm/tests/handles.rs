//! A handle under a policy, in one thread: calls that are slow, that say what is to follow, and permits that stand for others.
mod common;

use std::sync::Arc;

use common::{Folder, POLICY, SECOND, small};
use fuseboard_core::admission::Rejection;
use fuseboard_core::counters::{Counter, totals};
use fuseboard_core::fuse::Effect;
use fuseboard_core::journal::About;
use fuseboard_core::layout::Geometry;
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::Rate;
use fuseboard_core::rate::{RATE_WINDOWS, RateCount, RateKind};
use fuseboard_core::state::State;
use fuseboard_core::transition::Cause;
use fuseboard_shm::clock::{Clock, ManualClock};
use fuseboard_shm::handle::{Handle, Outcome, ProcessPermit};
use fuseboard_shm::store::Store;
use fuseboard_shm::table::Table;

const NOW: u64 = 1_000_000_000;

fn store(geometry: Geometry) -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(NOW));
    let table = Table::private(geometry, Clock::Manual(Arc::clone(&clock))).expect("there is memory");
    (Store::new(table), clock)
}

fn pinned(store: &Store, name: &str) -> Handle {
    store.resolve(name).expect("there is memory").pin()
}

fn rated(kind: RateKind) -> Policy {
    let mut rates = [None; RATE_WINDOWS];
    rates[kind as usize] = Some(Rate { span: 60 * SECOND, bad_ppm: 500_000, min_calls: 2, slow_us: SECOND });
    Policy { rates, ..POLICY }
}

fn permit(handle: &Handle, policy: &Policy) -> ProcessPermit {
    ProcessPermit::new(handle.admit(policy).verdict.expect("it is admitted")).begun(handle.began_us(policy))
}

fn count(handle: &Handle, policy: &Policy, kind: RateKind) -> (u32, u32) {
    let RateCount { calls, bad } = handle.fuse().rate_count(policy, kind, || handle.now_us()).expect("it is measured");
    (calls, bad)
}

/// The short ways count a good call in the rate windows and in the counters, and leave a slow one to the long way.
#[test]
fn a_slow_success_is_no_plain_one() {
    let (policy, kind) = (rated(RateKind::SlowInTime), RateKind::SlowInTime);
    let (store, clock) = store(small());
    let handle = pinned(&store, "db");
    handle.fuse().record_success(NOW);
    let (admitted, began) = (handle.word(), permit(&handle, &policy));
    assert_eq!((NOW, 0), (began.began_us(), permit(&handle, &POLICY).began_us()), "the time is asked where it matters");
    clock.advance(SECOND - 1);
    assert!(handle.rated_success(&policy, admitted, began.began_us()));
    assert!(handle.rated_success_of(&policy, &began));
    assert_eq!((2, 0), count(&handle, &policy, kind));
    clock.advance(1);
    assert!(!handle.rated_success(&policy, admitted, began.began_us()));
    assert!(!handle.rated_success_of(&policy, &began));
    assert_eq!((2, 0), count(&handle, &policy, kind), "whoever takes the long way counts it there");
    assert_eq!(Effect::Counted, handle.settle(&policy, &began, Outcome::Success, || About::NOTHING));
    assert_eq!((3, 1), count(&handle, &policy, kind));
    let Effect::Changed(trip) = handle.settle(&policy, &began, Outcome::Success, || About::NOTHING) else {
        panic!("two of four are slow")
    };
    assert_eq!((State::Open, Cause::SlowRate), (trip.to, trip.cause));
}

/// A success that finds a window to clear, or another generation, is no plain one, and not measured by the short ways.
#[test]
fn a_measured_success_is_one_that_changes_nothing_else() {
    let (policy, kind) = (rated(RateKind::FailuresInTime), RateKind::FailuresInTime);
    let (store, _) = store(small());
    let handle = pinned(&store, "db");
    handle.fuse().record_success(NOW);
    let (clean, begun) = (handle.word(), permit(&handle, &policy));
    assert_eq!(Effect::Counted, handle.settle(&policy, &begun, Outcome::Failure, || About::NOTHING));
    let dirty = handle.word();
    assert!(!handle.rated_success(&policy, clean, 0) && !handle.rated_success(&policy, dirty, 0));
    assert!(!handle.rated_success_of(&policy, &begun) && !handle.fast_success_of(&begun, 0));
    assert_eq!((1, 1), count(&handle, &policy, kind));
    assert_eq!(Effect::Counted, handle.settle(&policy, &begun, Outcome::Success, || About::NOTHING));
    assert!(handle.rated_success_of(&policy, &begun) && handle.fast_success_of(&begun, 0));
    assert_eq!((3, 1), count(&handle, &policy, kind), "what was only counted was not measured");
    let slot = store.find("db").expect("it was used");
    assert_eq!(3, totals(slot.stripes())[Counter::Successes as usize]);
    handle.fuse().set(State::Open, NOW);
    handle.fuse().set(State::Closed, NOW);
    assert!(!handle.rated_success_of(&policy, &begun) && !handle.fast_success_of(&begun, 0), "another generation");
}

/// What a failed call says is done: the fuse opens at once, for as long as it asks.
#[test]
fn a_call_may_say_what_is_to_follow() {
    let policy = Policy { longest_us: 600 * SECOND, ..POLICY };
    let (store, _) = store(small());
    let handle = pinned(&store, "db");
    assert_eq!(Ok(()), handle.would_admit(&policy));
    let with_demand = |demands| Outcome::FailureWithDemand { demands, asked_us: 120 * SECOND };
    assert_eq!(
        Effect::Counted,
        handle.settle(&policy, &permit(&handle, &policy), with_demand(false), || About::NOTHING)
    );
    let Effect::Changed(trip) = handle.settle(&policy, &permit(&handle, &policy), with_demand(true), || About::NOTHING)
    else {
        panic!("a trip")
    };
    assert_eq!((State::Open, Cause::Demanded), (trip.to, trip.cause));
    let rejected = Rejection::new(State::Open, Some(120 * SECOND));
    assert_eq!(Err(rejected), handle.would_admit(&policy));
}

/// R28: a fuse that overflowed is looked up again once a second, while it is idle; its calls notice.
#[test]
fn an_overflowed_fuse_is_looked_up_once_a_second() {
    let (store, clock) = store(Geometry::of(1, 16).expect("a sound size"));
    let (there, handle) = (pinned(&store, "first"), pinned(&store, "db"));
    there.fuse().record_success(NOW);
    handle.fuse().record_success(NOW);
    assert_eq!((false, true), (there.overflowed(), handle.overflowed()));
    let closed = |handle: &Handle| handle.is_closed(handle.word());
    assert!(closed(&there) && closed(&handle) && !handle.is_to_be_looked_up());
    clock.advance(SECOND - 1);
    assert!(closed(&handle) && !handle.is_to_be_looked_up());
    clock.advance(1);
    assert!(!closed(&handle) && closed(&there) && !there.is_to_be_looked_up());
    assert_eq!([true, false], [(); 2].map(|()| handle.is_to_be_looked_up()), "one of those who ask is told so");
    assert!(closed(&handle) && handle.mine() == Some(handle.word()));
    handle.fuse().set(State::Isolated, NOW);
    clock.advance(SECOND);
    assert!(!closed(&handle) && !handle.is_to_be_looked_up(), "it is not idle");
}

/// R28: once a fuse is removed, whoever holds a handle of it knows.
#[test]
fn a_handle_knows_when_its_fuse_is_removed() {
    let (store, _) = store(small());
    let handle = pinned(&store, "db");
    handle.fuse().record_success(NOW);
    assert!(handle.is_closed(handle.word()) && handle.is_mine() && handle.mine() == Some(handle.word()));
    let (slot, permit) = (store.find("db").expect("it was used"), permit(&handle, &POLICY));
    assert!(slot.is_mine() && store.word("db").is_some_and(|(_, word)| word == handle.word()));
    assert!(store.remove("db") && !store.remove("db") && !slot.is_mine() && !slot.remove());
    assert_eq!((false, false, None), (handle.is_closed(handle.word()), handle.is_mine(), handle.mine()));
    assert_eq!(Effect::Late, handle.settle(&POLICY, &permit, Outcome::Failure, || About::NOTHING));
    assert!(store.find("db").is_none() && store.word("db").is_none());
}

/// A table whose file was removed, or replaced, knows; a private one never had any.
#[test]
fn a_table_knows_that_its_file_is_gone() {
    let folder = Folder::new();
    let table = folder.table("shop");
    assert!(!table.is_removed());
    let path = table.path().expect("it has a file").to_owned();
    std::fs::rename(&path, path.with_extension("old")).expect("it is ours");
    assert!(table.is_removed());
    std::fs::write(&path, "another").expect("the folder is ours");
    assert!(table.is_removed());
    std::fs::rename(path.with_extension("old"), &path).expect("it is ours");
    assert!(!table.is_removed() && !store(small()).0.table().is_removed());
}
