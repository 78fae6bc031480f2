//! IPv4 and IPv6 headers with their extension headers, and the transport headers behind them.

use super::window::Window;
use super::{Anomalies, Fragment, Ip, TcpFlags, Transport};
use etherparse::err::{ipv4, ipv6, tcp};
use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice, TcpHeaderSlice, UdpHeaderSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Protocol numbers (IANA, assigned internet protocol numbers).
pub(super) mod protocol {
    pub(in super::super) const HOP_BY_HOP: u8 = 0;
    pub(in super::super) const ICMP: u8 = 1;
    pub(in super::super) const IPV4: u8 = 4;
    pub(in super::super) const TCP: u8 = 6;
    pub(in super::super) const UDP: u8 = 17;
    pub(in super::super) const IPV6: u8 = 41;
    pub(in super::super) const ROUTING: u8 = 43;
    pub(in super::super) const FRAGMENT: u8 = 44;
    pub(in super::super) const GRE: u8 = 47;
    pub(in super::super) const AUTHENTICATION: u8 = 51;
    pub(in super::super) const ICMPV6: u8 = 58;
    pub(in super::super) const NO_NEXT_HEADER: u8 = 59;
    pub(in super::super) const DESTINATION_OPTIONS: u8 = 60;
}

/// Extension headers that are walked in one IP header; a longer chain is an anomaly.
const EXTENSIONS_MAX: usize = 8;

/// An IP header as it is carried about while a frame is read: small, with the addresses still on the wire, so that the
/// packet is written once, at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header<'a> {
    /// Source and destination: 8 octets for IPv4, 32 for IPv6.
    addresses: &'a [u8],
    ttl: u8,
    identification: Option<u32>,
    /// The protocol of the payload, after the extension headers.
    pub(super) protocol: u8,
    /// Where the payload is a fragment.
    pub(super) fragment: Option<Fragment>,
}

impl<'a> Header<'a> {
    /// The header of the datagram that a packet is a fragment of; `room` is where its addresses stand meanwhile.
    pub(super) fn of_datagram(ip: &Ip, room: &'a mut [u8; 32]) -> Self {
        let length = match (ip.source, ip.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let both = u64::from(source.to_bits()) << 32 | u64::from(destination.to_bits());
                if let Some(first) = room.first_chunk_mut() {
                    *first = both.to_be_bytes();
                }
                8
            }
            (source, destination) => {
                for (place, address) in room.chunks_exact_mut(16).zip([source, destination]) {
                    let six = match address {
                        IpAddr::V4(four) => four.to_ipv6_mapped(),
                        IpAddr::V6(six) => six,
                    };
                    place.copy_from_slice(&six.octets());
                }
                32
            }
        };
        Self {
            addresses: room.get(..length).unwrap_or(&[]),
            ttl: ip.ttl,
            identification: ip.identification,
            protocol: ip.protocol,
            fragment: None,
        }
    }

    /// Whether it is IPv6.
    #[inline]
    pub(super) fn six(&self) -> bool {
        self.addresses.len() > 8
    }

    /// Whether an extension header follows that can be walked (RFC 8200 4; RFC 4302 for authentication, the only one
    /// that IPv4 has).
    pub(super) fn is_extended(&self) -> bool {
        use protocol::{AUTHENTICATION, DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING};
        match self.protocol {
            AUTHENTICATION => self.fragment.is_none(),
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | FRAGMENT => self.six() && self.fragment.is_none(),
            _ => false,
        }
    }

    /// Source and destination.
    #[inline]
    pub(super) fn addresses(&self) -> (IpAddr, IpAddr) {
        if let (Some(source), Some(destination)) = (self.addresses.first_chunk::<16>(), self.addresses.last_chunk()) {
            return (IpAddr::V6(Ipv6Addr::from_octets(*source)), IpAddr::V6(Ipv6Addr::from_octets(*destination)));
        }
        let four = |octets: Option<&[u8; 4]>| Ipv4Addr::from_octets(octets.copied().unwrap_or_default());
        (IpAddr::V4(four(self.addresses.first_chunk())), IpAddr::V4(four(self.addresses.last_chunk())))
    }

    /// The header as the packet has it.
    #[inline]
    pub(super) fn ip(&self) -> Ip {
        let (source, destination) = self.addresses();
        let Self { ttl, identification, protocol, fragment, .. } = *self;
        Ip { source, destination, ttl, identification, protocol, fragment }
    }
}

/// Reads an IPv4 header (RFC 791 3.1); the window then starts behind it and ends with the datagram. On `None` the
/// reason is noted and the window is as it was.
// Always inlined: handing the header over through memory costs more than reading it.
#[inline(always)]
pub(super) fn ipv4<'a>(window: &mut Window<'a>) -> Option<Header<'a>> {
    let rest = window.rest();
    let read = match Ipv4HeaderSlice::from_slice(rest) {
        Ok(read) => read,
        Err(ipv4::HeaderSliceError::Len(_)) => {
            window.note_short();
            return None;
        }
        Err(ipv4::HeaderSliceError::Content(_)) => {
            window.note_header();
            return None;
        }
    };
    let header_octets = read.slice().len();
    let total_length = usize::from(read.total_len());
    if total_length >= header_octets {
        window.limit(total_length);
    } else if total_length == 0 {
        window.anomalies.note(Anomalies::OFFLOADED);
    } else {
        window.note_header();
        return None;
    }
    window.skip(header_octets);
    let offset = u32::from(read.fragments_offset().value()).saturating_mul(8);
    let more = read.more_fragments();
    Some(Header {
        addresses: rest.get(12..20)?,
        ttl: read.ttl(),
        identification: Some(u32::from(read.identification())),
        protocol: read.protocol().0,
        fragment: (more || offset > 0).then_some(Fragment { offset, more }),
    })
}

