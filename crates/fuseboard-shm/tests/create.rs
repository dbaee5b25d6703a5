//! How a table comes to be, and what happens where there is no room for it or it is taken away.
mod common;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use common::{Folder, SECOND, cannot, mount_over, small};
use fuseboard_core::layout::Geometry;
use fuseboard_shm::clock::Clock;
use fuseboard_shm::error::Kind;
use fuseboard_shm::open;
use fuseboard_shm::table::Table;

fn fail(table: &Table, name: &str) -> u32 {
    let slot = table.locate(name, true).expect("there is room");
    table.fuse(slot).record_failure(60 * SECOND, table.clock().now_us())
}

/// T08, T11: creation leaves one file of the right size and mode, with one name, and nothing else.
#[test]
fn creation_leaves_one_whole_private_file() {
    let folder = Folder::new();
    let table = folder.table("shop");
    let path = table.path().expect("a host's table");
    assert_eq!(vec![path.file_name().expect("a name").to_str().expect("a plain name").to_owned()], folder.names());
    let meta = fs::metadata(path).expect("our own file");
    assert_eq!((0o100_600, 1, small().bytes() as u64), (meta.mode(), meta.nlink(), meta.len()));
    assert!(meta.blocks() * 512 >= meta.len(), "every byte is reserved");
}

/// T08: whoever comes second gets the table of the first, with the numbers it was made with.
#[test]
fn an_existing_table_keeps_its_geometry() {
    let folder = Folder::new();
    let first = folder.table("shop");
    let larger = Geometry::for_capacity(64, 64).expect("numbers in range");
    let second = open::open("shop", Some(&folder.0), larger, Clock::System).expect("the same table");
    assert_eq!(small(), second.geometry());
    assert_eq!([1, 2, 3], [fail(&first, "db"), fail(&second, "db"), fail(&first, "db")]);
}

/// T08: openers that race to create a table all get the same one, and leave no other file.
#[test]
fn racing_openers_get_one_table() {
    for round in 0..50 {
        let folder = Folder::new();
        let start = Barrier::new(4);
        let open_and_fail = || {
            start.wait();
            fail(&folder.table("shop"), "db")
        };
        let mut counts = thread::scope(|scope| {
            let openers = [(); 4].map(|()| scope.spawn(open_and_fail));
            openers.map(|opener| opener.join().expect("no opener panics"))
        });
        counts.sort_unstable();
        assert_eq!([1, 2, 3, 4], counts, "round {round}");
        assert_eq!(1, folder.names().len());
    }
}

/// T03: each table hashes names under two random words of its own, so nobody can choose names that collide.
#[test]
fn each_table_has_random_hash_keys_of_its_own() {
    let folder = Folder::new();
    let mut keys = Vec::new();
    for name in ["shop", "bank"] {
        let header = fs::read(folder.table(name).path().expect("a host's table")).expect("our own file");
        keys.extend([48, 56].map(|at| header[at..at + 8].to_vec()));
    }
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(4, keys.len());
}

/// A table that nobody has open any more is no longer mapped.
#[test]
fn a_dropped_table_is_unmapped() {
    let folder = Folder::new();
    let is_mapped =
        || fs::read_to_string("/proc/self/maps").expect("on Linux").contains(folder.0.to_str().expect("a plain path"));
    let table = folder.table("shop");
    assert!(is_mapped());
    drop(table);
    assert!(!is_mapped());
}

/// T08: two names are two tables.
#[test]
fn tables_of_two_names_share_nothing() {
    let folder = Folder::new();
    let (shop, bank) = (folder.table("shop"), folder.table("bank"));
    assert_eq!([1, 1, 2], [fail(&shop, "db"), fail(&bank, "db"), fail(&shop, "db")]);
}

/// State outlives callers: a table that nobody has open any more is still there.
#[test]
fn a_table_outlives_its_last_user() {
    let folder = Folder::new();
    assert_eq!([1, 2], [fail(&folder.table("shop"), "db"), fail(&folder.table("shop"), "db")]);
}

