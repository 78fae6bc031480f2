//! Where an output's records come from.

use crate::record::Entry;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A record.
    Entry(Box<Entry>),
    /// Records that the journal no longer holds: both sequences are lost, and all between.
    Lost {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Nothing for now.
    Nothing,
}

/// Why nothing can be read, or a cursor cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FeedError(pub String);

/// A reader of the journal with a cursor of its own, for one output.
pub trait Feed: Send {
    /// What comes after what was answered last. The first answer after a start is what follows the cursor.
    ///
    /// # Errors
    /// The journal cannot be read; asking again later may help.
    fn next(&mut self) -> Result<Step, FeedError>;

    /// The receiver has every record up to a sequence: after a start, reading goes on behind it.
    ///
    /// # Errors
    /// The cursor cannot be kept; after a start some records may be read again.
    fn acknowledge(&mut self, sequence: u64) -> Result<(), FeedError>;
}
