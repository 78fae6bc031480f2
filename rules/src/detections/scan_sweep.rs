//! Alert on one source that goes through many addresses, ports, unit identifiers, function codes or registers.

use super::dialects::{is_dnp3, is_iec104};
use super::waiting::{Attempts, Waiting};
use super::wording::{client, place, server};
use crate::facts::asset::AssetKey;
use crate::facts::event::{Event, EventKind, OperationFact, Sighting, Stage};
use crate::facts::flow::Flow;
use crate::facts::time::Timestamp;
use crate::memory::Bounded;
use crate::norm::{Basis, Novelty, Verdict};
use crate::rule::{
    Card, Cited, Finding, Interest, Param, Registration, Rule, Scene, Setting, Settings, Severity, Technique, Text,
};
use std::net::IpAddr;
use std::sync::Arc;
use yagura_parsers::message::{Reason, Verb};

/// The catalogue's line.
pub const RULE: Registration =
    Registration { card: &CARD, build: |settings, memory| Box::new(ScanSweep::new(settings, memory)) };

static CARD: Card = Card {
    id: "OT-0009",
    name: "scan_sweep",
    severity: Severity::Medium,
    attack: &[
        Technique { id: "T0846", old: None, name: "Remote System Discovery" },
        Technique { id: "T0846.001", old: None, name: "Remote System Discovery: Port Scan" },
        Technique { id: "T0888", old: None, name: "Remote System Information Discovery" },
        Technique { id: "T0861", old: None, name: "Point & Tag Identification" },
    ],
    serves: &[
        "000",
        "002 4.8.1",
        "002 4.9",
        "CSF DE.CM-01",
        "CSF DE.AE-02",
        "CPG 1.0.1 3.A",
        "CPG 2.0 4.B",
        "62443-3-3 SR 6.2",
    ],
    what: Text {
        en: "One source went through many addresses, ports, units (unit identifiers, link addresses, common addresses), \
             function codes, registers or points in a short time, and found most of them shut, absent, refused or new. \
             Four times the threshold makes it high.",
        ja: "一つの送信元が短時間に多数のアドレス・ポート・ユニット（ユニット識別子、リンクアドレス、共通アドレス）・\
             ファンクションコード・レジスターまたはポイントを順に試し、その多くが応答なし・拒否・未知でした。しきい値\
             の4倍で深刻度は高になります。",
    },
    why: Text {
        en: "Who does not know the plant has to search it first. The search is the earliest sign, and it comes before \
             the damage.",
        ja: "設備を知らない者は、まず探索しなければなりません。探索は被害に先立つ最も早い予兆です。",
    },
    benign: Text {
        en: "An inventory or vulnerability scanner, an engineering tool that looks for devices, a router that looks \
             for many absent neighbours, a master whose devices are switched off.",
        ja: "資産管理や脆弱性診断のスキャナー、機器を探すエンジニアリングツール、不在の隣接機器を探すルーター、配下の\
             機器が停止しているマスターなどが考えられます。",
    },
    response: Text {
        en: "Find who uses the source. Scans of controllers are to be announced: if this one was not, isolate the \
             source and look at which of its attempts were answered.",
        ja: "送信元の利用者を特定してください。コントローラーへのスキャンは事前に届け出るべき作業です。届出がなければ\
             送信元を隔離し、どの試みに応答があったかを調べてください。",
    },
    settings: &[
        Setting { name: "addresses", what: "TCP servers that do not answer", default: 20, min: 5, max: 250 },
        Setting { name: "arp_addresses", what: "addresses asked for by ARP", default: 40, min: 5, max: 250 },
        Setting { name: "ports", what: "TCP ports of one server that do not answer", default: 25, min: 5, max: 250 },
        Setting {
            name: "units",
            what: "unit identifiers, link or common addresses that are new, or that nobody has",
            default: 8,
            min: 3,
            max: 250,
        },
        Setting { name: "units_unjudged", what: "the same where there is no baseline", default: 40, min: 3, max: 250 },
        Setting { name: "codes", what: "function codes that are new or refused", default: 10, min: 3, max: 250 },
        Setting {
            name: "registers",
            what: "registers or points that are new or refused",
            default: 30,
            min: 3,
            max: 250,
        },
        Setting {
            name: "window_s",
            what: "within so many seconds; in whole minutes, two at least",
            default: 120,
            min: 120,
            max: 3_600,
        },
        Setting { name: "arp_window_s", what: "the same for ARP", default: 360, min: 120, max: 3_600 },
    ],
};

