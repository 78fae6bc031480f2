//! The promise, for inputs that nobody thought of: no panic on any octets, and the way in which octets arrive changes
//! nothing of what they say.

use fixtures::story::{Capture, Host, Side, Story};
use fixtures::wire::{dnp3, ethernet, iec104, ip, modbus, pcap, pcapng, udp};
use proptest::collection::vec;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;
use tests::{CONFESSIONS, Headed, Run, head, heads, learn, policy, run_heads, tiny_limits};
use yagura::capture::source::{Fill, FrameSource};
use yagura_core::analyzer::Setup;
use yagura_core::defrag::{Defragmenter, Outcome};
use yagura_core::flow::FlowKey;
use yagura_core::frame::FrameBatch;
use yagura_core::limits::Limits;
use yagura_parsers::discovery;
use yagura_parsers::dissect::{Direction, Hints, Listener};
use yagura_parsers::error::ParseError;
use yagura_parsers::message::Describe;
use yagura_parsers::packet::decode::{decode, decode_datagram};
use yagura_parsers::packet::link::LinkType;
use yagura_parsers::packet::{Carrier, DEPTH_MAX, Fragment, Ip, Scope};
use yagura_parsers::protocols::dnp3::Dnp3Dissector;
use yagura_parsers::protocols::iec104::Iec104Dissector;
use yagura_parsers::protocols::{AnyDissector, ProtocolId, identify, modbus::ModbusDissector};
use yagura_rules::detections::CATALOG;
use yagura_rules::facts::flow::{Endpoint, Transport};
use yagura_rules::facts::time::Timestamp;
use yagura_rules::policy::Policy;

const HMI: Host = Host::new("HMI-1", [0x00, 0x14, 0x22, 0x0a, 0x11, 0x05], [10, 20, 0, 5]);
const PLC: Host = Host::new("PLC-1", [0x00, 0x80, 0xf4, 0x1a, 0x01, 0x09], [10, 20, 1, 9]);

/// So many cases of each property, the same each time.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: count,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(20_260_105),
        ..ProptestConfig::default()
    }
}

// Octets as the wire has them: not even chance, which never gets past the first header

/// The link types that are read, and one that is not.
const LINK_TYPES: [u16; 13] = [1, 0, 9, 12, 14, 50, 101, 108, 113, 228, 229, 276, 65_535];

/// Octets with numbers in them that headers and lengths like.
fn octets(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![
        4 => any::<u8>(),
        3 => prop::sample::select(vec![0_u8, 1, 2, 3, 4, 5, 6, 15, 16, 17, 0x2b, 0x45, 0x5a, 0x60, 0x81, 0xff]),
    ];
    vec(octet, 0..most)
}

/// A frame of which the headers are right and anything may follow.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let fixture = prop::sample::select(FIXTURES.clone());
    prop_oneof![
        1 => octets(200),
        2 => (fixture.clone(), octets(60)).prop_map(|(frame, tail)| {
            let keep = frame.len().min(54);
            [&frame[..keep], &tail].concat()
        }),
        3 => (fixture, vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)).prop_map(|(mut frame, changes)| {
            for (at, value) in changes {
                let at = at.index(frame.len());
                frame[at] = value;
            }
            frame
        }),
    ]
}

static FIXTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let captures = tests::cases().into_iter().map(|case| case.capture);
    captures.flat_map(|capture| capture.frames.into_iter().step_by(7)).map(|frame| frame.octets).collect()
});

/// A stream of Modbus with some of what is wrong with streams.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let pdu = prop_oneof![
        Just(modbus::read(3, 40, 10)),
        Just(modbus::write_multiple_registers(7, &[1, 2, 3])),
        Just(modbus::write_single_coil(9, true)),
        Just(modbus::registers(3, &[9; 10])),
        Just(modbus::exception(3, 2)),
        Just(modbus::read_file_record(&[(1, 2, 3), (4, 5, 6)])),
        Just(modbus::device_identification(1, 1, &[(0, "a"), (1, "b")])),
        Just(modbus::diagnostics(4, &[0])),
        octets(30),
    ];
    let part = prop_oneof![
        4 => (any::<u16>(), any::<u8>(), pdu.clone()).prop_map(|(id, unit, pdu)| modbus::tcp(id, unit, &pdu)),
        2 => (1..248_u8, pdu.clone()).prop_map(|(unit, pdu)| modbus::rtu(unit, &pdu)),
        1 => (any::<u16>(), any::<u16>(), pdu).prop_map(|(protocol, length, pdu)| {
            modbus::tcp_claiming(1, protocol % 3, length % 300, 1, &pdu)
        }),
        1 => octets(12),
    ];
    vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// Link frames of DNP3, of one fragment or a part of one, with some of what is wrong with them.
