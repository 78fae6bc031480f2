//! Making room: what the quota and retention give up, and how the chain says so.
//!
//! A gap record, signed, is on the disk before anything goes. Inside a segment, what goes is replaced by stubs, and the
//! gap record has the hash of all stubs of the segment (its seal). A segment at the front in which nothing is left goes
//! as a whole, and the gap record has the last number and the last hash that went.

use crate::class::{Counts, Kind, PerKind};
use crate::gap::{Cause, GapRecord};
use crate::hash::{Hash, Running};
use crate::hold::{Hold, holds};
use crate::journal::{Failed, Journal};
use crate::line::{Row, Stub};
use crate::lines::Lines;
use crate::segment::{Contents, segment_name};
use crate::status::{Operation, Trouble};
use crate::storage::Storage;
use std::io;

/// How the name of a rewritten segment ends until it takes the place of the segment.
pub(crate) const STRIP_END: &str = ".strip";

/// After a failure, room is made again so much later.
const PAUSE_NS: u64 = 10 * SECOND_NS;

/// So often retention is looked at.
const RETENTION_NS: u64 = 600 * SECOND_NS;

/// A second in ns.
const SECOND_NS: u64 = 1_000_000_000;

/// Octets that are written at once.
const PIECE_OCTETS: usize = 256 * 1024;

/// What making room remembers.
#[derive(Default)]
pub(crate) struct Room {
    /// All that was ever removed from the front; `None` until it was looked up.
    front: Option<Counts>,
    pub(crate) removed: Counts,
    pub(crate) over_quota: bool,
    pub(crate) trouble: Option<Trouble>,
    /// When to try again after a failure, and when retention was looked at last.
    failed_ns: Option<u64>,
    retention_ns: Option<u64>,
}

/// What is given up next.
enum Step {
    /// These kinds of a segment.
    Strip(usize, PerKind<bool>, Option<u8>),
    /// The first segment.
    Front,
}

impl<S: Storage> Journal<S> {
    /// Makes room, if it has to and can.
    pub(crate) fn make_room(&mut self, now_ns: u64) {
        // A clock that was set back ends the pause too.
        let since = |at: Option<u64>, pause: u64| at.is_none_or(|at| now_ns < at || now_ns.saturating_sub(at) >= pause);
        if !since(self.room.failed_ns, PAUSE_NS) {
            return;
        }
        let expire =
            self.settings.keep != crate::settings::Keep::default() && since(self.room.retention_ns, RETENTION_NS);
        if !expire && self.fits() {
            self.room.over_quota = false;
            return;
        }
        let made = self.make_room_now(expire, now_ns);
        if expire {
            self.room.retention_ns = Some(now_ns);
        }
        match made {
            Ok(()) => (self.room.failed_ns, self.room.trouble) = (None, None),
            Err(failed) => {
                let since_ns = self.room.trouble.as_ref().map_or(now_ns, |trouble| trouble.since_ns);
                self.room.failed_ns = Some(now_ns);
                self.room.over_quota = !self.fits();
                self.room.trouble = Some(self.describe(&failed, since_ns));
            }
        }
    }

    /// Whether the bounds are kept.
    fn fits(&self) -> bool {
        self.used_octets() <= self.settings.room_octets() && self.segments.len() <= self.settings.segments_max
    }

    /// The work of [`Journal::make_room`].
    fn make_room_now(&mut self, expire: bool, now_ns: u64) -> Result<(), Failed> {
        let holds = holds(&self.storage).map_err(failed)?;
        self.read_contents().map_err(failed)?;
        if expire {
            self.expire(&holds, now_ns)?;
        }
        // Each step lowers a rank of a segment, or removes one.
        let most = self.segments.len().saturating_mul(usize::from(Kind::RANK_LAST).saturating_add(2));
        for _ in 0..most {
            if self.fits() {
                break;
            }
            match self.choose(&holds) {
                Some(step) => self.give_up(step, Cause::Quota, now_ns)?,
                None => break,
            }
        }
        self.room.over_quota = !self.fits();
        Ok(())
    }

