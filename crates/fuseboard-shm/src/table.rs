//! One mapped table: from names to slots, and from slots to fuses and counters.

mod view;

use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use fuseboard_core::counters::{STRIPES, Stripe};
use fuseboard_core::directory::{Key, SlotClaim};
use fuseboard_core::exported::Exported;
use fuseboard_core::fuse::{Cell, Fuse};
use fuseboard_core::journal::{Head, Journal, RingSlot};
use fuseboard_core::journal_writer::JournalWriter;
use fuseboard_core::layout::{Geometry, Header};
use fuseboard_core::leader::Leader;
use fuseboard_core::maker::Module;
use fuseboard_core::overrides::Override;
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::{RATE_WINDOWS, RateWindow};
use fuseboard_core::sync::AtomicU64;
use fuseboard_core::transition::Transition;

pub use self::view::View;
use crate::clock::Clock;
use crate::mapping::{Mapping, Pinned};
use crate::owner::{self, random_u64};
use crate::system;
use crate::watch::{Scope, Watch};

/// A slot's shared words, kept mapped. What a closed call needs comes first, in one cache line.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) cell: Pinned<Cell>,
    pub(crate) stripes: Pinned<[Stripe; STRIPES]>,
    claim: SlotClaim,
    key: Pinned<Key>,
    log: Pinned<[AtomicU64]>,
    rate_windows: Pinned<[RateWindow; RATE_WINDOWS]>,
    head: Pinned<Head>,
    ring: Pinned<[RingSlot]>,
}

impl Words {
    /// The claim to which they belong.
    pub(crate) const fn claim(&self) -> SlotClaim {
        self.claim
    }

    /// The claim's fuse, with its transitions written into the table's journal.
    pub(crate) fn fuse(&self) -> Fuse<'_> {
        let writer = writer(Journal::new(&self.head, &self.ring), self.claim.slot);
        Fuse::new(&self.cell, &self.log)
            .with_rate_windows(&self.rate_windows)
            .with_journal_writer(writer)
            .with_claim(&self.key, self.claim.owner)
    }
}

