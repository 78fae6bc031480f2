//! `Configuration`: what `yagura.toml` says of how the sensor runs, read and checked.

use crate::commands::{Failure, read_text, shown_path};
use crate::record::Language;
use crate::record::write::visible;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use yagura_outputs::settings::{MetricsSettings, OutputSettings};

/// Interfaces that one sensor listens to at most.
const CAPTURES_MAX: usize = 16;
/// Threads that work on flows at most: there are no more shards.
const THREADS_MAX: usize = 16;

/// How the sensor runs. What changes its judgement stands in site file and baseline.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// The folder of everything that the sensor writes.
    #[serde(default = "state_folder")]
    pub state: PathBuf,
    /// The sensor's name in records; by default the site file's, or the machine's own.
    pub sensor: Option<String>,
    /// The site file.
    pub site: Option<PathBuf>,
    /// The baseline; by default that of the state folder, where there is one.
    pub baseline: Option<PathBuf>,
    /// The language of sentences: `en`, `ja` or `both`.
    #[serde(default, deserialize_with = "language")]
    pub language: Language,
    /// Threads that work on flows.
    #[serde(default = "one")]
    pub threads: usize,
    /// Whom the sensor becomes where it is started as root.
    pub user: Option<String>,
    /// The interfaces.
    #[serde(default)]
    pub capture: Vec<CaptureTable>,
    /// How the journal is kept.
    #[serde(default)]
    pub journal: JournalTable,
    /// Where records go.
    #[serde(default)]
    pub output: Vec<OutputSettings>,
    /// Figures for Prometheus.
    pub metrics: Option<MetricsSettings>,
}

/// `[[capture]]`: an interface at a mirror port.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureTable {
    /// Its name.
    pub interface: String,
    /// Which frames are wanted, in the language of pcap-filter(7); all where it is not given.
    pub filter: Option<String>,
    /// Octets of a frame that are kept.
    #[serde(default = "snap_length")]
    pub snap_length: u32,
    /// The kernel's ring, in MiB.
    #[serde(default = "ring_mib")]
    pub ring_mib: u32,
}

/// `[journal]`: how records are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalTable {
    /// MiB that all segments may take.
    pub quota_mib: u64,
    /// MiB of one segment.
    pub segment_mib: u64,
    /// The key that signs; by default in the state folder.
    pub key: Option<PathBuf>,
    /// Days for which alerts are kept; 0: until the quota asks.
    pub keep_alerts_days: u64,
    /// The same for health records.
    pub keep_health_days: u64,
    /// The same for what was done about alerts.
    pub keep_dispositions_days: u64,
    /// The same for who did what with the sensor.
    pub keep_audit_days: u64,
}

impl Default for JournalTable {
    fn default() -> Self {
        Self {
            quota_mib: 256,
            segment_mib: 8,
            key: None,
            keep_alerts_days: 0,
            keep_health_days: 30,
            keep_dispositions_days: 0,
            keep_audit_days: 0,
        }
    }
}

fn state_folder() -> PathBuf {
    PathBuf::from("/var/lib/yagura")
}

fn one() -> usize {
    1
}

fn snap_length() -> u32 {
    262_144
}

fn ring_mib() -> u32 {
    64
}

fn language<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Language, D::Error> {
    let name = String::deserialize(from)?;
    Language::from_name(&name).ok_or_else(|| {
        serde::de::Error::custom(format!("language: `{name}`; expected one of {}", Language::NAMES.join(", ")))
    })
}

