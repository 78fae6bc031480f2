//! What any message can be asked, whatever its protocol: verb, target, values, fields.

use crate::error::ParseError;

/// What a message is in the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Asks or commands.
    Request,
    /// Answers.
    Response,
    /// Speaks without being asked.
    Unsolicited,
}

impl Kind {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
            Self::Unsolicited => "unsolicited",
        }
    }
}

/// What a message does, in words that all protocols share: the bridge from protocols to detections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reads process values or data.
    Read,
    /// Writes process values or data.
    Write,
    /// Commands the process: select, operate, set-point.
    Control,
    /// Changes how the device works: parameters, counters, reporting.
    Configure,
    /// Changes the device's mode: stop, listen-only, initialise.
    Mode,
    /// Restarts the device or its communication.
    Restart,
    /// Sets or measures time.
    Synchronize,
    /// Moves logic, firmware or files, or is a vendor's programming code.
    Transfer,
    /// Asks what the device is.
    Identify,
    /// Tests and diagnoses.
    Diagnose,
    /// Reports values or events.
    Report,
    /// Keeps the session.
    Session,
    /// Anything else, known or not.
    Other,
}

impl Verb {
    /// Every verb, in order.
    pub const ALL: [Self; 13] = [
        Self::Read,
        Self::Write,
        Self::Control,
        Self::Configure,
        Self::Mode,
        Self::Restart,
        Self::Synchronize,
        Self::Transfer,
        Self::Identify,
        Self::Diagnose,
        Self::Report,
        Self::Session,
        Self::Other,
    ];

    /// The name in records, in `site.toml` and in `baseline.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Control => "control",
            Self::Configure => "configure",
            Self::Mode => "mode",
            Self::Restart => "restart",
            Self::Synchronize => "synchronize",
            Self::Transfer => "transfer",
            Self::Identify => "identify",
            Self::Diagnose => "diagnose",
            Self::Report => "report",
            Self::Session => "session",
            Self::Other => "other",
        }
    }

    /// The verb of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }

    /// Whether it changes the process: judged with no baseline too.
    #[inline]
    pub fn changes_process(self) -> bool {
        matches!(self, Self::Write | Self::Control)
    }

    /// Whether it is dangerous to the controller itself: never learnt, alerted during learning too.
    #[inline]
    pub fn is_dangerous(self) -> bool {
        matches!(self, Self::Mode | Self::Restart | Self::Transfer)
    }
}

/// What an operation is about: `count` items of a data space, from `first` on.
///
/// Addresses are those of the PDU (0-based for Modbus), never a data model's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The first address.
    pub first: u32,
    /// How many; at least 1.
    pub count: u32,
    /// The data space by the standard's name: `coil`, `holding_register`, ...
    pub space: &'static str,
}

impl Target {
    /// The last address.
    #[inline]
    pub fn last(&self) -> u32 {
        self.first.saturating_add(self.count.saturating_sub(1))
    }
}

/// One thing that a message does. A message may do several (Modbus function code 23 reads and writes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation {
    /// What it does.
    pub verb: Verb,
    /// The protocol's own code: function code, type identification.
    pub code: u16,
    /// A second code where the first only opens a family: Modbus sub-function, MEI type; 0 where there is none.
    pub sub: u16,
    /// The address behind the endpoint: Modbus unit identifier, DNP3 outstation, IEC 104 common address.
    pub unit: u16,
    /// What it is about.
    pub target: Option<Target>,
}

/// How a device refused: the code, by the standard's name where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The exception code.
    pub code: u16,
    /// Its name.
    pub name: Option<&'static str>,
}

/// The value of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PointValue {
    /// One bit.
    Bit(bool),
    /// A whole number as the wire has it.
    Unsigned(u64),
    /// A signed whole number.
    Signed(i64),
    /// A floating-point number.
    Real(f64),
}

impl PointValue {
    /// The value as a number, for ranges.
    pub fn number(self) -> f64 {
        match self {
            Self::Bit(bit) => f64::from(u8::from(bit)),
            Self::Real(real) => real,
            #[expect(
                clippy::as_conversions,
                reason = "no lossless way; values above 2^53 do not occur in 16 and 32 bit points"
            )]
            Self::Unsigned(n) => n as f64,
            #[expect(clippy::as_conversions, reason = "as above")]
            Self::Signed(n) => n as f64,
        }
    }
}

/// One value, read or written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The data space, as in [`Target`].
    pub space: &'static str,
    /// The address, as in [`Target`].
    pub address: u32,
    /// What is there, or what was put there.
    pub value: PointValue,
}

/// The value of a named field, borrowed from the message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Yes or no.
    Bool(bool),
    /// A number.
    Unsigned(u64),
    /// A signed number.
    Signed(i64),
    /// A floating-point number.
    Real(f64),
    /// A name of the standard.
    Name(&'static str),
    /// A code that the standard has no name for, or a value that is not there.
    Null,
    /// Text from the wire: never trusted, perhaps not UTF-8.
    Text(&'a [u8]),
    /// Octets from the wire.
    Octets(&'a [u8]),
    /// 16-bit numbers, most significant octet first, as they stand on the wire.
    Words(&'a [u8]),
    /// Packed bits, least significant bit of the first octet first, and how many of them count.
    Bits(&'a [u8], u32),
}

/// Which counter of the protocol's statistics a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tally {
    /// Index into [`crate::dissect::Protocol::TABLES`].
    pub table: u8,
    /// The code that is counted.
    pub code: u8,
    /// A second code: the exception code beside the function code.
    pub sub: Option<u8>,
}

/// What a device says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentityClaim<'a> {
    /// What is claimed: `vendor`, `product`, `revision`, `model`, ...
    pub key: &'static str,
    /// The text as it stands on the wire.
    pub text: &'a [u8],
}

/// What any message can be asked. Every method has an answer for every message; nothing here allocates.
pub trait Describe {
    /// Request, response or unsolicited.
    fn kind(&self) -> Kind;
    /// What it does, one call an operation. A response names the operation that it answers as far as its own octets tell.
    fn operations(&self, visit: &mut impl FnMut(Operation));
    /// Equal in a request and its response; `None` where the message is never paired.
    fn pairing(&self) -> Option<u64>;
    /// Whether it refuses a request.
    fn refusal(&self) -> Option<Refusal>;
    /// Names and values in the standard's order.
    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>));
    /// Values written by a request, or read by a response whose request asked for `asked`.
    fn points(&self, asked: Option<Operation>, visit: &mut dyn FnMut(Point));
    /// What it adds to the statistics, one call a counter.
    fn tally(&self, visit: &mut impl FnMut(Tally));
    /// What is wrong with a message that can be named though it breaks its standard.
    fn fault(&self) -> Option<ParseError> {
        None
    }
    /// What it tells about the device that sent it.
    fn identity(&self, _visit: &mut dyn FnMut(IdentityClaim<'_>)) {}
}
