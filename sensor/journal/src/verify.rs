//! Verification: what of a journal is proved to be genuine, what is missing with a reason, and what is wrong.
//!
//! Each line names the hash of the one before it, and a checkpoint is a signature over all lines before it. So, given the
//! public key, nothing before the last checkpoint can have been changed, put in, left out or put in another order by
//! somebody without the private key. What comes after the last checkpoint only an anchor proves: the number and the hash
//! of a line, kept on another machine. An end that was cut off is seen if the anchor, or the file `head`, names a record
//! that is not there. What was removed for quota or retention counts as told only if a later, signed gap record names it.

use crate::class::{Class, Counts};
use crate::gap::{Cause, GapRecord};
use crate::hash::{Hash, Running};
use crate::head::Head;
use crate::key::PublicKey;
use crate::line::{Entry, Row};
use crate::lines::Lines;
use crate::segment::{segment_name, segments};
use crate::storage::Source;
use std::collections::BTreeMap;
use std::fmt;
use std::io;

/// Against what a journal is held.
#[derive(Debug, Clone, Default)]
pub struct Against {
    /// The keys that may have signed it: more than one if the key was changed. Without any, only the chain is looked at.
    pub keys: Vec<PublicKey>,
    /// The number and the hash of a line, kept on another machine.
    pub anchor: Option<(u64, Hash)>,
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Records that are there.
    pub records: u64,
    /// Octets that were read.
    pub octets: u64,
    /// The number of the first record that is there.
    pub first: Option<u64>,
    /// The number and the hash of the last: an anchor, if it is kept on another machine.
    pub last: Option<(u64, Hash)>,
    /// Checkpoints with a good signature of one of the keys.
    pub checkpoints: u64,
    /// The number of the last of them: nothing before it can have been changed without its key.
    pub signed_to: Option<u64>,
    /// The number of the anchor, if its line is there and is the one.
    pub anchored_to: Option<u64>,
    /// Ranges that are missing for quota and retention, as signed gap records tell.
    pub removed: Removed,
    /// Ranges that are missing as the disk lost them, as the journal itself told when it was opened.
    pub damaged: Vec<(u64, u64)>,
    /// Records that were never written for want of room, as gap records tell.
    pub lost: Counts,
    /// Octets after the last record that are no whole line: of a write that is under way, or a crash.
    pub unfinished_octets: u64,
    /// What is wrong, the first [`FAULTS_MAX`].
    pub faults: Vec<Fault>,
    /// How much is wrong.
    pub faults_total: u64,
}

/// What is missing with a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Records.
    pub records: u64,
    /// Of them, those whose kinds are told by what is left: all but those that were removed from the front, and of these
    /// what the last gap record about the front tells.
    pub counts: Counts,
    /// All records up to this one are gone; 0: none.
    pub front_to: u64,
}

/// Faults that a verdict names one by one.
pub const FAULTS_MAX: usize = 1_000;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// In which file; empty if in none.
    pub file: String,
    /// In which line of it, from 1 on; 0 if in none.
    pub line: u64,
    /// Where in the file that line begins.
    pub offset: u64,
    /// What is wrong.
    pub what: What,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A line that is none of a journal.
    Unreadable(&'static str),
    /// The line has another number than the next one.
    Number {
        /// The number that should stand there.
        expected: u64,
        /// The number that stands there.
        found: u64,
    },
    /// The line does not name the hash of the line before it: this one, or the one before, is not what was written.
    Link,
    /// A checkpoint that none of the keys signed.
    Signature,
    /// Octets after the last line that belongs to the segment.
    Excess(u64),
    /// Records are missing, and no gap record tells of it.
    Missing {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Records are missing, and only a gap record that nobody signed tells of it.
    MissingUnsigned {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The anchor's line is another than the anchor says.
    Anchor,
    /// The journal ends before the record that the anchor names.
    EndBeforeAnchor(u64),
    /// The journal ends before the record that `head` says was acknowledged.
    EndBeforeHead(u64),
    /// Keys were given, and not one checkpoint has a good signature.
    NoSignature,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, offset, what } = self;
        if *line > 0 {
            write!(formatter, "{file}, line {line} (octet {offset}): ")?;
        } else if !file.is_empty() {
            write!(formatter, "{file}: ")?;
        }
        match what {
            What::Unreadable(why) => write!(formatter, "no line of a journal: {why}"),
            What::Number { expected, found } => {
                write!(formatter, "record {found} stands where record {expected} belongs")
            }
            What::Link => {
                write!(
                    formatter,
                    "does not name the hash of the line before it: one of the two is not what was written"
                )
            }
            What::Signature => write!(formatter, "a checkpoint that none of the given keys signed"),
            What::Excess(octets) => {
                write!(formatter, "{octets} octets after the last line that belongs to the segment")
            }
            What::Missing { from, to } => {
                write!(formatter, "records {from} to {to} are missing, and nothing tells why")
            }
            What::MissingUnsigned { from, to } => {
                write!(formatter, "records {from} to {to} are missing, and what tells why is not signed")
            }
            What::Anchor => write!(formatter, "is another line than the anchor says"),
            What::EndBeforeAnchor(anchor) => {
                write!(formatter, "the journal ends before record {anchor}, which the anchor names")
            }
            What::EndBeforeHead(head) => {
                write!(formatter, "the journal ends before record {head}, which was acknowledged")
            }
            What::NoSignature => write!(formatter, "not one checkpoint is signed by a given key"),
        }
    }
}

