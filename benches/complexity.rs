//! Whether twice the octets take twice the time, whatever they hold: hostile inputs, each twice as long as the last.
//!
//! Each row of the table is an input that is cheap to send and looks dear to read. It is timed in small pieces, each
//! piece as the quickest of several rounds, so that other work on the machine does not count. Tables that outgrow the
//! processor's caches make a doubling a little dearer than two; what is quadratic makes it four.

use fixtures::wire::iec104::{self, Header};
use fixtures::wire::{arp, dhcp, dnp3, ethernet, ip, lldp, modbus, nbns, tcp, tunnel, udp};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};
use yagura_core::analyzer::{Analyzer, Setup};
use yagura_core::frame::FrameBatch;
use yagura_parsers::dissect::{Direction, Listener};
use yagura_parsers::error::ParseError;
use yagura_parsers::message::Describe;
use yagura_parsers::protocols::AnyDissector;
use yagura_parsers::protocols::dnp3::Dnp3Dissector;
use yagura_parsers::protocols::iec104::Iec104Dissector;
use yagura_parsers::protocols::modbus::ModbusDissector;

/// Octets of the inputs, each twice the one before.
const SIZES: [usize; 5] = [64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20];
/// Each piece counts as in its quickest round.
const ROUNDS: usize = 5;
/// What a doubling may cost.
const AIM: f64 = 2.3;
/// Octets of frames that are timed together: less than the time that a busy machine leaves to a program in one go.
const PIECE_OCTETS: usize = 1_500;
/// Messages and points that a dissector tells in one piece of time.
const PIECE_TOLD: u64 = 1_024;
/// Streams that are cut small are shorter, as each of their octets has the headers of a frame.
const SMALLER: usize = 8;
/// Payload of a full segment.
const SEGMENT: usize = 1_400;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 20, 1, 9);
const SERVER_MAC: [u8; 6] = [2, 0, 0, 0, 1, 9];

/// Asks messages everything that they can be asked, and takes the time now and then.
struct Curious {
    told: u64,
    start: Instant,
    laps: Vec<Duration>,
}

impl Curious {
    fn starts() -> Self {
        Self { told: 0, start: Instant::now(), laps: Vec::new() }
    }

    fn lap(&mut self) {
        self.laps.push(self.start.elapsed());
        self.told = 0;
        self.start = Instant::now();
    }

    fn heard(&mut self) {
        self.told += 1;
        if self.told >= PIECE_TOLD {
            self.lap();
        }
    }
}

impl Listener for Curious {
    fn message<M: Describe>(&mut self, message: &M, _: &[u8]) {
        black_box((message.pairing(), message.refusal(), message.fault(), message.control(), message.clock()));
        message.operations(&mut |operation| {
            black_box(operation);
        });
        message.points(None, &mut |point| {
            black_box(point);
            self.told += 1;
        });
        message.fields(&mut |name, value| {
            black_box((name, value));
        });
        message.notices(&mut |notice| {
            black_box(notice);
        });
        message.tally(&mut |tally| {
            black_box(tally);
        });
        message.identity(&mut |claim| {
            black_box(claim);
        });
        self.heard();
    }

    fn malformed(&mut self, error: ParseError, _: &[u8]) {
        black_box(error);
        self.heard();
    }

    fn skipped(&mut self, octets: usize) {
        black_box(octets);
        self.heard();
    }
}

// Streams of octets

/// Who speaks what: a protocol's dissector, its port, and what opens a talk so that the protocol is known.
#[derive(Clone, Copy)]
struct Spoken {
    new: fn() -> AnyDissector,
    port: u16,
    direction: Direction,
    opening: fn() -> Vec<u8>,
}

