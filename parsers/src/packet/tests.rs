//! Tests of the headers of frames, from octets written by hand.

use super::arp::Arp;
use super::decode::{decode, decode_datagram};
use super::*;

const A: MacAddr = MacAddr([0x00, 0x80, 0xF4, 0x0A, 0x11, 0x02]);
const B: MacAddr = MacAddr([0x00, 0x1D, 0x9C, 0xC0, 0x11, 0x03]);
const INNER_A: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x0A]);
const INNER_B: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x0B]);
const DATA: &[u8] = b"payload";

fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn be(n: usize) -> [u8; 2] {
    u16::try_from(n).unwrap().to_be_bytes()
}

fn ethernet(source: MacAddr, destination: MacAddr, kind: u16, payload: &[u8]) -> Vec<u8> {
    cat(&[&destination.0, &source.0, &kind.to_be_bytes(), payload])
}

fn eth(kind: u16, payload: &[u8]) -> Vec<u8> {
    ethernet(A, B, kind, payload)
}

/// A frame inside a tunnel.
fn inner_eth(kind: u16, payload: &[u8]) -> Vec<u8> {
    ethernet(INNER_A, INNER_B, kind, payload)
}

/// A tag's fields behind its EtherType: VLAN identifier with priority 5, next EtherType.
fn tag(identifier: u16, kind: u16, payload: &[u8]) -> Vec<u8> {
    cat(&[&(0xA000 | identifier).to_be_bytes(), &kind.to_be_bytes(), payload])
}

fn ipv4_from(net: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let start = [0x45, 0];
    let middle = [0x12, 0x34, 0x40, 0, 63, protocol, 0, 0, net, 0, 0, 1, net, 0, 0, 2];
    cat(&[&start, &be(20 + payload.len()), &middle, payload])
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_from(10, protocol, payload)
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut source = [0; 16];
    (source[0], source[15]) = (0xFD, 1);
    let mut destination = source;
    destination[15] = 2;
    cat(&[&[0x60, 0, 0, 0], &be(payload.len()), &[next, 62], &source, &destination, payload])
}

fn tcp(payload: &[u8]) -> Vec<u8> {
    let header = [0xC0, 0, 0x01, 0xF6, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0];
    cat(&[&header, payload])
}

fn udp_to(destination: u16, payload: &[u8]) -> Vec<u8> {
    cat(&[&[0xC0, 0], &destination.to_be_bytes(), &be(8 + payload.len()), &[0, 0], payload])
}

fn udp(payload: &[u8]) -> Vec<u8> {
    udp_to(20000, payload)
}

fn arp() -> Vec<u8> {
    cat(&[&[0, 1, 8, 0, 6, 4, 0, 2], &A.0, &[10, 0, 0, 1], &B.0, &[10, 0, 0, 2]])
}

fn gre(flags: u16, kind: u16, payload: &[u8]) -> Vec<u8> {
    cat(&[&flags.to_be_bytes(), &kind.to_be_bytes(), payload])
}

fn vxlan(payload: &[u8]) -> Vec<u8> {
    cat(&[&[8, 0, 0, 0, 0, 0, 42, 0], payload])
}

fn geneve(kind: u16, payload: &[u8]) -> Vec<u8> {
    cat(&[&[1, 0], &kind.to_be_bytes(), &[0, 0, 43, 0], &[0, 1, 2, 0], payload])
}

fn pppoe(protocol: u16, payload: &[u8]) -> Vec<u8> {
    cat(&[&[0x11, 0, 0, 1], &be(payload.len() + 2), &protocol.to_be_bytes(), payload])
}

/// The packet of a whole frame, with the rules that hold for any.
fn packet_of(link: LinkType, octets: &[u8], wire_octets: usize) -> Packet {
    let packet = decode(Carrier { link, wire_octets: u32::try_from(wire_octets).unwrap() }, octets);
    sound(&packet, octets);
    packet
}

fn sound(packet: &Packet, octets: &[u8]) {
    let end = usize::try_from(packet.payload_offset + packet.payload_octets).unwrap();
    assert!(end <= octets.len(), "payload ends at {end} of {}", octets.len());
    assert!(usize::from(packet.depth) <= DEPTH_MAX);
}

fn on(link: LinkType, octets: &[u8]) -> Packet {
    packet_of(link, octets, octets.len())
}

fn whole(octets: &[u8]) -> Packet {
    on(LinkType::ETHERNET, octets)
}

fn ip(packet: &Packet) -> (Ip, Transport) {
    match packet.network {
        Network::Ip(ip, transport) => (ip, transport),
        other => panic!("{other:?}"),
    }
}

fn tags(packet: &Packet) -> Vec<u16> {
    packet.scope.tags.into_iter().filter(|tag| *tag != 0).collect()
}

const TCP_HEADER: Transport = Transport::Tcp {
    source: 0xC000,
    destination: 502,
    sequence: 7,
    acknowledgment: 9,
    window: 0x2000,
    flags: TcpFlags(0x18),
};
const UDP_HEADER: Transport = Transport::Udp { source: 0xC000, destination: 20000 };

fn v4(net: u8, host: u8) -> IpAddr {
    IpAddr::from([net, 0, 0, host])
}

/// A frame whose own packet is TCP over IPv4 from 10.0.0.1, without anomalies.
#[track_caller]
fn assert_tcp(packet: &Packet, octets: &[u8]) {
    let (ip, transport) = ip(packet);
    assert_eq!((ip.source, ip.destination), (v4(10, 1), v4(10, 2)));
    assert_eq!((transport, packet.payload(octets), packet.anomalies), (TCP_HEADER, DATA, Anomalies(0)));
}

