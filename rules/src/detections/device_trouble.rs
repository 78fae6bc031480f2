//! Alert on a device that complains about itself, or says that it has restarted.

use super::wording::{finding, place, server, spoken};
use crate::facts::event::{Event, EventKind, NoticeFact};
use crate::facts::flow::Flow;
use crate::norm::Basis;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use std::sync::Arc;
use yagura_parsers::message::NoticeKind;

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, _| Box::new(DeviceTrouble) };

static CARD: Card = Card {
    id: "OT-0018",
    name: "device_trouble",
    severity: Severity::Medium,
    attack: &[
        Technique { id: "T0814", old: None, name: "Denial of Service" },
        Technique { id: "T0816", old: None, name: "Device Restart/Shutdown" },
        Technique { id: "T0836", old: None, name: "Modify Parameter" },
    ],
    serves: &[
        "000",
        "002 4.8.1",
        "002 5.1.3.6",
        "CSF DE.CM-01",
        "CSF DE.AE-02",
        "62443-3-3 SR 6.2",
        "62443-3-3 SR 7.1",
    ],
    what: Text {
        en: "A device says that it has restarted, that it is in trouble, that its configuration is corrupt, that it lost \
             events for want of room, or that it is under local control.",
        ja: "機器が、再起動した・異常がある・設定が壊れている・バッファー不足でイベントを失った・現場操作中である、のい\
             ずれかを自ら通知しました。",
    },
    why: Text {
        en: "The device itself is the first to know. A restart that nobody ordered, or a corrupt configuration, may be \
             what an attack leaves behind.",
        ja: "異常を最初に知るのは機器自身です。指示のない再起動や設定の破損は、攻撃の痕跡である場合があります。",
    },
    benign: Text {
        en: "A power failure, maintenance, a switch set to local, a link that was down for so long that events piled up.",
        ja: "停電、保守作業、現場操作への切替え、長い通信断によるイベントの滞留などが考えられます。",
    },
    response: Text {
        en: "Ask whether somebody works at the device. If not, look at what was sent to it before it complained, and \
             compare its configuration with its backup.",
        ja: "機器で作業している人がいるか確認してください。いなければ、通知の前に機器へ送られた操作を調べ、設定をバック\
             アップと照合してください。",
    },
    settings: &[],
};

static RESTARTED: Text = Text {
    en: "unit {unit} at {server} says that it has restarted ({trouble})",
    ja: "{server} のユニット {unit} が再起動したことを通知しました（{trouble}）",
};
static TROUBLE: Text = Text {
    en: "unit {unit} at {server} says that it is in trouble ({trouble})",
    ja: "{server} のユニット {unit} が異常を通知しました（{trouble}）",
};
static CORRUPT: Text = Text {
    en: "unit {unit} at {server} says that its configuration is corrupt ({trouble})",
    ja: "{server} のユニット {unit} が設定の破損を通知しました（{trouble}）",
};
static OVERFLOW: Text = Text {
    en: "unit {unit} at {server} says that it lost events for want of room ({trouble})",
    ja: "{server} のユニット {unit} がイベントバッファーのあふれを通知しました（{trouble}）",
};
static EXECUTING: Text = Text {
    en: "unit {unit} at {server} says that it is already at what was asked ({trouble})",
    ja: "{server} のユニット {unit} が、要求された処理をすでに実行中であると通知しました（{trouble}）",
};
static LOCAL: Text = Text {
    en: "unit {unit} at {server} says that it is under local control ({trouble})",
    ja: "{server} のユニット {unit} が現場操作中であることを通知しました（{trouble}）",
};
static RESERVED: Text = Text {
    en: "unit {unit} at {server} sets indications that its standard keeps reserved ({trouble})",
    ja: "{server} のユニット {unit} が、規格で予約された表示ビットを立てました（{trouble}）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&RESTARTED, &TROUBLE, &CORRUPT, &OVERFLOW, &EXECUTING, &LOCAL, &RESERVED];

struct DeviceTrouble;

impl Rule for DeviceTrouble {
    fn interest(&self) -> Interest {
        Interest::NOTICE
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        if let (EventKind::Notice(fact), Some(flow)) = (&event.kind, &event.flow)
            && fact.notice.kind == NoticeKind::Trouble
        {
            found.push(judge(flow, fact));
        }
    }
}

fn judge(flow: &Arc<Flow>, fact: &NoticeFact) -> Finding {
    let notice = &fact.notice;
    let (text, severity) = match notice.name {
        "device_restart" => (&RESTARTED, Severity::Medium),
        "configuration_corrupt" => (&CORRUPT, Severity::Medium),
        "event_buffer_overflow" => (&OVERFLOW, Severity::Low),
        "already_executing" => (&EXECUTING, Severity::Low),
        "local_control" => (&LOCAL, Severity::Info),
        "reserved_iin" => (&RESERVED, Severity::Medium),
        _ => (&TROUBLE, Severity::Medium),
    };
    let subject = format!("{}/{}/{}/{}", place(&server(flow)), spoken(flow), notice.unit, notice.name);
    let params = vec![
        ("unit", Param::Number(u64::from(notice.unit))),
        ("trouble", Param::Word(notice.name)),
        ("clause", Param::Word(notice.clause.0)),
    ];
    let mut finding = finding(text, flow, subject, Basis::None, params);
    finding.severity = Some(severity);
    finding.assets.reverse(); // It is the server that complains.
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, dnp3, key, notice};
    use yagura_parsers::dissect::Direction;

    fn told(kind: NoticeKind, name: &'static str, client: &str) -> Option<Finding> {
        let flow = dnp3(client, "10.20.1.9");
        Bench::new().tell(&mut *build(&RULE), 0, &flow, notice(kind, name, 10, Direction::ToClient)).pop()
    }

    #[test]
    fn each_complaint_has_its_sentence_and_severity() {
        for (name, text, severity) in [
            ("device_restart", &RESTARTED, Severity::Medium),
            ("device_trouble", &TROUBLE, Severity::Medium),
            ("configuration_corrupt", &CORRUPT, Severity::Medium),
            ("event_buffer_overflow", &OVERFLOW, Severity::Low),
            ("already_executing", &EXECUTING, Severity::Low),
            ("local_control", &LOCAL, Severity::Info),
            ("reserved_iin", &RESERVED, Severity::Medium),
        ] {
            let finding = told(NoticeKind::Trouble, name, "10.20.0.5").unwrap();
            assert_eq!((finding.text, finding.severity), (text, Some(severity)));
            assert_eq!(finding.subject, format!("10.20.1.9/dnp3/10/{name}"));
            assert_eq!(finding.assets[0], key("10.20.1.9"));
        }
    }

    #[test]
    fn two_masters_hear_of_one_trouble() {
        let subject = |client| told(NoticeKind::Trouble, "device_restart", client).unwrap().subject;
        assert_eq!(subject("10.20.0.5"), subject("10.20.0.6"));
    }

    #[test]
    fn the_session_is_not_told_here() {
        assert!(told(NoticeKind::Session, "transport_sequence", "10.20.0.5").is_none());
        assert!(told(NoticeKind::Ignored, "reserved_address", "10.20.0.5").is_none());
    }
}
