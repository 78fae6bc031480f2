//! Whether what the program writes is what `docs/schema/` promises, and the documents are what the program says of itself.

mod program;

use jsonschema::Validator;
use program::{policy_arguments, records, yagura};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use yagura_rules::detections::CATALOG;

/// The longest line, in octets.
const LINE_OCTETS_MAX: usize = 16_384;

/// The type of lines that have no `type` of their own.
const EVE: &str = "eve-alert";

/// Objects whose keys are data: `additionalProperties` says what their values are.
const OPEN: &[&str] =
    &["fields", "params", "protocols", "carried", "ethertypes", "undecoded_octets", "anomalies", "limits", "unjudged"];

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Every schema, by its record type.
fn schemas() -> BTreeMap<String, Value> {
    let folder = docs().join("schema");
    let entries = std::fs::read_dir(&folder).expect("schemas have a folder");
    entries
        .map(|entry| {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a schema can be read");
            let schema = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (name.trim_end_matches(".schema.json").to_owned(), schema)
        })
        .collect()
}

/// Holds records against their schemas.
struct Court {
    validators: BTreeMap<String, Validator>,
    seen: BTreeMap<String, u64>,
    wrong: Vec<String>,
}

impl Court {
    fn new() -> Self {
        let made = schemas().into_iter().map(|(name, schema)| {
            let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, validator)
        });
        Self { validators: made.collect(), seen: BTreeMap::new(), wrong: Vec::new() }
    }

    /// Judges every line of a text.
    fn lines(&mut self, of: &str, text: &str) {
        for line in text.lines().filter(|line| line.len() > LINE_OCTETS_MAX) {
            self.wrong.push(format!("{of}: a line of {} octets: {}", line.len(), &line[..200]));
        }
        for record in records(text) {
            self.record(of, &record);
        }
    }

    fn record(&mut self, of: &str, record: &Value) {
        let name = record["type"].as_str().unwrap_or(EVE).to_owned();
        let Some(validator) = self.validators.get(&name) else {
            self.wrong.push(format!("{of}: {name} has no schema: write docs/schema/{name}.schema.json"));
            return;
        };
        let errors = validator.iter_errors(record).take(3);
        self.wrong.extend(errors.map(|error| format!("{of}: {name}{}: {error}", error.instance_path())));
        *self.seen.entry(name).or_default() += 1;
    }
}

/// The folders of all captures.
fn folders() -> Vec<PathBuf> {
    let captures = fixtures::all_captures().expect("the fixtures are there");
    captures.iter().filter_map(|capture| capture.parent()).map(Path::to_owned).collect()
}

#[test]
fn each_line_is_what_its_schema_says() {
    let mut court = Court::new();
    for folder in folders() {
        let of = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for file in ["alerts.jsonl", "assets.jsonl"] {
            let path = folder.join("expected").join(file);
            let text = std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}: make expected-update", path.display()));
            court.lines(&format!("{of}/{file}"), &text);
        }
        let policy = policy_arguments(&folder);
        for more in [&["--format", "native", "--assets", "--lang", "both"][..], &["--format", "eve", "--lang", "ja"]] {
            let ran = yagura(&folder, &[&["replay", "capture.pcap"], &policy[..], more].concat()).fine();
            court.lines(&format!("{of} {more:?}"), ran.text());
        }
        let points = yagura(&folder, &[&["points", "capture.pcap", "--json"], &policy[..]].concat()).fine();
        court.lines(&format!("{of} points"), points.text());
        let stats = yagura(&folder, &[&["stats", "capture.pcap", "--json"], &policy[..]].concat()).fine();
        court.record(&of, &serde_json::from_str(stats.text()).expect("one JSON object"));
    }
    // A capture that cannot be read has a record, too.
    let nowhere = yagura(&docs(), &["stats", "nowhere.pcap", "--json"]);
    court.record("nowhere.pcap", &serde_json::from_str(nowhere.text()).expect("one JSON object"));
    journalled(&mut court);
    assert!(court.wrong.is_empty(), "\n{}", court.wrong.join("\n"));
    // Only a sensor that listens writes `health`: the app's own tests hold it to its schema.
    let kinds: BTreeSet<&String> = court.validators.keys().filter(|kind| *kind != "health").collect();
    assert_eq!(court.seen.keys().collect::<BTreeSet<_>>(), kinds, "every record type was held to its schema");
}

