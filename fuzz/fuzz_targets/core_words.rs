//! Any words as one fuse: its cell, its failure log, and operations at any time with any settings.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuseboard_fuzz::checks::entry::core_words(bytes);
});
