//! The three checks of a string of bytes.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use fuseboard_core::fuse::{Cell, Fuse};
use fuseboard_core::journal::{Head, Journal, RingSlot};
use fuseboard_core::journal_writer::JournalWriter;
use fuseboard_core::layout::{Geometry, LAYOUT_HASH, MAGIC, SLOTS_MAX, VERSION};
use fuseboard_core::rate::{RATE_WINDOWS, RateWindow};
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::time::STAMP_MAX;
use fuseboard_core::word::LOG_MAX;
use fuseboard_shm::clock::{Clock, ManualClock};
use fuseboard_shm::error::Kind;
use fuseboard_shm::store::Store;

use super::file::{Bed, KEY_WORDS, RATE_WINDOW_WORDS, Raw, key_of};
use super::fuse::{Driver, WRITES};
use super::input::Input;
use super::journal::{check_ring, damage_journal};
use super::leader::leads_and_exports;
use super::sound;
use super::steps::bounded;
use super::store::{check_keys, is_sound_again};
use super::table::{Contract, FRESH, NAMES, advance, name};
use super::view::a_look_changes_nothing;
use super::words::{CELL_WORDS, NOW, damage, lies_ahead};

const STEPS: usize = 128;
/// Places of the journal of one cell.
const PLACES: usize = 4;
/// The largest file that is grown to the size it claims.
const FILE_MAX: usize = 6 << 20;
/// Slots of the largest table that is walked through again and again.
const WALKED: usize = 256;
/// How many names are looked at in a table after its reset, some of which the contract never used.
pub const LOOK_AT: usize = 4;
/// Bytes of the header that say something.
const SAID: usize = 72;

#[repr(C, align(64))]
struct RawCell([AtomicU64; CELL_WORDS]);

const _: () = assert!(size_of::<RawCell>() == size_of::<Cell>() && align_of::<RawCell>() == align_of::<Cell>());

impl RawCell {
    fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    fn cell(&self) -> &Cell {
        // SAFETY: both are `repr(C)` values of 40 atomics with one size and alignment (asserted above), any bits of which
        // are valid.
        unsafe { &*std::ptr::from_ref(self).cast::<Cell>() }
    }
}

#[repr(C, align(64))]
struct RawWindows([AtomicU64; RATE_WINDOW_WORDS]);

const _: () = assert!(
    size_of::<RawWindows>() == RATE_WINDOWS * size_of::<RateWindow>()
        && align_of::<RawWindows>() == align_of::<RateWindow>()
);

