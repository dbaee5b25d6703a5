//! One thread at the edges of the protocol that random operations seldom meet. Most of these tests are here because a
//! mutant survived without them (`make mutation`).
#![cfg(not(fuseboard_loom))]

use fuseboard_core::admission::Rejection;
use fuseboard_core::counters::{COUNTERS, Counter, STRIPES, Stripe, clear, totals};
use fuseboard_core::directory::{Key, NAME_MAX, Name, NameHash, locate};
use fuseboard_core::fuse::Call;
use fuseboard_core::fuse::{Cell, Fuse};
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::time::{AHEAD_US, HORIZON_US, LEAD_US};

const NOW: u64 = 1_000_000_000;
const SECOND: u64 = 1_000_000;
const POLICY: Policy = Policy {
    threshold: 1,
    window_us: 1_000_000,
    reset_us: 1_000_000,
    probes: 1,
    success_threshold: 1,
    probe_us: 1_000_000,
    clear_on_success: true,
    ..Policy::DEFAULT
};

fn log() -> Vec<AtomicU64> {
    (0..4).map(|_| AtomicU64::new(0)).collect()
}

/// R06: an open fuse's time is up when no more than the lead is left of it, and not before.
#[test]
fn an_open_fuse_lets_a_probe_through_at_its_time_and_not_before() {
    for (left, admits) in [(LEAD_US + 1, false), (LEAD_US, true)] {
        let (cell, log) = (Cell::new(), log());
        let fuse = Fuse::new(&cell, &log);
        fuse.set(State::Open, NOW);
        let told = fuse.would_admit(&POLICY, NOW + POLICY.reset_us - left, |_| false);
        assert_eq!(admits, told.is_ok(), "{left}");
        let admission = fuse.admit(&POLICY, NOW + POLICY.reset_us - left);
        assert_eq!((admits, admits), (admission.verdict.is_ok(), admission.transition.is_some()), "{left}");
    }
}

/// A time that a call asked for is over at its end, also for a generation that begins just then and has the same mark: it
/// stays open for as long as failed probes make it.
#[test]
fn a_time_asked_for_says_nothing_behind_its_end() {
    let (cell, log) = (Cell::new(), log());
    let fuse = Fuse::new(&cell, &log);
    let policy = Policy { reset_us: 10 * SECOND, multiplier_permille: 2_000, longest_us: 60 * SECOND, ..POLICY };
    let end = |asked_us, now_us| {
        let permit = fuse.admit(&policy, now_us - LEAD_US).verdict.expect("it is admitted");
        fuse.settle(&policy, permit, Call { failed: true, asked_us, ..Call::default() }, || now_us);
        fuse.word()
    };
    // Generations this far apart have one mark.
    let asked_us = 256 << 16;
    let until = end(asked_us, NOW).generation() + asked_us;
    let word = end(0, until);
    assert_eq!((State::Open, until), (word.state(), word.generation()));
    assert_eq!(Some(20 * SECOND), fuse.admit(&policy, until).verdict.expect_err("it is open").retry_after_us);
}

/// A share of nothing lets nobody through, whatever the number of the call; the smallest one that there is, one in a lap of
/// numbers.
#[test]
fn a_ramp_that_begins_with_nothing_admits_nobody() {
    for (ramp_from_ppm, passing) in [(0, 0), (1, 1)] {
        let (cell, log) = (Cell::new(), log());
        let fuse = Fuse::new(&cell, &log);
        fuse.set(State::Ramping, NOW);
        let policy = Policy { ramp_us: 100 * SECOND, ramp_from_ppm, ..POLICY };
        assert_eq!(passing, (0..1 << 16).filter(|_| fuse.admit(&policy, NOW).verdict.is_ok()).count());
    }
}

/// R06, R11: a look counts the caller's own seats only, believes no lease for longer than the caller's own, and takes a dead
/// prober's seat for free only where the hint is of its lease.
#[test]
fn a_look_counts_what_a_call_of_the_same_settings_would_find() {
    let (cell, log) = (Cell::new(), log());
    let fuse = Fuse::new(&cell, &log);
    fuse.set(State::HalfOpen, NOW);
    let two = Policy { probes: 2, probe_us: 5_000_000, ..POLICY };
    let look =
        |policy: &Policy, gone: u64| fuse.would_admit(policy, NOW, |hint| hint == gone).map_err(|no| no.lease_us);
    let lease = fuse.admit(&two, NOW).verdict.expect("a free seat").lease.expect("a probe");
    assert_eq!((Err(Some(1_000_000)), Ok(())), (look(&POLICY, 7), look(&two, 7)));
    fuse.admit(&two, NOW).verdict.expect("a second seat");
    assert_eq!(Err(Some(5_000_000)), look(&two, 0), "an unsigned hint is nobody's");
    fuse.sign(lease, 7);
    assert_eq!((Ok(()), Err(Some(5_000_000))), (look(&two, 7), look(&two, 8)));
}

