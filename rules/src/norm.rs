//! `Norm`: what is allowed and what is usual here, compiled from policy and baseline for quick questions.

pub use crate::facts::verdict::{Basis, Line, Novelty, Verdict};

use crate::baseline::{ALL_ADDRESSES, Conversation, Device, OperationKey, Service, ValueKey, ValueRange};
use crate::facts::event::Outside;
use crate::facts::flow::Flow;
use crate::facts::time::Timestamp;
use crate::site::{ANY, ApprovalWord, ConduitStatement, Network, OUTSIDE, SiteAsset, Statements};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use yagura_parsers::dissect::{FieldSizes, Hints};
use yagura_parsers::message::{Operation, Point, Target, Verb};
use yagura_parsers::packet::link::MacAddr;
use yagura_parsers::protocols::ProtocolId;

/// The baseline's intervals for one client and server: a handle that a flow keeps, valid for one [`Norm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PairNorm {
    /// Index into the compiled pairs, plus one; 0 where the pair is in no list.
    pub(crate) pair: u32,
    /// Index into the compiled servers with value ranges, plus one; 0 where there are none.
    pub(crate) ranges: u32,
    /// Index into the compiled zone crossings, plus one; 0 where none applies.
    pub(crate) crossing: u32,
    /// For a pair in no list: a line of the same client, or else of the same server.
    pub(crate) nearest: Option<Line>,
}

/// What the site file says of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// Neither site file nor baseline lists any assets.
    NoList,
    /// Listed and allowed, here.
    Approved(Line),
    /// Listed, and not yet allowed.
    Pending(Line),
    /// Listed, and not allowed.
    Blocked(Line),
    /// Was allowed until a time that has passed.
    Expired(Line),
    /// In no list.
    Unlisted(Basis),
}

/// What may pass from one zone to another.
#[derive(Debug, Default)]
struct Crossing {
    rules: Box<[Rule]>,
    /// A conduit between the two zones, if only the other way.
    nearest: Option<Line>,
}

/// An entry of a conduit's `allow`.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// `None` for any.
    service: Option<Service>,
    /// One bit a verb.
    verbs: u16,
    line: Line,
}

impl Rule {
    fn is_for(&self, protocol: ProtocolId) -> bool {
        self.service.is_none_or(|service| service == Service::Protocol(protocol))
    }

    /// Whether it allows a verb. Who may do anything at all may keep the session that carries it, and may be told values:
    /// without either there is no protocol.
    fn allows(&self, verb: Verb) -> bool {
        self.verbs & bit(verb) != 0 || (self.verbs != 0 && matches!(verb, Verb::Report | Verb::Session))
    }
}

/// A client and a server that speak.
#[derive(Debug)]
struct Pair {
    client: IpAddr,
    server: IpAddr,
    /// What they speak, sorted by service, with the line that says so.
    services: Box<[(Service, Line)]>,
    /// Its part of [`Norm::keys`].
    keys: Range<usize>,
    /// The first line about the pair.
    line: Line,
}

/// What is done between a client and a server, with its part of [`Norm::intervals`].
#[derive(Debug)]
struct Key {
    protocol: ProtocolId,
    /// Unit, verb and code in one number: see [`word`].
    word: u64,
    unit: u16,
    verb: Verb,
    code: Option<(u16, u16)>,
    space: Option<Box<str>>,
    intervals: Range<usize>,
    line: Line,
}

impl Key {
    /// What keys are sorted by.
    fn order(&self) -> (ProtocolId, u64, Option<&str>) {
        (self.protocol, self.word, self.space.as_deref())
    }
}

/// Usual addresses; those of a key are sorted and do not touch.
#[derive(Debug, Clone, Copy)]
struct Interval {
    first: u32,
    last: u32,
    line: Line,
}

/// A server whose values are watched, and its part of [`Norm::spaces`].
#[derive(Debug)]
struct Server {
    address: IpAddr,
    spaces: Range<usize>,
    /// Whether a written limit watches what is read, too.
    reads: bool,
}

/// A space of a unit whose values are watched, and its part of [`Norm::ranges`].
#[derive(Debug)]
struct Space {
    unit: u16,
    name: Box<str>,
    ranges: Range<usize>,
}

/// Values that addresses may take; those of a space are sorted by their first address.
#[derive(Debug, Clone, Copy)]
struct Values {
    first: u32,
    last: u32,
    /// The greatest `last` of this and of those before it in the same space.
    reach: u32,
    min: f64,
    max: f64,
    /// Whether people wrote it (`[[limit]]`), or it was learnt.
    limit: bool,
    line: Line,
}

/// Policy and baseline, compiled.
#[derive(Debug, Default)]
pub struct Norm {
    /// Names of the files that lines are of, in the order they were read.
    pub files: Vec<String>,
    /// Names and levels of the zones.
    zones: Vec<(String, Option<f64>)>,
    /// Networks and the index of their zone, the longest prefix first.
    networks: Vec<(Network, usize)>,
    /// From zone times to zone; the outside is the first of each.
    crossings: Vec<Crossing>,
    /// The file that speaks of zones.
    zone_file: u16,
    assets: Vec<SiteAsset>,
    by_device: BTreeMap<Device, usize>,
    /// By the MAC address that an asset's addresses must come from.
    by_mac: BTreeMap<MacAddr, usize>,
    pairs: Vec<Pair>,
    keys: Vec<Key>,
    intervals: Vec<Interval>,
    by_client: BTreeMap<IpAddr, Line>,
    by_server: BTreeMap<IpAddr, Line>,
    /// The file that speaks of conversations and operations.
    list_file: u16,
    has_conversations: bool,
    has_operations: bool,
    servers: Vec<Server>,
    spaces: Vec<Space>,
    ranges: Vec<Values>,
    /// Servers of IEC 60870-5-104 and the sizes of their fields, the longest prefix first.
    field_sizes: Vec<(Network, FieldSizes)>,
}

impl Norm {
    /// The handle of a flow's ends.
    pub fn pair(&self, flow: &Flow) -> PairNorm {
        let (client, server) = (flow.client.address, flow.server.address);
        let pair = self.pairs.binary_search_by(|pair| (pair.client, pair.server).cmp(&(client, server)));
        let ranges = self.servers.binary_search_by(|ranges| ranges.address.cmp(&server));
        let nearest = match pair {
            Ok(_) => None,
            Err(_) => self.by_client.get(&client).or_else(|| self.by_server.get(&server)).copied(),
        };
        PairNorm {
            pair: pair.map_or(0, handle),
            ranges: ranges.map_or(0, handle),
            crossing: if flow.is_to_group() { 0 } else { self.crossing_of(client, server).map_or(0, handle) },
            nearest,
        }
    }

    /// What is said of a conversation: who speaks which protocol (or which server port, where the protocol is unknown)
    /// to whom.
    ///
    /// A flow whose protocol is not known yet is not forbidden where its port is usual for a protocol that is allowed,
    /// and is usual where its port is usual for a protocol that is usual.
    pub fn conversation(&self, pair: PairNorm, flow: &Flow) -> Verdict {
        let mut allowed = None;
        if let Some(crossing) = at(&self.crossings, pair.crossing) {
            let mut rules = crossing.rules.iter();
            let is_allowed = |rule: &&Rule| rule.service.is_none_or(|service| service == Service::of(flow));
            if let Some(rule) = rules.find(is_allowed) {
                allowed = Some(rule.line);
            } else if !crossing.rules.iter().any(|rule| rule.service.is_some_and(|service| may_become(flow, service))) {
                let near =
                    crossing.rules.iter().find(|rule| rule.service.is_some_and(|service| is_like(flow, service)));
                return Verdict::Forbidden(self.forbidden_by(crossing, near));
            }
        }
        if !self.has_conversations {
            return allowed.map_or(Verdict::Unknown, |line| Verdict::Usual(Basis::Line(line)));
        }
        let Some(listed) = at(&self.pairs, pair.pair) else {
            return Verdict::Unusual(Novelty::Conversation, self.nearest(pair));
        };
        let same = |service: Service| service == Service::of(flow) || may_become(flow, service);
        match listed.services.iter().find(|(service, _)| same(*service)) {
            Some((_, line)) => Verdict::Usual(Basis::Line(*line)),
            None => Verdict::Unusual(Novelty::Conversation, Basis::Nearest(listed.line)),
        }
    }

