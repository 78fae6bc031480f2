//! Information elements octet by octet: values, quality, times, fields, and each fault in both senses.

use super::*;
use crate::protocols::iec104::codes::{ElementSize, TYPES};

/// 2026-01-05 10:11:12.123, a Monday.
const TIME: [u8; 7] = [0x5B, 0x2F, 0x0B, 0x0A, 0x25, 0x01, 0x1A];
const TIME_MS: u64 = 1_767_607_872_123;
const SHORT_TIME: [u8; 3] = [0x5B, 0x2F, 0x0B];

fn bit(bit: bool) -> PointValue {
    PointValue::Bit(bit)
}

fn unsigned(n: u64) -> PointValue {
    PointValue::Unsigned(n)
}

fn signed(n: i64) -> PointValue {
    PointValue::Signed(n)
}

fn real(n: f64) -> PointValue {
    PointValue::Real(n)
}

fn of(value: PointValue) -> Element {
    Element { value, quality: Quality(0), time: None, select: None, qualifier: None }
}

fn command(value: PointValue, select: bool, qualifier: u8) -> Element {
    Element { select: Some(select), qualifier: Some(qualifier), ..of(value) }
}

fn qualified(value: PointValue, qualifier: u8) -> Element {
    Element { qualifier: Some(qualifier), ..of(value) }
}

/// The octets, then a time of the type's tag.
fn tagged(octets: &[u8], time: &[u8]) -> Vec<u8> {
    [octets, time].concat()
}

fn told(type_id: u8, octets: &[u8]) -> Vec<String> {
    let mut told = Vec::new();
    fields(TypeId(type_id), octets, &mut |name, value| told.push(format!("{name}={value:?}")));
    told
}

/// One object of each type that has a value, without its time tag; the type identifications without, with CP24Time2a
/// and with CP56Time2a (0 where there is none).
fn objects() -> Vec<([u8; 3], Vec<u8>, Element)> {
    let over = Quality::OVERFLOW;
    let with = |value, quality| Element { quality, ..of(value) };
    vec![
        ([1, 2, 30], vec![0x01], of(bit(true))),
        ([1, 2, 30], vec![0x80], with(bit(false), Quality::INVALID)),
        ([1, 2, 30], vec![0x51], with(bit(true), Quality::NOT_TOPICAL.and(Quality::BLOCKED))),
        ([3, 4, 31], vec![0x02], of(unsigned(2))),
        ([3, 4, 31], vec![0x23], with(unsigned(3), Quality::SUBSTITUTED)),
        ([5, 6, 32], vec![0x3F, 0x00], of(signed(63))),
        ([5, 6, 32], vec![0x40, 0x01], with(signed(-64), over)),
        ([5, 6, 32], vec![0xFF, 0x00], of(signed(-1))),
        ([7, 8, 33], vec![0x78, 0x56, 0x34, 0x12, 0x00], of(unsigned(0x1234_5678))),
        ([9, 10, 34], vec![0x00, 0x80, 0x00], of(real(-1.0))),
        ([9, 10, 34], vec![0x00, 0x40, 0x81], with(real(0.5), Quality::INVALID.and(over))),
        ([11, 12, 35], vec![0xFE, 0xFF, 0x00], of(signed(-2))),
        ([11, 12, 35], vec![0xFF, 0x7F, 0x10], with(signed(32_767), Quality::BLOCKED)),
        ([13, 14, 36], vec![0x00, 0x00, 0x48, 0x41, 0x00], of(real(12.5))),
        ([15, 16, 37], vec![0xFF, 0xFF, 0xFF, 0xFF, 0x3F], of(signed(-1))),
        ([15, 16, 37], vec![0x01, 0x00, 0x00, 0x00, 0x40], with(signed(1), Quality::REFERENCE)),
        ([15, 16, 37], vec![0x01, 0x00, 0x00, 0x00, 0x80], with(signed(1), Quality::INVALID)),
        ([0, 17, 38], vec![0x02, 0xE8, 0x03], of(unsigned(2))),
        ([0, 17, 38], vec![0x0A, 0xE8, 0x03], with(unsigned(2), Quality::INVALID)),
        ([0, 18, 39], vec![0x21, 0x20, 0xE8, 0x03], with(unsigned(0x21), Quality::SUBSTITUTED)),
        ([0, 19, 40], vec![0x0F, 0x40, 0xE8, 0x03], with(unsigned(0x0F), Quality::NOT_TOPICAL)),
        ([20, 0, 0], vec![0x01, 0x80, 0xFF, 0x00, 0x01], with(unsigned(0x8001), over)),
        ([21, 0, 0], vec![0xFF, 0x7F], of(real(32_767.0 / 32_768.0))),
        ([0, 0, 41], vec![0x07, 0x00, 0x00, 0x00, 0x01], of(signed(7))),
        ([45, 0, 58], vec![0x81], command(bit(true), true, 0)),
        ([45, 0, 58], vec![0x04], command(bit(false), false, 1)),
        ([46, 0, 59], vec![0x8A], command(unsigned(2), true, 2)),
        ([46, 0, 59], vec![0x0D], command(unsigned(1), false, 3)),
        ([47, 0, 60], vec![0xC1], command(unsigned(1), true, 16)),
        ([48, 0, 61], vec![0x00, 0xC0, 0x80], command(real(-0.5), true, 0)),
        ([49, 0, 62], vec![0x10, 0x00, 0x40], command(signed(16), false, 64)),
        ([50, 0, 63], vec![0x00, 0x00, 0x80, 0xBF, 0x00], command(real(-1.0), false, 0)),
        ([51, 0, 64], vec![0x01, 0x00, 0x00, 0x80], of(unsigned(0x8000_0001))),
        ([70, 0, 0], vec![0x81], qualified(unsigned(0x81), 0x81)),
        ([100, 0, 0], vec![20], qualified(unsigned(20), 20)),
        ([101, 0, 0], vec![0x45], qualified(unsigned(0x45), 0x45)),
        ([104, 0, 107], vec![0xAA, 0x55], of(unsigned(0x55AA))),
        ([105, 0, 0], vec![1], qualified(unsigned(1), 1)),
        ([106, 0, 0], vec![0xF4, 0x01], of(unsigned(500))),
        ([110, 0, 0], vec![0x00, 0x40, 0x01], qualified(real(0.5), 1)),
        ([111, 0, 0], vec![0x9C, 0xFF, 0x03], qualified(signed(-100), 3)),
        ([112, 0, 0], vec![0x00, 0x00, 0x20, 0x40, 0x84], qualified(real(2.5), 0x84)),
        ([113, 0, 0], vec![2], qualified(unsigned(2), 2)),
    ]
}

