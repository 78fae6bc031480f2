//! `FrameSource`: where frames come from; and `Found` and `Scan`, by which the formats hand them to it.

use super::error::Error;
use yagura_core::frame::{FrameBatch, FrameHead};
use yagura_parsers::packet::link::LinkType;
use yagura_rules::facts::event::{EventKind, FrameRef};
use yagura_rules::facts::time::Timestamp;
use yagura_rules::policy::Policy;

/// What became of a call to [`FrameSource::fill`].
#[derive(Debug, Clone)]
pub enum Fill {
    /// The batch holds at least one frame.
    Frames,
    /// No frame has come; the capture's clock says so much. Live captures only; the batch is empty.
    Heartbeat(Timestamp),
    /// Something beside the frames is to be known. Live captures only; the batch is empty.
    Fact(EventKind),
    /// Another policy holds from the next frame on. Live captures only; the batch is empty.
    Policy(Box<Policy>),
    /// There are no more frames, now or later; the batch is empty.
    End,
}

impl PartialEq for Fill {
    /// Two policies are the same where they are one.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Frames, Self::Frames) | (Self::End, Self::End) => true,
            (Self::Heartbeat(one), Self::Heartbeat(other)) => one == other,
            (Self::Fact(one), Self::Fact(other)) => one == other,
            (Self::Policy(one), Self::Policy(other)) => std::ptr::eq(&raw const **one, &raw const **other),
            _ => false,
        }
    }
}

/// How much of what a source reads has been read, in octets as stored (packed ones, where the file is compressed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Octets read.
    pub read: u64,
    /// Octets in all.
    pub total: u64,
}

/// Where frames come from.
pub trait FrameSource: Send {
    /// Replaces what `batch` holds by the next frames: at least one and at most `frames_max` (0 counts as 1), with
    /// their octets. The batch needs no clearing before; one that comes back as it was handed out is cheapest.
    ///
    /// # Errors
    /// When a capture ends in damage. By then every whole frame before the damage has been handed over, by earlier
    /// calls; the batch is empty; each damage is told once. The caller calls on: further captures may have their own
    /// damage to tell, and then comes [`Fill::End`], as it does at every call after that.
    fn fill(&mut self, batch: &mut FrameBatch, frames_max: usize) -> Result<Fill, Error>;

    /// How far the source is; `None` where nobody knows how much there will be (standard input).
    fn progress(&self) -> Option<Progress>;

    /// Frames handed over so far for which the capture has no time (pcapng simple packets). They bear the last time
    /// that their capture had before them, or 0 where it had none.
    fn frames_without_time(&self) -> u64;
}

/// The longest captured frame that is believed, in octets. Four times what libpcap writes at most.
pub(super) const FRAME_OCTETS_MAX: u32 = 1 << 20;

/// The greatest length on the wire that is believed, in octets.
const WIRE_OCTETS_MAX: u32 = u32::MAX >> 1;

/// SunATM, whose frames start with what the capturing card says of them: its length counts in the file, and was not on
/// the wire. (What 802.11 cards say before a frame has a length of its own, and is left to who decodes it.)
const SUN_ATM: LinkType = LinkType(123);
const SUN_ATM_HEADER_OCTETS: u32 = 4;

/// Frames found in a block, on their way into a batch; [`FrameHead::start`] counts from the block's start.
pub(super) struct Found<'a> {
    frames: &'a mut Vec<FrameHead>,
    frames_max: usize,
    origin: FrameRef,
}

impl<'a> Found<'a> {
    /// Nothing found yet; `last` is the frame found last in this capture, 0 for none.
    pub(super) fn after(last: FrameRef, frames: &'a mut Vec<FrameHead>, frames_max: usize) -> Self {
        frames.clear();
        Self { frames, frames_max, origin: last }
    }

    /// Whether no more frames are wanted.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.frames.len() >= self.frames_max
    }

    /// The frame found last.
    pub(super) fn last(&self) -> FrameRef {
        self.origin
    }

    /// The next frame: its octets are `captured_octets` from `start` of the block. Where the file claims more octets on
    /// the wire than any medium carries, it is the most that other tools count, [`WIRE_OCTETS_MAX`].
    #[inline]
    pub(super) fn push(
        &mut self,
        time: Timestamp,
        link: LinkType,
        wire_octets: u32,
        start: usize,
        captured_octets: u32,
    ) {
        self.origin.frame = self.origin.frame.saturating_add(1);
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        let mut wire_octets = wire_octets.min(WIRE_OCTETS_MAX);
        if link == SUN_ATM {
            wire_octets = wire_octets.saturating_sub(SUN_ATM_HEADER_OCTETS);
        }
        self.frames.push(FrameHead { origin: self.origin, time, link, wire_octets, start, captured_octets });
    }
}

/// How far a format got in a block.
#[derive(Debug)]
pub(super) struct Scan {
    /// Where the first record starts that was not taken.
    pub(super) reached: usize,
    /// Why it was not.
    pub(super) stop: Stop,
}

/// Why a format stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// No more frames are wanted.
    Full,
    /// From `reached` on, at least so many octets are needed. Bounded by the formats' limits.
    Needs(usize),
    /// So many octets from `reached` on are to be thrown away.
    Skips(u64),
    /// What is at `reached` cannot be.
    Damaged(String),
    /// What is at `reached` is not understood.
    Unsupported(String),
}
