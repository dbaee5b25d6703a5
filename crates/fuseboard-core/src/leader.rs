//! One leader per host for each purpose: a lease, and a term that grows with each new leader.
//!
//! A row has three words that decide. `purpose` says whose the row is: a hash, taken once by compare-and-swap and never
//! released. `lease` holds the deadline (48 bits), whether the leader has the purpose's lock (1 bit), and the low bits
//! of the term (15). `term` is the whole number of the term.
//!
//! Every step is one compare-and-swap of `lease`. A process that takes the lead begins the next term with that swap,
//! and writes `term` after it. If it dies in between, `term` is one behind. Readers add the difference that the low
//! bits show, so nobody has to mend it. A leader that renews or resigns swaps the lease that it read, and only if that
//! lease is of its own term. So a leader that was stopped while another took over can neither make the other's lease
//! longer nor end it.
//!
//! The lock is no word of the table. It is a lock of the system on a file beside the table, and the system releases it
//! when the process dies. A process that gets the lock and finds a lease that says "its leader has the lock" knows that
//! this leader is dead, and takes over before the deadline. A leader without the lock is replaced at its deadline only,
//! dead or not.
//!
//! **The race that looks wrong and is not.** A leader whose deadline has passed may renew its lease, in the same term.
//! Nobody else has led in between, because each new leader changes the low bits.

use crate::sync::{AtomicU64, Ordering};
use crate::time::{STAMP_MAX, remaining};

/// Purposes that a table has room for.
pub const PURPOSES: usize = 8;
/// The longest lease, in microseconds.
pub const LEASE_MAX_US: u64 = 60 * 60 * 1_000_000;
/// How far off a deadline may be and still be believed (rule R14). More than the longest lease, because a reader may
/// have read its clock before the leader did, and been stopped since.
pub const BELIEVED_US: u64 = 2 * LEASE_MAX_US;

const LOW_BITS: u32 = 15;
const LOW_MASK: u64 = (1 << LOW_BITS) - 1;
const LOCKED: u64 = 1 << LOW_BITS;
const STAMP_SHIFT: u32 = LOW_BITS + 1;

/// The row of one purpose. Any bytes are a valid one; zeroes are one that nobody has.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Leader {
    purpose: AtomicU64,
    lease: AtomicU64,
    term: AtomicU64,
    /// The leader's process, for people.
    pid: AtomicU64,
    reserved: [AtomicU64; 4],
}

/// What a process that would take the lead knows about other leaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rivals {
    /// Nothing: there may be one, until its deadline.
    Unknown,
    /// The caller has the lock, so a leader that had it is dead.
    Unlocked,
    /// There are none: the table is this process's own.
    None,
}

impl Leader {
    /// A lease that nobody has.
    #[must_use]
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { purpose: zero(), lease: zero(), term: zero(), pid: zero(), reserved: std::array::from_fn(|_| zero()) }
    }

    /// The row of a purpose, by its hash (not 0), which takes one if it has none; `None` if all are other purposes'.
    /// Rows are tried in one order and never removed, so a purpose has one.
    #[must_use]
    pub fn of(rows: &[Self], purpose: u64) -> Option<&Self> {
        // Relaxed: the row's other words are its own story.
        let take = |row: &Self| row.purpose.compare_exchange(0, purpose, Ordering::Relaxed, Ordering::Relaxed);
        rows.iter().find(|row| match row.purpose.load(Ordering::Relaxed) {
            0 => take(row).map_or_else(|other| other == purpose, |_| true),
            found => found == purpose,
        })
    }

    /// Whether a purpose has a row, or there is one to take. Takes none.
    #[must_use]
    pub fn has_room(rows: &[Self], purpose: u64) -> bool {
        rows.iter().any(|row| [0, purpose].contains(&row.purpose.load(Ordering::Relaxed)))
    }

    /// Takes the lead for `lease_us` microseconds, unless somebody else has it; the new term. If this process leads
    /// already, ask [`Self::renew`] first: this would begin another term.
    #[must_use]
    pub fn take(&self, rivals: Rivals, pid: u32, lease_us: u64, now_us: u64) -> Option<u64> {
        loop {
            let Seen { lease, known, term } = self.read();
            let is_dead = match rivals {
                Rivals::Unknown => false,
                Rivals::Unlocked => lease & LOCKED != 0,
                Rivals::None => true,
            };
            if !is_dead && is_running(lease, now_us) {
                return None;
            }
            // 0 is nobody's.
            let next = term.wrapping_add(1).max(1);
            let taken = lease_word(next, rivals == Rivals::Unlocked, lease_us, now_us);
            // AcqRel: this leader sees what the last one did before it lost the lead.
            if self.lease.compare_exchange(lease, taken, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                // Fails if another leader writes too; then the term is one more behind.
                _ = self.term.compare_exchange(known, next, Ordering::Relaxed, Ordering::Relaxed);
                self.pid.store(u64::from(pid), Ordering::Relaxed);
                return Some(next);
            }
        }
    }

    /// Leads on in `term` for `lease_us` microseconds from now; `false`, and nothing changes, if another term has
    /// begun.
    #[must_use]
    pub fn renew(&self, term: u64, is_locked: bool, lease_us: u64, now_us: u64) -> bool {
        self.step(term, |_| lease_word(term, is_locked, lease_us, now_us))
    }

    /// Ends `term`, if it has not ended: the lead is anybody's.
    pub fn resign(&self, term: u64) {
        _ = self.step(term, |lease| lease & LOW_MASK);
    }

    /// Whether `term` is the last one that has begun, and its lease has not run out. It was so a moment ago: before you
    /// act, [`Self::renew`].
    #[must_use]
    pub fn leads(&self, term: u64, now_us: u64) -> bool {
        let seen = self.read();
        seen.term == term && is_running(seen.lease, now_us)
    }

    /// The process that leads, for people; `None` if nobody does.
    #[must_use]
    pub fn pid(&self, now_us: u64) -> Option<u32> {
        is_running(self.read().lease, now_us).then(|| self.pid.load(Ordering::Relaxed) as u32)
    }

    /// Changes the lease of a term that has not ended; whether it did.
    fn step(&self, term: u64, change: impl Fn(u64) -> u64) -> bool {
        loop {
            let Seen { lease, term: current, .. } = self.read();
            if current != term {
                return false;
            }
            // Fails if another thread of this process, or another leader, was faster.
            if self.lease.compare_exchange(lease, change(lease), Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return true;
            }
        }
    }

    /// The lease, and its term. If another term begins meanwhile, the two may not belong together. Then the lease has
    /// changed, so a swap of it fails.
    fn read(&self) -> Seen {
        // Acquire: the number that is known is behind by no more than the leaders whose writing of it was lost.
        let lease = self.lease.load(Ordering::Acquire);
        let known = self.term.load(Ordering::Relaxed);
        Seen { lease, known, term: known.wrapping_add(lease.wrapping_sub(known) & LOW_MASK) }
    }
}