    /// What is said of an operation. Values are asked about apart.
    pub fn operation(&self, pair: PairNorm, protocol: ProtocolId, operation: &Operation) -> Verdict {
        let mut allowed = None;
        if let Some(crossing) = at(&self.crossings, pair.crossing) {
            match crossing.rules.iter().find(|rule| rule.is_for(protocol) && rule.allows(operation.verb)) {
                Some(rule) => allowed = Some(rule.line),
                None => {
                    let near = crossing.rules.iter().find(|rule| rule.is_for(protocol));
                    return Verdict::Forbidden(self.forbidden_by(crossing, near));
                }
            }
        }
        let dangerous = operation.verb.is_dangerous();
        if let (Some(line), true) = (allowed, dangerous || !self.has_operations) {
            return Verdict::Usual(Basis::Line(line));
        }
        let listed = at(&self.pairs, pair.pair);
        if let Some(line) = listed.and_then(|listed| self.listed(listed, protocol, operation)) {
            return Verdict::Usual(Basis::Line(line));
        }
        if !self.has_operations {
            return Verdict::Unknown;
        }
        let (novelty, basis) = match listed {
            Some(listed) => {
                let (novelty, line) = self.novelty(listed, protocol, operation);
                (novelty, Basis::Nearest(line))
            }
            None => (Novelty::Conversation, self.nearest(pair)),
        };
        Verdict::Unusual(if dangerous { Novelty::Verb } else { novelty }, basis)
    }

    /// Whether values of the flow's server are watched at all: where not, [`Norm::outside`] need not be asked.
    pub fn watches_values(&self, pair: PairNorm) -> bool {
        pair.ranges != 0
    }

    /// Whether values that are read from the flow's server are watched: some `[[limit]]` is about it.
    pub fn watches_reads(&self, pair: PairNorm) -> bool {
        at(&self.servers, pair.ranges).is_some_and(|server| server.reads)
    }

    /// The range that a value leaves, whoever put it there. Limits hold for what is written and for what is read;
    /// learnt values only for what is written, at addresses that were written before and that no limit is about. A value
    /// that is no number is outside.
    pub fn outside(&self, pair: PairNorm, unit: u16, point: &Point, written: bool) -> Option<Outside> {
        let server = at(&self.servers, pair.ranges)?;
        if !written && !server.reads {
            return None;
        }
        let spaces = self.spaces.get(server.spaces.clone())?;
        let start = spaces.partition_point(|space| space.unit < unit);
        let mut of_unit = spaces.get(start..)?.iter().take_while(|space| space.unit == unit);
        let ranges = self.ranges.get(of_unit.find(|space| *space.name == *point.space)?.ranges.clone())?;
        let end = ranges.partition_point(|range| range.first <= point.address);
        let value = point.value.number();
        let mut learnt = None;
        let mut usual = false;
        for range in ranges.get(..end)?.iter().rev().take_while(|range| range.reach >= point.address) {
            if range.last < point.address || !(range.limit || written) {
                continue;
            }
            let inside = range.min <= value && value <= range.max;
            let (min, max) = (range.min, range.max);
            let outside = Outside { point: *point, min, max, learnt: !range.limit, line: range.line };
            match (range.limit, inside) {
                (true, false) => return Some(outside),
                // What people allow is allowed, whatever was usual.
                (true, true) | (false, true) => usual = true,
                (false, false) => learnt = Some(outside),
            }
        }
        learnt.filter(|_| !usual)
    }

    /// What is said of an asset at a time.
    ///
    /// Its address counts before its MAC address. A MAC address stands for an asset only where the file lists it as
    /// what the asset is known by: a router's must not vouch for all that is behind it.
    pub fn approval(&self, address: Option<IpAddr>, mac: Option<MacAddr>, time: Timestamp) -> Approval {
        let Some(first) = self.assets.first() else { return Approval::NoList };
        match self.listed_asset(address, mac) {
            Some(asset) => match asset.approval {
                ApprovalWord::Approved => Approval::Approved(asset.line),
                ApprovalWord::Pending => Approval::Pending(asset.line),
                ApprovalWord::Blocked => Approval::Blocked(asset.line),
                ApprovalWord::Temporary(until) if time > until => Approval::Expired(asset.line),
                ApprovalWord::Temporary(_) => Approval::Approved(asset.line),
            },
            None => match mac.and_then(|mac| self.by_mac.get(&mac)).and_then(|index| self.assets.get(*index)) {
                Some(asset) => Approval::Unlisted(Basis::Nearest(asset.line)),
                None => Approval::Unlisted(Basis::File(first.line.file)),
            },
        }
    }

    /// What the files say of the asset of an address or MAC address: the ledger's line.
    pub fn listed_asset(&self, address: Option<IpAddr>, mac: Option<MacAddr>) -> Option<&SiteAsset> {
        let by_address = address.and_then(|address| self.by_device.get(&Device::Address(address)));
        let by_mac = || mac.and_then(|mac| self.by_device.get(&Device::Mac(mac)));
        // A device that was heard without an address (it asks for one, say) is known by the MAC address of its line. One
        // with an address is not: a router's MAC address would vouch for everything behind it.
        let without_address = || match address {
            None => mac.and_then(|mac| self.by_mac.get(&mac)),
            Some(_) => None,
        };
        self.assets.get(*by_address.or_else(by_mac).or_else(without_address)?)
    }

    /// The name that the site file gives an address or MAC address.
    pub fn name_of(&self, address: Option<IpAddr>, mac: Option<MacAddr>) -> Option<&str> {
        self.listed_asset(address, mac)?.name.as_deref()
    }

    /// The MAC address that an address must come from, and the line that says so.
    pub fn mac_of(&self, address: IpAddr) -> Option<(MacAddr, Line)> {
        let asset = self.listed_asset(Some(address), None)?;
        asset.mac.map(|mac| (mac, asset.line))
    }

    /// What the site file says of how two devices speak to each other: of the first address that it names, its narrowest
    /// network.
    pub fn hints(&self, one: IpAddr, other: IpAddr) -> Hints {
        let sizes = |address| self.field_sizes.iter().find(|(network, _)| network.contains(address));
        Hints { iec104: sizes(one).or_else(|| sizes(other)).map(|(_, sizes)| *sizes) }
    }

    /// Whether any assets are listed.
    pub fn has_assets(&self) -> bool {
        !self.assets.is_empty()
    }

    /// Whether there is a baseline: conversations, or operations other than dangerous ones, are listed.
    pub fn has_baseline(&self) -> bool {
        self.has_conversations
    }

    /// The name of the zone that an address is in: that of the network with the longest prefix.
    pub fn zone_of(&self, address: IpAddr) -> Option<&str> {
        self.zone_at(address).map(|(name, _)| name.as_str())
    }

