//! Alert on traffic between zones that no conduit allows.

use super::waiting::{Attempts, Conversations, Settled, conversation};
use super::wording::{basis, client, ends, finding, operation, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, OperationFact, Stage};
use crate::facts::flow::{Flow, Transport};
use crate::memory::Bounded;
use crate::norm::Verdict;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use std::sync::Arc;
use yagura_parsers::message::Verb;
use yagura_parsers::protocols::ProtocolId;

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, memory| Box::new(ConduitBreach::new(memory)) };

static CARD: Card = Card {
    id: "OT-0004",
    name: "conduit_breach",
    severity: Severity::High,
    attack: &[
        Technique { id: "T0886", old: None, name: "Remote Services" },
        Technique { id: "T0867", old: None, name: "Lateral Tool Transfer" },
    ],
    serves: &[
        "000",
        "002 4.8.1",
        "002 5.4.4",
        "CSF DE.CM-01",
        "CSF PR.IR-01",
        "CPG 1.0.1 2.F",
        "CPG 2.0 3.I",
        "62443-3-3 SR 5.1",
        "62443-3-3 SR 5.2",
        "62443-3-3 SR 6.2",
    ],
    what: Text {
        en: "Two zones exchanged traffic, or one tried to, that no conduit of the site file allows.",
        ja: "サイトファイルのどのコンジットでも許可されていない通信が、ゾーン間で行われたか試みられました。",
    },
    why: Text {
        en: "The boundary between zones is what keeps an intruder of the office network away from controllers. \
             Traffic across it that nobody allowed means that a firewall has a hole, or that somebody goes around it.",
        ja: "ゾーンの境界は、事務系に侵入した者をコントローラーから遠ざける防壁です。許可のない通信が越えたことは、フ\
             ァイアウォールに穴があるか、迂回路があることを意味します。",
    },
    benign: Text {
        en: "A conduit that was forgotten in the site file, a firewall rule that was opened for maintenance.",
        ja: "サイトファイルへのコンジットの記載漏れ、保守のために一時的に開けたファイアウォール規則などが考えられま\
             す。",
    },
    response: Text {
        en: "Compare the firewall's rules with the site file. Close what should be closed; add a conduit only with \
             the approval of both zones' owners. Look for what else the client reached.",
        ja: "ファイアウォールの規則とサイトファイルを照合してください。不要な経路は閉じ、コンジットの追加は両ゾーンの\
             責任者の承認を得てから行ってください。クライアントがほかに到達した相手も調べてください。",
    },
    settings: &[],
};

static CROSSED: Text = Text {
    en: "{client} speaks {protocol} with {server} in another zone, and no conduit allows it",
    ja: "{client} が別のゾーンの {server} と {protocol} で通信していますが、許可するコンジットがありません",
};
static TRIED: Text = Text {
    en: "{client} tried to reach {protocol} of {server} in another zone without an answer; no conduit allows it",
    ja: "{client} が別のゾーンの {server} の {protocol} への接続を試みました（応答なし）。許可するコンジットがありま\
         せん",
};
static OPERATED: Text = Text {
    en: "{client} sent {operation} ({verb}) to unit {unit} at {server} in another zone, and no conduit allows it",
    ja: "{client} が別のゾーンの {server} のユニット {unit} に {operation}（{verb}）を送りましたが、許可するコンジッ\
         トがありません",
};

static SENT: Text = Text {
    en: "{client} sends {protocol} to {server} in another zone, and no conduit allows it",
    ja: "{client} が別のゾーンの {server} に {protocol} を送信していますが、許可するコンジットがありません",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&CROSSED, &TRIED, &OPERATED, &SENT];

/// Ends, and the protocol or port, of what was told.
type Pair = (AssetKey, AssetKey, Transport, u16, Option<ProtocolId>);

struct ConduitBreach {
    attempts: Attempts,
    waiting: Conversations,
    known: Bounded<Pair, ()>,
    /// Ends and port of what was told, and whether it was more than an attempt.
    told: Bounded<(AssetKey, AssetKey, Transport, u16), ()>,
    tried: Bounded<(AssetKey, AssetKey), ()>,
}

impl ConduitBreach {
    fn new(memory: usize) -> Self {
        Self {
            attempts: Attempts::new(memory),
            waiting: Conversations::new(memory),
            known: Bounded::new(memory),
            told: Bounded::new(memory),
            tried: Bounded::new(memory),
        }
    }

    fn crossed(&mut self, settled: &Settled, verdict: Verdict) -> Option<Finding> {
        let flow = &settled.flow;
        let port = (client(flow), server(flow), flow.transport, flow.server.port);
        let own = if flow.protocol.is_some() { 0 } else { flow.server.port };
        if !self.known.first((port.0, port.1, flow.transport, own, flow.protocol)) {
            return None;
        }
        if !matches!(verdict, Verdict::Forbidden(_)) || !self.told.first(port) {
            return None;
        }
        let mut finding = told(&CROSSED, flow, verdict);
        finding.earlier.extend(settled.earlier);
        Some(finding)
    }

