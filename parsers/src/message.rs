//! What any message can be asked, whatever its protocol: verb, target, values, fields.

use crate::dissect::Sender;
use crate::error::{Clause, ParseError};

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

/// Why a device refused, in words that all protocols share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It does not know the function: Modbus exception 1, DNP3 IIN2.0, IEC 104 cause 44.
    Function,
    /// It has no such address, point or object: Modbus exception 2, DNP3 IIN2.1, IEC 104 cause 47.
    Address,
    /// It does not take the value or the parameter: Modbus exception 3, DNP3 IIN2.2.
    Value,
    /// There is no such device behind it: Modbus exceptions 10 and 11, IEC 104 cause 46.
    Unit,
    /// It is busy, or already at it.
    Busy,
    /// Anything else: a fault, an interlock, local control.
    Other,
}

/// How a device refused: the code, by the standard's name where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The exception code, the status code or the cause of transmission.
    pub code: u16,
    /// Its name.
    pub name: Option<&'static str>,
    /// What it comes to.
    pub reason: Reason,
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

/// What a device says of the worth of a value, in words that all protocols share; one bit each.
///
/// DNP3 flags (IEEE 1815 11.6) and IEC 60870-5-101 quality descriptors (7.2.6.3) both map to it. No bit at all is a good
/// value; protocols without quality always say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quality(pub u16);

impl Quality {
    /// The value is not valid: IEC IV, DNP3 ONLINE clear.
    pub const INVALID: Self = Self(1);
    /// Not brought up to date: IEC NT.
    pub const NOT_TOPICAL: Self = Self(1 << 1);
    /// Put there by a person or another source: IEC SB, DNP3 LOCAL_FORCED, REMOTE_FORCED.
    pub const SUBSTITUTED: Self = Self(1 << 2);
    /// Held as it was: IEC BL.
    pub const BLOCKED: Self = Self(1 << 3);
    /// Beyond what can be told: IEC OV, DNP3 OVER_RANGE.
    pub const OVERFLOW: Self = Self(1 << 4);
    /// The way to the source is lost: DNP3 COMM_LOST.
    pub const COMM_LOST: Self = Self(1 << 5);
    /// The source has restarted and not told a value since: DNP3 RESTART.
    pub const RESTART: Self = Self(1 << 6);
    /// Changes too often to be told: DNP3 CHATTER_FILTER.
    pub const CHATTER: Self = Self(1 << 7);
    /// The measurement's reference is in doubt: DNP3 REFERENCE_ERR; IEC CY and CA of a counter.
    pub const REFERENCE: Self = Self(1 << 8);

    /// Names of the bits, in their order.
    pub const NAMES: [(Self, &'static str); 9] = [
        (Self::INVALID, "invalid"),
        (Self::NOT_TOPICAL, "not_topical"),
        (Self::SUBSTITUTED, "substituted"),
        (Self::BLOCKED, "blocked"),
        (Self::OVERFLOW, "overflow"),
        (Self::COMM_LOST, "comm_lost"),
        (Self::RESTART, "restart"),
        (Self::CHATTER, "chatter"),
        (Self::REFERENCE, "reference"),
    ];

    /// Whether any bit of `other` is set.
    #[inline]
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the value is not to be trusted: all but substituted, which says that a person trusts it.
    #[inline]
    #[must_use]
    pub const fn is_bad(self) -> bool {
        self.0 & !Self::SUBSTITUTED.0 != 0
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
    /// What the device says of its worth.
    pub quality: Quality,
    /// When it was so by the device's clock: ms since 1970-01-01T00:00:00 of that clock, whatever its zone.
    pub time: Option<u64>,
}

impl Point {
    /// A value of a protocol that tells neither quality nor time.
    #[inline]
    #[must_use]
    pub const fn bare(space: &'static str, address: u32, value: PointValue) -> Self {
        Self { space, address, value, quality: Quality(0), time: None }
    }
}

/// How values stand in octets that hold nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Packing {
    /// One bit each, least significant bit of the first octet first.
    Bits,
    /// Two octets each, most significant first.
    Words,
}

/// Values of neighbouring points, without quality or time, as they stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run<'a> {
    /// The data space, as in [`Target`].
    pub space: &'static str,
    /// The first address.
    pub first: u32,
    /// How many points; the octets hold as many at least.
    pub count: u32,
    /// How they stand in the octets.
    pub packing: Packing,
    /// The octets.
    pub octets: &'a [u8],
}

