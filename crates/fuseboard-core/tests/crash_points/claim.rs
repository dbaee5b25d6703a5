//! Death while a slot changes hands (rule R28).

use fuseboard_core::directory::SlotClaim;
use fuseboard_core::sync::crash::abandon_after;

use super::slots::{AFTER_QUARANTINE, NAME, NOW, OTHER, Slots, THIRD};

/// Dies in `act` at each of its writes, from the same beginning; what `check` asserts holds after each. The number of points.
fn at_every_write(
    begin: impl Fn() -> (Slots, SlotClaim),
    act: fn(&Slots, SlotClaim),
    check: impl Fn(&Slots, SlotClaim),
) -> u32 {
    for point in 0.. {
        let (slots, claim) = begin();
        let died = abandon_after(point, || act(&slots, claim));
        check(&slots, claim);
        if !died {
            return point;
        }
    }
    unreachable!("it ends")
}

/// A name has one slot, and its fuse is one never seen in which nothing is counted yet.
fn is_fresh(slots: &Slots, name: fuseboard_core::directory::NameHash) -> SlotClaim {
    let claim = slots.claim(name, AFTER_QUARANTINE);
    assert_eq!((claim, vec![claim.slot]), (slots.claim(name, AFTER_QUARANTINE), slots.of(name)));
    let cell = slots.fuse(claim).read();
    let seen = (cell.word.state().is_seen(), cell.failures, cell.settings_changes, cell.failed_probes);
    assert_eq!((false, 0, 0, 0), seen);
    assert_eq!(1, slots.fuse(claim).record_failure(1, AFTER_QUARANTINE));
    claim
}

/// A fuse with a past: settings that changed, and a probe that failed long ago.
fn used() -> (Slots, SlotClaim) {
    let slots = Slots::new(4);
    let claim = slots.claim(OTHER, 1);
    let fuse = slots.fuse(claim);
    assert_eq!((None, Some(7)), (fuse.note_settings(7), fuse.note_settings(8)));
    fuse.record_success(1);
    (slots, claim)
}

fn removed() -> (Slots, SlotClaim) {
    let (slots, claim) = used();
    assert!(slots.remove(claim, NOW));
    (slots, claim)
}

/// Whoever dies while it removes a fuse has done it or has not; all others agree, and the slot is not lost.
#[test]
fn a_dead_removal_has_happened_or_not() {
    let points = at_every_write(
        used,
        |slots, claim| assert!(slots.remove(claim, NOW)),
        |slots, old| {
            if let Some(word) = slots.fuse(old).mine() {
                assert!(word.is_closed());
                assert_eq!((old, vec![old.slot]), (slots.claim(OTHER, NOW), slots.of(OTHER)));
                assert!(slots.remove(old, NOW));
            }
            assert_ne!(old, is_fresh(slots, OTHER));
            assert_ne!(old, is_fresh(slots, NAME));
            assert_eq!(0, slots.fuse(old).record_failure(1, AFTER_QUARANTINE), "a stale handle does nothing");
        },
    );
    assert!(points >= 2, "{points}");
}

/// Whoever dies while it claims a slot that was removed leaves it to the name's next user, or to another name.
#[test]
fn a_dead_claim_of_what_was_removed_is_completed() {
    for heir in [NAME, THIRD] {
        let points = at_every_write(
            removed,
            |slots, _| _ = slots.claim(NAME, AFTER_QUARANTINE),
            |slots, old| {
                let [first, second] = [heir, if heir == NAME { THIRD } else { NAME }].map(|name| is_fresh(slots, name));
                assert_ne!(first.slot, second.slot);
                assert_eq!(None, slots.fuse(old).mine());
            },
        );
        assert!(points >= 6, "{points}");
    }
}
