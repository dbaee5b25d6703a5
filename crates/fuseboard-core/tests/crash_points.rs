//! Death at every step (rule T02): each operation is abandoned before each of its shared writes, and everybody else goes
//! on. Run with `RUSTFLAGS="--cfg fuseboard_crash"`; without it there is nothing to stop at.
#![cfg(fuseboard_crash)]
#[path = "common/book.rs"]
mod book;
#[path = "crash_points/breaker.rs"]
mod breaker;
#[path = "crash_points/claim.rs"]
mod claim;
#[path = "crash_points/leader.rs"]
mod leader;
#[path = "crash_points/policies.rs"]
mod policies;
#[path = "common/slots.rs"]
mod slots;

use std::io::Write;

use book::Book;
use fuseboard_core::counters::{Counter, Stripe, totals};
use fuseboard_core::directory::{Key, Name, NameHash, locate};
use fuseboard_core::fuse::{Effect, Fuse, Permit};
use fuseboard_core::journal::About;
use fuseboard_core::maker::{Maker, Module};
use fuseboard_core::overrides::{Override, OverrideNote, OverrideNotes};
use fuseboard_core::policy::Policy;
use fuseboard_core::settings::{Set, Sets};
use fuseboard_core::state::State;
use fuseboard_core::sync::crash::abandon_after;

const SECOND: u64 = 1_000_000;
const NOW: u64 = 1_000 * SECOND;
const POLICY: Policy = Policy {
    threshold: 3,
    window_us: 10 * SECOND,
    reset_us: 30 * SECOND,
    longest_us: 30 * SECOND,
    probes: 2,
    success_threshold: 2,
    probe_us: 5 * SECOND,
    clear_on_success: true,
    ..Policy::DEFAULT
};

/// A fuse of its own, what is asked of it, and the permit that was given last.
struct Bench {
    book: Book,
    policy: &'static Policy,
    /// What a breaker counts on.
    line: Stripe,
    permit: Option<Permit>,
    said: [OverrideNote; 1],
}

impl Bench {
    fn new() -> Self {
        Self::under(&POLICY)
    }

    fn under(policy: &'static Policy) -> Self {
        Self { book: Book::new(4, 64), policy, line: Stripe::new(), permit: None, said: [OverrideNote::default()] }
    }

    fn fuse(&self) -> Fuse<'_> {
        self.book.fuse()
    }

    /// A manual override, of which everything is said.
    fn apply_override(&self, state: State, for_us: u64, now: u64) {
        let order = Override { for_us, who: "alice", why: "drill", ..Override::new(state) };
        self.fuse().apply_override(&order, OverrideNotes::new(&self.said, 0), || now);
    }

    fn admit(&mut self, now: u64) {
        self.permit = self.fuse().admit(self.policy, now).verdict.ok();
    }

    /// What others can see of the fuse: its state, its failures, and how many within the window they would count next.
    fn seen(&self) -> (State, u32, u64) {
        let cell = self.fuse().read();
        (cell.word.state(), cell.failures, cell.word.generation())
    }
}

/// The fuses that operations begin from: each state, with and without failures, with a permit of that state.
fn beginnings() -> Vec<(&'static str, fn() -> Bench)> {
    fn closed(failures: u64) -> Bench {
        let mut bench = Bench::new();
        for _ in 0..failures {
            bench.admit(NOW);
            bench.fuse().failed(&POLICY, bench.permit.expect("closed"), NOW);
        }
        bench.admit(NOW);
        bench
    }
    fn half_open() -> Bench {
        let mut bench = closed(3);
        bench.admit(NOW + 31 * SECOND);
        bench
    }
    fn set(state: State) -> Bench {
        let mut bench = closed(1);
        bench.fuse().command(state, || NOW);
        bench.admit(NOW);
        bench
    }
    vec![
        ("never seen", Bench::new as fn() -> Bench),
        ("closed", || closed(0)),
        ("one failure", || closed(1)),
        ("about to trip", || closed(2)),
        ("open", || closed(3)),
        ("half-open", half_open),
        ("half-open, one good probe", || {
            let mut bench = half_open();
            bench.fuse().succeeded(&POLICY, bench.permit.expect("a probe"), NOW + 31 * SECOND);
            bench.admit(NOW + 31 * SECOND);
            bench
        }),
        ("isolated", || set(State::Isolated)),
        ("isolated for a time that is over", || {
            let bench = closed(1);
            bench.apply_override(State::Isolated, 5 * SECOND, NOW);
            bench
        }),
        ("disabled for a time that is not over", || {
            let bench = closed(1);
            bench.apply_override(State::Disabled, 60 * SECOND, NOW);
            bench
        }),
        ("disabled", || set(State::Disabled)),
        ("forgotten", || {
            let bench = closed(2);
            bench.fuse().forget(|| NOW);
            bench
        }),
    ]
}

