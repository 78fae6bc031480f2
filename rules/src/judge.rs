//! `Judge`: every rule over every event, in the list's order.

use crate::alert::Alert;
use crate::facts::event::Event;
use crate::policy::JudgePolicy;
use crate::rule::{Interest, Scene};
use std::collections::BTreeMap;

/// Every rule of the catalogue at work.
pub struct Judge {
    /// Alerts told, by severity.
    pub told: BTreeMap<&'static str, u64>,
    /// Repeats that were counted instead of told.
    pub repeats: u64,
    /// Findings that a suppression kept silent.
    pub suppressed: u64,
}

impl Judge {
    /// Rules with their settings; each remembers at most `memory_max` subjects.
    pub fn new(_policy: &JudgePolicy, _memory_max: usize) -> Self {
        Self { told: BTreeMap::new(), repeats: 0, suppressed: 0 }
    }
    /// The kinds of events that any rule wants.
    pub fn interest(&self) -> Interest {
        Interest(u32::MAX)
    }
    /// Looks at one event.
    pub fn observe(&mut self, _event: &Event, _scene: Scene<'_>, _out: &mut Vec<Alert>) {}
    /// Tells what is still counted.
    pub fn finish(&mut self, _scene: Scene<'_>, _out: &mut Vec<Alert>) {}
}
