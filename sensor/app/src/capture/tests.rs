//! Captures written octet by octet, and what is read of them: formats, cuts, damage, batches, timelines.

use super::error::Error;
use super::file::FileSource;
use super::source::{FRAME_OCTETS_MAX, Fill, FrameSource};
use super::{Extent, open};
use std::io::Write;
use std::path::{Path, PathBuf};
use yagura_core::frame::{FrameBatch, FrameHead};
use yagura_rules::facts::time::Timestamp;

const SECOND: u64 = 1_000_000_000;

/// Integers in one byte order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Le,
    Be,
}

const ORDERS: [Order; 2] = [Order::Le, Order::Be];

impl Order {
    fn u16(self, value: u16) -> [u8; 2] {
        if self == Self::Le { value.to_le_bytes() } else { value.to_be_bytes() }
    }
    fn u32(self, value: u32) -> [u8; 4] {
        if self == Self::Le { value.to_le_bytes() } else { value.to_be_bytes() }
    }
    fn words(self, values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| self.u32(*value)).collect()
    }
}

/// A frame as it was read, with its octets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    number: u64,
    capture: u16,
    time: u64,
    link: u16,
    wire: u32,
    octets: Vec<u8>,
}

fn seen(head: &FrameHead, octets: &[u8]) -> Seen {
    assert_eq!(octets.len(), usize::try_from(head.captured_octets).unwrap(), "the octets are in the batch");
    Seen {
        number: head.origin.frame,
        capture: head.origin.capture,
        time: head.time.0,
        link: head.link.0,
        wire: head.wire_octets,
        octets: octets.to_vec(),
    }
}

/// Everything that a source gives, and its errors, in batches of at most `frames_max`.
fn drain(source: &mut dyn FrameSource, frames_max: usize) -> (Vec<Seen>, Vec<Error>) {
    let (mut frames, mut errors, mut batch) = (Vec::new(), Vec::new(), FrameBatch::default());
    loop {
        match source.fill(&mut batch, frames_max) {
            Ok(Fill::Frames) => {
                assert!(errors.is_empty(), "errors come after the frames");
                assert!((1..=frames_max.max(1)).contains(&batch.frames.len()));
                frames.extend(batch.iter().map(|frame| seen(&frame.head, frame.octets)));
            }
            Ok(Fill::End) => {
                assert!(batch.frames.is_empty());
                assert_eq!(source.fill(&mut batch, frames_max), Ok(Fill::End), "the end stays the end");
                return (frames, errors);
            }
            Ok(Fill::Heartbeat(_) | Fill::Fact(_) | Fill::Policy(_)) => panic!("a file has frames and nothing else"),
            Err(error) => {
                assert!(batch.frames.is_empty());
                assert!(!error.to_string().contains('\n'), "{error}");
                errors.push(error);
            }
        }
    }
}

/// What is read of these octets, and how it ends; the same in all ways to read them.
fn read(octets: &[u8]) -> (Vec<Seen>, Option<Error>) {
    let one_way = |block_octets, step, frames_max| match FileSource::of_octets(octets, block_octets, step) {
        Ok(mut source) => drain(&mut source, frames_max),
        Err(error) => (Vec::new(), vec![error]),
    };
    let (frames, errors) = one_way(64 << 10, None, 4096);
    for block_octets in [1, 48, 200, 64 << 10] {
        for step in [None, Some(1), Some(50)] {
            for frames_max in [0, 1, 2, 7, 4096] {
                let way = one_way(block_octets, step, frames_max);
                assert_eq!(way.0, frames, "block {block_octets}, step {step:?}, batch {frames_max}");
                assert_eq!(way.1, errors, "block {block_octets}, step {step:?}, batch {frames_max}");
            }
        }
    }
    assert!(errors.len() <= 1, "{errors:?}");
    (frames, errors.into_iter().next())
}

fn whole(octets: &[u8]) -> Vec<Seen> {
    let (frames, error) = read(octets);
    assert_eq!(error, None);
    frames
}

fn failure(octets: &[u8]) -> (usize, String) {
    let (frames, error) = read(octets);
    (frames.len(), error.expect("it is not whole").to_string())
}

/// A classic file header.
fn header(order: Order, magic: u32, minor: u16, network: u32) -> Vec<u8> {
    let mut octets = order.u32(magic).to_vec();
    octets.extend([order.u16(2), order.u16(minor)].concat());
    octets.extend(order.words(&[0, 0, 65535, network]));
    octets
}

