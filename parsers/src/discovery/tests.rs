//! Tests of what devices tell of themselves, from octets written by hand.

use super::*;
use crate::packet::Carrier;
use crate::packet::decode::decode;
use crate::packet::link::LinkType;

const CLIENT: MacAddr = MacAddr([0x00, 0x80, 0xF4, 1, 2, 3]);

fn frame(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xFF; 6];
    frame.extend(CLIENT.0);
    frame.extend(ether_type.to_be_bytes());
    frame.extend(payload);
    frame
}

fn datagram(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let total = u16::try_from(28 + payload.len()).unwrap();
    let mut ip = vec![0x45, 0];
    ip.extend(total.to_be_bytes());
    ip.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 5, 10, 0, 0, 255]);
    ip.extend(source.to_be_bytes());
    ip.extend(destination.to_be_bytes());
    ip.extend((total - 20).to_be_bytes());
    ip.extend([0, 0]);
    ip.extend(payload);
    frame(0x0800, &ip)
}

/// Every claim as `protocol key about text`, in order.
fn told(octets: &[u8]) -> Vec<(&'static str, &'static str, About, Vec<u8>)> {
    let carrier = Carrier { link: LinkType::ETHERNET, wire_octets: u32::try_from(octets.len()).unwrap() };
    let packet = decode(carrier, octets);
    let mut all = Vec::new();
    claims(&packet, octets, &mut |claim| {
        assert!(claim.text.as_octets().len() <= TEXT_MAX);
        all.push((claim.protocol, claim.key, claim.about, claim.text.as_octets().to_vec()));
    });
    all
}

fn dhcp(operation: u8, given: [u8; 4], options: &[u8]) -> Vec<u8> {
    let mut message = vec![operation, 1, 6, 0];
    message.extend([0; 12]);
    message.extend(given);
    message.extend([0; 8]);
    message.extend(CLIENT.0);
    message.extend([0; 10 + 64 + 128]);
    message.extend([0x63, 0x82, 0x53, 0x63]);
    message.extend(options);
    message
}

const REQUEST_OPTIONS: &[u8] = b"\x35\x01\x03\x00\x0c\x05plc-1\x3c\x04ACME\x51\x0c\x00\x00\x00plc-1.lan\xff\x0c\x03bad";

#[test]
fn dhcp_request_tells_names() {
    let about = About::Mac(CLIENT);
    let expected = vec![
        ("dhcp", "name", about, b"plc-1".to_vec()),
        ("dhcp", "domain_name", about, b"plc-1.lan".to_vec()),
        ("dhcp", "vendor_class", about, b"ACME".to_vec()),
    ];
    assert_eq!(told(&datagram(68, 67, &dhcp(1, [0; 4], REQUEST_OPTIONS))), expected);
    // The same octets on other ports are not DHCP.
    assert_eq!(told(&datagram(68, 70, &dhcp(1, [0; 4], REQUEST_OPTIONS))), vec![]);
}

#[test]
fn dhcp_names_in_labels_and_with_zeros() {
    let about = About::Mac(CLIENT);
    let labels = b"\x51\x0b\x04\x00\x00\x03hmi\x03lan\xff";
    assert_eq!(
        told(&datagram(68, 67, &dhcp(1, [0; 4], labels))),
        vec![("dhcp", "domain_name", about, b"hmi".to_vec())]
    );
    let zeros = b"\x0c\x05hmi\x00\x00\xff";
    assert_eq!(told(&datagram(68, 67, &dhcp(1, [0; 4], zeros))), vec![("dhcp", "name", about, b"hmi".to_vec())]);
    assert_eq!(told(&datagram(68, 67, &dhcp(1, [0; 4], b"\x0c\x00\xff"))), vec![]);
}

#[test]
fn dhcp_acknowledgement_gives_a_lease() {
    let given = IpAddr::from([10, 0, 0, 77]);
    let options = b"\x35\x01\x05\x3c\x06SERVER\xff";
    let expected = vec![("dhcp", "lease", About::Lease(CLIENT, given), vec![])];
    assert_eq!(told(&datagram(67, 68, &dhcp(2, [10, 0, 0, 77], options))), expected);
    // An offer and a refusal give nothing; an acknowledgement of information has no address.
    assert_eq!(told(&datagram(67, 68, &dhcp(2, [10, 0, 0, 77], b"\x35\x01\x02\x0c\x01x\xff"))), vec![]);
    assert_eq!(told(&datagram(67, 68, &dhcp(2, [10, 0, 0, 77], b"\x35\x01\x06\xff"))), vec![]);
    assert_eq!(told(&datagram(67, 68, &dhcp(2, [0; 4], options))), vec![]);
}

