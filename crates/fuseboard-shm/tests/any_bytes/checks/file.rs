//! A table's file, its raw words, and a folder for such files.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::Hasher;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use fuseboard_core::layout::{Geometry, LAYOUT_HASH, MAGIC, VERSION};
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_shm::clock::Clock;
use fuseboard_shm::error::OpenError;
use fuseboard_shm::open::open;
use fuseboard_shm::table::Table;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::words::{CELL_WORDS, lies_ahead};

/// The key under which names are hashed in tables that the checks lay out.
pub const HASH_KEY: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];
/// Words of the key of a slot.
pub const KEY_WORDS: usize = 4;
const NAME_WORDS: usize = 26;
const TEXT_WORDS: usize = NAME_WORDS + 8;
const EXPORTED_WORDS: usize = 9;
const OVERRIDE_NOTE_WORDS: usize = 20;
const SETTINGS_WORDS: usize = 128 * 32;
const LEADER_WORDS: usize = 8 * 8;
const LINE_WORDS: usize = 64;
/// Words of the rate windows of a slot.
pub const RATE_WINDOW_WORDS: usize = 64;

/// A private folder for tables, removed with this value.
pub struct Bed {
    folder: PathBuf,
    boot: u64,
}

impl Bed {
    /// A folder of this name below `parent`, which must not exist yet.
    pub fn new(parent: &Path, name: &str) -> Self {
        let folder = parent.join(format!("fuseboard-{name}-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&folder).expect("a folder of our own");
        let geometry = Geometry::for_capacity(1, 2).expect("in range");
        let table = open("any", Some(&folder), geometry, Clock::System).expect("a table can be made");
        let boot = table.path().and_then(Path::extension).and_then(|hex| hex.to_str());
        let boot = u64::from_str_radix(boot.expect("the boot is the extension"), 16).expect("in hexadecimal");
        Self { folder, boot }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The number of this boot.
    pub fn boot(&self) -> u64 {
        self.boot
    }

    /// Where the table `name` lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.v{VERSION}.{:016x}", self.boot))
    }

    /// Opens the table `name`, or makes the smallest one.
    pub fn open(&self, name: &str, clock: Clock) -> Result<Table, OpenError> {
        open(name, Some(&self.folder), Geometry::for_capacity(1, 1).expect("in range"), clock)
    }

    /// An empty file for the table `name`, in the place of any that was there.
    pub fn file(&self, name: &str) -> File {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        options.open(self.path(name)).expect("a file of our own")
    }

    /// The table `name` with a sound header and zeroes behind it.
    pub fn lay(&self, name: &str, geometry: Geometry) -> Raw {
        self.file(name).set_len(geometry.bytes() as u64).expect("room for the table");
        let raw = Raw::map(&self.path(name), geometry);
        raw.write_header(self.boot);
        raw
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// All words of a table's file, through a mapping of the test's own.
pub struct Raw {
    base: *const AtomicU64,
    geometry: Geometry,
}

impl Raw {
    /// Maps the file of a table with this geometry.
    pub fn map(path: &Path, geometry: Geometry) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).expect("the table's file");
        let length = file.metadata().expect("its length").len();
        assert_eq!(geometry.bytes() as u64, length, "a mapping beyond the file would end this process");
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a null hint lets the kernel choose the address, so no existing memory is replaced.
        let base = unsafe { mmap(std::ptr::null_mut(), geometry.bytes(), protection, MapFlags::SHARED, &file, 0) };
        Self { base: base.expect("the file can be mapped").cast(), geometry }
    }

    /// Every word of the file.
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: `map` mapped this many bytes, on a page and until `self` is dropped; every bit pattern is a valid
        // `AtomicU64`, and whoever else writes the file does so by atomics too.
        unsafe { std::slice::from_raw_parts(self.base, self.geometry.bytes() / 8) }
    }

    /// The numbers of the table.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The words of a slot in the section that begins at this byte.
    fn entry(&self, section: usize, slot: usize, len: usize) -> &[AtomicU64] {
        &self.words()[section / 8..][slot * len..][..len]
    }

    /// The words of a slot's key: its owner, the rest of the owner's hash, a mark, the generation it began with.
    pub fn key(&self, slot: usize) -> &[AtomicU64] {
        self.entry(self.geometry.sections().keys, slot, KEY_WORDS)
    }

    /// The words of a slot's cell.
    pub fn cell(&self, slot: usize) -> &[AtomicU64] {
        self.entry(self.geometry.sections().cells, slot, CELL_WORDS)
    }

    /// The words of a slot's name.
    pub fn name(&self, slot: usize) -> &[AtomicU64] {
        &self.texts(slot)[..NAME_WORDS]
    }

    /// The words of a slot's name, and of the module that made its fuse.
    pub fn texts(&self, slot: usize) -> &[AtomicU64] {
        self.entry(self.geometry.sections().texts, slot, TEXT_WORDS)
    }

    /// A slot's failure log.
    pub fn log(&self, slot: usize) -> &[AtomicU64] {
        self.entry(self.geometry.sections().logs, slot, self.geometry.log_len())
    }

    /// A slot's lines of counters.
    pub fn lines(&self, slot: usize) -> &[AtomicU64] {
        self.entry(self.geometry.sections().counters, slot, LINE_WORDS)
    }

    /// The words of a slot's rate windows.
    pub fn rate_windows(&self, slot: usize) -> &[AtomicU64] {
        self.entry(self.geometry.sections().rate_windows, slot, RATE_WINDOW_WORDS)
    }

    /// The words of the journal: sixteen of its head, then thirty-two for each record.
    pub fn journal(&self) -> &[AtomicU64] {
        &self.words()[self.geometry.sections().journal / 8..]
    }

    /// Whether the slot holds damage that a reset does not mend; see `words`.
    pub fn lies_ahead(&self, slot: usize, now: u64) -> bool {
        lies_ahead(self.cell(slot), self.log(slot), now)
    }

    /// The words of every section but the header and the journal, in the order of the file.
    pub fn used(&self) -> impl Iterator<Item = &AtomicU64> {
        let (slots, at) = (self.geometry.slots(), self.geometry.sections());
        let sections = [
            (at.keys, KEY_WORDS * slots),
            (at.cells, CELL_WORDS * slots),
            (at.texts, TEXT_WORDS * slots),
            (at.logs, self.geometry.log_len() * slots),
            (at.counters, LINE_WORDS * slots),
            (at.rate_windows, RATE_WINDOW_WORDS * slots),
            (at.exported, EXPORTED_WORDS * slots),
            (at.override_notes, OVERRIDE_NOTE_WORDS * self.geometry.override_notes()),
            (at.settings, SETTINGS_WORDS),
            (at.leaders, LEADER_WORDS),
        ];
        let ranges = sections.into_iter().map(|(begin, words)| begin / 8..begin / 8 + words);
        ranges.flat_map(|range| &self.words()[range])
    }

    /// Empties the journal.
    pub fn clear_journal(&self) {
        self.journal().iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }

    /// Lays `bytes` over the used words and zeroes over the rest of them and over the journal.
    pub fn lay_over(&self, bytes: &[u8]) {
        self.clear_journal();
        let (words, _) = bytes.as_chunks();
        let values = words.iter().map(|word| u64::from_le_bytes(*word)).chain(std::iter::repeat(0));
        self.used().zip(values).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
    }

    fn write_header(&self, boot: u64) {
        let (slots, log_len) = (self.geometry.slots() as u64, self.geometry.log_len() as u64);
        let header = [MAGIC, VERSION, LAYOUT_HASH, slots, log_len, boot, HASH_KEY[0], HASH_KEY[1], 0, 1];
        self.words().iter().zip(header).for_each(|(word, value)| word.store(value, Ordering::Release));
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: `map` mapped exactly this range, and every reference into it borrowed `self`.
        _ = unsafe { munmap(self.base.cast_mut().cast(), self.geometry.bytes()) };
    }
}

/// The key of a name that has a slot in this claim, in a table whose hash key is [`HASH_KEY`]: the format's rule, written
/// down a second time.
pub fn key_of(name: &[u8], claim: u64) -> [u64; 2] {
    let mut hasher = SipHasher13::new_with_keys(HASH_KEY[0], HASH_KEY[1]);
    hasher.write(&name.len().to_ne_bytes());
    hasher.write(name);
    let hash = hasher.finish128();
    let (low, high) = (hash.h1 & ((1 << 46) - 1), hash.h2 & ((1 << 48) - 1));
    [low.max(1) << 18 | claim << 2 | 2, high.max(1) << 16 | claim]
}
