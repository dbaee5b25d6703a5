//! The layout of a table: what stands where in a file. `docs/reference/store-format.md` says the same for people.
//!
//! Nothing that is read from a file becomes a length or an index unchecked (rule T10). A [`Geometry`] is made only of
//! numbers in range, and all offsets are computed from it.

use std::mem::offset_of;

use crate::counters::{STRIPES, Stripe};
use crate::directory::{Key, Name, PROBES};
use crate::exported::Exported;
use crate::fuse::Cell;
use crate::journal::{Head, RECORDS, RingSlot};
use crate::leader::{Leader, PURPOSES};
use crate::maker::Maker;
use crate::overrides::{OVERRIDE_NOTES_MAX, OverrideNote};
use crate::rate::{RATE_WINDOWS, RateWindow};
use crate::settings::{SETS, Set};
use crate::sync::{AtomicU64, Ordering};
use crate::word::LOG_MAX;

/// The version of this layout: part of the file's name and of its header.
pub const VERSION: u64 = 2;
/// First word of a file: "FUSEBRD1", if read on a machine of the same byte order.
pub const MAGIC: u64 = u64::from_be_bytes(*b"FUSEBRD1");
/// Most fuses for which a table can be made.
pub const FUSES_MAX: usize = 1 << 20;
/// Most slots of a table.
pub const SLOTS_MAX: usize = 2 * FUSES_MAX;
/// Bytes of the journal: its head, then its records (rule T14).
const JOURNAL_BYTES: usize = size_of::<Head>() + RECORDS * size_of::<RingSlot>();
const PAGE: usize = 4096;

/// The first page of a file. Written before the file has its name, never afterwards.
#[repr(C, align(4096))]
pub struct Header {
    /// [`MAGIC`].
    pub magic: AtomicU64,
    /// [`VERSION`]; the last word to be written.
    pub version: AtomicU64,
    /// [`LAYOUT_HASH`]: sizes and constants this layout depends on.
    pub layout_hash: AtomicU64,
    /// Number of slots.
    pub slots: AtomicU64,
    /// Entries in each failure log.
    pub log_len: AtomicU64,
    /// The boot the table belongs to: a hash of the boot's and the time namespace's identity.
    pub boot: AtomicU64,
    /// Key of the hashes of names.
    pub hash_key: [AtomicU64; 2],
    /// When the table was made: microseconds of its clock.
    pub created_us: AtomicU64,
    /// A random number that names this table, never 0. Cursors into its journal carry it.
    pub host_id: AtomicU64,
    reserved: [AtomicU64; 502],
}

/// What stands in a slot for people: no call reads it.
#[repr(C)]
#[derive(Default)]
pub struct Texts {
    /// The fuse's name.
    pub name: Name,
    /// The module that made the fuse.
    pub maker: Maker,
}

