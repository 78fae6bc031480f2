//! What a record is: its class, its severity, and the kind by which it is counted and given up.

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// What a line of the journal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A judgement on what was seen.
    Alert,
    /// How the sensor itself fares.
    Health,
    /// What a person did about an alert.
    Disposition,
    /// Who did what with the sensor.
    Audit,
    /// What is missing, exactly, and why. Only the journal writes it.
    Gap,
    /// A signature over all that stands before it. Only the journal writes it.
    Checkpoint,
}

impl Class {
    /// Every class, in the order of declaration.
    pub const ALL: [Self; 6] = [Self::Alert, Self::Health, Self::Disposition, Self::Audit, Self::Gap, Self::Checkpoint];

    /// The name in a line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Health => "health",
            Self::Disposition => "disposition",
            Self::Audit => "audit",
            Self::Gap => "gap",
            Self::Checkpoint => "checkpoint",
        }
    }

    /// The class of this name; `None` if no class is called so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// How grave an alert is, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Rank 0.
    Info,
    /// Rank 1.
    Low,
    /// Rank 2.
    Medium,
    /// Rank 3.
    High,
    /// Rank 4.
    Critical,
}

impl Severity {
    /// Every severity, by rank.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// 0 (info) to 4 (critical).
    pub const fn rank(self) -> u8 {
        match self {
            Self::Info => 0,
            Self::Low => 1,
            Self::Medium => 2,
            Self::High => 3,
            Self::Critical => 4,
        }
    }

    /// The severity of this rank; `None` above 4.
    pub fn from_rank(rank: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.rank() == rank)
    }

    /// The name in a line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of this name; `None` if none is called so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == name)
    }
}

/// By what a record is counted where it is given up: its class, and the severity of an alert. In this order they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A checkpoint: every later one covers it.
    Checkpoint,
    /// A health record.
    Health,
    /// An alert of severity info.
    AlertInfo,
    /// An alert of severity low.
    AlertLow,
    /// An alert of severity medium.
    AlertMedium,
    /// An alert of severity high.
    AlertHigh,
    /// An alert of severity critical, or of none.
    AlertCritical,
    /// A disposition.
    Disposition,
    /// An audit record.
    Audit,
    /// A gap record: it goes only with all that stands before it.
    Gap,
}

impl Kind {
    /// Every kind, in the order in which they are given up.
    pub const ALL: [Self; 10] = [
        Self::Checkpoint,
        Self::Health,
        Self::AlertInfo,
        Self::AlertLow,
        Self::AlertMedium,
        Self::AlertHigh,
        Self::AlertCritical,
        Self::Disposition,
        Self::Audit,
        Self::Gap,
    ];

    /// The kind of a record. An alert without severity counts as critical: it is kept longest.
    pub const fn of(class: Class, severity: Option<Severity>) -> Self {
        match class {
            Class::Checkpoint => Self::Checkpoint,
            Class::Health => Self::Health,
            Class::Disposition => Self::Disposition,
            Class::Audit => Self::Audit,
            Class::Gap => Self::Gap,
            Class::Alert => match severity {
                Some(Severity::Info) => Self::AlertInfo,
                Some(Severity::Low) => Self::AlertLow,
                Some(Severity::Medium) => Self::AlertMedium,
                Some(Severity::High) => Self::AlertHigh,
                Some(Severity::Critical) | None => Self::AlertCritical,
            },
        }
    }

    /// The name under which it is counted.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Health => "health",
            Self::AlertInfo => "alert_info",
            Self::AlertLow => "alert_low",
            Self::AlertMedium => "alert_medium",
            Self::AlertHigh => "alert_high",
            Self::AlertCritical => "alert_critical",
            Self::Disposition => "disposition",
            Self::Audit => "audit",
            Self::Gap => "gap",
        }
    }

    /// In which round the quota gives it up: 0 first, [`Kind::RANK_LAST`] last; `None`: never on its own.
    pub(crate) const fn rank(self) -> Option<u8> {
        match self {
            Self::Checkpoint | Self::Health => Some(0),
            Self::AlertInfo => Some(1),
            Self::AlertLow => Some(2),
            Self::AlertMedium => Some(3),
            Self::AlertHigh => Some(4),
            Self::AlertCritical => Some(5),
            Self::Disposition | Self::Audit => Some(6),
            Self::Gap => None,
        }
    }

    /// The last round.
    pub(crate) const RANK_LAST: u8 = 6;
}

