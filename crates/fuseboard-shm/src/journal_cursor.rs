//! Reads a table's journal from some point on: each transition once, those of one fuse in their order. Writes nothing.
//!
//! If the maker of a transition was killed right after it, or is slow, the transition stands in its fuse and not in the
//! ring. It is read from there, in this order: first what the fuses hold, then the ring up to its end, then what was
//! found in the fuses, unless the ring had it by then. Nobody ends a generation before the ring has it, so all earlier
//! transitions of that fuse were read before. If somebody writes the transition down later, it is of no later
//! generation than what was read of the fuse, and is dropped.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use fuseboard_core::journal::Record;
use fuseboard_core::time::is_far_ahead;

use crate::saved_cursor::SavedCursor;
use crate::table::View;

/// How long a number may have no record before its writer is taken for dead or stopped.
const HOLE_US: u64 = 100_000;
/// How often a reader looks for transitions that nobody has written down.
const CATCH_UP_US: u64 = 1_000_000;

/// A place in a table's journal, and what was read up to there.
#[derive(Clone, Debug, Default)]
pub struct JournalCursor {
    next: u64,
    /// The latest generation that was read of each slot. What is not later was read before.
    read: HashMap<u32, u64>,
    /// Slots whose latest generation was read from the fuse, and has not come in the ring since.
    ahead: BTreeMap<u32, u64>,
    lost: u64,
    /// Up to which number we wait for missing records, and since when.
    hole: Option<(u64, u64)>,
    caught_up_us: Option<u64>,
    /// What was found in the fuses. It is passed on once the ring is read up to this number.
    unjournaled: (u64, Vec<Record>),
}

/// A record, and where it was read.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// The record.
    pub record: Record,
    /// Its number in the ring; `None` if it stands in the fuse alone.
    pub number: Option<u64>,
}

impl JournalCursor {
    /// A cursor before all that the journal still holds.
    #[must_use]
    pub fn from_oldest(view: &View) -> Self {
        Self { next: view.numbers().start, ..Self::default() }
    }

    /// A cursor before what comes from now on.
    #[must_use]
    pub fn from_now(view: &View) -> Self {
        let mut cursor = Self::from_oldest(view);
        cursor.read_all(view);
        cursor.lost = 0;
        cursor
    }

    /// A cursor that goes on where one was saved; `None` if that one is of another table, or after everything that
    /// stands there.
    #[must_use]
    pub fn resumed(view: &View, saved: &SavedCursor) -> Option<Self> {
        let Range { start: oldest, end } = view.numbers();
        if !saved.is_of(view.host_id()) || saved.next > end {
            return None;
        }
        let mut cursor = Self { next: oldest.min(saved.next), ..Self::default() };
        // Everything before the saved place was read, so what is no later of the same slots was read too, and may stand
        // once more after it.
        while cursor.next < saved.next {
            cursor.step(view);
        }
        cursor.lost = 0;
        for (slot, generation) in &saved.ahead {
            let last = cursor.read.entry(*slot).or_default();
            *last = (*last).max(*generation);
        }
        cursor.ahead = saved.ahead.clone();
        Some(cursor)
    }

    /// Where it stands: after all that it has read.
    #[must_use]
    pub fn cursor(&self, view: &View) -> SavedCursor {
        SavedCursor { table: view.host_id(), next: self.next, ahead: self.ahead.clone() }
    }

    /// How many records the ring dropped before they were read. Some may have been there twice.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// The records since the last reading, and those that nobody has written down; does not wait for somebody who is
    /// writing one.
    pub fn read_all(&mut self, view: &View) -> Vec<Record> {
        records(self.read(view, false))
    }

    /// The records since the last reading, up to one that somebody is writing at this moment.
    pub fn poll(&mut self, view: &View) -> Vec<Record> {
        records(self.read(view, true))
    }

