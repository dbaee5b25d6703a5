//! Texts in the table: modules that come to a fuse at once, operators, and settings.

use std::sync::Arc;

use crate::common::{job, model, race};
use fuseboard_core::directory::Key;
use fuseboard_core::maker::{Maker, Module};
use fuseboard_core::overrides::{Override, OverrideNote, OverrideNotes};
use fuseboard_core::policy::Policy;
use fuseboard_core::settings::{Set, Sets};
use fuseboard_core::state::State;

/// Two modules leave the name of one of them whole, or nothing; and whoever comes next finds or makes a whole one.
#[test]
fn two_writers_at_once_leave_one_text_or_none() {
    model(|| {
        let (maker, owner) = (Arc::new(Maker::new()), Key::new().owner());
        let [one, other] = ["shop", "a.longer.name"].map(Module::new);
        let note = |module: Module| job(move |maker: &Maker| maker.note(owner, &module));
        let [told_one, told_other] = race(&maker, [note(one), note(other)]);
        assert!(told_one.is_none_or(|told| told == other) && told_other.is_none_or(|told| told == one));
        assert!(maker.read(owner).is_none_or(|read| read == one || read == other), "a mixture");
        let told = maker.note(owner, &one);
        assert_eq!(Some(told.unwrap_or(one)), maker.read(owner));
    });
}

/// Workers of one service, which begin at once, are one module: it stands there, and none of them is told of another.
#[test]
fn writers_of_one_text_are_told_nothing() {
    model(|| {
        let (maker, owner) = (Arc::new(Maker::new()), Key::new().owner());
        let module = Module::new("a.longer.name");
        let note = || job(move |maker: &Maker| maker.note(owner, &module));
        assert_eq!([None; 2], race(&maker, [note(), note()]));
        assert_eq!(Some(module), maker.read(owner));
    });
}

/// Of two operators at once each finds his own words, or the other's, or none: never a mixture, and never another override's.
#[test]
fn what_was_said_is_of_its_override() {
    model(|| {
        let places = Arc::new([OverrideNote::default()]);
        let order = |who: &'static str, why| Override { who, why, ..Override::new(State::Isolated) };
        let note = |generation, who, why| {
            job(move |places: &[OverrideNote; 1]| {
                OverrideNotes::new(places, 0).note(generation, &order(who, why), || true)
            })
        };
        race(&places, [note(7, "alice", "drill"), note(8, "bob", "fire")]);
        let said = OverrideNotes::new(&*places, 0);
        let words = |texts: [&str; 2]| texts.map(|text| Some(text.to_owned()));
        assert!([[None, None], words(["alice", "drill"])].contains(&said.read(7)));
        assert!([[None, None], words(["bob", "fire"])].contains(&said.read(8)));
    });
}

/// Two sets that want one place: each is found as it was noted, or not at all; and the next breaker that has it notes it.
#[test]
fn settings_are_found_whole_or_not_at_all() {
    model(|| {
        let sets = Arc::new([Set::default()]);
        let policy = |threshold| Policy { threshold, ..Policy::DEFAULT };
        let note = |settings_hash: u64| {
            job(move |sets: &[Set; 1]| Sets::new(sets).note(settings_hash, &policy(settings_hash as u32)))
        };
        race(&sets, [note(3), note(4)]);
        let sets = Sets::new(&*sets);
        for settings_hash in [3, 4] {
            assert!(sets.find(settings_hash).is_none_or(|found| found.threshold == settings_hash as u32));
            sets.note(settings_hash, &policy(settings_hash as u32));
            assert_eq!(Some(settings_hash as u32), sets.find(settings_hash).map(|found| found.threshold));
        }
    });
}
