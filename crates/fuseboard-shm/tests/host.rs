//! What the host says of itself in `/proc`: which boot it is, and in which namespaces a process lives. Only root can lay
//! another `/proc` over it; others are told so and pass, but not in CI.
mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::{Folder, POLICY, SECOND, cannot, in_child, mount_over};
use fuseboard_core::state::State;
use fuseboard_shm::error::Kind;
use fuseboard_shm::store::Store;

const BOOT: &str = "/proc/sys/kernel/random/boot_id";
const TIME: &str = "/proc/self/ns/time";

/// Lays a `/proc` over the host's that holds two empty folders; `false` if this process may not.
fn without_proc() -> bool {
    let is_laid = mount_over(Path::new("/proc"));
    if is_laid {
        for file in [BOOT, TIME] {
            fs::create_dir_all(Path::new(file).parent().expect("a folder")).expect("our own /proc");
        }
    } else {
        cannot("only root can lay another /proc over the host's");
    }
    is_laid
}

/// Runs `work` in a process that sees a `/proc` of its own.
fn where_proc_is_ours(work: impl FnOnce()) {
    in_child(|| u64::from(without_proc().then(work).is_some()));
}

fn say(boot: &str, time_namespace: &str) {
    fs::write(BOOT, boot).expect("our own /proc");
    _ = fs::remove_file(TIME);
    symlink(time_namespace, TIME).expect("our own /proc");
}

/// Fails once on the table that the host leads to; the failures in it, and how many tables there are.
fn fail(folder: &Folder) -> (u32, usize) {
    let table = folder.table("shop");
    let slot = table.locate("db", true).expect("there is room");
    (table.fuse(slot).record_failure(60 * SECOND, table.clock().now_us()), folder.names().len())
}

fn refused(folder: &Folder, words: &str) {
    let error = folder.open("shop").expect_err("it cannot be told which table is shared");
    assert_eq!((Kind::System, true), (error.kind, error.found.contains(words)), "{error}");
    assert_eq!(Vec::<String>::new(), folder.names());
}

fn where_a_disk_is(work: impl FnOnce(&Folder)) {
    match Folder::on_a_disk() {
        Some(folder) => where_proc_is_ours(|| work(&folder)),
        None => cannot("the tests are built in memory, where boots are not told apart"),
    }
}

/// T09: each boot and each time namespace has a table of its own on a disk, and finds it again. Nor does it take `/proc` to make one:
/// where a nameless file cannot be given its name through it, one with a name is made, and no draft is left.
#[test]
fn each_boot_and_each_time_namespace_has_its_own_table() {
    where_a_disk_is(|folder| {
        for (count, (boot, time_namespace)) in (1..).zip([("a", "time:[1]"), ("b", "time:[1]"), ("a", "time:[2]")]) {
            say(boot, time_namespace);
            assert_eq!((1, count), fail(folder));
            assert_eq!((2, count), fail(folder));
        }
        say("a", "time:[1]");
        assert_eq!((3, 3), fail(folder));
    });
}

/// T09: in memory nobody needs to know the boot, so whoever may not read it meets those who may; time namespaces are told
/// apart there too.
#[test]
fn in_memory_there_is_one_table_whatever_the_boot_is() {
    where_proc_is_ours(|| {
        let folder = Folder::new();
        for (count, boot) in (1..).zip(["a", "b", ""]) {
            say(boot, "time:[1]");
            assert_eq!((count, 1), fail(&folder));
        }
        fs::remove_dir_all("/proc/sys").expect("our own /proc");
        assert_eq!((4, 1), fail(&folder));
        fs::remove_file(TIME).expect("our own /proc");
        symlink("time:[2]", TIME).expect("our own /proc");
        assert_eq!((1, 2), fail(&folder));
    });
}

/// T09: where it cannot be told which boot or time namespace this is, nothing is guessed.
#[test]
fn a_boot_that_cannot_be_told_is_an_error() {
    where_a_disk_is(|folder| {
        refused(folder, "cannot find out the boot");
        say("", "time:[1]");
        refused(folder, "is empty");
        say("a", "time:[1]");
        fs::remove_file(TIME).expect("our own /proc");
        // What is no symbolic link cannot be read as one.
        fs::write(TIME, b"").expect("our own /proc");
        refused(folder, "cannot find out the time namespace");
        fs::remove_dir_all("/proc/self").expect("our own /proc");
        refused(folder, "cannot find out the time namespace");
    });
}

/// T09: a kernel that knows no time namespaces has one for all.
#[test]
fn a_kernel_without_time_namespaces_has_tables() {
    where_proc_is_ours(|| {
        let folder = Folder::new();
        fs::write(BOOT, "a").expect("our own /proc");
        assert_eq!([(1, 1), (2, 1)], [fail(&folder), fail(&folder)]);
    });
}

/// R11: where a process cannot tell its pid namespace, its probe runs to its deadline, alive or dead, and neither does it
/// judge another's.
#[test]
fn a_process_that_cannot_tell_its_namespace_costs_its_lease() {
    let folder = Folder::new();
    let store = Store::new(folder.table("shop"));
    let handle = store.resolve("db").expect("there is room").pin();
    let is_admitted = || u64::from(handle.admit(&POLICY).verdict.is_ok());
    handle.fuse().set(State::HalfOpen, handle.now_us());
    let hidden = in_child(|| if without_proc() { 1 + is_admitted() } else { 0 });
    if hidden == 0 {
        return;
    }
    assert_eq!((2, 0), (hidden, is_admitted()), "a dead prober that left no hint");
    handle.fuse().set(State::HalfOpen, handle.now_us());
    assert_eq!(1, in_child(is_admitted));
    let judged = in_child(|| {
        assert!(without_proc());
        is_admitted()
    });
    assert_eq!((0, 1), (judged, is_admitted()), "a dead prober that left a hint");
}

/// T14: in the journal such a process still has its number.
#[test]
fn a_process_that_cannot_tell_its_namespace_signs_the_journal() {
    where_proc_is_ours(|| {
        let folder = Folder::new();
        say("a", "time:[1]");
        let table = folder.table("shop");
        let fuse = table.fuse(table.locate("db", true).expect("there is room"));
        fuse.set(State::Open, table.clock().now_us());
        fuse.catch_up();
        assert_eq!(Some(std::process::id()), table.journal().read(0).map(|record| record.pid));
    });
}
