//! The settings of breakers, once for each distinct set, so that a tool without a breaker can say "3 of 5".
//!
//! A fuse's cell holds the **settings hash** of the breaker that came last. Here stand the numbers of the [`Policy`]
//! with that hash ([`crate::sealed`], with the hash as the tag), in the first free place from one that the hash
//! chooses. Nobody removes a set. If all places are taken, a new set replaces one of them, and the replaced set comes
//! back with the next breaker that has it. Settings are not shared (rule R15): no decision reads them.

use crate::policy::Policy;
use crate::rate::RATE_WINDOWS;
use crate::rate::Rate;
use crate::sealed::Sealed;

/// Sets that a table has room for, a power of two.
pub const SETS: usize = 128;
const WORDS: usize = if cfg!(fuseboard_loom) { 2 } else { 31 };
const NUMBERS: usize = 14;
const IN_RATE: usize = 4;
const _: () =
    assert!(cfg!(fuseboard_loom) || NUMBERS + RATE_WINDOWS * IN_RATE <= WORDS, "a place has room for a policy");

/// A place for one set. Any bytes are a valid one.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct Set(Sealed<WORDS>);

/// The sets of a table. Free to copy.
#[derive(Clone, Copy)]
pub struct Sets<'a>(&'a [Set]);

impl<'a> Sets<'a> {
    /// These sets.
    ///
    /// # Panics
    /// If the number of sets is not a power of two.
    #[must_use]
    pub fn new(sets: &'a [Set]) -> Self {
        assert!(sets.len().is_power_of_two(), "{} sets", sets.len());
        Self(sets)
    }

    /// The sets, in the order in which this hash looks at them.
    fn sequence(self, settings_hash: u64) -> impl Iterator<Item = &'a Sealed<WORDS>> {
        let mask = self.0.len() - 1;
        (0..self.0.len()).map(move |step| &self.0[(settings_hash as usize).wrapping_add(step) & mask].0)
    }

    /// The settings of this settings hash, if they stand here.
    #[must_use]
    pub fn find(self, settings_hash: u64) -> Option<Policy> {
        self.sequence(settings_hash).find_map(|set| set.read(settings_hash)).map(|words| of_words(&words))
    }

    /// Notes the settings of this settings hash, unless they stand here. They may still not do so if others come at the
    /// same moment; the next breaker that has them notes them then.
    pub fn note(self, settings_hash: u64, policy: &Policy) {
        if self.find(settings_hash).is_some() {
            return;
        }
        let words = to_words(policy);
        let is_written = self.sequence(settings_hash).any(|set| set.write(0, settings_hash, &words));
        if !is_written && let Some(first) = self.sequence(settings_hash).next() {
            // Lost only to another set that replaces the same one.
            _ = first.write(first.seen(), settings_hash, &words);
        }
    }
}

fn to_words(policy: &Policy) -> [u64; WORDS] {
    let numbers: [u64; NUMBERS] = [
        policy.threshold.into(),
        policy.window_us,
        policy.reset_us,
        policy.multiplier_permille.into(),
        policy.longest_us,
        policy.jitter_ppm.into(),
        policy.probes.into(),
        policy.success_threshold.into(),
        policy.probe_failures.into(),
        policy.half_open_us,
        policy.ramp_us,
        policy.ramp_from_ppm.into(),
        policy.probe_us,
        policy.clear_on_success.into(),
    ];
    let rate = |rate: Rate| [rate.span, rate.bad_ppm.into(), rate.min_calls.into(), rate.slow_us];
    let rates = policy.rates.into_iter().flat_map(|found| found.map_or([0; IN_RATE], rate));
    let mut words = [0; WORDS];
    words.iter_mut().zip(numbers.into_iter().chain(rates)).for_each(|(word, number)| *word = number);
    words
}

