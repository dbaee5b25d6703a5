//! Any bytes as a table's file: an error of the right kind, or a table on which the contract runs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuseboard_fuzz::on_bed(|bed, _| fuseboard_fuzz::checks::entry::open_bytes(bed, bytes));
});
