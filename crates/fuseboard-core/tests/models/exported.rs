//! What exporters tell: two of them at once, because one was stopped, and calls that are counted meanwhile.

use std::sync::Arc;

use crate::common::{job, model, race};
use fuseboard_core::counters::{COUNTERS, Counter, Stripe, totals};
use fuseboard_core::exported::{EXPORTED, Exported};

/// A fuse's counters beside what was told of them.
struct Told {
    exported: Exported,
    stripes: [Stripe; 1],
}

impl Told {
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

    /// What an exporter tells of failures, and has noted.
    fn tell(&self) -> u64 {
        let telling = self.exported.since(|| self.totals());
        self.exported.note(&telling.totals);
        telling.fresh[Counter::Failures as usize]
    }
}

/// An exporter that was stopped and goes on beside the next one may tell again what that tells. It makes nobody tell again what was
/// told before, and nothing is left out.
#[test]
fn two_exporters_tell_each_count_and_nothing_older_again() {
    model(|| {
        let told = Told::counted(2);
        assert_eq!(2, told.tell());
        let count = job(|told: &Told| {
            told.stripes[0].add(Counter::Failures);
            0
        });
        let [_, one, other] = race(&told, [count, job(Told::tell), job(Told::tell)]);
        assert!(one <= 1 && other <= 1, "{one} {other}: what was told before is told again");
        let rest = u64::from(one + other == 0);
        assert_eq!([rest, 0], [told.tell(), told.tell()], "one call was counted; {one} {other}");
    });
}