/// Any words are a policy: numbers out of range are brought into it.
fn of_words(words: &[u64; WORDS]) -> Policy {
    let word = |at: usize| words.get(at).copied().unwrap_or(0);
    let small = |at: usize| u32::try_from(word(at)).unwrap_or(u32::MAX);
    let rate = |which: usize| {
        let at = NUMBERS + which * IN_RATE;
        let rate = Rate { span: word(at), bad_ppm: small(at + 1), min_calls: small(at + 2), slow_us: word(at + 3) };
        (rate.span > 0).then_some(rate)
    };
    let policy = Policy {
        threshold: small(0),
        window_us: word(1),
        reset_us: word(2),
        multiplier_permille: small(3),
        longest_us: word(4),
        jitter_ppm: small(5),
        probes: small(6),
        success_threshold: small(7),
        probe_failures: small(8),
        half_open_us: word(9),
        ramp_us: word(10),
        ramp_from_ppm: small(11),
        probe_us: word(12),
        clear_on_success: word(13) != 0,
        rates: std::array::from_fn(rate),
    };
    policy.in_range(crate::word::LOG_MAX)
}

#[cfg(all(test, not(fuseboard_loom)))]
mod tests {
    use super::*;

    fn empty_sets() -> [Set; 16] {
        std::array::from_fn(|_| Set::default())
    }

    fn policy(threshold: u32) -> Policy {
        Policy { threshold, ..Policy::DEFAULT }
    }

    #[test]
    fn settings_are_found_by_their_hash_as_they_were_noted() {
        let rate = Rate { span: 7, bad_ppm: 500_000, min_calls: 9, slow_us: 11 };
        let all = Policy {
            threshold: 3,
            window_us: u64::MAX,
            reset_us: 5,
            multiplier_permille: 1_500,
            longest_us: 6,
            jitter_ppm: 7,
            probes: 2,
            success_threshold: 8,
            probe_failures: 9,
            half_open_us: 10,
            ramp_us: 11,
            ramp_from_ppm: 12,
            probe_us: 13,
            clear_on_success: false,
            rates: [Some(rate), None, Some(Rate { span: 8, ..rate }), None],
        };
        let stored = empty_sets();
        let sets = Sets::new(&stored);
        assert_eq!(None, sets.find(7));
        sets.note(7, &all);
        sets.note(u64::MAX, &Policy::DEFAULT);
        assert_eq!(
            [Some(all), Some(Policy::DEFAULT), None],
            [7, u64::MAX, 8].map(|settings_hash| sets.find(settings_hash))
        );
    }

    /// Sets that begin at one place stand side by side; one too many replaces the first, which comes back in the same
    /// way.
    #[test]
    fn a_set_that_finds_no_room_takes_the_place_of_another() {
        let stored = empty_sets();
        let sets = Sets::new(&stored);
        let hashes: Vec<u64> = (0..=16).map(|number| 16 * number + 3).collect();
        let known = || hashes.iter().map(|settings_hash| sets.find(*settings_hash).is_some()).collect::<Vec<_>>();
        for settings_hash in &hashes {
            sets.note(*settings_hash, &policy(*settings_hash as u32));
        }
        assert_eq!([vec![false], vec![true; 16]].concat(), known());
        sets.note(hashes[0], &policy(3));
        assert_eq!((Some(policy(3)), 16), (sets.find(3), known().into_iter().filter(|is_known| *is_known).count()));
    }

    /// One that a killed process left half is completed where it stands, not put beside it.
    #[test]
    fn a_half_written_set_takes_one_place() {
        let stored = empty_sets();
        let sets = Sets::new(&stored);
        sets.note(5, &policy(4));
        stored[5].0.raw().nth(1).expect("a word").store(0, crate::sync::Ordering::Relaxed);
        sets.note(5, &policy(4));
        let taken = stored.iter().filter(|set| set.0.seen() != 0).count();
        assert_eq!((Some(policy(4)), 1), (sets.find(5), taken));
    }

    /// T10: what was damaged is nothing, and the next breaker brings it back.
    #[test]
    fn damaged_settings_are_none_until_a_breaker_comes() {
        for word in 0..=WORDS {
            let stored = empty_sets();
            let sets = Sets::new(&stored);
            sets.note(5, &policy(4));
            stored[5].0.raw().nth(word).expect("a word").fetch_add(1, crate::sync::Ordering::Relaxed);
            assert_eq!(None, sets.find(5), "word {word}");
            sets.note(5, &policy(4));
            assert_eq!(Some(policy(4)), sets.find(5), "word {word}");
        }
        _ = of_words(&[u64::MAX; WORDS]);
    }
}
