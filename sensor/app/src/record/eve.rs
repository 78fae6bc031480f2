//! Alerts as EVE lines, so that what reads another sensor's alerts reads these with nothing to set up.
//!
//! The format's own keys are used as they are meant. What is ours stands in the two places where the format lets others
//! add to it: `alert.metadata` (lists of texts) and `alert.context.yagura`. What is not known is left out, as there.

use super::alert::{AlertRecord, BasisShape, ConcernedShape, EvidenceShape, Source, fitting};
use super::flow::community_id;
use super::text::ip_of;
use super::wire::{Room, Shape};
use super::write::{eve_time, line};
use super::{FrameShape, SCHEMA};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use yagura_rules::alert::Alert;
use yagura_rules::facts::flow::{Flow, Transport};
use yagura_rules::rule::{Card, Severity};

/// The generator of our alerts: 1 is that of text rules, so that no signature of ours is taken for one of theirs.
pub const GENERATOR_ID: u32 = 9_017;

/// Added to the number of a detection's id: signatures are in the range that is kept for local use.
pub const SIGNATURE_ID_BASE: u32 = 1_000_000;

/// Goes up when a detection changes so much that its alerts mean something else.
const REVISION: u32 = 1;

/// MAC addresses.
#[derive(Debug, Clone, Serialize)]
pub struct EveEther {
    /// Of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_mac: Option<String>,
    /// Of the destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dest_mac: Option<String>,
}

/// What is ours.
#[derive(Debug, Clone, Serialize)]
pub struct EveOwn {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The alert's id.
    pub id: String,
    /// The time with all its decimals.
    pub time: String,
    /// The detection's id.
    pub detection: &'static str,
    /// The detection's name.
    pub name: &'static str,
    /// Severity by our five names.
    pub severity: &'static str,
    /// The site's name.
    pub site: Option<String>,
    /// What it rests on.
    pub basis: BasisShape,
    /// The sentence.
    pub summary: String,
    /// The sentence in Japanese, where both languages were asked for.
    pub summary_ja: Option<String>,
    /// What equal findings share.
    pub subject: String,
    /// The sentence's parameters.
    pub params: Shape,
    /// Who is concerned.
    pub assets: Vec<ConcernedShape>,
    /// How many more there were.
    pub repeats: u64,
    /// The alert that it closes.
    pub closes: Option<String>,
    /// Events that carry it.
    pub evidence: Vec<EvidenceShape>,
    /// What was cut.
    pub cut: Vec<&'static str>,
}

/// Where ours stands.
#[derive(Debug, Clone, Serialize)]
pub struct EveContext {
    /// Ours.
    pub yagura: EveOwn,
}

/// The alert proper.
#[derive(Debug, Clone, Serialize)]
pub struct EveAlert {
    /// `allowed`: a sensor that only listens stops nothing.
    pub action: &'static str,
    /// [`GENERATOR_ID`].
    pub gid: u32,
    /// [`SIGNATURE_ID_BASE`] and the number of the detection.
    pub signature_id: u32,
    /// Revision.
    pub rev: u32,
    /// `YAGURA <detection>: <sentence>`.
    pub signature: String,
    /// Class, by the format's usual texts.
    pub category: &'static str,
    /// 1 high to 4.
    pub severity: u8,
    /// Lists of texts.
    pub metadata: Shape,
    /// What is ours.
    pub context: EveContext,
}