fn dnp3_streams() -> impl Strategy<Value = Vec<u8>> {
    let block = dnp3::ControlRelayOutputBlock::new(3);
    let objects = prop_oneof![
        Just(dnp3::classes(&[1, 2, 3, 0]).concat()),
        Just(dnp3::range8(30, 1, 0, 3, &[1, 9, 0, 0, 0].repeat(4))),
        Just(dnp3::range16(1, 1, 5, 60, &[0x5a; 7])),
        Just(block.at(9)),
        Just(dnp3::indexed8(2, 2, &[(3, dnp3::timed(&dnp3::binary(true, 1), 1_767_607_200_000))])),
        Just(dnp3::count(50, 1, 1, 1, &dnp3::time(1_767_607_200_000))),
        Just(dnp3::free_format(70, 3, &[vec![1; 30]])),
        octets(40),
    ];
    let function = prop::sample::select(vec![0_u8, 1, 2, 3, 4, 5, 6, 13, 20, 21, 129, 130, 200]);
    let fragment = (any::<u8>(), function, objects).prop_map(|(control, function, objects)| {
        let indications: &[u8] = if function >= 129 { &[0, 0] } else { &[] };
        [&[control | 0xc0, function], indications, &objects].concat()
    });
    let link = prop::sample::select(vec![(10, 1), (11, 1), (10, 2), (0xffff, 1)]);
    let part = prop_oneof![
        6 => (link.clone(), any::<bool>(), 0..64_u8, 1..60_usize, fragment).prop_map(|(ends, answer, sequence, size, fragment)| {
            let (outstation, master) = ends;
            let to = dnp3::Link::to_outstation(outstation, master);
            let link = if answer { dnp3::Link::to_master(master, outstation) } else { to };
            dnp3::frames(link, sequence, size, &fragment).concat()
        }),
        2 => (link, any::<u8>(), octets(60)).prop_map(|((outstation, master), control, data)| {
            dnp3::frame(dnp3::Link::to_outstation(outstation, master).control(control), &data)
        }),
        1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, value)| {
            let mut frame = dnp3::frame(dnp3::Link::to_outstation(10, 1), &[0xc0, 0xc0, 1, 60, 2, 6]);
            let at = at.index(frame.len());
            frame[at] = value;
            frame
        }),
        1 => octets(12),
    ];
    vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// APDUs of IEC 104, with some of what is wrong with them.
