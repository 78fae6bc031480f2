//! What a record looks like outside: pure functions of a line of the journal.
//!
//! | room | what |
//! | --- | --- |
//! | [`native`] | the journal's line as it stands |
//! | [`eve`] | EVE lines |
//! | [`ecs`] | Elastic Common Schema |
//! | [`cef`] | Common Event Format |
//! | [`syslog`] | the frame of RFC 5424 around any of them |
//! | [`alert`] | the native alert record as the formats read it |
//! | [`json`] | JSON in which nothing acts |

pub mod alert;
pub mod cef;
pub mod ecs;
pub mod eve;
pub mod json;
pub mod native;
pub mod syslog;

use crate::record::{Class, Entry};
use serde::{Deserialize, Serialize};
use syslog::Header;

/// The longest line of any format, in octets, its end not counted.
pub const LINE_OCTETS_MAX: usize = 16_384;

/// The least room that an output may give a line: what the tightest level of every format fits into.
pub const LINE_OCTETS_MIN: usize = 2_048;

/// The most that the journal's envelope adds to a native record, whose own line has [`LINE_OCTETS_MAX`] at most.
pub const ENVELOPE_OCTETS_MAX: usize = 1_024;

/// What records look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The journal's lines: every class, and whoever has them all can check the chain.
    #[default]
    Native,
    /// EVE: alerts.
    Eve,
    /// Elastic Common Schema: every class.
    Ecs,
    /// Common Event Format: alerts.
    Cef,
}

impl Format {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Eve => "eve",
            Self::Ecs => "ecs",
            Self::Cef => "cef",
        }
    }

    /// A record of the journal as one line of at most so many octets, its end not counted. `None` for classes that the
    /// format has no place for. What cannot be shaped as the format wants (a record of a shape that is not known) is told
    /// by its id alone, never left out silently.
    pub fn line(self, entry: &Entry, octets: usize) -> Option<String> {
        let places = match self {
            Self::Native | Self::Ecs => true,
            Self::Eve | Self::Cef => matches!(entry.class, Class::Alert | Class::Gap),
        };
        if !places {
            return None;
        }
        let line = match self {
            Self::Native => native::of_entry(entry, octets),
            Self::Eve => eve::of_entry(entry, octets),
            Self::Ecs => ecs::of_entry(entry, octets),
            Self::Cef => cef::of_entry(entry, octets),
        };
        line.filter(|line| line.len() <= octets).or_else(|| self.bare(entry))
    }

    /// That there is a record which could not be told.
    fn bare(self, entry: &Entry) -> Option<String> {
        let id = json::fit(&entry.id, 512).0;
        let message = format!("a record that has no room here: see the journal, sequence {}", entry.sequence);
        match self {
            Self::Native => json::line(&serde_json::json!({
                "sequence": entry.sequence, "id": id, "class": entry.class, "written": entry.written,
                "record": {"severity": entry.severity, "cut": ["record"]},
            })),
            Self::Eve => json::line(&serde_json::json!({
                "timestamp": entry.written, "event_type": "engine",
                "engine": {"message": message, "context": {"yagura": {"journal": id, "severity": entry.severity}}},
            })),
            Self::Ecs => json::line(&serde_json::json!({
                "@timestamp": entry.written, "ecs": {"version": ecs::ECS_VERSION}, "message": message,
                "event": {"id": id, "kind": "event", "module": "yagura", "sequence": entry.sequence},
            })),
            Self::Cef => Some(format!(
                "CEF:0|Yagura|Yagura|{}|{}|Record without room|5|cn1Label=sequence cn1={}",
                env!("CARGO_PKG_VERSION"),
                entry.class.name(),
                entry.sequence
            )),
        }
    }
}

/// How an output writes its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writing {
    /// The format.
    pub format: Format,
    /// The most octets of a line, or of a syslog message with all that stands before its text.
    pub octets: usize,
    /// For syslog: what stands before the text.
    pub header: Option<Header>,
}

impl Writing {
    /// A record as this output writes it; `None` where its format has no place for the class.
    pub fn text(&self, entry: &Entry) -> Option<String> {
        let Some(header) = &self.header else {
            return self.format.line(entry, self.octets);
        };
        let room = self.octets.saturating_sub(header.prefix_octets(entry));
        let line = self.format.line(entry, room)?;
        header.message(entry, &line, self.octets)
    }
}

/// The entry that tells a receiver of records which the journal no longer holds.
pub fn gap(output: &str, from: u64, to: u64, now: jiff::Timestamp) -> Entry {
    let written = format!("{now:.9}");
    let count = to.saturating_sub(from).saturating_add(1);
    let id = format!("{output}/gap/{from}-{to}");
    let record = json::line(&serde_json::json!({
        "type": "gap", "schema": 1, "time": written, "output": output, "from": from, "to": to, "records": count,
        "summary": format!(
            "{count} records, sequences {from} to {to}, left the journal before output {output} had delivered them"
        ),
    }))
    .unwrap_or_default();
    let line = format!(
        "{{\"sequence\":{to},\"id\":{},\"written\":\"{written}\",\"class\":\"gap\",\"previous\":null,\"record\":{record}}}",
        json::line(&id).unwrap_or_default()
    );
    Entry { sequence: to, id, class: Class::Gap, severity: None, written, record, line }
}

#[cfg(test)]
mod tests;