/// A record of the usual variants.
fn record(order: Order, seconds: u32, fraction: u32, wire: u32, frame: &[u8]) -> Vec<u8> {
    let mut octets = order.words(&[seconds, fraction, u32::try_from(frame.len()).unwrap(), wire]);
    octets.extend(frame);
    octets
}

/// A pcapng block.
fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = u32::try_from(body.len() + 12).unwrap();
    [order.words(&[kind, length]), body, order.words(&[length])].concat()
}

fn section(order: Order) -> Vec<u8> {
    let mut body = order.words(&[0x1a2b_3c4d]);
    body.extend([order.u16(1), order.u16(0)].concat());
    body.extend([0xff; 8]);
    block(order, 0x0a0d_0d0a, &body)
}

fn option(order: Order, code: u16, value: &[u8]) -> Vec<u8> {
    let mut octets = [order.u16(code), order.u16(u16::try_from(value.len()).unwrap())].concat();
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

fn interface(order: Order, link: u16, snap: u32, options: &[u8]) -> Vec<u8> {
    let mut body = [order.u16(link), order.u16(0)].concat();
    body.extend(order.u32(snap));
    body.extend(options);
    block(order, 1, &body)
}

fn enhanced(order: Order, interface: u32, stamp: u64, wire: u32, frame: &[u8]) -> Vec<u8> {
    let high = u32::try_from(stamp >> 32).unwrap();
    let low = u32::try_from(stamp & 0xffff_ffff).unwrap();
    let mut body = order.words(&[interface, high, low, u32::try_from(frame.len()).unwrap(), wire]);
    body.extend(frame);
    block(order, 6, &body)
}

/// The octets of a header, block or record, and whether there is a frame in it.
type Part = (Vec<u8>, bool);

/// A small capture of each format, in its parts.
fn samples() -> Vec<(&'static str, Vec<Part>)> {
    let mut samples = Vec::new();
    for order in ORDERS {
        samples.push((
            "classic",
            vec![
                (header(order, 0xa1b2_c3d4, 4, 1), false),
                (record(order, 1, 2, 60, &[1; 14]), true),
                (record(order, 3, 4, 0, &[]), true),
                (record(order, 5, 6, 7, &[3; 7]), true),
            ],
        ));
        samples.push((
            "pcapng",
            vec![
                (section(order), false),
                (interface(order, 1, 0, &[]), false),
                (enhanced(order, 0, 1_000_000, 60, &[1; 13]), true),
                (block(order, 0x0bad, &[9; 300]), false),
                (enhanced(order, 0, 2_000_000, 2, &[2; 2]), true),
                (section(order), false),
                (interface(order, 101, 0, &[]), false),
                (block(order, 3, &[order.u32(5).to_vec(), vec![7; 5]].concat()), true),
            ],
        ));
    }
    let snoop = |frame: &[u8], record: u32| {
        let captured = u32::try_from(frame.len()).unwrap();
        let mut octets = Order::Be.words(&[90, captured, record, 0, 1, 2]);
        octets.extend(frame);
        octets.resize(usize::try_from(record).unwrap(), 0);
        octets
    };
    let start = [b"snoop\0\0\0".to_vec(), Order::Be.words(&[2, 4])].concat();
    samples.push(("snoop", vec![(start, false), (snoop(&[1; 5], 32), true), (snoop(&[2; 4], 28), true)]));
    samples
}

#[test]
fn every_classic_magic_is_read_in_both_orders() {
    for order in ORDERS {
        for (magic, unit_ns, record_extra, header_extra) in [
            (0xa1b2_c3d4, 1000, 0, 0),
            (0xa1b2_3c4d, 1, 0, 0),
            (0xa1b2_cd34, 1000, 8, 0),
            (0x1c00_01ac, 1, 0, 4),
            (0x1c00_01ab, 1, 0, 4),
        ] {
            let mut octets = header(order, magic, 4, 113);
            octets.extend(vec![0xee; header_extra]);
            for (seconds, fraction, wire, frame) in [(1, 2, 90, b"abc".as_slice()), (u32::MAX, 999_999, 4, b"defg")] {
                let mut record = record(order, seconds, fraction, wire, frame);
                record.splice(16..16, vec![0xdd; record_extra]);
                octets.extend(record);
            }
            let expected = |number, time, wire, octets: &[u8]| Seen {
                number,
                capture: 0,
                time,
                link: 113,
                wire,
                octets: octets.to_vec(),
            };
            let first = expected(1, SECOND + 2 * unit_ns, 90, b"abc");
            let second = expected(2, u64::from(u32::MAX) * SECOND + 999_999 * unit_ns, 4, b"defg");
            assert_eq!(whole(&octets), [first, second], "{magic:x} {order:?}");
        }
        assert!(failure(&header(order, 0xa1b2_c3d5, 4, 1)).1.contains("is not a pcap, pcapng or snoop capture"));
    }
}

#[test]
fn the_link_type_is_the_lower_half_of_the_network_field() {
    for order in ORDERS {
        let octets = [header(order, 0xa1b2_c3d4, 4, 0x4400_0114), record(order, 0, 0, 1, &[1])].concat();
        assert_eq!(whole(&octets)[0].link, 276);
    }
}

#[test]
fn lengths_on_the_wire_are_those_of_the_wire() {
    let wire = |network, wire| {
        whole(&[header(Order::Le, 0xa1b2_c3d4, 4, network), record(Order::Le, 0, 0, wire, &[1; 4])].concat())[0].wire
    };
    assert_eq!(
        (wire(1, 0x7fff_ffff), wire(1, 0x8000_0000), wire(1, u32::MAX)),
        (0x7fff_ffff, 0x7fff_ffff, 0x7fff_ffff)
    );
    assert_eq!((wire(1, 2), wire(123, 60), wire(123, 2)), (2, 56, 0));
}

#[test]
fn old_versions_exchange_the_lengths_and_other_major_versions_are_refused() {
    for (minor, first, second) in [(4, 3, 9), (3, 3, 9), (3, 9, 3), (2, 9, 3), (0, 9, 3)] {
        let mut octets = header(Order::Le, 0xa1b2_c3d4, minor, 1);
        octets.extend(Order::Le.words(&[1, 0, first, second]));
        octets.extend([5; 3]);
        let frames = whole(&octets);
        assert_eq!((frames[0].wire, frames[0].octets.len()), (9, 3), "2.{minor}");
    }
    let mut octets = header(Order::Le, 0xa1b2_c3d4, 4, 1);
    octets[4] = 3;
    let (frames, error) = failure(&octets);
    assert_eq!((frames, error.contains("version 3.4 of pcap")), (0, true), "{error}");
}

#[test]
fn a_record_of_the_greatest_length_is_read_and_one_octet_more_is_not() {
    for (length, is_read) in [(FRAME_OCTETS_MAX, true), (FRAME_OCTETS_MAX + 1, false), (u32::MAX, false)] {
        let mut octets = [header(Order::Le, 0xa1b2_c3d4, 4, 1), record(Order::Le, 0, 0, 1, &[1])].concat();
        octets.extend(Order::Le.words(&[0, 0, length, length]));
        octets.resize(octets.len() + usize::try_from(FRAME_OCTETS_MAX).unwrap() + 1, 7);
        octets.truncate(octets.len() - usize::from(is_read));
        let mut source = FileSource::of_octets(&octets, 4096, None).unwrap();
        let (frames, errors) = drain(&mut source, 9);
        if is_read {
            assert_eq!((frames.len(), frames[1].octets.len()), (2, usize::try_from(length).unwrap()));
            assert!(errors.is_empty());
        } else {
            assert_eq!(frames.len(), 1);
            let error = errors[0].to_string();
            assert!(error.contains(&format!("damaged at octet 41, in frame 2: the record claims {length}")), "{error}");
        }
    }
}

#[test]
fn cut_anywhere_every_whole_frame_before_is_read_and_the_octet_named() {
    for (name, parts) in samples() {
        let all: Vec<u8> = parts.iter().flat_map(|(octets, _)| octets.clone()).collect();
        let frames = whole(&all);
        assert_eq!(frames.len(), parts.iter().filter(|(_, is_frame)| *is_frame).count(), "{name}");
        let mut end = 0;
        let ends: Vec<(usize, bool)> = parts
            .iter()
            .map(|(octets, is_frame)| {
                end += octets.len();
                (end, *is_frame)
            })
            .collect();
        for cut in 0..all.len() {
            let (got, error) = read(&all[..cut]);
            let kept = ends.iter().filter(|(end, is_frame)| *is_frame && *end <= cut).count();
            assert_eq!(got, frames[..kept], "{name} cut at {cut}");
            let is_clean = ends.iter().any(|(end, _)| *end == cut);
            match error {
                None => assert!(is_clean, "{name} cut at {cut}: no error"),
                Some(Error::Empty { .. }) => assert_eq!(cut, 0),
                Some(Error::Cut { octet, frame, .. }) => {
                    assert!(!is_clean, "{name} cut at {cut}");
                    assert_eq!(octet, u64::try_from(cut).unwrap());
                    let in_header = cut < ends[0].0 && name != "pcapng" || cut < 4;
                    assert_eq!(frame, if in_header { 0 } else { u64::try_from(kept + 1).unwrap() });
                }
                Some(error) => panic!("{name} cut at {cut}: {error}"),
            }
        }
    }
}

#[test]
fn a_changed_octet_anywhere_never_stops_the_reader() {
    for (name, parts) in samples() {
        let all: Vec<u8> = parts.iter().flat_map(|(octets, _)| octets.clone()).collect();
        for at in 0..all.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut octets = all.clone();
                octets[at] = value;
                let mut frames = Vec::new();
                for frames_max in [1, 4096] {
                    match FileSource::of_octets(&octets, 64, None) {
                        Ok(mut source) => frames.push(drain(&mut source, frames_max)),
                        Err(error) => frames.push((Vec::new(), vec![error])),
                    }
                }
                assert_eq!(frames[0], frames[1], "{name} octet {at} = {value}");
                assert!(frames[0].1.len() <= 1);
            }
        }
    }
}

