//! Opening a journal: where it ends, and what a crash, a power cut or a failing disk left there.

use crate::class::{Class, Counts};
use crate::gap::{Cause, GapRecord};
use crate::hash::Hash;
use crate::head::Head;
use crate::journal::{Active, Chain, Journal, Lost, Pending, Segment};
use crate::key::Key;
use crate::line::Row;
use crate::lines::Lines;
use crate::room::{Room, STRIP_END};
use crate::segment::{segment_name, segments};
use crate::settings::Settings;
use crate::storage::{Source, Storage};
use std::io;

/// What was found when a journal was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// There was no journal.
    pub created: bool,
    /// The last record that was found; the next has the number after it.
    pub sequence: u64,
    /// Records that stand on the disk without having been acknowledged; the next sync does.
    pub unacknowledged: u64,
    /// Ends of files that were no whole records: the usual trace of a crash.
    pub torn: Vec<Torn>,
    /// A record that was acknowledged and is damaged. The segment is left as it is.
    pub damage: Option<Damage>,
    /// The first and the last of records that were acknowledged and are not there. A gap record tells.
    pub missing: Option<(u64, u64)>,
}

/// The end of a file that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub file: String,
    /// Where the cut is.
    pub offset: u64,
    /// Octets that were cut off.
    pub octets: u64,
    /// The file that has them now; `None` if they could not be kept.
    pub kept: Option<String>,
}

/// A damaged line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: String,
    /// Which line of it, from 1 on.
    pub line: u64,
    /// Where the line begins.
    pub offset: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the journal cannot be read: {0}")]
