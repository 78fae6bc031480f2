//! Legal hold: ranges of the journal that neither quota nor retention may touch.

use crate::storage::{Source, replace_file};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// The file that names them.
const FILE: &str = "frozen";

/// Holds that there may be at once.
pub const HOLDS_MAX: usize = 1_024;

/// Octets of the file that are read at most.
const FILE_OCTETS_MAX: usize = 4 * 1024 * 1024;

/// One hold: the segments that have a part of it stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The name by which it is lifted.
    pub name: String,
    /// The first number that is held.
    pub from: u64,
    /// The last number that is held.
    pub to: u64,
}

/// The holds of a journal, none if there is no file of them.
///
/// # Errors
/// If the file cannot be read, or is damaged: then the journal gives up nothing at all until it is repaired.
pub fn holds<S: Source>(source: &S) -> io::Result<Vec<Hold>> {
    let file = match source.open(FILE) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut octets = Vec::new();
    let mut piece = [0; 4_096];
    while octets.len() < FILE_OCTETS_MAX {
        let read = source.read_at(&file, u64::try_from(octets.len()).unwrap_or(u64::MAX), &mut piece)?;
        if read == 0 {
            break;
        }
        octets.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    serde_json::from_slice(&octets).map_err(io::Error::from)
}

/// Puts a hold on a range, for whoever may write the folder; the journal need not be stopped. One of the same name is
/// replaced.
///
/// # Errors
/// If the range ends before it begins, there are [`HOLDS_MAX`] already, or the file cannot be read or written.
pub fn freeze(folder: &Path, hold: Hold) -> io::Result<()> {
    let mut all = holds(&crate::storage::Folder::new(folder))?;
    all.retain(|other| other.name != hold.name);
    if hold.from > hold.to || all.len() >= HOLDS_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no such range, or too many holds"));
    }
    all.push(hold);
    save(folder, &all)
}

/// Lifts the hold of this name; answers whether there was one.
///
/// # Errors
/// If the file cannot be read or written.
pub fn thaw(folder: &Path, name: &str) -> io::Result<bool> {
    let mut all = holds(&crate::storage::Folder::new(folder))?;
    let before = all.len();
    all.retain(|other| other.name != name);
    let lifted = all.len() < before;
    if lifted {
        save(folder, &all)?;
    }
    Ok(lifted)
}

/// Writes the file.
fn save(folder: &Path, all: &[Hold]) -> io::Result<()> {
    replace_file(&folder.join(FILE), &serde_json::to_vec(all).map_err(io::Error::from)?, 0o640)
}
