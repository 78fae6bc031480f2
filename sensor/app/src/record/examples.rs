//! Hand-made alerts, assets and counters for the tests of this folder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use yagura_core::counters::{Counters, ProtocolCounters};
use yagura_core::points::{PointRecord, SpaceKey, Writer};
use yagura_parsers::dissect::Direction;
use yagura_parsers::error::{Clause, ErrorKind, ParseError};
use yagura_parsers::message::{
    Notice, NoticeKind, Operation, Point, PointValue, Quality, Reason, Refusal, Target, Verb,
};
use yagura_parsers::packet::Scope;
use yagura_parsers::packet::link::MacAddr;
use yagura_parsers::protocols::ProtocolId;
use yagura_rules::alert::{Alert, AlertId};
use yagura_rules::facts::asset::{Asset, AssetKey, Claim, Role};
use yagura_rules::facts::event::{
    AddressConflict, CaptureFact, CaptureState, ClockFact, CommandFact, CommandFault, Event, EventId, EventKind,
    FaultFact, FieldValue, FrameRef, MalformedFact, MirrorFault, MirrorFlaw, NoticeFact, OperationFact, Outside,
    PointChange, PointFact, RateFact, SensorFault, Sighting, Stage, UnansweredFact,
};
use yagura_rules::facts::flow::{Endpoint, Flow, FlowId, Oriented, Transport};
use yagura_rules::facts::time::Timestamp;
use yagura_rules::norm::{Basis, Line, Norm, Novelty, Verdict};
use yagura_rules::rule::{Card, Cited, Finding, Param, Severity, Technique, Text};

const SCOPE: Scope = Scope { tags: [20, 0, 0, 0], network: 0 };

const CARD: Card = Card {
    id: "OT-9999",
    name: "write_example",
    severity: Severity::High,
    attack: &[Technique { id: "T1692.001", old: Some("T0855"), name: "Unauthorized Message" }],
    serves: &["002 5.1.1.1"],
    what: Text { en: "what", ja: "何" },
    why: Text { en: "why", ja: "なぜ" },
    benign: Text { en: "benign", ja: "無害" },
    response: Text { en: "response", ja: "対応" },
    settings: &[],
};

const TEXT: Text = Text {
    en: "{client} wrote {target} of unit {unit} at {server} = {value}",
    ja: "{client} が {server} に書き込んだ",
};

pub(super) fn norm() -> Norm {
    let mut norm = Norm::default();
    norm.files = vec!["site.toml".to_owned(), "baseline.toml".to_owned()];
    norm
}

pub(super) fn key(address: &str) -> AssetKey {
    AssetKey::Ip(SCOPE, address.parse().unwrap())
}

fn frame(frame: u64) -> FrameRef {
    FrameRef { capture: 0, frame }
}

pub(super) fn flow() -> Arc<Flow> {
    Arc::new(Flow {
        id: FlowId(1001),
        first: frame(1001),
        opened: Timestamp(1_767_607_872_000_000_000),
        transport: Transport::Tcp,
        client: Endpoint { address: "10.20.0.66".parse().unwrap(), port: 49152 },
        server: Endpoint { address: "10.20.1.9".parse().unwrap(), port: 502 },
        oriented: Oriented::Handshake,
        client_mac: Some(MacAddr([2, 0, 0, 0, 0, 0x66])),
        server_mac: Some(MacAddr([0, 0x80, 0xf4, 0x0a, 0x11, 2])),
        scope: SCOPE,
        protocol: Some(ProtocolId::Modbus),
        dialect: "tcp",
    })
}

fn event(kind: EventKind) -> Event {
    Event {
        id: EventId { frame: 1042, ordinal: 0 },
        origin: frame(1042),
        time: Timestamp(1_767_607_872_123_456_789),
        flow: Some(flow()),
        kind,
    }
}

