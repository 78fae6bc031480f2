//! Snoop captures of Solaris, which much equipment still writes (RFC 1761).

use super::order::ByteOrder;
use super::source::{FRAME_OCTETS_MAX, Found, Scan, Stop};
use yagura_parsers::packet::link::LinkType;
use yagura_rules::facts::time::Timestamp;

/// The first octets of a snoop capture (RFC 1761, "Identification Pattern").
pub(super) const MAGIC: [u8; 8] = *b"snoop\0\0\0";

/// The octets of the file header.
pub(super) const FILE_HEADER_OCTETS: usize = 16;

/// The octets of a record's header.
const RECORD_HEADER_OCTETS: usize = 24;

/// The most that a record may pad its frame by, in octets: frames are padded to a multiple of 4, rarely of 8.
const PADDING_OCTETS_MAX: u32 = 4096;

/// All integers have their most significant octet first.
const ORDER: ByteOrder = ByteOrder::Big;

/// A snoop capture whose file header is read.
#[derive(Debug)]
pub(super) struct Snoop {
    link: LinkType,
}

impl Snoop {
    /// Reads the file header; `header` holds [`FILE_HEADER_OCTETS`] of it.
    ///
    /// # Errors
    /// The version, where it is not 2, and the data link type, where pcap has no number for it.
    pub(super) fn open(header: &[u8]) -> Result<Self, String> {
        let version = ORDER.u32_at(header, 8);
        if version != 2 {
            return Err(format!("version {version} of snoop"));
        }
        let link = match ORDER.u32_at(header, 12) {
            // IEEE 802.3, and Ethernet.
            0 | 4 => LinkType::ETHERNET,
            // IEEE 802.5 token ring.
            2 => LinkType(6),
            // FDDI.
            8 => LinkType(10),
            other => return Err(format!("data link type {other} of snoop")),
        };
        Ok(Self { link })
    }

    /// Finds the records from `begin` of `block` on.
    pub(super) fn scan(&self, block: &[u8], begin: usize, found: &mut Found<'_>) -> Scan {
        let mut at = begin;
        let stop = loop {
            if found.is_full() {
                break Stop::Full;
            }
            let rest = block.get(at..).unwrap_or_default();
            let Some(header) = rest.get(..RECORD_HEADER_OCTETS) else {
                break Stop::Needs(RECORD_HEADER_OCTETS);
            };
            let wire = ORDER.u32_at(header, 0);
            let captured = ORDER.u32_at(header, 4);
            let record = ORDER.u32_at(header, 8);
            if captured > FRAME_OCTETS_MAX {
                break Stop::Damaged(format!(
                    "the record claims {captured} captured octets, more than the {FRAME_OCTETS_MAX} that are believed"
                ));
            }
            // Header and frame are within the record, and its padding is short.
            let least = captured.saturating_add(24);
            if record < least || record > least.saturating_add(PADDING_OCTETS_MAX) {
                break Stop::Damaged(format!("the record claims {record} octets, and {captured} of them captured"));
            }
            let octets = usize::try_from(record).unwrap_or(usize::MAX);
            if rest.len() < octets {
                break Stop::Needs(octets);
            }
            let time = u64::from(ORDER.u32_at(header, 16))
                .wrapping_mul(1_000_000_000)
                .wrapping_add(u64::from(ORDER.u32_at(header, 20)).wrapping_mul(1000));
            found.push(Timestamp(time), self.link, wire, at.saturating_add(RECORD_HEADER_OCTETS), captured);
            at = at.saturating_add(octets);
        };
        Scan { reached: at, stop }
    }
}