/// T12: a table whose file is removed goes on for those who have it open; the next opener makes a new one.
#[test]
fn a_removed_table_goes_on_for_its_users() {
    let folder = Folder::new();
    let old = folder.table("shop");
    fail(&old, "db");
    fs::remove_file(old.path().expect("a host's table")).expect("our own file");
    let new = folder.table("shop");
    assert_eq!((2, 1), (fail(&old, "db"), fail(&new, "db")));
}

/// The folder is made, private, if there is none.
#[test]
fn a_missing_folder_is_made_private() {
    let folder = Folder::new();
    let inner = folder.0.join("inner");
    open::open("shop", Some(&inner), small(), Clock::System).expect("a table");
    assert_eq!(0o40_700, fs::metadata(inner).expect("our own folder").mode());
}

/// Runs `work` in a thread that sees an empty file system of 1 MiB over each of these folders.
fn where_these_are_empty(folders: &[&Path], work: impl FnOnce() + Send) {
    let run = || {
        if folders.iter().all(|folder| mount_over(folder)) {
            work()
        } else {
            cannot("only root can mount a file system")
        }
    };
    thread::scope(|scope| scope.spawn(run).join()).expect("no step panics");
}

/// T08, T12: a table for which there is no room is refused as such when it is made, not met by a signal later; nothing
/// is left of it, and a smaller one can be had. Only root can mount so small a file system; others are told so and pass,
/// but not in CI.
#[test]
fn a_full_disk_is_told_at_creation() {
    let folder = Folder::new();
    let large = Geometry::for_capacity(1024, 256).expect("numbers in range");
    where_these_are_empty(&[&folder.0], || {
        let error = open::open("shop", Some(&folder.0), large, Clock::System).expect_err("it does not fit");
        assert_eq!(Kind::Full, error.kind, "{error}");
        assert_eq!(Vec::<String>::new(), folder.names());
        assert_eq!(1, fail(&folder.table("shop"), "db"));
    });
}

/// T08: so is the opening of a copy with holes for which there is no room.
#[test]
fn holes_that_a_full_disk_cannot_fill_are_told_at_the_opening() {
    let folder = Folder::new();
    where_these_are_empty(&[&folder.0], || {
        let path = folder.table("shop").path().expect("a host's table").to_owned();
        let file = File::options().read(true).write(true).open(path).expect("our own file");
        let (bytes, mut header) = (file.metadata().expect("our own file").len(), [0; 4096]);
        file.read_exact_at(&mut header, 0).expect("our own file");
        for len in [0, bytes] {
            file.set_len(len).expect("our own file");
        }
        file.write_all_at(&header, 0).expect("there is room for a page");
        fs::write(folder.0.join("ballast"), vec![1; 1 << 20]).expect_err("there is less room than that");
        let error = folder.open("shop").expect_err("its holes cannot be filled");
        assert_eq!((Kind::Full, true), (error.kind, error.found.contains("there is no room for the table")), "{error}");
    });
}

/// T11: where no folder is chosen, a user's tables lie in a private one in shared memory, or in `/tmp` where there is no such
/// memory; it is found again.
#[test]
fn a_user_has_a_private_folder_in_shared_memory_or_in_tmp() {
    // SAFETY: takes and returns a number only.
    let name = format!("fuseboard-{}", unsafe { libc::geteuid() });
    for (base, empty) in [("/dev/shm", ["/dev/shm", "/tmp"]), ("/tmp", ["/dev", "/tmp"])] {
        where_these_are_empty(&empty.map(Path::new), || {
            for count in [1, 2] {
                let table = open::open("shop", None, small(), Clock::System).expect("a table");
                assert_eq!(Some(Path::new(base).join(&name).as_path()), table.path().and_then(Path::parent));
                assert_eq!(count, fail(&table, "db"));
            }
            assert_eq!(0o40_700, fs::metadata(Path::new(base).join(&name)).expect("our own folder").mode());
        });
    }
}
