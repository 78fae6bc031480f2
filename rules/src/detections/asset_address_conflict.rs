//! Alert on two MAC addresses that claim one IP address.

use super::wording::place;
use crate::baseline::Device;
use crate::facts::asset::AssetKey;
use crate::facts::event::{AddressConflict, Event, EventKind};
use crate::norm::{Basis, Line};
use crate::rule::{Card, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use yagura_parsers::packet::link::MacAddr;

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, _| Box::new(AssetAddressConflict) };

static CARD: Card = Card {
    id: "OT-0002",
    name: "asset_address_conflict",
    severity: Severity::High,
    attack: &[Technique { id: "T0830", old: None, name: "Adversary-in-the-Middle" }],
    serves: &["002 5.1.1.1", "002 4.8.1", "000", "CSF DE.CM-01", "62443-3-3 SR 6.2", "62443-3-3 SR 1.2"],
    what: Text {
        en: "An IP address that one MAC address answered for is now claimed by another, or by one that the list of \
             devices does not have for it.",
        ja: "あるIPアドレスについて、これまでと異なる、または資産一覧と異なるMACアドレスが自分のものだと名乗りました。",
    },
    why: Text {
        en: "Who takes over the address of a controller or an operator station receives its traffic, and can read, \
             hold back or change commands and measurements.",
        ja: "コントローラーや操作端末のアドレスを乗っ取った者は、その通信を受け取り、指令や計測値を盗み見・遮断・改ざ\
             んできます。",
    },
    benign: Text {
        en: "A replaced device or network card, a redundant pair that shares an address, an address given twice by \
             mistake.",
        ja: "機器やネットワークカードの交換、アドレスを共有する冗長構成、アドレスの重複設定などが考えられます。",
    },
    response: Text {
        en: "Find both MAC addresses at the switch. If one of them is not the device that owns the address, \
             disconnect it and check what was written to controllers since. A redundant pair goes into the site file \
             with both MAC addresses.",
        ja: "両方のMACアドレスをスイッチで特定してください。本来の機器でないものがあれば切り離し、それ以降にコントロ\
             ーラーへ書き込まれた内容を確認してください。冗長構成であれば両方のMACアドレスをサイトファイルに登録して\
             ください。",
    },
    settings: &[],
};

static LISTED: Text = Text {
    en: "{device} is listed with MAC address {before} and is used by {after}",
    ja: "{device} は一覧ではMACアドレス {before} ですが、{after} が使用しています",
};
static CLAIMED: Text = Text {
    en: "{device} was at MAC address {before} and is now claimed by {after}",
    ja: "{device} のMACアドレスは {before} でしたが、{after} が同じアドレスを名乗りました",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&CLAIMED, &LISTED];

struct AssetAddressConflict;

impl Rule for AssetAddressConflict {
    fn interest(&self) -> Interest {
        Interest::ASSET
    }

    fn observe(&mut self, event: &Event, scene: Scene<'_>, found: &mut Vec<Finding>) {
        match &event.kind {
            EventKind::AddressConflict(conflict) => {
                let listed = listed_mac(scene, &conflict.asset);
                if !are_one_device(scene, conflict) {
                    let basis = listed.map_or(Basis::None, |(_, line)| Basis::Line(line));
                    found.push(told(&CLAIMED, event, conflict.asset, conflict.before, conflict.after, basis));
                }
            }
            // The first that ever claims a listed address may be the wrong one already.
            EventKind::AssetSeen(key) => {
                let Some((listed, line)) = listed_mac(scene, key) else { return };
                let Some(asset) = scene.assets.asset(key) else { return };
                // What was only seen below an IP packet may be a router's.
                let other = asset.macs.iter().find(|(mac, claim)| **mac != listed && claim.source != "ip");
                if let Some((mac, _)) = other
                    && !asset.macs.contains_key(&listed)
                {
                    found.push(told(&LISTED, event, *key, listed, *mac, Basis::Line(line)));
                }
            }
            _ => {}
        }
    }
}

