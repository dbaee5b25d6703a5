//! The whole contract on a store, by name and by handle. Nothing here assumes that nobody else writes to the table.

use std::sync::Arc;

use fuseboard_core::counters::totals;
use fuseboard_core::fuse::Effect;
use fuseboard_core::journal::About;
use fuseboard_core::layout::Geometry;
use fuseboard_core::state::State;
use fuseboard_core::time::{STAMP_MAX, age};
use fuseboard_shm::clock::ManualClock;
use fuseboard_shm::handle::{Handle, Outcome, ProcessPermit};
use fuseboard_shm::store::{Slot, Store};

use super::fuse::{STATES, check_admission, check_snapshot, may_follow, mending_writes, policy};
use super::input::Input;
use super::journal::{Follower, TELLING_WRITES, any_record};
use super::steps::bounded;

/// How many names the contract uses.
pub const NAMES: usize = 12;
/// How many more names a check of a store after a reset uses.
pub const FRESH: usize = 4;
const HANDLES: usize = 4;
const TICKETS: usize = 8;
const FOLLOWERS: usize = 3;
/// Shared writes of a note of a module, at most: its check and its text.
const MAKER_WRITES: u32 = 8;
/// What each number of an operation does, for a message about the one that hangs.
pub const OPERATIONS: [&str; 15] = [
    "resolve",
    "find",
    "record_failure",
    "record_success",
    "set",
    "snapshot",
    "pin",
    "admit",
    "settle",
    "fast_success",
    "note_settings",
    "append",
    "follow",
    "remove",
    "reset_all",
];

/// A store under test, with some handles and tickets, and some who read its journal.
pub struct Contract {
    store: Store,
    handles: Vec<Handle>,
    tickets: Vec<(usize, ProcessPermit)>,
    followers: Vec<Follower>,
    alone: bool,
}

impl Contract {
    /// The contract of a store.
    pub fn new(store: Store) -> Self {
        Self { store, handles: Vec::new(), tickets: Vec::new(), followers: Vec::new(), alone: false }
    }

    /// The contract of a store that nobody else writes to.
    pub fn alone(store: Store) -> Self {
        Self { alone: true, ..Self::new(store) }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Who reads its table's journal.
    pub fn followers(&mut self) -> (&Store, &mut [Follower]) {
        (&self.store, &mut self.followers)
    }

    fn geometry(&self) -> Geometry {
        self.store.table().geometry()
    }

    fn log_len(&self) -> u32 {
        self.geometry().log_len() as u32
    }

    /// More shared writes than one look-up makes, or one change of a fuse.
    fn writes(&self) -> u32 {
        // A reset may tell of a transition in each slot.
        128 + (TELLING_WRITES + 4) * self.geometry().slots() as u32 + mending_writes(self.geometry().log_len())
    }

    /// One operation, chosen by `input`; `about_to` is told which.
    pub fn step(&mut self, input: &mut Input<'_>, about_to: impl FnOnce(&'static str)) {
        let operation = input.choice(OPERATIONS.len());
        about_to(OPERATIONS[operation]);
        match operation {
            0 => _ = self.resolve(input),
            1 => self.find(input),
            2..=4 => self.by_name(operation, input),
            5 => self.snapshot(),
            6 => self.pin(input),
            7 => self.admit(input),
            8 => self.settle(input),
            9 => self.fast_success(input),
            10 => self.note(input),
            11 => self.append(input),
            12 => self.follow(input),
            13 => self.remove(input),
            _ => self.reset_all(input),
        }
    }

    /// What a breaker says of itself with its first call: its settings, and the module that made it.
    fn note(&self, input: &mut Input<'_>) {
        let (slot, settings) = (self.resolve(input), input.word().max(1));
        slot.fuse().note_settings(settings);
        let (handle, module) = (slot.pin(), if settings % 2 == 0 { "shop.payments" } else { "billing.api" });
        let told = bounded(MAKER_WRITES, || handle.note_maker(module));
        assert!(!self.alone || told.as_deref() != Some(module), "told of itself");
        if self.alone && slot.is_mine() {
            let told = told.unwrap_or_else(|| module.to_owned());
            assert_eq!(Some(told), slot.maker(), "whoever comes has made the fuse, or is told who has");
        }
    }

