//! Application protocol control information: start octet, length and control field; framing, probing, resynchronising.

use crate::dissect::{Framing, Hints, Probe, Sender};
use crate::error::{Clause, ErrorKind, ParseError};
use crate::reader::Reader;

use super::codes::{self, Cause, TypeId};
use super::message;
use super::sizes;

/// The first octet of every APDU (IEC 60870-5-104 5).
pub const START: u8 = 0x68;
/// Octets of the APCI: start, length and four of control field (IEC 60870-5-104 5).
pub const APCI: usize = 6;
/// Octets of the APCI that its length field does not count.
pub const UNCOUNTED: usize = 2;
/// The least that the length field can say: the control field alone.
pub const LENGTH_LEAST: u8 = 4;
/// The most that the length field can say (IEC 60870-5-104 5).
pub const LENGTH_MOST: u8 = 253;
/// Send and receive sequence numbers are counted modulo this (IEC 60870-5-104 5.1).
pub const MODULUS: u16 = 0x8000;

const APCI_CLAUSE: Clause = Clause("IEC 60870-5-104 5");

/// The control function of a U format APDU: the first octet of its control field (IEC 60870-5-104 5). Open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UFunction(pub u8);

impl UFunction {
    /// STARTDT act: data transfer is to start.
    pub const STARTDT_ACT: Self = Self(0x07);
    /// STARTDT con.
    pub const STARTDT_CON: Self = Self(0x0B);
    /// STOPDT act: data transfer is to stop.
    pub const STOPDT_ACT: Self = Self(0x13);
    /// STOPDT con.
    pub const STOPDT_CON: Self = Self(0x23);
    /// TESTFR act: the other station is to show that it is there.
    pub const TESTFR_ACT: Self = Self(0x43);
    /// TESTFR con.
    pub const TESTFR_CON: Self = Self(0x83);

    /// `startdt_act`, ...; `None` where not exactly one function is set.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        codes::u_format_name(self.0)
    }

    /// Whether it asks for a confirmation.
    #[inline]
    #[must_use]
    pub fn is_activation(self) -> bool {
        matches!(self, Self::STARTDT_ACT | Self::STOPDT_ACT | Self::TESTFR_ACT)
    }

    /// Who says it: only the controlling station starts and stops data transfer (IEC 60870-5-104 5.3).
    #[inline]
    #[must_use]
    pub fn sender(self) -> Sender {
        match self {
            Self::STARTDT_ACT | Self::STOPDT_ACT => Sender::Client,
            Self::STARTDT_CON | Self::STOPDT_CON => Sender::Server,
            _ => Sender::Either,
        }
    }
}

/// The control field, by its format (IEC 60870-5-104 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// I format: numbered information transfer.
    Information {
        /// N(S), 0 to 32767.
        send_sequence_number: u16,
        /// N(R), 0 to 32767: all before it has come.
        receive_sequence_number: u16,
    },
    /// S format: numbered supervisory functions.
    Supervisory {
        /// N(R), as above.
        receive_sequence_number: u16,
    },
    /// U format: unnumbered control functions.
    Unnumbered(UFunction),
}

/// Start, length and control field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Apci {
    /// Octets after the length field.
    pub length: u8,
    /// The control field.
    pub format: Format,
}

