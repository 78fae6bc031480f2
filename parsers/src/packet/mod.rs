//! `Packet`: what the headers of one frame say, from the link to the transport, tunnels included.

use std::cmp::Ordering;
use std::net::IpAddr;

pub mod arp;
pub mod decode;
mod ip;
pub mod link;
#[cfg(test)]
mod tests;
mod tunnel;
mod window;

use arp::Arp;
use link::{LinkType, MacAddr};

/// Tags and tunnels a packet may be wrapped in before it is left alone, counted together.
pub const DEPTH_MAX: usize = 8;
/// VLAN tags that are kept; deeper ones are an anomaly.
pub const TAGS_MAX: usize = 4;

/// The broadcast domain that addresses belong to: two equal addresses in two scopes are two devices.
///
/// VLAN tags and the network identifiers of VXLAN and Geneve. What differs by direction or by mirror (MPLS labels, PPPoE
/// sessions, GRE keys, ERSPAN sessions, the interface) is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scope {
    /// VLAN identifiers (12 bits), outermost first; priority tags (0) are left out. Unused places are 0.
    pub tags: [u16; TAGS_MAX],
    /// Network identifier of the innermost VXLAN or Geneve tunnel, plus one; 0 where there is none.
    pub network: u32,
}

impl Ord for Scope {
    /// By the tags from the outermost on, then by the network: as two numbers, since addresses are compared a lot.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let number = |scope: &Self| scope.tags.iter().fold(0_u64, |sum, tag| sum << 16 | u64::from(*tag));
        (number(self), self.network).cmp(&(number(other), other.network))
    }
}

impl PartialOrd for Scope {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Scope {
    /// The innermost VLAN identifier.
    pub fn vlan(&self) -> Option<u16> {
        self.tags.iter().rev().copied().find(|tag| *tag != 0)
    }
}

/// What carries the packet where it is carried in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// Generic Routing Encapsulation (RFC 2784, 2890).
    Gre,
    /// ERSPAN type I, II or III: a mirror's own tunnel.
    Erspan,
    /// VXLAN (RFC 7348).
    Vxlan,
    /// Geneve (RFC 8926).
    Geneve,
    /// IP in IP, 6in4, 4in6 (RFC 2003, 4213, 2473).
    IpInIp,
}

/// The outermost IP header of a packet that came through a tunnel. Never mixed up with the packet's own addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outer {
    /// The outermost tunnel.
    pub tunnel: Tunnel,
    /// Where the tunnel starts.
    pub source: IpAddr,
    /// Where it ends.
    pub destination: IpAddr,
}

/// The IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ip {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// IPv4 identification, or that of an IPv6 fragment header; `None` for other IPv6 packets.
    pub identification: Option<u32>,
    /// The protocol of the payload, after all extension headers.
    pub protocol: u8,
    /// Where the packet is a fragment.
    pub fragment: Option<Fragment>,
}

/// Where a fragment belongs in its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Octets of the datagram before it.
    pub offset: u32,
    /// Whether others follow.
    pub more: bool,
}

/// TCP flags that a bystander needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// FIN, SYN, RST, PSH, ACK, URG as in RFC 9293 3.1.
    pub const FIN: u8 = 0x01;
    /// Synchronize.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// Acknowledgment field is valid.
    pub const ACK: u8 = 0x10;
    /// Urgent pointer is valid.
    pub const URG: u8 = 0x20;

    /// Whether any of `mask` is set.
    pub fn any(self, mask: u8) -> bool {
        self.0 & mask != 0
    }
}

/// The transport header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
        /// Sequence number of the first payload octet (of the SYN where there is one).
        sequence: u32,
        /// Acknowledgment number; meaningless without the ACK flag.
        acknowledgment: u32,
        /// Window as it stands in the header, unscaled.
        window: u16,
        /// Flags.
        flags: TcpFlags,
    },
    /// UDP.
    Udp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
    },
    /// ICMP or ICMPv6.
    Icmp {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
    /// Another IP protocol, or one whose header is cut: the payload is all of it.
    Other,
}

