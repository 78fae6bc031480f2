//! What is wrong with octets from the wire: in which field, at which octet, against which clause.

use std::fmt;

/// The clause of a standard that a reader relied on, such as `V1.1b3 6.3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clause(pub &'static str);

/// How octets break their standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Fewer octets than the field needs.
    Truncated {
        /// Octets that the field needs.
        need: u32,
        /// Octets that are left.
        have: u32,
    },
    /// A value that the standard does not allow here.
    Forbidden {
        /// The value on the wire.
        got: u64,
    },
    /// A length field that disagrees with what follows it.
    LengthMismatch {
        /// Octets that the length field claims.
        claimed: u32,
        /// Octets that are there.
        actual: u32,
    },
    /// A checksum that does not fit its octets.
    Checksum {
        /// The checksum on the wire.
        got: u32,
        /// The checksum that the octets give.
        expected: u32,
    },
    /// Octets after the end of the message.
    Trailing {
        /// How many.
        len: u32,
    },
    /// A code that the standard reserves or does not define.
    Unsupported {
        /// The code.
        code: u32,
    },
    /// More items than the sensor's bound.
    TooMany {
        /// The bound.
        limit: u32,
    },
}

impl ErrorKind {
    /// The kind's stable name in records: `truncated`, `forbidden`, ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::Forbidden { .. } => "forbidden",
            Self::LengthMismatch { .. } => "length_mismatch",
            Self::Checksum { .. } => "checksum",
            Self::Trailing { .. } => "trailing",
            Self::Unsupported { .. } => "unsupported",
            Self::TooMany { .. } => "too_many",
        }
    }
}

/// One breach of a standard. Holds no octets of the wire and allocates nothing.
///
/// Prints as a sentence: `quantity_of_registers at octet 3: 0 is not allowed (V1.1b3 6.3)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// The field, by the standard's name.
    pub field: &'static str,
    /// Octets before the field, counted from the start of the PDU that was read.
    pub offset: u32,
    /// What the octets were held against; empty where it is only a matter of length.
    pub clause: Clause,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}: ", self.field, self.offset)?;
        match self.kind {
            ErrorKind::Truncated { need, have } => write!(f, "needs {need} octets, {have} are left")?,
            ErrorKind::Forbidden { got } => write!(f, "{got} is not allowed")?,
            ErrorKind::LengthMismatch { claimed, actual } => write!(f, "claims {claimed} octets, there are {actual}")?,
            ErrorKind::Checksum { got, expected } => {
                write!(f, "checksum is {got:#06x}, the octets give {expected:#06x}")?
            }
            ErrorKind::Trailing { len } => write!(f, "{len} octets after the end")?,
            ErrorKind::Unsupported { code } => write!(f, "code {code} is not defined")?,
            ErrorKind::TooMany { limit } => write!(f, "more than {limit}")?,
        }
        if self.clause.0.is_empty() { Ok(()) } else { write!(f, " ({})", self.clause.0) }
    }
}

impl std::error::Error for ParseError {}
