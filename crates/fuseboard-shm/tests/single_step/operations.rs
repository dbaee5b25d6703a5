//! What is done to a fuse, from which beginnings, and what a death in it may leave beside "before" and "after".

use std::hint::black_box;

use fuseboard_core::journal::About;
use fuseboard_core::overrides::Override;
use fuseboard_core::state::State;
use fuseboard_shm::handle::{Outcome, ProcessPermit};

use crate::bench::{
    BRINK, Beginning, Bench, CLOSED, DEAD_PROBER, DIRTY, DISABLED, EXPIRED, FORGOTTEN, HALF_CLOSED, HALF_OPEN,
    ISOLATED, NAME, NEVER, OPEN, OVERRIDDEN, POLICY, REMOVED, SECOND, UNKNOWN,
};
use crate::operation::Operation;
use crate::seen::{ENDLESS, ENTERED, FREED, LEASE_OUT, NAMELESS, NO_SEAT, NOTED, SHORT, UNCOUNTED, UNSAID, UNSIGNED};

/// An operation and where it begins.
pub type Planned = (Operation, &'static [Beginning]);

const fn plain(
    name: &'static str,
    run: fn(&Bench, Option<ProcessPermit>),
    may_leave: &'static [&'static str],
) -> Operation {
    Operation { name, prepare: |_| None, run, may_leave }
}

const fn of_a_call(
    name: &'static str,
    run: fn(&Bench, Option<ProcessPermit>),
    may_leave: &'static [&'static str],
) -> Operation {
    Operation { name, prepare: |bench| Some(bench.permit()), run, may_leave }
}

fn settle(bench: &Bench, permit: Option<ProcessPermit>, outcome: Outcome) {
    if let Some(permit) = permit {
        black_box(bench.handle.settle(&POLICY, &permit, outcome, || About::NOTHING));
    }
}

fn set(bench: &Bench, state: State) {
    black_box(bench.fuse().set(state, bench.now()));
}

fn command(bench: &Bench, state: State) {
    black_box(bench.fuse().command(state, || bench.now()));
}

fn apply_override(bench: &Bench, state: State, for_us: u64) {
    let order = Override { for_us, who: "alice", why: "a drill of the western harbour", ..Override::new(state) };
    black_box(bench.handle.apply_override(&order));
}

/// What a breaker does with every call.
pub const CALLS: &[Planned] = &[
    (
        plain("admit", |bench, _| _ = black_box(bench.handle.admit(&POLICY)), &[NO_SEAT, UNSIGNED, FREED, UNCOUNTED]),
        &[
            NEVER,
            CLOSED,
            DIRTY,
            OPEN,
            EXPIRED,
            HALF_OPEN,
            HALF_CLOSED,
            DEAD_PROBER,
            ISOLATED,
            DISABLED,
            FORGOTTEN,
            OVERRIDDEN,
        ],
    ),
    (
        of_a_call("settle success", |bench, permit| settle(bench, permit, Outcome::Success), &[UNCOUNTED, LEASE_OUT]),
        &[CLOSED, DIRTY, BRINK, HALF_OPEN, HALF_CLOSED, DISABLED],
    ),
    (
        of_a_call("settle failure", |bench, permit| settle(bench, permit, Outcome::Failure), &[UNCOUNTED, SHORT]),
        &[CLOSED, DIRTY, BRINK, HALF_OPEN, DISABLED],
    ),
    (
        of_a_call("settle ignored", |bench, permit| settle(bench, permit, Outcome::Ignored), &[UNCOUNTED]),
        &[CLOSED, DIRTY, HALF_OPEN],
    ),
    (
        Operation {
            prepare: |bench| {
                let permit = bench.permit();
                bench.fuse().set(State::Open, bench.now());
                Some(permit)
            },
            ..of_a_call("settle a late failure", |bench, permit| settle(bench, permit, Outcome::Failure), &[UNCOUNTED])
        },
        &[DIRTY, HALF_OPEN],
    ),
    (
        of_a_call(
            "cancel",
            |bench, permit| {
                if let Some(permit) = permit {
                    bench.handle.cancel(&permit);
                }
            },
            &[],
        ),
        &[CLOSED, HALF_OPEN],
    ),
    (
        plain("count a success", |bench, _| _ = black_box(bench.handle.fast_success(bench.handle.word(), 0)), &[]),
        &[CLOSED],
    ),
];

