//! `Class`: what a frame is worth when not all can be kept, told from its raw octets.

use crate::outline::{Outline, ether_type, u16_at};
use yagura_parsers::packet::link::LinkType;

/// What a frame is worth when not all can be kept. It is told from the outermost headers in bounded time: what is
/// inside a tunnel, and fragments but the first, are bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Control of a process: by EtherType or by port. Kept longest.
    Industrial,
    /// Who has which address: ARP, DHCP, IPv6 neighbour discovery. Rare, and everything is named by it: kept as long.
    Addressing,
    /// Everything else. Goes first.
    Bulk,
}

/// Industrial protocols that have an EtherType of their own (IEEE 802 numbers; IEC 61158, IEC 61850-8-1, IEC
/// 61850-9-2).
const ETHER_TYPES: [(u16, &str); 7] = [
    (0x8892, "PROFINET"),
    (0x88A4, "EtherCAT"),
    (0x88AB, "POWERLINK"),
    (0x88B8, "GOOSE"),
    (0x88B9, "GSE management"),
    (0x88BA, "Sampled Values"),
    (0x88CD, "SERCOS III"),
];

/// Industrial protocols by port, of TCP or UDP (IANA's registry; 9600 and 2222 by long custom).
const PORTS: [(u16, &str); 17] = [
    (102, "ISO on TCP (S7, MMS)"),
    (502, "Modbus"),
    (802, "Modbus"),
    (2222, "EtherNet/IP"),
    (2404, "IEC 60870-5-104"),
    (4840, "OPC UA"),
    (9600, "FINS"),
    (19998, "IEC 60870-5-104"),
    (19999, "DNP3"),
    (20000, "DNP3"),
    (34962, "PROFINET"),
    (34963, "PROFINET"),
    (34964, "PROFINET"),
    (34980, "EtherCAT"),
    (44818, "EtherNet/IP"),
    (47808, "BACnet/IP"),
    (47809, "BACnet/IP"),
];

/// DHCP for IPv4 (RFC 2131) and IPv6 (RFC 8415).
const ADDRESSING_PORTS: [u16; 4] = [67, 68, 546, 547];

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

impl Class {
    /// The class of a frame.
    pub fn of(link: LinkType, octets: &[u8]) -> Self {
        let Some(Outline { ether_type, offset }) = Outline::of(link, octets) else { return Self::Bulk };
        let network = octets.get(offset..).unwrap_or_default();
        match ether_type {
            ether_type::ARP => Self::Addressing,
            ether_type::IPV4 | ether_type::IPV6 => match upper(ether_type, network) {
                Some(Upper::Ports(source, destination)) => Self::of_ports(source, destination),
                Some(Upper::NeighbourDiscovery) => Self::Addressing,
                None => Self::Bulk,
            },
            _ if by_ether_type(ether_type).is_some() => Self::Industrial,
            _ => Self::Bulk,
        }
    }

    fn of_ports(source: u16, destination: u16) -> Self {
        if by_port(source).or_else(|| by_port(destination)).is_some() {
            Self::Industrial
        } else if ADDRESSING_PORTS.contains(&source) && ADDRESSING_PORTS.contains(&destination) {
            Self::Addressing
        } else {
            Self::Bulk
        }
    }
}

/// The industrial protocol of an EtherType.
pub(crate) fn by_ether_type(ether_type: u16) -> Option<&'static str> {
    ETHER_TYPES.iter().find(|(number, _)| *number == ether_type).map(|(_, name)| *name)
}

/// The industrial protocol that a port is used for.
pub(crate) fn by_port(port: u16) -> Option<&'static str> {
    PORTS.iter().find(|(number, _)| *number == port).map(|(_, name)| *name)
}

/// What is above IP.
enum Upper {
    Ports(u16, u16),
    NeighbourDiscovery,
}

/// What is above the IP header that `network` starts with; `None` where it cannot be told, or matters not.
fn upper(ether_type: u16, network: &[u8]) -> Option<Upper> {
    let (protocol, offset) = match ether_type {
        ether_type::IPV4 => {
            // All but the first fragment start within the payload (RFC 791 3.1).
            if u16_at(network, 6)? & 0x1FFF != 0 {
                return None;
            }
            let header = usize::from(network.first()? & 0x0F).saturating_mul(4);
            (*network.get(9)?, header)
        }
        _ => ipv6(network)?,
    };
    match protocol {
        TCP | UDP => Some(Upper::Ports(u16_at(network, offset)?, u16_at(network, offset.saturating_add(2))?)),
        // Router solicitation to redirect (RFC 4861 4).
        ICMPV6 => (133..=137).contains(network.get(offset)?).then_some(Upper::NeighbourDiscovery),
        _ => None,
    }
}

