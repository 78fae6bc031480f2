//! Tests of object headers, ranges, and every object of IEEE 1815 Annex A.

use super::super::elements::{OBJECTS, object_type};
use super::*;
use crate::message::Quality;

const NOON: [u8; 6] = [0x00, 0x10, 0x20, 0x30, 0x8D, 0x01];
const NOON_MS: u64 = 0x018D_3020_1000;

fn headers(octets: &[u8], with_data: bool) -> Vec<Result<ObjectHeader<'_>, ParseError>> {
    ObjectHeaders::new(octets, 0, with_data).collect()
}

fn only(octets: &[u8]) -> ObjectHeader<'_> {
    let found = headers(octets, true);
    assert_eq!(found.len(), 1, "{octets:02X?}: {found:?}");
    found[0].unwrap_or_else(|error| panic!("{octets:02X?}: {error}"))
}

fn breach(octets: &[u8], with_data: bool) -> ParseError {
    let found = headers(octets, with_data);
    assert_eq!(found.len(), 1, "{octets:02X?}: {found:?}");
    found[0].err().unwrap_or_else(|| panic!("{octets:02X?} was taken"))
}

fn points(octets: &[u8]) -> Vec<Point> {
    let mut found = Vec::new();
    let mut common = None;
    for header in ObjectHeaders::new(octets, 0, true).flatten() {
        header.points(&mut common, &mut |point| found.push(point));
    }
    found
}

fn runs(octets: &[u8], with_data: bool) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    for header in ObjectHeaders::new(octets, 0, with_data).flatten() {
        header.runs(&mut |first, count| found.push((first, count)));
    }
    found
}

fn fields(octets: &[u8], with_data: bool) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for header in ObjectHeaders::new(octets, 0, with_data).flatten() {
        header.fields(&mut |name, value| found.push((name.to_owned(), format!("{value:?}"))));
    }
    found
}

fn field(fields: &[(String, String)], name: &str) -> String {
    fields.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("{name} is not told: {fields:?}")).1.clone()
}

