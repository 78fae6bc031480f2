//! `Shard`: a fixed share of the flows; packets in, events out.

pub(crate) mod faults;
mod hand;
mod listening;
mod reading;
mod segments;
mod sightings;

use crate::counters::Counters;
use crate::dispatch::Routed;
use crate::draft::{Draft, Moment, phase};
use crate::flow::table::FlowTable;
use crate::flow::{Class, FlowKey, FlowState, Rate};
use crate::limits::Limits;
use crate::points::{PointRecord, Points, SpaceKey};
use crate::speech::Settled;
use crate::stream::ahead;
use crate::trace::Note;
use faults::Faults;
use hand::{At, Hand, Tallies, add, length};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use yagura_parsers::dissect::Direction;
use yagura_parsers::message::Tally;
use yagura_parsers::packet::{Anomalies, Network, Packet, TcpFlags, Transport as Header};
use yagura_parsers::protocols::ProtocolId;
use yagura_rules::facts::event::{EventKind, FrameRef};
use yagura_rules::facts::flow::{Flow, FlowId, Oriented, Transport};
use yagura_rules::facts::time::Timestamp;
use yagura_rules::norm::Norm;

/// A fixed share of the flows.
pub struct Shard {
    /// Whether the points of the process are to be listed.
    points: bool,
    flows: FlowTable,
    hand: Hand,
}

impl Shard {
    /// A shard that has seen nothing; it keeps its part of the bounds.
    pub fn new(
        index: u8,
        shards: usize,
        limits: &Limits,
        norm: Arc<Norm>,
        seed: u64,
        learn: bool,
        watch: Option<u64>,
    ) -> Self {
        let part = |whole: usize| whole.checked_div(shards).unwrap_or(whole).max(1);
        let tallies = ProtocolId::ALL
            .iter()
            .map(|id| Tallies { dense: vec![0; id.tables().len().saturating_mul(256)], ..Tallies::default() })
            .collect();
        Self {
            points: false,
            flows: FlowTable::new(part(limits.flows_max), seed),
            hand: Hand {
                index,
                limits: *limits,
                norm,
                learn,
                watch,
                notes: Vec::new(),
                out: Vec::new(),
                tallies,
                counters: Counters::default(),
                macs: BTreeMap::new(),
                streams_octets: 0,
                streams_octets_max: part(limits.streams_octets_max),
                limits_told: BTreeSet::new(),
                settled: 0,
                unsaid: (0, 0),
                minute: (0, 0),
                current: 0,
                awaited: BTreeSet::new(),
                awaited_max: part(limits.commands_max),
                points: Points::new(part(limits.points_octets_max), seed),
                faults: Faults::default(),
                retransmissions: 0,
                gaps: 0,
                gap_octets: 0,
            },
        }
    }

    /// The same, to list its points at the end.
    #[must_use]
    pub fn listing_points(self) -> Self {
        Self { points: true, ..self }
    }

    /// The same, to fail at these octets: tests see what a fault in the program costs.
    #[must_use]
    pub(crate) fn tripping_over(mut self, octets: Option<Arc<[u8]>>) -> Self {
        self.hand.faults.trip_over(octets);
        self
    }

    /// Moves the events met so far to `out`, in their order.
    #[inline]
    pub fn drain_into(&mut self, out: &mut Vec<Draft>) {
        out.append(&mut self.hand.out);
    }

    /// Whether there are events to move.
    #[inline]
    pub fn has_events(&self) -> bool {
        !self.hand.out.is_empty()
    }

