//! Every operation on a fuse beside every other and itself, from each state a fuse can be in: what they answer and what
//! everybody sees afterwards is what one order of the two gives.
//!
//! **How.** The shipped code runs the two operations at once under loom, and one after the other on fresh rows, in both
//! orders; each outcome of the first must be one of the second, to the bit: state, generation, failures and their runs,
//! seats, the next three calls, what each permit still means. The clock stands still, the hardest case. Operations that one
//! caller can only do one after the other (two outcomes of one lease) are not paired.
//!
//! **What is weaker than that** is in `pairs/steps.rs` by name: an operation in two steps, which the shipped code makes too,
//! so that just the outcomes of those steps are allowed. Each beginning lists the exceptions it takes; under loom one more
//! or one fewer is a failure. One holds everywhere: failures of one microsecond may be stamped a few apart.
//!
//! **Bounds.** 16 beginnings, 3,762 pairs and 11 triples, two preemptions each (those of `tests/common`): 290,293 executions
//! of pairs and 130,074 of triples, about a minute of CPU. `LOOM_MAX_PREEMPTIONS=3` goes on to about five times as many. One
//! policy for all operations of a row, rings of two and four entries, one or two seats. Real threads run four rounds each.
//!
//! **Negative controls** are mutants as for the other models. What is wrong in the same way one after the other is not seen
//! here: `tests/machine.rs` compares that with the rules.
mod common;

mod pairs {
    pub mod beginnings;
    pub mod explore;
    pub mod operations;
    pub mod steps;
}

use std::collections::BTreeSet;
use std::io::Write;

use fuseboard_core::state::State;

use pairs::beginnings::{self, Scene};
use pairs::explore::{EXECUTIONS, alone, at_once, in_every_order};
use pairs::operations::Operation;
use pairs::steps;

/// Names of exceptions.
type Names = BTreeSet<&'static str>;
/// Pairs in the table.
const PAIRS: usize = 3_762;

/// The pairs of operations that can run at once on the fuse of a scene, each with itself too.
fn pairs_of(begin: fn() -> Scene) -> Vec<[Operation; 2]> {
    alone(move || {
        let scene = begin();
        let all = Operation::all(&scene);
        let beside = |i: usize| all[i..].iter().map(move |other| (i, *other));
        let pairs = (0..all.len()).flat_map(beside).map(|(i, other)| [all[i], other]);
        pairs.filter(|[one, other]| one.can_run_beside(*other, &scene)).collect()
    })
}

/// Explores some operations at once: each outcome must be that of one order of them. The exceptions it took; what was not
/// allowed goes to `faults`.
fn check<const N: usize>(begin: fn() -> Scene, operations: [Operation; N], faults: &mut Vec<String>) -> Names {
    let allowed = in_every_order(begin, operations);
    let mut taken = Names::new();
    for outcome in at_once(begin, operations) {
        if let Some((_, names)) = allowed.iter().find(|(known, _)| *known == outcome) {
            taken.extend(names);
            continue;
        }
        let allowed = allowed.iter().map(|(known, names)| format!("    {known:?} {names:?}\n")).collect::<String>();
        faults.push(format!("{operations:?}:\n  {outcome:?}\n  is none of\n{allowed}"));
    }
    taken
}

/// Explores every pair from one beginning, in which loom takes just these exceptions.
fn every_pair(name: &str, begin: fn() -> Scene, exceptions: &[&'static str]) {
    let (pairs, mut faults) = (pairs_of(begin), Vec::new());
    let taken = pairs.iter().flat_map(|pair| check(begin, *pair, &mut faults)).collect();
    report(name, pairs.len(), &faults, &taken, exceptions);
}

fn report(name: &str, models: usize, faults: &[String], taken: &Names, exceptions: &[&'static str]) {
    let executions = EXECUTIONS.with(|executions| executions.get());
    // Past the capture of the test's output, so that `make model` shows it.
    _ = writeln!(std::io::stderr(), "{name}: {models} models, {executions} executions");
    assert!(faults.is_empty(), "{} unexpected outcomes:\n{}", faults.len(), faults.join("\n"));
    let exceptions = exceptions.iter().copied().collect::<Names>();
    assert!(taken.is_subset(&exceptions), "{name} took {taken:?}");
    assert!(taken == &exceptions || cfg!(not(fuseboard_loom)), "{name} took only {taken:?}");
}

macro_rules! from_each {
    ($($begin:ident: [$($exception:ident),*];)*) => {
        $(#[test] fn $begin() {
            every_pair(stringify!($begin), beginnings::$begin, &[$(steps::$exception.name),*]);
        })*

        /// The table has not shrunk unseen.
        #[test]
        fn the_table_has_every_pair() {
            let beginnings = [$(beginnings::$begin),*];
            assert_eq!(PAIRS, beginnings.map(|begin| pairs_of(begin).len()).iter().sum::<usize>());
        }
    };
}
from_each! {
    never_seen: [ENTERS];
    forgotten: [ENTERS];
    closed: [];
    one_failure: [];
    full_ring: [];
    open_and_not_due: [];
    open_and_due: [TAKES_LATER];
    free_seat: [GIVES_BACK];
    held_seat: [];
    expired_lease: [GIVES_BACK, LOSES_LATER];
    taken_over: [];
    two_held_seats: [FREES_LATER];
    one_good_probe: [];
    one_of_two_leases_expired: [GIVES_BACK, LOSES_LATER, FREES_LATER];
    isolated: [];
    disabled: [];
}

type Triple = (fn() -> Scene, [Operation; 3]);
/// Three at once: the sharpest ones.
const TRIPLES: [Triple; 11] = {
    use Operation::{Admit, Command, Failed, Forget, RecordFailure, Released, Set, Succeeded};
    [
        // A trip, a late result and a reset.
        (beginnings::one_failure, [Failed("current"), Failed("old"), Command(State::Closed)]),
        (beginnings::one_failure, [Failed("current"), Succeeded("old"), Forget]),
        (beginnings::one_failure, [Failed("current"), Failed("current"), Succeeded("current")]),
        (beginnings::one_failure, [Failed("current"), RecordFailure, Command(State::Isolated)]),
        // A takeover, a permit given back and a close.
        (beginnings::expired_lease, [Admit, Released("expired"), Set(State::Closed)]),
        (beginnings::expired_lease, [Admit, Succeeded("expired"), Forget]),
        (beginnings::expired_lease, [Admit, Admit, Released("expired")]),
        (beginnings::taken_over, [Admit, Released("lost"), Succeeded("probe")]),
        // The last success needed, and the first probe, beside a call, a failure, an operator.
        (beginnings::two_held_seats, [Succeeded("first"), Succeeded("second"), Admit]),
        (beginnings::two_held_seats, [Succeeded("first"), Failed("second"), Command(State::Isolated)]),
        (beginnings::open_and_due, [Admit, Admit, Command(State::Disabled)]),
    ]
};

#[test]
fn triples() {
    let mut faults = Vec::new();
    let taken = TRIPLES.iter().flat_map(|(begin, operations)| check(*begin, *operations, &mut faults)).collect();
    let exceptions = [steps::GIVES_BACK, steps::LOSES_LATER, steps::TAKES_LATER];
    report("triples", TRIPLES.len(), &faults, &taken, &exceptions.map(|program| program.name));
}