    /// A slot for one of the names; there is always one.
    fn resolve(&self, input: &mut Input<'_>) -> Slot {
        self.slot(&name(input.choice(NAMES)))
    }

    /// A slot for `name`; there is always one.
    pub fn slot(&self, name: &str) -> Slot {
        let slot = bounded(self.writes(), || self.store.resolve(name)).expect("a slot, if only of this process");
        assert!(self.store.overflowed() <= NAMES + FRESH, "a name has one slot in this process's own tables");
        check_name(&slot);
        slot
    }

    fn find(&self, input: &mut Input<'_>) {
        if let Some(slot) = bounded(0, || self.store.find(&name(input.choice(NAMES)))) {
            check_name(&slot);
            check_snapshot(slot.fuse(), self.log_len());
        }
    }

    fn by_name(&self, operation: usize, input: &mut Input<'_>) {
        let slot = self.resolve(input);
        let (fuse, now) = (slot.fuse(), slot.now_us());
        let state = STATES[input.choice(STATES.len())];
        bounded(self.writes(), || match operation {
            2 => {
                let count = fuse.record_failure(input.word(), now);
                // Behind somebody who writes meanwhile, the fuse may be its name's again.
                let fewest = u32::from(self.alone && slot.is_mine());
                assert!((fewest..=self.log_len()).contains(&count), "{count} failures");
            }
            3 => _ = fuse.record_success(now),
            _ => {
                let made = match input.choice(3) {
                    0 => fuse.set(state, now),
                    1 => fuse.command(state, || now),
                    _ => fuse.forget(|| now),
                };
                assert!(
                    made.is_none_or(
                        |made| (made.to == state.visible() || made.to == State::Closed) && made.generation <= STAMP_MAX
                    ),
                    "{made:?}"
                );
            }
        });
    }

    /// `all_states` and `snapshot`: every slot with its name, reading and counters; and the journal.
    pub fn snapshot(&self) {
        let table = self.store.table();
        Follower::from_oldest(table, self.alone).read(table, false);
        let slots = self.store.slots();
        assert!(slots.len() <= self.geometry().slots() + self.store.overflowed());
        for slot in slots {
            check_name(&slot);
            check_snapshot(slot.fuse(), self.log_len());
            std::hint::black_box(totals(slot.stripes()));
        }
    }

    fn pin(&mut self, input: &mut Input<'_>) {
        let handle = self.resolve(input).pin();
        assert_eq!(self.log_len() as usize, handle.log_len());
        if self.handles.len() < HANDLES {
            self.handles.push(handle);
        } else {
            self.handles[input.choice(HANDLES)] = handle;
        }
    }

    fn admit(&mut self, input: &mut Input<'_>) {
        let place = input.choice(HANDLES);
        let Some(handle) = self.handles.get(place) else { return };
        let policy = policy(input, self.log_len());
        let admission = bounded(self.writes(), || handle.admit(&policy));
        check_admission(&admission, &policy);
        if let Ok(permit) = admission.verdict {
            if self.tickets.len() == TICKETS {
                self.tickets.remove(0);
            }
            self.tickets.push((place, ProcessPermit::new(permit)));
        }
    }