impl RawWindows {
    fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    fn rate_windows(&self) -> &[RateWindow; RATE_WINDOWS] {
        // SAFETY: both are `repr(C)` values of as many atomics with one size and alignment (asserted above), any bits of
        // which are valid.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }
}

/// Any words as one fuse; operations on it with any times and settings; sound again after a reset. Whether that could be
/// asked: not where a stamp stands a little ahead.
pub fn core_words(bytes: &[u8]) -> bool {
    let mut input = Input::new(bytes);
    let (cell, log_len) = (RawCell::new(), [2, 4, 8, 256, LOG_MAX][input.choice(5)]);
    let log: Vec<_> = (0..log_len).map(|_| AtomicU64::new(0)).collect();
    let (head, places) = (Head::new(), [(); PLACES].map(|()| RingSlot::new()));
    let writer = JournalWriter { journal: Journal::new(&head, &places), slot: 0, pid: 1 };
    let rate_windows = RawWindows::new();
    let fuse = Fuse::new(cell.cell(), &log).with_rate_windows(rate_windows.rate_windows()).with_journal_writer(writer);
    let mut driver = Driver::new(fuse, log_len);
    let mut now = NOW;
    for _ in 0..STEPS {
        match input.choice(6) {
            0 | 1 => damage(&cell.0, &log, &mut input, now),
            2 => now = time(&mut input, now),
            3 if input.choice(4) == 1 => {
                rate_windows.0[input.choice(RATE_WINDOW_WORDS)].store(input.word(), Ordering::Release);
            }
            3 if input.choice(4) == 0 => bounded(WRITES, || fuse.catch_up()),
            _ => driver.step(&mut input, now),
        }
        if input.is_empty() {
            break;
        }
    }
    check_ring(writer.journal, PLACES as u64);
    // The checks of a sound fuse let some minutes pass.
    let now = now.min(STAMP_MAX >> 1) + sound::UNUSUAL_US;
    let can_be_sound = !lies_ahead(&cell.0, &log, now);
    if can_be_sound {
        sound::measures_exactly(fuse, now);
        sound::sound_again(fuse, log_len, now);
    }
    can_be_sound
}

/// A later time, an earlier one, or any.
fn time(input: &mut Input<'_>, now: u64) -> u64 {
    match input.choice(4) {
        0 => now.saturating_add(input.short()),
        1 => now.saturating_add(input.short() << 16),
        2 => now.saturating_sub(input.short() << (8 * input.choice(4))),
        _ => input.word(),
    }
}

/// Any bytes behind a sound header; the contract on them, with more damage in between; a sound table after a reset.
/// How many fuses were found sound.
pub fn table_bytes(bed: &Bed, tables: &[Raw], bytes: &[u8]) -> usize {
    let mut input = Input::new(bytes);
    let place = input.choice(tables.len());
    let raw = &tables[place];
    let first = input.choice(NAMES + FRESH - LOOK_AT + 1);
    let program = input.place(512);
    let mut program = Input::new(input.bytes(program));
    raw.lay_over(input.bytes(usize::MAX));
    let clock = Arc::new(ManualClock::new(NOW));
    let table = bed.open(&table_name(place), Clock::Manual(Arc::clone(&clock))).expect("a sound header");
    assert_eq!(raw.geometry(), table.geometry());
    if bytes.len().is_multiple_of(4) {
        a_look_changes_nothing(bed, &table_name(place), raw);
    }
    let mut contract = Contract::alone(Store::new(table));
    for _ in 0..STEPS {
        match program.choice(8) {
            0 => damage_table(raw, &mut program, clock.now_us()),
            1 => advance(&clock, &mut program),
            _ => contract.step(&mut program, |_| {}),
        }
        if program.is_empty() {
            break;
        }
    }
    a_look_changes_nothing(bed, &table_name(place), raw);
    check_keys(contract.store(), raw);
    leads_and_exports(contract.store(), &clock);
    is_sound_again(&mut contract, raw, &clock, first..first + LOOK_AT)
}

/// The tables that [`table_bytes`] lays its bytes over.
pub fn tables(bed: &Bed) -> Vec<Raw> {
    let sizes = [(1, 2), (4, 4), (4, 16), (16, 8)];
    let geometry = |(slots, log_len)| Geometry::for_capacity(slots, log_len).expect("in range");
    sizes.into_iter().enumerate().map(|(place, size)| bed.lay(&table_name(place), geometry(size))).collect()
}

fn table_name(place: usize) -> String {
    format!("table{place}")
}

/// Damages one word of a slot, or puts a whole and right key with its name where it does not belong.
fn damage_table(raw: &Raw, input: &mut Input<'_>, now: u64) {
    let slot = input.choice(raw.geometry().slots());
    let store = |words: &[AtomicU64], place: usize, value| {
        words[place % words.len()].store(value, Ordering::Release);
    };
    match input.choice(10) {
        0..=3 => damage(raw.cell(slot), raw.log(slot), input, now),
        7 => store(raw.rate_windows(slot), input.choice(RATE_WINDOW_WORDS), input.word()),
        8 => damage_journal(raw, input, now),
        4 => {
            let (word, key) = (input.choice(KEY_WORDS), raw.key(slot));
            // As often another status or claim of what stands there.
            let near = key[word].load(Ordering::Relaxed) ^ input.short() & 0x3f;
            store(key, word, if input.choice(2) == 0 { near } else { input.word() });
        }
        5 => store(raw.texts(slot), input.choice(34), input.word()),
        6 => store(raw.lines(slot), input.choice(64), input.word()),
        _ => {
            let name = if input.choice(8) == 0 { String::new() } else { name(input.choice(NAMES)) };
            let key = key_of(name.as_bytes(), input.choice(3) as u64);
            (0..2).for_each(|i| store(raw.key(slot), i, key[i]));
            let mut bytes = vec![name.len() as u8];
            bytes.extend(name.as_bytes());
            bytes.resize(26 * 8, 0);
            let words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
            words.enumerate().for_each(|(i, word)| store(raw.name(slot), i, word));
        }
    }
}

/// Any bytes as a table's file: an error of the right kind, or a table on which the contract runs. Whether it was one.
pub fn open_bytes(bed: &Bed, bytes: &[u8]) -> bool {
    let mut input = Input::new(bytes);
    let (manner, own) = (input.byte(), input.byte());
    let program = input.place(256);
    let program = input.bytes(program);
    let (contents, length) = contents(bed, manner, own, input.bytes(usize::MAX));
    let mut file = bed.file("bytes");
    file.write_all(&contents).and_then(|()| file.set_len(length)).expect("room for the file");
    let clock = Arc::new(ManualClock::new(NOW));
    let opened = bed.open("bytes", Clock::Manual(Arc::clone(&clock)));
    let expected = expected(&contents, length, bed.boot());
    match opened {
        Err(error) => {
            assert!(matches!(error.kind, Kind::Foreign | Kind::Version), "{error:?}");
            assert_eq!(Err(error.kind), expected);
            false
        }
        Ok(table) => {
            assert_eq!(Ok((table.geometry().slots(), table.geometry().log_len())), expected);
            run_on(Contract::alone(Store::new(table)), program, &bed.path("bytes"), &clock);
            true
        }
    }
}

/// The file's bytes and length. Words of the header are sound ones, which no stored bytes could know (this boot's number,
/// this layout's version), but for those that `own` leaves as they are. The rest of the bytes lies behind the header, or right
/// after its words; the file has the length that the header stands for, or nearly.
fn contents(bed: &Bed, manner: u8, own: u8, bytes: &[u8]) -> (Vec<u8>, u64) {
    let mut contents = bytes.to_vec();
    if contents.len() > SAID && manner & 1 == 0 {
        let behind = contents.split_off(SAID);
        contents.resize(4096, 0);
        contents.extend(behind);
    }
    let power = |i, most: u64| 1 << (word(&contents, i).unwrap_or(0) % most);
    let sound = [(0, MAGIC), (1, VERSION), (2, LAYOUT_HASH), (3, power(3, 10)), (4, power(4, 12)), (5, bed.boot())];
    for (place, sound) in sound {
        if own >> place & 1 == 0 && contents.len() >= SAID {
            contents[place * 8..][..8].copy_from_slice(&sound.to_ne_bytes());
        }
    }
    let number = |i| word(&contents, i).and_then(|n| usize::try_from(n).ok());
    let geometry = number(3).zip(number(4)).and_then(|(slots, log_len)| Geometry::of(slots, log_len));
    let fitting = geometry.map(Geometry::bytes).filter(|bytes| manner & 2 == 0 && *bytes <= FILE_MAX);
    let fitting = fitting.unwrap_or(contents.len()) as u64;
    let length = if manner & 0xf0 == 0xf0 { (fitting + u64::from(manner >> 2 & 3)).saturating_sub(1) } else { fitting };
    contents.truncate(usize::try_from(length).unwrap_or(usize::MAX));
    (contents, length)
}

fn word(contents: &[u8], place: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*contents.get(place * 8..)?.first_chunk()?))
}

