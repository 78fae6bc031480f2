//! JSON on one line in which no character acts upon a terminal, a log or a reader's eye.

use serde::Serialize;
use serde_json::ser::Formatter;
use std::fmt::Write as _;
use std::io;

/// Whether a character may act instead of being read: C0 and C1 controls, marks and overrides of writing direction,
/// invisible characters, line and paragraph separators, tags.
pub fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A text for where there is no escape of its own: hostile characters as `\u{..}`, a backslash twice, so that two texts
/// never look the same.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hostile(character) {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
        } else if character == '\\' {
            shown.push_str("\\\\");
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The front of a text of which the JSON takes at most so many octets, and whether something was cut.
pub fn fit(text: &str, octets: usize) -> (&str, bool) {
    let mut used = 0_usize;
    for (at, character) in text.char_indices() {
        used = used.saturating_add(written_octets(character));
        if used > octets {
            return (text.split_at(at).0, true);
        }
    }
    (text, false)
}

fn written_octets(character: char) -> usize {
    match character {
        '"' | '\\' => 2,
        _ if is_hostile(character) => character.len_utf16().saturating_mul(6),
        _ => character.len_utf8(),
    }
}

/// A value as one line of JSON, without its end. `None` where it cannot be JSON (a map with keys that are no texts).
pub fn line<T: Serialize>(value: &T) -> Option<String> {
    let mut octets = Vec::with_capacity(2_048);
    let mut serializer = serde_json::Serializer::with_formatter(&mut octets, Escaping);
    value.serialize(&mut serializer).ok()?;
    String::from_utf8(octets).ok()
}

/// Controls that JSON allows, and between its tokens only (RFC 8259, section 2).
const BETWEEN_TOKENS: [char; 3] = ['\t', '\n', '\r'];

/// JSON text as it may be passed on: every other hostile character in it stands inside a text, where an escape means the same.
pub fn harmless(json: &str) -> String {
    if !json.chars().any(is_hostile) {
        return json.to_owned();
    }
    let mut octets = Vec::with_capacity(json.len());
    // A vector takes every octet.
    let _ = escape(&mut octets, &json.replace(BETWEEN_TOKENS, " "));
    String::from_utf8(octets).unwrap_or_default()
}

struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        escape(writer, fragment)
    }
    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        escape(writer, &fragment.replace(BETWEEN_TOKENS, " "))
    }
}

fn escape<W: ?Sized + io::Write>(writer: &mut W, fragment: &str) -> io::Result<()> {
    let mut rest = fragment;
    while let Some((at, character)) = rest.char_indices().find(|(_, character)| is_hostile(*character)) {
        let (plain, from) = rest.split_at(at);
        writer.write_all(plain.as_bytes())?;
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
        rest = from.split_at(character.len_utf8()).1;
    }
    writer.write_all(rest.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "\u{0}\u{1b}[2J\n\r\t\u{7f}\u{9b}\u{202e}\u{2028}\u{e0041}</script>${jndi:x}\"\\ 変電所 🏭";

    #[test]
    fn a_line_holds_no_hostile_character_and_reads_back() {
        let line = line(&HOSTILE).unwrap();
        assert!(!line.chars().any(is_hostile), "{line}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), HOSTILE);
    }

    #[test]
    fn raw_json_is_made_harmless_and_means_the_same() {
        let raw = "{\"a\":\"x\u{9b}\u{202e}y\"}";
        let safe = harmless(raw);
        assert_eq!(safe, "{\"a\":\"x\\u009b\\u202ey\"}");
        assert_eq!(harmless("{\"a\":1}"), "{\"a\":1}");
        assert_eq!(harmless("{\t\"a\":\r\n1}"), "{ \"a\":  1}");
        let value: Box<serde_json::value::RawValue> = serde_json::from_str(raw).unwrap();
        assert_eq!(line(&value).unwrap(), safe);
    }

    #[test]
    fn a_text_is_cut_by_what_it_takes_when_written() {
        for octets in 0..40 {
            let (front, cut) = fit(HOSTILE, octets);
            assert!(line(&front).unwrap().len() <= octets + 2, "{octets}: {front:?}");
            assert_eq!(cut, front.len() < HOSTILE.len());
        }
        assert_eq!(fit("ab\"c", 4), ("ab\"", true));
        assert_eq!(fit("ab\"c", 5), ("ab\"c", false));
    }

    #[test]
    fn two_texts_never_look_the_same() {
        assert_eq!(visible("\u{1b}"), "\\u{1b}");
        assert_eq!(visible("\\u{1b}"), "\\\\u{1b}");
        assert!(!visible(HOSTILE).chars().any(is_hostile));
    }
}
