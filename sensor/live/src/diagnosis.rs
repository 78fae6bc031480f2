//! `Diagnosis`: what is wrong with a mirror, judged from the frames that it delivers.
//!
//! It sees frames and figures, never an interface, so that a capture file can be judged by it as well. Memory is
//! bounded: what there is no room for is not looked at.

use crate::class::{by_ether_type, by_port};
use crate::finding::Finding;
use crate::outline::{Outline, ether_type, u16_at};
use std::collections::BTreeMap;
use std::net::IpAddr;
use yagura_core::duplicates::Duplicates;
use yagura_core::frame::FrameHead;
use yagura_core::limits::Limits;
use yagura_parsers::packet::decode::decode;
use yagura_parsers::packet::link::{LinkType, MacAddr};
use yagura_parsers::packet::{Anomalies, Carrier, Ip, Network, Packet, TcpFlags, Transport};

/// A copy comes at most so much later, in ns.
const COPY_NS: u64 = 10_000_000;

/// Conversations that are kept.
const CONVERSATIONS_MAX: usize = 65_536;

/// Senders of wrong checksums, and VLANs, that are kept.
const NAMES_MAX: usize = 4_096;

/// A conversation with fewer frames may have its answers still to come.
const FRAMES_MIN: u64 = 4;

/// The seed of the fingerprints of frames: a diagnosis lasts for seconds, and nobody gains by misleading it.
const SEED: u64 = 0x59_61_67_75_72_61;

/// What is known of the port beside its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// Octets that a frame of it carries at most beyond the link header.
    pub mtu: u32,
    /// Its own address: frames to and from it are no mirror's.
    pub own: Option<MacAddr>,
}

impl Default for Port {
    /// What is usual of Ethernet, with no address of its own.
    fn default() -> Self {
        Self { mtu: 1_500, own: None }
    }
}

/// Frames that were lost before they could be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Missing {
    /// For which the kernel had no room.
    pub kernel: u64,
    /// Lost by the card or its driver.
    pub interface: u64,
}

/// What is seen of a mirror.
#[derive(Debug)]
pub struct Diagnosis {
    port: Port,
    frames: u64,
    /// Times of the first and the latest frame, in ns.
    first: u64,
    latest: u64,
    /// The longest time between two frames, in ns.
    pause: u64,
    /// To a group or to all.
    group: u64,
    /// To or from the port itself.
    own: u64,
    /// Between two others: what a mirror is for.
    foreign: u64,
    untagged: u64,
    vlans: BTreeMap<u16, u64>,
    conversations: BTreeMap<Ends, Ways>,
    duplicates: Duplicates,
    /// Frames that a copy could be told of.
    comparable: u64,
    long: u64,
    longest: u32,
    cut: u64,
    headers: Checked,
    segments: Checked,
    /// Who sends segments with wrong checksums.
    wrong: BTreeMap<MacAddr, u64>,
    protocols: BTreeMap<&'static str, u64>,
    missing: Missing,
}

/// Two ends of a TCP connection, the lesser one first.
type Ends = ((IpAddr, u16), (IpAddr, u16));

/// Frames from the lesser end and from the other.
#[derive(Debug, Clone, Copy, Default)]
struct Ways {
    up: u64,
    down: u64,
    /// Whether an acknowledgment was seen: then both must have spoken.
    acknowledged: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Checked {
    all: u64,
    wrong: u64,
}

impl Checked {
    fn count(&mut self, right: bool) {
        bump(&mut self.all);
        if !right {
            bump(&mut self.wrong);
        }
    }
}

impl Diagnosis {
    /// Nothing seen yet, of such a port.
    pub fn of(port: Port) -> Self {
        let limits = Limits { duplicate_ns: COPY_NS, duplicate_frames: 8_192, ..Limits::default() };
        Self {
            port,
            frames: 0,
            first: 0,
            latest: 0,
            pause: 0,
            group: 0,
            own: 0,
            foreign: 0,
            untagged: 0,
            vlans: BTreeMap::new(),
            conversations: BTreeMap::new(),
            duplicates: Duplicates::new(&limits, SEED),
            comparable: 0,
            long: 0,
            longest: 0,
            cut: 0,
            headers: Checked::default(),
            segments: Checked::default(),
            wrong: BTreeMap::new(),
            protocols: BTreeMap::new(),
            missing: Missing::default(),
        }
    }

