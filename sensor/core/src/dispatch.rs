//! `Dispatcher`: frame number, headers, fragments, mirror copies, ticks, and which shard a packet belongs to.

use crate::clock::{PacketClock, Step};
use crate::counters::Counters;
use crate::defrag::{Defragmenter, Outcome};
use crate::draft::{Draft, Moment, phase};
use crate::duplicates::Duplicates;
use crate::frame::{FrameBatch, FrameHead};
use crate::limits::Limits;
use crate::trace::Note;
use std::collections::BTreeMap;
use std::net::IpAddr;
use yagura_parsers::packet::decode::{decode, decode_datagram};
use yagura_parsers::packet::{Anomalies, Carrier, DEPTH_MAX, Network, Packet, Transport};
use yagura_rules::facts::event::{CaptureFact, CaptureState, EventKind, FrameRef};
use yagura_rules::facts::time::Timestamp;

/// Shards, whatever the number of threads: a flow's shard depends on its addresses alone.
pub const SHARDS: usize = 16;

/// Where the octets of a packet lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In the batch's frame of this index.
    Frame(u32),
    /// In the datagram of this index, that was put together from fragments.
    Datagram(u32),
}

/// A packet on its way to its shard.
#[derive(Debug, Clone, Copy)]
pub struct Routed {
    /// Number of the frame in the timeline, from 1.
    pub number: u64,
    /// The frame in its capture.
    pub origin: FrameRef,
    /// The frame's own time.
    pub time: Timestamp,
    /// The clock's time: never before that of an earlier frame.
    pub now: Timestamp,
    /// Its headers.
    pub packet: Packet,
    /// Its shard.
    pub shard: u8,
}

/// The octets that a packet's headers were read from.
#[derive(Debug)]
pub enum Octets<'a> {
    /// Those of the batch's frame of this index.
    Frame(u32, &'a [u8]),
    /// A datagram that was put together from fragments.
    Datagram(Vec<u8>),
}

/// Who takes what the dispatcher has looked at, in order.
pub trait Receiver {
    /// A packet.
    fn packet(&mut self, routed: &Routed, octets: Octets<'_>);
    /// A second has begun: just before a frame, or after it, on a silent wire.
    fn tick(&mut self, moment: &Moment);
    /// Something that was met on the way, or that the app tells.
    fn fact(&mut self, moment: &Moment, kind: EventKind);
}

/// What the shards get, in order.
#[derive(Debug)]
pub enum Item {
    /// A second has begun: just before a frame, or after it, on a silent wire.
    Tick(Moment),
    /// A packet, and where its octets lie.
    Packet(Routed, Source),
    /// Something that was met on the way, or that the app tells.
    Fact(Moment, EventKind),
}

impl Item {
    /// What the judge hears of it: a tick after all that the shards do at it, a fact before its frame's packet.
    pub fn draft(&self) -> Option<Draft> {
        match self {
            Self::Tick(moment) => Some(Draft::tick(moment)),
            Self::Fact(moment, kind) => Some(Draft::fact(moment, kind.clone())),
            Self::Packet(..) => None,
        }
    }
}

/// A batch, routed.
#[derive(Debug, Default)]
pub struct RoutedBatch {
    /// What the shards get.
    pub items: Vec<Item>,
    /// Datagrams that were put together from fragments.
    pub datagrams: Vec<Vec<u8>>,
}

impl RoutedBatch {
    /// Empties it, and keeps its room.
    pub fn clear(&mut self) {
        self.items.clear();
        self.datagrams.clear();
    }

    /// The octets that a packet's headers were read from, in the batch that was routed.
    pub fn octets<'a>(&'a self, batch: &'a FrameBatch, source: Source) -> &'a [u8] {
        match source {
            Source::Frame(index) => usize::try_from(index)
                .ok()
                .and_then(|index| batch.frames.get(index))
                .map_or(&[], |head| batch.octets_of(head)),
            Source::Datagram(index) => {
                usize::try_from(index).ok().and_then(|index| self.datagrams.get(index)).map_or(&[], Vec::as_slice)
            }
        }
    }
}

impl Receiver for RoutedBatch {
    #[inline]
    fn packet(&mut self, routed: &Routed, octets: Octets<'_>) {
        let source = match octets {
            Octets::Frame(index, _) => Source::Frame(index),
            Octets::Datagram(octets) => {
                let index = u32::try_from(self.datagrams.len()).unwrap_or(u32::MAX);
                self.datagrams.push(octets);
                Source::Datagram(index)
            }
        };
        self.items.push(Item::Packet(*routed, source));
    }

