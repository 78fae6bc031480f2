//! How a journal fares, and what its disk refuses.

use crate::class::Counts;
use crate::head::Head;
use crate::line::time_text;
use std::fmt;
use std::io;

/// What was asked of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// To begin a segment.
    Create,
    /// To write lines.
    Write,
    /// To bring lines onto the disk.
    Sync,
    /// To bring the name of a new segment onto the disk.
    SyncFolder,
    /// To write `head`.
    Head,
    /// To make room.
    Room,
}

/// The disk did not do what was asked. Nothing is lost by that: see `pending` and `lost`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What was asked.
    pub operation: Operation,
    /// The kind of the answer.
    pub kind: io::ErrorKind,
    /// The answer.
    pub error: String,
    /// Since when nothing was acknowledged, in ns since 1970.
    pub since_ns: u64,
    /// Records that wait in memory.
    pub pending: u64,
    /// Records that found no room in memory and are not yet told of in a gap record.
    pub lost: u64,
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = match self.operation {
            Operation::Create => "begin a segment",
            Operation::Write => "write",
            Operation::Sync => "sync",
            Operation::SyncFolder => "sync its folder",
            Operation::Head => "write `head`",
            Operation::Room => "make room",
        };
        let Self { error, since_ns, pending, lost, .. } = self;
        let since = time_text(*since_ns);
        write!(formatter, "the journal cannot {asked}: {error}; since {since}, {pending} records wait, {lost} are lost")
    }
}

impl std::error::Error for Trouble {}

/// How the journal fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The last record, acknowledged or not.
    pub sequence: u64,
    /// What is acknowledged.
    pub acknowledged: Head,
    /// Records that are not.
    pub pending: u64,
    /// Octets of all segments.
    pub octets: u64,
    /// Segments.
    pub segments: u64,
    /// Octets that are free on the disk, if it tells.
    pub free_octets: Option<u64>,
    /// All records that this writer lost for want of memory while the disk took none.
    pub lost: Counts,
    /// All records that this writer gave up for quota or retention.
    pub removed: Counts,
    /// More than the quota is used, as what may go is held or damaged.
    pub over_quota: bool,
    /// What the disk refuses at present.
    pub trouble: Option<Trouble>,
    /// What refuses to make room at present.
    pub room_trouble: Option<Trouble>,
}
