//! How far back the breakers of a fuse look, beside what shares its word (rules R15, R28).

use crate::common::{NOW, Row, SECOND, job, model, race};
use fuseboard_core::state::State;

/// Of two reaches that are noted at once the longer stands, and a change of settings beside them is counted.
#[test]
fn the_longer_of_two_lookbacks_stands_and_no_change_is_lost() {
    model(|| {
        let row = Row::in_state(State::Closed, 2);
        row.fuse().record_failure(SECOND, NOW);
        assert_eq!(None, row.fuse().note_settings(7));
        let reach = |seconds: u64| job(move |row: &Row| row.fuse().note_lookback(seconds * SECOND));
        race(&row, [reach(10), reach(60), job(|row: &Row| assert_eq!(Some(7), row.fuse().note_settings(8)))]);
        let is_idle = |seconds: u64| row.fuse().is_idle_now(NOW + seconds * SECOND);
        assert_eq!((1, false, true), (row.fuse().read().settings_changes, is_idle(60), is_idle(61)));
    });
}
