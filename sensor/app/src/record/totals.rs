//! Counters: the last line of a run, and the statistics of captures.

use super::SCHEMA;
use super::wire::Shape;
use super::write::{indented, line};
use serde::Serialize;
use std::collections::BTreeMap;
use yagura_core::counters::{Counters, ProtocolCounters};
use yagura_parsers::protocols::ProtocolId;

/// Everything that was counted.
#[derive(Debug, Clone, Serialize)]
pub struct Totals {
    /// Frames.
    pub frames: u64,
    /// Octets on the wire.
    pub octets: u64,
    /// Octets captured.
    pub captured_octets: u64,
    /// Devices.
    pub assets: u64,
    /// Flows opened.
    pub flows: u64,
    /// By protocol: the tables of its statistics, then `late` (the same tables for messages that were
    /// acknowledged before they were seen), `messages`, `malformed`, `flows`, `octets`, `skipped_octets`.
    pub protocols: Shape,
    /// Frames by what they carry.
    pub carried: Shape,
    /// Frames by EtherType that is not read, as four hexadecimal digits.
    pub ethertypes: Shape,
    /// Payload octets that no protocol was found for, by transport and port.
    pub undecoded_octets: Shape,
    /// Those of ports that are not kept apart.
    pub undecoded_other_octets: u64,
    /// Anomalies by kind.
    pub anomalies: Shape,
    /// Gaps in streams.
    pub gaps: u64,
    /// Octets in them.
    pub gap_octets: u64,
    /// Retransmitted segments.
    pub retransmissions: u64,
    /// Second copies from the mirror.
    pub duplicates: u64,
    /// Frames cut by the capture.
    pub truncated: u64,
    /// TCP flows of which one direction only was seen.
    pub one_sided_flows: u64,
    /// TCP flows older than the capture.
    pub midstream_flows: u64,
    /// Frames with a time before that of an earlier frame.
    pub time_reversals: u64,
    /// Frames for which the capture has no time.
    pub frames_without_time: u64,
    /// Bounds that bit, and how often.
    pub limits: Shape,
    /// Events judged.
    pub events: u64,
    /// Operations settled without the judge.
    pub settled: u64,
    /// Values of points of the process for which there was no room yet.
    pub points_unkept: u64,
    /// Alerts by severity; every severity is there.
    pub alerts: Shape,
    /// Repeats that were counted instead of told.
    pub repeats: u64,
    /// Findings kept silent by the site file.
    pub suppressed: u64,
    /// What is counted rather than told while there is no baseline.
    pub unjudged: Shape,
    /// Faults of the sensor itself.
    pub internal: u64,
}

impl Totals {
    /// Shapes counters.
    pub fn new(counters: &Counters, assets: usize, frames_without_time: u64) -> Self {
        let protocols = counters.protocols.iter().map(|(id, counted)| (id.name().to_owned(), protocol(*id, counted)));
        let alerts = yagura_rules::rule::Severity::ALL.map(|severity| {
            (severity.name().to_owned(), Shape::Unsigned(counters.alerts.get(severity.name()).copied().unwrap_or(0)))
        });
        Self {
            frames: counters.frames,
            octets: counters.octets,
            captured_octets: counters.captured_octets,
            assets: u64::try_from(assets).unwrap_or(u64::MAX),
            flows: counters.flows,
            protocols: Shape::Object(protocols.collect()),
            carried: table(&counters.carried),
            ethertypes: Shape::Object(
                counters.ethertypes.iter().map(|(kind, n)| (format!("{kind:04x}"), Shape::Unsigned(*n))).collect(),
            ),
            undecoded_octets: Shape::Object(
                counters
                    .undecoded_octets
                    .iter()
                    .map(|((transport, port), n)| (format!("{transport}/{port}"), Shape::Unsigned(*n)))
                    .collect(),
            ),
            undecoded_other_octets: counters.undecoded_other,
            anomalies: table(&counters.anomalies),
            gaps: counters.gaps,
            gap_octets: counters.gap_octets,
            retransmissions: counters.retransmissions,
            duplicates: counters.duplicates,
            truncated: counters.truncated,
            one_sided_flows: counters.one_sided_flows,
            midstream_flows: counters.midstream_flows,
            time_reversals: counters.time_reversals,
            frames_without_time,
            limits: table(&counters.limits),
            events: counters.events,
            settled: counters.settled,
            points_unkept: counters.points_unkept,
            alerts: Shape::Object(alerts.into()),
            repeats: counters.repeats,
            suppressed: counters.suppressed,
            unjudged: table(&counters.unjudged),
            internal: counters.internal,
        }
    }
}

