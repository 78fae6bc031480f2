//! One record, one line: escaping, time, digests.

use serde::Serialize;
use serde_json::ser::Formatter;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io;
use yagura_rules::facts::time::Timestamp;

/// The longest line that is written, in octets, its end not counted. A record that is longer is cut, and says so.
pub const LINE_OCTETS_MAX: usize = 16_384;

/// Whether a character may act upon a terminal, a log or a reader's eye instead of being read: C0 and C1 controls, marks
/// and overrides of writing direction, invisible characters, line and paragraph separators, tags.
pub fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A text as it may be shown on a terminal: hostile characters are written as `\u{..}`, a backslash twice.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hostile(character) {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
        } else if character == '\\' {
            shown.push_str("\\\\");
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A record as one line of JSON, without its end. Hostile characters that JSON would let pass are written as `\uXXXX`.
pub fn line<T: Serialize>(record: &T) -> String {
    written(record, Escaping)
}

/// A record as JSON for people, indented, with the same escapes.
pub fn indented<T: Serialize>(record: &T) -> String {
    written(record, Indented(serde_json::ser::PrettyFormatter::new()))
}

fn written<T: Serialize, F: Formatter>(record: &T, formatter: F) -> String {
    let mut octets = Vec::with_capacity(2_048);
    let mut serializer = serde_json::Serializer::with_formatter(&mut octets, formatter);
    // The shapes have no map with keys other than text, and a vector takes every octet: neither can fail.
    let done = record.serialize(&mut serializer);
    debug_assert!(done.is_ok(), "{done:?}");
    String::from_utf8(octets).unwrap_or_default()
}

/// A time as RFC 3339 in UTC with nine decimals.
pub fn time(time: Timestamp) -> String {
    in_utc(time, 9)
}

/// A time as EVE has it: six decimals and `+0000`.
pub fn eve_time(time: Timestamp) -> String {
    let mut text = in_utc(time, 6);
    text.pop();
    text.push_str("+0000");
    text
}

fn in_utc(time: Timestamp, decimals: usize) -> String {
    // 2^64 nanoseconds end in the year 2554, within the library's range.
    let instant = jiff::Timestamp::from_nanosecond(i128::from(time.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{instant:.decimals$}")
}

/// The time of a device's clock, in ms since 1970-01-01T00:00:00 of its zone: RFC 3339 with three decimals and without a
/// zone, since nobody knows which it is. `None` after the year 9999, which that format cannot write.
pub fn device_time(milliseconds: u64) -> Option<String> {
    let instant = jiff::Timestamp::from_millisecond(i64::try_from(milliseconds).ok()?).ok()?;
    let mut text = format!("{instant:.3}");
    text.pop();
    Some(text)
}

/// Octets as lower-case hexadecimal digits.
pub fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().saturating_mul(2));
    for octet in octets {
        let _ = write!(text, "{octet:02x}");
    }
    text
}

/// SHA-256 of a file's octets, as hexadecimal digits.
pub fn sha256(octets: &[u8]) -> String {
    hex(&Sha256::digest(octets))
}

/// JSON on one line, with every hostile character escaped.
struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        escape(writer, fragment)
    }
}

/// JSON with indents, with every hostile character escaped.
struct Indented(serde_json::ser::PrettyFormatter<'static>);

impl Formatter for Indented {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        escape(writer, fragment)
    }
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }
    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }
    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }
    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }
    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }
    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

fn escape<W: ?Sized + io::Write>(writer: &mut W, fragment: &str) -> io::Result<()> {
    // Nearly all text holds no octet that a hostile character begins with.
    if !fragment.bytes().any(may_be_hostile) {
        return writer.write_all(fragment.as_bytes());
    }
    let mut rest = fragment;
    while let Some((at, character)) = rest.char_indices().find(|(_, character)| is_hostile(*character)) {
        let (plain, from) = rest.split_at(at);
        writer.write_all(plain.as_bytes())?;
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
        rest = from.split_at(character.len_utf8()).1;
    }
    writer.write_all(rest.as_bytes())
}

/// Whether a hostile character may begin with an octet, or be it.
#[inline]
fn may_be_hostile(octet: u8) -> bool {
    MAY_BE_HOSTILE.get(usize::from(octet)) == Some(&true)
}

/// The answers of [`may_be_hostile`]: looked up, since every octet of every record is asked about.
const MAY_BE_HOSTILE: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = octet < 0x20 || matches!(octet, 0x7F | 0xC2 | 0xD8 | 0xE2 | 0xEF | 0xF3);
        octet += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "\u{0}\u{1b}[2J\n\r\t\u{7f}\u{85}\u{9b}\u{61c}\u{200e}\u{202e}\u{2066}\u{2028}\u{feff}\u{e0041}\
        </script>=cmd|${jndi:x}\"\\ 変電所 é 🏭";

    #[test]
    fn a_line_is_one_line_of_ascii_controls_free_json_and_reads_back() {
        let line = line(&HOSTILE);
        assert!(!line.chars().any(is_hostile), "{line}");
        assert!(line.contains("\\u009b") && line.contains("\\u202e") && line.contains("\\udb40\\udc41"), "{line}");
        assert!(line.contains("変電所") && line.contains("🏭"), "what is harmless stays: {line}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), HOSTILE);
    }

    #[test]
    fn every_hostile_character_begins_with_an_octet_that_is_looked_for() {
        for character in (0..=0x10_FFFF).filter_map(char::from_u32).filter(|character| is_hostile(*character)) {
            let first = character.to_string().as_bytes()[0];
            assert!(may_be_hostile(first), "{character:?}");
        }
        assert!(!"a plain text: ポンプ 1".bytes().any(may_be_hostile));
    }

    #[test]
    fn indented_json_escapes_too() {
        let text = indented(&vec![HOSTILE]);
        assert!(text.lines().all(|line| !line.chars().any(is_hostile)), "{text}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [HOSTILE]);
        assert_eq!(indented(&vec![1]), "[\n  1\n]");
    }

    #[test]
    fn a_terminal_sees_no_hostile_character() {
        let shown = visible(HOSTILE);
        assert!(!shown.chars().any(is_hostile));
        assert!(shown.starts_with("\\u{0}\\u{1b}[2J\\u{a}"), "{shown}");
        assert_eq!(visible("ポンプ 1"), "ポンプ 1");
        assert_ne!(visible("\\u{1b}"), visible("\u{1b}"), "two texts never look the same");
    }

    #[test]
    fn times_have_fixed_decimals() {
        assert_eq!(time(Timestamp(0)), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(time(Timestamp(1_767_607_872_123_456_789)), "2026-01-05T10:11:12.123456789Z");
        assert_eq!(eve_time(Timestamp(1_767_607_872_123_456_999)), "2026-01-05T10:11:12.123456+0000");
        assert!(time(Timestamp(u64::MAX)).starts_with("2554-07-21T23:34:33.709551615"));
    }

    #[test]
    fn a_devices_clock_has_no_zone() {
        assert_eq!(device_time(0).as_deref(), Some("1970-01-01T00:00:00.000"));
        assert_eq!(device_time(1_767_607_872_123).as_deref(), Some("2026-01-05T10:11:12.123"));
        assert_eq!(device_time(253_370_764_800_000).as_deref(), Some("9999-01-01T00:00:00.000"));
        // What 48 bits of DNP3 time can hold at most is of the year 10889.
        assert_eq!(device_time((1 << 48) - 1), None);
        assert_eq!(device_time(u64::MAX), None);
    }

    #[test]
    fn digests_are_of_the_octets() {
        // FIPS 180-4's example of the three octets "abc".
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
