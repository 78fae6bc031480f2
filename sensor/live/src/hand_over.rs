//! `HandOver`: the bounded way from the capture thread to the dispatcher, which never makes the capture thread wait.
//!
//! What cannot be handed over is lost here, where it can be chosen, rather than in the kernel, where it cannot. While
//! there is room, everything goes. When only the reserve is left, bulk frames go no more; when that is used too,
//! nothing does. What was lost is told in its place among the frames: `received = handed + lost + held`, exactly.

use crate::class::{ByClass, Class};
use crate::interface::LinkState;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use yagura_core::frame::{FrameBatch, FrameHead};
use yagura_rules::facts::time::Timestamp;

/// Between two heartbeats on a silent link.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long a frame may be in the kernel's ring before it is read, in ns: a heartbeat is so much behind the clock, so
/// that no frame comes after it that is older.
const HEARTBEAT_LAG_NS: u64 = 200_000_000;

/// Things waiting for room, beside frames; more of the same kind become one.
const OUTBOX_MAX: usize = 32;

/// How much may be on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Batches on their way.
    pub batches: usize,
    /// Frames in a batch.
    pub frames: usize,
    /// A batch that has so many octets takes no further frame. Together with the longest frame, it bounds a batch.
    pub octets: usize,
    /// Places, of `batches`, that bulk frames do not get.
    pub reserve: usize,
    /// Batches that the taker may have in its hands at once.
    pub abroad: usize,
}

impl Default for Bounds {
    /// 64 batches of 256 frames or 512 KiB, a quarter of them in reserve: at most about 60 MiB in all.
    fn default() -> Self {
        Self { batches: 64, frames: 256, octets: 512 << 10, reserve: 16, abroad: 32 }
    }
}

/// What was lost between two frames that were handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loss {
    /// When it began: the time of the first frame lost here, or when the loss elsewhere was noticed.
    pub first: Timestamp,
    /// When it ended.
    pub last: Timestamp,
    /// Frames lost here for want of room, by class.
    pub frames: ByClass,
    /// Octets that they had on the wire.
    pub octets: u64,
    /// Frames that the kernel had no room for.
    pub kernel: u64,
    /// Frames that the card or its driver lost.
    pub interface: u64,
}

impl Loss {
    fn add(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.frames = self.frames.plus(&other.frames);
        self.octets = self.octets.saturating_add(other.octets);
        self.kernel = self.kernel.saturating_add(other.kernel);
        self.interface = self.interface.saturating_add(other.interface);
    }

    /// All frames that it tells of.
    pub fn total(&self) -> u64 {
        self.frames.total().saturating_add(self.kernel).saturating_add(self.interface)
    }
}

/// What comes out, in the order in which it went in.
#[derive(Debug)]
pub enum Handed {
    /// Frames, at least one. The batch is to be given back.
    Frames(FrameBatch),
    /// Nothing was captured, by the capture's clock, until this time: silence can be judged. Never behind a frame that
    /// was handed over before.
    Heartbeat(Timestamp),
    /// Frames are missing here. Where bulk frames were left out from among others, it stands before the batch that they
    /// are missing from.
    Loss(Loss),
    /// The link has another state.
    State(LinkState),
}

/// What went through a hand-over, in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Received.
    pub received: u64,
    /// Handed over.
    pub handed: u64,
    /// Lost for want of room.
    pub lost: ByClass,
    /// Neither yet.
    pub held: u64,
}

/// [`Counted`], for others to look at while it goes on: even when the taker stands still, it can be told what is lost.
/// A look may fall between two of its numbers.
#[derive(Debug, Default)]
pub struct Gauge {
    received: AtomicU64,
    handed: AtomicU64,
    industrial: AtomicU64,
    addressing: AtomicU64,
    bulk: AtomicU64,
    kernel: AtomicU64,
    interface: AtomicU64,
}

impl Gauge {
    /// Frames that were lost before they came here: by the kernel, and by the card.
    pub fn lost_elsewhere(&self) -> (u64, u64) {
        (self.kernel.load(Ordering::Relaxed), self.interface.load(Ordering::Relaxed))
    }

