//! What the exporters of metrics have exported of a fuse, so that the next exporter goes on where the last one ended.
//!
//! One process of the host exports at a time ([`crate::leader`]). Totals only grow, and what stands here only grows
//! too. So an exporter that was stopped for long, and then notes what it exported, takes back nothing that a later one
//! exported.

use crate::counters::COUNTERS;
use crate::sync::{AtomicU64, Ordering};

/// What is exported of a fuse: its counters, and its slow calls.
pub const EXPORTED: usize = COUNTERS + 1;

/// What is exported of a fuse at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportDelta {
    /// What was exported before.
    before: [u64; EXPORTED],
    /// All that was counted: what is noted once it is exported.
    pub totals: [u64; EXPORTED],
    /// What of it was not exported before.
    pub fresh: [u64; EXPORTED],
}

/// A slot's totals as they were last exported. Any bytes are valid; zeroes mean that nothing was exported.
#[repr(transparent)]
#[derive(Debug)]
pub struct Exported([AtomicU64; EXPORTED]);

impl Exported {
    /// Nothing exported.
    #[must_use]
    pub fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// The totals that `read` reads, and what was counted since the last export. If more was exported than there is,
    /// the counters were reset or belong to another claim, and the export begins anew.
    ///
    /// The totals are read after what was exported. So they are no less than what an earlier exporter read, even if two
    /// export at once because one was stopped and goes on.
    #[must_use]
    pub fn since(&self, read: impl FnOnce() -> [u64; EXPORTED]) -> ExportDelta {
        // Acquire: after this the counters show at least what the exporter that noted it had read.
        let mut before: [u64; EXPORTED] = std::array::from_fn(|i| self.0[i].load(Ordering::Acquire));
        let totals = read();
        for ((word, before), total) in self.0.iter().zip(&mut before).zip(totals) {
            if *before > total {
                // Fails only if another exporter did the same.
                _ = word.compare_exchange(*before, 0, Ordering::AcqRel, Ordering::Relaxed);
                *before = 0;
            }
        }
        ExportDelta { before, totals, fresh: std::array::from_fn(|i| totals[i] - before[i]) }
    }

    /// Notes that this was exported. A counter that stands lower by now than before this export has begun anew since,
    /// and nothing is noted for it. (If it was exported for the first time, that cannot be seen.)
    pub fn note(&self, delta: &ExportDelta) {
        let words = self.0.iter().zip(delta.before).zip(delta.totals);
        for ((word, before), total) in words.filter(|((_, before), total)| before < total) {
            let mut exported = word.load(Ordering::Acquire);
            while (before..total).contains(&exported) {
                // AcqRel: a process that reads this total reads counters that are no older.
                match word.compare_exchange(exported, total, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => break,
                    Err(now) => exported = now,
                }
            }
        }
    }

    /// Sets what was exported to 0. `may` is asked after each word was read; what it refuses stays.
    pub(crate) fn clear_if(&self, may: impl Fn() -> bool) {
        self.0.iter().for_each(|word| word.clear_if(&may));
    }
}

impl Default for Exported {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;

    fn totals(first: u64, last: u64) -> [u64; EXPORTED] {
        let mut totals = [0; EXPORTED];
        (totals[0], totals[EXPORTED - 1]) = (first, last);
        totals
    }

    /// Exports all, with success; what was exported.
    fn export(exported: &Exported, totals: [u64; EXPORTED]) -> [u64; EXPORTED] {
        let delta = exported.since(|| totals);
        exported.note(&delta);
        delta.fresh
    }

    #[test]
    fn the_next_exporter_goes_on_where_the_last_one_ended() {
        let exported = Exported::new();
        let late = exported.since(|| totals(5, 1));
        assert_eq!(totals(5, 1), late.fresh);
        assert_eq!(totals(6, 1), export(&exported, totals(6, 1)), "nobody has noted the export");
        exported.note(&late);
        assert_eq!(totals(2, 1), export(&exported, totals(8, 2)), "a late exporter takes nothing back");
    }

    /// After a reset, and whatever damage left, each count is exported from the beginning.
    #[test]
    fn counters_that_began_anew_are_exported_anew() {
        let exported = Exported::new();
        assert_eq!(totals(u64::MAX, 3), export(&exported, totals(u64::MAX, 3)));
        assert_eq!(totals(2, 1), export(&exported, totals(2, 4)));
        assert_eq!(totals(1, 0), export(&exported, totals(3, 4)));
    }

    /// An exporter that notes late what it exported before a reset takes nothing from what is counted after it.
    #[test]
    fn an_export_of_old_counters_is_not_noted_for_new_ones() {
        let exported = Exported::new();
        assert_eq!(totals(3, 1), export(&exported, totals(3, 1)));
        let late = exported.since(|| totals(5, 2));
        exported.clear_if(|| true);
        exported.note(&late);
        assert_eq!(totals(9, 9), export(&exported, totals(9, 9)));
    }
}
