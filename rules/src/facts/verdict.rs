//! `Verdict`: what site file and baseline say of a fact, and the line that says so.

/// A line of an operator's file: what an alert contradicts, or the nearest to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// Index into [`crate::norm::Norm::files`].
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
    /// A file speaks of this kind of fact, and no line comes near: its index in [`crate::norm::Norm::files`].
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
