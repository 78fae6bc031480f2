//! The words and keys that findings of all detections share.

use super::dialects::command_name;
use crate::facts::asset::AssetKey;
use crate::facts::flow::{Flow, Transport};
use crate::norm::{Basis, Verdict};
use crate::rule::{Finding, Param, Severity, Text};
use std::sync::Arc;
use yagura_parsers::message::{Operation, Point, PointValue};
use yagura_parsers::packet::Scope;

/// Values that a sentence shows; the rest are in the evidence.
const VALUES_SHOWN: usize = 4;

/// The asset that opened a flow.
pub(crate) fn client(flow: &Flow) -> AssetKey {
    AssetKey::Ip(flow.scope, flow.client.address)
}

/// The asset that was called.
pub(crate) fn server(flow: &Flow) -> AssetKey {
    AssetKey::Ip(flow.scope, flow.server.address)
}

/// A finding about the two ends of a flow, the client being the actor; its parameters `client` and `server` are set.
pub(crate) fn finding(
    text: &'static Text,
    flow: &Arc<Flow>,
    subject: String,
    basis: Basis,
    params: Vec<(&'static str, Param)>,
) -> Finding {
    let (client, server) = (client(flow), server(flow));
    let mut all = vec![("client", Param::Asset(client)), ("server", Param::Asset(server))];
    all.extend(params);
    Finding {
        text,
        params: all,
        subject,
        severity: None,
        basis,
        flow: Some(Arc::clone(flow)),
        assets: vec![client, server],
        earlier: Vec::new(),
    }
}

/// A finding about what the sensor hears of a capture; its parameter `capture` is set. `subject` says more of it.
pub(crate) fn of_capture(
    text: &'static Text,
    capture: u16,
    subject: &str,
    severity: Severity,
    params: Vec<(&'static str, Param)>,
) -> Finding {
    let mut all = vec![("capture", Param::Capture(capture))];
    all.extend(params);
    Finding {
        text,
        params: all,
        subject: format!("capture-{capture}/{subject}"),
        severity: Some(severity),
        basis: Basis::None,
        flow: None,
        assets: Vec::new(),
        earlier: Vec::new(),
    }
}

/// So many whole seconds, for a sentence.
pub(crate) fn seconds(ns: u64) -> Param {
    Param::Number(ns.checked_div(1_000_000_000).unwrap_or(0))
}

/// An asset in a subject: its address, and its broadcast domain where it has tags: `10.0.0.1`, `10.0.0.1@7`.
pub(crate) fn place(key: &AssetKey) -> String {
    match key {
        AssetKey::Ip(scope, address) => format!("{address}{}", domain(scope)),
        AssetKey::Mac(scope, mac) => format!("{mac}{}", domain(scope)),
    }
}

fn domain(scope: &Scope) -> String {
    let mut text = String::new();
    for tag in scope.tags.iter().filter(|tag| **tag != 0) {
        text.push(if text.is_empty() { '@' } else { '.' });
        text.push_str(&tag.to_string());
    }
    if let Some(network) = scope.network.checked_sub(1) {
        text.push_str(&format!("@vni{network}"));
    }
    text
}

/// The ends of a flow in a subject: `10.0.0.1>10.0.0.2`.
pub(crate) fn ends(flow: &Flow) -> String {
    format!("{}>{}", place(&client(flow)), place(&server(flow)))
}

/// What a flow speaks: the protocol's name, or transport and server port where it is not known: `modbus`, `tcp/8080`.
pub(crate) fn spoken(flow: &Flow) -> String {
    match flow.protocol {
        Some(protocol) => protocol.name().to_owned(),
        None => match flow.transport {
            Transport::Tcp | Transport::Udp => format!("{}/{}", flow.transport.name(), flow.server.port),
            Transport::Icmp | Transport::Ip(_) => flow.transport.name().into_owned(),
        },
    }
}

/// What a verdict rests on.
pub(crate) fn basis(verdict: Verdict) -> Basis {
    match verdict {
        Verdict::Unknown => Basis::None,
        Verdict::Usual(basis) | Verdict::Forbidden(basis) | Verdict::Unusual(_, basis) => basis,
    }
}

/// The standard's name of an operation, or its codes: `write_single_coil`, `code 65/0`.
pub(crate) fn operation(flow: &Flow, operation: &Operation) -> Param {
    match flow.protocol.and_then(|protocol| protocol.operation_name(operation.code, operation.sub)) {
        Some(name) => Param::Word(name),
        None => Param::Text(format!("code {}/{}", operation.code, operation.sub)),
    }
}

/// What an operation is about: the standard's name of the data space and the PDU's addresses: `holding_register 40-41`.
pub(crate) fn target(operation: &Operation) -> Option<String> {
    let target = operation.target?;
    Some(if target.count > 1 {
        format!("{} {}-{}", target.space, target.first, target.last())
    } else {
        format!("{} {}", target.space, target.first)
    })
}

/// Values that are written: the first few, with their addresses where there are several: `1234`, `40=1, 41=2, ..`. The
/// codes of commands have their names beside them: `3 latch_on`.
pub(crate) fn values(points: &[Point]) -> Option<String> {
    let named = |point: &Point| match command_name(point.space, point.value) {
        Some(name) => format!("{} {name}", value(point.value)),
        None => value(point.value),
    };
    if let [point] = points {
        return Some(named(point));
    }
    let mut shown: Vec<String> =
        points.iter().take(VALUES_SHOWN).map(|point| format!("{}={}", point.address, named(point))).collect();
    if points.len() > VALUES_SHOWN {
        shown.push("..".to_owned());
    }
    (!shown.is_empty()).then(|| shown.join(", "))
}

/// A value as it stands on the wire.
pub(crate) fn value(value: PointValue) -> String {
    match value {
        PointValue::Bit(bit) => u8::from(bit).to_string(),
        PointValue::Unsigned(number) => number.to_string(),
        PointValue::Signed(number) => number.to_string(),
        PointValue::Real(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{flow, ip, read, write};
    use yagura_parsers::message::Target;

    #[test]
    fn subjects_tell_broadcast_domains_apart() {
        let mut scope = Scope::default();
        assert_eq!(place(&AssetKey::Ip(scope, ip("10.0.0.1"))), "10.0.0.1");
        scope.tags = [7, 12, 0, 0];
        assert_eq!(place(&AssetKey::Ip(scope, ip("10.0.0.1"))), "10.0.0.1@7.12");
        scope.network = 6;
        assert_eq!(place(&AssetKey::Ip(scope, ip("::1"))), "::1@7.12@vni5");
    }

    #[test]
    fn a_flow_is_named_by_what_it_speaks() {
        let mut flow = Flow::clone(&flow("10.0.0.1", "10.0.0.2", 8080));
        assert_eq!(spoken(&flow), "modbus");
        flow.protocol = None;
        assert_eq!((spoken(&flow).as_str(), ends(&flow).as_str()), ("tcp/8080", "10.0.0.1>10.0.0.2"));
        flow.transport = Transport::Ip(47);
        assert_eq!(spoken(&flow), "ip-47");
        assert!(!flow.is_to_group());
        flow.transport = Transport::Udp;
        flow.server.address = ip("239.1.1.1");
        assert!(flow.is_to_group());
        flow.server.address = ip("255.255.255.255");
        assert!(flow.is_to_group());
        flow.server.address = ip("10.0.0.255");
        assert!(flow.is_to_group());
        flow.transport = Transport::Tcp;
        assert!(!flow.is_to_group());
    }

    #[test]
    fn targets_and_values_are_shown_short() {
        assert_eq!(target(&read(1, 40, 2)).unwrap(), "holding_register 40-41");
        assert_eq!(target(&write(1, 40, 1)).unwrap(), "holding_register 40");
        assert_eq!(target(&Operation { target: None, ..read(1, 0, 1) }), None);
        let whole = Target { space: "coil", first: 0, count: 0 };
        assert_eq!(target(&Operation { target: Some(whole), ..read(1, 0, 1) }).unwrap(), "coil 0");
        let point = |address, value| Point::bare("coil", address, value);
        assert_eq!(values(&[]), None);
        assert_eq!(values(&[point(3, PointValue::Bit(true))]).unwrap(), "1");
        let many: Vec<Point> = (0..6).map(|n| point(n, PointValue::Signed(-i64::from(n)))).collect();
        assert_eq!(values(&many).unwrap(), "0=0, 1=-1, 2=-2, 3=-3, ..");
        assert_eq!(values(&many[..2]).unwrap(), "0=0, 1=-1");
        let command = Point::bare("binary_output", 3, PointValue::Unsigned(0x81));
        assert_eq!(values(&[command]).unwrap(), "129 pulse_on trip");
    }
}
