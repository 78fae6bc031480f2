//! `Baseline`: what is usual here, as facts; to sorted text, one fact a line, and back.

use crate::facts::flow::{Flow, Transport};
use crate::problem::{Problem, SourceFile};
use crate::site;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use yagura_parsers::message::Verb;
use yagura_parsers::packet::link::MacAddr;
use yagura_parsers::protocols::ProtocolId;

/// The space of an operation that names no addresses, in operator's files: `space = "none"`. No standard's space has
/// that name.
pub const NO_SPACE: &str = "none";
/// Runs of addresses, and of values, that learning writes for one kind of operation, or data space, of one unit.
const RUNS_MAX: usize = 64;

/// What is spoken: a protocol, or where none is known, the transport and its server port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// A protocol that the sensor reads.
    Protocol(ProtocolId),
    /// A TCP port.
    Tcp(u16),
    /// A UDP port.
    Udp(u16),
    /// ICMP or ICMPv6.
    Icmp,
    /// Another IP protocol, by its number.
    Ip(u8),
}

impl Service {
    /// What a flow speaks: its protocol, or its transport and server port while that is unknown.
    pub fn of(flow: &Flow) -> Self {
        flow.protocol.map_or_else(|| Self::of_transport(flow), Self::Protocol)
    }

    /// A flow's transport and server port.
    pub fn of_transport(flow: &Flow) -> Self {
        match flow.transport {
            Transport::Tcp => Self::Tcp(flow.server.port),
            Transport::Udp => Self::Udp(flow.server.port),
            Transport::Icmp => Self::Icmp,
            Transport::Ip(number) => Self::Ip(number),
        }
    }

    /// The service of a text: `modbus`, `tcp/443`, `udp/53`, `icmp`, `ip/47`.
    pub fn from_text(text: &str) -> Option<Self> {
        if let Some(protocol) = ProtocolId::ALL.iter().find(|protocol| protocol.name() == text) {
            return Some(Self::Protocol(*protocol));
        }
        match text.split_once('/') {
            Some(("tcp", port)) => decimal(port).map(Self::Tcp),
            Some(("udp", port)) => decimal(port).map(Self::Udp),
            Some(("ip", number)) => decimal(number).and_then(|number| u8::try_from(number).ok()).map(Self::Ip),
            None if text == "icmp" => Some(Self::Icmp),
            _ => None,
        }
    }

    /// Its order in files: by name, then number, so that a new protocol moves no line.
    fn order(self) -> (u8, &'static str, u16) {
        match self {
            Self::Protocol(protocol) => (0, protocol.name(), 0),
            Self::Tcp(port) => (1, "tcp", port),
            Self::Udp(port) => (2, "udp", port),
            Self::Icmp => (3, "icmp", 0),
            Self::Ip(number) => (4, "ip", u16::from(number)),
        }
    }
}

/// A number in digits alone: no sign, no leading zero.
fn decimal(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|octet| octet.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

impl Ord for Service {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Service {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(protocol) => f.write_str(protocol.name()),
            Self::Tcp(port) => write!(f, "tcp/{port}"),
            Self::Udp(port) => write!(f, "udp/{port}"),
            Self::Icmp => f.write_str("icmp"),
            Self::Ip(number) => write!(f, "ip/{number}"),
        }
    }
}

/// What a device is known by: its address, or its MAC address where it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Device {
    /// An IP address.
    Address(IpAddr),
    /// A MAC address.
    Mac(MacAddr),
}

/// What is usual of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceFact {
    /// The MAC address that its frames come from.
    pub mac: Option<MacAddr>,
    /// What it does: `modbus_client`, `modbus_server`.
    pub roles: BTreeSet<String>,
}

/// Who speaks what to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conversation {
    /// Who asks.
    pub client: IpAddr,
    /// Who answers.
    pub server: IpAddr,
    /// What is spoken.
    pub service: Service,
}

