//! A **handle**: a slot with its shared words at hand, as a breaker in Python keeps it.
//!
//! It gives the core what that asks for: the mapped words, the time, who this process is, and whether another one is
//! gone. The core's [`Breaker`] decides and counts.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fuseboard_core::admission::{Admission, Rejection};
pub use fuseboard_core::breaker::Outcome;
use fuseboard_core::breaker::{Breaker, FastPath};
use fuseboard_core::counters::{STRIPES, Stripe};
use fuseboard_core::directory::SlotClaim;
use fuseboard_core::fuse::{Effect, Fuse};
use fuseboard_core::journal::About;
use fuseboard_core::overrides::Override;
use fuseboard_core::policy::Policy;
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::transition::Transition;
use fuseboard_core::word::Word;

use crate::owner;
pub use crate::process_permit::ProcessPermit;
use crate::table::{Table, Words};
use crate::watch::Scope;

/// A slot's shared words, kept mapped. May be used from any thread, and in a forked child. What a closed call needs
/// comes first, in one cache line: if calls go to many fuses in turn, the processor waits for each line.
#[repr(C)]
#[derive(Debug)]
pub struct Handle {
    /// State and generation in which the fuse was last found closed and still this name's. Not kept for an overflowed
    /// fuse, so that its calls go through [`Self::recognizes`].
    closed_era: AtomicU64,
    words: Words,
    table: Arc<Table>,
    overflowed: bool,
    /// When the name of an overflowed fuse was last looked up, in microseconds.
    looked_up_us: AtomicU64,
    /// Whether a call has found out that the name must be looked up again.
    is_stale: AtomicBool,
}

/// No closed fuse has this state and generation.
const NOT_KNOWN: u64 = u64::MAX;

/// How often the name of an overflowed fuse is looked up again, in microseconds.
const LOOK_UP_US: u64 = 1_000_000;

impl Handle {
    pub(crate) fn new(table: Arc<Table>, claim: SlotClaim, overflowed: bool) -> Self {
        let looked_up_us = AtomicU64::new(if overflowed { table.clock().now_us() } else { 0 });
        let (closed_era, is_stale) = (AtomicU64::new(NOT_KNOWN), AtomicBool::new(false));
        Self { words: table.pin(claim), table, overflowed, closed_era, looked_up_us, is_stale }
    }

    /// Whether the fuse lives in this process alone because the store's table was full.
    #[must_use]
    pub const fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Whether a word that was just read lets a call pass at once: the fuse is closed and still this name's. If that
    /// was true once in a generation, it is true to the generation's end.
    #[must_use]
    #[inline(always)]
    pub fn is_closed(&self, word: Word) -> bool {
        word.era() == self.closed_era.load(Ordering::Relaxed) || self.recognizes(word)
    }

    #[cold]
    fn recognizes(&self, word: Word) -> bool {
        // The key is read after the word: if it still stands, the word is of this claim.
        let passes = word.is_closed() && self.is_mine() && !self.has_moved();
        if self.overflowed {
            return passes && !self.is_due(self.looked_up_us.load(Ordering::Relaxed), self.now_us());
        }
        if passes && !self.may_move() {
            self.closed_era.store(word.era(), Ordering::Relaxed);
        }
        passes
    }

    /// Whether the fuse is in this process alone for a while: the table was full, or the host's table cannot be had for
    /// the moment. Then each call asks whether the fuse has moved.
    #[must_use]
    pub fn may_move(&self) -> bool {
        self.overflowed || self.table.watch().scope() == Scope::Stopgap
    }

