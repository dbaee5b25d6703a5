//! Probe leases: the right to make one call while the fuse is half-open.
//!
//! A fuse has [`SEATS`] seats. A seat is one word: the lease's deadline (48 bits) and the low 16 bits of the generation
//! in which it was taken; 0 is free. A lease is taken and released by compare-and-swap, and nobody needs to learn that
//! its prober died: after the deadline anybody may take the seat (rule R11). The seat of a lease of an older generation
//! is free at once. Only if 16 bits of two generations agree by chance does such a lease count until its deadline.
//!
//! If the prober is certainly dead, nobody has to wait for the deadline. Beside each seat stands a **hint** that says
//! who the prober is. Its 48 bits mean nothing here; 16 more bits tag the lease to which it belongs. A caller that gets
//! no seat may ask whether the prober of a hint is gone, and free the seat. If a hint is missing, or belongs to another
//! lease, the deadline decides.
//!
//! Probes that succeeded and probes that failed are counted in a word of their own. It carries the generation, so a new
//! half-open state begins at zero and nobody has to wipe the word. While the fuse ramps, the same word numbers the
//! calls.

use crate::sync::{AtomicU64, Ordering};
use crate::time::{STAMP_MAX, remaining};

/// Probes that one fuse can have under way at once.
pub const SEATS: usize = 8;
/// Most successful probes that can be counted.
pub const SUCCESSES_MAX: u32 = (1 << 10) - 1;
/// Most failed probes that can be counted.
pub const FAILURES_MAX: u32 = (1 << 6) - 1;

const TAG_BITS: u32 = 16;
const TAG_MASK: u64 = (1 << TAG_BITS) - 1;

/// A taken seat: what its prober needs to release it, and to know whether it still has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Index of the seat.
    pub seat: u32,
    /// The word that stands in the seat until the lease is released or taken over.
    pub word: u64,
}

impl Lease {
    /// How long until its deadline, if that is to come.
    pub(crate) fn time_left(self, now_us: u64) -> Option<u64> {
        remaining(now_us, self.word >> TAG_BITS)
    }
}

/// Bits of a prober's hint.
pub const HINT_BITS: u32 = 48;
const HINT_MASK: u64 = (1 << HINT_BITS) - 1;

/// The seats of one fuse, and the hints of their probers.
#[derive(Clone, Copy)]
pub(crate) struct Seats<'a> {
    pub(crate) leases: &'a [AtomicU64; SEATS],
    pub(crate) hints: &'a [AtomicU64; SEATS],
}