static ADDRESSES: Text = Text {
    en: "{client} tried {count} addresses by TCP within {seconds} s without an answer, from {first} to {last}",
    ja: "{client} が {seconds} 秒以内に {count} 個のアドレスへTCP接続を試み、応答がありませんでした（{first} ～ \
         {last}）",
};
static ARP_ADDRESSES: Text = Text {
    en: "{client} asked for {count} addresses by ARP within {seconds} s, from {first} to {last}",
    ja: "{client} が {seconds} 秒以内に {count} 個のアドレスをARPで問い合わせました（{first} ～ {last}）",
};
static PORTS: Text = Text {
    en: "{client} tried {count} TCP ports of {server} within {seconds} s without an answer, from {first} to {last}",
    ja: "{client} が {seconds} 秒以内に {server} の {count} 個のTCPポートを試み、応答がありませんでした（{first} ～ \
         {last}）",
};
static UNITS: Text = Text {
    en: "{client} tried {count} unit identifiers at {server} within {seconds} s, from {first} to {last}",
    ja: "{client} が {seconds} 秒以内に {server} の {count} 個のユニット識別子を試みました（{first} ～ {last}）",
};
static LINK_ADDRESSES: Text = Text {
    en: "{client} tried {count} link addresses at {server} within {seconds} s, from {first} to {last}",
    ja: "{client} が {seconds} 秒以内に {server} の {count} 個のリンクアドレスを試みました（{first} ～ {last}）",
};
static COMMON_ADDRESSES: Text = Text {
    en: "{client} tried {count} common addresses at {server} within {seconds} s, from {first} to {last}",
    ja: "{client} が {seconds} 秒以内に {server} の {count} 個の共通アドレスを試みました（{first} ～ {last}）",
};
static CODES: Text = Text {
    en: "{client} tried {count} function codes on unit {unit} at {server} within {seconds} s, from {first} to {last}",
    ja: "{client} が {seconds} 秒以内に {server} のユニット {unit} に {count} 種のファンクションコードを試みました（\
         {first} ～ {last}）",
};
static REGISTERS: Text = Text {
    en: "{client} tried {count} places of unit {unit} at {server} within {seconds} s, from {first} to {last}",
    ja: "{client} が {seconds} 秒以内に {server} のユニット {unit} の {count} か所を試みました（{first} ～ {last}）",
};

#[cfg(test)]
pub(super) const TEXTS: &[&Text] =
    &[&ADDRESSES, &ARP_ADDRESSES, &PORTS, &UNITS, &LINK_ADDRESSES, &COMMON_ADDRESSES, &CODES, &REGISTERS];

/// A minute of packet time: usual operations are told once in each, so that nothing here may count within one.
const MINUTE_NS: u64 = 60_000_000_000;
/// So many items of one sweep are kept, as a multiple of its threshold: beyond, its size is no longer news.
const ITEMS_PER_THRESHOLD: u64 = 8;
/// A sweep is high from this multiple of its threshold.
const HIGH_AT: u64 = 4;

/// What is swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Addresses,
    ArpAddresses,
    Ports,
    Units,
    UnitsUnjudged,
    Codes,
    Registers,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Addresses,
        Self::ArpAddresses,
        Self::Ports,
        Self::Units,
        Self::UnitsUnjudged,
        Self::Codes,
        Self::Registers,
    ];

    /// The word in subjects, which is the setting of its threshold as well.
    fn name(self) -> &'static str {
        match self {
            Self::Addresses => "addresses",
            Self::ArpAddresses => "arp_addresses",
            Self::Ports => "ports",
            Self::Units => "units",
            Self::UnitsUnjudged => "units_unjudged",
            Self::Codes => "codes",
            Self::Registers => "registers",
        }
    }

    fn text(self, flow: Option<&Flow>) -> &'static Text {
        match self {
            Self::Units | Self::UnitsUnjudged if flow.is_some_and(is_dnp3) => &LINK_ADDRESSES,
            Self::Units | Self::UnitsUnjudged if flow.is_some_and(is_iec104) => &COMMON_ADDRESSES,
            Self::Addresses => &ADDRESSES,
            Self::ArpAddresses => &ARP_ADDRESSES,
            Self::Ports => &PORTS,
            Self::Units | Self::UnitsUnjudged => &UNITS,
            Self::Codes => &CODES,
            Self::Registers => &REGISTERS,
        }
    }
}

/// Who sweeps what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Course {
    kind: Kind,
    source: AssetKey,
    target: Option<AssetKey>,
    unit: Option<u16>,
}

/// One thing that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Address(IpAddr),
    Number(u16),
    Code(u16, u16),
    Place(&'static str, u32),
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Number(number) | Self::Code(number, 0) => write!(f, "{number}"),
            Self::Code(code, sub) => write!(f, "{code}/{sub}"),
            Self::Place(space, address) => write!(f, "{space} {address}"),
        }
    }
}