/// A number that changes with any size or constant that the layout depends on.
pub const LAYOUT_HASH: u64 = {
    let parts = [
        size_of::<Cell>(),
        size_of::<Key>(),
        size_of::<Texts>(),
        size_of::<Stripe>(),
        STRIPES,
        LOG_MAX,
        JOURNAL_BYTES,
        RATE_WINDOWS * size_of::<RateWindow>(),
        size_of::<Exported>(),
        OVERRIDE_NOTES_MAX * size_of::<OverrideNote>(),
        SETS * size_of::<Set>(),
        PURPOSES * size_of::<Leader>(),
        offset_of!(Header, host_id),
    ];
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < parts.len() {
        hash = (hash ^ parts[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    hash
};

#[cfg(not(fuseboard_loom))]
const _: () = {
    assert!(size_of::<Header>() == PAGE);
    assert!(size_of::<Cell>() == 320);
    assert!(size_of::<Key>() == 32);
    assert!(size_of::<Name>() == 208);
    assert!(size_of::<Maker>() == 64);
    assert!(size_of::<OverrideNote>() == 160);
    assert!(size_of::<Texts>() == 272);
    assert!(size_of::<Stripe>() == 64);
    assert!(size_of::<RateWindow>() == 128);
    assert!(size_of::<Exported>() == 72);
    assert!(size_of::<Set>() == 256);
    assert!(size_of::<Leader>() == 64);
    assert!(size_of::<RingSlot>() == 256);
};

/// What is wrong with a header. `fuseboard-shm` puts it into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// Not a table, or one of another byte order.
    Magic,
    /// Another layout: its version, or this version with other sizes.
    Version(u64),
    /// Numbers out of range, or that do not fit the file's length.
    Geometry,
    /// A table of another boot or time namespace.
    Boot,
}

/// The two numbers that a table is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    slots: usize,
    log_len: usize,
}

impl Geometry {
    /// A geometry for at least `fuses` fuses and `failures` log entries each, rounded up to powers of two; `None`
    /// outside of 1 to [`FUSES_MAX`] and 1 to [`LOG_MAX`]. In a table that is longer than a look-up, an eighth stays
    /// free: otherwise the last names would find no room.
    #[must_use]
    pub fn for_capacity(fuses: usize, failures: usize) -> Option<Self> {
        let slots = Some(fuses).filter(|fuses| (1..=FUSES_MAX).contains(fuses))?.next_power_of_two();
        let is_crowded = slots > PROBES && fuses > slots / 8 * 7;
        let log_len = Some(failures).filter(|failures| *failures > 0)?.next_power_of_two().max(2);
        Self::of(if is_crowded { 2 * slots } else { slots }, log_len)
    }

    /// The geometry with exactly these numbers; `None` if no table has them.
    #[must_use]
    pub fn of(slots: usize, log_len: usize) -> Option<Self> {
        let is_valid = |number: usize, most| number.is_power_of_two() && number <= most;
        (is_valid(slots, SLOTS_MAX) && is_valid(log_len, LOG_MAX) && log_len > 1).then_some(Self { slots, log_len })
    }

    /// Number of slots, a power of two.
    #[must_use]
    pub const fn slots(self) -> usize {
        self.slots
    }

    /// Entries in each failure log, a power of two.
    #[must_use]
    pub const fn log_len(self) -> usize {
        self.log_len
    }

    /// Number of notes about manual overrides, a power of two.
    #[must_use]
    pub const fn override_notes(self) -> usize {
        if self.slots < OVERRIDE_NOTES_MAX { self.slots } else { OVERRIDE_NOTES_MAX }
    }

    /// Where each section begins, and where the last one ends.
    #[must_use]
    pub const fn sections(self) -> Sections {
        let mut end = PAGE;
        // Each section begins on a page of its own, so that no two share a cache line.
        const fn place(end: &mut usize, bytes: usize) -> usize {
            let begin = *end;
            *end += bytes.next_multiple_of(PAGE);
            begin
        }
        let slots = self.slots;
        Sections {
            keys: place(&mut end, slots * size_of::<Key>()),
            cells: place(&mut end, slots * size_of::<Cell>()),
            texts: place(&mut end, slots * size_of::<Texts>()),
            logs: place(&mut end, slots * self.log_len * size_of::<u64>()),
            counters: place(&mut end, slots * STRIPES * size_of::<Stripe>()),
            rate_windows: place(&mut end, slots * RATE_WINDOWS * size_of::<RateWindow>()),
            exported: place(&mut end, slots * size_of::<Exported>()),
            override_notes: place(&mut end, self.override_notes() * size_of::<OverrideNote>()),
            settings: place(&mut end, SETS * size_of::<Set>()),
            leaders: place(&mut end, PURPOSES * size_of::<Leader>()),
            journal: place(&mut end, JOURNAL_BYTES),
            end,
        }
    }

    /// Length of the whole table in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.sections().end
    }
}

