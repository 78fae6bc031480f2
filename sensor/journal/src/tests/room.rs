//! Quota, retention and holds.

use super::*;
use crate::class::Kind;
use crate::hold::{Hold, freeze, thaw};
use crate::settings::Keep;
use crate::storage::{Disk, Folder};

/// the oldest of the lowest goes first, the chain tells exactly what went, and the quota is kept at every moment.
#[test]
fn the_quota_takes_the_oldest_of_the_lowest() {
    let settings = tight();
    let memory = Memory::default();
    let (mut journal, _) = open(memory.clone(), settings.clone());
    let mut given_up = Vec::new();
    for number in 1..=1_500 {
        append(&mut journal, number).unwrap();
        if number % 10 == 0 {
            journal.sync(T0 + number * 1_000_000_000).unwrap();
            let status = journal.status();
            assert!(status.octets <= 80 * 1024, "{} octets", status.octets);
            assert!(!status.over_quota && status.room_trouble.is_none(), "{status:?}");
            given_up.push(status.removed);
        }
        if number == 400 {
            let numbers = read_all(memory.clone(), Cursor::START).0;
            let left = |rest: u64| numbers.iter().filter(|number| *number % 8 == rest).count();
            assert!(
                left(5) > left(3) && left(3) > left(1),
                "{} critical, {} info, {} health",
                left(5),
                left(3),
                left(1)
            );
        }
        if number % 400 == 0 {
            journal.sync(T0).unwrap();
            (journal, _) = open(memory.clone(), settings.clone());
        }
    }
    journal.checkpoint(T0);
    journal.sync(T0).unwrap();
    // Health goes before anything graver.
    let first = given_up.iter().find(|counts| counts.total() > 0).unwrap();
    assert!(first.get(Kind::Health) > 0 && first.alerts() == 0, "{first:?}");
    let verdict = check(&memory);
    assert!(verdict.is_clean(), "{:?}", verdict.faults);
    assert_eq!(verdict.records + verdict.removed.records, journal.status().sequence);
    assert_eq!(verdict.removed.counts.total(), verdict.removed.records, "each that is gone is told with its kind");
    let (numbers, lost) = read_all(memory.clone(), Cursor::START);
    let lost: u64 = lost.iter().map(|(from, to)| to - from + 1).sum();
    assert_eq!(lost, verdict.removed.records);
    let left = |rest: u64| numbers.iter().filter(|number| *number % 8 == rest).count() as u64;
    let critical = verdict.removed.counts.get(Kind::AlertCritical);
    assert_eq!(left(5) + critical, (1..=1_500).filter(|number| number % 8 == 5).count() as u64);
}

/// with room for only the gravest, the front goes as a whole and the chain still tells all.
#[test]
fn the_front_goes_at_last() {
    let settings = tight();
    let memory = Memory::default();
    let (mut journal, _) = open(memory.clone(), settings);
    for number in 1..=1_000 {
        journal.append(Class::Audit, None, T0, &record(number)).unwrap();
        journal.sync(T0 + number).unwrap();
    }
    journal.checkpoint(T0);
    journal.sync(T0).unwrap();
    let verdict = check(&memory);
    assert!(verdict.is_clean(), "{:?}", verdict.faults);
    assert!(verdict.removed.front_to > 500, "{:?}", verdict.removed);
    assert!(verdict.removed.counts.get(Kind::Audit) > 500, "{:?}", verdict.removed);
    assert_eq!(verdict.records + verdict.removed.records, journal.status().sequence);
    assert_eq!(verdict.removed.counts.total(), verdict.removed.records);
}

