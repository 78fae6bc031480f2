//! A conversation of which the test decides every octet: who speaks, in which protocol, in which segments and frames.

use crate::{CLIENT, DATA, SERVER, dnp3, iec104, modbus};
use fixtures::story::Endpoint;
use fixtures::wire::{ethernet, ip, tcp};
use std::net::IpAddr;

/// Requests with their responses.
#[derive(Clone)]
pub struct Deed {
    pub name: &'static str,
    /// The unit of Modbus; the other protocols have their addresses in the session or in the request.
    pub unit: u8,
    /// Each a PDU of Modbus, a fragment of DNP3 from the function code on, an ASDU of IEC 104.
    pub requests: Vec<Vec<u8>>,
    /// As above; of DNP3 what follows the internal indications.
    pub responses: Vec<Vec<u8>>,
    /// The code of the operation that must be told: function code, type identification.
    pub code: u16,
    /// Whether the operation is about the planted address.
    pub is_placed: bool,
}

impl Deed {
    pub fn new(name: &'static str, code: u16, requests: Vec<Vec<u8>>, responses: Vec<Vec<u8>>) -> Self {
        Self { name, unit: 1, requests, responses, code, is_placed: true }
    }

    /// About the device, and no address of it.
    pub fn of_the_device(self) -> Self {
        Self { is_placed: false, ..self }
    }
}

/// The protocols that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Modbus,
    Dnp3,
    Iec104,
}

impl Language {
    /// The port where it is usual.
    pub fn home(self) -> u16 {
        match self {
            Self::Modbus => 502,
            Self::Dnp3 => 20_000,
            Self::Iec104 => 2_404,
        }
    }

    /// A read that the baseline knows.
    pub fn usual_read(self) -> Deed {
        match self {
            Self::Modbus => modbus::usual_read(),
            Self::Dnp3 => dnp3::usual_read(),
            Self::Iec104 => iec104::usual_read(),
        }
    }

    /// The octet of a request that says what it does.
    pub fn code_at(self) -> usize {
        match self {
            Self::Modbus => 7,
            Self::Dnp3 => 12,
            Self::Iec104 => 6,
        }
    }

    /// A read that the baseline knows, as long as some octets, and with their numbers.
    pub fn decoy(self, octets: &[u8]) -> Vec<u8> {
        let mut decoy = match self {
            Self::Modbus => modbus::decoy(octets),
            Self::Dnp3 => dnp3::decoy(octets),
            Self::Iec104 => iec104::decoy(octets),
        };
        decoy.resize(octets.len(), 0);
        decoy
    }

    fn tongue(self) -> Tongue {
        match self {
            Self::Modbus => Tongue::Modbus(modbus::Session::default()),
            Self::Dnp3 => Tongue::Dnp3(dnp3::session()),
            Self::Iec104 => Tongue::Iec104(iec104::Session::new()),
        }
    }
}

/// Where a conversation stands in its protocol.
#[derive(Clone)]
pub enum Tongue {
    Modbus(modbus::Session),
    Dnp3(fixtures::wire::dnp3::Session),
    Iec104(iec104::Session),
}

/// A frame as the mirror shows it.
#[derive(Clone)]
pub struct Sent {
    pub time_ns: u64,
    pub octets: Vec<u8>,
    pub wire_octets: Option<usize>,
    /// Whose it is.
    pub side: usize,
}

/// A conversation of which the test decides every segment.
#[derive(Clone)]
pub struct Talk {
    pub language: Language,
    pub tongue: Tongue,
    pub ends: [Endpoint; 2],
    pub next: [u32; 2],
    pub identification: u16,
    pub now_ns: u64,
    /// Who sent the latest packet.
    pub side: usize,
    /// The client's frames are wrapped like this, from now on.
    pub wrap: Option<fn(Vec<u8>) -> Vec<u8>>,
    pub sent: Vec<Sent>,
}

impl Talk {
    pub fn new(language: Language, client: Endpoint, server: Endpoint, now_ns: u64) -> Self {
        let next = [0x1234_5678, 0x9abc_def0];
        let tongue = language.tongue();
        Self {
            language,
            tongue,
            ends: [client, server],
            next,
            identification: 1,
            now_ns,
            side: CLIENT,
            wrap: None,
            sent: Vec::new(),
        }
    }

    pub fn wait_ms(&mut self, milliseconds: u64) {
        self.now_ns += milliseconds * 1_000_000;
    }

    /// Puts a frame down as it is.
    pub fn put(&mut self, octets: Vec<u8>) {
        let octets = ethernet::padded(octets);
        let octets = match self.wrap {
            Some(wrap) => wrap(octets),
            None => octets,
        };
        self.sent.push(Sent { time_ns: self.now_ns, octets, wire_octets: None, side: self.side });
        self.now_ns += 100_000;
    }

