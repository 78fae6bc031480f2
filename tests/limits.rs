//! The promise: whatever is sent, memory stays within what is stated, what is given up is said, and what matters is
//! still told.
#![allow(unsafe_code, reason = "the counting allocator hands on to the system's")]

use fixtures::story::{Conversation, Dice, Host, Story};
use fixtures::wire::{arp, dhcp, dnp3, ethernet, iec104, ip, modbus, nbns, tcp, tunnel, udp};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tests::{head, learn, policy};
use yagura_core::analyzer::{Analyzer, Report, Setup};
use yagura_core::frame::FrameBatch;
use yagura_core::limits::Limits;
use yagura_parsers::dissect::{Direction, Listener};
use yagura_parsers::error::ParseError;
use yagura_parsers::message::Describe;
use yagura_parsers::protocols::AnyDissector;
use yagura_parsers::protocols::dnp3::Dnp3Dissector;
use yagura_parsers::protocols::iec104::Iec104Dissector;
use yagura_rules::policy::Policy;

// What is measured

/// The system's allocator, with a count of what each thread holds.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

fn count(more: isize) {
    // While a thread ends, its counters may be gone: then nobody asks for them any more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + more);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
    if more > 0 {
        let _ = TAKEN.try_with(|taken| taken.set(taken.get() + more.unsigned_abs()));
    }
}

fn size(layout: Layout) -> isize {
    isize::try_from(layout.size()).unwrap_or(isize::MAX)
}

// SAFETY: every call is handed on to the system's allocator, with the caller's own promises.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-size(layout));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(isize::try_from(new_size).unwrap_or(isize::MAX) - size(layout));
        // SAFETY: as the caller promises.
        unsafe { System.realloc(place, layout, new_size) }
    }
}

const MIB: isize = 1 << 20;

/// What this thread holds now.
fn held() -> isize {
    HELD.get()
}

/// An analyzer under a flood: frames go in, alerts are counted and dropped, as a program that writes them does.
struct Flood {
    analyzer: Analyzer,
    batch: FrameBatch,
    number: u64,
    now_ns: u64,
    octets: usize,
    alerts: BTreeMap<&'static str, u64>,
    /// Alerts of a planted write.
    planted: u64,
    limits_told: Vec<String>,
    before: isize,
    taken_before: usize,
}

/// What became of it.
struct After {
    report: Report,
    alerts: BTreeMap<&'static str, u64>,
    planted: u64,
    limits_told: Vec<String>,
    peak: isize,
    taken: usize,
}

impl Flood {
    fn new(setup: Setup) -> Self {
        let before = held();
        let taken_before = TAKEN.get();
        PEAK.set(before);
        Self {
            analyzer: Analyzer::new(setup),
            batch: FrameBatch::default(),
            number: 0,
            now_ns: 1_767_607_200_000_000_000,
            octets: 0,
            alerts: BTreeMap::new(),
            planted: 0,
            limits_told: Vec::new(),
            before,
            taken_before,
        }
    }

    fn push(&mut self, octets: &[u8]) {
        self.number += 1;
        self.now_ns += 10_000;
        self.octets += octets.len();
        self.batch.push(head(self.number, self.now_ns, 1, octets), octets);
        if self.batch.frames.len() >= 256 {
            self.work();
        }
    }

    fn work(&mut self) {
        let mut alerts = Vec::new();
        self.analyzer.push_batch(&self.batch, &mut alerts);
        self.batch.clear();
        self.hear(alerts);
    }

    fn hear(&mut self, alerts: Vec<yagura_rules::alert::Alert>) {
        for alert in alerts {
            *self.alerts.entry(alert.card.name).or_default() += 1;
            if alert.card.name == "write_unusual" && alert.finding.subject.contains(&PLC.address.to_string()) {
                self.planted += 1;
            }
            if alert.card.name == "capture_limit" {
                self.limits_told.push(alert.finding.subject.clone());
            }
        }
    }

    /// What is held now, more than before.
    fn held(&mut self) -> isize {
        self.work();
        held() - self.before
    }

    fn ends(mut self) -> After {
        self.work();
        let mut alerts = Vec::new();
        self.analyzer.finish(&mut alerts);
        self.hear(alerts);
        let peak = PEAK.get() - self.before;
        let taken = TAKEN.get() - self.taken_before;
        let Self { analyzer, alerts, planted, limits_told, .. } = self;
        After { report: analyzer.into_report(), alerts, planted, limits_told, peak, taken }
    }
}

impl After {
    /// Holds what came of a flood against what is stated.
    fn assert(&self, what: &str, mib_max: isize, limits: &[&str]) {
        let (peak, counters) = (self.peak, &self.report.counters);
        println!("{what}: {:.1} MiB, {:?}, {:?}", peak as f64 / MIB as f64, counters.limits, self.alerts);
        assert!(peak <= mib_max * MIB, "{what}: {peak} octets were held, {mib_max} MiB are stated");
        for limit in limits {
            let counted = counters.limits.get(limit).copied().unwrap_or(0);
            assert!(counted > 0, "{what}: {limit} is not counted: {:?}", counters.limits);
            assert!(
                self.limits_told.iter().any(|told| told == limit),
                "{what}: {limit} is not told: {:?}",
                self.alerts
            );
        }
        assert_eq!(counters.internal, 0, "{what}");
    }
}

// The plant that goes on

const HMI: Host = Host::new("HMI-1", [0x00, 0x14, 0x22, 0x0a, 0x11, 0x05], [10, 20, 0, 5]);
const PLC: Host = Host::new("PLC-1", [0x00, 0x80, 0xf4, 0x1a, 0x01, 0x09], [10, 20, 1, 9]);

struct Plant {
    story: Story,
    conversation: Conversation,
    told: usize,
}