    /// [`Self::poll`] or, if it does not wait, [`Self::read_all`], with the numbers of the records.
    pub fn read(&mut self, view: &View, waits: bool) -> Vec<Read> {
        let now_us = view.clock().now_us();
        self.look_at_fuses(view, now_us, if waits { CATCH_UP_US } else { 0 });
        let end = self.begin(view);
        let mut fresh = Vec::new();
        while self.next < end && !(waits && self.must_wait(view, now_us)) {
            self.pass_unjournaled(view, &mut fresh);
            fresh.extend(self.step(view));
        }
        self.pass_unjournaled(view, &mut fresh);
        fresh
    }

    /// Goes past what the ring has dropped, or back into the ring if damage took the cursor out of it; the end of the
    /// ring.
    fn begin(&mut self, view: &View) -> u64 {
        let Range { start: oldest, end } = view.numbers();
        // Saturating: damage may take the journal ahead more than once.
        self.lost = self.lost.saturating_add(oldest.saturating_sub(self.next));
        if !(oldest..=end).contains(&self.next) {
            self.next = oldest;
        }
        end
    }

    /// Whether the next record is missing and its writer may still write it. All records that are missing when the wait
    /// begins are waited for together.
    fn must_wait(&mut self, view: &View, now_us: u64) -> bool {
        if view.numbers().start > self.next || view.record(self.next).is_some() {
            return false;
        }
        let known = self.hole.filter(|(end, _)| self.next < *end);
        let (_, since_us) = *self.hole.insert(known.unwrap_or((view.numbers().end, now_us)));
        let is_over = now_us.abs_diff(since_us) >= HOLE_US;
        if is_over {
            // What should stand there is in its fuse. One look for all that is missing.
            self.look_at_fuses(view, now_us, 1);
        }
        !is_over
    }

    /// Looks for transitions that nobody wrote down, unless that was done less than so long ago.
    fn look_at_fuses(&mut self, view: &View, now_us: u64, interval_us: u64) {
        if self.caught_up_us.is_none_or(|last| now_us.abs_diff(last) >= interval_us) {
            self.caught_up_us = Some(now_us);
            let found = view.unjournaled();
            // Behind the look, so that the ring up to here has all that came before what was found.
            self.unjournaled = (view.numbers().end, found);
        }
    }

    /// Passes on what was found in the fuses, once it is its turn.
    fn pass_unjournaled(&mut self, view: &View, fresh: &mut Vec<Read>) {
        if self.next < self.unjournaled.0 {
            return;
        }
        for record in std::mem::take(&mut self.unjournaled.1) {
            if self.is_fresh(view, &record) {
                self.ahead.insert(record.slot, record.generation);
                fresh.push(Read { record, number: None });
            }
        }
    }

    /// Reads one record and goes on; `None` if it was read before, is not there, was dropped just now, or is damage's.
    fn step(&mut self, view: &View) -> Option<Read> {
        let (number, record) = (self.next, view.record(self.next));
        self.next += 1;
        let Some(record) = record else {
            self.lost = self.lost.saturating_add(u64::from(view.numbers().start > number));
            return None;
        };
        if self.ahead.get(&record.slot).is_some_and(|generation| *generation <= record.generation) {
            self.ahead.remove(&record.slot);
        }
        self.is_fresh(view, &record).then_some(Read { record, number: Some(number) })
    }

    /// Whether a record is later than what was read of its slot; then it is what was read of it.
    fn is_fresh(&mut self, view: &View, record: &Record) -> bool {
        // No sound process writes a record of a slot that does not exist, or of a generation that far ahead. The one
        // would be remembered for ever; the other, if believed, would hide all that come after it.
        let is_a_slot = (record.slot as usize) < view.geometry().slots();
        if !is_a_slot || is_far_ahead(view.clock().now_us(), record.generation) {
            return false;
        }
        let last = self.read.entry(record.slot).or_default();
        let is_fresh = record.generation > *last;
        *last = record.generation.max(*last);
        is_fresh
    }
}

fn records(read: Vec<Read>) -> Vec<Record> {
    read.into_iter().map(|read| read.record).collect()
}
