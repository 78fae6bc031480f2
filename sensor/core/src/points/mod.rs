//! `Points`: what the process is seen to do: the last value of every point, its quality, range, period and writers.
//!
//! A point is a place of a data space of a unit behind a server. Each shard keeps those of its own pairs of stations. Most
//! points of a poll are told together, as octets: a `block` each. Those that come with quality or time are told one by
//! one: a `slot` each. Both stand in the order in which they were first told, since that is the order in which they are
//! told again: the one after the last is looked at first, and nothing is searched while a poll repeats itself.

mod block;
mod slot;

use block::Block;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use slot::{STALE_LEAST, Slot};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;
use yagura_parsers::message::{Point, PointValue, Quality, Run};
use yagura_parsers::packet::Scope;
use yagura_parsers::protocols::ProtocolId;
use yagura_rules::facts::event::{FrameRef, PointChange, PointFact};
use yagura_rules::facts::flow::Flow;
use yagura_rules::facts::time::Timestamp;

/// A space of which nothing was told for so long was out of sight: what is missing then is nobody's fault, in ns.
const OUT_OF_SIGHT: u64 = 30_000_000_000;
/// Writers of one point that are told.
const WRITERS_MAX: usize = 4;
/// Octets of memory that a shard may use for points from the start.
const FLOOR: u64 = 65_536;
/// Beyond them, so many for each octet heard: what an attacker makes the sensor keep is to cost him as much, and a poll that
/// goes on gets all its points in the end.
const EARNED: u64 = 3;
/// What a slot, or an empty space, takes with its place in the index; tables grow by doubling.
const SLOT_ROOM: u64 = 256;
/// Spaces of a flow that a cursor remembers.
const CURSOR_MAX: usize = 32;

/// What a value that is told means for its point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Told {
    /// Nothing that anybody needs to hear of.
    Known,
    /// It was never told before; or there is no room to know.
    New,
    /// It turned, or is told again.
    Changed(PointChange),
}

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
    /// The last frame that told it, or wrote it.
    pub latest: FrameRef,
    /// When it was told last.
    pub last: Option<Timestamp>,
    /// The least and the greatest finite value that was told.
    pub range: Option<(f64, f64)>,
    /// How often it was told.
    pub updates: u64,
    /// How often the value was another than before; up to 255 for a bit that is polled among others.
    pub changes: u64,
    /// How often it is told, in ns: a moving mean, where it was told twice.
    pub period_ns: Option<u64>,
    /// Who wrote it, at most four, by address.
    pub writers: Vec<Writer>,
}

/// A moving mean over eight.
#[inline]
fn period(mean: u64, gap: u64) -> u64 {
    if mean == 0 { gap } else { mean.saturating_mul(7).saturating_add(gap) >> 3 }
}

/// The points of one space of one unit, as one client sees or writes them.
#[derive(Debug)]
struct Space {
    /// The flow that told them last.
    flow: Arc<Flow>,
    key: SpaceKey,
    writes: bool,
    slots: Vec<Slot>,
    blocks: Vec<Block>,
    /// The slot and the block that are told next, most likely.
    next_slot: usize,
    next_block: usize,
    /// When any of its points was told last, and since when they were told without a long silence.
    last: u64,
    resumed: u64,
}

impl Space {
    /// Tells the slot of an index of a point; `None` where that is another point's, or nobody's.
    #[inline]
    fn tell(&mut self, index: usize, teller: &Teller<'_>, point: &Point) -> Option<Told> {
        let slot = self.slots.get_mut(index).filter(|slot| slot.address == point.address)?;
        let now = teller.time.0;
        if now.saturating_sub(self.last) > OUT_OF_SIGHT {
            self.resumed = now;
        }
        self.last = self.last.max(now);
        self.next_slot = index.wrapping_add(1);
        Some(slot.tell(point, now, self.resumed, teller.origin))
    }
}

/// Which spaces a flow tells, in the order in which it does: the one after the last is looked at first. Made anew where the
/// flow's ends are turned round.
#[derive(Debug, Default)]
pub struct Cursor {
    spaces: Vec<Known>,
    at: usize,
}

