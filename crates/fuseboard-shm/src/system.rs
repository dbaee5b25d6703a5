//! The operating system, as far as every table needs it: memory, time, processes.
//!
//! Each kind of system has a file, and all of them offer the same names. What only a shared table needs, such as its
//! folder and its file, is in `open`.
//!
//! | file | systems |
//! |---|---|
//! | `unix` | Linux and macOS, what is alike on both |
//! | `linux`, `macos` | what is not |
//! | `private_only` | all others: a process has tables of its own, and shares none |

mod file_id;
#[cfg(all(shares_tables, target_os = "linux"))]
mod linux;
#[cfg(all(shares_tables, target_os = "macos"))]
mod macos;
#[cfg(not(shares_tables))]
mod private_only;
#[cfg(shares_tables)]
mod unix;

pub(crate) use self::file_id::FileId;
#[cfg(all(shares_tables, target_os = "linux"))]
pub(crate) use self::linux::{pid_namespace, users_of_a_removed};
#[cfg(all(shares_tables, target_os = "macos"))]
pub(crate) use self::macos::{pid_namespace, users_of_a_removed};
#[cfg(not(shares_tables))]
pub(crate) use self::private_only::*;
#[cfg(shares_tables)]
pub(crate) use self::unix::*;
