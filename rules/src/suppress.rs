//! What is not told: suppressions of the site file, and repeats, counted by packet time.

use crate::alert::{Alert, AlertId};
use crate::facts::asset::AssetKey;
use crate::facts::time::Timestamp;
use crate::policy::Suppression;
use crate::rule::{Finding, Scene, Severity};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use yagura_parsers::packet::link::MacAddr;

/// The suppressions of the site file, ready to be asked.
pub(crate) struct Suppressions(Vec<Compiled>);

struct Compiled {
    detection: Option<String>,
    subject: Option<Subject>,
    until: Option<Timestamp>,
}

/// Who or what a suppression is about.
struct Subject {
    text: String,
    whom: Whom,
}

enum Whom {
    Network(IpAddr, u8),
    Mac(MacAddr),
    Named,
}

impl Suppressions {
    pub(crate) fn new(suppressions: &[Suppression]) -> Self {
        Self(
            suppressions
                .iter()
                .map(|one| Compiled {
                    detection: one.detection.clone(),
                    subject: one.subject.as_deref().map(Subject::new),
                    until: one.until,
                })
                .collect(),
        )
    }

    /// Whether any of them keeps a finding silent.
    pub(crate) fn silence(&self, detection: &str, finding: &Finding, time: Timestamp, scene: Scene<'_>) -> bool {
        self.0.iter().any(|one| {
            one.until.is_none_or(|until| time < until)
                && one.detection.as_ref().is_none_or(|name| name == detection)
                && one.subject.as_ref().is_none_or(|subject| subject.concerns(finding, scene))
        })
    }
}

impl Subject {
    fn new(text: &str) -> Self {
        let whom = match text.split_once('/') {
            Some((address, prefix)) => match (address.parse(), prefix.parse()) {
                (Ok(address), Ok(prefix)) => Whom::Network(address, prefix),
                _ => Whom::Named,
            },
            None => match (text.parse::<IpAddr>(), MacAddr::from_text(text)) {
                (Ok(address), _) => Whom::Network(address, 128),
                (_, Some(mac)) => Whom::Mac(mac),
                _ => Whom::Named,
            },
        };
        Self { text: text.to_owned(), whom }
    }

    fn concerns(&self, finding: &Finding, scene: Scene<'_>) -> bool {
        finding.subject == self.text || finding.assets.iter().any(|key| self.is(key, scene))
    }

    fn is(&self, key: &AssetKey, scene: Scene<'_>) -> bool {
        let asset = scene.assets.asset(key);
        match (&self.whom, key) {
            (Whom::Network(network, prefix), AssetKey::Ip(_, address)) => contains(*network, *prefix, *address),
            (Whom::Network(..), AssetKey::Mac(..)) => false,
            (Whom::Mac(mac), AssetKey::Mac(_, own)) => mac == own,
            (Whom::Mac(mac), AssetKey::Ip(..)) => asset.is_some_and(|asset| asset.macs.contains_key(mac)),
            (Whom::Named, key) => {
                let (address, own) = match key {
                    AssetKey::Ip(_, address) => (Some(*address), None),
                    AssetKey::Mac(_, mac) => (None, Some(*mac)),
                };
                let mac = own.or_else(|| asset.and_then(|asset| asset.macs.keys().next().copied()));
                scene.norm.name_of(address, mac) == Some(self.text.as_str())
            }
        }
    }
}

