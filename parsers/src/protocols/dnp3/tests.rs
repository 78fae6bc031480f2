//! DNP3 by octets written by hand: every rule in both senses.

use super::codes::{self, FUNCTIONS, FunctionCode, Indications};
use super::link::{self, LinkControl, LinkHeader};
use super::message::{HEADERS_TOLD, MASTER_ADDRESS, RUNS_MOST};
use super::transport::{FRAGMENT_MOST, OPEN_MOST};
use super::{COMMANDS_MOST, Dnp3, Dnp3Dissector, OUTSTATIONS_MOST};
use crate::dissect::{Direction, Dissected, Dissector, Framing, Hints, Probe, Protocol, Sender, feed};
use crate::error::{ErrorKind, ParseError};
use crate::message::{
    Control, Describe, Kind, NoticeKind, Operation, Point, PointValue, Quality, Reason, Refusal, Step, Tally, Target,
    Verb,
};

const MASTER: u16 = 1;
const OUTSTATION: u16 = 10;
const UP: Direction = Direction::ToServer;
const DOWN: Direction = Direction::ToClient;

/// CRC-16/DNP bit by bit.
fn crc(octets: &[u8]) -> [u8; 2] {
    let mut crc = 0_u16;
    for octet in octets {
        crc ^= u16::from(*octet);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xA6BC } else { crc >> 1 };
        }
    }
    (!crc).to_le_bytes()
}

/// A link frame.
fn frame(control: u8, destination: u16, source: u16, user: &[u8]) -> Vec<u8> {
    let mut out = vec![0x05, 0x64, user.len() as u8 + 5, control];
    out.extend(destination.to_le_bytes());
    out.extend(source.to_le_bytes());
    out.extend(crc(&out));
    for block in user.chunks(16) {
        out.extend(block);
        out.extend(crc(block));
    }
    out
}

/// A segment from one station to another; `control` as on the wire.
fn segment(control: u8, destination: u16, source: u16, transport: u8, payload: &[u8]) -> Vec<u8> {
    frame(control, destination, source, &[&[transport][..], payload].concat())
}

/// A fragment of one segment from the master.
fn ask(fragment: &[u8]) -> Vec<u8> {
    segment(0xC4, OUTSTATION, MASTER, 0xC0, fragment)
}

/// A fragment of one segment from the outstation.
fn answer(fragment: &[u8]) -> Vec<u8> {
    segment(0x44, MASTER, OUTSTATION, 0xC0, fragment)
}

/// A fragment in as many segments as it takes, of `size` octets each.
fn segments(control: u8, destination: u16, source: u16, fragment: &[u8], size: usize) -> Vec<Vec<u8>> {
    let last = fragment.len().div_ceil(size) - 1;
    fragment
        .chunks(size)
        .enumerate()
        .map(|(at, part)| {
            let first = if at == 0 { 0x40 } else { 0 };
            let end = if at == last { 0x80 } else { 0 };
            segment(control, destination, source, first | end | (at as u8 & 0x3F), part)
        })
        .collect()
}

/// All that a message says, owned.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    kind: Kind,
    unit: u16,
    sender: Sender,
    operations: Vec<Operation>,
    each_time: usize,
    control: Option<Control>,
    notices: Vec<(NoticeKind, &'static str, u64, u64)>,
    clock: Option<u64>,
    pairing: Option<u64>,
    refusal: Option<Refusal>,
    fields: Vec<(&'static str, String)>,
    points: Vec<Point>,
    tallies: Vec<Tally>,
    fault: Option<ParseError>,
    claims: Vec<(&'static str, String)>,
}

impl Told {
    fn of(message: &impl Describe) -> Self {
        let mut told = Self {
            kind: message.kind(),
            unit: message.unit(),
            sender: message.sender(),
            operations: Vec::new(),
            each_time: 0,
            control: message.control(),
            notices: Vec::new(),
            clock: message.clock(),
            pairing: message.pairing(),
            refusal: message.refusal(),
            fields: Vec::new(),
            points: Vec::new(),
            tallies: Vec::new(),
            fault: message.fault(),
            claims: Vec::new(),
        };
        message.operations(&mut |operation| {
            told.each_time += usize::from(message.is_told_each_time(&operation));
            told.operations.push(operation);
        });
        message.notices(&mut |notice| {
            assert_eq!(notice.unit, told.unit);
            told.notices.push((notice.kind, notice.name, notice.got, notice.expected));
        });
        message.fields(&mut |name, value| told.fields.push((name, format!("{value:?}"))));
        message.points(None, &mut |point| told.points.push(point));
        message.tally(&mut |tally| told.tallies.push(tally));
        message.identity(&mut |claim| {
            told.claims.push((claim.key, String::from_utf8_lossy(claim.text).into_owned()));
        });
        told
    }

    /// The operations without that of the master's address.
    fn work(&self) -> &[Operation] {
        match self.operations.split_last() {
            Some((last, rest)) if last.code == MASTER_ADDRESS => rest,
            _ => &self.operations,
        }
    }

    fn verbs(&self) -> Vec<Verb> {
        self.work().iter().map(|operation| operation.verb).collect()
    }

    fn notice_names(&self) -> Vec<&'static str> {
        self.notices.iter().map(|(_, name, ..)| *name).collect()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }
}

/// What was said, and how many octets were skipped; every octet must be used.
fn hear(dissector: &mut Dnp3Dissector, direction: Direction, octets: &[u8]) -> (Vec<Told>, usize) {
    let (mut all, mut skipped) = (Vec::new(), 0);
    let used = feed(dissector, direction, 0, octets, |dissected| match dissected {
        Dissected::Message { message, .. } => all.push(Told::of(&message)),
        Dissected::Malformed { error, .. } => panic!("{error}"),
        Dissected::Skipped { octets } => skipped += octets,
    });
    assert_eq!(used, octets.len());
    (all, skipped)
}

fn hear_one(dissector: &mut Dnp3Dissector, direction: Direction, octets: &[u8]) -> Told {
    let (mut all, skipped) = hear(dissector, direction, octets);
    assert_eq!((all.len(), skipped), (1, 0), "{octets:02x?}");
    all.remove(0)
}

fn asked(fragment: &[u8]) -> Told {
    hear_one(&mut Dnp3Dissector::default(), UP, &ask(fragment))
}

fn answered(fragment: &[u8]) -> Told {
    hear_one(&mut Dnp3Dissector::default(), DOWN, &answer(fragment))
}

fn probe(octets: &[u8], datagram: bool) -> Probe {
    Dnp3::probe(octets, datagram, &Hints::default()).0
}

fn random() -> impl FnMut() -> u8 {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 56) as u8
    }
}

const CLASS_0: [u8; 5] = [0xC3, 1, 60, 1, 6];

/// A control relay output block at an index: latch on, once, 100 ms on and off; `status` 0.
fn block(function: u8, sequence: u8, index: u8, control_code: u8, status: u8) -> Vec<u8> {
    let object = [control_code, 1, 100, 0, 0, 0, 100, 0, 0, 0, status];
    [&[0xC0 | sequence, function, 12, 1, 0x17, 1, index][..], &object].concat()
}

// Link frames.

#[test]
fn a_frame_is_as_long_as_its_header_says() {
    let dissector = Dnp3Dissector::default();
    for user in 0..=250_usize {
        let octets = frame(0xC4, 1, 2, &vec![7; user]);
        let header = LinkHeader::read(&octets).unwrap();
        assert_eq!((header.user_octets(), header.frame_octets()), (user, octets.len()));
        assert!(octets.len() <= link::LONGEST);
        assert_eq!(dissector.frame(UP, &octets), Framing::Whole(octets.len()));
        let more = [&octets[..], &[0x05]].concat();
        assert_eq!(dissector.frame(UP, &more), Framing::Whole(octets.len()));
        for cut in 1..octets.len() {
            let need = if cut < link::HEADER { link::HEADER } else { octets.len() };
            assert_eq!(dissector.frame(UP, &octets[..cut]), Framing::Short(need), "{cut} of {user}");
        }
    }
    assert_eq!(frame(0xC4, 1, 2, &[0; link::USER_DATA_MOST]).len(), link::LONGEST);
}

