//! Alert on a TCP retransmission that says something other than what it repeats.

use super::wording::{client, ends, finding, server, spoken};
use crate::facts::event::{Event, EventKind};
use crate::norm::Basis;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use yagura_parsers::dissect::Direction;

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, _| Box::new(StreamConflict) };

static CARD: Card = Card {
    id: "OT-0013",
    name: "stream_conflict",
    severity: Severity::High,
    attack: &[
        Technique { id: "T0830", old: None, name: "Adversary-in-the-Middle" },
        Technique { id: "T0820", old: None, name: "Exploitation for Evasion" },
        Technique { id: "T1692.001", old: Some("T0855"), name: "Unauthorized Message: Command Message" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2", "62443-3-3 SR 3.1"],
    what: Text {
        en: "A TCP segment repeats octets that were sent before, and they are not the same.",
        ja: "TCPの再送セグメントの内容が、先に送られた内容と異なっています。",
    },
    why: Text {
        en: "Somebody else injects segments into the connection, or wants the controller to read something other than \
             what a monitor reads. Honest stacks repeat themselves exactly.",
        ja: "第三者が接続にセグメントを割り込ませているか、監視装置とコントローラーに異なる内容を読ませようとしていま\
             す。正常な通信スタックの再送は内容が一致します。",
    },
    benign: Text {
        en: "A middlebox that rewrites payload, a damaged frame on the mirror port, a stack with a fault.",
        ja: "ペイロードを書き換える中継装置、ミラーポートでのフレーム破損、通信スタックの不具合などが考えられます。",
    },
    response: Text {
        en: "Compare both segments in the capture: MAC address, time to live and IP identification tell whether one \
             sender or two spoke. With two, find the second at the switch.",
        ja: "キャプチャーで両方のセグメントを比較してください。MACアドレス・TTL・IP識別子から送信者が1台か2台かが分か\
             ります。2台であれば、もう1台をスイッチで特定してください。",
    },
    settings: &[],
};

static CONFLICT: Text = Text {
    en: "{sender} sent {receiver} octets again that are not what they were, in a connection that speaks {protocol}",
    ja: "{sender} から {receiver} への再送データが元の内容と異なります（{protocol} の接続）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&CONFLICT];

struct StreamConflict;

impl Rule for StreamConflict {
    fn interest(&self) -> Interest {
        Interest::STREAM
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        let (EventKind::StreamConflict { direction }, Some(flow)) = (&event.kind, &event.flow) else { return };
        let (sender, receiver, way) = match direction {
            Direction::ToServer => (client(flow), server(flow), "to_server"),
            Direction::ToClient => (server(flow), client(flow), "to_client"),
        };
        let subject = format!("{}/{}/{}/{way}", ends(flow), flow.transport.name(), flow.server.port);
        let params = vec![
            ("sender", Param::Asset(sender)),
            ("receiver", Param::Asset(receiver)),
            ("protocol", Param::Text(spoken(flow))),
            ("direction", Param::Word(way)),
        ];
        let mut finding = finding(&CONFLICT, flow, subject, Basis::None, params);
        finding.assets = vec![sender, receiver];
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, flow, key};

    #[test]
    fn a_retransmission_that_differs_is_told_by_direction() {
        let bench = Bench::new();
        let flow = flow("10.20.0.5", "10.20.1.9", 502);
        let mut rule = build(&RULE);
        let mut tell =
            |direction| bench.tell(&mut *rule, 0, &flow, EventKind::StreamConflict { direction }).pop().unwrap();
        let (there, back) = (tell(Direction::ToServer), tell(Direction::ToClient));
        assert_ne!(there.subject, back.subject);
        assert_eq!((there.assets[0], back.assets[0]), (key("10.20.0.5"), key("10.20.1.9")));
    }

    #[test]
    fn a_gap_is_silent() {
        let bench = Bench::new();
        let flow = flow("10.20.0.5", "10.20.1.9", 502);
        let gap = EventKind::Gap { direction: Direction::ToServer, octets: 9 };
        assert!(bench.tell(&mut *build(&RULE), 0, &flow, gap).is_empty());
    }
}