/// Things that count, sorted: those last tried in the present slot, and those last tried in the one before. A thing takes no
/// more room than it must: whoever sends one octet for each must not make the sensor hold many.
#[derive(Debug)]
struct Seen<T> {
    now: Vec<T>,
    before: Vec<T>,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { now: Vec::new(), before: Vec::new() }
    }
}

impl<T: Ord + Copy> Seen<T> {
    /// Notes a thing; one that is new only where there is room. Whether it is new, and was noted.
    fn note(&mut self, thing: T, has_room: bool) -> bool {
        let Err(place) = self.now.binary_search(&thing) else { return false };
        let is_new = match self.before.binary_search(&thing) {
            Ok(before) => {
                self.before.remove(before);
                false
            }
            Err(_) => true,
        };
        if is_new && !has_room {
            return false;
        }
        self.now.insert(place, thing);
        is_new
    }

    /// Whether a thing was tried in the present slot.
    fn has(&self, thing: T) -> bool {
        self.now.binary_search(&thing).is_ok()
    }

    /// Another slot begins: the next one, or one that is further away.
    fn turn(&mut self, is_next: bool) {
        self.before.clear();
        if is_next {
            std::mem::swap(&mut self.now, &mut self.before);
        } else {
            self.now.clear();
        }
    }

    fn len(&self) -> usize {
        self.now.len().saturating_add(self.before.len())
    }

    fn least(&self) -> Option<T> {
        self.now.first().into_iter().chain(self.before.first()).min().copied()
    }

    fn greatest(&self) -> Option<T> {
        self.now.last().into_iter().chain(self.before.last()).max().copied()
    }
}

/// What one source has tried, by its kind.
enum Items {
    Addresses(Seen<IpAddr>),
    Numbers(Seen<u16>),
    Codes(Seen<(u16, u16)>),
    /// Indices into the names of spaces, and places there.
    Places(Vec<&'static str>, Seen<(u8, u32)>),
}

impl Items {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Addresses | Kind::ArpAddresses => Self::Addresses(Seen::default()),
            Kind::Ports | Kind::Units | Kind::UnitsUnjudged => Self::Numbers(Seen::default()),
            Kind::Codes => Self::Codes(Seen::default()),
            Kind::Registers => Self::Places(Vec::new(), Seen::default()),
        }
    }

    /// As [`Seen::note`]. What is of another kind is not noted.
    fn note(&mut self, item: Item, has_room: bool) -> bool {
        match (self, item) {
            (Self::Addresses(seen), Item::Address(address)) => seen.note(address, has_room),
            (Self::Numbers(seen), Item::Number(number)) => seen.note(number, has_room),
            (Self::Codes(seen), Item::Code(code, sub)) => seen.note((code, sub), has_room),
            (Self::Places(spaces, seen), Item::Place(space, address)) => {
                let known = spaces.iter().position(|known| *known == space);
                let index = known.unwrap_or(spaces.len());
                // No protocol has so many spaces.
                let Ok(place) = u8::try_from(index) else { return false };
                if known.is_none() {
                    spaces.push(space);
                }
                seen.note((place, address), has_room)
            }
            _ => false,
        }
    }

    /// As [`Seen::has`].
    fn has(&self, item: Item) -> bool {
        match (self, item) {
            (Self::Addresses(seen), Item::Address(address)) => seen.has(address),
            (Self::Numbers(seen), Item::Number(number)) => seen.has(number),
            (Self::Codes(seen), Item::Code(code, sub)) => seen.has((code, sub)),
            (Self::Places(spaces, seen), Item::Place(space, address)) => {
                let place = spaces.iter().position(|known| *known == space).and_then(|at| u8::try_from(at).ok());
                place.is_some_and(|place| seen.has((place, address)))
            }
            _ => false,
        }
    }

    fn turn(&mut self, is_next: bool) {
        match self {
            Self::Addresses(seen) => seen.turn(is_next),
            Self::Numbers(seen) => seen.turn(is_next),
            Self::Codes(seen) => seen.turn(is_next),
            Self::Places(_, seen) => seen.turn(is_next),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Addresses(seen) => seen.len(),
            Self::Numbers(seen) => seen.len(),
            Self::Codes(seen) => seen.len(),
            Self::Places(_, seen) => seen.len(),
        }
    }

    /// The least and the greatest.
    fn ends(&self) -> Option<(Item, Item)> {
        Some(match self {
            Self::Addresses(seen) => (Item::Address(seen.least()?), Item::Address(seen.greatest()?)),
            Self::Numbers(seen) => (Item::Number(seen.least()?), Item::Number(seen.greatest()?)),
            Self::Codes(seen) => {
                let code = |(code, sub)| Item::Code(code, sub);
                (code(seen.least()?), code(seen.greatest()?))
            }
            Self::Places(spaces, seen) => {
                let place = |(index, address): (u8, u32)| {
                    spaces.get(usize::from(index)).map(|space| Item::Place(space, address))
                };
                (place(seen.least()?)?, place(seen.greatest()?)?)
            }
        })
    }
}

