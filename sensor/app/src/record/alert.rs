//! Alerts and their evidence.

use super::flow::FlowShape;
use super::text::{Names, Tongue, address_of, ip_of, mac_in, sentence};
use super::wire::{Cuts, Room, Shape, fields, items_cut, point_value, sentence_cut, text_cut};
use super::write::{LINE_OCTETS_MAX, device_time, line, time};
use super::{FrameShape, Language, SCHEMA};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;
use yagura_parsers::dissect::Direction;
use yagura_parsers::error::ParseError;
use yagura_parsers::message::{Notice, NoticeKind, Operation, Point, Quality};
use yagura_rules::alert::Alert;
use yagura_rules::detections::CATALOG;
use yagura_rules::facts::asset::AssetKey;
use yagura_rules::facts::event::{
    CaptureState, ClockFact, CommandFact, Event, EventId, EventKind, FieldValue, OperationFact, PointChange, RateFact,
    Stage,
};
use yagura_rules::facts::time::Timestamp;
use yagura_rules::norm::{Basis, Norm};
use yagura_rules::rule::{Card, Cited, Param, Technique};

/// A technique of MITRE ATT&CK for ICS.
#[derive(Debug, Clone, Serialize)]
pub struct TechniqueShape {
    /// The id of version 19.
    pub id: &'static str,
    /// The id before, where it differs.
    pub old: Option<&'static str>,
    /// Its name.
    pub name: &'static str,
}

impl TechniqueShape {
    /// The shapes of a card's techniques.
    pub fn all(techniques: &[Technique]) -> Vec<Self> {
        techniques.iter().map(|technique| Self { id: technique.id, old: technique.old, name: technique.name }).collect()
    }
}

/// Which detection raised an alert.
#[derive(Debug, Clone, Serialize)]
pub struct DetectionShape {
    /// `OT-0007`.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Techniques it is evidence of.
    pub attack: Vec<TechniqueShape>,
    /// Rows of requirements that it serves.
    pub serves: &'static [&'static str],
}

/// What a judgement rests on.
#[derive(Debug, Clone, Serialize)]
pub struct BasisShape {
    /// `contradicted`: the line says otherwise. `nearest`: no line allows it, this one is the nearest. `file`: nothing
    /// in the file comes near. `none`: there is no line to judge by.
    pub fact: &'static str,
    /// The operator's file.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u32>,
}

impl BasisShape {
    /// The shape of a basis.
    pub fn new(basis: Basis, norm: &Norm) -> Self {
        match basis {
            Basis::None => Self { fact: "none", file: None, line: None },
            Basis::File(file) => Self { fact: "file", file: Some(norm.file(file).to_owned()), line: None },
            Basis::Line(at) => {
                Self { fact: "contradicted", file: Some(norm.file(at.file).to_owned()), line: Some(at.line) }
            }
            Basis::Nearest(at) => {
                Self { fact: "nearest", file: Some(norm.file(at.file).to_owned()), line: Some(at.line) }
            }
        }
    }
}

/// An asset that an alert concerns.
#[derive(Debug, Clone, Serialize)]
pub struct ConcernedShape {
    /// IP address.
    pub address: Option<IpAddr>,
    /// MAC address, as far as the alert's flow shows it.
    pub mac: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// The texts of a card in one language.
#[derive(Debug, Clone, Serialize)]
pub struct CardShape {
    /// What it means.
    pub what: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What harmless cause it may have.
    pub benign: &'static str,
    /// What to do.
    pub response: &'static str,
}

impl CardShape {
    /// A card's texts.
    pub fn new(card: &Card, tongue: Tongue) -> Self {
        Self {
            what: tongue.of(&card.what),
            why: tongue.of(&card.why),
            benign: tongue.of(&card.benign),
            response: tongue.of(&card.response),
        }
    }
}

/// What an operation is about.
#[derive(Debug, Clone, Serialize)]
pub struct TargetShape {
    /// The data space by the standard's name.
    pub space: &'static str,
    /// The first address, of the PDU.
    pub first: u32,
    /// The last address.
    pub last: u32,
    /// How many.
    pub count: u32,
}

/// A code with its name.
#[derive(Debug, Clone, Serialize)]
pub struct CodeShape {
    /// The code.
    pub code: u16,
    /// Its name; `null` where the standard has none.
    pub name: Option<&'static str>,
}

/// A value.
#[derive(Debug, Clone, Serialize)]
pub struct PointShape {
    /// The data space.
    pub space: &'static str,
    /// The address.
    pub address: u32,
    /// The value.
    pub value: Shape,
    /// What the device says of its worth; empty where it is good.
    pub quality: Vec<&'static str>,
    /// When it was so by the device's clock.
    pub device_time: Option<String>,
}

impl PointShape {
    /// The shape of a value.
    pub fn new(point: &Point) -> Self {
        Self {
            space: point.space,
            address: point.address,
            value: point_value(point.value),
            quality: quality_names(point.quality),
            device_time: point.time.and_then(device_time),
        }
    }

