//! The private folder in which a user's tables lie (rule T11).
//!
//! It must be the same for a service, a shell and a cron job of one user, so it does not depend on the login session:
//! `$FUSEBOARD_DIR`, otherwise `/dev/shm/fuseboard-<uid>` if that can be had, otherwise `/tmp/fuseboard-<uid>`. The
//! host decides between the last two, never the free space, so two processes cannot choose differently.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{
    Access as Permission, AtFlags, CWD, Mode, OFlags, Stat, accessat, chmodat, fstat, mkdirat, openat, statat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::geteuid;

use super::map::Access;
use crate::error::{Kind, OpenError};
use crate::system::ownership_fault;

/// An open folder that was found to be private.
pub(super) struct StoreDir {
    pub(super) folder: OwnedFd,
    pub(super) path: PathBuf,
}

/// Opens the folder `chosen`, or the user's folder on this host; makes it if there is none.
pub(super) fn open(chosen: Option<&Path>) -> Result<StoreDir, OpenError> {
    let path = match chosen {
        Some(path) => made(&absolute(path)?)?,
        None => of_user()?,
    };
    // Made just now, or found: who took it away since may not do so again.
    open_at(path, Access::Write)
        .map_err(|error| if error.kind == Kind::Missing { error.transient(true) } else { error })
}

/// Opens the folder that [`open`] would, and makes nothing: a folder that root has made is of no use to the service
/// that comes after it. To read it may be another user's, if the system lets us in.
pub(super) fn find(chosen: Option<&Path>, access: Access) -> Result<StoreDir, OpenError> {
    let path = match chosen {
        Some(path) => absolute(path)?,
        None => where_of_user(),
    };
    open_at(path, access)
}

fn absolute(path: &Path) -> Result<PathBuf, OpenError> {
    if !path.is_absolute() {
        let found = "is a relative path, so it depends on the working directory";
        return Err(OpenError::new(Kind::Folder, path, found));
    }
    // Without a slash at the end, behind which a symbolic link would be followed.
    Ok(path.components().collect())
}

/// The user's folder in shared memory, and the one for where that cannot be had.
fn folders_of_user() -> [PathBuf; 2] {
    let name = format!("fuseboard-{}", geteuid().as_raw());
    ["/dev/shm", "/tmp"].map(|base| Path::new(base).join(&name))
}

fn of_user() -> Result<PathBuf, OpenError> {
    let [in_memory, temporary] = folders_of_user();
    match make(&in_memory) {
        Ok(()) => Ok(in_memory),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::PERM | Errno::ROFS) => made(&temporary),
        Err(error) => Err(OpenError::system("cannot create the folder", in_memory, error)),
    }
}

/// What [`of_user`] would make, or find.
fn where_of_user() -> PathBuf {
    let [in_memory, temporary] = folders_of_user();
    let is_there = statat(CWD, &in_memory, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    let could_be_made =
        || accessat(CWD, "/dev/shm", Permission::WRITE_OK | Permission::EXEC_OK, AtFlags::EACCESS).is_ok();
    if is_there || could_be_made() { in_memory } else { temporary }
}

fn made(path: &Path) -> Result<PathBuf, OpenError> {
    make(path).map_err(|error| OpenError::system("cannot create the folder", path, error))?;
    Ok(path.to_owned())
}

/// Makes a folder unless it is there.
fn make(path: &Path) -> Result<(), Errno> {
    match mkdirat(CWD, path, Mode::RWXU) {
        // Whatever the umask took away.
        Ok(()) => chmodat(CWD, path, Mode::RWXU, AtFlags::empty()),
        Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error),
    }
}

fn open_at(path: PathBuf, access: Access) -> Result<StoreDir, OpenError> {
    let refused = |found: String| OpenError::new(Kind::Folder, &path, found);
    let unfit = |stat: &Stat| {
        let kind = if stat.st_uid == geteuid().as_raw() { Kind::Folder } else { Kind::Owner };
        ownership_fault(stat, Mode::RWXU).map(|found| OpenError::new(kind, &path, found))
    };
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match retry_on_intr(|| openat(CWD, &path, flags, Mode::empty())) {
        Err(Errno::LOOP | Errno::NOTDIR) => {
            return Err(refused("is not a folder, or is a symbolic link".to_owned()));
        }
        // Perhaps ours, with a mode that shuts us out too.
        Err(Errno::ACCESS) => {
            let stat = statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW).ok();
            let fault = stat.as_ref().and_then(unfit);
            return Err(fault.unwrap_or_else(|| refused("cannot be opened: permission denied".to_owned())));
        }
        Err(Errno::NOENT) => return Err(OpenError::new(Kind::Missing, &path, "does not exist")),
        other => other.map_err(|error| OpenError::system("cannot open the folder", &path, error))?,
    };
    let stat = fstat(&folder).map_err(|error| OpenError::system("cannot examine the folder", &path, error))?;
    if access == Access::Write
        && let Some(fault) = unfit(&stat)
    {
        return Err(fault);
    }
    Ok(StoreDir { folder, path })
}
