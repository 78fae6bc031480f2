//! Alert on a device that reports points, or units, that the baseline does not know.

use super::wording::{basis, ends, finding, operation, spoken, target};
use crate::facts::event::{Event, EventKind, OperationFact};
use crate::facts::flow::Flow;
use crate::norm::{Novelty, Verdict};
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use std::sync::Arc;
use yagura_parsers::message::Verb;

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, _| Box::new(PointNew) };

static CARD: Card = Card {
    id: "OT-0025",
    name: "point_new",
    severity: Severity::Low,
    attack: &[
        Technique { id: "T1692.002", old: Some("T0856"), name: "Unauthorized Message: Reporting Message" },
        Technique { id: "T0861", old: None, name: "Point & Tag Identification" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2"],
    what: Text {
        en: "A device reports points that it does not report in the baseline; a whole unit that was never heard behind \
             it is medium.",
        ja: "機器が、ベースラインで報告していないポイントを報告しました。配下に未知のユニットが現れた場合は深刻度「中」で\
             す。",
    },
    why: Text {
        en: "What a station reports changes with its configuration only. A new point means that somebody changed it, or \
             that somebody else reports in its name.",
        ja: "局が報告する内容は設定を変えたときだけ変わります。新しいポイントは、設定変更か、別の者によるなりすましの報\
             告を意味します。",
    },
    benign: Text {
        en: "A rare event that did not occur while learning, an extension of the station, a new poll of the master.",
        ja: "学習期間中に起きなかったまれなイベント、局の増設、マスターの新しいポーリングなどが考えられます。",
    },
    response: Text {
        en: "Look up the point in the station's list. If it belongs there, learn anew or add the line; if not, find out \
             who changed the station.",
        ja: "局のポイント一覧で確認してください。正規のポイントであれば再学習または行の追加を行い、そうでなければ局を変\
             更した者を調べてください。",
    },
    settings: &[],
};

static POINT: Text = Text {
    en: "{server} reports {target} of unit {unit} to {client}, which it never did before; new: {novelty}",
    ja: "{server} が {client} に、これまで報告のなかったユニット {unit} の {target} を報告しました（新規: {novelty}）",
};
static UNIT: Text = Text {
    en: "{server} reports to {client} from unit {unit}, which was never heard behind it ({operation})",
    ja: "{server} が {client} に、これまで存在しなかったユニット {unit} から報告しました（{operation}）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&POINT, &UNIT];

struct PointNew;

impl Rule for PointNew {
    fn interest(&self) -> Interest {
        Interest::OPERATION
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        if let (EventKind::Operation(fact), Some(flow)) = (&event.kind, &event.flow)
            && fact.operation.verb == Verb::Report
            && let Verdict::Unusual(novelty, _) = fact.verdict
        {
            found.extend(judge(flow, fact, novelty));
        }
    }
}

fn judge(flow: &Arc<Flow>, fact: &OperationFact, novelty: Novelty) -> Option<Finding> {
    let unit = fact.operation.unit;
    let (text, severity, detail) = match novelty {
        // That they speak at all was told by the conversation.
        Novelty::Conversation => return None,
        // A sweep must not become as many subjects as it has steps.
        Novelty::Unit => (&UNIT, Severity::Medium, "unit".to_owned()),
        Novelty::Verb | Novelty::Code | Novelty::Addresses => {
            let space = fact.operation.target.map_or("none", |target| target.space);
            (&POINT, Severity::Low, format!("{unit}/{space}"))
        }
    };
    let params = vec![
        ("operation", operation(flow, &fact.operation)),
        ("verb", Param::Word(fact.operation.verb.name())),
        ("unit", Param::Number(u64::from(unit))),
        ("novelty", Param::Word(novelty.name())),
        ("target", Param::Text(target(&fact.operation).unwrap_or_else(|| "?".to_owned()))),
    ];
    let subject = format!("{}/{}/{detail}", ends(flow), spoken(flow));
    let mut finding = finding(text, flow, subject, basis(fact.verdict), params);
    finding.severity = Some(severity);
    finding.assets.reverse(); // It is the server that reports.
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, LINE, asked, build, iec104, key, kind, read, unusual, usual};
    use crate::facts::event::Stage;
    use crate::norm::Basis;
    use yagura_parsers::message::{Operation, Target};

    fn told(unit: u16, target: Option<Target>, verdict: Verdict) -> Option<Finding> {
        let operation = Operation { verb: Verb::Report, code: 13, sub: 0, unit, target };
        let fact = OperationFact { stage: Stage::Reported, ..asked(operation, verdict) };
        let flow = iec104("10.20.0.5", "10.20.1.9");
        Bench::new().tell(&mut *build(&RULE), 0, &flow, kind(fact)).pop()
    }

    const POINTS: Option<Target> = Some(Target { space: "measured_value", first: 700, count: 2 });

    #[test]
    fn a_new_point_is_low() {
        for novelty in [Novelty::Addresses, Novelty::Code, Novelty::Verb] {
            let finding = told(3, POINTS, unusual(novelty)).unwrap();
            assert_eq!((finding.severity, finding.text), (Some(Severity::Low), &POINT));
            assert_eq!(finding.subject, "10.20.0.5>10.20.1.9/iec104/3/measured_value");
            assert_eq!((finding.basis, finding.assets[0]), (Basis::Nearest(LINE), key("10.20.1.9")));
            assert!(finding.params.contains(&("target", Param::Text("measured_value 700-701".to_owned()))));
        }
        assert!(told(3, None, unusual(Novelty::Verb)).is_some());
    }

    #[test]
    fn a_new_unit_is_medium_and_a_sweep_of_them_has_one_subject() {
        let finding = told(3, POINTS, unusual(Novelty::Unit)).unwrap();
        assert_eq!((finding.severity, finding.text), (Some(Severity::Medium), &UNIT));
        assert_eq!(finding.subject, told(9, POINTS, unusual(Novelty::Unit)).unwrap().subject);
    }

    #[test]
    fn what_is_usual_or_told_by_others_is_silent() {
        assert!(told(3, POINTS, usual()).is_none());
        assert!(told(3, POINTS, Verdict::Unknown).is_none());
        assert!(told(3, POINTS, unusual(Novelty::Conversation)).is_none());
        let flow = iec104("10.20.0.5", "10.20.1.9");
        let fact = asked(read(3, 0, 1), unusual(Novelty::Addresses));
        assert!(Bench::new().tell(&mut *build(&RULE), 0, &flow, kind(fact)).is_empty());
    }
}