/// What is done, without the addresses that it is done to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationKey {
    /// Who asks.
    pub client: IpAddr,
    /// Who answers.
    pub server: IpAddr,
    /// The protocol.
    pub protocol: ProtocolId,
    /// The address behind the server.
    pub unit: u16,
    /// What is done.
    pub verb: Verb,
    /// Code and second code (0 where there is none); `None` for any.
    pub code: Option<(u16, u16)>,
    /// The data space; `None` for any, [`NO_SPACE`] for operations that name none.
    pub space: Option<Cow<'static, str>>,
}

/// Whose values are spoken of, without the addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueKey {
    /// Whose values.
    pub server: IpAddr,
    /// The protocol; `None` for any.
    pub protocol: Option<ProtocolId>,
    /// The address behind the server.
    pub unit: u16,
    /// The data space.
    pub space: Cow<'static, str>,
}

/// The values that some adjacent addresses take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueRange {
    /// The first address.
    pub first: u32,
    /// The last address.
    pub last: u32,
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
}

/// Every address of a space, where a line names none.
pub const ALL_ADDRESSES: (u32, u32) = (0, u32::MAX);

/// What became of a fact between two baselines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// Only the later one has it.
    Added,
    /// Only the earlier one has it.
    Removed,
}

/// What is usual, as facts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    pub(crate) devices: BTreeMap<Device, DeviceFact>,
    pub(crate) conversations: BTreeSet<Conversation>,
    /// Intervals of addresses: sorted, neither touching nor overlapping.
    pub(crate) operations: BTreeMap<OperationKey, Vec<(u32, u32)>>,
    /// Ranges: sorted, not overlapping; neighbours with equal values are one.
    pub(crate) values: BTreeMap<ValueKey, Vec<ValueRange>>,
}

impl Baseline {
    /// Reads facts from a text in the operator's language: what [`Baseline::to_toml`] wrote, perhaps edited since.
    ///
    /// # Errors
    ///
    /// What is wrong in the text, at most [`crate::problem::PROBLEMS_MAX`]. Whatever is no learnt fact (zones, named
    /// assets, settings) is an error too: it would be lost on the way back to a file.
    pub fn from_policy_text(name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        site::read_baseline(&SourceFile::new(name, text))
    }

    /// Adds the facts of another. Where both know a device's MAC address, this one's stays.
    pub fn merge(&mut self, other: Self) {
        for (device, fact) in other.devices {
            let mine = self.devices.entry(device).or_default();
            mine.mac = mine.mac.or(fact.mac);
            mine.roles.extend(fact.roles);
        }
        self.conversations.extend(other.conversations);
        for (key, intervals) in other.operations {
            self.operations.entry(key).or_default().extend(intervals);
        }
        for (key, ranges) in other.values {
            self.values.entry(key).or_default().extend(ranges);
        }
        self.settle();
    }

    /// Brings the facts into the one shape that they are written in.
    pub(crate) fn settle(&mut self) {
        for intervals in self.operations.values_mut() {
            merge_intervals(intervals);
        }
        for ranges in self.values.values_mut() {
            *ranges = merge_ranges(std::mem::take(ranges));
        }
        // A MAC address that carries several addresses of one family is a router's, and says nothing of the devices
        // behind.
        let mut carried: BTreeMap<(MacAddr, bool), u32> = BTreeMap::new();
        let family = |device: &Device| matches!(device, Device::Address(IpAddr::V6(_)));
        for (device, fact) in &self.devices {
            if let Some(mac) = fact.mac {
                let count = carried.entry((mac, family(device))).or_default();
                *count = count.saturating_add(1);
            }
        }
        for (device, fact) in &mut self.devices {
            if fact.mac.is_some_and(|mac| carried.get(&(mac, family(device))).is_some_and(|count| *count > 1)) {
                fact.mac = None;
            }
        }
    }

