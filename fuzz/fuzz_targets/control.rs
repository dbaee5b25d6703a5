//! The control: three faults that the fuzzer must find, or what it does not find elsewhere means nothing.
//!
//! `$FUSEBOARD_FUZZ_FAULT` chooses one: `length` (a name's length from the file, not brought into range), `loop` (a retry
//! that a damaged word never ends), `reset` (a reset that leaves a failure in the window).
#![no_main]

use std::sync::LazyLock;

use fuseboard_core::state::State;
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::word::Word;
use fuseboard_fuzz::checks::entry::table_bytes;
use fuseboard_fuzz::checks::file::Raw;
use fuseboard_fuzz::checks::steps::bounded;

static FAULT: LazyLock<String> = LazyLock::new(|| std::env::var("FUSEBOARD_FUZZ_FAULT").unwrap_or_default());

/// The bytes of a name, by the length that stands before them.
fn unchecked_length(name: &[AtomicU64]) -> usize {
    let bytes: Vec<_> = name.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect();
    bytes[1..=usize::from(bytes[0])].len()
}

/// Waits until a damaged fuse that is open and dirty is something else, by a swap that puts the same in its place.
fn endless_retry(word: &AtomicU64) {
    loop {
        let seen = word.load(Ordering::Acquire);
        if Word(seen).state() != State::Open || !Word(seen).is_dirty() {
            return;
        }
        _ = word.compare_exchange(seen, seen, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// A reset that forgets the state and not the window.
fn half_a_reset(word: &AtomicU64) {
    word.store(word.load(Ordering::Relaxed) & !0b111, Ordering::Release);
    assert!(!Word(word.load(Ordering::Relaxed)).is_dirty(), "a fuse never seen has no failures");
}

fn commit(fault: &str, raw: &Raw) {
    for slot in 0..raw.geometry().slots() {
        match fault {
            "length" => _ = unchecked_length(raw.name(slot)),
            "loop" => bounded(64, || endless_retry(&raw.cell(slot)[0])),
            "reset" => half_a_reset(&raw.cell(slot)[0]),
            other => panic!("FUSEBOARD_FUZZ_FAULT is {other:?}, not length, loop or reset"),
        }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuseboard_fuzz::on_bed(|bed, tables| {
        tables[0].lay_over(bytes);
        commit(&FAULT, &tables[0]);
        table_bytes(bed, tables, bytes);
    });
});
