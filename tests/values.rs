//! Whether what is read agrees, figure by figure, with what a reference dissector says of the same captures.
//!
//! `values/README.md` says what the tables hold. Those whose capture is in the repository are compared always; the others
//! where `YAGURA_CORPUS` names a folder that holds their captures. Two public stacks are asked for a second opinion.

#[path = "values/listen.rs"]
mod listen;
#[path = "values/opinion.rs"]
mod opinion;
#[path = "values/table.rs"]
mod table;

use fixtures::story::Capture;
use opinion::Opinions;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use table::{Outcome, Table};

/// Messages that are compared at least, from the captures of the repository alone.
const LEAST_MESSAGES: usize = 300;
/// The folder of captures that are not in the repository.
const CORPUS: &str = "YAGURA_CORPUS";
/// A capture that is larger is none of the tables'.
const LARGEST: u64 = 64 << 20;

/// Columns of which a figure must be compared, by protocol and kind of row, from the captures of the repository alone.
const COMPARED: &[(&str, &str, &str)] = &[
    ("dnp3", "link", "message source destination control"),
    ("dnp3", "message", "source destination control application function indications"),
    ("dnp3", "object", "header group variation qualifier quantity"),
    ("dnp3", "point", "index value flags time_ms status code count on_ms off_ms"),
    ("iec104", "S", "receive"),
    ("iec104", "U", "unnumbered"),
    ("iec104", "I", "apdu send receive type sequence objects cause negative test originator common_address"),
    ("iec104", "I", "object address value quality time_ms time_invalid select qualifier"),
    ("modbus", "request", "transaction unit function reference count"),
    ("modbus", "response", "transaction unit function exception reference count"),
    ("modbus", "value", "place value"),
];

/// Captures below a folder by their digest.
fn digests(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let entry = entry.expect("an entry can be read");
            let about = entry.metadata().expect("an entry can be looked at");
            if about.is_dir() {
                folders.push(entry.path());
            } else if about.len() <= LARGEST {
                files.push(entry.path());
            }
        }
    }
    let digest = |path: &PathBuf| {
        let octets = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect::<String>()
    };
    tests::map(&files, digest).into_iter().zip(files).collect()
}

/// The tables whose captures are below a folder, each with its capture.
fn tables_of(folder: &Path) -> Vec<(Table, Capture)> {
    let digests = digests(folder);
    let tables = table::all().into_iter();
    tables.filter_map(|table| digests.get(&table.sha256).map(|path| (table, tests::read(path)))).collect()
}

/// The tables of the repository's own captures.
fn tables_of_ours() -> Vec<(Table, Capture)> {
    tables_of(&fixtures::recorded_folder())
}

