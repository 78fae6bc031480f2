//! DHCP (RFC 2131): host names, vendor classes and leases.

use super::{About, Claim, ClaimText, ITEMS_MAX};
use crate::error::ParseError;
use crate::packet::link::MacAddr;
use crate::reader::Reader;
use std::net::{IpAddr, Ipv4Addr};

pub(super) const SERVER_PORT: u16 = 67;
pub(super) const CLIENT_PORT: u16 = 68;

/// What stands before the options (RFC 2131 3).
const MAGIC_COOKIE: u32 = 0x6382_5363;
/// BOOTP's operation of a client.
const BOOT_REQUEST: u8 = 1;
/// DHCP message type of an acknowledgement (RFC 2132 9.6).
const ACKNOWLEDGEMENT: u8 = 5;

/// The options that tell something (RFC 2132 3.14, 9.6, 9.13; RFC 4702).
#[derive(Default)]
struct Options<'a> {
    host_name: Option<&'a [u8]>,
    kind: Option<u8>,
    vendor_class: Option<&'a [u8]>,
    full_name: Option<&'a [u8]>,
}

/// Tells what a DHCP message tells. What a client says is about itself; of what a server says, the name and the address
/// that it acknowledges are about the client, and the vendor class is not.
pub(super) fn claims<'a>(payload: &'a [u8], visit: &mut dyn FnMut(Claim<'a>)) {
    let mut reader = Reader::new(payload);
    let Ok(Some((operation, given, client))) = fixed(&mut reader) else { return };
    let options = options(reader);
    let acknowledged = operation != BOOT_REQUEST && options.kind == Some(ACKNOWLEDGEMENT);
    if operation != BOOT_REQUEST && !acknowledged {
        return;
    }
    let about = About::Mac(client);
    let mut tell = |key, about, text: ClaimText<'a>| visit(Claim { protocol: "dhcp", key, about, text });
    for (key, text) in [
        ("name", options.host_name),
        ("domain_name", options.full_name.and_then(full_name)),
        ("vendor_class", options.vendor_class.filter(|_| !acknowledged)),
    ] {
        let text = ClaimText::of_wire(text.unwrap_or(&[]));
        if !text.is_empty() {
            tell(key, about, text);
        }
    }
    if acknowledged && !given.is_unspecified() {
        tell("lease", About::Lease(client, IpAddr::V4(given)), ClaimText::Borrowed(&[]));
    }
}

/// Reads the fixed part (RFC 2131 2): the operation, `yiaddr` and the client's MAC address; `None` where it is not
/// Ethernet's DHCP.
fn fixed(reader: &mut Reader<'_>) -> Result<Option<(u8, Ipv4Addr, MacAddr)>, ParseError> {
    let operation = reader.u8("op")?;
    let hardware = reader.u16_be("htype_hlen")?;
    reader.take(13, "hops_to_ciaddr")?;
    let given = Ipv4Addr::from_bits(reader.u32_be("yiaddr")?);
    reader.take(8, "siaddr_giaddr")?;
    let client = reader.take(16, "chaddr")?.first_chunk::<6>().copied().map(MacAddr);
    reader.take(64 + 128, "sname_file")?;
    let cookie = reader.u32_be("magic_cookie")?;
    let client = client.filter(|mac| !mac.is_zero() && !mac.is_group());
    let sound = hardware == 0x0106 && cookie == MAGIC_COOKIE && matches!(operation, BOOT_REQUEST | 2);
    Ok(client.filter(|_| sound).map(|client| (operation, given, client)))
}

/// Reads options until their end (RFC 2132 2, 3.1, 3.2), the first of each kind.
fn options(mut reader: Reader<'_>) -> Options<'_> {
    let mut found = Options::default();
    let mut count = 0_usize;
    while let Ok(code) = reader.u8("option") {
        match code {
            0 => continue,
            255 => break,
            _ => {}
        }
        count = count.saturating_add(1);
        let Ok(length) = reader.u8("option_length") else { break };
        let Ok(data) = reader.take(usize::from(length), "option_data") else { break };
        if count > ITEMS_MAX {
            break;
        }
        match code {
            12 => found.host_name = found.host_name.or(Some(data)),
            53 => found.kind = found.kind.or(data.first().copied()),
            60 => found.vendor_class = found.vendor_class.or(Some(data)),
            81 => found.full_name = found.full_name.or(Some(data)),
            _ => {}
        }
    }
    found
}

/// The name of option 81 (RFC 4702 2): flags, two octets that are no longer used, then ASCII, or labels where the E bit
/// is set, of which the first is the host's.
fn full_name(data: &[u8]) -> Option<&[u8]> {
    let (&[flags, _, _], name) = data.split_first_chunk::<3>()?;
    if flags & 0x04 == 0 {
        return Some(name);
    }
    let (&length, rest) = name.split_first()?;
    rest.get(..usize::from(length))
}