/// Passes the extension headers of IPv6 (RFC 8200 4), at most four.
fn ipv6(network: &[u8]) -> Option<(u8, usize)> {
    let mut protocol = *network.get(6)?;
    let mut offset = 40_usize;
    for _ in 0..4 {
        let octets = match protocol {
            0 | 43 | 60 => {
                let units = usize::from(*network.get(offset.saturating_add(1))?);
                units.saturating_add(1).saturating_mul(8)
            }
            44 if u16_at(network, offset.saturating_add(2))? & 0xFFF8 == 0 => 8,
            44 => return None,
            _ => break,
        };
        protocol = *network.get(offset)?;
        offset = offset.saturating_add(octets);
    }
    Some((protocol, offset))
}

/// Frames by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByClass {
    /// Of [`Class::Industrial`].
    pub industrial: u64,
    /// Of [`Class::Addressing`].
    pub addressing: u64,
    /// Of [`Class::Bulk`].
    pub bulk: u64,
}

impl ByClass {
    /// One more.
    pub fn count(&mut self, class: Class) {
        let counter = match class {
            Class::Industrial => &mut self.industrial,
            Class::Addressing => &mut self.addressing,
            Class::Bulk => &mut self.bulk,
        };
        *counter = counter.saturating_add(1);
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.industrial.saturating_add(self.addressing).saturating_add(self.bulk)
    }

    /// The sum of both.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            industrial: self.industrial.saturating_add(other.industrial),
            addressing: self.addressing.saturating_add(other.addressing),
            bulk: self.bulk.saturating_add(other.bulk),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::{Generated, arp, ether, ipv6_icmp};

    fn class(octets: &[u8]) -> Class {
        Class::of(LinkType::ETHERNET, octets)
    }

    #[test]
    fn either_port_makes_a_frame_industrial() {
        for port in [502, 20000, 2404, 102, 44818, 47808, 4840, 34962, 34963, 34964] {
            assert_eq!(class(&Generated::tcp(50_000, port).octets()), Class::Industrial, "to {port}");
            assert_eq!(class(&Generated::tcp(port, 50_000).octets()), Class::Industrial, "from {port}");
            assert_eq!(class(&Generated::udp(50_000, port).vlan(7).octets()), Class::Industrial, "tagged, {port}");
        }
        assert_eq!(class(&Generated::tcp(50_000, 443).octets()), Class::Bulk);
        assert_eq!(class(&Generated::tcp(50_000, 503).octets()), Class::Bulk);
    }

    #[test]
    fn ether_types_of_the_plant_and_of_addresses() {
        for number in [0x8892, 0x88B8, 0x88BA] {
            assert_eq!(class(&ether(number, &[1; 46])), Class::Industrial, "{number:x}");
        }
        assert_eq!(class(&arp()), Class::Addressing);
        assert_eq!(class(&ether(0x88E5, &[1; 46])), Class::Bulk);
        assert_eq!(class(&Generated::udp(68, 67).octets()), Class::Addressing);
        assert_eq!(class(&Generated::udp(68, 53).octets()), Class::Bulk);
        assert_eq!(class(&ipv6_icmp(135)), Class::Addressing);
        assert_eq!(class(&ipv6_icmp(128)), Class::Bulk);
    }

    #[test]
    fn later_fragments_have_no_ports_and_short_frames_are_bulk() {
        let whole = Generated::udp(50_000, 502).octets();
        let mut later = whole.clone();
        later[20] = 0x00;
        later[21] = 0xB9;
        assert_eq!(class(&later), Class::Bulk);
        for octets in 0..38 {
            assert_eq!(class(&whole[..octets]), Class::Bulk, "{octets}");
        }
        assert_eq!(class(&whole[..38]), Class::Industrial);
    }

    #[test]
    fn extension_headers_are_passed_but_not_for_ever() {
        let mut network = vec![0; 40];
        network[0] = 0x60;
        let mut at = 6;
        for _ in 0..3 {
            network[at] = 60;
            at = network.len();
            network.extend([0; 8]);
        }
        network[at] = UDP;
        network.extend([0xC3, 0x50, 0x01, 0xF6]);
        assert_eq!(class(&ether(0x86DD, &network)), Class::Industrial);
        let mut endless = vec![60; 40];
        endless.extend([60, 0, 0, 0, 0, 0, 0, 0].repeat(100));
        assert_eq!(class(&ether(0x86DD, &endless)), Class::Bulk);
    }

    #[test]
    fn counting_adds_up() {
        let mut counted = ByClass::default();
        for class in [Class::Industrial, Class::Bulk, Class::Bulk, Class::Addressing] {
            counted.count(class);
        }
        assert_eq!(counted, ByClass { industrial: 1, addressing: 1, bulk: 2 });
        assert_eq!((counted.total(), counted.plus(&counted).total()), (4, 8));
    }
}
