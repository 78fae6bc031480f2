//! Whether the fixtures show all there is: each detection heard and silent, each message, verb and error met.

mod program;

use fixtures::scenarios::Scenario;
use fixtures::wire::modbus as wire;
use program::{Ran, policy_arguments, yagura};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tests::Given;
use yagura_core::analyzer::Setup;
use yagura_parsers::dissect::{Direction, Hints, Listener, Sender};
use yagura_parsers::error::{ErrorKind, ParseError};
use yagura_parsers::message::{Describe, Kind, Verb};
use yagura_parsers::packet::{Carrier, Network, Transport, decode};
use yagura_parsers::protocols::modbus::{FUNCTIONS, codes};
use yagura_parsers::protocols::{AnyDissector, Identified, ProtocolId, dnp3, identify, iec104};
use yagura_rules::detections::CATALOG;
use yagura_rules::facts::event::{
    CaptureFact, CaptureState, EventKind, FaultFact, LossFact, MirrorFault, MirrorFlaw, SensorFault,
};

/// Detections that no scenario can show in a short capture, since they need a bound of the sensor to bite: heard with
/// bounds that are small.
const BOUNDS: &[&str] = &["capture_limit"];

/// Detections of what only a running sensor knows: no capture shows them.
const RUNNING: &[&str] =
    &["capture_loss", "capture_silent", "mirror_suspect", "clock_step", "sensor_transmits", "sensor_fault"];

/// A scenario with what the program says of it.
struct Told {
    scenario: Scenario,
    replayed: Ran,
}

impl Told {
    /// The alerts of a detection, without those that only count repeats.
    fn alerts_of(&self, detection: &str) -> Vec<Value> {
        let alerts = self.replayed.alerts().into_iter();
        alerts.filter(|alert| alert["detection"]["name"] == detection && alert["closes"].is_null()).collect()
    }
}

/// Every scenario, replayed.
fn told() -> Vec<Told> {
    tests::map(&fixtures::scenarios::all(), |scenario| {
        let folder = fixtures::scenario_folder(scenario.name);
        let replayed = yagura(&folder, &[&["replay", "capture.pcap"], &policy_arguments(&folder)[..]].concat()).fine();
        Told { scenario: scenario.clone(), replayed }
    })
}

/// The frames that an alert rests on.
fn frames(alert: &Value) -> BTreeSet<u64> {
    alert["evidence"].as_array().into_iter().flatten().filter_map(|event| event["frame"].as_u64()).collect()
}

