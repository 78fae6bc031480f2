//! Messages to events: pairing, verdicts, and what needs no judge.

use super::hand::{At, Hand, add};
use crate::commands::{CONFIRM_NS, Command};
use crate::flow::{FlowState, Rate};
use crate::points::{Cursor, Teller, Told};
use crate::speech::{OpenRequest, Speech, Talk};
use crate::trace::Note;
use std::sync::Arc;
use yagura_parsers::dissect::{Direction, Listener, Sender};
use yagura_parsers::error::{Clause, ErrorKind, ParseError};
use yagura_parsers::message::{
    Control, Describe, Kind, Notice, NoticeKind, Operation, Point, Step, Target, Value, Verb,
};
use yagura_parsers::protocols::ProtocolId;
use yagura_rules::facts::event::{
    ClockFact, CommandFact, CommandFault, EventKind, FieldValue, Fields, FrameRef, MalformedFact, NoticeFact,
    OperationFact, Outside, PointFact, Stage,
};
use yagura_rules::facts::flow::{Flow, FlowId, Oriented};
use yagura_rules::facts::time::Timestamp;
use yagura_rules::norm::{Basis, Verdict};

/// Values of one message that evidence keeps.
const POINTS_MAX: usize = 125;
/// Octets of one field that evidence keeps.
const FIELD_MAX: usize = 256;

/// What tells an answer from its request among what is settled; no sub-code has that bit.
const ANSWER: u16 = 0x8000;
/// A clock that is less than so far from the capture's is right enough, in ms.
const CLOCK_NEAR: u64 = 5_000;

/// Where a message was heard.
#[derive(Clone, Copy)]
struct Heard<'a> {
    facts: &'a Arc<Flow>,
    at: &'a At,
    direction: Direction,
    id: ProtocolId,
    /// Frames that the server has sent.
    answered: u64,
    /// Octets were missed not long ago: what is missing may have been in them.
    missed: bool,
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
    facts: &'a mut Arc<Flow>,
    at: &'a At,
    direction: Direction,
    id: ProtocolId,
    talk: &'a mut Talk,
    rate: &'a mut Rate,
    answered: u64,
    missed: bool,
    read: u64,
    /// A message has shown that client and server were taken for each other.
    turned: bool,
    /// A number of the flow's rate has doubled.
    busy: bool,
    /// Nothing was lost before: octets that belong to no PDU are the sender's doing.
    in_step: bool,
}

impl Reading<'_> {
    /// The hand, where it hears, and what was said so far.
    #[inline]
    fn parts(&mut self) -> (&mut Hand, Heard<'_>, &mut Talk) {
        let Self { hand, facts, at, direction, id, talk, answered, missed, .. } = self;
        let heard = Heard { facts, at, direction: *direction, id: *id, answered: *answered, missed: *missed };
        (hand, heard, talk)
    }

    /// A message says who sent it, which nobody knew for sure.
    #[cold]
    fn orient(&mut self, sender: Sender) {
        let is_to_server = self.direction == Direction::ToServer;
        let turn = is_to_server != (sender == Sender::Client);
        let before = self.facts.oriented;
        let mut facts = Flow::clone(self.facts);
        facts.oriented = Oriented::Meaning;
        if turn {
            facts.turn();
            self.talk.cursor = Cursor::default();
            self.turned = true;
            self.direction = self.direction.reverse();
        }
        *self.facts = Arc::new(facts);
        if turn || before == Oriented::Guess {
            self.talk.pair = self.hand.norm.pair(self.facts);
            self.hand.emit(self.at, Some(Arc::clone(self.facts)), EventKind::Identified);
        }
    }

    /// A message that only the other end may send: told once a minute and flow.
    #[cold]
    fn wrong_sender(&mut self, unit: u16, sender: Sender) {
        let minute = self.hand.minute(self.at.now);
        if self.talk.sender_minute == minute {
            return;
        }
        self.talk.sender_minute = minute;
        let got = u64::from(sender == Sender::Client);
        let expected = u64::from(sender != Sender::Client);
        let (kind, name) = (NoticeKind::Session, "wrong_sender");
        let notice = Notice { kind, name, unit, got, expected, clause: Clause("") };
        let fact = NoticeFact { direction: self.direction, notice };
        self.hand.emit(self.at, Some(Arc::clone(self.facts)), EventKind::Notice(Box::new(fact)));
    }
}

