//! Whether the fixtures show all there is: each detection heard and silent, each message, verb and error met.

mod program;

use fixtures::scenarios::Scenario;
use fixtures::wire::modbus as wire;
use program::{Ran, policy_arguments, yagura};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use yagura_core::analyzer::Setup;
use yagura_parsers::dissect::{Direction, Hints, Listener, Sender};
use yagura_parsers::error::{ErrorKind, ParseError};
use yagura_parsers::message::{Describe, Kind, Verb};
use yagura_parsers::packet::{Carrier, Network, Transport, decode};
use yagura_parsers::protocols::modbus::{FUNCTIONS, codes};
use yagura_parsers::protocols::{Identified, identify};
use yagura_rules::detections::CATALOG;

/// Detections that no scenario can show in a short capture, since they need a bound of the sensor to bite: heard with
/// bounds that are small.
const BOUNDS: &[&str] = &["capture_limit"];

/// Kinds of error that no parser makes so far: they are there for protocols to come.
const UNMADE: &[&str] = &["unsupported", "too_many"];

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
        if BOUNDS.contains(&card.name) {
            assert!(heard.is_empty(), "{}: a scenario raises it: take it out of BOUNDS", card.name);
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

/// What was met in messages.
#[derive(Default)]
struct Met {
    /// Rows of the table of functions, by code and sub-code, with the kinds of message in which they were met.
    functions: BTreeMap<(u8, Option<u16>), BTreeSet<&'static str>>,
    verbs: BTreeSet<&'static str>,
    refusals: BTreeSet<u16>,
    errors: BTreeSet<&'static str>,
}

impl Met {
    /// Reads octets as what the list of protocols takes them for.
    fn read(&mut self, octets: &[u8], datagram: bool, ports: (u16, u16)) {
        let Identified::As(mut dissector, sender) = identify(octets, datagram, &[ports.0, ports.1], &Hints::default())
        else {
            return;
        };
        let direction = match sender {
            Sender::Client => Direction::ToServer,
            Sender::Server => Direction::ToClient,
            Sender::Either if dissector.id().ports().contains(&ports.0) => Direction::ToClient,
            Sender::Either => Direction::ToServer,
        };
        dissector.feed(direction, 0, octets, self);
    }
}

impl Listener for Met {
    fn message<M: Describe>(&mut self, message: &M, _octets: &[u8]) {
        self.errors.extend(message.fault().map(|fault| fault.kind.name()));
        let kind = match (message.kind(), message.refusal()) {
            (_, Some(refusal)) => {
                self.refusals.insert(refusal.code);
                "exception"
            }
            (Kind::Request, None) => "request",
            (_, None) => "response",
        };
        message.operations(&mut |operation| {
            self.verbs.insert(operation.verb.name());
            let code = u8::try_from(operation.code).expect("a Modbus function code is one octet");
            if let Some(row) = codes::lookup(code, operation.sub) {
                self.functions.entry((row.code, row.sub)).or_default().insert(kind);
            }
        });
    }

    fn malformed(&mut self, error: ParseError, _octets: &[u8]) {
        self.errors.insert(error.kind.name());
    }

    fn skipped(&mut self, _octets: usize) {}
}

/// What every capture holds.
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

/// A request of each function of the table: what it takes to name it, and no more where its structure is not known.
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
fn each_function_and_verb_is_seen() {
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
        let mut dissector = yagura_parsers::protocols::AnyDissector::Modbus(Default::default());
        dissector.feed(Direction::ToServer, 0, &adu, &mut sample);
        if !sample.functions.contains_key(&key) || !sample.verbs.contains(function.verb.name()) {
            let (functions, verbs) = (&sample.functions, &sample.verbs);
            wrong.push(format!(
                "{} ({key:?}, {}): reads as {functions:?}, {verbs:?}",
                function.name,
                function.verb.name()
            ));
        }
    }
    let possible: BTreeSet<&str> = FUNCTIONS.iter().map(|function| function.verb.name()).collect();
    for verb in Verb::ALL.iter().map(|verb| verb.name()).filter(|verb| possible.contains(verb)) {
        if !met.verbs.contains(verb) {
            wrong.push(format!("{verb}: no capture holds one: write a story"));
        }
    }
    for code in [1, 2, 3, 4] {
        if !met.refusals.contains(&code) {
            wrong.push(format!("exception {code}: no capture holds one: write a story"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

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
        met.errors.insert(fault.kind.name());
    }
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
        assert_eq!(met.errors.contains(name), !UNMADE.contains(&name), "{name}: give it a sample, or see UNMADE");
    }
}
