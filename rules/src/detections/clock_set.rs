//! Alert on a device's clock that is set by a client that did not set it before.

use super::dialects::sets_clock;
use super::wording::{basis, client, ends, finding, operation, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, OperationFact, Stage};
use crate::facts::flow::Flow;
use crate::memory::Bounded;
use crate::norm::Verdict;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use std::sync::Arc;
use yagura_parsers::message::Verb;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |_, memory| Box::new(ClockSet { known: Bounded::new(memory) }) };

static CARD: Card = Card {
    id: "OT-0019",
    name: "clock_set",
    severity: Severity::Medium,
    attack: &[
        Technique { id: "T0836", old: None, name: "Modify Parameter" },
        Technique { id: "T1692.001", old: Some("T0855"), name: "Unauthorized Message: Command Message" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 2.11", "62443-3-3 SR 6.2"],
    what: Text {
        en: "A client set the clock of a device that it does not set in the baseline. Without a baseline the first time \
             of each client and unit is told, as low.",
        ja: "ベースラインで時刻設定を行わないクライアントが、機器の時計を設定しました。ベースラインがない場合は、クライ\
             アントとユニットの組ごとに最初の1回を深刻度「低」で通知します。",
    },
    why: Text {
        en: "Events of the plant are put in order by the clocks of its devices. A false clock hides what came first, and \
             may start what is done by the hour.",
        ja: "設備のイベントは機器の時計によって順序付けられます。時計が狂うと何が先に起きたか分からなくなり、時刻に従う\
             動作も誤って始まります。",
    },
    benign: Text {
        en: "A new or second master that synchronises its devices, as every master does; a change of the time source.",
        ja: "マスターの新設や二重化（通常どのマスターも時刻同期を行います）、時刻源の変更などが考えられます。",
    },
    response: Text {
        en: "Find out whether the client is meant to be a source of time. If not, compare the device's clock with a \
             trusted one, and look at what else the client did.",
        ja: "クライアントが時刻源として認められているか確認してください。そうでなければ機器の時計を信頼できる時刻と比較\
             し、クライアントの他の操作も調べてください。",
    },
    settings: &[],
};

static SET: Text = Text {
    en: "{client} set the clock of unit {unit} at {server} ({operation})",
    ja: "{client} が {server} のユニット {unit} の時計を設定しました（{operation}）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&SET];

struct ClockSet {
    /// Told without a baseline: once for each.
    known: Bounded<(AssetKey, AssetKey, u16), ()>,
}

impl Rule for ClockSet {
    fn interest(&self) -> Interest {
        Interest::OPERATION
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        if let (EventKind::Operation(fact), Some(flow)) = (&event.kind, &event.flow)
            && fact.operation.verb == Verb::Synchronize
            && matches!(fact.stage, Stage::Requested | Stage::Unasked)
            && sets_clock(flow, &fact.operation)
        {
            found.extend(self.judge(flow, fact));
        }
    }

    fn forgotten(&self) -> u64 {
        self.known.evicted()
    }
}

impl ClockSet {
    fn judge(&mut self, flow: &Arc<Flow>, fact: &OperationFact) -> Option<Finding> {
        let unit = fact.operation.unit;
        let severity = match fact.verdict {
            Verdict::Unusual(..) => Severity::Medium,
            Verdict::Unknown if self.known.first((client(flow), server(flow), unit)) => Severity::Low,
            Verdict::Unknown | Verdict::Usual(_) | Verdict::Forbidden(_) => return None,
        };
        let mut params = vec![
            ("operation", operation(flow, &fact.operation)),
            ("verb", Param::Word(fact.operation.verb.name())),
            ("unit", Param::Number(u64::from(unit))),
        ];
        if let Verdict::Unusual(novelty, _) = fact.verdict {
            params.push(("novelty", Param::Word(novelty.name())));
        }
        let subject = format!("{}/{}/{unit}", ends(flow), spoken(flow));
        let mut finding = finding(&SET, flow, subject, basis(fact.verdict), params);
        finding.severity = Some(severity);
        Some(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{
        Bench, LINE, asked, build, dnp3, forbidden, iec104, kind, refused, unusual, usual,
    };
    use crate::norm::{Basis, Novelty};
    use yagura_parsers::message::Operation;

    fn set(unit: u16) -> Operation {
        Operation { verb: Verb::Synchronize, code: 103, sub: 0, unit, target: None }
    }

    fn all(facts: Vec<OperationFact>) -> Vec<Finding> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let flow = iec104("10.20.0.66", "10.20.1.9");
        facts.into_iter().flat_map(|fact| bench.tell(&mut *rule, 0, &flow, kind(fact))).collect()
    }

    #[test]
    fn a_stranger_who_sets_the_clock_is_told() {
        for novelty in [Novelty::Conversation, Novelty::Unit, Novelty::Verb] {
            let found = all(vec![asked(set(3), unusual(novelty))]);
            assert_eq!((found[0].severity, found[0].basis), (Some(Severity::Medium), Basis::Nearest(LINE)));
            assert_eq!(found[0].subject, "10.20.0.66>10.20.1.9/iec104/3");
        }
    }

    #[test]
    fn without_a_baseline_it_is_told_once_and_milder() {
        let found = all([3, 3, 4].map(|unit| asked(set(unit), Verdict::Unknown)).to_vec());
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|finding| finding.severity == Some(Severity::Low) && finding.basis == Basis::None));
    }

    #[test]
    fn usual_forbidden_and_answered_ones_are_silent() {
        let answer = OperationFact { stage: Stage::Answered, ..asked(set(3), unusual(Novelty::Verb)) };
        let facts = vec![
            asked(set(3), usual()),
            asked(set(3), forbidden()),
            answer,
            refused(set(3), unusual(Novelty::Verb), 2),
        ];
        assert!(all(facts).is_empty());
    }

    #[test]
    fn measuring_a_delay_sets_nothing() {
        let flow = dnp3("10.20.0.66", "10.20.1.9");
        let told = |code, sub| {
            let operation = Operation { code, sub, ..set(10) };
            Bench::new().tell(&mut *build(&RULE), 0, &flow, kind(asked(operation, unusual(Novelty::Verb)))).len()
        };
        assert_eq!([told(23, 0), told(24, 0), told(2, 50 << 8 | 1)], [0, 0, 1]);
    }
}