/// Reads an IPv6 header (RFC 8200 3), without its extension headers; otherwise as [`ipv4()`].
#[inline]
pub(super) fn ipv6<'a>(window: &mut Window<'a>) -> Option<Header<'a>> {
    let rest = window.rest();
    let read = match Ipv6HeaderSlice::from_slice(rest) {
        Ok(read) => read,
        Err(ipv6::HeaderSliceError::Len(_)) => {
            window.note_short();
            return None;
        }
        Err(ipv6::HeaderSliceError::Content(_)) => {
            window.note_header();
            return None;
        }
    };
    let payload_length = usize::from(read.payload_length());
    let next_header = read.next_header().0;
    window.skip(read.slice().len());
    if payload_length > 0 || next_header == protocol::NO_NEXT_HEADER {
        window.limit(payload_length);
    } else {
        // A jumbogram (RFC 2675), or segmentation left to the card, as with an IPv4 total length of 0.
        window.anomalies.note(Anomalies::OFFLOADED);
    }
    Some(Header {
        addresses: rest.get(8..40)?,
        ttl: read.hop_limit(),
        identification: None,
        protocol: next_header,
        fragment: None,
    })
}

/// Walks the extension headers up to the first one that cannot be read: its number then stays as the protocol.
pub(super) fn extensions<'a>(window: &mut Window<'_>, mut header: Header<'a>) -> Header<'a> {
    let mut passed = 0_usize;
    while header.is_extended() {
        if passed >= EXTENSIONS_MAX {
            window.anomalies.note(Anomalies::DEPTH);
            break;
        }
        passed = passed.saturating_add(1);
        let next = match header.protocol {
            protocol::FRAGMENT => fragment(window, &mut header),
            kind => extension(window, kind),
        };
        let Some(next) = next else {
            window.note_short();
            break;
        };
        header.protocol = next;
    }
    header
}

/// Passes one extension header and tells what follows it.
fn extension(window: &mut Window<'_>, kind: u8) -> Option<u8> {
    let mut reader = window.reader();
    let next = reader.u8("next_header").ok()?;
    let length = usize::from(reader.u8("extension_length").ok()?);
    // RFC 4302 2.2: in units of four octets, less two; RFC 8200 4.3: in units of eight octets, less one.
    let octets = match kind {
        protocol::AUTHENTICATION => length.saturating_add(2).saturating_mul(4),
        _ => length.saturating_add(1).saturating_mul(8),
    };
    window.rest().get(..octets)?;
    window.skip(octets);
    Some(next)
}

/// Passes a fragment header (RFC 8200 4.5). One with offset 0 and nothing to follow is the whole datagram (RFC 6946).
fn fragment(window: &mut Window<'_>, header: &mut Header<'_>) -> Option<u8> {
    let mut reader = window.reader();
    let next = reader.u8("next_header").ok()?;
    reader.u8("reserved").ok()?;
    let offset_and_flags = reader.u16_be("fragment_offset").ok()?;
    header.identification = Some(reader.u32_be("identification").ok()?);
    let offset = u32::from(offset_and_flags & 0xFFF8);
    let more = offset_and_flags & 1 != 0;
    header.fragment = (more || offset > 0).then_some(Fragment { offset, more });
    window.skip(reader.offset());
    Some(next)
}

/// Reads a TCP header (RFC 9293 3.1); the window then starts at the segment's payload.
#[inline]
pub(super) fn tcp(window: &mut Window<'_>) -> Transport {
    let rest = window.rest();
    match TcpHeaderSlice::from_slice(rest) {
        Ok(header) => {
            window.skip(header.slice().len());
            Transport::Tcp {
                source: header.source_port(),
                destination: header.destination_port(),
                sequence: header.sequence_number(),
                acknowledgment: header.acknowledgment_number(),
                window: header.window_size(),
                flags: TcpFlags(header.slice().get(13).copied().unwrap_or_default()),
            }
        }
        Err(tcp::HeaderSliceError::Len(_)) if window.is_cut() || rest.len() < etherparse::TcpHeader::MIN_LEN => {
            window.note_short();
            Transport::Other
        }
        Err(_) => {
            // A data offset below 5, or past the end of the segment.
            window.note_header();
            Transport::Other
        }
    }
}

/// Reads a UDP header (RFC 768); the window then is the datagram's payload.
#[inline]
pub(super) fn udp(window: &mut Window<'_>, six: bool) -> Transport {
    let Ok(header) = UdpHeaderSlice::from_slice(window.rest()) else {
        window.note_short();
        return Transport::Other;
    };
    let length = usize::from(header.length());
    let octets = header.slice().len();
    if length >= octets {
        window.limit(length);
    } else if length > 0 || !(six || window.anomalies.has(Anomalies::OFFLOADED)) {
        // RFC 2675 4 allows 0 in a jumbogram; offloaded segmentation leaves it so too.
        window.note_header();
        return Transport::Other;
    }
    window.skip(octets);
    Transport::Udp { source: header.source_port(), destination: header.destination_port() }
}

/// Reads what all ICMP messages start with: type, code, checksum (RFC 792, RFC 4443 2.1). The payload is what follows.
pub(super) fn icmp(window: &mut Window<'_>) -> Transport {
    let mut reader = window.reader();
    match (reader.u8("type"), reader.u8("code"), reader.u16_be("checksum")) {
        (Ok(kind), Ok(code), Ok(_)) => {
            window.skip(reader.offset());
            Transport::Icmp { kind, code }
        }
        _ => {
            window.note_short();
            Transport::Other
        }
    }
}
