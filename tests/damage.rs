//! The promise: what a network, a mirror or an attacker does to frames never stops the sensor, and never makes it say
//! what nobody did.

use fixtures::story::{Capture, Dice, Host, Story, TimedFrame};
use fixtures::wire::{dnp3 as dnp3_wire, ethernet, iec104 as iec104_wire, ip, modbus as wire};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use tests::{CONFESSIONS, Case, Headed, Run, cases, for_each, head, heads, map, run, run_heads, tiny_limits};
use yagura_core::analyzer::{Analyzer, Setup};
use yagura_core::dispatch::{Octets, Receiver, Routed};
use yagura_core::draft::{Draft, Moment};
use yagura_core::frame::FrameBatch;
use yagura_core::shard::Shard;
use yagura_parsers::discovery;
use yagura_parsers::dissect::{Direction, Hints, Listener};
use yagura_parsers::error::ParseError;
use yagura_parsers::message::{Describe, Operation};
use yagura_parsers::packet::decode::{decode, decode_datagram};
use yagura_parsers::packet::link::LinkType;
use yagura_parsers::packet::{Carrier, DEPTH_MAX, Network, Packet, Transport};
use yagura_parsers::protocols::{AnyDissector, Identified, ProtocolId, dnp3, identify, iec104, modbus};
use yagura_rules::facts::event::{EventKind, Stage};

// Octets

/// The frames of all fixtures, each once.
fn packets() -> Vec<Vec<u8>> {
    let mut seen = BTreeSet::new();
    for case in cases() {
        assert_eq!(case.capture.link_type, 1, "{}", case.name);
        seen.extend(case.capture.frames.into_iter().map(|frame| frame.octets));
    }
    let packets: Vec<_> = seen.into_iter().collect();
    assert!(packets.len() >= 2_000, "{} packets", packets.len());
    packets
}

fn decoded(octets: &[u8], wire_octets: usize) -> Packet {
    let carrier = Carrier { link: LinkType::ETHERNET, wire_octets: u32::try_from(wire_octets).expect("it is short") };
    decode(carrier, octets)
}

/// Reads headers and what devices tell of themselves; answers the packet.
fn look(octets: &[u8], wire_octets: usize) -> Packet {
    let packet = decoded(octets, wire_octets);
    check(&packet, octets);
    if let Network::Ip(ip, _) = packet.network
        && ip.fragment.is_some()
    {
        let datagram = packet.payload(octets);
        check(&decode_datagram(&packet, datagram), datagram);
    }
    packet
}

fn check(packet: &Packet, octets: &[u8]) {
    let start = usize::try_from(packet.payload_offset).expect("32 bits");
    let length = usize::try_from(packet.payload_octets).expect("32 bits");
    assert!(start + length <= octets.len(), "the payload is outside of its frame: {packet:?}");
    assert!(usize::from(packet.depth) <= DEPTH_MAX, "{packet:?}");
    discovery::claims(packet, octets, &mut |claim| assert!(claim.text.as_octets().len() <= discovery::TEXT_MAX));
}

/// Asks everything that can be asked, and counts the octets that are told.
struct Asker {
    protocol: ProtocolId,
    told: usize,
}

impl Listener for Asker {
    fn message<M: Describe>(&mut self, message: &M, octets: &[u8]) {
        self.told += octets.len();
        interrogate(self.protocol, message);
    }

    fn malformed(&mut self, error: ParseError, octets: &[u8]) {
        self.told += octets.len();
        assert!(!error.to_string().is_empty());
    }

    fn skipped(&mut self, octets: usize) {
        self.told += octets;
    }
}

/// Asks a message everything.
fn interrogate(protocol: ProtocolId, message: &impl Describe) {
    let mut asked = None;
    let mut text = String::new();
    message.operations(&mut |operation| {
        let _ = protocol.operation_name(operation.code, operation.sub);
        assert!(operation.target.is_none_or(|target| target.count >= 1 && target.last() >= target.first));
        asked = Some(operation);
    });
    message.fields(&mut |name, _| text.push_str(name));
    message.points(None, &mut |_| {});
    message.points(asked, &mut |_| {});
    message.tally(&mut |tally| {
        text.clear();
        let _ = write!(text, "{}", protocol.tally_key(tally));
    });
    message.identity(&mut |_| {});
    message.notices(&mut |notice| text.push_str(notice.name));
    let _ = (message.kind(), message.unit(), message.sender(), message.pairing(), message.refusal());
    let _ = (message.control(), message.clock());
    if let Some(fault) = message.fault() {
        let _ = write!(text, "{fault}");
    }
}

/// The ports where the protocols are usual.
fn ports() -> Vec<u16> {
    ProtocolId::ALL.iter().flat_map(|id| id.ports()).copied().collect()
}