fn iec104_streams() -> impl Strategy<Value = Vec<u8>> {
    let header = |kind, cause| iec104::Header::new(kind, cause, 1);
    let asdu = prop_oneof![
        Just(iec104::interrogation(iec104::ACTIVATION, 1, 20)),
        Just(iec104::asdu(header(45, 6), &[(9, iec104::command(1, 0, false))])),
        Just(iec104::asdu_sequence(header(11, 3), 700, &vec![iec104::measured(9, 0); 5])),
        Just(iec104::asdu(header(30, 3), &[(1, [vec![1], iec104::time56(1_767_607_200_000)].concat())])),
        Just(iec104::clock_synchronization(6, 1, 1_767_607_200_000)),
        (any::<u8>(), any::<u8>(), any::<u8>(), octets(40)).prop_map(move |(kind, structure, cause, data)| {
            [iec104::asdu_claiming(header(kind, cause & 0x3f), structure, &[]), data].concat()
        }),
    ];
    let part = prop_oneof![
        6 => (0..9_u16, 0..9_u16, asdu.clone()).prop_map(|(send, receive, asdu)| iec104::information(send, receive, &asdu)),
        2 => prop::sample::select(vec![0x07_u8, 0x0b, 0x13, 0x23, 0x43, 0x83, 0x03, 0xff]).prop_map(iec104::unnumbered),
        1 => (0..9_u16).prop_map(iec104::supervisory),
        1 => (any::<u8>(), any::<[u8; 4]>(), asdu).prop_map(|(length, control, asdu)| {
            iec104::apdu_claiming(length, control, &asdu)
        }),
        1 => octets(12),
    ];
    vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// A stream and who reads it.
fn spoken() -> impl Strategy<Value = (fn() -> AnyDissector, Vec<u8>)> {
    let modbus: fn() -> AnyDissector = || AnyDissector::Modbus(ModbusDissector::default());
    let rtu: fn() -> AnyDissector = || AnyDissector::Modbus(ModbusDissector::rtu());
    let dnp3: fn() -> AnyDissector = || AnyDissector::Dnp3(Dnp3Dissector::default());
    let iec104: fn() -> AnyDissector = || AnyDissector::Iec104(Iec104Dissector::default());
    prop_oneof![
        (prop::sample::select(vec![modbus, rtu]), streams()),
        (Just(dnp3), dnp3_streams()),
        (Just(iec104), iec104_streams()),
    ]
}

// No panic

proptest! {
    #![proptest_config(cases(2_048))]

    #[test]
    fn any_octets_are_some_packet(
        link in prop::sample::select(LINK_TYPES.to_vec()),
        lost in 0..3_u32,
        frame in frames(),
    ) {
        let captured = u32::try_from(frame.len()).expect("it is short");
        let packet = decode(Carrier { link: LinkType(link), wire_octets: captured + lost }, &frame);
        let end = packet.payload_offset as usize + packet.payload_octets as usize;
        prop_assert!(end <= frame.len(), "{packet:?}");
        prop_assert!(usize::from(packet.depth) <= DEPTH_MAX);
        discovery::claims(&packet, &frame, &mut |claim| assert!(claim.text.as_octets().len() <= discovery::TEXT_MAX));
        let datagram = packet.payload(&frame);
        let inner = decode_datagram(&packet, datagram);
        prop_assert!(inner.payload_offset as usize + inner.payload_octets as usize <= datagram.len());
    }
}

/// What was read, in words; how skipped octets are told apart depends on how they come.
#[derive(Default)]
struct Notes(Vec<String>, usize);

impl Listener for Notes {
    fn message<M: Describe>(&mut self, message: &M, octets: &[u8]) {
        self.skip();
        let mut said = format!("{octets:02x?} {:?} {:?} {:?}", message.kind(), message.pairing(), message.fault());
        message.fields(&mut |name, value| said += &format!(" {name}={value:?}"));
        message.operations(&mut |operation| said += &format!(" {operation:?}"));
        message.points(None, &mut |point| said += &format!(" {point:?}"));
        message.tally(&mut |tally| said += &format!(" {tally:?}"));
        message.identity(&mut |claim| said += &format!(" {claim:?}"));
        message.notices(&mut |notice| said += &format!(" {notice:?}"));
        said += &format!(" {:?} {:?}", message.control(), message.clock());
        self.0.push(said);
    }

    fn malformed(&mut self, error: ParseError, octets: &[u8]) {
        self.skip();
        self.0.push(format!("{octets:02x?} {error}"));
    }

    fn skipped(&mut self, octets: usize) {
        assert!(octets > 0);
        self.1 += octets;
    }
}

impl Notes {
    fn skip(&mut self) {
        if self.1 > 0 {
            self.0.push(format!("{} skipped", std::mem::take(&mut self.1)));
        }
    }

    fn all(mut self) -> Vec<String> {
        self.skip();
        self.0
    }
}

proptest! {
    #![proptest_config(cases(3_072))]

    #[test]
    fn a_stream_says_the_same_however_it_is_cut(
        (reader, stream) in spoken(),
        to_server in any::<bool>(),
        lost in any::<bool>(),
        cuts in vec(1..20_usize, 1..10),
    ) {
        let direction = if to_server { Direction::ToServer } else { Direction::ToClient };
        let new = || {
            let mut dissector = reader();
            if lost {
                dissector.gap(direction);
            }
            dissector
        };
        let mut whole = Notes::default();
        let used = new().feed(direction, 0, &stream, &mut whole);
        prop_assert!(used <= stream.len());
        let (mut dissector, mut pieces, mut pending) = (new(), Notes::default(), Vec::new());
        let (mut rest, mut used_in_pieces) = (stream.as_slice(), 0);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            rest = behind;
            pending.extend_from_slice(piece);
            let now = dissector.feed(direction, 0, &pending, &mut pieces);
            pending.drain(..now);
            used_in_pieces += now;
        }
        let (whole, pieces) = (whole.all(), pieces.all());
        // Out of step (octets are lost, or what stands there is no PDU), what may be a PDU is told from what follows
        // it, as far as that is there: from then on the way in which octets come may show. In step it must not. On a
        // serial line only what follows tells a PDU from octets between PDUs, so that there it holds where there are
        // none.
        let between = |notes: &[String]| notes.iter().any(|note| note.ends_with("skipped"));
        if lost || (reader().dialect() == "rtu" && (between(&whole) || between(&pieces))) {
            return Ok(());
        }
        let in_step = |notes: &[String]| notes.iter().take_while(|note| !note.ends_with("skipped")).count();
        let (steps, steps_in_pieces) = (in_step(&whole), in_step(&pieces));
        prop_assert_eq!(&whole[..steps], &pieces[..steps_in_pieces]);
        prop_assert_eq!(steps < whole.len(), steps_in_pieces < pieces.len());
        prop_assert!(steps < whole.len() || used == used_in_pieces);
        for datagram in [false, true] {
            let _ = identify(&stream, datagram, &[502, 20_000, 2_404], &Hints::default());
        }
    }
}

