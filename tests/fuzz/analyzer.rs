//! A few hosts that say anything at all, through the whole core with next to no room: and the same again with other
//! hash seeds, batches and threads, which must change no byte.
#![no_main]

use fixtures::wire::{arp, dnp3, ethernet, iec104, ip, modbus, tcp, udp};
use fuzz::{Octets, in_time};
use libfuzzer_sys::fuzz_target;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;
use yagura::capture::error::Error;
use yagura::capture::source::{Fill, FrameSource, Progress};
use yagura::pipeline::{self, Pace};
use yagura_core::analyzer::{Analyzer, Report, Setup};
use yagura_core::frame::{FrameBatch, FrameHead};
use yagura_core::limits::Limits;
use yagura_parsers::packet::link::LinkType;
use yagura_rules::alert::Alert;
use yagura_rules::detections::CATALOG;
use yagura_rules::facts::event::FrameRef;
use yagura_rules::facts::time::Timestamp;
use yagura_rules::policy::Policy;
use yagura_rules::rule::Finding;

/// Frames of one input.
const FRAMES_MAX: usize = 100;
/// Octets of one payload.
const PAYLOAD_MAX: usize = 255;
/// Link types of raw frames: Ethernet twice as often as each of the others.
const LINK_TYPES: [u16; 8] = [1, 1, 0, 101, 113, 276, 9, 65535];
/// Ports of UDP datagrams and of servers.
const PORTS: [u16; 8] = [502, 67, 68, 137, 4789, 6081, 20000, 80];

/// The demonstration plant's site file.
static PLANT: LazyLock<Policy> = LazyLock::new(|| {
    let scenarios = fixtures::scenarios::all();
    let site = scenarios.iter().find(|scenario| scenario.name == "demo").and_then(|demo| demo.site).expect("a site");
    policy(site).expect("the site file of the demonstration is good")
});

fn policy(text: &str) -> Option<Policy> {
    Policy::load("site.toml", &mut |_| Ok(text.to_owned()), CATALOG).ok()
}

/// So little room that every bound bites.
fn tiny() -> Limits {
    Limits {
        flows_max: 3,
        stream_octets_max: 128,
        stream_segments_max: 2,
        streams_octets_max: 300,
        history_octets: 32,
        probe_segments_max: 2,
        probe_octets_max: 64,
        fragments_datagrams_max: 2,
        fragments_octets_max: 256,
        fragments_each_max: 3,
        duplicate_frames: 4,
        outstanding_max: 2,
        settled_max: 2,
        points_octets_max: 2_048,
        commands_max: 2,
        assets_max: 2,
        asset_claims_max: 1,
        ports_max: 1,
        rule_memory_max: 2,
        learnt_max: 4,
        ..Limits::default()
    }
}

/// Enough room for any input, and not so much that making it takes longer than using it.
fn roomy() -> Limits {
    Limits {
        flows_max: 1_024,
        duplicate_frames: 16,
        fragments_datagrams_max: 64,
        points_octets_max: 1 << 20,
        commands_max: 256,
        assets_max: 256,
        rule_memory_max: 1_024,
        learnt_max: 10_000,
        ..Limits::default()
    }
}

/// What is spoken in a conversation.
#[derive(Clone, Copy)]
enum Language {
    Modbus,
    Dnp3,
    Iec104(iec104::Session),
}

/// One of the four conversations: two hosts, where their streams are, and what they speak.
#[derive(Clone, Copy)]
struct Conversation {
    ends: [(IpAddr, u16); 2],
    next: [u32; 2],
    language: Language,
}

/// The wire that is written to.
struct Wire {
    frames: Vec<(FrameHead, Vec<u8>)>,
    now_ns: u64,
    conversations: [Conversation; 4],
}