#[test]
fn every_type_reads_its_object() {
    let mut seen = vec![102, 103];
    for ([plain, short, long], octets, element) in objects() {
        let stamped = Element { time: Some(TIME_MS), ..element };
        let forms = [
            (plain, octets.clone(), element),
            (short, tagged(&octets, &SHORT_TIME), element),
            (long, tagged(&octets, &TIME), stamped),
        ];
        for (type_id, octets, element) in forms.into_iter().filter(|(type_id, ..)| *type_id != 0) {
            assert_eq!(read(TypeId(type_id), &octets), Some(element), "type {type_id}");
            assert_eq!(fault(TypeId(type_id), &octets), None, "type {type_id}");
            // One octet less or more is another object.
            assert_eq!(read(TypeId(type_id), &octets[1..]), None, "type {type_id}");
            assert_eq!(read(TypeId(type_id), &[octets.as_slice(), &[0]].concat()), None, "type {type_id}");
            seen.push(type_id);
        }
    }
    // No type with a value was left out.
    for row in TYPES.iter().filter(|row| row.code < 120 && row.size != ElementSize::Variable) {
        assert!(seen.contains(&row.code), "{} is not tested", row.name);
    }
}

#[test]
fn what_has_no_value_is_not_read() {
    assert_eq!(read(TypeId(102), &[]), None);
    assert_eq!(read(TypeId(120), &[1, 0, 0, 1, 0, 0]), None);
    assert_eq!(read(TypeId(81), &[1, 2, 3]), None);
    assert_eq!(read(TypeId(136), &[1]), None);
    assert_eq!(read(TypeId(22), &[1]), None);
    assert!(told(136, &[1]).is_empty());
    assert!(told(1, &[]).is_empty());
    assert_eq!(fault(TypeId(136), &[0xFF]), None);
}

