//! `Policy`: what the site file says, read and checked.

use crate::facts::time::Timestamp;
use crate::norm::{Line, Norm};
use crate::rule::{Settings, Severity};
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// Site file, with the files that it includes, checked and compiled.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The site's name.
    pub site: Option<String>,
    /// The sensor's name.
    pub sensor: Option<String>,
    /// What is allowed and usual.
    pub norm: Arc<Norm>,
    /// What the judge takes.
    pub judge: JudgePolicy,
}
