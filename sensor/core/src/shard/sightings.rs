//! Who shows itself: talkers of flows, ARP, devices without IP, and what devices tell of themselves.

use super::direction;
use super::hand::{At, Hand};
use crate::flow::FlowState;
use std::net::IpAddr;
use std::sync::Arc;
use yagura_parsers::discovery::{self, About};
use yagura_parsers::dissect::Direction;
use yagura_parsers::packet::arp::Arp;
use yagura_parsers::packet::link::MacAddr;
use yagura_parsers::packet::{Network, Packet, Scope};
use yagura_rules::facts::event::{EventKind, Sighting};
use yagura_rules::facts::flow::Flow;

/// MAC addresses of devices without IP that are told once a minute.
const MACS_MAX: usize = 4_096;

impl Hand {
    /// Notes who sends: the first frame of each end, and a MAC address that changes, are told.
    #[inline]
    pub(super) fn speaker(&mut self, flow: &mut FlowState, at: &At, packet: &Packet, from_low: bool) {
        let end = usize::from(!from_low);
        let way = usize::from(direction(flow, from_low) == Direction::ToClient);
        let first = flow.summary.frames.get(way) == Some(&1);
        let Some(mac) = flow.macs.get_mut(end) else { return };
        if !first && *mac == packet.source_mac {
            return;
        }
        *mac = packet.source_mac;
        let address = if from_low { flow.key.low.address } else { flow.key.high.address };
        if first && way == 1 && flow.facts.server_mac != packet.source_mac {
            let mut facts = Flow::clone(&flow.facts);
            facts.server_mac = packet.source_mac;
            flow.facts = Arc::new(facts);
        } else if first && way == 0 && flow.facts.client_mac != packet.source_mac {
            let mut facts = Flow::clone(&flow.facts);
            facts.client_mac = packet.source_mac;
            flow.facts = Arc::new(facts);
        }
        self.sight(at, flow.key.scope, "ip", packet.source_mac, Some(address), None);
    }

    pub(super) fn sight(
        &mut self,
        at: &At,
        scope: Scope,
        source: &'static str,
        mac: Option<MacAddr>,
        address: Option<IpAddr>,
        claim: Option<(&'static str, Box<[u8]>)>,
    ) {
        let sighting = Sighting { scope, source, mac, address, claim, asks_for: None, answers: false };
        self.emit(at, None, EventKind::Sighting(Box::new(sighting)));
    }

    pub(super) fn arp(&mut self, at: &At, packet: &Packet, arp: &Arp) {
        let announces = arp.operation == 2 || arp.sender == arp.target;
        let sighting = Sighting {
            scope: packet.scope,
            source: "arp",
            mac: Some(arp.sender_mac),
            address: (!arp.sender.is_unspecified()).then_some(IpAddr::V4(arp.sender)),
            claim: None,
            asks_for: (arp.operation == 1 && !announces).then_some(IpAddr::V4(arp.target)),
            answers: announces,
        };
        self.emit(at, None, EventKind::Sighting(Box::new(sighting)));
    }

    /// A device that speaks something other than IP: told once a minute.
    pub(super) fn link_speaker(&mut self, at: &At, packet: &Packet) {
        if let Some(mac) = self.speaks_again(at, packet) {
            self.sight(at, packet.scope, "link", Some(mac), None, None);
        }
    }

    /// A device of whose packet only the addresses are left: told once a minute.
    pub(super) fn cut_speaker(&mut self, at: &At, packet: &Packet, address: IpAddr) {
        self.anomaly("transport_header");
        if let Some(mac) = self.speaks_again(at, packet) {
            self.sight(at, packet.scope, "ip", Some(mac), Some(address), None);
        }
    }

    /// The sender's MAC address, where it was not told within the minute.
    fn speaks_again(&mut self, at: &At, packet: &Packet) -> Option<MacAddr> {
        let mac = packet.source_mac?;
        let minute = self.minute(at.now);
        let key = (packet.scope, mac);
        if self.macs.get(&key) == Some(&minute) {
            return None;
        }
        if self.macs.len() >= MACS_MAX {
            self.macs.clear();
        }
        self.macs.insert(key, minute);
        Some(mac)
    }

    pub(super) fn discover(&mut self, at: &At, packet: &Packet, octets: &[u8]) {
        let address = match packet.network {
            Network::Ip(ip, _) => Some(ip.source),
            _ => None,
        };
        let mut told = Vec::new();
        discovery::claims(packet, octets, &mut |claim| {
            let (mac, address) = match claim.about {
                About::Sender => (packet.source_mac, address),
                About::Mac(mac) => (Some(mac), None),
                About::Lease(mac, address) => (Some(mac), Some(address)),
            };
            let text: Box<[u8]> = claim.text.as_octets().into();
            told.push((claim.protocol, mac, address, (claim.key, text)));
        });
        for (protocol, mac, address, claim) in told {
            self.sight(at, packet.scope, protocol, mac, address, Some(claim));
        }
    }
}
