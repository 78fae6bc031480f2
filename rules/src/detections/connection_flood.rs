//! Alert on one port of a server that is called far more often than it is used.

use super::waiting::{Attempts, Waiting, conversation};
use super::wording::{client, ends, finding, place, server};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind};
use crate::facts::flow::{Flow, Transport};
use crate::facts::time::Timestamp;
use crate::memory::Bounded;
use crate::norm::{Basis, Verdict};
use crate::rule::{
    Card, Cited, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use yagura_parsers::protocols::ProtocolId;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(ConnectionFlood::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0028",
    name: "connection_flood",
    severity: Severity::Medium,
    attack: &[Technique { id: "T0814", old: None, name: "Denial of Service" }],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2", "62443-3-3 SR 7.1"],
    what: Text {
        en: "Within a minute one TCP port of a server got many connection attempts without an answer, very many \
             answered or not, or one client opened many sessions to an industrial port. The last alone is low.",
        ja: "1分以内に、サーバーの一つのTCPポートに応答のない接続要求が多数、または応答の有無を問わず極めて多数届きまし\
             た。あるいは一つのクライアントが産業用ポートに多数のセッションを開きました。最後の場合の深刻度は低です。",
    },
    why: Text {
        en: "A controller has room for a few connections. Who takes them all, open or half open, shuts out its master \
             and the operators' view.",
        ja: "コントローラーが受け付けられる接続はわずかです。すべてを（半開きであっても）占有されると、マスターは接続で\
             きず、運転員は値を見られなくなります。",
    },
    benign: Text {
        en: "A client that opens a connection for each request, clients that all look for a server that is down, a \
             busy web server or proxy.",
        ja: "要求ごとに接続を開くクライアント、停止したサーバーを探し続ける多数のクライアント、利用の多いウェブサーバー\
             やプロキシーなどが考えられます。",
    },
    response: Text {
        en: "Look whether the server still accepts its own clients. Find the sources; where there are many that the \
             plant does not have, their addresses are forged, and the switch port of the MAC address leads further.",
        ja: "サーバーが本来のクライアントの接続をまだ受け付けているかを確認し、送信元を特定してください。設備にないアド\
             レスが多数ある場合は偽装です。MACアドレスのスイッチポートから送信元をたどってください。",
    },
    settings: &[
        Setting {
            name: "unanswered",
            what: "attempts at one port without an answer within a minute",
            default: 300,
            min: 20,
            max: 1_000_000,
        },
        Setting {
            name: "attempts",
            what: "attempts at one port within a minute, answered or not",
            default: 1_200,
            min: 20,
            max: 1_000_000,
        },
        Setting {
            name: "sessions",
            what: "sessions of one client at an industrial port within a minute; four times as many if they are usual",
            default: 50,
            min: 5,
            max: 1_000_000,
        },
    ],
};

static UNANSWERED: Text = Text {
    en: "{count} connection attempts at port {port} of {server} within a minute had no answer; {sources} sources, the \
         last is {client}",
    ja: "1分以内に {server} のポート {port} へ応答のない接続要求が {count} 件ありました（送信元 {sources} 個、最新は \
         {client}）",
};
static ATTEMPTS: Text = Text {
    en: "{count} connection attempts at port {port} of {server} within a minute; {sources} sources, the last is \
         {client}",
    ja: "1分以内に {server} のポート {port} へ接続要求が {count} 件ありました（送信元 {sources} 個、最新は {client}）",
};
static SESSIONS: Text = Text {
    en: "{client} opened {count} sessions to port {port} of {server} within a minute",
    ja: "{client} が1分以内に {server} のポート {port} へセッションを {count} 回開きました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&UNANSWERED, &ATTEMPTS, &SESSIONS];

/// A minute is counted in six slots of so many ns.
const SLOT_NS: u64 = 10_000_000_000;
const SLOTS: usize = 6;
/// Sources that are told apart; more are as bad.
const SOURCES_MAX: usize = 64;
/// Sessions that file or habit allows may be so many times as many.
const USUAL_TIMES: u64 = 4;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Unanswered,
    Attempts,
    Sessions,
}

impl Kind {
    /// The word in subjects, which is the setting of its threshold as well.
    fn name(self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::Attempts => "attempts",
            Self::Sessions => "sessions",
        }
    }
}

