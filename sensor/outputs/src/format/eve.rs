//! Records as EVE lines, so that what reads another sensor's alerts reads these with nothing to set up.
//!
//! The format's own keys are used as they are meant. What is ours stands in the two places where the format lets others
//! add to it: `alert.metadata` (lists of texts) and `alert.context.yagura`. What is not known is left out, as there.

use super::alert::{Alert, Concerned, Flow, Level, fitting};
use super::json::{fit, line};
use crate::record::{Class, Entry, Severity};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::net::IpAddr;

/// The generator of our alerts: 1 is that of text rules, so that no signature of ours is taken for one of theirs.
pub const GENERATOR_ID: u32 = 9_017;

/// Added to the number of a detection's id: signatures are in the range that is kept for local use.
pub const SIGNATURE_ID_BASE: u32 = 1_000_000;

/// Goes up when a detection changes so much that its alerts mean something else.
const REVISION: u32 = 1;

#[derive(Serialize)]
struct Ether<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    src_mac: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_mac: Option<&'a str>,
}

#[derive(Serialize)]
struct Own<'a> {
    schema: u32,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    journal: Option<&'a str>,
    time: &'a str,
    detection: &'a str,
    name: &'a str,
    severity: Severity,
    site: Option<&'a str>,
    basis: &'a RawValue,
    summary: &'a str,
    summary_ja: Option<&'a str>,
    subject: &'a str,
    params: &'a RawValue,
    assets: &'a [Concerned],
    repeats: u64,
    closes: Option<&'a str>,
    evidence: &'a [&'a RawValue],
    cut: Vec<&'a str>,
}

#[derive(Serialize)]
struct Context<'a> {
    yagura: Own<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    product: [&'static str; 1],
    yagura_detection: [&'a str; 1],
    yagura_severity: [Severity; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mitre_technique_id: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mitre_technique_name: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mitre_technique_id_before_v19: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    serves: &'a [String],
}

#[derive(Serialize)]
struct Body<'a> {
    action: &'static str,
    gid: u32,
    signature_id: u32,
    rev: u32,
    signature: String,
    category: &'static str,
    severity: u8,
    metadata: Metadata<'a>,
    context: Context<'a>,
}

#[derive(Serialize)]
struct Eve<'a> {
    timestamp: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_id: Option<u64>,
    pcap_cnt: u64,
    event_type: &'static str,
    #[serde(skip_serializing_if = "<[u16]>::is_empty")]
    vlan: &'a [u16],
    #[serde(skip_serializing_if = "Option::is_none")]
    src_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proto: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ether: Option<Ether<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'a str>,
    alert: Body<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pcap_filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
}

/// A record that is missing: the format's own kind for what a sensor says about itself.
#[derive(Serialize)]
struct Engine<'a> {
    timestamp: Cow<'a, str>,
    event_type: &'static str,
    engine: EngineBody<'a>,
}

#[derive(Serialize)]
struct EngineBody<'a> {
    message: String,
    context: EngineContext<'a>,
}

#[derive(Serialize)]
struct EngineContext<'a> {
    yagura: &'a RawValue,
}

/// A record of the journal as an EVE line of at most so many octets; `None` for classes that the format has no place for.
pub fn of_entry(entry: &Entry, octets: usize) -> Option<String> {
    match entry.class {
        Class::Alert => of_record(&entry.record, Some(&entry.id), octets),
        Class::Gap => {
            let record: &RawValue = serde_json::from_str(&entry.record).ok()?;
            line(&Engine {
                timestamp: microseconds(&entry.written),
                event_type: "engine",
                engine: EngineBody {
                    message: format!("YAGURA: records are missing before {}", entry.id),
                    context: EngineContext { yagura: record },
                },
            })
            .filter(|line| line.len() <= octets)
        }
        Class::Health | Class::Disposition | Class::Audit | Class::Checkpoint => None,
    }
}

/// A native alert record as an EVE line of at most so many octets. `journal` is the id of the journal's line; without one
/// (a capture that was replayed) the key is left out. `None` where the record is no alert's.
pub fn of_record(record: &str, journal: Option<&str>, octets: usize) -> Option<String> {
    let alert = Alert::read(record)?;
    fitting(octets, |level| shaped(&alert, journal, level))
}

