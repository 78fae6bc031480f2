//! The promise: what a network, a mirror or an attacker does to frames never stops the sensor, and never makes it say
//! what nobody did.

use fixtures::story::{Capture, Dice, Host, Story, TimedFrame};
use fixtures::wire::{ethernet, ip, modbus as wire};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use tests::{CONFESSIONS, Case, Headed, Run, cases, for_each, head, heads, map, run, run_heads, tiny_limits};
use yagura_core::analyzer::{Analyzer, Setup};
use yagura_core::dispatch::{Octets, Receiver, Routed};
use yagura_core::draft::Draft;
use yagura_core::frame::FrameBatch;
use yagura_core::shard::Shard;
use yagura_parsers::discovery;
use yagura_parsers::dissect::{Direction, Hints, Listener};
use yagura_parsers::error::ParseError;
use yagura_parsers::message::{Describe, Operation};
use yagura_parsers::packet::decode::{decode, decode_datagram};
use yagura_parsers::packet::link::LinkType;
use yagura_parsers::packet::{Carrier, DEPTH_MAX, Network, Packet, Transport};
use yagura_parsers::protocols::{AnyDissector, Identified, ProtocolId, identify, modbus};
use yagura_rules::facts::event::{EventKind, FrameRef, Stage};
use yagura_rules::facts::time::Timestamp;

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
    told: usize,
}

