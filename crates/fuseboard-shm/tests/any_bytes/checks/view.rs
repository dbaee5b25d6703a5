//! Everything that reads, on a table mapped for reading only: a write would end the process, and a changed word is noticed.

use std::hint::black_box;
use std::sync::Arc;

use fuseboard_core::journal::RECORDS;
use fuseboard_core::sync::Ordering;
use fuseboard_shm::clock::{Clock, ManualClock};
use fuseboard_shm::journal_cursor::JournalCursor;
use fuseboard_shm::open::look;
use fuseboard_shm::table::View;

use super::file::{Bed, Raw};
use super::steps::bounded;
use super::table::{NAMES, name};
use super::words::NOW;

/// Reads all that a table says, whatever its bytes; not one word changes. Only while nobody else writes.
pub fn a_look_changes_nothing(bed: &Bed, table: &str, raw: &Raw) {
    let before = words(raw);
    let clock = Arc::new(ManualClock::new(NOW));
    let view = look(table, Some(bed.folder()), Clock::Manual(Arc::clone(&clock))).expect("a sound header");
    // None of the table's: the clock that is moved is a word of its own, four times.
    bounded(4, || {
        let mut readers = [JournalCursor::from_oldest(&view), JournalCursor::from_now(&view)];
        for _ in 0..2 {
            read_all_of(&view);
            for reader in &mut readers {
                let cursor = reader.cursor(&view);
                let mut resumed = JournalCursor::resumed(&view, &cursor).expect("just there");
                assert_eq!((cursor.clone(), Ok(cursor.clone())), (resumed.cursor(&view), cursor.to_string().parse()));
                assert!(resumed.poll(&view).len() <= RECORDS + view.geometry().slots());
                assert!(reader.poll(&view).len() <= RECORDS + view.geometry().slots());
                clock.advance(2_000_000);
                assert!(reader.read_all(&view).len() <= RECORDS + view.geometry().slots());
            }
        }
        // The second time everything was told, also what stands in the fuses alone.
        readers.iter_mut().for_each(|reader| _ = reader.read_all(&view));
        readers.iter_mut().for_each(|reader| assert!(reader.read_all(&view).is_empty(), "told twice"));
    });
    assert!(before == words(raw), "a look has changed a word");
}

fn words(raw: &Raw) -> Vec<u64> {
    raw.words().iter().map(|word| word.load(Ordering::Acquire)).collect()
}

/// Calls everything that a view has.
fn read_all_of(view: &View) {
    let now = view.clock().now_us();
    let claims = view.used_claims().map(|(claim, _)| claim).chain(view.claims());
    for claim in claims.chain((0..NAMES).filter_map(|number| view.find(&name(number)))) {
        let known = (view.name_of(claim), view.maker(claim), view.word(claim), view.snapshot(claim, now));
        black_box(known);
        black_box((view.name(claim.slot), view.name_then(claim.slot, now)));
        if let Some((reading, _)) = view.snapshot(claim, now) {
            black_box((
                view.override_note(claim.slot, reading.word.generation()),
                view.settings(reading.word.generation()),
            ));
        }
    }
    black_box((view.taken().count(), view.unjournaled(), view.is_removed(), view.looks(&name(0))));
    view.numbers().for_each(|number| _ = black_box(view.record(number)));
}
