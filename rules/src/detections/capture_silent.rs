//! Alert on a capture that hears nothing any more: no frames, no link, or no interface.

use super::wording::{of_capture, seconds};
use crate::facts::event::{CaptureFact, CaptureState, Event, EventKind};
use crate::facts::time::Timestamp;
use crate::rule::{Card, Finding, Interest, Registration, Rule, Scene, Setting, Settings, Severity, Text};
use std::collections::BTreeMap;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(CaptureSilent::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0032",
    name: "capture_silent",
    severity: Severity::High,
    attack: &[],
    serves: &["000", "002 5.1.3.4", "CSF DE.CM-01", "CSF PR.PS-04", "62443-3-3 SR 2.10", "62443-3-3 SR 6.2"],
    what: Text {
        en: "The sensor hears nothing on an interface: no frame comes, the link is down, or the interface is gone. That \
             it hears again is told too.",
        ja: "センサーがインターフェースから何も受信できません（フレームなし、リンクダウン、インターフェース消失）。受信の\
             再開も通知します。",
    },
    why: Text {
        en: "Nothing is watched meanwhile. Who wants to act unseen may cut the mirror first.",
        ja: "その間は何も監視されていません。行為を隠そうとする者は、まずミラーを断つかもしれません。",
    },
    benign: Text {
        en: "Work at the switch, a mirror that was moved to another port, a cable that was pulled, a plant that is off.",
        ja: "スイッチの作業、ミラー設定の変更、ケーブルの抜け、設備の停止などが考えられます。",
    },
    response: Text {
        en: "Ask who works at the switch. Check the cable, the mirror's configuration and the counters of the port.",
        ja: "スイッチで作業している者を確認し、ケーブル、ミラー設定、ポートのカウンターを点検してください。",
    },
    settings: &[Setting { name: "silence_s", what: "no frame for so many seconds", default: 60, min: 1, max: 86_400 }],
};

