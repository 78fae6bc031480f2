//! Alert on frames that were lost on their way to the sensor: what it says may be incomplete.

use super::wording::of_capture;
use crate::facts::event::{Event, EventKind, LossFact};
use crate::facts::time::Timestamp;
use crate::rule::{
    Card, Cited, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Text,
};
use std::collections::BTreeMap;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(CaptureLoss::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0031",
    name: "capture_loss",
    severity: Severity::Medium,
    attack: &[],
    serves: &["000", "002 5.1.3.4", "CSF DE.CM-01", "CSF PR.PS-04", "62443-3-3 SR 2.10", "62443-3-3 SR 6.2"],
    what: Text {
        en: "Frames were lost on their way to the sensor: in the kernel, in the interface, or in the sensor because it \
             had no time for them. Of the last, frames of the office go first. Higher where industrial protocols were \
             among them, or a tenth of all frames was lost. The end of the loss is told too, with its sums.",
        ja: "センサーに届くまでの間に（カーネル、インターフェース、またはセンサーの処理能力不足により）フレームが失われ\
             ました。センサー内ではオフィス系のフレームから先に破棄します。産業用プロトコルが含まれる場合、または全体\
             の1割以上が失われた場合は重要度が上がります。損失の終了も合計とともに通知します。",
    },
    why: Text {
        en: "What was lost was not judged: silence meanwhile proves nothing, and evidence should say so. A flood may be \
             meant to blind the sensor.",
        ja: "失われた通信は検査されていません。その間に検知がなかったことは何の証明にもならず、証跡にも明示すべきです。\
             監視を妨げるための大量通信かもしれません。",
    },
    benign: Text {
        en: "More traffic than machine or mirror port can carry, a backup in the plant's network, a busy machine.",
        ja: "機器やミラーポートの能力を超える通信量、制御ネットワーク内のバックアップ、機器の高負荷などが考えられます。",
    },
    response: Text {
        en: "Look at what filled the line at that time. If it is normal, give the sensor a stronger machine, or mirror \
             less; a filter that leaves out a backup helps at once.",
        ja: "その時間帯に回線を占有した通信を確認してください。正常な通信であれば、センサーの機器を増強するか、ミラー対象\
             を減らしてください。バックアップを除外するフィルターが即効策になります。",
    },
    settings: &[
        Setting {
            name: "frames",
            what: "so many frames were lost until it is told",
            default: 1,
            min: 1,
            max: 1_000_000_000,
        },
        Setting {
            name: "quiet_s",
            what: "the loss is over when so many seconds were without",
            default: 60,
            min: 1,
            max: 86_400,
        },
    ],
};

static LOST: Text = Text {
    en: "{lost} frames were lost on {capture} in {seconds} s, and {seen} were seen: {kernel} lost in the kernel, \
         {interface} in the interface, {bulk} of the office and {industrial} of the plant in the sensor",
    ja: "{capture} で {seconds} 秒間に {lost} フレームが失われました（受信 {seen}）。内訳: カーネル {kernel}、インター\
         フェース {interface}、センサー内のオフィス系 {bulk}、産業系 {industrial}",
};
static OVER: Text = Text {
    en: "no frames are lost on {capture} any more; {lost} were lost in {seconds} s, and {seen} were seen: {kernel} lost \
         in the kernel, {interface} in the interface, {bulk} of the office and {industrial} of the plant in the sensor",
    ja: "{capture} のフレーム損失は収まりました。{seconds} 秒間の損失 {lost}（受信 {seen}）。内訳: カーネル {kernel}、イン\
         ターフェース {interface}、センサー内のオフィス系 {bulk}、産業系 {industrial}",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&LOST, &OVER];

/// A loss that goes on.
struct Episode {
    sums: LossFact,
    last: Timestamp,
    first: Cited,
    is_told: bool,
}

struct CaptureLoss {
    frames: u64,
    quiet_ns: u64,
    /// By capture: there are few.
    open: BTreeMap<u16, Episode>,
    memory: usize,
}

impl CaptureLoss {
    fn new(settings: &Settings, memory: usize) -> Self {
        Self {
            frames: settings.value(&CARD, "frames"),
            quiet_ns: settings.seconds(&CARD, "quiet_s"),
            open: BTreeMap::new(),
            memory,
        }
    }

