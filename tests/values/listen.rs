//! Captures through the parts that the sensor is made of: headers, order of streams, identification, dissectors.
//!
//! What a capture says comes out as rows with the columns of the tables.

use crate::table::{Figure, Figures, Reading};
use fixtures::story::Capture;
use std::collections::BTreeMap;
use std::net::IpAddr;
use yagura_core::stream::{Place, Side};
use yagura_parsers::dissect::{Direction, Dissected, Dissector, Hints, Sender, feed};
use yagura_parsers::message::{Describe, Kind, Operation, Point, PointValue, Value};
use yagura_parsers::packet::{Carrier, Network, Packet, TcpFlags, Transport, decode};
use yagura_parsers::protocols::dnp3::message::Body as LinkBody;
use yagura_parsers::protocols::dnp3::objects::{ObjectHeader, ObjectRange};
use yagura_parsers::protocols::iec104::{Format, elements};
use yagura_parsers::protocols::modbus::message::{Body, Envelope};
use yagura_parsers::protocols::{AnyDissector, Identified, dnp3, identify, iec104, modbus};
use yagura_rules::facts::time::Timestamp;

/// Points of one object header that the tables have at most.
const MOST_POINTS: usize = 16;

/// A PDU with what belongs to it: the frame in which it ended, its octets, and what a response's request asked for.
pub(crate) struct Heard<'a> {
    pub(crate) frame: u64,
    /// Which message of its protocol it is in that frame.
    pub(crate) place: usize,
    pub(crate) octets: &'a [u8],
    pub(crate) asked: Option<Operation>,
}

/// Who hears the messages of each protocol.
pub(crate) trait Ear {
    fn modbus(&mut self, _heard: &Heard<'_>, _message: &modbus::Message<'_>) {}
    fn dnp3(&mut self, _heard: &Heard<'_>, _message: &dnp3::Message<'_>) {}
    fn iec104(&mut self, _heard: &Heard<'_>, _message: &iec104::Message<'_>) {}
}

/// One conversation.
#[derive(Default)]
struct Flow {
    /// Of the end with the lower address, then of the other.
    sides: [Side; 2],
    /// Which of the two is the server, and what it speaks.
    speech: Option<(usize, AnyDissector)>,
    /// What Modbus requests ask for, until they are answered.
    asked: BTreeMap<u64, Operation>,
}

/// Both ends of a conversation, the lower first, and whether it is UDP.
type Key = (bool, (IpAddr, u16), (IpAddr, u16));

/// Lets an ear hear all messages of a capture, in the order of frames.
pub(crate) fn hear(capture: &Capture, ear: &mut impl Ear) {
    let mut flows: BTreeMap<Key, Flow> = BTreeMap::new();
    for (head, octets) in tests::heads(capture) {
        let packet = decode::decode(Carrier { link: head.link, wire_octets: head.wire_octets }, &octets);
        let (frame, time) = (head.origin.frame, head.time);
        let payload = packet.payload(&octets);
        let Some((key, end)) = conversation(&packet) else { continue };
        let Network::Ip(_, transport) = packet.network else { continue };
        let mut turn = Turn { frame, time, ports: (key.1.1, key.2.1), place: 0, ear };
        match transport {
            Transport::Tcp { sequence, acknowledgment, flags, .. } => {
                let flow = flows.entry(key).or_default();
                if flags.any(TcpFlags::SYN) {
                    // A connection begins: another one of the same ports is over.
                    if !flags.any(TcpFlags::ACK) {
                        *flow = Flow::default();
                    }
                    flow.sides[end].next = Some(sequence.wrapping_add(1));
                    continue;
                }
                if flags.any(TcpFlags::ACK) {
                    flow.sides[1 - end].acknowledged = Some(acknowledgment);
                }
                turn.segment(flow, end, sequence, payload);
            }
            Transport::Udp { .. } => turn.datagram(flows.entry(key).or_default(), end, payload),
            _ => {}
        }
    }
}

