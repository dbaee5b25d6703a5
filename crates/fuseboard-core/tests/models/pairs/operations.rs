//! Every operation of the core on one fuse, what it answers, and what can be seen when all is over.

use fuseboard_core::admission::{Admission, Rejection};
use fuseboard_core::fuse::Call;
use fuseboard_core::fuse::{Effect, Permit};
use fuseboard_core::journal::{About, Record};
use fuseboard_core::rate::{RateCount, RateKind};
use fuseboard_core::snapshot::CellSnapshot;
use fuseboard_core::state::State;
use fuseboard_core::transition::Transition;

use crate::book::Pages;

use super::beginnings::{ALIVE, DEAD, PAST, Scene};
use super::policies;

/// An operation. Those with a permit are named after whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Admit,
    Succeeded(&'static str),
    Failed(&'static str),
    Ended(&'static str, Call),
    Released(&'static str),
    Sign(&'static str),
    RecordFailure,
    RecordSuccess,
    Set(State),
    Command(State),
    Forget,
    Vacate,
    Reclaim,
    NoteSettings(u64),
    Read,
}
use Operation::{
    Admit, Command, Ended, Failed, Forget, NoteSettings, Read, Reclaim, RecordFailure, RecordSuccess, Released, Set,
    Sign, Succeeded, Vacate,
};

/// What an operation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Admission(Admission),
    Effect(Effect),
    Count(u32),
    Transition(Option<Transition>),
    CellSnapshot(CellSnapshot),
    Flag(bool),
    Nothing,
}

impl Answer {
    fn transition(self) -> Option<Transition> {
        match self {
            Self::Admission(Admission { transition, .. }) | Self::Transition(transition) => transition,
            Self::Effect(Effect::Changed(transition)) => Some(transition),
            _ => None,
        }
    }
}

/// Writes a transition down as its maker does, who knows more about it than others.
pub fn write_down(scene: &Scene, pid: u32, transition: Option<Transition>) {
    if let Some(transition) = transition {
        scene.fuse(pid).write_down(transition, About::new(b"maker"));
    }
}

impl Operation {
    /// All that can run on the fuse of a scene; under a policy, what that has to do with.
    pub fn all(scene: &Scene) -> Vec<Self> {
        if scene.policy.has_rates() {
            return policies::operations(scene);
        }
        let raw = [Set(State::Closed), Set(State::Open), Set(State::HalfOpen)];
        let commands = [Command(State::Closed), Command(State::Isolated), Command(State::Disabled)];
        let others =
            [Admit, RecordFailure, RecordSuccess, Forget, Reclaim, NoteSettings(DEAD), NoteSettings(ALIVE), Read];
        let outcomes = scene.permits.iter().flat_map(|(whose, permit)| {
            [Succeeded(whose), Failed(whose), Released(whose)].into_iter().chain(permit.lease.map(|_| Sign(whose)))
        });
        [raw.as_slice(), &commands, &others].concat().into_iter().chain(outcomes).collect()
    }

    /// Whose permit it takes.
    pub fn whose(self) -> Option<&'static str> {
        match self {
            Succeeded(whose) | Failed(whose) | Ended(whose, _) | Released(whose) | Sign(whose) => Some(whose),
            _ => None,
        }
    }

    /// Whether two callers can be at these at once: a lease has one holder, who does one thing after the other.
    pub fn can_run_beside(self, other: Self, scene: &Scene) -> bool {
        if scene.policy.has_rates() && ![self, other].into_iter().any(policies::is_of_a_policy) {
            return false;
        }
        let lease = |operation: Self| operation.whose().and_then(|whose| permit_of(scene, whose).lease);
        lease(self).is_none_or(|lease_of_self| lease(other) != Some(lease_of_self))
    }

    /// Runs it in the process `pid`, which then writes down what it changed.
    pub fn run(self, scene: &Scene, pid: u32) -> Answer {
        let answer = self.act(scene, pid);
        write_down(scene, pid, answer.transition());
        answer
    }

    fn act(self, scene: &Scene, pid: u32) -> Answer {
        let Scene { policy, now, .. } = scene;
        let (fuse, now) = (scene.fuse(pid), *now);
        match self {
            Admit => Answer::Admission(fuse.admit(policy, now)),
            Succeeded(whose) => Answer::Effect(fuse.succeeded(policy, permit_of(scene, whose), now)),
            Failed(whose) => Answer::Effect(fuse.failed(policy, permit_of(scene, whose), now)),
            Ended(whose, call) => Answer::Effect(fuse.settle(policy, permit_of(scene, whose), call, || now)),
            Released(whose) => Answer::Effect(fuse.cancel(permit_of(scene, whose))),
            Sign(whose) => {
                fuse.sign(permit_of(scene, whose).lease.expect("only leases are signed"), ALIVE);
                Answer::Nothing
            }
            RecordFailure => Answer::Count(fuse.record_failure(policy.window_us, now)),
            RecordSuccess => {
                fuse.record_success(now);
                Answer::Nothing
            }
            Set(state) => Answer::Transition(fuse.set(state, now)),
            Command(state) => Answer::Transition(fuse.command(state, || now)),
            Forget => Answer::Transition(fuse.forget(|| now)),
            Vacate => Answer::Flag(scene.remove(pid)),
            Reclaim => Answer::Flag(fuse.reclaim(|hint| hint == DEAD)),
            NoteSettings(settings_hash) => Answer::Flag(fuse.note_settings(settings_hash).is_some()),
            Read => Answer::CellSnapshot(fuse.read()),
        }
    }
}

/// The permit of the scene that has this name.
pub fn permit_of(scene: &Scene, whose: &str) -> Permit {
    scene.permits.iter().find(|(name, _)| *name == whose).expect("a permit of the scene").1
}

/// What the operations answered, what everybody sees behind them, and what a reader finds in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub answers: Vec<Answer>,
    pub after: Afterwards,
    pub journaled: Option<Vec<Record>>,
}

/// State, failures, generation (in the word, as is the number of all failures); how many failures are within the window
/// and their runs; what the rate windows say; what a call would be told and what the next ones are; which permits still mean something; whether the settings are known,
/// whether a dead owner holds a seat, and whether one success more closes the fuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Afterwards {
    pub cell: CellSnapshot,
    pub runs: Vec<u64>,
    pub in_window: usize,
    pub calls: [Admission; 3],
    pub success: Option<Effect>,
    pub permits: Vec<Effect>,
    pub rejection: Option<Rejection>,
    pub counts: Vec<RateCount>,
    pub known_settings: bool,
    pub dead_holder: bool,
}

