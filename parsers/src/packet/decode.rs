//! Link, tunnel, network and transport headers of one frame; never fails, notes anomalies.

use super::arp::Arp;
use super::ip::{self, Header, protocol};
use super::link::{self, Carries, LinkType, MacAddr, Unread, ether_type};
use super::tunnel::{self, Wrapper};
use super::window::Window;
use super::{Anomalies, Carrier, DEPTH_MAX, Ip, Network, Outer, Packet, Scope, TAGS_MAX, TcpFlags, Transport, Tunnel};
use std::net::{IpAddr, Ipv4Addr};

/// Octets of an Ethernet header.
const ETHERNET_OCTETS: usize = 14;
/// Labels that are passed in one MPLS stack.
const LABELS_MAX: usize = 16;

/// Reads the headers of one frame. One pass without recursion: every turn passes octets, and tags and tunnels are
/// counted against [`DEPTH_MAX`].
#[inline]
pub fn decode(carrier: Carrier, octets: &[u8]) -> Packet {
    match plain(carrier, octets) {
        Some(packet) => packet,
        None => decode_any(carrier, octets),
    }
}

/// What nearly all frames of a plant are, read at one go: untagged Ethernet, IPv4 without options and in one piece, TCP,
/// whole. `None` for all others; where there is an answer, it is that of the long way.
#[inline]
fn plain(carrier: Carrier, octets: &[u8]) -> Option<Packet> {
    if carrier.link != LinkType::ETHERNET {
        return None;
    }
    let (ethernet, rest) = octets.split_first_chunk::<ETHERNET_OCTETS>()?;
    let [a, b, c, d, e, f, g, h, i, j, k, l, 0x08, 0x00] = *ethernet else { return None };
    let (destination_mac, source_mac) = (MacAddr([a, b, c, d, e, f]), MacAddr([g, h, i, j, k, l]));
    let (ip, rest) = rest.split_first_chunk::<20>()?;
    let [0x45, _, length_high, length_low, id_high, id_low, flags, 0, ttl, protocol::TCP, _, _, a, b, c, d, e, f, g, h] =
        *ip
    else {
        return None;
    };
    let (source, destination) = (Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h));
    // More fragments, or the upper bits of an offset.
    if flags & 0x3F != 0 {
        return None;
    }
    let segment_octets = usize::from(u16::from_be_bytes([length_high, length_low])).checked_sub(ip.len())?;
    let segment = rest.get(..segment_octets)?;
    let (tcp, _) = segment.split_first_chunk::<20>()?;
    let [a, b, c, d, e, f, g, h, i, j, k, l, offset, flags, high, low, ..] = *tcp;
    let header_octets = usize::from(offset >> 4).saturating_mul(4);
    if header_octets < tcp.len() {
        return None;
    }
    let payload_octets = segment_octets.checked_sub(header_octets)?;
    let payload_offset = octets.len().saturating_sub(rest.len()).saturating_add(header_octets);
    Some(Packet {
        source_mac: Some(source_mac),
        destination_mac: Some(destination_mac),
        network: Network::Ip(
            Ip {
                source: IpAddr::V4(source),
                destination: IpAddr::V4(destination),
                ttl,
                identification: Some(u32::from(u16::from_be_bytes([id_high, id_low]))),
                protocol: protocol::TCP,
                fragment: None,
            },
            Transport::Tcp {
                source: u16::from_be_bytes([a, b]),
                destination: u16::from_be_bytes([c, d]),
                sequence: u32::from_be_bytes([e, f, g, h]),
                acknowledgment: u32::from_be_bytes([i, j, k, l]),
                window: u16::from_be_bytes([high, low]),
                flags: TcpFlags(flags),
            },
        ),
        payload_offset: u32::try_from(payload_offset).ok()?,
        payload_octets: u32::try_from(payload_octets).ok()?,
        ..Packet::EMPTY
    })
}

#[inline(never)]
fn decode_any(carrier: Carrier, octets: &[u8]) -> Packet {
    let wire_octets = usize::try_from(carrier.wire_octets).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new(Window::new(octets, wire_octets));
    let first = if carrier.link == LinkType::ETHERNET { Layer::Ethernet } else { decoder.start(carrier.link) };
    decoder.run(first)
}

