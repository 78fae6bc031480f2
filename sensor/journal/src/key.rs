//! The key that signs checkpoints (Ed25519, RFC 8032), and the signature in a checkpoint's record.

use crate::hash::{Hash, hex_decode, hex_encode};
use crate::line::Entry;
use crate::storage::replace_file;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file of the key could not be read or written.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file holds something else.
    #[error("{}: not a key of 64 lower-case hexadecimal digits", .0.display())]
    Damaged(PathBuf),
    /// Others than the owner could read or change the file.
    #[error("{}: its mode {mode:o} lets others at the signing key; `chmod 600` it, and make a new one if in doubt", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The system gave no randomness.
    #[error("no randomness for a new key: {0}")]
    Randomness(String),
}

/// The key that signs.
pub struct Key(SigningKey);

impl Key {
    /// Reads the key at `path`; if there is none, makes one (mode 0600) and puts its public half beside it as `path` with
    /// `.pub` appended. Answers whether it was made.
    ///
    /// # Errors
    /// [`KeyError`]: a key that others may read, or a damaged one, is refused and never replaced.
    pub fn load_or_create(path: &Path) -> Result<(Self, bool), KeyError> {
        let at = |error| KeyError::Io { path: path.to_owned(), error };
        match fs::read(path) {
            Ok(text) => {
                let mode = fs::metadata(path).map_err(at)?.permissions().mode();
                if mode & 0o027 != 0 {
                    return Err(KeyError::Exposed { path: path.to_owned(), mode: mode & 0o777 });
                }
                let secret = hex_decode(text.trim_ascii_end()).ok_or_else(|| KeyError::Damaged(path.to_owned()))?;
                Ok((Self(SigningKey::from_bytes(&secret)), false))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = Self::generate()?;
                // The public half goes first: a key without it is never met.
                let mut public = path.as_os_str().to_owned();
                public.push(".pub");
                let public = PathBuf::from(public);
                replace_file(&public, format!("{}\n", key.public().to_hex()).as_bytes(), 0o644)
                    .map_err(|error| KeyError::Io { path: public, error })?;
                replace_file(path, format!("{}\n", hex_encode(key.0.as_bytes())).as_bytes(), 0o600).map_err(at)?;
                Ok((key, true))
            }
            Err(error) => Err(at(error)),
        }
    }

    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// [`KeyError::Randomness`] if the system has none.
    pub fn generate() -> Result<Self, KeyError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| KeyError::Randomness(error.to_string()))?;
        Ok(Self(SigningKey::from_bytes(&secret)))
    }

    /// The half that others may know, and need to check signatures.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The record of a checkpoint: a signature over all of its line that stands before.
    pub(crate) fn checkpoint_record(&self, sequence: u64, id: &str, written: &str, previous: &Hash) -> String {
        let signature = self.0.sign(statement(sequence, id, written, previous).as_bytes());
        self.public().record(&hex_encode(&signature.to_bytes()))
    }
}

/// The half of a key that checks signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From 64 lower-case hexadecimal digits; `None` if they are no key.
    pub fn from_hex(text: &str) -> Option<Self> {
        VerifyingKey::from_bytes(&hex_decode(text.as_bytes())?).ok().map(Self)
    }

    /// As 64 lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex_encode(self.0.as_bytes())
    }

    /// Reads a file that holds one.
    ///
    /// # Errors
    /// [`KeyError`] if it cannot be read or holds something else.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let text = fs::read_to_string(path).map_err(|error| KeyError::Io { path: path.to_owned(), error })?;
        Self::from_hex(text.trim_ascii_end()).ok_or_else(|| KeyError::Damaged(path.to_owned()))
    }

    /// The one text of a checkpoint's record.
    fn record(&self, signature: &str) -> String {
        format!(r#"{{"type":"checkpoint","schema":1,"key":"{}","signature":"{signature}"}}"#, self.to_hex())
    }

    /// Whether this key signed a line of class checkpoint, every octet of it.
    pub(crate) fn has_signed(&self, entry: &Entry<'_>) -> bool {
        let before = self.record("");
        let Some(start) = before.strip_suffix("\"}") else { return false };
        let signature = entry.record.strip_prefix(start).and_then(|rest| rest.strip_suffix("\"}"));
        let Some(octets) = signature.and_then(|text| hex_decode(text.as_bytes())) else { return false };
        let statement = statement(entry.sequence, entry.id, entry.written, &entry.previous);
        entry.severity.is_none() && self.0.verify_strict(statement.as_bytes(), &Signature::from_bytes(&octets)).is_ok()
    }
}

/// What is signed. `previous` stands for all lines before the checkpoint, as each names the one before it.
fn statement(sequence: u64, id: &str, written: &str, previous: &Hash) -> String {
    format!("yagura-journal-checkpoint 1\n{sequence}\n{id}\n{written}\n{previous}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Class;
    use crate::line::{Draft, Row, time_text};
    use crate::tests::Folders;

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let folder = Folders::new("key");
        let path = folder.path().join("key");
        let (made, new) = Key::load_or_create(&path).unwrap();
        let (again, newer) = Key::load_or_create(&path).unwrap();
        assert!(new && !newer);
        assert_eq!(made.public(), again.public());
        assert_eq!(PublicKey::load(&folder.path().join("key.pub")).unwrap(), made.public());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Key::load_or_create(&path), Err(KeyError::Exposed { mode: 0o644, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "abc").unwrap();
        assert!(matches!(Key::load_or_create(&path), Err(KeyError::Damaged(_))));
    }

    #[test]
    fn every_changed_octet_of_a_checkpoint_is_seen() {
        let key = Key::generate().unwrap();
        let written = time_text(7);
        let previous = Hash::of(b"x");
        let record = key.checkpoint_record(9, "s/r/9", &written, &previous);
        let class = Class::Checkpoint;
        let draft = Draft {
            sequence: 9,
            id_start: "s/r/",
            written: &written,
            class,
            severity: None,
            previous,
            record: &record,
        };
        let line = draft.to_line();
        let signed = |line: &[u8], key: &Key| match Row::parse(line) {
            Ok(Row::Entry(entry)) => entry.class == class && key.public().has_signed(&entry),
            _ => false,
        };
        assert!(signed(line.as_bytes(), &key));
        assert!(!signed(line.as_bytes(), &Key::generate().unwrap()));
        for place in 0..line.len() {
            for bit in 0..8 {
                let mut other = line.clone().into_bytes();
                other[place] ^= 1 << bit;
                assert!(!signed(&other, &key), "octet {place}, bit {bit}");
            }
        }
    }
}
