//! What the journal says while processes are killed, judged number by number: of each fuse one chain of states, each later
//! than the one before, broken only where a record is missing.

use std::collections::HashMap;

use fuseboard_core::journal::{Journal, Record};
use fuseboard_core::state::State;

/// What was read up to some number, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Chronicle {
    next: u64,
    /// The number behind the last one whose record is missing.
    hole: u64,
    last: HashMap<u32, Entry>,
    /// What a reader makes of it.
    pub journaled: Vec<Record>,
    /// Records that follow the one before of their fuse, nothing missing in between.
    pub links: u64,
    /// Numbers whose records were not there, or dropped by the ring before they were read.
    pub missing: u64,
    pub faults: Vec<String>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    record: Record,
    /// Whether it follows the one before. One behind a hole may be of long ago: a writer that was stopped writes down again
    /// what others told and the ring has dropped.
    is_sure: bool,
}

impl Chronicle {
    /// Reads what has come since the last time. No record may be of later than `now_us`.
    pub fn read(&mut self, journal: Journal<'_>, now_us: impl Fn() -> u64) {
        let span = journal.span();
        self.skip_to(span.start);
        for number in self.next..span.end {
            self.take(number, journal.read(number), now_us());
        }
    }

    fn skip_to(&mut self, oldest: u64) {
        if oldest > self.next {
            self.missing += oldest - self.next;
            (self.next, self.hole) = (oldest, oldest);
        }
    }

    /// Takes the record of the next number, if it is there.
    pub fn take(&mut self, number: u64, record: Option<Record>, now_us: u64) {
        self.next = number + 1;
        let Some(record) = record else {
            self.missing += 1;
            self.hole = self.next;
            return;
        };
        if !record.from.is_event(record.to)
            || [record.from, record.to].contains(&State::Unseen)
            || record.generation > now_us
        {
            self.faults.push(format!("number {number}, at {now_us}: {record:?}"));
        }
        let before = self.last.get(&record.slot);
        // Two wrote it down.
        if before.is_some_and(|before| record.generation <= before.record.generation) {
            return;
        }
        let is_behind_a_hole = before.is_none_or(|before| self.hole > before.number);
        let follows = before.is_some_and(|before| before.record.to == record.from);
        if !follows && !is_behind_a_hole && before.is_some_and(|before| before.is_sure) {
            self.faults.push(format!("number {number}: {record:?} does not follow {before:?}"));
        }
        self.links += u64::from(follows && !is_behind_a_hole);
        self.journaled.push(record);
        self.last.insert(record.slot, Entry { number, record, is_sure: !is_behind_a_hole });
    }

    /// What is wrong with a fuse that is in `state` when all is over.
    pub fn ends_in(&mut self, slot: u32, state: State) {
        let Some(last) = self.last.get(&slot) else { return };
        if last.is_sure && self.hole <= last.number && last.record.to != state {
            self.faults.push(format!("slot {slot} is {state:?}, and its last record {last:?}"));
        }
    }
}
