//! Tests of the Modbus reader, with octets written by hand from the standard.

use super::codes::{self, ExceptionCode, FUNCTIONS};
use super::rtu::crc;
use super::{Body, Envelope, Message, Modbus, ModbusDissector};
use crate::dissect::{Direction, Dissected, Dissector, Framing, Hints, Probe, Protocol, Sender, feed};
use crate::error::{ErrorKind, ParseError};
use crate::message::{Describe, Kind, Operation, Point, PointValue, Refusal, Tally, Target, Value, Verb};

use Kind::{Request, Response};

const TRANSACTION: u16 = 0x1234;
const UNIT: u8 = 0x0A;
/// Octets before the function code in an ADU.
const BEFORE: u32 = 7;

fn adu_of(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut adu = transaction.to_be_bytes().to_vec();
    adu.extend([0, 0]);
    adu.extend(u16::try_from(pdu.len() + 1).unwrap().to_be_bytes());
    adu.push(unit);
    adu.extend(pdu);
    adu
}

fn adu(pdu: &[u8]) -> Vec<u8> {
    adu_of(TRANSACTION, UNIT, pdu)
}

fn frame(unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut frame = vec![unit];
    frame.extend(pdu);
    frame.extend(crc(&frame).to_le_bytes());
    frame
}

