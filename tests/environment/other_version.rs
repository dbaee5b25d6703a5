//! A process of another version of Fuseboard: opens the table, says where it lies, and records a failure for each line
//! that it reads, saying how many there are. Built by `test_versions.py` within a copy of the crate.
use std::io::{self, BufRead, Write};
use std::path::Path;

use fuseboard_core::layout::Geometry;
use fuseboard_shm::clock::Clock;
use fuseboard_shm::open;
use fuseboard_shm::store::Store;

const HOUR_US: u64 = 3_600_000_000;

fn say(answer: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "{answer}").and_then(|()| out.flush()).expect("somebody reads");
}

fn main() {
    let folder = std::env::args().nth(1).expect("a folder");
    let geometry = Geometry::for_capacity(16, 256).expect("numbers in range");
    let table = match open::open("shop", Some(Path::new(&folder)), geometry, Clock::System) {
        Ok(table) => table,
        Err(error) => return say(&format!("{} {error}", error.kind.word())),
    };
    say(&table.path().expect("a host's table").display().to_string());
    let store = Store::new(table);
    let slot = store.resolve("db").expect("there is room");
    for _ in io::stdin().lock().lines() {
        say(&slot.fuse().record_failure(HOUR_US, slot.now_us()).to_string());
    }
}