/// The last line of a run.
#[derive(Debug, Clone, Serialize)]
pub struct SummaryRecord {
    /// `summary`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// [`SCHEMA`].
    pub schema: u32,
    /// Whether the captures were read to their end, or to where the arguments ask to stop.
    pub complete: bool,
    /// Why not.
    pub error: Option<String>,
    /// Counters.
    #[serde(flatten)]
    pub totals: Totals,
}

impl SummaryRecord {
    /// The last line of a run that ended with or without an error.
    pub fn new(totals: Totals, error: Option<String>) -> Self {
        Self { kind: "summary", schema: SCHEMA, complete: error.is_none(), error, totals }
    }

    /// As one line.
    pub fn line(&self) -> String {
        line(self)
    }
}

/// The statistics of captures.
#[derive(Debug, Clone, Serialize)]
pub struct StatsRecord {
    /// `stats`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// [`SCHEMA`].
    pub schema: u32,
    /// The captures, in the order of the arguments.
    pub captures: Vec<String>,
    /// Whether they were read to their end.
    pub complete: bool,
    /// Why not.
    pub error: Option<String>,
    /// Counters.
    #[serde(flatten)]
    pub totals: Totals,
}

impl StatsRecord {
    /// The statistics of captures.
    pub fn new(captures: &[String], totals: Totals, error: Option<String>) -> Self {
        let complete = error.is_none();
        Self { kind: "stats", schema: SCHEMA, captures: captures.to_vec(), complete, error, totals }
    }

    /// As indented JSON.
    pub fn text(&self) -> String {
        indented(self)
    }
}

/// The rows of a table of statistics, codes in the order of numbers, not of letters.
pub fn rows(table: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let mut rows: Vec<_> = table.iter().map(|(key, n)| (key.as_str(), *n)).collect();
    rows.sort_by_cached_key(|(key, _)| key.split(':').map(|n| n.parse::<u64>().ok()).collect::<Vec<_>>());
    rows
}

fn protocol(id: ProtocolId, counted: &ProtocolCounters) -> Shape {
    let Shape::Object(mut members) = tables(id, &counted.tables) else { return Shape::Null };
    members.push(("late".to_owned(), tables(id, &counted.late)));
    for (name, n) in [
        ("messages", counted.messages),
        ("malformed", counted.malformed),
        ("flows", counted.flows),
        ("octets", counted.octets),
        ("skipped_octets", counted.skipped_octets),
    ] {
        members.push((name.to_owned(), Shape::Unsigned(n)));
    }
    Shape::Object(members)
}

/// The tables of a protocol, in its order; those with nothing in them are left out.
fn tables(id: ProtocolId, counted: &BTreeMap<&'static str, BTreeMap<String, u64>>) -> Shape {
    let named = id.tables().iter().filter_map(|name| Some((*name, counted.get(name)?)));
    let members = named.map(|(name, table)| {
        let rows = rows(table).into_iter().map(|(key, n)| (key.to_owned(), Shape::Unsigned(n))).collect();
        (name.to_owned(), Shape::Object(rows))
    });
    Shape::Object(members.collect())
}

fn table(rows: &BTreeMap<&'static str, u64>) -> Shape {
    Shape::Object(rows.iter().map(|(name, n)| ((*name).to_owned(), Shape::Unsigned(*n))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::examples;
    use crate::record::schema::tests::assert_valid;

    #[test]
    fn statistics_have_the_shape_that_checks_expect() {
        let totals = Totals::new(&examples::counters(), 2, 0);
        let text = StatsRecord::new(&["a".to_owned()], totals.clone(), None).text();
        assert_valid("stats", &text);
        let read: Shape = serde_json::from_str(&text).unwrap();
        assert_eq!(read.member("frames"), Some(&Shape::Unsigned(12)));
        let modbus = read.member("protocols").and_then(|all| all.member("modbus")).unwrap();
        assert_eq!(crate::record::write::line(modbus.member("requests").unwrap()), r#"{"3":46,"16":1}"#);
        assert_eq!(crate::record::write::line(modbus.member("exceptions").unwrap()), r#"{"3:2":2}"#);
        assert_eq!(read.member("undecoded_octets").unwrap().member("tcp/443"), Some(&Shape::Unsigned(99)));
        let summary = SummaryRecord::new(totals, Some("a: cut short".to_owned())).line();
        assert_valid("summary", &summary);
        assert!(
            summary.starts_with(r#"{"type":"summary","schema":1,"complete":false,"error":"a: cut short","frames":12,"#)
        );
        assert!(summary.contains(r#""alerts":{"info":0,"low":0,"medium":0,"high":1,"critical":0}"#), "{summary}");
    }

    #[test]
    fn a_run_that_saw_nothing_still_says_everything() {
        assert_valid("summary", &SummaryRecord::new(Totals::new(&Counters::default(), 0, 0), None).line());
    }
}