    /// Keeps the facts of each kind about one unit few enough to be read: beyond [`RUNS_MAX`], addresses that lie nearest
    /// become one run, with what lies between; of values, neighbours become one range with the extremes of both.
    pub(crate) fn condense(&mut self) {
        for intervals in self.operations.values_mut() {
            condense_intervals(intervals);
        }
        for ranges in self.values.values_mut() {
            let together = ranges.len().div_ceil(RUNS_MAX).max(1);
            *ranges = ranges.chunks(together).filter_map(hull).collect();
        }
    }

    /// How many facts there are: lines in the file.
    pub fn len(&self) -> usize {
        let operations: usize = self.operations.values().map(Vec::len).sum();
        let values: usize = self.values.values().map(Vec::len).sum();
        self.devices.len().saturating_add(self.conversations.len()).saturating_add(operations).saturating_add(values)
    }

    /// Whether there is no fact.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.conversations.is_empty() && self.operations.is_empty() && self.values.is_empty()
    }

    /// The text of the file: one fact a line, sorted; the same facts give the same octets.
    pub fn to_toml(&self) -> String {
        let mut text = String::from(
            "# What is usual here: one fact a line, sorted. Written by `yagura learn`, and meant to be read, edited and reviewed.\n\
             # The language is that of the site file, which names this file in `include`. Dangerous operations are never learnt.\n\
             schema = 1\n",
        );
        for (list, lines) in self.lines() {
            if lines.is_empty() {
                continue;
            }
            text.push_str(&format!("\n{list} = [\n"));
            for line in lines {
                text.push_str("  ");
                text.push_str(&line);
                text.push_str(",\n");
            }
            text.push_str("]\n");
        }
        text
    }

    /// What another has that this has not (added), and the other way about (removed), one fact each, in the file's
    /// order. An interval that grew is the old one removed and the new one added.
    pub fn diff(&self, other: &Self) -> Vec<(Change, String)> {
        let mut changes = Vec::new();
        for ((list, before), (_, after)) in self.lines().into_iter().zip(other.lines()) {
            let before_set: BTreeSet<&str> = before.iter().map(String::as_str).collect();
            let after_set: BTreeSet<&str> = after.iter().map(String::as_str).collect();
            let gone = before.iter().filter(|line| !after_set.contains(line.as_str()));
            let new = after.iter().filter(|line| !before_set.contains(line.as_str()));
            changes.extend(gone.map(|line| (Change::Removed, format!("{list} {line}"))));
            changes.extend(new.map(|line| (Change::Added, format!("{list} {line}"))));
        }
        changes
    }

    /// The facts as inline tables, list by list.
    fn lines(&self) -> [(&'static str, Vec<String>); 4] {
        let devices = self.devices.iter().map(|(device, fact)| {
            let mut line = Row::new();
            match device {
                Device::Address(address) => line.text("address", &address.to_string()),
                Device::Mac(mac) => line.text("mac", &mac.to_string()),
            }
            if let (Device::Address(_), Some(mac)) = (device, fact.mac) {
                line.text("mac", &mac.to_string());
            }
            if !fact.roles.is_empty() {
                let roles: Vec<String> = fact.roles.iter().map(|role| toml_string(role)).collect();
                line.plain("roles", format_args!("[{}]", roles.join(", ")));
            }
            line.end()
        });
        let conversations = self.conversations.iter().map(|conversation| {
            let mut line = Row::new();
            line.text("client", &conversation.client.to_string());
            line.text("server", &conversation.server.to_string());
            line.text("protocol", &conversation.service.to_string());
            line.end()
        });
        let operations = self.operations.iter().flat_map(|(key, intervals)| {
            intervals.iter().map(|(first, last)| {
                let mut line = Row::new();
                line.text("client", &key.client.to_string());
                line.text("server", &key.server.to_string());
                line.text("protocol", key.protocol.name());
                line.plain("unit", format_args!("{}", key.unit));
                line.text("verb", key.verb.name());
                if let Some((code, sub)) = key.code {
                    line.plain("code", format_args!("{code}"));
                    if sub != 0 {
                        line.plain("sub", format_args!("{sub}"));
                    }
                }
                if let Some(space) = &key.space {
                    line.text("space", space);
                }
                if (*first, *last) != ALL_ADDRESSES {
                    line.plain("first", format_args!("{first}"));
                    line.plain("last", format_args!("{last}"));
                }
                line.end()
            })
        });
        let values = self.values.iter().flat_map(|(key, ranges)| {
            ranges.iter().map(|range| {
                let mut line = Row::new();
                line.text("server", &key.server.to_string());
                if let Some(protocol) = key.protocol {
                    line.text("protocol", protocol.name());
                }
                line.plain("unit", format_args!("{}", key.unit));
                line.text("space", &key.space);
                line.plain("first", format_args!("{}", range.first));
                line.plain("last", format_args!("{}", range.last));
                line.plain("min", format_args!("{}", toml_number(range.min)));
                line.plain("max", format_args!("{}", toml_number(range.max)));
                line.end()
            })
        });
        [
            ("assets", devices.collect()),
            ("conversations", conversations.collect()),
            ("operations", operations.collect()),
            ("values", values.collect()),
        ]
    }
}

