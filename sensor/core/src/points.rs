//! `Points`: what the process is seen to do: the last value of every point, its quality, range, period and writers.
//!
//! A point is a place of a data space of a unit behind a server. Each shard keeps those of its own pairs of stations, in the
//! order in which they are first told, since that is the order in which they are told again: the place after the last one is
//! looked at first, and nothing needs to be searched while a poll repeats itself.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;
use yagura_parsers::message::{Point, PointValue, Quality};
use yagura_parsers::packet::Scope;
use yagura_parsers::protocols::ProtocolId;
use yagura_rules::facts::event::{FrameRef, PointChange, PointFact};
use yagura_rules::facts::flow::Flow;
use yagura_rules::facts::time::Timestamp;

/// A point that is told so often has a period that can be missed.
const UPDATES_TO_KNOW: u32 = 8;
/// So many periods without an update are a point that is told no more.
const PERIODS_MISSED: u64 = 10;
/// And at least so long, in ns.
const STALE_LEAST: u64 = 60_000_000_000;
/// A space of which nothing was told for so long was out of sight: what is missing then is nobody's fault, in ns.
const OUT_OF_SIGHT: u64 = 30_000_000_000;
/// Writers of one point that are kept.
const WRITERS_MAX: usize = 4;
/// Points of a shard that may be kept from the start.
const FLOOR: u64 = 1_024;
/// Beyond them, one more for so many octets heard: a bit on the wire is not to cost a hundred octets of memory, and a poll
/// that goes on gets all its points in the end.
const OCTETS_EACH: u64 = 32;

/// Whose points they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpaceKey {
    /// Broadcast domain.
    pub scope: Scope,
    /// Who tells them.
    pub server: IpAddr,
    /// Which protocol.
    pub protocol: ProtocolId,
    /// The address behind the server.
    pub unit: u16,
    /// The data space by the standard's name.
    pub space: &'static str,
}

/// Somebody who asked for a point to be written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Writer {
    /// Who.
    pub address: IpAddr,
    /// How often.
    pub writes: u64,
    /// When last.
    pub last: Timestamp,
    /// The value of the last time.
    pub value: PointValue,
    /// The frame of the last time.
    pub frame: FrameRef,
}

/// What is known of a point.
#[derive(Debug, Clone, PartialEq)]
pub struct PointRecord {
    /// Whose it is.
    pub key: SpaceKey,
    /// Where it stands in its space.
    pub address: u32,
    /// The value that was told last; `None` where it was only written.
    pub value: Option<PointValue>,
    /// What the device said of its worth then.
    pub quality: Quality,
    /// The time of the value by the device's clock, in ms since 1970-01-01T00:00:00 of its zone.
    pub device_time: Option<u64>,
    /// The first frame that told it, or wrote it.
    pub first: FrameRef,
    /// When it was told last.
    pub last: Option<Timestamp>,
    /// The least and the greatest finite value that was told.
    pub range: Option<(f64, f64)>,
    /// How often it was told.
    pub updates: u64,
    /// How often the value was another than before.
    pub changes: u64,
    /// How often it is told, in ns: a moving mean, where it was told twice.
    pub period_ns: Option<u64>,
    /// Who wrote it, at most four, by address.
    pub writers: Vec<Writer>,
}

/// What a shard keeps of a point.
#[derive(Debug, Clone, Copy)]
struct Slot {
    address: u32,
    updates: u32,
    changes: u32,
    quality: Quality,
    /// Told at uneven times: nobody can say that it is late.
    uneven: bool,
    /// It was told that it is stale.
    stale: bool,
    value: PointValue,
    min: f64,
    max: f64,
    last: u64,
    period: u64,
    device_time: u64,
    first: FrameRef,
}

/// No time by the device's clock.
const NO_TIME: u64 = u64::MAX;

/// The points of one space of one unit, as one client sees them.
#[derive(Debug)]
struct Space {
    /// The flow that told them last.
    flow: Arc<Flow>,
    key: SpaceKey,
    slots: Vec<Slot>,
    /// The slot that is told next, most likely.
    next: usize,
    /// When any of its points was told last, and since when they were told without a long silence.
    last: u64,
    resumed: u64,
}

impl Space {
    #[inline]
    fn is_of(&self, teller: &Teller<'_>, name: &'static str) -> bool {
        Arc::ptr_eq(&self.flow, teller.flow) && self.key.unit == teller.unit && std::ptr::eq(self.key.space, name)
    }
}

