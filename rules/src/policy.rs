//! `Policy`: what the site file says, read, checked and compiled.

use crate::baseline::Device;
use crate::facts::time::Timestamp;
use crate::norm::{Line, Norm};
use crate::problem::{Place, Problem, Problems, SourceFile, one_of, quoted};
use crate::rule::{Registration, Settings, Severity};
use crate::site::{self, ANY, Network, OUTSIDE, Statements, where_is};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use yagura_parsers::packet::link::MacAddr;

/// Files that the site file may include, itself among them.
pub const FILES_MAX: usize = 32;
/// How deep an included file may include others.
pub const DEPTH_MAX: usize = 4;
/// Zones of a site.
pub const ZONES_MAX: usize = 128;

/// What the judge takes from the site file.
#[derive(Debug, Clone, Default)]
pub struct JudgePolicy {
    /// Settings by the detection's name.
    pub settings: BTreeMap<String, Settings>,
    /// Severities by the detection's name.
    pub severities: BTreeMap<String, Severity>,
    /// Detections that are switched off: `enabled = false`.
    pub disabled: Vec<String>,
    /// What is not to be told.
    pub suppressions: Vec<Suppression>,
    /// Repeats of an alert are counted for so long before they are told, in ns; 0 means the default of 10 minutes.
    pub repeat_window_ns: u64,
}

/// Findings that are not to be told.
#[derive(Debug, Clone)]
pub struct Suppression {
    /// The detection's name; `None` for all.
    pub detection: Option<String>,
    /// An address, MAC address, asset name or network that must be concerned; `None` for any.
    pub subject: Option<String>,
    /// Holds until this time of the capture.
    pub until: Option<Timestamp>,
    /// Why: never empty.
    pub reason: String,
    /// Where it stands.
    pub line: Line,
}

/// Site file, with the files that it includes, checked and compiled. The default is that of a site without a file.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The site's name.
    pub site: Option<String>,
    /// The sensor's name.
    pub sensor: Option<String>,
    /// Whether equal addresses in different VLANs are one device.
    pub join_vlans: bool,
    /// What is allowed and usual.
    pub norm: Arc<Norm>,
    /// What the judge takes.
    pub judge: JudgePolicy,
    /// What is odd in the files, though it is no error; at most [`crate::problem::PROBLEMS_MAX`].
    pub warnings: Vec<Problem>,
    /// The files with their texts, in the order of [`Norm::files`]: what digests are made of.
    pub files: Arc<[SourceFile]>,
}

impl Policy {
    /// Reads the site file of the name `root` and what it includes, through `read`, which gives a file's text or says
    /// in a few words why it cannot. Includes are relative to the file that names them.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, in the order of files and lines, at most [`crate::problem::PROBLEMS_MAX`].
    pub fn load(
        root: &str,
        read: &mut dyn FnMut(&str) -> Result<String, String>,
        catalog: &[Registration],
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let mut statements = Statements::default();
        let (files, complete) = read_files(root, read, catalog, &mut problems, &mut statements);
        let mut check = Check { files: &files, problems: &mut problems };
        check.zones(&statements);
        check.assets(&statements);
        check.detections(&statements);
        check.field_sizes(&statements);
        // Names may be of a file that could not be read.
        if complete {
            check.conduits(&statements);
            check.suppressions(&statements);
        }
        if !problems.is_empty() {
            return Err(problems.into_sorted());
        }
        let warnings = warnings(&files, &statements);
        let names = files.iter().map(|file| file.name().to_owned()).collect();
        let norm = Arc::new(Norm::compile(names, &statements));
        let judge = judge_policy(&files, &statements);
        Ok(Self {
            site: statements.site.map(|site| site.value),
            sensor: statements.sensor.map(|sensor| sensor.value),
            join_vlans: statements.join_vlans.is_some_and(|join| join.value),
            norm,
            judge,
            warnings,
            files: files.into(),
        })
    }

    /// The text of a line of the files.
    pub fn file_line_text(&self, line: Line) -> Option<&str> {
        self.files.get(usize::from(line.file))?.line_text(line.line)
    }
}

/// A file that is to be read.
struct Wanted {
    name: String,
    /// Where it is included.
    by: Option<Place>,
    /// The files that lead to it, the root first.
    chain: Vec<String>,
}

/// Reads all files, each before those that it includes, in their order. Also tells whether every one could be read.
fn read_files(
    root: &str,
    read: &mut dyn FnMut(&str) -> Result<String, String>,
    catalog: &[Registration],
    problems: &mut Problems,
    statements: &mut Statements,
) -> (Vec<SourceFile>, bool) {
    let mut complete = true;
    let mut files: Vec<SourceFile> = Vec::new();
    let mut wanted = vec![Wanted { name: root.to_owned(), by: None, chain: Vec::new() }];
    while let Some(Wanted { name, by, mut chain }) = wanted.pop() {
        let refusal = if chain.contains(&name) {
            let circle: Vec<String> =
                chain.iter().skip_while(|link| **link != name).chain([&name]).map(|link| quoted(link)).collect();
            Some(format!("files include each other in a circle: {}", circle.join(" -> ")))
        } else if files.iter().any(|file| file.name() == name) {
            Some(format!("{} is included a second time", quoted(&name)))
        } else if chain.len() > DEPTH_MAX {
            Some(format!("includes are deeper than {DEPTH_MAX}"))
        } else if files.len() >= FILES_MAX {
            Some(format!("there are more than {FILES_MAX} files"))
        } else {
            None
        };
        let text = match refusal {
            Some(message) => Err(message),
            None => {
                read(&name).map_err(|why| format!("cannot read {}: {}", quoted(&name), crate::problem::escaped(&why)))
            }
        };
        match text {
            Ok(text) => files.push(SourceFile::new(&*name, text)),
            Err(message) => {
                match by.and_then(|place| Some((place, files.get(usize::from(place.file))?))) {
                    Some((place, file)) => {
                        problems.add(place.file, file.problem(place.start..place.end, message, None))
                    }
                    None => problems.add(0, Problem::of_file(&name, message)),
                }
                complete = false;
                continue;
            }
        }
        statements.includes.clear();
        complete &= site::read(&files, catalog, problems, statements);
        chain.push(name.clone());
        for include in statements.includes.drain(..).rev() {
            let name = beside(&name, &include.value);
            wanted.push(Wanted { name, by: Some(include.place), chain: chain.clone() });
        }
    }
    (files, complete)
}

