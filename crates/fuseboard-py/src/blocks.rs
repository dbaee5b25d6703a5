//! The permits of `with` blocks. A breaker is one object for all threads, tasks and generators, and what tells their
//! blocks apart is the frame that runs them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::fuse::Held;
use crate::guard::references;

/// A frame, kept so that no other gets its address, and the permits of the blocks it is in. None for a block that runs
/// unguarded, or whose permit is void.
struct Frame {
    frame: Py<PyAny>,
    innermost: Option<Held>,
    outer: Vec<Option<Held>>,
}

impl Frame {
    /// One that runs or waits is referred to by the interpreter too.
    fn has_ended(&self) -> bool {
        references(&self.frame) == 1
    }

    fn permits(&self) -> impl Iterator<Item = Option<&Held>> {
        std::iter::once(&self.innermost).chain(&self.outer).map(Option::as_ref)
    }

    fn void(&mut self) {
        self.innermost = None;
        self.outer.fill_with(|| None);
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
    pub(crate) fn enter(&self, frame: Bound<'_, PyAny>, held: Option<Held>) {
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
    /// that has ended, as an `ExitStack` does it.
    pub(crate) fn leave(&self, frame: &Bound<'_, PyAny>) -> Option<Held> {
        let mut frames = self.lock();
        let running = frame.as_ptr().addr();
        let address = if frames.contains_key(&running) { running } else { ended(&mut frames)? };
        let entered = frames.get_mut(&address)?;
        let held = entered.innermost.take();
        let left = match entered.outer.pop() {
            Some(next) => {
                entered.innermost = next;
                None
            }
            None => frames.remove(&address),
        };
        drop(frames);
        // Behind the lock: letting a frame go runs other people's code.
        drop(left);
        held
    }

    /// Shows the collector what is kept here.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Not while somebody holds it: the collector may run in the middle of an insertion.
        let frames = self.0.try_lock();
        frames.iter().flat_map(|frames| frames.values()).try_for_each(|entered| visit.call(&entered.frame))
    }
}

/// A frame that has ended in a block: any, if all their permits are alike. If they are not, nobody can tell whose block
/// it is; then all of them are void and their outcomes change nothing (rule R09), and a probe among them runs to its
/// deadline.
fn ended(frames: &mut Frames) -> Option<usize> {
    // A frame that is kept by a traceback does not look ended; where there is but one, it is this one all the same.
    let is_only = frames.len() == 1;
    let mut ended: Vec<_> = frames.iter_mut().filter(|(_, frame)| is_only || frame.has_ended()).collect();
    let permits: Vec<_> = ended.iter().flat_map(|(_, frame)| frame.permits()).collect();
    let alike = |pair: &[Option<&Held>]| pair[0].zip(pair[1]).is_some_and(|(a, b)| a.is_like(b));
    let is_clear = is_only || permits.windows(2).all(alike);
    if !is_clear {
        ended.iter_mut().for_each(|(_, frame)| frame.void());
    }
    ended.first().map(|(address, _)| **address)
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