/// Every operation on a fuse. Those that need a permit do nothing without one.
fn operations() -> Vec<(&'static str, fn(&Bench, u64))> {
    fn with_permit(bench: &Bench, settle: impl FnOnce(Permit) -> Effect) {
        if let Some(permit) = bench.permit {
            settle(permit);
        }
    }
    vec![
        ("admit", |bench, now| _ = bench.fuse().admit(bench.policy, now).verdict),
        ("succeeded", |bench, now| with_permit(bench, |permit| bench.fuse().succeeded(bench.policy, permit, now))),
        ("failed", |bench, now| with_permit(bench, |permit| bench.fuse().failed(bench.policy, permit, now))),
        ("released", |bench, _| with_permit(bench, |permit| bench.fuse().cancel(permit))),
        ("record_failure", |bench, now| _ = bench.fuse().record_failure(POLICY.window_us, now)),
        ("record_success", |bench, now| _ = bench.fuse().record_success(now)),
        ("set open", |bench, now| _ = bench.fuse().set(State::Open, now)),
        ("set half-open", |bench, now| _ = bench.fuse().set(State::HalfOpen, now)),
        ("set closed", |bench, now| _ = bench.fuse().set(State::Closed, now)),
        ("isolate", |bench, now| {
            if let Some(made) = bench.fuse().command(State::Isolated, || now) {
                bench.fuse().write_down(made, About::new(b"TimeoutError"));
            }
        }),
        ("isolate for a time", |bench, now| bench.apply_override(State::Isolated, 60 * SECOND, now)),
        ("disable", |bench, now| _ = bench.fuse().command(State::Disabled, || now)),
        ("forget", |bench, now| _ = bench.fuse().forget(|| now)),
        ("reclaim", |bench, _| _ = bench.fuse().reclaim(|_| true)),
        ("note settings", |bench, _| _ = bench.fuse().note_settings(7)),
        ("note reach", |bench, _| bench.fuse().note_lookback(SECOND)),
    ]
}

/// What everybody else can still do: the whole life of a fuse, with exact counts.
fn lives_on(bench: &Bench, mut now: u64) {
    let fuse = bench.fuse();
    fuse.command(State::Closed, || now);
    assert_eq!([1, 2, 3, 4, 4], [0; 5].map(|_| fuse.record_failure(POLICY.window_us, now)), "counts");
    fuse.record_success(now);
    let fail = |now| fuse.failed(&POLICY, fuse.admit(&POLICY, now).verdict.expect("closed"), now);
    assert_eq!([Effect::Counted; 2], [fail(now), fail(now)]);
    assert!(matches!(fail(now), Effect::Changed(change) if change.to == State::Open));
    assert!(fuse.admit(&POLICY, now).verdict.is_err(), "open");
    now += 31 * SECOND;
    for last in [false, true] {
        let probe = fuse.admit(&POLICY, now).verdict.expect("a seat: all leases are of older generations");
        assert_eq!(last, matches!(fuse.succeeded(&POLICY, probe, now), Effect::Changed(_)));
    }
    assert_eq!(State::Closed, fuse.word().state());
}

