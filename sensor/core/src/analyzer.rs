//! `Analyzer`: the whole core on one thread; it defines what the sensor says.

use crate::counters::Counters;
use crate::frame::FrameBatch;
use crate::limits::Limits;
use crate::trace::Trace;
use std::collections::BTreeMap;
use yagura_rules::alert::Alert;
use yagura_rules::facts::asset::{Asset, AssetKey};
use yagura_rules::learn::Baseline;
use yagura_rules::policy::Policy;

/// What an analyzer starts with.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Bounds.
    pub limits: Limits,
    /// Site file and baseline.
    pub policy: Policy,
    /// Seed of the hash tables that the wire can fill; changes no byte of what is said.
    pub seed: u64,
    /// Learn a baseline on the way.
    pub learn: bool,
    /// The frame of the timeline whose way is to be told.
    pub watch: Option<u64>,
}

/// Frames in, alerts out.
pub struct Analyzer {
    setup: Setup,
}

impl Analyzer {
    /// An analyzer that has seen nothing.
    pub fn new(setup: Setup) -> Self {
        Self { setup }
    }
    /// Looks at frames. Never fails, never blocks.
    pub fn push_batch(&mut self, _batch: &FrameBatch, _out: &mut Vec<Alert>) {}
    /// Closes flows, settles what waits.
    pub fn finish(&mut self, _out: &mut Vec<Alert>) {}
    /// Takes the analyzer apart, once it is finished.
    pub fn into_report(self) -> Report {
        let _ = self.setup;
        Report::default()
    }
}

/// What an analyzer knows at its end.
#[derive(Debug, Default)]
pub struct Report {
    /// Counters.
    pub counters: Counters,
    /// Devices.
    pub assets: BTreeMap<AssetKey, Asset>,
    /// What was learnt, where it was asked for.
    pub learnt: Option<Baseline>,
    /// The way of the frame that was watched.
    pub trace: Option<Trace>,
}