impl Verdict {
    /// Whether all that is there is in order and all that is missing is told with a reason that is no damage. How far that
    /// is proved says [`Verdict::proved_to`].
    pub fn is_clean(&self) -> bool {
        self.faults_total == 0 && self.damaged.is_empty()
    }

    /// The last record that is proved to be genuine, by a signature or by the anchor; 0: none.
    pub fn proved_to(&self) -> u64 {
        self.signed_to.max(self.anchored_to).unwrap_or(0)
    }

    /// What cannot be known from what was given, in words.
    pub fn unknown(&self) -> Vec<String> {
        let mut words = Vec::new();
        let (last, proved) = (self.last.map_or(0, |(last, _)| last), self.proved_to());
        if proved < last {
            let from = proved.saturating_add(1);
            words.push(format!(
                "whether records {from} to {last} are genuine: no good checkpoint stands after them, and no anchor at their end"
            ));
        }
        if self.anchored_to != Some(last) {
            words.push("whether records were cut off at the end: only an anchor on another machine tells".to_owned());
        }
        words
    }
}

/// Verifies a journal, which may be written at the same time. Reads every segment once, with bounded memory.
///
/// # Errors
/// If the folder cannot be read. Whatever is wrong with the journal is in the verdict.
pub fn verify<S: Source>(source: &S, against: &Against) -> io::Result<Verdict> {
    let mut walk =
        Walk { against, verdict: Verdict::default(), expected: 1, previous: Hash::ZERO, holes: BTreeMap::new() };
    let head = Head::load(source)?;
    let mut done = 0_u64;
    let mut list = segments(source)?;
    loop {
        let Some(place) = list.iter().position(|(first, _)| *first > done) else {
            // Segments that were begun meanwhile.
            list = segments(source)?;
            if list.iter().all(|(first, _)| *first <= done) {
                break;
            }
            continue;
        };
        let Some((first, _)) = list.get(place).copied() else { break };
        let next = list.get(place.saturating_add(1)).map(|(next, _)| *next);
        match source.open(&segment_name(first)) {
            Ok(file) => {
                done = first;
                walk.segment(source, file, first, next)?;
            }
            // Removed meanwhile, for which there is a gap record further on.
            Err(error) if error.kind() == io::ErrorKind::NotFound => list = segments(source)?,
            Err(error) => return Err(error),
        }
    }
    Ok(walk.finish(head))
}

/// Why something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hole {
    /// All up to `to` is missing. The hash that the first line names.
    Front { to: u64, last: Hash },
    /// Some of the segment is missing, and stubs stand for it, with this seal.
    Segment { first: u64, seal: Hash },
    /// Between two segments.
    Between { from: u64, to: u64, before: Hash, last: Hash },
}

/// What is known of a hole.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// The range, for the words.
    from: u64,
    to: u64,
    records: u64,
    counts: Counts,
    /// A gap record names it.
    by: Option<Cause>,
    /// A checkpoint after that gap record is signed.
    signed: bool,
}