/// An alert as an EVE line.
#[derive(Debug, Clone, Serialize)]
pub struct EveRecord {
    /// When, in microseconds.
    pub timestamp: String,
    /// A hash of sensor, flow key and first time, below 2^53.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow_id: Option<u64>,
    /// Number of the frame in the capture.
    pub pcap_cnt: u64,
    /// `alert`.
    pub event_type: &'static str,
    /// VLAN identifiers, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vlan: Vec<u16>,
    /// The client, or the actor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_ip: Option<IpAddr>,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_port: Option<u16>,
    /// The server, or who else is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dest_ip: Option<IpAddr>,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dest_port: Option<u16>,
    /// Transport.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<String>,
    /// MAC addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ether: Option<EveEther>,
    /// Community ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_id: Option<String>,
    /// What is spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_proto: Option<&'static str>,
    /// The alert.
    pub alert: EveAlert,
    /// The capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pcap_filename: Option<String>,
    /// The sensor's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl EveRecord {
    /// Shapes an alert, with so much room.
    pub fn new(alert: &Alert, source: &Source<'_>, room: Room) -> Self {
        let native = AlertRecord::new(alert, source, room);
        let flow = alert.finding.flow.as_deref();
        let at = FrameShape::new(alert.origin, source.names.captures);
        let ports = |port: fn(&Flow) -> u16| {
            flow.filter(|flow| matches!(flow.transport, Transport::Tcp | Transport::Udp)).map(port)
        };
        let mut concerned = alert.finding.assets.iter().map(ip_of);
        let (actor, other) = (concerned.next().flatten(), concerned.next().flatten());
        let macs = match flow {
            Some(flow) => (flow.client_mac.map(|mac| mac.to_string()), flow.server_mac.map(|mac| mac.to_string())),
            None => {
                let mut macs = native.assets.iter().map(|asset| asset.mac.clone());
                (macs.next().flatten(), macs.next().flatten())
            }
        };
        let scope = match (flow, alert.finding.assets.first()) {
            (Some(flow), _) => Some(flow.scope),
            (None, Some(yagura_rules::facts::asset::AssetKey::Ip(scope, _))) => Some(*scope),
            (None, Some(yagura_rules::facts::asset::AssetKey::Mac(scope, _))) => Some(*scope),
            (None, None) => None,
        };
        let metadata = metadata(alert.card, alert.severity);
        Self {
            timestamp: eve_time(alert.time),
            flow_id: flow.map(|flow| flow_id(flow, source.sensor)),
            pcap_cnt: at.frame,
            event_type: "alert",
            vlan: scope.map_or_else(Vec::new, |scope| scope.tags.into_iter().filter(|tag| *tag != 0).collect()),
            src_ip: flow.map(|flow| flow.client.address).or(actor),
            src_port: ports(|flow| flow.client.port),
            dest_ip: flow.map(|flow| flow.server.address).or(other),
            dest_port: ports(|flow| flow.server.port),
            proto: flow.map(|flow| protocol_name(flow.transport, flow.client.address)),
            ether: (macs.0.is_some() || macs.1.is_some()).then_some(EveEther { src_mac: macs.0, dest_mac: macs.1 }),
            community_id: flow.and_then(|flow| community_id(flow.transport, flow.client, flow.server)),
            app_proto: flow.and_then(|flow| flow.protocol).map(|protocol| protocol.name()),
            alert: EveAlert {
                action: "allowed",
                gid: GENERATOR_ID,
                signature_id: signature_id(alert.card),
                rev: REVISION,
                signature: format!("YAGURA {}: {}", alert.card.name, native.summary),
                category: category(alert.card.name),
                severity: level(alert.severity),
                metadata,
                context: EveContext {
                    yagura: EveOwn {
                        schema: SCHEMA,
                        id: native.id,
                        time: native.time,
                        detection: alert.card.id,
                        name: alert.card.name,
                        severity: native.severity,
                        site: native.site,
                        basis: native.basis,
                        summary: native.summary,
                        summary_ja: native.summary_ja,
                        subject: native.subject,
                        params: native.params,
                        assets: native.assets,
                        repeats: native.repeats,
                        closes: native.closes,
                        evidence: native.evidence,
                        cut: native.cut,
                    },
                },
            },
            pcap_filename: at.capture,
            host: native.sensor,
        }
    }

    /// An alert as one line.
    pub fn line(alert: &Alert, source: &Source<'_>) -> String {
        fitting(|room| line(&Self::new(alert, source, room)))
    }
}

/// The signature's number: the digits of the detection's id, in the local range.
pub fn signature_id(card: &Card) -> u32 {
    let digits = card.id.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0_u32);
    SIGNATURE_ID_BASE.saturating_add(digits)
}

/// Severity as EVE has it: 1 is the worst, 4 the mildest.
fn level(severity: Severity) -> u8 {
    match severity {
        Severity::Critical | Severity::High => 1,
        Severity::Medium => 2,
        Severity::Low => 3,
        Severity::Info => 4,
    }
}

/// The class of a detection, by the texts that are usual there.
fn category(name: &str) -> &'static str {
    match name {
        "scan_sweep" => "Detection of a Network Scan",
        "conduit_breach" => "Potential Corporate Privacy Violation",
        "controller_dangerous" | "connection_flood" | "request_flood" | "unsolicited_storm" | "icmp_flood" => {
            "Attempted Denial of Service"
        }
        "write_unusual"
        | "value_out_of_range"
        | "operation_new"
        | "conversation_new"
        | "command_sequence"
        | "clock_set"
        | "interrogation_repeated"
        | "reporting_disabled" => "Potentially Bad Traffic",
        "asset_address_conflict" | "arp_spoofing" | "stream_conflict" | "fragment_conflict" => {
            "Potentially Bad Traffic"
        }
        "exception_burst" => "Attempted Information Leak",
        "protocol_malformed" | "session_irregular" => "Generic Protocol Command Decode",
        "protocol_unexpected_port" => "Detection of a Non-Standard Protocol or Event",
        _ => "Misc activity",
    }
}

fn metadata(card: &Card, severity: Severity) -> Shape {
    let list = |items: Vec<&str>| Shape::List(items.into_iter().map(|item| Shape::Text(item.to_owned())).collect());
    let mut members = vec![
        ("product".to_owned(), list(vec!["yagura"])),
        ("yagura_detection".to_owned(), list(vec![card.id])),
        ("yagura_severity".to_owned(), list(vec![severity.name()])),
    ];
    if !card.attack.is_empty() {
        members.push(("mitre_technique_id".to_owned(), list(card.attack.iter().map(|t| t.id).collect())));
        members.push(("mitre_technique_name".to_owned(), list(card.attack.iter().map(|t| t.name).collect())));
        let old: Vec<_> = card.attack.iter().filter_map(|technique| technique.old).collect();
        if !old.is_empty() {
            members.push(("mitre_technique_id_before_v19".to_owned(), list(old)));
        }
    }
    if !card.serves.is_empty() {
        members.push(("serves".to_owned(), list(card.serves.to_vec())));
    }
    Shape::Object(members)
}

