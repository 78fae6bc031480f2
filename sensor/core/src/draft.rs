//! `Draft`: an event on its way into the one order.

use yagura_rules::facts::event::{Event, EventId, EventKind, FrameRef};
use yagura_rules::facts::time::Timestamp;

/// The parts of a frame's turn, in order.
pub mod phase {
    /// A second that begins just before the frame.
    pub const TICK: u8 = 0;
    /// What is met before the packet is read: fragments, bounds.
    pub const FACT: u8 = 1;
    /// The packet.
    pub const PACKET: u8 = 2;
    /// After the packet: a heartbeat on a silent wire, and what the app tells.
    pub const AFTER: u8 = 3;
    /// After the last frame.
    pub const END: u8 = 4;
}

/// A place in the one order, and the time there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Number of the frame that it is before, or after.
    pub number: u64,
    /// Which part of the frame's turn: see [`phase`].
    pub phase: u8,
    /// The frame.
    pub origin: FrameRef,
    /// The time: the clock's, or that of the frame.
    pub time: Timestamp,
    /// Since when frames have come without a long pause: what was not heard before may have been said all the same.
    pub heard_since: Timestamp,
    /// Whether the clock was set back here: what waits for a time that is further off than it ever waits has been misled.
    pub set_back: bool,
}

/// An event on its way into the one order.
#[derive(Debug)]
pub struct Draft {
    /// Number of its frame.
    pub number: u64,
    /// Which part of the frame's turn: see [`phase`].
    pub phase: u8,
    /// The shard that met it.
    pub shard: u8,
    /// Events of the same frame that came before it and were settled without the judge: they count in the order, so that
    /// what is settled changes no event's place.
    pub settled_before: u32,
    /// The event; its ordinal comes with the order. `None` after the last frame, where only the settled ones count.
    pub event: Option<Event>,
}

impl Draft {
    fn of_no_flow(number: u64, phase: u8, shard: u8, origin: FrameRef, time: Timestamp, kind: EventKind) -> Self {
        let id = EventId { frame: number, ordinal: 0 };
        Self { number, phase, shard, settled_before: 0, event: Some(Event { id, origin, time, flow: None, kind }) }
    }

    /// A second has begun: after all that the shards do at it.
    pub fn tick(moment: &Moment) -> Self {
        Self::of_no_flow(moment.number, moment.phase, u8::MAX, moment.origin, moment.time, EventKind::Tick)
    }

    /// Something that the dispatcher met before its frame's packet, or was told after it.
    pub fn fact(moment: &Moment, kind: EventKind) -> Self {
        Self::of_no_flow(moment.number, moment.phase, 0, moment.origin, moment.time, kind)
    }

    /// There are no more frames: the last event of all.
    pub fn end(number: u64, origin: FrameRef, now: Timestamp) -> Self {
        Self::of_no_flow(number, phase::END, u8::MAX, origin, now, EventKind::End)
    }
}