    /// Gives up what is past its time.
    fn expire(&mut self, holds: &[Hold], now_ns: u64) -> Result<(), Failed> {
        let mut index = 0;
        while index < self.closed() {
            let Some(contents) = self.contents(index).filter(|_| !self.is_held(index, holds)) else {
                index = index.saturating_add(1);
                continue;
            };
            let mut kinds = PerKind::<bool>::default();
            let mut any = false;
            for kind in Kind::ALL {
                let keep_ns = self.settings.keep.seconds(kind).saturating_mul(SECOND_NS);
                let group = contents.groups.get(kind);
                let past = keep_ns > 0 && group.count > 0 && group.newest_ns.saturating_add(keep_ns) < now_ns;
                *kinds.of(kind) = past;
                any = any || past;
            }
            if index == 0 && contents.is_spent(&kinds) {
                self.give_up(Step::Front, Cause::Retention, now_ns)?;
                continue;
            }
            if any {
                self.give_up(Step::Strip(index, kinds, None), Cause::Retention, now_ns)?;
            }
            index = index.saturating_add(1);
        }
        Ok(())
    }

    /// What goes next for the quota: the lowest rank, and of it the oldest.
    fn choose(&self, holds: &[Hold]) -> Option<Step> {
        let front_held = self.closed() == 0 || self.is_held(0, holds);
        if !front_held && self.segments.len() > self.settings.segments_max {
            return Some(Step::Front);
        }
        for rank in 0..=Kind::RANK_LAST {
            let mut kinds = PerKind::default();
            for kind in Kind::ALL {
                *kinds.of(kind) = kind.rank().is_some_and(|of_kind| of_kind <= rank);
            }
            for index in 0..self.closed() {
                let (Some(contents), Some(segment)) = (self.contents(index), self.segments.get(index)) else {
                    continue;
                };
                if self.is_held(index, holds) {
                    continue;
                }
                if index == 0 && contents.is_spent(&kinds) {
                    return Some(Step::Front);
                }
                let octets = contents.octets(&kinds);
                let worth = octets >= self.settings.gain_octets_min() && segment.tried.is_none_or(|tried| tried < rank);
                if worth && !contents.damaged {
                    return Some(Step::Strip(index, kinds, Some(rank)));
                }
            }
        }
        (!front_held).then_some(Step::Front)
    }

    /// Gives it up.
    fn give_up(&mut self, step: Step, cause: Cause, now_ns: u64) -> Result<(), Failed> {
        match step {
            Step::Front => self.remove_front(cause, now_ns),
            Step::Strip(index, kinds, rank) => self.strip(index, &kinds, rank, cause, now_ns),
        }
    }

    /// Removes the first segment.
    fn remove_front(&mut self, cause: Cause, now_ns: u64) -> Result<(), Failed> {
        let (Some(segment), Some(next), Some(contents)) =
            (self.segments.first(), self.segments.get(1), self.contents(0))
        else {
            return Ok(());
        };
        let (name, to) = (segment_name(segment.first), next.first.saturating_sub(1));
        let last = self.hash_before(next.first).map_err(failed)?;
        let counts = contents.counts();
        let mut front = self.room.front.unwrap_or_default();
        front.merge(&counts);
        front.merge(&contents.stubs);
        let mut gap = GapRecord::new(cause, counts);
        (gap.from, gap.to) = (Some(1), Some(to));
        (gap.before, gap.last, gap.front) = (Some(Hash::ZERO), Some(last), Some(front));
        self.push_gap(&gap, now_ns);
        self.flush()?;
        self.storage.remove(&name).map_err(failed)?;
        self.segments.remove(0);
        self.room.front = Some(front);
        self.room.removed.merge(&counts);
        self.storage.sync_folder().map_err(failed)
    }

