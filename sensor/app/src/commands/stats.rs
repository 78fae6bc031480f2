//! `yagura stats`: what captures hold.

use super::analysis::{Inputs, analyse, setup};
use super::{DONE, Failure, Outcome, print, words};
use crate::pipeline::Pace;
use crate::record::totals::{StatsRecord, Totals};
use std::sync::atomic::AtomicBool;

/// What `yagura stats` is asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is looked at.
    pub inputs: Inputs,
    /// Whether as JSON.
    pub json: bool,
    /// Threads and batches.
    pub pace: Pace,
}

/// Runs the command.
///
/// # Errors
/// Where a capture cannot be read to its end: after what was readable has been printed.
pub fn run(request: &Request) -> Outcome {
    let policy = request.inputs.policy()?;
    let captures = request.inputs.capture_names();
    let stop = AtomicBool::new(false);
    let opened = analyse(&request.inputs, setup(&policy), request.pace, &stop, &mut |_| {});
    let (text, error) = match opened {
        Ok(analysis) => {
            let error = analysis.error();
            let (report, untimed) = (&analysis.report, analysis.frames_without_time);
            let text = if request.json {
                let totals = Totals::new(&report.counters, report.assets.len(), untimed);
                StatsRecord::new(&captures, totals, error.clone()).text()
            } else {
                words::summary(report, untimed) + &words::tables(&report.counters)
            };
            (text, error)
        }
        // Nothing could be read: JSON says so too, for those that take what they get for JSON.
        Err(Failure::World(error)) if request.json => {
            let totals = Totals::new(&Default::default(), 0, 0);
            (StatsRecord::new(&captures, totals, Some(error.clone())).text(), Some(error))
        }
        Err(failure) => return Err(failure),
    };
    print(&text)?;
    if request.json {
        print("\n")?;
    }
    error.map_or(Ok(DONE), |error| Err(Failure::World(error)))
}
