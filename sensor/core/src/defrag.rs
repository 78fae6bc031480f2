//! `Defragmenter`: IP fragments put together, bounded in number, octets and time; overlaps told.
//!
//! Where fragments overlap, the octets that came first stay. Operating systems differ here, so any overlap whose octets
//! differ is told: somebody may be showing the sensor something else than the device.

use crate::limits::Limits;
use std::collections::BTreeMap;
use std::net::IpAddr;
use yagura_parsers::packet::{Fragment, Ip, Scope};
use yagura_rules::facts::time::Timestamp;

/// The greatest payload that an IP datagram may have.
const DATAGRAM_MAX: u32 = 65_535;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    scope: Scope,
    source: IpAddr,
    destination: IpAddr,
    identification: u32,
    protocol: u8,
}

#[derive(Debug)]
struct Datagram {
    /// Parts by offset; they never overlap.
    parts: BTreeMap<u32, Vec<u8>>,
    /// Octets in parts.
    octets: usize,
    /// Length of the whole, once the last fragment was seen.
    whole: Option<u32>,
    started: Timestamp,
    number: u64,
    /// It was put together, and is kept for a while to tell fragments that say something else.
    done: bool,
}

/// A datagram that was put together is remembered for so long, in ns: then its identification may be another's.
const DONE_NS: u64 = 30_000_000_000;

/// What became of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It waits for others.
    Held,
    /// It completes a datagram: its octets.
    Whole(Vec<u8>),
    /// It repeats what a datagram that is already together holds.
    Repeated,
    /// It cannot belong to any datagram.
    Refused,
}

/// Datagrams whose fragments are not all here yet.
#[derive(Debug)]
pub struct Defragmenter {
    datagrams: BTreeMap<Key, Datagram>,
    order: BTreeMap<u64, Key>,
    octets: usize,
    datagrams_max: usize,
    octets_max: usize,
    each_max: usize,
    time_ns: u64,
    /// Fragments taken.
    pub fragments: u64,
    /// Datagrams put together.
    pub completed: u64,
    /// Datagrams given up because their time was over.
    pub expired: u64,
    /// Datagrams given up because a bound bit.
    pub evicted: u64,
    /// Fragments that cannot belong to any datagram.
    pub refused: u64,
}

impl Defragmenter {
    /// Bounded by the `fragments_*` limits.
    pub fn new(limits: &Limits) -> Self {
        Self {
            datagrams: BTreeMap::new(),
            order: BTreeMap::new(),
            octets: 0,
            datagrams_max: limits.fragments_datagrams_max.max(1),
            octets_max: limits.fragments_octets_max,
            each_max: limits.fragments_each_max,
            time_ns: limits.fragments_ns,
            fragments: 0,
            completed: 0,
            expired: 0,
            evicted: 0,
            refused: 0,
        }
    }