fn with<T>(kind: Kind, pdu: &[u8], look: impl FnOnce(&Message<'_>) -> T) -> T {
    look(&Message::read_tcp(kind, &adu(pdu)).unwrap())
}

fn fault(kind: Kind, pdu: &[u8]) -> Option<ParseError> {
    with(kind, pdu, |message| message.fault())
}

fn operations(message: &Message<'_>) -> Vec<Operation> {
    let mut all = Vec::new();
    message.operations(&mut |operation| all.push(operation));
    all
}

/// Verb, code, sub-code and target of an operation.
type Told = (Verb, u16, u16, Option<(&'static str, u32, u32)>);

fn told(kind: Kind, pdu: &[u8]) -> Vec<Told> {
    with(kind, pdu, |message| {
        operations(message)
            .into_iter()
            .map(|o| {
                assert_eq!(o.unit, u16::from(UNIT));
                (o.verb, o.code, o.sub, o.target.map(|t| (t.space, t.first, t.count)))
            })
            .collect()
    })
}

fn tallies(message: &Message<'_>) -> Vec<(u8, String)> {
    let mut all = Vec::new();
    message.tally(&mut |tally: Tally| all.push((tally.table, Modbus::tally_key(tally))));
    all
}

fn points(message: &Message<'_>, asked: Option<Operation>) -> Vec<Point> {
    let mut all = Vec::new();
    message.points(asked, &mut |point| all.push(point));
    all
}

/// The fields as `name=value` lines, in order.
fn fields_of(message: &Message<'_>) -> Vec<String> {
    let mut all = Vec::new();
    message.fields(&mut |name, value| {
        all.push(match value {
            Value::Unsigned(n) => format!("{name}={n}"),
            Value::Bool(b) => format!("{name}={b}"),
            Value::Name(n) => format!("{name}={n}"),
            Value::Null => format!("{name}=null"),
            Value::Octets(o) | Value::Text(o) => format!("{name}={o:02x?}"),
            Value::Words(o) => {
                let words: Vec<u16> = o.chunks_exact(2).map(|w| u16::from_be_bytes([w[0], w[1]])).collect();
                format!("{name}={words:x?}")
            }
            Value::Bits(o, n) => format!("{name}={o:02x?}/{n}"),
            Value::Signed(_) | Value::Real(_) => unreachable!("no such field in Modbus"),
        });
    });
    all
}

/// The fields of the PDU alone.
fn fields(kind: Kind, pdu: &[u8]) -> String {
    with(kind, pdu, |message| {
        let all = fields_of(message);
        assert_eq!(
            all[..4],
            [
                "transaction_identifier=4660".to_owned(),
                "protocol_identifier=0".to_owned(),
                format!("length={}", pdu.len() + 1),
                "unit_identifier=10".to_owned(),
            ]
        );
        assert_eq!(all[4], format!("function_code={}", pdu[0]));
        assert!(all[5].starts_with("function="));
        all[6..].join(" ")
    })
}

/// Right PDUs of every function with a structure, in both directions, and their fields.
const RIGHT: &[(Kind, &[u8], &str)] = &[
    (Request, &[1, 0, 0x13, 0, 0x13], "starting_address=19 quantity_of_coils=19"),
    (Response, &[1, 3, 0xCD, 0x6B, 5], "byte_count=3 coil_status=[cd, 6b, 05]/24"),
    (Request, &[2, 0, 0xC4, 0, 0x16], "starting_address=196 quantity_of_inputs=22"),
    (Response, &[2, 3, 0xAC, 0xDB, 0x35], "byte_count=3 input_status=[ac, db, 35]/24"),
    (Request, &[3, 0, 0x6B, 0, 3], "starting_address=107 quantity_of_registers=3"),
    (Response, &[3, 6, 2, 0x2B, 0, 0, 0, 0x64], "byte_count=6 register_value=[22b, 0, 64]"),
    (Request, &[4, 0, 8, 0, 1], "starting_address=8 quantity_of_input_registers=1"),
    (Response, &[4, 2, 0, 0x0A], "byte_count=2 input_registers=[a]"),
    (Request, &[5, 0, 0xAC, 0xFF, 0], "output_address=172 output_value=true"),
    (Response, &[5, 0, 0xAC, 0, 0], "output_address=172 output_value=false"),
    (Request, &[6, 0, 1, 0, 3], "register_address=1 register_value=3"),
    (Response, &[6, 0, 1, 0, 3], "register_address=1 register_value=3"),
    (Request, &[7], ""),
    (Response, &[7, 0x6D], "output_data=[6d]/8"),
    (Request, &[8, 0, 0, 0xA5, 0x37], "sub_function=0 diagnostic=return_query_data data=[a537]"),
    (Response, &[8, 0, 0, 0xA5, 0x37], "sub_function=0 diagnostic=return_query_data data=[a537]"),
    (Request, &[8, 0, 1, 0xFF, 0], "sub_function=1 diagnostic=restart_communications_option data=[ff00]"),
    (Request, &[8, 0, 2, 0, 0], "sub_function=2 diagnostic=return_diagnostic_register data=[0]"),
    (Response, &[8, 0, 2, 1, 2], "sub_function=2 diagnostic=return_diagnostic_register data=[102]"),
    (Request, &[8, 0, 3, 0x0A, 0], "sub_function=3 diagnostic=change_ascii_input_delimiter data=[a00]"),
    (Request, &[8, 0, 4, 0, 0], "sub_function=4 diagnostic=force_listen_only_mode data=[0]"),
    (Request, &[8, 0, 10, 0, 0], "sub_function=10 diagnostic=clear_counters_and_diagnostic_register data=[0]"),
    (Response, &[8, 0, 11, 0, 9], "sub_function=11 diagnostic=return_bus_message_count data=[9]"),
    (Response, &[8, 0, 18, 0, 9], "sub_function=18 diagnostic=return_bus_character_overrun_count data=[9]"),
    (Request, &[8, 0, 20, 0, 0], "sub_function=20 diagnostic=clear_overrun_counter_and_flag data=[0]"),
    (Request, &[8, 0, 21, 0, 3], "sub_function=21 diagnostic=null data=[3]"),
    (Request, &[11], ""),
    (Response, &[11, 0xFF, 0xFF, 1, 8], "status=65535 event_count=264"),
    (Request, &[12], ""),
    (
        Response,
        &[12, 8, 0, 0, 1, 8, 1, 0x21, 0x20, 0],
        "byte_count=8 status=0 event_count=264 message_count=289 events=[20, 00]",
    ),
    (
        Request,
        &[15, 0, 0x13, 0, 10, 2, 0xCD, 1],
        "starting_address=19 quantity_of_outputs=10 byte_count=2 outputs_value=[cd, 01]/10",
    ),
    (Response, &[15, 0, 0x13, 0, 10], "starting_address=19 quantity_of_outputs=10"),
    (
        Request,
        &[16, 0, 1, 0, 2, 4, 0, 10, 1, 2],
        "starting_address=1 quantity_of_registers=2 byte_count=4 registers_value=[a, 102]",
    ),
    (Response, &[16, 0, 1, 0, 2], "starting_address=1 quantity_of_registers=2"),
    (Request, &[17], ""),
    (Response, &[17, 4, 9, 0xFF, b'A', b'B'], "byte_count=4 server_id=[09, ff, 41, 42]"),
    (
        Request,
        &[20, 14, 6, 0, 4, 0, 1, 0, 2, 6, 0, 3, 0, 9, 0, 2],
        "byte_count=14 reference_type=6 file_number=4 record_number=1 record_length=2 \
         reference_type=6 file_number=3 record_number=9 record_length=2",
    ),
    (
        Response,
        &[20, 12, 5, 6, 0x0D, 0xFE, 0, 0x20, 5, 6, 0x33, 0xCD, 0, 0x40],
        "resp_data_length=12 file_resp_length=5 reference_type=6 record_data=[dfe, 20] \
         file_resp_length=5 reference_type=6 record_data=[33cd, 40]",
    ),
    (
        Request,
        &[21, 13, 6, 0, 4, 0, 7, 0, 3, 6, 0xAF, 4, 0xBE, 0x10, 0x0D],
        "request_data_length=13 reference_type=6 file_number=4 record_number=7 record_length=3 \
         record_data=[6af, 4be, 100d]",
    ),
    (
        Response,
        &[21, 13, 6, 0, 4, 0, 7, 0, 3, 6, 0xAF, 4, 0xBE, 0x10, 0x0D],
        "request_data_length=13 reference_type=6 file_number=4 record_number=7 record_length=3 \
         record_data=[6af, 4be, 100d]",
    ),
    (Request, &[22, 0, 4, 0, 0xF2, 0, 0x25], "reference_address=4 and_mask=242 or_mask=37"),
    (Response, &[22, 0, 4, 0, 0xF2, 0, 0x25], "reference_address=4 and_mask=242 or_mask=37"),
    (
        Request,
        &[23, 0, 3, 0, 6, 0, 0x0E, 0, 3, 6, 0, 0xFF, 0, 0xFF, 0, 0xFE],
        "read_starting_address=3 quantity_to_read=6 write_starting_address=14 quantity_to_write=3 \
         write_byte_count=6 write_registers_value=[ff, ff, fe]",
    ),
    (Response, &[23, 4, 0, 0xFE, 0x0A, 0xCD], "byte_count=4 read_registers_value=[fe, acd]"),
    (Request, &[24, 4, 0xDE], "fifo_pointer_address=1246"),
    (Response, &[24, 0, 6, 0, 2, 1, 0xB8, 0x12, 0x84], "byte_count=6 fifo_count=2 fifo_value_register=[1b8, 1284]"),
    (Request, &[43, 13, 1, 2], "mei_type=13 mei_type_specific_data=[01, 02]"),
    (Response, &[43, 13, 3], "mei_type=13 mei_type_specific_data=[03]"),
    (Request, &[43, 14, 1, 0], "mei_type=14 read_device_id_code=1 object_id=0"),
    (
        Response,
        &[43, 14, 1, 0x81, 0, 0, 2, 0, 1, b'V', 1, 2, b'P', b'C'],
        "mei_type=14 read_device_id_code=1 conformity_level=129 more_follows=0 next_object_id=0 number_of_objects=2 \
         object_id=0 object_length=1 object_value=[56] object_id=1 object_length=2 object_value=[50, 43]",
    ),
    (Request, &[90, 1, 0x22, 7], "session=1 umas_function_code=34 umas_function=read_variables data=[07]"),
    (Request, &[90, 1, 0xEE], "session=1 umas_function_code=238 umas_function=null data=[]"),
    (Response, &[90, 1, 0xFE, 7], "session=1 umas_status=254 data=[07]"),
    (Request, &[126, 1, 2], "data=[01, 02]"),
    (Response, &[126, 1, 2], "data=[01, 02]"),
    (Request, &[65], "data=[]"),
    (Request, &[99, 5], "data=[05]"),
    (Response, &[0x83, 2], "exception_code=2 exception=illegal_data_address"),
    (Response, &[0x83, 7], "exception_code=7 exception=null"),
    (Response, &[0x80, 1], "exception_code=1 exception=illegal_function"),
];

#[test]
fn every_function_reads_in_both_directions() {
    for (kind, pdu, told) in RIGHT {
        assert_eq!(fault(*kind, pdu), None, "{kind:?} {pdu:02x?}");
        assert_eq!(fields(*kind, pdu), *told, "{kind:?} {pdu:02x?}");
        with(*kind, pdu, |message| {
            let table = if *kind == Request { 0 } else { 1 };
            let first = tallies(message).into_iter().next().unwrap();
            assert_eq!(first, (table, (pdu[0] & 0x7F).to_string()));
            // A UMAS answer does not name the function that it answers.
            assert_eq!(operations(message).is_empty(), *kind == Response && pdu[0] == 90);
        });
    }
    // The table above holds every function whose structure is known, both ways.
    for code in [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43, 90] {
        for kind in [Request, Response] {
            assert!(RIGHT.iter().any(|(k, pdu, _)| *k == kind && pdu[0] == code), "{kind:?} {code}");
        }
    }
}

#[test]
fn one_octet_less_or_more_is_a_fault() {
    for (kind, pdu, _) in RIGHT {
        // These end where the octets end.
        let open = matches!(pdu[0], 65 | 90 | 99 | 126) || pdu.starts_with(&[43, 13]) || pdu.starts_with(&[8, 0, 21]);
        if open {
            continue;
        }
        let mut longer = pdu.to_vec();
        longer.push(0);
        assert!(fault(*kind, &longer).is_some(), "{kind:?} {longer:02x?}");
        if pdu.len() > 1 {
            assert!(fault(*kind, &pdu[..pdu.len() - 1]).is_some(), "{kind:?} {pdu:02x?} cut");
        }
    }
}

/// A PDU of a header and so many octets of data.
fn long(header: &[u8], octets: usize) -> Vec<u8> {
    let mut pdu = header.to_vec();
    pdu.resize(header.len() + octets, 0);
    pdu
}

fn right(kind: Kind, pdu: &[u8]) {
    assert_eq!(fault(kind, pdu), None, "{kind:?} {pdu:02x?}");
}

fn wrong(kind: Kind, pdu: &[u8], field: &str, offset: u32, clause: &str) {
    let error = fault(kind, pdu).unwrap_or_else(|| panic!("{kind:?} {pdu:02x?} is right"));
    assert_eq!((error.field, error.offset, error.clause.0), (field, BEFORE + offset, clause), "{pdu:02x?}: {error}");
}

#[test]
fn quantities_that_are_read_have_bounds() {
    for (code, most, field, clause) in [
        (1, 2000_u16, "quantity_of_coils", "V1.1b3 6.1"),
        (2, 2000, "quantity_of_inputs", "V1.1b3 6.2"),
        (3, 125, "quantity_of_registers", "V1.1b3 6.3"),
        (4, 125, "quantity_of_input_registers", "V1.1b3 6.4"),
    ] {
        let pdu = |address: u16, quantity: u16| {
            let ([a, b], [c, d]) = (address.to_be_bytes(), quantity.to_be_bytes());
            [code, a, b, c, d]
        };
        right(Request, &pdu(0, 1));
        right(Request, &pdu(0, most));
        right(Request, &pdu(0xFFFF, 1));
        right(Request, &pdu(0xFFFE, 2));
        wrong(Request, &pdu(0, 0), field, 3, clause);
        wrong(Request, &pdu(0, most + 1), field, 3, clause);
        wrong(Request, &pdu(0xFFFF, 2), field, 3, clause);
    }
    assert_eq!(fault(Request, &[3, 0, 0, 0, 126]).unwrap().kind, ErrorKind::Forbidden { got: 126 });
}

#[test]
fn quantities_that_are_written_have_bounds() {
    let coils = |quantity: u16, octets: u8| {
        let [high, low] = quantity.to_be_bytes();
        long(&[15, 0, 0, high, low, octets], usize::from(octets))
    };
    right(Request, &coils(1, 1));
    right(Request, &coils(8, 1));
    right(Request, &coils(9, 2));
    right(Request, &coils(1968, 246));
    wrong(Request, &coils(0, 0), "quantity_of_outputs", 3, "V1.1b3 6.11");
    wrong(Request, &coils(1969, 247), "quantity_of_outputs", 3, "V1.1b3 6.11");
    wrong(Request, &coils(9, 1), "byte_count", 5, "V1.1b3 6.11");
    right(Response, &[15, 0, 0, 0x07, 0xB0]);
    wrong(Response, &[15, 0, 0, 0x07, 0xB1], "quantity_of_outputs", 3, "V1.1b3 6.11");

    let registers = |quantity: u8, octets: u8| long(&[16, 0, 0, 0, quantity, octets], usize::from(octets));
    right(Request, &registers(1, 2));
    right(Request, &registers(123, 246));
    wrong(Request, &registers(0, 0), "quantity_of_registers", 3, "V1.1b3 6.12");
    wrong(Request, &registers(124, 246), "quantity_of_registers", 3, "V1.1b3 6.12");
    wrong(Request, &registers(2, 2), "byte_count", 5, "V1.1b3 6.12");
    wrong(Request, &long(&[16, 0, 0, 0, 2, 4], 3), "byte_count", 5, "V1.1b3 6.12");
    assert_eq!(
        fault(Request, &long(&[16, 0, 0, 0, 2, 4], 3)).unwrap().kind,
        ErrorKind::LengthMismatch { claimed: 4, actual: 3 }
    );
    right(Response, &[16, 0xFF, 0xFF, 0, 1]);
    wrong(Response, &[16, 0xFF, 0xFF, 0, 2], "quantity_of_registers", 3, "V1.1b3 6.12");

    let both = |read: u8, write: u8| {
        let octets = write.min(121) * 2;
        long(&[23, 0, 0, 0, read, 0, 0, 0, write, octets], octets.into())
    };
    right(Request, &both(1, 1));
    right(Request, &both(125, 121));
    wrong(Request, &both(0, 1), "quantity_to_read", 3, "V1.1b3 6.17");
    wrong(Request, &both(126, 1), "quantity_to_read", 3, "V1.1b3 6.17");
    wrong(Request, &both(1, 0), "quantity_to_write", 7, "V1.1b3 6.17");
    wrong(Request, &both(1, 122), "quantity_to_write", 7, "V1.1b3 6.17");
    wrong(Request, &[23, 0, 0, 0, 1, 0, 0, 0, 1, 4, 0, 0, 0, 0], "write_byte_count", 9, "V1.1b3 6.17");
}

#[test]
fn byte_counts_of_responses_have_bounds() {
    for (code, clause) in [(1, "V1.1b3 6.1"), (2, "V1.1b3 6.2")] {
        right(Response, &long(&[code, 1], 1));
        right(Response, &long(&[code, 250], 250));
        wrong(Response, &[code, 0], "byte_count", 1, clause);
        wrong(Response, &long(&[code, 251], 251), "byte_count", 1, clause);
    }
    for (code, clause) in [(3, "V1.1b3 6.3"), (4, "V1.1b3 6.4"), (23, "V1.1b3 6.17")] {
        right(Response, &long(&[code, 2], 2));
        right(Response, &long(&[code, 250], 250));
        wrong(Response, &[code, 0], "byte_count", 1, clause);
        wrong(Response, &long(&[code, 3], 3), "byte_count", 1, clause);
        wrong(Response, &long(&[code, 4], 3), "byte_count", 1, clause);
    }
    right(Response, &long(&[12, 70, 0, 0, 0, 0, 0, 0], 64));
    wrong(Response, &long(&[12, 71, 0, 0, 0, 0, 0, 0], 65), "byte_count", 1, "V1.1b3 6.10");
    wrong(Response, &[12, 5, 0, 0, 0, 0, 0], "byte_count", 1, "V1.1b3 6.10");
    right(Response, &long(&[24, 0, 64, 0, 31], 62));
    wrong(Response, &long(&[24, 0, 66, 0, 32], 64), "fifo_count", 3, "V1.1b3 6.18");
    wrong(Response, &long(&[24, 0, 6, 0, 3], 4), "fifo_count", 3, "V1.1b3 6.18");
    wrong(Response, &long(&[24, 0, 8, 0, 2], 4), "byte_count", 1, "V1.1b3 6.18");
}

#[test]
fn values_that_have_a_meaning_have_no_other() {
    right(Request, &[5, 0, 0, 0, 0]);
    right(Request, &[5, 0, 0, 0xFF, 0]);
    wrong(Request, &[5, 0, 0, 0, 1], "output_value", 3, "V1.1b3 6.5");
    wrong(Response, &[5, 0, 0, 0xFF, 0xFF], "output_value", 3, "V1.1b3 6.5");
    assert_eq!(fields(Request, &[5, 0, 1, 0, 1]), "output_address=1 output_value=1");
    wrong(Response, &[11, 0, 1, 0, 0], "status", 1, "V1.1b3 6.9");
    right(Request, &[8, 0, 1, 0, 0]);
    wrong(Request, &[8, 0, 1, 0, 1], "data", 3, "V1.1b3 6.8");
    wrong(Request, &[8, 0, 3, 0, 1], "data", 3, "V1.1b3 6.8");
    wrong(Request, &[8, 0, 4, 0, 1], "data", 3, "V1.1b3 6.8");
    wrong(Request, &[8, 0, 4], "data", 3, "V1.1b3 6.8");
    wrong(Request, &[8, 0, 11, 0, 1], "data", 3, "V1.1b3 6.8");
    right(Response, &[8, 0, 11, 0, 1]);
    right(Request, &[8, 0, 0, 1, 2, 3, 4]);
    wrong(Request, &[8, 0, 0, 1, 2, 3], "data", 3, "V1.1b3 6.8");
    wrong(Request, &[0, 0], "function_code", 0, "V1.1b3 4.1");
    wrong(Response, &[0, 0], "function_code", 0, "V1.1b3 4.1");
    wrong(Request, &[0x81, 1], "function_code", 0, "V1.1b3 4.1");
    right(Request, &[127, 1]);
    right(Response, &[0x81, 1]);
    wrong(Response, &[0x81], "exception_code", 1, "");
    wrong(Response, &[0x81, 1, 0], "data", 2, "V1.1b3 7");
}

#[test]
fn file_records_are_held_to_their_ranges() {
    let read = |reference_type: u8, file: u16, record: u16| {
        let ([a, b], [c, d]) = (file.to_be_bytes(), record.to_be_bytes());
        [20, 7, reference_type, a, b, c, d, 0, 1]
    };
    right(Request, &read(6, 1, 0));
    right(Request, &read(6, 0xFFFF, 9999));
    wrong(Request, &read(5, 1, 0), "reference_type", 2, "V1.1b3 6.14");
    wrong(Request, &read(6, 0, 0), "file_number", 3, "V1.1b3 6.14");
    wrong(Request, &read(6, 1, 10_000), "record_number", 5, "V1.1b3 6.14");
    wrong(Request, &[20, 0], "byte_count", 1, "V1.1b3 6.14");
    wrong(Request, &[20, 8, 6, 0, 1, 0, 0, 0, 1, 6], "byte_count", 1, "V1.1b3 6.14");
    right(Request, &{
        let mut pdu = vec![20, 245];
        (0..35).for_each(|_| pdu.extend([6, 0, 1, 0, 0, 0, 1]));
        pdu
    });
    wrong(Response, &[20, 4, 3, 7, 0, 1], "reference_type", 3, "V1.1b3 6.14");
    wrong(Response, &[20, 5, 4, 6, 0, 1, 2], "file_resp_length", 2, "V1.1b3 6.14");
    wrong(Response, &[20, 4, 5, 6, 0, 1], "record_data", 3, "");
    for kind in [Request, Response] {
        right(kind, &[21, 9, 6, 0, 4, 0, 7, 0, 1, 6, 0xAF]);
        wrong(kind, &[21, 9, 7, 0, 4, 0, 7, 0, 1, 6, 0xAF], "reference_type", 2, "V1.1b3 6.15");
        wrong(kind, &[21, 9, 6, 0, 4, 0x27, 0x10, 0, 1, 6, 0xAF], "record_number", 5, "V1.1b3 6.15");
        wrong(kind, &[21, 9, 6, 0, 4, 0, 7, 0, 2, 6, 0xAF], "record_data", 9, "");
        wrong(kind, &[21, 8, 6, 0, 4, 0, 7, 0, 1, 6], "request_data_length", 1, "V1.1b3 6.15");
    }
}

#[test]
fn device_identification_is_held_to_its_list() {
    for code in 1..=4 {
        right(Request, &[43, 14, code, 0]);
    }
    wrong(Request, &[43, 14, 0, 0], "read_device_id_code", 2, "V1.1b3 6.21");
    wrong(Request, &[43, 14, 5, 0], "read_device_id_code", 2, "V1.1b3 6.21");
    right(Response, &[43, 14, 1, 1, 0xFF, 2, 1, 0, 1, b'V']);
    wrong(Response, &[43, 14, 5, 1, 0, 0, 0], "read_device_id_code", 2, "V1.1b3 6.21");
    wrong(Response, &[43, 14, 1, 4, 0, 0, 0], "conformity_level", 3, "V1.1b3 6.21");
    wrong(Response, &[43, 14, 1, 1, 1, 0, 0], "more_follows", 4, "V1.1b3 6.21");
    wrong(Response, &[43, 14, 1, 1, 0, 2, 0], "next_object_id", 5, "V1.1b3 6.21");
    wrong(Response, &[43, 14, 1, 1, 0, 0, 1, 0, 2, b'V'], "object_value", 9, "");
    wrong(Response, &[43, 14, 1, 1, 0, 0, 2, 0, 1, b'V'], "object_id", 10, "");
    wrong(Response, &[43, 14, 1, 1, 0, 0, 1, 0, 1, b'V', 0], "data", 10, "V1.1b3 6.21");
}

#[test]
fn operations_tell_verb_code_and_target() {
    use Verb::{Configure, Diagnose, Identify, Mode, Other, Read, Restart, Session, Transfer, Write};
    let table: &[(Kind, &[u8], &[Told])] = &[
        (Request, &[1, 0, 19, 0, 5], &[(Read, 1, 0, Some(("coil", 19, 5)))]),
        (Request, &[2, 0, 19, 0, 5], &[(Read, 2, 0, Some(("discrete_input", 19, 5)))]),
        (Request, &[3, 0, 19, 0, 5], &[(Read, 3, 0, Some(("holding_register", 19, 5)))]),
        (Request, &[4, 0, 19, 0, 5], &[(Read, 4, 0, Some(("input_register", 19, 5)))]),
        (Response, &[3, 2, 0, 1], &[(Read, 3, 0, None)]),
        (Response, &[1, 1, 1], &[(Read, 1, 0, None)]),
        (Request, &[5, 1, 0, 0xFF, 0], &[(Write, 5, 0, Some(("coil", 256, 1)))]),
        (Response, &[5, 1, 0, 0xFF, 0], &[(Write, 5, 0, Some(("coil", 256, 1)))]),
        (Request, &[6, 1, 0, 1, 2], &[(Write, 6, 0, Some(("holding_register", 256, 1)))]),
        (Request, &[15, 0, 1, 0, 9, 2, 0, 0], &[(Write, 15, 0, Some(("coil", 1, 9)))]),
        (Response, &[15, 0, 1, 0, 9], &[(Write, 15, 0, Some(("coil", 1, 9)))]),
        (Request, &[16, 0, 1, 0, 1, 2, 0, 0], &[(Write, 16, 0, Some(("holding_register", 1, 1)))]),
        (Response, &[16, 0, 1, 0, 2], &[(Write, 16, 0, Some(("holding_register", 1, 2)))]),
        (Request, &[22, 0, 4, 0, 0, 0, 0], &[(Write, 22, 0, Some(("holding_register", 4, 1)))]),
        (
            Request,
            &[23, 0, 3, 0, 6, 0, 14, 0, 1, 2, 0, 0],
            &[(Read, 23, 0, Some(("holding_register", 3, 6))), (Write, 23, 0, Some(("holding_register", 14, 1)))],
        ),
        (Response, &[23, 2, 0, 0], &[(Read, 23, 0, None)]),
        (Request, &[24, 4, 0xDE], &[(Read, 24, 0, Some(("fifo_queue", 0x4DE, 1)))]),
        (
            Request,
            &[20, 14, 6, 0, 4, 0, 1, 0, 2, 6, 0, 3, 0, 9, 0, 3],
            &[(Read, 20, 0, Some(("file_record", 4, 2))), (Read, 20, 0, Some(("file_record", 3, 3)))],
        ),
        (Response, &[20, 4, 3, 6, 0, 1], &[(Read, 20, 0, None)]),
        (Request, &[21, 9, 6, 0, 4, 0, 7, 0, 1, 6, 0xAF], &[(Transfer, 21, 0, Some(("file_record", 4, 1)))]),
        (Request, &[7], &[(Diagnose, 7, 0, None)]),
        (Request, &[8, 0, 0, 0, 0], &[(Diagnose, 8, 0, None)]),
        (Request, &[8, 0, 1, 0, 0], &[(Restart, 8, 1, None)]),
        (Request, &[8, 0, 3, 0x0A, 0], &[(Configure, 8, 3, None)]),
        (Request, &[8, 0, 4, 0, 0], &[(Mode, 8, 4, None)]),
        (Request, &[8, 0, 4], &[(Mode, 8, 4, None)]),
        (Request, &[8, 0, 10, 0, 0], &[(Configure, 8, 10, None)]),
        (Request, &[8, 0, 20, 0, 0], &[(Configure, 8, 20, None)]),
        (Request, &[8, 0, 19, 0, 0], &[(Diagnose, 8, 19, None)]),
        (Request, &[11], &[(Diagnose, 11, 0, None)]),
        (Request, &[12], &[(Diagnose, 12, 0, None)]),
        (Request, &[17], &[(Identify, 17, 0, None)]),
        (Request, &[43, 14, 1, 0], &[(Identify, 43, 14, None)]),
        (Request, &[43, 13], &[(Other, 43, 13, None)]),
        (Request, &[90, 0, 1], &[(Session, 90, 1, None)]),
        (Request, &[90, 0, 2], &[(Identify, 90, 2, None)]),
        (Request, &[90, 0, 0x23], &[(Write, 90, 0x23, None)]),
        (Request, &[90, 0, 0x34], &[(Transfer, 90, 0x34, None)]),
        (Request, &[90, 0, 0x41], &[(Mode, 90, 0x41, None)]),
        (Request, &[90, 0, 0xEE], &[(Transfer, 90, 0xEE, None)]),
        (Response, &[90, 0, 0xFE], &[]),
        (Request, &[126, 1], &[(Transfer, 126, 0, None)]),
        (Request, &[65, 1], &[(Other, 65, 0, None)]),
        (Request, &[99], &[(Other, 99, 0, None)]),
        (Request, &[0x85, 1], &[(Other, 5, 0, None)]),
        (Response, &[0x85, 2], &[(Write, 5, 0, None)]),
        (Response, &[0x97, 2], &[(Write, 23, 0, None)]),
    ];
    for (kind, pdu, operations) in table {
        assert_eq!(told(*kind, pdu), *operations, "{kind:?} {pdu:02x?}");
    }
}

#[test]
fn a_malformed_write_is_still_a_write() {
    let write = |pdu: &[u8]| {
        assert!(fault(Request, pdu).is_some(), "{pdu:02x?}");
        let mut told = told(Request, pdu);
        (told.pop().unwrap(), told.len())
    };
    let coil = |first, count| Some(("coil", first, count));
    let register = |first, count| Some(("holding_register", first, count));
    assert_eq!(write(&[5, 0, 9, 1, 1]), ((Verb::Write, 5, 0, coil(9, 1)), 0));
    assert_eq!(write(&[5, 0, 9, 0xFF]), ((Verb::Write, 5, 0, coil(9, 1)), 0));
    assert_eq!(write(&[5, 0]), ((Verb::Write, 5, 0, None), 0));
    assert_eq!(write(&[6, 0, 9]), ((Verb::Write, 6, 0, register(9, 1)), 0));
    assert_eq!(write(&[15, 0, 9, 0, 3, 9, 1]), ((Verb::Write, 15, 0, coil(9, 3)), 0));
    assert_eq!(write(&[16, 0, 9, 0, 0, 0]), ((Verb::Write, 16, 0, register(9, 1)), 0));
    assert_eq!(write(&[16, 0, 9, 0]), ((Verb::Write, 16, 0, register(9, 1)), 0));
    assert_eq!(write(&[22, 0, 9, 0, 0]), ((Verb::Write, 22, 0, register(9, 1)), 0));
    assert_eq!(write(&[23, 0, 9, 0, 1, 0, 7]), ((Verb::Write, 23, 0, register(7, 1)), 1));
    assert_eq!(write(&[21, 9, 6, 0, 4]), ((Verb::Transfer, 21, 0, None), 0));
    assert_eq!(
        write(&[21, 12, 6, 0, 4, 0, 7, 0, 1, 6, 0xAF, 6, 0, 5]),
        ((Verb::Transfer, 21, 0, Some(("file_record", 4, 1))), 0)
    );
    // A record whose data is cut short was still to be written.
    assert_eq!(
        write(&[21, 9, 6, 0, 4, 0, 7, 0, 9, 6, 0xAF]),
        ((Verb::Transfer, 21, 0, Some(("file_record", 4, 9))), 0)
    );
    // Nothing that was not told rightly becomes a value.
    for pdu in [&[5, 0, 9, 1, 1][..], &[6, 0, 9, 0, 0, 0], &[16, 0, 9, 0, 1, 4, 0, 0, 0, 0]] {
        with(Request, pdu, |message| assert!(points(message, None).is_empty(), "{pdu:02x?}"));
    }
}

#[test]
fn pairing_is_equal_in_a_request_and_its_response_alone() {
    let key = |kind, transaction, unit, pdu: &[u8]| {
        Message::read_tcp(kind, &adu_of(transaction, unit, pdu)).unwrap().pairing().unwrap()
    };
    let request = key(Request, 7, 1, &[3, 0, 0, 0, 1]);
    assert_eq!(request, (7 << 24) | (1 << 8) | 3);
    assert_eq!(key(Response, 7, 1, &[3, 2, 0, 1]), request);
    assert_eq!(key(Response, 7, 1, &[0x83, 2]), request);
    assert_ne!(key(Response, 8, 1, &[3, 2, 0, 1]), request);
    assert_ne!(key(Response, 7, 2, &[3, 2, 0, 1]), request);
    assert_ne!(key(Response, 7, 1, &[4, 2, 0, 1]), request);

    let key = |kind, unit, pdu: &[u8]| Message::read_rtu(kind, &frame(unit, pdu)).unwrap().pairing();
    assert_eq!(key(Request, 1, &[3, 0, 0, 0, 1]), Some((1 << 63) | (1 << 8) | 3));
    assert_eq!(key(Request, 1, &[3, 0, 0, 0, 1]), key(Response, 1, &[0x83, 2]));
    assert_ne!(key(Request, 1, &[3, 0, 0, 0, 1]), key(Response, 2, &[0x83, 2]));
    assert_eq!(key(Request, 0, &[5, 0, 0, 0, 0]), None);
}

#[test]
fn exceptions_are_refusals_and_count_twice() {
    for (code, name) in [
        (1, Some("illegal_function")),
        (2, Some("illegal_data_address")),
        (3, Some("illegal_data_value")),
        (4, Some("server_device_failure")),
        (5, Some("acknowledge")),
        (6, Some("server_device_busy")),
        (7, None),
        (8, Some("memory_parity_error")),
        (9, None),
        (10, Some("gateway_path_unavailable")),
        (11, Some("gateway_target_device_failed_to_respond")),
        (12, None),
    ] {
        with(Response, &[0x90, code], |message| {
            assert_eq!(
                message.refusal(),
                Some(Refusal { code: code.into(), name, reason: ExceptionCode(code).reason() })
            );
            assert_eq!(tallies(message), [(1, "16".to_owned()), (2, format!("16:{code}"))]);
            assert_eq!(message.kind(), Response);
        });
    }
    with(Response, &[16, 0, 1, 0, 2], |message| {
        assert_eq!(message.refusal(), None);
        assert_eq!(tallies(message), [(1, "16".to_owned())]);
    });
    with(Response, &[90, 0, 0xFD, 1], |message| assert_eq!(message.refusal().unwrap().code, 0xFD));
    with(Response, &[90, 0, 0xFE, 1], |message| assert_eq!(message.refusal(), None));
    // The exception bit in a request is no exception.
    with(Request, &[0x90, 2], |message| {
        assert_eq!(message.refusal(), None);
        assert_eq!(tallies(message), [(0, "16".to_owned())]);
    });
}

fn bit(space: &'static str, address: u32, on: bool) -> Point {
    Point::bare(space, address, PointValue::Bit(on))
}

fn word(space: &'static str, address: u32, value: u64) -> Point {
    Point::bare(space, address, PointValue::Unsigned(value))
}

#[test]
fn written_values_have_addresses() {
    let of = |pdu: &[u8]| with(Request, pdu, |message| points(message, None));
    assert_eq!(of(&[5, 0, 3, 0xFF, 0]), [bit("coil", 3, true)]);
    assert_eq!(of(&[5, 0, 3, 0, 0]), [bit("coil", 3, false)]);
    assert_eq!(of(&[6, 0, 3, 1, 2]), [word("holding_register", 3, 0x102)]);
    let coils: Vec<Point> = of(&[15, 0, 19, 0, 10, 2, 0xCD, 1]);
    let on: Vec<u32> = coils.iter().filter(|p| p.value == PointValue::Bit(true)).map(|p| p.address).collect();
    assert_eq!((coils.len(), on), (10, vec![19, 21, 22, 25, 26, 27]));
    let two = [word("holding_register", 1, 10), word("holding_register", 2, 0x102)];
    assert_eq!(of(&[16, 0, 1, 0, 2, 4, 0, 10, 1, 2]), two);
    assert_eq!(of(&[23, 0, 3, 0, 6, 0, 14, 0, 1, 2, 0, 9]), [word("holding_register", 14, 9)]);
    assert_eq!(of(&[16, 0xFF, 0xFF, 0, 1, 2, 0, 9]), [word("holding_register", 0xFFFF, 9)]);
    // The result of a mask is not known, and an echo is no second write.
    assert_eq!(of(&[22, 0, 4, 0, 0, 0, 0]), []);
    with(Response, &[6, 0, 3, 1, 2], |message| assert!(points(message, None).is_empty()));
}

#[test]
fn read_values_have_the_addresses_that_were_asked_for() {
    let asked = |code: u16, space: &'static str, first: u32, count: u32| {
        let target = Some(Target { space, first, count });
        Some(Operation { verb: Verb::Read, code, sub: 0, unit: UNIT.into(), target })
    };
    let of = |pdu: &[u8], asked| with(Response, pdu, |message| points(message, asked));
    assert_eq!(
        of(&[3, 4, 0, 1, 0, 2], asked(3, "holding_register", 107, 2)),
        [word("holding_register", 107, 1), word("holding_register", 108, 2)]
    );
    assert_eq!(of(&[4, 2, 0, 10], asked(4, "input_register", 8, 1)), [word("input_register", 8, 10)]);
    assert_eq!(
        of(&[2, 1, 0b101], asked(2, "discrete_input", 196, 3)),
        [bit("discrete_input", 196, true), bit("discrete_input", 197, false), bit("discrete_input", 198, true)]
    );
    assert_eq!(of(&[1, 2, 0xFF, 0xFF], asked(1, "coil", 0, 9)).len(), 9);
    assert_eq!(of(&[23, 2, 0, 7], asked(23, "holding_register", 3, 1)), [word("holding_register", 3, 7)]);
    // Not without a request, nor with one that it does not answer.
    assert_eq!(of(&[3, 4, 0, 1, 0, 2], None), []);
    assert_eq!(of(&[3, 4, 0, 1, 0, 2], asked(3, "holding_register", 107, 3)), []);
    assert_eq!(of(&[3, 4, 0, 1, 0, 2], asked(4, "input_register", 107, 2)), []);
    assert_eq!(of(&[1, 1, 0xFF], asked(1, "coil", 0, 9)), []);
    let write = asked(23, "holding_register", 14, 1).map(|asked| Operation { verb: Verb::Write, ..asked });
    assert_eq!(of(&[23, 2, 0, 7], write), []);
    // Addresses end at 65535 whatever was asked.
    assert_eq!(of(&[3, 4, 0, 1, 0, 2], asked(3, "holding_register", 0xFFFF, 2)).len(), 1);
}

#[test]
fn a_device_tells_what_it_is() {
    let of = |kind, pdu: &[u8]| {
        with(kind, pdu, |message| {
            let mut all = Vec::new();
            message.identity(&mut |claim| all.push((claim.key, String::from_utf8(claim.text.to_vec()).unwrap())));
            all
        })
    };
    let mut pdu = vec![43, 14, 2, 0x82, 0, 0, 8];
    for (id, text) in [(0, "V"), (1, "PC"), (2, "1.0"), (3, "u"), (4, "n"), (5, "m"), (6, "a"), (128, "x")] {
        pdu.extend([id, u8::try_from(text.len()).unwrap()]);
        pdu.extend(text.as_bytes());
    }
    let want = [
        ("vendor", "V"),
        ("product", "PC"),
        ("revision", "1.0"),
        ("vendor_url", "u"),
        ("product_name", "n"),
        ("model_name", "m"),
        ("user_application_name", "a"),
    ];
    assert_eq!(of(Response, &pdu), want.map(|(key, text)| (key, text.to_owned())));
    assert_eq!(of(Response, &pdu[..pdu.len() - 1]), []);
    assert_eq!(of(Response, &[17, 4, 1, 0xFF, b'A', b'B']), [("server_id", "AB".to_owned())]);
    assert_eq!(of(Response, &[17, 3, b'X', b'Y', b'Z']), [("server_id", "XYZ".to_owned())]);
    assert_eq!(of(Response, &[17, 0]), []);
    assert_eq!(of(Request, &[43, 14, 1, 0]), []);
}

#[test]
fn the_table_is_ordered_and_names_every_function() {
    assert!(FUNCTIONS.is_sorted_by(|a, b| (a.code, a.sub) < (b.code, b.sub)));
    for row in FUNCTIONS {
        let found = codes::lookup(row.code, row.sub.unwrap_or(0xFFFF)).unwrap();
        assert_eq!(found.name, row.name);
        assert_eq!(codes::verb(row.code, row.sub.unwrap_or(0xFFFF)), row.verb);
        if row.sub.is_none() && row.code != 90 {
            let reserved = matches!(row.name, "reserved" | "user_defined" | "vendor_programming");
            assert_eq!(codes::clause(row.code).0.is_empty(), reserved, "{row:?}");
            assert!(reserved || codes::clause(row.code) == row.clause, "{row:?}");
        }
    }
    for (code, sub, name) in [
        (1, 0, Some("read_coils")),
        (6, 0, Some("write_single_register")),
        (8, 1, Some("restart_communications_option")),
        (8, 19, Some("diagnostics")),
        (43, 14, Some("read_device_identification")),
        (43, 13, Some("can_open_general_reference")),
        (43, 1, Some("encapsulated_interface_transport")),
        (90, 0x41, Some("stop_controller")),
        (90, 0xEE, Some("umas")),
        (3, 7, Some("read_holding_registers")),
        (0, 0, None),
        (99, 0, None),
        (128, 0, None),
        (259, 0, None),
    ] {
        assert_eq!(Modbus::operation_name(code, sub), name, "{code}/{sub}");
    }
    let named = |name| FUNCTIONS.iter().filter(|row| row.name == name).map(|row| row.code).collect::<Vec<_>>();
    assert_eq!(named("user_defined"), (65..=72).chain(100..=110).collect::<Vec<_>>());
    assert_eq!(named("reserved"), [9, 10, 13, 14, 41, 42, 91, 125, 127]);
}

#[test]
fn the_header_is_held_to_the_standard() {
    let reads = |octets: &[u8]| Message::read_tcp(Request, octets).unwrap().fault().map(|e| (e.field, e.offset));
    assert_eq!(reads(&[0, 1, 0, 0, 0, 2, 1, 7]), None);
    assert_eq!(reads(&[0, 1, 0, 1, 0, 2, 1, 7]), Some(("protocol_identifier", 2)));
    assert_eq!(reads(&[0, 1, 0, 0, 0, 3, 1, 7]), Some(("length", 4)));
    let error = Message::read_tcp(Request, &[0, 1, 0, 0, 0, 1, 1]).unwrap_err();
    assert_eq!((error.field, error.offset), ("function_code", 7));
    // 253 octets of PDU at most; UMAS agrees on more.
    assert_eq!(reads(&adu(&long(&[65], 252))), None);
    assert_eq!(reads(&adu(&long(&[65], 253))), Some(("length", 4)));
    assert_eq!(reads(&adu(&long(&[90, 0, 10], 251))), None);
}

fn messages(dissector: &mut ModbusDissector, direction: Direction, octets: &[u8]) -> (Vec<String>, usize, usize) {
    let (mut all, mut skipped) = (Vec::new(), 0);
    let used = feed(dissector, direction, 0, octets, |dissected| match dissected {
        Dissected::Message { message, octets } => all.push(format!("{octets:02x?} {message:?}")),
        Dissected::Malformed { error, .. } => all.push(error.to_string()),
        Dissected::Skipped { octets } => skipped += octets,
    });
    (all, used, skipped)
}

/// Feeds pieces as a stream does: what is not used up stands before the next piece.
fn stream(dissector: &mut ModbusDissector, direction: Direction, pieces: &[&[u8]]) -> (Vec<String>, usize) {
    let (mut buffer, mut all, mut skipped) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        let (more, used, lost) = messages(dissector, direction, &buffer);
        all.extend(more);
        skipped += lost;
        buffer.drain(..used);
    }
    (all, skipped)
}

fn of_kind(kind: Kind) -> impl Iterator<Item = &'static [u8]> {
    RIGHT.iter().filter(move |(k, ..)| *k == kind).map(|(_, pdu, _)| *pdu)
}

