//! The journal: records that damage wrote, readers that stand anywhere in it, and what it tells after a reset.

use std::collections::HashMap;
use std::sync::Arc;

use fuseboard_core::fuse::Effect;
use fuseboard_core::journal::{About, FIRST_MAX, Journal, RECORDS, Record, SECOND_MAX};
use fuseboard_core::state::State;
use fuseboard_core::sync::Ordering;
use fuseboard_core::time::{STAMP_MAX, is_far_ahead};
use fuseboard_core::transition::Cause;
use fuseboard_core::transition::Transition;
use fuseboard_shm::clock::ManualClock;
use fuseboard_shm::journal_cursor::JournalCursor;
use fuseboard_shm::store::Slot;
use fuseboard_shm::table::Table;

use super::file::Raw;
use super::fuse::{STATES, WRITES, mending_writes};
use super::input::Input;
use super::sound::{self, SECOND};
use super::steps::bounded;
use super::words::stamp;

/// Words of a record with its check word.
const PLACE: usize = 32;
/// Words of the journal's head.
const HEAD: usize = 16;
/// Words of a record behind its check word.
const BODY: usize = PLACE - 1;
/// More shared writes than telling one transition makes.
pub const TELLING_WRITES: u32 = 36;

/// Damages the journal: its head, any word of it, or a place in which a whole and right record then stands.
pub fn damage_journal(raw: &Raw, input: &mut Input<'_>, now: u64) {
    let words = raw.journal();
    match input.choice(4) {
        0 => words[0].store(head(input), Ordering::Release),
        1 => words[input.place(words.len())].store(input.word(), Ordering::Release),
        _ => forge(raw, input, now),
    }
}

/// A number of the next number: small, near the end of all numbers, or any.
fn head(input: &mut Input<'_>) -> u64 {
    match input.choice(4) {
        0 => input.short(),
        1 => u64::MAX - u64::from(input.byte() % 32),
        2 => u64::MAX / 2 + input.short(),
        _ => input.word(),
    }
}

/// Puts a record of any fields into the ring, with the check word that makes it one: at the head, which then counts it, a
/// little before or behind it, or anywhere. It is read as the format says.
fn forge(raw: &Raw, input: &mut Input<'_>, now: u64) {
    let words = raw.journal();
    let next = words[0].load(Ordering::Acquire);
    let number = match input.choice(4) {
        0 | 1 => {
            words[0].store(next.wrapping_add(1), Ordering::Release);
            next
        }
        2 => next.wrapping_add(8).wrapping_sub(u64::from(input.byte())),
        _ => input.word(),
    };
    let place = &words[HEAD + PLACE * (number as usize % RECORDS)..][..PLACE];
    let body = body(input, raw.geometry().slots(), now);
    place[1..].iter().zip(body).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
    place[0].store(check_of(number, &body), Ordering::Release);
}

/// The words of a record: a generation near the time, mostly a slot of the table, and the rest as it comes.
fn body(input: &mut Input<'_>, slots: usize, now: u64) -> [u64; BODY] {
    let mut body = [0; BODY];
    body[0] = stamp(input, now) << 16 | input.short();
    let slot = if input.choice(4) == 0 { input.word() } else { input.choice(slots) as u64 };
    body[1] = input.short() << 32 | slot & u64::from(u32::MAX);
    body[2] = input.word();
    body[3..].fill(input.word());
    body
}

/// The check word of the format, written down a second time.
fn check_of(number: u64, body: &[u64; BODY]) -> u64 {
    let fold = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xbf58_476d_1ce4_e5b9;
        product as u64 ^ (product >> 64) as u64
    };
    body.iter().fold(fold(0, number), |hash, word| fold(hash.rotate_left(29), *word)).max(1)
}

/// Forges a record and reads it; only while nobody else writes.
pub fn a_forged_record_is_read(raw: &Raw, table: &Table, bytes: &[u8], now: u64) {
    raw.clear_journal();
    let mut choices = vec![0];
    choices.extend(bytes);
    forge(raw, &mut Input::new(&choices), now);
    let record = table.journal().read(0).expect("its check word fits");
    check_fields(&record);
    let mut input = Input::new(bytes);
    let body = body(&mut input, raw.geometry().slots(), now);
    let state = |shift: u32| State::from_code((body[0] >> shift & 0b111) as u8);
    let expected = (
        body[0] >> 16,
        state(12),
        state(8),
        Cause::from_code(body[0] as u8),
        body[1] as u32,
        (body[1] >> 32) as u32,
        body[2],
    );
    let Record { generation, from, to, cause, slot, pid, until_us, .. } = record;
    assert_eq!(expected, (generation, from, to, cause, slot, pid, until_us));
}

