//! Writes what the fuzzer starts from: `seeds DIR` makes a folder for each target, from the scenarios.

use fixtures::scenarios::{self, Scenario};
use fixtures::wire::{dnp3, iec104, modbus, pcap, pcapng};
use std::collections::BTreeSet;
use std::io::Result;
use std::path::{Path, PathBuf};

/// Frames of a scenario that become seeds: enough to see each of its kinds.
const FRAMES: usize = 60;

/// Recordings of real stacks, and the port of their servers.
const RECORDED: [(&str, &[u8], u16); 3] = [
    ("modbus", include_bytes!("../../../fixtures/recorded/pymodbus-plant/capture.pcap"), 502),
    ("dnp3", include_bytes!("../../../fixtures/recorded/opendnp3-feeders/capture.pcap"), 20000),
    ("iec104", include_bytes!("../../../fixtures/recorded/c104-substation/capture.pcap"), 2404),
];

/// Octets of one seed that is made of a recording.
const RECORDED_OCTETS: usize = 240;

/// What the first octet of an input of a protocol's target says: to client, repaired, a conversation.
const TO_CLIENT: u8 = 1;
const REPAIRED: u8 = 2;
const CONVERSATION: u8 = 8;

/// Every statement of the site file's language, once.
const SITE: &str = include_str!("site.toml");

/// A folder of seeds. A seed's name is its number: a thousand times the scenario's, plus its own.
struct Folder(PathBuf, usize);

impl Folder {
    fn new(root: &Path, target: &str) -> Result<Self> {
        let folder = root.join(target);
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder, 0))
    }

    fn add(&mut self, octets: &[u8]) -> Result<()> {
        self.1 += 1;
        std::fs::write(self.0.join(format!("{:05}", self.1)), octets)
    }
}

/// The frames of a scenario, those of different lengths only.
fn kinds(scenario: &Scenario) -> Vec<&[u8]> {
    let mut lengths = BTreeSet::new();
    let frames = scenario.capture.frames.iter().map(|frame| frame.octets.as_slice());
    frames.filter(|octets| lengths.insert(octets.len())).take(FRAMES).collect()
}

/// Requests and responses of all functions that the encoders know.
fn pdus() -> Vec<(bool, Vec<u8>)> {
    let (request, response) = (true, false);
    let mut pdus = Vec::new();
    for function_code in 1..=4 {
        pdus.push((request, modbus::read(function_code, 40, 10)));
        pdus.push((response, modbus::exception(function_code, modbus::ILLEGAL_DATA_ADDRESS)));
    }
    pdus.extend([
        (response, modbus::bits(1, &[true; 10])),
        (response, modbus::registers(3, &[1, 2, 500])),
        (request, modbus::write_single_coil(3, true)),
        (request, modbus::write_single_register(40, 17)),
        (request, modbus::read_exception_status()),
        (response, modbus::exception_status(5)),
        (request, modbus::diagnostics(0, &[1, 2])),
        (request, modbus::restart_communications(true)),
        (request, modbus::force_listen_only()),
        (request, modbus::get_comm_event_counter()),
        (response, modbus::comm_event_counter(0xffff, 9)),
        (request, modbus::get_comm_event_log()),
        (response, modbus::comm_event_log(0, 9, 7, &[1, 2, 3])),
        (request, modbus::write_multiple_coils(3, &[true, false, true])),
        (request, modbus::write_multiple_registers(40, &[17, 18])),
        (response, modbus::written(16, 40, 2)),
        (request, modbus::report_server_id()),
        (response, modbus::server_id(b"PLC", true, b"1.0")),
        (request, modbus::read_file_record(&[(4, 1, 2), (3, 9, 2)])),
        (response, modbus::file_records(&[&[1, 2], &[3, 4]])),
        (request, modbus::write_file_record(&[(4, 7, &[1, 2, 3])])),
        (request, modbus::mask_write_register(4, 0xf2, 0x25)),
        (request, modbus::read_write_multiple_registers((3, 6), 14, &[255, 255])),
        (request, modbus::read_fifo_queue(1246)),
        (response, modbus::fifo_queue(&[440, 4740])),
        (request, modbus::can_open(&[1, 2, 3])),
        (request, modbus::read_device_identification(1, 0)),
        (response, modbus::device_identification(1, 0x81, &[(0, "Vendor"), (1, "Product"), (2, "V1.0")])),
        (request, modbus::umas(0, 0x41, &[1, 2])),
    ]);
    pdus
}

