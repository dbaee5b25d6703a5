//! A slot with its shared words at hand: what a breaker holds. Hands the core what it asks for: the mapped words, the
//! time, who this process is and whether another is gone. What is decided and counted is [`Breaker`]'s.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fuseboard_core::admission::{Admission, Rejection};
pub use fuseboard_core::breaker::Outcome;
use fuseboard_core::breaker::{Breaker, FastPath};
use fuseboard_core::counters::{STRIPES, Stripe};
use fuseboard_core::directory::SlotClaim;
use fuseboard_core::fuse::{Effect, Fuse};
use fuseboard_core::overrides::Override;
use fuseboard_core::policy::Policy;
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::transition::Transition;
use fuseboard_core::word::Word;

use crate::owner;
pub use crate::process_permit::ProcessPermit;
use crate::table::{Table, Words};
use crate::watch::Scope;

/// A slot's shared words, kept mapped. May be used from any thread, and in a forked child. What a closed call needs comes
/// first, in one cache line: where calls go to many fuses in turn, each line is waited for.
#[repr(C)]
#[derive(Debug)]
pub struct Handle {
    /// State and generation in which the fuse was last found closed, and still this name's. Of an overflowed one nothing is
    /// kept, so that its calls come by [`Self::recognizes`].
    closed: AtomicU64,
    words: Words,
    table: Arc<Table>,
    overflowed: bool,
    /// When the name of an overflowed fuse was last looked up, in microseconds.
    looked_up_us: AtomicU64,
    /// Whether a call has found out that the name is to be looked up again.
    is_stale: AtomicBool,
}

/// What no closed fuse's state and generation are.
const NOT_KNOWN: u64 = u64::MAX;

/// How often the name of an overflowed fuse is looked up again, in microseconds.
const LOOK_UP_US: u64 = 1_000_000;

impl Handle {
    pub(crate) fn new(table: Arc<Table>, claim: SlotClaim, overflowed: bool) -> Self {
        let looked_up_us = AtomicU64::new(if overflowed { table.clock().now_us() } else { 0 });
        let (closed, is_stale) = (AtomicU64::new(NOT_KNOWN), AtomicBool::new(false));
        Self { words: table.pin(claim), table, overflowed, closed, looked_up_us, is_stale }
    }

    /// Whether the fuse lives in this process alone because the store's table was full.
    #[must_use]
    pub const fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Whether a word that was just read says that a call passes at once: the fuse is closed, and still this name's. What
    /// is closed in a generation that was this name's before is so in all of it.
    #[must_use]
    #[inline(always)]
    pub fn is_closed(&self, word: Word) -> bool {
        word.era() == self.closed.load(Ordering::Relaxed) || self.recognizes(word)
    }

    #[cold]
    fn recognizes(&self, word: Word) -> bool {
        // The key is looked at behind the word: if it stands, the word is of this claim.
        let passes = word.is_closed() && self.is_mine() && !self.has_moved();
        if self.overflowed {
            return passes && !self.is_due(self.looked_up_us.load(Ordering::Relaxed), self.now_us());
        }
        if passes && !self.may_move() {
            self.closed.store(word.era(), Ordering::Relaxed);
        }
        passes
    }

    /// Whether the fuse lives in this process alone for a while, so that its calls ask each time whether it still does: it
    /// found the table full, or the host's table cannot be had for the moment.
    #[must_use]
    pub fn may_move(&self) -> bool {
        self.overflowed || self.table.watch().scope() == Scope::Stopgap
    }

