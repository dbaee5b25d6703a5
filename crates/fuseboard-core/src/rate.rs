//! Rate windows: how many of the latest calls were bad.
//!
//! **Words.** The **span** of a rate is how far it looks back: microseconds, or calls. A [`RateWindow`] is a ring of
//! bucket words. A **bucket** is a part of the span: `2^shift` microseconds, or `2^shift` calls. Its word holds how
//! many calls fell into it (18 bits), how many of them were bad (18 bits), and a tag (28 bits): a hash of the bucket's
//! number and of the fuse's generation. The shift follows from the span alone. So processes with the same settings, or
//! nearly the same, count into the same buckets, and processes with other settings do not see those counts (rule R15).
//!
//! **Nothing is wiped.** A word with another tag belongs to another bucket or another generation, and counts as empty.
//! So a new generation begins at zero, and so does the first call after an hour without calls. Only if 28 bits of two
//! tags agree by chance does an old word count.
//!
//! **What counts** is every bucket that the span touches. So a call counts for the span, and for up to a seventh
//! longer.
//!
//! **Over a time**, the clock says into which bucket a call falls. A bad call counts itself first and sums up
//! afterwards, when it sees the counts of bad calls that end with it (see [`crate::fuse`]).
//!
//! **Over calls**, a call falls into the *newest* bucket, or into the next one if that is full. One swap says which
//! call it is and counts it, so the calls have one order. A bad call sums up what is before it and then swaps. The
//! buckets before the newest one are full, and stay as they are until the newest is full too. So if the swap succeeds,
//! the sum was that of exactly this call and those before it. The call that reaches a rate sees that it does, whatever
//! ends beside it.
//!
//! **The race that must not happen.** A writer that is stopped before its swap for a whole lap of the ring would put an
//! old bucket in the place of a current one. So a word with another tag is replaced only if the lap is not over and the
//! generation has not ended, and this is checked *after* the word was read: the writer of a later word had seen a later
//! fuse word, clock or newest bucket.

use crate::sync::{AtomicU64, Ordering};
use crate::time::HORIZON_US;

/// Rate windows of one fuse: one for each [`RateKind`].
pub const RATE_WINDOWS: usize = 4;
/// Buckets of a rate window.
const BUCKETS: usize = 15;
const COUNT_BITS: u32 = 18;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const TAG_SHIFT: u32 = 2 * COUNT_BITS;

/// What a rate counts. The codes are positions in the file: never renumber them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum RateKind {
    /// Failed calls, of those that ended within a time.
    FailuresInTime = 0,
    /// Failed calls, of the last so many.
    FailuresOfCalls = 1,
    /// Slow calls, of those that ended within a time.
    SlowInTime = 2,
    /// Slow calls, of the last so many.
    SlowOfCalls = 3,
}

impl RateKind {
    /// All of them, by their codes.
    pub const ALL: [Self; RATE_WINDOWS] =
        [Self::FailuresInTime, Self::FailuresOfCalls, Self::SlowInTime, Self::SlowOfCalls];

    /// Whether its buckets hold a number of calls, and not a time.
    pub(crate) const fn is_of_calls(self) -> bool {
        matches!(self, Self::FailuresOfCalls | Self::SlowOfCalls)
    }

    /// Whether slow calls are the bad ones, and not failed calls.
    pub(crate) const fn is_of_slow(self) -> bool {
        matches!(self, Self::SlowInTime | Self::SlowOfCalls)
    }
}

/// One million: what a share is a part of.
pub(crate) const MILLION: u32 = 1_000_000;

/// When too many of the latest calls are bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Which calls count: those of so many microseconds, or the last so many; at least 1.
    pub span: u64,
    /// How many of a million must be bad; 1 to 1,000,000.
    pub bad_ppm: u32,
    /// How many calls there must be before the rate means anything; at least 1.
    pub min_calls: u32,
    /// From how many microseconds on a call is slow, if slow calls are the bad ones.
    pub slow_us: u64,
}

