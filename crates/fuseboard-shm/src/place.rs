//! The private folder that a user's tables lie in (rule T11).
//!
//! It must be the same for a service, a shell and a cron job of one user, so it does not hang on the login session:
//! `$FUSEBOARD_DIR`, else `/dev/shm/fuseboard-<uid>` where that can be had, else `/tmp/fuseboard-<uid>`. Which of the two
//! is decided by what the host is, never by how much room is left, so that two processes cannot choose differently.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, chmodat, fstat, mkdirat, openat, statat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::error::{Kind, OpenError};

/// An open folder, found to be private.
pub(crate) struct Place {
    pub(crate) folder: OwnedFd,
    pub(crate) path: PathBuf,
}

/// Opens the folder `chosen`, or the user's folder on this host; makes it if there is none.
pub(crate) fn open(chosen: Option<&Path>) -> Result<Place, OpenError> {
    if let Some(path) = chosen {
        if !path.is_absolute() {
            let found = "is a relative path, which means another folder in another working directory";
            return Err(OpenError::new(Kind::Place, path, found));
        }
        return open_private(path);
    }
    let name = format!("fuseboard-{}", geteuid().as_raw());
    let shm = Path::new("/dev/shm");
    if is_folder(shm) {
        match open_private(&shm.join(&name)) {
            Err(refused) if refused.kind == Kind::System => {}
            other => return other,
        }
    }
    open_private(&Path::new("/tmp").join(&name))
}

fn is_folder(path: &Path) -> bool {
    statat(CWD, path, AtFlags::empty()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

fn open_private(path: &Path) -> Result<Place, OpenError> {
    let failed = |doing| move |error| OpenError::system(doing, path, error);
    match mkdirat(CWD, path, Mode::RWXU) {
        // Whatever the umask took away.
        Ok(()) => chmodat(CWD, path, Mode::RWXU, AtFlags::empty()).map_err(failed("cannot set the folder's mode"))?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(failed("cannot make the folder")(error)),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match openat(CWD, path, flags, Mode::empty()) {
        Err(Errno::LOOP | Errno::NOTDIR) => {
            return Err(OpenError::new(Kind::Place, path, "is not a folder, or a symbolic link to one"));
        }
        other => other.map_err(failed("cannot open the folder"))?,
    };
    let stat = fstat(&folder).map_err(failed("cannot examine the folder"))?;
    if let Some(fault) = ownership_fault(&stat, 0o077) {
        return Err(OpenError::new(Kind::Place, path, fault));
    }
    Ok(Place { folder, path: path.to_owned() })
}

/// What is wrong with an owner or mode: it must be this user's, with none of the `forbidden` bits.
pub(crate) fn ownership_fault(stat: &Stat, forbidden: u32) -> Option<String> {
    let me = geteuid().as_raw();
    if stat.st_uid != me {
        return Some(format!("belongs to user {}, not to user {me}", stat.st_uid));
    }
    #[allow(clippy::useless_conversion, reason = "16 bits on macOS")]
    let mode = u32::from(Mode::from_raw_mode(stat.st_mode).as_raw_mode());
    (mode & forbidden != 0).then(|| format!("has mode {mode:04o}; others must have no access to it"))
}
