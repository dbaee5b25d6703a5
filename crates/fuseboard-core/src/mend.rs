//! What damage left in a fuse, and how it goes away.
//!
//! A sound fuse has nothing that outlives a change of its generation. A damaged one may: failures far ahead, leases and
//! counts of a generation to come, a wrong backoff count. So a manual override and a reset make their change through
//! [`Fuse::mending`].

use crate::fuse::Fuse;
use crate::journal_writer;
use crate::rate::RateWindow;
use crate::sync::Ordering;
use crate::transition::Transition;

impl Fuse<'_> {
    /// Makes a `change` that ends the generation, and takes away what would outlive it. All of that is read before the
    /// change, so nothing that belongs to the new generation is taken away. The clock is read after each look at the
    /// fuse: a stamp far ahead of it is then damage, however long this process is stopped in between.
    pub(crate) fn mending(
        self,
        now_us: impl Fn() -> u64,
        change: impl FnOnce() -> Option<Transition>,
    ) -> Option<Transition> {
        self.log.drop_far_ahead(&now_us);
        journal_writer::mend(self.cell, now_us);
        self.rate_windows.into_iter().flatten().for_each(RateWindow::mend);
        let words = [&self.cell.progress, &self.cell.asked, &self.cell.override_end]
            .map(|word| (word, word.load(Ordering::Acquire)));
        let held = self.seats().held();
        let made = change();
        if made.is_none() && self.mine().is_none() {
            return None;
        }
        self.seats().free(held);
        for (word, seen) in words {
            if seen != 0 {
                _ = word.compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        self.cell.forget_failed_probes(made.map_or_else(|| self.word().generation(), |made| made.generation));
        made
    }
}
