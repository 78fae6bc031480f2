//! The plan of the house, held to the sources: who may name which library, who may touch the world, what belongs together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use yagura_parsers::protocols::ProtocolId;
use yagura_rules::detections::CATALOG;

/// Where each foreign library may be named, by the beginning of the path.
///
/// Two stand in more rooms than one: `toml` is the operator's language, which `rules` reads, and `check` looks up in which
/// line a setting stands; `jiff` turns times into text and back, each where such text is met.
const DOORS: &[(&str, &[&str])] = &[
    ("base64", &["sensor/app/src/record/flow.rs"]),
    ("clap", &["sensor/app/src/cli.rs"]),
    ("crossbeam_channel", &["sensor/app/src/pipeline/", "sensor/app/src/service/", "sensor/live/src/hand_over.rs"]),
    ("ed25519_dalek", &["sensor/journal/src/key.rs"]),
    ("etherparse", &["parsers/src/packet/"]),
    ("flate2", &["sensor/app/src/capture/"]),
    ("foldhash", &["sensor/core/src/"]),
    ("getrandom", &["sensor/journal/src/key.rs"]),
    ("hashbrown", &["sensor/core/src/"]),
    ("hdrhistogram", &["sensor/app/src/service/health.rs"]),
    ("indicatif", &["sensor/app/src/commands/analysis.rs"]),
    (
        "jiff",
        &[
            "rules/src/site.rs",
            "sensor/app/src/cli.rs",
            "sensor/app/src/record/write.rs",
            "sensor/journal/",
            "sensor/outputs/",
        ],
    ),
    ("landlock", &["sensor/sandbox/src/paths.rs"]),
    ("libc", &["sensor/sandbox/src/"]),
    ("liblzma", &["sensor/app/src/capture/"]),
    ("oui_data", &["sensor/core/src/world/oui.rs"]),
    ("pcap", &["sensor/live/src/capture.rs"]),
    ("pcap_parser", &["sensor/app/src/capture/"]),
    ("prometheus_client", &["sensor/outputs/src/"]),
    (
        "rustix",
        &[
            "sensor/app/src/service/",
            "sensor/app/src/commands/",
            "sensor/journal/",
            "sensor/live/",
            "sensor/outputs/",
            "sensor/sandbox/",
        ],
    ),
    ("rustls", &["sensor/outputs/src/sink/"]),
    ("seccompiler", &["sensor/sandbox/src/seccomp/"]),
    (
        "serde",
        &[
            "sensor/app/src/record/",
            "sensor/app/src/service/",
            "sensor/app/src/commands/journal.rs",
            "sensor/journal/",
            "sensor/outputs/",
        ],
    ),
    (
        "serde_json",
        &["sensor/app/src/record/", "sensor/app/src/service/inbox.rs", "sensor/journal/", "sensor/outputs/"],
    ),
    ("sha1", &["sensor/app/src/record/flow.rs"]),
    ("sha2", &["sensor/app/src/record/", "sensor/journal/src/hash.rs", "sensor/outputs/src/format/"]),
    ("signal_hook", &["sensor/app/src/service/supervisor.rs"]),
    (
        "thiserror",
        &[
            "sensor/app/src/capture/error.rs",
            "sensor/journal/",
            "sensor/live/src/error.rs",
            "sensor/outputs/",
            "sensor/sandbox/src/lib.rs",
        ],
    ),
    (
        "toml",
        &[
            "rules/src/site.rs",
            "sensor/app/src/commands/check.rs",
            "sensor/app/src/service/config.rs",
            "sensor/outputs/src/settings.rs",
        ],
    ),
    ("ureq", &["sensor/outputs/src/settings.rs", "sensor/outputs/src/sink/"]),
    ("zstd", &["sensor/app/src/capture/"]),
];

/// The floors, lowest first: folder, crate, and the crates of ours that it may depend on.
const FLOORS: &[(&str, &str, &[&str])] = &[
    ("parsers", "yagura-parsers", &[]),
    ("rules", "yagura-rules", &["yagura-parsers"]),
    ("sensor/core", "yagura-core", &["yagura-parsers", "yagura-rules"]),
    ("sensor/live", "yagura-live", &["yagura-parsers", "yagura-rules", "yagura-core"]),
    ("sensor/journal", "yagura-journal", &[]),
    ("sensor/outputs", "yagura-outputs", &["yagura-journal"]),
    ("sensor/sandbox", "yagura-sandbox", &[]),
    (
        "sensor/app",
        "yagura",
        &[
            "yagura-parsers",
            "yagura-rules",
            "yagura-core",
            "yagura-live",
            "yagura-journal",
            "yagura-outputs",
            "yagura-sandbox",
        ],
    ),
    ("fixtures", "fixtures", &[]),
    ("tests", "tests", &["yagura-parsers", "yagura-rules", "yagura-core", "yagura", "fixtures"]),
    ("benches", "benches", &["yagura-parsers", "yagura-rules", "yagura-core", "yagura", "fixtures"]),
];

