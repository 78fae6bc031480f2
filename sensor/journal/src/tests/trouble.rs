//! Disks that fail.

use super::memory::Call;
use super::*;
use crate::class::{Counts, Kind};
use crate::gap::{Cause, GapRecord};
use crate::segment::segment_name;
use crate::status::Operation;
use std::collections::BTreeSet;
use std::io::ErrorKind;

/// All gap records of a cause.
fn gaps(memory: &Memory, cause: Cause) -> Vec<GapRecord> {
    let mut found = Vec::new();
    let mut reader = Reader::open(memory.clone(), Cursor::START).unwrap();
    loop {
        match reader.next().unwrap() {
            Step::Entry(entry, _) if entry.class == Class::Gap => found.extend(GapRecord::parse(entry.record)),
            Step::Nothing => break,
            _ => {}
        }
    }
    found.retain(|gap| gap.cause == cause);
    found
}

/// while the disk is full records wait in bounded memory, graver ones longer; what finds no room is told
/// exactly, by kind, once there is room; nothing that was kept is lost.
#[test]
fn a_full_disk_costs_a_counted_gap() {
    for refused in [Call::Write, Call::Create] {
        let memory = Memory::default();
        let (mut journal, _) = open(memory.clone(), small());
        for number in 1..=10 {
            append(&mut journal, number).unwrap();
        }
        journal.sync(T0).unwrap();
        memory.decide(move |_, call| (call == refused).then_some(ErrorKind::StorageFull));
        let (mut kept, mut lost) = ((1..=10).collect::<Vec<_>>(), Counts::default());
        let mut refusals = 0;
        for number in 11..=1_500 {
            match append(&mut journal, number) {
                Some(_) => kept.push(number),
                None => {
                    let (class, severity) = kind_of(number);
                    lost.add(Kind::of(class, severity), 1);
                }
            }
            if let (0, Err(trouble)) = (number % 100, journal.sync(T0)) {
                refusals += 1;
                assert_eq!(trouble.kind, ErrorKind::StorageFull);
                assert_eq!(trouble.lost, lost.total());
            }
            let status = journal.status();
            assert!(status.pending <= 402, "{}", status.pending);
        }
        assert!(refusals > 10 || refused == Call::Create);
        assert!(lost.get(Kind::Health) > 400, "{lost:?}");
        assert!(lost.get(Kind::AlertInfo) > lost.get(Kind::AlertMedium), "{lost:?}");
        assert!(lost.get(Kind::AlertMedium) > lost.get(Kind::AlertCritical), "{lost:?}");
        assert_eq!(journal.status().lost, lost);
        memory.heal();
        let acknowledged = journal.sync(T0).unwrap();
        assert_eq!(acknowledged, journal.status().sequence);
        assert_eq!(journal.status().trouble, None);
        let told = gaps(&memory, Cause::Spill);
        assert_eq!(told.iter().map(|gap| gap.counts).collect::<Vec<_>>(), [lost]);
        assert_eq!(read_all(memory.clone(), Cursor::START), (kept, vec![]));
        let verdict = check(&memory);
        assert!(verdict.is_clean(), "{:?}", verdict.faults);
        assert_eq!((verdict.lost, verdict.removed.records), (lost, 0));
        assert!(append(&mut journal, 1_501).is_some());
    }
}

/// after a failed sync the segment is never synced again as if it were good; what was not acknowledged stands in a
/// new one, and the old one ends where it was acknowledged.
#[test]
fn a_failed_sync_abandons_the_segment() {
    for settings in [small(), Settings { segment_octets_max: 64 * 1024, ..small() }] {
        let memory = Memory::default();
        let (mut journal, _) = open(memory.clone(), settings);
        for number in 1..=10 {
            append(&mut journal, number).unwrap();
        }
        journal.sync(T0).unwrap();
        let before = memory.octets(&segment_name(1));
        for number in 11..=13 {
            append(&mut journal, number).unwrap();
        }
        memory.decide(|_, call| (call == Call::Sync).then_some(ErrorKind::Other));
        let trouble = journal.sync(T0).unwrap_err();
        assert_eq!((trouble.operation, trouble.pending), (Operation::Sync, 3));
        assert_eq!(journal.acknowledged().sequence, 10);
        let marks = memory.log().len();
        memory.heal();
        assert_eq!(journal.sync(T0).unwrap(), 13);
        assert!(memory.log()[marks..].iter().all(|(call, name, _)| *call != Call::Sync || *name != segment_name(1)));
        assert_eq!(memory.octets(&segment_name(1)), before);
        assert_eq!(memory.segments(), [segment_name(1), segment_name(11)]);
        journal.checkpoint(T0);
        journal.sync(T0).unwrap();
        assert!(check(&memory).is_clean());
        assert_eq!(read_all(memory.clone(), Cursor::START), ((1..=13).collect(), vec![]));
    }
}

