//! Alert on one device that is asked more than it was ever asked before, faster than it answers, or without answering.

use super::dialects::is_dnp3;
use super::waiting::conversation;
use super::wording::{self, client, ends, finding, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, RateFact, Stage};
use crate::facts::flow::{Flow, FlowId};
use crate::facts::time::Timestamp;
use crate::memory::Bounded;
use crate::norm::Verdict;
use crate::rule::{
    Card, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use std::sync::Arc;
use yagura_parsers::protocols::ProtocolId;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(RequestFlood::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0027",
    name: "request_flood",
    severity: Severity::Medium,
    attack: &[Technique { id: "T0814", old: None, name: "Denial of Service" }],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2", "62443-3-3 SR 7.1"],
    what: Text {
        en: "A device got far more requests of an industrial protocol within ten seconds than this client ever made, \
             or many requests that it left unanswered, or many at once from a client that did not wait for answers. A \
             client that no file knows is judged by the plain number; one that was heard for a minute by four times \
             what it asked at most; any other by four times the number.",
        ja: "産業用プロトコルの要求が、10秒以内に、そのクライアントのこれまでの最大を大きく超えて届きました。または多\
             数の要求に応答がないか、応答を待たずに多数の要求が送られました。どのファイルにもないクライアントは設定値\
             そのもの、1分以上観測したクライアントはこれまでの最大の4倍、それ以外は設定値の4倍を基準に判定します。",
    },
    why: Text {
        en: "A controller serves few requests at a time. Who floods it keeps its master from reading and commanding, \
             and may make it late for the process or stop it. Who replays what was recorded does not wait for answers.",
        ja: "コントローラーが同時に処理できる要求は多くありません。要求を浴びせられると、マスターは計測値を読めず指令\
             も出せなくなり、制御が遅れたり機器が停止したりするおそれがあります。記録した要求を再送する攻撃は応答を待\
             ちません。",
    },
    benign: Text {
        en: "An engineering tool that loads a program or reads a whole memory, a master that catches up after a break, \
             a historian with too short a period, a device that is overloaded or switched off, a gateway with many \
             devices behind one connection.",
        ja: "プログラムの転送やメモリー全体の読み出しを行うエンジニアリングツール、中断後に遅れを取り戻すマスター、周\
             期の短すぎるヒストリアン、機器の過負荷や停止、一つの接続で多数の機器を収容するゲートウェイなどが考えられ\
             ます。",
    },
    response: Text {
        en: "Find out who uses the client and whether this is work that was announced. If not, separate it from the \
             device, and check that the device answers its own master again.",
        ja: "クライアントの利用者と、届出のある作業かどうかを確認してください。届出がなければ機器から切り離し、機器が\
             本来のマスターに再び応答していることを確認してください。",
    },
    settings: &[
        Setting {
            name: "requests",
            what: "so many requests within ten seconds; noticed at 64 and each doubling of it",
            default: 512,
            min: 64,
            max: 1_000_000,
        },
        Setting {
            name: "unanswered",
            what: "so many of them without an answer, of a device that answered before",
            default: 128,
            min: 32,
            max: 1_000_000,
        },
        Setting {
            name: "dnp3_waiting",
            what: "so many requests of DNP3 that wait for their answers at once; noticed at 8 and each doubling of it",
            default: 8,
            min: 8,
            max: 64,
        },
        Setting {
            name: "modbus_waiting",
            what: "the same of Modbus, whose guide for TCP lets a client have up to 16 transactions under way",
            default: 32,
            min: 8,
            max: 64,
        },
    ],
};

static MANY: Text = Text {
    en: "{client} made {count} {protocol} requests to {server} within {seconds} s; {answers} were answered",
    ja: "{client} が {seconds} 秒以内に {server} へ {protocol} の要求を {count} 件送りました（応答 {answers} 件）",
};
static MORE: Text = Text {
    en: "{client} made {count} {protocol} requests to {server} within {seconds} s, and at most {before} in any ten \
         seconds before; {answers} were answered",
    ja: "{client} が {seconds} 秒以内に {server} へ {protocol} の要求を {count} 件送りました。これまでの10秒間の最大は\
          {before} 件です（応答 {answers} 件）",
};
static UNANSWERED: Text = Text {
    en: "{server}, which answered before, left {unanswered} of {count} {protocol} requests of {client} unanswered \
         within {seconds} s",
    ja: "これまで応答していた {server} が {seconds} 秒以内に、{client} の {protocol} の要求 {count} 件のうち {unanswer\
         ed} 件に応答しませんでした",
};
static AT_ONCE: Text = Text {
    en: "{client} sent {server} {waiting} {protocol} requests without waiting for their answers",
    ja: "{client} が {server} へ {protocol} の要求を、応答を待たずに {waiting} 件送りました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&MANY, &MORE, &UNANSWERED, &AT_ONCE];

/// A window of counting, in ns.
const WINDOW_NS: u64 = 10_000_000_000;
/// A client that was heard for so long has shown how fast it asks, in ns: six windows.
const KNOWN_NS: u64 = 60_000_000_000;
/// So many times the most of before, or the setting where nothing was before, is a flood.
const TIMES: u64 = 4;
/// A window that is not told had fewer requests than this.
const UNTOLD: u64 = 63;
/// So many windows of flood, ten minutes, and it is the client's way from now on.
const FLOODS_MAX: u32 = 60;
/// Nobody gives up on an answer sooner than this, in ns: requests that follow each other faster did not wait.
const PATIENCE_NS: u64 = 500_000_000;
/// So many flows of one pair are counted at a time.
const FLOWS_MAX: usize = 8;

/// A window as far as it is told.
struct Window {
    flow: FlowId,
    since: Timestamp,
    requests: u64,
    is_flood: bool,
}

/// What one client asked of one server.
struct Past {
    first: Timestamp,
    /// The most requests that were told of any window that is over, floods apart.
    most: u64,
    /// Windows of flood, one after the other, until now.
    floods: u32,
    /// Whether the server ever answered.
    answers: bool,
    /// Windows under way.
    open: Vec<Window>,
}

impl Past {
    fn new(first: Timestamp) -> Self {
        Self { first, most: UNTOLD, floods: 0, answers: false, open: Vec::new() }
    }

    /// What is over becomes the past. A flood does not, or the next would be measured by it, unless it lasts.
    fn settle(&mut self, now: Timestamp, flow: FlowId, since: Timestamp) {
        let is_over = |one: &Window| match one.flow == flow {
            true => one.since != since,
            false => now.0.abs_diff(one.since.0) >= WINDOW_NS,
        };
        for one in self.open.extract_if(.., |one| is_over(one)) {
            self.floods = if one.is_flood { self.floods.saturating_add(1) } else { 0 };
            if !one.is_flood || self.floods > FLOODS_MAX {
                self.most = self.most.max(one.requests);
            }
        }
    }

    /// Notes a window as far as it is told.
    fn note(&mut self, flow: FlowId, since: Timestamp, requests: u64, is_flood: bool) {
        if let Some(one) = self.open.iter_mut().find(|one| one.flow == flow) {
            one.requests = requests;
            one.is_flood |= is_flood;
            return;
        }
        if self.open.len() >= FLOWS_MAX {
            self.open.remove(0);
        }
        self.open.push(Window { flow, since, requests, is_flood });
    }
}

struct RequestFlood {
    requests: u64,
    unanswered: u64,
    dnp3_waiting: u64,
    modbus_waiting: u64,
    pairs: Bounded<(AssetKey, AssetKey), Past>,
}

impl RequestFlood {
    fn new(settings: &Settings, memory: usize) -> Self {
        let pairs = memory.checked_div(4).unwrap_or(0).max(16);
        Self {
            requests: settings.value(&CARD, "requests").max(1),
            unanswered: settings.value(&CARD, "unanswered").max(1),
            dnp3_waiting: settings.value(&CARD, "dnp3_waiting").max(1),
            modbus_waiting: settings.value(&CARD, "modbus_waiting").max(1),
            pairs: Bounded::new(pairs),
        }
    }

    fn past(&mut self, flow: &Flow) -> &mut Past {
        let past = self.pairs.or_insert_with((client(flow), server(flow)), || Past::new(flow.opened));
        past.first = past.first.min(flow.opened);
        past
    }

    fn rated(&mut self, flow: &Arc<Flow>, rate: &RateFact, event: &Event, scene: Scene<'_>) -> Option<Finding> {
        let (threshold, unanswered_max) = (self.requests, self.unanswered);
        let requests = rate.requests;
        let unanswered = requests.saturating_sub(rate.answers);
        let past = self.past(flow);
        past.settle(event.time, flow.id, rate.since);
        past.note(flow.id, rate.since, requests, false);
        past.answers |= rate.answers > 0;
        let is_unanswered = past.answers && unanswered >= unanswered_max;
        if requests < threshold && !is_unanswered {
            return None;
        }
        let verdict = conversation(scene, flow);
        let is_known = rate.since.since(past.first) >= KNOWN_NS;
        let (text, least) = match verdict {
            _ if is_known => (&MORE, threshold.max(past.most.saturating_mul(TIMES))),
            Verdict::Unusual(..) | Verdict::Forbidden(_) => (&MANY, threshold),
            Verdict::Usual(_) | Verdict::Unknown => (&MANY, threshold.saturating_mul(TIMES)),
        };
        let protocol = spoken(flow);
        let subject = format!("{}/{protocol}", ends(flow));
        let text = if requests >= least {
            past.note(flow.id, rate.since, requests, true);
            text
        } else if is_unanswered {
            &UNANSWERED
        } else {
            return None;
        };
        let params = vec![
            ("protocol", Param::Text(protocol)),
            ("count", Param::Number(requests)),
            ("answers", Param::Number(rate.answers)),
            ("unanswered", Param::Number(unanswered)),
            ("before", Param::Number(past.most)),
            ("seconds", Param::Number(event.time.since(rate.since).div_ceil(1_000_000_000).max(1))),
        ];
        Some(finding(text, flow, subject, wording::basis(verdict), params))
    }
}

impl RequestFlood {
    /// Requests that were sent though others waited. IEEE 1815 lets a master have one under way to an outstation, and
    /// its sequence numbers tell no more apart; in IEC 60870-5-104 the window of the session already bounds them.
    fn hurried(&mut self, flow: &Arc<Flow>, rate: &RateFact, event: &Event, scene: Scene<'_>) -> Option<Finding> {
        let most = match flow.protocol {
            Some(ProtocolId::Modbus) => self.modbus_waiting,
            _ if is_dnp3(flow) => self.dnp3_waiting,
            _ => return None,
        };
        // Those of an earlier window may have been given up since.
        let waiting = rate.waiting.min(rate.requests);
        if waiting < most {
            return None;
        }
        let [to_server, to_client] = rate.frames;
        // Where one way only is mirrored, every request seems to wait.
        let is_heard = to_client > 0 || self.past(flow).answers;
        // Who asks a dead device again and again waits for a while each time.
        let is_hurried = waiting > to_server || event.time.since(rate.since) < waiting.saturating_mul(PATIENCE_NS);
        if !is_heard || !is_hurried {
            return None;
        }
        let protocol = spoken(flow);
        // A flood that follows is another matter, and told beside it.
        let subject = format!("{}/{protocol}/at_once", ends(flow));
        let params = vec![("protocol", Param::Text(protocol)), ("waiting", Param::Number(waiting))];
        Some(finding(&AT_ONCE, flow, subject, wording::basis(conversation(scene, flow)), params))
    }
}

impl Rule for RequestFlood {
    fn interest(&self) -> Interest {
        Interest::RATE.and(Interest::OPERATION)
    }

    fn observe(&mut self, event: &Event, scene: Scene<'_>, found: &mut Vec<Finding>) {
        let Some(flow) = &event.flow else { return };
        match &event.kind {
            EventKind::Rate(rate) if flow.protocol.is_some() => {
                found.extend(self.hurried(flow, rate, event, scene));
                found.extend(self.rated(flow, rate, event, scene));
            }
            // Said with every answer, so it is only noted once.
            EventKind::Operation(fact)
                if matches!(fact.stage, Stage::Answered | Stage::Refused)
                    && !self.pairs.get(&(client(flow), server(flow))).is_some_and(|past| past.answers) =>
            {
                self.past(flow).answers = true;
            }
            _ => {}
        }
    }

    fn forgotten(&self) -> u64 {
        self.pairs.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, SECOND, asked, build, dnp3, flow, iec104, kind, read};
    use crate::facts::event::OperationFact;

    const START: u64 = 1_767_607_200;

    /// A flow that was opened at a second of the bench.
    fn opened(second: u64) -> Arc<Flow> {
        let opened = Timestamp((START + second) * SECOND);
        Arc::new(Flow { opened, ..Flow::clone(&flow("10.20.0.66", "10.20.1.9", 502)) })
    }

    fn rate(since: u64, requests: u64, answers: u64) -> EventKind {
        let since = Timestamp((START + since) * SECOND);
        EventKind::Rate(RateFact { since, requests, answers, ..RateFact::default() })
    }

    /// Windows of one flow that was opened at 0: each is told at every doubling from 64 on, as the core does.
    fn windows(bench: &Bench, windows: &[(u64, u64, u64)]) -> Vec<Finding> {
        let mut rule = build(&RULE);
        let flow = opened(0);
        let mut found = Vec::new();
        for (since, requests, answered_percent) in windows {
            let mut told = 64;
            while told <= *requests {
                let kind = rate(*since, told, told * answered_percent / 100);
                found.extend(bench.tell(&mut *rule, since + 5, &flow, kind));
                told *= 2;
            }
        }
        found
    }

    fn stranger() -> Bench {
        Bench::with_site(
            r#"
            [[zone]]
            name = "control"
            networks = ["10.20.0.0/24"]
            [[zone]]
            name = "field"
            networks = ["10.20.1.0/24"]
            "#,
        )
    }

    #[test]
    fn a_client_that_asked_little_for_a_minute_is_judged_by_four_times_that() {
        let bench = Bench::new();
        assert!(windows(&bench, &[(60, 511, 100)]).is_empty());
        let found = windows(&bench, &[(60, 512, 100)]);
        assert_eq!((found.len(), found[0].text), (1, &MORE));
        assert_eq!(found[0].subject, "10.20.0.66>10.20.1.9/modbus");
        assert!(found[0].params.contains(&("before", Param::Number(63))));
        assert!(found[0].params.contains(&("seconds", Param::Number(5))));
        let slow = [(0, 200, 100), (10, 300, 100), (60, 1_000, 100)];
        assert!(windows(&bench, &slow).is_empty(), "512 is not four times 256");
        assert_eq!(windows(&bench, &[slow[0], slow[1], (60, 1_024, 100)]).len(), 1);
    }

    #[test]
    fn a_client_that_always_asks_fast_is_silent() {
        let all: Vec<(u64, u64, u64)> = (0..100).map(|n| (n * 10, 1_500, 100)).collect();
        assert!(windows(&Bench::new(), &all).is_empty());
    }

    #[test]
    fn a_flood_is_not_the_past_of_the_next_unless_it_lasts() {
        let bench = Bench::new();
        let twice: Vec<(u64, u64, u64)> = [100, 110, 120, 9_000].map(|since| (since, 600, 100)).to_vec();
        assert_eq!(windows(&bench, &twice).len(), 4);
        let lasting: Vec<(u64, u64, u64)> = (10..200).map(|n| (n * 10, 600, 100)).collect();
        assert_eq!(windows(&bench, &lasting).len(), 61);
    }

    /// What is told of requests that wait at once: of so many, on a protocol's flow, with the frames each way, so many
    /// ms after the window began.
    fn at_once(flow: &Arc<Flow>, waiting: u64, requests: u64, frames: [u64; 2], after_ms: u64) -> Vec<Finding> {
        let bench = Bench::new();
        let since = Timestamp((START + 100) * SECOND);
        let rate = RateFact { since, requests, waiting, frames, ..RateFact::default() };
        let mut event = bench.event(100, Some(flow), EventKind::Rate(rate));
        event.time = Timestamp(since.0 + after_ms * 1_000_000);
        bench.show(&mut *build(&RULE), &event)
    }

    #[test]
    fn a_master_of_dnp3_that_does_not_wait_is_told() {
        let flow = dnp3("10.20.0.66", "10.20.1.9");
        assert!(at_once(&flow, 7, 7, [2, 2], 100).is_empty());
        let found = at_once(&flow, 8, 8, [2, 2], 100);
        assert_eq!((found.len(), found[0].text), (1, &AT_ONCE));
        assert_eq!(found[0].subject, "10.20.0.66>10.20.1.9/dnp3/at_once");
        assert!(found[0].params.contains(&("waiting", Param::Number(8))));
        assert!(at_once(&flow, 8, 7, [2, 2], 100).is_empty(), "one of them is of an earlier window");
    }

    #[test]
    fn a_client_of_modbus_may_have_more_under_way_and_other_protocols_have_their_own_windows() {
        let modbus = flow("10.20.0.66", "10.20.1.9", 502);
        assert!(at_once(&modbus, 31, 31, [2, 2], 100).is_empty());
        assert_eq!(at_once(&modbus, 32, 32, [2, 2], 100).len(), 1);
        assert!(at_once(&iec104("10.20.0.66", "10.20.1.9"), 63, 63, [2, 2], 100).is_empty());
    }

    #[test]
    fn who_asks_a_dead_device_again_and_again_waits() {
        let flow = dnp3("10.20.0.66", "10.20.1.9");
        assert!(at_once(&flow, 8, 8, [9, 9], 4_000).is_empty());
        assert_eq!(at_once(&flow, 8, 8, [9, 9], 3_999).len(), 1);
        assert_eq!(at_once(&flow, 15, 15, [7, 7], 9_000).len(), 1, "many came in one segment");
    }

    #[test]
    fn where_one_way_only_is_mirrored_nothing_shows_that_requests_wait() {
        let flow = dnp3("10.20.0.66", "10.20.1.9");
        assert!(at_once(&flow, 8, 8, [2, 0], 100).is_empty());
        assert_eq!(at_once(&flow, 8, 8, [2, 1], 100).len(), 1);
    }

    #[test]
    fn without_a_past_and_a_baseline_it_takes_four_times_the_number() {
        let bench = Bench::new();
        assert!(windows(&bench, &[(0, 2_047, 100)]).is_empty());
        let found = windows(&bench, &[(0, 2_048, 100)]);
        assert_eq!((found.len(), found[0].text), (1, &MANY));
    }

    #[test]
    fn a_stranger_is_judged_by_the_number_itself() {
        let bench = stranger();
        assert!(windows(&bench, &[(0, 511, 0)]).is_empty());
        let found = windows(&bench, &[(0, 512, 0)]);
        assert_eq!((found.len(), found[0].text), (1, &MANY));
    }

    #[test]
    fn requests_without_answers_are_told_where_there_were_answers_before() {
        let bench = Bench::new();
        assert!(windows(&bench, &[(0, 512, 0), (10, 512, 0)]).is_empty(), "perhaps one side only is seen");
        let found = windows(&bench, &[(0, 64, 100), (10, 128, 0)]);
        assert_eq!((found.len(), found[0].text), (1, &UNANSWERED));
        assert_eq!(found[0].subject, "10.20.0.66>10.20.1.9/modbus");
        assert!(windows(&bench, &[(0, 64, 100), (10, 127, 0)]).is_empty());
        assert!(windows(&bench, &[(0, 64, 100), (10, 256, 51)]).is_empty());
    }

    #[test]
    fn one_answer_long_ago_shows_that_answers_are_seen() {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        let flow = opened(0);
        let answer = OperationFact { stage: Stage::Answered, ..asked(read(1, 0, 1), Verdict::Unknown) };
        assert!(bench.tell(&mut *rule, 1, &flow, kind(answer)).is_empty());
        assert_eq!(bench.tell(&mut *rule, 30, &flow, rate(20, 128, 0))[0].text, &UNANSWERED);
    }

    #[test]
    fn flows_of_a_pair_share_their_past_and_do_not_disturb_each_other() {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        let one = opened(0);
        let other = Arc::new(Flow { id: FlowId(77), ..Flow::clone(&opened(59)) });
        let mut found = Vec::new();
        for told in [64, 128, 256, 512] {
            found.extend(bench.tell(&mut *rule, 65, &one, rate(60, told, told)));
            found.extend(bench.tell(&mut *rule, 65, &other, rate(61, told, told)));
        }
        assert_eq!(found.len(), 2, "what is under way is no past");
        let mut rule = build(&RULE);
        assert!(bench.tell(&mut *rule, 5, &one, rate(0, 256, 256)).is_empty());
        assert!(bench.tell(&mut *rule, 80, &other, rate(75, 512, 512)).is_empty());
        assert_eq!(bench.tell(&mut *rule, 81, &other, rate(75, 1_024, 1_024)).len(), 1);
    }

    #[test]
    fn what_is_counted_of_a_pair_is_bounded_and_frames_alone_are_no_requests() {
        let bench = Bench::new();
        let mut rule = RequestFlood::new(&Settings::default(), 1);
        for n in 0..100 {
            let flow = Arc::new(Flow { id: FlowId(n), ..Flow::clone(&opened(0)) });
            bench.tell(&mut rule, 5, &flow, rate(0, 64, 64));
        }
        let flow = opened(0);
        assert_eq!(rule.pairs.get(&(client(&flow), server(&flow))).unwrap().open.len(), FLOWS_MAX);
        let frames = RateFact { since: Timestamp(0), frames: [4_096, 0], ..RateFact::default() };
        assert!(bench.tell(&mut rule, 200, &flow, EventKind::Rate(frames)).is_empty());
    }
}
