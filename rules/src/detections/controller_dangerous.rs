//! Alert on operations that stop, restart or reprogram a controller.

use super::dialects::is_file_sent;
use super::wording::{basis, ends, finding, operation, spoken, target};
use crate::facts::event::{Event, EventKind, OperationFact, Stage};
use crate::facts::flow::Flow;
use crate::norm::Verdict;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use std::sync::Arc;
use yagura_parsers::message::Verb;
use yagura_parsers::protocols::ProtocolId;

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, _| Box::new(ControllerDangerous) };

static CARD: Card = Card {
    id: "OT-0008",
    name: "controller_dangerous",
    severity: Severity::Critical,
    attack: &[
        Technique { id: "T0816", old: None, name: "Device Restart/Shutdown" },
        Technique { id: "T0858", old: None, name: "Change Operating Mode" },
        Technique { id: "T0814", old: None, name: "Denial of Service" },
        Technique { id: "T0843", old: None, name: "Program Download" },
        Technique { id: "T0845", old: None, name: "Program Upload" },
        Technique { id: "T1693.001", old: Some("T0857"), name: "Modify Firmware: System Firmware" },
    ],
    serves: &[
        "000",
        "002 4.8.1",
        "002 5.1.3.6",
        "CSF DE.CM-01",
        "CSF DE.AE-02",
        "CPG 2.0 3.N",
        "62443-3-3 SR 6.2",
        "62443-3-3 SR 7.6",
    ],
    what: Text {
        en: "A client told a controller to restart, to change its mode (stop, listen only), or moved a program, \
             firmware or file to or from it. Such operations are never learnt: only a line that a person wrote makes \
             them usual.",
        ja: "クライアントがコントローラーに再起動・モード変更（停止、受信専用など）を指示したか、プログラム・ファーム\
             ウェア・ファイルを転送しました。これらの操作は学習されず、人が書いた行がある場合だけ通常とみなします。",
    },
    why: Text {
        en: "A stopped or reprogrammed controller no longer controls. The steps of known attacks on plants end here.",
        ja: "停止または書き換えられたコントローラーは制御を行えません。実際のプラント攻撃の多くはこの操作に行き着きま\
             す。",
    },
    benign: Text {
        en: "Planned engineering work with a work order.",
        ja: "作業指示に基づく計画的なエンジニアリング作業が考えられます。",
    },
    response: Text {
        en: "Check at once that the controller runs and that the process is safe. Ask for the work order; without \
             one, isolate the client, keep the capture, and compare the controller's program with its backup.",
        ja: "直ちにコントローラーの運転状態とプロセスの安全を確認してください。作業指示がなければクライアントを隔離\
             し、キャプチャーを保全し、コントローラーのプログラムをバックアップと照合してください。",
    },
    settings: &[],
};