fn macs(packet: &Packet) -> (Option<MacAddr>, Option<MacAddr>) {
    (packet.source_mac, packet.destination_mac)
}

/// One frame for each link, tag and tunnel; all of them carry `tcp(DATA)` or `udp(DATA)` in the end.
fn samples() -> Vec<(&'static str, LinkType, Vec<u8>)> {
    let segment = ipv4(6, &tcp(DATA));
    let frame = inner_eth(0x0800, &segment);
    let sll = |protocol: u16, hardware: u8, payload: &[u8]| {
        cat(&[&[0, 0, 0, hardware, 0, 6], &A.0, &[0, 0], &protocol.to_be_bytes(), payload])
    };
    let sll2 = cat(&[&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6], &A.0, &[0, 0], &segment]);
    let over = |protocol: u8, payload: &[u8]| eth(0x0800, &ipv4_from(172, protocol, payload));
    let snap = cat(&[&[0xAA, 0xAA, 3, 0, 0, 0, 8, 0], &segment]);
    let erspan_iii = |last: u8, more: &[u8], payload: &[u8]| {
        cat(&[&[0, 0, 0, 1, 0x20, 30, 0, 9, 0, 0, 0, 0, 0, 0, 0, last], more, payload])
    };
    vec![
        ("ethernet", LinkType::ETHERNET, eth(0x0800, &segment)),
        ("ethernet padded", LinkType::ETHERNET, cat(&[&eth(0x0800, &segment), &[0; 10]])),
        ("udp", LinkType::ETHERNET, eth(0x0800, &ipv4(17, &udp(DATA)))),
        ("ipv6", LinkType::ETHERNET, eth(0x86DD, &ipv6(6, &tcp(DATA)))),
        ("vlan", LinkType::ETHERNET, eth(0x8100, &tag(7, 0x0800, &segment))),
        ("qinq", LinkType::ETHERNET, eth(0x88A8, &tag(7, 0x8100, &tag(8, 0x0800, &segment)))),
        ("9100", LinkType::ETHERNET, eth(0x9100, &tag(7, 0x8100, &tag(8, 0x0800, &segment)))),
        ("snap", LinkType::ETHERNET, eth(u16::try_from(snap.len()).unwrap(), &snap)),
        ("sll", LinkType::LINUX_SLL, sll(0x0800, 1, &segment)),
        ("sll llc", LinkType::LINUX_SLL, sll(4, 1, &snap)),
        ("sll2", LinkType::LINUX_SLL2, sll2),
        ("raw", LinkType::RAW, segment.clone()),
        ("raw bsd", LinkType::RAW_BSD, segment.clone()),
        ("raw openbsd", LinkType::RAW_OPENBSD, ipv6(17, &udp(DATA))),
        ("raw 4", LinkType::IPV4, segment.clone()),
        ("raw 6", LinkType::IPV6, ipv6(6, &tcp(DATA))),
        ("null little", LinkType::NULL, cat(&[&[2, 0, 0, 0], &segment])),
        ("null big", LinkType::NULL, cat(&[&[0, 0, 0, 30], &ipv6(6, &tcp(DATA))])),
        ("loop", LinkType::LOOP, cat(&[&[0, 0, 0, 2], &segment])),
        ("ppp", LinkType::PPP, cat(&[&[0, 0x21], &segment])),
        ("ppp hdlc", LinkType::PPP_HDLC, cat(&[&[0xFF, 3, 0, 0x21], &segment])),
        ("ppp short protocol", LinkType::PPP, cat(&[&[0xFF, 3, 0x57], &ipv6(6, &tcp(DATA))])),
        ("ppp mpls", LinkType::PPP, cat(&[&[2, 0x81, 0, 1, 1, 64], &segment])),
        ("cisco hdlc", LinkType::PPP_HDLC, cat(&[&[0x0F, 0, 8, 0], &segment])),
        ("mpls", LinkType::ETHERNET, eth(0x8847, &cat(&[&[0, 1, 0, 64, 0, 2, 1, 64], &segment]))),
        ("mpls 6", LinkType::ETHERNET, eth(0x8848, &cat(&[&[0, 1, 1, 64], &ipv6(6, &tcp(DATA))]))),
        ("pseudowire", LinkType::ETHERNET, eth(0x8847, &cat(&[&[0, 2, 1, 64, 0, 0, 0, 9], &frame]))),
        ("pppoe", LinkType::ETHERNET, eth(0x8864, &pppoe(0x0021, &segment))),
        ("hsr", LinkType::ETHERNET, eth(0x892F, &cat(&[&[0, 53, 0, 1, 8, 0], &segment]))),
        ("gre", LinkType::ETHERNET, over(47, &gre(0, 0x0800, &segment))),
        ("gre all", LinkType::ETHERNET, over(47, &gre(0xB000, 0x0800, &cat(&[&[0; 12], &segment])))),
        ("gre 6", LinkType::ETHERNET, over(47, &gre(0x2000, 0x86DD, &cat(&[&[0; 4], &ipv6(6, &tcp(DATA))])))),
        ("gre ethernet", LinkType::ETHERNET, over(47, &gre(0, 0x6558, &frame))),
        ("gre mpls", LinkType::ETHERNET, over(47, &gre(0, 0x8847, &cat(&[&[0, 2, 1, 64], &segment])))),
        ("erspan i", LinkType::ETHERNET, over(47, &gre(0, 0x88BE, &frame))),
        (
            "erspan ii",
            LinkType::ETHERNET,
            over(47, &gre(0x1000, 0x88BE, &cat(&[&[0, 0, 0, 1, 0x10, 30, 0, 9, 0, 0, 0, 0], &frame]))),
        ),
        ("erspan iii", LinkType::ETHERNET, over(47, &gre(0x1000, 0x22EB, &erspan_iii(0, &[], &frame)))),
        ("erspan iii more", LinkType::ETHERNET, over(47, &gre(0x1000, 0x22EB, &erspan_iii(1, &[0xEE; 8], &frame)))),
        ("vxlan", LinkType::ETHERNET, over(17, &udp_to(4789, &vxlan(&frame)))),
        ("vxlan early", LinkType::ETHERNET, over(17, &udp_to(8472, &vxlan(&frame)))),
        ("geneve", LinkType::ETHERNET, over(17, &udp_to(6081, &geneve(0x6558, &frame)))),
        ("geneve ip", LinkType::ETHERNET, over(17, &udp_to(6081, &geneve(0x0800, &segment)))),
        ("ip in ip", LinkType::ETHERNET, over(4, &segment)),
        ("6in4", LinkType::ETHERNET, over(41, &ipv6(6, &tcp(DATA)))),
        ("4in6", LinkType::RAW, ipv6(4, &segment)),
    ]
}

