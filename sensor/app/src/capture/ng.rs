//! pcapng: sections, interfaces, and the blocks that hold packets (draft-ietf-opsawg-pcapng).
//!
//! Section headers and interface descriptions are read with `pcap-parser`. Packet blocks are read here: the crate's
//! own take a vector of options a packet, cannot tell a block that is cut from one that lies, and its clocks leave out
//! powers of two and offsets in most-significant-first files.

use super::order::ByteOrder;
use super::source::{FRAME_OCTETS_MAX, Found, Scan, Stop};
use pcap_parser::{
    BOM_MAGIC, EPB_MAGIC, IDB_MAGIC, InterfaceDescriptionBlock, OptionCode, SHB_MAGIC, SPB_MAGIC,
    parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le, parse_sectionheaderblock,
};
use yagura_parsers::packet::link::LinkType;
use yagura_rules::facts::time::Timestamp;

/// The first four octets of a pcapng capture, in either byte order.
pub(super) const MAGIC: [u8; 4] = SHB_MAGIC.to_le_bytes();

/// Octets that must be there to tell what block it is: type, length, and a section's byte-order magic.
const BLOCK_HEAD_OCTETS: usize = 12;

/// The longest block that is read whole, in octets: a frame of the greatest length with its options.
const READ_BLOCK_OCTETS_MAX: u32 = 2 * FRAME_OCTETS_MAX;

/// The longest block that is passed over, in octets (names, secrets, statistics, what vendors add).
const SKIPPED_BLOCK_OCTETS_MAX: u32 = 256 << 20;

/// The most interfaces in one section.
const INTERFACES_MAX: usize = 1 << 16;

/// Octets of an enhanced or obsolete packet block before the frame, and with its second length after it.
const PACKET_HEAD_OCTETS: usize = 28;
const PACKET_OCTETS_MIN: u32 = 32;

/// The obsolete packet block, which `pcap-parser` has no name for (draft-ietf-opsawg-pcapng, appendix A).
const OBSOLETE_PACKET: u32 = 2;

/// A pcapng capture, from its first octet on.
#[derive(Debug)]
pub(super) struct Ng {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    /// The time of the last packet that had one.
    time: Timestamp,
    /// Frames found so far that have no time.
    pub(super) frames_without_time: u64,
    /// The second length that must come next, where a block was passed over.
    owed_length: Option<u32>,
}

/// What is known of an interface.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: LinkType,
    clock: Clock,
    /// 0: no limit.
    snap_octets: u32,
}

impl Ng {
    /// Before the first block.
    pub(super) fn new() -> Self {
        Self {
            order: ByteOrder::Little,
            interfaces: Vec::new(),
            time: Timestamp(0),
            frames_without_time: 0,
            owed_length: None,
        }
    }

    /// Whether a capture may end here: between two blocks.
    pub(super) fn may_end(&self) -> bool {
        self.owed_length.is_none()
    }

    /// Finds the packets from `begin` of `block` on.
    pub(super) fn scan(&mut self, block: &[u8], begin: usize, found: &mut Found<'_>) -> Scan {
        let mut at = begin;
        let stop = loop {
            if found.is_full() {
                break Stop::Full;
            }
            let rest = block.get(at..).unwrap_or_default();
            match self.step(rest, at, found) {
                Ok(octets) => at = at.saturating_add(octets),
                Err(stop) => break stop,
            }
        };
        Scan { reached: at, stop }
    }

