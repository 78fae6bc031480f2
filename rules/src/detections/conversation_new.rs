//! Alert on two devices that never spoke this protocol with each other.

use super::waiting::{Conversations, Settled, conversation};
use super::wording::{basis, client, ends, finding, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::Event;
use crate::facts::flow::{Flow, Transport};
use crate::memory::Bounded;
use crate::norm::Verdict;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use yagura_parsers::protocols::ProtocolId;

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, memory| Box::new(ConversationNew::new(memory)) };

static CARD: Card = Card {
    id: "OT-0003",
    name: "conversation_new",
    severity: Severity::Medium,
    attack: &[
        Technique { id: "T0886", old: None, name: "Remote Services" },
        Technique { id: "T0885", old: None, name: "Commonly Used Port" },
        Technique { id: "T0848", old: None, name: "Rogue Master" },
    ],
    serves: &[
        "000",
        "002 4.8.1",
        "002 5.4.4",
        "CSF DE.CM-01",
        "CSF ID.AM-03",
        "CPG 1.0.1 3.A",
        "CPG 2.0 4.B",
        "62443-3-3 SR 6.2",
    ],
    what: Text {
        en: "A client and a server speak a protocol, or use a port, that the baseline does not know between these two.",
        ja: "クライアントとサーバーの間で、ベースラインにないプロトコルまたはポートの通信を観測しました。",
    },
    why: Text {
        en: "Control networks repeat themselves for years. A new pair, or a new protocol of a known pair, is how a \
             foothold reaches for its next target.",
        ja: "制御ネットワークの通信は何年も同じ組合せの繰り返しです。新しい組合せや新しいプロトコルは、侵入者が足場か\
             ら次の標的へ進むときに現れます。",
    },
    benign: Text {
        en: "A new device or function, engineering work, a rare job (backup, report) that was not met while learning.",
        ja: "機器や機能の追加、エンジニアリング作業、学習期間中になかったまれな処理（バックアップ、帳票など）が考えら\
             れます。",
    },
    response: Text {
        en: "Ask the owners of both devices whether they expect the connection. If so, add the line to the baseline; \
             if not, treat the client as compromised until its user is found.",
        ja: "両方の機器の担当者に、想定された接続かどうかを確認してください。想定内であればベースラインに行を追加し、\
             そうでなければ利用者が判明するまでクライアントが侵害されたものとして扱ってください。",
    },
    settings: &[],
};

