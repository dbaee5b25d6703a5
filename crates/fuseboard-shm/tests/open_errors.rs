//! What can be wrong with a table's file and folder, and that each fault has the kind by which a caller can react.
mod common;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use common::{Folder, cannot, small};
use fuseboard_core::layout::{MAGIC, VERSION};
use fuseboard_shm::clock::Clock;
use fuseboard_shm::error::Kind;
use fuseboard_shm::open;

/// Offsets of words in the header (`docs/reference/store-format.md`).
const AT_VERSION: u64 = 8;
const AT_LAYOUT_HASH: u64 = 16;
const AT_SLOTS: u64 = 24;
const AT_LOG_LEN: u64 = 32;
const AT_BOOT: u64 = 40;
const AT_CREATED: u64 = 64;

/// Opens the table, which must fail with `kind` and say `words`.
fn refused(folder: &Folder, kind: Kind, words: &str) {
    let error = folder.open("shop").expect_err("something is wrong with it");
    assert_eq!(kind, error.kind, "{error}");
    assert!(error.found.contains(words), "{error}");
    assert!(error.path.starts_with(&folder.0), "{error}");
}

/// A folder with a table that nobody has open, and the table's file.
fn with_table() -> (Folder, File) {
    let folder = Folder::new();
    let path = folder.table("shop").path().expect("a host's table").to_owned();
    let file = File::options().read(true).write(true).open(path).expect("our own file");
    (folder, file)
}

fn overwrite(file: &File, at: u64, word: u64) {
    file.write_all_at(&word.to_ne_bytes(), at).expect("our own file");
}

/// T10: a file that is shorter than its header says, at whatever length, is refused before it is mapped.
#[test]
fn a_truncated_file_is_foreign() {
    let (folder, file) = with_table();
    let whole = file.metadata().expect("our own file").len();
    for len in [whole - 1, whole / 2, 4096, 4095] {
        file.set_len(len).expect("our own file");
        refused(&folder, Kind::Foreign, "does not match its header");
    }
    for len in [8, 7, 0] {
        file.set_len(len).expect("our own file");
        let kind = folder.open("shop").expect_err("a stump").kind;
        assert!([Kind::Foreign, Kind::Version].contains(&kind), "{len} bytes: {kind:?}");
    }
}

/// T10: a file longer than its header says is refused too: its geometry is not the one it was made with.
#[test]
fn a_file_that_grew_is_foreign() {
    let (folder, file) = with_table();
    let whole = file.metadata().expect("our own file").len();
    file.set_len(whole + 4096).expect("our own file");
    refused(&folder, Kind::Foreign, "does not match its header");
}

/// T10: an empty file and a file of anything else are refused, and left as they are.
#[test]
fn a_file_of_other_bytes_is_foreign() {
    for bytes in [&b""[..], b"hello", &[0xff; 4096], &[0; 300_000]] {
        let folder = Folder::new();
        let path = folder.shop();
        fs::write(&path, bytes).expect("our own folder");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our own file");
        refused(&folder, Kind::Foreign, "is not a Fuseboard table");
        assert_eq!(bytes, fs::read(&path).expect("our own file"));
    }
}

/// T08: another layout version, or the same with other sizes, is told apart from a foreign file.
#[test]
fn another_version_is_named() {
    for (at, word) in [(AT_VERSION, VERSION + 1), (AT_VERSION, 0), (AT_LAYOUT_HASH, 7)] {
        let (folder, file) = with_table();
        overwrite(&file, at, word);
        refused(&folder, Kind::Version, &format!("this version of Fuseboard uses layout version {VERSION}"));
    }
}

/// T09: a file of the other byte order is no table of ours.
#[test]
fn another_byte_order_is_foreign() {
    let (folder, file) = with_table();
    overwrite(&file, 0, MAGIC.swap_bytes());
    refused(&folder, Kind::Foreign, "is not a Fuseboard table");
}

/// T10: numbers that no table has, and numbers that do not fit the file, never become a length.
#[test]
fn a_wrong_geometry_is_foreign() {
    for at in [AT_SLOTS, AT_LOG_LEN] {
        for number in [0, 3, 1 << 12, 1 << 20, 1 << 40, u64::MAX] {
            let (folder, file) = with_table();
            overwrite(&file, at, number);
            refused(&folder, Kind::Foreign, "does not match its header");
        }
    }
}

/// T09: a table of another boot or time namespace, whose stamps mean nothing here, is refused.
#[test]
fn another_boot_is_foreign() {
    let (folder, file) = with_table();
    overwrite(&file, AT_BOOT, 1);
    refused(&folder, Kind::Foreign, "during another boot");
}

/// T09: a table from later than now is one of another clock, although the boot's number is this one's.
#[test]
fn a_table_from_the_future_is_foreign() {
    let (folder, file) = with_table();
    overwrite(&file, AT_CREATED, u64::MAX >> 16);
    refused(&folder, Kind::Foreign, "another clock");
}

