//! The permits of `with` blocks. A breaker is one object for all threads, tasks and generators, and what tells their
//! blocks apart is the frame that runs them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::interpreter::frames::references;
use crate::table::fuse::PermitInner;

/// A frame, kept so that no other gets its address, and the permits of the blocks it is in. None for a block that runs
/// unguarded, or whose permit is void.
struct Frame {
    frame: Py<PyAny>,
    innermost: Option<PermitInner>,
    outer: Vec<Option<PermitInner>>,
}

impl Frame {
    /// One that runs or waits is referred to by the interpreter too.
    fn has_ended(&self) -> bool {
        references(&self.frame) == 1
    }

    fn permits(&self) -> impl Iterator<Item = Option<&PermitInner>> {
        std::iter::once(&self.innermost).chain(&self.outer).map(Option::as_ref)
    }

    fn void(&mut self) {
        self.innermost = None;
        self.outer.fill_with(|| None);
    }

    /// Makes the permit of the call that began first the innermost one.
    fn turn(&mut self) {
        if !self.outer.is_empty() {
            self.outer.push(self.innermost.take());
            self.outer.sort_by_key(|held| Reverse(began_us(held.as_ref())));
            self.innermost = self.outer.pop().flatten();
        }
    }
}

/// Frames by address.
type Frames = HashMap<usize, Frame, BuildHasherDefault<AddressHasher>>;

/// The blocks that a breaker guards just now.
#[derive(Default)]
pub(crate) struct Blocks(Mutex<Frames>);

impl Blocks {
    /// Held for a few instructions that call nobody, so never across a fork of the thread that holds it.
    fn lock(&self) -> MutexGuard<'_, Frames> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the permit of a block that the frame enters.
    pub(crate) fn enter(&self, frame: Bound<'_, PyAny>, held: Option<PermitInner>) {
        let mut frames = self.lock();
        match frames.get_mut(&frame.as_ptr().addr()) {
            Some(entered) => entered.outer.push(std::mem::replace(&mut entered.innermost, held)),
            None => {
                let address = frame.as_ptr().addr();
                frames.insert(address, Frame { frame: frame.unbind(), innermost: held, outer: Vec::new() });
            }
        }
    }

    /// The permit of the innermost block of a frame, which it leaves. If it is in none, the block was entered by a frame
    /// that has ended, as an `ExitStack` does it; `voided` is called if nobody can tell whose it is.
    pub(crate) fn leave(&self, frame: &Bound<'_, PyAny>, voided: impl FnOnce()) -> Option<PermitInner> {
        let mut frames = self.lock();
        let running = frame.as_ptr().addr();
        let found = if frames.contains_key(&running) { Ended::at(running) } else { ended(&mut frames)? };
        let entered = frames.get_mut(&found.address)?;
        let held = entered.innermost.take().map(|held| match found.latest_us {
            Some(latest_us) => held.begun(latest_us),
            None => held,
        });
        let left = match entered.outer.pop() {
            Some(next) => {
                entered.innermost = next;
                None
            }
            None => frames.remove(&found.address),
        };
        drop(frames);
        // Behind the lock: letting a frame go runs other people's code.
        drop(left);
        if found.has_voided {
            voided();
        }
        held
    }

    /// Shows the collector what is kept here.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Not while somebody holds it: the collector may run in the middle of an insertion.
        let frames = self.0.try_lock();
        frames.iter().flat_map(|frames| frames.values()).try_for_each(|entered| visit.call(&entered.frame))
    }
}

/// A frame that is to leave a block.
#[derive(Default)]
struct Ended {
    address: usize,
    /// When the call is to have begun, where the permit is any of several.
    latest_us: Option<u64>,
    has_voided: bool,
}

impl Ended {
    fn at(address: usize) -> Self {
        Self { address, ..Self::default() }
    }
}

/// A frame that has ended in a block: any, if all their permits are alike. If they are not, nobody can tell whose block
/// it is; then all of them are void and their outcomes change nothing (rule R09), and a probe among them runs to its
/// deadline.
///
/// Of alike ones the call that ends counts as the one that began last, and the permit that goes is that of the one that
/// began first. So, in whatever order they end, none counts as longer than it was: what stays began no earlier, one by
/// one, than those that are still under way.
fn ended(frames: &mut Frames) -> Option<Ended> {
    // A frame that is kept by a traceback does not look ended; where there is but one, it is this one all the same.
    let is_only = frames.len() == 1;
    let mut ended: Vec<_> = frames.iter_mut().filter(|(_, frame)| is_only || frame.has_ended()).collect();
    let permits: Vec<_> = ended.iter().flat_map(|(_, frame)| frame.permits()).collect();
    let latest_us = permits.iter().copied().map(began_us).max().filter(|latest_us| *latest_us > 0);
    let are_all_alike = permits.windows(2).all(|pair| are_alike(pair[0], pair[1]));
    if !is_only && !are_all_alike {
        let has_voided = permits.iter().any(Option::is_some);
        ended.iter_mut().for_each(|(_, frame)| frame.void());
        return ended.first().map(|(address, _)| Ended { has_voided, ..Ended::at(**address) });
    }
    let latest_us = latest_us.filter(|_| are_all_alike);
    if latest_us.is_some() {
        ended.iter_mut().for_each(|(_, frame)| frame.turn());
    }
    let first = ended.iter().min_by_key(|(_, frame)| began_us(frame.innermost.as_ref()));
    first.map(|(address, _)| Ended { latest_us, ..Ended::at(**address) })
}

fn are_alike(one: Option<&PermitInner>, other: Option<&PermitInner>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_like(other),
        _ => one.is_none() && other.is_none(),
    }
}

fn began_us(held: Option<&PermitInner>) -> u64 {
    held.map_or(0, PermitInner::began_us)
}

/// Addresses are as good as random in their middle bits; nobody chooses them to collide.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize(usize::from(*byte)));
    }

    fn write_usize(&mut self, address: usize) {
        // Fibonacci hashing (Knuth, TAOCP 3, 6.4).
        self.0 = (self.0 ^ address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}
