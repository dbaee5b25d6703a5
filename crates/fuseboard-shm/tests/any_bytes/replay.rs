//! The checks of `fuzz/` on random strings that depend on a seed alone. `ANY_BYTES_CASES` sets how many, `ANY_BYTES_SEED` the
//! first of them.

use std::cell::Cell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_shm::clock::{Clock, ManualClock};

use crate::checks::entry::{LOOK_AT, core_words, open_bytes, table_bytes, tables};
use crate::checks::file::Bed;
use crate::checks::input::Random;
use crate::checks::journal::a_forged_record_is_read;
use crate::checks::words::NOW;
use crate::child;
use crate::watchdog::{HUNG, Watchdog};

/// A folder for this process's tables, in shared memory where there is any.
pub fn bed(name: &str) -> Bed {
    let shm = PathBuf::from("/dev/shm");
    let usual = if shm.is_dir() { shm } else { std::env::temp_dir() };
    // The control's own, who clears up behind a test that its watchdog ended.
    Bed::new(&std::env::var_os("FUSEBOARD_FUZZ_DIR").map_or(usual, PathBuf::from), name)
}

/// A number from the environment.
pub fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn seeds(cases: u64) -> Range<u64> {
    let first = number("ANY_BYTES_SEED", 1);
    first..first + number("ANY_BYTES_CASES", cases)
}

/// Runs `check` with the string of each seed. `Err` with the first seed that it panics on.
fn replay(seeds: Range<u64>, mut watchdog: Watchdog, check: impl Fn(&mut Random)) -> Result<(), u64> {
    for seed in seeds {
        watchdog.about_to(format!("seed {seed}"));
        if catch_unwind(AssertUnwindSafe(|| check(&mut Random(seed)))).is_err() {
            eprintln!("again with ANY_BYTES_SEED={seed} ANY_BYTES_CASES=1");
            return Err(seed);
        }
    }
    Ok(())
}

/// A string of up to `most` bytes.
fn string(random: &mut Random, most: usize) -> Vec<u8> {
    let len = random.below(most);
    random.bytes(len)
}

/// T10: any words are a fuse; no answer of any operation leaves its range, and a reset makes it sound.
#[test]
fn any_words_are_a_fuse() {
    let (sound, cases) = (Cell::new(0), 6_000);
    let check = |random: &mut Random| sound.set(sound.get() + u64::from(core_words(&string(random, 600))));
    assert_eq!(Ok(()), replay(seeds(cases), Watchdog::new(), check));
    if number("ANY_BYTES_CASES", cases) == cases {
        assert!(sound.get() > cases / 4, "only {} of {cases} could be looked at after a reset", sound.get());
    }
}

/// T10: any bytes behind a sound header are a table; the whole contract runs on it, and a reset makes it sound.
#[test]
fn any_bytes_behind_a_header_are_a_table() {
    let bed = bed("replay-table");
    let (tables, sound, cases) = (tables(&bed), Cell::new(0), 2_000);
    let check =
        |random: &mut Random| sound.set(sound.get() + table_bytes(&bed, &tables, &string(random, 6_000)) as u64);
    assert_eq!(Ok(()), replay(seeds(cases), Watchdog::new(), check));
    if number("ANY_BYTES_CASES", cases) == cases {
        let all = LOOK_AT as u64 * cases;
        assert!(sound.get() > all / 2, "only {} of {all} fuses could be looked at after a reset", sound.get());
    }
}

/// T10: a record that damage wrote with a check word that fits is read, each field in its range; what the checks forge in
/// the tables above is so no noise.
#[test]
fn a_forged_record_is_read_as_the_format_says() {
    let bed = bed("replay-forged");
    let raw = &tables(&bed)[1];
    let table = bed.open("table1", Clock::Manual(Arc::new(ManualClock::new(NOW)))).expect("a sound header");
    let check = |random: &mut Random| a_forged_record_is_read(raw, &table, &string(random, 64), NOW);
    assert_eq!(Ok(()), replay(seeds(1_000), Watchdog::new(), check));
}

/// A header that is sound, or but for a word or two, before random bytes.
fn nearly_a_table(random: &mut Random) -> Vec<u8> {
    let own = if random.below(2) == 0 { 0 } else { 1 << random.below(6) | 1 << random.below(6) };
    let mut bytes = vec![random.word() as u8, own, 40, 0];
    let header = [0, 0, 0, random.word() >> random.below(64), random.word() >> random.below(64)];
    bytes.extend(random.bytes(40));
    bytes.extend(header.iter().flat_map(|word| word.to_le_bytes()));
    let behind = random.below(3_000);
    bytes.extend(random.bytes(32 + behind));
    bytes
}

/// T10: any bytes as a file are an error of the right kind, or a table on which the contract runs.
#[test]
fn any_file_is_an_error_or_a_table() {
    let bed = bed("replay-open");
    let (tables, cases) = (Cell::new(0), 1_500);
    let check = |random: &mut Random| {
        let bytes = if random.below(8) == 0 { string(random, 6_000) } else { nearly_a_table(random) };
        tables.set(tables.get() + u64::from(open_bytes(&bed, &bytes)));
    };
    assert_eq!(Ok(()), replay(seeds(cases), Watchdog::new(), check));
    if number("ANY_BYTES_CASES", cases) == cases {
        assert!((cases / 20..cases).contains(&tables.get()), "{} tables of {cases} files", tables.get());
    }
}

/// Control: a length that is read from a name and not brought into range is noticed, with the seed.
#[test]
fn an_unchecked_length_is_noticed() {
    let unchecked = |random: &mut Random| {
        let name = random.bytes(208);
        assert!(!name[1..=usize::from(name[0])].is_empty() || name[0] == 0);
    };
    assert!(replay(1..2_000, Watchdog::new(), unchecked).is_err());
}

/// Control: a loop that waits for what nobody writes is ended, with the seed.
#[test]
fn an_endless_loop_is_noticed() {
    let output = child::run("replay::endless", "endless", &std::env::temp_dir());
    assert_eq!(Some(HUNG), output.status.code(), "{}", child::said(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("in: seed"), "{}", child::said(&output));
}

#[test]
#[ignore = "a role of another test's child"]
fn endless() {
    let Some(_) = child::role() else { return };
    let endless = |random: &mut Random| {
        let word = AtomicU64::new(random.word());
        while word.load(Ordering::Acquire) % 8 > 5 {}
    };
    _ = replay(1..1_000, Watchdog::with_limit(Duration::from_millis(300)), endless);
}
