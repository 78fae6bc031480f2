//! Any octets as a frame of any link type: its headers, a datagram's, and what it tells of devices.
#![no_main]

use fuzz::{Octets, in_time};
use libfuzzer_sys::fuzz_target;
use yagura_parsers::discovery;
use yagura_parsers::packet::decode::{decode, decode_datagram};
use yagura_parsers::packet::link::LinkType;
use yagura_parsers::packet::{Carrier, DEPTH_MAX, Packet};

/// The link types that are read, and two that are not.
const LINK_TYPES: [u16; 14] = [1, 0, 9, 12, 14, 50, 101, 108, 113, 228, 229, 276, 127, 65535];

fn check(packet: &Packet, octets: &[u8]) {
    let start = usize::try_from(packet.payload_offset).expect("32 bits");
    let length = usize::try_from(packet.payload_octets).expect("32 bits");
    assert!(start + length <= octets.len(), "the payload is outside of its frame: {packet:?}");
    assert_eq!(packet.payload(octets).len(), length);
    assert!(usize::from(packet.depth) <= DEPTH_MAX, "{packet:?}");
    discovery::claims(packet, octets, &mut |claim| {
        assert!(claim.text.as_octets().len() <= discovery::TEXT_MAX, "{claim:?}");
    });
}

fn execute(data: &[u8]) {
    let mut input = Octets(data);
    let link = LinkType(LINK_TYPES[usize::from(input.octet()) % LINK_TYPES.len()]);
    let lost = u32::from(input.octet());
    let frame = input.0;
    let captured = u32::try_from(frame.len()).expect("inputs are short");
    let packet = decode(Carrier { link, wire_octets: captured + lost }, frame);
    check(&packet, frame);
    // As if it were a fragment's headers, and what follows had been put together behind them.
    let datagram = packet.payload(frame);
    check(&decode_datagram(&packet, datagram), datagram);
}

fuzz_target!(|data: &[u8]| in_time(|| execute(data)));