fn sample(name: &str) -> (Packet, Vec<u8>) {
    let (_, link, octets) = samples().into_iter().find(|(other, ..)| *other == name).unwrap();
    (on(link, &octets), octets)
}

#[test]
fn every_sample_decodes_to_its_payload() {
    for (name, link, octets) in samples() {
        let packet = on(link, &octets);
        let (ip, transport) = ip(&packet);
        assert_eq!(packet.payload(&octets), DATA, "{name}");
        assert_eq!(packet.anomalies, Anomalies(0), "{name}");
        assert!([TCP_HEADER, UDP_HEADER].contains(&transport), "{name}");
        let (source, ttl) = if ip.source.is_ipv4() { (v4(10, 1), 63) } else { ("fd00::1".parse().unwrap(), 62) };
        assert_eq!((ip.source, ip.ttl, ip.fragment), (source, ttl, None), "{name}");
        assert_eq!(ip.identification, ip.source.is_ipv4().then_some(0x1234), "{name}");
    }
}

#[test]
fn every_cut_and_every_value_is_sound() {
    for (_, link, octets) in samples() {
        for end in 0..octets.len() {
            packet_of(link, &octets[..end], octets.len());
            on(link, &octets[..end]);
        }
        for place in 0..octets.len().min(64) {
            let mut changed = octets.clone();
            for value in 0..=255 {
                changed[place] = value;
                let packet = on(link, &changed);
                sound(&decode_datagram(&packet, &changed), &changed);
            }
        }
    }
}

#[test]
fn a_cut_capture_is_truncated_and_a_short_frame_is_not() {
    for (name, link, octets) in samples().into_iter().filter(|(name, ..)| *name != "ethernet padded") {
        for end in 0..octets.len() {
            let cut = packet_of(link, &octets[..end], octets.len());
            assert!(cut.anomalies.has(Anomalies::TRUNCATED), "{name} {end}");
            assert!(!cut.anomalies.has(Anomalies::LENGTH), "{name} {end}");
            assert!(!on(link, &octets[..end]).anomalies.has(Anomalies::TRUNCATED), "{name} {end}");
        }
    }
    // The padding is not missed.
    let (_, octets) = sample("ethernet padded");
    assert_tcp(&packet_of(LinkType::ETHERNET, &octets[..octets.len() - 10], octets.len()), &octets);
}

#[test]
fn addresses_of_the_link() {
    for name in ["ethernet", "vlan", "qinq", "snap", "mpls", "pppoe", "hsr"] {
        assert_eq!(macs(&sample(name).0), (Some(A), Some(B)), "{name}");
    }
    for name in ["pseudowire", "gre ethernet", "erspan i", "erspan ii", "erspan iii", "vxlan", "geneve"] {
        assert_eq!(macs(&sample(name).0), (Some(INNER_A), Some(INNER_B)), "{name}");
    }
    for name in ["raw", "ppp", "gre", "gre all", "gre 6", "gre mpls", "geneve ip", "ip in ip", "6in4", "4in6"] {
        assert_eq!(macs(&sample(name).0), (None, None), "{name}");
    }
    for name in ["sll", "sll2"] {
        assert_eq!(macs(&sample(name).0), (Some(A), None), "{name}");
    }
}