/// What a file of these contents is, by the words of the format: slots and log entries, or what is wrong with it.
fn expected(contents: &[u8], length: u64, boot: u64) -> Result<(usize, usize), Kind> {
    let header = |i: usize| word(contents, i).unwrap_or(0);
    let number = |i: usize, most| usize::try_from(header(i)).ok().filter(|n| n.is_power_of_two() && *n <= most);
    if header(0) != MAGIC {
        return Err(Kind::Foreign);
    }
    if (header(1), header(2)) != (VERSION, LAYOUT_HASH) {
        return Err(Kind::Version);
    }
    let log_len = number(4, LOG_MAX).filter(|log_len| *log_len > 1);
    let (slots, log_len) = number(3, SLOTS_MAX).zip(log_len).ok_or(Kind::Foreign)?;
    let by_slot = [32, 320, 272, 8 * log_len, 512, 512, 72].map(|bytes| bytes * slots);
    let sections = by_slot.into_iter().chain([160 * slots.min(1024), 128 * 256, 8 * 64, 128 + 2048 * 256]);
    let bytes = 4096 + sections.map(|bytes| bytes.next_multiple_of(4096) as u64).sum::<u64>();
    if bytes == length && header(5) == boot { Ok((slots, log_len)) } else { Err(Kind::Foreign) }
}

/// Runs the contract, after which a reset makes the table sound; of one too large to walk through only what touches single
/// slots.
fn run_on(mut contract: Contract, program: &[u8], path: &Path, clock: &Arc<ManualClock>) {
    let geometry = contract.store().table().geometry();
    let mut program = Input::new(program);
    if geometry.slots() > WALKED {
        let slot = contract.slot(&name(program.choice(NAMES)));
        slot.fuse().record_failure(program.word(), slot.now_us());
        return;
    }
    while !program.is_empty() {
        contract.step(&mut program, |_| {});
    }
    is_sound_again(&mut contract, &Raw::map(path, geometry), clock, 0..LOOK_AT);
}