impl Seats<'_> {
    /// Takes one of the first `probes` seats until `now + probe_us`, or says how long until the first one is free.
    /// `Ok(None)` if a free seat changed hands in between, or `is_current` says that the generation has ended.
    ///
    /// A lease of another generation is overwritten, so it must be older: a caller that was stopped while its
    /// generation ended would otherwise take a newer probe's seat. That is why `is_current` is asked after the seat was
    /// read. The writer of a newer lease had seen a newer fuse word, and having read that lease, we see it too.
    pub(crate) fn take(
        self,
        generation: u64,
        probes: u32,
        probe_us: u64,
        now_us: u64,
        is_current: impl Fn() -> bool,
    ) -> Result<Option<Lease>, u64> {
        let mut soonest = probe_us;
        for (seat, place) in (0_u32..).zip(self.leases).take(probes as usize) {
            let held = place.load(Ordering::Acquire);
            if let Some(left) = time_left(held, generation, now_us) {
                soonest = soonest.min(left);
                continue;
            }
            if !is_current() {
                return Ok(None);
            }
            let word = lease_word(generation, now_us.saturating_add(probe_us));
            // AcqRel: what the last prober did comes before what we do.
            if place.compare_exchange(held, word, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return Ok(Some(Lease { seat, word }));
            }
            // It changed hands just now, perhaps to nobody: an older generation's lease was released. Look again.
            return Ok(None);
        }
        Err(soonest)
    }

    /// Whether the lease is still its prober's: nobody took the seat over.
    pub(crate) fn holds(self, lease: Lease) -> bool {
        self.place(lease).load(Ordering::Acquire) == lease.word
    }

    /// Gives the seat back, unless somebody took it over. Returns whether it did.
    pub(crate) fn release(self, lease: Lease) -> bool {
        self.place(lease).compare_exchange(lease.word, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Writes down who the prober of the lease is.
    pub(crate) fn sign(self, lease: Lease, hint: u64) {
        let tag = lease_tag(lease.word) << HINT_BITS;
        self.hints[lease.seat as usize % SEATS].store(tag | hint & HINT_MASK, Ordering::Release);
    }

    /// Frees the seats whose probers are gone, as `is_gone` says of their hints. Returns whether there were any.
    pub(crate) fn reclaim(self, is_gone: impl Fn(u64) -> bool) -> bool {
        let mut freed = false;
        for (place, hint) in self.leases.iter().zip(self.hints) {
            let held = place.load(Ordering::Acquire);
            let hint = hint.load(Ordering::Acquire);
            if held != 0 && hint >> HINT_BITS == lease_tag(held) && is_gone(hint & HINT_MASK) {
                // The swap compares the lease, so a seat that somebody took in between stays theirs.
                freed |= place.compare_exchange(held, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok();
            }
        }
        freed
    }

    /// How long until one of the first `probes` seats is free; `None` if one is free, or its prober `is_gone`. Takes
    /// nothing.
    pub(crate) fn all_taken(
        self,
        generation: u64,
        probes: u32,
        now_us: u64,
        is_gone: impl Fn(u64) -> bool,
    ) -> Option<u64> {
        let left = |(place, hint): (&AtomicU64, &AtomicU64)| {
            let held = place.load(Ordering::Acquire);
            let left = time_left(held, generation, now_us)?;
            let hint = hint.load(Ordering::Acquire);
            let is_free = hint >> HINT_BITS == lease_tag(held) && is_gone(hint & HINT_MASK);
            (!is_free).then_some(left)
        };
        self.leases.iter().zip(self.hints).take(probes as usize).map(left).min().flatten()
    }

    /// What stands in the seats.
    pub(crate) fn held(self) -> [u64; SEATS] {
        std::array::from_fn(|seat| self.leases[seat].load(Ordering::Acquire))
    }

    /// Frees the seats in which `held` still stands.
    pub(crate) fn free(self, held: [u64; SEATS]) {
        for (place, held) in self.leases.iter().zip(held).filter(|(_, held)| *held != 0) {
            _ = place.compare_exchange(held, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    fn place(&self, lease: Lease) -> &AtomicU64 {
        &self.leases[lease.seat as usize % SEATS]
    }
}

fn lease_word(generation: u64, deadline_us: u64) -> u64 {
    deadline_us.min(STAMP_MAX) << TAG_BITS | generation & TAG_MASK
}

/// Sixteen bits that tell a lease from others of its seat, and from a hint that nobody signed.
fn lease_tag(lease: u64) -> u64 {
    (lease ^ lease >> 16 ^ lease >> 32 ^ lease >> 48) & 0x7fff | 0x8000
}

fn time_left(held: u64, generation: u64, now_us: u64) -> Option<u64> {
    if held == 0 || held & TAG_MASK != generation & TAG_MASK {
        return None;
    }
    remaining(now_us, held >> TAG_BITS)
}

/// A count in the low bits of a word, below the generation to which it belongs.
#[derive(Clone, Copy)]
pub(crate) struct Count {
    shift: u32,
    most: u64,
}

/// Probes that succeeded.
pub(crate) const SUCCESSES: Count = Count { shift: 0, most: SUCCESSES_MAX as u64 };
/// Probes that failed.
pub(crate) const FAILURES: Count = Count { shift: 10, most: FAILURES_MAX as u64 };

impl Count {
    const fn of(self, word: u64) -> u64 {
        word >> self.shift & self.most
    }

    /// Counts one more of `generation` and returns how many there are now; `None` if a newer generation counts.
    pub(crate) fn add(self, progress: &AtomicU64, generation: u64, is_current: impl Fn() -> bool) -> Option<u32> {
        let counted = |before: u64| if self.of(before) < self.most { before + (1 << self.shift) } else { before };
        step(progress, generation, is_current, counted).map(|after| self.of(after) as u32)
    }
}

/// The number of the next call while ramping, from 1, modulo 65,536; `None` if a newer generation counts.
pub(crate) fn next_number(progress: &AtomicU64, generation: u64, is_current: impl Fn() -> bool) -> Option<u64> {
    step(progress, generation, is_current, |before| before & !TAG_MASK | (before + 1) & TAG_MASK)
        .map(|after| after & TAG_MASK)
}

/// The number that [`next_number`] would give.
pub(crate) fn number_after(progress: &AtomicU64, generation: u64) -> u64 {
    let seen = progress.load(Ordering::Acquire);
    if seen >> TAG_BITS == generation { (seen + 1) & TAG_MASK } else { 1 }
}

/// Changes the low bits of a word that carries a generation, and returns the new word. If the word is of another
/// generation, its low bits begin at 0.
fn step(
    progress: &AtomicU64,
    generation: u64,
    is_current: impl Fn() -> bool,
    change: impl Fn(u64) -> u64,
) -> Option<u64> {
    let mut seen = progress.load(Ordering::Acquire);
    loop {
        // As with a seat: a word of another generation may be replaced only if it was read while ours was current.
        if seen >> TAG_BITS != generation && !is_current() {
            return None;
        }
        let next = change(if seen >> TAG_BITS == generation { seen } else { generation << TAG_BITS });
        // AcqRel: a process that finds a count of another generation sees the fuse word that we saw.
        match progress.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(next),
            Err(now) => seen = now,
        }
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_tag_tells_leases_apart_and_is_never_an_unsigned_hints() {
        for lease in [0, u64::MAX, 0x0123_4567_89ab_cdef, lease_word(0x1_0002, 5_000_000)] {
            assert_eq!(0x8000, lease_tag(lease) & !0x7fff);
            // The highest of each sixteen bits is not in the tag.
            for bit in (0..64).filter(|bit| bit % 16 != 15) {
                assert_ne!(lease_tag(lease), lease_tag(lease ^ 1 << bit), "{lease:#x}, bit {bit}");
            }
        }
    }

    #[test]
    fn successes_and_failures_do_not_run_into_each_other() {
        let progress = AtomicU64::new(9 << TAG_BITS | 63 << 10 | 1_023);
        assert_eq!(
            (Some(1_023), Some(63)),
            (SUCCESSES.add(&progress, 9, || true), FAILURES.add(&progress, 9, || true))
        );
        assert_eq!((Some(1), Some(1)), (FAILURES.add(&progress, 10, || true), SUCCESSES.add(&progress, 10, || true)));
        assert_eq!(10 << TAG_BITS | 1 << 10 | 1, progress.load(Ordering::Relaxed));
    }

    #[test]
    fn numbers_of_calls_go_round_within_their_generation() {
        let progress = AtomicU64::new(9 << TAG_BITS | 65_534);
        assert_eq!([Some(65_535), Some(0), Some(1)], [(); 3].map(|()| next_number(&progress, 9, || true)));
        assert_eq!(9 << TAG_BITS | 1, progress.load(Ordering::Relaxed));
    }

    #[test]
    fn a_count_of_another_generation_is_replaced_only_while_ones_own_is_current() {
        let of = |generation: u64, count: u64| AtomicU64::new(generation << TAG_BITS | count);
        for (before, is_current, count, after) in [
            (of(8, 1), false, None, (8, 1)),
            (of(8, 1), true, Some(1), (9, 1)),
            (of(9, 1), false, Some(2), (9, 2)),
            (of(9, 1_023), true, Some(1_023), (9, 1_023)),
            (of(9, 63 << 10 | 7), true, Some(8), (9, 63 << 10 | 8)),
        ] {
            assert_eq!(count, SUCCESSES.add(&before, 9, || is_current));
            assert_eq!(after.0 << TAG_BITS | after.1, before.load(Ordering::Relaxed));
        }
    }
}
