//! `yagura show`: what the sensor knows: detections, protocols, records, schemas.

use super::{DONE, Failure, Outcome, print};
use crate::record::catalogue;
use crate::record::schema::{self, SCHEMAS, schema};
use std::fmt::Write as _;
use yagura_parsers::protocols::{ProtocolId, dnp3, iec104, modbus};
use yagura_rules::detections::{CATALOG, detections_markdown};
use yagura_rules::rule::Card;

/// What can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Detections.
    Detections,
    /// Protocols.
    Protocols,
    /// Records.
    Records,
    /// JSON Schemas of records.
    Schema,
}

/// In which format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For a terminal.
    #[default]
    Text,
    /// For documents.
    Markdown,
    /// For programs.
    Json,
}

/// Runs the command.
///
/// # Errors
/// [`Failure::Arguments`] for a name that there is not, or a format that there is not for it.
pub fn run(subject: Subject, name: Option<&str>, format: Format) -> Outcome {
    let text = match subject {
        Subject::Detections => detections(name, format)?,
        Subject::Protocols => protocols(name, format)?,
        Subject::Records => records(name, format)?,
        Subject::Schema => schemas(name)?,
    };
    print(&text)?;
    if !text.ends_with('\n') {
        print("\n")?;
    }
    Ok(DONE)
}

fn unknown(what: &str, name: &str, known: Vec<&str>) -> Failure {
    let name = crate::record::write::visible(name);
    Failure::Arguments(format!("there is no {what} '{name}'; there are: {}", known.join(", ")))
}

fn whole_only(what: &str) -> Failure {
    Failure::Arguments(format!("--format markdown is for all {what}: leave the name out"))
}

fn detections(name: Option<&str>, format: Format) -> Result<String, Failure> {
    let every = || CATALOG.iter().map(|registration| registration.card);
    let chosen: Vec<&Card> =
        every().filter(|card| name.is_none_or(|name| card.name == name || card.id == name)).collect();
    if let (Some(name), true) = (name, chosen.is_empty()) {
        return Err(unknown("detection", name, every().map(|card| card.name).collect()));
    }
    Ok(match format {
        Format::Markdown if name.is_some() => return Err(whole_only("detections")),
        Format::Markdown => detections_markdown(),
        Format::Json => catalogue::detections(chosen.into_iter()),
        Format::Text if name.is_none() => {
            let mut text = String::new();
            for card in chosen {
                let _ = writeln!(text, "{}  {:<26} {:<9} {}", card.id, card.name, card.severity.name(), card.what.en);
            }
            text
        }
        Format::Text => chosen.into_iter().map(card_text).collect(),
    })
}

/// A card for a terminal, in both languages.
pub fn card_text(card: &Card) -> String {
    let mut text = format!("{} {} ({})\n", card.id, card.name, card.severity.name());
    for (heading, words) in
        [("what", &card.what), ("why", &card.why), ("harmless causes", &card.benign), ("what to do", &card.response)]
    {
        let _ = writeln!(text, "  {heading}\n    {}\n    {}", words.en, words.ja);
    }
    if !card.attack.is_empty() {
        text.push_str("  ATT&CK for ICS\n");
    }
    for technique in card.attack {
        let old = technique.old.map(|old| format!(" (before version 19: {old})")).unwrap_or_default();
        let _ = writeln!(text, "    {} {}{old}", technique.id, technique.name);
    }
    if !card.serves.is_empty() {
        let _ = writeln!(text, "  serves\n    {}", card.serves.join("; "));
    }
    if !card.settings.is_empty() {
        text.push_str("  settings\n");
    }
    for setting in card.settings {
        let (name, what, range) = (setting.name, setting.what, (setting.min, setting.max));
        let _ = writeln!(text, "    {name} = {} ({} to {}): {what}", setting.default, range.0, range.1);
    }
    text
}

fn protocols(name: Option<&str>, format: Format) -> Result<String, Failure> {
    let every = ProtocolId::ALL;
    let chosen: Vec<ProtocolId> =
        every.iter().copied().filter(|protocol| name.is_none_or(|name| protocol.name() == name)).collect();
    if let (Some(name), true) = (name, chosen.is_empty()) {
        return Err(unknown("protocol", name, every.iter().map(|protocol| protocol.name()).collect()));
    }
    Ok(match format {
        Format::Markdown if name.is_some() => return Err(whole_only("protocols")),
        Format::Markdown => protocols_markdown(&chosen),
        Format::Json => catalogue::protocols(&chosen),
        Format::Text => chosen.into_iter().map(|protocol| protocol_text(protocol, name.is_some())).collect(),
    })
}