/// A new dissector of each dialect of each protocol.
fn dissectors() -> [AnyDissector; 4] {
    [
        AnyDissector::Modbus(modbus::ModbusDissector::default()),
        AnyDissector::Modbus(modbus::ModbusDissector::rtu()),
        AnyDissector::Dnp3(dnp3::Dnp3Dissector::default()),
        AnyDissector::Iec104(iec104::Iec104Dissector::default()),
    ]
}

/// What a payload is.
fn spoken(payload: &[u8], datagram: bool) -> Option<ProtocolId> {
    match identify(payload, datagram, &ports(), &Hints::default()) {
        Identified::As(dissector, _) => Some(dissector.id()),
        Identified::Unsure | Identified::Unknown => None,
    }
}

/// Reads a payload as a protocol would, or as every one: asked what it is, and in step and out of step, both ways.
fn dissect(payload: &[u8], datagram: bool, only: Option<ProtocolId>) {
    let _ = spoken(payload, datagram);
    for direction in [Direction::ToServer, Direction::ToClient] {
        for lost in [false, true] {
            let readers = dissectors().into_iter().filter(|one| only.is_none_or(|only| one.id() == only));
            for mut dissector in readers {
                if lost {
                    dissector.gap(direction);
                }
                let mut asker = Asker { protocol: dissector.id(), told: 0 };
                let used = dissector.feed(direction, 0, payload, &mut asker);
                assert_eq!(asker.told, used, "every octet that is used up is told");
            }
        }
    }
}

fn payload_kind(packet: &Packet) -> Option<bool> {
    match packet.network {
        Network::Ip(_, Transport::Tcp { .. }) => Some(false),
        Network::Ip(_, Transport::Udp { .. }) => Some(true),
        _ => None,
    }
}

#[test]
fn packets_cut_at_every_length_are_read() {
    let cuts = map(&packets(), |octets| {
        for length in 0..=octets.len() {
            let cut = &octets[..length];
            // Cut by the capture, and as short on the wire.
            for wire_octets in [octets.len(), length] {
                let packet = look(cut, wire_octets);
                if let Some(datagram) = payload_kind(&packet) {
                    dissect(packet.payload(cut), datagram, None);
                }
            }
        }
        octets.len() + 1
    });
    assert!(cuts.iter().sum::<usize>() > 100_000);
}

#[test]
fn packets_with_every_value_in_each_of_their_first_octets_are_read() {
    for_each(&packets(), |octets| {
        let mut changed = octets.clone();
        let plain = decoded(octets, octets.len());
        let only = payload_kind(&plain).and_then(|datagram| spoken(plain.payload(octets), datagram));
        for at in 0..octets.len().min(128) {
            for value in 0..=u8::MAX {
                changed[at] = value;
                let packet = look(&changed, octets.len());
                // The payload is new where a header moved it, or where it was itself changed.
                let at = u32::try_from(at).expect("it is below 128");
                let moved = packet.payload_offset != plain.payload_offset;
                let cut = packet.payload_octets != plain.payload_octets;
                if (moved || cut || at >= packet.payload_offset)
                    && let Some(datagram) = payload_kind(&packet)
                    && value % 3 == u8::try_from(at % 3).expect("it is below 3")
                {
                    dissect(packet.payload(&changed), datagram, only);
                }
            }
            changed[at] = octets[at];
        }
    });
}

#[test]
fn pdus_with_every_value_in_each_octet_are_read() {
    // The payloads by themselves, each shape once: two octets at a time at the places where lengths and counts stand.
    let mut shapes: BTreeMap<(usize, Vec<u8>), (Vec<u8>, bool)> = BTreeMap::new();
    for octets in packets() {
        let packet = decoded(&octets, octets.len());
        if let Some(datagram) = payload_kind(&packet)
            && !packet.payload(&octets).is_empty()
        {
            let payload = packet.payload(&octets);
            // Where the protocols say what a PDU is.
            let at = match payload[0] {
                0x05 => 11,
                0x68 => 6,
                _ => 7,
            };
            let codes = payload.iter().skip(at).take(2).copied().collect();
            shapes.entry((payload.len(), codes)).or_insert((payload.to_vec(), datagram));
        }
    }
    let shapes: Vec<_> = shapes.into_values().collect();
    assert!(shapes.len() > 100, "{} shapes", shapes.len());
    for_each(&shapes, |(payload, datagram)| {
        let only = spoken(payload, *datagram);
        let mut changed = payload.clone();
        for at in 0..payload.len().min(260) {
            for value in 0..=u8::MAX {
                changed[at] = value;
                dissect(&changed, *datagram, only);
            }
            changed[at] = payload[at];
        }
        for at in 0..payload.len().saturating_sub(1).min(64) {
            for value in [0_u16, 1, 2, 0x7f, 0xff, 0x100, 0x7fff, 0x8000, 0xfffe, 0xffff] {
                changed[at..at + 2].copy_from_slice(&value.to_be_bytes());
                dissect(&changed, *datagram, only);
            }
            changed[at..at + 2].copy_from_slice(&payload[at..at + 2]);
        }
    });
}