/// The conversation of a packet, and which end of it has sent it.
fn conversation(packet: &Packet) -> Option<(Key, usize)> {
    let Network::Ip(ip, transport) = packet.network else { return None };
    let (is_datagram, source, destination) = match transport {
        Transport::Tcp { source, destination, .. } => (false, source, destination),
        Transport::Udp { source, destination } => (true, source, destination),
        _ => return None,
    };
    let (source, destination) = ((ip.source, source), (ip.destination, destination));
    let end = usize::from(source > destination);
    Some(((is_datagram, source.min(destination), source.max(destination)), end))
}

/// One frame on its way.
struct Turn<'e, E> {
    frame: u64,
    time: Timestamp,
    ports: (u16, u16),
    place: usize,
    ear: &'e mut E,
}

impl<E: Ear> Turn<'_, E> {
    fn segment(&mut self, flow: &mut Flow, end: usize, sequence: u32, payload: &[u8]) {
        if payload.is_empty() {
            return;
        }
        let fresh = match flow.sides[end].place(sequence, payload) {
            Place::Next(from) => &payload[from..],
            Place::Overlap(old, _) => &payload[old..],
            Place::Repeat(_) | Place::KeepAlive | Place::Late => return,
            Place::Early => {
                flow.sides[end].held.insert(sequence, payload, self.time);
                // What is missing after this many was never captured.
                if flow.sides[end].held.len() > 4 {
                    flow.sides[end].skip_to_held();
                    if let Some((server, dissector)) = &mut flow.speech {
                        dissector.gap(direction(*server, end));
                    }
                    self.release(flow, end);
                }
                return;
            }
        };
        let past = sequence.wrapping_add(u32::try_from(payload.len()).expect("a segment is short"));
        flow.sides[end].advance(past);
        flow.sides[end].pending.extend_from_slice(fresh);
        let octets = std::mem::take(&mut flow.sides[end].pending);
        let used = self.octets(flow, end, &octets, false);
        flow.sides[end].pending = octets[used..].to_vec();
        self.release(flow, end);
    }

    /// What was early may be next now.
    fn release(&mut self, flow: &mut Flow, end: usize) {
        let Some(next) = flow.sides[end].next else { return };
        if let Some((sequence, octets)) = flow.sides[end].held.take_ready(next, self.time) {
            self.segment(flow, end, sequence, &octets);
        }
    }

    fn datagram(&mut self, flow: &mut Flow, end: usize, payload: &[u8]) {
        if !payload.is_empty() {
            self.octets(flow, end, payload, true);
        }
    }

    /// Reads octets in order; answers how many are used up.
    fn octets(&mut self, flow: &mut Flow, end: usize, octets: &[u8], datagram: bool) -> usize {
        if flow.speech.is_none() {
            let near = [self.ports.0, self.ports.1];
            match identify(octets, datagram, &near, &Hints::default()) {
                Identified::As(dissector, sender) => {
                    let is_home = |end: usize| dissector.id().ports().contains(&near[end]);
                    let server = match sender {
                        Sender::Client => 1 - end,
                        Sender::Server => end,
                        Sender::Either if is_home(end) && !is_home(1 - end) => end,
                        Sender::Either => 1 - end,
                    };
                    flow.speech = Some((server, dissector));
                }
                Identified::Unsure if !datagram => return 0,
                Identified::Unsure | Identified::Unknown => return octets.len(),
            }
        }
        let Flow { speech: Some((server, dissector)), asked, .. } = flow else { return octets.len() };
        let direction = direction(*server, end);
        match dissector {
            AnyDissector::Modbus(dissector) => self.feed(dissector, direction, octets, |ear, mut heard, message| {
                if message.kind() == Kind::Request {
                    let mut first = None;
                    message.operations(&mut |operation| first = first.or(Some(operation)));
                    if let (Some(pairing), Some(first)) = (message.pairing(), first) {
                        asked.insert(pairing, first);
                    }
                } else {
                    heard.asked = message.pairing().and_then(|pairing| asked.remove(&pairing));
                }
                ear.modbus(&heard, message);
                true
            }),
            AnyDissector::Dnp3(dissector) => self.feed(dissector, direction, octets, |ear, heard, message| {
                ear.dnp3(&heard, message);
                !matches!(message.body, LinkBody::Segment(_))
            }),
            AnyDissector::Iec104(dissector) => self.feed(dissector, direction, octets, |ear, heard, message| {
                ear.iec104(&heard, message);
                true
            }),
        }
    }

    /// Feeds a dissector; `hear` answers whether the message counts as one of the frame.
    fn feed<D: Dissector>(
        &mut self,
        dissector: &mut D,
        direction: Direction,
        octets: &[u8],
        mut hear: impl FnMut(&mut E, Heard<'_>, &D::Message<'_>) -> bool,
    ) -> usize {
        let (frame, place, ear) = (self.frame, &mut self.place, &mut *self.ear);
        feed(dissector, direction, self.time.0, octets, |dissected| {
            if let Dissected::Message { message, octets } = dissected {
                let heard = Heard { frame, place: *place, octets, asked: None };
                *place += usize::from(hear(ear, heard, &message));
            }
        })
    }
}

