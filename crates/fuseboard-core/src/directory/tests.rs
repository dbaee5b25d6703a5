//! What a directory does one step after the other, also where somebody died between two of them.

use super::*;
use crate::counters::{Counter, totals};
use crate::directory::claim::FAILED_PROBE_US;
use crate::directory::idle::IDLE_US;
use crate::fuse::Fuse;
use crate::sync::AtomicU64;
use crate::time::HORIZON_US;

/// Names whose sequences lead over all slots from the second on, in ascending order.
const NAME: NameHash = NameHash::new(5, 1);
const OTHER: NameHash = NameHash::new(9, 1);
const THIRD: NameHash = NameHash::new(13, 1);
const NOW: u64 = 1_000_000;
const AFTER_QUARANTINE: u64 = NOW + 1 + QUARANTINE_US;

struct Slots {
    keys: [Key; 4],
    cells: [Cell; 4],
    stripes: Vec<Stripe>,
    logs: [[AtomicU64; 2]; 4],
}

impl Slots {
    fn new() -> Self {
        Self {
            keys: std::array::from_fn(|_| Key::new()),
            cells: std::array::from_fn(|_| Cell::new()),
            stripes: (0..4 * STRIPES).map(|_| Stripe::new()).collect(),
            logs: std::array::from_fn(|_| [0; 2].map(AtomicU64::new)),
        }
    }

    fn directory(&self) -> Directory<'_> {
        Directory::new(&self.keys).with_fuses(&self.cells, &self.stripes)
    }

    fn claim(&self, name_hash: NameHash, now_us: u64) -> SlotClaim {
        self.directory().claim(name_hash, || now_us).expect("there is room")
    }

    /// A claimant has come no further than this slot's owner word.
    fn pend(&self, slot: usize, name_hash: NameHash) -> SlotClaim {
        let owner = self.keys[slot].owner();
        assert!(self.keys[slot].change(owner, owner.pending(name_hash)));
        SlotClaim { slot, owner: owner.pending(name_hash) }
    }

    fn fuse(&self, claim: SlotClaim) -> Fuse<'_> {
        Fuse::new(&self.cells[claim.slot], &self.logs[claim.slot]).with_claim(&self.keys[claim.slot], claim.owner)
    }

    /// Ends a claim as far as its fuse's word.
    fn vacate(&self, claim: SlotClaim) {
        assert!(self.fuse(claim).vacate(NOW));
    }

    fn statuses(&self) -> [Status; 4] {
        [0, 1, 2, 3].map(|slot: usize| self.keys[slot].owner().status())
    }

    /// The slots whose fuses are idle at a look.
    fn idle(&self, now_us: u64) -> Vec<usize> {
        self.directory().idle(NAME, now_us, |claim| self.fuse(claim)).map(|claim| claim.slot).collect()
    }
}

#[test]
fn the_codes_of_a_key_are_fixed() {
    let codes = [Status::Free, Status::Pending, Status::Confirmed, Status::Gone];
    assert_eq!(codes, [0, 1, 2, 3].map(|code| Owner(0xf0 | code).status()));
}

/// T03: a sequence visits every slot once, whatever its stride.
#[test]
fn a_sequence_leads_through_the_whole_table() {
    let sequence = |low, high| Slots::new().directory().sequence(NameHash::new(low, high)).collect::<Vec<_>>();
    assert_eq!(vec![1, 2, 3, 0], sequence(5, 1));
    assert_eq!(vec![1, 0, 3, 2], sequence(5, 2));
}

/// T13: a look-up costs as many looks as there are slots up to its name, or to the first that nobody ever had.
#[test]
fn looks_are_counted_up_to_the_name_or_the_end() {
    let slots = Slots::new();
    let looks = |name_hash| slots.directory().looks(name_hash);
    assert_eq!(1, looks(NAME));
    let other = slots.claim(OTHER, NOW);
    assert_eq!([2, 1], [NAME, OTHER].map(looks));
    slots.claim(NAME, NOW);
    slots.claim(THIRD, NOW);
    assert_eq!([2, 1, 3], [NAME, OTHER, THIRD].map(looks));
    slots.vacate(other);
    assert!(slots.directory().end(other));
    assert_eq!([2, 4, 3], [NAME, OTHER, THIRD].map(looks), "what is gone is no end");
    slots.claim(NameHash::new(17, 1), NOW);
    assert_eq!([2, 4], [NAME, NameHash::new(21, 1)].map(looks), "a full table is looked through once");
}

