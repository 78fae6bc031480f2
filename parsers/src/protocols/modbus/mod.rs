//! Modbus over TCP and UDP, and RTU frames inside TCP.
//!
//! | file | what |
//! | --- | --- |
//! | [`adu`] | the MBAP header: framing, probing, resynchronising |
//! | [`rtu`] | RTU frames by expected length and CRC |
//! | [`codes`] | names, verbs and clauses of all codes |
//! | [`message`] | requests and responses field by field |
//!
//! Standards: MODBUS Application Protocol Specification V1.1b3 (cited as `V1.1b3`), MODBUS Messaging on TCP/IP
//! Implementation Guide V1.0b (`Messaging V1.0b`), MODBUS over Serial Line Specification and Implementation Guide
//! V1.02 (`Serial Line V1.02`).
//!
//! A message that is framed but breaks its standard is still a message, with its function code, its verb and its
//! [`fault`](crate::message::Describe::fault): a malformed write must not be invisible.

pub mod adu;
pub mod codes;
pub mod message;
pub mod rtu;

#[cfg(test)]
mod tests;

use crate::dissect::{Direction, Dissector, Framing, Hints, Probe, Protocol};
use crate::error::ParseError;

pub use codes::{ExceptionCode, FUNCTIONS, Function, FunctionCode};
pub use message::{Body, Envelope, Message};

/// The protocol.
#[derive(Debug)]
pub struct Modbus;

/// Memory of one flow: which dialect is spoken, and in which directions octets were lost.
#[derive(Debug, Default)]
pub struct ModbusDissector {
    rtu: bool,
    lost_to_server: bool,
    lost_to_client: bool,
}

impl ModbusDissector {
    /// For RTU frames inside TCP; the default is for ADUs with MBAP headers.
    #[must_use]
    pub fn rtu() -> Self {
        Self { rtu: true, ..Self::default() }
    }

    fn lost(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.lost_to_server,
            Direction::ToClient => self.lost_to_client,
        }
    }

    fn set_lost(&mut self, direction: Direction, lost: bool) {
        match direction {
            Direction::ToServer => self.lost_to_server = lost,
            Direction::ToClient => self.lost_to_client = lost,
        }
    }
}

impl Protocol for Modbus {
    const NAME: &'static str = "modbus";
    const STANDARD: &'static str = "MODBUS Application Protocol Specification V1.1b3";
    const PORTS: &'static [u16] = &[502];
    const TABLES: &'static [&'static str] = &["requests", "responses", "exceptions"];
    type Dissector = ModbusDissector;

    fn probe(head: &[u8], datagram: bool, _hints: &Hints) -> (Probe, Self::Dissector) {
        let tcp = adu::probe(head, datagram);
        if matches!(tcp, Probe::Match(_)) || datagram {
            return (tcp, ModbusDissector::default());
        }
        match rtu::probe(head) {
            Some(fit) => (Probe::Match(adu::sender_of(fit)), ModbusDissector::rtu()),
            None => (tcp, ModbusDissector::default()),
        }
    }

    fn operation_name(code: u16, sub: u16) -> Option<&'static str> {
        codes::lookup(u8::try_from(code).ok()?, sub).map(|function| function.name)
    }
}

impl Dissector for ModbusDissector {
    type Message<'a> = Message<'a>;

    #[inline]
    fn frame(&self, direction: Direction, octets: &[u8]) -> Framing {
        if self.rtu {
            rtu::frame(direction, octets, self.lost(direction))
        } else {
            adu::frame(direction, octets, self.lost(direction))
        }
    }

    #[inline]
    fn read<'a>(&'a mut self, direction: Direction, _time_ns: u64, pdu: &'a [u8]) -> Result<Message<'a>, ParseError> {
        self.set_lost(direction, false);
        let kind = adu::kind_of(direction);
        if self.rtu { Message::read_rtu(kind, pdu) } else { Message::read_tcp(kind, pdu) }
    }

    fn turn(&mut self) {
        std::mem::swap(&mut self.lost_to_server, &mut self.lost_to_client);
    }

    fn gap(&mut self, direction: Direction) {
        self.set_lost(direction, true);
    }

    fn dialect(&self) -> &'static str {
        if self.rtu { "rtu" } else { "tcp" }
    }
}
