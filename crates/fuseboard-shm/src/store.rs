//! A store: a table, and tables of this process alone for fuses that do not fit into it (rule T12).

use std::sync::Arc;

use fuseboard_core::counters::{COUNTERS, Stripe, totals};
use fuseboard_core::directory::SlotClaim;
use fuseboard_core::exported::{EXPORTED, ExportDelta, Exported};
use fuseboard_core::fuse::Fuse;
use fuseboard_core::layout::Geometry;
use fuseboard_core::overrides::Override;
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::transition::Cause;
use fuseboard_core::transition::Transition;
use fuseboard_core::word::Word;

use crate::chain::Chain;
use crate::handle::Handle;
use crate::journal_cursor::JournalCursor;
use crate::table::Table;

/// Slots of an overflow table. There are as many such tables as it takes.
const OVERFLOW_SLOTS: usize = 1024;

/// How often a full table is searched for idle fuses, in microseconds.
const LOOK_US: u64 = 1_000_000;

/// A table and its overflow. A clone is the same store.
#[derive(Clone, Debug)]
pub struct Store {
    table: Arc<Table>,
    /// Tables of this process for fuses that found the main table full.
    overflow: Arc<Chain<Arc<Table>>>,
    /// When the full table was last searched for idle fuses.
    looked_us: Arc<AtomicU64>,
}

