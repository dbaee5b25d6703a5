//! Slots that are removed (rule R28): which fuses are, what their handles learn, what the next claim gets, and how a full
//! table takes idle ones back by itself.
mod common;

use std::sync::Arc;

use common::{POLICY, SECOND, small};
use fuseboard_core::admission::Rejection;
use fuseboard_core::counters::{COUNTERS, totals};
use fuseboard_core::directory::QUARANTINE_US;
use fuseboard_core::directory::claim::FAILED_PROBE_US;
use fuseboard_core::directory::idle::IDLE_US;
use fuseboard_core::fuse::Effect;
use fuseboard_core::journal::About;
use fuseboard_core::layout::Geometry;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_shm::clock::{Clock, ManualClock};
use fuseboard_shm::handle::{Handle, Outcome, ProcessPermit};
use fuseboard_shm::store::Store;
use fuseboard_shm::table::Table;

const NOW: u64 = 1_000_000_000;
/// Long enough for any slot to rest. Transitions of one microsecond have stamps one apart, so some are ahead of the clock.
const AFTER_QUARANTINE_US: u64 = QUARANTINE_US + SECOND;

/// A store with room for four fuses, and the clock that the test moves.
fn store() -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(NOW));
    let table = Table::private(small(), Clock::Manual(Arc::clone(&clock))).expect("there is memory");
    (Store::new(table), clock)
}

fn pinned(store: &Store, name: &str) -> Handle {
    store.resolve(name).expect("there is memory").pin()
}

fn permit(handle: &Handle) -> ProcessPermit {
    ProcessPermit::new(handle.admit(&POLICY).verdict.expect("it is admitted"))
}

fn call(handle: &Handle, outcome: Outcome) -> Effect {
    handle.settle(&POLICY, &permit(handle), outcome, || About::NOTHING)
}

fn place(store: &Store, name: &str) -> Option<usize> {
    store.table().locate(name, false)
}

/// R28: a fuse that is closed, or was never used, and holds no failure is removed. All others stay as they are.
#[test]
fn only_an_idle_fuse_is_removed() {
    let (store, _) = store();
    for state in [State::Open, State::HalfOpen, State::Isolated, State::Disabled, State::Ramping] {
        pinned(&store, "db").fuse().command(state, || NOW);
        assert!(!store.remove("db"), "{state:?}");
        assert_eq!(state, pinned(&store, "db").word().state());
    }
    pinned(&store, "db").fuse().command(State::Closed, || NOW);
    call(&pinned(&store, "db"), Outcome::Failure);
    assert!(!store.remove("db"), "its window holds a failure");
    call(&pinned(&store, "db"), Outcome::Success);
    assert!(store.remove("db"));
    assert!(!store.remove("db"), "it is nobody's any more");
    pinned(&store, "new");
    assert!(store.remove("new"), "never used");
    assert!(!store.remove("stranger"));
    assert_eq!(0, store.slots().len());
}

/// R28, R23: failed probes make the next open times longer, so a fuse that had some stays: an hour for each in a row.
#[test]
fn a_fuse_whose_probes_failed_stays_for_hours() {
    let (store, clock) = store();
    let handle = pinned(&store, "db");
    handle.fuse().set(State::HalfOpen, NOW);
    for _ in 0..2 {
        assert!(matches!(call(&handle, Outcome::Failure), Effect::Changed(made) if made.to == State::Open));
        clock.advance(POLICY.reset_us);
    }
    assert!(matches!(call(&handle, Outcome::Success), Effect::Changed(made) if made.to == State::Closed));
    clock.advance(2 * FAILED_PROBE_US - SECOND);
    assert!(!store.remove("db"));
    clock.advance(2 * SECOND);
    assert!(store.remove("db"));
}

