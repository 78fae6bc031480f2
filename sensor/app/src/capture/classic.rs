//! Classic pcap: file header and records, all variants that are met (draft-ietf-opsawg-pcap; libpcap's savefiles).
//!
//! Written by hand although `pcap-parser` is here: the crate knows neither the modified variant in both byte orders,
//! nor Ixia's, nor the exchanged lengths of versions before 2.4, and a record is four integers.

use super::order::ByteOrder;
use super::source::{FRAME_OCTETS_MAX, Found, Scan, Stop};
use yagura_parsers::packet::link::LinkType;
use yagura_rules::facts::time::Timestamp;

/// The octets of the file header; Ixia's has four more.
const FILE_HEADER_OCTETS: usize = 24;

/// The octets of a record's header, save in the modified variant.
const RECORD_HEADER_OCTETS: usize = 16;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// What the first four octets of a classic capture say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Variant {
    order: ByteOrder,
    /// Nanoseconds in a unit of a record's fraction of a second.
    fraction_ns: u64,
    record_header_octets: usize,
    /// Octets of the file header, magic included.
    pub(super) file_header_octets: usize,
}

impl Variant {
    /// The variant of a magic number, if it is one of classic pcap.
    pub(super) fn of(magic: [u8; 4]) -> Option<Self> {
        let of = |number: u32, order| {
            let plain = Self {
                order,
                fraction_ns: 1000,
                record_header_octets: RECORD_HEADER_OCTETS,
                file_header_octets: FILE_HEADER_OCTETS,
            };
            match number {
                0xa1b2_c3d4 => Some(plain),
                0xa1b2_3c4d => Some(Self { fraction_ns: 1, ..plain }),
                // Alexey Kuznetzov's libpcap for Linux: each record also has interface index, protocol and packet type.
                0xa1b2_cd34 => Some(Self { record_header_octets: 24, ..plain }),
                // Ixia's lcap, by hardware and software: nanoseconds; the octets of all records follow the file header.
                0x1c00_01ac | 0x1c00_01ab => Some(Self { fraction_ns: 1, file_header_octets: 28, ..plain }),
                _ => None,
            }
        };
        of(u32::from_le_bytes(magic), ByteOrder::Little).or_else(|| of(u32::from_be_bytes(magic), ByteOrder::Big))
    }
}

/// Which of a record's two lengths comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lengths {
    /// Captured, then on the wire: since version 2.4.
    CapturedFirst,
    /// On the wire, then captured: before version 2.3.
    WireFirst,
    /// Version 2.3 was written both ways: the captured length is the smaller one.
    Either,
}

/// A classic capture whose file header is read.
#[derive(Debug)]
pub(super) struct Classic {
    variant: Variant,
    link: LinkType,
    lengths: Lengths,
}

impl Classic {
    /// Reads the file header; `header` holds [`Variant::file_header_octets`] of it.
    ///
    /// The zone and the accuracy of time stamps are 0 in all files of this century, and not looked at, as in libpcap;
    /// nor is the snap length, which tools write as they please.
    ///
    /// # Errors
    /// The version, where its major number is not 2: its records have a shape that nobody knows.
    pub(super) fn open(variant: Variant, header: &[u8]) -> Result<Self, String> {
        let major = variant.order.u16_at(header, 4);
        let minor = variant.order.u16_at(header, 6);
        if major != 2 {
            return Err(format!("version {major}.{minor} of pcap"));
        }
        let lengths = match minor {
            0..3 => Lengths::WireFirst,
            3 => Lengths::Either,
            4.. => Lengths::CapturedFirst,
        };
        // The upper half says whether frames end in a check sequence, and how long that is.
        let network = variant.order.u32_at(header, 20);
        let link = LinkType(u16::try_from(network & 0xffff).unwrap_or_default());
        Ok(Self { variant, link, lengths })
    }

    /// Finds the records from `begin` of `block` on.
    pub(super) fn scan(&self, block: &[u8], begin: usize, found: &mut Found<'_>) -> Scan {
        let Variant { order, fraction_ns, record_header_octets, .. } = self.variant;
        let mut at = begin;
        let stop = loop {
            if found.is_full() {
                break Stop::Full;
            }
            let rest = block.get(at..).unwrap_or_default();
            // A chunk of known length costs no checks; what the modified variant has behind it is part of `octets`.
            let Some(header) = rest.first_chunk::<RECORD_HEADER_OCTETS>() else {
                break Stop::Needs(record_header_octets);
            };
            let first = order.u32_at(header, 8);
            let second = order.u32_at(header, 12);
            let (captured, wire) = match self.lengths {
                Lengths::CapturedFirst => (first, second),
                Lengths::WireFirst => (second, first),
                Lengths::Either => (first.min(second), first.max(second)),
            };
            if captured > FRAME_OCTETS_MAX {
                break Stop::Damaged(format!(
                    "the record claims {captured} captured octets, more than the {FRAME_OCTETS_MAX} that are believed"
                ));
            }
            let octets = record_header_octets.saturating_add(usize::try_from(captured).unwrap_or(usize::MAX));
            if rest.len() < octets {
                break Stop::Needs(octets);
            }
            // At most 2^32 seconds and 2^32 units: within 64 bits.
            let time = u64::from(order.u32_at(header, 0))
                .wrapping_mul(NANOSECONDS_PER_SECOND)
                .wrapping_add(u64::from(order.u32_at(header, 4)).wrapping_mul(fraction_ns));
            found.push(Timestamp(time), self.link, wire, at.saturating_add(record_header_octets), captured);
            at = at.saturating_add(octets);
        };
        Scan { reached: at, stop }
    }
}
