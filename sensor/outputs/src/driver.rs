//! One output at work: read, write, wait for the receiver, move the cursor. Nothing waits for it.

use crate::feed::{Feed, FeedError, Step};
use crate::format::{Writing, gap};
use crate::record::{Class, Entry, Severity};
use crate::sink::{Message, SendError, Sink};
use crate::status::{Board, State};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long an output waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The pause after a first failure; it doubles with each that follows.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How often an idle output looks for records.
    pub poll: Duration,
    /// How often the cursor is kept at most.
    pub keep: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            poll: Duration::from_millis(200),
            keep: Duration::from_millis(200),
        }
    }
}

/// Which records an output tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Of these classes.
    pub classes: Vec<Class>,
    /// Of this severity at least, where the record is an alert.
    pub severity: Severity,
}

impl Choice {
    /// Whether a record is told. Missing records are always told: whoever does not know of them takes silence for peace.
    pub fn takes(&self, entry: &Entry) -> bool {
        let severe = entry.class != Class::Alert || entry.severity.is_none_or(|severity| severity >= self.severity);
        entry.class == Class::Gap || (self.classes.contains(&entry.class) && severe)
    }
}

/// An output.
pub struct Driver {
    /// Its name.
    pub name: String,
    /// Which records.
    pub choice: Choice,
    /// How they look.
    pub writing: Writing,
    /// Where they come from.
    pub feed: Box<dyn Feed>,
    /// Where they go.
    pub sink: Box<dyn Sink>,
    /// How long it waits.
    pub pace: Pace,
    /// Where its state is told.
    pub board: Board,
    /// Its place there.
    pub place: usize,
    /// Ends it.
    pub stop: Arc<AtomicBool>,
}

/// Where something went wrong.
enum Trouble {
    /// With the receiver: the connection is gone, and what it has not confirmed with it.
    Sink(SendError),
    /// With the journal or the cursor: the receiver is as before.
    Journal(FeedError),
}

impl From<SendError> for Trouble {
    fn from(error: SendError) -> Self {
        Self::Sink(error)
    }
}

/// What is on its way.
#[derive(Default)]
struct Way {
    /// Read and not confirmed, the oldest first.
    window: VecDeque<Message>,
    /// So many of them the receiver was given.
    taken: usize,
    /// Octets of their texts.
    octets: usize,
    /// Every record up to here is dealt with.
    done: u64,
    /// Up to here the feed knows.
    kept: u64,
    kept_at: Option<Instant>,
    /// Failures since something went well.
    failures: u32,
}

impl Driver {
    /// Works until it is told to stop.
    pub fn run(mut self) {
        let mut way = Way::default();
        while !self.stop.load(Ordering::Relaxed) {
            let waits = match self.turn(&mut way) {
                Ok(true) => continue,
                Ok(false) => self.pace.poll,
                Err(trouble) => self.failed(&mut way, &trouble),
            };
            self.wait(waits);
        }
        self.end(&mut way);
    }

    /// One round; whether there may be more to do at once.
    fn turn(&mut self, way: &mut Way) -> Result<bool, Trouble> {
        // What was read before goes out even where no more can be read.
        let filled = self.fill(way);
        let mut moved = false;
        if way.taken < way.window.len() {
            let unsent = way.window.make_contiguous().get(way.taken..).unwrap_or_default();
            let sent = self.sink.send(unsent)?;
            moved = sent.taken > 0;
            way.taken = way.taken.saturating_add(sent.taken).min(way.window.len());
            for (id, reason) in &sent.refused {
                self.note(|status| {
                    status.refused = status.refused.saturating_add(1);
                    status.last_remark = Some(format!("the receiver will never take {id}: {reason}"));
                });
            }
            self.confirmed(way, sent.confirmed, sent.refused.len());
        }
        let confirmed = self.sink.confirm()?;
        self.confirmed(way, confirmed, 0);
        if let Some(remark) = self.sink.remark() {
            self.note(|status| status.last_remark = Some(remark));
        }
        let lags = filled.map_err(Trouble::Journal)?;
        self.keep(way, false).map_err(Trouble::Journal)?;
        way.failures = 0;
        self.note(|status| match (moved || confirmed > 0, status.state) {
            (_, _) if lags => status.turn(State::Lagging),
            (true, _) | (false, State::Lagging | State::Failing) => status.turn(State::Connected),
            (false, _) => {}
        });
        // A window that is full of what is not yet confirmed has to be waited for.
        Ok(moved || confirmed > 0)
    }

