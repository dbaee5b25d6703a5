//! What the living can tell of a fuse, and how it lies between what it was before an operation and after it.

use fuseboard_core::counters::{COUNTERS, totals};
use fuseboard_core::fuse::{Effect, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;

use crate::bench::{Bench, NAME, POLICY, SECOND};
use crate::policies::{bad_to_trip, open_us};

/// Everything that can be seen of the fuse, or found out by using it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What its word and its reading say.
    pub state: State,
    generation: u64,
    pub failures: u32,
    last_failure_us: Option<u64>,
    settings_changes: u64,
    /// What the next `record_failure` answers.
    next_count: u32,
    /// Whether a breaker with new settings learns that it differs.
    differs: bool,
    /// While half-open: probes let in at once where nobody asks whether their owners are dead,
    pub free: u32,
    /// where somebody does,
    pub reclaimable: u32,
    /// and how many must succeed once all leases are over.
    needed: u32,
    /// How long it is open for a policy whose open times grow,
    open_us: u64,
    /// by how many failed probes in a row,
    failed_probes: u32,
    /// and while closed, bad calls until a rate opens it.
    bad_to_trip: u32,
    /// The sums of the counters.
    totals: [u64; COUNTERS],
    /// The names of the taken slots.
    names: Vec<Option<String>>,
    /// The modules that made their fuses.
    makers: Vec<Option<String>>,
    /// Until when a manual override holds the fuse, and who made it and why.
    until_us: Option<u64>,
    said: [Option<String>; 2],
    /// The settings that a tool finds.
    settings: Option<Policy>,
}

impl Seen {
    /// Looks at the fuse of a bench; leaves the table as it was.
    pub fn of(bench: &Bench) -> Self {
        let slots = bench.store.slots();
        // Of a name without a slot, what is seen of a fuse never seen.
        let reading = bench.store.find(NAME).map(|slot| slot.fuse().read());
        Self {
            state: reading.map_or(State::Unseen, |it| it.word.state()),
            generation: reading.map_or(0, |it| it.word.generation()),
            failures: reading.map_or(0, |it| it.failures),
            last_failure_us: reading.and_then(|it| it.last_failure_us),
            settings_changes: reading.map_or(0, |it| it.settings_changes),
            failed_probes: reading.map_or(0, |it| it.failed_probes),
            open_us: tried(bench, || open_us(bench)),
            bad_to_trip: tried(bench, || bad_to_trip(bench)),
            totals: bench.store.find(NAME).map(|slot| totals(slot.stripes())).unwrap_or_default(),
            names: slots.iter().map(fuseboard_shm::store::Slot::name).collect(),
            makers: slots.iter().map(fuseboard_shm::store::Slot::maker).collect(),
            next_count: tried(bench, || bench.slot().fuse().record_failure(POLICY.window_us, bench.now())),
            until_us: reading.and_then(|it| it.until_us),
            said: reading.map(|it| bench.slot().override_note(it.word.generation())).unwrap_or_default(),
            settings: reading.and_then(|it| bench.store.table().settings(it.settings)),
            differs: tried(bench, || bench.slot().fuse().note_settings(7).is_some()),
            free: tried(bench, || admitted(bench, || bench.fuse().admit(&POLICY, bench.now()).verdict.is_ok())),
            reclaimable: tried(bench, || admitted(bench, || bench.handle.admit(&POLICY).verdict.is_ok())),
            needed: tried(bench, || needed(bench)),
        }
    }

    /// Failures that count now.
    pub fn counting(&self) -> u32 {
        self.next_count - 1
    }
}

/// What an experiment shows, which is then undone.
pub fn tried<T>(bench: &Bench, experiment: impl FnOnce() -> T) -> T {
    let (image, now) = (bench.image(), bench.now());
    let result = experiment();
    bench.restore(&image, now);
    result
}

/// How many probes are let in.
pub fn admitted(bench: &Bench, admit: impl Fn() -> bool) -> u32 {
    let half_open = bench.fuse().word().state() == State::HalfOpen;
    if half_open { (0..10).take_while(|_| admit()).count() as u32 } else { 0 }
}

