//! A table that is opened to read: what is opened, that nothing is made or changed, and that its journal is complete all the same.
mod common;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;

use common::{Folder, POLICY, small};
use fuseboard_core::directory::Key;
use fuseboard_core::journal::{About, Head, RECORDS, Record, RingSlot};
use fuseboard_core::layout::Texts;
use fuseboard_core::state::State;
use fuseboard_core::transition::Cause;
use fuseboard_core::transition::Transition;
use fuseboard_shm::clock::{Clock, ManualClock};
use fuseboard_shm::error::{Kind, OpenError};
use fuseboard_shm::journal_cursor::JournalCursor;
use fuseboard_shm::open;
use fuseboard_shm::saved_cursor::SavedCursor;
use fuseboard_shm::store::Store;
use fuseboard_shm::table::View;
use rustix::fs::{Timespec, Timestamps, utimensat};

const NOW: u64 = 1_000_000_000;
const CATCH_UP_US: u64 = 1_000_000;

/// A service's store, and somebody who looks at it by the same clock.
struct Scene {
    store: Store,
    view: View,
    clock: Arc<ManualClock>,
    path: PathBuf,
    _folder: Folder,
}

impl Scene {
    fn new() -> Self {
        let (folder, clock) = (Folder::new(), Arc::new(ManualClock::new(NOW)));
        let by = || Clock::Manual(Arc::clone(&clock));
        let table = open::open("shop", Some(&folder.0), small(), by()).expect("a table");
        let view = open::look("shop", Some(&folder.0), by()).expect("it is there");
        let path = table.path().expect("a host's table").to_owned();
        Self { store: Store::new(table), view, clock, path, _folder: folder }
    }

    /// Makes a transition as a process does that is killed right behind it.
    fn make(&self, name: &str, state: State) -> Transition {
        let slot = self.store.resolve(name).expect("there is room");
        slot.fuse().command(state, || slot.now_us()).expect("a manual override")
    }

    fn write_down(&self, name: &str, made: Transition) {
        self.store.resolve(name).expect("there is room").fuse().write_down(made, About::NOTHING);
    }

    fn next_number(&self) -> u64 {
        self.store.table().journal().next()
    }
}

fn generations(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.generation).collect()
}

fn look(folder: &Folder) -> Result<View, OpenError> {
    open::look("shop", Some(&folder.0), Clock::System)
}

/// Neither a table nor its folder, whoever opens it: to read, or to write.
#[test]
fn who_opens_what_is_there_makes_nothing() {
    let folder = Folder::new();
    let missing = [look(&folder).err(), open::find("shop", Some(&folder.0), Clock::System).err()];
    assert_eq!([Some(Kind::Missing); 2], missing.map(|error| error.map(|error| error.kind)));
    assert!(folder.names().is_empty());
    let nowhere = folder.0.join("nowhere");
    let error = open::look("shop", Some(&nowhere), Clock::System).expect_err("there is no folder");
    assert_eq!((Kind::Missing, false), (error.kind, nowhere.exists()));
}

/// T11: to read, folder and file need not be private, as another user's are not ours; to write they must.
#[test]
fn what_is_read_need_not_be_private() {
    let folder = Folder::new();
    let path = folder.table("shop").path().expect("a host's table").to_owned();
    for (folders, files) in [(0o755, 0o600), (0o700, 0o644), (0o755, 0o444)] {
        fs::set_permissions(&path, Permissions::from_mode(files)).expect("our own file");
        fs::set_permissions(&folder.0, Permissions::from_mode(folders)).expect("our own folder");
        assert!(look(&folder).is_ok(), "{folders:o} {files:o}");
        assert!(open::find("shop", Some(&folder.0), Clock::System).is_err(), "{folders:o} {files:o}");
    }
    fs::set_permissions(&folder.0, Permissions::from_mode(0o700)).expect("our own folder");
}

/// T10, T11: a link, a second name, something else than a file and one that is cut short are refused to read as well.
#[test]
fn what_is_no_table_is_not_read() {
    let kind = |folder: &Folder| look(folder).map(|_| ()).map_err(|error| error.kind);
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    let (path, other) = (folder.shop(), elsewhere.table("shop").path().expect("a host's table").to_owned());
    assert_eq!(Ok(()), kind(&elsewhere), "control");
    symlink(&other, &path).expect("nobody has it");
    assert_eq!(Err(Kind::Foreign), kind(&folder), "a symbolic link");
    fs::remove_file(&path).expect("the link");
    fs::hard_link(&other, &path).expect("nobody has it");
    assert_eq!([Err(Kind::Foreign); 2], [kind(&folder), kind(&elsewhere)], "a second name");
    fs::remove_file(&path).expect("the name");
    fs::create_dir(&path).expect("nobody has it");
    assert_eq!(Err(Kind::Foreign), kind(&folder), "a folder");
    fs::remove_dir(&path).expect("the folder");
    fs::write(&path, &fs::read(&other).expect("a table")[..8192]).expect("room");
    assert_eq!(Err(Kind::Foreign), kind(&folder), "half a table");
    let linked = folder.0.join("linked");
    symlink(&elsewhere.0, &linked).expect("nobody has it");
    let error = open::look("shop", Some(&linked), Clock::System).expect_err("a link to a folder");
    assert_eq!(Kind::Folder, error.kind);
}

