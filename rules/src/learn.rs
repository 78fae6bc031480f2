//! `Learner`: events to `Baseline`, within bounds.

use crate::baseline::{Conversation, Device, DeviceFact, NO_SPACE, OperationKey, Service, ValueKey, ValueRange};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, OperationFact, Stage};
use crate::facts::flow::{Flow, FlowSummary, Oriented, Transport};
use crate::norm::Verdict;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use yagura_parsers::message::{Point, PointValue, Verb};
use yagura_parsers::packet::link::MacAddr;

pub use crate::baseline::{Baseline, Change};

/// Unanswered datagrams that make a conversation: telemetry and logs that nobody answers, not a probe and its repeats.
const DATAGRAMS_MIN: u64 = 4;

/// What became of an operation so far.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    refused: bool,
    answered: bool,
}

/// Writes of an address that a range is learnt from: fewer say little of what is usual.
const WRITES_MIN: u32 = 8;

/// Spaces whose values are codes of commands: one that was never sent is no value out of range, but another command.
const COMMAND_SPACES: [&str; 4] = ["binary_output", "single_command", "double_command", "regulating_step_command"];

/// The least and greatest values written, and how often, by address.
type Written = BTreeMap<u32, (f64, f64, u32)>;

/// Learns what is usual.
///
/// It learns devices that were heard, conversations that were answered, operations (writes that were only refused are
/// none), the points that are reported, and the values written. It never learns dangerous operations, nor what the policy forbids. The default learner keeps
/// nothing.
#[derive(Debug, Clone, Default)]
pub struct Learner {
    facts_max: usize,
    facts: usize,
    dropped: u64,
    devices: BTreeMap<Device, Option<MacAddr>>,
    conversations: BTreeSet<Conversation>,
    operations: BTreeMap<OperationKey, BTreeMap<(u32, u32), Seen>>,
    /// Points that devices report, whatever code tells them: intervals by their first address, which neither touch nor
    /// overlap.
    reports: BTreeMap<OperationKey, BTreeMap<u32, u32>>,
    values: BTreeMap<ValueKey, Written>,
}

impl Learner {
    /// A learner that keeps at most `facts_max` facts.
    pub fn new(facts_max: usize) -> Self {
        Self { facts_max, ..Self::default() }
    }

    /// How many facts it has learnt: the curve that tells when learning may end. Adjacent addresses still count one by
    /// one.
    pub fn facts(&self) -> usize {
        self.facts
    }

    /// How often a fact was met that it had no room for.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Looks at one event.
    pub fn observe(&mut self, event: &Event) {
        let flow = event.flow.as_deref();
        match (&event.kind, flow) {
            (EventKind::AssetSeen(AssetKey::Ip(_, address)), _) => self.device(Device::Address(*address), None),
            (EventKind::AssetSeen(AssetKey::Mac(_, mac)), _) => self.device(Device::Mac(*mac), None),
            (EventKind::Sighting(sighting), _) => {
                if let (Some(address), Some(mac)) = (sighting.address, sighting.mac) {
                    self.device(Device::Address(address), Some(mac));
                }
            }
            // Where the ends are guessed, the end of the flow knows more.
            (EventKind::Identified, Some(flow)) if flow.oriented != Oriented::Guess => self.conversation(flow),
            (EventKind::FlowClosed(summary), Some(flow)) => self.closed(flow, summary),
            (EventKind::Operation(fact), Some(flow)) => self.operation(flow, fact),
            _ => {}
        }
    }

