//! The command line as a user meets it: exits, messages, files that are wrong, readers that go away, hostile text.

mod program;

use fixtures::story::{Host, Story};
use fixtures::wire::modbus;
use program::{Ran, records, start, wait, yagura, yagura_given};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// By what the demonstration is judged.
const POLICY: &[&str] = &["--site", "site.toml", "--baseline", "baseline.toml"];

/// A folder of its own for one test, with the demonstration's capture, site file and baseline; gone at the end.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("yagura-cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder can be made");
        for file in ["capture.pcap", "site.toml", "baseline.toml"] {
            let from = fixtures::scenario_folder("demo").join(file);
            fs::copy(&from, folder.join(file)).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        }
        Self(folder)
    }

    fn write(&self, file: &str, octets: impl AsRef<[u8]>) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder can be made");
        fs::write(path, octets).expect("a file can be written");
    }

    fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.0.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        yagura(&self.0, arguments)
    }

    /// Runs a command over the demonstration's capture, judged as it should be.
    fn judged(&self, command: &[&str]) -> Ran {
        self.run(&[command, POLICY].concat())
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// That a run failed with this exit code and said why in one last line of this program, with each of the words.
#[track_caller]
fn assert_failed(ran: &Ran, exit: i32, words: &[&str]) {
    assert_eq!(ran.exit, Some(exit), "{}", ran.said);
    let own: Vec<&str> = ran.said.lines().filter(|line| line.starts_with("yagura: ")).collect();
    assert_eq!(own, [ran.last_line()], "an error is one line, the last: {}", ran.said);
    for word in words {
        assert!(ran.last_line().contains(word), "{word:?} is not in: {}", ran.last_line());
    }
}

/// The ids of alerts, in their order.
fn ids(ran: &Ran) -> Vec<String> {
    ran.alerts().iter().map(|alert| alert["id"].as_str().expect("an id").to_owned()).collect()
}

/// A text with one capture's name in the place of another's.
fn renamed(text: &str, from: &str, to: &str) -> String {
    text.replace(&format!("\"{from}\""), &format!("\"{to}\""))
}

#[test]
fn what_is_no_capture_is_told_in_one_line() {
    let desk = Desk::new("no-capture");
    desk.write("empty.pcap", "");
    desk.write("text.pcap", "Dear sensor,\nthis is a letter.\n");
    desk.write("log.json", "{\"event\":1}\n");
    desk.write("folder/inner", "");
    desk.write("noise.pcap", [0x9E, 0x37, 0x79, 0xB9, 0x7F, 0x4A, 0x7C, 0x15].repeat(9));
    let mut cases = vec![
        ("nowhere.pcap", "no such file"),
        ("empty.pcap", "is empty"),
        ("text.pcap", "text"),
        ("log.json", "JSON"),
        ("folder", "is a directory"),
        ("noise.pcap", "begins with octets 9e 37 79 b9"),
    ];
    if cfg!(unix) {
        let made = std::process::Command::new("mkfifo").arg(desk.0.join("pipe.pcap")).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo is a part of every Unix");
        cases.push(("pipe.pcap", "is a pipe"));
        cases.push(("/dev/zero", "is a"));
    }
    for (file, words) in cases {
        for command in
            [&["replay"][..], &["stats"], &["stats", "--json"], &["assets"], &["points"], &["learn", "--out", "b.toml"]]
        {
            let ran = desk.run(&[command, &[file]].concat());
            assert_failed(&ran, 1, &[&format!("yagura: {file}: "), words]);
        }
        assert_failed(&desk.run(&["explain", "--frame", "1", file]), 1, &[file, words]);
        // One of several that cannot be opened is named, too.
        assert_failed(&desk.run(&["replay", "capture.pcap", file]), 1, &[file, words]);
    }
    assert!(!desk.0.join("b.toml").exists(), "nothing was learnt, so nothing is written");
}

#[test]
fn what_was_read_before_a_cut_is_told() {
    let desk = Desk::new("cut");
    let whole = desk.judged(&["replay", "capture.pcap"]).fine();
    let octets = desk.read("capture.pcap");
    desk.write("cut/capture.pcap", &octets[..octets.len() - 7]);
    let cut = desk.judged(&["replay", "cut/capture.pcap"]);
    assert_failed(&cut, 1, &["cut/capture.pcap: cut short at octet", "in frame"]);
    let frames = whole.records().last().expect("a summary")["frames"].as_u64().expect("a number");
    let summary = cut.records().pop().expect("a summary");
    assert_eq!((&summary["type"], &summary["complete"]), (&Value::from("summary"), &Value::from(false)));
    assert_eq!(summary["frames"], frames - 1);
    assert!(cut.last_line().ends_with(summary["error"].as_str().expect("the error is told there, too")));
    assert_eq!(ids(&cut), ids(&whole), "the last frame carries no alert, so all are there");
    // Half of it: those that were raised before the cut stand as they did.
    desk.write("half/capture.pcap", &octets[..octets.len() * 9 / 10]);
    let half = desk.judged(&["replay", "half/capture.pcap"]);
    assert_failed(&half, 1, &["cut short"]);
    let reached = half.records().pop().expect("a summary")["frames"].as_u64().expect("a number");
    let until = desk.judged(&["replay", "capture.pcap", "--frames", &reached.to_string()]).fine();
    assert_eq!(half.alerts().len(), until.alerts().len());
    assert!(half.alerts().len() > 3, "there was something to tell");
    let name = |alerts: Vec<Value>| renamed(&format!("{alerts:?}"), "half/capture.pcap", "capture.pcap");
    assert_eq!(name(half.alerts()), name(until.alerts()));
    // Learning, too, keeps what it could.
    assert_failed(&desk.run(&["learn", "half/capture.pcap", "--out", "half.toml"]), 1, &["cut short"]);
    desk.run(&["learn", "capture.pcap", "--frames", &reached.to_string(), "--out", "until.toml"]).fine();
    assert_eq!(desk.read("half.toml"), desk.read("until.toml"));
}

#[test]
fn packed_captures_give_the_same_bytes() {
    let desk = Desk::new("packed");
    let octets = desk.read("capture.pcap");
    let plain = desk.judged(&["replay", "capture.pcap"]).fine();
    for (name, packed) in [("gz", packed::gz(&octets)), ("zst", packed::zst(&octets)), ("xz", packed::xz(&octets))] {
        // Told by what is in it, whatever it is called.
        for file in [format!("capture.pcap.{name}"), format!("{name}/capture.pcap")] {
            desk.write(&file, &packed);
            let unpacked = desk.judged(&["replay", &file]).fine();
            assert!(renamed(unpacked.text(), &file, "capture.pcap") == plain.text(), "{file} differs");
        }
        // Cut short, and damaged in the middle.
        let file = format!("damaged.{name}");
        desk.write(&file, &packed[..packed.len() / 2]);
        assert_failed(&desk.judged(&["replay", &file]), 1, &[&file, "cannot be unpacked beyond octet"]);
        let mut damaged = packed.clone();
        let last = damaged.len() - 40;
        damaged[packed.len() / 2] ^= 0xFF;
        damaged[last] ^= 0xFF;
        desk.write(&file, &damaged);
        let ran = desk.judged(&["replay", &file]);
        if name == "zst" {
            // Without a checksum nobody can tell that octets are others than they were.
            assert!(matches!(ran.exit, Some(0 | 1)));
        } else {
            assert_failed(&ran, 1, &[&file]);
        }
    }
    desk.write("twice.gz", packed::gz(&packed::gz(&octets)));
    assert_failed(&desk.run(&["stats", "twice.gz"]), 1, &["unpack it once"]);
}

#[test]
fn standard_input_gives_the_same_bytes() {
    let desk = Desk::new("input");
    let octets = desk.read("capture.pcap");
    let plain = desk.judged(&["replay", "capture.pcap"]).fine();
    let given = |octets: &[u8]| yagura_given(&desk.0, &[&["replay", "-"], POLICY].concat(), octets);
    assert_eq!(renamed(given(&octets).fine().text(), "-", "capture.pcap"), plain.text());
    assert_eq!(renamed(given(&packed::gz(&octets)).fine().text(), "-", "capture.pcap"), plain.text());
    assert_failed(&given(&[]), 1, &["is empty"]);
    assert_failed(&desk.run(&["replay", "-", "-"]), 1, &["more than once"]);
}

#[test]
fn wrong_arguments_are_exit_2_and_one_line() {
    let desk = Desk::new("arguments");
    for (arguments, words) in [
        (&["replay", "capture.pcap", "--nonsense"][..], &["--nonsense"][..]),
        (&["nonsense"], &["nonsense"]),
        (&[], &["no command"]),
        (&["replay"], &["CAPTURE"]),
        (&["learn", "capture.pcap"], &["--out"]),
        (&["replay", "capture.pcap", "--fail-at", "awful"], &["info, low, medium, high, critical"]),
        (&["replay", "capture.pcap", "--format", "xml"], &["native"]),
        (&["replay", "capture.pcap", "--threads", "0"], &["0"]),
        (&["replay", "capture.pcap", "--frames", "-1"], &["-1"]),
        (&["replay", "capture.pcap", "--frames", "1", "--until", "2"], &["cannot be used with"]),
        (&["replay", "capture.pcap", "--until", "soon"], &["2026-01-05T10:11:12Z"]),
        (&["explain", "nonsense", "capture.pcap"], &["OT-0007-1042-0"]),
        (&["show", "detections", "nonsense"], &["nonsense", "write_unusual"]),
        (&["show", "schema", "nonsense"], &["nonsense", "alert"]),
        (&["check"], &["FILE"]),
        (&["replay", "capture.pcap", "--\u{1b}[2J\u{202e}"], &["unexpected argument"]),
    ] {
        let ran = desk.run(arguments);
        assert_failed(&ran, 2, words);
        assert_eq!((ran.said.lines().count(), ran.output.len()), (1, 0), "{arguments:?}: {}", ran.said);
        assert_harmless(&ran);
    }
    for arguments in [&["--help"][..], &["--version"], &["replay", "--help"], &["explain", "--help"]] {
        let ran = desk.run(arguments).fine();
        assert!(ran.text().contains("yagura") && ran.said.is_empty(), "{arguments:?}");
    }
}

/// What `check` says of a problem: the place, the words, and the line with a mark under what is wrong.
#[track_caller]
fn assert_marked(desk: &Desk, text: &str, place: (usize, usize), words: &str, marked: &str) {
    desk.write("wrong.toml", text);
    let checked = desk.run(&["check", "wrong.toml"]);
    assert_eq!(checked.exit, Some(1), "{text}");
    let at = format!("wrong.toml:{}:{}: ", place.0, place.1);
    let lines: Vec<&str> = checked.said.lines().collect();
    let first = lines.iter().position(|line| line.starts_with(&at));
    let first = first.unwrap_or_else(|| panic!("{at} is not in:\n{}", checked.said));
    assert!(lines[first].contains(words), "{words:?} is not in: {}", lines[first]);
    assert_eq!(Some(lines[first + 1]), text.lines().nth(place.0 - 1), "the line is shown");
    let mark = format!("{}{}", " ".repeat(place.1 - 1), "^".repeat(marked.chars().count()));
    assert_eq!(lines[first + 2], mark, "the mark is under {marked}");
    // Who needs the file is told the same in one line, and nothing is judged by it.
    for command in [&["replay", "capture.pcap"][..], &["assets", "capture.pcap"], &["stats", "capture.pcap"]] {
        let ran = desk.run(&[command, &["--site", "wrong.toml"]].concat());
        assert_failed(&ran, 1, &[&at, words]);
        assert!(ran.output.is_empty(), "{command:?}");
    }
}

#[test]
fn a_wrong_site_file_is_told_with_line_column_and_mark() {
    let desk = Desk::new("site");
    assert_marked(&desk, "schema = 1\nsitee = \"x\"\n", (2, 1), "did you mean \"site\"?", "sitee");
    assert_marked(
        &desk,
        "schema = 1\n\n[[asset]]\nname = \"PLC\"\naddresses = [\"10.20.1.9\", \"10.20.300.1\"]\n",
        (5, 27),
        "10.20.300.1",
        "\"10.20.300.1\"",
    );
    let zone = |name: &str| format!("[[zone]]\nname = \"{name}\"\nlevel = 1\nnetworks = [\"10.0.0.0/24\"]\n\n");
    let zones = format!("schema = 1\n\n{}{}", zone("a"), zone("b"));
    assert_marked(&desk, &zones, (11, 13), "of zone \"a\" at wrong.toml:6", "\"10.0.0.0/24\"");
    assert_marked(
        &desk,
        "schema = 1\n[detection.write_unusal]\nseverity = \"low\"\n",
        (2, 12),
        "is no detection",
        "write_unusal",
    );
    assert_marked(
        &desk,
        "schema = 1\n[detection.write_unusual]\nseverity = \"awful\"\n",
        (3, 12),
        "awful",
        "\"awful\"",
    );
    // Text that is no TOML at all, a file that is not there, a file that names itself.
    desk.write("wrong.toml", "schema = \n");
    assert_failed(&desk.run(&["replay", "capture.pcap", "--site", "wrong.toml"]), 1, &["wrong.toml:1:"]);
    assert_failed(&desk.run(&["replay", "capture.pcap", "--site", "gone.toml"]), 1, &["gone.toml", "cannot be read"]);
    assert_eq!(desk.run(&["check", "gone.toml"]).exit, Some(1));
    desk.write("wrong.toml", "schema = 1\ninclude = [\"wrong.toml\"]\n");
    assert_eq!(desk.run(&["check", "wrong.toml"]).exit, Some(1));
    // Every problem is told at once, and one good file does not hide a wrong one.
    desk.write("wrong.toml", "schema = 1\nsitee = \"x\"\n[detection.nonsense]\n");
    let checked = desk.run(&["check", "site.toml", "wrong.toml", "baseline.toml"]);
    assert_eq!(checked.exit, Some(1));
    assert!(
        checked.said.ends_with("2 problems\n") && checked.text().matches(": fine\n").count() == 2,
        "{}",
        checked.said
    );
    let fine = desk.run(&["check", "site.toml"]).fine();
    assert!(fine.text().contains("2 zones") && fine.text().contains("write_unusual"), "{}", fine.text());
}

#[test]
fn fail_at_is_exit_10_and_an_error_wins() {
    let desk = Desk::new("fail-at");
    for severity in ["info", "low", "medium", "high", "critical"] {
        assert_eq!(desk.judged(&["replay", "capture.pcap", "--fail-at", severity]).exit, Some(10), "{severity}");
    }
    // The part that the baseline was learnt from raises nothing.
    let learnt = fixtures::scenarios::all().into_iter().find(|scenario| scenario.name == "demo");
    let learnt = learnt.and_then(|demo| demo.baseline_from).expect("the demonstration has a baseline").to_string();
    let quiet = desk.judged(&["replay", "capture.pcap", "--fail-at", "info", "--frames", &learnt]);
    assert_eq!(quiet.exit, Some(0), "{}", quiet.said);
    desk.write("calm.toml", "schema = 1\n[detection.controller_dangerous]\nseverity = \"low\"\n");
    let calmed = desk.run(&["replay", "capture.pcap", "--site", "calm.toml", "--fail-at", "critical"]);
    assert_eq!(calmed.exit, Some(0), "the site file's severity counts: {}", calmed.said);
    let octets = desk.read("capture.pcap");
    desk.write("cut.pcap", &octets[..octets.len() - 7]);
    let cut = desk.judged(&["replay", "cut.pcap", "--fail-at", "low"]);
    assert_failed(&cut, 1, &["cut short"]);
    assert!(!cut.alerts().is_empty());
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let desk = Desk::new("reader");
    for more in [&["--lang", "both", "--assets"][..], &["--format", "eve", "--lang", "both"], &["--threads", "3"]] {
        let arguments = [&["replay", "capture.pcap"], POLICY, more].concat();
        let mut child = start(&desk.0, &arguments);
        let mut line = String::new();
        let mut reader = BufReader::with_capacity(64, child.stdout.take().expect("standard output is a pipe"));
        reader.read_line(&mut line).expect("the first line comes");
        drop(reader);
        let ran = wait(child, &arguments);
        assert_eq!(ran.exit, Some(0), "{}", ran.said);
        assert!(line.starts_with('{') && !ran.said.contains("yagura: "), "{line} {}", ran.said);
    }
    if Path::new("/dev/full").exists() {
        let ran = desk.judged(&["replay", "capture.pcap", "--out", "/dev/full"]);
        assert_failed(&ran, 1, &["/dev/full", "cannot be written"]);
    }
}

#[test]
fn an_output_file_holds_the_same_and_never_eats_its_input() {
    let desk = Desk::new("out");
    let plain = desk.judged(&["replay", "capture.pcap"]).fine();
    let written = desk.judged(&["replay", "capture.pcap", "--out", "out.jsonl"]).fine();
    assert!(written.output.is_empty() && desk.read("out.jsonl") == plain.output);
    let dash = desk.judged(&["replay", "capture.pcap", "--out", "-"]).fine();
    assert_eq!(dash.output, plain.output);
    let before = desk.read("capture.pcap");
    for command in [&["replay"][..], &["learn"]] {
        let ran = desk.run(&[command, &["capture.pcap", "--out", "./capture.pcap"]].concat());
        assert_failed(&ran, 1, &["which is to be read"]);
    }
    assert_eq!(desk.read("capture.pcap"), before);
    for command in [&["replay"][..], &["learn"]] {
        let ran = desk.run(&[command, &["capture.pcap", "--out", "no/where.x"]].concat());
        assert_failed(&ran, 1, &["no/where.x", "cannot be written"]);
    }
}

#[test]
fn several_captures_are_one_timeline() {
    let desk = Desk::new("several");
    let whole = desk.judged(&["replay", "capture.pcap"]).fine();
    let capture = tests::read(&desk.0.join("capture.pcap"));
    // Turn and turn about: only together do they make sense.
    for (file, turn) in [("even.pcap", 0), ("odd.pcap", 1)] {
        let frames = capture.frames.iter().enumerate().filter(|(index, _)| index % 2 == turn);
        let frames = frames.map(|(_, frame)| frame.clone()).collect();
        desk.write(file, fixtures::story::Capture { frames, link_type: capture.link_type }.to_pcap());
    }
    let times: BTreeSet<u64> = capture.frames.iter().map(|frame| frame.time_ns).collect();
    assert_eq!(times.len(), capture.frames.len(), "no two frames share a time, so the order is plain");
    for order in [["even.pcap", "odd.pcap"], ["odd.pcap", "even.pcap"]] {
        let several = desk.judged(&["replay", order[0], order[1]]).fine();
        assert_eq!(ids(&several), ids(&whole));
        for (alert, other) in several.alerts().iter().zip(whole.alerts()) {
            let (own, other) = (&alert["evidence"][0], &other["evidence"][0]);
            let frame = other["frame"].as_u64().expect("a frame");
            let file = if frame % 2 == 1 { "even.pcap" } else { "odd.pcap" };
            assert_eq!((&own["capture"], &own["frame"]), (&Value::from(file), &Value::from(frame.div_ceil(2))));
        }
    }
}

#[test]
fn until_and_frames_end_the_timeline() {
    let desk = Desk::new("extent");
    let capture = tests::read(&desk.0.join("capture.pcap"));
    let count = 2_700;
    desk.write("first/capture.pcap", tests::first(&capture, count).to_pcap());
    let first = desk.judged(&["replay", "first/capture.pcap"]).fine();
    let frames = desk.judged(&["replay", "capture.pcap", "--frames", &count.to_string()]).fine();
    let alike = |ran: &Ran| ran.text().lines().skip(1).collect::<Vec<_>>().join("\n");
    assert!(alike(&frames) == renamed(&alike(&first), "first/capture.pcap", "capture.pcap"));
    assert_eq!(frames.records()[0]["frames_max"], count, "the first line tells where it ends");
    let last = capture.frames[count - 1].time_ns;
    let until = format!("{}.{:09}", last / 1_000_000_000, last % 1_000_000_000);
    let until = desk.judged(&["replay", "capture.pcap", "--until", &until]).fine();
    assert!(alike(&until) == alike(&frames), "a frame of that very time is a part of it");
    assert!(until.records()[0]["until"].is_string());
    let nothing = desk.judged(&["replay", "capture.pcap", "--frames", "0"]).fine();
    assert_eq!((nothing.alerts().len(), nothing.records().len()), (0, 2));
    let all = desk.judged(&["replay", "capture.pcap", "--until", "2099-01-01T00:00:00Z"]).fine();
    assert!(alike(&all) == alike(&desk.judged(&["replay", "capture.pcap"]).fine()));
}

#[test]
fn learning_twice_gives_the_same_bytes_and_keeps_danger_out() {
    let desk = Desk::new("learn");
    let learn = |out: &str, more: &[&str]| desk.run(&[&["learn", "capture.pcap", "--out", out], more].concat()).fine();
    let told = learn("one.toml", &[]);
    learn("two.toml", &["--threads", "3"]);
    assert_eq!(desk.read("one.toml"), desk.read("two.toml"));
    // The demonstration ends with a restart and a forced listen only mode.
    let text = String::from_utf8(desk.read("one.toml")).expect("a baseline is text");
    for verb in ["restart", "mode", "transfer"] {
        assert!(!text.contains(&format!("verb = \"{verb}\"")), "{verb} is learnt");
    }
    let listed: Vec<&str> = told.said.lines().filter(|line| line.starts_with("not learnt: ")).collect();
    assert!(listed.len() >= 2 && listed.iter().all(|line| line.contains("OT-0008-")), "{}", told.said);
    assert!(told.last_line().contains("not learnt: look at them"), "{}", told.last_line());
    // So they are told even when all else is usual.
    let replayed = desk.run(&["replay", "capture.pcap", "--baseline", "one.toml"]).fine();
    let dangerous: Vec<Value> =
        replayed.alerts().into_iter().filter(|alert| alert["detection"]["name"] == "controller_dangerous").collect();
    assert_eq!(dangerous.len(), listed.len());
    // A part, then the whole on top of it: all facts of both, whichever comes first.
    learn("part.toml", &["--frames", "1000"]);
    learn("merged.toml", &["--merge", "part.toml"]);
    learn("again.toml", &["--merge", "merged.toml"]);
    assert_eq!(desk.read("merged.toml"), desk.read("again.toml"), "what is known stays as it is");
    let lost = desk.run(&["diff", "part.toml", "merged.toml"]).fine();
    let gone: Vec<&str> = lost.text().lines().filter(|line| line.starts_with("- ")).collect();
    let widened = |line: &&str| line.contains("min = ") || line.contains("first = ") || line.contains("roles = ");
    assert!(gone.iter().all(widened), "no fact goes away, it may only grow: {gone:?}");
    let dash = desk.run(&["learn", "capture.pcap", "--out", "-"]).fine();
    assert_eq!(dash.output, desk.read("one.toml"));
    desk.write("wrong.toml", "schema = 1\nnonsense = 1\n");
    let wrong = desk.run(&["learn", "capture.pcap", "--out", "never.toml", "--merge", "wrong.toml"]);
    assert_failed(&wrong, 1, &["wrong.toml:2:1"]);
    assert!(!desk.0.join("never.toml").exists());
    let left = fs::read_dir(&desk.0).expect("a folder can be listed").flatten();
    assert!(left.map(|entry| entry.file_name()).all(|name| !name.to_string_lossy().ends_with(".new")));
}

#[test]
fn diff_tells_what_is_new_and_what_is_gone() {
    let desk = Desk::new("diff");
    for (out, frames) in [("small.toml", "1000"), ("large.toml", "9999")] {
        desk.run(&["learn", "capture.pcap", "--out", out, "--frames", frames]).fine();
    }
    let same = desk.run(&["diff", "large.toml", "large.toml"]).fine();
    assert_eq!(same.text(), "0 facts added, 0 removed\n");
    let grown = desk.run(&["diff", "small.toml", "large.toml"]).fine();
    assert!(grown.text().contains("\n+ ") && grown.text().contains("10.20.0.66"), "{}", grown.text());
    desk.judged(&["replay", "capture.pcap", "--out", "with.jsonl"]).fine();
    desk.run(&["replay", "capture.pcap", "--out", "without.jsonl"]).fine();
    let fewer = desk.run(&["diff", "with.jsonl", "without.jsonl"]).fine();
    assert!(fewer.text().contains("- ") && fewer.text().contains("asset_new"), "{}", fewer.text());
    assert_eq!(desk.run(&["diff", "with.jsonl", "with.jsonl"]).fine().text(), "0 alerts added, 0 removed\n");
    assert_failed(&desk.run(&["diff", "with.jsonl", "large.toml"]), 1, &["with.jsonl", "large.toml"]);
    assert_failed(&desk.run(&["diff", "with.jsonl", "gone"]), 1, &["gone", "cannot be read"]);
}

#[test]
fn each_alert_can_be_explained() {
    let desk = Desk::new("explain");
    let alerts = desk.judged(&["replay", "capture.pcap", "--lang", "both"]).fine().alerts();
    assert!(alerts.len() > 10);
    let site = String::from_utf8(desk.read("site.toml")).expect("text");
    let baseline = String::from_utf8(desk.read("baseline.toml")).expect("text");
    for alert in &alerts {
        let word = |key: &str| alert[key].as_str().unwrap_or_else(|| panic!("{key} is a text: {alert}"));
        let explained = desk.judged(&["explain", word("id"), "capture.pcap"]).fine();
        let text = explained.text();
        let mut wanted = vec![word("id"), word("severity"), "Evidence", "ATT&CK", "Who is concerned"];
        wanted.extend(["what", "benign", "response"].iter().filter_map(|key| alert["card"][key].as_str()));
        wanted.extend(["what", "benign", "response"].iter().filter_map(|key| alert["card_ja"][key].as_str()));
        let file = alert["basis"]["file"].as_str();
        let at = alert["basis"]["line"].as_u64().map_or(0, |line| usize::try_from(line).unwrap_or(0));
        let line = match file {
            Some("site.toml") => site.lines().nth(at.wrapping_sub(1)),
            Some("baseline.toml") => baseline.lines().nth(at.wrapping_sub(1)),
            _ => None,
        };
        wanted.extend(line.map(str::trim));
        let frame = format!("frame {} of capture.pcap", alert["evidence"][0]["frame"]);
        wanted.push(&frame);
        for part in wanted {
            assert!(text.contains(part), "{}: {part:?} is not in:\n{text}", alert["id"]);
        }
    }
    let gone = desk.judged(&["explain", "OT-0007-1-0", "capture.pcap"]);
    assert_failed(&gone, 1, &["no alert OT-0007-1-0"]);
}

#[test]
fn each_frame_can_be_explained() {
    let desk = Desk::new("frame");
    let alerts = desk.judged(&["replay", "capture.pcap"]).fine().alerts();
    let explain = |frame: &str| desk.judged(&["explain", "--frame", frame, "capture.pcap"]);
    let raised = alerts.iter().find(|alert| alert["detection"]["name"] == "write_unusual").expect("a write is alerted");
    let told = explain(&raised["evidence"][0]["frame"].to_string()).fine();
    assert!(told.text().contains(&format!("It raised {}", raised["id"].as_str().expect("an id"))), "{}", told.text());
    assert!(told.text().contains("starting_address"), "{}", told.text());
    // A read of the plant's own panel: the line of the baseline that allows it is named.
    let capture = tests::read(&desk.0.join("capture.pcap"));
    let read = [0, 6, 1, 3, 0, 40, 0, 10];
    let usual = capture.frames.iter().rposition(|frame| frame.octets.windows(read.len()).any(|part| part == read));
    let told = explain(&(usual.expect("the panel polls") + 1).to_string()).fine();
    assert!(told.text().contains("It raised no alert of its own: line "), "{}", told.text());
    assert!(told.text().contains("of baseline.toml allows it"), "{}", told.text());
    let acknowledgement = capture.frames.iter().rposition(|frame| frame.octets.len() == 60).expect("one is empty");
    assert!(explain(&(acknowledgement + 1).to_string()).fine().text().contains("no payload"));
    for frame in ["0", "99999"] {
        assert_failed(&explain(frame), 1, &[&format!("no frame {frame}")]);
    }
}

#[test]
fn each_language_says_the_same_alerts() {
    let desk = Desk::new("language");
    let [english, japanese, both] =
        ["en", "ja", "both"].map(|lang| desk.judged(&["replay", "capture.pcap", "--lang", lang]).fine());
    assert!(ids(&english) == ids(&japanese) && ids(&english) == ids(&both));
    let is_japanese = |text: &Value| {
        let text = text.as_str().unwrap_or_default();
        text.chars().any(|letter| matches!(letter, '\u{3040}'..='\u{30ff}'))
    };
    for ((en, ja), both) in english.alerts().iter().zip(japanese.alerts()).zip(both.alerts()) {
        assert!(!is_japanese(&en["summary"]) && en["summary_ja"].is_null() && en["card_ja"].is_null());
        assert!(is_japanese(&ja["summary"]) && is_japanese(&ja["card"]["what"]), "{}", ja["summary"]);
        assert_eq!((&both["summary"], &both["summary_ja"]), (&en["summary"], &ja["summary"]));
        assert_eq!((&both["card"], &both["card_ja"]), (&en["card"], &ja["card"]));
    }
    let eve = desk.judged(&["replay", "capture.pcap", "--format", "eve"]).fine();
    assert_eq!(eve.records().len(), ids(&english).len(), "as many lines as alerts");
    for (eve, native) in eve.records().iter().zip(english.alerts()) {
        assert_eq!(eve["event_type"], "alert");
        let signature = eve["alert"]["signature"].as_str().expect("a signature");
        assert!(signature.contains(native["detection"]["name"].as_str().expect("a name")), "{signature}");
    }
}

#[test]
fn points_are_told_with_who_writes_them() {
    let desk = Desk::new("points");
    let points = desk.judged(&["points", "capture.pcap", "--json"]).fine();
    assert!(
        points.said.is_empty() && points.records().iter().all(|record| record["type"] == "point"),
        "{}",
        points.said
    );
    let place = |record: &Value| {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let number = |key: &str| record[key].as_u64().expect("a number");
        let server = text(&record["server"]["address"]).parse::<std::net::IpAddr>().expect("an address");
        (server, text(&record["protocol"]), number("unit"), text(&record["space"]), number("address"))
    };
    let places: Vec<_> = points.records().iter().map(place).collect();
    let sorted: BTreeSet<_> = places.iter().cloned().collect();
    assert!(places.iter().eq(sorted.iter()), "each point is told once, in order");
    // The set point that the panel writes every other second, and a stranger once.
    let of = |space: &str, address: u64| {
        let is = |record: &Value| {
            record["server"]["name"] == "PLC-1" && record["space"] == space && record["address"] == address
        };
        points.records().into_iter().find(is).unwrap_or_else(|| panic!("{space} {address} is not told"))
    };
    let set = of("holding_register", 40);
    assert_eq!((&set["server"]["address"], &set["unit"]), (&Value::from("10.20.1.9"), &Value::from(1)));
    assert_eq!((&set["value"], &set["quality"]), (&Value::from(197), &Value::Array(Vec::new())));
    assert_eq!((&set["range"]["min"], &set["range"]["max"]), (&Value::from(40.0), &Value::from(205.0)));
    assert_eq!((&set["updates"], &set["changes"]), (&Value::from(421), &Value::from(40)));
    assert_eq!((&set["first_at"]["frame"], &set["last_at"]["frame"]), (&Value::from(35), &Value::from(3_407)));
    assert!(set["device_time"].is_null() && set["last"] == "2026-01-05T10:00:30.006383000Z", "{set}");
    let period = set["period_ns"].as_u64().expect("it is polled");
    assert!((900_000_000..1_100_000_000).contains(&period), "polled each second: {period}");
    let writer = |address: &str, name: Value, writes: u64, value: u64, frame: u64, last: &str| {
        let at = serde_json::json!({ "capture": "capture.pcap", "frame": frame });
        serde_json::json!({
            "address": address, "name": name, "writes": writes, "last": last, "value": value, "at": at,
        })
    };
    let panel = writer("10.20.0.5", "HMI-1".into(), 21, 196, 3_403, "2026-01-05T10:00:30.003655000Z");
    let stranger = writer("10.20.0.66", Value::Null, 1, 9_999, 3_231, "2026-01-05T10:00:18.107689000Z");
    assert_eq!(set["writers"], Value::Array(vec![panel, stranger]));
    let coil = of("coil", 0);
    assert_eq!((&coil["value"], &coil["writers"]), (&Value::Bool(true), &Value::Array(Vec::new())));
    // The same for people: one line a point, and how many there are.
    let table = desk.judged(&["points", "capture.pcap"]).fine();
    let lines: Vec<&str> = table.text().lines().collect();
    assert_eq!(lines.len(), points.records().len() + 3);
    assert_eq!(lines.last().copied(), Some(format!("{} points", points.records().len()).as_str()));
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let heading = "server protocol unit space address value quality range updates changes period writers";
    assert_eq!(words(lines[0]), heading);
    let row = "PLC-1 (10.20.1.9) modbus 1 holding_register 40 197 40 to 205 421 40 990 ms \
        HMI-1 (10.20.0.5) 21 times, last 196; 10.20.0.66 once, last 9999";
    assert!(lines.iter().any(|line| words(line) == row), "{row} is not in:\n{}", table.text());
    // As many threads as one likes, and no names without a site file.
    let threads = desk.judged(&["points", "capture.pcap", "--json", "--threads", "3"]).fine();
    assert!(threads.text() == points.text());
    let plain = desk.run(&["points", "capture.pcap", "--json"]).fine();
    assert!(plain.records().len() == points.records().len());
    assert_eq!(desk.run(&["points", "capture.pcap", "--frames", "0"]).fine().text(), "0 points\n");
    let none = desk.run(&["points", "capture.pcap", "--frames", "0", "--json"]).fine();
    assert!(none.output.is_empty(), "no points are no lines");
    // What was read before a cut is told.
    let octets = desk.read("capture.pcap");
    desk.write("cut.pcap", &octets[..octets.len() - 7]);
    let cut = desk.run(&["points", "cut.pcap", "--json"]);
    assert_failed(&cut, 1, &["cut short"]);
    assert_eq!(cut.records().len(), points.records().len());
}

/// Names that a device may send in order to speak to who looks at it.
const HOSTILE: [&str; 7] = [
    "\u{1b}[2J\u{1b}]0;owned\u{7}PLC",
    "PLC\n{\"type\":\"alert\",\"forged\":true}\nx",
    "=cmd|'/C calc'!A1",
    "@SUM(1+1)*cmd,\"quoted\";x",
    "\u{202e}gpj.exe\u{2066}\u{200b}",
    "</script><img src=x onerror=alert(1)>${jndi:x}",
    "\r\u{85}\u{9b}31mred\u{2028}\u{0}end",
];

/// A capture in which devices have such names, and one of them does something that is alerted.
fn hostile_capture() -> Vec<u8> {
    let mut story = Story::new();
    let server = Host::new("server", [2, 0, 0, 0, 0, 1], [10, 0, 0, 1]);
    let controller = Host::new("controller", [2, 0, 0, 0, 0, 2], [10, 0, 0, 2]);
    for (index, name) in HOSTILE.iter().enumerate() {
        let number = 10 + u8::try_from(index).expect("they are few");
        let host = Host { name, ..Host::new("", [2, 0, 0, 0, 1, number], [10, 0, 0, number]) };
        story.arp_exchange(host, server).dhcp_exchange(host, server, name, name).lldp(host, name, name);
        let talk = story.tcp(host, controller.port(502));
        story.modbus(talk, 1, &modbus::write_single_register(7, 1), &modbus::write_single_register(7, 1));
        let objects = [(0, *name), (1, name), (2, name)];
        let identification = modbus::device_identification(1, 1, &objects);
        story.modbus(talk, 1, &modbus::read_device_identification(1, 0), &identification);
        story.modbus(talk, 1, &modbus::report_server_id(), &modbus::server_id(name.as_bytes(), true, name.as_bytes()));
    }
    story.end().to_pcap()
}

/// Whether a character does something to a terminal or an eye, line ends aside.
fn is_hostile(character: char) -> bool {
    (character.is_control() && character != '\n')
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[track_caller]
fn assert_harmless(ran: &Ran) {
    for text in [ran.text(), &ran.said] {
        if let Some(line) = text.lines().find(|line| line.chars().any(is_hostile)) {
            panic!("{line:?} speaks to the terminal");
        }
    }
    assert!(!ran.output.contains(&b'\r') && !ran.said.contains('\r'));
}

/// Rows of CSV after RFC 4180.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => cell.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    assert!(!quoted && cell.is_empty() && row.is_empty(), "the last row has its end");
    rows
}

#[test]
fn hostile_names_stay_what_they_are() {
    let desk = Desk::new("hostile");
    desk.write("hostile.pcap", hostile_capture());
    let table = desk.run(&["assets", "hostile.pcap"]).fine();
    assert_harmless(&table);
    let lines = desk.run(&["assets", "hostile.pcap", "--format", "json"]).fine();
    assert_harmless(&lines);
    assert_eq!(lines.text().lines().count(), lines.records().len());
    // JSON loses nothing: each name reads back as it was sent.
    let text = format!("{:?}", lines.records());
    for name in HOSTILE {
        assert!(text.contains(&format!("{:?}", Value::from(name))), "{name:?} is not in the records");
    }
    for more in [&[][..], &["--json"]] {
        let points = desk.run(&[&["points", "hostile.pcap"], more].concat()).fine();
        assert_harmless(&points);
        let lines = if more.is_empty() { 4 } else { 1 };
        assert_eq!(points.text().lines().count(), lines, "one register, whatever its writers are called");
    }
    let rows = csv(desk.run(&["assets", "hostile.pcap", "--format", "csv"]).fine().text());
    assert!(rows.len() > HOSTILE.len() && rows.iter().all(|row| row.len() == rows[0].len()), "{rows:?}");
    for cell in rows.iter().skip(1).flatten() {
        let starts = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        assert!(!starts && !cell.chars().any(is_hostile), "{cell:?} acts in a spreadsheet");
    }
    assert!(rows.iter().flatten().any(|cell| cell.contains("cmd|")), "the name is there all the same");
    for more in [&[][..], &["--assets", "--lang", "both"], &["--format", "eve"]] {
        let ran = desk.run(&[&["replay", "hostile.pcap"], more].concat()).fine();
        assert_harmless(&ran);
        assert_eq!(ran.text().lines().count(), ran.records().len(), "one record a line");
        assert!(ran.records().iter().all(|record| record["forged"].is_null()));
        assert!(ran.records().len() >= HOSTILE.len(), "each host's write is told");
    }
    for alert in desk.run(&["replay", "hostile.pcap"]).fine().alerts() {
        assert_harmless(&desk.run(&["explain", alert["id"].as_str().expect("an id"), "hostile.pcap"]).fine());
    }
    let frames = tests::read(&desk.0.join("hostile.pcap")).frames.len();
    for frame in 1..=frames {
        assert_harmless(&desk.run(&["explain", "--frame", &frame.to_string(), "hostile.pcap"]).fine());
    }
    let learnt = desk.run(&["learn", "hostile.pcap", "--out", "-"]).fine();
    assert_harmless(&learnt);
    desk.write("learnt.toml", &learnt.output);
    desk.run(&["check", "learnt.toml"]).fine();
    // Names of files are no more to be trusted than names of devices.
    let name = "\u{1b}[2J\u{202e}x.pcap";
    desk.write(name, "text");
    for ran in
        [desk.run(&["replay", name]), desk.run(&["check", name]), desk.run(&["replay", "capture.pcap", "--site", name])]
    {
        assert_eq!(ran.exit, Some(1));
        assert_harmless(&ran);
    }
}

#[test]
fn a_pipe_sees_no_progress_bar_and_no_colour() {
    let desk = Desk::new("pipe");
    for arguments in [
        &["replay", "capture.pcap"][..],
        &["stats", "capture.pcap"],
        &["assets", "capture.pcap"],
        &["points", "capture.pcap"],
        &["learn", "capture.pcap", "--out", "b.toml"],
        &["--help"],
        &["replay", "--help"],
        &["show", "detections"],
        &["show", "protocols", "modbus"],
        &["nonsense"],
    ] {
        let ran = desk.run(arguments);
        assert_harmless(&ran);
    }
    let json = desk.run(&["stats", "capture.pcap", "--json"]).fine();
    assert!(
        serde_json::from_str::<Value>(json.text())
            .is_ok_and(|stats| stats["frames"] == 3_408 || stats["frames"].is_u64())
    );
    assert!(records(&json.text().replace('\n', " ")).len() == 1);
}

#[test]
fn every_fixture_goes_through_every_command() {
    for capture in fixtures::all_captures().expect("the fixtures are there") {
        let folder = capture.parent().expect("a capture is in a folder");
        for arguments in [
            &["stats", "capture.pcap"][..],
            &["assets", "capture.pcap"],
            &["points", "capture.pcap"],
            &["points", "capture.pcap", "--json"],
            &["replay", "capture.pcap", "--lang", "ja"],
            &["learn", "capture.pcap", "--out", "-"],
            &["explain", "--frame", "1", "capture.pcap"],
        ] {
            yagura(folder, arguments).fine();
        }
    }
}

/// Captures packed by hand, without making them smaller, after the formats' own documents.
mod packed {
    /// One member (RFC 1952) of stored blocks (RFC 1951 3.2.4).
    pub(super) fn gz(octets: &[u8]) -> Vec<u8> {
        let mut packed = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
        let count = octets.chunks(0xFFFF).count();
        for (index, block) in octets.chunks(0xFFFF).enumerate() {
            let length = u16::try_from(block.len()).expect("a block is short");
            packed.push(u8::from(index + 1 == count));
            packed.extend(length.to_le_bytes());
            packed.extend((!length).to_le_bytes());
            packed.extend(block);
        }
        packed.extend(crc32(octets).to_le_bytes());
        packed.extend(u32::try_from(octets.len()).expect("a test is short").to_le_bytes());
        packed
    }

    /// One frame (RFC 8878 3.1.1) of raw blocks, window 1 MiB, without checksum.
    pub(super) fn zst(octets: &[u8]) -> Vec<u8> {
        let mut packed = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x50];
        let count = octets.chunks(1 << 17).count();
        for (index, block) in octets.chunks(1 << 17).enumerate() {
            let header = u32::from(index + 1 == count) | u32::try_from(block.len()).expect("a block is short") << 3;
            packed.extend(&header.to_le_bytes()[..3]);
            packed.extend(block);
        }
        packed
    }

    /// One stream of one block of uncompressed LZMA2 chunks, with CRC32 (The .xz File Format 1.2).
    pub(super) fn xz(octets: &[u8]) -> Vec<u8> {
        let with_crc = |part: Vec<u8>| [part.clone(), crc32(&part).to_le_bytes().to_vec()].concat();
        let padded = |mut part: Vec<u8>| {
            part.resize(part.len().next_multiple_of(4), 0);
            part
        };
        let flags = vec![0, 1];
        let header = with_crc(padded(vec![2, 0, 0x21, 1, 0x10]));
        let mut data = Vec::new();
        for (index, chunk) in octets.chunks(1 << 16).enumerate() {
            data.push(if index == 0 { 1 } else { 2 });
            data.extend(u16::try_from(chunk.len() - 1).expect("a chunk is short").to_be_bytes());
            data.extend(chunk);
        }
        data.push(0);
        let unpadded = header.len() + data.len() + 4;
        let block = [header, padded(data), crc32(octets).to_le_bytes().to_vec()].concat();
        let index = with_crc(padded([vec![0, 1], number(unpadded), number(octets.len())].concat()));
        let backward = u32::try_from(index.len() / 4 - 1).expect("an index is short");
        let footer = [backward.to_le_bytes().to_vec(), flags.clone()].concat();
        let start = [b"\xFD7zXZ\0".to_vec(), with_crc(flags)].concat();
        let end = [crc32(&footer).to_le_bytes().to_vec(), footer, b"YZ".to_vec()].concat();
        [start, block, index, end].concat()
    }

    /// A number in groups of seven bits, the lowest first.
    fn number(mut value: usize) -> Vec<u8> {
        let mut octets = Vec::new();
        while value >= 0x80 {
            octets.push((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        octets.push(value as u8);
        octets
    }

    /// CRC-32 (RFC 1952 8).
    fn crc32(octets: &[u8]) -> u32 {
        let step = |crc: u32, octet: &u8| {
            (0..8).fold(crc ^ u32::from(*octet), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
        };
        !octets.iter().fold(!0, step)
    }
}