/// The name of a file that another one names, relative to where that one lies.
fn beside(file: &str, include: &str) -> String {
    let include = include.strip_prefix("./").unwrap_or(include);
    match file.rfind(['/', '\\']).and_then(|at| file.get(..=at)) {
        Some(folder) if !include.starts_with(['/', '\\']) && include.get(1..2) != Some(":") => {
            format!("{folder}{include}")
        }
        _ => include.to_owned(),
    }
}

fn judge_policy(files: &[SourceFile], statements: &Statements) -> JudgePolicy {
    let mut judge = JudgePolicy {
        repeat_window_ns: statements
            .repeat_window_s
            .as_ref()
            .map_or(0, |seconds| seconds.value.saturating_mul(1_000_000_000)),
        ..JudgePolicy::default()
    };
    for detection in &statements.detections {
        let name = &detection.name.value;
        if !detection.settings.0.is_empty() {
            judge.settings.insert(name.clone(), detection.settings.clone());
        }
        if let Some(severity) = detection.severity {
            judge.severities.insert(name.clone(), severity);
        }
        if detection.enabled == Some(false) {
            judge.disabled.push(name.clone());
        }
    }
    for suppress in &statements.suppressions {
        judge.suppressions.push(Suppression {
            detection: suppress.detection.clone(),
            subject: suppress.subject.as_ref().map(|subject| subject.value.clone()),
            until: suppress.until,
            reason: suppress.reason.clone(),
            line: line_of(files, suppress.place),
        });
    }
    judge
}

fn line_of(files: &[SourceFile], place: Place) -> Line {
    let line = files.get(usize::from(place.file)).map_or(0, |file| file.line_of(place.start));
    Line { file: place.file, line }
}

/// Looks for contradictions between statements.
struct Check<'a> {
    files: &'a [SourceFile],
    problems: &'a mut Problems,
}

