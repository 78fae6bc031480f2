//! Tests of the IEC 60870-5-104 reader, with octets written by hand from the standard.

use super::apci::{APCI, Apci, Format, UFunction};
use super::session::{K, T1_NS, T3_NS, W};
use super::sizes::{COMBINATIONS, STANDARD, SizeDetector};
use super::{Iec104, Iec104Dissector, Message, TYPES, TypeId, message};
use crate::dissect::{Direction, Dissected, Dissector, FieldSizes, Framing, Hints, Probe, Protocol, Sender, feed};
use crate::error::{ErrorKind, ParseError};
use crate::message::{
    Control, Describe, Kind, Notice, NoticeKind, Operation, Point, PointValue, Quality, Reason, Step, Target, Value,
    Verb,
};

use Direction::{ToClient, ToServer};

const SECOND: u64 = 1_000_000_000;
/// 2024-07-15T12:34:56.789, a Monday, in ms since 1970.
const TIME_MS: u64 = 1_721_046_896_789;
/// The same as CP56Time2a.
const TIME: [u8; 7] = [0xD5, 0xDD, 34, 12, 0x2F, 7, 24];

fn i_format(send: u16, receive: u16, asdu: &[u8]) -> Vec<u8> {
    let mut apdu = vec![0x68, u8::try_from(asdu.len() + 4).unwrap()];
    apdu.extend((send << 1).to_le_bytes());
    apdu.extend((receive << 1).to_le_bytes());
    apdu.extend(asdu);
    apdu
}

fn s_format(receive: u16) -> Vec<u8> {
    let [low, high] = (receive << 1).to_le_bytes();
    vec![0x68, 4, 1, 0, low, high]
}

fn u_format(function: UFunction) -> Vec<u8> {
    vec![0x68, 4, function.0, 0, 0, 0]
}

/// An ASDU of these sizes: type identification, qualifier, cause, originator, common address and the rest.
fn asdu_of(sizes: FieldSizes, [type_id, qualifier, cause]: [u8; 3], common_address: u16, rest: &[u8]) -> Vec<u8> {
    let mut asdu = vec![type_id, qualifier, cause];
    asdu.extend(vec![0; usize::from(sizes.cause_of_transmission) - 1]);
    asdu.extend(&common_address.to_le_bytes()[..usize::from(sizes.common_address)]);
    asdu.extend(rest);
    asdu
}

/// An ASDU of the standard's sizes for common address 47.
fn asdu(head: [u8; 3], rest: &[u8]) -> Vec<u8> {
    asdu_of(STANDARD, head, 47, rest)
}