#[test]
fn a_header_is_what_its_octets_say() {
    let header = LinkHeader::read(&frame(0xF3, 0x0102, 0x0304, &[])).unwrap();
    assert_eq!((header.length, header.control), (5, LinkControl(0xF3)));
    assert_eq!((header.destination, header.source), (0x0102, 0x0304));
    let back = LinkHeader::read(&frame(0x0B, 0x0102, 0x0304, &[])).unwrap();
    assert_eq!((back.destination, back.source), (0x0102, 0x0304));
    let control = header.control;
    assert!(
        control.is_from_master() && control.is_primary() && control.frame_count_bit() && control.frame_count_valid()
    );
    assert!(!LinkControl(0x0B).is_from_master() && !LinkControl(0x0B).is_primary());
    assert!(!LinkControl(0xC0).frame_count_bit() && !LinkControl(0xC0).frame_count_valid());
}

#[test]
fn a_header_with_any_bit_wrong_is_none() {
    let octets = frame(0xC4, 1, 2, &[]);
    for bit in 0..80 {
        let mut wrong = octets.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(LinkHeader::read(&wrong), None, "bit {bit}");
    }
    // A length below 5, with a right CRC.
    let mut short = vec![0x05, 0x64, 4, 0xC4, 1, 0, 2, 0];
    short.extend(crc(&short));
    assert_eq!(LinkHeader::read(&short), None);
    assert!(matches!(Dnp3Dissector::default().frame(UP, &short), Framing::Lost(_)));
}

#[test]
fn the_next_frame_is_found_behind_what_is_none() {
    let good = ask(&CLASS_0);
    let mut wrong_header = good.clone();
    wrong_header[9] ^= 1;
    for waste in [
        &[0][..],
        &[0x05],
        &[0x05, 0x64],
        &[0x05, 0x64, 0x05],
        &[0x05, 0x05],
        b"GET / HTTP/1.1\r\n",
        &wrong_header,
        &[0x05, 0x64, 4, 0xC4, 1, 0, 2, 0, 9, 9],
    ] {
        let octets = [waste, &good, waste, &good].concat();
        let (all, skipped) = hear(&mut Dnp3Dissector::default(), UP, &octets);
        assert_eq!((all.len(), skipped), (2, 2 * waste.len()), "{waste:02x?}");
        assert_eq!(all[0].verbs(), [Verb::Read]);
    }
}

#[test]
fn the_search_ends_where_a_header_may_begin() {
    let dissector = Dnp3Dissector::default();
    let good = ask(&CLASS_0);
    assert_eq!(dissector.frame(UP, &[1, 2, 3]), Framing::Lost(3));
    assert_eq!(dissector.frame(UP, &[1, 2, 0x05]), Framing::Lost(2));
    assert_eq!(dissector.frame(UP, &[1, 0x05, 0x64]), Framing::Lost(1));
    assert_eq!(dissector.frame(UP, &[1, 0x05, 0x65]), Framing::Lost(3));
    for cut in 1..good.len() {
        assert_eq!(dissector.frame(UP, &[&[9, 9][..], &good[..cut]].concat()), Framing::Lost(2));
    }
}

#[test]
fn frames_are_heard_however_they_are_cut() {
    let stream = [ask(&CLASS_0), ask(&[0xC4, 13]), frame(0xC9, 10, 1, &[]), ask(&block(5, 5, 3, 3, 0))].concat();
    let whole = hear(&mut Dnp3Dissector::default(), UP, &stream).0;
    assert_eq!(whole.len(), 4);
    for cut in 0..=stream.len() {
        let mut dissector = Dnp3Dissector::default();
        let mut all = Vec::new();
        let mut pending = Vec::new();
        for part in [&stream[..cut], &stream[cut..]] {
            pending.extend(part);
            let used = feed(&mut dissector, UP, 0, &pending, |dissected| match dissected {
                Dissected::Message { message, .. } => all.push(Told::of(&message)),
                other => panic!("{other:?}"),
            });
            pending.drain(..used);
        }
        assert_eq!(all, whole, "cut at {cut}");
    }
}

#[test]
fn a_frame_with_a_wrong_block_is_told_and_does_nothing() {
    let fragment = [&[0xC3, 2][..], &[41, 2, 0x17, 10][..], &[1, 2, 3, 0].repeat(10)].concat();
    let good = ask(&fragment);
    for at in 10..good.len() {
        let mut octets = good.clone();
        octets[at] ^= 0x10;
        octets.extend(ask(&CLASS_0));
        let (all, skipped) = hear(&mut Dnp3Dissector::default(), UP, &octets);
        assert_eq!((all.len(), skipped), (2, 0));
        let damaged = &all[0];
        let Some(ParseError { kind: ErrorKind::Checksum { got, expected }, offset, field: "block", .. }) =
            damaged.fault
        else {
            panic!("{:?}", damaged.fault)
        };
        assert_eq!(offset as usize, 10 + (at - 10) / 18 * 18, "the block of octet {at}");
        assert_eq!(damaged.notices, [(NoticeKind::Ignored, "block_checksum", got.into(), expected.into())]);
        assert!(damaged.operations.is_empty() && damaged.points.is_empty());
        assert_eq!((damaged.pairing, damaged.refusal, damaged.control), (None, None, None));
        assert_eq!(damaged.tallies, [Tally { table: 2, code: 0x44, sub: None }]);
        assert_eq!(all[1].verbs(), [Verb::Read]);
        assert_eq!(all[1].fault, None);
    }
    let right = hear_one(&mut Dnp3Dissector::default(), UP, &good);
    assert!(right.notices.is_empty() && right.fault.is_none() && right.work().len() == 1);
}

#[test]
fn frames_of_the_link_layer_alone_have_names_and_no_operations() {
    for (control, name, code, kind) in [
        (0xC0, "reset_link_states", 0x40, Kind::Request),
        (0xD2, "test_link_states", 0x42, Kind::Request),
        (0xC9, "request_link_status", 0x49, Kind::Request),
        (0x00, "ack", 0, Kind::Response),
        (0x01, "nack", 1, Kind::Response),
        (0x0B, "link_status", 11, Kind::Response),
        (0x0F, "not_supported", 15, Kind::Response),
    ] {
        let told = hear_one(&mut Dnp3Dissector::default(), UP, &frame(control, 10, 1, &[]));
        assert_eq!(told.field("link_function"), Some(format!("Name({name:?})").as_str()));
        assert_eq!(told.tallies, [Tally { table: 2, code, sub: None }]);
        assert_eq!((told.kind, told.pairing, told.fault), (kind, None, None));
        assert!(told.operations.is_empty() && told.notices.is_empty());
    }
    assert_eq!(LinkControl(0x43).function_name(), Some("confirmed_user_data"));
    assert_eq!(LinkControl(0x44).function_name(), Some("unconfirmed_user_data"));
    for control in [0x45, 0x4A, 0x4F, 0x02, 0x03, 0x04, 0x09] {
        assert_eq!(LinkControl(control).function_name(), None, "{control:#x}");
    }
}

#[test]
fn only_primary_user_data_carry_segments() {
    let confirmed = hear_one(&mut Dnp3Dissector::default(), UP, &segment(0xF3, 10, 1, 0xC0, &CLASS_0));
    assert_eq!(confirmed.verbs(), [Verb::Read]);
    for control in [0xC0, 0xC2, 0xC9, 0x84, 0x83] {
        let told = hear_one(&mut Dnp3Dissector::default(), UP, &segment(control, 10, 1, 0xC0, &CLASS_0));
        assert!(told.operations.is_empty(), "{control:#x}");
        assert_eq!(
            told.fault.map(|fault| (fault.kind, fault.field)),
            Some((ErrorKind::Forbidden { got: 11 }, "length"))
        );
    }
    let empty = hear_one(&mut Dnp3Dissector::default(), UP, &frame(0xC4, 10, 1, &[]));
    assert_eq!(empty.fault.map(|fault| fault.kind), Some(ErrorKind::Forbidden { got: 5 }));
    assert!(empty.operations.is_empty());
}

#[test]
fn addresses_that_no_station_has_are_told_as_sources() {
    for (source, is_told) in
        [(0, false), (1, false), (0xFFEF, false), (0xFFF0, true), (0xFFFB, true), (0xFFFC, true), (0xFFFF, true)]
    {
        let told = hear_one(&mut Dnp3Dissector::default(), UP, &segment(0xC4, 10, source, 0xC0, &CLASS_0));
        let expected = [(NoticeKind::Ignored, "reserved_address", u64::from(source), 0xFFEF)];
        assert_eq!(told.notices, &expected[..usize::from(is_told)]);
        let to = hear_one(&mut Dnp3Dissector::default(), UP, &segment(0xC4, source, 10, 0xC0, &CLASS_0));
        assert!(to.notices.is_empty());
    }
}

