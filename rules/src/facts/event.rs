//! `Event`: what was observed, in the one order.

pub use super::frame::{EventId, FrameRef};

use super::asset::AssetKey;
use super::flow::{Flow, FlowSummary};
use super::time::Timestamp;
use super::verdict::{Line, Verdict};
use std::net::IpAddr;
use std::sync::Arc;
use yagura_parsers::dissect::Direction;
use yagura_parsers::error::ParseError;
use yagura_parsers::message::{Notice, Operation, Point, Refusal};
use yagura_parsers::packet::Scope;
use yagura_parsers::packet::link::MacAddr;

/// Something that was observed.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its place.
    pub id: EventId,
    /// The frame that shows it.
    pub origin: FrameRef,
    /// When.
    pub time: Timestamp,
    /// In which flow; `None` for what is of no flow (ARP, ticks).
    pub flow: Option<Arc<Flow>>,
    /// What.
    pub kind: EventKind,
}

/// What was observed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// A flow's first frame. `attempt`: it is a SYN without answer so far. Ends may still be guessed.
    FlowOpened {
        /// Whether the frame is a TCP SYN.
        attempt: bool,
    },
    /// The TCP connection was accepted (SYN-ACK seen), or data came from both ends.
    FlowAnswered,
    /// The TCP connection was refused (RST answers the SYN).
    FlowRefused,
    /// The flow is over, or was quiet for too long.
    FlowClosed(Box<FlowSummary>),
    /// It is known what the flow speaks: see the event's flow.
    Identified,
    /// The flow has a usual port of an industrial protocol, and speaks something else: the protocol whose port it is.
    Stranger(&'static str),
    /// Something was asked, answered, refused or left unanswered.
    Operation(Box<OperationFact>),
    /// A PDU breaks its standard.
    Malformed(Box<MalformedFact>),
    /// A message shows something beside what it says: a session out of step, a device in trouble.
    Notice(Box<NoticeFact>),
    /// A command does not go the way of commands.
    Command(Box<CommandFact>),
    /// A point's value turned bad or good again, or is told no more.
    Point(Box<PointFact>),
    /// A device's clock, as a message tells or sets it, is far from the capture's.
    Clock(ClockFact),
    /// Much goes through a flow.
    Rate(RateFact),
    /// A unit that answered leaves requests of a flow unanswered, or answers again.
    Unanswered(UnansweredFact),
    /// Octets of a direction were never seen.
    Gap {
        /// Which way.
        direction: Direction,
        /// How many.
        octets: u64,
    },
    /// A retransmission carries other octets than what it repeats.
    StreamConflict {
        /// Which way.
        direction: Direction,
    },
    /// Fragments of one datagram overlap with different octets.
    FragmentConflict {
        /// Source of the datagram.
        source: IpAddr,
        /// Destination of the datagram.
        destination: IpAddr,
    },
    /// Somebody shows itself outside of IP flows (ARP), or tells about itself (DHCP, LLDP, NBNS, identification).
    Sighting(Box<Sighting>),
    /// A device was heard for the first time.
    AssetSeen(AssetKey),
    /// Two MAC addresses answer for one IP address.
    AddressConflict(Box<AddressConflict>),
    /// A bound bit for the first time since the last tick: its name in `Limits`.
    LimitReached(&'static str),
    /// Frames were lost on their way to the sensor.
    CaptureLoss(Box<LossFact>),
    /// What the sensor hears, or how it hears it, has changed.
    CaptureState(Box<CaptureFact>),
    /// An interface that must only listen has sent frames.
    Transmitted {
        /// Which capture.
        capture: u16,
        /// How many frames it has sent since the sensor began.
        frames: u64,
    },
    /// Something went wrong in the sensor itself.
    SensorFault(Box<FaultFact>),
    /// A second of packet time has gone by.
    Tick,
    /// There are no more frames: what waits for time to pass need not wait any longer.
    End,
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Asked.
    Requested,
    /// Answered, as asked.
    Answered,
    /// Refused by the device.
    Refused,
    /// Answered, though the request was not seen.
    Unasked,
    /// Told by the device: points that it reports, asked or not.
    Reported,
}

/// One operation of one message. What is usual is told once a minute and flow; what is not, each time.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationFact {
    /// What is done. For an answer or refusal: what was asked, where the request was seen.
    pub operation: Operation,
    /// Where it stands.
    pub stage: Stage,
    /// What site file and baseline say of it.
    pub verdict: Verdict,
    /// How it was refused.
    pub refusal: Option<Refusal>,
    /// Which way the message went.
    pub direction: Direction,
    /// The request's frame, for an answer.
    pub request: Option<FrameRef>,
    /// The value that is out of range, and its range.
    pub outside: Option<Outside>,
    /// Values written; at most the first 125.
    pub points: Box<[Point]>,
    /// The message's fields by name, for evidence; empty where nothing will cite it.
    pub fields: Fields,
}

