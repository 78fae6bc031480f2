//! Faults of the sensor itself, contained: a panic costs the flow that met it, and nobody else.

use super::Shard;
use super::hand::{At, Hand, add, protocol_index};
use crate::dispatch::Routed;
use crate::flow::{FlowKey, FlowState};
use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use yagura_parsers::protocols::ProtocolId;
use yagura_rules::facts::event::{EventKind, FaultFact, SensorFault};
use yagura_rules::facts::flow::Flow;
use yagura_rules::facts::time::Timestamp;

/// A flow that met a fault is not read for so long, in ns: a poisoned packet blinds nobody for ever.
const ASIDE_NS: u64 = 600_000_000_000;
/// Flows that a shard sets aside; the oldest goes first, and is read again.
const ASIDE_MAX: usize = 64;
/// So many faults of one protocol's reader within [`FAULTS_NS`], and it is used no more.
const FAULTS_MAX: usize = 10;
/// See [`FAULTS_MAX`], in ns.
const FAULTS_NS: u64 = 60_000_000_000;
/// Packets that a shard hands on with their octets.
pub(crate) const KEPT_MAX: usize = 16;

/// What a shard remembers of its faults.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Flows that are not read, and since when; the oldest first.
    aside: VecDeque<(FlowKey, Timestamp)>,
    /// When the latest faults of each protocol's reader were met.
    latest: BTreeMap<ProtocolId, VecDeque<Timestamp>>,
    /// Protocols that are read no more, a bit for each.
    disabled: u32,
    /// Packets handed on with their octets.
    kept: usize,
    /// Octets at which the reading is to fail: tests alone set them.
    trip: Option<Arc<[u8]>>,
}

impl Faults {
    /// Has the reading fail at these octets, for tests.
    pub(super) fn trip_over(&mut self, octets: Option<Arc<[u8]>>) {
        self.trip = octets;
    }

    /// Whether any flow is set aside.
    #[inline]
    pub(super) fn are_aside(&self) -> bool {
        !self.aside.is_empty()
    }

    /// Whether a protocol is read no more.
    #[inline]
    pub(super) fn is_disabled(&self, id: ProtocolId) -> bool {
        self.disabled != 0 && self.disabled >> protocol_index(id) & 1 == 1
    }

    /// Fails where a test wants it.
    #[inline]
    pub(super) fn trip(&self, octets: &[u8]) {
        if let Some(trip) = &self.trip {
            stumble(trip, octets);
        }
    }

    /// The clock was set back: nothing was met later than now.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        let latest = self.latest.values_mut().flatten();
        for time in latest.chain(self.aside.iter_mut().map(|(_, since)| since)) {
            *time = (*time).min(now);
        }
    }

    fn is_aside(&mut self, key: &FlowKey, now: Timestamp) -> bool {
        while self.aside.front().is_some_and(|(_, since)| now.since(*since) >= ASIDE_NS) {
            self.aside.pop_front();
        }
        self.aside.iter().any(|(aside, _)| aside == key)
    }

    fn set_aside(&mut self, key: FlowKey, now: Timestamp) {
        if self.aside.len() >= ASIDE_MAX {
            self.aside.pop_front();
        }
        self.aside.push_back((key, now));
    }

    /// Counts a fault of a protocol's reader. True where that was one too many.
    fn one_too_many(&mut self, id: ProtocolId, now: Timestamp) -> bool {
        let latest = self.latest.entry(id).or_default();
        latest.push_back(now);
        while latest.front().is_some_and(|first| now.since(*first) >= FAULTS_NS) {
            latest.pop_front();
        }
        let is_one = latest.len() >= FAULTS_MAX;
        if is_one {
            latest.clear();
            self.disabled |= 1_u32.checked_shl(u32::try_from(protocol_index(id)).unwrap_or(0)).unwrap_or(0);
        }
        is_one
    }
}

#[cold]
#[expect(clippy::panic, reason = "tests ask for it")]
fn stumble(trip: &[u8], octets: &[u8]) {
    if octets.windows(trip.len().max(1)).any(|octets| octets == trip) {
        panic!("the reading fails here, as a test wants it");
    }
}