#[test]
fn snoop_records_hold_their_frames() {
    let (_, parts) = samples().pop().unwrap();
    let mut all: Vec<u8> = parts.iter().flat_map(|(octets, _)| octets.clone()).collect();
    let frames = whole(&all);
    assert_eq!((frames[0].time, frames[0].wire, frames[0].link), (SECOND + 2000, 90, 1));
    assert_eq!((&frames[0].octets, &frames[1].octets), (&vec![1; 5], &vec![2; 4]));
    // A record shorter than its frame.
    all[16 + 11] = 28;
    assert!(failure(&all).1.contains("damaged at octet 16, in frame 1: the record claims 28 octets"));
    all[15] = 9;
    assert!(failure(&all).1.contains("data link type 9 of snoop"));
    all[11] = 1;
    assert!(failure(&all).1.contains("version 1 of snoop"));
    all[6] = 1;
    assert!(failure(&all).1.contains("is not a pcap"));
}

/// The time of an enhanced packet by a clock of these options.
fn time_of(order: Order, stamp: u64, options: &[Vec<u8>]) -> u64 {
    let octets = [section(order), interface(order, 1, 0, &options.concat()), enhanced(order, 0, stamp, 1, &[1])];
    whole(&octets.concat())[0].time
}

#[test]
fn time_resolutions_are_powers_of_ten_and_two() {
    for order in ORDERS {
        let time = |stamp, resolution: u8| time_of(order, stamp, &[option(order, 9, &[resolution])]);
        assert_eq!(time_of(order, 1_500_000, &[]), 1_500_000_000, "microseconds by default");
        assert_eq!(time(3, 0), 3 * SECOND);
        assert_eq!(time(1500, 3), 1_500_000_000);
        assert_eq!(time(u64::MAX, 6), u64::MAX, "later than can be said");
        assert_eq!(time(123, 9), 123);
        assert_eq!(time(1_999, 12), 1);
        assert_eq!(time(u64::MAX, 28), 1, "10^19 of them are a nanosecond");
        assert_eq!(time(u64::MAX, 29), 0);
        assert_eq!(time(u64::MAX, 127), 0);
        assert_eq!(time(7, 0x80), 7 * SECOND);
        assert_eq!(time(3 << 19, 0x80 | 20), 1_500_000_000);
        assert_eq!(time(u64::MAX, 0x80 | 64), 999_999_999);
        assert_eq!(time(u64::MAX, 0x80 | 1), u64::MAX);
        assert_eq!(time(u64::MAX, 0xff), 0);
        let (first, last) = (time(1, 0), time(1, 255));
        assert!(first > last && (0..=255).all(|resolution| (last..=first).contains(&time(1, resolution))));
    }
}

