//! `FileSource`: one capture, plain or compressed, from a file or standard input, read in blocks that become batches.

use super::block::{Block, Patience};
use super::classic::{Classic, Variant};
use super::error::{Error, shown};
use super::foreign;
use super::ng::{self, Ng};
use super::packing::Packing;
use super::snoop::{self, Snoop};
use super::source::{Fill, Found, FrameSource, Progress, Scan, Stop};
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use yagura_core::frame::FrameBatch;
use yagura_rules::facts::event::FrameRef;

/// Octets in a block when there is one capture: large enough that a read costs nothing a frame, small enough to stay in
/// a core's cache.
pub(super) const BLOCK_OCTETS: usize = 256 << 10;

/// Octets in a block when there are several: every capture has one.
pub(super) const SMALL_BLOCK_OCTETS: usize = 64 << 10;

/// Octets looked at to tell a foreign file.
const START_OCTETS: usize = 512;

/// The name of standard input in messages.
const INPUT_NAME: &str = "standard input";

/// One capture.
pub(super) struct FileSource {
    /// As [`shown`].
    path: String,
    block: Block,
    format: Format,
    /// The last frame handed over.
    last: FrameRef,
    /// Octets still to be thrown away.
    skip: u64,
    /// The compression, if there is one.
    packing: Option<Packing>,
    state: State,
    read: Arc<AtomicU64>,
    total: Option<u64>,
}

/// Where a source is in its life.
enum State {
    /// There may be more frames.
    Reading,
    /// There are none, and this is still to be told.
    Failed(Error),
    /// There are none.
    Ended,
}

enum Format {
    Classic(Classic),
    Ng(Ng),
    Snoop(Snoop),
}

impl FileSource {
    /// Opens the file at `path` as the capture of that index; `-` is standard input.
    pub(super) fn open(path: &Path, capture: u16, block_octets: usize) -> Result<Self, Error> {
        if path.as_os_str() == "-" {
            let input = io::stdin();
            if input.is_terminal() {
                return Err(Error::Terminal);
            }
            let place = Place { shown: INPUT_NAME.to_owned(), path, capture, total: None };
            return Self::of_reader(place, Box::new(input), block_octets);
        }
        let of_open = |error: io::Error| Error::of_open(path, &error);
        let metadata = fs::metadata(path).map_err(of_open)?;
        let shown_path = shown(&path.to_string_lossy());
        if metadata.is_dir() {
            return Err(Error::Directory { path: shown_path });
        }
        if !metadata.is_file() {
            return Err(Error::NotFile { path: shown_path, what: what_else(&metadata) });
        }
        let file = File::open(path).map_err(of_open)?;
        let place = Place { shown: shown_path, path, capture, total: Some(metadata.len()) };
        Self::of_reader(place, Box::new(file), block_octets)
    }

    /// A capture of these octets; with `step`, they come as from standard input, so many at a time.
    #[cfg(test)]
    pub(super) fn of_octets(octets: &[u8], block_octets: usize, step: Option<usize>) -> Result<Self, Error> {
        let total = step.is_none().then_some(u64::try_from(octets.len()).unwrap_or(u64::MAX));
        let place = Place { shown: "test".to_owned(), path: Path::new("test"), capture: 0, total };
        let reader = io::Cursor::new(octets.to_vec());
        let reader: Box<dyn Read + Send> = match step {
            Some(step) => Box::new(tests::Dribble { reader, step, interrupted: false }),
            None => Box::new(reader),
        };
        Self::of_reader(place, reader, block_octets)
    }

