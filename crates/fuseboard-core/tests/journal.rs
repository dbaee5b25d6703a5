//! The journal in one thread: what is written down, what is not, and what others write down for those who could not.
//! Races at it are the models' (`models/journal.rs`).
#![cfg(not(fuseboard_loom))]
#[path = "common/book.rs"]
mod book;

use book::{Book, PID, SLOT};
use fuseboard_core::fuse::{Effect, Fuse};
use fuseboard_core::journal::{About, FIRST_MAX, Head, Journal, Record, RingSlot, SECOND_MAX};
use fuseboard_core::journal_writer::JournalWriter;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::time::AHEAD_US;
use fuseboard_core::transition::Cause;
use fuseboard_core::transition::Transition;

const NOW: u64 = 1_000_000_000;
const POLICY: Policy = Policy {
    threshold: 1,
    window_us: 1_000_000,
    reset_us: 1_000_000,
    probes: 1,
    success_threshold: 1,
    probe_us: 1_000_000,
    clear_on_success: true,
    ..Policy::DEFAULT
};
const OTHER_SLOT: u32 = 5;
/// What a note has room for of it.
const SHORT_PID: u32 = 0x0015_5555;

/// Takes a number as a writer does that is killed before it writes anything.
fn leave_a_hole(book: &Book) {
    let elsewhere: Vec<_> = book.pages.places.iter().map(|_| RingSlot::new()).collect();
    Journal::new(&book.pages.head, &elsewhere).append(record(0));
}

fn record(number: u32) -> Record {
    Record {
        slot: number,
        generation: NOW + u64::from(number),
        from: State::Closed,
        to: State::Open,
        cause: Cause::Threshold,
        pid: number,
        until_us: 0,
        about: About::new(b"TimeoutError"),
    }
}

/// A record of a transition of [`Book::fuse`] that somebody else wrote down from its maker's note.
fn noted(made: Transition) -> Record {
    let Transition { from, to, generation, cause } = made;
    Record { slot: SLOT, generation, from, to, cause, pid: SHORT_PID, until_us: 0, about: About::NOTHING }
}

/// T14: the journal gives back what was written, at the limits of each field too.
#[test]
fn a_record_is_read_as_it_was_written() {
    let book = Book::new(4, 8);
    let largest = Record {
        slot: u32::MAX,
        generation: (1 << 48) - 1,
        from: State::Disabled,
        to: State::Disabled,
        cause: Cause::ResetAll,
        pid: u32::MAX,
        until_us: u64::MAX,
        about: About::pair(&[0xff; FIRST_MAX], &[0xff; SECOND_MAX]),
    };
    let (unseen, about) = (State::Unseen, About::NOTHING);
    let smallest =
        Record { slot: 0, generation: 0, from: unseen, to: unseen, cause: Cause::Unknown, pid: 0, until_us: 0, about };
    let written = [record(1), largest, smallest, record(2)];
    written.iter().for_each(|record| book.journal().append(*record));
    assert_eq!(written.as_slice(), book.read());
}

/// T14: what an empty place holds is no record, and a writer killed behind its number leaves a hole; others go on behind it.
#[test]
fn a_hole_is_no_record_and_hides_none() {
    let book = Book::new(4, 4);
    assert_eq!([None; 4], [0, 1, 2, 3].map(|number| book.journal().read(number)));
    book.journal().append(record(1));
    leave_a_hole(&book);
    book.journal().append(record(2));
    assert_eq!(3, book.journal().next());
    assert_eq!([Some(record(1)), None, Some(record(2))], [0, 1, 2].map(|number| book.journal().read(number)));
}

/// T14: a ring of four holds the latest four, each under its own number, and says which may still be there.
#[test]
fn a_lap_overwrites_the_oldest_record_and_no_other() {
    let book = Book::new(4, 4);
    assert_eq!((0, 0), (book.journal().oldest(), book.journal().next()));
    for written in 0..10 {
        book.journal().append(record(written));
        let end = u64::from(written) + 1;
        assert_eq!((end.saturating_sub(4), end), (book.journal().oldest(), book.journal().next()));
        for number in 0..16 {
            let expected = (book.journal().oldest()..end).contains(&number).then(|| record(number as u32));
            assert_eq!(expected, book.journal().read(number), "number {number} of {end}");
        }
    }
}

