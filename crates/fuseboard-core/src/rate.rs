//! Rate windows: how many of the latest calls were bad.
//!
//! **Words.** A [`Meter`] is a ring of *buckets*. A bucket is one word: how many calls ended (18 bits), how many of them
//! were bad (18 bits), and a tag (28 bits) of the *stretch* they ended in and of the fuse's generation. A stretch is `2^shift`
//! *positions*: microseconds of the clock, or numbers of calls. The shift follows from the span alone, so that processes
//! with the same settings, or nearly the same, count into the same buckets; those with others see nothing (rule R15).
//!
//! **Nothing is wiped.** A bucket of another stretch or generation has another tag and holds nothing for whoever reads it:
//! a new generation begins at zero, and so does an hour in which nobody called. Only where 28 bits of two tags agree by
//! chance does one bucket of an older time count.
//!
//! **What is counted** is every bucket that the span touches. So a call counts for the span, and for up to a seventh longer.
//!
//! **The race that must be shut out.** A writer that is stopped before its swap for a whole lap of the ring would put an
//! old stretch in the place of a current one. So a bucket of another tag is replaced only if the lap is not over and the
//! generation not ended *behind* the look at it: whoever wrote a later one had seen a later word or clock.

use crate::policy::Rate;
use crate::sync::{AtomicU64, Ordering};

/// Meters of one fuse: one for each [`Measure`].
pub const METERS: usize = 4;
/// Buckets of a meter.
const BUCKETS: usize = 15;
const COUNT_BITS: u32 = 18;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const TAG_SHIFT: u32 = 2 * COUNT_BITS;

/// What a meter measures. The codes are positions in the file: never renumber them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Measure {
    /// Failed calls of those that ended within a time.
    FailuresInTime = 0,
    /// Failed calls of the last so many.
    FailuresOfCalls = 1,
    /// Slow calls of those that ended within a time.
    SlowInTime = 2,
    /// Slow calls of the last so many.
    SlowOfCalls = 3,
}

impl Measure {
    /// All of them, by their codes.
    pub const ALL: [Self; METERS] = [Self::FailuresInTime, Self::FailuresOfCalls, Self::SlowInTime, Self::SlowOfCalls];

    /// Whether positions are numbers of calls.
    pub(crate) const fn is_of_calls(self) -> bool {
        matches!(self, Self::FailuresOfCalls | Self::SlowOfCalls)
    }

    /// Whether slow calls are bad, and not failed ones.
    pub(crate) const fn is_of_slow(self) -> bool {
        matches!(self, Self::SlowInTime | Self::SlowOfCalls)
    }
}

/// The calls that a span touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many ended.
    pub calls: u32,
    /// How many of them were bad.
    pub bad: u32,
}

/// Buckets of one measure of one fuse. Any bytes are a valid meter; zeroes are one that has counted nothing.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Meter {
    /// Numbers of calls that were given out.
    calls: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

/// One bucket: any 64 bits are a valid one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Bucket(u64);

impl Bucket {
    const fn new(tag: u64, calls: u64, bad: u64) -> Self {
        Self(tag << TAG_SHIFT | calls << COUNT_BITS | bad)
    }

    const fn tag(self) -> u64 {
        self.0 >> TAG_SHIFT
    }

    const fn calls(self) -> u64 {
        self.0 >> COUNT_BITS & COUNT_MASK
    }

    const fn bad(self) -> u64 {
        // Damage may say that more were bad than there were.
        let bad = self.0 & COUNT_MASK;
        if bad < self.calls() { bad } else { self.calls() }
    }

    /// The bucket with one more call. A full one is halved, which keeps its rate.
    const fn counted(self, bad: bool) -> Self {
        let halve = (self.calls() == COUNT_MASK) as u32;
        Self::new(self.tag(), (self.calls() >> halve) + 1, (self.bad() >> halve) + bad as u64)
    }
}

/// Where a call falls: its generation and its stretch.
#[derive(Clone, Copy)]
struct Stretch {
    generation: u64,
    shift: u32,
    number: u64,
}

impl Stretch {
    fn of(generation: u64, rate: Rate, position: u64) -> Self {
        let shift = shift_of(rate.span);
        Self { generation, shift, number: position >> shift }
    }

