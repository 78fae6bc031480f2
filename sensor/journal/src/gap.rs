//! The record of class gap: what is missing, exactly, and why.

use crate::class::Counts;
use crate::hash::Hash;
use serde::{Deserialize, Serialize};

/// Why records are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// They went so that the journal keeps within its quota.
    Quota,
    /// Their time to be kept was over.
    Retention,
    /// They never got a number: the disk took nothing, and the memory for such times was full.
    Spill,
    /// They had been acknowledged, and were not there when the journal was opened.
    Damage,
}

/// The record of class gap. Hashes are those of whole lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapRecord {
    /// Always `gap`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Version of this shape: 1.
    pub schema: u32,
    /// Why.
    pub cause: Cause,
    /// How many of each kind are missing that were not before; of `damage` it is not known.
    pub counts: Counts,
    /// The first number that is or may be missing; of `spill` there is none.
    pub from: Option<u64>,
    /// The last number that is or may be missing.
    pub to: Option<u64>,
    /// The hash of the line before `from`: of removal from the front and of `damage`.
    pub before: Option<Hash>,
    /// The hash of the last line that is missing: of removal from the front and of `damage`.
    pub last: Option<Hash>,
    /// The hash of all stubs of the segment that begins with `from`, each with its newline: of removal inside a segment.
    pub seal: Option<Hash>,
    /// All that was ever removed from the front: of removal from the front.
    pub front: Option<Counts>,
    /// When the first was lost: of `spill`. RFC 3339.
    pub lost_from: Option<String>,
    /// When the last was lost: of `spill`.
    pub lost_to: Option<String>,
}

impl GapRecord {
    /// One that tells only the cause and the counts.
    pub(crate) fn new(cause: Cause, counts: Counts) -> Self {
        Self {
            kind: "gap".to_owned(),
            schema: 1,
            cause,
            counts,
            from: None,
            to: None,
            before: None,
            last: None,
            seal: None,
            front: None,
            lost_from: None,
            lost_to: None,
        }
    }

    /// As one JSON object.
    pub(crate) fn to_json(&self) -> String {
        // A struct of numbers and texts always has a JSON text.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the record of a line of class gap; `None` if it is none.
    pub fn parse(record: &str) -> Option<Self> {
        let gap: Self = serde_json::from_str(record).ok()?;
        (gap.kind == "gap" && gap.schema == 1).then_some(gap)
    }
}