    /// Takes a fragment. The second answer is whether it overlaps another with different octets.
    pub fn take(
        &mut self,
        number: u64,
        now: Timestamp,
        scope: Scope,
        ip: &Ip,
        fragment: Fragment,
        octets: &[u8],
    ) -> (Outcome, bool) {
        self.fragments = self.fragments.saturating_add(1);
        let len = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        let end = fragment.offset.saturating_add(len);
        // All fragments but the last carry a multiple of eight octets (RFC 791 3.2), and none reaches past the end.
        if len == 0 || end > DATAGRAM_MAX || (fragment.more && !len.is_multiple_of(8)) {
            self.refused = self.refused.saturating_add(1);
            return (Outcome::Refused, false);
        }
        let key = Key {
            scope,
            source: ip.source,
            destination: ip.destination,
            identification: ip.identification.unwrap_or(0),
            protocol: ip.protocol,
        };
        let mut conflict = false;
        if self.datagrams.get(&key).is_some_and(|datagram| datagram.done) {
            if self.repeats(&key, fragment, octets) {
                return (Outcome::Repeated, false);
            }
            // Either somebody shows the sensor another datagram than the host, or the identification is used again: both
            // are read, and the first is told.
            conflict = true;
            self.remove(&key);
        }
        if !self.datagrams.contains_key(&key) {
            while self.datagrams.len() >= self.datagrams_max {
                self.evict_oldest();
            }
            self.order.insert(number, key);
            let started =
                Datagram { parts: BTreeMap::new(), octets: 0, whole: None, started: now, number, done: false };
            self.datagrams.insert(key, started);
        }
        let Some(datagram) = self.datagrams.get_mut(&key) else { return (Outcome::Refused, false) };
        if !fragment.more {
            conflict |= datagram.whole.is_some_and(|whole| whole != end);
            datagram.whole.get_or_insert(end);
        }
        let (added, differs) = insert(&mut datagram.parts, fragment.offset, octets);
        conflict |= differs;
        datagram.octets = datagram.octets.saturating_add(added);
        self.octets = self.octets.saturating_add(added);
        let whole = datagram.whole.and_then(|whole| usize::try_from(whole).ok());
        let beyond = whole.is_some_and(|whole| datagram.octets > whole);
        if beyond || datagram.parts.len() > self.each_max {
            self.remove(&key);
            self.evicted = self.evicted.saturating_add(1);
            return (Outcome::Refused, conflict || beyond);
        }
        if whole == Some(datagram.octets) {
            datagram.done = true;
            datagram.started = now;
            let joined = join(datagram);
            self.completed = self.completed.saturating_add(1);
            return (Outcome::Whole(joined), conflict);
        }
        while self.octets > self.octets_max && !self.order.is_empty() {
            self.evict_oldest();
        }
        (Outcome::Held, conflict)
    }

    /// The clock was set back: nothing began later than now.
    pub fn set_back(&mut self, now: Timestamp) {
        for datagram in self.datagrams.values_mut() {
            datagram.started = datagram.started.min(now);
        }
    }

    /// Gives up datagrams whose time is over.
    pub fn expire(&mut self, now: Timestamp) {
        while let Some((_, key)) = self.order.first_key_value() {
            let key = *key;
            let Some(datagram) = self.datagrams.get(&key) else { break };
            let (patience, done) = if datagram.done { (DONE_NS, true) } else { (self.time_ns, false) };
            if now.since(datagram.started) < patience {
                break;
            }
            self.remove(&key);
            if !done {
                self.expired = self.expired.saturating_add(1);
            }
        }
    }

    fn evict_oldest(&mut self) {
        if let Some((_, key)) = self.order.first_key_value() {
            let key = *key;
            if self.remove(&key).is_some_and(|datagram| !datagram.done) {
                self.evicted = self.evicted.saturating_add(1);
            }
        }
    }

