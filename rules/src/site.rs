//! The operator's language: text of `site.toml` and `baseline.toml` to statements, each with its place.

use crate::baseline::{
    ALL_ADDRESSES, Baseline, Conversation, Device, DeviceFact, OperationKey, Service, ValueKey, ValueRange,
};
use crate::facts::time::Timestamp;
use crate::norm::Line;
use crate::problem::{Place, Problem, Problems, SourceFile, one_of, quoted};
use crate::rule::{Registration, Settings, Severity};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use yagura_parsers::dissect::FieldSizes;
use yagura_parsers::message::Verb;
use yagura_parsers::packet::link::MacAddr;
use yagura_parsers::protocols::ProtocolId;

/// Octets of a file that are read: a baseline of several hundred thousand facts.
pub const FILE_OCTETS_MAX: usize = 64 << 20;
/// The zone of addresses that are in no network of the site.
pub(crate) const OUTSIDE: &str = "outside";
/// Every zone, [`OUTSIDE`] too; in `allow`, every protocol.
pub(crate) const ANY: &str = "any";

const TOP_KEYS: [&str; 17] = [
    "schema",
    "site",
    "sensor",
    "include",
    "join_vlans",
    "repeat_window_s",
    "zone",
    "conduit",
    "asset",
    "assets",
    "conversations",
    "operations",
    "values",
    "limit",
    "iec104",
    "detection",
    "suppress",
];
/// What a file may hold whose facts go back to a file.
const BASELINE_KEYS: [&str; 5] = ["schema", "assets", "conversations", "operations", "values"];
const ASSET_KEYS: [&str; 11] = [
    "name",
    "address",
    "addresses",
    "mac",
    "roles",
    "owner",
    "permitted_use",
    "criticality",
    "approval",
    "until",
    "note",
];
const DEVICE_KEYS: [&str; 3] = ["address", "mac", "roles"];
const APPROVALS: [&str; 4] = ["approved", "pending", "blocked", "temporary"];

/// A network: an address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// The first address.
    address: IpAddr,
    /// Leading bits that count: 0..=32, 0..=128.
    prefix: u8,
}

impl Network {
    /// The network of a text such as `10.20.0.0/24`, or of one address.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| format!("{} is no network and no address", quoted(text)))?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = match prefix {
            None => bits,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit()) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= bits)
                .ok_or_else(|| format!("{} has a prefix above {bits}", quoted(text)))?,
            Some(_) => return Err(format!("{} has no number after the slash", quoted(text))),
        };
        let first = masked(address, prefix);
        if first == address {
            Ok(Self { address, prefix })
        } else {
            Err(format!("{} has bits of a host set; its network is \"{first}/{prefix}\"", quoted(text)))
        }
    }

    /// Whether an address is of it.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }

    /// Leading bits that count.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The leading bits of an address.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(prefix))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(prefix))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

/// The word that a site file says of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ApprovalWord {
    /// `approved`; also where nothing is said.
    #[default]
    Approved,
    /// `pending`.
    Pending,
    /// `blocked`.
    Blocked,
    /// `temporary`, up to this time.
    Temporary(Timestamp),
}

/// An asset as site file or baseline have it: a line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteAsset {
    /// Its name; `None` for one that was learnt.
    pub name: Option<String>,
    /// What it is known by: addresses, and MAC addresses of what speaks no IP.
    pub devices: Vec<Device>,
    /// The MAC address that its addresses must come from.
    pub mac: Option<MacAddr>,
    /// What it does.
    pub roles: Vec<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it may be used for.
    pub permitted_use: Option<String>,
    /// How much depends on it, in the site's own words.
    pub criticality: Option<String>,
    /// Whether it is allowed.
    pub approval: ApprovalWord,
    /// Anything else.
    pub note: Option<String>,
    /// Where it stands.
    pub line: Line,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

#[derive(Debug)]
pub(crate) struct ZoneStatement {
    pub(crate) name: Located<String>,
    pub(crate) level: Option<f64>,
    pub(crate) networks: Vec<Located<Network>>,
}

#[derive(Debug)]
pub(crate) struct ConduitStatement {
    pub(crate) from: Located<String>,
    pub(crate) to: Located<String>,
    pub(crate) line: Line,
    pub(crate) allow: Vec<AllowStatement>,
}

#[derive(Debug, Clone)]
pub(crate) struct AllowStatement {
    /// `None` for any.
    pub(crate) service: Option<Service>,
    /// `None` for all but the dangerous ones.
    pub(crate) verbs: Option<Vec<Verb>>,
    pub(crate) line: Line,
}

#[derive(Debug)]
pub(crate) struct AssetStatement {
    pub(crate) asset: SiteAsset,
    pub(crate) name: Option<Place>,
    /// In the order of the asset's devices.
    pub(crate) places: Vec<Place>,
}

/// How servers of IEC 60870-5-104 write their fields.
#[derive(Debug)]
pub(crate) struct Iec104Statement {
    pub(crate) servers: Vec<Located<Network>>,
    pub(crate) sizes: FieldSizes,
}

#[derive(Debug)]
pub(crate) struct DetectionStatement {
    pub(crate) name: Located<String>,
    pub(crate) severity: Option<Severity>,
    pub(crate) enabled: Option<bool>,
    pub(crate) settings: Settings,
}

#[derive(Debug)]
pub(crate) struct SuppressStatement {
    pub(crate) detection: Option<String>,
    pub(crate) subject: Option<Located<String>>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) reason: String,
    pub(crate) place: Place,
}

