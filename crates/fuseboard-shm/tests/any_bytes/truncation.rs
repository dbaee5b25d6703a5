//! A file cut short: a clean error for those who open it; for those who map it, the end of the process at the first touch of
//! a lost page (SIGBUS), which is why nothing of ours ever shortens a file. And a file removed: two tables from then on.

use std::fs::OpenOptions;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use fuseboard_core::layout::Geometry;
use fuseboard_core::state::State;
use fuseboard_shm::clock::Clock;
use fuseboard_shm::error::Kind;
use fuseboard_shm::store::Store;

use crate::checks::sound::sound_again;
use crate::child;
use crate::replay::bed;

fn geometry() -> Geometry {
    Geometry::for_capacity(64, 16).expect("in range")
}

/// T10, T11: a file of another length than its header says is refused before it is mapped; of the right one, opened.
#[test]
fn a_file_cut_short_is_an_error() {
    let bed = bed("cut");
    let whole = geometry().bytes() as u64;
    for length in [0, 1, 7, 24, 40, 72, 4095, 4096, 4097, whole / 2, whole - 1, whole + 1, whole + 4096] {
        bed.lay("cut", geometry());
        let file = OpenOptions::new().write(true).open(bed.path("cut")).expect("the file");
        file.set_len(length).expect("another length");
        let error = bed.open("cut", Clock::System).expect_err("not the length it should have");
        assert_eq!(Kind::Foreign, error.kind, "{length}: {error}");
    }
    bed.lay("cut", geometry());
    assert!(bed.open("cut", Clock::System).is_ok(), "control: the whole file is a table");
}

/// What cannot be guarded against (see the trust model in `lib.rs`): cut while mapped, the next touch of a lost page ends
/// the process. Control: the same process survives a cut to the same length.
#[test]
fn a_mapped_file_cut_short_ends_the_process() {
    let lost = Some(libc::SIGBUS);
    for (role, signal) in [("header", lost), ("cells", lost), ("journal", lost), ("", None)] {
        let bed = bed("mapped");
        let output = child::run("truncation::cutter", role, bed.folder());
        assert_eq!(signal, output.status.signal(), "{role}: {}", child::said(&output));
        assert_eq!(signal.is_none(), output.status.success(), "{role}: {}", child::said(&output));
    }
}

/// A file removed while it is mapped stays the table of those who have it, together; who opens the name then makes another.
/// What tells is that the name's file is another one than theirs, or none, and that they say so.
#[test]
fn a_removed_file_goes_on_for_those_who_have_it() {
    let bed = bed("removed");
    let open = || {
        Store::new(
            fuseboard_shm::open::open("removed", Some(bed.folder()), geometry(), Clock::System).expect("a table"),
        )
    };
    let (first, second) = (open(), open());
    let state = |store: &Store| store.find("fuse").map(|slot| slot.fuse().word().state());
    let path = first.table().path().expect("a host's table").to_owned();
    let inode = || std::fs::metadata(&path).map(|file| file.ino()).ok();
    let before = inode();
    std::fs::remove_file(&path).expect("the file");
    let slot = first.resolve("fuse").expect("a slot");
    slot.fuse().command(State::Open, || slot.now_us());
    assert_eq!((Some(State::Open), None), (state(&second), inode()), "both have it still; nobody else can");
    assert!(first.table().is_removed() && second.table().is_removed() && !open().table().is_removed());
    std::fs::remove_file(&path).expect("the file that was just made");
    let output = child::run("truncation::latecomer", "latecomer", bed.folder());
    assert!(output.status.success(), "{}", child::said(&output));
    assert!(inode().is_some() && inode() != before, "another file");
    assert_eq!(Some(State::Open), state(&second), "what the latecomer did in its own is not theirs");
    assert_eq!(Some(State::Isolated), state(&open()), "who comes now is with the latecomer");
}

#[test]
#[ignore = "a role of another test's child"]
fn latecomer() {
    let Some((_, folder)) = child::role() else { return };
    let table = fuseboard_shm::open::open("removed", Some(&folder), geometry(), Clock::System).expect("a table");
    let store = Store::new(table);
    assert!(store.find("fuse").is_none(), "nobody was here before");
    let slot = store.resolve("fuse").expect("a slot");
    slot.fuse().command(State::Isolated, || slot.now_us());
}

#[test]
#[ignore = "a role of another test's child"]
fn cutter() {
    let Some((role, folder)) = child::role() else { return };
    let table = fuseboard_shm::open::open("mapped", Some(&folder), geometry(), Clock::System).expect("a table");
    let path = table.path().expect("a host's table").to_owned();
    let store = Store::new(table);
    let slot = store.resolve("fuse").expect("a slot");
    let at = geometry().sections();
    let rest = match role.as_str() {
        "header" => 4096,
        "cells" => at.cells,
        "journal" => at.journal,
        _ => at.end,
    };
    cut(&path, rest);
    sound_again(slot.fuse(), geometry().log_len(), slot.now_us());
    store.forget_all();
}

fn cut(path: &Path, length: usize) {
    let file = OpenOptions::new().write(true).open(path).expect("the file");
    file.set_len(length as u64).expect("another length");
}
