//! What a flow speaks: asked of the protocols, turned the right way round, and fed to its dissector.

use super::direction;
use super::hand::{At, Hand, add, length};
use super::reading::unframed;
use crate::flow::FlowState;
use crate::speech::{Speech, Talk};
use crate::trace::Note;
use std::sync::Arc;
use yagura_parsers::dissect::Sender;
use yagura_parsers::protocols::{Identified, ProtocolId, identify};
use yagura_rules::facts::event::{EventKind, MalformedFact};
use yagura_rules::facts::flow::{Flow, Oriented, Transport};
use yagura_rules::norm::PairNorm;

/// Octets of a head that no protocol can tell yet; more than any protocol of the list needs.
const UNSURE_MAX: usize = 512;

impl Hand {
    /// Reads octets that continue the stream.
    #[inline]
    pub(super) fn in_order(&mut self, flow: &mut FlowState, at: &At, from_low: bool, octets: &[u8]) {
        let end = usize::from(!from_low);
        if flow.speech.is_none() && !self.ask(flow, at, from_low, octets, false) {
            return;
        }
        let Some(mut speech) = flow.speech.take() else { return };
        let direction = direction(flow, from_low);
        self.count(speech.dissector.id(), |tallies| add(&mut tallies.octets, length(octets)));
        let Some(side) = flow.sides.get_mut(end) else { return };
        if side.pending.is_empty() {
            let used = self.feed(flow, &mut speech, at, direction, octets);
            let rest = octets.get(used..).unwrap_or(&[]);
            if !rest.is_empty()
                && let Some(side) = flow.sides.get_mut(end)
            {
                side.pending.extend_from_slice(rest);
                self.streams_octets = self.streams_octets.saturating_add(rest.len());
            }
        } else {
            let mut pending = std::mem::take(&mut side.pending);
            let before = pending.len();
            pending.extend_from_slice(octets);
            let used = self.feed(flow, &mut speech, at, direction, &pending);
            pending.drain(..used.min(pending.len()));
            self.streams_octets = self.streams_octets.saturating_sub(before).saturating_add(pending.len());
            if pending.len() > self.limits.stream_octets_max {
                self.limit("stream_octets_max");
                self.streams_octets = self.streams_octets.saturating_sub(pending.len());
                pending.clear();
                speech.dissector.gap(direction);
            }
            if let Some(side) = flow.sides.get_mut(end) {
                side.pending = pending;
            }
        }
        flow.speech = Some(speech);
    }

    /// Reads a datagram.
    pub(super) fn datagram(&mut self, flow: &mut FlowState, at: &At, from_low: bool, payload: &[u8]) {
        if !flow.answered && flow.summary.frames.iter().all(|frames| *frames > 0) {
            flow.answered = true;
            self.emit(at, Some(Arc::clone(&flow.facts)), EventKind::FlowAnswered);
        }
        if payload.is_empty() || (flow.speech.is_none() && !self.ask(flow, at, from_low, payload, true)) {
            return;
        }
        let Some(mut speech) = flow.speech.take() else { return };
        let direction = direction(flow, from_low);
        let id = speech.dissector.id();
        self.count(id, |tallies| add(&mut tallies.octets, length(payload)));
        let used = self.feed(flow, &mut speech, at, direction, payload);
        let rest = payload.len().saturating_sub(used);
        if rest > 0 {
            self.anomaly("incomplete_pdu");
            self.count(id, |tallies| add(&mut tallies.skipped, u64::try_from(rest).unwrap_or(0)));
        }
        flow.speech = Some(speech);
    }

    /// Asks the protocols what a flow speaks. True where it is known now, and `octets` are still to be read.
    pub(super) fn ask(&mut self, flow: &mut FlowState, at: &At, from_low: bool, octets: &[u8], datagram: bool) -> bool {
        let end = usize::from(!from_low);
        let given_up = flow.probes >= self.limits.probe_segments_max || flow.undecoded >= self.limits.probe_octets_max;
        if given_up || octets.is_empty() {
            self.unread(flow, at, octets);
            return false;
        }
        let near = [flow.key.low.port, flow.key.high.port];
        let hints = self.norm.hints(flow.key.low.address, flow.key.high.address);
        let Some(side) = flow.sides.get_mut(end) else { return false };
        let found = if side.pending.is_empty() {
            identify(octets, datagram, &near, &hints)
        } else {
            side.pending.extend_from_slice(octets);
            self.streams_octets = self.streams_octets.saturating_add(octets.len());
            let before = side.pending.len().saturating_sub(octets.len());
            match identify(&side.pending, datagram, &near, &hints) {
                Identified::Unknown => {
                    let alone = identify(octets, datagram, &near, &hints);
                    // What waited was the end of something older, or a keep-alive's octet; a PDU begins here.
                    if matches!(alone, Identified::As(..)) {
                        side.pending.drain(..before);
                        self.streams_octets = self.streams_octets.saturating_sub(before);
                        add(&mut flow.undecoded, u64::try_from(before).unwrap_or(0));
                    }
                    alone
                }
                found => found,
            }
        };
        match found {
            Identified::As(dissector, sender) => {
                let id = dissector.id();
                let dialect = dissector.dialect();
                let pair = self.identified(flow, at, from_low, id, dialect, sender);
                flow.speech = Some(Box::new(Speech { dissector, talk: Talk::new(pair), held: 0 }));
                // What the other end said before, and nobody could tell by itself, is plain now.
                let other = flow.sides.get_mut(1_usize.wrapping_sub(end)).map(|side| std::mem::take(&mut side.pending));
                self.read_waiting(flow, at, !from_low, other.unwrap_or_default());
                let waiting = flow.sides.get_mut(end).map(|side| std::mem::take(&mut side.pending)).unwrap_or_default();
                if waiting.is_empty() {
                    return true;
                }
                self.read_waiting(flow, at, from_low, waiting);
                false
            }
            Identified::Unsure if !datagram => {
                if side.pending.is_empty() {
                    side.pending.extend_from_slice(octets);
                    self.streams_octets = self.streams_octets.saturating_add(octets.len());
                }
                if side.pending.len() > UNSURE_MAX {
                    flow.probes = flow.probes.saturating_add(1);
                    self.drop_pending(flow, end);
                }
                self.unread(flow, at, &[]);
                false
            }
            Identified::Unsure | Identified::Unknown => {
                flow.probes = flow.probes.saturating_add(1);
                if side.pending.is_empty() {
                    self.unread(flow, at, octets);
                } else {
                    self.drop_pending(flow, end);
                    self.unread(flow, at, &[]);
                }
                false
            }
        }
    }

