//! Death while a slot changes hands (rule R28).

use fuseboard_core::directory::Tenancy;
use fuseboard_core::sync::crash::abandon_after;

use super::slots::{NAME, NOW, OTHER, RESTED, Slots, THIRD};

/// Dies in `act` at each of its writes, from the same beginning; what `check` asserts holds after each. The number of points.
fn at_every_write(
    begin: impl Fn() -> (Slots, Tenancy),
    act: fn(&Slots, Tenancy),
    check: impl Fn(&Slots, Tenancy),
) -> u32 {
    for point in 0.. {
        let (slots, tenancy) = begin();
        let died = abandon_after(point, || act(&slots, tenancy));
        check(&slots, tenancy);
        if !died {
            return point;
        }
    }
    unreachable!("it ends")
}

/// A name has one slot, and its fuse is one never seen in which nothing is counted yet.
fn is_fresh(slots: &Slots, name: fuseboard_core::directory::Fingerprint) -> Tenancy {
    let tenancy = slots.claim(name, RESTED);
    assert_eq!((tenancy, vec![tenancy.slot]), (slots.claim(name, RESTED), slots.of(name)));
    let reading = slots.fuse(tenancy).read();
    let seen = (reading.word.state().is_seen(), reading.failures, reading.settings_changes, reading.streak);
    assert_eq!((false, 0, 0, 0), seen);
    assert_eq!(1, slots.fuse(tenancy).record_failure(1, RESTED));
    tenancy
}

/// A fuse with a past: settings that changed, and a probe that failed long ago.
fn used() -> (Slots, Tenancy) {
    let slots = Slots::new(4);
    let tenancy = slots.claim(OTHER, 1);
    let fuse = slots.fuse(tenancy);
    assert_eq!((None, Some(7)), (fuse.note_settings(7), fuse.note_settings(8)));
    fuse.record_success(1);
    (slots, tenancy)
}

fn removed() -> (Slots, Tenancy) {
    let (slots, tenancy) = used();
    assert!(slots.remove(tenancy, NOW));
    (slots, tenancy)
}

/// Whoever dies while it removes a fuse has done it or has not; all others agree, and the slot is not lost.
#[test]
fn a_dead_removal_has_happened_or_not() {
    let points = at_every_write(
        used,
        |slots, tenancy| assert!(slots.remove(tenancy, NOW)),
        |slots, old| {
            if let Some(word) = slots.fuse(old).mine() {
                assert!(word.is_closed());
                assert_eq!((old, vec![old.slot]), (slots.claim(OTHER, NOW), slots.of(OTHER)));
                assert!(slots.remove(old, NOW));
            }
            assert_ne!(old, is_fresh(slots, OTHER));
            assert_ne!(old, is_fresh(slots, NAME));
            assert_eq!(0, slots.fuse(old).record_failure(1, RESTED), "a stale handle does nothing");
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
            |slots, _| _ = slots.claim(NAME, RESTED),
            |slots, old| {
                let [first, second] = [heir, if heir == NAME { THIRD } else { NAME }].map(|name| is_fresh(slots, name));
                assert_ne!(first.slot, second.slot);
                assert_eq!(None, slots.fuse(old).mine());
            },
        );
        assert!(points >= 6, "{points}");
    }
}
