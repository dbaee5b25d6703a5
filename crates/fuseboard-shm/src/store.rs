//! A store: a table, process-local tables for what does not fit into it (rule T12), and slots that outlive look-ups.

use std::sync::{Arc, Mutex, PoisonError};

use fuseboard_core::counters::{Counter, Stripe};
use fuseboard_core::fuse::{Admission, Effect, Fuse, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;

use crate::owner;
use crate::table::Table;

/// A table and what overflows from it.
#[derive(Debug)]
pub struct Store {
    table: Arc<Table>,
    /// Tables of this process for fuses that found the main one full. The lock is held for look-ups here only, which
    /// never happen while there is room; never while anybody else's code runs.
    overflow: Mutex<Vec<Arc<Table>>>,
}

impl Store {
    /// A store on a table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table: Arc::new(table), overflow: Mutex::default() }
    }

    /// The main table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The slot of a name, if it has one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Slot> {
        self.tables().into_iter().find_map(|table| Slot::located(table, name, false))
    }

    /// The slot of a name; takes one if it has none. Falls back to a table of this process's own when the store's is
    /// full; `None` only if there is no memory for that either.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<Slot> {
        if let Some(slot) = Slot::located(Arc::clone(&self.table), name, true) {
            return Some(slot);
        }
        let mut overflow = self.overflow.lock().unwrap_or_else(PoisonError::into_inner);
        let found = overflow.iter().find_map(|table| Slot::located(Arc::clone(table), name, true));
        let slot = match found {
            Some(slot) => slot,
            None => {
                let table = Arc::new(Table::private(self.table.geometry(), self.table.clock().clone()).ok()?);
                overflow.push(Arc::clone(&table));
                Slot::located(table, name, true)?
            }
        };
        Some(Slot { overflowed: true, ..slot })
    }

    /// How many fuses live in this process alone because the table was full.
    #[must_use]
    pub fn overflowed(&self) -> usize {
        self.tables().iter().skip(1).map(|table| table.taken().count()).sum()
    }

    /// Every slot that is taken, of all tables.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        let slots_of = |table: Arc<Table>| {
            let indices: Vec<_> = table.taken().collect();
            indices.into_iter().map(move |index| Slot { table: Arc::clone(&table), index, overflowed: false })
        };
        self.tables().into_iter().flat_map(slots_of).collect()
    }

    /// Closes and forgets every fuse; their counters begin again at 0.
    pub fn forget_all(&self) {
        for slot in self.slots() {
            slot.fuse().forget(slot.now_us());
            fuseboard_core::counters::clear(slot.table.stripes(slot.index));
        }
    }

    fn tables(&self) -> Vec<Arc<Table>> {
        let overflow = self.overflow.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(&self.table).chain(overflow.iter()).map(Arc::clone).collect()
    }
}

/// A slot of a table, which it keeps mapped.
#[derive(Clone, Debug)]
pub struct Slot {
    table: Arc<Table>,
    index: usize,
    overflowed: bool,
}

/// A permit, and the process that took it.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    permit: Permit,
    owner: usize,
}

impl Ticket {
    /// A ticket for a permit that this process was just given.
    #[must_use]
    pub fn new(permit: Permit) -> Self {
        Self { permit, owner: owner::token() }
    }

    /// Whether the call it admits is a probe.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        self.permit.lease.is_some()
    }

    /// The permit, unless it is a probe's and this process is a forked child of the one that took it: the probe is the
    /// parent's to answer for.
    fn valid(&self) -> Option<Permit> {
        (self.permit.lease.is_none() || self.owner == owner::token()).then_some(self.permit)
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Success,
    /// It failed.
    Failure,
    /// It says nothing about the service (rule R10).
    Ignored,
}

impl Slot {
    fn located(table: Arc<Table>, name: &str, claim: bool) -> Option<Self> {
        table.locate(name, claim).map(|index| Self { table, index, overflowed: false })
    }

    /// Whether the fuse lives in this process alone because the store's table was full.
    #[must_use]
    pub const fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// The fuse.
    #[must_use]
    pub fn fuse(&self) -> Fuse<'_> {
        self.table.fuse(self.index)
    }

    /// Its lines of counters, one of them this process's.
    #[must_use]
    pub fn stripes(&self) -> &[Stripe] {
        self.table.stripes(self.index)
    }

    /// The name, if it stands there whole.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.table.name(self.index)
    }

    /// Microseconds on the table's clock.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.table.clock().now_us()
    }

    /// Entries in its failure log.
    #[must_use]
    pub fn log_len(&self) -> usize {
        self.table.geometry().log_len()
    }

    fn add(&self, counter: Counter) {
        self.stripes()[owner::stripe()].add(counter);
    }

    /// Asks to make a call, and counts the answer.
    #[must_use]
    pub fn admit(&self, policy: &Policy) -> Admission {
        let admission = self.fuse().admit(policy, self.now_us());
        match &admission.verdict {
            Ok(Permit { lease: Some(_), .. }) => self.add(Counter::Probes),
            Ok(_) => {}
            Err(_) => self.add(Counter::Rejections),
        }
        admission
    }

    /// Reports how a call ended, and counts it.
    pub fn settle(&self, policy: &Policy, ticket: &Ticket, outcome: Outcome) -> Effect {
        let (fuse, now_us) = (self.fuse(), self.now_us());
        let effect = match (ticket.valid(), outcome) {
            (None, _) => Effect::Late,
            (Some(permit), Outcome::Success) => fuse.succeeded(policy, permit, now_us),
            (Some(permit), Outcome::Failure) => fuse.failed(policy, permit, now_us),
            (Some(permit), Outcome::Ignored) => fuse.released(permit),
        };
        self.add(match outcome {
            Outcome::Success => Counter::Successes,
            Outcome::Failure => Counter::Failures,
            Outcome::Ignored => Counter::Ignored,
        });
        match effect {
            Effect::Late => self.add(Counter::Late),
            Effect::Changed(transition) if transition.to == State::Open => self.add(Counter::Trips),
            Effect::Changed(_) => self.add(Counter::Closes),
            Effect::Counted => {}
        }
        effect
    }
}
