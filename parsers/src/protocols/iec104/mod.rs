//! IEC 60870-5-104: telecontrol over TCP.
//!
//! | file | what |
//! | --- | --- |
//! | [`apci`] | start, length and control field: framing, probing, resynchronising |
//! | [`session`] | what both stations owe each other: numbers, windows, time-outs, start and stop |
//! | [`sizes`] | how many octets a system gives to the fields that it is free to choose |
//! | [`codes`] | names, verbs and spaces of all codes |
//! | [`elements`] | values, quality, qualifiers and times |
//! | [`message`] | APDUs and their information objects |
//!
//! Standards: IEC 60870-5-104 edition 2 (2006), which selects from IEC 60870-5-101 edition 2 (2003) what its ASDUs are.
//!
//! An ASDU that is framed but breaks its standard is still a message, with its type identification, its verb and its
//! [`fault`](crate::message::Describe::fault): a malformed command must not be invisible.

pub mod apci;
pub mod codes;
pub mod elements;
pub mod message;
pub mod session;
pub mod sizes;

#[cfg(test)]
mod tests;

use crate::dissect::{Direction, Dissector, Framing, Hints, Probe, Protocol};
use crate::error::ParseError;
use crate::message::Tally;

pub use apci::{Apci, Format, UFunction};
pub use codes::{Cause, TYPES, Type, TypeId};
pub use message::{Asdu, Message};

use session::{Irregularity, Session};
use sizes::SizeDetector;

/// The protocol.
#[derive(Debug)]
pub struct Iec104;

/// Memory of one flow: where its session stands, how long its fields are, and in which directions octets were lost.
#[derive(Debug, Default)]
pub struct Iec104Dissector {
    hints: Hints,
    /// Made at the first APDU: probing makes a dissector for octets that may be anything.
    memory: Option<Box<Memory>>,
    lost_to_server: bool,
    lost_to_client: bool,
}

#[derive(Debug)]
struct Memory {
    session: Session,
    sizes: SizeDetector,
}

impl Iec104Dissector {
    /// For a flow whose field sizes a person has set, or nobody.
    #[must_use]
    pub fn new(hints: &Hints) -> Self {
        Self { hints: *hints, ..Self::default() }
    }

    #[inline]
    fn memory(&mut self) -> &mut Memory {
        let sizes = self.hints.iec104;
        self.memory
            .get_or_insert_with(|| Box::new(Memory { session: Session::default(), sizes: SizeDetector::new(sizes) }))
    }

    fn lost(&mut self, direction: Direction) -> &mut bool {
        match direction {
            Direction::ToServer => &mut self.lost_to_server,
            Direction::ToClient => &mut self.lost_to_client,
        }
    }
}

impl Protocol for Iec104 {
    const NAME: &'static str = "iec104";
    const STANDARD: &'static str =
        "IEC 60870-5-104:2006 Network access for IEC 60870-5-101 using standard transport profiles";
    const PORTS: &'static [u16] = &[2404];
    const TABLES: &'static [&'static str] = &["apdus", "asdus", "causes"];
    type Dissector = Iec104Dissector;

    fn probe(head: &[u8], datagram: bool, hints: &Hints) -> (Probe, Self::Dissector) {
        // IEC 60870-5-104 4: TCP only.
        let probe = if datagram { Probe::NoMatch } else { apci::probe(head, hints) };
        (probe, Iec104Dissector::new(hints))
    }

    fn tally_key(tally: Tally) -> String {
        match (tally.table, tally.code, tally.sub) {
            (0, message::FORMAT_I, _) => "I".to_owned(),
            (0, message::FORMAT_S, _) => "S".to_owned(),
            (0, ..) => "U".to_owned(),
            (_, code, Some(sub)) => format!("{code}:{sub}"),
            (_, code, None) => code.to_string(),
        }
    }

    fn operation_name(code: u16, _sub: u16) -> Option<&'static str> {
        message::operation_name(code)
    }
}

impl Dissector for Iec104Dissector {
    type Message<'a> = Message<'a>;

    #[inline]
    fn frame(&self, direction: Direction, octets: &[u8]) -> Framing {
        let lost = match direction {
            Direction::ToServer => self.lost_to_server,
            Direction::ToClient => self.lost_to_client,
        };
        apci::frame(octets, lost)
    }

    #[inline]
    fn read<'a>(&'a mut self, direction: Direction, time_ns: u64, pdu: &'a [u8]) -> Result<Message<'a>, ParseError> {
        *self.lost(direction) = false;
        let (apci, fault) = Apci::read(pdu)?;
        let Memory { session, sizes } = self.memory();
        session.hear(direction, time_ns, apci.format);
        if let Some(octets) = apci.asdu(pdu) {
            sizes.observe(octets);
        }
        let mut message = Message::with(direction, sizes.sizes(), pdu, apci, fault);
        if let Some(asdu) = &message.asdu {
            let unit = asdu.common_address;
            if asdu.type_id.is_only_in_101() {
                session.tell(Irregularity::NotIn104, unit, asdu.type_id.0.into(), 0);
            }
            if asdu.type_id == TypeId::END_OF_INITIALIZATION {
                session.tell(Irregularity::Restart, unit, 0, 0);
            }
            if asdu.test {
                session.tell(Irregularity::Test, unit, 1, 0);
            }
        }
        message.notices = session.notices();
        Ok(message)
    }

    fn gap(&mut self, direction: Direction) {
        *self.lost(direction) = true;
        self.memory().session.gap(direction);
    }

    fn turn(&mut self) {
        std::mem::swap(&mut self.lost_to_server, &mut self.lost_to_client);
        if let Some(memory) = &mut self.memory {
            memory.session.turn();
        }
    }
}