#[test]
fn time_offsets_are_added_and_options_end_at_their_end() {
    for order in ORDERS {
        let offset = |seconds: i64| {
            option(order, 14, &if order == Order::Le { seconds.to_le_bytes() } else { seconds.to_be_bytes() })
        };
        let time = |stamp, seconds| time_of(order, stamp, &[offset(seconds)]);
        assert_eq!(time(1_000_000, 1_700_000_000), 1_700_000_001 * SECOND);
        assert_eq!(time(5_000_000, -2), 3 * SECOND);
        assert_eq!(time(1_000_000, -2), 0, "before 1970");
        assert_eq!((time(1, i64::MIN), time(1, i64::MAX)), (0, u64::MAX));
        let resolution = option(order, 9, &[9]);
        assert_eq!(time_of(order, 7, &[option(order, 0, &[]), resolution.clone()]), 7000, "after the end of options");
        assert_eq!(time_of(order, 7, &[option(order, 2, b"eth0"), resolution]), 7);
        assert_eq!(time_of(order, 7, &[option(order, 9, &[9, 9])]), 7000, "of the wrong length");
    }
}

#[test]
fn sections_have_their_own_order_and_interfaces() {
    let octets = [
        section(Order::Be),
        interface(Order::Be, 1, 0, &[]),
        interface(Order::Be, 113, 0, &option(Order::Be, 9, &[9])),
        enhanced(Order::Be, 1, 5, 70, b"one"),
        enhanced(Order::Be, 0, 5, 70, b"three"),
        block(Order::Be, 4, &[0; 4]),
        block(Order::Be, 5, &[0; 12]),
        section(Order::Le),
        interface(Order::Le, 276, 0, &[]),
        // The obsolete packet block: interface and drops of 16 bits each.
        block(Order::Le, 2, &[Order::Le.words(&[7 << 16, 0, 9, 2, 80]), b"ab".to_vec()].concat()),
    ]
    .concat();
    let frames = whole(&octets);
    let told: Vec<_> = frames.iter().map(|f| (f.number, f.time, f.link, f.wire, f.octets.as_slice())).collect();
    assert_eq!(told, [(1, 5, 113, 70, b"one".as_slice()), (2, 5000, 1, 70, b"three"), (3, 9000, 276, 80, b"ab")],);
    let unknown = [section(Order::Le), interface(Order::Le, 1, 0, &[]), section(Order::Le)].concat();
    let octets = [unknown, enhanced(Order::Le, 0, 1, 1, b"a")].concat();
    assert!(failure(&octets).1.contains("interface 0, and the section has described 0"));
}