/// A value for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PerKind<T>([T; 10]);

impl<T: Copy> PerKind<T> {
    /// The value of a kind.
    pub(crate) const fn get(&self, kind: Kind) -> T {
        let [checkpoint, health, info, low, medium, high, critical, disposition, audit, gap] = self.0;
        match kind {
            Kind::Checkpoint => checkpoint,
            Kind::Health => health,
            Kind::AlertInfo => info,
            Kind::AlertLow => low,
            Kind::AlertMedium => medium,
            Kind::AlertHigh => high,
            Kind::AlertCritical => critical,
            Kind::Disposition => disposition,
            Kind::Audit => audit,
            Kind::Gap => gap,
        }
    }

    /// The place of a kind.
    pub(crate) const fn of(&mut self, kind: Kind) -> &mut T {
        let [checkpoint, health, info, low, medium, high, critical, disposition, audit, gap] = &mut self.0;
        match kind {
            Kind::Checkpoint => checkpoint,
            Kind::Health => health,
            Kind::AlertInfo => info,
            Kind::AlertLow => low,
            Kind::AlertMedium => medium,
            Kind::AlertHigh => high,
            Kind::AlertCritical => critical,
            Kind::Disposition => disposition,
            Kind::Audit => audit,
            Kind::Gap => gap,
        }
    }
}

/// How many records of each kind. As JSON: an object of those that are not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts(PerKind<u64>);

impl Counts {
    /// How many of a kind.
    pub fn get(&self, kind: Kind) -> u64 {
        self.0.get(kind)
    }

    /// Counts `more` of a kind.
    pub fn add(&mut self, kind: Kind, more: u64) {
        let place = self.0.of(kind);
        *place = place.saturating_add(more);
    }

    /// Counts all of `other` too.
    pub fn merge(&mut self, other: &Self) {
        for kind in Kind::ALL {
            self.add(kind, other.get(kind));
        }
    }

    /// Of all kinds together.
    pub fn total(&self) -> u64 {
        Kind::ALL.into_iter().fold(0, |sum, kind| sum.saturating_add(self.get(kind)))
    }

    /// Of all alerts together.
    pub fn alerts(&self) -> u64 {
        [Kind::AlertInfo, Kind::AlertLow, Kind::AlertMedium, Kind::AlertHigh, Kind::AlertCritical]
            .into_iter()
            .fold(0, |sum, kind| sum.saturating_add(self.get(kind)))
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for kind in Kind::ALL {
            if self.get(kind) > 0 {
                map.serialize_entry(kind.name(), &self.get(kind))?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut counts = Self::default();
        for (name, count) in BTreeMap::<String, u64>::deserialize(deserializer)? {
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
            counts.add(kind.ok_or_else(|| D::Error::custom("unknown kind of record"))?, count);
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ranks_go_both_ways() {
        for class in Class::ALL {
            assert_eq!(Class::from_name(class.name()), Some(class));
        }
        for severity in Severity::ALL {
            assert_eq!(Severity::from_name(severity.name()), Some(severity));
            assert_eq!(Severity::from_rank(severity.rank()), Some(severity));
        }
        assert_eq!(Class::from_name("Alert"), None);
        assert_eq!(Severity::from_rank(5), None);
    }

    #[test]
    fn counts_are_an_object_of_what_is_not_zero() {
        let mut counts = Counts::default();
        counts.add(Kind::of(Class::Alert, None), 2);
        counts.add(Kind::Health, 3);
        let text = serde_json::to_string(&counts).unwrap();
        assert_eq!(text, r#"{"health":3,"alert_critical":2}"#);
        assert_eq!(serde_json::from_str::<Counts>(&text).unwrap(), counts);
        assert_eq!((counts.total(), counts.alerts()), (5, 2));
        assert!(serde_json::from_str::<Counts>(r#"{"other":1}"#).is_err());
    }
}