impl Plant {
    fn starts() -> Self {
        let mut story = Story::new();
        story.arp_exchange(HMI, PLC);
        let conversation = story.tcp(HMI, PLC.port(502));
        let mut plant = Self { story, conversation, told: 0 };
        plant.polls(5);
        plant
    }

    fn polls(&mut self, times: usize) {
        for _ in 0..times {
            self.story.modbus(self.conversation, 1, &modbus::read(3, 40, 4), &modbus::registers(3, &[1, 2, 3, 4]));
        }
    }

    /// A write that nobody does usually, over the conversation that has been there from the start.
    fn writes(&mut self) {
        let write = modbus::write_single_register(90, 666);
        self.story.modbus(self.conversation, 1, &write, &write);
    }

    /// The frames since the last time.
    fn news(&mut self) -> Vec<Vec<u8>> {
        let capture = self.story.clone().end();
        let news = capture.frames[self.told..].iter().map(|frame| frame.octets.clone()).collect();
        self.told = capture.frames.len();
        news
    }

    fn policy(&self) -> Policy {
        policy(None, Some(&learn(&self.story.clone().end(), None)))
    }
}

/// A flood of so many frames between a plant's polls; a write is planted at its end.
fn flooded(limits: Limits, frames: u32, mut make: impl FnMut(u32) -> Vec<u8>) -> After {
    let mut plant = Plant::starts();
    let setup = Setup { policy: plant.policy(), limits, seed: 1, ..Setup::default() };
    let mut flood = Flood::new(setup);
    for frame in plant.news() {
        flood.push(&frame);
    }
    for number in 0..frames {
        flood.push(&make(number));
        if number % 5_000 == 0 {
            plant.polls(1);
            for frame in plant.news() {
                flood.push(&frame);
            }
        }
    }
    plant.writes();
    for frame in plant.news() {
        flood.push(&frame);
    }
    let after = flood.ends();
    assert!(after.planted > 0, "the planted write is not told: {:?}", after.alerts);
    after
}

fn mac(number: u32) -> ethernet::Mac {
    let [a, b, c, d] = number.to_be_bytes();
    [0x02, 0x77, a, b, c, d]
}

fn v4(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0b00_0000 + number)
}

/// A TCP segment in its frame, from a host of the flood.
fn segment(number: u32, ports: (u16, u16), flags: u8, sequence_number: u32, payload: &[u8]) -> Vec<u8> {
    let (source, destination) = (v4(number >> 4), PLC.v4());
    let header = tcp::Header {
        source_port: ports.0,
        destination_port: ports.1,
        sequence_number,
        acknowledgement_number: 1,
        flags,
        window: 100,
    };
    let segment = tcp::segment(source.into(), destination.into(), header, &[], payload);
    let packet = ip::v4(ip::Header::new(source, destination, ip::TCP, number as u16), &segment);
    ethernet::padded(ethernet::frame(PLC.mac, mac(number >> 4), ethernet::IPV4, &packet))
}

// Floods

#[test]
fn flood_of_addresses() {
    let after = flooded(Limits::default(), 300_000, |number| match number % 3 {
        0 => {
            let packet = arp::packet(arp::REPLY, (mac(number), v4(number)), (HMI.mac, HMI.v4()));
            ethernet::padded(ethernet::frame(HMI.mac, mac(number), ethernet::ARP, &packet))
        }
        1 => {
            let datagram = udp::datagram((v4(number).into(), 5_000), (HMI.address, 9), b"hello");
            let packet = ip::v4(ip::Header::new(v4(number), HMI.v4(), ip::UDP, number as u16), &datagram);
            ethernet::padded(ethernet::frame(HMI.mac, mac(number), ethernet::IPV4, &packet))
        }
        _ => {
            let source = Ipv6Addr::from_bits(0xfd00 << 112 | u128::from(number));
            let advertisement = [136, 0, 0, 0, 0x60, 0, 0, 0];
            let packet = ip::v6(source, Ipv6Addr::from_bits(0xfd00 << 112 | 1), 58, 255, &advertisement);
            ethernet::padded(ethernet::frame(HMI.mac, mac(number), ethernet::IPV6, &packet))
        }
    });
    after.assert("addresses", 144, &["assets_max", "flows_max"]);
    assert!(after.report.assets.len() <= Limits::default().assets_max);
}

#[test]
fn flood_of_connection_attempts() {
    let after = flooded(Limits::default(), 200_000, |number| {
        segment(number, (1_024 + (number % 60_000) as u16, 502), tcp::SYN, number, &[])
    });
    after.assert("connection attempts", 144, &["flows_max"]);
    // The conversation that is in use has not gone for those that are not.
    assert_eq!(after.report.counters.midstream_flows, 0);
}

#[test]
fn flood_of_first_fragments() {
    let after = flooded(Limits::default(), 100_000, |number| {
        let header = ip::Header { more_fragments: true, ..ip::Header::new(v4(number), PLC.v4(), ip::TCP, 7) };
        ethernet::padded(ethernet::frame(PLC.mac, mac(1), ethernet::IPV4, &ip::v4(header, &[0; 1_400])))
    });
    after.assert("first fragments", 24, &["fragments_octets_max"]);
}

#[test]
fn flood_of_fragments_of_one_datagram() {
    let after = flooded(Limits::default(), 100_000, |number| {
        // Every second piece of 8 octets: nothing ever joins.
        let fragment_offset = (number * 16 % 65_000) as u16 / 8 * 8;
        let header = ip::Header {
            more_fragments: true,
            fragment_offset,
            ..ip::Header::new(v4(number / 4_000), PLC.v4(), ip::TCP, 7)
        };
        ethernet::padded(ethernet::frame(PLC.mac, mac(1), ethernet::IPV4, &ip::v4(header, &[0; 8])))
    });
    after.assert("fragments of one datagram", 8, &["fragments_octets_max"]);
}

