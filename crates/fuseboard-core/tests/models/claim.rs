//! Slots that change hands: a name has one slot, and nothing of one claim reaches into another (rule R28).

use std::sync::Arc;

use crate::common::{POLICY, SECOND, job, model, race};
use crate::slots::{AFTER_QUARANTINE, NAME, NOW, OTHER, Slots, THIRD, TWIN};
use fuseboard_core::admission::Rejection;
use fuseboard_core::directory::{QUARANTINE_US, SlotClaim};
use fuseboard_core::fuse::Effect;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;

const LAST_STRAW: Policy = Policy { threshold: 1, ..POLICY };

/// Four slots, and one that was claimed for `OTHER`.
fn taken() -> (Arc<Slots>, SlotClaim) {
    let slots = Arc::new(Slots::new(4));
    let claim = slots.claim(OTHER, NOW);
    (slots, claim)
}

/// The same, removed long ago.
fn gone() -> (Arc<Slots>, SlotClaim) {
    let (slots, claim) = taken();
    assert!(slots.remove(claim, NOW));
    (slots, claim)
}

/// T03: two claims of one name give one slot, although a slot in front of the free one is removed while they look.
#[test]
fn a_slot_that_is_removed_meanwhile_is_no_second_one() {
    model(|| {
        let (slots, other) = taken();
        let claim = || job(|slots: &Slots| Some(slots.claim(NAME, AFTER_QUARANTINE)));
        let remove = job(move |slots: &Slots| {
            assert!(slots.remove(other, NOW));
            None
        });
        let [a, b, _] = race(&slots, [claim(), claim(), remove]);
        assert_eq!(a, b);
        assert_eq!(vec![a.expect("a slot").slot], slots.of(NAME));
    });
}

/// T03: the same where who removes it claims next, so that the other one may be anywhere in its claim.
#[test]
fn who_gives_a_slot_back_and_claims_meets_the_other_claimant() {
    model(|| {
        let (slots, other) = taken();
        let jobs = [
            job(|slots: &Slots| slots.claim(NAME, AFTER_QUARANTINE)),
            job(move |slots: &Slots| {
                assert!(slots.remove(other, NOW));
                slots.claim(NAME, AFTER_QUARANTINE)
            }),
        ];
        let [a, b] = race(&slots, jobs);
        assert_eq!((a, vec![a.slot]), (b, slots.of(NAME)));
    });
}

/// T03: of two names that want one slot that was removed one gets it, and the other one another.
#[test]
fn a_slot_that_was_removed_is_one_names() {
    model(|| {
        let (slots, _) = gone();
        let jobs = [NAME, THIRD, THIRD].map(|name| job(move |slots: &Slots| slots.claim(name, AFTER_QUARANTINE)));
        let [a, b, c] = race(&slots, jobs);
        assert_ne!(a.slot, b.slot);
        assert_eq!((b, vec![a.slot], vec![b.slot]), (c, slots.of(NAME), slots.of(THIRD)));
    });
}

/// T03: the same of two names that share the first part of their hashes.
#[test]
fn a_slot_that_was_removed_is_one_twins() {
    model(|| {
        let (slots, _) = gone();
        let jobs = [NAME, TWIN].map(|name| job(move |slots: &Slots| slots.claim(name, AFTER_QUARANTINE)));
        let [a, b] = race(&slots, jobs);
        assert_ne!(a.slot, b.slot);
        assert_eq!((vec![a.slot], vec![b.slot]), (slots.of(NAME), slots.of(TWIN)));
    });
}

/// R28: two remove a fuse beside somebody who looks it up: one of them does it, and the name has no slot or a new one.
#[test]
fn one_of_two_gives_a_fuse_back() {
    model(|| {
        let (slots, claim) = taken();
        let remove = || job(move |slots: &Slots| Err(slots.remove(claim, NOW)));
        let jobs = [job(|slots: &Slots| Ok(slots.claim(OTHER, NOW))), remove(), remove()];
        let [Ok(found), Err(a), Err(b)] = race(&slots, jobs) else { panic!("a claim and two others") };
        assert!(a != b, "{a} and {b}");
        let expected = if found == claim { vec![] } else { vec![found.slot] };
        assert_eq!(expected, slots.of(OTHER));
    });
}

