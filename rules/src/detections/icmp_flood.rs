//! Alert on so many ICMP messages between two devices that they are no test of a line.

use super::wording::{client, ends, finding, server};
use crate::facts::event::{Event, EventKind};
use crate::facts::flow::Transport;
use crate::norm::Basis;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Setting, Severity, Technique, Text};

/// The catalogue's line.
pub const RULE: Registration = Registration {
    card: &CARD,
    build: |settings, _| Box::new(IcmpFlood { frames: settings.value(&CARD, "frames").max(1) }),
};

static CARD: Card = Card {
    id: "OT-0029",
    name: "icmp_flood",
    severity: Severity::Medium,
    attack: &[Technique { id: "T0814", old: None, name: "Denial of Service" }],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2", "62443-3-3 SR 7.1"],
    what: Text {
        en: "One device sent another far more ICMP messages within ten seconds than a test of the line needs.",
        ja: "ある機器が別の機器に、10秒以内に、回線の確認に必要な数をはるかに超えるICMPメッセージを送りました。",
    },
    why: Text {
        en: "Controllers have little room for the network beside their task. A flood of messages that each must be \
             answered can make them late or stop them.",
        ja: "コントローラーには、本来の処理のほかに通信を処理する余力があまりありません。応答を要するメッセージが大量に\
             届くと、処理が遅れたり停止したりするおそれがあります。",
    },
    benign: Text {
        en: "Somebody measures a line with a fast ping, a monitor of availability that asks too often, a device that \
             complains of each datagram for a port that is closed.",
        ja: "高速なpingによる回線の測定、頻度の高すぎる死活監視、閉じたポート宛てのデータグラムごとに通知を返す機器など\
             が考えられます。",
    },
    response: Text {
        en: "Find who uses the sender and why. If nobody tests the line, disconnect the sender, and look whether the \
             receiver still answers its master in time.",
        ja: "送信元の利用者と目的を確認してください。回線の測定でなければ送信元を切り離し、受信側の機器がマスターに遅れ\
             なく応答しているかを確認してください。",
    },
    settings: &[Setting {
        name: "frames",
        what: "so many frames one way within ten seconds; noticed at 64 and each doubling of it",
        default: 64,
        min: 64,
        max: 1_000_000,
    }],
};

static FLOOD: Text = Text {
    en: "{sender} sent {receiver} {count} ICMP messages within {seconds} s",
    ja: "{sender} が {seconds} 秒以内に {receiver} へICMPメッセージを {count} 件送りました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&FLOOD];

struct IcmpFlood {
    frames: u64,
}

impl Rule for IcmpFlood {
    fn interest(&self) -> Interest {
        Interest::RATE
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        let (EventKind::Rate(rate), Some(flow)) = (&event.kind, &event.flow) else { return };
        if flow.transport != Transport::Icmp {
            return;
        }
        let (client, server) = (client(flow), server(flow));
        let [to_server, to_client] = rate.frames;
        // Who is asked often answers often: of the two, the client is the actor.
        let (sender, receiver, count) = if to_server >= self.frames {
            (client, server, to_server)
        } else if to_client >= self.frames {
            (server, client, to_client)
        } else {
            return;
        };
        let params = vec![
            ("sender", Param::Asset(sender)),
            ("receiver", Param::Asset(receiver)),
            ("count", Param::Number(count)),
            ("seconds", Param::Number(event.time.since(rate.since).div_ceil(1_000_000_000).max(1))),
        ];
        let mut finding = finding(&FLOOD, flow, ends(flow), Basis::None, params);
        finding.assets = vec![sender, receiver];
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, SECOND, build, key, unidentified};
    use crate::facts::event::RateFact;
    use crate::facts::flow::Flow;
    use crate::facts::time::Timestamp;
    use std::sync::Arc;

    fn heard(transport: Transport, frames: [u64; 2]) -> Vec<Finding> {
        let bench = Bench::new();
        let mut flow = Flow::clone(&unidentified("10.20.0.66", "10.20.1.9", 0));
        flow.transport = transport;
        let since = Timestamp(1_767_607_200 * SECOND);
        let rate = RateFact { since, frames, ..RateFact::default() };
        bench.tell(&mut *build(&RULE), 4, &Arc::new(flow), EventKind::Rate(rate))
    }

    #[test]
    fn a_fast_ping_is_told_with_its_sender() {
        let found = heard(Transport::Icmp, [64, 64]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].subject.as_str(), found[0].flow.is_some()), ("10.20.0.66>10.20.1.9", true));
        assert_eq!(found[0].assets, [key("10.20.0.66"), key("10.20.1.9")]);
        assert!(found[0].params.contains(&("count", Param::Number(64))));
        assert!(found[0].params.contains(&("seconds", Param::Number(4))));
    }

    #[test]
    fn what_only_the_server_sends_is_the_servers_flood() {
        assert_eq!(heard(Transport::Icmp, [3, 128])[0].assets, [key("10.20.1.9"), key("10.20.0.66")]);
    }

    #[test]
    fn fewer_messages_and_other_transports_are_silent() {
        assert!(heard(Transport::Icmp, [63, 63]).is_empty());
        assert!(heard(Transport::Udp, [4_096, 4_096]).is_empty());
    }
}
