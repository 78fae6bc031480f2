//! What tests of detections build their events with.

use crate::facts::asset::{Asset, AssetKey, Claim};
use crate::facts::event::{
    Event, EventId, EventKind, FrameRef, NoticeFact, OperationFact, PointChange, PointFact, Stage,
};
use crate::facts::flow::{Endpoint, Flow, FlowId, Oriented, Transport};
use crate::facts::time::Timestamp;
use crate::norm::{Basis, Line, Norm, Novelty, Verdict};
use crate::policy::Policy;
use crate::rule::{Assets, Card, Finding, Registration, Rule, Scene, Settings, Severity, Text};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use yagura_parsers::dissect::Direction;
use yagura_parsers::error::Clause;
use yagura_parsers::message::{Notice, NoticeKind, Operation, Point, PointValue, Quality, Refusal, Target, Verb};
use yagura_parsers::packet::Scope;
use yagura_parsers::packet::link::MacAddr;
use yagura_parsers::protocols::ProtocolId;
use yagura_parsers::protocols::modbus::ExceptionCode;

/// A second of packet time.
pub(crate) const SECOND: u64 = 1_000_000_000;
/// A line that opinions of tests rest on.
pub(crate) const LINE: Line = Line { file: 0, line: 7 };

/// Something that events happen to, one frame each.
pub(crate) struct Bench {
    pub(crate) norm: Arc<Norm>,
    assets: BTreeMap<AssetKey, Asset>,
    frame: Cell<u64>,
}

impl Assets for Bench {
    fn asset(&self, key: &AssetKey) -> Option<&Asset> {
        self.assets.get(key)
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { norm: Arc::default(), assets: BTreeMap::new(), frame: Cell::new(0) }
    }

    /// A bench with a site file.
    pub(crate) fn with_site(site: &str) -> Self {
        let policy = Policy::load("site.toml", &mut |_| Ok(format!("schema = 1\n{site}")), super::CATALOG);
        Self { norm: policy.expect("a site file in order").norm, ..Self::new() }
    }

    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene { assets: self, norm: &self.norm }
    }

    pub(crate) fn event(&self, second: u64, flow: Option<&Arc<Flow>>, kind: EventKind) -> Event {
        self.frame.set(self.frame.get() + 1);
        let frame = self.frame.get();
        Event {
            id: EventId { frame, ordinal: 0 },
            origin: FrameRef { capture: 0, frame },
            time: Timestamp(1_767_607_200 * SECOND + second * SECOND),
            flow: flow.cloned(),
            kind,
        }
    }

    /// Takes a device off the bench.
    pub(crate) fn forget(&mut self, key: &AssetKey) {
        self.assets.remove(key);
    }

    /// Puts a device on the bench.
    pub(crate) fn add(&mut self, key: AssetKey, macs: &[(MacAddr, &'static str)]) {
        let frame = FrameRef { capture: 0, frame: 1 };
        self.assets.insert(
            key,
            Asset {
                key,
                macs: macs.iter().map(|(mac, source)| (*mac, Claim { source, frame })).collect(),
                vendor: Some("Example Works"),
                claims: BTreeMap::new(),
                roles: BTreeMap::new(),
                units: BTreeMap::new(),
                protocols: BTreeSet::new(),
                first: frame,
                first_time: Timestamp(0),
                last_time: Timestamp(0),
                dropped_claims: 0,
            },
        );
    }

    /// Shows an event to a rule; what it finds is checked for form.
    pub(crate) fn show(&self, rule: &mut dyn Rule, event: &Event) -> Vec<Finding> {
        let mut found = Vec::new();
        rule.observe(event, self.scene(), &mut found);
        for finding in &found {
            check(finding);
        }
        found
    }

    /// A new event in a flow, shown to a rule.
    pub(crate) fn tell(&self, rule: &mut dyn Rule, second: u64, flow: &Arc<Flow>, kind: EventKind) -> Vec<Finding> {
        self.show(rule, &self.event(second, Some(flow), kind))
    }
}

/// A rule with its default settings.
pub(crate) fn build(registration: &Registration) -> Box<dyn Rule> {
    (registration.build)(&Settings::default(), 1_000)
}

/// Whatever a sentence speaks of must be among its parameters, in both languages; subjects are facts, on one line.
fn check(finding: &Finding) {
    for name in placeholders(finding.text.en).union(&placeholders(finding.text.ja)) {
        assert!(finding.params.iter().any(|(param, _)| param == name), "{name} of {:?}", finding.text.en);
    }
    let names: BTreeSet<&str> = finding.params.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), finding.params.len(), "a parameter twice: {:?}", finding.params);
    assert!(!finding.subject.is_empty() && finding.subject.chars().all(|c| !c.is_control() && c != ' '));
    assert!(finding.earlier.len() <= crate::rule::Cited::MAX);
}