#[test]
fn flood_of_requests_that_nobody_answers() {
    let mut flood = Flood::new(Setup::default());
    let mut sequence = 1;
    let mut half = 0;
    for number in 0..100_000_u32 {
        let request = modbus::tcp(number as u16, (number % 200) as u8, &modbus::read(3, number as u16, 1));
        flood.push(&segment(16, (40_000, 502), tcp::PSH | tcp::ACK, sequence, &request));
        sequence += request.len() as u32;
        if number == 50_000 {
            half = flood.held();
        }
    }
    let grown = flood.held() - half;
    assert!(grown < MIB / 4, "{grown} octets for 50,000 requests more");
    let after = flood.ends();
    after.assert("requests that nobody answers", 2, &["outstanding_max"]);
    assert!(after.report.counters.one_sided_flows > 0);
}

#[test]
fn flood_of_polls_seen_from_one_side_for_a_month() {
    // A request each ten seconds, no response: told as nothing but one-sided, and held as nothing.
    let mut flood = Flood::new(Setup::default());
    let mut sequence = 1;
    let mut held_at = Vec::new();
    for number in 0..260_000_u32 {
        let request = modbus::tcp(number as u16, 1, &modbus::read(3, 40, 10));
        flood.now_ns += 10_000_000_000;
        flood.push(&segment(16, (40_000, 502), tcp::PSH | tcp::ACK, sequence, &request));
        sequence = sequence.wrapping_add(request.len() as u32);
        if number % 65_000 == 64_999 {
            held_at.push(flood.held());
        }
    }
    let slope = held_at.last().expect("four times") - held_at[0];
    assert!(slope.abs() < 4_096, "{held_at:?}");
    let after = flood.ends();
    after.assert("one-sided polls", 2, &[]);
    assert_eq!(after.report.counters.one_sided_flows, 1);
    assert!(after.alerts.is_empty(), "{:?}", after.alerts);
}

#[test]
fn flood_of_names() {
    let mut dice = Dice::new(5);
    let after = flooded(Limits::default(), 100_000, |number| {
        let mut name: String = (0..60).map(|_| char::from(b'a' + (dice.below(26) as u8))).collect();
        let (from, to) = ((IpAddr::V4(v4(number % 4)), 137), (IpAddr::V4(Ipv4Addr::BROADCAST), 137));
        let (source, payload) = if number % 2 == 0 {
            let options: [(u8, &[u8]); 1] = [(12, name.as_bytes())];
            let source = mac(number % 4);
            let message = dhcp::message(dhcp::DISCOVER, number, source, Ipv4Addr::UNSPECIFIED, &options);
            let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            (source, udp::datagram((nobody, 68), (to.0, 67), &message))
        } else {
            name.truncate(15);
            let registration = nbns::registration(number as u16, &name.to_uppercase(), 0, v4(number % 4));
            (mac(number % 4), udp::datagram(from, to, &registration))
        };
        let header = ip::Header::new(v4(number % 4), Ipv4Addr::BROADCAST, ip::UDP, number as u16);
        ethernet::padded(ethernet::frame(ethernet::BROADCAST, source, ethernet::IPV4, &ip::v4(header, &payload)))
    });
    after.assert("names", 2, &["asset_claims_max"]);
}

#[test]
fn flood_of_conversations_that_speak() {
    // As many flows as there may be, each with all that a flow may hold: a dissector, what was judged, what it said
    // last.
    let after = flooded(Limits::default(), 300_000, |number| {
        let conversation = number / 3;
        let ports = (1_024 + (conversation % 60_000) as u16, 502);
        let request = modbus::tcp(1, 1, &modbus::read(3, (number % 3) as u16, 125));
        segment(conversation, ports, tcp::PSH | tcp::ACK, 1 + (number % 3) * 12, &request)
    });
    after.assert("conversations that speak", 256, &["flows_max"]);
}

#[test]
fn flood_of_pdus_that_never_end() {
    let after = flooded(Limits::default(), 100_000, |number| {
        let ports = (1_024 + (number % 60_000) as u16, 502);
        let whole = modbus::tcp(1, 1, &modbus::read(3, 1, 2));
        let partial = modbus::tcp_claiming(2, 0, 1_024, 1, &[16; 900]);
        segment(number, ports, tcp::PSH | tcp::ACK, 1, &[whole, partial].concat())
    });
    after.assert("PDUs that never end", 256, &["flows_max"]);
}

#[test]
fn flood_of_segments_that_are_early() {
    let after = flooded(Limits::default(), 150_000, |number| {
        // A request, then segments that leave a hole before each of them.
        let (conversation, turn) = (number / 30, number % 30);
        let ports = (1_024 + (conversation % 60_000) as u16, 502);
        let request = modbus::tcp(1, 1, &modbus::read(3, 1, 2));
        let payload = if turn == 0 { request } else { vec![0; 1_400] };
        segment(conversation, ports, tcp::PSH | tcp::ACK, 1 + turn * 3_000, &payload)
    });
    after.assert("segments that are early", 128, &["streams_octets_max"]);
}

/// A DNP3 frame of a master, or of an outstation, with any segment.
fn dnp3_frame(from_master: bool, station: u16, segment: &[u8]) -> Vec<u8> {
    let link = if from_master { dnp3::Link::to_outstation(station, 1) } else { dnp3::Link::to_master(1, station) };
    dnp3::frame(link, segment)
}

/// A response of an outstation in as many frames as it needs.
fn dnp3_response(station: u16, objects: Vec<u8>) -> Vec<u8> {
    let control = dnp3::FIR | dnp3::FIN;
    let fragment = dnp3::response(control, dnp3::function::RESPONSE, dnp3::NO_INDICATION, &[objects]);
    dnp3::frames(dnp3::Link::to_master(1, station), 0, dnp3::SEGMENT, &fragment).concat()
}

