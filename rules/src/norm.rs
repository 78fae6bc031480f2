//! `Norm`: what is allowed and what is usual here, compiled from policy and baseline for quick questions.

use crate::facts::event::Outside;
use crate::facts::flow::Flow;
use std::net::IpAddr;
use yagura_parsers::message::{Operation, Point};
use yagura_parsers::packet::link::MacAddr;
use yagura_parsers::protocols::ProtocolId;

/// A line of an operator's file: what an alert contradicts, or the nearest to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// Index into [`Norm::files`].
    pub file: u16,
    /// Line in the file, from 1.
    pub line: u32,
}

/// What an opinion rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// There is neither policy nor baseline for this kind of fact.
    None,
    /// This line says so.
    Line(Line),
    /// No line says so; this is the nearest.
    Nearest(Line),
    /// A file speaks of this kind of fact, and no line comes near: its index in [`Norm::files`].
    File(u16),
}

/// What site file and baseline say of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nobody said anything.
    Unknown,
    /// Allowed or usual.
    Usual(Basis),
    /// The policy's conduits forbid it.
    Forbidden(Basis),
    /// Not in the baseline; the widest part that is new.
    Unusual(Novelty, Basis),
}

/// What is new about an operation, the widest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Novelty {
    /// This client and server never spoke this protocol.
    Conversation,
    /// Never this unit.
    Unit,
    /// Never this verb on this unit.
    Verb,
    /// Never this function code on this unit.
    Code,
    /// Never these addresses.
    Addresses,
}

impl Novelty {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Unit => "unit",
            Self::Verb => "verb",
            Self::Code => "code",
            Self::Addresses => "addresses",
        }
    }
}

/// The baseline's intervals for one client and server: a handle that a flow keeps, valid for one [`Norm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PairNorm {
    /// Index into the compiled pairs, plus one; 0 where the pair is in no list.
    pub(crate) pair: u32,
    /// Index into the compiled servers with value ranges, plus one; 0 where there are none.
    pub(crate) ranges: u32,
    /// Index into the compiled zone crossings, plus one; 0 where none applies.
    pub(crate) crossing: u32,
}

/// What the site file says of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// Neither site file nor baseline lists any assets.
    NoList,
    /// Listed and allowed, here.
    Approved(Line),
    /// Listed, and not yet allowed.
    Pending(Line),
    /// Listed, and not allowed.
    Blocked(Line),
    /// Was allowed until a time that has passed.
    Expired(Line),
    /// In no list.
    Unlisted(Basis),
}

/// Policy and baseline, compiled.
#[derive(Debug, Default)]
pub struct Norm {
    /// Names of the files that lines are of, in the order they were read.
    pub files: Vec<String>,
}

impl Norm {
    /// The handle of a flow's ends.
    pub fn pair(&self, _flow: &Flow) -> PairNorm {
        PairNorm::default()
    }

    /// What is said of a conversation: who speaks which protocol (or which server port, where the protocol is unknown) to
    /// whom.
    pub fn conversation(&self, _pair: PairNorm, _flow: &Flow) -> Verdict {
        Verdict::Unknown
    }

    /// What is said of an operation. Values are asked about apart.
    pub fn operation(&self, _pair: PairNorm, _protocol: ProtocolId, _operation: &Operation) -> Verdict {
        Verdict::Unknown
    }

    /// Whether values of the flow's server are watched at all: where not, [`Norm::outside`] need not be asked.
    pub fn watches_values(&self, pair: PairNorm) -> bool {
        pair.ranges != 0
    }

    /// The range that a value leaves.
    pub fn outside(&self, _pair: PairNorm, _unit: u16, _point: &Point) -> Option<Outside> {
        None
    }

    /// What is said of an asset at a time.
    pub fn approval(&self, _address: Option<IpAddr>, _mac: Option<MacAddr>, _time: crate::facts::time::Timestamp) -> Approval {
        Approval::NoList
    }

    /// The name that the site file gives an address or MAC address.
    pub fn name_of(&self, _address: Option<IpAddr>, _mac: Option<MacAddr>) -> Option<&str> {
        None
    }

    /// The name of a file that a line is of.
    pub fn file(&self, index: u16) -> &str {
        self.files.get(usize::from(index)).map_or("", String::as_str)
    }
}