/// An inline table on its way to text.
struct Row(String);

impl Row {
    fn new() -> Self {
        Self(String::from("{ "))
    }

    fn plain(&mut self, key: &str, value: fmt::Arguments<'_>) {
        if self.0.len() > 2 {
            self.0.push_str(", ");
        }
        self.0.push_str(&format!("{key} = {value}"));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.plain(key, format_args!("{}", toml_string(value)));
    }

    fn end(mut self) -> String {
        self.0.push_str(" }");
        self.0
    }
}

/// A basic string of TOML.
fn toml_string(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A number of TOML: a whole one without a point, another one in its shortest form that reads back the same.
fn toml_number(value: f64) -> String {
    if value == 0.0 {
        return String::from("0");
    }
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value}") } else { format!("{value:?}") }
}

/// Joins the intervals with the narrowest gaps until [`RUNS_MAX`] are left. They are sorted and disjoint.
fn condense_intervals(intervals: &mut Vec<(u32, u32)>) {
    let gap = |before: &(u32, u32), after: &(u32, u32)| after.0.saturating_sub(before.1);
    let surplus = intervals.len().saturating_sub(RUNS_MAX);
    if surplus == 0 {
        return;
    }
    let mut gaps: Vec<u32> = intervals.windows(2).filter_map(|pair| Some(gap(pair.first()?, pair.last()?))).collect();
    gaps.sort_unstable();
    let widest = gaps.get(surplus.saturating_sub(1)).copied().unwrap_or(0);
    intervals.dedup_by(|next, kept| {
        let joins = gap(kept, next) <= widest;
        if joins {
            kept.1 = kept.1.max(next.1);
        }
        joins
    });
}

/// One range around several that are sorted by address.
fn hull(ranges: &[ValueRange]) -> Option<ValueRange> {
    ranges.iter().copied().reduce(|a, b| ValueRange {
        first: a.first.min(b.first),
        last: a.last.max(b.last),
        min: a.min.min(b.min),
        max: a.max.max(b.max),
    })
}

/// Sorts intervals, and makes one of those that touch or overlap.
pub(crate) fn merge_intervals(intervals: &mut Vec<(u32, u32)>) {
    intervals.sort_unstable();
    intervals.dedup_by(|next, kept| {
        let touches = next.0 <= kept.1.saturating_add(1);
        if touches {
            kept.1 = kept.1.max(next.1);
        }
        touches
    });
}