fn dnp3_request(station: u16, function: u8, objects: Vec<u8>) -> Vec<u8> {
    let fragment = dnp3::request(dnp3::FIR | dnp3::FIN, function, &[objects]);
    dnp3::frames(dnp3::Link::to_outstation(station, 1), 0, dnp3::SEGMENT, &fragment).concat()
}

#[test]
fn flood_of_dnp3_fragments_that_never_end() {
    // Of many flows, eight pairs of stations each begin a fragment as long as one may be.
    let mut first = vec![0xc0, dnp3::function::WRITE];
    first.resize(dnp3::SEGMENT, 0);
    let after = flooded(Limits::default(), 60_000, |number| {
        let (conversation, turn) = (number / 10, number % 10);
        let ports = (1_024 + (conversation % 60_000) as u16, 20_000);
        let frames: Vec<u8> = (0..4)
            .flat_map(|n| {
                let sequence = (turn * 4 + n) as u8;
                let station = (sequence / 5 % 9).into();
                dnp3_frame(true, station, &dnp3::segment(false, sequence.is_multiple_of(5), sequence % 5, &first))
            })
            .collect();
        let sequence_number = 1 + turn * frames.len() as u32;
        segment(conversation << 4, ports, tcp::PSH | tcp::ACK, sequence_number, &frames)
    });
    after.assert("fragments that never end", 256, &[]);
}

#[test]
fn flood_of_dnp3_commands_that_nobody_answers() {
    let mut flood = Flood::new(Setup::default());
    let (mut sequence, mut half) = (1, 0);
    for number in 0..100_000_u32 {
        let block = dnp3::ControlRelayOutputBlock::new(3).at(number as u16);
        let request = dnp3_request((number % 5_000) as u16, dnp3::function::SELECT, block);
        flood.push(&segment(16, (40_000, 20_000), tcp::PSH | tcp::ACK, sequence, &request));
        sequence += request.len() as u32;
        if number == 50_000 {
            half = flood.held();
        }
    }
    let grown = flood.held() - half;
    assert!(grown < MIB, "{grown} octets for 50,000 commands more");
    flood.ends().assert("DNP3 commands that nobody answers", 16, &["outstanding_max"]);
}

#[test]
fn flood_of_commands_over_many_conversations() {
    let after = flooded(Limits::default(), 100_000, |number| {
        let (conversation, turn) = (number / 4, number % 4);
        let ports = (1_024 + (conversation % 60_000) as u16, 20_000);
        let blocks = |at: u32| dnp3::ControlRelayOutputBlock::new(3).at(at as u16);
        let requests: Vec<u8> = (0..4)
            .flat_map(|n| dnp3_request((turn * 4 + n) as u16, dnp3::function::DIRECT_OPERATE, blocks(n)))
            .collect();
        let sequence_number = 1 + turn * requests.len() as u32;
        segment(conversation << 4, ports, tcp::PSH | tcp::ACK, sequence_number, &requests)
    });
    after.assert("commands over many conversations", 320, &["commands_max"]);
}

#[test]
fn flood_of_iec_104_apdus_that_nobody_acknowledges() {
    let mut flood = Flood::new(Setup::default());
    let (mut sequence, mut half) = (1, 0);
    for number in 0..100_000_u32 {
        let header = iec104::Header::new(45, iec104::ACTIVATION, 1 + (number % 5_000) as u16);
        let asdu = iec104::asdu(header, &[(1 + number, iec104::command(1, 0, true))]);
        let apdu = iec104::information((number % 0x8000) as u16, 0, &asdu);
        flood.push(&segment(16, (40_000, 2_404), tcp::PSH | tcp::ACK, sequence, &apdu));
        sequence += apdu.len() as u32;
        if number == 50_000 {
            half = flood.held();
        }
    }
    let grown = flood.held() - half;
    assert!(grown < MIB, "{grown} octets for 50,000 commands more");
    let after = flood.ends();
    after.assert("IEC 104 APDUs that nobody acknowledges", 16, &["outstanding_max"]);
    assert!(after.report.counters.one_sided_flows > 0);
}

// Amplification

/// What is held for adversarial frames: at most so many octets for each octet of them.
fn amplification(what: &str, most: isize, frames: Vec<Vec<u8>>) {
    // What an analyzer holds before it has seen anything is no answer to what it sees.
    let mut flood = Flood::new(Setup::default());
    let empty = flood.held();
    for frame in &frames {
        flood.push(frame);
    }
    let held = flood.held() - empty;
    let octets = flood.octets as isize;
    println!("{what}: {:.2} octets held for each of {octets}", held as f64 / octets as f64);
    // Vectors keep room for twice what is in them, batches for what they carried last.
    assert!(held <= octets * most + MIB / 2, "{what}: {held} octets are held for {octets}");
}

