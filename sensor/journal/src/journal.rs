//! The writer: records become lines of a chain, and lines are acknowledged once they are on the disk.

use crate::class::{Class, Counts, Kind, Severity};
use crate::gap::{Cause, GapRecord};
use crate::hash::Hash;
use crate::head::{HEAD, Head};
use crate::key::Key;
use crate::line::{Draft, Entry, time_ns, time_text};
use crate::segment::{Contents, segment_name};
use crate::settings::Settings;
use crate::status::{Operation, Status, Trouble};
use crate::storage::Storage;
use std::io;

/// The writer of a journal. There is one at a time: [`crate::storage::Disk`] holds a lock.
pub struct Journal<S: Storage> {
    pub(crate) storage: S,
    pub(crate) settings: Settings,
    pub(crate) key: Key,
    /// `SENSOR/RUN/`
    pub(crate) id_start: String,
    /// All segments, oldest first. The last is never given up.
    pub(crate) segments: Vec<Segment>,
    /// The last segment, if it may be written on.
    pub(crate) active: Option<Active<S::File>>,
    pub(crate) head_file: Option<S::File>,
    /// What `head` says on the disk.
    pub(crate) head_told: Option<Head>,
    pub(crate) acknowledged: Head,
    /// The last line, on the disk or not.
    pub(crate) chain: Chain,
    /// All lines after the acknowledged ones.
    pub(crate) pending: Pending,
    pub(crate) since_checkpoint: u64,
    pub(crate) lost: Lost,
    pub(crate) lost_total: Counts,
    /// What stands after the last line that counts in segments that were left, to be cut off.
    pub(crate) cuts: Vec<Cut>,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) room: crate::room::Room,
}

/// What is known of a segment.
pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) octets: u64,
    /// Read when it is asked for.
    pub(crate) contents: Option<Contents>,
    /// Up to this rank, to rewrite it would free too little.
    pub(crate) tried: Option<u8>,
}

/// The segment that is written on.
pub(crate) struct Active<F> {
    pub(crate) file: F,
    pub(crate) first: u64,
    /// Octets of it that are on the disk.
    pub(crate) octets: u64,
    /// Whether its name may be missing on the disk.
    pub(crate) unnamed: bool,
}

/// The end of the chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    pub(crate) sequence: u64,
    pub(crate) hash: Hash,
}

/// Lines that are not acknowledged.
#[derive(Default)]
pub(crate) struct Pending {
    /// With their newlines.
    pub(crate) octets: Vec<u8>,
    pub(crate) lines: Vec<PendingLine>,
}

/// One of them.
pub(crate) struct PendingLine {
    /// With its newline.
    pub(crate) octets: usize,
    pub(crate) kind: Kind,
    pub(crate) written_ns: u64,
}

impl Pending {
    /// Appends a line, given without newline.
    fn push(&mut self, line: &[u8], kind: Kind, written_ns: u64) {
        self.octets.extend_from_slice(line);
        self.octets.push(b'\n');
        self.lines.push(PendingLine { octets: line.len().saturating_add(1), kind, written_ns });
    }

    /// As [`Pending::push`], of a line that was found on the disk.
    pub(crate) fn push_entry(&mut self, entry: &Entry<'_>) {
        self.push(entry.line.as_bytes(), entry.kind(), time_ns(entry.written).unwrap_or(0));
    }
}

/// What found no room in memory either, and is not yet told.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    pub(crate) counts: Counts,
    from_ns: u64,
    to_ns: u64,
}

/// A file whose end does not count.
pub(crate) struct Cut {
    pub(crate) name: String,
    /// What stays.
    pub(crate) octets: u64,
}

/// Files to be cut that are remembered.
const CUTS_MAX: usize = 16;

/// What the disk answered, before it is told.
pub(crate) type Failed = (Operation, io::Error);