/// T02: whoever died between the two steps of removal holds nobody up: those who come with the name get one new slot.
#[test]
fn a_fuse_that_was_half_removed_gets_one_new_slot() {
    model(|| {
        let (slots, old) = taken();
        assert!(slots.fuse(old).vacate(NOW));
        let claim = || job(|slots: &Slots| slots.claim(OTHER, NOW));
        let [a, b] = race(&slots, [claim(), claim()]);
        assert_ne!(old, a);
        assert_eq!((a, vec![a.slot]), (b, slots.of(OTHER)));
        assert!(!slots.fuse(old).vacate(NOW + 1), "it is no claim any more");
    });
}

/// Gives `OTHER`'s fuse back and the slot to `NAME`, beside what a holder of the old handle does. Whether it was removed,
/// and what the holder got. `NAME`'s fuse must be one never seen.
fn beside<T: Send + std::fmt::Debug + 'static>(
    slots: &Arc<Slots>,
    claim: SlotClaim,
    act: impl FnOnce(&Slots) -> T + Send + 'static,
) -> (bool, T) {
    let jobs = [
        job(move |slots: &Slots| Ok(act(slots))),
        job(move |slots: &Slots| {
            let removed = slots.remove(claim, NOW);
            Err((removed, slots.claim(NAME, AFTER_QUARANTINE)))
        }),
    ];
    let [Ok(answer), Err((removed, next))] = race(slots, jobs) else { panic!("an answer and a claim") };
    assert_eq!(removed, claim.slot == next.slot, "the first slot that can be had");
    let word = slots.fuse(next).mine().expect("nobody removed it");
    assert_eq!((State::Unseen, false), (word.state(), word.is_dirty()), "{answer:?} reached the next claim");
    assert_eq!(removed, slots.fuse(claim).mine().is_none());
    (removed, answer)
}

/// R28: a raw failure is recorded, and the fuse stays; or it is removed, and nothing is recorded.
#[test]
fn a_failure_beside_it_is_recorded_or_not_at_all() {
    model(|| {
        let (slots, claim) = taken();
        let (removed, count) = beside(&slots, claim, move |slots| slots.fuse(claim).record_failure(SECOND, NOW + 1));
        assert_eq!(if removed { 0 } else { 1 }, count);
    });
}

/// R28, R12: a manual override holds the fuse, and it stays; or it is removed, and the word is for whoever resolves the
/// name again.
#[test]
fn a_manual_override_beside_it_is_heard_or_not_at_all() {
    model(|| {
        let (slots, claim) = taken();
        let (removed, made) =
            beside(&slots, claim, move |slots| slots.fuse(claim).command(State::Isolated, || NOW + 1));
        assert_eq!(removed, made.is_none());
        let state = slots.fuse(claim).mine().map(|word| word.state());
        assert_eq!(made.map(|_| State::Isolated), state);
    });
}

/// R28, R09: a call's last straw opens the fuse, and it stays; or it is removed, and the failure is late.
#[test]
fn a_trip_beside_it_is_made_or_late() {
    model(|| {
        let (slots, claim) = taken();
        slots.fuse(claim).record_success(NOW);
        let permit = slots.fuse(claim).admit(&LAST_STRAW, NOW).verdict.expect("closed");
        let (removed, effect) =
            beside(&slots, claim, move |slots| slots.fuse(claim).failed(&LAST_STRAW, permit, NOW + 1));
        assert_eq!(removed, effect == Effect::Late, "{effect:?}");
        assert_eq!(!removed, matches!(effect, Effect::Changed(made) if made.to == State::Open), "{effect:?}");
    });
}