const MODBUS: Spoken = Spoken {
    new: || AnyDissector::Modbus(ModbusDissector::default()),
    port: 502,
    direction: Direction::ToServer,
    opening: || modbus::tcp(1, 1, &modbus::read(3, 1, 2)).repeat(3),
};
const RTU: Spoken = Spoken {
    new: || AnyDissector::Modbus(ModbusDissector::rtu()),
    port: 502,
    direction: Direction::ToServer,
    opening: || modbus::rtu(1, &modbus::read(3, 1, 2)).repeat(3),
};
const DNP3: Spoken = Spoken {
    new: || AnyDissector::Dnp3(Dnp3Dissector::default()),
    port: 20_000,
    direction: Direction::ToServer,
    opening: || request(1, 1, &dnp3::classes(&[1, 2, 3]).concat()).repeat(3),
};
const IEC104: Spoken = Spoken {
    new: || AnyDissector::Iec104(Iec104Dissector::default()),
    port: 2_404,
    direction: Direction::ToServer,
    opening: || {
        [iec104::unnumbered(iec104::STARTDT_ACT), iec104::information(0, 0, &iec104::interrogation(6, 1, 20))].concat()
    },
};

const MODBUS_SERVER: Spoken = Spoken {
    direction: Direction::ToClient,
    opening: || modbus::tcp(1, 1, &modbus::registers(3, &[1, 2])).repeat(3),
    ..MODBUS
};
const OUTSTATION: Spoken =
    Spoken { direction: Direction::ToClient, opening: || response(&dnp3::range8(30, 1, 0, 0, &[1; 5])), ..DNP3 };
const CONTROLLED: Spoken = Spoken {
    direction: Direction::ToClient,
    opening: || {
        let point = [(1, iec104::single_point(true, 0))];
        [iec104::unnumbered(iec104::STARTDT_CON), information(0, &iec104::asdu(Header::new(1, 3, 1), &point))].concat()
    },
    ..IEC104
};

/// What is repeated, by its number, until the stream is long enough.
type Part = Box<dyn Fn(u32) -> Vec<u8>>;

fn same(octets: &[u8]) -> Part {
    let octets = octets.to_vec();
    Box::new(move |_| octets.clone())
}

/// Link frames of a request to a station.
fn request(station: u16, function: u8, objects: &[u8]) -> Vec<u8> {
    let fragment = dnp3::request(dnp3::FIR | dnp3::FIN, function, &[objects.to_vec()]);
    dnp3::frames(dnp3::Link::to_outstation(station, 1), 0, dnp3::SEGMENT, &fragment).concat()
}

fn response(objects: &[u8]) -> Vec<u8> {
    let control = dnp3::FIR | dnp3::FIN;
    let fragment = dnp3::response(control, dnp3::function::RESPONSE, dnp3::NO_INDICATION, &[objects.to_vec()]);
    dnp3::frames(dnp3::Link::to_master(1, 1), 0, dnp3::SEGMENT, &fragment).concat()
}

fn link_frame(station: u32, segment: &[u8]) -> Vec<u8> {
    dnp3::frame(dnp3::Link::to_outstation(station as u16, 1), segment)
}

fn information(number: u32, asdu: &[u8]) -> Vec<u8> {
    iec104::information((number % 0x8000) as u16, 0, asdu)
}

