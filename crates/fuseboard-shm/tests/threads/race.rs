//! Control for `make tsan`, built only there: a race on purpose, which ThreadSanitizer must report.

use fuseboard_core::fuse::{Cell, Fuse};
use fuseboard_core::sync::AtomicU64;

use crate::{NERVOUS, at_once};

/// A fuse word that is written plainly, beside calls that ask to pass.
#[test]
#[ignore = "a race on purpose: `make tsan` runs it and expects a report"]
fn a_plain_write_beside_the_protocol_is_reported() {
    let cell = Cell::new();
    let log: Vec<_> = (0..4).map(|_| AtomicU64::new(0)).collect();
    at_once(|number| {
        for step in 0..1_000 {
            if number == 0 {
                // SAFETY: none. The word is aligned and lives long enough, but others read it at this moment: this is the
                // fault that must be found.
                unsafe { (&raw const cell.word).cast_mut().cast::<u64>().write_volatile(step << 16 | 1) };
            } else {
                _ = Fuse::new(&cell, &log).admit(&NERVOUS, step).verdict;
            }
        }
    });
}
