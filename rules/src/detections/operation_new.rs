//! Alert on an operation that the baseline does not know of a client, and that neither writes nor endangers the
//! controller.

use super::dialects::{commander, is_dnp3, is_iec104, reporting, sets_clock};
use super::wording::{basis, client, ends, finding, operation, server, spoken, target, values};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, OperationFact, Stage};
use crate::facts::flow::Flow;
use crate::memory::Bounded;
use crate::norm::{Novelty, Verdict};
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use std::sync::Arc;
use yagura_parsers::message::{Operation, Verb};

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |_, memory| Box::new(OperationNew { known: Bounded::new(memory) }) };

static CARD: Card = Card {
    id: "OT-0005",
    name: "operation_new",
    severity: Severity::Medium,
    attack: &[
        Technique { id: "T0861", old: None, name: "Point & Tag Identification" },
        Technique { id: "T0888", old: None, name: "Remote System Information Discovery" },
        Technique { id: "T0801", old: None, name: "Monitor Process State" },
        Technique { id: "T1692.001", old: Some("T0855"), name: "Unauthorized Message: Command Message" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "CPG 1.0.1 3.A", "CPG 2.0 4.B", "62443-3-3 SR 6.2"],
    what: Text {
        en: "A client used a unit identifier, a verb, a function code or addresses that the baseline does not know \
             between it and the server, or another master behind its address. Writes, dangerous operations, clocks and \
             what devices report have detections of their own. Without a baseline only what changes the settings or \
             counters of a device is told, as low, and parameters that are loaded, as medium.",
        ja: "クライアントが、ベースラインにないユニット識別子・操作種別・ファンクションコード・アドレスを使ったか、同\
             じIPアドレスの背後に別のマスターが現れました。書き込み・危険な操作・時刻設定・機器の報告は別の検知項目で\
             扱います。ベースラインがない場合は、機器の設定やカウンターを変える操作を深刻度「低」、パラメーターの書込\
             みを「中」で通知します。",
    },
    why: Text {
        en: "Masters ask the same questions every cycle. A new question is how somebody who holds an operator station \
             explores the controller before he acts.",
        ja: "マスターは毎周期同じ要求を繰り返します。新しい要求は、操作端末を手に入れた者が行動の前にコントローラーを\
             調べているときに現れます。",
    },
    benign: Text {
        en: "A changed display or report, a software update of the master, engineering work, a rare diagnosis.",
        ja: "画面や帳票の変更、マスター側ソフトウェアの更新、エンジニアリング作業、まれな診断操作などが考えられます。",
    },
    response: Text {
        en: "Ask who works at the client. If the change was planned, learn anew and review the difference; if not, \
             look at what else the client did since.",
        ja: "クライアントで作業している人を確認してください。計画された変更であれば再学習して差分を確認し、そうでなけ\
             ればそれ以降のクライアントの動作を調べてください。",
    },
    settings: &[],
};

static NEW: Text = Text {
    en: "{client} sent {operation} for {target} to unit {unit} at {server}; new: {novelty}",
    ja: "{client} が {server} のユニット {unit} に {target} の {operation} を送りました（新規: {novelty}）",
};
static NEW_WITHOUT_TARGET: Text = Text {
    en: "{client} sent {operation} to unit {unit} at {server}; new: {novelty}",
    ja: "{client} が {server} のユニット {unit} に {operation} を送りました（新規: {novelty}）",
};

static CONFIGURED: Text = Text {
    en: "{client} sent {operation} to unit {unit} at {server}, which changes how the device works",
    ja: "{client} が {server} のユニット {unit} に、機器の動作を変える {operation} を送りました",
};
static LOADED: Text = Text {
    en: "{client} changed {target} of unit {unit} at {server} by {operation}: {value}",
    ja: "{client} が {operation} で {server} のユニット {unit} の {target} を変更しました: {value}",
};
static COMMANDER: Text = Text {
    en: "{client} commands unit {unit} at {server} as {commander} {number}, which it never did before",
    ja: "{client} が、これまで使われていない {commander} {number} として {server} のユニット {unit} に指令しています",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&NEW, &NEW_WITHOUT_TARGET, &CONFIGURED, &LOADED, &COMMANDER];

struct OperationNew {
    /// What changed a device without a baseline, told once for each; parameters that are loaded, once for each unit.
    known: Bounded<Change, ()>,
}

/// Client, server, unit, and code with second code.
type Change = (AssetKey, AssetKey, u16, Option<(u16, u16)>);

impl Rule for OperationNew {
    fn interest(&self) -> Interest {
        Interest::OPERATION
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        if let (EventKind::Operation(fact), Some(flow)) = (&event.kind, &event.flow) {
            if !matches!(fact.stage, Stage::Requested | Stage::Unasked) || is_told_elsewhere(flow, &fact.operation) {
                return;
            }
            match fact.verdict {
                Verdict::Unusual(novelty, _) => found.extend(unusual(flow, fact, novelty)),
                Verdict::Unknown => found.extend(self.unknown(flow, fact)),
                Verdict::Usual(_) | Verdict::Forbidden(_) => {}
            }
        }
    }

    fn forgotten(&self) -> u64 {
        self.known.evicted()
    }
}

impl OperationNew {
    /// Where no file says what is usual, reading is not worth a word, and changing the device is.
    fn unknown(&mut self, flow: &Arc<Flow>, fact: &OperationFact) -> Option<Finding> {
        let done = &fact.operation;
        // That a device may report by itself is what every master says at its start.
        if done.verb != Verb::Configure || reporting(flow, done) == Some(true) {
            return None;
        }
        let target = target(done);
        let codes = if target.is_some() { None } else { Some((done.code, done.sub)) };
        if !self.known.first((client(flow), server(flow), done.unit, codes)) {
            return None;
        }
        let subject = format!("{}/{}/{}/{}", ends(flow), spoken(flow), done.unit, done.verb.name());
        let mut params = vec![
            ("operation", operation(flow, done)),
            ("verb", Param::Word(done.verb.name())),
            ("unit", Param::Number(u64::from(done.unit))),
        ];
        let (text, severity) = match target {
            Some(target) => {
                params.push(("target", Param::Text(target)));
                params.push(("value", Param::Text(values(&fact.points).unwrap_or_else(|| "?".to_owned()))));
                (&LOADED, Severity::Medium)
            }
            None => (&CONFIGURED, Severity::Low),
        };
        let mut finding = finding(text, flow, subject, basis(fact.verdict), params);
        finding.severity = Some(severity);
        Some(finding)
    }
}

/// Whether another detection judges an operation.
fn is_told_elsewhere(flow: &Flow, done: &Operation) -> bool {
    match done.verb {
        Verb::Report => true,
        Verb::Synchronize => sets_clock(flow, done),
        // Confirmations and tests keep the session, whenever they come; who commands behind the address does not.
        Verb::Session => (is_dnp3(flow) || is_iec104(flow)) && commander(done).is_none(),
        _ => reporting(flow, done) == Some(false),
    }
}

/// Somebody else behind the address of a client that is known.
fn new_commander(flow: &Arc<Flow>, fact: &OperationFact, novelty: Novelty) -> Option<Finding> {
    let (space, number) = commander(&fact.operation)?;
    let severity = match novelty {
        // What he does to it is told by that.
        Novelty::Conversation | Novelty::Unit => return None,
        Novelty::Addresses if space == "master_address" => Severity::High,
        Novelty::Verb | Novelty::Code | Novelty::Addresses => Severity::Medium,
    };
    let unit = fact.operation.unit;
    let params = vec![
        ("unit", Param::Number(u64::from(unit))),
        ("commander", Param::Word(space)),
        ("number", Param::Number(u64::from(number))),
        ("verb", Param::Word(fact.operation.verb.name())),
        ("novelty", Param::Word(novelty.name())),
    ];
    let subject = format!("{}/{}/{unit}/{space}", ends(flow), spoken(flow));
    let mut finding = finding(&COMMANDER, flow, subject, basis(fact.verdict), params);
    finding.severity = Some(severity);
    Some(finding)
}

fn unusual(flow: &Arc<Flow>, fact: &OperationFact, novelty: Novelty) -> Option<Finding> {
    let verb = fact.operation.verb;
    if verb.changes_process() || verb.is_dangerous() {
        return None;
    }
    if commander(&fact.operation).is_some() {
        return new_commander(flow, fact, novelty);
    }
    let unit = fact.operation.unit;
    // A sweep must not become as many subjects as it has steps.
    let detail = match novelty {
        // That a stranger reads was told by the conversation; that he does more was not.
        Novelty::Conversation if matches!(verb, Verb::Read | Verb::Report | Verb::Session) => return None,
        Novelty::Unit => "unit".to_owned(),
        Novelty::Conversation | Novelty::Verb | Novelty::Code | Novelty::Addresses => {
            format!("{unit}/{}/{}", verb.name(), novelty.name())
        }
    };
    let subject = format!("{}/{}/{detail}", ends(flow), spoken(flow));
    let mut params = vec![
        ("operation", operation(flow, &fact.operation)),
        ("verb", Param::Word(verb.name())),
        ("unit", Param::Number(u64::from(unit))),
        ("novelty", Param::Word(novelty.name())),
    ];
    let text = match target(&fact.operation) {
        Some(target) => {
            params.push(("target", Param::Text(target)));
            &NEW
        }
        None => &NEW_WITHOUT_TARGET,
    };
    Some(finding(text, flow, subject, basis(fact.verdict), params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{
        Bench, LINE, asked, build, dnp3, flow, forbidden, iec104, kind, read, refused, unusual, usual, write,
    };
    use crate::norm::Basis;
    use yagura_parsers::message::{Point, PointValue, Target};

    fn told(fact: OperationFact) -> Option<Finding> {
        let bench = Bench::new();
        let flow = flow("10.20.0.5", "10.20.1.9", 502);
        bench.tell(&mut *build(&RULE), 0, &flow, kind(fact)).pop()
    }

    #[test]
    fn what_is_new_is_told_with_its_nearest_line() {
        let finding = told(asked(read(1, 100, 10), unusual(Novelty::Addresses))).unwrap();
        assert_eq!(finding.subject, "10.20.0.5>10.20.1.9/modbus/1/read/addresses");
        assert_eq!(finding.basis, Basis::Nearest(LINE));
        assert!(finding.params.contains(&("target", Param::Text("holding_register 100-109".to_owned()))));
        assert!(told(asked(read(1, 0, 1), unusual(Novelty::Verb))).is_some());
        assert!(told(asked(read(1, 0, 1), unusual(Novelty::Code))).is_some());
    }

    #[test]
    fn a_sweep_of_units_has_one_subject() {
        let subject = |unit| told(asked(read(unit, 0, 1), unusual(Novelty::Unit))).unwrap().subject;
        assert_eq!(subject(1), subject(247));
    }

    #[test]
    fn an_operation_without_addresses_is_told_too() {
        let identify = Operation { verb: Verb::Identify, code: 17, sub: 0, unit: 1, target: None };
        assert_eq!(told(asked(identify, unusual(Novelty::Verb))).unwrap().text, &NEW_WITHOUT_TARGET);
    }

    #[test]
    fn what_changes_a_device_is_told_without_a_baseline_once_and_milder() {
        let configure = Operation { verb: Verb::Configure, code: 8, sub: 10, unit: 1, target: None };
        assert_eq!(told(asked(configure, unusual(Novelty::Verb))).unwrap().severity, None);
        let bench = Bench::new();
        let mut rule = build(&RULE);
        let flow = flow("10.20.0.5", "10.20.1.9", 502);
        let mut told = || bench.tell(&mut *rule, 0, &flow, kind(asked(configure, Verdict::Unknown)));
        let found = told();
        assert_eq!((found[0].text, found[0].severity, found[0].basis), (&CONFIGURED, Some(Severity::Low), Basis::None));
        assert!(told().is_empty());
    }

    #[test]
    fn a_stranger_who_does_more_than_read_is_told() {
        let diagnose = Operation { verb: Verb::Diagnose, code: 7, sub: 0, unit: 1, target: None };
        let finding = told(asked(diagnose, unusual(Novelty::Conversation))).unwrap();
        assert_eq!(finding.subject, "10.20.0.5>10.20.1.9/modbus/1/diagnose/conversation");
    }

    fn told_of(flow: &Arc<Flow>, fact: OperationFact) -> Option<Finding> {
        Bench::new().tell(&mut *build(&RULE), 0, flow, kind(fact)).pop()
    }

    fn of(verb: Verb, code: u16, target: Option<Target>) -> Operation {
        Operation { verb, code, sub: 0, unit: 10, target }
    }

    #[test]
    fn another_master_behind_a_known_address_is_told() {
        let master = |space| of(Verb::Session, 0x100, Some(Target { space, first: 5, count: 1 }));
        let flow = dnp3("10.20.0.5", "10.20.1.9");
        let finding = told_of(&flow, asked(master("master_address"), unusual(Novelty::Addresses))).unwrap();
        assert_eq!((finding.text, finding.severity), (&COMMANDER, Some(Severity::High)));
        assert_eq!(finding.subject, "10.20.0.5>10.20.1.9/dnp3/10/master_address");
        assert!(finding.params.contains(&("number", Param::Number(5))));
        for novelty in [Novelty::Conversation, Novelty::Unit] {
            assert!(told_of(&flow, asked(master("master_address"), unusual(novelty))).is_none());
        }
        assert!(told_of(&flow, asked(master("master_address"), usual())).is_none());
        assert!(told_of(&flow, asked(master("master_address"), Verdict::Unknown)).is_none());
        let flow = iec104("10.20.0.5", "10.20.1.9");
        let finding = told_of(&flow, asked(master("originator_address"), unusual(Novelty::Addresses))).unwrap();
        assert_eq!(finding.severity, Some(Severity::Medium));
    }

    #[test]
    fn parameters_that_are_loaded_are_told_once_for_each_unit_with_their_values() {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let flow = iec104("10.20.0.5", "10.20.1.9");
        let mut told = |code, first| {
            let load = of(Verb::Configure, code, Some(Target { space: "parameter", first, count: 1 }));
            let points = [Point::bare("parameter", first, PointValue::Real(2.5))].into();
            bench.tell(&mut *rule, 0, &flow, kind(OperationFact { points, ..asked(load, Verdict::Unknown) }))
        };
        let found = told(110, 700);
        assert_eq!((found[0].text, found[0].severity, found[0].basis), (&LOADED, Some(Severity::Medium), Basis::None));
        assert!(found[0].params.contains(&("value", Param::Text("2.5".to_owned()))));
        assert!(told(110, 701).is_empty() && told(112, 702).is_empty());
    }

    #[test]
    fn what_has_a_detection_of_its_own_is_silent_here() {
        let (dnp3, iec) = (dnp3("10.20.0.5", "10.20.1.9"), iec104("10.20.0.5", "10.20.1.9"));
        let points = Some(Target { space: "binary_input", first: 1, count: 1 });
        for (flow, operation) in [
            (&dnp3, of(Verb::Report, 129, points)),
            (&dnp3, of(Verb::Synchronize, 2, None)),
            (&dnp3, of(Verb::Configure, 21, None)),
            (&dnp3, of(Verb::Session, 0, None)),
            (&iec, of(Verb::Synchronize, 103, None)),
            (&iec, of(Verb::Session, 0x213, None)),
            (&iec, of(Verb::Session, 0x243, None)),
        ] {
            for verdict in [unusual(Novelty::Verb), Verdict::Unknown] {
                assert!(told_of(flow, asked(operation, verdict)).is_none(), "{operation:?}");
            }
        }
        for operation in [of(Verb::Synchronize, 23, None), of(Verb::Configure, 20, None)] {
            assert!(told_of(&dnp3, asked(operation, unusual(Novelty::Verb))).is_some(), "{operation:?}");
            assert!(told_of(&dnp3, asked(operation, Verdict::Unknown)).is_none(), "{operation:?}");
        }
        let reservation = Operation { sub: 0x10, ..of(Verb::Session, 90, None) };
        assert!(told(asked(reservation, unusual(Novelty::Code))).is_some(), "of Modbus");
    }

    #[test]
    fn what_others_tell_is_silent_here() {
        assert!(told(asked(read(1, 0, 1), usual())).is_none());
        assert!(told(asked(read(1, 0, 1), Verdict::Unknown)).is_none());
        assert!(told(asked(read(1, 0, 1), forbidden())).is_none());
        assert!(told(asked(read(1, 0, 1), unusual(Novelty::Conversation))).is_none());
        assert!(told(asked(write(1, 0, 1), unusual(Novelty::Addresses))).is_none());
        assert!(told(refused(read(1, 0, 1), unusual(Novelty::Addresses), 2)).is_none());
        let restart = Operation { verb: Verb::Restart, code: 8, sub: 1, unit: 1, target: None };
        assert!(told(asked(restart, unusual(Novelty::Verb))).is_none());
    }
}
