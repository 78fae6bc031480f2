//! Records by the Elastic Common Schema.
//!
//! Everything that its fields can say stands in them. The sentence's parameters are `labels`, whose values are texts all:
//! one name may be a number in one detection and a text in another, and an index takes only one of the two.

use super::alert::{Alert, End, Level, fitting};
use super::json::{fit, line};
use crate::record::{Class, Entry, Severity};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The version of the schema that is written.
pub const ECS_VERSION: &str = "8.11.0";

#[derive(Serialize)]
struct Ecs<'a> {
    version: &'a str,
}

#[derive(Serialize)]
struct Event<'a> {
    id: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    category: &'static [&'static str],
    r#type: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<u8>,
    module: &'static str,
    dataset: String,
    provider: &'static str,
    sequence: u64,
    created: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<&'a str>,
}

#[derive(Serialize)]
struct Rule<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    ruleset: &'static str,
}

#[derive(Serialize)]
struct Party<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
}

#[derive(Serialize)]
struct VlanId {
    id: String,
}

#[derive(Serialize)]
struct Inner {
    vlan: VlanId,
}

#[derive(Serialize)]
struct Network<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iana_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<VlanId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner: Option<Inner>,
}

#[derive(Serialize)]
struct Geography<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Observer<'a> {
    vendor: &'static str,
    product: &'static str,
    r#type: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    geo: Option<Geography<'a>>,
}

#[derive(Serialize)]
struct Techniques<'a> {
    id: Vec<&'a str>,
    name: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subtechnique: Option<Box<Techniques<'a>>>,
}

#[derive(Serialize)]
struct Threat<'a> {
    framework: &'static str,
    technique: Techniques<'a>,
}

#[derive(Serialize)]
struct Related<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ip: Vec<IpAddr>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<&'a str>,
}

#[derive(Serialize)]
struct Own<'a> {
    alert: &'a str,
    severity: Severity,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_ja: Option<&'a str>,
    repeats: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    closes: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    serves: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cut: Vec<&'a str>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: &'a str,
    ecs: Ecs<'static>,
    message: &'a str,
    event: Event<'a>,
    observer: Observer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Rule<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Party<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<Party<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threat: Option<Threat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    related: Option<Related<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    yagura: Option<Own<'a>>,
}

/// A record of the journal by the Elastic Common Schema, in at most so many octets where it can be.
pub fn of_entry(entry: &Entry, octets: usize) -> Option<String> {
    // The record as it stands is added where there is room for it too.
    let whole = Whole { entry, original: true };
    whole.line(octets).filter(|line| line.len() <= octets).or_else(|| Whole { original: false, ..whole }.line(octets))
}

#[derive(Clone, Copy)]
struct Whole<'a> {
    entry: &'a Entry,
    original: bool,
}

impl<'a> Whole<'a> {
    fn line(self, octets: usize) -> Option<String> {
        if self.entry.class != Class::Alert {
            return self.other();
        }
        let alert = Alert::read(&self.entry.record)?;
        if self.original {
            return self.alert(&alert, Level::ALL.first().copied()?);
        }
        fitting(octets, |level| self.alert(&alert, level))
    }

