//! `Block`: the octets of a capture that are being looked at, and where more come from.

use super::packing::Packing;
use std::io::{self, BufReader, Cursor, Read};
use yagura_core::frame::FrameBatch;

/// How long a block waits for octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Until there are as many as were asked for.
    UntilEnough,
    /// Until the block is full.
    UntilFull,
}

/// The octets that are being looked at, and where more come from.
///
/// Frames are found in place, and the block itself goes into the batch: nothing is copied a frame. What is left of it,
/// at most as much as was used, is copied into the next block, which is the batch's old one. Where more than that is
/// left because few frames were asked for, the frames are copied instead. So a call copies no more than it uses, and
/// all calls together no more than the capture has, whatever the size of the batches.
pub(super) struct Block {
    reader: Box<dyn Read + Send>,
    /// All of them are initialised; those before `begin` are used, those from `end` on hold nothing.
    pub(super) octets: Vec<u8>,
    pub(super) begin: usize,
    pub(super) end: usize,
    /// Where `octets` starts in the unpacked data.
    position: u64,
    least_octets: usize,
    patience: Patience,
    /// Whether the reader has no more to give.
    ended: bool,
    /// Why, where it is not because all was read.
    pub(super) broken: Option<io::Error>,
}

impl Block {
    pub(super) fn new(reader: Box<dyn Read + Send>, octets: usize, patience: Patience) -> Self {
        Self {
            reader,
            octets: vec![0; octets],
            begin: 0,
            end: 0,
            position: 0,
            least_octets: octets,
            patience,
            ended: false,
            broken: None,
        }
    }

    /// The block of what is packed in this one, of which nothing is used yet.
    pub(super) fn unpacked(self, packing: Packing, octets: usize) -> io::Result<Self> {
        let start = Cursor::new(self.unread().to_vec());
        let failure = Failure(self.broken);
        let packed = BufReader::with_capacity(octets, start.chain(failure).chain(self.reader));
        Ok(Self::new(packing.unpack(packed)?, octets, Patience::UntilFull))
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.octets.get(self.begin..self.end).unwrap_or_default()
    }

    /// Where the octet at `at` of the block is in the unpacked data.
    pub(super) fn offset(&self, at: usize) -> u64 {
        self.position.saturating_add(u64::try_from(at).unwrap_or(u64::MAX))
    }

    /// How much was read, unpacked.
    pub(super) fn offset_of_end(&self) -> u64 {
        self.offset(self.end)
    }

    /// Marks as used.
    pub(super) fn pass(&mut self, octets: usize) {
        self.begin = self.begin.saturating_add(octets).min(self.end);
    }

    /// Reads on until at least `wanted` octets are unread; false where there are not so many.
    pub(super) fn want(&mut self, wanted: usize) -> bool {
        if self.unread().len() >= wanted {
            return true;
        }
        if self.ended {
            return false;
        }
        // Only part of a record is left here: moving it costs little, and makes room.
        self.octets.copy_within(self.begin..self.end, 0);
        self.position = self.offset(self.begin);
        self.end = self.end.saturating_sub(self.begin);
        self.begin = 0;
        if self.octets.len() < wanted {
            self.octets.resize(wanted, 0);
        }
        while !self.ended && (self.end < wanted || self.patience == Patience::UntilFull) {
            let room = self.octets.get_mut(self.end..).unwrap_or_default();
            if room.is_empty() {
                break;
            }
            match self.reader.read(room) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end = self.end.saturating_add(count).min(self.octets.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.broken = Some(error);
                }
            }
        }
        self.end >= wanted
    }

    /// Gives the octets of the frames, all within `begin` and `reached`, to the batch: see [`Block`].
    pub(super) fn hand_over(&mut self, batch: &mut FrameBatch, reached: usize) {
        let used = reached.saturating_sub(self.begin);
        let left = self.octets.get(reached..self.end).unwrap_or_default();
        if left.len() > used {
            batch.octets.clear();
            batch.octets.extend_from_slice(self.octets.get(self.begin..reached).unwrap_or_default());
            let begin = u32::try_from(self.begin).unwrap_or(u32::MAX);
            for head in &mut batch.frames {
                head.start = head.start.saturating_sub(begin);
            }
            self.begin = reached;
            return;
        }
        let mut next = std::mem::take(&mut batch.octets);
        let octets = self.least_octets.max(left.len());
        if next.len() < octets {
            next.resize(octets, 0);
        }
        if let Some(room) = next.get_mut(..left.len()) {
            room.copy_from_slice(left);
        }
        let left = left.len();
        self.position = self.offset(reached);
        batch.octets = std::mem::replace(&mut self.octets, next);
        self.begin = 0;
        self.end = left;
    }
}

/// A reader that fails once with what it holds, and else is empty.
struct Failure(Option<io::Error>);

impl Read for Failure {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