fn headed(frames: Vec<Vec<u8>>, link: u16, step_ns: u64) -> Vec<Headed> {
    let frames = frames.into_iter().zip(1..);
    frames
        .map(|(octets, number)| {
            (head(number, 1_767_607_200_000_000_000 + number * step_ns, u32::from(link), &octets), octets)
        })
        .collect()
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn any_frames_go_through_the_analyzer(
        link in prop::sample::select(LINK_TYPES.to_vec()),
        frames in vec(frames(), 0..40),
        step_ns in prop::sample::select(vec![0, 1_000, 40_000_000, 20_000_000_000]),
        tiny in any::<bool>(),
        learn in any::<bool>(),
    ) {
        let link = if step_ns == 0 { link } else { 1 };
        let limits = if tiny { tiny_limits() } else { Limits::default() };
        let count = frames.len() as u64;
        let run = run_heads(Setup { limits, learn, seed: step_ns, ..Setup::default() }, &headed(frames, link, step_ns), 8);
        prop_assert_eq!(run.report.counters.frames, count);
        prop_assert_eq!(run.report.counters.internal, 0);
        prop_assert!(run.report.assets.len() <= limits.assets_max);
        // What is written is one line each, however hostile the octets are.
        for line in run.alert_lines().into_iter().chain(run.asset_lines()) {
            prop_assert!(!line.contains(|c: char| c.is_control()), "{}", line);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
        }
        if let Some(learnt) = &run.report.learnt {
            policy(None, Some(&learnt.to_toml()));
        }
    }

    #[test]
    fn any_octets_as_a_capture_end(
        file in captures(),
        twice in any::<bool>(),
        frames_max in prop::sample::select(vec![1, 2, 7, 512]),
    ) {
        let path = std::env::temp_dir().join(format!("yagura-properties-{}.pcap", std::process::id()));
        std::fs::write(&path, &file).expect("the folder for temporary files can be written");
        let count = 1 + usize::from(twice);
        let opened = yagura::capture::open(&vec![path.clone(); count], yagura::capture::Extent::default());
        let Ok(mut source) = opened.map_err(|error| error.to_string()) else { return Ok(()) };
        let (mut batch, mut numbers, mut damages) = (FrameBatch::default(), vec![0; count], 0);
        loop {
            match source.fill(&mut batch, frames_max) {
                Ok(Fill::Frames) => {
                    prop_assert!(!batch.frames.is_empty() && batch.frames.len() <= frames_max && damages == 0);
                    for frame in batch.iter() {
                        let number = &mut numbers[usize::from(frame.head.origin.capture)];
                        *number += 1;
                        prop_assert_eq!(frame.head.origin.frame, *number);
                        prop_assert_eq!(frame.octets.len(), frame.head.captured_octets as usize);
                    }
                }
                Ok(Fill::End) => break,
                Ok(other) => prop_assert!(false, "a file has frames and nothing else: {other:?}"),
                Err(error) => {
                    damages += 1;
                    prop_assert!(damages <= count && !error.to_string().contains(char::is_control), "{}", error);
                }
            }
        }
        // A frame needs a record header of 16 octets (12 in the shortest block of pcapng).
        prop_assert!(numbers.iter().all(|number| *number <= file.len() as u64 / 12));
        prop_assert_eq!(source.fill(&mut batch, frames_max).expect("the end"), Fill::End);
    }

    #[test]
    fn any_text_as_a_site_file_is_read_or_refused(text in site_texts()) {
        let mut read = |name: &str| if name == "site.toml" { Ok(text.clone()) } else { Err("not there".to_owned()) };
        match Policy::load("site.toml", &mut read, CATALOG) {
            Ok(policy) => prop_assert!(policy.warnings.len() <= yagura_rules::problem::PROBLEMS_MAX),
            Err(problems) => {
                prop_assert!(!problems.is_empty() && problems.len() <= yagura_rules::problem::PROBLEMS_MAX);
                prop_assert!(problems.iter().all(|problem| !problem.one_line().contains('\n')));
            }
        }
    }
}

/// Capture files of both kinds, with octets changed and cut.
fn captures() -> impl Strategy<Value = Vec<u8>> {
    static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let mut story = Story::new();
        let conversation = story.tcp(HMI, PLC.port(502));
        story.modbus(conversation, 1, &modbus::read(3, 0, 2), &modbus::registers(3, &[1, 2]));
        let capture = story.end();
        let mut next_generation = pcapng::Writer::new(true);
        next_generation.interface(1, 0, 9).interface(101, 96, 6);
        for frame in &capture.frames {
            next_generation.packet(0, frame.time_ns, &frame.octets);
        }
        let mut other_order = pcapng::Writer::new(false);
        other_order.interface(1, 0, 6).simple_packet(&capture.frames[0].octets).section(true).interface(1, 0, 6);
        other_order.packet(0, capture.frames[0].time_ns, &capture.frames[0].octets);
        let nanoseconds = pcap::Format { nanoseconds: true, ..pcap::Format::default() };
        vec![
            capture.to_pcap(),
            capture.to_pcap_as(nanoseconds),
            next_generation.octets().to_vec(),
            other_order.octets().to_vec(),
        ]
    });
    let file = prop::sample::select(FILES.clone());
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..5);
    prop_oneof![
        1 => octets(100),
        5 => (file, changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(mut file, changes, end, cut)| {
            for (at, value) in changes {
                // Headers are where it hurts.
                let at = at.index(file.len().min(160));
                file[at] = value;
            }
            if cut {
                file.truncate(end.index(file.len()));
            }
            file
        }),
    ]
}

/// Texts that are somewhat like a site file.
fn site_texts() -> impl Strategy<Value = String> {
    let words = [
        "schema = 1\n",
        "site = \"x\"\n",
        "sensor = ",
        "assets = [\n",
        "{ address = \"10.0.0.1\" },\n",
        "]\n",
        "[zones]\n",
        "[zones.a]\n",
        "[[zones]]\n",
        "networks = [\"10.0.0.0/8\"]\n",
        "conduits = [\n",
        "from = \"a\"",
        "to = \"outside\"",
        "{ ",
        " }",
        ",",
        "allow = [\"modbus: read\"]\n",
        "[detections.scan_sweep]\n",
        "enabled = false\n",
        "severity = \"high\"\n",
        "include = [\"b.toml\"]\n",
        "suppress = [\n",
        "reason = \"é変\"",
        "until = 2026-01-01T00:00:00Z\n",
        "operations = [\n",
        "conversations = [\n",
        "values = [\n",
        "client = \"10.0.0.1\"",
        "server = \"::1\"",
        "unit = 300",
        "= ",
        "\"",
        "'''",
        "\u{0}",
        "[",
        "99999999999999999999",
        "\n",
        "#",
    ];
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    prop_oneof![
        1 => any::<String>(),
        4 => vec(prop::sample::select(words), 0..30).prop_map(|words| words.concat()),
    ]
}

// Conversations