    /// Rewrites a segment without these kinds. `rank` is remembered where that would free too little to be done.
    fn strip(
        &mut self,
        index: usize,
        kinds: &PerKind<bool>,
        rank: Option<u8>,
        cause: Cause,
        now_ns: u64,
    ) -> Result<(), Failed> {
        let (Some(segment), Some(next)) = (self.segments.get(index), self.segments.get(index.saturating_add(1))) else {
            return Ok(());
        };
        let (first, before_octets) = (segment.first, segment.octets);
        let aside = format!("{first:020}{STRIP_END}");
        let stripped = Stripped::write(&self.storage, first, next.first, kinds, &aside);
        let enough =
            |octets: u64| rank.is_none() || octets.saturating_add(self.settings.gain_octets_min()) <= before_octets;
        let stripped = match stripped {
            Ok(Some(stripped)) if enough(stripped.octets) => stripped,
            other => {
                let removed = self.storage.remove(&aside);
                if let Some(segment) = self.segments.get_mut(index) {
                    segment.tried = rank.or(segment.tried);
                    if let (Ok(None), Some(contents)) = (&other, &mut segment.contents) {
                        contents.damaged = true;
                    }
                }
                other.map_err(failed)?;
                return removed.map_err(failed);
            }
        };
        let mut gap = GapRecord::new(cause, stripped.removed);
        (gap.from, gap.to, gap.seal) = (Some(first), Some(stripped.contents.last), Some(stripped.seal));
        self.push_gap(&gap, now_ns);
        self.flush()?;
        self.storage.rename(&aside, &segment_name(first)).map_err(failed)?;
        self.room.removed.merge(&stripped.removed);
        if let Some(segment) = self.segments.get_mut(index) {
            segment.octets = stripped.octets;
            segment.contents = Some(stripped.contents);
            segment.tried = rank.or(segment.tried);
        }
        self.storage.sync_folder().map_err(failed)
    }

    /// Segments that may be given up: all but the last.
    fn closed(&self) -> usize {
        self.segments.len().saturating_sub(1)
    }

    /// What is in a segment, if it was read.
    fn contents(&self, index: usize) -> Option<&Contents> {
        self.segments.get(index)?.contents.as_ref()
    }

    /// Reads what is in the segments that may be given up, and what was told last of the front.
    fn read_contents(&mut self) -> io::Result<()> {
        let ends: Vec<u64> = self.segments.iter().skip(1).map(|segment| segment.first).collect();
        for (segment, next) in self.segments.iter_mut().zip(ends) {
            if segment.contents.is_none() {
                segment.contents = Some(Contents::scan(&self.storage, segment.first, next)?);
            }
        }
        if let (None, Some(last)) = (self.room.front, self.segments.last()) {
            let last = Contents::scan(&self.storage, last.first, u64::MAX)?;
            let told = || self.segments.iter().rev().find_map(|segment| segment.contents.as_ref()?.front);
            self.room.front = last.front.or_else(told).or(Some(Counts::default()));
        }
        Ok(())
    }

    /// Whether some of a segment is held.
    fn is_held(&self, index: usize, holds: &[Hold]) -> bool {
        let (Some(segment), Some(next)) = (self.segments.get(index), self.segments.get(index.saturating_add(1))) else {
            return true;
        };
        holds.iter().any(|hold| hold.from < next.first && hold.to >= segment.first)
    }

    /// The hash that the first line of a segment names.
    fn hash_before(&self, first: u64) -> io::Result<Hash> {
        let mut lines = Lines::new(self.storage.open(&segment_name(first))?, 0);
        match lines.next(&self.storage, u64::MAX)?.map(|line| Row::parse(line.octets).map(|row| row.previous())) {
            Some(Ok(hash)) => Ok(hash),
            // Nothing was written to it yet.
            None if first == self.acknowledged.sequence.saturating_add(1) => Ok(self.acknowledged.hash),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the segment after it is damaged")),
        }
    }
}

impl Contents {
    /// Octets of these kinds.
    fn octets(&self, kinds: &PerKind<bool>) -> u64 {
        let of = |kind: Kind| if kinds.get(kind) { self.groups.get(kind).octets } else { 0 };
        Kind::ALL.into_iter().fold(0, |sum, kind| sum.saturating_add(of(kind)))
    }

