//! Fuseboard's table in shared memory: everything that needs the operating system.
//!
//! # Map
//!
//! | module | holds |
//! |---|---|
//! | [`store`] | a store: a table, and process-local tables for what does not fit into it |
//! | [`handle`] | a slot with its shared words at hand: admits and settles calls |
//! | `process_permit` | what an admitted call has in its hand |
//! | [`saved_cursor`] | where a reader stands, as text that outlives it |
//! | [`journal_cursor`] | a place in a table's journal |
//! | [`table`] | one mapped table, from names to slots; its `View`, which only reads |
//! | [`open`] | open or create a host's table, or look at one |
//! | `create` | make one whole before it has a name |
//! | `store_dir` | the private folder that tables lie in |
//! | [`leading`] | one process of the host that leads for a purpose |
//! | `watch` | when a store looks whether it is still on the host's table |
//! | `chain` | a list that only grows, read without a lock |
//! | `boot` | which boot of the host it is |
//! | `mapping` | map, unmap, and the single cast from bytes to atomics |
//! | [`clock`] | microseconds that all processes of a host agree on, or a clock that a test moves |
//! | [`owner`] | who this process is: random numbers, fresh after fork; `hint` and `process`: what others can tell of it |
//! | [`error`] | why a host's table cannot be had |
//!
//! # Trust model
//!
//! A table belongs to one user of one host: the folder is 0700, the file 0600, and both are checked. Processes of that
//! user are trusted not to be hostile, but not to be sane: whatever bytes stand in a mapped table, reading and writing
//! it is sound, because every field is an atomic and no number from it becomes a length or an index unchecked (rule
//! T10). What cannot be guarded against is a file that is made shorter while it is mapped: touching the lost pages ends
//! the process with SIGBUS. Nothing of ours ever shortens a file.
//!
//! Who only looks ([`open::look`]) may look at a table of another user, if the system lets him read it. It is mapped so that a write
//! would end the process. Its owner is trusted not to shorten it.
//!
//! Unsafe code lives in `mapping` (the cast from bytes to atomics), `chain` (a list that is read without a lock), `owner`
//! (what is to be done in a forked child), `handle` (a hint to the processor) and, for the one system call that has no safe
//! wrapper on macOS, `boot`.

mod boot;
mod chain;
pub mod clock;
mod create;
pub mod error;
mod former_users;
pub mod handle;
pub mod journal_cursor;
pub mod leading;
mod mapping;
pub mod open;
pub mod owner;
mod process_permit;
pub mod saved_cursor;
pub mod store;
mod store_dir;
pub mod table;
mod table_spec;
mod watch;