    /// Whether the name is to be looked up again, because the store has another table, or is to look for one. Makes no system
    /// call.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        let watch = self.table.watch();
        let is_due = || watch.scope() == Scope::Stopgap && watch.looks() && watch.is_due(self.now_us());
        self.is_stale.load(Ordering::Relaxed) || watch.is_left() || is_due()
    }

    /// A call has ended other than well, which takes its time anyway: so it looks whether the store has another table, or is to
    /// look for one. Then the next call looks the name up again.
    fn look_around(&self) {
        let is_to_be_left = || self.table.watch().scope() != Scope::Own && self.table.is_to_be_left(self.now_us());
        if owner::is_new_child() || is_to_be_left() {
            self.is_stale.store(true, Ordering::Relaxed);
            self.closed.store(NOT_KNOWN, Ordering::Relaxed);
        }
    }

    fn is_due(&self, last_us: u64, now_us: u64) -> bool {
        now_us.abs_diff(last_us) >= LOOK_UP_US && self.fuse().is_idle_now(now_us)
    }

    /// Whether the name is to be looked up again: the store has another table, or is to look for one; this process was forked,
    /// and who looks up takes note of that; or the fuse overflowed, and the table may have room by now. The last once a second, and only while the fuse is idle, so that nothing is lost if
    /// it moves; of threads that ask at once one is told so.
    #[must_use]
    pub fn is_to_be_looked_up(&self) -> bool {
        let is_private = !self.overflowed && self.table.watch().scope() == Scope::Own;
        let is_to_be_left = || !is_private && self.table.is_to_be_left(self.now_us());
        if self.is_stale.swap(false, Ordering::Relaxed) || owner::is_new_child() || is_to_be_left() {
            return true;
        }
        if !self.overflowed {
            return false;
        }
        let (last_us, now_us) = (self.looked_up_us.load(Ordering::Relaxed), self.now_us());
        let is_first =
            || self.looked_up_us.compare_exchange(last_us, now_us, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        self.is_due(last_us, now_us) && is_first()
    }

    /// The fuse word, if the fuse has not been removed. If it has, its name must be looked up again.
    #[must_use]
    #[inline(always)]
    pub fn mine(&self) -> Option<Word> {
        let word = self.word();
        if self.is_closed(word) { Some(word) } else { self.fuse().mine() }
    }

    /// Whether the fuse has not been removed.
    #[must_use]
    pub fn is_mine(&self) -> bool {
        self.fuse().mine().is_some()
    }

    /// The fuse. Once it is removed, operations on it do nothing.
    #[must_use]
    pub fn fuse(&self) -> Fuse<'_> {
        self.words.fuse()
    }

    /// The fuse word, in one acquire load: all that a closed fuse costs a call (rule T04).
    #[must_use]
    #[inline(always)]
    pub fn word(&self) -> Word {
        self.words.cell.load()
    }

    /// Notes that a breaker of a module comes to the fuse; the module that made it, if that was another one.
    #[must_use]
    pub fn note_maker(&self, module: &str) -> Option<String> {
        self.table.note_maker(self.words.claim(), module)
    }

    /// Notes the settings that a breaker comes to make calls with; the settings hash of those of the one before if it had others.
    /// One that may have come before (`again`) is not counted as a change, nor told of one.
    #[must_use]
    pub fn note_settings(&self, settings_hash: u64, policy: &Policy, again: bool) -> Option<u64> {
        let fuse = self.fuse();
        fuse.note_lookback(policy.lookback_us());
        fuse.mine()?;
        self.table.note_settings(settings_hash, policy);
        if again {
            fuse.show_settings(settings_hash);
            return None;
        }
        fuse.note_settings(settings_hash)
    }

    /// Does what an operator says, and writes it down; `None` if the fuse was removed.
    #[must_use]
    pub fn apply_override(&self, order: &Override<'_>) -> Option<Transition> {
        self.table.apply_override(self.words.claim(), order)
    }

    /// Entries in the failure log.
    #[must_use]
    pub fn log_len(&self) -> usize {
        self.table.geometry().log_len()
    }

    /// Microseconds on the table's clock.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.table.clock().now_us()
    }

    /// Asks for the line that a success is counted on, so that it is there when the call ends: a counter that is waited for
    /// lets the processor do nothing else. Where calls go to 100,000 fuses in turn, this halves what one costs.
    #[inline(always)]
    pub fn expect_success(&self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint, which reads and writes nothing.
        unsafe {
            let line = &raw const *self.stripe();
            core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_ET0 }>(line.cast());
        }
    }

    #[inline(always)]
    fn stripe(&self) -> &Stripe {
        &self.words.stripes[owner::stripe() % STRIPES]
    }

    #[inline(always)]
    fn fast_path(&self) -> FastPath<'_> {
        FastPath { cell: &self.words.cell, stripe: self.stripe() }
    }

    /// The fuse, counting on this process's line.
    #[inline]
    fn breaker(&self) -> Breaker<'_> {
        Breaker::new(self.fuse(), self.stripe())
    }

    /// [`FastPath::fast_success`]; where it says no, [`Self::settle`] the call.
    #[must_use]
    #[inline(always)]
    pub fn fast_success(&self, admitted: Word) -> bool {
        self.fast_path().fast_success(admitted)
    }

    /// [`FastPath::fast_success_of`] of a permit.
    #[must_use]
    #[inline(always)]
    pub fn fast_success_of(&self, permit: &ProcessPermit) -> bool {
        self.fast_path().fast_success_of(permit.permit)
    }

    /// [`Self::fast_success`] under a policy with rates, of a call that began at `began_us`.
    #[must_use]
    #[inline]
    pub fn rated_success(&self, policy: &Policy, admitted: Word, began_us: u64) -> bool {
        let took_us = |ended_us: u64| ended_us.saturating_sub(began_us);
        self.breaker().rated_success(policy, admitted, took_us, || self.now_us())
    }

    /// [`Self::fast_success_of`] under a policy with rates.
    #[must_use]
    #[inline]
    pub fn rated_success_of(&self, policy: &Policy, permit: &ProcessPermit) -> bool {
        let took_us = |ended_us| permit.took_us(ended_us);
        self.breaker().rated_success_of(policy, permit.permit, took_us, || self.now_us())
    }

    /// What a call's permit is to say of when it began: the time, or 0 where it does not matter how long a call takes.
    #[must_use]
    #[inline(always)]
    pub fn began_us(&self, policy: &Policy) -> u64 {
        if policy.is_timed() { self.now_us() } else { 0 }
    }

    /// Asks to make a call, and counts the answer; see [`Breaker::admit`].
    #[must_use]
    pub fn admit(&self, policy: &Policy) -> Admission {
        self.breaker().admit(policy, || self.now_us(), owner::hint(), owner::is_gone)
    }

    /// Why [`Self::admit`] would reject a call at this moment, if it would. Takes no permit, and counts nothing.
    ///
    /// # Errors
    /// The rejection.
    pub fn would_admit(&self, policy: &Policy) -> Result<(), Rejection> {
        self.fuse().would_admit(policy, self.now_us(), owner::is_gone)
    }

    /// Whether an outcome of a permit would still count ([`Fuse::is_valid`]); not of a probe's in a forked child.
    #[must_use]
    pub fn is_valid(&self, permit: &ProcessPermit) -> bool {
        permit.valid().is_some_and(|permit| self.fuse().is_valid(permit, self.now_us()))
    }

    /// Whether the two are of one fuse, whichever store of this process they came by.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.words.claim() == other.words.claim() && self.table.is_same(&other.table)
    }

    /// Gives a permit back as if it had never been taken: nothing is counted.
    pub fn cancel(&self, permit: &ProcessPermit) {
        if let Some(permit) = permit.valid() {
            self.breaker().cancel(permit);
        }
    }

    /// Reports how a call ended, and counts it; see [`Breaker::settle`].
    pub fn settle(&self, policy: &Policy, permit: &ProcessPermit, outcome: Outcome) -> Effect {
        let took_us = |ended_us| permit.took_us(ended_us);
        let effect = self.breaker().settle(policy, permit.valid(), outcome, took_us, || self.now_us());
        if outcome.is_failure() || self.table.watch().is_left() {
            self.look_around();
        }
        effect
    }
}