/// Byte offsets of a table's sections, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sections {
    /// Whose each slot is.
    pub keys: usize,
    /// The shared words of each fuse.
    pub cells: usize,
    /// What stands in each slot for people.
    pub texts: usize,
    /// The failure log of each fuse.
    pub logs: usize,
    /// The lines of counters of each fuse.
    pub counters: usize,
    /// The rate windows of each fuse.
    pub rate_windows: usize,
    /// What was exported of each fuse.
    pub exported: usize,
    /// Who made manual overrides, and why.
    pub override_notes: usize,
    /// The settings of breakers.
    pub settings: usize,
    /// The leases of the host's leaders.
    pub leaders: usize,
    /// The transitions of all fuses.
    pub journal: usize,
    /// Length of the table.
    pub end: usize,
}

impl Sections {
    /// All of them in their order.
    #[must_use]
    pub const fn all(self) -> [usize; 12] {
        let Self {
            keys,
            cells,
            texts,
            logs,
            counters,
            rate_windows,
            exported,
            override_notes,
            settings,
            leaders,
            journal,
            end,
        } = self;
        [keys, cells, texts, logs, counters, rate_windows, exported, override_notes, settings, leaders, journal, end]
    }
}

impl Header {
    /// Fills in the header of a new table. Three random numbers become the hash key and the host id. The version is
    /// written last, with Release: it says that the rest is there.
    pub fn write(&self, geometry: Geometry, boot: u64, random: [u64; 3], created_us: u64) {
        let [hash_key @ .., host_id] = random;
        let fields = [
            (&self.magic, MAGIC),
            (&self.layout_hash, LAYOUT_HASH),
            (&self.slots, geometry.slots as u64),
            (&self.log_len, geometry.log_len as u64),
            (&self.boot, boot),
            (&self.hash_key[0], hash_key[0]),
            (&self.hash_key[1], hash_key[1]),
            (&self.created_us, created_us),
            (&self.host_id, host_id.max(1)),
        ];
        for (field, value) in fields {
            field.store(value, Ordering::Relaxed);
        }
        self.version.store(VERSION, Ordering::Release);
    }

