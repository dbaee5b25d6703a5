//! The fuses that pairs of operations begin from, each with the permits that are out.

use std::sync::Arc;

use fuseboard_core::fuse::Permit;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;

use crate::common::{POLICY, Row, SECOND};

/// When the fuse came into its state; its past lies before.
const NOW: u64 = 100 * SECOND;
/// Two probes at once, and two successes that close.
const TWO: Policy = Policy { probes: 2, success_threshold: 2, ..POLICY };
/// When a lease taken at [`NOW`] has run out, while one taken a second later has not.
const EXPIRED: u64 = NOW + POLICY.probe_us;
/// When a fuse that opened at [`NOW`] lets a probe through.
const DUE: u64 = NOW + POLICY.reset_us;
/// Owners' hints.
pub const DEAD: u64 = 1;
pub const ALIVE: u64 = 2;

/// A fuse, the time at which all operations run on it, and the permits whose outcomes are still to come. Permits that are
/// no leases are alike within a generation, so one stands for all.
pub struct Scene {
    pub row: Arc<Row>,
    pub policy: Policy,
    pub now: u64,
    pub permits: Vec<(&'static str, Permit)>,
}

impl Scene {
    fn new(len: usize, policy: Policy, now: u64) -> Self {
        Self { row: Row::new(len), policy, now, permits: Vec::new() }
    }

    /// The fuse goes to `state`.
    fn then(self, state: State, now: u64) -> Self {
        self.row.fuse().command(state, || now).expect("an operator's word is heard");
        self
    }

    /// A call is admitted, by an owner who signs for a lease, and stays out.
    fn call(mut self, whose: &'static str, hint: u64, now: u64) -> Self {
        let permit = self.row.permit(&self.policy, now);
        if let Some(lease) = permit.lease {
            self.row.fuse().sign(lease, hint);
        }
        self.permits.push((whose, permit));
        self
    }

    fn failure(self, now: u64) -> Self {
        self.row.fuse().record_failure(POLICY.window_us, now);
        self
    }

    /// A half-open fuse, a call of an older half-open generation still out: its lease stands in the first seat.
    fn half_open(policy: Policy, now: u64) -> Self {
        let old = Self::new(2, policy, now).then(State::HalfOpen, NOW - 2 * SECOND).call("old", DEAD, NOW - 2 * SECOND);
        // Raw, so that the old lease stays where it is.
        old.row.fuse().set(State::HalfOpen, NOW - SECOND).expect("nothing holds the fuse");
        old
    }

    /// A closed fuse, a call of an older generation still out.
    fn closed(len: usize, now: u64) -> Self {
        let old = Self::new(len, POLICY, now).then(State::Closed, NOW - 2 * SECOND).call("old", DEAD, NOW - SECOND);
        old.then(State::Closed, NOW - SECOND).call("current", DEAD, NOW)
    }
}

pub fn never_seen() -> Scene {
    Scene::new(2, POLICY, NOW)
}

pub fn forgotten() -> Scene {
    let scene = Scene::closed(2, NOW).failure(NOW);
    scene.row.fuse().forget(|| NOW).expect("it was there");
    scene
}

pub fn closed() -> Scene {
    Scene::closed(2, NOW)
}

pub fn one_failure() -> Scene {
    Scene::closed(4, NOW).failure(NOW)
}

/// The ring has been lapped, and of the failures in it one is within the window.
pub fn full_ring() -> Scene {
    let now = NOW + POLICY.window_us + SECOND;
    Scene::closed(2, now).failure(NOW).failure(NOW).failure(now - 1)
}

pub fn open_and_not_due() -> Scene {
    Scene::closed(2, NOW + SECOND).then(State::Open, NOW)
}

pub fn open_and_due() -> Scene {
    Scene::closed(2, DUE).then(State::Open, NOW)
}

pub fn free_seat() -> Scene {
    Scene::half_open(POLICY, NOW)
}

pub fn held_seat() -> Scene {
    Scene::half_open(POLICY, NOW + 1).call("probe", DEAD, NOW)
}

pub fn expired_lease() -> Scene {
    Scene::half_open(POLICY, EXPIRED).call("expired", DEAD, NOW)
}

/// The holder of a lease that ran out, and who has its seat now.
pub fn taken_over() -> Scene {
    Scene::half_open(POLICY, EXPIRED + 1).call("lost", DEAD, NOW).call("probe", ALIVE, EXPIRED)
}

pub fn two_held_seats() -> Scene {
    Scene::half_open(TWO, NOW + 1).call("first", DEAD, NOW).call("second", ALIVE, NOW)
}

/// The next success closes.
pub fn one_good_probe() -> Scene {
    let scene = Scene::half_open(TWO, NOW + 1).call("good", ALIVE, NOW).call("probe", DEAD, NOW);
    let (_, good) = scene.permits[1];
    scene.row.fuse().succeeded(&TWO, good, NOW);
    scene
}

pub fn one_of_two_leases_expired() -> Scene {
    Scene::half_open(TWO, EXPIRED).call("expired", DEAD, NOW).call("probe", ALIVE, NOW + SECOND)
}

pub fn isolated() -> Scene {
    Scene::closed(2, NOW).then(State::Isolated, NOW)
}

pub fn disabled() -> Scene {
    Scene::closed(2, NOW).then(State::Disabled, NOW).call("of the hold", DEAD, NOW)
}
