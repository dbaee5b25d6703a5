//! What threads were told, and whether it fits together: checked when all have ended.

use std::collections::BTreeMap;

use fuseboard_core::counters::{COUNTERS, Counter};
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::transition::Transition;
use fuseboard_core::word::Word;

/// A change of state, and the generation of the permit whose outcome made it, if one did.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub transition: Transition,
    pub by_permit_of: Option<u64>,
}

/// What one thread, or in the end all of them, were told of one fuse.
#[derive(Debug, Default)]
pub struct Observed {
    pub changes: Vec<Change>,
    /// Generations and states that a look at the fuse found.
    pub seen: Vec<(u64, State)>,
    /// Failures that counted and changed nothing, by the generation of their permits.
    pub failures: BTreeMap<u64, u32>,
    /// The same of successful probes.
    pub probes: BTreeMap<u64, u32>,
    /// What the fuse's counters should show.
    pub counters: [u64; COUNTERS],
}

impl Observed {
    pub fn count(&mut self, counter: Counter) {
        self.counters[counter as usize] += 1;
    }

    pub fn changed(&mut self, transition: Option<Transition>, by_permit_of: Option<u64>) {
        self.changes.extend(transition.map(|transition| Change { transition, by_permit_of }));
    }

    /// Adds what another thread was told.
    pub fn merge(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.seen.extend(other.seen);
        for (mine, theirs) in [(&mut self.failures, other.failures), (&mut self.probes, other.probes)] {
            theirs.into_iter().for_each(|(generation, count)| *mine.entry(generation).or_default() += count);
        }
        self.counters.iter_mut().zip(other.counters).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// What does not fit: nothing, if the fuse keeps its rules. `raw_failures` says whether failures were recorded that
    /// no permit stands for, so that their generation is not known.
    pub fn faults(&mut self, policy: &Policy, last: Word, raw_failures: bool) -> Vec<String> {
        self.changes.sort_by_key(|change| change.transition.generation);
        let mut faults = self.faults_of_chain(last);
        faults.extend(self.faults_of_looks());
        for Change { transition, by_permit_of } in &self.changes {
            let Some(generation) = by_permit_of else { continue };
            let observed = |of: &BTreeMap<u64, u32>| of.get(generation).copied().unwrap_or(0);
            // R03: the failures that a trip needs were counted before it. R07: the same of probes, exactly.
            let fits = match (transition.from, transition.to) {
                (State::Closed, State::Open) => raw_failures || observed(&self.failures) >= policy.threshold - 1,
                (State::HalfOpen, State::Closed) => observed(&self.probes) == policy.success_threshold - 1,
                (State::HalfOpen, State::Open) => true,
                _ => false,
            };
            if !fits {
                faults.push(format!(
                    "{transition:?} by an outcome of {generation}, which counted too little or too much"
                ));
            }
        }
        faults
    }

    /// R03, R09: each change begins in the state in which the one before it ended, in a later generation, and is told to
    /// one thread; an outcome changes its own generation only.
    fn faults_of_chain(&self, last: Word) -> Vec<String> {
        let mut faults = Vec::new();
        let (mut state, mut generation) = (State::Closed, 0);
        for change in &self.changes {
            let next = change.transition;
            if next.from != state || next.generation <= generation {
                faults.push(format!("{next:?} follows {state:?} of {generation}"));
            }
            // The first use of a fuse never seen or forgotten begins a generation that nobody is told of.
            let is_own = |of| of == generation || state == State::Closed && of > generation;
            if !change.by_permit_of.is_none_or(is_own) {
                faults.push(format!("{change:?} ends the generation {generation}"));
            }
            (state, generation) = (next.to, next.generation);
        }
        if last.state().visible() != state {
            faults.push(format!("{last:?} is left, {state:?} was told last"));
        }
        faults
    }

    /// What a look at the fuse finds is what somebody was told, or a first use, which closes.
    fn faults_of_looks(&self) -> Vec<String> {
        let observed: BTreeMap<_, _> =
            self.changes.iter().map(|c| (c.transition.generation, c.transition.to)).collect();
        let fits = |(generation, state): &&(u64, State)| {
            *observed.get(generation).unwrap_or(&State::Closed) == state.visible()
        };
        self.seen.iter().filter(|look| !fits(look)).map(|look| format!("{look:?} was never told")).collect()
    }
}