#[test]
fn dhcp_needs_its_cookie_and_ethernet() {
    let sound = dhcp(1, [0; 4], REQUEST_OPTIONS);
    for (place, value) in [(236, 0x64), (1, 6), (2, 8), (0, 3), (28, 0x01)] {
        let mut broken = sound.clone();
        broken[place] = value;
        assert_eq!(told(&datagram(68, 67, &broken)), vec![], "octet {place}");
    }
}

#[test]
fn dhcp_is_bounded() {
    let mut options = Vec::new();
    for _ in 0..ITEMS_MAX {
        options.extend([200, 0]);
    }
    let last_but_one = options[2..].to_vec();
    let name: &[u8] = b"\x0c\x03hmi";
    assert_eq!(told(&datagram(68, 67, &dhcp(1, [0; 4], &[options, name.to_vec()].concat()))), vec![]);
    assert_eq!(told(&datagram(68, 67, &dhcp(1, [0; 4], &[last_but_one, name.to_vec()].concat()))).len(), 1);
    let mut long = vec![12, 255];
    long.extend([b'a'; 255]);
    assert_eq!(told(&datagram(68, 67, &dhcp(1, [0; 4], &long)))[0].3, vec![b'a'; TEXT_MAX]);
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let header = u16::from(kind) << 9 | u16::try_from(value.len()).unwrap();
    [&header.to_be_bytes()[..], value].concat()
}

#[test]
fn lldp_tells_its_station() {
    let frame = frame(
        0x88CC,
        &[
            tlv(1, &[4, 0, 0x80, 0xF4, 1, 2, 3]),
            tlv(2, b"\x07port-001"),
            tlv(3, &[0, 20]),
            tlv(5, b"switch-3"),
            tlv(6, b"ACME X200"),
            tlv(8, &[5, 1, 192, 168, 0, 9, 2, 0, 0, 0, 1, 0]),
            tlv(127, &[0, 0x0E, 0xCF, 1]),
            tlv(0, &[]),
            tlv(5, b"after the end"),
        ]
        .concat(),
    );
    let told: Vec<_> = told(&frame).into_iter().map(|(_, key, about, text)| (key, about, text)).collect();
    let expected = [
        ("chassis", "00:80:f4:01:02:03"),
        ("port", "port-001"),
        ("name", "switch-3"),
        ("description", "ACME X200"),
        ("management_address", "192.168.0.9"),
    ];
    assert_eq!(told, expected.map(|(key, text)| (key, About::Sender, text.as_bytes().to_vec())));
}

