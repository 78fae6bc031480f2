//! One file for each command of the program, and how a command ends.
//!
//! | file | what |
//! | --- | --- |
//! | [`analysis`] | captures and operator's files opened, worked through, with a progress bar |
//! | [`words`] | counters for people |
//! | [`run`], [`journal`] | the sensor as a service, and its journal |
//! | [`replay`], [`learn`], [`check`], [`show`], [`stats`], [`assets`], [`points`], [`explain`], [`diff`] | the commands |

pub mod analysis;
pub mod assets;
pub mod check;
pub mod diff;
pub mod explain;
pub mod journal;
pub mod learn;
pub mod points;
pub mod replay;
pub mod run;
pub mod show;
pub mod stats;
pub mod words;

use crate::record::write::visible;
use std::io::{self, Write};
use std::path::Path;

/// Exit: done.
pub const DONE: u8 = 0;
/// Exit: an error, said in one line on standard error.
pub const FAILED: u8 = 1;
/// Exit: wrong arguments.
pub const MISUSED: u8 = 2;
/// Exit: an alert at or above the severity of `--fail-at`.
pub const ALERTED: u8 = 10;

/// Why a command does not end with its own exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The arguments are wrong, in a way that only the command can tell.
    Arguments(String),
    /// The world failed, or the answer is no: one line, safe for a terminal.
    World(String),
    /// Nobody reads standard output any more: nothing to say, and nobody to say it to.
    Closed,
}

/// How a command ends: its exit code.
pub type Outcome = Result<u8, Failure>;

impl Failure {
    /// Why writing to standard output failed.
    pub fn of_output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::World(format!("standard output: cannot be written: {error}")),
        }
    }

    /// Why a file could not be read or written.
    pub fn of_file(path: &Path, what: &str, error: &io::Error) -> Self {
        Self::World(format!("{}: {what}: {error}", shown_path(path)))
    }
}

/// A path as a terminal may show it.
pub fn shown_path(path: &Path) -> String {
    visible(&path.to_string_lossy())
}

/// Writes text to standard output.
///
/// # Errors
/// [`Failure::Closed`] where nobody reads it any more; [`Failure::World`] where it cannot be written otherwise.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(|error| Failure::of_output(&error))
}

/// Says something on standard error; where that cannot be, it stays unsaid.
pub fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Reads a file that holds text.
///
/// # Errors
/// [`Failure::World`] with the path and the reason.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::of_file(path, "cannot be read", &error))
}
