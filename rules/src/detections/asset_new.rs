//! Alert on a device that no list approves.

use super::wording::place;
use crate::baseline::Device;
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind};
use crate::facts::time::Timestamp;
use crate::norm::{Approval, Basis};
use crate::rule::{Card, Cited, Finding, Interest, Param, Registration, Rule, Scene, Severity, Technique, Text};
use std::collections::VecDeque;
use yagura_parsers::packet::link::MacAddr;

/// The catalogue's line.
pub const RULE: Registration = Registration { card: &CARD, build: |_, limit| Box::new(AssetNew::new(limit)) };

static CARD: Card = Card {
    id: "OT-0001",
    name: "asset_new",
    severity: Severity::Medium,
    attack: &[
        Technique { id: "T0864", old: None, name: "Transient Cyber Asset" },
        Technique { id: "T0848", old: None, name: "Rogue Master" },
    ],
    serves: &[
        "002 5.1.1.1",
        "CSF DE.CM-01",
        "CSF ID.AM-01",
        "CPG 1.0.1 2.V",
        "CPG 2.0 3.R",
        "62443-3-3 SR 6.2",
        "62443-3-3 SR 7.8",
    ],
    what: Text {
        en: "A device was heard that is in no list of devices, or whose entry does not approve it (pending, blocked, \
             expired).",
        ja: "資産一覧にない機器、または一覧で承認されていない（保留・禁止・期限切れの）機器の通信を初めて観測しまし\
             た。",
    },
    why: Text {
        en: "Whoever can send a frame on a control network can talk to controllers that ask for no password. An \
             unapproved device is the first thing an intruder, or a contractor's laptop, shows.",
        ja: "制御ネットワークにフレームを送れる機器は、認証のないコントローラーと直接通信できます。未承認の機器は、侵\
             入者や持ち込みパソコンが最初に残す痕跡です。",
    },
    benign: Text {
        en: "Commissioning, a replaced device, a laptop of the maintenance staff, a device that speaks so rarely that \
             it was not learnt.",
        ja: "新規設置や試運転、機器の交換、保守員のパソコン、学習期間中に通信しなかった機器などが考えられます。",
    },
    response: Text {
        en: "Find the device by its MAC address at the switch and ask who connected it. If it belongs there, add it \
             to the site file as an approved asset; if not, unplug it and keep the capture.",
        ja: "MACアドレスからスイッチのポートを特定し、接続した担当者を確認してください。正当な機器であればサイトファ\
             イルに承認済み資産として登録し、そうでなければ切り離してキャプチャーを保全してください。",
    },
    settings: &[],
};

static UNLISTED: Text = Text {
    en: "{device} was heard for the first time and is in no list of devices",
    ja: "資産一覧にない機器 {device} の通信を初めて観測しました",
};
static PENDING: Text = Text {
    en: "{device} is on the network, and its approval is still pending",
    ja: "承認待ちの機器 {device} がネットワークに接続されています",
};
static BLOCKED: Text = Text {
    en: "{device} is on the network, though it is blocked",
    ja: "接続を禁止された機器 {device} がネットワークに接続されています",
};
static EXPIRED: Text = Text {
    en: "{device} is on the network, though its approval has run out",
    ja: "承認期限の切れた機器 {device} がネットワークに接続されています",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&UNLISTED, &PENDING, &BLOCKED, &EXPIRED];

/// A device that asks for an address (DHCP, an ARP probe) is given so long to get one, in ns: it is judged by its address
/// then, and told once.
const ADDRESS_NS: u64 = 5_000_000_000;

/// A device without an address, and the event that showed it.
#[derive(Clone, Copy)]
struct Nameless {
    key: AssetKey,
    since: Timestamp,
    cited: Cited,
}

struct AssetNew {
    unjudged: u64,
    /// Devices that may get an address yet, in the order of their events; at most `limit`.
    nameless: VecDeque<Nameless>,
    limit: usize,
}

impl Rule for AssetNew {
    fn interest(&self) -> Interest {
        Interest::ASSET.and(Interest::TICK)
    }

