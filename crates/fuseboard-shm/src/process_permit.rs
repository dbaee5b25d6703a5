//! What an admitted call has: its permit, and the process that took it.

use fuseboard_core::fuse::Permit;

use crate::owner;

/// A permit, and the process that took it.
#[derive(Clone, Copy, Debug)]
pub struct ProcessPermit {
    pub(crate) permit: Permit,
    owner: usize,
    /// When the call began; 0 if it does not matter how long it takes.
    began_us: u64,
    /// When its clock was stopped; 0 while it runs.
    stopped_us: u64,
}

impl ProcessPermit {
    /// A permit that this process was just given, of a call whose time does not matter.
    #[must_use]
    pub fn new(permit: Permit) -> Self {
        Self { permit, owner: owner::token(), began_us: 0, stopped_us: 0 }
    }

    /// The permit of a call that began at this time.
    #[must_use]
    pub const fn begun(self, began_us: u64) -> Self {
        Self { began_us, ..self }
    }

    /// The permit of a call whose clock was stopped at this time; 0 if it was not.
    #[must_use]
    pub const fn stopped(self, stopped_us: u64) -> Self {
        Self { stopped_us, ..self }
    }

    /// The generation of the fuse when the call was admitted.
    #[must_use]
    #[inline(always)]
    pub const fn generation(&self) -> u64 {
        self.permit.generation
    }

    /// When the call began; 0 if it does not matter how long it takes.
    #[must_use]
    pub const fn began_us(&self) -> u64 {
        self.began_us
    }

    /// Whether the call it admits is a probe.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        self.permit.lease.is_some()
    }

    /// How long the call took, if it ends at this time and its clock was not stopped before.
    pub(crate) const fn took_us(&self, ended_us: u64) -> u64 {
        let stopped_us = if self.stopped_us == 0 { ended_us } else { self.stopped_us };
        stopped_us.saturating_sub(self.began_us)
    }

    /// Whether this process took it, and not one that it is a forked child of.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.owner == owner::token()
    }

    /// The permit, unless it is a probe's and this process is a forked child of the one that took it: then the parent
    /// reports the probe's outcome.
    pub(crate) fn valid(&self) -> Option<Permit> {
        (self.permit.lease.is_none() || self.owner == owner::token()).then_some(self.permit)
    }
}