    /// Reads as much as tells what it is.
    fn of_reader(place: Place<'_>, reader: Box<dyn Read + Send>, block_octets: usize) -> Result<Self, Error> {
        let read = Arc::new(AtomicU64::new(0));
        let counted = Box::new(Counted { reader, read: Arc::clone(&read) });
        // A file gives all that is asked for; standard input what has come so far, and that must not wait for more.
        let patience = if place.total.is_some() { Patience::UntilFull } else { Patience::UntilEnough };
        let mut block = Block::new(counted, block_octets, patience);
        block.want(ng::MAGIC.len());
        let packing = Packing::of(block.unread());
        if let Some(packing) = packing {
            block = block
                .unpacked(packing, block_octets)
                .map_err(|error| Error::Open { path: place.shown.clone(), reason: shown(&error.to_string()) })?;
            block.want(ng::MAGIC.len());
        }
        let mut source = Self {
            path: place.shown.clone(),
            block,
            format: Format::Ng(Ng::new()),
            last: FrameRef { capture: place.capture, frame: 0 },
            skip: 0,
            packing,
            state: State::Reading,
            read,
            total: place.total,
        };
        source.format = source.recognise(place.path)?;
        Ok(source)
    }

    /// Tells the format, and reads the file header where it has one. All errors are of the header.
    fn recognise(&mut self, path: &Path) -> Result<Format, Error> {
        let Some(&magic) = self.block.unread().first_chunk::<4>() else {
            return Err(if self.block.unread().is_empty() && self.block.broken.is_none() {
                Error::Empty { path: self.path.clone() }
            } else {
                self.breaks_off(0)
            });
        };
        let unsupported = |what| Error::Unsupported { path: self.path.clone(), what, octet: 4 };
        if magic == ng::MAGIC {
            return Ok(Format::Ng(Ng::new()));
        }
        let (format, octets) = if let Some(variant) = Variant::of(magic) {
            if !self.block.want(variant.file_header_octets) {
                return Err(self.breaks_off(0));
            }
            let classic = Classic::open(variant, self.block.unread()).map_err(unsupported)?;
            (Format::Classic(classic), variant.file_header_octets)
        } else if snoop::MAGIC.starts_with(&magic) {
            if !self.block.want(snoop::FILE_HEADER_OCTETS) {
                return Err(self.breaks_off(0));
            }
            if !self.block.unread().starts_with(&snoop::MAGIC) {
                return Err(self.foreign(path));
            }
            let opened = Snoop::open(self.block.unread());
            (Format::Snoop(opened.map_err(unsupported)?), snoop::FILE_HEADER_OCTETS)
        } else {
            self.block.want(START_OCTETS);
            return Err(self.foreign(path));
        };
        self.block.pass(octets);
        Ok(format)
    }

    /// That it is no capture.
    fn foreign(&self, path: &Path) -> Error {
        let unread = self.block.unread();
        let start = unread.get(..START_OCTETS).unwrap_or(unread);
        Error::Foreign { path: self.path.clone(), looks_like: foreign::looks_like(path, start) }
    }

    /// That there is nothing more to read, although there must be: why. `frame` is the first that is not whole.
    fn breaks_off(&mut self, frame: u64) -> Error {
        let path = self.path.clone();
        let octet = self.block.offset_of_end();
        match (self.block.broken.take(), self.packing) {
            (None, _) => Error::Cut { path, octet, frame },
            (Some(error), Some(packing)) => {
                let reason = if error.kind() == io::ErrorKind::UnexpectedEof {
                    "it is cut short".to_owned()
                } else {
                    shown(&error.to_string())
                };
                Error::Packed { path, format: packing.name(), octet, frame, reason }
            }
            (Some(error), None) => Error::Read { path, octet, frame, reason: shown(&error.to_string()) },
        }
    }

