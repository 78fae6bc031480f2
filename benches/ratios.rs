//! Reads what the benches left behind, and prints each as a multiple of its group's bare loop: `ratios [DIR]`, by
//! default `target/criterion`.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The first bench of each group.
const BARE: &str = "bare";

fn json(path: PathBuf) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Group, bench, and nanoseconds an element (median) of one folder of results.
fn figure(folder: &Path) -> Option<(String, String, f64)> {
    let about = json(folder.join("benchmark.json"))?;
    let median = json(folder.join("estimates.json"))?["median"]["point_estimate"].as_f64()?;
    let elements = about["throughput"]["Elements"].as_f64()?;
    Some((about["group_id"].as_str()?.to_owned(), about["function_id"].as_str()?.to_owned(), median / elements))
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn main() {
    let root = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/criterion"), PathBuf::from);
    let mut groups: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for bench in folders(&root).iter().flat_map(|group| folders(group)) {
        if let Some((group, name, ns)) = figure(&bench.join("new")) {
            groups.entry(group).or_default().insert(name, ns);
        }
    }
    if groups.is_empty() {
        eprintln!("ratios: no results in {}: run `make bench` first", root.display());
        std::process::exit(1);
    }
    println!("| group | bench | ns each | times the bare loop |\n| --- | --- | --: | --: |");
    for (group, benches) in groups {
        let bare = benches.get(BARE).copied();
        let (first, rest): (Vec<_>, Vec<_>) = benches.into_iter().partition(|(name, _)| name == BARE);
        for (name, ns) in first.into_iter().chain(rest) {
            let ratio = bare.map_or_else(|| "?".to_owned(), |bare| format!("{:.1}", ns / bare));
            println!("| {group} | {name} | {ns:.1} | {ratio} |");
        }
    }
}
