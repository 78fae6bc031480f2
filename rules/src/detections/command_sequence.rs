//! Alert on a command that does not go the way of commands: not selected, changed, unconfirmed, unfinished.

use super::wording::{ends, finding, operation, spoken, target, values};
use crate::facts::event::{CommandFact, CommandFault, Event, EventKind};
use crate::facts::flow::Flow;
use crate::norm::Basis;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use std::sync::Arc;

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, _| Box::new(CommandSequence) };

static CARD: Card = Card {
    id: "OT-0016",
    name: "command_sequence",
    severity: Severity::High,
    attack: &[
        Technique { id: "T1692.001", old: Some("T0855"), name: "Unauthorized Message: Command Message" },
        Technique { id: "T0831", old: None, name: "Manipulation of Control" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "CPG 2.0 4.B", "62443-3-3 SR 6.2"],
    what: Text {
        en: "A command did not go its usual way: a point was operated that was not selected before, or otherwise than \
             it was selected; or the device never said that it does the command, or that it has done it.",
        ja: "指令の手順が正しくありません。選択されていないポイントが操作された、選択時と異なる内容で操作された、または\
             機器が指令の受付や完了を通知しませんでした。",
    },
    why: Text {
        en: "Select before operate guards against a command that reaches the wrong point. Who forges commands often \
             leaves the select out, or changes the command on its way.",
        ja: "操作前の選択は、誤ったポイントへの指令を防ぐ仕組みです。指令を偽造する者は選択を省いたり、途中で内容を書き\
             換えたりします。",
    },
    benign: Text {
        en: "A master that was set from select before operate to direct operate, a device that is slow or under local \
             control, frames that the mirror lost.",
        ja: "マスターの設定が選択後操作から直接操作に変わった、機器の応答が遅いか現場操作中である、ミラーでフレームが欠\
             落したなどが考えられます。",
    },
    response: Text {
        en: "Ask the operators whether they gave this command with this value, and look at the state of the point in \
             the field. If nobody did, isolate the client.",
        ja: "運転員がこの値でこの指令を出したか確認し、現場でポイントの状態を確かめてください。心当たりがなければクライ\
             アントを隔離してください。",
    },
    settings: &[],
};

static NOT_SELECTED: Text = Text {
    en: "{client} operated {point} of unit {unit} at {server} without selecting it before: {value} ({operation})",
    ja: "{client} が {server} のユニット {unit} の {point} を事前の選択なしに操作しました: {value}（{operation}）",
};
static CHANGED: Text = Text {
    en: "{client} operated {point} of unit {unit} at {server} with {value}, and had selected it with {selected}",
    ja: "{client} が {server} のユニット {unit} の {point} を、選択時の {selected} と異なる {value} で操作しました",
};
static UNCONFIRMED: Text = Text {
    en: "{server} never answered the command of {client} for {point} of unit {unit}: {value} ({operation})",
    ja: "{server} が {client} によるユニット {unit} の {point} への指令に応答しません: {value}（{operation}）",
};
static UNTERMINATED: Text = Text {
    en: "{server} never said that the command of {client} for {point} of unit {unit} is done: {value} ({operation})",
    ja: "{server} が {client} によるユニット {unit} の {point} への指令の完了を通知しません: {value}（{operation}）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&NOT_SELECTED, &CHANGED, &UNCONFIRMED, &UNTERMINATED];

struct CommandSequence;

impl Rule for CommandSequence {
    fn interest(&self) -> Interest {
        Interest::COMMAND
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        if let (EventKind::Command(fact), Some(flow)) = (&event.kind, &event.flow) {
            found.push(judge(flow, fact));
        }
    }
}

fn judge(flow: &Arc<Flow>, fact: &CommandFact) -> Finding {
    let done = &fact.operation;
    let (text, severity) = match fact.fault {
        CommandFault::NotSelected => (&NOT_SELECTED, Severity::High),
        CommandFault::Changed => (&CHANGED, Severity::High),
        CommandFault::Unconfirmed => (&UNCONFIRMED, Severity::Medium),
        CommandFault::Unterminated => (&UNTERMINATED, Severity::Low),
    };
    let subject = format!("{}/{}/{}/{}", ends(flow), spoken(flow), done.unit, fact.fault.name());
    let subject = match done.target {
        Some(target) => format!("{subject}/{}", target.space),
        None => subject,
    };
    let shown = |text: Option<String>| Param::Text(text.unwrap_or_else(|| "?".to_owned()));
    let mut params = vec![
        ("operation", operation(flow, done)),
        ("verb", Param::Word(done.verb.name())),
        ("unit", Param::Number(u64::from(done.unit))),
        ("fault", Param::Word(fact.fault.name())),
        ("point", shown(target(done))),
        ("value", shown(values(&fact.points))),
        ("asked_frame", Param::Number(fact.asked.frame)),
    ];
    if fact.fault == CommandFault::Changed {
        params.push(("selected", shown(values(&fact.before))));
    }
    let mut finding = finding(text, flow, subject, Basis::None, params);
    finding.severity = Some(severity);
    if matches!(fact.fault, CommandFault::Unconfirmed | CommandFault::Unterminated) {
        finding.assets.reverse(); // It is the server that is silent.
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, asked, build, iec104, key, kind, usual};
    use crate::facts::event::FrameRef;
    use yagura_parsers::message::{Operation, Point, PointValue, Target, Verb};

    fn command() -> Operation {
        let target = Some(Target { space: "set_point", first: 700, count: 1 });
        Operation { verb: Verb::Control, code: 50, sub: 0, unit: 3, target }
    }

    fn told(fault: CommandFault, target: bool) -> Finding {
        let point = |value| Point::bare("set_point", 700, PointValue::Real(value));
        let fact = CommandFact {
            fault,
            operation: if target { command() } else { Operation { target: None, ..command() } },
            asked: FrameRef { capture: 0, frame: 17 },
            points: if target { [point(9.5)].into() } else { [].into() },
            before: [point(1.0)].into(),
            fields: [].into(),
        };
        let flow = iec104("10.20.0.5", "10.20.1.9");
        Bench::new().tell(&mut *build(&RULE), 0, &flow, EventKind::Command(Box::new(fact))).pop().unwrap()
    }

    #[test]
    fn each_fault_has_its_severity_and_its_subject() {
        for (fault, severity) in [
            (CommandFault::NotSelected, Severity::High),
            (CommandFault::Changed, Severity::High),
            (CommandFault::Unconfirmed, Severity::Medium),
            (CommandFault::Unterminated, Severity::Low),
        ] {
            let finding = told(fault, true);
            assert_eq!(finding.severity, Some(severity));
            assert_eq!(finding.subject, format!("10.20.0.5>10.20.1.9/iec104/3/{}/set_point", fault.name()));
            assert_eq!(finding.basis, Basis::None);
        }
    }

    #[test]
    fn a_changed_command_is_told_with_both_values() {
        let finding = told(CommandFault::Changed, true);
        assert!(finding.params.contains(&("value", Param::Text("9.5".to_owned()))));
        assert!(finding.params.contains(&("selected", Param::Text("1".to_owned()))));
        assert!(finding.params.contains(&("point", Param::Text("set_point 700".to_owned()))));
        assert!(finding.params.contains(&("asked_frame", Param::Number(17))));
    }

    #[test]
    fn who_is_silent_comes_first() {
        assert_eq!(told(CommandFault::Unconfirmed, true).assets[0], key("10.20.1.9"));
        assert_eq!(told(CommandFault::NotSelected, true).assets[0], key("10.20.0.5"));
    }

    #[test]
    fn a_command_without_points_is_told_all_the_same() {
        let finding = told(CommandFault::NotSelected, false);
        assert_eq!(finding.subject, "10.20.0.5>10.20.1.9/iec104/3/not_selected");
        assert!(finding.params.contains(&("value", Param::Text("?".to_owned()))));
    }

    #[test]
    fn a_command_that_goes_its_way_is_silent() {
        let flow = iec104("10.20.0.5", "10.20.1.9");
        let fact = asked(command(), usual());
        assert!(Bench::new().tell(&mut *build(&RULE), 0, &flow, kind(fact)).is_empty());
    }
}
