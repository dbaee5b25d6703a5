//! Open or create a host's table (rules T08, T09, T11).
//!
//! A table is made whole before it has a name: a nameless file is given its full size and its header, and then linked
//! under the final name, which fails if another process was faster. So whoever finds the name finds a whole table, and a
//! creator that is killed leaves nothing. The name carries layout version and boot, so a table of another version or
//! boot is simply another file and never replaced under anybody's feet.

use std::hash::Hasher;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use fuseboard_core::layout::{Geometry, Header, HeaderError, VERSION};
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FileType, Mode, OFlags, RenameFlags, fallocate, fchmod, fstat, linkat, openat,
    renameat_with, unlinkat,
};
use rustix::io::{Errno, pread, pwrite};
use siphasher::sip::SipHasher13;

use crate::clock::Clock;
use crate::error::{Kind, OpenError};
use crate::mapping::Mapping;
use crate::owner::random_u64;
use crate::place::{self, Place};
use crate::table::Table;

/// How often to look again after losing a race to create or to a removal, before saying that it cannot be done.
const TRIES: usize = 8;
const PAGE: usize = size_of::<Header>();

/// Opens the table `name` in `folder` (or in this user's folder of the host), or creates it with `geometry`. An existing
/// table keeps the geometry it was made with.
///
/// # Errors
/// An [`OpenError`] that says which file or folder, and what is wrong with it.
pub fn open(name: &str, folder: Option<&Path>, geometry: Geometry, clock: Clock) -> Result<Table, OpenError> {
    let place = place::open(folder)?;
    let boot = boot_identity();
    let file = format!("{name}.v{VERSION}.{boot:016x}");
    let path = place.path.join(&file);
    for _ in 0..TRIES {
        if let Some((mapping, geometry)) = open_existing(&place, &file, &path, boot)? {
            return Ok(Table::new(mapping, geometry, clock, Some(path)));
        }
        if let Some(mapping) = create(&place, &file, &path, geometry, boot, &clock)? {
            return Ok(Table::new(mapping, geometry, clock, Some(path)));
        }
    }
    Err(OpenError::new(Kind::System, path, "is made and removed again all the time"))
}

/// The table under the name, checked; `None` if there is none.
fn open_existing(place: &Place, file: &str, path: &Path, boot: u64) -> Result<Option<(Mapping, Geometry)>, OpenError> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = match openat(&place.folder, file, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(OpenError::new(Kind::Foreign, path, "is a symbolic link")),
        Err(Errno::ISDIR | Errno::NXIO) => return Err(OpenError::new(Kind::Foreign, path, "is not a regular file")),
        other => other.map_err(|error| OpenError::system("cannot open the table", path, error))?,
    };
    let stat = fstat(&fd).map_err(|error| OpenError::system("cannot examine the table", path, error))?;
    let foreign = |found: String| OpenError::new(Kind::Foreign, path, found);
    match stat.st_nlink {
        0 => return Ok(None),
        1 => {}
        links => return Err(foreign(format!("has {links} names; a table has one"))),
    }
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(foreign("is not a regular file".to_owned()));
    }
    if let Some(fault) = place::ownership_fault(&stat, 0o177) {
        return Err(foreign(fault));
    }
    let bytes = u64::try_from(stat.st_size).unwrap_or(0);
    let geometry = check_header(&fd, boot, bytes, path)?;
    let mapping = Mapping::of_file(fd.as_fd(), geometry.bytes())
        .map_err(|error| OpenError::system("cannot map the table", path, error))?;
    Ok(Some((mapping, geometry)))
}

/// Reads and checks the header before anything is mapped, so a file that is too short cannot end this process.
fn check_header(fd: &OwnedFd, boot: u64, bytes: u64, path: &Path) -> Result<Geometry, OpenError> {
    let page = Mapping::anonymous(PAGE).map_err(|error| OpenError::system("no memory for", path, error))?;
    let mut words = [0_u8; PAGE];
    let read = pread(fd, &mut words, 0).map_err(|error| OpenError::system("cannot read the table", path, error))?;
    for (word, bytes) in page.section(0, read / 8).iter().zip(words.as_chunks().0) {
        let word: &fuseboard_core::sync::AtomicU64 = word;
        word.store(u64::from_ne_bytes(*bytes), fuseboard_core::sync::Ordering::Relaxed);
    }
    let header: &Header = &page.section(0, 1)[0];
    header.check(boot, bytes).map_err(|error| match error {
        HeaderError::Magic => OpenError::new(Kind::Foreign, path, "is not a table of Fuseboard's"),
        HeaderError::Version(other) => {
            OpenError::new(Kind::Version, path, format!("has layout {other}, this library reads layout {VERSION}"))
        }
        HeaderError::Geometry => {
            OpenError::new(Kind::Foreign, path, format!("has {bytes} bytes, which does not fit what its header says"))
        }
        HeaderError::Boot => OpenError::new(Kind::Foreign, path, "belongs to another boot of this host"),
    })
}