impl Rate {
    pub(crate) fn in_range(self) -> Self {
        Self {
            span: self.span.clamp(1, HORIZON_US),
            bad_ppm: self.bad_ppm.clamp(1, MILLION),
            min_calls: self.min_calls.max(1),
            slow_us: self.slow_us,
        }
    }

    /// Whether this count reaches the rate.
    pub(crate) fn is_reached(self, count: RateCount) -> bool {
        let (bad, calls) = (u64::from(count.bad), u64::from(count.calls));
        count.calls >= self.min_calls && bad * u64::from(MILLION) >= u64::from(self.bad_ppm) * calls
    }
}

/// The calls that a span touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateCount {
    /// How many ended.
    pub calls: u32,
    /// How many of them were bad.
    pub bad: u32,
}

impl RateCount {
    const fn with(self, bucket: BucketWord) -> Self {
        Self { calls: self.calls + bucket.calls() as u32, bad: self.bad + bucket.bad() as u32 }
    }
}

/// The buckets of one rate of one fuse. Any bytes are a valid rate window; zeroes are an empty one.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct RateWindow {
    /// For a rate over calls: the number of the bucket into which calls fall.
    newest: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

/// What stands in the ring for a bucket. Any 64 bits are a valid one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct BucketWord(u64);

impl BucketWord {
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
        // Damage may say that there were more bad calls than calls.
        let bad = self.0 & COUNT_MASK;
        if bad < self.calls() { bad } else { self.calls() }
    }

    /// The word with one more call. A full one is halved, which keeps its rate.
    const fn counted(self, bad: bool) -> Self {
        let halve = (self.calls() == COUNT_MASK) as u32;
        Self::new(self.tag(), (self.calls() >> halve) + 1, (self.bad() >> halve) + bad as u64)
    }
}

/// A bucket of a generation: where a call falls.
#[derive(Clone, Copy)]
struct Bucket {
    generation: u64,
    shift: u32,
    number: u64,
}

impl Bucket {
    fn of(generation: u64, rate: Rate, at_us: u64) -> Self {
        let shift = shift_of(rate.span);
        Self { generation, shift, number: at_us >> shift }
    }

    /// The tag of a bucket of this generation and length (the multipliers are those of SplitMix64).
    const fn tag(self, number: u64) -> u64 {
        let mixed = (self.generation ^ (number << 6 | self.shift as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 31).wrapping_mul(0x94d0_49bb_1331_11eb) >> TAG_SHIFT
    }

    /// Whether the ring still has room for this bucket: no later bucket can have taken its place yet.
    const fn is_in_the_ring(self, now_us: u64) -> bool {
        (now_us >> self.shift).saturating_sub(self.number) < BUCKETS as u64
    }

    /// How long it is: microseconds, or calls.
    const fn len(self) -> u64 {
        1 << self.shift
    }
}

/// The logarithm of the length of a bucket: the smallest for which the span fits into the ring. A span as long as 14
/// buckets touches 15.
const fn shift_of(span: u64) -> u32 {
    span.div_ceil((BUCKETS - 1) as u64).next_power_of_two().trailing_zeros()
}

impl RateWindow {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self { newest: zero(), buckets: std::array::from_fn(|_| zero()) }
    }

    /// Counts a call that ended in this generation at this time, unless `is_current` says that the generation is over.
    pub(crate) fn count(
        &self,
        rate: Rate,
        generation: u64,
        bad: bool,
        ended_us: u64,
        now_us: impl Fn() -> u64,
        is_current: impl Fn() -> bool,
    ) {
        let bucket = Bucket::of(generation, rate, ended_us);
        self.add(bucket, bad, || bucket.is_in_the_ring(now_us()) && is_current());
    }

