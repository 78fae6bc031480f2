//! `Learner`: events to `Baseline`; and the baseline's text, one sorted fact a line.

use crate::facts::event::Event;

/// What is usual, as facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {}

/// Learns.
#[derive(Debug, Default)]
pub struct Learner {}

impl Learner {
    /// A learner that keeps at most `facts_max` facts.
    pub fn new(_facts_max: usize) -> Self {
        Self {}
    }
    /// Looks at one event.
    pub fn observe(&mut self, _event: &Event) {}
    /// What was learnt.
    pub fn into_baseline(self) -> Baseline {
        Baseline {}
    }
}