// Probing.

#[test]
fn frames_are_recognised_and_tell_who_sent_them() {
    assert_eq!(probe(&ask(&CLASS_0), false), Probe::Match(Sender::Client));
    assert_eq!(probe(&answer(&[0xC3, 129, 0, 0]), false), Probe::Match(Sender::Server));
    assert_eq!(probe(&ask(&CLASS_0), true), Probe::Match(Sender::Client));
    assert_eq!(probe(&frame(0x8B, 10, 1, &[]), false), Probe::Match(Sender::Client));
    assert_eq!(probe(&frame(0x49, 1, 10, &[]), false), Probe::Match(Sender::Server));
    // A header alone is enough, and what is behind it does not matter.
    let long = ask(&[0; 200]);
    for cut in 10..long.len() {
        assert_eq!(probe(&long[..cut], false), Probe::Match(Sender::Client));
    }
    for cut in 1..10 {
        assert_eq!(probe(&long[..cut], false), Probe::Unsure, "{cut}");
        assert_eq!(probe(&long[..cut], true), Probe::NoMatch, "{cut}");
    }
}

#[test]
fn what_is_not_certain_is_not_a_match() {
    let good = ask(&CLASS_0);
    for bit in 0..80 {
        let mut wrong = good.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(probe(&wrong, false), Probe::NoMatch, "bit {bit}");
    }
    // Functions that are none are a station's to ignore, and somebody's to send; but only at the very head.
    for control in [0xC5, 0xCF, 0x82, 0x84] {
        let odd = frame(control, 10, 1, &[]);
        assert!(matches!(probe(&odd, false), Probe::Match(_)), "{control:#x}");
        assert_eq!(probe(&[&[0][..], &odd].concat(), false), Probe::NoMatch, "{control:#x}");
    }
    for octets in [&[0x05, 0x65][..], &[0x05, 0x64, 4], &[0x06], &[0x68, 4, 7, 0, 0, 0], &[0; 300], &[0xFF; 300]] {
        assert_eq!(probe(octets, false), Probe::NoMatch, "{octets:02x?}");
    }
    for octets in [&[5, 0, 11, 3, 16, 0, 0, 0, 72, 0, 0, 0][..], &[5, 1, 0], b"GET / HTTP/1.1\r\n", &[0x16, 3, 1, 0, 9]]
    {
        assert_eq!(probe(octets, false), Probe::NoMatch, "{octets:02x?}");
    }
    let mut next = random();
    for round in 0..100_000 {
        let mut octets: Vec<u8> = (0..8 + round % 30).map(|_| next()).collect();
        assert!(!matches!(probe(&octets, false), Probe::Match(_)), "{octets:02x?}");
        octets.splice(..2, link::START);
        // One in 65536 has the right CRC by chance.
        let by_chance = octets.len() >= 10 && octets[8..10] == crc(&octets[..8]);
        assert!(by_chance || !matches!(probe(&octets, false), Probe::Match(_)), "{octets:02x?}");
    }
}

#[test]
fn random_octets_are_used_up() {
    let mut next = random();
    for round in 0..300 {
        let mut octets: Vec<u8> = (0..600).map(|_| next()).collect();
        for at in (0..500).step_by(50) {
            let user: Vec<u8> = (0..round % 30).map(|_| next()).collect();
            let frame = frame(next(), 10, 1, &user);
            octets.splice(at..at + frame.len().min(40), frame);
        }
        let mut dissector = Dnp3Dissector::default();
        let mut total = 0;
        let used = feed(&mut dissector, UP, 0, &octets, |dissected| match dissected {
            Dissected::Message { message, octets } => {
                Told::of(&message);
                total += octets.len();
            }
            Dissected::Malformed { octets, .. } => total += octets.len(),
            Dissected::Skipped { octets } => total += octets,
        });
        assert_eq!(total, used);
        assert!(octets.len() - used < link::LONGEST);
    }
}

// The transport function.

/// A response with 40 binary inputs with flags: 45 octets.
fn many_inputs() -> Vec<u8> {
    let mut fragment = vec![0xC3, 129, 0, 0, 1, 2, 0, 0, 39];
    fragment.extend([0x81; 40]);
    fragment
}

#[test]
fn a_fragment_of_three_frames_is_told_with_the_last() {
    let fragment = many_inputs();
    for size in [1, 2, 15, 16, 20, 48] {
        let parts = segments(0x44, MASTER, OUTSTATION, &fragment, size);
        let mut dissector = Dnp3Dissector::default();
        let (last, before) = parts.split_last().unwrap();
        for part in before {
            let told = hear_one(&mut dissector, DOWN, part);
            assert!(told.operations.is_empty() && told.points.is_empty() && told.notices.is_empty());
            assert_eq!((told.pairing, told.fault, told.kind), (None, None, Kind::Response));
            assert_eq!(told.tallies.len(), 1);
        }
        let told = hear_one(&mut dissector, DOWN, last);
        assert_eq!(told.points.len(), 40);
        assert_eq!(told.tallies.len(), 2);
        assert_eq!(told.work()[0].target, Some(Target { space: "binary_input", first: 0, count: 40 }));
        // The same again: the memory of the first is used.
        let again = hear(&mut dissector, DOWN, &parts.concat()).0;
        assert_eq!(again.last(), Some(&told));
    }
}

#[test]
fn two_outstations_may_interleave() {
    let one = segments(0x44, MASTER, 10, &many_inputs(), 20);
    let other = segments(0x44, MASTER, 11, &many_inputs(), 20);
    let mixed: Vec<u8> = one.iter().zip(&other).flat_map(|(a, b)| [a.clone(), b.clone()]).flatten().collect();
    let all = hear(&mut Dnp3Dissector::default(), DOWN, &mixed).0;
    assert!(all.iter().all(|told| told.notices.is_empty()));
    let whole: Vec<(u16, usize)> =
        all.iter().filter(|told| !told.points.is_empty()).map(|told| (told.unit, told.points.len())).collect();
    assert_eq!(whole, [(10, 40), (11, 40)]);
}

#[test]
fn what_stands_before_a_frame_hides_it_from_nobody() {
    let command = ask(&CLASS_0);
    for before in [&[0][..], &[0; 40], b"GET / HTTP/1.1\r\n\r\n", &command[5..], &[0x05, 0x64, 5, 0xC0]] {
        let octets = [before, &command].concat();
        assert_eq!(probe(&octets, false), Probe::Match(Sender::Client), "{before:02x?}");
        assert_eq!(hear(&mut Dnp3Dissector::default(), DOWN, &octets).0.len(), 1);
    }
}

#[test]
fn who_asks_is_the_master_whatever_the_direction_bit_says() {
    // A cold restart with the direction bit of an outstation.
    let forged = frame(0x44, OUTSTATION, MASTER, &[0xC0, 0xC0, 13]);
    assert_eq!(probe(&forged, false), Probe::Match(Sender::Client));
    let told = hear_one(&mut Dnp3Dissector::default(), DOWN, &forged);
    assert_eq!((told.unit, told.notice_names()), (OUTSTATION, vec!["direction_bit"]));
    let right = hear_one(&mut Dnp3Dissector::default(), DOWN, &frame(0xC4, OUTSTATION, MASTER, &[0xC0, 0xC0, 13]));
    assert!(right.notices.is_empty() && right.operations == told.operations);
}

#[test]
fn a_segment_without_a_first_is_dropped_and_told_once() {
    let parts = segments(0x44, MASTER, OUTSTATION, &many_inputs(), 10);
    let mut dissector = Dnp3Dissector::default();
    let all = hear(&mut dissector, DOWN, &parts[1..].concat()).0;
    assert!(all.iter().all(|told| told.notices.is_empty()), "nobody knows what came before");
    hear(&mut dissector, DOWN, &parts.concat());
    let all = hear(&mut dissector, DOWN, &parts[1..].concat()).0;
    assert_eq!(all[0].notices, [(NoticeKind::Session, "segment_without_first", 1, 0)]);
    assert!(all[1..].iter().all(|told| told.notices.is_empty()));
    assert!(all.iter().all(|told| told.operations.is_empty()));
    // The next fragment is whole, and the next stray is told again.
    assert_eq!(hear(&mut dissector, DOWN, &parts.concat()).0.last().unwrap().points.len(), 40);
    assert_eq!(hear_one(&mut dissector, DOWN, &parts[2]).notice_names(), ["segment_without_first"]);
}