/// Nothing that reads changes a byte, nor when the file was written: of a table with transitions whose makers were killed, a claim
/// that nobody came to confirm, a fuse that was half removed, a name that was lost, and words that mean nothing.
#[test]
fn nothing_that_reads_changes_a_byte() {
    let scene = Scene::new();
    let table = scene.store.table();
    scene.make("unjournaled", State::Open);
    let probe = scene.store.resolve("half removed").expect("there is room");
    assert!(probe.fuse().admit(&POLICY, NOW).verdict.is_ok() && probe.fuse().vacate(NOW), "its key stands");
    let sections = small().sections();
    let file = File::options().read(true).write(true).open(&scene.path).expect("our own file");
    let write = |at: usize, word: u64| {
        std::os::unix::fs::FileExt::write_all_at(&file, &word.to_ne_bytes(), at as u64).expect("our own file");
    };
    let free = (0..4).find(|slot| table.taken().all(|taken| taken != *slot) && *slot != 0).expect("two are taken");
    write(sections.keys + free * size_of::<Key>(), 0x1234_5678_9abc_0001);
    let damaged = scene.store.resolve("damaged").map(|slot| slot.name()).is_some();
    assert!(damaged, "there is room");
    write(sections.texts + table.locate("unjournaled", false).expect("just used") * size_of::<Texts>(), u64::MAX);
    write(sections.journal + size_of::<Head>() + 5 * size_of::<RingSlot>(), u64::MAX);
    let sometime = Timespec { tv_sec: 1_000, tv_nsec: 0 };
    let times = Timestamps { last_access: sometime, last_modification: sometime };
    utimensat(rustix::fs::CWD, &scene.path, &times, rustix::fs::AtFlags::empty()).expect("our own file");
    let state =
        || (fs::read(&scene.path).expect("our own file"), fs::metadata(&scene.path).expect("our own file").mtime());
    let before = state();
    let view = open::look("shop", scene.path.parent(), Clock::Manual(Arc::clone(&scene.clock))).expect("it is there");
    let mut readers = [JournalCursor::from_oldest(&view), JournalCursor::from_now(&view)];
    for _ in 0..3 {
        scene.clock.advance(2 * CATCH_UP_US);
        readers.iter_mut().for_each(|reader| _ = (reader.poll(&view), reader.read_all(&view)));
        for (claim, _) in view.used_claims() {
            _ = (view.name_of(claim), view.maker(claim), view.snapshot(claim, NOW), view.word(claim));
        }
        _ = (view.find("unjournaled"), view.find("half removed"), view.find("never seen"), view.unjournaled());
    }
    assert!(before == state());
    scene.store.slots().iter().for_each(|slot| slot.fuse().catch_up());
    assert!(before.0 != state().0, "control: a writer that reads it would have");
}

/// T14: a transition whose maker was killed is read from its fuse, with its cause and process, once; and not again when somebody
/// writes it down. What comes behind it follows.
#[test]
fn what_a_killed_process_left_out_is_read_from_the_fuse() {
    let scene = Scene::new();
    let mut reader = JournalCursor::from_oldest(&scene.view);
    let made = scene.make("db", State::Open);
    let read = reader.poll(&scene.view);
    let told: Vec<_> = read.iter().map(|it| (it.from, it.to, it.cause, it.pid, it.generation)).collect();
    assert_eq!(vec![(State::Closed, State::Open, Cause::Manual, std::process::id(), made.generation)], told);
    scene.clock.advance(CATCH_UP_US);
    assert!(reader.poll(&scene.view).is_empty() && reader.read_all(&scene.view).is_empty());
    assert_eq!(0, scene.next_number());
    let next = scene.make("db", State::Closed);
    assert_eq!(1, scene.next_number(), "who ends the generation has told of it");
    assert!(reader.poll(&scene.view).is_empty(), "a look at the fuses is due a second after the last");
    scene.write_down("db", next);
    assert_eq!(vec![next.generation], generations(&reader.poll(&scene.view)));
    assert_eq!(generations(&[read[0]]), vec![made.generation]);
    assert_eq!(
        vec![made.generation, next.generation],
        generations(&JournalCursor::from_oldest(&scene.view).read_all(&scene.view))
    );
}

/// T14: what stands in the fuses comes behind what stands in the ring, so that those of a fuse stay in their order; one that has
/// come to the ring meanwhile is read there.
#[test]
fn what_stands_in_a_fuse_comes_behind_what_stands_in_the_ring() {
    let scene = Scene::new();
    let mut reader = JournalCursor::from_oldest(&scene.view);
    let first = scene.make("db", State::Open);
    let second = scene.make("db", State::HalfOpen);
    scene.clock.advance(1);
    let other = scene.make("cache", State::Open);
    scene.write_down("cache", other);
    let expected = [first, other, second].map(|made| made.generation);
    assert_eq!(expected.as_slice(), generations(&reader.poll(&scene.view)));
    scene.write_down("db", second);
    scene.clock.advance(CATCH_UP_US);
    assert!(reader.poll(&scene.view).is_empty());
}

