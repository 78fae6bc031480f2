//! What the proofs share: cases to look at, runs in process, and the same bytes that the program writes.

use fixtures::story::{Capture, TimedFrame};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use yagura::capture::error::Error;
use yagura::capture::source::{Fill, FrameSource, Progress};
use yagura::pipeline::{self, Pace};
use yagura::record::Language;
use yagura::record::alert::{AlertRecord, Source};
use yagura::record::asset::AssetRecord;
use yagura::record::text::Names;
use yagura::record::totals::{SummaryRecord, Totals};
use yagura_core::analyzer::{Analyzer, Report, Setup};
use yagura_core::counters::Counters;
use yagura_core::frame::{FrameBatch, FrameHead};
use yagura_core::limits::Limits;
use yagura_parsers::packet::link::LinkType;
use yagura_rules::alert::Alert;
use yagura_rules::detections::CATALOG;
use yagura_rules::facts::event::{EventKind, FrameRef};
use yagura_rules::facts::time::Timestamp;
use yagura_rules::policy::Policy;

/// Detections that may be heard because the sensor saw less, more or other than was sent: they say so, and accuse nobody.
pub const CONFESSIONS: [&str; 3] = ["capture_limit", "stream_conflict", "fragment_conflict"];

/// A capture, and by what it is judged.
#[derive(Clone)]
pub struct Case {
    /// The scenario's or recording's name.
    pub name: String,
    /// The frames.
    pub capture: Capture,
    /// The site file's text.
    pub site: Option<&'static str>,
    /// The baseline's text, learnt from the clean part.
    pub baseline: Option<String>,
}

impl Case {
    /// What is judged by.
    pub fn policy(&self) -> Policy {
        policy(self.site, self.baseline.as_deref())
    }

    /// A setup with this case's policy.
    pub fn setup(&self) -> Setup {
        Setup { policy: self.policy(), seed: 1, ..Setup::default() }
    }
}

/// Every scenario, with the baseline that belongs to it.
pub fn scenarios() -> Vec<Case> {
    static ALL: OnceLock<Vec<Case>> = OnceLock::new();
    let make = || {
        let all = fixtures::scenarios::all().into_iter();
        all.map(|scenario| {
            let clean = scenario.baseline_from.map(|count| first(&scenario.capture, count));
            let baseline = clean.map(|clean| learn(&clean, scenario.site));
            Case { name: scenario.name.to_owned(), capture: scenario.capture, site: scenario.site, baseline }
        })
        .collect()
    };
    ALL.get_or_init(make).clone()
}

/// Every recording of real stacks; those of whole plants with a baseline from their first half.
pub fn recorded() -> Vec<Case> {
    static ALL: OnceLock<Vec<Case>> = OnceLock::new();
    let make = || {
        let folder = fixtures::recorded_folder();
        let paths = fixtures::all_captures().expect("the fixtures are there");
        let paths = paths.into_iter().filter(|path| path.starts_with(&folder));
        paths
            .map(|path| {
                let name = path.parent().and_then(Path::file_name).expect("a capture is in a folder of its own");
                let name = name.to_string_lossy().into_owned();
                let capture = read(&path);
                let half = first(&capture, capture.frames.len() / 2);
                let is_plant = matches!(name.as_str(), "pymodbus-plant" | "c104-substation" | "opendnp3-feeders");
                let baseline = is_plant.then(|| learn(&half, None));
                Case { name, capture, site: None, baseline }
            })
            .collect()
    };
    ALL.get_or_init(make).clone()
}

/// Scenarios and recordings.
pub fn cases() -> Vec<Case> {
    [scenarios(), recorded()].concat()
}

/// The first frames of a capture.
pub fn first(capture: &Capture, count: usize) -> Capture {
    let frames = capture.frames.iter().take(count).cloned().collect();
    Capture { frames, link_type: capture.link_type }
}

