//! How far a reader has come, in a file of its own.

use crate::storage::replace_file;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How far a reader has come. The number says it; segment and offset only save the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The last record that is done with; 0: none.
    pub sequence: u64,
    /// The first number of the segment in which it stands.
    pub segment: u64,
    /// Where in that segment the next line begins.
    pub offset: u64,
}

/// Why a cursor could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// The disk says no.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file holds something else.
    #[error("{}: damaged ({why}); remove it to begin anew from the oldest record", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Cursor {
    /// Where nothing was read yet.
    pub const START: Self = Self { sequence: 0, segment: 0, offset: 0 };

    /// After this record, wherever it stands.
    pub const fn after(sequence: u64) -> Self {
        Self { sequence, segment: 0, offset: 0 }
    }

    /// Writes it so that after a crash either the old one stands there or this: beside it, synced, renamed.
    ///
    /// # Errors
    /// If the disk says no; the old one still stands.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        replace_file(path, format!("{}\n", serde_json::to_string(self)?).as_bytes(), 0o640)
    }

    /// Reads it; `None` if there is none.
    ///
    /// # Errors
    /// [`CursorError`]: a damaged one is never taken for the beginning.
    pub fn load(path: &Path) -> Result<Option<Self>, CursorError> {
        match fs::read(path) {
            Ok(text) => match serde_json::from_slice(&text) {
                Ok(cursor) => Ok(Some(cursor)),
                Err(error) => Err(CursorError::Damaged { path: path.to_owned(), why: error.to_string() }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CursorError::Io { path: path.to_owned(), error }),
        }
    }
}