/// The raw operations of the store's contract.
pub const RAW: &[Planned] = &[
    (
        plain(
            "record_failure",
            |bench, _| _ = black_box(bench.fuse().record_failure(POLICY.window_us, bench.now())),
            &[ENTERED],
        ),
        &[NEVER, CLOSED, DIRTY, BRINK, OPEN, ISOLATED, FORGOTTEN],
    ),
    (
        plain("record_success", |bench, _| _ = bench.fuse().record_success(bench.now()), &[]),
        &[NEVER, CLOSED, DIRTY, BRINK, OPEN],
    ),
    (plain("set open", |bench, _| set(bench, State::Open), &[]), &[NEVER, DIRTY, ISOLATED]),
    (plain("set half-open", |bench, _| set(bench, State::HalfOpen), &[]), &[OPEN, HALF_OPEN]),
    (plain("set closed", |bench, _| set(bench, State::Closed), &[]), &[BRINK, OPEN, HALF_OPEN, DISABLED]),
    (plain("isolate", |bench, _| command(bench, State::Isolated), &[]), &[NEVER, DIRTY, HALF_OPEN]),
    (
        plain("isolate for a time", |bench, _| apply_override(bench, State::Isolated, 60 * SECOND), &[ENDLESS, UNSAID]),
        &[NEVER, HALF_OPEN, ISOLATED, OVERRIDDEN],
    ),
    (plain("disable", |bench, _| command(bench, State::Disabled), &[]), &[DIRTY, OPEN, ISOLATED]),
    (plain("reset", |bench, _| command(bench, State::Closed), &[]), &[OPEN, ISOLATED, DISABLED]),
    (
        plain("forget", |bench, _| _ = black_box(bench.fuse().forget(|| bench.now())), &[]),
        &[NEVER, DIRTY, OPEN, ISOLATED],
    ),
];

/// What is done to slots rather than to a fuse's state.
pub const SLOTS: &[Planned] = &[
    (plain("resolve", |bench, _| _ = black_box(bench.store.resolve(NAME)), &[NAMELESS]), &[UNKNOWN, DIRTY, REMOVED]),
    (plain("remove", |bench, _| _ = black_box(bench.store.remove(NAME)), &[]), &[NEVER, CLOSED, DIRTY, REMOVED]),
    (plain("find", |bench, _| _ = black_box(bench.store.find(NAME)), &[]), &[UNKNOWN, DIRTY]),
    (plain("forget all", |bench, _| bench.store.forget_all(), &[UNCOUNTED]), &[DIRTY]),
    (plain("note a module", |bench, _| _ = black_box(bench.handle.note_maker("shop.payments")), &[]), &[CLOSED]),
    (
        Operation {
            prepare: |bench| {
                _ = bench.handle.note_maker("shop.payments");
                None
            },
            ..plain("note another module", |bench, _| _ = black_box(bench.handle.note_maker("billing.api")), &[])
        },
        &[CLOSED],
    ),
    (plain("note settings", |bench, _| _ = black_box(bench.handle.note_settings(7, &POLICY, false)), &[]), &[CLOSED]),
    (
        Operation {
            prepare: |bench| {
                bench.fuse().note_settings(6);
                None
            },
            ..plain("note other settings", |bench, _| _ = black_box(bench.fuse().note_settings(7)), &[NOTED])
        },
        &[CLOSED],
    ),
];
