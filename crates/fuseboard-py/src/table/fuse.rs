//! `Fuse`: a name's slot in the table, with one breaker's numbers. `PermitInner`: the fuse's permit for one call, and how
//! the call ended.

use std::sync::atomic::Ordering;

use fuseboard_core::admission::{Admission, Rejection};
use fuseboard_core::fuse::{Effect, Permit as CorePermit};
use fuseboard_core::journal::About;
use fuseboard_core::overrides::Override;
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::RateKind;
use fuseboard_core::state::State;
use fuseboard_core::sync::AtomicU64;
use fuseboard_core::transition::Transition;
use fuseboard_core::word::Word;
use fuseboard_shm::handle::{Handle, Outcome, ProcessPermit};
use pyo3::prelude::*;

use crate::convert::errors::rejection_error;
use crate::convert::numbers::Numbers;
use crate::convert::rows::{Made, made_here};
use crate::convert::states::{state_member, state_of_code};
use crate::convert::values::FuseState;
use crate::interpreter::kept::lane;
use crate::interpreter::link::Link;
use crate::table::state_cache::last_or_new;
use crate::table::store::Store;

// What a closed call needs comes first, beside the object's count of references.
/// A fuse, with the numbers of one breaker's settings.
#[pyclass(frozen, module = "fuseboard._core")]
#[repr(C)]
pub struct Fuse {
    /// Whether the policy has rates. Kept here for the closed path, which must not look through the policy.
    has_rates: bool,
    handle: Handle,
    policy: Policy,
    /// The name, as the Python object that came in.
    name: Py<PyAny>,
    /// The `FuseState` that was made last: it is given again while the word is the same.
    read: Link<FuseState>,
}

#[pymethods]
impl Fuse {
    #[new]
    fn new(store: &Bound<'_, Store>, name: &Bound<'_, PyAny>, numbers: Numbers) -> PyResult<Self> {
        let handle = Store::slot(store, name)?.pin();
        let policy = numbers.policy().in_range(handle.log_len());
        let name = name.clone().unbind();
        Ok(Self { handle, policy, has_rates: policy.has_rates(), name, read: Link::default() })
    }

    /// Whether the fuse found no room in the store's table.
    #[getter]
    fn overflowed(&self) -> bool {
        self.handle.overflowed()
    }

    /// Whether the fuse was removed, so that its name has to be looked up again.
    #[getter]
    pub(crate) fn is_removed(&self) -> bool {
        !self.handle.is_mine()
    }

    /// The state, and when it began.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, FuseState>> {
        last_or_new(py, &self.read, FuseState::of_word(self.mine().unwrap_or(Word(0))))
    }

    fn _apply_override(&self, code: u8, for_us: u64, who: &str, why: &str) -> PyResult<Option<Made>> {
        let order = Override { state: state_of_code(code)?, for_us, who, why };
        let made = self.handle.apply_override(&order);
        Ok(made.map(|made| made_here(made, order.until_us(&made), order.about())))
    }

    /// How many calls ended within a rate's window, and how many of them were bad; None without such a rate.
    fn rate_count(&self, kind: usize) -> Option<(u32, u32)> {
        let kind = *RateKind::ALL.get(kind)?;
        let counted = self.handle.fuse().rate_count(&self.policy, kind, || self.handle.now_us())?;
        Some((counted.calls, counted.bad))
    }

    /// Notes that a breaker of this module makes calls. Returns the module that made the fuse, if it is another.
    fn note_maker(&self, module: &str) -> Option<String> {
        self.handle.note_maker(module)
    }

    /// Notes the settings that a breaker makes calls with. Returns the hash of those before, if they differ, else 0.
    ///
    /// For a breaker that may have come before (``again``) no change is counted, and 0 is returned.
    fn note_settings(&self, settings_hash: u64, again: bool) -> u64 {
        self.handle.note_settings(settings_hash, &self.policy, again).unwrap_or(0)
    }
}