#[test]
fn damaged_packets_go_through_the_whole_analyzer() {
    // Every 13th packet: shapes come in runs, so all of them are among these.
    assert!(damaged_in_the_analyzer(13, 24) > 300_000);
}

#[test]
#[ignore = "takes minutes: `make damage`"]
fn every_damaged_packet_goes_through_the_whole_analyzer() {
    let frames = damaged_in_the_analyzer(1, 256);
    println!("{frames} frames, of {} packets", packets().len());
    assert!(frames > 10_000_000);
}

/// Sends every `step`th packet through an analyzer, cut at every length and with so many values in each of its first
/// 128 octets (256: each once; fewer: by dice). How many frames that were.
fn damaged_in_the_analyzer(step: usize, values: u16) -> u64 {
    let packets = packets();
    let sample: Vec<_> = packets.iter().step_by(step).zip(0_u64..).collect();
    let frames = map(&sample, |(octets, seed)| {
        let mut dice = Dice::new(*seed);
        let limits = if seed % 2 == 0 { tiny_limits() } else { yagura_core::limits::Limits::default() };
        let mut analyzer = Analyzer::new(Setup { limits, seed: *seed, ..Setup::default() });
        let (mut batch, mut alerts, mut number) = (FrameBatch::default(), Vec::new(), 0);
        let mut push = |changed: &[u8], wire_octets: usize| {
            number += 1;
            let mut head = head(number, 1_767_607_200_000_000_000 + number * 3_000_000, 1, changed);
            head.wire_octets = u32::try_from(wire_octets).expect("it is short");
            batch.push(head, changed);
            if batch.frames.len() == 64 {
                analyzer.push_batch(&batch, &mut alerts);
                batch.clear();
            }
        };
        for length in 0..=octets.len() {
            push(&octets[..length], octets.len());
            push(&octets[..length], length);
        }
        let mut changed = (*octets).clone();
        for at in 0..octets.len().min(128) {
            for value in 0..values {
                changed[at] = if values == 256 { value as u8 } else { dice.word() as u8 };
                push(&changed, octets.len());
            }
            changed[at] = octets[at];
        }
        analyzer.push_batch(&batch, &mut alerts);
        analyzer.finish(&mut alerts);
        assert_eq!(analyzer.into_report().counters.frames, number);
        let lines = Run { alerts, ..Run::default() }.alert_lines();
        assert!(lines.iter().all(|line| line.len() <= yagura::record::write::LINE_OCTETS_MAX));
        number
    });
    frames.iter().sum()
}

// What was said

/// What a message asks or does: the operation, and the values written.
type Said = (Operation, String);

/// All shards, without a judge behind them.
struct Floor {
    shards: Vec<Shard>,
    drafts: Vec<Draft>,
}

impl Receiver for Floor {
    fn packet(&mut self, routed: &Routed, octets: Octets<'_>) {
        let shard = &mut self.shards[usize::from(routed.shard)];
        match &octets {
            Octets::Frame(_, octets) => shard.packet(routed, octets),
            Octets::Datagram(octets) => shard.packet(routed, octets),
        }
        shard.drain_into(&mut self.drafts);
    }

    fn tick(&mut self, moment: &Moment) {
        for shard in &mut self.shards {
            shard.tick(moment);
            shard.drain_into(&mut self.drafts);
        }
    }

    fn fact(&mut self, _: &Moment, _: EventKind) {}
}

/// Every operation of every message that is read, with its stage.
fn said(frames: &[Headed]) -> Vec<(Stage, Said)> {
    let Some((last, _)) = frames.last() else { return Vec::new() };
    // Learning hears of every write with all its values.
    let setup = Setup { learn: true, seed: 1, ..Setup::default() };
    let (mut dispatcher, mut batch) = (setup.dispatcher(), FrameBatch::default());
    let mut floor = Floor { shards: setup.shards(), drafts: Vec::new() };
    for (head, octets) in frames {
        batch.push(*head, octets);
    }
    dispatcher.route(&batch, &mut floor);
    for shard in &mut floor.shards {
        shard.finish(dispatcher.number(), last.origin, dispatcher.now());
        shard.drain_into(&mut floor.drafts);
    }
    let facts = floor.drafts.into_iter().filter_map(|draft| match draft.event?.kind {
        EventKind::Operation(fact) => Some((fact.stage, (fact.operation, format!("{:?}", fact.points)))),
        _ => None,
    });
    facts.collect()
}

