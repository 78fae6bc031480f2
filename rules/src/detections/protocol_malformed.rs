//! Alert on messages that break their standard.

use super::wording::{client, ends, finding, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind};
use crate::facts::time::Timestamp;
use crate::memory::Bounded;
use crate::norm::Basis;
use crate::rule::{
    Card, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use std::collections::VecDeque;
use yagura_parsers::dissect::Direction;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(ProtocolMalformed::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0011",
    name: "protocol_malformed",
    severity: Severity::Low,
    attack: &[
        Technique { id: "T0814", old: None, name: "Denial of Service" },
        Technique { id: "T0866", old: None, name: "Exploitation of Remote Services" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2"],
    what: Text {
        en: "A message of an industrial protocol breaks its standard: a length, a count or a code that must not be. \
             Many of them between the same two devices make it medium.",
        ja: "産業用プロトコルのメッセージが規格に違反しています（長さ・個数・コードなど）。同じ2台の間で多発すると深\
             刻度は中になります。",
    },
    why: Text {
        en: "Controllers are known to stop or to run foreign code on messages that they were not built for. A tool \
             that tries them out sends many.",
        ja: "想定外のメッセージで停止したり任意のコードを実行したりするコントローラーが知られています。それを試すツー\
             ルは規格違反のメッセージを多数送ります。",
    },
    benign: Text {
        en: "A device with a fault in its software, a dialect of a vendor, a frame that was cut by the mirror port.",
        ja: "機器のソフトウェアの不具合、ベンダー独自の方言、ミラーポートで欠けたフレームなどが考えられます。",
    },
    response: Text {
        en: "Look at the field that is wrong in the evidence. If the sender always did this, tell its vendor and \
             suppress it with that reason; if it began today, find out what changed.",
        ja: "証跡で誤っているフィールドを確認してください。以前からであればベンダーに連絡し、理由を付けて抑止してくだ\
             さい。今日始まったのであれば、何が変わったかを調べてください。",
    },
    settings: &[
        Setting { name: "many", what: "so many between two devices are medium", default: 10, min: 2, max: 1_000 },
        Setting { name: "window_s", what: "within so many seconds", default: 600, min: 1, max: 86_400 },
    ],
};

static BROKEN: Text = Text {
    en: "{sender} sent {receiver} a {protocol} message that breaks its standard: {error}",
    ja: "{sender} が {receiver} に規格違反の {protocol} メッセージを送りました: {error}",
};
static MANY: Text = Text {
    en: "{sender} and {receiver} exchanged at least {count} {protocol} messages within {seconds} s that break the \
         standard; the last: {error}",
    ja: "{sender} と {receiver} の間で {seconds} 秒以内に {count} 件以上の規格違反の {protocol} メッセージがありまし\
         た（最新: {error}）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&BROKEN, &MANY];

struct ProtocolMalformed {
    many: usize,
    window_ns: u64,
    pairs: Bounded<(AssetKey, AssetKey), VecDeque<Timestamp>>,
}

impl ProtocolMalformed {
    fn new(settings: &Settings, memory: usize) -> Self {
        let many = usize::try_from(settings.value(&CARD, "many")).unwrap_or(usize::MAX).clamp(1, 1_000);
        let pairs = memory.checked_div(many).unwrap_or(0).max(16);
        Self { many, window_ns: settings.seconds(&CARD, "window_s"), pairs: Bounded::new(pairs) }
    }

    /// Whether this one makes them many.
    fn is_many(&mut self, pair: (AssetKey, AssetKey), time: Timestamp) -> bool {
        let window_ns = self.window_ns;
        let last = self.pairs.or_insert_with(pair, VecDeque::new);
        while last.len() >= self.many || last.front().is_some_and(|first| time.0.abs_diff(first.0) > window_ns) {
            last.pop_front();
        }
        last.push_back(time);
        last.len() >= self.many
    }
}

impl Rule for ProtocolMalformed {
    fn interest(&self) -> Interest {
        Interest::MALFORMED
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        let (EventKind::Malformed(fact), Some(flow)) = (&event.kind, &event.flow) else { return };
        let (client, server) = (client(flow), server(flow));
        let (sender, receiver) = match fact.direction {
            Direction::ToServer => (client, server),
            Direction::ToClient => (server, client),
        };
        let is_many = self.is_many((client, server), event.time);
        let spoken = spoken(flow);
        let subject = format!("{}/{spoken}", ends(flow));
        let mut params = vec![
            ("sender", Param::Asset(sender)),
            ("receiver", Param::Asset(receiver)),
            ("protocol", Param::Text(spoken)),
            ("error", Param::Text(fact.error.to_string())),
            ("field", Param::Word(fact.error.field)),
            ("kind", Param::Word(fact.error.kind.name())),
        ];
        let (text, subject, severity) = if is_many {
            params.push(("count", Param::Number(u64::try_from(self.many).unwrap_or(u64::MAX))));
            params.push(("seconds", Param::Number(self.window_ns.checked_div(1_000_000_000).unwrap_or(0))));
            (&MANY, subject, Severity::Medium)
        } else {
            (&BROKEN, format!("{subject}/{}", fact.error.field), Severity::Low)
        };
        let mut finding = finding(text, flow, subject, Basis::None, params);
        finding.severity = Some(severity);
        finding.assets = vec![sender, receiver];
        found.push(finding);
    }

    fn forgotten(&self) -> u64 {
        self.pairs.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, asked, build, flow, key, kind, read, usual};
    use crate::facts::event::MalformedFact;
    use yagura_parsers::error::{Clause, ErrorKind, ParseError};

    fn malformed(field: &'static str, direction: Direction) -> EventKind {
        let error =
            ParseError { kind: ErrorKind::Forbidden { got: 0 }, field, offset: 3, clause: Clause("V1.1b3 6.3") };
        EventKind::Malformed(Box::new(MalformedFact { direction, error, fields: Box::new([]) }))
    }

    #[test]
    fn one_is_low_and_names_field_and_clause() {
        let bench = Bench::new();
        let flow = flow("10.20.0.66", "10.20.1.9", 502);
        let found = bench.tell(&mut *build(&RULE), 0, &flow, malformed("quantity_of_registers", Direction::ToServer));
        assert_eq!(found[0].subject, "10.20.0.66>10.20.1.9/modbus/quantity_of_registers");
        assert_eq!((found[0].severity, found[0].assets[0]), (Some(Severity::Low), key("10.20.0.66")));
        let error = "quantity_of_registers at octet 3: 0 is not allowed (V1.1b3 6.3)".to_owned();
        assert!(found[0].params.contains(&("error", Param::Text(error))));
    }

    #[test]
    fn the_actor_is_who_sent_it() {
        let bench = Bench::new();
        let flow = flow("10.20.0.66", "10.20.1.9", 502);
        let found = bench.tell(&mut *build(&RULE), 0, &flow, malformed("byte_count", Direction::ToClient));
        assert_eq!(found[0].assets[0], key("10.20.1.9"));
    }

    #[test]
    fn many_are_medium_and_slow_ones_stay_low() {
        let severities = |count: u64, every_s: u64| -> Vec<Severity> {
            let bench = Bench::new();
            let mut rule = build(&RULE);
            let flow = flow("10.20.0.66", "10.20.1.9", 502);
            (0..count)
                .flat_map(|n| bench.tell(&mut *rule, n * every_s, &flow, malformed("length", Direction::ToServer)))
                .filter_map(|finding| finding.severity)
                .collect()
        };
        let quick = severities(12, 1);
        assert_eq!(quick[..9], [Severity::Low; 9]);
        assert_eq!(quick[9..], [Severity::Medium; 3]);
        assert_eq!(severities(30, 70), [Severity::Low; 30]);
    }

    #[test]
    fn messages_in_order_are_silent() {
        let bench = Bench::new();
        let flow = flow("10.20.0.66", "10.20.1.9", 502);
        assert!(bench.tell(&mut *build(&RULE), 0, &flow, kind(asked(read(1, 0, 1), usual()))).is_empty());
    }
}
