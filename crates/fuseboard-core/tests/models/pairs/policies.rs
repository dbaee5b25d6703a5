//! The fuses under policies that pairs of operations begin from, and the operations that matter on each: every end of a
//! call, asking, removal, and what may come in between.

use fuseboard_core::fuse::Call;
use fuseboard_core::fuse::Permit;
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::Rate;
use fuseboard_core::rate::{RATE_WINDOWS, RateKind};
use fuseboard_core::state::State;

use super::beginnings::{ALIVE, NOW, PAST, Scene};
use super::operations::Operation::{self, Admit, Command, Ended, Forget, RecordFailure, Released, Set, Vacate};
use crate::common::{POLICY, SECOND};

const GOOD: Call = Call { failed: false, took_us: 0, demands: false, asked_us: 0 };
const FAILED: Call = Call { failed: true, ..GOOD };
const SLOW: Call = Call { took_us: 9, ..GOOD };
/// Opens the fuse for longer than any other call.
const DEMANDING: Call = Call { demands: true, asked_us: 90 * SECOND, ..FAILED };

/// All of at least two calls, of the last four or of 28 microseconds, and no other count.
const fn measuring(kind: RateKind) -> Policy {
    let span = if matches!(kind, RateKind::FailuresOfCalls) { 4 } else { 28 };
    let mut rates = [None; RATE_WINDOWS];
    rates[kind as usize] = Some(Rate { span, bad_ppm: 1_000_000, min_calls: 2, slow_us: 9 });
    Policy {
        threshold: 0,
        multiplier_permille: 2_000,
        longest_us: 300 * SECOND,
        probes: 2,
        probe_failures: 2,
        half_open_us: 20 * SECOND,
        ramp_us: 10 * SECOND,
        ramp_from_ppm: 500_000,
        probe_us: 60 * SECOND,
        rates,
        ..POLICY
    }
}
const OF_CALLS: Policy = measuring(RateKind::FailuresOfCalls);
/// When a fuse that opened at [`NOW`] and once more lets a probe through, and the second one failed.
const BACK: u64 = NOW + 60 * SECOND;

impl Scene {
    /// A permit that is no lease ends like this.
    fn settle(self, call: Call, now: u64) -> Self {
        let permit = self.current();
        self.fuse(PAST).settle(&self.policy, permit, call, || now);
        self
    }

    fn current(&self) -> Permit {
        Permit { generation: self.row.fuse().word().generation(), lease: None }
    }

    fn with_current(mut self) -> Self {
        self.permits.push(("current", self.current()));
        self
    }

    /// Half-open since [`BACK`] for the second time, one probe of two that may fail has; a probe is out.
    fn probing(now: u64, places: usize) -> Self {
        let mut scene = Self::new(2, OF_CALLS, now, places).then(State::HalfOpen, NOW);
        for at in [NOW, NOW, BACK] {
            scene = scene.call("failed", ALIVE, at);
            let (_, permit) = scene.permits.pop().expect("it was admitted");
            scene.fuse(PAST).settle(&OF_CALLS, permit, FAILED, || at);
        }
        assert_eq!((State::HalfOpen, 1), (scene.row.fuse().word().state(), scene.row.fuse().read().failed_probes));
        scene.call("probe", ALIVE, BACK)
    }

    /// Ramping since [`BACK`], with one bad call, and a probe that is late.
    fn ramping(now: u64, places: usize) -> Self {
        let scene = Self::probing(now, places).call("good", ALIVE, BACK);
        let (_, good) = scene.permits[1];
        scene.fuse(PAST).settle(&OF_CALLS, good, GOOD, || BACK);
        let mut scene = scene.settle(FAILED, BACK).with_current();
        scene.permits.retain(|(whose, _)| *whose != "good");
        scene
    }
}

/// The next bad call opens the fuse.
pub fn one_bad_call(places: usize) -> Scene {
    let scene = Scene::new(2, OF_CALLS, NOW, places).then(State::Closed, NOW - 1);
    scene.settle(FAILED, NOW).with_current()
}

/// The next slow call opens the fuse.
pub fn one_slow_call(places: usize) -> Scene {
    let scene = Scene::new(2, measuring(RateKind::SlowInTime), NOW, places).then(State::Closed, NOW - 1);
    scene.settle(SLOW, NOW).with_current()
}

/// The next failed probe opens the fuse; a seat is free.
pub fn one_failed_probe(places: usize) -> Scene {
    Scene::probing(BACK + 1, places)
}

/// The next call finds the fuse open.
pub fn half_open_for_too_long(places: usize) -> Scene {
    Scene::probing(BACK + OF_CALLS.half_open_us, places)
}

pub fn ramping(places: usize) -> Scene {
    Scene::ramping(BACK + OF_CALLS.ramp_us / 2, places)
}

/// The next call finds the fuse closed.
pub fn ramp_that_is_over(places: usize) -> Scene {
    Scene::ramping(BACK + OF_CALLS.ramp_us, places)
}

/// A fuse that can be removed, though one bad call more opens it.
pub fn idle(places: usize) -> Scene {
    let scene = Scene::new(2, OF_CALLS, NOW, places).with_claim().then(State::Closed, NOW - 1).settle(FAILED, NOW);
    scene.fuse(PAST).record_success(NOW);
    scene.with_current()
}

/// The operations that matter on the fuse of a scene. Raw records change nothing that outcomes do not, nor does forgetting
/// what a manual override does not, but to a fuse that may be removed.
pub fn operations(scene: &Scene) -> Vec<Operation> {
    let bad = if scene.policy.is_timed() { SLOW } else { FAILED };
    let state = scene.row.fuse().word().state();
    let is_late = |permit: &Permit| permit.generation != scene.row.fuse().word().generation();
    let outcomes = scene.permits.iter().flat_map(|(whose, permit)| match permit {
        late if is_late(late) => vec![Ended(whose, FAILED)],
        Permit { lease: Some(_), .. } => {
            vec![Ended(whose, GOOD), Ended(whose, FAILED), Ended(whose, DEMANDING), Released(whose)]
        }
        _ => vec![Ended(whose, GOOD), Ended(whose, bad), Ended(whose, DEMANDING)],
    });
    let raw = if state == State::HalfOpen { Set(State::HalfOpen) } else { Set(State::Open) };
    let removed = scene.claim.iter().flat_map(|_| [Vacate, RecordFailure, Forget]);
    let others = [Admit, raw, Command(State::Closed)];
    others.into_iter().chain(removed).chain(outcomes).collect()
}

/// Whether a policy has to do with an operation: pairs without any such are judged where there is none.
pub fn is_of_a_policy(operation: Operation) -> bool {
    matches!(operation, Admit | Ended(..) | Vacate)
}
