//! `Problem`: what is wrong in an operator's file, where, and what was expected there.

use std::fmt;
use std::ops::Range;

/// Problems that are told at once; there may be more behind the last.
pub const PROBLEMS_MAX: usize = 20;
/// Problems that are looked at before the first [`PROBLEMS_MAX`] by position are chosen.
const COLLECTED_MAX: usize = 1000;
/// Characters of a quoted value that are shown.
const QUOTED_MAX: usize = 60;
/// Characters of a line that are shown, and how many of them at most stand before the mark.
const SHOWN_MAX: usize = 160;
const BEFORE_MAX: usize = 100;

/// Something that is wrong, or odd, in an operator's file.
///
/// Shown, it is the sentence, the line and a mark below it. Text of the file is escaped for terminals wherever it is
/// shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Name of the file.
    pub file: String,
    /// Line, from 1; 0 where the file could not be read at all.
    pub line: u32,
    /// Character in the line, from 1; 0 where the file could not be read at all.
    pub column: u32,
    /// The line as it stands in the file.
    pub source_line: String,
    /// Characters that are marked, at least 1.
    pub mark_len: u32,
    /// What is wrong.
    pub message: String,
    /// What may stand there: reads after "expected".
    pub expected: Option<String>,
}

impl Problem {
    /// A problem with a file as a whole.
    pub(crate) fn of_file(file: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            source_line: String::new(),
            mark_len: 1,
            message,
            expected: None,
        }
    }

    /// The problem in one line, for standard error: `site.toml:12:8: unknown key "adress" in [[asset]]; expected ..`.
    pub fn one_line(&self) -> String {
        let mut text = escaped(&self.file);
        if self.line > 0 {
            text.push_str(&format!(":{}:{}", self.line, self.column));
        }
        text.push_str(": ");
        text.push_str(&self.message);
        if let Some(expected) = &self.expected {
            text.push_str("; expected ");
            text.push_str(expected);
        }
        text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.one_line())?;
        if self.line == 0 {
            return Ok(());
        }
        let before = usize::try_from(self.column.saturating_sub(1)).unwrap_or(0);
        let marked = usize::try_from(self.mark_len).unwrap_or(1).max(1);
        let hidden = before.saturating_sub(BEFORE_MAX);
        let mut line = String::new();
        let mut indent = 0_usize;
        let mut carets = 0_usize;
        if hidden > 0 {
            line.push('…');
            indent = 1;
        }
        for (index, character) in self.source_line.chars().enumerate().skip(hidden).take(SHOWN_MAX) {
            let shown = escaped(character.encode_utf8(&mut [0; 4]));
            let cells: usize = shown.chars().map(cells).sum();
            if index < before {
                indent = indent.saturating_add(cells);
            } else if index < before.saturating_add(marked) {
                carets = carets.saturating_add(cells);
            }
            line.push_str(&shown);
        }
        if self.source_line.chars().nth(hidden.saturating_add(SHOWN_MAX)).is_some() {
            line.push('…');
        }
        write!(f, "\n{line}\n{}{}", " ".repeat(indent), "^".repeat(carets.max(1)))
    }
}

impl std::error::Error for Problem {}

/// Text that cannot move a terminal's cursor, change its colours or turn its direction. A tab becomes a space.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => out.push(' '),
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}') =>
            {
                out.extend(c.escape_default());
            }
            c => out.push(c),
        }
    }
    out
}

/// A value of the file, escaped, cut and in quotes.
pub(crate) fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(QUOTED_MAX).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("\"{}{more}\"", escaped(&cut))
}

/// `one of: a, b, c`, with the nearest where one is near.
pub(crate) fn one_of(got: &str, choices: &[&str]) -> String {
    let list = format!("one of: {}", choices.join(", "));
    match nearest(got, choices) {
        Some(near) => format!("{list}; did you mean {}?", quoted(near)),
        None => list,
    }
}

/// Columns of a terminal that a character takes: two for the wide ones of East Asia (Unicode Standard Annex 11).
fn cells(character: char) -> usize {
    match u32::from(character) {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// The choice that is the fewest typing errors away: at most one in three characters, rounded up. The beginning of a
/// choice is near, too.
fn nearest<'a>(got: &str, choices: &[&'a str]) -> Option<&'a str> {
    if got.len() > 40 {
        return None;
    }
    let close = choices
        .iter()
        .map(|choice| (distance(got, choice), *choice))
        .filter(|(distance, choice)| distance.saturating_mul(3) <= choice.len().max(got.len()).saturating_add(2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, choice)| choice);
    close.or_else(|| choices.iter().copied().find(|choice| got.len() >= 3 && choice.starts_with(got)))
}

/// Characters that must be put in, taken out or changed to make one word of the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, a) in from.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index.saturating_add(1);
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = left;
        }
        for (cell, b) in cells.zip(to.chars()) {
            let changed = diagonal.saturating_add(usize::from(a != b));
            diagonal = *cell;
            left = changed.min(left.saturating_add(1)).min(cell.saturating_add(1));
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// A file of the operator: its name and text, with its lines findable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFile {
    name: String,
    text: String,
    /// Octet at which each line starts.
    starts: Vec<usize>,
}