/// The floors that the program is made of.
const OURS: &[&str] = &[
    "parsers",
    "rules",
    "sensor/core",
    "sensor/live",
    "sensor/journal",
    "sensor/outputs",
    "sensor/sandbox",
    "sensor/app",
];

/// The floors that never touch the world.
const STILL: &[&str] = &["parsers", "rules", "sensor/core"];

/// What a still floor may name of these parts of the standard library: addresses are facts, not sockets.
const WORLDLY: &[(&str, &[&str])] = &[
    ("std::time", &["std::time::Duration"]),
    ("std::fs", &[]),
    ("std::net", &["std::net::IpAddr", "std::net::Ipv4Addr", "std::net::Ipv6Addr"]),
    ("std::thread", &[]),
    ("std::process", &[]),
    ("std::env", &[]),
    ("std::io", &[]),
    ("std::os", &[]),
    ("std::collections::HashMap", &[]),
    ("std::collections::HashSet", &[]),
    ("std::hash::RandomState", &[]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace is there")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file of the tree that people write, by its path from the root: build output, version control and what tools
/// download are left out.
fn files() -> Vec<(String, PathBuf)> {
    const FOREIGN: &[&str] = &["target", ".git", "artifacts", "__pycache__"];
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the tree can be listed") {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if FOREIGN.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let inner = path.strip_prefix(&root).expect("it lies below the root").to_string_lossy().into_owned();
                found.push((inner, path));
            }
        }
    }
    found.sort();
    found
}

/// The Rust sources below one of the folders' `src`.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let is_in = |path: &str| folders.iter().any(|folder| path.starts_with(&format!("{folder}/src/")));
    let chosen = files().into_iter().filter(|(path, _)| path.ends_with(".rs") && is_in(path));
    chosen.map(|(path, file)| (path, read(&file))).collect()
}

/// The words and marks of Rust code: comments go, a text or character becomes one empty word.
fn words(code: &str) -> Vec<String> {
    let characters: Vec<char> = code.chars().collect();
    let at = |place: usize| characters.get(place).copied().unwrap_or('\0');
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut words = Vec::new();
    let mut place = 0;
    while place < characters.len() {
        let start = place;
        match (at(place), at(place + 1)) {
            ('/', '/') => place += characters[place..].iter().take_while(|character| **character != '\n').count(),
            ('/', '*') => {
                place += 2;
                while place < characters.len() && (at(place), at(place + 1)) != ('*', '/') {
                    place += 1;
                }
                place += 2;
            }
            ('r', '"' | '#') | ('b', 'r') if raw_text(&characters[place..]).is_some() => {
                place += raw_text(&characters[place..]).unwrap_or(1);
                words.push(String::new());
            }
            ('"', _) => {
                place += 1;
                while place < characters.len() && at(place) != '"' {
                    place += if at(place) == '\\' { 2 } else { 1 };
                }
                place += 1;
                words.push(String::new());
            }
            // A character, not a lifetime.
            ('\'', '\\') => {
                place += 3;
                while place < characters.len() && at(place) != '\'' {
                    place += 1;
                }
                place += 1;
                words.push(String::new());
            }
            ('\'', _) if at(place + 2) == '\'' => {
                place += 3;
                words.push(String::new());
            }
            (':', ':') => {
                place += 2;
                words.push("::".to_owned());
            }
            (character, _) if is_word(character) => {
                while is_word(at(place)) {
                    place += 1;
                }
                words.push(characters[start..place].iter().collect());
            }
            (character, _) => {
                place += 1;
                if !character.is_whitespace() {
                    words.push(character.to_string());
                }
            }
        }
    }
    words
}

