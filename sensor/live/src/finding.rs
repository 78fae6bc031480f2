//! `Finding`: one thing that is said of a port or a mirror, in words that somebody in a plant can act on.

use std::fmt;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// The sensor misses or disturbs something as long as it stays.
    Fault,
    /// It may be meant so; somebody should look.
    Doubt,
    /// To know what is seen.
    Fact,
}

/// One thing that is said of a port or a mirror: what was found, with figures, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How grave it is.
    pub grade: Grade,
    /// One or two English sentences.
    pub words: String,
}

impl Finding {
    pub(crate) fn fault(words: impl Into<String>) -> Self {
        Self { grade: Grade::Fault, words: words.into() }
    }

    pub(crate) fn doubt(words: impl Into<String>) -> Self {
        Self { grade: Grade::Doubt, words: words.into() }
    }

    pub(crate) fn fact(words: impl Into<String>) -> Self {
        Self { grade: Grade::Fact, words: words.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = match self.grade {
            Grade::Fault => "fault",
            Grade::Doubt => "doubt",
            Grade::Fact => "fact",
        };
        write!(f, "{grade}: {}", self.words)
    }
}
