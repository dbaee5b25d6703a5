//! What the living can do with a fuse that a dead process has worked on: everything, at once, with exact counts.

use fuseboard_core::counters::{Counter, totals};
use fuseboard_core::fuse::Effect;
use fuseboard_core::journal::About;
use fuseboard_core::state::State;
use fuseboard_core::transition::Transition;
use fuseboard_shm::handle::{Handle, Outcome, ProcessPermit};
use fuseboard_shm::journal_cursor::JournalCursor;
use fuseboard_shm::store::Store;

use crate::bench::{Bench, NAME, POLICY};
use crate::seen::{admitted, tried};

/// Uses a fuse and panics where it does not do what its rules say.
struct User<'a> {
    bench: &'a Bench,
    handle: &'a Handle,
}

impl User<'_> {
    fn state(&self) -> State {
        self.handle.fuse().word().state().visible()
    }

    fn is_admitted(&self) -> bool {
        self.handle.admit(&POLICY).verdict.is_ok()
    }

    /// One call; the state it changed to, if it did.
    fn call(&self, outcome: Outcome) -> Option<State> {
        let permit = ProcessPermit::new(self.handle.admit(&POLICY).verdict.expect("a permit"));
        match self.handle.settle(&POLICY, &permit, outcome, || About::NOTHING) {
            Effect::Counted => None,
            Effect::Changed(Transition { to, .. }) => Some(to),
            Effect::Late => panic!("late"),
        }
    }

    fn wait(&self, microseconds: u64) {
        self.bench.set_clock(self.bench.now() + microseconds);
    }

    /// Rule R03.
    fn trips_after(&self, failures: u32) {
        let effects: Vec<_> = (0..failures).map(|_| self.call(Outcome::Failure)).collect();
        assert!(effects.iter().rev().skip(1).all(Option::is_none), "tripped early");
        assert_eq!(Some(&Some(State::Open)), effects.last(), "no trip at the threshold");
        assert!(!self.is_admitted(), "open");
        self.recovers();
    }

    /// Rules R05, R06, R08.
    fn waits_for_the_timer(&self) {
        let since = self.handle.fuse().word().generation();
        let time_is_up = self.bench.now() >= since + POLICY.reset_us;
        assert_eq!(time_is_up, tried(self.bench, || self.is_admitted()), "open since {since}");
        self.wait(POLICY.reset_us);
        assert_eq!(Some(State::Open), self.call(Outcome::Failure), "a probe that fails");
        assert!(!self.is_admitted(), "the timer restarts");
        self.recovers();
    }

    /// Rule R11: whoever held a seat, at its deadline it is free.
    fn gets_every_seat(&self) {
        self.wait(POLICY.probe_us);
        let admit = || self.handle.fuse().admit(&POLICY, self.bench.now()).verdict.is_ok();
        let seats = tried(self.bench, || admitted(self.bench, admit));
        assert_eq!(POLICY.probes, seats, "a seat is stuck at its deadline");
        assert_eq!(Some(State::Open), self.call(Outcome::Failure), "a probe that fails");
        self.recovers();
    }

    /// From open to closed again (rules R05, R06, R07).
    fn recovers(&self) {
        self.wait(POLICY.reset_us);
        assert_eq!([None, Some(State::Closed)], [(); 2].map(|()| self.call(Outcome::Success)), "recovery");
        assert_eq!(State::Closed, self.state());
    }
}

/// The fuse goes on from where it was left, by the breaker's rules alone.
pub fn goes_on_by_itself(bench: &Bench, failures: u32) {
    let handle = bench.slot().pin();
    let user = User { bench, handle: &handle };
    match user.state() {
        State::Closed => user.trips_after(POLICY.threshold.saturating_sub(failures).max(1)),
        State::Open => user.waits_for_the_timer(),
        State::HalfOpen => user.gets_every_seat(),
        State::Isolated => {
            let until_us = handle.fuse().until_us(handle.word());
            let is_over = until_us.is_some_and(|until_us| until_us <= bench.now());
            assert_eq!(is_over, user.is_admitted(), "isolated until {until_us:?}");
        }
        State::Disabled => assert!(user.is_admitted()),
        State::Ramping => {
            assert!(user.is_admitted(), "to a policy without a ramp it is over");
            user.trips_after(POLICY.threshold);
        }
        State::Unseen | State::Vacant => unreachable!("shown as closed"),
    }
}