    /// What is not known to have come through, once for each pair.
    fn tried(&mut self, text: &'static Text, flow: &Arc<Flow>, verdict: Verdict) -> Option<Finding> {
        if !matches!(verdict, Verdict::Forbidden(_)) || !self.tried.first((client(flow), server(flow))) {
            return None;
        }
        let mut finding = told(text, flow, verdict);
        finding.severity = Some(Severity::Medium);
        Some(finding)
    }

    fn operated(&self, flow: &Arc<Flow>, fact: &OperationFact) -> Option<Finding> {
        let is_asked = matches!(fact.stage, Stage::Requested | Stage::Unasked);
        if !is_asked || !matches!(fact.verdict, Verdict::Forbidden(_)) {
            return None;
        }
        let verb = fact.operation.verb;
        // Where the whole conversation was told, its reads add nothing; what changes something does.
        let changes = verb.changes_process() || verb.is_dangerous() || verb == Verb::Configure;
        if !changes && self.told.get(&(client(flow), server(flow), flow.transport, flow.server.port)).is_some() {
            return None;
        }
        let unit = fact.operation.unit;
        let subject = format!("{}/{}/{unit}/{}", ends(flow), spoken(flow), verb.name());
        let params = vec![
            ("protocol", Param::Text(spoken(flow))),
            ("operation", operation(flow, &fact.operation)),
            ("verb", Param::Word(verb.name())),
            ("unit", Param::Number(u64::from(unit))),
        ];
        Some(finding(&OPERATED, flow, subject, basis(fact.verdict), params))
    }
}

fn told(text: &'static Text, flow: &Arc<Flow>, verdict: Verdict) -> Finding {
    let spoken = spoken(flow);
    let subject = format!("{}/{spoken}", ends(flow));
    let params = vec![("protocol", Param::Text(spoken)), ("port", Param::Number(u64::from(flow.server.port)))];
    finding(text, flow, subject, basis(verdict), params)
}

impl Rule for ConduitBreach {
    fn interest(&self) -> Interest {
        Attempts::INTEREST.and(Conversations::INTEREST)
    }

    fn observe(&mut self, event: &Event, scene: Scene<'_>, found: &mut Vec<Finding>) {
        let mut failed = Vec::new();
        self.attempts.observe(event, &mut failed);
        for attempt in &failed {
            let finding = self.tried(&TRIED, &attempt.flow, conversation(scene, &attempt.flow));
            found.extend(finding.map(|finding| Finding { earlier: vec![attempt.cited], ..finding }));
        }
        let mut settled = Vec::new();
        let hopeful = |flow: &Flow| !matches!(conversation(scene, flow), Verdict::Forbidden(_));
        self.waiting.observe(event, hopeful, &mut settled);
        for one in &settled {
            let verdict = conversation(scene, &one.flow);
            found.extend(self.crossed(one, verdict));
        }
        match (&event.kind, &event.flow) {
            // An accepted connection to a usual port tells no protocol yet, and is forbidden if none would be in order.
            (EventKind::FlowAnswered, Some(flow)) if flow.protocol.is_none() && flow.transport == Transport::Tcp => {
                let verdict = conversation(scene, flow);
                let is_lost = !ProtocolId::ALL
                    .iter()
                    .any(|protocol| hopeful(&Flow { protocol: Some(*protocol), ..Flow::clone(flow) }));
                if is_lost && settled.is_empty() {
                    found.extend(self.crossed(&Settled { flow: Arc::clone(flow), earlier: None }, verdict));
                }
            }
            (EventKind::FlowOpened { attempt: false }, Some(flow))
                if flow.transport != Transport::Tcp && !flow.is_to_group() =>
            {
                found.extend(self.tried(&SENT, flow, conversation(scene, flow)));
            }
            (EventKind::Operation(fact), Some(flow)) => found.extend(self.operated(flow, fact)),
            _ => {}
        }
    }

