//! Resetting a whole table, slot after slot, beside whoever uses it.
//!
//! There is no instant at which all fuses are reset: each is in one step, as by any other operation, and what stands beside
//! its word behind that. So a failure falls before or behind the reset of its own fuse, whatever became of others.

use crate::counters::{COUNTERS, clear, totals};
use crate::directory::Directory;
use crate::fuse::Fuse;
use crate::journal::About;
use crate::transition::Transition;

impl Directory<'_> {
    /// Closes and forgets the fuse of a slot, whosever it is, and sets its counters to 0; what became of it is written down.
    /// Of a slot that nobody has too: damage may have taken a key alone, or left something for whoever comes.
    pub fn reset(self, slot: usize, fuse: Fuse<'_>, now_us: impl Fn() -> u64) -> Option<Transition> {
        self.mend(slot, &now_us);
        let made = fuse.forget(now_us);
        if let Some(transition) = made {
            fuse.write_down(transition, About::NOTHING);
        }
        let stripes = self.stripes_of(slot);
        // Only what was counted in, so that a private table's untouched pages stay no memory at all.
        if totals(stripes) != [0; COUNTERS] {
            clear(stripes);
            self.exported_of(slot).into_iter().for_each(|exported| exported.clear_if(|| true));
        }
        made
    }
}
