//! Any bytes behind a sound header: the whole contract on them, and a sound table after a reset.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuseboard_fuzz::on_bed(|bed, tables| fuseboard_fuzz::checks::entry::table_bytes(bed, tables, bytes));
});
