//! Alert on two devices that never spoke this protocol with each other, and on their coming back.

use super::waiting::{Conversations, Settled, conversation};
use super::wording::{basis, client, ends, finding, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind};
use crate::facts::flow::{Flow, Transport};
use crate::facts::time::Timestamp;
use crate::memory::Bounded;
use crate::norm::Verdict;
use crate::rule::{
    Card, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use yagura_parsers::protocols::ProtocolId;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(ConversationNew::new(settings, memory)) };

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
        en: "A client and a server speak a protocol, or use a port, that the baseline does not know between these two. \
             It is told again each time that it comes back after a quiet time.",
        ja: "クライアントとサーバーの間で、ベースラインにないプロトコルまたはポートの通信を観測しました。しばらく途絶\
             えた後に再び始まるたびに、改めて通知します。",
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
    settings: &[Setting {
        name: "quiet_s",
        what: "so many seconds without a word between the two, after which a new connection is told again",
        default: 600,
        min: 120,
        max: 31_536_000,
    }],
};

static NEW: Text = Text {
    en: "{client} speaks {protocol} with {server} for the first time",
    ja: "{client} と {server} の間で {protocol} の通信を初めて観測しました",
};
static AGAIN: Text = Text {
    en: "{client} speaks {protocol} with {server} again, after {quiet} s of silence",
    ja: "{client} と {server} の間の {protocol} の通信が、{quiet} 秒の途絶の後に再び始まりました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&NEW, &AGAIN];

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
    quiet_ns: u64,
    waiting: Conversations,
    /// What is not told, and need not be looked up again.
    known: Bounded<Pair, ()>,
    /// What was told, by its port and by its protocol, and when it was heard last.
    told: Bounded<Pair, Timestamp>,
    unjudged: u64,
}

impl ConversationNew {
    fn new(settings: &Settings, memory: usize) -> Self {
        Self {
            quiet_ns: settings.value(&CARD, "quiet_s").saturating_mul(1_000_000_000),
            waiting: Conversations::new(memory),
            known: Bounded::new(memory),
            told: Bounded::new(memory),
            unjudged: 0,
        }
    }

    fn judge(&mut self, settled: &Settled, verdict: Verdict, now: Timestamp) -> Option<Finding> {
        let flow = &settled.flow;
        match verdict {
            Verdict::Usual(_) | Verdict::Forbidden(_) => {
                self.known.first(by_protocol(flow));
                return None;
            }
            Verdict::Unknown => {
                if self.known.first(by_protocol(flow)) {
                    self.unjudged = self.unjudged.saturating_add(1);
                }
                return None;
            }
            Verdict::Unusual(..) => {}
        }
        // What was told by its port is not told again when its protocol turns out: it was heard since it was opened.
        let before = self.hear(flow, now);
        for key in [by_port(flow), by_protocol(flow)] {
            self.told.or_insert_with(key, || now);
        }
        let quiet = before.map(|last| flow.opened.since(last));
        if quiet.is_some_and(|quiet| quiet < self.quiet_ns) {
            return None;
        }
        let spoken = spoken(flow);
        let subject = format!("{}/{spoken}", ends(flow));
        let mut params = vec![("protocol", Param::Text(spoken)), ("port", Param::Number(u64::from(flow.server.port)))];
        params.extend(quiet.map(|ns| ("quiet", Param::Number(ns.checked_div(1_000_000_000).unwrap_or(0)))));
        let text = if quiet.is_some() { &AGAIN } else { &NEW };
        let mut finding = finding(text, flow, subject, basis(verdict), params);
        finding.earlier.extend(settled.earlier);
        Some(finding)
    }

    /// Notes that a conversation that was told is heard; answers when it was before.
    fn hear(&mut self, flow: &Flow, time: Timestamp) -> Option<Timestamp> {
        let keys = [by_port(flow), by_protocol(flow)];
        let before = keys.iter().filter_map(|key| self.told.get(key).copied()).max();
        for key in &keys {
            if let Some(last) = self.told.touch(key) {
                *last = time.max(*last);
            }
        }
        before
    }
}

impl Rule for ConversationNew {
    fn interest(&self) -> Interest {
        Conversations::INTEREST.and(Interest::OPERATION)
    }

