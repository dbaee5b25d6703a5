//! Making a table and opening one, as subjects of [`crate::sweep`] (rule T08).

use std::fs::{self, DirBuilder};
use std::hint::black_box;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fuseboard_shm::clock::Clock;
use fuseboard_shm::error::OpenError;
use fuseboard_shm::open::open;
use fuseboard_shm::table::Table;

use crate::bench::{Bench, Folder, NAME, POLICY, STORE, geometry};
use crate::contract;
use crate::operation::message_of;
use crate::seen::tried;
use crate::sweep::{Moment, Subject};
use crate::tracer::Child;

pub const NO_FOLDER: &str = "nothing";
pub const NO_TABLE: &str = "an empty folder";
pub const TABLE: &str = "a whole table";

/// Where a creation begins.
#[derive(Clone, Copy)]
pub enum Ground {
    /// Without a folder.
    Bare,
    /// With a private folder, empty.
    Folder,
    /// With a table that others use.
    Table,
}

/// Opens a table: is given the folder and the file's final name in it.
pub type Opening = Box<dyn Fn(&Path, &Path)>;

/// Somebody opens a table that may not be there yet.
pub struct Creation {
    ground: Ground,
    /// What the child does.
    opening: Opening,
    folder: Folder,
    /// Another like it. The child opens the table there before its first stop, so that nothing of it is done for the first
    /// time later, and its memory allocation goes the same way in every child.
    rehearsal: Folder,
    /// The table's file name.
    file: PathBuf,
    /// The table of others as they left it, if there is one.
    theirs: Option<Vec<u8>>,
}

impl Creation {
    /// Opened by the library.
    pub fn new(ground: Ground) -> Self {
        Self::by(ground, Box::new(|folder, _| drop(black_box(table_in(folder)))))
    }

    /// Opened by something else.
    pub fn by(ground: Ground, opening: Opening) -> Self {
        let (folder, rehearsal) = (Folder::new(), Folder::new());
        let table = table_in(&folder.0).expect("a first table");
        let file = table.path().and_then(Path::file_name).expect("a host's table").into();
        Self { ground, opening, folder, rehearsal, file, theirs: None }
    }

    /// What a dead creator left, if it may be left.
    fn left(&self) -> Result<&'static str, String> {
        match self.entries().as_deref() {
            None => Ok(NO_FOLDER),
            Some([]) => Ok(NO_TABLE),
            Some([entry]) if *entry == self.path() => match &self.theirs {
                Some(theirs) if fs::read(entry).ok().as_ref() != Some(theirs) => {
                    Err("not as others left it".to_owned())
                }
                _ => Ok(TABLE),
            },
            Some(others) => Err(format!("left {others:?}")),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.0.join(&self.file)
    }

    fn entries(&self) -> Option<Vec<PathBuf>> {
        let folder = fs::read_dir(&self.folder.0).ok()?;
        Some(folder.map(|entry| entry.expect("a name").path()).collect())
    }

    /// The next ones that open the table get one and the same, and all of its contract.
    fn opens(&self) {
        let bench = Bench::new(&self.folder.0);
        let other = bench.opened_anew();
        tried(&bench, || contract::works(&bench, &bench.store));
        tried(&bench, || contract::works(&bench, &other));
        bench.fuse().record_failure(POLICY.window_us, bench.now());
        let count = other.find(NAME).map(|slot| slot.fuse().record_failure(POLICY.window_us, bench.now()));
        assert_eq!(Some(2), count, "one table");
    }
}

/// A table by the system's clock.
pub fn table_in(folder: &Path) -> Result<Table, OpenError> {
    open(STORE, Some(folder), geometry(), Clock::System)
}

impl Subject for Creation {
    fn label(&self) -> String {
        let ground = match self.ground {
            Ground::Bare => "no folder",
            Ground::Folder => "an empty folder",
            Ground::Table => "a table is there",
        };
        format!("open a table, {ground}")
    }

    fn begin(&mut self) {
        for Folder(path) in [&self.folder, &self.rehearsal] {
            _ = fs::remove_dir_all(path);
            match self.ground {
                Ground::Bare => {}
                Ground::Folder => DirBuilder::new().mode(0o700).create(path).expect("a folder"),
                Ground::Table => drop(Bench::new(path)),
            }
        }
        self.theirs = fs::read(self.path()).ok();
    }

    fn fork(&self) -> Child {
        let open_in = |folder: &Folder| (self.opening)(&folder.0, &folder.0.join(&self.file));
        Child::fork(|| open_in(&self.rehearsal), |()| open_in(&self.folder))
    }

    fn shared(&self) -> Vec<u8> {
        format!("{:?}", self.entries()).into_bytes()
    }

    fn judge(&mut self, _: Moment) -> Result<&'static str, String> {
        let look = || {
            let kind = self.left()?;
            table_in(&self.folder.0).map_err(|error| error.to_string())?;
            self.opens();
            Ok(kind)
        };
        catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|panic| Err(message_of(&*panic)))
    }
}