    /// What was learnt.
    pub fn into_baseline(self) -> Baseline {
        let mut baseline = Baseline::default();
        for (device, mac) in self.devices {
            baseline.devices.insert(device, DeviceFact { mac, roles: BTreeSet::new() });
        }
        for conversation in &self.conversations {
            if let Service::Protocol(protocol) = conversation.service {
                for (address, role) in [(conversation.client, "client"), (conversation.server, "server")] {
                    if let Some(device) = baseline.devices.get_mut(&Device::Address(address)) {
                        device.roles.insert(format!("{}_{role}", protocol.name()));
                    }
                }
            }
        }
        baseline.conversations = self.conversations;
        for (key, intervals) in self.operations {
            let kept: Vec<(u32, u32)> = intervals
                .into_iter()
                // A read that is always refused is an old habit; a write that is always refused is an attempt.
                .filter(|(_, seen)| seen.answered || !seen.refused || !key.verb.changes_process())
                .map(|(interval, _)| interval)
                .collect();
            if !kept.is_empty() {
                baseline.operations.insert(key, kept);
            }
        }
        for (key, intervals) in self.reports {
            baseline.operations.insert(key, intervals.into_iter().collect());
        }
        for (key, written) in self.values {
            let often = written.into_iter().filter(|(_, (.., times))| *times >= WRITES_MIN);
            let ranges: Vec<_> = often.map(|(address, (min, max, _))| widened(address, min, max)).collect();
            if !ranges.is_empty() {
                baseline.values.insert(key, ranges);
            }
        }
        baseline.settle();
        baseline.condense();
        baseline
    }