    fn tick(&mut self, moment: &Moment) {
        self.items.push(Item::Tick(*moment));
    }

    fn fact(&mut self, moment: &Moment, kind: EventKind) {
        self.items.push(Item::Fact(*moment, kind));
    }
}

#[derive(Debug, Default)]
struct Carried {
    ipv4: u64,
    ipv6: u64,
    tcp: u64,
    udp: u64,
    icmp: u64,
    arp: u64,
    lldp: u64,
    other: u64,
    undecoded: u64,
    fragments: u64,
    tunnelled: u64,
}

/// A wire that is silent for longer than this may have said what nobody heard, in ns.
const PAUSE_NS: u64 = 30_000_000_000;

/// The first hand on a frame. Everything that depends on the order of frames is here or in the judge.
#[derive(Debug)]
pub struct Dispatcher {
    clock: PacketClock,
    defrag: Defragmenter,
    duplicates: Duplicates,
    /// Frames so far.
    number: u64,
    /// The last frame.
    last: FrameRef,
    /// When a frame came last, to the second.
    heard: Timestamp,
    /// Since when frames have come without a long pause.
    heard_since: Timestamp,
    octets: u64,
    captured_octets: u64,
    carried: Carried,
    ethertypes: BTreeMap<u16, u64>,
    anomalies: BTreeMap<&'static str, u64>,
    truncated: u64,
    join_vlans: bool,
    watch: Option<u64>,
    evicted_told: u64,
    /// Steps of the frame that is watched.
    pub notes: Vec<Note>,
}

impl Dispatcher {
    /// A dispatcher that has seen nothing. `join_vlans`: VLAN tags do not tell devices apart.
    pub fn new(limits: &Limits, seed: u64, join_vlans: bool, watch: Option<u64>) -> Self {
        Self {
            clock: PacketClock::default(),
            defrag: Defragmenter::new(limits),
            duplicates: Duplicates::new(limits, seed),
            number: 0,
            last: FrameRef { capture: 0, frame: 0 },
            heard: Timestamp(0),
            heard_since: Timestamp(0),
            octets: 0,
            captured_octets: 0,
            carried: Carried::default(),
            ethertypes: BTreeMap::new(),
            anomalies: BTreeMap::new(),
            truncated: 0,
            join_vlans,
            watch,
            evicted_told: 0,
            notes: Vec::new(),
        }
    }

    /// Number of the last frame.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The last frame.
    pub fn last(&self) -> FrameRef {
        self.last
    }

    /// The clock's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock on a silent wire, after the last frame.
    pub fn heartbeat(&mut self, now: Timestamp, to: &mut impl Receiver) {
        match self.clock.advance(now) {
            Step::Within => {}
            step => self.tick(step, self.last, phase::AFTER, to),
        }
    }

    /// Takes a fact of the app's, after the last frame.
    pub fn tell(&mut self, kind: EventKind, to: &mut impl Receiver) {
        to.fact(&self.moment(phase::AFTER, self.last, self.clock.now()), kind);
    }

    fn moment(&self, phase: u8, origin: FrameRef, time: Timestamp) -> Moment {
        Moment { number: self.number, phase, origin, time, heard_since: self.heard_since, set_back: false }
    }

    /// Reads the headers of a batch's frames, and hands each on.
    pub fn route(&mut self, batch: &FrameBatch, to: &mut impl Receiver) {
        for (index, head) in batch.frames.iter().enumerate() {
            self.frame(head, u32::try_from(index).unwrap_or(u32::MAX), batch.octets_of(head), to);
        }
        if let Some(last) = batch.frames.last() {
            self.last = last.origin;
        }
    }

