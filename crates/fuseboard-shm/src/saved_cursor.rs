//! Where a reader of the journal stands, as a short text that outlives it.
//!
//! The text says which table, and up to which number of its journal the reader has read everything. A transition that
//! was read from its fuse has no number yet. It may get one later, after the cursor. So its slot and generation stand
//! in the cursor until the reader has read something of that slot in the ring: `9f86d081884c7d65-2a` or, with one such
//! slot, `9f86d081884c7d65-2a-3.f4240`. Numbers are hexadecimal, and each cursor has exactly one text.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use fuseboard_core::journal::Record;

/// A place after what a reader has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedCursor {
    /// The table's number.
    pub(crate) table: u64,
    /// The first number that it has not read.
    pub(crate) next: u64,
    /// Slots of which it has read from the fuse, and the generation.
    pub(crate) ahead: BTreeMap<u32, u64>,
}

impl SavedCursor {
    /// Whether it is a place in the journal of the table with this number.
    #[must_use]
    pub const fn is_of(&self, table: u64) -> bool {
        self.table == table
    }

    /// Moves the cursor past this record, which stands in the ring under this number or, without one, in the fuse
    /// alone.
    pub fn pass(&mut self, record: &Record, number: Option<u64>) {
        match number {
            Some(number) => self.next = number + 1,
            None => _ = self.ahead.insert(record.slot, record.generation),
        }
    }
}

impl fmt::Display for SavedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:x}", self.table, self.next)?;
        self.ahead.iter().try_for_each(|(slot, generation)| write!(f, "-{slot:x}.{generation:x}"))
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCursor;

impl FromStr for SavedCursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let number = |digits: &str| u64::from_str_radix(digits, 16).map_err(|_| NoCursor);
        let mut parts = text.split('-');
        let (table, next) = parts.next().zip(parts.next()).ok_or(NoCursor)?;
        let mut cursor = Self { table: number(table)?, next: number(next)?, ahead: BTreeMap::new() };
        for part in parts {
            let (slot, generation) = part.split_once('.').ok_or(NoCursor)?;
            cursor.ahead.insert(u32::try_from(number(slot)?).map_err(|_| NoCursor)?, number(generation)?);
        }
        // Another text of the same numbers was not made here: it was changed on the way.
        if cursor.to_string() == text { Ok(cursor) } else { Err(NoCursor) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They lie in people's files: a cursor has the same text in later versions.
    #[test]
    fn a_cursor_and_its_text_are_one() {
        let cursor =
            |next, ahead: &[(u32, u64)]| SavedCursor { table: 0x9f86, next, ahead: ahead.iter().copied().collect() };
        for (text, cursor) in [
            ("0000000000009f86-2a", cursor(42, &[])),
            ("0000000000009f86-0-3.f4240", cursor(0, &[(3, 1_000_000)])),
            ("0000000000009f86-ffffffffffffffff-3.1-ffffffff.2", cursor(u64::MAX, &[(u32::MAX, 2), (3, 1)])),
        ] {
            assert_eq!((text.to_owned(), Ok(&cursor)), (cursor.to_string(), text.parse().as_ref()));
        }
    }

    #[test]
    fn other_texts_are_no_cursors() {
        for text in [
            "",
            "-",
            "oldest",
            "0000000000009f86",
            "0000000000009f86-",
            "0000000000009F86-2a",
            "9f86-2a",
            "0000000000009f86-02a",
            "0000000000009f86-+2a",
            "0000000000009f86-2a ",
            "0000000000009f86-2a-",
            "0000000000009f86-2a-3",
            "0000000000009f86-2a-3.1-3.1",
            "0000000000009f86-2a-4.1-3.1",
            "0000000000009f86-2a-100000000.1",
            "00000000000009f86-10000000000000000",
        ] {
            assert_eq!(Err(NoCursor), text.parse::<SavedCursor>(), "{text:?}");
        }
    }
}