#[test]
fn carriers_and_scopes_of_tunnels() {
    for (name, tunnel, network, tags) in [
        ("gre", Tunnel::Gre, 0, vec![]),
        ("gre all", Tunnel::Gre, 0, vec![]),
        ("gre mpls", Tunnel::Gre, 0, vec![]),
        ("erspan i", Tunnel::Erspan, 0, vec![]),
        ("erspan ii", Tunnel::Erspan, 0, vec![30]),
        ("erspan iii", Tunnel::Erspan, 0, vec![30]),
        ("erspan iii more", Tunnel::Erspan, 0, vec![30]),
        ("vxlan", Tunnel::Vxlan, 43, vec![]),
        ("vxlan early", Tunnel::Vxlan, 43, vec![]),
        ("geneve", Tunnel::Geneve, 44, vec![]),
        ("geneve ip", Tunnel::Geneve, 44, vec![]),
        ("ip in ip", Tunnel::IpInIp, 0, vec![]),
        ("6in4", Tunnel::IpInIp, 0, vec![]),
    ] {
        let (packet, _) = sample(name);
        assert_eq!(packet.outer, Some(Outer { tunnel, source: v4(172, 1), destination: v4(172, 2) }), "{name}");
        assert_eq!((packet.scope.network, self::tags(&packet)), (network, tags), "{name}");
    }
    for name in ["ethernet", "mpls", "pppoe", "pseudowire", "hsr"] {
        assert_eq!(sample(name).0.outer, None, "{name}");
    }
    // The tag of the carrier's link is not the tag of what is inside; the one inside is, before the mirror's.
    let inside = inner_eth(0x8100, &tag(9, 0x0800, &ipv4(6, &tcp(DATA))));
    let mirror = gre(0x1000, 0x88BE, &cat(&[&[0, 0, 0, 1, 0x10, 30, 0, 9, 0, 0, 0, 0], &inside]));
    let octets = eth(0x8100, &tag(5, 0x0800, &ipv4_from(172, 47, &mirror)));
    assert_tcp(&whole(&octets), &octets);
    assert_eq!(tags(&whole(&octets)), [9]);
    // Two tunnels: the outermost carrier, the innermost identifier.
    let vxlan_frame = inner_eth(0x0800, &ipv4_from(172, 17, &udp_to(4789, &vxlan(&inside))));
    let octets = eth(0x0800, &ipv4_from(192, 47, &gre(0, 0x6558, &vxlan_frame)));
    let packet = whole(&octets);
    assert_tcp(&packet, &octets);
    assert_eq!(packet.outer, Some(Outer { tunnel: Tunnel::Gre, source: v4(192, 1), destination: v4(192, 2) }));
    assert_eq!((packet.scope.network, tags(&packet), packet.depth), (43, vec![9], 3));
}

#[test]
fn tags_are_kept_outermost_first() {
    assert_eq!(tags(&sample("vlan").0), [7]);
    assert_eq!(tags(&sample("qinq").0), [7, 8]);
    assert_eq!(sample("qinq").0.scope.vlan(), Some(8));
    let segment = ipv4(6, &tcp(DATA));
    // A priority tag is left out.
    let octets = eth(0x8100, &tag(0, 0x8100, &tag(8, 0x0800, &segment)));
    assert_tcp(&whole(&octets), &octets);
    assert_eq!((tags(&whole(&octets)), whole(&octets).depth), (vec![8], 2));
    // Four are kept; of five the last is not, and that is odd.
    let four = tag(1, 0x8100, &tag(2, 0x8100, &tag(3, 0x8100, &tag(4, 0x0800, &segment))));
    assert_tcp(&whole(&eth(0x8100, &four)), &eth(0x8100, &four));
    let five = whole(&eth(0x8100, &tag(9, 0x8100, &four)));
    assert_eq!((tags(&five), five.anomalies), (vec![9, 1, 2, 3], Anomalies(Anomalies::DEPTH)));
    assert_eq!(ip(&five).1, TCP_HEADER);
}

#[test]
fn nesting_is_bounded() {
    let mut tagged = tag(1, 0x0800, &ipv4(6, &tcp(DATA)));
    let mut nested = ipv4(6, &tcp(DATA));
    let mut labels = Vec::new();
    for _ in 0..100 {
        tagged = tag(0, 0x8100, &tagged);
        nested = ipv4(4, &nested);
        labels.extend([0, 1, 0, 64]);
    }
    let tagged = whole(&eth(0x8100, &tagged));
    assert_eq!((tagged.network, tagged.anomalies), (Network::Other(0x8100), Anomalies(Anomalies::DEPTH)));
    let nested = whole(&eth(0x0800, &nested));
    let (ip, transport) = ip(&nested);
    assert_eq!((ip.protocol, transport, nested.anomalies), (4, Transport::Other, Anomalies(Anomalies::DEPTH)));
    assert_eq!(usize::from(nested.depth), DEPTH_MAX);
    let labels = whole(&eth(0x8847, &labels));
    assert_eq!((labels.network, labels.anomalies), (Network::Other(0x8847), Anomalies(Anomalies::DEPTH)));
    // As many as there may be.
    let mut nested = ipv4(6, &tcp(DATA));
    for _ in 0..DEPTH_MAX {
        nested = ipv4(4, &nested);
    }
    assert_tcp(&on(LinkType::RAW, &nested), &nested);
}