    /// Reads until the window is full (then true) or nothing is there.
    fn fill(&mut self, way: &mut Way) -> Result<bool, FeedError> {
        let room = self.sink.window();
        // What an output does not tell is bounded too, so that a long way past it does not hold up the rest.
        for _ in 0..room.records.saturating_mul(4).max(4_096) {
            if way.window.len() >= room.records || way.octets >= room.octets {
                return Ok(true);
            }
            let (entry, through) = match self.feed.next()? {
                Step::Nothing => return Ok(false),
                Step::Entry(entry) => {
                    let through = entry.sequence;
                    (*entry, through)
                }
                Step::Lost { from, to } => {
                    let records = to.saturating_sub(from).saturating_add(1);
                    self.note(|status| status.lost = status.lost.saturating_add(records));
                    (gap(&self.name, from, to, jiff::Timestamp::now()), to)
                }
            };
            let text = self.choice.takes(&entry).then(|| self.writing.text(&entry)).flatten();
            self.note(|status| {
                status.read = through;
                status.passed_over = status.passed_over.saturating_add(u64::from(text.is_none()));
            });
            match text {
                Some(text) => {
                    way.octets = way.octets.saturating_add(text.len());
                    let milliseconds = entry.time().map_or(0, jiff::Timestamp::as_millisecond);
                    way.window.push_back(Message { through, id: entry.id, milliseconds, text });
                }
                // Dealt with as soon as what is before it is.
                None => match way.window.back_mut() {
                    Some(message) => message.through = through,
                    None => way.done = through,
                },
            }
        }
        Ok(true)
    }

    /// The receiver has so many more, the oldest first.
    fn confirmed(&self, way: &mut Way, records: usize, refused: usize) {
        for _ in 0..records {
            let Some(message) = way.window.pop_front() else { break };
            way.octets = way.octets.saturating_sub(message.text.len());
            way.taken = way.taken.saturating_sub(1);
            way.done = message.through;
        }
        if records > 0 {
            let delivered = u64::try_from(records.saturating_sub(refused)).unwrap_or(u64::MAX);
            self.note(|status| status.delivered = status.delivered.saturating_add(delivered));
        }
    }

    /// Keeps the cursor, not too often.
    fn keep(&mut self, way: &mut Way, now: bool) -> Result<(), FeedError> {
        let is_due = way.kept_at.is_none_or(|at| at.elapsed() >= self.pace.keep);
        if way.done <= way.kept || !(now || is_due) {
            return Ok(());
        }
        self.feed.acknowledge(way.done)?;
        way.kept = way.done;
        way.kept_at = Some(Instant::now());
        self.note(|status| status.acknowledged = way.done);
        Ok(())
    }

    /// Notes a failure, and answers how long to pause.
    fn failed(&mut self, way: &mut Way, trouble: &Trouble) -> Duration {
        let (message, retry_after) = match trouble {
            Trouble::Sink(error) => {
                // What was taken and not confirmed goes again.
                way.taken = 0;
                // What was confirmed before need not go again, however long this lasts.
                let _ = self.keep(way, true);
                (error.message.clone(), error.retry_after)
            }
            Trouble::Journal(error) => (format!("journal: {error}"), None),
        };
        let doubled = self.pace.first_pause.saturating_mul(1_u32.checked_shl(way.failures).unwrap_or(u32::MAX));
        way.failures = way.failures.saturating_add(1);
        self.note(|status| {
            status.turn(State::Failing);
            status.failures = status.failures.saturating_add(1);
            status.last_error = Some(message);
        });
        doubled.min(self.pace.longest_pause).max(retry_after.unwrap_or_default())
    }

    /// A last round where the receiver is well, and the cursor.
    fn end(&mut self, way: &mut Way) {
        if way.failures == 0 && self.turn(way).is_err() {
            way.taken = 0;
        }
        let finished = self.sink.finish().min(way.taken);
        self.confirmed(way, finished, 0);
        // At least once: what cannot be kept is sent again after the next start.
        let _ = self.keep(way, true);
        self.note(|status| status.turn(State::Ended));
    }

    fn wait(&self, time: Duration) {
        let begun = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    fn note(&self, change: impl FnOnce(&mut crate::status::Status)) {
        self.board.change(self.place, change);
    }
}