fn with<T>(direction: Direction, asdu: &[u8], look: impl FnOnce(&Message<'_>) -> T) -> T {
    look(&Message::read(direction, STANDARD, &i_format(0, 0, asdu)).unwrap())
}

fn fault(direction: Direction, head: [u8; 3], rest: &[u8]) -> Option<ParseError> {
    with(direction, &asdu(head, rest), |message| message.fault())
}

/// Field, offset and clause of what is wrong.
fn fault_at(direction: Direction, head: [u8; 3], rest: &[u8]) -> Option<(&'static str, u32, &'static str)> {
    fault(direction, head, rest).map(|error| (error.field, error.offset, error.clause.0))
}

fn operations(message: &Message<'_>) -> Vec<Operation> {
    let mut all = Vec::new();
    message.operations(&mut |operation| all.push(operation));
    all
}

/// Verb, code, sub-code and target of an operation.
type Told = (Verb, u16, u16, Option<(&'static str, u32, u32)>);

fn told(direction: Direction, head: [u8; 3], rest: &[u8]) -> Vec<Told> {
    with(direction, &asdu(head, rest), |message| {
        operations(message)
            .into_iter()
            .map(|o| {
                assert_eq!(o.unit, 47);
                (o.verb, o.code, o.sub, o.target.map(|t| (t.space, t.first, t.count)))
            })
            .collect()
    })
}

fn points(direction: Direction, head: [u8; 3], rest: &[u8]) -> Vec<Point> {
    with(direction, &asdu(head, rest), |message| {
        let mut all = Vec::new();
        message.points(None, &mut |point| all.push(point));
        all
    })
}

const ORIGINATOR: Told = (Verb::Session, 0x100, 0, Some(("originator_address", 0, 1)));

// -- framing ---------------------------------------------------------------------------------------------------------

/// What a dissector makes of octets: `M` for messages, `F` for those with a fault, and octets skipped.
fn heard(dissector: &mut Iec104Dissector, direction: Direction, octets: &[u8]) -> (Vec<String>, usize) {
    let mut all = Vec::new();
    let used = feed(dissector, direction, 0, octets, |dissected| {
        all.push(match dissected {
            Dissected::Message { message, octets } => {
                format!("{}{}", if message.fault().is_some() { "F" } else { "M" }, octets.len())
            }
            Dissected::Malformed { error, .. } => panic!("{error}"),
            Dissected::Skipped { octets } => format!("S{octets}"),
        });
    });
    (all, used)
}

fn value(send: u16, address: u8) -> Vec<u8> {
    i_format(send, 1, &asdu([1, 1, 3], &[address, 0, 0, 1]))
}

#[test]
fn a_segment_may_hold_several_apdus_and_an_apdu_may_take_several_segments() {
    let mut octets = value(0, 1);
    octets.extend(s_format(3));
    octets.extend(u_format(UFunction::TESTFR_ACT));
    let mut dissector = Iec104Dissector::default();
    let (all, used) = heard(&mut dissector, ToClient, &octets);
    assert_eq!((all, used), (["M16", "M6", "M6"].map(str::to_owned).to_vec(), 28));
    for cut in 1..16 {
        let dissector = Iec104Dissector::default();
        let framing = dissector.frame(ToClient, &octets[..cut]);
        assert_eq!(framing, Framing::Short(if cut == 1 { APCI } else { 16 }), "{cut}");
    }
}

#[test]
fn a_length_has_bounds() {
    // IEC 60870-5-104 5: 4 to 253.
    let dissector = Iec104Dissector::default();
    for (length, right) in [(3, false), (4, true), (253, true), (254, false), (0, false)] {
        let octets = [0x68, length, 0, 0, 0, 0];
        let framing = dissector.frame(ToClient, &octets);
        assert_eq!(!matches!(framing, Framing::Lost(_)), right, "{length}: {framing:?}");
    }
}

#[test]
fn lost_octets_are_skipped_to_the_next_apdu() {
    let good: Vec<u8> = (0..3).flat_map(|n| value(n, 9)).collect();
    for junk in [&[0x00][..], &[0x68, 3, 7], &[1, 2, 0x68, 3, 9, 9], &[0x68, 0xFF, 0x68, 0], &[0x16, 0x68, 0xFE]] {
        let mut octets = value(9, 1);
        octets.extend(junk);
        octets.extend(&good);
        let mut dissector = Iec104Dissector::default();
        let (all, used) = heard(&mut dissector, ToClient, &octets);
        assert_eq!(all, ["M16".to_owned(), format!("S{}", junk.len()), "M16".into(), "M16".into(), "M16".into()]);
        assert_eq!(used, octets.len(), "{junk:02x?}");
    }
}

#[test]
fn after_a_loss_a_right_header_is_not_enough() {
    // In the middle of a bitstring: it looks like an APDU of 8 octets of I format.
    let middle = [0x68, 0x06, 0x00, 0x00, 0x00, 0x00, 0x55, 0x66];
    let mut octets = middle.to_vec();
    octets.extend(value(4, 7));
    let mut dissector = Iec104Dissector::default();
    let (in_step, _) = heard(&mut dissector, ToClient, &octets);
    assert_eq!(in_step, ["F8", "M16"]);
    let mut dissector = Iec104Dissector::default();
    dissector.gap(ToClient);
    let (after, _) = heard(&mut dissector, ToClient, &octets);
    assert_eq!(after, ["S8", "M16"]);
    // The other direction is in step.
    let mut dissector = Iec104Dissector::default();
    dissector.gap(ToServer);
    assert_eq!(heard(&mut dissector, ToClient, &octets).0, ["F8", "M16"]);
    dissector.turn();
    assert_eq!(heard(&mut dissector, ToClient, &octets).0, ["S8", "M16"]);
}

#[test]
fn what_is_cut_is_waited_for_after_a_loss_too() {
    let apdu = value(4, 7);
    let mut dissector = Iec104Dissector::default();
    dissector.gap(ToClient);
    for cut in 2..apdu.len() {
        assert!(matches!(dissector.frame(ToClient, &apdu[..cut]), Framing::Short(_)), "{cut}");
    }
    assert_eq!(dissector.frame(ToClient, &apdu), Framing::Whole(16));
}

#[test]
fn reading_ends_whatever_the_octets_are() {
    // A cheap generator: every octet depends on the last.
    let mut state = 0x68_u32;
    for round in 0..200_usize {
        let octets: Vec<u8> = (0..500)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let octet = state.to_be_bytes()[0];
                if octet.is_multiple_of(4) { 0x68 } else { octet % 128 }
            })
            .collect();
        let mut dissector = Iec104Dissector::default();
        if round % 2 == 0 {
            dissector.gap(ToServer);
        }
        let mut total = 0;
        let used = feed(&mut dissector, ToServer, 0, &octets, |dissected| {
            total += match dissected {
                Dissected::Message { message, octets } => {
                    // Nothing of this may fail.
                    message.operations(&mut |_| ());
                    message.points(None, &mut |_| ());
                    message.fields(&mut |_, _| ());
                    message.tally(&mut |_| ());
                    let _ = (message.control(), message.clock(), message.refusal(), message.pairing());
                    octets.len()
                }
                Dissected::Malformed { octets, .. } => octets.len(),
                Dissected::Skipped { octets } => octets,
            };
        });
        assert_eq!(total, used);
        assert!(used + 255 >= octets.len(), "{used}");
    }
}

// -- control field ---------------------------------------------------------------------------------------------------

fn control_field(octets: [u8; 4]) -> (Format, Option<&'static str>) {
    let apdu = [&[0x68, 4][..], &octets].concat();
    let (apci, fault) = Apci::read(&apdu).unwrap();
    (apci.format, fault.map(|fault| fault.field))
}

#[test]
fn control_fields_are_read_by_format() {
    let numbers = |send, receive| Format::Information { send_sequence_number: send, receive_sequence_number: receive };
    assert_eq!(control_field([0x02, 0x00, 0x04, 0x00]), (numbers(1, 2), None));
    assert_eq!(control_field([0xFE, 0xFF, 0xFE, 0xFF]), (numbers(32767, 32767), None));
    assert_eq!(control_field([0, 0, 1, 0]).1, Some("control_field"));
    let supervisory = |receive| Format::Supervisory { receive_sequence_number: receive };
    assert_eq!(control_field([1, 0, 0x06, 0x01]), (supervisory(131), None));
    for wrong in [[5, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]] {
        assert!(matches!(control_field(wrong), (Format::Supervisory { .. }, Some("control_field"))), "{wrong:?}");
    }
    for function in 0..=255_u8 {
        if function & 3 != 3 {
            continue;
        }
        let right = matches!(function, 0x07 | 0x0B | 0x13 | 0x23 | 0x43 | 0x83);
        let (format, fault) = control_field([function, 0, 0, 0]);
        assert_eq!(format, Format::Unnumbered(UFunction(function)));
        assert_eq!(fault, if right { None } else { Some("control_function") }, "{function:#x}");
    }
    assert_eq!(control_field([0x07, 0, 0, 1]).1, Some("control_field"));
}

#[test]
fn an_apdu_that_is_alone_has_no_more_octets() {
    for (apdu, field) in [
        (vec![0x68, 5, 0x07, 0, 0, 0, 0], Some("length")),
        (vec![0x68, 5, 1, 0, 0, 0, 0], Some("length")),
        (vec![0x68, 4, 1, 0, 0, 0], None),
        (vec![0x67, 4, 1, 0, 0, 0], Some("start")),
        (vec![0x68, 5, 1, 0, 0, 0], Some("length")),
    ] {
        let message = Message::read(ToServer, STANDARD, &apdu).unwrap();
        assert_eq!(message.fault().map(|fault| fault.field), field, "{apdu:02x?}");
        assert_eq!(message.asdu, None);
    }
    for len in 0..6 {
        let error = Message::read(ToServer, STANDARD, &[0x68, 4, 1, 0, 0, 0][..len]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Truncated { need: 6, have: u32::try_from(len).unwrap() });
    }
}

#[test]
fn an_asdu_without_its_identifier_is_told() {
    for len in 0..6 {
        let octets = i_format(0, 0, &asdu([1, 1, 3], &[1, 0, 0, 0])[..len]);
        let message = Message::read(ToClient, STANDARD, &octets).unwrap();
        assert!(matches!(message.fault().unwrap().kind, ErrorKind::Truncated { .. }), "{len}");
        assert_eq!(message.asdu, None);
        assert_eq!(message.kind(), Kind::Unsolicited);
        assert_eq!(operations(&message), []);
        assert_eq!(message.sender(), Sender::Either);
    }
}

// -- probing ---------------------------------------------------------------------------------------------------------

fn probe(head: &[u8]) -> Probe {
    Iec104::probe(head, false, &Hints::default()).0
}

#[test]
fn what_must_be_an_apdu_is_known_with_its_sender() {
    let general = i_format(0, 0, &asdu([100, 1, 6], &[0, 0, 0, 20]));
    let confirmed = i_format(0, 0, &asdu([100, 1, 7], &[0, 0, 0, 20]));
    let mut chain = u_format(UFunction::TESTFR_ACT);
    chain.extend(&confirmed);
    for (head, sender) in [
        (u_format(UFunction::STARTDT_ACT), Sender::Client),
        (u_format(UFunction::STOPDT_ACT), Sender::Client),
        (u_format(UFunction::STARTDT_CON), Sender::Server),
        (u_format(UFunction::STOPDT_CON), Sender::Server),
        (u_format(UFunction::TESTFR_ACT), Sender::Either),
        (u_format(UFunction::TESTFR_CON), Sender::Either),
        (general.clone(), Sender::Client),
        (confirmed, Sender::Server),
        (value(0, 1), Sender::Server),
        (chain, Sender::Server),
        ([s_format(9), value(3, 1)].concat(), Sender::Server),
        ([value(3, 1), s_format(9)].concat(), Sender::Server),
        // The last one is cut.
        ([value(3, 1), value(4, 1)[..9].to_vec()].concat(), Sender::Server),
        // Both stations control, or somebody pretends to.
        ([value(3, 1), general].concat(), Sender::Either),
        (i_format(0, 0, &asdu([102, 1, 5], &[9, 0, 0])), Sender::Client),
        (i_format(0, 0, &asdu([45, 1, 44], &[9, 0, 0, 1])), Sender::Server),
        (i_format(0, 0, &asdu([120, 1, 13], &[9, 0, 0, 1, 0, 9, 0, 0, 0])), Sender::Either),
    ] {
        assert_eq!(probe(&head), Probe::Match(sender), "{head:02x?}");
        assert_eq!(Iec104::probe(&head, true, &Hints::default()).0, Probe::NoMatch, "TCP only");
    }
}

#[test]
fn what_may_be_an_apdu_is_waited_for() {
    for head in [
        s_format(3)[..5].to_vec(),
        vec![0x68],
        vec![0x68, 14],
        value(0, 1)[..15].to_vec(),
        u_format(UFunction::STARTDT_ACT)[..5].to_vec(),
        // Nothing is known of private ones.
        i_format(0, 0, &asdu([200, 1, 3], &[1, 2, 3])),
    ] {
        assert_eq!(probe(&head), Probe::Unsure, "{head:02x?}");
    }
}

#[test]
fn strangers_are_no_apdus() {
    let wrong_length = i_format(1, 0, &asdu([1, 3, 3], &[1, 0, 0, 1]));
    let first = i_format(0, 0, &asdu([1, 3, 3], &[1, 0, 0, 1]));
    assert_eq!(probe(&first), Probe::Match(Sender::Either), "the first of a connection, though malformed");
    assert_eq!(probe(&s_format(3)), Probe::Match(Sender::Either));
    // M-Bus and IEC 60870-5-101 in frames of variable length; the second has a control field of I format.
    let ft12 = |octets: &[u8]| {
        let length = u8::try_from(octets.len()).unwrap();
        let sum = octets.iter().fold(0_u8, |sum, octet| sum.wrapping_add(*octet));
        [&[0x68, length, length, 0x68][..], octets, &[sum, 0x16]].concat()
    };
    let mbus = ft12(&[0x08, 0x05, 0x72, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0]);
    let serial = ft12(&[0x08, 0x01, 0x01, 0x01, 0x03, 0x01, 0x10, 0x00, 0x01, 0x00]);
    for head in [
        b"hello world, this is not telecontrol".to_vec(),
        b"help\r\n".to_vec(),
        b"GET / HTTP/1.1\r\n".to_vec(),
        vec![0x68, 3, 7, 0, 0, 0],
        vec![0x68, 4, 0x03, 0, 0, 0],
        vec![0x68, 4, 0x47, 0, 0, 0],
        vec![0x68, 4, 7, 0, 0, 1],
        vec![0x68, 5, 7, 0, 0, 0, 0],
        vec![0x68, 4, 1, 1],
        vec![0x68, 0x20, 0, 0, 1],
        wrong_length,
        mbus.clone(),
        mbus[..9].to_vec(),
        serial.clone(),
        serial[..5].to_vec(),
        // Reserved type identification; cause that is none; common address 0.
        i_format(0, 0, &asdu([22, 1, 3], &[1, 0, 0, 1])),
        i_format(0, 0, &asdu([1, 1, 42], &[1, 0, 0, 1])),
        i_format(0, 0, &asdu([1, 1, 6], &[1, 0, 0, 1])),
        i_format(1, 0, &asdu_of(STANDARD, [1, 1, 3], 0, &[1, 0, 0, 1])),
    ] {
        assert_eq!(probe(&head), Probe::NoMatch, "{head:02x?}");
    }
    // The same octets as a plain APDU: what tells them apart is FT1.2's second start, and its end.
    let mut alike = ft12(&[0x08, 0x05, 0x01, 0x01, 0x03, 0, 47, 0, 1, 0, 0, 1]);
    alike.truncate(0x0C + 2);
    assert_eq!(probe(&alike), Probe::NoMatch);
    assert_eq!(probe(&[value(0, 1), b"hello".to_vec()].concat()), Probe::Unsure);
    assert_eq!(probe(&[s_format(3), b"hello".to_vec()].concat()), Probe::Unsure);
}

#[test]
fn random_octets_behind_a_start_do_not_match() {
    let mut state = 7_u32;
    let mut matches = 0;
    for _ in 0..20_000 {
        let octets: Vec<u8> = (0..40)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect();
        let head = [&[0x68, 38][..], &octets[..38]].concat();
        matches += usize::from(matches!(probe(&head), Probe::Match(_)));
    }
    // A length that is right by itself, at the end of the segment, is the worst that a stranger can do.
    assert!(matches < 10, "{matches}");
}

// -- field sizes -----------------------------------------------------------------------------------------------------

/// Objects of the size's addresses, from an address on, each with the element.
fn objects(sizes: FieldSizes, first: u32, count: u32, element: &[u8]) -> Vec<u8> {
    let octets = usize::from(sizes.information_object_address);
    (first..first + count).flat_map(|n| [&n.to_le_bytes()[..octets], element].concat()).collect()
}

#[test]
fn every_combination_of_sizes_is_found() {
    for sizes in COMBINATIONS {
        let mut dissector = Iec104Dissector::default();
        // What a start of data transfer brings: an interrogation, two values, seven values, a sequence.
        let general = asdu_of(sizes, [100, 1, 6], 47, &objects(sizes, 0, 1, &[20]));
        let two = asdu_of(sizes, [11, 2, 20], 47, &objects(sizes, 0xC8, 2, &[0x34, 0x12, 0]));
        let seven = asdu_of(sizes, [1, 7, 20], 47, &objects(sizes, 0x51, 7, &[1]));
        let sequence = [&objects(sizes, 0x60, 1, &[])[..], &[0; 12]].concat();
        let sequence = asdu_of(sizes, [9, 0x84, 20], 47, &sequence);
        let mut last = STANDARD;
        for (send, octets) in (0_u16..).zip([general, two, seven, sequence]) {
            let apdu = i_format(send, 0, &octets);
            let message = dissector.read(ToClient, 0, &apdu).unwrap();
            assert_eq!(message.fault(), None, "{sizes:?} {octets:02x?}");
            last = message.asdu.unwrap().sizes;
        }
        // One octet of cause and two of address, or the other way round, can't be told apart by length.
        let alike = |one: FieldSizes| (one.cause_of_transmission + one.common_address, one.information_object_address);
        assert_eq!(alike(last), alike(sizes));
        if alike(sizes).0 != 3 || sizes.cause_of_transmission == 1 {
            assert_eq!(last, sizes);
        }
    }
}

#[test]
fn originator_addresses_and_small_common_addresses_tell_apart_what_lengths_do_not() {
    // Cause of one octet, common address of two: as an originator and an address of one octet, that would be 0.
    let sizes = FieldSizes { cause_of_transmission: 1, common_address: 2, information_object_address: 3 };
    let mut detector = SizeDetector::new(None);
    detector.observe(&asdu_of(sizes, [11, 2, 20], 5, &objects(sizes, 200, 2, &[0, 0, 0])));
    assert_eq!(detector.sizes(), sizes);
    // The other way round; the originator is 0, which would make the address 256.
    let sizes = FieldSizes { cause_of_transmission: 2, common_address: 1, information_object_address: 3 };
    let mut detector = SizeDetector::new(None);
    detector.observe(&asdu_of(sizes, [11, 2, 20], 5, &objects(sizes, 200, 2, &[0, 0, 0])));
    assert_eq!(detector.sizes(), sizes);
}

#[test]
fn sizes_that_a_person_has_set_are_kept() {
    let set = FieldSizes { cause_of_transmission: 1, common_address: 1, information_object_address: 2 };
    let hints = Hints { iec104: Some(set) };
    let standard = value(0, 1);
    let (probe, mut dissector) = Iec104::probe(&standard, false, &hints);
    assert_eq!(probe, Probe::NoMatch);
    let message = dissector.read(ToClient, 0, &standard).unwrap();
    assert_eq!(message.asdu.unwrap().sizes, set);
    assert!(message.fault().is_some());
    let right = i_format(0, 0, &asdu_of(set, [1, 1, 3], 47, &[1, 0, 1]));
    assert_eq!(Iec104::probe(&right, false, &hints).0, Probe::Match(Sender::Server));
    assert_eq!(dissector.read(ToClient, 0, &right).unwrap().fault(), None);
    // Sizes that there are not count as none.
    let odd = FieldSizes { cause_of_transmission: 3, common_address: 1, information_object_address: 2 };
    assert_eq!(SizeDetector::new(Some(odd)).sizes(), STANDARD);
}

#[test]
fn one_malformed_asdu_does_not_spoil_the_others() {
    // It is one octet short, so other sizes fit it.
    let mut short = value(0, 1);
    short.pop();
    short[1] -= 1;
    for sizes in [STANDARD, FieldSizes { cause_of_transmission: 1, common_address: 1, information_object_address: 2 }] {
        let good = |n: u32| i_format(0, 0, &asdu_of(sizes, [11, 2, 20], 47, &objects(sizes, n + 300, 2, &[0, 0, 0])));
        for before in 0..4 {
            let mut dissector = Iec104Dissector::default();
            for n in 0..before {
                assert_eq!(dissector.read(ToClient, 0, &good(n)).unwrap().fault(), None);
            }
            let malformed = dissector.read(ToClient, 0, &short).unwrap().fault();
            // One of each: nobody knows which is malformed, but for the standard's own sizes.
            assert_eq!(malformed.is_some(), before > 1 || (before == 1 && sizes == STANDARD), "{before}");
            for n in 0..40 {
                let apdu = good(n);
                let message = dissector.read(ToClient, 0, &apdu).unwrap();
                assert_eq!(message.fault(), None, "{before} {n}");
                assert_eq!(message.asdu.unwrap().sizes, sizes);
                if n % 3 == 2 {
                    assert!(dissector.read(ToClient, 0, &short).unwrap().fault().is_some());
                }
            }
        }
    }
}

#[test]
fn what_fits_no_sizes_is_a_wrong_length() {
    let mut dissector = Iec104Dissector::default();
    let short = i_format(0, 0, &asdu([13, 4, 3], &[1, 0, 0, 0, 0, 0]));
    let fault = dissector.read(ToClient, 0, &short).unwrap().fault().unwrap();
    assert_eq!(fault.kind, ErrorKind::LengthMismatch { claimed: 32, actual: 6 });
    assert_eq!((fault.field, fault.offset), ("information_objects", 12));
    let long = i_format(0, 0, &asdu([1, 1, 3], &[1, 0, 0, 0, 9, 9]));
    let message = dissector.read(ToClient, 0, &long).unwrap();
    let fault = message.fault().unwrap();
    assert_eq!((fault.kind, fault.field, fault.offset), (ErrorKind::Trailing { len: 2 }, "asdu", 16));
    let mut any = false;
    message.points(None, &mut |_| any = true);
    assert!(!any, "nobody knows which octets are the value");
}

// -- session ---------------------------------------------------------------------------------------------------------

/// A connection whose notices are collected.
#[derive(Default)]
struct Line {
    dissector: Iec104Dissector,
    notices: Vec<Notice>,
    now: u64,
}

impl Line {
    fn hear(&mut self, direction: Direction, apdu: &[u8]) {
        let message = self.dissector.read(direction, self.now, apdu).unwrap();
        message.notices(&mut |notice| self.notices.push(notice));
    }

    fn wait(&mut self, ns: u64) {
        self.now += ns;
    }

    /// Names, and the numbers with them.
    fn told(&mut self) -> Vec<(&'static str, u64, u64)> {
        self.notices.drain(..).map(|notice| (notice.name, notice.got, notice.expected)).collect()
    }

    /// A line on which data is transferred, with nothing waiting.
    fn started() -> Self {
        let mut line = Self::default();
        line.hear(ToServer, &u_format(UFunction::STARTDT_ACT));
        line.hear(ToClient, &u_format(UFunction::STARTDT_CON));
        line.hear(ToServer, &i_format(0, 0, &asdu([100, 1, 6], &[0, 0, 0, 20])));
        line.hear(ToClient, &i_format(0, 1, &asdu([100, 1, 7], &[0, 0, 0, 20])));
        line.hear(ToServer, &s_format(1));
        assert_eq!(line.told(), []);
        line
    }
}

#[test]
fn a_right_session_is_silent() {
    let mut line = Line::started();
    let mut send = 1_u16;
    // Far enough for the numbers to start again.
    for round in 0..4200_u32 {
        for _ in 0..8 {
            line.wait(SECOND / 10);
            line.hear(ToClient, &i_format(send, 1, &asdu([1, 1, 3], &[1, 0, 0, 1])));
            send = (send + 1) % 0x8000;
        }
        line.wait(SECOND);
        line.hear(ToServer, &s_format(send));
        if round % 500 == 0 {
            line.wait(T3_NS);
            line.hear(ToClient, &u_format(UFunction::TESTFR_ACT));
            line.hear(ToServer, &u_format(UFunction::TESTFR_CON));
        }
    }
    assert!(send < 1000, "{send}");
    line.hear(ToServer, &u_format(UFunction::STOPDT_ACT));
    // What was on its way may still come before the confirmation.
    line.hear(ToClient, &i_format(send, 1, &asdu([1, 1, 3], &[1, 0, 0, 1])));
    line.hear(ToClient, &u_format(UFunction::STOPDT_CON));
    line.hear(ToServer, &s_format(send + 1));
    line.hear(ToServer, &u_format(UFunction::STARTDT_ACT));
    line.hear(ToClient, &u_format(UFunction::STARTDT_CON));
    line.hear(ToClient, &i_format(send + 1, 1, &asdu([1, 1, 3], &[1, 0, 0, 1])));
    assert_eq!(line.told(), []);
}

#[test]
fn one_direction_alone_is_silent() {
    for direction in [ToServer, ToClient] {
        let mut line = Line::default();
        line.hear(direction, &u_format(UFunction::STARTDT_ACT));
        line.hear(direction, &u_format(UFunction::STARTDT_CON));
        for send in 0..100 {
            line.wait(5 * SECOND);
            line.hear(direction, &i_format(send, send / 3, &asdu([1, 1, 3], &[1, 0, 0, 1])));
        }
        for _ in 0..3 {
            line.wait(100 * SECOND);
            line.hear(direction, &u_format(UFunction::TESTFR_CON));
            line.hear(direction, &u_format(UFunction::STOPDT_CON));
        }
        line.hear(direction, &i_format(100, 40, &asdu([1, 1, 3], &[1, 0, 0, 1])));
        assert_eq!(line.told(), []);
    }
}

#[test]
fn send_sequence_numbers_go_up_by_one() {
    let mut line = Line::started();
    line.hear(ToClient, &value(1, 1));
    assert_eq!(line.told(), []);
    line.hear(ToClient, &value(3, 1));
    assert_eq!(line.told(), [("send_sequence", 3, 2)]);
    // It goes on from there, and a name is told once a minute.
    line.hear(ToClient, &value(4, 1));
    line.hear(ToClient, &value(4, 1));
    assert_eq!(line.told(), []);
    line.hear(ToServer, &s_format(5));
    for _ in 0..4 {
        line.wait(16 * SECOND);
        line.hear(ToServer, &u_format(UFunction::TESTFR_ACT));
        line.hear(ToClient, &u_format(UFunction::TESTFR_CON));
    }
    line.hear(ToClient, &value(9, 1));
    assert_eq!(line.told(), [("send_sequence", 9, 5)]);
    let notice = {
        line.wait(61 * SECOND);
        line.dissector = Iec104Dissector::default();
        line.hear(ToClient, &value(7, 1));
        line.hear(ToClient, &value(9, 1));
        line.notices.pop().unwrap()
    };
    assert_eq!((notice.kind, notice.clause.0), (NoticeKind::Session, "IEC 60870-5-104 5.1"));
}

#[test]
fn after_a_loss_numbers_start_anew() {
    let mut line = Line::started();
    line.dissector.gap(ToClient);
    line.hear(ToClient, &value(30, 1));
    // The acknowledgements of what was lost are right, whatever they are; so are confirmations.
    line.hear(ToServer, &s_format(31));
    line.hear(ToServer, &u_format(UFunction::TESTFR_CON));
    line.hear(ToClient, &u_format(UFunction::TESTFR_CON));
    assert_eq!(line.told(), []);
    line.hear(ToClient, &value(32, 1));
    assert_eq!(line.told(), [("send_sequence", 32, 31)]);
    // The client's acknowledgements were lost.
    let mut line = Line::started();
    for send in 1..=12 {
        line.hear(ToClient, &value(send, 1));
    }
    line.dissector.gap(ToServer);
    for send in 13..=40 {
        line.hear(ToClient, &value(send, 1));
    }
    line.wait(40 * SECOND);
    line.dissector.gap(ToServer);
    line.hear(ToClient, &u_format(UFunction::TESTFR_ACT));
    assert_eq!(line.told(), []);
}

#[test]
fn acknowledgements_do_not_go_back() {
    let mut line = Line::started();
    for send in 1..=5 {
        line.hear(ToClient, &value(send, 1));
    }
    line.hear(ToServer, &s_format(4));
    line.hear(ToServer, &s_format(4));
    assert_eq!(line.told(), []);
    line.hear(ToServer, &s_format(3));
    assert_eq!(line.told(), [("receive_sequence", 3, 4)]);
}

#[test]
fn what_was_never_sent_is_not_acknowledged() {
    let ahead = |pause: u64| {
        let mut line = Line::started();
        line.hear(ToClient, &value(1, 1));
        line.hear(ToServer, &s_format(7));
        assert_eq!(line.told(), []);
        line.wait(pause);
        line.hear(ToClient, &value(2, 1));
        line
    };
    assert_eq!(ahead(2 * SECOND).told(), [("receive_sequence", 7, 2)]);
    // Directions may be captured out of order.
    let mut line = ahead(1_000_000);
    for send in 3..=6 {
        line.hear(ToClient, &value(send, 1));
    }
    line.wait(5 * SECOND);
    line.hear(ToServer, &s_format(7));
    line.hear(ToClient, &value(7, 1));
    assert_eq!(line.told(), []);
}

#[test]
fn no_more_than_k_wait_and_w_are_acknowledged() {
    assert_eq!((K, W), (12, 8));
    let mut line = Line::started();
    for send in 1..=12 {
        line.hear(ToClient, &value(send, 1));
    }
    assert_eq!(line.told(), []);
    line.hear(ToClient, &value(13, 1));
    assert_eq!(line.told(), [("window_k_exceeded", 13, 12)]);
    line.hear(ToClient, &value(14, 1));
    line.hear(ToClient, &value(15, 1));
    assert_eq!(line.told(), []);
    line.hear(ToClient, &value(16, 1));
    assert_eq!(line.told(), [("window_w_exceeded", 16, 8)]);
}

#[test]
fn what_waits_for_more_than_t1_is_told() {
    for (pause, is_told) in [(T1_NS, false), (2 * T1_NS, false), (2 * T1_NS + 1_000_000, true)] {
        let expected = if is_told { vec![("t1_exceeded", 30_001, 15_000)] } else { vec![] };
        // An I format APDU.
        let mut line = Line::started();
        line.hear(ToClient, &value(1, 1));
        line.wait(pause);
        line.hear(ToServer, &s_format(2));
        assert_eq!(line.told(), expected);
        // Each of U format.
        for function in [UFunction::TESTFR_ACT, UFunction::STOPDT_ACT] {
            let mut line = Line::started();
            line.hear(ToServer, &u_format(function));
            line.wait(pause);
            line.hear(ToServer, &u_format(UFunction::TESTFR_ACT));
            assert_eq!(line.told(), expected, "{function:?}");
        }
    }
}

#[test]
fn an_idle_line_is_tested() {
    for (pause, function, is_told) in [
        (2 * T3_NS, UFunction::STARTDT_ACT, false),
        (2 * T3_NS + 1_000_000, UFunction::STARTDT_ACT, true),
        (2 * T3_NS + 1_000_000, UFunction::TESTFR_ACT, false),
    ] {
        let mut line = Line::started();
        line.wait(pause);
        line.hear(ToServer, &u_format(function));
        let expected = if is_told { vec![("t3_exceeded", 40_001, 20_000)] } else { vec![] };
        assert_eq!(line.told(), expected);
    }
}

#[test]
fn no_data_before_the_start_and_after_the_stop() {
    let mut line = Line::default();
    line.hear(ToServer, &u_format(UFunction::STARTDT_ACT));
    line.hear(ToClient, &value(0, 1));
    assert_eq!(line.told(), [("data_before_startdt", 0, 0)]);

    let mut line = Line::started();
    line.hear(ToServer, &u_format(UFunction::STOPDT_ACT));
    line.hear(ToClient, &u_format(UFunction::STOPDT_CON));
    line.hear(ToClient, &value(1, 1));
    assert_eq!(line.told(), [("data_before_startdt", 1, 0)]);

    // Met on its way: nobody knows.
    let mut line = Line::default();
    line.hear(ToClient, &value(8, 1));
    line.hear(ToServer, &u_format(UFunction::STARTDT_ACT));
    line.hear(ToClient, &value(9, 1));
    assert_eq!(line.told(), []);

    // The stop was lost, or a start after it.
    let mut line = Line::started();
    line.hear(ToServer, &u_format(UFunction::STOPDT_ACT));
    line.hear(ToClient, &u_format(UFunction::STOPDT_CON));
    line.dissector.gap(ToServer);
    line.hear(ToClient, &value(1, 1));
    assert_eq!(line.told(), []);
}

#[test]
fn what_was_not_asked_for_is_not_confirmed() {
    let con = UFunction::TESTFR_CON;
    let mut line = Line::started();
    line.hear(ToServer, &u_format(UFunction::TESTFR_ACT));
    line.hear(ToClient, &u_format(con));
    assert_eq!(line.told(), []);
    line.hear(ToClient, &u_format(con));
    assert_eq!(line.told(), [("unexpected_confirmation", 0x83, 0)]);
    // The other station's own test is another matter.
    let mut line = Line::started();
    line.hear(ToServer, &u_format(con));
    line.hear(ToClient, &u_format(con));
    assert_eq!(line.told(), []);
}

#[test]
fn tests_oddities_and_other_standards_are_told_and_no_faults() {
    for (head, rest, name, kind) in [
        ([1, 1, 0x83], &[1, 0, 0, 1][..], "test", NoticeKind::Ignored),
        ([2, 1, 3], &[1, 0, 0, 1, 0, 0, 0], "not_in_104", NoticeKind::Session),
    ] {
        let mut line = Line::default();
        let apdu = i_format(0, 0, &asdu(head, rest));
        assert_eq!(line.dissector.read(ToClient, 0, &apdu).unwrap().fault(), None, "{name}");
        let mut line = Line::default();
        line.hear(ToClient, &apdu);
        let told: Vec<_> = line.notices.iter().map(|notice| (notice.name, notice.kind, notice.unit)).collect();
        assert_eq!(told, [(name, kind, 47)]);
    }
    let mut line = Line::default();
    line.hear(ToClient, &value(0, 1));
    line.hear(ToClient, &i_format(1, 0, &asdu([200, 1, 3], &[1, 2])));
    assert_eq!(line.told(), []);
}

// -- messages --------------------------------------------------------------------------------------------------------

#[test]
fn values_are_told_with_runs_of_addresses() {
    let single = |address: u8, value: u8| [address, 0, 0, value];
    let apart = [single(5, 1), single(6, 0), single(9, 0x81)].concat();
    let expected: Vec<Told> =
        vec![(Verb::Report, 1, 0, Some(("single_point", 5, 2))), (Verb::Report, 1, 0, Some(("single_point", 9, 1)))];
    assert_eq!(told(ToClient, [1, 3, 3], &apart), expected);
    let values = points(ToClient, [1, 3, 3], &apart);
    assert_eq!(
        values.iter().map(|p| (p.address, p.value, p.quality)).collect::<Vec<_>>(),
        [
            (5, PointValue::Bit(true), Quality(0)),
            (6, PointValue::Bit(false), Quality(0)),
            (9, PointValue::Bit(true), Quality::INVALID),
        ]
    );
    // In sequence: one address, and elements.
    let sequence = [0x10, 0x27, 0, 1, 0, 1, 0];
    assert_eq!(told(ToClient, [1, 0x84, 20], &sequence), [(Verb::Report, 1, 0, Some(("single_point", 10_000, 4)))]);
    let addresses: Vec<_> = points(ToClient, [1, 0x84, 20], &sequence).iter().map(|p| p.address).collect();
    assert_eq!(addresses, [10_000, 10_001, 10_002, 10_003]);
    let kind = with(ToClient, &asdu([1, 0x84, 20], &sequence), |m| (m.kind(), m.sender(), m.pairing()));
    assert_eq!(kind, (Kind::Unsolicited, Sender::Server, None));
}

#[test]
fn time_tags_are_told() {
    let rest = [&[7, 0, 0, 1][..], &TIME].concat();
    let [point] = points(ToClient, [30, 1, 3], &rest)[..] else { panic!("one value") };
    assert_eq!((point.address, point.time), (7, Some(TIME_MS)));
    // A month that is none spoils the time, not the value.
    let mut wrong = rest;
    wrong[9] = 13;
    assert_eq!(fault(ToClient, [30, 1, 3], &wrong).unwrap().field, "month");
    let [point] = points(ToClient, [30, 1, 3], &wrong)[..] else { panic!("one value") };
    assert_eq!((point.value, point.time), (PointValue::Bit(true), None));
}

#[test]
fn a_fault_of_one_object_leaves_the_others() {
    let mut rest = Vec::new();
    for (address, value) in [(1_u8, 1.5_f32), (2, f32::NAN), (3, f32::INFINITY), (4, -2.0)] {
        rest.extend([address, 0, 0]);
        rest.extend(value.to_le_bytes());
        rest.push(0);
    }
    let error = fault(ToClient, [13, 4, 3], &rest).unwrap();
    assert_eq!((error.field, error.offset), ("short_floating_point_number", 12 + 8 + 3));
    let values: Vec<_> = points(ToClient, [13, 4, 3], &rest).iter().map(|p| (p.address, p.value)).collect();
    assert_eq!(values, [(1, PointValue::Real(1.5)), (4, PointValue::Real(-2.0))]);
}

fn control(direction: Direction, head: [u8; 3], rest: &[u8]) -> Option<Control> {
    with(direction, &asdu(head, rest), |message| message.control())
}

#[test]
fn a_command_is_followed_from_select_to_termination() {
    let (select, execute) = ([9, 0, 0, 0x86], [9, 0, 0, 0x06]);
    let steps: Vec<Control> = [
        (ToServer, 6, select),
        (ToClient, 7, select),
        (ToServer, 6, execute),
        (ToClient, 7, execute),
        (ToClient, 10, execute),
        (ToServer, 8, select),
        (ToClient, 9, select),
        (ToClient, 0x47, execute),
        (ToClient, 47, execute),
    ]
    .map(|(direction, cause, rest)| control(direction, [46, 1, cause], &rest).unwrap())
    .to_vec();
    assert_eq!(
        steps.iter().map(|control| control.step).collect::<Vec<_>>(),
        [
            Step::Select,
            Step::Confirmed,
            Step::Execute,
            Step::Confirmed,
            Step::Terminated,
            Step::Cancel,
            Step::Confirmed,
            Step::Refused,
            Step::Refused,
        ]
    );
    // All of one command, to the same point.
    assert!(steps.iter().all(|control| (control.key, control.content, control.terminates) == (
        steps[0].key,
        steps[0].content,
        true
    )));
    // With a time tag it is the same command.
    let timed = control(ToServer, [59, 1, 6], &[&execute[..], &TIME].concat()).unwrap();
    assert_eq!((timed.key, timed.content, timed.step), (steps[0].key, steps[0].content, Step::Execute));
    // Another value, qualifier, point or type is another.
    assert_ne!(control(ToServer, [46, 1, 6], &[9, 0, 0, 0x05]).unwrap().content, steps[0].content);
    assert_ne!(control(ToServer, [46, 1, 6], &[9, 0, 0, 0x0A]).unwrap().content, steps[0].content);
    assert_ne!(control(ToServer, [46, 1, 6], &[8, 0, 0, 0x06]).unwrap().key, steps[0].key);
    assert_ne!(control(ToServer, [47, 1, 6], &[9, 0, 0, 0x06]).unwrap().key, steps[0].key);
    // Bitstrings have no select; interrogations are no commands of a point.
    let bits = control(ToServer, [51, 1, 6], &[9, 0, 0, 0, 0, 0, 0x80]).unwrap();
    assert_eq!((bits.step, bits.content), (Step::Execute, 0x80));
    assert_eq!(control(ToServer, [100, 1, 6], &[0, 0, 0, 20]), None);
    assert_eq!(control(ToClient, [1, 1, 3], &[9, 0, 0, 1]), None);
    // One that no station takes is no step: 3 is no state.
    assert_eq!(control(ToServer, [46, 1, 6], &[9, 0, 0, 0x03]), None);
}

#[test]
fn commands_say_what_they_do() {
    let target = |space| Some((space, 9, 1));
    for (head, rest, expected) in [
        ([45, 1, 6], &[9, 0, 0, 0x81][..], (Verb::Control, 45, 0x80, target("single_command"))),
        ([45, 1, 6], &[9, 0, 0, 0x01], (Verb::Control, 45, 0, target("single_command"))),
        ([45, 1, 8], &[9, 0, 0, 0x81], (Verb::Control, 45, 0xC0, target("single_command"))),
        ([50, 1, 6], &[9, 0, 0, 0, 0, 0x80, 0x3F, 0], (Verb::Control, 50, 0, target("set_point"))),
        ([100, 1, 6], &[0, 0, 0, 20], (Verb::Read, 100, 0, None)),
        ([100, 1, 8], &[0, 0, 0, 20], (Verb::Read, 100, 0x40, None)),
        ([101, 1, 6], &[0, 0, 0, 5], (Verb::Read, 101, 0, None)),
        ([101, 1, 6], &[0, 0, 0, 0x45], (Verb::Control, 101, 0, None)),
        ([102, 1, 5], &[9, 0, 0], (Verb::Read, 102, 0, target("information_object"))),
        ([105, 1, 6], &[0, 0, 0, 1], (Verb::Restart, 105, 0, None)),
        ([110, 1, 6], &[9, 0, 0, 0, 0x40, 1], (Verb::Configure, 110, 0, target("parameter"))),
        ([122, 1, 13], &[9, 0, 0, 1, 0, 0, 1], (Verb::Transfer, 122, 0, target("file"))),
        ([200, 1, 6], &[9, 0, 0, 1], (Verb::Other, 200, 0, None)),
    ] {
        assert_eq!(told(ToServer, head, rest), [expected, ORIGINATOR], "{head:?}");
        assert_eq!(fault(ToServer, head, rest), None, "{head:?}");
        assert_eq!(with(ToServer, &asdu(head, rest), |message| message.kind()), Kind::Request, "{head:?}");
    }
    // Without an originator address nobody is named.
    let sizes = FieldSizes { cause_of_transmission: 1, ..STANDARD };
    let apdu = i_format(0, 0, &asdu_of(sizes, [45, 1, 6], 47, &[9, 0, 0, 1]));
    assert_eq!(operations(&Message::read(ToServer, sizes, &apdu).unwrap()).len(), 1);
    // What a station tells of parameters is a report; a file that it sends was asked for, and what is done was commanded.
    let parameter = told(ToClient, [110, 1, 20], &[9, 0, 0, 0, 0x40, 1]);
    assert!(matches!(parameter[..], [(Verb::Report, _, 0, Some((_, 9, 1)))]));
    assert!(told(ToClient, [120, 1, 13], &[9, 0, 0, 1, 0, 9, 0, 0, 0]).is_empty());
    assert!(told(ToClient, [45, 1, 10], &[9, 0, 0, 1]).is_empty());
}

#[test]
fn answers_find_their_commands() {
    let key = |direction, head: [u8; 3], rest: &[u8]| with(direction, &asdu(head, rest), |message| message.pairing());
    let request = key(ToServer, [45, 1, 6], &[9, 0, 0, 1]);
    assert!(request.is_some());
    for cause in [7, 0x47, 44, 45, 46, 47] {
        assert_eq!(key(ToClient, [45, 1, cause], &[9, 0, 0, 1]), request, "{cause}");
    }
    let deactivation = key(ToServer, [45, 1, 8], &[9, 0, 0, 1]);
    assert_eq!(key(ToClient, [45, 1, 9], &[9, 0, 0, 1]), deactivation);
    for other in [deactivation, key(ToServer, [45, 1, 6], &[8, 0, 0, 1]), key(ToServer, [46, 1, 6], &[9, 0, 0, 1])] {
        assert!(other.is_some() && other != request);
    }
    // Terminations follow a confirmation; reads are answered by data; all stations answer for themselves.
    assert_eq!(key(ToClient, [45, 1, 10], &[9, 0, 0, 1]), None);
    assert_eq!(key(ToServer, [102, 1, 5], &[9, 0, 0]), None);
    let all = i_format(0, 0, &asdu_of(STANDARD, [100, 1, 6], 0xFFFF, &[0, 0, 0, 20]));
    assert_eq!(Message::read(ToServer, STANDARD, &all).unwrap().pairing(), None);
}

#[test]
fn refusals_have_reasons() {
    let refusal = |cause| {
        with(ToClient, &asdu([45, 1, cause], &[9, 0, 0, 1]), |m| {
            m.refusal().map(|r| (r.code, r.name.unwrap(), r.reason))
        })
    };
    assert_eq!(refusal(7), None);
    assert_eq!(refusal(10), None);
    assert_eq!(refusal(0x47), Some((7, "negative_confirmation", Reason::Other)));
    assert_eq!(refusal(44), Some((44, "unknown_type_identification", Reason::Function)));
    assert_eq!(refusal(45), Some((45, "unknown_cause_of_transmission", Reason::Other)));
    assert_eq!(refusal(46), Some((46, "unknown_common_address", Reason::Unit)));
    assert_eq!(refusal(0x6F), Some((47, "unknown_information_object_address", Reason::Address)));
    assert_eq!(with(ToServer, &asdu([45, 1, 0x46], &[9, 0, 0, 1]), |message| message.refusal()), None);
}

#[test]
fn confirmations_tell_no_values() {
    let command = [9, 0, 0, 0x81];
    assert_eq!(points(ToServer, [45, 1, 6], &command), [Point::bare("single_command", 9, PointValue::Bit(true))]);
    for (direction, cause) in [(ToServer, 8), (ToClient, 7), (ToClient, 10), (ToClient, 47)] {
        assert_eq!(points(direction, [45, 1, cause], &command), [], "{cause}");
    }
    assert_eq!(points(ToServer, [100, 1, 6], &[0, 0, 0, 20]), []);
    assert_eq!(points(ToServer, [110, 1, 6], &[9, 0, 0, 0, 0x40, 1]).len(), 1);
}

#[test]
fn clocks_are_set_by_activations() {
    let clock = |direction, cause, time: &[u8]| {
        with(direction, &asdu([103, 1, cause], &[&[0, 0, 0][..], time].concat()), |message| message.clock())
    };
    assert_eq!(clock(ToServer, 6, &TIME), Some(TIME_MS));
    assert_eq!(clock(ToClient, 7, &TIME), None);
    assert_eq!(clock(ToServer, 6, &[0xD5, 0xDD, 34, 12, 0x2F, 13, 24]), None);
}

/// Whether each operation of a message is told each time; the originator's, which is the last, never is.
fn told_each_time(message: &Message<'_>) -> Vec<bool> {
    operations(message).iter().map(|operation| message.is_told_each_time(operation)).collect()
}

#[test]
fn rare_requests_are_told_each_time() {
    let each = |direction, head, rest: &[u8]| {
        with(direction, &asdu(head, rest), |message| told_each_time(message) == [true, false])
    };
    assert!(each(ToServer, [100, 1, 6], &[0, 0, 0, 20]));
    assert!(each(ToServer, [101, 1, 6], &[0, 0, 0, 5]));
    assert!(each(ToServer, [103, 1, 6], &[&[0, 0, 0][..], &TIME].concat()));
    assert!(each(ToServer, [105, 1, 6], &[0, 0, 0, 1]));
    assert!(!each(ToClient, [100, 1, 7], &[0, 0, 0, 20]));
    assert!(!each(ToServer, [45, 1, 6], &[9, 0, 0, 1]));
    for (function, expected) in [
        (UFunction::STARTDT_ACT, true),
        (UFunction::STOPDT_ACT, true),
        (UFunction::TESTFR_ACT, false),
        (UFunction::STARTDT_CON, false),
    ] {
        let apdu = u_format(function);
        let message = Message::read(ToServer, STANDARD, &apdu).unwrap();
        assert_eq!(told_each_time(&message).contains(&true), expected, "{function:?}");
        let expected = function.is_activation().then_some(0x200 | u16::from(function.0));
        assert_eq!(operations(&message).first().map(|operation| operation.code), expected);
        assert_eq!((message.kind(), message.unit(), message.pairing()), (Kind::Unsolicited, 0, None));
    }
    let apdu = s_format(4);
    assert_eq!(operations(&Message::read(ToServer, STANDARD, &apdu).unwrap()), []);
}

#[test]
fn operations_have_names() {
    assert_eq!(Iec104::operation_name(45, 0x80), Some("C_SC_NA_1"));
    assert_eq!(Iec104::operation_name(200, 0), Some("private"));
    assert_eq!(Iec104::operation_name(22, 0), None);
    assert_eq!(Iec104::operation_name(0x100, 0), Some("originator_address"));
    assert_eq!(Iec104::operation_name(0x101, 0), None);
    assert_eq!(Iec104::operation_name(0x207, 0), Some("startdt_act"));
    assert_eq!(Iec104::operation_name(0x213, 0), Some("stopdt_act"));
    assert_eq!(Iec104::operation_name(0x208, 0), None);
}

// -- faults ----------------------------------------------------------------------------------------------------------

/// Direction, head, rest, and field, offset and clause of the fault.
type Case<'a> = (Direction, [u8; 3], &'a [u8], Option<(&'static str, u32, &'static str)>);