/// T14: a hole does not give out the record that stood there a lap before.
#[test]
fn a_hole_does_not_show_the_record_of_the_lap_before() {
    let book = Book::new(4, 2);
    (1..=2).for_each(|number| book.journal().append(record(number)));
    leave_a_hole(&book);
    assert_eq!(None, book.journal().read(2));
}

/// T14: a writer that goes on after a lap spoils the record that stands in its place now. That is a hole then, and its own
/// record stands under a number that no reader asks for any more.
#[test]
fn a_writer_stopped_for_a_lap_leaves_a_hole() {
    let book = Book::new(4, 2);
    leave_a_hole(&book);
    (1..=2).for_each(|number| book.journal().append(record(number)));
    assert_eq!([record(1), record(2)].as_slice(), book.read());
    // The first number, once more.
    let stopped = Head::new();
    Journal::new(&stopped, &book.pages.places).append(record(0));
    assert_eq!((1..3, [record(1)].as_slice()), (book.journal().span(), book.read().as_slice()));
    book.journal().append(record(3));
    assert_eq!((2..4, [record(3)].as_slice()), (book.journal().span(), book.read().as_slice()));
}

/// A journal with any other number of places would lose records.
#[test]
#[should_panic(expected = "3 ring slots")]
fn the_places_of_a_journal_are_a_power_of_two() {
    _ = Book::new(4, 3).journal();
}

/// What is said about a transition is kept whole up to its limit, and cut there.
#[test]
fn a_description_is_cut_at_its_limit() {
    assert_eq!((95, 119), (FIRST_MAX, SECOND_MAX));
    let letters: Vec<u8> = (0..200).map(|i| b'a' + i % 26).collect();
    for len in [0, 1, 6, 7, 8, 15, 94, 95, 96, 200] {
        let texts = About::pair(&letters[..len], &letters[..len]).texts();
        assert_eq!(
            [&letters[..len.min(FIRST_MAX)], &letters[..len.min(SECOND_MAX)]],
            texts.each_ref().map(Vec::as_slice),
            "{len}"
        );
    }
    assert_eq!("[\"TimeoutError\", \"\"]", format!("{:?}", About::new(b"TimeoutError")));
}

/// The codes of causes live in files: they are never renumbered, and one that nobody knows is "unknown" (T10).
#[test]
fn the_codes_of_causes_are_fixed() {
    let causes = [
        Cause::Unknown,
        Cause::Threshold,
        Cause::ResetTimeout,
        Cause::ProbeFailed,
        Cause::ProbesSucceeded,
        Cause::Set,
        Cause::Manual,
        Cause::ResetAll,
        Cause::FailureRate,
        Cause::FailureRateOfCalls,
        Cause::SlowRate,
        Cause::SlowRateOfCalls,
        Cause::Demanded,
        Cause::HalfOpenTimeout,
        Cause::Ramped,
        Cause::ProbeSlow,
        Cause::OverrideEnded,
    ];
    for (code, cause) in (0..).zip(causes) {
        assert_eq!((code, cause), (cause as u8, Cause::from_code(code)));
    }
    assert!((17..=u8::MAX).all(|code| Cause::from_code(code) == Cause::Unknown));
}

/// T14: whoever made a transition writes it down once, with all it knows; to do it again adds nothing.
#[test]
fn a_maker_writes_its_transition_down_once() {
    let book = Book::new(4, 8);
    let made = book.fuse().set(State::Open, NOW).expect("no hold");
    let about = About::new(b"ConnectionError");
    (0..2).for_each(|_| book.fuse().write_down(made, about));
    book.fuse().catch_up();
    assert_eq!(vec![Record { pid: PID, about, ..noted(made) }], book.read());
}

