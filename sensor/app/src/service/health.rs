//! How the sensor is: the `health` record, and the delays of its stages.

use super::scribe::Ledger;
use crate::record::SCHEMA;
use crate::record::write::{line, time};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use yagura_live::hand_over::Counted;
use yagura_rules::facts::time::Timestamp;

/// The least and the greatest delay that are told apart, in ns: a microsecond and ten minutes.
const DELAYS_NS: (u64, u64) = (1_000, 600_000_000_000);

/// Where a frame, or what it caused, has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Taken by the dispatcher.
    Dispatch,
    /// Judged: an alert is raised.
    Judge,
    /// Acknowledged: the alert is on the disk.
    Journal,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Dispatch, Self::Judge, Self::Journal];

    fn name(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Judge => "judge",
            Self::Journal => "journal",
        }
    }
}

/// How long it took since the capture until each stage, since the last record.
#[derive(Debug, Clone)]
pub struct Delays(Arc<Mutex<Vec<Measured>>>);

/// A stage, and how long it took until there.
type Measured = (Stage, Histogram<u64>);

impl Default for Delays {
    fn default() -> Self {
        let (least, most) = DELAYS_NS;
        let histogram = || Histogram::new_with_bounds(least, most, 2).ok();
        let all = Stage::ALL.iter().filter_map(|stage| Some((*stage, histogram()?)));
        Self(Arc::new(Mutex::new(all.collect())))
    }
}

impl Delays {
    /// Notes a delay.
    pub fn note(&self, stage: Stage, ns: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, histogram)) = all.iter_mut().find(|(of, _)| *of == stage) {
            histogram.saturating_record(ns);
        }
    }

    /// The figures since they were taken last.
    fn take(&self) -> Vec<DelayShape> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shapes = all.iter_mut().map(|(stage, histogram)| {
            let shape = DelayShape {
                stage: stage.name(),
                count: histogram.len(),
                p50_ns: histogram.value_at_quantile(0.5),
                p99_ns: histogram.value_at_quantile(0.99),
                p999_ns: histogram.value_at_quantile(0.999),
                max_ns: histogram.max(),
            };
            histogram.reset();
            shape
        });
        shapes.collect()
    }
}

/// A stage's delays since the capture of the frame.
#[derive(Debug, Clone, Serialize)]
struct DelayShape {
    stage: &'static str,
    count: u64,
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    max_ns: u64,
}

/// An interface.
#[derive(Debug, Clone, Serialize)]
pub struct CaptureShape {
    /// Its name.
    pub interface: String,
    /// `up`, `no_carrier`, `disabled`, `removed`.
    pub link: &'static str,
    /// Frames that came.
    pub received: u64,
    /// Frames that were looked at.
    pub handed: u64,
    /// Frames that the kernel had no room for.
    pub lost_kernel: u64,
    /// Frames that the card lost.
    pub lost_interface: u64,
    /// Bulk frames lost in the hand-over.
    pub lost_bulk: u64,
    /// Frames of industrial protocols lost there.
    pub lost_industrial: u64,
    /// Frames of ARP and DHCP lost there.
    pub lost_addressing: u64,
    /// Frames that this machine sent on it: more than 0 is a fault.
    pub sent: u64,
}

impl CaptureShape {
    /// The shape of what is known of an interface; `lost`: by the kernel and by the card.
    pub fn new(interface: &str, link: &'static str, lost: (u64, u64), counted: Counted, sent: u64) -> Self {
        Self {
            interface: interface.to_owned(),
            link,
            received: counted.received,
            handed: counted.handed,
            lost_kernel: lost.0,
            lost_interface: lost.1,
            lost_bulk: counted.lost.bulk,
            lost_industrial: counted.lost.industrial,
            lost_addressing: counted.lost.addressing,
            sent,
        }
    }
}

/// The journal.
#[derive(Debug, Clone, Serialize)]
struct JournalShape {
    acknowledged: u64,
    pending: u64,
    octets: u64,
    segments: u64,
    free_octets: Option<u64>,
    lost: u64,
    removed: u64,
    trouble: Option<String>,
}

/// How the sensor is, once a minute.
#[derive(Debug, Clone, Serialize)]
struct HealthRecord<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: u32,
    time: String,
    sensor: &'a str,
    run: &'a str,
    uptime_s: u64,
    resident_octets: Option<u64>,
    captures: Vec<CaptureShape>,
    alerts: u64,
    journal: Option<JournalShape>,
    delays: Vec<DelayShape>,
}

/// What a health record is made of.
#[derive(Debug)]
pub struct Health {
    /// The sensor's name.
    pub sensor: String,
    /// The run's name.
    pub run: String,
    /// When it began.
    pub begun: Instant,
    /// The delays.
    pub delays: Delays,
    /// The journal.
    pub ledger: Ledger,
}

impl Health {
    /// The record.
    pub fn record(&self, now_ns: u64, captures: Vec<CaptureShape>, alerts: u64) -> String {
        line(&HealthRecord {
            kind: "health",
            schema: SCHEMA,
            time: time(Timestamp(now_ns)),
            sensor: &self.sensor,
            run: &self.run,
            uptime_s: self.begun.elapsed().as_secs(),
            resident_octets: resident_octets(),
            captures,
            alerts,
            journal: self.ledger.status().map(|status| JournalShape {
                acknowledged: status.acknowledged.sequence,
                pending: status.pending,
                octets: status.octets,
                segments: status.segments,
                free_octets: status.free_octets,
                lost: status.lost.total(),
                removed: status.removed.total(),
                trouble: status.trouble.or(status.room_trouble).map(|trouble| trouble.to_string()),
            }),
            delays: self.delays.take(),
        })
    }
}

/// Octets of memory that this process holds, as the kernel has it.
fn resident_octets() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    Some(pages.saturating_mul(page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schema::tests::assert_valid;

    #[test]
    fn a_record_has_what_was_measured_since_the_last_one() {
        let health = Health {
            sensor: "p4".to_owned(),
            run: "1".to_owned(),
            begun: Instant::now(),
            delays: Delays::default(),
            ledger: Ledger::default(),
        };
        for ms in 1..=100 {
            health.delays.note(Stage::Judge, ms * 1_000_000);
        }
        let counted = Counted { received: 9, handed: 8, ..Counted::default() };
        let capture = CaptureShape::new("eth1", "up", (3, 4), counted, 0);
        let record = health.record(1_767_607_872_000_000_000, vec![capture], 5);
        assert_valid("health", &record);
        assert!(record.contains("\"lost_kernel\":3,\"lost_interface\":4"), "{record}");
        assert!(record.contains("{\"stage\":\"judge\",\"count\":100,\"p50_ns\":50"), "{record}");
        assert!(health.record(0, Vec::new(), 5).contains("{\"stage\":\"judge\",\"count\":0,"), "each is told once");
    }
}
