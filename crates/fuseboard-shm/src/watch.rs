//! When a store looks whether it is still on the host's table.
//!
//! A store's table may not be the one that other stores of its name have. It may be a table of this process's own,
//! because the host's could not be had for a moment; or a host's table whose file was removed since. Then there may be
//! another table by now, and the store must go on with that one. No thread and no timer waits for it: calls look, at
//! most once a second.
//!
//! All tables of a store share one watch. It belongs to this process and is no part of the protocol.

use std::sync::atomic::AtomicBool;

use fuseboard_core::sync::{AtomicU64, Ordering};

/// How long after a look the next one may be, in microseconds.
const LOOK_US: u64 = 1_000_000;
/// After this many looks that find no table the time between two looks stops doubling: 16 s.
const DOUBLINGS: u64 = 4;

/// Later than any clock shows.
const NEVER: u64 = u64::MAX;

/// Who uses a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// This process alone, as it should be.
    Own,
    /// This process alone, because it could not have the host's table.
    Stopgap,
    /// The host, as long as the file is there.
    Host,
}

/// When to look.
#[derive(Debug)]
pub(crate) struct Watch {
    scope: Scope,
    /// When the next look may be.
    next_us: AtomicU64,
    /// How many looks for the host's table have found none.
    vain: AtomicU64,
    /// Whether the store has gone on to another table.
    is_left: AtomicBool,
}

impl Watch {
    pub(crate) fn new(scope: Scope, now_us: u64) -> Self {
        let next_us = AtomicU64::new(now_us + LOOK_US);
        Self { scope, next_us, vain: AtomicU64::new(0), is_left: AtomicBool::new(false) }
    }

    /// The watch of a stopgap whose cause does not pass, so that nobody looks.
    pub(crate) fn never() -> Self {
        let watch = Self::new(Scope::Stopgap, 0);
        watch.next_us.store(NEVER, Ordering::Relaxed);
        watch
    }

    /// Whether anybody ever looks. If not, the clock need not be asked.
    pub(crate) fn looks(&self) -> bool {
        self.scope != Scope::Own && self.next_us.load(Ordering::Relaxed) != NEVER
    }

    pub(crate) const fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether the store has gone on to another table.
    pub(crate) fn is_left(&self) -> bool {
        self.is_left.load(Ordering::Relaxed)
    }

    /// The store has gone on to another table: so do all that have fuses here.
    pub(crate) fn leave(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }

    /// Whether it is time for a look.
    pub(crate) fn is_due(&self, now_us: u64) -> bool {
        self.scope != Scope::Own && now_us >= self.next_us.load(Ordering::Relaxed)
    }

    /// Whether the caller looks now: of several threads that ask at once, one does.
    pub(crate) fn take_turn(&self, now_us: u64) -> bool {
        let last_us = self.next_us.load(Ordering::Relaxed);
        let next_us = now_us + (LOOK_US << self.vain.load(Ordering::Relaxed).min(DOUBLINGS));
        let is_mine = || self.next_us.compare_exchange(last_us, next_us, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        let has_turn = self.scope != Scope::Own && now_us >= last_us && is_mine();
        if has_turn && self.scope == Scope::Stopgap {
            self.vain.fetch_add(1, Ordering::Relaxed);
        }
        has_turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When looks are, of one who asks every 100 ms for a minute.
    fn looks(scope: Scope) -> Vec<u64> {
        let watch = Watch::new(scope, 5 * LOOK_US);
        (50..=650).filter(|tenth| watch.take_turn(tenth * LOOK_US / 10)).map(|tenth| tenth / 10).collect()
    }

    /// At most one a second, and farther and farther apart, up to 16 s.
    #[test]
    fn looks_for_the_hosts_table_are_farther_and_farther_apart() {
        assert_eq!(vec![6, 7, 9, 13, 21, 37, 53], looks(Scope::Stopgap));
    }

    #[test]
    fn looks_at_a_hosts_table_are_a_second_apart() {
        assert_eq!((6..=65).collect::<Vec<_>>(), looks(Scope::Host));
    }

    #[test]
    fn nobody_looks_for_another_table_than_a_private_one() {
        assert_eq!(Vec::<u64>::new(), looks(Scope::Own));
        assert!(!Watch::new(Scope::Own, 0).is_due(1 << 60));
    }

    #[test]
    fn nobody_looks_from_a_stopgap_of_a_lasting_cause() {
        let watch = Watch::never();
        assert!(!watch.looks() && !watch.is_due(1 << 60) && !watch.take_turn(1 << 60));
        assert_eq!([false, true, true], [Scope::Own, Scope::Stopgap, Scope::Host].map(|it| Watch::new(it, 0).looks()));
    }

    #[test]
    fn a_turn_is_one_caller_s() {
        let watch = Watch::new(Scope::Stopgap, 0);
        assert!(!watch.is_due(LOOK_US - 1) && !watch.take_turn(LOOK_US - 1));
        assert!(watch.is_due(LOOK_US));
        assert_eq!([true, false], [watch.take_turn(LOOK_US), watch.take_turn(LOOK_US)]);
    }

    #[test]
    fn a_table_is_left_once() {
        let watch = Watch::new(Scope::Host, 0);
        assert!(!watch.is_left());
        watch.leave();
        assert!(watch.is_left());
    }
}
