//! Killed after every instruction, for real: the proof over machine code of "any process may be killed at any
//! instruction; no other process waits, hangs, or reads nonsense" (DESIGN, 1.2; rules T02, T03, T08).
//!
//! A forked child performs one operation on a shared table and is killed after 0, 1, 2, ... of its instructions. After
//! each death its parent, which has the table mapped too, finds the fuse as it was before the operation or as it is after
//! it, or in one of the few states between that the operation may leave (`seen`); and the whole contract works at once
//! (`contract`), now and then on a fresh mapping too, all of it under a watchdog. No instruction changes more than one
//! 64-bit word of the table.
//!
//! | module | holds |
//! |---|---|
//! | `tracer` | a child that is led by `ptrace` |
//! | `sweep` | kills one child after another along an operation |
//! | `bench` | the table, the clock, the beginnings |
//! | `operations` | what is done to the table |
//! | `policies` | the same under a policy that has everything |
//! | `operation`, `creation` | an operation on a fuse, a creation of a table, as subjects of a sweep |
//! | `seen` | what can be seen of a fuse; before, after, between |
//! | `contract` | what everybody else must still be able to do |
//! | `controls` | broken protocols that must be caught |
//! | `watchdog` | a bound on time |
//!
//! `cargo test` runs a short form, which takes the instructions around every shared write and about a hundred more of
//! each operation; `FUSEBOARD_SINGLE_STEP=full` takes every one. One line for each operation says what was done: see them
//! with `-- --nocapture`. Where children may not be traced the tests say so and do nothing; under `CI` they fail.
//!
//! On targets other than Linux on x86-64 and aarch64 there is nothing here: `ptrace` is another there.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

#[path = "single_step/bench.rs"]
mod bench;
#[path = "single_step/contract.rs"]
mod contract;
#[path = "single_step/controls.rs"]
mod controls;
#[path = "single_step/creation.rs"]
mod creation;
#[path = "single_step/operation.rs"]
mod operation;
#[path = "single_step/operations.rs"]
mod operations;
#[path = "single_step/policies.rs"]
mod policies;
#[path = "single_step/seen.rs"]
mod seen;
#[path = "single_step/sweep.rs"]
mod sweep;
#[path = "single_step/tracer.rs"]
mod tracer;
#[path = "single_step/watchdog.rs"]
mod watchdog;

use std::io::Write;
use std::time::Instant;

use bench::{BRINK, Bench, DEAD_PROBER, Folder};
use creation::{Creation, Ground, NO_FOLDER, NO_TABLE, TABLE};
use operation::Case;
use operations::{CALLS, Planned, RAW, SLOTS};
use policies::POLICIES;
use seen::Seen;
use sweep::{Report, Subject, sweep};
use watchdog::Watchdog;

/// What a call through a breaker does (rules R01 to R12).
#[test]
fn a_call_may_die_anywhere() {
    everywhere("calls", CALLS);
}

/// The raw operations of the store's contract (rule R13).
#[test]
fn a_raw_operation_may_die_anywhere() {
    everywhere("raw operations", RAW);
}

/// The same under a policy that has everything (rules R19 to R26).
#[test]
fn a_call_under_policies_may_die_anywhere() {
    everywhere("policies", POLICIES);
}

/// Names, settings, `reset_all` (rules T03, T06, R15).
#[test]
fn work_on_slots_may_die_anywhere() {
    everywhere("slots", SLOTS);
}

/// Under its final name a table is whole or not there; nothing else is left (rule T08).
#[test]
fn a_creation_may_die_anywhere() {
    let Some(runner) = Runner::new("creation") else { return };
    let reports = [Ground::Bare, Ground::Folder, Ground::Table].map(|ground| runner.run(&mut Creation::new(ground)));
    runner.conclude(&reports);
    let [bare, folder, table] = reports;
    assert!([NO_FOLDER, NO_TABLE, TABLE].iter().all(|kind| bare.kind(kind) > 0), "{bare}");
    assert!(folder.kind(NO_TABLE) > 0 && folder.kind(TABLE) > 0, "{folder}");
    assert_eq!(table.kills, table.kind(TABLE), "{table}");
}

/// A prober that died with its permit costs no more than the next call (rule R11): its seat is to be had at once.
#[test]
fn a_dead_probers_seat_is_taken_over() {
    let Some(_runner) = Runner::new("dead prober") else { return };
    let folder = Folder::new();
    let bench = Bench::new(&folder.0);
    DEAD_PROBER.1(&bench);
    let seen = Seen::of(&bench);
    assert_eq!((0, 1), (seen.free, seen.reclaimable));
}

