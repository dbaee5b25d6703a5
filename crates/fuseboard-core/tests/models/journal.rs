//! The journal: whole records or none, each transition told, those of one fuse in their order.

use std::sync::Arc;

use crate::book::{Book, SLOT};
use crate::common::{NOW, job, model, race};
use fuseboard_core::journal::{About, Record};
use fuseboard_core::state::State;
use fuseboard_core::transition::Cause;
use fuseboard_core::transition::Transition;

fn book(places: usize) -> Arc<Book> {
    Arc::new(Book::new(2, places))
}

/// The states that the journal tells of, and since when.
fn journaled(book: &Book) -> Vec<(State, u64)> {
    book.journaled().iter().map(|record| (record.to, record.generation)).collect()
}

fn record(number: u32) -> Record {
    Record {
        slot: number,
        generation: NOW + u64::from(number),
        from: State::Closed,
        to: State::Open,
        cause: Cause::Threshold,
        pid: number,
        until_us: number.into(),
        about: About::new(&[number as u8; 6]),
    }
}

fn in_time(transitions: &[Transition]) -> Vec<(State, u64)> {
    let mut told: Vec<_> = transitions.iter().map(|made| (made.to, made.generation)).collect();
    told.sort_by_key(|(_, generation)| *generation);
    told
}

/// T14: a reader beside two writers gets whole records or none, and afterwards both are there.
#[test]
fn a_record_is_read_whole_or_not_at_all() {
    model(|| {
        let book = book(2);
        race(
            &book,
            [
                job(|book: &Book| book.journal().append(record(1))),
                job(|book: &Book| book.journal().append(record(2))),
                job(|book: &Book| {
                    for read in [0, 1].into_iter().filter_map(|number| book.journal().read(number)) {
                        assert_eq!(record(read.slot), read, "a record that nobody wrote");
                    }
                }),
            ],
        );
        let mut read = [0, 1].map(|number| book.journal().read(number).expect("written").slot);
        read.sort_unstable();
        assert_eq!([1, 2], read);
    });
}

/// T14: of two writers in one place, one of them stopped for a lap, none passes for the other, nor a mixture for either.
#[test]
fn a_writer_stopped_for_a_lap_passes_for_nobody() {
    model(|| {
        let book = book(1);
        race(&book, [1, 2].map(|number| job(move |book: &Book| book.journal().append(record(number)))));
        let read: Vec<_> = [0, 1].into_iter().filter_map(|number| book.journal().read(number)).collect();
        assert!(read.iter().all(|read| record(read.slot) == *read), "a record that nobody wrote: {read:?}");
        assert!(read.len() <= 1, "one place holds the record of one lap: {read:?}");
    });
}

/// T14: nor for a reader that comes while they write: a record that it gets is the whole one of the number it asked for.
#[test]
fn a_writer_stopped_for_a_lap_passes_for_nobody_while_it_writes() {
    model(|| {
        let book = book(1);
        race(
            &book,
            [
                job(|book: &Book| book.journal().append(record(1))),
                job(|book: &Book| book.journal().append(record(2))),
                job(|book: &Book| {
                    let read = book.journal().read(1);
                    assert!(read.is_none_or(|read| record(read.slot) == read), "a record that nobody wrote: {read:?}");
                }),
            ],
        );
    });
}

/// T14: two transitions whose makers write them down at once stand in their order.
#[test]
fn two_transitions_written_down_at_once_stand_in_their_order() {
    model(|| {
        let book = book(8);
        let made = race(
            &book,
            [State::Open, State::HalfOpen].map(|state| {
                job(move |book: &Book| {
                    let made = book.fuse().set(state, NOW).expect("no hold");
                    book.fuse().write_down(made, About::NOTHING);
                    made
                })
            }),
        );
        assert_eq!(in_time(&made), journaled(&book));
    });
}

/// T14: of two transitions at once, one of whose makers dies right behind it, both are told, in their order.
#[test]
fn each_transition_is_told_in_its_order() {
    model(|| {
        let book = book(8);
        let made = race(
            &book,
            [
                job(|book: &Book| book.fuse().set(State::Open, NOW).expect("no hold")),
                job(|book: &Book| {
                    let made = book.fuse().set(State::HalfOpen, NOW).expect("no hold");
                    book.fuse().write_down(made, About::NOTHING);
                    made
                }),
            ],
        );
        book.fuse().catch_up();
        assert_eq!(in_time(&made), journaled(&book));
    });
}

/// T14: who only reads looks at the fuse and then at the ring, and finds each transition once, the state before it being that
/// of the one before, whoever died behind it and whoever writes it down meanwhile. One that was made before is there.
#[test]
fn who_only_reads_misses_nothing() {
    model(|| {
        let book = book(8);
        let first = book.fuse().set(State::Open, NOW).expect("no hold");
        race(
            &book,
            [
                job(|book: &Book| {
                    book.fuse().catch_up();
                    _ = book.fuse().set(State::HalfOpen, NOW + 5);
                }),
                job(move |book: &Book| {
                    let found = book.fuse().unjournaled(SLOT);
                    let mut read = book.journaled();
                    read.extend(found.filter(|it| read.last().is_none_or(|last| it.generation > last.generation)));
                    assert_eq!(Some(first.generation), read.first().map(|it| it.generation), "missed: {read:?}");
                    let mut before = State::Closed;
                    for record in read {
                        assert_eq!((before, Cause::Set), (record.from, record.cause), "{record:?}");
                        before = record.to;
                    }
                }),
            ],
        );
    });
}

/// T14: a transition that its maker writes down while another does it for him is told once.
/// In this order, for with these three in that of their numbers the bound leaves out that the second ends the generation
/// and the third tells of the next while the first is stopped.
#[test]
fn a_transition_that_two_write_down_is_told_once() {
    model(|| {
        let book = book(8);
        let made = book.fuse().set(State::Open, NOW).expect("no hold");
        race(
            &book,
            [
                job(move |book: &Book| book.fuse().write_down(made, About::NOTHING)),
                job(|book: &Book| _ = book.fuse().set(State::HalfOpen, NOW + 5)),
                job(|book: &Book| book.fuse().catch_up()),
            ],
        );
        book.fuse().catch_up();
        assert_eq!(vec![(State::Open, made.generation), (State::HalfOpen, NOW + 5)], journaled(&book));
    });
}
