//! The scribe: the thread that appends to the journal, and tells what is acknowledged.
//!
//! Whatever leaves the sensor is in the journal first. The scribe takes all that waits, writes it, syncs once for all of it,
//! and only then prints it where that was asked. A disk that takes nothing does not stop it: the journal keeps what it can
//! in memory, counts the rest, and is asked again.

use super::health::{Delays, Stage};
use super::wall_ns;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use yagura_journal::class::{Class, Severity};
use yagura_journal::journal::Journal;
use yagura_journal::status::Status;
use yagura_journal::storage::Disk;
use yagura_sandbox::watchdog::Pulse;

/// Records that wait for the scribe at most; whoever brings more waits.
const WAITING_MAX: usize = 8_192;
/// Records that one sync acknowledges at most.
const TOGETHER_MAX: usize = 1_024;
/// Between two signatures.
const CHECKPOINT: Duration = Duration::from_secs(60);
/// Between two tries of a disk that takes nothing.
const RETRY: Duration = Duration::from_millis(250);

/// Something to be written down.
#[derive(Debug, Clone)]
pub struct Note {
    /// What it is.
    pub class: Class,
    /// How grave, for an alert.
    pub severity: Option<Severity>,
    /// The record, one JSON object in one line.
    pub record: String,
    /// When the frame that caused it was captured, in ns since 1970; 0 where there is none.
    pub captured_ns: u64,
}

/// How the journal is, for others to look at.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Option<Status>>>);

impl Ledger {
    /// How the journal was when the scribe last looked.
    pub fn status(&self) -> Option<Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, status: Status) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }
}

/// The end where notes go in.
#[derive(Debug, Clone)]
pub struct Desk {
    sender: Sender<Note>,
}

impl Desk {
    /// Hands in a note; waits where the scribe is behind.
    pub fn write(&self, note: Note) {
        // The scribe ends after all who write.
        let _ = self.sender.send(note);
    }
}

/// What the scribe is given.
pub struct Scribe {
    /// The journal.
    pub journal: Journal<Disk>,
    /// Whether records are printed once they are acknowledged.
    pub print: bool,
    /// Where delays are noted.
    pub delays: Delays,
    /// What shows that it moves.
    pub pulse: Arc<Pulse>,
    /// How the journal is.
    pub ledger: Ledger,
}

/// Starts the scribe; it ends when every [`Desk`] is gone. `enter` is called first on its thread.
///
/// # Errors
/// Where the system gives no thread.
pub fn start(scribe: Scribe, enter: impl FnOnce() + Send + 'static) -> std::io::Result<(Desk, JoinHandle<()>)> {
    let (sender, notes) = bounded(WAITING_MAX);
    scribe.ledger.set(scribe.journal.status());
    let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
        enter();
        scribe.run(&notes);
    })?;
    Ok((Desk { sender }, thread))
}

impl Scribe {
    fn run(mut self, notes: &Receiver<Note>) {
        let mut signed = Instant::now();
        let mut unprinted: Vec<Note> = Vec::new();
        let mut batch = 0_u64;
        let mut troubled = false;
        loop {
            self.pulse.idle();
            let patience = if troubled { RETRY } else { Duration::from_secs(1) };
            let first = notes.recv_timeout(patience);
            batch = batch.saturating_add(1);
            self.pulse.begin(batch);
            let ends = matches!(first, Err(RecvTimeoutError::Disconnected));
            let mut taken: Vec<Note> = Vec::new();
            for note in first.ok().into_iter().chain(notes.try_iter().take(TOGETHER_MAX)) {
                self.journal.append(note.class, note.severity, wall_ns(), &note.record);
                taken.push(note);
            }
            if signed.elapsed() >= CHECKPOINT || ends {
                signed = Instant::now();
                self.journal.checkpoint(wall_ns());
            }
            let synced = self.journal.sync(wall_ns());
            troubled = synced.is_err();
            let now = wall_ns();
            for note in &taken {
                if note.captured_ns > 0 && !troubled {
                    self.delays.note(Stage::Journal, now.saturating_sub(note.captured_ns));
                }
            }
            if self.print {
                unprinted.append(&mut taken);
                // What is not acknowledged is not told, as long as there is room to wait.
                if !troubled || unprinted.len() >= WAITING_MAX {
                    print(&unprinted);
                    unprinted.clear();
                }
            }
            self.ledger.set(self.journal.status());
            if ends && (!troubled || batch > 1) {
                return;
            }
        }
    }
}

fn print(notes: &[Note]) {
    let mut output = std::io::stdout().lock();
    for note in notes {
        // Nobody reads it any more: the journal has it.
        if output.write_all(note.record.as_bytes()).and_then(|()| output.write_all(b"\n")).is_err() {
            return;
        }
    }
    let _ = output.flush();
}
