//! Tables of figures: what the reference dissector shows of a capture, row by row, and whether ours agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use yagura_parsers::message::Quality;

/// Disagreements of one table that are listed; the rest is counted.
const LISTED: usize = 20;

/// One figure of ours.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Figure {
    Whole(i128),
    /// Equal only where all bits are, or where neither is a number.
    Real(f64),
    Text(String),
    /// What an octet of flags or quality came to, whose meaning the row decides.
    Quality(Quality),
    /// Such an octet put together again from the fields of a record, and what it came to.
    Octet(u8, Quality),
    /// The device calls its time invalid: then it tells none, whatever the octets hold.
    Invalid,
}

/// Figures of ours by the names of the table's columns.
pub(crate) type Figures = BTreeMap<&'static str, Figure>;

/// One row of ours.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// The frame in which the message ended, from 1.
    pub(crate) frame: u64,
    pub(crate) kind: &'static str,
    pub(crate) figures: Figures,
}

/// One row of the reference's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) frame: u64,
    pub(crate) kind: String,
    /// What is shown, by column; without empty ones, the frame, the protocol and the kind.
    pub(crate) shown: BTreeMap<String, String>,
}

impl Row {
    fn text(&self, column: &str) -> &str {
        self.shown.get(column).map_or("", String::as_str)
    }

    fn number(&self, column: &str) -> Option<i128> {
        whole(self.text(column))
    }
}

/// A disagreement that is the reference's doing.
#[derive(Debug, Clone)]
struct Explained {
    /// The frames, first and last of each range.
    frames: Vec<(u64, u64)>,
    /// `rows` where one has rows that the other has not; `any` for every column and the rows.
    column: String,
    reason: String,
}

/// A table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) sha256: String,
    pub(crate) protocol: String,
    /// The last frame that it reaches.
    last: u64,
    explained: Vec<Explained>,
    pub(crate) rows: Vec<Row>,
}

/// What a comparison comes to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) messages: usize,
    pub(crate) figures: usize,
    /// Frames in which the reference gave up.
    pub(crate) given_up: usize,
    /// Columns of which a figure was compared, each with the kinds of row.
    pub(crate) columns: BTreeSet<(String, String)>,
    pub(crate) explained: usize,
    wrong: Vec<String>,
    more_wrong: usize,
}

impl Outcome {
    pub(crate) fn is_fine(&self) -> bool {
        self.wrong.is_empty()
    }

    /// The disagreements, the first of them in full.
    pub(crate) fn report(&self) -> String {
        let more = if self.more_wrong > 0 { format!("\n  and {} more", self.more_wrong) } else { String::new() };
        format!("{}{more}", self.wrong.join("\n"))
    }
}

/// The tables of the folder, in the order of their names.
pub(crate) fn all() -> Vec<Table> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("values");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "tsv"));
    paths.sort();
    paths.iter().map(|path| Table::read(path)).collect()
}

impl Table {
    fn read(path: &Path) -> Self {
        let name = path.file_stem().expect("a table has a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut table = Self {
            name: name.clone(),
            sha256: String::new(),
            protocol: String::new(),
            last: 0,
            explained: Vec::new(),
            rows: Vec::new(),
        };
        let (head, body): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('#'));
        for line in head {
            let (key, said) = line.trim_start_matches("# ").split_once(' ').unwrap_or((line, ""));
            match key {
                "sha256" => said.clone_into(&mut table.sha256),
                "frames" if said == "all" => table.last = u64::MAX,
                "frames" => {
                    let last = said.strip_prefix("1 to ").and_then(|last| last.parse().ok());
                    table.last = last.unwrap_or_else(|| panic!("{name}: frames {said}"));
                }
                "explained" => table.explained.push(Explained::read(&name, said)),
                "tshark" | "source" => {}
                _ => panic!("{name}: nobody knows what this line is: {line}"),
            }
        }
        let mut lines = body.into_iter();
        let columns: Vec<&str> = lines.next().unwrap_or_else(|| panic!("{name}: no columns")).split('\t').collect();
        for line in lines {
            let cells: Vec<&str> = line.split('\t').collect();
            assert_eq!(cells.len(), columns.len(), "{name}: {line}");
            let mut row = Row::default();
            for (column, cell) in columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
                match *column {
                    "frame" => row.frame = cell.parse().unwrap_or_else(|_| panic!("{name}: {line}")),
                    "protocol" => cell.clone_into(&mut table.protocol),
                    "kind" => cell.clone_into(&mut row.kind),
                    _ => {
                        row.shown.insert((*column).to_owned(), cell.to_owned());
                    }
                }
            }
            table.rows.push(row);
        }
        assert!(!table.rows.is_empty() && table.last > 0 && table.sha256.len() == 64, "{name} is no table");
        table
    }

    /// Whether something in a frame is explained.
    pub(crate) fn is_explained(&self, frame: u64) -> bool {
        self.explained.iter().any(|explained| explained.is_about(frame))
    }

    /// Compares every row in the order of frames.
    pub(crate) fn compare(&self, readings: &[Reading]) -> Outcome {
        let mut comparison = Comparison { table: self, used: BTreeSet::new(), outcome: Outcome::default() };
        let mut theirs: BTreeMap<u64, Vec<&Row>> = BTreeMap::new();
        for row in &self.rows {
            theirs.entry(row.frame).or_default().push(row);
        }
        let mut ours: BTreeMap<u64, Vec<&Reading>> = BTreeMap::new();
        for reading in readings.iter().filter(|reading| reading.frame <= self.last) {
            ours.entry(reading.frame).or_default().push(reading);
        }
        let frames: BTreeSet<u64> = theirs.keys().chain(ours.keys()).copied().collect();
        for frame in frames {
            let theirs = theirs.get(&frame).map_or(&[][..], Vec::as_slice);
            let ours = ours.get(&frame).map_or(&[][..], Vec::as_slice);
            comparison.frame(frame, theirs, ours);
        }
        let Comparison { used, mut outcome, .. } = comparison;
        for (place, explained) in self.explained.iter().enumerate().filter(|(place, _)| !used.contains(place)) {
            let Explained { frames, column, reason } = explained;
            let line = format!("{}: this explains nothing ({place}): {frames:?} {column} {reason}", self.name);
            outcome.wrong.push(line);
        }
        outcome
    }
}

