//! Everything that somebody without the key may try.

use super::*;
use crate::hash::Hash;
use crate::head::Head;
use crate::line::{Draft, Row, time_text};
use crate::verify::What;

/// The journal that is attacked: several segments, some of it given up for the quota.
fn victim() -> Memory {
    let memory = Memory::default();
    let (mut journal, _) =
        open(memory.clone(), Settings { segment_octets_max: 4_096, quota_octets: 32 * 1024, ..tight() });
    for number in 1..=150 {
        append(&mut journal, number).unwrap();
        if number % 10 == 0 {
            journal.sync(T0 + number * 60_000_000_000).unwrap();
        }
    }
    // Some records after the last checkpoint: the anchor's part.
    journal.checkpoint(T0);
    for number in 151.. {
        append(&mut journal, number).unwrap();
        journal.sync(T0 + 100_000_000_000_000).unwrap();
        // Making room signs: what comes after it is not signed.
        if journal.since_checkpoint > 3 {
            break;
        }
    }
    memory
}

/// The lines of a file, with their newlines.
fn lines(octets: &[u8]) -> Vec<Vec<u8>> {
    octets.split_inclusive(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect()
}

/// Links all lines anew, as somebody can who has no key: from a line of a file to the end of the journal.
fn relink(memory: &Memory, names: &[String], from: usize, mut previous: Hash, change: impl Fn(&str) -> String) {
    for (place, name) in names.iter().enumerate().skip(from) {
        let mut text = Vec::new();
        for (number, line) in lines(&memory.octets(name)).iter().enumerate() {
            let line = line.strip_suffix(b"\n").unwrap();
            match Row::parse(line).unwrap() {
                Row::Stub(stub) => {
                    text.extend(stub.to_line());
                    previous = stub.last;
                }
                Row::Entry(entry) => {
                    let record =
                        if (place, number) == (from, 0) { change(entry.record) } else { entry.record.to_owned() };
                    let id_start = entry.id.trim_end_matches(|sign: char| sign.is_ascii_digit());
                    let (sequence, written, class, severity) =
                        (entry.sequence, entry.written, entry.class, entry.severity);
                    let line =
                        Draft { sequence, id_start, written, class, severity, previous, record: &record }.to_line();
                    previous = Hash::of(line.as_bytes());
                    text.extend(line.into_bytes());
                }
            }
            text.push(b'\n');
        }
        memory.put(name, &text);
    }
}

/// One mutation; answers its name, or `None` if it changed nothing.
fn mutate(memory: &Memory, random: &mut Random) -> Option<&'static str> {
    let names = memory.segments();
    let before: Vec<Vec<u8>> = names.iter().map(|name| memory.octets(name)).collect();
    let place = random.below(names.len() as u64) as usize;
    let name = &names[place];
    let mut rows = lines(&before[place]);
    let row = random.below(rows.len() as u64) as usize;
    let what = match random.below(10) {
        0 | 1 => {
            // Edit: a bit, a digit, a letter.
            let at = random.below(rows[row].len() as u64) as usize;
            rows[row][at] = match random.below(3) {
                0 => rows[row][at] ^ (1 << random.below(8)),
                1 => b'0' + random.below(10) as u8,
                _ => b'a' + random.below(26) as u8,
            };
            memory.put(name, &rows.concat());
            "edit"
        }
        2 => {
            rows.drain(row..(row + 1 + random.below(3) as usize).min(rows.len()));
            memory.put(name, &rows.concat());
            "drop"
        }
        3 => {
            let other = random.below(rows.len() as u64) as usize;
            rows.swap(row, other);
            memory.put(name, &rows.concat());
            "swap"
        }
        4 => {
            // Truncate the tail, at any octet, and what comes after.
            let cut = random.below(before[place].len() as u64) as usize;
            memory.put(name, &before[place][..cut]);
            names[place + 1..].iter().for_each(|name| memory.take(name));
            "truncate"
        }
        5 => {
            // Replay a segment in the place of another, or after all.
            let other = random.below(names.len() as u64 + 1) as usize;
            match names.get(other) {
                Some(other) => memory.put(other, &before[place]),
                None => memory.put(&crate::segment::segment_name(100_000), &before[place]),
            }
            "replay"
        }
        6 => {
            memory.take(name);
            "remove"
        }
        7 => {
            let copied = rows[random.below(rows.len() as u64) as usize].clone();
            rows.insert(row, copied);
            memory.put(name, &rows.concat());
            "insert"
        }
        8 => {
            // Fork: a record is changed and all after it linked anew, with the old signatures.
            let Row::Entry(entry) = Row::parse(rows[0].strip_suffix(b"\n")?).ok()? else { return None };
            relink(memory, &names, place, entry.previous, |record| record.replacen('{', r#"{"forged":1,"#, 1));
            "fork"
        }
        _ => {
            // Fork of the end: a forged record after the last that is kept.
            let keep = row + 1;
            let Row::Entry(entry) = Row::parse(rows[row].strip_suffix(b"\n")?).ok()? else { return None };
            let (sequence, previous) = (entry.sequence + 1, Hash::of(entry.line.as_bytes()));
            let written = time_text(T0);
            let (class, record) = (Class::Audit, r#"{"forged":1}"#);
            let line = Draft {
                sequence,
                id_start: "sensor-1/run-1/",
                written: &written,
                class,
                severity: None,
                previous,
                record,
            };
            let mut text = rows[..keep].concat();
            text.extend(line.to_line().into_bytes());
            text.push(b'\n');
            memory.put(name, &text);
            names[place + 1..].iter().for_each(|name| memory.take(name));
            "fork of the end"
        }
    };
    let after: Vec<(String, Vec<u8>)> =
        memory.segments().iter().map(|name| (name.clone(), memory.octets(name))).collect();
    let unchanged = after == names.into_iter().zip(before).collect::<Vec<_>>();
    (!unchanged).then_some(what)
}

/// R-79: 10,000 mutations, every one detected with the public key and an anchor; the untouched journal is clean.
#[test]
fn every_mutation_is_detected() {
    let memory = victim();
    let head = Head::load(&memory).unwrap().unwrap();
    let against = Against { keys: vec![key().public()], anchor: Some((head.sequence, head.hash)) };
    let verdict = verify(&memory, &against).unwrap();
    assert!(verdict.is_clean(), "{:?}", verdict.faults);
    assert_eq!((verdict.anchored_to, verdict.proved_to()), (Some(head.sequence), head.sequence));
    assert!(verdict.unknown().is_empty());
    assert!(verdict.removed.records > 20, "{:?}", verdict.removed);
    assert_eq!(verdict.records + verdict.removed.records, head.sequence);
    let mut random = Random(79);
    let mut done = std::collections::BTreeMap::<&str, u32>::new();
    while done.values().sum::<u32>() < 10_000 {
        let copy = memory.copy();
        // The attacker leaves no `head` that would tell.
        copy.take("head");
        let Some(what) = mutate(&copy, &mut random) else { continue };
        *done.entry(what).or_default() += 1;
        let verdict = verify(&copy, &against).unwrap();
        // What is appended after the anchor was never anchored, and the verdict does not say that it was.
        let appended = verdict.last.is_some_and(|(last, _)| last > verdict.proved_to()) && what == "fork of the end";
        assert!(!verdict.is_clean() || appended, "{what}, mutation {done:?}");
    }
    assert!(done.values().all(|count| *count > 300), "{done:?}");
}

/// R-79: without anchor, a cut or forged end is said to be unknown; up to the last checkpoint all is detected.
#[test]
fn what_cannot_be_known_is_said() {
    let memory = victim();
    let head = Head::load(&memory).unwrap().unwrap();
    let names = memory.segments();
    let name = names.last().unwrap();
    let rows = lines(&memory.octets(name));
    let verdict = check(&memory);
    assert_eq!(verdict.last, Some((head.sequence, head.hash)));
    assert!(verdict.is_clean() && verdict.signed_to < Some(head.sequence) && verdict.anchored_to.is_none());
    assert_eq!(verdict.unknown().len(), 2, "{:?}", verdict.unknown());
    // Cut off, `head` left: seen. `head` taken too: said to be unknown.
    memory.put(name, &rows[..rows.len() - 1].concat());
    assert_eq!(check(&memory).faults[0].what, What::EndBeforeHead(head.sequence));
    memory.take("head");
    let verdict = check(&memory);
    assert!(verdict.is_clean() && !verdict.unknown().is_empty());
    let anchor = Some((head.sequence, head.hash));
    let verdict = verify(&memory, &Against { keys: vec![], anchor }).unwrap();
    assert_eq!(verdict.faults[0].what, What::EndBeforeAnchor(head.sequence));
}

/// R-79: a journal signed with another key is not taken for ours; after a change of keys both are named.
#[test]
fn another_key_is_not_ours() {
    let memory = written(small(), 30);
    let other = Key::generate().unwrap();
    let verdict = verify(&memory, &Against { keys: vec![other.public()], anchor: None }).unwrap();
    assert!(verdict.faults.iter().any(|fault| fault.what == What::Signature));
    assert!(verdict.faults.iter().any(|fault| fault.what == What::NoSignature));
    let (mut journal, _) = Journal::open(small(), memory.clone(), other, T0).unwrap();
    append(&mut journal, 31).unwrap();
    journal.checkpoint(T0);
    journal.sync(T0).unwrap();
    let (_, again) = (journal.status(), Key::generate().unwrap().public());
    assert!(!check(&memory).is_clean());
    let public = journal.key.public();
    assert!(verify(&memory, &Against { keys: vec![again, key().public(), public], anchor: None }).unwrap().is_clean());
}

/// R-79: a hole that only an unsigned gap record names is a fault: that record can be forged.
#[test]
fn a_forged_gap_record_vouches_for_nothing() {
    let memory = written(small(), 100);
    let names = memory.segments();
    let first = crate::segment::segment_first(&names[1]).unwrap();
    let next = lines(&memory.octets(&names[1]));
    let Row::Entry(entry) = Row::parse(next[0].strip_suffix(b"\n").unwrap()).unwrap() else { panic!("a record") };
    let last = entry.previous;
    let mut gap = crate::gap::GapRecord::new(crate::gap::Cause::Quota, Default::default());
    (gap.from, gap.to, gap.before) = (Some(1), Some(first - 1), Some(Hash::ZERO));
    (gap.last, gap.front) = (Some(last), Some(Default::default()));
    let (mut journal, _) = open(memory.clone(), small());
    journal.push(Class::Gap, None, T0, &gap.to_json());
    journal.sync(T0).unwrap();
    memory.take(&names[0]);
    let verdict = check(&memory);
    assert_eq!(verdict.faults[0].what, What::MissingUnsigned { from: 1, to: first - 1 });
    assert_eq!(verdict.faults_total, 1);
    // Signed by the key's owner it counts.
    journal.push_checkpoint(T0);
    journal.sync(T0).unwrap();
    assert!(check(&memory).is_clean());
}
