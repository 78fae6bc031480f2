//! Alert on points that were told regularly, and are told no more.

use super::holding::Holding;
use super::quality_bad::{PointKey, Remarked, by_unit};
use super::wording::server;
use crate::facts::event::{Event, EventKind, PointChange};
use crate::rule::{
    Card, Cited, Finding, Interest, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use std::sync::Arc;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(PointStale::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0026",
    name: "point_stale",
    severity: Severity::Low,
    attack: &[
        Technique {
            id: "T1691.002",
            old: Some("T0804"),
            name: "Block Operational Technology Message: Reporting Message",
        },
        Technique { id: "T0878", old: None, name: "Alarm Suppression" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2"],
    what: Text {
        en: "Points that a device told at regular times are told no more, though it still tells their neighbours.",
        ja: "機器が定期的に通知していたポイントが、隣接するポイントは通知されているのに更新されなくなりました。",
    },
    why: Text {
        en: "The display keeps the last value. Who wants to hide what he does lets single points fall silent.",
        ja: "画面には最後の値が残ります。行為を隠そうとする者は、特定のポイントの通知だけを止めます。",
    },
    benign: Text {
        en: "A changed configuration of the poll or of the device, a bay that was taken out of service.",
        ja: "ポーリングや機器の設定変更、設備の停止などが考えられます。",
    },
    response: Text {
        en: "Compare the points with the configuration of master and device. If nothing was changed there, look at the \
             values in the field and at who wrote to the device last.",
        ja: "マスターと機器の設定でポイントを確認してください。変更がなければ、現場の値と、最後に機器へ書き込んだ者を調\
             べてください。",
    },
    settings: &[Setting {
        name: "hold_s",
        what: "for so many seconds after it was noticed",
        default: 10,
        min: 1,
        max: 86_400,
    }],
};

static STALE: Text = Text {
    en: "unit {unit} at {server} tells points no more: {points}; {count} in all",
    ja: "{server} のユニット {unit} のポイントが更新されなくなりました: {points}（計 {count} 個）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&STALE];

struct PointStale {
    hold_ns: u64,
    stale: Holding<PointKey, Remarked>,
}

impl PointStale {
    fn new(settings: &Settings, memory: usize) -> Self {
        Self { hold_ns: settings.seconds(&CARD, "hold_s"), stale: Holding::new(memory) }
    }
}

impl Rule for PointStale {
    fn interest(&self) -> Interest {
        Interest::POINT.and(Interest::TICK)
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        match (&event.kind, &event.flow) {
            (EventKind::Point(fact), Some(flow)) => {
                let key = (server(flow), fact.unit, fact.point.space, fact.point.address);
                match fact.change {
                    PointChange::Stale { period_ns, .. } => {
                        let tenths = period_ns.checked_div(100_000_000).unwrap_or(0);
                        let (whole, tenth) = (tenths.checked_div(10).unwrap_or(0), tenths.checked_rem(10).unwrap_or(0));
                        let remarked =
                            (Arc::clone(flow), Cited::event(event), format!("each {whole}.{tenth} s before"));
                        self.stale.hold(key, event.time.0.saturating_add(self.hold_ns), remarked);
                    }
                    PointChange::Fresh => {
                        self.stale.let_go(&key);
                    }
                    PointChange::TurnedBad | PointChange::TurnedGood => {}
                }
            }
            (EventKind::Tick, _) => by_unit(self.stale.due(event.time.0), &STALE, None, found),
            (EventKind::End, _) => by_unit(self.stale.due(u64::MAX), &STALE, None, found),
            _ => {}
        }
    }

    fn forgotten(&self) -> u64 {
        self.stale.forgotten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, dnp3, point_change};
    use crate::facts::time::Timestamp;
    use crate::rule::Param;

    const STALE_NOW: PointChange = PointChange::Stale { since: Timestamp(0), period_ns: 2_500_000_000 };

    fn told(changes: &[(u64, u32, PointChange)], last: (u64, EventKind)) -> Vec<Finding> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let flow = dnp3("10.20.0.5", "10.20.1.9");
        let mut found = Vec::new();
        for (second, address, change) in changes {
            found.extend(bench.tell(&mut *rule, *second, &flow, point_change(10, *address, *change)));
        }
        found.extend(bench.show(&mut *rule, &bench.event(last.0, None, last.1)));
        found
    }

    #[test]
    fn points_that_fall_silent_are_told_once_for_their_unit() {
        let found = told(&[(0, 1, STALE_NOW), (1, 2, STALE_NOW)], (11, EventKind::Tick));
        assert_eq!((found.len(), found[0].subject.as_str()), (1, "10.20.1.9/dnp3/10"));
        let points = "measured_value 1 (each 2.5 s before), measured_value 2 (each 2.5 s before)";
        assert!(found[0].params.contains(&("points", Param::Text(points.to_owned()))), "{:?}", found[0].params);
    }

    #[test]
    fn points_that_are_told_again_are_silent() {
        assert!(told(&[(0, 1, STALE_NOW), (5, 1, PointChange::Fresh)], (60, EventKind::Tick)).is_empty());
        assert_eq!(told(&[(0, 1, STALE_NOW), (5, 2, PointChange::Fresh)], (60, EventKind::Tick)).len(), 1);
        assert!(told(&[(0, 1, PointChange::TurnedBad)], (60, EventKind::Tick)).is_empty());
    }

    #[test]
    fn the_end_waits_for_nobody() {
        assert!(told(&[(0, 1, STALE_NOW)], (9, EventKind::Tick)).is_empty());
        assert_eq!(told(&[(0, 1, STALE_NOW)], (9, EventKind::End)).len(), 1);
    }
}