/// What people add to a journal, without a sensor that runs.
fn journalled(court: &mut Court) {
    let state = std::env::temp_dir().join(format!("yagura-schema-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&state);
    std::fs::create_dir_all(state.join("journal")).expect("a folder can be made");
    let text = format!("state = \"{}\"\n[[capture]]\ninterface = \"eth1\"\n", state.display());
    std::fs::write(state.join("yagura.toml"), text).expect("a file can be written");
    let config = &["--config", "yagura.toml"][..];
    for arguments in [
        [&["test-alert"], config].concat(),
        [&["journal"], config, &["note", "OT-0000-0-0", "--by", "N. Sato", "--text", "it arrived"]].concat(),
        [&["journal"], config, &["verify"]].concat(),
    ] {
        yagura(&state, &arguments).fine();
    }
    let records =
        yagura(&state, &[&["journal"], config, &["query", "--class", "alert,disposition,audit"]].concat()).fine();
    for line in records.text().lines() {
        let line: Value = serde_json::from_str(line).expect("a line of a journal is JSON");
        court.record("journal", &line["record"]);
    }
    let _ = std::fs::remove_dir_all(&state);
}

#[test]
fn the_schemas_can_say_no() {
    let mut court = Court::new();
    let folder = fixtures::scenario_folder("demo");
    let alerts =
        yagura(&folder, &[&["replay", "capture.pcap"], &policy_arguments(&folder)[..]].concat()).fine().alerts();
    let alert = alerts.first().expect("the demonstration raises alerts");
    court.record("as it is", alert);
    assert!(court.wrong.is_empty(), "{:?}", court.wrong);
    for (change, damage) in [
        ("a key too many", Box::new(|alert: &mut Value| alert["more"] = 1.into()) as Box<dyn Fn(&mut Value)>),
        ("a key too few", Box::new(|alert| drop(alert.as_object_mut().map(|keys| keys.remove("subject"))))),
        ("another type", Box::new(|alert| alert["repeats"] = "many".into())),
        ("an unknown word", Box::new(|alert| alert["severity"] = "awful".into())),
        ("an inner key too many", Box::new(|alert| alert["basis"]["more"] = 1.into())),
    ] {
        let mut damaged = alert.clone();
        damage(&mut damaged);
        court.wrong.clear();
        court.record(change, &damaged);
        assert!(!court.wrong.is_empty(), "{change} is let through");
    }
}

#[test]
fn each_key_is_described_and_each_object_closed() {
    let mut wrong = Vec::new();
    for (name, schema) in schemas() {
        assert!(jsonschema::meta::is_valid(&schema), "{name}: is no JSON Schema");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        let mut waiting = vec![(name.clone(), &schema)];
        while let Some((path, inner)) = waiting.pop() {
            if let Some(properties) = inner["properties"].as_object() {
                let key = path.rsplit('.').next().unwrap_or_default();
                if inner["additionalProperties"] != Value::Bool(false) && !OPEN.contains(&key) {
                    wrong.push(format!("{path}: is open: say \"additionalProperties\": false"));
                }
                let required = inner["required"].as_array().map(Vec::as_slice).unwrap_or_default();
                for (key, property) in properties {
                    if property["description"].as_str().is_none_or(|text| text.len() < 3) {
                        wrong.push(format!("{path}.{key}: has no description"));
                    }
                    // Our own records always have all their keys; that other format leaves out what is not known.
                    if name != EVE && !required.contains(&Value::from(key.as_str())) {
                        wrong.push(format!("{path}.{key}: is not required, and every key is always there"));
                    }
                    waiting.push((format!("{path}.{key}"), property));
                }
            }
            for inner_key in ["items", "additionalProperties"] {
                waiting.extend(inner[inner_key].is_object().then(|| (path.clone(), &inner[inner_key])));
            }
            for list in ["anyOf", "oneOf", "allOf"] {
                waiting.extend(inner[list].as_array().into_iter().flatten().map(|inner| (path.clone(), inner)));
            }
            for (key, inner) in inner["$defs"].as_object().into_iter().flatten() {
                waiting.push((format!("{path}#{key}"), inner));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn each_detection_setting_and_parameter_is_described() {
    let path = docs().join("detections.md");
    let document = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let shown = yagura(&docs(), &["show", "detections", "--format", "json"]).fine();
    let shown: Value = serde_json::from_str(shown.text()).expect("one JSON list");
    for card in CATALOG.iter().map(|one| one.card) {
        let entry = shown.as_array().into_iter().flatten().find(|entry| entry["name"] == card.name);
        let entry = entry.unwrap_or_else(|| panic!("`show detections` does not know {}", card.name));
        for key in ["what", "why", "benign", "response"] {
            for tongue in ["en", "ja"] {
                let text = entry[tongue][key].as_str().unwrap_or_default();
                assert!(text.len() > 10 && document.contains(text), "{}: {key} in {tongue} is not told", card.name);
            }
        }
        for setting in card.settings {
            assert!(document.contains(&format!("| `{}` | {}", setting.name, setting.what)), "{}", setting.name);
        }
    }
    // A parameter is a word of its sentence, or something that a machine wants beside it: never without a name.
    for folder in folders() {
        let text = std::fs::read_to_string(folder.join("expected/alerts.jsonl")).expect("make expected-update");
        for alert in records(&text).iter().filter(|record| record["type"] == "alert") {
            for (key, value) in alert["params"].as_object().expect("parameters are an object") {
                let is_name =
                    key.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
                assert!(is_name && !key.is_empty(), "{}: {key} is no name", alert["id"]);
                assert!(!value.is_object() && !value.is_array(), "{}: {key} is {value}", alert["id"]);
            }
            let summary = alert["summary"].as_str().expect("a sentence");
            assert!(!summary.contains(['{', '}']), "{}: a parameter is missing in: {summary}", alert["id"]);
        }
    }
}

#[test]
fn the_documents_are_what_the_program_says() {
    for subject in ["detections", "protocols", "records"] {
        let path = docs().join(format!("{subject}.md"));
        let said = yagura(&docs(), &["show", subject, "--format", "markdown"]).fine();
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == said.text(), "docs/{subject}.md is not what the program says: run `make docs-update`");
    }
    for name in schemas().keys() {
        let said = yagura(&docs(), &["show", "schema", name]).fine();
        let written = std::fs::read_to_string(docs().join(format!("schema/{name}.schema.json"))).expect("it is there");
        assert!(written.trim_end() == said.text().trim_end(), "docs/schema/{name}.schema.json: build the program anew");
    }
}