/// R06: whoever is rejected beside a probe is told to ask again after a tenth of its own open time, however long the lease is,
/// and no later than the lease ends; and what is left of that. A look says the same.
#[test]
fn a_call_beside_a_probe_is_told_a_time_at_which_to_try() {
    let lease_us = 30 * SECOND;
    for (reset_us, later_us, retry_us) in [
        (5 * SECOND, 0, SECOND / 2),
        (5 * SECOND, lease_us - SECOND / 2, SECOND / 2),
        (5 * SECOND, lease_us - 7, 7),
        (600 * SECOND, 1, lease_us - 1),
        (9, 0, 1),
    ] {
        let (cell, log) = (Cell::new(), log());
        let fuse = Fuse::new(&cell, &log);
        fuse.set(State::HalfOpen, NOW);
        let policy = Policy { reset_us, probe_us: lease_us, ..POLICY };
        fuse.admit(&policy, NOW).verdict.expect("a free seat");
        let told =
            Rejection { state: State::HalfOpen, retry_after_us: Some(retry_us), lease_us: Some(lease_us - later_us) };
        assert_eq!(Err(told), fuse.would_admit(&policy, NOW + later_us, |_| false));
        assert_eq!(Err(told), fuse.admit(&policy, NOW + later_us).verdict);
    }
}

/// R11: a lease that nobody signed has no owner to be gone, whatever the bits of an unsigned hint say.
#[test]
fn an_unsigned_lease_is_not_reclaimed() {
    let (cell, log) = (Cell::new(), log());
    let fuse = Fuse::new(&cell, &log);
    fuse.set(State::HalfOpen, NOW);
    fuse.admit(&POLICY, NOW).verdict.expect("a free seat");
    assert!(!fuse.reclaim(|_| true));
}

/// R11: the hint of a lease that ended says nothing about the next one of its seat.
#[test]
fn the_hint_of_an_older_lease_reclaims_nothing() {
    let (cell, log) = (Cell::new(), log());
    let fuse = Fuse::new(&cell, &log);
    fuse.set(State::HalfOpen, NOW);
    let dead = fuse.admit(&POLICY, NOW).verdict.expect("a free seat").lease.expect("a probe");
    fuse.sign(dead, 7);
    let later = NOW + POLICY.probe_us;
    let next = fuse.admit(&POLICY, later).verdict.expect("an expired lease").lease.expect("a probe");
    assert_eq!(dead.seat, next.seat);
    assert!(!fuse.reclaim(|hint| hint == 7));
    fuse.sign(next, 7);
    assert!(fuse.reclaim(|hint| hint == 7));
}

/// T10: a manual override takes away failures that lie farther ahead than any sound process puts them, and no others. One
/// that is ahead only because this process was stopped since it read the clock is sound.
#[test]
fn a_manual_override_takes_away_failures_far_ahead_and_no_others() {
    let far = NOW + AHEAD_US + 1;
    for (later, left) in [(NOW, [0, far - 1]), (far, [far, far - 1])] {
        let (cell, log) = (Cell::new(), [far, far - 1].map(AtomicU64::new));
        let first = std::cell::Cell::new(true);
        Fuse::new(&cell, &log).command(State::Closed, || if first.replace(false) { NOW } else { later });
        assert_eq!(left, [0, 1].map(|place: usize| log[place].load(Ordering::Relaxed)));
    }
}

/// R15: only a breaker whose settings differ from those of the one before it is told so, and counted.
#[test]
fn other_settings_are_noted_and_counted() {
    let (cell, log) = (Cell::new(), log());
    let fuse = Fuse::new(&cell, &log);
    assert_eq!([None, None, Some(5), None, Some(6)], [5, 5, 6, 6, 5].map(|settings| fuse.note_settings(settings)));
    assert_eq!(2, fuse.read().settings_changes);
    fuse.note_lookback(SECOND);
    assert_eq!(2, fuse.read().settings_changes);
    fuse.forget(|| NOW);
    assert_eq!(0, fuse.read().settings_changes);
}