/// Makes the table; `None` if another process was faster.
fn create(
    place: &Place,
    file: &str,
    path: &Path,
    geometry: Geometry,
    boot: u64,
    clock: &Clock,
) -> Result<Option<Mapping>, OpenError> {
    let failed = |error| OpenError::system("cannot make the table", path, error);
    let Draft { fd, name } = Draft::new(place, file).map_err(failed)?;
    let linked =
        fill(&fd, geometry, boot, clock).and_then(|mapping| Ok((mapping, publish(place, &fd, name.as_deref(), file)?)));
    match linked {
        Ok((mapping, ())) => Ok(Some(mapping)),
        Err(error) => {
            if let Some(name) = name {
                // The draft is of no use to anybody; if it cannot be removed it is in nobody's way either.
                _ = unlinkat(&place.folder, name, AtFlags::empty());
            }
            if error == Errno::EXIST { Ok(None) } else { Err(failed(error)) }
        }
    }
}

/// A new file that nobody knows of yet: without a name where the system can do that, else with a random one.
struct Draft {
    fd: OwnedFd,
    name: Option<String>,
}

impl Draft {
    fn new(place: &Place, file: &str) -> Result<Self, Errno> {
        #[cfg(target_os = "linux")]
        if Path::new("/proc/self/fd").exists()
            && let Ok(fd) =
                openat(&place.folder, ".", OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)
        {
            return Ok(Self { fd, name: None });
        }
        let name = format!(".{file}.{:016x}", random_u64());
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&place.folder, &name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Self { fd, name: Some(name) })
    }
}

/// Gives a draft its full size, its mode whatever the umask, and its header.
fn fill(fd: &OwnedFd, geometry: Geometry, boot: u64, clock: &Clock) -> Result<Mapping, Errno> {
    fchmod(fd, Mode::RUSR | Mode::WUSR)?;
    reserve(fd, geometry.bytes() as u64)?;
    let mapping = Mapping::of_file(fd.as_fd(), geometry.bytes())?;
    let header: &Header = &mapping.section(0, 1)[0];
    header.write(geometry, boot, [random_u64(), random_u64()], clock.now_us());
    Ok(mapping)
}

/// Reserves every byte now, so that a full disk is met here and not at a store to a mapped page.
fn reserve(fd: &OwnedFd, bytes: u64) -> Result<(), Errno> {
    match fallocate(fd, FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeroes(fd, bytes),
        other => other,
    }
}

fn write_zeroes(fd: &OwnedFd, bytes: u64) -> Result<(), Errno> {
    let zeroes = [0_u8; 64 * 1024];
    let mut at = 0;
    while at < bytes {
        let rest = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(zeroes.len());
        at += pwrite(fd, &zeroes[..rest], at)? as u64;
    }
    Ok(())
}

/// Gives a draft its final name, unless that is taken.
fn publish(place: &Place, fd: &OwnedFd, draft: Option<&str>, file: &str) -> Result<(), Errno> {
    match draft {
        Some(name) => renameat_with(&place.folder, name, &place.folder, file, RenameFlags::NOREPLACE),
        None => {
            let nameless = PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
            linkat(CWD, nameless, &place.folder, file, AtFlags::SYMLINK_FOLLOW)
        }
    }
}

/// A number for this boot of this host and, on Linux, this time namespace, whose clocks may run apart from others'.
fn boot_identity() -> u64 {
    let mut hash = SipHasher13::new();
    hash.write(&boot_session());
    if let Ok(namespace) = std::fs::read_link("/proc/self/ns/time") {
        hash.write(namespace.as_os_str().as_encoded_bytes());
    }
    hash.finish()
}

#[cfg(target_os = "linux")]
fn boot_session() -> Vec<u8> {
    // Without /proc the number is the same for every boot; tables in shared memory do not outlive one anyway.
    std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

#[cfg(target_os = "macos")]
fn boot_session() -> Vec<u8> {
    let mut uuid = vec![0_u8; 64];
    let mut len = uuid.len();
    // SAFETY: the name is a C string, and `uuid` and `len` describe a buffer that outlives the call.
    let failed = unsafe {
        libc::sysctlbyname(
            c"kern.bootsessionuuid".as_ptr(),
            uuid.as_mut_ptr().cast(),
            &raw mut len,
            std::ptr::null_mut(),
            0,
        )
    };
    uuid.truncate(if failed == 0 { len } else { 0 });
    uuid
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn boot_session() -> Vec<u8> {
    Vec::new()
}