    /// As many of several values as there is room for.
    fn some(points: &[Point], room: Room, name: &'static str, cuts: &mut Cuts) -> Vec<Self> {
        items_cut(points, room.items.min(POINTS_MAX), name, cuts).iter().map(Self::new).collect()
    }
}

/// Values of one event that are told at most.
const POINTS_MAX: usize = 64;

/// The names of a quality's bits, in their order; none for a good value.
pub fn quality_names(quality: Quality) -> Vec<&'static str> {
    Quality::NAMES.iter().filter(|(bit, _)| quality.has(*bit)).map(|(_, name)| *name).collect()
}

/// A value outside its range.
#[derive(Debug, Clone, Serialize)]
pub struct OutsideShape {
    /// The point.
    pub point: PointShape,
    /// The least usual value.
    pub min: f64,
    /// The greatest usual value.
    pub max: f64,
    /// The operator's file that says so.
    pub file: String,
    /// The line in it.
    pub line: u32,
}

/// What is wrong with a PDU.
#[derive(Debug, Clone, Serialize)]
pub struct FaultShape {
    /// The kind: `truncated`, `forbidden`, ...
    pub kind: &'static str,
    /// The field, by the standard's name.
    pub field: &'static str,
    /// Octets before the field in its PDU.
    pub offset: u32,
    /// The clause of the standard; `null` where it is only a matter of length.
    pub clause: Option<&'static str>,
    /// All of it as a sentence.
    pub text: String,
}

impl FaultShape {
    /// The shape of an error.
    pub fn new(error: &ParseError) -> Self {
        Self {
            kind: error.kind.name(),
            field: error.field,
            offset: error.offset,
            clause: (!error.clause.0.is_empty()).then_some(error.clause.0),
            text: error.to_string(),
        }
    }
}

/// What a message shows beside what it says.
#[derive(Debug, Clone, Serialize)]
pub struct NoticeShape {
    /// `session`, `trouble`, `ignored`.
    pub kind: &'static str,
    /// Its name: `receive_sequence`, `t1_exceeded`, ...
    pub name: &'static str,
    /// The number that was met.
    pub got: u64,
    /// The number that was to be expected, or the bound.
    pub expected: u64,
    /// The clause of the standard.
    pub clause: Option<&'static str>,
}

impl NoticeShape {
    fn new(notice: &Notice) -> Self {
        Self {
            kind: match notice.kind {
                NoticeKind::Session => "session",
                NoticeKind::Trouble => "trouble",
                NoticeKind::Ignored => "ignored",
            },
            name: notice.name,
            got: notice.got,
            expected: notice.expected,
            clause: (!notice.clause.0.is_empty()).then_some(notice.clause.0),
        }
    }
}

/// How a command leaves the way of commands.
#[derive(Debug, Clone, Serialize)]
pub struct CommandShape {
    /// `not_selected`, `changed`, `unconfirmed`, `unterminated`.
    pub fault: &'static str,
    /// The frame of the command; of the select where it was changed.
    pub asked: FrameShape,
    /// Values of the select that was changed.
    pub before: Vec<PointShape>,
}

/// What became of a point.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeShape {
    /// `turned_bad`, `turned_good`, `stale`, `fresh`.
    pub kind: &'static str,
    /// For a stale point, when it was told last.
    pub since: Option<String>,
    /// For a stale point, how often it was told, in ns.
    pub period_ns: Option<u64>,
}

impl ChangeShape {
    fn new(change: PointChange) -> Self {
        let kind = match change {
            PointChange::TurnedBad => "turned_bad",
            PointChange::TurnedGood => "turned_good",
            PointChange::Stale { .. } => "stale",
            PointChange::Fresh => "fresh",
        };
        let (since, period_ns) = match change {
            PointChange::Stale { since, period_ns } => (Some(time(since)), Some(period_ns)),
            _ => (None, None),
        };
        Self { kind, since, period_ns }
    }
}

/// A device's clock.
#[derive(Debug, Clone, Serialize)]
pub struct ClockShape {
    /// The clock, whatever its zone.
    pub device_time: Option<String>,
    /// So much it is ahead of the capture's clock, in ms.
    pub ahead_ms: i64,
    /// Whether the message sets it.
    pub sets: bool,
}

impl ClockShape {
    fn new(fact: &ClockFact) -> Self {
        Self { device_time: device_time(fact.clock_ms), ahead_ms: fact.ahead_ms, sets: fact.sets }
    }
}

/// What went through a flow.
#[derive(Debug, Clone, Serialize)]
pub struct RateShape {
    /// Since when it is counted.
    pub since: String,
    /// Frames to the server.
    pub frames_to_server: u64,
    /// Frames to the client.
    pub frames_to_client: u64,
    /// Requests.
    pub requests: u64,
    /// Requests that were answered.
    pub answers: u64,
    /// Messages that nobody asked for.
    pub unsolicited: u64,
    /// The most requests that waited for their answer at once.
    pub waiting: u64,
}

