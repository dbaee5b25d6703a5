//! `Fuse`: a name's slot with one breaker's numbers. `Permit`: the right to make one call.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fuseboard_core::fuse::{Admission, Effect, Permit as CorePermit, Rejection, Transition};
use fuseboard_core::journal::About;
use fuseboard_core::overrides::Override;
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::RateKind;
use fuseboard_core::state::State;
use fuseboard_core::sync::AtomicU64;
use fuseboard_core::word::Word;
use fuseboard_shm::handle::{Handle, Outcome, ProcessPermit};
use pyo3::prelude::*;
use siphasher::sip::SipHasher13;

use crate::breaker::nesting;
use crate::convert::errors::{seconds, state_of_code};
use crate::convert::numbers::Numbers;
use crate::convert::values::FuseState;
use crate::guard::running_frame;
use crate::interpreter::interned::state_member;
use crate::interpreter::link::Link;
use crate::interpreter::python_code::call_python;
use crate::table::journal_cursor::{Made, made_here};
use crate::table::state_cache::last_or_new;
use crate::table::store::Store;

// What a closed call needs comes first, beside the object's count of references.
/// A fuse, with one breaker's numbers.
#[pyclass(frozen, module = "fuseboard._core")]
#[repr(C)]
pub struct Fuse {
    /// Of the policy, for the closed path.
    has_rates: bool,
    handle: Handle,
    policy: Policy,
    /// As Python has it.
    name: Py<PyAny>,
    /// The state that was read last.
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

    /// Whether it found no room in the store's table.
    #[getter]
    fn overflowed(&self) -> bool {
        self.handle.overflowed()
    }

    /// Whether its name has to be looked up again.
    #[getter]
    pub(crate) fn is_removed(&self) -> bool {
        !self.handle.is_mine()
    }

    /// State and since when.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, FuseState>> {
        last_or_new(py, &self.read, FuseState::of_word(self.mine().unwrap_or(Word(0))))
    }

    fn _obey(&self, code: u8, for_us: u64, who: &str, why: &str) -> PyResult<Option<Made>> {
        let order = Override { state: state_of_code(code)?, for_us, who, why };
        let made = self.handle.apply_override(&order);
        Ok(made.map(|made| made_here(made, order.until_us(&made), order.about())))
    }

    /// How many calls ended within a rate's window, and how many of them were bad; None without such a rate.
    fn rate_count(&self, measure: usize) -> Option<(u32, u32)> {
        let measure = *RateKind::ALL.get(measure)?;
        let tally = self.handle.fuse().rate_count(&self.policy, measure, || self.handle.now_us())?;
        Some((tally.calls, tally.bad))
    }

    /// Notes that a breaker of this module comes to make calls; the module that made the fuse, if another one.
    fn note_maker(&self, module: &str) -> Option<String> {
        self.handle.note_maker(module)
    }

    /// Notes the settings that a breaker makes calls with; those of the one before if it had others, else 0.
    ///
    /// One that may have come before (``again``) is not counted as a change, nor told of one.
    fn note_settings(&self, fingerprint: u64, again: bool) -> u64 {
        self.handle.note_settings(fingerprint, &self.policy, again).unwrap_or(0)
    }
}

/// A number from 1 to 2^64 - 1 that other settings do not share, but by chance; the same in every process.
#[pyfunction]
pub(crate) fn fingerprint(settings: &str) -> u64 {
    // It stands in the table, so it is of an algorithm that is written down: SipHash-1-3, with a key of zeroes.
    SipHasher13::new().hash(settings.as_bytes()).max(1)
}

impl Fuse {
    /// A rejection as an exception of this class.
    pub(crate) fn rejected<'py>(&self, rejection: Rejection, class: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let state = state_member(class.py(), rejection.state)?;
        let retry_after = rejection.retry_after_us.map(seconds);
        match rejection.lease_us {
            None => call_python(class, (&self.name, state, retry_after)),
            Some(lease_us) => call_python(class, (&self.name, state, retry_after, seconds(lease_us))),
        }
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
        self.handle.expect_success();
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

    /// When a call begins, where it matters how long it takes.
    #[inline(always)]
    pub(crate) fn began_us(&self) -> u64 {
        if self.has_rates { self.handle.began_us(&self.policy) } else { 0 }
    }

    #[inline(always)]
    pub(crate) fn fast_success(&self, admitted: Word, began_us: u64) -> bool {
        if self.has_rates {
            self.handle.rated_success(&self.policy, admitted, began_us)
        } else {
            self.handle.fast_success(admitted)
        }
    }
}

