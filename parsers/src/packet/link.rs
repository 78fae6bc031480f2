//! `LinkType` and `MacAddr`: how frames start, and who sent them.

use crate::error::ParseError;
use crate::reader::Reader;
use std::fmt;

/// A link type by its number in <https://www.tcpdump.org/linktypes.html>, as capture files have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback, host byte order.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without the framing of HDLC.
    pub const PPP: Self = Self(9);
    /// Raw IP, by the number that some systems write (12 or 14 there).
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP, OpenBSD's number.
    pub const RAW_OPENBSD: Self = Self(14);
    /// PPP in HDLC-like framing, or the framing of RFC 1547.
    pub const PPP_HDLC: Self = Self(50);
    /// Raw IP.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback, network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// A 48-bit MAC address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// Whether the group bit is set: multicast and broadcast are never a device's own address.
    pub fn is_group(self) -> bool {
        let [first, ..] = self.0;
        first & 1 != 0
    }

    /// Whether it is all zeros.
    pub fn is_zero(self) -> bool {
        self.0 == [0; 6]
    }

    /// Whether it was set by a person or program rather than by a vendor.
    pub fn is_local(self) -> bool {
        let [first, ..] = self.0;
        first & 2 != 0
    }

    /// The address of a text such as `00:80:f4:0a:11:02` or `00-80-F4-0A-11-02`.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut octets = [0_u8; 6];
        let mut parts = text.split([':', '-']);
        for octet in &mut octets {
            let part = parts.next()?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            *octet = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(octets))
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// EtherTypes (IEEE 802 numbers) that lead to a further header.
pub(super) mod ether_type {
    pub(in super::super) const IPV4: u16 = 0x0800;
    pub(in super::super) const ARP: u16 = 0x0806;
    pub(in super::super) const VLAN: u16 = 0x8100;
    pub(in super::super) const IPV6: u16 = 0x86DD;
    pub(in super::super) const MPLS: u16 = 0x8847;
    pub(in super::super) const MPLS_MULTICAST: u16 = 0x8848;
    pub(in super::super) const PPPOE_SESSION: u16 = 0x8864;
    /// 802.1ad service tag.
    pub(in super::super) const VLAN_SERVICE: u16 = 0x88A8;
    pub(in super::super) const LLDP: u16 = 0x88CC;
    /// HSR tag (IEC 62439-3).
    pub(in super::super) const HSR: u16 = 0x892F;
    /// A service tag from before 802.1ad.
    pub(in super::super) const VLAN_EARLY: u16 = 0x9100;
    /// Values below are the length of an 802.3 frame (IEEE 802.3 3.2.6).
    pub(in super::super) const LOWEST: u16 = 0x0600;
}

/// What follows a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    /// An Ethernet header.
    Ethernet,
    /// What this EtherType says.
    EtherType(u16),
    /// An LLC header.
    Llc,
    /// An IPv4 header.
    Ipv4,
    /// An IPv6 header.
    Ipv6,
}

impl Carries {
    /// Tells the IP version by the first octet.
    pub(super) fn of_ip(octets: &[u8]) -> Option<Self> {
        match octets.first()? >> 4 {
            4 => Some(Self::Ipv4),
            6 => Some(Self::Ipv6),
            _ => None,
        }
    }
}

/// The header of a link other than Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// Octets of it.
    pub(super) octets: usize,
    /// What follows it.
    pub(super) carries: Carries,
    /// Who sent it, where the header tells.
    pub(super) source_mac: Option<MacAddr>,
}

/// Why the header of a link leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// The sensor does not know the link type.
    LinkType,
    /// It is longer than what is there.
    Short,
    /// It contradicts itself.
    Header,
    /// It carries what is not read.
    Foreign,
}

impl From<ParseError> for Unread {
    fn from(_: ParseError) -> Self {
        Self::Short
    }
}

/// Reads how a frame of a link other than Ethernet starts.
pub(super) fn start(link: LinkType, octets: &[u8]) -> Result<Start, Unread> {
    let plain = |octets, carries| Ok(Start { octets, carries, source_mac: None });
    match link {
        LinkType::ETHERNET => plain(0, Carries::Ethernet),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => match Carries::of_ip(octets) {
            Some(carries) => plain(0, carries),
            None if octets.is_empty() => Err(Unread::Short),
            None => Err(Unread::Header),
        },
        LinkType::IPV4 => plain(0, Carries::Ipv4),
        LinkType::IPV6 => plain(0, Carries::Ipv6),
        LinkType::NULL | LinkType::LOOP => plain(4, address_family(octets)?),
        LinkType::PPP | LinkType::PPP_HDLC => {
            let (octets, carries) = ppp(octets)?;
            plain(octets, carries)
        }
        LinkType::LINUX_SLL => linux_sll(octets),
        LinkType::LINUX_SLL2 => linux_sll2(octets),
        _ => Err(Unread::LinkType),
    }
}