/// Whether a network contains an address. A prefix that is longer than the address is taken for the whole of it.
fn contains(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let rest = 32_u32.saturating_sub(u32::from(prefix));
            (network.to_bits() ^ address.to_bits()).checked_shr(rest).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let rest = 128_u32.saturating_sub(u32::from(prefix));
            (network.to_bits() ^ address.to_bits()).checked_shr(rest).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// A detection and a subject: what repeats are repeats of.
type Key = (&'static str, Arc<str>);

/// Repeats of alerts: the first of a detection and subject is told, the others of its window are counted.
pub(crate) struct Repeats {
    window_ns: u64,
    subjects_max: usize,
    open: BTreeMap<Key, Window>,
    order: BTreeMap<(Timestamp, u64), Key>,
    opened: u64,
    evicted: u64,
}

struct Window {
    first: AlertId,
    place: (Timestamp, u64),
    told: Severity,
    count: u64,
    worst: Severity,
    last: Option<Box<Alert>>,
}

impl Repeats {
    pub(crate) fn new(window_ns: u64, subjects_max: usize) -> Self {
        Self {
            window_ns,
            subjects_max: subjects_max.max(1),
            open: BTreeMap::new(),
            order: BTreeMap::new(),
            opened: 0,
            evicted: 0,
        }
    }

    /// Windows that open from now on are so long.
    pub(crate) fn set_window(&mut self, window_ns: u64) {
        self.window_ns = window_ns;
    }

    /// Whether the alert is to be told now; otherwise it is counted here. What must be closed to make room goes out
    /// first.
    pub(crate) fn admit(&mut self, alert: Alert, closed: &mut Vec<Alert>) -> Option<Alert> {
        let key: Key = (alert.card.id, Arc::from(alert.finding.subject.as_str()));
        if let Some(window) = self.open.get_mut(&key) {
            if alert.severity > window.told {
                window.told = alert.severity;
                return Some(alert);
            }
            window.count = window.count.saturating_add(1);
            window.worst = if window.last.is_some() { window.worst.max(alert.severity) } else { alert.severity };
            window.last = Some(Box::new(alert));
            return None;
        }
        while self.open.len() >= self.subjects_max {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.evicted = self.evicted.saturating_add(1);
            self.close(&oldest, closed);
        }
        self.opened = self.opened.saturating_add(1);
        let place = (alert.time, self.opened);
        let window =
            Window { first: alert.id, place, told: alert.severity, count: 0, worst: alert.severity, last: None };
        self.order.insert(place, key.clone());
        self.open.insert(key, window);
        Some(alert)
    }

    /// Closes the windows that have ended, in the order in which they were opened.
    pub(crate) fn expire(&mut self, now: Timestamp, closed: &mut Vec<Alert>) {
        while let Some((place, key)) = self.order.first_key_value() {
            if now.since(place.0) < self.window_ns {
                break;
            }
            let (place, key) = (*place, key.clone());
            self.order.remove(&place);
            self.close(&key, closed);
        }
        // A clock that was set back leaves windows in the future: they have ended too.
        while let Some((place, key)) = self.order.last_key_value() {
            if place.0.since(now) < self.window_ns {
                break;
            }
            let (place, key) = (*place, key.clone());
            self.order.remove(&place);
            self.close(&key, closed);
        }
    }

    /// Closes every window, in the order in which they were opened.
    pub(crate) fn finish(&mut self, closed: &mut Vec<Alert>) {
        while let Some((_, key)) = self.order.pop_first() {
            self.close(&key, closed);
        }
    }

    /// Subjects that had to be closed before their time, for want of room.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    fn close(&mut self, key: &Key, closed: &mut Vec<Alert>) {
        let Some(window) = self.open.remove(key) else { return };
        self.order.remove(&window.place);
        if let Some(mut alert) = window.last {
            alert.severity = window.worst;
            alert.repeats = window.count;
            alert.closes = Some(window.first);
            closed.push(*alert);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detections::testing::{Bench, card_for_tests, finding_for_tests, ip};
    use crate::facts::event::{Event, EventId, EventKind, FrameRef};

    const SECOND: u64 = 1_000_000_000;

    fn alert(frame: u64, second: u64, subject: &str, severity: Severity) -> Alert {
        let id = EventId { frame, ordinal: 0 };
        let origin = FrameRef { capture: 0, frame };
        let time = Timestamp(second * SECOND);
        Alert {
            card: card_for_tests(),
            id: AlertId { detection: card_for_tests().id, event: id, finding: 0 },
            time,
            origin,
            severity,
            finding: finding_for_tests(subject),
            event: Event { id, origin, time, flow: None, kind: EventKind::Tick },
            repeats: 0,
            closes: None,
        }
    }

    #[test]
    fn the_first_goes_out_and_the_rest_of_the_window_is_told_by_one() {
        let mut repeats = Repeats::new(600 * SECOND, 8);
        let mut closed = Vec::new();
        assert!(repeats.admit(alert(1, 0, "a", Severity::Low), &mut closed).is_some());
        for frame in 2..=5 {
            assert!(repeats.admit(alert(frame, frame, "a", Severity::Low), &mut closed).is_none());
        }
        repeats.expire(Timestamp(599 * SECOND), &mut closed);
        assert!(closed.is_empty());
        repeats.expire(Timestamp(600 * SECOND), &mut closed);
        assert_eq!(closed.len(), 1);
        assert_eq!(closed[0].repeats, 4);
        assert_eq!(closed[0].id.event.frame, 5);
        assert_eq!(closed[0].closes.unwrap().event.frame, 1);
        assert!(repeats.admit(alert(6, 601, "a", Severity::Low), &mut closed).is_some(), "a new window");
        repeats.finish(&mut closed);
        assert_eq!(closed.len(), 1, "a window without repeats closes silently");
    }

    #[test]
    fn what_is_worse_goes_out_at_once() {
        let mut repeats = Repeats::new(600 * SECOND, 8);
        let mut closed = Vec::new();
        assert!(repeats.admit(alert(1, 0, "a", Severity::Low), &mut closed).is_some());
        assert!(repeats.admit(alert(2, 1, "a", Severity::High), &mut closed).is_some());
        assert!(repeats.admit(alert(3, 2, "a", Severity::High), &mut closed).is_none());
        assert!(repeats.admit(alert(4, 3, "a", Severity::Medium), &mut closed).is_none());
        repeats.finish(&mut closed);
        assert_eq!((closed[0].repeats, closed[0].severity), (2, Severity::High));
        assert_eq!(closed[0].closes.unwrap().event.frame, 1);
    }

    #[test]
    fn a_subject_that_must_go_is_told_before_it_goes() {
        let mut repeats = Repeats::new(600 * SECOND, 2);
        let mut closed = Vec::new();
        repeats.admit(alert(1, 0, "a", Severity::Low), &mut closed);
        repeats.admit(alert(2, 1, "a", Severity::Low), &mut closed);
        repeats.admit(alert(3, 2, "b", Severity::Low), &mut closed);
        assert!(closed.is_empty());
        repeats.admit(alert(4, 3, "c", Severity::Low), &mut closed);
        assert_eq!((closed.len(), closed[0].repeats, repeats.evicted()), (1, 1, 1));
        repeats.admit(alert(5, 4, "d", Severity::Low), &mut closed);
        assert_eq!(closed.len(), 1, "b had no repeats");
    }

    #[test]
    fn a_clock_that_goes_back_closes_what_it_left_behind() {
        let mut repeats = Repeats::new(600 * SECOND, 8);
        let mut closed = Vec::new();
        repeats.admit(alert(1, 4_000_000, "a", Severity::Low), &mut closed);
        repeats.admit(alert(2, 4_000_000, "a", Severity::Low), &mut closed);
        repeats.expire(Timestamp(3_999_999 * SECOND), &mut closed);
        assert!(closed.is_empty());
        repeats.expire(Timestamp(1_000 * SECOND), &mut closed);
        assert_eq!(closed.len(), 1);
    }

    #[test]
    fn windows_close_in_the_order_they_were_opened() {
        let run = || {
            let mut repeats = Repeats::new(600 * SECOND, 8);
            let mut closed = Vec::new();
            for (frame, subject) in ["z", "a", "m", "a", "m", "z"].into_iter().enumerate() {
                repeats.admit(alert(frame as u64, 0, subject, Severity::Low), &mut closed);
            }
            repeats.finish(&mut closed);
            closed.iter().map(|alert| alert.finding.subject.clone()).collect::<Vec<_>>()
        };
        assert_eq!(run(), ["z", "a", "m"]);
        assert_eq!(run(), run());
    }

    fn suppression(detection: Option<&str>, subject: Option<&str>, until: Option<u64>) -> Suppression {
        Suppression {
            detection: detection.map(str::to_owned),
            subject: subject.map(str::to_owned),
            until: until.map(|second| Timestamp(second * SECOND)),
            reason: "test".to_owned(),
            line: crate::norm::Line { file: 0, line: 1 },
        }
    }

    fn silent(one: Suppression, time: u64) -> bool {
        let bench = Bench::new();
        let mut finding = finding_for_tests("10.0.0.7>10.0.1.9/x");
        finding.assets = vec![
            AssetKey::Ip(Default::default(), ip("10.0.0.7")),
            AssetKey::Mac(Default::default(), MacAddr([2, 0, 0, 0, 0, 9])),
        ];
        Suppressions::new(&[one]).silence("asset_new", &finding, Timestamp(time * SECOND), bench.scene())
    }

    #[test]
    fn a_suppression_matches_whom_it_names() {
        for (subject, expected) in [
            ("10.0.0.7", true),
            ("10.0.0.70", false),
            ("10.0.0.0/24", true),
            ("10.0.0.6/31", true),
            ("10.0.2.0/24", false),
            ("0.0.0.0/0", true),
            ("::/0", false),
            ("02:00:00:00:00:09", true),
            ("02:00:00:00:00:08", false),
            ("10.0.0.7>10.0.1.9/x", true),
            ("10.0.0.7>10.0.1.9", false),
            ("HMI-1", false),
        ] {
            assert_eq!(silent(suppression(None, Some(subject), None), 0), expected, "{subject}");
        }
    }

    #[test]
    fn a_suppression_matches_its_detection_until_its_time() {
        assert!(silent(suppression(None, None, None), 0));
        assert!(silent(suppression(Some("asset_new"), None, None), 0));
        assert!(!silent(suppression(Some("write_unusual"), None, None), 0));
        assert!(silent(suppression(None, None, Some(10)), 9));
        assert!(!silent(suppression(None, None, Some(10)), 10));
    }

    #[test]
    fn ipv6_networks_contain_their_addresses_only() {
        assert!(contains(ip("2001:db8::"), 32, ip("2001:db8:1::5")));
        assert!(!contains(ip("2001:db8::"), 32, ip("2001:db9::5")));
        assert!(!contains(ip("2001:db8::"), 32, ip("10.0.0.1")));
        assert!(contains(ip("::1"), 128, ip("::1")));
    }
}