fn direction_of(kind: Kind) -> Direction {
    if kind == Request { Direction::ToServer } else { Direction::ToClient }
}

#[test]
fn a_stream_says_the_same_however_it_is_cut() {
    for kind in [Request, Response] {
        let octets: Vec<u8> = of_kind(kind).flat_map(adu).collect();
        let whole = stream(&mut ModbusDissector::default(), direction_of(kind), &[&octets]);
        assert_eq!((whole.0.len(), whole.1), (of_kind(kind).count(), 0));
        for at in 1..octets.len() {
            let pieces = [&octets[..at], &octets[at..]];
            assert_eq!(stream(&mut ModbusDissector::default(), direction_of(kind), &pieces), whole, "cut at {at}");
        }
        let single: Vec<&[u8]> = octets.chunks(1).collect();
        assert_eq!(stream(&mut ModbusDissector::default(), direction_of(kind), &single), whole);
    }
}

#[test]
fn framing_takes_the_length_of_the_header() {
    let dissector = ModbusDissector::default();
    let framed = |octets: &[u8]| dissector.frame(Direction::ToServer, octets);
    assert_eq!(framed(&adu(&[7])), Framing::Whole(8));
    assert_eq!(framed(&adu(&[3, 0, 0, 0, 1])[..9]), Framing::Short(12));
    assert_eq!(framed(&[0]), Framing::Short(8));
    assert_eq!(framed(&[0, 1, 0, 0, 0]), Framing::Short(8));
    assert!(matches!(framed(&[0, 1, 0, 1, 0]), Framing::Lost(_)));
    // 2 and 254 are the bounds of the standard; longer PDUs of real devices are framed, and then told.
    assert_eq!(framed(&[9, 9, 0, 0, 0, 2]), Framing::Short(8));
    assert!(matches!(framed(&[9, 9, 0, 0, 0, 1, 9, 9]), Framing::Lost(_)));
    assert_eq!(framed(&[9, 9, 0, 0, 4, 1]), Framing::Short(1031));
    assert!(matches!(framed(&[9, 9, 0, 0, 4, 2, 9, 9]), Framing::Lost(_)));
    // The last two octets may begin a header; one more is kept, so that it is looked for again.
    assert!(matches!(framed(b"GET / HTTP/1.1\r\n\r\n"), Framing::Lost(15)));
}

