//! A line of the journal as the outputs see it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What kind of record a line of the journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A finding.
    Alert,
    /// How the sensor itself is.
    Health,
    /// What an operator decided about an alert.
    Disposition,
    /// What an operator did to the sensor.
    Audit,
    /// Records that are missing, and how many.
    Gap,
    /// A signature over the chain so far.
    Checkpoint,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 6] = [Self::Alert, Self::Health, Self::Disposition, Self::Audit, Self::Gap, Self::Checkpoint];

    /// Its name in the journal and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Health => "health",
            Self::Disposition => "disposition",
            Self::Audit => "audit",
            Self::Gap => "gap",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// How bad an alert is, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    #[default]
    Info,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// Every severity, mildest first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of a rank, 0 the mildest; `None` above 4.
    pub fn of_rank(rank: u8) -> Option<Self> {
        Self::ALL.get(usize::from(rank)).copied()
    }
}

/// A line of the journal, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the journal.
    pub sequence: u64,
    /// `SENSOR/RUN/SEQUENCE`: unique for ever, so that a receiver knows what it has already.
    pub id: String,
    /// What it holds.
    pub class: Class,
    /// How bad it is, where the record says.
    pub severity: Option<Severity>,
    /// When it was written by the wall clock, RFC 3339.
    pub written: String,
    /// The record: one JSON object on one line.
    pub record: String,
    /// The whole line without its end, as it stands in the journal and as its hash was taken.
    pub line: String,
}

/// The members of a line that outputs need.
#[derive(Deserialize)]
struct Envelope<'a> {
    sequence: u64,
    id: String,
    written: String,
    class: Class,
    severity: Option<Severity>,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// The member of a record that tells how bad it is. Records of other classes may use the key for something else.
#[derive(Deserialize)]
struct Rated {
    severity: Option<Severity>,
}

impl Entry {
    /// Takes a line of the journal apart.
    ///
    /// # Errors
    /// What is wrong with the line, where it is none of the journal's.
    pub fn parse(line: &str) -> Result<Self, serde_json::Error> {
        let line = line.trim_end_matches(['\n', '\r']);
        let envelope: Envelope<'_> = serde_json::from_str(line)?;
        let record = envelope.record.get();
        let own = || serde_json::from_str::<Rated>(record).ok().and_then(|rated| rated.severity);
        let severity = envelope.severity.or_else(own);
        Ok(Self {
            sequence: envelope.sequence,
            id: envelope.id,
            class: envelope.class,
            severity,
            written: envelope.written,
            record: record.to_owned(),
            line: line.to_owned(),
        })
    }

    /// When: the record's own time, else when it was written.
    pub fn time(&self) -> Option<jiff::Timestamp> {
        #[derive(Deserialize)]
        struct Timed {
            time: Option<String>,
        }
        let own = serde_json::from_str::<Timed>(&self.record).ok().and_then(|timed| timed.time);
        own.and_then(|time| time.parse().ok()).or_else(|| self.written.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_and_kept_whole() {
        let line = r#"{"sequence":7,"id":"s/r/7","written":"2026-01-05T10:00:00.000000001Z","class":"alert","previous":"00","record":{"severity":"high","b":[1, 2]}}"#;
        let entry = Entry::parse(&format!("{line}\n")).unwrap();
        assert_eq!((entry.sequence, entry.class, entry.severity), (7, Class::Alert, Some(Severity::High)));
        assert_eq!(entry.record, r#"{"severity":"high","b":[1, 2]}"#);
        assert_eq!(entry.line, line);
    }

    #[test]
    fn a_record_without_severity_has_none_and_rubbish_is_refused() {
        let line = r#"{"sequence":1,"id":"a","written":"","class":"health","record":{"severity":3}}"#;
        assert_eq!(Entry::parse(line).unwrap().severity, None);
        let told = line.replace("\"class\"", "\"severity\":\"low\",\"class\"");
        assert_eq!(Entry::parse(&told).unwrap().severity, Some(Severity::Low));
        for bad in ["", "{}", "[]", &line.replace("health", "weather"), &line.replace("1,", "-1,")] {
            assert!(Entry::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_those_of_the_configuration() {
        for class in Class::ALL {
            assert_eq!(serde_json::to_string(&class).unwrap(), format!("\"{}\"", class.name()));
        }
        for (rank, severity) in (0..).zip(Severity::ALL) {
            assert_eq!(serde_json::to_string(&severity).unwrap(), format!("\"{}\"", severity.name()));
            assert_eq!(Severity::of_rank(rank), Some(severity));
        }
        assert_eq!(Severity::of_rank(5), None);
    }
}
