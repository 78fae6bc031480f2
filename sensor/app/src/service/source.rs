//! `LiveSource`: what comes from all interfaces, in the order in which it is taken, until somebody ends it.

use super::health::{Delays, Stage};
use super::wall_ns;
use crate::capture::error::Error;
use crate::capture::source::{Fill, FrameSource, Progress};
use crossbeam_channel::Select;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use yagura_core::frame::FrameBatch;
use yagura_live::hand_over::{Handed, Taker};
use yagura_live::interface::LinkState;
use yagura_sandbox::watchdog::Pulse;

/// How long it is waited for something before it is looked whether to end.
const PATIENCE: Duration = Duration::from_millis(100);

/// What comes from all interfaces.
pub struct LiveSource {
    /// One of each interface, in the configuration's order.
    pub feeds: Vec<Feed>,
    /// Facts that do not come with frames: what this machine sent, faults of the sensor, a new policy.
    pub facts: crossbeam_channel::Receiver<Fill>,
    /// Set when it is to end.
    pub ends: Arc<AtomicBool>,
    /// Where the delay until the dispatcher is noted.
    pub delays: Delays,
    /// What shows that the pipeline moves.
    pub pulse: Arc<Pulse>,
    /// Batches so far.
    pub batches: u64,
}

/// What comes from one interface.
pub struct Feed {
    taker: Taker,
    /// The state of its link.
    link: LinkState,
    /// Frames that came through since the last loss.
    seen: u64,
}

impl Feed {
    /// The end of a hand-over, of an interface whose link is up.
    pub fn new(taker: Taker) -> Self {
        Self { taker, link: LinkState::Up, seen: 0 }
    }
}

impl LiveSource {
    /// What came from an interface, if anything did: whether the batch has frames now, or what else it is.
    fn taken(&mut self, index: usize, batch: &mut FrameBatch) -> Option<Fill> {
        let capture = u16::try_from(index).unwrap_or(u16::MAX);
        let feed = self.feeds.get_mut(index)?;
        match feed.taker.receive(Duration::ZERO)? {
            Handed::Frames(frames) => {
                feed.taker.give_back(std::mem::replace(batch, frames));
                feed.seen = feed.seen.saturating_add(u64::try_from(batch.frames.len()).unwrap_or(u64::MAX));
                let latest = batch.frames.last().map_or(0, |head| head.time.0);
                self.delays.note(Stage::Dispatch, wall_ns().saturating_sub(latest));
                self.batches = self.batches.saturating_add(1);
                self.pulse.begin(self.batches);
                self.pulse.frame(batch.frames.first().map_or(0, |head| head.origin.frame));
                Some(Fill::Frames)
            }
            Handed::Heartbeat(time) => Some(Fill::Heartbeat(time)),
            Handed::Loss(loss) => Some(Fill::Fact(super::facts::loss(capture, &loss, std::mem::take(&mut feed.seen)))),
            Handed::State(state) => {
                let before = std::mem::replace(&mut feed.link, state);
                Some(Fill::Fact(super::facts::link(capture, before, state)))
            }
        }
    }
}

impl FrameSource for LiveSource {
    fn fill(&mut self, batch: &mut FrameBatch, _frames_max: usize) -> Result<Fill, Error> {
        batch.clear();
        loop {
            self.pulse.idle();
            if self.ends.load(Ordering::Relaxed) {
                return Ok(Fill::End);
            }
            let mut select = Select::new();
            for feed in &self.feeds {
                select.recv(feed.taker.receiver());
            }
            let of_facts = select.recv(&self.facts);
            // Who is ready is only told: what is there is taken below.
            let Ok(ready) = select.ready_timeout(PATIENCE) else { continue };
            if ready == of_facts {
                match self.facts.try_recv() {
                    Ok(fact) => return Ok(fact),
                    Err(crossbeam_channel::TryRecvError::Empty) => {}
                    // Nobody has anything to say any more.
                    Err(crossbeam_channel::TryRecvError::Disconnected) => return Ok(Fill::End),
                }
            } else if let Some(fill) = self.taken(ready, batch) {
                return Ok(fill);
            } else {
                // An interface's thread has ended; the others go on.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn progress(&self) -> Option<Progress> {
        None
    }

    fn frames_without_time(&self) -> u64 {
        0
    }
}