/// Reads what an IP datagram carries once its fragments are together. `whole` is any fragment's packet: its addresses,
/// scope and depth carry over, its anomalies do not; the payload's offsets count from the start of `octets`.
///
/// A packet that is not IP has nothing to read: its payload is all of `octets`.
pub fn decode_datagram(whole: &Packet, octets: &[u8]) -> Packet {
    let mut window = Window::new(octets, octets.len());
    let mut room = [0; 32];
    let layer = match &whole.network {
        Network::Ip(ip, _) => {
            let mut header = ip::extensions(&mut window, Header::of_datagram(ip, &mut room));
            let nested = header.fragment.take().is_some();
            if nested {
                // A fragment of what was put together already: they do not nest in one header (RFC 8200 4.5).
                window.note_header();
            }
            if nested { Layer::Opaque(header) } else { Layer::Ip(header) }
        }
        network => Layer::End(*network),
    };
    Decoder::again(whole, window).run(layer)
}

/// The header that is read next.
enum Layer<'a> {
    /// An Ethernet header.
    Ethernet,
    /// What this EtherType says.
    EtherType(u16),
    /// An LLC header.
    Llc,
    /// What this IP header carries.
    Ip(Header<'a>),
    /// Nothing: the window is the payload of this IP header.
    Opaque(Header<'a>),
    /// Nothing: the window is the payload.
    End(Network),
}

/// What was read so far, in small pieces: the packet is written once, at the end.
struct Decoder<'a> {
    window: Window<'a>,
    source_mac: Option<MacAddr>,
    destination_mac: Option<MacAddr>,
    scope: Scope,
    outer: Option<Outer>,
    depth: u8,
    /// The VLAN that an ERSPAN header tells, for a frame without a tag of its own.
    mirror_tag: u16,
}

impl<'a> Decoder<'a> {
    #[inline]
    fn new(window: Window<'a>) -> Self {
        let scope = Scope { tags: [0; TAGS_MAX], network: 0 };
        Self { window, source_mac: None, destination_mac: None, scope, outer: None, depth: 0, mirror_tag: 0 }
    }

    /// Goes on where the packet of a fragment ended.
    fn again(whole: &Packet, window: Window<'a>) -> Self {
        let Packet { source_mac, destination_mac, scope, outer, depth, .. } = *whole;
        Self { window, source_mac, destination_mac, scope, outer, depth, mirror_tag: 0 }
    }

    #[inline(always)]
    fn run(mut self, first: Layer<'a>) -> Packet {
        let mut layer = first;
        loop {
            layer = match layer {
                Layer::Ethernet => self.ethernet(),
                Layer::EtherType(kind) => self.ether_type(kind),
                Layer::Ip(header) if header.fragment.is_some() => Layer::Opaque(header),
                Layer::Ip(header) => match header.protocol {
                    protocol::TCP => {
                        let transport = ip::tcp(&mut self.window);
                        return self.packet(Network::Ip(header.ip(), transport));
                    }
                    protocol::UDP => {
                        let transport = ip::udp(&mut self.window, header.six());
                        match self.udp_tunnel(&transport, &header) {
                            Some(inside) => inside,
                            None => return self.packet(Network::Ip(header.ip(), transport)),
                        }
                    }
                    _ => self.rare_protocol(header),
                },
                Layer::Opaque(header) => return self.packet(Network::Ip(header.ip(), Transport::Other)),
                Layer::Llc => self.llc(),
                Layer::End(network) => return self.packet(network),
            };
        }
    }

    /// Writes the packet.
    #[inline(always)]
    fn packet(mut self, network: Network) -> Packet {
        if self.window.is_cut() {
            self.window.anomalies.note(Anomalies::TRUNCATED);
        }
        let [outermost, ..] = &mut self.scope.tags;
        if *outermost == 0 {
            *outermost = self.mirror_tag;
        }
        Packet {
            source_mac: self.source_mac,
            destination_mac: self.destination_mac,
            scope: self.scope,
            outer: self.outer,
            network,
            payload_offset: u32::try_from(self.window.offset()).unwrap_or(u32::MAX),
            payload_octets: u32::try_from(self.window.rest().len()).unwrap_or(u32::MAX),
            depth: self.depth,
            anomalies: self.window.anomalies,
        }
    }