    /// Finds frames in what is there of the block, and reads on where there is none. `None`: there are no more.
    fn find(&mut self, batch: &mut FrameBatch, frames_max: usize) -> Result<Option<usize>, Error> {
        loop {
            if self.skip > 0 && !self.skip() {
                return Err(self.breaks_off(self.last.frame.saturating_add(1)));
            }
            let begin = self.block.begin;
            let octets = self.block.octets.get(..self.block.end).unwrap_or_default();
            let mut found = Found::after(self.last, &mut batch.frames, frames_max);
            let Scan { reached, stop } = match &mut self.format {
                Format::Classic(classic) => classic.scan(octets, begin, &mut found),
                Format::Ng(ng) => ng.scan(octets, begin, &mut found),
                Format::Snoop(snoop) => snoop.scan(octets, begin, &mut found),
            };
            self.last = found.last();
            let next = self.last.frame.saturating_add(1);
            let octet = self.block.offset(reached);
            // The rest of the block still has the octets of the frames: it stays as it is when there are any.
            let any = !batch.frames.is_empty();
            match stop {
                Stop::Full => {}
                Stop::Needs(wanted) => {
                    if !any {
                        self.block.begin = reached;
                        if self.block.want(wanted) {
                            continue;
                        }
                        let may_end = match &self.format {
                            Format::Ng(ng) => ng.may_end(),
                            Format::Classic(_) | Format::Snoop(_) => true,
                        };
                        if may_end && self.block.unread().is_empty() && self.block.broken.is_none() {
                            return Ok(None);
                        }
                        return Err(self.breaks_off(next));
                    }
                }
                Stop::Skips(count) => self.skip = count,
                Stop::Damaged(what) => {
                    self.state = State::Failed(Error::Damaged { path: self.path.clone(), octet, frame: next, what });
                }
                Stop::Unsupported(what) => {
                    self.state = State::Failed(Error::Unsupported { path: self.path.clone(), what, octet });
                }
            }
            if any {
                return Ok(Some(reached));
            }
            self.block.begin = reached;
            if let State::Failed(error) = std::mem::replace(&mut self.state, State::Reading) {
                return Err(error);
            }
        }
    }

    /// Throws away what is to be thrown away; whether there was so much.
    fn skip(&mut self) -> bool {
        while self.skip > 0 {
            if !self.block.want(1) {
                return false;
            }
            let here = self.block.unread().len();
            let count = usize::try_from(self.skip).unwrap_or(usize::MAX).min(here);
            self.block.pass(count);
            self.skip = self.skip.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        }
        true
    }
}

impl FrameSource for FileSource {
    fn fill(&mut self, batch: &mut FrameBatch, frames_max: usize) -> Result<Fill, Error> {
        batch.frames.clear();
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Reading => self.state = State::Reading,
            State::Failed(error) => return Err(error),
            State::Ended => return Ok(Fill::End),
        }
        match self.find(batch, frames_max.max(1)) {
            Ok(Some(reached)) => {
                self.block.hand_over(batch, reached);
                Ok(Fill::Frames)
            }
            Ok(None) => {
                self.state = State::Ended;
                Ok(Fill::End)
            }
            Err(error) => {
                self.state = State::Ended;
                Err(error)
            }
        }
    }

    fn progress(&self) -> Option<Progress> {
        let read = self.read.load(Ordering::Relaxed);
        // A file that is still written may give more than it had.
        self.total.map(|total| Progress { read: read.min(total), total })
    }

    fn frames_without_time(&self) -> u64 {
        match &self.format {
            Format::Ng(ng) => ng.frames_without_time,
            Format::Classic(_) | Format::Snoop(_) => 0,
        }
    }
}

/// Where a capture is read from.
struct Place<'a> {
    shown: String,
    path: &'a Path,
    capture: u16,
    total: Option<u64>,
}

/// A reader that counts what it gives.
struct Counted {
    reader: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(room)?;
        self.read.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(count)
    }
}

/// What something is that is neither file nor directory.
#[cfg(unix)]
fn what_else(metadata: &fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// What something is that is neither file nor directory.
#[cfg(not(unix))]
fn what_else(_: &fs::Metadata) -> &'static str {
    "a device"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives little at a time, and is interrupted before each.
    pub(super) struct Dribble {
        pub(super) reader: io::Cursor<Vec<u8>>,
        pub(super) step: usize,
        pub(super) interrupted: bool,
    }

    impl Read for Dribble {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            self.interrupted = !self.interrupted;
            if self.interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let octets = room.len().min(self.step);
            self.reader.read(&mut room[..octets])
        }
    }
}
