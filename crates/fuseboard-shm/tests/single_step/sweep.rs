//! Leads children through one operation and kills one of them after every instruction, or after some.
//!
//! A first child is taken from its first stop to its second in single steps, while its parent notes the way: the address
//! of every instruction, and which of them changed what is shared. Every further child goes the same way to one
//! instruction of it and is killed before it. To get there it need not be stepped: it runs into a trap at the
//! instruction's address, as many times as the first child had come by. A child that does not come by so often went
//! another way (memory allocation may); then another one is stepped all the way.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::tracer::{Child, STEPS_MAX, Stop};
use crate::watchdog::Watchdog;

/// Points of an operation that the short form takes at the most, beside those around shared writes.
const SHORT: usize = 100;
/// Steps that are no more trouble than setting another trap.
const NEAR: usize = 300;

/// When a child was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before its first instruction.
    Before,
    /// After as many instructions.
    Within(usize),
    /// After its last instruction.
    After,
}

/// One operation from one beginning.
pub trait Subject {
    /// What it is called.
    fn label(&self) -> String;
    /// Makes the beginning anew: everything shared is as it was the last time.
    fn begin(&mut self);
    /// A child before the operation.
    fn fork(&self) -> Child;
    /// What is shared, as it stands now.
    fn shared(&self) -> Vec<u8>;
    /// What is wrong with one instruction that changed what is shared from `old` to `new`.
    fn fault_of_write(&self, _old: &[u8], _new: &[u8]) -> Option<String> {
        None
    }
    /// Looks at what a dead child left and goes on with it: what kind of thing it is, or what is wrong with it. Is asked
    /// about before and after first.
    ///
    /// # Errors
    /// What is wrong.
    fn judge(&mut self, moment: Moment) -> Result<&'static str, String>;
}

/// The way of a child that was not killed.
#[derive(Default)]
struct Way {
    /// Address of each instruction.
    addresses: Vec<usize>,
    /// The how-manieth time it is of this address.
    times: Vec<usize>,
    /// After how many instructions what is shared has just changed.
    writes: Vec<usize>,
}

/// What came of it.
#[derive(Default)]
pub struct Report {
    label: String,
    /// How many instructions it has.
    pub instructions: usize,
    writes: usize,
    /// Of so many instructions one has a kill, beside those around shared writes.
    pub stride: usize,
    /// How many children were killed.
    pub kills: usize,
    strays: usize,
    kinds: BTreeMap<&'static str, usize>,
    /// What was wrong, and after how many instructions.
    pub faults: Vec<(usize, String)>,
}

impl Report {
    /// How many of them left something of this kind.
    pub fn kind(&self, kind: &str) -> usize {
        self.kinds.get(kind).copied().unwrap_or(0)
    }

    fn note(&mut self, steps: usize, verdict: Result<&'static str, String>) {
        self.kills += 1;
        match verdict {
            Ok(kind) => *self.kinds.entry(kind).or_default() += 1,
            Err(fault) => self.faults.push((steps, fault)),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, instructions, writes, stride, kills, .. } = self;
        write!(f, "{label}: {instructions} instructions, {writes} shared writes, every {stride}: {kills} kills")?;
        for (kind, count) in &self.kinds {
            write!(f, "; {kind} {count}")?;
        }
        if self.strays > 0 {
            write!(f, "; {} elsewhere than the first child", self.strays)?;
        }
        if let Some((steps, fault)) = self.faults.first() {
            write!(f, "; {} FAULTS, the first after {steps} instructions: {fault}", self.faults.len())?;
        }
        Ok(())
    }
}

/// Kills a child after every instruction of the operation if `full`, else after some.
pub fn sweep(subject: &mut dyn Subject, watchdog: &Watchdog, full: bool) -> Report {
    let mut report = Report { label: subject.label(), ..Report::default() };
    subject.begin();
    subject.fork().kill();
    report.note(0, judged(subject, watchdog, Moment::Before));
    let way = first_way(subject, &mut report);
    report.note(way.addresses.len(), judged(subject, watchdog, Moment::After));
    (report.instructions, report.writes) = (way.addresses.len(), way.writes.len());
    report.stride = if full { 1 } else { way.addresses.len().div_ceil(SHORT) };
    for steps in points(&way, report.stride) {
        report.strays += usize::from(!kill_after(steps, &way, subject));
        report.note(steps, judged(subject, watchdog, Moment::Within(steps)));
    }
    report
}

fn judged(subject: &mut dyn Subject, watchdog: &Watchdog, moment: Moment) -> Result<&'static str, String> {
    watchdog.within_time(format!("{}, {moment:?}", subject.label()), || subject.judge(moment))
}

/// Takes a child all the way, step by step, and kills it at its second stop.
fn first_way(subject: &mut dyn Subject, report: &mut Report) -> Way {
    let (mut way, mut seen) = (Way::default(), HashMap::<usize, usize>::new());
    subject.begin();
    let child = subject.fork();
    let mut shared = subject.shared();
    loop {
        let address = child.address();
        let times = seen.entry(address).or_default();
        *times += 1;
        way.times.push(*times);
        way.addresses.push(address);
        let stop = child.step();
        let now = subject.shared();
        if now != shared {
            way.writes.push(way.addresses.len());
            let fault = subject.fault_of_write(&shared, &now);
            report.faults.extend(fault.map(|fault| (way.addresses.len(), fault)));
            shared = now;
        }
        if stop == Stop::Behind {
            return way;
        }
        assert!(way.addresses.len() < STEPS_MAX, "{}: no end after {STEPS_MAX} steps", report.label);
    }
}

/// After how many instructions to kill: around every shared write, and each `stride`th.
fn points(way: &Way, stride: usize) -> Vec<usize> {
    let around = way.writes.iter().flat_map(|write| write.saturating_sub(1)..=write + 1);
    let mut points: Vec<usize> = around.chain((0..way.addresses.len()).step_by(stride)).collect();
    points.sort_unstable();
    points.dedup();
    points.retain(|steps| *steps < way.addresses.len());
    points
}

/// Kills a child after so many instructions of the way; whether it was then where the first one had been.
fn kill_after(steps: usize, way: &Way, subject: &mut dyn Subject) -> bool {
    // The landmark from which the point is had with the fewest stops.
    let stops = |landmark: &usize| way.times[*landmark] + steps - landmark;
    let landmark = (steps.saturating_sub(NEAR)..=steps).min_by_key(stops).unwrap_or(steps);
    subject.begin();
    let mut child = subject.fork();
    let stop = child.run_to(way.addresses[landmark], way.times[landmark]);
    if stop == Stop::Behind || child.take_steps(steps - landmark) == Stop::Behind {
        child.kill();
        subject.begin();
        child = subject.fork();
        child.take_steps(steps);
    }
    let there = child.address() == way.addresses[steps];
    child.kill();
    there
}
