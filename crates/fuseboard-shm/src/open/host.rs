//! Opens or creates a host's table (rules T08, T09, T11).
//!
//! The file's name carries layout version and boot. So a table of another version or boot is another file, and no table
//! is ever replaced while processes use it.

mod boot;
mod create;
mod errno;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
mod map;
mod store_dir;
mod table_spec;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use fuseboard_core::layout::{Geometry, Header, HeaderError, VERSION};
use fuseboard_core::sync::{AtomicU64, Ordering};
use rustix::fs::{FallocateFlags, FileType, Mode, OFlags, fallocate, fstat, openat};
use rustix::io::{Errno, pread, retry_on_intr};

use self::create::create;
use self::map::Access;
use self::table_spec::TableSpec;
use crate::clock::Clock;
use crate::error::{Kind, OpenError};
use crate::mapping::Mapping;
use crate::owner;
use crate::system;
use crate::table::{Table, View};

/// How often to try. A try fails if another process creates or removes the table at the same moment.
const TRIES: usize = 8;
/// Bytes of a block, the unit in which the system says how much room a file takes.
const BLOCK: u64 = 512;
const PAGE: usize = size_of::<Header>();

/// Opens the table `name` in `folder` (or in this user's folder of the host), or creates it with `geometry`. An
/// existing table keeps the geometry it was made with.
///
/// # Errors
/// An [`OpenError`] that says which file or folder, and what is wrong with it.
pub fn open(name: &str, folder: Option<&Path>, geometry: Geometry, clock: Clock) -> Result<Table, OpenError> {
    let wanted = TableSpec::new(name, store_dir::open(folder)?, &clock)?;
    let mut is_ours = false;
    for _ in 0..TRIES {
        if let Some((mapping, geometry)) = wanted.find(Access::Write)? {
            let path = wanted.path;
            let table = Table::new(mapping, geometry, clock, Some(path));
            return Ok(if is_ours { table.made_new() } else { table });
        }
        // The next round opens the table by its name, also if we made it. So the system's list of mappings has the
        // table's path, by which others find who uses the table (`former_users`).
        is_ours = create(&wanted, geometry)?;
    }
    Err(wanted.error(Kind::System, "is created and removed again and again").transient(true))
}

/// Opens the table `name` where [`open`] looks for it. Makes nothing, neither the table nor its folder.
///
/// # Errors
/// An [`OpenError`] as there; of [`Kind::Missing`] where there is no table.
pub fn find(name: &str, folder: Option<&Path>, clock: Clock) -> Result<Table, OpenError> {
    existing(name, folder, &clock, Access::Write)
        .map(|(mapping, geometry, path)| Table::new(mapping, geometry, clock, Some(path)))
}

/// Opens the table `name` to read it, and maps it so that nothing can be written. Folder and file may be another
/// user's, if the system lets us read them. The file's owner can end this process by making the file shorter.
///
/// # Errors
/// An [`OpenError`] as for [`find`].
pub fn look(name: &str, folder: Option<&Path>, clock: Clock) -> Result<View, OpenError> {
    owner::register();
    existing(name, folder, &clock, Access::Read)
        .map(|(mapping, geometry, path)| View::new(mapping, geometry, clock, Some(path)))
}

fn existing(
    name: &str,
    folder: Option<&Path>,
    clock: &Clock,
    access: Access,
) -> Result<(Mapping, Geometry, PathBuf), OpenError> {
    let wanted = TableSpec::new(name, store_dir::find(folder, access)?, clock)?;
    match wanted.find(access)? {
        Some((mapping, geometry)) => Ok((mapping, geometry, wanted.path)),
        None => Err(wanted.error(Kind::Missing, "does not exist")),
    }
}

