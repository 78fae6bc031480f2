//! Every bound of a journal, in one struct.

use crate::class::Kind;

/// How a journal is kept. `Settings::new` has the usual values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of the sensor: the first part of each id. Control characters, `"`, `\` and `/` in it become `_`.
    pub sensor: String,
    /// Name of this run: the second part of each id, to be unlike that of every other run.
    pub run: String,
    /// Octets after which a segment is closed and the next begun. At least 4 KiB are taken.
    pub segment_octets_max: u64,
    /// Segments that are kept at most, however small they are. At least 4 are taken.
    pub segments_max: usize,
    /// Octets that the segments may take in all, the room for rewriting one included. At least eight segments of 4 KiB are
    /// taken, and a segment takes at most an eighth of it. Only a hold (see [`crate::hold`]) makes the journal exceed it.
    pub quota_octets: u64,
    /// For how long records are kept.
    pub keep: Keep,
    /// Records after which a checkpoint is written on its own. At least 1 is taken.
    pub checkpoint_records: u64,
    /// Records that are held in memory while the disk takes none.
    pub spill_records_max: usize,
    /// Octets of lines that are held in memory while the disk takes none.
    pub spill_octets_max: usize,
    /// Octets of one record: a longer one is replaced by a record that says so. At most 1 MiB is taken.
    pub record_octets_max: usize,
}

/// For how long records are kept, in seconds from when they were written; 0: until the quota asks.
///
/// A segment gives up a kind once its newest record of that kind is past its time, so that all of them are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// Health records.
    pub health_s: u64,
    /// Alerts, of any severity.
    pub alert_s: u64,
    /// Dispositions.
    pub disposition_s: u64,
    /// Audit records.
    pub audit_s: u64,
}

impl Settings {
    /// The usual bounds.
    pub fn new(sensor: &str, run: &str) -> Self {
        Self {
            sensor: sensor.to_owned(),
            run: run.to_owned(),
            segment_octets_max: 8 * 1024 * 1024,
            segments_max: 4_096,
            quota_octets: 256 * 1024 * 1024,
            keep: Keep::default(),
            checkpoint_records: 1_000,
            spill_records_max: 8_192,
            spill_octets_max: 32 * 1024 * 1024,
            record_octets_max: 1024 * 1024,
        }
    }

    /// With every bound within its own bounds.
    pub(crate) fn settled(mut self) -> Self {
        let plain = |text: &str| -> String {
            let sign = |sign: char| if sign.is_control() || "\"\\/".contains(sign) { '_' } else { sign };
            text.chars().map(sign).take(128).collect()
        };
        self.sensor = plain(&self.sensor);
        self.run = plain(&self.run);
        self.quota_octets = self.quota_octets.max(8 * 4_096);
        self.segment_octets_max = self.segment_octets_max.clamp(4_096, self.quota_octets / 8);
        self.segments_max = self.segments_max.max(4);
        self.checkpoint_records = self.checkpoint_records.max(1);
        self.record_octets_max = self.record_octets_max.clamp(256, 1024 * 1024);
        self
    }

    /// What is freed by rewriting a segment is at least so much, or the work is not done: the records that tell of it take
    /// about 1 KiB themselves.
    pub(crate) fn gain_octets_min(&self) -> u64 {
        (self.segment_octets_max / 64).max(2_048)
    }

    /// Octets of segments above which something has to go: there stays room for rewriting a segment beside it.
    pub(crate) const fn room_octets(&self) -> u64 {
        self.quota_octets.saturating_sub(self.segment_octets_max)
    }

    /// How much of the spill's bounds a record of this kind may fill, in eighths: the rest is kept for graver ones.
    pub(crate) const fn spill_share(kind: Kind) -> usize {
        match kind {
            Kind::Checkpoint | Kind::Health => 4,
            Kind::AlertInfo | Kind::AlertLow => 5,
            Kind::AlertMedium => 6,
            Kind::AlertHigh => 7,
            Kind::AlertCritical | Kind::Disposition | Kind::Audit | Kind::Gap => 8,
        }
    }
}

impl Keep {
    /// For how long a kind is kept; 0: until the quota asks.
    pub(crate) const fn seconds(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Checkpoint | Kind::Gap => 0,
            Kind::Health => self.health_s,
            Kind::AlertInfo | Kind::AlertLow | Kind::AlertMedium | Kind::AlertHigh | Kind::AlertCritical => {
                self.alert_s
            }
            Kind::Disposition => self.disposition_s,
            Kind::Audit => self.audit_s,
        }
    }
}