impl Fuse {
    /// A rejection by this fuse as an exception of this class.
    pub(crate) fn rejected<'py>(
        &self,
        rejection: &Rejection,
        class: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        rejection_error(class, &self.name, state_member(class.py(), rejection.state)?, rejection)
    }

    /// What a call would be rejected with at this moment.
    pub(crate) fn would_reject(&self) -> Option<Rejection> {
        self.handle.would_admit(&self.policy).err()
    }

    #[inline(always)]
    pub(crate) fn word(&self) -> Word {
        self.handle.word()
    }

    /// The fuse word; `None` once the fuse was removed.
    #[inline(always)]
    pub(crate) fn mine(&self) -> Option<Word> {
        self.handle.mine()
    }

    #[inline(always)]
    pub(crate) fn expect_success(&self) {
        self.handle.expect_success(lane());
    }

    /// Whether a word that was just read says that a call passes at once.
    #[inline(always)]
    pub(crate) fn is_closed(&self, word: Word) -> bool {
        self.handle.is_closed(word)
    }

    /// Whether the store has another table, or is to look for one.
    pub(crate) fn has_moved(&self) -> bool {
        self.handle.has_moved()
    }

    /// Whether its name is to be looked up again now.
    pub(crate) fn is_to_be_looked_up(&self) -> bool {
        self.handle.is_to_be_looked_up()
    }

    pub(crate) fn admit(&self) -> Admission {
        self.handle.admit(&self.policy)
    }

    /// The time, for a call that begins now; 0 if it does not matter how long a call takes.
    #[inline(always)]
    pub(crate) fn began_us(&self) -> u64 {
        if self.has_rates { self.handle.began_us(&self.policy) } else { 0 }
    }

    /// Counts a success that changes nothing else, of a call that found the fuse closed; whether it was one. If not, the
    /// call is still to be settled.
    #[inline(always)]
    pub(crate) fn fast_success(&self, admitted: Word, began_us: u64) -> bool {
        if self.has_rates {
            self.handle.rated_success(&self.policy, admitted, began_us)
        } else {
            self.handle.fast_success(admitted, lane())
        }
    }
}

/// A permit, and the fuse that gave it.
pub(crate) struct PermitInner {
    fuse: Py<Fuse>,
    permit: ProcessPermit,
    /// When the call's clock was stopped, in microseconds; 0 while it runs.
    stopped_us: AtomicU64,
    /// Whether the closed path gave it.
    is_closed: bool,
}

impl PermitInner {
    pub(crate) fn new(fuse: &Bound<'_, Fuse>, permit: CorePermit) -> Self {
        let permit = ProcessPermit::new(permit).begun(fuse.get().began_us());
        Self { fuse: fuse.clone().unbind(), permit, stopped_us: AtomicU64::new(0), is_closed: false }
    }

    /// The permit of a call that found the fuse closed.
    #[inline(always)]
    pub(crate) fn closed(fuse: &Bound<'_, Fuse>, word: Word, began_us: u64) -> Self {
        let permit = ProcessPermit::new(CorePermit { generation: word.generation(), lease: None }).begun(began_us);
        Self { fuse: fuse.clone().unbind(), permit, stopped_us: AtomicU64::new(0), is_closed: true }
    }

    /// The permit that a closed fuse with rates gives: each call has its own, which says when the call began.
    #[inline(always)]
    pub(crate) fn of_a_rate(fuse: &Bound<'_, Fuse>) -> Option<Self> {
        let word = fuse.get().word();
        let is_given = fuse.get().has_rates && fuse.get().is_closed(word);
        is_given.then(|| Self::closed(fuse, word, fuse.get().began_us()))
    }

    /// The same as a permit that no other call shares: it has one outcome, also where the fuse is closed.
    pub(crate) fn alone(self) -> Self {
        Self { is_closed: false, ..self }
    }