/// Any record, as a process would have to be broken to write it.
pub fn any_record(input: &mut Input<'_>, slots: usize, now: u64) -> Record {
    let slot = if input.choice(4) == 0 { input.word() as u32 } else { input.choice(slots) as u32 };
    let lengths = [input.choice(FIRST_MAX + 8), input.choice(SECOND_MAX + 8)];
    Record {
        slot,
        generation: if input.choice(8) == 0 { input.word() } else { stamp(input, now) },
        from: STATES[input.choice(STATES.len())],
        to: STATES[input.choice(STATES.len())],
        cause: Cause::from_code(input.byte()),
        pid: input.word() as u32,
        until_us: input.word(),
        about: About::pair(&vec![input.byte(); lengths[0]], &vec![input.byte(); lengths[1]]),
    }
}

/// What holds of each record, whoever wrote it.
fn check_fields(record: &Record) {
    assert!(record.generation <= STAMP_MAX, "{record:?}");
    let [first, second] = record.about.texts();
    assert!(first.len() <= FIRST_MAX && second.len() <= SECOND_MAX, "{record:?}");
}

/// Everything that a ring holds, read by hand.
pub fn check_ring(journal: Journal<'_>, places: u64) {
    let span = journal.span();
    assert!(span.end - span.start <= places, "{span:?}");
    span.filter_map(|number| journal.read(number)).for_each(|record| check_fields(&record));
}

/// A reader, and what is known of where it stands.
pub struct Follower {
    reader: JournalCursor,
    /// Nobody else writes to its table.
    alone: bool,
    lost: u64,
    /// The latest generation that it read of each slot.
    latest: HashMap<u32, u64>,
    /// It has not passed fewer numbers than the first of these, nor more than the second.
    stands: (u64, u64),
}

impl Follower {
    /// A reader of all that is there.
    pub fn from_oldest(table: &Table, alone: bool) -> Self {
        let reader = bounded(0, || JournalCursor::from_oldest(table));
        Self::new(reader, alone, table.journal().oldest())
    }

    /// A reader of what comes.
    pub fn from_now(table: &Table, alone: bool) -> Self {
        let reader = bounded(0, || JournalCursor::from_now(table));
        Self::new(reader, alone, table.journal().next())
    }

    fn new(reader: JournalCursor, alone: bool, at: u64) -> Self {
        assert_eq!(0, reader.lost());
        let stands = if alone { (at, at) } else { (0, u64::MAX) };
        Self { reader, alone, lost: 0, latest: HashMap::new(), stands }
    }

    /// The latest generation that it read of a slot.
    pub fn latest(&self, slot: usize) -> u64 {
        self.latest.get(&(slot as u32)).copied().unwrap_or(0)
    }

    /// The records since the last reading, checked.
    pub fn read(&mut self, table: &Table, waits: bool) -> Vec<Record> {
        let before = table.journal().span();
        let records = bounded(0, || if waits { self.reader.poll(table) } else { self.reader.read_all(table) });
        let after = table.journal().span();
        self.check_records(table, &records);
        assert!(self.lost <= self.reader.lost(), "what is lost is not found again");
        if self.alone {
            self.check_lost(before.start, after.start);
            let least = if waits { before.start.min(after.start) } else { after.end };
            self.stands = (least, before.end.max(after.end));
        }
        self.lost = self.reader.lost();
        records
    }

    /// Each of a slot that there is, of a time that can be, and later than the one before it; no more than there are.
    fn check_records(&mut self, table: &Table, records: &[Record]) {
        // All that the ring holds, and one that stands in each fuse.
        assert!(records.len() <= RECORDS + table.geometry().slots(), "{} records", records.len());
        let now = table.clock().now_us();
        for record in records {
            check_fields(record);
            assert!((record.slot as usize) < table.geometry().slots(), "{record:?}");
            assert!(!is_far_ahead(now, record.generation), "{record:?} at {now}");
            let last = self.latest.insert(record.slot, record.generation);
            assert!(last.is_none_or(|last| last < record.generation), "{record:?} behind {last:?}");
        }
    }