/// Whether a PDU tells by itself that it is one: its function's structure is known.
fn is_particular(pdu: &[u8]) -> bool {
    !matches!(pdu, [65 | 99 | 126, ..] | [43, 13, ..] | [8, 0, 21, ..] | [90, _, 0xEE] | [0x83, 7])
}

#[test]
fn a_lost_stream_is_found_again_within_one_pdu() {
    for kind in [Request, Response] {
        let direction = direction_of(kind);
        let pdus: Vec<Vec<u8>> = of_kind(kind).filter(|pdu| is_particular(pdu)).map(adu).collect();
        let alone = |pdu: &[u8]| messages(&mut ModbusDissector::default(), direction, pdu).0.remove(0);
        for (first, next) in pdus.iter().zip(pdus.iter().cycle().skip(1)) {
            for cut in 1..first.len() {
                let octets = [&first[cut..], next, first].concat();
                for at in [0, first.len() - cut, octets.len() - 1] {
                    let mut dissector = ModbusDissector::default();
                    dissector.gap(direction);
                    let (told, skipped) = stream(&mut dissector, direction, &[&octets[..at], &octets[at..]]);
                    assert_eq!(
                        (told, skipped),
                        (vec![alone(next), alone(first)], first.len() - cut),
                        "{octets:02x?} at {at}"
                    );
                }
            }
        }
    }
}