/// Reads a capture file as the program does; all frames must be of one link type.
///
/// # Panics
/// When it cannot be read to its end.
pub fn read(path: &Path) -> Capture {
    let mut source = yagura::capture::open(&[path.to_owned()], yagura::capture::Extent::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let mut capture = Capture { frames: Vec::new(), link_type: 1 };
    let mut batch = FrameBatch::default();
    while source.fill(&mut batch, 512).unwrap_or_else(|error| panic!("{error}")) == Fill::Frames {
        for frame in batch.iter() {
            capture.link_type = u32::from(frame.head.link.0);
            capture.frames.push(TimedFrame { time_ns: frame.head.time.0, octets: frame.octets.to_vec() });
        }
    }
    capture
}

/// Site file and baseline, checked and compiled.
///
/// # Panics
/// When one of them is wrong: with every problem.
pub fn policy(site: Option<&str>, baseline: Option<&str>) -> Policy {
    let given: Vec<(&str, &str)> = [("site.toml", site), ("baseline.toml", baseline)]
        .into_iter()
        .filter_map(|(name, text)| text.map(|text| (name, text)))
        .collect();
    let names: Vec<String> = given.iter().map(|(name, _)| format!("{name:?}")).collect();
    if names.is_empty() {
        return Policy::default();
    }
    let root = format!("schema = 1\ninclude = [{}]\n", names.join(", "));
    let mut read = |name: &str| {
        let text = given.iter().find(|(given, _)| *given == name).map(|(_, text)| (*text).to_owned());
        if name == "root.toml" { Ok(root.clone()) } else { text.ok_or_else(|| format!("{name} is not there")) }
    };
    Policy::load("root.toml", &mut read, CATALOG).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(|problem| problem.one_line()).collect::<Vec<_>>().join("\n"))
    })
}

/// The baseline that a capture teaches, as text.
pub fn learn(capture: &Capture, site: Option<&str>) -> String {
    let setup = Setup { policy: policy(site, None), learn: true, seed: 1, ..Setup::default() };
    run(setup, capture).report.learnt.expect("it was asked for").to_toml()
}

/// What came of a run.
#[derive(Default)]
pub struct Run {
    /// The alerts.
    pub alerts: Vec<Alert>,
    /// What the analyzer knows at its end.
    pub report: Report,
    /// By what it was judged.
    pub policy: Policy,
}

impl Run {
    /// The alerts as the program writes them, one line each.
    pub fn alert_lines(&self) -> Vec<String> {
        let captures = CAPTURES.map(str::to_owned);
        let names = Names { norm: &self.policy.norm, assets: None, captures: &captures };
        let (sensor, site) = (self.policy.sensor.as_deref(), self.policy.site.as_deref());
        let source = Source { names, language: Language::Both, sensor, site };
        self.alerts.iter().map(|alert| AlertRecord::line(alert, &source)).collect()
    }

    /// The devices as the program writes them, one line each.
    pub fn asset_lines(&self) -> Vec<String> {
        let captures = CAPTURES.map(str::to_owned);
        let names = Names { norm: &self.policy.norm, assets: Some(&self.report.assets), captures: &captures };
        self.report.assets.values().map(|asset| AssetRecord::line(asset, &names)).collect()
    }

    /// All that the program writes of a run, and every counter.
    pub fn text(&self) -> String {
        self.text_with(&self.report.counters)
    }

    /// As [`Run::text`], but for the counters that tell how much work was saved.
    pub fn text_but_savings(&self) -> String {
        self.text_with(&Counters { events: 0, settled: 0, ..self.report.counters.clone() })
    }

    fn text_with(&self, counters: &Counters) -> String {
        let totals = Totals::new(counters, self.report.assets.len(), 0);
        let mut lines = self.alert_lines();
        lines.extend(self.asset_lines());
        lines.push(SummaryRecord::new(totals, None).line());
        lines.push(format!("{counters:?}"));
        lines.join("\n")
    }

    /// The names of the detections that were heard.
    pub fn kinds(&self) -> BTreeSet<&'static str> {
        self.alerts.iter().map(|alert| alert.card.name).collect()
    }
}

/// The names that captures have in records, by their number.
const CAPTURES: [&str; 2] = ["a.pcap", "b.pcap"];