impl Store {
    /// A store on a table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table: Arc::new(table), overflow: Arc::default(), looked_us: Arc::new(AtomicU64::new(0)) }
    }

    /// The main table.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Leaves this store for `next`. Calls under way end here, and counts stay here. Manual overrides are carried over,
    /// unless the fuse in `next` has one or somebody has changed it by hand since. Returns the slots and transitions of
    /// these overrides.
    ///
    /// Breakers of this process move at their next call. If this is a host's table, its idle fuses are removed.
    /// Breakers notice that at once, also those of other processes, which learn of the new table in no other way.
    #[must_use]
    pub fn leave_for(&self, next: &Self) -> Vec<(Slot, Transition)> {
        self.table.leave();
        let overrides = self.slots().into_iter().filter_map(|slot| slot.carry_over(next)).collect();
        if self.table.path().is_some() {
            self.slots().iter().for_each(|slot| _ = slot.remove());
        }
        overrides
    }

    /// The slot of a name, if it has one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Slot> {
        Slot::located(&self.table, name, false, false).or_else(|| self.find_overflowed(name))
    }

    fn find_overflowed(&self, name: &str) -> Option<Slot> {
        self.overflow.iter().find_map(|table| Slot::located(table, name, false, true))
    }

    /// The fuse word of a name, and its slot; `None` if the name has no slot, or has just lost it.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<(usize, Word)> {
        let Some(claim) = self.table.claim(name, false) else {
            let slot = self.find_overflowed(name)?;
            return Some((slot.claim.slot, slot.fuse().mine()?));
        };
        Some((claim.slot, self.table.word(claim)?))
    }

    /// The slot of a name; takes one if the name has none. If the store's table is full, the slot is in a table of this
    /// process's own; `None` only if there is no memory for that either. Once there is room again, a fuse that
    /// overflowed moves into the store's table when it is idle.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<Slot> {
        let known = self.find_overflowed(name);
        if known.as_ref().is_some_and(|slot| !slot.is_idle()) && self.table.locate(name, false).is_none() {
            return known;
        }
        if let Some(slot) = Slot::located(&self.table, name, true, false) {
            // The overflowed fuse is idle and goes, unless somebody called at this moment.
            _ = known.is_some_and(|overflowed| overflowed.remove());
            return Some(slot);
        }
        self.take_back(name);
        known.or_else(|| self.overflow_with(name))
    }

    /// The slot of a name for which the table is full.
    fn overflow_with(&self, name: &str) -> Option<Slot> {
        loop {
            let seen = self.overflow.iter().count();
            if let Some(slot) = self.find_overflowed(name) {
                return Some(slot);
            }
            let claimed = self.overflow.iter().find_map(|table| Slot::located(table, name, true, true));
            let Some(claimed) = claimed else {
                self.add_overflow(seen)?;
                continue;
            };
            // Two threads may claim the name in two tables, if one of the tables has just got room again. Then both
            // give their slots back and start again. A thread that claims later sees the other's claim.
            let has_name = |table: &&Arc<Table>| table.locate(name, false).is_some();
            if self.overflow.iter().filter(has_name).nth(1).is_none() {
                return Some(claimed);
            }
            _ = claimed.remove();
        }
    }

    /// Adds an overflow table, unless another thread has added one to those `seen`. `None` if there is no memory for
    /// it.
    fn add_overflow(&self, seen: usize) -> Option<()> {
        // No larger than needed: this process may not have the memory for a second table like the store's.
        let geometry = self.table.geometry();
        let geometry = Geometry::of(geometry.slots().min(OVERFLOW_SLOTS), geometry.log_len())?;
        let table = Table::private(geometry, self.table.clock().clone()).ok()?.watched_by(self.table.watch());
        _ = self.overflow.add_behind(seen, Arc::new(table));
        Some(())
    }

    /// Removes the fuse of a name, if it is idle (rule R28); says whether it did.
    #[must_use]
    pub fn remove(&self, name: &str) -> bool {
        self.find(name).is_some_and(|slot| slot.remove())
    }

    /// Removes fuses that have done nothing for a while from the slots that a name could have. Not at each call,
    /// because the search is long and each call of an overflowed name would make it.
    fn take_back(&self, name: &str) {
        let (now_us, last_us) = (self.table.clock().now_us(), self.looked_us.load(Ordering::Relaxed));
        let is_time = now_us.abs_diff(last_us) >= LOOK_US;
        if is_time && self.looked_us.compare_exchange(last_us, now_us, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.table.take_back(name);
        }
    }

    /// How many fuses live in this process alone because the table was full.
    #[must_use]
    pub fn overflowed(&self) -> usize {
        self.overflow.iter().map(|table| table.taken().count()).sum()
    }

    /// Every slot that is taken, of all tables.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        let mut slots = Slot::all(&self.table, false);
        for table in self.overflow.iter() {
            slots.extend(Slot::all(table, true));
        }
        slots
    }

    /// The tables for what overflowed.
    pub fn overflow(&self) -> impl Iterator<Item = &Table> {
        self.overflow.iter().map(|table| &**table)
    }

    /// Closes and forgets every fuse; their counters begin again at 0. It mends what damage left.
    pub fn forget_all(&self) {
        self.forget_all_with(|_, _, _| ());
    }

    /// The same; `made` gets each transition, with its table and slot.
    pub fn forget_all_with(&self, mut made: impl FnMut(&Table, usize, Transition)) {
        self.table.forget_all(&mut made);
        self.overflow().for_each(|table| table.forget_all(&mut made));
    }
}

/// The slot of a name. It keeps the slot's table mapped.
#[derive(Clone, Debug)]
pub struct Slot {
    table: Arc<Table>,
    claim: SlotClaim,
    overflowed: bool,
}

impl Slot {
    fn located(table: &Arc<Table>, name: &str, claim: bool, overflowed: bool) -> Option<Self> {
        let claim = table.claim(name, claim)?;
        Some(Self { table: Arc::clone(table), claim, overflowed })
    }

    fn all(table: &Arc<Table>, overflowed: bool) -> Vec<Self> {
        table.claims().map(|claim| Self { table: Arc::clone(table), claim, overflowed }).collect()
    }

    /// Whether the fuse lives in this process alone because the store's table was full.
    #[must_use]
    pub const fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// A handle on the slot.
    #[must_use]
    pub fn pin(&self) -> Handle {
        Handle::new(Arc::clone(&self.table), self.claim, self.overflowed)
    }

