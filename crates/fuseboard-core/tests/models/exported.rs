//! What exporters tell: two of them at once, because one was stopped, and calls that are counted meanwhile.

use std::sync::Arc;

use crate::common::{job, model, race};
use fuseboard_core::counters::{COUNTERS, Counter, Stripe, totals};
use fuseboard_core::exported::{EXPORTED, Exported};

/// A fuse's counters beside what was told of them.
struct Journaled {
    exported: Exported,
    stripes: [Stripe; 1],
}

impl Journaled {
    fn counted(calls: u64) -> Arc<Self> {
        let this = Self { exported: Exported::new(), stripes: [Stripe::new()] };
        (0..calls).for_each(|_| this.stripes[0].add(Counter::Failures));
        Arc::new(this)
    }

    fn totals(&self) -> [u64; EXPORTED] {
        let mut all = [0; EXPORTED];
        all[..COUNTERS].copy_from_slice(&totals(&self.stripes));
        all
    }

    /// What an exporter tells of failures, and up to which total; it has noted it.
    fn tell(&self) -> [u64; 2] {
        let delta = self.exported.since(|| self.totals());
        self.exported.note(&delta);
        [delta.fresh, delta.totals].map(|counts| counts[Counter::Failures as usize])
    }
}

/// An exporter that was stopped and goes on beside the next one may tell again what that tells. It makes nobody tell again what was
/// told before, and nothing is left out.
#[test]
fn two_exporters_tell_each_count_and_nothing_older_again() {
    model(|| {
        let told = Journaled::counted(2);
        assert_eq!([2, 2], told.tell());
        let count = job(|told: &Journaled| {
            (0..2).for_each(|_| told.stripes[0].add(Counter::Failures));
            [0, 2]
        });
        let each = race(&told, [count, job(Journaled::tell), job(Journaled::tell)]);
        assert!(each.iter().all(|[fresh, _]| *fresh <= 2), "{each:?}: what was told before is told again");
        let furthest = each.iter().map(|[_, total]| *total).max().expect("three");
        assert_eq!([[4 - furthest, 4], [0, 4]], [told.tell(), told.tell()], "{each:?}");
    });
}
