//! From a fuse's name to its slot: an open-addressing table of keyed hashes, from which names can be removed.
//!
//! **The sequence** of slots for a name is double hashing (Knuth, TAOCP 3, 6.4): a start and an odd stride from the two
//! parts of the hash, so it visits every slot of a table whose size is a power of two. It has at most [`PROBES`] slots,
//! which bounds a look-up in a full table, and it ends at the first slot that nobody ever had. A removed slot is *gone*
//! and not free, so the sequences that lead over it stay whole. Later another name gets it.
//!
//! **Claiming** takes two steps (after Purcell and Harris, "Non-blocking Hashtables with Open Addressing", 2005). A
//! claimant makes a slot *pending*, goes through the whole sequence once more, and only then *confirms* the slot. If it
//! finds its name:
//!
//! * confirmed elsewhere, it gives its own claim up;
//! * pending in an earlier slot, it helps that claim;
//! * pending in a later slot, it ends that claim.
//!
//! A claimant that dies leaves a pending slot. The next claimant of the name completes it.
//!
//! **A name never has two slots.** Assume it has two, A earlier in the sequence than B. The claimant that confirmed B
//! had looked at A before A was pending. So A became pending after B. Then the claimant that confirmed A looked at B, and
//! either ended B or found it confirmed and gave A up. The looks of the second pass are read-modify-writes: of a look
//! and a claim of one slot, one comes first, and the other sees what was done before it.
//!
//! **Removal** is decided in the fuse word ([`claim`]). Once the word is vacant the claim is over, and anybody may make
//! the key gone. A gone slot stays in quarantine for [`QUARANTINE_US`]. In that time those who still count a call in it
//! come to their end, and no process can sleep through so many claims of one slot that their number comes round.

pub mod claim;
pub mod idle;
mod name;
pub mod reset;

pub use crate::directory::claim::{QUARANTINE_US, SlotClaim};
pub use crate::directory::name::{NAME_MAX, Name, NameBytes};
pub use crate::key::{Key, NameHash, Owner};

use crate::cell::Cell;
use crate::counters::{STRIPES, Stripe, clear_if};
use crate::exported::Exported;
use crate::key::Status;
use crate::state::State;
use crate::sync::Ordering;
use crate::time::age;
use crate::word::Word;

/// Longest probe sequence. A table of up to this many slots can be filled to the last one.
pub const PROBES: usize = 1024;
/// The keys of a table, and the fuses to which they belong. Free to copy.
#[derive(Clone, Copy)]
pub struct Directory<'a> {
    keys: &'a [Key],
    cells: &'a [Cell],
    stripes: &'a [Stripe],
    exported: &'a [Exported],
}

/// What a first pass along a name's sequence finds: its own slot, a pending claim of it, or a slot that it can claim.
enum Found {
    Own(SlotClaim),
    Claimed(SlotClaim),
    Room(SlotClaim),
    Nothing,
}

impl<'a> Directory<'a> {
    /// A directory of these keys, a power of two of them, and of nothing else: nothing is cleared for a new claim.
    #[must_use]
    pub const fn new(keys: &'a [Key]) -> Self {
        Self { keys, cells: &[], stripes: &[], exported: &[] }
    }

    /// The directory, with the cells and the lines of counters of the same slots.
    #[must_use]
    pub const fn with_fuses(self, cells: &'a [Cell], stripes: &'a [Stripe]) -> Self {
        Self { cells, stripes, ..self }
    }

    /// The directory, with what was exported of the same slots.
    #[must_use]
    pub const fn with_exported(self, exported: &'a [Exported]) -> Self {
        Self { exported, ..self }
    }

    /// The slots in which a name may be, in the order to look in.
    pub(crate) fn sequence(self, name_hash: NameHash) -> impl Iterator<Item = usize> {
        let (mask, stride) = (self.keys.len() - 1, name_hash.high as usize | 1);
        let slot = move |number: usize| (name_hash.low as usize).wrapping_add(number.wrapping_mul(stride)) & mask;
        (0..self.keys.len().min(PROBES)).map(slot)
    }

