//! `Speech`: what a flow speaks: its dissector, its open requests, and what the judge was told.

use std::collections::VecDeque;
use yagura_parsers::message::Operation;
use yagura_parsers::protocols::AnyDissector;
use yagura_rules::facts::event::FrameRef;
use yagura_rules::facts::time::Timestamp;
use yagura_rules::norm::{PairNorm, Verdict};

/// What a flow speaks.
pub struct Speech {
    /// The protocol's memory of the flow.
    pub dissector: AnyDissector,
    /// Everything else, apart so that both can be used at once.
    pub talk: Talk,
}

/// What is remembered of what was said.
pub struct Talk {
    /// Requests that wait for their response.
    pub open: OpenRequests,
    /// What the judge was told and need not be told again: by verb, code and unit, whatever the addresses.
    pub told: Settled,
    /// The flow's ends in the norm.
    pub pair: PairNorm,
}

/// A request that waits for its response.
#[derive(Debug, Clone, Copy)]
pub struct OpenRequest {
    /// Equal in request and response.
    pub key: u64,
    /// When it was asked.
    pub time: Timestamp,
    /// Its frame.
    pub origin: FrameRef,
    /// What it asks.
    pub asked: Option<Operation>,
    /// Whether the judge was told of it.
    pub told: bool,
}

/// Requests of a flow that wait for their response, the oldest first; bounded by `Limits::outstanding_max`.
#[derive(Debug, Default)]
pub struct OpenRequests {
    waiting: VecDeque<OpenRequest>,
}

impl OpenRequests {
    /// Adds a request. Answers whether one that was still awaited had to go for it.
    #[inline]
    pub fn push(&mut self, request: OpenRequest, max: usize, patience_ns: u64) -> bool {
        while self.waiting.front().is_some_and(|first| request.time.since(first.time) >= patience_ns) {
            self.waiting.pop_front();
        }
        let full = self.waiting.len() >= max.max(1);
        if full {
            self.waiting.pop_front();
        }
        self.waiting.push_back(request);
        full
    }

    /// Takes out the oldest request of a key.
    #[inline]
    pub fn take(&mut self, key: u64) -> Option<OpenRequest> {
        if self.waiting.front()?.key == key {
            return self.waiting.pop_front();
        }
        let at = self.waiting.iter().position(|request| request.key == key)?;
        self.waiting.remove(at)
    }
}

/// A memory of operations that the judge was told: what is usual stays so, what nobody has an opinion on is told again in
/// the next minute.
///
/// It only saves work: what it forgets takes the whole way again and comes to the same result.
#[derive(Debug, Default)]
pub struct Settled {
    places: Vec<Option<Place>>,
    /// Questions so far: who says little gets little room.
    asked: usize,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    operation: Operation,
    /// The minute that it holds for; [`ALWAYS`] for what stays.
    minute: u64,
}

/// No minute: what is usual.
const ALWAYS: u64 = u64::MAX;
/// Places that a flow's memory starts with.
const FIRST: usize = 16;
/// Questions for each place that a memory may grow to: so that what a flow makes the sensor keep is no more than a small
/// multiple of what it sends.
const ASKED_A_PLACE: usize = 4;

impl Place {
    #[inline]
    fn is_fresh(&self, minute: u64) -> bool {
        self.minute == minute || self.minute == ALWAYS
    }
}

impl Settled {
    /// Whether the judge was told of an operation, and that still holds.
    #[inline]
    pub fn is_settled(&mut self, operation: &Operation, minute: u64) -> bool {
        self.asked = self.asked.saturating_add(1);
        let place = self.places.get(self.place(operation)).and_then(Option::as_ref);
        place.is_some_and(|place| place.is_fresh(minute) && place.operation == *operation)
    }

    /// Notes that the judge is told of an operation; grows up to `max` places.
    pub fn settle(&mut self, operation: Operation, minute: u64, verdict: Verdict, max: usize) {
        if max == 0 {
            return;
        }
        if self.places.is_empty() {
            self.places.resize(FIRST.min(max.next_power_of_two()), None);
        }
        let minute_told = if matches!(verdict, Verdict::Usual(_)) { ALWAYS } else { minute };
        loop {
            let at = self.place(&operation);
            let doubled = self.places.len().saturating_mul(2);
            let has_room = doubled <= max && self.asked >= doubled.saturating_mul(ASKED_A_PLACE);
            let Some(place) = self.places.get_mut(at) else { return };
            let taken = place.is_some_and(|other| other.is_fresh(minute) && other.operation != operation);
            if !taken || !has_room {
                *place = Some(Place { operation, minute: minute_told });
                return;
            }
            let before = std::mem::replace(&mut self.places, vec![None; doubled]);
            for former in before.into_iter().flatten() {
                let at = self.place(&former.operation);
                if let Some(place) = self.places.get_mut(at) {
                    *place = Some(former);
                }
            }
        }
    }

    #[inline]
    fn place(&self, operation: &Operation) -> usize {
        let (first, count) = operation.target.map_or((0, 0), |target| (target.first, target.count));
        let word = u64::from(first) << 32
            ^ u64::from(count) << 20
            ^ u64::from(operation.unit) << 8
            ^ u64::from(operation.code)
            ^ u64::from(operation.sub) << 48;
        let hash = word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let mask = self.places.len().saturating_sub(1);
        usize::try_from(hash).unwrap_or(0) & mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yagura_parsers::message::{Target, Verb};
    use yagura_rules::norm::Basis;

    fn read(first: u32) -> Operation {
        let target = Some(Target { space: "holding_register", first, count: 2 });
        Operation { verb: Verb::Read, code: 3, sub: 0, unit: 1, target }
    }

    #[test]
    fn settled_for_a_minute_and_never_without_room() {
        let mut settled = Settled::default();
        settled.settle(read(1), 7, Verdict::Unknown, 64);
        assert!(settled.is_settled(&read(1), 7));
        assert!(!settled.is_settled(&read(2), 7));
        assert!(!settled.is_settled(&read(1), 8));
        let usual = Verdict::Usual(Basis::None);
        settled.settle(read(2), 7, usual, 64);
        assert!(settled.is_settled(&read(2), 99), "what is usual stays so");
        let mut off = Settled::default();
        off.settle(read(1), 7, usual, 0);
        assert!(!off.is_settled(&read(1), 7));
    }

    #[test]
    fn memory_grows_with_what_is_asked_and_to_its_bound_only() {
        let mut settled = Settled::default();
        let mut ask = |range: std::ops::Range<u32>| {
            for first in range {
                assert!(!settled.is_settled(&read(first), 7));
                settled.settle(read(first), 7, Verdict::Unknown, 64);
            }
            settled.places.len()
        };
        assert_eq!([ask(0..120), ask(120..200), ask(200..10_000)], [16, 32, 64]);
    }

    #[test]
    fn requests_are_taken_by_key_and_bounded() {
        let mut open = OpenRequests::default();
        let origin = FrameRef { capture: 0, frame: 1 };
        let ask = |key, time| OpenRequest { key, time: Timestamp(time), origin, asked: None, told: false };
        assert!(!open.push(ask(1, 0), 2, 100));
        assert!(!open.push(ask(2, 1), 2, 100));
        assert!(open.push(ask(3, 2), 2, 100), "the first had to go");
        assert!(open.take(1).is_none());
        assert!(open.take(3).is_some());
        assert!(!open.push(ask(4, 500), 2, 100));
        assert!(open.take(2).is_none(), "it waited too long");
    }
}
