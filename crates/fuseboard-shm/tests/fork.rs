//! What a forked child shares with its parent, and what it does not.
mod common;

use std::collections::BTreeSet;

use common::{Folder, POLICY, SECOND, in_child, small};
use fuseboard_core::counters::{Counter, STRIPES, totals};
use fuseboard_core::fuse::Effect;
use fuseboard_core::journal::About;
use fuseboard_core::state::State;
use fuseboard_shm::clock::Clock;
use fuseboard_shm::handle::{Handle, Outcome, ProcessPermit};
use fuseboard_shm::owner;
use fuseboard_shm::store::Store;
use fuseboard_shm::table::Table;

fn handle(store: &Store) -> Handle {
    store.resolve("db").expect("there is room").pin()
}

fn fail(store: &Store) -> u64 {
    let slot = store.resolve("db").expect("there is room");
    u64::from(slot.fuse().record_failure(60 * SECOND, slot.now_us()))
}

fn count(store: &Store, counter: Counter) -> u64 {
    totals(store.resolve("db").expect("there is room").stripes())[counter as usize]
}

/// A permit for the one probe of a fuse that is put into half-open.
fn probe(handle: &Handle) -> ProcessPermit {
    handle.fuse().set(State::HalfOpen, handle.now_us());
    let permit = ProcessPermit::new(handle.admit(&POLICY).verdict.expect("the probe's permit"));
    assert!(permit.is_probe());
    permit
}

/// One truth per host: failures and counters of a child are those of its parent's table.
#[test]
fn a_child_goes_on_with_its_parents_table() {
    let folder = Folder::new();
    let store = Store::new(folder.table("shop"));
    let permit = ProcessPermit::new(handle(&store).admit(&POLICY).verdict.expect("closed"));
    assert_eq!(1, fail(&store));
    let work = || {
        let handle = handle(&store);
        handle.settle(
            &POLICY,
            &ProcessPermit::new(handle.admit(&POLICY).verdict.expect("closed")),
            Outcome::Ignored,
            || About::NOTHING,
        );
        fail(&store)
    };
    assert_eq!(2, in_child(work));
    assert_eq!(3, fail(&store));
    handle(&store).settle(&POLICY, &permit, Outcome::Ignored, || About::NOTHING);
    assert_eq!(2, count(&store, Counter::Ignored));
}

/// A private table is the process's own: a child gets a copy that its parent never hears of.
#[test]
fn a_child_gets_a_copy_of_a_private_table() {
    let store = Store::new(Table::private(small(), Clock::System).expect("memory"));
    assert_eq!(1, fail(&store));
    assert_eq!(2, in_child(|| fail(&store)));
    assert_eq!(2, fail(&store));
}

/// T01: each child has a token of its own, another than its parent's and its sibling's.
#[test]
fn each_child_has_a_token_of_its_own() {
    let folder = Folder::new();
    let _table = folder.table("shop");
    let token = || owner::token() as u64;
    let mut tokens = vec![token(), in_child(token), in_child(token), in_child(|| in_child(token))];
    assert_eq!(tokens[0], token(), "a fork does not change the parent's");
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(4, tokens.len());
}

/// T07: children of one parent spread over the lines of counters.
#[test]
fn children_do_not_share_one_line_of_counters() {
    let folder = Folder::new();
    let _table = folder.table("shop");
    let lines: BTreeSet<_> = (0..24).map(|_| in_child(|| owner::stripe() as u64)).collect();
    assert!(lines.len() > 1 && lines.iter().all(|line| *line < STRIPES as u64), "{lines:?}");
}

/// R09: what a child reports of its parent's probe is late and changes nothing; the parent's own word counts.
#[test]
fn a_child_cannot_answer_for_its_parents_probe() {
    let folder = Folder::new();
    let store = Store::new(folder.table("shop"));
    let handle = handle(&store);
    let permit = probe(&handle);
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
        let late = in_child(|| u64::from(handle.settle(&POLICY, &permit, outcome, || About::NOTHING) == Effect::Late));
        assert_eq!((1, State::HalfOpen), (late, handle.word().state()), "{outcome:?}");
    }
    assert_eq!(3, count(&store, Counter::Late));
    let effect = handle.settle(&POLICY, &permit, Outcome::Success, || About::NOTHING);
    assert!(matches!(effect, Effect::Changed(_)), "{effect:?}");
    assert_eq!(State::Closed, handle.word().state());
}

/// R10: nor can a child give its parent's probe back, by cancelling it or by ending.
#[test]
fn a_child_cannot_give_its_parents_probe_back() {
    let folder = Folder::new();
    let store = Store::new(folder.table("shop"));
    let handle = handle(&store);
    let permit = probe(&handle);
    let admitted = || {
        handle.cancel(&permit);
        u64::from(handle.admit(&POLICY).verdict.is_ok())
    };
    assert_eq!(0, in_child(admitted));
    assert!(handle.admit(&POLICY).verdict.is_err(), "the seat is still the parent's");
    assert_eq!(Effect::Counted, handle.settle(&POLICY, &permit, Outcome::Ignored, || About::NOTHING));
}

/// R11: a probe that a child took and died with is free at once, although its lease runs on.
#[test]
fn a_dead_childs_probe_is_free_at_once() {
    let folder = Folder::new();
    let store = Store::new(folder.table("shop"));
    let handle = handle(&store);
    assert_eq!(1, in_child(|| u64::from(probe(&handle).is_probe())));
    let permit = handle.admit(&POLICY).verdict.expect("its owner is gone");
    assert!(permit.lease.is_some());
}
