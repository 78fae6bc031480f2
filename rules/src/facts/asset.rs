//! `Asset`: a device that was seen, and how we know.

use super::frame::FrameRef;
use super::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use yagura_parsers::packet::Scope;
use yagura_parsers::packet::link::MacAddr;

/// An asset's key: its address in its broadcast domain; a device that speaks no IP is known by its MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssetKey {
    /// An IP address.
    Ip(Scope, IpAddr),
    /// A MAC address, of a device without one.
    Mac(Scope, MacAddr),
}

/// What a device does, as its traffic shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Asks others by an industrial protocol.
    Client,
    /// Answers by an industrial protocol.
    Server,
    /// Answers for several unit identifiers.
    Gateway,
    /// Its MAC address carries the addresses of others.
    Router,
    /// Programs, restarts or identifies controllers.
    Engineering,
    /// Gives out addresses.
    DhcpServer,
}

/// Something that is claimed of an asset, and the frame that carries the claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Which protocol told it: `arp`, `ip`, `dhcp`, `lldp`, `nbns`, `modbus`.
    pub source: &'static str,
    /// The first frame that told it.
    pub frame: FrameRef,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Its key.
    pub key: AssetKey,
    /// MAC addresses that it was seen with, and by what; more than one is a conflict or a redundant pair.
    pub macs: BTreeMap<MacAddr, Claim>,
    /// Vendor by the MAC address.
    pub vendor: Option<&'static str>,
    /// Names, cleaned of nothing: text from the wire, as (key, octets) such as (`name`, ..), (`vendor`, ..), (`product`, ..).
    pub claims: BTreeMap<(&'static str, Box<[u8]>), Claim>,
    /// What it does: role, protocol and the first frame that shows it.
    pub roles: BTreeMap<(Role, &'static str), FrameRef>,
    /// Addresses behind it: unit identifiers by protocol, with the first frame that an answer came in.
    pub units: BTreeMap<(&'static str, u16), FrameRef>,
    /// Names of the protocols that it speaks.
    pub protocols: BTreeSet<&'static str>,
    /// The first frame that it sent.
    pub first: FrameRef,
    /// When that was.
    pub first_time: Timestamp,
    /// When it was last heard; kept by flow and tick, not by frame.
    pub last_time: Timestamp,
    /// Claims that were not kept, for want of room.
    pub dropped_claims: u32,
}
