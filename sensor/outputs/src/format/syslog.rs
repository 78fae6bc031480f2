//! Syslog messages by RFC 5424.

use super::json::is_hostile;
use crate::record::{Class, Entry, Severity};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Facilities by their usual names (RFC 5424, table 1).
const FACILITIES: [(&str, u8); 24] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("ntp", 12),
    ("audit", 13),
    ("console", 14),
    ("clock", 15),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// The element's name needs an enterprise number (RFC 5424, section 7.2.2). This one is kept for examples (RFC 5612).
const ELEMENT: &str = "yagura@32473";

/// Which part of a system a message is from (RFC 5424, section 6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Facility(u8);

impl Facility {
    /// `local0`.
    pub const LOCAL0: Self = Self(16);
}

impl TryFrom<String> for Facility {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        FACILITIES.iter().find(|(known, _)| *known == name).map(|(_, number)| Self(*number)).ok_or_else(|| {
            let names: Vec<_> = FACILITIES.iter().map(|(name, _)| *name).collect();
            format!("facility: `{name}` is none; expected one of {}", names.join(", "))
        })
    }
}

impl From<Facility> for String {
    fn from(facility: Facility) -> Self {
        FACILITIES.iter().find(|(_, number)| *number == facility.0).map_or("", |(name, _)| *name).to_owned()
    }
}

/// What stands in front of every message of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The facility.
    pub facility: Facility,
    /// HOSTNAME, at most 255 printable characters.
    pub host: String,
    /// APP-NAME, at most 48 printable characters.
    pub application: String,
}

impl Header {
    /// A message: the header, structured data with the journal's id and sequence, and the text. The text is UTF-8 without
    /// a byte order mark: readers of JSON in syslog take one for rubbish. `None` where that is more than so many octets
    /// even without any text; text that has no room is cut at a character.
    pub fn message(&self, entry: &Entry, text: &str, octets: usize) -> Option<String> {
        let mut message = self.prefix(entry);
        let room = octets.checked_sub(message.len())?;
        message.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or_default());
        Some(message)
    }

    /// Octets that stand before the text of an entry's message.
    pub fn prefix_octets(&self, entry: &Entry) -> usize {
        self.prefix(entry).len()
    }

    fn prefix(&self, entry: &Entry) -> String {
        let priority = u16::from(self.facility.0).saturating_mul(8).saturating_add(u16::from(level(entry)));
        let mut prefix = format!(
            "<{priority}>1 {} {} {} - {} [{ELEMENT} id=\"",
            timestamp(entry),
            name(&self.host, 255),
            name(&self.application, 48),
            name(entry.class.name(), 32),
        );
        for character in entry.id.chars().filter(|character| !is_hostile(*character)).take(256) {
            // RFC 5424, section 6.3.3: these three are escaped with a backslash.
            if matches!(character, '"' | '\\' | ']') {
                prefix.push('\\');
            }
            prefix.push(character);
        }
        let _ = write!(prefix, "\" sequence=\"{}\"] ", entry.sequence);
        prefix
    }
}

/// A name of the header: printable ASCII without spaces (RFC 5424, section 6); `-` where nothing is left.
fn name(text: &str, octets: usize) -> String {
    let kept: String = text.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).take(octets).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

/// When: the record's own time, else when it was written, with the six decimals that are the most (section 6.2.3).
fn timestamp(entry: &Entry) -> String {
    entry.time().map_or_else(|| "-".to_owned(), |time| format!("{time:.6}"))
}

/// Severity by RFC 5424, table 2.
fn level(entry: &Entry) -> u8 {
    match (entry.class, entry.severity) {
        (_, Some(Severity::Critical)) => 2,
        (_, Some(Severity::High)) => 3,
        (_, Some(Severity::Medium)) | (Class::Gap, None) => 4,
        (_, Some(Severity::Low)) => 5,
        (_, Some(Severity::Info)) | (_, None) => 6,
    }
}
