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
    /// Where the stream of the connection before stood, which a new one has replaced while it was alive: whoever goes on
    /// there shows that it is not over.
    pub former: Option<u32>,
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
    /// Whether octets are missing: the other end has acknowledged, or this one has sent, what comes after them.
    #[inline]
    pub fn is_behind(&self) -> bool {
        let is_acknowledged = |next: u32| self.acknowledged.is_some_and(|ack| ahead(ack, next) > 0);
        !self.held.is_empty() || self.next.is_some_and(is_acknowledged)
    }

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
        // RFC 9293 3.8.4: a keep-alive carries no octet, or garbage for one that the other end has acknowledged already.
        let acknowledged = self.acknowledged.is_none_or(|ack| ahead(ack, next) >= 0);
        if before == 1 && (payload.is_empty() || (payload.len() == 1 && acknowledged)) {
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

    /// Whether a RST or FIN of this number can be of this stream: not further from where it stands than any window.
    pub fn is_near(&self, sequence: u32) -> bool {
        self.next.is_none_or(|next| ahead(sequence, next).unsigned_abs() < 1 << 17)
    }

    /// The other end has accepted a connection that starts at this number: of two SYNs, that decides which one holds.
    pub fn settle_restart(&mut self, accepted: u32) {
        if self.restart.take() == Some(accepted) {
            self.initial = Some(accepted.wrapping_sub(1));
            self.next = Some(accepted);
            self.pending.clear();
        }
    }

    /// Whether a segment goes on with the connection that this one has replaced.
    pub fn is_former(&self, sequence: u32) -> bool {
        self.former.is_some_and(|former| (0..1 << 16).contains(&ahead(sequence, former)))
    }

    /// Whether a repeat reaches back to octets that are no longer remembered, so that nobody can tell whether it differs.
    pub fn has_forgotten(&self, sequence: u32) -> bool {
        let (Some(next), Some(history)) = (self.next, &self.history) else { return false };
        let before = ahead(next, sequence);
        before > 0 && history.has_forgotten(usize::try_from(before).unwrap_or(usize::MAX))
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

    /// The bound that is passed by what is held: then what is missing must be given up.
    pub fn passes(&self, limits: &Limits) -> Option<&'static str> {
        if self.held.len() > limits.stream_segments_max {
            Some("stream_segments_max")
        } else if self.held.octets() > limits.stream_octets_max {
            Some("stream_octets_max")
        } else {
            None
        }
    }

    /// Whether what is missing is lost: the other end has acknowledged what comes after it, so that it was only the mirror
    /// that lost it; or nobody tells what was acknowledged, and it was waited for long enough. While the other end shows
    /// that it waits too, what is missing may still come.
    pub fn is_overdue(&self, limits: &Limits, now: Timestamp) -> bool {
        let (Some(first), Some(next)) = (self.held.first(), self.next) else { return false };
        let waited = now.since(self.held.since());
        match self.acknowledged {
            Some(ack) if ahead(ack, first) > 0 && ahead(first, next) <= FAR => {
                waited >= limits.duplicate_ns.saturating_mul(2)
            }
            Some(ack) if ahead(ack, next) <= 0 => false,
            _ => waited >= limits.reorder_ns,
        }
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
        assert_eq!(side.place(1, b"d"), Place::KeepAlive);
        assert_eq!(side.place(1, b""), Place::KeepAlive);
        side.acknowledged = Some(1);
        assert_eq!(side.place(1, b"x"), Place::Repeat(true), "nobody acknowledged the octet that it repeats");
        side.acknowledged = Some(2);
        assert_eq!(side.place(1, b"x"), Place::KeepAlive);
    }

    #[test]
    fn what_was_given_up_may_come_late() {
        let mut side = Side::default();
        side.advance(100);
        side.held.insert(112, b"later", Timestamp(5));
        let overdue = |side: &Side, now| side.is_overdue(&Limits::default(), Timestamp(now));
        assert!(!overdue(&side, 6));
        assert!(overdue(&side, 1_000_000_005), "nobody tells, and the time is over");
        side.acknowledged = Some(200);
        assert!(!overdue(&side, 6) && overdue(&side, 20_000_000));
        side.acknowledged = Some(100);
        assert!(!overdue(&side, 99_000_000_000), "the other end waits too");
        side.acknowledged = Some(112);
        assert!(!overdue(&side, 20_000_000) && overdue(&side, 1_000_000_005));
        assert_eq!(side.passes(&Limits::default()), None);
        assert_eq!(side.passes(&Limits { stream_segments_max: 0, ..Limits::default() }), Some("stream_segments_max"));
        assert_eq!(side.skip_to_held(), Some(12));
        assert_eq!(side.place(100, b"twelve octet"), Place::Late);
    }
}
