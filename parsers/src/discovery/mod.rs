//! Names that devices tell of themselves: DHCP, LLDP, NBNS.

use crate::packet::link::MacAddr;
use crate::packet::{Ip, Network, Packet, Transport};
use std::fmt::{self, Write};
use std::net::IpAddr;

mod dhcp;
mod lldp;
mod nbns;
#[cfg(test)]
mod tests;

/// Octets that are kept of a text.
pub const TEXT_MAX: usize = 64;
/// Options, TLVs or names that are read in one message.
pub const ITEMS_MAX: usize = 64;

/// What a device tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Which protocol told it: `dhcp`, `lldp`, `nbns`.
    pub protocol: &'static str,
    /// What is claimed: `name`, `domain_name` (DHCP option 81), `vendor_class`, `lease` (without text), `chassis`,
    /// `port`, `description`, `management_address`.
    pub key: &'static str,
    /// About which device.
    pub about: About,
    /// The text.
    pub text: ClaimText<'a>,
}

/// The text of a claim, not trusted: at most [`TEXT_MAX`] octets, which need not be UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimText<'a> {
    /// As it stands on the wire.
    Borrowed(&'a [u8]),
    /// Decoded or spelt out: NBNS names, addresses.
    Inline(InlineText),
}

impl<'a> ClaimText<'a> {
    /// The text's octets.
    pub fn as_octets(&self) -> &[u8] {
        match self {
            Self::Borrowed(octets) => octets,
            Self::Inline(text) => text.as_octets(),
        }
    }

    /// A text on the wire, without zeros at its end, cut at [`TEXT_MAX`].
    fn of_wire(octets: &'a [u8]) -> Self {
        let mut text = octets.get(..TEXT_MAX).unwrap_or(octets);
        while let [start @ .., 0] = text {
            text = start;
        }
        Self::Borrowed(text)
    }

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.as_octets().is_empty()
    }
}

/// A short text in a place of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InlineText {
    octets: [u8; Self::CAPACITY],
    length: usize,
}

impl InlineText {
    /// Room for an IPv6 address, the longest there is.
    const CAPACITY: usize = 46;
    const EMPTY: Self = Self { octets: [0; Self::CAPACITY], length: 0 };

    /// The text's octets.
    pub fn as_octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or(&[])
    }

    /// Adds one octet where there is room.
    fn push(&mut self, octet: u8) {
        if let Some(place) = self.octets.get_mut(self.length) {
            *place = octet;
            self.length = self.length.saturating_add(1);
        }
    }

    /// Drops what is at the end as often as `octet` is.
    fn trim_end(&mut self, octet: u8) {
        while self.as_octets().last() == Some(&octet) {
            self.length = self.length.saturating_sub(1);
        }
    }

    /// A value as it is printed.
    fn of(value: impl fmt::Display) -> Self {
        let mut text = Self::EMPTY;
        // `write_str` below never fails.
        let _ = write!(text, "{value}");
        text
    }
}

impl Write for InlineText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|octet| self.push(octet));
        Ok(())
    }
}

impl fmt::Debug for InlineText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_octets().escape_ascii())
    }
}

/// Which device a claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The one that sent the frame.
    Sender,
    /// The one with this MAC address (DHCP's client hardware address).
    Mac(MacAddr),
    /// The one with this MAC address, now given this IP address (DHCP acknowledgement).
    Lease(MacAddr, IpAddr),
}

/// What the packet tells of devices; nothing for most packets. Looks at ports and EtherType first, so that it costs a
/// packet of another kind next to nothing. `octets` are those that the packet was decoded from.
pub fn claims<'a>(packet: &Packet, octets: &'a [u8], visit: &mut dyn FnMut(Claim<'a>)) {
    match &packet.network {
        Network::Ip(ip, Transport::Udp { source, destination }) => {
            udp(ip, *source, *destination, packet.payload(octets), visit);
        }
        Network::Lldp => lldp::claims(packet.payload(octets), visit),
        _ => {}
    }
}

fn udp<'a>(ip: &Ip, source: u16, destination: u16, payload: &'a [u8], visit: &mut dyn FnMut(Claim<'a>)) {
    match (source, destination) {
        (_, dhcp::SERVER_PORT | dhcp::CLIENT_PORT) => dhcp::claims(payload, visit),
        (nbns::PORT, _) | (_, nbns::PORT) => nbns::claims(ip.source, payload, visit),
        _ => {}
    }
}