#[test]
fn no_octet_makes_the_sensor_hold_many() {
    let data = tcp::PSH | tcp::ACK;
    let count = 40_000_u32;
    let request = modbus::tcp(1, 1, &modbus::read(3, 1, 2));
    let early = |turn: u32, conversation: u32, octets: &[u8]| {
        let ports = (1_024 + conversation as u16, 502);
        let payload = if turn == 0 { request.as_slice() } else { octets };
        segment(conversation, ports, data, 1 + turn * 300, payload)
    };
    amplification("early octets", 8, (0..count).map(|n| early(n % 60, n / 60, &[7])).collect());
    amplification("early segments", 8, (0..count).map(|n| early(n % 60, n / 60, &[7; 200])).collect());
    let fragment = |number: u32, octets: usize| {
        let fragment_offset = (number % 64 * 16) as u16;
        let header = ip::Header {
            more_fragments: true,
            fragment_offset,
            ..ip::Header::new(v4(number / 64), PLC.v4(), ip::TCP, 7)
        };
        ethernet::padded(ethernet::frame(PLC.mac, mac(1), ethernet::IPV4, &ip::v4(header, &vec![0; octets])))
    };
    amplification("fragments of 8 octets", 8, (0..count).map(|n| fragment(n, 8)).collect());
    amplification("first fragments of 8 octets", 8, (0..count).map(|n| fragment(n * 64, 8)).collect());
    // One segment with as many PDUs as go into it, each for another unit and address.
    let crowded = |number: u32| {
        let mut octets = Vec::new();
        for pdu in 0..180_u32 {
            let id = number * 180 + pdu;
            octets.extend(modbus::tcp(id as u16, id as u8, &[7]));
        }
        segment(number, (1_024 + number as u16, 502), data, 1, &octets)
    };
    // Ten, not eight: of each flow the units that it asked for are counted (a sweep is told by that), and 64 requests
    // wait.
    amplification("crowded segments", 10, (0..1_000).map(crowded).collect());
    let records = |number: u32| {
        let mut octets = Vec::new();
        for pdu in 0..10_u16 {
            let records: Vec<(u16, u16, u16)> = (0..35).map(|record| (1, record, 1)).collect();
            octets.extend(modbus::tcp(pdu, pdu as u8, &modbus::read_file_record(&records)));
        }
        segment(number, (1_024 + number as u16, 502), data, 1, &octets[..1_400])
    };
    amplification("file records", 8, (0..1_000).map(records).collect());
}

/// Frames with what a station says, a new address, unit or number each time.
fn telling(server_port: u16, count: u32, make: impl Fn(u32) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut next = 1;
    (0..count)
        .map(|number| {
            let octets = make(number);
            let sequence_number = next;
            next += octets.len() as u32;
            segment(16, (server_port, 40_000), tcp::PSH | tcp::ACK, sequence_number, &octets)
        })
        .collect()
}

#[test]
fn no_octet_of_dnp3_makes_the_sensor_hold_many() {
    let count = 4_000_u32;
    let eight_bits = |start: u16| dnp3::range16(1, 1, start, start + 8 * 1_000 - 1, &[0x5a; 1_000]);
    let told = |make: fn(u32) -> Vec<u8>| telling(20_000, count, make);
    amplification("packed bits", 8, telling(20_000, 500, |n| dnp3_response(n as u16, eight_bits(n as u16))));
    amplification(
        "packed bits of one outstation",
        8,
        telling(20_000, 500, |n| dnp3_response(1, eight_bits(n as u16 * 100))),
    );
    amplification("a bit of each outstation", 8, told(|n| dnp3_response(n as u16, dnp3::range8(1, 1, 3, 3, &[1]))));
    amplification(
        "events with flags and time, each of its index",
        8,
        told(|n| {
            let event = |at: u32| (at, dnp3::timed(&dnp3::binary(true, dnp3::ONLINE), 1_767_607_200_000));
            let events: Vec<_> = (n * 100..n * 100 + 100).map(event).collect();
            dnp3_response(1, dnp3::indexed(2, 2, 4, 1, &events))
        }),
    );
    amplification(
        "a header each object",
        8,
        told(|n| {
            dnp3_response(
                1,
                (0..100).flat_map(|at| dnp3::range16(1, 2, n as u16, n as u16 + at % 2, &[1, 1])).collect(),
            )
        }),
    );
    amplification("octet strings", 8, told(|n| dnp3_response(n as u16, dnp3::range8(110, 200, 0, 0, &[b'x'; 200]))));
    amplification(
        "fragments begun",
        8,
        told(|n| dnp3_frame(false, n as u16, &dnp3::segment(false, true, 0, &[0xc0; 20]))),
    );
    amplification(
        "fragments of eight pairs, octet by octet",
        8,
        told(|n| {
            let is_first = n < 8;
            dnp3_frame(false, (n % 8) as u16, &dnp3::segment(false, is_first, (n / 8 % 64) as u8, &[0xc0]))
        }),
    );
    let asked = |make: fn(u32) -> Vec<u8>| -> Vec<Vec<u8>> {
        let frames = telling(40_000, count, make);
        // To the port where outstations listen.
        frames
            .into_iter()
            .map(|mut frame| {
                frame[36..38].copy_from_slice(&20_000_u16.to_be_bytes());
                frame
            })
            .collect()
    };
    amplification(
        "control blocks",
        8,
        asked(|n| {
            let block = dnp3::ControlRelayOutputBlock::new(3).octets();
            let blocks: Vec<_> = (0..60).map(|at| (n * 60 + at, block.clone())).collect();
            dnp3_request(n as u16, dnp3::function::SELECT, dnp3::indexed(12, 1, 4, 1, &blocks))
        }),
    );
    amplification(
        "a read of each outstation",
        10,
        asked(|n| dnp3_request(n as u16, 1, dnp3::range8(30, 0, 0, 1, &[]))),
    );
    amplification(
        "300 headers of a read",
        8,
        asked(|n| {
            dnp3_request(n as u16, 1, (0..300).flat_map(|at| dnp3::range8(30, 0, at as u8, at as u8, &[])).collect())
        }),
    );
}

