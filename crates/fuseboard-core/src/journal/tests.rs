//! What lies in files: the words of records; and what damage may leave in the head.

use super::*;

/// Numbers that nobody can have taken are taken back; those that somebody may have taken are not.
#[test]
fn a_journal_begins_anew_where_damage_took_its_numbers_away() {
    let places = [RingSlot::new()];
    let mended = |next: u64| {
        let head = Head { next: AtomicU64::new(next), ..Head::new() };
        Journal::new(&head, &places).mend();
        Journal::new(&head, &places).next()
    };
    let most = u64::MAX / 2;
    assert_eq!([0, 5, most, 0, 0], [0, 5, most, most + 1, u64::MAX].map(mended));
}

/// The words of a record live in files that other processes read, perhaps of another build: what changes them is
/// another layout.
#[test]
fn the_words_of_a_record_are_fixed() {
    let record = Record {
        slot: 9,
        generation: 0x1234_5678_9abc,
        from: State::Disabled,
        to: State::HalfOpen,
        cause: Cause::ProbesSucceeded,
        pid: 77,
        until_us: 0x0123_4567,
        about: About::pair(b"alice", b"drill"),
    };
    let words = record.to_words();
    let expected = [
        0x1234_5678_9abc_5304,
        77 << 32 | 9,
        0x0123_4567,
        u64::from_le_bytes(*b"\x05\x05aliced"),
        u64::from_le_bytes(*b"rill\0\0\0\0"),
    ];
    assert_eq!((expected.as_slice(), [0; 26].as_slice()), words.split_at(5));
    let checks = [0xc270_82d0_14ec_cd8c, 0xc3c9_1617_0090_652c];
    assert_eq!(checks, [0, 1].map(|number| check_of(number, &words)));
}