#[test]
fn a_wrong_sequence_drops_the_fragment() {
    let parts = segments(0x44, MASTER, OUTSTATION, &many_inputs(), 10);
    let mut dissector = Dnp3Dissector::default();
    let all = hear(&mut dissector, DOWN, &[&parts[0][..], &parts[2], &parts[3], &parts[4]].concat()).0;
    assert_eq!(all[1].notices, [(NoticeKind::Session, "transport_sequence", 2, 1)]);
    assert!(all[2..].iter().all(|told| told.notices.is_empty() && told.operations.is_empty()));
    assert_eq!(hear(&mut dissector, DOWN, &parts.concat()).0.last().unwrap().points.len(), 40);
    // From 63 on it goes round.
    let fragment = many_inputs();
    let octets: Vec<u8> = [(0x7F, &fragment[..20]), (0x00, &fragment[20..40]), (0x81, &fragment[40..])]
        .into_iter()
        .flat_map(|(transport, part)| segment(0x44, MASTER, OUTSTATION, transport, part))
        .collect();
    let all = hear(&mut Dnp3Dissector::default(), DOWN, &octets).0;
    assert_eq!((all[2].points.len(), all[2].notices.len()), (40, 0));
}

#[test]
fn a_repeated_segment_is_ignored_in_silence() {
    let parts = segments(0x44, MASTER, OUTSTATION, &many_inputs(), 20);
    for twice in 0..parts.len() {
        let mut all: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        all.insert(twice, &parts[twice]);
        let told = hear(&mut Dnp3Dissector::default(), DOWN, &all.concat()).0;
        assert!(told.iter().all(|told| told.notices.is_empty()), "{twice}");
        assert_eq!(told.iter().filter(|told| told.points.len() == 40).count(), 1, "{twice}");
    }
    // The same number with other octets is no repeat.
    let mut other = many_inputs();
    other[30] ^= 1;
    let other = segments(0x44, MASTER, OUTSTATION, &other, 20);
    let told = hear(&mut Dnp3Dissector::default(), DOWN, &[&parts[0][..], &parts[1], &other[1]].concat()).0;
    assert_eq!(told[2].notices, [(NoticeKind::Session, "transport_sequence", 1, 2)]);
}

#[test]
fn a_first_segment_begins_anew() {
    let parts = segments(0x44, MASTER, OUTSTATION, &many_inputs(), 20);
    let mut other = many_inputs();
    other[1] = 130;
    let again = segments(0x44, MASTER, OUTSTATION, &other, 20);
    let octets = [&parts[0][..], &again[0], &again[1], &again[2]].concat();
    let told = hear(&mut Dnp3Dissector::default(), DOWN, &octets).0;
    assert_eq!(told[1].notices, [(NoticeKind::Session, "fragment_abandoned", 0, 1)]);
    assert_eq!((told[3].points.len(), told[3].kind), (40, Kind::Unsolicited));
    // A fragment of one segment too.
    let octets = [&parts[0][..], &answer(&[0xC1, 129, 0, 0]), &parts[1]].concat();
    let told = hear(&mut Dnp3Dissector::default(), DOWN, &octets).0;
    assert_eq!(told[1].notice_names(), ["fragment_abandoned"]);
    assert_eq!(told[1].work().len(), 1);
    assert_eq!(told[2].notice_names(), ["segment_without_first"]);
}

#[test]
fn a_fragment_ends_at_its_bound() {
    for (len, fits) in [(FRAGMENT_MOST, true), (FRAGMENT_MOST + 1, false)] {
        let mut fragment = vec![0xC3, 129, 0, 0, 110, 1, 1, 0, 0, 0, 0];
        let objects = len - fragment.len();
        fragment[9..11].copy_from_slice(&(objects as u16 - 1).to_le_bytes());
        fragment.resize(len, 7);
        let mut parts = segments(0x44, MASTER, OUTSTATION, &fragment, 249);
        let told = hear(&mut Dnp3Dissector::default(), DOWN, &parts.concat()).0;
        let names: Vec<_> = told.iter().flat_map(Told::notice_names).collect();
        if fits {
            assert!(names.is_empty());
            assert_eq!(told.last().unwrap().fault, None);
            assert_eq!(told.last().unwrap().work().len(), 1);
        } else {
            // What it begins with is read: nothing hides behind its length.
            assert_eq!(names, ["fragment_too_long"]);
            let last = told.last().unwrap();
            let limit = FRAGMENT_MOST as u32;
            assert_eq!(last.fault.map(|fault| fault.kind), Some(ErrorKind::TooMany { limit }));
            let target = Target { space: "octet_string", first: 0, count: limit - 11 };
            assert_eq!((last.work().len(), last.work()[0].target), (1, Some(target)));
            assert_eq!(last.tallies[1], Tally { table: 1, code: 129, sub: None });
        }
        // One that goes on and on is told once.
        parts.truncate(parts.len() - 1);
        let endless: Vec<u8> =
            (0..100_u8).flat_map(|n| segment(0x44, 1, 10, if n == 0 { 0x40 } else { n & 0x3F }, &[1; 249])).collect();
        let told = hear(&mut Dnp3Dissector::default(), DOWN, &endless).0;
        assert_eq!(told.iter().flat_map(Told::notice_names).collect::<Vec<_>>(), ["fragment_too_long"]);
    }
}

#[test]
fn so_many_fragments_are_open_at_a_time() {
    let most = OPEN_MOST as u16;
    let begin = |source: u16| segments(0x44, MASTER, source, &many_inputs(), 25).remove(0);
    let end = |source: u16| segments(0x44, MASTER, source, &many_inputs(), 25).remove(1);
    let mut dissector = Dnp3Dissector::default();
    for source in 0..most {
        assert!(hear_one(&mut dissector, DOWN, &begin(source)).notices.is_empty());
    }
    let told = hear_one(&mut dissector, DOWN, &begin(most));
    assert_eq!(told.notices, [(NoticeKind::Session, "fragments_open", u64::from(most) + 1, most.into())]);
    // The oldest made room, the others are whole.
    for source in 1..=most {
        assert_eq!(hear_one(&mut dissector, DOWN, &end(source)).points.len(), 40, "{source}");
    }
    assert_eq!(hear_one(&mut dissector, DOWN, &end(0)).notice_names(), ["segment_without_first"]);
    assert!(dissector.to_client.slots() <= OPEN_MOST);
}

#[test]
fn after_a_gap_nobody_is_blamed() {
    let parts = segments(0x44, MASTER, OUTSTATION, &many_inputs(), 20);
    // A fragment is open; one was heard before; nothing was heard before.
    for before in [&parts[..1], &parts[..], &[]] {
        for after in 1..parts.len() {
            let mut dissector = Dnp3Dissector::default();
            hear(&mut dissector, DOWN, &before.concat());
            dissector.gap(DOWN);
            let told = hear(&mut dissector, DOWN, &parts[after..].concat()).0;
            assert!(told.iter().all(|told| told.notices.is_empty() && told.operations.is_empty()));
            assert_eq!(hear(&mut dissector, DOWN, &parts.concat()).0.last().unwrap().points.len(), 40);
            assert_eq!(hear_one(&mut dissector, DOWN, &parts[1]).notice_names(), ["segment_without_first"]);
        }
    }
    // A gap in one direction is none in the other.
    let mut dissector = Dnp3Dissector::default();
    hear(&mut dissector, DOWN, &parts.concat());
    dissector.gap(UP);
    assert_eq!(hear_one(&mut dissector, DOWN, &parts[1]).notice_names(), ["segment_without_first"]);
}

#[test]
fn directions_can_be_turned() {
    let parts = segments(0x44, MASTER, OUTSTATION, &many_inputs(), 20);
    let mut dissector = Dnp3Dissector::default();
    hear(&mut dissector, UP, &parts[..2].concat());
    dissector.turn();
    assert_eq!(hear_one(&mut dissector, DOWN, &parts[2]).points.len(), 40);
    let mut dissector = Dnp3Dissector::default();
    hear(&mut dissector, UP, &parts[..2].concat());
    assert!(hear_one(&mut dissector, DOWN, &parts[2]).points.is_empty());
}

