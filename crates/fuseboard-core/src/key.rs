//! The key of a slot: whose the slot is, if anybody's, and how often it was claimed.
//!
//! ```text
//!  owner: 63                                    18 17             2  1   0
//!        +-----------------------------------------+---------------+------+
//!        | 46 bits of the hash of a name           | claim: 16     | st.  |
//!        +-----------------------------------------+---------------+------+
//!  more:  63                                        16 15             0
//!        +--------------------------------------------+---------------+
//!        | 48 more bits of the hash                   | claim: 16     |
//!        +--------------------------------------------+---------------+
//! ```
//!
//! The owner word alone says whose the slot is. The second word tells apart names that share the first 46 bits. It
//! counts only if its claim number is that of the owner word, so nobody has to wipe it. The end of a claim makes the
//! claim number one larger. So a process that was stopped before a swap of the owner word finds that it is too late.

use crate::sync::{AtomicU64, Ordering};
use crate::time::is_far_ahead;

const STATUS_MASK: u64 = 0b11;
const CLAIM_SHIFT: u32 = 2;
const CLAIM_BITS: u32 = 16;
const CLAIM_MASK: u64 = (1 << CLAIM_BITS) - 1;
const HASH_SHIFT: u32 = CLAIM_SHIFT + CLAIM_BITS;

/// A keyed hash of a name; neither part is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameHash {
    /// 46 bits.
    pub(crate) low: u64,
    /// 48 bits.
    pub(crate) high: u64,
}

impl NameHash {
    /// The bits of a 128-bit hash for which a key has room.
    #[must_use]
    pub const fn new(low: u64, high: u64) -> Self {
        let (low, high) = (low << HASH_SHIFT >> HASH_SHIFT, high << CLAIM_BITS >> CLAIM_BITS);
        Self { low: if low == 0 { 1 } else { low }, high: if high == 0 { 1 } else { high } }
    }
}

/// What a slot is. The codes live in files: never renumber them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nobody ever had it: sequences of slots end here.
    Free = 0,
    /// Somebody claims it.
    Pending = 1,
    /// It belongs to a name.
    Confirmed = 2,
    /// It was removed, or a claim to it was given up: sequences go on.
    Gone = 3,
}

/// The first word of a key. Any 64 bits are a valid one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(pub(crate) u64);

impl Owner {
    const fn new(hash: u64, claim: u64, status: Status) -> Self {
        Self(hash << HASH_SHIFT | (claim & CLAIM_MASK) << CLAIM_SHIFT | status as u64)
    }

    pub(crate) const fn status(self) -> Status {
        match self.0 & STATUS_MASK {
            0 => Status::Free,
            1 => Status::Pending,
            2 => Status::Confirmed,
            _ => Status::Gone,
        }
    }

    const fn hash(self) -> u64 {
        self.0 >> HASH_SHIFT
    }

    pub(crate) const fn claim_number(self) -> u64 {
        self.0 >> CLAIM_SHIFT & CLAIM_MASK
    }

    /// The word of a slot that this name claims.
    pub(crate) const fn pending(self, name_hash: NameHash) -> Self {
        Self::new(name_hash.low, self.claim_number(), Status::Pending)
    }

    /// The word of a slot that is its claimant's.
    pub(crate) const fn confirmed(self) -> Self {
        Self::new(self.hash(), self.claim_number(), Status::Confirmed)
    }

    /// The word of a slot that is nobody's any more.
    pub(crate) const fn gone(self) -> Self {
        Self::new(0, self.claim_number() + 1, Status::Gone)
    }
}

/// The key of a slot, and what is known of its claim.
#[repr(C)]
#[derive(Debug)]
pub struct Key {
    owner: AtomicU64,
    more: AtomicU64,
    /// When somebody last found the fuse idle, and a hash of what it had counted by then: see
    /// [`crate::directory::idle`].
    pub(crate) idle_stamp: AtomicU64,
    /// The generation that the claim began with; 0 for the slot's first. Only grows.
    pub(crate) since: AtomicU64,
}