    /// Whether the name must be looked up again, because the store has another table, or must look for one. Makes no
    /// system call.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        let watch = self.table.watch();
        let is_due = || watch.scope() == Scope::Stopgap && watch.looks() && watch.is_due(self.now_us());
        self.is_stale.load(Ordering::Relaxed) || watch.is_left() || is_due()
    }

    /// Looks whether the store has another table, or must look for one. If so, the next call looks the name up again.
    /// This is done after a failed call, which takes its time anyway.
    fn look_around(&self) {
        let is_to_be_left = || self.table.watch().scope() != Scope::Own && self.table.is_to_be_left(self.now_us());
        if owner::is_new_child() || is_to_be_left() {
            self.is_stale.store(true, Ordering::Relaxed);
            self.closed_era.store(NOT_KNOWN, Ordering::Relaxed);
        }
    }

    /// Whether an overflowed fuse may move: only an idle one, at most once a second.
    fn is_due(&self, last_us: u64, now_us: u64) -> bool {
        now_us.abs_diff(last_us) >= LOOK_UP_US && self.fuse().is_idle_now(now_us)
    }

    /// Whether the name must be looked up again. There are three reasons: the store has another table or must look for
    /// one; this process was just forked, and the look-up takes note of that; or the fuse overflowed, and the table may
    /// have room by now. The third counts at most once a second and for one thread, and only while the fuse is idle, so
    /// that nothing is lost if it moves.
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

    /// Notes that a breaker of this module comes to the fuse; the module that made the fuse, if that was another one.
    #[must_use]
    pub fn note_maker(&self, module: &str) -> Option<String> {
        self.table.note_maker(self.words.claim(), module)
    }

    /// Notes the settings with which a breaker makes calls; the hash of the settings of the breaker before it, if it
    /// had others. A breaker that may have come before (`again`) counts as no change, and gets no answer.
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

    /// Applies a manual override, and writes it down; `None` if the fuse was removed.
    #[must_use]
    pub fn apply_override(&self, manual: &Override<'_>) -> Option<Transition> {
        self.table.apply_override(self.words.claim(), manual)
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

    /// Asks the processor for the line on which a success is counted, so that the line is there when the call ends. If
    /// calls go to 100,000 fuses in turn, this halves the cost of a call.
    #[inline(always)]
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables, reason = "the prefetch is of x86-64"))]
    pub fn expect_success(&self, lane: usize) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch reads and writes nothing.
        unsafe {
            let line = &raw const *self.stripe_of(lane);
            core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_ET0 }>(line.cast());
        }
    }

    #[inline(always)]
    fn stripe(&self) -> &Stripe {
        &self.words.stripes[owner::stripe() % STRIPES]
    }

    /// The line of a lane: of those of the process's threads that call at the same instant, each has a lane of its own, as
    /// far as the lines go. Lane 0 has the process's line.
    #[inline(always)]
    fn stripe_of(&self, lane: usize) -> &Stripe {
        &self.words.stripes[owner::stripe().wrapping_add(lane) % STRIPES]
    }

    #[inline(always)]
    fn fast_path(&self, lane: usize) -> FastPath<'_> {
        FastPath { cell: &self.words.cell, stripe: self.stripe_of(lane) }
    }

    /// The breaker of this fuse that counts on this process's line.
    #[inline]
    fn breaker(&self) -> Breaker<'_> {
        Breaker::new(self.fuse(), self.stripe())
    }

    /// [`FastPath::fast_success`]; if it says no, [`Self::settle`] the call.
    #[must_use]
    #[inline(always)]
    pub fn fast_success(&self, admitted: Word, lane: usize) -> bool {
        self.fast_path(lane).fast_success(admitted)
    }

    /// [`FastPath::fast_success_of`] of a permit.
    #[must_use]
    #[inline(always)]
    pub fn fast_success_of(&self, permit: &ProcessPermit, lane: usize) -> bool {
        self.fast_path(lane).fast_success_of(permit.permit)
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

    /// The time, for a call that begins now; 0 if it does not matter how long a call takes.
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

    /// Whether an outcome of this permit would still count ([`Fuse::is_valid`]). In a forked child, the outcome of a
    /// probe of its parent does not.
    #[must_use]
    pub fn is_valid(&self, permit: &ProcessPermit) -> bool {
        permit.valid().is_some_and(|permit| self.fuse().is_valid(permit, self.now_us()))
    }

    /// Whether the two are of one fuse, through whichever store of this process they came.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.words.claim() == other.words.claim() && self.table.is_same(&other.table)
    }

    /// Takes a permit back as if it had never been given: nothing is counted.
    pub fn cancel(&self, permit: &ProcessPermit) {
        if let Some(permit) = permit.valid() {
            self.breaker().cancel(permit);
        }
    }

    /// Reports how a call ended, counts it, and writes a transition down; see [`Breaker::settle`].
    pub fn settle(
        &self,
        policy: &Policy,
        permit: &ProcessPermit,
        outcome: Outcome,
        about: impl FnOnce() -> About,
    ) -> Effect {
        let took_us = |ended_us| permit.took_us(ended_us);
        let effect = self.breaker().settle(policy, permit.valid(), outcome, took_us, || self.now_us(), about);
        if outcome.is_failure() || self.table.watch().is_left() {
            self.look_around();
        }
        effect
    }
}