impl SourceFile {
    /// A file of a name and a text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let after = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        let starts = std::iter::once(0).chain(after).collect();
        Self { name: name.into(), text, starts }
    }

    /// The name that it was read by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text, as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A line's text without its end; lines count from 1.
    pub fn line_text(&self, line: u32) -> Option<&str> {
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        let start = *self.starts.get(index)?;
        let rest = self.text.get(start..)?;
        Some(rest.lines().next().unwrap_or(""))
    }

    /// The line, from 1, that an octet is of.
    pub(crate) fn line_of(&self, offset: usize) -> u32 {
        u32::try_from(self.starts.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX).max(1)
    }

    /// A problem with some octets of the file.
    pub(crate) fn problem(&self, span: Range<usize>, message: String, expected: Option<String>) -> Problem {
        let line = self.line_of(span.start);
        let index = usize::try_from(line).unwrap_or(1).saturating_sub(1);
        let start = self.starts.get(index).copied().unwrap_or(0);
        let source_line = self.line_text(line).unwrap_or("").to_owned();
        let characters = |from: usize, to: usize| {
            source_line.char_indices().filter(|(at, _)| (from..to).contains(&start.saturating_add(*at))).count()
        };
        let column = u32::try_from(characters(0, span.start)).unwrap_or(u32::MAX).saturating_add(1);
        let mark_len = u32::try_from(characters(span.start, span.end)).unwrap_or(u32::MAX).max(1);
        Problem { file: self.name.clone(), line, column, source_line, mark_len, message, expected }
    }
}

/// Octets of one of several files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Index of the file.
    pub(crate) file: u16,
    /// The first octet.
    pub(crate) start: usize,
    /// The octet after the last.
    pub(crate) end: usize,
}

/// Problems on their way to the operator.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<(u16, Problem)>);

impl Problems {
    /// Takes one in; `file` is the file's index, for the order.
    pub(crate) fn add(&mut self, file: u16, problem: Problem) {
        if self.0.len() < COLLECTED_MAX {
            self.0.push((file, problem));
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first [`PROBLEMS_MAX`], in the order of files and lines.
    pub(crate) fn into_sorted(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|(file, problem)| (*file, problem.line, problem.column));
        self.0.into_iter().take(PROBLEMS_MAX).map(|(_, problem)| problem).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_sentence_line_and_mark() {
        let file = SourceFile::new("site.toml", "schema = 1\nadress = 5\n");
        let problem = file.problem(11..17, "unknown key \"adress\"".into(), Some("one of: a, b".into()));
        assert_eq!((problem.line, problem.column, problem.mark_len), (2, 1, 6));
        assert_eq!(
            problem.to_string(),
            "site.toml:2:1: unknown key \"adress\"; expected one of: a, b\nadress = 5\n^^^^^^"
        );
        assert_eq!(problem.one_line(), "site.toml:2:1: unknown key \"adress\"; expected one of: a, b");
    }

    #[test]
    fn a_mark_stands_below_wide_and_escaped_text() {
        let file = SourceFile::new("f", "名 = \"\u{1b}[2J\", x\r\n");
        let start = file.text().find('x').unwrap();
        let shown = file.problem(start..start + 1, "m".into(), None).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1], "名 = \"\\u{1b}[2J\", x");
        // 2 cells for the first character, 6 for the escape.
        assert_eq!(lines[2], format!("{}^", " ".repeat(18)));
        assert!(!shown.contains('\u{1b}'));
    }

    #[test]
    fn long_lines_are_cut_around_the_mark() {
        let file = SourceFile::new("f", format!("{}x{}", "a".repeat(500), "b".repeat(500)));
        let shown = file.problem(500..501, "m".into(), None).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].starts_with('…') && lines[1].ends_with('…') && lines[1].chars().count() < 170);
        let mark = lines[2].find('^').unwrap();
        assert_eq!(lines[1].chars().nth(mark), Some('x'));
    }

    #[test]
    fn a_mark_ends_with_its_line_and_may_stand_at_the_end_of_the_file() {
        let file = SourceFile::new("f", "ab\ncd\n");
        assert_eq!(file.problem(1..5, "m".into(), None).mark_len, 1);
        let end = file.problem(6..6, "m".into(), None);
        assert_eq!((end.line, end.column, end.mark_len), (3, 1, 1));
        assert_eq!(SourceFile::new("f", "").problem(0..0, "m".into(), None).line, 1);
    }

    #[test]
    fn lines_are_found() {
        let file = SourceFile::new("f", "one\r\ntwo\n");
        assert_eq!(file.line_text(1), Some("one"));
        assert_eq!(file.line_text(2), Some("two"));
        assert_eq!(file.line_text(0), None);
        assert_eq!(file.line_text(4), None);
    }

    #[test]
    fn near_words_are_named_and_far_ones_are_not() {
        let choices = ["name", "address", "addresses", "owner"];
        assert_eq!(nearest("adress", &choices), Some("address"));
        assert_eq!(nearest("onwer", &choices), Some("owner"));
        assert_eq!(nearest("nam", &choices), Some("name"));
        assert_eq!(nearest("zone", &choices), None);
        assert_eq!(nearest("networks", &choices), None);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(one_of("zone", &["a", "b"]), "one of: a, b");
        assert_eq!(one_of("nmae", &["name"]), "one of: name; did you mean \"name\"?");
    }

    #[test]
    fn direction_marks_are_escaped() {
        assert_eq!(escaped("a\u{202e}b\u{7}\tc"), "a\\u{202e}b\\u{7} c");
        assert_eq!(quoted(&"x".repeat(100)), format!("\"{}…\"", "x".repeat(60)));
    }

    #[test]
    fn problems_come_by_file_and_line_and_are_bounded() {
        let file = SourceFile::new("f", "a\n".repeat(100));
        let mut problems = Problems::default();
        for line in (0..100).rev() {
            problems.add(0, file.problem(line * 2..line * 2 + 1, "m".into(), None));
        }
        let sorted = problems.into_sorted();
        assert_eq!(sorted.len(), PROBLEMS_MAX);
        assert_eq!(sorted.iter().map(|problem| problem.line).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    }
}
