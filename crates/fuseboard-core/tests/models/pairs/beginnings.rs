//! The fuses that pairs of operations begin from, each with the permits that are out.

use std::sync::Arc;

use fuseboard_core::directory::{Directory, Key, NameHash, SlotClaim};
use fuseboard_core::fuse::{Fuse, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;

use crate::book::Pages;
use crate::common::{POLICY, Row, SECOND};

/// When the fuse came into its state; its past lies before.
pub const NOW: u64 = 100 * SECOND;
/// Two probes at once, and two successes that close.
const TWO: Policy = Policy { probes: 2, success_threshold: 2, ..POLICY };
/// When a lease taken at [`NOW`] has run out, while one taken a second later has not.
const EXPIRED: u64 = NOW + POLICY.probe_us;
/// When a fuse that opened at [`NOW`] lets a probe through.
const DUE: u64 = NOW + POLICY.reset_us;
/// Places of a journal: more than any three operations fill.
pub const PLACES: usize = 8;
/// Owners' hints.
pub const DEAD: u64 = 1;
pub const ALIVE: u64 = 2;
/// The process of which nobody hears any more; those of the operations are numbered from 1.
pub const PAST: u32 = 9;

/// How a fuse comes about, with so many places for the journal; with none, nobody writes its transitions down.
pub type Begin = fn(usize) -> Scene;

/// A fuse whose last transition is not in the journal yet, the time at which all operations run on it, and the permits whose outcomes are still to come. Permits that are
/// no leases are alike within a generation, so one stands for all.
pub struct Scene {
    pub row: Arc<Row>,
    /// The journal, if the fuse has one.
    pub pages: Option<Pages>,
    pub policy: Policy,
    pub now: u64,
    pub permits: Vec<(&'static str, Permit)>,
    /// The key and the claim of a fuse that can be removed.
    pub claim: Option<(Key, SlotClaim)>,
}

impl Scene {
    pub fn new(len: usize, policy: Policy, now: u64, places: usize) -> Self {
        let pages = (places > 0).then(|| Pages::new(places));
        Self { row: Row::new(len), pages, policy, now, permits: Vec::new(), claim: None }
    }

    pub fn with_claim(self) -> Self {
        let key = Key::new();
        let claimed = Directory::new(std::slice::from_ref(&key)).claim(NameHash::new(5, 1), || 0);
        Self { claim: Some((key, claimed.expect("it is free"))), ..self }
    }

    /// The fuse in the hands of its holder, who writes nothing down.
    pub fn bare(&self) -> Fuse<'_> {
        let fuse = self.row.with_rates();
        self.claim.as_ref().map_or(fuse, |(key, claim)| fuse.with_claim(key, claim.owner))
    }

    /// Removes the fuse, as [`Directory::end`] has it.
    pub fn remove(&self, pid: u32) -> bool {
        let (key, claim) = self.claim.as_ref().expect("a fuse that can be removed");
        let ended = self.fuse(pid).vacate(self.now);
        let directory = Directory::new(std::slice::from_ref(key));
        directory.with_fuses(std::slice::from_ref(&self.row.cell), &[]).end(*claim);
        ended
    }

    /// The fuse in the hands of a process.
    pub fn fuse(&self, pid: u32) -> Fuse<'_> {
        let fuse = self.bare();
        self.pages.as_ref().map_or(fuse, |pages| fuse.with_journal_writer(pages.writer(pid)))
    }

    /// The fuse goes to `state`.
    pub fn then(self, state: State, now: u64) -> Self {
        self.fuse(PAST).command(state, || now).expect("a manual override is heard");
        self
    }

    /// A call is admitted, by an owner who signs for a lease, and stays out.
    pub fn call(mut self, whose: &'static str, hint: u64, now: u64) -> Self {
        let permit = self.fuse(PAST).admit(&self.policy, now).verdict.expect("the call is admitted");
        if let Some(lease) = permit.lease {
            self.fuse(PAST).sign(lease, hint);
        }
        self.permits.push((whose, permit));
        self
    }

    fn failure(self, now: u64) -> Self {
        self.fuse(PAST).record_failure(POLICY.window_us, now);
        self
    }

    /// A half-open fuse, a call of an older half-open generation still out: its lease stands in the first seat.
    fn half_open(policy: Policy, now: u64, places: usize) -> Self {
        let old = Self::new(2, policy, now, places).then(State::HalfOpen, NOW - 2 * SECOND).call(
            "old",
            DEAD,
            NOW - 2 * SECOND,
        );
        // Raw, so that the old lease stays where it is.
        old.fuse(PAST).set(State::HalfOpen, NOW - SECOND).expect("nothing holds the fuse");
        old
    }

    /// A closed fuse, a call of an older generation still out.
    fn closed(len: usize, now: u64, places: usize) -> Self {
        let old =
            Self::new(len, POLICY, now, places).then(State::Closed, NOW - 2 * SECOND).call("old", DEAD, NOW - SECOND);
        old.then(State::Closed, NOW - SECOND).call("current", DEAD, NOW)
    }
}

