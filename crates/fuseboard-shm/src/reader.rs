//! Reading a table's journal from some point on: each transition once, those of one fuse in their order.

use std::collections::HashMap;
use std::ops::Range;

use fuseboard_core::journal::Record;
use fuseboard_core::time::is_far_ahead;

use crate::table::Table;

/// How long a ticket may be without its record before its owner is taken for dead or stopped.
const HOLE_US: u64 = 100_000;
/// How often a reader looks for transitions that nobody wrote down.
const CATCH_UP_US: u64 = 1_000_000;

/// A place in a table's journal, and what was read up to there.
#[derive(Clone, Debug)]
pub struct Reader {
    next: u64,
    /// The latest generation of each slot that was read: what is not later was read before.
    read: HashMap<u32, u64>,
    lost: u64,
    /// Up to which ticket records are missing that we wait for, and since when.
    hole: Option<(u64, u64)>,
    caught_up_us: Option<u64>,
}

impl Reader {
    /// A reader of all that the journal still holds.
    #[must_use]
    pub fn from_oldest(table: &Table) -> Self {
        Self::at(table.journal().oldest())
    }

    /// A reader of what comes from now on.
    #[must_use]
    pub fn from_now(table: &Table) -> Self {
        table.catch_up();
        let mut reader = Self::from_oldest(table);
        reader.read_all(table);
        reader.lost = 0;
        reader
    }

    fn at(next: u64) -> Self {
        Self { next, read: HashMap::new(), lost: 0, hole: None, caught_up_us: None }
    }

    /// How many records the ring had dropped before they were read. Some may have been there twice.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// The records since the last reading, and those that others left out; without waiting for anybody who is just
    /// writing one.
    pub fn read_all(&mut self, table: &Table) -> Vec<Record> {
        let end = self.begin(table);
        (self.next..end).filter_map(|_| self.step(table)).collect()
    }

    /// The records since the last reading, up to one that somebody is just writing.
    pub fn poll(&mut self, table: &Table) -> Vec<Record> {
        let now_us = table.clock().now_us();
        self.catch_up(table, now_us, CATCH_UP_US);
        let end = self.begin(table);
        let mut fresh = Vec::new();
        while self.next < end && !self.must_wait(table, now_us) {
            fresh.extend(self.step(table));
        }
        fresh
    }

    /// Goes past what the ring has dropped, or back into it if damage took it elsewhere; where it ends just now.
    fn begin(&mut self, table: &Table) -> u64 {
        let Range { start: oldest, end } = table.journal().span();
        // Saturating: damage may take the journal ahead more than once.
        self.lost = self.lost.saturating_add(oldest.saturating_sub(self.next));
        if !(oldest..=end).contains(&self.next) {
            self.next = oldest;
        }
        end
    }

    /// Whether the next record is not there and its writer may still come to it. All that is missing when somebody begins
    /// to wait is waited for together.
    fn must_wait(&mut self, table: &Table, now_us: u64) -> bool {
        if table.journal().oldest() > self.next || table.journal().read(self.next).is_some() {
            return false;
        }
        let known = self.hole.filter(|(end, _)| self.next < *end);
        let (_, since_us) = *self.hole.insert(known.unwrap_or((table.journal().next(), now_us)));
        let is_over = now_us.abs_diff(since_us) >= HOLE_US;
        if is_over {
            // What should have stood there is told again, further on. Once for all that is missing.
            self.catch_up(table, now_us, 1);
        }
        !is_over
    }

    /// Has transitions told that nobody wrote down, unless that was done less than so long ago.
    fn catch_up(&mut self, table: &Table, now_us: u64, interval_us: u64) {
        if self.caught_up_us.is_none_or(|last| now_us.abs_diff(last) >= interval_us) {
            self.caught_up_us = Some(now_us);
            table.catch_up();
        }
    }

    /// Reads one record and goes on; `None` if it was read before, is not there, was dropped just now, or is damage's.
    fn step(&mut self, table: &Table) -> Option<Record> {
        let (ticket, record) = (self.next, table.journal().read(self.next));
        self.next += 1;
        let Some(record) = record else {
            self.lost = self.lost.saturating_add(u64::from(table.journal().oldest() > ticket));
            return None;
        };
        // Of a slot that is none, or a generation that far off, no sound process tells. The one would be remembered for ever,
        // the other, believed, would hide all that come after it.
        let is_a_slot = (record.slot as usize) < table.geometry().slots();
        if !is_a_slot || is_far_ahead(table.clock().now_us(), record.generation) {
            return None;
        }
        let last = self.read.entry(record.slot).or_default();
        let is_fresh = record.generation > *last;
        *last = record.generation.max(*last);
        is_fresh.then_some(record)
    }
}