fn shaped(alert: &Alert<'_>, journal: Option<&str>, level: Level) -> Option<String> {
    let flow = alert.flow.as_ref();
    let origin = alert.origin();
    let (source, destination) = alert.addresses();
    let macs = alert.macs();
    let mut cut: Vec<&str> = alert.cut.iter().map(String::as_str).collect();
    let mut note = |name: &'static str, is_cut: bool| {
        if is_cut && !cut.contains(&name) {
            cut.push(name);
        }
    };
    let nothing = RawValue::from_string("{}".to_owned()).ok()?;
    let texts = level.text;
    let (summary, summary_cut) = fit(&alert.summary, texts);
    let (subject, subject_cut) = fit(&alert.subject, texts);
    let summary_ja = alert.summary_ja.as_deref().filter(|_| level.details).map(|text| fit(text, texts).0);
    note("summary", summary_cut);
    note("subject", subject_cut);
    note("summary_ja", summary_ja != alert.summary_ja.as_deref());
    let evidence = alert.evidence.get(..level.evidence).unwrap_or(&alert.evidence);
    note("evidence", evidence.len() < alert.evidence.len());
    let assets = alert.assets.get(..level.assets).unwrap_or(&alert.assets);
    note("assets", assets.len() < alert.assets.len());
    note("params", !level.details);
    line(&Eve {
        timestamp: microseconds(&alert.time),
        flow_id: flow.map(|flow| flow_id(flow, alert.sensor.as_deref(), journal)),
        pcap_cnt: origin.frame,
        event_type: "alert",
        vlan: flow.map_or(&[], |flow| &flow.vlans),
        src_ip: source,
        src_port: flow.and_then(|flow| flow.client.port),
        dest_ip: destination,
        dest_port: flow.and_then(|flow| flow.server.port),
        proto: flow.map(protocol_name),
        ether: (macs.0.is_some() || macs.1.is_some()).then_some(Ether { src_mac: macs.0, dest_mac: macs.1 }),
        community_id: flow.and_then(|flow| flow.community_id.as_deref()),
        app_proto: flow.and_then(|flow| flow.protocol.as_deref()),
        alert: Body {
            action: "allowed",
            gid: GENERATOR_ID,
            signature_id: signature_id(&alert.detection.id),
            rev: REVISION,
            signature: format!("YAGURA {}: {summary}", alert.detection.name),
            category: category(&alert.detection.name),
            severity: severity(alert.severity),
            metadata: metadata(alert, level),
            context: Context {
                yagura: Own {
                    schema: alert.schema,
                    id: &alert.id,
                    journal,
                    time: &alert.time,
                    detection: &alert.detection.id,
                    name: &alert.detection.name,
                    severity: alert.severity,
                    site: alert.site.as_deref().map(|site| fit(site, texts).0),
                    basis: alert.basis,
                    summary,
                    summary_ja,
                    subject,
                    params: if level.details { alert.params } else { &nothing },
                    assets,
                    repeats: alert.repeats,
                    closes: alert.closes.as_deref(),
                    evidence,
                    cut,
                },
            },
        },
        pcap_filename: origin.capture.as_deref().map(|path| fit(path, texts).0),
        host: alert.sensor.as_deref().map(|name| fit(name, texts).0),
    })
}

fn metadata<'a>(alert: &'a Alert<'_>, level: Level) -> Metadata<'a> {
    let attack = if level.details { alert.detection.attack.as_slice() } else { &[] };
    Metadata {
        product: ["yagura"],
        yagura_detection: [&alert.detection.id],
        yagura_severity: [alert.severity],
        mitre_technique_id: attack.iter().map(|technique| technique.id.as_str()).collect(),
        mitre_technique_name: attack.iter().map(|technique| technique.name.as_str()).collect(),
        mitre_technique_id_before_v19: attack.iter().filter_map(|technique| technique.old.as_deref()).collect(),
        serves: if level.details { &alert.detection.serves } else { &[] },
    }
}

/// A time as EVE has it: six decimals and `+0000`.
fn microseconds(time: &str) -> Cow<'_, str> {
    match time.parse::<jiff::Timestamp>() {
        Ok(instant) => {
            let mut text = format!("{instant:.6}");
            text.pop();
            text.push_str("+0000");
            Cow::Owned(text)
        }
        Err(_) => Cow::Borrowed(time),
    }
}

/// The signature's number: the digits of the detection's id, in the local range.
pub fn signature_id(detection: &str) -> u32 {
    let digits = detection.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0_u32);
    SIGNATURE_ID_BASE.saturating_add(digits)
}

/// Severity as EVE has it: 1 is the worst, 4 the mildest.
fn severity(severity: Severity) -> u8 {
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
        | "reporting_disabled"
        | "asset_address_conflict"
        | "arp_spoofing"
        | "stream_conflict"
        | "fragment_conflict" => "Potentially Bad Traffic",
        "exception_burst" => "Attempted Information Leak",
        "protocol_malformed" | "session_irregular" => "Generic Protocol Command Decode",
        "protocol_unexpected_port" => "Detection of a Non-Standard Protocol or Event",
        _ => "Misc activity",
    }
}

fn protocol_name(flow: &Flow) -> String {
    match flow.transport.as_str() {
        "tcp" => "TCP".to_owned(),
        "udp" => "UDP".to_owned(),
        "icmp" if flow.client.address.is_ipv6() => "IPv6-ICMP".to_owned(),
        "icmp" => "ICMP".to_owned(),
        other => format!("{:0>3}", other.strip_prefix("ip-").unwrap_or(other)),
    }
}

/// A number below 2^53 that flows of one run share and others do not: what makes the run unique is in the journal's id.
fn flow_id(flow: &Flow, sensor: Option<&str>, journal: Option<&str>) -> u64 {
    let run = journal.and_then(|id| id.rsplit_once('/')).map_or("", |(run, _)| run);
    let mut hash = Sha256::new();
    hash.update(format!(
        "{}|{run}|{}|{}|{:?}|{}|{:?}|{:?}|{:?}|{}",
        sensor.unwrap_or_default(),
        flow.transport,
        flow.client.address,
        flow.client.port,
        flow.server.address,
        flow.server.port,
        flow.vlans,
        flow.network,
        flow.id
    ));
    let digest = hash.finalize();
    let head = digest.first_chunk::<8>().copied().unwrap_or_default();
    u64::from_be_bytes(head) >> 11
}
