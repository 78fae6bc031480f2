//! The folder in which a journal stands: what may be asked of it, and the real one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its name, without folder.
    pub name: String,
    /// Its length in octets.
    pub octets: u64,
}

/// A folder that can be read.
pub trait Source {
    /// An open file: it stays readable when it is renamed or removed.
    type File;

    /// The files of the folder, in no order.
    ///
    /// # Errors
    /// If the folder cannot be read.
    fn list(&self) -> io::Result<Vec<Listed>>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// If there is none of this name, or it cannot be read.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Reads at `offset` into `room`; 0 octets at the end of the file.
    ///
    /// # Errors
    /// If the disk fails.
    fn read_at(&self, file: &Self::File, offset: u64, room: &mut [u8]) -> io::Result<usize>;
}

/// A folder that can be written: few operations, so that each can be made to fail in a test.
pub trait Storage: Source {
    /// A new, empty file open for reading and writing; one of the same name is removed before, never reused.
    ///
    /// # Errors
    /// If it cannot be made.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file that exists for reading and writing.
    ///
    /// # Errors
    /// If there is none, or it cannot be written.
    fn open_to_write(&self, name: &str) -> io::Result<Self::File>;

    /// Writes all of `octets` at `offset`. After an error any part of them may stand there.
    ///
    /// # Errors
    /// If the disk is full or fails.
    fn write_at(&self, file: &Self::File, offset: u64, octets: &[u8]) -> io::Result<()>;

    /// Cuts a file to this length.
    ///
    /// # Errors
    /// If the disk fails.
    fn truncate(&self, file: &Self::File, octets: u64) -> io::Result<()>;

    /// Returns once what was written to the file is on the disk. After an error nothing is known of it.
    ///
    /// # Errors
    /// If the disk fails.
    fn sync(&self, file: &Self::File) -> io::Result<()>;

    /// Returns once the names in the folder are on the disk.
    ///
    /// # Errors
    /// If the disk fails.
    fn sync_folder(&self) -> io::Result<()>;

    /// Gives a file another name; one that has it already is replaced at once.
    ///
    /// # Errors
    /// If there is no such file, or the disk fails.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// If there is no such file, or the disk fails.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Octets that are free for us on the disk.
    ///
    /// # Errors
    /// If the disk does not tell.
    fn free(&self) -> io::Result<u64>;
}

/// The folder of a journal, for those who only read.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// Names the folder; nothing is opened yet.
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Source for Folder {
    type File = File;

    fn list(&self) -> io::Result<Vec<Listed>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            match entry.metadata() {
                Ok(about) if about.is_file() => files.push(Listed { name, octets: about.len() }),
                Ok(_) => {}
                // Removed between the listing and the question.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    fn open(&self, name: &str) -> io::Result<File> {
        File::open(self.0.join(name))
    }

    fn read_at(&self, file: &File, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match file.read_at(room, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

/// The folder of a journal, for the one who writes: it holds the lock.
#[derive(Debug)]
pub struct Disk {
    folder: Folder,
    /// Held for as long as it is open.
    _lock: File,
}

impl Disk {
    /// The file whose lock says that somebody writes.
    const LOCK: &str = "lock";

    /// Makes the folder (mode 0750) if there is none, and takes the lock.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process writes this journal; otherwise what the disk says.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
        let lock = writing().create(true).truncate(false).open(folder.join(Self::LOCK))?;
        lock.try_lock().map_err(io::Error::from)?;
        Ok(Self { folder: Folder::new(folder), _lock: lock })
    }
}

/// How files are opened for writing: the group may read, as the outputs are a process of their own.
fn writing() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o640);
    options
}

impl Source for Disk {
    type File = File;

    fn list(&self) -> io::Result<Vec<Listed>> {
        self.folder.list()
    }

    fn open(&self, name: &str) -> io::Result<File> {
        self.folder.open(name)
    }

    fn read_at(&self, file: &File, offset: u64, room: &mut [u8]) -> io::Result<usize> {
        self.folder.read_at(file, offset, room)
    }
}

impl Storage for Disk {
    fn create(&self, name: &str) -> io::Result<File> {
        let path = self.folder.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        writing().create_new(true).open(path)
    }

    fn open_to_write(&self, name: &str) -> io::Result<File> {
        writing().open(self.folder.0.join(name))
    }

    fn write_at(&self, file: &File, offset: u64, octets: &[u8]) -> io::Result<()> {
        file.write_all_at(octets, offset)
    }

    fn truncate(&self, file: &File, octets: u64) -> io::Result<()> {
        file.set_len(octets)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder.0)?.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.0.join(from), self.folder.0.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.0.join(name))
    }

    fn free(&self) -> io::Result<u64> {
        let about = rustix::fs::statvfs(&self.folder.0)?;
        Ok(about.f_bavail.saturating_mul(about.f_frsize))
    }
}

/// Puts `octets` at `path` so that after a crash either the old file stands there or the new one.
pub(crate) fn replace_file(path: &Path, octets: &[u8], mode: u32) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(mode).open(&aside)?;
    file.write_all_at(octets, 0)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    File::open(folder)?.sync_all()
}
