//! How a call would be answered, for a caller that does not make one.
//!
//! The fuse word is read once, and the seats after it, as in a call. If the fuse changes in between, the answer is
//! still one that a call could have had: a seat that looks free because a newer generation has it was free for a
//! moment.

use crate::admission::Rejection;
use crate::fuse::Fuse;
use crate::policy::Policy;
use crate::state::State;
use crate::time::{LEAD_US, age};

impl Fuse<'_> {
    /// Why [`Fuse::admit`] would reject a call at this moment, if it would. Takes no permit and writes nothing: an open
    /// fuse whose time is over stays open. A seat counts as free if `is_gone` says so of its hint, as for
    /// [`Fuse::reclaim`].
    ///
    /// # Errors
    /// The rejection. A fuse that was removed gives none.
    pub fn would_admit(self, policy: &Policy, now_us: u64, is_gone: impl Fn(u64) -> bool) -> Result<(), Rejection> {
        let Some(seen) = self.mine() else { return Ok(()) };
        let left = match seen.state() {
            State::Unseen | State::Vacant | State::Closed | State::Disabled => return Ok(()),
            State::Isolated if !self.cell.is_overridden(seen, now_us) => return Ok(()),
            State::Isolated => self.cell.override_left_us(seen, now_us),
            State::Open => match self.cell.open_us(seen, policy).saturating_sub(age(now_us, seen.generation())) {
                ..=LEAD_US => return Ok(()),
                left => Some(left),
            },
            State::Ramping => return self.cell.would_climb(seen, policy, now_us).map_err(Rejection::ramping),
            State::HalfOpen if policy.is_overstayed(seen, now_us) => {
                // It would open again. The jitter of that open time is not known yet.
                let left = Some(policy.open_us(self.cell.failed_probes() + 1));
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
