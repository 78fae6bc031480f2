//! LLDP (IEEE 802.1AB): what a station tells its neighbours of itself.

use super::{About, Claim, ClaimText, ITEMS_MAX, InlineText};
use crate::packet::link::MacAddr;
use crate::reader::Reader;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Tells what the TLVs tell (IEEE 802.1AB 8.4, 8.5), up to the first that is not sound.
pub(super) fn claims<'a>(payload: &'a [u8], visit: &mut dyn FnMut(Claim<'a>)) {
    let mut reader = Reader::new(payload);
    for _ in 0..ITEMS_MAX {
        let Ok(header) = reader.u16_be("tlv_type_and_length") else { return };
        let (kind, length) = (header >> 9, usize::from(header & 0x01FF));
        let Ok(value) = reader.take(length, "tlv_value") else { return };
        let (key, text) = match kind {
            0 => return,
            1 => ("chassis", identifier(value, 4, 5)),
            2 => ("port", identifier(value, 3, 4)),
            5 => ("name", Some(ClaimText::of_wire(value))),
            6 => ("description", Some(ClaimText::of_wire(value))),
            8 => ("management_address", management_address(value)),
            _ => continue,
        };
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            visit(Claim { protocol: "lldp", key, about: About::Sender, text });
        }
    }
}

/// A chassis or port identifier (8.5.2, 8.5.3): a subtype, then a text, but for the two subtypes of addresses.
fn identifier(value: &[u8], mac_subtype: u8, network_subtype: u8) -> Option<ClaimText<'_>> {
    let (&subtype, rest) = value.split_first()?;
    if subtype == mac_subtype {
        let octets: [u8; 6] = rest.try_into().ok()?;
        Some(ClaimText::Inline(InlineText::of(MacAddr(octets))))
    } else if subtype == network_subtype {
        network_address(rest)
    } else {
        Some(ClaimText::of_wire(rest))
    }
}

/// A management address (8.5.9): its length with the family, then both; the interface and object that follow are not
/// read.
fn management_address(value: &[u8]) -> Option<ClaimText<'_>> {
    let (&length, rest) = value.split_first()?;
    network_address(rest.get(..usize::from(length))?)
}

/// An address with its family (IANA address family numbers) before it; zeros are no address.
fn network_address(octets: &[u8]) -> Option<ClaimText<'static>> {
    let (&family, address) = octets.split_first()?;
    if address.iter().all(|octet| *octet == 0) {
        return None;
    }
    let text = match family {
        1 => InlineText::of(Ipv4Addr::from_octets(address.try_into().ok()?)),
        2 => InlineText::of(Ipv6Addr::from_octets(address.try_into().ok()?)),
        6 => InlineText::of(MacAddr(address.try_into().ok()?)),
        _ => return None,
    };
    Some(ClaimText::Inline(text))
}