#[test]
fn lldp_addresses_need_their_length() {
    let six = [&[17, 2][..], &[0x20, 1, 0xD, 0xB8], &[0xFF; 12], &[2, 0, 0, 0, 1, 0]].concat();
    assert_eq!(told(&frame(0x88CC, &tlv(8, &six)))[0].3, b"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
    for wrong in [&[4, 1, 192, 168, 0][..], &[5, 2, 192, 168, 0, 9], &[9, 1, 192, 168, 0, 9], &[5, 1, 0, 0, 0, 0], &[]]
    {
        assert_eq!(told(&frame(0x88CC, &tlv(8, wrong))), vec![]);
    }
    assert_eq!(told(&frame(0x88CC, &tlv(1, &[4, 1, 2, 3, 4, 5]))), vec![]);
    assert_eq!(told(&frame(0x88CC, &tlv(1, &[5, 1, 10, 0, 0, 1])))[0].3, b"10.0.0.1");
    assert_eq!(told(&frame(0x88CC, &tlv(2, &[3, 0, 1, 2, 3, 4, 5])))[0].3, b"00:01:02:03:04:05");
    // A TLV that is longer than the frame ends it.
    assert_eq!(told(&frame(0x88CC, &[0x0A, 9, b'x'])), vec![]);
}

#[test]
fn lldp_is_bounded() {
    let ignored: Vec<u8> = (1..ITEMS_MAX).flat_map(|_| tlv(4, &[])).collect();
    let name = tlv(5, b"x");
    assert_eq!(told(&frame(0x88CC, &[&ignored[..], &name].concat())).len(), 1);
    assert_eq!(told(&frame(0x88CC, &[&ignored[..], &tlv(4, &[]), &name].concat())).len(), 0);
}

fn encoded(name: &[u8; 15], suffix: u8) -> Vec<u8> {
    let mut octets = vec![32];
    for octet in name.iter().chain([&suffix]) {
        octets.extend([b'A' + (octet >> 4), b'A' + (octet & 15)]);
    }
    octets.push(0);
    octets
}

fn registration(operation: u16, suffix: u8, name_flags: u16) -> Vec<u8> {
    let mut message = vec![0, 1];
    message.extend((operation << 11 | 0x0110).to_be_bytes());
    message.extend([0, 1, 0, 0, 0, 0, 0, 1]);
    message.extend(encoded(b"HMI-1          ", suffix));
    message.extend([0, 0x20, 0, 1, 0xC0, 0x0C, 0, 0x20, 0, 1, 0, 4, 0x93, 0xE0, 0, 6]);
    message.extend(name_flags.to_be_bytes());
    message.extend([10, 0, 0, 5]);
    message
}

#[test]
fn nbns_registration_tells_the_own_name() {
    let expected = vec![("nbns", "name", About::Sender, b"HMI-1".to_vec())];
    for operation in [5, 8, 9, 15] {
        assert_eq!(told(&datagram(137, 137, &registration(operation, 0x00, 0))), expected, "{operation}");
    }
    assert_eq!(told(&datagram(137, 137, &registration(5, 0x20, 0))), expected);
    // Release, wait, query; a browser's name; a group's; other ports.
    for operation in [0, 6, 7] {
        assert_eq!(told(&datagram(137, 137, &registration(operation, 0x00, 0))), vec![], "{operation}");
    }
    assert_eq!(told(&datagram(137, 137, &registration(5, 0x1D, 0))), vec![]);
    assert_eq!(told(&datagram(137, 137, &registration(5, 0x00, 0x8000))), vec![]);
    assert_eq!(told(&datagram(138, 138, &registration(5, 0x00, 0))), vec![]);
    // A letter past P, and a label of another length.
    for (place, value) in [(13, b'Q'), (12, 31)] {
        let mut broken = registration(5, 0x00, 0);
        broken[place] = value;
        assert_eq!(told(&datagram(137, 137, &broken)), vec![], "octet {place}");
    }
}

fn answer(flags: u16, name_flags: u16, address: [u8; 4]) -> Vec<u8> {
    let mut message = vec![0, 1];
    message.extend(flags.to_be_bytes());
    message.extend([0, 0, 0, 1, 0, 0, 0, 0]);
    message.extend(encoded(b"HMI-1          ", 0x20));
    message.extend([0, 0x20, 0, 1, 0, 4, 0x93, 0xE0, 0, 6]);
    message.extend(name_flags.to_be_bytes());
    message.extend(address);
    message
}

#[test]
fn nbns_answer_tells_the_own_name_alone() {
    let expected = vec![("nbns", "name", About::Sender, b"HMI-1".to_vec())];
    assert_eq!(told(&datagram(137, 137, &answer(0x8500, 0, [10, 0, 0, 5]))), expected);
    assert_eq!(told(&datagram(137, 1050, &answer(0x8500, 0, [10, 0, 0, 5]))), expected);
    // A name server's answer about another, a negative one, a group's.
    assert_eq!(told(&datagram(137, 137, &answer(0x8500, 0, [10, 0, 0, 6]))), vec![]);
    assert_eq!(told(&datagram(137, 137, &answer(0x8503, 0, [10, 0, 0, 5]))), vec![]);
    assert_eq!(told(&datagram(137, 137, &answer(0x8500, 0x8000, [10, 0, 0, 5]))), vec![]);
}

#[test]
fn nbns_status_tells_unique_names() {
    let mut message = vec![0, 1, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    message.extend(encoded(b"*\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0));
    let names =
        [&b"\x03HMI-1          \x00\x04\x00"[..], b"PLANT          \x00\x84\x00", b"HMI-1          \x1f\x04\x00"]
            .concat();
    message.extend([0, 0x21, 0, 1, 0, 0, 0, 0, 0, u8::try_from(names.len()).unwrap()]);
    message.extend(&names);
    assert_eq!(told(&datagram(137, 1050, &message)), vec![("nbns", "name", About::Sender, b"HMI-1".to_vec())]);
}

#[test]
fn no_cut_and_no_value_panics() {
    let samples = [
        datagram(68, 67, &dhcp(1, [0; 4], REQUEST_OPTIONS)),
        datagram(137, 137, &registration(5, 0, 0)),
        datagram(137, 137, &answer(0x8500, 0, [10, 0, 0, 5])),
        frame(0x88CC, &[tlv(1, &[4, 0, 0x80, 0xF4, 1, 2, 3]), tlv(8, &[5, 1, 1, 2, 3, 4])].concat()),
    ];
    for sample in samples {
        assert!(!told(&sample).is_empty());
        for end in 0..sample.len() {
            told(&sample[..end]);
        }
        for place in 0..sample.len() {
            let mut changed = sample.clone();
            for value in [0, 1, 0x1F, 0x7F, 0x80, 0xC0, 0xFF] {
                changed[place] = value;
                told(&changed);
            }
        }
    }
}