fn listed_mac(scene: Scene<'_>, key: &AssetKey) -> Option<(MacAddr, Line)> {
    match key {
        AssetKey::Ip(_, address) => scene.norm.mac_of(*address),
        AssetKey::Mac(..) => None,
    }
}

/// Whether people listed both MAC addresses as one device with this address: a redundant pair.
fn are_one_device(scene: Scene<'_>, conflict: &AddressConflict) -> bool {
    let AssetKey::Ip(_, address) = conflict.asset else { return false };
    let Some(asset) = scene.norm.listed_asset(Some(address), None) else { return false };
    [conflict.before, conflict.after]
        .iter()
        .all(|mac| asset.mac == Some(*mac) || asset.devices.contains(&Device::Mac(*mac)))
}

fn told(text: &'static Text, event: &Event, asset: AssetKey, before: MacAddr, after: MacAddr, basis: Basis) -> Finding {
    Finding {
        text,
        params: vec![
            ("device", Param::Asset(asset)),
            ("before", Param::Text(before.to_string())),
            ("after", Param::Text(after.to_string())),
        ],
        // The owner claims its address back: that is the same conflict.
        subject: format!("{}/{}-{}", place(&asset), before.min(after), before.max(after)),
        severity: None,
        basis,
        flow: event.flow.clone(),
        assets: vec![asset],
        earlier: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, key, mac};
    use crate::facts::event::FrameRef;

    #[test]
    fn a_second_claimant_is_told_once_a_claim() {
        let bench = Bench::new();
        let conflict = AddressConflict {
            asset: key("10.20.1.9"),
            before: mac(9),
            before_frame: FrameRef { capture: 0, frame: 1 },
            after: mac(66),
        };
        let event = bench.event(0, None, EventKind::AddressConflict(Box::new(conflict)));
        let found = bench.show(&mut *build(&RULE), &event);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].subject, "10.20.1.9/02:00:00:00:00:09-02:00:00:00:00:42");
    }

    const SITE: &str = r#"
        [[asset]]
        name = "PLC-1"
        addresses = ["10.20.1.9"]
        mac = "02:00:00:00:00:09"
        [[asset]]
        name = "pair"
        addresses = ["10.20.1.10", "02:00:00:00:00:0a", "02:00:00:00:00:0b"]
    "#;

    fn seen(address: &str, macs: &[(MacAddr, &'static str)]) -> Option<Finding> {
        let mut bench = Bench::with_site(SITE);
        bench.add(key(address), macs);
        bench.show(&mut *build(&RULE), &bench.event(0, None, EventKind::AssetSeen(key(address)))).pop()
    }

    #[test]
    fn a_listed_address_with_another_mac_address_is_told_from_the_first() {
        let finding = seen("10.20.1.9", &[(mac(66), "arp")]).unwrap();
        assert!(finding.text == &LISTED && matches!(finding.basis, Basis::Line(_)));
        assert!(seen("10.20.1.9", &[(mac(9), "arp")]).is_none());
        assert!(seen("10.20.1.9", &[(mac(66), "ip")]).is_none(), "perhaps a router's");
        assert!(seen("10.20.1.77", &[(mac(66), "arp")]).is_none());
    }

    #[test]
    fn a_listed_redundant_pair_is_one_device() {
        let claims = |after| {
            let bench = Bench::with_site(SITE);
            let before_frame = FrameRef { capture: 0, frame: 1 };
            let conflict = AddressConflict { asset: key("10.20.1.10"), before: mac(10), before_frame, after };
            bench.show(&mut *build(&RULE), &bench.event(0, None, EventKind::AddressConflict(Box::new(conflict)))).len()
        };
        assert_eq!((claims(mac(11)), claims(mac(66))), (0, 1));
    }

    #[test]
    fn a_device_that_is_merely_seen_is_no_conflict() {
        let bench = Bench::new();
        let event = bench.event(0, None, EventKind::AssetSeen(key("10.20.1.9")));
        assert!(bench.show(&mut *build(&RULE), &event).is_empty());
    }
}
