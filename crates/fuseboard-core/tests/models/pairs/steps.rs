//! The exceptions: where the documented semantics of an operation is weaker than one step. Each is a list of smaller
//! steps, made by the shipped code; what the others do may fall between them, and what comes of that is allowed. So an
//! exception allows exact outcomes, not a kind of operation.

use fuseboard_core::admission::Admission;
use fuseboard_core::fuse::Reached;
use fuseboard_core::fuse::{Effect, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::transition::Cause;
use fuseboard_core::transition::Transition;

use super::beginnings::{DEAD, Scene};
use super::operations::{Answer, Operation, permit_of, write_down};
use Operation::{Admit, Command, Ended, Failed, Forget, Reclaim, RecordFailure, Set, Succeeded};

/// What an operation takes from step to step.
#[derive(Clone, Copy, Default)]
pub struct Carry {
    pid: u32,
    pub answer: Option<Answer>,
    permit: Option<Permit>,
    transition: Option<Transition>,
    reached: Reached,
}

/// A step; `None` where it does not apply to what stands there.
pub type Step = fn(&Scene, Operation, &mut Carry) -> Option<()>;

impl Carry {
    /// What the process `pid` begins with.
    pub fn new(pid: u32) -> Self {
        Self { pid, ..Self::default() }
    }
}

/// The steps of an operation, and the name of the exception they are; none for an operation that is one step.
#[derive(Clone, Copy)]
pub struct Program {
    pub name: &'static str,
    pub steps: &'static [Step],
}

const WHOLE: Program = Program { name: "", steps: &[whole] };
/// A fuse never seen goes to closed by a swap of its own; it was closed all along (R01).
pub const ENTERS: Program = Program { name: "a fuse never seen is entered first", steps: &[enter, whole] };
/// Open to half-open is one word, the seat another: another call may take it first, and a reader sees it free.
pub const TAKES_LATER: Program =
    Program { name: "the time is up first, a seat is taken then", steps: &[time_up, rest] };
/// A seat taken in a generation that ended meanwhile is released; the lease it replaced is gone.
pub const RELEASES: Program = Program { name: "a seat taken too late is released", steps: &[take, remove_and_retry] };
/// A prober looks at its lease and then swaps the word; past its deadline the seat may be taken in between.
pub const LOSES_LATER: Program =
    Program { name: "an outcome counts that had its lease when it came", steps: &[look, change] };
/// The same where the probe is counted in its own word and the death of its owner, who is not dead, is acted on then.
pub const FREES_LATER: Program = Program { name: "a seat is freed under the hands of a prober", steps: &[dead, frees] };

/// A call is counted in the rate windows first; a rival's judgement may fall in between, and then it is late.
pub const COUNTS_FIRST: Program =
    Program { name: "a call is counted in the rate windows first, and judged then", steps: &[count_rates, judge] };
/// A bad call sums up and then swaps the word; of a good call that ends in between the word knows nothing.
pub const ENDS_UNSEEN: Program =
    Program { name: "a good call ends between a bad one's look and its swap", steps: &[counts, is_late] };
/// That a stay or a ramp is over is one word, what the call is told another.
pub const ENDS_FIRST: Program =
    Program { name: "a stay or a ramp is over first, the call is answered then", steps: &[over, rest] };

/// The ways in which an operation may go beside the others.
pub fn programs(operation: Operation, others: &[Operation]) -> Vec<Program> {
    let beside = |is: fn(Operation) -> bool| others.iter().any(|other| is(*other));
    let moves_on = beside(|o| matches!(o, Set(_) | Command(_) | Forget | Succeeded(_) | Failed(_) | Ended(..)));
    let exceptions = match operation {
        Admit => vec![(ENTERS, true), (TAKES_LATER, true), (RELEASES, moves_on), (ENDS_FIRST, true)],
        Ended(_, call) => vec![(COUNTS_FIRST, true), (ENDS_UNSEEN, !call.failed && beside(|o| matches!(o, Ended(..))))],
        RecordFailure => vec![(ENTERS, true)],
        Succeeded(_) | Failed(_) => vec![(LOSES_LATER, beside(|o| matches!(o, Admit | Reclaim)))],
        Reclaim => vec![(FREES_LATER, beside(|o| matches!(o, Succeeded(_))))],
        _ => vec![],
    };
    let applies = exceptions.into_iter().filter(|(_, applies)| *applies).map(|(program, _)| program);
    [WHOLE].into_iter().chain(applies).collect()
}

fn whole(scene: &Scene, operation: Operation, carry: &mut Carry) -> Option<()> {
    carry.answer = Some(operation.run(scene, carry.pid));
    Some(())
}

fn is_in(scene: &Scene, state: State) -> Option<()> {
    (scene.row.fuse().word().state() == state).then_some(())
}

fn enter(scene: &Scene, _: Operation, carry: &mut Carry) -> Option<()> {
    is_in(scene, State::Unseen)?;
    scene.fuse(carry.pid).record_success(scene.now);
    Some(())
}

fn time_up(scene: &Scene, _: Operation, carry: &mut Carry) -> Option<()> {
    is_in(scene, State::Open)?;
    // A call that may take no seat.
    let seatless = Policy { probes: 0, ..scene.policy };
    carry.transition = scene.fuse(carry.pid).admit(&seatless, scene.now).transition;
    carry.transition.map(|_| ())
}

fn rest(scene: &Scene, _: Operation, carry: &mut Carry) -> Option<()> {
    let admission = scene.fuse(carry.pid).admit(&scene.policy, scene.now);
    assert_eq!(None, admission.transition, "one call makes one transition");
    write_down(scene, carry.pid, carry.transition);
    carry.answer = Some(Answer::Admission(Admission { transition: carry.transition, ..admission }));
    Some(())
}

fn take(scene: &Scene, _: Operation, carry: &mut Carry) -> Option<()> {
    let admission = scene.fuse(carry.pid).admit(&scene.policy, scene.now);
    carry.transition = admission.transition;
    carry.permit = admission.verdict.ok().filter(|permit| permit.lease.is_some());
    carry.permit.map(|_| ())
}

fn remove_and_retry(scene: &Scene, operation: Operation, carry: &mut Carry) -> Option<()> {
    let (fuse, permit) = (scene.fuse(carry.pid), carry.permit?);
    if fuse.word().generation() == permit.generation {
        return None;
    }
    fuse.cancel(permit);
    rest(scene, operation, carry)
}

/// Whether an owner who signed `hint` holds a seat.
fn holds(scene: &Scene, hint: u64) -> bool {
    let held = std::cell::Cell::new(false);
    scene.bare().reclaim(|owner| {
        held.set(held.get() || owner == hint);
        false
    });
    held.get()
}

fn look(scene: &Scene, operation: Operation, carry: &mut Carry) -> Option<()> {
    is_in(scene, State::HalfOpen)?;
    let permit = permit_of(scene, operation.whose()?);
    carry.permit = Some(permit).filter(|permit| permit.lease.is_some() && holds(scene, DEAD));
    (carry.permit?.generation == scene.row.fuse().word().generation()).then_some(())
}

fn change(scene: &Scene, operation: Operation, carry: &mut Carry) -> Option<()> {
    let (fuse, permit) = (scene.fuse(carry.pid), carry.permit?);
    let decides = matches!(operation, Failed(_)) || scene.policy.success_threshold == 1;
    let seen = fuse.word();
    if seen.generation() != permit.generation || !decides {
        return None;
    }
    let (to, cause) = match operation {
        Failed(_) => (State::Open, Cause::ProbeFailed),
        _ => (State::Closed, Cause::ProbesSucceeded),
    };
    let transition = fuse.set(to, scene.now)?;
    let transition = Transition { cause, ..transition };
    if to == State::Open {
        scene.row.cell.opened(&scene.policy, seen, transition, 0);
    }
    write_down(scene, carry.pid, Some(transition));
    carry.answer = Some(Answer::Effect(Effect::Changed(transition)));
    Some(())
}

/// The owner who is said to be dead holds a seat, although he is about to report.
fn dead(scene: &Scene, _: Operation, _: &mut Carry) -> Option<()> {
    (scene.policy.success_threshold > 1 && holds(scene, DEAD)).then_some(())
}

fn frees(scene: &Scene, _: Operation, carry: &mut Carry) -> Option<()> {
    scene.row.fuse().reclaim(|hint| hint == DEAD);
    carry.answer = Some(Answer::Flag(true));
    Some(())
}

fn over(scene: &Scene, _: Operation, carry: &mut Carry) -> Option<()> {
    is_in(scene, State::Ramping).or_else(|| is_in(scene, State::HalfOpen))?;
    // Where it ends a ramp it is also given a permit, of which nothing remains.
    carry.transition = scene.fuse(carry.pid).admit(&scene.policy, scene.now).transition;
    carry.transition.map(|_| ())
}

fn count_rates(scene: &Scene, operation: Operation, carry: &mut Carry) -> Option<()> {
    let Ended(whose, call) = operation else { return None };
    carry.reached =
        scene.fuse(carry.pid).count_in_rates(&scene.policy, permit_of(scene, whose), call, None, || scene.now);
    Some(())
}

fn judge(scene: &Scene, operation: Operation, carry: &mut Carry) -> Option<()> {
    let Ended(whose, call) = operation else { return None };
    let effect =
        scene.fuse(carry.pid).settle_counted(&scene.policy, permit_of(scene, whose), call, carry.reached, || scene.now);
    if let Effect::Changed(transition) = effect {
        write_down(scene, carry.pid, Some(transition));
    }
    carry.answer = Some(Answer::Effect(effect));
    Some(())
}

/// The call would count, and change nothing but the rate windows.
fn counts(scene: &Scene, operation: Operation, _: &mut Carry) -> Option<()> {
    let word = scene.row.fuse().word();
    let counts = word.generation() == permit_of(scene, operation.whose()?).generation && word.state().counts();
    (counts && !word.is_dirty()).then_some(())
}

fn is_late(scene: &Scene, operation: Operation, carry: &mut Carry) -> Option<()> {
    judge(scene, operation, carry)?;
    (carry.answer == Some(Answer::Effect(Effect::Late))).then(|| carry.answer = Some(Answer::Effect(Effect::Counted)))
}