/// Which spaces a flow tells, in the order in which it does: the one after the last is looked at first.
#[derive(Debug, Default)]
pub struct Cursor {
    spaces: Vec<u32>,
    at: usize,
}

/// Spaces of a flow that a cursor remembers.
const CURSOR_MAX: usize = 32;

/// Whose points a message tells.
#[derive(Debug, Clone, Copy)]
pub struct Teller<'a> {
    /// Who tells whom.
    pub flow: &'a Arc<Flow>,
    /// Which protocol.
    pub protocol: ProtocolId,
    /// The address behind the server.
    pub unit: u16,
    /// When.
    pub time: Timestamp,
    /// The message's frame.
    pub origin: FrameRef,
}

/// The points of a shard's pairs.
#[derive(Debug)]
pub struct Points {
    spaces: Vec<Space>,
    by_key: BTreeMap<(IpAddr, SpaceKey), u32>,
    /// Space, address and slot; never iterated.
    by_address: HashTable<(u32, u32, u32)>,
    state: FixedState,
    writers: BTreeMap<(u32, u32), Vec<(Writer, FrameRef)>>,
    kept: u64,
    max: u64,
    heard: u64,
    /// Values told of points for which there was no room.
    pub unkept: u64,
    /// The minute that was searched for stale points last.
    minute: u64,
}

impl Points {
    /// Room for so many points.
    pub fn new(max: usize, seed: u64) -> Self {
        Self {
            spaces: Vec::new(),
            by_key: BTreeMap::new(),
            by_address: HashTable::new(),
            state: FixedState::with_seed(seed),
            writers: BTreeMap::new(),
            kept: 0,
            max: u64::try_from(max).unwrap_or(u64::MAX),
            heard: 0,
            unkept: 0,
            minute: 0,
        }
    }

    /// So many octets were heard.
    #[inline]
    pub fn heard(&mut self, octets: usize) {
        self.heard = self.heard.saturating_add(u64::try_from(octets).unwrap_or(0));
    }

    /// Points, and spaces, that are kept.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Takes room for one more point.
    fn room(&mut self) -> bool {
        let earned = self.heard.checked_div(OCTETS_EACH).unwrap_or(0);
        let room = self.kept < self.max.min(FLOOR.saturating_add(earned));
        if room {
            self.kept = self.kept.saturating_add(1);
        } else {
            self.unkept = self.unkept.saturating_add(1);
        }
        room
    }

    /// A value that a device tells. Answers what became of the point, where that is news.
    #[inline]
    pub fn told(&mut self, cursor: &mut Cursor, teller: &Teller<'_>, point: &Point) -> Option<PointChange> {
        let at = self.space(cursor, teller, point.space)?;
        let space = self.spaces.get(place(at))?;
        let index = match space.slots.get(space.next) {
            Some(slot) if slot.address == point.address => space.next,
            _ => self.find(at, teller, point.address)?,
        };
        let space = self.spaces.get_mut(place(at))?;
        let now = teller.time.0;
        if now.saturating_sub(space.last) > OUT_OF_SIGHT {
            space.resumed = now;
        }
        space.last = space.last.max(now);
        space.next = index.wrapping_add(1);
        let resumed = space.resumed;
        space.slots.get_mut(index)?.tell(point, now, resumed)
    }

    /// The slot of an address, made where there is room.
    fn find(&mut self, at: u32, teller: &Teller<'_>, address: u32) -> Option<usize> {
        let hash = self.state.hash_one((at, address));
        if let Some((_, _, index)) = self.by_address.find(hash, |(space, known, _)| (*space, *known) == (at, address)) {
            return usize::try_from(*index).ok();
        }
        if !self.room() {
            return None;
        }
        let space = self.spaces.get_mut(place(at))?;
        let index = space.slots.len();
        space.slots.push(Slot::new(address, teller.origin));
        let entry = (at, address, u32::try_from(index).unwrap_or(u32::MAX));
        let Self { by_address, state, .. } = self;
        by_address.insert_unique(hash, entry, |(space, address, _)| state.hash_one((*space, *address)));
        Some(index)
    }

    /// The space that a point is of: the cursor's, or looked for, or new.
    #[inline]
    fn space(&mut self, cursor: &mut Cursor, teller: &Teller<'_>, name: &'static str) -> Option<u32> {
        let is_of = |at: &u32| self.spaces.get(place(*at)).is_some_and(|space| space.is_of(teller, name));
        if let Some(at) = cursor.spaces.get(cursor.at).filter(|at| is_of(at)) {
            return Some(*at);
        }
        let next = cursor.at.wrapping_add(1);
        let next = if next < cursor.spaces.len() { next } else { 0 };
        if let Some(at) = cursor.spaces.get(next).filter(|at| is_of(at)) {
            cursor.at = next;
            return Some(*at);
        }
        if let Some(index) = cursor.spaces.iter().position(is_of) {
            cursor.at = index;
            return cursor.spaces.get(index).copied();
        }
        self.search(cursor, teller, name)
    }