    /// Whether there is room for one more fact; counts it, or counts that there was none.
    fn room(&mut self) -> bool {
        let room = self.facts < self.facts_max;
        if room {
            self.facts = self.facts.saturating_add(1);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
        room
    }

    fn device(&mut self, device: Device, mac: Option<MacAddr>) {
        let own = match device {
            Device::Address(address) => is_own(address),
            Device::Mac(mac) => !mac.is_group() && !mac.is_zero(),
        };
        if !own {
            return;
        }
        let mac = mac.filter(|mac| !mac.is_group() && !mac.is_zero());
        if let Some(known) = self.devices.get_mut(&device) {
            // The first counts: a later one may be an impostor's.
            *known = known.or(mac);
        } else if self.room() {
            self.devices.insert(device, mac);
        }
    }

    fn conversation(&mut self, flow: &Flow) {
        let conversation =
            Conversation { client: flow.client.address, server: flow.server.address, service: Service::of(flow) };
        if !self.conversations.contains(&conversation) && self.room() {
            self.conversations.insert(conversation);
        }
    }

    fn closed(&mut self, flow: &Flow, summary: &FlowSummary) {
        let [to_server, to_client] = summary.frames;
        for (frames, end, mac) in [(to_server, flow.client, flow.client_mac), (to_client, flow.server, flow.server_mac)]
        {
            if frames > 0 {
                self.device(Device::Address(end.address), mac);
            }
        }
        let heard = match flow.transport {
            // Data is sent only where the connection was accepted, if the answers are seen or not.
            Transport::Tcp => summary.handshake || summary.octets != [0, 0],
            Transport::Udp | Transport::Ip(_) => {
                to_client > 0 || !is_own(flow.server.address) || to_server >= DATAGRAMS_MIN
            }
            Transport::Icmp => to_client > 0 && to_server > 0,
        };
        if heard || flow.protocol.is_some() {
            self.conversation(flow);
        }
    }

    fn operation(&mut self, flow: &Flow, fact: &OperationFact) {
        let operation = fact.operation;
        let Some(protocol) = flow.protocol else { return };
        if operation.verb.is_dangerous() || matches!(fact.verdict, Verdict::Forbidden(_)) {
            return;
        }
        let is_report = operation.verb == Verb::Report;
        let key = OperationKey {
            client: flow.client.address,
            server: flow.server.address,
            protocol,
            unit: operation.unit,
            verb: operation.verb,
            // A point is the same whether it is asked for or reports a change, with or without its time.
            code: (!is_report).then_some((operation.code, operation.sub)),
            space: Some(Cow::Borrowed(operation.target.map_or(NO_SPACE, |target| target.space))),
        };
        let interval = operation.target.map_or(crate::baseline::ALL_ADDRESSES, |target| (target.first, target.last()));
        if is_report {
            self.report(key, interval);
            return;
        }
        let known = self.operations.get(&key).is_some_and(|intervals| intervals.contains_key(&interval));
        if known || self.room() {
            let seen = self.operations.entry(key).or_default().entry(interval).or_default();
            match fact.stage {
                Stage::Requested => {}
                Stage::Answered | Stage::Unasked | Stage::Reported => seen.answered = true,
                Stage::Refused => seen.refused = true,
            }
        }
        if fact.stage == Stage::Requested && operation.verb.changes_process() {
            // A bit has two values, and the other one is no news.
            let is_number =
                |point: &&Point| !matches!(point.value, PointValue::Bit(_)) && !COMMAND_SPACES.contains(&point.space);
            for point in fact.points.iter().filter(is_number) {
                let key = ValueKey {
                    server: flow.server.address,
                    protocol: Some(protocol),
                    unit: operation.unit,
                    space: Cow::Borrowed(point.space),
                };
                self.value(key, point.address, point.value.number());
            }
        }
    }

    /// Points that are told. Events tell them one by one in any order: what touches is joined at once, so that they take no
    /// more room than they have gaps.
    fn report(&mut self, key: OperationKey, (first, last): (u32, u32)) {
        let known = self.reports.get(&key);
        let touching = |intervals: &BTreeMap<u32, u32>| {
            let mut before = intervals.range(..=last.saturating_add(1));
            before.next_back().filter(|(_, end)| end.saturating_add(1) >= first).map(|(start, end)| (*start, *end))
        };
        if known.and_then(touching).is_some_and(|(start, end)| start <= first && last <= end) {
            return;
        }
        if known.and_then(touching).is_none() && !self.room() {
            return;
        }
        let intervals = self.reports.entry(key).or_default();
        let (mut first_joined, mut last_joined) = (first, last);
        let mut joined = 0_usize;
        while let Some((start, end)) = touching(intervals) {
            intervals.remove(&start);
            (first_joined, last_joined) = (first_joined.min(start), last_joined.max(end));
            joined = joined.saturating_add(1);
        }
        intervals.insert(first_joined, last_joined);
        // One place was there or was taken; the others are free again.
        self.facts = self.facts.saturating_sub(joined.saturating_sub(1));
    }

    fn value(&mut self, key: ValueKey, address: u32, value: f64) {
        if !value.is_finite() {
            return;
        }
        let known = self.values.get_mut(&key).and_then(|written| written.get_mut(&address));
        if let Some((min, max, times)) = known {
            (*min, *max) = (min.min(value), max.max(value));
            *times = times.saturating_add(1);
        } else if self.room() {
            self.values.entry(key).or_default().insert(address, (value, value, 1));
        }
    }
}

/// The range of an address whose values were seen between two extremes: half as wide again on each side, since a sample
/// seldom holds the extremes of what it is of. A value that never changed may not change.
fn widened(address: u32, min: f64, max: f64) -> ValueRange {
    let margin = ((max - min) / 2.0).ceil();
    let least = if min >= 0.0 { (min - margin).max(0.0) } else { min - margin };
    ValueRange { first: address, last: address, min: least, max: max + margin }
}

/// Whether an address is one device's own.
fn is_own(address: IpAddr) -> bool {
    !address.is_multicast() && !address.is_unspecified() && address != IpAddr::V4(Ipv4Addr::BROADCAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::{EventId, FrameRef, Sighting};
    use crate::facts::flow::{Endpoint, FlowId};
    use crate::facts::time::Timestamp;
    use crate::norm::Basis;
    use std::sync::Arc;
    use yagura_parsers::dissect::Direction;
    use yagura_parsers::message::{Operation, Target};
    use yagura_parsers::packet::Scope;
    use yagura_parsers::protocols::ProtocolId;

    const MAC_A: MacAddr = MacAddr([0, 0, 0, 0, 0, 0xa]);
    const MAC_B: MacAddr = MacAddr([0, 0, 0, 0, 0, 0xb]);

    fn flow(protocol: Option<ProtocolId>) -> Flow {
        let end = |last, port| Endpoint { address: IpAddr::from([10, 0, 0, last]), port };
        Flow {
            id: FlowId(1),
            first: FrameRef { capture: 0, frame: 1 },
            opened: Timestamp(0),
            transport: Transport::Tcp,
            client: end(1, 50_000),
            server: end(9, 502),
            oriented: Oriented::Handshake,
            client_mac: Some(MAC_A),
            server_mac: Some(MAC_B),
            scope: Scope::default(),
            protocol,
            dialect: "",
        }
    }

    fn event(flow: Option<Flow>, kind: EventKind) -> Event {
        let id = EventId { frame: 1, ordinal: 0 };
        Event { id, origin: FrameRef { capture: 0, frame: 1 }, time: Timestamp(0), flow: flow.map(Arc::new), kind }
    }

    fn summary(frames: [u64; 2], octets: [u64; 2], handshake: bool) -> EventKind {
        EventKind::FlowClosed(Box::new(FlowSummary { frames, octets, handshake, ..FlowSummary::default() }))
    }

    fn operation(verb: Verb, code: u16, first: u32, count: u32) -> Operation {
        let target = Some(Target { space: "holding_register", first, count });
        Operation { verb, code, sub: 0, unit: 1, target }
    }

    fn fact(operation: Operation, stage: Stage, points: &[(u32, f64)]) -> OperationFact {
        let point = |(address, value): &(u32, f64)| Point::bare("holding_register", *address, PointValue::Real(*value));
        OperationFact {
            operation,
            stage,
            verdict: Verdict::Unknown,
            refusal: None,
            direction: Direction::ToServer,
            request: None,
            outside: None,
            points: points.iter().map(point).collect(),
            fields: Box::default(),
        }
    }

    fn learn(events: impl IntoIterator<Item = Event>) -> Baseline {
        let mut learner = Learner::new(1000);
        for event in events {
            learner.observe(&event);
        }
        learner.into_baseline()
    }

    fn operations(facts: impl IntoIterator<Item = OperationFact>) -> Baseline {
        let modbus = || Some(flow(Some(ProtocolId::Modbus)));
        learn(facts.into_iter().map(|fact| event(modbus(), EventKind::Operation(Box::new(fact)))))
    }

    fn intervals(baseline: &Baseline) -> Vec<(u32, u32)> {
        baseline.operations.values().flatten().copied().collect()
    }

    #[test]
    fn what_is_learnt_reads_as_usual() {
        let modbus = flow(Some(ProtocolId::Modbus));
        let mut events = vec![
            event(Some(modbus.clone()), EventKind::Identified),
            event(None, EventKind::AssetSeen(AssetKey::Ip(Scope::default(), modbus.client.address))),
            event(None, EventKind::AssetSeen(AssetKey::Mac(Scope::default(), MacAddr([0, 0, 0, 0, 0, 0xc])))),
        ];
        for (first, count) in [(0, 10), (10, 10), (30, 1)] {
            let fact = fact(operation(Verb::Read, 3, first, count), Stage::Requested, &[]);
            events.push(event(Some(modbus.clone()), EventKind::Operation(Box::new(fact))));
        }
        let write = fact(operation(Verb::Write, 16, 5, 2), Stage::Requested, &[(5, 1.0), (6, 1.0)]);
        for _ in 0..WRITES_MIN {
            events.push(event(Some(modbus.clone()), EventKind::Operation(Box::new(write.clone()))));
        }
        events.push(event(Some(modbus), summary([5, 5], [50, 50], true)));
        let text = learn(events).to_toml();
        let (_, facts) = text.split_once("schema = 1\n").unwrap();
        assert_eq!(
            facts,
            r#"
assets = [
  { address = "10.0.0.1", mac = "00:00:00:00:00:0a", roles = ["modbus_client"] },
  { address = "10.0.0.9", mac = "00:00:00:00:00:0b", roles = ["modbus_server"] },
  { mac = "00:00:00:00:00:0c" },
]

conversations = [
  { client = "10.0.0.1", server = "10.0.0.9", protocol = "modbus" },
]

operations = [
  { client = "10.0.0.1", server = "10.0.0.9", protocol = "modbus", unit = 1, verb = "read", code = 3, space = "holding_register", first = 0, last = 19 },
  { client = "10.0.0.1", server = "10.0.0.9", protocol = "modbus", unit = 1, verb = "read", code = 3, space = "holding_register", first = 30, last = 30 },
  { client = "10.0.0.1", server = "10.0.0.9", protocol = "modbus", unit = 1, verb = "write", code = 16, space = "holding_register", first = 5, last = 6 },
]

values = [
  { server = "10.0.0.9", protocol = "modbus", unit = 1, space = "holding_register", first = 5, last = 6, min = 1, max = 1 },
]
"#
        );
        assert_eq!(Baseline::from_policy_text("b", &text).unwrap().to_toml(), text);
        let mut read = |_: &str| Ok(text.clone());
        let norm = crate::policy::Policy::load("b", &mut read, &[]).unwrap().norm;
        let modbus = flow(Some(ProtocolId::Modbus));
        let pair = norm.pair(&modbus);
        assert!(matches!(norm.conversation(pair, &modbus), Verdict::Usual(_)));
        assert!(matches!(
            norm.operation(pair, ProtocolId::Modbus, &operation(Verb::Read, 3, 5, 15)),
            Verdict::Usual(_)
        ));
        assert!(matches!(
            norm.operation(pair, ProtocolId::Modbus, &operation(Verb::Read, 3, 5, 16)),
            Verdict::Unusual(..)
        ));
    }

    #[test]
    fn writes_that_were_only_refused_are_not_learnt() {
        let write = |first| operation(Verb::Write, 6, first, 1);
        let baseline = operations([
            fact(write(1), Stage::Requested, &[]),
            fact(write(1), Stage::Refused, &[]),
            // Refused once, answered once.
            fact(write(3), Stage::Refused, &[]),
            fact(write(3), Stage::Answered, &[]),
            // Its answer is not seen: half a mirror.
            fact(write(5), Stage::Requested, &[]),
            // Its request is not seen.
            fact(write(7), Stage::Unasked, &[]),
            fact(operation(Verb::Write, 5, 1, 1), Stage::Refused, &[]),
        ]);
        assert_eq!(intervals(&baseline), [(3, 3), (5, 5), (7, 7)]);
        // A read that is always refused is an old habit of somebody's.
        let read = fact(operation(Verb::Read, 3, 9, 1), Stage::Refused, &[]);
        assert_eq!(intervals(&operations([read])), [(9, 9)]);
    }

    #[test]
    fn what_is_dangerous_or_forbidden_is_not_learnt() {
        for verb in Verb::ALL {
            let learnt = operations([fact(operation(verb, 1, 1, 1), Stage::Answered, &[])]);
            assert_eq!(learnt.operations.is_empty(), verb.is_dangerous(), "{verb:?}");
        }
        let mut forbidden = fact(operation(Verb::Write, 6, 1, 1), Stage::Requested, &[(1, 5.0)]);
        forbidden.verdict = Verdict::Forbidden(Basis::File(0));
        assert!(operations([forbidden]).is_empty());
    }

    #[test]
    fn an_operation_without_addresses_allows_none() {
        let bare = Operation { target: None, ..operation(Verb::Write, 16, 0, 0) };
        let text = operations([fact(bare, Stage::Requested, &[])]).to_toml();
        assert!(text.contains("verb = \"write\", code = 16, space = \"none\" }"), "{text}");
        let mut read = |_: &str| Ok(text.clone());
        let norm = crate::policy::Policy::load("b", &mut read, &[]).unwrap().norm;
        let pair = norm.pair(&flow(Some(ProtocolId::Modbus)));
        assert!(matches!(norm.operation(pair, ProtocolId::Modbus, &bare), Verdict::Usual(_)));
        assert!(matches!(
            norm.operation(pair, ProtocolId::Modbus, &operation(Verb::Write, 16, 0, 1)),
            Verdict::Unusual(..)
        ));
    }

    #[test]
    fn written_values_have_their_extremes() {
        let write = |points: &[(u32, f64)]| fact(operation(Verb::Write, 16, 0, 4), Stage::Requested, points);
        let baseline = operations([
            write(&[(0, 5.0), (1, 5.0), (2, 9.0), (3, f64::NAN)]),
            write(&[(2, 9.0), (2, 9.0), (2, 9.0), (2, 9.0), (2, 9.0), (2, 9.0), (2, 9.0), (4, 4.0), (4, 4.0)]),
            write(&[(0, 4.0), (0, 4.0), (0, 4.0), (0, 4.0), (0, 4.0), (0, 4.0)]),
            write(&[(1, 4.0), (1, 4.0), (1, 4.0), (1, 4.0), (1, 4.0), (1, 4.0)]),
            write(&[(0, -1.0), (1, -1.0), (9, f64::INFINITY)]),
            // What is read, and what an answer repeats, is not a written value.
            fact(operation(Verb::Read, 3, 0, 1), Stage::Requested, &[(0, 1000.0)]),
            fact(operation(Verb::Write, 16, 0, 1), Stage::Answered, &[(0, 1000.0)]),
        ]);
        let ranges: Vec<ValueRange> = baseline.values.values().flatten().copied().collect();
        assert_eq!(
            ranges,
            [
                ValueRange { first: 0, last: 1, min: -4.0, max: 8.0 },
                ValueRange { first: 2, last: 2, min: 9.0, max: 9.0 }
            ]
        );
    }

    #[test]
    fn conversations_are_learnt_once_they_are_answered() {
        let tcp = flow(None);
        let udp = || Flow { transport: Transport::Udp, ..flow(None) };
        let icmp = || Flow { transport: Transport::Icmp, ..flow(None) };
        let group = Endpoint { address: IpAddr::from([224, 0, 0, 251]), port: 5353 };
        for (flow, closed, learnt) in [
            (tcp.clone(), summary([3, 0], [0, 0], false), false),
            // Refused: a RST came back.
            (tcp.clone(), summary([1, 1], [0, 0], false), false),
            (tcp.clone(), summary([2, 1], [0, 0], true), true),
            // Half a mirror, in mid-stream.
            (tcp, summary([2, 0], [20, 0], false), true),
            (udp(), summary([1, 1], [20, 20], false), true),
            (udp(), summary([3, 0], [60, 0], false), false),
            (udp(), summary([4, 0], [80, 0], false), true),
            (Flow { server: group, ..udp() }, summary([1, 0], [20, 0], false), true),
            (icmp(), summary([1, 1], [8, 8], false), true),
            (icmp(), summary([9, 0], [72, 0], false), false),
        ] {
            let baseline = learn([event(Some(flow.clone()), closed.clone())]);
            assert_eq!(baseline.conversations.len(), usize::from(learnt), "{:?} {closed:?}", flow.transport);
        }
    }

    #[test]
    fn a_guessed_direction_waits_for_the_end() {
        let guessed = Flow { oriented: Oriented::Guess, ..flow(Some(ProtocolId::Modbus)) };
        assert!(learn([event(Some(guessed.clone()), EventKind::Identified)]).is_empty());
        assert_eq!(learn([event(Some(guessed), summary([1, 0], [9, 0], false))]).conversations.len(), 1);
        assert_eq!(learn([event(Some(flow(Some(ProtocolId::Modbus))), EventKind::Identified)]).conversations.len(), 1);
    }

    #[test]
    fn devices_are_those_that_talked() {
        let baseline = learn([event(Some(flow(None)), summary([1, 0], [0, 0], false))]);
        assert_eq!(baseline.devices.len(), 1, "the silent end is no device");
        let sighting = |last, mac| {
            let address = Some(IpAddr::from([10, 0, 0, last]));
            let sighting = Sighting {
                scope: Scope::default(),
                source: "arp",
                mac: Some(mac),
                address,
                claim: None,
                asks_for: None,
                answers: true,
            };
            event(None, EventKind::Sighting(Box::new(sighting)))
        };
        let baseline = learn([sighting(5, MAC_A), sighting(5, MAC_B), sighting(6, MacAddr([0xff; 6]))]);
        assert_eq!(
            baseline.devices[&Device::Address(IpAddr::from([10, 0, 0, 5]))].mac,
            Some(MAC_A),
            "the first counts"
        );
        assert_eq!(baseline.devices[&Device::Address(IpAddr::from([10, 0, 0, 6]))].mac, None);
        let none = event(None, EventKind::AssetSeen(AssetKey::Ip(Scope::default(), IpAddr::from([0, 0, 0, 0]))));
        assert!(learn([none]).is_empty());
    }

    fn reported(code: u16, first: u32, count: u32) -> OperationFact {
        fact(operation(Verb::Report, code, first, count), Stage::Reported, &[])
    }

    #[test]
    fn reported_points_are_learnt_whatever_tells_them() {
        let baseline = operations([reported(129, 5, 1), reported(130, 3, 1), reported(1, 4, 1), reported(2, 9, 2)]);
        assert_eq!(intervals(&baseline), [(3, 5), (9, 10)]);
        let text = baseline.to_toml();
        assert!(text.contains("verb = \"report\", space = \"holding_register\", first = 3, last = 5 }"), "{text}");
        assert_eq!(Baseline::from_policy_text("b", &text).unwrap(), baseline);
        let mut read = |_: &str| Ok(text.clone());
        let norm = crate::policy::Policy::load("b", &mut read, &[]).unwrap().norm;
        let pair = norm.pair(&flow(Some(ProtocolId::Modbus)));
        let said =
            |code, first, count| norm.operation(pair, ProtocolId::Modbus, &operation(Verb::Report, code, first, count));
        assert!(matches!(said(77, 3, 3), Verdict::Usual(_)), "another code is no news");
        assert!(matches!(said(129, 6, 1), Verdict::Unusual(crate::norm::Novelty::Addresses, _)));
        assert!(matches!(said(129, 5, 5), Verdict::Unusual(..)), "across a gap");
    }

    #[test]
    fn reported_points_take_room_by_their_gaps() {
        let mut learner = Learner::new(4);
        let mut tell = |first, count| {
            let kind = EventKind::Operation(Box::new(reported(129, first, count)));
            learner.observe(&event(Some(flow(Some(ProtocolId::Modbus))), kind));
            (learner.facts(), learner.dropped())
        };
        assert_eq!(tell(10, 1), (1, 0));
        assert_eq!(tell(20, 1), (2, 0));
        assert_eq!(tell(11, 2), (2, 0), "it touches");
        assert_eq!(tell(9, 1), (2, 0));
        assert_eq!(tell(30, 5), (3, 0));
        assert_eq!(tell(31, 2), (3, 0), "it is inside");
        assert_eq!(tell(u32::MAX, 1), (4, 0));
        assert_eq!(tell(40, 1), (4, 1), "no room");
        assert_eq!(tell(12, 10), (3, 1), "two become one");
        assert_eq!(tell(0, 100), (2, 1), "which swallows the others");
        assert_eq!(intervals(&learner.into_baseline()), [(0, 99), (u32::MAX, u32::MAX)]);
    }

    #[test]
    fn reported_points_are_condensed_to_be_read() {
        let baseline = operations((0..500).map(|n| reported(129, n * 3, 1)));
        let intervals = intervals(&baseline);
        assert!(intervals.len() <= 64, "{}", intervals.len());
        assert_eq!((intervals.first().unwrap().0, intervals.last().unwrap().1), (0, 499 * 3));
    }

    #[test]
    fn set_points_have_ranges_and_codes_of_commands_have_none() {
        let control = |space: &'static str, value| {
            let target = Some(Target { space, first: 7, count: 1 });
            let mut fact = fact(Operation { target, ..operation(Verb::Control, 41, 7, 1) }, Stage::Requested, &[]);
            fact.points = [Point::bare(space, 7, value)].into();
            fact
        };
        let mut facts = Vec::new();
        for _ in 0..WRITES_MIN {
            facts.push(control("analog_output", PointValue::Signed(-40)));
            facts.push(control("set_point", PointValue::Real(2.5)));
            for space in COMMAND_SPACES {
                facts.push(control(space, PointValue::Unsigned(3)));
            }
        }
        let baseline = operations(facts);
        let spaces: Vec<&str> = baseline.values.keys().map(|key| &*key.space).collect();
        assert_eq!(spaces, ["analog_output", "set_point"]);
    }

    #[test]
    fn facts_are_bounded_and_counted() {
        let mut learner = Learner::new(2);
        let read = |first| {
            let fact = fact(operation(Verb::Read, 3, first, 1), Stage::Requested, &[]);
            event(Some(flow(Some(ProtocolId::Modbus))), EventKind::Operation(Box::new(fact)))
        };
        for first in [0, 5, 0, 5] {
            learner.observe(&read(first));
        }
        assert_eq!((learner.facts(), learner.dropped()), (2, 0));
        learner.observe(&read(9));
        learner.observe(&event(Some(flow(Some(ProtocolId::Modbus))), EventKind::Identified));
        assert_eq!((learner.facts(), learner.dropped()), (2, 2));
        assert_eq!(intervals(&learner.into_baseline()), [(0, 0), (5, 5)]);
        let mut nothing = Learner::default();
        nothing.observe(&read(0));
        assert!(nothing.into_baseline().is_empty());
    }
}