impl RateShape {
    fn new(fact: &RateFact) -> Self {
        let [frames_to_server, frames_to_client] = fact.frames;
        Self {
            since: time(fact.since),
            frames_to_server,
            frames_to_client,
            requests: fact.requests,
            answers: fact.answers,
            unsolicited: fact.unsolicited,
            waiting: fact.waiting,
        }
    }
}

/// An event that carries an alert. Of earlier events only the place is told.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EvidenceShape {
    /// Frame in the timeline, and which of its events.
    pub event: String,
    /// The capture's path.
    pub capture: Option<String>,
    /// Number of the frame in the capture.
    pub frame: u64,
    /// When.
    pub time: Option<String>,
    /// What was observed.
    pub what: Option<&'static str>,
    /// `to_server` or `to_client`.
    pub direction: Option<&'static str>,
    /// The protocol.
    pub protocol: Option<&'static str>,
    /// What is done.
    pub verb: Option<&'static str>,
    /// `requested`, `answered`, `refused`, `unasked`, `reported`.
    pub stage: Option<&'static str>,
    /// The standard's name of the operation.
    pub operation: Option<&'static str>,
    /// The protocol's code.
    pub code: Option<u16>,
    /// The second code of a family.
    pub sub: Option<u16>,
    /// The address behind the endpoint.
    pub unit: Option<u16>,
    /// What it is about.
    pub target: Option<TargetShape>,
    /// How it was refused.
    pub refusal: Option<CodeShape>,
    /// The frame of the request, for an answer.
    pub request: Option<FrameShape>,
    /// The value that is out of range.
    pub outside: Option<OutsideShape>,
    /// What is wrong with the PDU.
    pub fault: Option<FaultShape>,
    /// What the message shows beside what it says.
    pub notice: Option<NoticeShape>,
    /// How a command leaves the way of commands.
    pub command: Option<CommandShape>,
    /// What became of the point.
    pub change: Option<ChangeShape>,
    /// A device's clock.
    pub clock: Option<ClockShape>,
    /// What went through the flow.
    pub rate: Option<RateShape>,
    /// Values written, reported or commanded.
    pub points: Vec<PointShape>,
    /// Fields of the message, or of what else was observed.
    pub fields: Fields,
    /// What was shortened or left out for want of room.
    pub cut: Vec<&'static str>,
}

/// Named values; empty where there are none.
#[derive(Debug, Clone)]
pub struct Fields(pub Shape);

impl Default for Fields {
    fn default() -> Self {
        Self(Shape::Object(Vec::new()))
    }
}

impl Serialize for Fields {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// An alert.
#[derive(Debug, Clone, Serialize)]
pub struct AlertRecord {
    /// `alert`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// [`SCHEMA`].
    pub schema: u32,
    /// Detection, frame, ordinal: equal on every run.
    pub id: String,
    /// When, by the frame.
    pub time: String,
    /// `info`, `low`, `medium`, `high`, `critical`.
    pub severity: &'static str,
    /// The detection.
    pub detection: Cow<'static, RawValue>,
    /// The sensor's name.
    pub sensor: Option<String>,
    /// The site's name.
    pub site: Option<String>,
    /// What it rests on.
    pub basis: BasisShape,
    /// The sentence, in the language that was asked for.
    pub summary: String,
    /// The sentence in Japanese, where both languages were asked for.
    pub summary_ja: Option<String>,
    /// What equal findings share.
    pub subject: String,
    /// The sentence's parameters.
    pub params: Shape,
    /// In which flow.
    pub flow: Option<FlowShape>,
    /// Who is concerned, the actor first.
    pub assets: Vec<ConcernedShape>,
    /// For a closing alert: how many more there were.
    pub repeats: u64,
    /// For a closing alert: the alert that it closes.
    pub closes: Option<String>,
    /// Events that carry it, its own first.
    pub evidence: Vec<EvidenceShape>,
    /// The card's texts, in the language that was asked for.
    pub card: Cow<'static, RawValue>,
    /// The card's texts in Japanese, where both languages were asked for.
    pub card_ja: Option<Cow<'static, RawValue>>,
    /// What was shortened or left out for want of room, beside evidence.
    pub cut: Vec<&'static str>,
}

/// A part of an alert that its detection alone decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// [`DetectionShape`].
    Detection,
    /// [`CardShape`].
    Texts(Tongue),
}

impl Part {
    fn of(self, card: &Card) -> Box<RawValue> {
        let text = match self {
            Self::Detection => line(&DetectionShape {
                id: card.id,
                name: card.name,
                attack: TechniqueShape::all(card.attack),
                serves: card.serves,
            }),
            Self::Texts(tongue) => line(&CardShape::new(card, tongue)),
        };
        // What was written as JSON can be read as such.
        RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

/// A part of an alert as JSON; written once for the catalogue's detections, since it is a third of an alert.
fn written(card: &Card, part: Part) -> Cow<'static, RawValue> {
    static WRITTEN: LazyLock<BTreeMap<(&str, Part), Box<RawValue>>> = LazyLock::new(|| {
        let parts = [Part::Detection, Part::Texts(Tongue::English), Part::Texts(Tongue::Japanese)];
        let all = CATALOG.iter().flat_map(|one| parts.map(|part| ((one.card.id, part), part.of(one.card))));
        all.collect()
    });
    match WRITTEN.get(&(card.id, part)) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(part.of(card)),
    }
}

