//! The promise: a write is told however it is delivered, or it is said that somebody hides something.
//!
//! A matrix of tricks, senders and writes. Each case is a write to a register that the baseline does not know; its twin
//! is a read that the baseline knows, delivered with the same trick. What is ambiguous (two hosts would read different
//! octets) must be alerted or flagged; what is not must be alerted. The twin must raise nothing that it does not raise
//! when it is delivered plainly, but for what the trick is known to show.

use fixtures::story::{Capture, Dice, Endpoint, Host, TimedFrame};
use fixtures::wire::{ethernet, ip, modbus, tcp, tunnel, udp};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use tests::{CONFESSIONS, Headed, Run, head, learn, map, policy, run_heads};
use yagura_core::analyzer::Setup;
use yagura_rules::alert::Alert;
use yagura_rules::facts::event::EventKind;

const HMI: Host = Host::new("HMI-1", [0x00, 0x14, 0x22, 0x0a, 0x11, 0x05], [10, 20, 0, 5]);
const PLC: Host = Host::new("PLC-1", [0x00, 0x80, 0xf4, 0x1a, 0x01, 0x09], [10, 20, 1, 9]);
const INTRUDER: Host = Host::new("raspberrypi", [0xb8, 0x27, 0xeb, 0x66, 0x66, 0x66], [10, 20, 0, 66]);

/// Where all stories begin.
const START_NS: u64 = 1_767_607_200_000_000_000;
/// The address that nobody writes usually.
const PLANTED: u16 = 90;
/// Index of the client's and of the server's part of things.
const CLIENT: usize = 0;
const SERVER: usize = 1;
/// A payload with acknowledgement.
const DATA: u8 = tcp::PSH | tcp::ACK;

/// Detections that say: something was hidden, lost or not what it seems.
const FLAGS: [&str; 5] =
    ["stream_conflict", "fragment_conflict", "capture_limit", "protocol_malformed", "protocol_unexpected_port"];

// What is delivered

/// A request with its response.
#[derive(Clone)]
struct Deed {
    name: &'static str,
    unit: u8,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl Deed {
    fn new(name: &'static str, request: Vec<u8>, response: Vec<u8>) -> Self {
        Self { name, unit: 1, request, response }
    }

    /// The request as Modbus/TCP, with this transaction identifier.
    fn adu(&self, transaction_identifier: u16) -> Vec<u8> {
        modbus::tcp(transaction_identifier, self.unit, &self.request)
    }
}

/// A read that the baseline knows.
fn usual_read() -> Deed {
    let values = [200, 210, 50, 480, 12, 0, 1, 0, 0, 34];
    Deed::new("read", modbus::read(3, 40, 10), modbus::registers(3, &values))
}

/// Writes that the baseline does not know, by every function that writes.
fn writes() -> Vec<Deed> {
    let coil = modbus::write_single_coil(PLANTED, true);
    let register = modbus::write_single_register(PLANTED, 6666);
    let mask = modbus::mask_write_register(PLANTED, 0xfff0, 6);
    vec![
        Deed::new("write_single_register", register.clone(), register),
        Deed::new("write_single_coil", coil.clone(), coil),
        Deed::new(
            "write_multiple_registers",
            modbus::write_multiple_registers(PLANTED, &[6666, 7777]),
            modbus::written(16, PLANTED, 2),
        ),
        Deed::new(
            "write_multiple_coils",
            modbus::write_multiple_coils(PLANTED, &[true, false, true]),
            modbus::written(15, PLANTED, 3),
        ),
        Deed::new("mask_write_register", mask.clone(), mask),
        Deed::new(
            "read_write_multiple_registers",
            modbus::read_write_multiple_registers((40, 2), PLANTED, &[6666]),
            modbus::registers(23, &[200, 210]),
        ),
    ]
}

// How it is delivered

/// A frame as the mirror shows it.
#[derive(Clone)]
struct Sent {
    time_ns: u64,
    octets: Vec<u8>,
    wire_octets: Option<usize>,
}

/// A conversation of which the test decides every segment.
#[derive(Clone)]
struct Talk {
    ends: [Endpoint; 2],
    next: [u32; 2],
    transaction_identifier: u16,
    identification: u16,
    now_ns: u64,
    rtu: bool,
    /// The client's frames are wrapped like this, from now on.
    wrap: Option<fn(Vec<u8>) -> Vec<u8>>,
    sent: Vec<Sent>,
}

impl Talk {
    fn new(client: Endpoint, server: Endpoint, now_ns: u64) -> Self {
        let next = [0x1234_5678, 0x9abc_def0];
        Self {
            ends: [client, server],
            next,
            transaction_identifier: 0,
            identification: 1,
            now_ns,
            rtu: false,
            wrap: None,
            sent: Vec::new(),
        }
    }

    fn wait_ms(&mut self, milliseconds: u64) {
        self.now_ns += milliseconds * 1_000_000;
    }

    /// Puts a frame down as it is.
    fn put(&mut self, octets: Vec<u8>) {
        let octets = ethernet::padded(octets);
        let octets = match self.wrap {
            Some(wrap) => wrap(octets),
            None => octets,
        };
        self.sent.push(Sent { time_ns: self.now_ns, octets, wire_octets: None });
        self.now_ns += 100_000;
    }

    /// A segment's octets, with a checksum that is right.
    fn segment(&self, side: usize, flags: u8, sequence_number: u32, payload: &[u8]) -> Vec<u8> {
        let (from, to) = (self.ends[side], self.ends[1 - side]);
        let acknowledgement_number = if flags & tcp::ACK == 0 { 0 } else { self.next[1 - side] };
        let header = tcp::Header {
            source_port: from.port,
            destination_port: to.port,
            sequence_number,
            acknowledgement_number,
            flags,
            window: 64240,
        };
        tcp::segment(from.host.address, to.host.address, header, &[], payload)
    }

    /// An Ethernet frame around the payload of an IP packet.
    fn packet(&mut self, side: usize, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let (from, to) = (self.ends[side].host, self.ends[1 - side].host);
        self.identification = self.identification.wrapping_add(1);
        match (from.address, to.address) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = ip::Header::new(source, destination, protocol, self.identification);
                ethernet::frame(to.mac, from.mac, ethernet::IPV4, &ip::v4(header, payload))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let packet = ip::v6(source, destination, protocol, 64, payload);
                ethernet::frame(to.mac, from.mac, ethernet::IPV6, &packet)
            }
            _ => panic!("two families"),
        }
    }

    /// Sends octets that start so far after (or before) what comes next; the stream does not move on.
    fn at(&mut self, side: usize, offset: i64, octets: &[u8]) {
        self.flagged(side, DATA, offset, octets);
    }

    fn flagged(&mut self, side: usize, flags: u8, offset: i64, octets: &[u8]) {
        let sequence_number = self.next[side].wrapping_add(offset as u32);
        let segment = self.segment(side, flags, sequence_number, octets);
        let packet = self.packet(side, ip::TCP, &segment);
        self.put(packet);
    }

    /// The stream moves on, seen or not.
    fn moves(&mut self, side: usize, octets: usize) {
        self.next[side] = self.next[side].wrapping_add(octets as u32);
    }

    /// Sends octets in order.
    fn says(&mut self, side: usize, octets: &[u8]) {
        for chunk in octets.chunks(1460) {
            self.at(side, 0, chunk);
            self.moves(side, chunk.len());
        }
    }

    /// A segment without payload.
    fn bare(&mut self, side: usize, flags: u8) {
        self.flagged(side, flags, 0, &[]);
        self.moves(side, usize::from(flags & (tcp::SYN | tcp::FIN) != 0));
    }

    fn opens(&mut self) {
        self.bare(CLIENT, tcp::SYN);
        self.bare(SERVER, tcp::SYN | tcp::ACK);
        self.bare(CLIENT, tcp::ACK);
    }

    fn ends(&mut self) {
        self.bare(CLIENT, tcp::FIN | tcp::ACK);
        self.bare(SERVER, tcp::FIN | tcp::ACK);
        self.bare(CLIENT, tcp::ACK);
    }

    /// The next request's octets.
    fn request(&mut self, deed: &Deed) -> Vec<u8> {
        self.transaction_identifier = self.transaction_identifier.wrapping_add(1);
        if self.rtu { modbus::rtu(deed.unit, &deed.request) } else { deed.adu(self.transaction_identifier) }
    }

    /// The server answers the latest request, and the client acknowledges.
    fn answers(&mut self, deed: &Deed) {
        let octets = if self.rtu {
            modbus::rtu(deed.unit, &deed.response)
        } else {
            modbus::tcp(self.transaction_identifier, deed.unit, &deed.response)
        };
        self.now_ns += 1_000_000;
        self.says(SERVER, &octets);
        self.bare(CLIENT, tcp::ACK);
    }

    /// A request and its response, without any trick.
    fn does(&mut self, deed: &Deed) {
        let octets = self.request(deed);
        self.says(CLIENT, &octets);
        self.answers(deed);
    }

    fn polls(&mut self, times: usize) {
        for _ in 0..times {
            self.does(&usual_read());
            self.wait_ms(200);
        }
    }

    /// The frames that carry octets of the client as IPv4 fragments of at most `piece` octets of payload.
    fn fragments(&mut self, octets: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let segment = self.segment(CLIENT, DATA, self.next[CLIENT], octets);
        self.identification = self.identification.wrapping_add(1);
        self.fragments_of(&segment, piece, self.identification)
    }

    fn fragments_of(&self, segment: &[u8], piece: usize, identification: u16) -> Vec<Vec<u8>> {
        let (from, to) = (self.ends[CLIENT].host, self.ends[SERVER].host);
        let header = ip::Header::new(from.v4(), to.v4(), ip::TCP, identification);
        let packets = ip::fragments(header, segment, piece);
        packets.iter().map(|packet| ethernet::frame(to.mac, from.mac, ethernet::IPV4, packet)).collect()
    }
}