    #[cold]
    fn search(&mut self, cursor: &mut Cursor, teller: &Teller<'_>, name: &'static str) -> Option<u32> {
        let Flow { scope, client, server, .. } = **teller.flow;
        let key = SpaceKey { scope, server: server.address, protocol: teller.protocol, unit: teller.unit, space: name };
        let at = match self.by_key.get(&(client.address, key)) {
            Some(at) => *at,
            None => {
                if !self.room() {
                    return None;
                }
                let at = u32::try_from(self.spaces.len()).ok()?;
                let (last, resumed) = (teller.time.0, teller.time.0);
                let flow = Arc::clone(teller.flow);
                self.spaces.push(Space { flow, key, slots: Vec::new(), next: 0, last, resumed });
                self.by_key.insert((client.address, key), at);
                at
            }
        };
        let space = self.spaces.get_mut(place(at))?;
        if !Arc::ptr_eq(&space.flow, teller.flow) {
            space.flow = Arc::clone(teller.flow);
        }
        if cursor.spaces.len() >= CURSOR_MAX {
            cursor.spaces.clear();
        }
        cursor.at = cursor.spaces.len();
        cursor.spaces.push(at);
        Some(at)
    }

    /// A value that somebody asks to be written.
    pub fn written(&mut self, teller: &Teller<'_>, point: &Point) {
        let mut cursor = Cursor::default();
        let Some(at) = self.space(&mut cursor, teller, point.space) else { return };
        let place = (at, point.address);
        if !self.writers.contains_key(&place) && !self.room() {
            return;
        }
        let writers = self.writers.entry(place).or_default();
        let client = teller.flow.client.address;
        let writer = Writer { address: client, writes: 1, last: teller.time, value: point.value, frame: teller.origin };
        if let Some((known, _)) = writers.iter_mut().find(|(known, _)| known.address == client) {
            *known = Writer { writes: known.writes.saturating_add(1), ..writer };
        } else if writers.len() < WRITERS_MAX {
            writers.push((writer, teller.origin));
        }
    }

    /// Once a minute of packet time: which points are told no more, though others of their space are.
    pub fn stale(&mut self, now: Timestamp, mut tell: impl FnMut(&Arc<Flow>, PointFact)) {
        let minute = now.0.checked_div(STALE_LEAST).unwrap_or(0);
        if minute == self.minute {
            return;
        }
        self.minute = minute;
        for space in &mut self.spaces {
            // A space that is silent itself is a silent channel, not a stale point.
            if space.last.saturating_add(OUT_OF_SIGHT) < now.0 {
                continue;
            }
            for slot in &mut space.slots {
                let since = slot.last.max(space.resumed);
                let patience = slot.period.saturating_mul(PERIODS_MISSED).max(STALE_LEAST);
                let known = slot.updates >= UPDATES_TO_KNOW && !slot.uneven && !slot.stale;
                if known && now.0.saturating_sub(since) > patience {
                    slot.stale = true;
                    let change = PointChange::Stale { since: Timestamp(slot.last), period_ns: slot.period };
                    let point = Point {
                        space: space.key.space,
                        address: slot.address,
                        value: slot.value,
                        quality: slot.quality,
                        time: (slot.device_time != NO_TIME).then_some(slot.device_time),
                    };
                    tell(&space.flow, PointFact { unit: space.key.unit, point, change });
                }
            }
        }
    }

    /// Adds all points to `out`; what several clients see of one point becomes one.
    pub fn report(&self, out: &mut BTreeMap<(SpaceKey, u32), PointRecord>) {
        for space in &self.spaces {
            for slot in &space.slots {
                merge(out, slot.record(space.key));
            }
        }
        for ((at, address), writers) in &self.writers {
            let Some(space) = self.spaces.get(place(*at)) else { continue };
            let Some((_, first)) = writers.first() else { continue };
            let mut record = Slot::new(*address, *first).record(space.key);
            record.writers = writers.iter().map(|(writer, _)| *writer).collect();
            merge(out, record);
        }
    }
}

