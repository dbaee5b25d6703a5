//! A store after a reset: everything closed, and each fuse that is resolved now sound by hand and by handle.

use std::ops::Range;
use std::sync::Arc;

use fuseboard_core::counters::totals;
use fuseboard_core::fuse::Effect;
use fuseboard_core::journal::About;
use fuseboard_core::state::State;
use fuseboard_core::sync::Ordering;
use fuseboard_shm::clock::ManualClock;
use fuseboard_shm::handle::{Handle, Outcome, ProcessPermit};
use fuseboard_shm::store::{Slot, Store};

use super::file::{Raw, key_of};
use super::journal::tells_again;
use super::sound::{self, SECOND};
use super::table::{Contract, name};

/// Every name that a table gives out is that of its slot's key, and leads there. Only while nobody else writes.
pub fn check_keys(store: &Store, raw: &Raw) {
    let table = store.table();
    for slot in table.taken() {
        if let Some(name) = table.name(slot) {
            let key = [0, 1].map(|i| raw.key(slot)[i].load(Ordering::Relaxed));
            assert_eq!(key_of(name.as_bytes(), key[1] & 0xffff), key, "{name:?} in slot {slot}");
            assert_eq!(Some(slot), table.locate(&name, false), "{name:?}");
        }
    }
}

/// Resets the store, in which the fuses of these `names` must then be sound again; how many were looked at to the full. A
/// fuse with a stamp a little ahead is not (see `words`). Only while nobody else writes.
pub fn is_sound_again(contract: &mut Contract, raw: &Raw, clock: &Arc<ManualClock>, names: Range<usize>) -> usize {
    is_reset(contract);
    let mut looked_at = 0;
    for number in names {
        let name = name(number);
        let slot = contract.slot(&name);
        let place = contract.store().table().locate(&name, false);
        assert_eq!(place.is_none(), slot.overflowed(), "in one table or the other");
        assert_eq!(Some(name), slot.name());
        if place.is_some_and(|place| raw.lies_ahead(place, clock.now_us())) {
            continue;
        }
        // What comes first meets the damage; each of the two mends a good part of it for the other.
        let tells = |contract: &mut Contract| {
            let (store, followers) = contract.followers();
            place.is_none_or(|place| tells_again(&slot, place, store.table(), followers, clock))
        };
        let tells_first = number % 2 == 0 && tells(contract);
        sound::sound_again(slot.fuse(), raw.geometry().log_len(), clock.now_us());
        clock.advance(100 * SECOND + sound::UNUSUAL_US);
        sound::measures_exactly(slot.fuse(), clock.now_us());
        counts_by_handle(&slot, clock);
        // Transitions within a microsecond have pushed the last one ahead of the clock.
        clock.advance(SECOND);
        looked_at += usize::from(tells_first || tells(contract));
    }
    is_reset(contract);
    looked_at
}

/// `reset_all` leaves every slot as if never seen, whether anybody has it or not, with counters at 0.
fn is_reset(contract: &Contract) {
    contract.forget_all();
    let table = contract.store().table();
    let slots = contract.store().slots();
    let listed = slots.iter().map(|slot| (slot.fuse(), slot.stripes()));
    for (fuse, stripes) in (0..table.geometry().slots()).map(|i| (table.fuse(i), table.stripes(i))).chain(listed) {
        let reading = fuse.read();
        assert_eq!((false, 0, 0), (reading.word.state().is_seen(), reading.failures, reading.settings_changes));
        assert_eq!([0; 8], totals(stripes));
    }
}

/// A whole cycle through a handle, and exactly what it counts.
fn counts_by_handle(slot: &Slot, clock: &Arc<ManualClock>) {
    slot.fuse().forget(|| clock.now_us());
    let handle = slot.pin();
    let policy = sound::policy(handle.log_len());
    let before = totals(slot.stripes());
    for _ in 0..policy.threshold {
        settled(&handle, Outcome::Failure);
    }
    assert!(handle.admit(&policy).verdict.is_err());
    clock.advance(policy.reset_us);
    settled(&handle, Outcome::Success);
    let Effect::Changed(made) = settled(&handle, Outcome::Success) else { panic!("the second probe closes") };
    assert_eq!((State::HalfOpen, State::Closed), (made.from, made.to));
    let after = totals(slot.stripes());
    let counted: [u64; 8] = std::array::from_fn(|i| after[i].wrapping_sub(before[i]));
    assert_eq!([2, u64::from(policy.threshold), 0, 1, 0, 2, 1, 1], counted);
}

fn settled(handle: &Handle, outcome: Outcome) -> Effect {
    let policy = sound::policy(handle.log_len());
    let permit = handle.admit(&policy).verdict.expect("admitted");
    handle.settle(&policy, &ProcessPermit::new(permit), outcome, || About::NOTHING)
}