/// The head of a frame that was captured whole; `number` counts from 1.
pub fn head(number: u64, time_ns: u64, link_type: u32, octets: &[u8]) -> FrameHead {
    let octets = u32::try_from(octets.len()).expect("a frame is short");
    FrameHead {
        origin: FrameRef { capture: 0, frame: number },
        time: Timestamp(time_ns),
        link: LinkType(u16::try_from(link_type).expect("link types have 16 bits")),
        wire_octets: octets,
        start: 0,
        captured_octets: octets,
    }
}

/// Runs an analyzer over the frames of a capture, in batches of 256.
pub fn run(setup: Setup, capture: &Capture) -> Run {
    run_heads(setup, &heads(capture), 256)
}

/// A frame with its head, ready for a batch.
pub type Headed = (FrameHead, Vec<u8>);

/// The frames of a capture with their heads.
pub fn heads(capture: &Capture) -> Vec<Headed> {
    let frames = capture.frames.iter().zip(1..);
    frames
        .map(|(frame, number)| (head(number, frame.time_ns, capture.link_type, &frame.octets), frame.octets.clone()))
        .collect()
}

/// Runs an analyzer over frames with their heads, in batches of so many.
pub fn run_heads(setup: Setup, frames: &[Headed], batch_frames: usize) -> Run {
    let policy = setup.policy.clone();
    let mut analyzer = Analyzer::new(setup);
    let mut alerts = Vec::new();
    push(&mut analyzer, frames, batch_frames, &mut alerts);
    analyzer.finish(&mut alerts);
    Run { alerts, report: analyzer.into_report(), policy }
}

/// Pushes frames into an analyzer, in batches of so many.
pub fn push(analyzer: &mut Analyzer, frames: &[Headed], batch_frames: usize, alerts: &mut Vec<Alert>) {
    let mut batch = FrameBatch::default();
    for chunk in frames.chunks(batch_frames.max(1)) {
        batch.clear();
        for (head, octets) in chunk {
            batch.push(*head, octets);
        }
        analyzer.push_batch(&batch, alerts);
    }
}

/// Runs the program's pipeline over frames with their heads.
pub fn run_pipeline(setup: Setup, frames: &[Headed], pace: Pace) -> Run {
    let policy = setup.policy.clone();
    let mut alerts = Vec::new();
    let mut source = Frames { frames, at: 0 };
    let (report, damage) =
        pipeline::analyze(setup, &mut source, pace, &mut |found| alerts.extend(found), &mut |_: &dyn FrameSource| {});
    assert!(damage.is_empty(), "frames in memory have no damage");
    Run { alerts, report, policy }
}

/// What a live capture gives, in its order.
#[derive(Clone)]
pub enum Given {
    /// Frames.
    Frames(Vec<Headed>),
    /// A silent second: the capture's clock.
    Heartbeat(Timestamp),
    /// Something beside the frames.
    Fact(EventKind),
}

/// Runs an analyzer over what a live capture gives.
pub fn run_given(setup: Setup, given: &[Given]) -> Run {
    let policy = setup.policy.clone();
    let mut analyzer = Analyzer::new(setup);
    let mut alerts = Vec::new();
    for one in given {
        match one {
            Given::Frames(frames) => push(&mut analyzer, frames, 256, &mut alerts),
            Given::Heartbeat(now) => analyzer.heartbeat(*now, &mut alerts),
            Given::Fact(kind) => analyzer.tell(kind.clone(), &mut alerts),
        }
    }
    analyzer.finish(&mut alerts);
    Run { alerts, report: analyzer.into_report(), policy }
}

/// Runs the program's pipeline over what a live capture gives.
pub fn run_given_pipeline(setup: Setup, given: &[Given], pace: Pace) -> Run {
    let policy = setup.policy.clone();
    let mut alerts = Vec::new();
    let mut source = Live { given, at: 0, within: 0 };
    let (report, damage) =
        pipeline::analyze(setup, &mut source, pace, &mut |found| alerts.extend(found), &mut |_: &dyn FrameSource| {});
    assert!(damage.is_empty(), "frames in memory have no damage");
    Run { alerts, report, policy }
}

/// What a live capture gives, as a source.
struct Live<'a> {
    given: &'a [Given],
    at: usize,
    within: usize,
}

