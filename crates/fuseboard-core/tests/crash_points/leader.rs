//! Death of leaders and exporters: each is abandoned before each of its writes.

use fuseboard_core::exported::{EXPORTED, Exported};
use fuseboard_core::leader::{Leader, PURPOSES, Rivals};
use fuseboard_core::sync::crash::abandon_after;

use super::{NOW, SECOND};

/// Whoever dies while it takes the lead has it or has not: the next one leads at the deadline at the latest, in a term that nobody had.
#[test]
fn a_dead_taker_leads_until_its_deadline_or_not_at_all() {
    let mut points = 0;
    for point in 0.. {
        let row = Leader::new();
        assert_eq!(Some(1), row.take(Rivals::Unknown, 7, SECOND, NOW));
        let died = abandon_after(point, || assert_eq!(Some(2), row.take(Rivals::Unknown, 8, SECOND, NOW + SECOND)));
        assert!(!row.renew(3, false, SECOND, NOW + SECOND), "nobody began it");
        let (term, at) = if row.leads(2, NOW + SECOND) {
            assert_eq!(None, row.take(Rivals::Unlocked, 9, SECOND, NOW + SECOND));
            (3, NOW + 2 * SECOND)
        } else {
            (2, NOW + SECOND)
        };
        assert_eq!(Some(term), row.take(Rivals::Unknown, 9, SECOND, at));
        assert!(row.leads(term, at) && row.renew(term, true, SECOND, at) && !row.leads(term - 1, at));
        points = point;
        if !died {
            break;
        }
    }
    assert!(points >= 3, "{points}");
}

/// However many die in a row right behind the step in which they take the lead, no term comes twice.
#[test]
fn terms_grow_though_each_leader_dies() {
    let row = Leader::new();
    for number in 1..100 {
        let at = NOW + number * SECOND;
        assert!(abandon_after(1, || _ = row.take(Rivals::Unknown, 7, SECOND, at)));
        assert!(row.leads(number, at), "{number}");
    }
    assert_eq!(Some(100), row.take(Rivals::Unknown, 7, SECOND, NOW + 100 * SECOND));
}

/// Whoever dies while it renews or resigns has done it or has not.
#[test]
fn a_dead_leader_is_replaced_at_its_deadline() {
    let operations: [fn(&Leader); 2] = [|row| _ = row.renew(1, true, SECOND, NOW), |row| row.resign(1)];
    for (point, operation) in (0..3).flat_map(|point| operations.map(|operation| (point, operation))) {
        let row = Leader::new();
        assert_eq!(Some(1), row.take(Rivals::Unknown, 7, SECOND, NOW));
        _ = abandon_after(point, || operation(&row));
        assert_eq!(Some(2), row.take(Rivals::Unknown, 9, SECOND, NOW + SECOND));
    }
}

/// Whoever dies while it enters a purpose has entered it or has not: it has one row, and others have theirs.
#[test]
fn a_dead_entry_is_the_purposes_or_free() {
    for point in 0..3 {
        let rows: [Leader; PURPOSES] = std::array::from_fn(|_| Leader::new());
        _ = abandon_after(point, || _ = Leader::of(&rows, 5));
        assert_eq!(PURPOSES, (1..=PURPOSES as u64).filter_map(|purpose| Leader::of(&rows, purpose)).count());
    }
}

/// An exporter that dies while it notes what it told leaves counts to be told again, and none that is told by nobody.
#[test]
fn a_dead_exporter_leaves_nothing_out() {
    let totals: [u64; EXPORTED] = std::array::from_fn(|i| 10 + i as u64);
    for point in 0..=EXPORTED as u32 {
        let exported = Exported::new();
        let told = exported.since(|| totals);
        let died = abandon_after(point, || exported.note(&told));
        assert_eq!(point < EXPORTED as u32, died);
        let next = exported.since(|| totals.map(|total| total + 1)).fresh;
        for (number, (fresh, total)) in (0..).zip(next.into_iter().zip(totals)) {
            assert_eq!(if number < point { 1 } else { total + 1 }, fresh);
        }
    }
}