/// Compares tables with their captures; every one must have something to compare, and no disagreement.
fn compare(tables: &[(Table, Capture)]) -> BTreeMap<String, Outcome> {
    let outcomes = tests::map(tables, |(table, capture)| {
        (table.name.clone(), table.compare(&listen::readings(capture, &table.protocol)))
    });
    let mut wrong = Vec::new();
    for (name, outcome) in &outcomes {
        println!(
            "{name}: {} figures of {} messages; {} explained, {} frames in which the reference gave up",
            outcome.figures, outcome.messages, outcome.explained, outcome.given_up
        );
        if outcome.messages == 0 {
            wrong.push(format!("{name}: no message was compared"));
        }
        if !outcome.is_fine() {
            wrong.push(outcome.report());
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    outcomes.into_iter().collect()
}

#[test]
fn our_own_captures_read_as_the_reference_reads_them() {
    let tables = tables_of_ours();
    let names: BTreeSet<&str> = tables.iter().map(|(table, _)| table.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["c104-substation", "opendnp3-feeders", "pymodbus-reads-writes"]));
    let outcomes = compare(&tables);
    let messages: usize = outcomes.values().map(|outcome| outcome.messages).sum();
    assert!(messages >= LEAST_MESSAGES, "only {messages} messages were compared");
    for (protocol, kind, columns) in COMPARED {
        let of_protocol = tables.iter().filter(|(table, _)| table.protocol == *protocol);
        let compared: BTreeSet<_> = of_protocol.flat_map(|(table, _)| &outcomes[&table.name].columns).collect();
        for column in columns.split(' ') {
            let it = ((*kind).to_owned(), column.to_owned());
            assert!(compared.contains(&it), "{protocol}: no {kind} has a {column} that was compared");
        }
    }
}

#[test]
fn captures_of_the_corpus_read_as_the_reference_reads_them() {
    let Some(folder) = std::env::var_os(CORPUS) else {
        println!("{CORPUS} names no folder: tables of captures that are not in the repository are left out");
        return;
    };
    let ours: BTreeSet<String> = tables_of_ours().into_iter().map(|(table, _)| table.name).collect();
    let mut tables = tables_of(Path::new(&folder));
    tables.retain(|(table, _)| !ours.contains(&table.name));
    assert!(!tables.is_empty(), "{CORPUS} holds no capture of any table");
    compare(&tables);
    let there: BTreeSet<&String> = tables.iter().map(|(table, _)| &table.name).chain(&ours).collect();
    for table in table::all().iter().filter(|table| !there.contains(&table.name)) {
        println!("{}: its capture is not there", table.name);
    }
}

#[test]
fn one_other_figure_is_a_disagreement() {
    for (table, capture) in tables_of_ours() {
        let readings = listen::readings(&capture, &table.protocol);
        assert!(table.compare(&readings).is_fine());
        let mut seen = BTreeSet::new();
        for (place, row) in table.rows.iter().enumerate() {
            for (column, shown) in &row.shown {
                // Once for each column of each kind of row: more say the same.
                let is_told = !(column == "time_ms" && row.shown.get("time_invalid").is_some_and(|said| said == "1"));
                if !is_told || table.is_explained(row.frame) || !seen.insert((row.kind.clone(), column.clone())) {
                    continue;
                }
                // A bit that means something in every octet of flags and quality; another digit of what is no whole number.
                let changed = table::whole(shown).map_or_else(|| format!("{shown}1"), |whole| (whole ^ 4).to_string());
                let mut other = table.clone();
                other.rows[place].shown.insert(column.clone(), changed.clone());
                let outcome = other.compare(&readings);
                assert!(!outcome.is_fine(), "{}: {} {column} {changed} for {shown}", table.name, row.kind);
            }
        }
        // Without a row of theirs, and without one of ours.
        let mut shorter = table.clone();
        let is_plain = |row: &table::Row| row.kind != "malformed" && !table.is_explained(row.frame);
        shorter.rows.remove(table.rows.iter().rposition(is_plain).expect("most rows are"));
        assert!(!shorter.compare(&readings).is_fine(), "{}: a row less of theirs", table.name);
        assert!(!table.compare(&readings[1..]).is_fine(), "{}: a row less of ours", table.name);
        assert!(seen.len() > 10, "{}", table.name);
    }
}

/// What the public stack of a protocol says of our recordings.
fn opinions(capture: &str) -> Opinions {
    let path = fixtures::recorded_folder().join(capture).join("capture.pcap");
    let mut opinions = Opinions::default();
    listen::hear(&tests::read(&path), &mut opinions);
    opinions
}

#[test]
fn a_stack_of_iec104_reads_the_same() {
    let Opinions { compared, refused, wrong, codes } = opinions("c104-substation");
    println!("{compared} information objects of the types {codes:?}; refused: {}", refused.join("; "));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(compared >= 150 && codes.len() >= 20, "{compared} {codes:?}");
}

#[test]
fn a_stack_of_modbus_reads_the_same() {
    for (capture, least) in [("pymodbus-reads-writes", 30), ("pymodbus-plant", 1_000)] {
        let Opinions { compared, refused, wrong, codes } = opinions(capture);
        println!("{capture}: {compared} messages of the functions {codes:?}; refused: {}", refused.join("; "));
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
        assert!(compared >= least, "{capture}: {compared} {codes:?}");
    }
}