#[test]
fn garbage_between_pdus_hides_none_of_them() {
    let read = adu(&[3, 0, 0x6B, 0, 3]);
    let write = adu(&[6, 0, 1, 0, 3]);
    let garbage = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let octets = [&read[..], garbage, &write, &read].concat();
    for at in 0..octets.len() {
        let (told, skipped) =
            stream(&mut ModbusDissector::default(), Direction::ToServer, &[&octets[..at], &octets[at..]]);
        assert_eq!((told.len(), skipped), (3, garbage.len()), "cut at {at}: {told:#?}");
    }
    // A header whose length is one too long takes an octet of the next PDU with it, and no more than that PDU.
    let mut long = read.clone();
    long[5] += 1;
    let octets = [&long[..], &write, &read, &write].concat();
    let (told, _) = stream(&mut ModbusDissector::default(), Direction::ToServer, &[&octets]);
    assert_eq!(told.len(), 3);
    assert!(told[1].contains("function_code: FunctionCode(3)") && told[2].contains("FunctionCode(6)"));
    // One too short leaves an octet that is skipped.
    let mut short = read.clone();
    short[5] -= 1;
    let octets = [&short[..], &write, &read].concat();
    let (told, skipped) = stream(&mut ModbusDissector::default(), Direction::ToServer, &[&octets]);
    assert_eq!((told.len(), skipped), (3, 1));
}

