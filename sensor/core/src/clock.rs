//! `PacketClock`: time that only frames move, and never back.

use yagura_rules::facts::time::Timestamp;

const SECOND: u64 = 1_000_000_000;

/// The greatest time seen. A frame that is older keeps its own time in what is told of it, but moves nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct PacketClock {
    now: Timestamp,
    started: bool,
    /// Frames whose time is before that of an earlier one.
    pub reversals: u64,
}

impl PacketClock {
    /// The time of the latest frame.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Takes a frame's time. True where a second has begun since the last tick: however long the pause, it is one tick.
    pub fn advance(&mut self, time: Timestamp) -> bool {
        if !self.started {
            self.started = true;
            self.now = time;
            return false;
        }
        if time < self.now {
            self.reversals = self.reversals.saturating_add(1);
            return false;
        }
        let tick = second(time) != second(self.now);
        self.now = time;
        tick
    }
}

fn second(time: Timestamp) -> u64 {
    time.0.checked_div(SECOND).unwrap_or(0)
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
