//! Messages to events: pairing, verdicts, and what needs no judge.

use super::hand::{At, Hand, add};
use crate::flow::FlowState;
use crate::speech::{OpenRequest, Speech, Talk};
use crate::trace::Note;
use std::sync::Arc;
use yagura_parsers::dissect::{Direction, Listener};
use yagura_parsers::error::{Clause, ErrorKind, ParseError};
use yagura_parsers::message::{Describe, Kind, Operation, Point, Value, Verb};
use yagura_parsers::protocols::ProtocolId;
use yagura_rules::facts::event::{
    EventKind, FieldValue, Fields, FrameRef, MalformedFact, OperationFact, Outside, Stage,
};
use yagura_rules::facts::flow::Flow;
use yagura_rules::norm::Verdict;

/// Values of one message that evidence keeps.
const POINTS_MAX: usize = 125;
/// Octets of one field that evidence keeps.
const FIELD_MAX: usize = 256;

/// Where a message was heard.
#[derive(Clone, Copy)]
struct Heard<'a> {
    facts: &'a Arc<Flow>,
    at: At,
    direction: Direction,
    id: ProtocolId,
}

/// Where an operation stands, and what else is known of it.
#[derive(Clone, Copy)]
struct Standing {
    stage: Stage,
    request: Option<FrameRef>,
    outside: Option<Outside>,
}

impl Standing {
    fn at(stage: Stage) -> Self {
        Self { stage, request: None, outside: None }
    }
}

/// The hand at the reading of one flow.
struct Reading<'a> {
    hand: &'a mut Hand,
    heard: Heard<'a>,
    talk: &'a mut Talk,
    read: u64,
    /// Nothing was lost before: octets that belong to no PDU are the sender's doing.
    in_step: bool,
}

impl Listener for Reading<'_> {
    #[inline]
    fn message<M: Describe>(&mut self, message: &M, _octets: &[u8]) {
        add(&mut self.read, 1);
        self.hand.message(self.heard, self.talk, message);
    }

    fn malformed(&mut self, error: ParseError, _octets: &[u8]) {
        add(&mut self.read, 1);
        self.hand.count(self.heard.id, |tallies| add(&mut tallies.messages, 1));
        self.hand.malformed(self.heard, error, Box::default());
    }

    fn skipped(&mut self, octets: usize) {
        self.hand.anomaly("resynchronised");
        self.hand.count(self.heard.id, |tallies| add(&mut tallies.skipped, u64::try_from(octets).unwrap_or(0)));
        if self.in_step {
            let len = u32::try_from(octets).unwrap_or(u32::MAX);
            let kind = ErrorKind::LengthMismatch { claimed: 0, actual: len };
            let error = ParseError { kind, field: "framing", offset: 0, clause: Clause("") };
            self.hand.malformed(self.heard, error, Box::default());
        }
    }
}

impl Hand {
    /// Reads every whole PDU at the head of `octets`; answers how many octets are used up.
    #[inline]
    pub(super) fn feed(
        &mut self,
        flow: &mut FlowState,
        speech: &mut Speech,
        at: At,
        direction: Direction,
        octets: &[u8],
    ) -> usize {
        let id = speech.dissector.id();
        let Speech { dissector, talk } = speech;
        let heard = Heard { facts: &flow.facts, at, direction, id };
        let way = usize::from(direction == Direction::ToClient);
        let in_step = !flow.damaged && (flow.summary.handshake || flow.summary.messages.get(way) > Some(&0));
        let mut reading = Reading { hand: self, heard, talk, read: 0, in_step };
        let used = dissector.feed(direction, at.time.0, octets, &mut reading);
        let read = reading.read;
        if let Some(messages) = flow.summary.messages.get_mut(way) {
            add(messages, read);
        }
        used
    }

