//! Looking without asking: what a call would be told, for a caller that does not make one.
//!
//! The fuse word is read once and the seats behind it, as a call does. A fuse that moves on in between is no trouble: a
//! seat that looks free because a newer generation has it was free for a moment after that began.

use crate::admission::Rejection;
use crate::fuse::Fuse;
use crate::policy::Policy;
use crate::state::State;
use crate::time::{LEAD_US, age};

impl Fuse<'_> {
    /// Why [`Fuse::admit`] would reject a call at this moment, if it would. Takes no permit and writes nothing: an open
    /// fuse whose time is up stays open. A seat counts as free where `is_gone` says so of its signer, as for
    /// [`Fuse::reclaim`].
    ///
    /// # Errors
    /// The rejection. None of a fuse that was removed.
    pub fn would_admit(self, policy: &Policy, now_us: u64, is_gone: impl Fn(u64) -> bool) -> Result<(), Rejection> {
        let Some(seen) = self.mine() else { return Ok(()) };
        let left = match seen.state() {
            State::Unseen | State::Vacant | State::Closed | State::Disabled => return Ok(()),
            State::Isolated if !self.is_overridden(seen, now_us) => return Ok(()),
            State::Isolated => self.override_left(seen, now_us),
            State::Open => match self.open_us(seen, policy).saturating_sub(age(now_us, seen.generation())) {
                ..=LEAD_US => return Ok(()),
                left => Some(left),
            },
            State::Ramping => return self.would_climb(seen, policy, now_us),
            State::HalfOpen if policy.is_overstayed(seen, now_us) => {
                // It would open again; the jitter of that is not known before.
                let left = Some(policy.open_us(self.failed_probes() + 1));
                return Err(Rejection::new(State::Open, left));
            }
            State::HalfOpen => match self.seats().all_taken(seen.generation(), policy.probes, now_us, is_gone) {
                None => return Ok(()),
                Some(left) => return Err(Rejection::beside_probes(policy, left.min(policy.probe_us))),
            },
        };
        Err(Rejection::new(seen.state(), left))
    }
}
