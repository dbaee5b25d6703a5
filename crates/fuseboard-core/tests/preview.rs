//! What a look at fuses finds, one step after the other: words of claims, who is listed, snapshots, what a reset takes
//! away. The same beside others is the models' (`models/snapshot.rs`, `reset.rs`, `claim.rs`).
#![cfg(not(fuseboard_loom))]

#[path = "common/book.rs"]
mod book;
#[path = "common/slots.rs"]
mod slots;

use book::Pages;
use fuseboard_core::counters::{COUNTERS, Counter, STRIPES, Stripe, totals};
use fuseboard_core::directory::{Directory, SlotClaim};
use fuseboard_core::journal::About;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::transition::Cause;
use fuseboard_core::transition::Transition;
use fuseboard_core::word::Word;
use slots::{AFTER_QUARANTINE, NAME, NOW, OTHER, Slots, THIRD};

const WINDOW_US: u64 = 10_000_000;

fn stripes(slots: usize) -> Vec<Stripe> {
    (0..slots * STRIPES).map(|_| Stripe::new()).collect()
}

#[test]
fn a_claim_has_a_word_until_it_is_over() {
    let slots = Slots::new(4);
    let mine = slots.claim(NAME, NOW);
    assert_eq!(Some(slots.cells[mine.slot].load()), mine.word(&slots.keys, &slots.cells), "claimed and never used");
    slots.fuse(mine).set(State::Open, NOW);
    let state = |claim: SlotClaim| claim.word(&slots.keys, &slots.cells).map(Word::state);
    assert_eq!(Some(State::Open), state(mine));
    slots.fuse(mine).set(State::Closed, NOW);
    assert!(slots.fuse(mine).vacate(NOW));
    assert_eq!(None, state(mine), "its word says that it is over, its key does not yet");
    slots.directory().end(mine);
    let next = slots.claim(OTHER, AFTER_QUARANTINE);
    assert_eq!((mine.slot, None, true), (next.slot, state(mine), state(next).is_some()), "it is another's");
    let outside = SlotClaim { slot: 4, ..next };
    assert_eq!(None, state(outside));
}

/// Those that were ever used, in the order they lie in, for as long as they are somebody's.
#[test]
fn whoever_was_used_and_is_not_removed_is_listed() {
    let slots = Slots::new(4);
    let [first, second, third] = [NAME, OTHER, THIRD].map(|name| slots.claim(name, NOW));
    let listed = || slots.directory().used_claims().map(|(claim, word)| (claim.slot, word.state())).collect::<Vec<_>>();
    assert_eq!(Vec::<(usize, State)>::new(), listed(), "claimed and never used");
    slots.fuse(second).record_success(NOW);
    slots.fuse(first).set(State::Open, NOW);
    slots.fuse(third).record_success(NOW);
    let mut all = vec![(first.slot, State::Open), (second.slot, State::Closed), (third.slot, State::Closed)];
    all.sort_by_key(|(slot, _)| *slot);
    assert_eq!(all, listed());
    assert!(slots.fuse(second).vacate(NOW));
    all.retain(|(slot, _)| *slot != second.slot);
    assert_eq!(all, listed(), "its key still stands");
    slots.directory().end(second);
    assert_eq!(all, listed());
}

/// Nothing of a fuse that nobody used, nor of one that was removed: what is counted there may be the next one's.
#[test]
fn a_snapshot_is_of_a_fuse_that_was_used_and_is_not_removed() {
    let (slots, stripes) = (Slots::new(4), stripes(1));
    let claim = slots.claim(NAME, NOW);
    assert_eq!(None, slots.fuse(claim).snapshot(&stripes, NOW));
    stripes[0].add(Counter::Failures);
    stripes[1].add(Counter::Failures);
    stripes[1].add(Counter::Rejections);
    assert_eq!([1, 2], [NOW, NOW + 1].map(|now_us| slots.fuse(claim).record_failure(WINDOW_US, now_us)));
    let (cell, counted) = slots.fuse(claim).snapshot(&stripes, NOW).expect("it was used");
    let mut expected = [0; COUNTERS];
    (expected[Counter::Failures as usize], expected[Counter::Rejections as usize]) = (2, 1);
    assert_eq!((State::Closed, 2, expected), (cell.word.state(), cell.failures, counted));
    slots.fuse(claim).record_success(NOW);
    assert!(slots.remove(claim, NOW));
    assert_eq!(None, slots.fuse(claim).snapshot(&stripes, NOW));
}

/// What it changed it tells and writes down; counters are set to 0, of every slot.
#[test]
fn a_reset_closes_forgets_and_says_so() {
    let (slots, stripes, pages) = (Slots::new(4), stripes(4), Pages::new(4));
    let claim = slots.claim(NAME, NOW);
    let directory = Directory::new(&slots.keys).with_fuses(&slots.cells, &stripes);
    let fuse = slots.bare(claim.slot).with_journal_writer(pages.writer(7));
    fuse.write_down(fuse.set(State::Isolated, NOW).expect("it was closed"), About::NOTHING);
    stripes[claim.slot * STRIPES + 1].add(Counter::Rejections);
    let made = directory.reset(claim.slot, fuse, || NOW + 5);
    let Some(Transition { from, to, cause, .. }) = made else { panic!("it was isolated") };
    assert_eq!((State::Isolated, State::Closed, Cause::ResetAll), (from, to, cause));
    assert_eq!(vec![State::Isolated, State::Closed], pages.read().iter().map(|record| record.to).collect::<Vec<_>>());
    assert_eq!([0; COUNTERS], totals(&stripes));
    assert_eq!(None, directory.reset(claim.slot, fuse, || NOW + 6), "nothing is left to change");
}

/// What a call compares to know that its fuse is still closed: state and generation, whatever is in the window.
#[test]
fn an_era_is_a_word_without_its_window() {
    let slots = Slots::new(1);
    let fuse = slots.bare(0);
    let policy = Policy { threshold: 3, ..Policy::DEFAULT };
    fuse.record_success(NOW);
    let first = fuse.word();
    fuse.record_failure(policy.window_us, NOW + 1);
    let second = fuse.word();
    assert!(first != second && second.is_dirty());
    assert_eq!(first.era(), second.era());
    assert_eq!((first.generation(), first.state()), (Word(first.era()).generation(), Word(first.era()).state()));
    fuse.set(State::Open, NOW + 2);
    assert_ne!(first.era(), fuse.word().era(), "another state");
    fuse.set(State::Closed, NOW + 3);
    assert_ne!(first.era(), fuse.word().era(), "another generation");
}

/// Whoever comes so late that others have told what it made, and what came behind it, tells nothing.
#[test]
fn a_transition_is_not_told_behind_a_later_one() {
    let (slots, pages) = (Slots::new(1), Pages::new(4));
    let fuse = slots.bare(0).with_journal_writer(pages.writer(7));
    let [opened, probing] = [State::Open, State::HalfOpen].map(|state| fuse.set(state, NOW).expect("nothing holds it"));
    for made in [probing, opened, probing] {
        fuse.write_down(made, About::NOTHING);
    }
    fuse.catch_up();
    let told = pages.read().iter().map(|record| (record.from, record.to)).collect::<Vec<_>>();
    assert_eq!(vec![(State::Closed, State::Open), (State::Open, State::HalfOpen)], told);
}
