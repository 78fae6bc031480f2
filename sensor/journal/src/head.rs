//! The small file `head`: how far the journal is on the disk, and so how far may be read.

use crate::hash::Hash;
use crate::storage::Source;
use serde::{Deserialize, Serialize};
use std::io;

/// The name of the file.
pub(crate) const HEAD: &str = "head";

/// Octets of the file: always the same, so that one write changes all of it.
pub(crate) const HEAD_OCTETS: usize = 256;

/// How often a reader looks again if it met the file in the midst of a write.
const TRIES: usize = 16;

/// What was acknowledged: every record up to it is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The last record that was acknowledged; 0 before the first.
    pub sequence: u64,
    /// The hash of its line.
    pub hash: Hash,
    /// The first sequence number of the segment in which it stands.
    pub segment: u64,
    /// Octets of that segment that count.
    pub octets: u64,
}

impl Head {
    /// As the content of the file: JSON, its hash's first 16 digits, spaces, newline.
    pub(crate) fn to_octets(self) -> Vec<u8> {
        // A struct of numbers and texts always has a JSON text.
        let text = serde_json::to_string(&self).unwrap_or_default();
        let check: String = Hash::of(text.as_bytes()).to_hex().chars().take(16).collect();
        let mut octets = format!("{text} {check}").into_bytes();
        octets.resize(HEAD_OCTETS.saturating_sub(1), b' ');
        octets.push(b'\n');
        octets
    }

    /// Reads the content of the file; `None` if it is damaged.
    pub(crate) fn parse(octets: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(octets).ok()?.split(' ').next()?;
        let head: Self = serde_json::from_str(text).ok()?;
        (head.to_octets() == octets).then_some(head)
    }

    /// Reads the file of a folder; `None` if there is none, or it is damaged.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn load<S: Source>(source: &S) -> io::Result<Option<Self>> {
        match source.open(HEAD) {
            Ok(file) => Self::read(source, &file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the open file.
    pub(crate) fn read<S: Source>(source: &S, file: &S::File) -> io::Result<Option<Self>> {
        let mut octets = [0; HEAD_OCTETS];
        for _ in 0..TRIES {
            let read = source.read_at(file, 0, &mut octets)?;
            if let Some(head) = octets.get(..read).and_then(Self::parse) {
                return Ok(Some(head));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_one_length_and_every_changed_octet_is_seen() {
        let head = Head { sequence: u64::MAX, hash: Hash::of(b"x"), segment: u64::MAX, octets: u64::MAX };
        let octets = head.to_octets();
        assert_eq!(octets.len(), HEAD_OCTETS);
        assert_eq!(Head::parse(&octets), Some(head));
        assert_eq!(Head::default().to_octets().len(), HEAD_OCTETS);
        for place in 0..octets.len() {
            let mut other = octets.clone();
            other[place] ^= 1;
            assert_eq!(Head::parse(&other), None, "octet {place}");
            assert_eq!(Head::parse(&octets[..place]), None);
        }
    }
}