/// A space that a cursor remembers.
#[derive(Debug, Clone, Copy)]
struct Known {
    name: &'static str,
    unit: u16,
    writes: bool,
    /// Index into [`Points::spaces`].
    at: u32,
}

impl Known {
    #[inline]
    fn is_of(&self, teller: &Teller<'_>, name: &'static str) -> bool {
        std::ptr::eq(self.name, name) && self.unit == teller.unit && self.writes == teller.writes
    }
}

/// Whose points a message tells.
#[derive(Debug, Clone, Copy)]
pub struct Teller<'a> {
    /// Who tells whom.
    pub flow: &'a Arc<Flow>,
    /// Which protocol.
    pub protocol: ProtocolId,
    /// The address behind the server.
    pub unit: u16,
    /// Whether the client writes them; else the server tells them.
    pub writes: bool,
    /// When.
    pub time: Timestamp,
    /// The message's frame.
    pub origin: FrameRef,
}

/// A place in the index: space, first address, number of points (0 for a slot), and where it stands in its space.
type Place = (u32, u32, u32, u32);

/// The points of a shard's pairs.
#[derive(Debug)]
pub struct Points {
    spaces: Vec<Space>,
    by_key: BTreeMap<(IpAddr, bool, SpaceKey), u32>,
    /// Never iterated.
    index: HashTable<Place>,
    state: FixedState,
    /// Octets of memory that are given out, and the most that may be.
    used: u64,
    max: u64,
    heard: u64,
    /// Values told of points for which there was no room.
    pub unkept: u64,
    /// The minute that was searched for stale points last.
    minute: u64,
}