impl Key {
    /// A free key.
    #[must_use]
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { owner: zero(), more: zero(), idle_stamp: zero(), since: zero() }
    }

    /// The hash of the name whose slot it is.
    #[must_use]
    pub fn name_hash(&self) -> Option<NameHash> {
        let owner = self.owner();
        let more = self.more.load(Ordering::Acquire);
        let is_whole = owner.status() == Status::Confirmed && is_of(more, owner) && self.owner() == owner;
        is_whole.then_some(NameHash { low: owner.hash(), high: more >> CLAIM_BITS })
    }

    /// Whose it is.
    #[must_use]
    #[inline(always)]
    pub fn owner(&self) -> Owner {
        Owner(self.owner.load(Ordering::Acquire))
    }

    /// Whose it is, by a look that no claim can have passed unseen: a claim that it does not see comes behind it, and
    /// sees all that was done before the look.
    pub(crate) fn owner_for_sure(&self) -> Owner {
        Owner(self.owner.fetch_add(0, Ordering::AcqRel))
    }

    /// Puts `next` in the place of `seen`; says whether it was still there.
    pub(crate) fn change(&self, seen: Owner, next: Owner) -> bool {
        self.owner.compare_exchange(seen.0, next.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The generation that the claim began with; 0 for the slot's first.
    #[must_use]
    pub fn since(&self) -> u64 {
        self.since.load(Ordering::Acquire)
    }

    /// Takes away what damage left: times far ahead, which would hide a claim's records, or spare it for long.
    pub(crate) fn mend(&self, now_us: impl Fn() -> u64) {
        self.since.clear_if(|| is_far_ahead(now_us(), self.since()));
        self.idle_stamp.clear_if(|| is_far_ahead(now_us(), self.idle_stamp.load(Ordering::Relaxed) >> CLAIM_BITS));
    }

    /// Whether the slot of this owner word is the name's, or claimed for it.
    pub(crate) fn is_of(&self, owner: Owner, name_hash: NameHash) -> bool {
        owner.hash() == name_hash.low && self.more.load(Ordering::Acquire) == more_of(owner, name_hash)
    }

    /// [`Self::is_of`], where a claimant may have come no further than the owner word: then it becomes this name's.
    pub(crate) fn becomes(&self, owner: Owner, name_hash: NameHash) -> bool {
        if owner.hash() != name_hash.low {
            return false;
        }
        loop {
            let seen = self.more.load(Ordering::Acquire);
            if is_of(seen, owner) {
                return seen == more_of(owner, name_hash);
            }
            // What stands there is of an earlier claim, unless this one is over by now.
            if self.owner() != owner {
                return false;
            }
            let swapped =
                self.more.compare_exchange(seen, more_of(owner, name_hash), Ordering::AcqRel, Ordering::Relaxed);
            if swapped.is_ok() {
                return true;
            }
        }
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

const fn more_of(owner: Owner, name_hash: NameHash) -> u64 {
    name_hash.high << CLAIM_BITS | owner.claim_number()
}

/// Whether somebody has filled this second word in the owner's claim.
const fn is_of(more: u64, owner: Owner) -> bool {
    more >> CLAIM_BITS != 0 && more & CLAIM_MASK == owner.claim_number()
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;

    const NAME: NameHash = NameHash::new(5, 1);
    const TWIN: NameHash = NameHash::new(5, 3);

    /// The owner word is read by processes of other builds: what changes it is another layout.
    #[test]
    fn the_owner_word_is_fixed() {
        let pending = Owner(7 << 2).pending(NameHash::new(u64::MAX, 9));
        assert_eq!(u64::MAX << 18 | 7 << 2 | 1, pending.0);
        assert_eq!(u64::MAX << 18 | 7 << 2 | 2, pending.confirmed().0);
        assert_eq!(8 << 2 | 3, pending.gone().0);
        assert_eq!(3, Owner(CLAIM_MASK << 2 | 2).gone().0);
    }

    #[test]
    fn a_half_filled_key_is_nobodys_until_somebody_fills_it() {
        let key = Key::new();
        let owner = key.owner().pending(NAME);
        assert!(key.change(key.owner(), owner));
        assert_eq!((None, false), (key.name_hash(), key.is_of(owner, NAME)));
        assert!(key.becomes(owner, TWIN) && !key.becomes(owner, NAME));
        assert_eq!(None, key.name_hash(), "it is only claimed");
        assert!(key.change(owner, owner.confirmed()));
        assert_eq!(Some(TWIN), key.name_hash());
    }

    /// What an earlier claim left in the second word is nobody's, and a late claimant does not fill it.
    #[test]
    fn the_second_word_counts_in_its_claim_only() {
        let key = Key::new();
        let first = key.owner().pending(NAME);
        assert!(key.change(key.owner(), first) && key.becomes(first, NAME));
        assert!(key.change(first, first.gone()));
        let second = first.gone().pending(TWIN);
        assert!(key.change(first.gone(), second));
        assert!(!key.is_of(second, NAME) && !key.becomes(first, TWIN));
        assert!(key.becomes(second, TWIN) && !key.becomes(second, NAME));
    }
}
