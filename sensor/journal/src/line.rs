//! One line of a segment: a record in its envelope, or the stub that stands for records that went.

use crate::class::{Class, Counts, Kind, Severity};
use crate::hash::Hash;
use serde::{Deserialize, Serialize};

/// Octets that one line may have at most, without its newline. What is longer is no line of a journal.
pub const LINE_OCTETS_MAX: usize = 2 * 1024 * 1024;

/// A record in its envelope, as it stands in a line.
///
/// The fields stand in this order, without white space and without escapes in the envelope, so that a line is read
/// by its beginning and only one text means what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its number: 1 is the first of the journal, and none is given twice.
    pub sequence: u64,
    /// `SENSOR/RUN/SEQUENCE`: unique for ever, so that a receiver can drop what it has already.
    pub id: &'a str,
    /// When it was appended, by the wall clock: RFC 3339, UTC, nine decimals, always 30 octets.
    pub written: &'a str,
    /// What it is about.
    pub class: Class,
    /// Of an alert.
    pub severity: Option<Severity>,
    /// The hash of the line before, without its newline.
    pub previous: Hash,
    /// The record: one JSON object.
    pub record: &'a str,
    /// The whole line, without its newline.
    pub line: &'a str,
}

impl Entry<'_> {
    /// By what it is counted.
    pub const fn kind(&self) -> Kind {
        Kind::of(self.class, self.severity)
    }
}

/// Stands in a segment for a run of records that were given up. A gap record further on vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stub {
    /// The first that went.
    pub(crate) from: u64,
    /// The last that went.
    pub(crate) to: u64,
    /// The hash of the line before the first.
    pub(crate) before: Hash,
    /// The hash of the last.
    pub(crate) last: Hash,
    /// How many of each kind.
    pub(crate) counts: Counts,
}

/// A stub's line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StubLine {
    removed: Stub,
}

impl Stub {
    /// As a line, without newline.
    pub(crate) fn to_line(&self) -> Vec<u8> {
        // A struct of numbers and texts always has a JSON text.
        serde_json::to_vec(&StubLine { removed: self.clone() }).unwrap_or_default()
    }
}

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Row<'a> {
    /// A record.
    Entry(Entry<'a>),
    /// What stands for records that went.
    Stub(Stub),
}

impl<'a> Row<'a> {
    /// Reads a line without its newline; what is wrong with it otherwise.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, &'static str> {
        let line = std::str::from_utf8(line).map_err(|_| "not UTF-8")?;
        if line.starts_with(STUB_START) {
            let StubLine { removed } = serde_json::from_str(line).map_err(|_| "not a stub of removed records")?;
            return if removed.from <= removed.to {
                Ok(Self::Stub(removed))
            } else {
                Err("a stub that ends before it begins")
            };
        }
        parse_entry(line).map(Self::Entry)
    }

    /// Refuses a record that is no JSON: needed only where no later line vouches for it by its hash.
    pub(crate) fn checked(self) -> Result<Self, &'static str> {
        match &self {
            Self::Entry(entry) if serde_json::from_str::<serde::de::IgnoredAny>(entry.record).is_err() => {
                Err("a record that is no JSON")
            }
            _ => Ok(self),
        }
    }

    /// Its number, or the first of those that it stands for.
    pub(crate) const fn first(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.sequence,
            Self::Stub(stub) => stub.from,
        }
    }

    /// Its number, or the last of those that it stands for.
    pub(crate) const fn last(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.sequence,
            Self::Stub(stub) => stub.to,
        }
    }

    /// The hash of the line before it.
    pub(crate) const fn previous(&self) -> Hash {
        match self {
            Self::Entry(entry) => entry.previous,
            Self::Stub(stub) => stub.before,
        }
    }

    /// The hash that the next line has to name.
    pub(crate) fn hash(&self) -> Hash {
        match self {
            Self::Entry(entry) => Hash::of(entry.line.as_bytes()),
            Self::Stub(stub) => stub.last,
        }
    }
}

/// How a stub begins.
const STUB_START: &str = r#"{"removed":"#;

/// What is written into a line.
pub(crate) struct Draft<'a> {
    pub(crate) sequence: u64,
    /// `SENSOR/RUN/`
    pub(crate) id_start: &'a str,
    pub(crate) written: &'a str,
    pub(crate) class: Class,
    pub(crate) severity: Option<Severity>,
    pub(crate) previous: Hash,
    pub(crate) record: &'a str,
}

impl Draft<'_> {
    /// The line, without newline.
    pub(crate) fn to_line(&self) -> String {
        let Self { sequence, id_start, written, record, .. } = self;
        let class = self.class.name();
        let (quote, severity) = self.severity.map_or(("", "null"), |severity| ("\"", severity.name()));
        let previous = self.previous.to_hex();
        format!(
            r#"{{"sequence":{sequence},"id":"{id_start}{sequence}","written":"{written}","class":"{class}","severity":{quote}{severity}{quote},"previous":"{previous}","record":{record}}}"#
        )
    }
}