/// What alerts of one run have in common.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// By what names things are called.
    pub names: Names<'a>,
    /// The language.
    pub language: Language,
    /// The sensor's name.
    pub sensor: Option<&'a str>,
    /// The site's name.
    pub site: Option<&'a str>,
}

impl AlertRecord {
    /// Shapes an alert, with so much room.
    pub fn new(alert: &Alert, source: &Source<'_>, room: Room) -> Self {
        let Alert { card, finding, event, .. } = alert;
        let names = &source.names;
        let mut cuts = Cuts::default();
        let say =
            |tongue, name, cuts: &mut Cuts| sentence_cut(sentence(finding, event, tongue, names), room, name, cuts);
        let summary = say(source.language.first(), "summary", &mut cuts);
        let summary_ja = source.language.second().map(|tongue| say(tongue, "summary_ja", &mut cuts));
        let subject = sentence_cut(finding.subject.clone(), room, "subject", &mut cuts);
        let params = params(&finding.params, room, &source.names, &mut cuts);
        let assets = items_cut(&finding.assets, room.items, "assets", &mut cuts)
            .iter()
            .map(|key| concerned(key, alert, room, names))
            .collect();
        let earlier = items_cut(&finding.earlier, room.items, "evidence", &mut cuts);
        let mut evidence = vec![evidence(event, room, names)];
        evidence.extend(earlier.iter().map(|cited| earlier_evidence(cited, names)));
        Self {
            kind: "alert",
            schema: SCHEMA,
            id: alert.id.to_string(),
            time: time(alert.time),
            severity: alert.severity.name(),
            detection: written(card, Part::Detection),
            sensor: source.sensor.map(str::to_owned),
            site: source.site.map(str::to_owned),
            basis: BasisShape::new(finding.basis, names.norm),
            summary,
            summary_ja,
            subject,
            params,
            flow: finding.flow.as_deref().map(FlowShape::new),
            assets,
            repeats: alert.repeats,
            closes: alert.closes.map(|id| id.to_string()),
            evidence,
            card: written(card, Part::Texts(source.language.first())),
            card_ja: source.language.second().map(|tongue| written(card, Part::Texts(tongue))),
            cut: cuts.0,
        }
    }

    /// An alert as one line, cut where it would be longer than [`LINE_OCTETS_MAX`].
    pub fn line(alert: &Alert, source: &Source<'_>) -> String {
        fitting(|room| line(&Self::new(alert, source, room)))
    }
}

/// The first of the room's levels with which a line is not too long; the tightest, where none is.
pub fn fitting(shape: impl Fn(Room) -> String) -> String {
    let mut text = String::new();
    for room in Room::LEVELS {
        text = shape(room);
        if text.len() <= LINE_OCTETS_MAX {
            break;
        }
    }
    text
}