#[test]
fn zeros_among_values_are_no_headers_after_a_gap() {
    // Registers that hold what looks like the header of a request, in a response.
    let response = adu(&[3, 16, 0, 0, 0, 0, 0, 0, 0, 6, 0, 3, 0, 0, 0, 1, 0, 0]);
    let next = adu(&[3, 2, 0, 9]);
    let octets = [&response[10..], &next].concat();
    let mut dissector = ModbusDissector::default();
    dissector.gap(Direction::ToClient);
    let (told, skipped) = stream(&mut dissector, Direction::ToClient, &[&octets]);
    assert_eq!((told.len(), skipped), (1, response.len() - 10));
    assert!(told[0].contains("byte_count: 2"));
    // Found again, an odd PDU is taken as it stands; so it is in the other direction, which has lost nothing.
    let odd = adu(&[3, 2, 0]);
    assert_eq!(messages(&mut dissector, Direction::ToClient, &odd).0.len(), 1);
    dissector.gap(Direction::ToClient);
    assert_eq!(messages(&mut dissector, Direction::ToServer, &odd).0.len(), 1);
    assert!(messages(&mut dissector, Direction::ToClient, &odd).0.is_empty());
    // A header in the middle of a PDU whose length fits what follows it, but whose PDU is none.
    let octets = [&[0, 1, 0, 0, 0, 6, 0, 3, 0, 0, 0, 0][..], &adu(&[3, 0, 0x6B, 0, 3])].concat();
    let mut dissector = ModbusDissector::default();
    dissector.gap(Direction::ToServer);
    let (told, skipped) = stream(&mut dissector, Direction::ToServer, &[&octets]);
    assert_eq!((told.len(), skipped), (1, 12));
}

