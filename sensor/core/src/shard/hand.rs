//! `Hand`: all of a shard but its flows: what a flow's packet needs while the flow itself is being changed.

use super::faults::Faults;
use crate::commands::CONFIRM_NS;
use crate::counters::Counters;
use crate::dispatch::Routed;
use crate::draft::{Draft, phase};
use crate::limits::Limits;
use crate::points::Points;
use crate::trace::Note;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use yagura_parsers::message::Tally;
use yagura_parsers::packet::Scope;
use yagura_parsers::packet::link::MacAddr;
use yagura_parsers::protocols::ProtocolId;
use yagura_rules::facts::event::{Event, EventId, EventKind, FrameRef};
use yagura_rules::facts::flow::{Flow, FlowId};
use yagura_rules::facts::time::Timestamp;
use yagura_rules::norm::Norm;

/// A minute, in ns.
const MINUTE: u64 = 60_000_000_000;

/// A frame's place and times.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) number: u64,
    pub(super) phase: u8,
    pub(super) origin: FrameRef,
    pub(super) time: Timestamp,
    pub(super) now: Timestamp,
    /// The segment was acknowledged before it was seen: the mirror reorders, or lost the first copy of a repeat.
    pub(super) late: bool,
}

impl At {
    /// Where a packet stands.
    #[inline]
    pub(super) fn packet(routed: &Routed) -> Self {
        let Routed { number, origin, time, now, .. } = *routed;
        Self { number, phase: phase::PACKET, origin, time, now, late: false }
    }
}

/// What was counted of one protocol, in a shape that costs a message next to nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Tallies {
    /// 256 counters a table.
    pub(super) dense: Vec<u64>,
    pub(super) pairs: BTreeMap<(u8, u8, u8), u64>,
    /// Those of messages that were acknowledged before they were seen.
    pub(super) late: BTreeMap<Tally, u64>,
    pub(super) messages: u64,
    pub(super) malformed: u64,
    pub(super) flows: u64,
    pub(super) octets: u64,
    pub(super) skipped: u64,
}

impl Tallies {
    #[inline]
    pub(super) fn count(&mut self, tally: Tally) {
        if let Some(sub) = tally.sub {
            add(self.pairs.entry((tally.table, tally.code, sub)).or_default(), 1);
            return;
        }
        let at = usize::from(tally.table) << 8 | usize::from(tally.code);
        if let Some(n) = self.dense.get_mut(at) {
            add(n, 1);
        }
    }
}

#[inline]
pub(super) fn add(counter: &mut u64, n: u64) {
    *counter = counter.saturating_add(n);
}

pub(super) fn length(octets: &[u8]) -> u64 {
    u64::try_from(octets.len()).unwrap_or(u64::MAX)
}

/// All of a shard but its flows: what a flow's packet needs while the flow itself is being changed.
pub(super) struct Hand {
    pub(super) index: u8,
    pub(super) limits: Limits,
    pub(super) norm: Arc<Norm>,
    pub(super) learn: bool,
    pub(super) watch: Option<u64>,
    pub(super) notes: Vec<Note>,
    pub(super) out: Vec<Draft>,
    pub(super) tallies: Vec<Tallies>,
    pub(super) counters: Counters,
    pub(super) macs: BTreeMap<(Scope, MacAddr), u64>,
    pub(super) streams_octets: usize,
    pub(super) streams_octets_max: usize,
    pub(super) limits_told: BTreeSet<&'static str>,
    pub(super) settled: u64,
    /// A frame, and its events that were settled since the last one that was not.
    pub(super) unsaid: (u64, u32),
    /// The minute that the latest frame is of, and the nanosecond that the next one begins at.
    pub(super) minute: (u64, u64),
    /// The flow that is looked at: its index in the table.
    pub(super) current: u32,
    /// When commands are to be answered, and of which flow; in the order of time.
    pub(super) awaited: BTreeSet<(Timestamp, u32, FlowId)>,
    pub(super) awaited_max: usize,
    pub(super) points: Points,
    pub(super) faults: Faults,
    pub(super) retransmissions: u64,
    pub(super) gaps: u64,
    pub(super) gap_octets: u64,
}

