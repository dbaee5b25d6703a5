//! Breakers of several modules that come to a fuse at once.

use std::sync::Arc;

use crate::common::{job, model, race};
use fuseboard_core::directory::Key;
use fuseboard_core::maker::{Maker, Module};

/// Two modules leave the name of one of them whole, or nothing; and whoever comes next finds or makes a whole one.
#[test]
fn two_modules_at_once_leave_one_name_or_none() {
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
fn workers_of_one_module_are_told_nothing() {
    model(|| {
        let (maker, owner) = (Arc::new(Maker::new()), Key::new().owner());
        let module = Module::new("a.longer.name");
        let note = || job(move |maker: &Maker| maker.note(owner, &module));
        assert_eq!([None; 2], race(&maker, [note(), note()]));
        assert_eq!(Some(module), maker.read(owner));
    });
}
