//! Alert on many refusals by one server to one client: probing, or a fault.

use super::wording::{client, ends, finding, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, Stage};
use crate::facts::time::Timestamp;
use crate::memory::Bounded;
use crate::norm::Basis;
use crate::rule::{
    Card, Cited, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use std::collections::{BTreeMap, VecDeque};
use yagura_parsers::message::Refusal;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(ExceptionBurst::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0010",
    name: "exception_burst",
    severity: Severity::Medium,
    attack: &[
        Technique { id: "T0888", old: None, name: "Remote System Information Discovery" },
        Technique { id: "T0806", old: None, name: "Brute Force I/O" },
        Technique { id: "T0814", old: None, name: "Denial of Service" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2", "62443-3-3 SR 7.1"],
    what: Text {
        en: "A server refused many requests of one client within a short time.",
        ja: "サーバーが短時間に、一つのクライアントの要求を多数拒否（例外応答）しました。",
    },
    why: Text {
        en: "Somebody asks for things that are not there, as one does who tries out a device; or the device fails and \
             the operators do not see its values.",
        ja: "存在しないものへの要求が続くのは、機器を試し探る者の特徴です。または機器の故障で、運転員に値が届いていま\
             せん。",
    },
    benign: Text {
        en: "A master that was configured for another program version, a device behind a gateway that is switched \
             off, a device that is overloaded.",
        ja: "プログラムの版と合わないマスターの設定、ゲートウェイ配下の機器の停止、機器の過負荷などが考えられます。",
    },
    response: Text {
        en: "Read the exception codes: illegal functions and addresses from a client that worked before mean a \
             changed configuration or a tool; gateway and device failures mean a fault in the plant. Find out which.",
        ja: "例外コードを確認してください。以前は正常だったクライアントの不正なファンクションやアドレスは設定変更かツ\
             ールの使用を、ゲートウェイや機器の障害コードは設備の故障を示します。どちらかを見極めてください。",
    },
    settings: &[
        Setting { name: "refusals", what: "so many refusals", default: 20, min: 2, max: 1_000 },
        Setting { name: "window_s", what: "within so many seconds", default: 60, min: 1, max: 3_600 },
    ],
};

static BURST: Text = Text {
    en: "{server} refused {count} requests of {client} within {seconds} s: {codes}",
    ja: "{server} が {seconds} 秒以内に {client} の要求を {count} 回拒否しました: {codes}",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&BURST];

/// A refusal that still counts.
struct Refused {
    time: Timestamp,
    code: u16,
    name: Option<&'static str>,
    cited: Cited,
}

struct ExceptionBurst {
    refusals: usize,
    window_ns: u64,
    pairs: Bounded<(AssetKey, AssetKey), VecDeque<Refused>>,
}

impl ExceptionBurst {
    fn new(settings: &Settings, memory: usize) -> Self {
        let refusals = usize::try_from(settings.value(&CARD, "refusals")).unwrap_or(usize::MAX).clamp(1, 1_000);
        // A pair holds many refusals: fewer pairs are remembered, so that all of it stays within the same bound.
        let pairs = memory.checked_div(refusals).unwrap_or(0).max(16);
        Self { refusals, window_ns: settings.seconds(&CARD, "window_s"), pairs: Bounded::new(pairs) }
    }

    fn refused(&mut self, pair: (AssetKey, AssetKey), refusal: Refusal, event: &Event) -> Option<VecDeque<Refused>> {
        let window_ns = self.window_ns;
        let last = self.pairs.or_insert_with(pair, VecDeque::new);
        while last.front().is_some_and(|first| event.time.0.abs_diff(first.time.0) > window_ns) {
            last.pop_front();
        }
        let cited = Cited::event(event);
        last.push_back(Refused { time: event.time, code: refusal.code, name: refusal.name, cited });
        (last.len() >= self.refusals).then(|| std::mem::take(last))
    }
}

impl Rule for ExceptionBurst {
    fn interest(&self) -> Interest {
        Interest::OPERATION
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        let (EventKind::Operation(fact), Some(flow)) = (&event.kind, &event.flow) else { return };
        let (Some(refusal), Stage::Refused) = (fact.refusal, fact.stage) else { return };
        let Some(burst) = self.refused((client(flow), server(flow)), refusal, event) else { return };
        let mut codes: BTreeMap<u16, (Option<&'static str>, u64)> = BTreeMap::new();
        for one in &burst {
            let (_, count) = codes.entry(one.code).or_insert((one.name, 0));
            *count = count.saturating_add(1);
        }
        let codes: Vec<String> = codes
            .into_iter()
            .map(|(code, (name, count))| match name {
                Some(name) => format!("{code} {name} x{count}"),
                None => format!("{code} x{count}"),
            })
            .collect();
        let subject = format!("{}/{}", ends(flow), spoken(flow));
        let params = vec![
            ("count", Param::Number(u64::try_from(burst.len()).unwrap_or(u64::MAX))),
            ("seconds", Param::Number(self.window_ns.checked_div(1_000_000_000).unwrap_or(0))),
            ("codes", Param::Text(codes.join(", "))),
        ];
        let mut finding = finding(&BURST, flow, subject, Basis::None, params);
        finding.earlier.extend(burst.iter().take(Cited::MAX).map(|one| one.cited));
        found.push(finding);
    }

    fn forgotten(&self) -> u64 {
        self.pairs.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, asked, build, flow, kind, read, refused, usual};

    fn burst(count: u64, every_ms: u64) -> Vec<Finding> {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        let flow = flow("10.20.0.66", "10.20.1.9", 502);
        (0..count)
            .flat_map(|n| {
                let code = if n % 4 == 0 { 1 } else { 2 };
                let mut event = bench.event(0, Some(&flow), kind(refused(read(1, 0, 1), usual(), code)));
                event.time.0 += n * every_ms * 1_000_000;
                bench.show(&mut *rule, &event)
            })
            .collect()
    }

    #[test]
    fn many_refusals_are_told_with_their_codes() {
        assert!(burst(19, 100).is_empty());
        let found = burst(20, 100);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].subject, "10.20.0.66>10.20.1.9/modbus");
        assert!(found[0].params.contains(&("codes", Param::Text("1 x5, 2 illegal_data_address x15".to_owned()))));
        assert_eq!(found[0].earlier.len(), 8);
        assert_eq!(burst(60, 100).len(), 3);
    }

    #[test]
    fn slow_refusals_are_silent() {
        assert!(burst(100, 3_200).is_empty(), "19 of them fall into a minute");
        assert!(!burst(100, 3_000).is_empty());
    }

    #[test]
    fn answers_are_silent_and_other_servers_count_apart() {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        for n in 0..38_u32 {
            let flow = flow("10.20.0.66", if n % 2 == 0 { "10.20.1.9" } else { "10.20.1.10" }, 502);
            assert!(bench.tell(&mut *rule, 0, &flow, kind(refused(read(1, 0, 1), usual(), 2))).is_empty());
            assert!(bench.tell(&mut *rule, 0, &flow, kind(asked(read(1, 0, 1), usual()))).is_empty());
        }
    }
}