/// The length of the raw text that starts here, if one does: `r"..."`, `r#"..."#`, `br"..."`.
fn raw_text(characters: &[char]) -> Option<usize> {
    let mut place = characters.iter().take_while(|character| matches!(character, 'b' | 'r')).count();
    let fence = characters.get(place..)?.iter().take_while(|character| **character == '#').count();
    place += fence;
    if characters.get(place) != Some(&'"') {
        return None;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', fence)).collect();
    let inner = characters.get(place + 1..)?.windows(end.len()).position(|window| window == end)?;
    Some(place + 1 + inner + end.len())
}

/// Every path that code names, groups of `use` taken apart: `use std::{fs, io::Read}` names `std::fs` and `std::io::Read`.
fn paths(code: &str) -> BTreeSet<String> {
    let words = words(code);
    let mut found = BTreeSet::new();
    let mut prefixes: Vec<String> = Vec::new();
    let mut path = String::new();
    for (place, word) in words.iter().enumerate() {
        let next = words.get(place + 1).map_or("", String::as_str);
        let is_name = word.starts_with(|first: char| first.is_alphanumeric() || first == '_');
        if word == "::" {
            if next == "{" {
                let prefix = format!("{}{path}::", prefixes.last().cloned().unwrap_or_default());
                prefixes.push(prefix);
            } else if !path.is_empty() {
                path.push_str("::");
            }
            continue;
        }
        if is_name && (path.is_empty() || path.ends_with("::")) {
            path.push_str(word);
            if next != "::" {
                found.insert(format!("{}{path}", prefixes.last().cloned().unwrap_or_default()));
                path.clear();
            }
            continue;
        }
        path.clear();
        match word.as_str() {
            // A brace that opens no group of paths only has to be closed in its turn.
            "{" if words.get(place.wrapping_sub(1)).is_none_or(|before| before != "::") => prefixes.push(String::new()),
            "}" => drop(prefixes.pop()),
            _ => {}
        }
    }
    found
}

/// Whether a path is `prefix` or lies in it.
fn lies_in(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn manifest(folder: &str) -> toml::Table {
    let path = root().join(folder).join("Cargo.toml");
    read(&path).parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a crate depends on, of all three kinds.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    named_in(manifest, &["dependencies", "dev-dependencies", "build-dependencies"])
}

/// What a crate names in these tables of its manifest.
fn named_in(manifest: &toml::Table, tables: &[&str]) -> BTreeSet<String> {
    let named = tables.iter().filter_map(|name| manifest.get(*name)?.as_table());
    named.flat_map(|table| table.keys().cloned()).collect()
}

#[test]
fn the_reader_of_sources_sees_what_is_named() {
    let code = "use std::{fs::File, net::{IpAddr, TcpStream}};\n// std::env\nfn f() { let a = \"std::io\"; \
                let b = r#\"std::os\"#; let c = '{'; g::<'static>(std::thread::spawn); zstd::new() }";
    let found = paths(code);
    for named in ["std::fs::File", "std::net::IpAddr", "std::net::TcpStream", "std::thread::spawn", "zstd::new"] {
        assert!(found.contains(named), "{named} is missing in {found:?}");
    }
    for unnamed in ["std::env", "std::io", "std::os"] {
        assert!(!found.iter().any(|path| lies_in(path, unnamed)), "{unnamed} is in {found:?}");
    }
}

#[test]
fn foreign_libraries_come_in_by_their_door() {
    let mut wrong = Vec::new();
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for (file, text) in sources(OURS) {
        let paths = paths(&text);
        for (library, doors) in DOORS {
            if !paths.iter().any(|path| path != library && lies_in(path, library)) {
                continue;
            }
            named.insert(library);
            if !doors.iter().any(|door| file.starts_with(door)) {
                wrong.push(format!("{file} names {library}: only {} may", doors.join(", ")));
            }
        }
    }
    for (folder, ..) in FLOORS.iter().filter(|(folder, ..)| !["fixtures", "tests", "benches"].contains(folder)) {
        // What only a crate's own tests use comes in by no door.
        let shipped = named_in(&manifest(folder), &["dependencies", "build-dependencies"]);
        for library in shipped.iter().filter(|name| !name.starts_with("yagura")) {
            let library = library.replace('-', "_");
            let Some((_, doors)) = DOORS.iter().find(|(name, _)| *name == library) else {
                wrong.push(format!("{folder} depends on {library}: give it a door in this test's table"));
                continue;
            };
            if !doors.iter().any(|door| door.starts_with(&format!("{folder}/"))) {
                wrong.push(format!("{folder} depends on {library}, which has no door there: take the dependency out"));
            }
        }
    }
    for (library, _) in DOORS.iter().filter(|(library, _)| !named.contains(library)) {
        wrong.push(format!("nobody names {library}: take it out of this test's table and of Cargo.toml"));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_still_floors_touch_no_world() {
    let mut wrong = Vec::new();
    for (file, text) in sources(STILL) {
        for path in paths(&text) {
            let forbidden = WORLDLY.iter().find(|(prefix, allowed)| {
                lies_in(&path, prefix) && !allowed.iter().any(|allowed| lies_in(&path, allowed))
            });
            if let Some((prefix, _)) = forbidden {
                wrong.push(format!("{file} names {path}: {prefix} belongs to sensor/app; hand the value in"));
            }
        }
        let words = words(&text);
        for pair in words.windows(2) {
            if pair[1] == "!" && ["print", "println", "eprint", "eprintln", "dbg"].contains(&pair[0].as_str()) {
                wrong.push(format!("{file} calls {}!: a still floor says nothing; return a value", pair[0]));
            }
        }
        if words.iter().any(|word| word == "Instant" || word == "SystemTime") {
            wrong.push(format!("{file} names a clock: time comes only from frames"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_nowhere() {
    for folder in STILL {
        let text = read(&root().join(folder).join("src/lib.rs"));
        assert!(text.contains("#![forbid(unsafe_code)]"), "{folder}/src/lib.rs must say #![forbid(unsafe_code)]");
    }
    let lints = manifest("");
    let level = lints.get("workspace").and_then(|workspace| workspace.get("lints")?.get("rust")?.get("unsafe_code"));
    assert_eq!(level.and_then(toml::Value::as_str), Some("deny"), "the workspace's lints deny unsafe_code");
    for (folder, ..) in FLOORS {
        let manifest = manifest(folder);
        let own = manifest.get("lints").expect("a crate says its lints");
        let inherits = own.get("workspace").and_then(toml::Value::as_bool) == Some(true);
        let denies = own.get("rust").and_then(|rust| rust.get("unsafe_code")?.as_str()) == Some("deny");
        assert!(inherits || denies, "{folder}/Cargo.toml must deny unsafe_code, itself or with `workspace = true`");
    }
    for (file, text) in sources(&[OURS, &["fixtures"]].concat()) {
        assert!(!words(&text).iter().any(|word| word == "unsafe"), "{file} is unsafe: find another way");
    }
}

#[test]
fn dependencies_run_down_only() {
    let workspace = manifest("");
    let members = workspace.get("workspace").and_then(|workspace| workspace.get("members")?.as_array());
    let members: BTreeSet<&str> = members.into_iter().flatten().filter_map(toml::Value::as_str).collect();
    let floors: BTreeSet<&str> = FLOORS.iter().map(|(folder, ..)| *folder).collect();
    assert_eq!(members, floors, "every crate of the workspace has its floor in this test's table");
    let ours: BTreeSet<&str> = FLOORS.iter().map(|(_, name, _)| *name).collect();
    for (folder, name, below) in FLOORS {
        let manifest = manifest(folder);
        assert_eq!(manifest["package"]["name"].as_str(), Some(*name), "{folder}");
        for dependency in dependencies(&manifest).iter().filter(|name| ours.contains(name.as_str())) {
            assert!(
                below.contains(&dependency.as_str()),
                "{folder}/Cargo.toml depends on {dependency}, which is not below it: move what it needs down"
            );
        }
    }
}

#[test]
fn each_protocol_has_its_places() {
    let root = root();
    let folders: BTreeSet<String> = std::fs::read_dir(root.join("parsers/src/protocols"))
        .expect("protocols have a folder")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    let listed: BTreeSet<String> = ProtocolId::ALL.iter().map(|protocol| protocol.name().to_owned()).collect();
    assert_eq!(listed, folders, "each folder of parsers/src/protocols has its line in its mod.rs, and the other way");
    let document = read(&root.join("docs/protocols.md"));
    for name in &listed {
        for place in [format!("fixtures/src/wire/{name}.rs"), format!("tests/fuzz/{name}.rs")] {
            assert!(root.join(&place).is_file(), "{name} has no {place}: write it");
        }
        let heading = format!("\n## `{name}`\n");
        assert!(document.contains(&heading), "docs/protocols.md does not know {name}: run `make docs-update`");
    }
}

#[test]
fn each_detection_has_its_places() {
    let root = root();
    let rule_files: BTreeSet<String> = files()
        .into_iter()
        .filter(|(path, _)| path.starts_with("rules/src/detections/"))
        .filter(|(_, file)| read(file).contains("\npub const RULE: Registration"))
        .map(|(path, _)| path.trim_start_matches("rules/src/detections/").trim_end_matches(".rs").to_owned())
        .collect();
    let listed: BTreeSet<String> = CATALOG.iter().map(|one| one.card.name.to_owned()).collect();
    assert_eq!(listed, rule_files, "each file of rules/src/detections has its line in CATALOG under its own name");
    let mut numbers: BTreeMap<&str, &str> = BTreeMap::new();
    let document = read(&root.join("docs/detections.md"));
    for card in CATALOG.iter().map(|one| one.card) {
        if let Some(other) = numbers.insert(card.id, card.name) {
            panic!("{} and {other} are both {}: ids are never used twice", card.name, card.id);
        }
        let heading = format!("\n## {} {}\n", card.id, card.name);
        assert!(document.contains(&heading), "docs/detections.md lacks {}: run `make docs-update`", card.name);
    }
}

#[test]
fn every_source_says_first_what_it_is() {
    for (path, file) in files().into_iter().filter(|(path, _)| path.ends_with(".rs")) {
        let text = read(&file);
        let first = text.lines().next().unwrap_or_default();
        let said = first.strip_prefix("//! ").unwrap_or_default();
        assert!(said.len() > 12, "{path}: its first line is one sentence that says what it is: //! ...");
    }
}

#[test]
fn the_tree_names_no_tool_of_its_making() {
    // Put together from parts, so that this file does not find itself.
    let names: Vec<String> = [
        ("clau", "de"),
        ("anthro", "pic"),
        ("open", "ai"),
        ("chat", "gpt"),
        ("copi", "lot"),
        ("co", "dex"),
        ("gem", "ini"),
    ]
    .map(|(start, end)| format!("{start}{end}"))
    .to_vec();
    let parts: Vec<String> =
        [("/work", "/"), ("/tmp", "/h/"), ("being ", "written)"), ("to", "do!("), ("FIX", "ME"), ("TO", "DO")]
            .map(|(start, end)| format!("{start}{end}"))
            .to_vec();
    let mut wrong = Vec::new();
    for (path, file) in files() {
        // What is no text is a capture; the lock files are written by cargo.
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        if path.ends_with("Cargo.lock") {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            let at = format!("{path}:{}", index + 1);
            let lower = line.to_lowercase();
            let is_letter = |text: Option<char>| text.is_some_and(char::is_alphanumeric);
            for name in &names {
                let met = lower.match_indices(name.as_str()).any(|(start, found)| {
                    !is_letter(lower[..start].chars().next_back())
                        && !is_letter(lower[start + found.len()..].chars().next())
                });
                if met {
                    wrong.push(format!("{at}: names a tool of development: take it out"));
                }
            }
            if parts.iter().any(|part| line.contains(part.as_str())) {
                wrong.push(format!("{at}: is unfinished, or names a path of one machine: {}", line.trim()));
            }
            // The examples of the test below are meant to be found.
            if path != "tests/architecture.rs" && names_an_issue(&lower) {
                wrong.push(format!("{at}: names an issue by its number: say the thing itself: {}", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Whether a line, in lower case, names an issue: a hash and digits as a word of its own, or the word and a number.
fn names_an_issue(line: &str) -> bool {
    let digit_next = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let hashed = line.match_indices('#').any(|(start, _)| {
        let rest = &line[start + 1..];
        let end = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let alone = !end.starts_with(|next: char| next.is_alphanumeric() || "-_;\"'".contains(next));
        let free = line[..start].chars().next_back().is_none_or(|before| before.is_whitespace() || before == '(');
        digit_next(rest) && alone && free
    });
    let word = ["iss", "ue"].concat();
    let worded = line.match_indices(&word).any(|(start, found)| {
        let rest = line[start + found.len()..].trim_start_matches(['s', ' ', '#']);
        digit_next(rest) && line[start + found.len()..].starts_with(['s', ' '])
    });
    hashed || worded
}

#[test]
fn issue_numbers_are_told_from_other_numbers() {
    for named in ["see #12", "(#3)", "as issue 2 asks", "issues 4 and 5", "issue #7"] {
        assert!(names_an_issue(named), "{named}");
    }
    for other in
        ["color: #123456;", "r#\"", "docs.html#12-a", "#[test]", "the issue is 2 fold", "## 1. the house", "&#39;"]
    {
        assert!(!names_an_issue(other), "{other}");
    }
}
