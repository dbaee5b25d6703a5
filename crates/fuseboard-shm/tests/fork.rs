//! What a forked child shares with its parent, and what it does not.
mod common;

use std::io::{Read, Write, pipe};
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Folder, POLICY, SECOND, small};
use fuseboard_core::counters::{Counter, totals};
use fuseboard_core::fuse::Effect;
use fuseboard_core::state::State;
use fuseboard_shm::clock::Clock;
use fuseboard_shm::handle::{Handle, Outcome, Ticket};
use fuseboard_shm::owner;
use fuseboard_shm::store::Store;
use fuseboard_shm::table::Table;

/// Runs `work` in a forked child and waits for its end; what it returned.
fn in_child(work: impl FnOnce() -> u64) -> u64 {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    // SAFETY: the child runs `work`, which takes no lock that another thread of this process may hold (glibc's allocator
    // is usable after fork), and ends by `_exit`, so nothing of the harness runs twice.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "a child");
    if child == 0 {
        // SAFETY: both take numbers only. The alarm ends a child that hangs.
        unsafe { libc::alarm(60) };
        let told =
            catch_unwind(AssertUnwindSafe(work)).is_ok_and(|answer| writer.write_all(&answer.to_ne_bytes()).is_ok());
        // SAFETY: takes a number only.
        unsafe { libc::_exit(i32::from(!told)) };
    }
    drop(writer);
    let (mut answer, mut status) = ([0; 8], 0);
    let read = reader.read_exact(&mut answer);
    // SAFETY: `child` is our own child and `status` outlives the call.
    assert_eq!(child, unsafe { libc::waitpid(child, &raw mut status, 0) });
    assert_eq!((true, 0), (read.is_ok(), status), "the child ended well");
    u64::from_ne_bytes(answer)
}

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

/// A ticket for the one probe of a fuse that is put into half-open.
fn probe(handle: &Handle) -> Ticket {
    handle.fuse().set(State::HalfOpen, handle.now_us());
    let ticket = Ticket::new(handle.admit(&POLICY).verdict.expect("the probe's permit"));
    assert!(ticket.is_probe());
    ticket
}

/// One truth per host: failures and counters of a child are those of its parent's table.
#[test]
fn a_child_goes_on_with_its_parents_table() {
    let folder = Folder::new();
    let store = Store::new(folder.table("shop"));
    let ticket = Ticket::new(handle(&store).admit(&POLICY).verdict.expect("closed"));
    assert_eq!(1, fail(&store));
    let work = || {
        let handle = handle(&store);
        handle.settle(&POLICY, &Ticket::new(handle.admit(&POLICY).verdict.expect("closed")), Outcome::Ignored);
        fail(&store)
    };
    assert_eq!(2, in_child(work));
    assert_eq!(3, fail(&store));
    handle(&store).settle(&POLICY, &ticket, Outcome::Ignored);
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

/// R09: what a child reports of its parent's probe is late and changes nothing; the parent's own word counts.
#[test]
fn a_child_cannot_answer_for_its_parents_probe() {
    let folder = Folder::new();
    let store = Store::new(folder.table("shop"));
    let handle = handle(&store);
    let ticket = probe(&handle);
    for outcome in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
        let late = in_child(|| u64::from(handle.settle(&POLICY, &ticket, outcome) == Effect::Late));
        assert_eq!((1, State::HalfOpen), (late, handle.word().state()), "{outcome:?}");
    }
    assert_eq!(3, count(&store, Counter::Late));
    let effect = handle.settle(&POLICY, &ticket, Outcome::Success);
    assert!(matches!(effect, Effect::Changed(_)), "{effect:?}");
    assert_eq!(State::Closed, handle.word().state());
}

/// R10: nor can a child give its parent's probe back, by cancelling it or by ending.
#[test]
fn a_child_cannot_give_its_parents_probe_back() {
    let folder = Folder::new();
    let store = Store::new(folder.table("shop"));
    let handle = handle(&store);
    let ticket = probe(&handle);
    let admitted = || {
        handle.cancel(&ticket);
        u64::from(handle.admit(&POLICY).verdict.is_ok())
    };
    assert_eq!(0, in_child(admitted));
    assert!(handle.admit(&POLICY).verdict.is_err(), "the seat is still the parent's");
    assert_eq!(Effect::Counted, handle.settle(&POLICY, &ticket, Outcome::Ignored));
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