    /// Sees a frame.
    pub fn see(&mut self, head: &FrameHead, octets: &[u8]) {
        bump(&mut self.frames);
        let time = head.time.0;
        if self.frames == 1 {
            (self.first, self.latest) = (time, time);
        }
        self.pause = self.pause.max(time.saturating_sub(self.latest));
        self.latest = self.latest.max(time);
        let packet = decode(Carrier { link: head.link, wire_octets: head.wire_octets }, octets);
        let cut = u32::try_from(octets.len()).unwrap_or(u32::MAX) < head.wire_octets;
        if cut {
            bump(&mut self.cut);
        }
        self.see_ends_of_link(&packet);
        match packet.scope.vlan() {
            None => bump(&mut self.untagged),
            Some(vlan) => bump_of(&mut self.vlans, vlan, NAMES_MAX),
        }
        let outline = Outline::of(head.link, octets);
        self.see_length(head, &packet, outline);
        if let Some(Outline { ether_type, .. }) = outline
            && let Some(protocol) = by_ether_type(ether_type)
        {
            bump_of(&mut self.protocols, protocol, NAMES_MAX);
        }
        if let Network::Ip(ip, transport) = packet.network {
            self.see_conversation(&ip, transport);
            let payload = packet.payload(octets);
            // Segments without payload and identification are alike without being copies.
            let plain = payload.is_empty() && ip.identification.unwrap_or(0) == 0;
            if !plain && matches!(transport, Transport::Tcp { .. }) || ip.identification.unwrap_or(0) != 0 {
                bump(&mut self.comparable);
                // What it finds, it counts itself.
                self.duplicates.is_copy(self.frames, head.time, &packet, payload);
            }
        }
        if let Some(outline) = outline
            && packet.outer.is_none()
        {
            let network = octets.get(outline.offset..).unwrap_or_default();
            self.see_checksums(outline.ether_type, network, packet.source_mac);
        }
    }

    /// Frames that were lost, in all.
    pub fn missing(&mut self, missing: Missing) {
        self.missing = missing;
    }

    /// Frames seen.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// What is said of the mirror after `seconds` of looking: faults first.
    pub fn words(&self, seconds: u64) -> Vec<Finding> {
        let mut found = Vec::new();
        self.say_losses(&mut found);
        if self.frames == 0 {
            found.push(Finding::fault(format!(
                "Not one frame arrived in {seconds} s. Check that the mirror (SPAN) session is on, that its \
                 destination is the switch's port that this cable is in, and that its sources are in use."
            )));
        } else {
            self.say_reach(&mut found);
            self.say_silence(seconds, &mut found);
            self.say_directions(&mut found);
            self.say_copies(&mut found);
            self.say_lengths(&mut found);
            self.say_checksums(&mut found);
            self.say_contents(&mut found);
        }
        found.sort_by_key(|finding| finding.grade);
        found
    }

    fn see_ends_of_link(&mut self, packet: &Packet) {
        let (Some(source), Some(destination)) = (packet.source_mac, packet.destination_mac) else { return };
        let own = |address| self.port.own.is_some_and(|own| own == address);
        if own(source) || own(destination) {
            bump(&mut self.own);
        } else if destination.is_group() {
            bump(&mut self.group);
        } else {
            bump(&mut self.foreign);
        }
    }

    fn see_length(&mut self, head: &FrameHead, packet: &Packet, outline: Option<Outline>) {
        // Ethernet's header, and its frame check sequence, which some cards leave on.
        const AROUND: u32 = 18;
        let tags = outline.map_or(0, |outline| outline.offset.saturating_sub(14));
        let most = self.port.mtu.saturating_add(AROUND).saturating_add(u32::try_from(tags).unwrap_or(0));
        self.longest = self.longest.max(head.wire_octets);
        if head.link == LinkType::ETHERNET && head.wire_octets > most || packet.anomalies.has(Anomalies::OFFLOADED) {
            bump(&mut self.long);
        }
    }

