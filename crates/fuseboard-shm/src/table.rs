//! One mapped table: from names to slots, and from slots to fuses and counters.

use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fuseboard_core::counters::{STRIPES, Stripe};
use fuseboard_core::directory::{Directory, Fingerprint, Key, Tenancy};
use fuseboard_core::fuse::{Cell, Fuse, Transition};
use fuseboard_core::journal::{Head, Journal, Place, RECORDS};
use fuseboard_core::layout::{Geometry, Header, Sections, Texts};
use fuseboard_core::maker::Module;
use fuseboard_core::rate::{METERS, Meter};
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::telling::Scribe;
use fuseboard_core::word::Word;
use rustix::io::Errno;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::clock::Clock;
use crate::mapping::{Mapping, Pinned};
use crate::owner::{self, random_u64};
use crate::process;
use crate::watch::{Reach, Watch};

/// A slot's shared words, kept mapped. What a closed call needs comes first, in one cache line.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) cell: Pinned<Cell>,
    pub(crate) stripes: Pinned<[Stripe; STRIPES]>,
    tenancy: Tenancy,
    key: Pinned<Key>,
    log: Pinned<[AtomicU64]>,
    meters: Pinned<[Meter; METERS]>,
    head: Pinned<Head>,
    places: Pinned<[Place]>,
}

impl Words {
    /// Whose they are.
    pub(crate) const fn tenancy(&self) -> Tenancy {
        self.tenancy
    }

    /// The tenant's fuse, whose transitions are written down in the table's journal.
    pub(crate) fn fuse(&self) -> Fuse<'_> {
        let scribe = scribe(Journal::new(&self.head, &self.places), self.tenancy.slot);
        Fuse::new(&self.cell, &self.log)
            .with_meters(&self.meters)
            .with_scribe(scribe)
            .with_tenure(&self.key, self.tenancy.owner)
    }
}