impl Hand {
    pub(super) fn emit(&mut self, at: &At, flow: Option<Arc<Flow>>, kind: EventKind) {
        if self.is_watched(at) {
            self.notes.push(Note::Event(name(&kind)));
        }
        let id = EventId { frame: at.number, ordinal: 0 };
        let event = Event { id, origin: at.origin, time: at.time, flow, kind };
        let settled_before = match self.unsaid {
            (number, events) if number == at.number => events,
            _ => 0,
        };
        self.unsaid = (0, 0);
        let event = Some(event);
        self.out.push(Draft { number: at.number, phase: at.phase, shard: self.index, settled_before, event });
    }

    /// The clock was set back: no command waits for longer than it would from now on.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        let latest = Timestamp(now.0.saturating_add(CONFIRM_NS));
        let awaited = std::mem::take(&mut self.awaited);
        self.faults.set_back(now);
        self.awaited = awaited.into_iter().map(|(due, index, id)| (due.min(latest), index, id)).collect();
    }

    /// There are no more frames: events of the last one that were settled come before what its end shows elsewhere.
    pub(super) fn end_settled(&mut self, number: u64) {
        let (of, settled_before) = std::mem::take(&mut self.unsaid);
        if of == number && settled_before > 0 {
            self.out.push(Draft { number, phase: phase::PACKET, shard: self.index, settled_before, event: None });
        }
    }

    /// Tells which bounds bit since it was told last.
    pub(super) fn tell_limits(&mut self, at: &At) {
        for name in std::mem::take(&mut self.limits_told) {
            self.emit(at, None, EventKind::LimitReached(name));
        }
    }

    /// Notes that an event was settled without the judge.
    #[inline]
    pub(super) fn settle(&mut self, at: &At) {
        let (number, events) = self.unsaid;
        self.unsaid = (at.number, if number == at.number { events.saturating_add(1) } else { 1 });
    }

    /// Counts something of a protocol.
    #[inline]
    pub(super) fn count(&mut self, id: ProtocolId, what: impl FnOnce(&mut Tallies)) {
        if let Some(tallies) = self.tallies.get_mut(protocol_index(id)) {
            what(tallies);
        }
    }

    /// The minute of packet time, from the epoch. Divides once a minute.
    #[inline]
    pub(super) fn minute(&mut self, now: Timestamp) -> u64 {
        let (minute, end) = self.minute;
        if now.0 < end && now.0.saturating_add(MINUTE) >= end {
            return minute;
        }
        let minute = now.0.checked_div(MINUTE).unwrap_or(0);
        self.minute = (minute, minute.saturating_add(1).saturating_mul(MINUTE));
        minute
    }

    /// Whether somebody wants to know what becomes of this frame.
    #[inline]
    pub(super) fn is_watched(&self, at: &At) -> bool {
        self.watch == Some(at.number) && at.phase == phase::PACKET
    }

    pub(super) fn anomaly(&mut self, name: &'static str) {
        add(self.counters.anomalies.entry(name).or_default(), 1);
    }

    pub(super) fn limit(&mut self, name: &'static str) {
        add(self.counters.limits.entry(name).or_default(), 1);
        self.limits_told.insert(name);
    }
}

#[inline]
pub(super) fn protocol_index(id: ProtocolId) -> usize {
    ProtocolId::ALL.iter().position(|other| *other == id).unwrap_or(0)
}

/// The name of an event, for people.
fn name(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::FlowOpened { .. } => "flow_opened",
        EventKind::FlowAnswered => "flow_answered",
        EventKind::FlowRefused => "flow_refused",
        EventKind::FlowClosed(_) => "flow_closed",
        EventKind::Identified => "protocol_identified",
        EventKind::Stranger(_) => "stranger_on_port",
        EventKind::Operation(_) => "operation",
        EventKind::Malformed(_) => "malformed",
        EventKind::Notice(_) => "notice",
        EventKind::Command(_) => "command",
        EventKind::Point(_) => "point",
        EventKind::Clock(_) => "clock",
        EventKind::Rate(_) => "rate",
        EventKind::Unanswered(_) => "unanswered",
        EventKind::Gap { .. } => "gap",
        EventKind::StreamConflict { .. } => "stream_conflict",
        EventKind::FragmentConflict { .. } => "fragment_conflict",
        EventKind::Sighting(_) => "sighting",
        EventKind::AssetSeen(_) => "asset_seen",
        EventKind::AddressConflict(_) => "address_conflict",
        EventKind::LimitReached(_) => "limit_reached",
        EventKind::CaptureLoss(_) => "capture_loss",
        EventKind::CaptureState(_) => "capture_state",
        EventKind::Transmitted { .. } => "transmitted",
        EventKind::SensorFault(_) => "sensor_fault",
        _ => "event",
    }
}