/// The walk through all lines.
struct Walk<'a> {
    against: &'a Against,
    verdict: Verdict,
    /// The number that the next line has to have.
    expected: u64,
    /// The hash that it has to name.
    previous: Hash,
    /// What is missing so far: at most one a segment, and one before each.
    holes: BTreeMap<Hole, Told>,
}

/// Where a line stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    line: u64,
    offset: u64,
}

impl Walk<'_> {
    /// Notes what is wrong.
    fn fault(&mut self, place: Place<'_>, what: What) {
        self.verdict.faults_total = self.verdict.faults_total.saturating_add(1);
        if self.verdict.faults.len() < FAULTS_MAX {
            let Place { file, line, offset } = place;
            self.verdict.faults.push(Fault { file: file.to_owned(), line, offset, what });
        }
    }

    /// Walks through a segment, up to the first number of the one after it.
    fn segment<S: Source>(&mut self, source: &S, file: S::File, first: u64, mut next: Option<u64>) -> io::Result<()> {
        let name = segment_name(first);
        let mut lines = Lines::new(file, 0);
        let mut place = Place { file: &name, line: 0, offset: 0 };
        let mut stubs = Running::default();
        let mut missing: Option<Told> = None;
        let mut excess = false;
        loop {
            let Some(line) = lines.next(source, u64::MAX)? else {
                // If another was begun meanwhile, what was written to this one before that is read first.
                if next.is_none() {
                    next = segments(source)?.into_iter().map(|(other, _)| other).find(|other| *other > first);
                    if next.is_some() {
                        continue;
                    }
                }
                break;
            };
            place = Place { line: place.line.saturating_add(1), offset: line.offset, ..place };
            let row = match Row::parse(line.octets) {
                Ok(row) => row,
                Err(why) => {
                    self.fault(place, What::Unreadable(why));
                    continue;
                }
            };
            if next.is_some_and(|next| row.first() >= next) {
                excess = true;
                break;
            }
            if place.line == 1 && row.first() == first && first > self.expected {
                self.hole_before(&row);
            }
            self.link(place, &row);
            match &row {
                Row::Entry(entry) => self.entry(place, entry),
                Row::Stub(stub) => {
                    stubs.update(line.octets);
                    stubs.update(b"\n");
                    let told = missing.get_or_insert(Told { from: stub.from, ..Told::default() });
                    told.to = stub.to;
                    let records = stub.to.saturating_sub(stub.from).saturating_add(1);
                    told.records = told.records.saturating_add(records);
                    told.counts.merge(&stub.counts);
                    if stub.counts.total() != records {
                        self.fault(place, What::Unreadable("a stub whose counts are not those of its range"));
                    }
                }
            }
            self.anchor(place, &row);
            self.expected = row.last().saturating_add(1);
            self.previous = row.hash();
        }
        if let Some(told) = missing {
            self.holes.insert(Hole::Segment { first, seal: stubs.finish() }, told);
        }
        let rest = lines.rest(source)?;
        self.verdict.octets = self.verdict.octets.saturating_add(lines.offset()).saturating_add(rest);
        if excess {
            let octets = lines.offset().saturating_sub(place.offset).saturating_add(rest);
            self.fault(place, What::Excess(octets));
        } else if rest > 0 {
            if next.is_some() {
                self.fault(
                    Place { line: place.line.saturating_add(1), offset: lines.offset(), ..place },
                    What::Excess(rest),
                );
            } else {
                self.verdict.unfinished_octets = rest;
            }
        }
        Ok(())
    }

    /// Notes that records are missing before the first line of a segment.
    fn hole_before(&mut self, row: &Row<'_>) {
        let (from, to) = (self.expected, row.first().saturating_sub(1));
        let (before, last) = (self.previous, row.previous());
        let hole = if from == 1 { Hole::Front { to, last } } else { Hole::Between { from, to, before, last } };
        let records = to.saturating_sub(from).saturating_add(1);
        self.holes.insert(hole, Told { from, to, records, ..Told::default() });
        self.expected = row.first();
        self.previous = last;
    }

    /// Holds a line against the one before it.
    fn link(&mut self, place: Place<'_>, row: &Row<'_>) {
        if row.first() != self.expected {
            self.fault(place, What::Number { expected: self.expected, found: row.first() });
        } else if row.previous() != self.previous {
            self.fault(place, What::Link);
        }
    }

    /// Takes a record.
    fn entry(&mut self, place: Place<'_>, entry: &Entry<'_>) {
        self.verdict.records = self.verdict.records.saturating_add(1);
        self.verdict.first.get_or_insert(entry.sequence);
        match entry.class {
            Class::Gap => match GapRecord::parse(entry.record) {
                Some(gap) => self.gap(&gap),
                None => self.fault(place, What::Unreadable("a gap record of another shape")),
            },
            Class::Checkpoint if self.against.keys.iter().any(|key| key.has_signed(entry)) => {
                self.verdict.checkpoints = self.verdict.checkpoints.saturating_add(1);
                // A signature proves what comes before it only if the chain up to it is whole.
                if self.verdict.faults_total == 0 {
                    self.verdict.signed_to = Some(entry.sequence);
                }
                for told in self.holes.values_mut() {
                    told.signed = told.signed || told.by.is_some();
                }
            }
            Class::Checkpoint if !self.against.keys.is_empty() => self.fault(place, What::Signature),
            _ => {}
        }
    }

    /// Takes what a gap record tells.
    fn gap(&mut self, gap: &GapRecord) {
        if gap.cause == Cause::Spill {
            self.verdict.lost.merge(&gap.counts);
        }
        for (hole, told) in &mut self.holes {
            let named = match hole {
                // More may have been meant to go than went before a crash.
                Hole::Front { to, last } => {
                    (gap.from, gap.before) == (Some(1), Some(Hash::ZERO))
                        && (gap.to.is_some_and(|gap_to| gap_to > *to)
                            || (gap.to == Some(*to) && gap.last == Some(*last)))
                }
                Hole::Segment { first, seal } => gap.from == Some(*first) && gap.seal == Some(*seal),
                Hole::Between { from, to, before, last } => {
                    (gap.from, gap.to) == (Some(*from), Some(*to))
                        && (gap.before, gap.last) == (Some(*before), Some(*last))
                }
            };
            if named {
                told.by = Some(gap.cause);
                if matches!(hole, Hole::Front { to, .. } if gap.to == Some(*to)) {
                    told.counts = gap.front.unwrap_or_default();
                }
            }
        }
    }

    /// Holds a line against the anchor.
    fn anchor(&mut self, place: Place<'_>, row: &Row<'_>) {
        let Some((sequence, hash)) = self.against.anchor else { return };
        if row.last() == sequence {
            if row.hash() == hash {
                self.verdict.anchored_to = (self.verdict.faults_total == 0).then_some(sequence);
            } else {
                self.fault(place, What::Anchor);
            }
        }
    }

    /// The verdict.
    fn finish(mut self, head: Option<Head>) -> Verdict {
        let nowhere = Place { file: "", line: 0, offset: 0 };
        let last = self.expected.saturating_sub(1);
        self.verdict.last = (last > 0).then_some((last, self.previous));
        for (hole, told) in std::mem::take(&mut self.holes) {
            let Told { from, to, records, counts, by, signed } = told;
            let removed = &mut self.verdict.removed;
            match by {
                None => self.fault(nowhere, What::Missing { from, to }),
                Some(_) if !signed && !self.against.keys.is_empty() => {
                    self.fault(nowhere, What::MissingUnsigned { from, to })
                }
                Some(Cause::Damage) => self.verdict.damaged.push((from, to)),
                Some(_) => {
                    removed.records = removed.records.saturating_add(records);
                    removed.counts.merge(&counts);
                    if matches!(hole, Hole::Front { .. }) {
                        removed.front_to = to;
                    }
                }
            }
        }
        if let Some((sequence, _)) = self.against.anchor.filter(|(sequence, _)| *sequence > last) {
            self.fault(nowhere, What::EndBeforeAnchor(sequence));
        }
        if let Some(head) = head.filter(|head| head.sequence > last) {
            self.fault(nowhere, What::EndBeforeHead(head.sequence));
        }
        if !self.against.keys.is_empty() && self.verdict.checkpoints == 0 && self.verdict.records > 0 {
            self.fault(nowhere, What::NoSignature);
        }
        self.verdict
    }
}