impl Wire {
    fn new() -> Self {
        let v4 = |last: u8| IpAddr::V4(Ipv4Addr::new(10, 20, 0, last));
        let v6 = |last: u16| IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last));
        let next = [0xffff_ff00, 1000];
        let conversation =
            |client, server, port, language| Conversation { ends: [(client, 49152), (server, port)], next, language };
        let plc = IpAddr::V4(Ipv4Addr::new(10, 20, 1, 9));
        Self {
            frames: Vec::new(),
            now_ns: 1_767_607_200_000_000_000,
            conversations: [
                conversation(v4(5), plc, 502, Language::Modbus),
                conversation(v4(6), plc, 20000, Language::Dnp3),
                conversation(v4(5), v4(7), 2404, Language::Iec104(iec104::Session::new())),
                conversation(v6(1), v6(2), 502, Language::Modbus),
            ],
        }
    }

    fn frame(&mut self, link: u16, octets: Vec<u8>) {
        self.now_ns += 1_000_000;
        let head = FrameHead {
            origin: FrameRef { capture: 0, frame: self.frames.len() as u64 + 1 },
            time: Timestamp(self.now_ns),
            link: LinkType(link),
            wire_octets: octets.len() as u32,
            start: 0,
            captured_octets: octets.len() as u32,
        };
        self.frames.push((head, octets));
    }

    /// An IP packet in an Ethernet frame; MAC addresses follow from the IP addresses.
    fn ip(&mut self, source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) {
        let mac = |address: IpAddr| match address {
            IpAddr::V4(address) => [2, 0, address.octets()[0], address.octets()[1], 0, address.octets()[3]],
            IpAddr::V6(address) => [2, 6, 0, 0, 0, address.octets()[15]],
        };
        let (ether_type, packet) = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let identification = self.frames.len() as u16;
                (ethernet::IPV4, ip::v4(ip::Header::new(source, destination, protocol, identification), payload))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                (ethernet::IPV6, ip::v6(source, destination, protocol, 64, payload))
            }
            _ => return,
        };
        self.frame(1, ethernet::frame(mac(destination), mac(source), ether_type, &packet));
    }

    /// A TCP segment of a conversation, so far from where its stream goes on; it moves the stream on if it reaches ahead.
    fn segment(&mut self, at: usize, side: usize, distance: i32, flags: u8, payload: &[u8]) {
        let Conversation { ends, next, .. } = self.conversations[at];
        let sequence_number = next[side].wrapping_add_signed(distance);
        let header = tcp::Header {
            source_port: ends[side].1,
            destination_port: ends[1 - side].1,
            sequence_number,
            acknowledgement_number: next[1 - side],
            flags,
            window: 64240,
        };
        let segment = tcp::segment(ends[side].0, ends[1 - side].0, header, &[], payload);
        self.ip(ends[side].0, ends[1 - side].0, ip::TCP, &segment);
        let length = payload.len() as u32 + u32::from(flags & (tcp::SYN | tcp::FIN) != 0);
        let end = sequence_number.wrapping_add(length);
        if end.wrapping_sub(next[side]) < 1 << 20 {
            self.conversations[at].next[side] = end;
        }
    }

    /// The next PDU of a conversation, with its lengths, numbers and checksums right.
    fn pdu(&mut self, at: usize, side: usize, input: &mut Octets<'_>) -> Vec<u8> {
        let (one, two) = (input.octet(), input.octet());
        match &mut self.conversations[at].language {
            Language::Modbus => modbus::tcp(u16::from(one & 3), two & 1, input.piece(PAYLOAD_MAX)),
            // One octet is the link control, for user data if it says nothing else; the other is the transport header.
            Language::Dnp3 => {
                let (master, outstation) = (1 + u16::from(one >> 7), 10);
                let (control, link) = if side == 0 {
                    (dnp3::MASTER_UNCONFIRMED, dnp3::Link::to_outstation(outstation, master))
                } else {
                    (dnp3::OUTSTATION_UNCONFIRMED, dnp3::Link::to_master(master, outstation))
                };
                let control = if one & 0x40 == 0 { control } else { control & 0x80 | one & 0x7f };
                let header = if two == 0 { 0xc0 } else { two };
                let user_data = [&[header], input.piece(dnp3::SEGMENT)].concat();
                dnp3::frame(link.control(control), &user_data)
            }
            Language::Iec104(session) => {
                let station = [iec104::Station::Controlling, iec104::Station::Controlled][side];
                match one & 3 {
                    1 => session.acknowledges(station),
                    3 => iec104::unnumbered(two),
                    _ => session.says(station, input.piece(249)),
                }
            }
        }
    }

    /// What the next octets of the input make happen.
    fn step(&mut self, input: &mut Octets<'_>) {
        let deed = input.octet();
        // Which conversation, and which side of it speaks.
        let (at, side) = (usize::from(deed >> 3 & 3), usize::from(deed >> 5 & 1));
        let Conversation { ends, .. } = self.conversations[at];
        match deed & 7 {
            // A PDU in its place.
            0 | 1 => {
                let pdu = self.pdu(at, side, input);
                self.segment(at, side, 0, tcp::PSH | tcp::ACK, &pdu);
            }
            // Any payload, in its place or not, with any flags.
            2 => {
                let (distance, flags) = (i32::from(input.octet() as i8), input.octet());
                let far = if deed & 0x40 == 0 { 1 } else { 1 << 17 };
                self.segment(at, side, distance * far, flags, input.piece(PAYLOAD_MAX));
            }
            3 => {
                self.segment(at, 0, 0, tcp::SYN, &[]);
                if deed & 0x40 == 0 {
                    self.segment(at, 1, 0, tcp::SYN | tcp::ACK, &[]);
                    self.segment(at, 0, 0, tcp::ACK, &[]);
                }
            }
            4 => {
                let ports = input.octet();
                let from = (ends[side].0, PORTS[usize::from(ports & 7)]);
                let to = (ends[1 - side].0, PORTS[usize::from(ports >> 3 & 7)]);
                let datagram = udp::datagram(from, to, input.piece(PAYLOAD_MAX));
                self.ip(from.0, to.0, ip::UDP, &datagram);
            }
            // A fragment.
            5 => {
                let (place, how, payload) = (input.octet(), input.octet(), input.piece(PAYLOAD_MAX));
                let (IpAddr::V4(source), IpAddr::V4(destination)) = (ends[side].0, ends[1 - side].0) else { return };
                let header = ip::Header {
                    fragment_offset: u16::from(place) * 8,
                    more_fragments: how & 1 == 1,
                    ..ip::Header::new(source, destination, [ip::TCP, ip::UDP][usize::from(how >> 1 & 1)], 7)
                };
                self.frame(1, ethernet::frame([2; 6], [2, 0, 0, 0, 0, 9], ethernet::IPV4, &ip::v4(header, payload)));
            }
            // A frame of any octets, or ARP.
            6 => {
                let link = LINK_TYPES[at * 2 + side];
                if let (0x40, IpAddr::V4(sender), IpAddr::V4(target)) = (deed & 0x40, ends[side].0, ends[1 - side].0) {
                    let mac = [2, 0, 0, 0, 0, input.octet() & 3];
                    let packet = arp::packet(u16::from(input.octet() & 3), (mac, sender), ([0; 6], target));
                    self.frame(1, ethernet::frame(ethernet::BROADCAST, mac, ethernet::ARP, &packet));
                } else {
                    let octets = input.piece(PAYLOAD_MAX).to_vec();
                    self.frame(link, octets);
                }
            }
            // Time goes by, or back; or the last frame comes again.
            _ => match (input.octet(), self.frames.last().cloned()) {
                (how, Some((head, octets))) if how & 1 == 1 => self.frame(head.link.0, octets),
                (how, _) if how & 2 == 2 => self.now_ns -= 1 << (how >> 2 & 31),
                (how, _) => self.now_ns += 1 << (how >> 2 & 63).min(45),
            },
        }
    }
}

