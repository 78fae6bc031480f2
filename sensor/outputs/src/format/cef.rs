//! Alerts in ArcSight's Common Event Format.
//!
//! In the header a backslash and a bar are escaped, in the extension a backslash and an equals sign. The format has no
//! escape for characters that act upon a reader: they are written as `\u{..}` first, and a backslash of the text twice,
//! so that the octets can be got back.

use super::alert::{Alert, Level, fitting};
use super::json::{fit, visible};
use crate::record::{Class, Entry, Severity};
use std::fmt::Write as _;
use std::net::IpAddr;

/// A record of the journal as CEF in at most so many octets where it can be; `None` for classes other than alerts and
/// gaps, for which the format has no keys.
pub fn of_entry(entry: &Entry, octets: usize) -> Option<String> {
    match entry.class {
        Class::Alert => {
            let alert = Alert::read(&entry.record)?;
            fitting(octets, |level| Some(shaped(entry, &alert, level)))
        }
        Class::Gap => {
            let mut line = head("gap", "Records are missing", 6);
            put(&mut line, "rt", &milliseconds(&entry.written), 32);
            put_custom(&mut line, "cs1", "journalId", &entry.id, 512);
            put(&mut line, "msg", &entry.record, 1_023);
            Some(line)
        }
        Class::Health | Class::Disposition | Class::Audit | Class::Checkpoint => None,
    }
}

fn shaped(entry: &Entry, alert: &Alert<'_>, level: Level) -> String {
    let flow = alert.flow.as_ref();
    let mut line = head(&alert.detection.id, &alert.detection.name, severity(alert.severity));
    put(&mut line, "rt", &milliseconds(&alert.time), 32);
    put(&mut line, "externalId", &alert.id, 40);
    put(&mut line, "cat", entry.class.name(), 64);
    put(&mut line, "act", "alert", 64);
    put(&mut line, "cnt", &alert.repeats.saturating_add(1).to_string(), 20);
    let (source, destination) = alert.addresses();
    put_address(&mut line, source, "src", "c6a2", "Source IPv6 Address");
    put_address(&mut line, destination, "dst", "c6a3", "Destination IPv6 Address");
    if let Some(flow) = flow {
        for (key, port) in [("spt", flow.client.port), ("dpt", flow.server.port)] {
            if let Some(port) = port {
                put(&mut line, key, &port.to_string(), 5);
            }
        }
        put(&mut line, "proto", &flow.transport.to_ascii_uppercase(), 31);
        if let Some(protocol) = &flow.protocol {
            put(&mut line, "app", protocol, 31);
        }
        if let Some(id) = &flow.community_id {
            put_custom(&mut line, "cs3", "communityId", id, 128);
        }
        if let Some(vlan) = flow.vlans.first() {
            put_custom(&mut line, "cn1", "vlan", &vlan.to_string(), 5);
        }
    }
    for (key, mac) in [("smac", alert.macs().0), ("dmac", alert.macs().1)] {
        if let Some(mac) = mac {
            put(&mut line, key, mac, 17);
        }
    }
    if let Some(sensor) = &alert.sensor {
        put(&mut line, "dvchost", sensor, 100.min(level.text));
    }
    put_custom(&mut line, "cs1", "journalId", &entry.id, 512);
    if let Some(site) = &alert.site {
        put_custom(&mut line, "cs2", "site", site, 512.min(level.text));
    }
    if level.details {
        let techniques: Vec<&str> = alert.detection.attack.iter().map(|technique| technique.id.as_str()).collect();
        if !techniques.is_empty() {
            put_custom(&mut line, "cs4", "attackTechniques", &techniques.join(","), 512);
        }
        put_custom(&mut line, "cs5", "subject", &alert.subject, 512.min(level.text));
        if let Some(closes) = &alert.closes {
            put_custom(&mut line, "cs6", "closes", closes, 64);
        }
    }
    put(&mut line, "msg", &alert.summary, 1_023.min(level.text));
    line
}

/// The header and the bar that ends it.
fn head(code: &str, name: &str, severity: u8) -> String {
    let escaped = |text: &str| visible(text).replace('\\', "\\\\").replace('|', "\\|");
    format!("CEF:0|Yagura|Yagura|{}|{}|{}|{severity}|", env!("CARGO_PKG_VERSION"), escaped(code), escaped(name))
}

/// Adds a key of the extension, of at most so many octets.
fn put(line: &mut String, key: &str, value: &str, octets: usize) {
    if !line.ends_with('|') {
        line.push(' ');
    }
    let value = visible(fit(value, octets).0).replace('\\', "\\\\").replace('=', "\\=");
    let _ = write!(line, "{key}={value}");
}

/// Adds a key whose meaning its label tells.
fn put_custom(line: &mut String, key: &str, label: &str, value: &str, octets: usize) {
    put(line, &format!("{key}Label"), label, 64);
    put(line, key, value, octets);
}

fn put_address(line: &mut String, address: Option<IpAddr>, key: &str, long: &str, label: &str) {
    match address {
        Some(IpAddr::V4(address)) => put(line, key, &address.to_string(), 45),
        Some(IpAddr::V6(address)) => put_custom(line, long, label, &address.to_string(), 45),
        None => {}
    }
}

fn milliseconds(time: &str) -> String {
    time.parse::<jiff::Timestamp>().map_or_else(|_| time.to_owned(), |time| time.as_millisecond().to_string())
}

/// 0 to 10, where 0 to 3 is low, 4 to 6 medium, 7 and 8 high, 9 and 10 very high.
fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}
