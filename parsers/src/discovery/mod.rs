//! Names that devices tell of themselves: DHCP, LLDP, NBNS.

use crate::packet::Packet;

/// What a device tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Which protocol told it: `dhcp`, `lldp`, `nbns`.
    pub protocol: &'static str,
    /// What is claimed: `name`, `vendor_class`, `description`, `port`, `management_address`, `chassis`.
    pub key: &'static str,
    /// About which device.
    pub about: About,
    /// The text as it stands on the wire, not trusted.
    pub text: &'a [u8],
}

/// Which device a claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The one that sent the frame.
    Sender,
    /// The one with this MAC address (DHCP's client hardware address).
    Mac(crate::packet::link::MacAddr),
    /// The one with this MAC address, now given this IP address (DHCP acknowledgement).
    Lease(crate::packet::link::MacAddr, std::net::IpAddr),
}

/// What the packet tells of devices; nothing for most packets. Looks at ports and EtherType first, so that it costs a
/// packet of another kind next to nothing.
pub fn claims<'a>(_packet: &Packet, _octets: &'a [u8], _visit: &mut dyn FnMut(Claim<'a>)) {}