#[test]
fn a_clock_is_its_own_value() {
    let clock = read(TypeId(103), &TIME).unwrap();
    assert_eq!((clock.value, clock.time), (unsigned(TIME_MS), Some(TIME_MS)));
    let mut invalid = TIME;
    invalid[2] |= 0x80;
    let clock = read(TypeId(103), &invalid).unwrap();
    assert_eq!((clock.value, clock.time), (unsigned(0), None));
}

#[test]
fn times_follow_the_calendar() {
    let since = |day: u8, month: u8, year: u8| {
        read(TypeId(103), &[0, 0, 0, 0, day, month, year]).unwrap().time.map(|ms| ms / 1000)
    };
    assert_eq!(since(1, 1, 0), Some(946_684_800));
    assert_eq!(since(29, 2, 24), Some(1_709_164_800));
    assert_eq!(since(1, 3, 24), Some(1_709_251_200));
    assert_eq!(since(1, 3, 26), Some(1_772_323_200));
    assert_eq!(since(31, 12, 99), Some(4_102_358_400));
    assert_eq!(since(29, 2, 26), None);
    let months = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut first = 1_767_225_600; // 2026-01-01
    for (month, days) in (1..).zip(months) {
        assert_eq!(since(1, month, 26), Some(first), "month {month}");
        assert_eq!(since(days, month, 26), Some(first + (u64::from(days) - 1) * 86_400));
        assert_eq!(since(days + 1, month, 26), None);
        first += u64::from(days) * 86_400;
    }
    // Summer time, the day of the week and the mark of substitution change nothing.
    let mut marked = TIME;
    marked[2] |= 0x40;
    marked[3] |= 0x80;
    marked[4] &= 0x1F;
    assert_eq!(read(TypeId(103), &marked).unwrap().time, Some(TIME_MS));
    assert_eq!(fault(TypeId(103), &marked), None);
}

#[test]
fn times_that_are_none_are_faults() {
    let cases: [(usize, u8, &str, u64); 12] = [
        (1, 0xEB, "millisecond", 0xEB5B),
        (2, 60, "minute", 60),
        (3, 24, "hour", 24),
        (4, 0, "day_of_month", 0),
        (4, 0x20, "day_of_month", 0),
        (5, 0, "month", 0),
        (5, 13, "month", 13),
        (6, 100, "year", 100),
        (6, 127, "year", 127),
        (3, 0x2A, "time_reserved_bits", 0x2000_0000),
        (5, 0x11, "time_reserved_bits", 0x1000_0000_0000),
        (6, 0x9A, "time_reserved_bits", 0x80_0000_0000_0000),
    ];
    for (at, put, field, got) in cases {
        let mut time = TIME;
        time[at] = put;
        let event = tagged(&[0x01], &time);
        assert_eq!(fault(TypeId(30), &event), Some((field, got)), "{field}");
        assert_eq!(fault(TypeId(103), &time), Some((field, got)), "{field}");
        let named = (field != "time_reserved_bits").then_some(field);
        assert_eq!(time_fault(TypeId(30), &event), named);
        assert_eq!(read(TypeId(30), &event).unwrap().time.is_some(), named.is_none(), "{field}");
        // A time that calls itself invalid may hold anything.
        time[2] |= 0x80;
        assert_eq!(fault(TypeId(103), &time), None, "{field}");
        assert_eq!(time_fault(TypeId(103), &time), None);
        assert_eq!(read(TypeId(103), &time).unwrap().time, None);
    }
    assert_eq!(time_fault(TypeId(103), &TIME), None);
    // The last millisecond of a minute is a time, the next is none.
    assert_eq!(fault(TypeId(2), &[1, 0x5F, 0xEA, 59]), None);
    assert_eq!(fault(TypeId(2), &[1, 0x60, 0xEA, 59]), Some(("millisecond", 60_000)));
    assert_eq!(fault(TypeId(2), &[1, 0x5F, 0xEA, 60]), Some(("minute", 60)));
    assert_eq!(time_fault(TypeId(2), &[1, 0x5F, 0xEA, 60]), Some("minute"));
    assert_eq!(fault(TypeId(2), &[1, 0x60, 0xEA, 60 | 0x80]), None);
    assert_eq!(time_fault(TypeId(1), &[1]), None);
}

