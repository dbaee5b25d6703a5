//! What the last exporter of metrics had told of a fuse: so that the next one goes on where its export ended.
//!
//! One process of the host exports at a time ([`crate::leader`]). A total only grows, so what is exported only grows as well: an
//! exporter that was stopped for long and then writes down what it told takes back nothing that a later one told.

use crate::counters::COUNTERS;
use crate::sync::{AtomicU64, Ordering};

/// What is exported of a fuse: its counters, and its slow calls.
pub const EXPORTED: usize = COUNTERS + 1;

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

    /// What was counted since the last telling, by totals that were just read. For the exporter alone: where more was told than
    /// there is, the counters were reset, or are another tenant's, and the telling begins anew.
    #[must_use]
    pub fn since(&self, totals: &[u64; EXPORTED]) -> [u64; EXPORTED] {
        std::array::from_fn(|i| {
            let told = self.0[i].load(Ordering::Acquire);
            if told > totals[i] {
                // Lost only to another exporter.
                _ = self.0[i].compare_exchange(told, 0, Ordering::AcqRel, Ordering::Relaxed);
                return totals[i];
            }
            totals[i] - told
        })
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

    #[test]
    fn the_next_exporter_goes_on_where_the_last_one_ended() {
        let exported = Exported::new();
        assert_eq!(totals(5, 1), exported.since(&totals(5, 1)));
        exported.note(&totals(5, 1));
        assert_eq!(totals(2, 0), exported.since(&totals(7, 1)));
        exported.note(&totals(7, 1));
        exported.note(&totals(5, 1));
        assert_eq!(totals(1, 1), exported.since(&totals(8, 2)), "a late exporter takes nothing back");
    }

    /// After a reset, and whatever damage left, each count is told once more from then on.
    #[test]
    fn counters_that_began_anew_are_told_anew() {
        let exported = Exported::new();
        exported.note(&totals(u64::MAX, 3));
        assert_eq!(totals(2, 1), exported.since(&totals(2, 4)));
        exported.note(&totals(2, 4));
        assert_eq!(totals(1, 0), exported.since(&totals(3, 4)));
    }
}