    /// Whether nothing is left to keep without these kinds: checkpoints and gap records at the front vouch for nothing.
    fn is_spent(&self, kinds: &PerKind<bool>) -> bool {
        let kept = |kind: &Kind| !matches!(kind, Kind::Checkpoint | Kind::Gap) && !kinds.get(*kind);
        !self.damaged && !Kind::ALL.iter().filter(|kind| kept(kind)).any(|kind| self.groups.get(*kind).count > 0)
    }
}

/// What the disk answered while room was made.
const fn failed(error: io::Error) -> Failed {
    (Operation::Room, error)
}

/// A segment that was rewritten, beside the one that it shall replace.
struct Stripped {
    octets: u64,
    /// What went that was there before.
    removed: Counts,
    /// The hash of all stubs.
    seal: Hash,
    contents: Contents,
}

impl Stripped {
    /// Writes the segment that begins with `first` and ends before `next` to `aside`, without these kinds. `None` if it is
    /// damaged: then it stays as evidence.
    fn write<S: Storage>(
        storage: &S,
        first: u64,
        next: u64,
        kinds: &PerKind<bool>,
        aside: &str,
    ) -> io::Result<Option<Self>> {
        let mut lines = Lines::new(storage.open(&segment_name(first))?, 0);
        let file = storage.create(aside)?;
        let mut out =
            Writer { octets: 0, waiting: Vec::new(), seal: Running::default(), contents: Contents::default() };
        let mut removed = Counts::default();
        let mut run: Option<Stub> = None;
        while let Some(line) = lines.next(storage, u64::MAX)? {
            let row = match Row::parse(line.octets) {
                Ok(row) if row.first() >= next => break,
                Ok(row) => row,
                Err(_) => return Ok(None),
            };
            let gone = match &row {
                Row::Entry(entry) if !kinds.get(entry.kind()) || entry.kind() == Kind::Gap => {
                    if let Some(stub) = run.take() {
                        out.stub(&stub);
                    }
                    out.line(line.octets);
                    out.contents.take_entry(entry);
                    None
                }
                Row::Entry(entry) => {
                    removed.add(entry.kind(), 1);
                    let mut counts = Counts::default();
                    counts.add(entry.kind(), 1);
                    let (from, before, last) = (entry.sequence, entry.previous, row.hash());
                    Some(Stub { from, to: from, before, last, counts })
                }
                Row::Stub(stub) => Some(stub.clone()),
            };
            match (&mut run, gone) {
                (Some(run), Some(more)) => {
                    (run.to, run.last) = (more.to, more.last);
                    run.counts.merge(&more.counts);
                }
                (run, Some(stub)) => *run = Some(stub),
                (_, None) => {}
            }
            if out.waiting.len() >= PIECE_OCTETS {
                out.write(storage, &file)?;
            }
        }
        if let Some(stub) = run {
            out.stub(&stub);
        }
        out.write(storage, &file)?;
        storage.sync(&file)?;
        let Writer { octets, seal, contents, .. } = out;
        Ok(Some(Self { octets, removed, seal: seal.finish(), contents }))
    }
}

/// Collects the lines of a rewritten segment.
struct Writer {
    /// That were written.
    octets: u64,
    waiting: Vec<u8>,
    seal: Running,
    contents: Contents,
}

impl Writer {
    /// Takes a line, given without newline.
    fn line(&mut self, line: &[u8]) {
        self.waiting.extend_from_slice(line);
        self.waiting.push(b'\n');
    }

    /// Takes a stub.
    fn stub(&mut self, stub: &Stub) {
        let line = stub.to_line();
        self.seal.update(&line);
        self.seal.update(b"\n");
        self.line(&line);
        self.contents.stubs.merge(&stub.counts);
        self.contents.last = stub.to;
    }

    /// Writes what was collected.
    fn write<S: Storage>(&mut self, storage: &S, file: &S::File) -> io::Result<()> {
        storage.write_at(file, self.octets, &self.waiting)?;
        self.octets = self.octets.saturating_add(u64::try_from(self.waiting.len()).unwrap_or(u64::MAX));
        self.waiting.clear();
        Ok(())
    }
}