    fn original(self) -> Option<&'a str> {
        self.original.then_some(self.entry.record.as_str())
    }

    fn alert(self, alert: &Alert<'_>, level: Level) -> Option<String> {
        let flow = alert.flow.as_ref();
        let (source, destination) = alert.addresses();
        let macs = alert.macs();
        let named = |at: Option<IpAddr>| {
            let found = alert.assets.iter().find(|asset| at.is_some() && asset.address == at);
            found.and_then(|asset| asset.name.as_deref()).map(|name| fit(name, level.text).0)
        };
        let party = |ip: Option<IpAddr>, end: Option<&End>, mac: Option<&str>| {
            (ip.is_some() || mac.is_some()).then(|| Party {
                address: ip.map(|ip| ip.to_string()).or_else(|| mac.map(str::to_owned)),
                ip,
                port: end.and_then(|end| end.port),
                mac: mac.map(hyphenated),
                domain: named(ip),
            })
        };
        let (summary, summary_cut) = fit(&alert.summary, level.text);
        let (subject, subject_cut) = fit(&alert.subject, level.text);
        let mut cut: Vec<&str> = alert.cut.iter().map(String::as_str).collect();
        for (name, is_cut) in [("summary", summary_cut), ("subject", subject_cut), ("params", !level.details)] {
            if is_cut && !cut.contains(&name) {
                cut.push(name);
            }
        }
        let assets = alert.assets.get(..level.assets).unwrap_or(&alert.assets);
        let mut addresses: Vec<IpAddr> = source.into_iter().chain(destination).collect();
        addresses.extend(assets.iter().filter_map(|asset| asset.address));
        addresses.sort_unstable();
        addresses.dedup();
        let related = Related {
            ip: addresses,
            hosts: assets
                .iter()
                .filter_map(|asset| asset.name.as_deref())
                .map(|name| fit(name, level.text).0)
                .collect(),
        };
        line(&Document {
            timestamp: &alert.time,
            ecs: Ecs { version: ECS_VERSION },
            message: summary,
            event: Event {
                id: &self.entry.id,
                kind: "alert",
                category: &["intrusion_detection", "network"],
                r#type: &["info"],
                action: Some(&alert.detection.name),
                code: Some(&alert.detection.id),
                severity: Some(severity(alert.severity)),
                module: "yagura",
                dataset: "yagura.alert".to_owned(),
                provider: "yagura",
                sequence: self.entry.sequence,
                created: &self.entry.written,
                original: self.original(),
            },
            observer: observer(
                alert.sensor.as_deref().map(|name| fit(name, level.text).0),
                alert.site.as_deref().map(|name| fit(name, level.text).0),
            ),
            rule: Some(Rule {
                id: &alert.detection.id,
                name: &alert.detection.name,
                description: alert.card.as_ref().filter(|_| level.details).map(|card| card.what.as_str()),
                ruleset: "yagura",
            }),
            source: party(source, flow.map(|flow| &flow.client), macs.0),
            destination: party(destination, flow.map(|flow| &flow.server), macs.1),
            network: flow.map(|flow| {
                let mut vlans = flow.vlans.iter().map(|vlan| VlanId { id: vlan.to_string() });
                let number = flow.transport.strip_prefix("ip-");
                Network {
                    r#type: Some(if flow.client.address.is_ipv6() { "ipv6" } else { "ipv4" }),
                    transport: number.is_none().then_some(match flow.transport.as_str() {
                        "icmp" if flow.client.address.is_ipv6() => "ipv6-icmp",
                        other => other,
                    }),
                    iana_number: number,
                    protocol: flow.protocol.as_deref(),
                    community_id: flow.community_id.as_deref(),
                    vlan: vlans.next(),
                    inner: vlans.next().map(|vlan| Inner { vlan }),
                }
            }),
            threat: if level.details { threat(alert) } else { None },
            related: (!related.ip.is_empty() || !related.hosts.is_empty()).then_some(related),
            labels: if level.details { labels(alert.params.get(), level.text) } else { BTreeMap::new() },
            yagura: Some(Own {
                alert: &alert.id,
                severity: alert.severity,
                subject,
                summary_ja: alert.summary_ja.as_deref().filter(|_| level.details).map(|text| fit(text, level.text).0),
                repeats: alert.repeats,
                closes: alert.closes.as_deref(),
                serves: if level.details { &alert.detection.serves } else { &[] },
                evidence: events(alert, level),
                cut,
            }),
        })
    }

    /// A record of another class: the sensor's state, or what was done to it.
    fn other(self) -> Option<String> {
        let entry = self.entry;
        let record: Value = serde_json::from_str(&entry.record).ok()?;
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        let message = text("summary").or_else(|| text("message")).unwrap_or(entry.class.name());
        let (kind, category): (_, &[_]) = match entry.class {
            Class::Health | Class::Checkpoint => ("state", &[]),
            Class::Audit | Class::Disposition => ("event", &["configuration"]),
            Class::Gap | Class::Alert => ("event", &[]),
        };
        line(&Document {
            timestamp: text("time").filter(|time| time.parse::<jiff::Timestamp>().is_ok()).unwrap_or(&entry.written),
            ecs: Ecs { version: ECS_VERSION },
            message: fit(message, 512).0,
            event: Event {
                id: &entry.id,
                kind,
                category,
                r#type: &["info"],
                action: None,
                code: None,
                severity: entry.severity.map(severity),
                module: "yagura",
                dataset: format!("yagura.{}", entry.class.name()),
                provider: "yagura",
                sequence: entry.sequence,
                created: &entry.written,
                original: self.original(),
            },
            observer: observer(text("sensor").map(|name| fit(name, 96).0), None),
            rule: None,
            source: None,
            destination: None,
            network: None,
            threat: None,
            related: None,
            labels: BTreeMap::new(),
            yagura: None,
        })
    }
}

