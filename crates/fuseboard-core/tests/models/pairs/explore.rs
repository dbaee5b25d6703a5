//! All outcomes of operations that run at once, and of the same operations one after the other.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::beginnings::{Begin, Scene};
use super::operations::{Operation, Outcome};
use super::steps::{Carry, Step, programs};
use crate::common::{job, race};

/// How often real threads run each.
#[cfg(not(fuseboard_loom))]
const ROUNDS: usize = 4;

thread_local! {
    /// How many executions there were in this test: it has a thread of its own.
    pub static EXECUTIONS: Cell<usize> = const { Cell::new(0) };
}

/// Runs `f` by itself, where loom's words can be made; what it returns.
pub fn alone<T: Send + 'static>(f: impl Fn() -> T + Send + Sync + 'static) -> T {
    let answer = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&answer);
    let run = move || _ = slot.lock().unwrap_or_else(PoisonError::into_inner).insert(f());
    #[cfg(fuseboard_loom)]
    crate::common::model(run);
    #[cfg(not(fuseboard_loom))]
    run();
    let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
    answer.expect("it ran")
}

/// How often loom may stop a thread in the middle of what it does: with a journal, whose records are many words, once.
#[cfg(fuseboard_loom)]
fn preemptions(places: usize) -> usize {
    if places > 0 { 1 } else { crate::common::preemptions() }
}

/// Explores `f`, which uses so many places: every interleaving within the bound under loom, a few with real threads.
fn explore(#[allow(unused, reason = "loom's bound")] places: usize, f: impl Fn() + Send + Sync + 'static) {
    let counter = Arc::new(AtomicUsize::new(0));
    let runs = Arc::clone(&counter);
    let counted = move || {
        runs.fetch_add(1, Ordering::Relaxed);
        f();
    };
    #[cfg(fuseboard_loom)]
    crate::common::model_within(preemptions(places), counted);
    #[cfg(not(fuseboard_loom))]
    (0..ROUNDS).for_each(|_| counted());
    EXECUTIONS.set(EXECUTIONS.get() + counter.load(Ordering::Relaxed));
}

/// The different outcomes of the operations at once.
pub fn at_once<const N: usize>(begin: Begin, places: usize, operations: [Operation; N]) -> Vec<Outcome> {
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let found = Arc::clone(&outcomes);
    explore(places, move || {
        let scene = Arc::new(begin(places));
        let numbered: [_; N] = std::array::from_fn(|i| (operations[i], i as u32 + 1));
        let run = |(operation, pid): (Operation, u32)| job(move |scene: &Scene| operation.run(scene, pid));
        let answers = race(&scene, numbered.map(run));
        let outcome = Outcome::of(&scene, answers.to_vec());
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        if !found.contains(&outcome) {
            found.push(outcome);
        }
    });
    std::mem::take(&mut *outcomes.lock().unwrap_or_else(PoisonError::into_inner))
}

/// An outcome that may be, and the names of the weaker steps that it takes; none where the operations run whole.
pub type Allowed = (Outcome, Vec<&'static str>);

/// The outcomes of every order of the operations, those of whole operations first.
pub fn in_every_order<const N: usize>(begin: Begin, places: usize, operations: [Operation; N]) -> Vec<Allowed> {
    let all: Vec<_> = (0..N).map(|i| programs(operations[i], &others(operations, i))).collect();
    let mut choices = vec![Vec::new()];
    for programs in &all {
        let longer = |choice: &Vec<_>| programs.iter().map(|p| [choice.as_slice(), &[*p]].concat()).collect::<Vec<_>>();
        choices = choices.iter().flat_map(longer).collect();
    }
    choices.sort_by_key(|choice| choice.iter().filter(|program| !program.name.is_empty()).count());
    let mut allowed: Vec<Allowed> = Vec::new();
    for choice in choices {
        let names: Vec<_> = choice.iter().map(|program| program.name).filter(|name| !name.is_empty()).collect();
        let steps: Vec<_> = choice.iter().map(|program| program.steps).collect();
        for order in orders(&steps.iter().map(|steps| steps.len()).collect::<Vec<_>>()) {
            let steps = steps.clone();
            let outcome = alone(move || in_order(&begin(places), operations, &steps, &order));
            if let Some(outcome) = outcome.filter(|outcome| allowed.iter().all(|(known, _)| known != outcome)) {
                allowed.push((outcome, names.clone()));
            }
        }
    }
    allowed
}

fn others<const N: usize>(operations: [Operation; N], i: usize) -> Vec<Operation> {
    operations.into_iter().enumerate().filter(|(j, _)| *j != i).map(|(_, other)| other).collect()
}

/// Runs the steps in the order given; `None` where one of them has no place in it.
fn in_order<const N: usize>(
    scene: &Scene,
    operations: [Operation; N],
    steps: &[&[Step]],
    order: &[usize],
) -> Option<Outcome> {
    let mut done = [0; N];
    let mut carry: [_; N] = std::array::from_fn(|i| Carry::new(i as u32 + 1));
    for &i in order {
        steps[i][done[i]](scene, operations[i], &mut carry[i])?;
        done[i] += 1;
    }
    let answers = carry.map(|carry| carry.answer.expect("the last step answers"));
    Some(Outcome::of(scene, answers.to_vec()))
}

/// Every way to interleave so many steps of each operation.
fn orders(left: &[usize]) -> Vec<Vec<usize>> {
    if left.iter().all(|left| *left == 0) {
        return vec![Vec::new()];
    }
    let next = (0..left.len()).filter(|i| left[*i] > 0);
    next.flat_map(|i| {
        let mut rest = left.to_vec();
        rest[i] -= 1;
        orders(&rest).into_iter().map(move |order| [vec![i], order].concat())
    })
    .collect()
}
