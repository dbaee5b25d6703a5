//! What the journal may say of operations that ran at once: what it says of one order of them, and, of each transition,
//! whether its maker wrote it down or another who knew less.

use fuseboard_core::journal::{About, Record};
use fuseboard_core::state::State;

use super::beginnings::PAST;
use super::operations::Outcome;

/// Another came first, and had the maker's note to go by.
pub const FOR_ITS_MAKER: &str = "another writes it down, and knows no more than the note says";
/// Another came first, and had the note of a rival who would have begun the same generation: under a clock that stands
/// still that is each rival; under one that goes, one of the same microsecond.
pub const BY_A_RIVALS_NOTE: &str = "another writes it down by the note of a rival of the same microsecond";

/// What a reader cannot make sense of: the records are one chain of states from closed to the fuse's own, each later than
/// the one before.
pub fn broken_chain(outcome: &Outcome) -> Option<String> {
    let (mut state, mut generation) = (State::Closed, 0);
    for record in outcome.journaled.as_ref()? {
        if record.from != state || record.generation <= generation || !record.from.is_event(record.to) {
            return Some(format!("{record:?} does not follow {state:?} of {generation}"));
        }
        (state, generation) = (record.to, record.generation);
    }
    let word = outcome.after.cell.word;
    let ends = state == word.state().visible() && generation <= word.generation();
    (!ends).then(|| format!("the journal ends with {state:?} of {generation}, the fuse with {word:?}"))
}

/// What the journal knows less of than it would have been told in one order; `None` if it tells another story.
pub fn weaker(known: &Outcome, seen: &Outcome) -> Option<Vec<&'static str>> {
    let (known, journaled) = (known.journaled.as_ref()?, seen.journaled.as_ref()?);
    if known.len() != journaled.len() {
        return None;
    }
    known
        .iter()
        .zip(journaled)
        .filter(|(known, journaled)| known != journaled)
        .map(|(known, journaled)| lack(known, journaled))
        .collect()
}

fn lack(known: &Record, journaled: &Record) -> Option<&'static str> {
    let noted = Record { about: About::NOTHING, ..*known };
    if *journaled == noted {
        return Some(FOR_ITS_MAKER);
    }
    let is_a_rivals = journaled.pid != 0 && journaled.pid != PAST && known.pid != PAST;
    (is_a_rivals && *journaled == Record { cause: journaled.cause, pid: journaled.pid, ..noted })
        .then_some(BY_A_RIVALS_NOTE)
}
