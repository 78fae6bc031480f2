//! Alert on a device that is told to report no longer by itself, or to send no data at all.

use super::dialects::{is_dnp3, reporting};
use super::holding::Holding;
use super::wording::{basis, client, ends, finding, operation, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, OperationFact, Stage};
use crate::facts::flow::Flow;
use crate::memory::Bounded;
use crate::norm::Verdict;
use crate::rule::{
    Card, Cited, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use std::sync::Arc;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(ReportingDisabled::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0021",
    name: "reporting_disabled",
    severity: Severity::Medium,
    attack: &[
        Technique { id: "T0878", old: None, name: "Alarm Suppression" },
        Technique {
            id: "T1691.002",
            old: Some("T0804"),
            name: "Block Operational Technology Message: Reporting Message",
        },
        Technique { id: "T1692.001", old: Some("T0855"), name: "Unauthorized Message: Command Message" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "CPG 2.0 4.B", "62443-3-3 SR 6.2"],
    what: Text {
        en: "A client told a DNP3 outstation to report events no longer by itself and did not allow it again soon, or \
             stopped the data transfer of an IEC 60870-5-104 station. What the baseline knows is silent; without a \
             baseline it is told once for each client and unit.",
        ja: "クライアントがDNP3局の自発報告を禁止して再開しなかったか、IEC 60870-5-104局のデータ転送を停止しました。ベー\
             スラインにある操作は通知しません。ベースラインがない場合は、クライアントとユニットの組ごとに1回通知しま\
             す。",
    },
    why: Text {
        en: "A device that is told to be silent does not report what is done to it: operators go on seeing the last \
             values.",
        ja: "報告を止められた機器は、自身に加えられた操作を通知しません。運転員の画面には古い値が表示され続けます。",
    },
    benign: Text {
        en: "A master that begins a session (it allows reports again at once), a change from one redundant master to the \
             other, maintenance.",
        ja: "マスターのセッション開始（直後に再開されます）、二重化マスターの切替え、保守作業などが考えられます。",
    },
    response: Text {
        en: "Find out who holds the client, and whether the control centre still gets values. Let the master allow \
             reports again, and look at the commands that followed.",
        ja: "クライアントの利用者と、制御所に値が届いているかを確認してください。マスターから報告を再開させ、その後に送\
             られた指令を調べてください。",
    },
    settings: &[Setting {
        name: "enable_within_s",
        what: "silent where a DNP3 outstation may report again within so many seconds",
        default: 30,
        min: 1,
        max: 3_600,
    }],
};

static DISABLED: Text = Text {
    en: "{client} told unit {unit} at {server} to report no longer by itself ({operation})",
    ja: "{client} が {server} のユニット {unit} に自発報告の禁止を指示しました（{operation}）",
};
static STOPPED: Text = Text {
    en: "{client} told {server} to send no more data ({operation})",
    ja: "{client} が {server} にデータ転送の停止を指示しました（{operation}）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&DISABLED, &STOPPED];

/// Who told whom: client, server, unit.
type Course = (AssetKey, AssetKey, u16);

/// A finding that waits whether reports are allowed again, and how.
struct Held {
    finding: Finding,
    is_unknown: bool,
}

struct ReportingDisabled {
    within_ns: u64,
    held: Holding<Course, Held>,
    /// Told without a baseline: once for each.
    known: Bounded<Course, ()>,
}

impl ReportingDisabled {
    fn new(settings: &Settings, memory: usize) -> Self {
        // What waits is large.
        let held = memory.checked_div(16).unwrap_or(0).max(16);
        Self {
            within_ns: settings.seconds(&CARD, "enable_within_s"),
            held: Holding::new(held),
            known: Bounded::new(memory),
        }
    }

    fn operated(&mut self, flow: &Arc<Flow>, fact: &OperationFact, event: &Event) -> Option<Finding> {
        let course = (client(flow), server(flow), fact.operation.unit);
        if reporting(flow, &fact.operation)? {
            self.held.let_go(&course);
            return None;
        }
        let is_unknown = match fact.verdict {
            Verdict::Unusual(..) => false,
            Verdict::Unknown => true,
            Verdict::Usual(_) | Verdict::Forbidden(_) => return None,
        };
        let (text, severity) = match (is_dnp3(flow), is_unknown) {
            (true, false) => (&DISABLED, Severity::High),
            (true, true) => (&DISABLED, Severity::Medium),
            (false, _) => (&STOPPED, Severity::Medium),
        };
        let params = vec![
            ("operation", operation(flow, &fact.operation)),
            ("verb", Param::Word(fact.operation.verb.name())),
            ("unit", Param::Number(u64::from(fact.operation.unit))),
        ];
        let subject = format!("{}/{}/{}", ends(flow), spoken(flow), fact.operation.unit);
        let mut finding = finding(text, flow, subject, basis(fact.verdict), params);
        finding.severity = Some(severity);
        if !is_dnp3(flow) {
            return (!is_unknown || self.known.first(course)).then_some(finding);
        }
        finding.earlier.push(Cited::event(event));
        self.held.hold(course, event.time.0.saturating_add(self.within_ns), Held { finding, is_unknown });
        None
    }

    fn due(&mut self, now: u64, found: &mut Vec<Finding>) {
        for (course, held) in self.held.due(now) {
            if !held.is_unknown || self.known.first(course) {
                found.push(held.finding);
            }
        }
    }
}

impl Rule for ReportingDisabled {
    fn interest(&self) -> Interest {
        Interest::OPERATION.and(Interest::TICK)
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        match (&event.kind, &event.flow) {
            (EventKind::Operation(fact), Some(flow)) if matches!(fact.stage, Stage::Requested | Stage::Unasked) => {
                found.extend(self.operated(flow, fact, event));
            }
            (EventKind::Tick, _) => self.due(event.time.0, found),
            (EventKind::End, _) => self.due(u64::MAX, found),
            _ => {}
        }
    }

    fn forgotten(&self) -> u64 {
        self.known.evicted().saturating_add(self.held.forgotten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, asked, build, dnp3, forbidden, iec104, kind, unusual, usual};
    use crate::norm::Novelty;
    use yagura_parsers::message::{Operation, Verb};

    fn code(code: u16, verdict: Verdict) -> OperationFact {
        asked(Operation { verb: Verb::Configure, code, sub: 60 << 8 | 2, unit: 10, target: None }, verdict)
    }

    /// What is found in facts at their seconds, and in ticks where there is no fact.
    fn told(flow: &Arc<Flow>, steps: Vec<(u64, Option<OperationFact>)>) -> Vec<(u64, Finding)> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let mut found = Vec::new();
        for (second, fact) in steps {
            let event = match fact {
                Some(fact) => bench.event(second, Some(flow), kind(fact)),
                None => bench.event(second, None, EventKind::Tick),
            };
            found.extend(bench.show(&mut *rule, &event).into_iter().map(|finding| (second, finding)));
        }
        found
    }

    #[test]
    fn an_outstation_that_stays_silent_is_told_after_a_while() {
        let flow = dnp3("10.20.0.66", "10.20.1.9");
        let found = told(&flow, vec![(0, Some(code(21, unusual(Novelty::Code)))), (29, None), (30, None), (90, None)]);
        assert_eq!(found.len(), 1);
        let (second, finding) = &found[0];
        assert_eq!((*second, finding.severity, finding.text), (30, Some(Severity::High), &DISABLED));
        assert_eq!((finding.subject.as_str(), finding.earlier.len()), ("10.20.0.66>10.20.1.9/dnp3/10", 1));
        assert!(finding.flow.is_some());
    }

    #[test]
    fn what_masters_do_at_their_start_is_silent() {
        let flow = dnp3("10.20.0.5", "10.20.1.9");
        let start = |enable, after| {
            vec![(0, Some(code(21, Verdict::Unknown))), (after, Some(code(enable, Verdict::Unknown))), (60, None)]
        };
        assert!(told(&flow, start(20, 2)).is_empty());
        assert_eq!(told(&flow, start(22, 2)).len(), 1, "another code allows nothing");
    }

    #[test]
    fn another_client_or_unit_does_not_allow_it_again() {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let (attacker, master) = (dnp3("10.20.0.66", "10.20.1.9"), dnp3("10.20.0.5", "10.20.1.9"));
        bench.tell(&mut *rule, 0, &attacker, kind(code(21, Verdict::Unknown)));
        bench.tell(&mut *rule, 1, &master, kind(code(20, Verdict::Unknown)));
        assert_eq!(bench.show(&mut *rule, &bench.event(31, None, EventKind::Tick)).len(), 1);
    }

    #[test]
    fn without_a_baseline_it_is_told_once_and_the_end_waits_for_nobody() {
        let flow = dnp3("10.20.0.66", "10.20.1.9");
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        bench.tell(&mut *rule, 0, &flow, kind(code(21, Verdict::Unknown)));
        let found = bench.show(&mut *rule, &bench.event(1, None, EventKind::End));
        assert_eq!((found.len(), found[0].severity), (1, Some(Severity::Medium)));
        bench.tell(&mut *rule, 2, &flow, kind(code(21, Verdict::Unknown)));
        assert!(bench.show(&mut *rule, &bench.event(3, None, EventKind::End)).is_empty());
    }

    #[test]
    fn usual_and_forbidden_ones_are_silent() {
        let flow = dnp3("10.20.0.5", "10.20.1.9");
        assert!(told(&flow, vec![(0, Some(code(21, usual()))), (60, None)]).is_empty());
        assert!(told(&flow, vec![(0, Some(code(21, forbidden()))), (60, None)]).is_empty());
    }

    #[test]
    fn data_transfer_that_is_stopped_is_told_at_once() {
        let flow = iec104("10.20.0.66", "10.20.1.9");
        let stop =
            |code, verdict| asked(Operation { verb: Verb::Session, code, sub: 0, unit: 0, target: None }, verdict);
        let found = told(&flow, vec![(0, Some(stop(0x213, unusual(Novelty::Code))))]);
        assert_eq!((found.len(), found[0].1.text, found[0].1.severity), (1, &STOPPED, Some(Severity::Medium)));
        let unknown = stop(0x213, Verdict::Unknown);
        assert_eq!(told(&flow, vec![(0, Some(unknown.clone())), (1, Some(unknown))]).len(), 1);
        assert!(
            told(&flow, vec![(0, Some(stop(0x213, usual()))), (0, Some(stop(0x207, Verdict::Unknown)))]).is_empty()
        );
    }
}