impl Listener for Asker {
    fn message<M: Describe>(&mut self, message: &M, octets: &[u8]) {
        self.told += octets.len();
        interrogate(message);
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
fn interrogate(message: &impl Describe) {
    let mut asked = None;
    let mut text = String::new();
    message.operations(&mut |operation| {
        assert!(operation.target.is_none_or(|target| target.count >= 1 && target.last() >= target.first));
        asked = Some(operation);
    });
    message.fields(&mut |name, _| text.push_str(name));
    message.points(None, &mut |_| {});
    message.points(asked, &mut |_| {});
    message.tally(&mut |tally| {
        text.clear();
        let _ = write!(text, "{}", ProtocolId::Modbus.tally_key(tally));
    });
    message.identity(&mut |_| {});
    let _ = (message.kind(), message.pairing(), message.refusal());
    if let Some(fault) = message.fault() {
        let _ = write!(text, "{fault}");
    }
}

/// Reads a payload as every protocol would: asked what it is, and in step and out of step, both ways.
fn dissect(payload: &[u8], datagram: bool) {
    let _ = identify(payload, datagram, &[502], &Hints::default());
    for rtu in [false, true] {
        for direction in [Direction::ToServer, Direction::ToClient] {
            for lost in [false, true] {
                let own = if rtu { modbus::ModbusDissector::rtu() } else { modbus::ModbusDissector::default() };
                let mut dissector = AnyDissector::Modbus(own);
                if lost {
                    dissector.gap(direction);
                }
                let mut asker = Asker { told: 0 };
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
                    dissect(packet.payload(cut), datagram);
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
                    dissect(packet.payload(&changed), datagram);
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
            let codes = payload.iter().skip(7).take(2).copied().collect();
            shapes.entry((payload.len(), codes)).or_insert((payload.to_vec(), datagram));
        }
    }
    let shapes: Vec<_> = shapes.into_values().collect();
    assert!(shapes.len() > 100, "{} shapes", shapes.len());
    for_each(&shapes, |(payload, datagram)| {
        let mut changed = payload.clone();
        for at in 0..payload.len().min(260) {
            for value in 0..=u8::MAX {
                changed[at] = value;
                dissect(&changed, *datagram);
            }
            changed[at] = payload[at];
        }
        for at in 0..payload.len().saturating_sub(1).min(64) {
            for value in [0_u16, 1, 2, 0x7f, 0xff, 0x100, 0x7fff, 0x8000, 0xfffe, 0xffff] {
                changed[at..at + 2].copy_from_slice(&value.to_be_bytes());
                dissect(&changed, *datagram);
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

/// Sends every `step`th packet through an analyzer, cut at every length and with so many values in each of its first 128
/// octets (256: each once; fewer: by dice). How many frames that were.
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

    fn tick(&mut self, number: u64, origin: FrameRef, now: Timestamp) {
        for shard in &mut self.shards {
            shard.tick(number, origin, now);
            shard.drain_into(&mut self.drafts);
        }
    }

    fn fact(&mut self, _: u64, _: FrameRef, _: Timestamp, _: EventKind) {}
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
    let facts = floor.drafts.into_iter().filter_map(|draft| match draft.event.kind {
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
        let Identified::As(mut dissector, _) = identify(payload, datagram, &[502], &Hints::default()) else {
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

#[test]
fn what_follows_a_broken_message_is_read_as_if_alone() {
    // The message, and how many whole ones behind it may go with it: none where its length is right.
    let poisons: [(&str, Vec<u8>, usize); 9] = [
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
    for (what, poison, may_go) in poisons {
        for together in [false, true] {
            let tell = |poisoned: bool| {
                let mut story = Story::new();
                let (panel, controller) = (host(5), host(9));
                let conversation = story.tcp(panel, controller.port(502));
                let other = story.tcp(host(6), controller.port(502));
                story.modbus(conversation, 1, &wire::read(3, 40, 10), &wire::registers(3, &[0; 10]));
                let next: Vec<Vec<u8>> = (0..4).map(|n| wire::tcp(n, 1, &wire::read(3, 50 + n, 2))).collect();
                match (poisoned, together) {
                    (true, true) => drop(story.says(conversation, &[poison.clone(), next[0].clone()].concat())),
                    (true, false) => drop(story.says(conversation, &poison).says(conversation, &next[0])),
                    (false, _) => drop(story.says(conversation, &next[0])),
                }
                story.modbus(other, 1, &wire::read(3, 70, 1), &wire::registers(3, &[7]));
                for octets in &next[1..] {
                    story.says(conversation, octets);
                }
                let said = said(&heads(&story.end()));
                let firsts = said.into_iter().filter(|(stage, _)| *stage == Stage::Requested);
                firsts.filter_map(|(_, (operation, _))| operation.target.map(|target| target.first)).collect()
            };
            let (alone, behind): (Vec<u32>, Vec<u32>) = (tell(false), tell(true));
            assert_eq!(alone, [40, 50, 70, 51, 52, 53]);
            let missing = alone.iter().filter(|first| !behind.contains(first)).count();
            assert!(missing <= may_go, "{what}, together {together}: {behind:?}");
            assert!(behind.contains(&70), "{what}: the other conversation is as it was");
        }
    }
}

fn host(number: u8) -> Host {
    Host::new("host", [2, 0, 0, 0, 0, number], [10, 0, 0, number])
}

// What the network and the mirror do

/// A capture damaged, with its frames' numbers in the original.
type Damage = (String, Vec<Headed>);

/// New kinds of alerts that the damage makes.
fn accusations(case: &Case, usual: &BTreeSet<&'static str>, damage: &Damage, allowed: &[&str]) -> Option<String> {
    let run = run_heads(case.setup(), &damage.1, 256);
    let new = run.alerts.iter().find(|alert| {
        let name = alert.card.name;
        !usual.contains(name) && !allowed.contains(&name)
    });
    new.map(|alert| {
        let frames: Vec<u64> = alert.finding.earlier.iter().map(|cited| cited.origin.frame).collect();
        let (name, subject) = (alert.card.name, &alert.finding.subject);
        format!("{}, {}: {name} ({subject}) at frame {}, earlier {frames:?}", case.name, damage.0, alert.origin.frame)
    })
}

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
        damages.iter().filter_map(|damage| accusations(case, &usual, damage, allowed)).collect::<Vec<_>>()
    });
    let found: Vec<String> = found.into_iter().flatten().collect();
    let (count, first) = (found.len(), found.iter().take(40).cloned().collect::<Vec<_>>().join("\n"));
    assert!(count == 0, "{count} times somebody is accused of what the network did:\n{first}");
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
                // What is not IP is the same on both sides, or is not forwarded at all. What a device sends twice, octet for
                // octet, cannot be told from the copies of it.
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