/// What all files say together.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    pub(crate) site: Option<Located<String>>,
    pub(crate) sensor: Option<Located<String>>,
    pub(crate) join_vlans: Option<Located<bool>>,
    pub(crate) repeat_window_s: Option<Located<u64>>,
    /// Of the file read last.
    pub(crate) includes: Vec<Located<String>>,
    pub(crate) zones: Vec<ZoneStatement>,
    pub(crate) conduits: Vec<ConduitStatement>,
    pub(crate) assets: Vec<AssetStatement>,
    pub(crate) conversations: Vec<(Conversation, Line)>,
    pub(crate) operations: Vec<(OperationKey, (u32, u32), Line)>,
    pub(crate) values: Vec<(ValueKey, ValueRange, Line)>,
    pub(crate) limits: Vec<(ValueKey, ValueRange, Line)>,
    pub(crate) iec104: Vec<Iec104Statement>,
    pub(crate) detections: Vec<DetectionStatement>,
    pub(crate) suppressions: Vec<SuppressStatement>,
}

/// Reads the last of `files`, and adds what it says. Whether it is TOML at all: where not, nothing is added.
pub(crate) fn read(
    files: &[SourceFile],
    catalog: &[Registration],
    problems: &mut Problems,
    statements: &mut Statements,
) -> bool {
    let Some(mut reader) = Reader::new(files, problems) else { return false };
    let plain = reader.plain_facts(statements);
    let text = plain.as_deref().unwrap_or(reader.source.text());
    let Some(table) = reader.parse(text) else { return false };
    let top = Section { table: &table, span: 0..0, what: "the file".into() };
    reader.keys(&top, &TOP_KEYS);
    reader.schema(&top);
    reader.scalars(&top, statements);
    for row in reader.list(&top, "zone", true) {
        statements.zones.extend(reader.zone(&row));
    }
    for row in reader.list(&top, "conduit", true) {
        statements.conduits.extend(reader.conduit(&row));
    }
    for (list, named) in [("asset", true), ("assets", false)] {
        for row in reader.list(&top, list, named) {
            statements.assets.extend(reader.asset(&row, named));
        }
    }
    reader.facts(&top, statements);
    let mut seen = BTreeSet::new();
    for row in reader.list(&top, "limit", true) {
        if let Some(limit) = reader.value(&row, false) {
            reader.once(&mut seen, (limit.0.clone(), limit.1.first, limit.1.last), &row);
            statements.limits.push(limit);
        }
    }
    for row in reader.list(&top, "iec104", true) {
        statements.iec104.extend(reader.iec104(&row));
    }
    if let Some(detections) = top.table.get("detection") {
        match detections.get_ref() {
            DeValue::Table(detections) => {
                for (name, item) in detections {
                    statements.detections.extend(reader.detection(name, item, catalog));
                }
            }
            other => {
                reader.problem(detections.span(), wrong_type("detection", "a table", other), "[detection.NAME]");
            }
        }
    }
    for row in reader.list(&top, "suppress", true) {
        statements.suppressions.extend(reader.suppress(&row, catalog));
    }
    true
}

/// Reads facts alone; see [`Baseline::from_policy_text`].
pub(crate) fn read_baseline(file: &SourceFile) -> Result<Baseline, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut baseline = Baseline::default();
    let mut statements = Statements::default();
    if let Some(mut reader) = Reader::new(std::slice::from_ref(file), &mut problems)
        && let plain = reader.plain_facts(&mut statements)
        && let Some(table) = reader.parse(plain.as_deref().unwrap_or(reader.source.text()))
    {
        let top = Section { table: &table, span: 0..0, what: "a file to be merged or compared".into() };
        reader.only_facts(&top, &BASELINE_KEYS, &TOP_KEYS);
        reader.schema(&top);
        for row in reader.list(&top, "assets", false) {
            reader.only_facts(&row, &DEVICE_KEYS, &ASSET_KEYS);
            statements.assets.extend(reader.asset(&row, false));
        }
        reader.facts(&top, &mut statements);
    }
    for AssetStatement { asset, .. } in statements.assets {
        for device in asset.devices {
            let fact = DeviceFact { mac: asset.mac, roles: asset.roles.iter().cloned().collect() };
            baseline.devices.insert(device, fact);
        }
    }
    baseline.conversations.extend(statements.conversations.into_iter().map(|(conversation, _)| conversation));
    for (key, interval, _) in statements.operations {
        baseline.operations.entry(key).or_default().push(interval);
    }
    for (key, range, _) in statements.values {
        baseline.values.entry(key).or_default().push(range);
    }
    baseline.settle();
    if problems.is_empty() { Ok(baseline) } else { Err(problems.into_sorted()) }
}

/// The key of a list of facts, and where each fact is.
type PlainList = (&'static str, Vec<Range<usize>>);

/// Lists of facts that stand as `learn` writes them, before any table begins: each with where its facts are, without the
/// commas behind them.
fn plain_lists(text: &str) -> Option<Vec<PlainList>> {
    if text.contains("\"\"\"") || text.contains("'''") {
        return None;
    }
    let mut lists: Vec<PlainList> = Vec::new();
    let mut open = false;
    let mut at = 0_usize;
    for line in text.split_inclusive('\n') {
        let start = at;
        at = at.saturating_add(line.len());
        let line = line.trim_end_matches('\n');
        if !open {
            if line.starts_with('[') {
                break;
            }
            let key = line.strip_suffix(" = [").unwrap_or("");
            if let Some(key) = ["conversations", "operations", "values"].into_iter().find(|fact| *fact == key) {
                lists.push((key, Vec::new()));
                open = true;
            }
        } else if line == "]" {
            open = false;
        } else {
            let fact = line.strip_suffix(',')?;
            if !fact.starts_with("  {") || !fact.ends_with('}') {
                return None;
            }
            // Without the two blanks that it is set in by.
            lists.last_mut()?.1.push(start.saturating_add(2)..start.saturating_add(fact.len()));
        }
    }
    lists.retain(|(_, rows)| !rows.is_empty());
    (!open && !lists.is_empty()).then_some(lists)
}

type Item<'t> = Spanned<DeValue<'t>>;

/// A table of the file, and what it is called in problems.
struct Section<'t> {
    table: &'t DeTable<'t>,
    span: Range<usize>,
    what: Cow<'static, str>,
}