// Application fragments.

#[test]
fn every_function_has_its_verb() {
    for function in FUNCTIONS {
        let code = FunctionCode(function.code);
        assert_eq!(codes::verb(code, u8::MAX, None), function.verb, "{}", function.name);
        assert_eq!(code.name(), Some(function.name));
        assert!(code.is_defined());
        assert_eq!(Dnp3::operation_name(function.code.into(), 0), Some(function.name));
        let told =
            if code.is_response() { answered(&[0xC0, function.code, 0, 0]) } else { asked(&[0xC0, function.code]) };
        assert_eq!(told.verbs(), [function.verb], "{}", function.name);
        assert_eq!(told.work()[0].code, u16::from(function.code));
        assert_eq!(told.fault, None);
    }
    for code in (34..=128).chain(132..=255) {
        assert_eq!(FunctionCode(code).name(), None);
        assert!(!FunctionCode(code).is_defined());
        assert_eq!(codes::verb(FunctionCode(code), 1, None), Verb::Other);
    }
    assert_eq!(Dnp3::operation_name(MASTER_ADDRESS, 0), Some("master_address"));
    assert_eq!(Dnp3::operation_name(0x101, 0), None);
    assert_eq!(FUNCTIONS.len(), 37);
}

#[test]
fn objects_make_other_verbs() {
    let verb = |fragment: &[u8]| asked(fragment).verbs();
    assert_eq!(verb(&[0xC0, 1, 0, 254, 0, 0, 0]), [Verb::Identify]);
    assert_eq!(verb(&[0xC0, 1, 30, 0, 6]), [Verb::Read]);
    assert_eq!(verb(&[0xC0, 2, 34, 1, 0x17, 1, 3, 9, 0]), [Verb::Configure]);
    assert_eq!(verb(&[0xC0, 2, 50, 1, 7, 1, 0, 0, 0, 0, 0, 1]), [Verb::Synchronize]);
    assert_eq!(verb(&[0xC0, 2, 80, 1, 0, 7, 7, 0]), [Verb::Diagnose]);
    assert_eq!(verb(&[0xC0, 2, 80, 1, 0, 4, 4, 0]), [Verb::Write]);
    assert_eq!(verb(&[0xC0, 2, 80, 1, 0, 4, 7, 0]), [Verb::Write]);
    assert_eq!(verb(&[0xC0, 2, 10, 1, 0, 4, 4, 0]), [Verb::Write]);
    assert_eq!(verb(&[0xC0, 1, 70, 5, 0x5B, 1, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0]), [Verb::Transfer]);
    assert_eq!(verb(&[0xC0, 2, 70, 5, 0x5B, 1, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7]), [Verb::Transfer]);
    // Several headers are several operations.
    assert_eq!(verb(&[0xC0, 2, 80, 1, 0, 7, 7, 0, 50, 1, 7, 1, 0, 0, 0, 0, 0, 1]), [Verb::Diagnose, Verb::Synchronize]);
}

#[test]
fn who_says_what_to_whom() {
    let told = asked(&CLASS_0);
    assert_eq!((told.kind, told.unit, told.sender), (Kind::Request, OUTSTATION, Sender::Client));
    let told = answered(&[0xC3, 129, 0, 0]);
    assert_eq!((told.kind, told.unit, told.sender), (Kind::Response, OUTSTATION, Sender::Server));
    assert_eq!(answered(&[0xF3, 130, 0, 0]).kind, Kind::Unsolicited);
    assert_eq!(answered(&[0xC3, 131, 0, 0]).kind, Kind::Response);
    assert_eq!(asked(&[0xC3, 0]).kind, Kind::Request);
    assert_eq!(asked(&[0xC3, 77]).kind, Kind::Request);
}

#[test]
fn requests_tell_which_master_asks() {
    let last = *asked(&CLASS_0).operations.last().unwrap();
    let target = Some(Target { space: "master_address", first: 1, count: 1 });
    assert_eq!(last, Operation { verb: Verb::Session, code: 0x100, sub: 0, unit: OUTSTATION, target });
    assert_eq!(asked(&CLASS_0).operations[0].verb, Verb::Read);
    for quiet in [asked(&[0xC3, 0]), answered(&[0xC3, 129, 0, 0]), answered(&[0xC3, 130, 0, 0])] {
        assert!(quiet.operations.iter().all(|operation| operation.code != MASTER_ADDRESS));
    }
}

#[test]
fn operations_name_their_points() {
    let told = asked(&[0xC0, 1, 30, 2, 0, 4, 9, 1, 0, 1, 0, 1, 0, 2, 60, 2, 6, 20, 0, 6, 32, 2, 7, 5]);
    let run = |sub, space, first, count| (sub, Some(Target { space, first, count }));
    assert_eq!(
        told.work().iter().map(|operation| (operation.sub, operation.target)).collect::<Vec<_>>(),
        [
            run(30 << 8 | 2, "analog_input", 4, 6),
            run(1 << 8, "binary_input", 256, 257),
            (60 << 8 | 2, None),
            (20 << 8, None),
            (32 << 8 | 2, None),
        ]
    );
    // Index prefixes: a run for what is contiguous.
    let told = asked(&[0xC0, 5, 41, 2, 0x17, 3, 4, 1, 0, 0, 5, 2, 0, 0, 9, 3, 0, 0]);
    let targets: Vec<_> = told.work().iter().map(|operation| operation.target.unwrap()).collect();
    assert_eq!(
        targets,
        [Target { space: "analog_output", first: 4, count: 2 }, Target { space: "analog_output", first: 9, count: 1 },]
    );
}

#[test]
fn many_runs_end_in_one_that_spans_them() {
    let mut fragment = vec![0xC0, 1, 1, 2, 0x17, 100];
    fragment.extend((0..100).map(|n| n * 2));
    fragment.extend([30, 2, 0, 3, 5, 30, 2, 0, 9, 9, 60, 2, 6]);
    let work = asked(&fragment).work().to_vec();
    assert_eq!(work.len(), RUNS_MOST + 3);
    let last = &work[RUNS_MOST..];
    assert_eq!(last[0].target, Some(Target { space: "binary_input", first: 128, count: 71 }));
    assert_eq!(last[1].target, Some(Target { space: "analog_input", first: 3, count: 7 }));
    assert_eq!((last[2].sub, last[2].target), (60 << 8 | 2, None));
    assert_eq!(work[RUNS_MOST - 1].target, Some(Target { space: "binary_input", first: 126, count: 1 }));
}

#[test]
fn responses_report_what_has_values_and_not_what_they_repeat() {
    let told = answered(&[0xC3, 129, 0, 0, 1, 2, 0, 3, 4, 0x81, 0x01, 30, 2, 0, 0, 0, 1, 5, 0]);
    let run = |sub, space, first, count| Operation {
        verb: Verb::Report,
        code: 129,
        sub,
        unit: OUTSTATION,
        target: Some(Target { space, first, count }),
    };
    assert_eq!(told.operations, [run(1 << 8 | 2, "binary_input", 3, 2), run(30 << 8 | 2, "analog_input", 0, 1)]);
    let point = |space, address, value| Point::bare(space, address, value);
    assert_eq!(
        told.points,
        [
            point("binary_input", 3, PointValue::Bit(true)),
            point("binary_input", 4, PointValue::Bit(false)),
            point("analog_input", 0, PointValue::Signed(5)),
        ]
    );
    // The echo of a command, and a response without objects: one operation without a target.
    let mut echo = block(129, 3, 4, 3, 0);
    echo.splice(2..2, [0, 0]);
    for fragment in [&echo[..], &[0xC3, 129, 0, 0], &[0xC3, 129, 0, 0, 52, 2, 7, 1, 9, 0]] {
        let told = answered(fragment);
        let bare = Operation { verb: Verb::Report, code: 129, sub: 0, unit: OUTSTATION, target: None };
        assert_eq!(told.operations, [bare], "{fragment:02x?}");
        assert!(told.points.is_empty());
        assert_eq!(told.fault, None);
    }
    assert_eq!(answered(&[0xF3, 130, 0, 0, 1, 2, 0, 3, 4, 1, 1]).operations[0].code, 130);
}