/// T14: a fuse that belongs to no table's journal works without one.
#[test]
fn a_fuse_without_a_journal_writes_nothing_down() {
    let book = Book::new(4, 8);
    let fuse = book.unjournaled_fuse();
    let made = fuse.set(State::Open, NOW).expect("no hold");
    fuse.write_down(made, About::NOTHING);
    fuse.catch_up();
    assert_eq!((0, State::Open), (book.journal().next(), fuse.word().state()));
}

/// T14: a transition whose maker was killed right behind it is written down before the next one: its states and cause, and
/// its maker's pid, not that of whoever wrote it.
#[test]
fn the_next_transition_tells_what_a_killed_process_left_out() {
    let book = Book::new(4, 8);
    let fuse = book.fuse();
    let permit = fuse.admit(&POLICY, NOW).verdict.expect("closed");
    let Effect::Changed(tripped) = fuse.failed(&POLICY, permit, NOW + 1) else { panic!("the first failure trips") };
    assert!(book.read().is_empty());
    let other = fuse.with_journal_writer(JournalWriter { journal: book.journal(), slot: OTHER_SLOT, pid: 1 });
    let isolated = other.command(State::Isolated, || NOW + 2).expect("a manual override");
    assert_eq!((State::Closed, State::Open, Cause::Threshold), (tripped.from, tripped.to, tripped.cause));
    assert_eq!(vec![Record { slot: OTHER_SLOT, ..noted(tripped) }], book.read());
    fuse.catch_up();
    assert_eq!(Some(&Record { pid: 1, ..noted(isolated) }), book.read().get(1));
}

/// T14: each change of state has its cause, whether its maker says so or another reads its note.
#[test]
fn each_change_of_state_has_its_cause() {
    let book = Book::new(4, 16);
    let fuse = book.fuse();
    let expected = [
        (State::Open, Cause::Set, NOW),
        (State::HalfOpen, Cause::ResetTimeout, NOW + POLICY.reset_us),
        (State::Open, Cause::ProbeFailed, NOW + POLICY.reset_us + 1),
        (State::HalfOpen, Cause::ResetTimeout, NOW + 3 * POLICY.reset_us),
        (State::Closed, Cause::ProbesSucceeded, NOW + 3 * POLICY.reset_us + 1),
        (State::Disabled, Cause::Manual, NOW + 3 * POLICY.reset_us + 2),
        (State::Closed, Cause::ResetAll, NOW + 3 * POLICY.reset_us + 3),
    ];
    fuse.set(State::Open, NOW);
    let probe = fuse.admit(&POLICY, expected[1].2).verdict.expect("its time is up");
    fuse.failed(&POLICY, probe, expected[2].2);
    let probe = fuse.admit(&POLICY, expected[3].2).verdict.expect("its time is up");
    fuse.succeeded(&POLICY, probe, expected[4].2);
    fuse.command(State::Disabled, || expected[5].2);
    fuse.forget(|| expected[6].2);
    fuse.catch_up();
    let told: Vec<_> = book.read().iter().map(|record| (record.to, record.cause, record.generation)).collect();
    assert_eq!(expected.as_slice(), told);
    let chain: Vec<_> = book.read().iter().skip(1).map(|record| record.from).collect();
    let before: Vec<_> = expected[..6].iter().map(|(to, ..)| *to).collect();
    assert_eq!(before, chain);
}

/// T14: who only reads finds what a killed process left out as whoever writes it down tells it, once, and changes nothing.
#[test]
fn what_is_left_out_can_be_read_from_the_fuse() {
    let book = Book::new(4, 8);
    assert_eq!(None, book.fuse().unjournaled(SLOT));
    assert!(book.fuse().record_success(NOW));
    assert_eq!(None, book.fuse().unjournaled(SLOT), "that a fuse is used is no event");
    for (state, at) in [(State::Open, NOW + 1), (State::HalfOpen, NOW + 2), (State::Isolated, NOW + 3)] {
        book.fuse().command(state, || at).expect("a manual override");
        let (found, next) = (book.fuse().unjournaled(SLOT), book.journal().next());
        assert_eq!((found, next), (book.fuse().unjournaled(SLOT), book.journal().next()), "looking changes nothing");
        book.fuse().catch_up();
        assert_eq!((found.as_ref(), None), (book.read().last(), book.fuse().unjournaled(SLOT)));
    }
}