    fn see_conversation(&mut self, ip: &Ip, transport: Transport) {
        let (source, destination, flags) = match transport {
            Transport::Tcp { source, destination, flags, .. } => (source, destination, flags),
            Transport::Udp { source, destination } => {
                return self.see_protocol(source, destination);
            }
            _ => return,
        };
        self.see_protocol(source, destination);
        let (from, to) = ((ip.source, source), (ip.destination, destination));
        let ends = if from <= to { (from, to) } else { (to, from) };
        if !self.conversations.contains_key(&ends) && self.conversations.len() >= CONVERSATIONS_MAX {
            return;
        }
        let ways = self.conversations.entry(ends).or_default();
        bump(if from <= to { &mut ways.up } else { &mut ways.down });
        ways.acknowledged |= flags.any(TcpFlags::ACK);
    }

    fn see_protocol(&mut self, source: u16, destination: u16) {
        if let Some(protocol) = by_port(destination).or_else(|| by_port(source)) {
            bump_of(&mut self.protocols, protocol, NAMES_MAX);
        }
    }

    /// Checks the IPv4 header (RFC 791 3.1), and the TCP segment (RFC 9293 3.1), where all of it is there.
    fn see_checksums(&mut self, kind: u16, network: &[u8], sender: Option<MacAddr>) {
        let Some(parts) = segment(kind, network) else { return };
        if let Some(header) = parts.header {
            self.headers.count(sum(0, header) == 0xFFFF);
        }
        let Some((addresses, segment)) = parts.segment else { return };
        let pseudo = u64::try_from(segment.len()).unwrap_or(0).saturating_add(6);
        let right = sum(sum(pseudo, addresses), segment) == 0xFFFF;
        self.segments.count(right);
        if !right && let Some(sender) = sender {
            bump_of(&mut self.wrong, sender, NAMES_MAX);
        }
    }

    fn say_losses(&self, found: &mut Vec<Finding>) {
        let Missing { kernel, interface } = self.missing;
        if kernel > 0 {
            let all = self.frames.saturating_add(kernel);
            found.push(Finding::fault(format!(
                "The kernel had no room for {}: this machine is too slow for what arrives. Give the capture a larger \
                 ring or a filter, or mirror fewer ports to this sensor.",
                share(kernel, all, "frames")
            )));
        }
        if interface > 0 {
            found.push(Finding::fault(format!(
                "The network card lost {interface} frames before the kernel had them. Enlarge its receive ring \
                 (\"ethtool -G\"), or mirror fewer ports to it."
            )));
        }
        if self.cut > 0 {
            found.push(Finding::fault(format!(
                "{} were cut before they were delivered. Switch truncation of the mirror off, or raise the snap \
                 length.",
                share(self.cut, self.frames, "frames")
            )));
        }
    }

    fn say_reach(&self, found: &mut Vec<Finding>) {
        if self.own > 0 {
            found.push(Finding::doubt(format!(
                "{} are to or from the port itself. A mirror's port is spoken to by nobody: prepare it, and see who \
                 does.",
                share(self.own, self.frames, "frames")
            )));
        }
        if self.foreign == 0 && self.group > 0 {
            found.push(Finding::fault(format!(
                "All {} frames that were not for the port itself are broadcasts and multicasts: this is what any port \
                 of a switch gets, so nothing is mirrored to it. Set up the mirror (SPAN) session with this port as \
                 its destination.",
                self.group
            )));
        } else if self.foreign > 0 && self.foreign.saturating_mul(100) < self.frames {
            found.push(Finding::doubt(format!(
                "Only {} are between two devices; the others are broadcasts and multicasts. Perhaps the mirror's \
                 sources are ports without traffic.",
                share(self.foreign, self.frames, "frames")
            )));
        }
    }

    fn say_silence(&self, seconds: u64, found: &mut Vec<Finding>) {
        const LONG: u64 = 5_000_000_000;
        if self.pause >= LONG {
            found.push(Finding::doubt(format!(
                "For {} s at a stretch nothing arrived, in {seconds} s. Polling never rests so long: see whether the \
                 mirror or a link goes up and down.",
                self.pause.checked_div(1_000_000_000).unwrap_or(0)
            )));
        }
    }