/// Frames as a source of batches.
struct Source<'a> {
    frames: std::slice::Iter<'a, (FrameHead, Vec<u8>)>,
}

impl FrameSource for Source<'_> {
    fn fill(&mut self, batch: &mut FrameBatch, frames_max: usize) -> Result<Fill, Error> {
        batch.clear();
        for (head, octets) in self.frames.by_ref().take(frames_max.max(1)) {
            batch.push(*head, octets);
        }
        Ok(if batch.frames.is_empty() { Fill::End } else { Fill::Frames })
    }

    fn progress(&self) -> Option<Progress> {
        None
    }

    fn frames_without_time(&self) -> u64 {
        0
    }
}

/// All that an analysis says.
struct Told(Vec<Alert>, Report);

impl Told {
    /// All of it, but for what a detection says of itself, which is the program's own.
    fn text(&self) -> String {
        let Self(alerts, report) = self;
        let mut text = format!("{:?}{:?}{:?}{:?}", report.counters, report.assets, report.learnt, report.points);
        for Alert { card: _, id, time, origin, severity, finding, event, repeats, closes } in alerts {
            let Finding { subject, params, basis, assets, earlier, .. } = finding;
            let line = (id, time, origin, severity, subject, params, basis, assets, earlier, event, repeats, closes);
            write!(text, "{line:?}").expect("a text takes any text");
        }
        text
    }

