//! What the last exporter of metrics had told of a fuse: so that the next one goes on where its export ended.
//!
//! One process of the host exports at a time ([`crate::leader`]). A total only grows, so what is exported only grows as well: an
//! exporter that was stopped for long and then writes down what it told takes back nothing that a later one told.

use crate::counters::COUNTERS;
use crate::sync::{AtomicU64, Ordering};

/// What is exported of a fuse: its counters, and its slow calls.
pub const EXPORTED: usize = COUNTERS + 1;

/// What is told of a fuse at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportDelta {
    /// Up to where it was told before.
    told: [u64; EXPORTED],
    /// All that was counted: what is noted once it is told.
    pub totals: [u64; EXPORTED],
    /// What of it was not told before.
    pub fresh: [u64; EXPORTED],
}

/// A slot's totals as they were last told. Any bytes are valid ones; zeroes are nothing told.
#[repr(transparent)]
#[derive(Debug)]
pub struct Exported([AtomicU64; EXPORTED]);

impl Exported {
    /// Nothing told.
    #[must_use]
    pub fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// The totals that `read` reads, and what of them was counted since the last delta. Where more was told than there is, the
    /// counters were reset, or are another claim's, and the delta begins anew.
    ///
    /// The totals are read behind what was told: so they are no less than what an exporter told who has read them before, even
    /// where two export at once because one was stopped and goes on.
    #[must_use]
    pub fn since(&self, read: impl FnOnce() -> [u64; EXPORTED]) -> ExportDelta {
        // Acquire: behind this the counters show at least what the exporter that noted it had read.
        let mut told: [u64; EXPORTED] = std::array::from_fn(|i| self.0[i].load(Ordering::Acquire));
        let totals = read();
        for ((word, told), total) in self.0.iter().zip(&mut told).zip(totals) {
            if *told > total {
                // Lost only to another exporter.
                _ = word.compare_exchange(*told, 0, Ordering::AcqRel, Ordering::Relaxed);
                *told = 0;
            }
        }
        ExportDelta { told, totals, fresh: std::array::from_fn(|i| totals[i] - told[i]) }
    }

    /// Notes that this was told. Where less was told by now than before it, the counters have begun anew since, and it is of the
    /// old ones; that is not seen of what was told for the first time.
    pub fn note(&self, delta: &ExportDelta) {
        let words = self.0.iter().zip(delta.told).zip(delta.totals);
        for ((word, before), total) in words.filter(|((_, before), total)| before < total) {
            let mut told = word.load(Ordering::Acquire);
            while (before..total).contains(&told) {
                // AcqRel: whoever reads this reads counters that are no older.
                match word.compare_exchange(told, total, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => break,
                    Err(now) => told = now,
                }
            }
        }
    }

    /// Takes away each that `may` says, behind a look at it, may be taken away.
    pub(crate) fn clear_if(&self, may: impl Fn() -> bool) {
        self.0.iter().for_each(|told| told.clear_if(&may));
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

    /// Tells all, with success; what was told.
    fn tell(exported: &Exported, totals: [u64; EXPORTED]) -> [u64; EXPORTED] {
        let delta = exported.since(|| totals);
        exported.note(&delta);
        delta.fresh
    }

    #[test]
    fn the_next_exporter_goes_on_where_the_last_one_ended() {
        let exported = Exported::new();
        let late = exported.since(|| totals(5, 1));
        assert_eq!(totals(5, 1), late.fresh);
        assert_eq!(totals(6, 1), tell(&exported, totals(6, 1)), "nobody has noted that it was told");
        exported.note(&late);
        assert_eq!(totals(2, 1), tell(&exported, totals(8, 2)), "a late exporter takes nothing back");
    }

    /// After a reset, and whatever damage left, each count is told once more from then on.
    #[test]
    fn counters_that_began_anew_are_told_anew() {
        let exported = Exported::new();
        assert_eq!(totals(u64::MAX, 3), tell(&exported, totals(u64::MAX, 3)));
        assert_eq!(totals(2, 1), tell(&exported, totals(2, 4)));
        assert_eq!(totals(1, 0), tell(&exported, totals(3, 4)));
    }

    /// An exporter that says late what it told before a reset takes nothing from what is counted behind it.
    #[test]
    fn what_was_told_of_old_counters_is_not_noted_of_new_ones() {
        let exported = Exported::new();
        assert_eq!(totals(3, 1), tell(&exported, totals(3, 1)));
        let late = exported.since(|| totals(5, 2));
        exported.clear_if(|| true);
        exported.note(&late);
        assert_eq!(totals(9, 9), tell(&exported, totals(9, 9)));
    }
}
