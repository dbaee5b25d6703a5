//! What the models share: a way to explore them, a way to race, and one fuse as a value.
//!
//! Under `--cfg fuseboard_loom` loom goes through the interleavings and through the values that a load may see in the
//! memory model; otherwise real threads run each model many times, for ThreadSanitizer to watch.

use std::sync::Arc;

use fuseboard_core::fuse::{Cell, Effect, Fuse, Permit};
use fuseboard_core::policy::Policy;
use fuseboard_core::rate::{RATE_WINDOWS, RateWindow};
use fuseboard_core::state::State;
use fuseboard_core::sync::{AtomicU64, Ordering};
use fuseboard_core::time::STAMP_BITS;
use fuseboard_core::word::Word;

#[cfg(fuseboard_loom)]
use loom::thread;
#[cfg(not(fuseboard_loom))]
use std::thread;

/// How often loom may stop a thread in the middle of what it does, in one execution, unless `LOOM_MAX_PREEMPTIONS` says
/// otherwise: once in the short form, of which every race that we know of can be seen; twice in the full one.
#[cfg(fuseboard_loom)]
pub fn preemptions() -> usize {
    if is_full() { 2 } else { 1 }
}

/// Whether loom is to explore the full form, which `FUSEBOARD_MODELS=full` asks for.
pub fn is_full() -> bool {
    cfg!(fuseboard_loom) && std::env::var("FUSEBOARD_MODELS").is_ok_and(|form| form == "full")
}

/// Accesses of one execution; some models have a long past.
#[cfg(fuseboard_loom)]
pub const BRANCHES: usize = 10_000;
/// How often real threads run a model.
#[cfg(not(fuseboard_loom))]
const ROUNDS: usize = 1_000;

/// When the models begin, in microseconds.
pub const NOW: u64 = 1_000_000;
/// One second.
pub const SECOND: u64 = 1_000_000;
/// What most models ask of a fuse.
pub const POLICY: Policy = Policy {
    threshold: 2,
    window_us: 10 * SECOND,
    reset_us: 30 * SECOND,
    probes: 1,
    success_threshold: 1,
    probe_us: 5 * SECOND,
    clear_on_success: true,
    ..Policy::DEFAULT
};

/// Explores `f`: every interleaving within the bound under loom, some with real threads.
#[cfg(fuseboard_loom)]
pub fn model(f: impl Fn() + Sync + Send + 'static) {
    model_within(preemptions(), f);
}

/// The same within a bound of its own, unless `LOOM_MAX_PREEMPTIONS` says otherwise.
#[cfg(fuseboard_loom)]
pub fn model_within(preemptions: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = BRANCHES;
    builder.check(f);
}

/// Explores `f`: every interleaving within the bound under loom, some with real threads.
#[cfg(not(fuseboard_loom))]
pub fn model(f: impl Fn() + Sync + Send + 'static) {
    for _ in 0..ROUNDS {
        f();
    }
}

/// One of several operations that run at once.
pub type Job<S, T> = Box<dyn FnOnce(&S) -> T + Send>;

/// A job of a closure.
pub fn job<S, T>(f: impl FnOnce(&S) -> T + Send + 'static) -> Job<S, T> {
    Box::new(f)
}

/// Runs the jobs at once, the last of them on this thread; their answers in the same order.
pub fn race<S, T, const N: usize>(shared: &Arc<S>, jobs: [Job<S, T>; N]) -> [T; N]
where
    S: Send + Sync + 'static,
    T: Send + std::fmt::Debug + 'static,
{
    let start = Arc::new(Start::new(N));
    let mut mine = None;
    let mut others = Vec::new();
    for (place, job) in jobs.into_iter().enumerate() {
        if place + 1 == N {
            mine = Some(job);
            continue;
        }
        let (shared, start) = (Arc::clone(shared), Arc::clone(&start));
        others.push(thread::spawn(move || {
            start.wait();
            job(&shared)
        }));
    }
    start.wait();
    let mine = mine.map(|job| job(shared));
    let answers = others.into_iter().map(|other| other.join().expect("a thread of the model ends"));
    answers.chain(mine).collect::<Vec<_>>().try_into().expect("one answer for each job")
}

/// Makes real threads begin together; loom needs no help.
struct Start(#[cfg(not(fuseboard_loom))] std::sync::Barrier);

impl Start {
    #[cfg(fuseboard_loom)]
    fn new(_: usize) -> Self {
        Self()
    }

    #[cfg(not(fuseboard_loom))]
    fn new(threads: usize) -> Self {
        Self(std::sync::Barrier::new(threads))
    }

    fn wait(&self) {
        #[cfg(not(fuseboard_loom))]
        self.0.wait();
    }
}

/// One row of a table as a value: a cell, its log and its rate windows.
pub struct Row {
    pub cell: Cell,
    pub log: Vec<AtomicU64>,
    pub rate_windows: [RateWindow; RATE_WINDOWS],
}

impl Row {
    /// A row of a fuse never seen, with `len` entries in its log.
    pub fn new(len: usize) -> Arc<Self> {
        Arc::new(Self {
            cell: Cell::new(),
            log: (0..len).map(|_| AtomicU64::new(0)).collect(),
            rate_windows: [(); RATE_WINDOWS].map(|()| RateWindow::new()),
        })
    }

    /// A row whose fuse went into `state` at [`NOW`].
    pub fn in_state(state: State, len: usize) -> Arc<Self> {
        let row = Self::new(len);
        row.fuse().set(state, NOW).expect("nothing holds a new fuse");
        row
    }

    pub fn fuse(&self) -> Fuse<'_> {
        Fuse::new(&self.cell, &self.log)
    }

    /// The fuse, whose policies may have rates.
    pub fn with_rates(&self) -> Fuse<'_> {
        self.fuse().with_rate_windows(&self.rate_windows)
    }

    /// A permit that must be had.
    pub fn permit(&self, policy: &Policy, now_us: u64) -> Permit {
        self.fuse().admit(policy, now_us).verdict.expect("the call is admitted")
    }

    /// How many failures the window holds, which no ring is too short to tell, as long as each entry that is still there
    /// continues the run of the one before it.
    pub fn run(&self) -> u64 {
        let entries = self.entries();
        let run = entries.first().map_or(0, |newest| newest.0);
        for (back, (length, _)) in (0..).zip(&entries) {
            assert_eq!(run - back, *length, "the run of entry {back} from the end of {entries:?}");
        }
        run
    }

    /// How many failures the fuse has counted since the beginning, up to 4,095.
    pub fn head_of(word: Word) -> u64 {
        word.0 >> 4 & 0xfff
    }

    /// The run and the stamp of each failure of the window that is still in the ring, newest first.
    pub fn entries(&self) -> Vec<(u64, u64)> {
        let word = self.fuse().word();
        let head = Self::head_of(word) as usize;
        let entry = |back: usize| {
            let entry = self.log[head.wrapping_sub(1 + back) % self.log.len()].load(Ordering::Relaxed);
            (entry >> STAMP_BITS, entry & ((1 << STAMP_BITS) - 1))
        };
        let count = if word.is_dirty() { self.log.len().min(entry(0).0 as usize) } else { 0 };
        (0..count).map(entry).collect()
    }
}

/// How many of the effects changed the state.
pub fn changes(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Changed(_))).count()
}
