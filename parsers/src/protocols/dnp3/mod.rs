//! DNP3 over TCP and UDP: link frames, the transport function, application fragments and their objects.
//!
//! | file | what |
//! | --- | --- |
//! | [`crc`] | CRC-16/DNP |
//! | [`link`] | data link frames: framing, probing, resynchronising, block CRCs |
//! | [`transport`] | segments to fragments |
//! | [`codes`] | function codes, internal indications, refusals: names and verbs |
//! | [`message`] | link frames with the fragments that end in them: what they do and tell |
//! | [`objects`] | object headers, and the objects behind them |
//! | [`elements`] | what one object is, for every group and variation |
//!
//! Standard: IEEE 1815-2012, cited as such.
//!
//! Each link frame is a message; the one that ends a fragment is the message of that fragment. A frame whose header is
//! right and whose data are not is a message too, with its [`fault`](crate::message::Describe::fault) and a notice, and
//! does nothing: the station that gets it drops it. A malformed command keeps its verb, and the objects before the breach.

pub mod codes;
pub mod crc;
pub mod elements;
pub mod link;
pub mod message;
pub mod objects;
pub mod transport;

#[cfg(test)]
mod tests;

use crate::dissect::{Direction, Dissector, Framing, Hints, Probe, Protocol};
use crate::error::{ErrorKind, ParseError};
use crate::message::{Control, Describe, Step};

pub use codes::{FUNCTIONS, Function, FunctionCode, Indications};
pub use link::LinkHeader;
pub use message::{Body, Fragment, Message};

use codes::Indications as Bits;
use transport::{Reassembly, TransportHeader};

/// Commands of one flow whose responses are awaited.
pub const COMMANDS_MOST: usize = 8;
/// Outstations of one flow whose internal indications are remembered.
pub const OUTSTATIONS_MOST: usize = 32;

/// The protocol.
#[derive(Debug)]
pub struct Dnp3;

/// A command whose response may come.
#[derive(Debug, Clone, Copy)]
struct Commanded {
    /// As [`Describe::pairing`] tells it.
    pairing: u64,
    control: Control,
}

/// Memory of one flow: fragments that are not whole, commands without a response, what outstations complained about.
#[derive(Debug, Default)]
pub struct Dnp3Dissector {
    /// The user data of the frame that is read, or the whole of a fragment of several.
    data: Vec<u8>,
    to_server: Reassembly,
    to_client: Reassembly,
    /// [`COMMANDS_MOST`] at most, the oldest first.
    commands: Vec<Commanded>,
    /// Outstations and the internal indications of their last responses, [`OUTSTATIONS_MOST`] at most, that which was
    /// heard last at the end.
    indications: Vec<(u16, u16)>,
}

impl Protocol for Dnp3 {
    const NAME: &'static str = "dnp3";
    const STANDARD: &'static str = "IEEE Std 1815-2012, Distributed Network Protocol (DNP3)";
    const PORTS: &'static [u16] = &[20000];
    const TABLES: &'static [&'static str] = &["requests", "responses", "link_frames"];
    type Dissector = Dnp3Dissector;

    fn probe(head: &[u8], datagram: bool, _hints: &Hints) -> (Probe, Self::Dissector) {
        (link::probe(head, datagram), Dnp3Dissector::default())
    }

    fn operation_name(code: u16, _sub: u16) -> Option<&'static str> {
        message::operation_name(code)
    }
}

impl Dissector for Dnp3Dissector {
    type Message<'a> = Message<'a>;

    #[inline]
    fn frame(&self, _direction: Direction, octets: &[u8]) -> Framing {
        link::frame(octets)
    }