#[test]
fn identifiers_are_held_to_the_standard() {
    let one = [9, 0, 0, 1];
    let cases: &[Case<'_>] = &[
        (ToClient, [1, 1, 3], &one, None),
        // Type identification.
        (ToClient, [0, 1, 3], &one, Some(("type_identification", 6, "IEC 60870-5-101 7.2.1"))),
        (ToClient, [22, 1, 3], &one, Some(("type_identification", 6, "IEC 60870-5-101 7.2.1"))),
        (ToClient, [128, 1, 3], &one, None),
        // Number, and one object in a command.
        (ToClient, [1, 0, 3], &[], Some(("variable_structure_qualifier", 7, "IEC 60870-5-101 7.2.2"))),
        (
            ToServer,
            [45, 2, 6],
            &[9, 0, 0, 1, 10, 0, 0, 1],
            Some(("variable_structure_qualifier", 7, "IEC 60870-5-101 7.2.2")),
        ),
        (ToServer, [45, 0x81, 6], &one, Some(("variable_structure_qualifier", 7, "IEC 60870-5-101 7.2.2"))),
        (ToServer, [45, 1, 6], &one, None),
        // Cause.
        (ToClient, [1, 1, 0], &one, Some(("cause_of_transmission", 8, "IEC 60870-5-101 7.2.3"))),
        (ToClient, [1, 1, 43], &one, Some(("cause_of_transmission", 8, "IEC 60870-5-101 7.2.3"))),
        (ToClient, [1, 1, 6], &one, Some(("cause_of_transmission", 8, "IEC 60870-5-101 7.2.3"))),
        (ToServer, [45, 1, 3], &one, Some(("cause_of_transmission", 8, "IEC 60870-5-101 7.2.3"))),
        (ToClient, [1, 1, 48], &one, None),
        (ToClient, [1, 1, 1], &one, None),
        // P/N is for answers.
        (ToServer, [45, 1, 0x46], &one, Some(("negative", 8, "IEC 60870-5-101 7.2.3"))),
        (ToClient, [1, 1, 0x43], &one, Some(("negative", 8, "IEC 60870-5-101 7.2.3"))),
        (ToClient, [45, 1, 0x47], &one, None),
        // Information object address.
        (ToClient, [1, 1, 3], &[0, 0, 0, 1], Some(("information_object_address", 12, "IEC 60870-5-101 7.2.5"))),
        (ToServer, [100, 1, 6], &[1, 0, 0, 20], Some(("information_object_address", 12, "IEC 60870-5-101 7.2.5"))),
        (ToServer, [113, 1, 6], &[0, 0, 0, 1], None),
        // Elements.
        (ToServer, [100, 1, 6], &[0, 0, 0, 19], Some(("qualifier_of_interrogation", 15, "IEC 60870-5-101 7.2.6.22"))),
        (ToServer, [46, 1, 6], &[9, 0, 0, 0], Some(("double_command_state", 15, "IEC 60870-5-101 7.2.6.16"))),
        // What an answer repeats is another's doing.
        (ToClient, [46, 1, 7], &[9, 0, 0, 0], None),
        (ToClient, [46, 1, 47], &[0, 0, 0, 0], None),
    ];
    for (direction, head, rest, expected) in cases {
        assert_eq!(fault_at(*direction, *head, rest), *expected, "{head:?} {rest:?}");
    }
    let broadcast = i_format(0, 0, &asdu_of(STANDARD, [100, 1, 6], 0xFFFF, &[0, 0, 0, 20]));
    assert_eq!(Message::read(ToServer, STANDARD, &broadcast).unwrap().fault(), None);
    for (sizes, offset) in [(STANDARD, 10), (FieldSizes { cause_of_transmission: 1, ..STANDARD }, 9)] {
        let apdu = i_format(0, 0, &asdu_of(sizes, [1, 1, 3], 0, &one));
        let fault = Message::read(ToClient, sizes, &apdu).unwrap().fault().unwrap();
        assert_eq!((fault.field, fault.offset, fault.clause.0), ("common_address", offset, "IEC 60870-5-101 7.2.4"));
    }
}

