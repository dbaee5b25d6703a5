//! Manual overrides with an end: beside each other, and beside the calls that end them (rule R12).

use std::sync::Arc;

use crate::common::{NOW, POLICY, Row, SECOND, job, model, race};
use fuseboard_core::overrides::{Override, OverrideNote, OverrideNotes};
use fuseboard_core::state::State;
use fuseboard_core::transition::Transition;

struct Desk {
    row: Arc<Row>,
    said: [OverrideNote; 1],
}

impl Desk {
    fn isolated_for(for_us: u64) -> Arc<Self> {
        let desk = Self { row: Row::in_state(State::Closed, 2), said: [OverrideNote::default()] };
        desk.isolate(for_us, NOW);
        Arc::new(desk)
    }

    /// An override; what it leaves behind is its own end, or that of a later one.
    fn isolate(&self, for_us: u64, now_us: u64) -> Transition {
        let order = Override { for_us, ..Override::new(State::Isolated) };
        self.row.fuse().apply_override(&order, OverrideNotes::new(&self.said, 0), || now_us).expect("nobody else's")
    }

    /// How long the override lasts that stands in the end.
    fn override_lasts_us(&self) -> Option<u64> {
        let word = self.row.fuse().word();
        assert_eq!(State::Isolated, word.state());
        self.row.fuse().until_us(word).map(|until_us| until_us - word.generation())
    }
}

/// The last of two overrides counts, with its own end: another one, or none.
#[test]
fn the_later_of_two_overrides_has_its_own_end() {
    for ends in [[10 * SECOND, 20 * SECOND], [10 * SECOND, 0], [0, 20 * SECOND]] {
        model(move || {
            let desk = Desk::isolated_for(5 * SECOND);
            let isolate = |for_us: u64| job(move |desk: &Desk| (for_us, desk.isolate(for_us, NOW + SECOND)));
            let made = race(&desk, ends.map(isolate));
            let (for_us, _) = made.iter().max_by_key(|(_, made)| made.generation).expect("two");
            assert_eq!((*for_us > 0).then_some(*for_us), desk.override_lasts_us(), "{made:?}");
        });
    }
}

/// Of two calls that come behind the end of an isolation one makes the fuse half-open, and one is the probe.
#[test]
fn an_isolation_whose_time_is_over_ends_once() {
    model(|| {
        let desk = Desk::isolated_for(10 * SECOND);
        let ask = || job(|desk: &Desk| desk.row.fuse().admit(&POLICY, NOW + 11 * SECOND));
        let answers = race(&desk, [ask(), ask()]);
        let made = answers.iter().filter(|answer| answer.transition.is_some()).count();
        let passed = answers.iter().filter(|answer| answer.verdict.is_ok()).count();
        assert_eq!((1, 1, State::HalfOpen), (made, passed, desk.row.fuse().word().state()), "{answers:?}");
    });
}

/// A call that finds the time of one override over undoes no other that an operator makes meanwhile.
#[test]
fn a_call_ends_no_override_but_the_one_it_has_seen() {
    model(|| {
        let desk = Desk::isolated_for(10 * SECOND);
        let later = NOW + 11 * SECOND;
        let ask = job(move |desk: &Desk| _ = desk.row.fuse().admit(&POLICY, later));
        let isolate = job(move |desk: &Desk| _ = desk.isolate(0, later));
        race(&desk, [ask, isolate]);
        assert_eq!(None, desk.override_lasts_us());
    });
}