    /// Ends with an EtherType or protocol identifier that is not read, or whose header is not sound.
    fn other(&mut self, kind: u16) -> Layer<'a> {
        self.trim_redundancy_trailer();
        Layer::End(Network::Other(kind))
    }

    /// Drops a PRP trailer (IEC 62439-3 4.1.10): sequence number, LAN and size of the service data unit with the
    /// trailer, suffix. For IP the total length does it.
    fn trim_redundancy_trailer(&mut self) {
        let rest = self.window.rest();
        let Some([_, _, lan_and_size @ .., 0x88, 0xFB]) = rest.last_chunk::<6>() else { return };
        let lan_and_size = u16::from_be_bytes(*lan_and_size);
        let lan = lan_and_size >> 12;
        if !self.window.is_cut() && matches!(lan, 0xA | 0xB) && usize::from(lan_and_size & 0x0FFF) == rest.len() {
            self.window.trim(6);
        }
    }

    /// Counts one more tag or tunnel, where there is room.
    #[inline]
    fn deeper(&mut self) -> bool {
        let room = usize::from(self.depth) < DEPTH_MAX;
        if room {
            self.depth = self.depth.saturating_add(1);
        } else {
            self.window.anomalies.note(Anomalies::DEPTH);
        }
        room
    }

    /// Goes past a header of `octets` to what it carries; `None` leaves everything as it was, but for anomalies.
    fn carried(&mut self, octets: usize, carries: Carries) -> Option<Layer<'a>> {
        let before = self.window;
        self.window.skip(octets);
        let layer = match carries {
            Carries::Ethernet => (self.window.rest().len() >= ETHERNET_OCTETS).then_some(Layer::Ethernet),
            Carries::EtherType(kind) => Some(Layer::EtherType(kind)),
            Carries::Llc => Some(Layer::Llc),
            Carries::Ipv4 => ip::ipv4(&mut self.window).map(Layer::Ip),
            Carries::Ipv6 => ip::ipv6(&mut self.window).map(Layer::Ip),
        };
        if layer.is_none() {
            self.window.back_to(&before);
        }
        layer
    }

    /// As `carried`, for a header that counts as a tag or tunnel.
    fn nested(&mut self, octets: usize, carries: Carries) -> Option<Layer<'a>> {
        if !self.deeper() {
            return None;
        }
        let layer = self.carried(octets, carries);
        if layer.is_none() {
            self.depth = self.depth.saturating_sub(1);
        }
        layer
    }

    /// The header of a link other than Ethernet.
    fn start(&mut self, link: LinkType) -> Layer<'a> {
        match link::start(link, self.window.rest()) {
            Ok(start) => {
                self.source_mac = start.source_mac;
                if let Some(layer) = self.carried(start.octets, start.carries) {
                    return layer;
                }
            }
            Err(Unread::LinkType) => self.window.anomalies.note(Anomalies::LINK_TYPE),
            Err(Unread::Short) => self.window.note_short(),
            Err(Unread::Header) => self.window.note_header(),
            Err(Unread::Foreign) => {}
        }
        Layer::End(Network::Undecoded)
    }

    #[inline]
    fn ethernet(&mut self) -> Layer<'a> {
        let Some([a, b, c, d, e, f, g, h, i, j, k, l, high, low]) = self.window.rest().first_chunk::<ETHERNET_OCTETS>()
        else {
            self.window.note_short();
            return Layer::End(Network::Undecoded);
        };
        self.destination_mac = Some(MacAddr([*a, *b, *c, *d, *e, *f]));
        self.source_mac = Some(MacAddr([*g, *h, *i, *j, *k, *l]));
        self.window.skip(ETHERNET_OCTETS);
        Layer::EtherType(u16::from_be_bytes([*high, *low]))
    }

    #[inline]
    fn ether_type(&mut self, kind: u16) -> Layer<'a> {
        match kind {
            ether_type::IPV4 => match ip::ipv4(&mut self.window) {
                Some(header) => Layer::Ip(header),
                None => self.other(kind),
            },
            ether_type::VLAN | ether_type::VLAN_SERVICE | ether_type::VLAN_EARLY => self.tag(kind),
            ether_type::IPV6 => match ip::ipv6(&mut self.window) {
                Some(header) => Layer::Ip(header),
                None => self.other(kind),
            },
            _ => self.rare_ether_type(kind),
        }
    }

    fn rare_ether_type(&mut self, kind: u16) -> Layer<'a> {
        match kind {
            0..ether_type::LOWEST => {
                self.window.limit(usize::from(kind));
                Layer::Llc
            }
            ether_type::ARP => self.arp(),
            ether_type::LLDP => {
                self.trim_redundancy_trailer();
                Layer::End(Network::Lldp)
            }
            ether_type::MPLS | ether_type::MPLS_MULTICAST => self.mpls().unwrap_or_else(|| self.other(kind)),
            ether_type::PPPOE_SESSION => self.pppoe().unwrap_or_else(|| self.other(kind)),
            ether_type::HSR => self.hsr().unwrap_or_else(|| self.other(kind)),
            _ => self.other(kind),
        }
    }

    /// A VLAN tag (IEEE 802.1Q 9.6): priority, VLAN identifier, the next EtherType.
    #[inline]
    fn tag(&mut self, kind: u16) -> Layer<'a> {
        let Some([control_high, control_low, high, low]) = self.window.rest().first_chunk::<4>() else {
            self.window.note_short();
            return self.other(kind);
        };
        if !self.deeper() {
            return self.other(kind);
        }
        self.window.skip(4);
        let identifier = u16::from_be_bytes([*control_high, *control_low]) & 0x0FFF;
        if identifier != 0 {
            match self.scope.tags.iter_mut().find(|tag| **tag == 0) {
                Some(free) => *free = identifier,
                None => self.window.anomalies.note(Anomalies::DEPTH),
            }
        }
        Layer::EtherType(u16::from_be_bytes([*high, *low]))
    }

    /// An LLC header (IEEE 802.2 3), with SNAP where it says so (IEEE 802 9; RFC 1042; 802.1H for 00-00-F8).
    fn llc(&mut self) -> Layer<'a> {
        let mut reader = self.window.reader();
        let (Ok(destination), Ok(source), Ok(control)) =
            (reader.u8("destination_service"), reader.u8("source_service"), reader.u8("control"))
        else {
            self.window.note_short();
            return Layer::End(Network::Undecoded);
        };
        if (destination, source, control) != (0xAA, 0xAA, 0x03) {
            // Information and supervisory frames have a second octet of control.
            self.window.skip(if control & 3 == 3 { 3 } else { 4 });
            return Layer::End(Network::Other(u16::from_be_bytes([destination, source])));
        }
        let (Ok(first), Ok(last), Ok(identifier)) =
            (reader.u8("organization"), reader.u16_be("organization"), reader.u16_be("protocol_identifier"))
        else {
            self.window.note_short();
            return Layer::End(Network::Other(0xAAAA));
        };
        self.window.skip(reader.offset());
        if first == 0 && matches!(last, 0 | 0x00F8) && identifier >= ether_type::LOWEST {
            Layer::EtherType(identifier)
        } else {
            Layer::End(Network::Other(identifier))
        }
    }

    fn arp(&mut self) -> Layer<'a> {
        match Arp::read(self.window.rest()) {
            Ok(Some(arp)) => {
                // What follows the message is padding.
                self.window.limit(28);
                Layer::End(Network::Arp(arp))
            }
            Ok(None) => self.other(ether_type::ARP),
            Err(_) => {
                let anomaly = if self.window.is_cut() { Anomalies::TRUNCATED } else { Anomalies::HEADER };
                self.window.anomalies.note(anomaly);
                self.other(ether_type::ARP)
            }
        }
    }

    /// An HSR tag (IEC 62439-3 5.6): path and size, sequence number, the EtherType of what is tagged.
    fn hsr(&mut self) -> Option<Layer<'a>> {
        let mut reader = self.window.reader();
        let kind = match (reader.u16_be("path_and_size"), reader.u16_be("sequence"), reader.u16_be("ether_type")) {
            (Ok(_), Ok(_), Ok(kind)) => kind,
            _ => {
                self.window.note_short();
                return None;
            }
        };
        self.nested(reader.offset(), Carries::EtherType(kind))
    }

    /// An MPLS label stack (RFC 3032 2.1). What follows has no type: an IP version tells itself, and a zero nibble is
    /// the control word of a pseudowire (RFC 4385 3), taken to be Ethernet's (RFC 4448 4.6).
    fn mpls(&mut self) -> Option<Layer<'a>> {
        let mut reader = self.window.reader();
        let mut labels = 0_usize;
        loop {
            let Ok(entry) = reader.u32_be("label_stack_entry") else {
                self.window.note_short();
                return None;
            };
            labels = labels.saturating_add(1);
            if entry & 0x100 != 0 {
                break;
            }
            if labels >= LABELS_MAX {
                self.window.anomalies.note(Anomalies::DEPTH);
                return None;
            }
        }
        let octets = reader.offset();
        let (octets, carries) = match reader.peek_rest().first()? >> 4 {
            0 => (octets.saturating_add(4), Carries::Ethernet),
            _ => (octets, Carries::of_ip(reader.peek_rest())?),
        };
        self.nested(octets, carries)
    }

    /// A PPPoE session header (RFC 2516 4): version and type 1, code 0, session, length; then PPP.
    fn pppoe(&mut self) -> Option<Layer<'a>> {
        let mut reader = self.window.reader();
        let (start, length) = match (reader.u16_be("code"), reader.u16_be("session"), reader.u16_be("length")) {
            (Ok(start), Ok(_), Ok(length)) => (start, usize::from(length)),
            _ => {
                self.window.note_short();
                return None;
            }
        };
        if start != 0x1100 {
            self.window.note_header();
            return None;
        }
        self.window.limit(reader.offset().saturating_add(length));
        let (ppp_octets, carries) = link::ppp(self.window.rest().get(reader.offset()..)?).ok()?;
        self.nested(reader.offset().saturating_add(ppp_octets), carries)
    }

    /// What UDP carries on the ports of tunnels.
    #[inline]
    fn udp_tunnel(&mut self, transport: &Transport, header: &Header<'a>) -> Option<Layer<'a>> {
        let Transport::Udp { destination, .. } = transport else { return None };
        let wrapper = match *destination {
            tunnel::VXLAN_PORT | tunnel::VXLAN_PORT_EARLY => tunnel::vxlan(self.window.rest()),
            tunnel::GENEVE_PORT => tunnel::geneve(self.window.rest()),
            _ => return None,
        };
        self.enter(&wrapper?, header)
    }

    fn rare_protocol(&mut self, header: Header<'a>) -> Layer<'a> {
        if header.is_extended() {
            let header = ip::extensions(&mut self.window, header);
            return if header.is_extended() { Layer::Opaque(header) } else { Layer::Ip(header) };
        }
        let wrapper = match header.protocol {
            protocol::ICMP | protocol::ICMPV6 if header.six() == (header.protocol == protocol::ICMPV6) => {
                let transport = ip::icmp(&mut self.window);
                return Layer::End(Network::Ip(header.ip(), transport));
            }
            protocol::GRE => tunnel::gre(self.window.rest()),
            protocol::IPV4 => Some(Wrapper::plain(0, Tunnel::IpInIp, Carries::Ipv4)),
            protocol::IPV6 => Some(Wrapper::plain(0, Tunnel::IpInIp, Carries::Ipv6)),
            _ => None,
        };
        wrapper.and_then(|wrapper| self.enter(&wrapper, &header)).unwrap_or(Layer::Opaque(header))
    }

    /// Enters a tunnel: the packet inside has addresses, tags and a link of its own. `None` where it does not decode;
    /// the carrier is then a plain packet.
    fn enter(&mut self, wrapper: &Wrapper, carrier: &Header<'a>) -> Option<Layer<'a>> {
        let before = self.window;
        if wrapper.cut {
            self.window.cut_by_mirror();
        }
        let Some(layer) = self.nested(wrapper.octets, wrapper.carries) else {
            self.window.back_to(&before);
            return None;
        };
        let (source, destination) = carrier.addresses();
        self.outer.get_or_insert(Outer { tunnel: wrapper.tunnel, source, destination });
        if let Some(identifier) = wrapper.network {
            self.scope.network = identifier.saturating_add(1);
        }
        self.scope.tags = [0; TAGS_MAX];
        self.mirror_tag = wrapper.mirror_tag;
        self.source_mac = None;
        self.destination_mac = None;
        Some(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame that takes the short way: an ADU of 12 octets, and padding behind it.
    fn frame() -> Vec<u8> {
        let mut octets = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00];
        octets.extend([0x45, 0, 0, 56, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        octets.extend([0xC0, 0, 0x01, 0xF6, 0, 0, 0, 7, 0, 0, 0, 9, 0x60, 0x18, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0]);
        octets.extend([0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 2]);
        octets.extend([0; 4]);
        octets
    }

    #[test]
    fn the_short_way_says_what_the_long_way_says() {
        let frame = frame();
        let ways = |octets: &[u8], link: LinkType, wire_octets: u32| {
            let carrier = Carrier { link, wire_octets };
            let short = plain(carrier, octets);
            let long = decode_any(carrier, octets);
            assert!(short.is_none_or(|short| short == long), "{octets:?}: {short:?} {long:?}");
            assert_eq!(decode(carrier, octets), long);
            short.is_some()
        };
        let all = u32::try_from(frame.len()).unwrap();
        assert!(ways(&frame, LinkType::ETHERNET, all), "it is taken at all");
        assert!(!ways(&frame, LinkType(0xFFFF), all));
        let mut taken = 0;
        for at in 0..frame.len() {
            for octet in 0..=u8::MAX {
                let mut other = frame.clone();
                other[at] = octet;
                taken += u32::from(ways(&other, LinkType::ETHERNET, all));
            }
            // Cut by the capture, and cut on the wire.
            assert_eq!(ways(&frame[..at], LinkType::ETHERNET, all), at >= 70);
            ways(&frame[..at], LinkType::ETHERNET, u32::try_from(at).unwrap());
        }
        assert!((12_000..18_000).contains(&taken), "{taken}");
    }
}
