//! `FlowState`: the life of one conversation, as its shard keeps it.

use crate::speech::Speech;
use crate::stream::Side;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use yagura_parsers::packet::link::MacAddr;
use yagura_parsers::packet::{Network, Packet, Scope, Transport as Header};
use yagura_rules::facts::event::RateFact;
use yagura_rules::facts::flow::{Endpoint, Flow, FlowSummary, Transport};
use yagura_rules::facts::time::Timestamp;

pub mod table;

/// A flow's key: both ends in a fixed order, so that both directions find it before anyone knows who the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowKey {
    /// The lower end.
    pub low: Endpoint,
    /// The higher end.
    pub high: Endpoint,
    /// What carries it.
    pub transport: Transport,
    /// Broadcast domain.
    pub scope: Scope,
}

impl FlowKey {
    /// The key of a packet from `source` to `destination`, and whether the source is the lower end.
    #[inline]
    pub fn new(source: Endpoint, destination: Endpoint, transport: Transport, scope: Scope) -> (Self, bool) {
        let is_in_order = match (source.address, destination.address) {
            // Nearly all traffic: no detour.
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits(), source.port) <= (b.to_bits(), destination.port),
            _ => source <= destination,
        };
        if is_in_order {
            (Self { low: source, high: destination, transport, scope }, true)
        } else {
            (Self { low: destination, high: source, transport, scope }, false)
        }
    }
}

impl FlowKey {
    /// The key of an IP packet, and whether its source is the lower end.
    #[inline]
    pub fn of(packet: &Packet) -> Option<(Self, bool)> {
        let Network::Ip(ip, header) = &packet.network else { return None };
        let (transport, source, destination) = match *header {
            Header::Tcp { source, destination, .. } => (Transport::Tcp, source, destination),
            Header::Udp { source, destination } => (Transport::Udp, source, destination),
            Header::Icmp { .. } => (Transport::Icmp, 0, 0),
            Header::Other => (Transport::Ip(ip.protocol), 0, 0),
        };
        let source = Endpoint { address: ip.source, port: source };
        let destination = Endpoint { address: ip.destination, port: destination };
        Some(Self::new(source, destination, transport, packet.scope))
    }
}

impl Hash for FlowKey {
    /// Every octet of the key goes in, and the address family, so that no two kinds of address can meet.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (kind, number) = match self.transport {
            Transport::Tcp => (1_u64, 6_u64),
            Transport::Udp => (2, 17),
            Transport::Icmp => (3, 1),
            Transport::Ip(number) => (4, u64::from(number)),
        };
        let ports = u64::from(self.low.port) << 48 | u64::from(self.high.port) << 32 | number << 8 | kind;
        match (self.low.address, self.high.address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                state.write_u64(u64::from(a.to_bits()) << 32 | u64::from(b.to_bits()));
                state.write_u64(ports | 1 << 16);
            }
            (a, b) => {
                for address in [a, b] {
                    match address {
                        IpAddr::V4(v4) => state.write_u128(u128::from(v4.to_bits()) | 1 << 127),
                        IpAddr::V6(v6) => state.write_u128(v6.to_bits()),
                    }
                }
                state.write_u64(ports | 2 << 16);
            }
        }
        let tags = self.scope.tags.iter().fold(0_u64, |sum, tag| sum << 16 | u64::from(*tag));
        if tags != 0 || self.scope.network != 0 {
            state.write_u64(tags);
            state.write_u32(self.scope.network);
        }
    }
}

/// Which list of the table a flow stands in: each has its own patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// TCP that may still speak.
    Tcp,
    /// Everything but TCP.
    Other,
    /// TCP that its ends have closed.
    Closed,
}

/// What was missed so long ago is no excuse any more, in ns.
const MISSED_NS: u64 = 60_000_000_000;

/// What went through a flow since a moment at most ten seconds ago.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    /// Since when, in ns.
    pub since: u64,
    /// Frames to the server, and to the client.
    pub frames: [u32; 2],
    /// Requests.
    pub requests: u32,
    /// Requests that were answered.
    pub answers: u32,
    /// Messages that nobody asked for.
    pub unsolicited: u32,
    /// The most requests that waited for their answer at once.
    pub waiting: u32,
}

impl Rate {
    /// So long is counted, in ns.
    const WINDOW: u64 = 10_000_000_000;
    /// Less than that is not worth a word.
    const FIRST_TOLD: u32 = 64;
    /// And so many requests at once; most protocols want a client to wait after one.
    const FIRST_WAITING: u32 = 8;