#[test]
fn nothing_panics_however_octets_are_cut_or_changed() {
    let mut count = 0_usize;
    let mut try_all = |octets: &[u8]| {
        for direction in [Direction::ToServer, Direction::ToClient] {
            for rtu in [false, true] {
                let mut dissector = if rtu { ModbusDissector::rtu() } else { ModbusDissector::default() };
                if octets.len().is_multiple_of(2) {
                    dissector.gap(direction);
                }
                let used = feed(&mut dissector, direction, 0, octets, |dissected| {
                    if let Dissected::Message { message, .. } = dissected {
                        look(&message);
                        count += 1;
                    }
                });
                assert!(used <= octets.len());
                if let Ok(message) = dissector.read(direction, 0, octets) {
                    look(&message);
                }
            }
        }
        Modbus::probe(octets, false, &Hints::default());
        Modbus::probe(octets, true, &Hints::default());
    };
    for (_, pdu, _) in RIGHT {
        for octets in [adu(pdu), frame(UNIT, pdu)] {
            for len in 0..octets.len() {
                try_all(&octets[..len]);
            }
            for at in 0..octets.len() {
                for value in 0..=u8::MAX {
                    let mut changed = octets.clone();
                    changed[at] = value;
                    try_all(&changed);
                }
            }
        }
    }
    assert!(count > 100_000);
}

/// Asks a message everything.
fn look(message: &Message<'_>) {
    let asked = operations(message).into_iter().next();
    assert!(asked.is_some() || message.function_code.0 == 90);
    assert!(fields_of(message).len() >= 4);
    points(message, asked);
    message.identity(&mut |_| {});
    message.pairing();
    message.refusal();
    assert!(!tallies(message).is_empty());
}

#[test]
fn the_checksum_is_that_of_the_standard() {
    assert_eq!(crc(b"123456789"), 0x4B37);
    assert_eq!(crc(&[]), 0xFFFF);
    // Device 2, function 7, the standard's own example: the CRC is 0x1241, sent low octet first.
    assert_eq!(frame(2, &[7]), [2, 7, 0x41, 0x12]);
}

#[test]
fn rtu_frames_read_in_both_directions() {
    for (kind, pdu, _) in RIGHT {
        let octets = frame(UNIT, pdu);
        let mut dissector = ModbusDissector::rtu();
        let direction = direction_of(*kind);
        assert_eq!(dissector.frame(direction, &octets), Framing::Whole(octets.len()), "{pdu:02x?}");
        let message = dissector.read(direction, 0, &octets).unwrap();
        assert_eq!(message.fault(), None, "{pdu:02x?}");
        assert_eq!(message.unit_identifier, UNIT);
        let fields = fields_of(&message);
        assert_eq!(fields[0], "unit_identifier=10");
        assert!(fields.last().unwrap().starts_with("crc="));
    }
    let octets = [frame(1, &[3, 0, 0, 0, 1]), frame(2, &[16, 0, 1, 0, 1, 2, 0, 9]), frame(3, &[7])].concat();
    let whole = stream(&mut ModbusDissector::rtu(), Direction::ToServer, &[&octets]);
    assert_eq!((whole.0.len(), whole.1), (3, 0));
    for at in 1..octets.len() {
        let pieces = [&octets[..at], &octets[at..]];
        assert_eq!(stream(&mut ModbusDissector::rtu(), Direction::ToServer, &pieces), whole, "cut at {at}");
    }
    for kind in [Request, Response] {
        let direction = direction_of(kind);
        // Where the function code tells no length, gateways' segments do.
        let frames: Vec<Vec<u8>> = of_kind(kind)
            .filter(|pdu| !matches!(pdu, [65 | 90 | 99 | 126, ..] | [43, 13, ..]))
            .map(|pdu| frame(UNIT, pdu))
            .collect();
        let (told, skipped) = stream(&mut ModbusDissector::rtu(), direction, &[&frames.concat()]);
        assert_eq!((told.len(), skipped), (frames.len(), 0), "{told:#?}");
    }
    // The way is not known yet: the CRC tells the length all the same.
    let response = frame(1, &[3, 2, 0, 5]);
    assert_eq!(ModbusDissector::rtu().frame(Direction::ToServer, &response), Framing::Whole(7));
}

#[test]
fn an_rtu_frame_with_a_wrong_checksum_is_skipped() {
    let good = frame(1, &[6, 0, 1, 0, 3]);
    let mut bad = good.clone();
    bad[7] ^= 1;
    let octets = [&bad[..], &good].concat();
    let (told, skipped) = stream(&mut ModbusDissector::rtu(), Direction::ToServer, &[&octets]);
    assert_eq!((told.len(), skipped), (1, 8));
    for cut in 1..8 {
        let mut dissector = ModbusDissector::rtu();
        dissector.gap(Direction::ToServer);
        let octets = [&good[cut..], &good, &good].concat();
        let (told, skipped) = stream(&mut dissector, Direction::ToServer, &[&octets]);
        assert_eq!((told.len(), skipped), (2, 8 - cut), "from {cut}");
    }
    let message = Message::read_rtu(Request, &bad).unwrap();
    assert!(matches!(message.fault().unwrap().kind, ErrorKind::Checksum { .. }));
    assert_eq!(message.fault().unwrap().offset, 6);
    assert!(Message::read_rtu(Request, &[1, 7, 0]).is_err());
}

fn probed(octets: &[u8]) -> (Probe, &'static str) {
    let (probe, dissector) = Modbus::probe(octets, false, &Hints::default());
    (probe, dissector.dialect())
}