/// R28: a handle learns that its fuse was removed, counts nothing any more, and does not take the next claim's for it.
#[test]
fn a_stale_handle_knows_and_does_nothing() {
    let (store, clock) = store();
    let stale = pinned(&store, "db");
    call(&stale, Outcome::Success);
    let under_way = permit(&stale);
    assert!(stale.is_closed(stale.word()) && stale.is_mine());
    let slot = place(&store, "db").expect("it was used");
    assert!(store.remove("db"));
    clock.advance(AFTER_QUARANTINE_US);
    let next = (0..1_000).map(|n| format!("next {n}")).find(|name| {
        pinned(&store, name);
        place(&store, name) == Some(slot)
    });
    let next = pinned(&store, &next.expect("the slot is to be had"));
    call(&next, Outcome::Success);
    assert!(next.is_closed(next.word()) && !stale.is_closed(stale.word()) && !stale.is_mine());
    let before = (next.word(), totals(store.table().stripes(slot)));
    let verdict = stale.admit(&POLICY).verdict;
    assert_eq!(Err(Rejection::new(State::Vacant, None)), verdict);
    assert_eq!(Effect::Late, stale.settle(&POLICY, &under_way, Outcome::Failure, || About::NOTHING));
    assert_eq!(Ok(()), stale.would_admit(&Policy { ramp_us: 1, ..POLICY }));
    assert_eq!((0, false), (stale.fuse().record_failure(SECOND, NOW), stale.fuse().record_success(NOW)));
    assert_eq!((None, None), (stale.fuse().set(State::Open, NOW), stale.fuse().command(State::Isolated, || NOW)));
    assert!(!stale.fuse().vacate(NOW));
    assert_eq!(before, (next.word(), totals(store.table().stripes(slot))));
}

/// R28: the next claim gets a fuse never seen: no counters, no settings, no count of failed probes, no time that was asked for.
#[test]
fn the_next_claim_inherits_nothing() {
    let (store, clock) = store();
    let names = ["a", "b", "c", "d"];
    for name in names {
        let handle = pinned(&store, name);
        assert_eq!((None, Some(7)), (handle.fuse().note_settings(7), handle.fuse().note_settings(8)));
        let asks = Outcome::FailureWithDemand { demands: true, asked_us: 100 * SECOND };
        assert!(matches!(call(&handle, asks), Effect::Changed(_)));
        clock.advance(300 * SECOND);
        call(&handle, Outcome::Failure);
        clock.advance(300 * SECOND);
        call(&handle, Outcome::Success);
    }
    clock.advance(FAILED_PROBE_US + SECOND);
    assert!(names.iter().all(|name| store.remove(name)));
    clock.advance(AFTER_QUARANTINE_US);
    for name in ["e", "f", "g", "h"] {
        let slot = store.resolve(name).expect("there is room");
        let reading = slot.fuse().read();
        assert!(!slot.overflowed());
        assert_eq!((State::Unseen, 0, 0), (reading.word.state(), reading.settings_changes, reading.failed_probes));
        assert_eq!([0; COUNTERS], totals(slot.stripes()));
        assert_eq!(None, slot.fuse().note_settings(9), "nobody came before");
    }
}

/// R28: a slot rests for a minute; a name that comes back sooner gets another one.
#[test]
fn a_slot_rests_before_it_is_anybodys() {
    let (store, clock) = store();
    pinned(&store, "db");
    let slot = place(&store, "db");
    assert!(store.remove("db"));
    assert_eq!(None, place(&store, "db"));
    clock.advance(QUARANTINE_US - 1);
    pinned(&store, "db");
    assert_ne!(slot, place(&store, "db"));
}

/// R28, T14: what a claim did is not told under the name of the next one of its slot; what that one does is.
#[test]
fn the_journal_tells_of_each_claim_by_its_own_name() {
    let (store, clock) = store();
    let table = store.table();
    let tell = |name: &str, state| {
        let fuse = pinned(&store, name);
        let made = fuse.fuse().command(state, || clock.now_us()).expect("it is there");
        fuse.fuse().write_down(made, About::NOTHING);
        made.generation
    };
    let names = ["a", "b", "c", "d"];
    let old: Vec<_> = names.iter().map(|name| (tell(name, State::Isolated), tell(name, State::Closed))).collect();
    let slots: Vec<_> = names.iter().map(|name| place(&store, name).expect("it has one")).collect();
    for (name, (slot, (isolated, _))) in names.iter().zip(slots.iter().zip(&old)) {
        assert_eq!(Some((*name).to_owned()), table.name_then(*slot, *isolated));
        assert!(store.remove(name));
        assert_eq!(None, table.name_then(*slot, *isolated));
    }
    clock.advance(AFTER_QUARANTINE_US);
    for name in ["e", "f", "g", "h"] {
        let made = tell(name, State::Isolated);
        let slot = place(&store, name).expect("it has one");
        let (_, closed) = old[slots.iter().position(|it| *it == slot).expect("one of four")];
        assert_eq!((Some(name.to_owned()), None), (table.name_then(slot, made), table.name_then(slot, closed)));
    }
    let told: Vec<_> = (0..table.journal().next()).filter_map(|number| table.journal().read(number)).collect();
    assert_eq!(12, told.len(), "removal is no transition: {told:?}");
}

