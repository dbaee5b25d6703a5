//! A bound on how long the living may take over what a dead process left (rule T02: nobody waits).

use std::io::Write;
use std::process::abort;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Ten thousand times what it takes, so that a busy machine does not bark.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ends the whole process, aloud, when something takes too long.
pub struct Watchdog(Sender<Option<String>>);

impl Watchdog {
    /// A watchdog with a thread of its own, which ends with it.
    pub fn new() -> Self {
        let (begun, watched) = channel();
        thread::spawn(move || watch(&watched));
        Self(begun)
    }

    /// Does something within the time.
    pub fn within_time<T>(&self, what: String, something: impl FnOnce() -> T) -> T {
        self.0.send(Some(what)).expect("a watchdog that lives");
        let done = something();
        self.0.send(None).expect("a watchdog that lives");
        done
    }
}

fn watch(watched: &Receiver<Option<String>>) {
    let mut under_way = None;
    loop {
        match watched.recv_timeout(PATIENCE) {
            Ok(news) => under_way = news,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                if let Some(what) = under_way {
                    _ = writeln!(std::io::stderr(), "single_step: somebody waits for the dead: {what}");
                    abort();
                }
            }
        }
    }
}