    fn forgotten(&self) -> u64 {
        self.known.evicted().saturating_add(self.tried.evicted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{
        Bench, asked, build, flow, forbidden, kind, read, refused, unidentified, unusual, usual, write,
    };
    use crate::norm::Novelty;

    fn settled(flow: &Arc<Flow>) -> Settled {
        Settled { flow: Arc::clone(flow), earlier: None }
    }

    #[test]
    fn a_forbidden_conversation_is_told_once() {
        let mut rule = ConduitBreach::new(10);
        let one = settled(&flow("10.30.0.66", "10.20.1.9", 502));
        let finding = rule.crossed(&one, forbidden()).unwrap();
        assert_eq!((finding.subject.as_str(), finding.severity), ("10.30.0.66>10.20.1.9/modbus", None));
        assert!(rule.crossed(&one, forbidden()).is_none());
    }

    #[test]
    fn what_a_conduit_allows_or_nobody_forbids_is_silent() {
        let mut rule = ConduitBreach::new(10);
        for (last, verdict) in [(1, usual()), (2, unusual(Novelty::Conversation)), (3, Verdict::Unknown)] {
            let one = flow("10.30.0.66", &format!("10.20.1.{last}"), 502);
            assert!(rule.crossed(&settled(&one), verdict).is_none());
            assert!(rule.operated(&one, &asked(write(1, 0, 1), verdict)).is_none());
        }
    }

    #[test]
    fn an_attempt_is_told_once_a_pair_and_milder() {
        let mut rule = ConduitBreach::new(10);
        let attempt = |port| unidentified("10.30.0.66", "10.20.1.9", port);
        let finding = rule.tried(&TRIED, &attempt(22), forbidden()).unwrap();
        assert_eq!(finding.severity, Some(Severity::Medium));
        assert!(rule.tried(&TRIED, &attempt(23), forbidden()).is_none());
        let mut fresh = ConduitBreach::new(10);
        assert!(fresh.tried(&TRIED, &attempt(22), usual()).is_none());
    }

    #[test]
    fn a_forbidden_operation_is_told_with_its_verb() {
        let mut rule = ConduitBreach::new(10);
        let flow = flow("10.30.0.66", "10.20.1.9", 502);
        let finding = rule.operated(&flow, &asked(write(1, 40, 2), forbidden())).unwrap();
        assert_eq!(finding.subject, "10.30.0.66>10.20.1.9/modbus/1/write");
        assert!(rule.operated(&flow, &refused(write(1, 40, 2), forbidden(), 1)).is_none(), "told when it was asked");
        assert!(rule.operated(&flow, &asked(read(1, 40, 2), forbidden())).is_some());
        rule.crossed(&settled(&flow), forbidden());
        assert!(rule.operated(&flow, &asked(read(1, 40, 2), forbidden())).is_none(), "told with the conversation");
        assert!(rule.operated(&flow, &asked(write(1, 40, 2), forbidden())).is_some());
    }

    #[test]
    fn the_site_file_draws_the_line() {
        let bench = Bench::with_site(
            r#"
            [[zone]]
            name = "control"
            networks = ["10.20.0.0/24"]
            [[zone]]
            name = "field"
            networks = ["10.20.1.0/24"]
            [[zone]]
            name = "office"
            networks = ["10.30.0.0/24"]
            [[conduit]]
            from = "control"
            to = "field"
            allow = [{ protocol = "modbus", verbs = ["read"] }]
            "#,
        );
        let mut rule = build(&RULE);
        let mut told = |second, client: &str, port, kind| {
            let flow = unidentified(client, "10.20.1.9", port);
            bench.tell(&mut *rule, second, &flow, kind).into_iter().map(|finding| finding.text).collect::<Vec<_>>()
        };
        let syn = || EventKind::FlowOpened { attempt: true };
        assert!(told(0, "10.20.0.5", 502, syn()).is_empty());
        assert!(told(0, "10.20.0.5", 502, EventKind::FlowAnswered).is_empty(), "what the conduit is for");
        assert!(told(0, "10.30.0.66", 502, syn()).is_empty());
        assert_eq!(told(0, "10.30.0.66", 502, EventKind::FlowAnswered), [&CROSSED], "there is no conduit at all");
        assert!(told(0, "10.30.0.66", 22, syn()).is_empty());
        assert_eq!(told(0, "10.30.0.66", 22, EventKind::FlowRefused), [&TRIED]);
        assert!(
            told(0, "10.20.0.5", 22, EventKind::FlowAnswered).is_empty(),
            "it may yet speak what the conduit is for"
        );
        let late = bench.show(&mut *rule, &bench.event(40, None, EventKind::Tick));
        assert_eq!(
            late.iter().map(|finding| finding.subject.as_str()).collect::<Vec<_>>(),
            ["10.20.0.5>10.20.1.9/tcp/22"]
        );
        let mut datagrams = Flow::clone(&unidentified("10.30.0.66", "10.20.1.10", 514));
        datagrams.transport = Transport::Udp;
        let datagrams = Arc::new(datagrams);
        let found = bench.tell(&mut *rule, 41, &datagrams, EventKind::FlowOpened { attempt: false });
        assert_eq!((found[0].text, found[0].severity), (&SENT, Some(Severity::Medium)));
        let found = bench.tell(&mut *rule, 41, &datagrams, EventKind::FlowAnswered);
        assert_eq!((found[0].text, found[0].severity), (&CROSSED, None));
    }

    #[test]
    fn without_zones_nothing_is_told() {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        let flow = flow("10.30.0.66", "10.20.1.9", 502);
        let open = unidentified("10.30.0.66", "10.20.1.9", 22);
        for event in [
            bench.event(0, Some(&open), EventKind::FlowOpened { attempt: true }),
            bench.event(0, Some(&open), EventKind::FlowRefused),
            bench.event(1, Some(&open), EventKind::FlowAnswered),
            bench.event(1, Some(&flow), EventKind::Identified),
            bench.event(1, Some(&flow), kind(asked(write(1, 0, 1), Verdict::Unknown))),
            bench.event(9, None, EventKind::Tick),
        ] {
            assert!(bench.show(&mut *rule, &event).is_empty());
        }
    }
}