/// Type identification, octets around one octet, where it stands, the mask and shift of the qualifier, its field, and
/// which of its values are allowed.
#[test]
fn reserved_qualifiers_are_faults_and_others_are_none() {
    type Case = (u8, &'static [u8], usize, u32, u8, &'static str, fn(u8) -> bool);
    let cases: [Case; 21] = [
        (45, &[0], 0, 2, 0x1F, "qualifier_of_command", |qualifier| !(4..=8).contains(&qualifier)),
        (46, &[1], 0, 2, 0x1F, "qualifier_of_command", |qualifier| !(4..=8).contains(&qualifier)),
        (47, &[2], 0, 2, 0x1F, "qualifier_of_command", |qualifier| !(4..=8).contains(&qualifier)),
        (46, &[0], 0, 0, 0x03, "double_command_state", |state| matches!(state, 1 | 2)),
        (47, &[0], 0, 0, 0x03, "regulating_step_command_state", |state| matches!(state, 1 | 2)),
        (48, &[0, 0, 0], 2, 0, 0x7F, "qualifier_of_set_point_command", |ql| ql == 0 || ql > 63),
        (49, &[0, 0, 0x80], 2, 0, 0x7F, "qualifier_of_set_point_command", |ql| ql == 0 || ql > 63),
        (50, &[0, 0, 0, 0, 0], 4, 0, 0x7F, "qualifier_of_set_point_command", |ql| ql == 0 || ql > 63),
        (70, &[0x80], 0, 0, 0x7F, "cause_of_initialization", |coi| !(3..=31).contains(&coi)),
        (100, &[0], 0, 0, 0xFF, "qualifier_of_interrogation", |qoi| (20..=36).contains(&qoi) || qoi > 63),
        (101, &[0x40], 0, 0, 0x3F, "counter_request", |rqt| (1..=5).contains(&rqt) || rqt > 31),
        (105, &[0], 0, 0, 0xFF, "qualifier_of_reset_process_command", |qrp| matches!(qrp, 1 | 2) || qrp > 127),
        (110, &[0, 0, 0], 2, 0, 0x3F, "kind_of_parameter", |kpa| (1..=4).contains(&kpa) || kpa > 31),
        (111, &[0, 0, 0xC0], 2, 0, 0x3F, "kind_of_parameter", |kpa| (1..=4).contains(&kpa) || kpa > 31),
        (112, &[0, 0, 0, 0, 0], 4, 0, 0x3F, "kind_of_parameter", |kpa| (1..=4).contains(&kpa) || kpa > 31),
        (113, &[0], 0, 0, 0xFF, "qualifier_of_parameter_activation", |qpa| (1..=3).contains(&qpa) || qpa > 127),
        (120, &[1, 0, 9, 0, 0, 0x80], 5, 0, 0x7F, "file_ready_qualifier", |frq| frq == 0 || frq > 63),
        (121, &[1, 0, 1, 9, 0, 0, 0], 6, 0, 0x7F, "section_ready_qualifier", |srq| srq == 0 || srq > 63),
        (123, &[1, 0, 1, 0, 9], 3, 0, 0xFF, "last_section_or_segment_qualifier", |lsq| {
            (1..=4).contains(&lsq) || lsq > 127
        }),
        (126, &[1, 0, 9, 0, 0, 0xE0, 0, 0, 0, 0, 1, 1, 26], 5, 0, 0x1F, "status_of_file", |status| {
            status == 0 || status > 15
        }),
        (20, &[0, 0, 0, 0, 0], 4, 1, 0x07, "quality_descriptor", |reserved| reserved == 0),
    ];
    for (type_id, octets, at, shift, mask, field, is_allowed) in cases {
        for put in 0..=mask {
            let mut octets = octets.to_vec();
            octets[at] |= put << shift;
            let got = if field == "quality_descriptor" { octets[at] } else { put };
            let expected = (!is_allowed(put)).then_some((field, u64::from(got)));
            assert_eq!(fault(TypeId(type_id), &octets), expected, "type {type_id} {field} {put}");
        }
        assert_ne!(clause(field), clause(""), "{field} has a clause of its own");
    }
}

