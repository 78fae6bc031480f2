//! What is known of one flow: its ends, its scope, its protocol and how it ended.

use super::frame::FrameRef;
use super::time::Timestamp;
use std::net::IpAddr;
use yagura_parsers::packet::Scope;
use yagura_parsers::packet::link::MacAddr;
use yagura_parsers::protocols::ProtocolId;

/// The number of the flow's first frame in the timeline: findable in any other tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// What carries the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP or ICMPv6.
    Icmp,
    /// Another IP protocol, by its number.
    Ip(u8),
}

impl Transport {
    /// The name in records: `tcp`, `udp`, `icmp`, `ip-47`.
    pub fn name(self) -> std::borrow::Cow<'static, str> {
        match self {
            Self::Tcp => "tcp".into(),
            Self::Udp => "udp".into(),
            Self::Icmp => "icmp".into(),
            Self::Ip(number) => format!("ip-{number}").into(),
        }
    }
}

/// One end of a flow. The port is 0 where the transport has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Address.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
}

/// How it is known which end is the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oriented {
    /// Only guessed: the end that was seen first, or the higher port.
    Guess,
    /// By a port where a protocol is usual.
    Port,
    /// The handshake was seen.
    Handshake,
    /// By what a message means: who asks is the client, whoever opened the connection.
    Meaning,
}

/// A flow as events show it. Shared by all events of the flow; made anew when more is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Its number.
    pub id: FlowId,
    /// Its first frame, in its capture.
    pub first: FrameRef,
    /// When it was opened, or first seen.
    pub opened: Timestamp,
    /// What carries it.
    pub transport: Transport,
    /// Who opened it.
    pub client: Endpoint,
    /// Who was called.
    pub server: Endpoint,
    /// How that is known.
    pub oriented: Oriented,
    /// The MAC address that the client's frames came from (or went to, while it is silent), where the link has one.
    pub client_mac: Option<MacAddr>,
    /// The MAC address that the server's frames came from (or went to, while it is silent).
    pub server_mac: Option<MacAddr>,
    /// Broadcast domain.
    pub scope: Scope,
    /// What is spoken, once it is known.
    pub protocol: Option<ProtocolId>,
    /// The dialect: `tcp`, `rtu`; empty where there is one only.
    pub dialect: &'static str,
}

impl Flow {
    /// Takes the client for the server, and the server for the client.
    pub fn turn(&mut self) {
        std::mem::swap(&mut self.client, &mut self.server);
        std::mem::swap(&mut self.client_mac, &mut self.server_mac);
    }

    /// Whether it is addressed to all or many: a multicast or broadcast address, or a subnet's broadcast, as the MAC
    /// address tells. Such a flow is no conversation.
    pub fn is_to_group(&self) -> bool {
        let address = match self.server.address {
            // The netmask does not show on the wire; what ends in 255 and gets datagrams is hardly ever a host.
            IpAddr::V4(v4) => {
                let last = v4.octets().last() == Some(&255) && self.transport == Transport::Udp;
                v4.is_multicast() || v4.is_broadcast() || last
            }
            IpAddr::V6(v6) => v6.is_multicast(),
        };
        address || self.server_mac.is_some_and(MacAddr::is_group)
    }
}

/// What became of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowSummary {
    /// Frames to the server, and to the client.
    pub frames: [u64; 2],
    /// Payload octets to the server, and to the client.
    pub octets: [u64; 2],
    /// Messages read, to the server and to the client.
    pub messages: [u64; 2],
    /// When the last frame came.
    pub last: Timestamp,
    /// Whether a TCP connection was seen to be accepted.
    pub handshake: bool,
}
