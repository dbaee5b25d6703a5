//! The module whose breaker made a fuse, for people, and to notice when two modules share a fuse without meaning to.
//!
//! The first breaker that comes to make calls on a fuse writes its module's name down ([`crate::sealed`]), with the
//! slot's owner word as the tag, so the name belongs to this claim alone. Two modules that come at the same moment may
//! both see nothing: then neither hears about the other. No decision reads the name.

use crate::key::Owner;
use crate::sealed::Sealed;

/// Longest text in bytes of UTF-8.
pub const MAKER_MAX: usize = 55;
/// Of a text that is longer: bytes of its beginning, a tilde and eight hexadecimal digits.
const BEGINNING: usize = MAKER_MAX - 9;
/// A model has no time for as many words.
const WORDS: usize = if cfg!(fuseboard_loom) { 2 } else { 7 };
const BYTES: usize = 56;

/// A slot's place for the module that made its fuse. Any bytes are a valid one.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct Maker(Sealed<WORDS>);

impl Maker {
    /// An empty place.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Who made the fuse of this claim, if that stands there whole.
    #[must_use]
    pub fn read(&self, owner: Owner) -> Option<Module> {
        self.0.read(owner.0).map(|words| Module::of_words(&words))
    }

    /// Notes that a breaker of this module comes to the claim's fuse; who made the fuse, if that was another one.
    pub fn note(&self, owner: Owner, module: &Module) -> Option<Module> {
        self.0.keep(owner.0, &module.words()).map(|words| Module::of_words(&words))
    }

    /// Takes away what stands there.
    pub fn forget(&self) {
        self.0.forget();
    }
}

/// A module's name as it is written down: of a long one the beginning and a hash, so that two of them stay two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Module([u8; BYTES]);

impl Module {
    /// The module of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut bytes = [0; BYTES];
        let mut write = |begin: usize, text: &[u8]| {
            bytes[1 + begin..][..text.len()].copy_from_slice(text);
            bytes[0] = (begin + text.len()) as u8;
        };
        if name.len() <= MAKER_MAX {
            write(0, name.as_bytes());
            return Self(bytes);
        }
        // FNV-1a, of which the upper bits are the better ones.
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
        let digits: [u8; 8] = std::array::from_fn(|i| b"0123456789abcdef"[(hash >> (60 - 4 * i)) as usize & 15]);
        let begin = (0..=BEGINNING).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        write(0, &name.as_bytes()[..begin]);
        write(begin, b"~");
        write(begin + 1, &digits);
        Self(bytes)
    }

    /// Its name, if the bytes are one; the length is brought into range, whatever stood there (rule T10).
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let bytes = &self.0[1..=usize::from(self.0[0]).min(MAKER_MAX)];
        std::str::from_utf8(bytes).ok().filter(|name| !name.is_empty())
    }

    fn words(&self) -> [u64; WORDS] {
        std::array::from_fn(|i| u64::from_le_bytes(self.0.as_chunks().0[i]))
    }

    fn of_words(words: &[u64; WORDS]) -> Self {
        let mut bytes = [0; BYTES];
        for (word, bytes) in words.iter().zip(bytes.as_chunks_mut().0) {
            *bytes = word.to_le_bytes();
        }
        Self(bytes)
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;
    use crate::sync::Ordering;

    const OWNER: Owner = Owner(7 << 18 | 2);

    fn noted(maker: &Maker, owner: Owner, module: &str) -> Option<String> {
        maker.note(owner, &Module::new(module)).and_then(|other| other.name().map(str::to_owned))
    }

    fn read(maker: &Maker, owner: Owner) -> Option<String> {
        maker.read(owner).and_then(|module| module.name().map(str::to_owned))
    }

    #[test]
    fn the_first_module_stays_and_others_hear_about_it() {
        let maker = Maker::new();
        assert_eq!(None, read(&maker, OWNER));
        assert_eq!([None, None], ["shop.payments"; 2].map(|module| noted(&maker, OWNER, module)));
        assert_eq!(Some("shop.payments".to_owned()), noted(&maker, OWNER, "billing.api"));
        assert_eq!(Some("shop.payments".to_owned()), read(&maker, OWNER));
        maker.forget();
        assert_eq!((None, None), (read(&maker, OWNER), noted(&maker, OWNER, "billing.api")));
    }

    /// What an earlier claim of the slot left is nothing for the next one, though nobody has wiped it.
    #[test]
    fn a_text_is_of_its_claim() {
        let maker = Maker::new();
        let next = OWNER.gone().pending(crate::key::NameHash::new(7, 1)).confirmed();
        noted(&maker, OWNER, "shop");
        assert_eq!((None, None), (read(&maker, next), noted(&maker, next, "billing")));
        assert_eq!((None, Some("billing".to_owned())), (read(&maker, OWNER), read(&maker, next)));
    }

    #[test]
    fn a_name_is_read_as_it_was_written_and_of_long_ones_two_stay_two() {
        for len in [1, 7, 8, MAKER_MAX] {
            let name = "m".repeat(len);
            assert_eq!(Some(name.as_str()), Module::new(&name).name());
        }
        let (one, other) = (format!("{}a", "p".repeat(MAKER_MAX)), format!("{}b", "p".repeat(MAKER_MAX)));
        let of = |name: &str| Module::new(name).name().map(str::to_owned).expect("a name");
        assert!(of(&one).starts_with(&format!("{}~", "p".repeat(BEGINNING))) && of(&one) != of(&other));
        assert_eq!(MAKER_MAX, of(&one).len());
        assert!(
            of(&format!("p{}", "é".repeat(40))).starts_with(&"é".repeat(22).as_str().replacen('é', "pé", 1)),
            "whole characters"
        );
    }

    /// T10: any bytes are a maker, or none; a place that was damaged is the next one's.
    #[test]
    fn any_bytes_are_a_module_or_none_and_no_place_is_lost() {
        for first in 0..=u8::MAX {
            let mut bytes = [first; BYTES];
            _ = Module(bytes).name();
            bytes[0] = first;
            bytes[1..].fill(b'm');
            assert_eq!(usize::from(first).min(MAKER_MAX), Module(bytes).name().map_or(0, str::len));
        }
        for word in 0..=WORDS {
            let maker = Maker::new();
            noted(&maker, OWNER, "shop");
            maker.0.raw().nth(word).expect("a word").fetch_add(1, Ordering::Relaxed);
            assert_eq!((None, None), (read(&maker, OWNER), noted(&maker, OWNER, "shop")), "word {word}");
            assert_eq!(Some("shop".to_owned()), read(&maker, OWNER));
        }
    }
}
