//! Any bytes as a table (rule T10): random bytes replayed, bytes that change under one's hands, and a file cut short.
//!
//! | module | shows |
//! |---|---|
//! | `checks` | what must hold, as functions of a string of bytes; shared with `fuzz/` |
//! | `replay` | that it holds for some thousand random strings, without a fuzzer |
//! | `live` | that it holds while another process scribbles over the table |
//! | `truncation` | what a file cut short or removed does to those who map it, and to those who open it |
//! | `findings` | what was found, and is mended |
//! | `child` | other processes: this binary again, in another role |
//! | `watchdog` | the end of a process that hangs |
//!
//! Every check has a control: the same harness, given something unsound, must notice.
#[path = "any_bytes/checks/mod.rs"]
mod checks;
#[path = "any_bytes/child.rs"]
mod child;
#[path = "any_bytes/findings.rs"]
mod findings;
#[path = "any_bytes/live.rs"]
mod live;
#[path = "any_bytes/replay.rs"]
mod replay;
#[path = "any_bytes/truncation.rs"]
mod truncation;
#[path = "any_bytes/watchdog.rs"]
mod watchdog;