/// Makes ranges disjoint: where several hold for an address, it may take every value that any of them allows, and what
/// lies between. Neighbours with equal values become one.
fn merge_ranges(mut ranges: Vec<ValueRange>) -> Vec<ValueRange> {
    ranges.sort_by(|a, b| {
        (a.first, a.last).cmp(&(b.first, b.last)).then(a.min.total_cmp(&b.min)).then(a.max.total_cmp(&b.max))
    });
    // Where something begins or has just ended; an end past the last address is none.
    let mut edges: BTreeSet<u32> = BTreeSet::new();
    for range in &ranges {
        edges.insert(range.first);
        edges.extend(range.last.checked_add(1));
    }
    let mut out: Vec<ValueRange> = Vec::new();
    let mut coming = ranges.into_iter().peekable();
    let mut active: Vec<ValueRange> = Vec::new();
    let mut edges = edges.into_iter().peekable();
    while let Some(first) = edges.next() {
        active.retain(|range| range.last >= first);
        while let Some(range) = coming.next_if(|range| range.first <= first) {
            active.push(range);
        }
        let last = edges.peek().map_or(u32::MAX, |next| next.saturating_sub(1));
        let Some(piece) = active
            .iter()
            .map(|range| ValueRange { first, last, min: range.min, max: range.max })
            .reduce(|a, b| ValueRange { min: a.min.min(b.min), max: a.max.max(b.max), ..a })
        else {
            continue;
        };
        match out.last_mut() {
            Some(kept) if kept.last.checked_add(1) == Some(first) && (kept.min, kept.max) == (piece.min, piece.max) => {
                kept.last = last;
            }
            _ => out.push(piece),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn key(client: u8, verb: Verb, code: Option<(u16, u16)>, space: Option<&'static str>) -> OperationKey {
        OperationKey {
            client: address(client),
            server: address(200),
            protocol: ProtocolId::Modbus,
            unit: 1,
            verb,
            code,
            space: space.map(Cow::Borrowed),
        }
    }

    fn range(first: u32, last: u32, min: f64, max: f64) -> ValueRange {
        ValueRange { first, last, min, max }
    }

    fn example() -> Baseline {
        let mut baseline = Baseline::default();
        let roles = BTreeSet::from(["modbus_client".to_owned()]);
        let mac = Some(MacAddr([0, 0x80, 0xf4, 1, 2, 3]));
        baseline.devices.insert(Device::Address(address(10)), DeviceFact { mac, roles });
        baseline.devices.insert(Device::Address(address(9)), DeviceFact::default());
        baseline.devices.insert(Device::Mac(MacAddr([2, 0, 0, 0, 0, 1])), DeviceFact::default());
        for service in
            [Service::Udp(53), Service::Tcp(443), Service::Icmp, Service::Protocol(ProtocolId::Modbus), Service::Ip(47)]
        {
            baseline.conversations.insert(Conversation { client: address(10), server: address(200), service });
        }
        baseline.operations.insert(key(10, Verb::Read, Some((3, 0)), Some("holding_register")), vec![(0, 9), (20, 29)]);
        baseline.operations.insert(key(10, Verb::Identify, Some((43, 14)), Some(NO_SPACE)), vec![ALL_ADDRESSES]);
        baseline.operations.insert(key(9, Verb::Write, None, None), vec![ALL_ADDRESSES]);
        let values =
            ValueKey { server: address(200), protocol: Some(ProtocolId::Modbus), unit: 1, space: "coil".into() };
        baseline.values.insert(values, vec![range(0, 3, 0.0, 1.0), range(9, 9, -0.5, 1e300)]);
        baseline
    }

    #[test]
    fn text_is_sorted_one_fact_a_line() {
        let text = example().to_toml();
        let (_, facts) = text.split_once("schema = 1\n").unwrap();
        assert_eq!(
            facts,
            r#"
assets = [
  { address = "10.0.0.9" },
  { address = "10.0.0.10", mac = "00:80:f4:01:02:03", roles = ["modbus_client"] },
  { mac = "02:00:00:00:00:01" },
]

conversations = [
  { client = "10.0.0.10", server = "10.0.0.200", protocol = "modbus" },
  { client = "10.0.0.10", server = "10.0.0.200", protocol = "tcp/443" },
  { client = "10.0.0.10", server = "10.0.0.200", protocol = "udp/53" },
  { client = "10.0.0.10", server = "10.0.0.200", protocol = "icmp" },
  { client = "10.0.0.10", server = "10.0.0.200", protocol = "ip/47" },
]

operations = [
  { client = "10.0.0.9", server = "10.0.0.200", protocol = "modbus", unit = 1, verb = "write" },
  { client = "10.0.0.10", server = "10.0.0.200", protocol = "modbus", unit = 1, verb = "read", code = 3, space = "holding_register", first = 0, last = 9 },
  { client = "10.0.0.10", server = "10.0.0.200", protocol = "modbus", unit = 1, verb = "read", code = 3, space = "holding_register", first = 20, last = 29 },
  { client = "10.0.0.10", server = "10.0.0.200", protocol = "modbus", unit = 1, verb = "identify", code = 43, sub = 14, space = "none" },
]

values = [
  { server = "10.0.0.200", protocol = "modbus", unit = 1, space = "coil", first = 0, last = 3, min = 0, max = 1 },
  { server = "10.0.0.200", protocol = "modbus", unit = 1, space = "coil", first = 9, last = 9, min = -0.5, max = 1e300 },
]
"#
        );
    }

    #[test]
    fn text_goes_round() {
        let baseline = example();
        let text = baseline.to_toml();
        let again = Baseline::from_policy_text("baseline.toml", &text).unwrap();
        assert_eq!(again, baseline);
        assert_eq!(again.to_toml(), text);
        let empty = Baseline::default().to_toml();
        assert_eq!(Baseline::from_policy_text("b", &empty).unwrap().to_toml(), empty);
        assert_eq!(baseline.len(), 14);
    }

    #[test]
    fn what_is_no_learnt_fact_cannot_be_merged() {
        for text in [
            "schema = 1\nsite = \"x\"\n",
            "schema = 1\n[[zone]]\nname = \"a\"\nnetworks = [\"10.0.0.0/8\"]\n",
            "schema = 1\nassets = [{ name = \"HMI\", address = \"10.0.0.1\" }]\n",
            "schema = 1\nassets = [{ address = \"10.0.0.1\", owner = \"me\" }]\n",
            "schema = 1\ninclude = [\"other.toml\"]\n",
        ] {
            let problems = Baseline::from_policy_text("b", text).unwrap_err();
            assert!(problems[0].message.contains("lost"), "{text}: {problems:?}");
            assert!(problems[0].line >= 2);
        }
    }

    #[test]
    fn merging_unites() {
        let mut one = example();
        let mut two = Baseline::default();
        two.operations.insert(key(10, Verb::Read, Some((3, 0)), Some("holding_register")), vec![(10, 19), (50, 50)]);
        two.conversations.insert(Conversation { client: address(1), server: address(2), service: Service::Icmp });
        two.devices.insert(
            Device::Address(address(10)),
            DeviceFact { mac: Some(MacAddr([2, 2, 2, 2, 2, 2])), roles: BTreeSet::from(["dnp3_client".to_owned()]) },
        );
        one.merge(two.clone());
        assert_eq!(
            one.operations[&key(10, Verb::Read, Some((3, 0)), Some("holding_register"))],
            vec![(0, 29), (50, 50)]
        );
        assert_eq!(one.conversations.len(), 6);
        let device = &one.devices[&Device::Address(address(10))];
        assert_eq!(device.mac, Some(MacAddr([0, 0x80, 0xf4, 1, 2, 3])));
        assert_eq!(device.roles.len(), 2);
        let before = one.clone();
        one.merge(two);
        assert_eq!(one, before, "merging twice changes nothing");
    }

    #[test]
    fn a_routers_mac_address_is_not_kept() {
        let mut baseline = Baseline::default();
        let mac = Some(MacAddr([0, 1, 2, 3, 4, 5]));
        let fact = DeviceFact { mac, ..DeviceFact::default() };
        baseline.devices.insert(Device::Address(address(1)), fact.clone());
        baseline.devices.insert(Device::Address("fe80::1".parse().unwrap()), fact.clone());
        baseline.settle();
        assert!(baseline.devices.values().all(|fact| fact.mac == mac), "one address a family is one device");
        baseline.devices.insert(Device::Address(address(2)), fact);
        baseline.settle();
        assert_eq!(baseline.devices[&Device::Address(address(1))].mac, None);
        assert_eq!(baseline.devices[&Device::Address(address(2))].mac, None);
    }

    #[test]
    fn intervals_merge_where_they_touch_and_only_there() {
        let mut intervals = vec![(20, 25), (0, 4), (5, 9), (11, 12), (21, 22), (u32::MAX, u32::MAX)];
        merge_intervals(&mut intervals);
        assert_eq!(intervals, [(0, 9), (11, 12), (20, 25), (u32::MAX, u32::MAX)]);
    }

    #[test]
    fn ranges_become_disjoint_and_equal_neighbours_one() {
        assert_eq!(
            merge_ranges(vec![range(0, 9, 0.0, 10.0), range(5, 14, 5.0, 20.0)]),
            [range(0, 4, 0.0, 10.0), range(5, 9, 0.0, 20.0), range(10, 14, 5.0, 20.0)]
        );
        assert_eq!(merge_ranges(vec![range(1, 1, 0.0, 1.0), range(0, 0, 0.0, 1.0)]), [range(0, 1, 0.0, 1.0)]);
        assert_eq!(
            merge_ranges(vec![range(0, 0, 0.0, 1.0), range(2, 2, 0.0, 1.0)]),
            [range(0, 0, 0.0, 1.0), range(2, 2, 0.0, 1.0)]
        );
        assert_eq!(merge_ranges(vec![range(3, u32::MAX, 1.0, 1.0)]), [range(3, u32::MAX, 1.0, 1.0)]);
    }

    #[test]
    fn many_runs_become_few() {
        let mut intervals: Vec<(u32, u32)> = (0..200).map(|n| (n * 10, n * 10 + 5 + n % 3)).collect();
        condense_intervals(&mut intervals);
        assert!(intervals.len() <= RUNS_MAX && intervals.first().unwrap().0 == 0);
        assert_eq!(intervals.last().unwrap().1, 1_990 + 5 + 199 % 3);
        let mut few = vec![(1, 2), (9, 9)];
        condense_intervals(&mut few);
        assert_eq!(few, [(1, 2), (9, 9)]);
        assert_eq!(hull(&[range(1, 2, 5.0, 6.0), range(7, 9, 1.0, 5.5)]), Some(range(1, 9, 1.0, 6.0)));
    }

    #[test]
    fn differences_name_the_facts() {
        let one = example();
        let mut two = one.clone();
        two.conversations.insert(Conversation { client: address(1), server: address(2), service: Service::Icmp });
        two.devices.remove(&Device::Address(address(9)));
        assert_eq!(
            one.diff(&two),
            [
                (Change::Removed, "assets { address = \"10.0.0.9\" }".to_owned()),
                (
                    Change::Added,
                    "conversations { client = \"10.0.0.1\", server = \"10.0.0.2\", protocol = \"icmp\" }".to_owned()
                ),
            ]
        );
        assert_eq!(one.diff(&one), []);
    }

    #[test]
    fn services_have_one_text_each() {
        for text in ["modbus", "tcp/443", "udp/0", "icmp", "ip/47"] {
            assert_eq!(Service::from_text(text).unwrap().to_string(), text);
        }
        for text in
            ["", "modbuss", "tcp", "tcp/", "tcp/65536", "tcp/+1", "tcp/01", "sctp/1", "ip/256", "icmp/1", "TCP/1"]
        {
            assert_eq!(Service::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn strings_and_numbers_are_tomls() {
        assert_eq!(toml_string("a\"\\\u{1}"), "\"a\\\"\\\\\\u0001\"");
        assert_eq!(toml_number(-0.0), "0");
        assert_eq!(toml_number(65535.0), "65535");
        assert_eq!(toml_number(1e18), "1e18");
        assert_eq!(toml_number(0.1), "0.1");
    }
}