#[test]
fn no_octet_of_iec_104_makes_the_sensor_hold_many() {
    let count = 4_000_u32;
    let header = |kind, cause, station: u32| iec104::Header::new(kind, cause, 1 + station as u16);
    let numbered = |n: u32, asdu: Vec<u8>| iec104::information((n % 0x8000) as u16, 0, &asdu);
    let told = |make: &dyn Fn(u32) -> Vec<u8>| telling(2_404, count, |n| numbered(n, make(n)));
    let points = |n: u32, station| {
        iec104::asdu_sequence(header(1, iec104::SPONTANEOUS, station), 1 + n * 127, &vec![vec![1]; 127])
    };
    amplification("127 single points", 8, told(&|n| points(n, 0)));
    amplification("127 single points of each station", 8, told(&|n| points(0, n)));
    amplification(
        "packed status",
        8,
        told(&|n| {
            let status = vec![iec104::status_and_change(0xffff, 0, 0); 40];
            iec104::asdu_sequence(header(20, iec104::SPONTANEOUS, 0), 1 + n * 640, &status)
        }),
    );
    amplification(
        "values with time",
        8,
        told(&|n| {
            let value =
                |at| (1 + n * 15 + at, [iec104::short_float(1.0, 0), iec104::time56(1_767_607_200_000)].concat());
            iec104::asdu(header(36, iec104::SPONTANEOUS, 0), &(0..15).map(value).collect::<Vec<_>>())
        }),
    );
    amplification("a point of each station", 8, told(&|n| iec104::asdu(header(1, 3, n), &[(1, vec![0])])));
    let asked = |make: &dyn Fn(u32) -> Vec<u8>| -> Vec<Vec<u8>> {
        let mut next = 1;
        (0..count)
            .map(|number| {
                let octets = numbered(number, make(number));
                let sequence_number = next;
                next += octets.len() as u32;
                segment(16, (40_000, 2_404), tcp::PSH | tcp::ACK, sequence_number, &octets)
            })
            .collect()
    };
    amplification(
        "commands to one station",
        8,
        asked(&|n| iec104::asdu(header(45, 6, 0), &[(1 + n, iec104::command(1, 0, true))])),
    );
    amplification(
        "commands to one point",
        8,
        asked(&|_| iec104::asdu(header(45, 6, 0), &[(1, iec104::command(1, 0, true))])),
    );
    amplification("interrogations", 8, asked(&|n| iec104::interrogation(6, 1 + n as u16, 20)));
    // Each is an alert of its own, and its subject is remembered.
    amplification(
        "commands to each station",
        12,
        asked(&|n| iec104::asdu(header(45, 6, n), &[(1 + n, iec104::command(1, 0, true))])),
    );
    amplification("reads", 8, asked(&|n| iec104::read(1, 1 + n)));
    // As many APDUs in a segment as go into it.
    let crowded = |number: u32| {
        let octets: Vec<u8> = (0..90)
            .flat_map(|n| {
                iec104::information(n as u16, 0, &iec104::read(1 + (number % 200) as u16, 1 + number * 90 + n))
            })
            .collect();
        segment(number, (1_024 + number as u16, 2_404), tcp::PSH | tcp::ACK, 1, &octets)
    };
    amplification("crowded segments of IEC 104", 10, (0..1_000).map(crowded).collect());
}

// What is told of a message

/// Counts what messages tell.
#[derive(Default)]
struct Visits {
    messages: usize,
    operations: usize,
    points: usize,
    fields: usize,
    others: usize,
}

impl Listener for Visits {
    fn message<M: Describe>(&mut self, message: &M, _: &[u8]) {
        self.messages += 1;
        message.operations(&mut |_| self.operations += 1);
        message.points(None, &mut |_| self.points += 1);
        message.fields(&mut |_, _| self.fields += 1);
        message.notices(&mut |_| self.others += 1);
        message.tally(&mut |_| self.others += 1);
        message.identity(&mut |_| self.others += 1);
    }

    fn malformed(&mut self, _: ParseError, _: &[u8]) {
        self.messages += 1;
    }

    fn skipped(&mut self, _: usize) {
        self.messages += 1;
    }
}

/// Messages of nothing, of numbers without end, and of what refers to itself.
fn hollow() -> Vec<(String, AnyDissector, Vec<u8>)> {
    let mut all: Vec<(String, AnyDissector, Vec<u8>)> = Vec::new();
    let mut dnp3_objects: Vec<(String, Vec<u8>)> = Vec::new();
    for (group, variation) in
        [(1, 1), (1, 2), (2, 2), (3, 1), (10, 1), (12, 1), (20, 1), (30, 1), (34, 1), (41, 3), (50, 1)]
            .into_iter()
            .chain([
                (60, 1),
                (60, 2),
                (70, 2),
                (70, 5),
                (80, 1),
                (85, 1),
                (87, 1),
                (0, 254),
                (110, 0),
                (110, 200),
                (111, 0),
            ])
            .chain([(112, 0), (113, 0), (120, 1), (120, 7), (121, 1), (200, 9), (255, 255)])
    {
        let what = |qualifier: &str| format!("g{group}v{variation} {qualifier}");
        for (name, count) in [("0", 0), ("1", 1), ("most", u32::MAX)] {
            dnp3_objects.push((what(&format!("count {name}")), dnp3::count(group, variation, 4, count, &[])));
            let indexed = dnp3::object(group, variation, 0x39, &count.to_le_bytes(), &[]);
            dnp3_objects.push((what(&format!("indexed {name}")), indexed));
            dnp3_objects.push((what(&format!("range to {name}")), dnp3::range32(group, variation, 0, count, &[])));
            let filled = dnp3::range32(group, variation, 0, count, &[0; 1_000]);
            dnp3_objects.push((what(&format!("range to {name}, filled")), filled));
            dnp3_objects.push((
                what(&format!("free format {name}")),
                dnp3::object(group, variation, 0x5b, &[count as u8], &[]),
            ));
        }
        dnp3_objects.push((what("range backwards"), dnp3::range32(group, variation, u32::MAX, 0, &[])));
        dnp3_objects.push((what("all"), dnp3::all(group, variation)));
        dnp3_objects.push((what("all, often"), dnp3::all(group, variation).repeat(600)));
        dnp3_objects.push((what("counts of none, often"), dnp3::count(group, variation, 1, 0, &[]).repeat(500)));
        dnp3_objects.push((
            what("free formats of none, often"),
            dnp3::free_format(group, variation, &[Vec::new()]).repeat(300),
        ));
        dnp3_objects.push((what("a bit each, often"), dnp3::range8(group, variation, 7, 7, &[0xff]).repeat(330)));
        for qualifier in 0..=255 {
            dnp3_objects.push((
                what(&format!("qualifier {qualifier:02x}")),
                dnp3::object(group, variation, qualifier, &[255; 4], &[0; 40]),
            ));
        }
    }
    for (name, objects) in dnp3_objects {
        for function in [1, 2, 5] {
            let dissector = AnyDissector::Dnp3(Dnp3Dissector::default());
            all.push((format!("{name}, function {function}"), dissector, dnp3_request(1, function, objects.clone())));
        }
        all.push((
            format!("{name}, response"),
            AnyDissector::Dnp3(Dnp3Dissector::default()),
            dnp3_response(1, objects),
        ));
    }
    all.push((
        "link frames of nothing".to_owned(),
        AnyDissector::Dnp3(Dnp3Dissector::default()),
        dnp3_frame(true, 1, &[]).repeat(100),
    ));
    all.push((
        "segments of nothing".to_owned(),
        AnyDissector::Dnp3(Dnp3Dissector::default()),
        dnp3_frame(true, 1, &[0x40]).repeat(100),
    ));
    for kind in 0..=255_u8 {
        for structure in [0x00, 0x01, 0x7f, 0x80, 0x81, 0xff] {
            for octets in [0, 1, 3, 4, 8, 240] {
                let header = iec104::Header::new(kind, 3, 1);
                let mut asdu = iec104::asdu_claiming(header, structure, &[]);
                asdu.resize(asdu.len() + octets, 0x5a);
                let name = format!("type {kind}, structure {structure:02x}, {octets} octets");
                all.push((name, AnyDissector::Iec104(Iec104Dissector::default()), iec104::information(0, 0, &asdu)));
            }
        }
    }
    for length in 0..=255 {
        let octets = iec104::apdu_claiming(length, [0; 4], &[]).repeat(60);
        all.push((format!("length {length}"), AnyDissector::Iec104(Iec104Dissector::default()), octets));
    }
    all
}

