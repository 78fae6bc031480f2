//! `Counters`: what was seen, skipped and lost, and why.

use std::collections::BTreeMap;
use yagura_parsers::protocols::ProtocolId;

/// What was seen of one protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProtocolCounters {
    /// Tables of the protocol's statistics, by the names of `ProtocolId::tables`, each by key.
    pub tables: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// The same for messages that were acknowledged before they were seen (the mirror reorders, or lost the first copy of a
    /// repeat): nobody can tell whether they are repeats, so they are read and judged, but counted apart.
    pub late: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// PDUs read, malformed ones included.
    pub messages: u64,
    /// PDUs that break the standard.
    pub malformed: u64,
    /// Flows that speak it.
    pub flows: u64,
    /// Octets of streams and datagrams that speak it.
    pub octets: u64,
    /// Octets of them that belong to no PDU.
    pub skipped_octets: u64,
}

/// What was seen, skipped and lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// Frames.
    pub frames: u64,
    /// Octets on the wire.
    pub octets: u64,
    /// Octets that were captured.
    pub captured_octets: u64,
    /// Frames by what they carry: `ipv4`, `ipv6`, `arp`, `tcp`, `udp`, `icmp`, `lldp`, `other`.
    pub carried: BTreeMap<&'static str, u64>,
    /// Frames by EtherType that the sensor does not read, four hexadecimal digits.
    pub ethertypes: BTreeMap<u16, u64>,
    /// Flows opened.
    pub flows: u64,
    /// TCP flows of which one direction only was seen, though both must have spoken.
    pub one_sided_flows: u64,
    /// TCP flows older than the capture.
    pub midstream_flows: u64,
    /// By protocol.
    pub protocols: BTreeMap<ProtocolId, ProtocolCounters>,
    /// Payload octets that no protocol was found for, by transport and server port: `tcp/443`.
    pub undecoded_octets: BTreeMap<(&'static str, u16), u64>,
    /// Undecoded octets of ports beyond the number that is kept apart.
    pub undecoded_other: u64,
    /// Anomalies by kind, of headers, fragments, streams and messages.
    pub anomalies: BTreeMap<&'static str, u64>,
    /// Gaps in streams, and the octets in them.
    pub gaps: u64,
    /// Octets in them.
    pub gap_octets: u64,
    /// Retransmitted segments.
    pub retransmissions: u64,
    /// Second copies from the mirror.
    pub duplicates: u64,
    /// Frames that were cut by the capture.
    pub truncated: u64,
    /// Bounds that bit: name in `Limits`, and how often.
    pub limits: BTreeMap<&'static str, u64>,
    /// Frames whose time is before that of an earlier frame.
    pub time_reversals: u64,
    /// Events that were judged.
    pub events: u64,
    /// Operations settled without the judge.
    pub settled: u64,
    /// Values told of points for which there was no room yet.
    pub points_unkept: u64,
    /// Alerts by severity.
    pub alerts: BTreeMap<&'static str, u64>,
    /// Repeats that were counted instead of told.
    pub repeats: u64,
    /// Findings that a suppression of the site file kept silent.
    pub suppressed: u64,
    /// Things that are counted rather than alerted while there is no baseline: new assets, new conversations.
    pub unjudged: BTreeMap<&'static str, u64>,
    /// Faults of the sensor itself that were contained.
    pub internal: u64,
}
