//! `Speech`: what a flow speaks: its dissector, its open requests, and what the judge was told.

use crate::commands::Commands;
use crate::points::Cursor;
use std::collections::VecDeque;
use yagura_parsers::message::{Operation, Target, Verb};
use yagura_parsers::protocols::AnyDissector;
use yagura_rules::facts::event::{FrameRef, UnansweredFact};
use yagura_rules::facts::time::Timestamp;
use yagura_rules::norm::{PairNorm, Verdict};

/// What a flow speaks.
pub struct Speech {
    /// The protocol's memory of the flow.
    pub dissector: AnyDissector,
    /// Everything else, apart so that both can be used at once.
    pub talk: Talk,
    /// Octets that the dissector keeps, as they are counted among those of all streams.
    pub held: usize,
}

/// What is remembered of what was said.
pub struct Talk {
    /// Requests that wait for their response.
    pub open: OpenRequests,
    /// What the judge was told and need not be told again: by verb, code and unit, whatever the addresses.
    pub told: Settled,
    /// The flow's ends in the norm.
    pub pair: PairNorm,
    /// How often the judge was told of operations whose number matters.
    pub counted: Counted,
    /// Commands on their way; empty for nearly all flows.
    pub commands: Option<Box<Commands>>,
    /// The point that is told next, most likely.
    pub cursor: Cursor,
    /// Requests in a row without an answer, of units that have answered.
    pub unanswered: Unanswered,
    /// The minute in which a clock that is far off was told last.
    pub clock_minute: u64,
    /// The minute in which a message of the wrong end was told last.
    pub sender_minute: u64,
}

impl Talk {
    /// Nothing was said yet.
    pub fn new(pair: PairNorm) -> Self {
        Self {
            open: OpenRequests::default(),
            told: Settled::default(),
            pair,
            counted: Counted::default(),
            commands: None,
            cursor: Cursor::default(),
            unanswered: Unanswered::default(),
            clock_minute: u64::MAX,
            sender_minute: u64::MAX,
        }
    }
}

/// Requests in a row that have no answer, of each unit that has answered.
#[derive(Debug, Default)]
pub struct Unanswered {
    /// What is kept of a unit; [`Unanswered::UNITS_MAX`] at most.
    units: Vec<UnansweredFact>,
}

impl Unanswered {
    /// So many are worth telling.
    const FIRST: u64 = 4;
    /// Units of a flow that are told apart; further ones are not looked at.
    const UNITS_MAX: usize = 32;

    /// Counts a request that awaits an answer. Answers their number where it is to be told.
    #[inline]
    pub fn ask(&mut self, unit: u16, now: Timestamp) -> Option<UnansweredFact> {
        let asked = self.units.iter_mut().find(|asked| asked.unit == unit)?;
        if asked.requests == 0 {
            asked.since = now;
        }
        asked.requests = asked.requests.saturating_add(1);
        (asked.requests >= Self::FIRST && asked.requests.is_power_of_two()).then_some(*asked)
    }

    /// A unit answers. Answers that where it is to be told.
    #[inline]
    pub fn answer(&mut self, unit: u16, now: Timestamp) -> Option<UnansweredFact> {
        if let Some(asked) = self.units.iter_mut().find(|asked| asked.unit == unit) {
            let waited = std::mem::take(&mut asked.requests) >= Self::FIRST;
            return waited.then_some(*asked);
        }
        if self.units.len() < Self::UNITS_MAX {
            self.units.push(UnansweredFact { unit, requests: 0, since: now });
        }
        None
    }
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

    /// Requests that wait.
    #[inline]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
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
/// It only saves work: what it forgets takes the whole way again and comes to the same result. A place is small, since
/// every flow has as many as it says different things.
#[derive(Debug, Default)]
pub struct Settled {
    places: Vec<Place>,
    /// What the places' operations are about; empty while none is about anything.
    targets: Vec<Option<Target>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Verb, codes and unit, as [`word`] has them; 0 where nothing is kept.
    word: u64,
    /// The minute that it holds for; [`ALWAYS`] for what stays.
    minute: u64,
}

/// No minute: what is usual.
const ALWAYS: u64 = u64::MAX;
/// Places that a flow's memory starts with.
const FIRST: usize = 8;
/// Places that an operation may stand in.
const WAYS: usize = 4;

impl Settled {
    /// Whether the judge was told of an operation, and that still holds.
    #[inline]
    pub fn is_settled(&self, operation: &Operation, minute: u64) -> bool {
        let word = word(operation);
        self.ways(word, operation.target).any(|at| {
            self.is_of(at, word, operation.target) && self.places.get(at).is_some_and(|place| is_fresh(place, minute))
        })
    }