/// Hostile streams of all protocols.
fn streams() -> Vec<(Spoken, &'static str, Part)> {
    let records: Vec<(u16, u16, u16)> = (0..35).map(|record| (1, record, 1)).collect();
    let texts: Vec<(u8, &str)> = (0..100).map(|id| (id, "")).collect();
    let identification = modbus::device_identification(3, 0x83, &texts);
    let spoilt = |block| {
        let mut frame = link_frame(1, &[0xc0; 200]);
        dnp3::spoil_crc(&mut frame, block);
        frame
    };
    let header = |kind, cause, station| Header::new(kind, cause, station);
    let (single, block) = (iec104::single_point(true, 0), dnp3::ControlRelayOutputBlock::new(3).octets());
    let blocks: Vec<(u32, Vec<u8>)> = (0..60).map(|at| (at, block.clone())).collect();
    let select = dnp3::indexed(12, 1, 4, 1, &blocks);
    vec![
        (MODBUS, "requests, numbered", Box::new(|n| modbus::tcp(n as u16, n as u8, &modbus::read(3, n as u16, 1)))),
        (MODBUS, "unknown functions", Box::new(|n| modbus::tcp(n as u16, n as u8, &[100 + (n % 28) as u8]))),
        (MODBUS, "35 file records a request", same(&modbus::tcp(1, 1, &modbus::read_file_record(&records)))),
        (MODBUS_SERVER, "100 objects an identification", same(&modbus::tcp(1, 1, &identification))),
        (MODBUS_SERVER, "2,000 bits a response", same(&modbus::tcp(1, 1, &modbus::bits(1, &[true; 2_000])))),
        (MODBUS, "garbage 0xff", same(&[0xff])),
        (MODBUS, "garbage 0x00", same(&[0])),
        (MODBUS, "headers of another protocol", same(&modbus::tcp_claiming(1, 1, 6, 1, &modbus::read(3, 1, 2)))),
        (MODBUS, "headers that claim 254", same(&modbus::tcp_claiming(1, 0, 254, 1, &[3]))),
        (MODBUS, "headers, one octet short", same(&modbus::tcp(1, 1, &modbus::read(3, 1, 2))[..11])),
        (RTU, "requests", Box::new(|n| modbus::rtu(n as u8, &modbus::read(3, n as u16, 1)))),
        (RTU, "garbage 0xff", same(&[0xff])),
        (RTU, "garbage 0x00", same(&[0])),
        (RTU, "wrong CRCs", same(&[1, 3, 0, 1, 0, 2, 9, 9])),
        (RTU, "lengths up to the most", same(&[1, 16, 0, 0, 0, 123, 246])),
        (DNP3, "link frames of nothing", Box::new(|n| link_frame(n, &[]))),
        (DNP3, "start octets", same(&[5, 0x64])),
        (DNP3, "garbage 0x05", same(&[5])),
        (DNP3, "garbage 0xff", same(&[0xff])),
        (DNP3, "headers that claim 255", same(&dnp3::frame_claiming(255, dnp3::Link::to_outstation(1, 1), &[]))),
        (DNP3, "wrong header CRC", same(&spoilt(0))),
        (DNP3, "wrong last CRC", same(&spoilt(13))),
        (DNP3, "first segments only", Box::new(|n| link_frame(n, &dnp3::segment(false, true, 0, &[0xc0; 20])))),
        (
            DNP3,
            "9 fragments, octet by octet",
            Box::new(|n| link_frame(n % 9, &dnp3::segment(false, n < 9, (n / 9 % 64) as u8, &[0xc0]))),
        ),
        (
            DNP3,
            "fragment without end",
            Box::new(|n| link_frame(1, &dnp3::segment(false, n == 0, (n % 64) as u8, &[0x3c; 249]))),
        ),
        (DNP3, "680 headers a fragment", same(&request(1, 1, &dnp3::all(60, 2).repeat(680)))),
        (DNP3, "counts of none", same(&request(1, 1, &dnp3::count(30, 1, 1, 0, &[]).repeat(500)))),
        (DNP3, "free formats of none", same(&request(1, 1, &dnp3::free_format(70, 5, &[Vec::new()]).repeat(300)))),
        (DNP3, "16,000 bits a fragment", same(&request(1, 2, &dnp3::range16(1, 1, 0, 15_999, &[0x5a; 2_000])))),
        (OUTSTATION, "16,000 bits a response", same(&response(&dnp3::range16(1, 1, 0, 15_999, &[0x5a; 2_000])))),
        (OUTSTATION, "300 runs of a point", same(&response(&dnp3::range8(1, 2, 7, 7, &[1]).repeat(300)))),
        (DNP3, "a range of 2^32 points", same(&request(1, 1, &dnp3::range32(30, 1, 0, u32::MAX, &[])))),
        (DNP3, "60 commands a fragment", Box::new(move |n| request(n as u16, 3, &select))),
        (IEC104, "start octets", same(&[0x68])),
        (IEC104, "garbage 0xff", same(&[0xff])),
        (IEC104, "start and length", same(&[0x68, 4])),
        (IEC104, "S format", Box::new(|n| iec104::supervisory((n % 0x8000) as u16))),
        (IEC104, "U format", same(&iec104::unnumbered(iec104::TESTFR_ACT))),
        (IEC104, "lengths of less than 4", same(&iec104::apdu_claiming(3, [0; 4], &[]))),
        (IEC104, "no octet of an ASDU", Box::new(|n| information(n, &[]))),
        (
            CONTROLLED,
            "127 points an APDU",
            Box::new(move |n| {
                let elements = vec![single.clone(); 127];
                information(n, &iec104::asdu_sequence(header(1, 3, 1), n, &elements))
            }),
        ),
        (
            CONTROLLED,
            "640 bits an APDU",
            Box::new(move |n| {
                let status = vec![iec104::status_and_change(0xffff, 0, 0); 40];
                information(n, &iec104::asdu_sequence(header(20, 3, 1), n * 640, &status))
            }),
        ),
        (
            CONTROLLED,
            "127 objects claimed, none there",
            Box::new(move |n| information(n, &iec104::asdu_claiming(header(1, 3, 1), 0x7f, &[]))),
        ),
        (
            CONTROLLED,
            "field sizes in doubt",
            Box::new(move |n| {
                let mut asdu = iec104::asdu_claiming(header(1, 3, 1), 1 + (n % 60) as u8, &[]);
                asdu.resize(240, (n % 5) as u8);
                information(n, &asdu)
            }),
        ),
        (
            IEC104,
            "a command to each station",
            Box::new(move |n| {
                let object = [(1 + n, iec104::command(1, 0, true))];
                information(n, &iec104::asdu(header(45, 6, n as u16 | 1), &object))
            }),
        ),
        (IEC104, "numbers that jump", Box::new(|n| information(n.wrapping_mul(7_919), &iec104::read(1, 1 + n)))),
    ]
}