    #[inline]
    fn message(&mut self, heard: Heard<'_>, talk: &mut Talk, message: &impl Describe) {
        self.count(heard.id, |tallies| {
            add(&mut tallies.messages, 1);
            if heard.at.late {
                message.tally(&mut |counted| add(tallies.late.entry(counted).or_default(), 1));
            } else {
                message.tally(&mut |counted| tallies.count(counted));
            }
        });
        if let Some(fault) = message.fault() {
            self.malformed(heard, fault, fields(message));
        } else if self.is_watched(heard.at) {
            self.notes.push(Note::Message { protocol: heard.id.name(), fields: fields(message), fault: None });
        }
        match message.kind() {
            Kind::Request | Kind::Unsolicited => self.request(heard, talk, message),
            Kind::Response => self.response(heard, talk, message),
        }
    }

    #[inline]
    fn request(&mut self, heard: Heard<'_>, talk: &mut Talk, message: &impl Describe) {
        let mut asked = None;
        let mut told = false;
        message.operations(&mut |operation| {
            let tell = self.operation(heard, talk, message, operation, Stage::Requested);
            asked.get_or_insert(operation);
            told |= tell;
        });
        if let Some(key) = message.pairing() {
            let request = OpenRequest { key, time: heard.at.time, origin: heard.at.origin, asked, told };
            if talk.open.push(request, self.limits.outstanding_max, self.limits.outstanding_ns) {
                self.limit("outstanding_max");
            }
        }
    }

    #[inline]
    fn response(&mut self, heard: Heard<'_>, talk: &mut Talk, message: &impl Describe) {
        let refused = message.refusal().is_some();
        let Some(request) = message.pairing().and_then(|key| talk.open.take(key)) else {
            let stage = if refused { Stage::Refused } else { Stage::Unasked };
            message.operations(&mut |operation| {
                self.operation(heard, talk, message, operation, stage);
            });
            return;
        };
        let Some(operation) = request.asked else { return };
        let answered = Standing { request: Some(request.origin), ..Standing::at(Stage::Answered) };
        if refused {
            let verdict = self.norm.operation(talk.pair, heard.id, &operation);
            self.tell(heard, message, operation, verdict, Standing { stage: Stage::Refused, ..answered });
            return;
        }
        let outside = if operation.verb == Verb::Read && self.norm.watches_reads(talk.pair) {
            self.outside(talk, operation, message, false)
        } else {
            None
        };
        if request.told || outside.is_some() {
            let verdict = self.norm.operation(talk.pair, heard.id, &operation);
            self.tell(heard, message, operation, verdict, Standing { outside, ..answered });
        } else {
            self.settle(heard.at);
        }
        if operation.verb == Verb::Identify {
            let mut claims = Vec::new();
            message.identity(&mut |claim| claims.push((claim.key, Box::from(claim.text))));
            let Flow { scope, server, server_mac, .. } = **heard.facts;
            for claim in claims {
                self.sight(heard.at, scope, heard.id.name(), server_mac, Some(server.address), Some(claim));
            }
        }
    }

    /// Judges one operation as far as the norm goes. Answers whether the judge was told.
    #[inline]
    fn operation(
        &mut self,
        heard: Heard<'_>,
        talk: &mut Talk,
        message: &impl Describe,
        operation: Operation,
        stage: Stage,
    ) -> bool {
        let refused = stage == Stage::Refused;
        let written = operation.verb.changes_process() && !refused;
        let minute = self.minute(heard.at.now);
        let verdict = self.norm.operation(talk.pair, heard.id, &operation);
        let outside = if written && self.norm.watches_values(talk.pair) {
            self.outside(talk, operation, message, true)
        } else {
            None
        };
        // What nobody needs to hear of again; while learning, every address and every value written counts.
        let harmless =
            !refused && outside.is_none() && is_told_once(verdict, operation.verb) && !(self.learn && written);
        let kind = if self.learn { operation } else { Operation { target: None, ..operation } };
        let settled = harmless && talk.told.is_settled(&kind, minute);
        if self.is_watched(heard.at) {
            self.notes.push(Note::Judged { operation, verdict, settled });
        }
        if settled {
            add(&mut self.settled, 1);
            self.settle(heard.at);
            return false;
        }
        if harmless {
            talk.told.settle(&kind, minute, verdict, self.limits.settled_max);
        }
        self.tell(heard, message, operation, verdict, Standing { outside, ..Standing::at(stage) });
        true
    }