/// What must come of a write.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    /// It is alerted.
    Alerted,
    /// It is alerted, or it is said that something is hidden.
    Told,
}

/// Takes a request's octets from the talk, and sends them.
type Delivery = Box<dyn Fn(&mut Talk, &Deed) + Sync>;

/// A way to deliver a request.
struct Trick {
    name: String,
    expect: Expect,
    /// The trick opens the conversation itself, or means to leave that out.
    opens_itself: bool,
    /// One segment alone does not show what is spoken: only what follows does.
    needs_answer: bool,
    /// Detections that the twin may raise because of the trick.
    shows: &'static [&'static str],
    /// Takes the request's octets from the talk, and delivers them.
    deliver: Delivery,
}

/// The tricks.
#[derive(Default)]
struct Tricks(Vec<Trick>);

impl Tricks {
    fn add(
        &mut self,
        name: impl Into<String>,
        expect: Expect,
        deliver: impl Fn(&mut Talk, &Deed) + Sync + 'static,
    ) -> &mut Trick {
        let trick = Trick {
            name: name.into(),
            expect,
            opens_itself: false,
            needs_answer: false,
            shows: &[],
            deliver: Box::new(deliver),
        };
        self.0.push(trick);
        self.0.last_mut().expect("it was just added")
    }

    /// A trick on the request's octets as they follow in the stream; the stream then moves on behind them.
    fn stream(
        &mut self,
        name: impl Into<String>,
        expect: Expect,
        deliver: impl Fn(&mut Talk, &[u8]) + Sync + 'static,
    ) -> &mut Trick {
        self.add(name, expect, move |talk, deed| {
            let octets = talk.request(deed);
            deliver(talk, &octets);
            talk.moves(CLIENT, octets.len());
        })
    }
}

impl Trick {
    fn opens_itself(&mut self) -> &mut Self {
        self.opens_itself = true;
        self
    }

    fn needs_answer(&mut self) -> &mut Self {
        self.needs_answer = true;
        self
    }

    fn shows(&mut self, detections: &'static [&'static str]) -> &mut Self {
        self.shows = detections;
        self
    }
}

/// Octets in pieces, with where they start.
fn pieces(octets: &[u8], piece: usize) -> Vec<(i64, &[u8])> {
    octets.chunks(piece).enumerate().map(|(number, chunk)| ((number * piece) as i64, chunk)).collect()
}

fn shuffled<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    let mut dice = Dice::new(seed);
    for at in (1..items.len()).rev() {
        items.swap(at, dice.below(at as u32 + 1) as usize);
    }
    items
}

/// A read of the usual registers, as long as some octets.
fn decoy(octets: &[u8]) -> Vec<u8> {
    let mut decoy = modbus::tcp(u16::from_be_bytes([octets[0], octets[1]]), 1, &modbus::read(3, 40, 8));
    decoy.resize(octets.len(), 0);
    decoy
}

fn tricks() -> Vec<Trick> {
    let mut tricks = Tricks::default();
    plain(&mut tricks);
    order(&mut tricks);
    overlaps(&mut tricks);
    conflicts(&mut tricks);
    signs(&mut tricks);
    openings(&mut tricks);
    fragments(&mut tricks);
    wraps(&mut tricks);
    places(&mut tricks);
    meanings(&mut tricks);
    tricks.0
}

fn plain(tricks: &mut Tricks) {
    tricks.stream("plain", Expect::Alerted, |talk, octets| talk.at(CLIENT, 0, octets));
    for piece in 1..=20 {
        tricks.stream(format!("segments of {piece}"), Expect::Alerted, move |talk, octets| {
            for (offset, chunk) in pieces(octets, piece) {
                talk.at(CLIENT, offset, chunk);
            }
        });
    }
    for seconds in [2, 70] {
        tricks.stream(format!("an octet each {seconds} s"), Expect::Alerted, move |talk, octets| {
            for (offset, chunk) in pieces(octets, 1) {
                talk.at(CLIENT, offset, chunk);
                talk.bare(SERVER, tcp::ACK);
                talk.wait_ms(seconds * 1_000);
            }
        });
    }
    tricks.stream("with FIN", Expect::Alerted, |talk, octets| talk.flagged(CLIENT, DATA | tcp::FIN, 0, octets));
    tricks.stream("with URG", Expect::Alerted, |talk, octets| talk.flagged(CLIENT, DATA | 0x20, 0, octets));
    tricks.stream("without PSH", Expect::Alerted, |talk, octets| talk.flagged(CLIENT, tcp::ACK, 0, octets));
    for reads in [1, 2, 5, 20, 100, 200] {
        for last in [true, false] {
            let name = format!("pipelined with {reads} reads, {}", if last { "last" } else { "first" });
            let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
                let mut octets = Vec::new();
                if !last {
                    octets.extend(talk.request(deed));
                }
                for _ in 0..reads {
                    octets.extend(talk.request(&usual_read()));
                }
                if last {
                    octets.extend(talk.request(deed));
                }
                talk.says(CLIENT, &octets);
            });
            // More than 64 requests wait for their responses.
            if reads > 64 {
                trick.shows(&["capture_limit"]);
            }
        }
    }
}

