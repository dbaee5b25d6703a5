//! What lies in files: buckets, their tags and their places, which processes of two builds must agree on.

use super::*;

const RATE: Rate = Rate { span: 28, bad_ppm: 500_000, min_calls: 1, slow_us: 1 };

fn counted(generation: u64, bad: bool, at: u64, window: &RateWindow) {
    window.count(RATE, generation, bad, at, || at, || true);
}

fn words(window: &RateWindow) -> Vec<(usize, u64)> {
    let words = window.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
    words.enumerate().filter(|(_, word)| *word != 0).collect()
}

#[test]
fn the_words_of_buckets_are_fixed() {
    let window = RateWindow::new();
    counted(1_000_003, true, 0x1234_5678_9abc, &window);
    counted(1_000_003, false, 0x1234_5678_9abd, &window);
    assert_eq!(Some(RateCount::default()), window.add_next(RATE, 77, false, || true));
    assert_eq!(vec![(0, 0xf8b3_3540_0004_0000), (9, 0x3113_2080_0008_0001)], words(&window));
}

/// A new bucket begins only while the lap and the generation last; one that is there goes on.
#[test]
fn a_bucket_begins_only_in_time() {
    let window = RateWindow::new();
    let count = |now: u64, is_current| {
        window.count(RATE, 7, true, 1_000, || now, || is_current);
        words(&window).len()
    };
    assert_eq!([0, 0, 1, 1], [count(1_000, false), count(1_030, true), count(1_029, true), count(1_000, false)]);
    assert_eq!(2, window.rate_count(RateKind::FailuresInTime, RATE, 7, || 1_000).bad);
}

#[test]
fn a_span_touches_no_more_buckets_than_there_are() {
    let shifts = [(1, 0), (14, 0), (15, 1), (28, 1), (29, 2), (56, 2), (57, 3)];
    assert_eq!(shifts, shifts.map(|(span, _)| (span, shift_of(span))));
}

/// A bucket is in the ring for as long as no other one has its place.
#[test]
fn a_lap_is_fifteen_buckets() {
    let bucket = Bucket::of(7, RATE, 2 * 100);
    assert_eq!([true, true, false], [200, 229, 230].map(|position| bucket.is_in_the_ring(position)));
    assert!(bucket.is_in_the_ring(0), "a clock that is behind");
}

/// A full bucket is halved, bad calls too; damage that says more were bad than there were is believed as far as it can
/// be.
#[test]
fn a_full_bucket_keeps_its_rate() {
    let full = BucketWord::new(5, COUNT_MASK, COUNT_MASK / 2);
    assert_eq!((5, (COUNT_MASK >> 1) + 1, (COUNT_MASK >> 2) + 1), {
        let next = full.counted(true);
        (next.tag(), next.calls(), next.bad())
    });
    assert_eq!(COUNT_MASK, BucketWord::new(5, COUNT_MASK - 1, 1).counted(false).calls());
    assert_eq!((3, 4), (BucketWord::new(5, 3, 9).bad(), BucketWord::new(5, 3, 9).counted(true).bad()));
}

/// Calls fill one bucket after the other, each of as many; a bad one is told of those before it, and of itself.
#[test]
fn calls_fill_one_bucket_after_the_other() {
    let window = RateWindow::new();
    let next = |bad| window.add_next(RATE, 7, bad, || true);
    assert_eq!(Some(RateCount { calls: 1, bad: 1 }), next(true));
    assert_eq!(Some(RateCount { calls: 2, bad: 2 }), next(true));
    assert_eq!([Some(RateCount::default()); 3], [next(false), next(false), next(false)]);
    assert_eq!(Some(RateCount { calls: 6, bad: 3 }), next(true));
    assert_eq!((2, 3), (window.newest.load(Ordering::Relaxed), words(&window).len()));
    for _ in 6..28 {
        next(false);
    }
    assert_eq!(
        Some(RateCount { calls: 29, bad: 4 }),
        next(true),
        "a bucket has two, of which one is older than the span"
    );
    assert_eq!(Some(RateCount { calls: 28, bad: 3 }), next(true), "the first bucket is over");
    assert_eq!(RateCount { calls: 28, bad: 3 }, window.rate_count(RateKind::FailuresOfCalls, RATE, 7, || 0));
    assert_eq!(RateCount::default(), window.rate_count(RateKind::FailuresOfCalls, RATE, 8, || 0), "another generation");
}

/// A bucket begins only while the generation lasts; one that is there goes on.
#[test]
fn no_call_begins_a_bucket_of_a_generation_that_is_over() {
    let window = RateWindow::new();
    assert_eq!(None, window.add_next(RATE, 7, true, || false));
    assert_eq!(Some(RateCount { calls: 1, bad: 1 }), window.add_next(RATE, 7, true, || true));
    assert_eq!(Some(RateCount { calls: 2, bad: 2 }), window.add_next(RATE, 7, true, || false));
    assert_eq!(None, window.add_next(RATE, 7, true, || false));
}

/// No number of a bucket, however damaged, makes a sum longer than the ring.
#[test]
fn damaged_numbers_of_buckets_make_no_long_sums() {
    for newest in [u64::MAX, u64::MAX - 1, 1 << 63, 3] {
        let window = RateWindow::new();
        window.newest.store(newest, Ordering::Relaxed);
        let long = Rate { span: 100_000, ..RATE };
        assert_eq!(Some(RateCount { calls: 1, bad: 1 }), window.add_next(long, 7, true, || true));
        assert_eq!(RateCount { calls: 1, bad: 1 }, window.rate_count(RateKind::FailuresOfCalls, long, 7, || 0));
    }
}

/// Numbers of buckets begin anew only where damage took them beyond half of what there is.
#[test]
fn mending_takes_numbers_back_that_are_near_their_end() {
    for (before, after) in [(5, 5), (u64::MAX >> 1, u64::MAX >> 1), ((u64::MAX >> 1) + 1, 0)] {
        let window = RateWindow::new();
        window.newest.store(before, Ordering::Relaxed);
        window.mend();
        assert_eq!(after, window.newest.load(Ordering::Relaxed));
    }
}
