//! Alert on a write or control from a client, or to a place, that is not usual.

use super::dialects::{is_cancelled, is_everybody, is_select};
use super::wording::{basis, client, ends, finding, operation, server, spoken, target, values};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, OperationFact, Stage};
use crate::facts::flow::Flow;
use crate::memory::Bounded;
use crate::norm::{Novelty, Verdict};
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use std::sync::Arc;
use yagura_parsers::message::Verb;
use yagura_parsers::protocols::ProtocolId;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |_, memory| Box::new(WriteUnusual { known: Bounded::new(memory) }) };

static CARD: Card = Card {
    id: "OT-0007",
    name: "write_unusual",
    severity: Severity::High,
    attack: &[
        Technique { id: "T1692.001", old: Some("T0855"), name: "Unauthorized Message: Command Message" },
        Technique { id: "T0836", old: None, name: "Modify Parameter" },
        Technique { id: "T0831", old: None, name: "Manipulation of Control" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "CPG 1.0.1 3.A", "CPG 2.0 4.B", "62443-3-3 SR 6.2"],
    what: Text {
        en: "A client wrote to a controller, or commanded it, in a way that the baseline does not know: a new client, \
             unit, function code or address. Without a baseline the first write of each client to each kind of point of \
             each unit is told.",
        ja: "ベースラインにないクライアント・ユニット・ファンクションコード・アドレスで、コントローラーへの書き込みま\
             たは制御が行われました。ベースラインがない場合は、クライアント・ユニット・ポイント種別の組ごとに最初の書\
             き込みを通知します。",
    },
    why: Text {
        en: "A write is how a command reaches pumps, valves and breakers. Most industrial protocols do not ask who \
             commands.",
        ja: "書き込みは、ポンプ・弁・遮断器に指令が届く手段です。多くの産業用プロトコルは、指令した者を確かめません。",
    },
    benign: Text {
        en: "An operator uses a control that was not used while learning; engineering work; a changed program.",
        ja: "学習期間中に使われなかった操作、エンジニアリング作業、プログラムの変更などが考えられます。",
    },
    response: Text {
        en: "Ask the operators whether they gave the command. If nobody did, bring the process to a safe state by \
             local means, isolate the client, and compare the controller's values with their setpoints.",
        ja: "運転員に指令を出したか確認してください。心当たりがなければ、現場操作でプロセスを安全な状態にし、クライア\
             ントを隔離して、コントローラーの値を設定値と照合してください。",
    },
    settings: &[],
};

static WROTE: Text = Text {
    en: "{client} wrote {target} of unit {unit} at {server}: {value}",
    ja: "{client} が {server} のユニット {unit} の {target} に書き込みました: {value}",
};
static COMMANDED: Text = Text {
    en: "{client} commanded {target} of unit {unit} at {server}: {value} ({operation})",
    ja: "{client} が {server} のユニット {unit} の {target} に指令しました: {value}（{operation}）",
};
static SELECTED: Text = Text {
    en: "{client} selected {target} of unit {unit} at {server} for a command: {value} ({operation})",
    ja: "{client} が {server} のユニット {unit} の {target} を指令のため選択しました: {value}（{operation}）",
};
static EVERYBODY: Text = Text {
    en: "{client} sent {operation} to address {unit} at {server}, which is every device behind it",
    ja: "{client} が {server} の一斉同報アドレス {unit} に {operation} を送りました（配下の全機器が対象です）",
};
static SENT_TO: Text = Text {
    en: "{client} sent {operation} for {target} to unit {unit} at {server}",
    ja: "{client} が {server} のユニット {unit} に {target} の {operation} を送りました",
};
static SENT: Text = Text {
    en: "{client} sent {operation} to unit {unit} at {server}",
    ja: "{client} が {server} のユニット {unit} に {operation} を送りました",
};
static BROADCAST: Text = Text {
    en: "{client} sent {operation} to unit 0 at {server}: a gateway passes it to every unit behind it",
    ja: "{client} が {server} のユニット 0 に {operation} を送りました（ゲートウェイは配下の全ユニットに転送します）",
};
static TRIED: Text = Text {
    en: "{server} refused {operation} of {client} on unit {unit}",
    ja: "{server} が {client} によるユニット {unit} への {operation} を拒否しました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&WROTE, &COMMANDED, &SELECTED, &EVERYBODY, &SENT_TO, &SENT, &BROADCAST, &TRIED];

struct WriteUnusual {
    /// Told without a baseline: once for each.
    known: Bounded<Kind, ()>,
}

/// Client, server, unit, verb, data space, and whether it only selects.
type Kind = (AssetKey, AssetKey, u16, Verb, Option<&'static str>, bool);

impl Rule for WriteUnusual {
    fn interest(&self) -> Interest {
        Interest::OPERATION
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        if let (EventKind::Operation(fact), Some(flow)) = (&event.kind, &event.flow)
            && fact.operation.verb.changes_process()
        {
            found.extend(self.judge(flow, fact));
        }
    }

    fn forgotten(&self) -> u64 {
        self.known.evicted()
    }
}

impl WriteUnusual {
    fn judge(&mut self, flow: &Arc<Flow>, fact: &OperationFact) -> Option<Finding> {
        let done = &fact.operation;
        let selects = is_select(flow, done);
        let space = done.target.map(|target| target.space);
        let is_refused = match fact.stage {
            Stage::Requested | Stage::Unasked => false,
            // Its request was told, unless nobody saw it.
            Stage::Refused if fact.request.is_none() => true,
            Stage::Answered | Stage::Refused | Stage::Reported => return None,
        };
        let severity = match fact.verdict {
            Verdict::Unusual(..) if is_refused => Severity::Medium,
            // Who writes to this unit anyway, and now does so elsewhere or by another code, is no stranger.
            Verdict::Unusual(Novelty::Code | Novelty::Addresses, _) => Severity::Medium,
            Verdict::Unusual(..) => Severity::High,
            Verdict::Unknown => {
                if !self.known.first((client(flow), server(flow), done.unit, done.verb, space, selects)) {
                    return None;
                }
                Severity::Medium
            }
            Verdict::Usual(_) | Verdict::Forbidden(_) => return None,
        };
        let subject = format!("{}/{}/{}/{}", ends(flow), spoken(flow), done.unit, done.verb.name());
        let subject = match space {
            Some(space) => format!("{subject}/{space}"),
            None => subject,
        };
        // What follows the select moves something, and must not pass for its repeat.
        let subject = if selects { format!("{subject}/select") } else { subject };
        let mut params = vec![
            ("operation", operation(flow, done)),
            ("verb", Param::Word(done.verb.name())),
            ("unit", Param::Number(u64::from(done.unit))),
        ];
        if let Verdict::Unusual(novelty, _) = fact.verdict {
            params.push(("novelty", Param::Word(novelty.name())));
        }
        let (target, value) = (target(done), values(&fact.points));
        let text = match (&target, &value) {
            _ if is_refused => &TRIED,
            // Modbus over serial line V1.02, 2.2: unit identifier 0 is the broadcast.
            _ if done.unit == 0 && flow.protocol == Some(ProtocolId::Modbus) => &BROADCAST,
            _ if is_everybody(flow, done.unit) => &EVERYBODY,
            (Some(_), Some(_)) if selects => &SELECTED,
            (Some(_), Some(_)) if done.verb == Verb::Control && !is_cancelled(flow, done) => &COMMANDED,
            (Some(_), Some(_)) if done.verb == Verb::Write => &WROTE,
            (Some(_), _) => &SENT_TO,
            (None, _) => &SENT,
        };
        params.extend(target.map(|target| ("target", Param::Text(target))));
        params.extend(value.map(|value| ("value", Param::Text(value))));
        let mut finding = finding(text, flow, subject, basis(fact.verdict), params);
        finding.severity = Some(severity);
        Some(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{
        Bench, LINE, asked, build, dnp3, flow, forbidden, iec104, kind, read, refused, unusual, usual, write,
    };
    use crate::norm::{Basis, Novelty};
    use yagura_parsers::message::{Operation, Point, PointValue, Target};

    fn all(facts: Vec<OperationFact>) -> Vec<Finding> {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        let flow = flow("10.20.0.66", "10.20.1.9", 502);
        facts.into_iter().flat_map(|fact| bench.tell(&mut *rule, 0, &flow, kind(fact))).collect()
    }

    fn command(code: u16, sub: u16, space: &'static str, value: PointValue) -> OperationFact {
        let target = Some(Target { space, first: 40, count: 1 });
        let operation = Operation { verb: Verb::Control, code, sub, unit: 10, target };
        OperationFact { points: [Point::bare(space, 40, value)].into(), ..asked(operation, Verdict::Unknown) }
    }

    fn with_values(mut fact: OperationFact) -> OperationFact {
        fact.points = [(40, 9_999), (41, 7)]
            .map(|(address, value)| Point::bare("holding_register", address, PointValue::Unsigned(value)))
            .into();
        fact
    }

    #[test]
    fn an_unusual_write_is_told_with_its_values() {
        let found = all(vec![with_values(asked(write(1, 40, 2), unusual(Novelty::Conversation)))]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].subject, "10.20.0.66>10.20.1.9/modbus/1/write/holding_register");
        assert_eq!(
            (found[0].severity, found[0].text, found[0].basis),
            (Some(Severity::High), &WROTE, Basis::Nearest(LINE))
        );
        assert!(found[0].params.contains(&("value", Param::Text("40=9999, 41=7".to_owned()))));
    }

    #[test]
    fn each_unusual_write_is_a_finding_and_the_judge_counts() {
        let found = all(vec![asked(write(1, 40, 2), unusual(Novelty::Addresses)); 3]);
        assert_eq!(found.len(), 3);
        assert!(found.windows(2).all(|pair| pair[0].subject == pair[1].subject));
    }

    #[test]
    fn without_a_baseline_the_first_write_to_each_unit_is_told() {
        let found = all(vec![
            asked(write(1, 40, 2), Verdict::Unknown),
            asked(write(1, 90, 2), Verdict::Unknown),
            asked(write(2, 40, 2), Verdict::Unknown),
        ]);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|finding| finding.basis == Basis::None && finding.severity == Some(Severity::Medium)));
    }

    #[test]
    fn without_a_baseline_each_kind_of_point_is_told_and_a_select_does_not_stand_for_its_operate() {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let told = |rule: &mut dyn Rule, flow: &Arc<Flow>, fact| {
            bench.tell(rule, 0, flow, kind(fact)).into_iter().map(|f| (f.text, f.subject)).collect::<Vec<_>>()
        };
        let dnp3 = dnp3("10.20.0.5", "10.20.1.9");
        let select = command(3, 0, "binary_output", PointValue::Unsigned(3));
        let operate = command(4, 0, "binary_output", PointValue::Unsigned(3));
        let base = "10.20.0.5>10.20.1.9/dnp3/10/control/binary_output";
        assert_eq!(told(&mut *rule, &dnp3, select.clone()), [(&SELECTED, format!("{base}/select"))]);
        assert_eq!(told(&mut *rule, &dnp3, operate.clone()), [(&COMMANDED, base.to_owned())]);
        assert!(told(&mut *rule, &dnp3, select).is_empty() && told(&mut *rule, &dnp3, operate).is_empty());
        let set_point = command(4, 0, "analog_output", PointValue::Real(4.5));
        assert_eq!(told(&mut *rule, &dnp3, set_point).len(), 1);

        let iec = iec104("10.20.0.5", "10.20.1.9");
        let single = |sub| command(45, sub, "single_command", PointValue::Bit(true));
        assert_eq!(told(&mut *rule, &iec, single(0x80))[0].0, &SELECTED);
        assert_eq!(told(&mut *rule, &iec, single(0))[0].0, &COMMANDED);
        let mut off = single(0x40);
        off.verdict = unusual(Novelty::Code);
        assert_eq!(told(&mut *rule, &iec, off)[0].0, &SENT_TO, "called off");
    }

    #[test]
    fn a_command_shows_point_and_value_by_name() {
        let fact = command(5, 0, "binary_output", PointValue::Unsigned(0x81));
        let flow = dnp3("10.20.0.5", "10.20.1.9");
        let found = Bench::new().tell(&mut *build(&RULE), 0, &flow, kind(fact));
        assert!(found[0].params.contains(&("value", Param::Text("129 pulse_on trip".to_owned()))));
        assert!(found[0].params.contains(&("target", Param::Text("binary_output 40".to_owned()))));
        assert_eq!((found[0].severity, found[0].basis), (Some(Severity::Medium), Basis::None));
    }

    #[test]
    fn a_command_to_every_outstation_says_so() {
        for (unit, text) in [(0xFFFF, &EVERYBODY), (0xFFFD, &EVERYBODY), (0xFFFC, &COMMANDED)] {
            let mut fact = command(5, 0, "binary_output", PointValue::Unsigned(3));
            fact.operation.unit = unit;
            let flow = dnp3("10.20.0.5", "10.20.1.9");
            assert_eq!(Bench::new().tell(&mut *build(&RULE), 0, &flow, kind(fact))[0].text, text);
        }
    }

    #[test]
    fn usual_writes_reads_and_answers_are_silent() {
        let answer = OperationFact { stage: Stage::Answered, ..asked(write(1, 40, 2), unusual(Novelty::Verb)) };
        let facts = vec![
            asked(write(1, 40, 2), usual()),
            asked(write(1, 40, 2), forbidden()),
            asked(read(1, 40, 2), unusual(Novelty::Verb)),
            answer,
            refused(write(1, 40, 2), unusual(Novelty::Verb), 2),
        ];
        assert!(all(facts).is_empty());
    }

    #[test]
    fn a_refusal_whose_request_nobody_saw_is_told() {
        let mut fact = refused(write(1, 40, 2), unusual(Novelty::Verb), 2);
        fact.request = None;
        let found = all(vec![fact]);
        assert_eq!((found[0].text, found[0].severity), (&TRIED, Some(Severity::Medium)));
    }

    #[test]
    fn an_answer_without_a_request_is_told() {
        let fact = OperationFact { stage: Stage::Unasked, ..asked(write(1, 40, 2), unusual(Novelty::Verb)) };
        assert_eq!(all(vec![fact])[0].text, &SENT_TO);
    }

    #[test]
    fn a_broadcast_and_a_broken_write_say_so() {
        let found = all(vec![
            with_values(asked(write(0, 40, 2), unusual(Novelty::Unit))),
            asked(Operation { target: None, ..write(1, 0, 1) }, unusual(Novelty::Unit)),
        ]);
        assert_eq!((found[0].text, found[1].text), (&BROADCAST, &SENT));
        assert!(found[0].params.iter().any(|(name, _)| *name == "value"));
    }
}