#[test]
fn simple_packets_take_the_last_time_and_are_counted() {
    let order = Order::Le;
    let simple = |wire: u32, frame: &[u8]| block(order, 3, &[order.u32(wire).to_vec(), frame.to_vec()].concat());
    let octets = [
        section(order),
        interface(order, 1, 4, &[]),
        simple(3, b"abc"),
        enhanced(order, 0, 8, 1, b"x"),
        // Longer than the snap length of 4: what is beyond is padding, or not there.
        simple(9, b"abcd"),
    ]
    .concat();
    let mut source = FileSource::of_octets(&octets, 64, None).unwrap();
    let (frames, errors) = drain(&mut source, 2);
    assert!(errors.is_empty());
    assert_eq!(source.frames_without_time(), 2);
    let told: Vec<_> = frames.iter().map(|f| (f.time, f.wire, f.octets.as_slice())).collect();
    assert_eq!(told, [(0, 3, b"abc".as_slice()), (8000, 1, b"x"), (8000, 9, b"abcd")]);
    let too_long = [section(order), interface(order, 1, 0, &[]), simple(9, b"abcd")].concat();
    assert!(failure(&too_long).1.contains("claims 9 captured octets; its block has room for 4"));
    let nowhere = [section(order), simple(1, b"a")].concat();
    assert!(failure(&nowhere).1.contains("interface 0, and the section has described 0"));
}

#[test]
fn block_lengths_that_cannot_be_are_told_with_their_place() {
    let order = Order::Le;
    let start = [section(order), interface(order, 1, 0, &[]), enhanced(order, 0, 1, 1, &[1])].concat();
    let with = |kind: u32, length: u32| [start.clone(), order.words(&[kind, length]), vec![0; 60]].concat();
    for kind in [1, 2, 3, 4, 5, 6, 10, 0x0a0d_0d0a, 0x1234_5678] {
        for length in [0, 4, 8, 11, 13, 30, 0xffff_fffc, u32::MAX] {
            let (frames, error) = failure(&with(kind, length));
            assert_eq!(frames, 1);
            assert!(error.contains(&format!("damaged at octet {}, in frame 2: ", start.len())), "{error}");
        }
    }
    // As long as is believed, and then it is cut; and beyond that.
    for (kind, max) in [(6, 2 << 20), (4, 256 << 20)] {
        assert!(failure(&with(kind, max)).1.contains("cut short at octet"));
        assert!(failure(&with(kind, max + 4)).1.contains("damaged at octet"));
    }
    // Too short for what they are.
    for (kind, least) in [(1, 20), (2, 32), (3, 16), (6, 32)] {
        assert!(failure(&with(kind, least - 4)).1.contains(&format!("one of its type has {least} to")));
    }
}