    /// What went through until the capture thread last looked up.
    pub fn counted(&self) -> Counted {
        let get = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let lost =
            ByClass { industrial: get(&self.industrial), addressing: get(&self.addressing), bulk: get(&self.bulk) };
        let (received, handed) = (get(&self.received), get(&self.handed));
        Counted { received, handed, lost, held: received.saturating_sub(handed).saturating_sub(lost.total()) }
    }
}

/// The end of the hand-over that the capture thread has.
#[derive(Debug)]
pub struct Giver {
    bounds: Bounds,
    sender: Sender<Handed>,
    home: Receiver<FrameBatch>,
    /// Batches made so far; they come home to be used again.
    made: usize,
    /// The batch that is being filled.
    current: Option<FrameBatch>,
    /// What waits for room, in order; at most one batch.
    outbox: VecDeque<Handed>,
    /// Whether the one batch is in `outbox`.
    batch_waits: bool,
    /// Whether only the reserve is left.
    reserved: bool,
    /// The latest time that was told or is to be.
    latest: Timestamp,
    /// Whether frames came since the last look at the clock.
    stirred: bool,
    quiet_since: Instant,
    counted: Counted,
    gauge: Arc<Gauge>,
    deserted: bool,
}

/// The end that the dispatcher has.
#[derive(Debug)]
pub struct Taker {
    receiver: Receiver<Handed>,
    home: Sender<FrameBatch>,
    gauge: Arc<Gauge>,
}

/// Both ends of a hand-over.
pub fn hand_over(bounds: Bounds) -> (Giver, Taker) {
    let bounds = Bounds {
        batches: bounds.batches.max(1),
        frames: bounds.frames.max(1),
        octets: bounds.octets.max(1),
        reserve: bounds.reserve.min(bounds.batches.saturating_sub(1)),
        abroad: bounds.abroad.max(1),
    };
    let (sender, receiver) = bounded(bounds.batches);
    let (home_sender, home) = bounded(most_batches(&bounds));
    let gauge = Arc::new(Gauge::default());
    let giver = Giver {
        bounds,
        sender,
        home,
        made: 0,
        current: None,
        outbox: VecDeque::new(),
        batch_waits: false,
        reserved: false,
        latest: Timestamp(0),
        stirred: false,
        quiet_since: Instant::now(),
        counted: Counted::default(),
        gauge: Arc::clone(&gauge),
        deserted: false,
    };
    (giver, Taker { receiver, home: home_sender, gauge })
}

/// Batches that there are at most: on their way, waiting, being filled, and in the taker's hands.
fn most_batches(bounds: &Bounds) -> usize {
    bounds.batches.saturating_add(bounds.abroad).saturating_add(2)
}

impl Giver {
    /// Takes a frame, or loses it. Never waits.
    #[inline]
    pub fn take(&mut self, head: FrameHead, octets: &[u8]) {
        self.counted.received = self.counted.received.saturating_add(1);
        self.stirred = true;
        if self.reserved {
            let class = Class::of(head.link, octets);
            if class == Class::Bulk {
                return self.lose(&head, class);
            }
        }
        if self.current.is_none() {
            self.current = self.empty_batch();
        }
        let Some(batch) = &mut self.current else { return self.lose(&head, Class::of(head.link, octets)) };
        self.latest = self.latest.max(head.time);
        batch.push(head, octets);
        self.counted.held = self.counted.held.saturating_add(1);
        if batch.frames.len() >= self.bounds.frames || batch.octets.len() >= self.bounds.octets {
            self.seal();
            self.look_up();
        }
    }

    /// Tells that the kernel and the card lost so many frames before what comes next.
    pub fn lost_before(&mut self, kernel: u64, interface: u64, noticed: Timestamp) {
        if kernel > 0 || interface > 0 {
            self.gauge.kernel.fetch_add(kernel, Ordering::Relaxed);
            self.gauge.interface.fetch_add(interface, Ordering::Relaxed);
            self.tell_loss(Loss { first: noticed, last: noticed, kernel, interface, ..Loss::default() });
        }
    }