#[test]
fn lengths_of_802_3() {
    // STP: DSAP and SSAP 0x42; what follows the length is padding.
    let stp = eth(7, &[0x42, 0x42, 3, 1, 2, 3, 4, 0, 0, 0]);
    assert_eq!((whole(&stp).network, whole(&stp).payload(&stp)), (Network::Other(0x4242), &[1, 2, 3, 4][..]));
    // CDP: SNAP of another organization.
    let cdp = eth(9, &[0xAA, 0xAA, 3, 0, 0, 0x0C, 0x20, 0, 5]);
    assert_eq!((whole(&cdp).network, whole(&cdp).payload(&cdp)), (Network::Other(0x2000), &[5][..]));
    // The bridge tunnel's organization, with an EtherType.
    let segment = ipv4(6, &tcp(DATA));
    let tunnel = cat(&[&[0xAA, 0xAA, 3, 0, 0, 0xF8, 8, 0], &segment]);
    let octets = eth(u16::try_from(tunnel.len()).unwrap(), &tunnel);
    assert_tcp(&whole(&octets), &octets);
    // A length that the frame does not have; the same in a cut capture.
    let long = eth(1500, &[0x42, 0x42, 3, 1]);
    assert_eq!(whole(&long).anomalies, Anomalies(Anomalies::LENGTH));
    assert_eq!(packet_of(LinkType::ETHERNET, &long, 1514).anomalies, Anomalies(Anomalies::TRUNCATED));
    // The highest length, and the lowest EtherType.
    assert_eq!(whole(&eth(0x05FF, &[0x42, 0x42, 3])).network, Network::Other(0x4242));
    assert_eq!(whole(&eth(0x0600, &[0x42, 0x42, 3])).network, Network::Other(0x0600));
}

#[test]
fn ethertypes_that_are_not_ip() {
    let goose = eth(0x8100, &tag(3, 0x88B8, &[0, 1, 0, 11, 0, 0, 0, 0, 0x61, 1, 9]));
    let packet = whole(&goose);
    assert_eq!((packet.network, tags(&packet), packet.payload_octets), (Network::Other(0x88B8), vec![3], 11));
    let lldp = eth(0x88CC, &[0, 0]);
    assert_eq!((whole(&lldp).network, whole(&lldp).payload(&lldp)), (Network::Lldp, &[0, 0][..]));
    let macsec = whole(&eth(0x88E5, &[0; 30]));
    assert_eq!((macsec.network, macsec.anomalies), (Network::Other(0x88E5), Anomalies(0)));
}

#[test]
fn arp_over_ethernet_and_ipv4() {
    let octets = eth(0x0806, &cat(&[&arp(), &[0; 18]]));
    let expected =
        Arp { operation: 2, sender_mac: A, sender: [10, 0, 0, 1].into(), target_mac: B, target: [10, 0, 0, 2].into() };
    let packet = whole(&octets);
    assert_eq!((packet.network, packet.payload_octets), (Network::Arp(expected), 28));
    // In a tunnel it has the MAC addresses of the frame inside.
    let inside = inner_eth(0x0806, &arp());
    let packet = whole(&eth(0x0800, &ipv4(17, &udp_to(4789, &vxlan(&inside)))));
    assert_eq!((packet.network, macs(&packet)), (Network::Arp(expected), (Some(INNER_A), Some(INNER_B))));
    // IEEE 802 networks have their own hardware type. Another is no error; a short message is.
    let mut other = eth(0x0806, &arp());
    other[15] = 6;
    assert_eq!(whole(&other).network, Network::Arp(expected));
    other[15] = 7;
    assert_eq!((whole(&other).network, whole(&other).anomalies), (Network::Other(0x0806), Anomalies(0)));
    let short = &octets[..40];
    assert_eq!((whole(short).network, whole(short).anomalies.0), (Network::Other(0x0806), Anomalies::HEADER));
    assert_eq!(packet_of(LinkType::ETHERNET, short, 60).anomalies.0, Anomalies::TRUNCATED);
}

#[test]
fn prp_trailers_are_no_payload() {
    let goose = |trailer: &[u8]| eth(0x88B8, &cat(&[&[0xCC; 40], trailer]));
    for lan in [0xA0, 0xB0] {
        let octets = goose(&[0, 1, lan, 46, 0x88, 0xFB]);
        assert_eq!(whole(&octets).payload(&octets), [0xCC; 40]);
    }
    for no_trailer in [[0, 1, 0xC0, 46, 0x88, 0xFB], [0, 1, 0xA0, 45, 0x88, 0xFB], [0, 1, 0xA0, 46, 0x88, 0xFC]] {
        assert_eq!(whole(&goose(&no_trailer)).payload_octets, 46);
    }
    // With a tag the size counts from behind the tag.
    let octets = eth(0x8100, &tag(3, 0x88B8, &cat(&[&[0xCC; 40], &[0, 1, 0xA0, 46, 0x88, 0xFB]])));
    assert_eq!(whole(&octets).payload(&octets), [0xCC; 40]);
    // IP has its own length.
    let octets = eth(0x0800, &cat(&[&ipv4(6, &tcp(DATA)), &[0, 1, 0xA0, 53, 0x88, 0xFB]]));
    assert_tcp(&whole(&octets), &octets);
}

#[test]
fn ipv4_headers_that_are_not_sound() {
    let changed = |place: usize, value: u8| {
        let mut octets = eth(0x0800, &ipv4(6, &tcp(DATA)));
        octets[place] = value;
        whole(&octets)
    };
    for (place, value) in [(14, 0x65), (14, 0x44), (17, 19)] {
        let packet = changed(place, value);
        assert_eq!((packet.network, packet.anomalies.0), (Network::Other(0x0800), Anomalies::HEADER), "{value}");
    }
    let long = changed(17, 0xFF);
    assert_eq!((ip(&long).1, long.payload_octets, long.anomalies.0), (TCP_HEADER, 7, Anomalies::LENGTH));
    let offloaded = changed(17, 0);
    assert_eq!((ip(&offloaded).1, offloaded.payload_octets), (TCP_HEADER, 7));
    assert_eq!(offloaded.anomalies.0, Anomalies::OFFLOADED);
    // A version that contradicts a raw link.
    assert_eq!(on(LinkType::RAW, &[0x50; 40]).anomalies.0, Anomalies::HEADER);
    assert_eq!(on(LinkType::IPV6, &ipv4(6, &tcp(&[0; 30]))).anomalies.0, Anomalies::HEADER);
    assert_eq!(on(LinkType::IPV6, &ipv4(6, &tcp(&[0; 30]))).network, Network::Undecoded);
}

