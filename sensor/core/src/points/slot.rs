//! `Slot`: what is kept of a point that is told by itself, with quality and time.

use super::{PointRecord, SpaceKey, Told, period};
use yagura_parsers::message::{Point, PointValue, Quality};
use yagura_rules::facts::event::{FrameRef, PointChange};
use yagura_rules::facts::time::Timestamp;

/// A point that is told so often has a period that can be missed.
const UPDATES_TO_KNOW: u32 = 8;
/// A point that was told at an uneven time must be told so often at even ones.
const EVEN_AGAIN: u8 = 16;
/// So many periods without an update are a point that is told no more.
const PERIODS_MISSED: u64 = 10;
/// And at least so long, in ns.
pub(super) const STALE_LEAST: u64 = 60_000_000_000;
/// No time by the device's clock.
const NO_TIME: u64 = u64::MAX;

/// What is kept of a point that is told by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) address: u32,
    updates: u32,
    changes: u32,
    quality: Quality,
    /// Told at uneven times not long ago: nobody can say that it is late before it was told so often at even ones.
    uneven: u8,
    /// It was told that it is stale.
    stale: bool,
    value: PointValue,
    min: f64,
    max: f64,
    last: u64,
    period: u64,
    device_time: u64,
    first: FrameRef,
    latest: FrameRef,
}

impl Slot {
    pub(super) fn new(address: u32, first: FrameRef) -> Self {
        Self {
            address,
            updates: 0,
            changes: 0,
            quality: Quality::default(),
            uneven: 0,
            stale: false,
            value: PointValue::Bit(false),
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            last: 0,
            period: 0,
            device_time: NO_TIME,
            first,
            latest: first,
        }
    }

    /// A value is told; `resumed`: since when its space is in sight.
    #[inline]
    pub(super) fn tell(&mut self, point: &Point, now: u64, resumed: u64, origin: FrameRef) -> Told {
        let before = self.quality;
        let first = self.updates == 0;
        self.updates = self.updates.saturating_add(1);
        if first || self.value != point.value {
            self.changed(point.value, first);
        }
        if !first && self.last >= resumed {
            let gap = now.saturating_sub(self.last);
            let is_uneven = gap > self.period.saturating_mul(3) || gap < self.period >> 2;
            self.uneven = if is_uneven && self.updates > 3 { EVEN_AGAIN } else { self.uneven.saturating_sub(1) };
            self.period = period(self.period, gap);
        }
        self.last = self.last.max(now);
        self.quality = point.quality;
        self.device_time = point.time.unwrap_or(NO_TIME);
        self.latest = origin;
        if std::mem::take(&mut self.stale) {
            return Told::Changed(PointChange::Fresh);
        }
        match (before.is_bad(), point.quality.is_bad()) {
            _ if first => Told::New,
            (false, true) => Told::Changed(PointChange::TurnedBad),
            (true, false) => Told::Changed(PointChange::TurnedGood),
            _ => Told::Known,
        }
    }

    fn changed(&mut self, value: PointValue, first: bool) {
        self.value = value;
        if !first {
            self.changes = self.changes.saturating_add(1);
        }
        let number = value.number();
        if number.is_finite() {
            self.min = self.min.min(number);
            self.max = self.max.max(number);
        }
    }

    /// The point, where it is told no more though it was told regularly. Once.
    pub(super) fn turns_stale(&mut self, now: u64, resumed: u64, space: &'static str) -> Option<(Point, PointChange)> {
        let patience = self.period.saturating_mul(PERIODS_MISSED).max(STALE_LEAST);
        let is_known = self.updates >= UPDATES_TO_KNOW && self.uneven == 0 && !self.stale;
        if !is_known || now.saturating_sub(self.last.max(resumed)) <= patience {
            return None;
        }
        self.stale = true;
        let change = PointChange::Stale { since: Timestamp(self.last), period_ns: self.period };
        let Self { address, value, quality, .. } = *self;
        Some((Point { space, address, value, quality, time: self.time() }, change))
    }

    fn time(&self) -> Option<u64> {
        (self.device_time != NO_TIME).then_some(self.device_time)
    }

    pub(super) fn record(&self, key: SpaceKey) -> PointRecord {
        PointRecord {
            key,
            address: self.address,
            value: Some(self.value),
            quality: self.quality,
            device_time: self.time(),
            first: self.first,
            latest: self.latest,
            last: Some(Timestamp(self.last)),
            range: (self.min <= self.max).then_some((self.min, self.max)),
            updates: self.updates.into(),
            changes: self.changes.into(),
            period_ns: (self.period > 0).then_some(self.period),
            writers: Vec::new(),
        }
    }
}