    /// The Purdue level of the zone that an address is in.
    pub fn level_of(&self, address: IpAddr) -> Option<f64> {
        self.zone_at(address).and_then(|(_, level)| *level)
    }

    /// The name of a file that a line is of.
    pub fn file(&self, index: u16) -> &str {
        self.files.get(usize::from(index)).map_or("", String::as_str)
    }

    // ---- asked while a question is answered

    fn zone_index(&self, address: IpAddr) -> Option<usize> {
        self.networks.iter().find(|(network, _)| network.contains(address)).map(|(_, zone)| *zone)
    }

    fn zone_at(&self, address: IpAddr) -> Option<&(String, Option<f64>)> {
        self.zones.get(self.zone_index(address)?)
    }

    /// Index of the crossing between two addresses; `None` where they are in one zone, or one of them is in none by
    /// nature.
    fn crossing_of(&self, client: IpAddr, server: IpAddr) -> Option<usize> {
        if self.zones.is_empty() || [client, server].into_iter().any(is_of_no_zone) {
            return None;
        }
        let place = |address| self.zone_index(address).map_or(0, |zone| zone.saturating_add(1));
        let (from, to) = (place(client), place(server));
        (from != to).then(|| self.crossing_index(from, to))
    }

    fn crossing_index(&self, from: usize, to: usize) -> usize {
        from.saturating_mul(self.zones.len().saturating_add(1)).saturating_add(to)
    }

    fn forbidden_by(&self, crossing: &Crossing, near: Option<&Rule>) -> Basis {
        match near.map(|rule| rule.line).or(crossing.nearest) {
            Some(line) => Basis::Nearest(line),
            None => Basis::File(self.zone_file),
        }
    }

    fn nearest(&self, pair: PairNorm) -> Basis {
        pair.nearest.map_or(Basis::File(self.list_file), Basis::Nearest)
    }

    /// The line that lists an operation, or the first of those that do together. Several lines may cover its addresses,
    /// those without code or space among them.
    #[inline]
    fn listed(&self, pair: &Pair, protocol: ProtocolId, operation: &Operation) -> Option<Line> {
        let keys = self.keys.get(pair.keys.clone())?;
        let of = |code| {
            let wanted = (protocol, word(operation.unit, operation.verb, code));
            let start = keys.partition_point(|key| (key.protocol, key.word) < wanted);
            let keys = keys.get(start..).unwrap_or_default().iter();
            keys.take_while(move |key| (key.protocol, key.word) == wanted)
        };
        // The exact key first: it is the only one in learnt files.
        let exact = of(Some((operation.code, operation.sub)));
        let Some(target) = operation.target else {
            return exact.chain(of(None)).next().map(|key| key.line);
        };
        let intervals = |key: &Key| self.intervals.get(key.intervals.clone());
        let own = exact.clone().find(|key| key.space.as_deref() == Some(target.space)).and_then(intervals);
        if let Some(interval) = own.and_then(|intervals| covering(intervals, target.first))
            && target.last() <= interval.last
        {
            return Some(interval.line);
        }
        self.listed_together(target, exact.chain(of(None)))
    }

