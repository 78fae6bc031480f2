//! Alert on a value outside the range that is usual or allowed for its point.

use super::wording::{finding, place, server};
use crate::facts::event::{Event, EventKind, OperationFact, Outside, Stage};
use crate::facts::flow::Flow;
use crate::norm::Basis;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use std::sync::Arc;
use yagura_parsers::message::PointValue;

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, _| Box::new(ValueOutOfRange) };

static CARD: Card = Card {
    id: "OT-0006",
    name: "value_out_of_range",
    severity: Severity::High,
    attack: &[
        Technique { id: "T0836", old: None, name: "Modify Parameter" },
        Technique { id: "T0831", old: None, name: "Manipulation of Control" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2"],
    what: Text {
        en: "A value was written to a point, or read from it, that lies outside the range that the baseline has \
             learnt or the site file allows.",
        ja: "学習した範囲またはサイトファイルで許された範囲を外れる値が、ポイントに書き込まれたか、ポイントから読み出\
             されました。",
    },
    why: Text {
        en: "A setpoint beyond its limits drives the process where it was never meant to run, through a channel that \
             is itself allowed.",
        ja: "限度を外れた設定値は、許可された経路を通ってでも、想定外の状態へプロセスを動かします。",
    },
    benign: Text {
        en: "A new recipe or season, a test with the plant at rest, a range that was learnt over too short a time.",
        ja: "新しいレシピや季節運転への切替え、停止中の試験、学習期間が短すぎたことなどが考えられます。",
    },
    response: Text {
        en: "Ask the operators whether the value is intended, and look at the process itself, not only at the \
             display. If it is not, set the point back and find out who holds the client.",
        ja: "その値が意図したものか運転員に確認し、画面だけでなく現場の状態も確かめてください。意図しない値であれば元\
             に戻し、クライアントの利用者を特定してください。",
    },
    settings: &[],
};

static WRITTEN: Text = Text {
    en: "{client} wrote {value} to {point} of unit {unit} at {server}; the range is {min} to {max}",
    ja: "{client} が {server} のユニット {unit} の {point} に {value} を書き込みました（範囲は {min} ～ {max}）",
};
static SHOWN: Text = Text {
    en: "{point} of unit {unit} at {server} shows {value}; the range is {min} to {max}",
    ja: "{server} のユニット {unit} の {point} の値が {value} です（範囲は {min} ～ {max}）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&WRITTEN, &SHOWN];

struct ValueOutOfRange;

impl Rule for ValueOutOfRange {
    fn interest(&self) -> Interest {
        Interest::OPERATION
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        if let (EventKind::Operation(fact), Some(flow)) = (&event.kind, &event.flow)
            && let Some(outside) = &fact.outside
        {
            found.extend(judge(flow, fact, outside));
        }
    }
}

fn judge(flow: &Arc<Flow>, fact: &OperationFact, outside: &Outside) -> Option<Finding> {
    let is_written = fact.operation.verb.changes_process();
    let point = &outside.point;
    let unit = fact.operation.unit;
    let at = format!("{}/{unit}/{}/{}", place(&server(flow)), point.space, point.address);
    let (text, subject, severity) = match (is_written, fact.stage) {
        // People's limits are about the process; what was learnt is only what was seen so far.
        (true, Stage::Requested | Stage::Unasked) => {
            let severity = if outside.learnt { Severity::Medium } else { Severity::High };
            (&WRITTEN, format!("{at}/written"), severity)
        }
        // The answer echoes what was asked, and was told then.
        (true, Stage::Answered | Stage::Refused | Stage::Reported) => return None,
        (false, _) => (&SHOWN, format!("{at}/shown"), Severity::Medium),
    };
    let params = vec![
        ("point", Param::Text(format!("{} {}", point.space, point.address))),
        ("unit", Param::Number(u64::from(unit))),
        ("value", number(point.value)),
        ("min", Param::Real(outside.min)),
        ("max", Param::Real(outside.max)),
    ];
    let mut finding = finding(text, flow, subject, Basis::Line(outside.line), params);
    finding.severity = Some(severity);
    if !is_written {
        finding.assets.reverse(); // It is the server that shows the value.
    }
    Some(finding)
}

fn number(value: PointValue) -> Param {
    match value {
        PointValue::Bit(bit) => Param::Number(u64::from(bit)),
        PointValue::Unsigned(number) => Param::Number(number),
        PointValue::Signed(_) | PointValue::Real(_) => Param::Real(value.number()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, LINE, asked, build, flow, key, kind, read, refused, usual, write};
    use yagura_parsers::message::Point;

    fn told(mut fact: OperationFact, stage: Stage) -> Option<Finding> {
        let bench = Bench::new();
        fact.stage = stage;
        let flow = flow("10.20.0.66", "10.20.1.9", 502);
        bench.tell(&mut *build(&RULE), 0, &flow, kind(fact)).pop()
    }

    fn outside(fact: OperationFact, value: u64) -> OperationFact {
        let point = Point::bare("holding_register", 40, PointValue::Unsigned(value));
        OperationFact { outside: Some(Outside { point, min: 0.0, max: 500.0, learnt: false, line: LINE }), ..fact }
    }

    #[test]
    fn a_written_value_is_told_when_it_is_asked() {
        let finding = told(outside(asked(write(1, 40, 1), usual()), 9_999), Stage::Requested).unwrap();
        assert_eq!(finding.subject, "10.20.1.9/1/holding_register/40/written");
        assert_eq!((finding.severity, finding.basis), (Some(Severity::High), Basis::Line(LINE)));
        assert!(finding.params.contains(&("value", Param::Number(9_999))));
        assert_eq!(finding.assets[0], key("10.20.0.66"));
    }

    #[test]
    fn its_answer_is_not_told_again() {
        assert!(told(outside(asked(write(1, 40, 1), usual()), 9_999), Stage::Answered).is_none());
        assert!(told(outside(refused(write(1, 40, 1), usual(), 3), 9_999), Stage::Refused).is_none());
    }

    #[test]
    fn a_value_that_is_read_is_told_milder_and_of_the_server() {
        let finding = told(outside(asked(read(1, 40, 1), usual()), 9_999), Stage::Answered).unwrap();
        assert_eq!((finding.severity, finding.assets[0]), (Some(Severity::Medium), key("10.20.1.9")));
    }

    #[test]
    fn a_value_in_its_range_is_silent() {
        assert!(told(asked(write(1, 40, 1), usual()), Stage::Requested).is_none());
    }

    #[test]
    fn numbers_keep_their_sign() {
        assert_eq!(number(PointValue::Bit(true)), Param::Number(1));
        assert_eq!(number(PointValue::Signed(-5)), Param::Real(-5.0));
    }
}