#[test]
fn both_lengths_of_a_block_agree() {
    let order = Order::Be;
    for (kind, body) in [(6, 20), (5, 12), (0x0bad, 4), (0x0bad, 4000)] {
        let mut odd = block(order, kind, &vec![0; body]);
        let last = odd.len() - 1;
        odd[last] ^= 4;
        let start = [section(order), interface(order, 1, 0, &[])].concat();
        let (_, error) = read(&[start.clone(), odd.clone(), section(order)].concat());
        assert!(error.unwrap().to_string().contains("octets at its start and"));
        odd[last] ^= 4;
        assert_eq!(read(&[start, odd, section(order)].concat()).1, None);
    }
}

#[test]
fn a_packet_has_room_in_its_block() {
    let order = Order::Le;
    let start = [section(order), interface(order, 1, 0, &[])].concat();
    for (captured, fits) in [(4_u32, true), (5, false), (0x1_0000, false), (u32::MAX, false)] {
        let body = [order.words(&[0, 0, 0, captured, captured]), vec![7; 4]].concat();
        let octets = [start.clone(), block(order, 6, &body)].concat();
        if fits {
            assert_eq!(whole(&octets)[0].octets, [7; 4]);
        } else {
            assert!(
                failure(&octets).1.contains(&format!("claims {captured} captured octets; its block has room for 4"))
            );
        }
    }
}

#[test]
fn sections_of_another_version_or_order_are_refused() {
    let mut octets = [section(Order::Le), interface(Order::Le, 1, 0, &[]), enhanced(Order::Le, 0, 1, 1, &[1])].concat();
    let second = octets.len();
    octets.extend(section(Order::Le));
    octets[second + 12] = 2;
    let (frames, error) = failure(&octets);
    assert_eq!(frames, 1);
    assert!(error.contains(&format!("version 2.0 of pcapng at octet {second}")), "{error}");
    octets[second + 8] = 0;
    assert!(failure(&octets).1.contains("no byte-order magic"));
}

/// A capture of `count` frames, a second apart, which does not compress well.
fn long(count: u32) -> Vec<u8> {
    let mut octets = header(Order::Le, 0xa1b2_c3d4, 4, 1);
    let mut state = 1_u64;
    for number in 0..count {
        let mut frame = Vec::new();
        for _ in 0..25 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            frame.extend(u32::try_from(state >> 32).unwrap().to_le_bytes());
        }
        octets.extend(record(Order::Le, number, 0, 100, &frame));
    }
    octets
}

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(octets).unwrap();
    packer.finish().unwrap()
}

fn xz(octets: &[u8]) -> Vec<u8> {
    let mut packer = liblzma::write::XzEncoder::new(Vec::new(), 1);
    packer.write_all(octets).unwrap();
    packer.finish().unwrap()
}

fn zst(octets: &[u8]) -> Vec<u8> {
    let mut packer = zstd::Encoder::new(Vec::new(), 1).unwrap();
    packer.include_checksum(true).unwrap();
    packer.write_all(octets).unwrap();
    packer.finish().unwrap()
}

#[test]
fn compressed_captures_are_read_by_their_content() {
    let plain = long(3000);
    let frames = drain(&mut FileSource::of_octets(&plain, 4096, None).unwrap(), 4096).0;
    assert_eq!(frames.len(), 3000);
    let skippable = [vec![0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9], zst(&plain)].concat();
    let members = [gzip(&plain[..1000]), gzip(&plain[1000..])].concat();
    for packed in [gzip(&plain), members, zst(&plain), skippable, xz(&plain)] {
        for step in [None, Some(1000)] {
            for frames_max in [1, 4096] {
                let mut source = FileSource::of_octets(&packed, 64 << 10, step).unwrap();
                assert_eq!(drain(&mut source, frames_max), (frames.clone(), Vec::new()));
                let progress = source.progress().map(|progress| (progress.read, progress.total));
                let total = u64::try_from(packed.len()).unwrap();
                assert_eq!(progress, step.is_none().then_some((total, total)));
            }
        }
    }
    assert!(failure(&gzip(b"hello there\n")).1.contains("but text"));
    assert!(failure(&gzip(&gzip(&plain))).1.contains("within another"));
    assert!(failure(&gzip(b"")).1.contains("is empty"));
}

