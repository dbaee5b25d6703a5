//! What lies in files: buckets, their tags and their places, which processes of two builds must agree on.

use super::*;

const RATE: Rate = Rate { span: 28, bad_ppm: 500_000, min_calls: 1, slow_us: 1 };

fn counted(measure: Measure, generation: u64, bad: bool, at: u64, meter: &Meter) {
    meter.count((measure, RATE), generation, bad, || at, || at, || true);
}

fn words(meter: &Meter) -> Vec<(usize, u64)> {
    let words = meter.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
    words.enumerate().filter(|(_, word)| *word != 0).collect()
}

#[test]
fn the_words_of_buckets_are_fixed() {
    let meter = Meter::new();
    counted(Measure::FailuresInTime, 1_000_003, true, 0x1234_5678_9abc, &meter);
    counted(Measure::FailuresInTime, 1_000_003, false, 0x1234_5678_9abd, &meter);
    counted(Measure::SlowOfCalls, 77, false, 0, &meter);
    assert_eq!(vec![(0, 0xf8b3_3540_0004_0000), (9, 0x3113_2080_0008_0001)], words(&meter));
}

/// A new stretch begins only while the lap and the generation last; one that is there goes on.
#[test]
fn a_bucket_begins_only_in_time() {
    let meter = Meter::new();
    let count = |now: u64, is_current| {
        meter.count((Measure::FailuresInTime, RATE), 7, true, || 1_000, || now, || is_current);
        words(&meter).len()
    };
    assert_eq!([0, 0, 1, 1], [count(1_000, false), count(1_030, true), count(1_029, true), count(1_000, false)]);
    assert_eq!(2, meter.tally(Measure::FailuresInTime, RATE, 7, || 1_000).bad);
}

#[test]
fn a_span_touches_no_more_buckets_than_there_are() {
    let shifts = [(1, 0), (14, 0), (15, 1), (28, 1), (29, 2), (56, 2), (57, 3)];
    assert_eq!(shifts, shifts.map(|(span, _)| (span, shift_of(span))));
}

/// A stretch is in the ring for as long as no other one has its place.
#[test]
fn a_lap_is_fifteen_stretches() {
    let stretch = Stretch::of(7, RATE, 2 * 100);
    assert_eq!([true, true, false], [200, 229, 230].map(|position| stretch.is_in_the_ring(position)));
    assert!(stretch.is_in_the_ring(0), "a clock that is behind");
}

/// A full bucket is halved, bad calls too; damage that says more were bad than there were is believed as far as it can be.
#[test]
fn a_full_bucket_keeps_its_rate() {
    let full = Bucket::new(5, COUNT_MASK, COUNT_MASK / 2);
    assert_eq!((5, (COUNT_MASK >> 1) + 1, (COUNT_MASK >> 2) + 1), {
        let next = full.counted(true);
        (next.tag(), next.calls(), next.bad())
    });
    assert_eq!(COUNT_MASK, Bucket::new(5, COUNT_MASK - 1, 1).counted(false).calls());
    assert_eq!((3, 4), (Bucket::new(5, 3, 9).bad(), Bucket::new(5, 3, 9).counted(true).bad()));
}

/// Numbers of calls begin anew only where damage took them beyond half of what there is.
#[test]
fn mending_takes_numbers_back_that_are_near_their_end() {
    for (before, after) in [(5, 5), (u64::MAX >> 1, u64::MAX >> 1), ((u64::MAX >> 1) + 1, 0)] {
        let meter = Meter::new();
        meter.calls.store(before, Ordering::Relaxed);
        meter.mend();
        assert_eq!(after, meter.calls.load(Ordering::Relaxed));
    }
}
