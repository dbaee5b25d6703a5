//! Reading the journal of a host's table: each transition once and in order, whoever died, whatever the ring dropped, and
//! whatever damage says.
mod common;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use common::{Folder, small};
use fuseboard_core::journal::{About, RECORDS, Record};
use fuseboard_core::state::State;
use fuseboard_core::transition::Cause;
use fuseboard_core::transition::Transition;
use fuseboard_shm::clock::{Clock, ManualClock};
use fuseboard_shm::journal_cursor::JournalCursor;
use fuseboard_shm::open;
use fuseboard_shm::store::Store;
use fuseboard_shm::table::Table;

/// How long a reader waits for a record whose number is taken, and how often it looks for transitions that nobody told.
const HOLE_US: u64 = 100_000;
const CATCH_UP_US: u64 = 1_000_000;
const RING: u64 = RECORDS as u64;

/// A host's table with a clock that the test moves, and its file for damage.
struct Host {
    table: Table,
    clock: Arc<ManualClock>,
    file: File,
    _folder: Folder,
}

impl Host {
    fn new() -> Self {
        let folder = Folder::new();
        let clock = Arc::new(ManualClock::new(1_000_000_000));
        let table = open::open("shop", Some(&folder.0), small(), Clock::Manual(Arc::clone(&clock))).expect("a table");
        let path = table.path().expect("a host's table");
        let file = File::options().read(true).write(true).open(path).expect("our own file");
        Self { table, clock, file, _folder: folder }
    }

    /// Makes a transition as a process does that is killed right behind it.
    fn make(&self, name: &str, state: State) -> Transition {
        let slot = self.table.locate(name, true).expect("there is room");
        self.table.fuse(slot).set(state, self.table.clock().now_us()).expect("no hold")
    }

    /// Makes a transition and writes it down.
    fn tell(&self, name: &str, state: State) -> Journaled {
        let made = self.make(name, state);
        let slot = self.table.locate(name, false).expect("it was made");
        self.table.fuse(slot).write_down(made, About::NOTHING);
        (slot as u32, made.to, made.generation)
    }

    /// The next number, as it stands in the head of the journal.
    fn set_next(&self, number: u64) {
        self.file.write_all_at(&number.to_ne_bytes(), small().sections().journal as u64).expect("our own file");
    }

    /// Takes a number as a process does that is killed before it writes the record.
    fn leave_a_hole(&self) {
        self.set_next(self.table.journal().next() + 1);
    }

    fn append(&self, numbers: std::ops::Range<u64>) {
        numbers.for_each(|number| self.table.journal().append(record(number)));
    }
}

/// The slot of a fuse, the state it went into, and the generation that began.
type Journaled = (u32, State, u64);

fn journaled(records: &[Record]) -> Vec<Journaled> {
    records.iter().map(|record| (record.slot, record.to, record.generation)).collect()
}

/// One of many records of one slot.
fn record(number: u64) -> Record {
    let (from, to) = (State::Closed, State::Open);
    Record { slot: 3, generation: number + 1, from, to, cause: Cause::Set, pid: 1, until_us: 0, about: About::NOTHING }
}

/// T14: what stands there twice, because two wrote it down, is read once; what came since the last reading is read next.
#[test]
fn each_transition_is_read_once_and_in_order() {
    let host = Host::new();
    let mut reader = JournalCursor::from_oldest(&host.table);
    let mut made = vec![host.tell("db", State::Open), host.tell("cache", State::Open)];
    let first = host.table.journal().read(0).expect("just written");
    made.push(host.tell("db", State::HalfOpen));
    host.table.journal().append(first);
    assert_eq!(made, journaled(&reader.poll(&host.table)));
    host.table.journal().append(first);
    let last = host.tell("db", State::Closed);
    assert_eq!(vec![last], journaled(&reader.poll(&host.table)));
    assert!(reader.poll(&host.table).is_empty());
    made.push(last);
    assert_eq!(made, journaled(&JournalCursor::from_oldest(&host.table).read_all(&host.table)));
    assert_eq!(0, reader.lost());
}