fn scribe(journal: Journal<'_>, slot: usize) -> Scribe<'_> {
    Scribe { journal, slot: slot as u32, pid: owner::pid() }
}

/// A table: this process's own, or a host's. Every method may be called from any thread and, for a host's table, beside
/// any other process; a forked child goes on with a host's table and gets a copy of a private one.
#[derive(Debug)]
pub struct Table {
    mapping: Arc<Mapping>,
    geometry: Geometry,
    sections: Sections,
    hash_key: [u64; 2],
    clock: Clock,
    path: Option<PathBuf>,
    watch: Arc<Watch>,
    is_new: bool,
}

impl Table {
    pub(crate) fn new(mapping: Mapping, geometry: Geometry, clock: Clock, path: Option<PathBuf>) -> Self {
        owner::register();
        let header: &Header = &mapping.section(0, 1)[0];
        let hash_key = [0, 1].map(|i| header.hash_key[i].load(Ordering::Relaxed));
        let reach = if path.is_some() { Reach::Host } else { Reach::Own };
        let watch = Arc::new(Watch::new(reach, clock.now_us()));
        let (sections, mapping, is_new) = (geometry.sections(), Arc::new(mapping), false);
        Self { sections, mapping, geometry, hash_key, clock, path, watch, is_new }
    }

    /// The same of a host's table that this process has just made.
    pub(crate) fn made_new(self) -> Self {
        Self { is_new: true, ..self }
    }

    /// The same with the watch of the store that it is another table of.
    pub(crate) fn watched_by(self, watch: &Arc<Watch>) -> Self {
        Self { watch: Arc::clone(watch), ..self }
    }

    /// A table of this process's own. Costs address space; memory only for the fuses that are used.
    ///
    /// # Errors
    /// If the process may not map that much.
    pub fn private(geometry: Geometry, clock: Clock) -> Result<Self, Errno> {
        let mapping = Mapping::anonymous(geometry.bytes())?;
        let header: &Header = &mapping.section(0, 1)[0];
        header.write(geometry, 0, [random_u64(), random_u64()], clock.now_us());
        Ok(Self::new(mapping, geometry, clock, None))
    }

    /// A table of this process's own in the place of the host's, which cannot be had: whoever comes by looks for that again,
    /// or `looks` is not set and nobody does.
    ///
    /// # Errors
    /// If the process may not map that much.
    pub fn stopgap(geometry: Geometry, clock: Clock, looks: bool) -> Result<Self, Errno> {
        let table = Self::private(geometry, clock)?;
        let watch = if looks { Watch::new(Reach::Stopgap, table.clock.now_us()) } else { Watch::never() };
        let watch = Arc::new(watch);
        Ok(table.watched_by(&watch))
    }

    /// The other processes of this user, as far as they can be seen, that used a removed table of this name when this process
    /// made the table anew: they do not share it until they notice. Empty unless it was made by this opening. Asks the
    /// system each time, which takes about as long as `lsof`.
    #[must_use]
    pub fn former_users(&self) -> Vec<u32> {
        // As the system calls it, which knows nothing of the symbolic links that may have led here.
        let path = self.path().filter(|_| self.is_new).and_then(|path| path.canonicalize().ok());
        path.as_deref().map(process::users_of_a_removed).unwrap_or_default()
    }

    pub(crate) const fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// Whether the store is to look for the host's table, or has left this one. The look at a host's file is a system call, so there
    /// is at most one a second.
    pub(crate) fn is_to_be_left(&self, now_us: u64) -> bool {
        let look = || match self.watch.reach() {
            Reach::Own => false,
            Reach::Stopgap => self.watch.is_due(now_us),
            Reach::Host => self.watch.take_turn(now_us) && self.is_removed(),
        };
        self.watch.is_left() || look()
    }

    /// Where a host's table lies; `None` for a private one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether a host's table has lost its file: whoever opens it from now on finds another one, or makes it.
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

    /// The slot of a name of 1 to 200 bytes; takes one if it has none and `claim` is set. `None` if there is none.
    #[must_use]
    pub fn locate(&self, name: &str, claim: bool) -> Option<usize> {
        self.tenancy(name, claim).map(|tenancy| tenancy.slot)
    }

    /// A name's right to its slot; takes one if it has none and `claim` is set. `None` if there is none.
    #[must_use]
    pub fn tenancy(&self, name: &str, claim: bool) -> Option<Tenancy> {
        let (directory, print) = (self.directory(), self.fingerprint(name.as_bytes()));
        let tenancy = if claim { directory.claim(print, || self.clock.now_us()) } else { directory.find(print) }?;
        let place = &self.texts()[tenancy.slot].name;
        // Not only where nothing stands: what stands there may be damaged, or half of what a killed process wrote.
        if claim && place.read().as_bytes() != name.as_bytes() {
            place.write(name.as_bytes());
        }
        Some(tenancy)
    }

    /// How many slots a look-up of a name looks at: what it costs.
    #[must_use]
    pub fn looks(&self, name: &str) -> usize {
        self.directory().looks(self.fingerprint(name.as_bytes()))
    }

    /// Ends a tenancy if its fuse is idle; says whether it did. Its slot is another name's to claim a minute later.
    #[must_use]
    pub fn give_back(&self, tenancy: Tenancy) -> bool {
        let ended = self.tenant(tenancy).vacate(self.clock.now_us());
        self.directory().end(tenancy);
        ended
    }

    /// Gives back the idle ones of the fuses whose slots a name could have had.
    pub(crate) fn take_back(&self, name: &str) {
        let (print, now_us) = (self.fingerprint(name.as_bytes()), self.clock.now_us());
        for tenancy in self.directory().idle(print, now_us, |tenancy| self.tenant(tenancy)) {
            _ = self.give_back(tenancy);
        }
    }

    /// The name of a tenancy, if it stands there whole.
    #[must_use]
    pub fn name_of(&self, tenancy: Tenancy) -> Option<String> {
        // The key is looked at behind it: else it is the next tenant's.
        self.name(tenancy.slot).filter(|_| self.keys()[tenancy.slot].owner() == tenancy.owner)
    }

    /// Notes that a breaker of a module comes to a tenancy's fuse; the module that made the fuse, if that was another one.
    #[must_use]
    pub fn note_maker(&self, tenancy: Tenancy, module: &str) -> Option<String> {
        let maker = &self.texts().get(tenancy.slot)?.maker;
        // Not for a tenant that is there no more: it would be in the way of the next one's.
        self.word(tenancy)?;
        maker.note(tenancy.owner, &Module::new(module))?.name().map(str::to_owned)
    }

    /// The module that made a tenancy's fuse, if it is known.
    #[must_use]
    pub fn maker(&self, tenancy: Tenancy) -> Option<String> {
        self.texts().get(tenancy.slot)?.maker.read(tenancy.owner)?.name().map(str::to_owned)
    }

    /// The fuse word of a tenancy, if that is not over.
    #[must_use]
    pub fn word(&self, tenancy: Tenancy) -> Option<Word> {
        tenancy.word(self.keys(), self.cells())
    }

    /// The tenancies of all fuses that were ever used, with their words, in the order they lie in.
    pub fn tenants(&self) -> impl Iterator<Item = (Tenancy, Word)> {
        self.directory().tenants()
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
        let print = self.keys().get(slot)?.fingerprint()?;
        let name = self.texts()[slot].name.read();
        let name = std::str::from_utf8(name.as_bytes()).ok().filter(|name| !name.is_empty())?;
        let is_its_name = self.fingerprint(name.as_bytes()) == print;
        let leads_here = || self.directory().find(print).is_some_and(|tenancy| tenancy.slot == slot);
        (is_its_name && leads_here()).then(|| name.to_owned())
    }

    /// The slots that are taken, in the order they lie in.
    pub fn taken(&self) -> impl Iterator<Item = usize> {
        self.tenancies().map(|tenancy| tenancy.slot)
    }

    /// The tenancies of all slots that are taken, in the order they lie in.
    pub(crate) fn tenancies(&self) -> impl Iterator<Item = Tenancy> {
        (0..self.geometry.slots()).filter_map(|slot| {
            self.keys()[slot].fingerprint()?;
            self.directory().tenancy(slot)
        })
    }

    /// Resets every slot, whosever it is. The journal goes on. `made` is told of the slots' transitions.
    pub(crate) fn forget_all(&self, made: &mut impl FnMut(&Self, usize, Transition)) {
        self.journal().mend();
        for slot in 0..self.geometry.slots() {
            self.texts()[slot].maker.forget();
            if let Some(transition) = self.directory().reset(slot, self.fuse(slot), || self.clock.now_us()) {
                made(self, slot, transition);
            }
        }
    }

    /// The fuse of a tenancy: once that is over, operations on it do nothing.
    #[must_use]
    pub fn tenant(&self, tenancy: Tenancy) -> Fuse<'_> {
        self.fuse(tenancy.slot).with_tenure(&self.keys()[tenancy.slot], tenancy.owner)
    }

    /// The fuse of a slot, whosever it is, whose transitions are written down in the table's journal.
    #[must_use]
    pub fn fuse(&self, slot: usize) -> Fuse<'_> {
        Fuse::new(&self.cells()[slot], self.log(&self.mapping, slot))
            .with_meters(self.meters(&self.mapping, slot))
            .with_scribe(scribe(self.journal(), slot))
    }

    /// The table's journal.
    #[must_use]
    pub fn journal(&self) -> Journal<'_> {
        Journal::new(self.head(&self.mapping), self.places(&self.mapping))
    }

    /// The lines of counters of a slot.
    #[must_use]
    pub fn stripes(&self, slot: usize) -> &[Stripe] {
        self.lines(&self.mapping, slot)
    }

    /// The shared words of a tenancy's slot, for as long as they are wanted.
    pub(crate) fn pin(&self, tenancy: Tenancy) -> Words {
        let slot = tenancy.slot;
        Words {
            tenancy,
            key: Pinned::new(&self.mapping, |it| &it.section(self.sections.keys, self.geometry.slots())[slot]),
            cell: Pinned::new(&self.mapping, |it| &it.section(self.sections.cells, self.geometry.slots())[slot]),
            log: Pinned::new(&self.mapping, |it| self.log(it, slot)),
            stripes: Pinned::new(&self.mapping, |it| self.lines(it, slot)),
            meters: Pinned::new(&self.mapping, |it| self.meters(it, slot)),
            head: Pinned::new(&self.mapping, |it| self.head(it)),
            places: Pinned::new(&self.mapping, |it| self.places(it)),
        }
    }

    fn head<'m>(&self, mapping: &'m Mapping) -> &'m Head {
        &mapping.section(self.sections.journal, 1)[0]
    }

    fn places<'m>(&self, mapping: &'m Mapping) -> &'m [Place] {
        mapping.section(self.sections.journal + size_of::<Head>(), RECORDS)
    }

    /// Writes down what the makers of transitions have left out.
    pub fn catch_up(&self) {
        self.taken().for_each(|slot| self.fuse(slot).catch_up());
    }

    fn log<'m>(&self, mapping: &'m Mapping, slot: usize) -> &'m [AtomicU64] {
        let len = self.geometry.log_len();
        &mapping.section(self.sections.logs, self.geometry.slots() * len)[slot * len..][..len]
    }

    fn lines<'m>(&self, mapping: &'m Mapping, slot: usize) -> &'m [Stripe; STRIPES] {
        &mapping.section(self.sections.counters, self.geometry.slots())[slot]
    }

    fn meters<'m>(&self, mapping: &'m Mapping, slot: usize) -> &'m [Meter; METERS] {
        &mapping.section(self.sections.meters, self.geometry.slots())[slot]
    }

    fn directory(&self) -> Directory<'_> {
        let stripes = self.mapping.section(self.sections.counters, self.geometry.slots() * STRIPES);
        let exported = self.mapping.section(self.sections.exported, self.geometry.slots());
        Directory::new(self.keys()).with_fuses(self.cells(), stripes).with_exported(exported)
    }

    fn keys(&self) -> &[Key] {
        self.mapping.section(self.sections.keys, self.geometry.slots())
    }

    fn cells(&self) -> &[Cell] {
        self.mapping.section(self.sections.cells, self.geometry.slots())
    }

    fn texts(&self) -> &[Texts] {
        self.mapping.section(self.sections.texts, self.geometry.slots())
    }

    /// SipHash-1-3 with 128 bits, under the table's own random key: nobody can choose names that collide.
    fn fingerprint(&self, name: &[u8]) -> Fingerprint {
        let mut hasher = SipHasher13::new_with_keys(self.hash_key[0], self.hash_key[1]);
        name.hash(&mut hasher);
        let hash = hasher.finish128();
        Fingerprint::new(hash.h1, hash.h2)
    }
}