/// What one source has tried in the present slot (half a window, aligned to packet time) and the one before it.
struct Sweep {
    items: Items,
    slot: u64,
    told: u64,
    cited: Vec<Cited>,
}

/// What brought an item, for the finding that it may complete.
struct Carrier<'a> {
    time: Timestamp,
    flow: Option<&'a Arc<Flow>>,
    cited: Option<Cited>,
    basis: Basis,
}

struct ScanSweep {
    /// By kind.
    thresholds: [u64; Kind::ALL.len()],
    /// Minutes of a slot; of one of ARP.
    minutes: [u64; 2],
    attempts: Attempts,
    sweeps: Bounded<Course, Sweep>,
}

impl ScanSweep {
    fn new(settings: &Settings, memory: usize) -> Self {
        // A sweep holds many items: fewer sweeps are remembered, so that all of it stays within the same bound.
        let sweeps = memory.checked_div(64).unwrap_or(0).max(16);
        Self {
            thresholds: Kind::ALL.map(|kind| settings.value(&CARD, kind.name()).max(1)),
            minutes: ["window_s", "arp_window_s"].map(|name| settings.value(&CARD, name).div_ceil(120).max(1)),
            attempts: Attempts::new(memory),
            sweeps: Bounded::new(sweeps),
        }
    }

    fn add(&mut self, course: Course, item: Item, carrier: &Carrier<'_>) -> Option<Finding> {
        let [usual, of_arp] = self.minutes;
        let minutes = if course.kind == Kind::ArpAddresses { of_arp } else { usual };
        let of_kind = Kind::ALL.iter().zip(self.thresholds).find(|(kind, _)| **kind == course.kind);
        let threshold = of_kind.map_or(u64::MAX, |(_, threshold)| threshold);
        let slot = carrier.time.0.checked_div(minutes.saturating_mul(MINUTE_NS)).unwrap_or(0);
        // What is tried again and again is no news, and keeps nothing else from being remembered.
        if self.sweeps.get(&course).is_some_and(|sweep| sweep.slot == slot && sweep.items.has(item)) {
            return None;
        }
        let new = || Sweep { items: Items::of(course.kind), slot, told: 0, cited: Vec::new() };
        let sweep = self.sweeps.or_insert_with(course, new);
        if slot != sweep.slot {
            sweep.items.turn(sweep.slot.abs_diff(slot) == 1);
            sweep.slot = slot;
            sweep.told = 0;
            if sweep.items.len() == 0 {
                sweep.cited.clear();
            }
        }
        let known = u64::try_from(sweep.items.len()).unwrap_or(u64::MAX);
        let has_room = known < threshold.saturating_mul(ITEMS_PER_THRESHOLD);
        if !sweep.items.note(item, has_room) {
            return None;
        }
        if sweep.cited.len() < Cited::MAX {
            sweep.cited.extend(carrier.cited);
        }
        let count = known.saturating_add(1);
        // At the threshold and at each doubling: the closing alert then tells nearly the whole size.
        if count < threshold || (sweep.told > 0 && count < sweep.told.saturating_mul(2)) {
            return None;
        }
        sweep.told = count;
        let (first, last) = sweep.items.ends()?;
        let mut params = vec![
            ("client", Param::Asset(course.source)),
            ("swept", Param::Word(course.kind.name())),
            ("count", Param::Number(count)),
            ("seconds", Param::Number(minutes.saturating_mul(120))),
            ("first", Param::Text(first.to_string())),
            ("last", Param::Text(last.to_string())),
        ];
        let mut subject = format!("{}/{}", course.kind.name(), place(&course.source));
        let mut assets = vec![course.source];
        if let Some(target) = course.target {
            subject = format!("{subject}>{}", place(&target));
            params.push(("server", Param::Asset(target)));
            assets.push(target);
        }
        if let Some(unit) = course.unit {
            subject = format!("{subject}/{unit}");
            params.push(("unit", Param::Number(u64::from(unit))));
        }
        let is_high = count >= threshold.saturating_mul(HIGH_AT);
        Some(Finding {
            text: course.kind.text(carrier.flow.map(|flow| &**flow)),
            params,
            subject,
            severity: Some(if is_high { Severity::High } else { Severity::Medium }),
            basis: carrier.basis,
            flow: carrier.flow.cloned(),
            assets,
            earlier: sweep.cited.clone(),
        })
    }