/// A stream of so many octets.
fn stream(spoken: Spoken, part: &Part, octets: usize) -> Vec<u8> {
    let mut stream = (spoken.opening)();
    for number in 0.. {
        if stream.len() >= octets {
            break;
        }
        stream.extend(part(number));
    }
    stream.truncate(octets);
    stream
}

/// A stream in segments, the opening in one of its own.
fn segments(spoken: Spoken, stream: &[u8], size: usize) -> Vec<Vec<u8>> {
    let ports = match spoken.direction {
        Direction::ToServer => (40_000, spoken.port),
        Direction::ToClient => (spoken.port, 40_000),
    };
    let (opening, rest) = stream.split_at((spoken.opening)().len().min(stream.len()));
    let mut sequence_number = 1;
    std::iter::once(opening)
        .chain(rest.chunks(size))
        .map(|payload| {
            let frame = segment(16, ports, tcp::PSH | tcp::ACK, sequence_number, payload);
            sequence_number += payload.len() as u32;
            frame
        })
        .collect()
}

// Frames

fn mac(number: u32) -> ethernet::Mac {
    let [a, b, c, d] = number.to_be_bytes();
    [2, 0x77, a, b, c, d]
}

fn v4(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a20_0000 + number)
}

fn ethernet_of(kind: u16, packet: &[u8]) -> Vec<u8> {
    ethernet::padded(ethernet::frame(SERVER_MAC, mac(1), kind, packet))
}

/// A TCP segment to the server.
fn segment(client: u32, ports: (u16, u16), flags: u8, sequence_number: u32, payload: &[u8]) -> Vec<u8> {
    segment_with(client, ports, flags, sequence_number, &[], payload)
}

fn segment_with(
    client: u32,
    ports: (u16, u16),
    flags: u8,
    sequence_number: u32,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let (source_port, destination_port) = ports;
    let header =
        tcp::Header { source_port, destination_port, sequence_number, acknowledgement_number: 1, flags, window: 100 };
    let source = v4(client);
    let segment = tcp::segment(source.into(), SERVER.into(), header, options, payload);
    let packet = ip::v4(ip::Header::new(source, SERVER, ip::TCP, sequence_number as u16), &segment);
    ethernet::padded(ethernet::frame(SERVER_MAC, mac(client), ethernet::IPV4, &packet))
}