    fn observe(&mut self, event: &Event, scene: Scene<'_>, found: &mut Vec<Finding>) {
        if let (EventKind::Operation(_), Some(flow)) = (&event.kind, &event.flow) {
            self.hear(flow, event.time);
            return;
        }
        let mut settled = Vec::new();
        let hopeful = |flow: &Flow| matches!(conversation(scene, flow), Verdict::Usual(_));
        self.waiting.observe(event, hopeful, &mut settled);
        for one in &settled {
            // The answer is asked for once only: what is known is not looked up again.
            let verdict = match self.known.get(&by_protocol(&one.flow)) {
                Some(()) => continue,
                None => conversation(scene, &one.flow),
            };
            found.extend(self.judge(one, verdict, event.time));
        }
        // Knocking at a closed door is no word between the two.
        if let (EventKind::FlowClosed(summary), Some(flow)) = (&event.kind, &event.flow)
            && summary.octets != [0, 0]
        {
            self.hear(flow, summary.last);
        }
    }

    fn unjudged(&self) -> u64 {
        self.unjudged
    }

    fn forgotten(&self) -> u64 {
        self.known.evicted().saturating_add(self.told.evicted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{
        Bench, SECOND, asked, build, flow, forbidden, kind, read, unidentified, unusual, usual,
    };
    use crate::facts::flow::FlowSummary;
    use crate::norm::Novelty;
    use std::sync::Arc;

    const NOW: Timestamp = Timestamp(0);

    fn settled(flow: &Arc<Flow>) -> Settled {
        Settled { flow: Arc::clone(flow), earlier: None }
    }

    #[test]
    fn a_pair_that_is_not_in_the_baseline_is_told_once() {
        let mut rule = ConversationNew::new(&Settings::default(), 10);
        let flow = settled(&flow("10.20.0.66", "10.20.1.9", 502));
        let finding = rule.judge(&flow, unusual(Novelty::Conversation), NOW).unwrap();
        assert_eq!(finding.subject, "10.20.0.66>10.20.1.9/modbus");
        assert!(rule.judge(&flow, unusual(Novelty::Conversation), NOW).is_none());
        assert_eq!(rule.unjudged(), 0);
    }

    #[test]
    fn usual_and_forbidden_pairs_are_not_told_here() {
        let mut rule = ConversationNew::new(&Settings::default(), 10);
        assert!(rule.judge(&settled(&flow("10.20.0.5", "10.20.1.9", 502)), usual(), NOW).is_none());
        assert!(rule.judge(&settled(&flow("10.20.0.6", "10.20.1.9", 502)), forbidden(), NOW).is_none());
        assert_eq!(rule.unjudged(), 0);
    }

    #[test]
    fn a_port_and_the_protocol_behind_it_are_told_once() {
        let mut rule = ConversationNew::new(&Settings::default(), 10);
        let by_port = settled(&unidentified("10.20.0.66", "10.20.1.9", 10_502));
        let by_protocol = settled(&flow("10.20.0.66", "10.20.1.9", 10_502));
        let finding = rule.judge(&by_port, unusual(Novelty::Conversation), NOW).unwrap();
        assert_eq!(finding.subject, "10.20.0.66>10.20.1.9/tcp/10502");
        assert!(rule.judge(&by_protocol, unusual(Novelty::Conversation), NOW).is_none());
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

    /// A stranger's connection that is opened at a second of the bench.
    fn opened(second: u64, port: u16) -> Arc<Flow> {
        let opened = Bench::new().event(second, None, EventKind::Tick).time;
        Arc::new(Flow { opened, ..Flow::clone(&flow("10.20.0.66", "10.20.1.9", port)) })
    }

    fn strict() -> Bench {
        Bench::with_site(r#"conversations = [{ client = "10.20.0.5", server = "10.20.1.9", protocol = "modbus" }]"#)
    }

    #[test]
    fn a_stranger_that_comes_back_after_a_quiet_time_is_told_again() {
        let bench = strict();
        let mut rule = build(&RULE);
        let mut texts = Vec::new();
        for second in [0, 300, 899, 1_499, 1_500] {
            let found = bench.tell(&mut *rule, second, &opened(second, 502), EventKind::Identified);
            texts.push(found.first().map(|one| (one.text, one.subject.clone())));
        }
        let subject = "10.20.0.66>10.20.1.9/modbus".to_owned();
        let told = |text| Some((text, subject.clone()));
        assert_eq!(texts, [told(&NEW), None, None, told(&AGAIN), None], "899 to 1499 is 600 s, and all else less");
    }

    #[test]
    fn a_stranger_of_whom_only_the_port_is_known_is_told_again_too() {
        let bench = strict();
        let mut rule = build(&RULE);
        let texts = [0, 599, 1_198, 1_798].map(|second| {
            let ssh = Flow { protocol: None, dialect: "", ..Flow::clone(&opened(second, 22)) };
            let found = bench.tell(&mut *rule, second, &Arc::new(ssh), EventKind::FlowAnswered);
            found.first().map(|one| one.text)
        });
        assert_eq!(texts, [Some(&NEW), None, None, Some(&AGAIN)]);
    }

    #[test]
    fn what_is_said_in_the_meantime_is_no_quiet() {
        let bench = strict();
        let mut rule = build(&RULE);
        let long = opened(0, 502);
        assert_eq!(bench.tell(&mut *rule, 0, &long, EventKind::Identified).len(), 1);
        let said = || kind(asked(read(1, 0, 1), unusual(Novelty::Conversation)));
        assert!(bench.tell(&mut *rule, 1_000, &long, said()).is_empty(), "an old connection is not told again");
        assert!(bench.tell(&mut *rule, 1_599, &opened(1_599, 502), EventKind::Identified).is_empty());
        let last = bench.event(2_000, None, EventKind::Tick).time;
        let closed = |octets| {
            EventKind::FlowClosed(Box::new(FlowSummary { octets, last, messages: [1, 1], ..FlowSummary::default() }))
        };
        bench.tell(&mut *rule, 2_010, &long, closed([12, 12]));
        assert!(bench.tell(&mut *rule, 2_599, &opened(2_599, 502), EventKind::Identified).is_empty());
        assert_eq!(bench.tell(&mut *rule, 3_199, &opened(3_199, 502), EventKind::Identified).len(), 1);
        let knock = Flow { opened: Timestamp(last.0 + 1_800 * SECOND), ..Flow::clone(&opened(0, 502)) };
        let last = knock.opened;
        let refused = EventKind::FlowClosed(Box::new(FlowSummary { last, ..FlowSummary::default() }));
        bench.tell(&mut *rule, 3_800, &Arc::new(knock), refused);
        assert_eq!(bench.tell(&mut *rule, 3_801, &opened(3_801, 502), EventKind::Identified).len(), 1);
    }

    #[test]
    fn a_protocol_that_moves_to_another_port_is_no_new_conversation() {
        let bench = strict();
        let mut rule = build(&RULE);
        let texts = [(0, 502), (300, 10_502), (899, 502), (1_499, 10_503)].map(|(second, port)| {
            let found = bench.tell(&mut *rule, second, &opened(second, port), EventKind::Identified);
            found.first().map(|one| one.text)
        });
        assert_eq!(texts, [Some(&NEW), None, None, Some(&AGAIN)]);
    }

    #[test]
    fn what_is_in_order_is_silent_however_long_it_was_quiet() {
        let mut rule = ConversationNew::new(&Settings::default(), 10);
        for second in [0, 10_000] {
            let now = opened(second, 502).opened;
            let flow =
                |client| settled(&Arc::new(Flow { opened: now, ..Flow::clone(&flow(client, "10.20.1.9", 502)) }));
            assert!(rule.judge(&flow("10.20.0.5"), usual(), now).is_none());
            assert!(rule.judge(&flow("10.20.0.6"), forbidden(), now).is_none());
            assert!(rule.judge(&flow("10.20.0.7"), Verdict::Unknown, now).is_none());
        }
        assert_eq!(rule.unjudged(), 1);
    }

    #[test]
    fn forgetting_is_counted() {
        let mut rule = ConversationNew::new(&Settings::default(), 1);
        rule.judge(&settled(&flow("10.20.0.5", "10.20.1.9", 502)), usual(), NOW);
        rule.judge(&settled(&flow("10.20.0.5", "10.20.1.10", 502)), usual(), NOW);
        assert_eq!(rule.forgotten(), 1);
    }

    #[test]
    fn what_was_told_is_bounded() {
        let mut rule = ConversationNew::new(&Settings::default(), 2);
        for port in 1..=5 {
            let flow = settled(&unidentified("10.20.0.66", "10.20.1.9", port));
            assert!(rule.judge(&flow, unusual(Novelty::Conversation), NOW).is_some());
        }
        assert_eq!((rule.told.len(), rule.forgotten()), (2, 3));
    }
}
