//! Alert on a client that asks a unit for everything that it knows, again and again.

use super::dialects::{is_dnp3, is_interrogation};
use super::wording::{basis, client, ends, finding, operation, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, OperationFact, Stage};
use crate::facts::flow::Flow;
use crate::facts::time::Timestamp;
use crate::memory::Bounded;
use crate::rule::{
    Card, Cited, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(InterrogationRepeated::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0020",
    name: "interrogation_repeated",
    severity: Severity::Medium,
    attack: &[
        Technique { id: "T0801", old: None, name: "Monitor Process State" },
        Technique { id: "T0861", old: None, name: "Point & Tag Identification" },
        Technique { id: "T0814", old: None, name: "Denial of Service" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2", "62443-3-3 SR 7.1"],
    what: Text {
        en: "A client asked one unit for everything that it knows (general or counter interrogation, class 0 poll) more \
             often than the start of a session needs.",
        ja: "クライアントが一つのユニットに全データの要求（総合起動、カウンター起動、クラス0ポーリング）を、セッション\
             開始に必要な回数を超えて繰り返しました。",
    },
    why: Text {
        en: "An interrogation lists all points of a station: it is how somebody learns what there is to command. Many of \
             them load the station and its line.",
        ja: "総合起動は局の全ポイントを列挙するため、何を操作できるかを知る手段になります。多数の起動は局と回線の負荷に\
             もなります。",
    },
    benign: Text {
        en: "A link that breaks and is built anew all the time, a master that polls everything by design, a test of the \
             station.",
        ja: "接続の切断と再接続の繰返し、全データを周期的に読むマスターの設計、局の試験などが考えられます。",
    },
    response: Text {
        en: "Find out why the client begins anew each time: look at its log and at the link. If it polls so by design, \
             raise the setting; if nobody knows the client, isolate it.",
        ja: "クライアントが繰り返す理由をログと回線状態から調べてください。設計どおりであればしきい値を上げ、心当たりの\
             ないクライアントであれば隔離してください。",
    },
    settings: &[
        Setting {
            name: "interrogations",
            what: "more than so many interrogations of IEC 60870-5-104",
            default: 5,
            min: 1,
            max: 200,
        },
        Setting {
            name: "integrity_polls",
            what: "more than so many class 0 polls of DNP3",
            default: 20,
            min: 1,
            max: 200,
        },
        Setting { name: "window_s", what: "within so many seconds", default: 60, min: 1, max: 3_600 },
    ],
};

static REPEATED: Text = Text {
    en: "{client} asked unit {unit} at {server} for everything {count} times within {seconds} s ({operation})",
    ja: "{client} が {server} のユニット {unit} に {seconds} 秒以内に {count} 回、全データを要求しました（{operation}）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&REPEATED];

/// Who asks whom for what: client, server, unit, code.
type Course = (AssetKey, AssetKey, u16, u16);

struct InterrogationRepeated {
    settings: Settings,
    window_ns: u64,
    /// When each was asked lately.
    courses: Bounded<Course, VecDeque<(Timestamp, Cited)>>,
}

impl InterrogationRepeated {
    fn new(settings: &Settings, memory: usize) -> Self {
        // A course holds several times: fewer courses are remembered, so that all of it stays within the same bound.
        let courses = memory.checked_div(16).unwrap_or(0).max(16);
        let window_ns = settings.seconds(&CARD, "window_s");
        Self { settings: settings.clone(), window_ns, courses: Bounded::new(courses) }
    }

    fn judge(&mut self, flow: &Arc<Flow>, fact: &OperationFact, event: &Event) -> Option<Finding> {
        let done = &fact.operation;
        let most = if is_dnp3(flow) { "integrity_polls" } else { "interrogations" };
        let most = usize::try_from(self.settings.value(&CARD, most)).unwrap_or(usize::MAX);
        let window_ns = self.window_ns;
        let times = self.courses.or_insert_with((client(flow), server(flow), done.unit, done.code), VecDeque::new);
        while times.front().is_some_and(|(first, _)| event.time.0.abs_diff(first.0) > window_ns) {
            times.pop_front();
        }
        times.push_back((event.time, Cited::event(event)));
        if times.len() <= most {
            return None;
        }
        let times = std::mem::take(times);
        let params = vec![
            ("operation", operation(flow, done)),
            ("unit", Param::Number(u64::from(done.unit))),
            ("count", Param::Number(u64::try_from(times.len()).unwrap_or(u64::MAX))),
            ("seconds", Param::Number(window_ns.checked_div(1_000_000_000).unwrap_or(0))),
        ];
        let subject = format!("{}/{}/{}/{}", ends(flow), spoken(flow), done.unit, done.code);
        let mut finding = finding(&REPEATED, flow, subject, basis(fact.verdict), params);
        finding.earlier.extend(times.iter().take(Cited::MAX).map(|(_, cited)| *cited));
        Some(finding)
    }
}

impl Rule for InterrogationRepeated {
    fn interest(&self) -> Interest {
        Interest::OPERATION
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        if let (EventKind::Operation(fact), Some(flow)) = (&event.kind, &event.flow)
            && fact.stage == Stage::Requested
            && is_interrogation(flow, &fact.operation)
        {
            found.extend(self.judge(flow, fact, event));
        }
    }

    fn forgotten(&self) -> u64 {
        self.courses.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, asked, build, dnp3, flow, iec104, kind, usual};
    use crate::norm::Verdict;
    use yagura_parsers::message::{Operation, Verb};

    fn interrogation(code: u16, sub: u16, unit: u16) -> OperationFact {
        asked(Operation { verb: Verb::Read, code, sub, unit, target: None }, Verdict::Unknown)
    }

    fn told(flow: &Arc<Flow>, facts: impl IntoIterator<Item = (u64, OperationFact)>) -> Vec<Finding> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        facts.into_iter().flat_map(|(second, fact)| bench.tell(&mut *rule, second, flow, kind(fact))).collect()
    }

    #[test]
    fn interrogations_again_and_again_are_told() {
        let flow = iec104("10.20.0.66", "10.20.1.9");
        let found = told(&flow, (0..6).map(|n| (n, interrogation(100, 0, 3))));
        assert_eq!((found.len(), found[0].subject.as_str()), (1, "10.20.0.66>10.20.1.9/iec104/3/100"));
        assert_eq!((found[0].earlier.len(), &found[0].params[4]), (6, &("count", Param::Number(6))));
        assert_eq!(told(&flow, (0..6).map(|n| (n, interrogation(101, 0, 3)))).len(), 1);
        let usual = (0..6).map(|n| (n, OperationFact { verdict: usual(), ..interrogation(100, 0, 3) }));
        assert_eq!(told(&flow, usual).len(), 1, "that it is usual says nothing of how often");
    }

    #[test]
    fn a_start_a_reconnection_and_one_a_minute_are_silent() {
        let flow = iec104("10.20.0.5", "10.20.1.9");
        assert!(told(&flow, (0..5).map(|n| (n, interrogation(100, 0, 3)))).is_empty());
        assert!(told(&flow, (0..600).map(|n| (n * 60, interrogation(100, 0, 3)))).is_empty());
        assert!(told(&flow, (0..600).map(|n| (n * 13, interrogation(100, 0, 3)))).is_empty());
        assert!(told(&flow, (0..40).map(|n| (0, interrogation(100, 0, n)))).is_empty(), "each unit once");
        assert!(told(&flow, (0..40).map(|n| (0, interrogation(100, 0x40, n)))).is_empty(), "called off");
    }

    #[test]
    fn class_0_polls_have_a_threshold_of_their_own() {
        let outstation = dnp3("10.20.0.5", "10.20.1.9");
        let polls = |count| (0..count).map(|n| (n, interrogation(1, 60 << 8 | 1, 10)));
        assert!(told(&outstation, polls(20)).is_empty());
        assert_eq!(told(&outstation, polls(21)).len(), 1);
        assert!(told(&outstation, (0..100).map(|n| (n, interrogation(1, 60 << 8 | 2, 10)))).is_empty(), "events only");
        assert!(told(&flow("10.20.0.5", "10.20.1.9", 502), (0..100).map(|n| (n, interrogation(100, 0, 1)))).is_empty());
    }

    #[test]
    fn answers_do_not_count() {
        let flow = iec104("10.20.0.5", "10.20.1.9");
        let answer = OperationFact { stage: Stage::Answered, ..interrogation(100, 0, 3) };
        assert!(told(&flow, (0..50).map(|n| (n, answer.clone()))).is_empty());
    }
}