/// An object of any group and variation in each of the common shapes of header, behind what a request or a response
/// begins with. Its octets are not right for most groups: lengths and checksums are repaired, and the fuzzer finds the rest.
fn objects(group: u8, variation: u8) -> Vec<Vec<u8>> {
    let data: Vec<u8> = (1..=24).collect();
    vec![
        dnp3::all(group, variation),
        dnp3::range8(group, variation, 3, 4, &data),
        dnp3::range16(group, variation, 3, 3, &data),
        dnp3::count(group, variation, 1, 1, &data),
        dnp3::indexed8(group, variation, &[(7, data[..11].to_vec()), (9, data[..11].to_vec())]),
        dnp3::indexed16(group, variation, &[(7, data.clone())]),
        dnp3::free_format(group, variation, &[data]),
    ]
}

/// Fragments of DNP3: from the master or not, and the octets.
fn fragments() -> Vec<(bool, Vec<u8>)> {
    let mut fragments = Vec::new();
    for group in
        [0, 1, 2, 3, 4, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33, 34, 40, 41, 42, 43, 50, 51, 52, 60, 70, 80]
            .into_iter()
            .chain([81, 82, 83, 85, 86, 87, 88, 90, 91, 101, 102, 110, 111, 112, 113, 114, 120, 121, 122])
    {
        for variation in [0, 1, 2, 3, 5, 7, 9] {
            let function = [dnp3::function::READ, dnp3::function::WRITE, dnp3::function::DIRECT_OPERATE];
            for (place, object) in objects(group, variation).into_iter().enumerate() {
                let function = function[place % function.len()];
                fragments.push((true, dnp3::request(0xc0, function, std::slice::from_ref(&object))));
                fragments.push((false, dnp3::response(0xc0, dnp3::function::RESPONSE, [0; 2], &[object])));
            }
        }
    }
    for function in 0..=33 {
        fragments.push((true, dnp3::request(0xc1, function, &[dnp3::all(60, 1), dnp3::all(20, 0)])));
    }
    let pulse = dnp3::ControlRelayOutputBlock::new(0x41);
    for function in [dnp3::function::SELECT, dnp3::function::OPERATE, dnp3::function::DIRECT_OPERATE] {
        fragments.push((true, dnp3::request(0xc2, function, &[pulse.at(4)])));
        let analog = dnp3::indexed16(41, 3, &[(2, dnp3::analog_output(&1.5_f32.to_le_bytes(), 0))]);
        fragments.push((true, dnp3::request(0xc3, function, &[analog])));
    }
    fragments.push((false, dnp3::response(0xc2, dnp3::function::RESPONSE, [0x80, 4], &[pulse.with_status(3).at(4)])));
    fragments
        .push((true, dnp3::request(0xc4, dnp3::function::WRITE, &[dnp3::count(50, 1, 1, 1, &dnp3::time(1 << 40))])));
    let vendor = dnp3::range8(0, 252, 0, 0, &dnp3::attribute(1, b"Vendor"));
    fragments.push((false, dnp3::response(0xc5, dnp3::function::RESPONSE, [0; 2], &[vendor])));
    fragments
}

/// ASDUs of IEC 60870-5-104: to the controlled station or not, and the octets. Most are as long as their type wants only
/// when they are repaired.
fn asdus() -> Vec<(bool, Vec<u8>)> {
    let mut asdus = Vec::new();
    let elements: Vec<u8> = vec![1; 20];
    for type_identification in (1..=51).chain(58..=64).chain([70]).chain(81..=95).chain(100..=127).chain([128, 200]) {
        let header = iec104::Header::new(type_identification, iec104::SPONTANEOUS, 10);
        let objects = [(1001, elements.clone())];
        for cause in [1, 3, 5, 6, 7, 8, 9, 10, 13, 20, 37, 44, 47] {
            asdus.push(((cause == 6 || cause == 8), iec104::asdu(header.because(cause), &objects)));
        }
        asdus.push((false, iec104::asdu_sequence(header, 1001, &[vec![1; 40], vec![2; 40]])));
        asdus.push((false, iec104::asdu_claiming(header, 3, &[(1001, vec![1; 60])])));
    }
    for cause in [iec104::ACTIVATION, iec104::ACTIVATION_CONFIRMATION, iec104::ACTIVATION_TERMINATION] {
        let control = cause == iec104::ACTIVATION;
        asdus.push((control, iec104::interrogation(cause, 10, 20)));
        asdus.push((control, iec104::counter_interrogation(cause, 10, 5, 1)));
        asdus.push((control, iec104::clock_synchronization(cause, 10, 1_767_607_200_000)));
        asdus.push((control, iec104::reset_process(cause, 10, 1)));
        asdus.push((control, iec104::test_command(cause, 10, 7, 1_767_607_200_000)));
        for select in [true, false] {
            let header = iec104::Header::new(45, cause, 10);
            asdus.push((control, iec104::asdu(header, &[(7, iec104::command(1, 0, select))])));
        }
    }
    // In the sizes of the serial line.
    let sizes = iec104::Sizes { cause: 1, common_address: 1, information_object_address: 2 };
    let header = iec104::Header::new(13, iec104::SPONTANEOUS, 10).sized(sizes);
    asdus.push((false, iec104::asdu(header, &[(7, iec104::short_float(1.5, 0)), (9, iec104::short_float(2.5, 0))])));
    asdus
}