fn observer<'a>(name: Option<&'a str>, site: Option<&'a str>) -> Observer<'a> {
    Observer {
        vendor: "Yagura",
        product: "Yagura",
        r#type: "ids",
        version: env!("CARGO_PKG_VERSION"),
        name,
        geo: site.map(|name| Geography { name }),
    }
}

/// Severity as a number, by the risk scores that the detection rules of that stack give to the same names.
fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 21,
        Severity::Medium => 47,
        Severity::High => 73,
        Severity::Critical => 99,
    }
}

/// A MAC address as the schema wants it: capital digits, hyphens (RFC 7042, section 2.1).
fn hyphenated(mac: &str) -> String {
    mac.replace(':', "-").to_ascii_uppercase()
}

fn threat<'a>(alert: &'a Alert<'_>) -> Option<Threat<'a>> {
    let (below, above): (Vec<_>, Vec<_>) =
        alert.detection.attack.iter().partition(|technique| technique.id.contains('.'));
    let mut technique = Techniques { id: Vec::new(), name: Vec::new(), subtechnique: None };
    for entry in &above {
        technique.id.push(&entry.id);
        technique.name.push(&entry.name);
    }
    for entry in &below {
        let parent = entry.id.split('.').next().unwrap_or_default();
        if !technique.id.contains(&parent) {
            technique.id.push(parent);
        }
    }
    if !below.is_empty() {
        technique.subtechnique = Some(Box::new(Techniques {
            id: below.iter().map(|entry| entry.id.as_str()).collect(),
            name: below.iter().map(|entry| entry.name.as_str()).collect(),
            subtechnique: None,
        }));
    }
    (!technique.id.is_empty()).then_some(Threat { framework: "MITRE ATT&CK for ICS", technique })
}

fn labels(params: &str, octets: usize) -> BTreeMap<String, String> {
    let params: BTreeMap<String, Value> = serde_json::from_str(params).unwrap_or_default();
    let texts = params.into_iter().filter_map(|(name, value)| {
        let text = match value {
            Value::Null => return None,
            Value::String(text) => text,
            other => other.to_string(),
        };
        // A point in a label's name would make an object of it.
        Some((name.replace('.', "_"), fit(&text, octets).0.to_owned()))
    });
    texts.collect()
}

fn events(alert: &Alert<'_>, level: Level) -> Vec<String> {
    let heads = alert.evidence.iter().take(level.evidence.max(1)).filter_map(|event| {
        let head: super::alert::EventHead = serde_json::from_str(event.get()).ok()?;
        Some(fit(&head.event, 48).0.to_owned())
    });
    heads.collect()
}