impl Listener for Reading<'_> {
    #[inline]
    fn message<M: Describe>(&mut self, message: &M, octets: &[u8]) {
        add(&mut self.read, 1);
        let sender = message.sender();
        if sender != Sender::Either {
            if self.facts.oriented < Oriented::Meaning {
                self.orient(sender);
            } else if (sender == Sender::Client) != (self.direction == Direction::ToServer) {
                self.wrong_sender(message.unit(), sender);
            }
        }
        self.busy |= match message.kind() {
            // Who confirms, or keeps the session, asks for nothing.
            Kind::Request if message.pairing().is_none() && message.control().is_none() => false,
            Kind::Request => Rate::add(&mut self.rate.requests),
            Kind::Response => Rate::add(&mut self.rate.answers),
            Kind::Unsolicited => message.reports().is_some() && Rate::add(&mut self.rate.unsolicited),
        };
        self.hand.points.heard(octets.len());
        let (hand, heard, talk) = self.parts();
        hand.message(&heard, talk, message);
        if message.kind() == Kind::Request && !self.missed && self.answered > 0 {
            self.busy |= self.rate.waits(self.talk.open.waiting());
        }
    }

    fn malformed(&mut self, error: ParseError, _octets: &[u8]) {
        add(&mut self.read, 1);
        self.hand.count(self.id, |tallies| add(&mut tallies.messages, 1));
        let (hand, heard, _) = self.parts();
        hand.malformed(&heard, error, Box::default());
    }

    fn skipped(&mut self, octets: usize) {
        self.hand.anomaly("resynchronised");
        self.hand.count(self.id, |tallies| add(&mut tallies.skipped, u64::try_from(octets).unwrap_or(0)));
        if self.in_step {
            let (hand, heard, _) = self.parts();
            hand.malformed(&heard, unframed(octets), Box::default());
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
        at: &At,
        direction: Direction,
        octets: &[u8],
    ) -> usize {
        let id = speech.dissector.id();
        if self.faults.is_disabled(id) {
            self.count(id, |tallies| add(&mut tallies.skipped, u64::try_from(octets.len()).unwrap_or(0)));
            return octets.len();
        }
        self.faults.trip(octets);
        let Speech { dissector, talk, held } = speech;
        let way = usize::from(direction == Direction::ToClient);
        let in_step = !flow.damaged && (flow.summary.handshake || flow.summary.messages.get(way) > Some(&0));
        let [_, answered] = flow.summary.frames;
        let missed = flow.misses(at.now);
        let (facts, rate) = (&mut flow.facts, &mut flow.rate);
        let mut reading = Reading {
            hand: self,
            facts,
            at,
            direction,
            id,
            talk,
            rate,
            answered,
            missed,
            read: 0,
            turned: false,
            busy: false,
            in_step,
        };
        let used = dissector.feed(direction, at.time.0, octets, &mut reading);
        let Reading { read, turned, busy, .. } = reading;
        if let Some(messages) = flow.summary.messages.get_mut(way) {
            add(messages, read);
        }
        if turned {
            flow.low_is_client = !flow.low_is_client;
            flow.summary.frames.reverse();
            flow.summary.octets.reverse();
            flow.summary.messages.reverse();
            flow.rate.frames.reverse();
            dissector.turn();
        }
        let holds = dissector.held();
        if holds != *held {
            self.streams_octets = self.streams_octets.saturating_sub(*held).saturating_add(holds);
            *held = holds;
            if self.streams_octets > self.streams_octets_max {
                self.limit("streams_octets_max");
                dissector.forget();
                self.streams_octets = self.streams_octets.saturating_sub(holds);
                *held = 0;
            }
        }
        if busy {
            let fact = flow.rate.fact();
            self.emit(at, Some(Arc::clone(&flow.facts)), EventKind::Rate(fact));
        }
        used
    }

    #[inline]
    fn message(&mut self, heard: &Heard<'_>, talk: &mut Talk, message: &impl Describe) {
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
        message.notices(&mut |notice| {
            if heard.missed && notice.kind == NoticeKind::Session {
                return;
            }
            let fact = NoticeFact { direction: heard.direction, notice };
            self.emit(heard.at, Some(Arc::clone(heard.facts)), EventKind::Notice(Box::new(fact)));
        });
        let reports = message.reports();
        let asked = match message.kind() {
            Kind::Response => self.response(heard, talk, message),
            Kind::Unsolicited if reports.is_some() => None,
            Kind::Request | Kind::Unsolicited => {
                self.request(heard, talk, message);
                None
            }
        };
        if let Some(control) = message.control() {
            self.command(heard, talk, message, &control);
        }
        self.points(heard, talk, message, asked, reports);
    }

    /// Keeps the values that a message tells or writes; `reports`: the code under which it reports them.
    #[inline]
    fn points(
        &mut self,
        heard: &Heard<'_>,
        talk: &mut Talk,
        message: &impl Describe,
        asked: Option<Operation>,
        reports: Option<u16>,
    ) {
        let teller = Teller {
            flow: heard.facts,
            protocol: heard.id,
            unit: message.unit(),
            writes: message.kind() == Kind::Request,
            time: heard.at.time,
            origin: heard.at.origin,
        };
        let mut latest = None;
        if let Some(run) = message.run(asked) {
            self.points.run(&mut talk.cursor, &teller, &run);
        } else {
            let watched = self.norm.watches_reads(talk.pair);
            message.points(asked, &mut |point| {
                latest = latest.max(point.time);
                let told = self.points.point(&mut talk.cursor, &teller, &point);
                if teller.writes || (told == Told::Known && !watched) {
                    return;
                }
                if let Told::Changed(change) = told {
                    let fact = PointFact { unit: teller.unit, point, change };
                    self.emit(heard.at, Some(Arc::clone(heard.facts)), EventKind::Point(Box::new(fact)));
                }
                if let Some(code) = reports {
                    self.reported(heard, talk, message, &point, code, told == Told::New);
                }
            });
        }
        if let Some(clock) = message.clock() {
            self.clock(heard, talk, teller.unit, clock, true);
        } else if let Some(clock) = latest {
            self.clock(heard, talk, teller.unit, clock, false);
        }
    }

    /// Judges a point that a device reports: a new one, or one whose values are watched.
    #[cold]
    fn reported(
        &mut self,
        heard: &Heard<'_>,
        talk: &mut Talk,
        message: &impl Describe,
        point: &Point,
        code: u16,
        new: bool,
    ) {
        let unit = message.unit();
        let target = Some(Target { space: point.space, first: point.address, count: 1 });
        let operation = Operation { verb: Verb::Report, code, sub: 0, unit, target };
        let outside = self.norm.outside(talk.pair, unit, point, false);
        if !new && outside.is_none() {
            return;
        }
        let verdict = self.norm.operation(talk.pair, heard.id, &operation);
        let minute = self.minute(heard.at.now);
        let kind = if self.learn { operation } else { Operation { target: None, ..operation } };
        let harmless = outside.is_none() && is_told_once(verdict, operation.verb);
        if !(harmless && self.is_settled(heard.at, talk, &kind, minute, verdict)) {
            self.tell(heard, message, operation, verdict, Standing { outside, ..Standing::at(Stage::Reported) });
        }
    }

    /// Whether the judge was told of a kind of harmless operation, which is counted then; else it is noted that it is told now.
    #[inline]
    fn is_settled(&mut self, at: &At, talk: &mut Talk, kind: &Operation, minute: u64, verdict: Verdict) -> bool {
        let settled = talk.told.is_settled(kind, minute);
        if settled {
            add(&mut self.settled, 1);
            self.settle(at);
        } else {
            talk.told.settle(kind, minute, verdict, self.limits.settled_max);
        }
        settled
    }

    /// Tells of a clock that is far from the capture's, once a minute and flow.
    fn clock(&mut self, heard: &Heard<'_>, talk: &mut Talk, unit: u16, clock_ms: u64, sets: bool) {
        let now_ms = heard.at.time.0.checked_div(1_000_000).unwrap_or(0);
        let minute = self.minute(heard.at.now);
        if clock_ms.abs_diff(now_ms) <= CLOCK_NEAR || (talk.clock_minute == minute && !sets) {
            return;
        }
        // A clock that is set says nothing of what is told.
        if !sets {
            talk.clock_minute = minute;
        }
        let ahead = i128::from(clock_ms).saturating_sub(i128::from(now_ms));
        let ahead_ms = i64::try_from(ahead).unwrap_or(if ahead < 0 { i64::MIN } else { i64::MAX });
        let fact = ClockFact { unit, clock_ms, ahead_ms, sets };
        self.emit(heard.at, Some(Arc::clone(heard.facts)), EventKind::Clock(fact));
    }

    /// Follows a command from its select to its end.
    fn command(&mut self, heard: &Heard<'_>, talk: &mut Talk, message: &impl Describe, control: &Control) {
        let is_asked = matches!(control.step, Step::Select | Step::Operate | Step::Execute);
        let mut operation = None;
        if is_asked {
            message.operations(&mut |done| {
                operation.get_or_insert(done);
            });
        }
        let nothing = Operation { verb: Verb::Other, code: 0, sub: 0, unit: message.unit(), target: None };
        let operation = operation.unwrap_or(nothing);
        let command = Command {
            operation,
            points: if is_asked { points(message) } else { Box::default() },
            origin: heard.at.origin,
            time: heard.at.time,
            heard: heard.answered,
            awaits: message.pairing().is_some(),
        };
        let commands = talk.commands.get_or_insert_default();
        let wrong = commands.step(control, command);
        if !commands.is_watched && is_asked && control.step != Step::Select {
            commands.is_watched = true;
            self.await_commands(heard.at.now, self.current, heard.facts.id);
        }
        let Some((fault, before)) = wrong else { return };
        if heard.missed {
            return;
        }
        let fact = CommandFact {
            fault,
            operation,
            asked: before.as_ref().map_or(heard.at.origin, |select| select.origin),
            points: points(message),
            before: before.map(|select| select.points).unwrap_or_default(),
            fields: fields(message),
        };
        self.emit(heard.at, Some(Arc::clone(heard.facts)), EventKind::Command(Box::new(fact)));
    }

    /// Has the commands of a flow looked at again when they are to be confirmed.
    pub(super) fn await_commands(&mut self, now: Timestamp, index: u32, flow: FlowId) {
        if self.awaited.len() >= self.awaited_max {
            self.awaited.pop_first();
            self.limit("commands_max");
        }
        let due = Timestamp(now.0.saturating_add(CONFIRM_NS));
        self.awaited.insert((due, index, flow));
    }

    /// Tells of commands that were not answered in time.
    pub(super) fn commands_overdue(&mut self, at: &At, flow: &Arc<Flow>, found: Vec<(CommandFault, Command)>) {
        for (fault, command) in found {
            let fact = CommandFact {
                fault,
                operation: command.operation,
                asked: command.origin,
                points: command.points,
                before: Box::default(),
                fields: Box::default(),
            };
            self.emit(at, Some(Arc::clone(flow)), EventKind::Command(Box::new(fact)));
        }
    }

    #[inline]
    fn request(&mut self, heard: &Heard<'_>, talk: &mut Talk, message: &impl Describe) {
        let mut asked = None;
        let mut is_told = false;
        message.operations(&mut |operation| {
            // Only a request asks: what a device tells by itself it does not ask for.
            let told = message.kind() == Kind::Unsolicited && heard.direction == Direction::ToClient;
            let stage = if told || operation.verb == Verb::Report { Stage::Reported } else { Stage::Requested };
            let tell = self.operation(heard, talk, message, operation, stage);
            asked.get_or_insert(operation);
            is_told |= tell;
        });
        if let Some(key) = message.pairing() {
            // What was missed not long ago may have been the answers.
            if !heard.missed
                && let Some(fact) = talk.unanswered.ask(message.unit(), heard.at.now)
            {
                self.emit(heard.at, Some(Arc::clone(heard.facts)), EventKind::Unanswered(fact));
            }
            let request = OpenRequest { key, time: heard.at.time, origin: heard.at.origin, asked, told: is_told };
            if talk.open.push(request, self.limits.outstanding_max, self.limits.outstanding_ns) {
                self.limit("outstanding_max");
            }
        }
    }

    /// Reads a response. Answers what was asked, where that was seen.
    #[inline]
    fn response(&mut self, heard: &Heard<'_>, talk: &mut Talk, message: &impl Describe) -> Option<Operation> {
        if let Some(fact) = talk.unanswered.answer(message.unit(), heard.at.now) {
            self.emit(heard.at, Some(Arc::clone(heard.facts)), EventKind::Unanswered(fact));
        }
        let refused = message.refusal().is_some();
        let Some(request) = message.pairing().and_then(|key| talk.open.take(key)) else {
            let stage = if refused { Stage::Refused } else { Stage::Unasked };
            if message.reports().is_some() && !refused {
                return None;
            }
            message.operations(&mut |operation| {
                let stage = if operation.verb == Verb::Report { Stage::Reported } else { stage };
                self.operation(heard, talk, message, operation, stage);
            });
            return None;
        };
        let operation = request.asked?;
        let answered = Standing { request: Some(request.origin), ..Standing::at(Stage::Answered) };
        if refused {
            let verdict = self.norm.operation(talk.pair, heard.id, &operation);
            self.tell(heard, message, operation, verdict, Standing { stage: Stage::Refused, ..answered });
            return Some(operation);
        }
        let outside = if operation.verb == Verb::Read && self.norm.watches_reads(talk.pair) {
            self.outside(talk, operation, message, false)
        } else {
            None
        };
        // An answer is heard of once at least, though the first request had none: it says who serves what.
        let answer = Operation { target: None, sub: operation.sub | ANSWER, ..operation };
        let is_known = talk.told.is_settled(&answer, 0);
        if !is_known {
            talk.told.settle(&answer, 0, Verdict::Usual(Basis::None), self.limits.settled_max);
        }
        if request.told || outside.is_some() || !is_known {
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
        Some(operation)
    }

    /// Judges one operation as far as the norm goes. Answers whether the judge was told.
    #[inline]
    fn operation(
        &mut self,
        heard: &Heard<'_>,
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
        let harmless = !refused
            && outside.is_none()
            && is_told_once(verdict, operation.verb)
            && !(self.learn && written)
            && !(message.is_told_each_time(&operation) && talk.counted.is_to_be_told(&operation, minute));
        let kind = if self.learn { operation } else { Operation { target: None, ..operation } };
        // An answer says who serves what: no request settles it.
        let sub = if stage == Stage::Unasked { kind.sub | ANSWER } else { kind.sub };
        let kind = Operation { sub, ..kind };
        let settled = harmless && self.is_settled(heard.at, talk, &kind, minute, verdict);
        if self.is_watched(heard.at) {
            self.notes.push(Note::Judged { operation, verdict, settled });
        }
        if !settled {
            self.tell(heard, message, operation, verdict, Standing { outside, ..Standing::at(stage) });
        }
        !settled
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
        heard: &Heard<'_>,
        message: &impl Describe,
        operation: Operation,
        verdict: Verdict,
        standing: Standing,
    ) {
        let Standing { stage, request, outside } = standing;
        let cited = outside.is_some() || stage == Stage::Refused || is_cited(verdict, operation.verb);
        let asked = matches!(stage, Stage::Requested | Stage::Unasked);
        let is_shown = asked && (cited || (self.learn && operation.verb.changes_process()));
        let fact = OperationFact {
            operation,
            stage,
            verdict,
            refusal: message.refusal(),
            direction: heard.direction,
            request,
            outside,
            points: if is_shown { points(message) } else { Box::default() },
            fields: if cited { fields(message) } else { Box::default() },
        };
        self.emit(heard.at, Some(Arc::clone(heard.facts)), EventKind::Operation(Box::new(fact)));
    }

    fn malformed(&mut self, heard: &Heard<'_>, error: ParseError, fields: Fields) {
        self.count(heard.id, |tallies| add(&mut tallies.malformed, 1));
        self.anomaly("malformed_pdu");
        if self.is_watched(heard.at) {
            self.notes.push(Note::Message { protocol: heard.id.name(), fields: fields.clone(), fault: Some(error) });
        }
        let fact = MalformedFact { direction: heard.direction, error, fields };
        self.emit(heard.at, Some(Arc::clone(heard.facts)), EventKind::Malformed(Box::new(fact)));
    }
}

/// What is wrong with octets that belong to no PDU.
pub(super) fn unframed(octets: usize) -> ParseError {
    let actual = u32::try_from(octets).unwrap_or(u32::MAX);
    let kind = ErrorKind::LengthMismatch { claimed: 0, actual };
    ParseError { kind, field: "framing", offset: 0, clause: Clause("") }
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
        Verdict::Unknown => verb.changes_process() || verb.is_dangerous() || verb == Verb::Configure,
        Verdict::Forbidden(_) | Verdict::Unusual(..) => true,
    }
}

/// Values of a message, owned: the first of them.
fn points(message: &impl Describe) -> Box<[Point]> {
    // Most that command anything command one point.
    let mut points = Vec::with_capacity(1);
    message.points(None, &mut |point| {
        if points.len() < POINTS_MAX {
            points.push(point);
        }
    });
    points.into()
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