/// Reads a record's line.
fn parse_entry(line: &str) -> Result<Entry<'_>, &'static str> {
    let rest = line.strip_prefix(r#"{"sequence":"#).ok_or("no sequence where it belongs")?;
    let (sequence, rest) = rest.split_once(r#","id":""#).ok_or("no id where it belongs")?;
    let sequence = number(sequence).ok_or("a sequence that is no number")?;
    let (id, rest) = rest.split_once(r#"","written":""#).ok_or("no time where it belongs")?;
    if !is_plain(id) {
        return Err("an id with characters that it cannot have");
    }
    let (written, rest) = rest.split_once(r#"","class":""#).ok_or("no class where it belongs")?;
    if !is_time(written.as_bytes()) {
        return Err("a time of another form");
    }
    let (class, rest) = rest.split_once(r#"","severity":"#).ok_or("no severity where it belongs")?;
    let class = Class::from_name(class).ok_or("an unknown class")?;
    let (severity, rest) = rest.split_once(r#","previous":""#).ok_or("no hash where it belongs")?;
    let severity = match severity.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(name) => Some(Severity::from_name(name).ok_or("an unknown severity")?),
        None if severity == "null" => None,
        None => return Err("an unknown severity"),
    };
    let (previous, rest) = rest.split_once(r#"","record":"#).ok_or("no record where it belongs")?;
    let previous = Hash::from_hex(previous.as_bytes()).ok_or("a hash that is none")?;
    let record = rest.strip_suffix('}').ok_or("an end that is cut off")?;
    if !(record.starts_with('{') && record.ends_with('}')) {
        return Err("a record that is no object");
    }
    Ok(Entry { sequence, id, written, class, severity, previous, record, line })
}

/// A number in its one text: no sign, no leading zero.
pub(crate) fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|digit| digit.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// Whether a text needs no escape in JSON.
pub(crate) fn is_plain(text: &str) -> bool {
    text.chars().all(|sign| !sign.is_control() && sign != '"' && sign != '\\')
}

/// Whether a text has the form `2026-01-05T10:00:10.500000000Z`.
fn is_time(text: &[u8]) -> bool {
    const FORM: &[u8; 30] = b"dddd-dd-ddTdd:dd:dd.dddddddddZ";
    text.len() == FORM.len()
        && text.iter().zip(FORM).all(|(sign, form)| if *form == b'd' { sign.is_ascii_digit() } else { sign == form })
}

/// Nanoseconds since 1970 as the time of a line: 30 octets, so that times compare as texts.
pub(crate) fn time_text(ns: u64) -> String {
    // All of u64 lies before the year 2555, which jiff knows.
    let time = jiff::Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{time:.9}")
}

/// The time of a line in nanoseconds since 1970; `None` if there is no such time.
pub(crate) fn time_ns(text: &str) -> Option<u64> {
    u64::try_from(text.parse::<jiff::Timestamp>().ok()?.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> String {
        Draft {
            sequence: 12,
            id_start: "s1/r1/",
            written: "2026-01-05T10:00:10.500000000Z",
            class: Class::Alert,
            severity: Some(Severity::High),
            previous: Hash::of(b"abc"),
            record: r#"{"type":"alert","previous":"x","record":{}}"#,
        }
        .to_line()
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = draft();
        assert!(serde_json::from_str::<serde_json::Value>(&line).unwrap().is_object());
        let Row::Entry(entry) = Row::parse(line.as_bytes()).unwrap() else { panic!("a record") };
        assert_eq!((entry.sequence, entry.id), (12, "s1/r1/12"));
        assert_eq!((entry.class, entry.severity), (Class::Alert, Some(Severity::High)));
        assert_eq!(entry.previous, Hash::of(b"abc"));
        assert_eq!(entry.record, r#"{"type":"alert","previous":"x","record":{}}"#);
        assert_eq!(time_text(time_ns(entry.written).unwrap()), entry.written);
    }

    #[test]
    fn another_text_of_the_same_meaning_is_refused() {
        let line = draft();
        for (from, to) in [
            (r#"{"sequence":12"#, r#"{"sequence":012"#),
            (r#"{"sequence":12"#, r#"{"sequence": 12"#),
            (r#"{"sequence":12"#, r#"{"sequence":+12"#),
            (r#"s1/r1"#, r#"s1\/r1"#),
            ("10.500000000Z", "10.5Z"),
            ("10.500000000Z", "10.500000000z"),
            (r#""alert","sev"#, r#""Alert","sev"#),
            (r#""high""#, r#""High""#),
            (r#""high""#, r#""null""#),
            (r#""ba78"#, r#""BA78"#),
            (r#""record":{"#, r#""record":["#),
        ] {
            let other = line.replacen(from, to, 1);
            assert_ne!(other, line, "{from} stands in the line");
            assert!(Row::parse(other.as_bytes()).is_err(), "{other}");
        }
        for cut in 0..line.len() - 1 {
            assert!(Row::parse(&line.as_bytes()[..cut]).is_err());
        }
    }

    #[test]
    fn a_stub_is_read_as_it_was_written() {
        let mut counts = Counts::default();
        counts.add(Kind::Health, 3);
        let stub = Stub { from: 4, to: 6, before: Hash::ZERO, last: Hash::of(b"x"), counts };
        assert_eq!(Row::parse(&stub.to_line()).unwrap(), Row::Stub(stub.clone()));
        let turned = Stub { from: 7, ..stub };
        assert!(Row::parse(&turned.to_line()).is_err());
    }

    #[test]
    fn times_compare_as_texts() {
        let times = [0, 1, 999_999_999, 1_000_000_000, 4_102_444_800_000_000_000, u64::MAX];
        let texts: Vec<String> = times.iter().map(|ns| time_text(*ns)).collect();
        assert!(texts.is_sorted());
        assert!(texts.iter().all(|text| is_time(text.as_bytes())), "{texts:?}");
        assert_eq!(times.map(|ns| time_ns(&time_text(ns))), times.map(Some));
    }
}