impl Run<'_> {
    /// Tells each point.
    pub fn points(&self, visit: &mut dyn FnMut(Point)) {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let addresses = (0..self.count).map(|n| self.first.saturating_add(n));
        match self.packing {
            Packing::Bits => {
                let bits = self.octets.iter().flat_map(|octet| (0..8_u32).map(move |bit| octet >> bit & 1 == 1));
                for (address, bit) in addresses.zip(bits.take(count)) {
                    visit(Point::bare(self.space, address, PointValue::Bit(bit)));
                }
            }
            Packing::Words => {
                let words = self.octets.chunks_exact(2).filter_map(|word| word.first_chunk().copied());
                for (address, word) in addresses.zip(words) {
                    let value = PointValue::Unsigned(u16::from_be_bytes(word).into());
                    visit(Point::bare(self.space, address, value));
                }
            }
        }
    }
}

/// A step of a command that takes several messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The point is chosen; nothing moves yet.
    Select,
    /// The chosen point is to move: only after a select. DNP3 OPERATE.
    Operate,
    /// The point is to move: whether after a select or at once is for the station to know. IEC 104 execute, DNP3 DIRECT_OPERATE.
    Execute,
    /// What was chosen is let go: IEC 104 deactivation.
    Cancel,
    /// The device does it, or has chosen it.
    Confirmed,
    /// The device does not.
    Refused,
    /// The device has done it: IEC 104 activation termination.
    Terminated,
}

/// Where a message stands in a command: a select, its operate, and the answers to both share the `key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Which step.
    pub step: Step,
    /// Who is commanded what: equal in all messages of one command (unit, type of command, points).
    pub key: u64,
    /// What is commanded: equal where the command is the same to the last octet (value and qualifier without the select bit).
    pub content: u64,
    /// Whether its protocol has a [`Step::Terminated`] for it.
    pub terminates: bool,
}

/// What a [`Notice`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeKind {
    /// The session does not go as its standard wants: numbers, windows, times, order of messages.
    Session,
    /// The device complains about itself, or says that it has restarted.
    Trouble,
    /// What was sent is not for a device to hear, or not for this sender to say: ignored by whoever gets it.
    Ignored,
}

/// Something that a message shows beside what it says; no breach of its own octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// Its stable name in records: `receive_sequence`, `t1_exceeded`, `device_trouble`.
    pub name: &'static str,
    /// The address behind the endpoint.
    pub unit: u16,
    /// The number that was met.
    pub got: u64,
    /// The number that was to be expected, or the bound.
    pub expected: u64,
    /// What says so.
    pub clause: Clause,
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
    /// The address behind the endpoint that it is about: Modbus unit identifier, DNP3 outstation, IEC 104 common address.
    fn unit(&self) -> u16;
    /// Who must have sent it, where it tells that itself.
    fn sender(&self) -> Sender {
        Sender::Either
    }
    /// What it does, one call an operation. A response names the operation that it answers as far as its own octets tell,
    /// and one [`Verb::Report`] for each run of points that it reports.
    fn operations(&self, visit: &mut impl FnMut(Operation));
    /// The code of its [`Verb::Report`] operations, where it does nothing but report points: then each point says as much
    /// as an operation, and only those that are new need to be judged.
    fn reports(&self) -> Option<u16> {
        None
    }
    /// Whether the judge is to hear of one of its operations each time, however usual it is: rare ones whose number
    /// matters, such as interrogations and clock synchronisations.
    fn is_told_each_time(&self, _operation: &Operation) -> bool {
        false
    }
    /// Where it stands in a command.
    fn control(&self) -> Option<Control> {
        None
    }
    /// What it shows beside what it says.
    fn notices(&self, _visit: &mut impl FnMut(Notice)) {}
    /// The time that it sets or tells as now, in ms since 1970-01-01T00:00:00 of its clock, whatever its zone.
    fn clock(&self) -> Option<u64> {
        None
    }
    /// Equal in a request and its response; `None` where the message is never paired.
    fn pairing(&self) -> Option<u64>;
    /// Whether it refuses a request.
    fn refusal(&self) -> Option<Refusal>;
    /// Names and values in the standard's order.
    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>));
    /// Values written by a request; or reported by a response (whose request, where it was seen, asked for `asked`) or
    /// unsolicited. An answer that only repeats a command reports none.
    fn points(&self, asked: Option<Operation>, visit: &mut dyn FnMut(Point));
    /// The same values as octets, where they are neighbours and nothing but values.
    fn run(&self, _asked: Option<Operation>) -> Option<Run<'_>> {
        None
    }
    /// What it adds to the statistics, one call a counter.
    fn tally(&self, visit: &mut impl FnMut(Tally));
    /// What is wrong with a message that can be named though it breaks its standard.
    fn fault(&self) -> Option<ParseError> {
        None
    }
    /// What it tells about the device that sent it.
    fn identity(&self, _visit: &mut dyn FnMut(IdentityClaim<'_>)) {}
}