static SILENT: Text = Text {
    en: "no frame has come on {capture} for {seconds} s",
    ja: "{capture} で {seconds} 秒間フレームを受信していません",
};
static LINK: Text = Text {
    en: "the link of {capture} is down: nothing is heard",
    ja: "{capture} のリンクが切れ、何も受信できません",
};
static GONE: Text = Text {
    en: "the interface {capture} is gone: nothing is heard",
    ja: "インターフェース {capture} がなくなり、何も受信できません",
};
static HEARD: Text = Text {
    en: "{capture} is heard again after {seconds} s",
    ja: "{capture} の受信が {seconds} 秒ぶりに再開しました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&SILENT, &LINK, &GONE, &HEARD];

/// Why a capture hears nothing.
#[derive(Default)]
struct Deaf {
    /// No frame since then, and it is not told yet.
    waits: Option<Timestamp>,
    /// Silence, link, interface: since when, and that it was told.
    told: [Option<Timestamp>; 3],
}

const SILENCE: usize = 0;

struct CaptureSilent {
    silence_ns: u64,
    /// By capture: there are few.
    deaf: BTreeMap<u16, Deaf>,
    memory: usize,
}

impl CaptureSilent {
    fn new(settings: &Settings, memory: usize) -> Self {
        Self { silence_ns: settings.seconds(&CARD, "silence_s"), deaf: BTreeMap::new(), memory }
    }

    fn state(&mut self, fact: &CaptureFact, now: Timestamp, found: &mut Vec<Finding>) {
        if self.deaf.len() >= self.memory && !self.deaf.contains_key(&fact.capture) {
            self.deaf.pop_first();
        }
        let deaf = self.deaf.entry(fact.capture).or_default();
        let (at, text, subject) = match fact.state {
            CaptureState::Silent { since } => {
                // A link that is down is silent: that was told.
                if deaf.told.iter().all(Option::is_none) {
                    deaf.waits = Some(since);
                }
                return;
            }
            CaptureState::Heard { .. } => (SILENCE, None, "silent"),
            CaptureState::LinkDown => (1, Some(&LINK), "link"),
            CaptureState::LinkUp => (1, None, "link"),
            CaptureState::InterfaceGone => (2, Some(&GONE), "interface"),
            CaptureState::InterfaceBack => (2, None, "interface"),
            _ => return,
        };
        let Some(told) = deaf.told.get_mut(at) else { return };
        deaf.waits = None;
        match text {
            Some(text) => {
                *told = Some(now);
                found.push(of_capture(text, fact.capture, subject, Severity::High, Vec::new()));
            }
            None => {
                if let Some(since) = told.take() {
                    let params = vec![("seconds", seconds(now.since(since)))];
                    let subject = format!("{subject}-over");
                    found.push(of_capture(&HEARD, fact.capture, &subject, Severity::Info, params));
                }
            }
        }
    }

    fn due(&mut self, now: Timestamp, found: &mut Vec<Finding>) {
        for (capture, deaf) in &mut self.deaf {
            let Some(since) = deaf.waits.filter(|since| now.since(*since) >= self.silence_ns) else { continue };
            deaf.waits = None;
            if let Some(told) = deaf.told.get_mut(SILENCE) {
                *told = Some(since);
            }
            let params = vec![("seconds", seconds(now.since(since)))];
            found.push(of_capture(&SILENT, *capture, "silent", Severity::High, params));
        }
    }
}

impl Rule for CaptureSilent {
    fn interest(&self) -> Interest {
        Interest::SENSOR.and(Interest::TICK)
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        if let EventKind::CaptureState(fact) = &event.kind {
            self.state(fact, event.time, found);
        }
        if matches!(event.kind, EventKind::CaptureState(_) | EventKind::Tick) {
            self.due(event.time, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, number};

    /// What is found in states at their seconds, and in ticks where there is none.
    fn told(steps: &[(u64, Option<CaptureState>)]) -> Vec<(u64, String, u64)> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let mut found = Vec::new();
        for (second, state) in steps {
            let kind = match state {
                Some(state) => EventKind::CaptureState(Box::new(CaptureFact { capture: 1, state: *state })),
                None => EventKind::Tick,
            };
            for finding in bench.show(&mut *rule, &bench.event(*second, None, kind)) {
                let has = finding.params.iter().any(|(name, _)| *name == "seconds");
                found.push((*second, finding.subject.clone(), if has { number(&finding, "seconds") } else { 0 }));
            }
        }
        found
    }

    fn silent(since: u64) -> CaptureState {
        CaptureState::Silent { since: Bench::new().event(since, None, EventKind::Tick).time }
    }

    #[test]
    fn silence_is_told_after_a_while_and_its_end_too() {
        let heard = CaptureState::Heard { silent_ns: 0 };
        let steps = [(10, Some(silent(0))), (59, None), (60, None), (90, None), (100, Some(heard)), (200, None)];
        let expected = [(60, "capture-1/silent".to_owned(), 60), (100, "capture-1/silent-over".to_owned(), 100)];
        assert_eq!(told(&steps), expected);
        assert!(told(&[(10, Some(silent(0))), (59, Some(heard)), (200, None)]).is_empty(), "a short one");
        assert_eq!(told(&[(70, Some(silent(0)))]).len(), 1, "it has lasted long enough");
    }

    #[test]
    fn link_and_interface_are_told_at_once_and_once_beside_their_silence() {
        let steps = [
            (0, Some(CaptureState::LinkDown)),
            (60, Some(silent(0))),
            (90, None),
            (100, Some(CaptureState::LinkUp)),
            (110, Some(CaptureState::LinkUp)),
            (120, Some(CaptureState::InterfaceGone)),
            (125, Some(CaptureState::InterfaceBack)),
        ];
        let subjects: Vec<_> = told(&steps).into_iter().map(|(second, subject, _)| (second, subject)).collect();
        let expected = [(0, "link"), (100, "link-over"), (120, "interface"), (125, "interface-over")];
        assert_eq!(subjects, expected.map(|(second, name)| (second, format!("capture-1/{name}"))));
    }
}