impl Outcome {
    /// Looks at the fuse. Each look may change it, but the same state always gives the same looks.
    pub fn of(scene: &Scene, answers: Vec<Answer>) -> Self {
        scene.fuse(PAST).catch_up();
        let journaled = scene.pages.as_ref().map(Pages::journaled);
        let (fuse, later) = (scene.bare(), scene.now + 1);
        let (cell, entries) = (on_time(scene, fuse.read()), scene.row.entries());
        // A count of failed probes and a time asked for are written down behind the transition, and who reads in between finds the ones before.
        let settled = |answer| match answer {
            Answer::CellSnapshot(cell) => {
                Answer::CellSnapshot(CellSnapshot { failed_probes: 0, ..on_time(scene, cell) })
            }
            Answer::Admission(admission) if scene.policy.has_rates() => Answer::Admission(untimed(admission)),
            other => other,
        };
        let answers: Vec<_> = answers.into_iter().map(settled).collect();
        let oldest = later - scene.policy.window_us.min(later);
        let given = answers.iter().filter_map(|answer| match answer {
            Answer::Admission(admission) => admission.verdict.ok(),
            _ => None,
        });
        let permits: Vec<_> = scene.permits.iter().map(|(_, permit)| *permit).chain(given).collect();
        let rejection = fuse.would_admit(&scene.policy, later, |_| false).err();
        let counts = RateKind::ALL.into_iter().filter_map(|kind| fuse.rate_count(&scene.policy, kind, || later));
        let counts = counts.collect();
        let known_settings = fuse.note_settings(DEAD).is_some();
        let calls = [0; 3].map(|_| fuse.admit(&scene.policy, later));
        let dead_holder = fuse.reclaim(|hint| hint == DEAD);
        let probe = calls.iter().filter_map(|call| call.verdict.ok()).find(|permit| permit.lease.is_some());
        let permits = permits.into_iter().map(|permit| fuse.cancel(permit)).collect();
        let success = probe.map(|probe| fuse.succeeded(&scene.policy, probe, later));
        let in_window = entries.iter().filter(|(_, stamp)| *stamp >= oldest).count();
        let runs = entries.iter().map(|(run, _)| *run).collect();
        let after = Afterwards {
            cell,
            runs,
            in_window,
            calls,
            success,
            permits,
            rejection,
            counts,
            known_settings,
            dead_holder,
        };
        Self { answers, after, journaled }
    }
}

/// The one exception for all: a failure that finds an attempt in its place, a rival's or its own, is stamped a microsecond
/// behind it, so that no two entries of one place are alike; a standing clock is a few microseconds behind then.
fn on_time(scene: &Scene, cell: CellSnapshot) -> CellSnapshot {
    let last = cell.last_failure_us.inspect(|stamp| assert!(*stamp < scene.now + 6, "{stamp} is far ahead"));
    CellSnapshot { last_failure_us: last.map(|stamp| stamp.min(scene.now)), ..cell }
}

/// An answer without how long an open fuse stays so.
fn untimed(admission: Admission) -> Admission {
    let untimed = |no: Rejection| if no.state == State::Open { Rejection { retry_after_us: None, ..no } } else { no };
    Admission { verdict: admission.verdict.map_err(untimed), ..admission }
}