fn writer(journal: Journal<'_>, slot: usize) -> JournalWriter<'_> {
    JournalWriter { journal, slot: slot as u32, pid: owner::pid() }
}

/// A table: this process's own, or a host's. Every method may be called from any thread and, for a host's table, beside
/// any other process; a forked child goes on with a host's table and gets a copy of a private one.
///
/// Its [`View`] has all that only reads.
#[derive(Debug)]
pub struct Table {
    view: View,
    is_new: bool,
}

impl Deref for Table {
    type Target = View;

    #[inline(always)]
    fn deref(&self) -> &View {
        &self.view
    }
}

impl Table {
    /// A table in a mapping that may be written to.
    pub(crate) fn new(mapping: Mapping, geometry: Geometry, clock: Clock, path: Option<PathBuf>) -> Self {
        owner::register();
        Self { view: View::new(mapping, geometry, clock, path), is_new: false }
    }

    /// The same of a host's table that this process has just made.
    #[cfg(shares_tables)]
    pub(crate) fn made_new(self) -> Self {
        Self { is_new: true, ..self }
    }

    /// The same with the watch of the store that it is another table of.
    pub(crate) fn watched_by(self, watch: &Arc<Watch>) -> Self {
        Self { view: self.view.watched_by(watch), ..self }
    }

    /// A table of this process's own. Costs address space; memory only for the fuses that are used.
    ///
    /// # Errors
    /// If the process may not map that much.
    pub fn private(geometry: Geometry, clock: Clock) -> io::Result<Self> {
        let mapping = Mapping::anonymous(geometry.bytes())?;
        let header: &Header = &mapping.section(0, 1)[0];
        header.write(geometry, 0, [(); 3].map(|()| random_u64()), clock.now_us());
        Ok(Self::new(mapping, geometry, clock, None))
    }

    /// A table of this process's own instead of the host's, which cannot be had. With `looks`, calls look for the
    /// host's table again; without it nobody does.
    ///
    /// # Errors
    /// If the process may not map that much.
    pub fn stopgap(geometry: Geometry, clock: Clock, looks: bool) -> io::Result<Self> {
        let table = Self::private(geometry, clock)?;
        let watch = if looks { Watch::new(Scope::Stopgap, table.clock().now_us()) } else { Watch::never() };
        let watch = Arc::new(watch);
        Ok(table.watched_by(&watch))
    }

    /// The other processes of this user, as far as they can be seen, that used a removed table of this name when this
    /// process made the table anew: they do not share it until they notice. Empty unless it was made by this opening.
    /// Asks the system each time, which takes about as long as `lsof`.
    #[must_use]
    pub fn former_users(&self) -> Vec<u32> {
        // As the system calls it, which knows nothing of the symbolic links that may have led here.
        let path = self.path().filter(|_| self.is_new).and_then(|path| path.canonicalize().ok());
        path.as_deref().map(system::users_of_a_removed).unwrap_or_default()
    }

    /// The slot of a name of 1 to 200 bytes; takes one if it has none and `claim` is set. `None` if there is none.
    #[must_use]
    pub fn locate(&self, name: &str, claim: bool) -> Option<usize> {
        self.claim(name, claim).map(|claim| claim.slot)
    }

    /// A name's right to its slot; takes one if it has none and `claim` is set. `None` if there is none.
    #[must_use]
    pub fn claim(&self, name: &str, claim: bool) -> Option<SlotClaim> {
        if !claim {
            return self.find(name);
        }
        let claim = self.directory().claim(self.name_hash(name.as_bytes()), || self.clock().now_us())?;
        let place = &self.texts()[claim.slot].name;
        // Not only where nothing stands: what stands there may be damaged, or half of what a killed process wrote.
        if place.read().as_bytes() != name.as_bytes() {
            place.write(name.as_bytes());
        }
        Some(claim)
    }

    /// Ends a claim if its fuse is idle; says whether it did. Its slot is another name's to claim a minute later.
    #[must_use]
    pub fn remove(&self, claim: SlotClaim) -> bool {
        let ended = self.fuse_of(claim).vacate(self.clock().now_us());
        self.directory().end(claim);
        ended
    }

    /// Removes the idle ones of the fuses whose slots a name could have had.
    pub(crate) fn take_back(&self, name: &str) {
        let (name_hash, now_us) = (self.name_hash(name.as_bytes()), self.clock().now_us());
        for claim in self.directory().idle(name_hash, now_us, |claim| self.fuse_of(claim)) {
            _ = self.remove(claim);
        }
    }

    /// Notes that a breaker of a module comes to a claim's fuse; the module that made the fuse, if that was another
    /// one.
    #[must_use]
    pub fn note_maker(&self, claim: SlotClaim, module: &str) -> Option<String> {
        let maker = &self.texts().get(claim.slot)?.maker;
        // Not for a claim that is over: it would be in the way of the next one.
        self.word(claim)?;
        maker.note(claim.owner, &Module::new(module))?.name().map(str::to_owned)
    }

    /// Applies a manual override to a claim's fuse, and writes it down; `None` if the claim is over.
    #[must_use]
    pub fn apply_override(&self, claim: SlotClaim, manual: &Override<'_>) -> Option<Transition> {
        self.fuse_of(claim).apply_override(manual, self.view.override_notes(claim.slot), || self.clock().now_us())
    }

    /// Notes the settings of a hash, that a breaker comes to make calls with.
    pub fn note_settings(&self, settings_hash: u64, policy: &Policy) {
        self.view.sets().note(settings_hash, policy);
    }

    /// Resets every slot, also those that no name has. The journal goes on. `made` gets the transitions of the slots.
    pub(crate) fn forget_all(&self, made: &mut impl FnMut(&Self, usize, Transition)) {
        self.journal().mend();
        for slot in 0..self.geometry().slots() {
            self.texts()[slot].maker.forget();
            if let Some(transition) = self.directory().reset(slot, self.fuse(slot), || self.clock().now_us()) {
                made(self, slot, transition);
            }
        }
    }

    /// The fuse of a claim: once that is over, operations on it do nothing.
    #[must_use]
    pub fn fuse_of(&self, claim: SlotClaim) -> Fuse<'_> {
        self.fuse(claim.slot).with_claim(&self.keys()[claim.slot], claim.owner)
    }

    /// The fuse of a slot, whosever it is, whose transitions are written down in the table's journal.
    #[must_use]
    pub fn fuse(&self, slot: usize) -> Fuse<'_> {
        self.bare_fuse(slot).with_journal_writer(writer(self.journal(), slot))
    }

    /// The table's journal.
    #[must_use]
    pub fn journal(&self) -> Journal<'_> {
        self.ring()
    }

    /// The lines of counters of a slot.
    #[must_use]
    pub fn stripes(&self, slot: usize) -> &[Stripe] {
        self.counters(slot)
    }

    /// What was exported of a slot.
    pub(crate) fn exported_of(&self, slot: usize) -> &Exported {
        &self.exported()[slot]
    }

    /// The rows of the host's leaders.
    pub(crate) fn leader_rows(&self) -> &[Leader] {
        self.leaders()
    }

    /// The shared words of a claim's slot, for as long as they are wanted.
    pub(crate) fn pin(&self, claim: SlotClaim) -> Words {
        let (slot, slots, sections) = (claim.slot, self.geometry().slots(), self.geometry().sections());
        Words {
            claim,
            key: self.pinned(|it| &it.section(sections.keys, slots)[slot]),
            cell: self.pinned(|it| &it.section(sections.cells, slots)[slot]),
            log: self.pinned(|it| self.log(it, slot)),
            stripes: self.pinned(|it| self.lines(it, slot)),
            rate_windows: self.pinned(|it| self.rate_windows(it, slot)),
            head: self.pinned(|it| self.head(it)),
            ring: self.pinned(|it| self.ring_slots(it)),
        }
    }
}
