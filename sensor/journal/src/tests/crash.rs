//! Killed writers, power cuts, torn and damaged ends.

use super::*;
use crate::head::Head;
use std::collections::BTreeSet;

/// Appends until the folder dies; answers the numbers that were acknowledged.
fn until_death(memory: &Memory, settings: &Settings, from: u64, random: &mut Random) -> BTreeSet<u64> {
    let mut acknowledged = BTreeSet::new();
    let Ok((mut journal, _)) = Journal::open(settings.clone(), memory.clone(), key(), T0) else { return acknowledged };
    let mut waiting = Vec::new();
    for number in from..from + 150 {
        waiting.extend(append(&mut journal, number).map(|sequence| (sequence, number)));
        if random.below(4) == 0 && journal.sync(T0 + number * 60_000_000_000).is_err() {
            break;
        }
        let to = journal.acknowledged().sequence;
        waiting.retain(|(sequence, number)| {
            if *sequence <= to {
                acknowledged.insert(*number);
            }
            *sequence > to
        });
    }
    let to = journal.acknowledged().sequence;
    acknowledged.extend(waiting.iter().filter(|(sequence, _)| *sequence <= to).map(|(_, number)| *number));
    acknowledged
}

/// a writer that ends at any octet, again and again in the same folder: nothing that was acknowledged is lost, nothing
/// comes twice, the chain holds, and torn ends are reported.
fn killed(rounds: u64, power: bool) {
    let mut torn = 0;
    let mut deaths = 0;
    for seed in 0..rounds {
        let mut random = Random(seed * 2 + u64::from(power));
        let mut memory = Memory::default();
        let mut acknowledged = BTreeSet::new();
        for life in 0..3 {
            memory.die_after(random.below(45_000));
            acknowledged.extend(until_death(&memory, &small(), life * 1_000 + 1, &mut random));
            deaths += 1;
            memory = if power { memory.after_power_cut(&mut random) } else { memory.after_kill() };
        }
        let (mut journal, recovery) = open(memory.clone(), small());
        torn += recovery.torn.len();
        assert_eq!((recovery.missing, recovery.damage), (None, None), "seed {seed}");
        append(&mut journal, 9_999).unwrap();
        journal.checkpoint(T0);
        journal.sync(T0).unwrap();
        let verdict = check(&memory);
        assert!(verdict.is_clean(), "seed {seed}: {:?}", verdict.faults);
        assert_eq!(verdict.removed.records, 0);
        let (numbers, lost) = read_all(memory.clone(), Cursor::START);
        assert_eq!(lost, []);
        assert!(numbers.is_sorted_by(|one, other| one < other), "seed {seed}: nothing twice");
        let there: BTreeSet<u64> = numbers.into_iter().collect();
        let missing: Vec<_> = acknowledged.difference(&there).collect();
        assert!(missing.is_empty(), "seed {seed}: {missing:?}");
    }
    assert!(deaths >= rounds && torn > 0, "{torn} torn ends in {deaths} deaths");
}

/// kill -9.
#[test]
fn a_killed_writer_loses_nothing_acknowledged() {
    killed(170, false);
}

/// power cut.
#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    killed(170, true);
}

/// 1,000 deaths each.
#[test]
#[ignore = "long"]
fn a_thousand_deaths_lose_nothing_acknowledged() {
    killed(1_000, false);
    killed(1_000, true);
}

/// the last segment cut at every octet of its last part: what is whole before the cut is found, what is missing is
/// told, and the journal goes on.
fn truncated(records: u64, part: usize, settings: &Settings) {
    let whole = written(settings.clone(), records);
    let head = Head::load(&whole).unwrap().unwrap();
    let name = whole.segments().last().unwrap().clone();
    let octets = whole.octets(&name);
    let first = crate::segment::segment_first(&name).unwrap();
    for keep_head in [true, false] {
        for cut in octets.len().saturating_sub(part)..octets.len() {
            let memory = whole.copy();
            memory.put(&name, &octets[..cut]);
            if !keep_head {
                memory.take("head");
            }
            let left = octets[..cut].iter().filter(|octet| **octet == b'\n').count() as u64;
            let last = first + left - 1;
            let (mut journal, recovery) = open(memory.clone(), settings.clone());
            let at = format!("cut at {cut} of {}, head {keep_head}", octets.len());
            assert_eq!(recovery.damage, None, "{at}");
            assert_eq!(recovery.torn.is_empty(), octets[..cut].ends_with(b"\n") || cut == 0, "{at}");
            if keep_head {
                assert_eq!(recovery.missing, Some((last + 1, head.sequence)), "{at}");
                assert_eq!(recovery.sequence, head.sequence);
            } else {
                assert_eq!((recovery.missing, recovery.sequence), (None, last), "{at}");
            }
            append(&mut journal, 9_999).unwrap();
            if cut % 16 == 0 {
                journal.checkpoint(T0);
                journal.sync(T0).unwrap();
                let verdict = check(&memory);
                assert_eq!(verdict.faults, [], "{at}");
                let damaged = if keep_head { vec![(last + 1, head.sequence)] } else { vec![] };
                assert_eq!((verdict.is_clean(), verdict.damaged), (!keep_head, damaged), "{at}");
                let (numbers, lost) = read_all(memory.clone(), Cursor::START);
                assert_eq!(numbers.last(), Some(&9_999));
                assert_eq!(lost.is_empty(), !keep_head, "{at}");
            }
        }
    }
}

