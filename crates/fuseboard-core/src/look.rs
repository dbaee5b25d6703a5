//! Looking without asking: what a call would be told, for a caller that does not make one.

use crate::answer::Rejection;
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
    /// The rejection.
    pub fn would_admit(self, policy: &Policy, now_us: u64, is_gone: impl Fn(u64) -> bool) -> Result<(), Rejection> {
        loop {
            let seen = self.word();
            let left = match seen.state() {
                State::Unseen | State::Closed | State::Disabled => None,
                State::Isolated => return Err(Rejection { state: State::Isolated, retry_after_us: None }),
                State::Open => {
                    let left = policy.reset_us.saturating_sub(age(now_us, seen.generation()));
                    (left > LEAD_US).then_some(left)
                }
                State::HalfOpen => {
                    let left = self.seats().all_taken(seen.generation(), policy.probes, now_us, &is_gone);
                    left.map(|left| left.min(policy.probe_us))
                }
            };
            // Seats are words of their own: what was read there is an answer only if the fuse did not move meanwhile.
            if self.word().generation() == seen.generation() {
                let rejection = |left| Rejection { state: seen.state(), retry_after_us: Some(left) };
                return left.map_or(Ok(()), |left| Err(rejection(left)));
            }
        }
    }
}