    /// The first of the lines that list a target's addresses together, of the keys that may.
    #[cold]
    fn listed_together<'a>(&self, target: Target, keys: impl Iterator<Item = &'a Key>) -> Option<Line> {
        let of_space = keys.filter(|key| key.space.as_deref().is_none_or(|space| space == target.space));
        // With and without code, with and without space: four at most. The more particular key comes first.
        let mut candidates = [None; 4];
        for key in of_space {
            let place = usize::from(key.code.is_none()) << 1 | usize::from(key.space.is_none());
            if let Some(candidate) = candidates.get_mut(place) {
                *candidate = self.intervals.get(key.intervals.clone());
            }
        }
        let mut line = None;
        let mut from = target.first;
        loop {
            let reached = candidates.iter().flatten().filter_map(|intervals: &&[Interval]| covering(intervals, from));
            let interval = reached.max_by_key(|interval| interval.last)?;
            line = line.or(Some(interval.line));
            if target.last() <= interval.last {
                return line;
            }
            from = interval.last.checked_add(1)?;
        }
    }

    /// The widest part of an operation that the lines of its pair do not have, and the line nearest to it.
    fn novelty(&self, pair: &Pair, protocol: ProtocolId, operation: &Operation) -> (Novelty, Line) {
        let keys = self.keys.get(pair.keys.clone()).unwrap_or_default();
        let keys = part(keys, |key| key.protocol.cmp(&protocol));
        let Some(first) = keys.first() else {
            return match pair.services.iter().find(|(service, _)| *service == Service::Protocol(protocol)) {
                Some((_, line)) => (Novelty::Unit, *line),
                None => (Novelty::Conversation, pair.line),
            };
        };
        let units = part(keys, |key| key.unit.cmp(&operation.unit));
        let Some(unit) = units.first() else {
            let near = keys.iter().min_by_key(|key| key.unit.abs_diff(operation.unit)).unwrap_or(first);
            return (Novelty::Unit, near.line);
        };
        let verbs = part(units, |key| key.verb.cmp(&operation.verb));
        let Some(verb) = verbs.first() else { return (Novelty::Verb, unit.line) };
        let code = Some((operation.code, operation.sub));
        let is_code = |key: &&Key| key.code.is_none() || key.code == code;
        let Some(of_code) = verbs.iter().find(is_code) else { return (Novelty::Code, verb.line) };
        let is_space =
            |key: &&Key| operation.target.is_none_or(|target| key.space.as_deref().is_none_or(|s| s == target.space));
        let intervals = verbs.iter().filter(is_code).filter(is_space);
        let intervals = intervals.filter_map(|key| self.intervals.get(key.intervals.clone())).flatten();
        let near = intervals.min_by_key(|interval| distance(interval, operation));
        (Novelty::Addresses, near.map_or(of_code.line, |interval| interval.line))
    }

    // ---- compiling

    /// Compiles what the files say. Contradictions were sorted out before.
    pub(crate) fn compile(files: Vec<String>, statements: &Statements) -> Self {
        let mut norm = Self { files, ..Self::default() };
        norm.compile_zones(statements);
        norm.compile_assets(statements);
        norm.compile_pairs(statements);
        norm.compile_values(statements);
        for statement in &statements.iec104 {
            norm.field_sizes.extend(statement.servers.iter().map(|server| (server.value, statement.sizes)));
        }
        norm.field_sizes.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix()));
        norm
    }

    fn compile_zones(&mut self, statements: &Statements) {
        for (index, zone) in statements.zones.iter().enumerate() {
            self.zones.push((zone.name.value.clone(), zone.level));
            self.networks.extend(zone.networks.iter().map(|network| (network.value, index)));
        }
        self.networks.sort_by_key(|(network, _)| std::cmp::Reverse(network.prefix()));
        let Some(first) = statements.zones.first() else { return };
        self.zone_file = first.name.place.file;
        let names: Vec<&str> =
            std::iter::once(OUTSIDE).chain(statements.zones.iter().map(|zone| zone.name.value.as_str())).collect();
        for from in &names {
            for to in &names {
                let between = |conduit: &&ConduitStatement, from: &str, to: &str| {
                    [ANY, from].contains(&conduit.from.value.as_str()) && [ANY, to].contains(&conduit.to.value.as_str())
                };
                let here = || statements.conduits.iter().filter(|conduit| between(conduit, from, to));
                let back = statements.conduits.iter().find(|conduit| between(conduit, to, from));
                let rules = here().flat_map(|conduit| &conduit.allow).map(|allow| Rule {
                    service: allow.service,
                    verbs: match &allow.verbs {
                        Some(verbs) => verbs.iter().fold(0, |bits, verb| bits | bit(*verb)),
                        None => {
                            Verb::ALL.iter().filter(|verb| !verb.is_dangerous()).fold(0, |bits, verb| bits | bit(*verb))
                        }
                    },
                    line: allow.line,
                });
                let nearest = here().next().or(back).map(|conduit| conduit.line);
                self.crossings.push(Crossing { rules: rules.collect(), nearest });
            }
        }
    }

    fn compile_assets(&mut self, statements: &Statements) {
        // What people wrote comes before what was learnt, which still tells the MAC addresses that they left out.
        let (named, learnt): (Vec<_>, Vec<_>) = statements.assets.iter().partition(|asset| asset.asset.name.is_some());
        for asset in named.into_iter().chain(learnt).map(|statement| &statement.asset) {
            let index = self.assets.len();
            let mut is_new = false;
            for device in &asset.devices {
                let listed = *self.by_device.entry(*device).or_insert(index);
                is_new |= listed == index;
                if let Some(listed) = self.assets.get_mut(listed)
                    && listed.devices.len() == 1
                {
                    listed.mac = listed.mac.or(asset.mac);
                }
            }
            if is_new {
                self.assets.push(asset.clone());
            }
        }
        let mut shared = Vec::new();
        for (index, asset) in self.assets.iter().enumerate() {
            if let Some(mac) = asset.mac
                && self.by_mac.insert(mac, index).is_some()
            {
                shared.push(mac);
            }
        }
        // A MAC address of several assets names none of them.
        for mac in shared {
            self.by_mac.remove(&mac);
        }
    }

    fn compile_pairs(&mut self, statements: &Statements) {
        type Listed<'a> = (BTreeMap<Service, Line>, BTreeMap<&'a OperationKey, Vec<Interval>>);
        let mut pairs: BTreeMap<(IpAddr, IpAddr), Listed<'_>> = BTreeMap::new();
        for (Conversation { client, server, service }, line) in &statements.conversations {
            pairs.entry((*client, *server)).or_default().0.entry(*service).or_insert(*line);
        }
        for (key, (first, last), line) in &statements.operations {
            let (services, keys) = pairs.entry((key.client, key.server)).or_default();
            services.entry(Service::Protocol(key.protocol)).or_insert(*line);
            keys.entry(key).or_default().push(Interval { first: *first, last: *last, line: *line });
        }
        // A dangerous operation that people wrote down is an exception, and makes no list of what is usual.
        let routine = statements.operations.iter().find(|(key, ..)| !key.verb.is_dangerous());
        self.has_operations = routine.is_some();
        self.has_conversations = self.has_operations || !statements.conversations.is_empty();
        let list = routine.map(|(.., line)| *line).or(statements.conversations.first().map(|(_, line)| *line));
        self.list_file = list.map_or(0, |line| line.file);
        for ((client, server), (services, keys)) in pairs {
            let start = self.keys.len();
            let mut line = services.values().min().copied();
            for (key, mut intervals) in keys {
                let first_interval = self.intervals.len();
                let first_line = intervals.iter().map(|interval| interval.line).min();
                join(&mut intervals);
                self.intervals.extend(intervals);
                let Some(first_line) = first_line else { continue };
                line = line.map(|line| line.min(first_line));
                self.keys.push(Key {
                    protocol: key.protocol,
                    word: word(key.unit, key.verb, key.code),
                    unit: key.unit,
                    verb: key.verb,
                    code: key.code,
                    space: key.space.as_deref().map(Box::from),
                    intervals: first_interval..self.intervals.len(),
                    line: first_line,
                });
            }
            let Some(line) = line else { continue };
            // The order of compiled keys is that of questions.
            if let Some(keys) = self.keys.get_mut(start..) {
                keys.sort_by(|a, b| a.order().cmp(&b.order()));
            }
            self.by_client.entry(client).or_insert(line);
            self.by_server.entry(server).or_insert(line);
            let keys = start..self.keys.len();
            self.pairs.push(Pair { client, server, services: services.into_iter().collect(), keys, line });
        }
    }

    fn compile_values(&mut self, statements: &Statements) {
        let mut servers: BTreeMap<IpAddr, BTreeMap<(u16, &str), Vec<Values>>> = BTreeMap::new();
        let learnt = statements.values.iter().map(|value| (value, false));
        let limits = statements.limits.iter().map(|value| (value, true));
        for ((ValueKey { server, unit, space, .. }, range, line), limit) in learnt.chain(limits) {
            let ValueRange { first, last, min, max } = *range;
            let values = Values { first, last, reach: last, min, max, limit, line: *line };
            servers.entry(*server).or_default().entry((*unit, space)).or_default().push(values);
        }
        for (address, spaces) in servers {
            let start = self.spaces.len();
            let mut reads = false;
            for ((unit, name), mut ranges) in spaces {
                ranges.sort_by_key(|range| (range.first, range.last, range.line));
                let mut reach = 0;
                for range in &mut ranges {
                    reach = range.last.max(reach);
                    range.reach = reach;
                    reads |= range.limit;
                }
                let first = self.ranges.len();
                self.ranges.extend(ranges);
                self.spaces.push(Space { unit, name: name.into(), ranges: first..self.ranges.len() });
            }
            self.servers.push(Server { address, spaces: start..self.spaces.len(), reads });
        }
    }
}

/// An index as it stands in a [`PairNorm`].
fn handle(index: usize) -> u32 {
    u32::try_from(index).ok().and_then(|index| index.checked_add(1)).unwrap_or(0)
}

/// What a handle of a [`PairNorm`] stands for.
fn at<T>(items: &[T], handle: u32) -> Option<&T> {
    items.get(usize::try_from(handle.checked_sub(1)?).ok()?)
}

/// Each verb's own bit.
fn bit(verb: Verb) -> u16 {
    match verb {
        Verb::Read => 1,
        Verb::Write => 1 << 1,
        Verb::Control => 1 << 2,
        Verb::Configure => 1 << 3,
        Verb::Mode => 1 << 4,
        Verb::Restart => 1 << 5,
        Verb::Synchronize => 1 << 6,
        Verb::Transfer => 1 << 7,
        Verb::Identify => 1 << 8,
        Verb::Diagnose => 1 << 9,
        Verb::Report => 1 << 10,
        Verb::Session => 1 << 11,
        Verb::Other => 1 << 12,
    }
}

/// Unit, verb and code in one number, which orders as they do: to find a key takes one comparison a step.
#[inline]
fn word(unit: u16, verb: Verb, code: Option<(u16, u16)>) -> u64 {
    let code = code.map_or(0, |(code, sub)| 1 << 32 | u64::from(code) << 16 | u64::from(sub));
    u64::from(unit) << 46 | u64::from(bit(verb)) << 33 | code
}