    /// The first value of a message that leaves its range.
    fn outside(&self, talk: &Talk, operation: Operation, message: &impl Describe, written: bool) -> Option<Outside> {
        let mut found = None;
        message.points(Some(operation), &mut |point| {
            if found.is_none() {
                found = self.norm.outside(talk.pair, operation.unit, &point, written);
            }
        });
        found
    }

    fn tell(
        &mut self,
        heard: Heard<'_>,
        message: &impl Describe,
        operation: Operation,
        verdict: Verdict,
        standing: Standing,
    ) {
        let Standing { stage, request, outside } = standing;
        let cited = outside.is_some() || stage == Stage::Refused || is_cited(verdict, operation.verb);
        let asked = matches!(stage, Stage::Requested | Stage::Unasked);
        let mut points: Vec<Point> = Vec::new();
        if operation.verb.changes_process() && asked && (cited || self.learn) {
            message.points(None, &mut |point| {
                if points.len() < POINTS_MAX {
                    points.push(point);
                }
            });
        }
        let fact = OperationFact {
            operation,
            stage,
            verdict,
            refusal: message.refusal(),
            direction: heard.direction,
            request,
            outside,
            points: points.into(),
            fields: if cited { fields(message) } else { Box::default() },
        };
        self.emit(heard.at, Some(Arc::clone(heard.facts)), EventKind::Operation(Box::new(fact)));
    }

    fn malformed(&mut self, heard: Heard<'_>, error: ParseError, fields: Fields) {
        self.count(heard.id, |tallies| add(&mut tallies.malformed, 1));
        self.anomaly("malformed_pdu");
        if self.is_watched(heard.at) {
            self.notes.push(Note::Message { protocol: heard.id.name(), fields: fields.clone(), fault: Some(error) });
        }
        let fact = MalformedFact { direction: heard.direction, error, fields };
        self.emit(heard.at, Some(Arc::clone(heard.facts)), EventKind::Malformed(Box::new(fact)));
    }
}

/// Whether the judge needs to hear of it once only (in a minute): what is usual, and what nobody has an opinion on, since
/// that is alerted once at most; what endangers the controller is told each time.
fn is_told_once(verdict: Verdict, verb: Verb) -> bool {
    match verdict {
        Verdict::Usual(_) => true,
        Verdict::Unknown => !verb.is_dangerous(),
        Verdict::Forbidden(_) | Verdict::Unusual(..) => false,
    }
}

/// Whether an alert may cite it, so that its fields are worth keeping.
fn is_cited(verdict: Verdict, verb: Verb) -> bool {
    match verdict {
        Verdict::Usual(_) => false,
        Verdict::Unknown => verb.changes_process() || verb.is_dangerous(),
        Verdict::Forbidden(_) | Verdict::Unusual(..) => true,
    }
}

/// A message's fields, owned; long ones cut.
fn fields(message: &impl Describe) -> Fields {
    let mut out = Vec::new();
    message.fields(&mut |name, value| {
        let value = match value {
            Value::Bool(bit) => FieldValue::Bool(bit),
            Value::Unsigned(n) => FieldValue::Unsigned(n),
            Value::Signed(n) => FieldValue::Signed(n),
            Value::Real(n) => FieldValue::Real(n),
            Value::Name(name) => FieldValue::Name(name),
            Value::Null => FieldValue::Null,
            Value::Text(text) => FieldValue::Text(text.get(..FIELD_MAX).unwrap_or(text).into()),
            Value::Octets(octets) => FieldValue::Octets(octets.get(..FIELD_MAX).unwrap_or(octets).into()),
            Value::Words(octets) => FieldValue::Words(
                octets
                    .chunks_exact(2)
                    .take(POINTS_MAX)
                    .map(|pair| match pair {
                        [high, low] => u16::from_be_bytes([*high, *low]),
                        _ => 0,
                    })
                    .collect(),
            ),
            Value::Bits(octets, count) => FieldValue::Bits(
                octets
                    .iter()
                    .flat_map(|octet| (0..8).map(move |bit| octet >> bit & 1 == 1))
                    .take(usize::try_from(count).unwrap_or(0).min(FIELD_MAX))
                    .collect(),
            ),
        };
        out.push((name, value));
    });
    out.into()
}
