//! The models of the core, in one binary: small situations whose every outcome must be one that the rules allow.
//!
//! Under `--cfg fuseboard_loom` loom goes through the orders in which threads take turns and through the values that a
//! load may see in the memory model, within the bounds of [`common::model`]: `make model`, part of `make test`, takes the
//! short ones, `make proof` all of them. Without that flag real threads run each model many times, for ThreadSanitizer
//! (`make tsan`); plain `cargo test` leaves them out.
//!
//! | module | holds |
//! |---|---|
//! | `window`, `transition`, `lease` | failures and what they open, seats and their leases |
//! | `breaker` | whole calls of two processes, and what each counts |
//! | `rates`, `recovery`, `overrides` | policies: rates; the ramp and the longest stay; manual overrides with an end |
//! | `directory`, `claim`, `reset`, `forget` | names and slots, and how they are removed |
//! | `lookback`, `snapshot`, `journal`, `sealed` | what readers see |
//! | `leader`, `exported` | who leads, and what exporters tell |
//! | `pairs` | every operation beside every other, by a machine |
//! | `common` | how a model is explored, how to race, one fuse as a value |
//!
//! Negative controls: the patches in `crates/fuseboard-core/mutants` name the models that must fail on them.
#[path = "../common/book.rs"]
mod book;
mod breaker;
mod claim;
mod common;
mod directory;
mod exported;
mod forget;
mod journal;
mod leader;
mod lease;
mod lookback;
mod overrides;
mod pairs;
mod rates;
mod recovery;
mod reset;
mod sealed;
#[path = "../common/slots.rs"]
mod slots;
mod snapshot;
mod transition;
mod window;
