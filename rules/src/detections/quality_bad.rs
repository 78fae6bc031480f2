//! Alert on values that a device marks bad, and that stay so.

use super::holding::Holding;
use super::wording::{finding, place, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, PointChange};
use crate::facts::flow::Flow;
use crate::norm::Basis;
use crate::rule::{
    Card, Cited, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use yagura_parsers::message::Quality;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(QualityBad::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0024",
    name: "quality_bad",
    severity: Severity::Low,
    attack: &[
        Technique { id: "T1692.002", old: Some("T0856"), name: "Unauthorized Message: Reporting Message" },
        Technique { id: "T0814", old: None, name: "Denial of Service" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2"],
    what: Text {
        en: "A device marks values as bad that were good (invalid, not topical, blocked, out of range, source lost), and \
             does not mark them good again for a while.",
        ja: "機器が、それまで正常だった値に不良の品質（無効、更新なし、固定、範囲外、ソース断など）を付け、しばらく回復し\
             ていません。",
    },
    why: Text {
        en: "Operators see values that do not follow the process. Who cuts off a sensor, or forges its values, is seen by \
             the quality first.",
        ja: "運転員に見えている値がプロセスに追従していません。センサーの切離しや値の偽造は、まず品質に現れます。",
    },
    benign: Text {
        en: "A failed sensor, a bay out of service, maintenance, a link below the station that is down.",
        ja: "センサーの故障、設備の停止、保守作業、局配下の通信断などが考えられます。",
    },
    response: Text {
        en: "Find out what the points have in common: one sensor, one module, one link. Tell the operators that the \
             values are not to be trusted.",
        ja: "該当ポイントの共通点（センサー、モジュール、回線）を調べ、値が信頼できないことを運転員に伝えてください。",
    },
    settings: &[Setting { name: "hold_s", what: "bad for so many seconds", default: 60, min: 1, max: 86_400 }],
};

static BAD: Text = Text {
    en: "unit {unit} at {server} marks values bad for {seconds} s: {points}; {count} in all",
    ja: "{server} のユニット {unit} の値が {seconds} 秒間不良のままです: {points}（計 {count} 個）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&BAD];

/// Points that a sentence shows.
pub(super) const POINTS_SHOWN: usize = 8;

/// A point that is told of: server, unit, space, address.
pub(super) type PointKey = (AssetKey, u16, &'static str, u32);

/// What is to be said of a point: its flow, what carries it, and a remark.
pub(super) type Remarked = (Arc<Flow>, Cited, String);

/// One finding for all points of one unit.
pub(super) fn by_unit(
    points: BTreeMap<PointKey, Remarked>,
    text: &'static Text,
    also: Option<(&'static str, Param)>,
    found: &mut Vec<Finding>,
) {
    let mut points = points.into_iter().peekable();
    while let Some(((key, unit, space, address), (flow, cited, remark))) = points.next() {
        let mut shown = vec![format!("{space} {address} ({remark})")];
        let mut earlier = vec![cited];
        let mut count = 1_u64;
        while let Some(((.., space, address), (_, cited, remark))) =
            points.next_if(|((k, u, ..), _)| (*k, *u) == (key, unit))
        {
            count = count.saturating_add(1);
            if shown.len() < POINTS_SHOWN {
                shown.push(format!("{space} {address} ({remark})"));
                earlier.push(cited);
            }
        }
        let mut listed = shown.join(", ");
        if count > u64::try_from(shown.len()).unwrap_or(u64::MAX) {
            listed.push_str(", ..");
        }
        let subject = format!("{}/{}/{unit}", place(&server(&flow)), spoken(&flow));
        let mut params = vec![
            ("unit", Param::Number(u64::from(unit))),
            ("count", Param::Number(count)),
            ("points", Param::Text(listed)),
        ];
        params.extend(also.clone());
        let mut finding = finding(text, &flow, subject, Basis::None, params);
        finding.assets.reverse(); // It is the server that tells.
        finding.earlier = earlier;
        found.push(finding);
    }
}

struct QualityBad {
    hold_ns: u64,
    bad: Holding<PointKey, Remarked>,
}

impl QualityBad {
    fn new(settings: &Settings, memory: usize) -> Self {
        Self { hold_ns: settings.seconds(&CARD, "hold_s"), bad: Holding::new(memory) }
    }
}

/// The names of a quality's bits.
fn named(quality: Quality) -> String {
    let names: Vec<&str> = Quality::NAMES.iter().filter(|(bit, _)| quality.has(*bit)).map(|(_, name)| *name).collect();
    names.join(" ")
}

impl Rule for QualityBad {
    fn interest(&self) -> Interest {
        Interest::POINT.and(Interest::TICK)
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        match (&event.kind, &event.flow) {
            (EventKind::Point(fact), Some(flow)) => {
                let key = (server(flow), fact.unit, fact.point.space, fact.point.address);
                match fact.change {
                    PointChange::TurnedBad => {
                        let remarked = (Arc::clone(flow), Cited::event(event), named(fact.point.quality));
                        self.bad.hold(key, event.time.0.saturating_add(self.hold_ns), remarked);
                    }
                    PointChange::TurnedGood => {
                        self.bad.let_go(&key);
                    }
                    PointChange::Stale { .. } | PointChange::Fresh => {}
                }
            }
            // At the end nobody knows whether they would have stayed so.
            (EventKind::Tick, _) => {
                let seconds = self.hold_ns.checked_div(1_000_000_000).unwrap_or(0);
                by_unit(self.bad.due(event.time.0), &BAD, Some(("seconds", Param::Number(seconds))), found);
            }
            _ => {}
        }
    }

    fn forgotten(&self) -> u64 {
        self.bad.forgotten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, iec104, key, point_change};

    /// Unit, address and what became of it; `None` is a tick.
    type Step = Option<(u16, u32, PointChange)>;

    /// What is found after steps at their seconds.
    fn told(steps: &[(u64, Step)]) -> Vec<Finding> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let flow = iec104("10.20.0.5", "10.20.1.9");
        let mut found = Vec::new();
        for (second, step) in steps {
            let event = match step {
                Some((unit, address, change)) => {
                    bench.event(*second, Some(&flow), point_change(*unit, *address, *change))
                }
                None => bench.event(*second, None, EventKind::Tick),
            };
            found.extend(bench.show(&mut *rule, &event));
        }
        found
    }

    #[test]
    fn values_that_stay_bad_are_told_together() {
        let mut steps: Vec<_> = (0..12).map(|address| (0, Some((3, address, PointChange::TurnedBad)))).collect();
        steps.extend([(0, Some((4, 0, PointChange::TurnedBad))), (59, None), (60, None), (180, None)]);
        let found = told(&steps);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].subject.as_str(), found[1].subject.as_str()),
            ("10.20.1.9/iec104/3", "10.20.1.9/iec104/4")
        );
        assert_eq!(found[0].params[3], ("count", Param::Number(12)));
        let Param::Text(points) = &found[0].params[4].1 else { panic!("{:?}", found[0].params) };
        assert!(points.starts_with("measured_value 0 (invalid overflow), measured_value 1 ("), "{points}");
        assert!(points.ends_with("measured_value 7 (invalid overflow), .."), "{points}");
        assert_eq!((found[0].earlier.len(), found[0].assets[0]), (8, key("10.20.1.9")));
        assert_eq!(found[1].params[4], ("points", Param::Text("measured_value 0 (invalid overflow)".to_owned())));
    }

    #[test]
    fn values_that_turn_good_in_time_are_silent() {
        let bad = Some((3, 1, PointChange::TurnedBad));
        let good = |unit, address| Some((unit, address, PointChange::TurnedGood));
        assert!(told(&[(0, bad), (59, good(3, 1)), (60, None), (120, None)]).is_empty());
        assert_eq!(told(&[(0, bad), (59, good(3, 2)), (60, None)]).len(), 1, "another point");
        assert_eq!(told(&[(0, bad), (59, good(4, 1)), (60, None)]).len(), 1, "another unit");
        assert!(told(&[(0, bad), (30, good(3, 1)), (40, bad), (60, None)]).is_empty(), "it began anew");
    }

    #[test]
    fn what_is_stale_is_not_told_here() {
        let stale = PointChange::Stale { since: crate::facts::time::Timestamp(0), period_ns: 1 };
        assert!(told(&[(0, Some((3, 1, stale))), (90, None)]).is_empty());
    }
}