/// The parameters that a template names.
pub(crate) fn placeholders(template: &'static str) -> BTreeSet<&'static str> {
    let mut names = BTreeSet::new();
    let mut rest = template;
    while let Some((_, tail)) = rest.split_once('{') {
        let (name, tail) = tail.split_once('}').expect("an open brace");
        names.insert(name);
        rest = tail;
    }
    assert!(!rest.contains('}'), "a brace too many: {template}");
    names
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn key(text: &str) -> AssetKey {
    AssetKey::Ip(Scope::default(), ip(text))
}

pub(crate) fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

/// A Modbus flow over TCP; its number is made of its ends.
pub(crate) fn flow(client: &str, server: &str, port: u16) -> Arc<Flow> {
    let last =
        |text: &str| text.bytes().fold(7_u64, |hash, octet| hash.wrapping_mul(31).wrapping_add(u64::from(octet)));
    Arc::new(Flow {
        id: FlowId((last(client) ^ last(server).rotate_left(13)).wrapping_mul(1 << 16).wrapping_add(u64::from(port))),
        first: FrameRef { capture: 0, frame: 1 },
        opened: Timestamp(0),
        transport: Transport::Tcp,
        client: Endpoint { address: ip(client), port: 49_152 },
        server: Endpoint { address: ip(server), port },
        oriented: Oriented::Handshake,
        client_mac: None,
        server_mac: None,
        scope: Scope::default(),
        protocol: Some(ProtocolId::Modbus),
        dialect: "tcp",
    })
}

/// A flow of DNP3.
pub(crate) fn dnp3(client: &str, server: &str) -> Arc<Flow> {
    speaking(ProtocolId::Dnp3, client, server)
}

/// A flow of IEC 60870-5-104.
pub(crate) fn iec104(client: &str, server: &str) -> Arc<Flow> {
    speaking(ProtocolId::Iec104, client, server)
}

fn speaking(protocol: ProtocolId, client: &str, server: &str) -> Arc<Flow> {
    let port = protocol.ports().first().copied().expect("a port");
    Arc::new(Flow { protocol: Some(protocol), dialect: "", ..Flow::clone(&flow(client, server, port)) })
}

/// The same, before anything was said.
pub(crate) fn unidentified(client: &str, server: &str, port: u16) -> Arc<Flow> {
    let mut flow = Flow::clone(&flow(client, server, port));
    flow.protocol = None;
    flow.dialect = "";
    Arc::new(flow)
}

pub(crate) fn read(unit: u16, first: u32, count: u32) -> Operation {
    Operation {
        verb: Verb::Read,
        code: 3,
        sub: 0,
        unit,
        target: Some(Target { space: "holding_register", first, count }),
    }
}

pub(crate) fn write(unit: u16, first: u32, count: u32) -> Operation {
    Operation { verb: Verb::Write, code: 16, ..read(unit, first, count) }
}

/// An operation as it is asked.
pub(crate) fn asked(operation: Operation, verdict: Verdict) -> OperationFact {
    OperationFact {
        operation,
        stage: Stage::Requested,
        verdict,
        refusal: None,
        direction: Direction::ToServer,
        request: None,
        outside: None,
        points: Box::new([]),
        fields: Box::new([]),
    }
}

/// An operation as it is refused; the request was seen.
pub(crate) fn refused(operation: Operation, verdict: Verdict, code: u16) -> OperationFact {
    OperationFact {
        stage: Stage::Refused,
        refusal: Some(Refusal {
            code,
            name: Some("illegal_data_address").filter(|_| code == 2),
            reason: ExceptionCode(u8::try_from(code).unwrap()).reason(),
        }),
        direction: Direction::ToClient,
        request: Some(FrameRef { capture: 0, frame: 1 }),
        ..asked(operation, verdict)
    }
}

pub(crate) fn kind(fact: OperationFact) -> EventKind {
    EventKind::Operation(Box::new(fact))
}

/// A message in a flow that shows something beside what it says.
pub(crate) fn notice(kind: NoticeKind, name: &'static str, unit: u16, direction: Direction) -> EventKind {
    let notice = Notice { kind, name, unit, got: 7, expected: 5, clause: Clause("5.1") };
    EventKind::Notice(Box::new(NoticeFact { direction, notice }))
}

/// What became of a measured value.
pub(crate) fn point_change(unit: u16, address: u32, change: PointChange) -> EventKind {
    let quality = match change {
        PointChange::TurnedBad => Quality::INVALID.and(Quality::OVERFLOW),
        _ => Quality::default(),
    };
    let point = Point { quality, ..Point::bare("measured_value", address, PointValue::Real(1.5)) };
    EventKind::Point(Box::new(PointFact { unit, point, change }))
}

/// The number that a finding gives for a parameter.
pub(crate) fn number(finding: &Finding, name: &str) -> u64 {
    match finding.params.iter().find(|(known, _)| *known == name) {
        Some((_, crate::rule::Param::Number(number))) => *number,
        other => panic!("{name} is no number: {other:?}"),
    }
}

pub(crate) fn usual() -> Verdict {
    Verdict::Usual(Basis::Line(LINE))
}

pub(crate) fn unusual(novelty: Novelty) -> Verdict {
    Verdict::Unusual(novelty, Basis::Nearest(LINE))
}

pub(crate) fn forbidden() -> Verdict {
    Verdict::Forbidden(Basis::Nearest(LINE))
}

const TEXT: Text = Text { en: "told", ja: "通知" };

static CARD: Card = Card {
    id: "OT-9999",
    name: "told_in_tests",
    severity: Severity::Medium,
    attack: &[],
    serves: &[],
    what: TEXT,
    why: TEXT,
    benign: TEXT,
    response: TEXT,
    settings: &[],
};

/// A card that belongs to no detection.
pub(crate) const fn card_for_tests() -> &'static Card {
    &CARD
}

/// A finding of it.
pub(crate) fn finding_for_tests(subject: &str) -> Finding {
    Finding {
        text: &TEXT,
        params: Vec::new(),
        subject: subject.to_owned(),
        severity: None,
        basis: Basis::None,
        flow: None,
        assets: Vec::new(),
        earlier: Vec::new(),
    }
}