impl Apci {
    /// Reads the head of an APDU, and what of it breaks the standard though its format is plain.
    ///
    /// # Errors
    /// Fewer than 6 octets.
    #[inline]
    pub fn read(apdu: &[u8]) -> Result<(Self, Option<ParseError>), ParseError> {
        let Some([start, length, one, two, three, four]) = apdu.first_chunk::<APCI>().copied() else {
            let mut reader = Reader::new(apdu);
            let kind = ErrorKind::Truncated { need: 6, have: small(apdu.len()) };
            return Err(reader.take(APCI, "apci").err().unwrap_or_else(|| reader.error(kind, "apci", APCI_CLAUSE)));
        };
        let receive_sequence_number = u16::from_le_bytes([three, four]) >> 1;
        let (format, control_is_right) = if one & 1 == 0 {
            let send_sequence_number = u16::from_le_bytes([one, two]) >> 1;
            (Format::Information { send_sequence_number, receive_sequence_number }, three & 1 == 0)
        } else if one & 3 == 1 {
            (Format::Supervisory { receive_sequence_number }, one == 1 && two == 0 && three & 1 == 0)
        } else {
            (Format::Unnumbered(UFunction(one)), [two, three, four] == [0; 3])
        };
        let counted = apdu.len().saturating_sub(UNCOUNTED);
        let breach = |kind, field, offset| Some(ParseError { kind, field, offset, clause: APCI_CLAUSE });
        let mismatch = |actual: usize| ErrorKind::LengthMismatch { claimed: length.into(), actual: small(actual) };
        let is_alone = !matches!(format, Format::Information { .. });
        let fault = if start != START {
            breach(ErrorKind::Forbidden { got: start.into() }, "start", 0)
        } else if usize::from(length) != counted {
            breach(mismatch(counted), "length", 1)
        } else if !(LENGTH_LEAST..=LENGTH_MOST).contains(&length) {
            breach(ErrorKind::Forbidden { got: length.into() }, "length", 1)
        } else if is_alone && length != LENGTH_LEAST {
            breach(mismatch(usize::from(LENGTH_LEAST)), "length", 1)
        } else if let Format::Unnumbered(function) = format
            && function.name().is_none()
        {
            breach(ErrorKind::Unsupported { code: function.0.into() }, "control_function", 2)
        } else if !control_is_right {
            let got = u32::from_le_bytes([one, two, three, four]);
            breach(ErrorKind::Forbidden { got: got.into() }, "control_field", 2)
        } else {
            None
        };
        Ok((Self { length, format }, fault))
    }

    /// The ASDU of the same APDU; `None` where its format has none.
    #[inline]
    #[must_use]
    pub fn asdu(self, apdu: &[u8]) -> Option<&[u8]> {
        match self.format {
            Format::Information { .. } => apdu.get(APCI..),
            Format::Supervisory { .. } | Format::Unnumbered(_) => None,
        }
    }
}

pub(super) fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// What stands at the head of some octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    /// Start and length of an APDU of so many octets in all.
    Valid(usize),
    /// A start octet, and no more.
    Partial,
    /// No header.
    Not,
}

#[inline]
fn header(octets: &[u8]) -> Header {
    match octets {
        [START, length, ..] if (LENGTH_LEAST..=LENGTH_MOST).contains(length) => {
            Header::Valid(usize::from(*length).saturating_add(UNCOUNTED))
        }
        [] | [START] => Header::Partial,
        _ => Header::Not,
    }
}

/// Whether what there is of a control field can be one, in an APDU whose length field says `length`.
fn is_control_field(length: u8, control: &[u8]) -> bool {
    let rest_is = |holds: fn((usize, u8)) -> bool| {
        length == LENGTH_LEAST && control.iter().copied().enumerate().skip(1).take(3).all(holds)
    };
    match control.first() {
        None => true,
        Some(one) if one & 1 == 0 => control.get(2).is_none_or(|three| three & 1 == 0),
        Some(1) => rest_is(|(at, octet)| match at {
            1 => octet == 0,
            2 => octet & 1 == 0,
            _ => true,
        }),
        Some(one) => UFunction(*one).name().is_some() && rest_is(|(_, octet)| octet == 0),
    }
}

/// What a whole APDU looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// As nothing else does, and this is who sent it.
    Clear(Sender),
    /// It may be one.
    Possible,
    /// No APDU.
    Wrong,
}

/// Looks at a whole APDU with a right header.
fn look(apdu: &[u8], hints: &Hints) -> Look {
    let Ok((apci, None)) = Apci::read(apdu) else { return Look::Wrong };
    let Some(asdu) = apci.asdu(apdu) else {
        return match apci.format {
            Format::Unnumbered(function) => Look::Clear(function.sender()),
            // 33 bits of it are fixed.
            _ => Look::Clear(Sender::Either),
        };
    };
    let [type_id, _, cause, ..] = *asdu else { return Look::Wrong };
    let (type_id, cause) = (TypeId(type_id), Cause(cause & message::CAUSE_BITS));
    if type_id.is_reserved() || message::is_wrong_cause(type_id, cause) {
        return Look::Wrong;
    }
    match sizes::fits_any(asdu, hints.iec104) {
        Some(true) => Look::Clear(message::sender(type_id, cause)),
        // The first of a connection has 32 bits of zeros before a type identification and cause that go together.
        Some(false) if is_first(apci.format) => Look::Clear(Sender::Either),
        Some(false) => Look::Wrong,
        None => Look::Possible,
    }
}

/// Whether both sequence numbers of an I format APDU are 0.
fn is_first(format: Format) -> bool {
    format == Format::Information { send_sequence_number: 0, receive_sequence_number: 0 }
}

