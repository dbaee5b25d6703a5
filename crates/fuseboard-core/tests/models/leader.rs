//! Leaders: who takes the lead at once, and holders that were stopped while another took over.

use std::sync::Arc;

use crate::common::{NOW, SECOND, job, model, race};
use fuseboard_core::leader::{Leader, Rivals};

/// The terms of those who lead by what they were told.
type Journaled = Option<u64>;

fn take(rivals: Rivals, now_us: u64) -> impl FnOnce(&Leader) -> Journaled + Send {
    move |row| row.take(rivals, 1, SECOND, now_us)
}

fn renew(term: u64, now_us: u64) -> impl FnOnce(&Leader) -> Journaled + Send {
    move |row| row.renew(term, true, SECOND, now_us).then_some(term)
}

/// A lease that this process's rival took at [`NOW`] in the first term, with the lock.
fn led() -> Arc<Leader> {
    let row = Arc::new(Leader::new());
    assert_eq!(Some(1), row.take(Rivals::Unlocked, 1, SECOND, NOW));
    row
}

/// Of three that find nobody one leads, in the first term; the others are told so.
#[test]
fn one_of_those_who_come_at_once_leads() {
    model(|| {
        let row = Arc::new(Leader::new());
        let [first, second] = [(); 2].map(|()| job(take(Rivals::Unknown, NOW)));
        let told = race(&row, [first, second, job(take(Rivals::Unlocked, NOW))]);
        assert_eq!(vec![1], told.into_iter().flatten().collect::<Vec<_>>());
        assert!(row.leads(1, NOW));
    });
}

/// A holder renews at the last moment, while somebody whose clock is a moment ahead finds the lease expired: one of them leads.
#[test]
fn a_holder_renews_or_is_replaced() {
    model(|| {
        let row = led();
        let told = race(&row, [job(renew(1, NOW + SECOND - 1)), job(take(Rivals::Unknown, NOW + SECOND))]);
        assert!([[Some(1), None], [None, Some(2)]].contains(&told), "{told:?}");
        let term = told[0].or(told[1]).expect("one leads");
        assert!(row.leads(term, NOW + SECOND) && !row.leads(3 - term, NOW + SECOND));
    });
}

/// Of a dead holder's lock and its expired lease each is taken by somebody else: one of the two leads, and no term has two leaders.
#[test]
fn one_of_the_heirs_leads() {
    model(|| {
        let row = led();
        let [one, other] = [Rivals::Unlocked, Rivals::Unknown].map(|rivals| job(take(rivals, NOW + SECOND)));
        let told = race(&row, [one, other]);
        assert_eq!(vec![2], told.into_iter().flatten().collect::<Vec<_>>());
    });
}

/// A holder that was stopped and goes on resigns or renews in its old term; the next leader's lease is as it was.
#[test]
fn a_holder_that_was_replaced_ends_nothing() {
    model(|| {
        let row = led();
        let resign = job(|row: &Leader| {
            row.resign(1);
            None
        });
        let [_, next] = race(&row, [resign, job(take(Rivals::Unknown, NOW + SECOND))]);
        assert_eq!((Some(2), true), (next, row.leads(2, NOW + SECOND)));
        assert!(!row.renew(1, true, SECOND, NOW + SECOND));
    });
}

/// Leaders that follow each other while the number of the term is still being written: each term is later than the one before.
#[test]
fn no_term_has_two_leaders() {
    model(|| {
        let row = Arc::new(Leader::new());
        let told =
            race(&row, [job(take(Rivals::None, NOW)), job(take(Rivals::None, NOW)), job(take(Rivals::None, NOW))]);
        let mut terms: Vec<_> = told.into_iter().flatten().collect();
        let last = terms.len() as u64;
        terms.sort_unstable();
        assert_eq!((1..=last).collect::<Vec<_>>(), terms, "each that swapped began a term of its own");
        assert!(row.leads(last, NOW));
    });
}

/// Purposes that come at once have a row each, and those of one purpose have one.
#[test]
fn each_purpose_has_one_row() {
    model(|| {
        let rows = Arc::new([Leader::new(), Leader::new()]);
        let find = |purpose| {
            job(move |rows: &[Leader; 2]| {
                let found = Leader::of(rows, purpose).expect("room for two");
                rows.iter().position(|row| std::ptr::eq(row, found))
            })
        };
        let [one, same, other] = race(&rows, [find(5), find(5), find(6)]);
        assert!(one == same && one != other, "{one:?} {same:?} {other:?}");
    });
}