#[test]
fn relative_times_count_from_the_time_before_them() {
    let told = answered(&[0xF3, 130, 0, 0, 51, 1, 7, 1, 0xE8, 3, 0, 0, 0, 0, 2, 3, 0x17, 1, 7, 0x81, 0x0A, 0]);
    assert_eq!((told.points.len(), told.points[0].time), (1, Some(1010)));
    assert_eq!(told.operations.len(), 1);
}

#[test]
fn requests_write_points() {
    let told = asked(&block(3, 1, 4, 0x41, 0));
    let output = Point::bare("binary_output", 4, PointValue::Unsigned(0x41));
    assert_eq!(told.points, [output]);
    for function in 4..=6 {
        assert_eq!(asked(&block(function, 1, 4, 0x41, 0)).points, [output]);
    }
    let told = asked(&[0xC0, 5, 41, 1, 0x17, 1, 9, 0xFE, 0xFF, 0xFF, 0xFF, 0]);
    assert_eq!(told.points, [Point::bare("analog_output", 9, PointValue::Signed(-2))]);
    let told = asked(&[0xC0, 2, 34, 1, 0x17, 1, 3, 9, 0]);
    assert_eq!(told.points, [Point::bare("analog_input_deadband", 3, PointValue::Unsigned(9))]);
    let told = asked(&[0xC0, 2, 10, 1, 0, 0, 1, 2]);
    assert_eq!(
        told.points.iter().map(|point| point.value).collect::<Vec<_>>(),
        [PointValue::Bit(false), PointValue::Bit(true)]
    );
    // Not those of the session.
    for fragment in
        [&CLASS_0[..], &[0xC0, 2, 80, 1, 0, 7, 7, 0], &[0xC0, 2, 50, 1, 7, 1, 0, 0, 0, 0, 0, 1], &[0xC0, 13]]
    {
        assert!(asked(fragment).points.is_empty());
    }
    assert_eq!(answered(&[0xC0, 129, 0, 0, 1, 2, 0, 0, 0, 0x04]).points[0].quality, Quality(1 | 1 << 5));
}

#[test]
fn what_is_answered_is_paired() {
    let key = |sequence| Some(u64::from(OUTSTATION) << 32 | u64::from(MASTER) << 16 | sequence);
    assert_eq!(asked(&CLASS_0).pairing, key(3));
    assert_eq!(answered(&[0xC3, 129, 0, 0]).pairing, key(3));
    assert_eq!(asked(&[0xC4, 1, 60, 1, 6]).pairing, key(4));
    for code in [1, 2, 3, 4, 5, 7, 9, 11, 13, 14, 18, 20, 21, 22, 23, 24, 25, 30, 31, 99] {
        assert_eq!(asked(&[0xC3, code]).pairing, key(3), "{code}");
    }
    // Confirmations, requests without a response, authentication.
    for code in [0, 6, 8, 10, 12, 32, 33] {
        assert_eq!(asked(&[0xC3, code]).pairing, None, "{code}");
    }
    // Not the later fragments of a response, and not what was not asked for.
    assert_eq!(answered(&[0x43, 129, 0, 0]).pairing, None);
    assert_eq!(answered(&[0xF3, 130, 0, 0]).pairing, None);
    assert_eq!(answered(&[0xC3, 131, 0, 0]).pairing, None);
    // Nobody answers a broadcast; the self-address is answered from another one.
    for (destination, is_paired) in [(0xFFEF, true), (0xFFFC, false), (0xFFFD, false), (0xFFFF, false)] {
        let told = hear_one(&mut Dnp3Dissector::default(), UP, &segment(0xC4, destination, 1, 0xC0, &CLASS_0));
        assert_eq!((told.pairing.is_some(), told.unit), (is_paired, destination));
    }
}

#[test]
fn refusals_have_reasons() {
    let refused = |second: u8| answered(&[0xC3, 129, 0, second]).refusal;
    let refusal = |code, name, reason| Some(Refusal { code, name: Some(name), reason });
    assert_eq!(refused(1), refusal(1, "no_func_code_support", Reason::Function));
    assert_eq!(refused(2), refusal(2, "object_unknown", Reason::Address));
    assert_eq!(refused(4), refusal(4, "parameter_error", Reason::Value));
    assert_eq!(refused(0x10), refusal(0x10, "already_executing", Reason::Busy));
    assert_eq!(refused(7), refusal(1, "no_func_code_support", Reason::Function));
    for second in [0, 8, 0x20, 0x40, 0x80] {
        assert_eq!(refused(second), None);
    }
    assert_eq!(answered(&[0xC3, 129, 0xFF, 0]).refusal, None);
    assert_eq!(answered(&[0xF3, 130, 0, 1]).refusal, None);
    for (status, name, reason) in [
        (1, "timeout", Reason::Other),
        (2, "no_select", Reason::Other),
        (3, "format_error", Reason::Value),
        (4, "not_supported", Reason::Function),
        (5, "already_active", Reason::Busy),
        (7, "local", Reason::Other),
        (12, "out_of_range", Reason::Value),
        (127, "undefined", Reason::Other),
    ] {
        let mut echo = block(129, 3, 4, 3, status);
        echo.splice(2..2, [0, 0]);
        assert_eq!(answered(&echo).refusal, refusal(0x100 | u16::from(status), name, reason));
    }
    assert_eq!(codes::status_refusal(50).map(|refusal| (refusal.code, refusal.name)), Some((0x132, None)));
    let analog = answered(&[0xC3, 129, 0, 0, 41, 2, 0x17, 2, 1, 0, 0, 0, 2, 0, 0, 7]);
    assert_eq!(analog.refusal, refusal(0x107, "local", Reason::Other));
    let analog = answered(&[0xC3, 129, 0, 0, 41, 2, 0x17, 1, 1, 0, 0, 0]);
    assert_eq!(analog.refusal, None);
    // The status in a request says nothing.
    assert_eq!(asked(&block(5, 3, 4, 3, 7)).refusal, None);
}

#[test]
fn commands_go_step_by_step() {
    let mut dissector = Dnp3Dissector::default();
    let respond = |sequence: u8, second: u8, status: u8| {
        let mut echo = block(129, sequence, 4, 3, status);
        echo.splice(2..2, [0, second]);
        answer(&echo)
    };
    let select = hear_one(&mut dissector, UP, &ask(&block(3, 1, 4, 3, 0))).control.unwrap();
    let selected = hear_one(&mut dissector, DOWN, &respond(1, 0, 0)).control.unwrap();
    let operate = hear_one(&mut dissector, UP, &ask(&block(4, 2, 4, 3, 0))).control.unwrap();
    let refused = hear_one(&mut dissector, DOWN, &respond(2, 0, 2)).control.unwrap();
    assert_eq!(
        [select, selected, operate, refused].map(|control| control.step),
        [Step::Select, Step::Confirmed, Step::Operate, Step::Refused]
    );
    for control in [selected, operate, refused] {
        assert_eq!((control.key, control.content, control.terminates), (select.key, select.content, false));
    }
    // A refusal without objects, and one that answers nothing.
    let direct = hear_one(&mut dissector, UP, &ask(&block(5, 3, 4, 3, 0))).control.unwrap();
    assert_eq!((direct.step, direct.key), (Step::Execute, select.key));
    let bare = answer(&[0xC3, 129, 0, 4]);
    assert_eq!(hear_one(&mut dissector, DOWN, &bare).control, Some(Control { step: Step::Refused, ..direct }));
    assert_eq!(hear_one(&mut dissector, DOWN, &bare).control, None);
    // Another sequence number is another's answer; one without a response awaits none.
    hear_one(&mut dissector, UP, &ask(&block(5, 3, 4, 3, 0)));
    assert_eq!(hear_one(&mut dissector, DOWN, &respond(4, 0, 0)).control, None);
    let mut dissector = Dnp3Dissector::default();
    let silent = hear_one(&mut dissector, UP, &ask(&block(6, 3, 4, 3, 0))).control.unwrap();
    assert_eq!((silent.step, silent.key), (Step::Execute, select.key));
    assert_eq!(hear_one(&mut dissector, DOWN, &respond(3, 0, 0)).control, None);
    assert_eq!(asked(&CLASS_0).control, None);
    assert_eq!(asked(&[0xC0, 7, 20, 0, 6]).control, None);
}

