//! The end of a process that hangs: an operation that computes for longer than any bounded one can. Time on a core counts,
//! so that it does not matter who else has the cores; time by the clock counts too, but only where it is absurd.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What a process exits with when its watchdog ends it.
pub const HUNG: i32 = 97;
/// Longer than the threads of a test compute while one of them makes one step.
const LIMIT: Duration = Duration::from_secs(5);
const ABSURD: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);

struct Beat {
    since: Instant,
    computed: Duration,
    doing: String,
}

impl Beat {
    fn of(doing: String) -> Self {
        Self { since: Instant::now(), computed: computed(ClockId::ProcessCPUTime), doing }
    }
}

/// Watches one thread, which says what it is about to do, until it is dropped.
pub struct Watchdog {
    beat: Arc<Mutex<Beat>>,
    began: Duration,
    longest: (String, Duration),
}

impl Watchdog {
    /// Begins to watch, with the limit of a real check.
    pub fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    /// Begins to watch.
    pub fn with_limit(limit: Duration) -> Self {
        let beat = Arc::new(Mutex::new(Beat::of("begin".to_owned())));
        let watched = Arc::downgrade(&beat);
        thread::spawn(move || watch(&watched, limit));
        Self { beat, began: computed(ClockId::ThreadCPUTime), longest: (String::new(), Duration::ZERO) }
    }

    /// Says what comes next.
    pub fn about_to(&mut self, doing: impl Into<String>) {
        let mut beat = self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *beat, Beat::of(doing.into()));
        let now = computed(ClockId::ThreadCPUTime);
        if now - self.began > self.longest.1 {
            self.longest = (before.doing, now - self.began);
        }
        self.began = now;
    }

    /// What took the longest so far, and how long it had a core.
    pub fn longest(&self) -> &(String, Duration) {
        &self.longest
    }
}

fn computed(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

fn watch(beat: &Weak<Mutex<Beat>>, limit: Duration) {
    while let Some(beat) = beat.upgrade() {
        let beat = beat.lock().unwrap_or_else(PoisonError::into_inner);
        if computed(ClockId::ProcessCPUTime) - beat.computed > limit || beat.since.elapsed() > ABSURD {
            eprintln!("hung in: {}", beat.doing);
            std::process::exit(HUNG);
        }
        drop(beat);
        thread::sleep(LOOK);
    }
}
