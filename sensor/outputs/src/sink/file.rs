//! Lines of a file that others may rename, cut, delete or forbid meanwhile.

use super::{Message, SendError, Sent, Sink, Window};
use crate::settings::FileSettings;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

/// Octets at a file's end in which the end of its last whole line is looked for.
const TAIL_OCTETS_MAX: u64 = 65_536;

/// A file of lines.
pub struct FileSink {
    settings: FileSettings,
    open: Option<Open>,
    remark: Option<String>,
}

struct Open {
    file: File,
    /// Octets that the file must have.
    octets: u64,
}

impl FileSink {
    /// Nothing is opened yet.
    pub fn new(settings: FileSettings) -> Self {
        Self { settings, open: None, remark: None }
    }

    fn open(&mut self) -> io::Result<Open> {
        match fs::metadata(&self.settings.path) {
            // A pipe would hold the thread until somebody reads it.
            Ok(about) if !about.is_file() => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
            }
            Ok(_) | Err(_) => {}
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(&self.settings.path)?;
        let octets = self.without_torn_line(&mut file)?;
        Ok(Open { file, octets })
    }

    /// Cuts what a write that was broken off has left behind the last whole line: that record comes again.
    fn without_torn_line(&mut self, file: &mut File) -> io::Result<u64> {
        let octets = file.metadata()?.len();
        let from = octets.saturating_sub(TAIL_OCTETS_MAX);
        file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        Read::take(&*file, TAIL_OCTETS_MAX).read_to_end(&mut tail)?;
        if tail.is_empty() || tail.ends_with(b"\n") {
            return Ok(octets);
        }
        match tail.iter().rposition(|octet| *octet == b'\n') {
            None if from > 0 => {
                // No line of ours is that long: leave it to its owner, and begin a line.
                file.write_all(b"\n")?;
                Ok(octets.saturating_add(1))
            }
            end => {
                let kept = end.map_or(0, |end| end.saturating_add(1));
                let kept = from.saturating_add(u64::try_from(kept).unwrap_or(u64::MAX));
                file.set_len(kept)?;
                self.remark = Some("a line that was broken off was cut, and is written again".to_owned());
                Ok(kept)
            }
        }
    }

    /// Whether the path still names the open file; otherwise it was renamed or deleted.
    fn is_ours(&self, open: &Open) -> io::Result<bool> {
        let own = open.file.metadata()?;
        match fs::metadata(&self.settings.path) {
            Ok(named) => Ok((named.dev(), named.ino()) == (own.dev(), own.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let mut open = match self.open.take() {
            Some(open) if self.is_ours(&open)? => open,
            Some(_) | None => self.open()?,
        };
        let found = open.file.metadata()?.len();
        if found < open.octets {
            self.remark = Some(format!("somebody cut the file from {} to {found} octets", open.octets));
            open.octets = found;
        }
        if self.settings.rotate_octets > 0 && open.octets > 0 && open.octets >= self.settings.rotate_octets {
            open.file.sync_all()?;
            drop(open);
            self.put_aside()?;
            open = self.open()?;
        }
        let before = open.octets;
        let written = open.file.write_all(text).and_then(|()| open.file.sync_data());
        if let Err(error) = written {
            // Half a batch is taken back; where even that fails, the next opening cuts the torn line.
            let _ = open.file.set_len(before);
            return Err(error);
        }
        open.octets = open.file.metadata()?.len();
        // Deleted while it was written to: nobody will ever read that.
        if open.file.metadata()?.nlink() == 0 {
            return Err(io::Error::other("somebody deleted the file while it was written to"));
        }
        self.open = Some(open);
        Ok(())
    }

    /// The file becomes `.1`, `.1` becomes `.2`, and so on; the oldest goes.
    fn put_aside(&self) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.settings.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        let absent_is_fine = |done: io::Result<()>| match done {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        for number in (1..self.settings.keep).rev() {
            absent_is_fine(fs::rename(numbered(number), numbered(number.saturating_add(1))))?;
        }
        fs::rename(&self.settings.path, numbered(1))?;
        if let Some(folder) = self.settings.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Sink for FileSink {
    fn window(&self) -> Window {
        Window { records: 1_024, octets: 4 << 20 }
    }

    fn send(&mut self, batch: &[Message]) -> Result<Sent, SendError> {
        let mut text = String::with_capacity(batch.iter().map(|message| message.text.len().saturating_add(1)).sum());
        for message in batch {
            text.push_str(&message.text);
            text.push('\n');
        }
        self.write(text.as_bytes())
            .map_err(|error| SendError::new(format!("{}: {error}", self.settings.path.display())))?;
        Ok(Sent { taken: batch.len(), confirmed: batch.len(), refused: Vec::new() })
    }

    fn remark(&mut self) -> Option<String> {
        self.remark.take()
    }
}
