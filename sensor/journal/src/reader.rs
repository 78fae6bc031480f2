//! The reader: what was acknowledged, in order, from a cursor on.

use crate::class::Counts;
use crate::cursor::Cursor;
use crate::head::Head;
use crate::line::{Entry, Row};
use crate::lines::Lines;
use crate::segment::{segment_name, segments};
use crate::storage::Source;
use std::io;
use std::ops::Range;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// A record, and the cursor that stands after it: to be saved once the record is done with.
    Entry(Entry<'a>, Cursor),
    /// Records that are not there any more, or are damaged. Told once.
    Lost(Lost, Cursor),
    /// Nothing for now.
    Nothing,
}

/// Records that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// How many of each kind, where that is known.
    pub counts: Option<Counts>,
}

/// Why nothing can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk says no.
    #[error("the journal cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The cursor is of another journal, or the journal was put back to an older state.
    #[error("the cursor stands after record {cursor}, but the journal ends with {journal}: it is of another journal")]
    CursorAhead {
        /// Where the cursor stands.
        cursor: u64,
        /// Where the journal ends.
        journal: u64,
    },
}

/// Reads a journal while it is written, by this process or another. It gives out what stands there: that it is genuine
/// says only [`crate::verify`].
pub struct Reader<S: Source> {
    source: S,
    /// The last record that was given out or told lost.
    sequence: u64,
    /// Where `sequence` is believed to stand, until it is found.
    hint: Option<Cursor>,
    /// How far may be read.
    head: Head,
    segment: Option<Open<S::File>>,
    /// Up to where the journal went when the segment was opened anew, for want of the next record.
    reopened: u64,
}

/// The segment that is read.
struct Open<F> {
    first: u64,
    /// The first number of the segment after it, once there is one.
    next: Option<u64>,
    lines: Lines<F>,
}

/// What a look at the open segment gives.
enum Found {
    /// A record, and where its line stands in the buffer.
    Entry(Range<usize>),
    Lost(Lost),
    /// Nothing that is new: look again.
    Passed,
    /// No whole line that may be read.
    End,
}

/// How often a segment is looked for that goes away at the same time.
const TRIES: u32 = 4;

impl<S: Source> Reader<S> {
    /// Reads from the cursor on; [`Cursor::START`]: from the oldest record.
    ///
    /// # Errors
    /// [`ReadError`] if the folder cannot be read, or the cursor is of another journal.
    pub fn open(source: S, cursor: Cursor) -> Result<Self, ReadError> {
        let hint = (cursor.offset > 0).then_some(cursor);
        let sequence = cursor.sequence;
        let mut reader = Self { source, sequence, hint, head: Head::default(), segment: None, reopened: 0 };
        reader.look()?;
        Ok(reader)
    }