fn params(params: &[(&'static str, Param)], room: Room, names: &Names<'_>, cuts: &mut Cuts) -> Shape {
    let shaped = items_cut(params, room.items, "params", cuts).iter().map(|(name, param)| {
        let value = match param {
            Param::Number(number) => Shape::Unsigned(*number),
            Param::Real(number) => Shape::Real(*number),
            Param::Word(word) => Shape::Text((*word).to_owned()),
            Param::Text(text) => Shape::Text(sentence_cut(text.clone(), room, name, cuts)),
            Param::Capture(number) => match names.captures.get(usize::from(*number)) {
                Some(name) => Shape::Text(name.clone()),
                None => Shape::Unsigned(u64::from(*number)),
            },
            Param::Asset(key) => Shape::Text(address_of(key)),
            Param::Wire(octets) => Shape::Text(text_cut(octets, room, name, cuts)),
        };
        ((*name).to_owned(), value)
    });
    Shape::Object(shaped.collect())
}

fn concerned(key: &AssetKey, alert: &Alert, room: Room, names: &Names<'_>) -> ConcernedShape {
    let seen = match &alert.event.kind {
        EventKind::Sighting(sighting) if sighting.address.is_some() && sighting.address == ip_of(key) => sighting.mac,
        EventKind::AddressConflict(conflict) if conflict.asset == *key => Some(conflict.after),
        _ => None,
    };
    let learnt = || names.assets?.get(key)?.macs.keys().next().copied();
    let mac = mac_in(alert.finding.flow.as_deref(), key).or(seen).or_else(learnt);
    // A name is cut like any text from the wire; the address beside it says who is meant.
    let name = names.of(key, mac).map(|name| sentence_cut(name, room, "name", &mut Cuts::default()));
    ConcernedShape { address: ip_of(key), mac: mac.map(|mac| mac.to_string()), name }
}

fn earlier_evidence(cited: &Cited, names: &Names<'_>) -> EvidenceShape {
    let at = FrameShape::new(cited.origin, names.captures);
    EvidenceShape { event: event_name(cited.id), capture: at.capture, frame: at.frame, ..EvidenceShape::default() }
}

fn event_name(id: EventId) -> String {
    format!("{}-{}", id.frame, id.ordinal)
}

/// An event as evidence.
pub fn evidence(event: &Event, room: Room, names: &Names<'_>) -> EvidenceShape {
    let at = FrameShape::new(event.origin, names.captures);
    let mut shape = EvidenceShape {
        event: event_name(event.id),
        capture: at.capture,
        frame: at.frame,
        time: Some(time(event.time)),
        what: Some(what(&event.kind)),
        protocol: event.flow.as_ref().and_then(|flow| flow.protocol).map(|protocol| protocol.name()),
        ..EvidenceShape::default()
    };
    let mut cuts = Cuts::default();
    let mut told: Vec<(&'static str, FieldValue)> = Vec::new();
    let text = |text: String| FieldValue::Text(text.into_bytes().into());
    let mac =
        |mac: Option<yagura_parsers::packet::link::MacAddr>| mac.map_or(FieldValue::Null, |mac| text(mac.to_string()));
    let address = |address: Option<IpAddr>| address.map_or(FieldValue::Null, |address| text(address.to_string()));
    match &event.kind {
        EventKind::Operation(fact) => {
            operation(&mut shape, fact, event, room, names, &mut cuts);
        }
        EventKind::Malformed(fact) => {
            shape.direction = Some(direction_name(fact.direction));
            shape.fault = Some(FaultShape::new(&fact.error));
            shape.fields = Fields(fields(&fact.fields, room, &mut cuts));
        }
        EventKind::Notice(fact) => {
            shape.direction = Some(direction_name(fact.direction));
            shape.unit = Some(fact.notice.unit);
            shape.notice = Some(NoticeShape::new(&fact.notice));
        }
        EventKind::Command(fact) => command(&mut shape, fact, event, room, names, &mut cuts),
        EventKind::Point(fact) => {
            shape.unit = Some(fact.unit);
            shape.points = vec![PointShape::new(&fact.point)];
            shape.change = Some(ChangeShape::new(fact.change));
        }
        EventKind::Clock(fact) => {
            shape.unit = Some(fact.unit);
            shape.clock = Some(ClockShape::new(fact));
        }
        EventKind::Rate(fact) => shape.rate = Some(RateShape::new(fact)),
        EventKind::FlowOpened { attempt } => told.push(("attempt", FieldValue::Bool(*attempt))),
        EventKind::FlowClosed(summary) => {
            let [to_server, to_client] = summary.frames;
            told.push(("frames_to_server", FieldValue::Unsigned(to_server)));
            told.push(("frames_to_client", FieldValue::Unsigned(to_client)));
            let [to_server, to_client] = summary.octets;
            told.push(("octets_to_server", FieldValue::Unsigned(to_server)));
            told.push(("octets_to_client", FieldValue::Unsigned(to_client)));
            let [to_server, to_client] = summary.messages;
            told.push(("messages_to_server", FieldValue::Unsigned(to_server)));
            told.push(("messages_to_client", FieldValue::Unsigned(to_client)));
        }
        EventKind::Unanswered(fact) => {
            shape.unit = Some(fact.unit);
            told.push(("requests", FieldValue::Unsigned(fact.requests)));
            told.push(("since", text(crate::record::write::time(fact.since))));
        }
        EventKind::Stranger(protocol) => told.push(("port_of", FieldValue::Name(protocol))),
        EventKind::Gap { direction, octets } => {
            shape.direction = Some(direction_name(*direction));
            told.push(("octets", FieldValue::Unsigned(*octets)));
        }
        EventKind::StreamConflict { direction } => shape.direction = Some(direction_name(*direction)),
        EventKind::FragmentConflict { source, destination } => {
            told.push(("source", text(source.to_string())));
            told.push(("destination", text(destination.to_string())));
        }
        EventKind::Sighting(sighting) => {
            told.push(("source", FieldValue::Name(sighting.source)));
            told.push(("mac", mac(sighting.mac)));
            told.push(("address", address(sighting.address)));
            told.push(("asks_for", address(sighting.asks_for)));
            told.push(("answers", FieldValue::Bool(sighting.answers)));
            if let Some((key, claimed)) = &sighting.claim {
                told.push((key, FieldValue::Text(claimed.clone())));
            }
        }
        EventKind::AssetSeen(key) => told.push(("asset", text(address_of(key)))),
        EventKind::AddressConflict(conflict) => {
            let before = FrameShape::new(conflict.before_frame, names.captures);
            told.push(("asset", text(address_of(&conflict.asset))));
            told.push(("mac_before", mac(Some(conflict.before))));
            told.push(("capture_before", before.capture.map_or(FieldValue::Null, text)));
            told.push(("frame_before", FieldValue::Unsigned(before.frame)));
            told.push(("mac_after", mac(Some(conflict.after))));
        }
        EventKind::LimitReached(limit) => told.push(("limit", FieldValue::Name(limit))),
        EventKind::CaptureLoss(_) | EventKind::CaptureState(_) | EventKind::Transmitted { .. } => {
            health(&event.kind, names, &mut told);
        }
        EventKind::SensorFault(fact) => {
            told.push(("fault", FieldValue::Name(fact.fault.name())));
            told.push(("part", FieldValue::Text(fact.part.as_bytes().into())));
            told.push(("text", FieldValue::Text(fact.text.as_bytes().into())));
        }
        _ => {}
    }
    if !told.is_empty() {
        shape.fields = Fields(fields(&told, room, &mut cuts));
    }
    shape.cut = cuts.0;
    shape
}

/// What the sensor hears, and how.
fn health(kind: &EventKind, names: &Names<'_>, told: &mut Vec<(&'static str, FieldValue)>) {
    let number = FieldValue::Unsigned;
    let moment = |at: Timestamp| FieldValue::Text(time(at).into_bytes().into());
    let capture = match kind {
        EventKind::CaptureLoss(fact) => fact.capture,
        EventKind::CaptureState(fact) => fact.capture,
        EventKind::Transmitted { capture, .. } => *capture,
        _ => return,
    };
    let named = names.captures.get(usize::from(capture));
    let on = named.map_or(FieldValue::Unsigned(capture.into()), |name| FieldValue::Text(name.as_bytes().into()));
    told.push(("on", on));
    match kind {
        EventKind::CaptureLoss(fact) => {
            told.push(("lost_kernel", number(fact.kernel)));
            told.push(("lost_interface", number(fact.interface)));
            told.push(("lost_bulk", number(fact.bulk)));
            told.push(("lost_industrial", number(fact.industrial)));
            told.push(("seen", number(fact.seen)));
            told.push(("since", moment(fact.since)));
        }
        EventKind::Transmitted { frames, .. } => told.push(("frames", number(*frames))),
        EventKind::CaptureState(fact) => {
            let state = match fact.state {
                CaptureState::Silent { since } => {
                    told.push(("since", moment(since)));
                    "silent"
                }
                CaptureState::Heard { silent_ns } => {
                    told.push(("silent_ns", number(silent_ns)));
                    "heard"
                }
                CaptureState::LinkDown => "link_down",
                CaptureState::LinkUp => "link_up",
                CaptureState::InterfaceGone => "interface_gone",
                CaptureState::InterfaceBack => "interface_back",
                CaptureState::ClockStepped { by_ns } => {
                    told.push(("by_ns", FieldValue::Signed(by_ns)));
                    "clock_stepped"
                }
                CaptureState::ClockSetBack { by_ns, frames } => {
                    told.push(("by_ns", number(by_ns)));
                    told.push(("frames", number(frames.into())));
                    "clock_set_back"
                }
                CaptureState::Suspect(fault) => {
                    told.push(("flaw", FieldValue::Name(fault.flaw.name())));
                    told.push(("count", number(fault.count)));
                    told.push(("total", number(fault.total)));
                    told.push(("vlan", fault.vlan.map_or(FieldValue::Null, |vlan| number(vlan.into()))));
                    "suspect"
                }
                CaptureState::Plausible(flaw) => {
                    told.push(("flaw", FieldValue::Name(flaw.name())));
                    "plausible"
                }
            };
            told.push(("state", FieldValue::Name(state)));
        }
        _ => {}
    }
}

fn operation(
    shape: &mut EvidenceShape,
    fact: &OperationFact,
    event: &Event,
    room: Room,
    names: &Names<'_>,
    cuts: &mut Cuts,
) {
    done(shape, fact.operation, event);
    shape.direction = Some(direction_name(fact.direction));
    shape.stage = Some(stage_name(fact.stage));
    shape.refusal = fact.refusal.map(|refusal| CodeShape { code: refusal.code, name: refusal.name });
    shape.request = fact.request.map(|frame| FrameShape::new(frame, names.captures));
    shape.outside = fact.outside.map(|outside| OutsideShape {
        point: PointShape::new(&outside.point),
        min: outside.min,
        max: outside.max,
        file: names.norm.file(outside.line.file).to_owned(),
        line: outside.line.line,
    });
    shape.points = PointShape::some(&fact.points, room, "points", cuts);
    shape.fields = Fields(fields(&fact.fields, room, cuts));
}

fn command(
    shape: &mut EvidenceShape,
    fact: &CommandFact,
    event: &Event,
    room: Room,
    names: &Names<'_>,
    cuts: &mut Cuts,
) {
    done(shape, fact.operation, event);
    shape.command = Some(CommandShape {
        fault: fact.fault.name(),
        asked: FrameShape::new(fact.asked, names.captures),
        before: PointShape::some(&fact.before, room, "before", cuts),
    });
    shape.points = PointShape::some(&fact.points, room, "points", cuts);
    shape.fields = Fields(fields(&fact.fields, room, cuts));
}

/// What an operation is, by the names of its flow's protocol.
fn done(shape: &mut EvidenceShape, operation: Operation, event: &Event) {
    let protocol = event.flow.as_ref().and_then(|flow| flow.protocol);
    shape.verb = Some(operation.verb.name());
    shape.operation = protocol.and_then(|protocol| protocol.operation_name(operation.code, operation.sub));
    shape.code = Some(operation.code);
    shape.sub = Some(operation.sub);
    shape.unit = Some(operation.unit);
    shape.target = operation.target.map(|target| TargetShape {
        space: target.space,
        first: target.first,
        last: target.last(),
        count: target.count,
    });
}

/// The name of a kind of event in records.
pub fn what(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::FlowOpened { .. } => "flow_opened",
        EventKind::FlowAnswered => "flow_answered",
        EventKind::FlowRefused => "flow_refused",
        EventKind::FlowClosed(_) => "flow_closed",
        EventKind::Identified => "identified",
        EventKind::Stranger(_) => "stranger",
        EventKind::Operation(_) => "operation",
        EventKind::Malformed(_) => "malformed",
        EventKind::Notice(_) => "notice",
        EventKind::Command(_) => "command",
        EventKind::Point(_) => "point",
        EventKind::Clock(_) => "clock",
        EventKind::Rate(_) => "rate",
        EventKind::Unanswered(_) => "unanswered",
        EventKind::Gap { .. } => "gap",
        EventKind::StreamConflict { .. } => "stream_conflict",
        EventKind::FragmentConflict { .. } => "fragment_conflict",
        EventKind::Sighting(_) => "sighting",
        EventKind::AssetSeen(_) => "asset_seen",
        EventKind::AddressConflict(_) => "address_conflict",
        EventKind::LimitReached(_) => "limit_reached",
        EventKind::CaptureLoss(_) => "capture_loss",
        EventKind::CaptureState(_) => "capture_state",
        EventKind::Transmitted { .. } => "transmitted",
        EventKind::SensorFault(_) => "sensor_fault",
        EventKind::Tick => "tick",
        _ => "other",
    }
}

/// The name of a direction in records.
pub fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::ToServer => "to_server",
        Direction::ToClient => "to_client",
    }
}