    fn failed(&mut self, attempt: &Waiting, now: Timestamp, found: &mut Vec<Finding>) {
        let flow = &attempt.flow;
        let carrier = Carrier { time: now, flow: Some(flow), cited: Some(attempt.cited), basis: Basis::None };
        let source = client(flow);
        let addresses = Course { kind: Kind::Addresses, source, target: None, unit: None };
        found.extend(self.add(addresses, Item::Address(flow.server.address), &carrier));
        let ports = Course { kind: Kind::Ports, source, target: Some(server(flow)), unit: None };
        found.extend(self.add(ports, Item::Number(flow.server.port), &carrier));
    }

    fn sighted(&mut self, sighting: &Sighting, event: &Event, found: &mut Vec<Finding>) {
        let Some(wanted) = sighting.asks_for else { return };
        // Who asks for its own address announces itself.
        if sighting.answers || sighting.address == Some(wanted) {
            return;
        }
        let source = match (sighting.address, sighting.mac) {
            (Some(address), _) if !address.is_unspecified() => AssetKey::Ip(sighting.scope, address),
            (_, Some(mac)) => AssetKey::Mac(sighting.scope, mac),
            _ => return,
        };
        let carrier = Carrier { time: event.time, flow: None, cited: Some(Cited::event(event)), basis: Basis::None };
        let course = Course { kind: Kind::ArpAddresses, source, target: None, unit: None };
        found.extend(self.add(course, Item::Address(wanted), &carrier));
    }

    fn operated(&mut self, flow: &Arc<Flow>, fact: &OperationFact, event: &Event, found: &mut Vec<Finding>) {
        // What a device reports, and what keeps the session, is not tried.
        if matches!(fact.operation.verb, Verb::Report | Verb::Session) {
            return;
        }
        // A usual question stays usual when it is refused: a device is off.
        let (is_new, widest, basis) = match fact.verdict {
            Verdict::Usual(_) => return,
            Verdict::Unknown => (false, Novelty::Conversation, Basis::None),
            Verdict::Forbidden(basis) => (true, Novelty::Conversation, basis),
            Verdict::Unusual(novelty, basis) => (true, novelty, basis),
        };
        let is_asked = matches!(fact.stage, Stage::Requested | Stage::Unasked);
        let refusal = fact.refusal.filter(|_| fact.stage == Stage::Refused).map(|refusal| refusal.reason);
        let done = &fact.operation;
        let carrier = Carrier { time: event.time, flow: Some(flow), cited: Some(Cited::event(event)), basis };
        let course = |kind, unit| Course { kind, source: client(flow), target: Some(server(flow)), unit };
        if (is_asked && is_new && widest <= Novelty::Unit) || refusal == Some(Reason::Unit) {
            found.extend(self.add(course(Kind::Units, None), Item::Number(done.unit), &carrier));
        } else if is_asked && !is_new {
            found.extend(self.add(course(Kind::UnitsUnjudged, None), Item::Number(done.unit), &carrier));
        }
        if (is_asked && is_new && widest <= Novelty::Code) || refusal == Some(Reason::Function) {
            let item = Item::Code(done.code, done.sub);
            found.extend(self.add(course(Kind::Codes, Some(done.unit)), item, &carrier));
        }
        if let Some(target) = done.target
            && ((is_asked && is_new) || refusal == Some(Reason::Address))
        {
            let item = Item::Place(target.space, target.first);
            found.extend(self.add(course(Kind::Registers, Some(done.unit)), item, &carrier));
        }
    }
}

impl Rule for ScanSweep {
    fn interest(&self) -> Interest {
        Attempts::INTEREST.and(Interest::SIGHTING)
    }

    fn observe(&mut self, event: &Event, _scene: Scene<'_>, found: &mut Vec<Finding>) {
        let mut failed = Vec::new();
        self.attempts.observe(event, &mut failed);
        for attempt in &failed {
            self.failed(attempt, event.time, found);
        }
        match (&event.kind, &event.flow) {
            (EventKind::Sighting(sighting), _) => self.sighted(sighting, event, found),
            (EventKind::Operation(fact), Some(flow)) => self.operated(flow, fact, event, found),
            _ => {}
        }
    }

