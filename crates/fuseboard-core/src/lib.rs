//! The protocol of Fuseboard: circuit breakers whose state is a table of atomic words.
//!
//! # Words
//!
//! A **fuse** is one named row of the table. A **breaker** is what callers use: a policy on a fuse. A call asks for a
//! **permit**, and reports its **outcome**. Each change of state, a **transition**, begins a new **generation** of the
//! fuse, and stands in the **journal**. `docs/reference/glossary.md` has the rest.
//!
//! # Map
//!
//! Each floor uses only itself and the floors below it, and within a floor no two files use each other.
//!
//! | floor | modules | what they hold |
//! |---|---|---|
//! | tables | [`layout`] | header, sections and sizes of a file |
//! | | [`directory`] | from a name to its slot: [`directory::claim`], [`directory::idle`], [`directory::reset`] and the names |
//! | | [`settings`], [`maker`], [`leader`], [`exported`] | what stands in a table for tools: settings, modules, leaders, exported totals |
//! | operations | [`breaker`] | **start here**: admits calls, settles them, and counts both |
//! | | [`overrides`], `raw`, `mend` | manual overrides; the raw operations of the store; what damage left |
//! | | `preview`, [`snapshot`], `lookback` | how a call would be answered; a copy for people; how far back breakers look |
//! | a fuse | [`admission`] | before a call: the permit or the rejection |
//! | | [`fuse`] | the word of a fuse, and what the end of a call does to it |
//! | parts of a fuse | [`journal_writer`] | how each transition gets into the journal, also if its maker dies |
//! | | `open_time`, `ramp`, `override_end` | how long a fuse stays open, ramps, or is overridden |
//! | | [`policy`] | what one process asks of a fuse |
//! | | [`cell`] | the shared words of one fuse |
//! | | `log`, [`lease`], [`rate`], [`key`], [`counters`], [`journal`], [`sealed`] | words with a protocol of their own: failures, probes, rates, owners, counts, records, texts |
//! | values | [`word`], [`state`], [`transition`], [`time`], [`sync`] | what stands in one word; stamps; the one atomic type, the standard library's or loom's |
//!
//! A failing call that opens a fuse passes [`breaker`], [`fuse`], `log`, `open_time`, [`journal_writer`] and
//! [`journal`].
//!
//! # Rules
//!
//! Rules T01 to T14 are those of the table (`docs/reference/table-rules.md`), R01 to R28 those of a fuse
//! (`docs/reference/state-machine.md`). Comments and tests name them. All modules keep these:
//!
//! * No I/O, no clock, no pointers, no allocation on a call's way, no unsafe code. Time is an argument, in
//!   microseconds.
//! * There are no locks, and no process waits for another one (T01).
//! * Every shared change is one compare-and-swap or read-modify-write of one 64-bit word. Every state between two
//!   changes is valid for the process that comes next (T02).
//! * Any bits in any word are a valid value (T10).
//! * A loop repeats only because another process's change went through.
#![forbid(unsafe_code)]

pub mod admission;
pub mod breaker;
pub mod cell;
pub mod counters;
pub mod directory;
pub mod exported;
pub mod fuse;
pub mod journal;
pub mod journal_writer;
pub mod key;
pub mod layout;
pub mod leader;
pub mod lease;
mod log;
mod lookback;
pub mod maker;
mod mend;
mod open_time;
mod override_end;
pub mod overrides;
pub mod policy;
mod preview;
mod ramp;
pub mod rate;
mod raw;
pub mod sealed;
pub mod settings;
pub mod snapshot;
pub mod state;
pub mod sync;
pub mod time;
pub mod transition;
pub mod word;