/// R28, R09: a call that is admitted beside it and fails counts in its own claim, or is told to look the name up again, or is
/// late.
#[test]
fn a_call_beside_it_never_counts_for_the_next_claim() {
    model(|| {
        let (slots, claim) = taken();
        let (removed, effect) = beside(&slots, claim, move |slots| {
            let permit = match slots.fuse(claim).admit(&POLICY, NOW + 1).verdict {
                Ok(permit) => permit,
                Err(Rejection { state: State::Vacant, .. }) => return None,
                Err(rejection) => panic!("{rejection:?}"),
            };
            Some(slots.fuse(claim).failed(&POLICY, permit, NOW + 2))
        });
        let expected = if removed { vec![None, Some(Effect::Late)] } else { vec![Some(Effect::Counted)] };
        assert!(expected.contains(&effect), "{effect:?}");
    });
}

/// R28: a reset of the whole table brings nothing back to life that is about to be removed.
#[test]
fn a_reset_beside_it_revives_nothing() {
    model(|| {
        let (slots, claim) = taken();
        slots.fuse(claim).record_success(NOW);
        let jobs = [
            job(move |slots: &Slots| _ = slots.bare(claim.slot).forget(|| NOW + 1)),
            job(move |slots: &Slots| assert!(slots.remove(claim, NOW))),
        ];
        race(&slots, jobs);
        assert_eq!((None, Vec::<usize>::new()), (slots.fuse(claim).mine(), slots.of(OTHER)));
        assert_eq!(State::Vacant, slots.bare(claim.slot).word().state());
    });
}

/// R28: a slot that was just removed rests for a minute, before any name gets it; beside another claim that comes early too.
#[test]
fn a_slot_that_was_just_removed_is_nobodys() {
    model(|| {
        let (slots, old) = gone();
        let claim = |name, now_us| job(move |slots: &Slots| slots.claim(name, now_us).slot);
        let [a, b] = race(&slots, [claim(NAME, NOW + QUARANTINE_US - 1), claim(OTHER, NOW)]);
        assert!(a != b && ![a, b].contains(&old.slot), "{a} and {b} beside {}", old.slot);
        assert_eq!(old.slot, slots.claim(THIRD, NOW + QUARANTINE_US).slot);
    });
}

/// R28: a name that gets the slot back that it had gave is another claim there: its old handles do nothing.
#[test]
fn a_name_that_comes_back_has_another_claim() {
    model(|| {
        let (slots, old) = taken();
        let jobs = [
            job(move |slots: &Slots| Ok(slots.fuse(old).record_failure(SECOND, NOW + 1))),
            job(move |slots: &Slots| {
                let removed = slots.remove(old, NOW);
                Err((removed, slots.claim(OTHER, AFTER_QUARANTINE)))
            }),
        ];
        let [Ok(count), Err((removed, new))] = race(&slots, jobs) else { panic!("a count and a claim") };
        assert_eq!((old.slot, !removed), (new.slot, old == new));
        assert_eq!(if removed { 0 } else { 1 }, count);
        assert_eq!(count, slots.fuse(new).read().failures);
    });
}

/// R28: what a call that opened the fuse long ago comes to write down is nothing for the next claim's open times.
#[test]
fn a_count_of_failed_probes_of_the_last_claim_is_not_the_next_ones() {
    model(|| {
        let (slots, claim) = taken();
        let fuse = slots.fuse(claim);
        fuse.set(State::HalfOpen, NOW - 3);
        let probe = fuse.admit(&POLICY, NOW - 2).verdict.expect("a free seat");
        let jobs = [
            job(move |slots: &Slots| _ = slots.fuse(claim).failed(&POLICY, probe, NOW - 1)),
            job(move |slots: &Slots| {
                slots.fuse(claim).set(State::Closed, NOW - 1);
                if slots.remove(claim, NOW) {
                    Some(slots.claim(NAME, AFTER_QUARANTINE))
                } else {
                    None
                };
            }),
        ];
        race(&slots, jobs);
        if let [slot] = slots.of(NAME)[..] {
            assert_eq!(0, slots.bare(slot).read().failed_probes);
        }
    });
}
