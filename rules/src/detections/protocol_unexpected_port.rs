//! Alert on an industrial protocol where it does not belong, or on a stranger at its port.

use super::waiting::conversation;
use super::wording::{basis, ends, finding};
use crate::facts::event::{Event, EventKind};
use crate::facts::flow::{Flow, Oriented};
use crate::norm::{Basis, Novelty, Verdict};
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use std::sync::Arc;
use yagura_parsers::protocols::ProtocolId;

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, _| Box::new(ProtocolUnexpectedPort) };

static CARD: Card = Card {
    id: "OT-0012",
    name: "protocol_unexpected_port",
    severity: Severity::Medium,
    attack: &[
        Technique { id: "T0885", old: None, name: "Commonly Used Port" },
        Technique { id: "T0869", old: None, name: "Standard Application Layer Protocol" },
    ],
    serves: &["000", "002 4.8.1", "002 5.4.4", "CSF DE.CM-01", "62443-3-3 SR 6.2", "62443-3-3 SR 7.7"],
    what: Text {
        en: "An industrial protocol runs at a port where it is not usual, or something else runs at its port. \
             Protocols are told by their content, never by the port.",
        ja: "産業用プロトコルが通常と異なるポートで使われているか、そのポートで別の通信が行われています。プロトコルは\
             ポートではなく内容で判定しています。",
    },
    why: Text {
        en: "Firewalls go by ports. Another port hides commands from them; another protocol at an open port carries \
             out what they would stop.",
        ja: "ファイアウォールはポートで判断します。別のポートを使えば指令を隠せ、開いているポートで別のプロトコルを使\
             えば遮断されるはずの通信を通せます。",
    },
    benign: Text {
        en: "A gateway or port forwarding with a port of its own, a test server, a web page or health check at the \
             port.",
        ja: "独自のポートを使うゲートウェイやポート転送、試験用サーバー、当該ポートへのWebアクセスや死活監視などが考\
             えられます。",
    },
    response: Text {
        en: "Ask the owner of the server why it listens there. If it is meant, add the conversation to the baseline; \
             otherwise find the program behind the port.",
        ja: "サーバーの管理者にそのポートを使う理由を確認してください。意図したものであればベースラインに追加し、そう\
             でなければポートを使っているプログラムを特定してください。",
    },
    settings: &[],
};

static ELSEWHERE: Text = Text {
    en: "{client} speaks {protocol} with {server} at port {port}, where it is not usual",
    ja: "{client} が {server} と、通常とは異なるポート {port} で {protocol} の通信をしています",
};
static STRANGER: Text = Text {
    en: "{client} speaks something other than {protocol} with {server} at port {port}, the port of {protocol}",
    ja: "{client} が {server} の {protocol} 用ポート {port} で、{protocol} ではない通信をしています",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&ELSEWHERE, &STRANGER];

struct ProtocolUnexpectedPort;

impl Rule for ProtocolUnexpectedPort {
    fn interest(&self) -> Interest {
        Interest::PROTOCOL
    }

    fn observe(&mut self, event: &Event, scene: Scene<'_>, found: &mut Vec<Finding>) {
        let Some(flow) = &event.flow else { return };
        found.extend(match event.kind {
            EventKind::Identified => elsewhere(flow, conversation(scene, flow)),
            EventKind::Stranger(protocol) => stranger(flow, protocol, by_port(scene, flow)),
            _ => None,
        });
    }
}

/// What is said of a flow that will not speak the protocol of its port any more. A line that holds for the protocol as
/// well was meant for the protocol, and says nothing.
fn by_port(scene: Scene<'_>, flow: &Flow) -> Verdict {
    let verdict = conversation(scene, flow);
    let Verdict::Usual(basis) = verdict else { return verdict };
    let is_meant_for = |protocol: &ProtocolId| {
        conversation(scene, &Flow { protocol: Some(*protocol), ..flow.clone() }) == Verdict::Usual(basis)
    };
    if ProtocolId::ALL.iter().any(is_meant_for) {
        Verdict::Unusual(Novelty::Conversation, nearest(basis))
    } else {
        verdict
    }
}