fn operation() -> OperationFact {
    let point = Point::bare("holding_register", 40, PointValue::Unsigned(17));
    OperationFact {
        operation: Operation {
            verb: Verb::Write,
            code: 16,
            sub: 0,
            unit: 1,
            target: Some(Target { space: "holding_register", first: 40, count: 2 }),
        },
        stage: Stage::Requested,
        verdict: Verdict::Unusual(Novelty::Verb, Basis::Nearest(Line { file: 1, line: 4 })),
        refusal: None,
        direction: Direction::ToServer,
        request: None,
        outside: None,
        points: Box::new([point]),
        fields: Box::new([
            ("transaction_identifier", FieldValue::Unsigned(7)),
            ("values", FieldValue::Words(Box::new([17, 18]))),
        ]),
    }
}

pub(super) fn write_alert() -> Alert {
    let id = AlertId { detection: CARD.id, event: EventId { frame: 1042, ordinal: 0 }, finding: 0 };
    let event = event(EventKind::Operation(Box::new(operation())));
    Alert {
        card: &CARD,
        id,
        time: event.time,
        origin: event.origin,
        severity: Severity::High,
        finding: Finding {
            text: &TEXT,
            params: vec![
                ("client", Param::Asset(key("10.20.0.66"))),
                ("server", Param::Asset(key("10.20.1.9"))),
                ("target", Param::Text("holding_register 40-41".to_owned())),
                ("unit", Param::Number(1)),
                ("value", Param::Real(17.0)),
            ],
            subject: "10.20.0.66>10.20.1.9/1/write".to_owned(),
            severity: None,
            basis: Basis::Nearest(Line { file: 1, line: 4 }),
            flow: event.flow.clone(),
            assets: vec![key("10.20.0.66"), key("10.20.1.9")],
            earlier: vec![Cited { id: EventId { frame: 900, ordinal: 0 }, origin: frame(900) }],
        },
        event,
        repeats: 0,
        closes: None,
    }
}

pub(super) fn conflict_alert() -> Alert {
    let mut alert = write_alert();
    alert.event = event(EventKind::AddressConflict(Box::new(conflict())));
    alert.event.flow = None;
    alert.finding.flow = None;
    alert.finding.basis = Basis::None;
    alert.finding.assets = vec![key("10.20.1.9")];
    alert
}

fn conflict() -> AddressConflict {
    AddressConflict {
        asset: key("10.20.1.9"),
        before: MacAddr([0, 0x80, 0xf4, 0x0a, 0x11, 2]),
        before_frame: frame(3),
        after: MacAddr([2, 0, 0, 0, 0, 0x66]),
    }
}

pub(super) fn command() -> CommandFact {
    let asked = operation();
    let point = Point::bare("holding_register", 40, PointValue::Real(f64::INFINITY));
    CommandFact {
        fault: CommandFault::Changed,
        operation: asked.operation,
        asked: frame(1030),
        points: Box::new([point]),
        before: asked.points,
        fields: asked.fields,
    }
}

/// A point that is told with everything that may be told of it.
fn told() -> Point {
    Point {
        quality: Quality::INVALID.and(Quality::COMM_LOST),
        time: Some(1_767_607_872_123),
        ..Point::bare("measured_value", 7, PointValue::Real(-1.5))
    }
}

/// What is told of sessions, commands, points, clocks and rates.
fn news() -> Vec<EventKind> {
    let since = Timestamp(1_767_607_872_000_000_000);
    let notice = Notice {
        kind: NoticeKind::Session,
        name: "receive_sequence",
        unit: 10,
        got: 9,
        expected: 4,
        clause: Clause("5.1"),
    };
    let changes = [
        PointChange::TurnedBad,
        PointChange::TurnedGood,
        PointChange::Stale { since, period_ns: 2_000_000_000 },
        PointChange::Fresh,
    ];
    let clock = ClockFact { unit: 10, clock_ms: 1_767_607_872_123, ahead_ms: -3_600_000, sets: true };
    let rate = RateFact { since, frames: [100, 90], requests: 80, answers: 70, unsolicited: 6, waiting: 22 };
    let mut kinds = vec![
        EventKind::Notice(Box::new(NoticeFact { direction: Direction::ToClient, notice })),
        EventKind::Command(Box::new(command())),
        EventKind::Clock(clock),
        EventKind::Clock(ClockFact { clock_ms: u64::MAX, ahead_ms: i64::MAX, sets: false, ..clock }),
        EventKind::Rate(rate),
    ];
    kinds.extend(changes.map(|change| EventKind::Point(Box::new(PointFact { unit: 10, point: told(), change }))));
    kinds
}

