//! `Held` and `History`: segments that came early, and octets that were seen last.

use std::collections::VecDeque;
use yagura_rules::facts::time::Timestamp;

#[derive(Debug)]
struct Segment {
    sequence: u32,
    octets: Vec<u8>,
}

/// Segments that came early, in the order of their sequence numbers. The caller bounds them.
#[derive(Debug, Default)]
pub struct Held {
    segments: VecDeque<Segment>,
    octets: usize,
    since: Timestamp,
}

impl Held {
    /// Whether nothing is held.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Segments held.
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Octets held.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Since when the first of them waits.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// The clock was set back: nothing waits since later than now.
    pub fn set_back(&mut self, now: Timestamp) {
        self.since = self.since.min(now);
    }

    /// Sequence number of the first.
    pub fn first(&self) -> Option<u32> {
        self.segments.front().map(|segment| segment.sequence)
    }

    /// Holds a segment. Answers how many octets were added and whether one of the same number is held with other octets;
    /// of two equal starts the longer stays.
    pub fn insert(&mut self, sequence: u32, octets: &[u8], now: Timestamp) -> (usize, bool) {
        if self.segments.is_empty() {
            self.since = now;
        }
        let at = self.segments.partition_point(|segment| super::ahead(segment.sequence, sequence) < 0);
        if let Some(there) = self.segments.get_mut(at).filter(|there| there.sequence == sequence) {
            let n = there.octets.len().min(octets.len());
            let differs = there.octets.get(..n) != octets.get(..n);
            let added = octets.get(n..).unwrap_or(&[]);
            if !differs {
                there.octets.extend_from_slice(added);
                self.octets = self.octets.saturating_add(added.len());
                return (added.len(), false);
            }
            return (0, true);
        }
        self.segments.insert(at, Segment { sequence, octets: octets.to_vec() });
        self.octets = self.octets.saturating_add(octets.len());
        (octets.len(), false)
    }

    /// Takes the first segment out, where it starts at or before `next`.
    pub fn take_ready(&mut self, next: u32, now: Timestamp) -> Option<(u32, Vec<u8>)> {
        if super::ahead(self.first()?, next) > 0 {
            return None;
        }
        let segment = self.segments.pop_front()?;
        self.octets = self.octets.saturating_sub(segment.octets.len());
        self.since = now;
        Some((segment.sequence, segment.octets))
    }
}

/// A ring of the octets that a direction carried last.
#[derive(Debug)]
pub struct History {
    ring: Box<[u8]>,
    end: usize,
    filled: usize,
}

impl History {
    /// A ring of `len` octets.
    pub fn new(len: usize) -> Self {
        Self { ring: vec![0; len.max(1)].into_boxed_slice(), end: 0, filled: 0 }
    }

    /// Octets that it can remember.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether it can remember none.
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// A ring of `len` octets that remembers what this one does.
    pub fn grown(&self, len: usize) -> Self {
        let mut grown = Self::new(len);
        let start = self.end.saturating_add(self.ring.len()).saturating_sub(self.filled);
        for i in 0..self.filled {
            let at = start.saturating_add(i).checked_rem(self.ring.len()).unwrap_or(0);
            if let Some(octet) = self.ring.get(at) {
                grown.push(&[*octet]);
            }
        }
        grown
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Adds octets; of more than the ring holds, the last.
    #[inline]
    pub fn push(&mut self, octets: &[u8]) {
        let len = self.ring.len();
        let octets = octets.get(octets.len().saturating_sub(len)..).unwrap_or(&[]);
        let first = octets.len().min(len.saturating_sub(self.end));
        let (head, tail) = octets.split_at(first);
        if let Some(place) = self.ring.get_mut(self.end..self.end.saturating_add(first)) {
            place.copy_from_slice(head);
        }
        if !tail.is_empty()
            && let Some(place) = self.ring.get_mut(..tail.len())
        {
            place.copy_from_slice(tail);
        }
        self.end = self.end.saturating_add(octets.len());
        if self.end >= len {
            self.end = self.end.saturating_sub(len);
        }
        self.filled = self.filled.saturating_add(octets.len()).min(len);
    }

    /// Whether it once knew what came so many octets before the end, and does not any more.
    pub fn has_forgotten(&self, before_end: usize) -> bool {
        before_end > self.filled && self.filled == self.ring.len()
    }

    /// Whether octets that start so many before the end are others than those remembered. What is no longer remembered
    /// does not differ.
    pub fn differs(&self, before_end: usize, octets: &[u8]) -> bool {
        let len = self.ring.len();
        let forgotten = before_end.saturating_sub(self.filled);
        let octets = octets.get(forgotten..).unwrap_or(&[]);
        let back = before_end.min(self.filled);
        let start = self.end.saturating_add(len).saturating_sub(back);
        octets.iter().enumerate().any(|(i, octet)| {
            let at = start.saturating_add(i).checked_rem(len).unwrap_or(0);
            self.ring.get(at) != Some(octet)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_remembers_the_last_octets_round_the_corner() {
        let mut history = History::new(8);
        history.push(b"0123456");
        history.push(b"789");
        assert!(!history.differs(3, b"789"));
        assert!(!history.differs(8, b"23456789"));
        assert!(history.differs(8, b"23456780"));
        assert!(!history.differs(10, b"xx234"), "what is forgotten cannot differ");
        let grown = history.grown(16);
        assert!(!grown.differs(8, b"23456789") && grown.differs(8, b"23456780"));
        history.push(b"abcdefghijkl");
        assert!(!history.differs(8, b"efghijkl"));
    }

    #[test]
    fn early_segments_come_out_in_order() {
        let mut held = Held::default();
        held.insert(20, b"cc", Timestamp(1));
        held.insert(10, b"aa", Timestamp(2));
        assert_eq!(held.insert(10, b"ab", Timestamp(2)), (0, true));
        assert_eq!(held.insert(10, b"aaaa", Timestamp(2)), (2, false));
        assert_eq!(held.octets(), 6);
        assert_eq!(held.take_ready(9, Timestamp(3)), None);
        assert_eq!(held.take_ready(10, Timestamp(3)), Some((10, b"aaaa".to_vec())));
        assert_eq!(held.take_ready(14, Timestamp(3)), None);
        assert_eq!(held.take_ready(21, Timestamp(3)), Some((20, b"cc".to_vec())));
    }
}
