//! RTU frames inside TCP: unit identifier, PDU and CRC, told apart by expected lengths and CRC-16/Modbus.

use crate::dissect::{Direction, Framing};
use crate::message::Kind;

use super::adu::kind_of;
use super::message::{Fit, Message};

/// The longest frame: unit identifier, 253 octets of PDU, CRC (Serial Line V1.02 2.5.1).
pub const LONGEST: usize = 256;
/// The shortest: unit identifier, function code, CRC.
pub const SHORTEST: usize = 4;
/// The highest unit identifier; 248 to 255 are reserved (Serial Line V1.02 2.2).
pub const HIGHEST_UNIT: u8 = 247;
/// How far a lost frame is looked for. Longer than any frame: where none starts in so many octets there is no RTU in
/// them, and the next segment is asked anew.
const SCAN: usize = 512;

const fn make_table() -> [u16; 256] {
    let mut table = [0_u16; 256];
    let mut index = 0_u16;
    while index < 256 {
        let mut crc = index;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xA001 } else { crc >> 1 };
            bit = u8::wrapping_add(bit, 1);
        }
        #[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "at compile time, and below 256")]
        {
            table[index as usize] = crc;
        }
        index = index.wrapping_add(1);
    }
    table
}

static TABLE: [u16; 256] = make_table();

/// CRC-16/Modbus: polynomial 0xA001 (reflected), initial value 0xFFFF; sent low octet first (Serial Line V1.02
/// 2.5.1.2).
#[must_use]
pub fn crc(octets: &[u8]) -> u16 {
    octets.iter().fold(0xFFFF, |crc, octet| {
        let [low, _] = (crc ^ u16::from(*octet)).to_le_bytes();
        (crc >> 8) ^ TABLE.get(usize::from(low)).copied().unwrap_or(0)
    })
}

/// Whether the last two octets are the CRC of those before.
fn crc_fits(frame: &[u8]) -> bool {
    // Over a frame with its own CRC the sum is 0.
    (SHORTEST..=LONGEST).contains(&frame.len()) && crc(frame) == 0
}

/// How long the frame at the head of some octets is, by its function code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// So many octets with unit identifier and CRC.
    Known(usize),
    /// At least so many octets are needed to tell.
    More(usize),
    /// The function code does not tell.
    Unknown,
}

/// The length, one `fixed` part and as many octets as the octet at `at` counts.
fn counted(octets: &[u8], at: usize, fixed: usize) -> Length {
    match octets.get(at) {
        Some(count) => Length::Known(fixed.saturating_add(usize::from(*count))),
        None => Length::More(at.saturating_add(1)),
    }
}

fn length(kind: Kind, octets: &[u8]) -> Length {
    let Some(function_code) = octets.get(1) else { return Length::More(SHORTEST) };
    match (kind, function_code) {
        (Kind::Request, 1..=6 | 8) => Length::Known(8),
        (Kind::Request, 7 | 11 | 12 | 17) => Length::Known(4),
        (Kind::Request, 15 | 16) => counted(octets, 6, 9),
        (_, 20 | 21) => counted(octets, 2, 5),
        (_, 22) => Length::Known(10),
        (Kind::Request, 23) => counted(octets, 10, 13),
        (Kind::Request, 24) => Length::Known(6),
        (Kind::Request, 43) => match octets.get(2) {
            Some(14) => Length::Known(7),
            Some(_) => Length::Unknown,
            None => Length::More(3),
        },
        (Kind::Request, _) => Length::Unknown,
        (_, 1..=4 | 12 | 17 | 23) => counted(octets, 2, 5),
        (_, 5 | 6 | 8 | 11 | 15 | 16) => Length::Known(8),
        (_, 7) => Length::Known(5),
        (_, 24) => match octets.get(2..4).and_then(|count| count.first_chunk()) {
            Some(count) => Length::Known(usize::from(u16::from_be_bytes(*count)).saturating_add(6)),
            None => Length::More(4),
        },
        (_, 43) => match octets.get(2) {
            Some(14) => identification(octets),
            Some(_) => Length::Unknown,
            None => Length::More(3),
        },
        (_, 0x81..) => Length::Known(5),
        _ => Length::Unknown,
    }
}

/// The length of a response to read device identification: its objects are walked.
fn identification(octets: &[u8]) -> Length {
    let Some(number) = octets.get(7) else { return Length::More(8) };
    let mut end = 8_usize;
    // At most 255 turns, and none beyond the longest frame.
    for _ in 0..*number {
        if end > LONGEST {
            return Length::Unknown;
        }
        let at = end.saturating_add(1);
        match octets.get(at) {
            Some(len) => end = at.saturating_add(1).saturating_add(usize::from(*len)),
            None => return Length::More(at.saturating_add(1)),
        }
    }
    Length::Known(end.saturating_add(2))
}

fn other(kind: Kind) -> Kind {
    if kind == Kind::Request { Kind::Response } else { Kind::Request }
}

/// The length of a frame of known structure at the head whose CRC fits, whichever way it travels.
fn verified(first: Kind, octets: &[u8]) -> Option<usize> {
    octets.first().filter(|unit| **unit <= HIGHEST_UNIT)?;
    [first, other(first)].into_iter().find_map(|kind| match length(kind, octets) {
        Length::Known(len) => octets.get(..len).filter(|frame| crc_fits(frame)).map(<[u8]>::len),
        Length::More(_) | Length::Unknown => None,
    })
}

/// Where the frame at the head ends. `lost`: octets are missing before it.
pub(super) fn frame(direction: Direction, octets: &[u8], lost: bool) -> Framing {
    let kind = kind_of(direction);
    if let Some(len) = verified(kind, octets) {
        return Framing::Whole(len);
    }
    // A function code whose structure is not known, or a known one that breaks it: gateways send one frame a segment.
    if crc_fits(octets) {
        return Framing::Whole(octets.len());
    }
    let mut need = None;
    let mut unknown = false;
    for kind in [kind, other(kind)] {
        match length(kind, octets) {
            Length::Known(len) | Length::More(len) if len > octets.len() && len <= LONGEST => {
                need = Some(need.map_or(len, |least: usize| least.min(len)));
            }
            Length::Known(_) | Length::More(_) => {}
            Length::Unknown => unknown = true,
        }
    }
    if need.is_none() && unknown && octets.len() < LONGEST {
        need = Some(octets.len().saturating_add(1));
    }
    if octets.first().is_none_or(|unit| *unit > HIGHEST_UNIT) {
        need = None;
    }
    if let Some(need) = need
        && !lost
        && !unknown
    {
        return Framing::Short(need);
    }
    let found =
        (1..octets.len().min(SCAN)).find(|at| octets.get(*at..).is_some_and(|rest| verified(kind, rest).is_some()));
    match (found, need) {
        (Some(at), _) => Framing::Lost(at),
        (None, Some(need)) => Framing::Short(need),
        (None, None) => Framing::Lost(octets.len().max(1)),
    }
}

/// Who must have sent a segment that is nothing but whole frames of known structure; `None` where it is anything else.
pub(super) fn probe(head: &[u8]) -> Option<Fit> {
    let mut fit = Fit { request: true, response: true };
    let mut rest = head;
    loop {
        let len = verified(Kind::Request, rest)?;
        let (frame, after) = rest.split_at_checked(len)?;
        let one = Message::fit_rtu(frame);
        fit = Fit { request: fit.request && one.request, response: fit.response && one.response };
        if !fit.request && !fit.response {
            return None;
        }
        if after.is_empty() {
            return Some(fit);
        }
        rest = after;
    }
}
