//! An operation on a fuse as a subject of [`crate::sweep`].

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fuseboard_shm::handle::ProcessPermit;
use fuseboard_shm::owner;

use crate::bench::{Beginning, Bench};
use crate::contract;
use crate::seen::{AFTER, BEFORE, Seen, kind, tried};
use crate::sweep::{Moment, Subject};
use crate::tracer::Child;

/// After so many instructions, again and again, a dead child's table is opened anew as well.
const ANEW: usize = 8;

/// Something to do to a fuse.
#[derive(Clone, Copy)]
pub struct Operation {
    pub name: &'static str,
    /// What the child does before its first stop: it takes the permit, so that it is the one that dies with it.
    pub prepare: fn(&Bench) -> Option<ProcessPermit>,
    pub run: fn(&Bench, Option<ProcessPermit>),
    /// What it may leave that is neither before nor after.
    pub may_leave: &'static [&'static str],
}

/// An operation from one beginning.
pub struct Case<'a> {
    bench: &'a Bench,
    beginning: &'a Beginning,
    operation: Operation,
    before: Option<Seen>,
    after: Option<Seen>,
}

impl<'a> Case<'a> {
    /// Runs the operation once in this process too, so that nothing of it is done for the first time in a child.
    pub fn new(bench: &'a Bench, beginning: &'a Beginning, operation: Operation) -> Self {
        let mut case = Self { bench, beginning, operation, before: None, after: None };
        case.begin();
        (operation.run)(bench, (operation.prepare)(bench));
        case
    }

    /// What kind of thing was left, if it may be left.
    fn kind(&mut self, moment: Moment, seen: &Seen) -> Result<&'static str, String> {
        match moment {
            Moment::Before => self.before = Some(seen.clone()),
            Moment::After => self.after = Some(seen.clone()),
            Moment::Within(_) => {}
        }
        let before = self.before.as_ref().expect("asked about first");
        let after = self.after.as_ref().unwrap_or(before);
        let found = kind(before, after, seen);
        found
            .filter(|kind| [BEFORE, AFTER].contains(kind) || self.operation.may_leave.contains(kind))
            .ok_or_else(|| format!("left {found:?}: {seen:?}, neither {before:?} nor {after:?}"))
    }

    /// Everybody else goes on, on this mapping and, now and then, on another.
    fn goes_on(&self, moment: Moment, seen: &Seen) {
        let bench = self.bench;
        tried(bench, || contract::goes_on_by_itself(bench, seen.counting()));
        tried(bench, || contract::works(bench, &bench.store));
        let sampled = !matches!(moment, Moment::Within(steps) if !steps.is_multiple_of(ANEW));
        if sampled {
            let store = bench.opened_anew();
            tried(bench, || contract::works(bench, &store));
        }
    }
}

impl Subject for Case<'_> {
    fn label(&self) -> String {
        format!("{}, {}", self.operation.name, self.beginning.0)
    }

    fn begin(&mut self) {
        self.bench.clear();
        (self.beginning.1)(self.bench);
    }

    fn fork(&self) -> Child {
        let (bench, operation) = (self.bench, &self.operation);
        // The first look at /proc is thousands of instructions and none that writes to the table.
        let prepare = || {
            _ = owner::pid();
            (operation.prepare)(bench)
        };
        Child::fork(prepare, |permit| (operation.run)(bench, permit))
    }

    fn shared(&self) -> Vec<u8> {
        self.bench.image()
    }

    /// Rule T02: every shared change is one of one 64-bit word.
    fn fault_of_write(&self, old: &[u8], new: &[u8]) -> Option<String> {
        let words = old.as_chunks::<8>().0.iter().zip(new.as_chunks::<8>().0);
        let changed = words.filter(|(old, new)| old != new).count();
        (changed != 1).then(|| format!("one instruction changed {changed} shared words"))
    }

    fn judge(&mut self, moment: Moment) -> Result<&'static str, String> {
        let look = || {
            let seen = Seen::of(self.bench);
            let kind = self.kind(moment, &seen)?;
            self.goes_on(moment, &seen);
            Ok(kind)
        };
        catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|panic| Err(message_of(&*panic)))
    }
}

/// What a panic said.
pub fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned()
}
