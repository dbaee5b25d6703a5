//! Makes a host's table whole before it has a name (rule T08).
//!
//! The draft is a file without a name, or with a random one where the system has no nameless files. It gets its full
//! size and its header. Then it is linked under the final name, which fails if another process was faster. So a process
//! that finds the name finds a whole table. A creator that is killed leaves nothing, or a draft that is in nobody's
//! way.

use std::os::fd::{AsFd, OwnedFd};

use fuseboard_core::layout::{Geometry, Header};
use rustix::fs::{
    AtFlags, FallocateFlags, Mode, OFlags, RenameFlags, fallocate, fchmod, openat, renameat_with, unlinkat,
};
use rustix::io::{Errno, pwrite, retry_on_intr};

#[cfg(target_os = "linux")]
use super::linux as system;
#[cfg(target_os = "macos")]
use super::macos as system;
use super::map::{Access, of_file};
use super::table_spec::TableSpec;
use crate::error::OpenError;
use crate::owner::random_u64;

/// Makes the table, unless another process was faster. Returns whether this process made it.
pub(super) fn create(wanted: &TableSpec, geometry: Geometry) -> Result<bool, OpenError> {
    let made = match wanted.nameless(geometry) {
        // The system, the folder or a sandbox has no nameless files. But a full disk is full for a named file too.
        Err(error) if !matches!(error, Errno::EXIST | Errno::NOSPC | Errno::DQUOT) => wanted.named(geometry),
        other => other,
    };
    match made {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(error) => {
            let doing = format!("cannot create the table of {} bytes", geometry.bytes());
            Err(OpenError::system(&doing, &wanted.path, error))
        }
    }
}

const ACCESS: Mode = Mode::RUSR.union(Mode::WUSR);

impl TableSpec<'_> {
    fn nameless(&self, geometry: Geometry) -> Result<(), Errno> {
        let folder = self.dir.folder.as_fd();
        let fd = system::nameless_draft(folder, ACCESS)?;
        self.fill(&fd, geometry)?;
        system::name_draft(fd.as_fd(), folder, &self.file)
    }

    fn named(&self, geometry: Geometry) -> Result<(), Errno> {
        let folder = &self.dir.folder;
        let draft = format!(".{}.{:016x}", self.file, random_u64());
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| openat(folder, &draft, flags, ACCESS))?;
        let made = self
            .fill(&fd, geometry)
            .and_then(|()| renameat_with(folder, &draft, folder, &self.file, RenameFlags::NOREPLACE));
        if made.is_err() {
            // The draft is of no use to anybody; if it cannot be removed it is in nobody's way either.
            _ = unlinkat(folder, &draft, AtFlags::empty());
        }
        made
    }

    /// Gives a draft its mode, whatever the umask is, its full size and its header.
    fn fill(&self, fd: &OwnedFd, geometry: Geometry) -> Result<(), Errno> {
        fchmod(fd, ACCESS)?;
        reserve(fd, geometry.bytes() as u64)?;
        let mapping = of_file(fd.as_fd(), geometry.bytes(), Access::Write)?;
        let header: &Header = &mapping.section(0, 1)[0];
        header.write(geometry, self.boot, [(); 3].map(|()| random_u64()), self.clock.now_us());
        Ok(())
    }
}

/// Reserves every byte now, so that a full disk is met here and not at a store to a mapped page.
fn reserve(fd: &OwnedFd, bytes: u64) -> Result<(), Errno> {
    match retry_on_intr(|| fallocate(fd, FallocateFlags::empty(), 0, bytes)) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeroes(fd, bytes),
        other => other,
    }
}

fn write_zeroes(fd: &OwnedFd, bytes: u64) -> Result<(), Errno> {
    let zeroes = [0_u8; 64 * 1024];
    let mut at = 0;
    while at < bytes {
        let rest = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(zeroes.len());
        at += retry_on_intr(|| pwrite(fd, &zeroes[..rest], at))? as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    use std::path::Path;

    use super::*;
    use crate::clock::Clock;
    use crate::open::host::store_dir;

    fn smallest() -> Geometry {
        Geometry::for_capacity(1, 1).expect("in range")
    }

    /// Makes a table in this way twice; how that went, and the names and the mode of what it left.
    fn made_twice(make: impl Fn(&TableSpec<'_>) -> Result<(), Errno>) -> ([Result<(), Errno>; 2], Vec<String>, u32) {
        let shm = Path::new("/dev/shm");
        let base = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
        let folder = base.join(format!("fuseboard-test-{:016x}", random_u64()));
        fs::DirBuilder::new().mode(0o700).create(&folder).expect("a folder of ours");
        let wanted = TableSpec {
            dir: store_dir::open(Some(&folder)).expect("a private folder"),
            file: "shop".to_owned(),
            path: folder.join("shop"),
            boot: 1,
            clock: &Clock::System,
        };
        let made = [(); 2].map(|()| make(&wanted));
        let entries = fs::read_dir(&folder).expect("our folder").map(|entry| entry.expect("one").file_name());
        let names = entries.map(|name| name.into_string().expect("a plain name")).collect();
        let mode = fs::metadata(&wanted.path).map_or(0, |meta| meta.permissions().mode());
        fs::remove_dir_all(&folder).expect("our folder");
        (made, names, mode)
    }

    /// T08: in the way of each system the first draft becomes the table, whole and private, and the second nothing.
    #[test]
    fn a_draft_becomes_the_table_once() {
        let expected = ([Ok(()), Err(Errno::EXIST)], vec!["shop".to_owned()], 0o100_600);
        assert_eq!(expected, made_twice(|wanted| wanted.named(smallest())));
        #[cfg(target_os = "linux")]
        assert_eq!(expected, made_twice(|wanted| wanted.nameless(smallest())));
    }

    /// What systems without `fallocate` do: every byte is written, and none more.
    #[test]
    fn a_draft_is_filled_with_zeroes_to_its_length() {
        let path = std::env::temp_dir().join(format!("fuseboard-test-{:016x}", random_u64()));
        let file = fs::File::options().create_new(true).write(true).open(&path).expect("a temporary file");
        let written = write_zeroes(&OwnedFd::from(file), 200_001);
        let bytes = fs::read(&path).expect("our file");
        fs::remove_file(&path).expect("our file");
        assert_eq!((Ok(()), 200_001), (written, bytes.len()));
        assert!(bytes.iter().all(|byte| *byte == 0));
    }
}