/// T12, R28: a full table takes back what has done nothing for a minute between two looks, and then a name that overflowed
/// comes in, a minute later. What is used, open or held is left alone.
#[test]
fn a_full_table_takes_idle_fuses_back() {
    let (store, clock) = store();
    let used = pinned(&store, "used");
    call(&used, Outcome::Success);
    call(&pinned(&store, "idle"), Outcome::Success);
    pinned(&store, "open").fuse().command(State::Open, || NOW);
    pinned(&store, "held").fuse().command(State::Disabled, || NOW);
    let overflows = || store.resolve("late").expect("there is memory").overflowed();
    assert!(overflows(), "the first look");
    for _ in 0..2 {
        clock.advance(IDLE_US / 2);
        call(&used, Outcome::Success);
    }
    assert!(overflows(), "the second look: an idle fuse is removed, and its slot rests");
    assert_eq!(None, place(&store, "idle"));
    clock.advance(QUARANTINE_US);
    call(&used, Outcome::Success);
    assert!(!overflows());
    assert_eq!((0, true), (store.overflowed(), used.is_mine()));
    assert!(["used", "open", "held", "late"].iter().all(|name| place(&store, name).is_some()));
    assert_eq!(
        (State::Open, State::Disabled),
        (pinned(&store, "open").word().state(), pinned(&store, "held").word().state())
    );
}

/// T12: a fuse that overflowed and is open stays where it is, though there is room again; its state is worth more.
#[test]
fn a_fuse_that_overflowed_comes_back_when_it_is_idle() {
    let (store, clock) = store();
    ["a", "b", "c", "d"].iter().for_each(|name| _ = pinned(&store, name));
    let local = pinned(&store, "late");
    local.fuse().command(State::Open, || NOW);
    assert!(local.overflowed() && store.remove("a"));
    clock.advance(QUARANTINE_US);
    assert!(store.resolve("late").expect("it has one").overflowed());
    local.fuse().command(State::Closed, || NOW);
    assert!(!store.resolve("late").expect("it has one").overflowed());
    assert_eq!((0, false), (store.overflowed(), local.is_mine()));
}

/// T13: 100,000 fuses in one table. A look-up of one looks at two slots or less on average, whatever came before; none at
/// more than a few dozen. (With random keys: more than 128 once in ten billion runs.)
#[test]
fn a_hundred_thousand_fuses_cost_a_few_looks_each() {
    let fuses = 100_000;
    let geometry = Geometry::for_capacity(fuses, 2).expect("in range");
    let clock = Arc::new(ManualClock::new(NOW));
    let store = Store::new(Table::private(geometry, Clock::Manual(Arc::clone(&clock))).expect("there is memory"));
    let names: Vec<_> = (0..fuses).map(|number| format!("claim-{number}")).collect();
    let come = |name: &String| assert!(!pinned(&store, name).overflowed());
    let are_cheap = || {
        let looks: Vec<_> = names.iter().map(|name| store.table().looks(name)).collect();
        let (all, most) = (looks.iter().sum::<usize>(), looks.iter().max().copied().unwrap_or(0));
        assert!(all < 2 * fuses && most <= 128, "{all} in all, {most} at most");
    };
    names.iter().for_each(come);
    are_cheap();
    // Half of them are removed, and come again: what is gone is looked past, and taken where it comes first.
    assert!(names.iter().step_by(2).all(|name| store.remove(name)));
    assert_eq!((fuses / 2, 0), (store.slots().len(), store.overflowed()));
    clock.advance(AFTER_QUARANTINE_US);
    names.iter().for_each(come);
    are_cheap();
}