    fn say_directions(&self, found: &mut Vec<Finding>) {
        let known = self
            .conversations
            .values()
            .filter(|ways| ways.acknowledged && ways.up.saturating_add(ways.down) >= FRAMES_MIN);
        let (mut all, mut one) = (0_u64, 0_u64);
        for ways in known {
            bump(&mut all);
            if ways.up == 0 || ways.down == 0 {
                bump(&mut one);
            }
        }
        if one == 0 {
            return;
        }
        let told = share(one, all, "TCP conversations");
        if one.saturating_mul(10) >= all {
            found.push(Finding::fault(format!(
                "{told} are seen in one direction only, so requests cannot be matched with answers. Mirror both \
                 directions (rx and tx) of the source ports, and both ways of redundant links."
            )));
        } else {
            found.push(Finding::doubt(format!(
                "{told} are seen in one direction only: perhaps their answers take a way that is not mirrored."
            )));
        }
    }

    fn say_copies(&self, found: &mut Vec<Finding>) {
        let copies = self.duplicates.found;
        let told = share(copies, self.comparable, "packets");
        if copies.saturating_mul(20) >= self.comparable.max(1) {
            found.push(Finding::doubt(format!(
                "{told} come twice within 10 ms: the mirror takes them where they enter and where they leave. The \
                 sensor counts such copies once, but they take half of the mirror's room: mirror one direction of a \
                 VLAN, or only the ports that matter."
            )));
        } else if copies > 0 {
            found.push(Finding::fact(format!("{told} come twice within 10 ms. The sensor counts such copies once.")));
        }
    }

    fn say_lengths(&self, found: &mut Vec<Finding>) {
        if self.long > 0 {
            found.push(Finding::doubt(format!(
                "{} are longer than the port's MTU of {} allows; the longest has {} octets. Either this machine's \
                 card joins segments (prepare the port: gro and lro off), or the network uses jumbo frames (then \
                 raise the MTU).",
                share(self.long, self.frames, "frames"),
                self.port.mtu,
                self.longest
            )));
        }
    }

    fn say_checksums(&self, found: &mut Vec<Finding>) {
        let Checked { all, wrong } = self.headers;
        if wrong > 0 {
            found.push(Finding::doubt(format!(
                "{} have a wrong header checksum: a faulty link, or a mirror that changes packets.",
                share(wrong, all, "IPv4 packets")
            )));
        }
        let Checked { all, wrong } = self.segments;
        if wrong > 0 {
            // The greatest count; of equal ones the least address, so that the words are always the same.
            let most = self.wrong.iter().max_by_key(|(address, count)| (**count, std::cmp::Reverse(**address)));
            let sender = most.map_or_else(String::new, |(address, count)| format!(", {count} of them from {address}"));
            found.push(Finding::doubt(format!(
                "{}{sender} have a wrong checksum. Where they are taken inside of a host or a virtual switch, the \
                 checksum is left to the card (switch tx checksum offload off there, or live with it); else a link is \
                 faulty.",
                share(wrong, all, "TCP segments")
            )));
        }
    }

