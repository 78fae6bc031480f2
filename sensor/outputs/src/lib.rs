//! Readers of the journal that carry its records out.
//!
//! The law of this house: it opens sockets and never an interface; it reads the journal and never writes it; a record
//! that a receiver has not confirmed stays where it is. One thread an output: nothing waits for a receiver that is slow,
//! dead or new.
//!
//! | room | what |
//! | --- | --- |
//! | [`settings`] | `[[output]]` and `[metrics]` of the configuration, checked |
//! | [`record`] | a line of the journal |
//! | [`feed`] | where records come from |
//! | [`journal_feed`] | the journal itself |
//! | [`mod@format`] | what records look like outside |
//! | [`sink`] | receivers, and what they have |
//! | [`driver`] | one output at work |
//! | [`status`] | how the outputs are |
//! | [`metrics`] | the same for Prometheus |
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::iter_over_hash_type,
    clippy::print_stdout,
    clippy::print_stderr
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "a test may fail loudly"
    )
)]

pub mod driver;
pub mod feed;
pub mod format;
pub mod journal_feed;
pub mod metrics;
pub mod record;
pub mod settings;
pub mod sink;
pub mod status;

use driver::{Choice, Driver, Pace};
use feed::{Feed, FeedError, Step};
use format::Writing;
use format::syslog::Header;
use prometheus_client::registry::Registry;
use settings::{Kind, MetricsSettings, OutputSettings};
use status::{Board, State, Status};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long outputs have to end once they are told to.
pub const END_IN: Duration = Duration::from_secs(2);

/// The pause before an output whose thread has died is started again.
const START_AGAIN: Duration = Duration::from_secs(1);

/// Opens the journal for an output, at the output's own cursor.
pub type OpenFeed = Arc<dyn Fn(&OutputSettings) -> Result<Box<dyn Feed>, FeedError> + Send + Sync>;

/// Why the outputs cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The outputs do not go together.
    #[error("{0}")]
    Settings(String),
    /// The figures' address cannot be used.
    #[error("metrics: {0}")]
    Metrics(std::io::Error),
    /// No thread can be had.
    #[error("output `{0}`: {1}")]
    Thread(String, std::io::Error),
}

/// Everything that the outputs' process needs.
pub struct Outputs {
    /// The outputs.
    pub outputs: Vec<OutputSettings>,
    /// Where figures are told, if anywhere, and which beside the outputs' own ([`metrics::registry`]).
    pub metrics: Option<(MetricsSettings, Registry)>,
    /// Opens the journal.
    pub open: OpenFeed,
    /// How long they wait.
    pub pace: Pace,
    /// Where they tell how they are.
    pub board: Board,
}

/// Carries records out until it is told to stop, and ends within [`END_IN`] then. Outputs that hang in a receiver's hands
/// at that moment are left behind: what they had not confirmed is sent after the next start.
///
/// # Errors
/// Before anything is opened: what is wrong.
pub fn run(what: Outputs, stop: &Arc<AtomicBool>) -> Result<(), RunError> {
    settings::check(&what.outputs).map_err(RunError::Settings)?;
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    if let Some((settings, registry)) = what.metrics {
        let server = metrics::Server::open(settings.listen, registry).map_err(RunError::Metrics)?;
        let stop = Arc::clone(stop);
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(move || server.run(&stop));
        threads.push(thread.map_err(RunError::Metrics)?);
    }
    let mut at_work = Vec::new();
    for settings in what.outputs {
        let place = what.board.add(Status {
            name: settings.name.clone(),
            kind: settings.kind.name().to_owned(),
            reliable: sink::of(&settings).is_reliable(),
            ..Status::default()
        });
        let start = {
            let (open, board, stop, pace) = (Arc::clone(&what.open), what.board.clone(), Arc::clone(stop), what.pace);
            move || start(&settings, &open, &board, place, pace, &stop)
        };
        let thread = start()?;
        at_work.push((place, start, thread));
    }
    while !stop.load(Ordering::Relaxed) {
        for (place, start, thread) in &mut at_work {
            if !thread.is_finished() || stop.load(Ordering::Relaxed) {
                continue;
            }
            // No output ends by itself: this one has met a fault of its own, and gets a new thread.
            what.board.change(*place, |status| {
                status.turn(State::Failing);
                status.failures = status.failures.saturating_add(1);
                status.last_error = Some("the output's thread died; it was started again".to_owned());
            });
            thread::sleep(START_AGAIN);
            *thread = start()?;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let end = Instant::now().checked_add(END_IN);
    threads.extend(at_work.into_iter().map(|(_, _, thread)| thread));
    while threads.iter().any(|thread| !thread.is_finished()) && end.is_some_and(|end| Instant::now() < end) {
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn start(
    settings: &OutputSettings,
    open: &OpenFeed,
    board: &Board,
    place: usize,
    pace: Pace,
    stop: &Arc<AtomicBool>,
) -> Result<JoinHandle<()>, RunError> {
    let driver = Driver {
        name: settings.name.clone(),
        choice: Choice { classes: settings.classes.clone(), severity: settings.severity },
        writing: writing(settings),
        feed: Box::new(Opening { settings: settings.clone(), open: Arc::clone(open), feed: None }),
        sink: sink::of(settings),
        pace,
        board: board.clone(),
        place,
        stop: Arc::clone(stop),
    };
    thread::Builder::new()
        .name(format!("output-{}", settings.name))
        .spawn(move || driver.run())
        .map_err(|error| RunError::Thread(settings.name.clone(), error))
}

/// How an output writes its records.
pub fn writing(settings: &OutputSettings) -> Writing {
    let header = match &settings.kind {
        Kind::Syslog(syslog) => Some(Header {
            facility: syslog.facility,
            host: syslog.host.clone().unwrap_or_else(own_name),
            application: syslog.application.clone(),
        }),
        Kind::File(_) | Kind::Webhook(..) | Kind::Bulk(..) => None,
    };
    Writing { format: settings.format, octets: settings.octets, header }
}

/// This machine's name; empty where it is not known.
fn own_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// A feed that is opened when it is first asked, and again until that succeeds: one damaged cursor stops one output.
struct Opening {
    settings: OutputSettings,
    open: OpenFeed,
    feed: Option<Box<dyn Feed>>,
}

impl Opening {
    fn feed(&mut self) -> Result<&mut dyn Feed, FeedError> {
        let feed = match self.feed.take() {
            Some(feed) => feed,
            None => (self.open)(&self.settings)?,
        };
        Ok(self.feed.insert(feed).as_mut())
    }
}

impl Feed for Opening {
    fn next(&mut self) -> Result<Step, FeedError> {
        self.feed()?.next()
    }
    fn acknowledge(&mut self, sequence: u64) -> Result<(), FeedError> {
        self.feed()?.acknowledge(sequence)
    }
}