    fn read<'a>(&'a mut self, direction: Direction, _time_ns: u64, pdu: &'a [u8]) -> Result<Message<'a>, ParseError> {
        let Some(header) = LinkHeader::read(pdu) else {
            let kind = ErrorKind::Truncated { need: 10, have: u32::try_from(pdu.len()).unwrap_or(u32::MAX) };
            return Err(ParseError { kind, field: "link_header", offset: 0, clause: link::FRAME });
        };
        let mut message = Message::new(header);
        message.fault = message::user_data_fault(header);
        if !header.control.carries_user_data() {
            return Ok(message);
        }
        if let Err(error) = link::user_data(header, pdu, &mut self.data) {
            (message.body, message.fault) = (Body::Damaged, Some(error));
            return Ok(message);
        }
        let Some(transport) = self.data.first().copied().map(TransportHeader) else { return Ok(message) };
        let reassembly = match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        };
        let assembled = reassembly.take((header.source, header.destination), transport, &mut self.data);
        message.segment_trouble = assembled.trouble;
        let Some(octets) = assembled.whole.and_then(|start| self.data.get(start..)) else {
            message.body = Body::Segment(transport);
            return Ok(message);
        };
        if assembled.is_cut {
            let limit = u32::try_from(transport::FRAGMENT_MOST).unwrap_or(u32::MAX);
            let kind = ErrorKind::TooMany { limit };
            message.fault = Some(ParseError { kind, field: "fragment", offset: 0, clause: message::TRANSPORT });
        }
        message.set_fragment(transport, octets);
        let Some(Fragment { function, indications, .. }) = message.fragment().copied() else { return Ok(message) };
        if function.is_command() && message.fault.is_none() {
            message.control = message.command();
            remember(&mut self.commands, &message);
        } else if function == FunctionCode::RESPONSE {
            message.control = recall(&mut self.commands, &message);
        }
        if let Some(Bits(bits)) = indications {
            message.new_trouble = trouble(&mut self.indications, message.unit(), bits);
        }
        Ok(message)
    }

    fn gap(&mut self, direction: Direction) {
        match direction {
            Direction::ToServer => self.to_server.gap(),
            Direction::ToClient => self.to_client.gap(),
        }
    }

    #[inline]
    fn held(&self) -> usize {
        self.to_server.held().saturating_add(self.to_client.held())
    }

    fn forget(&mut self) {
        self.to_server = Reassembly::default();
        self.to_client = Reassembly::default();
    }

    fn turn(&mut self) {
        std::mem::swap(&mut self.to_server, &mut self.to_client);
    }
}

/// Keeps a command until its response comes.
fn remember(commands: &mut Vec<Commanded>, message: &Message<'_>) {
    let (Some(pairing), Some(control)) = (message.pairing(), message.control) else { return };
    commands.retain(|commanded| commanded.pairing != pairing);
    if commands.len() >= COMMANDS_MOST {
        commands.remove(0);
    }
    commands.push(Commanded { pairing, control });
}

/// Where a response stands in the command that it answers.
#[inline]
fn recall(commands: &mut Vec<Commanded>, message: &Message<'_>) -> Option<Control> {
    if commands.is_empty() {
        return None;
    }
    let pairing = message.pairing()?;
    let place = commands.iter().position(|commanded| commanded.pairing == pairing)?;
    let control = commands.remove(place).control;
    let step = if message.refusal().is_some() { Step::Refused } else { Step::Confirmed };
    Some(Control { step, ..control })
}

/// Notes the internal indications of an outstation; answers those that tell of trouble and are new.
#[inline]
fn trouble(outstations: &mut Vec<(u16, u16)>, outstation: u16, bits: u16) -> u16 {
    let bits = bits & Bits::TROUBLE_MASK;
    if let Some((known, before)) = outstations.last_mut()
        && *known == outstation
    {
        return bits & !std::mem::replace(before, bits);
    }
    let place = outstations.iter().position(|(known, _)| *known == outstation);
    let (_, before) = place.map_or((outstation, 0), |place| outstations.remove(place));
    if outstations.len() >= OUTSTATIONS_MOST {
        outstations.remove(0);
    }
    outstations.push((outstation, bits));
    bits & !before
}