impl Explained {
    /// `FRAMES COLUMN REASON`; frames as in `3,8-10`, or `all`.
    fn read(name: &str, said: &str) -> Self {
        let mut parts = said.splitn(3, ' ');
        let (Some(frames), Some(column), Some(reason)) = (parts.next(), parts.next(), parts.next()) else {
            panic!("{name}: explained {said}: wants frames, a column and a reason");
        };
        let range = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{name}: explained {said}"));
            (number(first), number(last))
        };
        let frames = if frames == "all" { vec![(0, u64::MAX)] } else { frames.split(',').map(range).collect() };
        Self { frames, column: column.to_owned(), reason: reason.to_owned() }
    }

    fn is_about(&self, frame: u64) -> bool {
        self.frames.iter().any(|(first, last)| (*first..=*last).contains(&frame))
    }
}

/// A comparison under way.
struct Comparison<'a> {
    table: &'a Table,
    /// Explanations that explained something.
    used: BTreeSet<usize>,
    outcome: Outcome,
}

impl Comparison<'_> {
    fn frame(&mut self, frame: u64, theirs: &[&Row], ours: &[&Reading]) {
        if theirs.first().is_some_and(|row| row.kind == "malformed") {
            self.outcome.given_up += 1;
            return;
        }
        let theirs = self.without_spare_bits(theirs, ours);
        let ours = without_unknown(&theirs, ours);
        let kinds_of_theirs: Vec<&str> = theirs.iter().map(|row| shape(&row.kind)).collect();
        let kinds_of_ours: Vec<&str> = ours.iter().map(|reading| shape(reading.kind)).collect();
        if kinds_of_theirs != kinds_of_ours {
            let lines = || format!("they have {}, we have {}", brief(&kinds_of_theirs), brief(&kinds_of_ours));
            self.disagree(frame, "rows", lines);
        }
        // As far as both see the same rows, they are compared: one of them may have stopped in the middle.
        for (row, reading) in theirs.iter().zip(&ours) {
            if shape(&row.kind) != shape(reading.kind) {
                return;
            }
            if matches!(row.kind.as_str(), "message" | "link" | "S" | "U" | "request" | "response")
                || (row.kind == "I" && row.text("object") == "0")
            {
                self.outcome.messages += 1;
            }
            self.row(row, reading);
        }
    }

    fn row(&mut self, row: &Row, reading: &Reading) {
        for (column, shown) in &row.shown {
            let figure = reading.figures.get(column.as_str());
            if figure == Some(&Figure::Invalid) {
                continue;
            }
            self.outcome.figures += 1;
            self.outcome.columns.insert((row.kind.clone(), column.clone()));
            if !figure.is_some_and(|figure| agrees(figure, shown, row)) {
                let place: Vec<String> = ["message", "apdu", "header", "object", "group", "variation", "type", "index"]
                    .iter()
                    .filter(|name| !row.text(name).is_empty())
                    .map(|name| format!("{name} {}", row.text(name)))
                    .collect();
                let place = place.join(" ");
                self.disagree(row.frame, column, || {
                    format!("{} {place}: {column} is {shown}, we read {figure:?}", row.kind)
                });
            }
        }
    }

    /// The reference numbers the bits that fill the last octet of coils and inputs too; they are no coils.
    fn without_spare_bits<'a>(&self, theirs: &[&'a Row], ours: &[&Reading]) -> Vec<&'a Row> {
        let spare = theirs.len().saturating_sub(ours.len());
        let all_of_ours = ours.iter().filter(|reading| reading.kind == "value").count();
        let is_bits = |row: &&Row| row.kind == "value" && matches!(row.number("function"), Some(1 | 2));
        let last = theirs.iter().filter(|row| is_bits(row)).count();
        if self.table.protocol != "modbus" || spare >= 8 || last != all_of_ours + spare || all_of_ours == 0 {
            return theirs.to_vec();
        }
        theirs.iter().take(theirs.len() - spare).copied().collect()
    }

    fn disagree(&mut self, frame: u64, column: &str, say: impl FnOnce() -> String) {
        let is_it = |explained: &Explained| {
            (explained.column == column || explained.column == "any") && explained.is_about(frame)
        };
        if let Some(place) = self.table.explained.iter().position(is_it) {
            self.used.insert(place);
            self.outcome.explained += 1;
        } else if self.outcome.wrong.len() < LISTED {
            self.outcome.wrong.push(format!("{} frame {frame}: {}", self.table.name, say()));
        } else {
            self.outcome.more_wrong += 1;
        }
    }
}