    /// The fuse. Once it is removed, operations on it do nothing.
    #[must_use]
    pub fn fuse(&self) -> Fuse<'_> {
        self.table.fuse_of(self.claim)
    }

    /// Whether the fuse has not been removed.
    #[must_use]
    pub fn is_mine(&self) -> bool {
        self.fuse().mine().is_some()
    }

    /// Applies a manual override, and writes it down; `None` if the fuse was removed.
    #[must_use]
    pub fn apply_override(&self, manual: &Override<'_>) -> Option<Transition> {
        self.table.apply_override(self.claim, manual)
    }

    /// Who made the manual override of a generation, and why; `None` for what is not known.
    #[must_use]
    pub fn override_note(&self, generation: u64) -> [Option<String>; 2] {
        self.table.override_note(self.claim.slot, generation)
    }

    /// Applies this fuse's manual override in another store, for the time that is left, unless somebody has changed the
    /// fuse there by hand.
    fn carry_over(&self, to: &Store) -> Option<(Self, Transition)> {
        let word = self.fuse().mine().filter(|word| word.state().is_overridden())?;
        let (name, [who, why]) = (self.name()?, self.override_note(word.generation()));
        loop {
            let until_us = self.fuse().until_us(word);
            let for_us = until_us.map(|until_us| until_us.saturating_sub(self.now_us()));
            if for_us == Some(0) {
                return None;
            }
            let slot = to.resolve(&name)?;
            if slot.fuse().word().state().is_overridden() || slot.was_commanded_since(word.generation()) {
                return None;
            }
            let (who, why) = (who.as_deref().unwrap_or_default(), why.as_deref().unwrap_or_default());
            let manual = Override { state: word.state(), for_us: for_us.unwrap_or(0), who, why };
            // `None` if the fuse was removed at this moment.
            if let Some(made) = slot.apply_override(&manual) {
                return Some((slot, made));
            }
        }
    }

    /// Whether the journal has a manual override of this fuse, or its end by hand, after this moment.
    fn was_commanded_since(&self, us: u64) -> bool {
        let is_command = |cause| matches!(cause, Cause::Manual | Cause::ResetAll);
        let records = JournalCursor::from_oldest(&self.table).read_all(&self.table);
        records.iter().any(|it| it.slot as usize == self.claim.slot && it.generation > us && is_command(it.cause))
    }

    fn is_idle(&self) -> bool {
        self.fuse().is_idle_now(self.now_us())
    }

    /// Removes it, if it is idle; says whether it did.
    #[must_use]
    pub fn remove(&self) -> bool {
        self.table.remove(self.claim)
    }

    /// Its lines of counters, one of them this process's.
    #[must_use]
    pub fn stripes(&self) -> &[Stripe] {
        self.table.stripes(self.claim.slot)
    }

    /// What was counted and not yet exported, if anything; `None` if the fuse was removed.
    #[must_use]
    pub fn unexported(&self) -> Option<ExportDelta> {
        let delta = self.exported().since(|| self.totals());
        // Asked after the reading: otherwise it may belong to the next claim.
        Some(delta).filter(|delta| delta.fresh != [0; EXPORTED] && self.is_mine())
    }

    /// Notes that what [`Self::unexported`] returned was exported, unless the counters have begun anew since.
    pub fn note_exported(&self, delta: &ExportDelta) {
        let goes_on = self.totals().iter().zip(delta.totals).all(|(now, exported)| *now >= exported);
        if goes_on && self.is_mine() {
            self.exported().note(delta);
        }
    }

    fn exported(&self) -> &Exported {
        self.table.exported_of(self.claim.slot)
    }

    /// All that was counted of the fuse, in the form in which it is exported.
    fn totals(&self) -> [u64; EXPORTED] {
        let mut all = [0; EXPORTED];
        all[..COUNTERS].copy_from_slice(&totals(self.stripes()));
        all[COUNTERS] = self.fuse().read().slow;
        all
    }

    /// The name, if it is there whole.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.table.name_of(self.claim)
    }

    /// The module that made the fuse, if it is known.
    #[must_use]
    pub fn maker(&self) -> Option<String> {
        self.table.maker(self.claim)
    }

    /// Microseconds on the table's clock.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.table.clock().now_us()
    }
}