/// At which server and port; for sessions, by which client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    kind: Kind,
    server: AssetKey,
    port: u16,
    client: Option<AssetKey>,
}

/// What came within the last minute.
#[derive(Default)]
struct Minute {
    slots: [u64; SLOTS],
    slot: u64,
    /// How many there were when it was told last, and in which slot.
    told: Option<(u64, u64)>,
    sources: BTreeSet<IpAddr>,
    cited: Vec<Cited>,
}

impl Minute {
    /// Counts one more. Answers how many there are.
    fn add(&mut self, now: Timestamp) -> u64 {
        let slot = now.0.checked_div(SLOT_NS).unwrap_or(0);
        let gone = usize::try_from(slot.abs_diff(self.slot)).unwrap_or(SLOTS).min(SLOTS);
        // Where the clock went back, what was counted is of another time.
        self.slots.rotate_right(gone);
        self.slots.iter_mut().take(if slot < self.slot { SLOTS } else { gone }).for_each(|count| *count = 0);
        self.slot = slot;
        if let Some(first) = self.slots.first_mut() {
            *first = first.saturating_add(1);
        }
        self.slots.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Whether a number is news: at the threshold, at each doubling, and each minute.
    fn is_news(&mut self, count: u64, threshold: u64) -> bool {
        if count < threshold {
            return false;
        }
        let is_news = self.told.is_none_or(|(told, slot)| {
            count >= told.saturating_mul(2) || self.slot.abs_diff(slot) >= u64::try_from(SLOTS).unwrap_or(u64::MAX)
        });
        if is_news {
            self.told = Some((count, self.slot));
        }
        is_news
    }
}

struct ConnectionFlood {
    settings: Settings,
    attempts: Attempts,
    targets: Bounded<Target, Minute>,
}

impl ConnectionFlood {
    fn new(settings: &Settings, memory: usize) -> Self {
        let targets = memory.checked_div(16).unwrap_or(0).max(16);
        Self { settings: settings.clone(), attempts: Attempts::new(memory), targets: Bounded::new(targets) }
    }

    /// Counts one connection of a kind. `times` is how many times the setting it takes.
    fn count(&mut self, kind: Kind, flow: &Arc<Flow>, event: &Event, cited: Cited, times: u64) -> Option<Finding> {
        let threshold = self.settings.value(&CARD, kind.name()).max(1).saturating_mul(times);
        let (of_client, of_server, port) = (client(flow), server(flow), flow.server.port);
        let by_client = (kind == Kind::Sessions).then_some(of_client);
        let target = Target { kind, server: of_server, port, client: by_client };
        let minute = self.targets.or_insert_with(target, Minute::default);
        let count = minute.add(event.time);
        if count == 1 {
            minute.sources.clear();
            minute.cited.clear();
            minute.told = None;
        }
        if minute.sources.len() < SOURCES_MAX {
            minute.sources.insert(flow.client.address);
        }
        if minute.cited.len() < Cited::MAX {
            minute.cited.push(cited);
        }
        if !minute.is_news(count, threshold) {
            return None;
        }
        let (text, subject) = match kind {
            Kind::Unanswered => (&UNANSWERED, format!("unanswered/{}/{port}", place(&of_server))),
            Kind::Attempts => (&ATTEMPTS, format!("attempts/{}/{port}", place(&of_server))),
            Kind::Sessions => (&SESSIONS, format!("sessions/{}/{port}", ends(flow))),
        };
        let params = vec![
            ("count", Param::Number(count)),
            ("port", Param::Number(u64::from(port))),
            ("sources", Param::Number(u64::try_from(minute.sources.len()).unwrap_or(u64::MAX))),
        ];
        let mut finding = finding(text, flow, subject, Basis::None, params);
        finding.severity = Some(if kind == Kind::Sessions { Severity::Low } else { Severity::Medium });
        // The event that completes it is cited by the judge.
        finding.earlier.extend(minute.cited.iter().filter(|one| one.id != event.id));
        Some(finding)
    }

