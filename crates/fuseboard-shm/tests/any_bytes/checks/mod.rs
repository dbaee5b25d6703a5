//! What must hold whatever bytes stand in a table (rule T10), as functions of a string of bytes.
//!
//! The bytes are both the damage and the program: they are laid over shared words and decoded into operations, so a
//! fuzzer that mutates them searches both at once. `tests/any_bytes.rs` replays random strings under plain `cargo test`, the
//! targets in `fuzz/` let libFuzzer choose them; the checks are the same code.
//!
//! | module | holds |
//! |---|---|
//! | `input` | bytes as a source of choices |
//! | `words` | how damaged words look, and which damage outlives a reset by intent |
//! | `steps` | the bound on the shared writes of one operation |
//! | `fuse` | every operation on one fuse, with the range of each answer |
//! | `sound` | a fuse after a reset: exact counts and a whole cycle |
//! | `file` | a table's file and its raw words |
//! | `store` | a store after a reset: everything closed, each fuse sound |
//! | `view` | everything that reads, on a table mapped for reading only |
//! | `table` | the whole contract on a store, by name and by handle |
//! | `journal` | records that damage wrote, readers, and the journal after a reset |
//! | `leader` | leaders and exporters |
//! | `entry` | the three checks of a string of bytes |
#![allow(dead_code, reason = "the tests and each fuzz target take the part they need")]

pub mod entry;
pub mod file;
pub mod fuse;
pub mod input;
pub mod journal;
pub mod leader;
pub mod sound;
pub mod steps;
pub mod store;
pub mod table;
pub mod view;
pub mod words;
