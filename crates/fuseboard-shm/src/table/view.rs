//! A mapped table, to read.
//!
//! Nothing here writes to the table: it completes no journal and ends no claim. So the same code reads a table that is
//! mapped for reading only, where a write would end the process. [`super::Table`] writes; only it can get at the words
//! ([`View::bare_fuse`] and below are visible to it alone).

use std::hash::Hash;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fuseboard_core::counters::{COUNTERS, STRIPES, Stripe};
use fuseboard_core::directory::{Directory, Key, NameHash, SlotClaim};
use fuseboard_core::exported::Exported;
use fuseboard_core::fuse::{Cell, Fuse};
use fuseboard_core::journal::{Head, Journal, RECORDS, Record, RingSlot};
use fuseboard_core::layout::{Geometry, Header, Sections, Texts};
use fuseboard_core::leader::{Leader, PURPOSES};
use fuseboard_core::overrides::OverrideNotes;
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::{RATE_WINDOWS, RateWindow};
use fuseboard_core::settings::{SETS, Sets};
use fuseboard_core::snapshot::CellSnapshot;
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::word::Word;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::clock::Clock;
use crate::mapping::{Mapping, Pinned};
use crate::watch::{Scope, Watch};

/// A table to read: a host's, or this process's own. Every method may be called from any thread, beside any other
/// process. A clone is the same table.
#[derive(Clone, Debug)]
pub struct View {
    mapping: Arc<Mapping>,
    geometry: Geometry,
    sections: Sections,
    hash_key: [u64; 2],
    host_id: u64,
    clock: Clock,
    path: Option<PathBuf>,
    watch: Arc<Watch>,
}

impl View {
    pub(crate) fn new(mapping: Mapping, geometry: Geometry, clock: Clock, path: Option<PathBuf>) -> Self {
        let header: &Header = &mapping.section(0, 1)[0];
        let hash_key = [0, 1].map(|i| header.hash_key[i].load(Ordering::Relaxed));
        let host_id = header.host_id.load(Ordering::Relaxed);
        let scope = if path.is_some() { Scope::Host } else { Scope::Own };
        let watch = Arc::new(Watch::new(scope, clock.now_us()));
        Self {
            sections: geometry.sections(),
            mapping: Arc::new(mapping),
            geometry,
            hash_key,
            host_id,
            clock,
            path,
            watch,
        }
    }