#[test]
fn both_halves_of_file_qualifiers_are_judged() {
    for (call, error, allowed) in
        [(7, 5, true), (11, 11, true), (8, 0, false), (10, 0, false), (0, 6, false), (15, 10, false)]
    {
        let octets = [1, 0, 1, call | error << 4];
        let expected = (!allowed).then_some(("select_and_call_qualifier", u64::from(octets[3])));
        assert_eq!(fault(TypeId(122), &octets), expected, "{call} {error}");
    }
    for (answer, error, allowed) in [(4, 5, true), (11, 11, true), (5, 0, false), (10, 0, false), (1, 6, false)] {
        let octets = [1, 0, 1, answer | error << 4];
        let expected = (!allowed).then_some(("acknowledge_file_or_section_qualifier", u64::from(octets[3])));
        assert_eq!(fault(TypeId(124), &octets), expected, "{answer} {error}");
    }
}

#[test]
fn reserved_bits_are_faults() {
    let cases: [(u8, &[u8], &[u8], &str); 8] = [
        (1, &[0xF1], &[0x02, 0x04, 0x08], "quality_descriptor"),
        (3, &[0xF3], &[0x04, 0x08], "quality_descriptor"),
        (5, &[0, 0xF1], &[], ""),
        (45, &[0x81], &[0x02], "single_command"),
        (17, &[0xFB, 0, 0, 0, 0, 0], &[0x04], "quality_descriptor"),
        (18, &[0x3F, 0xF8, 0, 0, 0, 0, 0], &[0x40, 0x80], "start_events"),
        (19, &[0x0F, 0xF8, 0, 0, 0, 0, 0], &[0x10, 0x20, 0x40, 0x80], "output_circuits"),
        (9, &[0, 0, 0xF1], &[], ""),
    ];
    for (type_id, octets, reserved, field) in cases {
        assert_eq!(fault(TypeId(type_id), octets), None, "type {type_id}");
        for bit in reserved {
            let mut octets = octets.to_vec();
            octets[0] |= bit;
            assert_eq!(fault(TypeId(type_id), &octets), Some((field, octets[0].into())), "type {type_id}");
            assert_ne!(clause(field), clause(""));
        }
    }
    assert_eq!(fault(TypeId(18), &[0, 0x01, 0, 0, 0, 0, 0]), Some(("quality_descriptor", 1)));
    assert_eq!(fault(TypeId(104), &[0x55, 0xAA]), Some(("fixed_test_bit_pattern", 0xAA55)));
}

#[test]
fn numbers_that_are_none_are_faults_unless_called_invalid() {
    let bits = |number: f32| number.to_le_bytes();
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let got = Some(("short_floating_point_number", u64::from(number.to_bits())));
        let with = |quality: u8| [bits(number).as_slice(), &[quality]].concat();
        assert_eq!(fault(TypeId(13), &with(0)), got);
        assert_eq!(fault(TypeId(13), &with(0x70)), got);
        assert_eq!(fault(TypeId(13), &with(0x80)), None);
        assert_eq!(fault(TypeId(13), &with(0x01)), None);
        // A command and a parameter have no quality to excuse it: the same octet is something else there.
        assert_eq!(fault(TypeId(50), &with(0x80)), got);
        assert_eq!(fault(TypeId(112), &with(0x81)), got);
        assert_eq!(fault(TypeId(36), &tagged(&with(0), &TIME)), got);
    }
    for number in [f32::MAX, f32::MIN_POSITIVE, 0.0, -0.0] {
        assert_eq!(fault(TypeId(13), &[bits(number).as_slice(), &[0]].concat()), None);
    }
}

#[test]
fn elapsed_times_end_with_the_minute_unless_called_invalid() {
    for (type_id, head, field) in [
        (38, vec![1], "elapsed_time"),
        (39, vec![1, 0], "relay_duration_time"),
        (40, vec![1, 0], "relay_operating_time"),
    ] {
        let with = |descriptor: u8, elapsed: u16| {
            let mut octets = head.clone();
            *octets.last_mut().unwrap() |= descriptor;
            octets.extend(elapsed.to_le_bytes());
            tagged(&octets, &TIME)
        };
        assert_eq!(fault(TypeId(type_id), &with(0, 59_999)), None);
        assert_eq!(fault(TypeId(type_id), &with(0, 60_000)), Some((field, 60_000)));
        assert_eq!(fault(TypeId(type_id), &with(0x08, 60_000)), None);
        assert_ne!(clause(field), clause(""));
    }
    assert_eq!(fault(TypeId(106), &59_999_u16.to_le_bytes()), None);
    assert_eq!(fault(TypeId(106), &60_000_u16.to_le_bytes()), Some(("delay", 60_000)));
}

