//! What the targets share: octets of an input, taken one thing at a time, and what must hold of every protocol.

pub mod digest;
pub mod protocol;

use std::time::{Duration, Instant};

/// What one execution may take.
const LONGEST: Duration = Duration::from_secs(1);

/// Runs an execution, which must not take a second. One that does is run again, and then the processor's time counts where
/// the system tells it: on a machine with more to do than this, a second may pass without it.
#[inline]
pub fn in_time(execution: impl Fn()) {
    let start = Instant::now();
    execution();
    if start.elapsed() < LONGEST {
        return;
    }
    let (start, before) = (Instant::now(), processor_time());
    execution();
    let taken = match (before, processor_time()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => start.elapsed(),
    };
    assert!(taken < LONGEST, "an execution takes {taken:?}");
}

/// What all threads of this process have had of the processors: `utime` and `stime`, in hundredths of a second.
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program stands in brackets, and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(10 * ticks))
}

/// What is left of an input. Past its end everything is 0 and empty, so that every input means something.
pub struct Octets<'a>(pub &'a [u8]);

impl<'a> Octets<'a> {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most so many octets.
    pub fn take(&mut self, octets: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(octets.min(self.0.len()));
        self.0 = rest;
        head
    }

    /// One octet.
    pub fn octet(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A 16-bit number.
    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.octet(), self.octet()])
    }

    /// Octets whose number the next octet says, up to `octets_max`.
    pub fn piece(&mut self, octets_max: usize) -> &'a [u8] {
        let octets = usize::from(self.octet());
        self.take(octets.min(octets_max))
    }
}