    /// The slot of a name, if it has one.
    #[must_use]
    pub fn find(self, name_hash: NameHash) -> Option<SlotClaim> {
        for slot in self.sequence(name_hash) {
            let key = &self.keys[slot];
            let owner = key.owner();
            match owner.status() {
                Status::Free => return None,
                Status::Confirmed if key.is_of(owner, name_hash) && !self.is_over(slot) => {
                    return Some(SlotClaim { slot, owner });
                }
                _ => {}
            }
        }
        None
    }

    /// How many slots a look-up of a name looks at.
    #[must_use]
    pub fn looks(self, name_hash: NameHash) -> usize {
        let is_last = |slot: usize| {
            let owner = self.keys[slot].owner();
            owner.status() == Status::Free
                || owner.status() == Status::Confirmed && self.keys[slot].is_of(owner, name_hash)
        };
        let (all, before) =
            (self.sequence(name_hash).count(), self.sequence(name_hash).take_while(|slot| !is_last(*slot)));
        (before.count() + 1).min(all)
    }

    /// The slot of a name; takes one if it has none. `None` if none can be had.
    #[must_use]
    pub fn claim(self, name_hash: NameHash, now_us: impl Fn() -> u64) -> Option<SlotClaim> {
        loop {
            let claimed = match self.look(name_hash, &now_us) {
                Found::Own(claim) => return Some(claim),
                Found::Nothing => return None,
                Found::Claimed(claimed) => claimed,
                Found::Room(SlotClaim { slot, owner }) => {
                    let next = owner.pending(name_hash);
                    if !self.keys[slot].change(owner, next) {
                        continue;
                    }
                    SlotClaim { slot, owner: next }
                }
            };
            if let Some(claim) = self.confirm(name_hash, claimed, &now_us) {
                return Some(claim);
            }
        }
    }

    /// The first pass: what there is for a name.
    fn look(self, name_hash: NameHash, now_us: impl Fn() -> u64) -> Found {
        let mut room = Found::Nothing;
        for slot in self.sequence(name_hash) {
            let key = &self.keys[slot];
            let owner = key.owner();
            let claim = SlotClaim { slot, owner };
            let is_room = match owner.status() {
                Status::Free => true,
                Status::Gone => self.is_out_of_quarantine(slot, &now_us),
                Status::Pending if key.becomes(owner, name_hash) => return Found::Claimed(claim),
                Status::Confirmed if key.is_of(owner, name_hash) && !self.end(claim) => return Found::Own(claim),
                _ => false,
            };
            if is_room && matches!(room, Found::Nothing) {
                room = Found::Room(claim);
            }
            if owner.status() == Status::Free {
                break;
            }
        }
        room
    }

    /// The second pass: confirms a claimed slot, unless the name has another one or this claim is over.
    fn confirm(self, name_hash: NameHash, claimed: SlotClaim, now_us: impl Fn() -> u64) -> Option<SlotClaim> {
        let SlotClaim { slot, owner } = claimed;
        if !self.keys[slot].becomes(owner, name_hash) {
            return None;
        }
        let mut is_behind = false;
        for other in self.sequence(name_hash) {
            if other == slot {
                is_behind = true;
                continue;
            }
            let key = &self.keys[other];
            let found = key.owner_for_sure();
            match found.status() {
                Status::Free => break,
                // A later claim is ended, unless it was confirmed. An earlier one is helped, by looking again.
                Status::Pending if key.becomes(found, name_hash) && !(is_behind && key.change(found, found.gone())) => {
                    return None;
                }
                Status::Confirmed
                    if key.is_of(found, name_hash) && !self.end(SlotClaim { slot: other, owner: found }) =>
                {
                    self.keys[slot].change(owner, owner.gone());
                    return None;
                }
                _ => {}
            }
        }
        self.prepare(claimed, &now_us);
        let confirmed = owner.confirmed();
        self.keys[slot].change(owner, confirmed).then_some(SlotClaim { slot, owner: confirmed })
    }

    /// Whether the claim of a slot's confirmed key is over. The key must have been read before, so that it is this
    /// claim.
    fn is_over(self, slot: usize) -> bool {
        self.cells.get(slot).is_some_and(|cell| cell.load().state() == State::Vacant)
    }

    /// The claim of a slot, if it has one.
    #[must_use]
    pub fn claim_of(self, slot: usize) -> Option<SlotClaim> {
        let claim = SlotClaim { slot, owner: self.keys.get(slot)?.owner() };
        (claim.owner.status() == Status::Confirmed && !self.is_over(slot)).then_some(claim)
    }