impl FrameSource for Live<'_> {
    fn fill(&mut self, batch: &mut FrameBatch, frames_max: usize) -> Result<Fill, Error> {
        batch.clear();
        loop {
            let Some(given) = self.given.get(self.at) else { return Ok(Fill::End) };
            if let Given::Frames(frames) = given {
                for (head, octets) in frames.iter().skip(self.within).take(frames_max.max(1)) {
                    batch.push(*head, octets);
                }
                self.within += batch.frames.len();
                if !batch.frames.is_empty() {
                    return Ok(Fill::Frames);
                }
            }
            (self.at, self.within) = (self.at + 1, 0);
            match given {
                Given::Frames(_) => {}
                Given::Heartbeat(now) => return Ok(Fill::Heartbeat(*now)),
                Given::Fact(kind) => return Ok(Fill::Fact(kind.clone())),
            }
        }
    }

    fn progress(&self) -> Option<Progress> {
        None
    }

    fn frames_without_time(&self) -> u64 {
        0
    }
}

/// Frames in memory, as a source.
struct Frames<'a> {
    frames: &'a [Headed],
    at: usize,
}

impl FrameSource for Frames<'_> {
    fn fill(&mut self, batch: &mut FrameBatch, frames_max: usize) -> Result<Fill, Error> {
        batch.clear();
        for (head, octets) in self.frames.iter().skip(self.at).take(frames_max.max(1)) {
            batch.push(*head, octets);
        }
        self.at += batch.frames.len();
        Ok(if batch.frames.is_empty() { Fill::End } else { Fill::Frames })
    }

    fn progress(&self) -> Option<Progress> {
        None
    }

    fn frames_without_time(&self) -> u64 {
        0
    }
}

/// Limits so small that every bound bites in a short capture.
pub fn tiny_limits() -> Limits {
    Limits {
        flows_max: 32,
        stream_octets_max: 300,
        stream_segments_max: 2,
        streams_octets_max: 4_096,
        history_octets: 32,
        probe_segments_max: 3,
        probe_octets_max: 256,
        fragments_datagrams_max: 2,
        fragments_octets_max: 256,
        fragments_each_max: 4,
        outstanding_max: 2,
        settled_max: 2,
        points_octets_max: 4_096,
        commands_max: 2,
        assets_max: 6,
        asset_claims_max: 2,
        ports_max: 2,
        rule_memory_max: 4,
        learnt_max: 10,
        ..Limits::default()
    }
}

/// Does something for every item, on as many threads as there are cores; a panic in one is a panic here.
pub fn for_each<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    map(items, |item| work(item));
}

/// Makes something of every item, on as many threads as there are cores, in their order.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let hands = std::thread::available_parallelism().map_or(1, usize::from);
    let mut made: BTreeMap<usize, R> = BTreeMap::new();
    std::thread::scope(|scope| {
        let at_work = || {
            let mut mine = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(at) else { return mine };
                mine.push((at, work(item)));
            }
        };
        let threads: Vec<_> = (0..hands).map(|_| scope.spawn(at_work)).collect();
        for thread in threads {
            match thread.join() {
                Ok(mine) => made.extend(mine),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    made.into_values().collect()
}

/// The program: what `YAGURA_BIN` names, or what lies beside the tests, built where it does not.
///
/// # Panics
/// When it is not there and cannot be built.
pub fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(find_binary).clone()
}

fn find_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("YAGURA_BIN") {
        return PathBuf::from(path);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // The tests lie in target/<profile>/deps, the program in target/<profile>.
    let tests = std::env::current_exe().expect("a test knows where it is");
    let folder = tests.ancestors().nth(2).expect("tests lie in the folder of the build").to_owned();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(root).args(["build", "--quiet", "--package", "yagura"]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    if let Some(target) = folder.parent() {
        build.arg("--target-dir").arg(target);
    }
    let built = build.status().expect("cargo runs");
    assert!(built.success(), "the program could not be built: run `cargo build --package yagura`, or set YAGURA_BIN");
    folder.join(format!("yagura{}", std::env::consts::EXE_SUFFIX))
}