/// What the frame carries above the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// IPv4 or IPv6.
    Ip(Ip, Transport),
    /// ARP over Ethernet and IPv4.
    Arp(Arp),
    /// LLDP (EtherType 0x88CC): the payload starts at the first TLV.
    Lldp,
    /// Another EtherType, or an LLC/SNAP protocol identifier.
    Other(u16),
    /// A link type or header that the sensor does not read.
    Undecoded,
}

/// What is odd about the headers of a frame. More than one may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anomalies(pub u16);

impl Anomalies {
    /// The capture kept fewer octets than the frame had on the wire, and it shows in the headers or the payload.
    pub const TRUNCATED: u16 = 1;
    /// A header claims more octets than its carrier has, though the capture is whole.
    pub const LENGTH: u16 = 1 << 1;
    /// A header's fields contradict its standard (IHL below 5, version neither 4 nor 6, data offset below 5, ...).
    pub const HEADER: u16 = 1 << 2;
    /// More tags or tunnels than [`DEPTH_MAX`], or more VLAN tags than [`TAGS_MAX`].
    pub const DEPTH: u16 = 1 << 3;
    /// A link type that the sensor does not read.
    pub const LINK_TYPE: u16 = 1 << 4;
    /// IPv4 total length 0: segmentation was offloaded to the card that captured (TSO); the frame's own length was taken.
    pub const OFFLOADED: u16 = 1 << 5;
    /// Every anomaly with the name it has in statistics.
    pub const NAMES: [(u16, &'static str); 6] = [
        (Self::TRUNCATED, "truncated_frame"),
        (Self::LENGTH, "header_length"),
        (Self::HEADER, "header_invalid"),
        (Self::DEPTH, "nesting_depth"),
        (Self::LINK_TYPE, "link_type_unknown"),
        (Self::OFFLOADED, "segmentation_offload"),
    ];

    /// Notes one.
    pub fn note(&mut self, anomaly: u16) {
        self.0 |= anomaly;
    }

    /// Whether it was noted.
    pub fn has(self, anomaly: u16) -> bool {
        self.0 & anomaly != 0
    }
}

/// What the headers of one frame say. It borrows nothing: the payload is a range of the frame's octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Source MAC address of the innermost link header that has one (a tunnelled Ethernet frame's own, never the carrier's).
    pub source_mac: Option<MacAddr>,
    /// Destination MAC address, likewise.
    pub destination_mac: Option<MacAddr>,
    /// Broadcast domain.
    pub scope: Scope,
    /// Where the packet came through a tunnel: the outermost carrier.
    pub outer: Option<Outer>,
    /// Network and transport headers, the innermost.
    pub network: Network,
    /// First octet of the payload in the frame (or in the datagram, after reassembly).
    pub payload_offset: u32,
    /// Octets of the payload; link padding, PRP trailers and frame check sequences are not part of it.
    pub payload_octets: u32,
    /// Tags and tunnels passed on the way.
    pub depth: u8,
    /// What is odd.
    pub anomalies: Anomalies,
}

impl Packet {
    /// A packet of which nothing is known yet.
    pub const EMPTY: Self = Self {
        source_mac: None,
        destination_mac: None,
        scope: Scope { tags: [0; TAGS_MAX], network: 0 },
        outer: None,
        network: Network::Undecoded,
        payload_offset: 0,
        payload_octets: 0,
        depth: 0,
        anomalies: Anomalies(0),
    };

    /// The payload in the octets that the packet was decoded from.
    pub fn payload<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        let start = usize::try_from(self.payload_offset).unwrap_or(usize::MAX);
        let len = usize::try_from(self.payload_octets).unwrap_or(usize::MAX);
        octets.get(start..start.saturating_add(len)).unwrap_or(&[])
    }
}

/// What is decoded, beside the octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carrier {
    /// How the frame starts.
    pub link: LinkType,
    /// Octets that the frame had on the wire; more than were captured where the capture cut it.
    pub wire_octets: u32,
}