/// The port where a protocol is usual.
fn home(protocol: ProtocolId) -> u16 {
    protocol.ports()[0]
}

/// A write or command to an address, and its answer; `number` counts the exchanges of a conversation.
fn exchange(protocol: ProtocolId, number: u16, address: u16) -> (Vec<u8>, Vec<u8>) {
    match protocol {
        ProtocolId::Modbus => {
            let write = modbus::write_multiple_registers(address, &[7; 3]);
            (modbus::tcp(number, 1, &write), modbus::tcp(number, 1, &modbus::written(16, address, 3)))
        }
        ProtocolId::Dnp3 => {
            let block = dnp3::ControlRelayOutputBlock::new(3).at(address);
            let control = dnp3::FIR | dnp3::FIN | (number % 16) as u8;
            let request = dnp3::request(control, dnp3::function::DIRECT_OPERATE, std::slice::from_ref(&block));
            let response = dnp3::response(control, dnp3::function::RESPONSE, dnp3::NO_INDICATION, &[block]);
            let sequence = (number * 2 % 64) as u8;
            (
                dnp3::frames(dnp3::Link::to_outstation(10, 1), sequence, 12, &request).concat(),
                dnp3::frames(dnp3::Link::to_master(1, 10), (number % 64) as u8, 249, &response).concat(),
            )
        }
        ProtocolId::Iec104 => {
            let asdu = |cause| {
                let header = iec104::Header::new(45, cause, 1);
                iec104::asdu(header, &[(address.into(), iec104::command(1, 0, false))])
            };
            (
                iec104::information(number, number, &asdu(iec104::ACTIVATION)),
                iec104::information(number, number + 1, &asdu(iec104::ACTIVATION_CONFIRMATION)),
            )
        }
    }
}

/// What a panel asks, and with it, by whom and when.
fn conversation(protocol: ProtocolId, writes: &[u16]) -> Story {
    let mut story = Story::new();
    story.arp_exchange(HMI, PLC);
    let conversation = story.tcp(HMI, PLC.port(home(protocol)));
    for (number, address) in (0..).zip(writes) {
        let (request, response) = exchange(protocol, number, *address);
        story.says(conversation, &request).answers(conversation, &response);
    }
    story
}

/// The setups, one for each protocol, in which a write to anything but address 40 is unusual.
static SETUPS: LazyLock<Vec<Setup>> = LazyLock::new(|| {
    let setup = |protocol: &ProtocolId| {
        let baseline = learn(&conversation(*protocol, &[40, 40]).end(), None);
        Setup { policy: policy(None, Some(&baseline)), seed: 1, ..Setup::default() }
    };
    ProtocolId::ALL.iter().map(setup).collect()
});

fn setup(protocol: ProtocolId) -> Setup {
    let place = ProtocolId::ALL.iter().position(|one| *one == protocol).expect("it is one of all");
    SETUPS[place].clone()
}

fn protocols() -> impl Strategy<Value = ProtocolId> {
    prop::sample::select(ProtocolId::ALL.to_vec())
}

fn judgements(run: &Run) -> Vec<(&'static str, String, u64)> {
    let told = run.alerts.iter().map(|alert| (alert.card.name, alert.finding.subject.clone(), alert.repeats));
    let mut told: Vec<_> = told.collect();
    // The order of what is told follows that of the frames.
    told.sort();
    told
}

/// A story in which both ends are acknowledged as late as they are in the plain one, and the client's octets come as
/// the case wants.
fn delivered(protocol: ProtocolId, stream: &[u8], pieces: &[(usize, usize)], responses: &[Vec<u8>]) -> Capture {
    let mut story = Story::new();
    story.arp_exchange(HMI, PLC);
    let conversation = story.tcp(HMI, PLC.port(home(protocol)));
    for (start, end) in pieces {
        let start_ahead = u32::try_from(*start).expect("it is short");
        story.overtakes(conversation, Side::Client, start_ahead, &stream[*start..*end]);
    }
    for response in responses {
        story.answers(conversation, response);
    }
    story.end()
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn order_repeats_and_equal_overlaps_of_segments_change_no_alert(
        protocol in protocols(),
        writes in vec(prop::sample::select(vec![40_u16, 80, 90]), 1..4),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
        extra in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..6),
        order in any::<u64>(),
    ) {
        let (mut stream, mut responses) = (Vec::new(), Vec::new());
        for (number, address) in (0..).zip(&writes) {
            let (request, response) = exchange(protocol, number, *address);
            stream.extend(request);
            responses.push(response);
        }
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        ends.extend([0, stream.len()]);
        ends.sort_unstable();
        ends.dedup();
        let mut pieces: Vec<(usize, usize)> = ends.windows(2).map(|pair| (pair[0], pair[1])).collect();
        pieces.extend(extra.iter().filter_map(|(one, other)| {
            let (one, other) = (one.index(stream.len()), other.index(stream.len() + 1));
            (one < other).then_some((one, other))
        }));
        let plain = delivered(protocol, &stream, &[(0, stream.len())], &responses);
        let mut dice = fixtures::story::Dice::new(order);
        for at in (1..pieces.len()).rev() {
            pieces.swap(at, dice.below(at as u32 + 1) as usize);
        }
        let scrambled = delivered(protocol, &stream, &pieces, &responses);
        let expected = run_heads(setup(protocol), &heads(&plain), 64);
        let run = run_heads(setup(protocol), &heads(&scrambled), 64);
        prop_assert_eq!(judgements(&expected), judgements(&run), "pieces {:?}", pieces);
        prop_assert_eq!(expected.alerts.is_empty(), writes.iter().all(|address| *address == 40));
    }

    #[test]
    fn lost_repeated_and_late_frames_make_no_new_kind_of_alert(
        protocol in protocols(),
        writes in vec(prop::sample::select(vec![40_u16, 40, 40, 90]), 1..12),
        lost in vec(any::<prop::sample::Index>(), 0..6),
        twice in vec(any::<prop::sample::Index>(), 0..4),
        swapped in vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let whole = heads(&conversation(protocol, &writes).end());
        let expected = run_heads(setup(protocol), &whole, 64);
        let mut frames = whole.clone();
        for at in swapped {
            // Two frames that follow each other change places, and keep the times of those places.
            let at = at.index(frames.len() - 1);
            let (early, late) = (frames[at].0.time, frames[at + 1].0.time);
            frames.swap(at, at + 1);
            (frames[at].0.time, frames[at + 1].0.time) = (early, late);
        }
        for at in twice {
            let at = at.index(frames.len());
            frames.insert(at, frames[at].clone());
        }
        for at in lost {
            frames.remove(at.index(frames.len()));
        }
        let run = run_heads(setup(protocol), &frames, 64);
        let usual = expected.kinds();
        let mut new = run.kinds();
        new.retain(|kind| !usual.contains(kind) && !CONFESSIONS.contains(kind));
        prop_assert!(new.is_empty(), "{:?} of {:?}", new, writes);
    }
}