/// Groups, everybody, and nobody yet: addresses that no zone owns.
fn is_of_no_zone(address: IpAddr) -> bool {
    address.is_multicast() || address.is_unspecified() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Whether a flow whose protocol is not known may turn out to speak one, by its port.
fn may_become(flow: &Flow, service: Service) -> bool {
    match service {
        Service::Protocol(protocol) => flow.protocol.is_none() && has_port_of(flow, protocol),
        _ => false,
    }
}

/// Whether a service is what a flow's port promises: the nearest that an alert can point at.
fn is_like(flow: &Flow, service: Service) -> bool {
    match service {
        Service::Protocol(protocol) => has_port_of(flow, protocol),
        other => other == Service::of_transport(flow),
    }
}

fn has_port_of(flow: &Flow, protocol: ProtocolId) -> bool {
    let service = Service::of_transport(flow);
    matches!(service, Service::Tcp(_) | Service::Udp(_)) && protocol.ports().contains(&flow.server.port)
}

/// The interval that an address is in, of some that are sorted and do not touch.
fn covering(intervals: &[Interval], address: u32) -> Option<&Interval> {
    let after = intervals.partition_point(|interval| interval.first <= address);
    intervals.get(after.checked_sub(1)?).filter(|interval| address <= interval.last)
}

/// The part of some keys that compares equal; they are sorted that way.
fn part(keys: &[Key], order: impl Fn(&Key) -> std::cmp::Ordering) -> &[Key] {
    let start = keys.partition_point(|key| order(key).is_lt());
    let end = keys.partition_point(|key| order(key).is_le());
    keys.get(start..end).unwrap_or_default()
}

/// Addresses between an interval and an operation; 0 where they overlap.
fn distance(interval: &Interval, operation: &Operation) -> u32 {
    let (first, last) = operation.target.map_or(ALL_ADDRESSES, |target| (target.first, target.last()));
    interval.first.saturating_sub(last).max(first.saturating_sub(interval.last))
}

/// Sorts intervals, and makes one of those that touch or overlap; it keeps the line of the first.
fn join(intervals: &mut Vec<Interval>) {
    intervals.sort_by_key(|interval| (interval.first, interval.last, interval.line));
    intervals.dedup_by(|next, kept| {
        let touches = next.first <= kept.last.saturating_add(1);
        if touches {
            kept.last = kept.last.max(next.last);
        }
        touches
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::FrameRef;
    use crate::facts::flow::{Endpoint, FlowId, Oriented, Transport};
    use crate::policy::Policy;
    use yagura_parsers::message::{PointValue, Target};
    use yagura_parsers::packet::Scope;

    const MODBUS: ProtocolId = ProtocolId::Modbus;

    fn norm(text: &str) -> Norm {
        let mut read = |_: &str| Ok(format!("schema = 1\n{text}"));
        let policy = Policy::load("site.toml", &mut read, &[]).unwrap_or_else(|problems| panic!("{problems:#?}"));
        std::sync::Arc::into_inner(policy.norm).unwrap()
    }

    fn flow(client: &str, server: &str, port: u16, protocol: Option<ProtocolId>) -> Flow {
        Flow {
            id: FlowId(1),
            first: FrameRef { capture: 0, frame: 1 },
            opened: Timestamp(0),
            transport: Transport::Tcp,
            client: Endpoint { address: client.parse().unwrap(), port: 50_000 },
            server: Endpoint { address: server.parse().unwrap(), port },
            oriented: Oriented::Handshake,
            client_mac: None,
            server_mac: None,
            scope: Scope::default(),
            protocol,
            dialect: "",
        }
    }

    fn operation(verb: Verb, code: u16, target: Option<(&'static str, u32, u32)>) -> Operation {
        let target = target.map(|(space, first, count)| Target { space, first, count });
        Operation { verb, code, sub: 0, unit: 1, target }
    }

    fn line(line: u32) -> Basis {
        Basis::Line(Line { file: 0, line })
    }

    fn near(line: u32) -> Basis {
        Basis::Nearest(Line { file: 0, line })
    }

    // Line 1 is `schema = 1`, so a text's first line is line 2.
    const ZONES: &str = r#"
zone = [{ name = "a", networks = ["10.1.0.0/16"], level = 2 }, { name = "b", networks = ["10.2.0.0/16", "10.1.9.0/24"] }]
[[conduit]]
from = "a"
to = "b"
allow = [
  { protocol = "modbus", verbs = ["read", "write"] },
  { protocol = "tcp/443" },
]
[[conduit]]
from = "b"
to = "outside"
allow = [{ protocol = "any" }]
[[conduit]]
from = "outside"
to = "a"
allow = [{ protocol = "modbus", verbs = ["restart"] }]
"#;

    #[test]
    fn nothing_is_known_without_files() {
        let norm = Norm::default();
        let flow = flow("10.1.0.1", "10.2.0.1", 502, Some(MODBUS));
        let pair = norm.pair(&flow);
        assert_eq!(pair, PairNorm::default());
        assert_eq!(norm.conversation(pair, &flow), Verdict::Unknown);
        assert_eq!(norm.operation(pair, MODBUS, &operation(Verb::Restart, 8, None)), Verdict::Unknown);
        assert_eq!(norm.approval(None, None, Timestamp(0)), Approval::NoList);
        let point = Point::bare("coil", 0, PointValue::Bit(true));
        assert_eq!(norm.outside(pair, 1, &point, true), None);
        assert!(!norm.watches_values(pair) && !norm.watches_reads(pair));
    }

    #[test]
    fn zones_are_by_the_longest_prefix() {
        let norm = norm(ZONES);
        let zone = |address: &str| norm.zone_of(address.parse().unwrap());
        assert_eq!(
            (zone("10.1.0.1"), zone("10.1.9.1"), zone("10.2.0.1"), zone("8.8.8.8")),
            (Some("a"), Some("b"), Some("b"), None)
        );
        assert_eq!(norm.level_of("10.1.0.1".parse().unwrap()), Some(2.0));
        assert_eq!(norm.level_of("10.2.0.1".parse().unwrap()), None);
    }

    #[test]
    fn conversations_across_zones_need_a_conduit() {
        let norm = norm(ZONES);
        let said = |client, server, port, protocol| {
            let flow = flow(client, server, port, protocol);
            norm.conversation(norm.pair(&flow), &flow)
        };
        let modbus = Some(MODBUS);
        for (client, server, port, protocol, verdict) in [
            ("10.1.0.1", "10.2.0.1", 502, modbus, Verdict::Usual(line(8))),
            // The protocol counts, not its port.
            ("10.1.0.1", "10.2.0.1", 5020, modbus, Verdict::Usual(line(8))),
            ("10.1.0.1", "10.2.0.1", 443, modbus, Verdict::Usual(line(8))),
            ("10.1.0.1", "10.2.0.1", 443, None, Verdict::Usual(line(9))),
            // Not known yet.
            ("10.1.0.1", "10.2.0.1", 502, None, Verdict::Unknown),
            ("10.1.0.1", "10.2.0.1", 22, None, Verdict::Forbidden(near(4))),
            // The other way about there is no conduit; the nearest is that of the way there.
            ("10.2.0.1", "10.1.0.1", 502, modbus, Verdict::Forbidden(near(4))),
            // Another network of b, inside a network of a.
            ("10.1.0.1", "10.1.9.1", 22, None, Verdict::Forbidden(near(4))),
            ("10.2.0.1", "10.1.9.1", 22, None, Verdict::Unknown),
            ("10.1.0.1", "10.1.0.2", 22, None, Verdict::Unknown),
            ("10.2.0.1", "8.8.8.8", 53, None, Verdict::Usual(line(14))),
            ("10.1.0.1", "8.8.8.8", 53, None, Verdict::Forbidden(near(15))),
            ("8.8.8.8", "9.9.9.9", 53, None, Verdict::Unknown),
            ("10.1.0.1", "224.0.0.251", 53, None, Verdict::Unknown),
            ("10.1.0.1", "255.255.255.255", 67, None, Verdict::Unknown),
            ("0.0.0.0", "10.1.0.1", 67, None, Verdict::Unknown),
        ] {
            assert_eq!(said(client, server, port, protocol), verdict, "{client} {server} {port} {protocol:?}");
        }
    }

    #[test]
    fn zones_without_conduits_forbid_every_crossing() {
        let norm = norm("zone = [{ name = \"a\", networks = [\"10.1.0.0/16\"] }]");
        let flow = flow("10.1.0.1", "8.8.8.8", 502, Some(MODBUS));
        let pair = norm.pair(&flow);
        assert_eq!(norm.conversation(pair, &flow), Verdict::Forbidden(Basis::File(0)));
        assert_eq!(norm.operation(pair, MODBUS, &operation(Verb::Read, 3, None)), Verdict::Forbidden(Basis::File(0)));
    }

    #[test]
    fn operations_across_zones_need_their_verb() {
        let norm = norm(ZONES);
        let said = |client, server, verb| {
            let flow = flow(client, server, 502, Some(MODBUS));
            norm.operation(norm.pair(&flow), MODBUS, &operation(verb, 1, None))
        };
        for (client, server, verb, verdict) in [
            ("10.1.0.1", "10.2.0.1", Verb::Read, Verdict::Usual(line(8))),
            ("10.1.0.1", "10.2.0.1", Verb::Write, Verdict::Usual(line(8))),
            ("10.1.0.1", "10.2.0.1", Verb::Identify, Verdict::Forbidden(near(8))),
            ("10.1.0.1", "10.2.0.1", Verb::Restart, Verdict::Forbidden(near(8))),
            // "any" is all but what is dangerous; a dangerous verb that is named is allowed.
            ("10.2.0.1", "8.8.8.8", Verb::Write, Verdict::Usual(line(14))),
            ("10.2.0.1", "8.8.8.8", Verb::Transfer, Verdict::Forbidden(near(14))),
            ("8.8.8.8", "10.1.0.1", Verb::Restart, Verdict::Usual(line(18))),
            ("8.8.8.8", "10.1.0.1", Verb::Read, Verdict::Forbidden(near(18))),
            ("10.1.0.1", "10.1.0.2", Verb::Write, Verdict::Unknown),
            ("10.1.0.1", "10.1.0.2", Verb::Restart, Verdict::Unknown),
        ] {
            assert_eq!(said(client, server, verb), verdict, "{client} {server} {verb:?}");
        }
    }

    const LISTS: &str = r#"conversations = [
  { client = "10.0.0.1", server = "10.0.0.9", protocol = "tcp/443" },
  { client = "10.0.0.3", server = "10.0.0.9", protocol = "modbus" },
]
operations = [
  { client = "10.0.0.1", server = "10.0.0.9", protocol = "modbus", unit = 1, verb = "read", code = 3, space = "holding_register", first = 10, last = 19 },
  { client = "10.0.0.1", server = "10.0.0.9", protocol = "modbus", unit = 1, verb = "read", code = 3, space = "holding_register", first = 20, last = 29 },
  { client = "10.0.0.1", server = "10.0.0.9", protocol = "modbus", unit = 1, verb = "read", code = 3, space = "holding_register", first = 40, last = 49 },
  { client = "10.0.0.1", server = "10.0.0.9", protocol = "modbus", unit = 1, verb = "identify", code = 43, sub = 14, space = "none" },
  { client = "10.0.0.1", server = "10.0.0.9", protocol = "modbus", unit = 1, verb = "write" },
  { client = "10.0.0.1", server = "10.0.0.9", protocol = "modbus", unit = 4, verb = "control", code = 5 },
  { client = "10.0.0.1", server = "10.0.0.9", protocol = "modbus", unit = 1, verb = "restart", code = 8, sub = 1 },
]
"#;

    #[test]
    fn listed_conversations_are_usual_and_others_are_not() {
        let norm = norm(LISTS);
        let said = |client, server, port, protocol| {
            let flow = flow(client, server, port, protocol);
            norm.conversation(norm.pair(&flow), &flow)
        };
        let new = |basis| Verdict::Unusual(Novelty::Conversation, basis);
        assert!(norm.has_baseline());
        assert_eq!(said("10.0.0.1", "10.0.0.9", 443, None), Verdict::Usual(line(3)));
        // Operations are conversations, too.
        assert_eq!(said("10.0.0.1", "10.0.0.9", 502, Some(MODBUS)), Verdict::Usual(line(7)));
        assert_eq!(said("10.0.0.1", "10.0.0.9", 502, None), Verdict::Usual(line(7)), "it may become Modbus");
        assert_eq!(said("10.0.0.1", "10.0.0.9", 22, None), new(near(3)));
        assert_eq!(said("10.0.0.1", "10.0.0.8", 443, None), new(near(3)), "the client is known");
        assert_eq!(said("10.0.0.2", "10.0.0.9", 443, None), new(near(3)), "the server is known");
        assert_eq!(said("10.0.0.2", "10.0.0.8", 443, None), new(Basis::File(0)));
        assert_eq!(said("10.0.0.9", "10.0.0.1", 443, None), new(Basis::File(0)), "never in this direction");
    }

    #[test]
    fn operations_are_judged_by_the_widest_novelty() {
        let norm = norm(LISTS);
        let said = |client, unit, verb, code, sub, target| {
            let flow = flow(client, "10.0.0.9", 502, Some(MODBUS));
            let operation = Operation { unit, sub, ..operation(verb, code, target) };
            norm.operation(norm.pair(&flow), MODBUS, &operation)
        };
        let registers = |first, count| Some(("holding_register", first, count));
        let usual = |number| Verdict::Usual(line(number));
        let new = |novelty, number| Verdict::Unusual(novelty, near(number));
        for (client, unit, verb, code, sub, target, verdict) in [
            ("10.0.0.1", 1, Verb::Read, 3, 0, registers(10, 10), usual(7)),
            ("10.0.0.1", 1, Verb::Read, 3, 0, registers(15, 1), usual(7)),
            // Two lines that touch cover it together; across a gap they do not.
            ("10.0.0.1", 1, Verb::Read, 3, 0, registers(12, 18), usual(7)),
            ("10.0.0.1", 1, Verb::Read, 3, 0, registers(12, 19), new(Novelty::Addresses, 7)),
            ("10.0.0.1", 1, Verb::Read, 3, 0, registers(9, 2), new(Novelty::Addresses, 7)),
            ("10.0.0.1", 1, Verb::Read, 3, 0, registers(10, 40), new(Novelty::Addresses, 7)),
            ("10.0.0.1", 1, Verb::Read, 3, 0, registers(38, 1), new(Novelty::Addresses, 9)),
            ("10.0.0.1", 1, Verb::Read, 3, 0, registers(u32::MAX, 1), new(Novelty::Addresses, 9)),
            ("10.0.0.1", 1, Verb::Read, 3, 0, Some(("coil", 10, 1)), new(Novelty::Addresses, 7)),
            // Without addresses the code is enough.
            ("10.0.0.1", 1, Verb::Read, 3, 0, None, usual(7)),
            ("10.0.0.1", 1, Verb::Read, 4, 0, registers(10, 1), new(Novelty::Code, 7)),
            ("10.0.0.1", 1, Verb::Read, 3, 1, registers(10, 1), new(Novelty::Code, 7)),
            ("10.0.0.1", 1, Verb::Identify, 43, 14, None, usual(10)),
            ("10.0.0.1", 1, Verb::Identify, 43, 13, None, new(Novelty::Code, 10)),
            // "none" is no space of an operation with addresses.
            ("10.0.0.1", 1, Verb::Identify, 43, 14, registers(1, 1), new(Novelty::Addresses, 10)),
            // A line without code and space matches any.
            ("10.0.0.1", 1, Verb::Write, 16, 0, registers(5000, 100), usual(11)),
            ("10.0.0.1", 1, Verb::Write, 5, 0, None, usual(11)),
            ("10.0.0.1", 4, Verb::Control, 5, 0, Some(("coil", 1, 1)), usual(12)),
            ("10.0.0.1", 4, Verb::Control, 6, 0, Some(("coil", 1, 1)), new(Novelty::Code, 12)),
            ("10.0.0.1", 1, Verb::Control, 5, 0, None, new(Novelty::Verb, 7)),
            ("10.0.0.1", 2, Verb::Read, 3, 0, registers(10, 1), new(Novelty::Unit, 7)),
            ("10.0.0.1", 5, Verb::Read, 3, 0, registers(10, 1), new(Novelty::Unit, 12)),
            // The conversation is known, its operations are not.
            ("10.0.0.3", 1, Verb::Read, 3, 0, registers(10, 1), new(Novelty::Unit, 4)),
            ("10.0.0.2", 1, Verb::Read, 3, 0, registers(10, 1), new(Novelty::Conversation, 3)),
            // Dangerous: only what people wrote down.
            ("10.0.0.1", 1, Verb::Restart, 8, 1, None, usual(13)),
            ("10.0.0.1", 1, Verb::Restart, 8, 2, None, new(Novelty::Verb, 13)),
            ("10.0.0.1", 1, Verb::Mode, 8, 4, None, new(Novelty::Verb, 7)),
        ] {
            assert_eq!(
                said(client, unit, verb, code, sub, target),
                verdict,
                "{client} {unit} {verb:?} {code}/{sub} {target:?}"
            );
        }
    }

    #[test]
    fn lines_with_and_without_code_cover_together() {
        let line_of = |rest: &str| {
            format!(
                "{{ client = \"10.0.0.1\", server = \"10.0.0.9\", protocol = \"modbus\", unit = 1, verb = \"read\", {rest} }},\n"
            )
        };
        let text = format!(
            "operations = [\n{}{}{}]",
            line_of("code = 3, space = \"coil\", first = 0, last = 9"),
            line_of("space = \"coil\", first = 5, last = 15"),
            line_of("space = \"coil\", first = 17, last = 4294967295"),
        );
        let norm = norm(&text);
        let flow = flow("10.0.0.1", "10.0.0.9", 502, Some(MODBUS));
        let said = |code, first, count| {
            norm.operation(norm.pair(&flow), MODBUS, &operation(Verb::Read, code, Some(("coil", first, count))))
        };
        assert_eq!(said(3, 0, 16), Verdict::Usual(line(3)));
        assert_eq!(said(1, 5, 11), Verdict::Usual(line(4)));
        assert_eq!(said(1, 4, 2), Verdict::Unusual(Novelty::Addresses, near(4)));
        assert_eq!(said(3, 15, 2), Verdict::Unusual(Novelty::Addresses, near(4)));
        assert_eq!(said(1, 17, u32::MAX), Verdict::Usual(line(5)), "the last address is the last");
    }

    #[test]
    fn a_dangerous_line_alone_is_no_baseline() {
        let norm = norm(
            "operations = [{ client = \"10.0.0.1\", server = \"10.0.0.9\", protocol = \"modbus\", unit = 1, verb = \"transfer\" }]",
        );
        let flow = flow("10.0.0.1", "10.0.0.9", 502, Some(MODBUS));
        let pair = norm.pair(&flow);
        assert!(!norm.has_baseline());
        assert_eq!(norm.conversation(pair, &flow), Verdict::Unknown);
        assert_eq!(norm.operation(pair, MODBUS, &operation(Verb::Transfer, 90, None)), Verdict::Usual(line(2)));
        assert_eq!(norm.operation(pair, MODBUS, &operation(Verb::Restart, 8, None)), Verdict::Unknown);
        assert_eq!(norm.operation(pair, MODBUS, &operation(Verb::Read, 3, None)), Verdict::Unknown);
    }

    #[test]
    fn policy_comes_before_baseline() {
        let listed = "operations = [{ client = \"10.2.0.1\", server = \"10.1.0.1\", protocol = \"modbus\", unit = 1, verb = \"read\" },\n\
                      { client = \"10.1.0.1\", server = \"10.2.0.1\", protocol = \"modbus\", unit = 1, verb = \"read\" }]";
        let norm = norm(&format!("{listed}{ZONES}"));
        let said = |client, server, verb| {
            let flow = flow(client, server, 502, Some(MODBUS));
            let pair = norm.pair(&flow);
            (norm.conversation(pair, &flow), norm.operation(pair, MODBUS, &operation(verb, 3, None)))
        };
        let (conversation, read) = said("10.2.0.1", "10.1.0.1", Verb::Read);
        assert!(matches!((conversation, read), (Verdict::Forbidden(_), Verdict::Forbidden(_))), "though it is listed");
        assert_eq!(said("10.1.0.1", "10.2.0.1", Verb::Read), (Verdict::Usual(line(3)), Verdict::Usual(line(3))));
        let (_, write) = said("10.1.0.1", "10.2.0.1", Verb::Write);
        assert_eq!(write, Verdict::Unusual(Novelty::Verb, near(3)), "allowed, and yet new");
        let (_, restart) = said("8.8.8.8", "10.1.0.1", Verb::Restart);
        assert!(matches!(restart, Verdict::Usual(Basis::Line(_))), "a conduit names it");
    }

    #[test]
    fn who_may_do_anything_may_keep_the_session_and_be_told() {
        let zones = |allow: &str| {
            format!(
                "[[zone]]\nname = \"a\"\nnetworks = [\"10.1.0.0/16\"]\n[[zone]]\nname = \"b\"\nnetworks = [\"10.2.0.0/16\"]\n\
                 [[conduit]]\nfrom = \"a\"\nto = \"b\"\nallow = [{allow}]\n"
            )
        };
        let said = |allow: &str, client, server, verb| {
            let norm = norm(&zones(allow));
            let flow = flow(client, server, 502, Some(MODBUS));
            norm.operation(norm.pair(&flow), MODBUS, &operation(verb, 129, None))
        };
        let reads = "{ protocol = \"modbus\", verbs = [\"read\"] }";
        for verb in [Verb::Read, Verb::Report, Verb::Session] {
            assert!(matches!(said(reads, "10.1.0.1", "10.2.0.1", verb), Verdict::Usual(Basis::Line(_))), "{verb:?}");
            assert!(matches!(said(reads, "10.2.0.1", "10.1.0.1", verb), Verdict::Forbidden(_)), "the other way");
            let web = "{ protocol = \"tcp/443\" }";
            assert!(matches!(said(web, "10.1.0.1", "10.2.0.1", verb), Verdict::Forbidden(_)), "another protocol");
        }
        for verb in [Verb::Write, Verb::Synchronize, Verb::Configure] {
            assert!(matches!(said(reads, "10.1.0.1", "10.2.0.1", verb), Verdict::Forbidden(_)), "{verb:?}");
        }
    }

    #[test]
    fn sizes_of_fields_are_those_of_the_narrowest_network_of_either_end() {
        let norm = norm(
            "[[iec104]]\nservers = [\"10.0.0.0/24\"]\ncommon_address_octets = 1\n\
             [[iec104]]\nservers = [\"10.0.0.9\", \"10.5.0.0/16\"]\ncause_of_transmission_octets = 1\n\
             information_object_address_octets = 2\n",
        );
        let said = |one: &str, other: &str| {
            let sizes = norm.hints(one.parse().unwrap(), other.parse().unwrap()).iec104?;
            Some((sizes.cause_of_transmission, sizes.common_address, sizes.information_object_address))
        };
        assert_eq!(said("10.0.0.8", "192.0.2.1"), Some((2, 1, 3)));
        assert_eq!(said("192.0.2.1", "10.0.0.9"), Some((1, 2, 2)));
        assert_eq!(said("10.5.7.7", "192.0.2.1"), Some((1, 2, 2)));
        assert_eq!(said("192.0.2.1", "192.0.2.2"), None);
        assert_eq!(Norm::default().hints("10.0.0.9".parse().unwrap(), "10.0.0.8".parse().unwrap()), Hints::default());
    }

    #[test]
    fn values_leave_their_ranges() {
        let values = r#"values = [
  { server = "10.0.0.9", protocol = "modbus", unit = 1, space = "holding_register", first = 10, last = 19, min = 0, max = 50 },
  { server = "10.0.0.8", protocol = "modbus", unit = 1, space = "coil", first = 0, last = 0, min = 1, max = 1 },
]
limit = [
  { server = "10.0.0.9", unit = 1, space = "holding_register", first = 0, last = 100, min = -10, max = 90.5 },
  { server = "10.0.0.9", unit = 1, space = "holding_register", first = 12, last = 12, min = 5, max = 1000 },
]
"#;
        let norm = norm(values);
        let pair = |server| norm.pair(&flow("10.0.0.1", server, 502, Some(MODBUS)));
        let number = |line| Line { file: 0, line };
        let said = |server, unit, address, value, written| {
            let point = Point::bare("holding_register", address, value);
            norm.outside(pair(server), unit, &point, written).map(|outside| (outside.min, outside.max, outside.line))
        };
        let real = PointValue::Real;
        assert_eq!(said("10.0.0.9", 1, 10, real(50.0), true), None);
        assert_eq!(
            said("10.0.0.9", 1, 10, PointValue::Unsigned(51), true),
            None,
            "a limit allows what was never learnt"
        );
        assert_eq!(said("10.0.0.9", 1, 10, real(51.0), false), None, "learnt values say nothing of reads");
        assert_eq!(said("10.0.0.9", 1, 10, real(91.0), false), Some((-10.0, 90.5, number(7))));
        assert_eq!(said("10.0.0.9", 1, 10, real(91.0), true), Some((-10.0, 90.5, number(7))), "the limit comes first");
        assert_eq!(said("10.0.0.9", 1, 12, PointValue::Signed(4), false), Some((5.0, 1000.0, number(8))));
        assert_eq!(said("10.0.0.9", 1, 12, real(95.0), false), Some((-10.0, 90.5, number(7))), "every limit holds");
        assert_eq!(said("10.0.0.9", 1, 20, real(60.0), true), None, "never written before");
        assert_eq!(said("10.0.0.9", 1, 101, real(1e9), true), None);
        assert_eq!(said("10.0.0.9", 2, 10, real(1e9), true), None);
        assert_eq!(said("10.0.0.9", 1, 10, real(f64::NAN), true).map(|(.., line)| line), Some(number(7)));
        assert_eq!(said("10.0.0.7", 1, 10, real(1e9), true), None);
        assert!(norm.watches_values(pair("10.0.0.9")) && norm.watches_reads(pair("10.0.0.9")));
        assert!(norm.watches_values(pair("10.0.0.8")) && !norm.watches_reads(pair("10.0.0.8")));
        assert!(!norm.watches_values(pair("10.0.0.7")) && !norm.watches_reads(pair("10.0.0.7")));
        let coil = |value| Point::bare("coil", 0, PointValue::Bit(value));
        assert_eq!(norm.outside(pair("10.0.0.8"), 1, &coil(true), true), None);
        assert!(norm.outside(pair("10.0.0.8"), 1, &coil(false), true).is_some_and(|outside| outside.learnt));
    }

    #[test]
    fn learnt_values_of_two_files_are_alternatives() {
        let root = "schema = 1\ninclude = [\"b.toml\"]\n";
        let fact = |min, max| {
            format!(
                "values = [{{ server = \"10.0.0.9\", protocol = \"modbus\", unit = 1, space = \"coil\", first = 0, last = 9, min = {min}, max = {max} }}]"
            )
        };
        let mut read = |name: &str| {
            Ok(if name == "b.toml" { format!("schema = 1\n{}", fact(5, 9)) } else { format!("{root}{}", fact(0, 2)) })
        };
        let norm = Policy::load("site.toml", &mut read, &[]).unwrap().norm;
        let pair = norm.pair(&flow("10.0.0.1", "10.0.0.9", 502, Some(MODBUS)));
        let said = |value| norm.outside(pair, 1, &Point::bare("coil", 3, PointValue::Real(value)), true).is_some();
        assert_eq!([1.0, 3.0, 7.0, 10.0].map(said), [false, true, false, true]);
    }

    #[test]
    fn assets_are_approved_or_not() {
        let text = r#"assets = [
  { address = "10.0.0.1", mac = "00:00:00:00:00:01" },
  { address = "10.0.0.5", mac = "00:00:00:00:00:05", roles = ["modbus_client"] },
  { name = "HMI", addresses = ["10.0.0.5"], approval = "blocked" },
  { name = "RTU", addresses = ["10.0.0.6", "00:00:00:00:00:66"], approval = "pending" },
  { name = "PLC", addresses = ["10.0.0.7"], mac = "00:00:00:00:00:07", approval = "temporary", until = 1970-01-01T00:00:10Z },
  { mac = "00:00:00:00:00:99" },
]"#;
        let norm = norm(text);
        let number = |line| Line { file: 0, line };
        let mac = |last| MacAddr([0, 0, 0, 0, 0, last]);
        let said = |address: Option<&str>, mac: Option<MacAddr>, seconds: u64| {
            norm.approval(address.map(|text| text.parse().unwrap()), mac, Timestamp(seconds * 1_000_000_000))
        };
        assert_eq!(said(Some("10.0.0.1"), None, 0), Approval::Approved(number(3)));
        assert_eq!(
            said(Some("10.0.0.1"), Some(mac(77)), 0),
            Approval::Approved(number(3)),
            "the conflict is another's"
        );
        assert_eq!(said(Some("10.0.0.5"), None, 0), Approval::Blocked(number(5)), "people win over what was learnt");
        assert_eq!(said(Some("10.0.0.6"), None, 0), Approval::Pending(number(6)));
        assert_eq!(said(None, Some(mac(0x66)), 0), Approval::Pending(number(6)));
        assert_eq!(said(Some("10.0.0.7"), None, 10), Approval::Approved(number(7)));
        assert_eq!(said(Some("10.0.0.7"), None, 11), Approval::Expired(number(7)));
        assert_eq!(said(None, Some(mac(0x99)), 0), Approval::Approved(number(8)));
        assert_eq!(said(Some("10.0.0.2"), None, 0), Approval::Unlisted(Basis::File(0)));
        assert_eq!(
            said(Some("10.0.0.2"), Some(mac(7)), 0),
            Approval::Unlisted(Basis::Nearest(number(7))),
            "a known MAC address vouches for nobody"
        );

        let name = |address: &str| norm.name_of(address.parse().ok(), None);
        assert_eq!((name("10.0.0.5"), name("10.0.0.1"), name("10.0.0.2")), (Some("HMI"), None, None));
        assert_eq!(norm.name_of(None, Some(mac(7))), Some("PLC"));
        assert_eq!(norm.name_of("10.0.0.2".parse().ok(), Some(mac(7))), None);
        assert_eq!(
            norm.mac_of("10.0.0.5".parse().unwrap()),
            Some((mac(5), number(5))),
            "learnt, where people are silent"
        );
        assert_eq!(norm.mac_of("10.0.0.6".parse().unwrap()), None);
        assert!(norm.has_assets() && !norm.has_baseline());
    }
}
