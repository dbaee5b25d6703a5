//! A fuse, its rate windows and the journal of its table, as values.
#![allow(dead_code, reason = "each test takes the part it needs")]

use fuseboard_core::fuse::{Cell, Fuse};
use fuseboard_core::journal::{Head, Journal, Record, RingSlot};
use fuseboard_core::journal_writer::JournalWriter;
use fuseboard_core::rate::{RATE_WINDOWS, RateWindow};
use fuseboard_core::sync::AtomicU64;

/// The fuse's slot, by which its records name it.
pub const SLOT: u32 = 3;
/// Who writes them: more than a note has room for.
pub const PID: u32 = 0x0055_5555;

/// A journal.
pub struct Pages {
    pub head: Head,
    pub places: Vec<RingSlot>,
}

impl Pages {
    /// An empty journal of so many `places`.
    pub fn new(places: usize) -> Self {
        Self { head: Head::new(), places: (0..places).map(|_| RingSlot::new()).collect() }
    }

    pub fn journal(&self) -> Journal<'_> {
        Journal::new(&self.head, &self.places)
    }

    /// Whoever writes down what becomes of the fuse.
    pub fn writer(&self, pid: u32) -> JournalWriter<'_> {
        JournalWriter { journal: self.journal(), slot: SLOT, pid }
    }

    /// What stands in the journal, oldest first.
    pub fn read(&self) -> Vec<Record> {
        self.journal().span().filter_map(|number| self.journal().read(number)).collect()
    }

    /// What a reader makes of it: nothing that is not later than what stands before it.
    pub fn journaled(&self) -> Vec<Record> {
        let mut told = self.read();
        let mut last = 0;
        told.retain(|record| {
            let is_later = record.generation > last;
            last = last.max(record.generation);
            is_later
        });
        told
    }
}

/// A fuse with a journal of its own.
pub struct Book {
    cell: Cell,
    log: Vec<AtomicU64>,
    rate_windows: [RateWindow; RATE_WINDOWS],
    pub pages: Pages,
}

impl Book {
    /// A fuse never seen, whose log has `log_len` entries, and an empty journal of so many `places`.
    pub fn new(log_len: usize, places: usize) -> Self {
        let log = (0..log_len).map(|_| AtomicU64::new(0)).collect();
        Self {
            cell: Cell::new(),
            log,
            rate_windows: [(); RATE_WINDOWS].map(|()| RateWindow::new()),
            pages: Pages::new(places),
        }
    }

    pub fn journal(&self) -> Journal<'_> {
        self.pages.journal()
    }

    /// The fuse, whose transitions are written down.
    pub fn fuse(&self) -> Fuse<'_> {
        self.unjournaled_fuse().with_journal_writer(self.pages.writer(PID))
    }

    /// The fuse, whose transitions are not.
    pub fn unjournaled_fuse(&self) -> Fuse<'_> {
        Fuse::new(&self.cell, &self.log).with_rate_windows(&self.rate_windows)
    }

    pub fn read(&self) -> Vec<Record> {
        self.pages.read()
    }

    pub fn journaled(&self) -> Vec<Record> {
        self.pages.journaled()
    }
}