/// The segments of a recording with octets in them: whether they go to the server, and the octets. Only what the recorders
/// write is read: little-endian pcap of Ethernet, IPv4 and TCP.
fn segments(capture: &'static [u8], port: u16) -> Vec<(bool, &'static [u8])> {
    let mut segments = Vec::new();
    let mut rest = capture.get(24..).unwrap_or(&[]);
    while let Some((head, behind)) = rest.split_first_chunk::<16>() {
        let octets = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        let (frame, behind) = behind.split_at(octets.min(behind.len()));
        rest = behind;
        let Some(packet) = frame.get(14..).filter(|_| frame[12..14] == [8, 0] && frame[23] == 6) else { continue };
        let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        let header = usize::from(packet[0] & 15) * 4;
        let Some(segment) = packet.get(header..total) else { continue };
        let payload = &segment[usize::from(segment[12] >> 4) * 4..];
        if !payload.is_empty() {
            segments.push((u16::from_be_bytes([segment[2], segment[3]]) == port, payload));
        }
    }
    segments
}

/// Conversations of what was recorded, a few segments each.
fn recorded(folder: &mut Folder, capture: &'static [u8], port: u16) -> Result<()> {
    let mut lengths = BTreeSet::new();
    let mut seed = vec![CONVERSATION, 0];
    for (to_server, payload) in segments(capture, port) {
        // Of segments of one length, one is enough.
        let Some(length) = u8::try_from(payload.len()).ok().filter(|_| lengths.insert((to_server, payload.len())))
        else {
            continue;
        };
        seed.extend([u8::from(!to_server), length]);
        seed.extend(payload);
        if seed.len() > RECORDED_OCTETS {
            folder.add(&std::mem::replace(&mut seed, vec![CONVERSATION, 0]))?;
        }
    }
    folder.add(&seed)
}

/// The words of a text, as a dictionary of the fuzzer's.
fn dictionary(text: &str) -> String {
    let is_word = |word: &&str| word.len() > 1 && word.starts_with(|first: char| first.is_ascii_lowercase());
    let words: BTreeSet<&str> =
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').filter(is_word).collect();
    words.iter().map(|word| format!("\"{word}\"\n")).collect()
}

