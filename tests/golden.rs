//! What the program writes about each scenario and recording, byte for byte.
//!
//! `UPDATE_EXPECTED=1` writes the expectations anew (`make expected-update`); version control shows the news.

mod program;

use program::{policy_arguments, yagura};
use std::path::{Path, PathBuf};

/// A folder with a capture, and from how many of its first frames a baseline is learnt.
struct Case {
    folder: PathBuf,
    baseline_from: Option<usize>,
}

/// Every scenario and recording.
fn cases() -> Vec<Case> {
    let scenarios = fixtures::scenarios::all().into_iter().map(|scenario| Case {
        folder: fixtures::scenario_folder(scenario.name),
        baseline_from: scenario.baseline_from,
    });
    let recorded = tests::recorded().into_iter().map(|recording| Case {
        folder: fixtures::recorded_folder().join(&recording.name),
        // A recording that teaches something teaches it by its first half.
        baseline_from: recording.baseline.is_some().then_some(recording.capture.frames.len() / 2),
    });
    scenarios.chain(recorded).collect()
}

fn is_update() -> bool {
    std::env::var_os("UPDATE_EXPECTED").is_some_and(|value| value == "1")
}

/// Holds what was made against the file beside the capture, or writes it.
fn hold(folder: &Path, file: &str, made: Option<&[u8]>, wrong: &mut Vec<String>) {
    let path = folder.join(file);
    if is_update() {
        match made {
            Some(octets) => {
                std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder can be made");
                std::fs::write(&path, octets).expect("an expectation can be written");
            }
            None => drop(std::fs::remove_file(&path)),
        }
        return;
    }
    let expected = std::fs::read(&path).ok();
    if expected.as_deref() == made {
        return;
    }
    let (expected, made) = (lines(expected.as_deref()), lines(made));
    let differs = expected.iter().zip(&made).position(|(one, other)| one != other);
    let at = differs.unwrap_or(expected.len().min(made.len()));
    let [one, other] = [&expected, &made].map(|lines| lines.get(at).map_or("(no such line)", String::as_str));
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let around = |line: &str| line.chars().skip(same.saturating_sub(60)).take(300).collect::<String>();
    let place = format!("{}:{}, from character {}", path.display(), at + 1, same + 1);
    wrong.push(format!("{place}:\n  expected ..{}\n  made     ..{}", around(one), around(other)));
}

fn lines(octets: Option<&[u8]>) -> Vec<String> {
    octets.map(String::from_utf8_lossy).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn each_capture_gives_what_is_expected_byte_for_byte() {
    let mut wrong = Vec::new();
    for Case { folder, baseline_from } in cases() {
        let site: &[&str] = if folder.join("site.toml").is_file() { &["--site", "site.toml"] } else { &[] };
        let learnt = baseline_from.map(|frames| {
            let frames = frames.to_string();
            let learn = [&["learn", "capture.pcap", "--frames", &frames, "--out", "-"], site].concat();
            yagura(&folder, &learn).fine().output
        });
        hold(&folder, "baseline.toml", learnt.as_deref(), &mut wrong);
        let policy = policy_arguments(&folder);
        for (file, command) in [
            ("expected/alerts.jsonl", &["replay", "capture.pcap"][..]),
            ("expected/assets.jsonl", &["assets", "capture.pcap", "--format", "json"]),
        ] {
            let made = yagura(&folder, &[command, &policy].concat()).fine();
            hold(&folder, file, Some(&made.output), &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "\n{}\nIf that is right: make expected-update, and read the diff.", wrong.join("\n"));
}

#[test]
fn nothing_lies_beside_the_captures_that_nobody_makes() {
    let folders: Vec<PathBuf> = cases().into_iter().map(|case| case.folder).collect();
    for root in [fixtures::scenarios_folder(), fixtures::recorded_folder()] {
        for entry in std::fs::read_dir(root).expect("fixtures can be listed") {
            let path = entry.expect("an entry can be read").path();
            assert!(!path.is_dir() || folders.contains(&path), "{}: has no story: remove it", path.display());
        }
    }
    const KNOWN: &[&str] = &["README.md", "capture.pcap", "site.toml", "baseline.toml", "record.py", "expected"];
    for folder in folders {
        for (inner, known) in [(folder.clone(), KNOWN), (folder.join("expected"), &["alerts.jsonl", "assets.jsonl"])] {
            for entry in std::fs::read_dir(&inner).into_iter().flatten() {
                let name = entry.expect("an entry can be read").file_name().to_string_lossy().into_owned();
                assert!(known.contains(&name.as_str()), "{}/{name}: nobody makes it: remove it", inner.display());
            }
        }
    }
}

#[test]
fn a_plant_learnt_by_its_first_half_is_silent_in_its_second() {
    let folder = fixtures::recorded_folder().join("pymodbus-plant");
    let frames = tests::read(&folder.join("capture.pcap")).frames.len();
    let half = (frames / 2).to_string();
    let scratch = scratch_folder("plant");
    let baseline = scratch.join("baseline.toml");
    let baseline = baseline.to_str().expect("a path is text");
    yagura(&folder, &["learn", "capture.pcap", "--frames", &half, "--out", baseline]).fine();
    let replayed = yagura(&folder, &["replay", "capture.pcap", "--baseline", baseline]).fine();
    let ids: Vec<String> =
        replayed.alerts().iter().map(|alert| format!("{} {}", alert["id"], alert["summary"])).collect();
    assert!(ids.is_empty(), "a false alarm is a bug: {ids:#?}");
    let summary = replayed.records().pop().expect("the last line");
    assert_eq!(summary["frames"], frames, "all of it was looked at");
    assert_eq!(summary["repeats"], 0);
    std::fs::remove_dir_all(scratch).expect("a folder of our own can go");
}

/// A folder of our own for the length of a test.
fn scratch_folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("yagura-golden-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}
