//! Leaders and exporters on a table of any bytes.

use std::sync::Arc;

use fuseboard_core::exported::EXPORTED;
use fuseboard_core::leader::{BELIEVED_US, PURPOSES};
use fuseboard_shm::clock::ManualClock;
use fuseboard_shm::leading::Candidate;
use fuseboard_shm::store::Store;

use super::sound::SECOND;
use super::steps::bounded;

/// Whatever stands in the table, a purpose has a leader within twice the longest lease, or the table knows as many others as it has room
/// for; and what an exporter has told of a fuse is not told again. Only while nobody else writes.
pub fn leads_and_exports(store: &Store, clock: &Arc<ManualClock>) {
    // One in the table, and what an exporter notes of each fuse.
    let Some(candidate) = bounded(PURPOSES as u32, || Candidate::new(store.table(), "metrics")) else { return };
    _ = bounded(4, || candidate.lead(SECOND));
    clock.advance(BELIEVED_US);
    let term = bounded(4, || candidate.lead(SECOND)).expect("no deadline is believed for longer");
    assert_eq!((Some(term), Some(std::process::id())), (candidate.term(), candidate.pid()));
    for slot in store.slots().iter().filter(|slot| !slot.overflowed()) {
        let Some(delta) = bounded(EXPORTED as u32, || slot.unexported()) else { continue };
        bounded(EXPORTED as u32, || slot.note_exported(&delta));
        assert_eq!(None, slot.unexported());
    }
    bounded(1, || candidate.resign());
    assert_eq!(None, candidate.term());
}