fn datagram(client: u32, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let source = v4(client);
    let datagram = udp::datagram((IpAddr::from(source), ports.0), (IpAddr::from(SERVER), ports.1), payload);
    let packet = ip::v4(ip::Header::new(source, SERVER, ip::UDP, 1), &datagram);
    ethernet::padded(ethernet::frame(SERVER_MAC, mac(client), ethernet::IPV4, &packet))
}

fn fragment(client: u32, identification: u16, fragment_offset: u16, octets: usize) -> Vec<u8> {
    let header = ip::Header {
        more_fragments: true,
        fragment_offset,
        ..ip::Header::new(v4(client), SERVER, ip::UDP, identification)
    };
    ethernet_of(ethernet::IPV4, &ip::v4(header, &vec![0; octets]))
}

/// IPv6 with a chain of so many extension headers of a kind, each of so many octets of padding options of one octet.
fn v6_chain(kind: u8, headers: usize, padding: usize) -> Vec<u8> {
    let (source, destination) =
        (Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2));
    let mut payload = udp::datagram((source.into(), 1_000), (destination.into(), 2_000), &[1, 2, 3, 4]);
    let mut next = ip::UDP;
    for _ in 0..headers {
        let octets = (2 + padding).div_ceil(8) * 8;
        let mut header = vec![next, u8::try_from(octets / 8 - 1).expect("at most 2048 octets")];
        header.resize(octets, 0);
        payload = [header, payload].concat();
        next = kind;
    }
    ethernet_of(ethernet::IPV6, &ip::v6(source, destination, next, 64, &payload))
}

/// Hostile frames, by their number; so many of them come before the clock starts.
type Flood = (&'static str, &'static str, u32, Part);

/// More flows than are kept of one pair of addresses, and more datagrams than are put together at a time. Beyond, each
/// new one ends another, which is dearer than to open one: a step, and no slope.
const FULL: u32 = 4_200;

