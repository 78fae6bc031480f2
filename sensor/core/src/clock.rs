//! `PacketClock`: time that only frames move, and never back.

use yagura_rules::facts::time::Timestamp;

const SECOND: u64 = 1_000_000_000;

/// The greatest time seen. A frame that is older keeps its own time in what is told of it, but moves nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct PacketClock {
    now: Timestamp,
    /// Where the next second begins; 0 before the first frame.
    next_second: u64,
    /// Frames whose time is before that of an earlier one.
    pub reversals: u64,
}

impl PacketClock {
    /// The time of the latest frame.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Takes a frame's time. True where a second has begun since the last tick: however long the pause, it is one tick.
    #[inline]
    pub fn advance(&mut self, time: Timestamp) -> bool {
        if time < self.now {
            self.reversals = self.reversals.saturating_add(1);
            return false;
        }
        self.now = time;
        if time.0 < self.next_second {
            return false;
        }
        let started = self.next_second != 0;
        let second = time.0.checked_div(SECOND).unwrap_or(0);
        self.next_second = second.saturating_add(1).saturating_mul(SECOND);
        started
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tick_a_second_however_long_the_pause_and_none_for_the_past() {
        let mut clock = PacketClock::default();
        assert!(!clock.advance(Timestamp(5 * SECOND)));
        assert!(!clock.advance(Timestamp(5 * SECOND + 9)));
        assert!(clock.advance(Timestamp(6 * SECOND)));
        assert!(clock.advance(Timestamp(9_999 * SECOND)));
        assert!(!clock.advance(Timestamp(1)));
        assert_eq!((clock.now(), clock.reversals), (Timestamp(9_999 * SECOND), 1));
    }
}