#[test]
fn adus_are_recognised_and_tell_who_sent_them() {
    let is = |pdu: &[u8], sender| assert_eq!(probed(&adu(pdu)), (Probe::Match(sender), "tcp"), "{pdu:02x?}");
    is(&[3, 0, 0x6B, 0, 3], Sender::Client);
    is(&[3, 4, 0, 1, 0, 2], Sender::Server);
    is(&[3, 2, 0, 1], Sender::Server);
    is(&[5, 0, 1, 0xFF, 0], Sender::Either);
    is(&[6, 0, 1, 0, 9], Sender::Either);
    is(&[8, 0, 0, 1, 2], Sender::Either);
    // Both a request and a response with three octets of coils.
    is(&[1, 3, 0, 0, 9], Sender::Either);
    is(&[16, 0, 1, 0, 1, 2, 0, 9], Sender::Client);
    is(&[16, 0, 1, 0, 1], Sender::Server);
    is(&[0x83, 2], Sender::Server);
    is(&[0x83, 2, 0], Sender::Server);
    is(&[43, 14, 1, 0], Sender::Client);
    is(&[90, 0, 2], Sender::Client);
    is(&[90, 0, 0xFE, 1], Sender::Server);
    is(&[126, 1, 2, 3], Sender::Either);
    is(&[65, 1, 2, 3], Sender::Either);
    let chain = [adu(&[6, 0, 1, 0, 9]), adu(&[3, 0, 0x6B, 0, 3])].concat();
    assert_eq!(probed(&chain).0, Probe::Match(Sender::Client));
    assert_eq!(probed(&chain[..chain.len() - 1]).0, Probe::Match(Sender::Either));
    assert_eq!(Modbus::probe(&chain[..12], true, &Hints::default()).0, Probe::Match(Sender::Either));
    assert_eq!(Modbus::probe(&chain[..13], true, &Hints::default()).0, Probe::NoMatch);
}

#[test]
fn what_is_not_certain_is_not_a_match() {
    let read = adu(&[3, 0, 0x6B, 0, 3]);
    for len in 1..read.len() {
        assert_eq!(probed(&read[..len]).0, Probe::Unsure, "{len} octets");
    }
    let unsure = |octets: &[u8]| assert_eq!(probed(octets).0, Probe::Unsure, "{octets:02x?}");
    unsure(&[]);
    // A right header and an odd PDU: the answer will tell.
    unsure(&adu(&[3, 0, 0, 0, 0]));
    unsure(&adu(&[3, 0, 0x6B, 0, 3, 0]));
    unsure(&adu(&[0, 0]));
    unsure(&adu(&[0x83, 7]));
    unsure(&adu(&[99, 1]));
    unsure(&[&adu(&[65, 1])[..], &[0, 1, 0]].concat());
    // Right, and then something else; and two that contradict each other.
    unsure(&[&read[..], b"GET /"].concat());
    unsure(&[&read[..], &adu(&[3, 2, 0, 1])].concat());
    assert_eq!(probed(&[&adu(&[99, 1])[..], b"GET /"].concat()).0, Probe::NoMatch);
}

#[test]
fn rtu_frames_are_recognised_by_their_checksum() {
    let is = |pdu: &[u8], sender| assert_eq!(probed(&frame(1, pdu)), (Probe::Match(sender), "rtu"), "{pdu:02x?}");
    is(&[3, 0, 0x6B, 0, 3], Sender::Client);
    is(&[3, 2, 0, 5], Sender::Server);
    is(&[6, 0, 1, 0, 3], Sender::Either);
    is(&[0x83, 2], Sender::Server);
    // A head that could be an MBAP header too.
    is(&[3, 0, 0, 0, 10], Sender::Client);
    let good = frame(1, &[3, 0, 0x6B, 0, 3]);
    assert_eq!(probed(&[&good[..], &good].concat()), (Probe::Match(Sender::Client), "rtu"));
    assert_eq!(probed(&[&good[..], &[0]].concat()).0, Probe::NoMatch);
    assert_eq!(Modbus::probe(&good, true, &Hints::default()).0, Probe::NoMatch);
    let mut bad = good.clone();
    bad[6] ^= 1;
    assert_eq!(probed(&bad).0, Probe::NoMatch);
    assert_eq!(probed(&frame(248, &[3, 0, 0x6B, 0, 3])).0, Probe::NoMatch);
    assert_eq!(probed(&frame(1, &[3, 0, 0x6B, 0, 0])).0, Probe::NoMatch);
}

#[test]
fn other_protocols_are_not_modbus() {
    let others: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"220 ftp ready\r\n",
        b"EHLO a\r\n",
        // TLS ClientHello and ServerHello.
        &[0x16, 3, 1, 0, 0x85, 1, 0, 0, 0x81, 3, 3, 1, 2, 3],
        &[0x16, 3, 3, 0, 0x31, 2, 0, 0, 0x2D, 3, 3, 1, 2, 3],
        // DNS over TCP, with identifier 0 too; then DNS and NBNS queries.
        &[0, 0x1D, 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1],
        &[0, 0x1D, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1],
        &[0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1],
        &[0x12, 0x34, 1, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1],
        // DNP3, IEC 60870-5-104 (STARTDT, a general interrogation, S format), TPKT with S7 and RDP.
        &[0x05, 0x64, 0x05, 0xC0, 0x01, 0x00, 0x00, 0x04, 0xE9, 0x21],
        &[0x68, 4, 7, 0, 0, 0],
        &[0x68, 4, 1, 0, 2, 0],
        &[0x68, 0x0E, 0, 0, 0, 0, 100, 1, 6, 0, 1, 0, 0, 0, 0, 20],
        &[3, 0, 0, 0x16, 0x11, 0xE0, 0, 0, 0, 1, 0, 0xC0, 1, 10, 0xC1, 2, 1, 0, 0xC2, 2, 1, 2],
        &[3, 0, 0, 0x2B, 0x26, 0xE0, 0, 0, 0, 0, 0, b'C'],
        // EtherNet/IP: list identity, register session.
        &[0x63, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x65, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        // OPC UA, FINS, SMB, Kafka, AMQP heartbeat, HTTP/2 settings, MySQL ping, Oracle TNS connect, RPC, STUN,
        // MongoDB.
        b"HELF\x20\0\0\0\0\0\0\0\0\0\x01\0",
        b"FINS\0\0\0\x0C\0\0\0\0\0\0\0\0\0\0\0\0",
        &[0, 0, 0, 0x2D, 0xFF, b'S', b'M', b'B', 0x72, 0, 0, 0],
        &[0, 0, 0, 0x14, 0, 18, 0, 0, 0, 0, 0, 1, 0, 2, b'a', b'b'],
        &[8, 0, 0, 0, 0, 0, 0, 0xCE],
        &[0, 0, 0, 4, 0, 0, 0, 0, 0],
        &[1, 0, 0, 0, 14],
        &[0, 0x3A, 0, 0, 1, 0, 0, 0, 1, 0x36, 1, 0x2C],
        &[0x80, 0, 0, 0x28, 0x7E, 0x86, 0xAB, 0x4A, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0x86, 0xA3],
        &[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        &[0x3A, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xD4, 7, 0, 0],
    ];
    for octets in others {
        assert_eq!(probed(octets).0, Probe::NoMatch, "{octets:02x?}");
        assert_eq!(Modbus::probe(octets, true, &Hints::default()).0, Probe::NoMatch, "{octets:02x?}");
    }
    for len in 6..300 {
        assert_eq!(probed(&vec![0; len]).0, Probe::NoMatch, "{len} zeros");
        assert_eq!(probed(&vec![0xFF; len]).0, Probe::NoMatch);
    }
    // LDAP with lengths of four octets fits the header: abandon request, unbind request, search request.
    for octets in [
        &[0x30, 0x84, 0, 0, 0, 6, 2, 1, 5, 0x50, 1, 4][..],
        &[0x30, 0x84, 0, 0, 0, 6, 2, 2, 3, 1, 0x42, 0],
        &[0x30, 0x84, 0, 0, 0, 8, 2, 1, 7, 0x63, 0x84, 0, 0, 0],
    ] {
        assert_eq!(probed(octets).0, Probe::Unsure, "{octets:02x?}");
    }
}

#[test]
fn random_octets_are_not_modbus() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes()
    };
    for round in 0..200_000 {
        let mut octets: Vec<u8> = (0..4).flat_map(|_| next()).collect();
        octets.truncate(6 + round % 27);
        assert!(!matches!(probed(&octets).0, Probe::Match(_)), "{octets:02x?}");
    }
}

#[test]
fn what_a_message_holds_is_what_the_octets_say() {
    let octets = adu(&[16, 0, 1, 0, 2, 4, 0, 10, 1, 2]);
    let message = Message::read_tcp(Request, &octets).unwrap();
    let envelope = Envelope::Tcp { transaction_identifier: TRANSACTION, protocol_identifier: 0, length: 11 };
    assert_eq!(message.envelope, envelope);
    assert_eq!(
        message.body,
        Body::Multiple { starting_address: 1, quantity: 2, byte_count: 4, values: &[0, 10, 1, 2] }
    );
}
