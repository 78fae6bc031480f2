//! Readers, cursors, queries.

use super::*;
use crate::cursor::CursorError;
use crate::query::Filter;
use crate::reader::ReadError;
use crate::storage::{Disk, Folder};
use std::fs;
use std::io;

/// What is on the disk is read in order, from a real folder, with the lock held against a second writer.
#[test]
fn a_folder_is_written_by_one_and_read_by_others() {
    let folder = Folders::new("folder");
    let path = folder.path().join("journal");
    let (mut journal, recovery) = open(Disk::open(&path).unwrap(), small());
    assert!(recovery.created);
    assert_eq!(Disk::open(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    for number in 1..=50 {
        assert!(append(&mut journal, number).is_some());
    }
    assert_eq!(read_all(Folder::new(&path), Cursor::START), (vec![], vec![]), "nothing was acknowledged");
    let acknowledged = journal.sync(T0).unwrap();
    assert_eq!(acknowledged, 52, "50 records, 2 checkpoints");
    assert_eq!(read_all(Folder::new(&path), Cursor::START), ((1..=50).collect(), vec![]));
    assert!(journal.status().free_octets.is_some());
    drop(journal);
    let (mut journal, recovery) = open(Disk::open(&path).unwrap(), small());
    assert_eq!(recovery, Recovery { sequence: 52, ..Recovery::default() });
    append(&mut journal, 51);
    journal.checkpoint(T0);
    journal.sync(T0).unwrap();
    assert_eq!(read_all(Folder::new(&path), Cursor::START), ((1..=51).collect(), vec![]));
    let verdict = check(&Folder::new(&path));
    assert!(verdict.is_clean(), "{:?}", verdict.faults);
    assert_eq!((verdict.records, verdict.signed_to), (54, Some(54)));
}

/// R-45, R-46: readers that stop anywhere and come back with the last cursor that they saved get everything, in order, at
/// least once, while the journal is written, rotated and opened anew.
#[test]
fn a_cursor_resumes_at_least_once() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let memory = Memory::default();
        let (mut journal, _) = open(memory.clone(), small());
        let mut appended = 0;
        let mut cursors = [Cursor::START; 3];
        let mut received: [Vec<u64>; 3] = Default::default();
        for _ in 0..60 {
            for _ in 0..random.below(12) {
                appended += 1;
                append(&mut journal, appended).unwrap();
            }
            if random.below(3) > 0 {
                journal.sync(T0).unwrap();
            }
            if random.below(10) == 0 {
                journal.sync(T0).unwrap();
                drop(journal);
                (journal, _) = open(memory.clone(), small());
            }
            for (cursor, received) in cursors.iter_mut().zip(&mut received) {
                if random.below(2) == 0 {
                    let mut reader = Reader::open(memory.clone(), *cursor).unwrap();
                    for _ in 0..random.below(30) {
                        match reader.next().unwrap() {
                            Step::Entry(entry, after) => {
                                received.extend(number_of(entry.record));
                                // Now and then it ends before it could save.
                                if random.below(4) > 0 {
                                    *cursor = after;
                                }
                            }
                            Step::Lost(lost, _) => panic!("{lost:?} of seed {seed}"),
                            Step::Nothing => break,
                        }
                    }
                }
            }
        }
        journal.sync(T0).unwrap();
        for (cursor, received) in cursors.iter_mut().zip(&mut received) {
            received.extend(read_all(memory.clone(), *cursor).0);
            let mut last = 0;
            for number in received {
                assert!(*number <= last + 1, "in order, or again from before");
                last = last.max(*number);
            }
            assert_eq!(last, appended, "all of it, seed {seed}");
        }
    }
}

/// A reader that stays open goes on as records come, over the end of a segment.
#[test]
fn a_reader_follows_the_writer() {
    let memory = Memory::default();
    let (mut journal, _) = open(memory.clone(), small());
    let mut reader = Reader::open(memory.clone(), Cursor::START).unwrap();
    let mut got = Vec::new();
    for number in 1..=200 {
        append(&mut journal, number).unwrap();
        assert_eq!(reader.next().unwrap(), Step::Nothing);
        journal.sync(T0).unwrap();
        while let Step::Entry(entry, _) = reader.next().unwrap() {
            got.extend(number_of(entry.record));
        }
    }
    assert_eq!(got, (1..=200).collect::<Vec<_>>());
    assert!(memory.segments().len() > 5);
}

/// R-47, reader's side: what was removed under a reader is told once, and the rest comes.
#[test]
fn what_was_removed_is_told_once() {
    let memory = written(small(), 200);
    let all = read_all(memory.clone(), Cursor::START).0;
    let segments = memory.segments();
    // A reader that has the segment open still gets all of it.
    let mut reader = Reader::open(memory.clone(), Cursor::START).unwrap();
    assert!(matches!(reader.next().unwrap(), Step::Entry(..)));
    memory.take(&segments[0]);
    memory.take(&segments[1]);
    let first = crate::segment::segment_first(&segments[2]).unwrap();
    let (numbers, lost) = read_all(memory.clone(), Cursor::START);
    assert_eq!(lost, [(1, first - 1)]);
    assert_eq!(numbers, all[all.len() - numbers.len()..]);
    let mut rest = Vec::new();
    loop {
        match reader.next().unwrap() {
            Step::Entry(entry, _) => rest.push(entry.sequence),
            Step::Lost(lost, _) => {
                assert_eq!(lost.to, first - 1);
                rest.push(lost.to);
            }
            Step::Nothing => break,
        }
    }
    assert!(rest.is_sorted() && rest.len() > 100, "{}", rest.len());
}

