//! One name has one slot and two names have two, whoever claims them at the same time (rule T03).

use std::sync::Arc;

use crate::common::{job, model, race};
use fuseboard_core::directory::{Key, NameHash, locate};

const NAME: NameHash = NameHash::new(5, 1);
/// Another name with the same first word: whoever has claimed that and no more looks just like a claimant of this one.
const TWIN: NameHash = NameHash::new(5, 3);
/// Another name whose sequence begins in the same slot.
const OTHER: NameHash = NameHash::new(9, 1);

fn keys() -> Arc<Vec<Key>> {
    Arc::new((0..4).map(|_| Key::new()).collect())
}

/// Claims the slots of these names at once and looks them up afterwards: what they got, still theirs.
fn claim<const N: usize>(keys: &Arc<Vec<Key>>, names: [NameHash; N]) -> [usize; N] {
    let claimed = race(
        keys,
        names.map(|name| {
            job(move |keys: &Vec<Key>| {
                let slot = locate(keys, name, true).expect("there is room");
                assert_eq!(Some(slot), locate(keys, name, false), "found where it was claimed, at once");
                slot
            })
        }),
    );
    for (name, slot) in names.iter().zip(claimed) {
        assert_eq!(Some(*name), keys[slot].name_hash());
        assert_eq!(Some(slot), locate(keys, *name, true));
    }
    claimed
}

/// T03: claims of one name give one slot.
#[test]
fn one_name_has_one_slot() {
    model(|| {
        let [a, b, c] = claim(&keys(), [NAME, NAME, NAME]);
        assert_eq!((a, a), (b, c));
    });
}

/// T03: two names have two slots, although both begin to look in the same one.
#[test]
fn two_names_have_two_slots() {
    model(|| {
        let [a, b, c] = claim(&keys(), [NAME, OTHER, OTHER]);
        assert_ne!(a, b);
        assert_eq!(b, c);
    });
}

/// T03: two names have two slots, although their first words are equal.
#[test]
fn names_with_one_first_word_have_two_slots() {
    model(|| {
        let [a, b, c] = claim(&keys(), [NAME, TWIN, TWIN]);
        assert_ne!(a, b);
        assert_eq!(b, c);
    });
}

/// T02, T03: a claimant that is stopped behind its first word holds nobody up: the slot goes to the twin that meets it,
/// which finds it again at once, and the first goes on to another. (`claim` asserts it while the first is stopped.)
#[test]
fn a_slot_that_a_claimant_left_half_filled_is_completed() {
    model(|| {
        let keys = keys();
        let [name, twin] = claim(&keys, [NAME, TWIN]);
        assert_ne!(name, twin);
        assert!([name, twin].contains(&1), "the slot of their first word is nobody's");
    });
}

/// T03: a look-up that claims nothing finds a name's own slot or none, and takes none.
#[test]
fn a_look_up_beside_a_claim_finds_its_slot_or_none() {
    model(|| {
        let keys = keys();
        let look = |name| job(move |keys: &Vec<Key>| locate(keys, name, false));
        let claimed = job(|keys: &Vec<Key>| locate(keys, NAME, true));
        let [found, twin, claimed] = race(&keys, [look(NAME), look(TWIN), claimed]);
        assert!(found.is_none() || found == claimed, "{found:?} and {claimed:?}");
        assert_eq!(None, twin);
        assert_eq!(1, keys.iter().filter(|key| key.name_hash().is_some()).count());
    });
}

/// T12: when there are more names than slots, each slot has one name and the others have none.
#[test]
fn a_full_table_gives_each_slot_to_one_name() {
    model(|| {
        let keys: Arc<Vec<Key>> = Arc::new((0..2).map(|_| Key::new()).collect());
        let slots = race(&keys, [NAME, TWIN, OTHER].map(|name| job(move |keys: &Vec<Key>| locate(keys, name, true))));
        let mut taken: Vec<_> = slots.into_iter().flatten().collect();
        taken.sort_unstable();
        assert_eq!(vec![0, 1], taken, "{slots:?}");
    });
}
