//! Every operation that is there without a policy beside every other and itself, from each state that a fuse can be in
//! without one; and under policies every end of a call, every call that asks and removal, beside all that may come in
//! between: what they answer and what everybody sees afterwards is what one order of the two gives.
//!
//! **How.** The shipped code runs the two operations at once under loom, and one after the other on fresh rows, in both
//! orders; each outcome of the first must be one of the second, to the bit: state, generation, failures and their runs,
//! seats, the next three calls, what each permit still means. The clock stands still, the hardest case. Operations that one
//! caller can only do one after the other (two outcomes of one lease) are not paired.
//!
//! **The journal.** Each runs a second time with a journal, whose fuse's last transition nobody has written down yet, and in
//! which each operation writes down what it changed. What a reader finds in it when all is over must be one chain of states
//! from closed to the fuse's own, generations ascending, and the records of one sequence to the bit: states, generation, cause,
//! process. Two exceptions (`pairs/journal_writer.rs`): who writes down another's transition knows no more than its note, and under
//! a standing clock the note may be a rival's, who would have begun the same generation.
//!
//! **What is weaker than that** is in `pairs/steps.rs` by name: an operation in two steps, which the shipped code makes too,
//! so that just the outcomes of those steps are allowed. Each beginning lists the exceptions it takes; one more is a failure,
//! and so is one fewer in loom's full form. One holds everywhere: failures of one microsecond may be stamped a few apart.
//!
//! **Bounds.** 16 beginnings, 3,762 pairs and 11 triples, one preemption each; in the full form two (those of
//! `common.rs`) without a journal and one with it: 1,174,898 executions in all. With a journal the second preemption cost sixteen times as many when that was
//! tried (84,527 for 5,413 of `closed`); `LOOM_MAX_PREEMPTIONS` sets another bound for both.
//! Under policies (`pairs/policies.rs`) 7 beginnings and 145 pairs, by the same bounds; the rate over calls is of more calls than
//! there are, for a window that moves meanwhile has no one order (R19). One policy for all operations of a row, rings of two and four entries, eight places of the journal, one or two seats. Real
//! threads run four rounds each.
//!
//! **Negative controls** are mutants as for the other models. What is wrong in the same way one after the other is not seen
//! here: `tests/machine.rs` compares that with the rules.

mod beginnings;
mod explore;
mod journal_writer;
mod operations;
mod policies;
mod steps;

use std::collections::BTreeSet;
use std::io::Write;

use fuseboard_core::state::State;

use crate::common::is_full;

use beginnings::{Begin, PLACES};
use explore::{Allowed, EXECUTIONS, alone, at_once, in_every_order};
use operations::{Operation, Outcome};

/// Names of exceptions.
type Names = BTreeSet<&'static str>;
/// Pairs in the table, without policies and under them.
const PAIRS: usize = 3_762 + 145;

/// The pairs of operations that can run at once on the fuse of a scene, each with itself too.
fn pairs_of(begin: Begin) -> Vec<[Operation; 2]> {
    alone(move || {
        let scene = begin(0);
        let all = Operation::all(&scene);
        let beside = |i: usize| all[i..].iter().map(move |other| (i, *other));
        let pairs = (0..all.len()).flat_map(beside).map(|(i, other)| [all[i], other]);
        pairs.filter(|[one, other]| one.can_run_beside(*other, &scene)).collect()
    })
}

/// Explores some operations at once, without a journal and with one: each outcome must be that of one order of them. The
/// exceptions it took; what was not allowed goes to `faults`.
fn check<const N: usize>(begin: Begin, operations: [Operation; N], faults: &mut Vec<String>) -> Names {
    let mut taken = Names::new();
    for places in [0, PLACES] {
        let allowed = in_every_order(begin, places, operations);
        for outcome in at_once(begin, places, operations) {
            let broken = journal_writer::broken_chain(&outcome);
            match names_of(&outcome, &allowed).filter(|_| broken.is_none()) {
                Some(names) => taken.extend(names),
                None => faults.push(explain(&operations, &outcome, &allowed, broken)),
            }
        }
    }
    taken
}

