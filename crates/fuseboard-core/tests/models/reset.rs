//! Resetting a table slot after slot beside those who use it: each fuse in one step, and nothing brought back to life.

use std::sync::Arc;

use crate::common::{POLICY, SECOND, job, model, race};
use crate::slots::{AFTER_QUARANTINE, NAME, NOW, OTHER, Slots, THIRD};
use fuseboard_core::counters::{COUNTERS, Counter, Stripe, clear, totals};
use fuseboard_core::directory::SlotClaim;
use fuseboard_core::fuse::{Effect, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::transition::Transition;

const LAST_STRAW: Policy = Policy { threshold: 1, ..POLICY };

/// Resets both slots of a small table, one after the other, by a clock that is behind the fuses' generations.
fn reset(slots: &Slots) -> [Option<Transition>; 2] {
    [0, 1].map(|slot| slots.directory().reset(slot, slots.bare(slot), || NOW - SECOND))
}

/// Two slots with two closed fuses, in the order in which they are reset, and a call on each.
fn used() -> (Arc<Slots>, [(SlotClaim, Permit); 2]) {
    let slots = Arc::new(Slots::new(2));
    let mut claims = [OTHER, THIRD].map(|name| slots.claim(name, NOW));
    claims.sort_by_key(|claim| claim.slot);
    let calls = claims.map(|claim| {
        slots.fuse(claim).set(State::Closed, NOW).expect("nothing holds a new fuse");
        (claim, slots.fuse(claim).admit(&LAST_STRAW, NOW).verdict.expect("closed"))
    });
    (slots, calls)
}

/// R09: a last straw trips before its fuse is reset, or is late; of each fuse for itself. Both end never seen, in a generation
/// behind all others.
#[test]
fn each_fuse_is_reset_before_or_behind_what_happens_to_it() {
    model(|| {
        let (slots, calls) = used();
        let fail =
            move |slots: &Slots| Err(calls.map(|(claim, permit)| slots.fuse(claim).failed(&LAST_STRAW, permit, NOW)));
        let [Ok(made), Err(effects)] = race(&slots, [job(|slots: &Slots| Ok(reset(slots))), job(fail)]) else {
            panic!("a reset and two failures")
        };
        for (((claim, permit), made), effect) in calls.into_iter().zip(made).zip(effects) {
            let (fuse, made) = (slots.fuse(claim), made.expect("it was there to be forgotten"));
            assert_eq!((State::Unseen, made.generation), (fuse.word().state(), fuse.word().generation()));
            match effect {
                Effect::Changed(trip) => {
                    assert!(trip.generation < made.generation && made.from == State::Open, "{trip:?}, {made:?}");
                }
                Effect::Late => assert_eq!(State::Closed, made.from),
                Effect::Counted => panic!("counted, yet no trip"),
            }
            assert_eq!(Effect::Late, fuse.failed(&LAST_STRAW, permit, NOW + 1));
        }
    });
}

/// Of two resets at once one forgets each fuse, and says so.
#[test]
fn of_two_resets_one_forgets_each_fuse() {
    model(|| {
        let (slots, _) = used();
        let [one, other] = race(&slots, [job(reset), job(reset)]);
        for (one, other) in one.into_iter().zip(other) {
            assert!(one.is_some() != other.is_some(), "{one:?} and {other:?}");
        }
    });
}

/// R28: a reset brings a claim that is over to its end, and never the next one of the slot.
#[test]
fn a_reset_ends_only_a_claim_that_is_over() {
    model(|| {
        let (slots, [(claim, _), _]) = used();
        let hand_over = move |slots: &Slots| {
            assert!(slots.remove(claim, NOW));
            Some(slots.claim(NAME, AFTER_QUARANTINE))
        };
        let resets = job(move |slots: &Slots| {
            slots.directory().reset(claim.slot, slots.bare(claim.slot), || NOW - SECOND);
            None
        });
        let [_, next] = race(&slots, [resets, job(hand_over)]);
        let next = next.expect("a claim");
        assert_eq!(vec![next.slot], slots.of(NAME));
        assert_eq!(Some(State::Unseen), slots.fuse(next).mine().map(|word| word.state()));
        assert_eq!(1, slots.fuse(next).record_failure(SECOND, AFTER_QUARANTINE));
    });
}

/// What two resets take away is taken away once.
#[test]
fn counters_that_are_cleared_twice_are_not_below_zero() {
    model(|| {
        let line = Arc::new([Stripe::new()]);
        line[0].add(Counter::Failures);
        let clear = || job(|line: &[Stripe; 1]| clear(line));
        race(&line, [clear(), clear()]);
        assert_eq!([0; COUNTERS], totals(&*line));
    });
}