/// R28: a failure keeps its fuse until it is older than the longest window that a breaker came with; where none did, or one
/// that looks back for ever, for seven days. A reset forgets no reach.
#[test]
fn a_failure_beyond_lookback_keeps_no_fuse() {
    for (reaches, until) in [
        (vec![], HORIZON_US),
        (vec![u64::MAX], HORIZON_US),
        (vec![10 * SECOND], 10 * SECOND),
        (vec![10 * SECOND, 60 * SECOND, SECOND], 60 * SECOND),
    ] {
        let (cell, log) = (Cell::new(), log());
        let fuse = Fuse::new(&cell, &log);
        fuse.note_settings(5);
        reaches.iter().for_each(|reach| fuse.note_lookback(*reach));
        fuse.forget(|| NOW);
        fuse.record_failure(SECOND, NOW);
        let last = fuse.record_failure(SECOND, NOW + SECOND);
        assert_eq!((2, false), (last, fuse.is_idle_now(NOW + SECOND)));
        assert!(!fuse.vacate(NOW + SECOND + until), "{reaches:?}");
        assert!(fuse.vacate(NOW + SECOND + until + 1), "{reaches:?}");
    }
}

/// T07: a total is the sum over the lines, for each counter its own; `clear` begins them all again.
#[test]
fn a_total_is_the_sum_over_the_lines() {
    let stripes: Vec<_> = (0..STRIPES).map(|_| Stripe::new()).collect();
    for (line, stripe) in stripes.iter().enumerate() {
        (0..=line).for_each(|_| stripe.add(Counter::Failures));
    }
    stripes[3].add(Counter::Closes);
    assert_eq!([0, 36, 0, 0, 0, 0, 0, 1], totals(&stripes));
    clear(&stripes);
    assert_eq!([0; COUNTERS], totals(&stripes));
}

/// T03: every slot of a table can be had, each by one name, and a full one has no more.
#[test]
fn a_table_fills_to_its_last_slot() {
    let keys: Vec<_> = (0..8).map(|_| Key::new()).collect();
    // All begin in one slot; the strides differ, and the even ones are made odd.
    let name_hash = |number| NameHash::new(8 * number + 3, number + 2);
    assert_eq!([None; 8], std::array::from_fn(|number| locate(&keys, name_hash(number as u64), false)));
    let slots: [_; 8] =
        std::array::from_fn(|number| locate(&keys, name_hash(number as u64), true).expect("there is room"));
    assert_eq!(3, slots[0], "the low word chooses the start");
    assert_eq!(6, slots[1], "the high word chooses the stride");
    let mut sorted = slots;
    sorted.sort_unstable();
    assert_eq!([0, 1, 2, 3, 4, 5, 6, 7], sorted);
    for (number, slot) in (0..).zip(slots) {
        assert_eq!(
            (Some(slot), Some(slot)),
            (locate(&keys, name_hash(number), true), locate(&keys, name_hash(number), false))
        );
        assert_eq!(Some(name_hash(number)), keys[slot].name_hash());
    }
    assert_eq!((None, None), (locate(&keys, name_hash(8), true), locate(&keys, name_hash(8), false)));
    assert_eq!(None, Key::new().name_hash());
}

/// T03: the two words of a hash are never 0, which means "free".
#[test]
fn a_hash_of_zeroes_is_a_name_hash_too() {
    let keys: Vec<_> = (0..2).map(|_| Key::new()).collect();
    let slot = locate(&keys, NameHash::new(0, 0), true).expect("there is room");
    assert_eq!((1, Some(NameHash::new(1, 1))), (slot, keys[slot].name_hash()));
}

/// A name of any length is read as it was written; a longer one is cut; none is no name.
#[test]
fn a_name_is_read_as_it_was_written() {
    let letters: Vec<u8> = (0..=NAME_MAX).map(|i| b'a' + (i % 26) as u8).collect();
    for len in [1, 6, 7, 8, 9, 199, 200, 201] {
        let name = Name::new();
        assert!(name.read().as_bytes().is_empty());
        name.write(&letters[..len]);
        assert_eq!(&letters[..len.min(NAME_MAX)], name.read().as_bytes());
    }
}
