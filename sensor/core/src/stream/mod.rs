//! `Side`: one direction of a TCP flow as a bystander sees it: order, gaps, repeats and overlaps.

use crate::limits::Limits;
use assembler::{Held, History};
use yagura_rules::facts::time::Timestamp;

pub mod assembler;

/// A jump of the sequence number beyond this is no reordering.
const FAR: i32 = 1 << 24;

/// What to do with a segment's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It continues the stream, from this octet of it on.
    Next(usize),
    /// All of it was seen before. `true`: with other octets.
    Repeat(bool),
    /// Its first octets (so many) were seen before; what follows continues the stream. `true`: with other octets.
    Overlap(usize, bool),
    /// It comes before something that is missing: hold it.
    Early,
    /// It fills, late, what was given up as missing; to be read by itself.
    Late,
    /// A keep-alive probe: no octet of the stream.
    KeepAlive,
}

/// One direction of a TCP flow.
#[derive(Debug, Default)]
pub struct Side {
    /// Sequence number of the next octet; `None` until a segment was seen.
    pub next: Option<u32>,
    /// What the other end has acknowledged last.
    pub acknowledged: Option<u32>,
    /// Initial sequence number, where the SYN was seen.
    pub initial: Option<u32>,
    /// Where data would go on if a SYN that was seen in the middle of a connection is meant.
    pub restart: Option<u32>,
    /// Whether a FIN was seen.
    pub finished: bool,
    /// Octets in order that are not a whole PDU yet.
    pub pending: Vec<u8>,
    /// Segments that came early.
    pub held: Held,
    /// Octets seen last, to tell repeats.
    pub history: Option<Box<History>>,
    /// What was given up as missing: from this sequence number up to that one.
    missing: Option<(u32, u32)>,
}

/// How far `a` is ahead of `b`, on the circle of sequence numbers.
#[inline]
pub fn ahead(a: u32, b: u32) -> i32 {
    let [x, y, z, w] = a.wrapping_sub(b).to_be_bytes();
    i32::from_be_bytes([x, y, z, w])
}

impl Side {
    /// Where a segment belongs.
    #[inline]
    pub fn place(&self, sequence: u32, payload: &[u8]) -> Place {
        let Some(next) = self.next else { return Place::Next(0) };
        let distance = ahead(sequence, next);
        if distance == 0 {
            return Place::Next(0);
        }
        if distance > 0 {
            return Place::Early;
        }
        let before = usize::try_from(distance.unsigned_abs()).unwrap_or(usize::MAX);
        if payload.len() <= 1 && before == 1 {
            // RFC 9293 3.8.4: a keep-alive repeats the octet before the next one, or carries none; its octet is garbage.
            return Place::KeepAlive;
        }
        if let Some((from, to)) = self.missing
            && ahead(sequence, from) >= 0
            && ahead(sequence, to) < 0
        {
            return Place::Late;
        }
        let old = before.min(payload.len());
        let differs =
            self.history.as_ref().is_some_and(|history| history.differs(before, payload.get(..old).unwrap_or(&[])));
        if before >= payload.len() { Place::Repeat(differs) } else { Place::Overlap(old, differs) }
    }

    /// Notes that a segment's octets up to `end` are in order now.
    #[inline]
    pub fn advance(&mut self, end: u32) {
        self.next = Some(end);
    }

    /// Gives up what is missing before the first held segment: how many octets, which are skipped.
    pub fn skip_to_held(&mut self) -> Option<u64> {
        let first = self.held.first()?;
        let next = self.next.unwrap_or(first);
        let distance = ahead(first, next);
        if distance <= 0 {
            return Some(0);
        }
        self.missing = Some((next, first));
        self.next = Some(first);
        self.pending.clear();
        if let Some(history) = &mut self.history {
            history.clear();
        }
        u64::try_from(distance).ok()
    }

    /// Whether what is missing must be given up: too much is held, it was waited for long enough, or the other end
    /// has acknowledged what comes after it, so that it was only the mirror that lost it.
    pub fn must_skip(&self, limits: &Limits, now: Timestamp, acknowledged: Option<u32>) -> bool {
        let Some(first) = self.held.first() else { return false };
        if self.held.len() > limits.stream_segments_max || self.held.octets() > limits.stream_octets_max {
            return true;
        }
        let waited = now.since(self.held.since());
        if waited >= limits.reorder_ns {
            return true;
        }
        let far = self.next.is_some_and(|next| ahead(first, next) > FAR);
        let covered = acknowledged.is_some_and(|ack| ahead(ack, first) > 0);
        covered && !far && waited >= limits.duplicate_ns.saturating_mul(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_segments() {
        let mut side = Side::default();
        assert_eq!(side.place(u32::MAX - 1, b"abcd"), Place::Next(0));
        let mut history = History::new(64);
        history.push(b"abcd");
        side.history = Some(Box::new(history));
        side.advance(2); // the numbers wrap round
        assert_eq!(side.place(2, b"efgh"), Place::Next(0));
        assert_eq!(side.place(6, b"ijkl"), Place::Early);
        assert_eq!(side.place(u32::MAX - 1, b"abcd"), Place::Repeat(false));
        assert_eq!(side.place(u32::MAX - 1, b"abXd"), Place::Repeat(true));
        assert_eq!(side.place(0, b"cdef"), Place::Overlap(2, false));
        assert_eq!(side.place(0, b"Xdef"), Place::Overlap(2, true));
        assert_eq!(side.place(1, b"\0"), Place::KeepAlive);
        assert_eq!(side.place(1, b""), Place::KeepAlive);
    }

    #[test]
    fn what_was_given_up_may_come_late() {
        let mut side = Side::default();
        side.advance(100);
        side.held.insert(112, b"later", Timestamp(5), 64);
        assert!(!side.must_skip(&Limits::default(), Timestamp(6), Some(200)));
        assert!(side.must_skip(&Limits::default(), Timestamp(20_000_000), Some(200)));
        assert!(!side.must_skip(&Limits::default(), Timestamp(20_000_000), Some(112)));
        assert!(side.must_skip(&Limits::default(), Timestamp(1_000_000_005), None));
        assert_eq!(side.skip_to_held(), Some(12));
        assert_eq!(side.place(100, b"twelve octet"), Place::Late);
    }
}