#[test]
fn what_a_message_tells_is_bounded_by_its_octets() {
    let work = || {
        let corpus = hollow();
        let count = corpus.len();
        for (what, mut dissector, octets) in corpus {
            for direction in [Direction::ToServer, Direction::ToClient] {
                let mut visits = Visits::default();
                let mut rest = octets.as_slice();
                // Every turn uses up octets, or ends.
                for _ in 0..=octets.len() {
                    let used = dissector.feed(direction, 0, rest, &mut visits);
                    rest = &rest[used..];
                    if used == 0 || rest.is_empty() {
                        break;
                    }
                }
                let octets = octets.len();
                let Visits { messages, operations, points, fields, others } = visits;
                assert!(messages <= octets, "{what}: {messages} messages of {octets} octets");
                assert!(operations <= octets + 2, "{what}: {operations} operations of {octets} octets");
                // A bit is the least that a point takes.
                assert!(points <= octets * 8, "{what}: {points} points of {octets} octets");
                assert!(fields <= messages * 32 + octets * 8, "{what}: {fields} fields of {octets} octets");
                assert!(others <= messages * 24 + octets, "{what}: {others} notices and counts of {octets} octets");
            }
        }
        count
    };
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(work).expect("a thread starts");
    let count = thread.join().expect("256 KiB of stack are enough");
    assert!(count > 10_000, "{count} messages");
}

#[test]
fn work_is_linear_in_octets() {
    // What is taken from the allocator, all in all: no clock is needed to see that it grows no faster than the input.
    let data = tcp::PSH | tcp::ACK;
    let frames = |what: &str, count: u32| -> Vec<Vec<u8>> {
        let request = modbus::tcp(1, 1, &modbus::read(3, 1, 2));
        (0..count)
            .map(|number| match what {
                "an octet a segment" => {
                    let octet = request[(number % 12) as usize];
                    segment(16, (40_000, 502), data, 1 + number, &[octet])
                }
                "backwards" => segment(16, (40_000, 502), data, 1_000_000 - number * 12, &request),
                "holes" => segment(16, (40_000, 502), data, 1 + number * 24, &request),
                "strangers" => segment(16, (40_000, 5_000), data, 1 + number * 12, &[number as u8; 12]),
                "repeats" => segment(16, (40_000, 502), data, 1 + number % 100 * 12, &request),
                "DNP3 segments of an octet" => {
                    let one = dnp3::segment(false, number % 50 == 0, (number % 50) as u8, &[0xc0]);
                    let octets = dnp3_frame(true, (number / 50 % 9) as u16, &one);
                    segment(16, (40_000, 20_000), data, 1 + number * octets.len() as u32, &octets)
                }
                "DNP3 start octets" => segment(16, (40_000, 20_000), data, 1 + number * 200, &[5, 0x64].repeat(100)),
                "DNP3 headers" => {
                    let octets = dnp3_request(number as u16, 1, dnp3::all(60, 2).repeat(60));
                    segment(16, (40_000, 20_000), data, 1 + number * octets.len() as u32, &octets)
                }
                "IEC 104 start octets" => segment(16, (40_000, 2_404), data, 1 + number * 200, &[0x68; 200]),
                "IEC 104 objects" => {
                    let header = iec104::Header::new(1, 3, number as u16 | 1);
                    let asdu = iec104::asdu_sequence(header, number, &vec![vec![1]; 127]);
                    let octets = iec104::information(number as u16 & 0x7fff, 0, &asdu);
                    segment(16, (2_404, 40_000), data, 1 + number * octets.len() as u32, &octets)
                }
                _ => panic!("{what}"),
            })
            .collect()
    };
    for what in [
        "an octet a segment",
        "backwards",
        "holes",
        "strangers",
        "repeats",
        "DNP3 segments of an octet",
        "DNP3 start octets",
        "DNP3 headers",
        "IEC 104 start octets",
        "IEC 104 objects",
    ] {
        let taken: Vec<usize> = [4_000, 8_000, 16_000, 32_000]
            .into_iter()
            .map(|count| {
                let frames = frames(what, count);
                let mut flood = Flood::new(Setup::default());
                flood.work();
                let before = TAKEN.get() - flood.taken_before;
                for frame in &frames {
                    flood.push(frame);
                }
                let after = flood.ends();
                after.taken - before
            })
            .collect();
        println!("{what}: {taken:?}");
        for pair in taken.windows(2) {
            assert!(pair[1] <= pair[0] * 23 / 10 + (64 << 10), "{what}: {taken:?}");
        }
    }
}