    /// Reads the block that `rest` starts with, at `at` of the block of octets: how long it is.
    #[inline]
    fn step(&mut self, rest: &[u8], at: usize, found: &mut Found<'_>) -> Result<usize, Stop> {
        if let Some(length) = self.owed_length {
            let again = rest.get(..4).ok_or(Stop::Needs(4))?;
            self.owed_length = None;
            return same_length(length, self.order.u32_at(again, 0)).map(|()| 4);
        }
        let head = rest.first_chunk::<BLOCK_HEAD_OCTETS>().ok_or(Stop::Needs(BLOCK_HEAD_OCTETS))?;
        let kind = self.order.u32_at(head, 0);
        // The type of a section header reads the same in both orders; what follows tells which it is.
        let order = if kind == SHB_MAGIC { section_order(head)? } else { self.order };
        let length = order.u32_at(head, 4);
        if length < 12 || !length.is_multiple_of(4) {
            return Err(Stop::Damaged(format!(
                "the block claims {length} octets, and a block has at least 12 and a multiple of 4"
            )));
        }
        match kind {
            EPB_MAGIC => {
                let whole = whole(rest, order, length, PACKET_OCTETS_MIN)?;
                self.packet(order.u32_at(whole, 8), whole, length, at, found)?;
            }
            OBSOLETE_PACKET => {
                let whole = whole(rest, order, length, PACKET_OCTETS_MIN)?;
                self.packet(u32::from(order.u16_at(whole, 8)), whole, length, at, found)?;
            }
            SPB_MAGIC => {
                let whole = whole(rest, order, length, 16)?;
                let interface = interface(&self.interfaces, 0)?;
                let wire = order.u32_at(whole, 8);
                let captured = if interface.snap_octets == 0 { wire } else { wire.min(interface.snap_octets) };
                fits(captured, length.saturating_sub(16))?;
                self.frames_without_time = self.frames_without_time.saturating_add(1);
                found.push(self.time, interface.link, wire, at.saturating_add(12), captured);
            }
            IDB_MAGIC => {
                let whole = whole(rest, order, length, 20)?;
                if self.interfaces.len() >= INTERFACES_MAX {
                    return Err(Stop::Damaged(format!("more than {INTERFACES_MAX} interfaces in one section")));
                }
                self.interfaces.push(Interface::read(order, whole)?);
            }
            SHB_MAGIC => {
                let whole = whole(rest, order, length, 28)?;
                let (_, section) = parse_sectionheaderblock(whole)
                    .map_err(|_| Stop::Damaged("the section header cannot be read".to_owned()))?;
                if section.major_version != 1 {
                    let version = format!("version {}.{} of pcapng", section.major_version, section.minor_version);
                    return Err(Stop::Unsupported(version));
                }
                self.order = order;
                self.interfaces.clear();
            }
            // Names, statistics, secrets, custom blocks, and whatever comes next: there is no frame in them.
            _ => return self.pass_over(rest, length),
        }
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// The packet of an enhanced or obsolete packet block, which differ only in where the number of the interface
    /// stands.
    #[inline]
    fn packet(&mut self, number: u32, whole: &[u8], length: u32, at: usize, found: &mut Found<'_>) -> Result<(), Stop> {
        let whole = whole.first_chunk::<PACKET_HEAD_OCTETS>().ok_or(Stop::Needs(PACKET_HEAD_OCTETS))?;
        let high = u64::from(self.order.u32_at(whole, 12));
        let low = u64::from(self.order.u32_at(whole, 16));
        let captured = self.order.u32_at(whole, 20);
        let wire = self.order.u32_at(whole, 24);
        fits(captured, length.saturating_sub(PACKET_OCTETS_MIN))?;
        let interface = interface(&self.interfaces, number)?;
        self.time = interface.clock.time(high << 32 | low);
        found.push(self.time, interface.link, wire, at.saturating_add(PACKET_HEAD_OCTETS), captured);
        Ok(())
    }

    /// Passes over a block up to its second length, or says how much is still to come of it.
    fn pass_over(&mut self, rest: &[u8], length: u32) -> Result<usize, Stop> {
        if length > SKIPPED_BLOCK_OCTETS_MAX {
            return Err(Stop::Damaged(format!(
                "the block claims {length} octets, more than the {SKIPPED_BLOCK_OCTETS_MAX} that are believed"
            )));
        }
        self.owed_length = Some(length);
        let octets = length.saturating_sub(4);
        match usize::try_from(octets) {
            Ok(here) if here <= rest.len() => Ok(here),
            _ => Err(Stop::Skips(u64::from(octets))),
        }
    }
}

impl Interface {
    /// What an interface description block says; `block` is whole.
    fn read(order: ByteOrder, block: &[u8]) -> Result<Self, Stop> {
        let parsed = match order {
            ByteOrder::Little => parse_interfacedescriptionblock_le(block),
            ByteOrder::Big => parse_interfacedescriptionblock_be(block),
        };
        let (_, description) =
            parsed.map_err(|_| Stop::Damaged("the interface description cannot be read".to_owned()))?;
        Ok(Self {
            link: LinkType(u16::try_from(description.linktype.0).unwrap_or_default()),
            clock: Clock::of(order, &description),
            snap_octets: description.snaplen,
        })
    }
}

/// How an interface counts time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    unit: Unit,
    /// Seconds to add.
    offset_s: i64,
}

/// What a time stamp counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// So many nanoseconds each; a power of ten.
    Nanoseconds(u64),
    /// So many of them are a nanosecond; a power of ten.
    PerNanosecond(u64),
    /// 2 to this power of them are a second; at most 127.
    PerSecondLog2(u8),
}