    fn observe(&mut self, event: &Event, scene: Scene<'_>, found: &mut Vec<Finding>) {
        let key = match event.kind {
            EventKind::AssetSeen(key) => key,
            EventKind::Tick => {
                self.tick(event, scene, found);
                return;
            }
            EventKind::End => {
                while !self.nameless.is_empty() {
                    self.next_nameless(event, scene, found);
                }
                return;
            }
            _ => return,
        };
        if let AssetKey::Mac(_, mac) = key {
            let claim = scene.assets.asset(&key).and_then(|asset| asset.macs.get(&mac));
            if claim.is_some_and(|claim| claim.source != "link") {
                let nameless = Nameless { key, since: event.time, cited: Cited::event(event) };
                self.nameless.push_back(nameless);
                if self.nameless.len() > self.limit {
                    self.next_nameless(event, scene, found);
                }
                return;
            }
        }
        let (address, mac) = match key {
            AssetKey::Ip(_, address) => {
                let vouches = |mac: MacAddr, source: &str| source != "ip" || is_known_by_mac_alone(scene, mac);
                let own = scene.assets.asset(&key).and_then(|asset| {
                    asset.macs.iter().find(|(mac, claim)| vouches(**mac, claim.source)).map(|(mac, _)| *mac)
                });
                (Some(address), own)
            }
            AssetKey::Mac(_, mac) => (None, Some(mac)),
        };
        let approval = scene.norm.approval(address, mac, event.time);
        found.extend(self.judge(key, approval, event, scene));
    }

    fn unjudged(&self) -> u64 {
        self.unjudged
    }
}

impl AssetNew {
    fn new(limit: usize) -> Self {
        Self { unjudged: 0, nameless: VecDeque::new(), limit }
    }

    /// Those that have waited long enough; where the clock went back, they have too.
    fn tick(&mut self, event: &Event, scene: Scene<'_>, found: &mut Vec<Finding>) {
        while self.nameless.front().is_some_and(|first| event.time.0.abs_diff(first.since.0) >= ADDRESS_NS) {
            self.next_nameless(event, scene, found);
        }
    }

    /// Judges the first by its MAC address, unless it has got an address since, and is another asset now.
    fn next_nameless(&mut self, event: &Event, scene: Scene<'_>, found: &mut Vec<Finding>) {
        let Some(Nameless { key, cited, .. }) = self.nameless.pop_front() else { return };
        let AssetKey::Mac(_, mac) = key else { return };
        if scene.assets.asset(&key).is_none() {
            return;
        }
        let approval = scene.norm.approval(None, Some(mac), event.time);
        let finding = self.judge(key, approval, event, scene);
        found.extend(finding.map(|finding| Finding { earlier: vec![cited], ..finding }));
    }

    fn judge(&mut self, key: AssetKey, approval: Approval, event: &Event, scene: Scene<'_>) -> Option<Finding> {
        let (text, severity, basis) = match approval {
            Approval::Approved(_) => return None,
            Approval::NoList => {
                self.unjudged = self.unjudged.saturating_add(1);
                return None;
            }
            Approval::Unlisted(basis) => (&UNLISTED, Severity::Medium, basis),
            Approval::Pending(line) => (&PENDING, Severity::Low, Basis::Line(line)),
            Approval::Blocked(line) => (&BLOCKED, Severity::High, Basis::Line(line)),
            Approval::Expired(line) => (&EXPIRED, Severity::Medium, Basis::Line(line)),
        };
        let mut params = vec![("device", Param::Asset(key))];
        if let Some(asset) = scene.assets.asset(&key) {
            if let Some(mac) = asset.macs.keys().next() {
                params.push(("mac", Param::Text(mac.to_string())));
            }
            if let Some(vendor) = asset.vendor {
                params.push(("vendor", Param::Word(vendor)));
            }
        }
        Some(Finding {
            text,
            params,
            subject: place(&key),
            severity: Some(severity),
            basis,
            flow: event.flow.clone(),
            assets: vec![key],
            earlier: Vec::new(),
        })
    }
}