// Strangers

/// What is said at port 502 and is no Modbus: the first octets of other protocols, from both ends.
fn strangers() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    for method in ["GET", "POST", "HEAD", "OPTIONS", "PUT", "PRI", "CONNECT"] {
        for path in ["/", "/index.html", "*", "/a/b?c=d"] {
            all.push((
                format!("HTTP {method} {path}"),
                format!("{method} {path} HTTP/1.1\r\nHost: plc\r\n\r\n").into_bytes(),
            ));
        }
    }
    for code in [200, 301, 404, 500] {
        all.push((format!("HTTP {code}"), format!("HTTP/1.1 {code} x\r\nContent-Length: 0\r\n\r\n").into_bytes()));
    }
    for text in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "220 mail ESMTP\r\n",
        "EHLO plc\r\n",
        "USER anonymous\r\n",
        "+OK ready\r\n",
        "* OK IMAP4\r\n",
        "RFB 003.008\n",
        "*1\r\n$4\r\nPING\r\n",
        "NICK x\r\n",
        "SIP/2.0 200 OK\r\n\r\n",
        "AMQP\u{0}\u{0}\u{9}\u{1}",
        "\u{16}\u{3}\u{1}",
        "<?xml version=\"1.0\"?>",
        "{\"jsonrpc\":\"2.0\"}",
        "\r\n\r\n",
        "MGLNDD_10.0.0.1_502\n",
        "help\r\n",
    ] {
        all.push((format!("text {text:?}"), text.as_bytes().to_vec()));
    }
    for version in 0..=4 {
        for length in [0x31_u8, 0x80, 0xc8] {
            let mut octets = vec![0x16, 3, version, 0, length, 1, 0, 0, length - 4, 3, 3];
            octets.extend((0..length - 6).map(|n| n.wrapping_mul(37)));
            all.push((format!("TLS 3.{version}, {length} octets"), octets));
        }
    }
    let binary: [(&str, &[u8]); 34] = [
        ("TPKT with COTP", &[3, 0, 0, 0x16, 0x11, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 0x0a, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2]),
        ("RDP", &[3, 0, 0, 0x13, 0x0e, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0]),
        (
            "EtherNet/IP register",
            &[0x65, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        ),
        ("EtherNet/IP list", &[0x63, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (
            "OPC UA hello",
            b"HELF\x38\0\0\0\0\0\0\0\xff\xff\0\0\xff\xff\0\0\0\0\0\0\0\0\0\0\x18\0\0\0opc.tcp://plc:4840/path1",
        ),
        ("BACnet over IP", &[0x81, 0x0b, 0, 0x0c, 1, 0x20, 0xff, 0xff, 0, 0xff, 0x10, 8]),
        ("FINS", b"FINS\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0"),
        ("SMB 1", &[0, 0, 0, 0x54, 0xff, 0x53, 0x4d, 0x42, 0x72, 0, 0, 0, 0, 0x18, 1, 0x28]),
        ("SMB 2", &[0, 0, 0, 0x6c, 0xfe, 0x53, 0x4d, 0x42, 0x40, 0, 1, 0, 0, 0, 0, 0]),
        ("NetBIOS session", &[0x81, 0, 0, 0x44, 0x20, 0x43, 0x4b, 0x46]),
        ("NetBIOS keep-alive", &[0x85, 0, 0, 0]),
        ("DCE RPC bind", &[5, 0, 11, 3, 16, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0]),
        ("Sun RPC", &[0x80, 0, 0, 0x28, 0x72, 0xfe, 0x1d, 0x13, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0x86, 0xa0]),
        (
            "DNS",
            &[
                0, 0x1e, 0, 6, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7, b'v', b'e', b'r', b's', b'i', b'o', b'n', 4, b'b',
                b'i', b'n', b'd', 0, 0, 16, 0, 3,
            ],
        ),
        ("LDAP bind", &[0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0]),
        ("LDAP unbind, long form", &[0x30, 0x84, 0, 0, 0, 5, 2, 1, 3, 0x42, 0]),
        ("Kerberos", &[0, 0, 1, 2, 0x6a, 0x81, 0xff, 0x30, 0x81, 0xfc]),
        ("PostgreSQL", &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]),
        ("MySQL", b"\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0abcdefgh\0\xff\xff\xff\x02"),
        ("SQL Server", &[0x12, 1, 0, 0x2f, 0, 0, 0, 0, 0, 0, 0x1a, 0, 6, 1, 0, 0x20]),
        ("Oracle", &[0, 0x3a, 0, 0, 1, 0, 0, 0, 1, 0x39, 1, 0x2c, 0, 0, 8, 0]),
        ("MongoDB", &[0x3a, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xd4, 7, 0, 0]),
        ("MQTT", b"\x10\x1a\0\x04MQTT\x04\x02\0\x3c\0\x0eplc-client-001"),
        ("BGP", &[0xff; 19]),
        ("SOCKS 5", &[5, 1, 0]),
        ("Telnet", &[0xff, 0xfd, 1, 0xff, 0xfb, 3]),
        // What begins as DNP3 and IEC 104 do.
        ("DNP3 with a wrong CRC", &[5, 0x64, 5, 0xc9, 1, 0, 0, 4, 0xe9, 0x22]),
        ("DNP3 of length 4", &[5, 0x64, 4, 0xc9, 1, 0, 0, 4, 0xe9, 0x21]),
        ("DCE RPC fault", &[5, 0x64, 3, 3, 16, 0, 0, 0, 32, 0, 0, 0, 1, 0, 0, 0]),
        ("M-Bus", &[0x68, 4, 4, 0x68, 0x53, 1, 1, 2, 0x57, 0x16]),
        ("IEC 101", &[0x68, 9, 9, 0x68, 0x53, 1, 100, 1, 6, 1, 0, 0, 20, 0x54, 0x16]),
        ("text that begins with h", b"hello, who is there?\r\n"),
        ("start octets of IEC 104", &[0x68; 40]),
        ("Rlogin", b"\0root\0root\0vt100/9600\0"),
    ];
    all.extend(binary.into_iter().map(|(name, octets)| (name.to_owned(), octets.to_vec())));
    all.push(("zeros".to_owned(), vec![0; 64]));
    for seed in 0..200 {
        let mut dice = fixtures::story::Dice::new(seed);
        let length = 1 + dice.below(300);
        all.push((format!("chance {seed}"), (0..length).map(|_| dice.word() as u8).collect()));
    }
    all
}

#[test]
fn no_stranger_is_taken_for_a_protocol_of_the_list() {
    let strangers = strangers();
    assert!(strangers.len() >= 200);
    for protocol in ProtocolId::ALL {
        for (name, octets) in &strangers {
            for from_client in [true, false] {
                let mut story = Story::new();
                let conversation = story.tcp(HMI, PLC.port(home(*protocol)));
                for _ in 0..3 {
                    if from_client {
                        story.says(conversation, octets);
                    } else {
                        story.answers(conversation, octets);
                    }
                }
                let run = run_heads(Setup::default(), &heads(&story.end()), 64);
                let taken = &run.report.counters.protocols;
                assert!(taken.is_empty(), "{name} at the port of {}: {taken:?}", protocol.name());
            }
        }
    }
}

#[test]
fn each_protocol_is_known_at_any_port() {
    for protocol in ProtocolId::ALL {
        for port in [502, 20_000, 2_404, 5_020] {
            let mut story = Story::new();
            let conversation = story.tcp(HMI, PLC.port(port));
            let (request, response) = exchange(*protocol, 0, 40);
            story.says(conversation, &request).answers(conversation, &response);
            let run = run_heads(Setup::default(), &heads(&story.end()), 64);
            let taken: Vec<ProtocolId> = run.report.counters.protocols.keys().copied().collect();
            assert_eq!(taken, [*protocol], "port {port}");
        }
    }
}

// Keys

fn addresses() -> impl Strategy<Value = IpAddr> {
    // Few numbers, in all the ways in which an address can hold them, so that they meet.
    (0..3_u8, 0..6_u8).prop_map(|(number, kind)| {
        let four = Ipv4Addr::new(10, 0, 0, number);
        match kind {
            0 => IpAddr::V4(four),
            1 => IpAddr::V6(four.to_ipv6_mapped()),
            2 => IpAddr::V6(Ipv6Addr::from_bits(u128::from(four.to_bits()))),
            3 => IpAddr::V6(Ipv6Addr::from_bits(u128::from(four.to_bits()) << 96)),
            4 => IpAddr::V6(Ipv6Addr::from_bits(1 << 127 | u128::from(four.to_bits()))),
            _ => IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0x0a00, u16::from(number))),
        }
    })
}