    /// A segment's octets, with a checksum that is right.
    pub fn segment(&self, side: usize, flags: u8, sequence_number: u32, payload: &[u8]) -> Vec<u8> {
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
    pub fn packet(&mut self, side: usize, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let (from, to) = (self.ends[side].host, self.ends[1 - side].host);
        self.side = side;
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
    pub fn at(&mut self, side: usize, offset: i64, octets: &[u8]) {
        self.flagged(side, DATA, offset, octets);
    }

    pub fn flagged(&mut self, side: usize, flags: u8, offset: i64, octets: &[u8]) {
        let sequence_number = self.next[side].wrapping_add(offset as u32);
        let segment = self.segment(side, flags, sequence_number, octets);
        let packet = self.packet(side, ip::TCP, &segment);
        self.put(packet);
    }

    /// The stream moves on, seen or not.
    pub fn moves(&mut self, side: usize, octets: usize) {
        self.next[side] = self.next[side].wrapping_add(octets as u32);
    }

    /// Sends octets in order.
    pub fn says(&mut self, side: usize, octets: &[u8]) {
        for chunk in octets.chunks(1460) {
            self.at(side, 0, chunk);
            self.moves(side, chunk.len());
        }
    }

    /// A segment without payload.
    pub fn bare(&mut self, side: usize, flags: u8) {
        self.flagged(side, flags, 0, &[]);
        self.moves(side, usize::from(flags & (tcp::SYN | tcp::FIN) != 0));
    }

    /// The handshake, and what the protocol wants before anything else.
    pub fn opens(&mut self) {
        self.connects();
        self.begins();
    }

    pub fn connects(&mut self) {
        self.bare(CLIENT, tcp::SYN);
        self.bare(SERVER, tcp::SYN | tcp::ACK);
        self.bare(CLIENT, tcp::ACK);
    }

    /// STARTDT of IEC 104; the others begin at once.
    pub fn begins(&mut self) {
        if self.language == Language::Iec104 {
            self.says(CLIENT, &iec104::start());
            self.says(SERVER, &iec104::started());
        }
    }

    pub fn ends(&mut self) {
        self.bare(CLIENT, tcp::FIN | tcp::ACK);
        self.bare(SERVER, tcp::FIN | tcp::ACK);
        self.bare(CLIENT, tcp::ACK);
    }

    /// The next request's octets; of several, all of them.
    pub fn request(&mut self, deed: &Deed) -> Vec<u8> {
        let mut octets = Vec::new();
        for request in &deed.requests {
            octets.extend(match &mut self.tongue {
                Tongue::Modbus(session) => session.request(deed.unit, request),
                Tongue::Dnp3(session) => session.request(request[0], &[request[1..].to_vec()]),
                Tongue::Iec104(session) => session.commands(request),
            });
        }
        octets
    }

    /// The octets of the responses to the latest request.
    pub fn response(&mut self, deed: &Deed) -> Vec<u8> {
        let mut octets = Vec::new();
        for response in &deed.responses {
            octets.extend(match &mut self.tongue {
                Tongue::Modbus(session) => session.response(deed.unit, response),
                Tongue::Dnp3(session) => {
                    session.response(fixtures::wire::dnp3::NO_INDICATION, std::slice::from_ref(response))
                }
                Tongue::Iec104(session) => session.reports(response),
            });
        }
        octets
    }

    /// The octets of a request for the usual read.
    pub fn read(&mut self) -> Vec<u8> {
        self.request(&self.language.usual_read())
    }

    /// A read that the baseline knows, as long as some octets.
    pub fn decoy(&self, octets: &[u8]) -> Vec<u8> {
        self.language.decoy(octets)
    }

    /// The server answers the latest request, and the client acknowledges.
    pub fn answers(&mut self, deed: &Deed) {
        let octets = self.response(deed);
        self.now_ns += 1_000_000;
        self.says(SERVER, &octets);
        self.bare(CLIENT, tcp::ACK);
    }

    /// A request and its response, without any trick.
    pub fn does(&mut self, deed: &Deed) {
        let octets = self.request(deed);
        self.says(CLIENT, &octets);
        self.answers(deed);
    }

    pub fn polls(&mut self, times: usize) {
        for _ in 0..times {
            self.does(&self.language.usual_read());
            self.wait_ms(200);
        }
    }

    /// The frames that carry octets of the client as IPv4 fragments of at most `piece` octets of payload.
    pub fn fragments(&mut self, octets: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let segment = self.segment(CLIENT, DATA, self.next[CLIENT], octets);
        self.identification = self.identification.wrapping_add(1);
        self.fragments_of(&segment, piece, self.identification)
    }

    pub fn fragments_of(&mut self, segment: &[u8], piece: usize, identification: u16) -> Vec<Vec<u8>> {
        self.side = CLIENT;
        let (from, to) = (self.ends[CLIENT].host, self.ends[SERVER].host);
        let header = ip::Header::new(from.v4(), to.v4(), ip::TCP, identification);
        let packets = ip::fragments(header, segment, piece);
        packets.iter().map(|packet| ethernet::frame(to.mac, from.mac, ethernet::IPV4, packet)).collect()
    }
}