/// Reads an address family, which stands in the order of octets of the machine that captured.
fn address_family(octets: &[u8]) -> Result<Carries, Unread> {
    let family = Reader::new(octets).u32_be("address_family")?;
    // A family is below 2^16, so that one of the two orders has zeros first.
    let family = if family > 0xFFFF { family.swap_bytes() } else { family };
    match family {
        2 => Ok(Carries::Ipv4),
        // IPv6 in Linux, in Windows, in NetBSD and OpenBSD, in FreeBSD, in macOS.
        10 | 23 | 24 | 28 | 30 => Ok(Carries::Ipv6),
        _ => Err(Unread::Foreign),
    }
}

/// Reads a PPP header, with or without address and control, with a protocol of one or two octets (RFC 1661 2 and 6.5,
/// RFC 1662 3.1, RFC 1547 4.3.1). Tells its octets and what follows.
pub(super) fn ppp(octets: &[u8]) -> Result<(usize, Carries), Unread> {
    let mut reader = Reader::new(octets);
    match octets {
        [0xFF, 0x03, ..] => {
            reader.u16_be("address_and_control")?;
        }
        [0x0F | 0x8F, 0x00, ..] => {
            reader.u16_be("address_and_control")?;
            let ether_type = reader.u16_be("ether_type")?;
            return Ok((reader.offset(), Carries::EtherType(ether_type)));
        }
        _ => {}
    }
    let first = reader.u8("protocol")?;
    let protocol = match first & 1 {
        0 => u16::from_be_bytes([first, reader.u8("protocol")?]),
        _ => u16::from(first),
    };
    let carries = match protocol {
        0x0021 => Carries::Ipv4,
        0x0057 => Carries::Ipv6,
        0x0281 => Carries::EtherType(ether_type::MPLS),
        0x0283 => Carries::EtherType(ether_type::MPLS_MULTICAST),
        _ => return Err(Unread::Foreign),
    };
    Ok((reader.offset(), carries))
}

/// Reads a Linux cooked header, version 1.
fn linux_sll(octets: &[u8]) -> Result<Start, Unread> {
    let mut reader = Reader::new(octets);
    reader.u16_be("packet_type")?;
    let hardware = reader.u16_be("hardware_type")?;
    let length = reader.u16_be("address_length")?;
    let address = reader.take(8, "address")?;
    let protocol = reader.u16_be("protocol_type")?;
    cooked(reader.offset(), hardware, length, address, protocol)
}

/// Reads a Linux cooked header, version 2.
fn linux_sll2(octets: &[u8]) -> Result<Start, Unread> {
    let mut reader = Reader::new(octets);
    let protocol = reader.u16_be("protocol_type")?;
    reader.u16_be("reserved")?;
    reader.u32_be("interface_index")?;
    let hardware = reader.u16_be("hardware_type")?;
    reader.u8("packet_type")?;
    let length = reader.u8("address_length")?;
    let address = reader.take(8, "address")?;
    cooked(reader.offset(), hardware, u16::from(length), address, protocol)
}

/// What the fields of both Linux cooked headers say.
fn cooked(octets: usize, hardware: u16, length: u16, address: &[u8], protocol: u16) -> Result<Start, Unread> {
    const ETHERNET: u16 = 1;
    const FRAME_RELAY: u16 = 770;
    const GRE: u16 = 778;
    const RADIOTAP: u16 = 803;
    const NETLINK: u16 = 824;
    const PROTOCOL_LLC: u16 = 0x0004;
    let carries = match (hardware, protocol) {
        // The protocol is not an EtherType on these.
        (FRAME_RELAY | RADIOTAP | NETLINK, _) => return Err(Unread::Foreign),
        (GRE, 0x6558) => Carries::Ethernet,
        (_, PROTOCOL_LLC) => Carries::Llc,
        (_, 0..ether_type::LOWEST) => return Err(Unread::Foreign),
        _ => Carries::EtherType(protocol),
    };
    let source_mac = match (hardware, length) {
        (ETHERNET, 6) => address.first_chunk::<6>().copied().map(MacAddr),
        _ => None,
    };
    Ok(Start { octets, carries, source_mac })
}