fn place(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

impl Points {
    /// Room for so many octets.
    pub fn new(octets_max: usize, seed: u64) -> Self {
        Self {
            spaces: Vec::new(),
            by_key: BTreeMap::new(),
            index: HashTable::new(),
            state: FixedState::with_seed(seed),
            used: 0,
            max: u64::try_from(octets_max).unwrap_or(u64::MAX),
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

    /// Takes room for so many octets of memory, that so many points need.
    fn room(&mut self, octets: u64, points: u64) -> bool {
        let earned = self.heard.saturating_mul(EARNED);
        let used = self.used.saturating_add(octets);
        let room = used <= self.max.min(FLOOR.saturating_add(earned));
        if room {
            self.used = used;
        } else {
            self.unkept = self.unkept.saturating_add(points);
        }
        room
    }

    /// A value that a device tells, or a client writes.
    #[inline]
    pub fn point(&mut self, cursor: &mut Cursor, teller: &Teller<'_>, point: &Point) -> Told {
        self.keep(cursor, teller, point).unwrap_or(Told::New)
    }

    #[inline]
    fn keep(&mut self, cursor: &mut Cursor, teller: &Teller<'_>, point: &Point) -> Option<Told> {
        let at = self.space(cursor, teller, point.space)?;
        let space = self.spaces.get_mut(place(at))?;
        if let Some(told) = space.tell(space.next_slot, teller, point) {
            return Some(told);
        }
        self.keep_elsewhere(at, teller, point)
    }

    /// Keeps a point that does not follow the last one: where a space begins at 0 and has no holes, or anywhere.
    fn keep_elsewhere(&mut self, at: u32, teller: &Teller<'_>, point: &Point) -> Option<Told> {
        let space = self.spaces.get_mut(place(at))?;
        if let Some(told) = space.tell(place(point.address), teller, point) {
            return Some(told);
        }
        let index = self.find_slot(at, teller, point.address)?;
        self.spaces.get_mut(place(at))?.tell(index, teller, point)
    }

    /// Values that a device tells, or a client writes, all at once.
    #[inline]
    pub fn run(&mut self, cursor: &mut Cursor, teller: &Teller<'_>, run: &Run<'_>) {
        let Some(at) = self.space(cursor, teller, run.space) else { return };
        let Some(space) = self.spaces.get(place(at)) else { return };
        let index = match space.blocks.get(space.next_block) {
            Some(block) if block.first == run.first && block.count == run.count => Some(space.next_block),
            _ => self.find_block(at, teller, run),
        };
        let (Some(index), Some(space)) = (index, self.spaces.get_mut(place(at))) else { return };
        space.next_block = index.wrapping_add(1);
        if space.next_block >= space.blocks.len() {
            space.next_block = 0;
        }
        if let Some(block) = space.blocks.get_mut(index) {
            block.tell(run, teller.time.0, teller.origin);
        }
    }

    /// The space that a point is of: the cursor's, or looked for, or new.
    #[inline]
    fn space(&mut self, cursor: &mut Cursor, teller: &Teller<'_>, name: &'static str) -> Option<u32> {
        if let Some(known) = cursor.spaces.get(cursor.at).filter(|known| known.is_of(teller, name)) {
            return Some(known.at);
        }
        let next = cursor.at.wrapping_add(1);
        let next = if next < cursor.spaces.len() { next } else { 0 };
        if let Some(known) = cursor.spaces.get(next).filter(|known| known.is_of(teller, name)) {
            cursor.at = next;
            return Some(known.at);
        }
        if let Some(index) = cursor.spaces.iter().position(|known| known.is_of(teller, name)) {
            cursor.at = index;
            return cursor.spaces.get(index).map(|known| known.at);
        }
        self.find_space(cursor, teller, name)
    }

    #[cold]
    fn find_space(&mut self, cursor: &mut Cursor, teller: &Teller<'_>, name: &'static str) -> Option<u32> {
        let Flow { scope, client, server, .. } = **teller.flow;
        let key = SpaceKey { scope, server: server.address, protocol: teller.protocol, unit: teller.unit, space: name };
        let place_of = (client.address, teller.writes, key);
        let at = match self.by_key.get(&place_of) {
            Some(at) => *at,
            None => {
                if !self.room(SLOT_ROOM.saturating_mul(2), 1) {
                    return None;
                }
                let at = u32::try_from(self.spaces.len()).ok()?;
                let now = teller.time.0;
                self.spaces.push(Space {
                    flow: Arc::clone(teller.flow),
                    key,
                    writes: teller.writes,
                    slots: Vec::new(),
                    blocks: Vec::new(),
                    next_slot: 0,
                    next_block: 0,
                    last: now,
                    resumed: now,
                });
                self.by_key.insert(place_of, at);
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
        cursor.spaces.push(Known { name, unit: teller.unit, writes: teller.writes, at });
        Some(at)
    }

    /// The slot of an address, made where there is room.
    fn find_slot(&mut self, at: u32, teller: &Teller<'_>, address: u32) -> Option<usize> {
        if let Some(index) = self.find(at, address, 0) {
            return Some(index);
        }
        if !self.room(SLOT_ROOM, 1) {
            return None;
        }
        let slots = &mut self.spaces.get_mut(place(at))?.slots;
        let index = slots.len();
        slots.push(Slot::new(address, teller.origin));
        self.note((at, address, 0, u32::try_from(index).unwrap_or(u32::MAX)));
        Some(index)
    }

    /// The block of a run, made where there is room.
    fn find_block(&mut self, at: u32, teller: &Teller<'_>, run: &Run<'_>) -> Option<usize> {
        if let Some(index) = self.find(at, run.first, run.count) {
            return Some(index);
        }
        if run.count == 0 || !self.room(Block::room(run), run.count.into()) {
            return None;
        }
        let blocks = &mut self.spaces.get_mut(place(at))?.blocks;
        let index = blocks.len();
        blocks.push(Block::new(run, teller.origin));
        self.note((at, run.first, run.count, u32::try_from(index).unwrap_or(u32::MAX)));
        Some(index)
    }

    fn find(&self, at: u32, first: u32, count: u32) -> Option<usize> {
        let hash = self.state.hash_one((at, first, count));
        let found = self.index.find(hash, |known| (known.0, known.1, known.2) == (at, first, count))?;
        usize::try_from(found.3).ok()
    }

    fn note(&mut self, new: Place) {
        let Self { index, state, .. } = self;
        let hash = |known: &Place| state.hash_one((known.0, known.1, known.2));
        index.insert_unique(hash(&new), new, hash);
    }

    /// Once a minute of packet time: which points are told no more, though others of their space are. A poll that ends is
    /// its client's choice, so it is about those that a device tells one by one.
    pub fn stale(&mut self, now: Timestamp, mut tell: impl FnMut(&Arc<Flow>, PointFact)) {
        let minute = now.0.checked_div(STALE_LEAST).unwrap_or(0);
        if minute == self.minute {
            return;
        }
        self.minute = minute;
        // A space that is silent itself is a silent channel, not a stale point.
        let in_sight = |space: &&mut Space| !space.writes && space.last.saturating_add(OUT_OF_SIGHT) >= now.0;
        for space in self.spaces.iter_mut().filter(in_sight) {
            for slot in &mut space.slots {
                if let Some((point, change)) = slot.turns_stale(now.0, space.resumed, space.key.space) {
                    tell(&space.flow, PointFact { unit: space.key.unit, point, change });
                }
            }
        }
    }

    /// Adds all points to `out`; what several clients see and write of one point becomes one.
    pub fn report(&self, out: &mut BTreeMap<(SpaceKey, u32), PointRecord>) {
        for space in &self.spaces {
            let client = space.flow.client.address;
            let mut add = |record: PointRecord| {
                merge(out, if space.writes { as_write(record, client) } else { record });
            };
            for slot in &space.slots {
                add(slot.record(space.key));
            }
            for block in &space.blocks {
                block.records(space.key, &mut add);
            }
        }
    }
}

/// What was kept of values that somebody wrote: they tell nothing of the point but who wrote it.
fn as_write(record: PointRecord, address: IpAddr) -> PointRecord {
    let writer = record.value.zip(record.last).map(|(value, last)| Writer {
        address,
        writes: record.updates,
        last,
        value,
        frame: record.latest,
    });
    PointRecord {
        value: None,
        quality: Quality::default(),
        device_time: None,
        last: None,
        range: None,
        updates: 0,
        changes: 0,
        period_ns: None,
        writers: writer.into_iter().collect(),
        ..record
    }
}

/// Puts what is known of one point together: the latest value, the widest range, all writers.
fn merge(out: &mut BTreeMap<(SpaceKey, u32), PointRecord>, new: PointRecord) {
    let old = match out.entry((new.key, new.address)) {
        Entry::Vacant(place) => {
            place.insert(new);
            return;
        }
        Entry::Occupied(place) => place.into_mut(),
    };
    if new.last > old.last {
        old.value = new.value;
        old.quality = new.quality;
        old.device_time = new.device_time;
        old.period_ns = new.period_ns;
        old.last = new.last;
    }
    old.first = old.first.min(new.first);
    old.latest = old.latest.max(new.latest);
    old.range = match (old.range, new.range) {
        (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
        (one, other) => one.or(other),
    };
    old.updates = old.updates.saturating_add(new.updates);
    old.changes = old.changes.saturating_add(new.changes);
    for writer in new.writers {
        if let Some(known) = old.writers.iter_mut().find(|known| known.address == writer.address) {
            let writes = known.writes.saturating_add(writer.writes);
            *known = if writer.last > known.last { writer } else { *known };
            known.writes = writes;
        } else if old.writers.len() < WRITERS_MAX {
            old.writers.push(writer);
        }
    }
    old.writers.sort_by_key(|writer| writer.address);
}

#[cfg(test)]
mod tests {
    use super::*;
    use yagura_parsers::message::Packing;
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
        Teller { flow, protocol: ProtocolId::Modbus, unit: 1, writes: false, time: Timestamp(seconds * SECOND), origin }
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
        let (mut points, mut cursor, flow) = (Points::new(1 << 20, 7), Cursor::default(), flow(5));
        for n in 0..10 {
            for address in [40, 41] {
                let value = register(address, n % 3 + u64::from(address));
                let told = points.point(&mut cursor, &teller(&flow, n * 2), &value);
                assert_eq!(told, if n == 0 { Told::New } else { Told::Known });
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
        let (mut points, mut cursor, hmi, stranger) = (Points::new(1 << 20, 7), Cursor::default(), flow(5), flow(66));
        points.point(&mut cursor, &teller(&hmi, 1), &register(40, 7));
        let mut other = Cursor::default();
        for at in 2..5 {
            points.point(&mut other, &Teller { writes: true, ..teller(&stranger, at) }, &register(40, 9_999));
        }
        let octets = [0, 1, 0, 2];
        let run = Run { space: "holding_register", first: 40, count: 2, packing: Packing::Words, octets: &octets };
        points.run(&mut cursor, &Teller { writes: true, ..teller(&hmi, 6) }, &run);
        let records = all(&points);
        assert_eq!(records.len(), 2);
        let writers: Vec<_> = records[0].writers.iter().map(|by| (by.writes, by.value, by.frame.frame)).collect();
        assert_eq!(writers, [(1, PointValue::Unsigned(1), 6), (3, PointValue::Unsigned(9_999), 4)]);
        assert_eq!((records[0].value, records[0].updates), (Some(PointValue::Unsigned(7)), 1));
        assert_eq!((records[1].value, records[1].updates), (None, 0), "written, and never told");
    }

    #[test]
    fn a_poll_keeps_each_of_its_points() {
        let (mut points, mut cursor, flow) = (Points::new(1 << 20, 7), Cursor::default(), flow(5));
        for n in 0..5_u8 {
            let octets = [0, 7, 1, n];
            let run = Run { space: "holding_register", first: 40, count: 2, packing: Packing::Words, octets: &octets };
            points.run(&mut cursor, &teller(&flow, u64::from(n) * 2), &run);
            let octets = [n & 1, 0];
            let run = Run { space: "coil", first: 0, count: 9, packing: Packing::Bits, octets: &octets };
            points.run(&mut cursor, &teller(&flow, u64::from(n) * 2), &run);
        }
        let records = all(&points);
        assert_eq!(records.len(), 11);
        let told = |record: &PointRecord| (record.updates, record.changes, record.range.unwrap());
        let of = |space, address| records.iter().find(|r| r.key.space == space && r.address == address).unwrap();
        assert_eq!(told(of("holding_register", 40)), (5, 0, (7.0, 7.0)));
        assert_eq!(told(of("holding_register", 41)), (5, 4, (256.0, 260.0)));
        assert_eq!(of("holding_register", 41).value, Some(PointValue::Unsigned(260)));
        assert_eq!((told(of("coil", 0)), told(of("coil", 8))), ((5, 4, (0.0, 1.0)), (5, 0, (0.0, 0.0))));
        assert_eq!(of("coil", 3).period_ns, Some(2 * SECOND));
    }

    #[test]
    fn quality_is_told_when_it_turns() {
        let (mut points, mut cursor, flow) = (Points::new(1 << 20, 7), Cursor::default(), flow(5));
        let mut tell =
            |at, quality| points.point(&mut cursor, &teller(&flow, at), &Point { quality, ..register(1, 1) });
        assert_eq!(tell(0, Quality::INVALID), Told::New, "it may always have been so");
        assert_eq!(tell(1, Quality::default()), Told::Changed(PointChange::TurnedGood));
        assert_eq!(tell(2, Quality::SUBSTITUTED), Told::Known);
        assert_eq!(tell(3, Quality::COMM_LOST), Told::Changed(PointChange::TurnedBad));
        assert_eq!(tell(4, Quality::INVALID), Told::Known);
    }

    #[test]
    fn a_point_that_is_told_no_more_is_stale_while_its_neighbours_go_on() {
        let run = |others: bool, even: bool| {
            let (mut points, mut cursor, flow) = (Points::new(1 << 20, 7), Cursor::default(), flow(5));
            let mut stale = Vec::new();
            for at in 0..400_u64 {
                let told = if even { at < 60 } else { at < 60 && at % 7 < 2 };
                if told {
                    points.point(&mut cursor, &teller(&flow, at), &register(1, 1));
                }
                if others {
                    points.point(&mut cursor, &teller(&flow, at), &register(2, 1));
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
        let (mut points, mut cursor, flow) = (Points::new(200_000, 7), Cursor::default(), flow(5));
        let tell = |points: &mut Points, cursor: &mut Cursor| {
            for address in 0..3_000 {
                points.point(cursor, &teller(&flow, 1), &register(address, 1));
            }
            all(points).len()
        };
        assert_eq!(tell(&mut points, &mut cursor), 254, "its space takes room too");
        points.heard(256 * 100);
        assert_eq!(tell(&mut points, &mut cursor), 554);
        points.heard(usize::MAX);
        assert_eq!(tell(&mut points, &mut cursor), 200_000 / 256 - 2);
        assert!(points.unkept > 0);
    }
}