/// Octets of one object of each variation, from variation 1 on, counted by hand; 0 where the size is not fixed.
const SIZES: &[(u8, &[u8])] = &[
    (1, &[0, 1]),
    (2, &[1, 7, 3]),
    (3, &[0, 1]),
    (4, &[1, 7, 3]),
    (10, &[0, 1]),
    (11, &[1, 7]),
    (12, &[11, 11, 0]),
    (13, &[1, 7]),
    (20, &[5, 3, 5, 3, 4, 2, 4, 2]),
    (21, &[5, 3, 5, 3, 11, 9, 11, 9, 4, 2, 4, 2]),
    (22, &[5, 3, 5, 3, 11, 9, 11, 9]),
    (23, &[5, 3, 5, 3, 11, 9, 11, 9]),
    (30, &[5, 3, 4, 2, 5, 9]),
    (31, &[5, 3, 11, 9, 4, 2, 5, 9]),
    (32, &[5, 3, 11, 9, 5, 9, 11, 15]),
    (33, &[5, 3, 11, 9, 5, 9, 11, 15]),
    (34, &[2, 4, 4]),
    (40, &[5, 3, 5, 9]),
    (41, &[5, 3, 5, 9]),
    (42, &[5, 3, 11, 9, 5, 9, 11, 15]),
    (43, &[5, 3, 11, 9, 5, 9, 11, 15]),
    (50, &[6, 10, 6, 11]),
    (51, &[6, 6]),
    (52, &[2, 2]),
    (81, &[3]),
    (86, &[0, 1, 0]),
    (101, &[2, 4, 8]),
    (102, &[1]),
    (120, &[0, 0, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (121, &[7]),
    (122, &[7, 13]),
];

#[test]
fn every_fixed_size_is_that_of_the_standard() {
    let mut seen = 0;
    for (group, sizes) in SIZES {
        for (at, size) in sizes.iter().enumerate().filter(|(_, size)| **size > 0) {
            let variation = u8::try_from(at + 1).unwrap();
            let mut octets = vec![*group, variation, 0x17, 1, 9];
            octets.extend(std::iter::repeat_n(0, usize::from(*size)));
            assert_eq!(only(&octets).count(), 1, "g{group}v{variation}");
            octets.pop();
            let found = headers(&octets, true);
            assert_eq!(found[0].as_ref().unwrap().count(), 0, "g{group}v{variation}");
            assert!(matches!(found[1].unwrap_err().kind, ErrorKind::Truncated { .. }), "g{group}v{variation}");
            seen += 1;
        }
    }
    let fixed = OBJECTS.iter().filter(|object| matches!(object.size, Size::Octets(_))).count();
    assert_eq!(seen, fixed, "a row without a size counted by hand");
}

#[test]
fn the_table_is_in_order_and_every_row_is_found() {
    for pair in OBJECTS.windows(2) {
        assert!((pair[0].group, pair[0].variation) < (pair[1].group, pair[1].variation), "{pair:?}");
    }
    for object in OBJECTS {
        assert_eq!(object_type(object.group, object.variation), Some(object));
    }
    for (group, variation) in
        [(5, 1), (9, 0), (1, 3), (2, 4), (43, 9), (60, 5), (120, 16), (122, 3), (123, 0), (255, 255)]
    {
        assert_eq!(object_type(group, variation), None, "g{group}v{variation}");
        assert_eq!(object_name(group, variation), None);
    }
    assert_eq!(object_name(1, 2), Some("binary_input_with_flags"));
    assert_eq!(object_name(2, 2), Some("binary_input_event_with_absolute_time"));
    assert_eq!(object_name(110, 200), Some("octet_string"));
    assert_eq!(object_name(110, 0), Some("octet_string_any_variation"));
    assert_eq!(object_name(0, 252), Some("device_manufacturer_name"));
    assert_eq!(object_name(0, 7), Some("device_attribute"));
    assert_eq!(object_name(0, 254), Some("device_attribute_non_specific_all_attributes_request"));
}

/// Objects as they stand on the wire, and what they say: space, value, quality, whether their time is [`NOON_MS`].
type Row = (u8, u8, &'static [u8], &'static str, PointValue, Quality, bool);

const GOOD: Quality = Quality(0);

fn rows() -> Vec<Row> {
    use PointValue::{Bit, Real, Signed, Unsigned};
    let doubtful = Quality::INVALID.and(Quality::RESTART).and(Quality::COMM_LOST);
    let mut rows: Vec<Row> = vec![
        (1, 2, &[0x81], "binary_input", Bit(true), GOOD, false),
        (2, 1, &[0x21], "binary_input", Bit(false), Quality::CHATTER, false),
        (2, 2, &[0x80, 0, 16, 32, 48, 0x8D, 1], "binary_input", Bit(true), Quality::INVALID, true),
        (3, 2, &[0xC1], "double_bit_input", Unsigned(3), GOOD, false),
        (4, 1, &[0x61], "double_bit_input", Unsigned(1), Quality::CHATTER, false),
        (4, 2, &[0x81, 0, 16, 32, 48, 0x8D, 1], "double_bit_input", Unsigned(2), GOOD, true),
        (10, 2, &[0xA1], "binary_output", Bit(true), GOOD, false),
        (11, 1, &[0x09], "binary_output", Bit(false), Quality::SUBSTITUTED, false),
        (11, 2, &[0x91, 0, 16, 32, 48, 0x8D, 1], "binary_output", Bit(true), Quality::SUBSTITUTED, true),
        (12, 1, &[0x41, 1, 100, 0, 0, 0, 0, 0, 0, 0, 0], "binary_output", Unsigned(0x41), GOOD, false),
        (12, 2, &[0x03, 1, 100, 0, 0, 0, 0, 0, 0, 0, 4], "binary_output", Unsigned(3), GOOD, false),
        (13, 1, &[0x80], "binary_output", Bit(true), GOOD, false),
        (13, 2, &[0x84, 0, 16, 32, 48, 0x8D, 1], "binary_output", Bit(true), Quality::INVALID, true),
        (20, 1, &[0x21, 1, 0, 0, 0x80], "counter", Unsigned(0x8000_0001), GOOD, false),
        (20, 2, &[0x41, 0xFF, 0xFF], "counter", Unsigned(0xFFFF), Quality::REFERENCE, false),
        (20, 5, &[4, 3, 2, 1], "counter", Unsigned(0x0102_0304), GOOD, false),
        (20, 6, &[2, 1], "counter", Unsigned(0x0102), GOOD, false),
        (21, 1, &[0x06, 1, 0, 0, 0], "frozen_counter", Unsigned(1), doubtful, false),
        (21, 2, &[0x01, 7, 0], "frozen_counter", Unsigned(7), GOOD, false),
        (21, 5, &[0x01, 9, 0, 0, 0, 0, 16, 32, 48, 0x8D, 1], "frozen_counter", Unsigned(9), GOOD, true),
        (21, 6, &[0x01, 8, 0, 0, 16, 32, 48, 0x8D, 1], "frozen_counter", Unsigned(8), GOOD, true),
        (21, 9, &[6, 0, 0, 0], "frozen_counter", Unsigned(6), GOOD, false),
        (21, 10, &[5, 0], "frozen_counter", Unsigned(5), GOOD, false),
        (30, 3, &[0xFE, 0xFF, 0xFF, 0xFF], "analog_input", Signed(-2), GOOD, false),
        (30, 4, &[0x00, 0x80], "analog_input", Signed(-32_768), GOOD, false),
        (31, 3, &[0x01, 1, 0, 0, 0, 0, 16, 32, 48, 0x8D, 1], "frozen_analog_input", Signed(1), GOOD, true),
        (31, 4, &[0x01, 2, 0, 0, 16, 32, 48, 0x8D, 1], "frozen_analog_input", Signed(2), GOOD, true),
        (31, 5, &[0xFF, 0xFF, 0xFF, 0x7F], "frozen_analog_input", Signed(0x7FFF_FFFF), GOOD, false),
        (31, 6, &[0xFF, 0xFF], "frozen_analog_input", Signed(-1), GOOD, false),
        (31, 7, &[0x01, 0, 0, 0x80, 0x3F], "frozen_analog_input", Real(1.0), GOOD, false),
        (31, 8, &[0x01, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F], "frozen_analog_input", Real(1.0), GOOD, false),
        (34, 1, &[0xFF, 0xFF], "analog_input_deadband", Unsigned(0xFFFF), GOOD, false),
        (34, 2, &[0, 0, 0, 0x80], "analog_input_deadband", Unsigned(0x8000_0000), GOOD, false),
        (34, 3, &[0, 0, 0x20, 0x41], "analog_input_deadband", Real(10.0), GOOD, false),
        (41, 1, &[0xFF, 0xFF, 0xFF, 0xFF, 0], "analog_output", Signed(-1), GOOD, false),
        (41, 2, &[0x64, 0x00, 0], "analog_output", Signed(100), GOOD, false),
        (41, 3, &[0, 0, 0xC0, 0xBF, 0], "analog_output", Real(-1.5), GOOD, false),
        (41, 4, &[0, 0, 0, 0, 0, 0, 0xF8, 0x3F, 0], "analog_output", Real(1.5), GOOD, false),
        (101, 1, &[0x34, 0x12], "bcd", Unsigned(1234), GOOD, false),
        (101, 2, &[0x78, 0x56, 0x34, 0x1A], "bcd", Unsigned(20_345_678), Quality::INVALID, false),
        (
            101,
            3,
            &[0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99],
            "bcd",
            Unsigned(9_999_999_999_999_999),
            GOOD,
            false,
        ),
        (102, 1, &[200], "unsigned_integer", Unsigned(200), GOOD, false),
        (121, 1, &[0x01, 5, 0, 3, 0, 0, 0], "security_statistic", Unsigned(3), GOOD, false),
        (122, 1, &[0x41, 5, 0, 4, 0, 0, 0], "security_statistic", Unsigned(4), Quality::REFERENCE, false),
        (122, 2, &[0x01, 5, 0, 4, 0, 0, 0, 0, 16, 32, 48, 0x8D, 1], "security_statistic", Unsigned(4), GOOD, true),
    ];
    // Groups whose variations are alike.
    for (group, space) in [(22, "counter"), (23, "frozen_counter")] {
        rows.push((group, 1, &[0x01, 0, 0, 1, 0], space, Unsigned(0x0001_0000), GOOD, false));
        rows.push((group, 2, &[0x11, 1, 2], space, Unsigned(0x0201), Quality::SUBSTITUTED, false));
        rows.push((group, 5, &[0x01, 1, 0, 0, 0, 0, 16, 32, 48, 0x8D, 1], space, Unsigned(1), GOOD, true));
        rows.push((group, 6, &[0x01, 1, 0, 0, 16, 32, 48, 0x8D, 1], space, Unsigned(1), GOOD, true));
    }
    for (group, space) in [(30, "analog_input"), (31, "frozen_analog_input"), (40, "analog_output")] {
        rows.push((group, 1, &[0x21, 0xFF, 0xFF, 0xFF, 0xFF], space, Signed(-1), Quality::OVERFLOW, false));
        rows.push((group, 2, &[0x41, 0x01, 0x00], space, Signed(1), Quality::REFERENCE, false));
    }
    for (group, variation, space) in [(30, 5, "analog_input"), (40, 3, "analog_output")] {
        rows.push((group, variation, &[0x01, 0, 0, 0x80, 0x7F], space, Real(f64::INFINITY), GOOD, false));
        rows.push((group, variation + 1, &[0x01, 0, 0, 0, 0, 0, 0, 0xF8, 0xBF], space, Real(-1.5), GOOD, false));
    }
    for (group, space) in
        [(32, "analog_input"), (33, "frozen_analog_input"), (42, "analog_output"), (43, "analog_output")]
    {
        // A flag octet of 0x00 is a success in g43, and ONLINE clear elsewhere; 0x01 the other way round.
        let (ones, zeros) = if group == 43 { (Quality::INVALID, GOOD) } else { (GOOD, Quality::INVALID) };
        rows.push((group, 1, &[0x00, 0xFE, 0xFF, 0xFF, 0xFF], space, Signed(-2), zeros, false));
        rows.push((group, 2, &[0x01, 0xFE, 0xFF], space, Signed(-2), ones, false));
        rows.push((group, 3, &[0x01, 1, 0, 0, 0, 0, 16, 32, 48, 0x8D, 1], space, Signed(1), ones, true));
        rows.push((group, 4, &[0x00, 1, 0, 0, 16, 32, 48, 0x8D, 1], space, Signed(1), zeros, true));
        rows.push((group, 5, &[0x01, 0, 0, 0x80, 0x3F], space, Real(1.0), ones, false));
        rows.push((group, 6, &[0x00, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F], space, Real(1.0), zeros, false));
        rows.push((group, 7, &[0x01, 0, 0, 0x80, 0x3F, 0, 16, 32, 48, 0x8D, 1], space, Real(1.0), ones, true));
        rows.push((
            group,
            8,
            &[0x01, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0, 16, 32, 48, 0x8D, 1],
            space,
            Real(1.0),
            ones,
            true,
        ));
    }
    rows
}

#[test]
fn every_value_is_read() {
    let rows = rows();
    for (group, variation, object, space, value, quality, timed) in &rows {
        let mut octets = vec![*group, *variation, 0x28, 2, 0];
        for index in [0x0102_u16, 0xFFFF] {
            octets.extend(index.to_le_bytes());
            octets.extend(*object);
        }
        let expected =
            |address| Point { space, address, value: *value, quality: *quality, time: timed.then_some(NOON_MS) };
        assert_eq!(points(&octets), [expected(0x0102), expected(0xFFFF)], "g{group}v{variation}");

        // The same behind a range: the index is counted up.
        let mut octets = vec![*group, *variation, 0x00, 6, 7];
        octets.extend(*object);
        octets.extend(*object);
        assert_eq!(points(&octets), [expected(6), expected(7)], "g{group}v{variation}");
    }
    for object in OBJECTS {
        let valued = matches!(object.size, Size::Octets(_)) && !matches!(object.number, Number::Other(_));
        let relative = matches!((object.group, object.variation), (2 | 4, 3));
        let tested = rows.iter().any(|row| (row.0, row.1) == (object.group, object.variation));
        assert_eq!(tested, valued && !relative, "g{}v{}", object.group, object.variation);
    }
}

#[test]
fn differences_of_obsolete_variations_are_no_values() {
    for (group, variation, size) in [(20, 3, 5), (20, 8, 2), (21, 7, 11), (21, 12, 2), (22, 4, 3), (23, 8, 9)] {
        let mut octets = vec![group, variation, 0x00, 0, 0];
        octets.extend(vec![1; size]);
        assert_eq!(only(&octets).count(), 1);
        assert_eq!(points(&octets), []);
    }
}

#[test]
fn a_value_that_is_no_number_is_kept() {
    let found = points(&[30, 5, 0x00, 0, 0, 0x01, 0, 0, 0xC0, 0x7F]);
    assert!(matches!(found[0].value, PointValue::Real(number) if number.is_nan()));
}

#[test]
fn relative_times_count_from_the_common_time_before_them() {
    let event = [2, 3, 0x17, 1, 5, 0x81, 0x10, 0x27];
    let double = [4, 3, 0x17, 1, 6, 0x41, 0x01, 0x00];
    assert_eq!(points(&event)[0].time, None);
    for variation in [1, 2] {
        let mut octets = vec![51, variation, 0x07, 1];
        octets.extend(NOON);
        octets.extend(event);
        octets.extend(double);
        let found = points(&octets);
        assert_eq!(found[0].time, Some(NOON_MS + 10_000));
        assert_eq!((found[0].space, found[0].address, found[0].value), ("binary_input", 5, PointValue::Bit(true)));
        assert_eq!(found[1].time, Some(NOON_MS + 1));
        assert_eq!((found[1].space, found[1].value), ("double_bit_input", PointValue::Unsigned(1)));
    }
    let mut octets = event.to_vec();
    octets.extend([51, 1, 0x07, 1]);
    octets.extend(NOON);
    assert_eq!(points(&octets)[0].time, None, "a common time behind the event is not its own");
}

#[test]
fn packed_bits_are_read_from_the_lowest_on() {
    for (group, space) in [(1, "binary_input"), (10, "binary_output"), (80, "internal_indication")] {
        let octets = [group, 1, 0x01, 0x0A, 0, 0x13, 0, 0b1000_0001, 0b0000_0010];
        let header = only(&octets);
        assert_eq!((header.count(), header.octets.len(), header.space()), (10, 2, space));
        let found = points(&octets);
        assert_eq!(found.len(), 10);
        let ones: Vec<u32> =
            found.iter().filter(|point| point.value == PointValue::Bit(true)).map(|p| p.address).collect();
        assert_eq!(ones, [10, 17, 19]);
        assert!(found.iter().all(|point| point.space == space && point.quality == GOOD && point.time.is_none()));
    }
    let found = points(&[3, 1, 0x00, 4, 8, 0b11_10_01_00, 0b01]);
    let values: Vec<_> = found.iter().map(|point| (point.address, point.value)).collect();
    assert_eq!(
        values,
        [0, 1, 2, 3, 1].iter().zip(4..).map(|(n, at)| (at, PointValue::Unsigned(*n))).collect::<Vec<_>>()
    );
}

#[test]
fn a_pattern_mask_is_no_value() {
    let octets = [12, 3, 0x00, 0, 7, 0xFF];
    assert_eq!(only(&octets).count(), 8);
    assert_eq!(points(&octets), []);
}

#[test]
fn ranges_and_counts_of_every_width() {
    let cases: [(&[u8], ObjectRange, u32, Option<u32>); 14] = [
        (&[0x00, 3, 5], ObjectRange::StartStop { start: 3, stop: 5 }, 3, Some(3)),
        (&[0x01, 0, 1, 1, 1], ObjectRange::StartStop { start: 256, stop: 257 }, 2, Some(256)),
        (&[0x02, 0, 0, 1, 0, 0, 0, 1, 0], ObjectRange::StartStop { start: 65_536, stop: 65_536 }, 1, Some(65_536)),
        (&[0x06], ObjectRange::None, 0, None),
        (&[0x07, 10], ObjectRange::Count(10), 10, None),
        (&[0x08, 0, 1], ObjectRange::Count(256), 256, None),
        (&[0x09, 0, 0, 1, 0], ObjectRange::Count(65_536), 65_536, None),
        (&[0x17, 2, 9, 8], ObjectRange::Indexed(2), 2, Some(9)),
        (&[0x18, 1, 0, 9], ObjectRange::Indexed(1), 1, Some(9)),
        (&[0x27, 1, 1, 1], ObjectRange::Indexed(1), 1, Some(257)),
        (&[0x28, 1, 0, 2, 1], ObjectRange::Indexed(1), 1, Some(258)),
        (&[0x37, 1, 0, 0, 1, 0], ObjectRange::Indexed(1), 1, Some(65_536)),
        (&[0x38, 1, 0, 1, 0, 1, 0], ObjectRange::Indexed(1), 1, Some(65_537)),
        (&[0x39, 1, 0, 0, 0, 2, 0, 1, 0], ObjectRange::Indexed(1), 1, Some(65_538)),
    ];
    for (octets, range, count, first) in cases {
        let octets = [&[30, 0], octets].concat();
        let found = headers(&octets, false);
        assert_eq!(found.len(), 1, "{octets:02X?} {found:?}");
        let header = found[0].unwrap();
        assert_eq!((header.range, header.count(), header.first_index()), (range, count, first), "{octets:02X?}");
        assert_eq!((header.group, header.variation, header.qualifier), (30, 0, octets[2]));
        // Cut anywhere, it is no header.
        for end in 1..octets.len() {
            let found = headers(&octets[..end], false);
            let error = found.last().unwrap().unwrap_err();
            assert!(matches!(error.kind, ErrorKind::Truncated { .. }), "{octets:02X?} cut at {end}: {error}");
        }
    }
}

#[test]
fn reserved_qualifiers_are_refused() {
    let mut taken = Vec::new();
    for qualifier in 0..=255_u8 {
        let octets = [30, 0, qualifier, 0, 0, 0, 0, 0, 0, 0, 0];
        match ObjectHeaders::new(&octets, 7, false).next().unwrap() {
            Ok(_) => taken.push(qualifier),
            Err(error) => {
                assert_eq!((error.field, error.offset), ("qualifier", 9));
                let reserved = qualifier >> 4 > 6 || matches!(qualifier & 0x0F, 3..=5 | 0x0A | 0x0C..);
                assert_eq!(matches!(error.kind, ErrorKind::Unsupported { .. }), reserved, "{qualifier:02X}");
                assert_eq!(matches!(error.kind, ErrorKind::Forbidden { .. }), !reserved, "{qualifier:02X}");
            }
        }
    }
    let valid = [
        0x00, 0x01, 0x02, 0x06, 0x07, 0x08, 0x09, 0x17, 0x18, 0x19, 0x27, 0x28, 0x29, 0x37, 0x38, 0x39, 0x4B, 0x5B,
        0x6B,
    ];
    assert_eq!(taken, valid);
}

#[test]
fn a_start_above_its_stop_is_refused() {
    for octets in [&[1, 2, 0x00, 5, 4][..], &[1, 2, 0x01, 0, 2, 0xFF, 1], &[1, 2, 0x02, 1, 0, 0, 1, 0, 0, 0, 1]] {
        for with_data in [true, false] {
            let error = breach(octets, with_data);
            assert_eq!((error.field, error.offset), ("start", 3));
            assert!(matches!(error.kind, ErrorKind::Forbidden { .. }));
        }
    }
    assert!(headers(&[1, 2, 0x00, 5, 5], false)[0].is_ok());
}

#[test]
fn hostile_counts_cost_no_more_than_their_octets() {
    // Named only: nothing is walked.
    let all = [1, 2, 0x02, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
    let header = headers(&all, false)[0].unwrap();
    assert_eq!((header.count(), header.octets.len()), (u32::MAX, 0));
    assert_eq!(runs(&all, false), [(0, u32::MAX)]);
    assert_eq!(header.objects().count(), 0);
    assert_eq!(header.indices().count(), usize::try_from(POINTS_MAX).unwrap());
    assert_eq!(points(&all), [], "nothing follows the header");

    let many: [&[u8]; 5] = [
        &[1, 1, 0x02, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[1, 2, 0x09, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        &[30, 1, 0x39, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0],
        &[0, 252, 0x09, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0],
        &[83, 1, 0x09, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    let whole = [8, 1, 0, 1, 1];
    for (octets, whole) in many.iter().zip(whole) {
        let found = headers(octets, true);
        assert_eq!(found.len(), 2, "{octets:02X?}");
        assert_eq!(found[0].unwrap().count(), whole, "{octets:02X?}");
        assert!(matches!(found[1].unwrap_err().kind, ErrorKind::Truncated { .. }));
    }
    // Objects that take no octets would follow without end.
    for octets in [&[60, 1, 0x09, 0xFF, 0xFF, 0xFF, 0xFF][..], &[60, 2, 0x07, 1]] {
        assert!(matches!(breach(octets, true).kind, ErrorKind::Forbidden { .. }));
        assert!(headers(octets, false)[0].is_ok());
    }
    let indexed = [2, 0, 0x39, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 2];
    let found = headers(&indexed, false);
    assert_eq!((found.len(), found[0].unwrap().count()), (2, 1));
}

#[test]
fn headers_and_points_are_bounded() {
    let limit = usize::try_from(HEADERS_MAX).unwrap();
    let mut octets = [60, 2, 0x06].repeat(limit);
    assert!(headers(&octets, false).iter().all(Result::is_ok));
    octets.extend([60, 2, 0x06]);
    let found = headers(&octets, false);
    assert_eq!(found.len(), limit + 1);
    assert_eq!(found[limit].unwrap_err().kind, ErrorKind::TooMany { limit: HEADERS_MAX });

    let last = (POINTS_MAX - 1).to_le_bytes();
    let mut octets = vec![1, 1, 0x02, 0, 0, 0, 0, last[0], last[1], last[2], last[3]];
    octets.resize(octets.len() + 2048, 0);
    assert_eq!(points(&octets).len(), usize::try_from(POINTS_MAX).unwrap());
    octets.extend([1, 2, 0x00, 0, 0, 1]);
    let found = headers(&octets, true);
    assert_eq!(found[1].unwrap_err().kind, ErrorKind::TooMany { limit: POINTS_MAX });
    assert_eq!(found.len(), 2);
}

#[test]
fn whole_objects_before_a_cut_are_still_told() {
    let octets = [
        2, 2, 0x28, 2, 0, 1, 0, 0x81, 0, 16, 32, 48, 0x8D, 1, 2, 0, 0x01, 0, 16, 32, 48, 0x8D, 1, // two events
        30, 2, 0x00, 4, 6, 0x01, 1, 0, 0x01, 2, 0, 0x01, 3, 0, // three values
        1, 1, 0x00, 0, 11, 0xFF, 0x0F, // twelve bits
        110, 3, 0x17, 1, 9, b'a', b'b', b'c', // a string
        70, 8, 0x5B, 1, 2, 0, b'x', b'y', // sized
    ];
    assert_eq!(headers(&octets, true).len(), 5);
    assert!(headers(&octets, true).iter().all(Result::is_ok));
    let whole = points(&octets);
    assert_eq!(whole.len(), 17);
    let ends = [23, 37, 44, 52, 60];
    let mut before = 0;
    for end in 0..=octets.len() {
        let found = headers(&octets[..end], true);
        assert_eq!(found.iter().all(Result::is_ok), end == 0 || ends.contains(&end), "cut at {end}: {found:?}");
        let error = found.last().and_then(|last| last.err());
        if let Some(error) = error {
            assert!(matches!(error.kind, ErrorKind::Truncated { need, have } if need > have), "{error}");
            assert!(usize::try_from(error.offset).unwrap() <= end);
        }
        let told = points(&octets[..end]);
        assert_eq!(told, whole[..told.len()], "cut at {end}");
        assert!(told.len() >= before, "cut at {end}");
        before = told.len();
    }
    assert_eq!(points(&octets[..22]).len(), 1);
    assert_eq!(points(&octets[..33]).len(), 3);
    assert_eq!(points(&octets[..43]).len(), 13);
}

#[test]
fn what_stands_in_a_request_to_read() {
    // Index prefixes stand, objects do not.
    let octets = [30, 2, 0x28, 3, 0, 7, 0, 8, 0, 3, 0, 60, 2, 0x06, 60, 3, 0x07, 50, 200, 9, 0x00, 1, 4];
    let found = headers(&octets, false);
    assert_eq!(found.len(), 4, "{found:?}");
    let first = found[0].unwrap();
    assert_eq!(first.indices().collect::<Vec<_>>(), [7, 8, 3]);
    assert_eq!(first.first_index(), Some(7));
    assert_eq!(first.octets.len(), 6);
    assert_eq!(runs(&octets, false), [(7, 2), (3, 1), (1, 4)]);
    assert_eq!(found[1].unwrap().range, ObjectRange::None);
    assert_eq!((found[2].unwrap().count(), found[2].unwrap().first_index()), (50, None));
    assert_eq!(found[3].unwrap().name(), None, "an object that no standard has can be asked for");
    assert_eq!(found.iter().map(|header| header.unwrap().offset).collect::<Vec<_>>(), [0, 11, 14, 18]);
    let mut told = 0;
    first.points(&mut None, &mut |_| told += 1);
    assert_eq!(told, 0);

    // A block of a file, an aggressive mode request with its code, and the time of a freeze stand there too.
    let octets = [
        120, 3, 0x07, 1, 1, 0, 0, 0, 9, 0, 70, 5, 0x5B, 1, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 50, 2, 0x07, 1, 0, 0, 0, 0, 0,
        0, 1, 0, 0, 0, 20, 0, 0x06, 120, 9, 0x5B, 1, 2, 0, 0xAA, 0xBB,
    ];
    let found = headers(&octets, false);
    assert_eq!(found.len(), 5);
    let lengths: Vec<usize> = found.iter().map(|header| header.unwrap().octets.len()).collect();
    assert_eq!(lengths, [6, 10, 10, 0, 4]);
}

#[test]
fn objects_of_unknown_size_end_the_walk() {
    let octets = [1, 2, 0x00, 0, 0, 0x81, 200, 7, 0x00, 0, 0, 1];
    let found = headers(&octets, true);
    assert_eq!(found.len(), 2);
    assert!(found[0].is_ok());
    let error = found[1].unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported { code: 200 << 8 | 7 });
    assert_eq!(error.offset, 6);
    for (group, variation) in [(1, 0), (1, 3), (70, 3), (110, 0), (87, 1), (120, 1)] {
        let error = breach(&[group, variation, 0x07, 1, 1, 1, 1, 1, 1, 1], true);
        assert_eq!(error.kind, ErrorKind::Unsupported { code: u32::from(group) << 8 | u32::from(variation) });
    }
    // A size prefix tells what the type does not; without objects nobody needs to know.
    let octets =
        [200, 7, 0x5B, 2, 1, 0, 9, 0, 0, 200, 7, 0x4B, 1, 1, 9, 200, 7, 0x6B, 1, 2, 0, 0, 0, 9, 9, 200, 7, 0x06];
    let found = headers(&octets, true);
    assert_eq!(found.iter().map(|header| header.unwrap().count()).collect::<Vec<_>>(), [2, 1, 1, 0]);
}

#[test]
fn packed_objects_have_no_index() {
    for (group, variation) in [(1, 1), (3, 1), (10, 1), (12, 3), (80, 1)] {
        let error = breach(&[group, variation, 0x17, 1, 0, 0xFF], true);
        assert_eq!(error.kind, ErrorKind::Forbidden { got: 0x17 });
    }
}

#[test]
fn runs_join_what_is_contiguous() {
    let event = |index: u8| [index, 0x81];
    let mut octets = vec![2, 1, 0x17, 7];
    for index in [4, 5, 5, 6, 9, 9, 4] {
        octets.extend(event(index));
    }
    assert_eq!(runs(&octets, true), [(4, 3), (9, 1), (4, 1)]);
    assert_eq!(runs(&[2, 2, 0x17, 0], true), []);
    assert_eq!(runs(&[1, 2, 0x00, 250, 255, 1, 1, 1, 1, 1, 1], true), [(250, 6)]);
    assert_eq!(runs(&[1, 2, 0x00, 250, 255, 1, 1], true), [(250, 2)], "only those that are whole");
    let last = [1, 0, 0x39, 2, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
    assert_eq!(runs(&last, false), [(u32::MAX, 1), (0, 1)]);
    assert_eq!(runs(&[50, 1, 0x07, 1, 0, 0, 0, 0, 0, 0], true), [], "a count alone says no index");
}

#[test]
fn commands_tell_their_codes_and_statuses() {
    let block = [0x61, 2, 0xE8, 3, 0, 0, 0xD0, 7, 0, 0, 0x87];
    let octets = [&[12, 1, 0x28, 1, 0, 3, 0][..], &block].concat();
    let told = fields(&octets, true);
    assert_eq!(field(&told, "object"), r#"Name("control_relay_output_block")"#);
    assert_eq!(field(&told, "index"), "Unsigned(3)");
    assert_eq!(field(&told, "operation_type"), r#"Name("pulse_on")"#);
    assert_eq!(field(&told, "trip_close_code"), r#"Name("close")"#);
    assert_eq!(field(&told, "clear"), "Bool(true)");
    assert_eq!(field(&told, "queue"), "Bool(false)");
    assert_eq!(field(&told, "operation_count"), "Unsigned(2)");
    assert_eq!(field(&told, "on_time_ms"), "Unsigned(1000)");
    assert_eq!(field(&told, "off_time_ms"), "Unsigned(2000)");
    assert_eq!(field(&told, "status"), "Unsigned(7)");
    assert_eq!(field(&told, "status_name"), r#"Name("local")"#);

    let statuses = |octets: &[u8]| {
        let mut found = Vec::new();
        only(octets).command_statuses(&mut |status| found.push(status));
        found
    };
    assert_eq!(statuses(&octets), [7]);
    assert_eq!(statuses(&[41, 2, 0x17, 2, 1, 10, 0, 0, 2, 20, 0, 4]), [0, 4]);
    assert_eq!(statuses(&[41, 4, 0x17, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 127]), [127]);
    assert_eq!(statuses(&[30, 2, 0x17, 1, 1, 1, 0, 4]), []);
    assert_eq!(statuses(&[12, 3, 0x00, 0, 7, 4]), []);

    let told = fields(&[41, 3, 0x17, 1, 9, 0, 0, 0x20, 0x41, 12], true);
    assert_eq!(field(&told, "value"), "Real(10.0)");
    assert_eq!(field(&told, "status_name"), r#"Name("out_of_range")"#);
    let told = fields(&[13, 1, 0x17, 1, 9, 0x8A], true);
    assert_eq!(field(&told, "status_name"), r#"Name("automation_inhibit")"#);
    assert_eq!(elements::operation_type_name(5), None);
    assert_eq!(elements::trip_close_name(0xC0), None);
}

#[test]
fn times_are_told() {
    let octets = [&[50, 1, 0x07, 1][..], &NOON].concat();
    assert_eq!(only(&octets).absolute_time_ms(), Some(NOON_MS));
    assert_eq!(field(&fields(&octets, true), "time"), format!("Unsigned({NOON_MS})"));
    let octets = [&[50, 4, 0x00, 2, 2][..], &NOON, &[5, 0, 0, 0, 3]].concat();
    assert_eq!(only(&octets).absolute_time_ms(), Some(NOON_MS));
    assert_eq!(field(&fields(&octets, true), "interval"), "Unsigned(5)");
    assert_eq!(field(&fields(&octets, true), "interval_units"), "Unsigned(3)");
    assert_eq!(headers(&[50, 1, 0x07, 1], false)[0].unwrap().absolute_time_ms(), None);
    assert_eq!(only(&[2, 2, 0x17, 1, 0, 0x81, 1, 2, 3, 4, 5, 6]).absolute_time_ms(), None);
    assert_eq!(field(&fields(&[52, 2, 0x07, 1, 10, 0], true), "delay_ms"), "Unsigned(10)");
    assert_eq!(field(&fields(&[52, 1, 0x07, 1, 10, 0], true), "delay_s"), "Unsigned(10)");
}

#[test]
fn device_attributes_tell_their_values() {
    let cases: [(&[u8], &str, &str); 12] = [
        (&[1, 4, b'A', b'c', b'm', b'e'], "visible_string", "Text([65, 99, 109, 101])"),
        (&[2, 2, 0x2C, 0x01], "unsigned_integer", "Unsigned(300)"),
        (&[2, 3, 1, 0, 1], "unsigned_integer", "Unsigned(65537)"),
        (&[2, 0], "unsigned_integer", "Octets([])"),
        (&[2, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9], "unsigned_integer", "Octets([1, 2, 3, 4, 5, 6, 7, 8, 9])"),
        (&[3, 1, 0xFF], "signed_integer", "Signed(-1)"),
        (&[3, 2, 0xFE, 0xFF], "signed_integer", "Signed(-2)"),
        (&[4, 4, 0, 0, 0x80, 0x3F], "floating_point", "Real(1.0)"),
        (&[5, 2, 1, 2], "octet_string", "Octets([1, 2])"),
        (&[6, 1, 0x05], "bit_string", "Bits([5], 8)"),
        (&[7, 6, 0, 16, 32, 48, 0x8D, 1], "time", "Unsigned(1705909424128)"),
        (&[254, 2, 252, 1], "attribute_list", "Octets([252, 1])"),
    ];
    for (object, name, value) in cases {
        let octets = [&[0, 252, 0x00, 3, 3][..], object].concat();
        let told = fields(&octets, true);
        assert_eq!(field(&told, "object"), r#"Name("device_manufacturer_name")"#);
        assert_eq!(field(&told, "attribute_set"), "Unsigned(3)");
        assert_eq!(field(&told, "attribute_type"), format!("Name({name:?})"));
        assert_eq!(field(&told, "attribute_value"), value);
    }
    let octets = [0, 252, 0x17, 2, 0, 1, 2, b'h', b'i', 1, 1, 0];
    let header = only(&octets);
    let texts: Vec<_> = header.attributes().map(|attribute| (attribute.set, attribute.octets)).collect();
    assert_eq!(texts, [(0, &b"hi"[..]), (1, &b""[..])]);
    assert_eq!(headers(&[0, 254, 0x00, 0, 0], false)[0].unwrap().attributes().count(), 0);
    // The extended list is 256 octets longer than its length says.
    let mut octets = vec![0, 255, 0x00, 0, 0, 255, 2];
    octets.resize(octets.len() + 258, 0);
    assert_eq!(only(&octets).count(), 1);
    octets.pop();
    assert_eq!(headers(&octets, true).len(), 2);
}

#[test]
fn objects_that_count_their_items() {
    let octets = [83, 1, 0x07, 1, b'A', b'B', b'C', b'D', 1, 0, 3, 0, 7, 8, 9, 1, 2, 0x00, 0, 0, 1];
    assert_eq!(headers(&octets, true).len(), 2);
    assert_eq!(headers(&octets, true)[0].unwrap().octets.len(), 11);
    let octets = [83, 2, 0x07, 1, b'A', b'B', b'C', b'D', 1, 0, 1, 0, 1, 0, 30, 1];
    assert_eq!(only(&octets).count(), 1);
    let octets = [82, 1, 0x07, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 2, 6, 0];
    assert_eq!(only(&octets).count(), 1);
    assert!(headers(&octets[..17], true)[1].is_err());
}

#[test]
fn files_tell_what_they_are_but_no_password() {
    let sized = |variation: u8, object: &[u8]| {
        let mut octets = vec![70, variation, 0x5B, 1];
        octets.extend(u16::try_from(object.len()).unwrap().to_le_bytes());
        octets.extend(object);
        let told = fields(&octets, true);
        for end in 6..octets.len() {
            let cut = fields(&octets[..end], true);
            assert_eq!(cut, told[..cut.len()], "cut at {end}");
        }
        told
    };
    let told = sized(
        3,
        &[
            26, 0, 3, 0, 0, 16, 32, 48, 0x8D, 1, 0xB4, 1, 4, 3, 2, 1, 0xFF, 0xFF, 0, 0, 2, 0, 0, 4, 9, 0, b'a', b'.',
            b'b',
        ],
    );
    assert_eq!(field(&told, "file_name"), "Text([97, 46, 98])");
    assert_eq!(field(&told, "file_mode"), r#"Name("write")"#);
    assert_eq!(field(&told, "file_size"), "Unsigned(65535)");
    assert_eq!(field(&told, "maximum_block_size"), "Unsigned(1024)");
    assert_eq!(field(&told, "request_identifier"), "Unsigned(9)");
    assert_eq!(field(&told, "permissions"), "Unsigned(436)");
    let told = sized(2, &[12, 0, 2, 0, 14, 0, 3, 0, 0, 0, 0, 0, b'm', b'e', b'x', b'y', b'z']);
    assert_eq!(field(&told, "user_name"), "Text([109, 101])");
    assert!(!told.iter().any(|(_, value)| value.contains("120, 121")), "{told:?}");
    let told = sized(4, &[1, 0, 0, 0, 2, 0, 0, 0, 0, 4, 9, 0, 3, b'n', b'o']);
    assert_eq!(field(&told, "file_handle"), "Unsigned(1)");
    assert_eq!(field(&told, "file_status_name"), r#"Name("file_not_found")"#);
    assert_eq!(field(&told, "file_text"), "Text([110, 111])");
    let told = sized(5, &[1, 0, 0, 0, 2, 0, 0, 0x80, 7, 7, 7]);
    assert_eq!(field(&told, "block_number"), "Unsigned(2)");
    assert_eq!(field(&told, "last_block"), "Bool(true)");
    assert_eq!(field(&told, "block_octets"), "Unsigned(3)");
    let told = sized(6, &[1, 0, 0, 0, 2, 0, 0, 0, 20]);
    assert_eq!(field(&told, "file_status_name"), r#"Name("block_sequence")"#);
    let told = sized(7, &[20, 0, 1, 0, 1, 0, 5, 0, 0, 0, 0, 16, 32, 48, 0x8D, 1, 0, 0, 4, 0, b'f']);
    assert_eq!(field(&told, "file_type"), r#"Name("simple_file")"#);
    assert_eq!(field(&told, "file_name"), "Text([102])");
    let told = sized(8, b"*.cfg");
    assert_eq!(field(&told, "file_specification"), "Text([42, 46, 99, 102, 103])");
    let mut identifier = vec![1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0];
    identifier.extend(NOON);
    identifier.extend([0; 14]);
    identifier.extend([3, 1, b'q', 0, 0]);
    let told = sized(1, &identifier);
    assert_eq!(field(&told, "file_function"), "Unsigned(3)");
    assert_eq!(field(&told, "file_status_name"), r#"Name("permission_denied")"#);
    assert_eq!(field(&told, "file_name"), "Text([113])");
}

#[test]
fn authentication_tells_who_and_why() {
    let sized = |variation: u8, object: &[u8]| {
        let mut octets = vec![120, variation, 0x5B, 1];
        octets.extend(u16::try_from(object.len()).unwrap().to_le_bytes());
        octets.extend(object);
        fields(&octets, true)
    };
    let told = sized(1, &[7, 0, 0, 0, 1, 0, 4, 1, 9, 9, 9, 9]);
    assert_eq!(field(&told, "sequence"), "Unsigned(7)");
    assert_eq!(field(&told, "user"), "Unsigned(1)");
    assert_eq!(field(&told, "message_authentication_algorithm"), r#"Name("hmac_sha_256_16_octets")"#);
    assert_eq!(field(&told, "challenge_reason"), r#"Name("critical")"#);
    let told = sized(5, &[7, 0, 0, 0, 1, 0, 2, 2, 6, 4, 0, 1, 2, 3, 4]);
    assert_eq!(field(&told, "key_wrap_algorithm"), r#"Name("aes_256")"#);
    assert_eq!(field(&told, "key_status"), r#"Name("not_initialized")"#);
    assert_eq!(field(&told, "message_authentication_algorithm"), r#"Name("aes_gmac_12_octets")"#);
    let told = sized(7, &[7, 0, 0, 0, 1, 0, 3, 0, 1, 0, 16, 32, 48, 0x8D, 1, b'n', b'o']);
    assert_eq!(field(&told, "error_name"), r#"Name("authentication_failed")"#);
    assert_eq!(field(&told, "association"), "Unsigned(3)");
    assert_eq!(field(&told, "error_time"), format!("Unsigned({NOON_MS})"));
    assert_eq!(field(&told, "error_text"), "Text([110, 111])");
    let told = sized(10, &[3, 1, 5, 0, 0, 0, 2, 0, 30, 0, 2, 0, 0, 0, 0, 0, b'm', b'e']);
    assert_eq!(field(&told, "user_name"), "Text([109, 101])");
    assert_eq!(field(&told, "user_role"), "Unsigned(2)");
    let told = sized(11, &[3, 2, 0, 0, 0, b'm', b'e']);
    assert_eq!(field(&told, "user_name"), "Text([109, 101])");
    let told = fields(&[120, 3, 0x07, 1, 9, 0, 0, 0, 2, 0], true);
    assert_eq!((field(&told, "sequence"), field(&told, "user")), ("Unsigned(9)".to_owned(), "Unsigned(2)".to_owned()));
    assert_eq!(field(&fields(&[120, 4, 0x07, 1, 2, 0], true), "user"), "Unsigned(2)");
}

#[test]
fn fields_are_told_of_the_first_objects_only() {
    let mut octets = vec![41, 2, 0x17, 200];
    for index in 0..200 {
        octets.extend([index, 1, 0, 0]);
    }
    let told = fields(&octets, true);
    assert_eq!(told.iter().filter(|(name, _)| name == "index").count(), OBJECTS_TOLD);
    assert_eq!(points(&octets).len(), 200);
    let told = fields(&[30, 2, 0x00, 4, 6, 1, 1, 0, 1, 2, 0, 1, 3, 0], true);
    assert_eq!((field(&told, "start"), field(&told, "stop")), ("Unsigned(4)".to_owned(), "Unsigned(6)".to_owned()));
    assert_eq!(field(&told, "qualifier"), "Unsigned(0)");
    assert_eq!(field(&fields(&[200, 1, 0x06], false), "object"), "Null");
    assert_eq!(field(&fields(&[110, 2, 0x17, 1, 4, b'o', b'k'], true), "octet_string"), "Text([111, 107])");
    assert_eq!(field(&fields(&[113, 2, 0x17, 1, 4, b'o', b'k'], true), "virtual_terminal_data"), "Text([111, 107])");
    assert_eq!(field(&fields(&[81, 1, 0x07, 1, 0xD0, 2, 2], true), "fill_percentage"), "Unsigned(80)");
    assert_eq!(field(&fields(&[90, 1, 0x5B, 1, 2, 0, b'o', b'k'], true), "application_identifier"), "Text([111, 107])");
}

#[test]
fn events_share_the_space_of_their_static_objects() {
    for (group, event) in
        [(1, 2), (3, 4), (10, 11), (10, 12), (10, 13), (20, 22), (21, 23), (30, 32), (31, 33), (40, 42)]
    {
        assert_eq!(elements::space(group), elements::space(event));
    }
    for object in OBJECTS {
        assert_ne!(elements::space(object.group), "unknown", "g{}", object.group);
    }
    assert_eq!(elements::space(41), elements::space(43));
    assert_ne!(elements::space(20), elements::space(21));
    assert_eq!(elements::space(5), "unknown");
}

#[test]
fn any_octets_end() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for round in 0..20_000 {
        let mut octets = Vec::with_capacity(48);
        for _ in 0..6 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            octets.extend(state.to_le_bytes());
        }
        // A real type and qualifier first, so that more than the refusal is met.
        let object = &OBJECTS[usize::try_from(state % u64::try_from(OBJECTS.len()).unwrap()).unwrap()];
        let qualifiers = [0x00, 0x01, 0x06, 0x07, 0x08, 0x17, 0x28, 0x39, 0x5B, 0x4B, 0x6B, 0x02];
        octets[0] = object.group;
        octets[1] = object.variation;
        octets[2] = qualifiers[round % qualifiers.len()];
        for with_data in [false, true] {
            let mut common = None;
            let mut told = 0;
            let mut used = 0;
            for header in ObjectHeaders::new(&octets, 0, with_data).flatten() {
                used += header.octets.len();
                header.points(&mut common, &mut |_| told += 1);
                header.fields(&mut |_, _| {});
                header.command_statuses(&mut |_| {});
            }
            assert!(used <= octets.len() && told <= octets.len() * 8);
        }
    }
}