/// The exceptions by which an outcome is one of those allowed.
fn names_of(outcome: &Outcome, allowed: &[Allowed]) -> Option<Names> {
    if let Some((_, names)) = allowed.iter().find(|(known, _)| known == outcome) {
        return Some(names.iter().copied().collect());
    }
    let mut alike =
        allowed.iter().filter(|(known, _)| known.answers == outcome.answers && known.after == outcome.after);
    alike
        .find_map(|(known, names)| Some(journal_writer::weaker(known, outcome)?.iter().chain(names).copied().collect()))
}

fn explain(operations: &[Operation], outcome: &Outcome, allowed: &[Allowed], broken: Option<String>) -> String {
    let allowed = allowed.iter().map(|(known, names)| format!("    {known:?} {names:?}\n")).collect::<String>();
    let broken = broken.map(|broken| format!("  {broken}\n")).unwrap_or_default();
    format!("{operations:?}:\n{broken}  {outcome:?}\n  is none of\n{allowed}")
}

/// Explores every pair from one beginning, in which loom takes just these exceptions, and those of the journal.
fn every_pair(name: &str, begin: Begin, exceptions: &[&'static str]) {
    let (pairs, mut faults) = (pairs_of(begin), Vec::new());
    let mut taken = Names::new();
    // The first pair that is not as it should be is enough.
    for pair in &pairs {
        if faults.is_empty() {
            taken.extend(check(begin, *pair, &mut faults));
        }
    }
    let all = [exceptions, &[journal_writer::FOR_ITS_MAKER, journal_writer::BY_A_RIVALS_NOTE]].concat();
    report(name, pairs.len(), &faults, &taken, &all);
}

fn report(name: &str, models: usize, faults: &[String], taken: &Names, exceptions: &[&'static str]) {
    let executions = EXECUTIONS.with(|executions| executions.get());
    // Past the capture of the test's output, so that `make model` shows it.
    _ = writeln!(std::io::stderr(), "{name}: {models} models, {executions} executions");
    assert!(faults.is_empty(), "{} unexpected outcomes:\n{}", faults.len(), faults.join("\n"));
    let exceptions = exceptions.iter().copied().collect::<Names>();
    assert!(taken.is_subset(&exceptions), "{name} took {taken:?}");
    assert!(taken == &exceptions || !is_full(), "{name} took only {taken:?}");
}

macro_rules! from_each {
    ($($of:ident::$begin:ident: [$($exception:ident),*];)*) => {
        $(#[test] fn $begin() {
            every_pair(stringify!($begin), $of::$begin, &[$(steps::$exception.name),*]);
        })*

        /// The table has not shrunk unseen.
        #[test]
        fn the_table_has_every_pair() {
            let beginnings = [$($of::$begin),*];
            assert_eq!(PAIRS, beginnings.map(|begin| pairs_of(begin).len()).iter().sum::<usize>());
        }
    };
}
from_each! {
    beginnings::never_seen: [ENTERS];
    beginnings::forgotten: [ENTERS];
    beginnings::closed: [];
    beginnings::one_failure: [];
    beginnings::full_ring: [];
    beginnings::open_and_not_due: [];
    beginnings::open_and_due: [TAKES_LATER];
    beginnings::free_seat: [RELEASES];
    beginnings::held_seat: [];
    beginnings::expired_lease: [RELEASES, LOSES_LATER];
    beginnings::taken_over: [];
    beginnings::two_held_seats: [FREES_LATER];
    beginnings::one_good_probe: [];
    beginnings::one_of_two_leases_expired: [RELEASES, LOSES_LATER, FREES_LATER];
    beginnings::isolated: [];
    beginnings::disabled: [];
    policies::one_bad_call: [COUNTS_FIRST];
    policies::one_slow_call: [COUNTS_FIRST, ENDS_UNSEEN];
    policies::one_failed_probe: [];
    policies::half_open_for_too_long: [ENDS_FIRST];
    policies::ramping: [COUNTS_FIRST];
    policies::ramp_that_is_over: [COUNTS_FIRST, ENDS_FIRST];
    policies::idle: [COUNTS_FIRST];
}

type Triple = (Begin, [Operation; 3]);
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
    let exceptions = [steps::RELEASES, steps::LOSES_LATER, steps::TAKES_LATER].map(|program| program.name);
    let all = [exceptions.as_slice(), &[journal_writer::FOR_ITS_MAKER]].concat();
    report("triples", TRIPLES.len(), &faults, &taken, &all);
}