/// A reader from now on reads nothing of before, though nobody had written it down yet, and all that comes.
#[test]
fn a_reader_from_now_on_reads_what_comes() {
    let host = Host::new();
    host.tell("db", State::Open);
    host.make("db", State::HalfOpen);
    let mut reader = JournalCursor::from_now(&host.table);
    assert!(reader.poll(&host.table).is_empty());
    let next = host.tell("db", State::Closed);
    assert_eq!((vec![next], 0), (journaled(&reader.poll(&host.table)), reader.lost()));
}

/// What the ring had dropped before a reader from now on came is no loss of his.
#[test]
fn a_reader_from_now_on_has_lost_nothing() {
    let host = Host::new();
    host.append(0..RING + 5);
    assert_eq!(0, JournalCursor::from_now(&host.table).lost());
    assert!(JournalCursor::from_now(&host.table).read_all(&host.table).is_empty());
}

/// T14: a transition whose maker was killed is read all the same: a reader looks for such ones when it begins, and then
/// once a second.
#[test]
fn what_a_killed_process_left_out_is_read_within_a_second() {
    let host = Host::new();
    let mut reader = JournalCursor::from_oldest(&host.table);
    let opened = host.make("db", State::Open);
    let before = journaled(&reader.poll(&host.table));
    assert_eq!(vec![opened.generation], before.iter().map(|(.., generation)| *generation).collect::<Vec<_>>());
    let probed = host.make("db", State::HalfOpen);
    host.clock.advance(CATCH_UP_US - 1);
    assert!(reader.poll(&host.table).is_empty());
    host.clock.advance(1);
    assert_eq!(vec![(before[0].0, State::HalfOpen, probed.generation)], journaled(&reader.poll(&host.table)));
}

/// T14: a reader waits a tenth of a second for a record whose number is taken. Then it goes on, and what should have stood
/// there is told again, further on and in its order.
#[test]
fn a_hole_is_waited_for_and_then_passed() {
    let host = Host::new();
    let mut reader = JournalCursor::from_oldest(&host.table);
    let first = host.tell("db", State::Open);
    assert_eq!(vec![first], journaled(&reader.poll(&host.table)));
    let missing = host.make("db", State::HalfOpen);
    host.leave_a_hole();
    let other = host.tell("cache", State::Open);
    for by_us in [0, 1, HOLE_US - 2] {
        host.clock.advance(by_us);
        assert!(reader.poll(&host.table).is_empty());
    }
    host.clock.advance(1);
    let again = (first.0, State::HalfOpen, missing.generation);
    assert_eq!(vec![other, again], journaled(&reader.poll(&host.table)));
    assert_eq!(0, reader.lost());
}

/// T14: a writer that goes on after a lap spoils what stands in its place now, which nobody tells again: for a reader it is
/// a hole, waited for and passed, and no loss that it counts. That one is missing shows in the next record of that fuse.
#[test]
fn what_a_writer_stopped_for_a_lap_spoils_is_a_hole() {
    let host = Host::new();
    host.leave_a_hole();
    host.append(1..RING);
    let spoiled = host.tell("db", State::Open);
    let mut reader = JournalCursor::from_oldest(&host.table);
    host.set_next(0);
    host.append(0..1);
    host.set_next(RING + 1);
    assert_eq!(RECORDS - 1, reader.poll(&host.table).len());
    let next = host.tell("db", State::HalfOpen);
    assert!(reader.poll(&host.table).is_empty());
    host.clock.advance(HOLE_US);
    let read = reader.poll(&host.table);
    assert_eq!((vec![next], State::Open, 0), (journaled(&read), read[0].from, reader.lost()));
    assert!(!journaled(&JournalCursor::from_oldest(&host.table).read_all(&host.table)).contains(&spoiled));
}