/// The name of a stage in records.
pub fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Requested => "requested",
        Stage::Answered => "answered",
        Stage::Refused => "refused",
        Stage::Unasked => "unasked",
        Stage::Reported => "reported",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::examples;
    use crate::record::schema::tests::assert_valid;
    use yagura_parsers::message::PointValue;

    fn source<'a>(norm: &'a Norm, captures: &'a [String], language: Language) -> Source<'a> {
        Source { names: Names { norm, assets: None, captures }, language, sensor: Some("pump-4"), site: None }
    }

    #[test]
    fn an_alert_has_its_shape() {
        let (norm, captures) = (examples::norm(), ["a.pcap".to_owned()]);
        let alert = examples::write_alert();
        let text = AlertRecord::line(&alert, &source(&norm, &captures, Language::English));
        assert_valid("alert", &text);
        assert!(text.starts_with(concat!(
            r#"{"type":"alert","schema":1,"id":"OT-9999-1042-0","time":"2026-01-05T10:11:12.123456789Z","severity":"high","#,
            r#""detection":{"id":"OT-9999","name":"write_example","attack":[{"id":"T1692.001","old":"T0855","#,
            r#""name":"Unauthorized Message"}],"serves":["002 5.1.1.1"]},"sensor":"pump-4","site":null,"#,
            r#""basis":{"fact":"nearest","file":"baseline.toml","line":4},"summary":"10.20.0.66 wrote "#
        )), "{text}");
        assert!(text.contains(r#""evidence":[{"event":"1042-0","capture":"a.pcap","frame":1042,"#), "{text}");
        assert!(text.contains(r#""target":{"space":"holding_register","first":40,"last":41,"count":2}"#), "{text}");
        assert!(text.contains(r#""fields":{"transaction_identifier":7,"values":[17,18]}"#), "{text}");
        assert!(text.contains(r#""event":"900-0","capture":"a.pcap","frame":900,"time":null"#), "{text}");
        assert!(text.contains(r#""mac":"00:80:f4:0a:11:02""#), "{text}");
        assert!(text.contains(r#""summary_ja":null"#) && text.contains(r#""card_ja":null"#));
    }

    #[test]
    fn languages_have_their_places() {
        let norm = examples::norm();
        let alert = examples::write_alert();
        let japanese = AlertRecord::new(&alert, &source(&norm, &[], Language::Japanese), Room::LEVELS[0]);
        assert!(japanese.summary.contains("書き込んだ") && japanese.summary_ja.is_none());
        assert!(japanese.card.get().contains("\"what\":\"何\""));
        let both = AlertRecord::new(&alert, &source(&norm, &[], Language::Both), Room::LEVELS[0]);
        assert!(both.summary.contains("wrote") && both.summary_ja.unwrap().contains("書き込んだ"));
        assert!(both.card.get().contains("\"what\":\"what\""));
        assert!(both.card_ja.unwrap().get().contains("\"what\":\"何\""));
        assert_valid("alert", &AlertRecord::line(&alert, &source(&norm, &[], Language::Both)));
    }

    #[test]
    fn a_line_fits_whatever_the_wire_says() {
        let norm = examples::norm();
        let mut alert = examples::write_alert();
        // Each octet of it takes six in JSON.
        let storm: Box<[u8]> = vec![1_u8; 65_536].into();
        if let EventKind::Operation(fact) = &mut alert.event.kind {
            fact.fields = (0..300).map(|_| ("data", FieldValue::Text(storm.clone()))).collect();
        }
        alert.finding.params = vec![("w", Param::Wire(storm.clone())), ("v", Param::Wire(storm))];
        alert.finding.subject = "\u{1}".repeat(65_536);
        let text = AlertRecord::line(&alert, &source(&norm, &[], Language::Both));
        assert!(text.len() <= LINE_OCTETS_MAX, "{}", text.len());
        assert!(!text.contains('\n'));
        assert_valid("alert", &text);
        assert!(text.contains(r#""cut":["fields","data"]"#), "{text}");
    }

    #[test]
    fn what_is_told_of_sessions_commands_points_clocks_and_rates() {
        let norm = examples::norm();
        let names = Names { norm: &norm, assets: None, captures: &["a.pcap".to_owned()] };
        let all: Vec<String> =
            examples::events().iter().map(|event| line(&evidence(event, Room::LEVELS[0], &names))).collect();
        for (what, parts) in [
            (
                "notice",
                &[
                    r#""direction":"to_client""#,
                    r#""unit":10"#,
                    r#""notice":{"kind":"session","name":"receive_sequence","got":9,"expected":4,"clause":"5.1"}"#,
                ][..],
            ),
            (
                "command",
                &[
                    r#""verb":"write","stage":null,"operation":"write_multiple_registers","code":16"#,
                    r#""target":{"space":"holding_register","first":40,"last":41,"count":2}"#,
                    r#""command":{"fault":"changed","asked":{"capture":"a.pcap","frame":1030},"before":[{"space":"#,
                    r#""value":17,"quality":[],"device_time":null}]}"#,
                    r#""points":[{"space":"holding_register","address":40,"value":null,"quality":[],"device_time":null}]"#,
                ],
            ),
            (
                "point",
                &[
                    r#""change":{"kind":"stale","since":"2026-01-05T10:11:12.000000000Z","period_ns":2000000000}"#,
                    r#""value":-1.5,"quality":["invalid","comm_lost"],"device_time":"2026-01-05T10:11:12.123"}]"#,
                ],
            ),
            ("point", &[r#""change":{"kind":"turned_bad","since":null,"period_ns":null}"#]),
            ("clock", &[r#""clock":{"device_time":"2026-01-05T10:11:12.123","ahead_ms":-3600000,"sets":true}"#]),
            (
                "rate",
                &[concat!(
                    r#""rate":{"since":"2026-01-05T10:11:12.000000000Z","frames_to_server":100,"frames_to_client":90,"#,
                    r#""requests":80,"answers":70,"unsolicited":6,"waiting":22}"#
                )],
            ),
        ] {
            let mut of_kind = all.iter().filter(|text| text.contains(&format!(r#""what":"{what}""#)));
            let found = of_kind.any(|text| parts.iter().all(|part| text.contains(part)));
            assert!(found, "{what}: {parts:?} are not together in any of {all:#?}");
        }
    }

    #[test]
    fn many_values_before_and_after_fit_a_line() {
        let norm = examples::norm();
        let mut alert = examples::write_alert();
        let worst = Point {
            quality: Quality(u16::MAX),
            time: Some(1_767_607_872_123),
            ..Point::bare("double_point_information", u32::MAX, PointValue::Real(f64::MIN_POSITIVE))
        };
        let points = || vec![worst; 125].into_boxed_slice();
        let mut fact = examples::command();
        (fact.points, fact.before) = (points(), points());
        alert.event.kind = EventKind::Command(Box::new(fact));
        let text = AlertRecord::line(&alert, &source(&norm, &[], Language::Both));
        assert!(text.len() <= LINE_OCTETS_MAX, "{}", text.len());
        assert_valid("alert", &text);
        assert!(text.contains(r#""cut":["before","points"]"#), "{text}");
    }

    #[test]
    fn every_kind_of_event_is_evidence() {
        let norm = examples::norm();
        for event in examples::events() {
            let mut alert = examples::write_alert();
            alert.finding.flow = event.flow.clone();
            alert.event = event;
            assert_valid("alert", &AlertRecord::line(&alert, &source(&norm, &["x".to_owned()], Language::English)));
        }
    }
}
