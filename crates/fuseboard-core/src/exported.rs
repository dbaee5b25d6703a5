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
pub struct Telling {
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

    /// The totals that `read` reads, and what of them was counted since the last telling. Where more was told than there is, the
    /// counters were reset, or are another tenant's, and the telling begins anew.
    ///
    /// The totals are read behind what was told: so they are no less than what an exporter told who has read them before, even
    /// where two export at once because one was stopped and goes on.
    #[must_use]
    pub fn since(&self, read: impl FnOnce() -> [u64; EXPORTED]) -> Telling {
        // Acquire: behind this the counters show at least what the exporter that noted it had read.
        let told: [u64; EXPORTED] = std::array::from_fn(|i| self.0[i].load(Ordering::Acquire));
        let totals = read();
        let fresh = std::array::from_fn(|i| {
            if told[i] > totals[i] {
                // Lost only to another exporter.
                _ = self.0[i].compare_exchange(told[i], 0, Ordering::AcqRel, Ordering::Relaxed);
                return totals[i];
            }
            totals[i] - told[i]
        });
        Telling { totals, fresh }
    }

    /// Notes that these totals were told.
    pub fn note(&self, totals: &[u64; EXPORTED]) {
        for (told, total) in self.0.iter().zip(totals).filter(|(_, total)| **total > 0) {
            told.fetch_max(*total, Ordering::AcqRel);
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

    fn since(exported: &Exported, totals: [u64; EXPORTED]) -> [u64; EXPORTED] {
        exported.since(|| totals).fresh
    }

    #[test]
    fn the_next_exporter_goes_on_where_the_last_one_ended() {
        let exported = Exported::new();
        assert_eq!(totals(5, 1), since(&exported, totals(5, 1)));
        exported.note(&totals(5, 1));
        assert_eq!(totals(2, 0), since(&exported, totals(7, 1)));
        exported.note(&totals(7, 1));
        exported.note(&totals(5, 1));
        assert_eq!(totals(1, 1), since(&exported, totals(8, 2)), "a late exporter takes nothing back");
    }

    /// After a reset, and whatever damage left, each count is told once more from then on.
    #[test]
    fn counters_that_began_anew_are_told_anew() {
        let exported = Exported::new();
        exported.note(&totals(u64::MAX, 3));
        assert_eq!(totals(2, 1), since(&exported, totals(2, 4)));
        exported.note(&totals(2, 4));
        assert_eq!(totals(1, 0), since(&exported, totals(3, 4)));
    }
}