/// Each state of a capture.
fn states() -> impl Iterator<Item = CaptureState> {
    let since = Timestamp(1_767_607_872_000_000_000);
    let flaws = [(MirrorFlaw::OneDirection, None), (MirrorFlaw::OneVlan, Some(7)), (MirrorFlaw::NoUnicast, None)];
    let suspects = flaws.map(|(flaw, vlan)| CaptureState::Suspect(MirrorFault { flaw, count: 9, total: 10, vlan }));
    let others = [
        CaptureState::Silent { since },
        CaptureState::Heard { silent_ns: 60_000_000_000 },
        CaptureState::LinkDown,
        CaptureState::LinkUp,
        CaptureState::InterfaceGone,
        CaptureState::InterfaceBack,
        CaptureState::ClockStepped { by_ns: -3_600_000_000_000 },
        CaptureState::ClockSetBack { by_ns: 3_600_000_000_000, frames: 1_000 },
        CaptureState::Plausible(MirrorFlaw::OneVlan),
    ];
    suspects.into_iter().chain(others)
}

/// One event of each kind, with everything in it that may be.
pub(super) fn events() -> Vec<Event> {
    let address = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
    let error = ParseError {
        kind: ErrorKind::Forbidden { got: 0 },
        field: "quantity_of_registers",
        offset: 10,
        clause: Clause("V1.1b3 6.3"),
    };
    let mut answered = operation();
    answered.stage = Stage::Refused;
    answered.refusal = Some(Refusal { code: 2, name: Some("illegal_data_address"), reason: Reason::Address });
    answered.request = Some(frame(1041));
    answered.outside =
        Some(Outside { point: answered.points[0], min: 0.0, max: 9.5, learnt: false, line: Line { file: 0, line: 7 } });
    answered.fields = Box::new([
        ("flag", FieldValue::Bool(true)),
        ("signed", FieldValue::Signed(-1)),
        ("real", FieldValue::Real(f64::NAN)),
        ("name", FieldValue::Name("write_multiple_registers")),
        ("unknown", FieldValue::Null),
        ("text", FieldValue::Text(Box::from(&b"\x1b\xff"[..]))),
        ("octets", FieldValue::Octets(Box::from(&b"\x00\xff"[..]))),
        ("bits", FieldValue::Bits(Box::new([true, false]))),
    ]);
    let sighting = Sighting {
        scope: SCOPE,
        source: "dhcp",
        mac: Some(MacAddr([2; 6])),
        address: Some(address("10.20.1.9")),
        claim: Some(("name", Box::from(&b"PLC"[..]))),
        asks_for: None,
        answers: false,
    };
    let mut reported = operation();
    reported.stage = Stage::Reported;
    reported.points = Box::new([told()]);
    let mut kinds = vec![
        EventKind::FlowOpened { attempt: true },
        EventKind::FlowAnswered,
        EventKind::FlowRefused,
        EventKind::FlowClosed(Box::default()),
        EventKind::Identified,
        EventKind::Stranger("modbus"),
        EventKind::Operation(Box::new(operation())),
        EventKind::Operation(Box::new(answered)),
        EventKind::Operation(Box::new(reported)),
        EventKind::Malformed(Box::new(MalformedFact { direction: Direction::ToClient, error, fields: Box::default() })),
        EventKind::Gap { direction: Direction::ToServer, octets: 9 },
        EventKind::StreamConflict { direction: Direction::ToServer },
        EventKind::FragmentConflict { source: address("10.0.0.1"), destination: address("fe80::1") },
        EventKind::Sighting(Box::new(sighting)),
        EventKind::AssetSeen(key("10.20.1.9")),
        EventKind::AddressConflict(Box::new(conflict())),
        EventKind::LimitReached("flows_max"),
        EventKind::Unanswered(UnansweredFact { unit: 10, requests: 8, since: Timestamp(1_767_607_872_000_000_000) }),
        EventKind::CaptureLoss(Box::default()),
        EventKind::Transmitted { capture: 0, frames: 3 },
        EventKind::SensorFault(Box::new(FaultFact::new(SensorFault::Panic, "modbus", "index \u{1b}", None))),
        EventKind::Tick,
    ];
    kinds.extend(news());
    kinds.extend(states().map(|state| EventKind::CaptureState(Box::new(CaptureFact { capture: 0, state }))));
    kinds.into_iter().map(event).collect()
}

