//! What the checks found: damage that outlived a reset, or that was given out. Each is mended, and shown here by the words
//! that it takes.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use fuseboard_core::journal::About;
use fuseboard_core::layout::Geometry;
use fuseboard_core::state::State;
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_shm::clock::{Clock, ManualClock};
use fuseboard_shm::journal_cursor::JournalCursor;
use fuseboard_shm::store::Store;

use crate::checks::file::{Bed, Raw, key_of};
use crate::checks::sound::{SECOND, measures_exactly, sound_again};
use crate::checks::words::NOW;
use crate::replay::bed;

const DAY: u64 = 86_400 * SECOND;
const LOG_LEN: usize = 4;

/// A table of a few slots, its raw words, and a store on it whose clock stands at `NOW`.
fn scene(name: &str, slots: usize) -> (Bed, Raw, Store) {
    let bed = bed(name);
    let raw = bed.lay("table", Geometry::for_capacity(slots, LOG_LEN).expect("in range"));
    let clock = Clock::Manual(Arc::new(ManualClock::new(NOW)));
    let store = Store::new(bed.open("table", clock).expect("a sound header"));
    (bed, raw, store)
}

fn put(word: &AtomicU64, value: u64) {
    word.store(value, Ordering::Release);
}

/// F1: a stamp one day ahead survives every reset; the fuse, once tripped, lets no probe through for a day and more.
#[test]
fn a_reset_heals_a_stamp_that_is_ahead() {
    let (_bed, raw, store) = scene("f1", 1);
    let slot = store.resolve("fuse").expect("a slot");
    put(&raw.cell(0)[0], (NOW + DAY) << 16 | State::Open as u64);
    store.forget_all();
    sound_again(slot.fuse(), LOG_LEN, NOW);
}

/// F2: what stands in the failure log a day ahead, with the run that is due there, takes the failures before it out of
/// the window.
#[test]
fn a_reset_heals_a_failure_that_is_ahead() {
    let (_bed, raw, store) = scene("f2", 1);
    let slot = store.resolve("fuse").expect("a slot");
    put(&raw.log(0)[1], 2 << 48 | (NOW + DAY));
    store.forget_all();
    sound_again(slot.fuse(), LOG_LEN, NOW);
}

/// F3: a seat taken until tomorrow, whose sixteen bits of a generation agree by chance, keeps every probe out until then.
#[test]
fn a_reset_heals_a_seat_that_is_taken() {
    let (_bed, raw, store) = scene("f3", 1);
    let slot = store.resolve("fuse").expect("a slot");
    for tag in 0..=u64::from(u16::MAX) {
        put(&raw.cell(0)[8], (NOW + DAY) << 16 | tag);
        store.forget_all();
        sound_again(slot.fuse(), LOG_LEN, NOW);
    }
}

/// F4: a slot whose key was lost is not reset, and whoever claims it next gets what stands in it.
#[test]
fn a_reset_reaches_a_slot_without_a_key() {
    let (_bed, raw, store) = scene("f4", 1);
    let held = store.resolve("fuse").expect("a slot").pin();
    put(&raw.cell(0)[0], NOW << 16 | State::Isolated as u64);
    raw.key(0).iter().for_each(|word| put(word, 0));
    store.forget_all();
    assert_eq!(State::Unseen, held.word().state(), "who held the slot");
    assert_eq!(State::Unseen, store.resolve("new").expect("a slot").fuse().word().state(), "who takes it now");
}

/// F5: a copy of a key and its name, off the name's path, is listed, though no look-up finds it.
#[test]
fn what_is_listed_is_what_is_found() {
    let (_bed, raw, store) = scene("f5", 4);
    store.resolve("fuse").expect("a slot").fuse().record_success(NOW);
    let place = store.table().locate("fuse", false).expect("in the table");
    let (copy, key) = ((place + 1) % 4, key_of(b"fuse", 0));
    raw.key(copy).iter().zip(key).for_each(|(word, value)| put(word, value));
    raw.name(copy).iter().zip(raw.name(place)).for_each(|(to, from)| put(to, from.load(Ordering::Relaxed)));
    put(&raw.cell(copy)[0], NOW << 16 | State::Open as u64);
    let listed: Vec<_> = store.slots().iter().filter(|slot| slot.name().is_some()).cloned().collect();
    assert_eq!(1, listed.len());
    assert_eq!(State::Closed, listed[0].fuse().word().state());
}

