//! ARP over Ethernet and IPv4 (RFC 826).

use super::link::MacAddr;
use crate::error::{Clause, ParseError};
use crate::reader::Reader;
use std::net::Ipv4Addr;

/// An ARP message: who says that an address is theirs, and whom they ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply; others are kept as they are.
    pub operation: u16,
    /// The sender's claim: this MAC address ..
    pub sender_mac: MacAddr,
    /// .. has this address. 0.0.0.0 in a probe (RFC 5227).
    pub sender: Ipv4Addr,
    /// The target's MAC address; zeros in a request.
    pub target_mac: MacAddr,
    /// The address asked for, or the one that is answered.
    pub target: Ipv4Addr,
}

impl Arp {
    /// Reads an ARP message for Ethernet and IPv4; `Ok(None)` for other hardware or protocol types.
    ///
    /// # Errors
    /// Where it is cut short.
    ///
    /// # Standard
    /// RFC 826, packet format; RFC 1042 gives IEEE 802 networks, which frame it in SNAP, a hardware type of their own
    /// (6).
    pub fn read(octets: &[u8]) -> Result<Option<Self>, ParseError> {
        let mut reader = Reader::new(octets);
        let hardware = reader.u16_be("hardware_type")?;
        let protocol = reader.u16_be("protocol_type")?;
        let lengths = reader.u16_be("address_lengths")?;
        let operation = reader.u16_be("operation")?;
        if !matches!((hardware, protocol, lengths), (1 | 6, 0x0800, 0x0604)) {
            return Ok(None);
        }
        let sender_mac = mac(&mut reader, "sender_hardware_address")?;
        let sender = Ipv4Addr::from_bits(reader.u32_be("sender_protocol_address")?);
        let target_mac = mac(&mut reader, "target_hardware_address")?;
        let target = Ipv4Addr::from_bits(reader.u32_be("target_protocol_address")?);
        Ok(Some(Self { operation, sender_mac, sender, target_mac, target }))
    }
}

fn mac(reader: &mut Reader<'_>, field: &'static str) -> Result<MacAddr, ParseError> {
    let octets = reader.take(6, field)?;
    let missing = reader.error(crate::error::ErrorKind::Truncated { need: 6, have: 0 }, field, Clause("RFC 826"));
    octets.first_chunk::<6>().map(|chunk| MacAddr(*chunk)).ok_or(missing)
}