struct Seen {
    lease: u64,
    /// What stands in the word of the term.
    known: u64,
    /// The term of the lease.
    term: u64,
}

impl Default for Leader {
    fn default() -> Self {
        Self::new()
    }
}

fn lease_word(term: u64, is_locked: bool, lease_us: u64, now_us: u64) -> u64 {
    let deadline_us = now_us.saturating_add(lease_us.min(LEASE_MAX_US)).min(STAMP_MAX);
    deadline_us << STAMP_SHIFT | if is_locked { LOCKED } else { 0 } | term & LOW_MASK
}

fn is_running(lease: u64, now_us: u64) -> bool {
    remaining(now_us, lease >> STAMP_SHIFT).is_some_and(|left_us| left_us <= BELIEVED_US)
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const NOW: u64 = 1_000 * SECOND;

    fn take(row: &Leader, rivals: Rivals, now_us: u64) -> Option<u64> {
        row.take(rivals, 7, SECOND, now_us)
    }

    fn row(purpose: u64, lease: u64, term: u64) -> Leader {
        let row = Leader::new();
        for (word, value) in [(&row.purpose, purpose), (&row.lease, lease), (&row.term, term)] {
            word.store(value, Ordering::Relaxed);
        }
        row
    }

    #[test]
    fn a_leader_leads_until_its_lease_runs_out_and_the_next_one_has_a_later_term() {
        let row = Leader::new();
        assert_eq!(Some(1), take(&row, Rivals::Unknown, NOW));
        assert_eq!((true, Some(7)), (row.leads(1, NOW), row.pid(NOW)));
        assert_eq!(None, take(&row, Rivals::Unknown, NOW + SECOND - 1));
        assert!(row.renew(1, false, SECOND, NOW + SECOND - 1));
        assert_eq!(None, take(&row, Rivals::Unknown, NOW + 2 * SECOND - 2));
        assert_eq!((false, None), (row.leads(1, NOW + 2 * SECOND), row.pid(NOW + 2 * SECOND)));
        assert_eq!(Some(2), take(&row, Rivals::Unknown, NOW + 2 * SECOND));
        assert_eq!((false, true), (row.leads(1, NOW), row.leads(2, NOW + 2 * SECOND)));
    }

    /// Nobody led in between: it is the same term.
    #[test]
    fn a_leader_that_is_late_leads_on_if_nobody_has_taken_over() {
        let row = Leader::new();
        assert_eq!(Some(1), take(&row, Rivals::Unlocked, NOW));
        assert!(row.renew(1, true, SECOND, NOW + 9 * SECOND));
        assert!(row.leads(1, NOW + 9 * SECOND));
    }

    /// Who comes back neither leads, nor makes the next one's lease longer, nor ends it.
    #[test]
    fn a_leader_that_was_replaced_changes_nothing() {
        let row = Leader::new();
        assert_eq!((Some(1), Some(2)), (take(&row, Rivals::Unlocked, NOW), take(&row, Rivals::Unknown, NOW + SECOND)));
        row.resign(1);
        assert!(!row.renew(1, true, SECOND, NOW + SECOND));
        assert_eq!((false, true), (row.leads(1, NOW + SECOND), row.leads(2, NOW + SECOND)));
        assert_eq!(None, take(&row, Rivals::Unlocked, NOW + SECOND), "the second never had the lock");
    }

    #[test]
    fn a_leader_that_had_the_lock_is_dead_once_somebody_else_has_it() {
        let row = Leader::new();
        assert_eq!((Some(1), Some(2)), (take(&row, Rivals::Unlocked, NOW), take(&row, Rivals::Unlocked, NOW)));
        assert!(row.renew(2, false, SECOND, NOW));
        assert_eq!(None, take(&row, Rivals::Unlocked, NOW), "this one does not have it");
        assert!(row.renew(2, true, SECOND, NOW));
        assert_eq!((None, Some(3)), (take(&row, Rivals::Unknown, NOW), take(&row, Rivals::Unlocked, NOW)));
    }

    #[test]
    fn who_resigns_leaves_the_lead_to_anybody() {
        let row = Leader::new();
        assert_eq!(Some(1), take(&row, Rivals::Unlocked, NOW));
        row.resign(1);
        assert_eq!((false, Some(2)), (row.leads(1, NOW), take(&row, Rivals::Unknown, NOW)));
    }

    /// In a table of this process's own the one that leads there is this process, or its parent's copy.
    #[test]
    fn without_rivals_anybody_takes_the_lead() {
        let row = Leader::new();
        assert_eq!((Some(1), Some(2)), (take(&row, Rivals::None, NOW), take(&row, Rivals::None, NOW)));
    }

    /// Also where the low bits in the lease go round, and where the word of the term was left behind.
    #[test]
    fn terms_grow() {
        for (lease, known, next) in [
            (LOW_MASK, LOW_MASK, LOW_MASK + 1),
            (0, LOW_MASK + 1, LOW_MASK + 2),
            (3, 1, 4),
            (0, LOW_MASK, LOW_MASK + 2),
            (LOW_MASK, u64::MAX, 1),
        ] {
            let row = row(1, lease, known);
            assert_eq!(Some(next), take(&row, Rivals::Unknown, NOW), "{lease:#x} {known:#x}");
            assert_eq!((true, next), (row.leads(next, NOW), row.term.load(Ordering::Relaxed)));
        }
    }

    /// R14: a deadline far beyond the longest lease is damage. One that is a little farther off is a leader's whose
    /// clock is ahead.
    #[test]
    fn a_deadline_far_beyond_the_longest_lease_is_expired() {
        for (left_us, is_led) in [(BELIEVED_US, true), (BELIEVED_US + 1, false)] {
            let row = row(1, (NOW + left_us) << STAMP_SHIFT | 4, 4);
            assert_eq!(is_led, row.leads(4, NOW));
            assert_eq!(is_led, take(&row, Rivals::Unknown, NOW).is_none());
        }
        let row = Leader::new();
        assert_eq!(Some(1), row.take(Rivals::Unknown, 7, u64::MAX, NOW + SECOND));
        assert_eq!(None, take(&row, Rivals::Unknown, NOW));
    }

    /// T10: whatever stands in a row, somebody takes the lead within twice the longest lease, and nobody has it beside
    /// it.
    #[test]
    fn any_words_are_a_row() {
        let words = [0, 1, LOW_MASK, LOCKED, NOW << STAMP_SHIFT, (NOW + SECOND) << STAMP_SHIFT | 5, u64::MAX];
        for (lease, known) in words.into_iter().flat_map(|lease| words.map(|known| (lease, known))) {
            let row = row(9, lease, known);
            _ = (row.leads(0, NOW), row.pid(NOW));
            let later = NOW + BELIEVED_US;
            let term = take(&row, Rivals::Unknown, later).expect("no deadline is believed for longer");
            assert!(term != 0 && row.leads(term, later) && row.renew(term, true, SECOND, later));
            assert_eq!(None, take(&row, Rivals::Unknown, later));
            row.resign(term);
            assert!(!row.leads(term, later));
        }
    }

    #[test]
    fn each_purpose_has_a_row_while_there_are_any() {
        let rows: [Leader; PURPOSES] = std::array::from_fn(|_| Leader::new());
        let place =
            |purpose| Leader::of(&rows, purpose).map(|found| rows.iter().position(|row| std::ptr::eq(row, found)));
        for purpose in 1..=PURPOSES as u64 {
            assert_eq!([Some(Some(purpose as usize - 1)); 2], [place(purpose), place(purpose)]);
        }
        assert_eq!((None, Some(Some(2))), (place(9), place(3)));
    }
}
