//! Reads a file line by line, with bounded memory.

use crate::line::LINE_OCTETS_MAX;
use crate::storage::Source;
use std::io::{self, BufRead};
use std::ops::Range;

/// Octets that are asked of the file at once.
const PIECE_OCTETS: usize = 256 * 1024;

/// The lines of one file, from an offset on.
pub(crate) struct Lines<F> {
    file: F,
    buffer: Vec<u8>,
    /// What is read and not yet given out.
    held: Range<usize>,
    /// Where in the file the next line begins.
    offset: u64,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Where in the file it begins.
    pub(crate) offset: u64,
    /// Without its newline. What is longer than [`LINE_OCTETS_MAX`] comes in pieces, which are no lines of a journal.
    pub(crate) octets: &'a [u8],
}

impl<F> Lines<F> {
    /// Of `file`, from `offset` on, which must be where a line begins.
    pub(crate) const fn new(file: F, offset: u64) -> Self {
        Self { file, buffer: Vec::new(), held: 0..0, offset }
    }

    /// Where in the file the next line begins.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// The octets of a line that was given out last.
    pub(crate) fn octets(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// Lets the line that was given out last be the next one again.
    pub(crate) fn back_to(&mut self, line: Range<usize>) {
        let octets = self.held.start.saturating_sub(line.start);
        self.held.start = line.start;
        self.offset = self.offset.saturating_sub(u64::try_from(octets).unwrap_or(0));
    }

    /// The next whole line that ends before `limit` in the file; `None` if there is none (yet).
    pub(crate) fn next<S: Source<File = F>>(&mut self, source: &S, limit: u64) -> io::Result<Option<Line<'_>>> {
        let offset = self.offset;
        Ok(self.advance(source, limit)?.map(|range| Line { offset, octets: self.octets(range) }))
    }

    /// As [`Lines::next`]; answers where the line stands for [`Lines::octets`], until the next call.
    pub(crate) fn advance<S: Source<File = F>>(&mut self, source: &S, limit: u64) -> io::Result<Option<Range<usize>>> {
        let mut looked = 0_usize;
        loop {
            let held = self.buffer.get(self.held.clone()).unwrap_or_default();
            let mut rest = held.get(looked..).unwrap_or_default();
            let skipped = rest.skip_until(b'\n')?;
            let length = looked.saturating_add(skipped);
            let whole = skipped > 0 && held.get(length.saturating_sub(1)) == Some(&b'\n');
            if whole || length >= LINE_OCTETS_MAX {
                let start = self.held.start;
                self.held.start = start.saturating_add(length);
                self.offset = self.offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
                return Ok(Some(start..self.held.start.saturating_sub(usize::from(whole))));
            }
            looked = length;
            if !self.fill(source, limit)? {
                return Ok(None);
            }
        }
    }

    /// Octets after the last whole line, up to the end of the file.
    pub(crate) fn rest<S: Source<File = F>>(&mut self, source: &S) -> io::Result<u64> {
        let mut room = vec![0; PIECE_OCTETS];
        let mut octets = 0_u64;
        loop {
            let read = source.read_at(&self.file, self.offset.saturating_add(octets), &mut room)?;
            if read == 0 {
                return Ok(octets);
            }
            octets = octets.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
    }

    /// Reads more; `false` if there is no more before `limit`.
    fn fill<S: Source<File = F>>(&mut self, source: &S, limit: u64) -> io::Result<bool> {
        let held = self.held.len();
        let at = self.offset.saturating_add(u64::try_from(held).unwrap_or(u64::MAX));
        let wanted = limit.saturating_sub(at).min(u64::try_from(PIECE_OCTETS).unwrap_or(u64::MAX));
        let wanted = usize::try_from(wanted).unwrap_or(PIECE_OCTETS);
        if wanted == 0 {
            return Ok(false);
        }
        if self.held.start > 0 {
            self.buffer.copy_within(self.held.clone(), 0);
            self.held = 0..held;
        }
        let end = held.saturating_add(wanted);
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        let read = source.read_at(&self.file, at, self.buffer.get_mut(held..end).unwrap_or_default())?;
        self.held.end = held.saturating_add(read);
        Ok(read > 0)
    }
}