#[test]
fn a_malformed_command_is_still_a_command() {
    // Its value is cut off, it has too many octets, or it is for a cause that is none.
    for (head, rest) in [
        ([45, 1, 6], &[9, 0, 0][..]),
        ([45, 1, 6], &[9, 0, 0, 1, 7, 7]),
        ([45, 1, 0], &[9, 0, 0, 1]),
        ([45, 0, 6], &[9, 0, 0, 1]),
    ] {
        assert!(fault(ToServer, head, rest).is_some());
        let told = told(ToServer, head, rest);
        assert_eq!(told, [(Verb::Control, 45, 0, Some(("single_command", 9, 1))), ORIGINATOR], "{head:?} {rest:?}");
        assert_eq!(with(ToServer, &asdu(head, rest), |message| message.kind()), Kind::Request);
    }
    // Nor may it turn the flow round.
    assert_eq!(with(ToClient, &asdu([45, 1, 6], &[9, 0, 0]), |message| message.sender()), Sender::Either);
}

#[test]
fn every_type_is_read_in_both_structures_and_cut_anywhere() {
    for row in TYPES {
        let Some(super::codes::ElementSize::Fixed(size)) = TypeId(row.code).element_octets() else { continue };
        for (qualifier, octets) in [(3_u8, 3 * (3 + size)), (0x83, 3 + 3 * size)] {
            let rest = vec![1; octets];
            let whole = asdu([row.code, qualifier, 3], &rest);
            let objects = with(ToClient, &whole, |message| message.asdu.unwrap().objects().count());
            assert_eq!(objects, 3, "{}", row.name);
            for cut in 0..octets {
                let apdu = i_format(0, 0, &asdu([row.code, qualifier, 3], &rest[..cut]));
                let message = Message::read(ToClient, STANDARD, &apdu).unwrap();
                assert!(message.fault().is_some(), "{} {cut}", row.name);
                let mut any = false;
                message.points(None, &mut |_| any = true);
                assert!(!any && message.control().is_none(), "{} {cut}", row.name);
            }
        }
    }
}

