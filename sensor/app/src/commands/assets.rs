//! `yagura assets`: which devices there are.

use super::analysis::{Inputs, analyse, setup, source};
use super::words::aligned;
use super::{DONE, Failure, Outcome, print};
use crate::pipeline::Pace;
use crate::record::Language;
use crate::record::asset::{AssetRecord, COLUMNS, cells, csv_heading, csv_row};
use crate::record::text::Names;
use crate::record::wire::Room;
use std::sync::atomic::AtomicBool;
use yagura_rules::facts::asset::Asset;

/// In which format devices are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For a terminal.
    #[default]
    Table,
    /// One record a line.
    Json,
    /// For a spreadsheet.
    Csv,
}

/// What `yagura assets` is asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is looked at, and by what names things are called.
    pub inputs: Inputs,
    /// The format.
    pub format: Format,
    /// Threads and batches.
    pub pace: Pace,
}

/// Columns of the table: those of the spreadsheet that fit a terminal.
const SHOWN: [&str; 8] = ["address", "mac", "name", "vendor", "roles", "units", "claims", "first_frame"];

/// Runs the command.
///
/// # Errors
/// Where a capture cannot be read to its end: after the devices that were found have been printed.
pub fn run(request: &Request) -> Outcome {
    let policy = request.inputs.policy()?;
    let captures = request.inputs.capture_names();
    let stop = AtomicBool::new(false);
    let analysis = analyse(&request.inputs, setup(&policy), request.pace, &stop, &mut |_| {})?;
    let names = source(&policy, &captures, Language::English, Some(&analysis.report.assets)).names;
    let assets: Vec<&Asset> = analysis.report.assets.values().collect();
    let mut text = String::new();
    match request.format {
        Format::Table => text = table(&assets, &names),
        Format::Json => {
            for asset in assets {
                text.push_str(&AssetRecord::line(asset, &names));
                text.push('\n');
            }
        }
        Format::Csv => {
            text.push_str(&csv_heading());
            for asset in assets {
                text.push_str(&csv_row(asset, &names));
            }
        }
    }
    print(&text)?;
    analysis.error().map_or(Ok(DONE), |error| Err(Failure::World(error)))
}

fn table(assets: &[&Asset], names: &Names<'_>) -> String {
    let columns: Vec<usize> =
        SHOWN.iter().filter_map(|shown| COLUMNS.iter().position(|column| column == shown)).collect();
    let mut rows: Vec<Vec<String>> = vec![SHOWN.iter().map(|name| (*name).to_owned()).collect()];
    for asset in assets {
        let cells = cells(&AssetRecord::new(asset, names, Room::LEVELS[1]));
        rows.push(columns.iter().map(|column| cells[*column].clone()).collect());
    }
    aligned(rows)
}
