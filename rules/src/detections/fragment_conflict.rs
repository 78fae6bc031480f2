//! Alert on fragments of one datagram that overlap with different octets.

use super::wording::place;
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind};
use crate::norm::Basis;
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, _| Box::new(FragmentConflict) };

static CARD: Card = Card {
    id: "OT-0014",
    name: "fragment_conflict",
    severity: Severity::High,
    attack: &[
        Technique { id: "T0820", old: None, name: "Exploitation for Evasion" },
        Technique { id: "T0814", old: None, name: "Denial of Service" },
    ],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2", "62443-3-3 SR 3.1"],
    what: Text {
        en: "Two fragments of one IP datagram cover the same octets, and differ in them.",
        ja: "一つのIPデータグラムの断片どうしが重なり、その内容が食い違っています。",
    },
    why: Text {
        en: "Which of them counts differs from system to system: the controller may read a command that the monitor \
             does not. Some systems crash. Control traffic is hardly ever fragmented at all.",
        ja: "どちらを採用するかはシステムにより異なり、監視装置に見えない指令をコントローラーに読ませることができま\
             す。異常停止する機器もあります。制御通信が断片化されること自体がまれです。",
    },
    benign: Text {
        en: "Hardly any: a damaged frame, or two datagrams with the same identification that were mixed up.",
        ja: "ほとんどありません。フレームの破損や、同じ識別子を持つ別データグラムの混同がまれに起こります。",
    },
    response: Text {
        en: "Isolate the source if it stands in the control network, and look at what it sent besides. Overlapping \
             fragments are not to be passed by the zone's firewall.",
        ja: "送信元が制御ネットワーク内にあれば隔離し、ほかの送信内容を調べてください。重なる断片はゾーンのファイアウ\
             ォールで遮断してください。",
    },
    settings: &[],
};

static CONFLICT: Text = Text {
    en: "{source} sent {destination} fragments that overlap with different content",
    ja: "{source} から {destination} への断片が、異なる内容で重なっています",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&CONFLICT];

struct FragmentConflict;

impl Rule for FragmentConflict {
    fn interest(&self) -> Interest {
        Interest::STREAM
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        let EventKind::FragmentConflict { source, destination } = event.kind else { return };
        let scope = event.flow.as_ref().map(|flow| flow.scope).unwrap_or_default();
        let (source, destination) = (AssetKey::Ip(scope, source), AssetKey::Ip(scope, destination));
        found.push(Finding {
            text: &CONFLICT,
            params: vec![("source", Param::Asset(source)), ("destination", Param::Asset(destination))],
            subject: format!("{}>{}", place(&source), place(&destination)),
            severity: None,
            basis: Basis::None,
            flow: event.flow.clone(),
            assets: vec![source, destination],
            earlier: Vec::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, flow, ip};
    use yagura_parsers::dissect::Direction;

    #[test]
    fn overlapping_fragments_are_told_without_a_flow() {
        let bench = Bench::new();
        let kind = EventKind::FragmentConflict { source: ip("10.20.0.66"), destination: ip("10.20.1.9") };
        let found = bench.show(&mut *build(&RULE), &bench.event(0, None, kind));
        assert_eq!(found[0].subject, "10.20.0.66>10.20.1.9");
        assert_eq!(found[0].assets.len(), 2);
    }

    #[test]
    fn a_conflict_in_a_stream_is_not_told_here() {
        let bench = Bench::new();
        let kind = EventKind::StreamConflict { direction: Direction::ToServer };
        assert!(bench.tell(&mut *build(&RULE), 0, &flow("10.20.0.5", "10.20.1.9", 502), kind).is_empty());
    }
}
