//! Captures and operator's files opened, and worked through, with a progress bar on a terminal.

use super::{Failure, say, shown_path};
use crate::capture::error::Error;
use crate::capture::source::{Fill, FrameSource, Progress};
use crate::capture::{self, Captures, Extent};
use crate::pipeline::{self, Pace};
use crate::record::Language;
use crate::record::alert::Source;
use crate::record::run::FileShape;
use crate::record::text::Names;
use crate::record::write::line;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use yagura_core::analyzer::{Report, Setup};
use yagura_core::frame::FrameBatch;
use yagura_rules::alert::Alert;
use yagura_rules::detections::CATALOG;
use yagura_rules::facts::asset::{Asset, AssetKey};
use yagura_rules::policy::Policy;
use yagura_rules::problem::Problem;

/// The name under which a site file and a baseline that are given apart are put together.
const ARGUMENTS: &str = "(arguments)";

/// What is judged, and by what.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The captures, in the order of the arguments.
    pub captures: Vec<PathBuf>,
    /// How far they are read.
    pub extent: Extent,
    /// The site file.
    pub site: Option<PathBuf>,
    /// The baseline.
    pub baseline: Option<PathBuf>,
}

impl Inputs {
    /// The captures' paths as records have them.
    pub fn capture_names(&self) -> Vec<String> {
        self.captures.iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    /// Reads site file and baseline with what they include. Warnings are said on standard error.
    ///
    /// # Errors
    /// [`Failure::World`] with the first problem in one line.
    pub fn policy(&self) -> Result<Policy, Failure> {
        let given: Vec<&Path> = [&self.site, &self.baseline].into_iter().flatten().map(PathBuf::as_path).collect();
        if given.is_empty() {
            return Ok(Policy::default());
        }
        let names = given.iter().map(|path| name_of(path)).collect::<Result<Vec<_>, _>>()?;
        for path in &given {
            super::read_text(path)?;
        }
        let policy = match names.as_slice() {
            [one] => Policy::load(one, &mut read, CATALOG),
            several => {
                let list: Vec<String> = several.iter().map(line).collect();
                let root = format!("schema = 1\ninclude = [{}]\n", list.join(", "));
                let mut read_all = |name: &str| if name == ARGUMENTS { Ok(root.clone()) } else { read(name) };
                Policy::load(ARGUMENTS, &mut read_all, CATALOG)
            }
        }
        .map_err(|problems| Failure::World(in_one_line(&problems)))?;
        for warning in &policy.warnings {
            say(&format!("yagura: warning: {}\n", warning.one_line()));
        }
        Ok(policy)
    }
}

/// Problems as one line: the first, and how many more there are.
fn in_one_line(problems: &[Problem]) -> String {
    let first = problems.first().map(Problem::one_line).unwrap_or_default();
    match problems.len() {
        0 | 1 => first,
        2 => format!("{first} (and one problem more: see `yagura check`)"),
        many => format!("{first} (and {} problems more: see `yagura check`)", many.saturating_sub(1)),
    }
}

/// Reads one of the operator's files by its name.
///
/// # Errors
/// Why it cannot be read, in a few words.
pub fn read(name: &str) -> Result<String, String> {
    std::fs::read_to_string(name).map_err(|error| error.to_string())
}

/// A path as text: what operators' files call each other by.
///
/// # Errors
/// [`Failure::World`] where it is none.
pub fn name_of(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| Failure::World(format!("{}: the path is no UTF-8; rename the file", shown_path(path))))
}

/// The digests of a policy's files.
pub fn digests(policy: &Policy) -> Vec<FileShape> {
    let own = policy.files.iter().filter(|file| file.name() != ARGUMENTS);
    own.map(|file| FileShape::new(file.name(), file.text())).collect()
}

/// What alerts and assets of a run have in common. `assets` are known at its end.
pub fn source<'a>(
    policy: &'a Policy,
    captures: &'a [String],
    language: Language,
    assets: Option<&'a BTreeMap<AssetKey, Asset>>,
) -> Source<'a> {
    Source {
        names: Names { norm: &policy.norm, assets, captures },
        language,
        sensor: policy.sensor.as_deref(),
        site: policy.site.as_deref(),
    }
}

/// What came of an analysis.
#[derive(Debug)]
pub struct Analysis {
    /// What the analyzer knows at its end.
    pub report: Report,
    /// Damage of captures, one line each.
    pub damages: Vec<String>,
    /// Frames for which the capture has no time.
    pub frames_without_time: u64,
}