    /// Tells that the link has another state.
    pub fn state(&mut self, state: LinkState) {
        self.seal();
        if self.outbox.len() >= OUTBOX_MAX
            && let Some(Handed::State(waiting)) =
                self.outbox.iter_mut().rev().find(|waiting| matches!(waiting, Handed::State(_)))
        {
            *waiting = state;
            return;
        }
        self.outbox.push_back(Handed::State(state));
        self.look_up();
    }

    /// Hands over what waits, as far as there is room, and sees how much there is. To be called between two reads.
    pub fn look_up(&mut self) {
        while let Some(next) = self.outbox.pop_front() {
            // The places of the reserve are for frames: a loss waits for those that follow it, and grows meanwhile.
            if self.outbox.is_empty() && matches!(next, Handed::Loss(_)) && self.free() <= self.bounds.reserve {
                self.outbox.push_front(next);
                break;
            }
            let frames = frames_of(&next);
            match self.sender.try_send(next) {
                Ok(()) => self.gone(frames),
                Err(TrySendError::Full(back)) => {
                    self.outbox.push_front(back);
                    break;
                }
                Err(TrySendError::Disconnected(back)) => {
                    self.deserted = true;
                    self.give_up(&back);
                }
            }
        }
        self.reserved = self.batch_waits || self.free() <= self.bounds.reserve;
        let set = |gauge: &AtomicU64, value| gauge.store(value, Ordering::Relaxed);
        set(&self.gauge.received, self.counted.received);
        set(&self.gauge.handed, self.counted.handed);
        set(&self.gauge.industrial, self.counted.lost.industrial);
        set(&self.gauge.addressing, self.counted.lost.addressing);
        set(&self.gauge.bulk, self.counted.lost.bulk);
    }

    /// To be called when there is nothing to read: a batch that is not full goes if the taker has nothing else to do,
    /// and a heartbeat when it is due by `clock`, the time now of the clock that stamps the frames. Tells whether
    /// something waits, so that it is worth to come back soon.
    pub fn settle(&mut self, clock: Timestamp, now: Instant) -> bool {
        self.look_up();
        // A batch a frame would fill all places with next to nothing: what is not full waits until it is wanted.
        if self.current.is_some() && self.sender.is_empty() {
            self.seal();
            self.look_up();
        }
        if std::mem::take(&mut self.stirred) {
            self.quiet_since = now;
        }
        let waits = self.current.is_some() || !self.outbox.is_empty();
        if !waits && self.sender.is_empty() && now.saturating_duration_since(self.quiet_since) >= HEARTBEAT {
            self.quiet_since = now;
            self.latest = self.latest.max(Timestamp(clock.0.saturating_sub(HEARTBEAT_LAG_NS)));
            self.outbox.push_back(Handed::Heartbeat(self.latest));
            self.look_up();
        }
        waits
    }

    /// What went through until now.
    pub fn counted(&self) -> Counted {
        self.counted
    }

    /// Whether only the reserve is left: what is taken now may be lost.
    pub fn is_crowded(&self) -> bool {
        self.reserved
    }

    /// Frames that can be taken before it is crowded, unless they are much longer than usual; at least 1.
    pub fn room(&self) -> usize {
        let begun = self.current.as_ref().map_or(0, |batch| batch.frames.len());
        let places = self.free().saturating_sub(self.bounds.reserve);
        places.saturating_mul(self.bounds.frames).saturating_sub(begun).max(1)
    }

    /// Whether the taker is gone: nothing will be wanted any more.
    pub fn is_deserted(&self) -> bool {
        self.deserted
    }

