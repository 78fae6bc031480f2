//! `Error`: why a capture cannot be read, or not to its end, in one line that says what, where and what to do.

use std::io;
use std::path::Path;

/// Why a capture cannot be read, or not to its end. Each prints as one line, safe for a terminal; `path` is shown as
/// [`shown`] makes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such file.
    #[error("{path}: no such file; check the name")]
    NotFound {
        /// The file.
        path: String,
    },
    /// The file may not be read by this user.
    #[error("{path}: may not be read by this user; change its permissions, or run as a user who may read it")]
    Denied {
        /// The file.
        path: String,
    },
    /// The path is a directory.
    #[error("{path}: is a directory; name the capture files in it")]
    Directory {
        /// The directory.
        path: String,
    },
    /// The path is a pipe, a device or a socket: to open it might wait for ever.
    #[error("{path}: is {what}, not a file; to read from a pipe, name \"-\" and give it as standard input")]
    NotFile {
        /// The path.
        path: String,
        /// What it is, with its article.
        what: &'static str,
    },
    /// Standard input is a terminal: nobody types a capture.
    #[error("standard input: is a terminal; give a capture to it (yagura .. - < FILE)")]
    Terminal,
    /// "-" was named more than once.
    #[error("standard input: is named more than once; it can be read only once")]
    InputTwice,
    /// More captures than a frame's origin can tell apart.
    #[error("{count} captures: at most {max} can be read as one timeline; merge some of them first (mergecap)")]
    TooMany {
        /// How many were named.
        count: usize,
        /// How many can be.
        max: usize,
    },
    /// The file could not be opened, for another reason.
    #[error("{path}: cannot be opened: {reason}")]
    Open {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// There is nothing in the file.
    #[error("{path}: is empty; capture again, or leave it out")]
    Empty {
        /// The file.
        path: String,
    },
    /// The file is no capture that is understood.
    #[error("{path}: is not a pcap, pcapng or snoop capture, but {looks_like}")]
    Foreign {
        /// The file.
        path: String,
        /// What it looks like, and what to do about it.
        looks_like: String,
    },
    /// A version or variant of the format that is not understood.
    #[error("{path}: {what} at octet {octet} is not supported; convert it with \"editcap -F pcapng\"")]
    Unsupported {
        /// The file.
        path: String,
        /// Which variant.
        what: String,
        /// Where it says so.
        octet: u64,
    },
    /// The file ends within a header, a record or a block.
    #[error("{path}: cut short at octet {octet}, in {}; {}; copy the file again if the rest is wanted",
        within(*.frame), kept(*.frame))]
    Cut {
        /// The file.
        path: String,
        /// Where it ends, in the unpacked data.
        octet: u64,
        /// The frame that would have been next, from 1; 0 for the file's own header.
        frame: u64,
    },
    /// A record or block that cannot be: nothing behind it can be trusted.
    #[error("{path}: damaged at octet {octet}, in {}: {what}; {}; nothing behind it can be trusted",
        within(*.frame), kept(*.frame))]
    Damaged {
        /// The file.
        path: String,
        /// Where the record or block starts, in the unpacked data.
        octet: u64,
        /// The frame that would have been next, from 1; 0 for the file's own header.
        frame: u64,
        /// What is wrong.
        what: String,
    },
    /// The compressed stream breaks off or is damaged.
    #[error("{path}: the {format} stream cannot be unpacked beyond octet {octet} of its contents, in {} ({reason}); \
        {}; copy the file again if the rest is wanted", within(*.frame), kept(*.frame))]
    Packed {
        /// The file.
        path: String,
        /// Which compression.
        format: &'static str,
        /// How much could be unpacked.
        octet: u64,
        /// The frame that would have been next, from 1; 0 for the file's own header.
        frame: u64,
        /// What the decompressor said.
        reason: String,
    },
    /// The system failed to read on.
    #[error("{path}: cannot be read beyond octet {octet}, in {} ({reason}); {}; check the disk or the connection",
        within(*.frame), kept(*.frame))]
    Read {
        /// The file.
        path: String,
        /// How much could be read.
        octet: u64,
        /// The frame that would have been next, from 1; 0 for the file's own header.
        frame: u64,
        /// What the system said.
        reason: String,
    },
}

impl Error {
    /// Why `path` could not be opened.
    pub(super) fn of_open(path: &Path, error: &io::Error) -> Self {
        let shown_path = shown(&path.to_string_lossy());
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path: shown_path },
            io::ErrorKind::PermissionDenied => Self::Denied { path: shown_path },
            io::ErrorKind::IsADirectory => Self::Directory { path: shown_path },
            _ => Self::Open { path: shown_path, reason: shown(&error.to_string()) },
        }
    }
}

/// A text in one line that does nothing to a terminal: control, format and other unprintable characters are written as
/// escapes; quotes and letters of any script stay.
pub fn shown(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\'' | '"' => line.push(character),
            // A combining mark by itself is printable, and belongs to the letter before it.
            _ if !line.is_empty() => {
                let mut pair = String::from("x");
                pair.push(character);
                line.extend(pair.escape_debug().skip(1));
            }
            _ => line.extend(character.escape_debug()),
        }
    }
    line
}

/// Where the damage is, for a person.
fn within(frame: u64) -> String {
    if frame == 0 { "the header of the file".to_owned() } else { format!("frame {frame}") }
}

/// What was read all the same, for a person. `frame` is the first that could not be.
fn kept(frame: u64) -> String {
    match frame {
        0 | 1 => "no frame could be read".to_owned(),
        2 => "the frame before it was read".to_owned(),
        _ => format!("the {} frames before it were read", frame.saturating_sub(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_speak_to_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\nc\u{202e}d\u{9b}"), "a\\u{1b}[2Jb\\nc\\u{202e}d\\u{9b}");
        assert_eq!(shown("\u{7}x"), "\\u{7}x");
        assert_eq!(shown("変電所 'A' \"1\".pcap"), "変電所 'A' \"1\".pcap");
        assert_eq!(shown("か\u{3099}"), "か\u{3099}");
    }

    #[test]
    fn an_error_names_place_and_frame_in_one_line() {
        let cut = Error::Cut { path: shown("a\nb"), octet: 331_776, frame: 2042 };
        let line = cut.to_string();
        assert_eq!(
            line,
            "a\\nb: cut short at octet 331776, in frame 2042; the 2041 frames before it were read; \
             copy the file again if the rest is wanted"
        );
        let header = Error::Cut { path: "a".to_owned(), octet: 5, frame: 0 }.to_string();
        assert!(header.contains("octet 5, in the header of the file; no frame could be read"), "{header}");
    }
}