    /// The same in lines, for people.
    fn lines(&self) -> String {
        let Self(alerts, report) = self;
        let Report { counters, assets, learnt, points, .. } = report;
        format!("{alerts:#?}\n{counters:#?}\n{assets:#?}\n{learnt:#?}\n{points:#?}")
    }

    /// What was found where, about whom.
    fn findings(&self) -> Vec<String> {
        let alerts = self.0.iter();
        let line = |alert: &Alert| {
            let Alert { card, origin, severity, finding, repeats, .. } = alert;
            format!("{} {origin:?} {severity:?} {} {:?} {repeats}", card.name, finding.subject, finding.params)
        };
        alerts.map(line).collect()
    }

    fn assert_same(&self, other: &Self, what: &str) {
        if self.text() != other.text() {
            let (one, other) = (self.lines(), other.lines());
            for (one, other) in one.lines().zip(other.lines()).filter(|(one, other)| one != other).take(20) {
                eprintln!("- {one}\n+ {other}");
            }
            panic!("{what} changes what is told");
        }
    }
}

fn analyze(setup: Setup, frames: &[(FrameHead, Vec<u8>)], batch_frames: usize) -> Told {
    let mut analyzer = Analyzer::new(setup);
    let mut source = Source { frames: frames.iter() };
    let (mut batch, mut alerts) = (FrameBatch::default(), Vec::new());
    while let Ok(Fill::Frames) = source.fill(&mut batch, batch_frames) {
        analyzer.push_batch(&batch, &mut alerts);
    }
    analyzer.finish(&mut alerts);
    Told(alerts, analyzer.into_report())
}

/// What is compared with the plain analysis: the slower, the more seldom.
enum Beside {
    /// Batches of one frame, and another seed.
    Batches,
    Threads,
    /// The long way of usual operations.
    LongWay,
    Nothing,
}

fn check(data: &[u8]) {
    let mut input = Octets(data);
    let (how, beside) = (input.octet(), input.octet());
    let beside = match beside {
        0xc0..=0xcf => Beside::Batches,
        0xd0 => Beside::Threads,
        0xe0..=0xef => Beside::LongWay,
        _ => Beside::Nothing,
    };
    let mut wire = Wire::new();
    while !input.is_empty() && wire.frames.len() < FRAMES_MAX {
        wire.step(&mut input);
    }
    let frames = wire.frames;
    let setup = Setup {
        limits: if how & 1 == 0 { tiny() } else { roomy() },
        policy: if how & 2 == 0 { Policy::default() } else { PLANT.clone() },
        seed: 1,
        learn: how & 4 != 0,
        points: how & 64 != 0,
        watch: (how & 8 != 0).then_some(u64::from(how >> 4)),
        trip: None,
    };
    let told = analyze(setup.clone(), &frames, 512);
    let report = &told.1;
    assert_eq!(report.counters.frames, frames.len() as u64);
    assert_eq!(report.counters.internal, 0, "a fault was contained: it should not be there");
    // What was learnt must be readable again.
    if let Some(learnt) = &report.learnt
        && !matches!(beside, Beside::Nothing)
    {
        let text = learnt.to_toml();
        assert!(policy(&text).is_some(), "the baseline cannot be read:\n{text}");
    }
    match beside {
        Beside::Batches => {
            let again = analyze(Setup { seed: 0x5eed_5eed, ..setup }, &frames, 1);
            told.assert_same(&again, "the size of batches or the seed");
        }
        Beside::Threads if setup.watch.is_none() => {
            let mut alerts = Vec::new();
            let pace = Pace { threads: 2, batch_frames: 3, ..Pace::default() };
            let mut source = Source { frames: frames.iter() };
            let (report, _) =
                pipeline::analyze(setup, &mut source, pace, &mut |found| alerts.extend(found), &mut |_| {});
            told.assert_same(&Told(alerts, report), "the number of threads");
        }
        // The short way of usual operations: events are numbered otherwise without it, but the findings are the same.
        // (Where there is no room for devices, which of them is forgotten depends on it.)
        Beside::LongWay if how & 1 == 1 => {
            let limits = Limits { settled_max: 0, ..setup.limits };
            let long = analyze(Setup { limits, ..setup }, &frames, 512);
            assert_eq!(told.findings(), long.findings(), "the short way changes what is found");
            assert_eq!(told.1.assets, long.1.assets);
        }
        _ => {}
    }
}

fuzz_target!(|data: &[u8]| in_time(|| check(data)));
