//! `Rule`, `Card`, `Scene`, `Finding`, `Severity`: what a detection is.

use crate::facts::asset::{Asset, AssetKey};
use crate::facts::event::{Event, EventId};
use crate::facts::flow::Flow;
use crate::norm::{Basis, Norm};
use std::sync::Arc;

/// How bad it is, if it is what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// For the record.
    Info,
    /// To be looked at some day.
    Low,
    /// To be looked at today.
    Medium,
    /// To be looked at now.
    High,
    /// The process may be in danger.
    Critical,
}

impl Severity {
    /// Every severity, the mildest first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name in records and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

/// A text in the two languages of the alerts. Templates name parameters in braces: `{client}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Japanese.
    pub ja: &'static str,
}

/// A technique of MITRE ATT&CK for ICS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Technique {
    /// The id of version 19.
    pub id: &'static str,
    /// The id before version 19, where it differs.
    pub old: Option<&'static str>,
    /// Its name.
    pub name: &'static str,
}

/// A setting of a detection, that the site file may change: `[detection.<name>]`, `<setting> = <number>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Name, unit last: `window_s`.
    pub name: &'static str,
    /// What it means.
    pub what: &'static str,
    /// Where the site file is silent.
    pub default: u64,
    /// The least that is allowed.
    pub min: u64,
    /// The most that is allowed.
    pub max: u64,
}

/// What a detection says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Card {
    /// `OT-0001`: never used again for another.
    pub id: &'static str,
    /// The file's name; reads after "alert on".
    pub name: &'static str,
    /// Severity of its findings, unless a finding or the site file says otherwise.
    pub severity: Severity,
    /// Techniques it is evidence of.
    pub attack: &'static [Technique],
    /// Rows of the requirements that it serves: `002 5.1.1.1`, with CSF and IEC 62443-3-3 codes.
    pub serves: &'static [&'static str],
    /// What it means.
    pub what: Text,
    /// Why it matters.
    pub why: Text,
    /// What harmless cause it may have.
    pub benign: Text,
    /// What to do.
    pub response: Text,
    /// What may be set.
    pub settings: &'static [Setting],
}

/// A parameter of a finding's text and of its record.
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// A number.
    Number(u64),
    /// A number with a fraction, such as a value of a point.
    Real(f64),
    /// A word of ours or of a standard.
    Word(&'static str),
    /// Text made of facts (addresses, ports); never octets of the wire.
    Text(String),
    /// A capture, by its number: shown by the name of its file or interface.
    Capture(u16),
    /// An asset: shown by its name in the site file beside its address.
    Asset(AssetKey),
    /// Text from the wire: escaped wherever it is shown.
    Wire(Box<[u8]>),
}

/// A judgement, with the events that carry it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The sentence; its parameters are `params`.
    pub text: &'static Text,
    /// Values of the sentence's parameters, also shown as they are.
    pub params: Vec<(&'static str, Param)>,
    /// What equal findings share: one alert, then a count. Made of facts, such as `10.0.0.1>10.0.0.2/1/write`.
    pub subject: String,
    /// Where it differs from the card's.
    pub severity: Option<Severity>,
    /// What it rests on.
    pub basis: Basis,
    /// In which flow.
    pub flow: Option<Arc<Flow>>,
    /// Who is concerned, the actor first.
    pub assets: Vec<AssetKey>,
    /// Earlier events that carry it, at most 8; the event it was found at is added by the judge.
    pub earlier: Vec<Cited>,
}

/// An event that is cited as evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cited {
    /// Its place.
    pub id: EventId,
    /// Its frame.
    pub origin: crate::facts::event::FrameRef,
}

impl Cited {
    /// So many earlier events are cited by one finding at most.
    pub const MAX: usize = 8;

    /// Cites an event.
    pub fn event(event: &Event) -> Self {
        Self { id: event.id, origin: event.origin }
    }
}

/// The devices, as rules may ask for them.
pub trait Assets {
    /// The asset of a key.
    fn asset(&self, key: &AssetKey) -> Option<&Asset>;
}

/// What a rule may look at beside the event.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Devices seen so far.
    pub assets: &'a dyn Assets,
    /// What is allowed and usual.
    pub norm: &'a Norm,
}

/// The kinds of events that a rule wants: the judge calls it for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest(pub u32);

