//! `yagura points`: what the process is seen to do.

use super::analysis::{Inputs, analyse, setup, source};
use super::words::{aligned, grouped, plural};
use super::{DONE, Failure, Outcome, print, say};
use crate::pipeline::Pace;
use crate::record::Language;
use crate::record::point::{COLUMNS, PointRecord, cells};
use crate::record::text::Names;
use crate::record::wire::Room;
use std::sync::atomic::AtomicBool;
use yagura_core::analyzer::{Report, Setup};

/// What `yagura points` is asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is looked at, and by what names things are called.
    pub inputs: Inputs,
    /// Whether as JSON, one record a line.
    pub json: bool,
    /// Threads and batches.
    pub pace: Pace,
}

/// Runs the command.
///
/// # Errors
/// Where a capture cannot be read to its end: after the points that were found have been printed.
pub fn run(request: &Request) -> Outcome {
    let policy = request.inputs.policy()?;
    let captures = request.inputs.capture_names();
    let stop = AtomicBool::new(false);
    let setup = Setup { points: true, ..setup(&policy) };
    let analysis = analyse(&request.inputs, setup, request.pace, &stop, &mut |_| {})?;
    let report = &analysis.report;
    let names = source(&policy, &captures, Language::English, Some(&report.assets)).names;
    if request.json {
        let mut text = String::new();
        for point in &report.points {
            text.push_str(&PointRecord::line(point, &names));
            text.push('\n');
        }
        print(&text)?;
        // Lines have no place for it.
        if report.counters.points_unkept > 0 {
            say(&format!("{}\n", count(report)));
        }
    } else {
        print(&table(report, &names))?;
    }
    analysis.error().map_or(Ok(DONE), |error| Err(Failure::World(error)))
}

/// The points, one a line, and how many there are.
fn table(report: &Report, names: &Names<'_>) -> String {
    let mut text = String::new();
    if !report.points.is_empty() {
        let mut rows = vec![COLUMNS.map(str::to_owned).to_vec()];
        rows.extend(report.points.iter().map(|point| cells(&PointRecord::new(point, names, Room::LEVELS[1])).to_vec()));
        text.push_str(&aligned(rows));
        text.push('\n');
    }
    text.push_str(&count(report));
    text.push('\n');
    text
}

/// How many points there are, and what was not kept of them.
fn count(report: &Report) -> String {
    let points = plural(super::words::count(report.points.len()), "point", "points");
    match report.counters.points_unkept {
        0 => points,
        1 => format!("{points}; 1 value of others was not kept, for want of room"),
        unkept => format!("{points}; {} values of others were not kept, for want of room", grouped(unkept)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yagura_core::counters::Counters;
    use yagura_rules::norm::Norm;

    #[test]
    fn the_last_line_tells_what_there_is_and_what_is_missing() {
        let norm = Norm::default();
        let names = Names { norm: &norm, assets: None, captures: &[] };
        let with = |points_unkept| {
            let counters = Counters { points_unkept, ..Counters::default() };
            table(&Report { counters, ..Report::default() }, &names)
        };
        assert_eq!(with(0), "0 points\n");
        assert_eq!(with(1), "0 points; 1 value of others was not kept, for want of room\n");
        assert_eq!(with(1_200), "0 points; 1,200 values of others were not kept, for want of room\n");
    }
}
