//! `Alert`: a finding that is fit to leave the house.

use crate::facts::event::{Event, EventId, FrameRef};
use crate::facts::time::Timestamp;
use crate::rule::{Card, Finding, Severity};

/// An alert's name: detection, frame, ordinal, and which of the detection's findings on that event it is.
///
/// Prints as `OT-0007-1042-0`, and `OT-0007-1042-0.1` for a second finding: made of facts, equal on every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId {
    /// The detection.
    pub detection: &'static str,
    /// The event.
    pub event: EventId,
    /// Which finding of the same detection on the same event, from 0.
    pub finding: u32,
}

impl std::fmt::Display for AlertId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.detection, self.event.frame, self.event.ordinal)?;
        if self.finding > 0 { write!(f, ".{}", self.finding) } else { Ok(()) }
    }
}

/// A finding after policy and suppression.
#[derive(Debug, Clone)]
pub struct Alert {
    /// The detection.
    pub card: &'static Card,
    /// Its name.
    pub id: AlertId,
    /// When, by the frame.
    pub time: Timestamp,
    /// The frame, in its capture.
    pub origin: FrameRef,
    /// Severity, after the site file.
    pub severity: Severity,
    /// The judgement.
    pub finding: Finding,
    /// The event it was found at, for evidence.
    pub event: Event,
    /// 0 for the alert itself. A closing alert with the same detection and subject tells how many more there were.
    pub repeats: u64,
    /// For a closing alert: the alert that it closes.
    pub closes: Option<AlertId>,
}