/// T02: the next claimant of the name completes a claim that was left in the middle; another name passes it by.
#[test]
fn a_claim_that_was_left_is_its_names() {
    let slots = Slots::new();
    let left = slots.pend(1, NAME);
    assert_eq!(2, slots.claim(OTHER, NOW).slot);
    assert_eq!(None, slots.directory().find(NAME));
    assert_eq!(None, slots.directory().claim_of(1));
    assert_eq!(None, slots.directory().claim_or_end(1));
    assert_eq!(SlotClaim { slot: 1, owner: left.owner.confirmed() }, slots.claim(NAME, NOW));
    assert_eq!([Status::Free, Status::Confirmed, Status::Confirmed, Status::Free], slots.statuses());
}

/// T03: of two claims of one name the one in front is helped, and ends the one behind; another name's stays.
#[test]
fn of_two_claims_the_one_in_front_is_confirmed() {
    let slots = Slots::new();
    let (front, _, behind) = (slots.pend(1, NAME), slots.pend(2, OTHER), slots.pend(3, NAME));
    assert_eq!(None, slots.directory().confirm(NAME, behind, || NOW));
    assert_eq!([Status::Free, Status::Pending, Status::Pending, Status::Pending], slots.statuses());
    assert!(slots.directory().confirm(NAME, front, || NOW).is_some());
    assert_eq!([Status::Free, Status::Confirmed, Status::Pending, Status::Gone], slots.statuses());
    assert_eq!(None, slots.directory().confirm(NAME, behind, || NOW), "it was ended");
}

/// T03: a claim of a name that has a slot is given up; not where that claim is over, which it brings to its end.
#[test]
fn a_claim_beside_the_names_own_slot_is_given_up() {
    for is_over in [false, true] {
        let slots = Slots::new();
        slots.claim(OTHER, NOW);
        let own = slots.claim(NAME, NOW);
        slots.keys[1].change(slots.keys[1].owner(), Owner(0));
        let claim = slots.pend(1, NAME);
        if is_over {
            slots.vacate(own);
        }
        assert_eq!(is_over, slots.directory().confirm(NAME, claim, || NOW).is_some());
        let expected = if is_over { [Status::Confirmed, Status::Gone] } else { [Status::Gone, Status::Confirmed] };
        assert_eq!(expected, slots.statuses()[1..3]);
    }
}

/// T03: a sequence ends at the first slot that nobody ever had, for a claim as for a look. Only damage puts a name
/// behind one.
#[test]
fn nothing_behind_a_slot_that_nobody_ever_had_is_found() {
    let slots = Slots::new();
    assert_eq!([1, 2, 3], [OTHER, THIRD, NAME].map(|name| slots.claim(name, NOW).slot));
    for damaged in [1, 2] {
        assert!(slots.keys[damaged].change(slots.keys[damaged].owner(), Owner(0)));
    }
    assert_eq!((None, 1), (slots.directory().find(NAME), slots.claim(NAME, NOW).slot));
}

/// R28: a claim is over with its fuse's word, for every process; the next claimant makes its key gone.
#[test]
fn a_claim_is_over_with_its_word() {
    let slots = Slots::new();
    assert_eq!([None; 3], [1, 2, 9].map(|slot| slots.directory().claim_of(slot)));
    let claim = slots.claim(NAME, NOW);
    let directory = slots.directory();
    assert_eq!([Some(claim); 3], [directory.claim_of(1), directory.claim_or_end(1), directory.find(NAME)]);
    assert!(!slots.directory().end(claim));
    slots.vacate(claim);
    assert_eq!([None; 2], [slots.directory().claim_of(1), slots.directory().find(NAME)]);
    assert_eq!(Status::Confirmed, slots.statuses()[1]);
    slots.directory().mend(1, || NOW);
    assert_eq!((Status::Gone, None), (slots.statuses()[1], slots.directory().claim_or_end(1)));
}

/// R28: a slot rests for a minute, to the microsecond; then it is the next name's.
#[test]
fn a_slot_that_was_removed_rests() {
    let slots = Slots::new();
    let claim = slots.claim(NAME, NOW);
    slots.vacate(claim);
    slots.directory().end(claim);
    let since = slots.cells[1].load().generation();
    assert_eq!(2, slots.claim(OTHER, since + QUARANTINE_US - 1).slot);
    assert_eq!(1, slots.claim(THIRD, since + QUARANTINE_US).slot);
}

