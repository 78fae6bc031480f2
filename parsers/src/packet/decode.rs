//! Link, tunnel, network and transport headers of one frame; never fails, notes anomalies.

use super::{Carrier, Packet};

/// Reads the headers of one frame.
pub fn decode(_carrier: Carrier, _octets: &[u8]) -> Packet {
    Packet::EMPTY
}

/// Reads what an IP datagram carries once its fragments are together. `whole` is any fragment's packet: its addresses,
/// scope and depth carry over; the payload's offsets count from the start of `octets`.
pub fn decode_datagram(_whole: &Packet, _octets: &[u8]) -> Packet {
    Packet::EMPTY
}