    fn settle(&mut self, input: &mut Input<'_>) {
        if self.tickets.is_empty() {
            return;
        }
        let (place, ticket) = self.tickets.swap_remove(input.choice(self.tickets.len()));
        let (handle, policy) = (&self.handles[place], policy(input, self.log_len()));
        let with_demand = Outcome::FailureWithDemand { demands: input.choice(2) == 0, asked_us: input.word() >> 16 };
        let outcomes = [Outcome::Success, Outcome::Failure, Outcome::Ignored, with_demand];
        let outcome = outcomes.get(input.choice(5));
        let effect = bounded(self.writes(), || match outcome {
            Some(outcome) => handle.settle(&policy, &ticket, *outcome, || About::NOTHING),
            None => {
                handle.cancel(&ticket);
                Effect::Counted
            }
        });
        if let Effect::Changed(made) = effect {
            assert!(may_follow(made.from, made.to) && made.generation <= STAMP_MAX, "{made:?}");
        }
    }

    fn fast_success(&self, input: &mut Input<'_>) {
        if let Some(handle) = self.handles.get(input.choice(HANDLES)) {
            let (policy, word) = (policy(input, self.log_len()), handle.word());
            _ = bounded(1, || handle.fast_success(word, 0));
            _ = bounded(self.writes(), || handle.rated_success(&policy, word, input.word()));
        }
    }

    /// Writes down any record, and names the slot it tells of.
    fn append(&self, input: &mut Input<'_>) {
        let table = self.store.table();
        let record = any_record(input, self.geometry().slots(), table.clock().now_us());
        bounded(TELLING_WRITES, || table.journal().append(record));
        let name = table.name(record.slot as usize);
        assert!(name.is_none() || (record.slot as usize) < self.geometry().slots(), "{name:?} of {record:?}");
    }

    /// Reads the journal, as somebody who comes or who was there before.
    fn follow(&mut self, input: &mut Input<'_>) {
        let (table, manner) = (self.store.table(), input.choice(8));
        if self.followers.len() < FOLLOWERS {
            let begin = if manner & 1 == 0 { Follower::from_oldest } else { Follower::from_now };
            self.followers.push(begin(table, self.alone));
        }
        let place = input.choice(self.followers.len());
        let follower = &mut self.followers[place];
        for record in follower.read(table, manner & 2 == 0) {
            _ = std::hint::black_box(table.name(record.slot as usize));
        }
    }

    /// A fuse that is removed is idle, and its handles know.
    fn remove(&self, input: &mut Input<'_>) {
        let slot = self.resolve(input);
        let (before, last_us) = (slot.fuse().word(), slot.fuse().read().last_failure_us);
        if bounded(self.writes(), || slot.remove()) {
            assert!(!slot.is_mine() || !self.alone);
            // The least reach that any bytes stand for is one microsecond.
            let is_old = last_us.is_none_or(|last_us| age(slot.now_us(), last_us) > 1);
            let is_idle = matches!(before.state(), State::Unseen | State::Closed) && is_old;
            assert!(is_idle || !self.alone, "{before:?} was removed");
        }
    }

    /// Seldom, so that there is something to reset.
    fn reset_all(&self, input: &mut Input<'_>) {
        if input.choice(4) == 0 {
            self.forget_all();
        }
    }

    /// `reset_all`.
    pub fn forget_all(&self) {
        let slots = self.geometry().slots() * (1 + self.store.overflowed());
        bounded(slots as u32 * (65 + mending_writes(self.geometry().log_len())), || self.store.forget_all());
    }
}

/// A name is 1 to 200 bytes of UTF-8 (the type sees to that), or missing.
fn check_name(slot: &Slot) {
    let name = slot.name();
    assert!(name.as_deref().is_none_or(|name| (1..=200).contains(&name.len())), "{name:?}");
}

/// A name of its own for each number: short, not ASCII, or as long as a name may be.
pub fn name(number: usize) -> String {
    match number % 3 {
        0 => format!("fuse-{number}"),
        1 => format!("größe-{number}"),
        _ => format!("{number:x>200}"),
    }
}

/// Moves a clock, by a microsecond up to twelve days.
pub fn advance(clock: &Arc<ManualClock>, input: &mut Input<'_>) {
    clock.advance(input.short() << (8 * input.choice(4)));
}