static NEW: Text = Text {
    en: "{client} speaks {protocol} with {server} for the first time",
    ja: "{client} と {server} の間で {protocol} の通信を初めて観測しました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&NEW];

/// What is looked up once: the ends, and the protocol or the port.
type Pair = (AssetKey, AssetKey, Transport, u16, Option<ProtocolId>);

fn by_protocol(flow: &Flow) -> Pair {
    let port = if flow.protocol.is_some() { 0 } else { flow.server.port };
    (client(flow), server(flow), flow.transport, port, flow.protocol)
}

fn by_port(flow: &Flow) -> Pair {
    (client(flow), server(flow), flow.transport, flow.server.port, None)
}

struct ConversationNew {
    waiting: Conversations,
    known: Bounded<Pair, ()>,
    told: Bounded<Pair, ()>,
    unjudged: u64,
}

impl ConversationNew {
    fn new(memory: usize) -> Self {
        Self {
            waiting: Conversations::new(memory),
            known: Bounded::new(memory),
            told: Bounded::new(memory),
            unjudged: 0,
        }
    }

    fn judge(&mut self, settled: &Settled, verdict: Verdict) -> Option<Finding> {
        let flow = &settled.flow;
        if !self.known.first(by_protocol(flow)) {
            return None;
        }
        match verdict {
            Verdict::Usual(_) | Verdict::Forbidden(_) => None,
            Verdict::Unknown => {
                self.unjudged = self.unjudged.saturating_add(1);
                None
            }
            // What was told by its port is not told again when its protocol turns out.
            Verdict::Unusual(..) if !self.told.first(by_port(flow)) => None,
            Verdict::Unusual(..) => {
                let spoken = spoken(flow);
                let subject = format!("{}/{spoken}", ends(flow));
                let params =
                    vec![("protocol", Param::Text(spoken)), ("port", Param::Number(u64::from(flow.server.port)))];
                let mut finding = finding(&NEW, flow, subject, basis(verdict), params);
                finding.earlier.extend(settled.earlier);
                Some(finding)
            }
        }
    }
}

impl Rule for ConversationNew {
    fn interest(&self) -> Interest {
        Conversations::INTEREST
    }

    fn observe(&mut self, event: &Event, scene: Scene<'_>, found: &mut Vec<Finding>) {
        let mut settled = Vec::new();
        let hopeful = |flow: &Flow| matches!(conversation(scene, flow), Verdict::Usual(_));
        self.waiting.observe(event, hopeful, &mut settled);
        for one in &settled {
            // The answer is asked for once only: what is known is not looked up again.
            let verdict = match self.known.get(&by_protocol(&one.flow)) {
                Some(()) => continue,
                None => conversation(scene, &one.flow),
            };
            found.extend(self.judge(one, verdict));
        }
    }

    fn unjudged(&self) -> u64 {
        self.unjudged
    }

    fn forgotten(&self) -> u64 {
        self.known.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, flow, forbidden, unidentified, unusual, usual};
    use crate::facts::event::EventKind;
    use crate::norm::Novelty;
    use std::sync::Arc;

    fn settled(flow: &Arc<Flow>) -> Settled {
        Settled { flow: Arc::clone(flow), earlier: None }
    }

    #[test]
    fn a_pair_that_is_not_in_the_baseline_is_told_once() {
        let mut rule = ConversationNew::new(10);
        let flow = settled(&flow("10.20.0.66", "10.20.1.9", 502));
        let finding = rule.judge(&flow, unusual(Novelty::Conversation)).unwrap();
        assert_eq!(finding.subject, "10.20.0.66>10.20.1.9/modbus");
        assert!(rule.judge(&flow, unusual(Novelty::Conversation)).is_none());
        assert_eq!(rule.unjudged(), 0);
    }

    #[test]
    fn usual_and_forbidden_pairs_are_not_told_here() {
        let mut rule = ConversationNew::new(10);
        assert!(rule.judge(&settled(&flow("10.20.0.5", "10.20.1.9", 502)), usual()).is_none());
        assert!(rule.judge(&settled(&flow("10.20.0.6", "10.20.1.9", 502)), forbidden()).is_none());
        assert_eq!(rule.unjudged(), 0);
    }

    #[test]
    fn a_port_and_the_protocol_behind_it_are_told_once() {
        let mut rule = ConversationNew::new(10);
        let by_port = settled(&unidentified("10.20.0.66", "10.20.1.9", 10_502));
        let by_protocol = settled(&flow("10.20.0.66", "10.20.1.9", 10_502));
        let finding = rule.judge(&by_port, unusual(Novelty::Conversation)).unwrap();
        assert_eq!(finding.subject, "10.20.0.66>10.20.1.9/tcp/10502");
        assert!(rule.judge(&by_protocol, unusual(Novelty::Conversation)).is_none());
    }

    #[test]
    fn a_listed_pair_may_use_another_port_and_a_stranger_may_not() {
        let bench = Bench::with_site(
            r#"conversations = [{ client = "10.20.0.5", server = "10.20.1.9", protocol = "modbus" }]"#,
        );
        let mut rule = build(&RULE);
        for kind in [EventKind::FlowOpened { attempt: true }, EventKind::FlowAnswered] {
            let quiet = unidentified("10.20.0.5", "10.20.1.9", 10_502);
            assert!(bench.tell(&mut *rule, 0, &quiet, kind).is_empty(), "it may yet speak what is usual");
        }
        assert!(bench.tell(&mut *rule, 1, &flow("10.20.0.5", "10.20.1.9", 10_502), EventKind::Identified).is_empty());
        let web = unidentified("10.20.0.5", "10.20.1.9", 80);
        assert!(bench.tell(&mut *rule, 2, &web, EventKind::FlowAnswered).is_empty());
        let found = bench.show(&mut *rule, &bench.event(40, None, EventKind::Tick));
        assert_eq!((found.len(), found[0].subject.as_str()), (1, "10.20.0.5>10.20.1.9/tcp/80"));
        assert_eq!(found[0].earlier.len(), 1);
        let found = bench.tell(&mut *rule, 50, &flow("10.20.0.66", "10.20.1.9", 502), EventKind::Identified);
        assert_eq!(found[0].subject, "10.20.0.66>10.20.1.9/modbus");
        let ssh = unidentified("10.20.0.66", "10.20.1.9", 22);
        assert_eq!(bench.tell(&mut *rule, 51, &ssh, EventKind::FlowAnswered).len(), 1, "told at once");
    }

    #[test]
    fn without_a_baseline_pairs_are_counted_once() {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        for (second, server) in [(0, "10.20.1.9"), (1, "10.20.1.10"), (2, "10.20.1.9")] {
            let flow = flow("10.20.0.5", server, 502);
            assert!(bench.tell(&mut *rule, second, &flow, EventKind::Identified).is_empty());
        }
        let ssh = unidentified("10.20.0.7", "10.20.1.9", 22);
        bench.tell(&mut *rule, 3, &ssh, EventKind::FlowOpened { attempt: true });
        assert_eq!(rule.unjudged(), 2, "an attempt is no conversation");
        bench.tell(&mut *rule, 3, &ssh, EventKind::FlowAnswered);
        assert_eq!(rule.unjudged(), 3);
    }

    #[test]
    fn forgetting_is_counted() {
        let mut rule = ConversationNew::new(1);
        rule.judge(&settled(&flow("10.20.0.5", "10.20.1.9", 502)), usual());
        rule.judge(&settled(&flow("10.20.0.5", "10.20.1.10", 502)), usual());
        assert_eq!(rule.forgotten(), 1);
    }
}
