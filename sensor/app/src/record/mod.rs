//! The closed list of shapes that leave the house; the only place that knows JSON.
//!
//! The shapes are filled from facts, so that an inner rename never changes the outside. Field order is struct order,
//! one record a line, UTF-8; every key is always present, `null` where nothing is known. `docs/schema/` is the promise.
//!
//! | file | what |
//! | --- | --- |
//! | [`write`](mod@write) | one record, one line: escaping and time |
//! | [`wire`] | text and octets from the wire, fields of messages, and how they are cut to fit |
//! | [`text`] | sentences in English and Japanese |
//! | [`run`], [`alert`], [`asset`], [`point`], [`totals`] | the records |
//! | [`eve`] | alerts as other tools' EVE lines |
//! | [`flow`] | flows, and their Community ID |
//! | [`csv`] | assets for spreadsheets |
//! | [`catalogue`] | detections and protocols as JSON |
//! | [`schema`] | the embedded schemas, and the document made of them |
//! | [`read`] | alerts of an earlier run, read back |

pub mod alert;
pub mod asset;
pub mod catalogue;
pub mod csv;
pub mod eve;
pub mod flow;
pub mod point;
pub mod read;
pub mod run;
pub mod schema;
pub mod text;
pub mod totals;
pub mod wire;
pub mod write;

#[cfg(test)]
mod examples;

use serde::Serialize;
use yagura_rules::facts::event::FrameRef;

/// Version of the records' shape: goes up when a key changes its meaning or goes away, never when one is added.
pub const SCHEMA: u32 = 1;

/// In which language people are spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Japanese.
    Japanese,
    /// English, with Japanese beside it.
    Both,
}

impl Language {
    /// The names on the command line.
    pub const NAMES: [&'static str; 3] = ["en", "ja", "both"];

    /// The language of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "en" => Some(Self::English),
            "ja" => Some(Self::Japanese),
            "both" => Some(Self::Both),
            _ => None,
        }
    }
}

/// A frame in its capture, as records have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FrameShape {
    /// The capture's path as it was given; `null` where it is not known.
    pub capture: Option<String>,
    /// Number of the frame in the capture, from 1.
    pub frame: u64,
}

impl FrameShape {
    /// Names a frame by the captures' paths, in the order of the arguments.
    pub fn new(frame: FrameRef, captures: &[String]) -> Self {
        Self { capture: captures.get(usize::from(frame.capture)).cloned(), frame: frame.frame }
    }
}
