//! How damaged words look. The formats are those of `docs/reference/store-format.md`, written down a second time here.

use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::time::{AHEAD_US, HORIZON_US, STAMP_MAX};

use super::input::Input;

/// The time at which checks begin that choose it themselves: twelve days of uptime, in microseconds.
pub const NOW: u64 = 1 << 40;
/// Words of a cell, and where in it they stand.
pub const CELL_WORDS: usize = 40;
const WORD: usize = 0;
const PROGRESS: usize = 1;
const TOLD: usize = 4;
const NOTE: usize = 5;
const FAILED_PROBES: usize = 6;
const ASKED: usize = 7;
const SEATS: std::ops::Range<usize> = 8..16;
const HINTS: std::ops::Range<usize> = 16..24;
const LASTS: usize = 24;

/// A stamp: near `now`, within what is believed, just beyond it, at the end of time, or anything.
pub fn stamp(input: &mut Input<'_>, now: u64) -> u64 {
    let any = match input.choice(8) {
        0 => now,
        1 => now.wrapping_sub(input.short()),
        2 => now.wrapping_add(input.short()),
        3 => now.wrapping_sub(input.short() << 16),
        4 => now.wrapping_add(input.word() % HORIZON_US),
        5 => now.wrapping_add([AHEAD_US, HORIZON_US][input.choice(2)] - 1 + input.short() % 3),
        6 => STAMP_MAX - input.short() % 4,
        _ => input.word(),
    };
    any & STAMP_MAX
}

/// A fuse word of any state code.
pub fn fuse_word(input: &mut Input<'_>, now: u64) -> u64 {
    stamp(input, now) << 16 | input.short()
}

/// An entry of a failure log, mostly with a short run.
pub fn log_entry(input: &mut Input<'_>, now: u64) -> u64 {
    let run = if input.choice(4) == 0 { input.short() } else { u64::from(input.byte()) };
    run << 48 | stamp(input, now)
}

/// A seat's lease or a count of probes: a stamp and sixteen bits, those of `generation` as often as any.
pub fn tagged(input: &mut Input<'_>, now: u64, generation: u64) -> u64 {
    let tag = if input.choice(2) == 0 { generation & 0xffff } else { input.short() };
    stamp(input, now) << 16 | tag
}

/// Puts one damaged word into a cell or a log, shaped for the place it goes to or wholly any.
pub fn damage(cell: &[AtomicU64], log: &[AtomicU64], input: &mut Input<'_>, now: u64) {
    let generation = load(&cell[WORD]) >> 16;
    let (place, value) = match input.choice(13) {
        0 | 1 => (&cell[WORD], fuse_word(input, now)),
        2 => (&cell[PROGRESS], generation << 16 | input.short()),
        3 => (&cell[SEATS.start + input.choice(SEATS.len())], tagged(input, now, generation)),
        4 => {
            // Another pid beside what stands there: the namespace and the lease that it is of stay right.
            let hint = &cell[HINTS.start + input.choice(HINTS.len())];
            (hint, if input.choice(2) == 0 { load(hint) ^ input.short() } else { input.word() })
        }
        5 | 6 => (&log[input.place(log.len())], log_entry(input, now)),
        7 => (&cell[TOLD], tagged(input, now, generation)),
        8 => {
            let tag = if input.choice(2) == 0 { generation } else { stamp(input, now) };
            (&cell[NOTE], tag << 40 | input.word() >> 24)
        }
        9 => (&cell[FAILED_PROBES], (stamp(input, now) << 16) | input.short()),
        10 => (&cell[ASKED], tagged(input, now, generation)),
        11 => {
            // How long an override lasts: mostly of this generation, and of any length that its bits have room for.
            let mark = if input.choice(4) == 0 { input.word() } else { generation };
            let override_lasts_us = if input.choice(2) == 0 { input.short() } else { input.word() };
            (&cell[LASTS], override_lasts_us << 24 | mark & 0xff_ffff)
        }
        _ => (&cell[input.choice(cell.len())], input.word()),
    };
    place.store(value, Ordering::Release);
}

/// Whether a stamp among these words lies ahead by so little that a reset lets it stand.
///
/// For that long such damage outlives a reset, by intent: a clock that was read before a pause looks the same. What the
/// checks demand of a fuse after a reset, they demand where there is none.
pub fn lies_ahead(cell: &[AtomicU64], log: &[AtomicU64], now: u64) -> bool {
    let ahead = |stamp: u64| stamp > now && stamp <= now.saturating_add(AHEAD_US);
    ahead(load(&cell[WORD]) >> 16) || log.iter().map(|entry| load(entry) & STAMP_MAX).any(ahead)
}

fn load(word: &AtomicU64) -> u64 {
    word.load(Ordering::Acquire)
}