impl Check<'_> {
    fn problem(&mut self, place: Place, message: String, expected: Option<String>) {
        if let Some(file) = self.files.get(usize::from(place.file)) {
            self.problems.add(place.file, file.problem(place.start..place.end, message, expected));
        }
    }

    fn zones(&mut self, statements: &Statements) {
        let mut names: BTreeMap<&str, Place> = BTreeMap::new();
        let mut networks: BTreeMap<Network, (&str, Place)> = BTreeMap::new();
        for zone in &statements.zones {
            let (name, place) = (zone.name.value.as_str(), zone.name.place);
            match names.entry(name) {
                Entry::Occupied(first) => {
                    let message = format!(
                        "two zones are named {}; the first at {}",
                        quoted(name),
                        where_is(self.files, *first.get())
                    );
                    self.problem(place, message, None);
                }
                Entry::Vacant(new) => {
                    new.insert(place);
                    if names.len() == ZONES_MAX.saturating_add(1) {
                        self.problem(place, format!("there are more than {ZONES_MAX} zones"), None);
                    }
                }
            }
            for network in &zone.networks {
                match networks.entry(network.value) {
                    Entry::Occupied(first) => {
                        let (other, at) = *first.get();
                        let message = format!(
                            "network {} is of zone {} at {} and of zone {} at {}",
                            network.value,
                            quoted(other),
                            where_is(self.files, at),
                            quoted(name),
                            where_is(self.files, network.place),
                        );
                        self.problem(network.place, message, None);
                    }
                    Entry::Vacant(new) => {
                        new.insert((name, network.place));
                    }
                }
            }
        }
    }

    fn conduits(&mut self, statements: &Statements) {
        let mut names: Vec<&str> = statements.zones.iter().map(|zone| zone.name.value.as_str()).collect();
        names.extend([OUTSIDE, ANY]);
        for conduit in &statements.conduits {
            for end in [&conduit.from, &conduit.to] {
                if !names.contains(&end.value.as_str()) {
                    self.problem(
                        end.place,
                        format!("{} is no zone", quoted(&end.value)),
                        Some(one_of(&end.value, &names)),
                    );
                }
            }
        }
    }

    /// A name is of one asset, and so is an address among those that people wrote. What was learnt may agree with them,
    /// and they win where it does not.
    fn assets(&mut self, statements: &Statements) {
        let mut names: BTreeMap<&str, Place> = BTreeMap::new();
        let mut named: BTreeMap<Device, Place> = BTreeMap::new();
        let mut learnt: BTreeMap<Device, (Option<MacAddr>, Place)> = BTreeMap::new();
        for statement in &statements.assets {
            let asset = &statement.asset;
            if let (Some(name), Some(place)) = (&asset.name, statement.name)
                && let Some(first) = names.insert(name, place)
            {
                let message =
                    format!("two assets are named {}; the first at {}", quoted(name), where_is(self.files, first));
                self.problem(place, message, None);
            }
            for (device, place) in asset.devices.iter().zip(&statement.places) {
                let text = match device {
                    Device::Address(address) => address.to_string(),
                    Device::Mac(mac) => mac.to_string(),
                };
                let first = if asset.name.is_some() {
                    named.insert(*device, *place)
                } else {
                    let before = learnt.insert(*device, (asset.mac, *place));
                    // Two sources may say the same of one device.
                    let contradicts = |(mac, at): &(Option<MacAddr>, Place)| {
                        at.file == place.file || (mac.is_some() && asset.mac.is_some() && *mac != asset.mac)
                    };
                    before.filter(contradicts).map(|(_, at)| at)
                };
                if let Some(first) = first {
                    let message = format!("{text} is of two assets; the first at {}", where_is(self.files, first));
                    self.problem(*place, message, None);
                }
            }
        }
    }

    fn detections(&mut self, statements: &Statements) {
        let mut names: BTreeMap<&str, Place> = BTreeMap::new();
        for detection in &statements.detections {
            let name = &detection.name;
            if let Some(first) = names.insert(&name.value, name.place) {
                let message =
                    format!("{} is set a second time; first at {}", quoted(&name.value), where_is(self.files, first));
                self.problem(name.place, message, None);
            }
        }
    }

    /// A network of servers has its fields of one size.
    fn field_sizes(&mut self, statements: &Statements) {
        let mut networks: BTreeMap<Network, Place> = BTreeMap::new();
        for server in statements.iec104.iter().flat_map(|statement| &statement.servers) {
            if let Some(first) = networks.insert(server.value, server.place) {
                let message =
                    format!("{} is said a second time; first at {}", server.value, where_is(self.files, first));
                self.problem(server.place, message, None);
            }
        }
    }

    fn suppressions(&mut self, statements: &Statements) {
        let is_name = |text: &str| statements.assets.iter().any(|asset| asset.asset.name.as_deref() == Some(text));
        for subject in statements.suppressions.iter().filter_map(|suppress| suppress.subject.as_ref()) {
            let text = &subject.value;
            if Network::from_text(text).is_err() && MacAddr::from_text(text).is_none() && !is_name(text) {
                let names: Vec<&str> =
                    statements.assets.iter().filter_map(|asset| asset.asset.name.as_deref()).take(20).collect();
                let mut expected = "an address, a MAC address, a network or an asset's name".to_owned();
                if !names.is_empty() {
                    expected.push_str(&format!(", {}", one_of(text, &names)));
                }
                self.problem(
                    subject.place,
                    format!("{} is nothing that findings are about", quoted(text)),
                    Some(expected),
                );
            }
        }
    }
}