    fn opened(&mut self, event: &Event, scene: Scene<'_>) -> Option<Finding> {
        let flow = event.flow.as_ref().filter(|flow| flow.transport == Transport::Tcp)?;
        let cited = Cited::event(event);
        match event.kind {
            EventKind::FlowOpened { attempt: true } => self.count(Kind::Attempts, flow, event, cited, 1),
            EventKind::FlowAnswered if is_industrial(flow.server.port) => {
                let times = if matches!(conversation(scene, flow), Verdict::Usual(_)) { USUAL_TIMES } else { 1 };
                self.count(Kind::Sessions, flow, event, cited, times)
            }
            _ => None,
        }
    }
}

/// Whether any protocol of the list is usual at a port.
fn is_industrial(port: u16) -> bool {
    ProtocolId::ALL.iter().any(|protocol| protocol.ports().contains(&port))
}

impl Rule for ConnectionFlood {
    fn interest(&self) -> Interest {
        Attempts::INTEREST
    }

    fn observe(&mut self, event: &Event, scene: Scene<'_>, found: &mut Vec<Finding>) {
        let mut failed = Vec::new();
        self.attempts.observe(event, &mut failed);
        for Waiting { flow, cited, .. } in &failed {
            found.extend(self.count(Kind::Unanswered, flow, event, *cited, 1));
        }
        found.extend(self.opened(event, scene));
    }

    fn forgotten(&self) -> u64 {
        self.targets.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, key, unidentified};
    use crate::facts::flow::{Endpoint, FlowId};

    /// Connection `n` of a client to a port, told with these kinds at a second.
    fn call(
        rule: &mut dyn Rule,
        bench: &Bench,
        n: u64,
        second: u64,
        ends: (&str, &str, u16),
        kinds: &[EventKind],
    ) -> Vec<Finding> {
        let flow = unidentified(ends.0, ends.1, ends.2);
        let client = Endpoint { address: flow.client.address, port: u16::try_from(1_024 + n % 60_000).unwrap() };
        let flow = Arc::new(Flow { id: FlowId(n), client, ..Flow::clone(&flow) });
        kinds.iter().flat_map(|kind| bench.tell(rule, second, &flow, kind.clone())).collect()
    }

    /// So many calls a minute at one port for some minutes, and what is found.
    fn calls(count: u64, minutes: u64, sources: u64, port: u16, kinds: &[EventKind]) -> Vec<Finding> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let mut found = Vec::new();
        for n in 0..count * minutes {
            let client = format!("10.20.0.{}", 1 + n % sources);
            found.extend(call(&mut *rule, &bench, n, n * 60 / count, (&client, "10.20.1.9", port), kinds));
        }
        let tick = bench.event(60 * minutes + 3, None, EventKind::Tick);
        found.extend(bench.show(&mut *rule, &tick));
        found
    }

    const OPENED: EventKind = EventKind::FlowOpened { attempt: true };

    #[test]
    fn attempts_without_an_answer_at_one_port_are_a_flood_from_one_source_or_many() {
        assert!(calls(280, 3, 1, 502, &[OPENED, EventKind::FlowRefused]).is_empty());
        for sources in [1, 30] {
            let found = calls(330, 1, sources, 502, &[OPENED, EventKind::FlowRefused]);
            assert_eq!((found.len(), found[0].text), (1, &UNANSWERED));
            assert_eq!(
                (found[0].subject.as_str(), found[0].severity),
                ("unanswered/10.20.1.9/502", Some(Severity::Medium))
            );
            assert!(found[0].params.contains(&("sources", Param::Number(sources))));
            assert_eq!(found[0].earlier.len(), Cited::MAX);
            assert!(found[0].earlier.windows(2).all(|pair| pair[0].id < pair[1].id));
        }
    }