impl Clock {
    /// The clock that an interface's options tell: if_tsresol (9) and if_tsoffset (14). Without them, and where
    /// they have the wrong length, it counts microseconds since 1970.
    fn of(order: ByteOrder, description: &InterfaceDescriptionBlock<'_>) -> Self {
        let mut clock = Self { unit: Unit::of(6), offset_s: 0 };
        for option in description.options.iter().take_while(|option| option.code != OptionCode::EndOfOpt) {
            match (option.code, option.as_bytes()) {
                (OptionCode::IfTsresol, Ok(&[resolution])) => clock.unit = Unit::of(resolution),
                (OptionCode::IfTsoffset, Ok(octets)) => {
                    if let Ok(octets) = octets.try_into() {
                        clock.offset_s = match order {
                            ByteOrder::Little => i64::from_le_bytes(octets),
                            ByteOrder::Big => i64::from_be_bytes(octets),
                        };
                    }
                }
                _ => {}
            }
        }
        clock
    }

    /// The time of a stamp; what lies before 1970 or beyond 64 bits of nanoseconds becomes the nearest that does not.
    #[inline]
    fn time(self, stamp: u64) -> Timestamp {
        let nanoseconds = match self.unit {
            Unit::Nanoseconds(each) => stamp.saturating_mul(each),
            Unit::PerNanosecond(count) => stamp.checked_div(count).unwrap_or_default(),
            // Below 2^94: within 128 bits.
            Unit::PerSecondLog2(log2) => {
                let scaled = (u128::from(stamp).saturating_mul(1_000_000_000)).checked_shr(u32::from(log2));
                u64::try_from(scaled.unwrap_or_default()).unwrap_or(u64::MAX)
            }
        };
        if self.offset_s == 0 {
            return Timestamp(nanoseconds);
        }
        let offset = i128::from(self.offset_s).saturating_mul(1_000_000_000);
        let sum = i128::from(nanoseconds).saturating_add(offset).max(0);
        Timestamp(u64::try_from(sum).unwrap_or(u64::MAX))
    }
}

impl Unit {
    /// The unit of an if_tsresol: a negative power of 10, or of 2 where its most significant bit is set.
    fn of(resolution: u8) -> Self {
        let power = resolution & 0x7f;
        if resolution & 0x80 != 0 {
            return Self::PerSecondLog2(power);
        }
        match power.checked_sub(9) {
            // Where 10^(n - 9) is beyond 64 bits, no stamp reaches a nanosecond: 0, by which all times are 0.
            Some(finer) => Self::PerNanosecond(10_u64.checked_pow(u32::from(finer)).unwrap_or(0)),
            None => Self::Nanoseconds(10_u64.pow(u32::from(9_u8.saturating_sub(power)))),
        }
    }
}

/// The interface of a number.
#[inline]
fn interface(interfaces: &[Interface], number: u32) -> Result<&Interface, Stop> {
    usize::try_from(number).ok().and_then(|index| interfaces.get(index)).ok_or_else(|| {
        Stop::Damaged(format!(
            "the packet is from interface {number}, and the section has described {}",
            interfaces.len()
        ))
    })
}

/// The byte order that a section header declares.
fn section_order(head: &[u8]) -> Result<ByteOrder, Stop> {
    [ByteOrder::Little, ByteOrder::Big]
        .into_iter()
        .find(|order| order.u32_at(head, 8) == BOM_MAGIC)
        .ok_or_else(|| Stop::Damaged("the section header has no byte-order magic".to_owned()))
}

/// The whole block that `rest` starts with, whose two lengths agree.
#[inline]
fn whole(rest: &[u8], order: ByteOrder, length: u32, least: u32) -> Result<&[u8], Stop> {
    if length < least || length > READ_BLOCK_OCTETS_MAX {
        return Err(Stop::Damaged(format!(
            "the block claims {length} octets, and one of its type has {least} to {READ_BLOCK_OCTETS_MAX}"
        )));
    }
    let octets = usize::try_from(length).unwrap_or(usize::MAX);
    let whole = rest.get(..octets).ok_or(Stop::Needs(octets))?;
    same_length(length, order.u32_at(whole, octets.saturating_sub(4)))?;
    Ok(whole)
}

/// Whether the length at the end of a block is that of its start.
#[inline]
fn same_length(length: u32, again: u32) -> Result<(), Stop> {
    if length == again {
        return Ok(());
    }
    Err(Stop::Damaged(format!("the block claims {length} octets at its start and {again} at its end")))
}

/// Whether so many captured octets can be in the room that the block has for them.
#[inline]
fn fits(captured: u32, room: u32) -> Result<(), Stop> {
    if captured <= room.min(FRAME_OCTETS_MAX) {
        return Ok(());
    }
    Err(Stop::Damaged(format!(
        "the packet claims {captured} captured octets; its block has room for {room}, and at most {FRAME_OCTETS_MAX} \
         are believed"
    )))
}
