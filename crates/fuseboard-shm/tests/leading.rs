//! One process of the host leads: locks and forks, files that are removed, and tables of one process.
mod common;

use std::fs;
use std::os::fd::FromRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use common::{Folder, SECOND, in_child, small};
use fuseboard_shm::clock::Clock;
use fuseboard_shm::leading::Candidate;
use fuseboard_shm::table::Table;

/// A lease that no test outlasts: who takes over before it runs out knows that the leader is gone.
const LONG: u64 = 3_600 * SECOND;
const PURPOSE: &str = "metrics";

fn candidate(table: &Table) -> Candidate<'_> {
    Candidate::new(table, PURPOSE).expect("room for it")
}

/// The term that this process leads in, 0 if it does not.
fn lead(table: &Table) -> u64 {
    candidate(table).lead(LONG).unwrap_or(0)
}

fn locks(folder: &Folder) -> Vec<PathBuf> {
    folder.names().iter().filter(|name| name.ends_with(".lock")).map(|name| folder.0.join(name)).collect()
}

/// This process's descriptors of files whose path ends so.
fn descriptors(end: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc/self/fd").expect("a /proc").flatten();
    let leads_there = |path: &Path| fs::read_link(path).is_ok_and(|to| to.to_string_lossy().contains(end));
    let ours = entries.filter(|entry| leads_there(&entry.path()));
    ours.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A child does not lead because its parent does, and what it does with the lock takes nothing from the parent.
#[test]
fn a_child_does_not_lead_and_takes_nothing_from_its_parent() {
    let folder = Folder::new();
    let table = folder.table("shop");
    assert_eq!(1, lead(&table));
    let in_child_of_a_leader = || {
        assert_eq!((None, 0), (candidate(&table).term(), lead(&table)));
        candidate(&table).resign();
        0
    };
    assert_eq!([0, 0], [(); 2].map(|()| in_child(in_child_of_a_leader)));
    assert_eq!(0, in_child(|| lead(&table)), "the lock is still the parent's");
    assert_eq!((Some(1), 1), (candidate(&table).term(), lead(&table)));
}

/// Whoever has died has left the lead, however long its lease is.
#[test]
fn a_dead_leader_is_replaced_at_once() {
    let folder = Folder::new();
    let table = folder.table("shop");
    assert_eq!([1, 2], [(); 2].map(|()| in_child(|| lead(&table))));
    assert_eq!(3, lead(&table));
}

/// All candidates of a process for one purpose are one, by whatever store: another does not lose it the lock.
#[test]
fn candidates_of_one_process_lead_together() {
    let folder = Folder::new();
    let (table, again) = (folder.table("shop"), folder.table("shop"));
    assert_eq!([1, 1], [lead(&table), lead(&again)]);
    drop(again);
    assert_eq!(
        vec![1],
        locks(&folder).iter().map(|path| descriptors(&path.to_string_lossy()).len()).collect::<Vec<_>>()
    );
    assert_eq!(0, in_child(|| lead(&table)), "the lock is held");
    candidate(&folder.table("shop")).resign();
    assert_eq!((None, 2), (candidate(&table).term(), in_child(|| lead(&table))));
}

/// Purposes and stores have leaders of their own.
#[test]
fn each_purpose_of_each_store_has_a_leader() {
    let folder = Folder::new();
    let (shop, bank) = (folder.table("shop"), folder.table("bank"));
    assert_eq!([1, 1], [lead(&shop), lead(&bank)]);
    let agent = Candidate::new(&shop, "agent").expect("room for it");
    assert_eq!(1, in_child(|| agent.lead(LONG).unwrap_or(0)));
    assert_eq!(0, in_child(|| lead(&shop) + lead(&bank)));
    assert_eq!(3, locks(&folder).len());
}

/// A lock's file is nobody else's to open, whatever the umask is.
#[test]
fn the_locks_file_is_private() {
    let folder = Folder::new();
    let table = folder.table("shop");
    let modes_under = |mask| {
        // SAFETY: takes a number only; the child runs this alone.
        unsafe { libc::umask(mask) };
        assert_ne!(0, lead(&table));
        let mode = |path: &PathBuf| fs::metadata(path).expect("it is there").permissions().mode();
        locks(&folder).iter().map(mode).fold(0, |all, mode| all | u64::from(mode & 0o7777))
    };
    assert_eq!([0o600, 0o600], [0o777, 0].map(|mask| in_child(|| modes_under(mask))));
}

/// Whoever removes the lock's file brings about a change of leaders; then there is a lock again.
#[test]
fn a_removed_lock_is_made_again() {
    let folder = Folder::new();
    let table = folder.table("shop");
    assert_eq!(1, lead(&table));
    fs::remove_file(&locks(&folder)[0]).expect("it is there");
    assert_eq!((2, None), (in_child(|| lead(&table)), candidate(&table).term()));
    assert_eq!(3, lead(&table), "that one has died");
    assert_eq!((1, 0), (locks(&folder).len(), in_child(|| lead(&table))));
}

/// A descriptor that somebody else has closed may be another file's by now, which stays open.
#[test]
fn a_number_that_is_another_files_by_now_is_not_closed() {
    let folder = Folder::new();
    let table = folder.table("shop");
    let work = || {
        assert_eq!(1, lead(&table));
        let number = descriptors(&locks(&folder)[0].to_string_lossy())[0];
        let other = fs::File::open("/dev/null").expect("it is there");
        // SAFETY: the number is the lock's, which is what is tested; the child is alone with it.
        assert_eq!(number, unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&other), number) });
        assert_eq!(2, in_child(|| lead(&table)), "the lock is lost");
        assert_eq!(3, lead(&table), "and had again");
        // SAFETY: the number is open, by `dup2`, and nobody else closes it.
        let kept = unsafe { fs::File::from_raw_fd(number) };
        u64::from(kept.metadata().is_ok_and(|about| !about.is_file()))
    };
    assert_eq!(1, in_child(work));
}