    /// Reads octets that waited until it was known what they are.
    fn read_waiting(&mut self, flow: &mut FlowState, at: &At, from_low: bool, octets: Vec<u8>) {
        self.streams_octets = self.streams_octets.saturating_sub(octets.len());
        if !octets.is_empty() {
            self.in_order(flow, at, from_low, &octets);
        }
    }

    pub(super) fn unread(&mut self, flow: &mut FlowState, at: &At, octets: &[u8]) {
        add(&mut flow.undecoded, length(octets));
        if self.is_watched(at) {
            self.notes.push(Note::Unidentified);
        }
    }

    pub(super) fn drop_pending(&mut self, flow: &mut FlowState, end: usize) {
        if let Some(side) = flow.sides.get_mut(end) {
            let octets = u64::try_from(side.pending.len()).unwrap_or(0);
            self.streams_octets = self.streams_octets.saturating_sub(side.pending.len());
            side.pending.clear();
            add(&mut flow.undecoded, octets);
        }
    }

    /// It is known what a flow speaks: turns it the right way round, and tells.
    pub(super) fn identified(
        &mut self,
        flow: &mut FlowState,
        at: &At,
        from_low: bool,
        id: ProtocolId,
        dialect: &'static str,
        sender: Sender,
    ) -> PairNorm {
        let mut facts = Flow::clone(&flow.facts);
        let sender_is_client = match sender {
            Sender::Client => Some(true),
            Sender::Server => Some(false),
            Sender::Either => None,
        };
        if let Some(sender_is_client) = sender_is_client {
            let turn = (flow.low_is_client == from_low) != sender_is_client;
            if turn {
                facts.turn();
                flow.low_is_client = !flow.low_is_client;
                flow.summary.frames.reverse();
                flow.summary.octets.reverse();
            }
            facts.oriented = Oriented::Meaning;
        }
        facts.protocol = Some(id);
        facts.dialect = dialect;
        let pair = self.norm.pair(&facts);
        let is_usual = id.ports().contains(&facts.server.port);
        flow.facts = Arc::new(facts);
        self.count(id, |tallies| add(&mut tallies.flows, 1));
        self.emit(at, Some(Arc::clone(&flow.facts)), EventKind::Identified);
        // From its first octet on it should have spoken this: what nobody could read may have hidden something.
        let is_from_start = flow.summary.handshake || flow.sides.iter().any(|side| side.initial.is_some());
        if flow.undecoded > 0 && is_usual && is_from_start && !flow.damaged {
            let error = unframed(usize::try_from(flow.undecoded).unwrap_or(usize::MAX));
            let direction = direction(flow, from_low);
            let fact = MalformedFact { direction, error, fields: Box::default() };
            self.emit(at, Some(Arc::clone(&flow.facts)), EventKind::Malformed(Box::new(fact)));
        }
        pair
    }

    /// A flow on a usual port that speaks something else.
    pub(super) fn stranger(&mut self, flow: &FlowState, at: &At) {
        let port = flow.facts.server.port;
        let Some(id) = ProtocolId::ALL.iter().find(|id| id.ports().contains(&port)) else { return };
        // One short segment of a flow that was met on its way may be the middle of a PDU.
        if !flow.damaged && (flow.summary.handshake || flow.probes > 2) {
            self.emit(at, Some(Arc::clone(&flow.facts)), EventKind::Stranger(id.name()));
        }
    }

    pub(super) fn undecoded(&mut self, flow: &FlowState) {
        if flow.undecoded == 0 {
            return;
        }
        let transport = match flow.key.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
            Transport::Icmp => "icmp",
            Transport::Ip(_) => "ip",
        };
        let port = match flow.key.transport {
            Transport::Ip(number) => u16::from(number),
            _ => flow.facts.server.port,
        };
        let ports = &mut self.counters.undecoded_octets;
        if ports.len() < self.limits.ports_max || ports.contains_key(&(transport, port)) {
            add(ports.entry((transport, port)).or_default(), flow.undecoded);
        } else {
            add(&mut self.counters.undecoded_other, flow.undecoded);
        }
    }
}
