//! `Timestamp`: nanoseconds since 1970, by the capture's clock.

/// Nanoseconds since 1970-01-01T00:00:00Z, as the capture's clock had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Nanoseconds from `earlier` to this; 0 where the clock went back.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
