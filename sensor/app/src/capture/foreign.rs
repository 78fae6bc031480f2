//! What a file that is no capture looks like, and what to do about it.

use super::error::shown;
use std::path::Path;

/// How files of other formats begin, and what to tell who names one.
const BEGINNINGS: &[(&[u8], &str)] = &[
    (b"GMBU", "a Microsoft Network Monitor capture; convert it with \"editcap -F pcapng\""),
    (b"RTSS", "a Microsoft Network Monitor capture; convert it with \"editcap -F pcapng\""),
    (b"btsnoop\0", "a Bluetooth capture; there is no network traffic in it"),
    (b"TRSNIFF data", "a Sniffer capture; convert it with \"editcap -F pcapng\""),
    (b"XCP\0", "a NetXRay capture; convert it with \"editcap -F pcapng\""),
    (b"\x05VNF", "a Visual Networks capture; convert it with \"editcap -F pcapng\""),
    (b"iptrace ", "an AIX iptrace capture; convert it with \"editcap -F pcapng\""),
    (b"\x1f\x8b", "a gzip stream within another; unpack it once"),
    (b"\xfd7zXZ\0", "an xz stream within another; unpack it once"),
    (b"\x28\xb5\x2f\xfd", "a zstd stream within another; unpack it once"),
    (b"BZh", "a bzip2 archive; unpack it first (bunzip2)"),
    (b"\x04\x22\x4d\x18", "an lz4 archive; unpack it first (unlz4)"),
    (b"PK\x03\x04", "a zip archive; unpack it first (unzip)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first (7z x)"),
    (b"Rar!", "a rar archive; unpack it first"),
    (b"\x7fELF", "a program; name a capture"),
    (b"%PDF", "a PDF document; name a capture"),
    (b"SQLite format 3\0", "a SQLite database; name a capture"),
];

/// Where a tar archive has its magic.
const TAR_MAGIC_AT: usize = 257;

/// What a file looks like that starts with `start`, and what to do about it. The path only helps where a format has no
/// magic.
pub(super) fn looks_like(path: &Path, start: &[u8]) -> String {
    if let Some((_, text)) = BEGINNINGS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return (*text).to_owned();
    }
    if start.get(TAR_MAGIC_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) {
        return "a tar archive; unpack it first (tar x)".to_owned();
    }
    if let Some(text) = text_of(start) {
        return kind_of_text(text).to_owned();
    }
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("erf")) {
        return "perhaps an ERF capture, by its name; convert it with \"editcap -F pcapng\"".to_owned();
    }
    let octets: Vec<String> = start.iter().take(4).map(|octet| format!("{octet:02x}")).collect();
    let told =
        format!("something else, which begins with octets {}; see what \"capinfos\" makes of it", octets.join(" "));
    shown(&told)
}

/// `start` as text, where it is: UTF-8, perhaps cut within a character, and no control characters but white space.
fn text_of(start: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(start.get(..error.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    let is_plain = |c: char| !c.is_control() || c.is_ascii_whitespace();
    (!text.is_empty() && text.chars().all(is_plain)).then_some(text)
}

/// Which kind of text it is.
fn kind_of_text(text: &str) -> &'static str {
    let text = text.trim_start();
    if text.starts_with(['{', '[']) {
        return "JSON text; give the capture that it was made from";
    }
    if text.starts_with('<') {
        return "XML or HTML text; give the capture itself";
    }
    let mut words = text.split_ascii_whitespace();
    let is_hex = |word: &str| !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_hexdigit());
    let offset = words.next().is_some_and(|word| word.len() >= 3 && is_hex(word.trim_end_matches(':')));
    let octets = words.take(4).filter(|word| matches!(word.len(), 2 | 4) && is_hex(word)).count();
    if offset && octets >= 3 {
        return "a hex dump; make a capture of it with \"text2pcap\"";
    }
    "text; name a capture"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_beginnings_are_named_and_unknown_ones_shown() {
        let look = |start: &[u8]| looks_like(Path::new("a"), start);
        assert!(look(b"GMBU\x02\x01").contains("Network Monitor"));
        assert!(look(b"\x1f\x8b\x08").contains("unpack it once"));
        assert!(look(b"[\n  {\n    \"a\"").starts_with("JSON"));
        assert!(look(b"0000  00 0c 29 af\n").contains("text2pcap"));
        assert!(look(b"0x0000:  4500 003c 1c46 4000\n").starts_with("text"));
        assert!(look("時刻,送信元\n".as_bytes()).starts_with("text"));
        assert!(look(&"時".as_bytes()[..2]).contains("begins with octets e6 99"));
        assert!(look(&[1, 2, 3, 4, 5]).contains("octets 01 02 03 04"));
        assert!(looks_like(Path::new("x.ERF"), &[0, 1, 2]).contains("ERF"));
        let mut tar = vec![0_u8; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert!(look(&tar).contains("tar"));
    }
}