    /// Steps of the frame that is watched.
    pub fn notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.hand.notes)
    }

    #[inline]
    fn read(&mut self, routed: &Routed, octets: &[u8]) {
        let at = &At::packet(routed);
        let packet = &routed.packet;
        match &packet.network {
            // A transport header that is cut says nothing of who speaks what to whom.
            Network::Ip(ip, Header::Other) if matches!(ip.protocol, 1 | 6 | 17 | 58) => {
                self.hand.cut_speaker(at, packet, ip.source);
            }
            Network::Ip(_, header) => {
                let Some((key, from_low)) = FlowKey::of(packet) else { return };
                self.ip(at, packet, &key, from_low, *header, packet.payload(octets));
                if matches!(header, Header::Udp { .. }) {
                    self.hand.discover(at, packet, octets);
                }
            }
            Network::Arp(arp) => self.hand.arp(at, packet, arp),
            Network::Lldp => {
                self.hand.link_speaker(at, packet);
                self.hand.discover(at, packet, octets);
            }
            Network::Other(_) | Network::Undecoded => self.hand.link_speaker(at, packet),
        }
    }

    #[inline]
    fn ip(&mut self, at: &At, packet: &Packet, key: &FlowKey, from_low: bool, header: Header, payload: &[u8]) {
        let mut index = self.flows.find(key);
        let mut former = None;
        if let (Some(old), Header::Tcp { sequence, flags, .. }) = (index, header)
            && (flags.any(TcpFlags::SYN) || self.flows.get_mut(old).is_some_and(|flow| flow.may_restart()))
            && self.is_new_connection(old, from_low, sequence, flags)
        {
            if let Some(flow) = self.flows.get_mut(old)
                && !flow.closed
            {
                former = Some(flow.sides.each_ref().map(|side| side.next));
            }
            self.close(old, at);
            index = None;
        }
        let index = match index {
            Some(index) => {
                self.flows.touch(index, at.now);
                index
            }
            None => self.open(at, packet, *key, from_low, header),
        };
        let Some(flow) = self.flows.get_mut(index) else { return };
        for (side, former) in flow.sides.iter_mut().zip(former.into_iter().flatten()) {
            side.former = side.former.or(former);
        }
        let direction = direction(flow, from_low);
        let way = usize::from(direction == Direction::ToClient);
        if let Some(frames) = flow.summary.frames.get_mut(way) {
            add(frames, 1);
        }
        if let Some(octets) = flow.summary.octets.get_mut(way) {
            add(octets, length(payload));
        }
        flow.summary.last = flow.summary.last.max(at.time);
        flow.rate.at(at.now);
        if flow.class == Class::Other
            && let Some(frames) = flow.rate.frames.get_mut(way)
            && Rate::add(frames)
        {
            let fact = flow.rate.fact();
            self.hand.emit(at, Some(Arc::clone(&flow.facts)), EventKind::Rate(fact));
        }
        self.hand.current = index;
        flow.damaged |= packet.anomalies.has(Anomalies::TRUNCATED);
        self.hand.speaker(flow, at, packet, from_low);
        if self.hand.is_watched(at) {
            self.hand.notes.push(Note::Flow(Arc::clone(&flow.facts), direction == Direction::ToServer));
            if payload.is_empty() {
                self.hand.notes.push(Note::NoPayload);
            }
        }
        match header {
            Header::Tcp { sequence, acknowledgment, flags, .. } => {
                self.hand.tcp(flow, at, from_low, sequence, acknowledgment, flags, payload);
                let class = if flow.closed { Class::Closed } else { Class::Tcp };
                if flow.class != class {
                    self.flows.classify(index, class);
                }
            }
            Header::Udp { .. } => self.hand.datagram(flow, at, from_low, payload),
            Header::Icmp { .. } | Header::Other => add(&mut flow.undecoded, length(payload)),
        }
    }

    /// Whether a segment starts a new connection between the same ports. A SYN alone does not end one that is alive, since
    /// anybody can send it: the answer to it does, or data that follows it.
    fn is_new_connection(&mut self, index: u32, from_low: bool, sequence: u32, flags: TcpFlags) -> bool {
        let Some(flow) = self.flows.get_mut(index) else { return false };
        let [low, high] = &mut flow.sides;
        let (side, other) = if from_low { (low, high) } else { (high, low) };
        let syn = flags.any(TcpFlags::SYN);
        if syn && !flags.any(TcpFlags::ACK) {
            if side.initial == Some(sequence) {
                return false;
            }
            // The mirror may show a SYN after what follows it: then all that this end has sent so far comes behind it.
            let sent = flow.summary.octets.get(usize::from(flow.low_is_client != from_low)).copied().unwrap_or(0);
            let behind = side.next.map(|next| i64::from(ahead(next, sequence.wrapping_add(1))));
            if side.initial.is_none() && behind.is_some_and(|n| n >= 0 && u64::try_from(n).is_ok_and(|n| n <= sent)) {
                side.initial = Some(sequence);
                return false;
            }
            if flow.closed {
                return true;
            }
            if side.next.is_none() {
                return false;
            }
            // Met on its way, or alive, or still without an answer: the answer, or data at its number, will tell.
            side.restart = Some(sequence.wrapping_add(1));
            return false;
        }
        if let Some(restart) = side.restart
            && sequence == restart
            && !flags.any(TcpFlags::RST)
        {
            return side.next != Some(sequence);
        }
        syn && other.restart.is_some() && side.next.is_some() && side.initial != Some(sequence)
    }

    fn open(&mut self, at: &At, packet: &Packet, key: FlowKey, from_low: bool, header: Header) -> u32 {
        while self.flows.is_full() {
            let Some(oldest) = self.flows.first_to_go() else { break };
            self.close(oldest, at);
            self.hand.limit("flows_max");
        }
        let flags = match header {
            Header::Tcp { flags, .. } => flags,
            _ => TcpFlags(0),
        };
        let syn = flags.any(TcpFlags::SYN);
        let attempt = syn && !flags.any(TcpFlags::ACK);
        let (source, destination) = if from_low { (key.low, key.high) } else { (key.high, key.low) };
        let (source_is_client, oriented) =
            if syn { (attempt, Oriented::Handshake) } else { guess(key.transport, source.port, destination.port) };
        let (client, server) = if source_is_client { (source, destination) } else { (destination, source) };
        let (client_mac, server_mac) = if source_is_client {
            (packet.source_mac, packet.destination_mac)
        } else {
            (packet.destination_mac, packet.source_mac)
        };
        let facts = Arc::new(Flow {
            id: FlowId(at.number),
            first: at.origin,
            opened: at.time,
            transport: key.transport,
            client,
            server,
            oriented,
            client_mac,
            server_mac,
            scope: key.scope,
            protocol: None,
            dialect: "",
        });
        let class = if key.transport == Transport::Tcp { Class::Tcp } else { Class::Other };
        let mut flow = FlowState::new(key, Arc::clone(&facts), source_is_client == from_low, class);
        flow.attempt = attempt;
        flow.summary.handshake = syn && !attempt;
        add(&mut self.hand.counters.flows, 1);
        if key.transport == Transport::Tcp && !syn {
            add(&mut self.hand.counters.midstream_flows, 1);
        }
        self.hand.emit(at, Some(facts), EventKind::FlowOpened { attempt });
        self.flows.insert(flow, at.now)
    }

    /// Ends a flow: what is held is read, what waits is settled.
    fn close(&mut self, index: u32, at: &At) {
        let Some(mut flow) = self.flows.remove(index) else { return };
        self.read_held(&mut flow, at);
        for side in &mut flow.sides {
            let remembered = side.history.as_ref().map_or(0, |history| history.len());
            self.hand.streams_octets = self.hand.streams_octets.saturating_sub(remembered);
            let left = side.pending.len();
            self.hand.streams_octets = self.hand.streams_octets.saturating_sub(left);
            if flow.speech.is_none() {
                add(&mut flow.undecoded, u64::try_from(left).unwrap_or(0));
            } else if left > 0 {
                self.hand.anomaly("incomplete_pdu");
            }
        }
        let held = flow.speech.as_ref().map_or(0, |speech| speech.held);
        self.hand.streams_octets = self.hand.streams_octets.saturating_sub(held);
        let spoke = flow.summary.octets != [0, 0];
        if flow.speech.is_none() && !flow.facts.is_to_group() && spoke {
            self.hand.stranger(&flow, at);
        }
        self.hand.undecoded(&flow);
        let [to_server, to_client] = flow.summary.frames;
        if flow.key.transport == Transport::Tcp && (to_server == 0 || to_client == 0) && spoke {
            add(&mut self.hand.counters.one_sided_flows, 1);
        }
        self.hand.emit(at, Some(flow.facts), EventKind::FlowClosed(Box::new(flow.summary)));
    }

    /// Goes by another norm from now on: what was usual under the old one is asked about again.
    pub fn adopt(&mut self, norm: &Arc<Norm>) {
        self.hand.norm = Arc::clone(norm);
        self.flows.each(|flow| {
            if let Some(speech) = &mut flow.speech {
                speech.talk.pair = norm.pair(&flow.facts);
                speech.talk.told = Settled::default();
            }
        });
    }

    /// A second has begun.
    pub fn tick(&mut self, moment: &Moment) {
        let Moment { number, phase, origin, time: now, .. } = *moment;
        let at = &At { number, phase, origin, time: now, now, late: false };
        if phase == phase::AFTER {
            self.hand.end_settled(number);
        }
        if moment.set_back {
            self.flows.set_back(now);
            self.hand.set_back(now);
        }
        let limits = self.hand.limits;
        for (class, patience) in [
            (Class::Closed, limits.closed_linger_ns),
            (Class::Other, limits.other_idle_ns),
            (Class::Tcp, limits.tcp_idle_ns),
        ] {
            while let Some((index, since)) = self.flows.oldest(class) {
                if now.since(since) < patience {
                    break;
                }
                self.close(index, at);
            }
        }
        self.overdue(at);
        let mut stale = Vec::new();
        self.hand.points.stale(now, |flow, fact| stale.push((Arc::clone(flow), fact)));
        for (flow, fact) in stale {
            self.hand.emit(at, Some(flow), EventKind::Point(Box::new(fact)));
        }
        self.hand.tell_limits(at);
    }

    /// Commands that waited too long for their answer.
    fn overdue(&mut self, at: &At) {
        while let Some((due, index, id)) = self.hand.awaited.first().copied()
            && due <= at.now
        {
            self.hand.awaited.pop_first();
            let Some(flow) = self.flows.get_mut(index).filter(|flow| flow.facts.id == id) else { continue };
            let [_, heard] = flow.summary.frames;
            let Some(talk) = flow.speech.as_mut().map(|speech| &mut speech.talk) else { continue };
            let Some(commands) = talk.commands.as_mut() else { continue };
            let found = commands.overdue(at.now, heard);
            commands.is_watched = !commands.is_empty();
            if commands.is_watched {
                self.hand.await_commands(at.now, index, id);
            }
            // What is missing may have been in what was lost.
            if !found.is_empty() && !flow.damaged && !flow.misses(at.now) {
                let facts = Arc::clone(&flow.facts);
                self.hand.commands_overdue(at, &facts, found);
            }
        }
    }

    /// There is more to come after the frame of this number: its events that were settled are told first.
    pub fn end_settled(&mut self, number: u64) {
        self.hand.end_settled(number);
    }

    /// There are no more frames: closes every flow.
    pub fn finish(&mut self, number: u64, origin: FrameRef, now: Timestamp) {
        let at = &At { number, phase: phase::END, origin, time: now, now, late: false };
        self.hand.end_settled(number);
        for class in [Class::Closed, Class::Other, Class::Tcp] {
            while let Some((index, _)) = self.flows.oldest(class) {
                self.close(index, at);
            }
        }
        self.hand.tell_limits(at);
    }

    /// Adds what is known of the process's points, where they are to be listed.
    pub fn points(&self, out: &mut BTreeMap<(SpaceKey, u32), PointRecord>) {
        if self.points {
            self.hand.points.report(out);
        }
    }

    /// Adds what was counted.
    pub fn report(&self, counters: &mut Counters) {
        let hand = &self.hand;
        add(&mut counters.flows, hand.counters.flows);
        add(&mut counters.midstream_flows, hand.counters.midstream_flows);
        add(&mut counters.one_sided_flows, hand.counters.one_sided_flows);
        add(&mut counters.undecoded_other, hand.counters.undecoded_other);
        add(&mut counters.internal, hand.counters.internal);
        add(&mut counters.gaps, hand.gaps);
        add(&mut counters.gap_octets, hand.gap_octets);
        add(&mut counters.retransmissions, hand.retransmissions);
        add(&mut counters.settled, hand.settled);
        add(&mut counters.points_unkept, hand.points.unkept);
        for (key, n) in &hand.counters.undecoded_octets {
            add(counters.undecoded_octets.entry(*key).or_default(), *n);
        }
        for (name, n) in &hand.counters.anomalies {
            add(counters.anomalies.entry(name).or_default(), *n);
        }
        for (name, n) in &hand.counters.limits {
            add(counters.limits.entry(name).or_default(), *n);
        }
        for (id, tallies) in ProtocolId::ALL.iter().zip(&hand.tallies) {
            if tallies.flows == 0 {
                continue;
            }
            let protocol = counters.protocols.entry(*id).or_default();
            add(&mut protocol.messages, tallies.messages);
            add(&mut protocol.malformed, tallies.malformed);
            add(&mut protocol.flows, tallies.flows);
            add(&mut protocol.octets, tallies.octets);
            add(&mut protocol.skipped_octets, tallies.skipped);
            for (table, (name, dense)) in id.tables().iter().zip(tallies.dense.chunks(256)).enumerate() {
                let table = u8::try_from(table).unwrap_or(u8::MAX);
                for (code, n) in dense.iter().enumerate().filter(|(_, n)| **n > 0) {
                    let tally = Tally { table, code: u8::try_from(code).unwrap_or(u8::MAX), sub: None };
                    add(protocol.tables.entry(name).or_default().entry(id.tally_key(tally)).or_default(), *n);
                }
            }
            for (tally, n) in &tallies.late {
                let Some(name) = id.tables().get(usize::from(tally.table)) else { continue };
                add(protocol.late.entry(name).or_default().entry(id.tally_key(*tally)).or_default(), *n);
            }
            for ((table, code, sub), n) in &tallies.pairs {
                let tally = Tally { table: *table, code: *code, sub: Some(*sub) };
                let Some(name) = id.tables().get(usize::from(*table)) else { continue };
                add(protocol.tables.entry(name).or_default().entry(id.tally_key(tally)).or_default(), *n);
            }
        }
    }
}

/// Whether a protocol of the list is usual on a port.
fn is_usual(port: u16) -> bool {
    ProtocolId::ALL.iter().any(|id| id.ports().contains(&port))
}

#[inline]
fn direction(flow: &FlowState, from_low: bool) -> Direction {
    if flow.low_is_client == from_low { Direction::ToServer } else { Direction::ToClient }
}

/// Whether the sender is the client, for a flow without handshake: the end with a usual port is the server, else the end
/// with a system port (below 1024), else the sender of the first TCP segment is guessed by the lower port, and the
/// sender of a first datagram is the client.
fn guess(transport: Transport, source: u16, destination: u16) -> (bool, Oriented) {
    match (is_usual(source), is_usual(destination)) {
        (true, false) => return (false, Oriented::Port),
        (false, true) => return (true, Oriented::Port),
        _ => {}
    }
    match (source < 1_024, destination < 1_024) {
        (true, false) => (false, Oriented::Guess),
        (false, true) => (true, Oriented::Guess),
        _ if transport == Transport::Tcp => (source >= destination, Oriented::Guess),
        _ => (true, Oriented::Guess),
    }
}