/// The whole contract of a store, on this mapping of the table.
pub fn works(bench: &Bench, store: &Store) {
    tells_all(store);
    let handle = store.resolve(NAME).expect("the name's slot, or room for it").pin();
    assert_eq!([Some(NAME.to_owned())], *names(store), "one slot, whole");
    let user = User { bench, handle: &handle };
    counts_exactly(&user);
    let before = counted(store);
    let failed = [(); 3].map(|()| user.call(Outcome::Failure));
    assert_eq!([None, None, Some(State::Open)], failed, "trips at the threshold");
    assert!(!user.is_admitted(), "open");
    user.recovers();
    let expected = [
        (Counter::Failures, 3),
        (Counter::Trips, 1),
        (Counter::Rejections, 1),
        (Counter::Probes, 2),
        (Counter::Successes, 2),
        (Counter::Closes, 1),
    ];
    for (counter, count) in expected {
        assert_eq!(count, counted(store)[counter as usize] - before[counter as usize], "{counter:?}");
    }
    obeys(&user);
    assert!(store.resolve("orders").is_some_and(|slot| slot.name().as_deref() == Some("orders")), "a new name");
    store.forget_all();
    assert!(store.slots().iter().all(|slot| slot.fuse().read().failures == 0), "forgotten failures");
    assert!(store.slots().iter().all(|slot| !slot.fuse().word().state().is_seen()), "forgotten fuses");
    assert_eq!([0; 8], counted(store), "forgotten counters");
}

/// Rule T14: the journal leads to the state that the fuse is in, whoever died on the way; one chain of states.
fn tells_all(store: &Store) {
    let Some(slot) = store.find(NAME) else { return };
    let records = JournalCursor::from_oldest(store.table()).read_all(store.table());
    let state = slot.fuse().word().state().visible();
    assert_eq!(state, records.last().map_or(State::Closed, |last| last.to), "the journal ends elsewhere: {records:?}");
    let afters = std::iter::once(State::Closed).chain(records.iter().map(|record| record.to));
    assert!(records.iter().map(|record| record.from).eq(afters.take(records.len())), "no chain: {records:?}");
}

/// Raw counting, clearing and setting (rule R13).
fn counts_exactly(user: &User<'_>) {
    let (fuse, now) = (user.handle.fuse(), user.bench.now());
    fuse.command(State::Closed, || now);
    // The log has four places.
    assert_eq!([1, 2, 3, 4, 4], [(); 5].map(|()| fuse.record_failure(POLICY.window_us, now)), "counts");
    let reading = fuse.read();
    assert_eq!((State::Closed, 4), (reading.word.state(), reading.failures), "raw operations do not trip");
    fuse.record_success(now);
    assert_eq!((0, None), (fuse.read().failures, fuse.read().last_failure_us), "cleared");
    assert_eq!(1, fuse.record_failure(POLICY.window_us, now), "counts from one again");
    for state in [State::Open, State::HalfOpen, State::Closed] {
        assert_eq!(Some(state), fuse.set(state, now).map(|transition| transition.to));
        assert_eq!(state, user.state());
    }
}

/// A manual override stands until another manual override (rule R12).
fn obeys(user: &User<'_>) {
    let (fuse, now) = (user.handle.fuse(), user.bench.now());
    for (state, admits) in [(State::Isolated, false), (State::Disabled, true)] {
        fuse.command(state, || now);
        assert_eq!(None, fuse.set(State::Closed, now), "{state:?} stands");
        assert_eq!((state, admits), (user.state(), user.is_admitted()));
    }
    fuse.command(State::Closed, || now);
    assert_eq!(None, user.call(Outcome::Success));
}

fn names(store: &Store) -> Vec<Option<String>> {
    store.slots().iter().map(fuseboard_shm::store::Slot::name).collect()
}

fn counted(store: &Store) -> [u64; 8] {
    store.find(NAME).map(|slot| totals(slot.stripes())).unwrap_or_default()
}