    /// Whether a fragment says what the datagram that is together holds.
    fn repeats(&self, key: &Key, fragment: Fragment, octets: &[u8]) -> bool {
        let Some(datagram) = self.datagrams.get(key) else { return false };
        let whole = join(datagram);
        let start = usize::try_from(fragment.offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(octets.len());
        whole.get(start..end) == Some(octets) && fragment.more == (end < whole.len())
    }

    fn remove(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.datagrams.remove(key)?;
        self.order.remove(&datagram.number);
        self.octets = self.octets.saturating_sub(datagram.octets);
        Some(datagram)
    }
}

fn join(datagram: &Datagram) -> Vec<u8> {
    let mut octets = Vec::with_capacity(datagram.octets);
    for part in datagram.parts.values() {
        octets.extend_from_slice(part);
    }
    octets
}

/// Puts in what is not there yet; answers how many octets that were, and whether any that were there differ.
fn insert(parts: &mut BTreeMap<u32, Vec<u8>>, offset: u32, octets: &[u8]) -> (usize, bool) {
    let mut at = offset;
    let mut rest = octets;
    let mut added = 0_usize;
    let mut differs = false;
    while !rest.is_empty() {
        let held = parts.range(..=at).next_back().map(|(start, part)| (*start, part));
        if let Some((start, part)) = held {
            let inside = usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
            if let Some(there) = part.get(inside..).filter(|there| !there.is_empty()) {
                let n = there.len().min(rest.len());
                let (same, after) = rest.split_at(n);
                differs |= there.get(..n) != Some(same);
                at = at.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
                rest = after;
                continue;
            }
        }
        let until =
            parts.range(at..).next().map(|(start, _)| usize::try_from(start.saturating_sub(at)).unwrap_or(usize::MAX));
        let n = until.unwrap_or(usize::MAX).min(rest.len());
        let (new, after) = rest.split_at(n);
        parts.insert(at, new.to_vec());
        added = added.saturating_add(n);
        at = at.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
        rest = after;
    }
    (added, differs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(identification: u32) -> Ip {
        Ip {
            source: [10, 0, 0, 1].into(),
            destination: [10, 0, 0, 2].into(),
            ttl: 64,
            identification: Some(identification),
            protocol: 17,
            fragment: None,
        }
    }

    fn take(d: &mut Defragmenter, number: u64, offset: u32, more: bool, octets: &[u8]) -> (Outcome, bool) {
        d.take(number, Timestamp(number), Scope::default(), &ip(1), Fragment { offset, more }, octets)
    }

    #[test]
    fn any_order_gives_the_whole() {
        let mut d = Defragmenter::new(&Limits::default());
        assert_eq!(take(&mut d, 1, 16, false, b"end"), (Outcome::Held, false));
        assert_eq!(take(&mut d, 2, 8, true, b"middle--"), (Outcome::Held, false));
        assert_eq!(take(&mut d, 3, 8, true, b"middle--"), (Outcome::Held, false), "a repeat is no conflict");
        assert_eq!(take(&mut d, 4, 0, true, b"begin---"), (Outcome::Whole(b"begin---middle--end".to_vec()), false));
        assert_eq!(take(&mut d, 5, 8, true, b"middle--"), (Outcome::Repeated, false));
        assert_eq!(take(&mut d, 6, 8, true, b"another-"), (Outcome::Held, true), "told, and read as a new one");
        d.expire(Timestamp(90_000_000_000));
        assert_eq!((d.octets, d.datagrams.len(), d.order.len(), d.expired), (0, 0, 0, 1));
    }

    #[test]
    fn the_first_octets_stay_and_a_difference_is_told() {
        let mut d = Defragmenter::new(&Limits::default());
        assert_eq!(take(&mut d, 1, 0, true, b"AAAAAAAA"), (Outcome::Held, false));
        assert_eq!(take(&mut d, 2, 0, true, b"AAAABBBBCCCCCCCC"), (Outcome::Held, true));
        assert_eq!(take(&mut d, 3, 16, false, b"D"), (Outcome::Whole(b"AAAAAAAACCCCCCCCD".to_vec()), false));
    }

    #[test]
    fn impossible_fragments_are_refused() {
        let mut d = Defragmenter::new(&Limits::default());
        assert_eq!(take(&mut d, 1, 65_528, false, b"ping of death").0, Outcome::Refused);
        assert_eq!(take(&mut d, 2, 0, true, b"seven--").0, Outcome::Refused);
        assert_eq!(take(&mut d, 3, 0, true, b"").0, Outcome::Refused);
        assert_eq!(d.refused, 3);
    }

    #[test]
    fn bounds_hold_and_the_oldest_goes() {
        let limits = Limits { fragments_datagrams_max: 2, fragments_octets_max: 20, ..Limits::default() };
        let mut d = Defragmenter::new(&limits);
        for number in 1..=10_u32 {
            let fragment = Fragment { offset: 0, more: true };
            d.take(u64::from(number), Timestamp(0), Scope::default(), &ip(number), fragment, b"eight---");
            assert!(d.datagrams.len() <= 2 && d.octets <= 20);
        }
        assert_eq!(d.evicted, 8);
        d.expire(Timestamp(60_000_000_000));
        assert_eq!((d.datagrams.len(), d.octets, d.expired), (0, 0, 2));
    }
}
