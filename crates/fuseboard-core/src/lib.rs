//! The protocol of Fuseboard: circuit breakers whose state is a table of atomic words.
//!
//! # Map
//!
//! | module | holds |
//! |---|---|
//! | [`sync`] | the one atomic type: the standard library's, or loom's |
//! | [`time`] | stamps and how to compare them safely |
//! | [`state`] | the states of a fuse and their codes |
//! | [`word`] | the fuse word: state, generation, time and window position in 64 bits |
//! | `log` | the failure log behind the window |
//! | [`lease`] | probe leases |
//! | [`rate`] | rate windows |
//! | `open_time` | how long an open fuse stays open |
//! | `backoff` | the arithmetic of growing open times |
//! | `ramp` | a growing share of calls after closing |
//! | [`policy`] | what one process asks of a fuse |
//! | [`cell`] | the shared words of one fuse |
//! | [`fuse`] | admit, succeeded, failed, released |
//! | [`breaker`] | admits calls, settles them and counts both: what live code, a replay and a simulation run |
//! | [`outcome`] | what the end of a call means by every rule of a policy |
//! | [`admission`] | what a fuse answers: permits, rejections, transitions |
//! | [`raw`] | the raw store operations, and reading |
//! | `preview` | what a call would be told, without making one |
//! | [`counters`] | striped counters |
//! | [`directory`] | from a name to a slot |
//! | [`key`] | whose a slot is |
//! | `directory::name` | names, for people |
//! | [`overrides`] | manual overrides: how long, who and why |
//! | [`maker`] | the module that made a fuse |
//! | [`sealed`] | words that are there whole or not at all |
//! | [`settings`] | the settings that breakers came with, for tools |
//! | [`directory::idle`] | which fuses a full table can take back |
//! | `lookback` | how far back the breakers of a fuse look |
//! | [`directory::claim`] | removing an idle fuse, and knowing that one was |
//! | [`directory::reset`] | resetting a whole table, slot after slot |
//! | [`journal`] | the ring of records of transitions |
//! | [`journal_writer`] | what a fuse writes down there, and for whom |
//! | [`exported`] | what the last exporter of metrics had told |
//! | [`leader`] | one leader a host for a purpose |
//! | [`layout`] | header, sections, sizes |
//!
//! # Rules all modules obey
//!
//! * No I/O, no clock, no pointers, no allocation, no unsafe. Time is an argument, in microseconds.
//! * Every shared change is one compare-and-swap or read-modify-write of one 64-bit word, and what stands between two
//!   of them is valid for whoever comes next (rule T02). There are no locks and no owners to wait for (rule T01).
//! * Any bits in any word are a valid value (rule T10).
//! * A loop retries only because another process's change went through.
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