/// Reads one file.
struct Reader<'r> {
    files: &'r [SourceFile],
    source: &'r SourceFile,
    index: u16,
    problems: &'r mut Problems,
}

impl<'r> Reader<'r> {
    fn new(files: &'r [SourceFile], problems: &'r mut Problems) -> Option<Self> {
        let source = files.last()?;
        let index = u16::try_from(files.len().checked_sub(1)?).ok()?;
        Some(Self { files, source, index, problems })
    }

    fn parse<'t>(&mut self, text: &'t str) -> Option<DeTable<'t>> {
        if self.source.text().len() > FILE_OCTETS_MAX {
            let message = format!("the file has more than {} MiB", FILE_OCTETS_MAX >> 20);
            self.problems.add(self.index, Problem::of_file(self.source.name(), message));
            return None;
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        // What follows an error in its line is seldom news.
        let mut last_line = 0;
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            let line = self.source.line_of(span.start);
            if line != last_line {
                let (message, expected) = match error.message().split_once(", expected ") {
                    Some((message, expected)) => (message, expected),
                    None => (error.message(), ""),
                };
                self.problem(span, crate::problem::escaped(message), expected);
            }
            last_line = line;
        }
        errors.is_empty().then(|| table.into_inner())
    }

    fn problem(&mut self, span: Range<usize>, message: String, expected: impl Into<String>) {
        let expected = Some(expected.into()).filter(|expected| !expected.is_empty());
        self.problems.add(self.index, self.source.problem(span, message, expected));
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place { file: self.index, start: span.start, end: span.end }
    }

    fn line(&self, section: &Section<'_>) -> Line {
        Line { file: self.index, line: self.source.line_of(section.span.start) }
    }

    // ---- tables and keys

    fn keys(&mut self, section: &Section<'_>, known: &[&str]) {
        for key in section.table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                self.problem(
                    key.span(),
                    format!("unknown key {} in {}", quoted(key.get_ref()), section.what),
                    one_of(key.get_ref(), known),
                );
            }
        }
    }

    /// As [`Self::keys`], where some keys are of the language and yet not of this file.
    fn only_facts(&mut self, section: &Section<'_>, known: &[&str], language: &[&str]) {
        for key in section.table.keys() {
            let name = key.get_ref().as_ref();
            if language.contains(&name) && !known.contains(&name) {
                let message = format!("{} is no learnt fact: it would be lost in {}", quoted(name), section.what);
                self.problem(key.span(), message, one_of("", known));
            } else if !known.contains(&name) && section.what != "[[assets]]" {
                let message = format!("unknown key {} in {}", quoted(name), section.what);
                self.problem(key.span(), message, one_of(name, known));
            }
        }
    }

    fn optional<'t, T>(
        &mut self,
        section: &Section<'t>,
        key: &str,
        read: fn(&mut Self, &str, &'t Item<'t>) -> Option<T>,
    ) -> Option<T> {
        section.table.get(key).and_then(|item| read(self, key, item))
    }

    fn needed<'t, T>(
        &mut self,
        section: &Section<'t>,
        key: &str,
        read: fn(&mut Self, &str, &'t Item<'t>) -> Option<T>,
    ) -> Option<T> {
        if !section.table.contains_key(key) {
            self.problem(section.span.clone(), format!("{} has no {}", section.what, quoted(key)), "");
        }
        self.optional(section, key, read)
    }

    fn located<'t, T>(
        &mut self,
        section: &Section<'t>,
        key: &str,
        read: fn(&mut Self, &str, &'t Item<'t>) -> Option<T>,
    ) -> Option<Located<T>> {
        let item = section.table.get(key)?;
        read(self, key, item).map(|value| Located { value, place: self.place(item.span()) })
    }

    /// The tables of a list: `[[zone]]`, or `assets = [{ .. }]`. `header` says which of the two to show as an example.
    fn list<'t>(&mut self, top: &Section<'t>, key: &'static str, header: bool) -> Vec<Section<'t>> {
        let Some(item) = top.table.get(key) else { return Vec::new() };
        let expected = if header { format!("[[{key}]]") } else { format!("{key} = [ {{ .. }}, ]") };
        let DeValue::Array(rows) = item.get_ref() else {
            self.problem(item.span(), wrong_type(key, "a list of tables", item.get_ref()), expected);
            return Vec::new();
        };
        let mut sections = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            match row.get_ref() {
                DeValue::Table(table) => {
                    sections.push(Section { table, span: row.span(), what: format!("[[{key}]]").into() });
                }
                other => self.problem(row.span(), wrong_type(key, "a list of tables", other), expected.clone()),
            }
        }
        sections
    }

    /// The same thing twice in one file is a slip; in two files it is two sources that agree.
    fn once<T: Ord>(&mut self, seen: &mut BTreeSet<T>, fact: T, section: &Section<'_>) {
        if !seen.insert(fact) {
            self.problem(section.span.clone(), format!("{} says the same twice in this file", section.what), "");
        }
    }

    // ---- values

    fn text<'t>(&mut self, key: &str, item: &'t Item<'t>) -> Option<&'t str> {
        match item.get_ref() {
            DeValue::String(text) => Some(text),
            other => {
                self.problem(item.span(), wrong_type(key, "a string", other), "");
                None
            }
        }
    }

    /// A string that says something.
    fn string(&mut self, key: &str, item: &Item<'_>) -> Option<String> {
        let text = self.text(key, item)?;
        if text.trim().is_empty() {
            self.problem(item.span(), format!("{} is empty", quoted(key)), "");
            return None;
        }
        Some(text.to_owned())
    }

    fn strings(&mut self, key: &str, item: &Item<'_>) -> Option<Vec<String>> {
        let items = self.items(key, item)?;
        Some(items.iter().filter_map(|item| self.string(key, item)).collect())
    }

    fn items<'t>(&mut self, key: &str, item: &'t Item<'t>) -> Option<&'t [Item<'t>]> {
        match item.get_ref() {
            DeValue::Array(items) => Some(items),
            other => {
                self.problem(item.span(), wrong_type(key, "a list", other), "");
                None
            }
        }
    }

    fn boolean(&mut self, key: &str, item: &Item<'_>) -> Option<bool> {
        let value = item.get_ref().as_bool();
        if value.is_none() {
            self.problem(item.span(), wrong_type(key, "true or false", item.get_ref()), "");
        }
        value
    }

    fn whole(&mut self, key: &str, item: &Item<'_>, min: u64, max: u64) -> Option<u64> {
        let DeValue::Integer(integer) = item.get_ref() else {
            self.problem(item.span(), wrong_type(key, "a whole number", item.get_ref()), format!("{min} to {max}"));
            return None;
        };
        let value =
            u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|value| (min..=max).contains(value));
        if value.is_none() {
            self.problem(item.span(), format!("{} is out of range", quoted(key)), format!("{min} to {max}"));
        }
        value
    }

    fn sixteen_bits(&mut self, key: &str, item: &Item<'_>) -> Option<u16> {
        self.whole(key, item, 0, u64::from(u16::MAX)).and_then(|value| u16::try_from(value).ok())
    }

    fn thirty_two_bits(&mut self, key: &str, item: &Item<'_>) -> Option<u32> {
        self.whole(key, item, 0, u64::from(u32::MAX)).and_then(|value| u32::try_from(value).ok())
    }

    fn seconds(&mut self, key: &str, item: &Item<'_>) -> Option<u64> {
        self.whole(key, item, 1, 7 * 86_400)
    }

    /// A finite number, with or without a fraction.
    fn real(&mut self, key: &str, item: &Item<'_>) -> Option<f64> {
        let text = match item.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            other => {
                self.problem(item.span(), wrong_type(key, "a number", other), "a decimal number");
                return None;
            }
        };
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
        if value.is_none() {
            self.problem(item.span(), format!("{} is no finite number", quoted(key)), "a decimal number");
        }
        value
    }

    fn time(&mut self, key: &str, item: &Item<'_>) -> Option<Timestamp> {
        const EXPECTED: &str = "a date and time with its zone, such as 2026-12-31T00:00:00Z";
        let DeValue::Datetime(time) = item.get_ref() else {
            self.problem(item.span(), wrong_type(key, "a time", item.get_ref()), EXPECTED);
            return None;
        };
        let nanoseconds = time.to_string().parse::<jiff::Timestamp>().ok();
        let nanoseconds = nanoseconds.and_then(|time| u64::try_from(time.as_nanosecond()).ok());
        if nanoseconds.is_none() {
            self.problem(item.span(), format!("{} is no point in time since 1970", quoted(key)), EXPECTED);
        }
        nanoseconds.map(Timestamp)
    }

    fn ip(&mut self, key: &str, item: &Item<'_>) -> Option<IpAddr> {
        let text = self.text(key, item)?;
        let address = text.parse().ok();
        if address.is_none() {
            self.problem(
                item.span(),
                format!("{} is no address", quoted(text)),
                "an IPv4 or IPv6 address, such as \"10.20.0.5\"",
            );
        }
        address
    }

    fn mac(&mut self, key: &str, item: &Item<'_>) -> Option<MacAddr> {
        let text = self.text(key, item)?;
        let mac = MacAddr::from_text(text).filter(|mac| !mac.is_group() && !mac.is_zero());
        if mac.is_none() {
            self.problem(
                item.span(),
                format!("{} is no device's MAC address", quoted(text)),
                "six octets in hexadecimal, such as \"00:80:f4:0a:11:02\"",
            );
        }
        mac
    }

    /// What a device may be known by.
    fn device(&mut self, key: &str, item: &Item<'_>) -> Option<Device> {
        let text = self.text(key, item)?;
        if MacAddr::from_text(text).is_some() {
            return self.mac(key, item).map(Device::Mac);
        }
        let Ok(address) = text.parse::<IpAddr>() else {
            self.problem(
                item.span(),
                format!("{} is no address", quoted(text)),
                "an IPv4, IPv6 or MAC address, such as \"10.20.0.5\"",
            );
            return None;
        };
        if address.is_unspecified() || address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST) {
            self.problem(item.span(), format!("{} is no device's own address", quoted(text)), "");
            return None;
        }
        Some(Device::Address(address))
    }

    fn network(&mut self, key: &str, item: &Item<'_>) -> Option<Network> {
        let text = self.text(key, item)?;
        match Network::from_text(text) {
            Ok(network) => Some(network),
            Err(message) => {
                self.problem(item.span(), message, "a network or address, such as \"10.20.0.0/24\"");
                None
            }
        }
    }

    fn verb(&mut self, key: &str, item: &Item<'_>) -> Option<Verb> {
        let text = self.text(key, item)?;
        let verb = Verb::from_name(text);
        if verb.is_none() {
            let names: Vec<&str> = Verb::ALL.iter().map(|verb| verb.name()).collect();
            self.problem(item.span(), format!("{} is no verb", quoted(text)), one_of(text, &names));
        }
        verb
    }

    fn protocol(&mut self, key: &str, item: &Item<'_>) -> Option<ProtocolId> {
        let text = self.text(key, item)?;
        let protocol = ProtocolId::ALL.iter().copied().find(|protocol| protocol.name() == text);
        if protocol.is_none() {
            let names: Vec<&str> = ProtocolId::ALL.iter().map(|protocol| protocol.name()).collect();
            self.problem(item.span(), format!("{} is no protocol that is read", quoted(text)), one_of(text, &names));
        }
        protocol
    }

    fn service(&mut self, key: &str, item: &Item<'_>) -> Option<Service> {
        let text = self.text(key, item)?;
        let service = Service::from_text(text);
        if service.is_none() {
            self.no_service(item, text, &[]);
        }
        service
    }

    /// `Some(None)` for any.
    fn service_or_any(&mut self, key: &str, item: &Item<'_>) -> Option<Option<Service>> {
        let text = self.text(key, item)?;
        let service = if text == ANY { Some(None) } else { Service::from_text(text).map(Some) };
        if service.is_none() {
            self.no_service(item, text, &[ANY]);
        }
        service
    }

    fn no_service(&mut self, item: &Item<'_>, text: &str, also: &[&str]) {
        let mut names: Vec<&str> = ProtocolId::ALL.iter().map(|protocol| protocol.name()).collect();
        names.extend(["tcp/PORT", "udp/PORT", "icmp", "ip/NUMBER"]);
        names.extend(also);
        self.problem(item.span(), format!("{} is no protocol", quoted(text)), one_of(text, &names));
    }

    fn severity(&mut self, key: &str, item: &Item<'_>) -> Option<Severity> {
        let text = self.text(key, item)?;
        let severity = Severity::from_name(text);
        if severity.is_none() {
            let names: Vec<&str> = Severity::ALL.iter().map(|severity| severity.name()).collect();
            self.problem(item.span(), format!("{} is no severity", quoted(text)), one_of(text, &names));
        }
        severity
    }

    // ---- statements

    fn schema(&mut self, top: &Section<'_>) {
        match top.table.get("schema") {
            None => self.problem(0..0, "the file has no \"schema\"".into(), "schema = 1"),
            Some(item) => {
                if item.get_ref().as_integer().is_none_or(|schema| schema.as_str() != "1" || schema.radix() != 10) {
                    self.problem(item.span(), "this schema is not known".into(), "schema = 1");
                }
            }
        }
    }

    fn scalars(&mut self, top: &Section<'_>, statements: &mut Statements) {
        let site = self.located(top, "site", Self::string);
        self.set("site", &mut statements.site, site);
        let sensor = self.located(top, "sensor", Self::string);
        self.set("sensor", &mut statements.sensor, sensor);
        let join_vlans = self.located(top, "join_vlans", Self::boolean);
        self.set("join_vlans", &mut statements.join_vlans, join_vlans);
        let repeat_window_s = self.located(top, "repeat_window_s", Self::seconds);
        self.set("repeat_window_s", &mut statements.repeat_window_s, repeat_window_s);
        statements.includes.clear();
        if let Some(items) = self.optional(top, "include", Self::items) {
            for item in items {
                if let Some(value) = self.string("include", item) {
                    statements.includes.push(Located { value, place: self.place(item.span()) });
                }
            }
        }
    }

    /// What may be said once in all files.
    fn set<T>(&mut self, key: &str, slot: &mut Option<Located<T>>, new: Option<Located<T>>) {
        let Some(new) = new else { return };
        if let Some(old) = slot {
            let message =
                format!("{} is said a second time; first at {}", quoted(key), where_is(self.files, old.place));
            self.problem(new.place.start..new.place.end, message, "");
        } else {
            *slot = Some(new);
        }
    }

    fn zone(&mut self, row: &Section<'_>) -> Option<ZoneStatement> {
        self.keys(row, &["name", "level", "networks"]);
        let level = self.optional(row, "level", Self::real);
        if let (Some(number), Some(item)) = (level, row.table.get("level"))
            && ![0.0, 1.0, 2.0, 3.0, 3.5, 4.0, 5.0].contains(&number)
        {
            self.problem(item.span(), "this level is not of the Purdue model".into(), "one of: 0, 1, 2, 3, 3.5, 4, 5");
        }
        let mut networks = Vec::new();
        for item in self.needed(row, "networks", Self::items).unwrap_or_default() {
            if let Some(value) = self.network("networks", item) {
                networks.push(Located { value, place: self.place(item.span()) });
            }
        }
        self.needed(row, "name", Self::string);
        let name = row.table.get("name").and_then(|item| {
            let value = item.get_ref().as_str().filter(|name| !name.trim().is_empty())?.to_owned();
            Some(Located { value, place: self.place(item.span()) })
        })?;
        if [OUTSIDE, ANY].contains(&name.value.as_str()) {
            let message = format!("no zone can be named {}: in conduits that word has a meaning", quoted(&name.value));
            self.problem(name.place.start..name.place.end, message, "");
        }
        Some(ZoneStatement { name, level, networks })
    }

    fn conduit(&mut self, row: &Section<'_>) -> Option<ConduitStatement> {
        self.keys(row, &["from", "to", "allow"]);
        let mut allow = Vec::new();
        for item in self.needed(row, "allow", Self::items).unwrap_or_default() {
            match item.get_ref() {
                DeValue::Table(table) => {
                    let entry = Section { table, span: item.span(), what: "allow".into() };
                    allow.extend(self.allow(&entry));
                }
                other => {
                    let expected = "{ protocol = \"modbus\", verbs = [\"read\"] }";
                    self.problem(item.span(), wrong_type("allow", "a list of tables", other), expected);
                }
            }
        }
        let line = self.line(row);
        let missing = |reader: &mut Self, key| reader.needed(row, key, Self::string).is_none();
        // Both are asked for, so that both are told.
        if missing(self, "from") | missing(self, "to") {
            return None;
        }
        let from = self.located(row, "from", Self::string)?;
        let to = self.located(row, "to", Self::string)?;
        Some(ConduitStatement { from, to, line, allow })
    }

    fn allow(&mut self, entry: &Section<'_>) -> Option<AllowStatement> {
        self.keys(entry, &["protocol", "verbs"]);
        let service = self.needed(entry, "protocol", Self::service_or_any);
        let items = self.optional(entry, "verbs", Self::items);
        let verbs: Option<Vec<Verb>> =
            items.map(|items| items.iter().filter_map(|item| self.verb("verbs", item)).collect());
        if let Some(item) = entry.table.get("verbs") {
            if items.is_some_and(<[_]>::is_empty) {
                self.problem(item.span(), "\"verbs\" is empty: nothing would be allowed".into(), "");
            }
            if matches!(service, Some(Some(Service::Tcp(_) | Service::Udp(_) | Service::Icmp | Service::Ip(_)))) {
                self.problem(
                    item.span(),
                    "verbs are known only of protocols that are read".into(),
                    "no \"verbs\" here",
                );
            }
        }
        Some(AllowStatement { service: service?, verbs, line: self.line(entry) })
    }

    fn asset(&mut self, row: &Section<'_>, named: bool) -> Option<AssetStatement> {
        self.keys(row, &ASSET_KEYS);
        let name =
            if named { self.needed(row, "name", Self::string) } else { self.optional(row, "name", Self::string) };
        let mac = self.optional(row, "mac", Self::mac);
        let mut found = Vec::new();
        let mut items: Vec<&Item<'_>> = row.table.get("address").into_iter().collect();
        items.extend(self.optional(row, "addresses", Self::items).unwrap_or_default());
        for item in &items {
            found.extend(self.device("addresses", item).map(|device| (device, self.place(item.span()))));
        }
        if items.is_empty() {
            match (mac, row.table.get("mac")) {
                (Some(mac), Some(item)) => found.push((Device::Mac(mac), self.place(item.span()))),
                (None, Some(_)) => {}
                (_, None) => {
                    let message = format!("{} has no address", row.what);
                    self.problem(row.span.clone(), message, "\"addresses\", \"address\" or \"mac\"");
                }
            }
        }
        let (devices, places): (Vec<Device>, Vec<Place>) = found.into_iter().unzip();
        let asset = SiteAsset {
            name,
            // Without an address the MAC address is what it is known by, and nothing has to come from it.
            mac: mac.filter(|_| !items.is_empty()),
            devices,
            roles: self.optional(row, "roles", Self::strings).unwrap_or_default(),
            owner: self.optional(row, "owner", Self::string),
            permitted_use: self.optional(row, "permitted_use", Self::string),
            criticality: self.optional(row, "criticality", Self::string),
            approval: self.approval(row),
            note: self.optional(row, "note", Self::string),
            line: self.line(row),
        };
        let name = row.table.get("name").map(|item| self.place(item.span()));
        Some(AssetStatement { asset, name, places })
    }

    fn approval(&mut self, row: &Section<'_>) -> ApprovalWord {
        let word = self.optional(row, "approval", Self::text);
        let until = self.optional(row, "until", Self::time);
        let item = row.table.get("until");
        match (word, row.table.get("approval")) {
            (Some("temporary"), Some(approval)) => {
                if item.is_none() {
                    self.problem(approval.span(), "\"temporary\" needs an end".into(), "until = 2026-12-31T00:00:00Z");
                }
                return until.map_or(ApprovalWord::Pending, ApprovalWord::Temporary);
            }
            (Some(word), Some(approval)) if !APPROVALS.contains(&word) => {
                self.problem(approval.span(), format!("{} is no approval", quoted(word)), one_of(word, &APPROVALS));
            }
            _ => {
                if let Some(item) = item {
                    let message = "\"until\" goes with a temporary approval only";
                    self.problem(item.span(), message.into(), "approval = \"temporary\"");
                }
            }
        }
        match word {
            Some("pending") => ApprovalWord::Pending,
            Some("blocked") => ApprovalWord::Blocked,
            _ => ApprovalWord::Approved,
        }
    }

    /// Conversations, operations and values.
    fn facts(&mut self, top: &Section<'_>, statements: &mut Statements) {
        let mut seen = BTreeSet::new();
        for row in self.list(top, "conversations", false) {
            if let Some(conversation) = self.conversation(&row) {
                self.once(&mut seen, conversation, &row);
                statements.conversations.push((conversation, self.line(&row)));
            }
        }
        let mut seen = BTreeSet::new();
        for row in self.list(top, "operations", false) {
            if let Some((key, interval)) = self.operation(&row) {
                self.once(&mut seen, (key.clone(), interval), &row);
                statements.operations.push((key, interval, self.line(&row)));
            }
        }
        let mut seen = BTreeSet::new();
        for row in self.list(top, "values", false) {
            if let Some(value) = self.value(&row, true) {
                self.once(&mut seen, (value.0.clone(), value.1.first, value.1.last), &row);
                statements.values.push(value);
            }
        }
    }

    /// Reads the facts that stand as `learn` writes them, one a line, line by line: a file of many thousand facts is never
    /// held as a tree, and takes half the time. Answers the text without them, every other octet in its place.
    ///
    /// `None`, with nothing read, where there are none, or anything is odd about them: then the whole is read as any TOML.
    fn plain_facts(&mut self, statements: &mut Statements) -> Option<String> {
        let text = self.source.text();
        let lists = plain_lists(text)?;
        let mut problems = Problems::default();
        let mut facts = Statements::default();
        let mut seen = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut reader = Reader { files: self.files, source: self.source, index: self.index, problems: &mut problems };
        for (key, rows) in &lists {
            for span in rows {
                let row = DeValue::parse(text.get(span.clone())?).ok()?;
                let DeValue::Table(table) = row.get_ref() else { return None };
                let row = Section { table, span: span.clone(), what: "".into() };
                let new = match *key {
                    "conversations" => {
                        let conversation = reader.conversation(&row)?;
                        facts.conversations.push((conversation, reader.line(&row)));
                        seen.0.insert(conversation)
                    }
                    "operations" => {
                        let (operation, interval) = reader.operation(&row)?;
                        let new = seen.1.insert((operation.clone(), interval));
                        facts.operations.push((operation, interval, reader.line(&row)));
                        new
                    }
                    _ => {
                        let value = reader.value(&row, true)?;
                        let new = seen.2.insert((value.0.clone(), value.1.first, value.1.last));
                        facts.values.push(value);
                        new
                    }
                };
                if !new {
                    return None;
                }
            }
        }
        if !problems.is_empty() {
            return None;
        }
        statements.conversations.append(&mut facts.conversations);
        statements.operations.append(&mut facts.operations);
        statements.values.append(&mut facts.values);
        let mut rest = String::with_capacity(text.len());
        let mut at = 0;
        for span in lists.iter().flat_map(|(_, rows)| rows) {
            rest.push_str(text.get(at..span.start)?);
            // Blanks for the fact and the comma behind it: what follows keeps its place.
            at = span.end.saturating_add(1);
            rest.push_str(&" ".repeat(at.saturating_sub(span.start)));
        }
        rest.push_str(text.get(at..)?);
        Some(rest)
    }

    fn conversation(&mut self, row: &Section<'_>) -> Option<Conversation> {
        self.keys(row, &["client", "server", "protocol"]);
        let client = self.needed(row, "client", Self::ip);
        let server = self.needed(row, "server", Self::ip);
        let service = self.needed(row, "protocol", Self::service);
        Some(Conversation { client: client?, server: server?, service: service? })
    }

    fn operation(&mut self, row: &Section<'_>) -> Option<(OperationKey, (u32, u32))> {
        self.keys(row, &["client", "server", "protocol", "unit", "verb", "code", "sub", "space", "first", "last"]);
        let client = self.needed(row, "client", Self::ip);
        let server = self.needed(row, "server", Self::ip);
        let protocol = self.needed(row, "protocol", Self::protocol);
        let unit = self.needed(row, "unit", Self::sixteen_bits);
        let verb = self.needed(row, "verb", Self::verb);
        let code = self.optional(row, "code", Self::sixteen_bits);
        let sub = self.optional(row, "sub", Self::sixteen_bits);
        let space = self.optional(row, "space", Self::string);
        if let (Some(item), false) = (row.table.get("sub"), row.table.contains_key("code")) {
            self.problem(item.span(), "\"sub\" is a second code".into(), "\"code\" beside it");
        }
        let has_interval = row.table.contains_key("first") || row.table.contains_key("last");
        let interval = if has_interval { self.interval(row) } else { Some(ALL_ADDRESSES) };
        if has_interval && !row.table.contains_key("space") {
            self.problem(
                row.span.clone(),
                format!("{} has addresses without a space", row.what),
                "\"space\" beside them",
            );
        }
        let key = OperationKey {
            client: client?,
            server: server?,
            protocol: protocol?,
            unit: unit?,
            verb: verb?,
            code: code.map(|code| (code, sub.unwrap_or(0))),
            space: space.map(Cow::Owned),
        };
        Some((key, interval?))
    }

    /// `first` and `last`, in this order.
    fn interval(&mut self, row: &Section<'_>) -> Option<(u32, u32)> {
        let first = self.needed(row, "first", Self::thirty_two_bits);
        let last = self.needed(row, "last", Self::thirty_two_bits);
        let (first, last) = (first?, last?);
        if first > last {
            let span = row.table.get("first").map_or(row.span.clone(), Spanned::span);
            self.problem(span, format!("\"first\" ({first}) is above \"last\" ({last})"), "");
            return None;
        }
        Some((first, last))
    }

    fn value(&mut self, row: &Section<'_>, learnt: bool) -> Option<(ValueKey, ValueRange, Line)> {
        self.keys(row, &["server", "protocol", "unit", "space", "first", "last", "min", "max"]);
        let server = self.needed(row, "server", Self::ip);
        let protocol = if learnt {
            self.needed(row, "protocol", Self::protocol)
        } else {
            self.optional(row, "protocol", Self::protocol)
        };
        let unit = self.needed(row, "unit", Self::sixteen_bits);
        let space = self.needed(row, "space", Self::string);
        let interval = self.interval(row);
        let min = self.needed(row, "min", Self::real);
        let max = self.needed(row, "max", Self::real);
        let (min, max) = (min?, max?);
        if min > max {
            let span = row.table.get("min").map_or(row.span.clone(), Spanned::span);
            self.problem(span, format!("\"min\" ({min}) is above \"max\" ({max})"), "");
            return None;
        }
        let (first, last) = interval?;
        let key = ValueKey { server: server?, protocol, unit: unit?, space: Cow::Owned(space?) };
        Some((key, ValueRange { first, last, min, max }, self.line(row)))
    }

    /// Sizes that are not said are those that IEC 60870-5-104 has: two octets, two and three.
    fn iec104(&mut self, row: &Section<'_>) -> Option<Iec104Statement> {
        const KEYS: [&str; 4] =
            ["servers", "cause_of_transmission_octets", "common_address_octets", "information_object_address_octets"];
        let [_, sizes @ ..] = KEYS;
        self.keys(row, &KEYS);
        let mut servers = Vec::new();
        for item in self.needed(row, "servers", Self::items)? {
            if let Some(value) = self.network("servers", item) {
                servers.push(Located { value, place: self.place(item.span()) });
            }
        }
        if sizes.iter().all(|key| !row.table.contains_key(*key)) {
            self.problem(row.span.clone(), format!("{} says no sizes", row.what), one_of("", &sizes));
        }
        let mut octets = |key: &str, most: u8| match row.table.get(key) {
            None => most,
            Some(item) => {
                let octets = self.whole(key, item, 1, u64::from(most));
                octets.and_then(|octets| u8::try_from(octets).ok()).unwrap_or(most)
            }
        };
        let [cause, common, object] = sizes;
        let sizes = FieldSizes {
            cause_of_transmission: octets(cause, 2),
            common_address: octets(common, 2),
            information_object_address: octets(object, 3),
        };
        Some(Iec104Statement { servers, sizes })
    }

    fn detection(
        &mut self,
        name: &Spanned<Cow<'_, str>>,
        item: &Item<'_>,
        catalog: &[Registration],
    ) -> Option<DetectionStatement> {
        let card = self.known_detection(name.get_ref(), name.span(), catalog)?.card;
        let DeValue::Table(table) = item.get_ref() else {
            self.problem(
                item.span(),
                wrong_type(card.name, "a table", item.get_ref()),
                format!("[detection.{}]", card.name),
            );
            return None;
        };
        let section = Section { table, span: item.span(), what: format!("[detection.{}]", card.name).into() };
        let mut keys = vec!["severity", "enabled"];
        keys.extend(card.settings.iter().map(|setting| setting.name));
        self.keys(&section, &keys);
        let mut settings = Settings::default();
        for setting in card.settings {
            if let Some(item) = table.get(setting.name)
                && let Some(value) = self.whole(setting.name, item, setting.min, setting.max)
            {
                settings.0.insert(setting.name.to_owned(), value);
            }
        }
        Some(DetectionStatement {
            name: Located { value: card.name.to_owned(), place: self.place(name.span()) },
            severity: self.optional(&section, "severity", Self::severity),
            enabled: self.optional(&section, "enabled", Self::boolean),
            settings,
        })
    }

    fn known_detection<'c>(
        &mut self,
        name: &str,
        span: Range<usize>,
        catalog: &'c [Registration],
    ) -> Option<&'c Registration> {
        let found = catalog.iter().find(|registration| registration.card.name == name);
        if found.is_none() {
            let names: Vec<&str> = catalog.iter().map(|registration| registration.card.name).collect();
            self.problem(span, format!("{} is no detection", quoted(name)), one_of(name, &names));
        }
        found
    }

    fn suppress(&mut self, row: &Section<'_>, catalog: &[Registration]) -> Option<SuppressStatement> {
        self.keys(row, &["detection", "subject", "until", "reason"]);
        let detection = self.optional(row, "detection", Self::string);
        if let (Some(name), Some(item)) = (&detection, row.table.get("detection")) {
            self.known_detection(name, item.span(), catalog);
        }
        let subject = self.located(row, "subject", Self::string);
        if !row.table.contains_key("detection") && !row.table.contains_key("subject") {
            let message = format!("{} would suppress everything", row.what);
            self.problem(row.span.clone(), message, "\"detection\", \"subject\" or both");
        }
        let until = self.optional(row, "until", Self::time);
        let reason = self.needed(row, "reason", Self::string)?;
        Some(SuppressStatement { detection, subject, until, reason, place: self.place(row.span.clone()) })
    }
}

