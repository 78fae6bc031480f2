//! Writes what the fuzzer starts from: `seeds DIR` makes a folder for each target, from the scenarios.

use fixtures::scenarios::{self, Scenario};
use fixtures::wire::{modbus, pcap, pcapng};
use std::collections::BTreeSet;
use std::io::Result;
use std::path::{Path, PathBuf};

/// Frames of a scenario that become seeds: enough to see each of its kinds.
const FRAMES: usize = 60;

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
        let mut story = vec![0xc1];
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

    let mut stream = Folder::new(&root, "modbus")?;
    for (number, (request, pdu)) in pdus().into_iter().enumerate() {
        let (direction, side) = if request { (0, 0) } else { (2, 0x20) };
        let transaction = number as u16;
        stream.add(&[&[direction, 0], modbus::tcp(transaction, 1, &pdu).as_slice()].concat())?;
        stream.add(&[&[direction | 1, 0], modbus::rtu(1, &pdu).as_slice()].concat())?;
        // Handshake, and the ADU in its place, in the plant.
        let length = u8::try_from(pdu.len()).expect("these PDUs are short");
        analyzer.add(&[&[0x82, 3, side, 1, 1, length], pdu.as_slice()].concat())?;
    }
    Ok(())
}
