//! Headers of tunnels over IP: GRE, ERSPAN, VXLAN and Geneve.

use super::Tunnel;
use super::link::{Carries, ether_type};
use crate::reader::Reader;

/// A tunnel's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wrapper {
    /// Octets of it, those of the GRE header included.
    pub(super) octets: usize,
    /// Which tunnel.
    pub(super) tunnel: Tunnel,
    /// What follows it.
    pub(super) carries: Carries,
    /// Network identifier of VXLAN and Geneve (24 bits).
    pub(super) network: Option<u32>,
    /// The VLAN that a mirror saw the frame on, where it took the tag away; 0 otherwise.
    pub(super) mirror_tag: u16,
    /// Whether the mirror says that it cut the frame.
    pub(super) cut: bool,
}

impl Wrapper {
    /// A tunnel whose header says nothing more of the packet.
    pub(super) fn plain(octets: usize, tunnel: Tunnel, carries: Carries) -> Self {
        Self { octets, tunnel, carries, network: None, mirror_tag: 0, cut: false }
    }
}

/// UDP destination port of VXLAN (RFC 7348 8).
pub(super) const VXLAN_PORT: u16 = 4789;
/// UDP destination port of VXLAN before its assignment, still used by overlays of containers.
pub(super) const VXLAN_PORT_EARLY: u16 = 8472;
/// UDP destination port of Geneve (RFC 8926 3.3).
pub(super) const GENEVE_PORT: u16 = 6081;

/// GRE protocol type of a transparently bridged Ethernet frame.
const BRIDGED_ETHERNET: u16 = 0x6558;
/// GRE protocol type of ERSPAN types I and II.
const ERSPAN: u16 = 0x88BE;
/// GRE protocol type of ERSPAN type III.
const ERSPAN_III: u16 = 0x22EB;

/// Reads a GRE header (RFC 2784 2, RFC 2890 2) and an ERSPAN header behind it. `None` for other versions (PPTP), for
/// the routing of RFC 1701, and for protocol types that are not read.
pub(super) fn gre(octets: &[u8]) -> Option<Wrapper> {
    const CHECKSUM: u16 = 0x8000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    // Bits 1, 4 and 5 must make a receiver drop the packet where they are set (RFC 2784 2.3); the last three are the
    // version.
    const REFUSED: u16 = 0x4C07;
    let mut reader = Reader::new(octets);
    let flags = reader.u16_be("gre_flags").ok()?;
    let protocol_type = reader.u16_be("protocol_type").ok()?;
    if flags & REFUSED != 0 {
        return None;
    }
    for flag in [CHECKSUM, KEY, SEQUENCE] {
        if flags & flag != 0 {
            reader.u32_be("gre_optional_field").ok()?;
        }
    }
    let carries = match protocol_type {
        ether_type::IPV4 => Carries::Ipv4,
        ether_type::IPV6 => Carries::Ipv6,
        BRIDGED_ETHERNET => Carries::Ethernet,
        ether_type::MPLS | ether_type::MPLS_MULTICAST => Carries::EtherType(protocol_type),
        // Type I has no header of its own and no sequence numbers.
        ERSPAN if flags & SEQUENCE == 0 => {
            return Some(Wrapper::plain(reader.offset(), Tunnel::Erspan, Carries::Ethernet));
        }
        ERSPAN => return erspan_ii(reader),
        ERSPAN_III => return erspan_iii(reader),
        _ => return None,
    };
    Some(Wrapper::plain(reader.offset(), Tunnel::Gre, carries))
}

/// The VLAN identifier, and whether the frame was cut, of the first four octets that ERSPAN II and III share; `None`
/// for another version.
fn erspan_start(reader: &mut Reader<'_>, version: u16) -> Option<(u16, bool)> {
    let version_and_vlan = reader.u16_be("erspan_version").ok()?;
    let session = reader.u16_be("erspan_session").ok()?;
    (version_and_vlan >> 12 == version).then_some((version_and_vlan & 0x0FFF, session & 0x0400 != 0))
}

/// Reads an ERSPAN type II header: 8 octets, version 1.
fn erspan_ii(mut reader: Reader<'_>) -> Option<Wrapper> {
    let (mirror_tag, cut) = erspan_start(&mut reader, 1)?;
    reader.u32_be("erspan_index").ok()?;
    let plain = Wrapper::plain(reader.offset(), Tunnel::Erspan, Carries::Ethernet);
    Some(Wrapper { mirror_tag, cut, ..plain })
}

/// Reads an ERSPAN type III header: 12 octets, version 2, and 8 more where the O bit says so.
fn erspan_iii(mut reader: Reader<'_>) -> Option<Wrapper> {
    const FRAME_ETHERNET: u16 = 0;
    const FRAME_IP: u16 = 2;
    let (mirror_tag, cut) = erspan_start(&mut reader, 2)?;
    reader.u32_be("timestamp").ok()?;
    reader.u16_be("security_group_tag").ok()?;
    let last = reader.u16_be("frame_type").ok()?;
    if last & 1 != 0 {
        reader.u64_be("platform_subheader").ok()?;
    }
    let carries = match last >> 10 & 0x1F {
        FRAME_ETHERNET => Carries::Ethernet,
        FRAME_IP => Carries::of_ip(reader.peek_rest())?,
        _ => return None,
    };
    let plain = Wrapper::plain(reader.offset(), Tunnel::Erspan, carries);
    Some(Wrapper { mirror_tag, cut, ..plain })
}

/// Reads a VXLAN header (RFC 7348 5), strictly: any UDP payload may come to that port.
pub(super) fn vxlan(octets: &[u8]) -> Option<Wrapper> {
    let mut reader = Reader::new(octets);
    let flags = reader.u32_be("vxlan_flags").ok()?;
    let identifier = reader.u32_be("vxlan_network_identifier").ok()?;
    if flags != 0x0800_0000 || identifier & 0xFF != 0 {
        return None;
    }
    let plain = Wrapper::plain(reader.offset(), Tunnel::Vxlan, Carries::Ethernet);
    Some(Wrapper { network: Some(identifier >> 8), ..plain })
}

/// Reads a Geneve header with its options (RFC 8926 3.4).
pub(super) fn geneve(octets: &[u8]) -> Option<Wrapper> {
    let mut reader = Reader::new(octets);
    let start = reader.u16_be("geneve_version").ok()?;
    let carries = match reader.u16_be("protocol_type").ok()? {
        BRIDGED_ETHERNET => Carries::Ethernet,
        ether_type::IPV4 => Carries::Ipv4,
        ether_type::IPV6 => Carries::Ipv6,
        _ => return None,
    };
    let identifier = reader.u32_be("virtual_network_identifier").ok()?;
    if start >> 14 != 0 {
        return None;
    }
    // In units of four octets.
    let options = usize::from(start >> 8 & 0x3F).saturating_mul(4);
    reader.take(options, "geneve_options").ok()?;
    let plain = Wrapper::plain(reader.offset(), Tunnel::Geneve, carries);
    Some(Wrapper { network: Some(identifier >> 8), ..plain })
}