#[test]
fn a_command_is_the_same_when_its_points_are_and_its_octets_are() {
    let control = |fragment: &[u8]| asked(fragment).control.unwrap();
    let select = control(&block(3, 1, 4, 3, 0));
    let other_point = control(&block(4, 2, 5, 3, 0));
    assert!(select.key != other_point.key && select.content != other_point.content);
    let other_code = control(&block(4, 2, 4, 4, 0));
    assert!(select.key == other_code.key && select.content != other_code.content);
    let mut longer = block(4, 2, 4, 3, 0);
    longer[9] = 200;
    assert!(select.key == control(&longer).key && select.content != control(&longer).content);
    // The status is the outstation's.
    let with_status = control(&block(4, 2, 4, 3, 9));
    assert_eq!((select.key, select.content), (with_status.key, with_status.content));
    // The same point of another space, of another outstation, for another master.
    assert_ne!(select.key, control(&[0xC0, 4, 41, 2, 0x17, 1, 4, 3, 0, 0]).key);
    for (destination, source) in [(11, 1), (10, 2)] {
        let octets = segment(0xC4, destination, source, 0xC0, &block(4, 2, 4, 3, 0));
        let other = hear_one(&mut Dnp3Dissector::default(), UP, &octets).control.unwrap();
        assert!(select.key != other.key && select.content == other.content);
    }
}

#[test]
fn so_many_commands_are_awaited() {
    let mut dissector = Dnp3Dissector::default();
    let most = COMMANDS_MOST as u8;
    for outstation in 0..=most {
        hear_one(&mut dissector, UP, &segment(0xC4, outstation.into(), 1, 0xC0, &block(5, 1, 4, 3, 0)));
    }
    assert_eq!(dissector.commands.len(), COMMANDS_MOST);
    let respond = |outstation: u8| segment(0x44, 1, outstation.into(), 0xC0, &[0xC1, 129, 0, 0]);
    assert_eq!(hear_one(&mut dissector, DOWN, &respond(0)).control, None);
    for outstation in 1..=most {
        assert!(hear_one(&mut dissector, DOWN, &respond(outstation)).control.is_some());
    }
    assert!(dissector.commands.is_empty());
    // The same one again and again is one.
    for _ in 0..20 {
        hear_one(&mut dissector, UP, &ask(&block(5, 1, 4, 3, 0)));
    }
    assert_eq!(dissector.commands.len(), 1);
}

#[test]
fn trouble_is_told_when_it_is_new() {
    let mut dissector = Dnp3Dissector::default();
    let mut names = |source: u16, first: u8, second: u8| {
        let octets = segment(0x44, 1, source, 0xC0, &[0xC3, 129, first, second]);
        let told = hear_one(&mut dissector, DOWN, &octets);
        assert!(told.notices.iter().all(|(kind, ..)| *kind == NoticeKind::Trouble));
        told.notice_names()
    };
    assert_eq!(names(10, 0x80, 0), ["device_restart"]);
    assert!(names(10, 0x80, 0).is_empty());
    assert_eq!(names(10, 0xE0, 0x08), ["local_control", "device_trouble", "event_buffer_overflow"]);
    assert_eq!(names(11, 0x80, 0), ["device_restart"]);
    assert!(names(10, 0xE0, 0x08).is_empty());
    assert!(names(10, 0, 0).is_empty());
    assert_eq!(names(10, 0x80, 0x30), ["device_restart", "already_executing", "configuration_corrupt"]);
    assert_eq!(names(10, 0, 0x40), ["reserved_iin"]);
    // What is no trouble: broadcast, classes, need time, refusals.
    assert!(names(12, 0x1F, 0x07).is_empty());
    let unsolicited = hear_one(&mut Dnp3Dissector::default(), DOWN, &answer(&[0xF0, 130, 0x80, 0]));
    assert_eq!(unsolicited.notices, [(NoticeKind::Trouble, "device_restart", 0x8000, 0)]);
}

#[test]
fn so_many_outstations_are_remembered() {
    let mut dissector = Dnp3Dissector::default();
    let mut names = |source: u16| {
        let octets = segment(0x44, 1, source, 0xC0, &[0xC3, 129, 0x80, 0]);
        hear_one(&mut dissector, DOWN, &octets).notice_names().len()
    };
    let most = OUTSTATIONS_MOST as u16;
    assert_eq!((0..most).map(&mut names).sum::<usize>(), OUTSTATIONS_MOST);
    assert_eq!((0..most).map(&mut names).sum::<usize>(), 0);
    assert_eq!(names(most), 1);
    assert_eq!(names(0), 1, "made room for another");
    assert_eq!(names(most), 0);
    assert_eq!(dissector.indications.len(), OUTSTATIONS_MOST);
}

#[test]
fn clocks_that_are_set_are_told() {
    let time = [0x01, 0, 0, 0, 0, 1];
    let set = (1_u64 << 40) + 1;
    let v1 = [&[0xC0, 2, 50, 1, 7, 1][..], &time].concat();
    let v3 = [&[0xC0, 2, 50, 3, 7, 1][..], &time].concat();
    let v4 = [&[0xC0, 2, 50, 4, 0x17, 1, 0][..], &time, &[1, 0, 0, 0, 5]].concat();
    for fragment in [&v1, &v3, &v4] {
        let told = asked(fragment);
        assert_eq!((told.clock, told.each_time, told.fault), (Some(set), 1, None), "{fragment:02x?}");
        assert_eq!(told.verbs(), [Verb::Synchronize]);
    }
    // Read, or told by an outstation: sets nothing.
    assert_eq!(asked(&[0xC0, 1, 50, 1, 7, 1]).clock, None);
    assert_eq!(answered(&[&[0xC0, 129, 0, 0, 50, 1, 7, 1][..], &time].concat()).clock, None);
    assert_eq!(asked(&[0xC0, 23]).clock, None);
}

#[test]
fn what_is_rare_is_told_each_time() {
    for fragment in [&CLASS_0[..], &[0xC0, 1, 60, 2, 6, 60, 1, 6], &[0xC0, 20, 60, 2, 6], &[0xC0, 21, 60, 2, 6]] {
        assert_eq!(asked(fragment).each_time, 1, "{fragment:02x?}");
    }
    for fragment in [&[0xC0, 1, 60, 2, 6][..], &[0xC0, 22, 60, 1, 6], &[0xC0, 24], &[0xC0, 2, 80, 1, 0, 7, 7, 0]] {
        assert_eq!(asked(fragment).each_time, 0, "{fragment:02x?}");
    }
}

#[test]
fn fragments_are_counted_by_their_function() {
    let link = Tally { table: 2, code: 0x44, sub: None };
    assert_eq!(asked(&CLASS_0).tallies, [link, Tally { table: 0, code: 1, sub: None }]);
    assert_eq!(answered(&[0xC3, 129, 0, 0]).tallies, [link, Tally { table: 1, code: 129, sub: None }]);
    assert_eq!(asked(&[0xC3, 127]).tallies[1], Tally { table: 0, code: 127, sub: None });
    assert_eq!(answered(&[0xC3, 128]).tallies[1], Tally { table: 1, code: 128, sub: None });
    // At fault, but the function code can be read.
    assert_eq!(asked(&[0xC3, 2, 1]).tallies.len(), 2);
    assert_eq!(answered(&[0xC3, 129]).tallies.len(), 2);
    assert_eq!(asked(&[0xC3]).tallies, [link]);
    assert_eq!(Dnp3::tally_key(link), "68");
    assert_eq!(Dnp3::TABLES, ["requests", "responses", "link_frames"]);
}