/// an end that could not be cut off is passed over by readers and by the writer when it comes back.
#[test]
fn what_stands_after_the_acknowledged_end_is_never_read() {
    let memory = Memory::default();
    let (mut journal, _) = open(memory.clone(), Settings { segment_octets_max: 64 * 1024, ..small() });
    for number in 1..=10 {
        append(&mut journal, number).unwrap();
    }
    journal.sync(T0).unwrap();
    append(&mut journal, 11).unwrap();
    append(&mut journal, 12).unwrap();
    memory.decide(|_, call| matches!(call, Call::Sync | Call::Truncate).then_some(ErrorKind::Other));
    assert!(journal.sync(T0).is_err());
    memory.decide(|_, call| (call == Call::Truncate).then_some(ErrorKind::Other));
    assert_eq!(journal.sync(T0).unwrap(), 12);
    assert_eq!(read_all(memory.clone(), Cursor::START), ((1..=12).collect(), vec![]));
    assert!(!check(&memory).is_clean(), "the end is still there");
    memory.heal();
    append(&mut journal, 13).unwrap();
    journal.checkpoint(T0);
    journal.sync(T0).unwrap();
    assert!(check(&memory).is_clean(), "{:?}", check(&memory).faults);
}

/// What a workload acknowledged.
struct Done {
    /// By number: in the journal, or given up for the quota.
    acknowledged: BTreeSet<u64>,
    /// Kept, but not acknowledged at the end.
    kept: BTreeSet<u64>,
}

/// Appends, syncs, rotates, gives up for the quota; goes on after every failure.
fn work(memory: &Memory, settings: &Settings) -> Done {
    let mut done = Done { acknowledged: BTreeSet::new(), kept: BTreeSet::new() };
    let Ok((mut journal, _)) = Journal::open(settings.clone(), memory.clone(), key(), T0) else { return done };
    let mut waiting: Vec<(u64, u64)> = Vec::new();
    for number in 1..=480 {
        if let Some(sequence) = append(&mut journal, number) {
            waiting.push((sequence, number));
        }
        if number % 40 == 0 {
            let _ = journal.sync(T0 + number * 60_000_000_000);
        }
        let acknowledged = journal.acknowledged().sequence;
        waiting.retain(|(sequence, number)| {
            if *sequence <= acknowledged {
                done.acknowledged.insert(*number);
            }
            *sequence > acknowledged
        });
    }
    done.kept.extend(waiting.iter().map(|(_, number)| *number));
    done
}

/// What is left after a restart must have all that was acknowledged, but for what a gap record says was given up.
fn hold_to(memory: &Memory, settings: &Settings, done: &Done, at: &str) {
    memory.heal();
    let (mut journal, recovery) = open(memory.clone(), Settings { quota_octets: 1024 * 1024, ..settings.clone() });
    assert_eq!(recovery.missing, None, "{at}");
    assert_eq!(recovery.damage, None, "{at}");
    append(&mut journal, 1_005).unwrap();
    journal.checkpoint(T0);
    journal.sync(T0 + 10_000_000_000_000).unwrap();
    let verdict = check(memory);
    assert!(verdict.is_clean(), "{at}: {:?}", verdict.faults);
    let (numbers, lost) = read_all(memory.clone(), Cursor::START);
    assert_eq!(numbers.last(), Some(&1_005), "{at}");
    assert!(numbers.is_sorted_by(|one, other| one < other), "{at}");
    let there: BTreeSet<u64> = numbers.iter().copied().collect();
    let lost: u64 = lost.iter().map(|(from, to)| to - from + 1).sum();
    assert_eq!(lost, verdict.removed.records, "{at}");
    let missing = done.acknowledged.difference(&there).count() as u64;
    assert!(missing <= lost, "{at}: {missing} of the acknowledged are missing, {lost} were given up");
    for number in done.acknowledged.difference(&there) {
        let (class, severity) = kind_of(*number);
        assert!(verdict.removed.counts.get(Kind::of(class, severity)) > 0, "{at}: {number}");
    }
}

/// the k-th call fails, k = 1 until none does; once, and from then on for ever; with a restart after it.
#[test]
fn each_call_may_fail() {
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        for lasting in [false, true] {
            // Every call in one combination, a share of them in the others.
            let step = if kind == ErrorKind::Other && !lasting { 1 } else { 7 };
            let mut failing = 1;
            loop {
                let memory = Memory::default();
                memory.decide(move |number, _| (number == failing || (lasting && number > failing)).then_some(kind));
                let done = work(&memory, &tight());
                let calls = memory.calls();
                hold_to(&memory, &tight(), &done, &format!("{kind:?} at call {failing}, lasting {lasting}"));
                if calls < failing {
                    assert_eq!(done.kept.len(), 0, "nothing failed");
                    assert!(failing > 150, "{failing} calls");
                    break;
                }
                failing += step;
            }
        }
    }
}

/// the same with the machine losing power after the failure.
#[test]
fn each_call_may_fail_before_a_power_cut() {
    let mut failing = 1;
    loop {
        let memory = Memory::default();
        memory.decide(move |number, _| (number >= failing).then_some(ErrorKind::Other));
        let done = work(&memory, &tight());
        let calls = memory.calls();
        let after = memory.after_power_cut(&mut Random(failing));
        hold_to(&after, &tight(), &done, &format!("power cut after call {failing}"));
        if calls < failing {
            break;
        }
        failing += 2;
    }
}