pub fn never_seen(places: usize) -> Scene {
    Scene::new(2, POLICY, NOW, places)
}

pub fn forgotten(places: usize) -> Scene {
    let scene = Scene::closed(2, NOW, places).failure(NOW);
    scene.fuse(PAST).forget(|| NOW).expect("it was there");
    scene
}

pub fn closed(places: usize) -> Scene {
    Scene::closed(2, NOW, places)
}

pub fn one_failure(places: usize) -> Scene {
    Scene::closed(4, NOW, places).failure(NOW)
}

/// The ring has been lapped, and of the failures in it one is within the window.
pub fn full_ring(places: usize) -> Scene {
    let now = NOW + POLICY.window_us + SECOND;
    Scene::closed(2, now, places).failure(NOW).failure(NOW).failure(now - 1)
}

pub fn open_and_not_due(places: usize) -> Scene {
    Scene::closed(2, NOW + SECOND, places).then(State::Open, NOW)
}

pub fn open_and_due(places: usize) -> Scene {
    Scene::closed(2, DUE, places).then(State::Open, NOW)
}

pub fn free_seat(places: usize) -> Scene {
    Scene::half_open(POLICY, NOW, places)
}

pub fn held_seat(places: usize) -> Scene {
    Scene::half_open(POLICY, NOW + 1, places).call("probe", DEAD, NOW)
}

pub fn expired_lease(places: usize) -> Scene {
    Scene::half_open(POLICY, EXPIRED, places).call("expired", DEAD, NOW)
}

/// The holder of a lease that ran out, and who has its seat now.
pub fn taken_over(places: usize) -> Scene {
    Scene::half_open(POLICY, EXPIRED + 1, places).call("lost", DEAD, NOW).call("probe", ALIVE, EXPIRED)
}

pub fn two_held_seats(places: usize) -> Scene {
    Scene::half_open(TWO, NOW + 1, places).call("first", DEAD, NOW).call("second", ALIVE, NOW)
}

/// The next success closes.
pub fn one_good_probe(places: usize) -> Scene {
    let scene = Scene::half_open(TWO, NOW + 1, places).call("good", ALIVE, NOW).call("probe", DEAD, NOW);
    let (_, good) = scene.permits[1];
    scene.fuse(PAST).succeeded(&TWO, good, NOW);
    scene
}

pub fn one_of_two_leases_expired(places: usize) -> Scene {
    Scene::half_open(TWO, EXPIRED, places).call("expired", DEAD, NOW).call("probe", ALIVE, NOW + SECOND)
}

pub fn isolated(places: usize) -> Scene {
    Scene::closed(2, NOW, places).then(State::Isolated, NOW)
}

pub fn disabled(places: usize) -> Scene {
    Scene::closed(2, NOW, places).then(State::Disabled, NOW).call("of the hold", DEAD, NOW)
}