    fn forgotten(&self) -> u64 {
        self.sweeps.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{
        Bench, asked, build, dnp3, flow, iec104, ip, key, kind, mac, read, refused, unidentified, unusual, usual,
    };
    use yagura_parsers::message::{Operation, Refusal, Target};
    use yagura_parsers::packet::Scope;

    /// What a rule finds in facts of one client at one server, one a second.
    fn facts(facts: impl IntoIterator<Item = OperationFact>) -> Vec<Finding> {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        let flow = flow("10.20.0.66", "10.20.1.20", 502);
        facts
            .into_iter()
            .enumerate()
            .flat_map(|(n, fact)| bench.tell(&mut *rule, n as u64 / 20, &flow, kind(fact)))
            .collect()
    }

    fn severities(found: &[Finding]) -> Vec<Severity> {
        found.iter().filter_map(|finding| finding.severity).collect()
    }

    fn number(finding: &Finding, name: &str) -> u64 {
        match finding.params.iter().find(|(param, _)| *param == name) {
            Some((_, Param::Number(number))) => *number,
            other => panic!("{other:?}"),
        }
    }

    /// Attempts at ports of a server, answered by `answer`; then time goes by.
    fn ports(ports: std::ops::RangeInclusive<u16>, answer: &EventKind) -> Vec<Finding> {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        let mut found = Vec::new();
        for port in ports {
            let flow = unidentified("10.20.0.66", "10.20.1.9", port);
            found.extend(bench.tell(&mut *rule, 0, &flow, EventKind::FlowOpened { attempt: true }));
            found.extend(bench.tell(&mut *rule, 0, &flow, answer.clone()));
        }
        found.extend(bench.show(&mut *rule, &bench.event(5, None, EventKind::Tick)));
        found
    }

    #[test]
    fn ports_that_refuse_or_are_silent_are_a_scan() {
        for answer in [EventKind::FlowRefused, EventKind::FlowOpened { attempt: true }] {
            assert!(ports(1..=24, &answer).is_empty());
            let found = ports(1..=25, &answer);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].subject, "ports/10.20.0.66>10.20.1.9");
            assert_eq!((found[0].severity, found[0].earlier.len()), (Some(Severity::Medium), 8));
            assert_eq!(found[0].assets, [key("10.20.0.66"), key("10.20.1.9")]);
        }
        let found = ports(1..=100, &EventKind::FlowRefused);
        assert_eq!(severities(&found), [Severity::Medium, Severity::Medium, Severity::High]);
        assert_eq!(number(&found[2], "count"), 100);
    }

    #[test]
    fn connections_that_are_accepted_are_none() {
        assert!(ports(1..=200, &EventKind::FlowAnswered).is_empty());
    }

    #[test]
    fn addresses_that_do_not_answer_are_a_scan() {
        let sweep = |count| {
            let bench = Bench::new();
            let mut rule = build(&RULE);
            let mut found = Vec::new();
            for last in 1..=count {
                let flow = unidentified("10.20.0.66", &format!("10.20.1.{last}"), 502);
                found.extend(bench.tell(&mut *rule, 0, &flow, EventKind::FlowOpened { attempt: true }));
                found.extend(bench.tell(&mut *rule, 0, &flow, EventKind::FlowRefused));
            }
            found
        };
        assert!(sweep(19).is_empty());
        assert_eq!(sweep(20)[0].subject, "addresses/10.20.0.66");
    }

    fn arp(count: u8, every_s: u64, change: impl Fn(&mut Sighting)) -> Vec<Finding> {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        (1..=count)
            .flat_map(|last| {
                let mut sighting = Sighting {
                    scope: Scope::default(),
                    source: "arp",
                    mac: Some(mac(66)),
                    address: Some(ip("10.20.0.66")),
                    claim: None,
                    asks_for: Some(ip(&format!("10.20.1.{last}"))),
                    answers: false,
                };
                change(&mut sighting);
                let event = bench.event(u64::from(last) * every_s, None, EventKind::Sighting(Box::new(sighting)));
                bench.show(&mut *rule, &event)
            })
            .collect()
    }

    #[test]
    fn many_arp_questions_are_a_scan_and_few_or_slow_ones_are_not() {
        assert!(arp(39, 1, |_| {}).is_empty());
        let found = arp(40, 1, |_| {});
        assert_eq!(found[0].subject, "arp_addresses/10.20.0.66");
        assert_eq!(found[0].params[4], ("first", Param::Text("10.20.1.1".to_owned())));
        assert!(arp(200, 10, |_| {}).is_empty(), "36 of them fall into six minutes");
        assert!(arp(200, 1, |sighting| sighting.answers = true).is_empty());
        assert!(arp(200, 1, |sighting| sighting.address = sighting.asks_for).is_empty());
        assert!(arp(200, 1, |sighting| sighting.asks_for = Some(ip("10.20.1.1"))).is_empty());
        let found = arp(40, 1, |sighting| sighting.address = Some(ip("0.0.0.0")));
        assert_eq!(found[0].subject, "arp_addresses/02:00:00:00:00:42");
    }

    #[test]
    fn units_that_a_gateway_does_not_reach_are_a_sweep() {
        let units = |count, code, verdict| facts((1..=count).map(move |unit| refused(read(unit, 0, 1), verdict, code)));
        assert!(units(7, 11, Verdict::Unknown).is_empty());
        assert_eq!(units(8, 11, Verdict::Unknown)[0].subject, "units/10.20.0.66>10.20.1.20");
        assert_eq!(units(8, 10, unusual(Novelty::Addresses)).len(), 1);
        assert!(units(200, 11, usual()).is_empty(), "what is usual may be off");
        assert!(units(200, 4, Verdict::Unknown).is_empty());
    }

    #[test]
    fn units_without_a_baseline_are_judged_by_a_number_that_no_serial_line_holds() {
        let units = |count, verdict| facts((1..=count).map(move |unit| asked(read(unit, 0, 1), verdict)));
        assert!(units(32, Verdict::Unknown).is_empty());
        assert_eq!(units(40, Verdict::Unknown).len(), 1);
        let found = units(8, unusual(Novelty::Unit));
        assert!(found.iter().any(|finding| finding.subject.starts_with("units/")));
        assert!(units(30, unusual(Novelty::Addresses)).iter().all(|finding| !finding.subject.starts_with("units")));
    }

    #[test]
    fn function_codes_that_are_refused_are_a_sweep() {
        let codes = |count, exception, verdict| {
            facts((1..=count).map(move |code| refused(Operation { code, ..read(1, 0, 1) }, verdict, exception)))
        };
        assert!(codes(9, 1, Verdict::Unknown).is_empty());
        let found = codes(10, 1, Verdict::Unknown);
        assert_eq!(found[0].text, &CODES);
        assert_eq!((found.len(), found[0].subject.as_str()), (1, "codes/10.20.0.66>10.20.1.20/1"));
        assert!(codes(100, 1, usual()).is_empty());
        assert!(codes(100, 6, Verdict::Unknown).is_empty());
    }

    #[test]
    fn places_that_are_refused_or_new_are_a_sweep() {
        let places = |count, exception| {
            facts((0..count).map(move |n| refused(read(1, n * 10, 10), Verdict::Unknown, exception)))
        };
        assert!(places(29, 2).is_empty());
        assert_eq!(places(30, 2)[0].subject, "registers/10.20.0.66>10.20.1.20/1");
        assert!(places(200, 3).is_empty());
        let found = facts((0..30).map(|n| asked(read(1, n, 1), unusual(Novelty::Addresses))));
        assert_eq!(found.len(), 1);
    }

    /// What a rule finds in refusals of another protocol, one for each of some units or points.
    fn refusals(flow: &Arc<Flow>, reason: Reason, each: impl Iterator<Item = Operation>) -> Vec<Finding> {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        each.flat_map(|operation| {
            let refusal = Some(Refusal { code: 47, name: None, reason });
            let fact = OperationFact { refusal, ..refused(operation, Verdict::Unknown, 1) };
            bench.tell(&mut *rule, 0, flow, kind(fact))
        })
        .collect()
    }

    fn command(unit: u16, first: u32) -> Operation {
        let target = Some(Target { space: "single_command", first, count: 1 });
        Operation { verb: Verb::Control, code: 45, sub: 0, unit, target }
    }

    #[test]
    fn sweeps_of_other_protocols_are_told_by_the_reason_of_the_refusal() {
        let (station, outstation) = (iec104("10.20.0.66", "10.20.1.20"), dnp3("10.20.0.66", "10.20.1.20"));
        let units = |flow, count| refusals(flow, Reason::Unit, (1..=count).map(|unit| command(unit, 1)));
        assert!(units(&station, 7).is_empty());
        assert_eq!(units(&station, 8)[0].text, &COMMON_ADDRESSES);
        assert_eq!(units(&outstation, 8)[0].text, &LINK_ADDRESSES);
        let points = |count| refusals(&station, Reason::Address, (0..count).map(|first| command(3, first)));
        assert!(points(29).is_empty());
        let found = points(30);
        assert_eq!(found[0].subject, "registers/10.20.0.66>10.20.1.20/3");
        assert_eq!(found[0].params[5], ("last", Param::Text("single_command 29".to_owned())));
        assert!(refusals(&station, Reason::Other, (0..100).map(|first| command(3, first))).is_empty());
        assert!(refusals(&station, Reason::Busy, (1..100).map(|unit| command(unit, 1))).is_empty());
    }

    #[test]
    fn link_addresses_without_a_baseline_and_common_addresses_with_one_are_sweeps() {
        let tell = |flow, count, verdict| {
            let (bench, mut rule) = (Bench::new(), build(&RULE));
            (1..=count)
                .flat_map(|unit| bench.tell(&mut *rule, 0, flow, kind(asked(command(unit, 1), verdict))))
                .filter(|finding| finding.subject.starts_with("units"))
                .count()
        };
        let (station, outstation) = (iec104("10.20.0.66", "10.20.1.20"), dnp3("10.20.0.66", "10.20.1.20"));
        assert_eq!([tell(&outstation, 39, Verdict::Unknown), tell(&outstation, 40, Verdict::Unknown)], [0, 1]);
        let new = unusual(Novelty::Unit);
        assert_eq!([tell(&station, 7, new), tell(&station, 8, new)], [0, 1]);
    }

    #[test]
    fn what_is_reported_and_what_keeps_the_session_is_not_tried() {
        let (bench, mut rule) = (Bench::new(), build(&RULE));
        let flow = dnp3("10.20.0.5", "10.20.1.20");
        for n in 0..200_u16 {
            for (verb, stage) in [(Verb::Report, Stage::Reported), (Verb::Session, Stage::Requested)] {
                let operation = Operation { verb, code: n, ..command(n, n.into()) };
                let fact = OperationFact { stage, ..asked(operation, unusual(Novelty::Unit)) };
                assert!(bench.tell(&mut *rule, 0, &flow, kind(fact)).is_empty());
            }
        }
    }

    #[test]
    fn things_count_in_their_slot_and_the_next() {
        let mut seen = Seen::default();
        assert!(seen.note(5_u16, true) && seen.note(9, true) && !seen.note(5, true));
        assert!(!seen.note(7, false), "no room for what is new");
        seen.turn(true);
        assert_eq!((seen.len(), seen.least(), seen.greatest()), (2, Some(5), Some(9)));
        assert!(!seen.note(9, false), "what is known needs none");
        assert!(seen.note(7, true));
        seen.turn(true);
        assert_eq!((seen.len(), seen.least(), seen.greatest()), (2, Some(7), Some(9)));
        seen.turn(false);
        assert_eq!((seen.len(), seen.least()), (0, None));
    }

    #[test]
    fn polling_without_a_baseline_is_silent_however_long_and_however_often_it_is_told() {
        let poll = (0..20_000_u32).map(|n| asked(read(1 + (n % 31) as u16, (n % 200) * 10, 10), Verdict::Unknown));
        assert!(facts(poll).is_empty());
    }

    #[test]
    fn repeats_within_a_minute_change_nothing() {
        let run = |repeats: usize| {
            let bench = Bench::new();
            let mut rule = build(&RULE);
            let flow = flow("10.20.0.66", "10.20.1.20", 502);
            let mut told = Vec::new();
            for n in 0..120_u16 {
                for _ in 0..repeats {
                    let fact = asked(read(n % 60, 0, 1), Verdict::Unknown);
                    for finding in bench.tell(&mut *rule, u64::from(n), &flow, kind(fact)) {
                        told.push((n, finding.subject.clone(), number(&finding, "count")));
                    }
                }
            }
            told
        };
        assert_eq!(run(1), run(5));
        assert!(!run(1).is_empty());
    }

    #[test]
    fn a_sweep_is_told_again_in_its_next_window_under_the_same_subject() {
        let bench = Bench::new();
        let mut rule = build(&RULE);
        let flow = flow("10.20.0.66", "10.20.1.20", 502);
        let mut subjects = Vec::new();
        for n in 0..600_u32 {
            let fact = refused(read(1, n, 1), Verdict::Unknown, 2);
            subjects.extend(bench.tell(&mut *rule, u64::from(n), &flow, kind(fact)).into_iter().map(|f| f.subject));
        }
        assert!(subjects.len() > 5 && subjects.len() < 40, "{}", subjects.len());
        subjects.dedup();
        assert_eq!(subjects.len(), 1);
    }

    #[test]
    fn what_a_source_tried_is_bounded() {
        let mut rule = ScanSweep::new(&Settings::default(), 64);
        let course = Course { kind: Kind::Ports, source: key("10.0.0.1"), target: Some(key("10.0.0.2")), unit: None };
        let carrier = Carrier { time: Timestamp(0), flow: None, cited: None, basis: Basis::None };
        for port in 0..u16::MAX {
            rule.add(course, Item::Number(port), &carrier);
        }
        assert_eq!(rule.sweeps.get(&course).unwrap().items.len(), 25 * 8);
        for last in 0..100 {
            rule.add(Course { source: key(&format!("10.0.1.{last}")), ..course }, Item::Number(1), &carrier);
        }
        assert_eq!((rule.sweeps.len(), rule.forgotten()), (16, 85));
    }
}