// Nesting

fn between(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip::v4(ip::Header::new([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), protocol, 1), payload)
}

/// Frames that nest what they can, as deep as a frame goes.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let inner = segment(1, (40_000, 502), tcp::PSH | tcp::ACK, 1, &modbus::tcp(1, 1, &modbus::read(3, 1, 2)));
    let ethernet = |kind: u16, packet: &[u8]| ethernet::frame([2; 6], [2, 0, 0, 0, 0, 3], kind, packet);
    let repeat = |times: usize, start: &[u8], wrap: &dyn Fn(&[u8]) -> Vec<u8>| {
        (0..times).fold(start.to_vec(), |octets, _| wrap(&octets))
    };
    let packet = &inner[14..];
    let mut extensions = vec![58, 0, 0, 0, 0, 0, 0, 0];
    extensions = repeat(3_000, &extensions, &|rest| [&[0, 0, 1, 4, 0, 0, 0, 0], rest].concat());
    let six = |next: u8, payload: &[u8]| ip::v6(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, next, 64, payload);
    let gre_ip = |rest: &[u8]| between(ip::GRE, &tunnel::gre(0x0800, None, None, rest));
    let vxlan = |rest: &[u8]| {
        let ends = (IpAddr::V4([192, 0, 2, 1].into()), IpAddr::V4([192, 0, 2, 2].into()));
        let datagram = udp::datagram((ends.0, 5_555), (ends.1, tunnel::VXLAN_PORT), &tunnel::vxlan(1, rest));
        ethernet(ethernet::IPV4, &between(ip::UDP, &datagram))
    };
    let fragment = |rest: &[u8]| {
        let header = ip::Header::new([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), ip::IN_IP, 1);
        ip::fragments(header, rest, 1_400).swap_remove(0)
    };
    vec![
        ("VLAN tags", ethernet::tagged(&inner, &[(ethernet::C_TAG, 5); 3_000])),
        ("IP in IP", ethernet(ethernet::IPV4, &repeat(1_000, packet, &|rest| between(ip::IN_IP, rest)))),
        ("IPv6 in IPv6", ethernet(ethernet::IPV6, &repeat(1_000, &six(58, &[0; 8]), &|rest| six(41, rest)))),
        ("IPv6 extensions", ethernet(ethernet::IPV6, &six(0, &extensions))),
        ("GRE", ethernet(ethernet::IPV4, &repeat(1_000, packet, &gre_ip))),
        ("VXLAN", repeat(700, &inner, &vxlan)),
        ("MPLS", ethernet(ethernet::MPLS, &tunnel::mpls(&[16; 3_000], packet))),
        ("PPPoE", ethernet(ethernet::PPPOE_SESSION, &tunnel::pppoe(1, 0x0021, packet))),
        ("whole fragments in fragments", ethernet(ethernet::IPV4, &repeat(100, packet, &fragment))),
        ("SNAP", repeat(100, &inner, &|rest| ethernet::snap([2; 6], [4; 6], [0; 3], 0x6558, rest))),
        ("HSR", repeat(100, &inner, &|rest| ethernet::with_hsr_tag(rest, 1, 1))),
    ]
}

#[test]
fn nesting_needs_little_stack_and_is_counted() {
    let work = || {
        let mut nested = 0;
        for (what, octets) in bombs() {
            let mut flood = Flood::new(Setup::default());
            flood.push(&octets);
            let after = flood.ends();
            let anomalies = &after.report.counters.anomalies;
            println!("{what}: {} octets, {anomalies:?}", octets.len());
            nested += anomalies.get("nesting_depth").copied().unwrap_or(0);
            assert_eq!(after.report.counters.frames, 1, "{what}");
        }
        // A fragment in a tunnel in a fragment, and so on: each layer comes together before the next.
        let mut octets = segment(1, (40_000, 502), tcp::SYN, 1, &[])[14..].to_vec();
        let mut flood = Flood::new(Setup::default());
        for layer in 0..40 {
            let header = ip::Header::new([192, 0, 2, layer].into(), [192, 0, 2, 200].into(), ip::IN_IP, 7);
            let pieces = ip::fragments(header, &octets, octets.len() / 2);
            for piece in &pieces[..pieces.len() - 1] {
                flood.push(&ethernet::frame([2; 6], [4; 6], ethernet::IPV4, piece));
            }
            octets = pieces[pieces.len() - 1].clone();
        }
        flood.push(&ethernet::frame([2; 6], [4; 6], ethernet::IPV4, &octets));
        let after = flood.ends();
        assert!(after.report.counters.frames >= 40);
        nested
    };
    // Debug information and checks make frames of the stack larger than they are in the program.
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(work).expect("a thread starts");
    let nested = thread.join().expect("256 KiB of stack are enough");
    assert!(nested >= 5, "{nested} of the bombs are counted as nested too deep");
}