impl<S: Storage> Journal<S> {
    /// Appends a record: one JSON object, in one line. Never fails, and waits for the disk at most for one sync.
    ///
    /// Answers the record's number; it is acknowledged once [`Journal::sync`] answers it or a greater one. `None`: the
    /// disk takes nothing at present and the memory for such times is full (for this kind; some of it is kept for
    /// graver ones). The record is counted, and a gap record will tell.
    ///
    /// What is no JSON object or too long is replaced by a record that says so. Class gap and checkpoint are the
    /// journal's own; a caller's record under them is taken as audit.
    pub fn append(&mut self, class: Class, severity: Option<Severity>, now_ns: u64, record: &str) -> Option<u64> {
        let class = if matches!(class, Class::Gap | Class::Checkpoint) { Class::Audit } else { class };
        let kind = Kind::of(class, severity);
        let share = |bound: usize| (bound / 8).saturating_mul(Settings::spill_share(kind));
        let octets = self.pending.octets.len().saturating_add(record.len());
        if self.pending.lines.len() >= share(self.settings.spill_records_max)
            || octets > share(self.settings.spill_octets_max)
        {
            self.lose(kind, now_ns);
            return None;
        }
        let replaced = unfit(record, self.settings.record_octets_max);
        let sequence = self.push(class, severity, now_ns, replaced.as_deref().unwrap_or(record));
        self.since_checkpoint = self.since_checkpoint.saturating_add(1);
        if self.since_checkpoint >= self.settings.checkpoint_records {
            self.push_checkpoint(now_ns);
        }
        let quarter = |bound: usize| bound / 4;
        let many = self.pending.lines.len() >= quarter(self.settings.spill_records_max)
            || self.pending.octets.len() >= quarter(self.settings.spill_octets_max);
        if many && self.trouble.is_none() {
            // What it answers stays in `trouble`, and the next sync of the caller's tells.
            let _ = self.sync(now_ns);
        }
        Some(sequence)
    }

    /// Brings all that was appended onto the disk, and makes room if the quota or retention asks for it.
    ///
    /// Answers the last number that is acknowledged: it and all before it survive a crash and a power cut.
    ///
    /// # Errors
    /// [`Trouble`] if the disk does not take it all; what is acknowledged is in [`Journal::acknowledged`]. Call again: a
    /// full disk is tried again in place; after any other failure the segment is left where it was acknowledged, and what
    /// was not is written to a new one.
    pub fn sync(&mut self, now_ns: u64) -> Result<u64, Trouble> {
        match self.sync_all(now_ns) {
            Ok(()) => {
                self.trouble = None;
                Ok(self.acknowledged.sequence)
            }
            Err(failed) => {
                let since_ns = self.trouble.as_ref().map_or(now_ns, |trouble| trouble.since_ns);
                let trouble = self.describe(&failed, since_ns);
                self.trouble = Some(trouble.clone());
                Err(trouble)
            }
        }
    }

    /// Signs all that was appended so far, if anything was since the last checkpoint; answers whether it did. The signature
    /// is on the disk after the next [`Journal::sync`]. For a caller's timer: once a minute, and before the end.
    pub fn checkpoint(&mut self, now_ns: u64) -> bool {
        let due = self.since_checkpoint > 0 && self.trouble.is_none();
        if due {
            self.push_checkpoint(now_ns);
        }
        due
    }

    /// How far records are acknowledged.
    pub const fn acknowledged(&self) -> Head {
        self.acknowledged
    }

    /// The folder that is written.
    pub const fn storage(&self) -> &S {
        &self.storage
    }

    /// How the journal fares.
    pub fn status(&self) -> Status {
        Status {
            sequence: self.chain.sequence,
            acknowledged: self.acknowledged,
            pending: u64::try_from(self.pending.lines.len()).unwrap_or(u64::MAX),
            octets: self.used_octets(),
            segments: u64::try_from(self.segments.len()).unwrap_or(u64::MAX),
            free_octets: self.storage.free().ok(),
            lost: self.lost_total,
            removed: self.room.removed,
            over_quota: self.room.over_quota,
            trouble: self.trouble.clone(),
            room_trouble: self.room.trouble.clone(),
        }
    }