    /// The same permit once more, for a call that goes on after it has returned.
    pub(crate) fn again(&self, py: Python<'_>) -> Self {
        let (fuse, stopped_us) = (self.fuse.clone_ref(py), AtomicU64::new(self.stopped_us.load(Ordering::Relaxed)));
        Self { fuse, stopped_us, ..*self }
    }

    /// Whether the closed path gave it.
    #[inline(always)]
    pub(crate) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether many calls may share this permit: a closed fuse gave it, the fuse will not move, and the permit does not say
    /// when its call began.
    pub(crate) fn serves_many(&self) -> bool {
        let fuse = self.fuse.get();
        self.is_closed && !fuse.has_rates && !fuse.handle.may_move()
    }

    pub(crate) fn is_probe(&self) -> bool {
        self.permit.is_probe()
    }

    /// Whether its call is a probe, or passed a ramp.
    pub(crate) fn tests_the_fuse(&self) -> bool {
        let word = self.fuse.get().word();
        let is_on_a_ramp = || word.state() == State::Ramping && word.generation() == self.permit.generation();
        self.is_probe() || is_on_a_ramp()
    }

    /// Whether this process took it, and its outcome would still count.
    pub(crate) fn is_valid(&self) -> bool {
        self.permit.is_own() && self.fuse.get().handle.is_valid(&self.permit)
    }

    /// Whether it is of this fuse, whichever breaker asked for it.
    pub(crate) fn is_of(&self, fuse: &Fuse) -> bool {
        self.fuse.get().handle.is_same(&fuse.handle)
    }

    /// Whether it is a closed permit that this fuse would give now.
    #[inline(always)]
    pub(crate) fn admits(&self, fuse: &Fuse) -> bool {
        let word = fuse.word();
        self.is_closed
            && std::ptr::eq(self.fuse.get(), fuse)
            && fuse.is_closed(word)
            && self.permit.generation() == word.generation()
    }

    /// [`Fuse::fast_success`] of a permit of the closed path. `is_settled` is asked where the permit has one outcome only.
    #[inline(always)]
    pub(crate) fn fast_success(&self, is_settled: impl FnOnce() -> bool) -> FastSuccess {
        let fuse = self.fuse.get();
        if !self.is_closed {
            FastSuccess::No
        } else if !fuse.has_rates {
            if fuse.handle.fast_success_of(&self.permit, lane()) { FastSuccess::OfMany } else { FastSuccess::No }
        } else if !is_settled() && fuse.handle.rated_success_of(&fuse.policy, &self.permit) {
            FastSuccess::OfOne
        } else {
            FastSuccess::No
        }
    }

    /// Settles the call. Returns the transition that this makes, if any; the journal has it, with what `about` says.
    pub(crate) fn settle(&self, outcome: Outcome, about: impl FnOnce() -> About) -> Option<Transition> {
        let fuse = self.fuse.get();
        let permit = self.permit.stopped(self.stopped_us.load(Ordering::Relaxed));
        match fuse.handle.settle(&fuse.policy, &permit, outcome, about) {
            Effect::Changed(transition) => Some(transition),
            Effect::Counted | Effect::Late => None,
        }
    }

    /// Gives the permit back as if nobody had ever taken it. Nothing is counted.
    pub(crate) fn cancel(&self) {
        self.fuse.get().handle.cancel(&self.permit);
    }

    /// Stops the call's clock, where it matters how long a call takes. The first stop counts.
    pub(crate) fn stop_clock(&self) {
        let fuse = self.fuse.get();
        if fuse.policy.is_timed() {
            let now_us = fuse.handle.now_us().max(1);
            // Relaxed: the thread that settles the call got the permit from this one, or settles at the same instant.
            _ = self.stopped_us.compare_exchange(0, now_us, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// Whether a call was counted by [`PermitInner::fast_success`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FastSuccess {
    /// It is still to be settled.
    No,
    /// Yes; the permit may serve other calls.
    OfMany,
    /// Yes; that was the permit's one outcome.
    OfOne,
}