#[test]
fn a_compressed_stream_that_breaks_off_gives_what_was_readable() {
    let plain = long(20_000);
    for (name, packed) in [("gzip", gzip(&plain)), ("zstd", zst(&plain)), ("xz", xz(&plain))] {
        for part in [2, 3] {
            let cut = &packed[..packed.len() / part];
            let (frames, errors) = drain(&mut FileSource::of_octets(cut, 64 << 10, None).unwrap(), 4096);
            assert!(frames.len() > 1000 && frames.len() < 20_000, "{name}: {}", frames.len());
            let error = errors[0].to_string();
            assert!(error.contains(&format!("the {name} stream cannot be unpacked beyond octet")), "{error}");
            assert!(error.contains(&format!("in frame {} (it is cut short)", frames.len() + 1)), "{error}");
        }
        // All of it is there but the check at its end.
        let (frames, errors) =
            drain(&mut FileSource::of_octets(&packed[..packed.len() - 1], 64 << 10, None).unwrap(), 4096);
        assert_eq!((frames.len(), errors.len()), (20_000, 1), "{name}");
    }
    // A deflate block of the type that is reserved, after a member that is whole.
    let bad = [gzip(&plain), vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff]].concat();
    let (frames, errors) = drain(&mut FileSource::of_octets(&bad, 64 << 10, None).unwrap(), 4096);
    assert_eq!(frames.len(), 20_000);
    assert!(matches!(&errors[..], [Error::Packed { frame: 20_001, .. }]), "{errors:?}");
    assert!(matches!(read(&[0x1f, 0x8b]).1, Some(Error::Packed { frame: 0, .. })));
}

/// A folder of captures that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("yagura-capture-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn file(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, octets).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn refused(path: &Path) -> String {
    open(&[path.to_path_buf()], Extent::default()).err().expect("it is refused").to_string()
}

#[test]
fn what_cannot_be_opened_is_told_in_one_line() {
    let folder = Folder::new("open");
    assert!(
        refused(&folder.0.join("no\u{1b}[31m\nfile")).ends_with("no\\u{1b}[31m\\nfile: no such file; check the name")
    );
    assert!(refused(&folder.0).contains("is a directory; name the capture files in it"));
    assert!(refused(&folder.file("empty", b"")).contains("is empty"));
    assert!(refused(&folder.file("a.json", b"{\"a\": 1}")).contains("but JSON"));
    let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    assert!(Error::of_open(Path::new("a"), &denied).to_string().starts_with("a: may not be read by this user"));
    let input = PathBuf::from("-");
    assert_eq!(open(&[input.clone(), input], Extent::default()).err(), Some(Error::InputTwice));
    assert!(open(&vec![folder.0.clone(); 65_537], Extent::default()).err().unwrap().to_string().contains("65537"));
    let good = folder.file("good", &long(1));
    let two = open(&[good, folder.0.join("missing")], Extent::default());
    assert!(matches!(two.err(), Some(Error::NotFound { .. })));
}

#[cfg(unix)]
#[test]
fn devices_and_sockets_are_not_opened() {
    let folder = Folder::new("kind");
    assert!(refused(Path::new("/dev/null")).contains("is a device, not a file"));
    let socket = folder.0.join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(refused(&socket).contains("is a socket, not a file"));
    let pipe = folder.0.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if made.is_ok_and(|status| status.success()) {
        assert!(refused(&pipe).contains("is a pipe, not a file; to read from a pipe, name \"-\""));
    }
}

/// A capture of frames at these seconds, each of one octet, and perhaps a broken record at its end.
fn seconds(times: &[u32], is_damaged: bool) -> Vec<u8> {
    let mut octets = header(Order::Le, 0xa1b2_c3d4, 4, 1);
    for time in times {
        octets.extend(record(Order::Le, *time, 0, 1, &[1]));
    }
    if is_damaged {
        octets.extend([0; 3]);
    }
    octets
}

/// Capture, number and second of each frame of the timeline, and its errors.
fn timeline(captures: &[Vec<u8>], extent: Extent, frames_max: usize) -> (Vec<(u16, u64, u64)>, Vec<String>) {
    let folder = Folder::new(&format!("timeline-{:?}", std::thread::current().id()));
    let paths: Vec<PathBuf> =
        captures.iter().enumerate().map(|(index, octets)| folder.file(&index.to_string(), octets)).collect();
    let mut source = open(&paths, extent).unwrap();
    let (frames, errors) = drain(&mut source, frames_max);
    let frames = frames.iter().map(|frame| (frame.capture, frame.number, frame.time / SECOND)).collect();
    (frames, errors.iter().map(ToString::to_string).collect())
}

#[test]
fn several_captures_are_one_timeline() {
    let captures =
        [seconds(&[1, 3, 3, 9], false), seconds(&[], false), seconds(&[0, 3, 2, 3, 4], false), seconds(&[3, 9], false)];
    let expected = [
        (2, 1, 0),
        (0, 1, 1),
        // Ties go in the order of the arguments.
        (0, 2, 3),
        (0, 3, 3),
        (2, 2, 3),
        // Late in its own capture: it goes at once, and does not overtake what was before it there.
        (2, 3, 2),
        (2, 4, 3),
        (3, 1, 3),
        (2, 5, 4),
        (0, 4, 9),
        (3, 2, 9),
    ];
    for frames_max in [1, 2, 7, 4096] {
        assert_eq!(timeline(&captures, Extent::default(), frames_max), (expected.to_vec(), Vec::new()));
    }
    assert_eq!(timeline(&[], Extent::default(), 9), (Vec::new(), Vec::new()));
}