/// What is no error, and yet seldom meant.
fn warnings(files: &[SourceFile], statements: &Statements) -> Vec<Problem> {
    let mut warnings = Problems::default();
    let mut warn = |place: Place, message: String| {
        if let Some(file) = files.get(usize::from(place.file)) {
            warnings.add(place.file, file.problem(place.start..place.end, message, None));
        }
    };
    for zone in &statements.zones {
        let name = zone.name.value.as_str();
        let ends = |conduit: &site::ConduitStatement| [conduit.from.value.clone(), conduit.to.value.clone()];
        let used = statements.conduits.iter().flat_map(ends).any(|end| end == name || end == ANY);
        if !used {
            warn(
                zone.name.place,
                format!("zone {} is in no conduit: whatever crosses its border is forbidden", quoted(name)),
            );
        }
    }
    for conduit in &statements.conduits {
        if conduit.from.value == conduit.to.value && conduit.from.value != ANY {
            warn(conduit.to.place, "this conduit has no effect: what stays in one zone needs none".to_owned());
        }
    }
    for suppress in &statements.suppressions {
        if suppress.until.is_none() {
            warn(suppress.place, "this suppression never ends: give it an \"until\"".to_owned());
        }
    }
    warnings.into_sorted()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Event;
    use crate::problem::PROBLEMS_MAX;
    use crate::rule::{Card, Finding, Interest, Rule, Scene, Setting, Text};

    struct Silent;

    impl Rule for Silent {
        fn interest(&self) -> Interest {
            Interest::TICK
        }
        fn observe(&mut self, _: &Event, _: Scene<'_>, _: &mut Vec<Finding>) {}
    }

    const NOTHING: Text = Text { en: "", ja: "" };
    static CARD: Card = Card {
        id: "OT-0001",
        name: "write_unusual",
        severity: Severity::High,
        attack: &[],
        serves: &[],
        what: NOTHING,
        why: NOTHING,
        benign: NOTHING,
        response: NOTHING,
        settings: &[Setting { name: "window_s", what: "", default: 60, min: 10, max: 600 }],
    };
    const CATALOG: &[Registration] = &[Registration { card: &CARD, build: |_, _| Box::new(Silent) }];

    fn load_files(files: &[(&str, &str)]) -> Result<Policy, Vec<Problem>> {
        let mut read = |name: &str| {
            let found = files.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
        };
        Policy::load("site.toml", &mut read, CATALOG)
    }

    fn load(text: &str) -> Result<Policy, Vec<Problem>> {
        load_files(&[("site.toml", &format!("schema = 1\n{text}"))])
    }

    /// The one problem of a text that is put below `schema = 1`.
    #[track_caller]
    fn problem(text: &str) -> Problem {
        let problems = load(text).expect_err("the text has a problem");
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems.into_iter().next().unwrap()
    }

    const FULL: &str = r#"schema = 1
site = "Pump station 4"
sensor = "pump-4"
include = ["baseline.toml"]
join_vlans = true
repeat_window_s = 300

[[zone]]
name = "control"
level = 2
networks = ["10.20.0.0/24"]

[[zone]]
name = "field"
level = 3.5
networks = ["10.20.1.0/24", "10.9.9.9", "2001:db8::/64"]

[[conduit]]
from = "control"
to = "field"
allow = [{ protocol = "modbus", verbs = ["read", "write"] }, { protocol = "tcp/443" }, { protocol = "icmp" }]

[[conduit]]
from = "any"
to = "outside"
allow = [{ protocol = "any" }]

[[asset]]
name = "HMI-1"
addresses = ["10.20.0.5", "00:80:f4:0a:11:09"]
mac = "00:80:f4:0a:11:02"
roles = ["hmi"]
owner = "Operations"
permitted_use = "Operating"
criticality = "high"
approval = "temporary"
until = 2026-12-31T00:00:00+09:00
note = "left of the door"

[[limit]]
server = "10.20.1.9"
unit = 1
space = "holding_register"
first = 40
last = 49
min = 0
max = 99.5

[detection.write_unusual]
severity = "critical"
enabled = false
window_s = 300

[[suppress]]
detection = "write_unusual"
subject = "10.20.0.77"
until = 2026-12-31T00:00:00Z
reason = "commissioning of the new RTU, change 4711"
"#;

    const BASELINE: &str = r#"schema = 1
assets = [
  { address = "10.20.0.5", mac = "00:80:f4:0a:11:02", roles = ["modbus_client"] },
]
conversations = [
  { client = "10.20.0.5", server = "10.20.1.9", protocol = "modbus" },
]
operations = [
  { client = "10.20.0.5", server = "10.20.1.9", protocol = "modbus", unit = 1, verb = "write", space = "holding_register", first = 40, last = 49 },
]
values = [
  { server = "10.20.1.9", protocol = "modbus", unit = 1, space = "holding_register", first = 40, last = 49, min = 0, max = 50 },
]
"#;

    #[test]
    fn a_full_site_file_is_read() {
        let policy = load_files(&[("site.toml", FULL), ("baseline.toml", BASELINE)]).unwrap();
        assert_eq!((policy.site.as_deref(), policy.sensor.as_deref()), (Some("Pump station 4"), Some("pump-4")));
        assert!(policy.join_vlans);
        assert_eq!(policy.norm.files, ["site.toml", "baseline.toml"]);
        assert_eq!(policy.files[1].text(), BASELINE);
        assert_eq!(policy.judge.repeat_window_ns, 300_000_000_000);
        assert_eq!(policy.judge.disabled, ["write_unusual"]);
        assert_eq!(policy.judge.severities["write_unusual"], Severity::Critical);
        assert_eq!(policy.judge.settings["write_unusual"].value(&CARD, "window_s"), 300);
        let [suppression] = &policy.judge.suppressions[..] else { panic!("one suppression") };
        assert_eq!(suppression.until, Some(Timestamp(1_798_675_200_000_000_000)));
        assert_eq!(suppression.subject.as_deref(), Some("10.20.0.77"));
        assert_eq!(policy.file_line_text(suppression.line), Some("[[suppress]]"));
        assert_eq!(policy.file_line_text(Line { file: 1, line: 1 }), Some("schema = 1"));
        assert_eq!(policy.file_line_text(Line { file: 2, line: 1 }), None);
        let asset = policy.norm.listed_asset("10.20.0.5".parse().ok(), None).unwrap();
        assert_eq!(policy.file_line_text(asset.line), Some("[[asset]]"));
        assert_eq!(asset.owner.as_deref(), Some("Operations"));
        assert_eq!(asset.permitted_use.as_deref(), Some("Operating"));
        assert_eq!(asset.note.as_deref(), Some("left of the door"));
        assert_eq!(policy.warnings, []);
    }

    #[test]
    fn both_files_speak_one_language() {
        let (_, rest) = BASELINE.split_once('\n').unwrap();
        let moved = load(rest).unwrap();
        assert!(moved.norm.has_baseline() && moved.norm.has_assets());
        let inline = load("assets = [{ name = \"A\", addresses = [\"10.0.0.1\"], owner = \"me\" }]").unwrap();
        let tables = load("[[asset]]\nname = \"A\"\naddress = \"10.0.0.1\"\nowner = \"me\"").unwrap();
        let asset = |policy: &Policy| policy.norm.listed_asset("10.0.0.1".parse().ok(), None).cloned().unwrap();
        assert_eq!(asset(&inline), asset(&tables));
        let facts = "[[operations]]\nclient = \"1.1.1.1\"\nserver = \"2.2.2.2\"\nprotocol = \"modbus\"\nunit = 1\nverb = \"read\"";
        assert!(load(facts).unwrap().norm.has_baseline());
    }

    #[test]
    fn no_file_is_a_policy_too() {
        let policy = Policy::default();
        assert!(
            !policy.join_vlans && policy.files.is_empty() && !policy.norm.has_assets() && !policy.norm.has_baseline()
        );
    }

    #[test]
    fn an_unknown_key_is_shown_with_its_line_and_what_was_expected() {
        let text = "[[asset]]\nname = \"A\"\nmac = \"00:80:f4:0a:11:02\"\nadress = [\"10.0.0.1\"]";
        assert_eq!(
            problem(text).to_string(),
            "site.toml:5:1: unknown key \"adress\" in [[asset]]; expected one of: name, address, addresses, mac, roles, \
             owner, permitted_use, criticality, approval, until, note; did you mean \"address\"?\n\
             adress = [\"10.0.0.1\"]\n^^^^^^"
        );
    }

    /// Text below `schema = 1`; line, column and length of the mark; the sentence.
    #[test]
    fn every_mistake_has_its_place() {
        let asset = |rest: &str| format!("[[asset]]\nname = \"A\"\naddress = \"10.0.0.1\"\n{rest}");
        let zone = |rest: &str| format!("[[zone]]\nname = \"z\"\n{rest}");
        let conduit = |rest: &str| format!("{}[[conduit]]\n{rest}", zone("networks = []\n"));
        let operation = |rest: &str| {
            format!(
                "operations = [\n{{ client = \"1.1.1.1\", server = \"2.2.2.2\", protocol = \"modbus\", verb = \"read\", {rest} }}]"
            )
        };
        let limit = |rest: &str| format!("[[limit]]\nserver = \"1.1.1.1\"\nspace = \"coil\"\nunit = 1\n{rest}");
        let suppress = |rest: &str| format!("[[suppress]]\n{rest}");
        let cases: Vec<(String, (u32, u32, u32), &str)> = vec![
            ("siet = 1".into(), (2, 1, 4), "unknown key \"siet\" in the file; expected one of: schema, site"),
            ("site = 5".into(), (2, 8, 1), "\"site\" must be a string, and is a whole number"),
            ("site = \" \"".into(), (2, 8, 3), "\"site\" is empty"),
            ("join_vlans = \"yes\"".into(), (2, 14, 5), "\"join_vlans\" must be true or false, and is a string"),
            ("repeat_window_s = 0".into(), (2, 19, 1), "out of range; expected 1 to 604800"),
            ("include = \"x\"".into(), (2, 11, 3), "\"include\" must be a list, and is a string"),
            (
                "zone = 5".into(),
                (2, 8, 1),
                "\"zone\" must be a list of tables, and is a whole number; expected [[zone]]",
            ),
            ("operations = [5]".into(), (2, 15, 1), "\"operations\" must be a list of tables"),
            // Zones.
            ("[[zone]]\nnetworks = []".into(), (2, 1, 8), "[[zone]] has no \"name\""),
            (zone(""), (2, 1, 8), "[[zone]] has no \"networks\""),
            (
                zone("level = 7\nnetworks = []"),
                (4, 9, 1),
                "not of the Purdue model; expected one of: 0, 1, 2, 3, 3.5, 4, 5",
            ),
            (
                zone("networks = [\"10.0.0.0/8\", \"10.0.0.5/24\"]"),
                (4, 27, 13),
                "bits of a host set; its network is \"10.0.0.0/24\"",
            ),
            (zone("networks = [\"10.0.0.256\"]"), (4, 13, 12), "no network and no address"),
            ("[[zone]]\nname = \"any\"\nnetworks = []".into(), (3, 8, 5), "no zone can be named \"any\""),
            (
                zone("networks = []\n[[zone]]\nname = \"z\"\nnetworks = []"),
                (6, 8, 3),
                "two zones are named \"z\"; the first at site.toml:3",
            ),
            (
                zone("networks = [\"10.0.0.0/8\"]\n[[zone]]\nname = \"y\"\nnetworks = [\"10.0.0.0/8\"]"),
                (7, 13, 12),
                "network 10.0.0.0/8 is of zone \"z\" at site.toml:4 and of zone \"y\" at site.toml:7",
            ),
            // Conduits.
            (
                conduit("from = \"zz\"\nto = \"z\"\nallow = []"),
                (6, 8, 4),
                "\"zz\" is no zone; expected one of: z, outside, any",
            ),
            (conduit("from = \"z\"\nallow = []"), (5, 1, 11), "[[conduit]] has no \"to\""),
            (conduit("from = \"z\"\nto = \"any\""), (5, 1, 11), "[[conduit]] has no \"allow\""),
            (conduit("from = \"z\"\nto = \"any\"\nallow = [\"modbus\"]"), (8, 10, 8), "must be a list of tables"),
            (
                conduit("from = \"z\"\nto = \"any\"\nallow = [{ verbs = [\"read\"] }]"),
                (8, 10, 20),
                "allow has no \"protocol\"",
            ),
            (
                conduit("from = \"z\"\nto = \"any\"\nallow = [{ protocol = \"modbuss\" }]"),
                (8, 23, 9),
                "\"modbuss\" is no protocol; expected one of: modbus",
            ),
            (
                conduit("from = \"z\"\nto = \"any\"\nallow = [{ protocol = \"modbus\", verbs = [\"raed\"] }]"),
                (8, 42, 6),
                "\"raed\" is no verb",
            ),
            (
                conduit("from = \"z\"\nto = \"any\"\nallow = [{ protocol = \"tcp/443\", verbs = [\"read\"] }]"),
                (8, 42, 8),
                "verbs are known only of protocols that are read",
            ),
            (
                conduit("from = \"z\"\nto = \"any\"\nallow = [{ protocol = \"any\", verbs = [] }]"),
                (8, 38, 2),
                "nothing would be allowed",
            ),
            // Assets.
            ("[[asset]]\naddress = \"10.0.0.1\"".into(), (2, 1, 9), "[[asset]] has no \"name\""),
            ("[[asset]]\nname = \"A\"".into(), (2, 1, 9), "[[asset]] has no address; expected \"addresses\""),
            ("assets = [{ address = \"10.0.0\" }]".into(), (2, 23, 8), "\"10.0.0\" is no address"),
            ("assets = [{ address = \"0.0.0.0\" }]".into(), (2, 23, 9), "no device's own address"),
            ("assets = [{ address = \"224.0.0.1\" }]".into(), (2, 23, 11), "no device's own address"),
            ("assets = [{ address = \"ff:ff:ff:ff:ff:ff\" }]".into(), (2, 23, 19), "no device's MAC address"),
            (asset("mac = \"00:80:f4\""), (5, 7, 10), "no device's MAC address"),
            (asset("approval = \"aproved\""), (5, 12, 9), "did you mean \"approved\"?"),
            (asset("approval = \"temporary\""), (5, 12, 11), "\"temporary\" needs an end"),
            (asset("until = 2026-01-01T00:00:00Z"), (5, 9, 20), "goes with a temporary approval only"),
            (
                asset("approval = \"temporary\"\nuntil = 2026-01-01T00:00:00"),
                (6, 9, 19),
                "no point in time since 1970; expected a date and time with its zone",
            ),
            (
                asset("approval = \"temporary\"\nuntil = \"tomorrow\""),
                (6, 9, 10),
                "\"until\" must be a time, and is a string",
            ),
            (
                asset("[[asset]]\nname = \"A\"\naddress = \"10.0.0.2\""),
                (6, 8, 3),
                "two assets are named \"A\"; the first at site.toml:3",
            ),
            (
                asset("[[asset]]\nname = \"B\"\naddress = \"10.0.0.1\""),
                (7, 11, 10),
                "10.0.0.1 is of two assets; the first at site.toml:4",
            ),
            (
                "assets = [{ address = \"10.0.0.1\" }, { address = \"10.0.0.1\" }]".into(),
                (2, 49, 10),
                "10.0.0.1 is of two assets; the first at site.toml:2",
            ),
            // Facts.
            (operation("unit = 1, code = 70000"), (3, 96, 5), "\"code\" is out of range; expected 0 to 65535"),
            (operation("unit = -1"), (3, 86, 2), "\"unit\" is out of range"),
            (operation("unit = 1, sub = 3"), (3, 95, 1), "\"sub\" is a second code"),
            (
                operation("unit = 1, space = \"coil\", first = 9, last = 3"),
                (3, 113, 1),
                "\"first\" (9) is above \"last\" (3)",
            ),
            (operation("unit = 1, space = \"coil\", first = 9"), (3, 1, 115), "[[operations]] has no \"last\""),
            (operation("unit = 1, first = 1, last = 2"), (3, 1, 109), "has addresses without a space"),
            (operation("code = 3"), (3, 1, 88), "[[operations]] has no \"unit\""),
            (
                "conversations = [\n{ client = \"1.1.1.1\", server = \"2.2.2.2\", protocol = \"icmp\" },\n\
                 { client = \"1.1.1.1\", server = \"2.2.2.2\", protocol = \"icmp\" }]"
                    .into(),
                (4, 1, 61),
                "[[conversations]] says the same twice in this file",
            ),
            (
                "conversations = [{ client = \"1.1.1.1\", server = \"2.2.2.2\", protocol = \"tcp/99999\" }]".into(),
                (2, 71, 11),
                "\"tcp/99999\" is no protocol",
            ),
            (limit("first = 1\nlast = 2\nmin = 5\nmax = 4"), (8, 7, 1), "\"min\" (5) is above \"max\" (4)"),
            (limit("first = 1\nlast = 2\nmin = nan\nmax = 4"), (8, 7, 3), "\"min\" is no finite number"),
            (limit("first = 1\nlast = 2\nmin = 0"), (2, 1, 9), "[[limit]] has no \"max\""),
            (limit("first = 4294967296\nlast = 2\nmin = 0\nmax = 1"), (6, 9, 10), "expected 0 to 4294967295"),
            // Sizes of fields.
            ("[[iec104]]\ncommon_address_octets = 1".into(), (2, 1, 10), "[[iec104]] has no \"servers\""),
            (
                "[[iec104]]\nservers = [\"10.0.0.9\"]".into(),
                (2, 1, 10),
                "[[iec104]] says no sizes; expected one of: cause_of_transmission_octets, common_address_octets",
            ),
            (
                "[[iec104]]\nservers = [\"10.0.0.9\"]\ninformation_object_address_octets = 4".into(),
                (4, 37, 1),
                "\"information_object_address_octets\" is out of range; expected 1 to 3",
            ),
            (
                "[[iec104]]\nservers = [\"10.0.0.9\"]\ncause_of_transmission_octets = 0".into(),
                (4, 32, 1),
                "out of range; expected 1 to 2",
            ),
            (
                "[[iec104]]\nservers = [\"rtu\"]\ncommon_address_octets = 1".into(),
                (3, 12, 5),
                "\"rtu\" is no network and no address",
            ),
            (
                "[[iec104]]\nservers = [\"10.0.0.9\", \"10.0.0.9\"]\ncommon_address_octets = 1".into(),
                (3, 24, 10),
                "10.0.0.9/32 is said a second time; first at site.toml:3",
            ),
            // Detections.
            (
                "[detection.write_unusal]".into(),
                (2, 12, 12),
                "\"write_unusal\" is no detection; expected one of: write_unusual; did you",
            ),
            (
                "[detection.write_unusual]\nwindow = 5".into(),
                (3, 1, 6),
                "unknown key \"window\" in [detection.write_unusual]; expected one of: severity, enabled, window_s",
            ),
            (
                "[detection.write_unusual]\nwindow_s = 5".into(),
                (3, 12, 1),
                "\"window_s\" is out of range; expected 10 to 600",
            ),
            (
                "[detection.write_unusual]\nwindow_s = 60.0".into(),
                (3, 12, 4),
                "must be a whole number, and is a number with a fraction",
            ),
            (
                "[detection.write_unusual]\nseverity = \"hgih\"".into(),
                (3, 12, 6),
                "\"hgih\" is no severity; expected one of: info",
            ),
            ("[detection.write_unusual]\nenabled = 1".into(), (3, 11, 1), "\"enabled\" must be true or false"),
            ("detection = 1".into(), (2, 13, 1), "\"detection\" must be a table"),
            // Suppressions.
            (suppress("subject = \"10.0.0.0/8\""), (2, 1, 12), "[[suppress]] has no \"reason\""),
            (suppress("subject = \"10.0.0.0/8\"\nreason = \"\""), (4, 10, 2), "\"reason\" is empty"),
            (suppress("reason = \"x\""), (2, 1, 12), "would suppress everything"),
            (suppress("detection = \"no\"\nreason = \"x\""), (3, 13, 4), "\"no\" is no detection"),
            (suppress("subject = \"HMI\"\nreason = \"x\""), (3, 11, 5), "\"HMI\" is nothing that findings are about"),
        ];
        for (text, (line, column, mark_len), sentence) in cases {
            let problem = problem(&text);
            let place = (problem.line, problem.column, problem.mark_len);
            assert_eq!(place, (line, column, mark_len), "{text}\n{problem}");
            assert!(problem.one_line().contains(sentence), "{text}\n{problem}\n{sentence}");
        }
    }

    #[test]
    fn the_schema_must_be_known() {
        let place = |text| {
            let problems = load_files(&[("site.toml", text)]).unwrap_err();
            (problems[0].line, problems[0].column, problems[0].one_line())
        };
        assert_eq!(
            place("site = \"x\"\n"),
            (1, 1, "site.toml:1:1: the file has no \"schema\"; expected schema = 1".into())
        );
        assert_eq!(
            place("\nschema = 2\n"),
            (2, 10, "site.toml:2:10: this schema is not known; expected schema = 1".into())
        );
    }

    #[test]
    fn broken_text_is_a_problem_with_its_place() {
        let problem = problem("site = \n");
        assert_eq!((problem.line, problem.file.as_str()), (2, "site.toml"));
        let twice = load("site = \"a\"\nsite = \"b\"\n").unwrap_err();
        assert_eq!((twice.len(), twice[0].line, twice[0].message.as_str()), (1, 3, "duplicate key"));
    }

    #[test]
    fn all_problems_are_told_in_their_order_up_to_a_bound() {
        let problems = load("suppress = [{}]\nzone = [{}]\nbad = 1\n").unwrap_err();
        let lines: Vec<u32> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [2, 2, 3, 3, 4], "{problems:#?}");
        let many = "assets = [\n".to_owned() + &"{ address = \"x\" },\n".repeat(50) + "]";
        let problems = load(&many).unwrap_err();
        assert_eq!(problems.len(), PROBLEMS_MAX);
        assert_eq!(problems.first().map(|problem| problem.line), Some(3));
    }

    #[test]
    fn text_of_the_file_cannot_reach_the_terminal() {
        let problem = problem("\"\\u001b[31m\" = 1 # \u{9b}2J");
        assert!(problem.message.contains("\\u{1b}[31m"), "{problem}");
        assert!(!problem.to_string().chars().any(|c| c.is_control() && c != '\n'), "{problem:?}");
    }

    #[test]
    fn includes_are_relative_to_their_file() {
        let files = [
            ("etc/site.toml", "schema = 1\ninclude = [\"./a.toml\", \"sub/b.toml\", \"/abs/c.toml\"]\n"),
            ("etc/a.toml", "schema = 1\n"),
            ("etc/sub/b.toml", "schema = 1\ninclude = [\"d.toml\"]\nsite = \"from b\"\n"),
            ("etc/sub/d.toml", "schema = 1\n"),
            ("/abs/c.toml", "schema = 1\n"),
        ];
        let mut read = |name: &str| {
            let found = files.iter().find(|(known, _)| *known == name);
            found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
        };
        let policy = Policy::load("etc/site.toml", &mut read, CATALOG).unwrap();
        assert_eq!(
            policy.norm.files,
            ["etc/site.toml", "etc/a.toml", "etc/sub/b.toml", "etc/sub/d.toml", "/abs/c.toml"]
        );
        assert_eq!(policy.site.as_deref(), Some("from b"));
    }

    #[test]
    fn includes_that_cannot_be_read_are_problems_where_they_are_named() {
        let problem = problem("include = [\"no\\u0007ne.toml\"]\n");
        assert_eq!((problem.line, problem.column), (2, 12));
        assert_eq!(problem.message, "cannot read \"no\\u{7}ne.toml\": no such file");
        let root = load_files(&[]).unwrap_err();
        assert_eq!(root[0].to_string(), "site.toml: cannot read \"site.toml\": no such file");
    }

    #[test]
    fn includes_make_no_circle_and_no_second_visit() {
        let circle = load_files(&[
            ("site.toml", "schema = 1\ninclude = [\"a.toml\"]\n"),
            ("a.toml", "schema = 1\ninclude = [\"site.toml\"]\n"),
        ])
        .unwrap_err();
        assert_eq!(
            circle[0].one_line(),
            "a.toml:2:12: files include each other in a circle: \"site.toml\" -> \"a.toml\" -> \"site.toml\""
        );
        let twice =
            load_files(&[("site.toml", "schema = 1\ninclude = [\"a.toml\", \"a.toml\"]\n"), ("a.toml", "schema = 1")]);
        assert_eq!(twice.unwrap_err()[0].one_line(), "site.toml:2:22: \"a.toml\" is included a second time");
    }

    #[test]
    fn includes_are_bounded_in_depth_and_number() {
        let load_chain = |depth: usize| {
            let mut read = |name: &str| {
                let number = name.trim_end_matches(".toml").parse::<usize>().unwrap_or(0);
                let next = if number < depth { format!("include = [\"{}.toml\"]", number + 1) } else { String::new() };
                Ok(format!("schema = 1\n{next}\n"))
            };
            Policy::load("0.toml", &mut read, CATALOG)
        };
        assert_eq!(load_chain(4).unwrap().files.len(), 5);
        assert_eq!(load_chain(5).unwrap_err()[0].one_line(), "4.toml:2:12: includes are deeper than 4");
        let load_wide = |count: usize| {
            let names: Vec<String> = (1..=count).map(|number| format!("\"{number}.toml\"")).collect();
            let root = format!("schema = 1\ninclude = [{}]\n", names.join(", "));
            let mut read = |name: &str| Ok(if name == "site.toml" { root.clone() } else { "schema = 1".to_owned() });
            Policy::load("site.toml", &mut read, CATALOG)
        };
        assert_eq!(load_wide(31).unwrap().files.len(), 32);
        assert_eq!(load_wide(32).unwrap_err()[0].message, "there are more than 32 files");
    }

    #[test]
    fn two_files_may_agree_and_not_contradict() {
        let with = |root: &str, other: &str| {
            let root = format!("schema = 1\ninclude = [\"b.toml\"]\n{root}");
            load_files(&[("site.toml", &root), ("b.toml", &format!("schema = 1\n{other}"))])
        };
        let fact = "conversations = [{ client = \"1.1.1.1\", server = \"2.2.2.2\", protocol = \"icmp\" }]\n";
        assert!(with(fact, fact).is_ok());
        let asset = "assets = [{ address = \"10.0.0.1\", mac = \"00:80:f4:0a:11:02\" }]\n";
        assert!(with(asset, asset).is_ok());
        let other = with(asset, "assets = [{ address = \"10.0.0.1\", mac = \"00:80:f4:0a:11:03\" }]\n").unwrap_err();
        assert_eq!(other[0].one_line(), "b.toml:2:23: 10.0.0.1 is of two assets; the first at site.toml:3");
        let site = with("site = \"a\"", "site = \"b\"").unwrap_err();
        assert_eq!(site[0].one_line(), "b.toml:2:8: \"site\" is said a second time; first at site.toml:3");
        let detection = with("[detection.write_unusual]", "[detection.write_unusual]").unwrap_err();
        assert_eq!(
            detection[0].one_line(),
            "b.toml:2:12: \"write_unusual\" is set a second time; first at site.toml:3"
        );
    }

    #[test]
    fn what_is_odd_is_a_warning() {
        let text = "[[zone]]\nname = \"a\"\nnetworks = [\"10.0.0.0/8\"]\n\
                    [[zone]]\nname = \"b\"\nnetworks = [\"11.0.0.0/8\"]\n\
                    [[conduit]]\nfrom = \"a\"\nto = \"a\"\nallow = []\n\
                    [[suppress]]\nsubject = \"10.0.0.1\"\nreason = \"x\"\n";
        let warnings = load(text).unwrap().warnings;
        let shown: Vec<(u32, &str)> = warnings.iter().map(|warning| (warning.line, warning.message.as_str())).collect();
        assert_eq!(
            shown,
            [
                (6, "zone \"b\" is in no conduit: whatever crosses its border is forbidden"),
                (10, "this conduit has no effect: what stays in one zone needs none"),
                (12, "this suppression never ends: give it an \"until\""),
            ]
        );
    }

    #[test]
    fn zones_are_bounded() {
        let zones = |count: u32| {
            let zone = |number| format!("[[zone]]\nname = \"z{number}\"\nnetworks = []\n");
            load(&(0..count).map(zone).collect::<String>())
        };
        assert!(zones(128).is_ok());
        assert_eq!(zones(129).unwrap_err()[0].message, "there are more than 128 zones");
    }
}
