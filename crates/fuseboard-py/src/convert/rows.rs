//! Transitions as Python takes them: tuples of codes, numbers and texts.

use fuseboard_core::journal::{About, Record};
use fuseboard_core::transition::Transition;
use fuseboard_shm::owner;
use fuseboard_shm::table::View;

/// A transition without its fuse: the codes of the states before and after, the generation, the code of the cause, the
/// process, the end of a manual override in microseconds (0 for never), and two texts. These are the name of an exception's
/// class, or who made an override and why.
pub(crate) type Made = (u8, u8, u64, u8, u32, u64, String, String);
/// The same behind the name of the fuse.
pub(crate) type Row = (String, u8, u8, u64, u8, u32, u64, String, String);

/// A transition that this process made.
pub(crate) fn made_here(transition: Transition, until_us: u64, about: About) -> Made {
    let (Transition { from, to, generation, cause }, [first, second]) = (transition, texts(about));
    (from.visible() as u8, to.visible() as u8, generation, cause as u8, owner::pid(), until_us, first, second)
}

/// The same of a named fuse.
pub(crate) fn row_here(name: String, made: Made) -> Row {
    let (from, to, generation, cause, pid, until_us, first, second) = made;
    (name, from, to, generation, cause, pid, until_us, first, second)
}

/// A record of the journal, if its fuse's name can be read, and the fuse has not been removed since.
pub(crate) fn row(view: &View, record: &Record) -> Option<Row> {
    let Record { from, to, generation, cause, pid, until_us, about, .. } = *record;
    let (name, [first, second]) = (view.name_then(record.slot as usize, generation)?, texts(about));
    let (from, to) = (from.visible() as u8, to.visible() as u8);
    Some((name, from, to, generation, cause as u8, pid, until_us, first, second))
}

fn texts(about: About) -> [String; 2] {
    about.texts().map(|text| String::from_utf8_lossy(&text).into_owned())
}