/// Everything that is asked in a capture that nobody damaged.
fn asked_in(capture: &Capture) -> BTreeSet<Said> {
    said(&heads(capture)).into_iter().map(|(_, said)| said).collect()
}

fn assert_nothing_invented(frames: &[Headed], asked: &BTreeSet<Said>, what: &str) {
    for (stage, said) in said(frames) {
        if stage == Stage::Requested {
            assert!(asked.contains(&said), "{what}: nobody asked for {said:?}");
        }
    }
}

/// What changes the process or endangers the controller, word for word.
struct Writes(Vec<String>);

impl Listener for Writes {
    fn message<M: Describe>(&mut self, message: &M, octets: &[u8]) {
        message.operations(&mut |operation| {
            if operation.verb.changes_process() || operation.verb.is_dangerous() {
                let mut points = Vec::new();
                message.points(None, &mut |point| points.push(point));
                self.0.push(format!("{:?} {operation:?} {points:?} {octets:02x?}", message.kind()));
            }
        });
    }

    fn malformed(&mut self, _: ParseError, _: &[u8]) {}

    fn skipped(&mut self, _: usize) {}
}

#[test]
fn a_message_cut_short_is_never_taken_for_another() {
    // Of octets that stop early, what is read is a part of what all of them say, word for word.
    let all: BTreeSet<(Vec<u8>, bool)> = packets()
        .into_iter()
        .filter_map(|octets| {
            let packet = decoded(&octets, octets.len());
            let datagram = payload_kind(&packet)?;
            Some((packet.payload(&octets).to_vec(), datagram))
        })
        .collect();
    let read = |payload: &[u8], datagram: bool| -> Vec<String> {
        let Identified::As(mut dissector, _) = identify(payload, datagram, &ports(), &Hints::default()) else {
            return Vec::new();
        };
        let mut writes = Writes(Vec::new());
        for direction in [Direction::ToServer, Direction::ToClient] {
            dissector.feed(direction, 0, payload, &mut writes);
        }
        writes.0
    };
    let all: Vec<_> = all.into_iter().filter(|(payload, datagram)| !read(payload, *datagram).is_empty()).collect();
    assert!(all.len() > 50, "{} payloads with writes", all.len());
    for_each(&all, |(payload, datagram)| {
        let whole: BTreeSet<String> = read(payload, *datagram).into_iter().collect();
        for length in 0..payload.len() {
            for part in read(&payload[..length], *datagram) {
                assert!(whole.contains(&part), "{length} octets of {payload:02x?}: {part}");
            }
        }
    });
}

