//! NetBIOS name service (RFC 1001, RFC 1002): the names that a host registers or answers to.

use super::{About, Claim, ClaimText, ITEMS_MAX, InlineText};
use crate::error::ParseError;
use crate::reader::Reader;
use std::net::IpAddr;

pub(super) const PORT: u16 = 137;

/// Octets of a NetBIOS name without its suffix.
const NAME_OCTETS: usize = 15;
/// Resource record type of a general name service record (RFC 1002 4.2.1.3).
const TYPE_NB: u16 = 0x0020;
/// Resource record type of a node status.
const TYPE_NBSTAT: u16 = 0x0021;
/// The flag of a group name, in both kinds of record.
const GROUP: u16 = 0x8000;

/// Tells the names that are the sender's own: those of registrations and refreshes, and those of positive answers that
/// give the sender's own address. A name server's answers are about others.
pub(super) fn claims<'a>(sender: IpAddr, payload: &'a [u8], visit: &mut dyn FnMut(Claim<'a>)) {
    let mut tell = |text: ClaimText<'a>| {
        if !text.is_empty() {
            visit(Claim { protocol: "nbns", key: "name", about: About::Sender, text });
        }
    };
    // What is cut short or not sound tells no more than what was told before.
    let _ = read(sender, payload, &mut tell);
}

fn read<'a>(sender: IpAddr, payload: &'a [u8], tell: &mut dyn FnMut(ClaimText<'a>)) -> Result<(), ParseError> {
    let mut reader = Reader::new(payload);
    reader.u16_be("transaction")?;
    let flags = reader.u16_be("flags")?;
    let questions = reader.u16_be("question_count")?;
    let answers = reader.u16_be("answer_count")?;
    reader.u16_be("authority_count")?;
    let additional = reader.u16_be("additional_count")?;
    // RFC 1002 4.2.1.1: the R bit, four bits of operation, .. , four bits of result.
    let (response, operation, result) = (flags & 0x8000 != 0, flags >> 11 & 0x0F, flags & 0x0F);
    match (response, operation) {
        // Registration, refresh (8 and, for its misprint in the standard, 9), registration of a multihomed host.
        (false, 5 | 8 | 9 | 15) if questions == 1 && additional >= 1 => {
            let name = name(&mut reader)?;
            reader.u32_be("question_type_and_class")?;
            self::name(&mut reader)?;
            let (kind, data) = record(&mut reader)?;
            let mut data = Reader::new(data);
            if kind == TYPE_NB && data.u16_be("name_flags")? & GROUP == 0 {
                name.map(ClaimText::Inline).into_iter().for_each(tell);
            }
        }
        (true, 0) if result == 0 && questions == 0 && answers >= 1 => {
            let name = name(&mut reader)?;
            match record(&mut reader)? {
                (TYPE_NB, data) if gives(sender, data) => name.map(ClaimText::Inline).into_iter().for_each(tell),
                (TYPE_NBSTAT, data) => status(data, tell)?,
                _ => {}
            }
        }
        _ => {}
    }
    Ok(())
}

/// Reads what follows a record's name: its type and its data.
fn record<'a>(reader: &mut Reader<'a>) -> Result<(u16, &'a [u8]), ParseError> {
    let kind = reader.u16_be("record_type")?;
    reader.u16_be("record_class")?;
    reader.u32_be("time_to_live")?;
    let length = reader.u16_be("data_length")?;
    Ok((kind, reader.take(usize::from(length), "data")?))
}

/// Whether the address list of an answer (RFC 1002 4.2.13) gives `sender` for a unique name.
fn gives(sender: IpAddr, data: &[u8]) -> bool {
    let (entries, _) = data.as_chunks::<6>();
    let IpAddr::V4(sender) = sender else { return false };
    entries
        .iter()
        .take(ITEMS_MAX)
        .any(|[high, low, address @ ..]| u16::from_be_bytes([*high, *low]) & GROUP == 0 && *address == sender.octets())
}

/// Tells the unique names of a node status (RFC 1002 4.2.18).
fn status<'a>(data: &'a [u8], tell: &mut dyn FnMut(ClaimText<'a>)) -> Result<(), ParseError> {
    let mut reader = Reader::new(data);
    let count = usize::from(reader.u8("number_of_names")?);
    for _ in 0..count.min(ITEMS_MAX) {
        let name = reader.take(NAME_OCTETS, "name")?;
        let suffix = reader.u8("suffix")?;
        let flags = reader.u16_be("name_flags")?;
        if is_host(suffix) && flags & GROUP == 0 {
            tell(ClaimText::of_wire(name.trim_ascii_end()));
        }
    }
    Ok(())
}

/// Whether a name with this suffix is the host's: workstation or file server.
fn is_host(suffix: u8) -> bool {
    matches!(suffix, 0x00 | 0x20)
}

/// Reads a name (RFC 1001 14.1: two letters from A to P for each octet; RFC 1002 4.1: then the labels of a scope).
/// `None` for a pointer and for a name that is not a host's.
fn name(reader: &mut Reader<'_>) -> Result<Option<InlineText>, ParseError> {
    let mut own = None;
    let mut first = true;
    loop {
        let length = reader.u8("label_length")?;
        match length {
            0 => return Ok(own),
            0xC0..=0xFF => {
                reader.u8("pointer")?;
                return Ok(own);
            }
            _ => {}
        }
        let label = reader.take(usize::from(length), "label")?;
        if first {
            own = label.first_chunk::<32>().filter(|_| length == 32).and_then(first_level);
        }
        first = false;
    }
}

/// Decodes 32 letters to 15 octets of name, without the spaces that fill it, where the suffix is a host's.
fn first_level(letters: &[u8; 32]) -> Option<InlineText> {
    let mut text = InlineText::EMPTY;
    let mut suffix = None;
    let (pairs, _) = letters.as_chunks::<2>();
    for [high, low] in pairs {
        let half = |letter: &u8| letter.checked_sub(b'A').filter(|half| *half < 16);
        let octet = half(high)? << 4 | half(low)?;
        if text.length < NAME_OCTETS {
            text.push(octet);
        } else {
            suffix = Some(octet);
        }
    }
    text.trim_end(b' ');
    suffix.is_some_and(is_host).then_some(text)
}