impl Analysis {
    /// The damages as one line; `None` where all was read.
    pub fn error(&self) -> Option<String> {
        (!self.damages.is_empty()).then(|| self.damages.join("; "))
    }
}

/// How many threads work where the arguments do not say. One costs the least processor time; more are for those who have
/// large captures and idle cores.
pub fn threads() -> usize {
    1
}

/// A setup for a policy, with a fresh seed for the hash tables: it changes no byte of what is said.
pub fn setup(policy: &Policy) -> Setup {
    let seed = std::hash::RandomState::new().build_hasher().finish();
    Setup { policy: policy.clone(), seed, ..Setup::default() }
}

/// Opens the captures and works through them. What is readable is analysed before damage is told. `stop` ends the
/// frames early, as though there were no more: it is set when nobody wants what is found.
///
/// # Errors
/// [`Failure::World`] where a capture cannot be opened at all.
pub fn analyse(
    inputs: &Inputs,
    setup: Setup,
    pace: Pace,
    stop: &AtomicBool,
    alerts: &mut dyn FnMut(Vec<Alert>),
) -> Result<Analysis, Failure> {
    let captures = capture::open(&inputs.captures, inputs.extent).map_err(|error| Failure::World(error.to_string()))?;
    let mut source = Stoppable { captures, stop };
    let bar = bar(&source);
    let (report, damages) = pipeline::analyze(setup, &mut source, pace, alerts, &mut |source: &dyn FrameSource| {
        if let (Some(bar), Some(progress)) = (&bar, source.progress()) {
            bar.set_position(progress.read);
        }
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let damages = damages.iter().map(ToString::to_string).collect();
    Ok(Analysis { report, damages, frames_without_time: source.frames_without_time() })
}

/// A progress bar on standard error, where that is a terminal and it is known how much there is to read.
fn bar(source: &dyn FrameSource) -> Option<ProgressBar> {
    let Progress { total, .. } = source.progress()?;
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left").ok()?;
    Some(ProgressBar::new(total).with_style(style))
}

/// Captures that end when nobody wants more.
struct Stoppable<'a> {
    captures: Captures,
    stop: &'a AtomicBool,
}

impl FrameSource for Stoppable<'_> {
    fn fill(&mut self, batch: &mut FrameBatch, frames_max: usize) -> Result<Fill, Error> {
        if self.stop.load(Ordering::Relaxed) {
            batch.clear();
            return Ok(Fill::End);
        }
        self.captures.fill(batch, frames_max)
    }

    fn progress(&self) -> Option<Progress> {
        self.captures.progress()
    }

    fn frames_without_time(&self) -> u64 {
        self.captures.frames_without_time()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!(
            "yagura-analysis-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn site_file_and_baseline_are_put_together() {
        let folder = folder();
        let (site, baseline) = (folder.join("site.toml"), folder.join("ba\"se.toml"));
        std::fs::write(&site, "schema = 1\nsite = \"Pump\"\nsensor = \"p4\"\n").unwrap();
        std::fs::write(&baseline, "schema = 1\nassets = [\n  { address = \"10.0.0.1\" },\n]\n").unwrap();
        let both = Inputs { site: Some(site.clone()), baseline: Some(baseline), ..Inputs::default() };
        let policy = both.policy().unwrap();
        assert_eq!((policy.site.as_deref(), policy.sensor.as_deref()), (Some("Pump"), Some("p4")));
        assert!(policy.norm.has_assets());
        let digests = digests(&policy);
        assert_eq!(digests.len(), 2, "what the arguments say is no file");
        assert!(digests[1].file.ends_with("ba\"se.toml"));
        let alone = Inputs { site: Some(site), ..Inputs::default() };
        assert!(!alone.policy().unwrap().norm.has_assets());
    }

    #[test]
    fn a_wrong_file_is_one_line() {
        let folder = folder();
        let site = folder.join("wrong.toml");
        std::fs::write(&site, "schema = 1\nsitee = \"x\"\nsensorr = 2\nzonee = 3\n").unwrap();
        let Err(Failure::World(text)) = (Inputs { site: Some(site), ..Inputs::default() }).policy() else { panic!() };
        assert!(text.contains("wrong.toml:2:") && text.contains("2 problems more"), "{text}");
        assert!(!text.contains('\n'));
        let missing = Inputs { baseline: Some(folder.join("none\u{1b}.toml")), ..Inputs::default() };
        let Err(Failure::World(text)) = missing.policy() else { panic!() };
        assert!(text.contains("none\\u{1b}.toml: cannot be read"), "{text}");
    }
}