/// Each class goes once its time is over, and not before.
#[test]
fn retention_is_by_class() {
    let day = 86_400;
    let keep = Keep { health_s: day, alert_s: 10 * day, disposition_s: 0, audit_s: 30 * day };
    let memory = Memory::default();
    let (mut journal, _) = open(memory.clone(), Settings { keep, ..small() });
    for number in 1..=200 {
        append(&mut journal, number).unwrap();
    }
    journal.sync(T0).unwrap();
    let at = |days: u64| T0 + (200 + days * day + 1) * 1_000_000_000;
    let mut removed = Vec::new();
    for days in [0, 1, 9, 10, 29, 30, 400] {
        journal.sync(at(days)).unwrap();
        removed.push((days, journal.status().removed));
        let verdict = check(&memory);
        assert!(verdict.is_clean(), "day {days}: {:?}", verdict.faults);
    }
    let gone = |kind: Kind| removed.iter().filter(|(_, counts)| counts.get(kind) > 0).map(|(day, _)| *day).min();
    assert_eq!(gone(Kind::Health), Some(1));
    assert_eq!((gone(Kind::AlertInfo), gone(Kind::AlertCritical)), (Some(10), Some(10)));
    assert_eq!((gone(Kind::Audit), gone(Kind::Disposition)), (Some(30), None));
    let dispositions = read_all(memory, Cursor::START).0.iter().filter(|number| *number % 8 == 6).count();
    assert_eq!(dispositions, 25, "all of them");
}

/// A hold keeps its segments whole; lifted, they go.
#[test]
fn a_hold_keeps_what_it_names() {
    let folder = Folders::new("hold");
    let path = folder.path();
    let settings = tight();
    let (mut journal, _) = open(Disk::open(path).unwrap(), settings);
    let fill = |journal: &mut Journal<Disk>, from: u64, at: u64| {
        for number in from..from + 400 {
            append(journal, number).unwrap();
            journal.sync(at).unwrap();
        }
    };
    for number in 1..=20 {
        append(&mut journal, number).unwrap();
    }
    journal.sync(T0).unwrap();
    freeze(path, Hold { name: "case-7".to_owned(), from: 3, to: 3 }).unwrap();
    assert!(freeze(path, Hold { name: "case-8".to_owned(), from: 3, to: 2 }).is_err());
    fill(&mut journal, 21, T0 + 1_000);
    fill(&mut journal, 421, T0 + 2_000);
    let (numbers, lost) = read_all(Folder::new(path), Cursor::START);
    assert_eq!(numbers[..5], [1, 2, 3, 4, 5]);
    assert!(!lost.is_empty());
    assert!(thaw(path, "case-7").unwrap());
    assert!(!thaw(path, "case-7").unwrap());
    fill(&mut journal, 821, T0 + 60_000_000_000);
    fill(&mut journal, 1_221, T0 + 120_000_000_000);
    assert_ne!(read_all(Folder::new(path), Cursor::START).0[..3], [1, 2, 3]);
    assert!(check(&Folder::new(path)).is_clean());
    // A damaged list of holds: nothing goes at all.
    std::fs::write(path.join("frozen"), "[").unwrap();
    let before = journal.status().removed;
    fill(&mut journal, 1_621, T0 + 180_000_000_000);
    assert_eq!(journal.status().removed, before);
    assert!(journal.status().over_quota && journal.status().room_trouble.is_some());
}

/// A reader that is in a segment while it is rewritten goes on; one that comes later is told what went, with kinds.
#[test]
fn readers_survive_a_rewriting() {
    let memory = Memory::default();
    let (mut journal, _) = open(memory.clone(), tight());
    for number in 1..=30 {
        append(&mut journal, number).unwrap();
    }
    journal.sync(T0).unwrap();
    let mut reader = Reader::open(memory.clone(), Cursor::START).unwrap();
    let Step::Entry(_, cursor) = reader.next().unwrap() else { panic!("a record") };
    for number in 31..=400 {
        append(&mut journal, number).unwrap();
        journal.sync(T0 + number).unwrap();
    }
    assert!(journal.status().removed.get(Kind::Health) > 0);
    let mut sequence = 1;
    loop {
        sequence = match reader.next().unwrap() {
            Step::Entry(entry, _) => {
                assert_eq!(entry.sequence, sequence + 1);
                entry.sequence
            }
            Step::Lost(lost, _) => {
                assert_eq!(lost.from, sequence + 1);
                lost.to
            }
            Step::Nothing => break,
        };
    }
    assert_eq!(sequence, journal.acknowledged().sequence);
    let mut later = Reader::open(memory, cursor).unwrap();
    let mut kinds = crate::class::Counts::default();
    loop {
        match later.next().unwrap() {
            Step::Lost(lost, _) => kinds.merge(&lost.counts.unwrap_or_default()),
            Step::Entry(..) => {}
            Step::Nothing => break,
        }
    }
    assert!(kinds.get(Kind::Health) > 0 && kinds.get(Kind::Audit) == 0, "{kinds:?}");
}
