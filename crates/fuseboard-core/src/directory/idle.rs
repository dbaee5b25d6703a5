//! Which fuses are idle: what a full table can remove by itself.
//!
//! Nobody watches a fuse, so it takes two looks to see that it does nothing. The first look leaves an **idle stamp**:
//! the time, and a hash of the fuse word and of all counters. A look that finds the same hash a minute later has seen
//! that nobody called in between.

use crate::counters::{Stripe, totals};
use crate::directory::{Directory, QUARANTINE_US, SlotClaim};
use crate::fuse::Fuse;
use crate::key::NameHash;
use crate::sync::Ordering;
use crate::time::{STAMP_BITS, age};

/// How long a fuse must have done nothing, in microseconds.
pub const IDLE_US: u64 = QUARANTINE_US;
const HASH_BITS: u32 = u64::BITS - STAMP_BITS;

impl<'a> Directory<'a> {
    /// The claims along a name's sequence whose fuses have done nothing since an earlier look. `fuse` makes the fuse of
    /// a claim.
    pub fn idle(
        self,
        name_hash: NameHash,
        now_us: u64,
        fuse: impl Fn(SlotClaim) -> Fuse<'a>,
    ) -> impl Iterator<Item = SlotClaim> {
        let claims = self.sequence(name_hash).filter_map(move |slot| self.claim_or_end(slot));
        claims.filter(move |claim| self.has_idled(*claim, fuse(*claim), now_us))
    }

    fn has_idled(self, claim: SlotClaim, fuse: Fuse<'_>, now_us: u64) -> bool {
        let Some(word) = fuse.mine().filter(|word| fuse.is_idle(*word, now_us)) else { return false };
        let stamp = &self.key(claim.slot).idle_stamp;
        let stripes = self.stripes_of(claim.slot);
        let (hash, seen) = (hash_of(word.0, stripes), stamp.load(Ordering::Relaxed));
        let age = age(now_us, seen >> HASH_BITS);
        let is_same = seen & ((1 << HASH_BITS) - 1) == hash;
        if !is_same || age == u64::MAX {
            // Another process may write its own at this moment. Both are true.
            stamp.store(now_us << HASH_BITS | hash, Ordering::Relaxed);
        }
        is_same && (IDLE_US..u64::MAX).contains(&age)
    }
}

/// The finaliser of SplitMix64 over all of it. Once in 65,536, by chance, a fuse that was used looks unused.
fn hash_of(word: u64, stripes: &[Stripe]) -> u64 {
    let mix = |hash: u64, more: u64| {
        let mixed = (hash ^ more ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    };
    totals(stripes).into_iter().fold(mix(1, word), mix) >> STAMP_BITS
}
