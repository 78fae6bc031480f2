//! Alerts of an earlier run, read back: native lines or EVE lines.

use super::wire::Shape;

/// What tells one alert from another across runs: the detection's name and the subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertKey {
    /// The detection's name.
    pub detection: String,
    /// What equal findings share.
    pub subject: String,
}

/// An alert that was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadAlert {
    /// What tells it from others.
    pub key: AlertKey,
    /// Its id.
    pub id: String,
    /// Its severity.
    pub severity: String,
    /// Its sentence.
    pub summary: String,
}

/// Whether a text is lines of JSON rather than an operator's file.
pub fn is_records(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// The alerts among the lines of a file; closing alerts and records of other types are passed over.
///
/// # Errors
/// The number of the first line, from 1, that is no JSON object or an alert without what an alert has; and why.
pub fn alerts(text: &str) -> Result<Vec<ReadAlert>, (usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index.saturating_add(1), line)) {
        if line.trim().is_empty() {
            continue;
        }
        let record: Shape = serde_json::from_str(line).map_err(|error| (number, format!("is no JSON ({error})")))?;
        let is = |key: &str, value: &str| record.member(key).and_then(Shape::text) == Some(value);
        let (alert, name) = if is("type", "alert") {
            (Some(&record), record.member("detection").and_then(|detection| detection.member("name")))
        } else if is("event_type", "alert") {
            let own =
                record.member("alert").and_then(|alert| alert.member("context")).and_then(|all| all.member("yagura"));
            (own, own.and_then(|own| own.member("name")))
        } else {
            continue;
        };
        let text = |key: &str| alert.and_then(|alert| alert.member(key)).and_then(Shape::text).map(str::to_owned);
        if text("closes").is_some() {
            continue;
        }
        let read = || {
            Some(ReadAlert {
                key: AlertKey { detection: name.and_then(Shape::text)?.to_owned(), subject: text("subject")? },
                id: text("id")?,
                severity: text("severity")?,
                summary: text("summary")?,
            })
        };
        found.push(read().ok_or((number, "is no alert of this program".to_owned()))?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::alert::{AlertRecord, Source};
    use crate::record::eve::EveRecord;
    use crate::record::text::Names;
    use crate::record::{Language, examples};

    #[test]
    fn both_formats_read_back() {
        let norm = examples::norm();
        let names = Names { norm: &norm, assets: None, captures: &[] };
        let source = Source { names, language: Language::English, sensor: None, site: None };
        let alert = examples::write_alert();
        let native = alerts(&AlertRecord::line(&alert, &source)).unwrap();
        let eve = alerts(&EveRecord::line(&alert, &source)).unwrap();
        assert_eq!(native, eve);
        assert_eq!(native.len(), 1);
        assert_eq!(native[0].key.detection, "write_example");
        let mut closing = examples::write_alert();
        closing.closes = Some(alert.id);
        assert_eq!(alerts(&AlertRecord::line(&closing, &source)).unwrap(), []);
    }

    #[test]
    fn what_is_no_alert_is_told_by_line() {
        assert_eq!(alerts("{\"type\":\"run\"}\n\n{\"event_type\":\"flow\"}\n").unwrap(), []);
        assert_eq!(alerts("{\"type\":\"run\"}\nx\n").unwrap_err().0, 2);
        assert_eq!(alerts("{\"type\":\"alert\"}").unwrap_err(), (1, "is no alert of this program".to_owned()));
        assert!(is_records(" \n{") && !is_records("schema = 1"));
    }
}