static RESTART: Text = Text {
    en: "{client} told unit {unit} at {server} to restart ({operation})",
    ja: "{client} が {server} のユニット {unit} に再起動を指示しました（{operation}）",
};
static MODE: Text = Text {
    en: "{client} told unit {unit} at {server} to change its mode ({operation})",
    ja: "{client} が {server} のユニット {unit} にモード変更を指示しました（{operation}）",
};
static TRANSFER: Text = Text {
    en: "{client} moves programs or files to or from unit {unit} at {server} ({operation})",
    ja: "{client} が {server} のユニット {unit} とプログラムまたはファイルの転送を行っています（{operation}）",
};
static REFUSED: Text = Text {
    en: "{server} refused {operation} of {client} on unit {unit}",
    ja: "{server} が {client} によるユニット {unit} への {operation} を拒否しました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&RESTART, &MODE, &TRANSFER, &REFUSED];

struct ControllerDangerous;

impl Rule for ControllerDangerous {
    fn interest(&self) -> Interest {
        Interest::OPERATION
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        if let (EventKind::Operation(fact), Some(flow)) = (&event.kind, &event.flow)
            && fact.operation.verb.is_dangerous()
            && !matches!(fact.verdict, Verdict::Usual(_))
        {
            found.extend(judge(flow, fact));
        }
    }
}

fn judge(flow: &Arc<Flow>, fact: &OperationFact) -> Option<Finding> {
    let done = &fact.operation;
    let (text, severity) = match (fact.stage, done.verb) {
        // Its request was told, unless nobody saw it.
        (Stage::Refused, _) if fact.request.is_none() => (&REFUSED, Severity::High),
        (Stage::Answered | Stage::Refused | Stage::Reported, _) => return None,
        (_, Verb::Restart) => (&RESTART, Severity::Critical),
        (_, Verb::Mode) => (&MODE, Severity::Critical),
        (_, _) if is_download(flow, fact) => (&TRANSFER, Severity::Critical),
        (_, _) => (&TRANSFER, Severity::High),
    };
    let name = operation(flow, done);
    let word = match &name {
        Param::Word(name) => (*name).to_owned(),
        _ => format!("{}-{}", done.code, done.sub),
    };
    let subject = format!("{}/{}/{}/{word}", ends(flow), spoken(flow), done.unit);
    let mut params = vec![
        ("operation", name),
        ("verb", Param::Word(done.verb.name())),
        ("unit", Param::Number(u64::from(done.unit))),
    ];
    params.extend(target(done).map(|target| ("target", Param::Text(target))));
    let mut finding = finding(text, flow, subject, basis(fact.verdict), params);
    finding.severity = Some(severity);
    Some(finding)
}

/// Whether a transfer puts something into the controller, or takes it away: files of other protocols; UMAS (Modbus function
/// code 90) initialize, block and end of a download.
fn is_download(flow: &Flow, fact: &OperationFact) -> bool {
    let done = &fact.operation;
    let is_umas = flow.protocol == Some(ProtocolId::Modbus) && done.code == 90;
    is_file_sent(flow, done, fact.direction) || (is_umas && matches!(done.sub, 0x33..=0x35))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{
        Bench, asked, build, dnp3, flow, forbidden, iec104, kind, read, refused, unusual, usual, write,
    };
    use crate::norm::Novelty;
    use yagura_parsers::dissect::Direction;
    use yagura_parsers::message::Operation;

    fn told(fact: OperationFact) -> Option<Finding> {
        let bench = Bench::new();
        let flow = flow("10.20.0.66", "10.20.1.9", 502);
        bench.tell(&mut *build(&RULE), 0, &flow, kind(fact)).pop()
    }

    fn code(verb: Verb, code: u16, sub: u16) -> Operation {
        Operation { verb, code, sub, unit: 1, target: None }
    }

    #[test]
    fn restart_and_mode_are_critical_with_and_without_a_baseline() {
        for verdict in [Verdict::Unknown, unusual(Novelty::Verb), forbidden()] {
            let finding = told(asked(code(Verb::Restart, 8, 1), verdict)).unwrap();
            assert_eq!((finding.text, finding.severity), (&RESTART, Some(Severity::Critical)));
            assert_eq!(finding.basis, basis(verdict));
            let finding = told(asked(code(Verb::Mode, 8, 4), verdict)).unwrap();
            assert_eq!((finding.text, finding.severity), (&MODE, Some(Severity::Critical)));
        }
    }

    #[test]
    fn a_download_is_worse_than_another_transfer() {
        let severity = |operation| told(asked(operation, Verdict::Unknown)).unwrap().severity;
        for sub in [0x33, 0x34, 0x35] {
            assert_eq!(severity(code(Verb::Transfer, 90, sub)), Some(Severity::Critical));
        }
        assert_eq!(severity(code(Verb::Transfer, 90, 0x30)), Some(Severity::High));
        assert_eq!(severity(code(Verb::Transfer, 21, 0x33)), Some(Severity::High));
    }

    #[test]
    fn files_of_other_protocols_are_transfers_too() {
        let (outstation, station) = (dnp3("10.20.0.66", "10.20.1.9"), iec104("10.20.0.66", "10.20.1.9"));
        let severity = |flow, code_number, direction| {
            let fact = asked(code(Verb::Transfer, code_number, 0), Verdict::Unknown);
            let fact = OperationFact { direction, ..fact };
            Bench::new().tell(&mut *build(&RULE), 0, flow, kind(fact)).pop().unwrap().severity
        };
        assert_eq!(severity(&outstation, 27, Direction::ToServer), Some(Severity::Critical));
        assert_eq!(severity(&outstation, 2, Direction::ToServer), Some(Severity::Critical), "g70 written");
        assert_eq!(severity(&outstation, 25, Direction::ToServer), Some(Severity::High));
        assert_eq!(severity(&station, 125, Direction::ToServer), Some(Severity::Critical));
        assert_eq!(severity(&station, 125, Direction::ToClient), Some(Severity::High), "an upload");
        assert_eq!(severity(&station, 122, Direction::ToServer), Some(Severity::High));
    }

    #[test]
    fn restarts_of_other_protocols_are_told_with_where_they_go() {
        let restart = Operation { unit: 10, ..code(Verb::Restart, 13, 0) };
        let flow = dnp3("10.20.0.66", "10.20.1.9");
        let found = Bench::new().tell(&mut *build(&RULE), 0, &flow, kind(asked(restart, Verdict::Unknown)));
        assert_eq!(found[0].subject, "10.20.0.66>10.20.1.9/dnp3/10/cold_restart");
        assert_eq!((found[0].severity, found[0].basis), (Some(Severity::Critical), basis(Verdict::Unknown)));
    }

    #[test]
    fn different_operations_are_different_subjects() {
        let subject = |sub| told(asked(code(Verb::Transfer, 90, sub), Verdict::Unknown)).unwrap().subject;
        assert_ne!(subject(0x30), subject(0x33));
        assert_eq!(subject(0x30), subject(0x30));
    }

    #[test]
    fn what_a_person_allowed_and_what_is_harmless_is_silent() {
        assert!(told(asked(code(Verb::Restart, 8, 1), usual())).is_none());
        assert!(told(asked(read(1, 0, 1), unusual(Novelty::Verb))).is_none());
        assert!(told(asked(write(1, 0, 1), unusual(Novelty::Verb))).is_none());
    }

    #[test]
    fn an_operation_is_told_once_whatever_the_answer() {
        let restart = code(Verb::Restart, 8, 1);
        assert!(told(refused(restart, Verdict::Unknown, 1)).is_none());
        assert!(told(OperationFact { stage: Stage::Answered, ..asked(restart, Verdict::Unknown) }).is_none());
        let unseen = OperationFact { request: None, ..refused(restart, Verdict::Unknown, 1) };
        let finding = told(unseen).unwrap();
        assert_eq!((finding.text, finding.severity), (&REFUSED, Some(Severity::High)));
    }
}
