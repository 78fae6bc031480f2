//! The inbox: how other programs of this machine hand records to the sensor, which alone writes the journal.
//!
//! A record is a file in the state folder's `inbox`, put there whole. The sensor appends it to the journal and removes the
//! file. Who may write there is a matter of the folder's permissions.

use super::config::Configuration;
use super::scribe::Note;
use super::wall_ns;
use crate::commands::Failure;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use yagura_journal::class::{Class, Severity};
use yagura_journal::journal::Journal;
use yagura_journal::key::Key;
use yagura_journal::storage::Disk;

/// Files that one look takes at most.
const TAKEN_MAX: usize = 256;
/// Octets of a file that is taken at most.
const OCTETS_MAX: u64 = 65_536;
/// How the name of a file ends that is whole.
const END: &str = ".json";

/// A record as it lies in the inbox.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Letter {
    class: String,
    severity: Option<String>,
    record: String,
}

fn folder(configuration: &Configuration) -> PathBuf {
    configuration.state.join("inbox")
}

/// Makes the folder where it is not there.
///
/// # Errors
/// Where it cannot be made.
pub fn make(configuration: &Configuration) -> Result<PathBuf, Failure> {
    let folder = folder(configuration);
    fs::create_dir_all(&folder).map_err(|error| Failure::of_file(&folder, "cannot be made", &error))?;
    Ok(folder)
}

/// Hands a record in: to the sensor that runs, or, where none does, to the journal itself. Answers whether it is in the
/// journal already.
///
/// # Errors
/// Where neither can be written.
pub fn hand_in(configuration: &Configuration, by: &str, note: &Note) -> Result<bool, Failure> {
    let journal = configuration.journal_folder();
    match Disk::open(&journal) {
        Ok(disk) => {
            let (key, _) =
                Key::load_or_create(&configuration.key()).map_err(|error| Failure::World(error.to_string()))?;
            let settings = configuration.journal_settings(by, &format!("{:x}", wall_ns()));
            let opened = Journal::open(settings, disk, key, wall_ns());
            let (mut journal, _) = opened.map_err(|error| Failure::World(error.to_string()))?;
            journal.append(note.class, note.severity, wall_ns(), &note.record);
            journal.checkpoint(wall_ns());
            journal.sync(wall_ns()).map_err(|trouble| Failure::World(trouble.to_string()))?;
            Ok(true)
        }
        // A sensor runs and has the journal.
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            put(&make(configuration)?, note)?;
            Ok(false)
        }
        Err(error) => Err(Failure::of_file(&journal, "the journal cannot be opened", &error)),
    }
}

/// Puts a record into the folder, whole.
fn put(folder: &Path, note: &Note) -> Result<(), Failure> {
    let letter = Letter {
        class: note.class.name().to_owned(),
        severity: note.severity.map(|severity| severity.name().to_owned()),
        record: note.record.clone(),
    };
    let name = format!("{:020}-{}", wall_ns(), std::process::id());
    let (unready, ready) = (folder.join(format!("{name}.new")), folder.join(format!("{name}{END}")));
    let text = serde_json::to_vec(&letter).map_err(|error| Failure::World(error.to_string()))?;
    let written = fs::File::create(&unready).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&unready, &ready)
    });
    written.map_err(|error| Failure::of_file(&ready, "cannot be written", &error))
}

/// What lies in the folder, oldest first, with its file, which the caller removes once the record is written. What is no
/// record is put aside as `.bad`.
pub fn take(folder: &Path) -> Vec<(PathBuf, Note)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_letter(path)).collect();
    files.sort();
    files.truncate(TAKEN_MAX);
    files
        .into_iter()
        .filter_map(|path| match read(&path) {
            Some(note) => Some((path, note)),
            None => {
                let _ = fs::rename(&path, path.with_extension("bad"));
                None
            }
        })
        .collect()
}

fn is_letter(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(END))
}

fn read(path: &Path) -> Option<Note> {
    let data = fs::symlink_metadata(path).ok()?;
    if !data.is_file() || data.len() > OCTETS_MAX {
        return None;
    }
    let letter: Letter = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let class = Class::from_name(&letter.class).filter(|class| !matches!(class, Class::Gap | Class::Checkpoint))?;
    let severity = match &letter.severity {
        None => None,
        Some(name) => Some(Severity::from_name(name)?),
    };
    Some(Note { class, severity, record: letter.record, captured_ns: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_taken_once_in_order_and_what_is_no_record_is_put_aside() {
        let folder = std::env::temp_dir().join(format!("yagura-inbox-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for number in 0..3 {
            let record = format!("{{\"n\":{number}}}");
            put(&folder, &Note { class: Class::Disposition, severity: None, record, captured_ns: 0 }).unwrap();
        }
        fs::write(folder.join("00-a.json"), "{\"class\":\"gap\",\"severity\":null,\"record\":\"{}\"}").unwrap();
        fs::write(folder.join("00-b.json"), "nonsense").unwrap();
        fs::write(folder.join("00-c.new"), "not whole").unwrap();
        let taken = take(&folder);
        let records: Vec<&str> = taken.iter().map(|(_, note)| note.record.as_str()).collect();
        assert_eq!(records, ["{\"n\":0}", "{\"n\":1}", "{\"n\":2}"]);
        for (path, _) in taken {
            fs::remove_file(path).unwrap();
        }
        assert!(take(&folder).is_empty());
        assert!(folder.join("00-a.bad").exists() && folder.join("00-b.bad").exists());
    }
}