/// Whether people listed a device by nothing but this MAC address. A MAC address that was only seen below an IP packet
/// may be a router's, who has addresses of its own and must not vouch for all that is behind it.
fn is_known_by_mac_alone(scene: Scene<'_>, mac: MacAddr) -> bool {
    scene.norm.listed_asset(None, Some(mac)).is_some_and(|asset| {
        asset.name.is_some() && asset.devices.iter().all(|device| matches!(device, Device::Mac(_)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, LINE, build, key, mac};
    use yagura_parsers::packet::Scope;

    fn judged(approval: Approval) -> (Option<Finding>, u64) {
        let mut bench = Bench::new();
        bench.add(key("10.20.0.66"), &[(mac(66), "arp")]);
        let mut rule = AssetNew::new(8);
        let event = bench.event(0, None, EventKind::AssetSeen(key("10.20.0.66")));
        (rule.judge(key("10.20.0.66"), approval, &event, bench.scene()), rule.unjudged())
    }

    #[test]
    fn an_unlisted_device_is_told_with_its_mac_address_and_vendor() {
        let (finding, unjudged) = judged(Approval::Unlisted(Basis::File(0)));
        let finding = finding.unwrap();
        assert_eq!(
            (finding.subject.as_str(), finding.severity, finding.basis),
            ("10.20.0.66", Some(Severity::Medium), Basis::File(0))
        );
        assert!(finding.params.contains(&("mac", Param::Text("02:00:00:00:00:42".to_owned()))));
        assert!(finding.params.contains(&("vendor", Param::Word("Example Works"))));
        assert_eq!(unjudged, 0);
    }

    #[test]
    fn what_the_list_says_sets_the_severity() {
        let severity = |approval| judged(approval).0.and_then(|finding| finding.severity);
        assert_eq!(severity(Approval::Pending(LINE)), Some(Severity::Low));
        assert_eq!(severity(Approval::Blocked(LINE)), Some(Severity::High));
        assert_eq!(severity(Approval::Expired(LINE)), Some(Severity::Medium));
        assert_eq!(severity(Approval::Approved(LINE)), None);
        assert_eq!(judged(Approval::Blocked(LINE)).0.unwrap().basis, Basis::Line(LINE));
    }

    #[test]
    fn the_site_file_is_asked_by_address_and_mac_address() {
        let site = r#"
            assets = [{ address = "10.20.0.5" }]
            [[asset]]
            name = "tablet"
            addresses = ["02:00:00:00:00:07"]
            [[asset]]
            name = "router"
            addresses = ["10.20.0.1", "02:00:00:00:00:01"]
        "#;
        let told = |address: &str, own: u8, source| {
            let mut bench = Bench::with_site(site);
            bench.add(key(address), &[(mac(own), source)]);
            let event = bench.event(0, None, EventKind::AssetSeen(key(address)));
            bench.show(&mut *build(&RULE), &event).len()
        };
        assert_eq!(told("10.20.0.5", 99, "ip"), 0);
        assert_eq!(told("10.20.0.6", 99, "arp"), 1);
        assert_eq!((told("10.20.0.7", 7, "arp"), told("10.20.0.7", 7, "ip")), (0, 0), "known by its MAC address alone");
        assert_eq!(told("8.8.8.8", 1, "ip"), 1, "a router does not vouch for what is behind it");
    }

    #[test]
    fn a_device_that_asks_for_an_address_is_judged_by_the_one_it_gets() {
        let site = "assets = [{ address = \"10.20.0.5\" }]";
        let bare = |last| AssetKey::Mac(Scope::default(), mac(last));
        let mut bench = Bench::with_site(site);
        bench.add(bare(1), &[(mac(1), "dhcp")]);
        bench.add(bare(3), &[(mac(3), "link")]);
        let mut rule = build(&RULE);
        let shows = |rule: &mut dyn Rule, bench: &Bench, second, kind| {
            bench
                .show(rule, &bench.event(second, None, kind))
                .into_iter()
                .map(|found| found.subject)
                .collect::<Vec<_>>()
        };
        // Two ask; one gets an address, and is no asset of its own any more.
        assert!(shows(&mut *rule, &bench, 0, EventKind::AssetSeen(bare(1))).is_empty());
        bench.add(bare(2), &[(mac(2), "arp")]);
        assert!(shows(&mut *rule, &bench, 0, EventKind::AssetSeen(bare(2))).is_empty());
        bench.forget(&bare(2));
        assert!(shows(&mut *rule, &bench, 4, EventKind::Tick).is_empty());
        assert_eq!(shows(&mut *rule, &bench, 5, EventKind::Tick), ["02:00:00:00:00:01"]);
        assert!(shows(&mut *rule, &bench, 9, EventKind::Tick).is_empty());
        // Who speaks something other than IP has none to get.
        assert_eq!(shows(&mut *rule, &bench, 9, EventKind::AssetSeen(bare(3))), ["02:00:00:00:00:03"]);
    }

    #[test]
    fn without_a_list_devices_are_counted() {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        for last in 1..=3 {
            let key = key(&format!("10.20.0.{last}"));
            assert!(bench.show(&mut *rule, &bench.event(0, None, EventKind::AssetSeen(key))).is_empty());
        }
        assert_eq!(rule.unjudged(), 3);
    }
}
