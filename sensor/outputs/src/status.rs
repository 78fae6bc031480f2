//! How the outputs are, for figures, health records and people.

use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};

/// How an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing was sent yet.
    #[default]
    Idle,
    /// The receiver takes what it is given, and nothing waits.
    Connected,
    /// The receiver takes what it is given, and more waits than it takes at once.
    Lagging,
    /// The receiver takes nothing.
    Failing,
    /// It has ended.
    Ended,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Idle, Self::Connected, Self::Lagging, Self::Failing, Self::Ended];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connected => "connected",
            Self::Lagging => "lagging",
            Self::Failing => "failing",
            Self::Ended => "ended",
        }
    }
}

/// What is known of an output.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// `file`, `syslog`, `webhook`, `bulk`.
    pub kind: String,
    /// Whether what is acknowledged has arrived; otherwise it was sent, and nobody knows.
    pub reliable: bool,
    /// How it is.
    pub state: State,
    /// Since when it is so, RFC 3339.
    pub since: String,
    /// Every record up to this sequence is dealt with.
    pub acknowledged: u64,
    /// The last sequence that was read.
    pub read: u64,
    /// Records that the receiver has.
    pub delivered: u64,
    /// Records that this output does not tell: by class, severity or format.
    pub passed_over: u64,
    /// Records that the receiver will never take.
    pub refused: u64,
    /// Records that left the journal before they were delivered.
    pub lost: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// What failed last.
    pub last_error: Option<String>,
    /// What went otherwise than it should and was dealt with.
    pub last_remark: Option<String>,
}

impl Status {
    /// Notes how it is; the time stays where that is as before.
    pub fn turn(&mut self, state: State) {
        if self.state != state || self.since.is_empty() {
            self.state = state;
            self.since = format!("{:.3}", jiff::Timestamp::now());
        }
    }
}

/// The states of all outputs, to be looked at from any thread.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<Vec<Status>>>);

impl Board {
    /// An empty board.
    pub fn new() -> Self {
        Self::default()
    }

    /// How the outputs are, in the order of the configuration.
    pub fn statuses(&self) -> Vec<Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds an output, and answers its place.
    pub fn add(&self, status: Status) -> usize {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(status);
        all.len().saturating_sub(1)
    }

    /// Changes what is known of an output.
    pub fn change(&self, place: usize, change: impl FnOnce(&mut Status)) {
        if let Some(status) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
            change(status);
        }
    }
}