/// `site.toml:12`.
pub(crate) fn where_is(files: &[SourceFile], place: Place) -> String {
    files.get(usize::from(place.file)).map_or_else(String::new, |file| {
        format!("{}:{}", crate::problem::escaped(file.name()), file.line_of(place.start))
    })
}

fn wrong_type(key: &str, must: &str, is: &DeValue<'_>) -> String {
    let is = match is {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    format!("{} must be {must}, and is {is}", quoted(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let network = Network::from_text("10.20.0.0/24").unwrap();
        assert!(network.contains("10.20.0.255".parse().unwrap()));
        assert!(!network.contains("10.20.1.0".parse().unwrap()));
        assert!(!network.contains("::10.20.0.1".parse().unwrap()));
        let all = Network::from_text("0.0.0.0/0").unwrap();
        assert!(all.contains("255.255.255.255".parse().unwrap()) && !all.contains("::1".parse().unwrap()));
        let v6 = Network::from_text("2001:db8::/32").unwrap();
        assert!(v6.contains("2001:db8:ffff::1".parse().unwrap()) && !v6.contains("2001:db9::".parse().unwrap()));
        assert!(Network::from_text("::/0").unwrap().contains("ff::".parse().unwrap()));
        let one = Network::from_text("10.0.0.1").unwrap();
        assert!(one.contains("10.0.0.1".parse().unwrap()) && !one.contains("10.0.0.0".parse().unwrap()));
        assert_eq!(one.to_string(), "10.0.0.1/32");
    }

    #[test]
    fn impossible_networks_say_why() {
        for (text, why) in [
            ("10.0.0.5/24", "its network is \"10.0.0.0/24\""),
            ("2001:db8::1/32", "its network is \"2001:db8::/32\""),
            ("10.0.0.0/33", "above 32"),
            ("::/129", "above 128"),
            ("10.0.0.0/", "no number"),
            ("10.0.0.0/+8", "no number"),
            ("10.0.0/8", "no network and no address"),
            ("plant", "no network and no address"),
        ] {
            let message = Network::from_text(text).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
