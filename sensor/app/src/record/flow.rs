//! Flows, and their Community ID.

use base64::Engine as _;
use serde::Serialize;
use sha1::{Digest, Sha1};
use std::net::IpAddr;
use yagura_rules::facts::flow::{Endpoint, Flow, Oriented, Transport};

/// One end of a flow.
#[derive(Debug, Clone, Serialize)]
pub struct EndpointShape {
    /// Address.
    pub address: IpAddr,
    /// Port; `null` where the transport has none.
    pub port: Option<u16>,
    /// The MAC address that its frames came from.
    pub mac: Option<String>,
}

/// A flow.
#[derive(Debug, Clone, Serialize)]
pub struct FlowShape {
    /// Number of the flow's first frame in the timeline.
    pub id: u64,
    /// Community ID version 1; `null` where the transport has none here.
    pub community_id: Option<String>,
    /// `tcp`, `udp`, `icmp`, `ip-47`.
    pub transport: String,
    /// Who opened it.
    pub client: EndpointShape,
    /// Who was called.
    pub server: EndpointShape,
    /// How it is known which is which: `guess`, `port`, `meaning`, `handshake`.
    pub oriented: &'static str,
    /// The innermost VLAN.
    pub vlan: Option<u16>,
    /// VLAN identifiers, outermost first.
    pub vlans: Vec<u16>,
    /// Network identifier of the VXLAN or Geneve tunnel.
    pub network: Option<u32>,
    /// What is spoken.
    pub protocol: Option<&'static str>,
    /// In which dialect, where there are several.
    pub dialect: Option<&'static str>,
}

impl FlowShape {
    /// The shape of a flow.
    pub fn new(flow: &Flow) -> Self {
        let has_ports = matches!(flow.transport, Transport::Tcp | Transport::Udp);
        let end = |endpoint: Endpoint, mac: Option<yagura_parsers::packet::link::MacAddr>| EndpointShape {
            address: endpoint.address,
            port: has_ports.then_some(endpoint.port),
            mac: mac.map(|mac| mac.to_string()),
        };
        Self {
            id: flow.id.0,
            community_id: community_id(flow.transport, flow.client, flow.server),
            transport: flow.transport.name().into_owned(),
            client: end(flow.client, flow.client_mac),
            server: end(flow.server, flow.server_mac),
            oriented: match flow.oriented {
                Oriented::Guess => "guess",
                Oriented::Port => "port",
                Oriented::Meaning => "meaning",
                Oriented::Handshake => "handshake",
            },
            vlan: flow.scope.vlan(),
            vlans: flow.scope.tags.into_iter().filter(|tag| *tag != 0).collect(),
            network: flow.scope.network.checked_sub(1),
            protocol: flow.protocol.map(|protocol| protocol.name()),
            dialect: (!flow.dialect.is_empty()).then_some(flow.dialect),
        }
    }
}

/// Community ID version 1 with seed 0: the name that other tools give the same flow. `None` for ICMP, whose types and
/// codes a flow does not keep.
///
/// # Standard
/// Community ID Flow Hashing, version 1: SHA-1 over seed, lesser address, greater address, protocol, padding, and their
/// ports; base64.
pub fn community_id(transport: Transport, one: Endpoint, other: Endpoint) -> Option<String> {
    let (number, has_ports) = match transport {
        Transport::Tcp => (6, true),
        Transport::Udp => (17, true),
        // SCTP has ports that a flow does not keep, ICMP types and codes.
        Transport::Icmp | Transport::Ip(1 | 58 | 132) => return None,
        Transport::Ip(number) => (number, false),
    };
    let (first, second) =
        if (one.address, one.port) <= (other.address, other.port) { (one, other) } else { (other, one) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    for endpoint in [first, second] {
        match endpoint.address {
            IpAddr::V4(address) => hash.update(address.octets()),
            IpAddr::V6(address) => hash.update(address.octets()),
        }
    }
    hash.update([number, 0]);
    if has_ports {
        hash.update(first.port.to_be_bytes());
        hash.update(second.port.to_be_bytes());
    }
    Some(format!("1:{}", base64::engine::general_purpose::STANDARD.encode(hash.finalize())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(address: &str, port: u16) -> Endpoint {
        Endpoint { address: address.parse().unwrap(), port }
    }

    #[test]
    fn community_ids_are_those_of_the_public_examples() {
        let (a, b) = (end("128.232.110.120", 34855), end("66.35.250.204", 80));
        assert_eq!(community_id(Transport::Tcp, a, b).unwrap(), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(community_id(Transport::Tcp, b, a), community_id(Transport::Tcp, a, b), "both ways");
        let (c, d) = (end("192.168.1.52", 54585), end("8.8.8.8", 53));
        assert_eq!(community_id(Transport::Udp, c, d).unwrap(), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
    }

    #[test]
    fn equal_addresses_are_ordered_by_port_and_the_transport_counts() {
        let (a, b) = (end("10.0.0.1", 2), end("10.0.0.1", 1));
        assert_eq!(community_id(Transport::Udp, a, b), community_id(Transport::Udp, b, a));
        assert_ne!(community_id(Transport::Udp, a, b), community_id(Transport::Tcp, a, b));
        assert!(community_id(Transport::Ip(47), end("10.0.0.1", 0), end("10.0.0.2", 0)).is_some());
        assert_eq!(community_id(Transport::Icmp, a, b), None);
    }
}