/// T14: one that was stopped before it took a number writes down once more what the ring may have dropped: true, and of its
/// own time, which its generation says. A reader that has read on drops it; one that comes later cannot know.
#[test]
fn a_stopped_writer_may_tell_again_what_the_ring_has_dropped() {
    let host = Host::new();
    let mut reader = JournalCursor::from_oldest(&host.table);
    let made = [State::Open, State::HalfOpen].map(|state| host.tell("db", state));
    assert_eq!(made.as_slice(), journaled(&reader.poll(&host.table)));
    let first = host.table.journal().read(0).expect("just written");
    let slot = (first.slot + 1) % small().slots() as u32;
    (0..RING).for_each(|number| host.table.journal().append(Record { slot, ..record(number) }));
    host.table.journal().append(first);
    assert_eq!(RECORDS - 1, reader.poll(&host.table).len());
    assert_eq!(Some(&made[0]), journaled(&JournalCursor::from_oldest(&host.table).read_all(&host.table)).last());
}

/// T14: each hole is waited for from when it is met; one that is filled in time is a record like any other.
#[test]
fn a_slow_writer_is_read_in_its_place() {
    let host = Host::new();
    let mut reader = JournalCursor::from_oldest(&host.table);
    host.leave_a_hole();
    assert!(reader.poll(&host.table).is_empty());
    host.clock.advance(HOLE_US - 1);
    assert!(reader.poll(&host.table).is_empty());
    host.set_next(0);
    let slow = host.tell("db", State::Open);
    assert_eq!(vec![slow], journaled(&reader.poll(&host.table)));
    host.leave_a_hole();
    host.clock.advance(HOLE_US);
    let behind = host.tell("db", State::HalfOpen);
    assert!(reader.poll(&host.table).is_empty(), "the second hole was met just now");
    host.clock.advance(HOLE_US);
    assert_eq!(vec![behind], journaled(&reader.poll(&host.table)));
}

/// Who asks for all that is there waits for nobody; and a hole is no loss, what stands behind it is read.
#[test]
fn a_reading_of_all_does_not_wait_for_a_hole() {
    let host = Host::new();
    let mut reader = JournalCursor::from_oldest(&host.table);
    host.leave_a_hole();
    let first = host.tell("db", State::Open);
    host.leave_a_hole();
    let second = host.tell("db", State::HalfOpen);
    assert_eq!((vec![first, second], 0), (journaled(&reader.read_all(&host.table)), reader.lost()));
}

/// T14: a reader that was away for more than a lap reads all that the ring still holds, and says how much it does not.
#[test]
fn what_the_ring_dropped_is_counted() {
    for waits in [true, false] {
        let read =
            |reader: &mut JournalCursor, table: &Table| if waits { reader.poll(table) } else { reader.read_all(table) };
        let host = Host::new();
        let mut reader = JournalCursor::from_oldest(&host.table);
        host.append(0..3);
        assert_eq!((3, 0), (read(&mut reader, &host.table).len(), reader.lost()));
        host.append(3..RING + 10);
        let expected: Vec<_> = (10..RING + 10).map(record).collect();
        assert_eq!((expected, 7), (read(&mut reader, &host.table), reader.lost()));
        host.append(RING + 10..2 * RING + 15);
        assert_eq!((RECORDS, 12), (read(&mut reader, &host.table).len(), reader.lost()));
    }
}

/// T10: whatever damage says of the next number, a reader looks at no more places than there are, and reads on when the
/// damage is gone: what is new to it, once.
#[test]
fn a_damaged_head_costs_no_more_than_a_lap() {
    let host = Host::new();
    host.append(0..3);
    let mut reader = JournalCursor::from_oldest(&host.table);
    for damage in [u64::MAX, 3, 1 << 40, 3, u64::MAX] {
        host.set_next(damage);
        assert!(reader.read_all(&host.table).len() <= 3, "{damage}");
    }
    host.set_next(3);
    host.append(3..5);
    assert_eq!([record(3), record(4)].as_slice(), reader.read_all(&host.table));
}