    /// Octets of all segments.
    pub(crate) fn used_octets(&self) -> u64 {
        self.segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.octets))
    }

    /// Tells a failure.
    pub(crate) fn describe(&self, (operation, error): &Failed, since_ns: u64) -> Trouble {
        Trouble {
            operation: *operation,
            kind: error.kind(),
            error: error.to_string(),
            since_ns,
            pending: u64::try_from(self.pending.lines.len()).unwrap_or(u64::MAX),
            lost: self.lost.counts.total(),
        }
    }

    /// Counts a record that finds no room.
    fn lose(&mut self, kind: Kind, now_ns: u64) {
        if self.lost.counts.total() == 0 {
            self.lost.from_ns = now_ns;
        }
        self.lost.to_ns = now_ns;
        self.lost.counts.add(kind, 1);
        self.lost_total.add(kind, 1);
    }

    /// Appends a line to those that wait.
    pub(crate) fn push(&mut self, class: Class, severity: Option<Severity>, now_ns: u64, record: &str) -> u64 {
        let sequence = self.chain.sequence.saturating_add(1);
        let id_start = self.id_start.as_str();
        let written = time_text(now_ns);
        let draft = Draft { sequence, id_start, written: &written, class, severity, previous: self.chain.hash, record };
        let line = draft.to_line();
        self.chain = Chain { sequence, hash: Hash::of(line.as_bytes()) };
        self.pending.push(line.as_bytes(), Kind::of(class, severity), now_ns);
        sequence
    }

    /// Appends a checkpoint.
    pub(crate) fn push_checkpoint(&mut self, now_ns: u64) {
        let sequence = self.chain.sequence.saturating_add(1);
        let id = format!("{}{sequence}", self.id_start);
        let record = self.key.checkpoint_record(sequence, &id, &time_text(now_ns), &self.chain.hash);
        self.push(Class::Checkpoint, None, now_ns, &record);
        self.since_checkpoint = 0;
    }

    /// Appends a gap record, and a signature over it: without one it vouches for nothing.
    pub(crate) fn push_gap(&mut self, gap: &GapRecord, now_ns: u64) {
        self.push(Class::Gap, None, now_ns, &gap.to_json());
        self.push_checkpoint(now_ns);
    }

    /// The work of [`Journal::sync`].
    fn sync_all(&mut self, now_ns: u64) -> Result<(), Failed> {
        self.cut_ends();
        self.flush()?;
        if self.lost.counts.total() > 0 {
            let lost = std::mem::take(&mut self.lost);
            let mut gap = GapRecord::new(Cause::Spill, lost.counts);
            gap.lost_from = Some(time_text(lost.from_ns));
            gap.lost_to = Some(time_text(lost.to_ns));
            self.push_gap(&gap, now_ns);
            self.flush()?;
        }
        self.make_room(now_ns);
        let flushed = self.flush();
        self.cut_ends();
        flushed
    }

    /// Writes, syncs and acknowledges all lines that wait, segment by segment.
    pub(crate) fn flush(&mut self) -> Result<(), Failed> {
        while let Some(line) = self.pending.lines.first() {
            let line_octets = u64::try_from(line.octets).unwrap_or(u64::MAX);
            self.begin_segment(line_octets)?;
            if let Err(failed) = self.flush_segment() {
                // A full disk leaves nothing in doubt: the same octets are tried at the same place again. After any other
                // failure nobody knows what stands there, and a second sync could succeed without having written it.
                let full = matches!(failed.1.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
                if !(full && failed.0 == Operation::Write) {
                    self.abandon();
                }
                return Err(failed);
            }
        }
        self.write_head()
    }

    /// Sees to it that there is a segment with room for a line.
    fn begin_segment(&mut self, line_octets: u64) -> Result<(), Failed> {
        if let Some(active) = &self.active {
            let full = active.octets.saturating_add(line_octets) > self.settings.segment_octets_max;
            if active.octets == 0 || !full {
                return Ok(());
            }
            self.active = None;
        }
        let first = self.acknowledged.sequence.saturating_add(1);
        let file = self.storage.create(&segment_name(first)).map_err(|error| (Operation::Create, error))?;
        self.cuts.retain(|cut| cut.name != segment_name(first));
        self.segments.retain(|segment| segment.first < first);
        self.segments.push(Segment { first, octets: 0, contents: Some(Contents::default()), tried: None });
        self.active = Some(Active { file, first, octets: 0, unnamed: true });
        Ok(())
    }

    /// Brings as many lines onto the disk as the active segment takes, and acknowledges them.
    fn flush_segment(&mut self) -> Result<(), Failed> {
        let (Some(active), Some(segment)) = (&mut self.active, self.segments.last_mut()) else { return Ok(()) };
        let mut count = 0_usize;
        let mut octets = 0_usize;
        for line in &self.pending.lines {
            let more = octets.saturating_add(line.octets);
            let end = active.octets.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
            if end > self.settings.segment_octets_max && (active.octets > 0 || count > 0) {
                break;
            }
            octets = more;
            count = count.saturating_add(1);
        }
        let text = self.pending.octets.get(..octets).unwrap_or_default();
        self.storage.write_at(&active.file, active.octets, text).map_err(|error| (Operation::Write, error))?;
        self.storage.sync(&active.file).map_err(|error| (Operation::Sync, error))?;
        if active.unnamed {
            self.storage.sync_folder().map_err(|error| (Operation::SyncFolder, error))?;
            active.unnamed = false;
        }
        // The last line's hash: that of the chain's end, unless lines wait for the next segment.
        let last = text.split_inclusive(|octet| *octet == b'\n').next_back().unwrap_or_default();
        let hash = if count == self.pending.lines.len() {
            self.chain.hash
        } else {
            Hash::of(last.strip_suffix(b"\n").unwrap_or(last))
        };
        active.octets = active.octets.saturating_add(u64::try_from(octets).unwrap_or(u64::MAX));
        segment.octets = active.octets;
        let mut sequence = self.acknowledged.sequence;
        for line in self.pending.lines.drain(..count) {
            sequence = sequence.saturating_add(1);
            if let Some(contents) = &mut segment.contents {
                contents.take(line.kind, u64::try_from(line.octets).unwrap_or(u64::MAX), line.written_ns, sequence);
            }
        }
        self.pending.octets.drain(..octets);
        self.acknowledged = Head { sequence, hash, segment: active.first, octets: active.octets };
        Ok(())
    }

    /// Tells readers how far they may read.
    fn write_head(&mut self) -> Result<(), Failed> {
        let write = |storage: &S, file: &mut Option<S::File>, octets: &[u8]| {
            if file.is_none() {
                // An existing one is kept: a reader may have it open.
                let (open, new) = match storage.open_to_write(HEAD) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => (storage.create(HEAD)?, true),
                    other => (other?, false),
                };
                storage.write_at(&open, 0, octets)?;
                if new {
                    storage.sync(&open)?;
                    storage.sync_folder()?;
                }
                *file = Some(open);
                return Ok(());
            }
            file.as_ref().map_or(Ok(()), |file| storage.write_at(file, 0, octets))
        };
        if self.head_told == Some(self.acknowledged) {
            return Ok(());
        }
        let octets = self.acknowledged.to_octets();
        if let Err(error) = write(&self.storage, &mut self.head_file, &octets) {
            self.head_file = None;
            return Err((Operation::Head, error));
        }
        self.head_told = Some(self.acknowledged);
        Ok(())
    }

    /// Leaves the active segment where it was acknowledged.
    fn abandon(&mut self) {
        let Some(active) = self.active.take() else { return };
        if active.octets > 0 {
            self.cut_later(segment_name(active.first), active.octets);
        } else {
            self.segments.retain(|segment| segment.first != active.first);
        }
    }

    /// Remembers that the end of a file does not count.
    pub(crate) fn cut_later(&mut self, name: String, octets: u64) {
        self.cuts.push(Cut { name, octets });
        if self.cuts.len() > CUTS_MAX {
            self.cuts.remove(0);
        }
    }

    /// Cuts such ends off. What the disk refuses is tried again the next time: until then readers pass over it.
    pub(crate) fn cut_ends(&mut self) {
        let Self { storage, cuts, .. } = self;
        cuts.retain(|cut| {
            let done = if cut.octets == 0 {
                storage.remove(&cut.name)
            } else {
                storage.open_to_write(&cut.name).and_then(|file| storage.truncate(&file, cut.octets))
            };
            done.is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
        });
    }
}

/// What stands for a record that is no JSON object in one line, or too long; `None` if it is fit.
fn unfit(record: &str, octets_max: usize) -> Option<String> {
    let object = record.starts_with('{') && record.ends_with('}');
    let why = if record.len() > octets_max {
        "too long"
    } else if !object || serde_json::from_str::<serde::de::IgnoredAny>(record).is_err() {
        "no JSON object"
    } else if record.contains(['\n', '\r']) {
        // Outside of its texts, where JSON has them escaped.
        return Some(record.replace(['\n', '\r'], " "));
    } else {
        return None;
    };
    let text: String = record.chars().take(4_096).collect();
    let octets = record.len();
    Some(serde_json::json!({"type": "unreadable", "schema": 1, "why": why, "octets": octets, "text": text}).to_string())
}