fn main() -> Result<()> {
    let root = PathBuf::from(std::env::args_os().nth(1).expect("the folder to write to"));
    let scenarios = scenarios::all();

    let mut packet = Folder::new(&root, "packet")?;
    let mut analyzer = Folder::new(&root, "analyzer")?;
    let mut capture = Folder::new(&root, "capture")?;
    let mut site = Folder::new(&root, "site")?;
    site.add(SITE.as_bytes())?;
    std::fs::write(root.join("site.dict"), dictionary(SITE))?;
    for scenario in &scenarios {
        let frames = kinds(scenario);
        let mut story = vec![1, 0xc0];
        for octets in &frames {
            packet.add(&[&[0, 0], *octets].concat())?;
            // The deed "raw Ethernet frame"; a longer frame than a piece can be is left out.
            if let Ok(length) = u8::try_from(octets.len()) {
                story.extend([6, length]);
                story.extend(*octets);
            }
        }
        analyzer.add(&story)?;
        let timed = || frames.iter().enumerate().map(|(number, octets)| (number as u64 * 1_000_000, *octets)).take(8);
        capture.add(&[&[2], pcap::file(pcap::Format::default(), timed()).as_slice()].concat())?;
        let mut writer = pcapng::Writer::new(false);
        writer.interface(1, 0, 9);
        for (time_ns, octets) in timed() {
            writer.packet(0, time_ns, octets);
        }
        capture.add(&[&[3], writer.octets()].concat())?;
        if let Some(text) = scenario.site {
            site.add(text.as_bytes())?;
            site.add(format!("schema = 1\ninclude = [\"a.toml\"]\n\0{text}").as_bytes())?;
        }
    }

    let mut modbus = Folder::new(&root, "modbus")?;
    for (number, (request, pdu)) in pdus().into_iter().enumerate() {
        let (direction, side) = if request { (0, 0) } else { (TO_CLIENT, 0x20) };
        let transaction = number as u16;
        modbus.add(&[&[direction, 0], modbus::tcp(transaction, 1, &pdu).as_slice()].concat())?;
        modbus.add(&[&[direction | 16, 0], modbus::rtu(1, &pdu).as_slice()].concat())?;
        // Handshake, and the ADU in its place, in the plant.
        let length = u8::try_from(pdu.len()).expect("these PDUs are short");
        analyzer.add(&[&[0x42, 0, 3, side, 1, 1, length], pdu.as_slice()].concat())?;
    }

    let mut dnp3 = Folder::new(&root, "dnp3")?;
    for (from_master, fragment) in fragments() {
        let (how, link) =
            if from_master { (0, dnp3::Link::to_outstation(10, 1)) } else { (TO_CLIENT, dnp3::Link::to_master(1, 10)) };
        dnp3.add(
            &[&[how | REPAIRED, 0], dnp3::frames(link, 0, dnp3::SEGMENT, &fragment).concat().as_slice()].concat(),
        )?;
    }
    // The same in the plant: a handshake, and the fragment in one frame; of each function and kind of object, one.
    let mut heads = BTreeSet::new();
    for (from_master, fragment) in fragments() {
        let side = if from_master { 0 } else { 0x20 };
        let length = u8::try_from(fragment.len()).expect("these fragments are short");
        if heads.insert((fragment[1], fragment.get(2).copied())) {
            analyzer.add(&[&[0x42, 0, 0x0b, 0x08 | side, 0, 0, length], fragment.as_slice()].concat())?;
        }
    }
    let mut session = dnp3::Session::new(1, 10);
    session.segment_size = 8;
    let pulse = dnp3::ControlRelayOutputBlock::new(0x41);
    let pieces = [
        (0, session.master_link(dnp3::MASTER_RESET_LINK)),
        (1, session.outstation_link(dnp3::OUTSTATION_ACK)),
        (0, session.request(dnp3::function::SELECT, &[pulse.at(4)])),
        (1, session.response(dnp3::DEVICE_RESTART, &[pulse.at(4)])),
        (0, session.request(dnp3::function::OPERATE, &[pulse.at(4)])),
    ];
    let pieces = pieces.iter().flat_map(|(side, octets)| [&[*side, octets.len() as u8], octets.as_slice()].concat());
    dnp3.add(&[CONVERSATION | REPAIRED, 0].into_iter().chain(pieces).collect::<Vec<u8>>())?;

    // A fragment that has no end: one segment, and 31 times the next. And as many fragments that are not finished.
    let link = dnp3::Link::to_outstation(10, 1);
    let segment = dnp3::frame(link, &dnp3::segment(false, true, 0, &[0xc0; 200]));
    dnp3.add(&[&[CONVERSATION, 0, 31 << 3, segment.len() as u8], segment.as_slice()].concat())?;
    let open = (1..=9)
        .flat_map(|master| dnp3::frame(dnp3::Link::to_outstation(10, master), &dnp3::segment(false, true, 0, &[0xc0])));
    dnp3.add(&[0, 0].into_iter().chain(open).collect::<Vec<u8>>())?;

    let mut iec104 = Folder::new(&root, "iec104")?;
    let asdu = iec104::interrogation(iec104::ACTIVATION, 10, 20);
    let apdu = iec104::information(0x7ff0, 3, &asdu);
    iec104.add(&[&[CONVERSATION, 0, 31 << 3, apdu.len() as u8], apdu.as_slice()].concat())?;
    let mut heads = BTreeSet::new();
    for (number, (control, asdu)) in asdus().into_iter().enumerate() {
        let how = if control { 0 } else { TO_CLIENT };
        let mut apdu = iec104::information(number as u16 % 100, 0, &asdu);
        iec104.add(&[&[how, 0], apdu.as_slice()].concat())?;
        // An even length is repaired to what the type wants.
        apdu[1] &= !1;
        iec104.add(&[&[how | REPAIRED, 0], apdu.as_slice()].concat())?;
        if heads.insert((asdu[0], Some(asdu[2]))) {
            let side = if control { 0 } else { 0x20 };
            let length = u8::try_from(asdu.len()).expect("an ASDU is short");
            analyzer.add(&[&[0x42, 0, 0x13, 0x10 | side, 0, 0, length], asdu.as_slice()].concat())?;
        }
    }
    let started =
        [iec104::unnumbered(iec104::STARTDT_ACT), iec104::supervisory(3), iec104::unnumbered(iec104::TESTFR_CON)];
    iec104.add(&[&[0, 0], started.concat().as_slice()].concat())?;

    for (target, capture, port) in RECORDED {
        let folder = match target {
            "modbus" => &mut modbus,
            "dnp3" => &mut dnp3,
            _ => &mut iec104,
        };
        recorded(folder, capture, port)?;
    }
    Ok(())
}