/// F6: a name has 1 to 200 bytes; the key of the empty one has none.
#[test]
fn no_name_is_empty() {
    let (_bed, raw, store) = scene("f6", 1);
    raw.key(0).iter().zip(key_of(b"", 0)).for_each(|(word, value)| put(word, value));
    assert_eq!(vec![None], store.slots().iter().map(|slot| slot.name()).collect::<Vec<_>>());
}

/// F7: a name that was scribbled over is written again by whoever resolves it.
#[test]
fn a_lost_name_is_written_again() {
    let (_bed, raw, store) = scene("f7", 1);
    store.resolve("fuse").expect("a slot");
    for damaged in [0, 1] {
        put(&raw.name(0)[damaged], 0x0102_0304_0506_0708);
        store.forget_all();
        assert_eq!(Some("fuse".to_owned()), store.resolve("fuse").expect("a slot").name(), "word {damaged}");
    }
}

/// Who only looks writes nothing, not even a name that was lost: that is for who uses the fuse.
#[test]
fn a_look_leaves_a_lost_name_as_it_is() {
    let (_bed, raw, store) = scene("look", 1);
    store.resolve("fuse").expect("a slot");
    put(&raw.name(0)[0], 0);
    assert_eq!(None, store.find("fuse").expect("its key is there").name());
    assert_eq!(0, raw.name(0)[0].load(Ordering::Relaxed));
}

/// F8: a file with holes (copied, restored) is filled when it is opened, not at a store to a mapped page (T08).
#[test]
fn an_opened_file_has_no_holes() {
    let (bed, _raw, _store) = scene("f8", 64);
    let file = std::fs::metadata(bed.path("table")).expect("the file");
    assert!(file.blocks() * 512 >= file.size(), "{} blocks for {} bytes", file.blocks(), file.size());
}

/// F9: what the journal is said to know is of a state that the fuse is not in, and hides the next transition to that; a
/// reset takes it away, whether there was anything else to reset or not.
#[test]
fn a_reset_heals_what_is_told() {
    let said = |generation: u64| generation << 16 | State::Isolated as u64;
    for (word, told) in [(0, NOW), (0, NOW + SECOND), (NOW << 16, NOW), (NOW << 16 | State::Open as u64, NOW + SECOND)]
    {
        let (_bed, raw, store) = scene("f9", 1);
        let slot = store.resolve("fuse").expect("a slot");
        put(&raw.cell(0)[0], word);
        put(&raw.cell(0)[4], said(told));
        store.forget_all();
        let mut reader = JournalCursor::from_now(store.table());
        let made = slot.fuse().command(State::Isolated, || NOW).expect("a manual override");
        slot.fuse().write_down(made, About::NOTHING);
        let read: Vec<_> = reader.read_all(store.table()).iter().map(|record| (record.from, record.to)).collect();
        assert_eq!(vec![(State::Closed, State::Isolated)], read, "{word:x} {told}");
    }
}

/// F10: numbers of calls that damage took to the end of all numbers begin again at 0 in the middle of a rate, which then
/// lost what it had counted.
#[test]
fn a_reset_heals_a_number_of_calls_at_the_end_of_all_numbers() {
    for calls in [u64::MAX, u64::MAX - 1, u64::MAX - 2] {
        let (_bed, raw, store) = scene("calls", 1);
        let slot = store.resolve("fuse").expect("a slot");
        [1, 3].into_iter().for_each(|window| put(&raw.rate_windows(0)[16 * window], calls));
        store.forget_all();
        measures_exactly(slot.fuse(), NOW + SECOND);
    }
}