    /// What was lost is what the ring had dropped behind the place where the reader stood.
    fn check_lost(&self, oldest_before: u64, oldest_after: u64) {
        let (low, high) = self.stands;
        let most = self.lost.saturating_add(oldest_before.max(oldest_after).saturating_sub(low));
        let least = self.lost.saturating_add(oldest_before.min(oldest_after).saturating_sub(high));
        assert!((least..=most).contains(&self.reader.lost()), "{} of {least} to {most}", self.reader.lost());
    }
}

/// After a reset the journal tells what happens to this fuse: each transition once, in order, with its cause and whose
/// doing it was; to a reader that begins, to one from then on, and to those that were there before. Whether that could be
/// asked: not where somebody read of a time that is still to come. Only while nobody else writes.
pub fn tells_again(slot: &Slot, place: usize, table: &Table, old: &mut [Follower], clock: &Arc<ManualClock>) -> bool {
    let log_len = table.geometry().log_len();
    bounded(mending_writes(log_len), || slot.fuse().forget(|| clock.now_us()));
    let mut followers = vec![Follower::from_oldest(table, true)];
    followers.iter_mut().chain(&mut *old).for_each(|follower| _ = follower.read(table, false));
    let now = clock.now_us();
    if followers.iter().chain(&*old).any(|follower| follower.latest(place) > now) {
        return false;
    }
    followers.push(Follower::from_now(table, true));
    clock.advance(SECOND);
    let expected = happens_to(slot, place, log_len, clock);
    for follower in followers.iter_mut().chain(old) {
        let mut records = follower.read(table, false);
        records.retain(|record| record.slot as usize == place);
        assert_eq!(expected, records);
        assert!(follower.read(table, true).iter().all(|record| record.slot as usize != place), "told twice");
    }
    true
}

/// What happens to a fuse, as the journal must tell it.
struct Diary<'a> {
    slot: &'a Slot,
    place: usize,
    clock: &'a ManualClock,
    records: Vec<Record>,
}

impl Diary<'_> {
    /// A transition was made; each second of them its maker does not come to write down.
    fn made(&mut self, transition: Transition) {
        let is_written = self.records.len().is_multiple_of(2);
        let about = if is_written { About::new(b"TimeoutError") } else { About::NOTHING };
        if is_written {
            bounded(TELLING_WRITES, || self.slot.fuse().write_down(transition, about));
        }
        let (Transition { from, to, generation, cause }, slot) = (transition, self.place as u32);
        self.records.push(Record { slot, generation, from, to, cause, pid: std::process::id(), until_us: 0, about });
        self.clock.advance(SECOND);
    }
}

/// Every kind of transition; the records that must follow.
fn happens_to(slot: &Slot, place: usize, log_len: usize, clock: &ManualClock) -> Vec<Record> {
    let (fuse, policy, now) = (slot.fuse(), sound::policy(log_len), || clock.now_us());
    let mut diary = Diary { slot, place, clock, records: Vec::new() };
    for state in [State::Isolated, State::Closed, State::Disabled, State::Closed] {
        diary.made(bounded(mending_writes(log_len), || fuse.command(state, now)).expect("a manual override"));
    }
    for _ in 0..policy.threshold {
        let permit = bounded(WRITES, || fuse.admit(&policy, now())).verdict.expect("closed");
        if let Effect::Changed(tripped) = bounded(WRITES, || fuse.failed(&policy, permit, now())) {
            diary.made(tripped);
        }
    }
    clock.advance(policy.reset_us);
    let admission = bounded(WRITES, || fuse.admit(&policy, now()));
    let permit = admission.verdict.expect("a probe");
    diary.made(admission.transition.expect("open to half-open"));
    let effect = bounded(WRITES, || fuse.failed(&policy, permit, now()));
    let Effect::Changed(failed) = effect else { panic!("{effect:?} of a probe that failed") };
    diary.made(failed);
    for state in [State::HalfOpen, State::Closed, State::Open] {
        diary.made(bounded(WRITES, || fuse.set(state, now())).expect("no hold"));
    }
    diary.records
}