/// A value outside its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outside {
    /// The point.
    pub point: Point,
    /// The least usual value.
    pub min: f64,
    /// The greatest usual value.
    pub max: f64,
    /// Whether the range was learnt, or written by people.
    pub learnt: bool,
    /// The line that says so.
    pub line: Line,
}

/// A PDU that breaks its standard.
#[derive(Debug, Clone, PartialEq)]
pub struct MalformedFact {
    /// Which way it went.
    pub direction: Direction,
    /// What is wrong.
    pub error: ParseError,
    /// The message's fields as far as they were read.
    pub fields: Fields,
}

/// What a message shows beside what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticeFact {
    /// Which way the message went.
    pub direction: Direction,
    /// What it shows.
    pub notice: Notice,
}

/// How a command leaves the way of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommandFault {
    /// Operated, and not selected before: where the protocol wants it, or where this point was always selected before.
    NotSelected,
    /// Operated with another value, or otherwise than it was selected.
    Changed,
    /// The device, which goes on speaking, never said that it does it.
    Unconfirmed,
    /// The device said that it does it, and never that it has done it, as it did for others.
    Unterminated,
}

impl CommandFault {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotSelected => "not_selected",
            Self::Changed => "changed",
            Self::Unconfirmed => "unconfirmed",
            Self::Unterminated => "unterminated",
        }
    }
}

/// A command that does not go the way of commands.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandFact {
    /// What is wrong.
    pub fault: CommandFault,
    /// What is commanded.
    pub operation: Operation,
    /// The frame of the command: of the select where the fault is that it was changed.
    pub asked: FrameRef,
    /// Values of the message at which the fault shows, or of the command that waits.
    pub points: Box<[Point]>,
    /// Values of the select that was changed.
    pub before: Box<[Point]>,
    /// Fields of the message at which the fault shows; empty where time shows it.
    pub fields: Fields,
}

/// What became of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PointChange {
    /// Its value was good, and the device now says that it is not.
    TurnedBad,
    /// The device says that it is good again.
    TurnedGood,
    /// It was told regularly, and is told no more, though its neighbours are.
    Stale {
        /// When it was told last.
        since: Timestamp,
        /// How often it was told, in ns.
        period_ns: u64,
    },
    /// It is told again.
    Fresh,
}

/// A point's value turned bad or good again, or is told no more.
#[derive(Debug, Clone, PartialEq)]
pub struct PointFact {
    /// The address behind the endpoint.
    pub unit: u16,
    /// The point, with its latest value.
    pub point: Point,
    /// What became of it.
    pub change: PointChange,
}

/// A device's clock, as a message tells or sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockFact {
    /// The address behind the endpoint.
    pub unit: u16,
    /// The clock, in ms since 1970-01-01T00:00:00 of its zone.
    pub clock_ms: u64,
    /// So much it is ahead of the capture's clock, in ms; negative where it is behind.
    pub ahead_ms: i64,
    /// Whether it is set by the message; else a value is told with that time.
    pub sets: bool,
}

/// What went through a flow within ten seconds of packet time so far. Told each time that one of the numbers has doubled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateFact {
    /// Since when it is counted.
    pub since: Timestamp,
    /// Frames to the server, and to the client.
    pub frames: [u64; 2],
    /// Requests.
    pub requests: u64,
    /// Requests that were answered.
    pub answers: u64,
    /// Messages that nobody asked for.
    pub unsolicited: u64,
    /// The most requests that waited for their answer at once.
    pub waiting: u64,
}

/// Requests in a row that a unit which answered before has left unanswered. Told at four, and each time that the number
/// has doubled; and with none, when it answers again after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnansweredFact {
    /// The address behind the endpoint.
    pub unit: u16,
    /// How many.
    pub requests: u64,
    /// When the first of them was asked.
    pub since: Timestamp,
}

/// Named fields of a message, owned.
pub type Fields = Box<[(&'static str, FieldValue)]>;

/// The value of a field, owned.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
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
    /// Unknown, or not there.
    Null,
    /// Text from the wire, not trusted.
    Text(Box<[u8]>),
    /// Octets from the wire.
    Octets(Box<[u8]>),
    /// 16-bit numbers.
    Words(Box<[u16]>),
    /// Bits.
    Bits(Box<[bool]>),
}

/// Frames that were lost on their way to the sensor, since it was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LossFact {
    /// Which capture.
    pub capture: u16,
    /// Frames that the kernel had no room for.
    pub kernel: u64,
    /// Frames that the interface had no room for.
    pub interface: u64,
    /// Frames that the sensor had no time for: those of the office, which go first.
    pub bulk: u64,
    /// Frames that the sensor had no time for: those of industrial protocols, of addresses and names.
    pub industrial: u64,
    /// Frames that were seen meanwhile.
    pub seen: u64,
    /// Since when these are counted.
    pub since: Timestamp,
}

impl LossFact {
    /// All that was lost.
    pub fn lost(&self) -> u64 {
        [self.kernel, self.interface, self.bulk, self.industrial].into_iter().fold(0, u64::saturating_add)
    }
}