    /// Begins anew where the window is over.
    #[inline]
    pub fn at(&mut self, now: Timestamp) {
        if now.0.saturating_sub(self.since) >= Self::WINDOW {
            *self = Self { since: now.0, ..Self::default() };
        }
    }

    /// Counts one more. Answers whether the number has doubled since it was told last.
    #[inline]
    pub fn add(counter: &mut u32) -> bool {
        *counter = counter.saturating_add(1);
        *counter >= Self::FIRST_TOLD && counter.is_power_of_two()
    }

    /// Notes how many requests wait. Answers whether that has doubled since it was told last.
    #[inline]
    pub fn waits(&mut self, waiting: usize) -> bool {
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        if waiting <= self.waiting {
            return false;
        }
        self.waiting = waiting;
        waiting >= Self::FIRST_WAITING && waiting.is_power_of_two()
    }

    /// As an event tells it.
    pub fn fact(&self) -> RateFact {
        RateFact {
            since: Timestamp(self.since),
            frames: self.frames.map(u64::from),
            requests: self.requests.into(),
            answers: self.answers.into(),
            unsolicited: self.unsolicited.into(),
            waiting: self.waiting.into(),
        }
    }
}

/// What a shard keeps of a flow.
pub struct FlowState {
    /// The key.
    pub key: FlowKey,
    /// What events show of it.
    pub facts: Arc<Flow>,
    /// Whether the lower end is the client.
    pub low_is_client: bool,
    /// Frames, octets and messages to the server and to the client.
    pub summary: FlowSummary,
    /// Stream of each end: of the lower one, of the higher one.
    pub sides: [Side; 2],
    /// MAC address that each end's frames came from last.
    pub macs: [Option<MacAddr>; 2],
    /// The first frame was a SYN, and nobody has answered yet.
    pub attempt: bool,
    /// Whether the other end has answered.
    pub answered: bool,
    /// Whether a RST was seen, or a FIN of both ends.
    pub closed: bool,
    /// Whether octets are missing from it: then what cannot be told may be the fault of what was not seen.
    pub damaged: bool,
    /// When octets were missed last.
    pub missed: Option<Timestamp>,
    /// What goes through it.
    pub rate: Rate,
    /// Segments whose start was shown to the protocols.
    pub probes: u32,
    /// Payload octets that nobody has read.
    pub undecoded: u64,
    /// What is spoken, once it is known.
    pub speech: Option<Box<Speech>>,
    /// Which list it stands in.
    pub class: Class,
    /// When it was last moved in its list.
    pub linked: Timestamp,
    older: u32,
    newer: u32,
}

impl FlowState {
    /// A flow of which nothing was seen yet.
    pub fn new(key: FlowKey, facts: Arc<Flow>, low_is_client: bool, class: Class) -> Self {
        Self {
            key,
            facts,
            low_is_client,
            summary: FlowSummary::default(),
            sides: [Side::default(), Side::default()],
            macs: [None, None],
            attempt: false,
            answered: false,
            closed: false,
            damaged: false,
            missed: None,
            rate: Rate::default(),
            probes: 0,
            undecoded: 0,
            speech: None,
            class,
            linked: Timestamp(0),
            older: table::NONE,
            newer: table::NONE,
        }
    }

    /// Octets that are held of it.
    pub fn octets_held(&self) -> usize {
        let of_side = |side: &Side| {
            let remembered = side.history.as_ref().map_or(0, |history| history.len());
            remembered.saturating_add(side.pending.len()).saturating_add(side.held.octets())
        };
        let speech = self.speech.as_ref().map_or(0, |speech| speech.held);
        self.sides.iter().map(of_side).fold(speech, usize::saturating_add)
    }

    /// Whether something may be missing that would explain what is odd now: octets that were lost not long ago, or are
    /// missing still; and what was said before the capture began.
    #[inline]
    pub fn misses(&self, now: Timestamp) -> bool {
        let is_recent = |since: Timestamp| now.since(since) < MISSED_NS;
        self.missed.is_some_and(is_recent)
            || (self.sides.iter().all(|side| side.initial.is_none()) && is_recent(self.facts.opened))
            || self.sides.iter().any(Side::is_behind)
    }

    /// Whether a SYN was seen in the middle of it, of which it is not known yet whether it is meant.
    #[inline]
    pub fn may_restart(&self) -> bool {
        let [low, high] = &self.sides;
        low.restart.is_some() || high.restart.is_some()
    }
}