/// Where the APDU at the head ends. `lost`: octets are missing before it, so that a right header is not enough.
///
/// In step, an APDU is as long as its header says, whatever it holds, and whatever follows it.
#[inline]
pub(super) fn frame(octets: &[u8], lost: bool) -> Framing {
    match header(octets) {
        Header::Valid(len) if octets.len() >= len && (!lost || is_plausible(octets, len)) => Framing::Whole(len),
        Header::Valid(len) if !lost => Framing::Short(len),
        Header::Partial if !lost => Framing::Short(APCI),
        Header::Valid(_) | Header::Partial | Header::Not => resynchronize(octets, lost),
    }
}

/// Whether a whole APDU of so many octets is one, and is followed by what may be another.
fn is_plausible(octets: &[u8], len: usize) -> bool {
    let Some((apdu, after)) = octets.split_at_checked(len) else { return false };
    header(after) != Header::Not && look(apdu, &Hints::default()) != Look::Wrong
}

/// Looks for the next header. The first one with a whole and plausible APDU wins; 0x68 is common among values, so one
/// that can't be judged yet only counts where there is none such.
#[cold]
fn resynchronize(octets: &[u8], lost: bool) -> Framing {
    let mut unjudged = None;
    let from = |at: usize| octets.get(at..).unwrap_or(&[]);
    for at in usize::from(!lost)..octets.len() {
        let rest = from(at);
        let need = match header(rest) {
            Header::Not => continue,
            Header::Valid(len) if rest.len() >= len => {
                if is_plausible(rest, len) {
                    return Framing::Lost(at.max(1));
                }
                continue;
            }
            Header::Valid(len)
                if rest.get(1).is_some_and(|length| is_control_field(*length, from(at.saturating_add(2)))) =>
            {
                len
            }
            Header::Valid(_) => continue,
            Header::Partial => APCI,
        };
        unjudged.get_or_insert((at, need));
    }
    match unjudged {
        Some((0, need)) => Framing::Short(need),
        // Octets are known to be lost, so it is judged when it is whole.
        Some((at, _)) if lost => Framing::Lost(at),
        // In step it would be taken for an APDU unjudged: hence what stands before it is kept, from the last octet on
        // that is no header, and the search starts there again.
        Some((at, need)) => match (1..at).rev().find(|before| header(from(*before)) == Header::Not) {
            Some(before) => Framing::Lost(before),
            None => Framing::Short(at.saturating_add(need)),
        },
        None => Framing::Lost(octets.len().max(1)),
    }
}

/// A frame of variable length of the serial FT1.2 (IEC 60870-5-101, IEC 60870-5-103, M-Bus): start, length, length and
/// start again, and 0x16 at its end.
fn looks_like_ft12(octets: &[u8]) -> bool {
    match octets {
        [START, length, again, START, ..] if length == again => {
            octets.get(usize::from(*length).saturating_add(5)).is_none_or(|stop| *stop == 0x16)
        }
        _ => false,
    }
}

/// Whether octets are a chain of APDUs, and who must have sent them.
///
/// A match needs a U format APDU to the last bit, or one of I format whose type identification, cause, addresses and
/// length agree, or one of S format, or the first of a connection though its length is wrong.
pub(super) fn probe(head: &[u8], hints: &Hints) -> Probe {
    if looks_like_ft12(head) {
        return Probe::NoMatch;
    }
    let mut rest = head;
    let mut clear: Option<Sender> = None;
    // Every turn uses up an APDU of at least 6 octets, or ends.
    while let Header::Valid(len) = header(rest) {
        let Some((apdu, after)) = rest.split_at_checked(len) else { break };
        match look(apdu, hints) {
            Look::Clear(sender) => {
                clear = Some(match (clear, sender) {
                    (None | Some(Sender::Either), sender) => sender,
                    (Some(before), sender) if before == sender || sender == Sender::Either => before,
                    // Both stations control, or somebody pretends to.
                    _ => Sender::Either,
                });
            }
            Look::Possible => {}
            Look::Wrong if clear.is_none() => return Probe::NoMatch,
            Look::Wrong => {}
        }
        rest = after;
    }
    let goes_on = match (header(rest), rest) {
        (Header::Not, _) => false,
        (_, [_, length, control @ ..]) => is_control_field(*length, control),
        _ => true,
    };
    match clear {
        Some(sender) if goes_on => Probe::Match(sender),
        None if !goes_on => Probe::NoMatch,
        _ => Probe::Unsure,
    }
}