#[test]
fn a_segment_is_as_long_as_it_says() {
    assert_eq!(fault(TypeId(125), &[1, 0, 1, 3, 7, 8, 9]), None);
    assert_eq!(fault(TypeId(125), &[1, 0, 1, 4, 7, 8, 9]), Some(("length_of_segment", 4)));
    assert_eq!(fault(TypeId(125), &[1, 0, 1, 0]), None);
    assert_eq!(fault(TypeId(125), &[1, 0, 1, 1]), Some(("length_of_segment", 1)));
    // Cut short: the ASDU's length tells it.
    assert_eq!(fault(TypeId(125), &[1, 0]), None);
    assert_eq!(
        told(125, &[1, 0, 2, 3, 7, 8, 9]),
        [
            "name_of_file=Unsigned(1)",
            "name_of_section=Unsigned(2)",
            "length_of_segment=Unsigned(3)",
            "segment=Octets([7, 8, 9])"
        ]
    );
}

#[test]
fn fields_have_the_names_of_the_standard() {
    let cases: [(u8, &[u8], &[&str]); 24] = [
        (1, &[0x01], &["single_point_information=Bool(true)"]),
        (
            1,
            &[0xF0],
            &[
                "single_point_information=Bool(false)",
                "blocked=Bool(true)",
                "substituted=Bool(true)",
                "not_topical=Bool(true)",
                "invalid=Bool(true)",
            ],
        ),
        (3, &[0x02], &["double_point_information=Unsigned(2)", "double_point=Name(\"on\")"]),
        (5, &[0xC0, 0x01], &["step_position=Signed(-64)", "transient=Bool(true)", "overflow=Bool(true)"]),
        (9, &[0x00, 0x40, 0], &["normalized_value=Real(0.5)"]),
        (11, &[0xFE, 0xFF, 0x80], &["scaled_value=Signed(-2)", "invalid=Bool(true)"]),
        (13, &[0, 0, 0x48, 0x41, 0], &["short_floating_point_number=Real(12.5)"]),
        (
            16,
            &[5, 0, 0, 0, 0x63, 0x5B, 0x2F, 0x8B],
            &[
                "counter_reading=Signed(5)",
                "sequence_number=Unsigned(3)",
                "carry=Bool(true)",
                "counter_adjusted=Bool(true)",
                "minute=Unsigned(11)",
                "millisecond=Unsigned(12123)",
                "time_invalid=Bool(true)",
            ],
        ),
        (
            17,
            &[0x0A, 0xE8, 0x03, 0x5B, 0x2F, 0x0B],
            &[
                "event_state=Unsigned(2)",
                "event=Name(\"on\")",
                "elapsed_time_invalid=Bool(true)",
                "elapsed_time=Unsigned(1000)",
                "minute=Unsigned(11)",
                "millisecond=Unsigned(12123)",
            ],
        ),
        (
            18,
            &[0x21, 0x00, 0xE8, 0x03, 0, 0, 0],
            &[
                "start_events=Unsigned(33)",
                "general_start=Bool(true)",
                "start_reverse_direction=Bool(true)",
                "relay_duration_time=Unsigned(1000)",
                "minute=Unsigned(0)",
                "millisecond=Unsigned(0)",
            ],
        ),
        (20, &[1, 0x80, 0, 0, 0], &["status=Bits([1, 128], 16)", "status_change_detected=Bits([0, 0], 16)"]),
        (
            45,
            &[0x85],
            &[
                "single_command_state=Bool(true)",
                "qualifier_of_command=Unsigned(1)",
                "command_output=Name(\"short_pulse\")",
                "select=Bool(true)",
            ],
        ),
        (
            46,
            &[0x03],
            &[
                "double_command_state=Unsigned(3)",
                "double_command=Null",
                "qualifier_of_command=Unsigned(0)",
                "command_output=Name(\"no_additional_definition\")",
                "select=Bool(false)",
            ],
        ),
        (
            47,
            &[0x12],
            &[
                "regulating_step_command_state=Unsigned(2)",
                "regulating_step_command=Name(\"next_step_higher\")",
                "qualifier_of_command=Unsigned(4)",
                "command_output=Null",
                "select=Bool(false)",
            ],
        ),
        (
            48,
            &[0, 0x40, 0x80],
            &["normalized_value=Real(0.5)", "qualifier_of_set_point_command=Unsigned(0)", "select=Bool(true)"],
        ),
        (51, &[1, 0, 0, 0], &["bitstring=Unsigned(1)"]),
        (
            70,
            &[0x82],
            &[
                "cause_of_initialization=Unsigned(2)",
                "initialization=Name(\"remote_reset\")",
                "local_parameters_changed=Bool(true)",
            ],
        ),
        (100, &[20], &["qualifier_of_interrogation=Unsigned(20)", "interrogation=Name(\"station\")"]),
        (
            101,
            &[0x45],
            &[
                "counter_request=Unsigned(5)",
                "counters=Name(\"general\")",
                "counter_freeze=Unsigned(1)",
                "freeze=Name(\"freeze_without_reset\")",
            ],
        ),
        (102, &[], &[]),
        (
            105,
            &[1],
            &["qualifier_of_reset_process_command=Unsigned(1)", "reset_process=Name(\"general_reset_of_process\")"],
        ),
        (
            110,
            &[0, 0x40, 0xC3],
            &[
                "normalized_value=Real(0.5)",
                "kind_of_parameter=Unsigned(3)",
                "parameter=Name(\"low_limit\")",
                "local_parameter_change=Bool(true)",
                "parameter_not_in_operation=Bool(true)",
            ],
        ),
        (
            122,
            &[1, 0, 2, 0x44],
            &[
                "name_of_file=Unsigned(1)",
                "name_of_section=Unsigned(2)",
                "select_and_call_qualifier=Unsigned(68)",
                "call=Name(\"delete_file\")",
                "file_error=Name(\"unexpected_name_of_file\")",
            ],
        ),
        (81, &[1, 2], &["authentication_data=Octets([1, 2])"]),
    ];
    for (type_id, octets, expected) in cases {
        assert_eq!(told(type_id, octets), expected, "type {type_id}");
    }
}