pub struct OpenError(#[from] io::Error);

/// Files of torn ends that are kept at most.
const TORN_FILES_MAX: usize = 16;

/// Octets of a torn end that are kept.
const TORN_OCTETS_MAX: u64 = 16 * 1024 * 1024;

/// How the name of a torn end ends.
const TORN_END: &str = ".torn";

impl<S: Storage> Journal<S> {
    /// Opens the journal of a folder, or begins one.
    ///
    /// Nothing that was acknowledged is ever cut. What the disk refuses to have written now is done by the first
    /// [`Journal::sync`], so that only reading can fail here.
    ///
    /// # Errors
    /// [`OpenError`] if the folder or its last segment cannot be read.
    pub fn open(settings: Settings, storage: S, key: Key, now_ns: u64) -> Result<(Self, Recovery), OpenError> {
        let settings = settings.settled();
        let found = segments(&storage)?;
        let head = Head::load(&storage)?;
        remove_leftovers(&storage)?;
        let mut journal = Self {
            id_start: format!("{}/{}/", settings.sensor, settings.run),
            storage,
            settings,
            key,
            segments: found.iter().map(|(first, octets)| Segment::found(*first, *octets)).collect(),
            active: None,
            head_file: None,
            head_told: None,
            acknowledged: head.unwrap_or_default(),
            chain: Chain { sequence: 0, hash: Hash::ZERO },
            pending: Pending::default(),
            since_checkpoint: 0,
            lost: Lost::default(),
            lost_total: Counts::default(),
            cuts: Vec::new(),
            trouble: None,
            room: Room::default(),
        };
        let mut recovery = Recovery { created: found.is_empty() && head.is_none(), ..Recovery::default() };
        journal.find_end(head, &mut recovery, now_ns)?;
        if found.len() > journal.segments.len() || recovery.created {
            // A name that is gone should not come back; the first sync does it otherwise.
            let _ = journal.storage.sync_folder();
        }
        Ok((journal, recovery))
    }

    /// Finds the last whole record, and resumes after it.
    fn find_end(&mut self, head: Option<Head>, recovery: &mut Recovery, now_ns: u64) -> io::Result<()> {
        while let Some(segment) = self.segments.last() {
            let (first, name) = (segment.first, segment_name(segment.first));
            let walk = Walk::of(&self.storage, first, head)?;
            if walk.last.is_none() && walk.later.is_none() {
                // Not one whole record: begun before a crash, or all of it lost.
                self.set_aside(&name, 0, walk.octets, recovery);
                self.cut_later(name, 0);
                self.segments.pop();
                continue;
            }
            self.since_checkpoint = walk.since_checkpoint;
            self.resume(&walk, first, head, recovery, now_ns)?;
            self.end_one_before(first, recovery)?;
            self.cut_ends();
            return Ok(());
        }
        if let Some(head) = head.filter(|head| head.sequence > 0) {
            self.miss(0, Hash::ZERO, head, recovery, now_ns);
        }
        self.cut_ends();
        Ok(())
    }

    /// Resumes after the last segment that has whole records.
    fn resume(
        &mut self,
        walk: &Walk,
        first: u64,
        head: Option<Head>,
        recovery: &mut Recovery,
        now_ns: u64,
    ) -> io::Result<()> {
        let name = segment_name(first);
        let damage = walk.bad.map(|(line, offset, why)| Damage { file: name.clone(), line, offset, why });
        let (last, hash) = walk.last.unwrap_or((first.saturating_sub(1), Hash::ZERO));
        if let Some(head) = head.filter(|head| head.sequence >= first && walk.at_head != Some(head.hash)) {
            if walk.later.is_none() && last < head.sequence {
                // The end is gone, with records that were acknowledged.
                self.cut_end(&name, walk.valid_octets, walk.octets, recovery);
                self.miss(last, hash, head, recovery, now_ns);
                return Ok(());
            }
            // Some record in it is not what it was: it stays as it is, and the chain goes on where it was.
            let (line, offset, why) = (walk.lines, walk.last_offset, "not the record that was acknowledged");
            recovery.damage = damage.or(Some(Damage { file: name.clone(), line, offset, why }));
            recovery.sequence = head.sequence;
            if head.segment == first && walk.octets > head.octets {
                self.cut_end(&name, head.octets, walk.octets, recovery);
            }
            self.chain = Chain { sequence: head.sequence, hash: head.hash };
            return Ok(());
        }
        if let (None, Some((sequence, hash))) = (head, walk.later) {
            recovery.damage = damage;
            recovery.sequence = sequence;
            self.acknowledged = Head { sequence, hash, segment: first, octets: walk.octets };
            self.chain = Chain { sequence, hash };
            return Ok(());
        }
        if walk.octets > walk.valid_octets {
            self.set_aside(&name, walk.valid_octets, walk.octets, recovery);
        }
        recovery.sequence = last;
        self.chain = Chain { sequence: last, hash };
        // Where `head` knows what was acknowledged, the rest is written once more: after a failed sync a disk may show what
        // it does not have.
        let known = match head {
            Some(head) if head.sequence >= first => Some(walk.head_octets),
            Some(head) if head.sequence.saturating_add(1) == first => Some(0),
            _ => None,
        };
        if let Some(octets) = known {
            self.take_back(&name, octets, walk.valid_octets)?;
            recovery.unacknowledged = u64::try_from(self.pending.lines.len()).unwrap_or(u64::MAX);
        } else {
            self.acknowledged = Head { sequence: last, hash, segment: first, octets: walk.valid_octets };
        }
        let octets = known.unwrap_or(walk.valid_octets);
        let opened = self.storage.open_to_write(&name).and_then(|file| {
            self.storage.truncate(&file, walk.valid_octets)?;
            self.storage.sync(&file)?;
            Ok(file)
        });
        match (opened, self.segments.last_mut()) {
            (Ok(file), Some(segment)) => {
                segment.octets = octets;
                self.active = Some(Active { file, first, octets, unnamed: true });
            }
            // It cannot be written on: what waits goes to a new one.
            _ => self.cut_later(name, octets),
        }
        Ok(())
    }

    /// The segment before the last may have been left after a failure and not yet cut: what stands there from `next` on
    /// stands in the last one too.
    fn end_one_before(&mut self, next: u64, recovery: &mut Recovery) -> io::Result<()> {
        let Some(segment) = self.segments.iter().rev().find(|segment| segment.first < next) else { return Ok(()) };
        let name = segment_name(segment.first);
        let mut lines = Lines::new(self.storage.open(&name)?, 0);
        let mut last = 0;
        while let Some(line) = lines.next(&self.storage, u64::MAX)? {
            match Row::parse(line.octets) {
                Ok(row) if row.first() >= next => {
                    let offset = line.offset;
                    self.cut_later(name, offset);
                    return Ok(());
                }
                Ok(row) => last = row.last(),
                Err(_) => {}
            }
        }
        let (offset, rest) = (lines.offset(), lines.rest(&self.storage)?);
        if rest > 0 && last.saturating_add(1) == next {
            self.cut_end(&name, offset, offset.saturating_add(rest), recovery);
        }
        Ok(())
    }

    /// Lets the lines between two offsets wait again.
    fn take_back(&mut self, name: &str, from: u64, to: u64) -> io::Result<()> {
        let mut lines = Lines::new(self.storage.open(name)?, from);
        while let Some(line) = lines.next(&self.storage, to)? {
            if let Ok(Row::Entry(entry)) = Row::parse(line.octets) {
                self.pending.push_entry(&entry);
            }
        }
        Ok(())
    }

    /// Goes on after records that were acknowledged and are not there, and says so in the chain.
    fn miss(&mut self, last: u64, hash: Hash, head: Head, recovery: &mut Recovery, now_ns: u64) {
        let from = last.saturating_add(1);
        recovery.missing = Some((from, head.sequence));
        recovery.sequence = head.sequence;
        self.chain = Chain { sequence: head.sequence, hash: head.hash };
        let mut gap = GapRecord::new(Cause::Damage, Counts::default());
        (gap.from, gap.to) = (Some(from), Some(head.sequence));
        (gap.before, gap.last) = (Some(hash), Some(head.hash));
        self.push_gap(&gap, now_ns);
    }

    /// Cuts the end of a file off, and keeps it aside.
    fn cut_end(&mut self, name: &str, offset: u64, octets: u64, recovery: &mut Recovery) {
        self.set_aside(name, offset, octets, recovery);
        self.cut_later(name.to_owned(), offset);
    }

    /// Copies the end of a file to one of its own, if the disk has room.
    fn set_aside(&self, name: &str, offset: u64, octets: u64, recovery: &mut Recovery) {
        let octets = octets.saturating_sub(offset);
        if octets == 0 {
            return;
        }
        let to = format!("{}-{offset}{TORN_END}", name.trim_end_matches(".jsonl"));
        let kept = copy(&self.storage, name, offset, &to).is_ok();
        recovery.torn.push(Torn { file: name.to_owned(), offset, octets, kept: kept.then_some(to) });
    }
}

impl Segment {
    /// One that stands on the disk.
    const fn found(first: u64, octets: u64) -> Self {
        Self { first, octets, contents: None, tried: None }
    }
}

/// Copies the end of a file.
fn copy<S: Storage>(storage: &S, name: &str, offset: u64, to: &str) -> io::Result<()> {
    let from = storage.open(name)?;
    let file = storage.create(to)?;
    let mut room = vec![0; 64 * 1024];
    let mut done = 0_u64;
    while done < TORN_OCTETS_MAX {
        let read = storage.read_at(&from, offset.saturating_add(done), &mut room)?;
        if read == 0 {
            break;
        }
        storage.write_at(&file, done, room.get(..read).unwrap_or_default())?;
        done = done.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    storage.sync(&file)
}

/// Removes what an interrupted rewriting left, and the oldest torn ends beyond the bound. What the disk refuses stays.
fn remove_leftovers<S: Storage>(storage: &S) -> io::Result<()> {
    let mut torn = Vec::new();
    for file in storage.list()? {
        if file.name.ends_with(STRIP_END) {
            let _ = storage.remove(&file.name);
        } else if file.name.ends_with(TORN_END) {
            torn.push(file.name);
        }
    }
    torn.sort_unstable();
    let surplus = torn.len().saturating_sub(TORN_FILES_MAX.saturating_sub(1));
    for name in torn.iter().take(surplus) {
        let _ = storage.remove(name);
    }
    Ok(())
}

/// What a walk through the last segment finds.
#[derive(Default)]
struct Walk {
    /// The last of the whole, linked records that begin the segment.
    last: Option<(u64, Hash)>,
    /// Where it begins.
    last_offset: u64,
    /// Where it ends.
    valid_octets: u64,
    /// Of the file.
    octets: u64,
    /// Lines that were read.
    lines: u64,
    /// The first line that does not belong: its number in the file, its offset, what is wrong.
    bad: Option<(u64, u64, &'static str)>,
    /// The last whole record from that line on.
    later: Option<(u64, Hash)>,
    /// The hash of the line that `head` names.
    at_head: Option<Hash>,
    /// Where that line ends.
    head_octets: u64,
    since_checkpoint: u64,
}

impl Walk {
    /// Walks through the segment that begins with `first`.
    fn of<S: Source>(source: &S, first: u64, head: Option<Head>) -> io::Result<Self> {
        let mut walk = Self::default();
        let mut previous = head.filter(|head| head.sequence.saturating_add(1) == first).map(|head| head.hash);
        let mut lines = Lines::new(source.open(&segment_name(first))?, 0);
        while let Some(line) = lines.next(source, u64::MAX)? {
            walk.lines = walk.lines.saturating_add(1);
            let expected = walk.last.map_or(first, |(last, _)| last.saturating_add(1));
            let row = Row::parse(line.octets).and_then(Row::checked);
            let wrong = match &row {
                Err(why) => Some(*why),
                Ok(row) if row.first() != expected => Some("another number than the next"),
                Ok(row) if previous.is_some_and(|hash| hash != row.previous()) => {
                    Some("does not name the line before it")
                }
                Ok(_) => None,
            };
            if let (None, Some(why)) = (walk.bad, wrong) {
                walk.bad = Some((walk.lines, line.offset, why));
            }
            let Ok(row) = row else { continue };
            if walk.bad.is_none() {
                let end =
                    u64::try_from(line.octets.len()).unwrap_or(u64::MAX).saturating_add(line.offset).saturating_add(1);
                let hash = row.hash();
                previous = Some(hash);
                (walk.last_offset, walk.valid_octets) = (line.offset, end);
                walk.take(&row, head, hash);
            } else if row.first() >= expected {
                walk.later = Some((row.last(), row.hash()));
            }
        }
        let rest = lines.rest(source)?;
        walk.octets = lines.offset().saturating_add(rest);
        if rest > 0 && walk.bad.is_none() {
            walk.bad = Some((walk.lines.saturating_add(1), lines.offset(), "a line that is cut off"));
        }
        Ok(walk)
    }

    /// Takes a linked row into account.
    fn take(&mut self, row: &Row<'_>, head: Option<Head>, hash: Hash) {
        self.last = Some((row.last(), hash));
        if head.is_some_and(|head| head.sequence == row.last()) {
            self.at_head = Some(hash);
            self.head_octets = self.valid_octets;
        }
        if let Row::Entry(entry) = row {
            let checkpoint = entry.class == Class::Checkpoint;
            self.since_checkpoint = if checkpoint { 0 } else { self.since_checkpoint.saturating_add(1) };
        }
    }
}