impl Shard {
    /// Looks at a packet. `octets` are those that its headers were read from. A panic is contained: its flow is set
    /// aside, and all others go on as though it had not been there.
    #[inline]
    pub fn packet(&mut self, routed: &Routed, octets: &[u8]) {
        if self.hand.faults.are_aside() && self.is_aside(routed) {
            return;
        }
        // What a panic leaves behind half done is either thrown away with its flow, or counted anew.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.read(routed, octets))) {
            self.contain(routed, octets, &*panic);
        }
    }

    #[cold]
    fn is_aside(&mut self, routed: &Routed) -> bool {
        let Some((key, _)) = FlowKey::of(&routed.packet) else { return false };
        let is_aside = self.hand.faults.is_aside(&key, routed.now);
        if is_aside {
            self.hand.anomaly("flow_set_aside");
        }
        is_aside
    }

    #[cold]
    fn contain(&mut self, routed: &Routed, octets: &[u8], panic: &(dyn Any + Send)) {
        let at = &At::packet(routed);
        let mut flow = None;
        if let Some((key, _)) = FlowKey::of(&routed.packet) {
            flow = self.flows.find(&key).and_then(|index| self.flows.remove(index));
            self.hand.faults.set_aside(key, at.now);
        }
        self.recount();
        self.hand.fault(at, flow.as_ref().map(|flow| &flow.facts), panic, Some(octets));
        if let Some(flow) = flow {
            self.hand.emit(at, Some(flow.facts), EventKind::FlowClosed(Box::new(flow.summary)));
        }
    }

    /// Reads what is held of a flow that has ended; a panic costs what was not read yet.
    pub(super) fn read_held(&mut self, flow: &mut FlowState, at: &At) {
        let hand = &mut self.hand;
        let read = catch_unwind(AssertUnwindSafe(|| {
            for low in [true, false] {
                hand.skip_gaps(flow, at, low, true);
            }
        }));
        if let Err(panic) = read {
            flow.sides = Default::default();
            flow.speech = None;
            self.recount();
            self.hand.fault(at, Some(&flow.facts), &*panic, None);
        }
    }

    /// Counts what the streams hold, where nobody knows what was taken out of one.
    fn recount(&mut self) {
        self.hand.streams_octets = self.flows.iter().map(FlowState::octets_held).fold(0, usize::saturating_add);
    }
}

impl Hand {
    /// Counts a fault, tells of it, and turns a protocol's reader off where it was one too many.
    fn fault(&mut self, at: &At, flow: Option<&Arc<Flow>>, panic: &(dyn Any + Send), octets: Option<&[u8]>) {
        add(&mut self.counters.internal, 1);
        let id = flow.and_then(|flow| flow.protocol);
        let part = id.map_or("unidentified", ProtocolId::name);
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words");
        let octets = octets.filter(|_| self.faults.kept < KEPT_MAX);
        self.faults.kept = self.faults.kept.saturating_add(usize::from(octets.is_some()));
        let fact = FaultFact::new(SensorFault::Panic, part, text, octets);
        self.emit(at, flow.cloned(), EventKind::SensorFault(Box::new(fact)));
        let Some(id) = id.filter(|id| self.faults.one_too_many(*id, at.now)) else { return };
        let fact = FaultFact::new(SensorFault::Disabled, id.name(), "10 within a minute", None);
        self.emit(at, None, EventKind::SensorFault(Box::new(fact)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;
    use yagura_parsers::packet::Scope;
    use yagura_rules::facts::flow::{Endpoint, Transport};

    fn key(port: u16) -> FlowKey {
        let end = |last, port| Endpoint { address: IpAddr::from([10, 0, 0, last]), port };
        FlowKey::new(end(1, port), end(2, 502), Transport::Tcp, Scope::default()).0
    }

    #[test]
    fn flows_come_back_after_a_while_and_the_oldest_makes_room() {
        let mut faults = Faults::default();
        faults.set_aside(key(1), Timestamp(0));
        assert!(faults.are_aside() && faults.is_aside(&key(1), Timestamp(ASIDE_NS - 1)));
        assert!(!faults.is_aside(&key(2), Timestamp(1)));
        assert!(!faults.is_aside(&key(1), Timestamp(ASIDE_NS)) && !faults.are_aside());
        for port in 0..=64 {
            faults.set_aside(key(port), Timestamp(9));
        }
        assert!(!faults.is_aside(&key(0), Timestamp(9)) && faults.is_aside(&key(1), Timestamp(9)));
        faults.set_back(Timestamp(2));
        assert!(!faults.is_aside(&key(1), Timestamp(2 + ASIDE_NS)));
    }

    #[test]
    fn ten_faults_within_a_minute_disable_a_protocol_and_ten_within_two_do_not() {
        let (mut quick, mut slow) = (Faults::default(), Faults::default());
        let steps = (0..10).map(|n| quick.one_too_many(ProtocolId::Modbus, Timestamp(n * FAULTS_NS / 10)));
        assert_eq!(steps.filter(|one| *one).count(), 1);
        assert!(quick.is_disabled(ProtocolId::Modbus) && !quick.is_disabled(ProtocolId::Dnp3));
        assert!((0..10).all(|n| !slow.one_too_many(ProtocolId::Modbus, Timestamp(n * FAULTS_NS / 5))));
        assert!(!slow.is_disabled(ProtocolId::Modbus));
    }
}