/// T10: nor does one that waits for holes wait for more of them.
#[test]
fn a_damaged_head_is_passed_by_a_reader_that_waits() {
    let host = Host::new();
    let mut reader = JournalCursor::from_oldest(&host.table);
    host.set_next(1 << 40);
    let behind = host.tell("db", State::Open);
    let mut read = Vec::new();
    for _ in 0..=RECORDS {
        read.extend(reader.poll(&host.table));
        host.clock.advance(HOLE_US);
    }
    assert_eq!(vec![behind], journaled(&read));
}

/// T10: a record far ahead of the clock is damage's, and hides nothing of what comes after a reset; a slot that is none has
/// no name.
#[test]
fn a_reset_lets_the_journal_go_on() {
    let host = Host::new();
    let now = host.table.clock().now_us();
    let slot = host.table.locate("db", true).expect("there is room");
    let (mut reader, fuse) = (JournalCursor::from_oldest(&host.table), host.table.fuse(slot));
    let ahead = fuse.set(State::Open, now + 7_200_000_000).expect("no hold");
    fuse.write_down(ahead, About::NOTHING);
    assert!(reader.poll(&host.table).is_empty());
    let reset = fuse.command(State::Isolated, || now).expect("a manual override");
    fuse.write_down(reset, About::NOTHING);
    let next = fuse.command(State::Closed, || now + 1).expect("a manual override");
    fuse.write_down(next, About::NOTHING);
    let expected = [State::Isolated, State::Closed];
    let read = |reader: &mut JournalCursor| reader.poll(&host.table).iter().map(|record| record.to).collect::<Vec<_>>();
    assert_eq!(expected.as_slice(), read(&mut reader));
    assert_eq!(expected.as_slice(), read(&mut JournalCursor::from_oldest(&host.table)));
    assert_eq!(None, host.table.name(usize::MAX));
}

/// A head that damage took ahead holds a reader up once, not for each record that is missing.
#[test]
fn many_holes_are_waited_for_together() {
    let host = Host::new();
    let mut reader = JournalCursor::from_oldest(&host.table);
    host.set_next(1_000_000);
    let made = host.tell("db", State::Open);
    assert!(reader.poll(&host.table).is_empty());
    host.clock.advance(HOLE_US);
    assert_eq!(vec![made], journaled(&reader.poll(&host.table)));
}

/// T10: a record of a slot that the table does not have is damage's: it is not read, nor remembered.
#[test]
fn a_record_of_no_slot_is_not_read() {
    let host = Host::new();
    let mut reader = JournalCursor::from_oldest(&host.table);
    let slots = small().slots() as u32;
    for slot in [slots, u32::MAX, slots - 1] {
        host.table.journal().append(Record { slot, ..record(1) });
    }
    let read: Vec<_> = reader.poll(&host.table).iter().map(|record| record.slot).collect();
    assert_eq!(vec![slots - 1], read);
}

/// T10: a reset takes the head back from where the numbers of numbers end, so that what follows stays in sight, for who
/// comes and for who was there.
#[test]
fn a_reset_takes_the_head_back_from_the_end_of_numbers() {
    let host = Host::new();
    host.tell("db", State::Open);
    let mut reader = JournalCursor::from_oldest(&host.table);
    host.set_next(u64::MAX - 1);
    reader.poll(&host.table);
    let store = Store::new(host.table);
    store.forget_all();
    let (table, slot) = (store.table(), store.resolve("db").expect("it was made"));
    let generations =
        |reader: &mut JournalCursor| reader.read_all(table).iter().map(|record| record.generation).collect::<Vec<_>>();
    generations(&mut reader);
    let made = [State::Open, State::HalfOpen, State::Closed].map(|state| {
        let made = slot.fuse().set(state, slot.now_us()).expect("no hold");
        slot.fuse().write_down(made, About::NOTHING);
        made.generation
    });
    assert_eq!(made.as_slice(), generations(&mut reader));
    assert!(generations(&mut JournalCursor::from_oldest(table)).ends_with(&made));
}
