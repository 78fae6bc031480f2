//! Data link frames: the header, blocks with their CRCs, finding the next header where one is lost.

use crate::dissect::{Framing, Probe, Sender};
use crate::error::{Clause, ErrorKind, ParseError};

use super::codes::FunctionCode;
use super::crc::crc;

/// Octets of the header with its CRC.
pub const HEADER: usize = 10;
/// Octets of user data before each CRC but perhaps the last.
pub const BLOCK: usize = 16;
/// Octets of a CRC.
const CRC: usize = 2;
/// The least that the length field can say: control, destination and source.
pub const LENGTH_LEAST: u8 = 5;
/// The most user data of a frame, the transport header among them.
pub const USER_DATA_MOST: usize = 250;
/// The longest frame.
pub const LONGEST: usize = 292;
/// The start octets.
pub const START: [u8; 2] = [0x05, 0x64];
/// The first of the addresses that no station has: 0xFFF0 to 0xFFFB are reserved.
pub const RESERVED_FIRST: u16 = 0xFFF0;
/// The address that any outstation takes for its own, where it is told to.
pub const SELF_ADDRESS: u16 = 0xFFFC;
/// The first of the three addresses that all outstations hear.
pub const BROADCAST_FIRST: u16 = 0xFFFD;

/// Where the standard tells of frames, their fields and CRCs.
pub const FRAME: Clause = Clause("IEEE 1815-2012 9.2.4");

/// The control octet of a link frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkControl(pub u8);