    /// A hash that tells stretches and generations apart (the multipliers are those of SplitMix64).
    const fn tag(self, number: u64) -> u64 {
        let mixed = (self.generation ^ (number << 6 | self.shift as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 31).wrapping_mul(0x94d0_49bb_1331_11eb) >> TAG_SHIFT
    }

    /// Whether a lap has not passed since, now that the position is this.
    const fn is_in_the_ring(self, position: u64) -> bool {
        (position >> self.shift).saturating_sub(self.number) < BUCKETS as u64
    }
}

/// The smallest stretch of which a span touches no more than the ring has buckets: one more than it is long.
const fn shift_of(span: u64) -> u32 {
    span.div_ceil((BUCKETS - 1) as u64).next_power_of_two().trailing_zeros()
}

impl Meter {
    /// A meter that has counted nothing.
    #[must_use]
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { calls: zero(), buckets: std::array::from_fn(|_| zero()) }
    }

    /// Counts a call that ended in this generation and at this time; not at all if `is_current` says that it is over by now.
    pub(crate) fn count(
        &self,
        (measure, rate): (Measure, Rate),
        generation: u64,
        bad: bool,
        ended_us: impl Fn() -> u64,
        now_us: impl Fn() -> u64,
        is_current: impl Fn() -> bool,
    ) {
        let position = if measure.is_of_calls() { self.calls.fetch_add(1, Ordering::AcqRel) } else { ended_us() };
        let stretch = Stretch::of(generation, rate, position);
        let may_begin = || stretch.is_in_the_ring(self.position(measure, &now_us)) && is_current();
        self.add(stretch, bad, may_begin);
    }

    /// Begins anew with the numbers of calls where damage took them so far that they would run over their end.
    pub(crate) fn mend(&self) {
        let calls = self.calls.load(Ordering::Acquire);
        if calls > u64::MAX >> 1 {
            _ = self.calls.compare_exchange(calls, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    fn add(&self, stretch: Stretch, bad: bool, may_begin: impl Fn() -> bool) {
        let (place, tag) = (self.place(stretch.number), stretch.tag(stretch.number));
        // Acquire: hands on the fuse word that the writer of a later bucket had seen.
        let mut seen = Bucket(place.load(Ordering::Acquire));
        loop {
            if seen.tag() != tag {
                if !may_begin() {
                    return;
                }
                seen = match self.swap(place, seen, Bucket::new(tag, 1, bad.into())) {
                    Ok(()) => return,
                    Err(now) => now,
                };
                continue;
            }
            match self.swap(place, seen, seen.counted(bad)) {
                Ok(()) => return,
                Err(now) => seen = now,
            }
        }
    }

    #[allow(clippy::unused_self, reason = "the place is the meter's")]
    fn swap(&self, place: &AtomicU64, seen: Bucket, next: Bucket) -> Result<(), Bucket> {
        place.compare_exchange(seen.0, next.0, Ordering::AcqRel, Ordering::Acquire).map(|_| ()).map_err(Bucket)
    }

    /// What the calls of this generation within the rate's span were.
    pub(crate) fn tally(&self, measure: Measure, rate: Rate, generation: u64, now_us: impl Fn() -> u64) -> Tally {
        let position = self.position(measure, &now_us);
        let newest = Stretch::of(generation, rate, position);
        // Of calls the position is that of the next one.
        let oldest = position.saturating_sub(rate.span) >> newest.shift;
        let mut tally = Tally::default();
        for number in oldest..=newest.number {
            let found = Bucket(self.place(number).load(Ordering::Acquire));
            if found.tag() == newest.tag(number) {
                tally.calls += found.calls() as u32;
                tally.bad += found.bad() as u32;
            }
        }
        tally
    }

    fn position(&self, measure: Measure, now_us: impl Fn() -> u64) -> u64 {
        if measure.is_of_calls() { self.calls.load(Ordering::Acquire) } else { now_us() }
    }

    fn place(&self, number: u64) -> &AtomicU64 {
        &self.buckets[(number % BUCKETS as u64) as usize]
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests;