fn direction(server: usize, end: usize) -> Direction {
    if end == server { Direction::ToClient } else { Direction::ToServer }
}

/// The rows of one protocol in a capture.
pub(crate) fn readings(capture: &Capture, protocol: &str) -> Vec<Reading> {
    let mut rows = Rows { protocol: protocol.to_owned(), readings: Vec::new() };
    hear(capture, &mut rows);
    rows.readings
}

struct Rows {
    protocol: String,
    readings: Vec<Reading>,
}

fn number(number: impl Into<i128>) -> Figure {
    Figure::Whole(number.into())
}

/// The figure of a point's value.
pub(crate) fn value(value: PointValue) -> Figure {
    match value {
        PointValue::Bit(bit) => number(i128::from(bit)),
        PointValue::Unsigned(unsigned) => number(unsigned),
        PointValue::Signed(signed) => number(signed),
        PointValue::Real(real) => Figure::Real(real),
    }
}

/// The figure of a field of a record.
fn field(value: Value<'_>) -> Option<Figure> {
    Some(match value {
        Value::Bool(bit) => number(i128::from(bit)),
        Value::Unsigned(unsigned) => number(unsigned),
        Value::Signed(signed) => number(signed),
        Value::Real(real) => Figure::Real(real),
        Value::Text(octets) => Figure::Text(text(octets)),
        _ => return None,
    })
}