    /// The next record, or what became of it. Cheap when there is nothing: one small file is read.
    ///
    /// # Errors
    /// [`ReadError`]; it may be asked again.
    #[allow(clippy::should_implement_trait, reason = "a step borrows from the reader, which no iterator's item can")]
    pub fn next(&mut self) -> Result<Step<'_>, ReadError> {
        let mut tries = 0_u32;
        // Each round gives something out, passes over a line, opens a later segment, or is counted.
        loop {
            if self.sequence >= self.head.sequence {
                self.look()?;
                if self.sequence >= self.head.sequence {
                    return Ok(Step::Nothing);
                }
            }
            if self.segment.is_none() {
                if let Some(lost) = self.open_segment()? {
                    return Ok(Step::Lost(lost, self.cursor()));
                }
                tries = tries.saturating_add(1);
                if self.segment.is_none() && tries >= TRIES {
                    return Ok(Step::Nothing);
                }
            }
            match self.look_at_segment()? {
                Found::Passed => {}
                Found::Entry(range) => return Ok(self.entry(range)),
                Found::Lost(lost) => return Ok(Step::Lost(lost, self.cursor())),
                Found::End => {
                    let wanted = self.sequence.saturating_add(1);
                    let next = self.segment_after()?;
                    if next.is_some_and(|next| next <= wanted) {
                        self.segment = None;
                    } else if self.reopened < self.head.sequence {
                        // The segment may have been begun anew under its name since it was opened.
                        self.reopened = self.head.sequence;
                        self.segment = None;
                    } else if let Some(next) = next {
                        self.segment = None;
                        let lost = self.lose(next.saturating_sub(1), None);
                        return Ok(Step::Lost(lost, self.cursor()));
                    } else {
                        return Ok(Step::Nothing);
                    }
                }
            }
        }
    }

    /// Where it stands: after all that was given out.
    pub fn cursor(&self) -> Cursor {
        match &self.segment {
            Some(open) => Cursor { sequence: self.sequence, segment: open.first, offset: open.lines.offset() },
            None => Cursor::after(self.sequence),
        }
    }

    /// How far the journal was acknowledged when it was last looked at.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The record whose line stands there.
    fn entry(&self, range: Range<usize>) -> Step<'_> {
        let line = self.segment.as_ref().map_or::<&[u8], _>(&[], |open| open.lines.octets(range));
        match Row::parse(line) {
            Ok(Row::Entry(entry)) => Step::Entry(entry, self.cursor()),
            _ => Step::Nothing,
        }
    }

    /// Tells all up to `to` lost.
    const fn lose(&mut self, to: u64, counts: Option<Counts>) -> Lost {
        let from = self.sequence.saturating_add(1);
        self.sequence = to;
        Lost { from, to, counts }
    }

    /// Looks how far may be read.
    fn look(&mut self) -> Result<(), ReadError> {
        // A damaged or missing head is one that is about to be written.
        if let Some(head) = Head::load(&self.source)? {
            if head.sequence < self.sequence {
                return Err(ReadError::CursorAhead { cursor: self.sequence, journal: head.sequence });
            }
            self.head = head;
        }
        Ok(())
    }

    /// Opens the segment in which the next record stands, or tells that there is none.
    fn open_segment(&mut self) -> Result<Option<Lost>, ReadError> {
        let wanted = self.sequence.saturating_add(1);
        let found = segments(&self.source)?;
        let Some((first, _)) = found.iter().rev().find(|(first, _)| *first <= wanted) else {
            // All that was to be read may be gone, and the journal far ahead.
            self.look()?;
            let oldest = found.first().map(|(first, _)| *first).filter(|first| *first <= self.head.sequence);
            return Ok(oldest.map(|first| self.lose(first.saturating_sub(1), None)));
        };
        let file = match self.source.open(&segment_name(*first)) {
            Ok(file) => file,
            // Removed since it was listed: the next round sees.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let next = found.iter().map(|(other, _)| *other).find(|other| other > first);
        let hint = self.hint.take().filter(|hint| hint.segment == *first && hint.sequence == self.sequence);
        let offset = match hint {
            Some(hint) if self.is_right(&file, hint)? => hint.offset,
            _ => 0,
        };
        self.segment = Some(Open { first: *first, next, lines: Lines::new(file, offset) });
        Ok(None)
    }

    /// Whether a hint points to the line after its record: a segment that was rewritten has its lines elsewhere.
    fn is_right(&self, file: &S::File, hint: Cursor) -> Result<bool, ReadError> {
        let mut before = [0];
        if self.source.read_at(file, hint.offset.saturating_sub(1), &mut before)? != 1 || before != *b"\n" {
            return Ok(false);
        }
        // So much of a line tells its number.
        let mut start = [0; 64];
        let read = self.source.read_at(file, hint.offset, &mut start)?;
        let wanted = hint.sequence.saturating_add(1);
        let record = format!("{{\"sequence\":{wanted},");
        let stub = format!("{{\"removed\":{{\"from\":{wanted},");
        let start = start.get(..read).unwrap_or_default();
        Ok(start.starts_with(record.as_bytes()) || start.starts_with(stub.as_bytes()))
    }

    /// Reads a line of the open segment.
    fn look_at_segment(&mut self) -> Result<Found, ReadError> {
        let Some(open) = &mut self.segment else { return Ok(Found::Passed) };
        // In the segment that is written, what stands after the acknowledged may yet change. In one that was left, it does
        // not belong from the next one's first record on.
        let limit = if open.first == self.head.segment { self.head.octets } else { u64::MAX };
        if open.next.is_none() && open.first < self.head.segment {
            let found = segments(&self.source)?;
            open.next =
                found.iter().map(|(other, _)| *other).find(|other| *other > open.first).or(Some(self.head.segment));
        }
        let Some(range) = open.lines.advance(&self.source, limit)? else { return Ok(Found::End) };
        let wanted = self.sequence.saturating_add(1);
        // A damaged line is passed over: the number of the next one tells what is lost.
        let Ok(row) = Row::parse(open.lines.octets(range.clone())) else { return Ok(Found::Passed) };
        let (first, last) = (row.first(), row.last());
        if open.next.is_some_and(|next| first >= next) {
            return Ok(Found::End);
        }
        if last < wanted {
            return Ok(Found::Passed);
        }
        if let Row::Stub(stub) = row {
            let counts = (stub.from == wanted).then_some(stub.counts);
            return Ok(Found::Lost(self.lose(last, counts)));
        }
        if first > wanted {
            // The line itself is for the next call.
            open.lines.back_to(range);
            return Ok(Found::Lost(self.lose(first.saturating_sub(1), None)));
        }
        self.sequence = last;
        Ok(Found::Entry(range))
    }

    /// The first number of the segment after the open one, if some of it may be read.
    fn segment_after(&self) -> Result<Option<u64>, ReadError> {
        let Some(open) = &self.segment else { return Ok(None) };
        let found = segments(&self.source)?;
        Ok(found.iter().map(|(first, _)| *first).find(|first| *first > open.first && *first <= self.head.sequence))
    }
}