/// Without a lock the lease decides, and a fault says why.
#[test]
fn without_a_lock_the_lease_decides() {
    let folder = Folder::new();
    let table = folder.table("shop");
    assert_eq!(1, lead(&table));
    candidate(&table).resign();
    let lock = &locks(&folder)[0];
    fs::remove_file(lock).expect("it is there");
    fs::create_dir(lock).expect("nobody has it");
    assert_eq!((2, true), (lead(&table), candidate(&table).fault().is_some()));
    assert_eq!(0, in_child(|| lead(&table)));
    fs::remove_dir(lock).expect("it is there");
    assert_eq!((2, None), (lead(&table), candidate(&table).fault()));
    assert_eq!(0, in_child(|| lead(&table)));
}

/// Where another table has come in the place of a removed one, each has a leader of its own, and the locks are two.
#[test]
fn a_table_that_comes_in_the_place_of_another_has_a_leader_of_its_own() {
    let folder = Folder::new();
    let old = folder.table("shop");
    assert_eq!(1, lead(&old));
    fs::remove_file(old.path().expect("a host's")).expect("it is there");
    let new = folder.table("shop");
    assert_eq!([1, 0], [in_child(|| lead(&new)), in_child(|| lead(&old))]);
    assert_eq!([2, 1], [lead(&new), lead(&old)]);
    assert_eq!(2, locks(&folder).len());
}

/// A process always leads in a table of its own; its child in the copy.
#[test]
fn a_process_leads_in_its_own_table() {
    let table = Table::private(small(), Clock::System).expect("memory");
    assert_eq!((1, 1, 2), (lead(&table), lead(&table), in_child(|| lead(&table))));
    candidate(&table).resign();
    assert_eq!((None, 2), (candidate(&table).term(), lead(&table)));
}

/// A table knows eight purposes.
#[test]
fn a_ninth_purpose_finds_no_room() {
    let table = Table::private(small(), Clock::System).expect("memory");
    let known = |number| Candidate::new(&table, &format!("purpose{number}")).is_some();
    assert_eq!([true; 8], std::array::from_fn(known));
    assert_eq!((false, true), (known(8), known(0)));
}

/// Threads that ask at once lead all, in one term.
#[test]
fn threads_lead_together() {
    let folder = Folder::new();
    let table = folder.table("shop");
    let terms = std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(|| [(); 100].map(|()| lead(&table))));
        threads.map(|thread| thread.join().expect("it ends"))
    });
    assert_eq!([[1; 100]; 4], terms);
}
