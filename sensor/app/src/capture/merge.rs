//! `Merged`: several captures as one timeline.

use super::error::Error;
use super::file::FileSource;
use super::source::{Fill, FrameSource, Progress};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use yagura_core::frame::FrameBatch;
use yagura_rules::facts::time::Timestamp;

/// How many frames a capture hands over at a time to be merged.
const LANE_FRAMES_MAX: usize = 256;

/// Several captures, merged by time.
///
/// Of the frames that come next in each capture, the one of the earliest time goes first, and of several of the same
/// time the one whose capture was named first. The order of frames within a capture is never changed: where its clock
/// goes back, the frame follows its predecessor at once, for it is late already. A frame's own time is compared, not
/// the greatest of its capture so far, lest one frame of the year 2106 put off all that follow it for more than itself.
/// The order depends on nothing else, in particular not on the size of batches.
pub(super) struct Merged {
    lanes: Vec<Lane>,
    /// What comes next in each capture that is not waiting for frames: its time, and the capture's index.
    heads: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// Captures whose next frame is not known yet, in the order of the arguments.
    waiting: Vec<usize>,
    /// Frames later than this end the timeline.
    until: Option<Timestamp>,
    damages: Vec<Error>,
}

/// One capture on its way into the timeline.
struct Lane {
    source: FileSource,
    batch: FrameBatch,
    /// Index of the next frame in `batch`.
    next: usize,
}

impl Lane {
    /// The time of the next frame in the batch.
    fn time(&self) -> Option<Timestamp> {
        self.batch.frames.get(self.next).map(|head| head.time)
    }
}

impl Merged {
    pub(super) fn new(sources: Vec<FileSource>, until: Option<Timestamp>) -> Self {
        let waiting = (0..sources.len()).collect();
        let lanes = sources.into_iter().map(|source| Lane { source, batch: FrameBatch::default(), next: 0 }).collect();
        Self { lanes, heads: BinaryHeap::new(), waiting, until, damages: Vec::new() }
    }

    /// As [`FrameSource::fill`], save that damage ends only its own capture and is kept for [`Merged::damages`].
    pub(super) fn fill(&mut self, batch: &mut FrameBatch, frames_max: usize) -> Fill {
        batch.clear();
        while batch.frames.len() < frames_max.max(1) {
            self.refill();
            let Some(&Reverse((time, index))) = self.heads.peek() else { break };
            if self.until.is_some_and(|until| time > until) {
                break;
            }
            self.heads.pop();
            self.take_run(index, batch, frames_max.max(1));
        }
        if batch.frames.is_empty() { Fill::End } else { Fill::Frames }
    }

    /// The damages met so far, in the order in which they were, each given once.
    pub(super) fn damages(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.damages)
    }

    pub(super) fn progress(&self) -> Option<Progress> {
        self.lanes.iter().map(|lane| lane.source.progress()).try_fold(Progress::default(), |sum, lane| {
            let lane = lane?;
            Some(Progress { read: sum.read.saturating_add(lane.read), total: sum.total.saturating_add(lane.total) })
        })
    }

    pub(super) fn frames_without_time(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.source.frames_without_time()).fold(0, u64::saturating_add)
    }

    /// Finds the next frame of each capture where it is not known: only when a frame is wanted, so that what lies
    /// beyond the end of the timeline is not looked at.
    fn refill(&mut self) {
        for index in self.waiting.drain(..) {
            let Some(lane) = self.lanes.get_mut(index) else { continue };
            lane.next = 0;
            match lane.source.fill(&mut lane.batch, LANE_FRAMES_MAX) {
                Ok(_) => self.heads.extend(lane.time().map(|time| Reverse((time, index)))),
                Err(error) => self.damages.push(error),
            }
        }
    }

    /// Takes frames of the capture that comes first as long as it does.
    fn take_run(&mut self, index: usize, batch: &mut FrameBatch, frames_max: usize) {
        let Some(lane) = self.lanes.get_mut(index) else { return };
        let rival = self.heads.peek().map(|&Reverse(head)| head);
        while let Some(head) = lane.batch.frames.get(lane.next) {
            let comes_first = rival.is_none_or(|rival| (head.time, index) < rival);
            let in_time = self.until.is_none_or(|until| head.time <= until);
            if !comes_first || !in_time || batch.frames.len() >= frames_max {
                self.heads.push(Reverse((head.time, index)));
                return;
            }
            batch.push(*head, lane.batch.octets_of(head));
            lane.next = lane.next.saturating_add(1);
        }
        self.waiting.push(index);
    }
}