    /// Counts a call of this generation as the next one. For a bad call, what the rate's span holds up to this call.
    /// `None`, and nothing is counted, if `is_current` says that the generation is over.
    pub(crate) fn add_next(
        &self,
        rate: Rate,
        generation: u64,
        bad: bool,
        is_current: impl Fn() -> bool,
    ) -> Option<RateCount> {
        loop {
            let bucket = self.newest(rate, generation);
            let (place, tag) = (self.place(bucket.number), bucket.tag(bucket.number));
            let seen = BucketWord(place.load(Ordering::Acquire));
            let is_there = seen.tag() == tag;
            if is_there && seen.calls() >= bucket.len() {
                let next = bucket.number.wrapping_add(1);
                // AcqRel: publishes the full bucket. Fails only if somebody has done the same.
                _ = self.newest.compare_exchange(bucket.number, next, Ordering::AcqRel, Ordering::Relaxed);
                continue;
            }
            if !is_there && self.newest.load(Ordering::Acquire) != bucket.number {
                continue;
            }
            if !is_there && !is_current() {
                return None;
            }
            let next = if is_there { seen.counted(bad) } else { BucketWord::new(tag, 1, bad.into()) };
            // Before the swap: see the top of this file.
            let count = if bad { self.sum(bucket, next, rate.span) } else { RateCount::default() };
            if self.swap(place, seen, next).is_ok() {
                return Some(count);
            }
        }
    }

    /// Starts again at bucket 0 if damage took the numbers so far that they would overflow.
    pub(crate) fn mend(&self) {
        let newest = self.newest.load(Ordering::Acquire);
        if newest > u64::MAX >> 1 {
            _ = self.newest.compare_exchange(newest, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    fn add(&self, bucket: Bucket, bad: bool, may_begin: impl Fn() -> bool) {
        let (place, tag) = (self.place(bucket.number), bucket.tag(bucket.number));
        // Acquire: if the word is of a later bucket, we see the fuse word that its writer had seen.
        let mut seen = BucketWord(place.load(Ordering::Acquire));
        loop {
            if seen.tag() != tag {
                if !may_begin() {
                    return;
                }
                seen = match self.swap(place, seen, BucketWord::new(tag, 1, bad.into())) {
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

    #[allow(clippy::unused_self, reason = "only a place of this window may be swapped")]
    fn swap(&self, place: &AtomicU64, seen: BucketWord, next: BucketWord) -> Result<(), BucketWord> {
        place.compare_exchange(seen.0, next.0, Ordering::AcqRel, Ordering::Acquire).map(|_| ()).map_err(BucketWord)
    }

    /// What the rate's span holds of this generation.
    pub(crate) fn rate_count(
        &self,
        kind: RateKind,
        rate: Rate,
        generation: u64,
        now_us: impl Fn() -> u64,
    ) -> RateCount {
        if kind.is_of_calls() {
            let newest = self.newest(rate, generation);
            return self.sum(newest, self.bucket(newest, newest.number).unwrap_or(BucketWord(0)), rate.span);
        }
        let now_us = now_us();
        let newest = Bucket::of(generation, rate, now_us);
        let oldest = now_us.saturating_sub(rate.span) >> newest.shift;
        (oldest..=newest.number)
            .filter_map(|number| self.bucket(newest, number))
            .fold(RateCount::default(), RateCount::with)
    }

    /// The calls of the newest bucket, whose word is given, and of as many buckets before it as the span touches.
    fn sum(&self, newest: Bucket, bucket: BucketWord, span: u64) -> RateCount {
        let before = span.saturating_sub(bucket.calls()).div_ceil(newest.len()).min(BUCKETS as u64 - 1);
        let numbers = newest.number.saturating_sub(before)..newest.number;
        numbers
            .filter_map(|number| self.bucket(newest, number))
            .fold(RateCount::default().with(bucket), RateCount::with)
    }

    fn newest(&self, rate: Rate, generation: u64) -> Bucket {
        Bucket { generation, shift: shift_of(rate.span), number: self.newest.load(Ordering::Acquire) }
    }

    /// The word of a bucket of the same generation and length as `of`, if it stands in the ring.
    fn bucket(&self, of: Bucket, number: u64) -> Option<BucketWord> {
        let found = BucketWord(self.place(number).load(Ordering::Acquire));
        (found.tag() == of.tag(number)).then_some(found)
    }

    fn place(&self, number: u64) -> &AtomicU64 {
        &self.buckets[(number % BUCKETS as u64) as usize]
    }
}

impl Default for RateWindow {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests;