/// smoke.
#[test]
fn an_end_cut_at_any_octet_is_found() {
    truncated(60, 1_500, &Settings { segment_octets_max: 64 * 1024, ..small() });
}

/// a segment that is cut to nothing, the only one or not.
#[test]
fn a_segment_that_is_gone_is_told() {
    let whole = written(small(), 60);
    let sequence = Head::load(&whole).unwrap().unwrap().sequence;
    let name = whole.segments().last().unwrap().clone();
    let first = crate::segment::segment_first(&name).unwrap();
    for remove in [true, false] {
        let memory = whole.copy();
        memory.put(&name, b"");
        if remove {
            memory.take(&name);
        }
        let (mut journal, recovery) = open(memory.clone(), small());
        assert_eq!(recovery.missing, Some((first, sequence)));
        append(&mut journal, 9_999).unwrap();
        journal.sync(T0).unwrap();
        let verdict = check(&memory);
        assert_eq!((verdict.faults, verdict.damaged), (vec![], vec![(first, sequence)]));
    }
    let memory = whole.copy();
    for name in whole.segments() {
        memory.take(&name);
    }
    let (mut journal, recovery) = open(memory.clone(), small());
    assert_eq!(recovery.missing, Some((1, sequence)));
    append(&mut journal, 9_999).unwrap();
    journal.sync(T0).unwrap();
    let verdict = check(&memory);
    assert_eq!((verdict.faults, verdict.damaged), (vec![], vec![(1, sequence)]));
}

/// every octet of the last 64 KiB.
#[test]
#[ignore = "long"]
fn an_end_cut_at_any_octet_of_64_kib_is_found() {
    truncated(400, 64 * 1024, &Settings { segment_octets_max: 512 * 1024, quota_octets: 8 * 1024 * 1024, ..small() });
}

/// 10,000 flipped bits: the writer comes back and reports, or the record did not matter; a verifier always names the
/// line or the one after it; nothing panics; and a restart does not make it good.
#[test]
fn flipped_bits_are_found() {
    let settings = Settings { segment_octets_max: 8_192, ..small() };
    let whole = written(settings.clone(), 36);
    let names = whole.segments();
    let mut random = Random(52);
    for round in 0..10_000 {
        let memory = whole.copy();
        let place = random.below(names.len() as u64) as usize;
        let name = &names[place];
        let mut octets = memory.octets(name);
        let at = random.below(octets.len() as u64) as usize;
        octets[at] ^= 1 << random.below(8);
        let line = octets[..at].iter().filter(|octet| **octet == b'\n').count() as u64 + 1;
        memory.put(name, &octets);
        let anchor = Head::load(&whole).unwrap().map(|head| (head.sequence, head.hash));
        if round % 4 == 0 {
            let verdict = verify(&memory, &Against { keys: vec![key().public()], anchor }).unwrap();
            assert!(!verdict.is_clean(), "octet {at} of {name}");
            let named = verdict.faults.iter().any(|fault| fault.file == *name && fault.line.abs_diff(line) <= 1)
                || verdict.faults.iter().any(|fault| names.get(place + 1) == Some(&fault.file) && fault.line == 1)
                // Where a newline turned into something else, the end is gone.
                || whole.octets(name)[at] == b'\n';
            assert!(named, "octet {at}, line {line} of {name}: {:?}", verdict.faults);
        }
        let (journal, recovery) = open(memory.clone(), settings.clone());
        assert!(journal.status().sequence >= recovery.sequence);
        if place + 1 == names.len() {
            let told = recovery.damage.is_some() || recovery.missing.is_some() || !recovery.torn.is_empty();
            assert!(told, "octet {at} of {name}: {recovery:?}");
        }
        if round % 16 == 0 {
            let (mut journal, _) = (journal, recovery);
            append(&mut journal, 9_999).unwrap();
            journal.checkpoint(T0);
            journal.sync(T0).unwrap();
            let verdict = check(&memory);
            assert!(!verdict.is_clean(), "a restart does not make octet {at} of {name} good");
            assert_eq!(read_all(memory, Cursor::START).0.last(), Some(&9_999));
        }
    }
}