fn nearest(basis: Basis) -> Basis {
    match basis {
        Basis::Line(line) => Basis::Nearest(line),
        other => other,
    }
}

fn elsewhere(flow: &Arc<Flow>, verdict: Verdict) -> Option<Finding> {
    let protocol = flow.protocol?;
    let is_home = protocol.ports().contains(&flow.server.port)
        || (flow.oriented == Oriented::Guess && protocol.ports().contains(&flow.client.port));
    if is_home || matches!(verdict, Verdict::Usual(_)) {
        return None;
    }
    Some(told(&ELSEWHERE, flow, protocol.name(), "elsewhere", verdict))
}

fn stranger(flow: &Arc<Flow>, protocol: &'static str, verdict: Verdict) -> Option<Finding> {
    if matches!(verdict, Verdict::Usual(_)) {
        return None;
    }
    Some(told(&STRANGER, flow, protocol, "stranger", verdict))
}

fn told(text: &'static Text, flow: &Arc<Flow>, protocol: &'static str, what: &str, verdict: Verdict) -> Finding {
    let subject = format!("{}/{protocol}/{}/{what}", ends(flow), flow.server.port);
    let params = vec![("protocol", Param::Word(protocol)), ("port", Param::Number(u64::from(flow.server.port)))];
    finding(text, flow, subject, basis(verdict), params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, flow, unidentified, unusual, usual};

    #[test]
    fn a_protocol_at_another_port_is_told() {
        let bench = Bench::new();
        let found = bench.tell(&mut *build(&RULE), 0, &flow("10.20.0.66", "10.20.1.9", 10_502), EventKind::Identified);
        assert_eq!(found[0].subject, "10.20.0.66>10.20.1.9/modbus/10502/elsewhere");
    }

    #[test]
    fn a_protocol_at_home_or_in_the_baseline_is_silent() {
        let bench = Bench::new();
        let home = flow("10.20.0.66", "10.20.1.9", ProtocolId::Modbus.ports()[0]);
        assert!(bench.tell(&mut *build(&RULE), 0, &home, EventKind::Identified).is_empty());
        let other = flow("10.20.0.66", "10.20.1.9", 10_502);
        assert!(elsewhere(&other, usual()).is_none());
        assert!(elsewhere(&other, unusual(Novelty::Conversation)).is_some());
    }

    #[test]
    fn a_flow_whose_ends_are_guessed_is_at_home_at_either() {
        let mut turned = Flow::clone(&flow("10.20.1.9", "10.20.0.66", 49_152));
        turned.client.port = 502;
        assert!(elsewhere(&Arc::new(turned.clone()), Verdict::Unknown).is_some());
        turned.oriented = Oriented::Guess;
        assert!(elsewhere(&Arc::new(turned), Verdict::Unknown).is_none());
    }

    #[test]
    fn a_stranger_is_told_unless_it_is_usual() {
        let bench = Bench::new();
        let web = unidentified("10.20.0.66", "10.20.1.9", 502);
        let found = bench.tell(&mut *build(&RULE), 0, &web, EventKind::Stranger("modbus"));
        assert_eq!(found[0].subject, "10.20.0.66>10.20.1.9/modbus/502/stranger");
        assert!(stranger(&web, "modbus", usual()).is_none());
    }

    #[test]
    fn a_line_about_the_protocol_does_not_cover_a_stranger_and_a_line_about_the_port_does() {
        let told = |protocol: &str| {
            let list = format!(
                r#"conversations = [{{ client = "10.20.0.66", server = "10.20.1.9", protocol = "{protocol}" }}]"#
            );
            let web = unidentified("10.20.0.66", "10.20.1.9", 502);
            Bench::with_site(&list).tell(&mut *build(&RULE), 0, &web, EventKind::Stranger("modbus"))
        };
        let found = told("modbus");
        assert!(matches!(found[0].basis, Basis::Nearest(_)));
        assert!(told("tcp/502").is_empty());
    }
}