    /// Checks a header against this layout, this boot and the file's length; the geometry it stands for.
    ///
    /// # Errors
    /// A [`HeaderError`] for the first thing that does not fit.
    pub fn check(&self, boot: u64, file_bytes: u64) -> Result<Geometry, HeaderError> {
        let version = self.version.load(Ordering::Acquire);
        let word = |field: &AtomicU64| field.load(Ordering::Relaxed);
        if word(&self.magic) != MAGIC {
            return Err(HeaderError::Magic);
        }
        if version != VERSION || word(&self.layout_hash) != LAYOUT_HASH {
            return Err(HeaderError::Version(version));
        }
        let size = |field| usize::try_from(word(field)).ok();
        let geometry = size(&self.slots)
            .zip(size(&self.log_len))
            .and_then(|(slots, log_len)| Geometry::of(slots, log_len))
            .filter(|geometry| geometry.bytes() as u64 == file_bytes)
            .ok_or(HeaderError::Geometry)?;
        if word(&self.boot) == boot { Ok(geometry) } else { Err(HeaderError::Boot) }
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;

    const BOOT: u64 = 7;

    /// The header of a new table with eight slots and four entries in each log, and that table's length.
    fn header() -> (Header, u64) {
        let zero = || AtomicU64::new(0);
        let header = Header {
            magic: zero(),
            version: zero(),
            layout_hash: zero(),
            slots: zero(),
            log_len: zero(),
            boot: zero(),
            hash_key: [zero(), zero()],
            created_us: zero(),
            host_id: zero(),
            reserved: std::array::from_fn(|_| zero()),
        };
        let geometry = Geometry::for_capacity(8, 4).expect("in range");
        header.write(geometry, BOOT, [1, 2, 0], 3);
        (header, geometry.bytes() as u64)
    }

    #[test]
    fn a_header_says_what_was_written() {
        let (header, bytes) = header();
        assert_eq!(Ok(Geometry::for_capacity(8, 4).expect("in range")), header.check(BOOT, bytes));
        let written = [&header.hash_key[0], &header.hash_key[1], &header.created_us, &header.host_id];
        assert_eq!([1, 2, 3, 1], written.map(|word| word.load(Ordering::Relaxed)));
    }

    /// T09, T10: each thing that does not fit is told apart; none of them alone passes.
    #[test]
    fn a_header_that_does_not_fit_is_refused() {
        type Field = fn(&Header) -> &AtomicU64;
        let faults: [(Field, u64, HeaderError); 9] = [
            (|it| &it.magic, MAGIC.swap_bytes(), HeaderError::Magic),
            (|it| &it.version, 0, HeaderError::Version(0)),
            (|it| &it.version, 1, HeaderError::Version(1)),
            (|it| &it.layout_hash, LAYOUT_HASH + 1, HeaderError::Version(VERSION)),
            (|it| &it.slots, 7, HeaderError::Geometry),
            (|it| &it.slots, 16, HeaderError::Geometry),
            (|it| &it.slots, 1 << 63, HeaderError::Geometry),
            (|it| &it.log_len, 3, HeaderError::Geometry),
            (|it| &it.boot, BOOT + 1, HeaderError::Boot),
        ];
        for (field, value, error) in faults {
            let (header, bytes) = header();
            field(&header).store(value, Ordering::Relaxed);
            assert_eq!(Err(error), header.check(BOOT, bytes), "{value}");
        }
        let (header, bytes) = header();
        assert_eq!([Err(HeaderError::Geometry); 2], [bytes - 1, bytes + 1].map(|bytes| header.check(BOOT, bytes)));
    }

    /// The offsets of sections live in files: what changes them is another layout, and another hash (FNV-1a).
    #[test]
    fn the_places_of_sections_are_fixed() {
        let sections = Geometry::for_capacity(1024, 256).expect("in range").sections().all();
        assert_eq!(
            [
                4_096, 36_864, 364_544, 643_072, 2_740_224, 3_264_512, 3_788_800, 3_862_528, 4_026_368, 4_059_136,
                4_063_232, 4_591_616
            ],
            sections
        );
        assert_eq!((0x4655_5345_4252_4431, 2, 0x397c_fe9d_1b6d_3917), (MAGIC, VERSION, LAYOUT_HASH));
    }

    #[test]
    fn a_default_table_is_a_few_mebibytes() {
        let geometry = Geometry::for_capacity(1024, 256).expect("in range");
        assert_eq!((1024, 256), (geometry.slots(), geometry.log_len()));
        assert_eq!(4_591_616, geometry.bytes());
    }

    #[test]
    fn numbers_out_of_range_make_no_geometry() {
        for (fuses, failures) in [(0, 256), (FUSES_MAX + 1, 256), (1024, 0), (1024, LOG_MAX + 1)] {
            assert_eq!(None, Geometry::for_capacity(fuses, failures));
        }
        for (slots, log_len) in [(1023, 256), (2 * SLOTS_MAX, 256), (1024, 1), (1024, 2 * LOG_MAX)] {
            assert_eq!(None, Geometry::of(slots, log_len));
        }
        assert_eq!((1, 2), Geometry::for_capacity(1, 1).map(|g| (g.slots(), g.log_len())).expect("in range"));
    }

    #[test]
    fn a_table_longer_than_a_look_up_is_never_crowded() {
        let slots = |fuses| Geometry::for_capacity(fuses, 2).expect("in range").slots();
        for (fuses, expected) in [(1023, 1024), (1024, 1024), (1025, 2048), (1792, 2048), (1793, 4096), (2048, 4096)] {
            assert_eq!(expected, slots(fuses), "{fuses} fuses");
        }
        assert_eq!((131_072, 131_072, SLOTS_MAX), (slots(65_536), slots(100_000), slots(FUSES_MAX)));
    }

    #[test]
    fn sections_follow_each_other_on_whole_pages() {
        let sections = Geometry::for_capacity(3, 5).expect("in range").sections().all();
        assert!(sections.is_sorted() && sections.iter().all(|begin| begin % PAGE == 0), "{sections:?}");
    }
}