    fn say_contents(&self, found: &mut Vec<Finding>) {
        let tagged: u64 = self.vlans.values().fold(0, |all, count| all.saturating_add(*count));
        match (self.vlans.len(), self.untagged) {
            (0, _) => found.push(Finding::fact(
                "No frame has a VLAN tag. If several VLANs are mirrored, the switch takes their tags off, and equal \
                 addresses in two of them cannot be told apart: let the mirror keep tags."
                    .to_owned(),
            )),
            (1, 0) => {
                let vlan = self.vlans.keys().next().copied().unwrap_or(0);
                found.push(Finding::doubt(format!(
                    "All frames are of VLAN {vlan}. If there are others, they are not mirrored: add them to its \
                     sources."
                )));
            }
            (count, untagged) => {
                let list: Vec<String> = self.vlans.keys().take(10).map(u16::to_string).collect();
                let more = if count > list.len() { ", ..." } else { "" };
                let frames = share(tagged, tagged.saturating_add(untagged), "frames");
                found.push(Finding::fact(format!(
                    "{frames} have a VLAN tag, of {count} VLANs: {}{more}.",
                    list.join(", ")
                )));
            }
        }
        if self.protocols.is_empty() {
            found.push(Finding::doubt(
                "No frame is of an industrial protocol, by port or EtherType. If this network controls a process, the \
                 mirror's sources are not the controllers' ports."
                    .to_owned(),
            ));
        } else {
            let list: Vec<String> =
                self.protocols.iter().map(|(protocol, count)| format!("{protocol} ({count} frames)")).collect();
            found.push(Finding::fact(format!("Industrial protocols by port or EtherType: {}.", list.join(", "))));
        }
        let nanoseconds = self.latest.saturating_sub(self.first);
        let tenths = nanoseconds.checked_div(100_000_000).unwrap_or(0);
        let spoken =
            |tenths: u64| format!("{}.{}", tenths.checked_div(10).unwrap_or(0), tenths.checked_rem(10).unwrap_or(0));
        found.push(Finding::fact(format!(
            "{} frames in {} s, {} TCP conversations.",
            self.frames,
            spoken(tenths),
            self.conversations.len()
        )));
    }
}

/// What of a packet has a checksum.
#[derive(Debug, Clone, Copy)]
struct Parts<'a> {
    /// The IPv4 header.
    header: Option<&'a [u8]>,
    /// Both addresses, and the TCP segment; where it is all there and no fragment.
    segment: Option<(&'a [u8], &'a [u8])>,
}

/// What of a packet has a checksum; `None` where it is no IP, or its header is not all there.
fn segment(kind: u16, network: &[u8]) -> Option<Parts<'_>> {
    const TCP: u8 = 6;
    match kind {
        ether_type::IPV4 => {
            let header_octets = usize::from(network.first()? & 0x0F).saturating_mul(4);
            if header_octets < 20 {
                return None;
            }
            let header = network.get(..header_octets)?;
            let total = usize::from(u16_at(network, 2)?);
            let fragment = u16_at(network, 6)? & 0x3FFF != 0;
            let segment = network
                .get(header_octets..total)
                .filter(|segment| segment.len() >= 20 && !fragment && network.get(9) == Some(&TCP));
            let addresses = network.get(12..20)?;
            Some(Parts { header: Some(header), segment: segment.map(|segment| (addresses, segment)) })
        }
        ether_type::IPV6 => {
            let end = usize::from(u16_at(network, 4)?).saturating_add(40);
            let segment = network.get(40..end).filter(|segment| segment.len() >= 20 && network.get(6) == Some(&TCP));
            let addresses = network.get(8..40)?;
            Some(Parts { header: None, segment: segment.map(|segment| (addresses, segment)) })
        }
        _ => None,
    }
}

/// The sum of RFC 1071 after `start`, folded to 16 bits: 0xFFFF over what includes its right checksum.
fn sum(start: u64, octets: &[u8]) -> u64 {
    let mut sum = start;
    let (pairs, rest) = octets.as_chunks::<2>();
    for pair in pairs {
        sum = sum.saturating_add(u64::from(u16::from_be_bytes(*pair)));
    }
    if let [last] = rest {
        sum = sum.saturating_add(u64::from(*last) << 8);
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF).saturating_add(sum >> 16);
    }
    sum
}

fn bump(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

fn bump_of<Key: Ord>(counters: &mut BTreeMap<Key, u64>, key: Key, most: usize) {
    if counters.len() < most || counters.contains_key(&key) {
        bump(counters.entry(key).or_default());
    }
}

/// "3 of 120 frames (2.5 %)".
fn share(part: u64, whole: u64, of: &str) -> String {
    let thousandths = u128::from(part).saturating_mul(1_000).checked_div(u128::from(whole)).unwrap_or(0);
    let (percent, tenth) = (thousandths.checked_div(10).unwrap_or(0), thousandths.checked_rem(10).unwrap_or(0));
    format!("{part} of {whole} {of} ({percent}.{tenth} %)")
}

#[cfg(test)]
#[path = "diagnosis_tests.rs"]
mod tests;