fn needed(bench: &Bench) -> u32 {
    bench.set_clock(bench.now() + POLICY.probe_us);
    let succeed = || {
        let permit: Permit = bench.fuse().admit(&POLICY, bench.now()).verdict.expect("a free seat");
        matches!(bench.fuse().succeeded(&POLICY, permit, bench.now() + SECOND), Effect::Counted)
    };
    let half_open = bench.fuse().word().state() == State::HalfOpen;
    if half_open { (0..10).take_while(|_| succeed()).count() as u32 + 1 } else { 0 }
}

pub const BEFORE: &str = "before";
pub const AFTER: &str = "after";
/// The operation has happened; some of its calls are not counted yet (or some of its counters not yet cleared).
pub const UNCOUNTED: &str = "done but not all counted";
/// A fuse never seen was closed all along (rule R01); now it says so.
pub const ENTERED: &str = "entered as closed";
/// Open to half-open is a step of its own: whoever comes next takes the seat.
pub const NO_SEAT: &str = "half-open but no seat taken";
/// A seat without its owner's hint: its deadline decides.
pub const UNSIGNED: &str = "seat taken but not signed";
/// A dead prober's seat is free, and nobody's yet.
pub const FREED: &str = "dead prober's seat freed";
/// A probe's success counts, and its lease is still out.
pub const LEASE_OUT: &str = "success counted but lease out";
/// Open, and its maker has not said for how long: it is a failed probe short, or what the call asked for.
pub const SHORT: &str = "open for a shorter time";
/// A bad call that a rate counts, and the fuse does not yet (rule R19): the next one judges both.
pub const RATED: &str = "counted by a rate alone";
/// One change of settings not counted.
pub const NOTED: &str = "settings noted but not counted";
/// A manual override that has not said yet when it ends, and why it was made: it stands until somebody ends it (rule R12).
pub const ENDLESS: &str = "overridden without an end";
/// It has an end, and nobody knows yet why it was made.
pub const UNSAID: &str = "overridden, and not said why";
/// A slot that its name's next user completes.
pub const NAMELESS: &str = "slot taken but not named";

/// What kind of thing was left; `None` if nothing that may be left.
pub fn kind(before: &Seen, after: &Seen, seen: &Seen) -> Option<&'static str> {
    let Seen { totals, names, generation, .. } = seen.clone();
    let unjournaled = || Seen { totals: before.totals, ..after.clone() };
    let is = |expected: Seen| *seen == expected;
    let between = |i: usize| {
        let (low, high) = (before.totals[i].min(after.totals[i]), before.totals[i].max(after.totals[i]));
        (low..=high).contains(&totals[i])
    };
    let kinds = [
        (BEFORE, seen == before),
        (AFTER, seen == after),
        (UNCOUNTED, is(Seen { totals, ..after.clone() }) && (0..COUNTERS).all(between)),
        (ENTERED, before.state == State::Unseen && is(Seen { state: State::Closed, generation, ..before.clone() })),
        (
            NO_SEAT,
            matches!(before.state, State::Open | State::Isolated)
                && is(Seen { free: POLICY.probes, reclaimable: POLICY.probes, ..unjournaled() }),
        ),
        (UNSIGNED, is(Seen { reclaimable: after.free, ..unjournaled() })),
        (FREED, is(Seen { free: before.free + 1, ..before.clone() })),
        (LEASE_OUT, is(Seen { needed: after.needed, ..before.clone() })),
        (
            SHORT,
            after.state == State::Open
                && seen.open_us < after.open_us
                && is(Seen { open_us: seen.open_us, failed_probes: seen.failed_probes, ..unjournaled() }),
        ),
        (
            RATED,
            seen.bad_to_trip + 1 == before.bad_to_trip && is(Seen { bad_to_trip: seen.bad_to_trip, ..before.clone() }),
        ),
        (NOTED, is(Seen { differs: after.differs, ..before.clone() })),
        (ENDLESS, is(Seen { until_us: None, said: [None, None], ..after.clone() })),
        (UNSAID, is(Seen { said: [None, None], ..after.clone() })),
        (NAMELESS, is(Seen { names, ..after.clone() }) && seen.names == [None]),
    ];
    kinds.into_iter().find_map(|(kind, found)| found.then_some(kind))
}