fn floods() -> Vec<Flood> {
    const DATA: u8 = tcp::PSH | tcp::ACK;
    let read = || modbus::tcp(1, 1, &modbus::read(3, 1, 2));
    let opened = move |n: u32, payload: &[u8]| if n == 0 { read().repeat(3) } else { payload.to_vec() };
    let inner = segment(1, (40_000, 502), DATA, 1, &read());
    let nested = (0..6).fold(inner.clone(), |frame, n| datagram(n, (5_000, 4_789), &tunnel::vxlan(n, &frame)));
    let tags: Vec<(u16, u16)> = (0..300).map(|vlan| (0x8100, vlan)).collect();
    let tagged = ethernet::tagged(&inner, &tags);
    let labels = tunnel::mpls(&(0..300).collect::<Vec<u32>>(), &[0x45; 40]);
    let empty_options: Vec<(u8, &[u8])> = (0..500).map(|code| ((code % 200) as u8 + 1, &[][..])).collect();
    let dhcp = dhcp::message(dhcp::REQUEST, 1, mac(1), v4(1), &empty_options);
    let station = lldp::Station { chassis: mac(1), port: "p", name: "n", description: "d", management: v4(1) };
    let mut elements = lldp::data_unit(station);
    elements.truncate(elements.len() - 2);
    // Organisation's own of no octets.
    elements.extend([0xfe, 0].repeat(650));
    let lldp = ethernet::frame(lldp::NEAREST_BRIDGE, mac(1), ethernet::LLDP, &elements);
    let mut pointers = nbns::query(1, "NAME", 0);
    pointers.truncate(12);
    pointers.extend([0xc0, 12].repeat(600));
    vec![
        (
            "TCP",
            "SYNs, 40 octets of options",
            FULL,
            Box::new(|n| segment_with(n / 60_000, ((1_024 + n % 60_000) as u16, 502), tcp::SYN, n, &[1; 40], &[])),
        ),
        ("TCP", "SYNs of new addresses", 0, Box::new(|n| segment_with(n, (40_000, 502), tcp::SYN, n, &[1; 40], &[]))),
        (
            "TCP",
            "an unknown protocol of new addresses",
            0,
            Box::new(|n| segment(n, (40_000, 5_000), DATA, 1, &[n as u8; 100])),
        ),
        (
            "TCP",
            "an octet a segment",
            0,
            Box::new(move |n| {
                let octets = read();
                segment(16, (40_000, 502), DATA, 1 + n, &[octets[n as usize % octets.len()]])
            }),
        ),
        (
            "TCP",
            "backwards",
            0,
            Box::new(move |n| {
                let sequence = if n == 0 { 1 } else { 1_000_000 - n * 12 };
                segment(16, (40_000, 502), DATA, sequence, &opened(n, &read()))
            }),
        ),
        ("TCP", "holes", 0, Box::new(move |n| segment(16, (40_000, 502), DATA, 1 + n * 72, &opened(n, &read())))),
        (
            "TCP",
            "holes of an octet, octets",
            0,
            Box::new(move |n| segment(16, (40_000, 502), DATA, if n == 0 { 1 } else { 99 + n * 2 }, &opened(n, &[7]))),
        ),
        ("TCP", "the same again", 0, Box::new(move |n| segment(16, (40_000, 502), DATA, 1, &opened(n, &read())))),
        (
            "TCP",
            "overlaps that contradict",
            0,
            Box::new(move |n| {
                let sequence = if n == 0 { 1 } else { 100 + n % 50 * 7 };
                segment(16, (40_000, 502), DATA, sequence, &opened(n, &[n as u8; 100]))
            }),
        ),
        (
            "TCP",
            "overlaps, 100 octets on 50",
            0,
            Box::new(move |n| {
                segment(16, (40_000, 502), DATA, if n == 0 { 1 } else { 50 + n * 50 }, &opened(n, &[n as u8; 100]))
            }),
        ),
        (
            "TCP",
            "an unknown protocol a flow",
            FULL,
            Box::new(|n| segment(n / 60_000, ((1_024 + n % 60_000) as u16, 5_000), DATA, 1, &[n as u8; 100])),
        ),
        (
            "TCP",
            "a talk a flow",
            FULL,
            Box::new(move |n| segment(n / 60_000, ((1_024 + n % 60_000) as u16, 502), DATA, 1, &read())),
        ),
        (
            "TCP",
            "closed and opened",
            0,
            Box::new(|n| {
                let flags = [tcp::SYN, tcp::RST, tcp::SYN, tcp::FIN | tcp::ACK][n as usize % 4];
                segment(16, (40_000, 502), flags, n * 100, &[])
            }),
        ),
        ("IPv4", "fragments of one datagram, 8 octets", 0, Box::new(|n| fragment(1, 1, (n % 8_000 * 8) as u16, 8))),
        (
            "IPv4",
            "fragments, every second",
            0,
            Box::new(|n| fragment(1, (n / 4_000) as u16, (n % 4_000 * 16) as u16, 8)),
        ),
        ("IPv4", "fragments, backwards", 0, Box::new(|n| fragment(1, 1, (8_000 - n % 8_000) as u16 * 8, 8))),
        ("IPv4", "fragments that overlap", 0, Box::new(|n| fragment(1, (n / 500) as u16, (n % 500 * 8) as u16, 64))),
        ("IPv4", "a first fragment a datagram", FULL, Box::new(|n| fragment(n >> 16, n as u16, 0, 8))),
        ("IPv6", "150 headers of 8 octets", 0, same(&v6_chain(60, 150, 6))),
        ("IPv6", "1,300 options of an octet", 0, same(&v6_chain(60, 1, 1_300))),
        ("IPv6", "150 routing headers", 0, same(&v6_chain(43, 150, 6))),
        ("link", "300 VLAN tags", 0, same(&tagged)),
        ("link", "300 MPLS labels", 0, same(&ethernet_of(0x8847, &labels))),
        ("link", "6 VXLAN tunnels", 0, same(&nested)),
        (
            "ARP",
            "a new address a frame",
            0,
            Box::new(|n| {
                let packet = arp::packet(1, (mac(n), v4(n)), ([0; 6], SERVER));
                ethernet::padded(ethernet::frame([0xff; 6], mac(n), ethernet::ARP, &packet))
            }),
        ),
        (
            "ARP",
            "an address of all",
            0,
            Box::new(|n| {
                let packet = arp::packet(2, (mac(n), v4(1)), (SERVER_MAC, SERVER));
                ethernet::padded(ethernet::frame(SERVER_MAC, mac(n), ethernet::ARP, &packet))
            }),
        ),
        ("DHCP", "500 options", 0, Box::new(move |n| datagram(n % 200, (68, 67), &dhcp))),
        ("LLDP", "650 empty elements", 0, same(&lldp)),
        ("NBNS", "pointers", 0, Box::new(move |n| datagram(n % 200, (137, 137), &pointers))),
        ("UDP", "DNP3 start octets", 0, same(&datagram(1, (20_000, 20_000), &[5, 0x64].repeat(600)))),
        ("UDP", "a new pair of addresses a datagram", 0, Box::new(|n| datagram(n, (20_001, 20_000), &[5, 0x64]))),
        (
            "UDP",
            "a new flow a datagram",
            FULL,
            Box::new(|n| datagram(n / 60_000, ((1_024 + n % 60_000) as u16, 20_000), &[5, 0x64])),
        ),
    ]
}

