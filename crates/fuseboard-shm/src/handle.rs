//! A slot with its shared words at hand: what a breaker holds. Admits calls, settles them, and counts both.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fuseboard_core::counters::{Counter, STRIPES};
use fuseboard_core::directory::Tenancy;
use fuseboard_core::fuse::{Admission, Effect, Fuse, Permit, Rejection};
use fuseboard_core::journal::About;
use fuseboard_core::judging::Call;
use fuseboard_core::policy::Policy;
use fuseboard_core::state::State;
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::word::Word;

use crate::owner;
use crate::table::{Table, Words};
pub use crate::ticket::{Outcome, Ticket};
use crate::watch::Reach;

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
    pub(crate) fn new(table: Arc<Table>, tenancy: Tenancy, overflowed: bool) -> Self {
        let looked_up_us = AtomicU64::new(if overflowed { table.clock().now_us() } else { 0 });
        let (closed, is_stale) = (AtomicU64::new(NOT_KNOWN), AtomicBool::new(false));
        Self { words: table.pin(tenancy), table, overflowed, closed, looked_up_us, is_stale }
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
        // The key is looked at behind the word: if it stands, the word is of this tenancy.
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
        self.overflowed || self.table.watch().reach() == Reach::Stopgap
    }

    /// Whether the name is to be looked up again, because the store has another table, or is to look for one. Makes no system
    /// call.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        let watch = self.table.watch();
        let is_due = || watch.reach() == Reach::Stopgap && watch.looks() && watch.is_due(self.now_us());
        self.is_stale.load(Ordering::Relaxed) || watch.is_left() || is_due()
    }

    /// A call has ended other than well, which takes its time anyway: so it looks whether the store has another table, or is to
    /// look for one. Then the next call looks the name up again.
    fn look_around(&self) {
        let is_to_be_left = || self.table.watch().reach() != Reach::Own && self.table.is_to_be_left(self.now_us());
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
        let is_private = !self.overflowed && self.table.watch().reach() == Reach::Own;
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

    /// The fuse word, if the fuse has not been given back. If it has, its name must be looked up again.
    #[must_use]
    #[inline(always)]
    pub fn mine(&self) -> Option<Word> {
        let word = self.word();
        if self.is_closed(word) { Some(word) } else { self.fuse().mine() }
    }

    /// Whether the fuse has not been given back.
    #[must_use]
    pub fn is_mine(&self) -> bool {
        self.fuse().mine().is_some()
    }

    /// The fuse. Once it is given back, operations on it do nothing.
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
        self.table.note_maker(self.words.tenancy(), module)
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
            let line = &raw const self.words.stripes[owner::stripe() % STRIPES];
            core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_ET0 }>(line.cast());
        }
    }

    #[inline(always)]
    fn add(&self, counter: Counter) {
        self.words.stripes[owner::stripe() % STRIPES].add(counter);
    }

    /// Counts a success that changes nothing else: the fuse is as it was when the call was admitted, closed with an
    /// empty window. Whether it was one; if not, [`Self::settle`] it.
    #[must_use]
    #[inline(always)]
    pub fn plain_success(&self, admitted: Word) -> bool {
        let plain = self.word() == admitted && !admitted.is_dirty();
        if plain {
            self.add(Counter::Successes);
        }
        plain
    }

    /// [`Self::plain_success`] under a policy with rates, of a call that began at `began_us`.
    #[must_use]
    #[inline]
    pub fn measured_success(&self, policy: &Policy, admitted: Word, began_us: u64) -> bool {
        let permit = Permit { generation: admitted.generation(), lease: None };
        self.measured(policy, permit, began_us, || self.plain_success(admitted))
    }

    /// The same of a ticket, which does not say whether the window was empty when the call was admitted.
    #[must_use]
    #[inline]
    pub fn measured_success_of(&self, policy: &Policy, ticket: &Ticket) -> bool {
        self.measured(policy, ticket.permit, ticket.began_us, || self.untouched_success(ticket))
    }

    #[inline(always)]
    fn measured(&self, policy: &Policy, permit: Permit, began_us: u64, is_plain: impl FnOnce() -> bool) -> bool {
        let ended_us = policy.is_timed().then(|| self.now_us());
        let took_us = ended_us.map_or(0, |ended_us| ended_us.saturating_sub(began_us));
        let plain = !policy.is_slow(took_us) && is_plain();
        if plain {
            // Of a good call there is nothing to judge.
            _ = self.fuse().measure(policy, permit, Call { took_us, ..Call::default() }, ended_us, || self.now_us());
        }
        plain
    }

    /// What a call's ticket is to say of when it began: the time, or 0 where it does not matter how long a call takes.
    #[must_use]
    #[inline(always)]
    pub fn began_us(&self, policy: &Policy) -> u64 {
        if policy.is_timed() { self.now_us() } else { 0 }
    }

    fn took_us(&self, policy: &Policy, began_us: u64) -> u64 {
        if policy.is_timed() { self.now_us().saturating_sub(began_us) } else { 0 }
    }

    /// Whether the fuse is closed with an empty window, in the generation that the ticket is of: then a success changes
    /// nothing, and needs no clock.
    #[inline(always)]
    fn is_untouched(&self, ticket: &Ticket) -> bool {
        let word = self.word();
        word.is_closed() && !word.is_dirty() && word.generation() == ticket.permit.generation
    }

    /// [`Self::plain_success`] of a ticket, which does not say whether the window was empty when the call was admitted.
    #[must_use]
    #[inline(always)]
    pub fn untouched_success(&self, ticket: &Ticket) -> bool {
        let untouched = self.is_untouched(ticket);
        if untouched {
            self.add(Counter::Successes);
        }
        untouched
    }

    /// Asks to make a call, and counts the answer. A rejection by [`State::Vacant`] is none: the fuse was given back.
    #[must_use]
    pub fn admit(&self, policy: &Policy) -> Admission {
        // Known before a seat is taken, which is signed with it at once.
        let hint = owner::hint();
        let mut admission = self.fuse().admit(policy, self.now_us());
        if admission.transition.is_none() && self.probers_are_gone(&admission) {
            admission = self.fuse().admit(policy, self.now_us());
        }
        if let Some(transition) = admission.transition {
            self.fuse().write_down(transition, About::NOTHING);
        }
        match &admission.verdict {
            Ok(Permit { lease: Some(lease), .. }) => {
                self.fuse().sign(*lease, hint);
                self.add(Counter::Probes);
            }
            // Given back: nothing is rejected.
            Ok(_) | Err(Rejection { state: State::Vacant, .. }) => {}
            Err(_) => self.add(Counter::Rejections),
        }
        admission
    }

    /// Why [`Self::admit`] would reject a call at this moment, if it would. Takes no permit, and counts nothing.
    ///
    /// # Errors
    /// The rejection.
    pub fn would_admit(&self, policy: &Policy) -> Result<(), Rejection> {
        self.fuse().would_admit(policy, self.now_us(), owner::is_gone)
    }

    /// Whether a call was refused for want of a probe's permit, and one of those out was a dead process's (rule R11).
    fn probers_are_gone(&self, admission: &Admission) -> bool {
        let refused = matches!(admission.verdict, Err(Rejection { state: State::HalfOpen, .. }));
        refused && self.fuse().reclaim(owner::is_gone)
    }

    /// Gives a permit back as if it had never been taken: nothing is counted.
    pub fn cancel(&self, ticket: &Ticket) {
        if let Some(permit) = ticket.valid() {
            self.fuse().released(permit);
        }
    }

    /// Reports how a call ended, and counts it. A transition that it makes is the caller's to write down
    /// ([`Fuse::write_down`]), who can say more about it.
    pub fn settle(&self, policy: &Policy, ticket: &Ticket, outcome: Outcome) -> Effect {
        if outcome == Outcome::Success && !policy.has_rates() && self.untouched_success(ticket) {
            return Effect::Counted;
        }
        let (demands, asked_us) = match outcome {
            Outcome::Telling { demands, asked_us } => (demands, asked_us),
            _ => (false, 0),
        };
        let failed = matches!(outcome, Outcome::Failure | Outcome::Telling { .. });
        let call = Call { failed, took_us: self.took_us(policy, ticket.began_us), demands, asked_us };
        let effect = match (ticket.valid(), outcome) {
            (None, _) => Effect::Late,
            (Some(permit), Outcome::Ignored) => self.fuse().released(permit),
            (Some(permit), _) => self.fuse().ended(policy, permit, call, || self.now_us()),
        };
        if failed || self.table.watch().is_left() {
            self.look_around();
        }
        if effect == Effect::Late && !self.is_mine() {
            // What is counted here is the next tenant's.
            return effect;
        }
        self.add(match outcome {
            Outcome::Success => Counter::Successes,
            Outcome::Failure | Outcome::Telling { .. } => Counter::Failures,
            Outcome::Ignored => Counter::Ignored,
        });
        match effect {
            Effect::Late => self.add(Counter::Late),
            Effect::Changed(transition) if transition.to == State::Open => self.add(Counter::Trips),
            Effect::Changed(_) => self.add(Counter::Closes),
            Effect::Counted => {}
        }
        effect
    }
}
