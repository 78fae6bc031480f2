//! Finds a thread that has work in hand and does not move.
//!
//! Each thread has a [`Pulse`] and sets a number in it at each step; a [`Watchdog`] on another thread looks now and
//! then. An idle thread is never stuck. No clock is read here: whoever looks says what time it is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What a thread is at, on a cache line of its own.
#[derive(Debug)]
#[repr(align(128))]
pub struct Pulse {
    thread: String,
    /// The number of the piece of work plus one, or 0 while idle.
    batch: AtomicU64,
    frame: AtomicU64,
    /// Counts steps, so that the same frame taken twice is a step too.
    steps: AtomicU64,
}

impl Pulse {
    /// Of a thread, by its name.
    #[must_use]
    pub fn new(thread: &str) -> Arc<Self> {
        Arc::new(Self {
            thread: thread.to_owned(),
            batch: AtomicU64::new(0),
            frame: AtomicU64::new(0),
            steps: AtomicU64::new(0),
        })
    }

    /// A piece of work is begun: a batch, by its number.
    pub fn begin(&self, batch: u64) {
        self.batch.store(batch.saturating_add(1), Relaxed);
        self.step();
    }

    /// A frame is begun, by its number in the capture.
    pub fn frame(&self, frame: u64) {
        self.frame.store(frame, Relaxed);
        self.step();
    }

    /// The work is done, or waits for another thread: who waits for a thread that is stuck is not stuck itself.
    pub fn idle(&self) {
        self.batch.store(0, Relaxed);
        self.step();
    }

    /// Only the thread itself counts, so that reading and storing need not be one.
    fn step(&self) {
        self.steps.store(self.steps.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

/// A thread that does not move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Its name.
    pub thread: String,
    /// The batch that it began.
    pub batch: u64,
    /// The frame that it began last. If its work does not go by frames, 0.
    pub frame: u64,
    /// For how long it has not moved, as far as was looked.
    pub since: Duration,
}

impl fmt::Display for Stuck {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thread, batch, frame, since } = self;
        write!(out, "thread {thread} has been at frame {frame} of batch {batch} for {:.1} s", since.as_secs_f64())
    }
}

/// Looks at pulses.
#[derive(Debug)]
pub struct Watchdog {
    patience: Duration,
    looked: Duration,
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    pulse: Arc<Pulse>,
    steps: u64,
    moved: Duration,
}

impl Watchdog {
    /// Over these threads, which may stand still for `patience` while they have work.
    #[must_use]
    pub fn new(patience: Duration, pulses: impl IntoIterator<Item = Arc<Pulse>>) -> Self {
        let watched = |pulse: Arc<Pulse>| Watched { steps: pulse.steps.load(Relaxed), pulse, moved: Duration::ZERO };
        Self { patience, looked: Duration::ZERO, watched: pulses.into_iter().map(watched).collect() }
    }

    /// Those that have not moved for longer than the patience, as of `now`, which is counted from a start of the
    /// caller's and never goes back.
    ///
    /// Looking seldom makes it late, never wrong: a thread is stuck only if it was seen at the same step before. A look
    /// that itself comes more than the patience after the last one accuses nobody, since the whole machine may have
    /// slept.
    pub fn look(&mut self, now: Duration) -> Vec<Stuck> {
        let patience = self.patience;
        if now.saturating_sub(self.looked) > patience {
            self.watched.iter_mut().for_each(|watched| watched.moved = now);
        }
        self.looked = now;
        self.watched.iter_mut().filter_map(|watched| watched.look(now, patience)).collect()
    }
}

impl Watched {
    fn look(&mut self, now: Duration, patience: Duration) -> Option<Stuck> {
        let steps = self.pulse.steps.load(Relaxed);
        let batch = self.pulse.batch.load(Relaxed);
        if batch == 0 || steps != self.steps {
            self.steps = steps;
            self.moved = now;
            return None;
        }
        let since = now.saturating_sub(self.moved);
        (since > patience).then(|| Stuck {
            thread: self.pulse.thread.clone(),
            batch: batch.saturating_sub(1),
            frame: self.pulse.frame.load(Relaxed),
            since,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// a thread that hangs in a frame is found, with that frame's number.
    #[test]
    fn a_thread_that_stays_in_a_frame_is_named_with_it() {
        let (hung, working) = (Pulse::new("shard-3"), Pulse::new("shard-4"));
        let mut watchdog = Watchdog::new(seconds(2), [hung.clone(), working.clone()]);
        hung.begin(17);
        hung.frame(4_711);
        working.begin(17);
        for second in 1..=3 {
            working.frame(second);
            assert_eq!(watchdog.look(seconds(second)), [], "second {second}");
        }
        working.frame(4);
        let stuck = watchdog.look(seconds(4));
        assert_eq!(stuck, [Stuck { thread: "shard-3".to_owned(), batch: 17, frame: 4_711, since: seconds(3) }]);
        assert_eq!(stuck[0].to_string(), "thread shard-3 has been at frame 4711 of batch 17 for 3.0 s");
        hung.frame(4_712);
        working.idle();
        assert_eq!(watchdog.look(seconds(5)), [], "it moves again");
    }

    #[test]
    fn an_idle_thread_and_one_that_turns_in_a_circle_are_not_stuck() {
        let (idle, circling) = (Pulse::new("idle"), Pulse::new("circling"));
        let mut watchdog = Watchdog::new(seconds(2), [idle.clone(), circling.clone()]);
        idle.begin(1);
        idle.frame(1);
        idle.idle();
        circling.begin(1);
        for second in 0..20 {
            circling.frame(1);
            assert_eq!(watchdog.look(seconds(second)), []);
        }
    }

    #[test]
    fn a_machine_that_slept_accuses_nobody() {
        let pulse = Pulse::new("shard-0");
        let mut watchdog = Watchdog::new(seconds(2), [pulse.clone()]);
        pulse.begin(1);
        assert_eq!(watchdog.look(seconds(1)), []);
        assert_eq!(watchdog.look(seconds(4_000)), []);
        assert_eq!(watchdog.look(seconds(4_001)), []);
        assert_eq!(watchdog.look(seconds(4_002)), []);
        assert_eq!(watchdog.look(seconds(4_003)).len(), 1, "now it was looked at long enough");
    }
}