    #[inline]
    fn frame(&mut self, head: &FrameHead, index: u32, octets: &[u8], to: &mut impl Receiver) {
        self.number = self.number.saturating_add(1);
        self.octets = self.octets.saturating_add(u64::from(head.wire_octets));
        self.captured_octets = self.captured_octets.saturating_add(u64::from(head.captured_octets));
        if head.captured_octets < head.wire_octets {
            self.truncated = self.truncated.saturating_add(1);
        }
        match self.clock.advance(head.time) {
            Step::Within => {}
            step => self.tick(step, head.origin, phase::TICK, to),
        }
        let mut routed = Routed {
            number: self.number,
            origin: head.origin,
            time: head.time,
            now: self.clock.now(),
            packet: decode(Carrier { link: head.link, wire_octets: head.wire_octets }, octets),
            shard: 0,
        };
        self.count(&routed.packet);
        if self.join_vlans {
            routed.packet.scope.tags = Default::default();
        }
        let watched = self.watch == Some(routed.number);
        if watched {
            self.notes.push(Note::Headers(Box::new(routed.packet)));
        }
        if self.duplicates.is_copy(routed.number, routed.time, &routed.packet, routed.packet.payload(octets)) {
            if watched {
                self.notes.push(Note::Duplicate);
            }
            return;
        }
        if is_fragment(&routed.packet) {
            self.fragment(routed, octets, to);
            return;
        }
        routed.shard = shard_of(&routed.packet);
        to.packet(&routed, Octets::Frame(index, octets));
    }

    fn tick(&mut self, step: Step, origin: FrameRef, phase: u8, to: &mut impl Receiver) {
        let now = self.clock.now();
        let set_back = matches!(step, Step::Back(_));
        if set_back || now.since(self.heard) > PAUSE_NS {
            self.heard_since = now;
        }
        if set_back || phase == phase::TICK {
            self.heard = now;
        }
        if set_back {
            self.defrag.set_back(now);
        }
        self.defrag.expire(now);
        let moment = Moment { set_back, ..self.moment(phase, origin, now) };
        to.tick(&moment);
        let after = Moment { phase: phase.max(phase::FACT), ..moment };
        if let Step::Back(by_ns) = step {
            let state = CaptureState::ClockSetBack { by_ns, frames: PacketClock::patience() };
            to.fact(&after, EventKind::CaptureState(Box::new(CaptureFact { capture: origin.capture, state })));
        }
        if self.defrag.evicted > self.evicted_told {
            self.evicted_told = self.defrag.evicted;
            to.fact(&after, EventKind::LimitReached("fragments_octets_max"));
        }
    }

    /// Fragments, and what they carry once they are together; a datagram may hold a fragment again (in a tunnel), so this
    /// goes round until it does not, at most as deep as headers may nest.
    #[cold]
    fn fragment(&mut self, mut routed: Routed, octets: &[u8], to: &mut impl Receiver) {
        let watched = self.watch == Some(routed.number);
        let mut held: Vec<u8> = routed.packet.payload(octets).to_vec();
        for _ in 0..=DEPTH_MAX {
            let Network::Ip(ip, _) = routed.packet.network else { break };
            let Some(fragment) = ip.fragment else { break };
            let (outcome, conflict) =
                self.defrag.take(routed.number, routed.now, routed.packet.scope, &ip, fragment, &held);
            if conflict {
                let kind = EventKind::FragmentConflict { source: ip.source, destination: ip.destination };
                to.fact(&self.moment(phase::FACT, routed.origin, routed.time), kind);
                note(&mut self.anomalies, "fragment_conflict");
            }
            let Outcome::Whole(whole) = outcome else {
                if watched {
                    self.notes.push(Note::FragmentHeld);
                }
                return;
            };
            if watched {
                self.notes.push(Note::Reassembled { octets: u64::try_from(whole.len()).unwrap_or(u64::MAX) });
            }
            routed.packet = decode_datagram(&routed.packet, &whole);
            if is_fragment(&routed.packet) {
                held = routed.packet.payload(&whole).to_vec();
                continue;
            }
            routed.shard = shard_of(&routed.packet);
            if watched {
                self.notes.push(Note::Headers(Box::new(routed.packet)));
            }
            to.packet(&routed, Octets::Datagram(whole));
            return;
        }
        note(&mut self.anomalies, "nesting_depth");
    }