impl LinkControl {
    /// DIR: sent by a master.
    #[inline]
    #[must_use]
    pub fn is_from_master(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// PRM: begins an exchange of the link layer; else it answers one.
    #[inline]
    #[must_use]
    pub fn is_primary(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// FCB: changes with each new frame that counts.
    #[must_use]
    pub fn frame_count_bit(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// FCV of a primary frame: its frame count bit is heeded. DFC of a secondary one: no more user data, please.
    #[must_use]
    pub fn frame_count_valid(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// The function code, 0 to 15.
    #[inline]
    #[must_use]
    pub fn function_code(self) -> u8 {
        self.0 & 0x0F
    }

    /// Whether a transport segment follows.
    #[inline]
    #[must_use]
    pub fn carries_user_data(self) -> bool {
        matches!(self.0 & 0x4F, 0x43 | 0x44)
    }

    /// The standard's name of the function.
    #[must_use]
    pub fn function_name(self) -> Option<&'static str> {
        Some(match (self.is_primary(), self.function_code()) {
            (true, 0) => "reset_link_states",
            // Obsolete.
            (true, 1) => "reset_user_process",
            (true, 2) => "test_link_states",
            (true, 3) => "confirmed_user_data",
            (true, 4) => "unconfirmed_user_data",
            (true, 9) => "request_link_status",
            (false, 0) => "ack",
            (false, 1) => "nack",
            (false, 11) => "link_status",
            // Obsolete.
            (false, 14) => "link_not_functioning",
            (false, 15) => "not_supported",
            _ => return None,
        })
    }
}

/// The header of a link frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkHeader {
    /// Octets of control, addresses and user data: 5 to 255.
    pub length: u8,
    /// Direction and function.
    pub control: LinkControl,
    /// Who is to hear it.
    pub destination: u16,
    /// Who says it.
    pub source: u16,
}

impl LinkHeader {
    /// Reads the header at the head of `octets`; `None` where its start octets, length or CRC are not right, and where
    /// there are fewer than 10 octets.
    #[inline]
    #[must_use]
    pub fn read(octets: &[u8]) -> Option<Self> {
        let (summed, rest) = octets.split_first_chunk::<8>()?;
        let sum = u16::from_le_bytes(*rest.first_chunk::<CRC>()?);
        let [0x05, 0x64, length, control, destination_low, destination_high, source_low, source_high] = *summed else {
            return None;
        };
        if length < LENGTH_LEAST || crc(summed) != sum {
            return None;
        }
        Some(Self {
            length,
            control: LinkControl(control),
            destination: u16::from_le_bytes([destination_low, destination_high]),
            source: u16::from_le_bytes([source_low, source_high]),
        })
    }

    /// Octets of user data.
    #[inline]
    #[must_use]
    pub fn user_octets(&self) -> usize {
        usize::from(self.length).saturating_sub(usize::from(LENGTH_LEAST))
    }

    /// Octets of the whole frame with its CRCs.
    #[inline]
    #[must_use]
    pub fn frame_octets(&self) -> usize {
        let user = self.user_octets();
        HEADER.saturating_add(user).saturating_add(user.div_ceil(BLOCK).saturating_mul(CRC))
    }
}

/// Where the frame at the head ends.
#[inline]
pub(super) fn frame(octets: &[u8]) -> Framing {
    match LinkHeader::read(octets) {
        Some(header) => {
            let len = header.frame_octets();
            if octets.len() >= len { Framing::Whole(len) } else { Framing::Short(len) }
        }
        None if is_partial(octets) => Framing::Short(HEADER),
        None => resynchronize(octets),
    }
}

/// Whether what there is of a header is right, and too little of it.
fn is_partial(octets: &[u8]) -> bool {
    octets.len() < HEADER
        && octets.iter().zip(START).all(|(octet, start)| *octet == start)
        && octets.get(2).is_none_or(|length| *length >= LENGTH_LEAST)
}

/// Looks for the next header with a right CRC, or the beginning of one at the end, as a station does.
#[cold]
fn resynchronize(octets: &[u8]) -> Framing {
    for at in 1..octets.len() {
        let rest = octets.get(at..).unwrap_or(&[]);
        if rest.first() == Some(&0x05) && (LinkHeader::read(rest).is_some() || is_partial(rest)) {
            return Framing::Lost(at);
        }
    }
    Framing::Lost(octets.len().max(1))
}

/// Whether octets hold a frame, and who sent the first.
///
/// Stations look for the start octets and a right CRC in whatever they get, so what stands before a frame hides it from
/// nobody. Start octets and CRC are 32 bits; beyond the head a function of the standard is wanted too.
pub(super) fn probe(head: &[u8], datagram: bool) -> Probe {
    if let Some(header) = LinkHeader::read(head) {
        return Probe::Match(sender(header, head));
    }
    for at in 1..head.len() {
        let rest = head.get(at..).unwrap_or(&[]);
        if rest.first() == Some(&0x05)
            && let Some(header) = LinkHeader::read(rest)
            && header.control.function_name().is_some()
        {
            return Probe::Match(sender(header, rest));
        }
    }
    // The end of the head may be the beginning of a header.
    let from = head.len().saturating_sub(HEADER.saturating_sub(1));
    let is_begun = |at: usize| head.get(at..).is_some_and(|rest| !rest.is_empty() && is_partial(rest));
    if !datagram && (from..head.len()).any(is_begun) { Probe::Unsure } else { Probe::NoMatch }
}

/// Who sent a frame: who asks what the standard knows is the master, whatever the direction bit says.
fn sender(header: LinkHeader, frame: &[u8]) -> Sender {
    let by_bit = if header.control.is_from_master() { Sender::Client } else { Sender::Server };
    // Behind the header stand the transport header, of a first segment, and the application control.
    let function = match frame.get(HEADER..) {
        Some([transport, _, function, ..]) if header.user_octets() > 2 && transport & 0x40 != 0 => *function,
        _ => return by_bit,
    };
    let asks = header.control.carries_user_data() && FunctionCode(function).is_request();
    if asks { Sender::Client } else { by_bit }
}

/// Puts the user data of a whole frame, whose header is right, into `out` in place of what is there.
///
/// # Errors
/// [`ErrorKind::Checksum`] where the CRC of a block is wrong, and [`ErrorKind::Truncated`] where the frame ends too soon.
#[inline]
pub(super) fn user_data(header: LinkHeader, frame: &[u8], out: &mut Vec<u8>) -> Result<(), ParseError> {
    let mut rest = frame.get(HEADER..).unwrap_or(&[]);
    // Room for all of it at once: what was there before is written over block by block.
    out.resize(header.user_octets(), 0);
    let (blocks, last) = out.as_chunks_mut::<BLOCK>();
    for block in blocks {
        match rest.split_first_chunk::<BLOCK>() {
            Some((octets, after)) if after.first_chunk() == Some(&crc(octets).to_le_bytes()) => {
                *block = *octets;
                rest = after.get(CRC..).unwrap_or(&[]);
            }
            _ => return Err(block_breach(frame, rest, BLOCK)),
        }
    }
    if last.is_empty() {
        return Ok(());
    }
    match rest.split_at_checked(last.len()) {
        Some((octets, after)) if after.first_chunk() == Some(&crc(octets).to_le_bytes()) => {
            last.copy_from_slice(octets);
            Ok(())
        }
        _ => Err(block_breach(frame, rest, last.len())),
    }
}

/// What is wrong with a block of `length` octets of user data that `rest` begins with: it is cut short, or its CRC does
/// not fit.
#[cold]
fn block_breach(frame: &[u8], rest: &[u8], length: usize) -> ParseError {
    let small = |octets: usize| u32::try_from(octets).unwrap_or(u32::MAX);
    let kind = match rest.split_at_checked(length).map(|(block, after)| (block, after.first_chunk::<CRC>())) {
        Some((block, Some(sum))) => {
            ErrorKind::Checksum { got: u16::from_le_bytes(*sum).into(), expected: crc(block).into() }
        }
        _ => ErrorKind::Truncated { need: small(length.saturating_add(CRC)), have: small(rest.len()) },
    };
    ParseError { kind, field: "block", offset: small(frame.len().saturating_sub(rest.len())), clause: FRAME }
}