fn protocol_name(transport: Transport, address: IpAddr) -> String {
    match transport {
        Transport::Tcp => "TCP".to_owned(),
        Transport::Udp => "UDP".to_owned(),
        Transport::Icmp if address.is_ipv6() => "IPv6-ICMP".to_owned(),
        Transport::Icmp => "ICMP".to_owned(),
        Transport::Ip(number) => format!("{number:03}"),
    }
}

fn flow_id(flow: &Flow, sensor: Option<&str>) -> u64 {
    let mut hash = Sha256::new();
    hash.update(sensor.unwrap_or_default());
    hash.update(format!(
        "|{}|{}|{}|{}|{}|{:?}|{}|{}",
        flow.transport.name(),
        flow.client.address,
        flow.client.port,
        flow.server.address,
        flow.server.port,
        flow.scope.tags,
        flow.scope.network,
        flow.opened.0
    ));
    let digest = hash.finalize();
    let head = digest.first_chunk::<8>().copied().unwrap_or_default();
    u64::from_be_bytes(head) >> 11
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Language;
    use crate::record::examples;
    use crate::record::schema::tests::assert_valid;
    use crate::record::text::Names;

    #[test]
    fn an_alert_of_a_flow_has_its_keys() {
        let (norm, captures) = (examples::norm(), ["a.pcap".to_owned()]);
        let names = Names { norm: &norm, assets: None, captures: &captures };
        let source = Source { names, language: Language::English, sensor: Some("pump-4"), site: None };
        let text = EveRecord::line(&examples::write_alert(), &source);
        assert_valid("eve-alert", &text);
        let read: Shape = serde_json::from_str(&text).unwrap();
        let get = |key: &str| crate::record::write::line(read.member(key).unwrap_or(&Shape::Null));
        assert_eq!(get("timestamp"), "\"2026-01-05T10:11:12.123456+0000\"");
        assert_eq!(get("event_type"), "\"alert\"");
        assert_eq!((get("src_ip"), get("src_port")), ("\"10.20.0.66\"".to_owned(), "49152".to_owned()));
        assert_eq!((get("dest_ip"), get("dest_port")), ("\"10.20.1.9\"".to_owned(), "502".to_owned()));
        assert_eq!(
            (get("proto"), get("app_proto"), get("vlan")),
            ("\"TCP\"".into(), "\"modbus\"".into(), "[20]".into())
        );
        assert_eq!((get("pcap_cnt"), get("host")), ("1042".to_owned(), "\"pump-4\"".to_owned()));
        let Some(Shape::Unsigned(id)) = read.member("flow_id") else { panic!("{text}") };
        assert!(*id < 1 << 53);
        let alert = read.member("alert").unwrap();
        assert_eq!(alert.member("signature_id"), Some(&Shape::Unsigned(1_009_999)));
        assert_eq!(alert.member("severity"), Some(&Shape::Unsigned(1)));
        assert!(
            alert.member("signature").unwrap().text().unwrap().starts_with("YAGURA write_example: 10.20.0.66 wrote")
        );
        let Some(Shape::Object(metadata)) = alert.member("metadata") else { panic!("{text}") };
        for (name, values) in metadata {
            let Shape::List(values) = values else { panic!("{name} is no list") };
            assert!(values.iter().all(|value| value.text().is_some()), "{name}");
        }
    }

    #[test]
    fn an_alert_without_a_flow_names_the_assets() {
        let norm = examples::norm();
        let names = Names { norm: &norm, assets: None, captures: &[] };
        let source = Source { names, language: Language::English, sensor: None, site: None };
        let text = EveRecord::line(&examples::conflict_alert(), &source);
        assert_valid("eve-alert", &text);
        assert!(text.contains(r#""src_ip":"10.20.1.9""#), "{text}");
        assert!(text.contains(r#""ether":{"src_mac":"02:00:00:00:00:66"}"#), "{text}");
        assert!(!text.contains("flow_id") && !text.contains("src_port") && !text.contains("dest_ip"), "{text}");
    }

    #[test]
    fn flow_ids_differ_by_flow_and_sensor_only() {
        let alert = examples::write_alert();
        let flow = alert.finding.flow.as_deref().unwrap();
        let mut other = flow.clone();
        other.client.port = 1;
        assert_ne!(flow_id(flow, None), flow_id(&other, None));
        assert_ne!(flow_id(flow, None), flow_id(flow, Some("a")));
        other = flow.clone();
        other.protocol = None;
        assert_eq!(flow_id(flow, None), flow_id(&other, None), "what is learnt later does not change it");
    }
}