/// A permit and the fuse that gave it.
pub(crate) struct PermitInner {
    fuse: Py<Fuse>,
    ticket: ProcessPermit,
    /// When the call's clock was stopped, in microseconds; 0 while it runs.
    stopped_us: AtomicU64,
    closed: bool,
}

impl PermitInner {
    pub(crate) fn new(fuse: &Bound<'_, Fuse>, permit: CorePermit) -> Self {
        let ticket = ProcessPermit::new(permit).begun(fuse.get().began_us());
        Self { fuse: fuse.clone().unbind(), ticket, stopped_us: AtomicU64::new(0), closed: false }
    }

    /// The same, for a permit of its own: one outcome, also where the fuse is closed.
    pub(crate) fn alone(self) -> Self {
        Self { closed: false, ..self }
    }

    /// The permit of a call that found the fuse closed.
    #[inline(always)]
    pub(crate) fn closed(fuse: &Bound<'_, Fuse>, word: Word, began_us: u64) -> Self {
        let ticket = ProcessPermit::new(CorePermit { generation: word.generation(), lease: None }).begun(began_us);
        Self { fuse: fuse.clone().unbind(), ticket, stopped_us: AtomicU64::new(0), closed: true }
    }

    /// The permit that a closed fuse with rates gives: each call has its own, which says when it began.
    #[inline(always)]
    pub(crate) fn of_a_rate(fuse: &Bound<'_, Fuse>) -> Option<Self> {
        let word = fuse.get().word();
        let is_given = fuse.get().has_rates && fuse.get().is_closed(word);
        is_given.then(|| Self::closed(fuse, word, fuse.get().began_us()))
    }

