//! Tests of the whole journal.

mod crash;
mod memory;
mod reading;
mod room;
mod speed;
mod tamper;
mod trouble;

use crate::class::{Class, Severity};
use crate::cursor::Cursor;
use crate::journal::Journal;
use crate::key::Key;
use crate::reader::{Reader, Step};
use crate::recovery::Recovery;
use crate::settings::Settings;
use crate::storage::{Source, Storage};
use crate::verify::{Against, Verdict, verify};
use memory::{Memory, Random};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is removed at the end of a test.
pub(crate) struct Folders(PathBuf);

impl Folders {
    pub(crate) fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("yagura-journal-{}-{number}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A second of 2026, in ns since 1970.
const T0: u64 = 1_767_607_200_000_000_000;

/// The key of all tests.
fn key() -> Key {
    let folder = Folders::new("fixed");
    let path = folder.path().join("key");
    crate::storage::replace_file(&path, "07".repeat(32).as_bytes(), 0o600).unwrap();
    Key::load_or_create(&path).unwrap().0
}

/// Small segments, so that a few records fill several.
fn small() -> Settings {
    Settings {
        segment_octets_max: 4_096,
        quota_octets: 1024 * 1024,
        checkpoint_records: 20,
        spill_records_max: 400,
        ..Settings::new("sensor-1", "run-1")
    }
}

/// A quota that asks soon, with segments that are worth rewriting.
fn tight() -> Settings {
    Settings { segment_octets_max: 8_192, quota_octets: 80 * 1024, checkpoint_records: 40, ..small() }
}

/// What the n-th record is: every class and severity in turn.
fn kind_of(number: u64) -> (Class, Option<Severity>) {
    match number % 8 {
        0..=2 => (Class::Health, None),
        3 => (Class::Alert, Some(Severity::Info)),
        4 => (Class::Alert, Some(Severity::Medium)),
        5 => (Class::Alert, Some(Severity::Critical)),
        6 => (Class::Disposition, None),
        _ => (Class::Audit, None),
    }
}

/// The n-th record.
fn record(number: u64) -> String {
    let text = "x".repeat((number % 7) as usize * 20);
    format!(r#"{{"type":"test","number":{number},"text":"{text}"}}"#)
}

/// Appends the n-th record.
fn append<S: Storage>(journal: &mut Journal<S>, number: u64) -> Option<u64> {
    let (class, severity) = kind_of(number);
    journal.append(class, severity, T0 + number * 1_000_000_000, &record(number))
}

/// The number that [`record`] put into a record.
fn number_of(record: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(record).ok()?.get("number")?.as_u64()
}

fn open<S: Storage>(storage: S, settings: Settings) -> (Journal<S>, Recovery) {
    Journal::open(settings, storage, key(), T0).unwrap()
}

/// A journal in memory with so many records, all acknowledged, with a checkpoint at its end.
fn written(settings: Settings, records: u64) -> Memory {
    let memory = Memory::default();
    let (mut journal, _) = open(memory.clone(), settings);
    for number in 1..=records {
        append(&mut journal, number).unwrap();
        if number % 5 == 0 {
            journal.sync(T0).unwrap();
        }
    }
    journal.checkpoint(T0);
    journal.sync(T0).unwrap();
    memory
}

fn check<S: Source>(source: &S) -> Verdict {
    verify(source, &Against { keys: vec![key().public()], anchor: None }).unwrap()
}

/// The writer lives in a thread, and so do readers.
#[test]
fn writers_and_readers_move_to_threads() {
    fn moves<T: Send>() {}
    moves::<Journal<crate::storage::Disk>>();
    moves::<Reader<crate::storage::Folder>>();
}

/// All that a reader gives from the cursor on: the numbers of test records in order, and what it tells lost.
fn read_all<S: Source>(source: S, cursor: Cursor) -> (Vec<u64>, Vec<(u64, u64)>) {
    let mut reader = Reader::open(source, cursor).unwrap();
    let (mut numbers, mut lost, mut last) = (Vec::new(), Vec::new(), cursor.sequence);
    loop {
        match reader.next().unwrap() {
            Step::Entry(entry, after) => {
                assert_eq!(entry.sequence, last + 1, "in order, without holes");
                assert_eq!(after.sequence, entry.sequence);
                last = entry.sequence;
                numbers.extend(number_of(entry.record));
            }
            Step::Lost(range, after) => {
                assert_eq!((range.from, after.sequence), (last + 1, range.to));
                last = range.to;
                lost.push((range.from, range.to));
            }
            Step::Nothing => return (numbers, lost),
        }
    }
}
