//! One process of the host that leads for a purpose: the system's lock beside the lease in the table.
//!
//! The lease decides ([`Leader`]). The lock shows that the leader is dead, at once and for certain. It is a POSIX
//! record lock (`fcntl`) of a file that is opened for nothing else: the system gives it back when the process dies, and
//! a forked child does not have it. (An `flock` belongs to the open file, which a child inherits: it stays held while
//! any child lives.)
//!
//! A POSIX lock is also lost when its process closes *any* descriptor of the file. So a process opens the file once for
//! each table and purpose, however many stores and candidates it has: they share one `Standing`. If somebody else
//! closes the descriptor, or removes the file, another process may take the lead too early. This one then learns that
//! from the lease, as a process that was stopped does.

#[cfg(shares_tables)]
mod lock;
#[cfg(not(shares_tables))]
mod no_lock;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fuseboard_core::leader::{Leader, Rivals};

#[cfg(shares_tables)]
use self::lock::Lock;
#[cfg(not(shares_tables))]
use self::no_lock::Lock;
use crate::chain::Chain;
use crate::owner;
use crate::table::Table;

/// What this process has of each table and purpose that it has asked for. Never taken out: a program has a few stores,
/// and leads for a few purposes.
static STANDINGS: Chain<Standing> = Chain::new();

#[derive(Debug)]
struct Standing {
    /// The process: a forked child begins without its parent's.
    token: usize,
    /// The purpose and the table, by a hash under the table's own key, and the table's file.
    id: [u64; 4],
    /// Held for a moment, and never while this process waits; a child has one of its own.
    state: Mutex<LeadState>,
}

#[derive(Debug)]
struct LeadState {
    /// The last term that this process led; 0 if it does not lead.
    term: u64,
    lock: Option<Lock>,
    fault: Option<String>,
}

/// This process as one of those that may lead for a purpose of a table.
#[derive(Debug)]
pub struct Candidate<'t> {
    table: &'t Table,
    row: &'t Leader,
    standing: &'static Standing,
    path: Option<PathBuf>,
}

impl<'t> Candidate<'t> {
    /// A candidate for a purpose: a short name, fit for the name of a file. `None` if the table knows as many other
    /// purposes as it has room for.
    #[must_use]
    pub fn new(table: &'t Table, purpose: &str) -> Option<Self> {
        let [hash, more, name] = table.hashes_of_purpose(purpose);
        let row = Leader::of(table.leader_rows(), hash.max(1))?;
        let (device, number) = table.file().unwrap_or_default();
        let path = table.path().map(|path| lock_path(path, purpose, name));
        Some(Self { table, row, standing: Standing::of([hash, more, device, number]), path })
    }

    /// Whether [`Self::new`] would find one. Nothing is taken: who only says that he may lead some day takes no other's
    /// room.
    #[must_use]
    pub fn is_possible(table: &Table, purpose: &str) -> bool {
        let [hash, ..] = table.hashes_of_purpose(purpose);
        Leader::has_room(table.leader_rows(), hash.max(1))
    }

    /// Leads, or leads on, for `lease_us` microseconds, unless another process does; the term. Waits for nobody.
    #[must_use]
    pub fn lead(&self, lease_us: u64) -> Option<u64> {
        let mut state = self.standing.state();
        let now_us = self.table.clock().now_us();
        self.lock(&mut state);
        if state.term != 0 && self.row.renew(state.term, state.lock.is_some(), lease_us, now_us) {
            return Some(state.term);
        }
        if state.term != 0 {
            // Another has led since. The lock may be of a file that is not there any more, so it proves nothing now.
            (state.term, state.lock) = (0, None);
            self.lock(&mut state);
        }
        let rivals = match (&self.path, &state.lock) {
            (None, _) => Rivals::None,
            (_, None) => Rivals::Unknown,
            (_, Some(_)) => Rivals::Unlocked,
        };
        let term = self.row.take(rivals, owner::pid(), lease_us, now_us);
        if term.is_none() {
            state.lock = None;
        }
        state.term = term.unwrap_or(0);
        term
    }

    /// The term in which this process leads at this moment, by its lease; takes and renews nothing.
    #[must_use]
    pub fn term(&self) -> Option<u64> {
        let term = self.standing.state().term;
        (term != 0 && self.row.leads(term, self.table.clock().now_us())).then_some(term)
    }

    /// Leaves the lead to anybody; nothing if this process does not lead.
    pub fn resign(&self) {
        let mut state = self.standing.state();
        if state.term != 0 {
            // The lease first: a process that gets the lock then finds no leader, dead or alive.
            self.row.resign(state.term);
            (state.term, state.lock) = (0, None);
        }
    }

    /// The process that leads, for people.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.row.pid(self.table.clock().now_us())
    }

    /// Why the lock could not be asked for when it was last wanted. Without it a leader's death is noticed when its
    /// lease runs out.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.standing.state().fault.clone()
    }

    /// Gets the lock, unless it is had, or another process has it.
    fn lock(&self, state: &mut LeadState) {
        let Some(path) = self.path.as_deref().filter(|_| state.lock.is_none()) else { return };
        (state.lock, state.fault) = match Lock::get(path) {
            Ok(lock) => (lock, None),
            Err(error) => (None, Some(error.to_string())),
        };
    }
}

/// Of each table one of its own, also where another has been in its place.
fn lock_path(table: &Path, purpose: &str, hash: u64) -> PathBuf {
    let mut path = table.as_os_str().to_owned();
    path.push(format!(".{purpose}.{hash:016x}.lock"));
    path.into()
}

impl Standing {
    /// This process's, of these.
    fn of(id: [u64; 4]) -> &'static Self {
        let token = owner::token();
        loop {
            let like = || STANDINGS.iter().filter(|standing| standing.id == id);
            if let Some(standing) = like().find(|standing| standing.token == token) {
                return standing;
            }
            // A parent's: what its child closes releases none of its locks. Whose thread is in the middle of it keeps
            // it open.
            like().filter_map(|standing| standing.state.try_lock().ok()).for_each(|mut state| state.lock = None);
            let state = Mutex::new(LeadState { term: 0, lock: None, fault: None });
            _ = STANDINGS.add_behind(STANDINGS.iter().count(), Self { token, id, state });
        }
    }

    fn state(&self) -> MutexGuard<'_, LeadState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