fn order(tricks: &mut Tricks) {
    // So many pieces of reads and, among them, the request; given in another order.
    let scrambled = |talk: &mut Talk, deed: &Deed, window: usize, seed: u64| {
        let mut octets = Vec::new();
        let place = if seed.is_multiple_of(2) { 0 } else { window * 2 };
        while octets.len() < place {
            octets.extend(talk.request(&usual_read()));
        }
        octets.extend(talk.request(deed));
        while octets.len() < window * 4 {
            octets.extend(talk.request(&usual_read()));
        }
        let piece = octets.len().div_ceil(window);
        let mut order = pieces(&octets, piece);
        if seed < 2 {
            order.reverse()
        } else {
            order = shuffled(order, seed)
        }
        for (offset, chunk) in order {
            talk.at(CLIENT, offset, chunk);
        }
        talk.moves(CLIENT, octets.len());
    };
    for window in [1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64] {
        for seed in 0..4 {
            let name = format!("reordered among {window}, seed {seed}");
            tricks.add(name, Expect::Alerted, move |talk, deed| scrambled(talk, deed, window, seed));
        }
    }
    for window in [66, 80, 128, 250] {
        for seed in 0..4 {
            let name = format!("reordered among {window}, more than is held, seed {seed}");
            let trick = tricks.add(name, Expect::Told, move |talk, deed| scrambled(talk, deed, window, seed));
            trick.shows(&["capture_limit"]);
        }
    }
    for milliseconds in [5, 200, 900, 1_500, 5_000] {
        for first in [1, 6, 8] {
            let name = format!("first {first} octets {milliseconds} ms after the others");
            let expect = if milliseconds < 1_000 { Expect::Alerted } else { Expect::Told };
            tricks.stream(name, expect, move |talk, octets| {
                talk.at(CLIENT, first as i64, &octets[first..]);
                talk.bare(SERVER, tcp::ACK);
                talk.wait_ms(milliseconds);
                talk.bare(SERVER, tcp::ACK);
                talk.at(CLIENT, 0, &octets[..first]);
            });
        }
    }
}