/// Frames of so many octets in all, after those that come before.
fn frames(before: u32, part: &Part, octets: usize) -> Vec<Vec<u8>> {
    let mut left = octets;
    let mut frames: Vec<Vec<u8>> = (0..before).map(part).collect();
    for number in before.. {
        let frame = part(number);
        let Some(less) = left.checked_sub(frame.len()) else { break };
        left = less;
        frames.push(frame);
    }
    frames
}

// The clock

/// The least time of each piece of the work: in all, and of the dearest piece.
struct Times {
    all: Duration,
    piece: Duration,
}

/// Times of work that takes its laps, each lap in its quickest round.
fn quickest(rounds: usize, mut round: impl FnMut() -> Vec<Duration>) -> Times {
    let mut least = round();
    for _ in 1..rounds {
        let laps = round();
        assert_eq!(laps.len(), least.len(), "every round does the same");
        least.iter_mut().zip(laps).for_each(|(least, lap)| *least = lap.min(*least));
    }
    Times { all: least.iter().sum(), piece: least.into_iter().max().unwrap_or_default() }
}

/// The dissector alone, with all octets in one slice. Where it waits for more it reads no further: such a row is flat.
fn dissected(spoken: Spoken, octets: &[u8], rounds: usize) -> Times {
    quickest(rounds, || {
        let mut dissector = (spoken.new)();
        let mut curious = Curious::starts();
        black_box(dissector.feed(spoken.direction, 0, black_box(octets), &mut curious));
        curious.lap();
        curious.laps
    })
}

/// The whole core, some frames at a time, 100 microseconds apart. The time of the first frames does not count.
fn analyzed(before: u32, frames: &[Vec<u8>], rounds: usize) -> Times {
    let octets: usize = frames.iter().map(Vec::len).sum();
    let numbered = (0..).zip(frames).map(|(number, octets): (u64, _)| (number * 100_000, octets.as_slice()));
    let size = (PIECE_OCTETS * frames.len() / octets.max(1)).max(1);
    let batches: Vec<FrameBatch> = benches::batches_of_size(size, numbered);
    let (first, batches) = batches.split_at(before as usize / size);
    quickest(rounds, || {
        let mut analyzer = Analyzer::new(Setup::default());
        benches::push(&mut analyzer, first);
        let mut laps = Vec::with_capacity(batches.len());
        for batch in batches {
            let start = Instant::now();
            benches::push(&mut analyzer, std::slice::from_ref(batch));
            laps.push(start.elapsed());
        }
        laps
    })
}