    /// Notes that the judge is told of an operation; grows up to `max` places.
    pub fn settle(&mut self, operation: &Operation, minute: u64, verdict: Verdict, max: usize) {
        if max == 0 {
            return;
        }
        if self.places.is_empty() {
            self.places.resize(FIRST.min(max.next_power_of_two()), Place::default());
        }
        let until = if matches!(verdict, Verdict::Usual(_)) { ALWAYS } else { minute };
        let new = Place { word: word(operation), minute: until };
        loop {
            if let Some(at) = self.free(new.word, operation.target, minute) {
                self.put(at, new, operation.target);
                return;
            }
            let doubled = self.places.len().saturating_mul(2);
            if doubled > max {
                let first = self.ways(new.word, operation.target).next().unwrap_or(0);
                self.put(first, new, operation.target);
                return;
            }
            let places = std::mem::replace(&mut self.places, vec![Place::default(); doubled]);
            let targets = std::mem::take(&mut self.targets);
            let targets = targets.into_iter().chain(std::iter::repeat(None));
            for (place, target) in places.into_iter().zip(targets).filter(|(place, _)| place.word != 0) {
                if let Some(at) = self.free(place.word, target, minute) {
                    self.put(at, place, target);
                }
            }
        }
    }

    /// The places that an operation may stand in.
    #[inline]
    fn ways(&self, word: u64, target: Option<Target>) -> impl Iterator<Item = usize> + use<> {
        let mask = self.places.len().saturating_sub(1);
        let first = self.index(word, target);
        (0..WAYS).map(move |way| first.wrapping_add(way) & mask)
    }

    #[inline]
    fn is_of(&self, at: usize, word: u64, target: Option<Target>) -> bool {
        self.places.get(at).is_some_and(|place| place.word == word) && self.target(at) == target
    }

    /// The place that an operation has, or the first that it may have: an empty one, or one whose time is over.
    fn free(&self, word: u64, target: Option<Target>, minute: u64) -> Option<usize> {
        let mine = self.ways(word, target).find(|at| self.is_of(*at, word, target));
        let is_open =
            |at: &usize| self.places.get(*at).is_some_and(|place| place.word == 0 || !is_fresh(place, minute));
        mine.or_else(|| self.ways(word, target).find(is_open))
    }

    fn put(&mut self, at: usize, new: Place, target: Option<Target>) {
        if target.is_some() && self.targets.is_empty() {
            self.targets.resize(self.places.len(), None);
        }
        if let Some(place) = self.places.get_mut(at) {
            *place = new;
        }
        if let Some(place) = self.targets.get_mut(at) {
            *place = target;
        }
    }

    #[inline]
    fn target(&self, at: usize) -> Option<Target> {
        self.targets.get(at).copied().flatten()
    }

    #[inline]
    fn index(&self, word: u64, target: Option<Target>) -> usize {
        let (first, count) = target.map_or((0, 0), |target| (target.first, target.count));
        let (sub, unit, code) = (word >> 32 & 0xffff, word >> 16 & 0xffff, word & 0xffff);
        let word = u64::from(first) << 32 ^ u64::from(count) << 20 ^ unit << 8 ^ code ^ sub << 48;
        // The sub-code stands in the highest bits, which a product never carries down.
        let hash = (word ^ word >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let mask = self.places.len().saturating_sub(1);
        usize::try_from(hash).unwrap_or(0) & mask
    }
}

/// How often the judge was told of each operation whose number matters, in this minute.
///
/// A rule that counts needs no more than its threshold, so further ones are settled like any other.
#[derive(Debug, Default)]
pub struct Counted {
    /// Operation, minute, and how often; [`Counted::KINDS`] at most, the oldest first.
    kinds: VecDeque<(u64, u64, u32)>,
}

impl Counted {
    /// Operations of a flow that are told apart.
    const KINDS: usize = 16;
    /// So often in a minute each is told; no rule has a higher threshold.
    const TOLD: u32 = 32;