/// Reads of the protocols, told apart by their first address, and messages that are broken.
struct Poisoned {
    port: u16,
    /// The code of a read.
    read: u16,
    /// The request for the values from an address on, with the number that it has in its stream.
    request: fn(u16, u16) -> Vec<u8>,
    /// The message, and how many whole ones behind it may go with it: none where its length is right.
    poisons: Vec<(&'static str, Vec<u8>, usize)>,
}

fn modbus_read(number: u16, first: u16) -> Vec<u8> {
    wire::tcp(number, 1, &wire::read(3, first, 2))
}

fn dnp3_fragment(number: u16, function: u8, objects: &[Vec<u8>]) -> Vec<u8> {
    let control = dnp3_wire::FIR | dnp3_wire::FIN | (number % 16) as u8;
    let fragment = dnp3_wire::request(control, function, objects);
    let link = dnp3_wire::Link::to_outstation(10, 1);
    dnp3_wire::frame(link, &dnp3_wire::segment(true, true, (number % 64) as u8, &fragment))
}

fn dnp3_read(number: u16, first: u16) -> Vec<u8> {
    dnp3_fragment(number, dnp3_wire::function::READ, &[dnp3_wire::range16(30, 0, first, first + 1, &[])])
}

fn iec104_read(number: u16, first: u16) -> Vec<u8> {
    iec104_wire::information(number, 0, &iec104_wire::read(1, first.into()))
}

fn poisoned() -> [Poisoned; 3] {
    let modbus = vec![
        ("function code 0", wire::tcp(900, 1, &[0, 1, 2, 3]), 0),
        ("quantity 0", wire::tcp(900, 1, &wire::read(3, 1, 0)), 0),
        ("quantity 65535", wire::tcp(900, 1, &wire::read(3, 1, 0xffff)), 0),
        ("byte count too high", wire::tcp(900, 1, &[16, 0, 1, 0, 1, 200, 0, 1]), 0),
        ("a response", wire::tcp(900, 1, &wire::registers(3, &[1, 2])), 0),
        ("an exception", wire::tcp(900, 1, &wire::exception(3, 2)), 0),
        ("no data", wire::tcp(900, 1, &[16]), 0),
        ("protocol identifier 7", wire::tcp_claiming(900, 7, 6, 1, &wire::read(3, 1, 1)), 1),
        ("octets of no message", vec![0xff; 9], 1),
    ];
    let broken = |block| {
        let mut frame = dnp3_read(7, 1);
        dnp3_wire::spoil_crc(&mut frame, block);
        frame
    };
    let link = dnp3_wire::Link::to_outstation(10, 1);
    let endless = dnp3_wire::segment(false, true, 9, &[0xc0, 1, 30]);
    let long = vec![dnp3_wire::all(30, 0).repeat(80)];
    let dnp3 = vec![
        ("a wrong header CRC", broken(0), 0),
        ("a wrong block CRC", broken(1), 0),
        ("function code 255", dnp3_fragment(7, 255, &[]), 0),
        ("a count of 4294967295", dnp3_fragment(7, 1, &[dnp3_wire::count(60, 1, 4, u32::MAX, &[])]), 0),
        ("a range that ends early", dnp3_fragment(7, 1, &[dnp3_wire::range8(30, 0, 9, 3, &[])]), 0),
        ("half an object header", dnp3_fragment(7, 1, &[vec![30, 0]]), 0),
        ("no application header", dnp3_wire::frame(link, &[0xc7]), 0),
        ("no user data", dnp3_wire::frame(link, &[]), 0),
        ("a fragment that never ends", dnp3_wire::frame(link, &endless), 0),
        ("a stray segment", dnp3_wire::frame(link, &dnp3_wire::segment(true, false, 33, &[1, 2, 3])), 0),
        ("80 headers", dnp3_fragment(7, 1, &long), 0),
        ("octets of no message", vec![0xff; 9], 0),
        ("start octets", [5, 0x64].repeat(6), 0),
    ];
    let asdu =
        |header, objects: &[(u32, Vec<u8>)]| iec104_wire::information(900, 0, &iec104_wire::asdu(header, objects));
    let header = |kind, cause| iec104_wire::Header::new(kind, cause, 1);
    let many = iec104_wire::asdu_claiming(header(102, 5), 0x7f, &[(1, Vec::new())]);
    let none = iec104_wire::asdu_claiming(header(102, 5), 0, &[(1, Vec::new())]);
    let iec104 = vec![
        ("type 0", asdu(header(0, 5), &[(1, vec![1])]), 0),
        ("a private type", asdu(header(200, 5), &[(1, vec![1; 30])]), 0),
        ("cause 0", asdu(header(102, 0), &[(1, Vec::new())]), 0),
        ("station 0", asdu(iec104_wire::Header::new(102, 5, 0), &[(1, Vec::new())]), 0),
        ("127 objects of one", iec104_wire::information(900, 0, &many), 0),
        ("no object", iec104_wire::information(900, 0, &none), 0),
        ("no ASDU", iec104_wire::information(900, 0, &[]), 0),
        ("half an ASDU", iec104_wire::information(900, 0, &[102, 1, 5]), 0),
        ("no U function", iec104_wire::unnumbered(0x03), 0),
        ("an S format with more", iec104_wire::apdu([1, 0, 0, 0], &[1, 2, 3]), 0),
        ("length 3", iec104_wire::apdu_claiming(3, [1, 0, 0, 0], &[]), 1),
        ("octets of no message", vec![0xff; 9], 1),
    ];
    [
        Poisoned { port: 502, read: 3, request: modbus_read, poisons: modbus },
        Poisoned { port: 20_000, read: 1, request: dnp3_read, poisons: dnp3 },
        Poisoned { port: 2_404, read: 102, request: iec104_read, poisons: iec104 },
    ]
}

#[test]
fn what_follows_a_broken_message_is_read_as_if_alone() {
    for Poisoned { port, read, request, poisons } in poisoned() {
        for (what, poison, may_go) in poisons {
            for together in [false, true] {
                let tell = |poisoned: bool| {
                    let mut story = Story::new();
                    let (panel, controller) = (host(5), host(9));
                    let conversation = story.tcp(panel, controller.port(port));
                    let other = story.tcp(host(6), controller.port(port));
                    story.says(conversation, &request(0, 40));
                    let next: Vec<Vec<u8>> = (0..4).map(|n| request(n + 1, 50 + n * 5)).collect();
                    match (poisoned, together) {
                        (true, true) => drop(story.says(conversation, &[poison.clone(), next[0].clone()].concat())),
                        (true, false) => drop(story.says(conversation, &poison).says(conversation, &next[0])),
                        (false, _) => drop(story.says(conversation, &next[0])),
                    }
                    story.says(other, &request(0, 70));
                    for octets in &next[1..] {
                        story.says(conversation, octets);
                    }
                    let said = said(&heads(&story.end()));
                    let firsts = said.into_iter().filter(|(stage, _)| *stage == Stage::Requested);
                    let reads = firsts.filter(|(_, (operation, _))| operation.code == read);
                    reads.filter_map(|(_, (operation, _))| operation.target.map(|target| target.first)).collect()
                };
                let (alone, behind): (Vec<u32>, Vec<u32>) = (tell(false), tell(true));
                assert_eq!(alone, [40, 50, 70, 55, 60, 65], "port {port}");
                let missing = alone.iter().filter(|first| !behind.contains(first)).count();
                assert!(missing <= may_go, "port {port}, {what}, together {together}: {behind:?}");
                assert!(behind.contains(&70), "{what}: the other conversation is as it was");
            }
        }
    }
}

fn host(number: u8) -> Host {
    Host::new("host", [2, 0, 0, 0, 0, number], [10, 0, 0, number])
}

// What the network and the mirror do

/// A capture damaged, with its frames' numbers in the original.
type Damage = (String, Vec<Headed>);

/// A new kind of alert that the damage makes, and where.
fn accusation(
    case: &Case,
    usual: &BTreeSet<&'static str>,
    damage: &Damage,
    allowed: &[&str],
) -> Option<(String, String)> {
    let run = run_heads(case.setup(), &damage.1, 256);
    let new = run.alerts.iter().find(|alert| {
        let name = alert.card.name;
        !usual.contains(name) && !allowed.contains(&name)
    });
    new.map(|alert| {
        let frames: Vec<u64> = alert.finding.earlier.iter().map(|cited| cited.origin.frame).collect();
        let (name, subject) = (alert.card.name, &alert.finding.subject);
        // Subjects of sessions and commands name what is wrong at their ends.
        let which = subject.rsplit('/').find(|part| part.contains('_')).unwrap_or_default();
        let what = format!("{}, {} ({subject}) at frame {}", case.name, damage.0, alert.origin.frame);
        (format!("{name} {which}"), format!("{what}, earlier {frames:?}"))
    })
}

/// What is known to be said now and then, and of how many of the some ten thousand damaged captures at most: that what would
/// have told otherwise is missing shows only later there, or never.
const KNOWN: [(&str, usize); 5] = [
    ("clock_far", 2),
    ("reporting_disabled", 6),
    ("command_sequence", 6),
    ("session_irregular t1_exceeded", 6),
    ("session_irregular data_before_startdt", 40),
];

fn assert_no_accusations(allowed: &[&str], damages: impl Fn(&Case) -> Vec<Damage> + Sync) {
    let found = map(&cases(), |case| {
        let usual = run(case.setup(), &case.capture).kinds();
        let asked = asked_in(&case.capture);
        let damages = damages(case);
        // Where the wire says two things at once, either of them may come to be read.
        let is_plain = !usual.iter().any(|kind| CONFESSIONS.contains(kind));
        for (what, frames) in damages.iter().filter(|_| is_plain) {
            assert_nothing_invented(frames, &asked, &format!("{}, {what}", case.name));
        }
        damages.iter().filter_map(|damage| accusation(case, &usual, damage, allowed)).collect::<Vec<_>>()
    });
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (kind, what) in found.into_iter().flatten() {
        kinds.entry(kind).or_default().push(what);
    }
    kinds.retain(|kind, what| !KNOWN.iter().any(|(known, most)| kind.starts_with(known) && what.len() <= *most));
    let lines: Vec<String> =
        kinds.iter().map(|(kind, what)| format!("  {kind}: {} times, the first {}", what.len(), what[0])).collect();
    assert!(kinds.is_empty(), "somebody is accused of what the network did:\n{}", lines.join("\n"));
}

#[test]
fn lost_frames_accuse_nobody() {
    assert_no_accusations(&CONFESSIONS, |case| {
        let frames = heads(&case.capture);
        let mut damages = Vec::new();
        for (per_thousand, seeds) in [(1, 4), (10, 8), (100, 16), (300, 8)] {
            for seed in 0..seeds {
                let mut dice = Dice::new(1_000 * per_thousand + seed);
                let mut left = frames.clone();
                left.retain(|_| u64::from(dice.below(1_000)) >= per_thousand);
                damages.push((format!("{per_thousand} of 1000 lost, seed {seed}"), left));
            }
        }
        for length in [1, 2, 3, 5, 10, 30, 100, 1_000] {
            for seed in 0..6 {
                let mut dice = Dice::new(length * 100 + seed);
                let start = dice.below(u32::try_from(frames.len()).expect("it is short")) as usize;
                let mut left = frames.clone();
                left.drain(start..left.len().min(start + length as usize));
                damages.push((format!("{length} lost from frame {}", start + 1), left));
            }
        }
        damages
    });
}

#[test]
fn a_capture_that_begins_late_accuses_nobody() {
    assert_no_accusations(&CONFESSIONS, |case| {
        let frames = heads(&case.capture);
        let step = (frames.len() / 60).max(1);
        let starts = (1..frames.len()).step_by(step);
        starts.map(|start| (format!("without its first {start} frames"), frames[start..].to_vec())).collect()
    });
}

#[test]
fn frames_cut_by_the_capture_accuse_nobody() {
    assert_no_accusations(&CONFESSIONS, |case| {
        let mut damages = Vec::new();
        for snap in [54, 60, 64, 66, 68, 80, 96, 128] {
            let mut frames = heads(&case.capture);
            for (_, octets) in &mut frames {
                octets.truncate(snap);
            }
            damages.push((format!("cut to {snap} octets"), frames));
        }
        damages
    });
}

/// The MAC addresses of those who answer at port 502 or at the scenario's server ports, and of all others that speak.
fn servers_and_clients(capture: &Capture) -> [BTreeSet<ethernet::Mac>; 2] {
    let (mut servers, mut clients) = (BTreeSet::new(), BTreeSet::new());
    for frame in &capture.frames {
        let packet = decoded(&frame.octets, frame.octets.len());
        let mac = |at: usize| frame.octets[at..at + 6].try_into().expect("a MAC address has six octets");
        if let Network::Ip(_, Transport::Tcp { source, destination, .. } | Transport::Udp { source, destination }) =
            packet.network
        {
            if destination < source {
                clients.insert(mac(6));
                servers.insert(mac(0));
            } else {
                clients.insert(mac(0));
                servers.insert(mac(6));
            }
        }
    }
    [servers, clients]
}

fn without(capture: &Capture, silent: &BTreeSet<ethernet::Mac>) -> Vec<Headed> {
    let mut frames = heads(capture);
    frames.retain(|(_, octets)| !silent.iter().any(|mac| octets[6..12] == mac[..]));
    frames
}

#[test]
fn one_side_alone_accuses_nobody() {
    assert_no_accusations(&CONFESSIONS, |case| {
        let [servers, clients] = servers_and_clients(&case.capture);
        vec![
            ("without the servers' frames".to_owned(), without(&case.capture, &servers)),
            ("without the clients' frames".to_owned(), without(&case.capture, &clients)),
        ]
    });
}

#[test]
fn one_side_alone_is_counted_and_still_judged() {
    let case = cases().into_iter().find(|case| case.name == "write_unusual").expect("the scenario is there");
    let [servers, clients] = servers_and_clients(&case.capture);
    for silent in [servers, clients] {
        let frames = without(&case.capture, &silent);
        assert!(!frames.is_empty() && frames.len() < case.capture.frames.len());
        let run = run_heads(case.setup(), &frames, 256);
        assert!(run.report.counters.one_sided_flows > 0, "{:?}", run.report.counters);
        assert!(run.kinds().contains("write_unusual"), "either half of a write tells of it: {:?}", run.kinds());
    }
    let whole = run(case.setup(), &case.capture);
    assert_eq!(whole.report.counters.one_sided_flows, 0);
}

/// What an alert says, but for numbers that count frames of the timeline.
fn judgements(run: &Run) -> Vec<String> {
    let alerts = run.alerts.iter().map(|alert| {
        let earlier: Vec<u64> = alert.finding.earlier.iter().map(|cited| cited.origin.frame).collect();
        let (name, severity, subject) = (alert.card.name, alert.severity, &alert.finding.subject);
        let closes = alert.closes.is_some();
        format!(
            "{name} {severity:?} {subject} frame {} earlier {earlier:?} repeats {} {closes}",
            alert.origin.frame, alert.repeats
        )
    });
    alerts.collect()
}

/// A frame as seen behind a router: another hop, other stations.
fn routed(octets: &[u8]) -> Vec<u8> {
    let mut copy = octets.to_vec();
    if octets[12..14] == [0x08, 0x00] && octets[14] == 0x45 {
        copy[5] ^= 0x40;
        copy[11] ^= 0x40;
        copy[22] = copy[22].saturating_sub(1);
        copy[24..26].copy_from_slice(&[0, 0]);
        let sum = ip::checksum(&copy[14..34]);
        copy[24..26].copy_from_slice(&sum.to_be_bytes());
    }
    copy
}

#[test]
fn the_second_copies_of_a_mirror_change_nothing() {
    type Alter = fn(&[u8]) -> Vec<u8>;
    let copies: [(&str, Alter); 3] = [
        ("equal", |octets| octets.to_vec()),
        ("tagged", |octets| ethernet::tagged(octets, &[(ethernet::C_TAG, 7)])),
        ("routed", routed),
    ];
    let found = map(&cases(), |case| {
        let expected = run(case.setup(), &case.capture);
        let is_ip = |octets: &[u8]| matches!(decoded(octets, octets.len()).network, Network::Ip(..));
        let is_known_by_its_headers = |octets: &[u8]| match decoded(octets, octets.len()).network {
            Network::Ip(_, Transport::Tcp { .. }) => true,
            Network::Ip(ip, _) => ip.identification.is_some_and(|identification| identification != 0),
            _ => false,
        };
        let mut times: BTreeMap<&[u8], usize> = BTreeMap::new();
        for frame in &case.capture.frames {
            *times.entry(&frame.octets).or_default() += 1;
        }
        let mut failures = Vec::new();
        for (what, alter) in copies {
            for delay_ns in [0, 1_000, 60_000, 500_000, 1_000_000] {
                let mut frames = heads(&case.capture);
                let mut late = frames.clone();
                // What is not IP is the same on both sides, or is not forwarded at all. What a device sends twice,
                // octet for octet, cannot be told from the copies of it.
                late.retain(|(_, octets)| is_ip(octets) && times[octets.as_slice()] == 1);
                let known = late.iter().filter(|(_, octets)| is_known_by_its_headers(octets)).count();
                for (head, octets) in &mut late {
                    *octets = alter(octets);
                    head.wire_octets = u32::try_from(octets.len()).expect("it is short");
                    head.time.0 += delay_ns;
                }
                frames.extend(late);
                frames.sort_by_key(|(head, _)| head.time);
                let run = run_heads(case.setup(), &frames, 256);
                let what = format!("{}, {what} copies after {delay_ns} ns", case.name);
                if let Some((left, right)) = first_difference(&judgements(&expected), &judgements(&run)) {
                    failures.push(format!("{what}: {left} became {right}"));
                } else if let Some((left, right)) = first_difference(&expected.asset_lines(), &run.asset_lines()) {
                    failures.push(format!("{what}: {left}\nbecame {right}"));
                } else if run.report.counters.duplicates < u64::try_from(known).expect("it is short") {
                    let counted = run.report.counters.duplicates;
                    failures.push(format!("{what}: {counted} copies were counted, and {known} made"));
                } else if run.report.counters.flows != expected.report.counters.flows {
                    failures.push(format!("{what}: other flows"));
                }
            }
        }
        failures
    });
    let found: Vec<String> = found.into_iter().flatten().collect();
    assert!(
        found.is_empty(),
        "{} times:\n{}",
        found.len(),
        found.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
}

fn first_difference(left: &[String], right: &[String]) -> Option<(String, String)> {
    let none = "nothing".to_owned();
    let count = left.len().max(right.len());
    (0..count)
        .map(|at| (left.get(at).unwrap_or(&none).clone(), right.get(at).unwrap_or(&none).clone()))
        .find(|(left, right)| left != right)
}

#[test]
fn frames_that_change_places_within_a_millisecond_accuse_nobody() {
    assert_no_accusations(&[], |case| {
        (0..6)
            .map(|seed| {
                let mut dice = Dice::new(seed);
                let mut frames = heads(&case.capture);
                for at in 1..frames.len() {
                    let near = frames[at].0.time.0 - frames[at - 1].0.time.0 <= 1_000_000;
                    if near && dice.below(10) < 3 {
                        let (early, late) = (frames[at - 1].0.time, frames[at].0.time);
                        frames.swap(at - 1, at);
                        frames[at - 1].0.time = early;
                        frames[at].0.time = late;
                    }
                }
                (format!("neighbours swapped, seed {seed}"), frames)
            })
            .collect()
    });
}

#[test]
fn times_that_go_back_a_second_accuse_nobody() {
    assert_no_accusations(&[], |case| {
        (0..4)
            .map(|seed| {
                let mut dice = Dice::new(seed);
                let mut frames = heads(&case.capture);
                for (head, _) in &mut frames {
                    if dice.below(10) == 0 {
                        head.time.0 -= u64::from(dice.below(1_000_000_000));
                    }
                }
                (format!("times set back, seed {seed}"), frames)
            })
            .collect()
    });
}

#[test]
fn the_damage_is_done() {
    // The metamorphic tests above would pass if nothing were damaged, or nothing were heard.
    let case = cases().into_iter().find(|case| case.name == "write_unusual").expect("the scenario is there");
    assert!(!asked_in(&case.capture).is_empty());
    let mut frames = heads(&case.capture);
    for (_, octets) in &mut frames {
        octets.truncate(60);
    }
    let run = run_heads(case.setup(), &frames, 256);
    assert!(run.report.counters.truncated > 0);
    let frame = TimedFrame { time_ns: 0, octets: vec![0; 60] };
    let nothing = asked_in(&Capture { frames: vec![frame], link_type: 1 });
    let invented = std::panic::catch_unwind(|| assert_nothing_invented(&heads(&case.capture), &nothing, "nothing"));
    assert!(invented.is_err());
}