/// A damaged line is told lost, whatever comes after it is read.
#[test]
fn a_damaged_line_is_told_lost() {
    let memory = written(small(), 60);
    let name = memory.segments()[0].clone();
    let text = String::from_utf8(memory.octets(&name)).unwrap();
    memory.put(&name, text.replacen(r#"{"sequence":3,"#, r#"{"sequence":?,"#, 1).as_bytes());
    let (numbers, lost) = read_all(memory.clone(), Cursor::START);
    assert_eq!(lost, [(3, 3)]);
    assert_eq!(numbers, (1..=60).filter(|number| *number != 3).collect::<Vec<_>>());
}

/// A cursor whose place in the file is wrong finds the record by its number.
#[test]
fn a_cursor_with_a_wrong_place_finds_its_record() {
    let memory = written(small(), 60);
    for segment in [0, 1, 7] {
        for offset in [0, 1, 77, 100_000] {
            let (numbers, lost) = read_all(memory.clone(), Cursor { sequence: 9, segment, offset });
            assert_eq!((numbers[0], lost), (10, vec![]));
        }
    }
}

/// A cursor of another journal is refused, not followed into nothing.
#[test]
fn a_cursor_ahead_of_the_journal_is_refused() {
    let memory = written(small(), 10);
    assert!(matches!(
        Reader::open(memory.clone(), Cursor::after(12)),
        Err(ReadError::CursorAhead { cursor: 12, journal: 11 })
    ));
    assert!(Reader::open(memory, Cursor::after(11)).is_ok());
}

/// A cursor is loaded as it was saved; none is none; a damaged one is refused.
#[test]
fn cursors_are_saved_whole() {
    let folder = Folders::new("cursor");
    let path = folder.path().join("siem.json");
    assert_eq!(Cursor::load(&path).unwrap(), None);
    let cursor = Cursor { sequence: 7, segment: 1, offset: 900 };
    cursor.save(&path).unwrap();
    cursor.save(&path).unwrap();
    assert_eq!(Cursor::load(&path).unwrap(), Some(cursor));
    let text = fs::read_to_string(&path).unwrap();
    for cut in 0..text.len() - 1 {
        fs::write(&path, &text[..cut]).unwrap();
        assert!(matches!(Cursor::load(&path), Err(CursorError::Damaged { .. })), "cut at {cut}");
    }
}

/// Each condition of a filter holds back what it should, and only that.
#[test]
fn filters_find_what_they_name() {
    let memory = written(small(), 80);
    let find = |filter: Filter| {
        let mut numbers = Vec::new();
        let matches = filter
            .query(memory.clone(), |entry| {
                numbers.extend(number_of(entry.record));
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        (numbers, matches)
    };
    let (all, matches) = find(Filter::default());
    assert_eq!((all.len(), matches.matched, matches.lost), (80, 84, 0));
    let (health, _) = find(Filter { classes: vec![Class::Health], ..Filter::default() });
    assert_eq!(health, (1..=80).filter(|number| number % 8 < 3).collect::<Vec<_>>());
    let (grave, _) = find(Filter { severity_least: Some(Severity::Medium), ..Filter::default() });
    assert_eq!(grave, (1..=80).filter(|number| [4, 5].contains(&(number % 8))).collect::<Vec<_>>());
    let second = 1_000_000_000;
    let times =
        Filter { written_from_ns: Some(T0 + 10 * second), written_to_ns: Some(T0 + 12 * second), ..Filter::default() };
    assert_eq!(find(times).0, [10, 11, 12]);
    let (range, matches) = find(Filter { sequence_from: Some(5), sequence_to: Some(7), ..Filter::default() });
    assert_eq!((range, matches.seen), (vec![5, 6, 7], 3));
    assert_eq!(find(Filter { id: Some("sensor-1/run-1/9".to_owned()), ..Filter::default() }).0, [9]);
    assert!(find(Filter { id: Some("sensor-1/run-1/".to_owned()), ..Filter::default() }).0.is_empty());
    assert!(find(Filter { sequence_from: Some(1_000), ..Filter::default() }).0.is_empty());
    let (mut journal, _) = open(memory.clone(), small());
    journal.append(Class::Alert, None, T0, r#"{"type":"alert","id":"OT-0007-1042-0"}"#);
    journal.append(Class::Disposition, None, T0, r#"{"type":"note","alert":"OT-0007-1042-0"}"#);
    journal.sync(T0).unwrap();
    let mut out = Vec::new();
    let matches =
        Filter { id: Some("OT-0007-1042-0".to_owned()), ..Filter::default() }.export(memory, &mut out).unwrap();
    assert_eq!(matches.matched, 2);
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out.lines().count(), 2);
    assert!(out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

/// What is no object in one line is kept as one that says so.
#[test]
fn unfit_records_become_records_that_say_so() {
    let memory = Memory::default();
    let (mut journal, _) = open(memory.clone(), Settings { record_octets_max: 300, ..small() });
    let long = format!(r#"{{"text":"{}"}}"#, "y".repeat(400));
    for text in ["", "[]", "{", "{}\n{}", r#"{"a":1}}"#, long.as_str()] {
        assert!(journal.append(Class::Audit, None, T0, text).is_some());
    }
    journal.append(Class::Audit, None, T0, "{\"two\":\n\"lines\"}");
    journal.append(Class::Checkpoint, None, T0, "{}");
    journal.checkpoint(T0);
    journal.sync(T0).unwrap();
    let mut reader = Reader::open(memory.clone(), Cursor::START).unwrap();
    for sequence in 1..=8 {
        let Step::Entry(entry, _) = reader.next().unwrap() else { panic!("a record") };
        assert_eq!((entry.sequence, entry.class), (sequence, Class::Audit));
        assert_eq!(entry.record.contains(r#""type":"unreadable""#), sequence <= 6, "{}", entry.record);
    }
    assert!(check(&memory).is_clean());
}
