//! How fast it is, on this machine's disk: `cargo test --release -p yagura-journal speed -- --ignored --nocapture`.

use super::*;
use crate::storage::{Disk, Folder};
use std::time::Instant;

/// At least 50,000 records a second with group commit, and at least 200 MB/s of verification.
#[test]
#[ignore = "measures; meaningful with --release"]
fn speed_of_append_read_and_verify() {
    let folder = Folders::new("speed");
    let path = folder.path().join("journal");
    let settings = Settings { quota_octets: 2 * 1024 * 1024 * 1024, ..Settings::new("sensor-1", "run-1") };
    let (mut journal, _) = open(Disk::open(&path).unwrap(), settings);
    let text = format!(r#"{{"type":"alert","text":"{}"}}"#, "The quick brown fox. ".repeat(90));
    let records = 200_000_u32;
    let start = Instant::now();
    for number in 0..records {
        assert!(journal.append(Class::Alert, Some(Severity::High), T0 + u64::from(number), &text).is_some());
        if number % 1_000 == 999 {
            journal.sync(T0).unwrap();
        }
    }
    journal.checkpoint(T0);
    journal.sync(T0).unwrap();
    let append = f64::from(records) / start.elapsed().as_secs_f64();
    let start = Instant::now();
    let verdict = check(&Folder::new(&path));
    let verify = verdict.octets as f64 / 1e6 / start.elapsed().as_secs_f64();
    assert!(verdict.is_clean(), "{:?}", verdict.faults);
    let start = Instant::now();
    let mut reader = Reader::open(Folder::new(&path), Cursor::START).unwrap();
    let mut read = 0_u32;
    while let Step::Entry(..) = reader.next().unwrap() {
        read += 1;
    }
    let read = f64::from(read) / start.elapsed().as_secs_f64();
    drop(journal);
    let start = Instant::now();
    let (journal, _) = open(Disk::open(&path).unwrap(), Settings::new("sensor-1", "run-2"));
    let open = start.elapsed();
    let octets = journal.status().octets;
    println!("append {append:.0} records/s of {} octets, verify {verify:.0} MB/s", text.len());
    println!("read {read:.0} records/s, open {octets} octets in {open:?}");
    assert!(append >= 50_000.0 && verify >= 200.0);
}
