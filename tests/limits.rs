//! The promise: whatever is sent, memory stays within what is stated, what is given up is said, and what matters is
//! still told.
#![allow(unsafe_code, reason = "the counting allocator hands on to the system's")]

use fixtures::story::{Conversation, Dice, Host, Story};
use fixtures::wire::{arp, dhcp, ethernet, ip, modbus, nbns, tcp, tunnel, udp};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tests::{head, learn, policy};
use yagura_core::analyzer::{Analyzer, Report, Setup};
use yagura_core::frame::FrameBatch;
use yagura_core::limits::Limits;
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
    after.assert("addresses", 128, &["assets_max", "flows_max"]);
    assert!(after.report.assets.len() <= Limits::default().assets_max);
}

#[test]
fn flood_of_connection_attempts() {
    let after = flooded(Limits::default(), 200_000, |number| {
        segment(number, (1_024 + (number % 60_000) as u16, 502), tcp::SYN, number, &[])
    });
    after.assert("connection attempts", 128, &["flows_max"]);
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
    // As many flows as there may be, each with all that a flow may hold: a dissector, what was judged, what it said last.
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
    // Ten, not eight: of each flow the units that it asked for are counted (a sweep is told by that), and 64 requests wait.
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
                _ => panic!("{what}"),
            })
            .collect()
    };
    for what in ["an octet a segment", "backwards", "holes", "strangers", "repeats"] {
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