/// Negative control: a failure that is counted while the fuse is still closed.
#[test]
fn a_trip_in_two_steps_is_caught() {
    let Some(runner) = Runner::new("control: trip") else { return };
    let folder = Folder::new();
    let report = runner.run(&mut Case::new(&Bench::new(&folder.0), &BRINK, controls::TWO_STEP_TRIP));
    let caught = |fault: &str| fault.contains("left None: Seen { state: Closed") && fault.contains("failures: 3");
    assert!(report.faults.iter().any(|(_, fault)| caught(fault)), "not caught: {report}");
}

/// Negative control: a lock that nobody opens any more.
#[test]
fn a_dead_owner_of_a_lock_is_caught() {
    let Some(runner) = Runner::new("control: lock") else { return };
    let report = runner.run(&mut controls::Lock::new());
    assert!(report.kind("goes on") > 0 && !report.faults.is_empty(), "not caught: {report}");
    assert!(report.faults.iter().all(|(_, fault)| fault == "waits for ever"), "{report}");
}

/// Negative control: a table that has its name before it has its bytes.
#[test]
fn a_creation_in_place_is_caught() {
    let Some(runner) = Runner::new("control: creation") else { return };
    let report = runner.run(&mut controls::creation_in_place());
    assert!(report.kind(TABLE) > 0 && !report.faults.is_empty(), "not caught: {report}");
}

fn everywhere(title: &'static str, planned: &[Planned]) {
    let Some(runner) = Runner::new(title) else { return };
    let folder = Folder::new();
    let bench = Bench::new(&folder.0);
    let sweep_all = |(operation, beginnings): &Planned| {
        let sweep = |beginning| runner.run(&mut Case::new(&bench, beginning, *operation));
        let reports: Vec<_> = beginnings.iter().map(sweep).collect();
        for kind in operation.may_leave {
            assert!(reports.iter().any(|report| report.kind(kind) > 0), "{} never leaves: {kind}", operation.name);
        }
        reports
    };
    let reports: Vec<_> = planned.iter().flat_map(sweep_all).collect();
    runner.conclude(&reports);
}

/// Runs sweeps and says what they did.
struct Runner {
    title: &'static str,
    watchdog: Watchdog,
    full: bool,
    begun: Instant,
}

impl Runner {
    /// `None` where children may not be traced.
    fn new(title: &'static str) -> Option<Self> {
        if let Err(why) = tracer::permitted() {
            say(&format!("{title}: SKIPPED, nothing was tested: {why}"));
            assert!(std::env::var_os("CI").is_none(), "single steps must be possible under CI: {why}");
            return None;
        }
        let watchdog = Watchdog::new();
        tracer::stay_on_one_processor();
        let full = std::env::var("FUSEBOARD_SINGLE_STEP").is_ok_and(|form| form == "full");
        Some(Self { title, watchdog, full, begun: Instant::now() })
    }

    fn run(&self, subject: &mut dyn Subject) -> Report {
        let report = sweep(subject, &self.watchdog, self.full);
        eprintln!("{report}");
        report
    }

    /// Fails if any of the reports has a fault.
    fn conclude(&self, reports: &[Report]) {
        let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
        let sum = |count: fn(&Report) -> usize| reports.iter().map(count).sum::<usize>();
        let stride = reports.iter().map(|report| report.stride).max().unwrap_or(0);
        let title = format!("{}: {} operations of {} instructions", self.title, reports.len(), sum(|r| r.instructions));
        let how = format!("a kill at one in {stride} at the least, and around every shared write");
        let how = if stride == 1 { "a kill at every one".to_owned() } else { how };
        let (kills, time) = (sum(|r| r.kills), self.begun.elapsed().as_secs_f32());
        say(&format!("{title}, {how}: {kills} kills ({profile}, {time:.1} s)"));
        let faulty: Vec<_> = reports.iter().filter(|report| !report.faults.is_empty()).map(Report::to_string).collect();
        assert!(faulty.is_empty(), "\n{}", faulty.join("\n"));
    }
}

/// Says something past the test runner, which keeps what tests print to itself.
fn say(text: &str) {
    _ = writeln!(std::io::stderr(), "single_step: {text}");
}
