//! `Duplicates`: second copies of a frame that a mirror port makes, told from what devices repeat.
//!
//! A port that is mirrored in both directions, or a VLAN that is mirrored on two ports, delivers a packet twice. A copy
//! has the same addresses, identification, sequence numbers and payload; MAC addresses, tags, hop count and header
//! checksum may differ, since it may have been seen on both sides of a router.

use crate::limits::Limits;
use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hasher};
use yagura_parsers::packet::{Ip, Network, Packet, Transport};
use yagura_rules::facts::time::Timestamp;

/// Entries that share a place; the oldest goes first.
const WAYS: usize = 4;

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    fingerprint: u64,
    number: u64,
    time: Timestamp,
}

/// A memory of the latest frames, by fingerprint.
///
/// The place of an entry comes from the headers by a fixed rule, so the seed changes nothing that is told; the
/// fingerprint itself is seeded, so that nobody can make two packets that pass for copies of each other.
#[derive(Debug)]
pub struct Duplicates {
    entries: Vec<[Entry; WAYS]>,
    state: FixedState,
    frames: u64,
    time_ns: u64,
    /// Second copies found.
    pub found: u64,
}

impl Duplicates {
    /// A memory of at most `limits.duplicate_frames` frames back.
    pub fn new(limits: &Limits, seed: u64) -> Self {
        let places = limits.duplicate_frames.next_power_of_two();
        Self {
            entries: vec![[Entry::default(); WAYS]; places],
            state: FixedState::with_seed(seed),
            frames: u64::try_from(limits.duplicate_frames).unwrap_or(u64::MAX),
            time_ns: limits.duplicate_ns,
            found: 0,
        }
    }

    /// Whether the packet is a second copy of an earlier one; remembers it where it is not.
    #[inline]
    pub fn is_copy(&mut self, number: u64, time: Timestamp, packet: &Packet, payload: &[u8]) -> bool {
        let Network::Ip(ip, transport) = &packet.network else { return false };
        let Some((place, header)) = header_words(ip, *transport) else { return false };
        let mut hasher = self.state.build_hasher();
        hasher.write_u64(header);
        hasher.write_u64(place);
        write_address(&mut hasher, ip.source);
        write_address(&mut hasher, ip.destination);
        hasher.write(payload);
        let fingerprint = hasher.finish();
        let places = u64::try_from(self.entries.len()).unwrap_or(u64::MAX);
        let index =
            (place ^ (place >> 29) ^ header).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20 & places.saturating_sub(1);
        let Some(entries) = self.entries.get_mut(usize::try_from(index).unwrap_or(0)) else { return false };
        let copied = entries.iter_mut().find(|entry| {
            entry.fingerprint == fingerprint
                && entry.number != 0
                && number.saturating_sub(entry.number) <= self.frames
                && time.0.abs_diff(entry.time.0) <= self.time_ns
        });
        if let Some(entry) = copied {
            // A copy is answered for once. What comes a third time is an original again, so that a flood of equal
            // datagrams still counts as one.
            *entry = Entry::default();
            self.found = self.found.saturating_add(1);
            return true;
        }
        let [a, b, c, d] = entries;
        let (first, second) = (if b.number < a.number { b } else { a }, if d.number < c.number { d } else { c });
        let oldest = if second.number < first.number { second } else { first };
        *oldest = Entry { fingerprint, number, time };
        false
    }
}

/// Two words of the headers that a copy shares; `None` for what devices repeat of themselves, octet for octet: datagrams
/// without identification.
#[inline]
fn header_words(ip: &Ip, transport: Transport) -> Option<(u64, u64)> {
    let identification = u64::from(ip.identification.unwrap_or(0));
    let fragment = ip.fragment.map_or(0, |f| u64::from(f.offset) << 1 | u64::from(f.more));
    match transport {
        Transport::Tcp { source, destination, sequence, acknowledgment, window, flags } => Some((
            u64::from(sequence) << 32 | u64::from(acknowledgment),
            (u64::from(source) << 48 | u64::from(destination) << 32 | u64::from(window) << 16)
                ^ u64::from(flags.0)
                ^ identification << 8,
        )),
        _ if identification == 0 => None,
        Transport::Udp { source, destination } => {
            Some((identification << 32 | fragment, u64::from(source) << 48 | u64::from(destination) << 32 | 17))
        }
        Transport::Icmp { kind, code } => {
            Some((identification << 32 | fragment, u64::from(kind) << 16 | u64::from(code) << 8 | 1))
        }
        Transport::Other => Some((identification << 32 | fragment, u64::from(ip.protocol))),
    }
}

#[inline]
fn write_address(hasher: &mut impl Hasher, address: std::net::IpAddr) {
    match address {
        std::net::IpAddr::V4(v4) => hasher.write_u32(v4.to_bits()),
        std::net::IpAddr::V6(v6) => hasher.write_u128(v6.to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yagura_parsers::packet::TcpFlags;

    fn packet(identification: u32, transport: Transport) -> Packet {
        let ip = Ip {
            source: [10, 0, 0, 1].into(),
            destination: [10, 0, 0, 2].into(),
            ttl: 64,
            identification: Some(identification),
            protocol: 6,
            fragment: None,
        };
        Packet { network: Network::Ip(ip, transport), ..Packet::EMPTY }
    }

    const TCP: Transport = Transport::Tcp {
        source: 1025,
        destination: 502,
        sequence: 7,
        acknowledgment: 9,
        window: 100,
        flags: TcpFlags(0x18),
    };

    #[test]
    fn a_copy_is_told_once_whatever_its_hop_count_and_tag() {
        let mut duplicates = Duplicates::new(&Limits::default(), 1);
        let first = packet(77, TCP);
        let mut copy = first;
        copy.scope.tags[0] = 12;
        if let Network::Ip(ip, _) = &mut copy.network {
            ip.ttl = 63;
        }
        assert!(!duplicates.is_copy(1, Timestamp(0), &first, b"abc"));
        assert!(duplicates.is_copy(2, Timestamp(400_000), &copy, b"abc"));
        assert!(!duplicates.is_copy(3, Timestamp(500_000), &first, b"abc"), "a third is an original again");
        assert!(!duplicates.is_copy(4, Timestamp(600_000), &packet(78, TCP), b"abc"), "a retransmission has a new id");
        assert!(!duplicates.is_copy(5, Timestamp(600_000), &packet(77, TCP), b"abd"), "other octets");
    }

    #[test]
    fn neither_late_nor_unidentified_datagrams_are_copies() {
        let mut duplicates = Duplicates::new(&Limits::default(), 1);
        let udp = Transport::Udp { source: 9, destination: 10 };
        assert!(!duplicates.is_copy(1, Timestamp(0), &packet(0, udp), b"same"));
        assert!(!duplicates.is_copy(2, Timestamp(1), &packet(0, udp), b"same"));
        assert!(!duplicates.is_copy(3, Timestamp(2), &packet(5, udp), b"same"));
        assert!(!duplicates.is_copy(4, Timestamp(2 + 5_000_001), &packet(5, udp), b"same"));
        assert!(duplicates.is_copy(5, Timestamp(2 + 5_000_002), &packet(5, udp), b"same"));
    }
}