/// Text as the tables have it: what is no letter of ASCII is a dot.
fn text(octets: &[u8]) -> String {
    octets.iter().map(|octet| if (b' '..=b'~').contains(octet) { char::from(*octet) } else { '.' }).collect()
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

impl Rows {
    fn add(&mut self, heard: &Heard<'_>, kind: &'static str, common: &Figures, own: &[(&'static str, Figure)]) {
        let mut figures = common.clone();
        figures.extend(own.iter().cloned());
        self.readings.push(Reading { frame: heard.frame, kind, figures });
    }
}

impl Ear for Rows {
    fn modbus(&mut self, heard: &Heard<'_>, message: &modbus::Message<'_>) {
        if self.protocol != "modbus" {
            return;
        }
        let mut common = Figures::from([
            ("message", number(heard.place as i128)),
            ("unit", number(message.unit_identifier)),
            ("function", number(message.function_code.code())),
        ]);
        if let Envelope::Tcp { transaction_identifier, .. } = message.envelope {
            common.insert("transaction", number(transaction_identifier));
        }
        let (reference, count) = match message.body {
            Body::Range { starting_address, quantity } | Body::Multiple { starting_address, quantity, .. } => {
                (Some(starting_address), Some(quantity))
            }
            Body::Single { address, .. } => (Some(address), None),
            Body::MaskWrite { reference_address, .. } => (Some(reference_address), None),
            Body::FifoPointer { fifo_pointer_address } => (Some(fifo_pointer_address), None),
            Body::Fifo { fifo_count, .. } => (None, Some(fifo_count)),
            _ => (None, None),
        };
        let mut own: Vec<(&'static str, Figure)> = Vec::new();
        own.extend(reference.map(|reference| ("reference", number(reference))));
        own.extend(count.map(|count| ("count", number(count))));
        if let Body::Exception { exception_code } = message.body {
            own.push(("exception", number(exception_code.0)));
        }
        if matches!(message.body, Body::ReadFile { .. } | Body::WriteFile { .. }) {
            message.fields(&mut |name, value| {
                if name == "record_length" && !own.iter().any(|(column, _)| *column == "count") {
                    own.extend(field(value).map(|figure| ("count", figure)));
                }
            });
        }
        let kind = if message.kind == Kind::Request { "request" } else { "response" };
        self.add(heard, kind, &common, &own);
        // The reference shows the values of these.
        if matches!(message.function_code.0, 1..=4 | 16) {
            message.points(heard.asked, &mut |point| {
                let own = [("place", number(point.address)), ("value", value(point.value))];
                self.add(heard, "value", &common, &own);
            });
        }
    }

    fn dnp3(&mut self, heard: &Heard<'_>, message: &dnp3::Message<'_>) {
        if self.protocol != "dnp3" || matches!(message.body, LinkBody::Segment(_)) {
            return;
        }
        let mut common = Figures::from([
            ("message", number(heard.place as i128)),
            ("source", number(message.header.source)),
            ("destination", number(message.header.destination)),
            ("control", number(message.header.control.0)),
        ]);
        let Some(fragment) = message.fragment() else {
            self.add(heard, "link", &common, &[]);
            return;
        };
        common.insert("function", number(fragment.function.0));
        let mut own = vec![("application", number(fragment.control.0))];
        own.extend(fragment.indications.map(|indications| ("indications", number(indications.0))));
        self.add(heard, "message", &common, &own);
        let mut common_time = None;
        let mut all_points = Vec::new();
        for (place, header) in fragment.headers().map_while(Result::ok).enumerate() {
            common.extend([
                ("header", number(place as i128)),
                ("group", number(header.group)),
                ("variation", number(header.variation)),
                ("qualifier", number(header.qualifier)),
            ]);
            let quantity = if header.range == ObjectRange::None { 0 } else { header.count() };
            self.add(heard, "object", &common, &[("quantity", number(quantity))]);
            let mut points = Vec::new();
            header.points(&mut common_time, &mut |point| points.push(point));
            for own in object_points(&header, &points).into_iter().take(MOST_POINTS) {
                self.add(heard, "point", &common, &own);
            }
            all_points.extend(points);
        }
        // What the sensor keeps of the message are these points, in their order.
        let mut left = all_points.iter();
        message.points(None, &mut |told| {
            let is_same = |point: &Point| {
                (point.space, point.address, point.quality, point.time)
                    == (told.space, told.address, told.quality, told.time)
                    && value(point.value) == value(told.value)
            };
            let is_nan = matches!(told.value, PointValue::Real(real) if real.is_nan());
            assert!(left.any(is_same) || is_nan, "frame {}: {told:?} is no point of a header", heard.frame);
        });
    }

    fn iec104(&mut self, heard: &Heard<'_>, message: &iec104::Message<'_>) {
        if self.protocol != "iec104" {
            return;
        }
        let mut common = Figures::from([("apdu", number(heard.place as i128))]);
        let kind = match message.apci.format {
            Format::Information { send_sequence_number, receive_sequence_number } => {
                common.insert("send", number(send_sequence_number));
                common.insert("receive", number(receive_sequence_number));
                "I"
            }
            Format::Supervisory { receive_sequence_number } => {
                common.insert("receive", number(receive_sequence_number));
                "S"
            }
            Format::Unnumbered(function) => {
                common.insert("unnumbered", number(function.0));
                "U"
            }
        };
        let Some(asdu) = &message.asdu else {
            self.add(heard, kind, &common, &[]);
            return;
        };
        common.extend([
            ("type", number(asdu.type_id.0)),
            ("sequence", number(i128::from(asdu.is_sequence))),
            ("objects", number(asdu.number)),
            ("cause", number(asdu.cause.0)),
            ("negative", number(i128::from(asdu.negative))),
            ("test", number(i128::from(asdu.test))),
            ("common_address", number(asdu.common_address)),
        ]);
        common.extend(asdu.originator_address.map(|originator| ("originator", number(originator))));
        for (place, object) in asdu.objects().enumerate() {
            let mut own = vec![("object", number(place as i128)), ("address", number(object.address))];
            if let Some(element) = elements::read(asdu.type_id, object.element) {
                own.push(("value", value(element.value)));
                let mut octet = 0;
                let mut time_invalid = false;
                elements::fields(asdu.type_id, object.element, &mut |name, value| {
                    octet |= quality_bits(asdu.type_id.0, name, value);
                    time_invalid |= name == "time_invalid" && value == Value::Bool(true);
                });
                own.push(("quality", Figure::Octet(octet, element.quality)));
                own.push(("time_invalid", number(i128::from(time_invalid))));
                own.extend(element.time.map(|time| ("time_ms", number(time))));
                if time_invalid {
                    own.push(("time_ms", Figure::Invalid));
                }
                own.extend(element.select.map(|select| ("select", number(i128::from(select)))));
                own.extend(element.qualifier.map(|qualifier| ("qualifier", number(qualifier))));
            }
            self.add(heard, kind, &common, &own);
        }
    }
}

/// The bits of an octet of quality that a field of a record tells.
fn quality_bits(type_id: u8, name: &str, value: Value<'_>) -> u8 {
    let number = match value {
        Value::Bool(bit) => u8::from(bit),
        Value::Unsigned(unsigned) => u8::try_from(unsigned).unwrap_or(0),
        _ => return 0,
    };
    let is_counter = matches!(type_id, 15 | 37);
    match name {
        "single_point_information" | "double_point_information" | "overflow" => number,
        "sequence_number" if is_counter => number,
        "blocked" => number << 4,
        "substituted" | "carry" => number << 5,
        "not_topical" | "counter_adjusted" => number << 6,
        "invalid" => number << 7,
        _ => 0,
    }
}

/// The figures of the points of one header, in their order.
fn object_points(header: &ObjectHeader<'_>, points: &[Point]) -> Vec<Vec<(&'static str, Figure)>> {
    let mut rows: Vec<Vec<(&'static str, Figure)>> = Vec::new();
    let has_index = !matches!(header.range, ObjectRange::Count(_));
    match header.group {
        12 | 41 | 50..=52 | 110 | 111 | 0 => header.fields(&mut |name, shown| {
            let column = match name {
                "index" | "attribute_set" => {
                    rows.push(field(shown).map(|figure| ("index", figure)).into_iter().collect());
                    return;
                }
                "control_code" => "code",
                "operation_count" => "count",
                "on_time_ms" => "on_ms",
                "off_time_ms" => "off_ms",
                "status" => "status",
                "value" | "time" | "delay_ms" | "delay_s" | "attribute_value" | "octet_string" => "value",
                _ => return,
            };
            if !has_index && column == "value" {
                rows.push(vec![("index", number(rows.len() as i128))]);
            }
            let figure = match (name, shown) {
                ("octet_string", Value::Text(octets)) => Some(Figure::Text(hexadecimal(octets))),
                _ => field(shown),
            };
            if let (Some(row), Some(figure)) = (rows.last_mut(), figure) {
                row.push((column, figure));
            }
        }),
        _ => {
            for point in points {
                let mut row = vec![("index", number(point.address)), ("value", value(point.value))];
                row.push(("flags", Figure::Quality(point.quality)));
                row.extend(point.time.map(|time| ("time_ms", number(time))));
                rows.push(row);
            }
        }
    }
    rows
}