/// T14: those whom a fuse turns away leave a transition to its maker for ten milliseconds, and then write it down.
#[test]
fn who_is_turned_away_tells_a_transition_after_ten_milliseconds() {
    let book = Book::new(4, 8);
    let made = book.fuse().set(State::Open, NOW).expect("no hold");
    assert!(book.fuse().admit(&POLICY, NOW + 9_999).verdict.is_err());
    assert_eq!(0, book.journal().next());
    assert!(book.fuse().admit(&POLICY, NOW + 10_000).verdict.is_err());
    assert_eq!(vec![noted(made)], book.read());
    book.fuse().write_down(made, About::new(b"too late"));
    assert_eq!(vec![noted(made)], book.read());
}

/// T14: that a fuse is used for the first time is no event, nor is a reset of a closed one; what follows is.
#[test]
fn first_use_and_reset_of_a_closed_fuse_are_no_events() {
    let book = Book::new(4, 8);
    let fuse = book.fuse();
    for used in [
        |fuse: Fuse<'_>| _ = fuse.admit(&POLICY, NOW),
        |fuse: Fuse<'_>| _ = fuse.record_failure(1_000_000, NOW),
        |fuse: Fuse<'_>| _ = fuse.record_success(NOW),
    ] {
        used(fuse);
        fuse.catch_up();
        let forgotten = fuse.forget(|| NOW).expect("it was used");
        fuse.write_down(forgotten, About::NOTHING);
        fuse.catch_up();
    }
    assert_eq!(0, book.journal().next());
    let opened = fuse.set(State::Open, NOW).expect("no hold");
    fuse.catch_up();
    assert_eq!(vec![noted(opened)], book.read());
}

/// T14: a transition of which only the state is known is told with an unknown cause and by nobody.
#[test]
fn a_note_of_another_generation_says_nothing() {
    let book = Book::new(4, 8);
    let made = book.unjournaled_fuse().set(State::Open, NOW).expect("no hold");
    book.fuse().catch_up();
    assert_eq!(vec![Record { cause: Cause::Unknown, pid: 0, ..noted(made) }], book.read());
}

/// T10: damage may say that generations are told which the fuse has not come to. A manual override mends that, so that what
/// follows is told, however near they lie.
#[test]
fn a_manual_override_mends_what_is_told() {
    for ahead in [1, AHEAD_US, AHEAD_US + 1] {
        let book = Book::new(4, 8);
        let damage = Transition { from: State::Closed, to: State::Closed, generation: NOW + ahead, cause: Cause::Set };
        book.fuse().write_down(damage, About::NOTHING);
        let made = book.fuse().command(State::Isolated, || NOW).expect("a manual override");
        book.fuse().write_down(made, About::NOTHING);
        assert_eq!(1, book.read().len(), "{ahead}");
    }
}

/// T10: it leaves what no damage put there, whether the fuse has gone on since or not: nothing is told a second time.
#[test]
fn a_manual_override_leaves_what_is_rightly_told() {
    let book = Book::new(4, 8);
    let opened = book.fuse().set(State::Open, NOW).expect("no hold");
    book.fuse().write_down(opened, About::NOTHING);
    for state in [State::Isolated, State::Disabled, State::Closed] {
        book.fuse().command(state, || NOW).expect("a manual override");
    }
    book.fuse().catch_up();
    let states: Vec<_> = book.read().iter().map(|record| (record.from, record.to)).collect();
    let (closed, open) = (State::Closed, State::Open);
    let expected =
        [(closed, open), (open, State::Isolated), (State::Isolated, State::Disabled), (State::Disabled, closed)];
    assert_eq!(expected.as_slice(), states);
}