#[test]
fn an_asdu_says_at_most_127_objects() {
    // C_RD_NA_1 in sequence: elements of no octets.
    let apdu = i_format(0, 0, &asdu([102, 0xFF, 5], &[1, 0, 0]));
    let message = Message::read(ToServer, STANDARD, &apdu).unwrap();
    assert_eq!(message.asdu.unwrap().objects().count(), 127);
    assert_eq!(message.fault().unwrap().field, "variable_structure_qualifier");
}

// -- records ---------------------------------------------------------------------------------------------------------

fn fields(message: &Message<'_>) -> String {
    let mut all = Vec::new();
    message.fields(&mut |name, value| {
        all.push(match value {
            Value::Unsigned(n) => format!("{name}={n}"),
            Value::Bool(b) => format!("{name}={b}"),
            Value::Name(n) => format!("{name}={n}"),
            Value::Octets(o) => format!("{name}={o:02x?}"),
            Value::Null => format!("{name}=null"),
            other => format!("{name}={other:?}"),
        });
    });
    all.join(" ")
}

#[test]
fn fields_stand_in_the_standards_order() {
    let apdu = i_format(5, 9, &asdu([45, 1, 6], &[9, 0, 0, 0x81]));
    assert_eq!(
        fields(&Message::read(ToServer, STANDARD, &apdu).unwrap()),
        "length=14 format=I send_sequence_number=5 receive_sequence_number=9 type_identification=45 type=C_SC_NA_1 \
         sequence=false number_of_objects=1 cause_of_transmission=6 cause=activation negative=false test=false \
         originator_address=0 common_address=47 information_object_address=9 single_command_state=true \
         qualifier_of_command=0 command_output=no_additional_definition select=true"
    );
    let apdu = s_format(7);
    assert_eq!(
        fields(&Message::read(ToServer, STANDARD, &apdu).unwrap()),
        "length=4 format=S receive_sequence_number=7"
    );
    let apdu = u_format(UFunction::TESTFR_CON);
    assert_eq!(
        fields(&Message::read(ToServer, STANDARD, &apdu).unwrap()),
        "length=4 format=U control_function=131 function=testfr_con"
    );
    let sizes = FieldSizes { cause_of_transmission: 1, common_address: 1, information_object_address: 1 };
    let apdu = i_format(0, 0, &asdu_of(sizes, [200, 1, 0xC3], 7, &[1, 2]));
    assert_eq!(
        fields(&Message::read(ToClient, sizes, &apdu).unwrap()),
        "length=10 format=I send_sequence_number=0 receive_sequence_number=0 type_identification=200 type=private \
         sequence=false number_of_objects=1 cause_of_transmission=3 cause=spontaneous negative=true test=true \
         common_address=7 cause_of_transmission_octets=1 common_address_octets=1 \
         information_object_address_octets=1 information_objects=[01, 02]"
    );
    // Of many objects, the first 16.
    let many: Vec<u8> = (1..=40).flat_map(|n| [n, 0, 0, 1]).collect();
    let apdu = i_format(0, 0, &asdu([1, 40, 3], &many));
    let all = fields(&Message::read(ToClient, STANDARD, &apdu).unwrap());
    assert_eq!(all.matches("information_object_address=").count(), 16);
}

