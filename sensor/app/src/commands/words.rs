//! Counters and tables for people.

use crate::record::totals::rows as rows_of;
use crate::record::write::visible;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use yagura_core::analyzer::Report;
use yagura_core::counters::Counters;
use yagura_rules::rule::Severity;

/// Ports of undecoded octets that are shown; the others are summed up.
const PORTS_SHOWN: usize = 8;

/// The widest cell of a table, in characters.
const CELL_CHARACTERS_MAX: usize = 60;

/// The widest cell of a table's last column, after which nothing stands.
const LAST_CELL_CHARACTERS_MAX: usize = 240;

/// Tables of statistics whose codes are not those of operations.
const TABLES_WITHOUT_NAMES: [&str; 1] = ["link_frames"];

/// Rows as lines, each column as wide as its widest cell. Hostile characters are made visible, and long cells are cut to
/// fit a terminal: records have all of them.
pub fn aligned(rows: Vec<Vec<String>>) -> String {
    let shown = |row: Vec<String>| {
        let last = row.len().saturating_sub(1);
        let most = |index| if index == last { LAST_CELL_CHARACTERS_MAX } else { CELL_CHARACTERS_MAX };
        row.iter().enumerate().map(|(index, cell)| shortened(visible(cell), most(index))).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = rows.into_iter().map(shown).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (cell, width) in row.iter().zip(&mut widths) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn shortened(cell: String, most: usize) -> String {
    match cell.char_indices().nth(most) {
        None => cell,
        Some((at, _)) => format!("{}…", cell.get(..at).unwrap_or_default()),
    }
}

/// What a run saw and said, in a few lines. Nothing of it comes from the wire as text.
pub fn summary(report: &Report, frames_without_time: u64) -> String {
    let counters = &report.counters;
    let mut text = String::new();
    let mut row = |name: &str, what: String| {
        let _ = writeln!(text, "{name:<12} {what}");
    };
    row("frames", format!("{}, {} octets", grouped(counters.frames), grouped(counters.octets)));
    row("devices", grouped(count(report.assets.len())));
    row("flows", grouped(counters.flows));
    row("protocols", protocols(counters));
    row("alerts", alerts(counters));
    if !counters.unjudged.is_empty() {
        row("not judged", format!("{} (no baseline: `yagura learn` makes one)", listed(&counters.unjudged)));
    }
    let undecoded = undecoded(counters);
    if !undecoded.is_empty() {
        row("not decoded", undecoded);
    }
    let losses = losses(counters, frames_without_time);
    if !losses.is_empty() {
        row("not whole", losses.join(", "));
    }
    if !counters.anomalies.is_empty() {
        row("anomalies", listed(&counters.anomalies));
    }
    if !counters.limits.is_empty() {
        row("limits", format!("{} (the analysis may be incomplete)", listed(&counters.limits)));
    }
    if counters.internal > 0 {
        row(
            "faults",
            format!("{} of the sensor itself were contained: please report them", grouped(counters.internal)),
        );
    }
    text
}

/// The tables of the protocols' statistics, one row a code.
pub fn tables(counters: &Counters) -> String {
    let mut text = String::new();
    for (protocol, counted) in &counters.protocols {
        for table in protocol.tables() {
            let Some(rows) = counted.tables.get(table) else { continue };
            let _ = writeln!(text, "{} {table}", protocol.name());
            for (key, n) in rows_of(rows) {
                let code = key.split(':').next().and_then(|code| code.parse().ok());
                let code = code.filter(|_| !TABLES_WITHOUT_NAMES.contains(table));
                let name = code.and_then(|code| protocol.operation_name(code, 0)).unwrap_or_default();
                let _ = writeln!(text, "  {key:<10} {:>12}  {name}", grouped(n));
            }
        }
    }
    text
}

fn protocols(counters: &Counters) -> String {
    if counters.protocols.is_empty() {
        return "none that is read".to_owned();
    }
    let each = counters.protocols.iter().map(|(protocol, counted)| {
        let malformed = match counted.malformed {
            0 => String::new(),
            n => format!(", {} of them malformed", grouped(n)),
        };
        let (messages, flows) = (grouped(counted.messages), plural(counted.flows, "flow", "flows"));
        format!("{}: {messages} messages in {flows}{malformed}", protocol.name())
    });
    each.collect::<Vec<_>>().join("; ")
}

fn alerts(counters: &Counters) -> String {
    let told: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .filter_map(|severity| Some((severity.name(), counters.alerts.get(severity.name()).filter(|n| **n > 0)?)))
        .map(|(name, n)| format!("{} {name}", grouped(*n)))
        .collect();
    let mut text = if told.is_empty() { "none".to_owned() } else { told.join(", ") };
    if counters.repeats > 0 {
        let _ = write!(text, "; {} counted", plural(counters.repeats, "repeat", "repeats"));
    }
    if counters.suppressed > 0 {
        let _ = write!(text, "; {} suppressed", grouped(counters.suppressed));
    }
    text
}

fn undecoded(counters: &Counters) -> String {
    let mut ports: Vec<_> = counters.undecoded_octets.iter().collect();
    ports.sort_by_key(|(port, octets)| (std::cmp::Reverse(**octets), **port));
    let (shown, others) = ports.split_at(ports.len().min(PORTS_SHOWN));
    let mut each: Vec<String> = shown
        .iter()
        .map(|((transport, port), octets)| format!("{transport}/{port} {} octets", grouped(**octets)))
        .collect();
    let rest = others.iter().fold(counters.undecoded_other, |sum, (_, octets)| sum.saturating_add(**octets));
    if rest > 0 {
        each.push(format!("other ports {} octets", grouped(rest)));
    }
    each.join(", ")
}

fn losses(counters: &Counters, frames_without_time: u64) -> Vec<String> {
    let gaps = match counters.gaps {
        0 => None,
        n => Some(format!("{} ({} octets)", plural(n, "gap", "gaps"), grouped(counters.gap_octets))),
    };
    let of = |n: u64, one: &str, many: &str| (n > 0).then(|| plural(n, one, many));
    [
        gaps,
        of(counters.truncated, "frame cut by the capture", "frames cut by the capture"),
        of(counters.one_sided_flows, "flow seen one way only", "flows seen one way only"),
        of(counters.midstream_flows, "flow older than the capture", "flows older than the capture"),
        of(counters.duplicates, "mirror's copy", "mirror's copies"),
        of(counters.retransmissions, "retransmission", "retransmissions"),
        of(counters.time_reversals, "step back in time", "steps back in time"),
        of(frames_without_time, "frame without a time", "frames without a time"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn listed(table: &BTreeMap<&'static str, u64>) -> String {
    table.iter().map(|(name, n)| format!("{name} {}", grouped(*n))).collect::<Vec<_>>().join(", ")
}

/// A number with its thing: `1 gap`, `2,000 gaps`.
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// A number with its thousands set apart.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len().saturating_mul(4) / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().wrapping_sub(index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count as a number of 64 bits.
pub fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(n), text);
        }
        assert_eq!((plural(1, "gap", "gaps"), plural(2, "gap", "gaps")), ("1 gap".to_owned(), "2 gaps".to_owned()));
    }

    #[test]
    fn columns_stand_below_each_other() {
        let (wide, last) = ("x".repeat(61), "y".repeat(241));
        let rows = [["name", "n"], ["変電所", "1"], ["\u{1b}", "2"], [&wide, "3"], ["", &last]];
        let text = aligned(rows.map(|row| row.map(str::to_owned).to_vec()).to_vec());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("name{}  n", " ".repeat(57)));
        assert!(lines[2].starts_with("\\u{1b} "), "{text}");
        assert_eq!(lines[3], format!("{}…  3", "x".repeat(60)));
        assert!(lines[4].ends_with(&format!(" {}…", "y".repeat(240))), "{text}");
        assert_eq!(aligned(Vec::new()), "");
    }

    #[test]
    fn a_quiet_run_has_a_short_summary() {
        let text = summary(&Report::default(), 0);
        assert_eq!(text.lines().count(), 5, "{text}");
        assert!(text.contains("alerts       none"), "{text}");
    }

    #[test]
    fn what_is_not_whole_is_told() {
        let counters = Counters {
            gaps: 2,
            gap_octets: 3_000,
            repeats: 1,
            alerts: BTreeMap::from([("high", 2), ("low", 0)]),
            limits: BTreeMap::from([("flows_max", 1)]),
            unjudged: BTreeMap::from([("asset_new", 9)]),
            undecoded_octets: (1..=10).map(|port| (("tcp", port), u64::from(port))).collect(),
            undecoded_other: 1,
            ..Counters::default()
        };
        let report = Report { counters, ..Report::default() };
        let text = summary(&report, 1);
        for part in [
            "2 high; 1 repeat counted",
            "2 gaps (3,000 octets), 1 frame without a time",
            "flows_max 1",
            "asset_new 9 (no baseline",
            "tcp/10 10 octets, tcp/9 9",
            "tcp/3 3 octets, other ports 4 octets",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