impl TableSpec<'_> {
    /// The table under the name, checked; `None` if there is none.
    fn find(&self, access: Access) -> Result<Option<(Mapping, Geometry)>, OpenError> {
        let failed = |doing| move |error| OpenError::system(doing, &self.path, error);
        let mode = if access == Access::Write { OFlags::RDWR } else { OFlags::RDONLY };
        let flags = mode | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = match retry_on_intr(|| openat(&self.dir.folder, &self.file, flags, Mode::empty())) {
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(self.error(Kind::Foreign, "is a symbolic link")),
            Err(Errno::ISDIR | Errno::NXIO) => return Err(self.error(Kind::Foreign, "is not a regular file")),
            other => other.map_err(failed("cannot open the table"))?,
        };
        let stat = fstat(&fd).map_err(failed("cannot examine the table"))?;
        match stat.st_nlink {
            0 => return Ok(None),
            1 => {}
            links => return Err(self.error(Kind::Foreign, format!("has {links} hard links, but a table has one"))),
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.error(Kind::Foreign, "is not a regular file"));
        }
        if access == Access::Write
            && let Some(fault) = system::ownership_fault(&stat, Mode::RUSR | Mode::WUSR)
        {
            return Err(self.error(Kind::Foreign, fault));
        }
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        let geometry = self.check_header(&fd, bytes)?;
        let has_holes = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(BLOCK) < bytes;
        // A reader cannot fill the holes, and need not: they read as zeroes.
        if has_holes && access == Access::Write {
            fill_holes(&fd, bytes).map_err(failed("there is no room for the table"))?;
        }
        let mapping = map::of_file(fd.as_fd(), geometry.bytes(), access).map_err(failed("cannot map the table"))?;
        Ok(Some((mapping, geometry)))
    }

    /// Reads and checks the header before anything is mapped, so a file that is too short cannot end this process.
    fn check_header(&self, fd: &OwnedFd, bytes: u64) -> Result<Geometry, OpenError> {
        let failed = |doing| move |error| OpenError::system(doing, &self.path, error);
        let no_memory = |_| failed("there is no memory to check the table")(Errno::NOMEM);
        let page = Mapping::anonymous(PAGE).map_err(no_memory)?;
        let mut words = [0_u8; PAGE];
        let read = retry_on_intr(|| pread(fd, &mut words, 0)).map_err(failed("cannot read the table"))?;
        for (word, bytes) in page.section(0, read / 8).iter().zip(words.as_chunks().0) {
            let word: &AtomicU64 = word;
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        let header: &Header = &page.section(0, 1)[0];
        let checked = header.check(self.boot, bytes).and_then(|geometry| match self.clock {
            // A test's clock belongs to one process, and may be behind the clock of the process that made the table.
            Clock::System if header.created_us.load(Ordering::Relaxed) > self.clock.now_us() => Err(HeaderError::Boot),
            _ => Ok(geometry),
        });
        checked.map_err(|error| self.header_error(error, bytes))
    }

    fn header_error(&self, error: HeaderError, bytes: u64) -> OpenError {
        match error {
            HeaderError::Magic => self.error(Kind::Foreign, "is not a Fuseboard table"),
            HeaderError::Version(other) => self.error(
                Kind::Version,
                format!("has layout version {other}, but this version of Fuseboard uses layout version {VERSION}"),
            ),
            HeaderError::Geometry => {
                self.error(Kind::Foreign, format!("has {bytes} bytes, which does not match its header"))
            }
            HeaderError::Boot => {
                self.error(Kind::Foreign, "was created during another boot of this host, or with another clock")
            }
        }
    }
}

/// Reserves the holes of a copied or restored file, which changes none of its bytes. So a full disk is met here and not
/// at a store to a mapped page.
fn fill_holes(fd: &OwnedFd, bytes: u64) -> Result<(), Errno> {
    match retry_on_intr(|| fallocate(fd, FallocateFlags::empty(), 0, bytes)) {
        Err(error @ (Errno::NOSPC | Errno::DQUOT)) => Err(error),
        // Other file systems may count blocks in another way, so an error does not mean that there are holes.
        _ => Ok(()),
    }
}