    /// Whether the two are one table: its key is random, and stays.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.hash_key == other.hash_key
    }

    /// The same with another watch.
    pub(super) fn watched_by(self, watch: &Arc<Watch>) -> Self {
        Self { watch: Arc::clone(watch), ..self }
    }

    /// Whether the table is this process's own in the place of the host's.
    #[must_use]
    pub fn is_stopgap(&self) -> bool {
        self.watch.scope() == Scope::Stopgap
    }

    /// Whether the caller must look for the host's table, because this is not it, or not any more. At most once a
    /// second, and for one of several threads that ask at once. Whether a table was removed is also looked at whenever
    /// somebody asks for it `at_once`.
    #[must_use]
    pub fn is_to_look(&self, at_once: bool) -> bool {
        match self.watch.scope() {
            Scope::Own => false,
            Scope::Stopgap => self.watch.take_turn(self.clock.now_us()),
            Scope::Host => (at_once || self.watch.take_turn(self.clock.now_us())) && self.is_removed(),
        }
    }

    /// The store has gone on to another table, and so do all that have fuses here.
    pub fn leave(&self) {
        self.watch.leave();
    }

    /// The claim of a name; `None` if it has none.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<SlotClaim> {
        self.directory().find(self.name_hash(name.as_bytes()))
    }

    /// A copy of a claim's fuse, with the failures that a breaker still looks back to, and the totals of its counters;
    /// `None` for a fuse never seen, and if the claim is over.
    #[must_use]
    pub fn snapshot(&self, claim: SlotClaim, now_us: u64) -> Option<(CellSnapshot, [u64; COUNTERS])> {
        let fuse = self.bare_fuse(claim.slot).with_claim(&self.keys()[claim.slot], claim.owner);
        fuse.snapshot(self.counters(claim.slot), now_us)
    }

    /// The numbers whose records may still be in the journal.
    #[must_use]
    pub fn numbers(&self) -> Range<u64> {
        self.ring().span()
    }

    /// The journal's record of a number, if it is there.
    #[must_use]
    pub fn record(&self, number: u64) -> Option<Record> {
        self.ring().read(number)
    }

    /// The transitions that stand in the fuses and not in the journal yet: their makers were killed, or are just about
    /// to write them down. In the order in which they were made.
    #[must_use]
    pub fn unjournaled(&self) -> Vec<Record> {
        let mut records: Vec<_> =
            self.taken().filter_map(|slot| self.bare_fuse(slot).unjournaled(slot as u32)).collect();
        records.sort_unstable_by_key(|record| record.generation);
        records
    }

    pub(crate) const fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// Whether the store is to look for the host's table, or has left this one. The look at a host's file is a system
    /// call, so there is at most one a second.
    pub(crate) fn is_to_be_left(&self, now_us: u64) -> bool {
        let look = || match self.watch.scope() {
            Scope::Own => false,
            Scope::Stopgap => self.watch.is_due(now_us),
            Scope::Host => self.watch.take_turn(now_us) && self.is_removed(),
        };
        self.watch.is_left() || look()
    }

    /// The table's own random number: another table of its name, made after it, has another one.
    #[must_use]
    pub const fn host_id(&self) -> u64 {
        self.host_id
    }

    /// Where a host's table lies; `None` for a private one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether a host's table has lost its file: a process that opens it from now on finds another one, or makes it.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.path().is_some_and(|path| self.mapping.is_gone_from(path))
    }

    /// The numbers the table was made with.
    #[must_use]
    pub const fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The table's clock.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How many slots a look-up of a name looks at: what it costs.
    #[must_use]
    pub fn looks(&self, name: &str) -> usize {
        self.directory().looks(self.name_hash(name.as_bytes()))
    }

    /// The name of a claim, if it stands there whole.
    #[must_use]
    pub fn name_of(&self, claim: SlotClaim) -> Option<String> {
        // The key after the name: otherwise it may be the next claim's.
        self.name(claim.slot).filter(|_| self.keys()[claim.slot].owner() == claim.owner)
    }

    /// The module that made a claim's fuse, if it is known.
    #[must_use]
    pub fn maker(&self, claim: SlotClaim) -> Option<String> {
        self.texts().get(claim.slot)?.maker.read(claim.owner)?.name().map(str::to_owned)
    }

    /// Who made the manual override of a slot that began with a generation, and why; `None` for what is not known.
    #[must_use]
    pub fn override_note(&self, slot: usize, generation: u64) -> [Option<String>; 2] {
        self.override_notes(slot).read(generation)
    }

    /// The settings of a hash, if they are known.
    #[must_use]
    pub fn settings(&self, settings_hash: u64) -> Option<Policy> {
        self.sets().find(settings_hash)
    }

    /// The fuse word of a claim, if that is not over.
    #[must_use]
    pub fn word(&self, claim: SlotClaim) -> Option<Word> {
        claim.word(self.keys(), self.cells())
    }

    /// The claims of all fuses that were ever used, with their words, in the order they lie in.
    pub fn used_claims(&self) -> impl Iterator<Item = (SlotClaim, Word)> {
        self.directory().used_claims()
    }

    /// The name of the fuse that this generation of a slot was of; `None` where that has given its slot back.
    #[must_use]
    pub fn name_then(&self, slot: usize, generation: u64) -> Option<String> {
        let owner = self.keys().get(slot)?.owner();
        let name = self.name(slot)?;
        // Read behind the name: a claimant that changes it is not who had the slot.
        let is_later = generation < self.keys()[slot].since();
        (!is_later && self.keys()[slot].owner() == owner).then_some(name)
    }

    /// The name of a slot, if it has one, it stands there whole, and a look-up leads here.
    #[must_use]
    pub fn name(&self, slot: usize) -> Option<String> {
        let name_hash = self.keys().get(slot)?.name_hash()?;
        let name = self.texts()[slot].name.read();
        let name = std::str::from_utf8(name.as_bytes()).ok().filter(|name| !name.is_empty())?;
        let is_its_name = self.name_hash(name.as_bytes()) == name_hash;
        let leads_here = || self.directory().find(name_hash).is_some_and(|claim| claim.slot == slot);
        (is_its_name && leads_here()).then(|| name.to_owned())
    }

    /// The slots that are taken, in the order they lie in.
    pub fn taken(&self) -> impl Iterator<Item = usize> {
        self.claims().map(|claim| claim.slot)
    }

    /// The claims of all slots that are taken, in the order they lie in.
    pub fn claims(&self) -> impl Iterator<Item = SlotClaim> {
        (0..self.geometry.slots()).filter_map(|slot| {
            self.keys()[slot].name_hash()?;
            self.directory().claim_of(slot)
        })
    }

    pub(super) fn head<'m>(&self, mapping: &'m Mapping) -> &'m Head {
        &mapping.section(self.sections.journal, 1)[0]
    }

    pub(super) fn ring_slots<'m>(&self, mapping: &'m Mapping) -> &'m [RingSlot] {
        mapping.section(self.sections.journal + size_of::<Head>(), RECORDS)
    }

    pub(super) fn log<'m>(&self, mapping: &'m Mapping, slot: usize) -> &'m [AtomicU64] {
        let len = self.geometry.log_len();
        &mapping.section(self.sections.logs, self.geometry.slots() * len)[slot * len..][..len]
    }

    pub(super) fn lines<'m>(&self, mapping: &'m Mapping, slot: usize) -> &'m [Stripe; STRIPES] {
        &mapping.section(self.sections.counters, self.geometry.slots())[slot]
    }

    pub(super) fn rate_windows<'m>(&self, mapping: &'m Mapping, slot: usize) -> &'m [RateWindow; RATE_WINDOWS] {
        &mapping.section(self.sections.rate_windows, self.geometry.slots())[slot]
    }

    pub(super) fn directory(&self) -> Directory<'_> {
        let stripes = self.mapping.section(self.sections.counters, self.geometry.slots() * STRIPES);
        Directory::new(self.keys()).with_fuses(self.cells(), stripes).with_exported(self.exported())
    }

    pub(super) fn exported(&self) -> &[Exported] {
        self.mapping.section(self.sections.exported, self.geometry.slots())
    }

    pub(super) fn leaders(&self) -> &[Leader] {
        self.mapping.section(self.sections.leaders, PURPOSES)
    }

    pub(super) fn keys(&self) -> &[Key] {
        self.mapping.section(self.sections.keys, self.geometry.slots())
    }

    pub(super) fn cells(&self) -> &[Cell] {
        self.mapping.section(self.sections.cells, self.geometry.slots())
    }

    pub(super) fn texts(&self) -> &[Texts] {
        self.mapping.section(self.sections.texts, self.geometry.slots())
    }

    pub(super) fn override_notes(&self, slot: usize) -> OverrideNotes<'_> {
        OverrideNotes::new(self.mapping.section(self.sections.override_notes, self.geometry.override_notes()), slot)
    }

    pub(super) fn sets(&self) -> Sets<'_> {
        Sets::new(self.mapping.section(self.sections.settings, SETS))
    }

    /// SipHash-1-3 with 128 bits, under the table's own random key: nobody can choose names that collide.
    pub(super) fn name_hash(&self, name: &[u8]) -> NameHash {
        let mut hasher = SipHasher13::new_with_keys(self.hash_key[0], self.hash_key[1]);
        name.hash(&mut hasher);
        let hash = hasher.finish128();
        NameHash::new(hash.h1, hash.h2)
    }

    /// Three numbers that a purpose has in this table, and in no other.
    pub(crate) fn hashes_of_purpose(&self, purpose: &str) -> [u64; 3] {
        let hash = |what: &str| {
            let mut hasher = SipHasher13::new_with_keys(self.hash_key[0], self.hash_key[1]);
            (what, purpose).hash(&mut hasher);
            hasher.finish128()
        };
        let (row, lock) = (hash("leader"), hash("lock"));
        [row.h1, row.h2, lock.h1]
    }

    /// Device and number of a host's table's file.
    pub(crate) fn file(&self) -> Option<(u64, u64)> {
        self.mapping.file()
    }

    pub(super) fn counters(&self, slot: usize) -> &[Stripe] {
        self.lines(&self.mapping, slot)
    }

    /// The fuse of a slot, whose transitions nobody writes down.
    pub(super) fn bare_fuse(&self, slot: usize) -> Fuse<'_> {
        let (log, rate_windows) = (self.log(&self.mapping, slot), self.rate_windows(&self.mapping, slot));
        Fuse::new(&self.cells()[slot], log).with_rate_windows(rate_windows)
    }

    pub(super) fn ring(&self) -> Journal<'_> {
        Journal::new(self.head(&self.mapping), self.ring_slots(&self.mapping))
    }

    pub(super) fn pinned<T: ?Sized>(&self, choose: impl FnOnce(&Mapping) -> &T) -> Pinned<T> {
        Pinned::new(&self.mapping, choose)
    }
}