type Tuple = ((IpAddr, u16), (IpAddr, u16), Transport, [u16; 4], u32);

fn tuples() -> impl Strategy<Value = Tuple> {
    let port = prop::sample::select(vec![0_u16, 1, 6, 17, 502]);
    let transport = prop_oneof![
        Just(Transport::Tcp),
        Just(Transport::Udp),
        Just(Transport::Icmp),
        prop::sample::select(vec![0_u8, 1, 6, 17, 47]).prop_map(Transport::Ip),
    ];
    let tag = || prop::sample::select(vec![0_u16, 1, 4_095]);
    let tags = (tag(), tag(), tag(), tag()).prop_map(|(a, b, c, d)| [a, b, c, d]);
    (
        (addresses(), port.clone()),
        (addresses(), port),
        transport,
        tags,
        prop::sample::select(vec![0_u32, 1, 2, 0x0100_0000]),
    )
}

fn key((source, destination, transport, tags, network): Tuple) -> (FlowKey, bool) {
    let end = |(address, port): (IpAddr, u16)| Endpoint { address, port };
    FlowKey::new(end(source), end(destination), transport, Scope { tags, network })
}

proptest! {
    #![proptest_config(cases(8_192))]

    #[test]
    fn tuples_that_differ_never_share_a_flow(one in tuples(), other in tuples()) {
        let turned = |(source, destination, transport, tags, network): Tuple| (destination, source, transport, tags, network);
        let same = one == other || one == turned(other);
        prop_assert_eq!(key(one).0 == key(other).0, same, "{:?} {:?}", one, other);
        prop_assert!(key(one).0 == key(turned(one)).0);
        if one.0 != one.1 {
            prop_assert!(key(one).1 != key(turned(one)).1, "only one of two ends is the lower");
        }
        let hash = |key: FlowKey| {
            use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
            BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
        };
        // Every part of the key goes into its hash, so that nobody can make flows that crowd one place.
        prop_assert_eq!(hash(key(one).0) == hash(key(other).0), same);
    }
}

