//! The MBAP header: framing, probing, and finding the next header where one is lost.

use crate::dissect::{Direction, Framing, Probe, Sender};
use crate::message::Kind;

use super::message::{Fit, Message};

/// Octets of the MBAP header, the unit identifier among them (Messaging V1.0b 3.1.3).
pub const HEADER: usize = 7;
/// Octets of the header that its length field does not count.
pub(super) const UNCOUNTED: usize = 6;
/// The least that the length field can say: unit identifier and function code.
pub const LENGTH_LEAST: u16 = 2;
/// The most that the length field can say: unit identifier and a PDU of 253 octets (V1.1b3 4.1).
pub const LENGTH_MOST: u16 = 254;

/// The most that is framed in step. Beyond the standard, because devices go beyond it: UMAS agrees on PDUs of up to
/// 1024 octets.
pub(super) const LENGTH_FRAMED: u16 = 1025;

/// What is sent that way.
pub(super) fn kind_of(direction: Direction) -> Kind {
    match direction {
        Direction::ToServer => Kind::Request,
        Direction::ToClient => Kind::Response,
    }
}

/// What stands at the head of some octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    /// A header of an ADU of so many octets in all.
    Valid(usize),
    /// What there is of a header is right.
    Partial,
    /// No header.
    Not,
}

/// The header at the head, whose length field says `most` or less.
#[inline]
fn header(octets: &[u8], most: u16) -> Header {
    if let Some([_, _, 0, 0, high, low]) = octets.first_chunk::<UNCOUNTED>() {
        let length = u16::from_be_bytes([*high, *low]);
        return if (LENGTH_LEAST..=most).contains(&length) {
            Header::Valid(usize::from(length).saturating_add(UNCOUNTED))
        } else {
            Header::Not
        };
    }
    if octets.len() >= UNCOUNTED {
        return Header::Not;
    }
    let protocol_identifier = octets.get(2..octets.len().min(4)).unwrap_or(&[]);
    let [high, _] = most.to_be_bytes();
    let right =
        protocol_identifier.iter().all(|octet| *octet == 0) && octets.get(4).is_none_or(|length| *length <= high);
    if right { Header::Partial } else { Header::Not }
}

/// Where the ADU at the head ends. `lost`: octets are missing before it, so that a right header is not enough.
///
/// In step, an ADU is as long as its header says, whatever its PDU is, and whatever follows it.
#[inline]
pub(super) fn frame(direction: Direction, octets: &[u8], lost: bool) -> Framing {
    match header(octets, LENGTH_FRAMED) {
        Header::Valid(len) if octets.len() >= len && (!lost || is_plausible(direction, octets, len)) => {
            Framing::Whole(len)
        }
        Header::Valid(len) if !lost => Framing::Short(len),
        Header::Partial if !lost => Framing::Short(HEADER.saturating_add(1)),
        Header::Valid(_) | Header::Partial | Header::Not => resynchronize(direction, octets, lost),
    }
}

/// Whether a whole ADU of so many octets reads as its function code wants, and is followed by what may be another.
fn is_plausible(direction: Direction, octets: &[u8], len: usize) -> bool {
    let Some((adu, after)) = octets.split_at_checked(len) else { return false };
    let fit = Message::fit_tcp(adu);
    let fits = match kind_of(direction) {
        Kind::Request => fit.request,
        Kind::Response | Kind::Unsolicited => fit.response,
    };
    fits && header(after, LENGTH_FRAMED) != Header::Not
}

/// Looks for the next header. The first one with a whole and plausible ADU wins; zeros and small numbers among register
/// values look like headers, so one that can't be judged yet only counts where there is none such.
#[cold]
fn resynchronize(direction: Direction, octets: &[u8], lost: bool) -> Framing {
    let mut unjudged = None;
    for at in usize::from(!lost)..octets.len() {
        let rest = octets.get(at..).unwrap_or(&[]);
        let need = match header(rest, LENGTH_MOST) {
            Header::Not => continue,
            Header::Valid(len) if rest.len() >= len => {
                if is_plausible(direction, rest, len) {
                    return Framing::Lost(at.max(1));
                }
                continue;
            }
            Header::Valid(len) => len,
            Header::Partial => HEADER.saturating_add(1),
        };
        unjudged.get_or_insert((at, need));
    }
    match unjudged {
        Some((0, need)) => Framing::Short(need),
        // Octets are known to be lost, so it is judged when it is whole.
        Some((at, _)) if lost => Framing::Lost(at),
        // In step it would be taken for an ADU unjudged: hence one octet before it is kept, which is no header (its
        // length would be 0 there), and the search starts there again.
        Some((at, _)) if at > 1 => Framing::Lost(at.saturating_sub(1)),
        Some((at, need)) => Framing::Short(at.saturating_add(need)),
        None => Framing::Lost(octets.len().max(1)),
    }
}

/// A BER sequence with a length of four octets, then an INTEGER of 1 to 4 octets: LDAP as directory services write
/// it. It fits the header, and now and then (abandon request, unbind request) a PDU too.
fn looks_like_ldap(adu: &[u8]) -> bool {
    adu.starts_with(&[0x30, 0x84]) && matches!(adu.get(UNCOUNTED..), Some([0x02, 1..=4, ..]))
}

/// Whether octets are a chain of ADUs, and who must have sent them.
///
/// A match needs a right header, a length that ends with the octets or at another header, and a PDU that reads
/// without a breach. Right headers alone leave it unsure: the other side's answer tells.
pub(super) fn probe(head: &[u8], datagram: bool) -> Probe {
    let mut rest = head;
    let mut sender = Fit { request: true, response: true };
    let (mut strong, mut weak, mut broken, mut partial) = (false, false, false, false);
    // Every turn uses up an ADU of at least 8 octets, or ends.
    while !rest.is_empty() {
        let len = match header(rest, LENGTH_MOST) {
            Header::Valid(len) => len,
            Header::Partial => {
                partial = true;
                break;
            }
            Header::Not if strong => return Probe::Unsure,
            Header::Not => return Probe::NoMatch,
        };
        let Some((adu, after)) = rest.split_at_checked(len) else {
            partial = true;
            break;
        };
        let fit = Message::fit_tcp_padded(adu);
        if looks_like_ldap(adu) {
            broken = true;
        } else if fit.request || fit.response {
            strong = true;
            sender = Fit { request: sender.request && fit.request, response: sender.response && fit.response };
        } else if Message::is_named_only(adu) {
            weak = true;
        } else {
            broken = true;
        }
        rest = after;
    }
    if partial && datagram {
        return Probe::NoMatch;
    }
    match sender {
        Fit { request: false, response: false } => Probe::Unsure,
        sender if strong => Probe::Match(sender_of(sender)),
        _ if weak && !broken && !partial => Probe::Match(Sender::Either),
        _ => Probe::Unsure,
    }
}

/// Who sends what fits so.
pub(super) fn sender_of(fit: Fit) -> Sender {
    match fit {
        Fit { request: true, response: false } => Sender::Client,
        Fit { request: false, response: true } => Sender::Server,
        Fit { .. } => Sender::Either,
    }
}
