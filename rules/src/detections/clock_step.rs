//! Alert on a leap of the clock that the frames' times are from.

use super::wording::of_capture;
use crate::facts::event::{CaptureState, Event, EventKind};
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Text};

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |settings, _| Box::new(ClockStep::new(settings)) };

static CARD: Card = Card {
    id: "OT-0034",
    name: "clock_step",
    severity: Severity::Medium,
    attack: &[],
    serves: &["000", "002 5.1.3.4", "CSF DE.CM-01", "CSF PR.PS-04", "62443-3-3 SR 2.11"],
    what: Text {
        en: "The clock that the frames' times are from was set, forward or back; or a thousand frames in a row were older \
             than one before them, and the sensor goes by them from now on.",
        ja: "フレームの時刻の元となる時計が、前または後ろに設定されました。または、ある時刻より古いフレームが1,000個続いたた\
             め、センサーは以後それらの時刻に従います。",
    },
    why: Text {
        en: "Records before and after cannot be put in order by their times, and what was waiting for time to pass may \
             have been judged too early or too late.",
        ja: "前後の記録を時刻で並べることができず、時間の経過を待つ判定が早すぎたり遅すぎたりした可能性があります。",
    },
    benign: Text {
        en: "A clock that is set right for the first time, a time server that came back, captures that were put together \
             in the wrong order.",
        ja: "初回の時刻合わせ、時刻サーバーの復旧、順序を誤って結合したキャプチャーなどが考えられます。",
    },
    response: Text {
        en: "Compare the sensor's clock with a trusted one, and find out who set it.",
        ja: "センサーの時計を信頼できる時刻と比較し、設定した者を確認してください。",
    },
    settings: &[Setting {
        name: "least_ms",
        what: "a clock that was set by so many milliseconds or more",
        default: 1_000,
        min: 1,
        max: 86_400_000,
    }],
};

static FORWARD: Text = Text {
    en: "the clock of {capture} was set forward by {seconds} s",
    ja: "{capture} の時計が {seconds} 秒進められました",
};
static BACK: Text = Text {
    en: "the clock of {capture} was set back by {seconds} s",
    ja: "{capture} の時計が {seconds} 秒戻されました",
};
static OLDER: Text = Text {
    en: "{frames} frames in a row, the last of {capture}, were older than one before them, by {seconds} s: the sensor \
         goes by them from now on",
    ja: "{frames} 個のフレーム（最後は {capture}）が、先行するフレームより {seconds} 秒古い時刻でした。センサーは以後これ\
         らの時刻に従います",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&FORWARD, &BACK, &OLDER];

struct ClockStep {
    least_ns: u64,
}

impl ClockStep {
    fn new(settings: &Settings) -> Self {
        Self { least_ns: settings.value(&CARD, "least_ms").saturating_mul(1_000_000) }
    }
}

/// Seconds to a thousandth.
fn thousandths(ns: u64) -> Param {
    let ms = ns.checked_div(1_000_000).unwrap_or(0);
    let (whole, rest) = (ms.checked_div(1_000).unwrap_or(0), ms.checked_rem(1_000).unwrap_or(0));
    Param::Text(format!("{whole}.{rest:03}"))
}

impl Rule for ClockStep {
    fn interest(&self) -> Interest {
        Interest::SENSOR
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        let EventKind::CaptureState(fact) = &event.kind else { return };
        let (text, by_ns, frames) = match fact.state {
            CaptureState::ClockStepped { by_ns } if by_ns >= 0 => (&FORWARD, by_ns.unsigned_abs(), None),
            CaptureState::ClockStepped { by_ns } => (&BACK, by_ns.unsigned_abs(), None),
            CaptureState::ClockSetBack { by_ns, frames } => (&OLDER, by_ns, Some(frames)),
            _ => return,
        };
        if by_ns < self.least_ns {
            return;
        }
        let mut params = vec![("seconds", thousandths(by_ns))];
        params.extend(frames.map(|frames| ("frames", Param::Number(frames.into()))));
        found.push(of_capture(text, fact.capture, "clock", Severity::Medium, params));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build};
    use crate::facts::event::CaptureFact;

    fn told(state: CaptureState) -> Option<(&'static Text, Param)> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let kind = EventKind::CaptureState(Box::new(CaptureFact { capture: 0, state }));
        let found = bench.show(&mut *rule, &bench.event(0, None, kind)).into_iter().next()?;
        Some((found.text, found.params.iter().find(|(name, _)| *name == "seconds")?.1.clone()))
    }

    #[test]
    fn a_step_is_told_with_its_width_and_direction() {
        let seconds = |text: &str| Param::Text(text.to_owned());
        let stepped = |by_ns| told(CaptureState::ClockStepped { by_ns });
        assert_eq!(stepped(3_600_000_000_000), Some((&FORWARD, seconds("3600.000"))));
        assert_eq!(stepped(-1_500_000_000), Some((&BACK, seconds("1.500"))));
        assert_eq!(stepped(i64::MIN), Some((&BACK, seconds("9223372036.854"))));
        let older = CaptureState::ClockSetBack { by_ns: 2_000_000_000, frames: 1_000 };
        assert_eq!(told(older), Some((&OLDER, seconds("2.000"))));
    }

    #[test]
    fn what_a_time_server_does_all_day_is_silent() {
        assert_eq!(told(CaptureState::ClockStepped { by_ns: 999_999_999 }), None);
        assert_eq!(told(CaptureState::LinkDown), None);
    }
}
