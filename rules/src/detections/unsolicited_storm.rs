//! Alert on a server that sends far more than it was asked for.

use super::dialects::{is_dnp3, is_iec104};
use super::wording::{client, finding, place, server, spoken};
use crate::facts::event::{Event, EventKind};
use crate::norm::Basis;
use crate::rule::{
    Card, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, _| Box::new(UnsolicitedStorm { settings: settings.clone() }) };

static CARD: Card = Card {
    id: "OT-0022",
    name: "unsolicited_storm",
    severity: Severity::Medium,
    attack: &[
        Technique { id: "T0814", old: None, name: "Denial of Service" },
        Technique { id: "T1692.002", old: Some("T0856"), name: "Unauthorized Message: Reporting Message" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2", "62443-3-3 SR 7.1"],
    what: Text {
        en: "A server sent a great number of messages within ten seconds that its client had not asked for.",
        ja: "サーバーが、クライアントの要求していないメッセージを10秒以内に多数送信しました。",
    },
    why: Text {
        en: "A storm of reports fills the line and the buffers of the control centre, so that alarms come late or are \
             lost. Forged reports look the same.",
        ja: "報告の氾濫は回線と制御所のバッファーを埋め、警報の遅延や消失を招きます。偽造された報告も同じように見えま\
             す。",
    },
    benign: Text {
        en: "A disturbance in the plant, a contact that chatters, a device that sends what piled up while the link was \
             down.",
        ja: "設備の擾乱、接点のチャタリング、通信断の間に滞留した報告の一括送信などが考えられます。",
    },
    response: Text {
        en: "Look at what is reported: many points at once are a disturbance, one point again and again is a contact or \
             a forgery. Compare it with the state in the field.",
        ja: "報告の内容を確認してください。多数のポイントなら擾乱、同じポイントの繰返しなら接点不良か偽造です。現場の状\
             態と照合してください。",
    },
    settings: &[
        Setting {
            name: "dnp3_messages",
            what: "so many messages of DNP3 that nobody asked for, in ten seconds",
            default: 64,
            min: 8,
            max: 1_000_000,
        },
        Setting {
            name: "iec104_messages",
            what: "the same of IEC 60870-5-104, which reports by itself by nature",
            default: 2_048,
            min: 8,
            max: 1_000_000,
        },
    ],
};

static STORM: Text = Text {
    en: "{server} sent {client} {count} messages within 10 s that were not asked for",
    ja: "{server} が {client} に、要求されていないメッセージを10秒以内に {count} 件送信しました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&STORM];

struct UnsolicitedStorm {
    settings: Settings,
}

impl Rule for UnsolicitedStorm {
    fn interest(&self) -> Interest {
        Interest::RATE
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        let (EventKind::Rate(rate), Some(flow)) = (&event.kind, &event.flow) else { return };
        let (count, setting) = match (is_dnp3(flow), is_iec104(flow)) {
            (true, _) => (rate.unsolicited, "dnp3_messages"),
            (_, true) => (rate.unsolicited, "iec104_messages"),
            _ => return,
        };
        if count < self.settings.value(&CARD, setting) {
            return;
        }
        let subject = format!("{}>{}/{}", place(&server(flow)), place(&client(flow)), spoken(flow));
        let params = vec![("count", Param::Number(count))];
        let mut finding = finding(&STORM, flow, subject, Basis::None, params);
        finding.assets.reverse(); // It is the server that sends.
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, dnp3, flow, iec104, key};
    use crate::facts::event::RateFact;
    use crate::facts::flow::Flow;
    use std::sync::Arc;

    fn told(flow: &Arc<Flow>, unsolicited: u64) -> Option<Finding> {
        let rate = RateFact { unsolicited, requests: 5_000, frames: [5_000, 5_000], ..RateFact::default() };
        Bench::new().tell(&mut *build(&RULE), 0, flow, EventKind::Rate(rate)).pop()
    }

    #[test]
    fn a_storm_is_told_and_a_breeze_is_not() {
        let outstation = dnp3("10.20.0.5", "10.20.1.9");
        assert!(told(&outstation, 63).is_none());
        let finding = told(&outstation, 64).unwrap();
        assert_eq!(finding.subject, "10.20.1.9>10.20.0.5/dnp3");
        assert_eq!(finding.assets[0], key("10.20.1.9"));
    }

    #[test]
    fn who_reports_by_nature_may_send_more() {
        let station = iec104("10.20.0.5", "10.20.1.9");
        assert!(told(&station, 2_047).is_none());
        assert!(told(&station, 2_048).is_some());
        assert!(told(&flow("10.20.0.5", "10.20.1.9", 502), 1_000_000).is_none());
    }
}
