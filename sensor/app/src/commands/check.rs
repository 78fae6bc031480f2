//! `yagura check`: what is wrong in site files and baselines, or what they hold.

use super::analysis::{name_of, read};
use super::{DONE, FAILED, Outcome, print, say, words};
use crate::record::write::visible;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use toml::de::{DeTable, DeValue};
use yagura_rules::detections::CATALOG;
use yagura_rules::policy::Policy;
use yagura_rules::problem::Problem;

/// The lists of an operator's file that are counted, and what their entries are called.
const LISTS: [(&str, &str, &str); 10] = [
    ("zone", "zone", "zones"),
    ("conduit", "conduit", "conduits"),
    ("asset", "asset", "assets"),
    ("assets", "asset", "assets"),
    ("conversations", "conversation", "conversations"),
    ("operations", "operation", "operations"),
    ("values", "value range", "value ranges"),
    ("limit", "limit", "limits"),
    ("suppress", "suppression", "suppressions"),
    ("include", "included file", "included files"),
];

/// Runs the command over each file by itself, with what it includes.
///
/// # Errors
/// Where standard output cannot be written. A problem in a file is an exit code, after all files were looked at.
pub fn run(files: &[PathBuf]) -> Outcome {
    let mut exit = DONE;
    for path in files {
        match Policy::load(name_of(path)?, &mut read, CATALOG) {
            Ok(policy) => {
                for warning in &policy.warnings {
                    say(&format!("warning: {warning}\n"));
                }
                print(&described(&visible(&path.to_string_lossy()), &policy))?;
            }
            Err(problems) => {
                exit = FAILED;
                say(&told(&problems));
            }
        }
    }
    Ok(exit)
}

/// Problems with their lines and marks.
fn told(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let _ = writeln!(text, "{problem}");
    }
    let _ = writeln!(text, "{}", words::plural(words::count(problems.len()), "problem", "problems"));
    text
}

/// Where a detection's setting stands: by the detection's name and the setting's.
type Origins = BTreeMap<(String, String), String>;

/// What the files of a policy hold.
fn described(name: &str, policy: &Policy) -> String {
    let mut counts: BTreeMap<usize, u64> = BTreeMap::new();
    let mut origins = Origins::new();
    for file in policy.files.iter() {
        // Read without error before: a text that is wrong now holds nothing.
        let Ok(table) = DeTable::parse(file.text()) else { continue };
        let entry = |key: &str| {
            table.get_ref().iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value.get_ref())
        };
        for (index, (list, ..)) in LISTS.iter().enumerate() {
            let held = entry(list).and_then(DeValue::as_array).map_or(0, |list| list.len());
            // The two spellings of an asset are one thing.
            let index = if *list == "assets" { index.saturating_sub(1) } else { index };
            *counts.entry(index).or_default() += words::count(held);
        }
        let detections = entry("detection").and_then(DeValue::as_table).into_iter().flatten();
        for (detection, settings) in detections {
            for (setting, _) in settings.get_ref().as_table().into_iter().flatten() {
                let before = file.text().get(..setting.span().start).unwrap_or_default();
                let line = before.matches('\n').count().saturating_add(1);
                let at = format!("{}:{line}", visible(file.name()));
                origins.insert((detection.get_ref().to_string(), setting.get_ref().to_string()), at);
            }
        }
    }
    let mut text = format!("{name}: fine\n");
    for (what, value) in [("site", &policy.site), ("sensor", &policy.sensor)] {
        if let Some(value) = value {
            let _ = writeln!(text, "  {what:<12} {}", visible(value));
        }
    }
    let held = LISTS.iter().enumerate().filter_map(|(index, (_, one, many))| {
        let n = counts.get(&index).copied().filter(|n| *n > 0)?;
        Some(words::plural(n, one, many))
    });
    let held: Vec<String> = held.collect();
    let _ =
        writeln!(text, "  {:<12} {}", "holds", if held.is_empty() { "nothing".to_owned() } else { held.join(", ") });
    text.push_str("  detections\n");
    for card in CATALOG.iter().map(|registration| registration.card) {
        let origin =
            |setting: &str| origins.get(&(card.name.to_owned(), setting.to_owned())).map_or("default", String::as_str);
        let state = if policy.judge.disabled.iter().any(|name| name == card.name) {
            format!("off ({})", origin("enabled"))
        } else {
            let severity = policy.judge.severities.get(card.name).copied().unwrap_or(card.severity);
            format!("{} ({})", severity.name(), origin("severity"))
        };
        let _ = writeln!(text, "    {:<26} {state}", card.name);
        let nothing = yagura_rules::rule::Settings::default();
        let settings = policy.judge.settings.get(card.name).unwrap_or(&nothing);
        for setting in card.settings {
            let value = settings.value(card, setting.name);
            let _ = writeln!(text, "      {:<24} {value} ({})", setting.name, origin(setting.name));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Policy, Vec<Problem>> {
        Policy::load("site.toml", &mut |_| Ok(text.to_owned()), CATALOG)
    }

    #[test]
    fn what_a_file_holds_is_told_with_the_origin_of_settings() {
        let policy = load(
            "schema = 1\nsite = \"Pump\"\nassets = [{ address = \"10.0.0.1\" }]\n[[asset]]\nname = \"a\"\naddresses = [\"10.0.0.2\"]\n\
             [detection.asset_new]\nseverity = \"low\"\n[detection.scan_sweep]\nenabled = false\n",
        )
        .unwrap();
        let text = described("site.toml", &policy);
        assert!(text.starts_with("site.toml: fine\n  site         Pump\n  holds        2 assets\n"), "{text}");
        assert!(text.contains("asset_new                  low (site.toml:8)"), "{text}");
        assert!(text.contains("scan_sweep                 off (site.toml:10)"), "{text}");
        assert!(text.contains("asset_address_conflict     high (default)"), "{text}");
    }

    #[test]
    fn problems_come_with_line_and_mark() {
        let text = told(&load("schema = 1\nsitee = \"x\"\n").unwrap_err());
        assert!(text.starts_with("site.toml:2:1: "), "{text}");
        assert!(text.contains("\nsitee = \"x\"\n^^^^^\n1 problem\n"), "{text}");
    }
}