impl Configuration {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`Failure::World`]: the file, the line and what was expected there, in one line.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_text(path)?;
        let shown = shown_path(path);
        let configuration: Self = toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.bytes().filter(|octet| *octet == b'\n').count().saturating_add(1));
            let message = error.message().replace('\n', "; ");
            Failure::World(format!("{shown}:{line}: {}", visible(&message)))
        })?;
        match configuration.fault() {
            Some(fault) => Err(Failure::World(format!("{shown}: {fault}"))),
            None => Ok(configuration),
        }
    }

    /// What is wrong with values that are right by themselves.
    fn fault(&self) -> Option<String> {
        if self.capture.is_empty() {
            return Some("there is no [[capture]]; name the interface at the mirror port".to_owned());
        }
        if self.capture.len() > CAPTURES_MAX {
            return Some(format!("{} [[capture]] tables; at most {CAPTURES_MAX} are possible", self.capture.len()));
        }
        for (at, capture) in self.capture.iter().enumerate() {
            if self.capture.iter().skip(at.saturating_add(1)).any(|other| other.interface == capture.interface) {
                return Some(format!("two [[capture]] tables name `{}`", visible(&capture.interface)));
            }
            if let Some(Err(error)) = capture.filter.as_deref().map(yagura_live::capture::check_filter) {
                return Some(format!("[[capture]] `{}`: {error}", visible(&capture.interface)));
            }
        }
        if self.threads == 0 || self.threads > THREADS_MAX {
            return Some(format!("threads: {}; expected 1 to {THREADS_MAX}", self.threads));
        }
        if !self.state.is_absolute() {
            return Some(format!("state: {}; expected an absolute path", shown_path(&self.state)));
        }
        if self.journal.quota_mib == 0 || self.journal.segment_mib == 0 {
            return Some("[journal] quota_mib and segment_mib: expected 1 or more".to_owned());
        }
        yagura_outputs::settings::check(&self.output).err()
    }

    /// The journal's folder.
    pub fn journal_folder(&self) -> PathBuf {
        self.state.join("journal")
    }

    /// The folder of the outputs' cursors.
    pub fn cursors_folder(&self) -> PathBuf {
        self.state.join("cursors")
    }

    /// The key that signs the journal.
    pub fn key(&self) -> PathBuf {
        self.journal.key.clone().unwrap_or_else(|| self.state.join("journal.key"))
    }

    /// The baseline that is in force, where there is one.
    pub fn baseline(&self) -> Option<PathBuf> {
        let own = || Some(self.own_baseline()).filter(|path| path.exists());
        self.baseline.clone().or_else(own)
    }

    /// Where a baseline is written that was learnt on the wire.
    pub fn own_baseline(&self) -> PathBuf {
        self.baseline.clone().unwrap_or_else(|| self.state.join("baseline.toml"))
    }

    /// The interfaces by name.
    pub fn interfaces(&self) -> Vec<String> {
        self.capture.iter().map(|capture| capture.interface.clone()).collect()
    }

    /// How the journal is kept, for a sensor and a run of these names.
    pub fn journal_settings(&self, sensor: &str, run: &str) -> yagura_journal::settings::Settings {
        const MIB: u64 = 1 << 20;
        const DAY: u64 = 86_400;
        let mut settings = yagura_journal::settings::Settings::new(sensor, run);
        settings.quota_octets = self.journal.quota_mib.saturating_mul(MIB);
        settings.segment_octets_max = self.journal.segment_mib.saturating_mul(MIB);
        settings.keep.alert_s = self.journal.keep_alerts_days.saturating_mul(DAY);
        settings.keep.health_s = self.journal.keep_health_days.saturating_mul(DAY);
        settings.keep.disposition_s = self.journal.keep_dispositions_days.saturating_mul(DAY);
        settings.keep.audit_s = self.journal.keep_audit_days.saturating_mul(DAY);
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Configuration, String> {
        let path = std::env::temp_dir().join(format!(
            "yagura-config-{}-{:?}.toml",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::write(&path, text).unwrap();
        let read = Configuration::read(&path);
        let _ = std::fs::remove_file(&path);
        read.map_err(|failure| match failure {
            Failure::World(line) => line,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn the_least_configuration_is_an_interface() {
        let least = read("[[capture]]\ninterface = \"eth1\"\n").unwrap();
        assert_eq!((least.state, least.threads, least.language), (state_folder(), 1, Language::English));
        assert_eq!((least.capture[0].ring_mib, least.capture[0].snap_length), (64, 262_144));
        assert!(least.output.is_empty() && least.metrics.is_none());
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line_with_its_place() {
        for (text, words) in [
            ("", "there is no [[capture]]"),
            ("stat = 1\n[[capture]]\ninterface = \"a\"\n", ":1: unknown field `stat`"),
            ("[[capture]]\ninterface = \"a\"\n\nlanguage = 3", ":4: "),
            ("language = \"fr\"\n[[capture]]\ninterface = \"a\"\n", "expected one of en, ja, both"),
            ("state = \"here\"\n[[capture]]\ninterface = \"a\"\n", "expected an absolute path"),
            ("threads = 0\n[[capture]]\ninterface = \"a\"\n", "expected 1 to 16"),
            ("[[capture]]\ninterface = \"a\"\n[[capture]]\ninterface = \"a\"\n", "two [[capture]] tables name `a`"),
            ("[[capture]]\ninterface = \"a\"\nfilter = \"port port\"\n", "[[capture]] `a`: "),
            ("[[capture]]\ninterface = \"a\"\n[journal]\nquota_mib = 0\n", "expected 1 or more"),
            ("[[capture]]\ninterface = \"a\"\n[[output]]\nname = \"x\"\n", ":3: "),
        ] {
            let line = read(text).unwrap_err();
            assert!(line.contains(words), "{text:?}: {line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }
}
