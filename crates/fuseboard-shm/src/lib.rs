//! Fuseboard's table in shared memory: everything that needs the operating system.
//!
//! # Map
//!
//! Each floor uses only itself and the floors below it, and within a floor no two files use each other.
//!
//! | floor | modules | what they hold |
//! |---|---|---|
//! | stores | [`store`] | a table, and tables of this process for fuses that do not fit into it |
//! | | [`handle`] | a slot with its shared words at hand: admits calls and settles them |
//! | | [`journal_cursor`] | reads the journal: each transition once |
//! | opening | [`open`] | opens a host's table or makes it, or looks at one: which file, in which private folder, of which boot |
//! | | [`leading`] | one process of the host that leads for a purpose |
//! | a table | [`table`] | one mapped table: from names to slots; its `View` only reads |
//! | | [`saved_cursor`] | where a reader of the journal stands, as a text |
//! | parts | `process_permit` | what an admitted call has: a permit, and the process that took it |
//! | | [`owner`] | who this process is, new after fork; whether another process is certainly dead |
//! | | `watch` | when a store looks whether it is still on the host's table |
//! | | `mapping` | memory that is mapped, and the one cast from bytes to atomics |
//! | | `chain` | a list that only grows, read without a lock |
//! | | [`clock`] | microseconds on which all processes of a host agree, or a clock that a test moves |
//! | | [`error`] | why a host's table cannot be had |
//! | | `system` | what each operating system has: memory, time, processes |
//!
//! Where `cfg(shares_tables)` is not set (see `build.rs`), the system has no shared tables. Then `open` refuses, and
//! private tables work as everywhere.
//!
//! # Trust model
//!
//! A table belongs to one user of one host: the folder is 0700, the file 0600, and both are checked (rule T11).
//! Processes of that user are trusted not to attack each other, but not to be sane. Whatever bytes stand in a mapped
//! table, it is sound to read and write it: every field is an atomic, and no number from it becomes a length or an
//! index unchecked (rule T10). One thing cannot be guarded against: if somebody makes a file shorter while it is
//! mapped, touching the lost pages ends the process with SIGBUS. Nothing of ours makes a file shorter.
//!
//! [`open::look`] only reads. It may look at a table of another user, if the system allows it. The table is mapped so
//! that a write would end the process. Its owner is trusted not to make it shorter.
//!
//! # Unsafe code
//!
//! It is in `mapping` (the cast from bytes to atomics), `chain` (a list that is read without a lock), `system` (memory,
//! and what a forked child has to do), `handle` (a prefetch) and `open` (the mapping of a file, and on macOS a system
//! call that has no safe wrapper).

mod chain;
pub mod clock;
pub mod error;
pub mod handle;
pub mod journal_cursor;
pub mod leading;
mod mapping;
pub mod open;
pub mod owner;
mod process_permit;
pub mod saved_cursor;
pub mod store;
mod system;
pub mod table;
mod watch;