#[test]
fn ipv4_options_are_passed() {
    let mut options = ipv4(6, &cat(&[&[1, 1, 1, 0], &tcp(DATA)]));
    options[0] = 0x46;
    assert_tcp(&on(LinkType::RAW, &options), &options);
    let authenticated = ipv4(51, &cat(&[&[6, 4, 0, 0], &[0; 20], &tcp(DATA)]));
    assert_tcp(&on(LinkType::RAW, &authenticated), &authenticated);
    assert_eq!(ip(&on(LinkType::RAW, &authenticated)).0.protocol, 6);
    // IPv4 has no hop-by-hop header.
    let none = ipv4(0, &cat(&[&[6, 0], &[0; 6], &tcp(DATA)]));
    let (ip, transport) = ip(&on(LinkType::RAW, &none));
    assert_eq!((ip.protocol, transport), (0, Transport::Other));
}

#[test]
fn ipv4_fragments_are_left_whole() {
    let fragment = |high: u8, low: u8| {
        let mut octets = ipv4(6, &tcp(DATA));
        (octets[6], octets[7]) = (high, low);
        let packet = on(LinkType::RAW, &octets);
        (ip(&packet).0.fragment, ip(&packet).1, packet.payload_octets)
    };
    assert_eq!(fragment(0x20, 0), (Some(Fragment { offset: 0, more: true }), Transport::Other, 27));
    assert_eq!(fragment(0x00, 2), (Some(Fragment { offset: 16, more: false }), Transport::Other, 27));
    assert_eq!(fragment(0x3F, 0xFF), (Some(Fragment { offset: 65528, more: true }), Transport::Other, 27));
    // "Do not fragment" is no fragment.
    assert_eq!(fragment(0x40, 0), (None, TCP_HEADER, 7));
    // A fragment of a tunnel is not entered.
    let mut tunnel = ipv4_from(172, 4, &ipv4(6, &tcp(DATA)));
    tunnel[6] = 0x20;
    assert_eq!(on(LinkType::RAW, &tunnel).outer, None);
}

