//! Any 64 bits in any word are a valid fuse (rule T10): no operation panics, none runs on for ever, and a fuse that was
//! damaged protects again.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fuseboard_core::fuse::{Cell, Fuse, Permit};
use fuseboard_core::lease::Lease;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::time::{AHEAD_US, HORIZON_US, STAMP_BITS, STAMP_MAX};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const NOW: u64 = 1 << 40;

/// Bits of a stamp and of what stands beside it, likelier than chance to be near an edge.
fn stamps() -> impl Strategy<Value = u64> {
    let edges = [0, 1, NOW, NOW + HORIZON_US, STAMP_MAX, u64::MAX];
    prop_oneof![
        any::<u64>(),
        (prop::sample::select(edges.to_vec()), -3_i64..4).prop_map(|(edge, by)| edge.wrapping_add_signed(by)),
    ]
}

fn words() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), (stamps(), any::<u16>()).prop_map(|(stamp, low)| stamp << 16 | u64::from(low))]
}

fn entries() -> impl Strategy<Value = u64> {
    let runs = prop_oneof![any::<u16>(), 0..9_u16, Just(u16::MAX)];
    (stamps(), runs).prop_map(|(stamp, run)| u64::from(run) << STAMP_BITS | stamp & STAMP_MAX)
}

fn policies() -> impl Strategy<Value = Policy> {
    (any::<u32>(), words(), words(), any::<u32>(), any::<u32>(), words(), any::<bool>()).prop_map(
        |(threshold, window_us, reset_us, probes, success_threshold, probe_us, clear_on_success)| Policy {
            threshold,
            window_us,
            reset_us,
            probes,
            success_threshold,
            probe_us,
            clear_on_success,
            ..Policy::DEFAULT
        },
    )
}

fn permits() -> impl Strategy<Value = Permit> {
    let leases = (any::<u32>(), words()).prop_map(|(seat, word)| Lease { seat, word });
    (stamps(), prop::option::of(leases)).prop_map(|(generation, lease)| Permit { generation, lease })
}

/// One operation of each kind and what it is given. A probe's seat and the count of probes are filled by admitting and
/// settling in made-up generations.
fn disturb(fuse: Fuse<'_>, word: &AtomicU64, bits: u64, policy: &Policy, permit: Permit, now: u64, which: u8) {
    word.store(bits, Ordering::Relaxed);
    let current = Permit { generation: fuse.word().generation(), ..permit };
    _ = fuse.would_admit(policy, now, |hint| hint % 2 == 0);
    match which % 10 {
        0 => _ = fuse.admit(policy, now).verdict.map(|own| fuse.succeeded(policy, own, now)),
        1 => _ = fuse.admit(policy, now).verdict.map(|own| fuse.failed(policy, own, now)),
        2 => _ = (fuse.succeeded(policy, permit, now), fuse.succeeded(policy, current, now)),
        3 => _ = (fuse.failed(policy, permit, now), fuse.failed(policy, current, now)),
        4 => _ = (fuse.cancel(permit), fuse.cancel(current)),
        5 => _ = fuse.record_failure(policy.window_us, now),
        6 => _ = fuse.record_success(now),
        7 => _ = (fuse.set(State::from_code(which), now), fuse.command(State::from_code(which), || now)),
        8 => _ = permit.lease.map(|lease| fuse.sign(lease, bits)),
        _ => {
            _ = (
                fuse.forget(|| now),
                fuse.reclaim(|hint| hint % 2 == 0),
                fuse.note_settings(bits),
                fuse.note_lookback(bits),
            )
        }
    }
    let cell = fuse.read();
    assert_eq!(cell.failures > 0, cell.last_failure_us.is_some());
}

/// From whatever stands there, an operator's reset gives a fuse that opens again, at the latest when all of its log has
/// been written anew, and lets a probe through.
fn recover(fuse: Fuse<'_>, log_len: usize) {
    let sane = Policy {
        threshold: 2,
        window_us: 1_000_000,
        reset_us: 1_000_000,
        probes: 1,
        success_threshold: 1,
        probe_us: 1_000_000,
        clear_on_success: true,
        ..Policy::DEFAULT
    };
    fuse.command(State::Closed, || NOW);
    let permit = fuse.admit(&sane, NOW).verdict.expect("a closed fuse admits");
    let failures = (0..log_len + 2).take_while(|_| fuse.word().is_closed());
    failures.for_each(|_| _ = fuse.failed(&sane, permit, NOW));
    assert_eq!(State::Open, fuse.word().state());
    // A damaged stamp holds nobody up for longer than it may lie ahead; a damaged lease nobody.
    let later = NOW + sane.reset_us + AHEAD_US;
    let probe = fuse.admit(&sane, later).verdict.expect("a probe is admitted");
    fuse.succeeded(&sane, probe, later);
    assert_eq!(State::Closed, fuse.word().state());
}

fn check_any_bits() {
    let disturbances = prop::collection::vec((words(), policies(), permits(), stamps(), any::<u8>()), 1..20);
    let rings = (1..7_u32).prop_flat_map(|power| prop::collection::vec(entries(), 1 << power));
    let mut runner = TestRunner::new(crate::config());
    let checked = runner.run(&(rings, disturbances), |(ring, disturbances)| {
        let cell = Cell::new();
        let log: Vec<AtomicU64> = ring.into_iter().map(AtomicU64::new).collect();
        let fuse = Fuse::new(&cell, &log);
        for (bits, policy, permit, now, which) in disturbances {
            disturb(fuse, &cell.word, bits, &policy, permit, now, which);
            disturb(fuse, &cell.word, bits, &policy.in_range(log.len()), permit, now, which.wrapping_add(1));
        }
        recover(fuse, log.len());
        Ok(())
    });
    checked.expect("any bits are a valid fuse");
}

/// T10: the whole of it within a minute, so that an operation that never ends is found out.
#[test]
fn any_bits_are_a_valid_fuse() {
    let (done, wait) = mpsc::channel();
    let checker = thread::spawn(move || {
        check_any_bits();
        _ = done.send(());
    });
    let answer = wait.recv_timeout(Duration::from_secs(60));
    assert_ne!(Err(mpsc::RecvTimeoutError::Timeout), answer, "an operation runs on");
    checker.join().expect("no operation panics");
}
