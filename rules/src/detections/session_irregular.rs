//! Alert on a session that does not go as its standard wants: numbers, windows, timers, frames that nobody may hear.

use super::wording::{client, ends, finding, server, spoken};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, NoticeFact};
use crate::facts::flow::Flow;
use crate::memory::Bounded;
use crate::norm::Basis;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use std::sync::Arc;
use yagura_parsers::dissect::Direction;
use yagura_parsers::message::NoticeKind;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |_, memory| Box::new(SessionIrregular { counts: Bounded::new(memory) }) };

static CARD: Card = Card {
    id: "OT-0017",
    name: "session_irregular",
    severity: Severity::Low,
    attack: &[
        Technique { id: "T0814", old: None, name: "Denial of Service" },
        Technique { id: "T0830", old: None, name: "Adversary-in-the-Middle" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2", "62443-3-3 SR 7.1"],
    what: Text {
        en: "The session between two stations does not go as its standard wants: a sequence number is not the next, too \
             much is not acknowledged, a timer ran out, data came before they were allowed, an authentication failed, or \
             a frame was sent that every station must ignore. Windows, timers and damaged frames are low.",
        ja: "2局間のセッションが規格どおりではありません。シーケンス番号の不一致、未確認フレームの超過、タイマー満了、許\
             可前のデータ送信、認証の失敗、または全局が無視すべきフレームの送信です。ウィンドウ・タイマー・破損フレーム\
             は深刻度「低」です。",
    },
    why: Text {
        en: "Stations keep these rules by themselves. Who speaks into another's session, or replays it, breaks them; so \
             does a link that loses what it carries.",
        ja: "正常な局は規則を自動的に守ります。他人のセッションへの割込みや再送攻撃では規則が破られます。通信路の欠落で\
             も同様です。",
    },
    benign: Text {
        en: "A slow or lossy link, a device that was restarted, timers or windows that both ends set otherwise than the \
             standard proposes, a mirror that loses frames.",
        ja: "遅延や欠落のある通信路、機器の再起動、両端で規格の推奨値と異なるタイマーやウィンドウの設定、ミラーでの欠落\
             などが考えられます。",
    },
    response: Text {
        en: "Compare the frames with what the two stations log. If only the capture is incomplete, mend the mirror; if \
             the stations saw the same, find out who else speaks with their addresses.",
        ja: "フレームを両局のログと照合してください。キャプチャーだけが不完全であればミラーを直し、両局でも同じであれば\
             そのアドレスを名乗る別の送信元を調べてください。",
    },
    settings: &[],
};

static IRREGULAR: Text = Text {
    en: "{sender} does not keep the session with {receiver}: {notice} is {got}, expected {expected} ({count} so far)",
    ja: "{sender} が {receiver} とのセッションの規則を守っていません: {notice} が {got}（期待値 {expected}、これまでに \
         {count} 回）",
};
static IGNORED: Text = Text {
    en: "{sender} sent to {receiver} what every station ignores: {notice} {got} ({count} so far)",
    ja: "{sender} が {receiver} に、どの局も無視するフレームを送りました: {notice} {got}（これまでに {count} 回）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&IRREGULAR, &IGNORED];

/// Notices that no slow link and no other setting explains: numbers out of step, what was sent unasked or oversized, who
/// could not prove who he is, who speaks as nobody.
const MEDIUM: [&str; 7] = [
    "send_sequence",
    "receive_sequence",
    "transport_sequence",
    "data_before_startdt",
    "fragment_too_long",
    "authentication_error",
    "reserved_address",
];

struct SessionIrregular {
    /// How often each was met.
    counts: Bounded<(AssetKey, AssetKey, &'static str), u64>,
}

impl Rule for SessionIrregular {
    fn interest(&self) -> Interest {
        Interest::NOTICE
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        if let (EventKind::Notice(fact), Some(flow)) = (&event.kind, &event.flow) {
            found.extend(self.judge(flow, fact));
        }
    }

    fn forgotten(&self) -> u64 {
        self.counts.evicted()
    }
}

impl SessionIrregular {
    fn judge(&mut self, flow: &Arc<Flow>, fact: &NoticeFact) -> Option<Finding> {
        let notice = &fact.notice;
        let text = match notice.kind {
            NoticeKind::Ignored => &IGNORED,
            NoticeKind::Session => &IRREGULAR,
            NoticeKind::Trouble => return None,
        };
        let severity = if MEDIUM.contains(&notice.name) { Severity::Medium } else { Severity::Low };
        let (sender, receiver) = match fact.direction {
            Direction::ToServer => (client(flow), server(flow)),
            Direction::ToClient => (server(flow), client(flow)),
        };
        let count = self.counts.or_insert_with((sender, receiver, notice.name), || 0);
        *count = count.saturating_add(1);
        let params = vec![
            ("sender", Param::Asset(sender)),
            ("receiver", Param::Asset(receiver)),
            ("notice", Param::Word(notice.name)),
            ("unit", Param::Number(u64::from(notice.unit))),
            ("got", Param::Number(notice.got)),
            ("expected", Param::Number(notice.expected)),
            ("clause", Param::Word(notice.clause.0)),
            ("count", Param::Number(*count)),
        ];
        let subject = format!("{}/{}/{}", ends(flow), spoken(flow), notice.name);
        let mut finding = finding(text, flow, subject, Basis::None, params);
        finding.severity = Some(severity);
        finding.assets = vec![sender, receiver];
        Some(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, dnp3, iec104, key, notice};

    fn told(kind: NoticeKind, name: &'static str, direction: Direction) -> Option<Finding> {
        let flow = iec104("10.20.0.5", "10.20.1.9");
        Bench::new().tell(&mut *build(&RULE), 0, &flow, notice(kind, name, 3, direction)).pop()
    }

    #[test]
    fn numbers_are_medium_timers_are_low() {
        for (name, severity) in [
            ("send_sequence", Severity::Medium),
            ("receive_sequence", Severity::Medium),
            ("transport_sequence", Severity::Medium),
            ("authentication_error", Severity::Medium),
            ("t1_exceeded", Severity::Low),
            ("window_k_exceeded", Severity::Low),
        ] {
            let finding = told(NoticeKind::Session, name, Direction::ToServer).unwrap();
            assert_eq!((finding.severity, finding.text), (Some(severity), &IRREGULAR));
            assert_eq!(finding.subject, format!("10.20.0.5>10.20.1.9/iec104/{name}"));
        }
    }

    #[test]
    fn what_a_device_ignores_is_told_and_its_trouble_is_not_told_here() {
        let finding = told(NoticeKind::Ignored, "reserved_address", Direction::ToServer).unwrap();
        assert_eq!((finding.severity, finding.text), (Some(Severity::Medium), &IGNORED));
        assert_eq!(
            told(NoticeKind::Ignored, "block_checksum", Direction::ToServer).unwrap().severity,
            Some(Severity::Low),
            "the line's doing, and told as a broken message"
        );
        assert!(told(NoticeKind::Trouble, "device_restart", Direction::ToClient).is_none());
    }

    #[test]
    fn the_sender_comes_first() {
        let finding = told(NoticeKind::Session, "send_sequence", Direction::ToClient).unwrap();
        assert_eq!(finding.assets, [key("10.20.1.9"), key("10.20.0.5")]);
        assert!(finding.params.contains(&("sender", Param::Asset(key("10.20.1.9")))));
    }

    #[test]
    fn equal_notices_are_counted_under_one_subject() {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let flow = dnp3("10.20.0.5", "10.20.1.9");
        let mut count = |name, direction| {
            let found = bench.tell(&mut *rule, 0, &flow, notice(NoticeKind::Session, name, 3, direction));
            found[0].params.iter().find(|(name, _)| *name == "count").cloned().unwrap().1
        };
        assert_eq!(count("transport_sequence", Direction::ToServer), Param::Number(1));
        assert_eq!(count("transport_sequence", Direction::ToServer), Param::Number(2));
        assert_eq!(count("segment_without_first", Direction::ToServer), Param::Number(1));
        assert_eq!(count("transport_sequence", Direction::ToClient), Param::Number(1), "the other's are others");
    }
}