    #[inline]
    fn count(&mut self, packet: &Packet) {
        let carried = &mut self.carried;
        let slot = match &packet.network {
            Network::Ip(ip, transport) => {
                let family = if ip.source.is_ipv4() { &mut carried.ipv4 } else { &mut carried.ipv6 };
                *family = family.saturating_add(1);
                if ip.fragment.is_some() {
                    carried.fragments = carried.fragments.saturating_add(1);
                }
                match transport {
                    Transport::Tcp { .. } => &mut carried.tcp,
                    Transport::Udp { .. } => &mut carried.udp,
                    Transport::Icmp { .. } => &mut carried.icmp,
                    Transport::Other => &mut carried.other,
                }
            }
            Network::Arp(_) => &mut carried.arp,
            Network::Lldp => &mut carried.lldp,
            Network::Other(ethertype) => {
                if self.ethertypes.len() < 1_024 || self.ethertypes.contains_key(ethertype) {
                    let n = self.ethertypes.entry(*ethertype).or_default();
                    *n = n.saturating_add(1);
                }
                &mut carried.other
            }
            Network::Undecoded => &mut carried.undecoded,
        };
        *slot = slot.saturating_add(1);
        if packet.outer.is_some() {
            self.carried.tunnelled = self.carried.tunnelled.saturating_add(1);
        }
        if packet.anomalies.0 != 0 {
            for (mask, name) in Anomalies::NAMES {
                if packet.anomalies.has(mask) {
                    note(&mut self.anomalies, name);
                }
            }
        }
    }

    /// Adds what was counted.
    pub fn report(&self, counters: &mut Counters) {
        counters.frames = self.number;
        counters.octets = self.octets;
        counters.captured_octets = self.captured_octets;
        counters.truncated = self.truncated;
        counters.duplicates = self.duplicates.found;
        counters.time_reversals = self.clock.reversals;
        counters.ethertypes.clone_from(&self.ethertypes);
        let c = &self.carried;
        for (name, n) in [
            ("ipv4", c.ipv4),
            ("ipv6", c.ipv6),
            ("tcp", c.tcp),
            ("udp", c.udp),
            ("icmp", c.icmp),
            ("arp", c.arp),
            ("lldp", c.lldp),
            ("other", c.other),
            ("undecoded", c.undecoded),
            ("fragments", c.fragments),
            ("tunnelled", c.tunnelled),
        ] {
            if n > 0 {
                counters.carried.insert(name, n);
            }
        }
        let d = &self.defrag;
        for (name, n) in [("fragment_refused", d.refused), ("fragment_timeout", d.expired)] {
            if n > 0 {
                counters.anomalies.insert(name, n);
            }
        }
        if d.evicted > 0 {
            counters.limits.insert("fragments_octets_max", d.evicted);
        }
        for (name, n) in &self.anomalies {
            let total = counters.anomalies.entry(name).or_default();
            *total = total.saturating_add(*n);
        }
    }
}

#[inline]
fn is_fragment(packet: &Packet) -> bool {
    matches!(&packet.network, Network::Ip(ip, _) if ip.fragment.is_some())
}

fn note(anomalies: &mut BTreeMap<&'static str, u64>, name: &'static str) {
    let n = anomalies.entry(name).or_default();
    *n = n.saturating_add(1);
}

/// The shard of a packet: all that two addresses say to each other is in one. The rule is fixed, so that the number of
/// threads and the seed change nothing.
#[inline]
fn shard_of(packet: &Packet) -> u8 {
    let Network::Ip(ip, _) = &packet.network else { return 0 };
    let mixed = fold(ip.source) ^ fold(ip.destination);
    let hash = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60;
    u8::try_from(hash).unwrap_or(0)
}

#[inline]
fn fold(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => u64::from(v4.to_bits()).wrapping_mul(0xff51_afd7_ed55_8ccd),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            let high = u64::try_from(bits >> 64).unwrap_or(0);
            let low = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
            (high ^ low.rotate_left(31)).wrapping_mul(0xff51_afd7_ed55_8ccd)
        }
    }
}