impl Slot {
    fn new(address: u32, first: FrameRef) -> Self {
        Self {
            address,
            updates: 0,
            changes: 0,
            quality: Quality::default(),
            uneven: false,
            stale: false,
            value: PointValue::Bit(false),
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            last: 0,
            period: 0,
            device_time: NO_TIME,
            first,
        }
    }

    #[inline]
    fn tell(&mut self, point: &Point, now: u64, resumed: u64) -> Option<PointChange> {
        let before = self.quality;
        let first = self.updates == 0;
        self.updates = self.updates.saturating_add(1);
        if first || self.value != point.value {
            self.changed(point.value, first);
        }
        if !first && self.last >= resumed {
            self.rhythm(now.saturating_sub(self.last));
        }
        self.last = self.last.max(now);
        self.quality = point.quality;
        self.device_time = point.time.unwrap_or(NO_TIME);
        if std::mem::take(&mut self.stale) {
            return Some(PointChange::Fresh);
        }
        if first || before.is_bad() == point.quality.is_bad() {
            return None;
        }
        Some(if point.quality.is_bad() { PointChange::TurnedBad } else { PointChange::TurnedGood })
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

    /// A moving mean over eight updates; what comes three times too late, or thrice too early, has no rhythm.
    #[inline]
    fn rhythm(&mut self, gap: u64) {
        if self.period == 0 {
            self.period = gap;
            return;
        }
        let uneven = gap > self.period.saturating_mul(3) || gap < self.period >> 2;
        self.uneven |= uneven && self.updates > 3;
        self.period = (self.period.saturating_mul(7).saturating_add(gap)) >> 3;
    }

    fn record(&self, key: SpaceKey) -> PointRecord {
        let told = self.updates > 0;
        PointRecord {
            key,
            address: self.address,
            value: told.then_some(self.value),
            quality: self.quality,
            device_time: (self.device_time != NO_TIME).then_some(self.device_time),
            first: self.first,
            last: told.then_some(Timestamp(self.last)),
            range: (self.min <= self.max).then_some((self.min, self.max)),
            updates: self.updates.into(),
            changes: self.changes.into(),
            period_ns: (self.updates > 1 && self.period > 0).then_some(self.period),
            writers: Vec::new(),
        }
    }
}

fn place(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// Puts what is known of one point together: the latest value, the widest range, all writers.
fn merge(out: &mut BTreeMap<(SpaceKey, u32), PointRecord>, new: PointRecord) {
    use std::collections::btree_map::Entry;
    let old = match out.entry((new.key, new.address)) {
        Entry::Vacant(place) => {
            place.insert(new);
            return;
        }
        Entry::Occupied(place) => place.into_mut(),
    };
    if (new.last, new.first) > (old.last, old.first) {
        old.value = new.value.or(old.value);
        old.quality = if new.last.is_some() { new.quality } else { old.quality };
        old.device_time = new.device_time.or(old.device_time);
        old.period_ns = new.period_ns.or(old.period_ns);
        old.last = new.last.or(old.last);
    }
    old.first = old.first.min(new.first);
    old.range = match (old.range, new.range) {
        (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
        (one, other) => one.or(other),
    };
    old.updates = old.updates.saturating_add(new.updates);
    old.changes = old.changes.saturating_add(new.changes);
    for writer in new.writers {
        if old.writers.len() < WRITERS_MAX {
            old.writers.push(writer);
        }
    }
    old.writers.sort_by_key(|writer| writer.address);
}

#[cfg(test)]
mod tests {
    use super::*;
    use yagura_rules::facts::flow::{Endpoint, FlowId, Oriented, Transport};

    const SECOND: u64 = 1_000_000_000;

    fn flow(client: u8) -> Arc<Flow> {
        let end = |last, port| Endpoint { address: IpAddr::from([10, 0, 0, last]), port };
        Arc::new(Flow {
            id: FlowId(1),
            first: FrameRef { capture: 0, frame: 1 },
            opened: Timestamp(0),
            transport: Transport::Tcp,
            client: end(client, 49_152),
            server: end(9, 502),
            oriented: Oriented::Handshake,
            client_mac: None,
            server_mac: None,
            scope: Scope::default(),
            protocol: Some(ProtocolId::Modbus),
            dialect: "",
        })
    }

    fn teller(flow: &Arc<Flow>, seconds: u64) -> Teller<'_> {
        let origin = FrameRef { capture: 0, frame: seconds };
        Teller { flow, protocol: ProtocolId::Modbus, unit: 1, time: Timestamp(seconds * SECOND), origin }
    }

    fn register(address: u32, value: u64) -> Point {
        Point::bare("holding_register", address, PointValue::Unsigned(value))
    }

    fn all(points: &Points) -> Vec<PointRecord> {
        let mut out = BTreeMap::new();
        points.report(&mut out);
        out.into_values().collect()
    }

    #[test]
    fn a_point_keeps_its_value_range_period_and_count() {
        let (mut points, mut cursor, flow) = (Points::new(1_000, 7), Cursor::default(), flow(5));
        for n in 0..10 {
            for address in [40, 41] {
                let change =
                    points.told(&mut cursor, &teller(&flow, n * 2), &register(address, n % 3 + u64::from(address)));
                assert_eq!(change, None);
            }
        }
        let records = all(&points);
        assert_eq!(records.iter().map(|point| point.address).collect::<Vec<_>>(), [40, 41]);
        let first = &records[0];
        assert_eq!((first.updates, first.changes, first.range), (10, 9, Some((40.0, 42.0))));
        assert_eq!((first.period_ns, first.last), (Some(2 * SECOND), Some(Timestamp(18 * SECOND))));
        assert_eq!((first.value, first.first.frame), (Some(PointValue::Unsigned(40)), 0));
    }

    #[test]
    fn who_writes_is_kept_beside_what_is_read() {
        let (mut points, mut cursor, hmi, stranger) = (Points::new(1_000, 7), Cursor::default(), flow(5), flow(66));
        points.told(&mut cursor, &teller(&hmi, 1), &register(40, 7));
        for _ in 0..3 {
            points.written(&teller(&stranger, 2), &register(40, 9_999));
        }
        points.written(&teller(&hmi, 3), &register(41, 1));
        let records = all(&points);
        assert_eq!(records.len(), 2);
        let writer = records[0].writers[0];
        assert_eq!((writer.writes, writer.value), (3, PointValue::Unsigned(9_999)));
        assert_eq!((writer.address, records[0].value), (IpAddr::from([10, 0, 0, 66]), Some(PointValue::Unsigned(7))));
        assert_eq!((records[1].value, records[1].updates), (None, 0), "written, and never told");
    }

    #[test]
    fn quality_is_told_when_it_turns() {
        let (mut points, mut cursor, flow) = (Points::new(1_000, 7), Cursor::default(), flow(5));
        let mut tell = |at, quality| points.told(&mut cursor, &teller(&flow, at), &Point { quality, ..register(1, 1) });
        assert_eq!(tell(0, Quality::INVALID), None, "it may always have been so");
        assert_eq!(tell(1, Quality::default()), Some(PointChange::TurnedGood));
        assert_eq!(tell(2, Quality::SUBSTITUTED), None);
        assert_eq!(tell(3, Quality::COMM_LOST), Some(PointChange::TurnedBad));
        assert_eq!(tell(4, Quality::INVALID), None);
    }

    #[test]
    fn a_point_that_is_told_no_more_is_stale_while_its_neighbours_go_on() {
        let run = |others: bool, even: bool| {
            let (mut points, mut cursor, flow) = (Points::new(1_000, 7), Cursor::default(), flow(5));
            let mut stale = Vec::new();
            for at in 0..400_u64 {
                let told = if even { at < 60 } else { at < 60 && at % 7 < 2 };
                if told {
                    points.told(&mut cursor, &teller(&flow, at), &register(1, 1));
                }
                if others {
                    points.told(&mut cursor, &teller(&flow, at), &register(2, 1));
                }
                points.stale(Timestamp(at * SECOND), |_, fact| stale.push((at, fact.point.address)));
            }
            stale
        };
        assert_eq!(run(true, true), [(120, 1)]);
        assert!(run(false, true).is_empty(), "a silent channel is another matter");
        assert!(run(true, false).is_empty(), "what has no rhythm is never late");
    }

    #[test]
    fn room_is_bounded_and_earned() {
        let (mut points, mut cursor, flow) = (Points::new(2_000, 7), Cursor::default(), flow(5));
        let tell = |points: &mut Points, cursor: &mut Cursor| {
            for address in 0..3_000 {
                points.told(cursor, &teller(&flow, 1), &register(address, 1));
            }
            all(points).len()
        };
        assert_eq!(tell(&mut points, &mut cursor), 1_023, "its space counts too");
        points.heard(32 * 100);
        assert_eq!(tell(&mut points, &mut cursor), 1_123);
        points.heard(usize::MAX);
        assert_eq!(tell(&mut points, &mut cursor), 1_999);
        assert!(points.unkept > 0);
    }
}
