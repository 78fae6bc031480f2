//! Alert on a mirror port that cannot show all there is: one direction, one VLAN, or no device's own frames.

use super::wording::of_capture;
use crate::facts::event::{CaptureState, Event, EventKind, MirrorFault, MirrorFlaw};
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Text};
use std::collections::BTreeSet;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, _| Box::new(MirrorSuspect::new(settings)) };

static CARD: Card = Card {
    id: "OT-0033",
    name: "mirror_suspect",
    severity: Severity::Medium,
    attack: &[],
    serves: &["000", "002 5.1.3.4", "CSF DE.CM-01", "CSF PR.PS-04", "62443-3-3 SR 2.10", "62443-3-3 SR 6.2"],
    what: Text {
        en: "What the sensor hears cannot be all that there is: most conversations in one direction only, one VLAN only, \
             or nothing that is addressed to a single device. That it is so no longer is told too.",
        ja: "センサーが受信している内容が全体とは考えられません（会話の大半が片方向のみ、VLANが一つだけ、単一機器宛ての\
             フレームがない）。解消も通知します。",
    },
    why: Text {
        en: "What the mirror leaves out is not watched, and what rests on both directions (answers, lost devices, values) \
             is judged with half the knowledge.",
        ja: "ミラーに含まれない通信は監視されません。応答や機器の停止、値など双方向を前提とする判定も不完全になります。",
    },
    benign: Text {
        en: "A mirror of one direction or one VLAN that is meant so, a sensor at an ordinary port, two ways through the \
             network of which one is mirrored.",
        ja: "意図した片方向・単一VLANのミラー、通常ポートへの接続、冗長経路の片側だけのミラーなどが考えられます。",
    },
    response: Text {
        en: "Look at the mirror's configuration: both directions, all VLANs of the plant, and a port that is a mirror's \
             destination at all.",
        ja: "ミラー設定を確認してください（送受信の両方向、制御系のすべてのVLAN、ミラーの出力ポートであること）。",
    },
    settings: &[
        Setting { name: "percent", what: "so many of a hundred show it", default: 80, min: 1, max: 100 },
        Setting {
            name: "least",
            what: "of at least so many conversations or frames",
            default: 20,
            min: 1,
            max: 1_000_000_000,
        },
    ],
};

static ONE_DIRECTION: Text = Text {
    en: "of {total} conversations on {capture}, {count} are heard in one direction only",
    ja: "{capture} の会話 {total} 件のうち {count} 件が片方向しか受信されていません",
};
static ONE_VLAN: Text = Text {
    en: "of {total} frames on {capture}, {count} are of VLAN {vlan}: other VLANs are not heard",
    ja: "{capture} のフレーム {total} 件のうち {count} 件がVLAN {vlan} のもので、他のVLANが受信されていません",
};
static NO_UNICAST: Text = Text {
    en: "of {total} frames on {capture}, {count} are to groups or all: what is sent to single devices is not heard",
    ja: "{capture} のフレーム {total} 件のうち {count} 件がマルチキャスト・ブロードキャストで、単一機器宛ての通信が受信\
         されていません",
};
static PLAUSIBLE: Text = Text {
    en: "what is heard on {capture} is no longer suspicious ({flaw})",
    ja: "{capture} の受信内容の疑い（{flaw}）は解消しました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&ONE_DIRECTION, &ONE_VLAN, &NO_UNICAST, &PLAUSIBLE];

struct MirrorSuspect {
    percent: u64,
    least: u64,
    /// What was told and holds: three flaws for each capture, of which there are few.
    told: BTreeSet<(u16, MirrorFlaw)>,
}

impl MirrorSuspect {
    fn new(settings: &Settings) -> Self {
        let value = |name| settings.value(&CARD, name);
        Self { percent: value("percent"), least: value("least"), told: BTreeSet::new() }
    }

    fn suspect(&mut self, capture: u16, fault: &MirrorFault) -> Option<Finding> {
        let share = u128::from(fault.count).saturating_mul(100);
        let is_much = share >= u128::from(fault.total).saturating_mul(u128::from(self.percent));
        if fault.total < self.least || !is_much {
            return None;
        }
        self.told.insert((capture, fault.flaw));
        let text = match fault.flaw {
            MirrorFlaw::OneDirection => &ONE_DIRECTION,
            MirrorFlaw::OneVlan => &ONE_VLAN,
            MirrorFlaw::NoUnicast => &NO_UNICAST,
        };
        let mut params = vec![
            ("flaw", Param::Word(fault.flaw.name())),
            ("count", Param::Number(fault.count)),
            ("total", Param::Number(fault.total)),
        ];
        if fault.flaw == MirrorFlaw::OneVlan {
            params.push(("vlan", Param::Number(fault.vlan.unwrap_or(0).into())));
        }
        Some(of_capture(text, capture, fault.flaw.name(), Severity::Medium, params))
    }

    fn plausible(&mut self, capture: u16, flaw: MirrorFlaw) -> Option<Finding> {
        let params = vec![("flaw", Param::Word(flaw.name()))];
        let subject = format!("{}-over", flaw.name());
        self.told.remove(&(capture, flaw)).then(|| of_capture(&PLAUSIBLE, capture, &subject, Severity::Info, params))
    }
}

impl Rule for MirrorSuspect {
    fn interest(&self) -> Interest {
        Interest::SENSOR
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        let EventKind::CaptureState(fact) = &event.kind else { return };
        match &fact.state {
            CaptureState::Suspect(fault) => found.extend(self.suspect(fact.capture, fault)),
            CaptureState::Plausible(flaw) => found.extend(self.plausible(fact.capture, *flaw)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build};
    use crate::facts::event::CaptureFact;

    fn told(states: &[CaptureState]) -> Vec<(&'static Text, String)> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let kinds =
            states.iter().map(|state| EventKind::CaptureState(Box::new(CaptureFact { capture: 0, state: *state })));
        let found = kinds.flat_map(|kind| bench.show(&mut *rule, &bench.event(0, None, kind)));
        found.map(|finding| (finding.text, finding.subject)).collect()
    }

    fn suspect(flaw: MirrorFlaw, count: u64, total: u64) -> CaptureState {
        CaptureState::Suspect(MirrorFault { flaw, count, total, vlan: Some(7) })
    }

    #[test]
    fn each_flaw_is_told_with_its_figures_and_its_end_once() {
        for (flaw, text) in [
            (MirrorFlaw::OneDirection, &ONE_DIRECTION),
            (MirrorFlaw::OneVlan, &ONE_VLAN),
            (MirrorFlaw::NoUnicast, &NO_UNICAST),
        ] {
            let over = CaptureState::Plausible(flaw);
            let found = told(&[suspect(flaw, 80, 100), over, over]);
            let subject = format!("capture-0/{}", flaw.name());
            assert_eq!(found, [(text, subject.clone()), (&PLAUSIBLE, format!("{subject}-over"))]);
        }
    }

    #[test]
    fn few_or_a_small_share_are_silent() {
        assert!(told(&[suspect(MirrorFlaw::OneDirection, 19, 19)]).is_empty());
        assert!(told(&[suspect(MirrorFlaw::OneDirection, 79, 100)]).is_empty());
        assert!(told(&[CaptureState::Plausible(MirrorFlaw::OneVlan)]).is_empty());
    }
}
