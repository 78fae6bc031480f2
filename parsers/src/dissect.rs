//! The contract between a protocol and the core, and the one loop over PDUs.

use crate::error::ParseError;
use crate::message::{Describe, Tally};

/// Which way octets travel in a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client, or whoever is taken for it.
    ToServer,
    /// From the server.
    ToClient,
}

impl Direction {
    /// The other way.
    #[must_use]
    pub fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// Who must have sent octets, as far as they alone can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Only a client says this.
    Client,
    /// Only a server says this.
    Server,
    /// Both could.
    Either,
}

/// What is known of a flow before its first octet: from the site file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hints {
    /// Octets of the fields of IEC 60870-5-104 ASDUs, where a person has set them.
    pub iec104: Option<FieldSizes>,
}

/// Octets of the fields of IEC 60870-5-101 and 104 ASDUs that a system is free to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldSizes {
    /// Octets of the cause of transmission: 1, or 2 with the originator address.
    pub cause_of_transmission: u8,
    /// Octets of the common address of ASDU: 1 or 2.
    pub common_address: u8,
    /// Octets of an information object address: 1 to 3.
    pub information_object_address: u8,
}

/// What a protocol thinks of the first octets of a direction or segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// It is mine, and this is who sent it.
    Match(Sender),
    /// It is not mine.
    NoMatch,
    /// Too few octets to tell, or too little that is particular in them.
    Unsure,
}

/// Where a PDU ends in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// The first so many octets are one PDU; at least 1.
    Whole(usize),
    /// At least so many octets in all are needed to tell or to be whole.
    Short(usize),
    /// No PDU starts here: skip so many octets (at least 1) to where one may start.
    Lost(usize),
}

/// What became of octets.
#[derive(Debug)]
pub enum Dissected<'a, M> {
    /// A PDU, read; `octets` is the whole of it.
    Message {
        /// The message.
        message: M,
        /// Its octets with their framing.
        octets: &'a [u8],
    },
    /// A PDU that breaks its standard; what could be told of it is in the error.
    Malformed {
        /// What is wrong with it.
        error: ParseError,
        /// Its octets with their framing.
        octets: &'a [u8],
    },
    /// Octets that belong to no PDU.
    Skipped {
        /// How many.
        octets: usize,
    },
}

/// Who hears what octets of any protocol say. Generic over the message, so that none is moved or boxed on its way.
pub trait Listener {
    /// A PDU, read; `octets` is the whole of it, with its framing.
    fn message<M: Describe>(&mut self, message: &M, octets: &[u8]);
    /// A PDU that breaks its standard so that not even its kind can be told; `octets` as above.
    fn malformed(&mut self, error: ParseError, octets: &[u8]);
    /// So many octets belong to no PDU.
    fn skipped(&mut self, octets: usize);
}

/// What a protocol is, before any flow speaks it.
pub trait Protocol {
    /// The name in policies and records: `modbus`.
    const NAME: &'static str;
    /// The standard, by its full title and edition.
    const STANDARD: &'static str;
    /// TCP and UDP ports where it is usual: a hint, never a proof.
    const PORTS: &'static [u16];
    /// Names of the tables of its statistics, in the order of [`Tally::table`].
    const TABLES: &'static [&'static str];
    /// Its memory of one flow.
    type Dissector: Dissector;
    /// Whether octets at the start of a segment or datagram are this protocol, and the dissector for that dialect of it.
    fn probe(head: &[u8], datagram: bool, hints: &Hints) -> (Probe, Self::Dissector);
    /// The key of a counter in the statistics: decimal codes of the standard, `function:exception`.
    fn tally_key(tally: Tally) -> String {
        match tally.sub {
            Some(sub) => format!("{}:{sub}", tally.code),
            None => tally.code.to_string(),
        }
    }
    /// The standard's name of an operation's code and sub-code, for texts: `write_single_coil`.
    fn operation_name(code: u16, sub: u16) -> Option<&'static str>;
}

/// One protocol's memory of one flow.
pub trait Dissector: Send + 'static {
    /// A PDU, read; it borrows its octets, or those that the dissector put together.
    type Message<'a>: Describe
    where
        Self: 'a;
    /// Where the first PDU of `octets` ends. Must not look at more than it needs; called again with more octets after `Short`.
    fn frame(&self, direction: Direction, octets: &[u8]) -> Framing;
    /// Reads one PDU that `frame` called whole, from a frame of the time `time_ns` (ns since 1970-01-01T00:00:00Z).
    ///
    /// # Errors
    /// What breaks the standard so that not even the message's kind can be told.
    fn read<'a>(
        &'a mut self,
        direction: Direction,
        time_ns: u64,
        pdu: &'a [u8],
    ) -> Result<Self::Message<'a>, ParseError>;
    /// Octets were lost in this direction.
    fn gap(&mut self, _direction: Direction) {}
    /// Octets of the flow that it keeps.
    fn held(&self) -> usize {
        0
    }
    /// There is no room for what it keeps.
    fn forget(&mut self) {}
    /// The flow's ends were taken for each other so far: what was kept of one direction is of the other.
    fn turn(&mut self) {}
    /// The dialect that is spoken, where there are several: `tcp`, `rtu`.
    fn dialect(&self) -> &'static str {
        ""
    }
}

/// Reads every whole PDU at the head of `octets`, and returns how many octets are used up.
///
/// Each turn of the loop uses up at least one octet, or tells of those that were skipped since the last, or ends it, so the
/// work is linear in the octets, whatever they hold.
// `out` is called in one place only, so that it is inlined and no message is moved.
#[inline]
pub fn feed<D: Dissector>(
    dissector: &mut D,
    direction: Direction,
    time_ns: u64,
    octets: &[u8],
    mut out: impl for<'m> FnMut(Dissected<'m, D::Message<'m>>),
) -> usize {
    let mut used = 0_usize;
    let mut skipped = 0_usize;
    loop {
        let rest = octets.get(used..).unwrap_or(&[]);
        let framing = if rest.is_empty() { Framing::Short(1) } else { dissector.frame(direction, rest) };
        let pdu = match framing {
            Framing::Lost(skip) => {
                let skip = skip.max(1).min(rest.len());
                skipped = skipped.saturating_add(skip);
                used = used.saturating_add(skip);
                continue;
            }
            Framing::Whole(len) => rest.get(..len.max(1)),
            Framing::Short(_) => None,
        };
        out(if skipped > 0 {
            Dissected::Skipped { octets: std::mem::take(&mut skipped) }
        } else {
            let Some(pdu) = pdu else { return used };
            used = used.saturating_add(pdu.len());
            match dissector.read(direction, time_ns, pdu) {
                Ok(message) => Dissected::Message { message, octets: pdu },
                Err(error) => Dissected::Malformed { error, octets: pdu },
            }
        });
    }
}