    /// Hands over what is left, waiting at most `patience` for room; what does not go is lost. Nothing is held after
    /// it.
    pub fn finish(mut self, patience: Duration) -> Counted {
        self.seal();
        self.look_up();
        let now = Instant::now();
        let deadline = now.checked_add(patience).unwrap_or(now);
        while let Some(next) = self.outbox.pop_front() {
            let frames = frames_of(&next);
            match self.sender.send_deadline(next, deadline) {
                Ok(()) => self.gone(frames),
                Err(error) => self.give_up(&error.into_inner()),
            }
        }
        self.look_up();
        self.counted
    }

    /// Places that are free.
    fn free(&self) -> usize {
        self.bounds.batches.saturating_sub(self.sender.len())
    }

    /// A batch to fill, where the bounds allow one.
    fn empty_batch(&mut self) -> Option<FrameBatch> {
        if self.batch_waits {
            self.look_up();
            if self.batch_waits {
                return None;
            }
        }
        if let Ok(batch) = self.home.try_recv() {
            return Some(batch);
        }
        if self.made >= most_batches(&self.bounds) {
            return None;
        }
        self.made = self.made.saturating_add(1);
        Some(FrameBatch::default())
    }

    /// Puts the batch that is being filled, if there is one, among what waits. There it is the only one: another is
    /// begun only when it has gone.
    fn seal(&mut self) {
        if let Some(batch) = self.current.take() {
            self.batch_waits = true;
            self.outbox.push_back(Handed::Frames(batch));
        }
    }

    /// So many frames were handed over; 0 where it was something else.
    fn gone(&mut self, frames: u64) {
        if frames > 0 {
            self.batch_waits = false;
            self.counted.handed = self.counted.handed.saturating_add(frames);
            self.counted.held = self.counted.held.saturating_sub(frames);
        }
    }

    /// What can be handed over to nobody is lost.
    fn give_up(&mut self, unsent: &Handed) {
        let Handed::Frames(batch) = unsent else { return };
        for frame in batch.iter() {
            self.counted.lost.count(Class::of(frame.head.link, frame.octets));
        }
        self.counted.held = self.counted.held.saturating_sub(frames_of(unsent));
        self.batch_waits = false;
    }

    #[cold]
    fn lose(&mut self, head: &FrameHead, class: Class) {
        self.counted.lost.count(class);
        let mut frames = ByClass::default();
        frames.count(class);
        let octets = u64::from(head.wire_octets);
        self.tell_loss(Loss { first: head.time, last: head.time, frames, octets, ..Loss::default() });
    }

    fn tell_loss(&mut self, loss: Loss) {
        if let Some(Handed::Loss(waiting)) = self.outbox.back_mut() {
            waiting.add(&loss);
            return;
        }
        if self.outbox.len() >= OUTBOX_MAX
            && let Some(Handed::Loss(waiting)) =
                self.outbox.iter_mut().rev().find(|waiting| matches!(waiting, Handed::Loss(_)))
        {
            waiting.add(&loss);
            return;
        }
        self.outbox.push_back(Handed::Loss(loss));
    }
}

fn frames_of(handed: &Handed) -> u64 {
    match handed {
        Handed::Frames(batch) => u64::try_from(batch.frames.len()).unwrap_or(u64::MAX),
        _ => 0,
    }
}

impl Taker {
    /// What comes next; `None` where nothing comes within `patience`, or the giver is gone and nothing is left.
    pub fn receive(&self, patience: Duration) -> Option<Handed> {
        self.receiver.recv_timeout(patience).ok()
    }

    /// The channel itself, for who waits for several.
    pub fn receiver(&self) -> &Receiver<Handed> {
        &self.receiver
    }

    /// Gives a batch back, to be filled again.
    pub fn give_back(&self, mut batch: FrameBatch) {
        batch.clear();
        // There is room for all that exist. One that came from elsewhere may find none, and is not needed.
        drop(self.home.try_send(batch));
    }

    /// What is lost and what is not, also for others to look at.
    pub fn gauge(&self) -> Arc<Gauge> {
        Arc::clone(&self.gauge)
    }
}

#[cfg(test)]
#[path = "hand_over_tests.rs"]
mod tests;
