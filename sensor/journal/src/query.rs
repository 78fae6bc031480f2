//! Looking records up, and writing them out.

use crate::class::{Class, Severity};
use crate::cursor::Cursor;
use crate::line::{Entry, time_text};
use crate::reader::{ReadError, Reader, Step};
use crate::storage::Source;
use std::io::{self, Write};
use std::ops::ControlFlow;

/// Which records are meant. `Filter::default()` means all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Of these classes; empty: of any.
    pub classes: Vec<Class>,
    /// Alerts of this severity at least, and only alerts.
    pub severity_least: Option<Severity>,
    /// Written at this time or later, in ns since 1970.
    pub written_from_ns: Option<u64>,
    /// Written at this time or before.
    pub written_to_ns: Option<u64>,
    /// With this number or a greater one.
    pub sequence_from: Option<u64>,
    /// With this number or a smaller one.
    pub sequence_to: Option<u64>,
    /// With this id: that of the envelope, or one that stands in the record as the value of an `id` or `alert`.
    pub id: Option<String>,
}

/// What a query came across.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Matches {
    /// Records that are meant.
    pub matched: u64,
    /// Records that were looked at.
    pub seen: u64,
    /// Records of the range that are not there any more, or are damaged.
    pub lost: u64,
}

impl Filter {
    /// Gives every record that is meant to `take`, in order, until it breaks off. The caller says in an audit record who
    /// looked.
    ///
    /// # Errors
    /// [`ReadError`] if the journal cannot be read.
    pub fn query<S: Source>(
        &self,
        source: S,
        mut take: impl FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<Matches, ReadError> {
        let after = self.sequence_from.unwrap_or(1).saturating_sub(1);
        let mut reader = match Reader::open(source, Cursor::after(after)) {
            // A range that has not begun yet.
            Err(ReadError::CursorAhead { .. }) => return Ok(Matches::default()),
            other => other?,
        };
        let least = self.written_from_ns.map(time_text);
        let most = self.written_to_ns.map(time_text);
        let values = self.id.as_ref().map(|id| {
            let text = serde_json::Value::from(id.as_str()).to_string();
            [format!("\"id\":{text}"), format!("\"alert\":{text}")]
        });
        // What is written meanwhile is not waited for.
        let end = self.sequence_to.unwrap_or(u64::MAX).min(reader.head().sequence);
        let mut matches = Matches::default();
        loop {
            match reader.next()? {
                Step::Entry(entry, _) if entry.sequence > end => break,
                Step::Entry(entry, _) => {
                    matches.seen = matches.seen.saturating_add(1);
                    let at = entry.written;
                    let meant = (self.classes.is_empty() || self.classes.contains(&entry.class))
                        && (self.severity_least.is_none() || entry.severity >= self.severity_least)
                        && least.as_ref().is_none_or(|least| at >= least.as_str())
                        && most.as_ref().is_none_or(|most| at <= most.as_str())
                        && (self.id.as_ref().is_none_or(|id| entry.id == id)
                            || values
                                .as_ref()
                                .is_some_and(|values| values.iter().any(|value| entry.record.contains(value))));
                    let last = entry.sequence == end;
                    if meant {
                        matches.matched = matches.matched.saturating_add(1);
                        if take(&entry).is_break() {
                            break;
                        }
                    }
                    if last {
                        break;
                    }
                }
                Step::Lost(lost, _) => {
                    let to = lost.to.min(end);
                    matches.lost = matches.lost.saturating_add(to.saturating_add(1).saturating_sub(lost.from));
                    if lost.to >= end {
                        break;
                    }
                }
                Step::Nothing => break,
            }
        }
        Ok(matches)
    }

    /// Writes the line of every record that is meant.
    ///
    /// # Errors
    /// [`ExportError`] if the journal cannot be read, or what is written to takes no more.
    pub fn export<S: Source>(&self, source: S, out: &mut impl Write) -> Result<Matches, ExportError> {
        let mut failed = None;
        let matches = self.query(source, |entry| {
            match out.write_all(entry.line.as_bytes()).and_then(|()| out.write_all(b"\n")) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        match failed {
            Some(error) => Err(ExportError::Write(error)),
            None => out.flush().map(|()| matches).map_err(ExportError::Write),
        }
    }
}

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What is written to takes no more.
    #[error("the export cannot be written: {0}")]
    Write(io::Error),
}