#[test]
fn each_scenario_is_heard_and_silent_as_it_says() {
    let mut wrong = Vec::new();
    for told in told() {
        let name = told.scenario.name;
        for heard in &told.scenario.heard {
            let alerts = told.alerts_of(heard.detection);
            let last = heard.frames.iter().max().copied().unwrap_or(0);
            // An alert names a frame of the deed, or comes after its end.
            let is_it = |alert: &Value| {
                let cited = frames(alert);
                cited.iter().any(|frame| heard.frames.contains(frame) || *frame > last)
            };
            if !alerts.iter().any(is_it) {
                let cited: Vec<_> = alerts.iter().map(frames).collect();
                let at = &heard.frames;
                wrong.push(format!("{name}: {} is not heard about frames {at:?}; it cites {cited:?}", heard.detection));
            }
        }
        for silent in told.scenario.silent {
            let alerts = told.alerts_of(silent);
            wrong.extend(alerts.iter().map(|alert| format!("{name}: {silent} must be silent: {}", alert["summary"])));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_was_learnt_from_raises_nothing() {
    let mut wrong = Vec::new();
    for Told { scenario, replayed } in told() {
        let learnt = scenario.baseline_from.unwrap_or(0) as u64;
        for alert in replayed.alerts() {
            if frames(&alert).first().is_some_and(|frame| *frame <= learnt) {
                wrong.push(format!("{}: {} {}", scenario.name, alert["id"], alert["summary"]));
            }
        }
    }
    assert!(wrong.is_empty(), "alerts about frames that the baseline was learnt from:\n{}", wrong.join("\n"));
}

#[test]
fn each_detection_is_heard_once_and_silent_once() {
    let told = told();
    for card in CATALOG.iter().map(|one| one.card) {
        let (heard, silent): (Vec<&Told>, Vec<&Told>) =
            told.iter().partition(|told| !told.alerts_of(card.name).is_empty());
        assert!(!silent.is_empty(), "{}: every scenario raises it: write one that does not", card.name);
        if BOUNDS.contains(&card.name) || RUNNING.contains(&card.name) {
            assert!(heard.is_empty(), "{}: a scenario raises it: take it out of BOUNDS and RUNNING", card.name);
            continue;
        }
        let named = |told: &&Told| told.scenario.heard.iter().any(|heard| heard.detection == card.name);
        assert!(heard.iter().any(named), "{}: no scenario names it and raises it: write one", card.name);
        let kept = |told: &&Told| told.scenario.silent.contains(&card.name);
        assert!(silent.iter().any(kept), "{}: no scenario names it as silent: write one", card.name);
    }
}

#[test]
fn a_bound_that_bites_is_heard() {
    let case = tests::scenarios().into_iter().find(|case| case.name == "scan_ports").expect("there is that scenario");
    let limits = tests::tiny_limits();
    let bitten = tests::run(Setup { limits, ..case.setup() }, &case.capture);
    for detection in BOUNDS {
        assert!(bitten.kinds().contains(detection), "{detection} is silent though {:?}", bitten.report.counters.limits);
    }
    let named: BTreeSet<&str> = bitten.report.counters.limits.keys().copied().collect();
    assert!(named.contains("flows_max"), "{named:?}");
    let roomy = tests::run(case.setup(), &case.capture);
    assert!(BOUNDS.iter().all(|detection| !roomy.kinds().contains(detection)));
}

#[test]
fn what_a_running_sensor_tells_is_heard_and_has_its_record() {
    let state = |state| EventKind::CaptureState(Box::new(CaptureFact { capture: 0, state }));
    let suspect = MirrorFault { flaw: MirrorFlaw::OneDirection, count: 90, total: 100, vlan: None };
    let facts = [
        ("capture_loss", EventKind::CaptureLoss(Box::new(LossFact { kernel: 3, ..LossFact::default() }))),
        ("capture_silent", state(CaptureState::LinkDown)),
        ("mirror_suspect", state(CaptureState::Suspect(suspect))),
        ("clock_step", state(CaptureState::ClockStepped { by_ns: -3_600_000_000_000 })),
        ("sensor_transmits", EventKind::Transmitted { capture: 0, frames: 1 }),
        ("sensor_fault", EventKind::SensorFault(Box::new(FaultFact::new(SensorFault::Hang, "shard-1", "", None)))),
    ];
    assert_eq!(facts.each_ref().map(|(name, _)| *name), RUNNING);
    let given: Vec<Given> = facts.into_iter().map(|(_, kind)| Given::Fact(kind)).collect();
    let run = tests::run_given(Setup::default(), &given);
    let heard: Vec<&str> = run.alerts.iter().map(|alert| alert.card.name).collect();
    assert_eq!(heard, RUNNING, "each once, in their order, though no frame was seen");
    for line in run.alert_lines() {
        let record: Value = serde_json::from_str(&line).expect("a record is JSON");
        assert!(
            record["flow"].is_null() && record["params"]["capture"] == "a.pcap"
                || record["detection"]["name"] == "sensor_fault",
            "{line}"
        );
    }
}

/// What was met in messages; by protocol where it is not the Modbus table.
#[derive(Default)]
struct Met {
    protocol: &'static str,
    /// Rows of the Modbus table of functions, by code and sub-code, with the kinds of message in which they were met.
    functions: BTreeMap<(u8, Option<u16>), BTreeSet<&'static str>>,
    /// Counters by table and code: what the protocol's tables have, see `Protocol::TABLES`.
    counted: BTreeSet<(&'static str, u8, u8)>,
    kinds: BTreeSet<(&'static str, &'static str)>,
    verbs: BTreeSet<(&'static str, &'static str)>,
    refusals: BTreeSet<(&'static str, u16)>,
    notices: BTreeSet<(&'static str, &'static str)>,
    errors: BTreeSet<(&'static str, &'static str)>,
}

impl Met {
    /// Reads octets as what the list of protocols takes them for; where a segment alone is not enough to tell, and in
    /// telecontrol it often is not, as what is at home at its port.
    fn read(&mut self, octets: &[u8], datagram: bool, ports: (u16, u16)) {
        let is_at = |protocol: ProtocolId| [ports.0, ports.1].iter().any(|port| protocol.ports().contains(port));
        let (mut dissector, sender) = match identify(octets, datagram, &[ports.0, ports.1], &Hints::default()) {
            Identified::As(dissector, sender) => (dissector, sender),
            _ if is_at(ProtocolId::Dnp3) => (AnyDissector::Dnp3(Default::default()), Sender::Either),
            _ if is_at(ProtocolId::Iec104) => (AnyDissector::Iec104(Default::default()), Sender::Either),
            _ => return,
        };
        let direction = match sender {
            Sender::Client => Direction::ToServer,
            Sender::Server => Direction::ToClient,
            Sender::Either if dissector.id().ports().contains(&ports.0) => Direction::ToClient,
            Sender::Either => Direction::ToServer,
        };
        self.feed(&mut dissector, direction, octets);
    }

    fn feed(&mut self, dissector: &mut AnyDissector, direction: Direction, octets: &[u8]) {
        self.protocol = dissector.id().name();
        dissector.feed(direction, 0, octets, self);
    }
}

impl Listener for Met {
    fn message<M: Describe>(&mut self, message: &M, _octets: &[u8]) {
        let protocol = self.protocol;
        self.errors.extend(message.fault().map(|fault| (protocol, fault.kind.name())));
        message.tally(&mut |tally| {
            self.counted.insert((protocol, tally.table, tally.code));
        });
        message.notices(&mut |notice| {
            self.notices.insert((protocol, notice.name));
        });
        let kind = match message.kind() {
            Kind::Request => "request",
            Kind::Response => "response",
            Kind::Unsolicited => "unsolicited",
        };
        self.kinds.insert((protocol, kind));
        let refusal = message.refusal();
        self.refusals.extend(refusal.map(|refusal| (protocol, refusal.code)));
        message.operations(&mut |operation| {
            self.verbs.insert((protocol, operation.verb.name()));
            if protocol == "modbus" {
                let code = u8::try_from(operation.code).expect("a Modbus function code is one octet");
                if let Some(row) = codes::lookup(code, operation.sub) {
                    let kind = if refusal.is_some() { "exception" } else { kind };
                    self.functions.entry((row.code, row.sub)).or_default().insert(kind);
                }
            }
        });
    }

    fn malformed(&mut self, error: ParseError, _octets: &[u8]) {
        self.errors.insert((self.protocol, error.kind.name()));
    }

    fn skipped(&mut self, _octets: usize) {}
}

/// What every capture holds, segment by segment.
fn met_in_captures() -> Met {
    let mut met = Met::default();
    for case in tests::cases() {
        for (head, octets) in tests::heads(&case.capture) {
            let packet = decode::decode(Carrier { link: head.link, wire_octets: head.wire_octets }, &octets);
            let Network::Ip(_, transport) = &packet.network else { continue };
            let (datagram, ports) = match transport {
                Transport::Tcp { source, destination, .. } => (false, (*source, *destination)),
                Transport::Udp { source, destination } => (true, (*source, *destination)),
                _ => continue,
            };
            met.read(packet.payload(&octets), datagram, ports);
        }
    }
    met
}

/// A Modbus request of each function of the table: what it takes to name it, and no more where its structure is not
/// known.
fn request(code: u8, sub: Option<u16>) -> Vec<u8> {
    let sub_octet = || u8::try_from(sub.unwrap_or(0xEE)).expect("a code of one octet");
    match code {
        1..=4 => wire::read(code, 0, 1),
        5 => wire::write_single_coil(0, true),
        6 => wire::write_single_register(0, 1),
        8 => wire::diagnostics(sub.unwrap_or(99), &[0]),
        15 => wire::write_multiple_coils(0, &[true]),
        16 => wire::write_multiple_registers(0, &[1]),
        20 => wire::read_file_record(&[(1, 0, 1)]),
        21 => wire::write_file_record(&[(1, 0, &[7])]),
        22 => wire::mask_write_register(0, 1, 2),
        23 => wire::read_write_multiple_registers((0, 1), 0, &[1]),
        24 => wire::read_fifo_queue(0),
        43 if sub == Some(14) => wire::read_device_identification(1, 0),
        43 => vec![43, sub_octet(), 0],
        90 => wire::umas(0, sub_octet(), &[0, 0]),
        _ => vec![code],
    }
}

#[test]
fn each_modbus_function_and_verb_is_seen() {
    let met = met_in_captures();
    let mut wrong = Vec::new();
    for function in FUNCTIONS {
        let key = (function.code, function.sub);
        let kinds = met.functions.get(&key);
        // What the standard defines is in a capture, asked and answered; of the rest a request is read here.
        let is_public = function.clause.0.starts_with("V1.1b3 6.");
        let is_family =
            function.sub.is_none() && FUNCTIONS.iter().any(|row| row.code == function.code && row.sub.is_some());
        if is_public && !is_family && function.sub.is_none_or(|sub| sub == 14) {
            for kind in ["request", "response"] {
                if kinds.is_none_or(|kinds| !kinds.contains(kind)) {
                    wrong.push(format!("{} ({key:?}): no capture holds a {kind}: write a story", function.name));
                }
            }
        }
        let mut sample = Met::default();
        let adu = wire::tcp(1, 1, &request(function.code, function.sub));
        sample.feed(&mut AnyDissector::Modbus(Default::default()), Direction::ToServer, &adu);
        if !sample.functions.contains_key(&key) || !sample.verbs.contains(&("modbus", function.verb.name())) {
            let (functions, verbs) = (&sample.functions, &sample.verbs);
            wrong.push(format!(
                "{} ({key:?}, {}): reads as {functions:?}, {verbs:?}",
                function.name,
                function.verb.name()
            ));
        }
    }
    let possible: BTreeSet<Verb> = FUNCTIONS.iter().map(|function| function.verb).collect();
    wrong.extend(verbs_unmet(&met, "modbus", &possible));
    for code in [1, 2, 3, 4] {
        if !met.refusals.contains(&("modbus", code)) {
            wrong.push(format!("exception {code}: no capture holds one: write a story"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Verbs of a protocol that no capture holds.
fn verbs_unmet(met: &Met, protocol: &'static str, possible: &BTreeSet<Verb>) -> Vec<String> {
    let unmet = possible.iter().filter(|verb| !met.verbs.contains(&(protocol, verb.name())));
    unmet.map(|verb| format!("{protocol}: no capture holds the verb {}: write a story", verb.name())).collect()
}

/// Codes of a table of a protocol that no capture holds.
fn codes_unmet(met: &Met, protocol: &'static str, table: u8, codes: impl IntoIterator<Item = u8>) -> Vec<String> {
    let unmet = codes.into_iter().filter(|code| !met.counted.contains(&(protocol, table, *code)));
    unmet.map(|code| format!("{protocol}: no capture holds code {code} of table {table}: write a story")).collect()
}

#[test]
fn each_dnp3_function_verb_and_refusal_is_seen() {
    let met = met_in_captures();
    let (responses, requests): (Vec<&dnp3::Function>, Vec<&dnp3::Function>) =
        dnp3::FUNCTIONS.iter().partition(|function| dnp3::FunctionCode(function.code).is_response());
    let mut wrong = codes_unmet(&met, "dnp3", 0, requests.iter().map(|function| function.code));
    wrong.extend(codes_unmet(&met, "dnp3", 1, responses.iter().map(|function| function.code)));
    // IEEE 1815 9.2.4: of primary stations 0, 3, 4 and 9, of secondary ones 0 and 11.
    wrong.extend(codes_unmet(&met, "dnp3", 2, [0x40, 0x43, 0x44, 0x49, 0x00, 0x0B]));
    let of_objects = [Verb::Identify, Verb::Diagnose, Verb::Write, Verb::Synchronize];
    let possible = dnp3::FUNCTIONS.iter().map(|function| function.verb).chain(of_objects).collect();
    wrong.extend(verbs_unmet(&met, "dnp3", &possible));
    // IIN2.0 to IIN2.2, and a command that is under local control.
    for code in [1, 2, 4, dnp3::codes::STATUS_REFUSAL | 7] {
        if !met.refusals.contains(&("dnp3", code)) {
            wrong.push(format!("dnp3: no capture holds the refusal {code}: write a story"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn each_iec104_type_verb_and_refusal_is_seen() {
    let met = met_in_captures();
    // IEC TS 60870-5-7, authentication, has no encoder: its types are read in the parser's own tests.
    let is_here = |type_id: iec104::TypeId| type_id.in_104() && !matches!(type_id.0, 41 | 81..=95);
    let types: Vec<_> = iec104::TYPES.iter().filter(|row| is_here(iec104::TypeId(row.code))).collect();
    assert!(types.len() > 50, "{}", types.len());
    let mut wrong = codes_unmet(&met, "iec104", 0, [0, 1, 2]);
    wrong.extend(codes_unmet(&met, "iec104", 1, types.iter().map(|row| row.code)));
    let possible = types.iter().map(|row| row.verb).chain([Verb::Session, Verb::Report]).collect();
    wrong.extend(verbs_unmet(&met, "iec104", &possible));
    // A negative confirmation, and causes 44 to 47 but for 45, which nobody sends.
    for code in [7, 46, 47] {
        if !met.refusals.contains(&("iec104", code)) {
            wrong.push(format!("iec104: no capture holds the refusal {code}: write a story"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn each_kind_of_message_and_notice_is_met() {
    let met = met_in_captures();
    for protocol in ProtocolId::ALL.iter().map(|protocol| protocol.name()) {
        for kind in ["request", "response", "unsolicited"] {
            // A Modbus server never speaks up by itself.
            let is_made = (protocol, kind) != ("modbus", "unsolicited");
            assert_eq!(met.kinds.contains(&(protocol, kind)), is_made, "{protocol}: {kind}");
        }
    }
    // A device's trouble is in a single response; what sessions show needs more than one segment. Nobody sets what is
    // reserved.
    let troubles = dnp3::Indications::TROUBLE.iter().filter(|(bits, _)| *bits != dnp3::Indications::RESERVED);
    for (_, name) in troubles {
        assert!(met.notices.contains(&("dnp3", name)), "{name}");
    }
    assert!(met.notices.contains(&("dnp3", "block_checksum")) && met.notices.contains(&("dnp3", "reserved_address")));
}

/// The kinds of error that each protocol can make.
const MADE: &[(&str, &[&str])] = &[
    ("modbus", &["truncated", "forbidden", "length_mismatch", "checksum", "trailing"]),
    ("dnp3", &["truncated", "forbidden", "checksum", "unsupported", "too_many"]),
    ("iec104", &["truncated", "forbidden", "length_mismatch", "trailing", "unsupported"]),
];

#[test]
fn each_kind_of_error_is_met() {
    let mut met = met_in_captures();
    // What captures do not hold, octet by octet.
    let mut rtu = wire::rtu(1, &wire::read(3, 0, 1));
    if let Some(last) = rtu.last_mut() {
        *last ^= 1;
    }
    let samples: [(bool, Vec<u8>); 5] = [
        (true, rtu),
        (false, wire::tcp(1, 1, &[16, 0, 0, 0])),
        (false, wire::tcp(1, 1, &wire::read(3, 0, 0))),
        (false, wire::tcp(1, 1, &[16, 0, 0, 0, 2, 4, 0, 1])),
        (false, wire::tcp(1, 1, &[3, 0, 0, 0, 1, 0xFF])),
    ];
    for (rtu, octets) in samples {
        let read = if rtu {
            yagura_parsers::protocols::modbus::Message::read_rtu(Kind::Request, &octets)
        } else {
            yagura_parsers::protocols::modbus::Message::read_tcp(Kind::Request, &octets)
        };
        let fault = read.expect("its function can be told").fault.expect("it breaks its standard");
        met.errors.insert(("modbus", fault.kind.name()));
    }
    // A fragment of more than 2048 octets needs two TCP segments.
    let link = fixtures::wire::dnp3::Link::to_outstation(11, 1);
    let frames = fixtures::wire::dnp3::frames(link, 0, fixtures::wire::dnp3::SEGMENT, &[0xC0; 2_100]);
    met.feed(&mut AnyDissector::Dnp3(Default::default()), Direction::ToServer, &frames.concat());
    // An ASDU that ends within its identifier.
    let short = fixtures::wire::iec104::information(0, 0, &[45, 1, 6]);
    met.feed(&mut AnyDissector::Iec104(Default::default()), Direction::ToServer, &short);
    let every = [
        ErrorKind::Truncated { need: 0, have: 0 },
        ErrorKind::Forbidden { got: 0 },
        ErrorKind::LengthMismatch { claimed: 0, actual: 0 },
        ErrorKind::Checksum { got: 0, expected: 0 },
        ErrorKind::Trailing { len: 0 },
        ErrorKind::Unsupported { code: 0 },
        ErrorKind::TooMany { limit: 0 },
    ];
    for kind in every {
        // A new kind does not compile here until it stands in the list above.
        match kind {
            ErrorKind::Truncated { .. }
            | ErrorKind::Forbidden { .. }
            | ErrorKind::LengthMismatch { .. }
            | ErrorKind::Checksum { .. }
            | ErrorKind::Trailing { .. }
            | ErrorKind::Unsupported { .. }
            | ErrorKind::TooMany { .. } => {}
        }
        let name = kind.name();
        assert!(MADE.iter().any(|(_, made)| made.contains(&name)), "{name}: no protocol makes it");
        for (protocol, made) in MADE {
            let is_met = met.errors.contains(&(*protocol, name));
            assert_eq!(is_met, made.contains(&name), "{protocol}, {name}: give it a sample, or see MADE");
        }
    }
    assert_eq!(MADE.len(), ProtocolId::ALL.len());
}