    /// Whether the closed path gave it.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    fn marks(&self) -> bool {
        let word = self.fuse.get().word();
        let is_on_a_ramp = || word.state() == State::Ramping && word.generation() == self.ticket.generation();
        self.ticket.is_probe() || is_on_a_ramp()
    }

    /// Whether the two may stand for each other, but for when their calls began.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.fuse.is(&other.fuse) && self.ticket.is_like(&other.ticket)
    }

    /// When the call began; 0 where it does not matter how long it takes.
    pub(crate) fn began_us(&self) -> u64 {
        self.ticket.began_us()
    }

    /// The same of a call that began then.
    pub(crate) fn begun(self, began_us: u64) -> Self {
        Self { ticket: self.ticket.begun(began_us), ..self }
    }

    pub(crate) fn settle(&self, outcome: Outcome) -> Option<Transition> {
        let fuse = self.fuse.get();
        let ticket = self.ticket.stopped(self.stopped_us.load(Ordering::Relaxed));
        match fuse.handle.settle(&fuse.policy, &ticket, outcome) {
            Effect::Changed(transition) => Some(transition),
            Effect::Counted | Effect::Late => None,
        }
    }

    /// Stops the call's clock, where it matters how long a call takes. The first stop counts.
    fn stop_clock(&self) {
        let fuse = self.fuse.get();
        if fuse.policy.is_timed() {
            let now_us = fuse.handle.now_us().max(1);
            // Relaxed: whoever settles the call has it from this thread, or says so at the same instant.
            _ = self.stopped_us.compare_exchange(0, now_us, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The same permit once more, for the rest of a call that goes on after it has returned.
    pub(crate) fn again(&self, py: Python<'_>) -> Self {
        let (fuse, stopped_us) = (self.fuse.clone_ref(py), AtomicU64::new(self.stopped_us.load(Ordering::Relaxed)));
        Self { fuse, stopped_us, ..*self }
    }

    /// Writes down a transition that [`Self::settle`] made, with the name of the exception's class that brought it about.
    pub(crate) fn write_down(&self, transition: Transition, class: About) {
        self.fuse.get().handle.fuse().write_down(transition, class);
    }

    /// Gives the permit back as if it had never been taken: nothing is counted.
    pub(crate) fn cancel(&self) {
        self.fuse.get().handle.cancel(&self.ticket);
    }
}

// No freelist: PyO3 makes one when it is first needed, under a lock that a forked child may find taken.
/// The right to make one call.
#[pyclass(frozen, weakref, module = "fuseboard._core")]
pub struct Permit {
    held: Option<PermitInner>,
    settled: AtomicBool,
    /// The address of the frame that a call inside must have on its stack; 0 for none. Of a generator, which waits in the
    /// middle of its call while its caller does other things.
    pub(crate) frame: AtomicUsize,
}

impl Permit {
    /// A permit; without a fuse where ours could not be had and the call goes on unguarded.
    pub(crate) fn new(held: Option<PermitInner>) -> Self {
        Self { held, settled: AtomicBool::new(false), frame: AtomicUsize::new(0) }
    }

    /// Whether one permit may serve many calls: it was given by a closed fuse that is not to be looked up again, and does
    /// not say when its call began.
    pub(crate) fn serves_many(&self) -> bool {
        self.held.as_ref().is_some_and(|held| {
            let fuse = held.fuse.get();
            held.closed && !fuse.has_rates && !fuse.handle.may_move()
        })
    }

    /// Whether guards of the same fuse step aside inside of its call: of a probe, and of a call that passed a ramp. While a
    /// fuse is closed each guard counts for itself.
    pub(crate) fn marks(&self) -> bool {
        self.held.as_ref().is_some_and(PermitInner::marks)
    }

    /// Whether its call is still to end in this process, and its outcome will count then.
    pub(crate) fn is_under_way(&self) -> bool {
        let is_valid = |held: &PermitInner| held.ticket.is_own() && held.fuse.get().handle.is_valid(&held.ticket);
        !self.is_settled() && self.held.as_ref().is_some_and(is_valid)
    }

    /// Whether it is of this fuse, whichever breaker's.
    pub(crate) fn is_of(&self, fuse: &Fuse) -> bool {
        self.held.as_ref().is_some_and(|held| held.fuse.get().handle.is_same(&fuse.handle))
    }

    /// Whether it is a closed permit that this fuse would give just now.
    #[inline(always)]
    pub(crate) fn admits(&self, fuse: &Fuse) -> bool {
        self.held.as_ref().is_some_and(|held| {
            let word = fuse.word();
            held.closed
                && std::ptr::eq(held.fuse.get(), fuse)
                && fuse.is_closed(word)
                && held.ticket.generation() == word.generation()
        })
    }

    /// Counts a success that changes nothing else, of a call that found the fuse closed; whether it was one. If not, the
    /// permit is still to be settled.
    #[inline(always)]
    pub(crate) fn fast_success(&self) -> bool {
        let Some(held) = self.held.as_ref().filter(|held| held.closed) else { return false };
        let fuse = held.fuse.get();
        if !fuse.has_rates {
            return fuse.handle.fast_success_of(&held.ticket);
        }
        let plain = !self.is_settled() && fuse.handle.rated_success_of(&fuse.policy, &held.ticket);
        if plain {
            self.settled.store(true, Ordering::Relaxed);
        }
        plain
    }

    /// What it holds. A probe's permit, and one that a call has for itself, has one outcome: only the first to ask gets it.
    pub(crate) fn take(&self) -> Option<&PermitInner> {
        (self.serves_many() || !self.settled.swap(true, Ordering::Relaxed)).then_some(self.held.as_ref()).flatten()
    }
}

impl Drop for Permit {
    /// A permit that nobody settled, because Ctrl-C came just after it was given or its owner was thrown away, gives its
    /// lease back.
    fn drop(&mut self) {
        self.cancel();
    }
}

#[pymethods]
impl Permit {
    /// Gives it back as if it had never been taken, unless it was settled.
    fn cancel(&self) {
        if let Some(held) = self.take()
            && !held.closed
        {
            held.cancel();
        }
    }

    /// Marks the running context as inside its call: guards of the same fuse step aside there. Returns itself.
    ///
    /// ``frame`` is what runs the call, by default whoever asks. Does nothing unless it is a probe's, or on a ramp.
    #[pyo3(signature = (frame=None))]
    fn enter<'py>(slf: &Bound<'py, Self>, frame: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, Self>> {
        if slf.get().marks() {
            nesting::enter(slf, frame.or_else(|| running_frame(slf.py())))?;
        }
        Ok(slf.clone())
    }

    /// Whether its outcome was given; False of one that many calls of a closed fuse share.
    #[getter]
    fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Relaxed)
    }

    /// Stops the clock by which a rate of slow calls judges the call; the first stop counts.
    fn stop_clock(&self) {
        if let Some(held) = &self.held {
            held.stop_clock();
        }
    }

    /// Whether the call is a probe.
    #[getter]
    fn is_probe(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.ticket.is_probe())
    }
}