    /// Counts an operation. Answers whether the judge is to hear of it.
    pub fn is_to_be_told(&mut self, operation: &Operation, minute: u64) -> bool {
        let word = word(operation);
        if let Some((_, of, times)) = self.kinds.iter_mut().find(|(kind, ..)| *kind == word) {
            if *of != minute {
                (*of, *times) = (minute, 0);
            }
            *times = times.saturating_add(1);
            return *times <= Self::TOLD;
        }
        if self.kinds.len() >= Self::KINDS {
            self.kinds.pop_front();
        }
        self.kinds.push_back((word, minute, 1));
        true
    }
}

#[inline]
fn is_fresh(place: &Place, minute: u64) -> bool {
    place.minute == minute || place.minute == ALWAYS
}

/// Verb, sub-code, unit and code of an operation in one number that is never 0.
#[inline]
fn word(operation: &Operation) -> u64 {
    let verb: u64 = match operation.verb {
        Verb::Read => 1,
        Verb::Write => 2,
        Verb::Control => 3,
        Verb::Configure => 4,
        Verb::Mode => 5,
        Verb::Restart => 6,
        Verb::Synchronize => 7,
        Verb::Transfer => 8,
        Verb::Identify => 9,
        Verb::Diagnose => 10,
        Verb::Report => 11,
        Verb::Session => 12,
        Verb::Other => 13,
    };
    verb << 48 | u64::from(operation.sub) << 32 | u64::from(operation.unit) << 16 | u64::from(operation.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use yagura_rules::norm::Basis;

    fn read(first: u32) -> Operation {
        let target = Some(Target { space: "holding_register", first, count: 2 });
        Operation { verb: Verb::Read, code: 3, sub: 0, unit: 1, target }
    }

    #[test]
    fn settled_for_a_minute_and_never_without_room() {
        let mut settled = Settled::default();
        settled.settle(&read(1), 7, Verdict::Unknown, 64);
        assert!(settled.is_settled(&read(1), 7));
        assert!(!settled.is_settled(&read(2), 7));
        assert!(!settled.is_settled(&read(1), 8));
        let usual = Verdict::Usual(Basis::None);
        settled.settle(&read(2), 7, usual, 64);
        assert!(settled.is_settled(&read(2), 99), "what is usual stays so");
        let mut off = Settled::default();
        off.settle(&read(1), 7, usual, 0);
        assert!(!off.is_settled(&read(1), 7));
    }

    #[test]
    fn memory_grows_to_its_bound_only_and_keeps_what_it_has_room_for() {
        let mut settled = Settled::default();
        for first in 0..10_000 {
            settled.settle(&read(first), 7, Verdict::Unknown, 64);
            assert!(settled.is_settled(&read(first), 7));
        }
        assert_eq!((settled.places.len(), settled.targets.len()), (64, 64));
        let kept = (0..10_000).filter(|first| settled.is_settled(&read(*first), 7)).count();
        assert!((32..=64).contains(&kept), "{kept}");
    }

    #[test]
    fn operations_that_differ_in_anything_are_told_apart() {
        let about = read(1);
        let bare = Operation { target: None, ..about };
        let space = |space| Operation { target: Some(Target { space, first: 1, count: 2 }), ..about };
        let count = Operation { target: Some(Target { space: "holding_register", first: 1, count: 3 }), ..about };
        let others = [
            bare,
            space("coil"),
            count,
            read(2),
            Operation { verb: Verb::Write, ..about },
            Operation { code: 4, ..about },
            Operation { sub: 1, ..about },
            Operation { unit: 2, ..about },
        ];
        let mut settled = Settled::default();
        settled.settle(&about, 7, Verdict::Unknown, 64);
        assert!(settled.is_settled(&about, 7));
        assert!(others.iter().all(|other| !settled.is_settled(other, 7)));
        for other in others {
            let mut settled = Settled::default();
            settled.settle(&other, 7, Verdict::Unknown, 64);
            assert!(settled.is_settled(&other, 7) && !settled.is_settled(&about, 7));
        }
        let mut kinds = Settled::default();
        kinds.settle(&bare, 7, Verdict::Unknown, 64);
        assert!(kinds.targets.is_empty(), "no room for what is not there");
    }

    #[test]
    fn what_counts_is_told_so_often_a_minute_and_kind() {
        let mut counted = Counted::default();
        let mut told =
            |operation: &Operation, minute| (0..100).filter(|_| counted.is_to_be_told(operation, minute)).count();
        assert_eq!((told(&read(1), 7), told(&read(1), 7), told(&read(1), 8)), (32, 0, 32));
        assert_eq!(told(&Operation { unit: 2, ..read(1) }, 8), 32);
        for unit in 0..100 {
            counted.is_to_be_told(&Operation { unit, ..read(1) }, 9);
        }
        assert_eq!(counted.kinds.len(), Counted::KINDS);
    }

    #[test]
    fn unanswered_requests_are_told_at_four_and_each_doubling_once_the_server_has_answered() {
        let mut never = Unanswered::default();
        assert!((0..100).all(|n| never.ask(1, Timestamp(n)).is_none()), "one direction only may be heard");
        let mut unanswered = Unanswered::default();
        assert_eq!(unanswered.answer(1, Timestamp(0)), None);
        assert!((0..100).all(|n| unanswered.ask(2, Timestamp(n)).is_none()), "another unit, that never answered");
        let told: Vec<_> = (1..=20).filter_map(|n| unanswered.ask(1, Timestamp(n))).collect();
        assert_eq!(told.iter().map(|fact| fact.requests).collect::<Vec<_>>(), [4, 8, 16]);
        assert!(told.iter().all(|fact| (fact.unit, fact.since) == (1, Timestamp(1))));
        assert_eq!(unanswered.answer(1, Timestamp(30)).map(|fact| fact.requests), Some(0));
        assert_eq!(unanswered.answer(1, Timestamp(30)), None);
        assert!(unanswered.ask(1, Timestamp(31)).is_none() && unanswered.answer(1, Timestamp(32)).is_none());
        assert!((0..100).all(|unit| unanswered.answer(unit, Timestamp(40)).is_none()));
        assert_eq!(unanswered.units.len(), Unanswered::UNITS_MAX);
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