/// A change of what the sensor hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureFact {
    /// Which capture.
    pub capture: u16,
    /// What has changed.
    pub state: CaptureState,
}

/// What the sensor hears, or how it hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureState {
    /// No frame has come for a while.
    Silent {
        /// When the last one came, or since when the sensor listens.
        since: Timestamp,
    },
    /// Frames come again.
    Heard {
        /// So long none came, in ns.
        silent_ns: u64,
    },
    /// The link is down.
    LinkDown,
    /// The link is up again.
    LinkUp,
    /// The interface is not there any more.
    InterfaceGone,
    /// The interface is there again.
    InterfaceBack,
    /// The clock that the frames' times are from was set: by so many ns, negative where it was set back.
    ClockStepped {
        /// By how much, in ns.
        by_ns: i64,
    },
    /// Many frames in a row were older than one before them: the sensor goes by them from now on.
    ClockSetBack {
        /// So much before, in ns.
        by_ns: u64,
        /// How many frames it took.
        frames: u32,
    },
    /// What is heard cannot be all that there is.
    Suspect(MirrorFault),
    /// What was suspicious of the mirror is so no longer.
    Plausible(MirrorFlaw),
}

/// What may be wrong with a mirror port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MirrorFlaw {
    /// Of conversations only one direction is heard.
    OneDirection,
    /// Only one VLAN is heard.
    OneVlan,
    /// Nothing is heard that is addressed to one device.
    NoUnicast,
}

impl MirrorFlaw {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneDirection => "one_direction",
            Self::OneVlan => "one_vlan",
            Self::NoUnicast => "no_unicast",
        }
    }
}

/// Why what is heard cannot be all that there is, with its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MirrorFault {
    /// What may be wrong.
    pub flaw: MirrorFlaw,
    /// So many show it: conversations that were heard in one direction, frames of the one VLAN, frames to groups.
    pub count: u64,
    /// Of so many: conversations, or frames.
    pub total: u64,
    /// The one VLAN, where it is about that.
    pub vlan: Option<u16>,
}

/// Something that went wrong in the sensor itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultFact {
    /// What.
    pub fault: SensorFault,
    /// In which part of the sensor: a protocol's name, a thread, an output. At most [`FaultFact::PART_MAX`] octets.
    pub part: Box<str>,
    /// What is known of it, for those who mend it: at most [`FaultFact::TEXT_MAX`] octets. It may hold text of the wire.
    pub text: Box<str>,
    /// The packet at which it happened, from its first header on, where it is to be kept: at most
    /// [`FaultFact::OCTETS_MAX`] octets.
    pub octets: Option<Arc<[u8]>>,
}

impl FaultFact {
    /// Octets of the part's name.
    pub const PART_MAX: usize = 64;
    /// Octets of the text.
    pub const TEXT_MAX: usize = 256;
    /// Octets of the packet.
    pub const OCTETS_MAX: usize = 65_536;

    /// A fault; what is too long is cut.
    pub fn new(fault: SensorFault, part: &str, text: &str, octets: Option<&[u8]>) -> Self {
        let octets = octets.map(|octets| octets.get(..Self::OCTETS_MAX).unwrap_or(octets).into());
        Self { fault, part: cut(part, Self::PART_MAX).into(), text: cut(text, Self::TEXT_MAX).into(), octets }
    }
}

/// The head of a text, of at most so many octets.
fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// What went wrong in the sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SensorFault {
    /// A packet could not be read for a fault in the program: its flow is set aside.
    Panic,
    /// A protocol's reader had so many faults that it is used no more.
    Disabled,
    /// A part did not answer in time.
    Hang,
    /// What is to be kept finds no room.
    StorageFull,
    /// An output takes nothing.
    OutputStuck,
    /// Anything else.
    Other,
}

impl SensorFault {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Disabled => "disabled",
            Self::Hang => "hang",
            Self::StorageFull => "storage_full",
            Self::OutputStuck => "output_stuck",
            Self::Other => "other",
        }
    }
}

/// Somebody shows itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Broadcast domain.
    pub scope: Scope,
    /// Which protocol shows it: `arp`, `ip`, `dhcp`, `lldp`, `nbns`, `modbus`.
    pub source: &'static str,
    /// Its MAC address.
    pub mac: Option<MacAddr>,
    /// Its IP address.
    pub address: Option<IpAddr>,
    /// What is claimed and the claim's text as on the wire; `None` for the mere sighting.
    pub claim: Option<(&'static str, Box<[u8]>)>,
    /// For ARP: the address that is asked for.
    pub asks_for: Option<IpAddr>,
    /// For ARP: whether it is an answer or an announcement.
    pub answers: bool,
}

/// One IP address, two MAC addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressConflict {
    /// The asset.
    pub asset: AssetKey,
    /// The MAC address that it had.
    pub before: MacAddr,
    /// The frame that showed that one.
    pub before_frame: FrameRef,
    /// The MAC address that now claims it.
    pub after: MacAddr,
}
