//! `FrameRef` and `EventId`: where a fact was seen, and its place in the one order.

/// A frame in its capture: which capture (from 0, in the order of the arguments) and its number there (from 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameRef {
    /// Index of the capture.
    pub capture: u16,
    /// Number of the frame in the capture, from 1.
    pub frame: u64,
}

/// An event's place in the one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// Number of the frame in the timeline, from 1.
    pub frame: u64,
    /// Which of the frame's events, from 0.
    pub ordinal: u32,
}