/// Calls `check` for each operation from each beginning, abandoned at each of its points; policies and breakers have more of
/// both. The number of points.
fn at_every_point(check: impl Fn(&str, fn() -> Bench, fn(&Bench, u64), &Bench)) -> u32 {
    let more = policies::operations().into_iter().chain(breaker::operations());
    let operations: Vec<_> = operations().into_iter().chain(more).collect();
    let more = policies::beginnings().into_iter().chain(breaker::beginnings());
    let mut points = 0;
    for (beginning, begin) in beginnings().into_iter().chain(more) {
        for (operation, run) in operations.iter().copied() {
            for point in 0.. {
                let bench = begin();
                if !abandon_after(point, || run(&bench, NOW + 31 * SECOND)) {
                    break;
                }
                points += 1;
                check(&format!("{operation}, {beginning}, before write {point}"), begin, run, &bench);
            }
        }
    }
    points
}

/// An operation that dies has happened or has not; at most the step before it has (open to half-open before a seat).
#[test]
fn a_dead_operation_has_happened_or_not() {
    let points = at_every_point(|place, begin, run, bench| {
        let (before, after) = (begin(), begin());
        run(&after, NOW + 31 * SECOND);
        let allowed = [before.seen(), after.seen()];
        // A fuse never seen is entered as closed by a step of its own: it was closed all along (rule R01).
        let (state, failures, _) = bench.seen();
        let entered = state == State::Closed && failures == 0 && before.seen().0 == State::Unseen;
        assert!(allowed.contains(&bench.seen()) || entered, "{place}: {:?} is none of {allowed:?}", bench.seen());
    });
    // Past the capture of the test's output, so that `make crash-points` shows it.
    _ = writeln!(
        std::io::stderr(),
        "crash_points: {points} points, each operation from each beginning before each write"
    );
    assert!(points > 100, "{points} points");
}

/// Whatever died where, all others go on at once and count exactly.
#[test]
fn everybody_else_goes_on_at_once() {
    at_every_point(|_, _, _, bench| lives_on(bench, NOW + 32 * SECOND));
}

/// T14: whatever died where, the journal tells one chain of states that ends in the fuse's own, once somebody has asked; also
/// when the next transition comes first.
#[test]
fn the_journal_tells_every_transition() {
    let check = |place: &str, bench: &Bench| {
        bench.fuse().catch_up();
        let told = bench.book.journaled();
        let state = bench.fuse().word().state().visible();
        assert_eq!(state, told.last().map_or(State::Closed, |last| last.to), "{place}: {told:?}");
        let befores = told.iter().map(|step| step.from);
        let afters = std::iter::once(State::Closed).chain(told.iter().map(|step| step.to));
        assert!(befores.zip(afters).all(|(before, after)| before == after), "{place}: {told:?} is no chain");
    };
    at_every_point(|place, _, _, bench| {
        bench.fuse().command(State::Isolated, || NOW + 31 * SECOND);
        check(place, bench);
    });
    at_every_point(|place, _, _, bench| check(place, bench));
}

/// The death of a prober after it took its seat costs its lease and no more: the fuse is not stuck (rule R11).
#[test]
fn a_fuse_is_never_stuck() {
    at_every_point(|place, _, _, bench| {
        let held = bench.fuse().word().state().is_overridden();
        // Who comes to a fuse that was half-open for too long opens it once more.
        let asks = [1, 2].map(|times| NOW + 31 * SECOND + times * (bench.policy.longest_us + POLICY.probe_us));
        let admitted = asks.into_iter().any(|later| bench.fuse().admit(bench.policy, later).verdict.is_ok());
        assert!(admitted || held, "{place}: rejected after every timeout");
    });
}

/// R12: an operator that dies leaves an override without an end or with its own; never a shorter one, such as that of the override
/// before it. What is said of it is whole, or nothing.
#[test]
fn a_dead_operator_leaves_no_shorter_override() {
    for before_us in [0, SECOND] {
        for point in 0.. {
            let bench = Bench::new();
            bench.apply_override(State::Isolated, before_us, NOW);
            let earlier = bench.fuse().word();
            let died = abandon_after(point, || bench.apply_override(State::Isolated, 60 * SECOND, NOW + 5 * SECOND));
            let word = bench.fuse().word();
            let override_lasts_us = bench.fuse().until_us(word).map(|until_us| until_us - word.generation());
            let (own, said) = ([None, Some(60 * SECOND)], OverrideNotes::new(&bench.said, 0).read(word.generation()));
            let is_whole = said.iter().all(Option::is_none) || said.iter().flatten().eq(["alice", "drill"]);
            assert!(
                (word == earlier || own.contains(&override_lasts_us)) && is_whole,
                "write {point}: {override_lasts_us:?}, {said:?}"
            );
            if !died {
                assert_eq!(own[1], override_lasts_us);
                break;
            }
        }
    }
}