fn ports(protocol: ProtocolId) -> String {
    protocol.ports().iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

fn protocol_text(protocol: ProtocolId, whole: bool) -> String {
    let mut text = format!("{}: {}; usual port {}\n", protocol.name(), protocol.standard(), ports(protocol));
    if whole {
        for (code, name, verb, clause) in operations(protocol) {
            let _ = writeln!(text, "  {code:<8} {name:<44} {verb:<12} {clause}");
        }
    }
    text
}

/// The operations of a protocol: code, name, verb, clause.
fn operations(protocol: ProtocolId) -> Vec<(String, &'static str, &'static str, &'static str)> {
    match protocol {
        ProtocolId::Modbus => modbus::FUNCTIONS
            .iter()
            .map(|function| {
                let code = match function.sub {
                    Some(sub) => format!("{}/{sub}", function.code),
                    None => function.code.to_string(),
                };
                (code, function.name, function.verb.name(), function.clause.0)
            })
            .collect(),
        ProtocolId::Dnp3 => dnp3::FUNCTIONS
            .iter()
            .map(|function| (function.code.to_string(), function.name, function.verb.name(), function.clause.0))
            .collect(),
        ProtocolId::Iec104 => iec104::TYPES
            .iter()
            .map(|row| {
                let clause = iec104::message::clause(iec104::TypeId(row.code)).0;
                (row.code.to_string(), row.name, row.verb.name(), clause)
            })
            .collect(),
    }
}

fn protocols_markdown(protocols: &[ProtocolId]) -> String {
    let mut text =
        "# Protocols\n\nWhat the sensor reads, made by `yagura show protocols --format markdown`. A protocol is \
        recognised by what its octets say; the usual port is a hint, never a proof.\n"
            .to_owned();
    for protocol in protocols {
        let name = protocol.name();
        let _ =
            write!(text, "\n## `{name}`\n\n- Standard: {}\n- Usual port: {}\n", protocol.standard(), ports(*protocol));
        let tables: Vec<String> = protocol.tables().iter().map(|table| format!("`{table}`")).collect();
        let _ = writeln!(text, "- Tables of its statistics: {}\n", tables.join(", "));
        text.push_str("| code | operation | verb | clause |\n| --- | --- | --- | --- |\n");
        for (code, name, verb, clause) in operations(*protocol) {
            let _ = writeln!(text, "| {code} | `{name}` | {verb} | {clause} |");
        }
    }
    text
}

fn record_names() -> Vec<&'static str> {
    SCHEMAS.iter().map(|schema| schema.name).collect()
}

fn records(name: Option<&str>, format: Format) -> Result<String, Failure> {
    let chosen: Vec<_> = SCHEMAS.iter().filter(|schema| name.is_none_or(|name| schema.name == name)).collect();
    if let (Some(name), true) = (name, chosen.is_empty()) {
        return Err(unknown("record", name, record_names()));
    }
    Ok(match format {
        Format::Markdown if name.is_some() => return Err(whole_only("records")),
        Format::Markdown => schema::markdown(),
        Format::Json => {
            return Err(Failure::Arguments("records as JSON are schemas: see `yagura show schema`".to_owned()));
        }
        Format::Text => chosen.into_iter().map(schema::plain).collect::<Vec<_>>().join("\n"),
    })
}

fn schemas(name: Option<&str>) -> Result<String, Failure> {
    match name {
        None => Ok(record_names().join("\n")),
        Some(name) => {
            schema(name).map(|schema| schema.text.to_owned()).ok_or_else(|| unknown("record", name, record_names()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_can_be_shown() {
        for (subject, name, format) in [
            (Subject::Detections, None, Format::Text),
            (Subject::Detections, Some("asset_new"), Format::Text),
            (Subject::Detections, Some("OT-0001"), Format::Json),
            (Subject::Protocols, Some("modbus"), Format::Text),
            (Subject::Protocols, None, Format::Json),
            (Subject::Records, Some("alert"), Format::Text),
            (Subject::Schema, Some("eve-alert"), Format::Json),
            (Subject::Schema, None, Format::Text),
        ] {
            assert_eq!(run(subject, name, format), Ok(DONE), "{subject:?} {name:?} {format:?}");
        }
    }

    #[test]
    fn what_there_is_not_is_a_wrong_argument_that_names_what_there_is() {
        for (subject, name, format, word) in [
            (Subject::Detections, "x", Format::Text, "asset_new"),
            (Subject::Protocols, "x", Format::Text, "modbus"),
            (Subject::Records, "x", Format::Text, "summary"),
            (Subject::Schema, "x\u{1b}", Format::Text, "'x\\u{1b}'"),
            (Subject::Detections, "asset_new", Format::Markdown, "leave the name out"),
        ] {
            let Err(Failure::Arguments(text)) = run(subject, Some(name), format) else { panic!("{subject:?}") };
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn documents_name_every_operation() {
        let text = protocols_markdown(ProtocolId::ALL);
        assert!(text.contains("| 16 | `write_multiple_registers` | write | V1.1b3 6.12 |"), "{text}");
        let rows: usize = ProtocolId::ALL.iter().map(|protocol| operations(*protocol).len() + 2).sum();
        assert_eq!(text.matches("\n| ").count(), rows);
    }
}