/// Prints a row of the table; answers the dearest doubling.
fn row(protocol: &str, what: &str, how: &str, times: &[Times], sizes: &[usize]) -> f64 {
    let seconds = |times: &Times| times.all.as_secs_f64().max(1e-9);
    let ratios: Vec<f64> = times.windows(2).map(|pair| seconds(&pair[1]) / seconds(&pair[0])).collect();
    let worst = ratios.iter().copied().fold(0.0, f64::max);
    let first = sizes.first().zip(times.first()).map_or(0.0, |(size, times)| seconds(times) * 1e9 / *size as f64);
    let columns: String = ratios.iter().map(|ratio| format!(" {ratio:.2} |")).collect();
    let piece = times.iter().map(|times| times.piece).max().unwrap_or_default();
    let mark = if worst > AIM { " over" } else { "" };
    let piece = if how == "dissector" { String::new() } else { format!("{:.0}", piece.as_secs_f64() * 1e6) };
    let doublings = ratios.len().max(1) as f64;
    let mean = times.last().zip(times.first()).map_or(0.0, |(last, first)| seconds(last) / seconds(first));
    let mean = mean.powf(1.0 / doublings);
    println!("| {protocol} | {what} | {how} | {first:.1} |{columns} {mean:.2} | {piece} |{mark}");
    worst
}

fn main() {
    // Tests of all targets run benches too: there a small size shows that everything here can be read.
    let in_earnest = std::env::args().any(|argument| argument == "--bench");
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: String| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let (sizes, rounds) = if in_earnest { (&SIZES[..], ROUNDS) } else { (&[4 << 10][..], 1) };
    let titles: String = sizes.windows(2).map(|pair| format!(" to {} KiB |", pair[1] >> 10)).collect();
    println!(
        "| of | input | read by | ns an octet at first |{titles} mean | us for the dearest {PIECE_OCTETS} octets |"
    );
    println!("| --- | --- | --- | --: |{} --: | --: |", " --: |".repeat(sizes.len().saturating_sub(1)));
    let mut all: Vec<(f64, String)> = Vec::new();
    for (spoken, what, part) in streams() {
        let protocol = (spoken.new)().id().name();
        let dialect = (spoken.new)().dialect();
        let protocol = if dialect.is_empty() { protocol.to_owned() } else { format!("{protocol} {dialect}") };
        if !is_wanted(format!("{protocol} {what}")) {
            continue;
        }
        let octets: Vec<Vec<u8>> = sizes.iter().map(|size| stream(spoken, &part, *size)).collect();
        let times: Vec<Times> = octets.iter().map(|octets| dissected(spoken, octets, rounds)).collect();
        all.push((row(&protocol, what, "dissector", &times, sizes), format!("{protocol}: {what}")));
        let whole = |octets: &Vec<u8>| analyzed(0, &segments(spoken, octets, SEGMENT), rounds);
        let times: Vec<Times> = octets.iter().map(whole).collect();
        all.push((row(&protocol, what, "core", &times, sizes), format!("{protocol}: {what}")));
        let cut = |octets: &Vec<u8>| analyzed(0, &segments(spoken, &octets[..octets.len() / SMALLER], 7), rounds);
        let times: Vec<Times> = octets.iter().map(cut).collect();
        let smaller: Vec<usize> = sizes.iter().map(|size| size / SMALLER).collect();
        all.push((row(&protocol, what, "core, 7 octets a segment", &times, &smaller), format!("{protocol}: {what}")));
    }
    for (protocol, what, before, part) in floods() {
        if !is_wanted(format!("{protocol} {what}")) {
            continue;
        }
        let times: Vec<Times> =
            sizes.iter().map(|size| analyzed(before, &frames(before, &part, *size), rounds)).collect();
        all.push((row(protocol, what, "core", &times, sizes), format!("{protocol}: {what}")));
    }
    if in_earnest {
        let over = all.iter().filter(|(ratio, _)| *ratio > AIM).count();
        let (worst, name) = all.into_iter().max_by(|one, other| one.0.total_cmp(&other.0)).unwrap_or_default();
        println!("\nThe dearest doubling: {worst:.2} ({name}); {over} rows over {AIM}.");
    }
}