#[test]
fn ipv6_extension_headers() {
    let chain = cat(&[
        &[43, 0, 1, 4, 0, 0, 0, 0],
        &[60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[51, 0, 1, 4, 0, 0, 0, 0],
        &[6, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3],
        &tcp(DATA),
    ]);
    let octets = ipv6(0, &chain);
    let packet = on(LinkType::RAW, &octets);
    let (header, transport) = ip(&packet);
    assert_eq!((header.protocol, transport, packet.payload(&octets)), (6, TCP_HEADER, DATA));
    assert_eq!(packet.anomalies, Anomalies(0));
    // One that is longer than the packet: its own number stays.
    let long = on(LinkType::RAW, &ipv6(60, &cat(&[&[6, 9, 0, 0, 0, 0, 0, 0], &tcp(DATA)])));
    let (header, transport) = ip(&long);
    assert_eq!((header.protocol, transport, long.anomalies.0), (60, Transport::Other, Anomalies::LENGTH));
    // Eight are read, nine are not.
    for (count, anomalies, expected) in [(8, 0, TCP_HEADER), (9, Anomalies::DEPTH, Transport::Other)] {
        let mut payload = cat(&[&[6, 0, 0, 0, 0, 0, 0, 0], &tcp(DATA)]);
        for _ in 1..count {
            payload = cat(&[&[60, 0, 0, 0, 0, 0, 0, 0], &payload]);
        }
        let packet = on(LinkType::RAW, &ipv6(60, &payload));
        assert_eq!((ip(&packet).1, packet.anomalies.0), (expected, anomalies), "{count}");
    }
}

#[test]
fn ipv6_fragments() {
    let fragment = |low: u8| {
        let octets = ipv6(44, &cat(&[&[6, 0, 0, low, 0, 0, 0x12, 0x34], &tcp(DATA)]));
        let packet = on(LinkType::RAW, &octets);
        let (ip, transport) = ip(&packet);
        assert_eq!((ip.protocol, ip.identification), (6, Some(0x1234)));
        (ip.fragment, transport, packet.payload_octets)
    };
    assert_eq!(fragment(1), (Some(Fragment { offset: 0, more: true }), Transport::Other, 27));
    assert_eq!(fragment(0x10), (Some(Fragment { offset: 16, more: false }), Transport::Other, 27));
    assert_eq!(fragment(0), (None, TCP_HEADER, 7));
    // The reserved bits say nothing.
    assert_eq!(fragment(6), (None, TCP_HEADER, 7));
}

#[test]
fn ipv6_payload_lengths() {
    let changed = |length: u8, next: u8| {
        let mut octets = ipv6(next, &tcp(DATA));
        octets[5] = length;
        let packet = on(LinkType::RAW, &octets);
        (ip(&packet).1, packet.payload_octets, packet.anomalies.0)
    };
    assert_eq!(changed(0, 6), (TCP_HEADER, 7, Anomalies::OFFLOADED));
    assert_eq!(changed(0, 59), (Transport::Other, 0, 0));
    assert_eq!(changed(22, 6), (TCP_HEADER, 2, 0));
    assert_eq!(changed(28, 6), (TCP_HEADER, 7, Anomalies::LENGTH));
}

#[test]
fn transport_headers_that_are_not_sound() {
    let transport = |protocol: u8, octets: &[u8]| {
        let octets = ipv4(protocol, octets);
        let packet = on(LinkType::RAW, &octets);
        (ip(&packet).1, packet.payload_octets, packet.anomalies.0)
    };
    let mut segment = tcp(DATA);
    segment[12] = 0x40;
    assert_eq!(transport(6, &segment), (Transport::Other, 27, Anomalies::HEADER));
    segment[12] = 0x70;
    assert_eq!(transport(6, &segment), (Transport::Other, 27, Anomalies::HEADER));
    segment[12] = 0x60;
    assert_eq!(transport(6, &segment), (TCP_HEADER, 3, 0));
    assert_eq!(transport(6, &segment[..19]), (Transport::Other, 19, Anomalies::LENGTH));
    let mut datagram = udp(DATA);
    for (length, expected) in [
        (7, (Transport::Other, 15, Anomalies::HEADER)),
        (0, (Transport::Other, 15, Anomalies::HEADER)),
        (8, (UDP_HEADER, 0, 0)),
        (15, (UDP_HEADER, 7, 0)),
        (16, (UDP_HEADER, 7, Anomalies::LENGTH)),
    ] {
        datagram[5] = length;
        assert_eq!(transport(17, &datagram), expected, "{length}");
    }
    // Options that the capture cut.
    segment[12] = 0x80;
    let octets = ipv4(6, &cat(&[&segment, &[0; 40]]));
    let cut = packet_of(LinkType::RAW, &octets[..44], octets.len());
    assert_eq!((ip(&cut).1, cut.anomalies.0), (Transport::Other, Anomalies::TRUNCATED));
}

#[test]
fn icmp_belongs_to_its_version() {
    let echo = [8, 0, 1, 2, 3, 4, 5, 6];
    let (header, octets) = (Transport::Icmp { kind: 8, code: 0 }, ipv4(1, &echo));
    let packet = on(LinkType::RAW, &octets);
    assert_eq!((ip(&packet).1, packet.payload(&octets)), (header, &[3, 4, 5, 6][..]));
    assert_eq!(ip(&on(LinkType::RAW, &ipv6(58, &echo))).1, header);
    assert_eq!(ip(&on(LinkType::RAW, &ipv6(1, &echo))).1, Transport::Other);
    assert_eq!(ip(&on(LinkType::RAW, &ipv4(58, &echo))).1, Transport::Other);
    let short = on(LinkType::RAW, &ipv4(1, &echo[..3]));
    assert_eq!((ip(&short).1, short.anomalies.0), (Transport::Other, Anomalies::LENGTH));
}

/// What must not be taken for a tunnel stays what it is.
#[test]
fn headers_that_are_no_tunnels() {
    let segment = ipv4(6, &tcp(DATA));
    let frame = inner_eth(0x0800, &segment);
    let mut cases = Vec::new();
    for (place, value) in [(0, 0x0C), (0, 0), (1, 1), (7, 1)] {
        let mut header = vxlan(&frame);
        header[place] = value;
        cases.push((17, udp_to(4789, &header)));
    }
    cases.push((17, udp_to(4790, &vxlan(&frame))));
    cases.push((17, udp_to(4789, &vxlan(&frame[..13]))));
    for (place, value) in [(0, 0x41), (2, 0x08), (0, 0x3F)] {
        let mut header = geneve(0x6558, &frame);
        header[place] = value;
        cases.push((17, udp_to(6081, &header)));
    }
    cases.push((47, gre(0x0001, 0x0800, &segment)));
    cases.push((47, gre(0x4000, 0x0800, &segment)));
    cases.push((47, gre(0x0000, 0x880B, &segment)));
    cases.push((47, gre(0x1000, 0x88BE, &cat(&[&[0, 0, 0, 1, 0x20, 30, 0, 9, 0, 0, 0, 0], &frame]))));
    for (protocol, payload) in cases {
        let octets = ipv4_from(172, protocol, &payload);
        let packet = on(LinkType::RAW, &octets);
        assert_eq!((ip(&packet).0.source, packet.outer, packet.depth), (v4(172, 1), None, 0), "{payload:02x?}");
        assert_eq!((macs(&packet), packet.scope), ((None, None), Scope::default()));
        assert_eq!(packet.anomalies, Anomalies(0), "{payload:02x?}");
    }
    // An inner header that is not sound is noted, and the carrier is a plain packet.
    for (protocol, payload) in [(4, ipv6(6, &tcp(DATA))), (47, gre(0, 0x0800, &[0x44; 40]))] {
        let octets = eth(0x0800, &ipv4_from(172, protocol, &payload));
        let packet = whole(&octets);
        assert_eq!((ip(&packet).0.protocol, packet.outer), (protocol, None));
        assert_eq!((macs(&packet), packet.payload(&octets)), ((Some(A), Some(B)), &payload[..]));
        assert_eq!(packet.anomalies.0, Anomalies::HEADER);
    }
}

#[test]
fn a_frame_that_a_mirror_cut_is_truncated() {
    let cut = &inner_eth(0x0800, &ipv4(6, &tcp(&[0; 900])))[..100];
    for (session, anomalies) in [(0x04, Anomalies::TRUNCATED), (0x00, Anomalies::LENGTH)] {
        let header = [0, 0, 0, 1, 0x10, 30, session, 9, 0, 0, 0, 0];
        let packet = on(LinkType::RAW, &ipv4_from(172, 47, &gre(0x1000, 0x88BE, &cat(&[&header, cut]))));
        assert_eq!((ip(&packet).1, packet.anomalies.0), (TCP_HEADER, anomalies));
    }
}

#[test]
fn pppoe_and_mpls_that_carry_something_else() {
    let control = whole(&eth(0x8864, &pppoe(0xC021, &[1, 1, 0, 4])));
    assert_eq!((control.network, control.depth), (Network::Other(0x8864), 0));
    let mut version = eth(0x8864, &pppoe(0x0021, &ipv4(6, &tcp(DATA))));
    version[14] = 0x12;
    assert_eq!((whole(&version).network, whole(&version).anomalies.0), (Network::Other(0x8864), Anomalies::HEADER));
    // An associated channel is not IP.
    let channel = whole(&eth(0x8847, &[0, 2, 1, 64, 0x10, 0, 0, 0x21, 0, 0]));
    assert_eq!((channel.network, channel.anomalies), (Network::Other(0x8847), Anomalies(0)));
}

#[test]
fn links_that_are_not_read() {
    let unknown = on(LinkType(105), &[0; 40]);
    assert_eq!((unknown.network, unknown.anomalies.0), (Network::Undecoded, Anomalies::LINK_TYPE));
    assert_eq!(unknown.payload_octets, 40);
    for (link, octets) in [
        (LinkType::NULL, cat(&[&[0, 0, 0, 5], &ipv4(6, &tcp(DATA))])),
        (LinkType::PPP, vec![0xC0, 0x21, 1, 1, 0, 4]),
        (LinkType::LINUX_SLL, cat(&[&[0, 4, 3, 56, 0, 0], &[0; 8], &[8, 0], &ipv4(6, &tcp(DATA))])),
        (LinkType::LINUX_SLL, cat(&[&[0, 4, 0, 1, 0, 6], &[0; 8], &[0, 12], &[0; 16]])),
    ] {
        let packet = on(link, &octets);
        assert_eq!((packet.network, packet.anomalies), (Network::Undecoded, Anomalies(0)), "{link:?}");
    }
    assert_eq!(on(LinkType::ETHERNET, &[0; 13]).anomalies.0, Anomalies::LENGTH);
    assert_eq!(packet_of(LinkType::ETHERNET, &[0; 13], 60).anomalies.0, Anomalies::TRUNCATED);
}

#[test]
fn a_datagram_put_together_is_read_on() {
    let mut first = eth(0x8100, &tag(7, 0x0800, &ipv4(6, &[0; 16])));
    first[24] = 0x20;
    let part = whole(&first);
    assert_eq!(ip(&part).0.fragment, Some(Fragment { offset: 0, more: true }));
    let datagram = tcp(DATA);
    let packet = decode_datagram(&part, &datagram);
    assert_tcp(&packet, &datagram);
    assert_eq!((macs(&packet), tags(&packet), packet.depth), ((Some(A), Some(B)), vec![7], 1));
    assert_eq!((ip(&packet).0.fragment, ip(&packet).0.identification), (None, Some(0x1234)));
}

#[test]
fn a_tunnel_put_together_is_entered() {
    let mut first = eth(0x8100, &tag(7, 0x0800, &ipv4_from(172, 47, &[0; 16])));
    first[24] = 0x20;
    let datagram = gre(0, 0x0800, &ipv4(6, &tcp(DATA)));
    let packet = decode_datagram(&whole(&first), &datagram);
    assert_tcp(&packet, &datagram);
    assert_eq!(packet.outer, Some(Outer { tunnel: Tunnel::Gre, source: v4(172, 1), destination: v4(172, 2) }));
    assert_eq!((macs(&packet), tags(&packet), packet.depth), ((None, None), vec![], 2));
}

#[test]
fn an_ipv6_datagram_put_together() {
    let first = ipv6(44, &[60, 0, 0, 1, 0, 0, 0x12, 0x34, 6, 0, 0, 0, 0, 0, 0, 0]);
    let part = on(LinkType::RAW, &first);
    assert_eq!((ip(&part).0.protocol, ip(&part).0.identification), (60, Some(0x1234)));
    let datagram = cat(&[&[6, 0, 0, 0, 0, 0, 0, 0], &tcp(DATA)]);
    let packet = decode_datagram(&part, &datagram);
    let (header, transport) = ip(&packet);
    assert_eq!((header.source, header.protocol), ("fd00::1".parse().unwrap(), 6));
    assert_eq!((header.fragment, transport, packet.payload(&datagram)), (None, TCP_HEADER, DATA));
    // Fragments do not nest.
    let nested = cat(&[&[44, 0, 0, 0, 0, 0, 0, 0], &[6, 0, 0, 1, 0, 0, 0x12, 0x34], &tcp(DATA)]);
    let packet = decode_datagram(&part, &nested);
    assert_eq!((ip(&packet).0.fragment, ip(&packet).1), (None, Transport::Other));
    assert_eq!(packet.anomalies.0, Anomalies::HEADER);
    // A packet that is not IP has nothing to read on.
    let lldp = decode_datagram(&whole(&eth(0x88CC, &[0, 0])), DATA);
    assert_eq!((lldp.network, lldp.payload(DATA)), (Network::Lldp, DATA));
}