/// Ours without the points of object headers that the reference does not know.
fn without_unknown<'a>(theirs: &[&Row], ours: &[&'a Reading]) -> Vec<&'a Reading> {
    let place = |message: Option<i128>, header: Option<i128>| (message, header);
    let unknown: BTreeSet<_> = theirs
        .iter()
        .filter(|row| row.kind == "unknown")
        .map(|row| place(row.number("message"), row.number("header")))
        .collect();
    let number = |reading: &Reading, column| match reading.figures.get(column) {
        Some(Figure::Whole(number)) => Some(*number),
        _ => None,
    };
    let is_known = |reading: &&&Reading| {
        reading.kind != "point" || !unknown.contains(&place(number(reading, "message"), number(reading, "header")))
    };
    ours.iter().filter(is_known).copied().collect()
}

/// A header that the reference does not know is a header.
fn shape(kind: &str) -> &str {
    if kind == "unknown" { "object" } else { kind }
}

/// Kinds of rows in their order, runs of the same as a number.
fn brief(kinds: &[&str]) -> String {
    let runs: Vec<String> =
        kinds.chunk_by(|a, b| a == b).map(|run| format!("{} {}", run.len(), run.first().unwrap_or(&""))).collect();
    if runs.is_empty() { "nothing".to_owned() } else { runs.join(", ") }
}

/// A whole number, decimal or hexadecimal.
pub(crate) fn whole(text: &str) -> Option<i128> {
    match text.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn agrees(figure: &Figure, shown: &str, row: &Row) -> bool {
    match figure {
        Figure::Whole(ours) => whole(shown) == Some(*ours),
        Figure::Real(ours) => shown
            .parse::<f64>()
            .is_ok_and(|theirs| theirs.to_bits() == ours.to_bits() || (theirs.is_nan() && ours.is_nan())),
        Figure::Text(ours) => ours == shown,
        Figure::Quality(ours) => whole(shown).and_then(|octet| quality(row, octet)) == Some(*ours),
        Figure::Octet(octet, ours) => {
            whole(shown) == Some((*octet).into()) && quality(row, (*octet).into()) == Some(*ours)
        }
        Figure::Invalid => true,
    }
}

/// What an octet of flags comes to: by group (IEEE 1815 11.6), or by type identification (IEC 60870-5-101 7.2.6).
fn quality(row: &Row, octet: i128) -> Option<Quality> {
    const ANY: i128 = 0;
    let group = row.number("group");
    // Which bit, and whether it tells when it is set.
    let bits: Vec<(i128, i128, Quality)> = match (group, row.number("type")) {
        (Some(group), _) => {
            let mut bits = vec![
                (0x01, ANY, Quality::INVALID),
                (0x02, 0x02, Quality::RESTART),
                (0x04, 0x04, Quality::COMM_LOST),
                (0x08, 0x08, Quality::SUBSTITUTED),
                (0x10, 0x10, Quality::SUBSTITUTED),
            ];
            bits.extend(match group {
                1..=4 => vec![(0x20, 0x20, Quality::CHATTER)],
                10 | 11 => vec![],
                20..=23 => vec![(0x40, 0x40, Quality::REFERENCE)],
                30..=33 | 40 | 42 => vec![(0x20, 0x20, Quality::OVERFLOW), (0x40, 0x40, Quality::REFERENCE)],
                _ => return None,
            });
            bits
        }
        (None, Some(15 | 37)) => vec![(0x40, 0x40, Quality::REFERENCE), (0x80, 0x80, Quality::INVALID)],
        (None, Some(type_id)) => {
            let mut bits = vec![
                (0x10, 0x10, Quality::BLOCKED),
                (0x20, 0x20, Quality::SUBSTITUTED),
                (0x40, 0x40, Quality::NOT_TOPICAL),
                (0x80, 0x80, Quality::INVALID),
            ];
            match type_id {
                1 | 3 | 30 | 31 => {}
                5 | 7 | 9 | 11 | 13 | 20 | 32..=36 => bits.push((0x01, 0x01, Quality::OVERFLOW)),
                _ => return None,
            }
            bits
        }
        (None, None) => return None,
    };
    let told = bits.into_iter().filter(|(bit, tells, _)| octet & bit == *tells);
    Some(told.fold(Quality(0), |quality, (_, _, said)| quality.and(said)))
}
