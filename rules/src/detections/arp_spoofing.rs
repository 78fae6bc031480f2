//! Alert on one MAC address that tells others, by ARP, that the addresses of devices are its own.

use super::wording::place;
use crate::baseline::Device;
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, Sighting};
use crate::facts::time::Timestamp;
use crate::memory::Bounded;
use crate::norm::Basis;
use crate::rule::{
    Card, Cited, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use yagura_parsers::packet::Scope;
use yagura_parsers::packet::link::MacAddr;

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(ArpSpoofing::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0030",
    name: "arp_spoofing",
    severity: Severity::High,
    attack: &[Technique { id: "T0830", old: None, name: "Adversary-in-the-Middle" }],
    serves: &["000", "002 4.8.1", "CSF DE.CM-01", "CSF DE.AE-02", "62443-3-3 SR 6.2", "62443-3-3 SR 3.1"],
    what: Text {
        en: "One MAC address claimed several IP addresses that other devices hold, or kept sending ARP answers that \
             nobody had asked for. This is how somebody puts himself between two devices.",
        ja: "一つのMACアドレスが、他の機器のものである複数のIPアドレスを自分のものだと名乗りました。または、誰も問い合\
             わせていないARP応答を送り続けました。二つの機器の間に割り込む手口です。",
    },
    why: Text {
        en: "Who stands between a master and a controller reads every message, and can change, hold back or forge \
             measurements and commands while both ends believe that all is well.",
        ja: "マスターとコントローラーの間に入った者は、すべてのメッセージを読み、計測値や指令を改ざん・遮断・偽造できま\
             す。その間、両端の機器は異常に気付きません。",
    },
    benign: Text {
        en: "A standby device that takes over several addresses at once, a replaced device with several addresses, a \
             router that answers by ARP for devices of its own segment. A redundant pair goes into the site file with \
             both MAC addresses.",
        ja: "複数のアドレスを一度に引き継ぐ待機系機器、複数のアドレスを持つ機器の交換、同じセグメントの機器の代わりにAR\
             P応答するルーターなどが考えられます。冗長構成は両方のMACアドレスをサイトファイルに登録してください。",
    },
    response: Text {
        en: "Find the MAC address at the switch and disconnect it. Check what was written to the devices whose \
             addresses it claimed, and compare what the operators saw with the devices themselves. Traffic between \
             them may pass through another machine until their ARP tables are cleared.",
        ja: "そのMACアドレスをスイッチで特定し、切り離してください。名乗られたアドレスの機器に何が書き込まれたか、運転\
             員が見ていた値が機器の実際の値と一致するかを確認してください。各機器のARPテーブルが消去されるまで、通信が\
             別の機器を経由する場合があります。",
    },
    settings: &[
        Setting {
            name: "addresses",
            what: "so many addresses of others, claimed within a minute",
            default: 2,
            min: 2,
            max: 64,
        },
        Setting { name: "replies", what: "so many answers unasked, within a minute", default: 20, min: 3, max: 1_000 },
        Setting {
            name: "quiet_s",
            what: "after so many quiet seconds the next claim is told anew",
            default: 300,
            min: 60,
            max: 86_400,
        },
    ],
};

static MIDDLE: Text = Text {
    en: "{device} claims {count} addresses that others hold, by ARP with MAC address {mac}: {addresses}",
    ja: "{device} が、他の機器の {count} 個のアドレスをARPで自分のもの（MACアドレス {mac}）だと名乗っています: \
         {addresses}",
};
static UNASKED: Text = Text {
    en: "{device} sent {count} ARP answers within {seconds} s that nobody had asked for, with MAC address {mac}: \
         {addresses}",
    ja: "{device} が {seconds} 秒以内に、誰も問い合わせていないARP応答を {count} 件送りました（MACアドレス {mac}）: \
         {addresses}",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] = &[&MIDDLE, &UNASKED];

/// Claims count together for so long, in ns.
const MINUTE_NS: u64 = 60_000_000_000;
/// Who asked for an address waits so long for the answer, in ns.
const ANSWER_NS: u64 = 10_000_000_000;
/// Who uses an address for so long, while its holder shows nothing, has become its holder: a device was replaced.
const TAKEN_NS: u64 = 600_000_000_000;
/// Answers unasked for each address that show more than a device with many addresses that starts.
const ANSWERS_PER_ADDRESS: u64 = 5;
/// So many addresses of one claimant are remembered, and so many are shown.
const ADDRESSES_MAX: usize = 64;
const ADDRESSES_SHOWN: usize = 4;

/// Who an address belongs to, as far as ARP shows it.
struct Holder {
    mac: MacAddr,
    seen: Timestamp,
    /// By a question of its own or an answer that was asked for; what was only announced gives way to these.
    is_firm: bool,
    /// Who uses it as well, other than by answers unasked, and since when.
    rival: Option<(MacAddr, Timestamp)>,
}

/// The addresses that a MAC address told wrongly or unasked, since it began to.
struct Claimant {
    /// Which time this is that it begins; it is in the subject, so that each is told.
    episode: u64,
    since: Timestamp,
    last: Timestamp,
    /// Answers unasked: all, the last few by time, and how many there were when it was told last.
    answers: u64,
    times: VecDeque<Timestamp>,
    answers_told: u64,
    /// Addresses that were told, each with its last time, and the last time that another held it.
    addresses: BTreeMap<IpAddr, (Timestamp, Option<Timestamp>)>,
    addresses_told: usize,
    cited: Vec<Cited>,
}

impl Claimant {
    fn new(episode: u64, now: Timestamp) -> Self {
        Self {
            episode,
            since: now,
            last: now,
            answers: 0,
            times: VecDeque::new(),
            answers_told: 0,
            addresses: BTreeMap::new(),
            addresses_told: 0,
            cited: Vec::new(),
        }
    }

    fn is_told(&self) -> bool {
        self.answers_told > 0 || self.addresses_told > 0
    }
}

struct ArpSpoofing {
    addresses: usize,
    replies: usize,
    quiet_ns: u64,
    /// When an address was asked for last, and by whom.
    asked: Bounded<AssetKey, (Timestamp, Option<MacAddr>)>,
    holders: Bounded<AssetKey, Holder>,
    /// An address that a MAC address holds undisputed: the name it is told by.
    names: Bounded<(Scope, MacAddr), IpAddr>,
    claimants: Bounded<(Scope, MacAddr), Claimant>,
}

/// How an ARP packet stands to what is known.
struct Claim {
    address: IpAddr,
    /// It is an answer or announcement, and nobody asked for it.
    is_unasked: bool,
    /// Another holds the address.
    is_contested: bool,
}

impl ArpSpoofing {
    fn new(settings: &Settings, memory: usize) -> Self {
        let number = |name| usize::try_from(settings.value(&CARD, name)).unwrap_or(usize::MAX);
        // A claimant holds many times and addresses: fewer are remembered, so that all of it stays within the bound.
        let claimants = memory.checked_div(64).unwrap_or(0).max(16);
        Self {
            addresses: number("addresses").clamp(2, ADDRESSES_MAX),
            replies: number("replies").clamp(1, 1_000),
            quiet_ns: settings.seconds(&CARD, "quiet_s"),
            asked: Bounded::new(memory),
            holders: Bounded::new(memory),
            names: Bounded::new(memory),
            claimants: Bounded::new(claimants),
        }
    }

    /// What an ARP packet claims, against what is known; the holder of the address is brought up to date.
    fn claim(&mut self, sighting: &Sighting, mac: MacAddr, now: Timestamp, scene: Scene<'_>) -> Option<Claim> {
        let scope = sighting.scope;
        if let Some(wanted) = sighting.asks_for {
            self.asked.insert(AssetKey::Ip(scope, wanted), (now, sighting.mac));
        }
        let address = sighting.address?;
        let key = AssetKey::Ip(scope, address);
        // Who asks and answers himself was not asked.
        let is_asked =
            self.asked.get(&key).is_some_and(|(time, by)| now.0.abs_diff(time.0) <= ANSWER_NS && *by != Some(mac));
        let is_unasked = sighting.answers && !is_asked;
        let fresh = Holder { mac, seen: now, is_firm: !is_unasked, rival: None };
        let Some(holder) = self.holders.touch(&key) else {
            self.holders.insert(key, fresh);
            if !is_unasked {
                self.names.insert((scope, mac), address);
            }
            return Some(Claim { address, is_unasked, is_contested: false });
        };
        let mut is_contested = false;
        if holder.mac == mac {
            holder.seen = now;
            holder.is_firm |= !is_unasked;
        } else if !holder.is_firm && !is_unasked {
            *holder = fresh;
        } else if are_one_device(scene, address, [holder.mac, mac]) {
            return None;
        } else {
            is_contested = true;
            match holder.rival {
                _ if is_unasked => {}
                Some((rival, since)) if rival == mac && holder.seen <= since => {
                    if now.since(since) >= TAKEN_NS {
                        *holder = fresh;
                        is_contested = false;
                    }
                }
                _ => holder.rival = Some((mac, now)),
            }
        }
        if !is_contested && !is_unasked {
            self.names.insert((scope, mac), address);
        }
        Some(Claim { address, is_unasked, is_contested })
    }

    /// Counts a claim that is out of order, and tells what it makes known.
    fn count(&mut self, scope: Scope, mac: MacAddr, claim: &Claim, event: &Event) -> Option<Finding> {
        let now = event.time;
        let one = self.claimants.or_insert_with((scope, mac), || Claimant::new(1, now));
        if now.0.abs_diff(one.last.0) > self.quiet_ns {
            *one = Claimant::new(one.episode.saturating_add(u64::from(one.is_told())), now);
        }
        one.last = now;
        one.addresses.retain(|_, (last, _)| now.0.abs_diff(last.0) <= MINUTE_NS);
        if one.addresses.len() < ADDRESSES_MAX || one.addresses.contains_key(&claim.address) {
            let (last, contested) = one.addresses.entry(claim.address).or_insert((now, None));
            *last = now;
            *contested = if claim.is_contested { Some(now) } else { *contested };
        }
        if one.cited.len() < Cited::MAX {
            one.cited.push(Cited::event(event));
        }
        while one.times.front().is_some_and(|first| now.0.abs_diff(first.0) > MINUTE_NS) {
            one.times.pop_front();
        }
        if claim.is_unasked {
            one.answers = one.answers.saturating_add(1);
            while one.times.len() >= self.replies {
                one.times.pop_front();
            }
            one.times.push_back(now);
        }

        let contested: Vec<IpAddr> = one
            .addresses
            .iter()
            .filter(|(_, (_, contested))| contested.is_some_and(|time| now.0.abs_diff(time.0) <= MINUTE_NS))
            .map(|(address, _)| *address)
            .collect();
        let all: Vec<IpAddr> = one.addresses.keys().copied().collect();
        let is_middle = contested.len() >= self.addresses;
        // One device that announces its only address again and again, or many addresses as it starts, is in order.
        let each = u64::try_from(all.len()).unwrap_or(u64::MAX).saturating_mul(ANSWERS_PER_ADDRESS);
        let own = self.names.get(&(scope, mac)).copied();
        let is_other = all.len() > 1 || own.is_some_and(|own| own != claim.address);
        let is_doubtful = !contested.is_empty() || (is_other && one.answers >= each);
        let is_many = one.times.len() >= self.replies && is_doubtful;
        // At the threshold and at each doubling: the closing alert then tells nearly the whole size.
        let more_addresses = is_middle && contested.len() >= one.addresses_told.saturating_mul(2).max(1);
        let more_answers = is_many && one.answers >= one.answers_told.saturating_mul(2).max(1);
        if !more_addresses && !more_answers {
            return None;
        }
        if more_addresses {
            one.addresses_told = contested.len();
        }
        if is_many {
            one.answers_told = one.answers;
        }
        let (text, told) = if is_middle { (&MIDDLE, &contested) } else { (&UNASKED, &all) };
        let device = own.map_or(AssetKey::Mac(scope, mac), |address| AssetKey::Ip(scope, address));
        let of_claimant = place(&AssetKey::Mac(scope, mac));
        let count = if is_middle { u64::try_from(told.len()).unwrap_or(u64::MAX) } else { one.answers };
        let mut assets = vec![device];
        let others = told.iter().map(|address| AssetKey::Ip(scope, *address));
        assets.extend(others.filter(|key| *key != device).take(Cited::MAX));
        Some(Finding {
            text,
            params: vec![
                ("device", Param::Asset(device)),
                ("mac", Param::Text(mac.to_string())),
                ("addresses", Param::Text(listed(told))),
                ("count", Param::Number(count)),
                ("seconds", Param::Number(now.since(one.since).div_ceil(1_000_000_000).max(1))),
                ("answers_unasked", Param::Number(one.answers)),
            ],
            subject: if one.episode > 1 { format!("{of_claimant}/{}", one.episode) } else { of_claimant },
            severity: Some(if contested.is_empty() { Severity::Medium } else { Severity::High }),
            basis: Basis::None,
            flow: None,
            assets,
            earlier: one.cited.iter().filter(|cited| cited.id != event.id).copied().collect(),
        })
    }
}

/// Whether people listed both MAC addresses as one device with this address: a redundant pair.
fn are_one_device(scene: Scene<'_>, address: IpAddr, macs: [MacAddr; 2]) -> bool {
    scene.norm.listed_asset(Some(address), None).is_some_and(|asset| {
        macs.iter().all(|mac| asset.mac == Some(*mac) || asset.devices.contains(&Device::Mac(*mac)))
    })
}

/// The first few addresses: `10.0.0.1, 10.0.0.2, ..`.
fn listed(addresses: &[IpAddr]) -> String {
    let mut shown: Vec<String> = addresses.iter().take(ADDRESSES_SHOWN).map(IpAddr::to_string).collect();
    if addresses.len() > ADDRESSES_SHOWN {
        shown.push("..".to_owned());
    }
    shown.join(", ")
}

impl Rule for ArpSpoofing {
    fn interest(&self) -> Interest {
        Interest::SIGHTING
    }

    fn observe(&mut self, event: &Event, scene: Scene<'_>, found: &mut Vec<Finding>) {
        let EventKind::Sighting(sighting) = &event.kind else { return };
        let Some(mac) = sighting.mac.filter(|mac| !mac.is_group() && !mac.is_zero()) else { return };
        if sighting.source != "arp" {
            // What the holder sends otherwise shows that it is still there; whose a MAC address is, only ARP tells.
            if let Some(address) = sighting.address
                && let Some(holder) = self.holders.touch(&AssetKey::Ip(sighting.scope, address))
                && holder.mac == mac
            {
                holder.seen = event.time;
            }
            return;
        }
        if let Some(claim) = self.claim(sighting, mac, event.time, scene)
            && (claim.is_unasked || claim.is_contested)
        {
            found.extend(self.count(sighting.scope, mac, &claim, event));
        }
    }

    fn forgotten(&self) -> u64 {
        self.holders.evicted().saturating_add(self.claimants.evicted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, build, ip, key, mac};

    const MASTER: &str = "10.20.1.21";
    const OUTSTATION: &str = "10.20.1.22";

    /// One ARP packet: who sends it, the address it gives as its own, what it asks for.
    #[derive(Clone, Copy)]
    enum Arp {
        /// A question with a sender address.
        Asks(u8, &'static str, &'static str),
        /// An answer or announcement.
        Says(u8, &'static str),
    }
    use Arp::{Asks, Says};

    fn sighting(arp: Arp) -> Sighting {
        let (sender, address, asks_for) = match arp {
            Asks(sender, address, wanted) => (sender, address, Some(ip(wanted))),
            Says(sender, address) => (sender, address, None),
        };
        Sighting {
            scope: Scope::default(),
            source: "arp",
            mac: Some(mac(sender)),
            address: Some(ip(address)),
            claim: None,
            asks_for,
            answers: asks_for.is_none(),
        }
    }

    /// What a rule finds, with the second it was told.
    fn heard_with(bench: &Bench, packets: &[(u64, Arp)]) -> Vec<(u64, Finding)> {
        let mut rule = build(&RULE);
        packets
            .iter()
            .flat_map(|(second, arp)| {
                let event = bench.event(*second, None, EventKind::Sighting(Box::new(sighting(*arp))));
                bench.show(&mut *rule, &event).into_iter().map(|finding| (*second, finding)).collect::<Vec<_>>()
            })
            .collect()
    }

    fn heard(packets: &[(u64, Arp)]) -> Vec<(u64, Finding)> {
        heard_with(&Bench::new(), packets)
    }

    /// The two that are attacked show themselves.
    fn shown() -> Vec<(u64, Arp)> {
        vec![(0, Asks(21, MASTER, OUTSTATION)), (0, Says(22, OUTSTATION)), (1, Asks(66, "10.20.1.66", OUTSTATION))]
    }

    fn poisoned(from: u64, seconds: u64) -> Vec<(u64, Arp)> {
        (from..from + seconds).flat_map(|second| [(second, Says(66, MASTER)), (second, Says(66, OUTSTATION))]).collect()
    }

    #[test]
    fn who_claims_two_addresses_of_others_stands_in_the_middle() {
        let packets = [shown(), poisoned(100, 60)].concat();
        let found = heard(&packets);
        let (second, first) = &found[0];
        assert_eq!((*second, first.text, first.severity), (100, &MIDDLE, Some(Severity::High)));
        assert_eq!(first.subject, "02:00:00:00:00:42");
        assert_eq!(first.assets, [key("10.20.1.66"), key(MASTER), key(OUTSTATION)]);
        assert!(first.params.contains(&("addresses", Param::Text("10.20.1.21, 10.20.1.22".to_owned()))));
        assert!(found.len() <= 5 && found.iter().all(|(_, finding)| finding.subject == first.subject));
    }

    #[test]
    fn one_address_of_another_is_told_only_where_it_is_claimed_again_and_again() {
        let claims = |count: u64, every: u64| -> Vec<(u64, Arp)> {
            [shown(), (0..count).map(|n| (100 + n * every, Says(66, MASTER))).collect()].concat()
        };
        assert!(heard(&claims(19, 1)).is_empty());
        let found = heard(&claims(20, 1));
        assert_eq!((found.len(), found[0].1.text, found[0].1.severity), (1, &UNASKED, Some(Severity::High)));
        assert!(heard(&claims(200, 4)).is_empty(), "16 of them fall into a minute");
    }

    #[test]
    fn claims_that_are_far_apart_do_not_add_up() {
        let twice = |gap: u64| [shown(), vec![(100, Says(66, MASTER)), (100 + gap, Says(66, OUTSTATION))]].concat();
        assert_eq!(heard(&twice(60)).len(), 1);
        assert!(heard(&twice(61)).is_empty());
    }

    #[test]
    fn questions_with_the_address_of_another_are_claims_too() {
        let found =
            heard(&[shown(), vec![(9, Asks(66, MASTER, OUTSTATION)), (9, Asks(66, OUTSTATION, MASTER))]].concat());
        assert_eq!((found.len(), found[0].1.text), (1, &MIDDLE));
    }

    #[test]
    fn a_new_episode_is_told_under_its_own_number() {
        let packets = [shown(), poisoned(100, 30), poisoned(429, 5)].concat();
        let subjects = |packets: &[(u64, Arp)]| {
            let mut subjects: Vec<String> = heard(packets).into_iter().map(|(_, finding)| finding.subject).collect();
            subjects.dedup();
            subjects
        };
        assert_eq!(subjects(&packets), ["02:00:00:00:00:42"], "300 s are not more than 300 s");
        let packets = [shown(), poisoned(100, 30), poisoned(430, 5), poisoned(2_000, 5)].concat();
        assert_eq!(subjects(&packets), ["02:00:00:00:00:42", "02:00:00:00:00:42/2", "02:00:00:00:00:42/3"]);
    }

    #[test]
    fn a_device_that_announces_its_own_address_is_silent_however_often() {
        let own: Vec<(u64, Arp)> = (0..600).map(|n| (n, Says(21, MASTER))).collect();
        assert!(heard(&own).is_empty());
        assert!(heard(&[shown(), own].concat()).is_empty());
    }

    #[test]
    fn a_device_with_many_addresses_may_announce_them_as_it_starts() {
        let all: Vec<&'static str> = (1..=30).map(|n| &*Box::leak(format!("10.20.2.{n}").into_boxed_str())).collect();
        let start: Vec<(u64, Arp)> = all.iter().flat_map(|one| [(5, Says(9, one)); 3]).collect();
        assert!(heard(&start).is_empty());
        let storm: Vec<(u64, Arp)> = all.iter().flat_map(|one| [(5, Says(9, one)); 6]).collect();
        let found = heard(&storm);
        assert_eq!((found[0].1.text, found[0].1.severity), (&UNASKED, Some(Severity::Medium)));
    }

    #[test]
    fn answers_that_were_asked_for_are_silent_unless_the_address_has_another_holder() {
        let router: Vec<(u64, Arp)> = (0..200)
            .flat_map(|n| {
                let wanted: &'static str = Box::leak(format!("10.20.9.{n}").into_boxed_str());
                [(n / 10, Asks(21, MASTER, wanted)), (n / 10, Says(1, wanted))]
            })
            .collect();
        assert!(heard(&router).is_empty());
        let mut taken = shown();
        taken.extend([(9, Asks(5, "10.20.1.5", MASTER)), (9, Says(66, MASTER))]);
        taken.extend([(9, Asks(5, "10.20.1.5", OUTSTATION)), (9, Says(66, OUTSTATION))]);
        assert_eq!(heard(&taken).len(), 1);
    }

    #[test]
    fn who_asks_and_answers_himself_was_not_asked() {
        let same: Vec<(u64, Arp)> =
            (0..40).flat_map(|n| [(n, Asks(66, "10.20.1.66", "10.20.1.9")), (n, Says(66, "10.20.1.9"))]).collect();
        assert_eq!(heard(&same)[0].1.text, &UNASKED);
        let other: Vec<(u64, Arp)> =
            (0..40).flat_map(|n| [(n, Asks(21, MASTER, "10.20.1.9")), (n, Says(66, "10.20.1.9"))]).collect();
        assert!(heard(&other).is_empty());
        let late: Vec<(u64, Arp)> = [vec![(0, Asks(21, MASTER, "10.20.1.9")), (0, Says(66, "10.20.1.66"))], {
            (11..51).flat_map(|n| [(n, Says(66, "10.20.1.9")), (n, Says(66, "10.20.1.66"))]).collect()
        }]
        .concat();
        assert_eq!(heard(&late)[0].1.severity, Some(Severity::Medium), "an answer comes within ten seconds");
    }

    #[test]
    fn what_was_only_announced_gives_way_to_who_asks_or_is_asked() {
        // The sensor begins while the attack is under way: the first that claims the addresses is the wrong one.
        let mut packets = vec![(0, Says(66, MASTER)), (0, Says(66, OUTSTATION))];
        packets.extend([(1, Asks(21, MASTER, OUTSTATION)), (1, Says(22, OUTSTATION))]);
        packets.extend([(2, Says(66, MASTER)), (2, Says(66, OUTSTATION))]);
        let found = heard(&packets);
        assert_eq!((found.len(), found[0].0, found[0].1.text), (1, 2, &MIDDLE));
    }

    #[test]
    fn a_replaced_device_becomes_the_holder_once_the_old_one_is_silent_for_long() {
        let replaced = |old_speaks: bool| {
            let mut packets = shown();
            packets.push((3, Asks(21, "10.20.1.31", OUTSTATION)));
            for second in (100..4_000).step_by(100) {
                packets.extend([(second, Asks(88, MASTER, OUTSTATION)), (second, Asks(88, "10.20.1.31", OUTSTATION))]);
                if old_speaks {
                    packets.push((second + 1, Asks(21, MASTER, OUTSTATION)));
                    packets.push((second + 1, Asks(21, "10.20.1.31", OUTSTATION)));
                }
            }
            heard(&packets).len()
        };
        assert_eq!(replaced(false), 1);
        let mut later = shown();
        later.extend((100..800).step_by(100).map(|second| (second, Asks(88, MASTER, OUTSTATION))));
        later.extend([(900, Asks(66, MASTER, OUTSTATION)), (900, Asks(66, OUTSTATION, MASTER))]);
        assert_eq!(heard(&later)[0].1.params[2], ("addresses", Param::Text("10.20.1.21, 10.20.1.22".to_owned())));
        assert_eq!(replaced(true), 1, "it is one episode, and no more addresses than at first");
    }

    #[test]
    fn a_listed_redundant_pair_may_take_over() {
        let site = r#"
            [[asset]]
            name = "pair"
            addresses = ["10.20.1.21", "10.20.1.22", "02:00:00:00:00:15", "02:00:00:00:00:16", "02:00:00:00:00:42"]
        "#;
        let packets = [shown(), poisoned(100, 60)].concat();
        assert!(heard_with(&Bench::with_site(site), &packets).is_empty());
    }

    #[test]
    fn only_arp_says_whose_an_address_is() {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        let mut found = Vec::new();
        for (n, address) in [MASTER, OUTSTATION, "10.20.1.23"].into_iter().cycle().take(300).enumerate() {
            // A router's MAC address carries the addresses of others.
            for last in [1, 2] {
                let routed = Sighting { source: "ip", ..sighting(Says(last, address)) };
                let event = bench.event(n as u64, None, EventKind::Sighting(Box::new(routed)));
                found.extend(bench.show(&mut *rule, &event));
            }
        }
        assert!(found.is_empty());
    }

    #[test]
    fn what_is_remembered_of_a_claimant_is_bounded() {
        let bench = Bench::new();
        let mut rule = ArpSpoofing::new(&Settings::default(), 64);
        for n in 0..5_000_u32 {
            let address = IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n));
            let claim = Sighting { address: Some(address), ..sighting(Says(66, MASTER)) };
            bench.show(&mut rule, &bench.event(5, None, EventKind::Sighting(Box::new(claim))));
        }
        let claimant = rule.claimants.get(&(Scope::default(), mac(66))).unwrap();
        assert_eq!((claimant.addresses.len(), claimant.times.len(), claimant.cited.len()), (64, 20, 8));
        assert_eq!((rule.holders.len(), rule.asked.len()), (64, 0));
        assert!(rule.forgotten() > 4_000);
    }
}
