//! Alert on a bound of the sensor that bit: what it says may be incomplete.

use crate::facts::event::{Event, EventKind};
use crate::norm::Basis;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, _| Box::new(CaptureLimit) };

static CARD: Card = Card {
    id: "OT-0015",
    name: "capture_limit",
    severity: Severity::Low,
    attack: &[Technique { id: "T0814", old: None, name: "Denial of Service" }],
    serves: &["000", "002 5.1.3.4", "CSF DE.CM-01", "CSF PR.PS-04", "62443-3-3 SR 2.10", "62443-3-3 SR 6.2"],
    what: Text {
        en: "The traffic reached a bound on what the sensor keeps, such as the number of flows, and something was \
             given up.",
        ja: "センサーが保持できる量の上限（フロー数など）に達し、一部の情報が破棄されました。",
    },
    why: Text {
        en: "What the sensor says after this may be incomplete, and evidence should say so. A flood may be meant to \
             blind it.",
        ja: "以後の検知と証跡は不完全な可能性があり、それを明示する必要があります。監視を妨げるための大量通信かもしれ\
             ません。",
    },
    benign: Text {
        en: "More traffic than the sensor was set up for, a scan, a capture of a large network.",
        ja: "想定を超える通信量、スキャン、大規模ネットワークのキャプチャーなどが考えられます。",
    },
    response: Text {
        en: "Look at the counters of the run. If the traffic is normal, raise the bound of this name; if not, find \
             its source.",
        ja: "実行時の計数を確認してください。通常の通信量であれば該当する上限を引き上げ、そうでなければ送信元を特定し\
             てください。",
    },
    settings: &[],
};

static REACHED: Text = Text {
    en: "the sensor's bound {limit} was reached; evidence may be incomplete from here on",
    ja: "センサーの上限 {limit} に達しました。以後の証跡は不完全な可能性があります",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&REACHED];

struct CaptureLimit;

impl Rule for CaptureLimit {
    fn interest(&self) -> Interest {
        Interest::LIMIT
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        let EventKind::LimitReached(name) = event.kind else { return };
        found.push(Finding {
            text: &REACHED,
            params: vec![("limit", Param::Word(name))],
            subject: name.to_owned(),
            severity: None,
            basis: Basis::None,
            flow: event.flow.clone(),
            assets: Vec::new(),
            earlier: Vec::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build};

    #[test]
    fn a_bound_is_told_by_its_name_and_a_tick_is_not() {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        let found = bench.show(&mut *rule, &bench.event(0, None, EventKind::LimitReached("flows_max")));
        assert_eq!(found[0].subject, "flows_max");
        assert!(bench.show(&mut *rule, &bench.event(1, None, EventKind::Tick)).is_empty());
    }
}