pub(super) fn point() -> PointRecord {
    let key = SpaceKey {
        scope: SCOPE,
        server: "10.20.1.9".parse().unwrap(),
        protocol: ProtocolId::Modbus,
        unit: 1,
        space: "measured_value",
    };
    let point = told();
    let writer = |address: &str, value| Writer {
        address: address.parse().unwrap(),
        writes: 3,
        last: Timestamp(1_767_607_872_500_000_000),
        value,
        frame: frame(1042),
    };
    PointRecord {
        key,
        address: point.address,
        value: Some(point.value),
        quality: point.quality,
        device_time: point.time,
        first: frame(6),
        latest: frame(1042),
        last: Some(Timestamp(1_767_607_873_000_000_000)),
        range: Some((-1.5, 40.0)),
        updates: 12,
        changes: 4,
        period_ns: Some(2_000_000_000),
        writers: vec![writer("10.20.0.5", PointValue::Unsigned(17)), writer("10.20.0.66", PointValue::Real(f64::NAN))],
    }
}

pub(super) fn asset() -> Asset {
    let claim = |source, number| Claim { source, frame: frame(number) };
    Asset {
        key: key("10.20.1.9"),
        macs: BTreeMap::from([(MacAddr([0, 0x80, 0xf4, 0x0a, 0x11, 2]), claim("arp", 1))]),
        vendor: Some("Schneider"),
        claims: BTreeMap::from([
            (("name", Box::from(&b"PLC\x1b-1"[..])), claim("dhcp", 3)),
            (("product", Box::from(&b"\xff"[..])), claim("modbus", 9)),
        ]),
        roles: BTreeMap::from([((Role::Server, "modbus"), frame(5))]),
        units: BTreeMap::from([(("modbus", 1), frame(6))]),
        protocols: BTreeSet::from(["modbus"]),
        first: frame(1),
        first_time: Timestamp(1_767_607_872_000_000_000),
        last_time: Timestamp(1_767_607_873_000_000_000),
        dropped_claims: 0,
    }
}

pub(super) fn counters() -> Counters {
    let tables = BTreeMap::from([
        ("requests", BTreeMap::from([("16".to_owned(), 1), ("3".to_owned(), 46)])),
        ("exceptions", BTreeMap::from([("3:2".to_owned(), 2)])),
    ]);
    Counters {
        frames: 12,
        octets: 1024,
        carried: BTreeMap::from([("ipv4", 12), ("tcp", 12)]),
        ethertypes: BTreeMap::from([(0x88cc, 1)]),
        protocols: BTreeMap::from([(
            ProtocolId::Modbus,
            ProtocolCounters { tables, messages: 49, ..Default::default() },
        )]),
        undecoded_octets: BTreeMap::from([(("tcp", 443), 99)]),
        anomalies: BTreeMap::from([("truncated_frame", 1)]),
        limits: BTreeMap::from([("flows_max", 1)]),
        alerts: BTreeMap::from([("high", 1)]),
        unjudged: BTreeMap::from([("asset_new", 2)]),
        ..Counters::default()
    }
}