#[test]
fn damage_ends_its_own_capture_and_is_told_at_the_end() {
    let captures = [seconds(&[1, 2], true), seconds(&[1, 5], false), seconds(&[0], true)];
    for frames_max in [1, 4096] {
        let (frames, errors) = timeline(&captures, Extent::default(), frames_max);
        assert_eq!(frames, [(2, 1, 0), (0, 1, 1), (1, 1, 1), (0, 2, 2), (1, 2, 5)]);
        assert_eq!(errors.len(), 2);
        assert!(errors[0].contains("2: cut short at octet 44, in frame 2"), "{errors:?}");
        assert!(errors[1].contains("0: cut short at octet 61, in frame 3"), "{errors:?}");
    }
}

#[test]
fn the_extent_ends_the_timeline() {
    let until = |second: u64| Extent { until: Some(Timestamp(second * SECOND)), frames: None };
    let frames = |frames| Extent { until: None, frames: Some(frames) };
    let one = [seconds(&[1, 2, 3, 2, 5], true)];
    let two = [seconds(&[1, 2, 3], true), seconds(&[2, 4], false)];
    for frames_max in [1, 2, 4096] {
        let told = |captures: &[Vec<u8>], extent| {
            let (frames, errors) = timeline(captures, extent, frames_max);
            (frames.len(), errors.len())
        };
        assert_eq!(told(&one, until(2)), (2, 0), "the first later frame ends it, though an earlier one follows");
        assert_eq!(told(&one, until(0)), (0, 0));
        assert_eq!(told(&one, until(5)), (5, 1), "damage within the extent is told");
        assert_eq!(told(&one, frames(0)), (0, 0));
        assert_eq!(told(&one, frames(4)), (4, 0));
        assert_eq!(told(&one, frames(5)), (5, 0), "damage beyond it is not");
        assert_eq!(told(&one, frames(6)), (5, 1));
        assert_eq!(told(&one, Extent { until: Some(Timestamp(3 * SECOND)), frames: Some(2) }), (2, 0));
        assert_eq!(told(&two, until(2)), (3, 0));
        assert_eq!(told(&two, until(3)), (4, 1));
        assert_eq!(told(&two, frames(4)), (4, 0));
        assert_eq!(told(&two, frames(5)), (5, 1), "told where the other capture goes on");
    }
}

#[test]
fn the_size_of_batches_changes_no_timeline() {
    let mixed = |seed: u64| {
        let mut state = seed;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u32::try_from(state >> 33).unwrap()
        };
        let mut time = 0;
        let times = (0..700).map(|_| {
            time += next() % 3;
            time.saturating_sub(if next() % 10 == 0 { 4 } else { 0 })
        });
        seconds(&times.collect::<Vec<u32>>(), false)
    };
    let captures = [mixed(1), mixed(2), mixed(3)];
    let expected = timeline(&captures, Extent::default(), 4096);
    assert_eq!(expected.0.len(), 2100);
    for frames_max in [1, 7, 256, 300] {
        assert_eq!(timeline(&captures, Extent::default(), frames_max), expected);
    }
    for capture in 0..3 {
        let numbers: Vec<u64> = expected.0.iter().filter(|frame| frame.0 == capture).map(|frame| frame.1).collect();
        assert!(numbers.is_sorted() && numbers.len() == 700, "the order within a capture stays");
    }
}

#[test]
fn large_batches_take_the_block_and_small_ones_copy_no_more_than_their_frames() {
    let octets = long(1000);
    let mut source = FileSource::of_octets(&octets, 32 << 10, None).unwrap();
    let mut batch = FrameBatch::default();
    source.fill(&mut batch, 4096).unwrap();
    assert_eq!(batch.octets.len(), 32 << 10, "the block itself");
    assert_eq!(batch.frames[0].start, 24 + 16, "with the headers in it");
    let mut source = FileSource::of_octets(&octets, 32 << 10, None).unwrap();
    let mut copied = 0;
    let mut blocks = 0;
    while source.fill(&mut batch, 3).unwrap() == Fill::Frames {
        if batch.octets.len() == 32 << 10 { blocks += 1 } else { copied += batch.octets.len() }
    }
    assert!(copied <= octets.len() && blocks <= 10, "{copied} octets copied, {blocks} blocks");
}