impl Interest {
    /// [`crate::facts::event::EventKind::FlowOpened`], `FlowAnswered`, `FlowRefused`, `FlowClosed`.
    pub const FLOW: Self = Self(1);
    /// `Identified`, `Stranger`.
    pub const PROTOCOL: Self = Self(1 << 1);
    /// `Operation`.
    pub const OPERATION: Self = Self(1 << 2);
    /// `Malformed`.
    pub const MALFORMED: Self = Self(1 << 3);
    /// `Gap`, `StreamConflict`, `FragmentConflict`.
    pub const STREAM: Self = Self(1 << 4);
    /// `Sighting`.
    pub const SIGHTING: Self = Self(1 << 5);
    /// `AssetSeen`, `AddressConflict`.
    pub const ASSET: Self = Self(1 << 6);
    /// `LimitReached`.
    pub const LIMIT: Self = Self(1 << 7);
    /// `Tick`, `End`.
    pub const TICK: Self = Self(1 << 8);

    /// `Notice`.
    pub const NOTICE: Self = Self(1 << 9);
    /// `Command`.
    pub const COMMAND: Self = Self(1 << 10);
    /// `Point`.
    pub const POINT: Self = Self(1 << 11);
    /// `Clock`.
    pub const CLOCK: Self = Self(1 << 12);
    /// `Rate`.
    pub const RATE: Self = Self(1 << 13);
    /// `Unanswered`.
    pub const CADENCE: Self = Self(1 << 15);
    /// `CaptureLoss`, `CaptureState`, `Transmitted`, `SensorFault`.
    pub const SENSOR: Self = Self(1 << 14);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The interest that an event meets.
    pub fn of(event: &Event) -> Self {
        use crate::facts::event::EventKind as K;
        match event.kind {
            K::FlowOpened { .. } | K::FlowAnswered | K::FlowRefused | K::FlowClosed(_) => Self::FLOW,
            K::Identified | K::Stranger(_) => Self::PROTOCOL,
            K::Operation(_) => Self::OPERATION,
            K::Malformed(_) => Self::MALFORMED,
            K::Notice(_) => Self::NOTICE,
            K::Command(_) => Self::COMMAND,
            K::Point(_) => Self::POINT,
            K::Clock(_) => Self::CLOCK,
            K::Rate(_) => Self::RATE,
            K::Unanswered(_) => Self::CADENCE,
            K::Gap { .. } | K::StreamConflict { .. } | K::FragmentConflict { .. } => Self::STREAM,
            K::Sighting(_) => Self::SIGHTING,
            K::AssetSeen(_) | K::AddressConflict(_) => Self::ASSET,
            K::LimitReached(_) => Self::LIMIT,
            K::CaptureLoss(_) | K::CaptureState(_) | K::Transmitted { .. } | K::SensorFault(_) => Self::SENSOR,
            K::Tick | K::End => Self::TICK,
        }
    }
}

/// The values of a detection's settings, as the site file has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings(pub std::collections::BTreeMap<String, u64>);

impl Settings {
    /// The value of a setting of the card: the site file's, or the default.
    pub fn value(&self, card: &Card, name: &str) -> u64 {
        let default = card.settings.iter().find(|setting| setting.name == name).map_or(0, |setting| setting.default);
        self.0.get(name).copied().unwrap_or(default)
    }

    /// A setting in seconds, as nanoseconds.
    pub fn seconds(&self, card: &Card, name: &str) -> u64 {
        self.value(card, name).saturating_mul(1_000_000_000)
    }
}

/// A detection at work. It remembers within bounds, and never looks at a clock but the events'.
pub trait Rule: Send {
    /// Which events it wants.
    fn interest(&self) -> Interest;
    /// Looks at one event.
    fn observe(&mut self, event: &Event, scene: Scene<'_>, found: &mut Vec<Finding>);
    /// Things that it would alert on if any file said what is usual: counted, each once, as far as is remembered.
    fn unjudged(&self) -> u64 {
        0
    }
    /// Subjects that it forgot for want of room.
    fn forgotten(&self) -> u64 {
        0
    }
}

/// A line of the catalogue.
#[derive(Clone, Copy)]
pub struct Registration {
    /// The card.
    pub card: &'static Card,
    /// Makes the rule; the second argument is how many subjects it may remember.
    pub build: fn(&Settings, usize) -> Box<dyn Rule>,
}