/// T11: a symbolic link is refused, although it leads to a sound table.
#[test]
fn a_symbolic_link_is_foreign() {
    let (elsewhere, folder) = (Folder::new(), Folder::new());
    let table = elsewhere.table("shop");
    symlink(table.path().expect("a host's table"), folder.shop()).expect("our own folder");
    refused(&folder, Kind::Foreign, "symbolic link");
}

/// T11: a second name is refused: somebody may have linked a file of ours to where he can wait for it.
#[test]
fn a_hard_link_is_foreign() {
    let (folder, _) = with_table();
    fs::hard_link(folder.shop(), folder.0.join("other")).expect("our own folder");
    refused(&folder, Kind::Foreign, "2 hard links");
}

/// T11: what is no regular file is refused, and opening it does not wait for anybody.
#[test]
fn a_folder_a_pipe_or_a_socket_is_foreign() {
    let makers: [fn(&Path); 3] = [
        |path| fs::create_dir(path).expect("our own folder"),
        |path| {
            let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).expect("a plain path");
            // SAFETY: `name` is a C string that outlives the call.
            assert_eq!(0, unsafe { libc::mkfifo(name.as_ptr(), 0o600) });
        },
        |path| drop(UnixListener::bind(path).expect("our own folder")),
    ];
    for make in makers {
        let folder = Folder::new();
        make(&folder.shop());
        refused(&folder, Kind::Foreign, "is not a regular file");
    }
}

/// T11: a file that others may read or write is refused.
#[test]
fn an_open_mode_is_foreign() {
    for mode in [0o644, 0o620, 0o601, 0o700] {
        let (folder, file) = with_table();
        file.set_permissions(Permissions::from_mode(mode)).expect("our own file");
        refused(&folder, Kind::Foreign, &format!("mode {mode:04o}"));
    }
}

/// T11: a folder that others may enter, or we may not, is refused, whatever lies in it.
#[test]
fn an_open_folder_is_no_place() {
    for mode in [0o755, 0o710, 0o701, 0o777, 0o500, 0o000] {
        let (folder, _) = with_table();
        fs::set_permissions(&folder.0, Permissions::from_mode(mode)).expect("our own folder");
        refused(&folder, Kind::Folder, &format!("mode {mode:04o}"));
    }
}

/// T11: a symbolic link to a private folder, and a file, are refused as a folder.
#[test]
fn a_link_or_a_file_is_no_place() {
    let folder = Folder::new();
    let (inner, link, file) = (folder.0.join("inner"), folder.0.join("link"), folder.0.join("file"));
    fs::create_dir(&inner).expect("our own folder");
    fs::set_permissions(&inner, Permissions::from_mode(0o700)).expect("our own folder");
    symlink(&inner, &link).expect("our own folder");
    fs::write(&file, b"").expect("our own folder");
    let with_slash = link.join("");
    for (place, named) in [(&link, &link), (&with_slash, &link), (&file, &file)] {
        let opened = fuseboard_shm::open::open("shop", Some(place), common::small(), Default::default());
        let error = opened.expect_err("no folder");
        assert_eq!((Kind::Folder, named), (error.kind, &error.path), "{error}");
    }
}

/// T11: a file or folder of another user is refused. Only root can make one; others are told so and pass, but not
/// in CI.
#[test]
fn what_belongs_to_somebody_else_is_refused() {
    let (folder, file) = with_table();
    if std::os::unix::fs::fchown(&file, Some(1), None).is_err() {
        return cannot("only root can give a file away");
    }
    refused(&folder, Kind::Foreign, "belongs to user 1");
    std::os::unix::fs::chown(&folder.0, Some(1), None).expect("root may");
    refused(&folder, Kind::Owner, "belongs to user 1");
    assert_eq!(1, fs::metadata(&folder.0).expect("still there").uid());
}

/// T11: a relative path means another folder in another working directory, so no table lies in one.
#[test]
fn a_relative_folder_is_refused() {
    let opened = open::open("shop", Some(Path::new("tables")), small(), Clock::System);
    // Made only by a fault, and removed lest it spoil the next run.
    let was_made = fs::remove_dir_all("tables").is_ok();
    let error = opened.expect_err("a relative path");
    assert_eq!((Kind::Folder, Path::new("tables")), (error.kind, error.path.as_path()));
    assert!(error.found.contains("is a relative path") && !was_made, "{error}");
}

/// T08: a copy with holes gets its whole room when it is opened, not a signal at a store to a page that is not there; what
/// stands in it stays.
#[test]
fn a_copy_with_holes_gets_its_room_when_it_is_opened() {
    let (folder, file) = with_table();
    let bytes = file.metadata().expect("our own file").len();
    let mut header = [0; 4096];
    file.read_exact_at(&mut header, 0).expect("our own file");
    for len in [0, bytes] {
        file.set_len(len).expect("our own file");
    }
    file.write_all_at(&header, 0).expect("our own file");
    let blocks = || file.metadata().expect("our own file").blocks() * 512;
    assert!(blocks() < bytes, "there are holes");
    folder.table("shop");
    let mut after = [0; 4096];
    file.read_exact_at(&mut after, 0).expect("our own file");
    assert!(blocks() >= bytes && header == after, "{} of {bytes}", blocks());
}