fn overlaps(tricks: &mut Tricks) {
    tricks.stream("sent twice", Expect::Alerted, |talk, octets| {
        talk.at(CLIENT, 0, octets);
        talk.at(CLIENT, 0, octets);
    });
    tricks.stream("sent again after a second", Expect::Alerted, |talk, octets| {
        talk.at(CLIENT, 0, octets);
        talk.wait_ms(1_100);
        talk.at(CLIENT, 0, octets);
    });
    tricks.add("behind a retransmission", Expect::Alerted, |talk, deed| {
        let read = talk.request(&usual_read());
        talk.says(CLIENT, &read);
        talk.at(CLIENT, -(read.len() as i64), &read);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("appended to a retransmission", Expect::Alerted, |talk, deed| {
        let mut read = talk.request(&usual_read());
        talk.says(CLIENT, &read);
        let back = read.len() as i64;
        let octets = talk.request(deed);
        read.extend(&octets);
        talk.at(CLIENT, -back, &read);
        talk.moves(CLIENT, octets.len());
    });
    for cut in [1, 4, 7, 8, 11] {
        tricks.stream(format!("first {cut} octets, then all"), Expect::Alerted, move |talk, octets| {
            talk.at(CLIENT, 0, &octets[..cut]);
            talk.at(CLIENT, 0, octets);
        });
        tricks.stream(format!("overlapping from octet {cut} back"), Expect::Alerted, move |talk, octets| {
            talk.at(CLIENT, 0, &octets[..cut]);
            talk.at(CLIENT, cut as i64 / 2, &octets[cut / 2..]);
        });
        tricks.stream(format!("early and overlapping from octet {cut}"), Expect::Alerted, move |talk, octets| {
            talk.at(CLIENT, cut as i64, &octets[cut..]);
            talk.at(CLIENT, cut as i64 - 1, &octets[cut - 1..]);
            talk.at(CLIENT, 0, &octets[..octets.len() - 1]);
        });
    }
    for garbage in [0, 1] {
        tricks.stream(format!("behind a keep-alive of {garbage} octets"), Expect::Alerted, move |talk, octets| {
            talk.flagged(CLIENT, tcp::ACK, -1, &vec![0; garbage]);
            talk.bare(SERVER, tcp::ACK);
            talk.at(CLIENT, 0, octets);
        });
        for cut in [1, 6, 8] {
            let name = format!("keep-alive of {garbage} octets after the first {cut}");
            tricks.stream(name, Expect::Alerted, move |talk, octets| {
                talk.at(CLIENT, 0, &octets[..cut]);
                talk.moves(CLIENT, cut);
                talk.bare(SERVER, tcp::ACK);
                talk.flagged(CLIENT, tcp::ACK, -1, &vec![0; garbage]);
                talk.bare(SERVER, tcp::ACK);
                talk.at(CLIENT, 0, &octets[cut..]);
                talk.next[CLIENT] = talk.next[CLIENT].wrapping_sub(cut as u32);
            });
        }
    }
    for before in [1, 2, 3, 6, 7, 8, 11, 12, 13] {
        for piece in [1, 5, 260] {
            let name = format!("sequence numbers wrap {before} octets behind its start, pieces of {piece}");
            let trick = tricks.stream(name, Expect::Alerted, move |talk, octets| {
                talk.next[CLIENT] = 0_u32.wrapping_sub(before + 1);
                talk.opens();
                for (offset, chunk) in pieces(octets, piece) {
                    talk.at(CLIENT, offset, chunk);
                }
            });
            trick.opens_itself();
        }
    }
}

fn conflicts(tricks: &mut Tricks) {
    const SHOWS: &[&str] = &["stream_conflict"];
    tricks.stream("after a decoy", Expect::Told, |talk, octets| {
        talk.at(CLIENT, 0, &decoy(octets));
        talk.at(CLIENT, 0, octets);
    });
    tricks.stream("before a decoy", Expect::Told, |talk, octets| {
        talk.at(CLIENT, 0, octets);
        talk.at(CLIENT, 0, &decoy(octets));
    });
    for cut in [1, 7, 8, 9, 11] {
        tricks.stream(format!("after {cut} octets of a decoy"), Expect::Told, move |talk, octets| {
            talk.at(CLIENT, 0, &decoy(octets)[..cut]);
            talk.at(CLIENT, 0, octets);
        });
        tricks.stream(format!("after a decoy from octet {cut}, early"), Expect::Told, move |talk, octets| {
            talk.at(CLIENT, cut as i64, &decoy(octets)[cut..]);
            talk.at(CLIENT, cut as i64, &octets[cut..]);
            talk.at(CLIENT, 0, &octets[..cut]);
        });
        tricks.stream(format!("before a decoy from octet {cut}, early"), Expect::Told, move |talk, octets| {
            talk.at(CLIENT, cut as i64, &octets[cut..]);
            talk.at(CLIENT, cut as i64, &decoy(octets)[cut..]);
            talk.at(CLIENT, 0, &octets[..cut]);
        });
        tricks.stream(format!("after a longer decoy from octet {cut}, early"), Expect::Told, move |talk, octets| {
            let mut longer = decoy(octets);
            longer.extend(decoy(octets));
            talk.at(CLIENT, cut as i64, &longer[cut..]);
            talk.at(CLIENT, cut as i64 - 1, &octets[cut - 1..]);
            talk.at(CLIENT, 0, &octets[..cut]);
        });
        tricks.stream(
            format!("beside an early decoy that starts after octet {cut}"),
            Expect::Told,
            move |talk, octets| {
                talk.at(CLIENT, cut as i64, &decoy(octets)[cut..]);
                talk.at(CLIENT, 1, &octets[1..]);
                talk.at(CLIENT, 0, &octets[..1]);
            },
        );
    }
    for piece in [1, 2, 3] {
        tricks.stream(format!("each {piece} octets after those of a decoy"), Expect::Told, move |talk, octets| {
            let decoy = decoy(octets);
            for ((offset, real), (_, false_one)) in pieces(octets, piece).into_iter().zip(pieces(&decoy, piece)) {
                talk.at(CLIENT, offset, false_one);
                talk.at(CLIENT, offset, real);
            }
        });
        tricks.stream(format!("a decoy, then {piece} octets at a time"), Expect::Told, move |talk, octets| {
            talk.at(CLIENT, 0, &decoy(octets));
            for (offset, real) in pieces(octets, piece) {
                talk.at(CLIENT, offset, real);
            }
        });
    }
    // A decoy, much that follows it and that nobody acknowledges, and only then the truth.
    for reads in [1, 10, 50, 80, 90, 300] {
        let trick =
            tricks.stream(format!("after a decoy and {reads} reads more"), Expect::Told, move |talk, octets| {
                let start = talk.next[CLIENT];
                talk.says(CLIENT, &decoy(octets));
                for _ in 0..reads {
                    let read = talk.request(&usual_read());
                    talk.says(CLIENT, &read);
                }
                let end = talk.next[CLIENT];
                talk.next[CLIENT] = start;
                talk.at(CLIENT, 0, octets);
                talk.next[CLIENT] = end.wrapping_sub(octets.len() as u32);
            });
        trick.shows(&["stream_conflict", "capture_limit"]);
    }
    // Nobody can tell what a decoy is that speaks no protocol at all.
    for port in [502, 5020] {
        for silent in [false, true] {
            let name = format!("port {port}, after a decoy that is no Modbus{}", if silent { ", alone" } else { "" });
            let trick = tricks.stream(name, Expect::Told, move |talk, octets| {
                talk.ends[SERVER].port = port;
                talk.opens();
                if !silent {
                    talk.polls(1);
                }
                talk.at(CLIENT, 0, &b"GET / HTTP/1.1\r\nHost: plc"[..octets.len().min(20)]);
                talk.at(CLIENT, 0, octets);
            });
            let shows = &["stream_conflict", "protocol_unexpected_port", "protocol_malformed", "conversation_new"];
            trick.opens_itself().shows(shows);
        }
    }
    let first = tricks.0.iter().position(|trick| trick.name == "after a decoy").expect("it was added above");
    for trick in &mut tricks.0[first..] {
        if trick.shows.is_empty() {
            trick.shows(SHOWS);
        }
    }
}

fn signs(tricks: &mut Tricks) {
    for (sign, flags) in [("RST", tcp::RST), ("RST and ACK", tcp::RST | tcp::ACK), ("FIN", tcp::FIN | tcp::ACK)] {
        for side in [CLIENT, SERVER] {
            // At 0 it is the exact number, and a low hop count or a wrong checksum keeps it from the host.
            for offset in [0, 1, -1, 1_000, -1_000, 100_000, 10_000_000, 1 << 31] {
                for seconds in [0, 15] {
                    let whose = ["client's", "server's"][side];
                    let name = format!("after the {whose} {sign} at {offset}, {seconds} s");
                    tricks.stream(name, Expect::Alerted, move |talk, octets| {
                        talk.flagged(side, flags, offset, &[]);
                        talk.wait_ms(seconds * 1_000);
                        talk.at(CLIENT, 0, octets);
                    });
                }
            }
        }
    }
    tricks.stream("after FINs of both that no host saw", Expect::Alerted, |talk, octets| {
        talk.flagged(CLIENT, tcp::FIN | tcp::ACK, 0, &[]);
        talk.flagged(SERVER, tcp::FIN | tcp::ACK, 0, &[]);
        talk.at(CLIENT, 0, octets);
    });
    for offset in [1, 5_000, -5_000, 1 << 30, -(1 << 30), 1 << 31] {
        tricks.stream(format!("after a SYN at {offset}"), Expect::Alerted, move |talk, octets| {
            talk.flagged(CLIENT, tcp::SYN, offset, &[]);
            talk.at(CLIENT, 0, octets);
        });
        let name = format!("after a SYN at {offset} that is answered");
        let trick = tricks.stream(name, Expect::Told, move |talk, octets| {
            talk.flagged(CLIENT, tcp::SYN, offset, &[]);
            talk.flagged(SERVER, tcp::SYN | tcp::ACK, 70_000, &[]);
            talk.at(CLIENT, 0, octets);
        });
        trick.shows(&["stream_conflict"]);
        // The sensor is led to believe in another connection.
        let name = format!("after a SYN at {offset} and a decoy there");
        let trick = tricks.stream(name, Expect::Told, move |talk, octets| {
            talk.flagged(CLIENT, tcp::SYN, offset, &[]);
            talk.at(CLIENT, offset + 1, &decoy(octets));
            talk.at(CLIENT, 0, octets);
        });
        // One octet beside the stream, the decoy shifts what is read.
        trick.shows(&["stream_conflict", "protocol_malformed"]);
        let name = format!("after an answered SYN at {offset} and a decoy there");
        let trick = tricks.stream(name, Expect::Told, move |talk, octets| {
            talk.flagged(CLIENT, tcp::SYN, offset, &[]);
            talk.flagged(SERVER, tcp::SYN | tcp::ACK, 70_000, &[]);
            talk.flagged(CLIENT, tcp::ACK, offset + 1, &[]);
            talk.at(CLIENT, offset + 1, &decoy(octets));
            talk.at(CLIENT, 0, octets);
        });
        // One octet beside the stream, the decoy shifts what is read.
        trick.shows(&["stream_conflict", "protocol_malformed"]);
    }
    for lost in [1, 12, 600, 60_000, 20_000_000] {
        for acknowledged in [false, true] {
            let name = format!("after {lost} lost octets{}", if acknowledged { ", acknowledged" } else { "" });
            tricks.stream(name, Expect::Alerted, move |talk, octets| {
                talk.moves(CLIENT, lost);
                talk.at(CLIENT, 0, octets);
                if acknowledged {
                    talk.moves(CLIENT, octets.len());
                    talk.bare(SERVER, tcp::ACK);
                    talk.wait_ms(30);
                    talk.bare(SERVER, tcp::ACK);
                    talk.next[CLIENT] = talk.next[CLIENT].wrapping_sub(octets.len() as u32);
                }
            });
        }
    }
    for seen in [1, 6, 7, 8, 11] {
        tricks.add(format!("after a read of which {seen} octets were seen"), Expect::Alerted, move |talk, deed| {
            let read = talk.request(&usual_read());
            talk.at(CLIENT, 0, &read[..seen]);
            talk.moves(CLIENT, read.len());
            let octets = talk.request(deed);
            talk.says(CLIENT, &octets);
        });
    }
    tricks.add("after a response that was lost", Expect::Alerted, |talk, deed| {
        let read = talk.request(&usual_read());
        talk.says(CLIENT, &read);
        talk.moves(SERVER, 29);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    for snap in [54, 58, 60, 61] {
        tricks.add(format!("after frames cut to {snap} octets"), Expect::Alerted, move |talk, deed| {
            let before = talk.sent.len();
            talk.polls(3);
            for sent in &mut talk.sent[before..] {
                sent.wire_octets = Some(sent.octets.len());
                sent.octets.truncate(snap);
            }
            let octets = talk.request(deed);
            talk.says(CLIENT, &octets);
        });
    }
}

fn openings(tricks: &mut Tricks) {
    tricks.add("nothing before it", Expect::Alerted, |talk, deed| {
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("SYN only before it", Expect::Alerted, |talk, deed| {
        talk.bare(CLIENT, tcp::SYN);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("SYN and ACK only before it", Expect::Alerted, |talk, deed| {
        talk.bare(SERVER, tcp::SYN | tcp::ACK);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("polls only before it", Expect::Alerted, |talk, deed| {
        talk.polls(3);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("responses only before it", Expect::Alerted, |talk, deed| {
        talk.transaction_identifier = 7;
        talk.answers(&usual_read());
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    for tail in [1, 4, 5, 6, 11] {
        let name = format!("the last {tail} octets of a read before it");
        let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
            let mut octets = talk.request(&usual_read())[12 - tail..].to_vec();
            octets.extend(talk.request(deed));
            talk.says(CLIENT, &octets);
        });
        trick.needs_answer();
    }
    tricks.add("both ends open", Expect::Alerted, |talk, deed| {
        talk.bare(CLIENT, tcp::SYN);
        talk.bare(SERVER, tcp::SYN);
        talk.flagged(CLIENT, tcp::SYN | tcp::ACK, -1, &[]);
        talk.flagged(SERVER, tcp::SYN | tcp::ACK, -1, &[]);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("in the SYN", Expect::Alerted, |talk, deed| {
        let octets = talk.request(deed);
        talk.flagged(CLIENT, tcp::SYN, 0, &octets);
        talk.moves(CLIENT, 1 + octets.len());
        talk.bare(SERVER, tcp::SYN | tcp::ACK);
        talk.bare(CLIENT, tcp::ACK);
    });
    for offset in [1, 5_000, -5_000, 1 << 30, -(1 << 30)] {
        for decoy_first in [true, false] {
            let name = format!("a second SYN at {offset} {}", if decoy_first { "before" } else { "after" });
            tricks.add(name, Expect::Alerted, move |talk, deed| {
                if decoy_first {
                    talk.flagged(CLIENT, tcp::SYN, offset, &[]);
                }
                talk.flagged(CLIENT, tcp::SYN, 0, &[]);
                if !decoy_first {
                    talk.flagged(CLIENT, tcp::SYN, offset, &[]);
                }
                talk.moves(CLIENT, 1);
                talk.bare(SERVER, tcp::SYN | tcp::ACK);
                talk.bare(CLIENT, tcp::ACK);
                let octets = talk.request(deed);
                talk.says(CLIENT, &octets);
            });
        }
        let trick = tricks.add(format!("a second SYN and ACK at {offset}"), Expect::Alerted, move |talk, deed| {
            talk.bare(CLIENT, tcp::SYN);
            talk.flagged(SERVER, tcp::SYN | tcp::ACK, offset, &[]);
            talk.bare(SERVER, tcp::SYN | tcp::ACK);
            talk.bare(CLIENT, tcp::ACK);
            talk.polls(1);
            let octets = talk.request(deed);
            talk.says(CLIENT, &octets);
        });
        // The wrong one of two numbers shifts the responses.
        trick.shows(&["protocol_malformed"]);
    }
    tricks.add("the same ports again", Expect::Alerted, |talk, deed| {
        talk.opens();
        talk.polls(2);
        talk.ends();
        talk.wait_ms(500);
        talk.next = [0x4444_0000, 0x0555_0000];
        talk.opens();
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    tricks.add("the same ports again, without a handshake", Expect::Alerted, |talk, deed| {
        talk.opens();
        talk.polls(2);
        talk.ends();
        talk.wait_ms(500);
        talk.next = [0x4444_0000, 0x0555_0000];
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    let first = tricks.0.iter().position(|trick| trick.name == "nothing before it").expect("it was added above");
    for trick in &mut tricks.0[first..] {
        trick.opens_itself();
    }
    // The controller calls, and is written to over its own connection.
    let trick = tricks.add("over the server's own connection", Expect::Alerted, |talk, deed| {
        talk.ends[CLIENT].port = 5020;
        talk.ends[SERVER].port = 49_200;
        talk.bare(SERVER, tcp::SYN);
        talk.bare(CLIENT, tcp::SYN | tcp::ACK);
        talk.bare(SERVER, tcp::ACK);
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    trick.opens_itself().shows(&["protocol_unexpected_port", "conversation_new"]);
}

fn fragments(tricks: &mut Tricks) {
    for piece in [8, 16, 24] {
        for (name, seed) in [("in order", 0), ("last first", 1), ("shuffled", 2), ("shuffled otherwise", 3)] {
            for twice in [false, true] {
                let twice_name = if twice { ", each twice" } else { "" };
                let name = format!("fragments of {piece}, {name}{twice_name}");
                tricks.stream(name, Expect::Alerted, move |talk, octets| {
                    let mut frames = talk.fragments(octets, piece);
                    match seed {
                        0 => {}
                        1 => frames.reverse(),
                        seed => frames = shuffled(frames, seed),
                    }
                    for frame in frames {
                        talk.put(frame.clone());
                        if twice {
                            talk.put(frame);
                        }
                    }
                });
            }
        }
    }
    for seconds in [1, 20, 45] {
        let expect = if seconds < 30 { Expect::Alerted } else { Expect::Told };
        // RFC 1122 3.3.2: a host waits for 60 to 120 seconds.
        tricks.stream(format!("fragments {seconds} s apart"), expect, move |talk, octets| {
            for (number, frame) in talk.fragments(octets, 16).into_iter().enumerate() {
                if number == 1 {
                    talk.wait_ms(seconds * 1_000);
                }
                talk.put(frame);
            }
        });
    }
    let overlapping = |talk: &mut Talk, octets: &[u8], decoy_first: bool, last_first: bool, piece: usize| {
        let real = talk.segment(CLIENT, DATA, talk.next[CLIENT], octets);
        let false_one = talk.segment(CLIENT, DATA, talk.next[CLIENT], &decoy(octets));
        talk.identification = talk.identification.wrapping_add(1);
        let identification = talk.identification;
        let mut frames = talk.fragments_of(&real, piece, identification);
        // The decoy stands in for the fragment that holds the function code.
        let at = 27 / piece;
        let decoy = talk.fragments_of(&false_one, piece, identification).swap_remove(at);
        if decoy_first {
            frames.insert(at, decoy)
        } else {
            frames.insert(at + 1, decoy)
        }
        if last_first {
            frames.reverse();
        }
        for frame in frames {
            talk.put(frame);
        }
    };
    for piece in [8, 16, 24] {
        for decoy_first in [false, true] {
            for last_first in [false, true] {
                let name = format!("fragments of {piece} with a decoy, {decoy_first} {last_first}");
                let trick = tricks.stream(name, Expect::Told, move |talk, octets| {
                    overlapping(talk, octets, decoy_first, last_first, piece);
                });
                // Fragments that come after their datagram is whole start one that never ends.
                trick.shows(&["fragment_conflict", "stream_conflict"]);
            }
        }
    }
    let trick = tricks.stream("fragments of 8 that overlap by 8, equal", Expect::Alerted, |talk, octets| {
        let narrow = talk.fragments(octets, 8);
        let segment = talk.segment(CLIENT, DATA, talk.next[CLIENT], octets);
        let wide = talk.fragments_of(&segment, 16, talk.identification);
        for frame in narrow.iter().skip(1).chain(&wide) {
            talk.put(frame.clone());
        }
    });
    trick.shows(&[]);
    for stale in [1, 2] {
        let name = format!("fragments under an identification of which {stale} pieces are left over");
        let trick = tricks.stream(name, Expect::Told, move |talk, octets| {
            let false_one = talk.segment(CLIENT, DATA, talk.next[CLIENT], &decoy(octets));
            let identification = talk.identification.wrapping_add(1);
            for frame in talk.fragments_of(&false_one, 8, identification).into_iter().rev().take(stale) {
                talk.put(frame);
            }
            talk.wait_ms(2_000);
            for frame in talk.fragments(octets, 8) {
                talk.put(frame);
            }
        });
        trick.shows(&["fragment_conflict", "stream_conflict"]);
    }
    let trick = tricks.add("IPv6 fragments", Expect::Alerted, |talk, deed| {
        let six = |host: u16| IpAddr::V6([0xfd00, 0, 0, 0, 0, 0, 0, host].into());
        talk.ends[CLIENT].host.address = six(5);
        talk.ends[SERVER].host.address = six(9);
        talk.opens();
        let octets = talk.request(deed);
        let segment = talk.segment(CLIENT, DATA, talk.next[CLIENT], &octets);
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (six(5), six(9)) else { panic!("they are IPv6") };
        for packet in ip::v6_fragments(source, destination, ip::TCP, 77, &segment, 8).iter().rev() {
            let frame = ethernet::frame(PLC.mac, HMI.mac, ethernet::IPV6, packet);
            talk.put(frame);
        }
        talk.moves(CLIENT, octets.len());
    });
    trick.opens_itself().shows(&["asset_new", "conversation_new", "asset_address_conflict", "operation_new"]);
}

/// The IP packet of an Ethernet frame.
fn packet_of(frame: &[u8]) -> &[u8] {
    &frame[14..]
}

/// To whom and from whom an Ethernet frame is.
fn addresses_of(frame: &[u8]) -> (ethernet::Mac, ethernet::Mac) {
    let mac = |at: usize| frame[at..at + 6].try_into().expect("six octets");
    (mac(0), mac(6))
}

/// A frame with the addresses of another.
fn with_addresses_of(frame: &[u8], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let (to, from) = addresses_of(frame);
    ethernet::frame(to, from, ether_type, payload)
}

/// A frame between two switches that carries a tunnel's payload.
fn between_switches(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header = ip::Header::new([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), protocol, 9);
    ethernet::frame([2, 9, 9, 9, 9, 2], [2, 9, 9, 9, 9, 1], ethernet::IPV4, &ip::v4(header, payload))
}

fn datagram_between_switches(port: u16, payload: &[u8]) -> Vec<u8> {
    let ends = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    between_switches(ip::UDP, &udp::datagram((IpAddr::V4(ends.0), 55_555), (IpAddr::V4(ends.1), port), payload))
}

fn wraps(tricks: &mut Tricks) {
    type Wrap = fn(Vec<u8>) -> Vec<u8>;
    let all: [(&str, Wrap); 18] = [
        ("a priority tag", |frame| ethernet::tagged(&frame, &[(ethernet::C_TAG, 0)])),
        ("a VLAN tag", |frame| ethernet::tagged(&frame, &[(ethernet::C_TAG, 7)])),
        ("two tags", |frame| ethernet::tagged(&frame, &[(ethernet::S_TAG, 100), (ethernet::C_TAG, 7)])),
        ("four tags", |frame| ethernet::tagged(&frame, &[(ethernet::C_TAG, 7); 4])),
        ("GRE with IP", |frame| between_switches(ip::GRE, &tunnel::gre(0x0800, None, None, packet_of(&frame)))),
        ("GRE with Ethernet", |frame| {
            between_switches(ip::GRE, &tunnel::gre(tunnel::TRANSPARENT_ETHERNET, Some(3), Some(4), &frame))
        }),
        ("ERSPAN II", |frame| between_switches(ip::GRE, &tunnel::erspan_2(1, 0, 5, 3, &frame))),
        ("ERSPAN III", |frame| between_switches(ip::GRE, &tunnel::erspan_3(1, 0, 5, 3, &frame))),
        ("VXLAN", |frame| datagram_between_switches(tunnel::VXLAN_PORT, &tunnel::vxlan(42, &frame))),
        ("Geneve", |frame| {
            let inner = tunnel::geneve(42, tunnel::TRANSPARENT_ETHERNET, &[0; 8], &frame);
            datagram_between_switches(tunnel::GENEVE_PORT, &inner)
        }),
        ("MPLS", |frame| {
            let inner = tunnel::mpls(&[16, 17], packet_of(&frame));
            with_addresses_of(&frame, ethernet::MPLS, &inner)
        }),
        ("PPPoE", |frame| {
            let inner = tunnel::pppoe(7, 0x0021, packet_of(&frame));
            with_addresses_of(&frame, ethernet::PPPOE_SESSION, &inner)
        }),
        ("IP in IP", |frame| between_switches(ip::IN_IP, packet_of(&frame))),
        ("SNAP", |frame| {
            // Without the padding, which a length field would count.
            let total = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
            let (to, from) = addresses_of(&frame);
            ethernet::padded(ethernet::snap(to, from, [0; 3], ethernet::IPV4, &frame[14..14 + total]))
        }),
        ("a PRP trailer", |frame| ethernet::with_prp_trailer(&frame, 9, 0xa)),
        ("an HSR tag", |frame| ethernet::with_hsr_tag(&frame, 9, 1)),
        ("VXLAN in GRE in a VLAN", |frame| {
            let vxlan = datagram_between_switches(tunnel::VXLAN_PORT, &tunnel::vxlan(42, &frame));
            let gre = between_switches(ip::GRE, &tunnel::gre(tunnel::TRANSPARENT_ETHERNET, None, None, &vxlan));
            ethernet::tagged(&gre, &[(ethernet::C_TAG, 9)])
        }),
        ("a frame check sequence", |mut frame| {
            frame.extend([0xde, 0xad, 0xbe, 0xef]);
            frame
        }),
    ];
    for (name, wrap) in all {
        let trick = tricks.add(format!("in {name}"), Expect::Alerted, move |talk, deed| {
            talk.wrap = Some(wrap);
            talk.opens();
            talk.polls(2);
            let octets = talk.request(deed);
            talk.says(CLIENT, &octets);
        });
        trick.opens_itself().shows(&["asset_new"]);
    }
    for piece in [8, 16] {
        let name = format!("as fragments of {piece} in VXLAN in fragments");
        let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
            talk.wrap = Some(|frame| datagram_between_switches(tunnel::VXLAN_PORT, &tunnel::vxlan(42, &frame)));
            talk.opens();
            talk.wrap = None;
            let octets = talk.request(deed);
            for (number, inner) in talk.fragments(&octets, piece).into_iter().enumerate() {
                let ends = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
                let (from, to) = ((IpAddr::V4(ends.0), 55_555), (IpAddr::V4(ends.1), tunnel::VXLAN_PORT));
                let datagram = udp::datagram(from, to, &tunnel::vxlan(42, &inner));
                let header = ip::Header::new(ends.0, ends.1, ip::UDP, 500 + number as u16);
                for packet in ip::fragments(header, &datagram, 32).iter().rev() {
                    let frame = ethernet::frame([2, 9, 9, 9, 9, 2], [2, 9, 9, 9, 9, 1], ethernet::IPV4, packet);
                    talk.put(frame);
                }
            }
            talk.moves(CLIENT, octets.len());
        });
        trick.opens_itself().shows(&["asset_new"]);
    }
    let trick = tricks.stream("priority tag on one half", Expect::Alerted, |talk, octets| {
        talk.at(CLIENT, 0, &octets[..6]);
        talk.wrap = Some(|frame| ethernet::tagged(&frame, &[(ethernet::C_TAG, 0)]));
        talk.at(CLIENT, 6, &octets[6..]);
        talk.wrap = None;
    });
    trick.shows(&[]);
    tricks.stream("with IP options", Expect::Alerted, |talk, octets| {
        let segment = talk.segment(CLIENT, DATA, talk.next[CLIENT], octets);
        let mut frame = talk.packet(CLIENT, ip::TCP, &segment);
        // Header length 6 words, total length 4 more: four times "no operation".
        frame[14] = 0x46;
        let total = u16::from_be_bytes([frame[16], frame[17]]) + 4;
        frame[16..18].copy_from_slice(&total.to_be_bytes());
        frame.splice(34..34, [1, 1, 1, 1]);
        talk.put(frame);
    });
    tricks.stream("with TCP options", Expect::Alerted, |talk, octets| {
        let (from, to) = (talk.ends[CLIENT], talk.ends[SERVER]);
        let header = tcp::Header {
            source_port: from.port,
            destination_port: to.port,
            sequence_number: talk.next[CLIENT],
            acknowledgement_number: talk.next[SERVER],
            flags: DATA,
            window: 512,
        };
        let options = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
        let segment = tcp::segment(from.host.address, to.host.address, header, &options, octets);
        let frame = talk.packet(CLIENT, ip::TCP, &segment);
        talk.put(frame);
    });
}

fn places(tricks: &mut Tricks) {
    const SHOWS: &[&str] = &["protocol_unexpected_port", "conversation_new", "operation_new"];
    for port in [80, 443, 503, 1_023, 1_502, 5_020, 8_502, 20_000, 40_000, 44_818, 65_535] {
        for handshake in [true, false] {
            let name = format!("at port {port}{}", if handshake { "" } else { ", without a handshake" });
            let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
                talk.ends[SERVER].port = port;
                if handshake {
                    talk.opens();
                }
                let octets = talk.request(deed);
                talk.says(CLIENT, &octets);
            });
            trick.opens_itself().shows(SHOWS);
        }
    }
    for port in [20, 502, 503, 1_024, 5_020] {
        for handshake in [true, false] {
            let name = format!("from port {port}{}", if handshake { "" } else { ", without a handshake" });
            let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
                talk.ends[CLIENT].port = port;
                if handshake {
                    talk.opens();
                }
                let octets = talk.request(deed);
                talk.says(CLIENT, &octets);
            });
            trick.opens_itself();
        }
    }
    let trick = tricks.add("from port 502 to port 40000, without a handshake", Expect::Alerted, |talk, deed| {
        talk.ends[CLIENT].port = 502;
        talk.ends[SERVER].port = 40_000;
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    trick.opens_itself().shows(SHOWS);
    for port in [502, 4_001, 5_020] {
        for handshake in [true, false] {
            for piece in [1, 5, 300] {
                let name = format!("as RTU at port {port}, {handshake}, pieces of {piece}");
                let trick = tricks.add(name, Expect::Alerted, move |talk, deed| {
                    talk.ends[SERVER].port = port;
                    talk.rtu = true;
                    if handshake {
                        talk.opens();
                    }
                    talk.polls(2);
                    let octets = talk.request(deed);
                    for (_, chunk) in pieces(&octets, piece) {
                        talk.says(CLIENT, chunk);
                    }
                });
                trick.opens_itself().shows(SHOWS);
            }
        }
    }
    for port in [502, 5_020] {
        let trick = tricks.add(format!("by UDP at port {port}"), Expect::Alerted, move |talk, deed| {
            let octets = talk.request(deed);
            let (from, to) = (talk.ends[CLIENT], talk.ends[SERVER]);
            let datagram = udp::datagram((from.host.address, from.port), (to.host.address, port), &octets);
            let frame = talk.packet(CLIENT, ip::UDP, &datagram);
            talk.put(frame);
            // Elsewhere, what follows on TCP belongs to nothing.
            talk.opens();
        });
        trick.opens_itself().shows(SHOWS);
    }
}

fn meanings(tricks: &mut Tricks) {
    for unit in [0, 2, 247, 255] {
        let trick = tricks.add(format!("to unit {unit}"), Expect::Alerted, move |talk, deed| {
            let deed = Deed { unit, ..deed.clone() };
            let octets = talk.request(&deed);
            talk.says(CLIENT, &octets);
        });
        trick.shows(&["operation_new"]);
    }
    // Headers and PDUs that a device drops, or answers with an exception, before the request.
    type Odd = (&'static str, fn() -> Vec<u8>);
    let odd: [Odd; 8] = [
        ("another protocol identifier", || modbus::tcp_claiming(9, 7, 6, 1, &modbus::read(3, 40, 10))),
        ("length 0", || modbus::tcp_claiming(9, 0, 0, 1, &[])),
        ("length 1", || modbus::tcp_claiming(9, 0, 1, 1, &[])),
        ("function code 0", || modbus::tcp(9, 1, &[0])),
        ("the exception bit", || modbus::tcp(9, 1, &[0x83, 2])),
        ("quantity 0", || modbus::tcp(9, 1, &modbus::read(3, 40, 0))),
        ("a function code that nobody knows", || modbus::tcp(9, 1, &[0x55, 1, 2, 3])),
        ("five octets of garbage", || vec![0xff; 5]),
    ];
    for (name, octets) in odd {
        for together in [true, false] {
            let name = format!("behind {name}, {}", if together { "in one segment" } else { "in a segment each" });
            let trick = tricks.add(name, Expect::Told, move |talk, deed| {
                let (odd, real) = (octets(), talk.request(deed));
                if together {
                    talk.says(CLIENT, &[odd, real].concat());
                } else {
                    talk.says(CLIENT, &odd);
                    talk.says(CLIENT, &real);
                }
            });
            // What only a server says turns the conversation round, until something else is said.
            trick.shows(&["protocol_malformed", "operation_new", "protocol_unexpected_port", "conversation_new"]);
        }
    }
    let trick = tricks.add("between garbage, in one segment", Expect::Told, |talk, deed| {
        let real = talk.request(deed);
        talk.says(CLIENT, &[vec![0xff; 5], real, vec![0xff; 5]].concat());
    });
    trick.shows(&["protocol_malformed", "protocol_unexpected_port"]);
    // Devices that read a segment at a time do what it says, whatever the header counts.
    for more in [-2, -1, 1, 2, 12, 100, 200, 1_000] {
        let trick = tricks.add(format!("with a length of {more} more"), Expect::Told, move |talk, deed| {
            talk.transaction_identifier += 1;
            let length = (1 + deed.request.len() as i32 + more) as u16;
            let octets = modbus::tcp_claiming(talk.transaction_identifier, 0, length, deed.unit, &deed.request);
            talk.says(CLIENT, &octets);
            talk.answers(deed);
        });
        trick.shows(&["protocol_malformed", "protocol_unexpected_port"]);
    }
    for segments in [1, 3, 16, 20] {
        let name = format!("behind {segments} segments that are no Modbus");
        let trick = tricks.add(name, Expect::Told, move |talk, deed| {
            for _ in 0..segments {
                talk.says(CLIENT, b"GET /index.html HTTP/1.1\r\nHost: plc\r\n\r\n");
                talk.bare(SERVER, tcp::ACK);
            }
            let octets = talk.request(deed);
            talk.says(CLIENT, &octets);
        });
        trick.shows(&["protocol_malformed", "protocol_unexpected_port"]);
    }
    // The rest of a write whose first part is usual.
    let trick = tricks.add("behind a usual write", Expect::Alerted, |talk, deed| {
        let usual = modbus::write_multiple_registers(40, &[200, 210]);
        talk.does(&Deed::new("usual", usual, modbus::written(16, 40, 2)));
        let octets = talk.request(deed);
        talk.says(CLIENT, &octets);
    });
    // Of a stranger no write is usual.
    trick.shows(&["write_unusual"]);
}

// The plant around it

/// Ten seconds of usual work over one conversation.
fn usual_work() -> Talk {
    let mut talk = Talk::new(HMI.port(49_152), PLC.port(502), START_NS);
    talk.opens();
    for second in 1..=10_u64 {
        talk.now_ns = START_NS + second * 1_000_000_000;
        talk.does(&usual_read());
        let coils = modbus::bits(1, &[true, false, true, true, false, false, true, false]);
        talk.does(&Deed::new("coils", modbus::read(1, 0, 8), coils));
        if second % 5 == 0 {
            let request = modbus::write_multiple_registers(40, &[195 + second as u16, 208]);
            talk.does(&Deed::new("usual", request, modbus::written(16, 40, 2)));
        }
    }
    talk
}

/// Who delivers the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// The panel, over the conversation that it always has.
    Panel,
    /// The panel, over a new conversation.
    PanelAnew,
    /// Somebody who never asked anything before.
    Stranger,
}

fn play(work: &Talk, who: Who, trick: &Trick, deed: &Deed, goes_on: bool) -> Vec<Headed> {
    let mut talk = work.clone();
    talk.wait_ms(1_000);
    match who {
        Who::Panel => {}
        Who::PanelAnew | Who::Stranger => {
            let client = if who == Who::Stranger { INTRUDER } else { HMI };
            let sent = talk.sent;
            talk = Talk { sent, ..Talk::new(client.port(50_111), PLC.port(502), talk.now_ns) };
            if !trick.opens_itself {
                talk.opens();
            }
        }
    }
    (trick.deliver)(&mut talk, deed);
    if goes_on {
        talk.answers(deed);
        talk.polls(4);
        talk.wait_ms(1_500);
        talk.polls(2);
    }
    let frames = talk.sent.into_iter().zip(1..);
    frames
        .map(|(sent, number)| {
            let mut head = head(number, sent.time_ns, 1, &sent.octets);
            if let Some(wire_octets) = sent.wire_octets {
                head.wire_octets = wire_octets as u32;
            }
            (head, sent.octets)
        })
        .collect()
}

/// Whether an alert tells of the planted write. The response to function code 23 does not say what was written.
fn tells_of(alert: &Alert, deed: &Deed) -> bool {
    let EventKind::Operation(fact) = &alert.event.kind else { return false };
    let planted = fact.operation.target.is_some_and(|target| target.first == u32::from(PLANTED));
    let code = fact.operation.code;
    (planted && fact.operation.verb.changes_process()) || (code == 23 && code == u16::from(deed.request[0]))
}

fn outcome(run: &Run, deed: &Deed, trick: &Trick) -> Result<(), String> {
    let expect = trick.expect;
    // Of a stranger of whom only that response was read, it is told that he speaks at all.
    let by_answer = deed.request[0] == 23 && (expect == Expect::Told || trick.needs_answer);
    let alerted = run.alerts.iter().any(|alert| tells_of(alert, deed))
        || (by_answer && run.alerts.iter().any(|alert| alert.card.name == "conversation_new"));
    let flagged = run.alerts.iter().any(|alert| FLAGS.contains(&alert.card.name));
    if alerted || (flagged && expect == Expect::Told) { Ok(()) } else { Err(format!("heard only {:?}", run.kinds())) }
}

struct Matrix {
    work: Talk,
    setup: Setup,
    tricks: Vec<Trick>,
}

impl Matrix {
    fn new() -> Self {
        let work = usual_work();
        let frames = work.sent.iter().map(|sent| TimedFrame { time_ns: sent.time_ns, octets: sent.octets.clone() });
        let capture = Capture { frames: frames.collect(), link_type: 1 };
        let baseline = learn(&capture, None);
        let setup = Setup { policy: policy(None, Some(&baseline)), seed: 1, ..Setup::default() };
        Self { work, setup, tricks: tricks() }
    }

    fn run(&self, who: Who, trick: &Trick, deed: &Deed, goes_on: bool) -> Run {
        run_heads(self.setup.clone(), &play(&self.work, who, trick, deed, goes_on), 64)
    }

    /// Every trick with who can play it, and whether the conversation goes on after it.
    fn cases(&self) -> Vec<(Who, &Trick, bool)> {
        let mut cases = Vec::new();
        for trick in &self.tricks {
            for who in [Who::Panel, Who::PanelAnew, Who::Stranger] {
                for goes_on in [true, false] {
                    if (who != Who::Panel || !trick.opens_itself) && (goes_on || !trick.needs_answer) {
                        cases.push((who, trick, goes_on));
                    }
                }
            }
        }
        cases
    }
}

/// Failures by trick, so that a page shows them all.
fn told(failures: Vec<(String, String)>, cases: usize) {
    let mut by_trick: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (trick, what) in failures {
        by_trick.entry(trick).or_default().push(what);
    }
    let count: usize = by_trick.values().map(Vec::len).sum();
    let lines: Vec<String> = by_trick
        .iter()
        .map(|(trick, what)| format!("  {trick}: {} cases, the first {}", what.len(), what[0]))
        .collect();
    assert!(count == 0, "{count} of {cases} cases fail:\n{}", lines.join("\n"));
}

#[test]
fn a_write_is_told_however_it_is_delivered() {
    let matrix = Matrix::new();
    let deeds = writes();
    let cases: Vec<_> = matrix
        .cases()
        .into_iter()
        .flat_map(|(who, trick, goes_on)| deeds.iter().map(move |deed| (who, trick, goes_on, deed)))
        .collect();
    assert!(cases.len() >= 2_000, "{} cases", cases.len());
    let outcomes = map(&cases, |(who, trick, goes_on, deed)| {
        outcome(&matrix.run(*who, trick, deed, *goes_on), deed, trick)
            .err()
            .map(|heard| (trick.name.clone(), format!("{who:?} goes_on={goes_on} {}: {heard}", deed.name)))
    });
    told(outcomes.into_iter().flatten().collect(), cases.len());
}

#[test]
fn a_read_with_the_same_trick_raises_nothing_of_its_own() {
    let matrix = Matrix::new();
    let read = usual_read();
    let plain = matrix.tricks.iter().find(|trick| trick.name == "plain").expect("the trick is there");
    let mut usual: BTreeMap<Who, BTreeSet<&str>> = BTreeMap::new();
    for who in [Who::Panel, Who::PanelAnew, Who::Stranger] {
        usual.insert(who, matrix.run(who, plain, &read, true).kinds());
    }
    assert!(usual[&Who::Panel].is_empty() && usual[&Who::PanelAnew].is_empty(), "{usual:?}");
    assert!(usual[&Who::Stranger].contains("conversation_new"), "{usual:?}");
    let cases = matrix.cases();
    let outcomes = map(&cases, |(who, trick, goes_on)| {
        let run = matrix.run(*who, trick, &read, *goes_on);
        let mut new: BTreeSet<&str> = run.kinds().difference(&usual[who]).copied().collect();
        // Without an exact reason even a confession would be noise.
        new.retain(|kind| !trick.shows.contains(kind));
        let first = run.alerts.iter().find(|alert| new.contains(alert.card.name));
        first.map(|alert| {
            let what = format!("{who:?} goes_on={goes_on}: {new:?}, at frame {}", alert.origin.frame);
            (trick.name.clone(), what)
        })
    });
    told(outcomes.into_iter().flatten().collect(), cases.len());
}

#[test]
fn what_is_no_part_of_the_packet_is_not_read() {
    // A write in the padding of a frame, behind the end of the IP packet, reaches no device.
    let matrix = Matrix::new();
    let mut tricks = Tricks::default();
    tricks.stream("behind the packet", Expect::Told, |talk, octets| {
        let segment = talk.segment(CLIENT, DATA, talk.next[CLIENT], octets);
        let mut frame = talk.packet(CLIENT, ip::TCP, &segment);
        frame.extend(modbus::tcp(1, 1, &modbus::write_single_register(PLANTED, 6666)));
        talk.put(frame);
    });
    for goes_on in [true, false] {
        let run = matrix.run(Who::Panel, &tricks.0[0], &usual_read(), goes_on);
        assert!(run.alerts.is_empty(), "{:?}", run.kinds());
    }
}

#[test]
fn what_looks_like_the_octet_of_a_keep_alive_is_not_passed_over() {
    // To read ten registers from 40 on, and to write 10 to register 40, differ in one octet: the function code. It is
    // sent twice, first the one that no host gets.
    let matrix = Matrix::new();
    let write = modbus::write_single_register(40, 10);
    assert_eq!(write[1..], usual_read().request[1..]);
    let write = Deed::new("write", write.clone(), write);
    for acknowledged in [false, true] {
        let mut tricks = Tricks::default();
        tricks.stream("function code as a keep-alive's octet", Expect::Told, move |talk, octets| {
            talk.at(CLIENT, 0, &octets[..7]);
            if acknowledged {
                // The host has all but the octet in question.
                talk.moves(CLIENT, 7);
                talk.bare(SERVER, tcp::ACK);
                talk.next[CLIENT] = talk.next[CLIENT].wrapping_sub(7);
            }
            talk.at(CLIENT, 7, &[3]);
            talk.at(CLIENT, 7, &octets[7..8]);
            talk.at(CLIENT, 8, &octets[8..]);
        });
        for who in [Who::Panel, Who::PanelAnew] {
            let run = matrix.run(who, &tricks.0[0], &write, false);
            let flagged = run.alerts.iter().any(|alert| FLAGS.contains(&alert.card.name));
            assert!(flagged, "{who:?}: heard only {:?}", run.kinds());
        }
    }
}

#[test]
fn the_matrix_would_see_a_miss() {
    let matrix = Matrix::new();
    let mut tricks = Tricks::default();
    tricks.stream("never sent", Expect::Told, |_, _| {});
    for deed in writes() {
        let run = matrix.run(Who::Panel, &tricks.0[0], &deed, false);
        assert!(outcome(&run, &deed, &tricks.0[0]).is_err());
    }
    assert!(CONFESSIONS.iter().all(|flag| FLAGS.contains(flag)), "what confesses, flags");
}
