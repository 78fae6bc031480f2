//! The captures that the arguments name, opened: files and standard input, plain or compressed, one or several.

mod block;
mod classic;
pub mod error;
mod file;
mod foreign;
mod merge;
mod ng;
mod order;
mod packing;
mod snoop;
pub mod source;

use error::Error;
use file::FileSource;
use merge::Merged;
use source::{Fill, FrameSource, Progress};
use std::collections::VecDeque;
use std::path::PathBuf;
use yagura_core::frame::FrameBatch;
use yagura_rules::facts::time::Timestamp;

/// How far captures are read; by default to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// The first frame later than this ends the timeline, and is not part of it.
    pub until: Option<Timestamp>,
    /// The timeline ends after so many frames.
    pub frames: Option<u64>,
}

/// The captures named, as one timeline.
///
/// Frames are numbered by capture (from 0, in the order of the arguments) and by their place in its file (from 1; every
/// record that holds a packet counts, whatever its link type). Several captures are merged by time, ties in the
/// order of the arguments. Damage in one ends that one; it is told, once, after the last frame of the timeline: see
/// [`FrameSource::fill`]. What lies beyond the extent is not looked at, and not told.
pub struct Captures {
    timeline: Timeline,
    extent: Extent,
    ended: bool,
    damages: VecDeque<Error>,
}

enum Timeline {
    /// A capture by itself: its blocks become batches as they are.
    One(Box<FileSource>),
    /// Several: their frames are copied.
    Many(Merged),
}

/// Opens the captures at `paths`, in their order; `-` is standard input, which may be named once.
///
/// # Errors
/// The first, in the order of the arguments, of those that cannot be opened, are empty, or are no captures by their
/// first octets. Nothing is read beyond what tells that: damage behind it is found by [`FrameSource::fill`].
pub fn open(paths: &[PathBuf], extent: Extent) -> Result<Captures, Error> {
    if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Error::InputTwice);
    }
    let timeline = if let [path] = paths {
        Timeline::One(Box::new(FileSource::open(path, 0, file::BLOCK_OCTETS)?))
    } else {
        let max = usize::from(u16::MAX).saturating_add(1);
        let too_many = |_| Error::TooMany { count: paths.len(), max };
        let open_one = |(index, path): (usize, &PathBuf)| {
            let capture = u16::try_from(index).map_err(too_many)?;
            FileSource::open(path, capture, file::SMALL_BLOCK_OCTETS)
        };
        if paths.len() > max {
            return Err(Error::TooMany { count: paths.len(), max });
        }
        let sources = paths.iter().enumerate().map(open_one).collect::<Result<Vec<_>, _>>()?;
        Timeline::Many(Merged::new(sources, extent.until))
    };
    Ok(Captures { timeline, extent, ended: false, damages: VecDeque::new() })
}

impl Captures {
    /// The next frames within the extent, of which at most `frames_max` are wanted.
    fn next(&mut self, batch: &mut FrameBatch, frames_max: usize) -> Result<Fill, Error> {
        let left = self.extent.frames.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        if left == 0 {
            batch.clear();
            return Ok(Fill::End);
        }
        let frames_max = frames_max.max(1).min(left);
        let fill = match &mut self.timeline {
            Timeline::One(source) => source.fill(batch, frames_max)?,
            Timeline::Many(merged) => merged.fill(batch, frames_max),
        };
        if let Some(until) = self.extent.until
            && let Some(late) = batch.frames.iter().position(|head| head.time > until)
        {
            batch.frames.truncate(late);
            self.extent.frames = Some(0);
        }
        let count = u64::try_from(batch.frames.len()).unwrap_or(u64::MAX);
        self.extent.frames = self.extent.frames.map(|left| left.saturating_sub(count));
        Ok(if batch.frames.is_empty() { Fill::End } else { fill })
    }
}

impl FrameSource for Captures {
    fn fill(&mut self, batch: &mut FrameBatch, frames_max: usize) -> Result<Fill, Error> {
        if !self.ended {
            if self.next(batch, frames_max)? == Fill::Frames {
                return Ok(Fill::Frames);
            }
            self.ended = true;
            if let Timeline::Many(merged) = &mut self.timeline {
                self.damages = merged.damages().into();
            }
        }
        batch.clear();
        self.damages.pop_front().map_or(Ok(Fill::End), Err)
    }

    fn progress(&self) -> Option<Progress> {
        match &self.timeline {
            Timeline::One(source) => source.progress(),
            Timeline::Many(merged) => merged.progress(),
        }
    }

    fn frames_without_time(&self) -> u64 {
        match &self.timeline {
            Timeline::One(source) => source.frames_without_time(),
            Timeline::Many(merged) => merged.frames_without_time(),
        }
    }
}

#[cfg(test)]
mod tests;
