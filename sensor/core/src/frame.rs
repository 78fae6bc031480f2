//! `Frame` and `FrameBatch`: what the capture hands over.

use yagura_parsers::packet::link::LinkType;
use yagura_rules::facts::event::FrameRef;
use yagura_rules::facts::time::Timestamp;

/// Everything about one frame but its octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// Which capture it is from, and its number there, from 1.
    pub origin: FrameRef,
    /// When it was captured, by the capture's clock.
    pub time: Timestamp,
    /// How it starts.
    pub link: LinkType,
    /// Octets on the wire.
    pub wire_octets: u32,
    /// Where its octets start in [`FrameBatch::octets`].
    pub start: u32,
    /// Octets captured.
    pub captured_octets: u32,
}

/// One frame, borrowed from its batch.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Everything but the octets.
    pub head: FrameHead,
    /// The octets that were captured.
    pub octets: &'a [u8],
}

/// Frames in the order of the timeline. A batch may hold more octets than its frames use: a file's blocks are read in
/// place, record headers and all.
#[derive(Debug, Default)]
pub struct FrameBatch {
    /// The octets that `frames` point into; at most 2^32.
    pub octets: Vec<u8>,
    /// The frames.
    pub frames: Vec<FrameHead>,
}

impl FrameBatch {
    /// Empties the batch, and keeps its room.
    pub fn clear(&mut self) {
        self.octets.clear();
        self.frames.clear();
    }

    /// Adds a frame whose octets are copied in.
    pub fn push(&mut self, mut head: FrameHead, octets: &[u8]) {
        head.start = u32::try_from(self.octets.len()).unwrap_or(u32::MAX);
        head.captured_octets = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        self.octets.extend_from_slice(octets);
        self.frames.push(head);
    }

    /// The octets of a frame of this batch; empty where the head is not of this batch.
    pub fn octets_of(&self, head: &FrameHead) -> &[u8] {
        let start = usize::try_from(head.start).unwrap_or(usize::MAX);
        let len = usize::try_from(head.captured_octets).unwrap_or(usize::MAX);
        self.octets.get(start..start.saturating_add(len)).unwrap_or(&[])
    }

    /// The frames with their octets.
    pub fn iter(&self) -> impl Iterator<Item = Frame<'_>> {
        self.frames.iter().map(|head| Frame { head: *head, octets: self.octets_of(head) })
    }
}