#[test]
fn messages_are_counted() {
    let count = |apdu: &[u8]| {
        let mut all = Vec::new();
        let message = Message::read(ToClient, STANDARD, apdu).unwrap();
        message.tally(&mut |tally| all.push((tally.table, Iec104::tally_key(tally))));
        all
    };
    let pairs = |all: &[(u8, &str)]| all.iter().map(|(table, key)| (*table, (*key).to_owned())).collect::<Vec<_>>();
    let negative = i_format(0, 0, &asdu([45, 1, 0xC7], &[9, 0, 0, 1]));
    assert_eq!(count(&negative), pairs(&[(0, "I"), (1, "45"), (2, "45:7")]));
    assert_eq!(count(&s_format(1)), pairs(&[(0, "S")]));
    assert_eq!(count(&u_format(UFunction::TESTFR_ACT)), pairs(&[(0, "U")]));
    assert_eq!(count(&i_format(0, 0, &[45, 1])), pairs(&[(0, "I")]));
}

#[test]
fn every_type_has_a_clause() {
    for row in TYPES {
        let clause = message::clause(TypeId(row.code)).0;
        assert_ne!(clause, "IEC 60870-5-101 7.2.1", "{}", row.name);
    }
    assert_eq!(message::clause(TypeId(0)).0, "IEC 60870-5-101 7.2.1");
}

#[test]
fn targets_of_a_flow_are_of_its_own_sizes() {
    let sizes = FieldSizes { cause_of_transmission: 1, common_address: 1, information_object_address: 2 };
    let mut dissector = Iec104Dissector::default();
    let apdu = i_format(0, 0, &asdu_of(sizes, [11, 2, 3], 5, &objects(sizes, 513, 2, &[0x34, 0x12, 0])));
    let message = dissector.read(ToClient, 0, &apdu).unwrap();
    let target = Some(Target { space: "measured_value", first: 513, count: 2 });
    assert_eq!(operations(&message).iter().map(|o| (o.unit, o.target)).collect::<Vec<_>>(), [(5, target)]);
}