#[test]
fn fields_tell_times_and_what_is_wrong_with_them() {
    let mut time = TIME;
    assert_eq!(told(103, &time), [format!("time=Unsigned({TIME_MS})")]);
    time[3] |= 0x80;
    time[2] |= 0x40;
    assert_eq!(
        told(103, &time),
        [format!("time=Unsigned({TIME_MS})"), "time_substituted=Bool(true)".into(), "summer_time=Bool(true)".into()]
    );
    time[2] = 0x80;
    assert_eq!(told(103, &time)[..2], ["time=Null".to_owned(), "time_invalid=Bool(true)".to_owned()]);
    let log = [[1, 0].as_slice(), &TIME, &TIME].concat();
    assert_eq!(
        told(127, &log),
        [
            "name_of_file=Unsigned(1)".to_owned(),
            format!("range_start_time=Unsigned({TIME_MS})"),
            format!("range_stop_time=Unsigned({TIME_MS})")
        ]
    );
}

#[test]
fn every_octet_can_be_asked_anything() {
    for type_id in 0..=255 {
        for fill in [0x00, 0x55, 0xAA, 0xFF] {
            for length in 0..=20 {
                let octets = vec![fill; length];
                let type_id = TypeId(type_id);
                let is_its_size = type_id.element_octets() == Some(ElementSize::Fixed(length));
                assert!(is_its_size || read(type_id, &octets).is_none());
                let mut told = 0;
                fields(type_id, &octets, &mut |_, _| told += 1);
                let may_tell = is_its_size || type_id.element_octets() == Some(ElementSize::Variable);
                assert!(told == 0 || may_tell);
                assert!(fault(type_id, &octets).is_none() || may_tell);
                assert!(time_fault(type_id, &octets).is_none() || is_its_size);
            }
        }
    }
}