/// R15: a breaker that dies while it notes its settings leaves them whole, or none; the next one completes them.
#[test]
fn settings_of_a_dead_breaker_are_completed() {
    for (first, second) in (0..40).flat_map(|first| (0..40).map(move |second| (first, second))) {
        let places = [Set::default()];
        let (sets, other) = (Sets::new(&places), Policy { threshold: 9, ..POLICY });
        abandon_after(first, || sets.note(7, &POLICY));
        abandon_after(second, || sets.note(8, &other));
        assert!(sets.find(7).is_none_or(|found| found == POLICY) && sets.find(8).is_none_or(|found| found == other));
        sets.note(7, &POLICY);
        assert_eq!((Some(POLICY), None), (sets.find(7), sets.find(8)), "{first}, {second}");
    }
}

/// A claimant of a name that dies leaves a slot that the name's next user completes.
#[test]
fn a_dead_claim_is_completed() {
    let name_hash = NameHash::new(5, 9);
    for point in 0.. {
        let keys: Vec<_> = (0..4).map(|_| Key::new()).collect();
        let name = Name::new();
        let claim = || {
            _ = locate(&keys, name_hash, true);
            name.write(b"payments");
        };
        let died = abandon_after(point, claim);
        let (read, whole) = (name.read(), b"payments");
        assert!(read.as_bytes().is_empty() || read.as_bytes() == whole, "half a name passes for a whole");
        assert_eq!(locate(&keys, name_hash, true), locate(&keys, name_hash, false), "one slot");
        name.write(b"payments");
        assert_eq!(b"payments", name.read().as_bytes());
        if !died {
            return;
        }
    }
}

/// A module whose breaker dies in the middle of it has made the fuse or not; whoever comes next completes it, or is the maker
/// itself. Never is half of a name one, nor a mixture of two.
#[test]
fn a_dead_makers_name_is_completed_or_replaced() {
    let key = Key::new();
    let (owner, modules) = (key.owner(), ["shop.payments", "billing.the_api_of_it"].map(Module::new));
    let read = |maker: &Maker| maker.read(owner);
    for (first, second) in (0..10).flat_map(|first| (0..10).map(move |second| (first, second))) {
        for next in &modules {
            let maker = Maker::new();
            let died = abandon_after(first, || _ = maker.note(owner, &modules[0]));
            abandon_after(second, || _ = maker.note(owner, &modules[1]));
            assert!(read(&maker).is_none_or(|read| modules.contains(&read)), "{first}, {second}");
            assert!(died || read(&maker) == Some(modules[0]), "{first}: the first stays");
            let told = maker.note(owner, next);
            let made = read(&maker).expect("whole by now");
            assert_eq!((made != *next).then_some(made), told, "{first}, {second}");
        }
    }
}

/// A counter that was not added to is not added to; nothing else.
#[test]
fn a_dead_count_is_not_counted() {
    let stripe = Stripe::new();
    assert!(abandon_after(0, || stripe.add(Counter::Late)));
    assert_eq!(0, totals(&[stripe])[Counter::Late as usize]);
}

/// Negative control: a trip in two steps, count and then open, is caught between them.
#[test]
#[should_panic(expected = "counted, yet closed")]
fn a_trip_in_two_steps_is_caught() {
    for point in 0.. {
        let bench = Bench::new();
        bench.fuse().record_failure(POLICY.window_us, NOW);
        bench.fuse().record_failure(POLICY.window_us, NOW);
        let died = abandon_after(point, || {
            if bench.fuse().record_failure(POLICY.window_us, NOW) >= POLICY.threshold {
                bench.fuse().set(State::Open, NOW);
            }
        });
        let (state, failures, _) = bench.seen();
        assert!(failures < POLICY.threshold || state == State::Open, "counted, yet closed");
        if !died {
            return;
        }
    }
}
