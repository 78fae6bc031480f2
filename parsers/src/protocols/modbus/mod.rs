//! Modbus over TCP and UDP, and RTU frames inside TCP.

use crate::dissect::{Direction, Dissector, Framing, Probe, Protocol};
use crate::error::ParseError;
use crate::message::{Describe, Kind, Operation, Point, Refusal, Tally, Value};

/// The protocol.
#[derive(Debug)]
pub struct Modbus;

/// Memory of one flow.
#[derive(Debug, Default)]
pub struct ModbusDissector;

/// One PDU.
#[derive(Debug)]
pub struct Message<'a> {
    /// Octets.
    pub octets: &'a [u8],
}

impl Protocol for Modbus {
    const NAME: &'static str = "modbus";
    const STANDARD: &'static str = "MODBUS Application Protocol Specification V1.1b3";
    const PORTS: &'static [u16] = &[502];
    const TABLES: &'static [&'static str] = &["requests", "responses", "exceptions"];
    type Dissector = ModbusDissector;
    fn probe(_head: &[u8], _datagram: bool) -> (Probe, Self::Dissector) {
        (Probe::NoMatch, ModbusDissector)
    }
    fn operation_name(_code: u16, _sub: u16) -> Option<&'static str> {
        None
    }
}

impl Dissector for ModbusDissector {
    type Message<'a> = Message<'a>;
    fn frame(&self, _direction: Direction, octets: &[u8]) -> Framing {
        Framing::Lost(octets.len())
    }
    fn read<'a>(&mut self, _direction: Direction, pdu: &'a [u8]) -> Result<Option<Message<'a>>, ParseError> {
        Ok(Some(Message { octets: pdu }))
    }
}

impl Describe for Message<'_> {
    fn kind(&self) -> Kind {
        Kind::Request
    }
    fn operations(&self, _visit: &mut dyn FnMut(Operation)) {}
    fn pairing(&self) -> Option<u64> {
        None
    }
    fn refusal(&self) -> Option<Refusal> {
        None
    }
    fn fields(&self, _visit: &mut dyn FnMut(&'static str, Value<'_>)) {}
    fn points(&self, _asked: Option<Operation>, _visit: &mut dyn FnMut(Point)) {}
    fn tally(&self, _visit: &mut dyn FnMut(Tally)) {}
}
