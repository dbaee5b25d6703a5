//! Resetting a whole table, slot after slot, while others use it.
//!
//! There is no instant at which all fuses are reset. Each fuse is reset in one step, as by any other operation; what
//! stands beside its word follows. So a failure comes before or after the reset of its own fuse, whatever happens to
//! other fuses.

use crate::counters::{COUNTERS, clear, totals};
use crate::directory::Directory;
use crate::fuse::Fuse;
use crate::journal::About;
use crate::transition::Transition;

impl Directory<'_> {
    /// Closes and forgets the fuse of a slot, sets its counters to 0, and writes the transition down. Slots that belong
    /// to nobody too: damage may have taken the key alone, or left something for the next claim.
    pub fn reset(self, slot: usize, fuse: Fuse<'_>, now_us: impl Fn() -> u64) -> Option<Transition> {
        self.mend(slot, &now_us);
        let made = fuse.forget(now_us);
        if let Some(transition) = made {
            fuse.write_down(transition, About::NOTHING);
        }
        let stripes = self.stripes_of(slot);
        // Only lines that were counted in: pages of a private table that nobody touched take no memory.
        if totals(stripes) != [0; COUNTERS] {
            clear(stripes);
            self.exported_of(slot).into_iter().for_each(|exported| exported.clear_if(|| true));
        }
        made
    }
}