// Fragments

proptest! {
    #![proptest_config(cases(1_024))]

    #[test]
    fn a_datagram_comes_out_as_it_went_in(
        datagram in vec(any::<u8>(), 1..400),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
        extra in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..6),
        order in any::<u64>(),
    ) {
        let eighths = datagram.len().div_ceil(8);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(eighths) * 8).collect();
        ends.extend([0, datagram.len()]);
        ends.sort_unstable();
        ends.dedup();
        let mut pieces: Vec<(usize, usize)> = ends.windows(2).map(|pair| (pair[0], pair[1])).collect();
        pieces.extend(extra.iter().filter_map(|(one, other)| {
            let (one, other) = (one.index(eighths) * 8, ((other.index(eighths) + 1) * 8).min(datagram.len()));
            (one < other).then_some((one, other))
        }));
        let mut dice = fixtures::story::Dice::new(order);
        for at in (1..pieces.len()).rev() {
            pieces.swap(at, dice.below(at as u32 + 1) as usize);
        }
        let mut defragmenter = Defragmenter::new(&Limits::default());
        let header = Ip {
            source: HMI.address,
            destination: PLC.address,
            ttl: 64,
            identification: Some(7),
            protocol: 17,
            fragment: None,
        };
        let mut whole = None;
        for (number, (start, end)) in (1_u64..).zip(&pieces) {
            let fragment = Fragment { offset: *start as u32, more: *end < datagram.len() };
            let (scope, now) = (Scope::default(), Timestamp(number));
            let (outcome, conflict) = defragmenter.take(number, now, scope, &header, fragment, &datagram[*start..*end]);
            prop_assert!(!conflict, "equal overlaps are no conflict");
            match outcome {
                Outcome::Whole(octets) => {
                    prop_assert!(whole.is_none(), "it comes out once");
                    whole = Some(octets);
                    break;
                }
                Outcome::Held | Outcome::Repeated => {}
                Outcome::Refused => prop_assert!(false, "{}..{} is refused", start, end),
            }
        }
        prop_assert_eq!(whole.as_ref(), Some(&datagram));
    }

    #[test]
    fn a_datagram_in_fragments_says_what_it_says_whole(
        piece in 1..20_usize,
        order in any::<u64>(),
        address in prop::sample::select(vec![40_u16, 90]),
    ) {
        let request = modbus::tcp(1, 1, &modbus::write_multiple_registers(address, &[7; 3]));
        let datagram = udp::datagram((HMI.address, 40_000), (PLC.address, 502), &request);
        let header = ip::Header::new(HMI.v4(), PLC.v4(), ip::UDP, 77);
        let frame = |packet: &[u8]| ethernet::padded(ethernet::frame(PLC.mac, HMI.mac, ethernet::IPV4, packet));
        let whole = vec![frame(&ip::v4(header, &datagram))];
        let mut pieces: Vec<_> = ip::fragments(header, &datagram, piece * 8).iter().map(|packet| frame(packet)).collect();
        let mut dice = fixtures::story::Dice::new(order);
        for at in (1..pieces.len()).rev() {
            pieces.swap(at, dice.below(at as u32 + 1) as usize);
        }
        let expected = run_heads(setup(ProtocolId::Modbus), &headed(whole, 1, 1_000), 64);
        let run = run_heads(setup(ProtocolId::Modbus), &headed(pieces, 1, 1_000), 64);
        prop_assert_eq!(expected.alerts.is_empty(), address == 40);
        prop_assert_eq!(judgements(&expected), judgements(&run));
    }
}
