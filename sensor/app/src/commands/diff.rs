//! `yagura diff`: what is new and what is gone between two baselines, or between the alerts of two runs.

use super::{DONE, Failure, Outcome, print, read_text, shown_path, words};
use crate::record::read::{AlertKey, ReadAlert, alerts, is_records};
use crate::record::write::visible;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use yagura_rules::baseline::Change;

/// Runs the command: `+` before what only the second has, `-` before what only the first has.
///
/// # Errors
/// Where a file cannot be read, or where the two are not of one kind.
pub fn run(first: &Path, second: &Path) -> Outcome {
    let (one, other) = (read_text(first)?, read_text(second)?);
    let text = match (is_records(&one), is_records(&other)) {
        (true, true) => of_alerts(&read(first, &one)?, &read(second, &other)?),
        (false, false) => {
            let changes = super::learn::baseline(first)?.diff(&super::learn::baseline(second)?);
            let mut text = String::new();
            for (change, fact) in &changes {
                let _ = writeln!(text, "{} {}", if *change == Change::Added { '+' } else { '-' }, visible(fact));
            }
            let added = changes.iter().filter(|(change, _)| *change == Change::Added).count();
            text.push_str(&total(added, changes.len().saturating_sub(added), "fact", "facts"));
            text
        }
        _ => {
            let (first, second) = (shown_path(first), shown_path(second));
            return Err(Failure::World(format!("{first} and {second}: one is a baseline, the other are records")));
        }
    };
    print(&text)?;
    Ok(DONE)
}

fn read(path: &Path, text: &str) -> Result<Vec<ReadAlert>, Failure> {
    alerts(text).map_err(|(line, why)| Failure::World(format!("{}:{line}: {}", shown_path(path), visible(&why))))
}

fn total(added: usize, removed: usize, one: &str, many: &str) -> String {
    let (added, removed) = (words::count(added), words::count(removed));
    format!("{} added, {} removed\n", words::plural(added, one, many), words::grouped(removed))
}

/// Alerts by detection and subject: ids name frames, which differ from capture to capture.
fn of_alerts(one: &[ReadAlert], other: &[ReadAlert]) -> String {
    let by_key = |alerts: &[ReadAlert]| -> BTreeMap<AlertKey, (ReadAlert, u64)> {
        let mut found: BTreeMap<AlertKey, (ReadAlert, u64)> = BTreeMap::new();
        for alert in alerts {
            let (_, n) = found.entry(alert.key.clone()).or_insert_with(|| (alert.clone(), 0));
            *n = n.saturating_add(1);
        }
        found
    };
    let (before, after) = (by_key(one), by_key(other));
    let mut text = String::new();
    let mut counts = [0_usize; 2];
    for (index, (mark, these, those)) in [('-', &before, &after), ('+', &after, &before)].into_iter().enumerate() {
        for (key, (alert, n)) in these.iter().filter(|(key, _)| !those.contains_key(key)) {
            counts[index] = counts[index].saturating_add(1);
            let times = if *n > 1 { format!(" ({} times)", words::grouped(*n)) } else { String::new() };
            let (severity, detection) = (visible(&alert.severity), visible(&key.detection));
            let (id, summary) = (visible(&alert.id), visible(&alert.summary));
            let _ = writeln!(text, "{mark} {severity:<8} {detection} {id}: {summary}{times}");
        }
    }
    let [removed, added] = counts;
    text.push_str(&total(added, removed, "alert", "alerts"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(detection: &str, subject: &str) -> ReadAlert {
        let key = AlertKey { detection: detection.to_owned(), subject: subject.to_owned() };
        ReadAlert { key, id: "OT-1-1-0".to_owned(), severity: "high".to_owned(), summary: "x\u{1b}".to_owned() }
    }

    #[test]
    fn alerts_are_told_apart_by_detection_and_subject() {
        let text = of_alerts(&[alert("a", "1"), alert("b", "1")], &[alert("b", "1"), alert("b", "2"), alert("b", "2")]);
        assert_eq!(
            text,
            "- high     a OT-1-1-0: x\\u{1b}\n+ high     b OT-1-1-0: x\\u{1b} (2 times)\n1 alert added, 1 removed\n"
        );
        assert_eq!(of_alerts(&[alert("a", "1")], &[alert("a", "1")]), "0 alerts added, 0 removed\n");
    }

    #[test]
    fn baselines_are_compared_by_fact() {
        let folder = std::env::temp_dir().join(format!("yagura-diff-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (one, other) = (folder.join("one.toml"), folder.join("other.toml"));
        std::fs::write(&one, "schema = 1\nassets = [{ address = \"10.0.0.1\" }]\n").unwrap();
        std::fs::write(&other, "schema = 1\nassets = [{ address = \"10.0.0.2\" }]\n").unwrap();
        assert_eq!(run(&one, &other), Ok(DONE));
        std::fs::write(&other, "{\"type\":\"run\"}\n").unwrap();
        assert!(matches!(run(&one, &other), Err(Failure::World(text)) if text.contains("one is a baseline")));
    }
}
