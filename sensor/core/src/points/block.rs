//! `Block`: what is kept of points that are always told together, such as the registers of one poll.

use super::{PointRecord, SpaceKey, period};
use yagura_parsers::message::{Packing, PointValue, Quality, Run};
use yagura_rules::facts::event::FrameRef;
use yagura_rules::facts::time::Timestamp;

/// Points that are always told together: their octets as they stood on the wire last, so that equal ones cost no more than
/// to be compared, and what is constant takes no more room than on the wire.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) first: u32,
    pub(super) count: u32,
    packing: Packing,
    octets: Box<[u8]>,
    /// How often each bit has changed, up to 255; empty while none has.
    bits: Box<[u8]>,
    /// What is known of each word; empty while none has changed.
    words: Box<[Word]>,
    updates: u32,
    last: u64,
    period: u64,
    origin: FrameRef,
    latest: FrameRef,
}

/// What is kept of a word that has changed.
#[derive(Debug, Clone, Copy)]
struct Word {
    changes: u32,
    min: u16,
    max: u16,
}

/// The words of octets.
fn words(octets: &[u8]) -> impl Iterator<Item = u16> + '_ {
    octets.chunks_exact(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    })
}

/// The bits of octets.
fn bits(octets: &[u8]) -> impl Iterator<Item = bool> + '_ {
    octets.iter().flat_map(|octet| (0..8_u32).map(move |bit| octet >> bit & 1 == 1))
}

impl Block {
    pub(super) fn new(run: &Run<'_>, origin: FrameRef) -> Self {
        Self {
            first: run.first,
            count: run.count,
            packing: run.packing,
            octets: run.octets.into(),
            bits: Box::default(),
            words: Box::default(),
            updates: 0,
            last: 0,
            period: 0,
            origin,
            latest: origin,
        }
    }

    /// Octets of memory that it may come to hold for a run.
    pub(super) fn room(run: &Run<'_>) -> u64 {
        let octets = u64::try_from(run.octets.len()).unwrap_or(u64::MAX);
        let each = match run.packing {
            Packing::Bits => 9,
            Packing::Words => 5,
        };
        octets.saturating_mul(each).saturating_add(160)
    }

    /// Its values are told.
    #[inline]
    pub(super) fn tell(&mut self, run: &Run<'_>, now: u64, origin: FrameRef) {
        if self.updates > 0 {
            self.period = period(self.period, now.saturating_sub(self.last));
        }
        self.updates = self.updates.saturating_add(1);
        self.last = self.last.max(now);
        self.latest = origin;
        if *self.octets != *run.octets {
            self.change(run);
        }
    }

    fn change(&mut self, run: &Run<'_>) {
        match run.packing {
            Packing::Words => {
                if self.words.is_empty() {
                    self.words = words(&self.octets).map(|value| Word { changes: 0, min: value, max: value }).collect();
                }
                let both = words(&self.octets).zip(words(run.octets));
                for (word, (before, now)) in self.words.iter_mut().zip(both) {
                    if before != now {
                        word.changes = word.changes.saturating_add(1);
                        word.min = word.min.min(now);
                        word.max = word.max.max(now);
                    }
                }
            }
            Packing::Bits => {
                if self.bits.is_empty() {
                    self.bits = vec![0; usize::try_from(self.count).unwrap_or(0)].into();
                }
                let both = bits(&self.octets).zip(bits(run.octets));
                for (changes, (before, now)) in self.bits.iter_mut().zip(both) {
                    *changes = changes.saturating_add(u8::from(before != now));
                }
            }
        }
        match self.octets.get_mut(..run.octets.len()) {
            Some(octets) if octets.len() == run.octets.len() => octets.copy_from_slice(run.octets),
            _ => self.octets = run.octets.into(),
        }
    }

    /// Tells each of its points.
    pub(super) fn records(&self, key: SpaceKey, mut tell: impl FnMut(PointRecord)) {
        let record = |address, value, (min, max), changes| PointRecord {
            key,
            address,
            value: Some(value),
            quality: Quality::default(),
            device_time: None,
            first: self.origin,
            latest: self.latest,
            last: Some(Timestamp(self.last)),
            range: Some((min, max)),
            updates: self.updates.into(),
            changes,
            period_ns: (self.period > 0).then_some(self.period),
            writers: Vec::new(),
        };
        let addresses = (0..self.count).map(|n| self.first.saturating_add(n));
        match self.packing {
            Packing::Words => {
                let mut known = self.words.iter();
                for (address, value) in addresses.zip(words(&self.octets)) {
                    let word = known.next().copied().unwrap_or(Word { changes: 0, min: value, max: value });
                    let range = (f64::from(word.min), f64::from(word.max));
                    tell(record(address, PointValue::Unsigned(value.into()), range, word.changes.into()));
                }
            }
            Packing::Bits => {
                let mut known = self.bits.iter();
                for (address, bit) in addresses.zip(bits(&self.octets)) {
                    let changes = known.next().copied().unwrap_or(0);
                    let value = f64::from(u8::from(bit));
                    let range = if changes > 0 { (0.0, 1.0) } else { (value, value) };
                    tell(record(address, PointValue::Bit(bit), range, changes.into()));
                }
            }
        }
    }
}
