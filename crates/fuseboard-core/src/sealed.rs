//! Words that are there whole or not at all: a check word, and the words of which it was made.
//!
//! A writer **claims** the place: it puts the check word of its own words there with a compare-and-swap, and then
//! writes the words. The check word is a hash of the words and of a **tag**, which says to what they belong. The words
//! are there only while they fit: not before they are whole, not for another tag, and not if two have written at once
//! or damage has. Words that do not fit are nothing, and the next writer claims the place again. So nobody wipes what
//! belongs to an earlier tag, and what a killed process left half is completed by a writer of the same words, or
//! replaced.

use crate::sync::{AtomicU64, Ordering};

/// A place for `N` words and their check word. Any bytes are a valid one; zeroes are an empty one.
#[repr(C)]
#[derive(Debug)]
pub struct Sealed<const N: usize> {
    check: AtomicU64,
    words: [AtomicU64; N],
}

impl<const N: usize> Sealed<N> {
    /// An empty place.
    #[must_use]
    pub fn new() -> Self {
        Self { check: AtomicU64::new(0), words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// The words of this tag, if they are there whole.
    #[must_use]
    pub fn read(&self, tag: u64) -> Option<[u64; N]> {
        // Acquire: a reader that sees a check word sees all that its writer had seen.
        let check = self.check.load(Ordering::Acquire);
        let words = std::array::from_fn(|i| self.words[i].load(Ordering::Relaxed));
        (check == check_of(tag, &words)).then_some(words)
    }

    /// What stands in the check word; 0 in an empty place.
    pub(crate) fn seen(&self) -> u64 {
        self.check.load(Ordering::Acquire)
    }

    /// Writes these words if `seen` stands in the check word, or their own check word, because somebody has begun to
    /// write the same. Whether they stand there now, unless another writer comes.
    pub(crate) fn write(&self, seen: u64, tag: u64, words: &[u64; N]) -> bool {
        let check = check_of(tag, words);
        let swapped = self.check.compare_exchange(seen, check, Ordering::AcqRel, Ordering::Relaxed);
        if swapped.is_err_and(|found| found != check) {
            return false;
        }
        for (place, word) in self.words.iter().zip(words) {
            place.store(*word, Ordering::Release);
        }
        true
    }

    /// Writes these words, unless other words of this tag are there; those, if so. Two writers that come at the same
    /// moment may both find nothing. Then neither hears about the other, and what they leave is whole, or nothing.
    pub(crate) fn keep(&self, tag: u64, words: &[u64; N]) -> Option<[u64; N]> {
        let seen = self.seen();
        let known = self.read(tag);
        let known = if known.is_none() && !self.write(seen, tag, words) { self.read(tag) } else { known };
        known.filter(|known| known != words)
    }

    /// Takes away what stands there.
    pub(crate) fn forget(&self) {
        self.check.clear_if(|| true);
    }

    /// The words as a file has them, for tests of damage.
    #[cfg(all(test, not(fuseboard_loom)))]
    pub(crate) fn raw(&self) -> impl Iterator<Item = &AtomicU64> {
        std::iter::once(&self.check).chain(&self.words)
    }
}

impl<const N: usize> Default for Sealed<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// A hash of a tag and of words. Spoiled words fit it by accident once in 2^64 times. It does not stop a forger, who
/// could as well write words. Multiply and fold, as in wyhash (Wang Yi, 2019). Never 0, which stands in an empty place.
pub(crate) fn check_of(tag: u64, words: &[u64]) -> u64 {
    let fold = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xbf58_476d_1ce4_e5b9;
        (product as u64) ^ (product >> 64) as u64
    };
    words.iter().fold(fold(0, tag), |hash, word| fold(hash.rotate_left(29), *word)).max(1)
}

/// Text in words: its length in the first byte, then its bytes, then zeroes; at most 255 bytes. A longer text is cut at
/// a whole character.
#[must_use]
pub(crate) fn text_words<const N: usize>(text: &str) -> [u64; N] {
    let most = (8 * N - 1).min(usize::from(u8::MAX));
    let len = (0..=text.len().min(most)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let mut words = [0; N];
    for (i, byte) in std::iter::once(len as u8).chain(text.bytes().take(len)).enumerate() {
        words[i / 8] |= u64::from(byte) << (i % 8 * 8);
    }
    words
}

/// The text of such words. The length is brought into range, whatever stood there (rule T10). `None` if there is no
/// text, or it is not UTF-8.
#[must_use]
pub(crate) fn text_of(words: &[u64]) -> Option<String> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let (len, bytes) = bytes.split_first()?;
    let text = std::str::from_utf8(&bytes[..usize::from(*len).min(bytes.len())]).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_first_words_of_a_tag_stay_and_those_of_another_are_nothing() {
        let place = Sealed::<2>::new();
        assert_eq!((None, None), (place.read(7), place.keep(7, &[1, 2])));
        assert_eq!((Some([1, 2]), Some([1, 2])), (place.read(7), place.keep(7, &[3, 4])));
        assert_eq!((None, None, Some([3, 4])), (place.read(8), place.keep(8, &[3, 4]), place.read(8)));
        place.forget();
        assert_eq!(None, place.read(8));
    }

    /// T10: what was damaged is nothing, and the place is the next writer's.
    #[test]
    fn what_does_not_fit_is_nothing_and_no_place_is_lost() {
        for word in 0..3 {
            let place = Sealed::<2>::new();
            place.keep(7, &[1, 2]);
            place.raw().nth(word).expect("three words").fetch_add(1, Ordering::Relaxed);
            assert_eq!((None, None), (place.read(7), place.keep(7, &[1, 2])), "word {word}");
            assert_eq!(Some([1, 2]), place.read(7));
        }
    }

    #[test]
    fn a_text_is_cut_to_whole_characters_and_any_words_are_one_or_none() {
        for (text, kept) in [("", None), ("shop", Some("shop")), ("fifteen bytes..", Some("fifteen bytes.."))] {
            assert_eq!(kept.map(str::to_owned), text_of(&text_words::<2>(text)));
        }
        assert_eq!(Some("fourteen bytes".to_owned()), text_of(&text_words::<2>("fourteen bytesé")));
        let long = "x".repeat(300);
        assert_eq!(Some(255), text_of(&text_words::<64>(&long)).map(|text| text.len()));
        for first in 0..=u8::MAX {
            let words = [u64::from_le_bytes([first, b'm', b'm', b'm', b'm', b'm', b'm', b'm'])];
            assert_eq!(usize::from(first).min(7), text_of(&words).map_or(0, |text| text.len()));
        }
        assert_eq!(None, text_of(&[u64::MAX]));
    }
}
