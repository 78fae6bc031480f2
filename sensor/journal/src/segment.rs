//! Segments: their names, and what is in them.

use crate::class::{Counts, Kind, PerKind};
use crate::gap::GapRecord;
use crate::line::{Entry, Row, number, time_ns};
use crate::lines::Lines;
use crate::storage::Source;
use std::io;

/// How the name of a segment ends.
const END: &str = ".jsonl";

/// The name of the segment that begins with this number.
pub(crate) fn segment_name(first: u64) -> String {
    format!("{first:020}{END}")
}

/// The number with which the segment of this name begins; `None` if it is no segment's name.
pub(crate) fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(END)?;
    let shortest = digits.trim_start_matches('0');
    (digits.len() == 20).then(|| number(if shortest.is_empty() { "0" } else { shortest }))?
}

/// The first numbers of all segments of a folder, in order, with their lengths.
pub(crate) fn segments<S: Source>(source: &S) -> io::Result<Vec<(u64, u64)>> {
    let mut found: Vec<(u64, u64)> =
        source.list()?.into_iter().filter_map(|file| Some((segment_first(&file.name)?, file.octets))).collect();
    found.sort_unstable();
    Ok(found)
}

/// What a segment has of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Group {
    pub(crate) count: u64,
    /// Octets of lines, newlines included.
    pub(crate) octets: u64,
    /// When the newest was written, in ns since 1970.
    pub(crate) newest_ns: u64,
}

/// What is in a segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Contents {
    pub(crate) groups: PerKind<Group>,
    /// What its stubs stand for.
    pub(crate) stubs: Counts,
    /// The last number.
    pub(crate) last: u64,
    /// All that was ever removed from the front, by the last record in it that says so.
    pub(crate) front: Option<Counts>,
    /// Lines that are none: the segment is left as it is, as evidence.
    pub(crate) damaged: bool,
}

impl Contents {
    /// Takes a record into account whose line has so many octets, newline included.
    pub(crate) fn take(&mut self, kind: Kind, octets: u64, written_ns: u64, sequence: u64) {
        let group = self.groups.of(kind);
        group.count = group.count.saturating_add(1);
        group.octets = group.octets.saturating_add(octets);
        group.newest_ns = group.newest_ns.max(written_ns);
        self.last = sequence;
    }

    /// As [`Contents::take`], of a line that was read.
    pub(crate) fn take_entry(&mut self, entry: &Entry<'_>) {
        let octets = u64::try_from(entry.line.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.take(entry.kind(), octets, time_ns(entry.written).unwrap_or(0), entry.sequence);
        if entry.kind() == Kind::Gap
            && let Some(front) = GapRecord::parse(entry.record).and_then(|gap| gap.front)
        {
            self.front = Some(front);
        }
    }

    /// How many records it has of each kind.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for kind in Kind::ALL {
            counts.add(kind, self.groups.get(kind).count);
        }
        counts
    }

    /// Reads a segment up to `next`, the first number of the segment after it.
    pub(crate) fn scan<S: Source>(source: &S, first: u64, next: u64) -> io::Result<Self> {
        let mut contents = Self::default();
        let mut lines = Lines::new(source.open(&segment_name(first))?, 0);
        while let Some(line) = lines.next(source, u64::MAX)? {
            match Row::parse(line.octets) {
                Ok(row) if row.first() >= next => break,
                Ok(Row::Entry(entry)) => contents.take_entry(&entry),
                Ok(Row::Stub(stub)) => {
                    contents.stubs.merge(&stub.counts);
                    contents.last = stub.to;
                }
                Err(_) => contents.damaged = true,
            }
        }
        Ok(contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways_and_only_one_is_a_segments() {
        for first in [1, 42, u64::MAX] {
            assert_eq!(segment_first(&segment_name(first)), Some(first));
        }
        assert_eq!(segment_name(1), "00000000000000000001.jsonl");
        for other in
            ["1.jsonl", "00000000000000000001.torn", "0000000000000000000a.jsonl", "99999999999999999999.jsonl", "head"]
        {
            assert_eq!(segment_first(other), None, "{other}");
        }
    }
}