    fn lost(&mut self, fact: &LossFact, event: &Event) -> Option<Finding> {
        if fact.lost() == 0 {
            return None;
        }
        if self.open.len() >= self.memory && !self.open.contains_key(&fact.capture) {
            self.open.pop_first();
        }
        let empty = LossFact { capture: fact.capture, since: fact.since, ..LossFact::default() };
        let first = Cited::event(event);
        let episode =
            self.open.entry(fact.capture).or_insert(Episode { sums: empty, last: event.time, first, is_told: false });
        let sums = &mut episode.sums;
        for (sum, more) in [
            (&mut sums.kernel, fact.kernel),
            (&mut sums.interface, fact.interface),
            (&mut sums.bulk, fact.bulk),
            (&mut sums.industrial, fact.industrial),
            (&mut sums.seen, fact.seen),
        ] {
            *sum = sum.saturating_add(more);
        }
        episode.last = event.time;
        if episode.sums.lost() < self.frames {
            return None;
        }
        episode.is_told = true;
        Some(judged(&LOST, episode))
    }

    fn over(&mut self, now: Timestamp, found: &mut Vec<Finding>) {
        let quiet = self.quiet_ns;
        for episode in self.open.extract_if(.., |_, episode| now.0.abs_diff(episode.last.0) >= quiet) {
            if episode.1.is_told {
                found.push(judged(&OVER, &episode.1));
            }
        }
    }
}

fn judged(text: &'static Text, episode: &Episode) -> Finding {
    let sums = &episode.sums;
    let lost = sums.lost();
    let is_much = lost >= sums.seen.saturating_add(lost).checked_div(10).unwrap_or(0);
    let (subject, severity) = match () {
        () if *text == OVER => ("loss-over", Severity::Info),
        () if sums.industrial > 0 || is_much => ("loss", Severity::High),
        () => ("loss", Severity::Medium),
    };
    let params = vec![
        ("lost", Param::Number(lost)),
        ("seen", Param::Number(sums.seen)),
        ("kernel", Param::Number(sums.kernel)),
        ("interface", Param::Number(sums.interface)),
        ("bulk", Param::Number(sums.bulk)),
        ("industrial", Param::Number(sums.industrial)),
        ("seconds", super::wording::seconds(episode.last.since(sums.since))),
    ];
    let mut finding = of_capture(text, sums.capture, subject, severity, params);
    finding.earlier.push(episode.first);
    finding
}

impl Rule for CaptureLoss {
    fn interest(&self) -> Interest {
        Interest::SENSOR.and(Interest::TICK)
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        match &event.kind {
            EventKind::CaptureLoss(fact) => found.extend(self.lost(fact, event)),
            EventKind::Tick => self.over(event.time, found),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, number};

    fn loss(kernel: u64, industrial: u64, seen: u64) -> EventKind {
        EventKind::CaptureLoss(Box::new(LossFact { kernel, industrial, seen, ..LossFact::default() }))
    }

    fn told(steps: Vec<(u64, EventKind)>) -> Vec<Finding> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        steps.into_iter().flat_map(|(s, kind)| bench.show(&mut *rule, &bench.event(s, None, kind))).collect()
    }

    #[test]
    fn a_loss_is_told_with_its_sums_and_its_end_too() {
        let found = told(vec![
            (0, loss(3, 0, 1_000)),
            (10, loss(4, 0, 1_000)),
            (69, EventKind::Tick),
            (70, EventKind::Tick),
            (200, EventKind::Tick),
        ]);
        let seen: Vec<_> = found.iter().map(|f| (f.subject.as_str(), f.severity, number(f, "lost"))).collect();
        let (medium, info) = (Some(Severity::Medium), Some(Severity::Info));
        assert_eq!(
            seen,
            [("capture-0/loss", medium, 3), ("capture-0/loss", medium, 7), ("capture-0/loss-over", info, 7)]
        );
        assert_eq!((number(&found[2], "seen"), number(&found[2], "kernel")), (2_000, 7));
    }

    #[test]
    fn industrial_frames_or_a_tenth_of_all_weigh_more() {
        assert_eq!(told(vec![(0, loss(0, 1, 1_000_000))])[0].severity, Some(Severity::High));
        assert_eq!(told(vec![(0, loss(100, 0, 900))])[0].severity, Some(Severity::High));
        assert_eq!(told(vec![(0, loss(99, 0, 901))])[0].severity, Some(Severity::Medium));
    }

    #[test]
    fn no_loss_is_silent_and_so_is_one_below_the_setting() {
        assert!(told(vec![(0, loss(0, 0, 1_000)), (100, EventKind::Tick)]).is_empty());
        let (bench, settings) = (Bench::new(), Settings([("frames".to_owned(), 10)].into()));
        let mut rule = (RULE.build)(&settings, 8);
        assert!(bench.show(&mut *rule, &bench.event(0, None, loss(9, 0, 0))).is_empty());
        assert!(bench.show(&mut *rule, &bench.event(61, None, EventKind::Tick)).is_empty(), "nothing to end");
        assert_eq!(bench.show(&mut *rule, &bench.event(62, None, loss(10, 0, 0))).len(), 1);
    }
}
