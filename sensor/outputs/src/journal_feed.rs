//! The journal as an output reads it, with the output's cursor in a file.

use crate::feed::{Feed, FeedError, Step};
use crate::record::{Class, Entry, Severity};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use yagura_journal::cursor::Cursor;
use yagura_journal::line;
use yagura_journal::reader::{self, Reader};
use yagura_journal::storage::Folder;

/// Places in the journal that are remembered until they are acknowledged; beyond that only the number is, and the place
/// is looked up after a start.
const PLACES_MAX: usize = 65_536;

/// The journal from an output's cursor on.
pub struct JournalFeed {
    reader: Reader<Folder>,
    cursor: PathBuf,
    /// Where reading goes on behind what was read and not acknowledged, the oldest first.
    places: VecDeque<Cursor>,
}

impl JournalFeed {
    /// Opens the journal in a folder at the cursor in a file; where there is none, at the oldest record.
    ///
    /// # Errors
    /// The journal cannot be read, or the cursor is damaged or of another journal.
    pub fn open(journal: &Path, cursor: &Path) -> Result<Self, FeedError> {
        let at = Cursor::load(cursor).map_err(|error| FeedError(error.to_string()))?.unwrap_or(Cursor::START);
        let reader = Reader::open(Folder::new(journal), at).map_err(|error| FeedError(error.to_string()))?;
        Ok(Self { reader, cursor: cursor.to_owned(), places: VecDeque::new() })
    }
}

impl Feed for JournalFeed {
    fn next(&mut self) -> Result<Step, FeedError> {
        let (step, place) = match self.reader.next().map_err(|error| FeedError(error.to_string()))? {
            reader::Step::Nothing => return Ok(Step::Nothing),
            reader::Step::Entry(entry, place) => (Step::Entry(Box::new(owned(&entry))), place),
            reader::Step::Lost(lost, place) => (Step::Lost { from: lost.from, to: lost.to }, place),
        };
        if self.places.len() >= PLACES_MAX {
            self.places.pop_back();
        }
        self.places.push_back(place);
        Ok(step)
    }

    fn acknowledge(&mut self, sequence: u64) -> Result<(), FeedError> {
        let mut place = Cursor::after(sequence);
        while let Some(front) = self.places.front().filter(|front| front.sequence <= sequence) {
            if front.sequence == sequence {
                place = *front;
            }
            self.places.pop_front();
        }
        place.save(&self.cursor).map_err(|error| FeedError(format!("{}: {error}", self.cursor.display())))
    }
}

fn owned(entry: &line::Entry<'_>) -> Entry {
    Entry {
        sequence: entry.sequence,
        id: entry.id.to_owned(),
        class: Class::ALL.into_iter().find(|class| class.name() == entry.class.name()).unwrap_or(Class::Audit),
        severity: entry.severity.and_then(|severity| Severity::of_rank(severity.rank())),
        written: entry.written.to_owned(),
        record: entry.record.to_owned(),
        line: entry.line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yagura_journal::class;
    use yagura_journal::journal::Journal;
    use yagura_journal::key::Key;
    use yagura_journal::settings::Settings;
    use yagura_journal::storage::Disk;

    struct Temporary(PathBuf);

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn folder(name: &str) -> Temporary {
        let path = std::env::temp_dir().join(format!("yagura-feed-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("journal")).unwrap();
        Temporary(path)
    }

    fn journal(folder: &Temporary, segment_octets_max: u64) -> Journal<Disk> {
        let settings = Settings { segment_octets_max, ..Settings::new("pump-4", "01HX") };
        let disk = Disk::open(&folder.0.join("journal")).unwrap();
        Journal::open(settings, disk, Key::generate().unwrap(), 1).unwrap().0
    }

    fn write(journal: &mut Journal<Disk>, records: u64) {
        for number in 0..records {
            let record = format!("{{\"type\":\"alert\",\"severity\":\"high\",\"n\":{number}}}");
            journal.append(class::Class::Alert, Some(class::Severity::High), 5, &record).unwrap();
        }
        journal.sync(6).unwrap();
    }

    fn open(folder: &Temporary) -> JournalFeed {
        JournalFeed::open(&folder.0.join("journal"), &folder.0.join("siem.json")).unwrap()
    }

    fn alerts(feed: &mut JournalFeed, most: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        while entries.len() < most {
            match feed.next().unwrap() {
                Step::Entry(entry) if entry.class == Class::Alert => entries.push(*entry),
                Step::Entry(_) => {}
                Step::Lost { .. } => panic!("nothing is lost"),
                Step::Nothing => break,
            }
        }
        entries
    }

    /// what was not acknowledged comes again after a start, from the record behind the last that was.
    #[test]
    fn reading_goes_on_behind_what_was_acknowledged() {
        let folder = folder("on");
        let mut journal = journal(&folder, 8_192);
        write(&mut journal, 100);
        let mut feed = open(&folder);
        let first = alerts(&mut feed, 60);
        assert_eq!(first.len(), 60);
        assert_eq!(first[0], Entry::parse(&first[0].line).unwrap(), "both ways to take a line apart agree");
        feed.acknowledge(first[39].sequence).unwrap();
        let again = alerts(&mut open(&folder), usize::MAX);
        assert_eq!(again.len(), 60);
        assert_eq!(again[..20], first[40..]);
        // A number of which the place was never known is as good.
        feed.acknowledge(first[49].sequence).unwrap();
        let mut far = open(&folder);
        far.acknowledge(first[54].sequence).unwrap();
        assert_eq!(alerts(&mut open(&folder), 1)[0], first[55]);
        write(&mut journal, 3);
        assert_eq!(alerts(&mut far, usize::MAX).len(), 50 + 3, "what is appended meanwhile is read too");
    }

    /// segments that are gone are told as lost, once, with their numbers.
    #[test]
    fn what_is_gone_is_told() {
        let folder = folder("gone");
        let mut journal = journal(&folder, 4_096);
        write(&mut journal, 200);
        let mut names: Vec<PathBuf> =
            std::fs::read_dir(folder.0.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        names.sort();
        std::fs::remove_file(&names[0]).unwrap();
        let second: u64 = names[1].file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let mut feed = open(&folder);
        assert_eq!(feed.next().unwrap(), Step::Lost { from: 1, to: second - 1 });
        feed.acknowledge(second - 1).unwrap();
        let Step::Entry(entry) = open(&folder).next().unwrap() else { panic!("a record follows") };
        assert_eq!(entry.sequence, second);
    }

    #[test]
    fn a_damaged_cursor_is_told_and_not_taken_for_the_beginning() {
        let folder = folder("damaged");
        write(&mut journal(&folder, 4_096), 3);
        std::fs::write(folder.0.join("siem.json"), "{").unwrap();
        let Err(error) = JournalFeed::open(&folder.0.join("journal"), &folder.0.join("siem.json")) else {
            panic!("a damaged cursor was taken")
        };
        assert!(error.0.contains("siem.json: damaged"), "{error}");
    }
}
