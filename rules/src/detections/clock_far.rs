//! Alert on a device's clock that is far from the capture's, beyond what a time zone explains.

use super::holding::Holding;
use super::wording::{client, finding, place, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::{ClockFact, Event, EventKind};
use crate::facts::flow::Flow;
use crate::memory::Bounded;
use crate::norm::Basis;
use crate::rule::{
    Card, Cited, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use std::sync::Arc;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(ClockFar::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0023",
    name: "clock_far",
    severity: Severity::Low,
    attack: &[
        Technique { id: "T1692.002", old: Some("T0856"), name: "Unauthorized Message: Reporting Message" },
        Technique { id: "T0836", old: None, name: "Modify Parameter" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 2.11"],
    what: Text {
        en: "The times that a device puts on its values, or the time that its clock is set to, are far from the time of \
             the capture. Whole quarters of an hour up to 14 hours are taken for a time zone. Of told values the newest \
             of three minutes counts, since old events may have waited.",
        ja: "機器が値に付けた時刻、または機器に設定された時刻が、キャプチャーの時刻から大きくずれています。14時間までの\
             15分単位の差は時間帯とみなします。古いイベントが滞留している場合があるため、3分間で最も新しい時刻で判断し\
             ます。",
    },
    why: Text {
        en: "Records with false times cannot be put in order after an incident, and are refused by what compares times. \
             Recorded traffic that is sent again shows old times too.",
        ja: "時刻の誤った記録は、事故後に順序を再現できず、時刻を検査する仕組みにも拒否されます。記録した通信の再送攻撃で\
             も古い時刻が現れます。",
    },
    benign: Text {
        en: "A device that was never synchronised, a battery that ran out, a capture whose own clock is wrong.",
        ja: "時刻同期の未設定、電池切れ、キャプチャー側の時計の誤りなどが考えられます。",
    },
    response: Text {
        en: "Compare the device's clock and the sensor's with a trusted one, and set right the one that is wrong.",
        ja: "機器とセンサーの時計を信頼できる時刻と比較し、誤っている方を修正してください。",
    },
    settings: &[
        Setting {
            name: "tolerance_s",
            what: "so many seconds beside a time zone are no fault",
            default: 30,
            min: 1,
            max: 400,
        },
        Setting {
            name: "delay_s",
            what: "told values may lag so many seconds behind their device's clock",
            default: 240,
            min: 1,
            max: 400,
        },
        Setting {
            name: "behind_s",
            what: "told values that are at most so many seconds behind are taken for old events",
            default: 86_400,
            min: 3_600,
            max: 31_536_000,
        },
    ],
};

static SET_AHEAD: Text = Text {
    en: "{client} set the clock of unit {unit} at {server} to a time that is {seconds} s ahead of the capture",
    ja: "{client} が {server} のユニット {unit} の時計を、キャプチャーより {seconds} 秒進んだ時刻に設定しました",
};
static SET_BEHIND: Text = Text {
    en: "{client} set the clock of unit {unit} at {server} to a time that is {seconds} s behind the capture",
    ja: "{client} が {server} のユニット {unit} の時計を、キャプチャーより {seconds} 秒遅れた時刻に設定しました",
};
static AHEAD: Text = Text {
    en: "values of unit {unit} at {server} have times that are {seconds} s ahead of the capture",
    ja: "{server} のユニット {unit} の値の時刻が、キャプチャーより {seconds} 秒進んでいます",
};
static BEHIND: Text = Text {
    en: "values of unit {unit} at {server} have times that are {seconds} s behind the capture",
    ja: "{server} のユニット {unit} の値の時刻が、キャプチャーより {seconds} 秒遅れています",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&SET_AHEAD, &SET_BEHIND, &AHEAD, &BEHIND];

/// The newest value of so long is taken for a fresh one, in ns.
const FRESH_NS: u64 = 180_000_000_000;
/// Zones are whole quarters of an hour, in ms, and so many of them at most.
const QUARTER_MS: i64 = 900_000;
const QUARTERS_MAX: i64 = 14 * 4;

/// The newest time that a device told.
struct Newest {
    flow: Arc<Flow>,
    ahead_ms: i64,
    cited: Cited,
}

struct ClockFar {
    tolerance_ms: i64,
    delay_ms: i64,
    behind_ms: i64,
    newest: Holding<(AssetKey, u16), Newest>,
    /// Told once for each: server, unit, and who set it.
    told: Bounded<(AssetKey, u16, Option<AssetKey>), ()>,
}

/// What is left of a difference beside the nearest zone, in ms.
fn beside_zone(ahead_ms: i64) -> i64 {
    let half = QUARTER_MS.saturating_div(2);
    let nearest = ahead_ms.saturating_add(half).div_euclid(QUARTER_MS).clamp(-QUARTERS_MAX, QUARTERS_MAX);
    ahead_ms.saturating_sub(nearest.saturating_mul(QUARTER_MS))
}

impl ClockFar {
    fn new(settings: &Settings, memory: usize) -> Self {
        let ms = |name| i64::try_from(settings.value(&CARD, name)).unwrap_or(i64::MAX).saturating_mul(1_000);
        Self {
            tolerance_ms: ms("tolerance_s"),
            delay_ms: ms("delay_s"),
            behind_ms: ms("behind_s"),
            newest: Holding::new(memory),
            told: Bounded::new(memory),
        }
    }

    fn set(&mut self, flow: &Arc<Flow>, fact: &ClockFact) -> Option<Finding> {
        let ahead_ms = fact.ahead_ms;
        let is_far = beside_zone(ahead_ms).saturating_abs() > self.tolerance_ms;
        if !is_far || !self.told.first((server(flow), fact.unit, Some(client(flow)))) {
            return None;
        }
        let text = if ahead_ms > 0 { &SET_AHEAD } else { &SET_BEHIND };
        Some(judged(text, flow, fact.unit, ahead_ms, "set"))
    }

    fn hold(&mut self, flow: &Arc<Flow>, fact: &ClockFact, event: &Event) {
        let key = (server(flow), fact.unit);
        if self.told.get(&(key.0, key.1, None)).is_some() {
            return;
        }
        let newest = Newest { flow: Arc::clone(flow), ahead_ms: fact.ahead_ms, cited: Cited::event(event) };
        match self.newest.get_mut(&key) {
            Some(known) if known.ahead_ms >= newest.ahead_ms => {}
            Some(known) => *known = newest,
            None => self.newest.hold(key, event.time.0.saturating_add(FRESH_NS), newest),
        }
    }

    fn due(&mut self, now: u64, found: &mut Vec<Finding>) {
        for ((server, unit), newest) in self.newest.due(now) {
            let beside = beside_zone(newest.ahead_ms);
            // Behind a zone it may have waited; behind them all it has waited or is wrong.
            let is_ahead =
                newest.ahead_ms > 0 && (beside > self.tolerance_ms || beside < self.delay_ms.saturating_neg());
            let is_behind = newest.ahead_ms < self.behind_ms.saturating_neg();
            if !(is_ahead || is_behind) || !self.told.first((server, unit, None)) {
                continue;
            }
            let text = if is_ahead { &AHEAD } else { &BEHIND };
            let mut finding = judged(text, &newest.flow, unit, newest.ahead_ms, "told");
            finding.assets.reverse(); // It is the server that tells.
            finding.earlier.push(newest.cited);
            found.push(finding);
        }
    }
}

fn judged(text: &'static Text, flow: &Arc<Flow>, unit: u16, ahead_ms: i64, how: &'static str) -> Finding {
    let subject = format!("{}/{}/{unit}/{how}", place(&server(flow)), spoken(flow));
    let seconds = ahead_ms.unsigned_abs().checked_div(1_000).unwrap_or(0);
    let params = vec![("unit", Param::Number(u64::from(unit))), ("seconds", Param::Number(seconds))];
    finding(text, flow, subject, Basis::None, params)
}

impl Rule for ClockFar {
    fn interest(&self) -> Interest {
        Interest::CLOCK.and(Interest::TICK)
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        match (&event.kind, &event.flow) {
            (EventKind::Clock(fact), Some(flow)) if fact.sets => found.extend(self.set(flow, fact)),
            (EventKind::Clock(fact), Some(flow)) => self.hold(flow, fact, event),
            (EventKind::Tick, _) => self.due(event.time.0, found),
            (EventKind::End, _) => self.due(u64::MAX, found),
            _ => {}
        }
    }

    fn forgotten(&self) -> u64 {
        self.told.evicted().saturating_add(self.newest.forgotten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, iec104, key};

    const HOUR: i64 = 3_600;

    /// What is found in clocks so many seconds ahead, one each ten seconds, and in the ticks of four minutes after.
    fn told(sets: bool, ahead_s: &[i64]) -> Vec<Finding> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let flow = iec104("10.20.0.5", "10.20.1.9");
        let mut found = Vec::new();
        for (n, ahead) in ahead_s.iter().enumerate() {
            let fact = ClockFact { unit: 3, clock_ms: 0, ahead_ms: ahead * 1_000, sets };
            found.extend(bench.tell(&mut *rule, n as u64 * 10, &flow, EventKind::Clock(fact)));
        }
        for second in [60, 120, 180, 240, 420] {
            found.extend(bench.show(&mut *rule, &bench.event(second, None, EventKind::Tick)));
        }
        found
    }

    #[test]
    fn a_clock_that_is_set_wrong_is_told_at_once_and_once() {
        for ahead in [31, -31, 420, -420, 9 * HOUR + 31, 15 * HOUR, -400 * 24 * HOUR] {
            let found = told(true, &[ahead, ahead]);
            assert_eq!((found.len(), found[0].subject.as_str()), (1, "10.20.1.9/iec104/3/set"), "{ahead}");
            assert_eq!(found[0].text, if ahead > 0 { &SET_AHEAD } else { &SET_BEHIND });
            assert!(found[0].params.contains(&("seconds", Param::Number(ahead.unsigned_abs()))));
        }
    }

    #[test]
    fn zones_are_no_fault() {
        for ahead in [0, 30, -30, 9 * HOUR, -5 * HOUR - 30 * 60, 5 * HOUR + 45 * 60 + 20, 14 * HOUR, -12 * HOUR] {
            assert!(told(true, &[ahead]).is_empty(), "{ahead}");
            assert!(told(false, &[ahead]).is_empty(), "{ahead}");
        }
    }

    #[test]
    fn values_from_the_future_are_told_of_their_device() {
        for ahead in [60, 420, 600, 9 * HOUR + 60, 15 * HOUR, 400 * 24 * HOUR] {
            let found = told(false, &[ahead, ahead]);
            assert_eq!((found.len(), found[0].text), (1, &AHEAD), "{ahead}");
            assert_eq!((found[0].assets[0], found[0].earlier.len()), (key("10.20.1.9"), 1));
            assert_eq!(found[0].subject, "10.20.1.9/iec104/3/told");
        }
    }

    #[test]
    fn old_events_are_no_fault_and_very_old_ones_are() {
        assert!(told(false, &[-600, -7_200, -86_400]).is_empty());
        assert_eq!(told(false, &[-86_401])[0].text, &BEHIND);
        assert!(told(false, &[-500 * 24 * HOUR, -20]).is_empty(), "the newest counts");
    }

    #[test]
    fn old_events_of_another_zone_wait_for_a_newer_one() {
        let japan = 9 * HOUR;
        assert!(told(false, &[japan - 600, japan - 3_000, japan - 5]).is_empty());
        assert!(told(false, &[japan - 200]).is_empty(), "it may have waited so long");
        assert_eq!(told(false, &[japan - 600]).len(), 1, "and nothing newer came");
    }

    #[test]
    fn the_end_waits_for_nobody() {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let flow = iec104("10.20.0.5", "10.20.1.9");
        let fact = ClockFact { unit: 3, clock_ms: 0, ahead_ms: 60_000, sets: false };
        assert!(bench.tell(&mut *rule, 0, &flow, EventKind::Clock(fact)).is_empty());
        assert_eq!(bench.show(&mut *rule, &bench.event(1, None, EventKind::End)).len(), 1);
    }
}