    #[test]
    fn silence_counts_as_no_answer_after_three_seconds() {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        for n in 0..300 {
            assert!(call(&mut *rule, &bench, n, 0, ("10.20.0.1", "10.20.1.9", 80), &[OPENED]).is_empty());
        }
        assert!(bench.show(&mut *rule, &bench.event(2, None, EventKind::Tick)).is_empty());
        assert_eq!(bench.show(&mut *rule, &bench.event(3, None, EventKind::Tick))[0].text, &UNANSWERED);
    }

    #[test]
    fn attempts_that_are_answered_take_four_times_as_many() {
        let half_open = [OPENED, EventKind::FlowAnswered];
        assert!(calls(1_100, 3, 200, 80, &half_open).is_empty());
        let found = calls(1_300, 1, 200, 80, &half_open);
        assert_eq!((found.len(), found[0].text), (1, &ATTEMPTS));
        assert_eq!(found[0].assets[1], key("10.20.1.9"));
        assert!(found[0].params.contains(&("sources", Param::Number(64))));
    }

    #[test]
    fn sessions_of_one_client_at_an_industrial_port_are_low() {
        let session = [OPENED, EventKind::FlowAnswered];
        assert!(calls(45, 5, 1, 502, &session).is_empty());
        let found = calls(60, 1, 1, 502, &session);
        assert_eq!((found.len(), found[0].text, found[0].severity), (1, &SESSIONS, Some(Severity::Low)));
        assert_eq!(found[0].subject, "sessions/10.20.0.1>10.20.1.9/502");
        assert!(calls(60, 1, 10, 502, &session).is_empty(), "few of each client");
        assert!(calls(250, 1, 1, 80, &session).is_empty(), "no industrial port");
    }

    #[test]
    fn a_sweep_over_ports_or_addresses_is_no_flood() {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let refused = [OPENED, EventKind::FlowRefused];
        for n in 0..4_000_u64 {
            let port = u16::try_from(n + 1).unwrap();
            assert!(call(&mut *rule, &bench, n, n / 100, ("10.20.0.66", "10.20.1.9", port), &refused).is_empty());
            let server = format!("10.30.{}.{}", n / 250, n % 250);
            assert!(call(&mut *rule, &bench, 10_000 + n, n / 100, ("10.20.0.66", &server, 502), &refused).is_empty());
        }
    }

    #[test]
    fn a_flood_that_lasts_is_told_at_each_doubling_and_each_minute() {
        let found = calls(2_400, 5, 1, 80, &[OPENED, EventKind::FlowRefused]);
        let unanswered = found.iter().filter(|finding| finding.text == &UNANSWERED).count();
        assert!((8..=9).contains(&unanswered), "{unanswered}");
        assert!(found.iter().all(|finding| finding.subject.ends_with("/10.20.1.9/80")));
    }

    #[test]
    fn a_minute_slides_and_begins_anew_where_the_clock_goes_back() {
        let mut minute = Minute::default();
        let at = |slot: u64| Timestamp(slot * SLOT_NS);
        assert_eq!([10, 10, 12, 15].map(|slot| minute.add(at(slot))), [1, 2, 3, 4]);
        assert_eq!([16, 18, 100].map(|slot| minute.add(at(slot))), [3, 3, 1]);
        assert_eq!([99, 99].map(|slot| minute.add(at(slot))), [1, 2]);
    }

    #[test]
    fn targets_and_sources_are_bounded() {
        let (bench, mut rule) = (Bench::new(), ConnectionFlood::new(&Settings::default(), 1));
        for n in 0..1_000_u64 {
            let (client, server) = (format!("10.1.{}.{}", n / 250, n % 250), format!("10.2.0.{}", n / 20));
            call(&mut rule, &bench, n, 0, (&client, &server, 80), &[OPENED, EventKind::FlowRefused]);
        }
        assert_eq!(rule.targets.len(), 16);
        assert!(rule.forgotten() > 50);
    }
}