    /// The claims of all fuses that were ever used, with their words, in the order of their slots.
    pub fn used_claims(self) -> impl Iterator<Item = (SlotClaim, Word)> {
        self.keys.iter().enumerate().filter_map(move |(slot, key)| {
            let owner = key.owner();
            let claim = SlotClaim { slot, owner };
            let word = (owner.status() == Status::Confirmed).then(|| claim.word(self.keys, self.cells))??;
            word.state().is_seen().then_some((claim, word))
        })
    }

    /// [`Self::claim_of`]; makes the key gone if the claim is over.
    pub(crate) fn claim_or_end(self, slot: usize) -> Option<SlotClaim> {
        let claim = SlotClaim { slot, owner: self.keys.get(slot)?.owner() };
        (claim.owner.status() == Status::Confirmed && !self.end(claim)).then_some(claim)
    }

    /// Makes a slot's key gone if its claim is over, and takes away what damage left in the key.
    pub fn mend(self, slot: usize, now_us: impl Fn() -> u64) {
        self.claim_or_end(slot);
        self.keys[slot].mend(now_us);
    }

    /// Makes the key of a claim gone if the claim is over; whether it is.
    pub fn end(self, claim: SlotClaim) -> bool {
        let is_over = self.is_over(claim.slot);
        if is_over {
            self.keys[claim.slot].change(claim.owner, claim.owner.gone());
        }
        is_over
    }

    /// Whether a gone slot is out of its quarantine.
    fn is_out_of_quarantine(self, slot: usize, now_us: impl Fn() -> u64) -> bool {
        self.cells.get(slot).is_none_or(|cell| age(now_us(), cell.load().generation()) >= QUARANTINE_US)
    }

    /// Makes the fuse of a claimed slot one never seen, and takes away what another claim left and no generation tags.
    /// Everybody who comes to confirm the claim does this first. Each thing is taken away as it stood while the claim
    /// did. So a process that is stopped here for long takes nothing from the fuse, except what is equal by chance.
    fn prepare(self, claimed: SlotClaim, now_us: impl Fn() -> u64) {
        let SlotClaim { slot, owner } = claimed;
        let (Some(cell), key) = (self.cells.get(slot), &self.keys[slot]) else { return };
        let seen = cell.load();
        if seen.state() == State::Vacant {
            // Fails only if somebody does the same.
            _ = cell.word.compare_exchange(
                seen.0,
                seen.moved_to(State::Unseen, now_us()).0,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
        }
        if owner.claim_number() == 0 {
            return;
        }
        let generation = cell.load().generation();
        let is_claimed = || key.owner() == owner;
        if is_claimed() {
            key.since.fetch_max(generation, Ordering::AcqRel);
            cell.forget_failed_probes(generation);
        }
        for word in [&cell.settings, &cell.settings_changes, &cell.asked, &cell.override_end, &cell.slow] {
            word.clear_if(is_claimed);
        }
        clear_if(self.stripes_of(slot), is_claimed);
        self.exported_of(slot).into_iter().for_each(|exported| exported.clear_if(is_claimed));
    }

    /// What was exported of a slot; `None` if the directory has no such section.
    pub(crate) fn exported_of(self, slot: usize) -> Option<&'a Exported> {
        self.exported.get(slot)
    }

    /// The lines of counters of a slot; none if the directory has no such section.
    pub(crate) fn stripes_of(self, slot: usize) -> &'a [Stripe] {
        self.stripes.get(slot * STRIPES..(slot + 1) * STRIPES).unwrap_or_default()
    }

    pub(crate) fn key(self, slot: usize) -> &'a Key {
        &self.keys[slot]
    }
}

/// The slot of a hash among `keys`, a power of two of them. Takes a free one if there is none and `claim` is set.
/// `None` if there is none, or none could be had within [`PROBES`] slots.
#[must_use]
pub fn locate(keys: &[Key], name_hash: NameHash, claim: bool) -> Option<usize> {
    let directory = Directory::new(keys);
    let found = if claim { directory.claim(name_hash, || 0) } else { directory.find(name_hash) };
    found.map(|claim| claim.slot)
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests;