/// T14: of one from now on that is no news which stood in a fuse when it came, also when it is written down later.
#[test]
fn a_reader_from_now_on_reads_nothing_that_stood_in_a_fuse() {
    let scene = Scene::new();
    let made = scene.make("db", State::Open);
    let mut reader = JournalCursor::from_now(&scene.view);
    scene.write_down("db", made);
    assert!(reader.poll(&scene.view).is_empty());
    let next = scene.make("db", State::Closed);
    scene.clock.advance(CATCH_UP_US);
    assert_eq!(vec![next.generation], generations(&reader.poll(&scene.view)));
}

/// The cursor behind all that a reader was given, as text and back.
fn written_down(reader: &JournalCursor, view: &View) -> SavedCursor {
    reader.cursor(view).to_string().parse().expect("its own text")
}

/// T14: a reader that goes on at a cursor is told of all that the one before was not, and of nothing twice, also where a slow
/// process writes down once more what stands in front of the cursor.
#[test]
fn who_goes_on_at_a_cursor_is_told_of_the_rest_once() {
    let scene = Scene::new();
    let told = |name, state| {
        let made = scene.make(name, state);
        scene.write_down(name, made);
        made.generation
    };
    let mut reader = JournalCursor::from_oldest(&scene.view);
    let before = [told("db", State::Open), told("cache", State::Open)];
    assert_eq!(before.as_slice(), generations(&reader.poll(&scene.view)));
    let cursor = written_down(&reader, &scene.view);
    let journal = scene.store.table().journal();
    let first = journal.read(0).expect("just written");
    journal.append(first);
    let after = [told("db", State::Closed), told("cache", State::Closed)];
    let mut resumed = JournalCursor::resumed(&scene.view, &cursor).expect("of this table");
    assert_eq!(after.as_slice(), generations(&resumed.poll(&scene.view)));
    assert_eq!(0, resumed.lost());
    // Control: one that cannot look at what stands in front of its cursor is told twice.
    let file = File::options().write(true).open(&scene.path).expect("our own file");
    let at = small().sections().journal + size_of::<Head>();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0; 2 * size_of::<RingSlot>()], at as u64).expect("our own file");
    let mut forgetful = JournalCursor::resumed(&scene.view, &cursor).expect("of this table");
    assert_eq!(vec![before[0], after[0], after[1]], generations(&forgetful.poll(&scene.view)));
}

/// T14: what was read from the fuse has no number in front of the cursor. It stands in the cursor itself, until the ring has told
/// of it in front of that, or of something later.
#[test]
fn what_was_read_from_a_fuse_is_not_told_again_behind_the_cursor() {
    let scene = Scene::new();
    let made = scene.make("db", State::Open);
    let mut reader = JournalCursor::from_oldest(&scene.view);
    assert_eq!(vec![made.generation], generations(&reader.poll(&scene.view)));
    let cursor = written_down(&reader, &scene.view);
    scene.write_down("db", made);
    let mut resumed = JournalCursor::resumed(&scene.view, &cursor).expect("of this table");
    assert!(resumed.poll(&scene.view).is_empty());
    let (short, long) = (written_down(&resumed, &scene.view).to_string(), cursor.to_string());
    assert!(short.len() < long.len(), "{short} {long}");
    // Control: a cursor of numbers alone.
    let numbers: SavedCursor = long.rsplit_once('-').expect("a slot stands behind it").0.parse().expect("a cursor");
    let mut twice = JournalCursor::resumed(&scene.view, &numbers).expect("of this table");
    assert_eq!(vec![made.generation], generations(&twice.poll(&scene.view)));
}

/// A cursor of another table, or one that this journal has not come to, is nobody's; one that the ring has left behind says what
/// is lost.
#[test]
fn a_cursor_is_of_one_table() {
    let (scene, other) = (Scene::new(), Scene::new());
    assert_ne!((0, scene.view.host_id()), (scene.view.host_id(), other.view.host_id()));
    assert_eq!(scene.store.table().host_id(), scene.view.host_id());
    let start = JournalCursor::from_oldest(&scene.view).cursor(&scene.view);
    assert!(JournalCursor::resumed(&other.view, &start).is_none());
    for state in [State::Open, State::Closed].into_iter().cycle().take(RECORDS + 5) {
        let made = scene.make("db", state);
        scene.write_down("db", made);
    }
    let mut late = JournalCursor::resumed(&scene.view, &start).expect("of this table");
    assert_eq!((RECORDS, 5), (late.poll(&scene.view).len(), late.lost()));
    let ahead = format!("{:016x}-{:x}", other.view.host_id(), 1).parse().expect("a cursor");
    assert!(JournalCursor::resumed(&other.view, &ahead).is_none(), "its journal has not come to that");
}