/// R28: the next claim finds a fuse never seen, nothing that was kept beside it and nothing counted; others keep
/// theirs.
#[test]
fn a_new_claim_inherits_nothing() {
    let slots = Slots::new();
    let claim = slots.claim(NAME, NOW);
    slots.vacate(claim);
    slots.directory().end(claim);
    slots.stripes.iter().for_each(|stripe| stripe.add(Counter::Trips));
    for word in [&slots.cells[1].settings, &slots.cells[1].settings_changes, &slots.cells[1].asked] {
        word.store(7, Ordering::Relaxed);
    }
    slots.cells[1].failed_probes.store(1, Ordering::Relaxed);
    let next = slots.claim(OTHER, AFTER_QUARANTINE);
    assert_eq!((1, 1), (next.slot, next.owner.claim_number()));
    let (word, cell) = (slots.fuse(next).mine().expect("its own"), &slots.cells[1]);
    assert_eq!((State::Unseen, word.generation()), (word.state(), slots.keys[1].since()));
    assert!(word.generation() >= AFTER_QUARANTINE, "{word:?}");
    let kept = [&cell.settings, &cell.settings_changes, &cell.asked].map(|word| word.load(Ordering::Relaxed));
    assert_eq!(([0; 3], 0), (kept, slots.fuse(next).read().failed_probes));
    let trips = |slot| totals(slots.directory().stripes_of(slot))[Counter::Trips as usize];
    assert_eq!([8, 0, 8, 8, 0], [0, 1, 2, 3, 4].map(trips));
}

/// R28: only what is closed, has no failure in its window and was closed for an hour for each failed probe is removed.
#[test]
fn what_somebody_needs_is_not_removed() {
    assert_eq!(3_600_000_000, FAILED_PROBE_US);
    let slots = Slots::new();
    let fuse = slots.fuse(slots.claim(NAME, NOW));
    for state in [State::Open, State::HalfOpen, State::Isolated, State::Disabled, State::Ramping] {
        fuse.command(state, || NOW);
        assert!(!fuse.vacate(NOW + FAILED_PROBE_US), "{state:?}");
    }
    fuse.command(State::Closed, || NOW);
    fuse.record_failure(1, NOW);
    assert!(!fuse.is_idle_now(NOW + FAILED_PROBE_US));
    fuse.record_success(NOW);
    let since = fuse.word().generation();
    slots.cells[1].failed_probes.store(2, Ordering::Relaxed);
    assert_eq!([false, true], [2 * FAILED_PROBE_US - 1, 2 * FAILED_PROBE_US].map(|age| fuse.is_idle_now(since + age)));
    assert!(fuse.vacate(since + 2 * FAILED_PROBE_US));
    assert_eq!((None, false), (fuse.mine(), fuse.vacate(since + 2 * FAILED_PROBE_US)));
}

/// R28: idle is what was the same at two looks a minute apart, to the microsecond.
#[test]
fn idle_is_what_did_nothing_between_two_looks() {
    let slots = Slots::new();
    let claims = [NAME, OTHER, THIRD].map(|name| slots.claim(name, NOW));
    let first = NOW + 9;
    assert!(slots.idle(first).is_empty());
    assert!(slots.idle(first + IDLE_US - 1).is_empty());
    slots.directory().stripes_of(2)[7].add(Counter::Successes);
    slots.fuse(claims[2]).record_success(NOW + 1);
    assert_eq!(vec![1], slots.idle(first + IDLE_US));
    assert_eq!(vec![1], slots.idle(first + 2 * IDLE_US - 1));
    assert_eq!(vec![1, 2, 3], slots.idle(first + 2 * IDLE_US));
    slots.fuse(claims[0]).record_failure(1, NOW);
    slots.vacate(claims[1]);
    assert_eq!(vec![3], slots.idle(first + 2 * IDLE_US));
}

/// R14: a mark that damage left far ahead says nothing, and is replaced.
#[test]
fn a_mark_far_ahead_counts_for_nothing() {
    let slots = Slots::new();
    slots.claim(NAME, NOW);
    assert!(slots.idle(NOW).is_empty());
    let mark = &slots.keys[1].idle_stamp;
    let hash = mark.load(Ordering::Relaxed) & 0xffff;
    mark.store((NOW + 3 * HORIZON_US) << 16 | hash, Ordering::Relaxed);
    assert!(slots.idle(NOW + IDLE_US).is_empty());
    assert_eq!(vec![1], slots.idle(NOW + 2 * IDLE_US));
    let sound = mark.load(Ordering::Relaxed);
    slots.directory().mend(1, || NOW + 2 * IDLE_US);
    assert_eq!(sound, mark.load(Ordering::Relaxed));
    mark.store((NOW + 3 * HORIZON_US) << 16, Ordering::Relaxed);
    slots.directory().mend(1, || NOW);
    assert_eq!(0, mark.load(Ordering::Relaxed));
}

/// Marks lie in files, beside processes of perhaps another build.
#[test]
fn the_hash_of_a_mark_is_fixed() {
    let slots = Slots::new();
    slots.claim(NAME, NOW);
    slots.directory().stripes_of(1)[3].add(Counter::Late);
    slots.idle(NOW);
    assert_eq!(NOW << 16 | 3050, slots.keys[1].idle_stamp.load(Ordering::Relaxed));
}