#[test]
fn what_breaks_the_standard_is_said_and_keeps_its_verb() {
    let fault = |told: &Told| told.fault.map(|fault| (fault.kind, fault.field, fault.offset));
    let truncated = |need, have| ErrorKind::Truncated { need, have };
    let told = asked(&[0xC3]);
    assert_eq!(fault(&told), Some((truncated(2, 1), "application_header", 0)));
    assert!(told.operations.is_empty());
    let told = asked(&[]);
    assert_eq!(fault(&told), Some((truncated(2, 0), "application_header", 0)));
    let told = answered(&[0xC3, 129, 0]);
    assert_eq!(fault(&told), Some((truncated(2, 1), "internal_indications", 2)));
    assert_eq!((told.verbs(), told.refusal), (vec![Verb::Report], None));
    // A command whose block is cut short; a write behind it can't be read.
    let whole = block(5, 1, 4, 3, 0);
    assert_eq!(asked(&whole).fault, None);
    for cut in 3..whole.len() {
        let told = asked(&whole[..cut]);
        assert!(told.fault.is_some(), "{cut}");
        assert_eq!(told.verbs(), [Verb::Control], "{cut}");
        assert!(told.points.is_empty() && told.fault.unwrap().offset >= 2);
        let sub = if cut > 3 { 12 << 8 | 1 } else { 0 };
        assert_eq!(told.work()[0].sub, sub);
    }
    let told = asked(&[0xC0, 2, 80, 1, 0, 7, 7, 0, 34, 1, 0x0F]);
    assert_eq!(told.verbs(), [Verb::Diagnose]);
    assert_eq!(told.fault.map(|fault| fault.offset), Some(10));
    // Reserved qualifiers, unknown objects, a start behind the stop.
    for objects in [&[1, 2, 0x0F][..], &[1, 2, 3], &[200, 1, 0, 1, 1], &[1, 2, 0, 5, 4, 1]] {
        let told = asked(&[&[0xC0, 2][..], objects].concat());
        assert!(told.fault.is_some(), "{objects:02x?}");
        let sub = u16::from_be_bytes([objects[0], objects[1]]);
        assert_eq!((told.verbs(), told.work()[0].sub), (vec![Verb::Write], sub));
    }
}

#[test]
fn functions_that_the_standard_does_not_have_are_no_breach() {
    let told = asked(&[0xC3, 99, 1, 2, 3, 4]);
    assert_eq!((told.fault, told.verbs()), (None, vec![Verb::Other]));
    assert_eq!((told.work()[0].code, told.work()[0].sub), (99, 0));
    assert_eq!(told.field("function"), Some("Null"));
    let told = answered(&[0xC3, 200, 1, 2]);
    assert_eq!((told.fault, told.verbs(), told.kind), (None, vec![Verb::Other], Kind::Response));
}

#[test]
fn who_proves_who_asks_still_asks() {
    // An aggressive request: challenge sequence and user before, a code of 4 octets behind.
    let proof = [120, 3, 7, 1, 9, 0, 0, 0, 1, 0];
    let code = [120, 9, 0x5B, 1, 4, 0, 1, 2, 3, 4];
    for (function, objects, verb) in [
        (1, &[60, 1, 6][..], Verb::Read),
        (5, &block(5, 0, 4, 3, 0)[2..], Verb::Control),
        (2, &[34, 1, 0x17, 1, 3, 9, 0], Verb::Configure),
        (13, &[], Verb::Restart),
    ] {
        let told = asked(&[&[0xC0, function][..], &proof, objects, &code].concat());
        assert_eq!((told.fault, told.verbs()), (None, vec![verb]), "{function}");
        assert_eq!(told.work()[0].sub == 0, objects.is_empty());
    }
    let plain = asked(&block(4, 2, 4, 3, 0)).control.unwrap();
    let proven = asked(&[&[0xC2, 4][..], &proof, &block(4, 2, 4, 3, 0)[2..], &code].concat()).control.unwrap();
    assert_eq!((plain.key, plain.content), (proven.key, proven.content));
    // An error object: sequence 9, user 1, association 2, code 1, time, text.
    let error = [120, 7, 0x5B, 1, 15, 0, 9, 0, 0, 0, 1, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0];
    let told = answered(&[&[0xC0, 131, 0, 0][..], &error].concat());
    assert_eq!((told.fault, told.verbs()), (None, vec![Verb::Session]));
    assert_eq!(told.notices, [(NoticeKind::Session, "authentication_error", 1, 0)]);
    let told = asked(&[&[0xC0, 33][..], &error].concat());
    assert_eq!((told.notice_names(), told.verbs()), (vec!["authentication_error"], vec![Verb::Session]));
    assert_eq!(asked(&[&[0xC0, 32][..], &proof].concat()).notices, []);
}

#[test]
fn fields_stand_in_the_standards_order() {
    let told = answered(&[0xF5, 130, 0x90, 0x01, 1, 2, 0, 3, 3, 0x81]);
    let names: Vec<&str> = told.fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names[..22],
        [
            "source",
            "destination",
            "from_master",
            "primary",
            "frame_count_bit",
            "frame_count_valid",
            "link_function_code",
            "link_function",
            "transport_first",
            "transport_final",
            "transport_sequence",
            "first",
            "final",
            "confirm",
            "unsolicited",
            "sequence",
            "function_code",
            "function",
            "internal_indications",
            "iin",
            "iin",
            "iin",
        ]
    );
    assert_eq!(told.field("internal_indications"), Some("Octets([144, 1])"));
    assert_eq!(told.field("iin"), Some("Name(\"need_time\")"));
    assert_eq!(told.field("function"), Some("Name(\"unsolicited_response\")"));
    assert_eq!(told.field("sequence"), Some("Unsigned(5)"));
    assert_eq!(told.field("confirm"), Some("Bool(true)"));
    assert_eq!(told.field("source"), Some("Unsigned(10)"));
    assert_eq!(told.field("group"), Some("Unsigned(1)"));
    let secondary = hear_one(&mut Dnp3Dissector::default(), UP, &frame(0x9B, 10, 1, &[]));
    assert_eq!(secondary.field("data_flow_control"), Some("Bool(true)"));
    assert_eq!(secondary.field("frame_count_bit"), None);
    // Headers of which fields are told.
    let many = [&[0xC0, 1][..], &[60, 2, 6].repeat(40)].concat();
    assert_eq!(asked(&many).fields.iter().filter(|(name, _)| *name == "group").count(), HEADERS_TOLD);
}

#[test]
fn every_indication_has_a_name() {
    let mut bits = 0;
    for (bit, name) in Indications::NAMES {
        assert_eq!(bit.count_ones(), 1, "{name}");
        assert_eq!(bits & bit, 0);
        bits |= bit;
    }
    assert_eq!(bits, 0xFFFF);
    let troubles = Indications::TROUBLE.iter().fold(0, |all, (bits, _)| all | bits);
    assert_eq!(troubles, Indications::TROUBLE_MASK);
}

#[test]
fn devices_say_what_they_are() {
    let text = |variation: u8, set: u8, text: &str| {
        [&[0, variation, 0, set, set, 1, text.len() as u8][..], text.as_bytes()].concat()
    };
    let objects = [
        text(252, 0, "Example Works"),
        text(250, 0, "RTU 7"),
        text(242, 0, "1.2"),
        text(243, 0, "B"),
        text(248, 0, "0042"),
        text(247, 0, "Pump house"),
        text(249, 0, "2:2012"),
        text(252, 1, "not of the standard's set"),
        text(246, 0, ""),
    ]
    .concat();
    let told = answered(&[&[0xC0, 129, 0, 0][..], &objects].concat());
    assert_eq!(told.fault, None);
    let claims: Vec<(&str, &str)> = told.claims.iter().map(|(key, text)| (*key, text.as_str())).collect();
    assert_eq!(
        claims,
        [
            ("vendor", "Example Works"),
            ("product", "RTU 7"),
            ("revision", "1.2"),
            ("hardware_revision", "B"),
            ("serial_number", "0042"),
            ("name", "Pump house"),
        ]
    );
    assert!(asked(&[&[0xC0, 2][..], &objects].concat()).claims.is_empty());
}

#[test]
fn memory_is_bounded_whatever_is_said() {
    let mut next = random();
    let mut dissector = Dnp3Dissector::default();
    for round in 0..20_000_u32 {
        let (destination, source) = (u16::from(next()), u16::from(next()));
        let transport = next();
        let control = if round % 2 == 0 { 0xC4 } else { 0x44 };
        let direction = if round % 2 == 0 { UP } else { DOWN };
        let payload: Vec<u8> = (0..next() % 249).map(|_| next()).collect();
        hear_one(&mut dissector, direction, &segment(control, destination, source, transport, &payload));
    }
    for reassembly in [&dissector.to_server, &dissector.to_client] {
        assert!(reassembly.slots() <= OPEN_MOST);
        assert!(reassembly.octets() <= OPEN_MOST * 2 * FRAGMENT_MOST, "{}", reassembly.octets());
    }
    assert!(dissector.commands.len() <= COMMANDS_MOST && dissector.indications.len() <= OUTSTATIONS_MOST);
}
